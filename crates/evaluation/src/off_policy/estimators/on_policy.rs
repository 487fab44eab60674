use crate::off_policy::estimator::{Estimator, Round, Term};

/// What the logging policy itself earned: mean of r. The value of the policy that drew the log, not of the target; beside
/// the others for its interval, which is by customer where theirs are.
#[derive(Debug, Clone, Copy, Default)]
pub struct OnPolicy;

impl Estimator for OnPolicy {
    fn name(&self) -> String {
        "logged".to_owned()
    }

    fn term(&self, round: &Round) -> Term {
        Term::mean(round.reward)
    }

    fn greatest_weight(&self, _: f64) -> f64 {
        1.0
    }
}
