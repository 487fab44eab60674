use super::evaluation::{SlateEstimator, SlateTerm};
use super::log::{Kind, SlateLog, weighted};
use crate::off_policy::error::OffPolicyError;

/// Independent IPS (IIPS): mean over pages of Σₖ wₖ rₖ, where wₖ is the ratio of probabilities of the item at position k. Unbiased
/// where a reward depends on the item at its own position alone; else biased by what the other items do. Self-normalised:
/// Σₖ Σ wₖ rₖ / Σ wₖ.
///
/// Li, Abbasi-Yadkori, Kveton, Muthukrishnan, Vinay and Wen 2018, "Offline Evaluation of Ranking Policies with Click Models".
#[derive(Debug, Clone, Copy, Default)]
pub struct IndependentIps {
    /// Whether weights are divided by their mean at each position.
    pub is_self_normalised: bool,
}

impl SlateEstimator for IndependentIps {
    fn name(&self) -> String {
        if self.is_self_normalised { "sniips" } else { "iips" }.to_owned()
    }

    fn terms(&self, log: &SlateLog<'_>) -> Result<Vec<SlateTerm>, OffPolicyError> {
        weighted(log, Kind::Item, &self.name(), self.is_self_normalised)
    }
}
