//! Products of small matrices.

use gemm::Parallelism;

/// A matrix in row-major memory, or its transpose.
#[derive(Debug, Clone, Copy)]
pub(crate) struct View<'a> {
    values: &'a [f32],
    rows: usize,
    columns: usize,
    transposed: bool,
}

impl<'a> View<'a> {
    pub(crate) fn new(values: &'a [f32], columns: usize) -> Self {
        Self { values, rows: values.len() / columns, columns, transposed: false }
    }

    pub(crate) const fn t(self) -> Self {
        Self { transposed: !self.transposed, ..self }
    }

    const fn shape(&self) -> (usize, usize) {
        if self.transposed { (self.columns, self.rows) } else { (self.rows, self.columns) }
    }

    /// Strides of a column and of a row.
    #[allow(clippy::cast_possible_wrap, reason = "lengths of slices fit")]
    const fn strides(&self) -> (isize, isize) {
        let columns = self.columns as isize;
        if self.transposed { (columns, 1) } else { (1, columns) }
    }
}

/// `to = add · to + one × two` on one thread.
///
/// # Panics
/// Where the shapes don't fit.
pub(crate) fn multiply(to: &mut [f32], one: View<'_>, two: View<'_>, add: bool) {
    let ((m, k), (inner, n)) = (one.shape(), two.shape());
    assert!(k == inner && to.len() == m * n, "{m}×{k} by {inner}×{n} into {}", to.len());
    assert!(one.values.len() == one.rows * one.columns && two.values.len() == two.rows * two.columns, "whole rows");
    let ((one_column, one_row), (two_column, two_row)) = (one.strides(), two.strides());
    #[allow(clippy::cast_possible_wrap, reason = "lengths of slices fit")]
    let columns = n as isize;
    #[expect(unsafe_code, reason = "the crate takes pointers")]
    // SAFETY: the assertions above hold every index that the shapes and strides reach inside the slices,
    // and `to` is borrowed for itself.
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            to.as_mut_ptr(),
            1,
            columns,
            add,
            one.values.as_ptr(),
            one_column,
            one_row,
            two.values.as_ptr(),
            two_column,
            two_row,
            1.0,
            1.0,
            false,
            false,
            false,
            Parallelism::None,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_hand() {
        let (one, two) = ([1.0, 2.0, 3.0, 4.0, 5.0, 6.0], [1.0, 0.0, 2.0, 1.0, 0.0, 3.0]);
        let mut to = [1.0; 4];
        multiply(&mut to, View::new(&one, 3), View::new(&two, 2), false);
        assert_eq!(to, [5.0, 11.0, 14.0, 23.0]);
        multiply(&mut to, View::new(&one, 3), View::new(&two, 3).t(), true);
        assert_eq!(to, [5.0 + 7.0, 11.0 + 10.0, 14.0 + 16.0, 23.0 + 22.0]);
    }
}
