//! Columns as a file.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use arrow_array::{ArrayRef, Float64Array, RecordBatch, StringArray};

use super::{Column, Values};
use crate::error::StoreError;
use crate::parquet_io::{write_atomic, write_parquet};

/// Writes columns of one length, whole or not at all: CSV or JSON Lines by the file's extension (`csv`,
/// `jsonl`, `ndjson`), else Parquet. NaN and missing names become empty cells.
///
/// # Errors
/// `Io` or `Format`; the file that was there before is then as it was.
pub fn write_table(path: &Path, columns: &[Column]) -> Result<(), StoreError> {
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("csv") => write_atomic(path, csv(columns).as_bytes()),
        Some("jsonl" | "ndjson") => write_atomic(path, json_lines(columns).as_bytes()),
        _ => {
            let array = |column: &Column| -> (String, ArrayRef) {
                let values: ArrayRef = match &column.values {
                    Values::Number(values) => {
                        Arc::new(values.iter().map(|value| (!value.is_nan()).then_some(*value)).collect::<Float64Array>())
                    }
                    Values::Text { codes, names } => {
                        Arc::new(codes.iter().map(|code| names.get(*code as usize).map(String::as_str)).collect::<StringArray>())
                    }
                };
                (column.name.clone(), values)
            };
            let batch = RecordBatch::try_from_iter_with_nullable(columns.iter().map(array).map(|(name, values)| (name, values, true)));
            write_parquet(path, &batch.map_err(|error| StoreError::Format { path: path.to_owned(), message: error.to_string() })?)
        }
    }
}

fn rows(columns: &[Column]) -> usize {
    columns.first().map_or(0, |column| match &column.values {
        Values::Number(values) => values.len(),
        Values::Text { codes, .. } => codes.len(),
    })
}

fn csv(columns: &[Column]) -> String {
    let quoted = |text: &str| {
        if text.contains(['"', ',', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text.to_owned() }
    };
    let mut text = columns.iter().map(|column| quoted(&column.name)).collect::<Vec<_>>().join(",");
    text.push('\n');
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
