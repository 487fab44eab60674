//! Columns as a file.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::{ArrayRef, Float64Array, RecordBatch, StringArray};
use parquet::arrow::ArrowWriter;

use super::{Column, Values};
use crate::error::StoreError;
use crate::parquet_io::{close, properties, sync_folder};

/// Writes columns of one length, whole or not at all: CSV or JSON Lines by the file's extension (`csv`,
/// `jsonl`, `ndjson`), else Parquet. NaN and missing names become empty cells.
///
/// # Errors
/// `Io` or `Format`; the file that was there before is then as it was.
pub fn write_table(path: &Path, columns: &[Column]) -> Result<(), StoreError> {
    let mut writer = TableWriter::create(path)?;
    writer.write(columns)?;
    writer.finish()
}

/// A table that is written piece by piece, each with the same columns: see [`write_table`]. The file is
/// in its place once it is finished.
pub struct TableWriter {
    path: PathBuf,
    staged: PathBuf,
    form: Form,
    is_finished: bool,
}

enum Form {
    Text { file: BufWriter<File>, is_csv: bool, is_begun: bool },
    Parquet(Option<BufWriter<File>>, Option<Box<ArrowWriter<BufWriter<File>>>>),
}

impl std::fmt::Debug for TableWriter {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("TableWriter").field("path", &self.path).finish_non_exhaustive()
    }
}

impl TableWriter {
    /// Begins a file.
    ///
    /// # Errors
    /// `Io`.
    pub fn create(path: &Path) -> Result<Self, StoreError> {
        let staged = path.with_extension("staged");
        let file = BufWriter::with_capacity(1 << 20, File::create(&staged).map_err(StoreError::io(path))?);
        let form = match path.extension().and_then(|extension| extension.to_str()) {
            Some("csv") => Form::Text { file, is_csv: true, is_begun: false },
            Some("jsonl" | "ndjson") => Form::Text { file, is_csv: false, is_begun: false },
            _ => Form::Parquet(Some(file), None),
        };
        Ok(Self { path: path.to_owned(), staged, form, is_finished: false })
    }

    /// Appends rows.
    ///
    /// # Errors
    /// `Io` or `Format`.
    pub fn write(&mut self, columns: &[Column]) -> Result<(), StoreError> {
        let path = &self.path;
        match &mut self.form {
            Form::Text { file, is_csv, is_begun } => {
                let text = if *is_csv { csv(columns, !*is_begun) } else { json_lines(columns) };
                *is_begun = true;
                file.write_all(text.as_bytes()).map_err(StoreError::io(path))
            }
            Form::Parquet(file, writer) => {
                let batch = batch(path, columns)?;
                if let Some(file) = file.take() {
                    let new = ArrowWriter::try_new(file, batch.schema(), Some(properties())).map_err(StoreError::parquet(path))?;
                    *writer = Some(Box::new(new));
                }
                writer.as_mut().map_or(Ok(()), |writer| writer.write(&batch).map_err(StoreError::parquet(path)))
            }
        }
    }

    /// Puts the file in its place.
    ///
    /// # Errors
    /// `Io` or `Format`; the file that was there before is then as it was.
    pub fn finish(mut self) -> Result<(), StoreError> {
        let path = self.path.clone();
        match &mut self.form {
            Form::Text { file, .. } => file.flush().and_then(|()| file.get_ref().sync_all()).map_err(StoreError::io(&path))?,
            Form::Parquet(_, writer) => {
                if let Some(writer) = writer.take() {
                    close(&path, *writer)?;
                }
            }
        }
        let moved = std::fs::rename(&self.staged, &path).and_then(|()| sync_folder(&path));
        self.is_finished = moved.is_ok();
        moved.map_err(StoreError::io(&path))
    }
}

impl Drop for TableWriter {
    fn drop(&mut self) {
        if !self.is_finished {
            // Best effort: whatever stopped the writing has been said.
            std::fs::remove_file(&self.staged).ok();
        }
    }
}

fn batch(path: &Path, columns: &[Column]) -> Result<RecordBatch, StoreError> {
    let array = |column: &Column| -> ArrayRef {
        match &column.values {
            Values::Number(values) => Arc::new(values.iter().map(|value| (!value.is_nan()).then_some(*value)).collect::<Float64Array>()),
            Values::Text { codes, names } => {
                Arc::new(codes.iter().map(|code| names.get(*code as usize).map(String::as_str)).collect::<StringArray>())
            }
        }
    };
    RecordBatch::try_from_iter_with_nullable(columns.iter().map(|column| (column.name.clone(), array(column), true)))
        .map_err(|error| StoreError::format(path, error.to_string()))
}

fn rows(columns: &[Column]) -> usize {
    columns.first().map_or(0, |column| match &column.values {
        Values::Number(values) => values.len(),
        Values::Text { codes, .. } => codes.len(),
    })
}

fn csv(columns: &[Column], with_header: bool) -> String {
    let quoted = |text: &str| {
        if text.contains(['"', ',', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text.to_owned() }
    };
    let mut text = String::new();
    if with_header {
        text.push_str(&columns.iter().map(|column| quoted(&column.name)).collect::<Vec<_>>().join(","));
        text.push('\n');
    }
    for row in 0..rows(columns) {
        for (place, column) in columns.iter().enumerate() {
            if place > 0 {
                text.push(',');
            }
            match &column.values {
                // Writing to a string can't fail.
                Values::Number(values) if !values[row].is_nan() => write!(text, "{}", values[row]).unwrap_or(()),
                Values::Number(_) => {}
                Values::Text { codes, names } => {
                    text.push_str(&names.get(codes[row] as usize).map_or_else(String::new, |name| quoted(name)))
                }
            }
        }
        text.push('\n');
    }
    text
}

fn json_lines(columns: &[Column]) -> String {
    let mut text = String::new();
    for row in 0..rows(columns) {
        let cell = |column: &Column| {
            let value = match &column.values {
                Values::Number(values) => serde_json::json!(values[row]),
                Values::Text { codes, names } => serde_json::json!(names.get(codes[row] as usize)),
            };
            (column.name.clone(), value)
        };
        let object: serde_json::Map<String, serde_json::Value> = columns.iter().map(cell).collect();
        text.push_str(&serde_json::Value::Object(object).to_string());
        text.push('\n');
    }
    text
}
