//! `youhui runs`: what was run, and how two runs differ.

use std::collections::BTreeSet;
use std::path::PathBuf;

use clap::{Args as ClapArgs, Subcommand};
use serde_json::{Map, Value, json};

use super::{CliError, Console, Format, printable};
use crate::runs::{FOLDER, Run, find, read_all};

/// Compare what was run: every `response fit` leaves a record.
#[derive(Debug, ClapArgs)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
    /// Where records lie.
    #[arg(long, value_name = "DIR", env = "YOUHUI_RUNS", default_value = FOLDER, global = true)]
    runs: PathBuf,
    /// How to print.
    #[arg(long, value_enum, default_value = "table", global = true)]
    format: Format,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// All runs, the oldest first.
    List,
    /// One run: configuration, data, metrics, losses by epoch, artefacts.
    Show {
        /// Its id or the beginning of it, or `latest`.
        id: String,
    },
    /// What differs between two runs.
    Diff {
        /// The first.
        one: String,
        /// The second.
        other: String,
    },
}

pub(crate) fn run(args: &Args, console: Console) -> Result<(), CliError> {
    let (runs, unreadable) = read_all(&args.runs)?;
    unreadable.iter().for_each(|message| console.say(&format!("warning: {message}")));
    let text = match (&args.command, args.format) {
        (Command::List, Format::Json) => json!(runs.iter().map(summary).collect::<Vec<_>>()).to_string(),
        (Command::List, Format::Table) => list(&runs),
        (Command::Show { id }, Format::Json) => json!(find(&runs, id)?).to_string(),
        (Command::Show { id }, Format::Table) => show(&find(&runs, id)?),
        (Command::Diff { one, other }, format) => {
            let (one, other) = (find(&runs, one)?, find(&runs, other)?);
            let differences = diff(&one, &other);
            match format {
                Format::Json => json!({"one": one.id, "other": other.id, "differences": differences}).to_string(),
                Format::Table => table_of(&one, &other, &differences),
            }
        }
    };
    // What a record holds is no command to a terminal.
    console.print(&printable(&text))
}

fn summary(run: &Run) -> Value {
    json!({"id": run.id, "started": run.started, "seconds": run.seconds, "command": run.command, "configuration": run.configuration, "metrics": run.metrics})
}

fn list(runs: &[Run]) -> String {
    let mut lines = vec![format!("{:<24}{:>9}  {:<14}{:<14}{:>12}  {}", "id", "seconds", "command", "learner", "policy gain", "data")];
    for run in runs {
        let learner = run.configuration.get("learner").and_then(Value::as_str).unwrap_or("");
        let gain = run.metrics.get("policy.gain").and_then(Value::as_f64).map_or_else(String::new, |gain| format!("{gain:.5}"));
        let data: Vec<&str> = run.data.iter().map(|data| data.path.as_str()).collect();
        lines.push(format!("{:<24}{:>9.1}  {:<14}{:<14}{:>12}  {}", run.id, run.seconds, run.command, learner, gain, data.join(", ")));
    }
    lines.join("\n")
}

fn show(run: &Run) -> String {
    let mut lines = vec![format!("{} {} ({}, {:.1} s, version {})", run.id, run.command, run.started, run.seconds, run.version)];
    let mut part = |title: &str, entries: Vec<String>| {
        if !entries.is_empty() {
            lines.push(format!("{title}:"));
            lines.extend(entries.into_iter().map(|entry| format!("  {entry}")));
        }
    };
    let pairs = |of: &Map<String, Value>| of.iter().map(|(name, value)| format!("{name} = {value}")).collect::<Vec<_>>();
    part("configuration", pairs(&run.configuration));
    part("data", run.data.iter().map(|data| format!("{} (blake3 {})", data.path, data.hash)).collect());
    part("metrics", pairs(&run.metrics));
    let curve = |(name, epochs): (&String, &Value)| {
        let epochs = epochs.as_array().map(Vec::as_slice).unwrap_or_default();
        let losses = |epoch: &Value| {
            let held_out = epoch["held_out"].as_f64().map_or_else(String::new, |loss| format!(" / {loss:.4}"));
            format!("{:.4}{held_out}", epoch["loss"].as_f64().unwrap_or(f64::NAN))
        };
        let ends: Vec<String> = epochs.first().into_iter().chain(epochs.last()).map(losses).collect();
        format!("{name}: {} epochs, loss / held out {}", epochs.len(), ends.join(" → "))
    };
    part("training", run.epochs.iter().map(curve).collect());
    part("artefacts", run.artefacts.iter().map(|file| format!("{} (blake3 {})", file.path, file.hash)).collect());
    lines.join("\n")
}

/// What differs, by name: one's value and the other's.
fn diff(one: &Run, other: &Run) -> Map<String, Value> {
    let mut differences = Map::new();
    let mut compare = |prefix: &str, one: &Map<String, Value>, other: &Map<String, Value>| {
        for name in one.keys().chain(other.keys()).collect::<BTreeSet<_>>() {
            let (of_one, of_other) = (one.get(name), other.get(name));
            if of_one != of_other {
                differences.insert(format!("{prefix}.{name}"), json!([of_one, of_other]));
            }
        }
    };
    compare("configuration", &one.configuration, &other.configuration);
    let data = |run: &Run| run.data.iter().map(|data| (data.path.clone(), json!(data.hash))).collect::<Map<_, _>>();
    compare("data", &data(one), &data(other));
    compare("metrics", &one.metrics, &other.metrics);
    let version = |run: &Run| Map::from_iter([("version".to_owned(), json!(run.version))]);
    compare("program", &version(one), &version(other));
    differences
}

fn table_of(one: &Run, other: &Run, differences: &Map<String, Value>) -> String {
    if differences.is_empty() {
        return format!("{} and {} were asked the same of the same data and found the same", one.id, other.id);
    }
    let cell = |value: &Value| match value {
        Value::Null => "-".to_owned(),
        Value::Number(number) => number.as_f64().map_or_else(|| number.to_string(), |value| format!("{value:.6}")),
        Value::String(text) if text.len() > 24 => format!("{}…", text.chars().take(23).collect::<String>()),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let width = differences.keys().map(|name| name.chars().count()).max().unwrap_or(0) + 2;
    let mut lines = vec![format!("{:<width$}{:>26}{:>26}", "", one.id, other.id)];
    lines.extend(differences.iter().map(|(name, both)| format!("{name:<width$}{:>26}{:>26}", cell(&both[0]), cell(&both[1]))));
    lines.join("\n")
}
