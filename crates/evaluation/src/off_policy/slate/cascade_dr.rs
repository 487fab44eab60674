use super::evaluation::{SlateEstimator, SlateTerm};
use super::log::{Kind, SlateLog, SlateModel};
use crate::off_policy::error::OffPolicyError;
use crate::off_policy::log::check_length;

/// Cascade doubly robust: mean over pages of Σₖ w₁..ₖ (rₖ − q̂ₖ(aₖ)) + w₁..ₖ₋₁ Σₐ π(a) q̂ₖ(a), where w₁..₀ = 1 and q̂ₖ is the
/// reward expected from position k on, of the item there given those above.
///
/// As RIPS, right where a reward depends on its item and those above, and then right too where either the probabilities or
/// the model are; less variance than RIPS where the model explains rewards.
///
/// Note that the residual at k is of the reward from k on: q̂ₖ has to be an expectation of rewards at k *and below*, which is how
/// the sum telescopes.
///
/// Kiyohara, Saito, Matsuhiro, Narita, Shimizu and Yamamoto 2022, "Doubly Robust Off-Policy Evaluation for Ranking
/// Policies under the Cascade Behavior Model".
#[derive(Debug, Clone, Copy, Default)]
pub struct CascadeDoublyRobust;

impl SlateEstimator for CascadeDoublyRobust {
    fn name(&self) -> String {
        "cascade-dr".to_owned()
    }

    fn terms(&self, log: &SlateLog<'_>) -> Result<Vec<SlateTerm>, OffPolicyError> {
        let needed = "a reward model of pages (SlateModel)";
        let model = log.model.ok_or_else(|| OffPolicyError::Needs { estimator: self.name(), needed })?;
        check_model(log, &model)?;
        let weights = log.weights(Kind::Cascade, &self.name())?;
        let term = |row: usize| {
            let of = row * model.actions..(row + 1) * model.actions;
            let (expected, target) = (&model.expected[of.clone()], &model.target[of]);
            let mean: f64 = expected.iter().zip(target).map(|(value, probability)| value * probability).sum();
            let above = if row.is_multiple_of(log.positions) { 1.0 } else { weights[row - 1] };
            let residual = log.reward[row] - expected[model.action[row] as usize];
            SlateTerm { numerator: weights[row] * residual + above * mean, denominator: 1.0, weight: weights[row] }
        };
        Ok((0..weights.len()).map(term).collect())
    }
}

fn check_model(log: &SlateLog<'_>, model: &SlateModel<'_>) -> Result<(), OffPolicyError> {
    let rows = log.reward.len();
    check_length("action (pages × positions)", model.action.len(), rows)?;
    check_length("expected (pages × positions × actions)", model.expected.len(), rows * model.actions)?;
    check_length("target (pages × positions × actions)", model.target.len(), rows * model.actions)?;
    if let Some(row) = model.action.iter().position(|&action| action as usize >= model.actions) {
        return Err(OffPolicyError::Action { row: row as u64, action: model.action[row], actions: model.actions });
    }
    if let Some(place) = model.expected.iter().position(|value| !value.is_finite()) {
        return Err(OffPolicyError::Expected { row: (place / model.actions) as u64, value: model.expected[place] });
    }
    for (row, target) in model.target.chunks(model.actions).enumerate() {
        let sum: f64 = target.iter().sum();
        if (sum - 1.0).abs() > 1e-5 || target.iter().any(|value| *value < 0.0) {
            let position = u32::try_from(row % log.positions).unwrap_or(u32::MAX);
            return Err(OffPolicyError::TargetSum { row: row as u64, position, sum });
        }
    }
    Ok(())
}
