//! Erasure: what is kept of somebody leaves the tables of a served shop.

use youhui_commerce::SubjectId;

use super::decisions::records;
use super::{Live, LiveError, Pool, on};

/// Rewrites what a batch holds; nothing, where it stays as it is.
pub(super) type Rewrite<'a> = &'a (dyn Fn(&[u8]) -> Option<Vec<u8>> + Sync);

impl Live {
    /// Takes everything of these subjects out: identities, limits and reservations at once, events and decisions batch by batch, as `rewrite`
    /// says of a batch of events and `keep` of a decision. What was refused and why is forgotten altogether, for it can hold anybody's words.
    /// Again, where it was interrupted.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn erase(
        &self,
        subjects: &[SubjectId],
        rewrite: Rewrite<'_>,
        keep: &(dyn Fn(&[u8]) -> bool + Sync),
    ) -> Result<u64, LiveError> {
        on!(&self.pool, db => {
            let mut transaction = db.begin_with(self.begin()).await?;
            for subject in subjects {
                // Limits first, as whoever settles a reservation takes them.
                let limits = format!("%:customer:{subject}:%");
                if self.is_shared() {
                    // In their order, as everybody takes them.
                    sqlx::query("SELECT name FROM limit_of WHERE name LIKE $1 ORDER BY name COLLATE \"C\" FOR UPDATE")
                        .bind(&limits).execute(&mut *transaction).await?;
                }
                sqlx::query("DELETE FROM limit_of WHERE name LIKE $1").bind(&limits).execute(&mut *transaction).await?;
                sqlx::query("DELETE FROM reserved_part WHERE name LIKE $1").bind(&limits).execute(&mut *transaction).await?;
            }
            sqlx::query("DELETE FROM rejected_event").execute(&mut *transaction).await?;
            transaction.commit().await?;
        });
        let without = |payload: &[u8]| -> Option<Vec<u8>> {
            let kept: Vec<&[u8]> = records(payload).filter(|record| keep(record)).collect();
            let framed = |record: &&[u8]| [&u32::try_from(record.len()).unwrap_or(u32::MAX).to_le_bytes(), *record].concat();
            (kept.len() < records(payload).count()).then(|| kept.iter().flat_map(framed).collect())
        };
        let mut changed = self.rewrite("event_batch", rewrite).await? + self.rewrite("decision_batch", &without).await?;
        if let Some(stream) = &self.stream {
            changed += stream.rewrite(self, rewrite).await?;
        }
        // Last of all: while they are there, it is known at the next start that something is left to do.
        on!(&self.pool, db => {
            let mut transaction = db.begin_with(self.begin()).await?;
            for subject in subjects {
                sqlx::query("DELETE FROM identity WHERE subject = $1").bind(subject.as_bytes().as_slice()).execute(&mut *transaction).await?;
            }
            transaction.commit().await?;
        });
        match &self.pool {
            // What was overwritten is in the write-ahead log until it is cut off, which whoever reads just then puts off.
            Pool::Sqlite(db) => {
                for _ in 0..50 {
                    let (busy, ..): (i64, i64, i64) = sqlx::query_as("PRAGMA wal_checkpoint(TRUNCATE)").fetch_one(db).await?;
                    if busy == 0 {
                        return Ok(changed);
                    }
                    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
                }
                return Err(LiveError::Refused("the write-ahead log is in use and was not cut off: erase again".to_owned()));
            }
            Pool::Postgres(db) => {
                for table in ["identity", "event_batch", "decision_batch", "rejected_event", "limit_of", "reserved_part"] {
                    // Nothing in it is anybody's input.
                    sqlx::raw_sql(sqlx::AssertSqlSafe(format!("VACUUM {table}"))).execute(db).await?;
                }
            }
        }
        Ok(changed)
    }

    /// Rewrites the payloads of a table of batches; how many were.
    async fn rewrite(&self, table: &'static str, rewrite: Rewrite<'_>) -> Result<u64, LiveError> {
        let (mut after, mut changed) = (0_i64, 0);
        // Nothing in these is anybody's input.
        let select = || sqlx::AssertSqlSafe(format!("SELECT seq, payload FROM {table} WHERE seq > $1 ORDER BY seq LIMIT 200"));
        let update = || sqlx::AssertSqlSafe(format!("UPDATE {table} SET payload = $2 WHERE seq = $1"));
        loop {
            let batches: Vec<(i64, Vec<u8>)> = on!(&self.pool, db => { sqlx::query_as(select()).bind(after).fetch_all(db).await? });
            let Some((last, _)) = batches.last() else { return Ok(changed) };
            after = *last;
            let new: Vec<(i64, Vec<u8>)> =
                tokio::task::block_in_place(|| batches.iter().filter_map(|(seq, payload)| Some((*seq, rewrite(payload)?))).collect());
            if new.is_empty() {
                continue;
            }
            changed += new.len() as u64;
            on!(&self.pool, db => {
                let mut transaction = db.begin_with(self.begin()).await?;
                for (seq, payload) in &new {
                    sqlx::query(update()).bind(seq).bind(payload.as_slice()).execute(&mut *transaction).await?;
                }
                transaction.commit().await?;
            });
        }
    }
}
