use super::evaluation::{SlateEstimator, SlateTerm};
use super::log::{Kind, SlateLog, weighted};
use crate::off_policy::error::OffPolicyError;

/// Reward interaction IPS (RIPS): mean over pages of Σₖ w₁..ₖ rₖ, where w₁..ₖ is the ratio of probabilities of the items at positions 1 to
/// k. Unbiased where people read from the top: a reward depends on its item and those above. Self-normalised:
/// Σₖ Σ w₁..ₖ rₖ / Σ w₁..ₖ.
///
/// McInerney, Brost, Chandar, Mehrotra and Carterette 2020, "Counterfactual Evaluation of Slate Recommendations with
/// Sequential Reward Interactions".
#[derive(Debug, Clone, Copy, Default)]
pub struct RewardInteractionIps {
    /// Whether weights are divided by their mean at each position.
    pub is_self_normalised: bool,
}

impl SlateEstimator for RewardInteractionIps {
    fn name(&self) -> String {
        if self.is_self_normalised { "snrips" } else { "rips" }.to_owned()
    }

    fn terms(&self, log: &SlateLog<'_>) -> Result<Vec<SlateTerm>, OffPolicyError> {
        weighted(log, Kind::Cascade, &self.name(), self.is_self_normalised)
    }
}
