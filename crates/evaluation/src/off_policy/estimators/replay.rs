use crate::off_policy::estimator::{Estimator, Round, Term};

/// Replay method (rejection sampling): the mean reward of rounds whose logged action the target
/// policy would have taken for certain, Σ 1[π(a | x) = 1] r / Σ 1[π(a | x) = 1].
///
/// Right where the target is deterministic and the logging policy uniform. A log that favours some
/// actions biases it; a target that draws by lot matches nowhere, and then the value is 0 with a
/// warning. Keeps about one round in |A|.
///
/// Li, Chu, Langford and Wang 2011, "Unbiased Offline Evaluation of Contextual-bandit-based News
/// Article Recommendation Algorithms".
#[derive(Debug, Clone, Copy, Default)]
pub struct ReplayMethod;

impl Estimator for ReplayMethod {
    fn name(&self) -> String {
        "replay".to_owned()
    }

    fn is_self_normalised(&self) -> bool {
        true
    }

    fn term(&self, round: &Round) -> Term {
        #[allow(clippy::float_cmp, reason = "a certain choice is exactly 1")]
        let is_match = f64::from(u8::from(round.probability == 1.0));
        Term::ratio(is_match * round.reward, is_match)
    }
}
