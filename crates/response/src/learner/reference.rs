//! The reference network: features → 32 rectified units → one sigmoid head an arm, binary cross-entropy, Adam at
//! 1e-3, batches of 32, 100 epochs, a fifth of the rows for validation. A row trains the head of the arm it was in;
//! an effect is the difference of two heads. For outcomes that are not binary the heads are those of the outcome's
//! kind.

use super::{Arms, Effect, Learner};
use crate::dense::{Epoch, Network, Training, train};
use crate::matrix::Matrix;
use crate::objective::Objective;
use crate::regress::{Dense, Settings, Target};

pub(crate) struct Reference;

fn training() -> Training {
    Training { hidden: vec![32], rate: 1e-3, decay: 0.0, sparsity: 0.0, batch: 32, epochs: 100, held_out: 0.2, patience: 0 }
}

impl Learner for Reference {
    fn fit_together(&self, arms: &Arms<'_>, rows: &[u32], seed: u64) -> Option<Vec<Effect>> {
        let target = Target { values: arms.outcome, weight: None, objective: arms.objective };
        let head = |row: u32| arms.place[row as usize] as usize;
        let fitted = Dense::fit(arms.inputs.scaled(), rows, target, arms.treatments + 1, &head, &Settings(training()), seed);
        Some((1..=arms.treatments).map(|arm| Effect::Heads(fitted.heads([0, arm]))).collect())
    }
}

/// The network by itself, on labels for every head of every row: how likely a customer takes each promotion.
#[derive(Debug, Clone, PartialEq)]
pub struct ReferenceNetwork {
    network: Network,
}

impl ReferenceNetwork {
    /// Trains on rows of standardised features with a label of 0 or 1 for each head, row by row; NaN where a
    /// promotion was not offered. `epochs` replaces the specification's 100. Tells the mean losses of every epoch.
    ///
    /// # Panics
    /// Where labels don't fill whole rows.
    #[allow(clippy::cast_possible_truncation, reason = "losses and gradients are kept in 32 bits")]
    pub fn train(features: &Matrix, labels: &[f32], epochs: usize, seed: u64) -> (Self, Vec<Epoch>) {
        assert!(features.rows() > 0 && labels.len().is_multiple_of(features.rows()), "{} labels are no rows", labels.len());
        let heads = labels.len() / features.rows();
        let mut loss = |row: u32, outputs: &[f32], gradient: &mut [f32]| {
            let labels = &labels[row as usize * heads..][..heads];
            let mut sum = 0.0;
            for ((label, output), gradient) in labels.iter().zip(outputs).zip(gradient).filter(|((label, _), _)| !label.is_nan()) {
                let probability = 1.0 / (1.0 + (-output).exp());
                // Keras' binary cross-entropy is the mean over heads.
                *gradient = (probability - label) / heads as f32;
                sum += output.max(0.0) + (-output.abs()).exp().ln_1p() - label * output;
            }
            sum / heads as f32
        };
        let rows: Vec<u32> = (0..crate::trial::index(features.rows())).collect();
        let (network, epochs) = train(features, &rows, heads, &mut loss, &Training { epochs, ..training() }, seed);
        (Self { network }, epochs)
    }

    /// The probability of each head for each row, row by row.
    pub fn predict(&self, features: &Matrix) -> Vec<f64> {
        let mut layers = Vec::new();
        self.network.forward(features.values(), &mut layers);
        layers.pop().unwrap_or_default().into_iter().map(|margin| Objective::Binary.mean(f64::from(margin))).collect()
    }
}
