//! What people change while the server runs: campaigns, keys and switches, each together with its row of the audit log.

use super::{Live, LiveError, on};

/// A key of somebody who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKey {
    /// Whose.
    pub name: String,
    /// What it may.
    pub role: String,
    /// BLAKE3 of the key: the key itself is nowhere.
    pub hash: Vec<u8>,
    /// When it was made.
    pub made: i64,
    /// From when on it is worth nothing.
    pub revoked: Option<i64>,
}

/// Something to change.
#[derive(Debug, Clone, Copy)]
pub enum Change<'a> {
    /// A campaign as it is from now on.
    Campaign {
        /// Which.
        id: &'a str,
        /// The revision that it follows; 0 where it is new.
        after: i64,
        /// What is kept of it.
        document: &'a [u8],
    },
    /// A new key.
    NewKey(&'a ApiKey),
    /// A key that is worth nothing any more.
    Revoke {
        /// Whose.
        name: &'a str,
        /// When.
        time: i64,
    },
    /// A switch of the whole shop.
    Setting {
        /// Which.
        name: &'a str,
        /// What it says.
        content: &'a str,
    },
}

/// What became of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written {
    /// It is made, and in the audit log.
    Done,
    /// Somebody else was quicker, or there is no such thing: nothing is written.
    Stale,
    /// The number that it was to have is another's: nothing is written, try again with the next.
    Taken,
}

impl Live {
    /// Makes a change and writes its row of the audit log, both or neither.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn change(&self, change: Change<'_>, audit: (u64, &[u8])) -> Result<Written, LiveError> {
        let (number, row) = (i64::try_from(audit.0).unwrap_or(i64::MAX), audit.1);
        on!(&self.pool, db => {
            let mut transaction = db.begin_with(self.begin()).await?;
            let written = match change {
                Change::Campaign { id, after: 0, document } => {
                    sqlx::query("INSERT INTO campaign (campaign_id, revision, document) VALUES ($1, 1, $2) ON CONFLICT (campaign_id) DO NOTHING")
                        .bind(id).bind(document).execute(&mut *transaction).await?.rows_affected()
                }
                Change::Campaign { id, after, document } => {
                    sqlx::query("UPDATE campaign SET revision = $2 + 1, document = $3 WHERE campaign_id = $1 AND revision = $2")
                        .bind(id).bind(after).bind(document).execute(&mut *transaction).await?.rows_affected()
                }
                Change::NewKey(key) => {
                    sqlx::query("INSERT INTO api_key (name, role, hash, made) VALUES ($1, $2, $3, $4) ON CONFLICT (name) DO NOTHING")
                        .bind(&key.name).bind(&key.role).bind(key.hash.as_slice()).bind(key.made)
                        .execute(&mut *transaction).await?.rows_affected()
                }
                Change::Revoke { name, time } => {
                    sqlx::query("UPDATE api_key SET revoked = $2 WHERE name = $1 AND revoked IS NULL")
                        .bind(name).bind(time).execute(&mut *transaction).await?.rows_affected()
                }
                Change::Setting { name, content } => {
                    sqlx::query("INSERT INTO setting (name, content) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET content = excluded.content")
                        .bind(name).bind(content).execute(&mut *transaction).await?.rows_affected()
                }
            };
            if written == 0 {
                return Ok(Written::Stale);
            }
            let logged = sqlx::query("INSERT INTO audit (number, content) VALUES ($1, $2) ON CONFLICT (number) DO NOTHING")
                .bind(number).bind(row).execute(&mut *transaction).await?.rows_affected();
            if logged == 0 {
                return Ok(Written::Taken);
            }
            sqlx::query("UPDATE changed SET number = number + 1 WHERE id = 1").execute(&mut *transaction).await?;
            transaction.commit().await?;
        });
        Ok(Written::Done)
    }

    /// Counts up with every change.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn changed(&self) -> Result<i64, LiveError> {
        let (number,): (i64,) = on!(&self.pool, db => { sqlx::query_as("SELECT number FROM changed WHERE id = 1").fetch_one(db).await? });
        Ok(number)
    }

    /// Campaigns in the order of their identifiers, after one, so many at most: (revision, document).
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn campaigns(&self, after: &str, most: i64) -> Result<Vec<(i64, Vec<u8>)>, LiveError> {
        Ok(on!(&self.pool, db => {
            sqlx::query_as("SELECT revision, document FROM campaign WHERE campaign_id > $1 ORDER BY campaign_id LIMIT $2")
                .bind(after).bind(most).fetch_all(db).await?
        }))
    }

    /// One campaign: (revision, document).
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn campaign(&self, id: &str) -> Result<Option<(i64, Vec<u8>)>, LiveError> {
        Ok(on!(&self.pool, db => {
            sqlx::query_as("SELECT revision, document FROM campaign WHERE campaign_id = $1").bind(id).fetch_optional(db).await?
        }))
    }

    /// Every key, in the order of names.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn api_keys(&self) -> Result<Vec<ApiKey>, LiveError> {
        type Row = (String, String, Vec<u8>, i64, Option<i64>);
        let rows: Vec<Row> = on!(&self.pool, db => {
            sqlx::query_as("SELECT name, role, hash, made, revoked FROM api_key ORDER BY name").fetch_all(db).await?
        });
        Ok(rows.into_iter().map(|(name, role, hash, made, revoked)| ApiKey { name, role, hash, made, revoked }).collect())
    }

    /// What a switch says.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn setting(&self, name: &str) -> Result<Option<String>, LiveError> {
        let row: Option<(String,)> = on!(&self.pool, db => {
            sqlx::query_as("SELECT content FROM setting WHERE name = $1").bind(name).fetch_optional(db).await?
        });
        Ok(row.map(|(content,)| content))
    }

    /// Keeps what a switch says, without a row of the audit log: for what the server keeps for itself.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn keep_setting(&self, name: &str, content: &str) -> Result<(), LiveError> {
        on!(&self.pool, db => {
            sqlx::query("INSERT INTO setting (name, content) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET content = excluded.content")
                .bind(name).bind(content).execute(db).await?;
        });
        Ok(())
    }

    /// Takes the lease of that name until then, or goes on with it; whether it is this server's now.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn lease(&self, name: &str, now: i64, until: i64) -> Result<bool, LiveError> {
        // Times have as many digits as each other, so that they compare as texts do.
        let (mine, over) = (format!("{until:020} {}", self.origin), format!("{now:020}"));
        let taken = on!(&self.pool, db => {
            sqlx::query(
                "INSERT INTO setting (name, content) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET content = excluded.content
                 WHERE setting.content < $3 OR setting.content LIKE $4",
            )
            .bind(name).bind(&mine).bind(&over).bind(format!("% {}", self.origin)).execute(db).await?.rows_affected()
        });
        Ok(taken > 0)
    }
}
