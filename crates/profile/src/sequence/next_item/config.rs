//! Settings of the next-item encoder.

use super::NextItemError;
use super::matmul::LANES;

/// Settings of the next-item encoder and of its training.
#[derive(Debug, Clone, PartialEq)]
pub struct NextItemConfig {
    /// Numbers in a state and in an item's vector; `heads` × a multiple of 16.
    pub width: usize,
    /// Attention heads.
    pub heads: usize,
    /// Layers.
    pub layers: usize,
    /// Numbers inside a layer's dense network; a multiple of 16.
    pub inner: usize,
    /// How many of the last items attention sees; at most 65,536.
    pub window: usize,
    /// Share of the numbers that are dropped in training, in \[0, 1).
    pub dropout: f64,
    /// Items that every state is compared with in a step, drawn anew for each; 0 is all of them.
    pub negatives: usize,
    /// Items are drawn with chances ∝ (times bought + 1)^power; 0 draws all alike.
    pub popularity_power: f64,
    /// Predictions in one gradient step, about.
    pub batch: usize,
    /// Passes over the customers, at most.
    pub epochs: usize,
    /// Passes without a better validation score before training stops.
    pub patience: usize,
    /// Customers whose last item decides when to stop, at most; they are drawn by the seed. 0 keeps the
    /// last pass.
    pub validation: usize,
    /// Adam's step size.
    pub learning_rate: f64,
    /// Seed of the weights, the order of customers, what is dropped, and the drawn items.
    pub seed: u64,
}

impl Default for NextItemConfig {
    fn default() -> Self {
        Self {
            width: 64,
            heads: 2,
            layers: 2,
            inner: 256,
            window: 50,
            dropout: 0.5,
            negatives: 2_048,
            popularity_power: 0.0,
            batch: 512,
            epochs: 200,
            patience: 10,
            validation: 50_000,
            learning_rate: 1e-3,
            seed: 0,
        }
    }
}

impl NextItemConfig {
    /// Refuses settings that make no network.
    pub(super) fn check(&self) -> Result<(), NextItemError> {
        let error = |field, rule| Err(NextItemError::Config { field, rule });
        let positive =
            [("width", self.width), ("heads", self.heads), ("inner", self.inner), ("window", self.window), ("batch", self.batch)];
        for (field, value) in positive {
            if value == 0 {
                return error(field, "has to be at least 1");
            }
        }
        if !self.width.is_multiple_of(self.heads) || !(self.width / self.heads).is_multiple_of(LANES) {
            return error("width", "has to be heads times a multiple of 16");
        }
        if !self.inner.is_multiple_of(LANES) {
            return error("inner", "has to be a multiple of 16");
        }
        if self.window > 1 << 16 {
            return error("window", "has to be at most 65,536");
        }
        if !(0.0..1.0).contains(&self.dropout) {
            return error("dropout", "has to be at least 0 and below 1");
        }
        if !self.popularity_power.is_finite() {
            return error("popularity_power", "has to be a finite number");
        }
        if !(self.learning_rate.is_finite() && self.learning_rate > 0.0) {
            return error("learning_rate", "has to be a number above 0");
        }
        Ok(())
    }
}
