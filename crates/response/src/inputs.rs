//! The same rows in the forms that learners read: numbers, standardised numbers, bins.

use crate::matrix::Matrix;
use crate::regress::Scaling;
use crate::trees::Bins;

/// Rows of features.
#[derive(Debug, Clone)]
pub(crate) struct Inputs {
    pub(crate) matrix: Matrix,
    pub(crate) scaled: Matrix,
    /// Of rows to learn from; what is only predicted has none.
    pub(crate) bins: Bins,
}

impl Inputs {
    /// Rows to learn from, with what scales them.
    pub(crate) fn learn(matrix: Matrix) -> (Self, Scaling) {
        let scaling = Scaling::of(&matrix);
        let inputs = Self { scaled: scaling.apply(&matrix), bins: Bins::new(&matrix), matrix };
        (inputs, scaling)
    }

    /// Rows to predict.
    pub(crate) fn predict(matrix: Matrix, scaling: &Scaling) -> Self {
        Self { scaled: scaling.apply(&matrix), bins: Bins::none(), matrix }
    }

    /// Some of the rows, to predict.
    pub(crate) fn pick(&self, rows: &[u32]) -> Self {
        Self { matrix: self.matrix.pick(rows), scaled: self.scaled.pick(rows), bins: Bins::none() }
    }

    /// The same rows with the treatment as a last column, to learn from.
    pub(crate) fn with_treatment(&self, treated: &[bool]) -> Self {
        let matrix = self.matrix.with_column(|row| f32::from(u8::from(treated[row])));
        let scaled = self.scaled.with_column(|row| switch(f32::from(u8::from(treated[row]))));
        Self { bins: Bins::new(&matrix), matrix, scaled }
    }

    /// The same rows as if all had this treatment, to predict.
    pub(crate) fn switched(&self, treated: f32) -> Self {
        Self { matrix: self.matrix.with_column(|_| treated), scaled: self.scaled.with_column(|_| switch(treated)), bins: Bins::none() }
    }

    pub(crate) fn rows(&self) -> usize {
        self.matrix.rows()
    }
}

/// A treatment of 0 or 1 as −1 or 1, the spread of a standardised column.
fn switch(treated: f32) -> f32 {
    2.0 * treated - 1.0
}
