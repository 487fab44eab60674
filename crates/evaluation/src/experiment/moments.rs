//! What all estimators rest on: number of units, means, and co-moments of several columns.
//!
//! Co-moments are sums of products of deviations from the mean. Two sets of units are merged by Chan,
//! Golub and LeVeque (1979), which subtracts means and not sums of squares: a revenue of 10⁹ ± 1 keeps
//! its variance, which Σx² − (Σx)²/n would lose.

use serde::{Deserialize, Serialize};

use super::ExperimentError;

/// Sufficient statistics of some units: everything a mean, a ratio, CUPED or a regression needs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Moments {
    n: u64,
    means: Vec<f64>,
    /// Σ (xᵢ − x̄ᵢ)(xⱼ − x̄ⱼ), j ≤ i, row by row.
    products: Vec<f64>,
}

/// Where the product of columns `one` and `two` stands.
const fn place(one: usize, two: usize) -> usize {
    let (row, column) = if one > two { (one, two) } else { (two, one) };
    row * (row + 1) / 2 + column
}

/// Share of a sum of squares below which what is left of it, after the mean, is known to fewer than some four digits.
const LOST: f64 = 1e-12;

impl Moments {
    /// No units yet, of so many columns.
    pub fn empty(columns: usize) -> Self {
        Self { n: 0, means: vec![0.0; columns], products: vec![0.0; columns * (columns + 1) / 2] }
    }

    /// From an aggregate as a database gives it: units, Σxᵢ for each column, and Σxᵢxⱼ for j ≤ i in the
    /// order (0,0), (1,0), (1,1), (2,0), …
    ///
    /// # Errors
    /// Where lengths don't fit, a sum isn't finite, or a variance comes out negative beyond rounding.
    pub fn from_sums(n: u64, sums: &[f64], products: &[f64]) -> Result<Self, ExperimentError> {
        check_lengths(sums.len(), products.len())?;
        check_finite(sums, "sum")?;
        check_finite(products, "sum of products")?;
        if n == 0 {
            return Ok(Self::empty(sums.len()));
        }
        let means: Vec<f64> = sums.iter().map(|sum| sum / n as f64).collect();
        let mut centred = products.to_vec();
        for row in 0..sums.len() {
            for column in 0..=row {
                centred[place(row, column)] -= sums[row] * means[column];
            }
            let (square, rest) = (products[place(row, row)], &mut centred[place(row, row)]);
            if *rest < -1e-9 * square.abs() {
                return Err(ExperimentError::ImpossibleSums { what: format!("column {row}"), variance: *rest / n as f64 });
            }
            // What is left of a constant column is rounding.
            if *rest <= 4.0 * f64::EPSILON * square.abs() {
                *rest = 0.0;
            } else if *rest < LOST * square.abs() {
                return Err(ExperimentError::LostDigits { what: format!("column {row}"), share: *rest / square.abs() });
            }
        }
        Ok(Self { n, means, products: centred })
    }

    /// From means and sample covariances (n − 1 below), j ≤ i in the order of [`Moments::from_sums`].
    ///
    /// # Errors
    /// Where lengths don't fit, a value isn't finite, or a variance is negative.
    pub fn from_covariances(n: u64, means: &[f64], covariances: &[f64]) -> Result<Self, ExperimentError> {
        check_lengths(means.len(), covariances.len())?;
        check_finite(means, "mean")?;
        check_finite(covariances, "covariance")?;
        for row in 0..means.len() {
            let variance = covariances[place(row, row)];
            if variance < 0.0 {
                return Err(ExperimentError::ImpossibleSums { what: format!("column {row}"), variance });
            }
        }
        let below = (n as f64 - 1.0).max(0.0);
        Ok(Self { n, means: means.to_vec(), products: covariances.iter().map(|value| value * below).collect() })
    }

    /// From parts that are known to fit.
    pub(super) const fn from_parts(n: u64, means: Vec<f64>, products: Vec<f64>) -> Self {
        Self { n, means, products }
    }

    /// Adds one unit (Welford 1962): a value for each column.
    pub fn push(&mut self, row: &[f64]) {
        self.n += 1;
        let n = self.n as f64;
        let before: Vec<f64> = row.iter().zip(&self.means).map(|(value, mean)| value - mean).collect();
        self.means.iter_mut().zip(&before).for_each(|(mean, change)| *mean += change / n);
        for (one, before) in before.iter().enumerate() {
            for (two, (value, mean)) in row.iter().zip(&self.means).enumerate().take(one + 1) {
                self.products[place(one, two)] += before * (value - mean);
            }
        }
    }

    /// Adds the units of `other`, which has the same columns; columns that only one of them has are dropped.
    pub fn merge(&mut self, other: &Self) {
        let columns = self.columns().min(other.columns());
        self.means.truncate(columns);
        self.products.truncate(columns * (columns + 1) / 2);
        if other.n == 0 {
            return;
        }
        if self.n == 0 {
            self.n = other.n;
            self.means.copy_from_slice(&other.means[..columns]);
            self.products.copy_from_slice(&other.products[..columns * (columns + 1) / 2]);
            return;
        }
        let (one, two) = (self.n as f64, other.n as f64);
        let all = one + two;
        let apart: Vec<f64> = other.means.iter().zip(&self.means).map(|(there, here)| there - here).collect();
        for row in 0..apart.len() {
            for column in 0..=row {
                let at = place(row, column);
                self.products[at] += other.products[at] + apart[row] * apart[column] * (one * two / all);
            }
        }
        self.means.iter_mut().zip(&apart).for_each(|(mean, apart)| *mean += apart * (two / all));
        self.n += other.n;
    }

    /// Both together.
    #[must_use]
    pub fn merged(&self, other: &Self) -> Self {
        let mut both = self.clone();
        both.merge(other);
        both
    }

    /// Some columns only, in the given order.
    ///
    /// # Errors
    /// Where there is no such column.
    pub fn select(&self, columns: &[usize]) -> Result<Self, ExperimentError> {
        self.check_columns(columns.iter().copied())?;
        let means = columns.iter().map(|&column| self.means[column]).collect();
        let pairs = columns.iter().enumerate().flat_map(|(at, &one)| columns[..=at].iter().map(move |&two| (one, two)));
        Ok(Self { n: self.n, means, products: pairs.map(|(one, two)| self.products[place(one, two)]).collect() })
    }

    /// Refuses columns that aren't there.
    pub(super) fn check_columns(&self, mut columns: impl Iterator<Item = usize>) -> Result<(), ExperimentError> {
        columns.find(|&column| column >= self.columns()).map_or(Ok(()), |column| {
            Err(ExperimentError::Setting {
                name: "column",
                value: column as f64,
                needed: "the statistics have no such column, counted from 0",
                consequence: "nothing is known of it. Sum that column too",
            })
        })
    }

    /// Units.
    pub const fn units(&self) -> u64 {
        self.n
    }

    /// Columns.
    pub const fn columns(&self) -> usize {
        self.means.len()
    }

    /// Mean of a column; 0 where there are no units, NaN where there is no such column.
    pub fn mean(&self, column: usize) -> f64 {
        self.means.get(column).copied().unwrap_or(f64::NAN)
    }

    /// Sample variance of a column; 0 where there are fewer than 2 units.
    pub fn variance(&self, column: usize) -> f64 {
        self.covariance(column, column)
    }

    /// Sample covariance of two columns; 0 where there are fewer than 2 units, NaN where there is no such column.
    pub fn covariance(&self, one: usize, two: usize) -> f64 {
        if self.n < 2 {
            return 0.0;
        }
        self.products.get(place(one, two)).map_or(f64::NAN, |product| product / (self.n as f64 - 1.0))
    }

    /// Whether a column varies by more than rounding can explain.
    pub(crate) fn varies(&self, column: usize) -> bool {
        self.variance(column) > (8.0 * f64::EPSILON * self.mean(column)).powi(2)
    }
}

const fn check_lengths(columns: usize, products: usize) -> Result<(), ExperimentError> {
    if products == columns * (columns + 1) / 2 {
        return Ok(());
    }
    Err(ExperimentError::Setting {
        name: "products",
        value: products as f64,
        needed: "there is one for each pair of columns, k(k + 1)/2 in all",
        consequence: "products would be taken for those of other columns",
    })
}

fn check_finite(values: &[f64], what: &str) -> Result<(), ExperimentError> {
    values
        .iter()
        .enumerate()
        .find(|(_, value)| !value.is_finite())
        .map_or(Ok(()), |(place, &value)| Err(ExperimentError::NotFinite { row: place as u64, column: what.to_owned(), value }))
}
