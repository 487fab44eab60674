//! Batches of a file as keys, codes and numbers, every cell checked.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int32Type, Int64Type};
use arrow_array::{Array, ArrayRef, RecordBatch, StringArray};
use arrow_cast::{CastOptions, cast, cast_with_options};
use arrow_schema::{DataType, Field, Schema};
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};

use super::Wanted;
use crate::error::StoreError;
use crate::parquet_io::without_panic;
use crate::source::{no_row, printable};
use crate::table::{choose, to_numbers};

/// Keys, a row each or a run each.
#[derive(Debug, Clone)]
pub(super) enum Keys {
    Whole(Vec<i64>),
    Text { bytes: String, ends: Vec<usize> },
}

impl Default for Keys {
    fn default() -> Self {
        Self::Whole(Vec::new())
    }
}

/// One key.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Key {
    Whole(i64),
    Text(String),
}

impl Keys {
    pub(super) const fn len(&self) -> usize {
        match self {
            Self::Whole(numbers) => numbers.len(),
            Self::Text { ends, .. } => ends.len(),
        }
    }

    pub(super) fn str(&self, place: usize) -> &str {
        match self {
            Self::Whole(_) => "",
            Self::Text { bytes, ends } => &bytes[if place == 0 { 0 } else { ends[place - 1] }..ends[place]],
        }
    }

    pub(super) fn text(&self, place: usize) -> String {
        match self {
            Self::Whole(numbers) => numbers[place].to_string(),
            Self::Text { .. } => self.str(place).to_owned(),
        }
    }

    pub(super) fn key(&self, place: usize) -> Key {
        match self {
            Self::Whole(numbers) => Key::Whole(numbers[place]),
            Self::Text { .. } => Key::Text(self.str(place).to_owned()),
        }
    }

    /// How the key at a place compares with the one before it.
    pub(super) fn step(&self, place: usize) -> std::cmp::Ordering {
        match self {
            Self::Whole(numbers) => numbers[place].cmp(&numbers[place - 1]),
            Self::Text { .. } => self.str(place).cmp(self.str(place - 1)),
        }
    }

    /// Whether the key at a place is the last one of others.
    pub(super) fn is_same(&self, place: usize, others: &Self) -> bool {
        match (self, others) {
            (Self::Whole(numbers), Self::Whole(others)) => others.last() == Some(&numbers[place]),
            (Self::Text { .. }, Self::Text { ends, .. }) => !ends.is_empty() && self.str(place) == others.str(ends.len() - 1),
            _ => false,
        }
    }

    /// Appends one of other keys.
    pub(super) fn take(&mut self, others: &Self, place: usize) {
        if self.len() == 0 && matches!(others, Self::Text { .. }) {
            *self = Self::Text { bytes: String::new(), ends: Vec::new() };
        }
        match (self, others) {
            (Self::Whole(numbers), Self::Whole(others)) => numbers.push(others[place]),
            (Self::Text { bytes, ends }, others) => {
                bytes.push_str(others.str(place));
                ends.push(bytes.len());
            }
            (Self::Whole(_), Self::Text { .. }) => {}
        }
    }
}

/// A batch, checked.
pub(super) struct Decoded {
    pub(super) rows: usize,
    pub(super) keys: Keys,
    pub(super) texts: Vec<Vec<u32>>,
    pub(super) numbers: Vec<Vec<f64>>,
}

/// Decodes batches; keeps what the last dictionary's codes were.
pub(super) struct Decoder<'a> {
    path: &'a Path,
    wanted: &'a Wanted,
    dictionaries: Vec<Option<(ArrayRef, Vec<Option<u32>>)>>,
}

impl<'a> Decoder<'a> {
    pub(super) fn new(path: &'a Path, wanted: &'a Wanted) -> Self {
        Self { path, wanted, dictionaries: vec![None; wanted.texts.len()] }
    }

    /// Decodes a batch whose first row has `before` rows before it. `code` gives a name's code in a
    /// column of names.
    pub(super) fn decode(
        &mut self,
        batch: &RecordBatch,
        before: usize,
        mut code: impl FnMut(usize, &str) -> Option<u32>,
    ) -> Result<Decoded, StoreError> {
        let array = |name: &String| {
            batch.column_by_name(name).ok_or_else(|| StoreError::format(self.path, format!("has no column {}", printable(name))))
        };
        let keys = self.keys(array(&self.wanted.key)?, before)?;
        let mut texts = Vec::with_capacity(self.wanted.texts.len());
        for (column, name) in self.wanted.texts.iter().enumerate() {
            let array = array(name)?.clone();
            texts.push(self.codes(column, &array, before, |text| code(column, text))?);
        }
        let array = |name: &String| {
            batch.column_by_name(name).ok_or_else(|| StoreError::format(self.path, format!("has no column {}", printable(name))))
        };
        let mut numbers = Vec::with_capacity(self.wanted.numbers.len());
        for name in &self.wanted.numbers {
            numbers.push(self.numbers(array(name)?, before, name)?);
        }
        Ok(Decoded { rows: batch.num_rows(), keys, texts, numbers })
    }

    fn wrong(&self, row: usize, what: &str) -> StoreError {
        StoreError::format(self.path, format!("row {}, {what}", row + 1))
    }

    fn missing(&self, row: usize, name: &str) -> StoreError {
        self.wrong(row, &format!("{name} is missing: fill it in or leave the row out"))
    }

    fn keys(&self, array: &ArrayRef, before: usize) -> Result<Keys, StoreError> {
        let name = &self.wanted.key;
        if let Some(row) = (0..array.len()).find(|&row| array.is_null(row)) {
            return Err(self.missing(before + row, name));
        }
        if array.data_type().is_integer() {
            let exact = CastOptions { safe: false, ..CastOptions::default() };
            let whole = cast_with_options(array, &DataType::Int64, &exact)
                .map_err(|_| self.wrong(before, &format!("or one after it: {name} is a number above 2^63: write it as text")))?;
            return Ok(Keys::Whole(whole.as_primitive::<Int64Type>().values().to_vec()));
        }
        let text = self.as_text(array, before, name)?;
        let (mut bytes, mut ends) = (String::with_capacity(text.value_data().len()), Vec::with_capacity(text.len()));
        for (row, cell) in text.iter().enumerate() {
            let cell = cell.unwrap_or("").trim();
            if cell.is_empty() {
                return Err(self.missing(before + row, name));
            }
            bytes.push_str(cell);
            ends.push(bytes.len());
        }
        Ok(Keys::Text { bytes, ends })
    }

    /// Cells as text; numbers as they are written shortest, `1` and not `1.0`.
    fn as_text(&self, array: &ArrayRef, before: usize, name: &str) -> Result<StringArray, StoreError> {
        let damaged = |error: arrow_schema::ArrowError| self.wrong(before, &format!("{name} can't be read ({error}): export it again"));
        if array.data_type().is_floating() {
            let numbers = cast(array, &DataType::Float64).map_err(damaged)?;
            let numbers = numbers.as_primitive::<Float64Type>();
            return Ok(numbers
                .iter()
                .map(|number| number.filter(|number| !number.is_nan()).map(|number| (number + 0.0).to_string()))
                .collect());
        }
        Ok(cast(array, &DataType::Utf8).map_err(damaged)?.as_string::<i32>().clone())
    }

    fn codes(
        &mut self,
        column: usize,
        array: &ArrayRef,
        before: usize,
        mut code: impl FnMut(&str) -> Option<u32>,
    ) -> Result<Vec<u32>, StoreError> {
        let name = &self.wanted.texts[column];
        let mut codes = Vec::with_capacity(array.len());
        if let Some(dictionary) = array.as_dictionary_opt::<Int32Type>() {
            let values = dictionary.values();
            let is_held = self.dictionaries[column].as_ref().is_some_and(|(held, _)| held.to_data().ptr_eq(&values.to_data()));
            if !is_held {
                let texts = self.as_text(values, before, name)?;
                let known = texts.iter().map(|cell| cell.map(str::trim).filter(|cell| !cell.is_empty()).and_then(&mut code)).collect();
                self.dictionaries[column] = Some((Arc::clone(values), known));
            }
            let known = self.dictionaries[column].as_ref().map_or(&[][..], |(_, known)| known);
            for (row, key) in dictionary.keys().iter().enumerate() {
                let code = key.and_then(|key| known.get(key.unsigned_abs() as usize).copied().flatten());
                codes.push(code.ok_or_else(|| self.missing(before + row, name))?);
            }
            return Ok(codes);
        }
        for (row, cell) in self.as_text(array, before, name)?.iter().enumerate() {
            let code = cell.map(str::trim).filter(|cell| !cell.is_empty()).and_then(&mut code);
            codes.push(code.ok_or_else(|| self.missing(before + row, name))?);
        }
        Ok(codes)
    }

    fn numbers(&self, array: &ArrayRef, before: usize, name: &str) -> Result<Vec<f64>, StoreError> {
        let remedy = "give a finite number, or leave the row out";
        let cells = to_numbers(array).map_err(|error| self.wrong(before, &format!("{name} can't be read ({error}): {remedy}")))?;
        let cells = cells.as_primitive::<Float64Type>();
        let wrong = (0..cells.len()).find(|&row| cells.is_null(row) || !cells.value(row).is_finite());
        match wrong {
            None => Ok(cells.values().to_vec()),
            Some(row) => {
                let what = if cells.is_null(row) || cells.value(row).is_nan() { "missing or not a number" } else { "infinite" };
                Err(self.wrong(before + row, &format!("{name} is {what}: {remedy}")))
            }
        }
    }
}

/// The file's description, with columns of names as dictionaries: so they are read without a text a row.
pub(super) fn metadata(path: &Path, file: &File, wanted: &Wanted) -> Result<ArrowReaderMetadata, StoreError> {
    let damaged = |what: String| StoreError::format(path, format!("is cut or damaged ({}): export it again", printable(&what)));
    let load = |options: ArrowReaderOptions| without_panic(|| ArrowReaderMetadata::load(file, options)).map_err(damaged);
    let plain = load(ArrowReaderOptions::new())?.map_err(StoreError::parquet(path))?;
    if plain.metadata().file_metadata().num_rows() == 0 {
        return Err(no_row(path));
    }
    let present: Vec<String> = plain.schema().fields().iter().map(|field| field.name().clone()).collect();
    choose(path, &present, Some(&wanted.all()))?;
    let is_text = |kind: &DataType| matches!(kind, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View);
    for name in wanted.all() {
        let kind = plain.schema().field_with_name(&name).map_or(DataType::Null, |field| field.data_type().clone());
        let of_cells = if let DataType::Dictionary(_, values) = &kind { values.as_ref() } else { &kind };
        if !is_text(of_cells) && !of_cells.is_numeric() {
            let kind = printable(&kind.to_string());
            return Err(StoreError::format(
                path,
                format!("column {} holds {kind}, neither numbers nor text: convert it", printable(&name)),
            ));
        }
    }
    let as_dictionary = |field: &Arc<Field>| {
        let of_text = is_text(field.data_type()) || matches!(field.data_type(), DataType::Dictionary(_, values) if is_text(values));
        if of_text && wanted.texts.contains(field.name()) {
            let kind = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
            Arc::new(field.as_ref().clone().with_data_type(kind))
        } else {
            Arc::clone(field)
        }
    };
    let fields: Vec<Arc<Field>> = plain.schema().fields().iter().map(as_dictionary).collect();
    let schema = Arc::new(Schema::new_with_metadata(fields, plain.schema().metadata().clone()));
    // A file that says it is something else is read as it says.
    Ok(load(ArrowReaderOptions::new().with_schema(schema))?.unwrap_or(plain))
}
