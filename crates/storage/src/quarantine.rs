//! Rows that were not imported: which, why, and what to do.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::error::StoreError;

/// A rule that rows must keep.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// A field that is needed is empty.
    Missing,
    /// Not a number where one is needed.
    NotANumber,
    /// More than 64 bits of minor units, or a quantity above a million.
    TooLarge,
    /// A quantity below 1.
    NegativeQuantity,
    /// Neither units nor money.
    NothingBought,
    /// An amount below 0.
    NegativeAmount,
    /// Another currency than the store's.
    OtherCurrency,
    /// Not a date in the mapping's format.
    UnreadableTime,
    /// Later than now.
    Future,
    /// Before 1990.
    TooOld,
    /// The same event id with other content, in one import.
    ConflictingDuplicate,
    /// Not one of our kinds of events.
    UnknownKind,
    /// Longer than 4,096 bytes.
    TooLong,
    /// The line does not have the file's form.
    BrokenLine,
}

impl Rule {
    /// The name in the quarantine file and in summaries.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::NotANumber => "not_a_number",
            Self::TooLarge => "too_large",
            Self::NegativeQuantity => "negative_quantity",
            Self::NothingBought => "nothing_bought",
            Self::NegativeAmount => "negative_amount",
            Self::OtherCurrency => "other_currency",
            Self::UnreadableTime => "unreadable_time",
            Self::Future => "future",
            Self::TooOld => "too_old",
            Self::ConflictingDuplicate => "conflicting_duplicate",
            Self::UnknownKind => "unknown_kind",
            Self::TooLong => "too_long",
            Self::BrokenLine => "broken_line",
        }
    }

    /// What to do about it.
    pub const fn remedy(self) -> &'static str {
        match self {
            Self::Missing => "fill the field, or leave the row out of the export",
            Self::NotANumber => "write digits with a point for the decimals; check which column the mapping names",
            Self::TooLarge => "check the unit: the number is beyond anything a shop sells",
            Self::NegativeQuantity => "if negative means returned, set `negative_is_refund = true` in the mapping",
            Self::NothingBought => "a line without units and money is no order: leave it out of the export",
            Self::NegativeAmount => "an amount is not below 0; record money paid back as a `refund` event with a positive amount",
            Self::OtherCurrency => "a store has one currency: import these rows into a store of their own",
            Self::UnreadableTime => "give the mapping's `time` the `format` of this column",
            Self::Future => "check the clock or the time zone that wrote it",
            Self::TooOld => "check the format: nobody sold this online before 1990",
            Self::ConflictingDuplicate => "two different rows have one event id: name more columns in `event_id`",
            Self::UnknownKind => "use one of the kinds that `youhui schema events` lists",
            Self::TooLong => "the field holds more than an identifier: check which column the mapping names",
            Self::BrokenLine => "export the file again, as UTF-8: the line is cut, has another number of fields or another encoding",
        }
    }
}

/// One row that was not imported.
#[derive(Debug, Clone, Serialize)]
pub struct BadRow {
    /// The file.
    pub file: String,
    /// Counted from 1, without the header.
    pub row: u64,
    /// The field of ours, or the column of theirs.
    pub field: String,
    /// What stood there; never a customer's identifier.
    pub value: String,
    /// What it broke.
    pub rule: Rule,
    /// What to do.
    pub remedy: &'static str,
}

impl BadRow {
    pub(crate) fn new(row: u64, field: &str, value: &str, rule: Rule) -> Self {
        let value = value.chars().take(80).collect();
        Self { file: String::new(), row, field: field.to_owned(), value, rule, remedy: rule.remedy() }
    }
}

/// Collects bad rows: counts all, writes all to a file, keeps one example a rule.
#[derive(Debug)]
pub(crate) struct Quarantine {
    path: PathBuf,
    file: Option<BufWriter<File>>,
    pub(crate) counts: BTreeMap<&'static str, u64>,
    pub(crate) examples: BTreeMap<&'static str, String>,
}

impl Quarantine {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self { path, file: None, counts: BTreeMap::new(), examples: BTreeMap::new() }
    }

    /// Refuses a path of the user's choice that would overwrite something else, such as the file that
    /// is being imported.
    pub(crate) fn check(path: &Path) -> Result<(), StoreError> {
        let Ok(metadata) = std::fs::metadata(path) else { return Ok(()) };
        if metadata.is_dir() {
            return Err(StoreError::format(path, "is a folder: name a file for bad rows (--quarantine)"));
        }
        if !metadata.is_file() || metadata.len() == 0 {
            return Ok(());
        }
        let mut line = Vec::new();
        let mut start = BufReader::new(File::open(path).map_err(StoreError::io(path))?).take(1 << 16);
        start.read_until(b'\n', &mut line).map_err(StoreError::io(path))?;
        let row = serde_json::from_slice::<serde_json::Value>(&line).unwrap_or_default();
        match row.get("rule").and(row.get("remedy")) {
            Some(_) => Ok(()),
            None => Err(StoreError::format(path, "is there already and holds no bad rows: name another file (--quarantine)")),
        }
    }

    pub(crate) fn add(&mut self, file: &str, mut bad: BadRow) -> Result<(), StoreError> {
        bad.file = file.to_owned();
        *self.counts.entry(bad.rule.name()).or_default() += 1;
        self.examples
            .entry(bad.rule.name())
            .or_insert_with(|| format!("{} row {}, field {}: {:?}; {}", bad.file, bad.row, bad.field, bad.value, bad.remedy));
        let writer = match &mut self.file {
            Some(writer) => writer,
            None => {
                if let Some(folder) = self.path.parent() {
                    std::fs::create_dir_all(folder).map_err(StoreError::io(folder))?;
                }
                self.file.insert(BufWriter::new(File::create(&self.path).map_err(StoreError::io(&self.path))?))
            }
        };
        let line = serde_json::to_string(&bad).unwrap_or_default();
        writeln!(writer, "{line}").map_err(StoreError::io(&self.path))
    }

    pub(crate) fn total(&self) -> u64 {
        self.counts.values().sum()
    }

    /// Removes what this import has written.
    pub(crate) fn remove(&mut self) {
        if self.file.take().is_some() {
            // Best effort: there is an error already.
            std::fs::remove_file(&self.path).ok();
        }
    }

    /// Writes what is buffered; the path, where there is a bad row at all.
    pub(crate) fn finish(&mut self) -> Result<Option<PathBuf>, StoreError> {
        match &mut self.file {
            None => Ok(None),
            Some(writer) => {
                writer.flush().map_err(StoreError::io(&self.path))?;
                Ok(Some(self.path.clone()))
            }
        }
    }
}
