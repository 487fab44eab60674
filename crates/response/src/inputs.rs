//! The same rows in the forms that learners read: numbers, standardised numbers, bins. Each is made
//! when it is first asked for.

use std::sync::{Arc, OnceLock};

use crate::matrix::Matrix;
use crate::regress::Scaling;
use crate::trees::Bins;

/// Rows of features.
#[derive(Debug, Clone)]
pub(crate) struct Inputs {
    pub(crate) matrix: Matrix,
    scaling: Arc<Scaling>,
    scaled: OnceLock<Matrix>,
    bins: OnceLock<Bins>,
}

impl Inputs {
    /// Rows to learn from.
    pub(crate) fn learn(matrix: Matrix) -> Self {
        let scaling = Scaling::of(&matrix);
        Self::new(matrix, Arc::new(scaling))
    }

    /// Rows in the scale of others.
    pub(crate) const fn new(matrix: Matrix, scaling: Arc<Scaling>) -> Self {
        Self { matrix, scaling, scaled: OnceLock::new(), bins: OnceLock::new() }
    }

    /// What standardises them.
    pub(crate) fn scaling(&self) -> Arc<Scaling> {
        Arc::clone(&self.scaling)
    }

    /// Every column of mean 0 and spread 1.
    pub(crate) fn scaled(&self) -> &Matrix {
        self.scaled.get_or_init(|| self.scaling.apply(&self.matrix))
    }

    pub(crate) fn bins(&self) -> &Bins {
        self.bins.get_or_init(|| Bins::new(&self.matrix))
    }

    /// Some of the rows.
    pub(crate) fn pick(&self, rows: &[u32]) -> Self {
        Self::new(self.matrix.pick(rows), self.scaling())
    }

    /// The same rows with the treatment as a last column.
    pub(crate) fn with_treatment(&self, treatment: impl FnMut(usize) -> f32) -> Self {
        Self::new(self.matrix.with_column(treatment), Arc::new(self.scaling.with_switch()))
    }

    pub(crate) const fn rows(&self) -> usize {
        self.matrix.rows()
    }
}
