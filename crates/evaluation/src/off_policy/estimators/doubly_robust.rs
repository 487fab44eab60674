use super::{at_least_zero, named};
use crate::off_policy::error::OffPolicyError;
use crate::off_policy::estimator::{Estimator, Needs, Round, Term, WeightShrinking};

/// Doubly robust (DR), clipped: mean of q̂(x, π) + min(w, λ) (r − q̂(x, a)), λ ≥ 0.
///
/// Without clipping right where either the propensities or the reward model are, and at least as precise as
/// IPW where the model explains some of the rewards. A model fitted on the same rounds needs
/// cross-fitting ([`crate::off_policy::RewardModel`]), else its interval is too narrow. Fails as IPW
/// does where weights are heavy and residuals are not small.
///
/// Dudík, Langford and Li 2011, "Doubly Robust Policy Evaluation and Learning"; Dudík, Erhan, Langford
/// and Li 2014.
#[derive(Debug, Clone, Copy)]
pub struct DoublyRobust {
    lambda: f64,
}

impl DoublyRobust {
    /// Clipped at λ.
    ///
    /// # Errors
    /// λ is below 0 or NaN.
    pub fn clipped(lambda: f64) -> Result<Self, OffPolicyError> {
        Ok(Self { lambda: at_least_zero("λ of DR", lambda)? })
    }

    /// Not clipped.
    pub const fn plain() -> Self {
        Self { lambda: f64::INFINITY }
    }
}

impl Estimator for DoublyRobust {
    fn name(&self) -> String {
        named("dr", self.lambda, f64::INFINITY)
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

impl WeightShrinking for DoublyRobust {
    fn lambda(&self) -> f64 {
        self.lambda
    }

    fn shrunk(&self, weight: f64) -> f64 {
        weight.min(self.lambda)
    }
}
