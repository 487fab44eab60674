//! Intervals for a policy's value.
//!
//! | interval | holds for | fails |
//! |---|---|---|
//! | asymptotic normal | many rounds, moderate weights; by customer where customers are given | few effective rounds: too narrow |
//! | bootstrap, percentile | the same, skewed contributions too | as above; can't see a weight that isn't in the log |
//! | empirical Bernstein | any number of independent rounds, bounded contributions | wide where the bound is far above what is seen |
//! | Hoeffding | the same | wider still: ignores the variance |

use serde::Serialize;

use super::error::OffPolicyError;
use super::estimator::{Estimator, Needs};
use super::moments::Valued;
use crate::experiment::special::normal_upper_quantile;

/// A two-sided interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Interval {
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

impl Interval {
    /// Whether it contains a value.
    pub fn contains(&self, value: f64) -> bool {
        (self.low..=self.high).contains(&value)
    }

    /// Its width.
    pub fn width(&self) -> f64 {
        self.high - self.low
    }

    const fn around(value: f64, half: f64) -> Self {
        Self { low: value - half, high: value + half }
    }
}

/// What holds for every possible round, known beforehand and not read off the log. Intervals of Hoeffding
/// and Bernstein rest on it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bounds {
    /// Least possible reward.
    pub least_reward: f64,
    /// Greatest possible reward. A reward model has to stay between the two.
    pub greatest_reward: f64,
    /// Greatest possible importance weight: 1 over the least propensity the logging policy allows.
    /// Infinite is allowed: then only estimators that bound their weights have such intervals.
    pub greatest_weight: f64,
}

impl Bounds {
    pub(super) fn check(&self) -> Result<(), OffPolicyError> {
        let setting = |name, value, rule| Err(OffPolicyError::Setting { name, value, rule });
        if !self.least_reward.is_finite() {
            return setting("the least reward", self.least_reward, "finite");
        }
        if !(self.greatest_reward.is_finite() && self.greatest_reward > self.least_reward) {
            return setting("the greatest reward", self.greatest_reward, "finite and above the least");
        }
        if self.greatest_weight > 0.0 { Ok(()) } else { setting("the greatest weight", self.greatest_weight, "above 0") }
    }

    /// Width of the range of what one round adds; `None` where there is no bound.
    pub(super) fn width(&self, estimator: &dyn Estimator) -> Option<f64> {
        if estimator.is_self_normalised() {
            return None;
        }
        let rewards = self.greatest_reward - self.least_reward;
        let weight = estimator.greatest_weight(self.greatest_weight);
        let width = match estimator.needs() {
            // Expectation within the rewards' range, plus or minus weight × residual.
            Needs::RewardModel if weight == 0.0 => rewards,
            Needs::RewardModel => rewards + 2.0 * weight * rewards,
            Needs::Nothing | Needs::BalancedWeights => weight * (self.greatest_reward.max(0.0) - self.least_reward.min(0.0)),
        };
        width.is_finite().then_some(width)
    }
}

/// The asymptotic interval.
pub(super) fn normal(valued: Valued, alpha: f64) -> Interval {
    Interval::around(valued.value, normal_upper_quantile(alpha / 2.0) * valued.std_error)
}

/// Empirical Bernstein (Maurer and Pontil 2009, theorem 4, at α/2 on each side): with sample variance V and range
/// R, x̄ ± √(2 V ln(4/α) / n) + 7 R ln(4/α) / (3 (n − 1)).
pub fn empirical_bernstein(mean: f64, variance: f64, range: f64, rounds: f64, alpha: f64) -> Interval {
    let log = (4.0 / alpha).ln();
    Interval::around(mean, (2.0 * variance * log / rounds).sqrt() + 7.0 * range * log / (3.0 * (rounds - 1.0)))
}

/// Hoeffding (1963): with range R, x̄ ± R √(ln(2/α) / 2n).
pub fn hoeffding(mean: f64, range: f64, rounds: f64, alpha: f64) -> Interval {
    Interval::around(mean, range * ((2.0 / alpha).ln() / (2.0 * rounds)).sqrt())
}
