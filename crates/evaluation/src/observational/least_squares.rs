//! Least squares with variances for errors that go together: within clusters (Liang and Zeger 1986) or over time
//! (Newey and West 1987).

use super::ObservationalError;
use crate::experiment::solve::{dot, inverse, product};
use crate::experiment::special::beta_inc;

/// A fit. Rows of the design are rows.
pub(super) struct Fit {
    pub coefficients: Vec<f64>,
    pub residuals: Vec<f64>,
    /// (XᵀX)⁻¹.
    pub bread: Vec<Vec<f64>>,
}

/// Regresses `outcome` on the columns of `design`, given row by row.
pub(super) fn fit(design: &[Vec<f64>], outcome: &[f64], what: &'static str) -> Result<Fit, ObservationalError> {
    let columns = design.first().map_or(0, Vec::len);
    if design.len() <= columns {
        return Err(ObservationalError::TooFewRows { rows: design.len(), columns });
    }
    let mut gram = vec![vec![0.0; columns]; columns];
    let mut with = vec![0.0; columns];
    for (row, &value) in design.iter().zip(outcome) {
        for one in 0..columns {
            with[one] += row[one] * value;
            for two in 0..=one {
                gram[one][two] += row[one] * row[two];
            }
        }
    }
    mirror(&mut gram);
    let bread = inverse(&gram).map_err(ObservationalError::of_system(what))?;
    let coefficients = product(&bread, &with);
    let residuals = design.iter().zip(outcome).map(|(row, value)| value - dot(row, &coefficients)).collect();
    Ok(Fit { coefficients, residuals, bread })
}

impl Fit {
    /// Variance that allows for any dependence within a cluster, times G/(G − 1) · (N − 1)/(N − `parameters`), and the degrees
    /// of freedom of each coefficient.
    pub(super) fn clustered(
        &self,
        design: &[Vec<f64>],
        cluster: &[usize],
        treated: &[bool],
        parameters: usize,
    ) -> (Vec<Vec<f64>>, Vec<f64>) {
        let columns = self.coefficients.len();
        let mut scores = vec![vec![0.0; columns]; treated.len()];
        for ((row, residual), &of) in design.iter().zip(&self.residuals).zip(cluster) {
            row.iter().zip(&mut scores[of]).for_each(|(cell, sum)| *sum += cell * residual);
        }
        let (count, rows) = (treated.len() as f64, design.len() as f64);
        let factor = count / (count - 1.0) * (rows - 1.0) / (rows - parameters as f64);
        // What each cluster adds to a coefficient.
        let parts: Vec<Vec<f64>> = scores.iter().map(|score| product(&self.bread, score)).collect();
        let df = (0..columns).map(|at| satterthwaite(&parts.iter().map(|part| part[at]).collect::<Vec<f64>>(), treated)).collect();
        (self.sandwich(&outer(&scores), factor), df)
    }

    /// Variance that allows for dependence up to `lags` rows apart, with Bartlett's weights, times n/(n − k).
    pub(super) fn newey_west(&self, design: &[Vec<f64>], lags: usize) -> Vec<Vec<f64>> {
        let columns = self.coefficients.len();
        let scores: Vec<Vec<f64>> =
            design.iter().zip(&self.residuals).map(|(row, residual)| row.iter().map(|cell| cell * residual).collect()).collect();
        let mut meat = outer(&scores);
        for lag in 1..=lags.min(scores.len() - 1) {
            let weight = 1.0 - lag as f64 / (lags as f64 + 1.0);
            for (later, earlier) in scores[lag..].iter().zip(&scores) {
                for one in 0..columns {
                    for two in 0..columns {
                        meat[one][two] += weight * (later[one] * earlier[two] + earlier[one] * later[two]);
                    }
                }
            }
        }
        let rows = design.len() as f64;
        self.sandwich(&meat, rows / (rows - columns as f64))
    }

    fn sandwich(&self, meat: &[Vec<f64>], factor: f64) -> Vec<Vec<f64>> {
        let half: Vec<Vec<f64>> = self.bread.iter().map(|row| product(meat, row)).collect();
        half.iter().map(|row| self.bread.iter().map(|other| factor * dot(row, other)).collect()).collect()
    }
}

/// Degrees of freedom of a variance that is the sum of squares of clusters' parts, treated and untreated apart (Welch 1947;
/// Satterthwaite 1946): a dozen treated clusters beside thousands of others have a dozen's.
pub(super) fn satterthwaite(parts: &[f64], treated: &[bool]) -> f64 {
    let of = |side: bool| {
        let squares: f64 = parts.iter().zip(treated).filter(|(_, is)| **is == side).map(|(part, _)| part * part).sum();
        (squares, treated.iter().filter(|is| **is == side).count() as f64 - 1.0)
    };
    let ((one, df_one), (two, df_two)) = (of(true), of(false));
    let below = if df_one > 0.0 { one * one / df_one } else { 0.0 } + if df_two > 0.0 { two * two / df_two } else { 0.0 };
    if below > 0.0 { (one + two).powi(2) / below } else { (treated.len() as f64 - 1.0).max(1.0) }
}

/// Hotelling's T² test that `estimates` with this Wald statistic are all 0, its variance having `df` degrees of freedom.
/// `None` where these are too few.
pub(super) fn hotelling(wald: f64, estimates: f64, df: f64) -> Option<f64> {
    let left = df - estimates + 1.0;
    (left >= 1.0).then(|| f_sf(wald * left / (estimates * df), estimates, left))
}

/// Σ s sᵀ.
pub(super) fn outer(scores: &[Vec<f64>]) -> Vec<Vec<f64>> {
    let columns = scores.first().map_or(0, Vec::len);
    let mut sums = vec![vec![0.0; columns]; columns];
    for score in scores {
        for one in 0..columns {
            for two in 0..=one {
                sums[one][two] += score[one] * score[two];
            }
        }
    }
    mirror(&mut sums);
    sums
}

/// Fills the upper half of a symmetric matrix from the lower one.
fn mirror(matrix: &mut [Vec<f64>]) {
    for row in 1..matrix.len() {
        let (above, below) = matrix.split_at_mut(row);
        above.iter_mut().zip(&below[0]).for_each(|(other, cell)| other[row] = *cell);
    }
}

/// bᵀV⁻¹b: how far estimates are from all being 0.
pub(super) fn wald(estimates: &[f64], variance: &[Vec<f64>], what: &'static str) -> Result<f64, ObservationalError> {
    let inverse = inverse(variance).map_err(ObservationalError::of_system(what))?;
    Ok(dot(estimates, &product(&inverse, estimates)))
}

/// P(F > f) with `one` and `two` degrees of freedom.
fn f_sf(f: f64, one: f64, two: f64) -> f64 {
    let whole = two + one * f;
    beta_inc(0.5 * two, 0.5 * one, two / whole, one * f / whole)
}
