//! Rows or aggregates of an experiment, as statistics of its arms.

mod aggregates;
mod at_once;
mod streamed;
mod times;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::Path;

use rustc_hash::FxHashMap;
use youhui_evaluation::experiment::{
    Contrast, DesignEffect, ExperimentError, Exposure, Moments, Novelty, QuantileStats, Rows, Warning, accumulate, cell, quantile,
};
use youhui_storage::{Table, Values};

use super::super::super::CliError;
use super::super::units::{MOST_ARMS, MOST_VALUES, Order, codes, shifted};
use super::design::Design;
use super::metrics::{Kind, Spec, made, source};

pub(super) use times::NoveltyArgs;

/// What is read.
pub(super) struct Wanted<'a> {
    pub(super) path: &'a Path,
    pub(super) assignment: &'a str,
    pub(super) control: &'a str,
    pub(super) design: &'a Design,
    pub(super) specs: &'a [Spec],
    /// Columns of metrics, and made of them.
    pub(super) columns: &'a [&'a str],
    /// What statistics are kept apart by: a breakdown, when the unit came in, strata.
    pub(super) by: [Vec<&'a str>; 3],
    /// Whether rows are looked at again when they are judged.
    pub(super) keeps_rows: bool,
    pub(super) novelty: &'a NoveltyArgs,
}

/// Places in [`Wanted::by`].
pub(super) const VALUE: usize = 0;
pub(super) const DATE: usize = 1;
pub(super) const STRATUM: usize = 2;
/// What people call them.
const BY: [&str; 3] = ["--dimension", "--date", "--strata"];

/// By value of the dimension, by date in order, by stratum: names, and statistics by arm.
type ByName = [Vec<(String, Vec<Moments>)>; 3];

/// An experiment, read.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    pub(super) hash: String,
    pub(super) rows: u64,
    pub(super) arms: Vec<String>,
    /// Arm by arm: of draws of the lot.
    pub(super) moments: Vec<Moments>,
    pub(super) by: ByName,
    pub(super) quantiles: Vec<Quantiles>,
    /// Columns and arms of draws, where rows are looked at again.
    pub(super) kept: Option<(Vec<Vec<f64>>, Vec<u32>)>,
    /// The column that counts rows of a draw, where draws are of several.
    pub(super) per: Option<usize>,
    pub(super) exposure: Option<Exposure>,
    /// By how much rows of one cluster repeat each other, metric by metric.
    pub(super) design_effects: Vec<(String, DesignEffect)>,
    /// What a switchback left out.
    pub(super) switches: Option<Switches>,
    /// Arm by arm: the first goal by day since first exposure.
    pub(super) novelty: Vec<(String, Novelty)>,
    /// Of all arms, or of the one that is named.
    pub(super) warnings: Vec<(Option<String>, Warning)>,
}

impl Gathered {
    /// Adds warnings of all arms.
    pub(super) fn warn(&mut self, warnings: impl IntoIterator<Item = Warning>) {
        self.warnings.extend(warnings.into_iter().map(|warning| (None, warning)));
    }
}

/// How often arms changed, and which rows were left out for it.
#[derive(Debug, Clone, Copy, serde::Serialize)]
pub(super) struct Switches {
    pub(super) changes: usize,
    pub(super) rows_in_burn_in: usize,
}

impl From<ExperimentError> for CliError {
    fn from(error: ExperimentError) -> Self {
        Self::usage(error.to_string())
    }
}

/// Quantiles of a metric, arm by arm.
#[derive(Debug)]
pub(super) struct Quantiles {
    /// Its place among the metrics.
    metric: usize,
    arms: Vec<Result<QuantileStats, ExperimentError>>,
}

impl Gathered {
    /// The contrast of a metric that is a quantile.
    pub(super) fn quantile(&self, metric: usize, control: usize, arm: usize) -> Option<Result<Contrast, ExperimentError>> {
        let found = self.quantiles.iter().find(|found| found.metric == metric)?;
        let of = |arm: usize| found.arms[arm].as_ref().map_err(Clone::clone);
        Some(of(control).and_then(|control| quantile(control, of(arm)?)))
    }
}

/// Reads rows: a block at a time, where nothing needs them all at once.
pub(super) fn rows(wanted: &Wanted<'_>) -> Result<Gathered, CliError> {
    let needs_all = *wanted.design != Design::Rows
        || wanted.keeps_rows
        || wanted.specs.iter().any(|spec| spec.cap.is_some() || matches!(spec.kind, Kind::Quantile { .. }));
    let mut gathered = if needs_all { at_once::read(wanted)? } else { streamed::read(wanted)? };
    if *wanted.design == Design::Rows {
        gathered.warn(streamed::repeated_customers(wanted)?);
    }
    Ok(gathered)
}

pub(super) use aggregates::aggregates;

impl Wanted<'_> {
    /// Columns of the file that metrics need.
    fn sources(&self) -> Vec<&str> {
        self.columns.iter().copied().filter(|column| source(column).is_none()).collect()
    }

    /// All columns of the file that are needed.
    fn of_file(&self) -> Vec<String> {
        let mut all: Vec<String> = vec![];
        let keys = std::iter::once(self.assignment).chain(self.by.iter().flatten().copied()).chain(self.design.columns());
        for name in keys.chain(self.novelty.columns()).chain(self.sources()) {
            if !all.iter().any(|known| known == name) {
                all.push(name.to_owned());
            }
        }
        all
    }

    /// Columns that are read as texts: who, where and when, unless they are measured too.
    fn texts(&self) -> Vec<&str> {
        let sources = self.sources();
        let all = self.by.iter().flatten().copied().chain(self.design.columns()).chain(self.novelty.columns());
        all.filter(|column| !sources.contains(column)).collect()
    }

    /// Whether a column of the file is only known from before: of a unit, and not of each of its rows.
    fn is_of_before(&self, column: &str) -> bool {
        let measures = |spec: &Spec| spec.measured().iter().any(|name| *name == column || source(name) == Some(column));
        !self.specs.iter().any(measures)
    }

    fn wrong(&self, message: &str) -> CliError {
        CliError::usage(format!("{}: {message}", self.path.display()))
    }

    /// An error of rows that start after `before` others: counted from the start of the file, from 1 as people do.
    fn of_row(&self, error: ExperimentError, before: u64) -> CliError {
        match error {
            // Of a block, and of no row.
            ExperimentError::NotFinite { column, .. } if !self.columns.contains(&column.as_str()) => {
                self.wrong(&format!("{column}: values are so large that it is infinite: give them in a larger unit"))
            }
            other => shifted(self.path, other, before),
        }
    }
}

#[derive(Debug, Default)]
struct Orders {
    arms: Order,
    by: [Order; 3],
}

/// Rows' arms, and what they are kept apart by.
#[derive(Debug, Clone)]
struct Keys {
    arm: Vec<u32>,
    by: [Option<Vec<u32>>; 3],
}

impl Keys {
    fn kept(&self, rows: &[usize]) -> Self {
        let of = |codes: &Vec<u32>| rows.iter().map(|&row| codes[row]).collect::<Vec<u32>>();
        Self { arm: of(&self.arm), by: [0, 1, 2].map(|by| self.by[by].as_ref().map(of)) }
    }
}

impl Orders {
    fn read(&mut self, wanted: &Wanted<'_>, table: &Table, before: u64) -> Result<Keys, CliError> {
        let arm = table.column(wanted.assignment)?.values.clone();
        let arm = codes(wanted.path, arm, wanted.assignment, &mut self.arms, MOST_ARMS, before)?;
        let mut by = [None, None, None];
        for (place, columns) in wanted.by.iter().enumerate().filter(|(_, columns)| !columns.is_empty()) {
            by[place] = Some(together(wanted, table, columns, &mut self.by[place], before)?);
        }
        Ok(Keys { arm, by })
    }
}

/// Codes of what stands in columns together, over all blocks.
fn together(wanted: &Wanted<'_>, table: &Table, columns: &[&str], order: &mut Order, before: u64) -> Result<Vec<u32>, CliError> {
    let of = |column: &str, order: &mut Order| codes(wanted.path, table.column(column)?.values.clone(), column, order, MOST_VALUES, before);
    if let [column] = columns {
        return of(column, order);
    }
    let mut parts = vec![];
    for column in columns {
        let mut own = Order::default();
        parts.push((of(column, &mut own)?, own.names));
    }
    let mut known: FxHashMap<Vec<u32>, u32> = FxHashMap::default();
    let mut found = Vec::with_capacity(table.rows());
    for row in 0..table.rows() {
        let key: Vec<u32> = parts.iter().map(|(codes, _)| codes[row]).collect();
        let name = || key.iter().zip(&parts).map(|(&code, (_, names))| names[code as usize].as_str()).collect::<Vec<&str>>().join(" · ");
        let place = known.get(&key).copied().unwrap_or_else(|| order.place(&name()));
        known.insert(key, place);
        found.push(place);
    }
    if order.names.len() > MOST_VALUES {
        return Err(
            wanted.wrong(&format!("columns {} have more than {MOST_VALUES} values together: are they the right ones?", columns.join(", ")))
        );
    }
    Ok(found)
}

/// A column as numbers; of who has any, made of its source.
fn numbers<'a>(wanted: &Wanted<'_>, table: &'a Table, column: &str) -> Result<Cow<'a, [f64]>, CliError> {
    let found = |column: &str| match &table.column(column)?.values {
        Values::Number(numbers) => Ok(numbers.as_slice()),
        Values::Text { .. } => Err(wanted.wrong(&format!("column {column} holds texts: a metric needs numbers"))),
    };
    match source(column) {
        Some(source) => found(source).map(|cells| Cow::Owned(made(column, cells))),
        None => found(column).map(Cow::Borrowed),
    }
}

/// Cells of arms and values: as many as come.
struct Cells {
    columns: usize,
    cells: Vec<Vec<Moments>>,
}

impl Cells {
    const fn new(columns: usize) -> Self {
        Self { columns, cells: vec![] }
    }

    fn add(&mut self, rows: Rows<'_>, arms: usize, other: &[u32], others: usize) -> Result<(), ExperimentError> {
        let (wide, many) = (u32::try_from(others).unwrap_or(u32::MAX), arms * others);
        let group: Vec<u32> = rows.group.iter().zip(other).map(|(&arm, &other)| cell(arm, other, wide)).collect();
        let block = accumulate(Rows { group: &group, ..rows }, many)?;
        self.cells.resize(self.cells.len().max(others), vec![]);
        for (place, moments) in block.into_iter().enumerate() {
            let (arm, other) = (place / others, place % others);
            let of = &mut self.cells[other];
            of.resize(of.len().max(arms), Moments::empty(self.columns));
            of[arm].merge(&moments);
        }
        Ok(())
    }

    fn named(self, names: Vec<String>, arms: usize) -> Vec<(String, Vec<Moments>)> {
        let full = |mut of: Vec<Moments>| {
            of.resize(arms, Moments::empty(self.columns));
            of
        };
        names.into_iter().zip(self.cells.into_iter().map(full)).collect()
    }
}

/// Cells of all three kinds, with names; dates in order.
fn named(wanted: &Wanted<'_>, cells: [Cells; 3], orders: [Order; 3], arms: usize) -> Result<ByName, CliError> {
    let mut orders = orders.into_iter();
    let mut found = cells.map(|cells| cells.named(orders.next().unwrap_or_default().names, arms));
    in_order(wanted, &mut found[DATE])?;
    Ok(found)
}

/// Dates sort by time, numbers as numbers; the order decides what was known when.
fn in_order(wanted: &Wanted<'_>, dates: &mut [(String, Vec<Moments>)]) -> Result<(), CliError> {
    let are_numbers = dates.iter().all(|(date, _)| date.parse::<f64>().is_ok_and(f64::is_finite));
    if are_numbers {
        dates.sort_by(|(one, _), (two, _)| one.parse().unwrap_or(0.0_f64).total_cmp(&two.parse().unwrap_or(0.0)));
        return Ok(());
    }
    if dates.iter().all(|(date, _)| times::instant(date, true).is_some()) {
        dates.sort_by_key(|(date, _)| times::instant(date, true));
        return Ok(());
    }
    // 2026-W05 and 2026-11 sort as texts; 1/9/2026 doesn't.
    let is_by_year = |date: &str| date.len() == dates[0].0.len() && date.chars().take(4).filter(char::is_ascii_digit).count() == 4;
    match dates.iter().find(|(date, _)| !is_by_year(date)) {
        Some((date, _)) => Err(wanted.wrong(&format!(
            "column {}: what came before {date} can't be told: write dates as 2026-01-09, weeks as 2026-W02, or number them",
            wanted.by[DATE].join(", ")
        ))),
        None => {
            dates.sort_by(|(one, _), (two, _)| one.cmp(two));
            Ok(())
        }
    }
}

/// Places of columns.
pub(super) fn places<'a>(columns: &[&'a str]) -> BTreeMap<&'a str, usize> {
    columns.iter().enumerate().map(|(place, name)| (*name, place)).collect()
}
