use crate::off_policy::estimator::{Estimator, Needs, Round, Term};

/// Self-normalised doubly robust (SNDR): mean of q̂(x, π) + Σ w (r − q̂(x, a)) / Σ w. Tamer than DR where a few
/// weights are great; biased by O(1/n). Undefined where all weights are 0.
///
/// Thomas and Brunskill 2016, "Data-Efficient Off-Policy Policy Evaluation for Reinforcement Learning"
/// (weighted doubly robust, one step).
#[derive(Debug, Clone, Copy, Default)]
pub struct SelfNormalisedDoublyRobust;

impl Estimator for SelfNormalisedDoublyRobust {
    fn name(&self) -> String {
        "sndr".to_owned()
    }

    fn needs(&self) -> Needs {
        Needs::RewardModel
    }

    fn is_self_normalised(&self) -> bool {
        true
    }

    fn term(&self, round: &Round) -> Term {
        Term { base: round.expected_target, numerator: round.weight * round.residual(), denominator: round.weight }
    }
}
