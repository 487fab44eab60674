//! Fits on parts of the rows: their mean is the prediction, their spread its standard error, and each
//! row is judged by the fits that did not see it.

use rayon::prelude::*;
use youhui_commerce::Draw;

use crate::learner::{Effect, Learner};
use crate::trial::{Nuisances, Trial};

/// How rows are parted into bags.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Plan {
    /// Parts that rows are dealt into.
    pub(crate) groups: usize,
    /// How often they are dealt.
    pub(crate) rounds: usize,
    /// A bag is all parts but one (the delete-a-group jackknife), else that one part.
    pub(crate) all_but_one: bool,
}

impl Plan {
    /// Many bags of nearly all rows where that is cheap.
    pub(crate) const fn for_rows(rows: usize) -> Self {
        let rounds = match rows {
            0..=20_000 => 4,
            20_001..=100_000 => 2,
            _ => 1,
        };
        Self { groups: 5, rounds, all_but_one: true }
    }

    pub(crate) const fn bags(&self) -> usize {
        self.groups * self.rounds
    }

    /// The variance of an estimate from all rows, over the variance of bags around their mean.
    pub(crate) fn scale(&self) -> f64 {
        let groups = self.groups as f64;
        // Around the mean of a round's bags; so of the unbiased variance over all bags.
        if self.all_but_one { groups - 1.0 } else { 1.0 / groups }
    }

    /// The group of each row in a round.
    fn dealt(&self, rows: usize, round: usize, seed: u64) -> Vec<u8> {
        let mut order: Vec<u32> = (0..crate::trial::index(rows)).collect();
        Draw::seeded(seed).fork(&format!("round {round}")).shuffle(&mut order);
        let mut group = vec![0_u8; rows];
        #[allow(clippy::cast_possible_truncation, reason = "groups are few")]
        order.iter().enumerate().for_each(|(place, row)| group[*row as usize] = (place % self.groups) as u8);
        group
    }
}

/// One learner's fits, and what they say of rows that they did not see.
#[derive(Debug)]
pub(crate) struct Bagged {
    pub(crate) effects: Vec<Effect>,
    /// By row of the whole data.
    pub(crate) unseen: Vec<f64>,
}

/// Fits every learner on every bag of `rows`.
pub(crate) fn bagged(
    learners: &[Box<dyn Learner>],
    trial: &Trial<'_>,
    nuisances: &Nuisances,
    rows: &[u32],
    plan: &Plan,
    seed: u64,
) -> Vec<Bagged> {
    let dealt: Vec<Vec<u8>> = (0..plan.rounds).map(|round| plan.dealt(rows.len(), round, seed)).collect();
    let inside = |bag: usize, place: usize| {
        let own = usize::from(dealt[bag / plan.groups][place]) == bag % plan.groups;
        own != plan.all_but_one
    };
    let all = trial.inputs.rows();
    let jobs: Vec<(usize, usize)> = (0..learners.len()).rev().flat_map(|learner| (0..plan.bags()).map(move |bag| (learner, bag))).collect();
    let mut found: Vec<(usize, Effect, Vec<u32>, Vec<f64>)> = jobs
        .into_par_iter()
        .with_max_len(1)
        .map(|(learner, bag)| {
            let own: Vec<u32> = (0..rows.len()).filter(|&place| inside(bag, place)).map(|place| rows[place]).collect();
            let effect = learners[learner].fit(trial, nuisances, &own, seed ^ ((bag as u64) << 16) ^ learner as u64);
            let mut seen = vec![false; all];
            own.iter().for_each(|row| seen[*row as usize] = true);
            let rest: Vec<u32> = (0..crate::trial::index(all)).filter(|row| !seen[*row as usize]).collect();
            let predicted = effect.predict(&trial.inputs.pick(&rest));
            (learner, effect, rest, predicted)
        })
        .collect();
    let mut bagged = Vec::with_capacity(learners.len());
    for learner in 0..learners.len() {
        let (mut sums, mut counts, mut effects) = (vec![0.0; all], vec![0_u32; all], Vec::new());
        while let Some((_, effect, rest, predicted)) = found.pop_if(|(of, ..)| *of == learner) {
            for (row, value) in rest.into_iter().zip(predicted) {
                sums[row as usize] += value;
                counts[row as usize] += 1;
            }
            effects.push(effect);
        }
        let unseen = sums.into_iter().zip(counts).map(|(sum, count)| sum / f64::from(count.max(1))).collect();
        bagged.push(Bagged { effects, unseen });
    }
    bagged
}
