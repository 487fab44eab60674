//! The durable log of events.

use std::collections::BTreeMap;

use tokio::sync::{mpsc, oneshot};
use youhui_privacy::IdentityRow;

use super::stream::SETTING;
use super::{Live, LiveError, on, others};

/// Events that came together; they are kept together or not at all.
#[derive(Debug, Clone, Default)]
pub struct EventBatch {
    /// When, in microseconds.
    pub received: i64,
    /// How many.
    pub events: u32,
    /// The events, as the server writes them.
    pub payload: Vec<u8>,
    /// Customers seen for the first time.
    pub identities: Vec<IdentityRow>,
    /// What was not taken: the rule and the details.
    pub rejected: Vec<(String, String)>,
}

type Answer = oneshot::Sender<Result<(), LiveError>>;

/// Appends events; what it has acknowledged outlives a crash.
#[derive(Debug, Clone)]
pub struct EventLog {
    sender: mpsc::Sender<(EventBatch, Answer)>,
}

/// Rows of one statement.
const ROWS: usize = 100;

/// Rows read at once.
const ROWS_READ: u16 = 500;

/// Requests that wait for one transaction.
const TOGETHER: usize = 256;

impl EventLog {
    /// Starts the writer. It ends when every handle is gone and all is written.
    pub fn start(live: Live) -> (Self, tokio::task::JoinHandle<()>) {
        let (sender, mut receiver) = mpsc::channel::<(EventBatch, Answer)>(4 * TOGETHER);
        let writer = tokio::spawn(async move {
            let mut waiting: Vec<(EventBatch, Answer)> = Vec::with_capacity(TOGETHER);
            // Customers who are on no disk yet: whatever is written of them is written after them.
            let mut owed = vec![];
            while receiver.recv_many(&mut waiting, TOGETHER).await > 0 {
                waiting.iter_mut().for_each(|(batch, _)| owed.append(&mut batch.identities));
                let result = live.append(&mut owed, waiting.iter().map(|(batch, _)| batch)).await;
                for (_, answer) in waiting.drain(..) {
                    // Whoever asked may have gone away.
                    answer.send(result.clone()).ok();
                }
            }
        });
        (Self { sender }, writer)
    }

    /// Puts a batch in the queue; the receiver hears once it is on disk. Batches are kept in the order of this call.
    ///
    /// # Errors
    /// Where the writer has stopped.
    pub async fn enqueue(&self, batch: EventBatch) -> Result<oneshot::Receiver<Result<(), LiveError>>, LiveError> {
        let (answer, answered) = oneshot::channel();
        self.sender.send((batch, answer)).await.map_err(|_| LiveError::Stopped)?;
        Ok(answered)
    }

    /// Returns once the batch is on disk.
    ///
    /// # Errors
    /// Where it could not be written; nothing of it is kept then.
    pub async fn append(&self, batch: EventBatch) -> Result<(), LiveError> {
        self.enqueue(batch).await?.await.map_err(|_| LiveError::Stopped)?
    }
}

impl Live {
    async fn append(&self, owed: &mut Vec<IdentityRow>, batches: impl Iterator<Item = &EventBatch> + Clone) -> Result<(), LiveError> {
        if self.stream.is_none() || !owed.is_empty() || batches.clone().any(|batch| !batch.rejected.is_empty()) {
            self.append_rows(owed, batches.clone()).await?;
            owed.clear();
        }
        match &self.stream {
            Some(stream) => stream.publish(batches, self.origin).await,
            None => Ok(()),
        }
    }

    async fn append_rows(&self, identities: &[IdentityRow], batches: impl Iterator<Item = &EventBatch>) -> Result<(), LiveError> {
        on!(&self.pool, db => {
            let mut transaction = db.begin_with(self.begin()).await?;
            if self.is_shared() {
                sqlx::query("SELECT pg_advisory_xact_lock($1)").bind(others::EVENTS).execute(&mut *transaction).await?;
            }
            if self.stream.is_none() {
                // Somebody may have moved the shop to a stream, whose numbers go on from the last one here.
                let moved: Option<(String,)> =
                    sqlx::query_as("SELECT content FROM setting WHERE name = $1").bind(SETTING).fetch_optional(&mut *transaction).await?;
                if moved.is_some() {
                    return Err(LiveError::Events("they go to a stream by now: start this server again, with --events".to_owned()));
                }
            }
            for rows in identities.chunks(ROWS) {
                let mut query = sqlx::QueryBuilder::new("INSERT INTO identity (lookup, key_version, subject, sealed) ");
                query.push_values(rows, |mut values, row| {
                    values
                        .push_bind(row.lookup.as_slice())
                        .push_bind(i64::from(row.key_version))
                        .push_bind(row.subject.as_bytes().as_slice())
                        .push_bind(row.sealed.as_slice());
                });
                // SQLite's server is alone and knows whom it has; of several on PostgreSQL the first one's row stands.
                query.push(" ON CONFLICT DO NOTHING").build().execute(&mut *transaction).await?;
            }
            for batch in batches {
                if batch.events > 0 && self.stream.is_none() {
                    sqlx::query("INSERT INTO event_batch (received, events, payload, origin) VALUES ($1, $2, $3, $4)")
                        .bind(batch.received).bind(i64::from(batch.events)).bind(batch.payload.as_slice()).bind(self.origin)
                        .execute(&mut *transaction).await?;
                }
                for (rule, detail) in &batch.rejected {
                    sqlx::query("INSERT INTO rejected_event (received, rule, detail) VALUES ($1, $2, $3)")
                        .bind(batch.received).bind(rule.as_str()).bind(detail.as_str()).execute(&mut *transaction).await?;
                }
            }
            transaction.commit().await?;
        });
        Ok(())
    }

    /// Batches after one, in order, some at a time: (number, payload).
    ///
    /// # Errors
    /// Where the database fails, or the stream.
    pub async fn events_after(&self, seq: i64) -> Result<Vec<(i64, Vec<u8>)>, LiveError> {
        let (batches, _) = self.batches_after(seq).await?;
        Ok(batches.into_iter().map(|(seq, _, payload)| (seq, payload)).collect())
    }

    /// The same, with the server that has written each; and whether there may be more.
    pub(super) async fn batches_after(&self, seq: i64) -> Result<(Vec<(i64, i64, Vec<u8>)>, bool), LiveError> {
        let kept = async || -> Result<Vec<(i64, i64, Vec<u8>)>, LiveError> {
            Ok(on!(&self.pool, db => {
                let text = "SELECT seq, origin, payload FROM event_batch WHERE seq > $1 ORDER BY seq LIMIT $2";
                sqlx::query_as(text).bind(seq).bind(i64::from(ROWS_READ)).fetch_all(db).await?
            }))
        };
        let is_full = |kept: &[(i64, i64, Vec<u8>)]| kept.len() == usize::from(ROWS_READ);
        let Some(stream) = &self.stream else {
            let kept = kept().await?;
            let more = is_full(&kept);
            return Ok((kept, more));
        };
        if seq < stream.before {
            let kept = kept().await?;
            if is_full(&kept) && kept.last().is_some_and(|last| last.0 <= stream.before) {
                return Ok((kept, true));
            }
        }
        // The stream first: what moves to the database meanwhile is seen at least once.
        let streamed = stream.after(seq).await?;
        let kept = kept().await?;
        // As far as both were read; what stands in the database counts.
        let is_cut = is_full(&kept);
        let through = kept.last().filter(|_| is_cut).map_or(streamed.through, |last| last.0.min(streamed.through));
        let in_stream = streamed.batches.into_iter().filter(|batch| batch.seq <= through);
        let mut batches: BTreeMap<i64, (i64, Vec<u8>)> = in_stream.map(|batch| (batch.seq, (batch.origin, batch.payload))).collect();
        batches.extend(kept.into_iter().filter(|batch| batch.0 <= through).map(|(seq, origin, payload)| (seq, (origin, payload))));
        let batches = batches.into_iter().map(|(seq, (origin, payload))| (seq, origin, payload)).collect();
        Ok((batches, streamed.more || is_cut))
    }
}
