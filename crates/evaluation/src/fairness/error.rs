//! What can be wrong with groups, said with its statistical consequence.

use thiserror::Error;

use crate::experiment::ExperimentError;

/// Groups or settings from which no honest figure can be made. Rows count from 0 over all batches.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum FairnessError {
    /// What the experiment's estimators refuse: an empty arm, no variance, a level that means nothing.
    #[error(transparent)]
    Experiment(#[from] ExperimentError),
    /// A customer without a group.
    #[error(
        "row {row}: no group; left out, gaps would be those between customers who say what they are, and whoever is worst off may be among the others. Give \"unknown\" as a group of its own"
    )]
    MissingGroup {
        /// Row.
        row: u64,
    },
    /// A group that isn't declared.
    #[error("row {row}: group {group} is not below the {groups} declared groups; its customers would be in no figure. Declare it")]
    UnknownGroup {
        /// Row.
        row: u64,
        /// The number that stands there.
        group: u32,
        /// How many are declared.
        groups: usize,
    },
    /// A value that no mean survives.
    #[error(
        "row {row}, {field}: {value} is not a finite number; one such row makes its group's mean and every gap to it undefined. Remove the row or give the value that was meant"
    )]
    NotFinite {
        /// Row.
        row: u64,
        /// Which value.
        field: &'static str,
        /// What stands there.
        value: f64,
    },
    /// An amount below 0, or a discount above the price.
    #[error(
        "row {row}, {field}: {value} minor units; below 0 it would offset what others of the group paid or got, and hide a gap. Take returns and gifts out on both sides, or judge it without them"
    )]
    Negative {
        /// Row.
        row: u64,
        /// Which amount.
        field: &'static str,
        /// What stands there.
        value: i64,
    },
    /// An amount beyond what sums keep exactly.
    #[error(
        "row {row}, {field}: {value} minor units are beyond 2⁵³: one such customer alone decides the group's mean. Check the unit of the column"
    )]
    TooLarge {
        /// Row.
        row: u64,
        /// Which amount.
        field: &'static str,
        /// What stands there.
        value: i64,
    },
    /// Nothing to compare.
    #[error("{groups} group(s) of which something can be said, of {declared} declared: a gap needs two. {remedy}")]
    TooFewGroups {
        /// Groups left.
        groups: usize,
        /// Groups declared.
        declared: usize,
        /// What to do.
        remedy: &'static str,
    },
    /// Two groups of one name.
    #[error(
        "group {name:?} is declared twice: its customers would be split by chance, and the gap between the halves would be one of nobody"
    )]
    Twice {
        /// The name.
        name: String,
    },
    /// Ledgers of different groups.
    #[error("ledgers with different {what} don't add: figures would mix customers of different groups or campaigns")]
    Mismatch {
        /// In what they differ.
        what: &'static str,
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

impl FairnessError {
    /// The row that it is about, from 0, where it is about one.
    pub const fn row(&self) -> Option<u64> {
        match self {
            Self::MissingGroup { row }
            | Self::UnknownGroup { row, .. }
            | Self::NotFinite { row, .. }
            | Self::Negative { row, .. }
            | Self::TooLarge { row, .. } => Some(*row),
            _ => None,
        }
    }
}
