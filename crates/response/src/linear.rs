//! Ridge and logistic regression on rows of numbers, by Newton's method on normal equations.

use nalgebra::{DMatrix, DVector};

/// Σ w x xᵀ over rows, with `ridge` added to the diagonal except for column 0, the intercept.
pub(crate) fn gram<'a>(rows: impl Iterator<Item = (&'a [f64], f64)>, width: usize, ridge: f64) -> DMatrix<f64> {
    let mut gram = DMatrix::zeros(width, width);
    for (x, weight) in rows {
        for column in 0..width {
            let scaled = weight * x[column];
            if scaled != 0.0 {
                for row in 0..=column {
                    gram[(row, column)] += scaled * x[row];
                }
            }
        }
    }
    for column in 0..width {
        for row in 0..column {
            gram[(column, row)] = gram[(row, column)];
        }
        gram[(column, column)] += if column == 0 { 1e-9 } else { ridge + 1e-9 };
    }
    gram
}

/// The inverse of a symmetric positive matrix; where rounding has made it indefinite, of that
/// matrix with a little more ridge.
pub(crate) fn invert(gram: DMatrix<f64>) -> DMatrix<f64> {
    let width = gram.nrows();
    let scale = gram.diagonal().amax().max(1e-12);
    let mut jitter = 0.0;
    loop {
        let moved = &gram + DMatrix::identity(width, width) * jitter;
        match moved.cholesky() {
            Some(factor) => return factor.inverse(),
            None => jitter = if jitter == 0.0 { scale * 1e-10 } else { jitter * 100.0 },
        }
    }
}

/// Least squares with a ridge on all but the intercept (Hoerl and Kennard 1970).
pub(crate) fn ridge<'a>(rows: impl Iterator<Item = (&'a [f64], f64)> + Clone, width: usize, penalty: f64) -> Vec<f64> {
    let gram = gram(rows.clone().map(|(x, _)| (x, 1.0)), width, penalty);
    let mut moment = DVector::zeros(width);
    for (x, y) in rows {
        for column in 0..width {
            moment[column] += x[column] * y;
        }
    }
    (invert(gram) * moment).as_slice().to_vec()
}

/// Logistic regression with a ridge on all but the intercept, by iteratively reweighted least
/// squares with step halving.
pub(crate) fn logistic<'a>(rows: impl Iterator<Item = (&'a [f64], bool)> + Clone, width: usize, penalty: f64) -> Vec<f64> {
    let mut weights = vec![0.0; width];
    let loss = |weights: &[f64]| -> f64 {
        let fit: f64 = rows
            .clone()
            .map(|(x, y)| {
                let margin = if y { dot(x, weights) } else { -dot(x, weights) };
                // ln(1 + e^−m) without overflow.
                (-margin).max(0.0) + (-margin.abs()).exp().ln_1p()
            })
            .sum();
        fit + 0.5 * penalty * weights[1..].iter().map(|weight| weight * weight).sum::<f64>()
    };
    let mut current = loss(&weights);
    for _ in 0..25 {
        let mut gradient = DVector::zeros(width);
        let mut curvature: Vec<f64> = Vec::new();
        for (x, y) in rows.clone() {
            let p = sigmoid(dot(x, &weights));
            curvature.push((p * (1.0 - p)).max(1e-9));
            let error = p - f64::from(u8::from(y));
            for column in 0..width {
                gradient[column] += error * x[column];
            }
        }
        for column in 1..width {
            gradient[column] += penalty * weights[column];
        }
        let hessian = gram(rows.clone().zip(curvature).map(|((x, _), weight)| (x, weight)), width, penalty);
        let step = invert(hessian) * gradient;
        let mut length = 1.0;
        let moved = loop {
            let moved: Vec<f64> = weights.iter().zip(step.iter()).map(|(weight, step)| weight - length * step).collect();
            if loss(&moved) <= current || length < 1e-4 {
                break moved;
            }
            length /= 2.0;
        };
        let next = loss(&moved);
        weights = moved;
        if (current - next).abs() < 1e-9 * current.abs().max(1.0) {
            break;
        }
        current = next;
    }
    weights
}

pub(crate) fn dot(one: &[f64], two: &[f64]) -> f64 {
    one.iter().zip(two).map(|(a, b)| a * b).sum()
}

pub(crate) fn sigmoid(x: f64) -> f64 {
    if x >= 0.0 { 1.0 / (1.0 + (-x).exp()) } else { x.exp() / (1.0 + x.exp()) }
}

#[cfg(test)]
mod tests {
    use youhui_commerce::Draw;

    use super::*;

    #[test]
    fn recovers_known_weights() {
        let mut draw = Draw::seeded(3);
        let truth = [0.5, -1.0, 2.0];
        let rows: Vec<(Vec<f64>, f64, bool)> = (0..20_000)
            .map(|_| {
                let x = vec![1.0, draw.normal(), draw.normal()];
                let y = dot(&x, &truth) + draw.normal();
                let chosen = draw.uniform() < sigmoid(dot(&x, &truth));
                (x, y, chosen)
            })
            .collect();
        let line = ridge(rows.iter().map(|(x, y, _)| (x.as_slice(), *y)), 3, 0.0);
        let logit = logistic(rows.iter().map(|(x, _, chosen)| (x.as_slice(), *chosen)), 3, 0.0);
        for place in 0..3 {
            assert!((line[place] - truth[place]).abs() < 0.03, "{line:?}");
            assert!((logit[place] - truth[place]).abs() < 0.1, "{logit:?}");
        }
    }

    #[test]
    fn separable_and_constant_data_stay_finite() {
        let rows = [([1.0, 0.0], false), ([1.0, 1.0], true)];
        let weights = logistic(rows.iter().map(|(x, y)| (x.as_slice(), *y)), 2, 1e-3);
        assert!(weights.iter().all(|weight| weight.is_finite()));
        let flat = [([1.0, 0.0], 2.0), ([1.0, 0.0], 4.0)];
        assert!((ridge(flat.iter().map(|(x, y)| (x.as_slice(), *y)), 2, 1.0)[0] - 3.0).abs() < 1e-6);
    }
}
