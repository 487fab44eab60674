//! The log of events in a stream of NATS JetStream, instead of in the database.
//!
//! A batch is a message; its number is that of the message and what the database had counted before the stream was there, so that a shop can go on
//! from its own log to a stream. A message can't be rewritten: a batch that an erasure changes moves to the database, under its number, and the
//! message is overwritten. Whoever reads takes both.

use std::path::Path;
use std::time::Duration;

use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, pull};
use async_nats::jetstream::context::{GetStreamErrorKind, PublishAckFuture};
use async_nats::jetstream::{self, stream};
use async_nats::{ConnectOptions, HeaderMap, ServerAddr};
use futures_util::StreamExt;

use super::erase::Rewrite;
use super::events::EventBatch;
use super::{Live, LiveError, on};

/// Where the database says which stream is the shop's.
const SETTING: &str = "events";
/// Says it in the stream.
const TOKEN: &str = "youhui-shop";
/// Who wrote a message, when, and how many events are in it.
const ORIGIN: &str = "Youhui-Origin";
const RECEIVED: &str = "Youhui-Received";
const EVENTS: &str = "Youhui-Events";
/// Messages read at once.
const MOST: usize = 256;
/// A message that is smaller than this is taken by a server as it is installed.
const LEAST_PAYLOAD: usize = 1 << 20;
const PATIENCE: Duration = Duration::from_secs(5);

/// The stream of a shop.
#[derive(Debug, Clone)]
pub(super) struct EventStream {
    context: jetstream::Context,
    stream: stream::Stream<()>,
    subject: String,
    /// Batches of before the stream.
    before: i64,
}

/// A batch that was read.
pub(super) struct Read {
    pub(super) seq: i64,
    pub(super) origin: i64,
    pub(super) received: i64,
    pub(super) events: i64,
    pub(super) payload: Vec<u8>,
}

impl Live {
    /// Has events go to a stream, `nats://[USER:PASSWORD@]HOST[:PORT]/STREAM`, which is made where it is missing, or, without a URL, to the
    /// database. What the database has already stays there.
    ///
    /// # Errors
    /// Where the server can't be reached, the stream is another shop's or would lose events, or the shop's events are elsewhere.
    pub async fn with_events(mut self, url: Option<&str>, credentials: Option<&Path>) -> Result<Self, LiveError> {
        let Some(url) = url else {
            let Some(known) = self.setting(SETTING).await? else { return Ok(self) };
            let known = OfShop::read(&known);
            if !self.is_made(&known).await? {
                // Never written to.
                on!(&self.pool, db => {
                    sqlx::query("DELETE FROM setting WHERE name = $1").bind(SETTING).execute(db).await?;
                });
                return Ok(self);
            }
            let name = known.name;
            return Err(LiveError::Events(format!(
                "they are in the stream {name} of a NATS server: say where with --events nats://HOST:PORT/{name}"
            )));
        };
        let (server, name) = parse(url)?;
        let context = connect(server, credentials).await?;
        let of_shop = self.stream_of_shop(&name).await?;
        self.stream = Some(EventStream::open(context, of_shop, &self).await?);
        Ok(self)
    }

    /// The stream's name, and the numbers of its first and its last message; nothing, where events are in the database.
    ///
    /// # Errors
    /// Where it does not answer.
    pub async fn event_stream(&self) -> Result<Option<(String, u64, u64)>, LiveError> {
        let Some(events) = &self.stream else { return Ok(None) };
        let info = events.stream.get_info().await.map_err(unreachable)?;
        Ok(Some((info.config.name, info.state.first_sequence, info.state.last_sequence)))
    }

    /// What there is behind a URL, without making anything: the numbers of the stream's first and last message, if it is there.
    ///
    /// # Errors
    /// As [`Live::with_events`].
    pub async fn look_at_events(url: &str, credentials: Option<&Path>) -> Result<Option<(u64, u64)>, LiveError> {
        let (server, name) = parse(url)?;
        let found = match connect(server, credentials).await?.get_stream(&name).await {
            Ok(found) => found.cached_info().clone(),
            Err(error) if is_missing(&error) => return Ok(None),
            Err(error) => return Err(unreachable(error)),
        };
        check(&found.config, &subject_of(&name))?;
        Ok(Some((found.state.first_sequence, found.state.last_sequence)))
    }

    /// Which stream the shop has: said once, by whichever server is the first.
    async fn stream_of_shop(&self, name: &str) -> Result<OfShop, LiveError> {
        let mut random = [0; 16];
        getrandom::fill(&mut random).map_err(|error| LiveError::Refused(format!("no random bytes: {error}")))?;
        let own = format!("{name} {:032x} ", u128::from_le_bytes(random));
        loop {
            on!(&self.pool, db => {
                let text = "INSERT INTO setting (name, content) SELECT $1, $2 || COALESCE(MAX(seq), 0) FROM event_batch WHERE true ON CONFLICT (name) DO NOTHING";
                sqlx::query(text).bind(SETTING).bind(own.as_str()).execute(db).await?;
            });
            let Some(content) = self.setting(SETTING).await? else { continue };
            let known = OfShop::read(&content);
            if known.name == name {
                return Ok(known);
            }
            if self.is_made(&known).await? {
                let known = known.name;
                return Err(LiveError::Events(format!(
                    "they are in the stream {known}, and not in {name}: write --events nats://HOST:PORT/{known}"
                )));
            }
            // Tried once, and never written to.
            on!(&self.pool, db => {
                sqlx::query("DELETE FROM setting WHERE name = $1 AND content = $2").bind(SETTING).bind(content.as_str()).execute(db).await?;
            });
        }
    }

    async fn is_made(&self, stream: &OfShop) -> Result<bool, LiveError> {
        Ok(self.setting(&stream.made()).await?.is_some())
    }
}

/// Which stream a shop has.
struct OfShop {
    name: String,
    /// Stands in the stream too: of two shops each has its own.
    token: String,
    /// Batches of before the stream.
    before: i64,
}

impl OfShop {
    fn read(content: &str) -> Self {
        let mut words = content.split(' ');
        let mut next = || words.next().unwrap_or_default();
        Self { name: next().to_owned(), token: next().to_owned(), before: next().parse().unwrap_or(0) }
    }

    /// The setting that says that the stream was made.
    fn made(&self) -> String {
        format!("events in {}", self.token)
    }
}

/// The server's address and the stream's name.
fn parse(url: &str) -> Result<(ServerAddr, String), LiveError> {
    let wrong =
        |why: &str| LiveError::Events(format!("--events: {why}: write nats://HOST:PORT/STREAM, tls:// for an encrypted connection"));
    let (scheme, rest) = url.split_once("://").ok_or_else(|| wrong("not a URL"))?;
    if !["nats", "tls"].contains(&scheme) {
        return Err(wrong("neither nats:// nor tls://"));
    }
    let (host, name) = rest.rsplit_once('/').unwrap_or((rest, "youhui"));
    let is_name =
        |name: &str| (1..=64).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    if !is_name(name) {
        return Err(wrong("a stream's name is 1 to 64 of a–z, A–Z, 0–9, - and _"));
    }
    // Not the parser's own words: they may hold the password.
    let server = format!("{scheme}://{host}").parse().map_err(|_| wrong("not an address"))?;
    Ok((server, name.to_owned()))
}

async fn connect(server: ServerAddr, credentials: Option<&Path>) -> Result<jetstream::Context, LiveError> {
    let mut options = ConnectOptions::new().name("youhui").connection_timeout(PATIENCE);
    if let Some(file) = credentials {
        let wrong = |error: std::io::Error| LiveError::Events(format!("--events-credentials {}: {error}", file.display()));
        options = options.credentials_file(file).await.map_err(wrong)?;
    }
    let client = options.connect(server).await.map_err(unreachable)?;
    let info = client.server_info();
    if !client.is_server_compatible(2, 10, 0) {
        return Err(LiveError::Events(format!(
            "nats-server {} can't have events on disk before it acknowledges them: 2.10 or newer can, with sync_interval: always",
            info.version
        )));
    }
    if info.max_payload < LEAST_PAYLOAD {
        return Err(LiveError::Events(format!("nats-server takes {} bytes a message: set max_payload to 1MB or more", info.max_payload)));
    }
    Ok(jetstream::ContextBuilder::new().timeout(PATIENCE).ack_timeout(PATIENCE).build(client))
}

impl EventStream {
    async fn open(context: jetstream::Context, of_shop: OfShop, live: &Live) -> Result<Self, LiveError> {
        let OfShop { name, token, before } = &of_shop;
        let subject = subject_of(name);
        let found = match context.get_stream(name).await {
            Ok(found) => found.cached_info().config.clone(),
            Err(error) if is_missing(&error) => {
                if live.is_made(&of_shop).await? {
                    return Err(LiveError::Events(format!(
                        "the stream {name}, which has this shop's events, is gone: restore it from a backup (nats stream restore)"
                    )));
                }
                let config = stream::Config {
                    name: name.clone(),
                    subjects: vec![subject.clone()],
                    description: Some("Events of a shop; youhui serve".to_owned()),
                    metadata: [(TOKEN.to_owned(), token.clone())].into(),
                    ..stream::Config::default()
                };
                context.create_stream(config).await.map_err(unreachable)?.cached_info().config.clone()
            }
            Err(error) => return Err(unreachable(error)),
        };
        check(&found, &subject)?;
        match found.metadata.get(TOKEN) {
            Some(known) if known == token => {}
            None => {
                // Made by hand, so that it is as somebody wants it: ours, if nobody has written to it.
                let state = context.get_stream(name).await.map_err(unreachable)?.cached_info().state.clone();
                if state.last_sequence > 0 {
                    return Err(LiveError::Events(format!(
                        "the stream {name} holds messages that are not this shop's: choose another name"
                    )));
                }
                let mut config = found;
                config.metadata.insert(TOKEN.to_owned(), token.clone());
                context.update_stream(config).await.map_err(unreachable)?;
            }
            Some(_) => {
                return Err(LiveError::Events(format!(
                    "the stream {name} is another shop's: choose another name, or restore the database that belongs to it"
                )));
            }
        }
        live.keep_setting(&of_shop.made(), name).await?;
        let stream = context.get_stream_no_info(name).await.map_err(unreachable)?;
        Ok(Self { context, stream, subject, before: *before })
    }

    /// Returns once the server has acknowledged them all.
    pub(super) async fn publish(&self, batches: impl Iterator<Item = &EventBatch>, origin: i64) -> Result<(), LiveError> {
        let mut answers: Vec<PublishAckFuture> = vec![];
        for batch in batches.filter(|batch| batch.events > 0) {
            let mut headers = HeaderMap::new();
            headers.insert(ORIGIN, origin.to_string());
            headers.insert(RECEIVED, batch.received.to_string());
            headers.insert(EVENTS, batch.events.to_string());
            let sent = self.context.publish_with_headers(self.subject.clone(), headers, batch.payload.clone().into()).await;
            answers.push(sent.map_err(unreachable)?);
        }
        for answer in answers {
            answer.await.map_err(unreachable)?;
        }
        Ok(())
    }

    /// The number of the last batch.
    pub(super) async fn last(&self) -> Result<i64, LiveError> {
        let info = self.stream.get_info().await.map_err(unreachable)?;
        Ok(self.before + i64::try_from(info.state.last_sequence).unwrap_or(i64::MAX - self.before))
    }

    /// Batches after one, in order, some at a time; none, where there are no more.
    pub(super) async fn after(&self, seq: i64) -> Result<Vec<Read>, LiveError> {
        let start = u64::try_from(seq - self.before).unwrap_or(0) + 1;
        if self.last().await? < self.before.saturating_add_unsigned(start) {
            return Ok(vec![]);
        }
        let config = pull::Config {
            deliver_policy: DeliverPolicy::ByStartSequence { start_sequence: start },
            ack_policy: AckPolicy::None,
            inactive_threshold: PATIENCE,
            memory_storage: true,
            num_replicas: 1,
            ..pull::Config::default()
        };
        let consumer = self.stream.create_consumer(config).await.map_err(unreachable)?;
        let most = MOST.min(usize::try_from(consumer.cached_info().num_pending).unwrap_or(MOST));
        let mut read = Vec::with_capacity(most);
        if most > 0 {
            let mut messages = consumer.batch().max_messages(most).expires(PATIENCE).messages().await.map_err(unreachable)?;
            while read.len() < most {
                // Fewer than were promised are no end.
                let message = messages.next().await.ok_or_else(|| LiveError::NoStream("it has sent too few messages".to_owned()))?;
                read.push(self.read(&message.map_err(unreachable)?)?);
            }
        }
        Ok(read)
    }

    fn read(&self, message: &jetstream::Message) -> Result<Read, LiveError> {
        let info = message.info().map_err(unreachable)?;
        let header = |name: &str| message.headers.as_ref()?.get(name)?.as_str().parse().ok();
        let seq = self.before + i64::try_from(info.stream_sequence).unwrap_or(i64::MAX - self.before);
        let damaged = || LiveError::Refused(format!("message {} of the stream is no batch of events: delete it", info.stream_sequence));
        let (origin, received, events) = (header(ORIGIN), header(RECEIVED), header(EVENTS));
        Ok(Read {
            seq,
            origin: origin.ok_or_else(damaged)?,
            received: received.ok_or_else(damaged)?,
            events: events.ok_or_else(damaged)?,
            payload: message.payload.to_vec(),
        })
    }

    /// Moves what `rewrite` changes to the database; how many batches.
    pub(super) async fn rewrite(&self, live: &Live, rewrite: Rewrite<'_>) -> Result<u64, LiveError> {
        let (mut after, mut changed) = (0, 0);
        loop {
            let batches = self.after(after).await?;
            let Some(last) = batches.last() else { return Ok(changed) };
            after = last.seq;
            let new: Vec<(&Read, Vec<u8>)> =
                tokio::task::block_in_place(|| batches.iter().filter_map(|batch| Some((batch, rewrite(&batch.payload)?))).collect());
            changed += new.len() as u64;
            // First there, then no longer here: what is cut off is done again, and what is there then stands.
            on!(&live.pool, db => {
                let mut transaction = db.begin_with(live.begin()).await?;
                for (batch, payload) in &new {
                    sqlx::query("INSERT INTO event_batch (seq, received, events, payload, origin) VALUES ($1, $2, $3, $4, $5) ON CONFLICT (seq) DO NOTHING")
                        .bind(batch.seq).bind(batch.received).bind(batch.events).bind(payload.as_slice()).bind(batch.origin)
                        .execute(&mut *transaction).await?;
                }
                transaction.commit().await?;
            });
            for (batch, _) in &new {
                let number = u64::try_from(batch.seq - self.before).unwrap_or(0);
                // The server overwrites it with random bytes.
                self.stream.delete_message(number).await.map_err(unreachable)?;
            }
        }
    }
}

fn subject_of(name: &str) -> String {
    format!("youhui.{name}.events")
}

/// A stream that keeps what it is given.
fn check(config: &stream::Config, subject: &str) -> Result<(), LiveError> {
    let keeps = config.max_age.is_zero() && config.max_bytes <= 0 && config.max_messages <= 0 && config.max_messages_per_subject <= 0;
    let wrong = if config.retention != stream::RetentionPolicy::Limits || !keeps {
        "forgets messages: it needs limits retention, without a limit of age, bytes or messages"
    } else if config.storage != stream::StorageType::File {
        "is in memory: it needs file storage"
    } else if config.deny_delete || config.sealed {
        "doesn't let messages be deleted, which an erasure has to"
    } else if config.no_ack {
        "doesn't acknowledge"
    } else if config.subjects != [subject] {
        return Err(LiveError::Events(format!("the stream {} has to take {subject}, and nothing else", config.name)));
    } else {
        return Ok(());
    };
    Err(LiveError::Events(format!("the stream {} {wrong}", config.name)))
}

fn is_missing(error: &async_nats::error::Error<GetStreamErrorKind>) -> bool {
    matches!(error.kind(), GetStreamErrorKind::JetStream(error) if error.error_code() == jetstream::ErrorCode::STREAM_NOT_FOUND)
}

fn unreachable(error: impl std::fmt::Display) -> LiveError {
    LiveError::NoStream(error.to_string())
}
