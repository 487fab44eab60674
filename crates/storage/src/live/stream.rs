//! The log of events in a stream of NATS JetStream, instead of in the database.
//!
//! A batch is a message; its number is that of the message and what the database had counted before the stream was there, so that a shop can go on
//! from its own log to a stream. A message can't be rewritten: a batch that an erasure changes moves to the database, under its number, and the
//! message is overwritten. Whoever reads takes both.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, pull};
use async_nats::jetstream::context::{GetStreamErrorKind, PublishAckFuture};
use async_nats::jetstream::{self, stream};
use async_nats::{ConnectOptions, HeaderMap, ServerAddr};
use futures_util::StreamExt;

use super::erase::Rewrite;
use super::events::EventBatch;
use super::{Live, LiveError, on, others};

/// Where the database says which stream is the shop's.
pub(super) const SETTING: &str = "events";
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
/// Whether the stream is still the shop's is looked at so often, whoever writes.
const LOOK: Duration = Duration::from_secs(5);

/// The stream of a shop.
#[derive(Debug, Clone)]
pub(super) struct EventStream {
    context: jetstream::Context,
    stream: stream::Stream<()>,
    subject: String,
    /// Stands in the stream too: of two shops each has its own.
    token: String,
    /// Batches of before the stream.
    pub(super) before: i64,
    /// When it was last seen to be this shop's.
    looked: Arc<Mutex<Option<Instant>>>,
}

/// Batches that were read.
pub(super) struct Streamed {
    pub(super) batches: Vec<Read>,
    /// Up to here all were seen that are there.
    pub(super) through: i64,
    /// There may be more by now.
    pub(super) more: bool,
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
    /// database. What the database has already stays there; from then on nothing is added to it ([`LiveError::Events`]).
    ///
    /// # Errors
    /// Where the server can't be reached, the stream is another shop's or would lose events, or the shop's events are elsewhere.
    pub async fn with_events(mut self, url: Option<&str>, credentials: Option<&Path>) -> Result<Self, LiveError> {
        let known = self.setting(SETTING).await?.map(|content| OfShop::read(&content));
        let Some(url) = url else {
            let Some(OfShop { name, .. }) = known else { return Ok(self) };
            return Err(LiveError::Events(format!(
                "they are in the stream {name} of a NATS server: say where with --events nats://HOST:PORT/{name}"
            )));
        };
        let (server, name) = parse(url)?;
        let elsewhere = |known: &str| {
            LiveError::Events(format!("they are in the stream {known}, and not in {name}: write --events nats://HOST:PORT/{known}"))
        };
        if let Some(known) = known.as_ref().filter(|known| known.name != name) {
            return Err(elsewhere(&known.name));
        }
        let context = connect(server, credentials).await?;
        let of_shop = match known {
            Some(known) => known,
            None => self.claim(&context, &name).await?,
        };
        // Another server may have been quicker, with another name.
        if of_shop.name != name {
            return Err(elsewhere(&of_shop.name));
        }
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

    /// Makes the stream, or takes an empty one that was made by hand, and writes down that it is the shop's: from then on the database takes no
    /// events. What is cut off in between is done again, by whichever server comes first.
    async fn claim(&self, context: &jetstream::Context, name: &str) -> Result<OfShop, LiveError> {
        let own = self.token().await?;
        if make(context, name, &own).await? != own {
            return Err(LiveError::Events(format!(
                "the stream {name} is another shop's: choose another name, or restore the database that belongs to it"
            )));
        }
        let content = on!(&self.pool, db => {
            let mut transaction = db.begin_with(self.begin()).await?;
            if self.is_shared() {
                // Whoever appends is done, and looks at this first.
                sqlx::query("SELECT pg_advisory_xact_lock($1)").bind(others::EVENTS).execute(&mut *transaction).await?;
            }
            let text = "INSERT INTO setting (name, content) SELECT $1, $2 || COALESCE(MAX(seq), 0) FROM event_batch WHERE true ON CONFLICT (name) DO NOTHING";
            sqlx::query(text).bind(SETTING).bind(format!("{name} {own} ")).execute(&mut *transaction).await?;
            let (content,): (String,) =
                sqlx::query_as("SELECT content FROM setting WHERE name = $1").bind(SETTING).fetch_one(&mut *transaction).await?;
            transaction.commit().await?;
            content
        });
        Ok(OfShop::read(&content))
    }

    /// What tells the shop's stream from others', the same whenever it is asked for.
    async fn token(&self) -> Result<String, LiveError> {
        const NAME: &str = "events token";
        let mut random = [0; 16];
        getrandom::fill(&mut random).map_err(|error| LiveError::Refused(format!("no random bytes: {error}")))?;
        let new = format!("{:032x}", u128::from_le_bytes(random));
        let (token,): (String,) = on!(&self.pool, db => {
            sqlx::query("INSERT INTO setting (name, content) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING").bind(NAME).bind(new).execute(db).await?;
            sqlx::query_as("SELECT content FROM setting WHERE name = $1").bind(NAME).fetch_one(db).await?
        });
        Ok(token)
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
        let OfShop { name, token, before } = of_shop;
        let config = match context.get_stream(&name).await {
            Ok(found) => found.cached_info().config.clone(),
            Err(error) if is_missing(&error) => {
                return Err(LiveError::Events(format!(
                    "the stream {name}, which has this shop's events, is gone: restore it from a backup (nats stream restore)"
                )));
            }
            Err(error) => return Err(unreachable(error)),
        };
        check(&config, &subject_of(&name))?;
        let stream = context.get_stream_no_info(&name).await.map_err(unreachable)?;
        let stream = Self { context, stream, subject: subject_of(&name), token, before, looked: Arc::default() };
        let last = stream.last().await?;
        let (moved,): (i64,) =
            on!(&live.pool, db => { sqlx::query_as("SELECT COALESCE(MAX(seq), 0) FROM event_batch").fetch_one(db).await? });
        if moved > last {
            return Err(older(&name));
        }
        Ok(stream)
    }

    /// Returns once the server has acknowledged them all.
    pub(super) async fn publish(&self, batches: impl Iterator<Item = &EventBatch>, origin: i64) -> Result<(), LiveError> {
        let is_due = self.looked.lock().unwrap_or_else(PoisonError::into_inner).is_none_or(|looked| looked.elapsed() > LOOK);
        if is_due {
            self.last().await?;
        }
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

    /// The number of the last batch; and whether the stream is still this shop's.
    pub(super) async fn last(&self) -> Result<i64, LiveError> {
        let info = self.stream.get_info().await.map_err(unreachable)?;
        if info.config.metadata.get(TOKEN) != Some(&self.token) {
            return Err(LiveError::Events(format!(
                "the stream {} is not this shop's any more: restore it from a backup",
                info.config.name
            )));
        }
        *self.looked.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        Ok(self.before + i64::try_from(info.state.last_sequence).unwrap_or(i64::MAX - self.before))
    }

    /// Batches after one, in order, some at a time.
    pub(super) async fn after(&self, seq: i64) -> Result<Streamed, LiveError> {
        let start = u64::try_from(seq - self.before).unwrap_or(0) + 1;
        let last = self.last().await?;
        if last < seq && seq > self.before {
            return Err(older(&self.subject));
        }
        if last < self.before.saturating_add_unsigned(start) {
            return Ok(Streamed { batches: vec![], through: seq.max(last), more: false });
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
        let wanted = MOST.min(usize::try_from(consumer.cached_info().num_pending).unwrap_or(MOST));
        let mut batches = Vec::with_capacity(wanted);
        if wanted > 0 {
            let mut messages = consumer.batch().max_messages(wanted).expires(PATIENCE).messages().await.map_err(unreachable)?;
            while batches.len() < wanted {
                // Fewer come where an erasure takes some away meanwhile, or the way is slow.
                let Some(message) = messages.next().await else { break };
                batches.push(self.read(&message.map_err(unreachable)?)?);
            }
        }
        // It would go by itself, a moment later.
        self.stream.delete_consumer(&consumer.cached_info().name).await.ok();
        let read = batches.last().map(|batch| batch.seq);
        match read {
            None if wanted > 0 => Err(LiveError::NoStream("it has sent no messages".to_owned())),
            Some(read) if wanted == MOST || batches.len() < wanted => Ok(Streamed { batches, through: read, more: true }),
            read => Ok(Streamed { batches, through: last.max(read.unwrap_or(seq)), more: false }),
        }
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
            let Streamed { batches, .. } = self.after(after).await?;
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
                if !self.stream.delete_message(number).await.map_err(unreachable)? {
                    return Err(LiveError::Events(format!("NATS did not delete message {number}: erase again")));
                }
            }
        }
    }
}

fn subject_of(name: &str) -> String {
    format!("youhui.{name}.events")
}

/// Makes the stream, or takes one that is empty and nobody's; whose it is.
async fn make(context: &jetstream::Context, name: &str, own: &str) -> Result<String, LiveError> {
    let subject = subject_of(name);
    let token = |config: &stream::Config| config.metadata.get(TOKEN).cloned();
    let found = match context.get_stream(name).await {
        Ok(found) => found.cached_info().clone(),
        Err(error) if is_missing(&error) => {
            let config = stream::Config {
                name: name.to_owned(),
                subjects: vec![subject.clone()],
                description: Some("Events of a shop; youhui serve".to_owned()),
                metadata: [(TOKEN.to_owned(), own.to_owned())].into(),
                ..stream::Config::default()
            };
            // Refused where another server was quicker: it is read again.
            context.create_stream(config).await.ok();
            context.get_stream(name).await.map_err(unreachable)?.cached_info().clone()
        }
        Err(error) => return Err(unreachable(error)),
    };
    check(&found.config, &subject)?;
    if let Some(token) = token(&found.config) {
        return Ok(token);
    }
    // Made by hand, so that it is as somebody wants it.
    if found.state.last_sequence > 0 {
        return Err(LiveError::Events(format!("the stream {name} holds messages that are not this shop's: choose another name")));
    }
    let mut config = found.config;
    config.metadata.insert(TOKEN.to_owned(), own.to_owned());
    context.update_stream(config).await.map_err(unreachable)?;
    let found = context.get_stream(name).await.map_err(unreachable)?;
    token(&found.cached_info().config).ok_or_else(|| LiveError::Events(format!("the stream {name} can't be marked as this shop's")))
}

fn older(name: &str) -> LiveError {
    LiveError::Events(format!(
        "the stream {name} ends before what was read of it: restore the database and the stream from backups of the same time"
    ))
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
    } else if config.mirror.is_some() || config.sources.as_ref().is_some_and(|sources| !sources.is_empty()) {
        "takes messages of other streams"
    } else if config.max_message_size > 0 && usize::try_from(config.max_message_size).is_ok_and(|most| most < LEAST_PAYLOAD) {
        "takes small messages only: it needs 1 MB"
    } else if config.compression.as_ref().is_some_and(|compression| !matches!(compression, stream::Compression::None)) {
        "is compressed: whether what is erased leaves it was not tried"
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
