//! Who was chosen, and what they would have spent anyway: the two nuisance functions, cross-fitted.
//!
//! Each customer's predictions come from models that never saw that customer (Chernozhukov et al.
//! 2018). Propensities by ridge logistic regression, outcomes by ridge regression in each arm,
//! both with an intercept for each campaign.

use rayon::prelude::*;

use crate::linear::{dot, logistic, ridge, sigmoid};
use crate::panel::Panel;

/// Folds of customers.
const FOLDS: usize = 5;
/// Propensities are kept this far from 0 and 1; how many were moved is reported.
pub const CLIP: f64 = 0.01;
/// Ridge on standardised columns: few customers receive some campaigns, so the arm of the treated
/// is pulled harder to what the campaigns have in common.
const RIDGE_CONTROL: f64 = 10.0;
const RIDGE_TREATED: f64 = 100.0;
const RIDGE_PROPENSITY: f64 = 1.0;

/// The nuisance functions' values at one row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Nuisance {
    /// Probability of having been chosen, clipped.
    pub propensity: f64,
    /// Whether it was clipped.
    pub clipped: bool,
    /// Expected outcome without the campaign.
    pub control: f64,
    /// Expected outcome with it.
    pub treated: f64,
    /// The doubly robust score of the row: its mean over rows is the mean effect if either the
    /// propensities or the outcomes are right (Robins, Rotnitzky and Zhao 1994).
    pub score: f64,
}

/// The nuisance functions at every row of the panel, in its order.
pub fn cross_fit(panel: &Panel) -> Vec<Nuisance> {
    let design = design(panel);
    let Some(width) = design.first().map(Vec::len) else { return Vec::new() };
    let fold: Vec<usize> = panel.rows.iter().map(|row| fold_of(&row.subject)).collect();
    let fitted: Vec<[Vec<f64>; 3]> = (0..FOLDS)
        .into_par_iter()
        .map(|held_out| {
            let train = || (0..panel.rows.len()).filter(|&place| fold[place] != held_out);
            let arm = |treated: bool| {
                let design = &design;
                train()
                    .filter(move |&place| panel.rows[place].treated == treated)
                    .map(move |place| (design[place].as_slice(), panel.rows[place].outcome))
            };
            let propensity = logistic(train().map(|place| (design[place].as_slice(), panel.rows[place].treated)), width, RIDGE_PROPENSITY);
            [propensity, ridge(arm(false), width, RIDGE_CONTROL), ridge(arm(true), width, RIDGE_TREATED)]
        })
        .collect();
    panel
        .rows
        .iter()
        .zip(&design)
        .zip(&fold)
        .map(|((row, x), &fold)| {
            let [propensity, control, treated] = &fitted[fold];
            let raw = sigmoid(dot(x, propensity));
            let p = raw.clamp(CLIP, 1.0 - CLIP);
            let (control, treated) = (dot(x, control), dot(x, treated));
            let correction = if row.treated { (row.outcome - treated) / p } else { -(row.outcome - control) / (1.0 - p) };
            Nuisance {
                propensity: p,
                clipped: !(CLIP..=1.0 - CLIP).contains(&raw),
                control,
                treated,
                score: treated - control + correction,
            }
        })
        .collect()
}

fn fold_of(subject: &youhui_commerce::SubjectId) -> usize {
    // The product is in [0, FOLDS).
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let fold = (subject.unit_interval(0xF01D) * FOLDS as f64) as usize;
    fold.min(FOLDS - 1)
}

/// Intercept, standardised covariates, and a column for each campaign.
fn design(panel: &Panel) -> Vec<Vec<f64>> {
    let Some(width) = panel.rows.first().map(|row| row.covariates.len()) else { return Vec::new() };
    let size = panel.rows.len() as f64;
    let mean: Vec<f64> = (0..width).map(|column| panel.rows.iter().map(|row| row.covariates[column]).sum::<f64>() / size).collect();
    let deviation: Vec<f64> = (0..width)
        .map(|column| (panel.rows.iter().map(|row| (row.covariates[column] - mean[column]).powi(2)).sum::<f64>() / size).sqrt().max(1e-9))
        .collect();
    panel
        .rows
        .iter()
        .map(|row| {
            let mut x = Vec::with_capacity(1 + width + panel.campaigns.len());
            x.push(1.0);
            x.extend((0..width).map(|column| (row.covariates[column] - mean[column]) / deviation[column]));
            x.extend((0..panel.campaigns.len()).map(|campaign| f64::from(u8::from(campaign == row.campaign))));
            x
        })
        .collect()
}
