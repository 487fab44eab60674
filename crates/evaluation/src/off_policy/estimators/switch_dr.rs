use super::{at_least_zero, named};
use crate::off_policy::error::OffPolicyError;
use crate::off_policy::estimator::{Estimator, Needs, Round, Term, WeightShrinking};

/// Switch-DR: mean of q̂(x, π) + w 1\[w ≤ λ\] (r − q̂(x, a)), λ ≥ 0: doubly robust where weights are
/// moderate, the reward model alone where they aren't. λ = 0 is the direct method, λ = ∞ is DR.
///
/// The bias is that of the reward model on the rounds switched off.
///
/// Wang, Agarwal and Dudík 2017, "Optimal and Adaptive Off-policy Evaluation in Contextual Bandits".
#[derive(Debug, Clone, Copy)]
pub struct SwitchDoublyRobust {
    lambda: f64,
}

impl SwitchDoublyRobust {
    /// Switches above λ.
    ///
    /// # Errors
    /// λ is below 0 or NaN.
    pub fn new(lambda: f64) -> Result<Self, OffPolicyError> {
        Ok(Self { lambda: at_least_zero("λ of Switch-DR", lambda)? })
    }
}

impl Estimator for SwitchDoublyRobust {
    fn name(&self) -> String {
        named("switch-dr", self.lambda, f64::INFINITY)
    }

    fn needs(&self) -> Needs {
        Needs::RewardModel
    }

    fn term(&self, round: &Round) -> Term {
        Term::mean(round.expected_target + self.shrunk(round.weight) * round.residual())
    }

    fn greatest_weight(&self, greatest: f64) -> f64 {
        greatest.min(self.lambda)
    }
}

impl WeightShrinking for SwitchDoublyRobust {
    fn lambda(&self) -> f64 {
        self.lambda
    }

    fn shrunk(&self, weight: f64) -> f64 {
        if weight <= self.lambda { weight } else { 0.0 }
    }
}
