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
    /// Variance that allows for any dependence within a cluster, times G/(G − 1) · (N − 1)/(N − `parameters`).
    pub(super) fn clustered(&self, design: &[Vec<f64>], cluster: &[usize], clusters: usize, parameters: usize) -> Vec<Vec<f64>> {
        let columns = self.coefficients.len();
        let mut scores = vec![vec![0.0; columns]; clusters];
        for ((row, residual), &of) in design.iter().zip(&self.residuals).zip(cluster) {
            row.iter().zip(&mut scores[of]).for_each(|(cell, sum)| *sum += cell * residual);
        }
        let (count, rows) = (clusters as f64, design.len() as f64);
        let factor = count / (count - 1.0) * (rows - 1.0) / (rows - parameters as f64);
        self.sandwich(&outer(&scores), factor)
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
pub(super) fn f_sf(f: f64, one: f64, two: f64) -> f64 {
    let whole = two + one * f;
    beta_inc(0.5 * two, 0.5 * one, two / whole, one * f / whole)
}
