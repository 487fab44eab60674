use super::{at_least_zero, named};
use crate::off_policy::error::OffPolicyError;
use crate::off_policy::estimator::{Estimator, Needs, Round, Term};

/// Balanced IPW: Σ min(ŵ, λ) r / Σ min(ŵ, λ), λ ≥ 0, where ŵ comes from a classifier that tells pairs (x, a) of
/// the target policy from logged ones ([`crate::off_policy::balanced_weights`]): no propensities are needed.
///
/// Right where the classifier's odds are; where propensities are known, weights from them are safer.
///
/// Sondhi, Arbour and Dimmery 2020, "Balanced Off-Policy Evaluation in General Action Spaces".
#[derive(Debug, Clone, Copy)]
pub struct BalancedIpw {
    lambda: f64,
}

impl BalancedIpw {
    /// Clipped at λ.
    ///
    /// # Errors
    /// λ is below 0 or NaN.
    pub fn clipped(lambda: f64) -> Result<Self, OffPolicyError> {
        Ok(Self { lambda: at_least_zero("λ of balanced IPW", lambda)? })
    }

    /// Not clipped.
    pub const fn plain() -> Self {
        Self { lambda: f64::INFINITY }
    }
}

impl Estimator for BalancedIpw {
    fn name(&self) -> String {
        named("b-ipw", self.lambda, f64::INFINITY)
    }

    fn needs(&self) -> Needs {
        Needs::BalancedWeights
    }

    fn is_self_normalised(&self) -> bool {
        true
    }

    fn term(&self, round: &Round) -> Term {
        let weight = round.balanced_weight.min(self.lambda);
        Term::ratio(weight * round.reward, weight)
    }
}
