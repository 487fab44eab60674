use super::{at_least_zero, named};
use crate::off_policy::error::OffPolicyError;
use crate::off_policy::estimator::{Estimator, Round, Term, WeightShrinking};

/// Inverse probability weighting (IPW, IPS), clipped: mean of min(w, λ) r, λ ≥ 0.
///
/// Without clipping (λ = ∞) unbiased as long as every action the target wants can be logged and
/// propensities are right; its variance grows with E\[w²\]. Clipping biases it towards 0 for rewards ≥ 0.
///
/// Horvitz and Thompson 1952; Strehl, Langford, Li and Kakade 2010, "Learning from Logged Implicit
/// Exploration Data"; clipping: Ionides 2008.
#[derive(Debug, Clone, Copy)]
pub struct InverseProbabilityWeighting {
    lambda: f64,
}

impl InverseProbabilityWeighting {
    /// Clipped at λ.
    ///
    /// # Errors
    /// λ is below 0 or NaN.
    pub fn clipped(lambda: f64) -> Result<Self, OffPolicyError> {
        Ok(Self { lambda: at_least_zero("λ of IPW", lambda)? })
    }

    /// Not clipped.
    pub const fn plain() -> Self {
        Self { lambda: f64::INFINITY }
    }
}

impl Estimator for InverseProbabilityWeighting {
    fn name(&self) -> String {
        named("ipw", self.lambda, f64::INFINITY)
    }

    fn term(&self, round: &Round) -> Term {
        Term::mean(self.shrunk(round.weight) * round.reward)
    }

    fn greatest_weight(&self, greatest: f64) -> f64 {
        greatest.min(self.lambda)
    }
}

impl WeightShrinking for InverseProbabilityWeighting {
    fn lambda(&self) -> f64 {
        self.lambda
    }

    fn shrunk(&self, weight: f64) -> f64 {
        weight.min(self.lambda)
    }
}
