//! What can be wrong with an experiment's data, said with its statistical consequence.

use serde::Serialize;
use thiserror::Error;

/// Data or settings from which no honest figure can be made.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum ExperimentError {
    /// A value that no mean survives.
    #[error(
        "row {row}, {column}: {value} is not a finite number; one such row makes every mean, variance and interval of its arm undefined. Remove the row or give the amount that was meant"
    )]
    NotFinite {
        /// Place among the rows, from 0.
        row: u64,
        /// Name of the column.
        column: String,
        /// What stands there.
        value: f64,
    },
    /// A row of a group that isn't declared.
    #[error(
        "row {row}, group: {group} is not below the {groups} declared groups; left out, the arms would no longer be those that were drawn by lot. Declare the group or remove its rows and say so"
    )]
    UnknownGroup {
        /// Place among the rows, from 0.
        row: u64,
        /// The number that stands there.
        group: u32,
        /// How many are declared.
        groups: usize,
    },
    /// Columns of different lengths.
    #[error(
        "{column}: {found} rows where the others have {expected}; values would be counted for other units than their own. Give every column one value a row"
    )]
    Length {
        /// Name of the column.
        column: String,
        /// Its rows.
        found: usize,
        /// Rows of the others.
        expected: usize,
    },
    /// Nobody, or one unit, in an arm.
    #[error(
        "{arm}: {units} unit(s); the variance of one arm with fewer than 2 units can't be estimated, so no interval, p-value or probability exists. Wait for more units or remove the arm"
    )]
    TooFewUnits {
        /// Which arm.
        arm: String,
        /// Its units.
        units: u64,
    },
    /// A metric that doesn't vary.
    #[error(
        "{metric}: the same value for every unit of {arm}; a variance of 0 would make any difference infinitely significant. Check how the metric is computed, or wait for the first event"
    )]
    Constant {
        /// Which metric.
        metric: String,
        /// Which arm.
        arm: String,
    },
    /// A denominator that isn't there.
    #[error(
        "{metric}: the denominator's mean is {mean} in {arm}; a ratio to it has no finite variance. Choose a denominator that is positive, such as sessions or orders"
    )]
    ZeroDenominator {
        /// Which metric.
        metric: String,
        /// Which arm.
        arm: String,
        /// The mean.
        mean: f64,
    },
    /// Nothing to be relative to.
    #[error("control's mean is {mean}: a relative effect divides by it and needs it {needed}. Ask for the absolute effect")]
    NoBaseline {
        /// Control's mean.
        mean: f64,
        /// What the method needs: "not 0" or "positive in both arms".
        needed: &'static str,
    },
    /// Control's mean can't be told from 0.
    #[error(
        "control's mean {mean} isn't told from 0 at this level (standard error {std_error}): Fieller's set of relative effects is unbounded. Ask for the absolute effect or wait for more units"
    )]
    Unbounded {
        /// Control's mean.
        mean: f64,
        /// Its standard error.
        std_error: f64,
    },
    /// Sums that no data can have.
    #[error(
        "{what}: sums give a variance of {variance}, which no data has; intervals from them would be wrong or undefined. Sum values less a constant near their mean, or give mean and variance"
    )]
    ImpossibleSums {
        /// Which column.
        what: String,
        /// What they give.
        variance: f64,
    },
    /// Sums in which the spread is lost.
    #[error(
        "{what}: its spread is {share:.1e} of its sum of squares, and lost in rounding: standard errors would be off, or 0. Subtract a constant near its mean before summing, or give rows"
    )]
    LostDigits {
        /// Which column.
        what: String,
        /// How much of it there is.
        share: f64,
    },
    /// Covariates that say the same.
    #[error(
        "covariates are linearly dependent (pivot {pivot}): their coefficients aren't identified. Remove a covariate that is a sum or multiple of others, or is constant"
    )]
    Dependent {
        /// Which pivot of the elimination.
        pivot: usize,
    },
    /// Statistics of other columns, or settings out of range.
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
    /// A time that goes backwards.
    #[error("row {row}: {what}; {consequence}")]
    TimeBackwards {
        /// Place among the rows, from 0.
        row: u64,
        /// Which times.
        what: String,
        /// What would go wrong.
        consequence: &'static str,
    },
    /// One cluster or block in several arms.
    #[error(
        "row {row}: {unit} was in arm {first} and now in {second}; its outcomes are caused by both, and the difference between arms is pulled towards 0. Remove the {kind} or correct its assignment"
    )]
    TwoArms {
        /// Place among the rows, from 0.
        row: u64,
        /// The unit, cluster or block.
        unit: String,
        /// What kind of thing it is.
        kind: &'static str,
        /// The first arm seen.
        first: u32,
        /// The other.
        second: u32,
    },
    /// A stratum without one of the arms.
    #[error(
        "stratum {stratum}: {units} unit(s) of {arm}; its effect and variance can't be estimated, and leaving it out changes whom the effect is about. Merge it with a neighbour"
    )]
    EmptyStratum {
        /// Place of the stratum.
        stratum: usize,
        /// Which arm.
        arm: String,
        /// Its units.
        units: u64,
    },
}

/// Something that changes how far a figure can be trusted.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Warning {
    /// A stable name: `sample_ratio_mismatch`, `multiple_exposure` and so on.
    pub code: &'static str,
    /// What was found, what it does to the figures, what to do.
    pub message: String,
}

impl Warning {
    pub(super) fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }
}
