use crate::off_policy::estimator::{Estimator, Round, Term};

/// Self-normalised IPW (SNIPW): Σ w r / Σ w. Stays within the range of rewards and doesn't change when a
/// constant is added to them; biased by O(1/n). Undefined where all weights are 0.
///
/// Swaminathan and Joachims 2015, "The Self-Normalized Estimator for Counterfactual Learning".
#[derive(Debug, Clone, Copy, Default)]
pub struct SelfNormalisedIpw;

impl Estimator for SelfNormalisedIpw {
    fn name(&self) -> String {
        "snipw".to_owned()
    }

    fn is_self_normalised(&self) -> bool {
        true
    }

    fn term(&self, round: &Round) -> Term {
        Term::ratio(round.weight * round.reward, round.weight)
    }
}
