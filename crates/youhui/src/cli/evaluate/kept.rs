//! What every evaluation does with what it found: a page, a snapshot, and an answer.

use std::path::{Path, PathBuf};

use clap::Args as ClapArgs;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value, json};
use youhui_evaluation::experiment::MetricResult;

use super::super::{CliError, Console, Format};
use crate::runs::{Artefact, Run, VERSION};

/// Where it goes.
#[derive(Debug, ClapArgs)]
pub(super) struct Kept {
    /// Write a page with the pictures: one HTML file.
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Where the snapshot is kept: `youhui runs list|diff` compares them.
    #[arg(long, value_name = "DIR", default_value = crate::runs::FOLDER)]
    runs: PathBuf,
    /// How to print.
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
}

/// What a snapshot remembers of an evaluation.
pub(super) struct Snapshot<'a> {
    pub(super) command: &'static str,
    pub(super) configuration: Value,
    /// What it read: a path, and blake3.
    pub(super) data: (String, String),
    /// All files that it read.
    pub(super) files: &'a [&'a Path],
    pub(super) figures: Map<String, Value>,
}

impl Kept {
    /// Refuses a page in place of what is read, or in a folder of it: that would be lost. Also for before something is read that takes long.
    pub(super) fn spare(&self, files: &[&Path], folder: Option<&Path>) -> Result<(), CliError> {
        let Some(report) = &self.report else { return Ok(()) };
        let page = whereabouts(report);
        let refuse = |why: &str| Err(CliError::usage(format!("--report {}: {why}: give the page another name", report.display())));
        if files.iter().any(|file| whereabouts(file) == page) {
            return refuse("that is what was read, and would be lost");
        }
        if folder.is_some_and(|folder| page.starts_with(whereabouts(folder))) {
            return refuse("that is in the folder that is read, and what the shop has there would be lost");
        }
        Ok(())
    }

    /// Writes the page, where one is wanted, and keeps a snapshot; its name.
    pub(super) fn keep(&self, snapshot: Snapshot<'_>, started: Timestamp, page: impl FnOnce() -> String) -> Result<String, CliError> {
        let Snapshot { command, configuration, data: (path, hash), files, figures } = snapshot;
        self.spare(files, None)?;
        let artefacts = write_page(self.report.as_deref(), page)?;
        let run = Run {
            schema_version: VERSION,
            id: String::new(),
            started: String::new(),
            seconds: 0.0,
            command: command.to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            configuration: configuration.as_object().cloned().unwrap_or_default(),
            data: vec![Artefact { path, hash }],
            metrics: figures,
            epochs: Map::new(),
            artefacts,
        };
        Ok(run.record(&self.runs, started)?.id)
    }

    /// Prints it, for machines or for people; names that came from files are no commands to a terminal.
    pub(super) fn print<T: Serialize>(&self, console: Console, report: &T, table: impl FnOnce(&T) -> String) -> Result<(), CliError> {
        match self.format {
            Format::Json => console.print(&serde_json::to_string(report).unwrap_or_default()),
            Format::Table => console.show(&table(report)),
        }
    }
}

/// Where a path leads, links followed; of one that isn't there yet, as far as it is.
fn whereabouts(path: &Path) -> PathBuf {
    if let Ok(found) = path.canonicalize() {
        return found;
    }
    match (path.parent(), path.file_name()) {
        (Some(parent), Some(name)) if parent.as_os_str().is_empty() => whereabouts(Path::new(".")).join(name),
        (Some(parent), Some(name)) => whereabouts(parent).join(name),
        _ => path.to_owned(),
    }
}

/// Writes a page, where one is wanted.
fn write_page(path: Option<&Path>, page: impl FnOnce() -> String) -> Result<Vec<Artefact>, CliError> {
    let Some(path) = path else { return Ok(vec![]) };
    let page = page();
    youhui_storage::write_atomic(path, page.as_bytes())?;
    Ok(vec![Artefact::of(path, page.as_bytes())])
}

/// Metrics as a snapshot remembers them, each after a prefix.
pub(super) fn of_metrics<'a>(prefix: &'a str, metrics: &'a [MetricResult]) -> impl Iterator<Item = (String, Value)> + 'a {
    metrics.iter().flat_map(move |metric| {
        let figures = [("effect", json!(metric.effect)), ("low", json!(metric.low)), ("high", json!(metric.high)), ("n", json!(metric.n))];
        figures.map(|(what, value)| (format!("{prefix}{}.{what}", metric.metric), value))
    })
}
