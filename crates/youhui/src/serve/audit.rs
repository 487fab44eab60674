//! The audit log of a served shop: what its people and programs changed.

use std::path::{Path, PathBuf};

use youhui_privacy::audit::{Chain, Change as Row, Head, Row as Chained};
use youhui_storage::{Change, Live as Database, Written, audit_key, keep_audit_head};

use crate::cli::{CliError, now};

/// Writes down what is changed.
#[derive(Debug, Clone)]
pub(crate) struct Audit {
    folder: PathBuf,
    database: Database,
    key: [u8; 32],
}

/// What is said of a change.
#[derive(Debug, Clone, Default)]
pub(crate) struct Said {
    pub(crate) actor: String,
    pub(crate) action: String,
    pub(crate) object: String,
    pub(crate) before: Option<String>,
    pub(crate) after: Option<String>,
    pub(crate) reason: String,
}

impl Audit {
    /// The log of the shop in a folder.
    pub(crate) async fn open(folder: &Path, database: Database) -> Result<Self, CliError> {
        let is_new = !folder.join("keys").join("audit.json").exists();
        if is_new && database.last_audit().await?.is_some() {
            let folder = folder.display();
            return Err(CliError::usage(format!(
                "{folder}: the key of this database's audit log is not here: name the folder of --store that it was made with, or copy its keys"
            )));
        }
        let (key, _) = audit_key(folder)?;
        Ok(Self { folder: folder.to_owned(), database, key })
    }

    /// Writes down what was done.
    pub(crate) async fn record(&self, said: Said) -> Result<(), CliError> {
        let change = said.row();
        loop {
            let (row, chain) = self.next(&change).await?;
            if self.database.add_audit(row.number, &bytes(&row)).await? {
                return Ok(keep_audit_head(&self.folder, self.key, chain.head())?);
            }
        }
    }

    /// Makes a change and writes it down, both or neither; whether it is made: not where somebody else was quicker.
    pub(crate) async fn change(&self, change: Change<'_>, said: Said) -> Result<bool, CliError> {
        let said = said.row();
        loop {
            let (row, chain) = self.next(&said).await?;
            match self.database.change(change, (row.number, &bytes(&row))).await? {
                Written::Done => {
                    keep_audit_head(&self.folder, self.key, chain.head())?;
                    return Ok(true);
                }
                Written::Stale => return Ok(false),
                // Another server was quicker: after its row.
                Written::Taken => {}
            }
        }
    }

    /// The row that would come next.
    async fn next(&self, change: &Row) -> Result<(Chained, Chain), CliError> {
        let last = self.database.last_audit().await?;
        let damaged =
            |error| CliError::usage(format!("the last row of the audit log can't be read ({error}): restore the database from a backup"));
        let last = last.map(|bytes| postcard::from_bytes::<Chained>(&bytes)).transpose().map_err(damaged)?;
        let head = last.map_or(Head { number: 0, hash: [0; 32] }, |row| Head { number: row.number, hash: row.hash });
        let mut chain = Chain::after(self.key, head);
        Ok((chain.append(change.clone()), chain))
    }
}

impl Said {
    fn row(self) -> Row {
        let Self { actor, action, object, before, after, reason } = self;
        Row { time: now(), actor, action, object, before, after, reason }
    }
}

/// Plain data, written to memory.
fn bytes(row: &Chained) -> Vec<u8> {
    postcard::to_stdvec(row).unwrap_or_default()
}
