use super::{at_least_zero, named};
use crate::off_policy::error::OffPolicyError;
use crate::off_policy::estimator::{Estimator, Needs, Round, Term, WeightShrinking};

/// Doubly robust with optimistic shrinkage (DRos): mean of q̂(x, π) + ŵ (r − q̂(x, a)), where
/// ŵ = λ w / (w² + λ) minimises a bound on the squared error; λ ≥ 0. λ = 0 is the direct method,
/// λ = ∞ is DR. No weight is above √λ / 2.
///
/// Great weights are shrunk to nearly 0, so the bias is that of the reward model there.
///
/// Su, Dimakopoulou, Krishnamurthy and Dudík 2020, "Doubly Robust Off-policy Evaluation with Shrinkage".
#[derive(Debug, Clone, Copy)]
pub struct DoublyRobustShrinkage {
    lambda: f64,
}

impl DoublyRobustShrinkage {
    /// Shrinks by λ.
    ///
    /// # Errors
    /// λ is below 0 or NaN.
    pub fn new(lambda: f64) -> Result<Self, OffPolicyError> {
        Ok(Self { lambda: at_least_zero("λ of DRos", lambda)? })
    }
}

impl Estimator for DoublyRobustShrinkage {
    fn name(&self) -> String {
        named("dr-os", self.lambda, f64::INFINITY)
    }

    fn needs(&self) -> Needs {
        Needs::RewardModel
    }

    fn term(&self, round: &Round) -> Term {
        Term::mean(round.expected_target + self.shrunk(round.weight) * round.residual())
    }

    fn greatest_weight(&self, greatest: f64) -> f64 {
        greatest.min(self.lambda.sqrt() / 2.0)
    }
}

impl WeightShrinking for DoublyRobustShrinkage {
    fn lambda(&self) -> f64 {
        self.lambda
    }

    fn shrunk(&self, weight: f64) -> f64 {
        if weight == 0.0 || self.lambda == f64::INFINITY { weight } else { self.lambda * weight / (weight * weight + self.lambda) }
    }
}
