//! What the other servers on the same database have taken in and decided, a moment later.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use youhui_storage::{LiveError, Others};

use super::learn::stand_here;
use super::state::{Entry, MessageId, Shop, random, read_batch};
use crate::cli::{Console, now};

/// How often it is read.
const EVERY: Duration = Duration::from_millis(200);

/// What is written and not acknowledged may be there all the same, and another server may tell a customer so: from then on it is read again, also
/// what this server has written itself, for so long.
const AGAIN: Duration = Duration::from_secs(60);

/// How far the log of events was read.
#[derive(Debug)]
pub(super) struct Followed {
    /// The last batch that counts here.
    pub(super) position: AtomicI64,
    again: Mutex<Option<(i64, Instant)>>,
}

impl Default for Followed {
    fn default() -> Self {
        Self { position: AtomicI64::new(0), again: Mutex::default() }
    }
}

impl Followed {
    /// Has it read again what came after this batch.
    pub(super) fn read_again(&self, after: i64) {
        let mut again = self.again.lock().unwrap_or_else(PoisonError::into_inner);
        let first = again.map_or(after, |(first, _)| first.min(after));
        *again = Some((first, Instant::now() + AGAIN));
    }

    /// From where to read on, and whether own batches count.
    fn from(&self, from: i64) -> (i64, bool) {
        let mut again = self.again.lock().unwrap_or_else(PoisonError::into_inner);
        let Some((first, until)) = *again else { return (from, false) };
        // Once, and from then on everything.
        *again = (Instant::now() < until).then_some((i64::MAX, until));
        (from.min(first), true)
    }
}

/// Reads on for as long as the server runs.
pub(super) async fn follow(shop: Arc<Shop>, mut from: Others, console: Console) {
    shop.others.position.store(from.events, Ordering::SeqCst);
    let mut tick = tokio::time::interval(EVERY);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut failed = false;
    loop {
        tick.tick().await;
        match read_on(&shop, &mut from).await {
            Ok(()) => failed = false,
            // Tried again; said once.
            Err(error) if !failed => {
                console.say(&format!("what other servers know does not come through: {error}"));
                failed = true;
            }
            Err(_) => {}
        }
    }
}

async fn read_on(shop: &Arc<Shop>, from: &mut Others) -> Result<(), LiveError> {
    adopt(shop, from).await?;
    let (first, own) = shop.others.from(from.events);
    from.events = first;
    let mut erased = 0;
    loop {
        // Read on from here only once it has counted: what fails is read again, and counts once.
        let mut next = *from;
        let (batches, more) = match shop.database.events_of_others(&mut next, own).await {
            Ok(read) => read,
            Err(error) => {
                if own {
                    shop.others.read_again(from.events);
                }
                return Err(error);
            }
        };
        for (seq, payload) in batches {
            erased += shop.take_in(&mut read_batch(seq, &payload)?);
        }
        *from = next;
        shop.others.position.store(from.events, Ordering::SeqCst);
        if !more {
            break;
        }
    }
    if erased > 0 {
        // Written by whoever did not know yet of the erasure.
        super::erasure::sweep(shop).await?;
    }
    loop {
        let mut next = *from;
        let (records, more) = shop.database.decisions_of_others(&mut next).await?;
        stand_here(shop, &records).await?;
        *from = next;
        if !more {
            return Ok(());
        }
    }
}

/// Customers whom another server has met. Of two who met the same one at once the first counts; what the second has written down is of the first's.
async fn adopt(shop: &Arc<Shop>, from: &mut Others) -> Result<(), LiveError> {
    loop {
        let mut next = *from;
        let rows = shop.database.new_identities(&mut next).await?;
        if rows.is_empty() {
            *from = next;
            return Ok(());
        }
        let lost: Vec<Entry> = {
            let mut identities = shop.identities.write().unwrap_or_else(PoisonError::into_inner);
            let Some(vault) = &mut identities.vault else { return Ok(()) };
            let link = |row: youhui_privacy::IdentityRow| {
                let to = row.subject;
                let message = MessageId(u128::from_le_bytes(random()));
                vault.adopt(row).map(|from| Entry::Link { message, from, to })
            };
            rows.into_iter().filter_map(link).collect()
        };
        // Tried until it is kept: nobody else knows of it.
        while !lost.is_empty() && shop.keep(lost.clone(), vec![], now()).await.is_err() {
            tokio::time::sleep(EVERY).await;
        }
        *from = next;
    }
}
