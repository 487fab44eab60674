//! Records of what was run: configuration, data, metrics, artefacts. One JSON file a run, written once.

use std::path::{Path, PathBuf};

use jiff::{Timestamp, fmt::strtime};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use youhui_storage::write_atomic;

use crate::cli::CliError;

/// Where records lie if nothing else is said.
pub(crate) const FOLDER: &str = "youhui-runs";

/// Of the form of records.
pub(crate) const VERSION: u32 = 1;

/// One run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Run {
    pub(crate) schema_version: u32,
    pub(crate) id: String,
    pub(crate) started: String,
    pub(crate) seconds: f64,
    pub(crate) command: String,
    /// Of this program.
    pub(crate) version: String,
    /// What it was asked.
    pub(crate) configuration: Map<String, Value>,
    /// The files it read.
    pub(crate) data: Vec<Artefact>,
    /// What it found, by name.
    pub(crate) metrics: Map<String, Value>,
    /// Losses by epoch, by network.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub(crate) epochs: Map<String, Value>,
    /// The files it wrote.
    pub(crate) artefacts: Vec<Artefact>,
}

/// A file with the hash of its bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Artefact {
    pub(crate) path: String,
    /// blake3.
    pub(crate) hash: String,
}

impl Artefact {
    pub(crate) fn of(path: &Path, bytes: &[u8]) -> Self {
        Self { path: path.display().to_string(), hash: blake3::hash(bytes).to_hex().to_string() }
    }
}

impl Run {
    /// Writes the record, under a new id.
    pub(crate) fn record(mut self, folder: &Path, started: Timestamp) -> Result<Self, CliError> {
        self.started = started.to_string();
        self.seconds = Timestamp::now().duration_since(started).as_secs_f64();
        let time = strtime::format("%Y%m%d-%H%M%S", started).map_err(|error| CliError::usage(error.to_string()))?;
        let text = |run: &Self| serde_json::to_string_pretty(run).map_err(|error| CliError::usage(error.to_string()));
        // Two runs of one second differ in their process or their nanoseconds.
        let unique = format!("{}{}{}", std::process::id(), started.as_nanosecond(), text(&self)?);
        self.id = format!("{time}-{}", &blake3::hash(unique.as_bytes()).to_hex()[..6]);
        std::fs::create_dir_all(folder).map_err(|error| CliError::usage(format!("{}: {error}", folder.display())))?;
        write_atomic(&folder.join(format!("{}.json", self.id)), text(&self)?.as_bytes())?;
        Ok(self)
    }
}

/// All runs of a folder, the oldest first, and what could not be read.
pub(crate) fn read_all(folder: &Path) -> Result<(Vec<Run>, Vec<String>), CliError> {
    let listed = std::fs::read_dir(folder).map_err(|error| {
        CliError::usage(format!("{}: {error}: no run is recorded there; name another folder with --runs", folder.display()))
    })?;
    let mut paths: Vec<PathBuf> = listed.filter_map(|entry| entry.ok().map(|entry| entry.path())).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    paths.sort();
    let (mut runs, mut unreadable) = (Vec::new(), Vec::new());
    for path in paths {
        let text = std::fs::read_to_string(&path).map_err(|error| error.to_string());
        match text.and_then(|text| serde_json::from_str::<Run>(&text).map_err(|error| error.to_string())) {
            Ok(run) if run.schema_version != VERSION => {
                unreadable.push(format!("{}: is of version {}: this program reads {VERSION}", path.display(), run.schema_version));
            }
            Ok(run) if path.file_stem().is_none_or(|stem| stem != run.id.as_str()) || run.id.chars().any(char::is_control) => {
                unreadable.push(format!("{}: is the record of a run of another name", path.display()));
            }
            Ok(run) => runs.push(run),
            Err(error) => unreadable.push(format!("{}: is no record of a run: {error}", path.display())),
        }
    }
    runs.sort_by(|one, other| one.started.cmp(&other.started).then(one.id.cmp(&other.id)));
    Ok((runs, unreadable))
}

/// The run whose id begins so; `latest` is the last one.
pub(crate) fn find(runs: &[Run], id: &str) -> Result<Run, CliError> {
    if id == "latest" {
        return runs.last().cloned().ok_or_else(|| CliError::usage("no run is recorded yet"));
    }
    let mut found = runs.iter().filter(|run| run.id.starts_with(id));
    match (found.next(), found.next()) {
        (Some(run), None) => Ok(run.clone()),
        (Some(run), Some(_)) if run.id != id => Err(CliError::usage(format!("several runs begin with {id:?}: write more of the id"))),
        (Some(run), Some(_)) => Ok(run.clone()),
        (None, _) => Err(CliError::usage(format!("no run begins with {id:?}: see youhui runs list"))),
    }
}
