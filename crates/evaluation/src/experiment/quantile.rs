//! Quantiles with the outer interval of order statistics, robust to clusters (Deng, Knoblich and Lu 2018).
//!
//! Needs rows. If rows were independent, the quantile lies between those at ν ± z√(ν(1 − ν)/n), which gives
//! its standard error without a density. Rows of one cluster aren't: the variance is multiplied by that of
//! the share of rows not above the quantile, with clusters as units (delta method), over ν(1 − ν)/n.
//!
//! Fails where the interval of ν leaves (0, 1) (too few rows for so extreme a quantile), and where many rows
//! have the very value (medians of counts): the standard error may come out as 0 and is refused.
//!
//! gbstats' floor of 10⁻⁵ on the variance is not taken over: in euros and in milliseconds it means different
//! things. Nor are its degrees of freedom, which count rows: a variance between 40 clusters has 39.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::{ArmEstimate, Contrast, ExperimentError};

/// The normal quantile of the inner interval.
const Z: f64 = 1.959_963_984_540_054;

/// What a quantile's estimate rests on: of one arm, from rows or as a database aggregates it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct QuantileStats {
    /// Which quantile, such as .9.
    pub nu: f64,
    /// Rows.
    pub rows: u64,
    /// Rows on which `low` and `high` were computed: fewer where they come from a sample.
    pub rows_of_ends: u64,
    /// The quantile.
    pub value: f64,
    /// The quantile at ν − z√(ν(1 − ν)/`rows_of_ends`).
    pub low: f64,
    /// The quantile at ν + z√(ν(1 − ν)/`rows_of_ends`).
    pub high: f64,
    /// Clusters, where rows aren't independent.
    pub clusters: Option<ClusterShares>,
}

/// Sums over clusters of rows not above the quantile (x) and of rows (m).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ClusterShares {
    /// Clusters.
    pub n: u64,
    /// Σx.
    pub below: f64,
    /// Σx².
    pub below_squares: f64,
    /// Σm.
    pub rows: f64,
    /// Σm².
    pub rows_squares: f64,
    /// Σxm.
    pub products: f64,
}

impl QuantileStats {
    /// From rows; `clusters` gives each row's cluster where rows of one unit are several.
    ///
    /// # Errors
    /// Where ν isn't inside (0, 1), a value isn't finite, lengths differ, or rows are too few for ν.
    pub fn from_rows(values: &[f64], clusters: Option<&[u64]>, nu: f64) -> Result<Self, ExperimentError> {
        check_nu(nu)?;
        if let Some(row) = values.iter().position(|value| !value.is_finite()) {
            return Err(ExperimentError::NotFinite { row: row as u64, column: "value".to_owned(), value: values[row] });
        }
        if let Some(clusters) = clusters.filter(|clusters| clusters.len() != values.len()) {
            return Err(ExperimentError::Length { column: "cluster".to_owned(), found: clusters.len(), expected: values.len() });
        }
        let reach = Z * (nu * (1.0 - nu) / values.len() as f64).sqrt();
        if nu - reach <= 0.0 || nu + reach >= 1.0 || values.is_empty() {
            return Err(too_few(nu, values.len() as u64));
        }
        let mut sorted = values.to_vec();
        sorted.par_sort_unstable_by(f64::total_cmp);
        let value = at(&sorted, nu);
        let rows = values.len() as u64;
        let clusters = clusters.map(|clusters| shares(values, clusters, value));
        Ok(Self { nu, rows, rows_of_ends: rows, value, low: at(&sorted, nu - reach), high: at(&sorted, nu + reach), clusters })
    }

    fn estimate(&self, arm: &str) -> Result<ArmEstimate, ExperimentError> {
        check_nu(self.nu)?;
        let rows = self.rows as f64;
        let (least, most) = (Z * Z * self.nu / (1.0 - self.nu), Z * Z * (1.0 - self.nu) / self.nu);
        if rows <= least.max(most) {
            return Err(too_few(self.nu, self.rows));
        }
        let spread = (self.high - self.low) / (2.0 * Z);
        let independent = self.rows_of_ends as f64 / rows * (rows - 1.0) * spread * spread / rows;
        let (units, variance) = match &self.clusters {
            None => (self.rows, independent),
            Some(clusters) => {
                if clusters.n < 2 {
                    return Err(ExperimentError::TooFewUnits { arm: arm.to_owned(), units: clusters.n });
                }
                (clusters.n, independent * clusters.variance_of_share() / (self.nu * (1.0 - self.nu) / rows))
            }
        };
        if variance > 0.0 && variance.is_finite() {
            Ok(ArmEstimate::plain(units, self.value, variance, units as f64 - 1.0))
        } else {
            Err(ExperimentError::Constant { metric: format!("quantile {}", self.nu), arm: arm.to_owned() })
        }
    }
}

impl ClusterShares {
    /// Variance of Σx/Σm with clusters as units.
    fn variance_of_share(&self) -> f64 {
        let n = self.n as f64;
        let (below, rows) = (self.below / n, self.rows / n);
        let sample = |squares: f64, one: f64, two: f64| (squares / n - one * two) * n / (n - 1.0);
        let share = below / rows;
        let numerator = sample(self.below_squares, below, below) - 2.0 * share * sample(self.products, below, rows)
            + share * share * sample(self.rows_squares, rows, rows);
        numerator / (n * rows * rows)
    }
}

/// A quantile's contrast.
///
/// # Errors
/// Where rows or clusters are too few, or the quantile has no spread.
pub fn quantile(control: &QuantileStats, treatment: &QuantileStats) -> Result<Contrast, ExperimentError> {
    Ok(Contrast::independent(control.estimate("control")?, treatment.estimate("treatment")?))
}

fn check_nu(nu: f64) -> Result<(), ExperimentError> {
    super::frequentist::check_share("nu", nu, "the least and the greatest value have no interval")
}

fn too_few(nu: f64, rows: u64) -> ExperimentError {
    ExperimentError::Setting {
        name: "nu",
        value: nu,
        needed: "more rows are needed for so extreme a quantile",
        consequence: if rows == 0 {
            "an arm without rows has no quantile"
        } else {
            "its interval would reach beyond the largest or smallest value and cover too seldom"
        },
    }
}

/// Linear between the two order statistics beside it (Hyndman and Fan's type 7).
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a place in a list")]
pub(super) fn at(sorted: &[f64], share: f64) -> f64 {
    let place = share * (sorted.len() - 1) as f64;
    let (below, part) = (place.floor() as usize, place.fract());
    let above = sorted[(below + 1).min(sorted.len() - 1)];
    sorted[below] + part * (above - sorted[below])
}

fn shares(values: &[f64], clusters: &[u64], quantile: f64) -> ClusterShares {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.par_sort_unstable_by_key(|&row| (clusters[row], row));
    let mut all = ClusterShares { n: 0, below: 0.0, below_squares: 0.0, rows: 0.0, rows_squares: 0.0, products: 0.0 };
    for cluster in order.chunk_by(|&one, &two| clusters[one] == clusters[two]) {
        let rows = cluster.len() as f64;
        let below = cluster.iter().filter(|&&row| values[row] <= quantile).count() as f64;
        all.n += 1;
        all.below += below;
        all.below_squares += below * below;
        all.rows += rows;
        all.rows_squares += rows * rows;
        all.products += below * rows;
    }
    all
}
