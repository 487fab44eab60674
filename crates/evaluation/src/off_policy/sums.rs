//! Terms of many estimators over blocks of rounds: moments by independent unit, and bootstrap draws.

use std::collections::BTreeMap;

use rayon::prelude::*;
use rustc_hash::FxHashMap;

use super::bootstrap::{Bootstrap, Drawn};
use super::error::OffPolicyError;
use super::estimator::{Estimator, Needs, Round, Term};
use super::moments::Moments;
use super::weighed::Weighed;

/// Rounds whose terms are in memory at once, for each estimator.
const BLOCK: usize = 4_096;

/// Sums of `E` estimators under `P` policies, where `D` = 1 + 3 `P`.
///
/// A unit's variables are, for each estimator, its number of rounds, and base, numerator and denominator
/// under each policy.
#[derive(Debug)]
pub(super) struct Sums<const D: usize> {
    estimators: usize,
    /// One for each estimator; rounds are units.
    of_rounds: Vec<Moments<D>>,
    of_customers: Option<Customers>,
    drawn: Option<Drawn>,
    /// Which columns of a row the bootstrap needs.
    columns: Vec<usize>,
    taken: Rows,
    pub(super) rounds: u64,
}

/// Which rows of the log were taken in: starts, and the rows behind the ends.
#[derive(Debug, Default)]
struct Rows(BTreeMap<u64, u64>);

impl Rows {
    fn take(&mut self, start: u64, end: u64) -> Result<(), OffPolicyError> {
        if start == end {
            return Ok(());
        }
        let before = self.0.range(..=start).next_back().map(|(&from, &to)| (from, to));
        if before.is_some_and(|(_, to)| to > start) {
            return Err(OffPolicyError::RowTwice { row: start });
        }
        if let Some((&row, _)) = self.0.range(start..end).next() {
            return Err(OffPolicyError::RowTwice { row });
        }
        // Neighbours become one.
        let end = self.0.remove(&end).unwrap_or(end);
        let start = before.filter(|(_, to)| *to == start).map_or(start, |(from, _)| from);
        self.0.insert(start, end);
        Ok(())
    }
}

/// Sums by customer, in the order in which customers appear.
#[derive(Debug, Default)]
struct Customers {
    places: FxHashMap<u64, usize>,
    names: Vec<u64>,
    rows: Vec<f64>,
}

impl Customers {
    fn add(&mut self, customer: u64, row: &[f64]) {
        let width = row.len();
        let place = *self.places.entry(customer).or_insert(self.names.len());
        if place == self.names.len() {
            self.names.push(customer);
            self.rows.extend_from_slice(row);
        } else {
            self.rows[place * width..][..width].iter_mut().zip(row).for_each(|(sum, value)| *sum += value);
        }
    }
}

impl<const D: usize> Sums<D> {
    const POLICIES: usize = (D - 1) / 3;

    pub(super) fn new(estimators: &[Box<dyn Estimator>], bootstrap: Option<Bootstrap>, by_customer: bool) -> Self {
        let mut columns = vec![0];
        for (place, estimator) in estimators.iter().enumerate() {
            for policy in 0..Self::POLICIES {
                let base = 1 + (place * Self::POLICIES + policy) * 3;
                columns.extend(base..base + if estimator.is_self_normalised() { 3 } else { 1 });
            }
        }
        Self {
            estimators: estimators.len(),
            of_rounds: vec![Moments::new(); estimators.len()],
            of_customers: by_customer.then(Customers::default),
            drawn: bootstrap.map(|bootstrap| Drawn::new(bootstrap, columns.len())),
            columns,
            taken: Rows::default(),
            rounds: 0,
        }
    }

    /// Adds the same rounds weighed for each policy.
    pub(super) fn add(&mut self, estimators: &[Box<dyn Estimator>], weighed: &[&Weighed]) -> Result<(), OffPolicyError> {
        self.taken.take(weighed[0].first_row, weighed[0].first_row + weighed[0].len() as u64)?;
        let width = 1 + self.estimators * Self::POLICIES * 3;
        let rounds = weighed[0].len();
        self.rounds += rounds as u64;
        // Terms are found by several threads, then added in order.
        let group = BLOCK * 2 * rayon::current_num_threads().max(1);
        for start in (0..rounds).step_by(group) {
            let end = (start + group).min(rounds);
            let starts: Vec<usize> = (start..end).step_by(BLOCK).collect();
            let rows: Vec<(usize, Vec<f64>, Vec<Moments<D>>)> = starts
                .par_iter()
                .map(|&start| {
                    let places = start..(start + BLOCK).min(end);
                    let of: Vec<&[Round]> = weighed.iter().map(|weighed| &weighed.rounds[places.clone()]).collect();
                    let rows = terms(estimators, &of, width);
                    let moments = if self.of_customers.is_some() { Vec::new() } else { moments(&rows, width, self.estimators) };
                    (start, rows, moments)
                })
                .collect();
            for (start, rows, moments) in rows {
                let units = &weighed[0].units[start..start + rows.len() / width];
                if let Some(customers) = &mut self.of_customers {
                    units.iter().zip(rows.chunks(width)).for_each(|(&unit, row)| customers.add(unit, row));
                }
                self.of_rounds.iter_mut().zip(&moments).for_each(|(sum, part)| sum.merge(part));
                if let Some(drawn) = &mut self.drawn {
                    let needed: Vec<f64> = rows.chunks(width).flat_map(|row| self.columns.iter().map(|&column| row[column])).collect();
                    drawn.add(units, &needed);
                }
            }
        }
        Ok(())
    }

    pub(super) fn merge(&mut self, other: &Self) -> Result<(), OffPolicyError> {
        let are_same =
            self.columns == other.columns && self.drawn.as_ref().map(Drawn::bootstrap) == other.drawn.as_ref().map(Drawn::bootstrap);
        if !are_same || self.of_customers.is_some() != other.of_customers.is_some() {
            return Err(OffPolicyError::Mismatch { what: "estimators, bootstraps or units" });
        }
        other.taken.0.iter().try_for_each(|(&start, &end)| self.taken.take(start, end))?;
        self.rounds += other.rounds;
        self.of_rounds.iter_mut().zip(&other.of_rounds).for_each(|(sum, part)| sum.merge(part));
        if let (Some(customers), Some(others)) = (&mut self.of_customers, &other.of_customers) {
            let width = 1 + self.estimators * Self::POLICIES * 3;
            others.names.iter().zip(others.rows.chunks(width)).for_each(|(&customer, row)| customers.add(customer, row));
        }
        if let (Some(drawn), Some(others)) = (&mut self.drawn, &other.drawn) {
            drawn.merge(others);
        }
        Ok(())
    }

    /// Moments of independent units, one for each estimator.
    pub(super) fn moments(&self) -> Vec<Moments<D>> {
        let Some(customers) = &self.of_customers else {
            return self.of_rounds.clone();
        };
        let width = 1 + self.estimators * Self::POLICIES * 3;
        let mut sums = vec![Moments::new(); self.estimators];
        for block in customers.rows.chunks(width * BLOCK) {
            sums.iter_mut().zip(moments(block, width, self.estimators)).for_each(|(sum, part)| sum.merge(&part));
        }
        sums
    }

    /// The estimate of one estimator under one policy, from the columns of a bootstrap draw.
    pub(super) fn value_of(&self, sums: &[f64], estimator: usize, policy: usize) -> Option<f64> {
        let base = 1 + (estimator * Self::POLICIES + policy) * 3;
        let place = self.columns.iter().position(|&column| column == base)?;
        let mean = sums[place] / sums[0];
        if self.columns.get(place + 1) != Some(&(base + 1)) {
            return Some(mean);
        }
        (sums[place + 2] != 0.0).then(|| mean + sums[place + 1] / sums[place + 2])
    }

    pub(super) const fn drawn(&self) -> Option<&Drawn> {
        self.drawn.as_ref()
    }
}

/// `[round][1, then (base, numerator, denominator) by estimator and policy]`.
fn terms(estimators: &[Box<dyn Estimator>], of: &[&[Round]], width: usize) -> Vec<f64> {
    let rounds = of[0].len();
    let mut rows = vec![1.0; rounds * width];
    let mut terms = vec![Term::mean(0.0); rounds];
    for (place, estimator) in estimators.iter().enumerate() {
        for (policy, rounds) in of.iter().enumerate() {
            estimator.terms(rounds, &mut terms);
            let base = 1 + (place * of.len() + policy) * 3;
            for (row, term) in rows.chunks_mut(width).zip(&terms) {
                row[base..base + 3].copy_from_slice(&[term.base, term.numerator, term.denominator]);
            }
        }
    }
    rows
}

fn moments<const D: usize>(rows: &[f64], width: usize, estimators: usize) -> Vec<Moments<D>> {
    let of_estimator = |place: usize| {
        let mut units = Vec::with_capacity(rows.len() / width);
        for row in rows.chunks(width) {
            let mut unit = [row[0]; D];
            unit[1..].copy_from_slice(&row[1 + place * (D - 1)..][..D - 1]);
            units.push(unit);
        }
        Moments::of(&units)
    };
    (0..estimators).map(of_estimator).collect()
}

/// That the rounds have what each estimator needs.
pub(super) fn check_needs(estimators: &[Box<dyn Estimator>], weighed: &Weighed) -> Result<(), OffPolicyError> {
    for estimator in estimators {
        let missing = match estimator.needs() {
            Needs::RewardModel if !weighed.has_expected => "a reward model's values (Expected)",
            Needs::BalancedWeights if !weighed.has_balanced => "a classifier's importance weights (Weighed::with_balanced_weights)",
            _ => continue,
        };
        return Err(OffPolicyError::Needs { estimator: estimator.name(), needed: missing });
    }
    Ok(())
}
