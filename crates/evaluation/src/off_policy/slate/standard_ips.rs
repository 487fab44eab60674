use super::evaluation::{SlateEstimator, SlateTerm};
use super::log::{Kind, SlateLog, weighted};
use crate::off_policy::error::OffPolicyError;

/// Standard IPS of pages (SIPS): mean over pages of w(page) Σₖ rₖ, where w(page) is the ratio of probabilities of the whole page.
/// Unbiased whatever rewards depend on; its variance grows exponentially with the positions. Self-normalised:
/// Σ w Σₖ rₖ / Σ w.
///
/// Precup, Sutton and Singh 2000, "Eligibility Traces for Off-Policy Policy Evaluation"; for slates as in McInerney et al. 2020.
#[derive(Debug, Clone, Copy, Default)]
pub struct StandardIps {
    /// Whether weights are divided by their mean at each position.
    pub is_self_normalised: bool,
}

impl SlateEstimator for StandardIps {
    fn name(&self) -> String {
        if self.is_self_normalised { "snsips" } else { "sips" }.to_owned()
    }

    fn terms(&self, log: &SlateLog<'_>) -> Result<Vec<SlateTerm>, OffPolicyError> {
        weighted(log, Kind::Page, &self.name(), self.is_self_normalised)
    }
}
