use super::{named, share, sub_gaussian};
use crate::off_policy::error::OffPolicyError;
use crate::off_policy::estimator::{Estimator, Round, Term, WeightShrinking};

/// Sub-Gaussian IPW: mean of ŵ r, where ŵ = w / (1 − λ + λ w) is the weighted harmonic mean of w and 1;
/// 0 ≤ λ ≤ 1. λ = 0 is IPW, λ = 1 is the mean of logged rewards the target could have had. No weight is
/// above 1/λ, so the error's tails are sub-Gaussian; biased towards the logging policy.
///
/// Metelli, Russo and Restelli 2021, "Subgaussian and Differentiable Importance Sampling for Off-Policy
/// Evaluation and Learning".
#[derive(Debug, Clone, Copy)]
pub struct SubGaussianIpw {
    lambda: f64,
}

impl SubGaussianIpw {
    /// Shrinks by λ.
    ///
    /// # Errors
    /// λ is outside 0 and 1.
    pub fn new(lambda: f64) -> Result<Self, OffPolicyError> {
        Ok(Self { lambda: share("λ of sub-Gaussian IPW", lambda)? })
    }
}

impl Estimator for SubGaussianIpw {
    fn name(&self) -> String {
        named("sg-ipw", self.lambda, 0.0)
    }

    fn term(&self, round: &Round) -> Term {
        Term::mean(self.shrunk(round.weight) * round.reward)
    }

    fn greatest_weight(&self, greatest: f64) -> f64 {
        self.shrunk(greatest)
    }
}

impl WeightShrinking for SubGaussianIpw {
    fn lambda(&self) -> f64 {
        self.lambda
    }

    fn shrunk(&self, weight: f64) -> f64 {
        sub_gaussian(weight, self.lambda)
    }
}
