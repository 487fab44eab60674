//! Rounds logged by several policies one after the other, as when a shop's policy is learnt anew each week.
//!
//! | way | how |
//! |---|---|
//! | naive | each round with the propensity of the policy that logged it: what [`super::Evaluation`] does as it is |
//! | balanced | each round with the mean propensity of all loggers, Σₖ nₖ πₖ(a \| x) / n, for a propensity: never worse in variance, needs every logger's probability in every round |
//! | precision-weighted | [`MultiLogger`] |

use std::collections::BTreeMap;

use serde::Serialize;

use super::error::OffPolicyError;
use super::estimator::{Estimator, Needs, WeightShrinking};
use super::interval::{Interval, normal};
use super::log::check_length;
use super::moments::{Moments, Valued};
use super::sums::check_needs;
use super::weighed::Weighed;

/// What one logger's rounds count for.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct LoggerShare {
    /// Logger.
    pub logger: u32,
    /// Its rounds.
    pub rounds: u64,
    /// Its share of the estimate.
    pub share: f64,
}

/// A policy's value from several loggers' rounds.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MultiLoggerValue {
    /// Estimator.
    pub estimator: String,
    /// The value.
    pub value: f64,
    /// Standard error for the shares as they are: by customer where customers are given.
    pub std_error: f64,
    /// Asymptotic normal interval.
    pub normal: Interval,
    /// Loggers.
    pub shares: Vec<LoggerShare>,
    /// Rounds.
    pub rounds: u64,
    /// Independent units: customers, or rounds where customers are not given.
    pub n: u64,
}

/// IPW or a doubly robust estimator over several loggers, each weighted by the precision of its own estimate: Σₖ λₖ × mean over k's
/// rounds of ŵ (r − q̂), plus the mean of q̂(x, π) over all rounds, with λₖ ∝ nₖ / varₖ (varₖ of a round's whole contribution, r ŵ or
/// q̂(x, π) + ŵ (r − q̂)). Without a reward model q̂ = 0.
///
/// Shares are estimated from the same rounds: a logger with few rewards looks precise and draws the estimate to itself. With contexts
/// that change between loggers the first sum leans to the contexts of the precise ones.
///
/// Agarwal, Basu, Schnabel and Joachims 2017, "Effective Evaluation Using Logged Bandit Feedback from Multiple Loggers"; Kallus,
/// Saito and Uehara 2021, "Optimal Off-Policy Evaluation from Multiple Logging Policies".
#[derive(Debug)]
pub struct MultiLogger<E> {
    estimator: E,
    /// Of q̂(x, π) and the correction.
    loggers: BTreeMap<u32, Moments<2>>,
    /// Of each customer and logger: rounds, and sums of q̂(x, π) and the correction. Empty where customers are not given.
    of_customers: BTreeMap<(u64, u32), [f64; 3]>,
}

impl<E: WeightShrinking + Clone + 'static> MultiLogger<E> {
    /// With this estimator.
    pub const fn new(estimator: E) -> Self {
        Self { estimator, loggers: BTreeMap::new(), of_customers: BTreeMap::new() }
    }

    /// Takes in a block, with the logger of each round.
    ///
    /// # Errors
    /// The estimator needs a reward model and there is none, or lengths differ.
    pub fn add(&mut self, weighed: &Weighed, logger: &[u32]) -> Result<(), OffPolicyError> {
        check_needs(&[Box::new(self.estimator.clone()) as Box<dyn Estimator>], weighed)?;
        check_length("logger", logger.len(), weighed.len())?;
        let is_modelled = self.estimator.needs() == Needs::RewardModel;
        let mut rows: BTreeMap<u32, Vec<[f64; 2]>> = BTreeMap::new();
        for ((round, &unit), &logger) in weighed.rounds().iter().zip(&weighed.units).zip(logger) {
            let weight = self.estimator.shrunk(round.weight);
            let row = if is_modelled { [round.expected_target, weight * round.residual()] } else { [0.0, weight * round.reward] };
            rows.entry(logger).or_default().push(row);
            if weighed.has_customers {
                let sums = self.of_customers.entry((unit, logger)).or_default();
                sums.iter_mut().zip([1.0, row[0], row[1]]).for_each(|(sum, value)| *sum += value);
            }
        }
        for (logger, rows) in rows {
            self.loggers.entry(logger).or_insert_with(Moments::new).merge(&Moments::of(&rows));
        }
        Ok(())
    }

    /// Joins what another took in of other rounds.
    pub fn merge(&mut self, other: &Self) {
        for (&key, others) in &other.of_customers {
            let sums = self.of_customers.entry(key).or_default();
            sums.iter_mut().zip(others).for_each(|(sum, value)| *sum += value);
        }
        for (&logger, moments) in &other.loggers {
            self.loggers.entry(logger).or_insert_with(Moments::new).merge(moments);
        }
    }

    /// The value of all that was taken in.
    ///
    /// # Errors
    /// A logger has fewer than two rounds, or all of its rounds contribute the same.
    pub fn finish(&self, alpha: f64) -> Result<MultiLoggerValue, OffPolicyError> {
        if !(alpha > 0.0 && alpha < 1.0) {
            return Err(OffPolicyError::Setting { name: "alpha", value: alpha, rule: "between 0 and 1" });
        }
        if self.loggers.is_empty() {
            return Err(OffPolicyError::TooFew { units: 0, unit: "round" });
        }
        let mut precisions = Vec::new();
        for (&logger, moments) in &self.loggers {
            let variance = if moments.count < 2.0 { 0.0 } else { moments.variance(&[1.0, 1.0]) * (moments.count - 1.0) / moments.count };
            if variance <= 0.0 {
                return Err(OffPolicyError::NoVariance { logger, rounds: moments.count });
            }
            precisions.push(moments.count / variance);
        }
        let (total, rounds): (f64, f64) = (precisions.iter().sum(), self.loggers.values().map(|moments| moments.count).sum());
        let base = self.loggers.values().map(|moments| moments.means[0] * moments.count).sum::<f64>() / rounds;
        let (mut value, mut variance, mut shares) = (base, 0.0, Vec::new());
        for ((&logger, moments), precision) in self.loggers.iter().zip(&precisions) {
            let (count, share) = (moments.count, precision / total);
            value += share * moments.means[1];
            variance += count * moments.variance(&[1.0 / rounds, share / count]);
            variance += count * ((moments.means[0] - base) / rounds).powi(2);
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count")]
            shares.push(LoggerShare { logger, rounds: count as u64, share });
        }
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count")]
        let rounds = rounds as u64;
        let (std_error, n) = match self.clustered(base, rounds, &shares)? {
            Some(clustered) => clustered,
            None => (variance.sqrt(), rounds),
        };
        let normal = normal(Valued { value, std_error }, alpha);
        Ok(MultiLoggerValue { estimator: self.estimator.name(), value, std_error, normal, shares, rounds, n })
    }

    /// Standard error from what each customer adds to the deviation of the value, and their number.
    fn clustered(&self, base: f64, rounds: u64, shares: &[LoggerShare]) -> Result<Option<(f64, u64)>, OffPolicyError> {
        if self.of_customers.is_empty() {
            return Ok(None);
        }
        let share: BTreeMap<u32, &LoggerShare> = shares.iter().map(|share| (share.logger, share)).collect();
        // Keys are ordered: a customer's loggers stand together.
        let (mut last, mut added) = (None, Vec::new());
        for (&(customer, logger), &[count, of_base, correction]) in &self.of_customers {
            let (of, mean) = (share[&logger], self.loggers[&logger].means[1]);
            let deviation = (of_base - count * base) / rounds as f64 + of.share * (correction - count * mean) / of.rounds as f64;
            match added.last_mut() {
                Some(sum) if last == Some(customer) => *sum += deviation,
                _ => added.push(deviation),
            }
            last = Some(customer);
        }
        if added.len() < 2 {
            return Err(OffPolicyError::TooFew { units: added.len(), unit: "customer" });
        }
        // They sum to 0.
        let units = added.len() as f64;
        let variance = added.iter().map(|value| value * value).sum::<f64>() * units / (units - 1.0);
        Ok(Some((variance.sqrt(), added.len() as u64)))
    }
}
