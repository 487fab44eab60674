//! The audit log of a served shop: what its people and programs changed.

use std::path::{Path, PathBuf};

use youhui_privacy::audit::{Chain, Change, Head, Row};
use youhui_storage::{Live as Database, audit_key, keep_audit_head};

use crate::cli::{CliError, now};

/// Writes down what is changed.
#[derive(Debug, Clone)]
pub(crate) struct Audit {
    folder: PathBuf,
    database: Database,
    key: [u8; 32],
}

impl Audit {
    /// The log of the shop in a folder.
    pub(crate) fn open(folder: &Path, database: Database) -> Result<Self, CliError> {
        let (key, _) = audit_key(folder)?;
        Ok(Self { folder: folder.to_owned(), database, key })
    }

    /// Writes down that `actor` did `action` to `object`, which is `after` now.
    pub(crate) async fn record(&self, actor: &str, action: &str, object: &str, after: String) -> Result<(), CliError> {
        let change = Change {
            time: now(),
            actor: actor.to_owned(),
            action: action.to_owned(),
            object: object.to_owned(),
            before: None,
            after: Some(after),
            reason: String::new(),
        };
        loop {
            let last = self.database.last_audit().await?.and_then(|bytes| postcard::from_bytes::<Row>(&bytes).ok());
            let head = last.map_or(Head { number: 0, hash: [0; 32] }, |row| Head { number: row.number, hash: row.hash });
            let mut chain = Chain::after(self.key, head);
            let row = chain.append(change.clone());
            // Plain data, written to memory. Where another server was quicker, after its row.
            if self.database.add_audit(row.number, &postcard::to_stdvec(&row).unwrap_or_default()).await? {
                return Ok(keep_audit_head(&self.folder, self.key, chain.head())?);
            }
        }
    }
}
