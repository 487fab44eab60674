//! The log of decisions: who asks does not wait for it, and it is written many at a time.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::sync::Notify;

use super::{Live, LiveError, on, others};

/// How long decisions gather before they are written: what a crash can lose.
const GATHER: Duration = Duration::from_millis(20);
/// More than this, in bytes, is not kept waiting: decisions are refused a record, and counted.
const MOST: usize = 64 << 20;

#[derive(Debug, Default)]
struct Gathered {
    first: Option<[u8; 16]>,
    last: [u8; 16],
    decisions: u32,
    /// Records, each after its length in four bytes.
    payload: Vec<u8>,
    /// Records that had no room.
    dropped: u64,
    stop: bool,
}

/// Writes decisions down.
#[derive(Debug, Clone)]
pub struct DecisionLog {
    gathered: Arc<Mutex<Gathered>>,
    wake: Arc<Notify>,
}

impl DecisionLog {
    /// Starts the writer; it ends, with everything written, after [`DecisionLog::stop`].
    pub fn start(live: Live, failed: impl Fn(&LiveError) + Send + 'static) -> (Self, tokio::task::JoinHandle<()>) {
        let log = Self { gathered: Arc::default(), wake: Arc::default() };
        let own = log.clone();
        let writer = tokio::spawn(async move {
            loop {
                own.wake.notified().await;
                tokio::time::sleep(GATHER).await;
                let (batch, stop) = {
                    let mut gathered = own.lock();
                    let stop = gathered.stop;
                    let dropped = gathered.dropped;
                    (std::mem::replace(&mut *gathered, Gathered { stop, dropped, ..Gathered::default() }), stop)
                };
                if let Err(error) = live.keep_decisions(&batch).await {
                    failed(&error);
                }
                if stop {
                    return;
                }
            }
        });
        (log, writer)
    }

    /// Puts a record down; whether there was room for it.
    pub fn record(&self, id: [u8; 16], record: &[u8]) -> bool {
        let mut gathered = self.lock();
        if gathered.payload.len() + record.len() > MOST {
            gathered.dropped += 1;
            return false;
        }
        let first = gathered.first.map_or(id, |first| first.min(id));
        gathered.first = Some(first);
        gathered.last = gathered.last.max(id);
        gathered.decisions += 1;
        gathered.payload.extend_from_slice(&u32::try_from(record.len()).unwrap_or(u32::MAX).to_le_bytes());
        gathered.payload.extend_from_slice(record);
        drop(gathered);
        self.wake.notify_one();
        true
    }

    /// Records that had no room since the start.
    pub fn dropped(&self) -> u64 {
        self.lock().dropped
    }

    /// Has the writer write what there is and end.
    pub fn stop(&self) {
        self.lock().stop = true;
        self.wake.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, Gathered> {
        self.gathered.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Live {
    async fn keep_decisions(&self, batch: &Gathered) -> Result<(), LiveError> {
        let Some(first) = batch.first else { return Ok(()) };
        on!(&self.pool, db => {
            let mut transaction = db.begin().await?;
            if self.is_shared() {
                sqlx::query("SELECT pg_advisory_xact_lock($1)").bind(others::DECISIONS).execute(&mut *transaction).await?;
            }
            sqlx::query("INSERT INTO decision_batch (first_id, last_id, decisions, payload, origin) VALUES ($1, $2, $3, $4, $5)")
                .bind(first.as_slice()).bind(batch.last.as_slice()).bind(i64::from(batch.decisions)).bind(batch.payload.as_slice())
                .bind(self.origin).execute(&mut *transaction).await?;
            transaction.commit().await?;
        });
        Ok(())
    }

    /// Records of the batches that the decision can be in.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn decisions_near(&self, id: [u8; 16]) -> Result<Vec<Vec<u8>>, LiveError> {
        let batches: Vec<(Vec<u8>,)> = on!(&self.pool, db => {
            sqlx::query_as("SELECT payload FROM decision_batch WHERE first_id <= $1 AND last_id >= $1").bind(id.as_slice()).fetch_all(db).await?
        });
        Ok(batches.iter().flat_map(|(payload,)| records(payload)).map(<[u8]>::to_vec).collect())
    }

    /// Batches of decisions after one, in order, some at a time: (number, records).
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn decisions_after(&self, seq: i64) -> Result<Vec<(i64, Vec<Vec<u8>>)>, LiveError> {
        self.decisions_since([0; 16], seq).await
    }

    /// The same, of batches that reach as far as this identifier, whose first bytes are a time.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn decisions_since(&self, id: [u8; 16], seq: i64) -> Result<Vec<(i64, Vec<Vec<u8>>)>, LiveError> {
        let batches: Vec<(i64, Vec<u8>)> = on!(&self.pool, db => {
            sqlx::query_as("SELECT seq, payload FROM decision_batch WHERE seq > $1 AND last_id >= $2 ORDER BY seq LIMIT 100")
                .bind(seq).bind(id.as_slice()).fetch_all(db).await?
        });
        Ok(batches.into_iter().map(|(seq, payload)| (seq, records(&payload).map(<[u8]>::to_vec).collect())).collect())
    }
}

pub(super) fn records(mut payload: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let (length, rest) = payload.split_first_chunk::<4>()?;
        let (record, rest) = rest.split_at_checked(usize::try_from(u32::from_le_bytes(*length)).ok()?)?;
        payload = rest;
        Some(record)
    })
}
