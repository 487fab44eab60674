//! `youhui replay`.

use std::path::PathBuf;

use clap::Args as ClapArgs;
use serde_json::json;
use youhui_decision::DecisionId;
use youhui_storage::Live as Database;

use super::{CliError, Console};
use crate::serve::{Explained, Record, Snapshots, database_of, find, snapshot_of};

/// Make decisions again from what was logged, and compare them byte for byte.
#[derive(Debug, ClapArgs)]
pub(crate) struct Args {
    /// Which decision, and print it whole; all that are on record, if absent.
    #[arg(value_name = "ID")]
    decision: Option<String>,
    /// The shop's folder.
    #[arg(long, value_name = "DIR", default_value = "youhui-shop")]
    store: PathBuf,
    /// `postgres://…`, or `sqlite:PATH`; a file in the shop's folder if absent.
    #[arg(long, value_name = "URL", env = "YOUHUI_DATABASE", hide_env_values = true)]
    database: Option<String>,
}

pub(crate) fn run(args: &Args, console: Console) -> Result<(), CliError> {
    if args.database.is_none() && !args.store.join("live.db").exists() {
        return Err(CliError::usage(format!("--store {}: no server has run here", args.store.display())));
    }
    super::serve::runtime()?.block_on(replay(args, console))
}

async fn replay(args: &Args, console: Console) -> Result<(), CliError> {
    let database = Database::open(&args.database.clone().unwrap_or_else(|| database_of(&args.store))).await?;
    let Some(text) = &args.decision else { return replay_all(&database, console).await };
    let wanted =
        DecisionId::parse(text).ok_or_else(|| CliError::usage(format!("{text}: a decision's identifier has 32 hexadecimal digits")))?;
    let record = find(&database, wanted).await?.ok_or_else(|| CliError::usage(format!("{text}: no such decision is on record")))?;
    let snapshot = snapshot_of(&database, record.facts.snapshot).await?;
    let explained = Explained::of(record, &snapshot);
    console.print(&serde_json::to_string_pretty(&explained).unwrap_or_default())?;
    if explained.replays { Ok(()) } else { Err(negative("it is not what was decided then")) }
}

async fn replay_all(database: &Database, console: Console) -> Result<(), CliError> {
    let (mut after, mut decisions, mut differ) = (0, 0_u64, vec![]);
    let mut snapshots = Snapshots::new(database);
    loop {
        let batches = database.decisions_after(after).await?;
        let Some((last, _)) = batches.last() else { break };
        after = *last;
        for bytes in batches.iter().flat_map(|(_, records)| records) {
            decisions += 1;
            let Ok(record) = postcard::from_bytes::<Record>(bytes) else {
                differ.push("a record that can't be read".to_owned());
                continue;
            };
            let snapshot = snapshots.of(record.facts.snapshot).await?;
            let explained = Explained::of(record, snapshot);
            if !explained.replays {
                differ.push(explained.decision_id);
            }
        }
    }
    let first: Vec<&String> = differ.iter().take(10).collect();
    console.print(&json!({"decisions": decisions, "equal": decisions - differ.len() as u64, "different": first}).to_string())?;
    if differ.is_empty() {
        Ok(())
    } else {
        Err(negative(&format!("{} of {decisions} decisions are not what was decided then", differ.len())))
    }
}

/// Checked, and the answer is no.
fn negative(message: &str) -> CliError {
    CliError { code: 1, message: message.to_owned() }
}
