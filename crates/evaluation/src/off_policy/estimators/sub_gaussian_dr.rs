use super::{named, share, sub_gaussian};
use crate::off_policy::error::OffPolicyError;
use crate::off_policy::estimator::{Estimator, Needs, Round, Term, WeightShrinking};

/// Sub-Gaussian doubly robust: mean of q̂(x, π) + ŵ (r − q̂(x, a)), where ŵ = w / (1 − λ + λ w); 0 ≤ λ ≤ 1.
/// λ = 0 is DR. No weight is above 1/λ; the bias is that of the reward model, in the share shrunk away.
///
/// Metelli, Russo and Restelli 2021, "Subgaussian and Differentiable Importance Sampling for Off-Policy
/// Evaluation and Learning".
#[derive(Debug, Clone, Copy)]
pub struct SubGaussianDoublyRobust {
    lambda: f64,
}

impl SubGaussianDoublyRobust {
    /// Shrinks by λ.
    ///
    /// # Errors
    /// λ is outside 0 and 1.
    pub fn new(lambda: f64) -> Result<Self, OffPolicyError> {
        Ok(Self { lambda: share("λ of sub-Gaussian DR", lambda)? })
    }
}

impl Estimator for SubGaussianDoublyRobust {
    fn name(&self) -> String {
        named("sg-dr", self.lambda, 0.0)
    }

    fn needs(&self) -> Needs {
        Needs::RewardModel
    }

    fn term(&self, round: &Round) -> Term {
        Term::mean(round.expected_target + self.shrunk(round.weight) * round.residual())
    }

    fn greatest_weight(&self, greatest: f64) -> f64 {
        self.shrunk(greatest)
    }
}

impl WeightShrinking for SubGaussianDoublyRobust {
    fn lambda(&self) -> f64 {
        self.lambda
    }

    fn shrunk(&self, weight: f64) -> f64 {
        sub_gaussian(weight, self.lambda)
    }
}
