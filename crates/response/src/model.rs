//! A fitted model: what it predicts, and the card that says what it rests on.

use std::sync::Arc;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::choose::{CandidateReport, Heterogeneity, PolicyReport};
use crate::error::ResponseError;
use crate::features::{Encoder, Feature};
use crate::inputs::Inputs;
use crate::learner::Effect;
use crate::matrix::Matrix;
use crate::objective::Objective;
use crate::regress::{Regressor, Scaling};

/// What a model rests on and found, for people and for other programs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Card {
    /// Version of this form.
    pub schema_version: u32,
    /// The learner that was asked for.
    pub learner: String,
    /// The seed.
    pub seed: u64,
    /// Rows it was fitted on.
    pub rows: usize,
    /// Columns of the file, where it came from one.
    pub columns: Columns,
    /// blake3 of the file.
    pub data_hash: String,
    /// The arm that got nothing.
    pub control: String,
    /// The treatments, in the order of the predictions.
    pub treatments: Vec<String>,
    /// Mean cost of each beyond the control's.
    pub costs: Vec<f64>,
    /// The kind of the outcome.
    pub outcome_kind: Objective,
    /// How features become numbers.
    pub encoder: Encoder,
    /// What was found, by treatment.
    pub arms: Vec<ArmReport>,
    /// What choosing by customer was worth.
    pub policy: PolicyReport,
    /// What to know before trusting it.
    pub warnings: Vec<String>,
}

/// The columns of the file that a model was fitted on.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Columns {
    /// Names the arm.
    pub treatment: String,
    /// Holds the outcome.
    pub outcome: String,
}

impl Default for Card {
    fn default() -> Self {
        Self {
            schema_version: 1,
            learner: String::new(),
            seed: 0,
            rows: 0,
            columns: Columns::default(),
            data_hash: String::new(),
            control: String::new(),
            treatments: vec![],
            costs: vec![],
            outcome_kind: Objective::Continuous,
            encoder: Encoder::default(),
            arms: vec![],
            policy: PolicyReport::default(),
            warnings: vec![],
        }
    }
}

/// What was found of one treatment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ArmReport {
    /// Its name.
    pub treatment: String,
    /// Rows that got it.
    pub rows: usize,
    /// The mean effect, doubly robust, in units of the outcome …
    pub mean_effect: f64,
    /// … and its standard error.
    pub std_error: f64,
    /// Whether effects are told by customer; else the mean effect is everyone's.
    pub personalises: bool,
    /// Whether customers differ.
    pub heterogeneity: Heterogeneity,
    /// The learners that were tried.
    pub candidates: Vec<CandidateReport>,
    /// How far the arms overlap.
    pub overlap: Overlap,
}

/// How far two arms overlap.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Overlap {
    /// Least, median and largest propensity.
    pub propensity: [f64; 3],
    /// Kish's effective sample size of the treated and of the control under inverse-propensity weights.
    pub effective_rows: [f64; 2],
}

impl Overlap {
    pub(crate) fn of(rows: &[u32], propensity: &[f64], treated: &[bool]) -> Self {
        let mut sorted: Vec<f64> = rows.iter().map(|&row| propensity[row as usize]).collect();
        sorted.sort_unstable_by(f64::total_cmp);
        let at = |share: usize| sorted.get(share * sorted.len().saturating_sub(1) / 2).copied().unwrap_or(f64::NAN);
        let kish = |arm: bool| {
            let own = rows.iter().map(|&row| row as usize).filter(|&row| treated[row] == arm);
            let weights = own.map(|row| 1.0 / if arm { propensity[row] } else { 1.0 - propensity[row] });
            let (sum, squares) = weights.fold((0.0, 0.0), |(sum, squares), weight: f64| (sum + weight, squares + weight * weight));
            if squares > 0.0 { sum * sum / squares } else { 0.0 }
        };
        Self { propensity: [at(0), at(1), at(2)], effective_rows: [kish(true), kish(false)] }
    }
}

/// The fits on one part of the rows, one a candidate; those without weight are left out.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Bag {
    pub(crate) effects: Vec<Option<Effect>>,
}

/// One fit on all rows, and the variance that small bags showed, learnt as a function of the customer: what a
/// prediction costs does not grow with the bags.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Main {
    pub(crate) effect: Effect,
    pub(crate) variance: Regressor,
}

/// The model of one treatment's effect.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ArmModel {
    pub(crate) report: ArmReport,
    pub(crate) intercept: f64,
    pub(crate) weights: Vec<f64>,
    /// Empty where one effect holds for all.
    pub(crate) bags: Vec<Bag>,
    /// Of many rows, instead of bags.
    pub(crate) main: Option<Main>,
    /// Variance of the prediction over the variance of bags.
    pub(crate) scale: f64,
}

/// A model of every treatment's effect.
#[derive(Debug, Clone, PartialEq)]
pub struct Model {
    /// What it rests on.
    pub card: Card,
    pub(crate) scaling: Arc<Scaling>,
    pub(crate) arms: Vec<ArmModel>,
}

/// Predicted effects, by treatment and then by row.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Predictions {
    /// In units of the outcome.
    pub effects: Vec<Vec<f64>>,
    /// Their standard errors.
    pub std_errors: Vec<Vec<f64>>,
    /// The place of the recommended treatment in the card's list, from 1; 0 for the control.
    pub recommended: Vec<usize>,
}

/// Rows that are predicted at once.
const BLOCK: usize = 8192;

impl Model {
    /// Predicts rows. What training had not seen is pushed to `warnings`.
    ///
    /// # Errors
    /// A feature that is absent, of another type, or infinite.
    pub fn predict(&self, features: &[Feature<'_>], warnings: &mut Vec<String>) -> Result<Predictions, ResponseError> {
        let matrix = self.card.encoder.encode(features, warnings)?;
        let blocks: Vec<Vec<(Vec<f64>, Vec<f64>)>> = matrix
            .values()
            .par_chunks(BLOCK * matrix.columns())
            .map(|block| {
                let inputs = Inputs::new(Matrix::new(matrix.columns(), block.to_vec()), Arc::clone(&self.scaling));
                self.arms.iter().map(|arm| arm.predict(&inputs)).collect()
            })
            .collect();
        let mut found =
            Predictions { effects: vec![vec![]; self.arms.len()], std_errors: vec![vec![]; self.arms.len()], recommended: vec![] };
        for block in blocks {
            for (arm, (effects, errors)) in block.into_iter().enumerate() {
                found.effects[arm].extend(effects);
                found.std_errors[arm].extend(errors);
            }
        }
        let single = self.card.treatments.iter().position(|name| *name == self.card.policy.best_single).map_or(0, |place| place + 1);
        let chosen = |row: usize| {
            let nets = found.effects.iter().zip(&self.card.costs).map(|(effects, cost)| effects[row] - cost);
            if self.card.policy.ships { crate::choose::best_place(nets) } else { single }
        };
        found.recommended = (0..matrix.rows()).map(chosen).collect();
        Ok(found)
    }
}

impl ArmModel {
    /// Effects and standard errors.
    fn predict(&self, inputs: &Inputs) -> (Vec<f64>, Vec<f64>) {
        let rows = inputs.rows();
        if let Some(Main { effect, variance }) = &self.main {
            let errors = variance.predict(inputs).into_iter().map(|variance| (self.scale * variance.max(0.0)).sqrt()).collect();
            return (effect.predict(inputs), errors);
        }
        if self.bags.is_empty() {
            return (vec![self.report.mean_effect; rows], vec![self.report.std_error; rows]);
        }
        let (mut sum, mut squares) = (vec![0.0; rows], vec![0.0; rows]);
        for bag in &self.bags {
            let mut mixed = vec![self.intercept; rows];
            for (effect, weight) in bag.effects.iter().zip(&self.weights) {
                if let Some(effect) = effect {
                    mixed.iter_mut().zip(effect.predict(inputs)).for_each(|(mixed, effect)| *mixed += weight * effect);
                }
            }
            for ((sum, square), value) in sum.iter_mut().zip(&mut squares).zip(mixed) {
                *sum += value;
                *square += value * value;
            }
        }
        let count = self.bags.len() as f64;
        let error = |(sum, square): (&f64, &f64)| {
            let variance = (square - sum * sum / count).max(0.0) / (count - 1.0).max(1.0);
            (variance * self.scale).sqrt()
        };
        let errors = sum.iter().zip(&squares).map(error).collect();
        (sum.iter().map(|sum| sum / count).collect(), errors)
    }
}
