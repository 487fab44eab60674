//! Least squares with the lasso's penalty (Tibshirani 1996), by coordinate descent on the normal
//! equations (Friedman, Hastie and Tibshirani 2010); the penalty by cross-validation, which the
//! normal equations of the folds make nearly free.

use nalgebra::{DMatrix, DVector};

use super::basis::{Basis, Shape};
use crate::matrix::Matrix;
use crate::simd::arch;

const FOLDS: usize = 5;
const PENALTIES: usize = 40;
/// Penalties without getting better after which smaller ones are not tried.
const PATIENCE: usize = 6;
/// Smallest penalty, as a share of the one that leaves nothing.
const SMALLEST: f64 = 1e-3;
/// Ridge beside it, as a share of the rows: keeps equal columns apart.
const RIDGE: f64 = 1e-4;

/// A fitted linear model.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Lasso {
    pub(crate) basis: Basis,
    /// The intercept, then the functions' weights.
    pub(crate) weights: Vec<f64>,
}

/// Normal equations of some rows: Gram matrix, moments, Σ w·y².
#[derive(Debug, Clone)]
pub(crate) struct Normal {
    gram: DMatrix<f64>,
    moment: DVector<f64>,
    squares: f64,
}

impl Normal {
    fn zero(width: usize) -> Self {
        Self { gram: DMatrix::zeros(width, width), moment: DVector::zeros(width), squares: 0.0 }
    }

    /// Adds rows, of which `z` has the functions with a leading one, already times √w.
    fn add(&mut self, z: &[f64], y: &[f64]) {
        let width = self.gram.nrows();
        let z = DMatrix::from_column_slice(width, y.len(), z);
        let y = DVector::from_column_slice(y);
        self.gram.gemm(1.0, &z, &z.transpose(), 1.0);
        self.moment.gemv(1.0, &z, &y, 1.0);
        self.squares += y.norm_squared();
    }

    fn sum(parts: &[Self], without: Option<usize>) -> Self {
        let mut sum = Self::zero(parts[0].gram.nrows());
        for (_, part) in parts.iter().enumerate().filter(|(place, _)| Some(*place) != without) {
            sum.gram += &part.gram;
            sum.moment += &part.moment;
            sum.squares += part.squares;
        }
        sum
    }

    fn loss(&self, weights: &DVector<f64>) -> f64 {
        self.squares - 2.0 * self.moment.dot(weights) + weights.dot(&(&self.gram * weights))
    }

    /// Moves `weights` to the minimum at `penalty`; the intercept is free.
    fn descend(&self, weights: &mut DVector<f64>, penalty: f64, ridge: f64) {
        let width = weights.len();
        // gradient = moment − gram · weights
        let mut gradient = (&self.moment - &self.gram * &*weights).as_slice().to_vec();
        let least = 3e-4 * self.squares.max(1e-12).sqrt();
        let mut sweep = |weights: &mut DVector<f64>, active: bool| {
            let mut most: f64 = 0.0;
            for place in 0..width {
                if active && weights[place] == 0.0 {
                    continue;
                }
                let diagonal = self.gram[(place, place)];
                if diagonal <= 1e-12 {
                    continue;
                }
                let raw = gradient[place] + diagonal * weights[place];
                let moved = if place == 0 { raw / diagonal } else { soft(raw, penalty) / (diagonal + ridge) };
                let by = moved - weights[place];
                if by != 0.0 {
                    let column = &self.gram.as_slice()[place * width..(place + 1) * width];
                    arch().dispatch(
                        #[inline(always)]
                        || gradient.iter_mut().zip(column).for_each(|(gradient, cell)| *gradient -= by * cell),
                    );
                    weights[place] = moved;
                    most = most.max(by.abs() * diagonal.sqrt());
                }
            }
            most
        };
        for _ in 0..200 {
            if sweep(weights, false) < least {
                return;
            }
            for _ in 0..100 {
                if sweep(weights, true) < least {
                    break;
                }
            }
        }
    }
}

/// The place of the (falling) penalty with the least loss on the folds left out.
fn best_penalty(parts: &[Normal], penalties: &[f64], ridge: f64) -> usize {
    let share = (FOLDS - 1) as f64 / FOLDS as f64;
    let others: Vec<Normal> = (0..parts.len()).map(|fold| Normal::sum(parts, Some(fold))).collect();
    let mut weights = vec![DVector::zeros(parts[0].moment.len()); parts.len()];
    let (mut best, mut least) = (0, f64::INFINITY);
    for (place, penalty) in penalties.iter().enumerate() {
        let mut loss = 0.0;
        for ((part, others), weights) in parts.iter().zip(&others).zip(&mut weights) {
            others.descend(weights, penalty * share, ridge * share);
            loss += part.loss(weights);
        }
        if loss < least {
            (best, least) = (place, loss);
        } else if place - best >= PATIENCE {
            // The last penalties, which leave the most functions in, cost the most.
            break;
        }
    }
    best
}

fn soft(value: f64, penalty: f64) -> f64 {
    value.signum() * (value.abs() - penalty).max(0.0)
}

impl Lasso {
    /// Fits `target` with `weight`, both by row of the matrix.
    pub(crate) fn fit(shape: Shape, matrix: &Matrix, rows: &[u32], target: &[f64], weight: Option<&[f64]>) -> Self {
        let basis = Basis::new(shape, matrix, rows);
        let width = basis.width() + 1;
        let mut parts = vec![Normal::zero(width); FOLDS];
        const BLOCK: usize = 1024;
        for (fold, part) in parts.iter_mut().enumerate() {
            let of_fold: Vec<u32> = rows.iter().copied().skip(fold).step_by(FOLDS).collect();
            for block in of_fold.chunks(BLOCK) {
                let (mut z, mut y) = (vec![0.0; width * block.len()], Vec::with_capacity(block.len()));
                for (&row, z) in block.iter().zip(z.chunks_exact_mut(width)) {
                    let root = weight.map_or(1.0, |weight| weight[row as usize]).sqrt();
                    z[0] = 1.0;
                    basis.of(matrix.row(row as usize), &mut z[1..]);
                    z.iter_mut().for_each(|z| *z *= root);
                    y.push(root * target[row as usize]);
                }
                part.add(&z, &y);
            }
        }
        let whole = Normal::sum(&parts, None);
        let ridge = RIDGE * whole.gram[(0, 0)];
        // Where the intercept alone is fitted, the largest pull of a function is the penalty that leaves nothing.
        let mut alone = DVector::zeros(width);
        alone[0] = if whole.gram[(0, 0)] > 0.0 { whole.moment[0] / whole.gram[(0, 0)] } else { 0.0 };
        let pull = &whole.moment - &whole.gram * &alone;
        let most = pull.iter().skip(1).fold(1e-12_f64, |most, pull| most.max(pull.abs()));
        let penalties: Vec<f64> = (0..PENALTIES).map(|step| most * SMALLEST.powf(step as f64 / (PENALTIES - 1) as f64)).collect();
        let best = best_penalty(&parts, &penalties, ridge);
        let mut weights = DVector::zeros(width);
        penalties[..=best].iter().for_each(|penalty| whole.descend(&mut weights, *penalty, ridge));
        Self { basis, weights: weights.as_slice().to_vec() }
    }

    pub(crate) fn predict(&self, matrix: &Matrix) -> Vec<f64> {
        let mut z = vec![0.0; self.weights.len() - 1];
        (0..matrix.rows())
            .map(|row| {
                self.basis.of(matrix.row(row), &mut z);
                self.weights[0] + crate::linear::dot(&z, &self.weights[1..])
            })
            .collect()
    }
}

/// Weights ≥ 0 that minimise Σ (y − Σ weight · column)² with a free intercept (Lawson and Hanson 1974, by
/// coordinate descent); the intercept comes first.
pub(crate) fn non_negative(columns: &[Vec<f64>], scale: &[f64], y: &[f64]) -> Vec<f64> {
    let width = columns.len() + 1;
    let mut gram = DMatrix::<f64>::zeros(width, width);
    let mut moment = DVector::<f64>::zeros(width);
    let cell = |place: usize, row: usize| if place == 0 { scale[row] } else { scale[row] * columns[place - 1][row] };
    for one in 0..width {
        for other in 0..=one {
            let sum = (0..y.len()).map(|row| cell(one, row) * cell(other, row)).sum();
            gram[(one, other)] = sum;
            gram[(other, one)] = sum;
        }
        moment[one] = (0..y.len()).map(|row| cell(one, row) * y[row]).sum();
    }
    let ridge = 1e-9 * gram.diagonal().max();
    let mut weights = DVector::<f64>::zeros(width);
    for _ in 0..5000 {
        let mut most: f64 = 0.0;
        for place in 0..width {
            let diagonal = gram[(place, place)] + ridge;
            if diagonal <= 0.0 {
                continue;
            }
            let raw = moment[place] - gram.column(place).dot(&weights) + gram[(place, place)] * weights[place];
            let moved = if place == 0 { raw / diagonal } else { (raw / diagonal).max(0.0) };
            most = most.max((moved - weights[place]).abs());
            weights[place] = moved;
        }
        if most < 1e-8 {
            break;
        }
    }
    weights.as_slice().to_vec()
}
