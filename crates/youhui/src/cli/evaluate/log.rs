//! A file of what was given, what came of it and what had been predicted, checked row by row.

use std::path::Path;

use youhui_storage::{MISSING, Table, Values, read_table};

use super::super::CliError;

/// The columns to read.
pub(super) struct Names<'a> {
    pub(super) path: &'a Path,
    pub(super) treatment: &'a str,
    pub(super) control: &'a str,
    pub(super) outcome: &'a str,
    pub(super) cost: Option<&'a str>,
    pub(super) propensity: Option<&'a str>,
    pub(super) scores: &'a [String],
}

/// Rows that can be judged: every number is finite, every row had one of the arms.
pub(super) struct Log {
    /// blake3 of the file.
    pub(super) hash: String,
    /// Control first, the others by name.
    pub(super) arms: Vec<String>,
    /// Place in `arms` of each row.
    pub(super) arm: Vec<usize>,
    pub(super) outcomes: Vec<f64>,
    pub(super) costs: Option<Vec<f64>>,
    pub(super) propensities: Option<Vec<f64>>,
    /// By column, in the order they were named.
    pub(super) scores: Vec<Vec<f64>>,
}

impl Log {
    /// Reads and checks a file.
    ///
    /// # Errors
    /// Exit code 2 with the column, the first row that is wrong, the rule and the remedy.
    pub(super) fn read(names: &Names<'_>) -> Result<Self, CliError> {
        let mut table = read_table(names.path, Some(&names.columns()))?;
        if u32::try_from(table.rows()).is_err() {
            return Err(names.wrong("has more than 4,294,967,295 rows: judge a sample of them"));
        }
        let (arms, arm) = arms(names, &mut table)?;
        let outcomes = finite(names, &table, names.outcome)?;
        let costs = names.cost.map(|name| finite(names, &table, name)).transpose()?;
        let propensities = names.propensity.map(|name| chances(names, &table, name)).transpose()?;
        let scores = names.scores.iter().map(|name| finite(names, &table, name)).collect::<Result<_, _>>()?;
        Ok(Self { hash: table.hash, arms, arm, outcomes, costs, propensities, scores })
    }
}

impl Names<'_> {
    /// Each column once.
    fn columns(&self) -> Vec<String> {
        let one = [Some(self.treatment), Some(self.outcome), self.cost, self.propensity];
        let mut columns: Vec<String> = Vec::new();
        for name in one.into_iter().flatten().chain(self.scores.iter().map(String::as_str)) {
            if !columns.iter().any(|other| other == name) {
                columns.push(name.to_owned());
            }
        }
        columns
    }

    pub(super) fn wrong(&self, what: impl std::fmt::Display) -> CliError {
        CliError::usage(format!("{}: {what}", self.path.display()))
    }

    /// The first bad row, and how many there are.
    fn bad_rows(&self, column: &str, rows: &[usize], is: &str, remedy: &str) -> CliError {
        let more = if rows.len() > 1 { format!(", and {} more rows like it", rows.len() - 1) } else { String::new() };
        let row = rows.first().map_or(0, |row| row + 1);
        self.wrong(format!("row {row}, column {column}: {is}{more}: {remedy}"))
    }
}

/// Names of arms, control first, and the arm of each row.
fn arms(names: &Names<'_>, table: &mut Table) -> Result<(Vec<String>, Vec<usize>), CliError> {
    const MOST: usize = 1_000;
    // A column may have two parts to play: it stays in the table.
    let (codes, found) = table.column(names.treatment)?.values.clone().categories();
    let missing: Vec<usize> = (0..codes.len()).filter(|&row| codes[row] == MISSING).collect();
    if !missing.is_empty() {
        let remedy = format!("every row needs its treatment; write {} for rows without one", names.control);
        return Err(names.bad_rows(names.treatment, &missing, "is empty", &remedy));
    }
    if found.len() > MOST {
        let message =
            format!("column {} has {} different values: name the column that says which treatment a row had", names.treatment, found.len());
        return Err(names.wrong(message));
    }
    let mut arms: Vec<String> = found.iter().filter(|name| *name != names.control).cloned().collect();
    if arms.len() == found.len() {
        let message =
            format!("column {} has no {}, it has {}: name one of these as --control", names.treatment, names.control, found.join(", "));
        return Err(names.wrong(message));
    }
    if arms.is_empty() {
        let message = format!("column {} holds only {}: an effect needs rows with a treatment as well", names.treatment, names.control);
        return Err(names.wrong(message));
    }
    arms.sort();
    arms.insert(0, names.control.to_owned());
    let places: Vec<usize> = found.iter().map(|name| arms.iter().position(|arm| arm == name).unwrap_or(usize::MAX)).collect();
    let arm = codes.iter().map(|&code| places[code as usize]).collect();
    Ok((arms, arm))
}

/// A column of numbers without gaps.
fn finite(names: &Names<'_>, table: &Table, name: &str) -> Result<Vec<f64>, CliError> {
    let values = match &table.column(name)?.values {
        Values::Number(values) => values,
        Values::Text { names: texts, .. } => {
            let example = texts.first().map_or("", String::as_str);
            return Err(names.wrong(format!("column {name} holds text such as {example:?}: it must hold numbers")));
        }
    };
    let bad: Vec<usize> = (0..values.len()).filter(|&row| !values[row].is_finite()).collect();
    match bad.first() {
        None => Ok(values.clone()),
        Some(&row) => {
            let is = if values[row].is_nan() { "is empty or not a number" } else { "is infinite" };
            Err(names.bad_rows(name, &bad, is, "fill it with a number, or leave the row out"))
        }
    }
}

/// Chances with which rows had the arm they had.
fn chances(names: &Names<'_>, table: &Table, name: &str) -> Result<Vec<f64>, CliError> {
    let values = finite(names, table, name)?;
    let bad: Vec<usize> = (0..values.len()).filter(|&row| values[row] <= 0.0 || values[row] >= 1.0).collect();
    match bad.first() {
        None => Ok(values),
        Some(&row) => {
            let is = format!("{} is not between 0 and 1", values[row]);
            let remedy = "it is the chance with which the row had the treatment (or control) that it had; rows that could not have had another say \
                          nothing of it: leave them out";
            Err(names.bad_rows(name, &bad, &is, remedy))
        }
    }
}
