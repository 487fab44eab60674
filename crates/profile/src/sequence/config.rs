//! Settings of the encoder.

use super::SequenceError;

/// Settings of the encoder and of its training.
#[derive(Debug, Clone, PartialEq)]
pub struct EncoderConfig {
    /// Numbers in an embedding; a multiple of `heads`.
    pub width: usize,
    /// Attention heads.
    pub heads: usize,
    /// Attention layers.
    pub layers: usize,
    /// How many of the last baskets attention sees. The repeat channel counts all of them.
    pub window: usize,
    /// Baskets of one customer to predict in one epoch, at most.
    pub targets: usize,
    /// Baskets in one gradient step, about.
    pub batch: usize,
    /// Passes over the customers, at most.
    pub epochs: usize,
    /// Epochs without a better validation score before training stops.
    pub patience: usize,
    /// Adam's step size at the start; it falls to 0 along a line.
    pub learning_rate: f64,
    /// Whether the network knows the customer's own counts. Without, it is a plain SASRec.
    pub repeats: bool,
    /// Seed of the weights and of the order of customers.
    pub seed: u64,
}

impl Default for EncoderConfig {
    fn default() -> Self {
        Self {
            width: 32,
            heads: 2,
            layers: 1,
            window: 64,
            targets: 32,
            batch: 256,
            epochs: 10,
            patience: 4,
            learning_rate: 1e-2,
            repeats: true,
            seed: 0,
        }
    }
}

impl EncoderConfig {
    /// Settings whose training time is bounded whatever the size: what one epoch may predict and
    /// how many epochs there are follow from the number of customers and of their baskets.
    #[must_use]
    pub fn for_size(customers: usize, baskets: usize) -> Self {
        let default = Self::default();
        // Predictions of one epoch: a customer gives no more than the baskets it has.
        let each = baskets.div_ceil(customers.max(1)).clamp(1, default.targets);
        let epoch = customers.saturating_mul(each).max(1);
        let epochs = (Self::PREDICTIONS / epoch).clamp(1, default.epochs);
        Self { epochs, ..default }
    }

    /// Predicted baskets of a whole training that `for_size` allows.
    pub const PREDICTIONS: usize = 600_000;

    /// Refuses settings that make no network.
    pub(super) fn check(&self) -> Result<(), SequenceError> {
        let positive =
            [("width", self.width), ("heads", self.heads), ("window", self.window), ("targets", self.targets), ("batch", self.batch)];
        for (field, value) in positive {
            if value == 0 {
                return Err(SequenceError::Config { field, rule: "has to be at least 1" });
            }
        }
        if !self.width.is_multiple_of(self.heads) {
            return Err(SequenceError::Config { field: "width", rule: "has to be a multiple of heads" });
        }
        if !(self.learning_rate.is_finite() && self.learning_rate > 0.0) {
            return Err(SequenceError::Config { field: "learning_rate", rule: "has to be a number above 0" });
        }
        Ok(())
    }
}
