//! Fits on parts of the rows: their mean is the prediction, their spread its standard error, and each
//! row is judged by the fits that did not see it.

use rayon::prelude::*;
use youhui_commerce::Draw;

use crate::learner::{Arms, Effect, Learner};
use crate::trial::{Nuisances, Trial, index};

/// How rows are parted into bags.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Plan {
    /// `rounds` times the rows are dealt into groups, and each bag is all groups but one: the delete-a-group
    /// jackknife.
    AllButOne { groups: usize, rounds: usize },
    /// The rows are dealt into groups, of which some are bags, each judged on the next one's rows: for many rows,
    /// of which one fit to all is the prediction.
    Small { groups: usize, bags: usize },
}

/// The rows of a bag, and those that it is judged on.
#[derive(Debug)]
pub(crate) struct Part {
    pub(crate) own: Vec<u32>,
    judged: Vec<u32>,
}

/// Rows of a small bag, at most.
const SMALL: usize = 20_000;
const BAGS: usize = 10;
/// Rows past which all candidates are weighed on bags of this size.
const WEIGHED: usize = 100_000;

impl Plan {
    /// Many bags of nearly all rows where that is cheap.
    pub(crate) const fn for_rows(rows: usize) -> Self {
        let rounds = match rows {
            0..=20_000 => 4,
            20_001..=100_000 => 2,
            _ => 1,
        };
        Self::AllButOne { groups: 5, rounds }
    }

    /// Few small bags, for one learner that is then fitted on all rows.
    pub(crate) const fn small(rows: usize) -> Self {
        let groups = rows.div_ceil(SMALL);
        Self::Small { groups: if groups > BAGS { groups } else { BAGS }, bags: BAGS }
    }

    /// Few larger ones, for many learners of which some are: what customers differ in has to show in a bag.
    pub(crate) const fn weighed(rows: usize) -> Self {
        Self::Small { groups: rows.div_ceil(WEIGHED), bags: 5 }
    }

    /// Whether the prediction is another fit than the bags.
    pub(crate) const fn is_small(&self) -> bool {
        matches!(self, Self::Small { .. })
    }

    /// The variance of an estimate from all rows, over the variance of bags around their mean.
    pub(crate) const fn scale(&self) -> f64 {
        match self {
            // Around the mean of a round's bags; so of the unbiased variance over all bags.
            Self::AllButOne { groups, .. } => *groups as f64 - 1.0,
            Self::Small { groups, .. } => 1.0 / *groups as f64,
        }
    }

    /// The bags of so many rows.
    pub(crate) fn parts(&self, rows: usize, seed: u64) -> Vec<Part> {
        let everyone = || 0..index(rows);
        match *self {
            Self::AllButOne { groups, rounds } => (0..rounds)
                .flat_map(|round| {
                    let group = dealt(rows, groups, &format!("round {round}"), seed);
                    let part = |bag: usize| {
                        let (own, judged) = everyone().partition(|row| group[*row as usize] != bag);
                        Part { own, judged }
                    };
                    (0..groups).map(part).collect::<Vec<_>>()
                })
                .collect(),
            Self::Small { groups, bags } => {
                let group = dealt(rows, groups, "small bags", seed);
                let mut of_group = vec![vec![]; groups];
                everyone().for_each(|row| of_group[group[row as usize]].push(row));
                let part = |bag: usize| Part { own: of_group[bag].clone(), judged: of_group[(bag + 1) % bags].clone() };
                (0..bags).map(part).collect()
            }
        }
    }
}

/// The group of each of so many rows: balanced and by chance.
fn dealt(rows: usize, groups: usize, name: &str, seed: u64) -> Vec<usize> {
    let mut order: Vec<u32> = (0..index(rows)).collect();
    Draw::seeded(seed).fork(name).shuffle(&mut order);
    let mut group = vec![0; rows];
    order.iter().enumerate().for_each(|(place, row)| group[*row as usize] = place % groups);
    group
}

/// One learner's fits, and what they say of rows that they did not see.
#[derive(Debug)]
pub(crate) struct Bagged {
    pub(crate) effects: Vec<Effect>,
    /// By row of the whole data; NaN where no fit was asked.
    pub(crate) unseen: Vec<f64>,
}

/// What learners of all arms together found, by learner (none for the others), bag and treatment.
pub(crate) type Together = Vec<Option<Vec<Vec<Effect>>>>;

/// Fits every learner that learns so on all arms of every bag.
pub(crate) fn together(learners: &[Box<dyn Learner>], arms: &Arms<'_>, parts: &[Part], seed: u64) -> Together {
    let of_learner = |learner: &dyn Learner| {
        let fit = |(bag, part): (usize, &Part)| learner.fit_together(arms, &part.own, seed ^ ((bag as u64) << 16));
        parts.par_iter().enumerate().with_max_len(1).map(fit).collect::<Option<Vec<Vec<Effect>>>>()
    };
    learners.iter().map(|learner| of_learner(learner.as_ref())).collect()
}

/// Fits every learner on the rows of a trial in every bag, or takes what it found together for this treatment.
#[allow(clippy::too_many_arguments, reason = "one call site")]
pub(crate) fn bagged(
    learners: &[Box<dyn Learner>],
    together: &Together,
    treatment: usize,
    trial: &Trial<'_>,
    nuisances: &Nuisances,
    rows: &[u32],
    parts: &[Part],
    seed: u64,
) -> Vec<Bagged> {
    let mut inside = vec![false; trial.inputs.rows()];
    rows.iter().for_each(|row| inside[*row as usize] = true);
    // The costly learners first, so that threads end together.
    let jobs: Vec<(usize, usize)> = (0..learners.len()).rev().flat_map(|learner| (0..parts.len()).map(move |bag| (learner, bag))).collect();
    let mut found: Vec<(usize, Effect, Vec<f64>)> = jobs
        .into_par_iter()
        .with_max_len(1)
        .map(|(learner, bag)| {
            let part = &parts[bag];
            let effect = match &together[learner] {
                Some(found) => found[bag][treatment].clone(),
                None => {
                    let own: Vec<u32> = part.own.iter().copied().filter(|row| inside[*row as usize]).collect();
                    learners[learner].fit(trial, nuisances, &own, seed ^ ((bag as u64) << 16) ^ learner as u64)
                }
            };
            let predicted = effect.predict(&trial.inputs.pick(&part.judged));
            (bag, effect, predicted)
        })
        .collect();
    let mut bagged = Vec::with_capacity(learners.len());
    for _ in learners {
        let (mut sums, mut counts, mut effects) = (vec![0.0; trial.inputs.rows()], vec![0_u32; trial.inputs.rows()], Vec::new());
        for (bag, effect, predicted) in found.split_off(found.len() - parts.len()) {
            for (row, value) in parts[bag].judged.iter().zip(predicted) {
                sums[*row as usize] += value;
                counts[*row as usize] += 1;
            }
            effects.push(effect);
        }
        let unseen = sums.into_iter().zip(counts).map(|(sum, count)| sum / f64::from(count)).collect();
        bagged.push(Bagged { effects, unseen });
    }
    bagged
}
