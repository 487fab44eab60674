//! From the rows of an experiment to a model of every treatment's effect.

use std::sync::Arc;

use super::bags::{Part, Plan, Together, bagged, together};
use super::basics::Basics;
use super::check::{check, costs, size};
use super::foresight::{describe, foresee};
use super::policy::{Values, policy};
use super::search::variants;
use super::select::{Heterogeneity, Residuals, Selection, select};
use super::trust::{Placebo, balance, e_value};
use crate::calibrate::Calibration;
use crate::error::ResponseError;
use crate::features::{Encoder, Feature};
use crate::inputs::Inputs;
use crate::learner::{Arms, CANDIDATES, Effect, Learner, learner};
use crate::model::{ArmModel, ArmReport, Bag, Card, Main, Model, Overlap};
use crate::objective::Objective;
use crate::promotions::Promotions;
use crate::regress::Regressor;
use crate::trees::{Boosted, Boosting};
use crate::trial::{Nuisances, Trial};

/// Rows that were treated, each with one treatment or none.
#[derive(Debug)]
pub struct Experiment<'a> {
    /// What is known of each customer before the treatment.
    pub features: &'a [Feature<'a>],
    /// Which arm a row is in.
    pub arm: &'a [u32],
    /// The arms' names.
    pub arms: &'a [String],
    /// The name of the arm that got nothing.
    pub control: &'a str,
    /// What came of it.
    pub outcome: &'a [f64],
    /// What it cost, in units of the outcome, where that is known.
    pub cost: Option<&'a [f64]>,
    /// For each arm of `arms` the probability of having been assigned to it, by row, where that is known.
    pub propensity: Option<&'a [Vec<f64>]>,
    /// An outcome from before the treatment, which it can't have changed.
    pub placebo: Option<&'a [f64]>,
    /// The kind of the outcome.
    pub objective: Objective,
    /// What the treatments are like, where that is known: a row for each.
    pub promotions: Option<&'a Promotions>,
}

/// How to fit.
#[derive(Debug, Clone)]
pub struct Settings {
    /// `auto`, or one of [`LEARNERS`](crate::LEARNERS).
    pub learner: String,
    /// Chance: the same seed gives the same model with any number of threads.
    pub seed: u64,
    /// How many variants of hyper-parameters to try.
    pub search: usize,
    /// Keep one fit on all rows and the learnt variance of the parts' fits, as always with many rows: a prediction
    /// costs a twentieth then.
    pub compact: bool,
}

impl Settings {
    /// A learner by name, and chance; no search.
    pub fn new(learner: &str, seed: u64) -> Self {
        Self { learner: learner.to_owned(), seed, search: 0, compact: false }
    }
}

/// Rows past which a named learner is fitted once on all of them, and its standard errors come from
/// small bags.
pub(super) const MANY_ROWS: usize = 100_000;
/// Rows past which so are those that `auto` gives weight.
const VERY_MANY_ROWS: usize = 500_000;
/// Of those the ones that have at least this share of the largest weight.
const LEAST_WEIGHT: f64 = 0.05;
/// Rows that the variance of those bags is learnt from.
const VARIANCE_ROWS: usize = 20_000;

/// Fits the effect of every treatment.
///
/// # Errors
/// What is wrong with the rows or the settings; see [`ResponseError`].
pub fn fit(experiment: &Experiment<'_>, settings: &Settings) -> Result<Model, ResponseError> {
    let control = check(experiment)?;
    let unit = unit(experiment);
    if unit.to_bits() == 1.0_f64.to_bits() {
        return fit_in_unit(experiment, control, settings);
    }
    let divided = |values: &[f64]| values.iter().map(|value| value / unit).collect::<Vec<f64>>();
    let (outcome, cost) = (divided(experiment.outcome), experiment.cost.map(divided));
    let mut model = fit_in_unit(&Experiment { outcome: &outcome, cost: cost.as_deref(), ..*experiment }, control, settings)?;
    model.card.restate(unit);
    Ok(model)
}

/// What an outcome is divided by where it is so large or small that learning would lose digits; else 1.
fn unit(experiment: &Experiment<'_>) -> f64 {
    const USUAL: std::ops::RangeInclusive<f64> = 1e-3..=1e6;
    let size = experiment.outcome.len().max(1) as f64;
    let mean = experiment.outcome.iter().sum::<f64>() / size;
    let size = match experiment.objective {
        Objective::Binary => 1.0,
        Objective::Continuous => (experiment.outcome.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / size).sqrt(),
        Objective::Count | Objective::Spend => mean,
    };
    if USUAL.contains(&size) || !(size > 0.0 && size.is_finite()) { 1.0 } else { 10.0_f64.powf(size.log10().round()) }
}

fn fit_in_unit(experiment: &Experiment<'_>, control: usize, settings: &Settings) -> Result<Model, ResponseError> {
    let mut warnings = Vec::new();
    let encoder = Encoder::learn(experiment.features, &mut warnings)?;
    let matrix = encoder.encode(experiment.features, &mut Vec::new())?;
    if experiment.arm.len() < 2 * matrix.columns() {
        warnings.push(format!("{} rows for {} columns of features: intervals will be wide", experiment.arm.len(), matrix.columns()));
    }
    let inputs = Inputs::learn(matrix);
    let mut treatments: Vec<usize> = (0..experiment.arms.len()).filter(|&arm| arm != control && size(experiment, arm) > 0).collect();
    // In an order that does not depend on which row comes first.
    treatments.sort_by(|one, other| experiment.arms[*one].cmp(&experiment.arms[*other]));
    let seed = settings.seed;
    let named = (settings.learner != "auto").then_some(settings.learner.as_str());
    let names: Vec<&str> = named.map_or_else(|| CANDIDATES.to_vec(), |name| vec![name]);
    let mut learners = std::iter::once("constant").chain(names.iter().copied()).map(learner).collect::<Result<Vec<_>, _>>()?;
    let (called, tuned): (Vec<String>, Vec<_>) = variants(named, settings.search, seed)?.into_iter().unzip();
    learners.extend(tuned);
    let names: Vec<&str> = names.into_iter().chain(called.iter().map(String::as_str)).collect();
    let basics = Basics::cross_fit(experiment, &inputs, control, &treatments, named, seed, &mut warnings);
    let described = describe(experiment, &treatments, &encoder)?;
    let space = Arc::clone(&described.space);
    let all_arms = Arms {
        inputs: &inputs,
        outcome: experiment.outcome,
        objective: experiment.objective,
        place: experiment.arm.iter().map(|arm| place_of(*arm as usize, &treatments)).collect(),
        treatments: treatments.len(),
        promotions: described.promotions.rows.iter().collect(),
        space,
    };
    let labels = encoder.labels();
    let rows = experiment.arm.len();
    let plan = match named {
        Some(_) if rows > MANY_ROWS => Plan::small(rows),
        None if rows > VERY_MANY_ROWS => Plan::weighed(rows),
        _ => Plan::for_rows(rows),
    };
    let parts = plan.parts(rows, seed);
    let found = Found {
        compact: settings.compact || plan.is_small(),
        plan,
        parts: &parts,
        learners: &learners,
        together: together(&learners, &all_arms, &parts, seed),
        arms: &all_arms,
        labels: &labels,
    };
    let everyone: Vec<u32> = (0..crate::trial::index(rows)).collect();
    let whole = |learner: &dyn Learner| if found.compact { learner.fit_together(&all_arms, &everyone, seed) } else { None };
    let whole: Vec<Option<Vec<Effect>>> = learners.iter().map(|learner| whole(learner.as_ref())).collect();
    let mut arms = Vec::new();
    let mut unseen = Vec::new();
    for (place, &arm) in treatments.iter().enumerate() {
        let treated: Vec<bool> = experiment.arm.iter().map(|of| *of as usize == arm).collect();
        let trial = Trial { inputs: &inputs, treated: &treated, outcome: experiment.outcome, objective: experiment.objective };
        let rows: Vec<u32> = (0..crate::trial::index(treated.len()))
            .filter(|&row| [arm, control].contains(&(experiment.arm[row as usize] as usize)))
            .collect();
        let scores: Vec<f64> =
            (0..treated.len()).map(|row| basics.score(experiment, row, arm) - basics.score(experiment, row, control)).collect();
        let nuisances = basics.of_pair(&trial, &rows, control, arm, named, seed ^ (arm as u64) << 32);
        let (model, effects) = fit_arm(
            &experiment.arms[arm],
            place,
            &names,
            &found,
            &whole,
            &trial,
            &nuisances,
            &rows,
            &scores,
            named,
            seed ^ ((place as u64) << 40),
        );
        arms.push(model);
        unseen.push(effects);
    }
    if let Some(outcome) = experiment.placebo {
        placebo(experiment, outcome, seed, &mut arms, &mut warnings)?;
    }
    warn_of_imbalance(&arms, &mut warnings);
    let foresight = experiment.promotions.and_then(|_| foresee(&described, &inputs, &arms));
    let costs = costs(experiment, control, &treatments);
    let values = Values { basics: &basics, experiment, control, treatments: &treatments, costs: &costs };
    let policy = policy(&values, &unseen, &arms);
    let card = Card {
        schema_version: 1,
        learner: settings.learner.clone(),
        seed,
        rows: experiment.arm.len(),
        control: experiment.arms[control].clone(),
        outcome_kind: experiment.objective,
        encoder,
        treatments: treatments.iter().map(|&arm| experiment.arms[arm].clone()).collect(),
        costs,
        arms: arms.iter().map(|arm| arm.report.clone()).collect(),
        foresight,
        policy,
        warnings,
        ..Card::default()
    };
    Ok(Model { card, scaling: inputs.scaling(), arms })
}

/// The place of an arm: 0 for the control.
fn place_of(arm: usize, treatments: &[usize]) -> u32 {
    treatments.iter().position(|of| *of == arm).map_or(0, |place| crate::trial::index(place + 1))
}

/// Estimates the mean effects on an outcome from before the treatment in the same way.
fn placebo(
    experiment: &Experiment<'_>,
    outcome: &[f64],
    seed: u64,
    arms: &mut [ArmModel],
    warnings: &mut Vec<String>,
) -> Result<(), ResponseError> {
    let before = Experiment { outcome, objective: Objective::Continuous, placebo: None, cost: None, promotions: None, ..*experiment };
    let found = fit(&before, &Settings::new("constant", seed))?;
    for (arm, found) in arms.iter_mut().zip(&found.card.arms) {
        let placebo = Placebo { effect: found.mean_effect, std_error: found.std_error };
        if placebo.fails() {
            warnings.push(format!(
                "{:?} seems to change the placebo by {:.4} ± {:.4}, which it can't have: its customers differ from the control's in what no feature says, or chance (1 in 20) had it",
                arm.report.treatment,
                placebo.effect,
                1.96 * placebo.std_error
            ));
        }
        arm.report.placebo = Some(placebo);
    }
    Ok(())
}

/// Says where weighting leaves the arms' customers unlike.
fn warn_of_imbalance(arms: &[ArmModel], warnings: &mut Vec<String>) {
    for arm in arms {
        // Chance alone makes small arms unlike.
        let chance = arm.report.overlap.effective_rows.iter().map(|rows| 1.0 / rows.max(1.0)).sum::<f64>().sqrt();
        let unlike = arm.report.balance.iter().filter(|of| of.weighted.abs() > f64::max(0.1, 3.0 * chance));
        let unlike: Vec<String> = unlike.map(|of| format!("{} ({:.2})", of.feature, of.weighted)).collect();
        if !unlike.is_empty() {
            warnings.push(format!(
                "customers of {:?} and of the control are unlike even after weighting, in standard deviations: {}: effects rest on the outcome models there",
                arm.report.treatment,
                unlike.join(", ")
            ));
        }
    }
}

/// Who learns from which rows, and what was learnt of all arms together.
struct Found<'a> {
    compact: bool,
    plan: Plan,
    parts: &'a [Part],
    learners: &'a [Box<dyn Learner>],
    together: Together,
    arms: &'a Arms<'a>,
    labels: &'a [String],
}

#[allow(clippy::too_many_arguments, reason = "one call site")]
fn fit_arm(
    treatment: &str,
    place: usize,
    names: &[&str],
    found: &Found<'_>,
    whole: &[Option<Vec<Effect>>],
    trial: &Trial<'_>,
    nuisances: &Nuisances,
    rows: &[u32],
    scores: &[f64],
    named: Option<&str>,
    seed: u64,
) -> (ArmModel, Vec<f64>) {
    let Found { compact, plan, parts, learners, together, arms, .. } = found;
    let all = trial.outcome.len();
    let mut bagged = bagged(learners, together, place, trial, nuisances, rows, parts, seed);
    let (left, rest) = nuisances.residuals(trial);
    let judged: Vec<u32> = rows.iter().copied().filter(|&row| !bagged[0].unseen[row as usize].is_nan()).collect();
    let pick = |values: &[f64]| judged.iter().map(|&row| values[row as usize]).collect::<Vec<f64>>();
    let unseen: Vec<Vec<f64>> = bagged.iter().map(|of| pick(&of.unseen)).collect();
    let residuals = Residuals { left: &pick(&left), rest: &pick(&rest) };
    let mut selection = select(names, named.is_some(), &unseen[0], &unseen[1..], residuals);
    // A named learner is what was asked for; `auto` doesn't tell customers apart that it can't.
    let personalises = named.is_some_and(|name| name != "constant") || (named.is_none() && selection.heterogeneity.detected());
    if *compact {
        drop_light(&mut selection);
    }
    let main = (*compact && personalises).then(|| {
        let fit = |learner: &dyn Learner, whole: &Option<Vec<Effect>>| {
            whole.as_ref().map_or_else(|| learner.fit(trial, nuisances, rows, seed), |effects| effects[place].clone())
        };
        let weighed = learners.iter().zip(whole).zip(&selection.weights).skip(1);
        let effects = weighed.map(|((learner, whole), weight)| (*weight > 0.0).then(|| fit(learner.as_ref(), whole))).collect();
        let mixed = bags(&mut bagged, &selection.weights);
        main(Bag { effects }, &mixed, &selection.weights[1..], trial, rows, seed)
    });
    let (main, variance) = main.map_or((None, 1.0), |(main, variance)| (Some(main), variance));
    let mean = scores.iter().sum::<f64>() / scores.len().max(1) as f64;
    let spread: f64 = scores.iter().map(|score| (score - mean).powi(2)).sum::<f64>().sqrt() / scores.len().max(1) as f64;
    let mix = |row: usize| {
        selection.weights[0] + bagged[1..].iter().zip(&selection.weights[1..]).map(|(of, weight)| weight * of.unseen[row]).sum::<f64>()
    };
    let mixed: Vec<f64> = judged.iter().map(|&row| mix(row as usize)).collect();
    // A fit on all rows is another one than the bags', whose calibration it does not need; and treatments of which more
    // never does less may not be calibrated each by itself.
    let calibration = if personalises && !compact && arms.space.doses().is_empty() {
        Calibration::if_better(&mixed, residuals.left, residuals.rest)
    } else {
        None
    };
    let effects: Vec<f64> = if personalises {
        let calibrated = |effect: f64| calibration.as_ref().map_or(effect, |calibration| calibration.apply(effect));
        (0..all).map(mix).map(calibrated).collect()
    } else {
        vec![mean; all]
    };
    let bags = if personalises && main.is_none() { bags(&mut bagged, &selection.weights) } else { vec![] };
    let control: Vec<f64> = trial.of_arm(rows, false).iter().map(|&row| trial.outcome[row as usize]).collect();
    // Where customers seem to differ, though not beyond doubt, one effect for all is so far from each of them.
    let Heterogeneity { slope, slope_z, .. } = selection.heterogeneity;
    let apart = if slope_z > 1.0 { slope.powi(2) * variance_of(&mixed) } else { 0.0 };
    let report = ArmReport {
        treatment: treatment.to_owned(),
        rows: trial.treated.iter().filter(|treated| **treated).count(),
        mean_effect: mean,
        std_error: spread,
        personalises,
        heterogeneity: selection.heterogeneity,
        candidates: selection.reports,
        balance: balance(&trial.inputs.matrix, found.labels, rows, trial, nuisances),
        e_value: e_value(trial.objective, &control, mean, spread),
        placebo: None,
        calibrated: calibration.is_some(),
        overlap: Overlap::of(rows, &nuisances.propensity, trial.treated),
    };
    (
        ArmModel {
            report,
            intercept: selection.weights[0],
            weights: selection.weights[1..].to_vec(),
            bags,
            main,
            scale: if personalises { plan.scale() * variance } else { apart },
            calibration,
        },
        effects,
    )
}

fn variance_of(values: &[f64]) -> f64 {
    let size = values.len().max(1) as f64;
    let mean = values.iter().sum::<f64>() / size;
    values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / size
}

/// Leaves out candidates whose fit to all rows would hardly count.
fn drop_light(selection: &mut Selection) {
    let weights = &mut selection.weights[1..];
    let whole: f64 = weights.iter().sum();
    // Of the largest, so that some are left however many there are.
    let most = weights.iter().copied().fold(0.0, f64::max);
    weights.iter_mut().filter(|weight| **weight < LEAST_WEIGHT * most).for_each(|weight| *weight = 0.0);
    let kept: f64 = weights.iter().sum();
    if kept > 0.0 {
        weights.iter_mut().for_each(|weight| *weight *= whole / kept);
    }
    selection.reports.iter_mut().zip(weights).for_each(|(report, weight)| report.weight = *weight);
}

/// Fits on all rows with the variance of the bags, and their mean variance.
fn main(all: Bag, bags: &[Bag], weights: &[f64], trial: &Trial<'_>, rows: &[u32], seed: u64) -> (Main, f64) {
    let step = rows.len().div_ceil(VARIANCE_ROWS);
    let sample: Vec<u32> = rows.iter().copied().step_by(step).collect();
    let inputs = Inputs::new(trial.inputs.matrix.pick(&sample), trial.inputs.scaling());
    let predicted: Vec<Vec<f64>> = bags.iter().map(|bag| bag.mixed(0.0, weights, &inputs)).collect();
    let variance = |row: usize| {
        let mean = predicted.iter().map(|bag| bag[row]).sum::<f64>() / bags.len() as f64;
        predicted.iter().map(|bag| (bag[row] - mean).powi(2)).sum::<f64>() / (bags.len() as f64 - 1.0)
    };
    let mut variance: Vec<f64> = (0..sample.len()).map(variance).collect();
    let mean = (variance.iter().sum::<f64>() / sample.len().max(1) as f64).max(f64::MIN_POSITIVE);
    variance.iter_mut().for_each(|variance| *variance /= mean);
    let places: Vec<u32> = (0..crate::trial::index(sample.len())).collect();
    // A positive mean, which the logarithmic link of counts keeps so.
    let fitted = Boosted::fit(inputs.bins(), &places, &variance, None, Objective::Count, &Boosting::brief(), seed);
    (Main { all, variance: Regressor::Trees(fitted) }, mean)
}

/// The fits that count, bag by bag.
fn bags(bagged: &mut [super::bags::Bagged], weights: &[f64]) -> Vec<Bag> {
    let mut bags: Vec<Bag> = (0..bagged[0].effects.len()).map(|_| Bag { effects: vec![] }).collect();
    for (of, weight) in bagged[1..].iter_mut().zip(&weights[1..]) {
        let kept = *weight > 0.0;
        for (bag, effect) in bags.iter_mut().zip(of.effects.drain(..)) {
            bag.effects.push(kept.then_some(effect));
        }
    }
    bags
}
