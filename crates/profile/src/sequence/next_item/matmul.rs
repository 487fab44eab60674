//! Products of 32-bit matrices on one thread: the limit of training.
//!
//! Tiles of the product stay in registers over the whole inner dimension, and the operands are
//! read where they are: the shapes here (hundreds of rows, at most a few hundred columns) fit the
//! second-level cache, so that packing them (Goto & van de Geijn 2008) would cost more than it
//! saves. Sums run in one fixed order, so that the same machine type gives the same bits.

use std::sync::OnceLock;

use pulp::{Arch, Simd, WithSimd};

/// Products have a multiple of so many columns: the widest registers' 32-bit lanes.
pub(super) const LANES: usize = 16;

/// The widest instructions this processor has.
pub(super) fn arch() -> Arch {
    static ARCH: OnceLock<Arch> = OnceLock::new();
    *ARCH.get_or_init(Arch::new)
}

/// Rows of numbers, `stride` apart: a matrix, or some columns of one.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rows<'a> {
    pub(super) data: &'a [f32],
    pub(super) stride: usize,
}

/// As `Rows`, to be written.
#[derive(Debug)]
pub(super) struct RowsMut<'a> {
    pub(super) data: &'a mut [f32],
    pub(super) stride: usize,
}

pub(super) const fn rows(data: &[f32], stride: usize) -> Rows<'_> {
    Rows { data, stride }
}

pub(super) const fn rows_mut(data: &mut [f32], stride: usize) -> RowsMut<'_> {
    RowsMut { data, stride }
}

/// Rows, inner dimension and columns of a product.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shape(pub(super) usize, pub(super) usize, pub(super) usize);

/// Whether a product replaces what was there or is added to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Into {
    Replace,
    Add,
}

/// C = A·B or C += A·B, of shape (rows of A, columns of A, columns of B).
pub(super) fn product(shape: Shape, a: Rows<'_>, b: Rows<'_>, into: Into, c: RowsMut<'_>) {
    arch().dispatch(Product::<false> { shape, a, b, c, into });
}

/// C = Aᵀ·B or C += Aᵀ·B, of shape (columns of A, rows of A, columns of B).
pub(super) fn transposed_product(shape: Shape, a: Rows<'_>, b: Rows<'_>, into: Into, c: RowsMut<'_>) {
    arch().dispatch(Product::<true> { shape, a, b, c, into });
}

struct Product<'a, const TRANSPOSED: bool> {
    shape: Shape,
    a: Rows<'a>,
    b: Rows<'a>,
    c: RowsMut<'a>,
    into: Into,
}

impl<const TRANSPOSED: bool> WithSimd for Product<'_, TRANSPOSED> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        let Shape(_, inner, columns) = self.shape;
        debug_assert!(columns.is_multiple_of(LANES), "{columns} columns");
        if inner == 0 {
            return;
        }
        let mut column = 0;
        while column < columns {
            let left = (columns - column) / S::F32_LANES;
            column += S::F32_LANES
                * match left {
                    0 => return,
                    1 => self.panel::<S, 1>(simd, column),
                    2 | 3 => self.panel::<S, 2>(simd, column),
                    _ => self.panel::<S, 4>(simd, column),
                };
        }
    }
}

impl<const TRANSPOSED: bool> Product<'_, TRANSPOSED> {
    /// `V` registers' columns of the product; gives `V`.
    #[inline(always)]
    fn panel<S: Simd, const V: usize>(&mut self, simd: S, column: usize) -> usize {
        let rows = self.shape.0;
        let mut row = 0;
        while row + 6 <= rows {
            self.tile::<S, 6, V>(simd, row, column);
            row += 6;
        }
        while row + 2 <= rows {
            self.tile::<S, 2, V>(simd, row, column);
            row += 2;
        }
        if row < rows {
            self.tile::<S, 1, V>(simd, row, column);
        }
        V
    }

    #[inline(always)]
    fn tile<S: Simd, const R: usize, const V: usize>(&mut self, simd: S, row: usize, column: usize) {
        let inner = self.shape.1;
        let width = V * S::F32_LANES;
        let mut sums = [[simd.splat_f32s(0.0); V]; R];
        let lines = self.b.data.chunks(self.b.stride).take(inner);
        if TRANSPOSED {
            for (line, left) in lines.zip(self.a.data.chunks(self.a.stride)) {
                let Some(left) = left.get(row..).and_then(<[f32]>::first_chunk::<R>) else { return };
                let Some(right) = S::as_simd_f32s(&line[column..column + width]).0.first_chunk::<V>() else { return };
                for r in 0..R {
                    let factor = simd.splat_f32s(left[r]);
                    for v in 0..V {
                        sums[r][v] = simd.mul_add_f32s(factor, right[v], sums[r][v]);
                    }
                }
            }
        } else {
            let mut left = [&[] as &[f32]; R];
            for (r, left) in left.iter_mut().enumerate() {
                *left = &self.a.data[(row + r) * self.a.stride..][..inner];
            }
            for (step, line) in lines.enumerate() {
                let Some(right) = S::as_simd_f32s(&line[column..column + width]).0.first_chunk::<V>() else { return };
                for r in 0..R {
                    let factor = simd.splat_f32s(left[r][step]);
                    for v in 0..V {
                        sums[r][v] = simd.mul_add_f32s(factor, right[v], sums[r][v]);
                    }
                }
            }
        }
        for (r, sums) in sums.iter().enumerate() {
            let line = &mut self.c.data[(row + r) * self.c.stride + column..][..width];
            let line = S::as_mut_simd_f32s(line).0;
            for (cell, sum) in line.iter_mut().zip(sums) {
                *cell = if self.into == Into::Add { simd.add_f32s(*cell, *sum) } else { *sum };
            }
        }
    }
}

/// Writes the transpose of `rows` × `columns` numbers.
pub(super) fn transpose(source: Rows<'_>, rows: usize, columns: usize, target: &mut [f32], stride: usize) {
    for (row, line) in source.data.chunks(source.stride).take(rows).enumerate() {
        for (column, &value) in line[..columns].iter().enumerate() {
            target[column * stride + row] = value;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use youhui_commerce::Draw;

    fn random(count: usize, draw: &mut Draw) -> Vec<f32> {
        (0..count).map(|_| draw.normal() as f32).collect()
    }

    #[test]
    fn products_are_those_of_the_definition() {
        let mut draw = Draw::seeded(1);
        for shape @ Shape(m, k, n) in
            [Shape(1, 1, 16), Shape(7, 5, 48), Shape(13, 64, 64), Shape(50, 33, 192), Shape(9, 3, 112), Shape(3, 0, 16)]
        {
            let (a_stride, b_stride, c_stride) = (k + 3, n + 5, n + 2);
            let a = random(m * a_stride, &mut draw);
            let b = random(k * b_stride, &mut draw);
            let start = random(m * c_stride, &mut draw);
            let mut turned = vec![0.0; k * (m + 1)];
            transpose(rows(&a, a_stride), m, k, &mut turned, m + 1);
            for into in [Into::Replace, Into::Add] {
                let (mut one, mut two) = (start.clone(), start.clone());
                product(shape, rows(&a, a_stride), rows(&b, b_stride), into, rows_mut(&mut one, c_stride));
                transposed_product(shape, rows(&turned, m + 1), rows(&b, b_stride), into, rows_mut(&mut two, c_stride));
                for row in 0..m {
                    for column in 0..c_stride {
                        let place = row * c_stride + column;
                        let sum: f64 = (0..k)
                            .map(|step| f64::from(a[row * a_stride + step]) * f64::from(b[step * b_stride + column.min(n - 1)]))
                            .sum();
                        let kept = if into == Into::Add || column >= n || k == 0 { f64::from(start[place]) } else { 0.0 };
                        let expected = if column < n { sum + kept } else { kept };
                        for found in [one[place], two[place]] {
                            assert!((f64::from(found) - expected).abs() < 1e-4, "{shape:?} {into:?} {row} {column}: {found} {expected}");
                        }
                    }
                }
            }
        }
    }
}
