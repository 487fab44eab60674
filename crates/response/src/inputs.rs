//! The same rows in the forms that learners read: numbers, standardised numbers, bins. Each is made
//! when it is first asked for.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use crate::matrix::Matrix;
use crate::regress::{Dense, Scaling};
use crate::trees::{Bins, MOST_BINS};

/// Rows of features.
#[derive(Debug, Clone)]
pub(crate) struct Inputs {
    pub(crate) matrix: Matrix,
    scaling: Arc<Scaling>,
    scaled: OnceLock<Matrix>,
    bins: OnceLock<Bins>,
    coarse: OnceLock<Bins>,
    outputs: Outputs,
}

/// A network's outputs at the rows: many promotions share one network.
#[derive(Debug, Default)]
struct Outputs(Mutex<Option<Kept>>);

#[derive(Debug)]
struct Kept {
    network: Arc<Dense>,
    outputs: Arc<Vec<f32>>,
}

impl Clone for Outputs {
    fn clone(&self) -> Self {
        Self::default()
    }
}

/// Bins where rows are few or leaves many, so that a leaf's best split takes longer to look for than its rows to sum.
const COARSE: usize = 64;
/// Rows past which they are finer.
const FINE_ROWS: usize = 50_000;

impl Inputs {
    /// Rows to learn from.
    pub(crate) fn learn(matrix: Matrix) -> Self {
        let scaling = Scaling::of(&matrix);
        Self::new(matrix, Arc::new(scaling))
    }

    /// Rows in the scale of others.
    pub(crate) fn new(matrix: Matrix, scaling: Arc<Scaling>) -> Self {
        Self { matrix, scaling, scaled: OnceLock::new(), bins: OnceLock::new(), coarse: OnceLock::new(), outputs: Outputs::default() }
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
        let most = if self.rows() > FINE_ROWS { MOST_BINS } else { COARSE };
        self.bins.get_or_init(|| Bins::new(&self.matrix, most))
    }

    pub(crate) fn coarse_bins(&self) -> &Bins {
        self.coarse.get_or_init(|| Bins::new(&self.matrix, COARSE))
    }

    /// The outputs of a network at every row, row by row; those of the last one are kept.
    pub(crate) fn outputs(&self, of: &Arc<Dense>) -> Arc<Vec<f32>> {
        let mut kept = self.outputs.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(kept) = kept.as_ref().filter(|kept| Arc::ptr_eq(&kept.network, of)) {
            return Arc::clone(&kept.outputs);
        }
        let outputs = Arc::new(of.outputs(self.scaled()));
        *kept = Some(Kept { network: Arc::clone(of), outputs: Arc::clone(&outputs) });
        outputs
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
