//! What the server holds.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError, RwLock};

use arc_swap::ArcSwap;
use rayon::prelude::*;
use rustc_hash::{FxHashMap, FxHashSet};
use serde::{Deserialize, Serialize};
use youhui_commerce::{Currency, Micros, SubjectId};
use youhui_privacy::{IdentityRow, IdentityVault, Purpose, Said, Status, SuppressionList};
use youhui_storage::{DecisionLog, EventLog, Live as Database, LiveError};

use super::access::Keys;
use super::customers::Customers;
use super::guard::{Guard, UnderWay};
use super::offers::Live;
use super::predictions::Predictions;
use super::segment::Happened;

/// What is kept of a message: a line of JSON in the log.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Entry {
    /// Something happened.
    Event { message: MessageId, subject: SubjectId, what: Happened },
    /// One customer turned out to be another.
    Link { message: MessageId, from: SubjectId, to: SubjectId },
    /// A customer said what they may be known for.
    Consent {
        message: MessageId,
        subject: SubjectId,
        time: Micros,
        granted: bool,
        #[serde(default = "personalisation")]
        purpose: Purpose,
        #[serde(skip_serializing_if = "Option::is_none", default)]
        notice: Option<String>,
    },
    /// A customer objected to being known at all, or took that back.
    Objection { message: MessageId, subject: SubjectId, time: Micros, objects: bool },
    /// A message without an event: remembered, so that it stays a duplicate.
    Empty { message: MessageId },
}

const fn personalisation() -> Purpose {
    Purpose::Personalisation
}

/// A keyed hash of a message's identifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(super) struct MessageId(pub(super) u128);

impl From<MessageId> for String {
    fn from(id: MessageId) -> Self {
        format!("{:032x}", id.0)
    }
}

impl TryFrom<String> for MessageId {
    type Error = std::num::ParseIntError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        u128::from_str_radix(&text, 16).map(Self)
    }
}

/// Messages that were seen; of very many the oldest are forgotten.
#[derive(Debug, Default)]
struct Seen {
    recent: FxHashSet<MessageId>,
    older: FxHashSet<MessageId>,
}

/// Messages remembered at least; twice as many at most.
const REMEMBERED: usize = 8_000_000;

impl Seen {
    /// Whether it is new.
    fn insert(&mut self, id: MessageId) -> bool {
        if self.older.contains(&id) || !self.recent.insert(id) {
            return false;
        }
        if self.recent.len() >= REMEMBERED {
            self.older = std::mem::take(&mut self.recent);
        }
        true
    }
}

/// The vault, and rows of it that are not on disk yet.
#[derive(Debug)]
pub(super) struct Identities {
    /// Nobody is known before it is read.
    pub(super) vault: Option<IdentityVault>,
    pub(super) unsaved: Vec<IdentityRow>,
    /// Anonymous customers who said who they are. On a shared device the last one counts.
    pub(super) named: FxHashMap<SubjectId, SubjectId>,
}

impl Identities {
    /// The subject of an identifier, a new one if need be.
    pub(super) fn resolve(&mut self, external: &str) -> SubjectId {
        // No request is answered before it is read.
        let Some(vault) = &mut self.vault else { return SubjectId::from_bytes(random()) };
        let before = vault.rows().len();
        let subject = vault.resolve(external, random);
        self.unsaved.extend_from_slice(&vault.rows()[before..]);
        subject
    }

    /// Forgets those who are gone.
    pub(super) fn forget(&mut self, is_gone: impl Fn(SubjectId) -> bool) {
        if let Some(vault) = &mut self.vault {
            vault.erase(&is_gone);
        }
        self.unsaved.retain(|row| !is_gone(row.subject));
        self.named.retain(|device, named| !is_gone(*device) && !is_gone(*named));
    }

    /// Whoever that is by now: a device can be an account's that turned out to be another's.
    pub(super) fn by_name(&self, subject: SubjectId) -> SubjectId {
        let mut by_name = subject;
        // A ring, which nothing should make, ends.
        for _ in 0..8 {
            match self.named.get(&by_name) {
                Some(&next) => by_name = next,
                None => break,
            }
        }
        by_name
    }
}

/// Everything.
#[derive(Debug)]
pub(super) struct Shop {
    pub(super) currency: Currency,
    pub(super) live: ArcSwap<Live>,
    pub(super) customers: Customers,
    pub(super) predictions: Predictions,
    pub(super) pacing: super::pacing::Pacing,
    pub(super) identities: RwLock<Identities>,
    message_key: [u8; 32],
    seen: Mutex<Seen>,
    /// Who has objected, or taken that back, and it is not on disk yet.
    unsaved_objections: Mutex<FxHashSet<SubjectId>>,
    /// How far the log was read, and what of it has to be read again.
    pub(super) others: super::follow::Followed,
    /// Who was erased.
    pub(super) erased: RwLock<SuppressionList>,
    /// How many of them were looked for in memory.
    pub(super) forgotten: AtomicUsize,
    pub(super) database: Database,
    events: EventLog,
    /// Batches go to the log one by one, each with the identities that it is the first to need.
    order: tokio::sync::Mutex<()>,
    pub(super) decisions: DecisionLog,
    /// Keys of the command line, and with those of the database.
    pub(super) given: Keys,
    pub(super) keys: ArcSwap<Keys>,
    pub(super) metrics: super::metrics::Metrics,
    pub(super) audit: super::Audit,
    /// The shop's folder.
    pub(super) folder: PathBuf,
    /// The campaign of what the server was started with.
    pub(super) base: String,
    /// Nothing is offered any more.
    pub(super) stopped: AtomicBool,
    /// Somebody stopped it here, and the database does not say so yet.
    pub(super) stopped_here: AtomicBool,
    /// Counts what this server changed itself: what was read before does not undo it.
    pub(super) generation: AtomicU64,
    pub(super) guard: Guard,
    pub(super) under_way: UnderWay,
    /// Somebody has changed a campaign, a key or the switch.
    pub(super) changes: tokio::sync::Notify,
}

/// Parts of a shop that are made before it.
pub(super) struct Parts {
    pub(super) live: Live,
    pub(super) message_key: [u8; 32],
    pub(super) customers: Customers,
    pub(super) predictions: Predictions,
    pub(super) database: Database,
    pub(super) events: EventLog,
    pub(super) decisions: DecisionLog,
    pub(super) keys: Keys,
    pub(super) audit: super::Audit,
    pub(super) folder: PathBuf,
    pub(super) metrics: super::metrics::Metrics,
    pub(super) erased: SuppressionList,
    pub(super) guard: Guard,
    pub(super) base: String,
}

impl Shop {
    pub(super) fn new(parts: Parts) -> Self {
        let Parts {
            live,
            message_key,
            customers,
            predictions,
            database,
            events,
            decisions,
            keys,
            audit,
            folder,
            metrics,
            erased,
            guard,
            base,
        } = parts;
        Self {
            currency: live.offered.settings.currency,
            live: ArcSwap::from_pointee(live),
            customers,
            predictions,
            pacing: super::pacing::Pacing::default(),
            identities: RwLock::new(Identities { vault: None, unsaved: vec![], named: FxHashMap::default() }),
            message_key,
            seen: Mutex::default(),
            unsaved_objections: Mutex::default(),
            others: super::follow::Followed::default(),
            forgotten: AtomicUsize::new(erased.count()),
            erased: RwLock::new(erased),
            database,
            events,
            order: tokio::sync::Mutex::new(()),
            decisions,
            keys: ArcSwap::from_pointee(keys.clone()),
            given: keys,
            metrics,
            audit,
            folder,
            base,
            stopped: AtomicBool::new(false),
            stopped_here: AtomicBool::new(false),
            generation: AtomicU64::new(0),
            guard,
            under_way: UnderWay::default(),
            changes: tokio::sync::Notify::new(),
        }
    }

    /// Whether somebody has stopped everything.
    pub(super) fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed) || self.stopped_here.load(Ordering::Relaxed)
    }

    /// Who the customers are: before the first request. Whoever was met here before they were imported is one customer.
    pub(super) fn know(&self, vault: IdentityVault) {
        let twice = vault.twice();
        let mut identities = self.identities.write().unwrap_or_else(PoisonError::into_inner);
        identities.vault = Some(vault);
        // What the log says already of who is who stands.
        let new = twice.into_iter().filter(|(from, to)| identities.by_name(*from) != identities.by_name(*to)).collect::<Vec<_>>();
        for (from, to) in new {
            let (from, to) = (identities.by_name(from), identities.by_name(to));
            identities.named.insert(from, to);
            self.customers.link(from, to);
        }
    }

    /// A secret for one purpose, the same whenever it is asked for.
    pub(super) fn secret_of(&self, purpose: &str) -> [u8; 32] {
        let secrets = blake3::derive_key("youhui 2026-11-28 secrets of a served shop", &self.message_key);
        *blake3::keyed_hash(&secrets, purpose.as_bytes()).as_bytes()
    }

    pub(super) fn message_id(&self, message: &str) -> MessageId {
        let hash = blake3::keyed_hash(&self.message_key, message.as_bytes());
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&hash.as_bytes()[..16]);
        MessageId(u128::from_le_bytes(bytes))
    }

    /// Whether the message was seen before.
    pub(super) fn is_seen(&self, id: MessageId) -> bool {
        let seen = lock(&self.seen);
        seen.recent.contains(&id) || seen.older.contains(&id)
    }

    /// Whether the message is new; from now on it is not.
    pub(super) fn is_new(&self, id: MessageId) -> bool {
        lock(&self.seen).insert(id)
    }

    /// Whoever these identifiers are of, if they were ever seen.
    pub(super) fn find(&self, external: &str) -> Option<SubjectId> {
        let identities = self.identities.read().unwrap_or_else(PoisonError::into_inner);
        identities.vault.as_ref()?.find(external).map(|subject| identities.by_name(subject))
    }

    /// Whoever that is by now.
    pub(super) fn by_name(&self, subject: SubjectId) -> SubjectId {
        self.identities.read().unwrap_or_else(PoisonError::into_inner).by_name(subject)
    }

    /// Nothing is known of the customer any more.
    pub(super) fn forget(&self, subject: SubjectId) {
        self.customers.forget(subject);
        self.predictions.forget(subject);
    }

    /// Keeps entries; when this returns they are on disk and count. It goes on to its end though whoever asked hangs up or is
    /// given up on: what is on disk would otherwise not count before the next start.
    pub(super) async fn keep(self: &Arc<Self>, entries: Vec<Entry>, rejected: Vec<(String, String)>, now: Micros) -> Result<(), LiveError> {
        let shop = Arc::clone(self);
        tokio::spawn(async move { shop.write(entries, rejected, now).await }).await.map_err(|_| LiveError::Stopped)?
    }

    async fn write(&self, mut entries: Vec<Entry>, rejected: Vec<(String, String)>, now: Micros) -> Result<(), LiveError> {
        let mut parts = parts(&entries);
        let read = self.others.position.load(Ordering::SeqCst);
        let answers = {
            let _in_order = self.order.lock().await;
            // Whoever is erased meanwhile is not taken in.
            if self.drop_erased(&mut entries) > 0 {
                parts = self::parts(&entries);
            }
            let identities = {
                let mut identities = self.identities.write().unwrap_or_else(PoisonError::into_inner);
                std::mem::take(&mut identities.unsaved)
            };
            let mut first = Some((identities, rejected));
            let mut answers = Vec::with_capacity(parts.len());
            for (events, payload) in parts {
                let (identities, rejected) = first.take().unwrap_or_default();
                let batch = youhui_storage::EventBatch { received: now, events, payload, identities, rejected };
                answers.push(self.events.enqueue(batch).await?);
            }
            answers
        };
        let mut kept = Ok(());
        for answer in answers {
            // One that fails leaves the others, which are sent again with it and count once.
            kept = kept.and(answer.await.map_err(|_| LiveError::Stopped).and_then(|result| result));
        }
        if let Err(error) = kept {
            let mut seen = lock(&self.seen);
            entries.iter().for_each(|entry| {
                seen.recent.remove(&entry.message());
            });
            drop(seen);
            self.others.read_again(read);
            return Err(error);
        }
        // Whoever was erased while this was written is not known again by it.
        self.drop_erased(&mut entries);
        entries.iter().for_each(|entry| self.apply(entry));
        Ok(())
    }

    /// Whoever sends an opt-out signal and is known has objected, on every device and for good. Only the first time is there
    /// anything to write down.
    pub(super) async fn object(self: &Arc<Self>, external: Option<&str>, now: Micros) -> Result<(), LiveError> {
        let Some(subject) = external.and_then(|external| self.find(external)) else { return Ok(()) };
        if self.customers.objects(subject) && !self.is_unsaved(subject) {
            return Ok(());
        }
        self.say_objection(subject, now, true).await
    }

    /// A customer objects, or takes that back.
    pub(super) async fn say_objection(self: &Arc<Self>, subject: SubjectId, time: Micros, objects: bool) -> Result<(), LiveError> {
        // In effect at once, whatever becomes of the log.
        self.customers.object(subject, time, objects);
        lock(&self.unsaved_objections).insert(subject);
        let message = MessageId(u128::from_le_bytes(random()));
        self.keep(vec![Entry::Objection { message, subject, time, objects }], vec![], time).await?;
        lock(&self.unsaved_objections).remove(&subject);
        Ok(())
    }

    /// Whether the customer's word on profiling is in memory only.
    pub(super) fn is_unsaved(&self, subject: SubjectId) -> bool {
        lock(&self.unsaved_objections).contains(&subject)
    }

    /// How many customers' words are in memory only.
    pub(super) fn unsaved(&self) -> u64 {
        lock(&self.unsaved_objections).len() as u64
    }

    /// Has an entry count, for whoever the customer is by now.
    pub(super) fn apply(&self, entry: &Entry) {
        match entry {
            Entry::Event { subject, what, .. } => {
                let subject = self.by_name(*subject);
                self.customers.update(subject, |profile| profile.see(what.kind, what.time, what.amount, what.begins_order));
                let offered = &self.live.load().offered;
                #[allow(clippy::cast_possible_truncation, reason = "profits of one order, for means over many")]
                let profit = what.profit(offered.settings.margin) as f32;
                self.customers.earn(subject, what.time, profit, super::learn::earned_since(offered.settings.window));
            }
            Entry::Link { from, to, .. } => {
                self.identities.write().unwrap_or_else(PoisonError::into_inner).named.insert(*from, *to);
                self.customers.link(*from, *to);
            }
            Entry::Consent { subject, time, granted, purpose, notice, .. } => {
                let status = if *granted { Status::Granted } else { Status::Denied };
                let said = Said { time: *time, status, notice: notice.as_deref().map(Arc::from) };
                self.customers.record_consent(self.by_name(*subject), *purpose, said);
            }
            Entry::Objection { subject, time, objects, .. } => self.customers.object(self.by_name(*subject), *time, *objects),
            Entry::Empty { .. } => {}
        }
    }

    /// Has entries of whoever was erased be empty; how many these are.
    fn drop_erased(&self, entries: &mut [Entry]) -> usize {
        let erased = self.erased.read().unwrap_or_else(PoisonError::into_inner);
        if erased.is_empty() {
            return 0;
        }
        let mut dropped = 0;
        for entry in entries.iter_mut().filter(|entry| entry.subjects().any(|subject| erased.has(subject))) {
            *entry = Entry::Empty { message: entry.message() };
            dropped += 1;
        }
        dropped
    }

    /// When this returns, everything that was to be kept before is on disk; until the guard is dropped nothing else is.
    pub(super) async fn still(&self) -> Result<tokio::sync::MutexGuard<'_, ()>, LiveError> {
        let guard = self.order.lock().await;
        let nothing = youhui_storage::EventBatch { received: 0, events: 0, payload: vec![], identities: vec![], rejected: vec![] };
        self.events.append(nothing).await?;
        Ok(guard)
    }

    /// Reads the log, as it was left: how many entries there were, how many of them are of those who were erased, and the last batch.
    pub(super) async fn recover(&self) -> Result<(u64, usize, i64), LiveError> {
        let (mut after, mut entries, mut erased) = (0, 0, 0);
        loop {
            let batches = self.database.events_after(after).await?;
            let Some((last, _)) = batches.last() else { return Ok((entries, erased, after)) };
            after = *last;
            // Reading takes longer than counting: on every core.
            let read = tokio::task::block_in_place(|| {
                batches.par_iter().map(|(seq, payload)| read_batch(*seq, payload)).collect::<Result<Vec<_>, _>>()
            })?;
            for mut batch in read {
                entries += batch.len() as u64;
                erased += self.take_in(&mut batch);
            }
        }
    }

    /// Has a batch of the log count, but for messages that an earlier one has as well: who sent them sent them to two servers, the first of
    /// which was too slow to say so. How many entries are of those who were erased.
    pub(super) fn take_in(&self, batch: &mut [Entry]) -> usize {
        let erased = self.drop_erased(batch);
        // Entries of one message stand together.
        let mut message = None;
        for entry in batch.iter() {
            let is_new = match message {
                Some((known, is_new)) if known == entry.message() => is_new,
                _ => self.is_new(entry.message()),
            };
            message = Some((entry.message(), is_new));
            if is_new {
                self.apply(entry);
            }
        }
        erased
    }
}

/// A batch of the log has at most this many bytes, and one message more: as a stream of NATS takes it.
const MOST_BATCH: usize = 256 << 10;

/// Entries as batches of the log, one at least: how many entries, and how they stand there. Those of one message stay together.
fn parts(entries: &[Entry]) -> Vec<(u32, Vec<u8>)> {
    let mut parts: Vec<(u32, Vec<u8>)> = vec![(0, vec![])];
    for message in entries.chunk_by(|one, next| one.message() == next.message()) {
        let lines = lines(message);
        if parts.last().is_some_and(|(_, last)| !last.is_empty() && last.len() + lines.len() > MOST_BATCH) {
            parts.push((0, vec![]));
        }
        if let Some((count, payload)) = parts.last_mut() {
            *count += u32::try_from(message.len()).unwrap_or(u32::MAX);
            payload.extend_from_slice(&lines);
        }
    }
    parts
}

/// A message that makes more bytes of log than this is not taken: a message of a stream has to hold it.
pub(super) const MOST_LINES: usize = 512 << 10;

/// Entries as they stand in the log.
pub(super) fn lines(entries: &[Entry]) -> Vec<u8> {
    let mut payload = Vec::with_capacity(entries.len() * 200);
    for entry in entries {
        // Entries are plain data: writing them to memory has no way to fail.
        serde_json::to_writer(&mut payload, entry).ok();
        payload.push(b'\n');
    }
    payload
}

/// A batch of the event log.
pub(super) fn read_batch(seq: i64, payload: &[u8]) -> Result<Vec<Entry>, LiveError> {
    let lines = payload.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    let entries: Result<Vec<Entry>, serde_json::Error> = lines.map(serde_json::from_slice).collect();
    entries.map_err(|error| {
        LiveError::Refused(format!("batch {seq} of the event log can't be read ({error}): restore the database from a backup"))
    })
}

impl Entry {
    pub(super) const fn message(&self) -> MessageId {
        match self {
            Self::Event { message, .. }
            | Self::Link { message, .. }
            | Self::Consent { message, .. }
            | Self::Objection { message, .. }
            | Self::Empty { message } => *message,
        }
    }

    /// Whose it is; of a link the one and the other.
    pub(super) fn subjects(&self) -> impl Iterator<Item = SubjectId> {
        let (one, other) = match self {
            Self::Event { subject, .. } | Self::Consent { subject, .. } | Self::Objection { subject, .. } => (Some(*subject), None),
            Self::Link { from, to, .. } => (Some(*from), Some(*to)),
            Self::Empty { .. } => (None, None),
        };
        one.into_iter().chain(other)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// 16 bytes that nobody foresees, and that never come again.
pub(super) fn random() -> [u8; 16] {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    static KEY: LazyLock<[u8; 32]> = LazyLock::new(system_random);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let mut bytes = [0; 16];
    // A keyed hash of a counter: asking the operating system each time costs as much as the rest of a small decision.
    bytes.copy_from_slice(&blake3::keyed_hash(&KEY, &number.to_le_bytes()).as_bytes()[..16]);
    bytes
}

#[allow(clippy::expect_used, reason = "a machine without random bytes must not hand out identifiers")]
fn system_random() -> [u8; 32] {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).expect("the operating system gives random bytes");
    bytes
}
