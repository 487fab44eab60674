//! From the rows of an experiment to a model of every treatment's effect.

use std::sync::Arc;

use rayon::prelude::*;

use super::bags::{Part, Plan, Together, bagged, together};
use super::policy::{Values, policy};
use super::select::{Residuals, select};
use crate::error::ResponseError;
use crate::features::{Encoder, Feature};
use crate::inputs::Inputs;
use crate::kriging::Likeness;
use crate::learner::{Arms, CANDIDATES, Effect, Learner, learner};
use crate::model::{ArmModel, ArmReport, Bag, Card, Foresight, Main, Model, Overlap};
use crate::objective::Objective;
use crate::promotions::{Described, Describes, Promotion, Promotions, Space};
use crate::regress::{Kind, Regressor, Target};
use crate::trees::{Boosted, Boosting};
use crate::trial::{FOLDS, Nuisances, Trial, folds, stacked};

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
}

/// Least rows of an arm.
const LEAST_ROWS: usize = 50;
/// Propensities are kept this far from 0 and 1.
const CLIP: f64 = 0.02;
/// Rows past which a named learner is fitted once on all of them, and its standard errors come from
/// small bags.
const MANY_ROWS: usize = 100_000;
/// Rows that the variance of those bags is learnt from.
const VARIANCE_ROWS: usize = 20_000;

/// Fits the effect of every treatment.
///
/// # Errors
/// What is wrong with the rows or the settings; see [`ResponseError`].
pub fn fit(experiment: &Experiment<'_>, settings: &Settings) -> Result<Model, ResponseError> {
    let control = check(experiment)?;
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
    let learners = std::iter::once("constant").chain(names.iter().copied()).map(learner).collect::<Result<Vec<_>, _>>()?;
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
    let rows = experiment.arm.len();
    let many = rows > MANY_ROWS && named.is_some();
    let plan = if many { Plan::small(rows) } else { Plan::for_rows(rows) };
    let parts = plan.parts(rows, seed);
    let found =
        Found { many, plan, parts: &parts, learners: &learners, together: together(&learners, &all_arms, &parts, seed), arms: &all_arms };
    let mut arms = Vec::new();
    let mut unseen = Vec::new();
    for (place, &arm) in treatments.iter().enumerate() {
        let treated: Vec<bool> = experiment.arm.iter().map(|of| *of as usize == arm).collect();
        let trial = Trial { inputs: &inputs, treated: &treated, outcome: experiment.outcome, objective: experiment.objective };
        let rows: Vec<u32> = (0..crate::trial::index(treated.len()))
            .filter(|&row| [arm, control].contains(&(experiment.arm[row as usize] as usize)))
            .collect();
        let nuisances = basics.of_pair(&trial, &rows, control, arm, named, seed ^ (arm as u64) << 32);
        let (model, effects) =
            fit_arm(&experiment.arms[arm], place, &names, &found, &trial, &nuisances, &rows, named, seed ^ ((place as u64) << 40));
        arms.push(model);
        unseen.push(effects);
    }
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

fn size(experiment: &Experiment<'_>, arm: usize) -> usize {
    experiment.arm.iter().filter(|of| **of as usize == arm).count()
}

/// The place of an arm: 0 for the control.
fn place_of(arm: usize, treatments: &[usize]) -> u32 {
    treatments.iter().position(|of| *of == arm).map_or(0, |place| crate::trial::index(place + 1))
}

/// The treatments in the space of what they are like; without a table, each is like itself only.
struct DescribedArms {
    promotions: Promotions,
    space: Arc<Space>,
}

fn describe(experiment: &Experiment<'_>, treatments: &[usize], encoder: &Encoder) -> Result<DescribedArms, ResponseError> {
    let names = || treatments.iter().map(|&arm| experiment.arms[arm].clone());
    let promotions = match experiment.promotions {
        Some(table) => {
            table.check()?;
            let rows = names().map(|name| table.row(&name).cloned()).collect::<Result<_, _>>()?;
            Promotions { columns: table.columns.clone(), rows }
        }
        None => Promotions {
            columns: vec![Describes { name: "promotion".to_owned(), relative_to: None, dose: false }],
            rows: names().map(|name| Promotion { cells: vec![Described::Name(name.clone())], name }).collect(),
        },
    };
    let space = Arc::new(Space::new(&promotions, &|name| encoder.number(name))?);
    Ok(DescribedArms { promotions, space })
}

/// Rows that a promotion's place is averaged over where it depends on the customer.
const PLACE_ROWS: usize = 1000;

/// How alike the treatments act; none with fewer than two.
fn foresee(described: &DescribedArms, inputs: &Inputs, arms: &[ArmModel]) -> Option<Foresight> {
    let DescribedArms { promotions, space } = described;
    let step = if space.by_customer() { inputs.rows().div_ceil(PLACE_ROWS) } else { inputs.rows() };
    let place = |promotion: &Promotion| {
        let mut sum = vec![0.0; space.width()];
        let rows = (0..inputs.rows()).step_by(step.max(1));
        let count = rows.len() as f64;
        for row in rows {
            sum.iter_mut().zip(space.place(promotion, inputs.matrix.row(row))).for_each(|(sum, at)| *sum += at / count);
        }
        sum
    };
    let places: Vec<Vec<f64>> = promotions.rows.iter().map(place).collect();
    let names: Vec<String> = promotions.rows.iter().map(|row| row.name.clone()).collect();
    let means: Vec<f64> = arms.iter().map(|arm| arm.report.mean_effect).collect();
    let variances: Vec<f64> = arms.iter().map(|arm| arm.report.std_error.powi(2)).collect();
    let mut likeness = Likeness::learn(&places, &means, &variances)?;
    let left_out = likeness.leave_each_out(&names, &places, &means, &variances);
    Some(Foresight { promotions: promotions.clone(), space: space.as_ref().clone(), likeness, left_out })
}

/// Refuses rows that nothing can be learnt from; the control's place.
fn check(experiment: &Experiment<'_>) -> Result<usize, ResponseError> {
    let cell = |row: usize, column: &str, value: f64, rule| ResponseError::Cell {
        row: row + 1,
        column: column.to_owned(),
        value: if value.is_nan() { "empty or not a number".to_owned() } else { value.to_string() },
        rule,
    };
    let there: Vec<&String> =
        experiment.arms.iter().enumerate().filter(|(arm, _)| size(experiment, *arm) > 0).map(|(_, name)| name).collect();
    if let Some(row) = experiment.arm.iter().position(|arm| *arm as usize >= experiment.arms.len()) {
        return Err(ResponseError::Cell {
            row: row + 1,
            column: "treatment".to_owned(),
            value: "empty".to_owned(),
            rule: "has to name an arm: fill it in, or leave the row out",
        });
    }
    let Some(control) = experiment.arms.iter().position(|name| name == experiment.control && there.contains(&name)) else {
        let there = there.iter().map(|name| format!("{name:?}")).collect::<Vec<_>>().join(", ");
        return Err(ResponseError::NoControl { control: experiment.control.to_owned(), there });
    };
    if there.len() == 1 {
        return Err(ResponseError::OneArm { arm: experiment.control.to_owned() });
    }
    for (arm, name) in experiment.arms.iter().enumerate() {
        let rows = size(experiment, arm);
        if rows > 0 && rows < LEAST_ROWS {
            return Err(ResponseError::FewRows { arm: name.clone(), rows, least: LEAST_ROWS });
        }
    }
    let rule = match experiment.objective {
        Objective::Continuous => "has to be a finite number in every row: leave out customers whose outcome is not known",
        Objective::Binary => "has to be 0 or 1 in every row, or name another --outcome-kind",
        Objective::Count => "has to be 0, 1, 2 … in every row, or name another --outcome-kind",
        Objective::Spend => "has to be 0 or more in every row, or name another --outcome-kind",
    };
    let fits = |value: f64| {
        value.is_finite()
            && value.abs() < 1e30
            && match experiment.objective {
                Objective::Continuous => true,
                Objective::Binary => value == 0.0 || value == 1.0,
                Objective::Count => value >= 0.0 && value.fract() == 0.0,
                Objective::Spend => value >= 0.0,
            }
    };
    if let Some(row) = experiment.outcome.iter().position(|value| !fits(*value)) {
        return Err(cell(row, "outcome", experiment.outcome[row], rule));
    }
    if let Some(cost) = experiment.cost
        && let Some(row) = cost.iter().position(|cost| !cost.is_finite())
    {
        return Err(cell(row, "cost", cost[row], "has to be a finite number in every row"));
    }
    for column in experiment.propensity.into_iter().flatten() {
        if let Some(row) = column.iter().position(|p| !(*p > 0.0 && *p < 1.0)) {
            let rule =
                "has to be above 0 and below 1: where an arm was impossible or certain there is nothing to compare; leave such rows out";
            return Err(cell(row, "propensity", column[row], rule));
        }
    }
    Ok(control)
}

/// Mean cost of each treatment beyond the control's.
fn costs(experiment: &Experiment<'_>, control: usize, treatments: &[usize]) -> Vec<f64> {
    let mean = |arm: usize| {
        let of = |cost: &[f64]| {
            let rows = experiment.arm.iter().zip(cost).filter(|(of, _)| **of as usize == arm);
            rows.map(|(_, cost)| cost).sum::<f64>() / size(experiment, arm).max(1) as f64
        };
        experiment.cost.map_or(0.0, of)
    };
    treatments.iter().map(|&arm| mean(arm) - mean(control)).collect()
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
    fn cross_fit(
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
            let inside = |p: &f64| (CLIP..=1.0 - CLIP).contains(p);
            let outside = basics.propensities[arm].iter().filter(|p| !inside(p)).count();
            if outside > 0 {
                warnings.push(format!(
                    "the probability of {:?} was clipped to {CLIP}…{} in {outside} of {rows} rows: there the arms hardly overlap, and effects rest on the model",
                    experiment.arms[arm],
                    1.0 - CLIP
                ));
            }
            basics.propensities[arm].iter_mut().for_each(|p| *p = p.clamp(CLIP, 1.0 - CLIP));
        }
        basics
    }

    /// What the pair of control and `arm` is estimated through.
    fn of_pair(&self, trial: &Trial<'_>, rows: &[u32], control: usize, arm: usize, named: Option<&str>, seed: u64) -> Nuisances {
        let pair = |(one, other): (&f64, &f64)| (one / (one + other)).clamp(CLIP, 1.0 - CLIP);
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
            let train: Vec<u32> = (0..rows).filter(|&row| !inside(row) && learns(row)).step_by(10).collect();
            let rest: Vec<u32> = (0..rows).filter(|&row| inside(row)).collect();
            let predicted = Regressor::fit(kind, inputs, &train, target, seed).predict(&inputs.pick(&rest));
            (rest, predicted)
        })
        .collect();
    found.into_iter().flat_map(|(rest, predicted)| rest.into_iter().zip(predicted)).for_each(|(row, value)| values[row as usize] = value);
    values
}

/// Who learns from which rows, and what was learnt of all arms together.
struct Found<'a> {
    many: bool,
    plan: Plan,
    parts: &'a [Part],
    learners: &'a [Box<dyn Learner>],
    together: Together,
    arms: &'a Arms<'a>,
}

#[allow(clippy::too_many_arguments, reason = "one call site")]
fn fit_arm(
    treatment: &str,
    place: usize,
    names: &[&str],
    found: &Found<'_>,
    trial: &Trial<'_>,
    nuisances: &Nuisances,
    rows: &[u32],
    named: Option<&str>,
    seed: u64,
) -> (ArmModel, Vec<f64>) {
    let Found { many, plan, parts, learners, together, arms } = found;
    let all = trial.outcome.len();
    let mut bagged = bagged(learners, together, place, trial, nuisances, rows, parts, seed);
    let main = (*many && named != Some("constant")).then(|| {
        let everyone: Vec<u32> = (0..crate::trial::index(all)).collect();
        let of_all = learners[1].fit_together(arms, &everyone, seed).map(|mut effects| effects.swap_remove(place));
        let effect = of_all.unwrap_or_else(|| learners[1].fit(trial, nuisances, rows, seed));
        main(effect, &bagged[1].effects, trial, rows, seed)
    });
    let (main, variance) = main.map_or((None, 1.0), |(main, variance)| (Some(main), variance));
    let (left, rest) = nuisances.residuals(trial);
    let judged: Vec<u32> = rows.iter().copied().filter(|&row| !bagged[0].unseen[row as usize].is_nan()).collect();
    let pick = |values: &[f64]| judged.iter().map(|&row| values[row as usize]).collect::<Vec<f64>>();
    let unseen: Vec<Vec<f64>> = bagged.iter().map(|of| pick(&of.unseen)).collect();
    let residuals = Residuals { left: &pick(&left), rest: &pick(&rest) };
    let selection = select(names, &unseen[0], &unseen[1..], residuals);
    // A named learner is what was asked for; `auto` doesn't tell customers apart that it can't.
    let personalises = named.is_some_and(|name| name != "constant") || (named.is_none() && selection.heterogeneity.detected());
    let scores = nuisances.scores(trial);
    let scores: Vec<f64> = rows.iter().map(|&row| scores[row as usize]).collect();
    let mean = scores.iter().sum::<f64>() / scores.len().max(1) as f64;
    let spread: f64 = scores.iter().map(|score| (score - mean).powi(2)).sum::<f64>().sqrt() / scores.len().max(1) as f64;
    let effects: Vec<f64> = if personalises {
        let mix = |row: usize| {
            selection.weights[0] + bagged[1..].iter().zip(&selection.weights[1..]).map(|(of, weight)| weight * of.unseen[row]).sum::<f64>()
        };
        (0..all).map(mix).collect()
    } else {
        vec![mean; all]
    };
    let bags = if personalises && main.is_none() { bags(&mut bagged, &selection.weights) } else { vec![] };
    let report = ArmReport {
        treatment: treatment.to_owned(),
        rows: trial.treated.iter().filter(|treated| **treated).count(),
        mean_effect: mean,
        std_error: spread,
        personalises,
        heterogeneity: selection.heterogeneity,
        candidates: selection.reports,
        overlap: Overlap::of(rows, &nuisances.propensity, trial.treated),
    };
    (
        ArmModel {
            report,
            intercept: selection.weights[0],
            weights: selection.weights[1..].to_vec(),
            bags,
            main,
            scale: plan.scale() * variance,
        },
        effects,
    )
}

/// A learner's fit on all rows with the variance of its bags, and their mean variance.
fn main(effect: Effect, bags: &[Effect], trial: &Trial<'_>, rows: &[u32], seed: u64) -> (Main, f64) {
    let step = rows.len().div_ceil(VARIANCE_ROWS);
    let sample: Vec<u32> = rows.iter().copied().step_by(step).collect();
    let inputs = Inputs::new(trial.inputs.matrix.pick(&sample), trial.inputs.scaling());
    let predicted: Vec<Vec<f64>> = bags.iter().map(|bag| bag.predict(&inputs)).collect();
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
    (Main { effect, variance: Regressor::Trees(fitted) }, mean)
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
