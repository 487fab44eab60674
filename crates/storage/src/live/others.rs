//! What other servers on the same database have written: each reads it from there, so that all know the same.
//!
//! Numbers of rows are given before a transaction ends: without more ado a later one could be seen first, and the earlier one never. So whoever
//! writes takes a lock of the database until the end of the transaction, and rows become visible in their order.

use youhui_privacy::IdentityRow;

use super::decisions::records;
use super::{Live, LiveError, Pool, identity, on};

/// Locks of the writers: of events with identities, and of decisions.
pub(super) const EVENTS: i64 = 0x596f_7568_7569_0001;
pub(super) const DECISIONS: i64 = 0x596f_7568_7569_0002;

/// Where this server has read to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Others {
    /// The last batch of events.
    pub events: i64,
    /// The last batch of decisions.
    pub decisions: i64,
    /// The last identity.
    pub identities: i64,
}

impl Live {
    /// The ends of the logs as they are now.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn ends(&self) -> Result<Others, LiveError> {
        let last = async |table: &str, column: &str| -> Result<i64, LiveError> {
            // Nothing in it is anybody's input.
            let text = || sqlx::AssertSqlSafe(format!("SELECT COALESCE(MAX({column}), 0) FROM {table}"));
            let (last,): (i64,) = on!(&self.pool, db => { sqlx::query_as(text()).fetch_one(db).await? });
            Ok(last)
        };
        let identities = if self.is_shared() { last("identity", "seq").await? } else { 0 };
        let streamed = match &self.stream {
            Some(stream) => stream.last().await?,
            None => 0,
        };
        Ok(Others { events: streamed.max(last("event_batch", "seq").await?), decisions: last("decision_batch", "seq").await?, identities })
    }

    /// Servers that have decided something lately, this one with them.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn servers(&self) -> Result<u64, LiveError> {
        let Pool::Postgres(db) = &self.pool else { return Ok(1) };
        let text = "SELECT COUNT(DISTINCT origin) FROM (SELECT origin FROM decision_batch ORDER BY seq DESC LIMIT 300) AS lately";
        let (servers,): (i64,) = sqlx::query_as(text).fetch_one(db).await?;
        Ok(u64::try_from(servers).unwrap_or(1).max(1))
    }

    /// Identities that are new since then, of whichever server.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn new_identities(&self, from: &mut Others) -> Result<Vec<IdentityRow>, LiveError> {
        let Pool::Postgres(db) = &self.pool else { return Ok(vec![]) };
        type Row = (i64, Vec<u8>, i64, Vec<u8>, Vec<u8>);
        let rows: Vec<Row> =
            sqlx::query_as("SELECT seq, lookup, key_version, subject, sealed FROM identity WHERE seq > $1 ORDER BY seq LIMIT 5000")
                .bind(from.identities)
                .fetch_all(db)
                .await?;
        from.identities = rows.last().map_or(from.identities, |row| row.0);
        rows.into_iter().map(|(_, lookup, version, subject, sealed)| identity(lookup, version, subject, sealed)).collect()
    }

    /// Batches of events that others have written since then, some at a time, and whether there may be more; with `own`, of this server too.
    ///
    /// # Errors
    /// Where the database fails, or the stream.
    pub async fn events_of_others(&self, from: &mut Others, own: bool) -> Result<(Vec<(i64, Vec<u8>)>, bool), LiveError> {
        if self.stream.is_some() || own {
            let (batches, more) = self.batches_after(from.events).await?;
            from.events = batches.last().map_or(from.events, |batch| batch.0);
            let of_others = batches.into_iter().filter(|(_, origin, _)| own || *origin != self.origin);
            return Ok((of_others.map(|(seq, _, payload)| (seq, payload)).collect(), more));
        }
        let (rows, more) = self.of_others("event_batch", from.events).await?;
        from.events = rows.last().map_or(from.events, |row| row.0);
        Ok((rows.into_iter().filter_map(|(seq, payload)| Some((seq, payload?))).collect(), more))
    }

    /// Records of decisions that others have made since then, some at a time, and whether there may be more.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn decisions_of_others(&self, from: &mut Others) -> Result<(Vec<Vec<u8>>, bool), LiveError> {
        let (rows, more) = self.of_others("decision_batch", from.decisions).await?;
        from.decisions = rows.last().map_or(from.decisions, |row| row.0);
        let payloads = rows.iter().filter_map(|(_, payload)| payload.as_deref());
        Ok((payloads.flat_map(records).map(<[u8]>::to_vec).collect(), more))
    }

    /// Rows after one: their numbers, and what they hold where it is not our own.
    async fn of_others(&self, table: &str, after: i64) -> Result<(Vec<(i64, Option<Vec<u8>>)>, bool), LiveError> {
        const MOST: usize = 200;
        // Nothing in it is anybody's input.
        let text = || {
            sqlx::AssertSqlSafe(format!(
                "SELECT seq, CASE WHEN origin = $2 THEN NULL ELSE payload END FROM {table} WHERE seq > $1 ORDER BY seq LIMIT {MOST}"
            ))
        };
        let rows: Vec<(i64, Option<Vec<u8>>)> =
            on!(&self.pool, db => { sqlx::query_as(text()).bind(after).bind(self.origin).fetch_all(db).await? });
        let more = rows.len() == MOST;
        Ok((rows, more))
    }
}
