//! Whose a row is: names in the order in which they come, and rows of one unit.

use std::path::Path;

use rustc_hash::FxHashMap;
use youhui_evaluation::experiment::ExperimentError;
use youhui_storage::{MISSING, Values};

use super::super::CliError;

/// Values of a column that are told apart.
pub(super) const MOST_VALUES: usize = 1_000;
pub(super) const MOST_ARMS: usize = 100;

/// Names in the order in which they come.
#[derive(Debug, Default)]
pub(super) struct Order {
    pub(super) names: Vec<String>,
    places: FxHashMap<String, u32>,
}

impl Order {
    pub(super) fn place(&mut self, name: &str) -> u32 {
        if let Some(place) = self.places.get(name) {
            return *place;
        }
        let place = u32::try_from(self.names.len()).unwrap_or(u32::MAX);
        self.places.insert(name.to_owned(), place);
        self.names.push(name.to_owned());
        place
    }
}

/// Codes of a column, over all blocks; `first` is the row that the block begins with.
pub(super) fn codes(path: &Path, values: Values, column: &str, order: &mut Order, most: usize, first: u64) -> Result<Vec<u32>, CliError> {
    let (codes, texts) = values.categories();
    let path = path.display();
    if let Some(row) = codes.iter().position(|code| *code == MISSING) {
        return Err(CliError::usage(format!(
            "{path}: row {}: column {column} is empty: left out, the arms would no longer be those that were drawn by lot: fill it, or remove the row and say so",
            first + row as u64 + 1
        )));
    }
    let places: Vec<u32> = texts.iter().map(|text| order.place(text)).collect();
    if order.names.len() > most {
        return Err(CliError::usage(format!("{path}: column {column} has more than {most} values: is it the right one?")));
    }
    Ok(codes.into_iter().map(|code| places[code as usize]).collect())
}

/// The unit of each row, as places in names.
pub(super) fn whose(path: &Path, values: Values, column: &str, first: u64) -> Result<(Vec<u32>, Vec<String>), CliError> {
    let (codes, names) = values.categories();
    match codes.iter().position(|code| *code == MISSING) {
        Some(row) => Err(CliError::usage(format!(
            "{}: row {}: column {column} is empty: whose row it is, and so whether anybody was in two arms, can't be told: fill it",
            path.display(),
            first + row as u64 + 1
        ))),
        None => Ok((codes, names)),
    }
}

/// Refuses a column that differs among rows of one unit, or whatever was drawn together.
pub(super) fn same_by_unit<T: Copy + PartialEq>(path: &Path, column: &str, what: &str, unit: &[u64], codes: &[T]) -> Result<(), CliError> {
    let mut known: FxHashMap<u64, T> = FxHashMap::default();
    let differs = unit.iter().zip(codes).any(|(unit, code)| known.insert(*unit, *code).is_some_and(|before| before != *code));
    if differs {
        return Err(CliError::usage(format!(
            "{}: column {column} differs among rows of one {what}: effects by it would count what happened later, or elsewhere, as if it belonged there: give each {what} one, such as the date of its first exposure",
            path.display()
        )));
    }
    Ok(())
}

/// The first row of each unit; units ascend.
pub(super) fn firsts(unit: &[u64], units: &[u64]) -> Vec<usize> {
    let mut first: FxHashMap<u64, usize> = FxHashMap::default();
    for (row, unit) in unit.iter().enumerate() {
        first.entry(*unit).or_insert(row);
    }
    units.iter().map(|unit| first[unit]).collect()
}

/// Rows are counted from the start of the file, from 1 as people do.
pub(super) fn shifted(path: &Path, error: ExperimentError, rows: u64) -> CliError {
    let path = path.display();
    match error {
        ExperimentError::TimeBackwards { row, what, consequence } => {
            let error = ExperimentError::TimeBackwards { row: rows + row + 1, what, consequence };
            CliError::usage(format!("{path}: {error}"))
        }
        ExperimentError::NotFinite { row, column, value } => {
            let place = rows + row + 1;
            CliError::usage(format!(
                "{path}: row {place}, column {column}: {} is not a finite number; one such row makes every mean and interval of its arm undefined. Give the amount that was meant (0 where there was none), or remove the unit and say so",
                if value.is_nan() { "an empty cell".to_owned() } else { value.to_string() }
            ))
        }
        other => CliError::usage(format!("{path}: {other}")),
    }
}
