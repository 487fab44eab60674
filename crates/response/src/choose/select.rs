//! Weighs candidates by the R-loss on rows that they did not see, and asks whether customers differ
//! at all.

use serde::{Deserialize, Serialize};

use crate::regress::non_negative;

/// What became of a candidate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CandidateReport {
    /// The learner.
    pub learner: String,
    /// Its mean R-loss on rows that it did not see, less the constant effect's: below zero is better.
    pub r_loss: f64,
    /// The standard error of that difference.
    pub std_error: f64,
    /// Its weight in the model; 0 for candidates that are left out.
    pub weight: f64,
}

/// Whether customers differ in what the treatment does to them.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Heterogeneity {
    /// By how many standard errors the weighed candidates' R-loss is below the constant effect's.
    pub gain_z: f64,
    /// Slope of the outcome on predicted differences, 1 where they are calibrated (Chernozhukov et al.
    /// 2018, best linear predictor).
    pub slope: f64,
    /// By how many standard errors the slope is above zero.
    pub slope_z: f64,
}

impl Heterogeneity {
    /// Whether predictions by customer are to be trusted over one effect for all: the one-standard-error
    /// rule, and a slope that chance gives less than once in forty.
    pub fn detected(&self) -> bool {
        self.gain_z > 1.0 && self.slope_z > 1.96
    }
}

/// Weights of the candidates.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Selection {
    /// The intercept, then each candidate's.
    pub(crate) weights: Vec<f64>,
    pub(crate) reports: Vec<CandidateReport>,
    pub(crate) heterogeneity: Heterogeneity,
}

/// Rows in residuals: treatment less propensity, outcome less expectation.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Residuals<'a> {
    pub(crate) left: &'a [f64],
    pub(crate) rest: &'a [f64],
}

impl Residuals<'_> {
    fn losses(&self, effect: impl Fn(usize) -> f64) -> Vec<f64> {
        let loss = |row: usize| (self.rest[row] - self.left[row] * effect(row)).powi(2);
        (0..self.rest.len()).map(loss).collect()
    }
}

const FOLDS: usize = 5;

/// Weighs `candidates` (unseen effects, by row) against `constant`; or takes `one` of them.
pub(crate) fn select(names: &[&str], one: bool, constant: &[f64], candidates: &[Vec<f64>], residuals: Residuals<'_>) -> Selection {
    let weigh = |rows: &dyn Fn(usize) -> bool| match candidates {
        // One alone is taken as it is.
        [_] => vec![0.0, 1.0],
        _ if one => best_of(candidates, rows, residuals),
        _ => {
            let pick =
                |values: &[f64]| values.iter().enumerate().filter(|(row, _)| rows(*row)).map(|(_, value)| *value).collect::<Vec<f64>>();
            let picked: Vec<Vec<f64>> = candidates.iter().map(|effects| pick(effects)).collect();
            non_negative(&picked, &pick(residuals.left), &pick(residuals.rest))
        }
    };
    let weights = weigh(&|_| true);
    // Whether customers differ is asked of weights that did not see the row either.
    let of_others: Vec<Vec<f64>> = (0..FOLDS).map(|fold| weigh(&|row| row % FOLDS != fold)).collect();
    let of_constant = residuals.losses(|row| constant[row]);
    let mix = |row: usize| {
        let weights = &of_others[row % FOLDS];
        weights[0] + candidates.iter().zip(&weights[1..]).map(|(effects, weight)| weight * effects[row]).sum::<f64>()
    };
    let report = |((name, effects), weight): ((&&str, &Vec<f64>), &f64)| {
        let (r_loss, std_error) = difference(&residuals.losses(|row| effects[row]), &of_constant);
        CandidateReport { learner: (*name).to_owned(), r_loss, std_error, weight: *weight }
    };
    let reports = names.iter().zip(candidates).zip(&weights[1..]).map(report).collect();
    let (gain, std_error) = difference(&of_constant, &residuals.losses(mix));
    let (slope, slope_z) = slope(&(0..constant.len()).map(mix).collect::<Vec<_>>(), residuals);
    let gain_z = if std_error > 0.0 { gain / std_error } else { 0.0 };
    Selection { weights, reports, heterogeneity: Heterogeneity { gain_z, slope, slope_z } }
}

/// All weight on the candidate with the least R-loss; on the first if that is within a standard error of it.
fn best_of(candidates: &[Vec<f64>], rows: &dyn Fn(usize) -> bool, residuals: Residuals<'_>) -> Vec<f64> {
    let losses = |effects: &Vec<f64>| {
        let all = residuals.losses(|row| effects[row]).into_iter().enumerate();
        all.filter(|(row, _)| rows(*row)).map(|(_, loss)| loss).collect::<Vec<f64>>()
    };
    let first = losses(&candidates[0]);
    let (mut best, mut least) = (0, (0.0, 0.0));
    for (place, effects) in candidates.iter().enumerate().skip(1) {
        let (by, std_error) = difference(&losses(effects), &first);
        if by < least.0 {
            (best, least) = (place, (by, std_error));
        }
    }
    let chosen = if -least.0 > least.1 { best } else { 0 };
    std::iter::once(0.0).chain((0..candidates.len()).map(|place| f64::from(u8::from(place == chosen)))).collect()
}

/// Mean of one less the other, and its standard error.
fn difference(one: &[f64], other: &[f64]) -> (f64, f64) {
    let size = one.len().max(1) as f64;
    let mean = one.iter().zip(other).map(|(one, other)| one - other).sum::<f64>() / size;
    let squares: f64 = one.iter().zip(other).map(|(one, other)| (one - other - mean).powi(2)).sum();
    (mean, squares.sqrt() / size)
}

/// Regresses the outcome's rest on treatment's rest times 1 and times the predicted difference from the
/// mean effect: the second slope and how many (heteroskedasticity-robust) standard errors it is above 0.
fn slope(effects: &[f64], residuals: Residuals<'_>) -> (f64, f64) {
    let size = effects.len().max(1) as f64;
    let mean = effects.iter().sum::<f64>() / size;
    let (mut aa, mut ab, mut bb, mut ay, mut by) = (0.0, 0.0, 0.0, 0.0, 0.0);
    let row = |row: usize| (residuals.left[row], residuals.left[row] * (effects[row] - mean), residuals.rest[row]);
    for (a, b, y) in (0..effects.len()).map(row) {
        aa += a * a;
        ab += a * b;
        bb += b * b;
        ay += a * y;
        by += b * y;
    }
    let determinant = aa * bb - ab * ab;
    if determinant <= 1e-12 * aa * bb.max(1e-300) || bb < 1e-9 * aa * mean.abs().max(1e-9).powi(2) {
        return (0.0, 0.0);
    }
    let (level, slope) = ((bb * ay - ab * by) / determinant, (aa * by - ab * ay) / determinant);
    let meat: f64 =
        (0..effects.len()).map(row).map(|(a, b, y)| ((aa * b - ab * a) / determinant * (y - level * a - slope * b)).powi(2)).sum();
    (slope, if meat > 0.0 { slope / meat.sqrt() } else { 0.0 })
}
