//! Rows of numbers, the form in which every learner here sees customers.

/// Numbers row by row; NaN is missing.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Matrix {
    columns: usize,
    values: Vec<f32>,
}

impl Matrix {
    /// Of values that stand row by row.
    ///
    /// # Panics
    /// Where they don't fill whole rows.
    pub fn new(columns: usize, values: Vec<f32>) -> Self {
        assert!(columns > 0 && values.len().is_multiple_of(columns), "{} values are no rows of {columns}", values.len());
        Self { columns, values }
    }

    /// How many rows.
    pub const fn rows(&self) -> usize {
        match self.values.len().checked_div(self.columns) {
            Some(rows) => rows,
            None => 0,
        }
    }

    /// How many columns.
    pub const fn columns(&self) -> usize {
        self.columns
    }

    /// One row.
    pub fn row(&self, row: usize) -> &[f32] {
        &self.values[row * self.columns..(row + 1) * self.columns]
    }

    /// All values, row by row.
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// The rows in the order of `places`.
    pub fn pick(&self, places: &[u32]) -> Self {
        let values = places.iter().flat_map(|&place| self.row(place as usize)).copied().collect();
        Self { columns: self.columns, values }
    }

    /// The same rows with one more column.
    pub fn with_column(&self, mut value: impl FnMut(usize) -> f32) -> Self {
        let mut values = Vec::with_capacity(self.rows() * (self.columns + 1));
        for row in 0..self.rows() {
            values.extend_from_slice(self.row(row));
            values.push(value(row));
        }
        Self { columns: self.columns + 1, values }
    }
}
