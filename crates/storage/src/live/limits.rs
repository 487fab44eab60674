//! Limits that hold whatever crashes: budgets, stock, codes and uses per customer, each a name with a most.
//!
//! ```text
//! reserve ─► reserved ─┬─ commit ──► committed
//!                      ├─ release ─► released
//!                      └─ its time runs out ─► released
//! ```
//!
//! A reservation takes its part of every limit that it names in one transaction, or of none. What is reserved and committed
//! together never exceeds a limit: the statement that adds checks, and the table has it as a rule of its own. A reservation is
//! known by the name its caller gives it, so that a call that is repeated, after a crash between any two steps, changes nothing.
//! On PostgreSQL it takes its part from a slice that its server has leased (`slices`).

use sqlx::{PgConnection, SqliteConnection};
use youhui_commerce::Micros;

use super::slices::{self, Taken};
use super::{Live, LiveError, Pool, on};

/// A part of a limit.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Part {
    /// Which limit.
    pub name: String,
    /// How much of it: minor units, or a number.
    pub amount: i64,
}

/// A limit and what is used of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Used {
    /// The most there is.
    pub most: i64,
    /// Held for somebody.
    pub reserved: i64,
    /// Gone.
    pub committed: i64,
}

/// Where a reservation stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Held.
    Reserved,
    /// Gone.
    Committed,
    /// Given back, or its time ran out.
    Released,
}

impl State {
    const fn number(self) -> i64 {
        match self {
            Self::Reserved => 0,
            Self::Committed => 1,
            Self::Released => 2,
        }
    }

    const fn of(number: i64) -> Self {
        match number {
            0 => Self::Reserved,
            1 => Self::Committed,
            _ => Self::Released,
        }
    }
}

/// What is to be held.
#[derive(Debug, Clone, Copy)]
pub struct Hold<'a> {
    /// Tells two requests of one name apart.
    pub request: &'a [u8],
    /// What it is worth to the customer, to be told again whenever it is asked for.
    pub amount: i64,
    /// Of which limits how much.
    pub parts: &'a [Part],
    /// Limits that are made where they are missing.
    pub fresh: &'a [Part],
    /// Now.
    pub now: Micros,
    /// When it is given back by itself.
    pub expires: Micros,
}

/// What was reserved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reservation {
    /// The request that it was made by.
    pub request: Vec<u8>,
    /// What it is worth to the customer.
    pub amount: i64,
    /// Where it stands.
    pub state: State,
    /// When it is given back by itself.
    pub expires: Micros,
    /// Of which limits how much.
    pub parts: Vec<Part>,
}

/// What became of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Done; or done before, by the same call.
    Done(State),
    /// This limit has no room.
    Full(String),
    /// There is no such limit.
    NoLimit(String),
    /// No reservation has that name.
    Unknown,
    /// The name stands for another request.
    Other,
    /// It is in this state already, from which there is no way to the one that was asked for.
    Settled(State),
    /// More is committed than was reserved.
    TooMuch(String),
}

type Stored = (Vec<u8>, i64, i64);

impl Live {
    /// Makes a limit, or gives one that exists another most; what is used already can't be taken back.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn set_limit(&self, name: &str, most: i64) -> Result<bool, LiveError> {
        const TEXT: &str = "INSERT INTO limit_of (name, most) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET most = $2 \
             WHERE limit_of.reserved + limit_of.committed + limit_of.leased <= $2";
        let changed = on!(&self.pool, db => { sqlx::query(TEXT).bind(name).bind(most).execute(db).await?.rows_affected() });
        let Pool::Postgres(db) = &self.pool else { return Ok(changed > 0) };
        if changed > 0 {
            return Ok(true);
        }
        // Not before what is leased, and not used, has come back.
        let mut transaction = db.begin().await?;
        slices::left(&mut transaction, name).await?;
        slices::call_in(&mut transaction, name, None).await?;
        let changed = sqlx::query(TEXT).bind(name).bind(most).execute(&mut *transaction).await?.rows_affected();
        transaction.commit().await?;
        Ok(changed > 0)
    }

    /// Limits that are made where they are missing, as those of customers and codes, and otherwise left as they are.
    ///
    /// # Errors
    /// Where the database fails; some may be made then.
    pub async fn add_limits(&self, limits: &[Part]) -> Result<(), LiveError> {
        if limits.is_empty() {
            return Ok(());
        }
        on!(&self.pool, db => {
            let mut transaction = db.begin_with(self.begin()).await?;
            for limit in limits {
                sqlx::query("INSERT INTO limit_of (name, most) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING")
                    .bind(limit.name.as_str()).bind(limit.amount).execute(&mut *transaction).await?;
            }
            transaction.commit().await?;
        });
        Ok(())
    }

    /// A reservation and its parts: what is held, or what was used of it.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn reservation(&self, id: &str) -> Result<Option<Reservation>, LiveError> {
        let row: Option<(Vec<u8>, i64, i64, i64)> = on!(&self.pool, db => {
            sqlx::query_as("SELECT request, amount, state, expires FROM reservation WHERE id = $1").bind(id).fetch_optional(db).await?
        });
        let Some((request, amount, state, expires)) = row else { return Ok(None) };
        let state = State::of(state);
        let rows: Vec<(String, i64, i64)> = on!(&self.pool, db => {
            sqlx::query_as("SELECT name, amount, committed FROM reserved_part WHERE reservation = $1 ORDER BY name").bind(id).fetch_all(db).await?
        });
        let part = |(name, amount, committed)| Part { name, amount: if state == State::Committed { committed } else { amount } };
        Ok(Some(Reservation { request, amount, state, expires, parts: rows.into_iter().map(part).collect() }))
    }

    /// What is used of a limit.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn used(&self, name: &str) -> Result<Option<Used>, LiveError> {
        let row: Option<(i64, i64, i64)> = on!(&self.pool, db => {
            let text = "SELECT most, reserved + CAST((SELECT COALESCE(SUM(reserved), 0) FROM limit_slice WHERE limit_slice.name = $1) AS BIGINT), \
                        committed + CAST((SELECT COALESCE(SUM(committed), 0) FROM limit_slice WHERE limit_slice.name = $1) AS BIGINT) \
                        FROM limit_of WHERE name = $1";
            sqlx::query_as(text).bind(name).fetch_optional(db).await?
        });
        Ok(row.map(|(most, reserved, committed)| Used { most, reserved, committed }))
    }

    /// Holds every part until it expires, or none.
    ///
    /// # Errors
    /// Where the database fails; whether it was done can then be learnt by calling again.
    pub async fn reserve(&self, id: &str, hold: Hold<'_>) -> Result<Outcome, LiveError> {
        let Hold { request, amount, parts, fresh, now, expires } = hold;
        self.add_limits(fresh).await?;
        // Everybody takes limits in one order, so that no two wait for each other.
        let mut parts = parts.to_vec();
        parts.sort();
        on!(&self.pool, db => {
            let mut transaction = db.begin_with(self.begin()).await?;
            let new = sqlx::query(
                "INSERT INTO reservation (id, request, amount, made, expires, state) VALUES ($1, $2, $3, $4, $5, 0) ON CONFLICT (id) DO NOTHING",
            )
            .bind(id).bind(request).bind(amount).bind(now).bind(expires).execute(&mut *transaction).await?.rows_affected();
            if new == 0 {
                let (stored, state, _): Stored = sqlx::query_as("SELECT request, state, expires FROM reservation WHERE id = $1")
                    .bind(id).fetch_one(&mut *transaction).await?;
                return Ok(if stored == request { Outcome::Done(State::of(state)) } else { Outcome::Other });
            }
            for part in &parts {
                let Taken::From(holder) = (*transaction).take(part, self.origin, id, now).await? else {
                    let there: Option<(i64,)> = sqlx::query_as("SELECT most FROM limit_of WHERE name = $1")
                        .bind(part.name.as_str()).fetch_optional(&mut *transaction).await?;
                    // Dropped without a commit: nothing was taken.
                    return Ok(if there.is_some() { Outcome::Full(part.name.clone()) } else { Outcome::NoLimit(part.name.clone()) });
                };
                sqlx::query("INSERT INTO reserved_part (reservation, name, amount, holder) VALUES ($1, $2, $3, $4)")
                    .bind(id).bind(part.name.as_str()).bind(part.amount).bind(holder).execute(&mut *transaction).await?;
            }
            transaction.commit().await?;
        });
        Ok(Outcome::Done(State::Reserved))
    }

    /// What was held is gone. `actual` says where less was used than held, by limit.
    ///
    /// # Errors
    /// Where the database fails; whether it was done can then be learnt by calling again.
    pub async fn commit(&self, id: &str, actual: &[Part], now: Micros) -> Result<Outcome, LiveError> {
        self.settle(id, State::Committed, actual, Some(now)).await
    }

    /// What was held is given back.
    ///
    /// # Errors
    /// Where the database fails; whether it was done can then be learnt by calling again.
    pub async fn release(&self, id: &str) -> Result<Outcome, LiveError> {
        self.settle(id, State::Released, &[], None).await
    }

    async fn settle(&self, id: &str, to: State, actual: &[Part], now: Option<Micros>) -> Result<Outcome, LiveError> {
        on!(&self.pool, db => {
            let mut transaction = db.begin_with(self.begin()).await?;
            let changed = sqlx::query("UPDATE reservation SET state = $2 WHERE id = $1 AND state = 0 AND ($3 = 0 OR expires > $3)")
                .bind(id).bind(to.number()).bind(now.unwrap_or(0)).execute(&mut *transaction).await?.rows_affected();
            if changed == 0 {
                let stored: Option<Stored> = sqlx::query_as("SELECT request, state, expires FROM reservation WHERE id = $1")
                    .bind(id).fetch_optional(&mut *transaction).await?;
                return Ok(match stored {
                    None => Outcome::Unknown,
                    Some((_, state, _)) if state == to.number() => Outcome::Done(to),
                    // Still held, but its time has run out and nobody has given it back yet.
                    Some((_, 0, _)) => Outcome::Settled(State::Released),
                    Some((_, state, _)) => Outcome::Settled(State::of(state)),
                });
            }
            let text = "SELECT name, amount, holder FROM reserved_part WHERE reservation = $1";
            let mut parts: Vec<(String, i64, String)> = sqlx::query_as(text).bind(id).fetch_all(&mut *transaction).await?;
            // As whoever reserves takes them, however the database sorts texts.
            parts.sort();
            for (name, amount, holder) in parts {
                let used = match to {
                    State::Committed => actual.iter().find(|part| part.name == name).map_or(amount, |part| part.amount),
                    _ => 0,
                };
                if used > amount {
                    return Ok(Outcome::TooMuch(name));
                }
                // Where it was taken from.
                let text = if holder.is_empty() {
                    "UPDATE limit_of SET reserved = reserved - $2, committed = committed + $3 WHERE name = $1 AND $4 = ''"
                } else {
                    "UPDATE limit_slice SET reserved = reserved - $2, committed = committed + $3 WHERE name = $1 AND holder = $4"
                };
                sqlx::query(text).bind(name.as_str()).bind(amount).bind(used).bind(holder).execute(&mut *transaction).await?;
                sqlx::query("UPDATE reserved_part SET committed = $3 WHERE reservation = $1 AND name = $2")
                    .bind(id).bind(name.as_str()).bind(used).execute(&mut *transaction).await?;
            }
            transaction.commit().await?;
        });
        Ok(Outcome::Done(to))
    }

    /// Gives back what was held for too long; how many reservations that were. May run on several servers at once.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn expire(&self, now: Micros) -> Result<u64, LiveError> {
        let late: Vec<(String,)> = on!(&self.pool, db => {
            sqlx::query_as("SELECT id FROM reservation WHERE state = 0 AND expires <= $1 LIMIT 1000").bind(now).fetch_all(db).await?
        });
        let (mut released, mut failed) = (0, None);
        for (id,) in late {
            // One that fails keeps nothing else from being given back.
            match self.release(&id).await {
                Ok(outcome) => released += u64::from(outcome == Outcome::Done(State::Released)),
                Err(error) => failed = Some(error),
            }
        }
        if let Pool::Postgres(db) = &self.pool {
            slices::settle(db, now).await?;
        }
        failed.map_or(Ok(released), Err)
    }
}

/// Takes a part of a limit, within a transaction.
trait Take {
    async fn take(&mut self, part: &Part, origin: i64, id: &str, now: Micros) -> Result<Taken, LiveError>;
}

/// From the limit itself, where it has as much.
const DIRECT: &str = "UPDATE limit_of SET reserved = reserved + $2 WHERE name = $1 AND most - reserved - committed - leased >= $2";

impl Take for SqliteConnection {
    async fn take(&mut self, part: &Part, _origin: i64, _id: &str, _now: Micros) -> Result<Taken, LiveError> {
        let taken = sqlx::query(DIRECT).bind(part.name.as_str()).bind(part.amount).execute(self).await?.rows_affected();
        Ok(if taken > 0 { Taken::From(String::new()) } else { Taken::Nothing })
    }
}

impl Take for PgConnection {
    async fn take(&mut self, part: &Part, origin: i64, id: &str, now: Micros) -> Result<Taken, LiveError> {
        if slices::is_shared(&part.name) {
            return slices::take(self, part, origin, id, now).await;
        }
        let taken = sqlx::query(DIRECT).bind(part.name.as_str()).bind(part.amount).execute(self).await?.rows_affected();
        Ok(if taken > 0 { Taken::From(String::new()) } else { Taken::Nothing })
    }
}
