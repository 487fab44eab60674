//! Columns as they grow.

use std::path::Path;

use rustc_hash::FxHashMap;

use super::{Column, MISSING, Values};
use crate::error::StoreError;
use crate::source::printable;

/// Distinct texts and their codes.
#[derive(Debug, Default)]
pub(crate) struct Names {
    codes: FxHashMap<String, u32>,
    names: Vec<String>,
}

impl Names {
    /// The text's code: the next one, if it is new.
    pub(crate) fn code(&mut self, text: &str) -> u32 {
        if let Some(code) = self.codes.get(text) {
            return *code;
        }
        // There are fewer rows than codes: a file of 2^32 distinct texts doesn't fit into memory.
        let code = u32::try_from(self.names.len()).unwrap_or(MISSING);
        self.codes.insert(text.to_owned(), code);
        self.names.push(text.to_owned());
        code
    }

    /// The text of a code.
    pub(crate) fn name(&self, code: u32) -> Option<&str> {
        self.names.get(code as usize).map(String::as_str)
    }

    pub(crate) fn into_names(self) -> Vec<String> {
        self.names
    }
}

/// Names for numbers, in the order of their first rows.
pub(super) fn name_numbers(values: &[f64]) -> (Vec<u32>, Vec<String>) {
    let mut seen: FxHashMap<u64, u32> = FxHashMap::default();
    let mut names: Vec<String> = Vec::new();
    let mut code = |value: f64| {
        // -0 and 0 are one number.
        let value = value + 0.0;
        *seen.entry(value.to_bits()).or_insert_with(|| {
            names.push(value.to_string());
            u32::try_from(names.len() - 1).unwrap_or(MISSING)
        })
    };
    let codes = values.iter().map(|&value| if value.is_nan() { MISSING } else { code(value) }).collect();
    (codes, names)
}

/// A column of a text file: numbers until a cell is none.
#[derive(Debug)]
pub(super) struct Growing {
    pub(super) name: String,
    cells: Cells,
}

#[derive(Debug)]
enum Cells {
    Number {
        values: Vec<f64>,
        any: bool,
    },
    Text {
        codes: Vec<u32>,
        names: Names,
    },
    /// Numbers came before the first text: how they were written is lost, so that the file is read again.
    Again {
        rows: usize,
    },
}

impl Growing {
    /// A column, of text whatever its cells look like if it is among `texts`.
    pub(super) fn of(name: &str, texts: &[&str]) -> Self {
        if texts.contains(&name) { Self::text(name) } else { Self::new(name) }
    }

    pub(super) fn new(name: &str) -> Self {
        Self { name: name.to_owned(), cells: Cells::Number { values: vec![], any: false } }
    }

    pub(super) fn text(name: &str) -> Self {
        Self { name: name.to_owned(), cells: Cells::Text { codes: vec![], names: Names::default() } }
    }

    /// Adds a cell; spaces around it don't count.
    pub(super) fn push(&mut self, cell: &str) {
        let cell = cell.trim();
        match &mut self.cells {
            Cells::Number { values, .. } if cell.is_empty() => values.push(f64::NAN),
            Cells::Number { values, any } => match cell.parse::<f64>() {
                Ok(number) => {
                    values.push(number);
                    *any = true;
                }
                Err(_) if *any => self.cells = Cells::Again { rows: values.len() + 1 },
                Err(_) => {
                    let mut names = Names::default();
                    let mut codes = vec![MISSING; values.len()];
                    codes.push(names.code(cell));
                    self.cells = Cells::Text { codes, names };
                }
            },
            Cells::Text { codes, names } => codes.push(if cell.is_empty() { MISSING } else { names.code(cell) }),
            Cells::Again { rows } => *rows += 1,
        }
    }

    /// Adds a number that needn't be read from text.
    pub(super) fn push_number(&mut self, number: f64) {
        match &mut self.cells {
            Cells::Number { values, any } => {
                values.push(number);
                *any |= !number.is_nan();
            }
            _ => self.push(&number.to_string()),
        }
    }

    pub(super) const fn must_be_read_again(&self) -> bool {
        matches!(self.cells, Cells::Again { .. })
    }

    pub(super) fn finish(self, path: &Path) -> Result<Column, StoreError> {
        let values = match self.cells {
            Cells::Number { values, .. } => Values::Number(values),
            Cells::Text { codes, names } => Values::Text { codes, names: names.into_names() },
            Cells::Again { rows } => {
                let message = format!("column {} changed while its {rows} rows were read: read it again", printable(&self.name));
                return Err(StoreError::format(path, message));
            }
        };
        Ok(Column { name: self.name, values })
    }
}
