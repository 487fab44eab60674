//! A block of the log against one target policy: what estimators need, 56 bytes a round whatever the number
//! of actions.

use rayon::prelude::*;

use super::error::OffPolicyError;
use super::estimator::Round;
use super::log::{Column, Expected, Log, Shape, Target, check_length};

/// Rounds that one thread takes at a time. Fixed, so that sums don't depend on the number of threads.
const PART: usize = 4_096;

/// Rounds with their weights, and what the target policy wants of which action.
#[derive(Debug, Clone)]
pub struct Weighed {
    pub(super) rounds: Vec<Round>,
    pub(super) first_row: u64,
    /// Customer, or the row where customers are not given.
    pub(super) units: Vec<u64>,
    pub(super) has_customers: bool,
    pub(super) has_expected: bool,
    pub(super) has_balanced: bool,
    pub(super) support: Support,
}

/// Where the log has rounds, and where the target policy wants them. `[action][position]`.
#[derive(Debug, Clone)]
pub(super) struct Support {
    pub(super) shape: Shape,
    /// Rounds logged.
    pub(super) logged: Vec<u64>,
    /// Sum of the target's probabilities; empty where only those of logged actions are known.
    pub(super) wanted: Vec<f64>,
}

impl Support {
    pub(super) fn new(shape: Shape, is_known: bool) -> Self {
        Self { shape, logged: vec![0; shape.values()], wanted: if is_known { vec![0.0; shape.values()] } else { Vec::new() } }
    }

    pub(super) fn merge(&mut self, other: &Self) -> Result<(), OffPolicyError> {
        if self.shape != other.shape {
            return Err(OffPolicyError::Mismatch { what: "numbers of actions or positions" });
        }
        if self.wanted.len() != other.wanted.len() {
            return Err(OffPolicyError::Mismatch { what: "kinds of target policy (distributions, or logged actions only)" });
        }
        self.logged.iter_mut().zip(&other.logged).for_each(|(sum, part)| *sum += part);
        self.wanted.iter_mut().zip(&other.wanted).for_each(|(sum, part)| *sum += part);
        Ok(())
    }
}

/// Weighs a block of rounds for a target policy, and checks every value of it that an estimate could rest on: of a round's
/// distributions, the one at its position.
///
/// # Errors
/// The first round that is wrong, or columns of different lengths.
pub fn weigh(shape: Shape, log: &Log<'_>, target: Target<'_>, expected: Expected<'_>) -> Result<Weighed, OffPolicyError> {
    log.check_lengths(shape)?;
    check_inputs(shape, log.rounds(), target, expected)?;
    if let Target::Constant(values) = target {
        (0..shape.positions).try_for_each(|position| Column::new(values, shape, position).check_distribution(log.first_row).map(drop))?;
    }
    let starts: Vec<usize> = (0..log.rounds()).step_by(PART).collect();
    let parts: Vec<Result<(Vec<Round>, Support), OffPolicyError>> =
        starts.par_iter().map(|&start| weigh_part(shape, log, target, expected, start..(start + PART).min(log.rounds()))).collect();
    let mut rounds = Vec::with_capacity(log.rounds());
    let mut support = Support::new(shape, !matches!(target, Target::Logged(_)));
    for part in parts {
        let (more, part) = part?;
        rounds.extend_from_slice(&more);
        support.merge(&part)?;
    }
    let units = log.customer.map_or_else(|| (0..log.rounds()).map(|place| log.row(place)).collect(), <[u64]>::to_vec);
    let has_expected = !matches!(expected, Expected::None);
    Ok(Weighed {
        rounds,
        first_row: log.first_row,
        units,
        has_customers: log.customer.is_some(),
        has_expected,
        has_balanced: false,
        support,
    })
}

impl Weighed {
    /// Rounds in the block.
    pub fn len(&self) -> usize {
        self.rounds.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.rounds.is_empty()
    }

    /// Whether a reward model's expectations are in it.
    pub const fn has_expected(&self) -> bool {
        self.has_expected
    }

    /// Greatest importance weight; 0 where there are no rounds.
    pub fn greatest_weight(&self) -> f64 {
        self.rounds.iter().fold(0.0_f64, |greatest, round| greatest.max(round.weight))
    }

    /// The rounds, in the order of the log.
    pub fn rounds(&self) -> &[Round] {
        &self.rounds
    }

    /// With importance weights from a classifier, one a round ([`super::balanced_weights`]).
    ///
    /// # Errors
    /// Their number isn't that of the rounds, or one is negative or not finite.
    pub fn with_balanced_weights(mut self, weights: &[f64]) -> Result<Self, OffPolicyError> {
        check_length("balanced weights", weights.len(), self.len())?;
        for (place, (round, &weight)) in self.rounds.iter_mut().zip(weights).enumerate() {
            if !(weight >= 0.0 && weight.is_finite()) {
                return Err(OffPolicyError::BalancedWeight { row: self.first_row + place as u64, value: weight });
            }
            round.balanced_weight = weight;
        }
        self.has_balanced = true;
        Ok(self)
    }
}

fn check_inputs(shape: Shape, rounds: usize, target: Target<'_>, expected: Expected<'_>) -> Result<(), OffPolicyError> {
    match target {
        Target::Constant(values) => check_length("target (actions × positions)", values.len(), shape.values()),
        Target::Dense(values) => check_length("target (rounds × actions × positions)", values.len(), rounds * shape.values()),
        Target::Logged(values) => check_length("target (one a round)", values.len(), rounds),
    }?;
    match expected {
        Expected::None => Ok(()),
        Expected::Constant(values) => check_length("expected (actions × positions)", values.len(), shape.values()),
        Expected::Dense(values) => check_length("expected (rounds × actions × positions)", values.len(), rounds * shape.values()),
        Expected::Summed { logged, target } => {
            check_length("expected of the logged action", logged.len(), rounds)?;
            check_length("expected of the target policy", target.len(), rounds)
        }
    }?;
    let needs_distribution = matches!(target, Target::Logged(_)) && matches!(expected, Expected::Constant(_) | Expected::Dense(_));
    if needs_distribution {
        let needed = "the target policy's whole distribution, or the model's mean over it (Expected::Summed)";
        return Err(OffPolicyError::Needs { estimator: "a reward model with values for each action".to_owned(), needed });
    }
    Ok(())
}

fn weigh_part(
    shape: Shape,
    log: &Log<'_>,
    target: Target<'_>,
    expected: Expected<'_>,
    places: std::ops::Range<usize>,
) -> Result<(Vec<Round>, Support), OffPolicyError> {
    let mut support = Support::new(shape, !matches!(target, Target::Logged(_)));
    let mut rounds = Vec::with_capacity(places.len());
    // A constant policy with constant expectations has one mean a position.
    let mut means: Vec<Option<f64>> = vec![None; shape.positions];
    let mut at_positions = vec![0_u64; shape.positions];
    for place in places {
        log.check_round(place, shape)?;
        let (action, position, row) = (log.action[place] as usize, log.position_of(place), log.row(place));
        at_positions[position] += 1;
        support.logged[action * shape.positions + position] += 1;
        let of_round = |values: &'_ [f64]| -> std::ops::Range<usize> {
            let width = shape.values();
            debug_assert!(values.len() >= (place + 1) * width);
            place * width..(place + 1) * width
        };
        let model = match expected {
            Expected::Constant(values) => Some(Column::new(values, shape, position)),
            Expected::Dense(values) => Some(Column::new(&values[of_round(values)], shape, position)),
            Expected::None | Expected::Summed { .. } => None,
        };
        let (policy, sum) = match target {
            // Checked once for all.
            Target::Constant(values) => (Some(Column::new(values, shape, position)), 1.0),
            Target::Dense(values) => {
                let policy = Column::new(&values[of_round(values)], shape, position);
                let sum = policy.check_distribution(row)?;
                want(&mut support.wanted, policy, shape, position);
                (Some(policy), sum)
            }
            Target::Logged(_) => (None, 1.0),
        };
        let probability = match (policy, target) {
            (Some(policy), _) => policy.at(action),
            (None, Target::Logged(values)) => checked_probability(row, log.action[place], values[place])?,
            (None, _) => f64::NAN,
        };
        let (expected_logged, expected_target) = match (expected, model, policy) {
            (Expected::Summed { logged, target }, ..) => (logged[place], target[place]),
            (Expected::Constant(_), Some(model), Some(policy)) if matches!(target, Target::Constant(_)) => {
                (model.at(action), *means[position].get_or_insert_with(|| mean(policy, model)))
            }
            (_, Some(model), Some(policy)) => (model.at(action), policy.dot(model) / sum),
            _ => (f64::NAN, f64::NAN),
        };
        let has_values = expected_logged.is_finite() && expected_target.is_finite();
        if !(has_values || matches!(expected, Expected::None)) {
            let value = if expected_logged.is_finite() { expected_target } else { expected_logged };
            return Err(OffPolicyError::Expected { row, value });
        }
        let weight = probability / log.propensity[place];
        if !weight.is_finite() {
            return Err(OffPolicyError::Propensity { row, value: log.propensity[place] });
        }
        rounds.push(Round { weight, probability, reward: log.reward[place], expected_logged, expected_target, balanced_weight: f64::NAN });
    }
    if let Target::Constant(values) = target {
        for (entry, (wanted, probability)) in support.wanted.iter_mut().zip(values).enumerate() {
            *wanted = probability * at_positions[entry % shape.positions] as f64;
        }
    }
    Ok((rounds, support))
}

fn mean(policy: Column<'_>, model: Column<'_>) -> f64 {
    policy.dot(model) / policy.iter().sum::<f64>()
}

fn want(wanted: &mut [f64], policy: Column<'_>, shape: Shape, position: usize) {
    wanted[position..].iter_mut().step_by(shape.positions).zip(policy.iter()).for_each(|(sum, probability)| *sum += probability);
}

fn checked_probability(row: u64, action: u32, value: f64) -> Result<f64, OffPolicyError> {
    let is_probability = (0.0..=1.0).contains(&value);
    if is_probability { Ok(value) } else { Err(OffPolicyError::TargetProbability { row, action, value }) }
}
