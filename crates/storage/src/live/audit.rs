//! Rows of the audit log, as their writer makes them.

use super::{Live, LiveError, on};

impl Live {
    /// Adds a row; whether it did: not where another server has added one of that number.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn add_audit(&self, number: u64, content: &[u8]) -> Result<bool, LiveError> {
        let number = i64::try_from(number).unwrap_or(i64::MAX);
        let added = on!(&self.pool, db => {
            sqlx::query("INSERT INTO audit (number, content) VALUES ($1, $2) ON CONFLICT (number) DO NOTHING")
                .bind(number).bind(content).execute(db).await?.rows_affected()
        });
        Ok(added > 0)
    }

    /// Rows in order from one on, some at a time: (number, content).
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn audit_after(&self, number: i64) -> Result<Vec<(i64, Vec<u8>)>, LiveError> {
        Ok(on!(&self.pool, db => {
            sqlx::query_as("SELECT number, content FROM audit WHERE number > $1 ORDER BY number LIMIT 500").bind(number).fetch_all(db).await?
        }))
    }

    /// The last row.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn last_audit(&self) -> Result<Option<Vec<u8>>, LiveError> {
        let row: Option<(Vec<u8>,)> = on!(&self.pool, db => {
            sqlx::query_as("SELECT content FROM audit ORDER BY number DESC LIMIT 1").fetch_optional(db).await?
        });
        Ok(row.map(|(content,)| content))
    }
}
