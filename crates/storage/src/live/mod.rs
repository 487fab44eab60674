//! The database of a shop that is served: SQLite, with nothing to install, or PostgreSQL for several servers.
//!
//! Events go to the database, or to a stream of NATS JetStream ([`Live::with_events`]).
//!
//! One code for both: statements are written once, with `$1` for parameters, which both read; what differs is in the
//! migrations. What has to be durable is written by one task each ([`EventLog`], [`DecisionLog`]), which puts everything that
//! waits into one transaction: a disk syncs a thousand times a second whatever is written each time.

mod audit;
mod changes;
mod decisions;
mod erase;
mod events;
mod limits;
mod others;
mod slices;
mod stream;

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous};
use youhui_commerce::SubjectId;
use youhui_privacy::IdentityRow;

pub use changes::{ApiKey, Change, Written};
pub use decisions::DecisionLog;
pub use events::{EventBatch, EventLog};
pub use limits::{Hold, Outcome, Part, Reservation, State, Used};
pub use others::Others;

/// What can go wrong with the database.
#[derive(Debug, Clone, thiserror::Error)]
pub enum LiveError {
    /// It can't be reached, or not in time.
    #[error("the database can't be reached: {0}. Check that it runs and that --database says where")]
    Unreachable(String),
    /// The server of the stream of events can't be reached, or not in time.
    #[error("the stream of events can't be reached: {0}. Check that NATS runs and that --events says where")]
    NoStream(String),
    /// Events are elsewhere, or can't be where they are to be.
    #[error("events: {0}")]
    Events(String),
    /// It was made by another version.
    #[error("the database has schema {found}, this program knows {known}: use the program that made it, or a newer one")]
    Newer {
        /// The database's.
        found: i64,
        /// Ours.
        known: i64,
    },
    /// It refused a statement.
    #[error("the database refused a statement: {0}")]
    Refused(String),
    /// The writer has stopped: the server is shutting down.
    #[error("the server is shutting down: send it again")]
    Stopped,
}

impl From<sqlx::Error> for LiveError {
    fn from(error: sqlx::Error) -> Self {
        match error {
            sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed | sqlx::Error::Tls(_) => {
                Self::Unreachable(error.to_string())
            }
            other => Self::Refused(other.to_string()),
        }
    }
}

/// Either database.
#[derive(Debug, Clone)]
pub(crate) enum Pool {
    Sqlite(SqlitePool),
    Postgres(PgPool),
}

/// The same statements on whichever database it is.
macro_rules! on {
    ($pool:expr, $db:ident => $body:expr) => {
        match $pool {
            $crate::live::Pool::Sqlite($db) => $body,
            $crate::live::Pool::Postgres($db) => $body,
        }
    };
}
pub(crate) use on;

/// A served shop's database.
#[derive(Debug, Clone)]
pub struct Live {
    pool: Pool,
    /// This server, among those that share the database.
    origin: i64,
    /// Where events are, if not in the database.
    stream: Option<stream::EventStream>,
}

/// Migrations, written once: `BYTES` and `COUNTED` stand for what the two call differently, and a line that begins with
/// `--postgres` is for PostgreSQL only.
const MIGRATIONS: [(i64, &str); 7] = [
    (1, include_str!("migrations/1.sql")),
    (2, include_str!("migrations/2.sql")),
    (3, include_str!("migrations/3.sql")),
    (4, include_str!("migrations/4.sql")),
    (5, include_str!("migrations/5.sql")),
    (6, include_str!("migrations/6.sql")),
    (7, include_str!("migrations/7.sql")),
];

impl Live {
    /// Opens `sqlite:PATH` (made where it is missing) or `postgres://…`, and brings its tables up to date.
    ///
    /// # Errors
    /// Where it can't be reached, or was made by a newer version.
    pub async fn open(url: &str) -> Result<Self, LiveError> {
        let pool = if url.starts_with("postgres:") || url.starts_with("postgresql:") {
            let options = PgConnectOptions::from_str(url)?.application_name("youhui");
            let pool = PgPoolOptions::new().max_connections(8).acquire_timeout(Duration::from_secs(5)).connect_with(options).await;
            Pool::Postgres(pool.map_err(|error| LiveError::Unreachable(error.to_string()))?)
        } else {
            let options = SqliteConnectOptions::from_str(url)?
                .create_if_missing(true)
                .journal_mode(SqliteJournalMode::Wal)
                // What was acknowledged outlives a power cut.
                .synchronous(SqliteSynchronous::Full)
                // What was erased is overwritten.
                .pragma("secure_delete", "ON")
                .busy_timeout(Duration::from_secs(5));
            let pool = SqlitePoolOptions::new().max_connections(4).connect_with(options).await;
            Pool::Sqlite(pool.map_err(|error| LiveError::Unreachable(error.to_string()))?)
        };
        let mut origin = [0; 8];
        getrandom::fill(&mut origin).map_err(|error| LiveError::Refused(format!("no random bytes: {error}")))?;
        let live = Self { pool, origin: i64::from_le_bytes(origin), stream: None };
        live.migrate().await?;
        Ok(live)
    }

    /// The files of a database at `sqlite:PATH`: its own, and those that SQLite keeps beside it. None of a server's.
    pub fn files(url: &str) -> Vec<PathBuf> {
        if !url.starts_with("sqlite:") {
            return vec![];
        }
        let Ok(options) = SqliteConnectOptions::from_str(url) else { return vec![] };
        let beside = |ending: &str| {
            let mut name = options.get_filename().as_os_str().to_owned();
            name.push(ending);
            PathBuf::from(name)
        };
        ["", "-wal", "-shm"].map(beside).to_vec()
    }

    /// SQLite takes the right to write at once: waiting for it later would fail instead of wait.
    const fn begin(&self) -> &'static str {
        match self.pool {
            Pool::Sqlite(_) => "BEGIN IMMEDIATE",
            Pool::Postgres(_) => "BEGIN",
        }
    }

    async fn migrate(&self) -> Result<(), LiveError> {
        on!(&self.pool, db => {
            sqlx::raw_sql("CREATE TABLE IF NOT EXISTS schema_version (version BIGINT PRIMARY KEY)").execute(db).await?;
        });
        let (known, _) = MIGRATIONS[MIGRATIONS.len() - 1];
        loop {
            let found = self.schema().await?;
            if found > known {
                return Err(LiveError::Newer { found, known });
            }
            let Some(migration) = MIGRATIONS.iter().find(|(number, _)| *number == found + 1) else { return Ok(()) };
            if let Err(error) = self.apply(migration).await {
                // Another server may have been quicker.
                if self.schema().await? <= found {
                    return Err(error);
                }
            }
        }
    }

    async fn schema(&self) -> Result<i64, LiveError> {
        let (found,): (i64,) = on!(&self.pool, db => {
            sqlx::query_as("SELECT COALESCE(MAX(version), 0) FROM schema_version").fetch_one(db).await?
        });
        Ok(found)
    }

    async fn apply(&self, &(number, text): &(i64, &'static str)) -> Result<(), LiveError> {
        let text = match self.pool {
            Pool::Sqlite(_) => text.replace("BYTES", "BLOB").replace("COUNTED", "INTEGER PRIMARY KEY AUTOINCREMENT"),
            Pool::Postgres(_) => text.replace("--postgres ", "").replace("BYTES", "BYTEA").replace("COUNTED", "BIGSERIAL PRIMARY KEY"),
        };
        // Nothing in it is anybody's input.
        let text = sqlx::AssertSqlSafe(text);
        on!(&self.pool, db => {
            let mut transaction = db.begin().await?;
            sqlx::query("INSERT INTO schema_version (version) VALUES ($1)").bind(number).execute(&mut *transaction).await?;
            sqlx::raw_sql(text).execute(&mut *transaction).await?;
            transaction.commit().await?;
        });
        Ok(())
    }

    /// Whether other servers may share it.
    pub const fn is_shared(&self) -> bool {
        matches!(self.pool, Pool::Postgres(_))
    }

    /// Whether it answers.
    ///
    /// # Errors
    /// Where it does not.
    pub async fn ping(&self) -> Result<(), LiveError> {
        on!(&self.pool, db => { sqlx::query("SELECT 1").execute(db).await?; });
        Ok(())
    }

    /// Every identity.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn identities(&self) -> Result<Vec<IdentityRow>, LiveError> {
        type Row = (Vec<u8>, i64, Vec<u8>, Vec<u8>);
        let rows: Vec<Row> = on!(&self.pool, db => {
            sqlx::query_as("SELECT lookup, key_version, subject, sealed FROM identity").fetch_all(db).await?
        });
        rows.into_iter().map(|(lookup, version, subject, sealed)| identity(lookup, version, subject, sealed)).collect()
    }

    /// Keeps what decisions are made with from now on; whether it did: not where another server has one of that version.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn keep_snapshot(&self, version: u64, made: i64, document: &[u8]) -> Result<bool, LiveError> {
        let version = i64::try_from(version).unwrap_or(i64::MAX);
        let kept = on!(&self.pool, db => {
            sqlx::query("INSERT INTO snapshot (version, made, document) VALUES ($1, $2, $3) ON CONFLICT (version) DO NOTHING")
                .bind(version).bind(made).bind(document).execute(db).await?.rows_affected()
        });
        Ok(kept > 0)
    }

    /// A snapshot; the newest, where no version is asked for.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn snapshot(&self, version: Option<u64>) -> Result<Option<Vec<u8>>, LiveError> {
        let most = version.map_or(i64::MAX, |version| i64::try_from(version).unwrap_or(i64::MAX));
        let least = version.map_or(0, |_| most);
        let row: Option<(Vec<u8>,)> = on!(&self.pool, db => {
            sqlx::query_as("SELECT document FROM snapshot WHERE version BETWEEN $1 AND $2 ORDER BY version DESC LIMIT 1")
                .bind(least).bind(most).fetch_optional(db).await?
        });
        Ok(row.map(|(document,)| document))
    }

    /// What was learnt, and through which batch of decisions.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn learnt(&self) -> Result<Option<(i64, Vec<u8>)>, LiveError> {
        Ok(on!(&self.pool, db => {
            sqlx::query_as("SELECT through, document FROM learner WHERE id = 1").fetch_optional(db).await?
        }))
    }

    /// Keeps what was learnt from the batches after `from` through `through`, together with the snapshot that follows from it.
    /// Stale where another server has learnt from them meanwhile, taken where it has a snapshot of that version.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn keep_learnt(&self, from: i64, through: i64, document: &[u8], snapshot: (u64, i64, &[u8])) -> Result<Written, LiveError> {
        let (version, made, bytes) = snapshot;
        let version = i64::try_from(version).unwrap_or(i64::MAX);
        on!(&self.pool, db => {
            let mut transaction = db.begin_with(self.begin()).await?;
            sqlx::query("INSERT INTO learner (id, through, document) VALUES (1, 0, $1) ON CONFLICT (id) DO NOTHING")
                .bind(document).execute(&mut *transaction).await?;
            let own = sqlx::query("UPDATE learner SET through = $2, document = $3 WHERE id = 1 AND through = $1")
                .bind(from).bind(through).bind(document).execute(&mut *transaction).await?.rows_affected();
            if own == 0 {
                return Ok(Written::Stale);
            }
            let kept = sqlx::query("INSERT INTO snapshot (version, made, document) VALUES ($1, $2, $3) ON CONFLICT (version) DO NOTHING")
                .bind(version).bind(made).bind(bytes).execute(&mut *transaction).await?.rows_affected();
            if kept == 0 {
                return Ok(Written::Taken);
            }
            transaction.commit().await?;
        });
        Ok(Written::Done)
    }
}

/// A row of the identity table, as it is kept.
fn identity(lookup: Vec<u8>, version: i64, subject: Vec<u8>, sealed: Vec<u8>) -> Result<IdentityRow, LiveError> {
    let row = || {
        Some(IdentityRow {
            lookup: lookup.try_into().ok()?,
            key_version: u32::try_from(version).ok()?,
            subject: SubjectId::from_bytes(subject.try_into().ok()?),
            sealed,
        })
    };
    row().ok_or_else(|| LiveError::Refused("the identity table is damaged: restore it from a backup".to_owned()))
}
