//! What can be wrong with data without a holdout, said with its statistical consequence.

use thiserror::Error;

use crate::experiment::ExperimentError;

/// Data or settings from which no honest figure can be made.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum ObservationalError {
    /// A value that no mean survives.
    #[error(
        "row {row}, {column}: {value} is not a finite number; one such row makes every mean of its period, and so every effect and interval, undefined. Give the amount that was meant (0 where nothing was bought), or remove the unit"
    )]
    NotFinite {
        /// Place among the rows, from 0.
        row: usize,
        /// Name of the column.
        column: String,
        /// What stands there.
        value: f64,
    },
    /// Columns of different lengths.
    #[error(
        "{column}: {found} values where the others have {expected}; values would be counted for other periods or units than their own. Give one value a row"
    )]
    Length {
        /// Name of the column.
        column: String,
        /// Its rows.
        found: usize,
        /// Rows of the others.
        expected: usize,
    },
    /// A unit's time that doesn't go on.
    #[error(
        "row {row}: unit {unit} goes from time {from} to {to}; before and after would be mixed up, or a period counted twice, and the effect is then that of the order of rows. Sort each unit's rows by time, one row a period"
    )]
    TimeBackwards {
        /// Place among the rows, from 0.
        row: usize,
        /// The unit.
        unit: u64,
        /// The time before.
        from: i64,
        /// The time in this row.
        to: i64,
    },
    /// A unit without some period.
    #[error(
        "unit {unit}: no row for time {time}; in an unbalanced panel the mix of units changes with time, and that change counts as effect. Add the row (0 where nothing was bought) or leave out the unit and say so"
    )]
    Unbalanced {
        /// The unit.
        unit: u64,
        /// The missing time.
        time: i64,
    },
    /// A single series without some period.
    #[error(
        "row {row}: no row for time {time} before it; a line and a season count periods, and effects after the gap would be those of other periods. Add the row (0 where nothing was bought)"
    )]
    Gap {
        /// Place of the row after the gap, from 0.
        row: usize,
        /// The first missing time.
        time: i64,
    },
    /// A unit whose facts change.
    #[error(
        "row {row}: {what} of unit {unit} differs from its earlier rows; before and after, or whose errors go together, would be undefined. Treatment starts once and stays; give each unit one start and one cluster"
    )]
    Changed {
        /// Place among the rows, from 0.
        row: usize,
        /// Start or cluster.
        what: &'static str,
        /// The unit.
        unit: u64,
    },
    /// Nothing from before.
    #[error(
        "{periods} period(s) before the start where {needed} are needed: without them a difference between treated and others is theirs, not the campaign's, and no trend or placebo can be checked. Add earlier periods"
    )]
    NoPrePeriod {
        /// Periods before.
        periods: usize,
        /// Periods needed.
        needed: usize,
    },
    /// Nothing from after.
    #[error("no period from the start on: nothing was observed that the campaign could have changed. Add later periods or check the start")]
    NoPostPeriod,
    /// Nobody treated.
    #[error("no unit is treated within the observed periods: there is no effect to estimate. Check the starts' units of time")]
    NoneTreated,
    /// Nobody to compare with.
    #[error(
        "{controls} untreated unit(s) where {needed} are needed: season and trend can't be told from the effect. Keep units that got nothing (best by lot), or use an interrupted time series, which assumes that the trend goes on"
    )]
    NoControls {
        /// Untreated units.
        controls: usize,
        /// Needed.
        needed: usize,
    },
    /// Too few independent groups.
    #[error(
        "{clusters} {which} cluster(s): what units of a cluster share can't be told from the effect, and the variance between clusters can't be estimated, so no interval or p-value exists. At least 2 treated and 2 untreated clusters are needed; use synthetic control for one treated unit"
    )]
    TooFewClusters {
        /// Treated or untreated.
        which: &'static str,
        /// How many.
        clusters: usize,
    },
    /// Starts that differ where one is needed.
    #[error(
        "treated units start at different times ({first} and {other}): 'before' and 'after' aren't the same for all, and units already treated would serve as controls. Use group-time effects"
    )]
    Staggered {
        /// A start.
        first: i64,
        /// Another.
        other: i64,
    },
    /// Columns that say the same.
    #[error(
        "{what} are linearly dependent (column {pivot}): their coefficients, and the effect with them, aren't identified. Remove a column that is constant or a sum of others"
    )]
    Dependent {
        /// Which columns.
        what: &'static str,
        /// Which one.
        pivot: usize,
    },
    /// Too few rows for the number of coefficients.
    #[error(
        "{rows} rows for {columns} coefficients: the fit is perfect and its variance undefined. Add periods or units, or fewer columns"
    )]
    TooFewRows {
        /// Rows.
        rows: usize,
        /// Coefficients.
        columns: usize,
    },
    /// An outcome that doesn't vary.
    #[error("{what} doesn't vary: a variance of 0 would make any effect infinitely significant. Check how the outcome is computed")]
    Constant {
        /// What is constant.
        what: String,
    },
    /// An outcome that is computed from what is to explain it.
    #[error(
        "{what}: fits the outcome but for rounding; a control that is the outcome, or is computed from it, moved with the campaign and takes its effect away. Leave that control out"
    )]
    PerfectFit {
        /// What fits.
        what: String,
    },
    /// Covariates that tell treated from untreated for certain.
    #[error(
        "covariates tell treated from untreated units for certain: no untreated unit is comparable, and weights are infinite. Use fewer or coarser covariates, or drop treated units unlike all others and say so"
    )]
    NoOverlap,
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

impl ObservationalError {
    /// Of a system of equations for the coefficients of `what`.
    pub(super) fn of_system(what: &'static str) -> impl Fn(ExperimentError) -> Self {
        move |error| Self::Dependent { what, pivot: if let ExperimentError::Dependent { pivot } = error { pivot } else { 0 } }
    }
}
