//! Functions of the columns that a linear model is linear in.

use crate::matrix::Matrix;

/// Which functions of each column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Shape {
    /// The columns themselves.
    Linear,
    /// Also hinges max(0, x − knot) at the columns' quantiles, so that any additive function is
    /// approached (Friedman 1991), and products of pairs of columns.
    Curved,
}

/// Knots of a column's hinges, as quantiles.
const KNOTS: [f64; 5] = [0.1, 0.3, 0.5, 0.7, 0.9];
/// Most columns that pairs are made of.
const MOST_PAIRED: usize = 12;

/// A basis with what standardises it.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Basis {
    pub(crate) shape: Shape,
    /// Replaces a missing value.
    pub(crate) fill: Vec<f32>,
    pub(crate) knots: Vec<Vec<f32>>,
    /// Mean and spread of each function.
    pub(crate) center: Vec<f64>,
    pub(crate) scale: Vec<f64>,
}

impl Basis {
    /// The basis for rows of a matrix.
    pub(crate) fn new(shape: Shape, matrix: &Matrix, rows: &[u32]) -> Self {
        let columns = matrix.columns();
        let step = rows.len().div_ceil(20_000).max(1);
        let sorted = |column: usize| {
            let mut values: Vec<f32> =
                rows.iter().step_by(step).map(|&row| matrix.row(row as usize)[column]).filter(|value| !value.is_nan()).collect();
            values.sort_unstable_by(f32::total_cmp);
            values
        };
        let (mut fill, mut knots) = (Vec::new(), Vec::new());
        for column in 0..columns {
            let values = sorted(column);
            fill.push(if values.is_empty() { 0.0 } else { values[values.len() / 2] });
            knots.push(if shape == Shape::Curved { knots_of(&values) } else { vec![] });
        }
        let mut basis = Self { shape, fill, knots, center: vec![], scale: vec![] };
        let width = basis.width();
        let (mut sum, mut squares, mut z) = (vec![0.0; width], vec![0.0; width], vec![0.0; width]);
        for &row in rows {
            basis.functions(matrix.row(row as usize), &mut z);
            for ((sum, square), z) in sum.iter_mut().zip(&mut squares).zip(&z) {
                *sum += z;
                *square += z * z;
            }
        }
        let size = rows.len().max(1) as f64;
        basis.center = sum.iter().map(|sum| sum / size).collect();
        let deviation = |(square, center): (&f64, &f64)| (square / size - center * center).max(0.0).sqrt();
        // A constant function is left out by its scale.
        let usable = |deviation: f64| if deviation > 1e-9 { deviation } else { f64::INFINITY };
        basis.scale = squares.iter().zip(&basis.center).map(deviation).map(usable).collect();
        basis
    }

    fn paired(&self) -> usize {
        let columns = self.fill.len();
        if self.shape == Shape::Curved && columns <= MOST_PAIRED { columns } else { 0 }
    }

    /// How many functions, without the intercept.
    pub(crate) fn width(&self) -> usize {
        let paired = self.paired();
        self.fill.len() + self.knots.iter().map(Vec::len).sum::<usize>() + paired * paired.saturating_sub(1) / 2
    }

    fn functions(&self, row: &[f32], z: &mut [f64]) {
        let value = |column: usize| f64::from(if row[column].is_finite() { row[column] } else { self.fill[column] });
        let columns = self.fill.len();
        let mut place = 0;
        let mut push = |value: f64| {
            z[place] = value;
            place += 1;
        };
        (0..columns).for_each(|column| push(value(column)));
        for (column, knots) in self.knots.iter().enumerate() {
            knots.iter().for_each(|knot| push((value(column) - f64::from(*knot)).max(0.0)));
        }
        for one in 0..self.paired() {
            (one + 1..columns).for_each(|other| push(value(one) * value(other)));
        }
    }

    /// The standardised functions of a row.
    pub(crate) fn of(&self, row: &[f32], z: &mut [f64]) {
        self.functions(row, z);
        for ((z, center), scale) in z.iter_mut().zip(&self.center).zip(&self.scale) {
            *z = (*z - center) / scale;
        }
    }
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "places in a list")]
fn knots_of(values: &[f32]) -> Vec<f32> {
    if values.is_empty() {
        return vec![];
    }
    let last = values.len() - 1;
    let mut knots: Vec<f32> = KNOTS.iter().map(|share| values[(share * last as f64) as usize]).collect();
    knots.dedup();
    // A knot at the least value would repeat the column.
    knots.retain(|knot| *knot > values[0] && *knot < values[last]);
    knots
}
