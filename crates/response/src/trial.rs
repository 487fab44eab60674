//! One treatment against the control, as the learners see it.

use rayon::prelude::*;
use youhui_commerce::Draw;

use crate::inputs::Inputs;
use crate::objective::Objective;
use crate::regress::{Kind, Regressor, Target, non_negative};

/// Rows of two arms; rows of others stand between them and are not looked at.
#[derive(Debug)]
pub(crate) struct Trial<'a> {
    pub(crate) inputs: &'a Inputs,
    pub(crate) treated: &'a [bool],
    pub(crate) outcome: &'a [f64],
    pub(crate) objective: Objective,
}

impl Trial<'_> {
    /// Those of the rows that are in one arm.
    pub(crate) fn of_arm(&self, rows: &[u32], treated: bool) -> Vec<u32> {
        rows.iter().copied().filter(|&row| self.treated[row as usize] == treated).collect()
    }
}

/// What an effect is estimated through, by row; every row's from models that did not see it
/// (Chernozhukov et al. 2018).
#[derive(Debug, Clone)]
pub(crate) struct Nuisances {
    /// Probability of treatment rather than control, clipped.
    pub(crate) propensity: Vec<f64>,
    /// Expected outcome, whichever of the two arms.
    pub(crate) outcome: Vec<f64>,
    /// Expected outcome under control and under treatment.
    pub(crate) arms: [Vec<f64>; 2],
}

impl Nuisances {
    /// Treatment less propensity, outcome less expectation.
    pub(crate) fn residuals(&self, trial: &Trial<'_>) -> (Vec<f64>, Vec<f64>) {
        let treated = trial.treated.iter().map(|treated| f64::from(u8::from(*treated)));
        let left = treated.zip(&self.propensity).map(|(treated, propensity)| treated - propensity).collect();
        let rest = trial.outcome.iter().zip(&self.outcome).map(|(outcome, expected)| outcome - expected).collect();
        (left, rest)
    }

    /// The doubly robust score of every row: its mean is the mean effect if either nuisance is right
    /// (Robins, Rotnitzky and Zhao 1994).
    pub(crate) fn scores(&self, trial: &Trial<'_>) -> Vec<f64> {
        let [control, treated] = &self.arms;
        let score = |row: usize| {
            let (p, y) = (self.propensity[row], trial.outcome[row]);
            let correction = if trial.treated[row] { (y - treated[row]) / p } else { -(y - control[row]) / (1.0 - p) };
            treated[row] - control[row] + correction
        };
        (0..trial.outcome.len()).map(score).collect()
    }
}

/// Folds that nuisances are cross-fitted over.
pub(crate) const FOLDS: usize = 5;

/// Most rows that one of them is learnt from: past them expectations get better more slowly than effects need.
const MOST_ROWS: usize = 200_000;

const CANDIDATES: [Kind; 4] = [Kind::Linear, Kind::Curved, Kind::Trees, Kind::Dense];

/// Folds of rows, balanced and by chance.
pub(crate) fn folds(rows: usize, seed: u64) -> Vec<u8> {
    let mut order: Vec<u32> = (0..index(rows)).collect();
    Draw::seeded(seed).fork("folds").shuffle(&mut order);
    let mut fold = vec![0_u8; rows];
    #[allow(clippy::cast_possible_truncation, reason = "a fold is below FOLDS")]
    order.iter().enumerate().for_each(|(place, row)| fold[*row as usize] = (place % FOLDS) as u8);
    fold
}

/// Out-of-fold expectations of a target at every row, by a stack of regressors (van der Laan, Polley
/// and Hubbard 2007) learnt from the rows that `learns` names.
pub(crate) fn stacked(inputs: &Inputs, folds: &[u8], target: Target<'_>, learns: &(dyn Fn(u32) -> bool + Sync), seed: u64) -> Vec<f64> {
    let rows = index(inputs.rows());
    // The costly ones first, so that threads end together.
    let jobs: Vec<(usize, usize)> = (0..CANDIDATES.len()).rev().flat_map(|kind| (0..FOLDS).map(move |fold| (kind, fold))).collect();
    let found: Vec<(Vec<u32>, Vec<f64>)> = jobs
        .par_iter()
        .with_max_len(1)
        .map(|&(kind, fold)| {
            let inside = |row: u32| usize::from(folds[row as usize]) == fold;
            let train: Vec<u32> = (0..rows).filter(|&row| !inside(row) && learns(row)).collect();
            let train: Vec<u32> = train.iter().copied().step_by(train.len().div_ceil(MOST_ROWS).max(1)).collect();
            let rest: Vec<u32> = (0..rows).filter(|&row| inside(row)).collect();
            let model = Regressor::fit(CANDIDATES[kind], inputs, &train, target, seed ^ ((fold as u64) << 8) ^ kind as u64);
            let predicted = model.predict(&inputs.pick(&rest));
            (rest, predicted)
        })
        .collect();
    let mut columns = vec![vec![0.0; inputs.rows()]; CANDIDATES.len()];
    for ((kind, _), (rest, predicted)) in jobs.iter().zip(found) {
        rest.iter().zip(predicted).for_each(|(row, value)| columns[*kind][*row as usize] = value);
    }
    let learnt: Vec<usize> = (0..rows).filter(|&row| learns(row)).map(|row| row as usize).collect();
    let pick = |column: &Vec<f64>| learnt.iter().map(|&row| column[row]).collect::<Vec<f64>>();
    let picked: Vec<Vec<f64>> = columns.iter().map(pick).collect();
    let weights = non_negative(&picked, &vec![1.0; learnt.len()], &learnt.iter().map(|&row| target.values[row]).collect::<Vec<_>>());
    let mix = |row: usize| weights[0] + columns.iter().zip(&weights[1..]).map(|(column, weight)| weight * column[row]).sum::<f64>();
    (0..inputs.rows()).map(mix).collect()
}

pub(crate) fn index(place: usize) -> u32 {
    u32::try_from(place).unwrap_or(u32::MAX)
}
