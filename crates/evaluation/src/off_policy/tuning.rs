//! Choosing λ from the log, by SLOPE or by an estimate of the squared error.
//!
//! Two passes over the log: one to choose, one to evaluate with what was chosen; so do the intervals, which
//! don't know of the choice.

use serde::Serialize;

use super::error::OffPolicyError;
use super::estimator::{Estimator, Needs, Round, WeightShrinking};
use super::moments::{Moments, Places, Valued, valued};
use super::sums::check_needs;
use super::warning::Warning;
use super::weighed::Weighed;
use crate::experiment::special::t_upper_quantile;

/// How to choose λ.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Criterion {
    /// The principle of Lepski: candidates in the order of falling deviation; the last whose interval still meets
    /// those of all before it, widened by √6 − 1. Deviations are Student's one-sided bounds at `delta`; variances
    /// suffice and biases needn't be known, but they should grow as deviations fall.
    ///
    /// Su, Srinath and Krishnamurthy 2020, "Adaptive Estimator Selection for Off-Policy Evaluation"; the constant is
    /// that of Tucker and Lee 2021, "Improved Estimator Selection for Off-Policy Evaluation".
    Slope {
        /// 1 − level of a deviation.
        delta: f64,
    },
    /// Least estimate of variance + bias², where the bias is |mean of (w − ŵ)(r − q̂)|, with Bernstein's bound of that
    /// mean's error added where `upper_bound` is.
    ///
    /// Su, Dimakopoulou, Krishnamurthy and Dudík 2020, section 5 and page 17.
    MeanSquaredError {
        /// 1 − level of the bias's bound.
        delta: f64,
        /// Whether to add it.
        upper_bound: bool,
    },
}

/// A candidate and how it did.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Candidate {
    /// λ.
    pub lambda: f64,
    /// Value with it.
    pub value: f64,
    /// SLOPE: deviation. Squared error: its estimate.
    pub score: f64,
}

/// The λ that was chosen.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Tuned {
    /// Its place among the candidates.
    pub chosen: usize,
    /// Candidates, in the order in which they were given.
    pub candidates: Vec<Candidate>,
    /// Whether the choice says that a candidate beyond may be better.
    pub warnings: Vec<Warning>,
}

impl Tuned {
    /// λ.
    pub fn lambda(&self) -> f64 {
        self.candidates[self.chosen].lambda
    }
}

/// Sums behind the choice among estimators of one kind with different λ.
#[derive(Debug)]
pub struct Tuning<E> {
    candidates: Vec<E>,
    criterion: Criterion,
    moments: Vec<Moments<4>>,
    /// Σ (w − ŵ)(r − q̂), for each candidate.
    bias: Vec<f64>,
    squares: f64,
    greatest: f64,
    rounds: f64,
}

/// Rounds taken at a time.
const BLOCK: usize = 4_096;

impl<E: WeightShrinking> Tuning<E> {
    /// Among these.
    ///
    /// # Errors
    /// There are no candidates, or δ is not between 0 and 1.
    pub fn new(candidates: Vec<E>, criterion: Criterion) -> Result<Self, OffPolicyError> {
        let (Criterion::Slope { delta } | Criterion::MeanSquaredError { delta, .. }) = criterion;
        if !(delta > 0.0 && delta < 1.0) {
            return Err(OffPolicyError::Setting { name: "δ", value: delta, rule: "between 0 and 1" });
        }
        if candidates.is_empty() {
            return Err(OffPolicyError::Setting { name: "the number of candidates", value: 0.0, rule: "at least 1" });
        }
        let count = candidates.len();
        let moments = vec![Moments::new(); count];
        Ok(Self { candidates, criterion, moments, bias: vec![0.0; count], squares: 0.0, greatest: 0.0, rounds: 0.0 })
    }

    /// Takes in a block.
    ///
    /// # Errors
    /// The candidates need a reward model and the block has none.
    pub fn add(&mut self, weighed: &Weighed) -> Result<(), OffPolicyError>
    where
        E: Clone + 'static,
    {
        check_needs(&[Box::new(self.candidates[0].clone()) as Box<dyn Estimator>], weighed)?;
        for rounds in weighed.rounds.chunks(BLOCK) {
            self.rounds += rounds.len() as f64;
            self.squares += rounds.iter().map(|round| round.weight * round.weight).sum::<f64>();
            self.greatest = rounds.iter().fold(self.greatest, |greatest, round| greatest.max(round.weight));
            for ((candidate, moments), bias) in self.candidates.iter().zip(&mut self.moments).zip(&mut self.bias) {
                let units: Vec<[f64; 4]> = rounds.iter().map(|round| [1.0, candidate.term(round).base, 0.0, 1.0]).collect();
                moments.merge(&Moments::of(&units));
                let is_modelled = candidate.needs() == Needs::RewardModel;
                let residual = |round: &Round| if is_modelled { round.residual() } else { round.reward };
                *bias += rounds.iter().map(|round| (round.weight - candidate.shrunk(round.weight)) * residual(round)).sum::<f64>();
            }
        }
        Ok(())
    }

    /// Joins what another tuning with the same candidates took in.
    ///
    /// # Errors
    /// The two differ in candidates or criterion.
    pub fn merge(&mut self, other: &Self) -> Result<(), OffPolicyError> {
        let lambdas = |tuning: &Self| tuning.candidates.iter().map(WeightShrinking::lambda).collect::<Vec<_>>();
        if lambdas(self) != lambdas(other) || self.criterion != other.criterion {
            return Err(OffPolicyError::Mismatch { what: "candidates or criteria" });
        }
        self.moments.iter_mut().zip(&other.moments).for_each(|(sum, part)| sum.merge(part));
        self.bias.iter_mut().zip(&other.bias).for_each(|(sum, part)| *sum += part);
        self.squares += other.squares;
        self.greatest = self.greatest.max(other.greatest);
        self.rounds += other.rounds;
        Ok(())
    }

    /// Chooses.
    ///
    /// # Errors
    /// There are fewer than two rounds.
    pub fn finish(&self) -> Result<Tuned, OffPolicyError> {
        if self.rounds < 2.0 {
            return Err(OffPolicyError::TooFew { units: usize::from(self.rounds > 0.0), unit: "round" });
        }
        let valued: Vec<Valued> = self.moments.iter().map(|moments| valued(moments, Places::SINGLE)).collect();
        let (chosen, scores) = match self.criterion {
            Criterion::Slope { delta } => {
                // √(population variance / (n − 1)) is the standard error.
                let quantile = t_upper_quantile(delta.min(0.5), self.rounds - 1.0);
                let scores: Vec<f64> = valued.iter().map(|of| quantile * of.std_error).collect();
                (slope(&valued, &scores), scores)
            }
            Criterion::MeanSquaredError { delta, upper_bound } => {
                let scores: Vec<f64> =
                    valued.iter().zip(&self.bias).map(|(of, bias)| self.squared_error(*of, *bias, delta, upper_bound)).collect();
                let least = (0..scores.len()).min_by(|&one, &other| scores[one].total_cmp(&scores[other]));
                (least.unwrap_or(0), scores)
            }
        };
        let candidates: Vec<Candidate> = (self.candidates.iter().zip(&valued).zip(&scores))
            .map(|((candidate, of), &score)| Candidate { lambda: candidate.lambda(), value: of.value, score })
            .collect();
        let warnings = self.edge(&candidates, chosen).into_iter().collect();
        Ok(Tuned { chosen, candidates, warnings })
    }

    fn squared_error(&self, of: Valued, bias: f64, delta: f64, upper_bound: bool) -> f64 {
        let (rounds, log) = (self.rounds, (2.0 / delta).ln());
        // Population variance of a round / n.
        let variance = of.std_error * of.std_error * (rounds - 1.0) / rounds;
        let mut bias = (bias / rounds).abs();
        if upper_bound {
            bias += (2.0 * self.squares / rounds * log / rounds).sqrt() + 2.0 * self.greatest * log / (3.0 * rounds);
        }
        variance + bias * bias
    }

    /// The ends of a grid that aren't the ends of λ's range.
    fn edge(&self, candidates: &[Candidate], chosen: usize) -> Option<Warning> {
        let lambda = candidates[chosen].lambda;
        let is_end = |end: fn(f64, f64) -> f64| candidates.len() > 1 && candidates.iter().all(|other| end(other.lambda, lambda) == lambda);
        let is_edge = lambda != 0.0 && lambda.is_finite() && (is_end(f64::min) || is_end(f64::max));
        is_edge.then(|| Warning::EdgeOfGrid { estimator: self.candidates[chosen].name(), lambda })
    }
}

/// Place of SLOPE's choice.
fn slope(valued: &[Valued], deviations: &[f64]) -> usize {
    let constant = 6.0_f64.sqrt() - 1.0;
    let mut order: Vec<usize> = (0..valued.len()).collect();
    // Greatest first; of equals the later.
    order.sort_by(|&one, &other| deviations[one].total_cmp(&deviations[other]));
    order.reverse();
    for (rank, &place) in order.iter().enumerate().skip(1) {
        let meets =
            |&before: &usize| (valued[before].value - valued[place].value).abs() <= deviations[place] + constant * deviations[before];
        if !order[..rank].iter().all(meets) {
            return order[rank - 1];
        }
    }
    order[order.len() - 1]
}
