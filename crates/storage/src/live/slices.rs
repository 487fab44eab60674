//! Slices of a limit that servers lease, so that those who redeem at once don't all wait for one row.
//!
//! A row is locked until its transaction is on disk: one row gives as many reservations a second as the disk syncs. A server therefore takes a part
//! of what is left of a limit for itself, in several slices, and its checkouts take theirs from these. What a slice has is leased: the limit counts
//! it as gone. A slice that is too small is filled from the limit; where the limit has nothing left, what others have not used is called in first, so
//! that nothing is refused while there is room anywhere. A slice whose lease is over, as that of a server that was killed, is called in as well.
//!
//! Slices are rows of PostgreSQL like the limits: what is reserved of them is as safe as if it were reserved of the limit. SQLite has one writer, and
//! no slices. Everybody locks a limit before its slices, and limits in the order of their names.

use sqlx::{PgConnection, PgPool};
use youhui_commerce::Micros;

use super::LiveError;
use super::limits::Part;

/// Slices of one limit at one server.
const SLOTS: u64 = 4;
/// A slice gets this part of what is left.
const SHARE: i64 = 32;
/// It is worth it where a slice is good for so many reservations at least.
const WORTH: i64 = 4;
/// How long a slice is kept that is not filled again.
const LEASE: Micros = 60_000_000;

/// Where a part was taken.
pub(super) enum Taken {
    /// From a slice, of this holder; or from the limit itself, of nobody.
    From(String),
    /// There is not enough left.
    Nothing,
}

/// Whether many may want it at once: a customer's own limit, and a code of one's own, are nobody else's.
pub(super) fn is_shared(name: &str) -> bool {
    !name.starts_with("code:") && !name.contains(":customer:")
}

/// Takes a part of a limit within a transaction.
pub(super) async fn take(connection: &mut PgConnection, part: &Part, origin: i64, id: &str, now: Micros) -> Result<Taken, LiveError> {
    let holder = holder(origin, id);
    sqlx::query("SAVEPOINT slice").execute(&mut *connection).await?;
    if from_slice(connection, part, &holder).await? {
        return Ok(Taken::From(holder));
    }
    // A slice that was waited for and has too little is locked all the same, and the limit would be locked after it.
    sqlx::query("ROLLBACK TO SAVEPOINT slice").execute(&mut *connection).await?;
    let Some(mut left) = left(connection, &part.name).await? else { return Ok(Taken::Nothing) };
    if left < part.amount {
        left += call_in(connection, &part.name, None).await?;
    }
    // Another of this server may have filled the slice while this one waited for the limit.
    if from_slice(connection, part, &holder).await? {
        return Ok(Taken::From(holder));
    }
    if left < part.amount {
        return Ok(Taken::Nothing);
    }
    let grant = left / SHARE;
    if grant < part.amount.saturating_mul(WORTH) {
        let text = "UPDATE limit_of SET reserved = reserved + $2 WHERE name = $1";
        sqlx::query(text).bind(part.name.as_str()).bind(part.amount).execute(connection).await?;
        return Ok(Taken::From(String::new()));
    }
    let text = "UPDATE limit_of SET leased = leased + $2 WHERE name = $1";
    sqlx::query(text).bind(part.name.as_str()).bind(grant).execute(&mut *connection).await?;
    let text = "INSERT INTO limit_slice (name, holder, most, reserved, until) VALUES ($1, $2, $3, $4, $5) \
                ON CONFLICT (name, holder) DO UPDATE SET most = limit_slice.most + $3, reserved = limit_slice.reserved + $4, until = $5";
    let filled = sqlx::query(text).bind(part.name.as_str()).bind(holder.as_str()).bind(grant).bind(part.amount).bind(now + LEASE);
    filled.execute(connection).await?;
    Ok(Taken::From(holder))
}

fn holder(origin: i64, id: &str) -> String {
    // Any spread will do.
    let slot = id.bytes().fold(0_u64, |sum, byte| sum.wrapping_mul(31).wrapping_add(u64::from(byte))) % SLOTS;
    format!("{origin:016x}-{slot}")
}

async fn from_slice(connection: &mut PgConnection, part: &Part, holder: &str) -> Result<bool, LiveError> {
    let text = "UPDATE limit_slice SET reserved = reserved + $3 WHERE name = $1 AND holder = $2 AND most - reserved - committed >= $3";
    let taken = sqlx::query(text).bind(part.name.as_str()).bind(holder).bind(part.amount).execute(connection).await?;
    Ok(taken.rows_affected() > 0)
}

/// What the limit itself has left, which is locked from here on; nothing, where there is no such limit.
pub(super) async fn left(connection: &mut PgConnection, name: &str) -> Result<Option<i64>, LiveError> {
    let text = "SELECT most - reserved - committed - leased FROM limit_of WHERE name = $1 FOR UPDATE";
    let row: Option<(i64,)> = sqlx::query_as(text).bind(name).fetch_optional(connection).await?;
    Ok(row.map(|(left,)| left))
}

/// Gives the limit back what slices have not used, all of them or those whose lease was over then; how much. The limit is locked.
pub(super) async fn call_in(connection: &mut PgConnection, name: &str, over: Option<Micros>) -> Result<i64, LiveError> {
    let text = "SELECT holder, most - reserved - committed FROM limit_slice WHERE name = $1 AND until <= $2 ORDER BY holder FOR UPDATE";
    let slices: Vec<(String, i64)> = sqlx::query_as(text).bind(name).bind(over.unwrap_or(Micros::MAX)).fetch_all(&mut *connection).await?;
    let mut sum = 0;
    for (holder, unused) in slices.iter().filter(|(_, unused)| *unused > 0) {
        let text = "UPDATE limit_slice SET most = most - $3 WHERE name = $1 AND holder = $2";
        sqlx::query(text).bind(name).bind(holder.as_str()).bind(unused).execute(&mut *connection).await?;
        sum += unused;
    }
    if sum > 0 {
        let text = "UPDATE limit_of SET leased = leased - $2 WHERE name = $1";
        sqlx::query(text).bind(name).bind(sum).execute(&mut *connection).await?;
    }
    Ok(sum)
}

/// Calls in slices whose lease is over, and counts those of which nothing is held any more with the limit itself.
pub(super) async fn settle(db: &PgPool, now: Micros) -> Result<(), LiveError> {
    let names: Vec<(String,)> = sqlx::query_as(
        "SELECT DISTINCT name FROM limit_slice WHERE until <= $1 AND (reserved = 0 OR most > reserved + committed) LIMIT 100",
    )
    .bind(now)
    .fetch_all(db)
    .await?;
    for (name,) in names {
        let mut transaction = db.begin().await?;
        if left(&mut transaction, &name).await?.is_none() {
            continue;
        }
        call_in(&mut transaction, &name, Some(now)).await?;
        let text = "DELETE FROM limit_slice WHERE name = $1 AND until <= $2 AND reserved = 0 RETURNING committed";
        let gone: Vec<(i64,)> = sqlx::query_as(text).bind(name.as_str()).bind(now).fetch_all(&mut *transaction).await?;
        let sum: i64 = gone.iter().map(|(committed,)| committed).sum();
        let text = "UPDATE limit_of SET leased = leased - $2, committed = committed + $2 WHERE name = $1";
        sqlx::query(text).bind(name.as_str()).bind(sum).execute(&mut *transaction).await?;
        transaction.commit().await?;
    }
    Ok(())
}
