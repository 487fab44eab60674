//! What can be wrong with a campaign's amounts, said with its statistical consequence.

use thiserror::Error;

use super::{Lacking, Window};
use crate::experiment::ExperimentError;

/// Amounts or settings from which no honest figure can be made. Rows count from 0 over all batches.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum MoneyError {
    /// What the experiment's estimators refuse: an empty arm, no variance, shares that nobody can have.
    #[error(transparent)]
    Experiment(#[from] ExperimentError),
    /// An amount beyond what sums keep exactly.
    #[error(
        "row {row}, {field}: {value} minor units are beyond 2⁵³: one such customer alone decides mean and variance, and sums would lose minor units. Check the unit of the column"
    )]
    TooLarge {
        /// Row.
        row: u64,
        /// Which amount.
        field: String,
        /// What stands there.
        value: i64,
    },
    /// A cost below 0.
    #[error(
        "row {row}, {field}: {value} minor units; a cost below 0 would count as profit that the campaign made. Give costs as positive amounts"
    )]
    NegativeCost {
        /// Row.
        row: u64,
        /// Which cost.
        field: &'static str,
        /// What stands there.
        value: i64,
    },
    /// Parts that aren't the whole.
    #[error(
        "row {row}: parts sum to {parts} minor units and revenue during the campaign is {revenue}; effects on parts would not sum to the whole effect, and cannibalisation or halo would take up the rest. Give every sale to exactly one part"
    )]
    Parts {
        /// Row.
        row: u64,
        /// Their sum.
        parts: i128,
        /// The revenue.
        revenue: i64,
    },
    /// What a figure takes and nobody gave.
    #[error("{} isn't known, and taken as 0 the figure would be wrong: add its column", named(*lacking))]
    Lacking {
        /// What.
        lacking: Lacking,
    },
    /// Columns of different lengths.
    #[error("{field}: {found} values where {expected} are needed; amounts would be counted for other customers than their own")]
    Length {
        /// Which column.
        field: String,
        /// Its length.
        found: usize,
        /// Length it has to have.
        expected: usize,
    },
    /// Nothing to take apart.
    #[error("{what}; {consequence}")]
    NoParts {
        /// What is missing.
        what: String,
        /// What can't be said.
        consequence: &'static str,
    },
    /// Parts of different campaigns.
    #[error("ledgers with different {what} don't add: their customers took part in different experiments")]
    Mismatch {
        /// In what they differ.
        what: &'static str,
    },
    /// A value that no fit survives.
    #[error(
        "row {row}, {column}: {value} is not a finite number; one such row makes every slope and interval undefined. Remove the row or give the value that was meant"
    )]
    NotFinite {
        /// Row.
        row: u64,
        /// Which column.
        column: String,
        /// What stands there.
        value: f64,
    },
    /// A history too short for its surrogates.
    #[error(
        "{rows} historical customers for {surrogates} surrogates in {folds} folds; {needed} are needed: slopes would follow chance, and their uncertainty couldn't be estimated. Take fewer surrogates or a longer history"
    )]
    ShortHistory {
        /// Customers.
        rows: usize,
        /// Surrogates.
        surrogates: usize,
        /// Folds.
        folds: usize,
        /// Customers needed.
        needed: usize,
    },
    /// A held-out customer who was treated.
    #[error(
        "row {row}: in the global holdout and treated by {campaign}; the holdout would contain what it is to be compared with, and the programme's effect would be pulled towards 0. Correct the assignment; if campaigns do reach the holdout, measure the effect of being assigned"
    )]
    HoldoutTreated {
        /// Row.
        row: u64,
        /// By which campaign.
        campaign: String,
    },
    /// A setting out of range.
    #[error("{name}: {value} where {needed}; {consequence}")]
    Setting {
        /// Which setting.
        name: &'static str,
        /// What was given.
        value: f64,
        /// What is needed.
        needed: &'static str,
        /// What would go wrong.
        consequence: &'static str,
    },
}

impl MoneyError {
    /// The row that it is about, from 0, where it is about one.
    pub const fn row(&self) -> Option<u64> {
        match self {
            Self::TooLarge { row, .. }
            | Self::NegativeCost { row, .. }
            | Self::Parts { row, .. }
            | Self::NotFinite { row, .. }
            | Self::HoldoutTreated { row, .. } => Some(*row),
            _ => None,
        }
    }
}

fn named(lacking: Lacking) -> String {
    let (what, window) = match lacking {
        Lacking::Revenue(window) => ("revenue", window),
        Lacking::Goods(window) => ("what goods cost", window),
        Lacking::Orders(window) => ("the number of orders", window),
        Lacking::LastTouched => return "last-touched revenue".to_owned(),
        Lacking::Redeemed => return "redeemed revenue".to_owned(),
    };
    let when = match window {
        Window::Before => "before",
        Window::During => "during",
        Window::After => "after",
    };
    format!("{what} {when} the campaign")
}

/// What can be judged; what can't is named, with the reason, and the rest stays.
pub(super) fn or_why<T>(name: &str, found: Result<T, MoneyError>, not_judged: &mut Vec<(String, String)>) -> Option<T> {
    found.map_err(|error| not_judged.push((name.to_owned(), error.to_string()))).ok()
}
