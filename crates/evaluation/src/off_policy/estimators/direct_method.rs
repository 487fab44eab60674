use crate::off_policy::estimator::{Estimator, Needs, Round, Term};

/// Direct method (DM): mean of q̂(x, π). Little variance, and all the bias of the reward model: no
/// propensity corrects it, and its interval doesn't contain that bias.
///
/// Beygelzimer and Langford 2009, "The Offset Tree for Learning with Partial Labels".
#[derive(Debug, Clone, Copy, Default)]
pub struct DirectMethod;

impl Estimator for DirectMethod {
    fn name(&self) -> String {
        "dm".to_owned()
    }

    fn needs(&self) -> Needs {
        Needs::RewardModel
    }

    fn term(&self, round: &Round) -> Term {
        Term::mean(round.expected_target)
    }

    fn greatest_weight(&self, _: f64) -> f64 {
        0.0
    }
}
