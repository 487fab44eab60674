//! Logistic regression on standardised columns.

use super::basis::{Basis, Shape};
use crate::linear::{dot, logistic, sigmoid};
use crate::matrix::Matrix;

/// Ridge on the weights of standardised columns.
const RIDGE: f64 = 5.0;

/// A fitted logistic model: the intercept, then the columns' weights.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Logistic {
    pub(crate) basis: Basis,
    pub(crate) weights: Vec<f64>,
}

impl Logistic {
    pub(crate) fn fit(matrix: &Matrix, rows: &[u32], target: &[f64]) -> Self {
        let basis = Basis::new(Shape::Linear, matrix, rows);
        let width = basis.width() + 1;
        let mut z = vec![1.0; width * rows.len()];
        for (&row, z) in rows.iter().zip(z.chunks_exact_mut(width)) {
            basis.of(matrix.row(row as usize), &mut z[1..]);
        }
        let pairs = z.chunks_exact(width).zip(rows.iter().map(|&row| target[row as usize] > 0.5));
        Self { basis, weights: logistic(pairs, width, RIDGE) }
    }

    pub(crate) fn predict(&self, matrix: &Matrix) -> Vec<f64> {
        let mut z = vec![0.0; self.weights.len() - 1];
        let of_row = |row: usize| {
            self.basis.of(matrix.row(row), &mut z);
            sigmoid(self.weights[0] + dot(&z, &self.weights[1..]))
        };
        (0..matrix.rows()).map(of_row).collect()
    }
}
