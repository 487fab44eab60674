//! Columns of CSV and JSON Lines.

use std::collections::BTreeSet;
use std::fs::File;
use std::path::Path;

use serde_json::{Map, Value};

use super::build::Growing;
use super::{Column, choose};
use crate::error::StoreError;
use crate::source::{CsvRows, Lines, broken_file, no_row, open_csv, printable};

/// Reads a CSV file: once, and a second time if a column turns out to be text late.
pub(super) fn read_csv(path: &Path, file: File, columns: Option<&[String]>, texts: &[&str]) -> Result<Vec<Column>, StoreError> {
    let rows = open_csv(path, file)?;
    let wanted = choose(path, &rows.present, columns)?;
    let mut growing: Vec<Growing> = wanted.iter().map(|name| Growing::of(name, texts)).collect();
    read_rows(path, rows, &mut growing.iter_mut().collect::<Vec<_>>())?;
    twice(path, growing, |late| {
        let file = File::open(path).map_err(StoreError::io(path))?;
        read_rows(path, open_csv(path, file)?, late)
    })
}

/// Reads JSON Lines: once to know the columns if none are named, once, and once more if need be.
pub(super) fn read_json_lines(path: &Path, file: File, columns: Option<&[String]>, texts: &[&str]) -> Result<Vec<Column>, StoreError> {
    let mut present = BTreeSet::new();
    let wanted = match columns {
        Some(wanted) => choose(path, wanted, Some(wanted))?,
        None => {
            each_object(path, file, |_, object| {
                present.extend(object.into_iter().map(|(name, _)| name));
                Ok(())
            })?;
            present.iter().cloned().collect()
        }
    };
    let mut growing: Vec<Growing> = wanted.iter().map(|name| Growing::of(name, texts)).collect();
    let mut all: Vec<&mut Growing> = growing.iter_mut().collect();
    let seen = read_objects(path, &mut all, &mut present)?;
    if let Some((_, name)) = seen.iter().zip(&wanted).find(|(seen, _)| !**seen) {
        // No object had it: that is a missing column, not a missing value.
        let present: Vec<String> = present.into_iter().collect();
        choose(path, &present, Some(std::slice::from_ref(name)))?;
    }
    twice(path, growing, |late| read_objects(path, late, &mut BTreeSet::new()).map(drop))
}

/// Finishes columns; those that must be are read again, as text.
fn twice(
    path: &Path,
    mut growing: Vec<Growing>,
    again: impl FnOnce(&mut [&mut Growing]) -> Result<(), StoreError>,
) -> Result<Vec<Column>, StoreError> {
    let mut late: Vec<&mut Growing> = growing.iter_mut().filter(|column| column.must_be_read_again()).collect();
    if !late.is_empty() {
        late.iter_mut().for_each(|column| **column = Growing::text(&column.name));
        again(&mut late)?;
    }
    drop(late);
    growing.into_iter().map(|column| column.finish(path)).collect()
}

fn read_rows(path: &Path, rows: CsvRows, growing: &mut [&mut Growing]) -> Result<(), StoreError> {
    let CsvRows { mut reader, header, present } = rows;
    let places: Vec<usize> = growing.iter().filter_map(|column| present.iter().position(|name| *name == column.name)).collect();
    let mut record = csv::ByteRecord::new();
    let mut number = 0_u64;
    let wrong = |number: u64, what: &str| StoreError::format(path, format!("row {number} {what}: export the file again"));
    loop {
        match reader.read_byte_record(&mut record) {
            Ok(true) => number += 1,
            Ok(false) => break,
            Err(error) => return Err(broken_file(path, &format!("row {}", number + 1), reader.get_ref().problem(), error)),
        }
        if reader.get_ref().is_cut() {
            return Err(wrong(number, "has a quote that is not closed"));
        }
        if record.len() != header.len() {
            return Err(wrong(number, &format!("has {} cells, the header has {}", record.len(), header.len())));
        }
        for (column, place) in growing.iter_mut().zip(&places) {
            let cell = std::str::from_utf8(&record[*place]);
            column.push(cell.map_err(|_| wrong(number, &format!("is not UTF-8 text in column {}", printable(&column.name))))?);
        }
    }
    if number == 0 { Err(no_row(path)) } else { Ok(()) }
}

/// Which columns any object had.
fn read_objects(path: &Path, growing: &mut [&mut Growing], present: &mut BTreeSet<String>) -> Result<Vec<bool>, StoreError> {
    const MOST_NAMES: usize = 100;
    let file = File::open(path).map_err(StoreError::io(path))?;
    let mut seen = vec![false; growing.len()];
    each_object(path, file, |number, object| {
        for (column, seen) in growing.iter_mut().zip(&mut seen) {
            let value = object.get(&column.name);
            *seen |= value.is_some();
            push_value(column, value.unwrap_or(&Value::Null)).map_err(|what| {
                let name = printable(&column.name);
                StoreError::format(path, format!("row {number}, column {name} holds {what}, neither a number nor text: flatten it"))
            })?;
        }
        if present.len() < MOST_NAMES {
            present.extend(object.into_iter().map(|(name, _)| name));
        }
        Ok(())
    })?;
    Ok(seen)
}

fn push_value(column: &mut Growing, value: &Value) -> Result<(), &'static str> {
    match value {
        Value::Null => column.push(""),
        Value::Bool(is) => column.push_number(f64::from(u8::from(*is))),
        Value::Number(number) => column.push_number(number.as_f64().unwrap_or(f64::NAN)),
        Value::String(text) => column.push(text),
        Value::Array(_) => return Err("a list"),
        Value::Object(_) => return Err("an object"),
    }
    Ok(())
}

/// The names that the first object has.
pub(super) fn first_names(path: &Path, file: File) -> Result<Vec<String>, StoreError> {
    let mut lines = Lines::new(path, file);
    match lines.next_line()? {
        Some((_, line)) => Ok(object(path, 1, line)?.into_iter().map(|(name, _)| name).collect()),
        None => Err(no_row(path)),
    }
}

fn object(path: &Path, number: u64, line: &[u8]) -> Result<Map<String, Value>, StoreError> {
    serde_json::from_slice(line)
        .map_err(|error| StoreError::format(path, format!("row {number} is not an object of JSON ({error}): write one object a line")))
}

fn each_object(path: &Path, file: File, mut each: impl FnMut(u64, Map<String, Value>) -> Result<(), StoreError>) -> Result<(), StoreError> {
    let (mut lines, mut any) = (Lines::new(path, file), false);
    while let Some((number, line)) = lines.next_line()? {
        any = true;
        each(number, object(path, number, line)?)?;
    }
    if any { Ok(()) } else { Err(no_row(path)) }
}
