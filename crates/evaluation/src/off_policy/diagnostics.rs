//! Whether the log can say anything about the target policy: overlap, weights, effective sample size.

use std::collections::BTreeMap;

use serde::Serialize;

use super::error::OffPolicyError;
use super::interval::{Interval, normal};
use super::moments::Valued;
use super::warning::Warning;
use super::weighed::{Support, Weighed};
use crate::experiment::special::normal_sf;

/// Below it the asymptotic intervals don't hold their level.
const FEW_EFFECTIVE: f64 = 100.0;
/// Rounds with a reward below which they don't either.
const FEW_REWARDS: u64 = 100;
/// Customers below which clustered intervals are too narrow.
const FEW_CUSTOMERS: u64 = 50;
/// Share of all weight in one round.
const DOMINANT: f64 = 0.05;
/// Two-sided p value of the mean weight below which probabilities are called wrong: 3 standard errors.
const WRONG_WEIGHTS: f64 = 0.0027;

/// Weights of the log's rounds under a target policy.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Diagnostics {
    /// Rounds.
    pub rounds: u64,
    /// Independent units.
    pub units: u64,
    /// What they are: customer, where they are given, or round.
    pub unit: String,
    /// (Σ w)² / Σ w², in rounds: as many of the target policy itself would be as precise (Kish 1965).
    pub effective_sample_size: f64,
    /// Mean weight: 1 where propensities and target probabilities are right and everything wanted can be logged.
    pub mean_weight: f64,
    /// Its standard error, by unit.
    pub mean_weight_std_error: f64,
    /// Its asymptotic normal interval.
    pub mean_weight_normal: Interval,
    /// Two-sided p value of a mean weight of 1; `None` where weights don't vary.
    pub mean_weight_p: Option<f64>,
    /// Greatest weight.
    pub greatest_weight: f64,
    /// Share of all weight in that one round.
    pub greatest_share: f64,
    /// Share of rounds whose logged action the target policy never takes: they say nothing.
    pub rounds_of_no_weight: f64,
    /// Quantiles of the weights, as (share, weight), to within 0.4 %.
    pub weight_quantiles: Vec<(f64, f64)>,
    /// Rounds with weight and a reward that isn't 0.
    pub rewarded_rounds: u64,
    /// Actions the target policy wants where they were never logged, the most wanted first; `None` where only the
    /// probabilities of logged actions are known.
    pub unsupported: Option<Vec<Unsupported>>,
    /// Share of the target policy's choices that are such.
    pub unsupported_share: Option<f64>,
}

/// An action that the target policy wants at a position where it was never logged.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Unsupported {
    /// Action.
    pub action: usize,
    /// Its name, or its number.
    pub name: String,
    /// Position.
    pub position: usize,
    /// Share of all the target policy's choices.
    pub share: f64,
}

/// Sums behind [`Diagnostics`].
#[derive(Debug)]
pub(super) struct WeightSums {
    support: Option<Support>,
    rounds: u64,
    zero: u64,
    rewarded: u64,
    sum: f64,
    squares: f64,
    greatest: f64,
    /// Counts by the leading 16 bits of the weight: 128 to a doubling.
    histogram: BTreeMap<u64, u64>,
    pub(super) rewards: (f64, f64),
    pub(super) expected: (f64, f64),
}

/// Bits of a double below exponent and the first seven of its fraction.
const DROPPED: u32 = 45;

impl WeightSums {
    pub(super) const fn new() -> Self {
        Self {
            support: None,
            rounds: 0,
            zero: 0,
            rewarded: 0,
            sum: 0.0,
            squares: 0.0,
            greatest: 0.0,
            histogram: BTreeMap::new(),
            rewards: (f64::INFINITY, f64::NEG_INFINITY),
            expected: (f64::INFINITY, f64::NEG_INFINITY),
        }
    }

    pub(super) fn add(&mut self, weighed: &Weighed) -> Result<(), OffPolicyError> {
        self.add_support(&weighed.support)?;
        for round in &weighed.rounds {
            let weight = round.weight;
            self.rounds += 1;
            self.zero += u64::from(weight == 0.0);
            self.rewarded += u64::from(weight > 0.0 && round.reward != 0.0);
            self.sum += weight;
            self.squares += weight * weight;
            self.greatest = self.greatest.max(weight);
            self.rewards = widened(self.rewards, round.reward);
            // NaN, where there is no model, widens nothing.
            self.expected = widened(widened(self.expected, round.expected_logged), round.expected_target);
        }
        let mut buckets: Vec<u64> = weighed.rounds.iter().map(|round| round.weight.to_bits() >> DROPPED).collect();
        buckets.sort_unstable();
        for run in buckets.chunk_by(|one, other| one == other) {
            *self.histogram.entry(run[0]).or_default() += run.len() as u64;
        }
        Ok(())
    }

    fn add_support(&mut self, support: &Support) -> Result<(), OffPolicyError> {
        match &mut self.support {
            Some(sum) => sum.merge(support),
            None => {
                self.support = Some(support.clone());
                Ok(())
            }
        }
    }

    pub(super) fn merge(&mut self, other: &Self) -> Result<(), OffPolicyError> {
        if let Some(support) = &other.support {
            self.add_support(support)?;
        }
        self.rounds += other.rounds;
        self.zero += other.zero;
        self.rewarded += other.rewarded;
        self.sum += other.sum;
        self.squares += other.squares;
        self.greatest = self.greatest.max(other.greatest);
        self.rewards = widened(widened(self.rewards, other.rewards.0), other.rewards.1);
        self.expected = widened(widened(self.expected, other.expected.0), other.expected.1);
        other.histogram.iter().for_each(|(&bucket, count)| *self.histogram.entry(bucket).or_default() += count);
        Ok(())
    }

    pub(super) const fn greatest(&self) -> f64 {
        self.greatest
    }

    /// `mean_weight` is by independent unit, of which there are `units`.
    pub(super) fn diagnostics(&self, mean_weight: Valued, (units, unit): (u64, &str), alpha: f64, names: &[String]) -> Diagnostics {
        let share_of = |count: u64| count as f64 / self.rounds as f64;
        let unsupported = self.support.as_ref().and_then(|support| unsupported(support, names));
        let has_spread = mean_weight.std_error > 0.0 && mean_weight.std_error.is_finite();
        Diagnostics {
            rounds: self.rounds,
            units,
            unit: unit.to_owned(),
            effective_sample_size: if self.squares > 0.0 { self.sum * self.sum / self.squares } else { 0.0 },
            mean_weight: mean_weight.value,
            mean_weight_std_error: mean_weight.std_error,
            mean_weight_normal: normal(mean_weight, alpha),
            mean_weight_p: has_spread.then(|| 2.0 * normal_sf(((mean_weight.value - 1.0) / mean_weight.std_error).abs())),
            greatest_weight: self.greatest,
            greatest_share: if self.sum > 0.0 { self.greatest / self.sum } else { 0.0 },
            rounds_of_no_weight: share_of(self.zero),
            weight_quantiles: [0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 0.999].map(|share| (share, self.quantile(share))).to_vec(),
            rewarded_rounds: self.rewarded,
            unsupported_share: unsupported.as_ref().map(|actions| actions.iter().fold(0.0, |sum, action| sum + action.share)),
            unsupported,
        }
    }

    /// The middle of the bucket that holds it.
    fn quantile(&self, share: f64) -> f64 {
        let rank = share * self.rounds as f64;
        let mut seen = 0;
        for (&bucket, count) in &self.histogram {
            seen += count;
            if seen as f64 >= rank {
                let low = f64::from_bits(bucket << DROPPED);
                let middle = f64::midpoint(low, f64::from_bits((bucket + 1) << DROPPED));
                return if bucket == 0 { 0.0 } else { middle.min(self.greatest) };
            }
        }
        self.greatest
    }
}

fn widened((low, high): (f64, f64), value: f64) -> (f64, f64) {
    (low.min(value), high.max(value))
}

fn unsupported(support: &Support, names: &[String]) -> Option<Vec<Unsupported>> {
    if support.wanted.is_empty() {
        return None;
    }
    let all: f64 = support.wanted.iter().sum();
    let mut missing: Vec<Unsupported> = support
        .logged
        .iter()
        .zip(&support.wanted)
        .enumerate()
        .filter(|(_, (logged, wanted))| **logged == 0 && **wanted > 0.0)
        .map(|(entry, (_, wanted))| {
            let (action, position) = (entry / support.shape.positions, entry % support.shape.positions);
            let name = names.get(action).cloned().unwrap_or_else(|| action.to_string());
            Unsupported { action, name, position, share: wanted / all }
        })
        .collect();
    missing.sort_by(|one, other| other.share.total_cmp(&one.share));
    Some(missing)
}

impl Diagnostics {
    /// What of this has consequences for the estimates.
    pub(super) fn warnings(&self, by_customer: bool) -> Vec<Warning> {
        let mut all = Vec::new();
        if self.effective_sample_size < FEW_EFFECTIVE {
            all.push(Warning::FewEffectiveRounds { effective: self.effective_sample_size, rounds: self.rounds });
        }
        if self.mean_weight_p.is_some_and(|p| p < WRONG_WEIGHTS) {
            all.push(Warning::MeanWeight { mean: self.mean_weight, std_error: self.mean_weight_std_error });
        }
        if let (Some(actions), Some(share)) = (&self.unsupported, self.unsupported_share)
            && !actions.is_empty()
        {
            let named = actions.iter().take(10).map(|action| action.name.clone()).collect();
            all.push(Warning::NeverLogged { actions: named, more: actions.len().saturating_sub(10), share });
        }
        if self.greatest_share > DOMINANT {
            all.push(Warning::DominantRound { share: self.greatest_share });
        }
        if self.rewarded_rounds < FEW_REWARDS {
            all.push(Warning::FewRewards { rounds: self.rewarded_rounds });
        }
        if by_customer && self.units < FEW_CUSTOMERS {
            all.push(Warning::FewCustomers { customers: self.units });
        }
        all
    }
}
