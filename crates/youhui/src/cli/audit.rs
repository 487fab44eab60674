//! `youhui audit`.

use std::path::Path;

use clap::{Args as ClapArgs, Subcommand};
use serde_json::json;
use youhui_privacy::audit::{Broken, Chain, Row};
use youhui_storage::{Live as Database, audit_key};

use super::{CliError, Console};

/// The log of what was changed: print it, or check that nobody has changed the log.
#[derive(Debug, ClapArgs)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
    #[command(flatten)]
    shop: super::Served,
}

#[derive(Debug, Clone, Copy, Subcommand)]
enum What {
    /// Check every row against the one before, and the end against what is kept apart; names the first row that is wrong.
    Verify,
    /// Print every row as a line of JSON.
    List,
}

pub(crate) fn run(args: &Args, console: Console) -> Result<(), CliError> {
    if !args.shop.store.join("keys").join("audit.json").exists() {
        return Err(CliError::usage(format!(
            "--store {}: there is no key of an audit log here: no server has run",
            args.shop.store.display()
        )));
    }
    super::serve::runtime()?.block_on(read(args, console))
}

async fn read(args: &Args, console: Console) -> Result<(), CliError> {
    let database = args.shop.open().await?;
    if let What::Verify = args.what {
        let rows = verified(&args.shop.store, &database).await?;
        return console.print(&json!({"rows": rows, "whole": true}).to_string());
    }
    let mut after = 0;
    loop {
        let rows = database.audit_after(after).await?;
        let Some((last, _)) = rows.last() else { return Ok(()) };
        after = *last;
        for (number, content) in &rows {
            match row(*number, content) {
                Some(row) => console.print(&serde_json::to_string(&row.change).unwrap_or_default())?,
                None => console.say(&format!("row {number} can't be read")),
            }
        }
    }
}

/// A row under another number than its own is out of place as well.
fn row(number: i64, content: &[u8]) -> Option<Row> {
    postcard::from_bytes::<Row>(content).ok().filter(|row| i64::try_from(row.number) == Ok(number))
}

/// How many rows the log has, if it is whole.
pub(super) async fn verified(store: &Path, database: &Database) -> Result<u64, CliError> {
    if !store.join("keys").join("audit.json").exists() {
        // Looking makes no key.
        return match database.last_audit().await? {
            None => Ok(0),
            Some(_) => Err(CliError::usage(format!("--store {}: the key of this audit log is not here", store.display()))),
        };
    }
    let (key, head) = audit_key(store)?;
    let (mut chain, mut after) = (Chain::new(key), 0);
    loop {
        let rows = database.audit_after(after).await?;
        let Some((last, _)) = rows.last() else { break };
        after = *last;
        for (number, content) in &rows {
            let row = row(*number, content).ok_or_else(|| negative(&Broken::Row(u64::try_from(*number).unwrap_or(0))))?;
            chain.follow(&row).map_err(|broken| negative(&broken))?;
        }
    }
    let found = chain.head().number;
    if head.number > found {
        return Err(negative(&Broken::End { expected: head.number, found }));
    }
    Ok(found)
}

/// Checked, and the answer is no.
fn negative(broken: &Broken) -> CliError {
    CliError { code: 1, message: broken.to_string() }
}
