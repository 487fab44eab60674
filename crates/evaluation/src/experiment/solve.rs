//! Small symmetric systems.

use super::ExperimentError;

/// The inverse of a symmetric positive definite matrix, rows × rows, by Cholesky on correlations so that
/// the columns' units don't matter.
pub(crate) fn inverse(matrix: &[Vec<f64>]) -> Result<Vec<Vec<f64>>, ExperimentError> {
    let size = matrix.len();
    let scale: Vec<f64> = (0..size).map(|place| matrix[place][place].sqrt()).collect();
    let mut lower = vec![vec![0.0; size]; size];
    for row in 0..size {
        for column in 0..=row {
            let known: f64 = (0..column).map(|k| lower[row][k] * lower[column][k]).sum();
            let entry = matrix[row][column] / (scale[row] * scale[column]) - known;
            if row == column {
                // Also where a scale of 0 made it no number.
                if entry.is_nan() || entry < 1e-10 {
                    return Err(ExperimentError::Dependent { pivot: row });
                }
                lower[row][row] = entry.sqrt();
            } else {
                lower[row][column] = entry / lower[column][column];
            }
        }
    }
    let columns: Vec<Vec<f64>> = (0..size).map(|unit| solve_unit(&lower, unit)).collect();
    Ok((0..size).map(|row| (0..size).map(|column| columns[column][row] / (scale[row] * scale[column])).collect()).collect())
}

/// L Lᵀ x = e.
fn solve_unit(lower: &[Vec<f64>], unit: usize) -> Vec<f64> {
    let size = lower.len();
    let mut x = vec![0.0; size];
    for row in 0..size {
        let known: f64 = (0..row).map(|k| lower[row][k] * x[k]).sum();
        x[row] = (f64::from(u8::from(row == unit)) - known) / lower[row][row];
    }
    for row in (0..size).rev() {
        let known: f64 = (row + 1..size).map(|k| lower[k][row] * x[k]).sum();
        x[row] = (x[row] - known) / lower[row][row];
    }
    x
}

pub(crate) fn product(matrix: &[Vec<f64>], vector: &[f64]) -> Vec<f64> {
    matrix.iter().map(|row| dot(row, vector)).collect()
}

/// vᵀ M v, without a list of its own.
pub(crate) fn quadratic(matrix: &[Vec<f64>], vector: &[f64]) -> f64 {
    matrix.iter().zip(vector).map(|(row, value)| value * dot(row, vector)).sum()
}

pub(crate) fn dot(one: &[f64], two: &[f64]) -> f64 {
    one.iter().zip(two).map(|(one, two)| one * two).sum()
}
