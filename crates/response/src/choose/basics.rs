//! Expectations that every treatment's model rests on, cross-fitted.

use rayon::prelude::*;

use super::fit::{Experiment, MANY_ROWS};
use crate::inputs::Inputs;
use crate::objective::Objective;
use crate::regress::{Kind, Regressor, Target};
use crate::trial::{FOLDS, Nuisances, Trial, folds, stacked};

/// Propensities are kept this far from 0 and 1; less far for a rare arm …
const CLIP: f64 = 0.02;
/// … of which this share of its own is kept.
const CLIP_SHARE: f64 = 0.1;
/// Rows that one regressor learns from where rows are many.
const LEARNT_ROWS: usize = 80_000;

fn clip(share: f64) -> f64 {
    CLIP.min(CLIP_SHARE * share)
}

/// Expectations that do not depend on the pair of arms.
#[derive(Debug)]
pub(crate) struct Basics {
    folds: Vec<u8>,
    /// Expected outcome under each arm (by place in the experiment's arms; empty where it has no row).
    pub(crate) outcomes: Vec<Vec<f64>>,
    /// Probability of each arm, clipped.
    pub(crate) propensities: Vec<Vec<f64>>,
}

impl Basics {
    pub(super) fn cross_fit(
        experiment: &Experiment<'_>,
        inputs: &Inputs,
        control: usize,
        treatments: &[usize],
        named: Option<&str>,
        seed: u64,
        warnings: &mut Vec<String>,
    ) -> Self {
        let rows = inputs.rows();
        let folds = folds(rows, seed);
        let mut basics = Self { folds, outcomes: vec![vec![]; experiment.arms.len()], propensities: vec![vec![]; experiment.arms.len()] };
        let binary = treatments.len() == 1;
        for arm in std::iter::once(control).chain(treatments.iter().copied()) {
            let own = |row: u32| experiment.arm[row as usize] as usize == arm;
            let target = Target { values: experiment.outcome, weight: None, objective: experiment.objective };
            basics.outcomes[arm] = expected(inputs, &basics.folds, target, &own, named, seed ^ (arm as u64 + 1));
            basics.propensities[arm] = match experiment.propensity {
                Some(known) => known[arm].clone(),
                None if binary && arm == control => vec![],
                None => {
                    let assigned: Vec<f64> = (0..crate::trial::index(rows)).map(|row| f64::from(u8::from(own(row)))).collect();
                    let target = Target { values: &assigned, weight: None, objective: Objective::Binary };
                    expected(inputs, &basics.folds, target, &|_| true, named, seed ^ (arm as u64 + 101))
                }
            };
        }
        if basics.propensities[control].is_empty() {
            basics.propensities[control] = basics.propensities[treatments[0]].iter().map(|p| 1.0 - p).collect();
        }
        for arm in std::iter::once(control).chain(treatments.iter().copied()) {
            let least = clip(experiment.arm.iter().filter(|of| **of as usize == arm).count() as f64 / rows.max(1) as f64);
            let inside = |p: &f64| (least..=1.0 - least).contains(p);
            let outside = basics.propensities[arm].iter().filter(|p| !inside(p)).count();
            if outside > 0 {
                warnings.push(format!(
                    "the probability of {:?} was clipped to {least:.4}…{:.4} in {outside} of {rows} rows: there the arms hardly overlap, and effects rest on the model",
                    experiment.arms[arm],
                    1.0 - least
                ));
            }
            basics.propensities[arm].iter_mut().for_each(|p| *p = p.clamp(least, 1.0 - least));
        }
        basics
    }

    /// The doubly robust score of a row under an arm: its mean over all rows is what all would have had, if either
    /// expectation is right (Dudík, Langford and Li 2011).
    pub(super) fn score(&self, experiment: &Experiment<'_>, row: usize, arm: usize) -> f64 {
        let expected = self.outcomes[arm][row];
        if experiment.arm[row] as usize == arm {
            expected + (experiment.outcome[row] - expected) / self.propensities[arm][row]
        } else {
            expected
        }
    }

    /// What the pair of control and `arm` is estimated through.
    pub(super) fn of_pair(&self, trial: &Trial<'_>, rows: &[u32], control: usize, arm: usize, named: Option<&str>, seed: u64) -> Nuisances {
        let share = rows.iter().filter(|row| trial.treated[**row as usize]).count() as f64 / rows.len().max(1) as f64;
        let least = clip(share.min(1.0 - share));
        let pair = |(one, other): (&f64, &f64)| (one / (one + other)).clamp(least, 1.0 - least);
        let propensity: Vec<f64> = self.propensities[arm].iter().zip(&self.propensities[control]).map(pair).collect();
        let arms = [self.outcomes[control].clone(), self.outcomes[arm].clone()];
        let needs = named.is_none_or(|name| name.starts_with("r-") || name == "constant" || name == "causal-forest");
        let outcome = if needs {
            let mut inside = vec![false; trial.outcome.len()];
            rows.iter().for_each(|row| inside[*row as usize] = true);
            let target = Target { values: trial.outcome, weight: None, objective: trial.objective };
            expected(trial.inputs, &self.folds, target, &|row| inside[row as usize], named, seed)
        } else {
            propensity.iter().zip(&arms[0]).zip(&arms[1]).map(|((p, control), treated)| (1.0 - p) * control + p * treated).collect()
        };
        Nuisances { propensity, outcome, arms }
    }
}

/// Out-of-fold expectations: by the whole stack, or for a named learner of many rows by one regressor.
fn expected(
    inputs: &Inputs,
    folds: &[u8],
    target: Target<'_>,
    learns: &(dyn Fn(u32) -> bool + Sync),
    named: Option<&str>,
    seed: u64,
) -> Vec<f64> {
    if named.is_none() || inputs.rows() <= MANY_ROWS {
        return stacked(inputs, folds, target, learns, seed);
    }
    let kind = Kind::Linear;
    let rows = crate::trial::index(inputs.rows());
    let mut values = vec![0.0; inputs.rows()];
    let found: Vec<(Vec<u32>, Vec<f64>)> = (0..FOLDS)
        .into_par_iter()
        .map(|fold| {
            let inside = |row: u32| usize::from(folds[row as usize]) == fold;
            let train: Vec<u32> = (0..rows).filter(|&row| !inside(row) && learns(row)).collect();
            let train: Vec<u32> = train.iter().copied().step_by(train.len().div_ceil(LEARNT_ROWS).max(1)).collect();
            let rest: Vec<u32> = (0..rows).filter(|&row| inside(row)).collect();
            let predicted = Regressor::fit(kind, inputs, &train, target, seed).predict(&inputs.pick(&rest));
            (rest, predicted)
        })
        .collect();
    found.into_iter().flat_map(|(rest, predicted)| rest.into_iter().zip(predicted)).for_each(|(row, value)| values[row as usize] = value);
    values
}
