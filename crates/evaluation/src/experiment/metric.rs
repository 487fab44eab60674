//! Metrics as functions of column means, and what an arm says of one.
//!
//! A mean is a column; a ratio is a column's sum over another's. Both are linearised at the arm's own
//! means (the delta method: Deng, Knoblich and Lu 2018): ratio R = x̄/d̄ has the variance of (x − R d)/d̄.

use serde::{Deserialize, Serialize};

use super::{ExperimentError, Moments};

/// A mean or a ratio of means, over columns of [`Moments`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Metric {
    /// Column of the value, or of the numerator.
    pub numerator: usize,
    /// Column of the denominator; without one the metric is a mean per unit.
    pub denominator: Option<usize>,
}

impl From<usize> for Metric {
    /// The column's mean.
    fn from(column: usize) -> Self {
        Self::mean(column)
    }
}

impl Metric {
    /// A mean per unit: revenue per customer, orders per customer, the share of customers who order.
    pub const fn mean(column: usize) -> Self {
        Self { numerator: column, denominator: None }
    }

    /// A ratio of two sums: revenue per order, orders per session. Its units are still those that were
    /// assigned, so that what one customer's sessions have in common is counted.
    pub const fn ratio(numerator: usize, denominator: usize) -> Self {
        Self { numerator, denominator: Some(denominator) }
    }

    /// The metric's value.
    pub fn value(self, moments: &Moments) -> f64 {
        moments.mean(self.numerator) / self.denominator.map_or(1.0, |denominator| moments.mean(denominator))
    }

    /// The columns it is made of.
    pub(super) fn columns(self) -> impl Iterator<Item = usize> {
        std::iter::once(self.numerator).chain(self.denominator)
    }

    /// Weight of each column in the linearised metric.
    pub(super) fn weights(self, moments: &Moments) -> Vec<(usize, f64)> {
        self.denominator.map_or_else(
            || vec![(self.numerator, 1.0)],
            |denominator| {
                let mean = moments.mean(denominator);
                vec![(self.numerator, 1.0 / mean), (denominator, -moments.mean(self.numerator) / (mean * mean))]
            },
        )
    }

    /// Sample covariance of two metrics, per unit; with itself the variance.
    pub fn covariance(self, other: Self, moments: &Moments) -> f64 {
        let (one, two) = (self.weights(moments), other.weights(moments));
        let pairs = one.iter().flat_map(|left| two.iter().map(move |right| (left, right)));
        pairs.map(|(left, right)| left.1 * right.1 * moments.covariance(left.0, right.0)).sum()
    }

    /// Refuses an arm of which nothing can be said.
    pub(super) fn check(self, moments: &Moments, arm: &str) -> Result<(), ExperimentError> {
        moments.check_columns(self.columns())?;
        if moments.units() < 2 {
            return Err(ExperimentError::TooFewUnits { arm: arm.to_owned(), units: moments.units() });
        }
        let metric = || self.name();
        if let Some(mean) = self.denominator.map(|denominator| moments.mean(denominator)).filter(|&mean| mean == 0.0) {
            return Err(ExperimentError::ZeroDenominator { metric: metric(), arm: arm.to_owned(), mean });
        }
        let scale = self.value(moments);
        let varies = match self.denominator {
            None => moments.varies(self.numerator),
            Some(_) => self.covariance(self, moments) > (64.0 * f64::EPSILON * scale).powi(2),
        };
        if varies { Ok(()) } else { Err(ExperimentError::Constant { metric: metric(), arm: arm.to_owned() }) }
    }

    fn name(self) -> String {
        self.denominator.map_or_else(
            || format!("mean of column {}", self.numerator),
            |denominator| format!("ratio of column {} to column {denominator}", self.numerator),
        )
    }
}

/// What one arm says of a metric, however it was estimated.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct ArmEstimate {
    /// Independent units: customers, or clusters where clusters were assigned.
    pub units: u64,
    /// The metric, adjusted where it is.
    pub value: f64,
    /// Variance of `value` as an estimate (a standard error, squared).
    pub variance: f64,
    /// Degrees of freedom of that variance.
    pub df: f64,
    /// The metric as it stands, which relative effects are relative to.
    pub raw: f64,
    /// Variance of `raw` as an estimate.
    pub raw_variance: f64,
    /// Covariance of `raw` with `value`.
    pub raw_covariance: f64,
}

impl ArmEstimate {
    /// An unadjusted estimate.
    pub const fn plain(units: u64, value: f64, variance: f64, df: f64) -> Self {
        Self { units, value, variance, df, raw: value, raw_variance: variance, raw_covariance: variance }
    }

    /// Standard error of `value`.
    pub fn std_error(&self) -> f64 {
        self.variance.sqrt()
    }
}

/// Two arms' estimates, which share nothing unless `covariance` says so.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Contrast {
    /// The arm that is compared with.
    pub control: ArmEstimate,
    /// The arm that is judged.
    pub treatment: ArmEstimate,
    /// Covariance of the two values: of arms that share weights of strata or means of covariates.
    pub covariance: f64,
}

impl Contrast {
    /// Of independent arms.
    pub const fn independent(control: ArmEstimate, treatment: ArmEstimate) -> Self {
        Self { control, treatment, covariance: 0.0 }
    }

    /// The absolute effect and its variance.
    pub fn absolute(&self) -> (f64, f64) {
        (self.treatment.value - self.control.value, self.control.variance + self.treatment.variance - 2.0 * self.covariance)
    }

    /// The effect relative to control's unadjusted metric and its variance, by the delta method on the
    /// three estimates it is made of.
    ///
    /// # Errors
    /// Where control's metric is 0.
    pub fn relative(&self) -> Result<(f64, f64), ExperimentError> {
        let base = self.control.raw;
        if base == 0.0 {
            return Err(ExperimentError::NoBaseline { mean: base, needed: "not 0" });
        }
        let (difference, variance) = self.absolute();
        let effect = difference / base;
        let together = 2.0 * effect * (self.control.raw_covariance - self.covariance) + effect * effect * self.control.raw_variance;
        Ok((effect, (variance + together) / (base * base)))
    }

    /// Units of both arms.
    pub const fn units(&self) -> u64 {
        self.control.units + self.treatment.units
    }

    /// Degrees of freedom by Satterthwaite (1946) and Welch (1947).
    pub fn df(&self) -> f64 {
        // As shares: squares of very large or very small variances would be out of range.
        let whole = self.control.variance + self.treatment.variance;
        let (control, treatment) = (self.control.variance / whole, self.treatment.variance / whole);
        1.0 / (control.powi(2) / self.control.df + treatment.powi(2) / self.treatment.df)
    }
}

/// Means or ratios as they stand.
///
/// # Errors
/// Where an arm has fewer than 2 units, doesn't vary, or has a denominator of 0.
pub fn unadjusted(metric: Metric, control: &Moments, treatment: &Moments) -> Result<Contrast, ExperimentError> {
    Ok(Contrast::independent(arm(metric, control, "control")?, arm(metric, treatment, "treatment")?))
}

/// One arm's mean or ratio.
pub(super) fn arm(metric: Metric, moments: &Moments, name: &str) -> Result<ArmEstimate, ExperimentError> {
    metric.check(moments, name)?;
    let n = moments.units() as f64;
    Ok(ArmEstimate::plain(moments.units(), metric.value(moments), metric.covariance(metric, moments) / n, n - 1.0))
}
