//! Training by mini-batches, stopped where held-out rows say so.

use youhui_commerce::Draw;

use super::adam::Adam;
use super::network::Network;
use crate::matrix::Matrix;
use crate::simd::arch;

/// How a network is trained.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Training {
    pub(crate) hidden: Vec<usize>,
    pub(crate) rate: f32,
    pub(crate) decay: f32,
    /// Lasso's penalty on the first layer's weights, by proximal steps: inputs that say nothing are dropped.
    pub(crate) sparsity: f32,
    pub(crate) batch: usize,
    pub(crate) epochs: usize,
    /// Share of the rows held out.
    pub(crate) held_out: f64,
    /// Epochs without getting better after which it stops; 0 for never.
    pub(crate) patience: usize,
}

/// What is made small.
pub(crate) trait Loss {
    /// These rows come next, in this order: whatever is kept of them elsewhere is best fetched together.
    fn batch(&mut self, _rows: &[u32]) {}

    /// Loss of the outputs of a row, which has this place in its batch, and its gradient into the last argument.
    fn row(&mut self, at: usize, row: u32, outputs: &[f32], gradient: &mut [f32]) -> f32;
}

impl<F: FnMut(u32, &[f32], &mut [f32]) -> f32> Loss for F {
    fn row(&mut self, _: usize, row: u32, outputs: &[f32], gradient: &mut [f32]) -> f32 {
        self(row, outputs, gradient)
    }
}

/// Mean losses after an epoch: while it trained on each batch, and on the rows held out.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Epoch {
    /// Of the rows trained on.
    pub loss: f64,
    /// Of the rows held out, where there are any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub held_out: Option<f64>,
}

/// Trains a network on rows of `matrix`, whose columns should be standardised; the losses of every epoch.
pub(crate) fn train(
    matrix: &Matrix,
    rows: &[u32],
    outputs: usize,
    loss: &mut impl Loss,
    settings: &Training,
    seed: u64,
) -> (Network, Vec<Epoch>) {
    let mut draw = Draw::seeded(seed).fork("dense");
    let mut rows = rows.to_vec();
    draw.shuffle(&mut rows);
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of a length")]
    let held_out = rows.split_off(rows.len() - (rows.len() as f64 * settings.held_out) as usize);
    let sizes: Vec<usize> = std::iter::once(matrix.columns()).chain(settings.hidden.iter().copied()).chain([outputs]).collect();
    let mut network = Network::new(&sizes, &mut draw);
    let mut adam = Adam::new(network.weights.len());
    let mut gradient = vec![0.0; network.weights.len()];
    let (mut inputs, mut layers, mut deltas) = (Vec::new(), Vec::new(), Vec::new());
    let mut best = (f64::INFINITY, 0, network.weights.clone());
    let mut epochs = Vec::new();
    for epoch in 1..=settings.epochs {
        draw.shuffle(&mut rows);
        let mut trained = 0.0;
        for batch in rows.chunks(settings.batch) {
            gather(matrix, batch, &mut inputs);
            network.forward(&inputs, &mut layers);
            trained += losses(&layers[layers.len() - 1], batch, outputs, loss, &mut deltas);
            let scale = 1.0 / batch.len() as f32;
            deltas.iter_mut().for_each(|delta| *delta *= scale);
            network.backward(&inputs, &layers, &mut deltas, &mut gradient);
            adam.step(&mut network.weights, &gradient, settings.rate, settings.decay);
            if settings.sparsity > 0.0 {
                shrink(&mut network.weights[..sizes[0] * sizes[1]], settings.rate * settings.sparsity);
            }
        }
        let mut now = 0.0;
        for batch in held_out.chunks(1024) {
            gather(matrix, batch, &mut inputs);
            network.forward(&inputs, &mut layers);
            now += losses(&layers[layers.len() - 1], batch, outputs, loss, &mut deltas);
        }
        epochs.push(Epoch {
            loss: trained / rows.len().max(1) as f64,
            held_out: (!held_out.is_empty()).then(|| now / held_out.len() as f64),
        });
        if settings.patience == 0 || held_out.is_empty() {
            continue;
        }
        if now < best.0 {
            best = (now, epoch, network.weights.clone());
        } else if epoch - best.1 >= settings.patience {
            break;
        }
    }
    if best.1 > 0 {
        network.weights = best.2;
    }
    (network, epochs)
}

/// Moves weights towards zero, at most to it.
fn shrink(weights: &mut [f32], by: f32) {
    arch().dispatch(
        #[inline(always)]
        || weights.iter_mut().for_each(|weight| *weight -= weight.clamp(-by, by)),
    );
}

fn gather(matrix: &Matrix, rows: &[u32], inputs: &mut Vec<f32>) {
    inputs.clear();
    rows.iter().for_each(|&row| inputs.extend_from_slice(matrix.row(row as usize)));
}

/// Σ of the rows' losses; their gradients in `deltas`.
fn losses(layer: &[f32], rows: &[u32], outputs: usize, loss: &mut impl Loss, deltas: &mut Vec<f32>) -> f64 {
    deltas.clear();
    deltas.resize(layer.len(), 0.0);
    let both = layer.chunks_exact(outputs).zip(deltas.chunks_exact_mut(outputs));
    loss.batch(rows);
    rows.iter().zip(both).enumerate().map(|(at, (&row, (output, delta)))| f64::from(loss.row(at, row, output, delta))).sum()
}
