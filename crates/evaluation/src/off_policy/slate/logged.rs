use super::evaluation::{SlateEstimator, SlateTerm};
use super::log::SlateLog;
use crate::off_policy::error::OffPolicyError;

/// What the logging policy's own pages earned: mean over pages of Σₖ rₖ.
#[derive(Debug, Clone, Copy, Default)]
pub struct LoggedPages;

impl SlateEstimator for LoggedPages {
    fn name(&self) -> String {
        "logged".to_owned()
    }

    fn terms(&self, log: &SlateLog<'_>) -> Result<Vec<SlateTerm>, OffPolicyError> {
        Ok(log.reward.iter().map(|&reward| SlateTerm { numerator: reward, denominator: 1.0, weight: 1.0 }).collect())
    }
}
