//! A dense network as a regressor, with the columns' and the target's scale inside.

use crate::dense::{Epoch, Network, Training, train};
use crate::matrix::Matrix;
use crate::objective::Objective;
use crate::regress::Target;

/// Mean and spread of every column; a missing value is its column's mean.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Scaling {
    pub(crate) center: Vec<f32>,
    pub(crate) scale: Vec<f32>,
}

impl Scaling {
    pub(crate) fn of(matrix: &Matrix) -> Self {
        let columns = matrix.columns();
        let (mut sums, mut squares, mut counts) = (vec![0.0; columns], vec![0.0; columns], vec![0.0; columns]);
        for row in matrix.values().chunks_exact(columns) {
            for (column, value) in row.iter().enumerate().filter(|(_, value)| value.is_finite()) {
                sums[column] += f64::from(*value);
                squares[column] += f64::from(*value).powi(2);
                counts[column] += 1.0;
            }
        }
        let mean = |column: usize| sums[column] / f64::max(counts[column], 1.0);
        let deviation = |column: usize| (squares[column] / f64::max(counts[column], 1.0) - mean(column).powi(2)).max(0.0).sqrt();
        #[allow(clippy::cast_possible_truncation, reason = "columns are kept in 32 bits")]
        let scaling = Self {
            center: (0..columns).map(|column| mean(column) as f32).collect(),
            scale: (0..columns).map(|column| if deviation(column) > 1e-9 { deviation(column) as f32 } else { 1.0 }).collect(),
        };
        scaling
    }

    /// With a last column of 0 or 1 that becomes −1 or 1.
    pub(crate) fn with_switch(&self) -> Self {
        let more = |values: &[f32]| values.iter().copied().chain([0.5]).collect();
        Self { center: more(&self.center), scale: more(&self.scale) }
    }

    pub(crate) fn apply(&self, matrix: &Matrix) -> Matrix {
        let columns = matrix.columns();
        let scaled = matrix.values().chunks_exact(columns).flat_map(|row| {
            row.iter().enumerate().map(|(column, value)| {
                let scaled = (value - self.center[column]) / self.scale[column];
                if scaled.is_nan() { 0.0 } else { scaled.clamp(-10.0, 10.0) }
            })
        });
        Matrix::new(columns, scaled.collect())
    }
}

/// A network whose outputs are margins, or values in units of the target's spread.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Dense {
    pub(crate) network: Network,
    pub(crate) objective: Objective,
    pub(crate) center: f64,
    pub(crate) scale: f64,
    /// How training went.
    pub(crate) epochs: Vec<Epoch>,
}

/// Most rows that a network is trained on: past them more rows cost much and say little.
const MOST_ROWS: usize = 100_000;

/// What networks of this module look like: few weights that matter, as columns that say nothing are
/// driven to exactly nothing by the penalty on the first layer.
#[derive(Debug, Clone)]
pub(crate) struct Settings(pub(crate) Training);

impl Default for Settings {
    fn default() -> Self {
        Self(Training {
            hidden: vec![64, 32],
            rate: 2e-3,
            decay: 1.0,
            sparsity: 0.3,
            batch: 100,
            epochs: 200,
            held_out: 0.15,
            patience: 12,
        })
    }
}

impl Dense {
    /// Fits `target` (by row) on rows of a scaled matrix. With several outputs a row counts for the one
    /// that `head` names.
    #[allow(clippy::cast_possible_truncation, reason = "losses and gradients are kept in 32 bits")]
    pub(crate) fn fit(
        scaled: &Matrix,
        rows: &[u32],
        target: Target<'_>,
        heads: usize,
        head: &(dyn Fn(u32) -> usize + Sync),
        settings: &Settings,
        seed: u64,
    ) -> Self {
        let Target { values: target, weight, objective } = target;
        let step = rows.len().div_ceil(MOST_ROWS).max(1);
        let sample: Vec<u32> = if step > 1 { rows.iter().copied().step_by(step).collect() } else { vec![] };
        let rows = if step > 1 { &sample } else { rows };
        let weight_of = |row: u32| weight.map_or(1.0, |weight| weight[row as usize]);
        let whole: f64 = rows.iter().map(|&row| weight_of(row)).sum::<f64>().max(1e-12);
        let center = rows.iter().map(|&row| weight_of(row) * target[row as usize]).sum::<f64>() / whole;
        let variance = rows.iter().map(|&row| weight_of(row) * (target[row as usize] - center).powi(2)).sum::<f64>() / whole;
        let continuous = objective == Objective::Continuous;
        let scale = if continuous { variance.sqrt().max(1e-12) } else { 1.0 };
        let center = objective.link(center);
        let mean_weight = whole / rows.len().max(1) as f64;
        let mut loss = |row: u32, outputs: &[f32], gradient: &mut [f32]| {
            let (head, weight) = (head(row), weight_of(row) / mean_weight);
            let y = target[row as usize];
            let (margin, y) =
                if continuous { (f64::from(outputs[head]), (y - center) / scale) } else { (center + f64::from(outputs[head]), y) };
            gradient[head] = objective.derivative(margin, y, weight)[0];
            (weight * objective.loss(margin, y)) as f32
        };
        let (network, epochs) = train(scaled, rows, heads, &mut loss, &settings.0, seed);
        Self { network, objective, center, scale, epochs }
    }

    /// The same network with these outputs only.
    pub(crate) fn heads(&self, of: [usize; 2]) -> Self {
        let sizes = &self.network.sizes;
        let (outputs, inputs) = (self.network.outputs(), sizes[sizes.len() - 2]);
        let mut weights = self.network.weights.clone();
        let last = weights.split_off(weights.len() - (inputs + 1) * outputs);
        // The biases are a row more.
        weights.extend(last.chunks_exact(outputs).flat_map(|row| of.map(|output| row[output])));
        let sizes = sizes[..sizes.len() - 1].iter().copied().chain([of.len()]).collect();
        Self { network: Network { sizes, weights }, epochs: self.epochs.clone(), ..*self }
    }

    /// The network's outputs, row by row.
    pub(crate) fn outputs(&self, scaled: &Matrix) -> Vec<f32> {
        let mut found = Vec::with_capacity(scaled.rows() * self.network.outputs());
        let mut layers = Vec::new();
        for block in scaled.values().chunks(scaled.columns() * 1024) {
            self.network.forward(block, &mut layers);
            found.extend_from_slice(&layers[layers.len() - 1]);
        }
        found
    }

    /// The mean of every row, one list for each output.
    pub(crate) fn predict(&self, scaled: &Matrix) -> Vec<Vec<f64>> {
        let heads = self.network.outputs();
        let mut found = vec![Vec::with_capacity(scaled.rows()); heads];
        for outputs in self.outputs(scaled).chunks_exact(heads) {
            for (found, output) in found.iter_mut().zip(outputs) {
                found.push(self.objective.mean(self.center + self.scale * f64::from(*output)));
            }
        }
        found
    }
}
