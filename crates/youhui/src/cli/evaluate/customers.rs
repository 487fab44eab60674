//! Rows of customers of whom some were held out by lot: which arm each is of, and amounts.

use std::path::{Path, PathBuf};

use clap::Args as ClapArgs;
use serde::Serialize;
use serde_json::Value;
use youhui_evaluation::money::{Arm, MoneyError};
use youhui_storage::{Column, Values};

use super::super::CliError;
use super::units::{MOST_ARMS, Order, codes};

/// Customers, and the lot by which some of them were held out.
#[derive(Debug, ClapArgs, Serialize)]
pub(super) struct LotArgs {
    /// Parquet, CSV or JSON Lines: a row a customer.
    #[arg(long, value_name = "FILE")]
    #[serde(skip)]
    pub(super) data: PathBuf,
    /// The column that says who was held out.
    #[arg(long, value_name = "COLUMN")]
    pub(super) assignment: String,
    /// What stands there for those who were.
    #[arg(long, value_name = "VALUE", default_value = "held_out")]
    pub(super) held_out: String,
    /// The share that the lot held out.
    #[arg(long, value_name = "SHARE")]
    pub(super) holdout_share: f64,
    /// How surely intervals cover.
    #[arg(long, value_name = "SHARE", default_value_t = 0.95)]
    pub(super) level: f64,
}

impl LotArgs {
    /// Refuses shares with which there is nobody to compare with.
    pub(super) fn check(&self) -> Result<(), CliError> {
        if self.holdout_share > 0.0 && self.holdout_share < 1.0 {
            return Ok(());
        }
        Err(CliError::usage(format!(
            "--holdout-share {}: give a share between 0 and 1: without a holdout nobody knows what would have been",
            self.holdout_share
        )))
    }

    pub(super) fn arms(&self) -> Arms<'_> {
        Arms { path: &self.data, column: &self.assignment, held_out: &self.held_out, order: Order::default() }
    }

    /// What a snapshot remembers of it, with what else there is.
    pub(super) fn configured(&self, others: Value) -> Value {
        let mut all = serde_json::to_value(self).unwrap_or_default();
        if let (Some(all), Value::Object(others)) = (all.as_object_mut(), others) {
            all.extend(others);
        }
        all
    }
}

/// Who was held out, in a column of two values.
#[derive(Debug)]
pub(super) struct Arms<'a> {
    path: &'a Path,
    column: &'a str,
    held_out: &'a str,
    /// Over all blocks of the file.
    order: Order,
}

impl Arms<'_> {
    /// What stands there for who was treated, where anybody was.
    pub(super) fn treated(&self) -> Option<&str> {
        self.order.names.iter().map(String::as_str).find(|name| *name != self.held_out)
    }

    /// Arms of a block that begins with row `first`.
    pub(super) fn read(&mut self, values: Values, first: u64) -> Result<Vec<Arm>, CliError> {
        let codes = codes(self.path, values, self.column, &mut self.order, MOST_ARMS, first)?;
        if self.order.names.iter().filter(|name| *name != self.held_out).count() > 1 {
            return Err(CliError::usage(format!(
                "{}: column {}: several arms beside {} ({}): give one campaign at a time, or say with --held-out how those who were held out are written",
                self.path.display(),
                self.column,
                self.held_out,
                self.order.names.join(", ")
            )));
        }
        let is_held_out: Vec<bool> = self.order.names.iter().map(|name| name == self.held_out).collect();
        Ok(codes.into_iter().map(|code| if is_held_out[code as usize] { Arm::HeldOut } else { Arm::Treated }).collect())
    }
}

/// A column's numbers.
pub(super) fn numbers<'a>(path: &Path, column: &'a Column) -> Result<&'a [f64], CliError> {
    let numbers = column.values.numbers();
    numbers.ok_or_else(|| CliError::usage(format!("{}: column {} holds texts: give numbers", path.display(), column.name)))
}

/// Largest amount that is read: sums of doubles keep whole numbers a little beyond it.
const MOST: f64 = 9e15;

/// Whole numbers: what has a fraction is in another unit.
pub(super) fn whole<'a>(path: &Path, column: &'a Column, first: u64) -> Result<&'a [f64], CliError> {
    let cells = numbers(path, column)?;
    match cells.iter().position(|cell| !(cell.is_finite() && cell.fract() == 0.0 && cell.abs() < MOST)) {
        Some(row) if cells[row].is_finite() && cells[row].abs() >= MOST => Err(CliError::usage(format!(
            "{}: row {}: column {} is {}: it is too large: one such customer alone decides mean and variance, and sums would lose minor units: check the column's unit",
            path.display(),
            first + row as u64 + 1,
            column.name,
            cells[row]
        ))),
        Some(row) => Err(CliError::usage(format!(
            "{}: row {}: column {} is {}: amounts are whole minor units (cents), 0 where there was nothing: one that is missing or infinite makes every figure of its arm undefined",
            path.display(),
            first + row as u64 + 1,
            column.name,
            cells[row]
        ))),
        None => Ok(cells),
    }
}

/// A whole number as one; what a sum has grown to beyond them is refused by the ledger.
#[allow(clippy::cast_possible_truncation, reason = "whole, and beyond 64 bits it saturates")]
pub(super) const fn minor(cell: f64) -> i64 {
    cell as i64
}

/// The ledger counts rows from 0; `place` says which customer one is, as people count.
pub(super) fn located(error: &MoneyError, place: impl Fn(u64) -> String) -> CliError {
    CliError::usage(placed(&error.to_string(), error.row(), place))
}

/// A text that names a row from 0, with the place as people count.
pub(super) fn placed(text: &str, row: Option<u64>, place: impl Fn(u64) -> String) -> String {
    row.map_or_else(|| text.to_owned(), |row| text.replacen(&format!("row {row}"), &place(row), 1))
}
