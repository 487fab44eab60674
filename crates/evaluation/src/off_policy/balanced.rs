//! Importance weights without propensities: the odds of a classifier that tells pairs of context and action of the
//! target policy from logged ones.

use rayon::prelude::*;
use youhui_commerce::Draw;

use super::additive::{Additive, Row, fit_logistic};
use super::error::OffPolicyError;
use super::log::{Column, Log, Shape, Target, check_length};

/// How to fit the classifier.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Balancing {
    /// Penalty of the logistic regression on context and action, above 0.
    pub penalty: f64,
    /// Parts of the log; each is predicted by a fit on the others. 1: all by all.
    pub folds: usize,
    /// Which customers (or rounds) are in which part.
    pub seed: u64,
}

/// Estimated π(a | x) / π₀(a | x) of each round's logged action, for [`super::estimators::BalancedIpw`].
///
/// A logged pair (x, a) has label 0 and weight 1; each pair the target policy could make of the same x has label 1
/// and weight π(a | x) (obp 0.5.7 draws one by lot instead, or gives the classifier probabilities where
/// indicators were fitted). Odds that depend on context and action together are beyond a sum of the two: give contexts
/// that carry what the policies look at.
///
/// Sondhi, Arbour and Dimmery 2020, "Balanced Off-Policy Evaluation in General Action Spaces".
///
/// # Errors
/// Lengths differ, the target's distributions are not given or wrong, a setting is outside its range, or a position has no
/// rounds.
pub fn balanced_weights(
    shape: Shape,
    log: &Log<'_>,
    context: &[f64],
    width: usize,
    target: Target<'_>,
    balancing: Balancing,
) -> Result<Vec<f64>, OffPolicyError> {
    log.check_lengths(shape)?;
    (0..log.rounds()).try_for_each(|place| log.check_round(place, shape))?;
    check_length("context (rounds × width)", context.len(), log.rounds() * width)?;
    if !(balancing.penalty > 0.0 && balancing.penalty.is_finite()) {
        return Err(OffPolicyError::Setting { name: "the penalty", value: balancing.penalty, rule: "above 0 and finite" });
    }
    if balancing.folds == 0 {
        return Err(OffPolicyError::Setting { name: "the number of folds", value: 0.0, rule: "at least 1" });
    }
    let (values, stride) = match target {
        Target::Constant(values) => (values, 0),
        Target::Dense(values) => (values, shape.values()),
        Target::Logged(_) => {
            let needed = "the target policy's whole distribution";
            return Err(OffPolicyError::Needs { estimator: "balanced weights".to_owned(), needed });
        }
    };
    check_length("target", values.len(), if stride == 0 { shape.values() } else { log.rounds() * stride })?;
    let policy = |place: usize| Column::new(&values[place * stride..][..shape.values()], shape, log.position_of(place));
    (0..log.rounds()).try_for_each(|place| policy(place).check_distribution(log.row(place)).map(drop))?;
    let of = |place: usize| &context[place * width..][..width];
    let folds = |place: usize| {
        let unit = log.customer.map_or_else(|| log.row(place), |customer| customer[place]);
        Draw::seeded(balancing.seed ^ Draw::seeded(unit).bits()).below(balancing.folds)
    };
    let fitted = |fold: usize, position: usize| {
        let is_of = |&place: &usize| log.position_of(place) == position && (balancing.folds == 1 || folds(place) != fold);
        let places: Vec<usize> = (0..log.rounds()).filter(is_of).collect();
        if places.is_empty() {
            return Err(OffPolicyError::Model { position, why: "no rounds were logged there" });
        }
        let visit = |add: &mut dyn FnMut(Row<'_>)| {
            for &place in &places {
                add((of(place), log.action[place] as usize, 1.0, 0.0));
                policy(place)
                    .iter()
                    .enumerate()
                    .filter(|(_, chance)| *chance > 0.0)
                    .for_each(|(action, chance)| add((of(place), action, chance, 1.0)));
            }
        };
        fit_logistic(width, shape.actions, balancing.penalty, visit)
            .ok_or(OffPolicyError::Model { position, why: "Newton's method doesn't converge: scale contexts, or raise the penalty" })
    };
    let pairs: Vec<(usize, usize)> =
        (0..balancing.folds).flat_map(|fold| (0..shape.positions).map(move |position| (fold, position))).collect();
    let models: Vec<Additive> = pairs.par_iter().map(|&(fold, position)| fitted(fold, position)).collect::<Result<_, _>>()?;
    let weight = |place: usize| {
        let model = &models[folds(place) * shape.positions + log.position_of(place)];
        (model.of_context(of(place)) + model.of_action[log.action[place] as usize]).exp()
    };
    Ok((0..log.rounds()).map(weight).collect())
}
