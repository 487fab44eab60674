//! What the server holds.

use std::sync::{Mutex, MutexGuard, PoisonError, RwLock};

use arc_swap::ArcSwap;
use rustc_hash::{FxHashMap, FxHashSet};
use serde::{Deserialize, Serialize};
use youhui_commerce::{Currency, Micros, SubjectId};
use youhui_privacy::{IdentityRow, IdentityVault};
use youhui_storage::{DecisionLog, EventLog, Live as Database, LiveError};

use super::customers::Customers;
use super::offers::Live;
use super::segment::Happened;

/// What is kept of a message: a line of JSON in the log.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Entry {
    /// Something happened.
    Event { message: MessageId, subject: SubjectId, what: Happened },
    /// One customer turned out to be another.
    Link { message: MessageId, from: SubjectId, to: SubjectId },
    /// A customer said whether they may be known.
    Consent { message: MessageId, subject: SubjectId, time: Micros, granted: bool },
    /// A message without an event: remembered, so that it stays a duplicate.
    Empty { message: MessageId },
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
    vault: IdentityVault,
    unsaved: Vec<IdentityRow>,
    /// Anonymous customers who said who they are. On a shared device the last one counts.
    named: FxHashMap<SubjectId, SubjectId>,
}

impl Identities {
    /// The subject of an identifier, a new one if need be.
    pub(super) fn resolve(&mut self, external: &str) -> SubjectId {
        let before = self.vault.rows().len();
        let subject = self.vault.resolve(external, random);
        self.unsaved.extend_from_slice(&self.vault.rows()[before..]);
        subject
    }

    /// Whoever that is by now.
    pub(super) fn by_name(&self, subject: SubjectId) -> SubjectId {
        self.named.get(&subject).copied().unwrap_or(subject)
    }
}

/// Who asks with which key.
#[derive(Debug, Clone, Default)]
pub(crate) struct Keys {
    /// For events: may stand in a web page.
    pub(crate) write: Vec<String>,
    /// For decisions: stays on the shop's servers.
    pub(crate) secret: Vec<String>,
}

/// Everything.
#[derive(Debug)]
pub(super) struct Shop {
    pub(super) currency: Currency,
    pub(super) live: ArcSwap<Live>,
    pub(super) customers: Customers,
    pub(super) identities: RwLock<Identities>,
    message_key: [u8; 32],
    seen: Mutex<Seen>,
    pub(super) database: Database,
    events: EventLog,
    /// Batches go to the log one by one, each with the identities that it is the first to need.
    order: tokio::sync::Mutex<()>,
    pub(super) decisions: DecisionLog,
    pub(super) keys: Keys,
    pub(super) metrics: super::metrics::Metrics,
}

impl Shop {
    #[allow(clippy::too_many_arguments, reason = "each is a part of the server and none belongs to another")]
    pub(super) fn new(
        live: Live,
        vault: IdentityVault,
        message_key: [u8; 32],
        customers: Customers,
        database: Database,
        events: EventLog,
        decisions: DecisionLog,
        keys: Keys,
    ) -> Self {
        Self {
            currency: live.currency,
            live: ArcSwap::from_pointee(live),
            customers,
            identities: RwLock::new(Identities { vault, unsaved: vec![], named: FxHashMap::default() }),
            message_key,
            seen: Mutex::default(),
            database,
            events,
            order: tokio::sync::Mutex::new(()),
            decisions,
            keys,
            metrics: super::metrics::Metrics::default(),
        }
    }

    pub(super) fn message_id(&self, message: &str) -> MessageId {
        let hash = blake3::keyed_hash(&self.message_key, message.as_bytes());
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&hash.as_bytes()[..16]);
        MessageId(u128::from_le_bytes(bytes))
    }

    /// Whether the message is new; from now on it is not.
    pub(super) fn is_new(&self, id: MessageId) -> bool {
        lock(&self.seen).insert(id)
    }

    /// Whoever these identifiers are of, if they were ever seen.
    pub(super) fn find(&self, external: &str) -> Option<SubjectId> {
        let identities = self.identities.read().unwrap_or_else(PoisonError::into_inner);
        identities.vault.find(external).map(|subject| identities.by_name(subject))
    }

    /// Keeps entries; when this returns they are on disk and count.
    pub(super) async fn keep(&self, entries: Vec<Entry>, rejected: Vec<(String, String)>, now: Micros) -> Result<(), LiveError> {
        let mut payload = Vec::with_capacity(entries.len() * 200);
        for entry in &entries {
            // Entries are plain data: writing them to memory has no way to fail.
            serde_json::to_writer(&mut payload, entry).ok();
            payload.push(b'\n');
        }
        let events = u32::try_from(entries.len()).unwrap_or(u32::MAX);
        let answered = {
            let _in_order = self.order.lock().await;
            let identities = {
                let mut identities = self.identities.write().unwrap_or_else(PoisonError::into_inner);
                std::mem::take(&mut identities.unsaved)
            };
            let again = identities.clone();
            let batch = youhui_storage::EventBatch { received: now, events, payload, identities, rejected };
            (self.events.enqueue(batch).await?, again)
        };
        let (answered, identities) = answered;
        if let Err(error) = answered.await.map_err(|_| LiveError::Stopped).and_then(|result| result) {
            self.identities.write().unwrap_or_else(PoisonError::into_inner).unsaved.extend(identities);
            let mut seen = lock(&self.seen);
            entries.iter().for_each(|entry| {
                seen.recent.remove(&entry.message());
            });
            return Err(error);
        }
        entries.iter().for_each(|entry| self.apply(entry));
        Ok(())
    }

    /// Has an entry count, for whoever the customer is by now.
    pub(super) fn apply(&self, entry: &Entry) {
        let by_name = |subject: &SubjectId| self.identities.read().unwrap_or_else(PoisonError::into_inner).by_name(*subject);
        match entry {
            Entry::Event { subject, what, .. } => {
                self.customers.update(by_name(subject), |profile| profile.see(what.kind, what.time, what.amount, what.begins_order));
            }
            Entry::Link { from, to, .. } => {
                self.identities.write().unwrap_or_else(PoisonError::into_inner).named.insert(*from, *to);
                self.customers.link(*from, *to);
            }
            Entry::Consent { subject, granted, .. } => self.customers.record_consent(by_name(subject), *granted),
            Entry::Empty { .. } => {}
        }
    }

    /// Reads the log, as it was left; how many entries there were.
    pub(super) async fn recover(&self) -> Result<u64, LiveError> {
        let (mut after, mut entries) = (0, 0);
        loop {
            let batches = self.database.events_after(after).await?;
            let Some((last, _)) = batches.last() else { return Ok(entries) };
            after = *last;
            for (seq, payload) in &batches {
                for line in payload.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
                    let entry: Entry = serde_json::from_slice(line).map_err(|error| {
                        LiveError::Refused(format!(
                            "batch {seq} of the event log can't be read ({error}): restore the database from a backup"
                        ))
                    })?;
                    self.is_new(entry.message());
                    self.apply(&entry);
                    entries += 1;
                }
            }
        }
    }
}

impl Entry {
    pub(super) const fn message(&self) -> MessageId {
        match self {
            Self::Event { message, .. } | Self::Link { message, .. } | Self::Consent { message, .. } | Self::Empty { message } => *message,
        }
    }
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// 16 bytes of the operating system's.
#[allow(clippy::expect_used, reason = "a machine without random bytes must not hand out identifiers")]
pub(super) fn random() -> [u8; 16] {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).expect("the operating system gives random bytes");
    bytes
}
