//! A fitted model: what it predicts, and the card that says what it rests on.

use std::sync::Arc;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::calibrate::Calibration;
use crate::choose::{CandidateReport, EValue, FeatureBalance, Heterogeneity, Placebo, PolicyReport};
use crate::dense::Epoch;
use crate::error::ResponseError;
use crate::features::{Encoder, Feature};
use crate::inputs::Inputs;
use crate::kriging::{LeftOut, Likeness, Weights};
use crate::learner::Effect;
use crate::matrix::Matrix;
use crate::objective::Objective;
use crate::promotions::{Promotion, Promotions, Space};
use crate::regress::{Regressor, Scaling};

impl Card {
    /// Restates figures that are in a unit in the outcome's own.
    pub(crate) fn restate(&mut self, unit: f64) {
        self.unit = unit;
        self.costs.iter_mut().for_each(|cost| *cost *= unit);
        for arm in &mut self.arms {
            arm.mean_effect *= unit;
            arm.std_error *= unit;
            for candidate in &mut arm.candidates {
                candidate.r_loss *= unit * unit;
                candidate.std_error *= unit * unit;
            }
        }
        for left_out in self.foresight.iter_mut().flat_map(|foresight| &mut foresight.left_out) {
            for figure in [&mut left_out.foreseen, &mut left_out.std_error, &mut left_out.found, &mut left_out.found_std_error] {
                *figure *= unit;
            }
        }
        let policy = &mut self.policy;
        for figure in [&mut policy.best_single_value, &mut policy.personalised_value, &mut policy.gain, &mut policy.gain_std_error] {
            *figure *= unit;
        }
        policy.say();
    }
}

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
    /// The unit that the outcome was divided by to learn, where it was very large or small; likeness is in it, all
    /// else in the outcome's own.
    pub unit: f64,
    /// How features become numbers.
    pub encoder: Encoder,
    /// What was found, by treatment.
    pub arms: Vec<ArmReport>,
    /// What the treatments are like, where a table said so, for promotions that were not run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub foresight: Option<Foresight>,
    /// What choosing by customer was worth.
    pub policy: PolicyReport,
    /// What to know before trusting it.
    pub warnings: Vec<String>,
}

/// What lets a model speak of promotions that were not run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Foresight {
    /// The treatments' rows.
    pub promotions: Promotions,
    /// The space that they span.
    pub space: Space,
    /// How alike they act.
    pub likeness: Likeness,
    /// Each as the others foresee it.
    pub left_out: Vec<LeftOut>,
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
            unit: 1.0,
            encoder: Encoder::default(),
            arms: vec![],
            foresight: None,
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
    /// How alike the arms' customers are: the least balanced features first.
    pub balance: Vec<FeatureBalance>,
    /// What hidden difference would explain the mean effect away.
    pub e_value: EValue,
    /// What it seems to do to an outcome from before it, where one was named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub placebo: Option<Placebo>,
    /// Whether predicted effects are calibrated, as that was better on rows that calibration had not seen.
    pub calibrated: bool,
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

impl Bag {
    /// The weighed effects of every row.
    pub(crate) fn mixed(&self, intercept: f64, weights: &[f64], inputs: &Inputs) -> Vec<f64> {
        let mut mixed = vec![intercept; inputs.rows()];
        for (effect, weight) in self.effects.iter().zip(weights) {
            if let Some(effect) = effect {
                mixed.iter_mut().zip(effect.predict(inputs)).for_each(|(mixed, effect)| *mixed += weight * effect);
            }
        }
        mixed
    }
}

/// One fit on all rows, and the variance that small bags showed, learnt as a function of the customer: what a
/// prediction costs does not grow with the bags.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Main {
    pub(crate) all: Bag,
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
    /// Variance of the prediction over the variance of bags; where one effect holds for all, that of customers around
    /// it as far as it shows.
    pub(crate) scale: f64,
    /// The last step of a prediction by customer.
    pub(crate) calibration: Option<Calibration>,
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
/// The same where promotions are placed anew for each customer.
const FORESEEN_BLOCK: usize = 256;

impl Model {
    /// Mean losses by epoch of the networks in the model, by treatment, learner and what it tells; of several fits
    /// on parts of the rows the first's.
    pub fn curves(&self) -> Vec<(String, Vec<Epoch>)> {
        let mut curves = Vec::new();
        for arm in &self.arms {
            let of_bag = arm.bags.first().or(arm.main.as_ref().map(|main| &main.all));
            let of_bag = of_bag.map(|bag| bag.effects.as_slice()).unwrap_or_default();
            let candidates = arm.report.candidates.iter().map(|candidate| candidate.learner.as_str());
            let fits = candidates.zip(of_bag).filter_map(|(name, effect)| effect.as_ref().map(|effect| (name, effect)));
            for (name, effect) in fits {
                for (part, epochs) in effect.curves() {
                    curves.push((format!("{}/{name}/{part}", arm.report.treatment), epochs.to_vec()));
                }
            }
        }
        curves
    }

    /// Predicts rows. What training had not seen is pushed to `warnings`.
    ///
    /// # Errors
    /// A feature that is absent, of another type, or infinite.
    pub fn predict(&self, features: &[Feature<'_>], warnings: &mut Vec<String>) -> Result<Predictions, ResponseError> {
        let matrix = self.card.encoder.encode(features, warnings)?;
        let mut found =
            self.by_block(&matrix, self.arms.len(), BLOCK, |inputs| self.arms.iter().map(|arm| arm.predict(inputs)).collect())?;
        let single = self.card.treatments.iter().position(|name| *name == self.card.policy.best_single).map_or(0, |place| place + 1);
        let chosen = |row: usize| {
            let nets = found.effects.iter().zip(&self.card.costs).map(|(effects, cost)| effects[row] - cost);
            if self.card.policy.ships { crate::choose::best_place(nets) } else { single }
        };
        found.recommended = (0..matrix.rows()).map(chosen).collect();
        Ok(found)
    }

    /// Predicts promotions of a table, whether they were run or not; without recommendations, as nobody knows what
    /// those that weren't would cost. What training had not seen is pushed to `warnings`.
    ///
    /// # Errors
    /// As [`predict`](Self::predict); `Promotion` where the table has other columns than the model's, or the model none.
    pub fn foresee(&self, features: &[Feature<'_>], table: &Promotions, warnings: &mut Vec<String>) -> Result<Predictions, ResponseError> {
        let wrong = |problem: String| ResponseError::Promotion {
            name: table.rows.first().map(|row| row.name.clone()).unwrap_or_default(),
            problem,
        };
        let Some(foresight) = &self.card.foresight else {
            return Err(wrong("can't be foreseen: the model was fitted without a table of promotions, or on one only".to_owned()));
        };
        let names = |of: &Promotions| of.columns.iter().map(|column| column.name.clone()).collect::<Vec<_>>();
        if names(table) != names(&foresight.promotions) {
            let message = format!(
                "has the columns {}, and the model was fitted with {}",
                names(table).join(", "),
                names(&foresight.promotions).join(", ")
            );
            return Err(wrong(message));
        }
        // What a dose is, is known of training.
        Promotions { columns: foresight.promotions.columns.clone(), rows: table.rows.clone() }.check()?;
        let mut places = Vec::new();
        for row in &table.rows {
            if row.name == self.card.control {
                return Err(ResponseError::Promotion {
                    name: row.name.clone(),
                    problem: "is the control, which offers nothing: leave its row out".to_owned(),
                });
            }
            let names = foresight.space.admit(row, &table.columns)?;
            let run = self.card.treatments.iter().position(|name| *name == row.name);
            let same = run.filter(|run| foresight.promotions.rows[*run].cells == row.cells);
            let what = if run.is_some() && same.is_none() { "was run with other descriptors" } else { "was not run" };
            if same.is_none() {
                let new = if names.is_empty() {
                    String::new()
                } else {
                    format!("; {} was never seen, so next to nothing is known of it", names.join(", "))
                };
                warnings.push(format!("{:?} {what}: its effect is foreseen from {}{new}", row.name, self.card.treatments.join(", ")));
            }
            places.push(same);
        }
        let matrix = self.card.encoder.encode(features, warnings)?;
        let new: Vec<&Promotion> = table.rows.iter().zip(&places).filter(|(_, place)| place.is_none()).map(|(row, _)| row).collect();
        let block = if foresight.space.by_customer() { FORESEEN_BLOCK } else { BLOCK };
        self.by_block(&matrix, table.rows.len(), block, |inputs| {
            let seen: Vec<(Vec<f64>, Vec<f64>)> = self.arms.iter().map(|arm| arm.predict(inputs)).collect();
            let mut unseen = self.unseen(foresight, &new, inputs, &seen).into_iter();
            places.iter().map(|place| place.map_or_else(|| unseen.next().unwrap_or_default(), |place| seen[place].clone())).collect()
        })
    }

    /// Promotions that were not run, from the effects and errors of those that were.
    fn unseen(
        &self,
        foresight: &Foresight,
        new: &[&Promotion],
        inputs: &Inputs,
        seen: &[(Vec<f64>, Vec<f64>)],
    ) -> Vec<(Vec<f64>, Vec<f64>)> {
        let Foresight { promotions, space, likeness, .. } = foresight;
        let variances: Vec<f64> = self.arms.iter().map(|arm| arm.report.std_error.powi(2)).collect();
        let means: Vec<f64> = self.arms.iter().map(|arm| arm.report.mean_effect).collect();
        let square: f64 = means.iter().map(|mean| mean.powi(2)).sum::<f64>() / means.len() as f64;
        let weights = |customer: &[f32]| -> Vec<Weights> {
            let places: Vec<Vec<f64>> = promotions.rows.iter().map(|row| space.place(row, customer)).collect();
            let factors = likeness.factors(&places, &variances);
            new.iter().map(|of| likeness.weights(&factors, &places, &means, &variances, &space.place(of, customer))).collect()
        };
        let fixed = (!space.by_customer()).then(|| weights(&[]));
        let mut found = vec![(Vec::with_capacity(inputs.rows()), Vec::with_capacity(inputs.rows())); new.len()];
        for row in 0..inputs.rows() {
            let own;
            let weights = match &fixed {
                Some(fixed) => fixed,
                None => {
                    own = weights(inputs.matrix.row(row));
                    &own
                }
            };
            for (weights, (to_effects, to_errors)) in weights.iter().zip(&mut found) {
                let both = || weights.of_seen.iter().zip(seen);
                let effect: f64 = both().map(|(weight, (effects, _))| weight * effects[row]).sum();
                let errors: f64 = both().map(|(weight, (_, errors))| (weight * errors[row]).powi(2)).sum();
                // Likeness was learnt of mean effects: on a customer who responds more, errors are larger too.
                let more = (effect * effect / square.max(f64::MIN_POSITIVE)).max(1.0);
                // No probability changes by more than 1.
                to_effects.push(if self.card.outcome_kind == Objective::Binary { effect.clamp(-1.0, 1.0) } else { effect });
                to_errors.push((weights.variance * more + errors).sqrt());
            }
        }
        found
    }

    /// Effects and errors of so many promotions, a block of rows at a time.
    fn by_block(
        &self,
        matrix: &Matrix,
        promotions: usize,
        block: usize,
        predict: impl Fn(&Inputs) -> Vec<(Vec<f64>, Vec<f64>)> + Sync,
    ) -> Result<Predictions, ResponseError> {
        let blocks: Vec<Vec<(Vec<f64>, Vec<f64>)>> = matrix
            .values()
            .par_chunks(block * matrix.columns())
            .map(|block| predict(&Inputs::new(Matrix::new(matrix.columns(), block.to_vec()), Arc::clone(&self.scaling))))
            .collect();
        let mut found = Predictions { effects: vec![vec![]; promotions], std_errors: vec![vec![]; promotions], recommended: vec![] };
        for block in blocks {
            for (place, (effects, errors)) in block.into_iter().enumerate() {
                found.effects[place].extend(effects.into_iter().map(|effect| effect * self.card.unit));
                found.std_errors[place].extend(errors.into_iter().map(|error| error * self.card.unit));
            }
        }
        if !found.effects.iter().chain(&found.std_errors).flatten().all(|value| value.is_finite()) {
            return Err(ResponseError::Model("it predicts what is no number".to_owned()));
        }
        Ok(found)
    }
}

impl ArmModel {
    /// Effects and standard errors.
    fn predict(&self, inputs: &Inputs) -> (Vec<f64>, Vec<f64>) {
        let (mut effects, mut errors) = self.mixed(inputs);
        if let Some(calibration) = &self.calibration {
            for (effect, error) in effects.iter_mut().zip(&mut errors) {
                // A level does not make a prediction sure: at most halved.
                *error *= calibration.slope(*effect).max(0.5);
                *effect = calibration.apply(*effect);
            }
        }
        (effects, errors)
    }

    fn mixed(&self, inputs: &Inputs) -> (Vec<f64>, Vec<f64>) {
        let rows = inputs.rows();
        if let Some(Main { all, variance }) = &self.main {
            let errors = variance
                .predict(inputs)
                .into_iter()
                .map(|variance| (self.scale * if variance < 0.0 { 0.0 } else { variance }).sqrt())
                .collect();
            return (all.mixed(self.intercept, &self.weights, inputs), errors);
        }
        if self.bags.is_empty() {
            let error = (self.report.std_error.powi(2) + self.scale.max(0.0)).sqrt();
            return (vec![self.report.mean_effect; rows], vec![error; rows]);
        }
        let (mut sum, mut squares) = (vec![0.0; rows], vec![0.0; rows]);
        for bag in &self.bags {
            let mixed = bag.mixed(self.intercept, &self.weights, inputs);
            for ((sum, square), value) in sum.iter_mut().zip(&mut squares).zip(mixed) {
                *sum += value;
                *square += value * value;
            }
        }
        let count = self.bags.len() as f64;
        let error = |(sum, square): (&f64, &f64)| {
            let around = square - sum * sum / count;
            // Rounding goes below zero; what is no number stays so.
            let variance = if around < 0.0 { 0.0 } else { around } / (count - 1.0).max(1.0);
            (variance * self.scale).sqrt()
        };
        let errors = sum.iter().zip(&squares).map(error).collect();
        (sum.iter().map(|sum| sum / count).collect(), errors)
    }
}
