//! From statistics of arms to what is said of them.

use serde::Serialize;
use youhui_evaluation::experiment::{
    Adjustment, Analysis, AnalysisPlan, Breakdown, DesignEffect, Engine, Estimated, ExperimentError, Exposure, Frequentist, Judge, Metric,
    Moments, Novelty, Planned, Role, Rows, Scale, Sequential, analyse, breakdown, confidence_sequence, frequentist, from_moments,
    post_stratified, regression, regression_from_moments, unadjusted,
};

use super::super::super::CliError;
use super::metrics::Spec;
use super::read::{DATE, Gathered, STRATUM, Switches, VALUE, places};
use super::{AdjustmentName, Args, EngineName, ScaleName, VarianceName};

/// What is printed.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    pub(super) data: String,
    pub(super) hash: String,
    pub(super) rows: u64,
    pub(super) run: Option<String>,
    engine: EngineName,
    scale: ScaleName,
    pub(super) level: f64,
    pub(super) control: String,
    /// In the order of `sample_ratio`.
    pub(super) arm_names: Vec<String>,
    pub(super) assignment: &'static str,
    /// What n counts.
    pub(super) draws: &'static str,
    exposure: Option<Exposure>,
    /// By how much rows of one cluster repeat each other.
    pub(super) design_effects: Vec<Design>,
    pub(super) switchback: Option<Switches>,
    #[serde(flatten)]
    pub(super) analysis: Analysis,
    /// What breakdowns, effects over time and since exposure are of.
    first_goal: Goal,
    /// Arm by arm, of the first goal.
    pub(super) breakdowns: Vec<(String, Breakdown)>,
    /// Arm by arm, of the first goal: what was known after each date.
    pub(super) over_time: Vec<(String, Vec<Look>)>,
    /// Arm by arm, of the first goal: by day since first exposure.
    pub(super) since_exposure: Vec<(String, Novelty)>,
    /// When intervals hold.
    valid: Valid,
}

#[derive(Debug, Serialize)]
pub(super) struct Design {
    pub(super) metric: String,
    #[serde(flatten)]
    pub(super) effect: DesignEffect,
}

/// A metric, and the unit of its effects.
#[derive(Debug, Serialize)]
struct Goal {
    metric: String,
    unit: String,
    /// Of effects by day since exposure, which are absolute.
    absolute_unit: String,
}

impl Goal {
    fn of(plan: &AnalysisPlan) -> Self {
        let (metric, own) = plan.metrics.first().map_or_else(Default::default, |goal| (goal.name.clone(), goal.unit.clone()));
        let unit = if plan.scale == Scale::Absolute { own.clone() } else { "share of control".to_owned() };
        Self { metric, unit, absolute_unit: own }
    }
}

/// When intervals hold.
#[derive(Debug, Serialize)]
struct Valid {
    metrics: &'static str,
    breakdowns: &'static str,
    over_time: &'static str,
    since_exposure: &'static str,
    checks: &'static str,
}

const BY_SUMS: &str = "by lot, as you say, and sums of units, each in one arm: whoever was in two is not found";
const ONCE: &str = "one look, chosen beforehand";
const EVER: &str = "whenever looked at";

impl Valid {
    const fn of(engine: Engine) -> Self {
        let metrics = match engine {
            Engine::Frequentist => ONCE,
            Engine::Sequential { .. } => EVER,
            Engine::Bayesian(_) => "given the prior, at one look",
        };
        let breakdowns = match engine {
            Engine::Sequential { .. } => "intervals whenever looked at; whether effects differ at one look",
            _ => ONCE,
        };
        let over_time = "low and high whenever looked at, for all goals and arms together; fixed_low and fixed_high at one date";
        let checks = match engine {
            Engine::Sequential { .. } => {
                "sizes of arms whenever looked at; balance and change since exposure at one look, with an alarm at .001"
            }
            _ => "one look, with an alarm at .001",
        };
        Self { metrics, breakdowns, over_time, since_exposure: ONCE, checks }
    }
}

/// The effect after a date.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Look {
    pub(super) date: String,
    pub(super) effect: f64,
    /// Holds whenever it is looked at, for all goals and arms together.
    pub(super) low: f64,
    pub(super) high: f64,
    /// Holds at one date, chosen beforehand.
    pub(super) fixed_low: f64,
    pub(super) fixed_high: f64,
    n: u64,
}

pub(super) fn judge(args: &Args, specs: &[Spec], columns: &[&str], mut gathered: Gathered) -> Result<Report, CliError> {
    let control = control(args, &gathered.arms)?;
    let places = places(columns);
    let plan = AnalysisPlan {
        weights: weights(args, &gathered.arms)?,
        control,
        metrics: specs.iter().map(Spec::plan).collect(),
        covariates: args.covariates.iter().map(|name| (mean(places[name.as_str()], gathered.per), name.clone())).collect(),
        scale: args.scale.of(),
        engine: args.judging()?,
        level: args.level,
        adjust: args.adjust.of(),
        planned: args.planned_units.zip(args.planned_effect).map(|(units, effect)| Planned { units, effect }),
        arms: gathered.arms.clone(),
    };
    gathered.warn(args.other_estimators(specs));
    let warnings = std::mem::take(&mut gathered.warnings);
    let estimates = Estimates { args, specs, columns, gathered: &gathered, control };
    let analysis = analyse(&plan, &gathered.moments, |metric, arm| estimates.of(metric, arm), warnings)?;
    let treatments: Vec<usize> = (0..plan.arms.len()).filter(|arm| *arm != control).collect();
    let breakdowns = if gathered.by[VALUE].is_empty() { vec![] } else { estimates.breakdowns(&plan, &treatments) };
    let over_time = if gathered.by[DATE].len() > 1 { estimates.over_time(&plan, &treatments) } else { vec![] };
    Ok(Report {
        data: args.data.display().to_string(),
        hash: gathered.hash,
        rows: gathered.rows,
        run: None,
        engine: args.engine,
        scale: args.scale,
        level: args.level,
        control: args.control.clone(),
        first_goal: Goal::of(&plan),
        arm_names: plan.arms,
        assignment: if args.aggregates { BY_SUMS } else { args.design.design()?.basis() },
        draws: if args.aggregates { "units" } else { args.design.design()?.draws() },
        exposure: gathered.exposure,
        design_effects: gathered.design_effects.into_iter().map(|(metric, effect)| Design { metric, effect }).collect(),
        switchback: gathered.switches,
        analysis,
        breakdowns,
        over_time,
        since_exposure: gathered.novelty,
        valid: Valid::of(plan.engine),
    })
}

/// A column's mean: of draws that are of several rows, a row's.
const fn mean(column: usize, per: Option<usize>) -> Metric {
    match per {
        Some(per) => Metric::ratio(column, per),
        None => Metric::mean(column),
    }
}

fn control(args: &Args, arms: &[String]) -> Result<usize, CliError> {
    let column = &args.assignment;
    let control = arms.iter().position(|arm| *arm == args.control).ok_or_else(|| {
        let there = arms.join(", ");
        CliError::usage(format!("--control {}: column {column} has {there}: there would be nothing to compare with", args.control))
    })?;
    if arms.len() < 2 {
        return Err(CliError::usage(format!("column {column}: everybody is in one arm: no effect can be told from what would have been")));
    }
    Ok(control)
}

/// How metrics are estimated from what was gathered.
struct Estimates<'a> {
    args: &'a Args,
    specs: &'a [Spec],
    columns: &'a [&'a str],
    gathered: &'a Gathered,
    control: usize,
}

impl Estimates<'_> {
    fn of(&self, metric: usize, arm: usize) -> Result<Estimated, ExperimentError> {
        if let Some(contrast) = self.gathered.quantile(metric, self.control, arm) {
            return contrast.map(Estimated::from);
        }
        let arms = [&self.gathered.moments[self.control], &self.gathered.moments[arm]];
        let Some((metric, covariates)) = self.specs[metric].metric(&places(self.columns), self.gathered.per) else {
            return Err(ExperimentError::TooFewUnits { arm: "rows of a quantile".to_owned(), units: 0 });
        };
        let strata = &self.gathered.by[STRATUM];
        if !strata.is_empty() {
            let of = |arm: usize| strata.iter().map(|(_, arms)| arms[arm].clone()).collect::<Vec<Moments>>();
            let contrast = post_stratified(metric, &of(self.control), &of(arm)).map_err(|error| self.named(error))?;
            return Ok(Estimated::adjusted(contrast, &unadjusted(metric, arms[0], arms[1])?));
        }
        let Some(adjustment) = self.args.adjustment.of().filter(|_| !covariates.is_empty()) else {
            return from_moments(metric, &covariates, arms[0], arms[1]);
        };
        let used: Vec<usize> = std::iter::once(metric.numerator).chain(covariates.iter().map(|one| one.numerator)).collect();
        let contrast = match &self.gathered.kept {
            None => regression_from_moments(&arms[0].select(&used)?, &arms[1].select(&used)?, adjustment)?,
            Some(rows) => self.regressed(rows, &used, arm, adjustment)?,
        };
        Ok(Estimated::adjusted(contrast, &unadjusted(metric, arms[0], arms[1])?))
    }

    fn regressed(
        &self,
        (values, arms): &(Vec<Vec<f64>>, Vec<u32>),
        used: &[usize],
        arm: usize,
        adjustment: Adjustment,
    ) -> Result<youhui_evaluation::experiment::Contrast, ExperimentError> {
        let place = |of: u32| [self.control, arm].iter().position(|known| *known == of as usize);
        let rows: Vec<usize> = (0..arms.len()).filter(|&row| place(arms[row]).is_some()).collect();
        let group: Vec<u32> = rows.iter().map(|&row| u32::from(arms[row] as usize == arm)).collect();
        let columns: Vec<Vec<f64>> = used.iter().map(|&column| rows.iter().map(|&row| values[column][row]).collect()).collect();
        let borrowed: Vec<&[f64]> = columns.iter().map(Vec::as_slice).collect();
        regression(Rows { columns: &borrowed, names: &[], group: &group }, adjustment, self.args.variance.unwrap_or(VarianceName::Hc2).of())
    }

    /// Strata have names here.
    fn named(&self, error: ExperimentError) -> ExperimentError {
        match error {
            ExperimentError::EmptyStratum { stratum, arm, units } => {
                let name = &self.gathered.by[STRATUM][stratum].0;
                ExperimentError::EmptyStratum { stratum, arm: format!("{arm} (stratum {name})"), units }
            }
            other => other,
        }
    }

    /// The first goal in statistics of some units, with CUPED where it has covariates; none, of a quantile.
    fn goal(&self, control: &Moments, treatment: &Moments) -> Option<Result<Estimated, ExperimentError>> {
        let (metric, covariates) = self.specs.first()?.metric(&places(self.columns), self.gathered.per)?;
        Some(from_moments(metric, &covariates, control, treatment))
    }

    fn breakdowns(&self, plan: &AnalysisPlan, treatments: &[usize]) -> Vec<(String, Breakdown)> {
        let judge = match plan.engine {
            Engine::Sequential { tuning } => Judge::Always(Sequential { level: plan.level, tuning }),
            _ => Judge::Fixed(Frequentist { level: plan.level, ..Frequentist::default() }),
        };
        let of = |&arm: &usize| {
            let values = self.gathered.by[VALUE].iter().filter_map(|(name, arms)| {
                let estimated = self.goal(&arms[self.control], &arms[arm])?;
                Some((name.as_str(), estimated.map(|estimated| estimated.contrast)))
            });
            let values: Vec<_> = values.collect();
            (!values.is_empty()).then(|| (plan.arms[arm].clone(), breakdown(values, plan.scale, judge, plan.adjust)))
        };
        treatments.iter().filter_map(of).collect()
    }

    /// What was known after each date. Intervals are wide enough for all goals and arms together (Bonferroni).
    fn over_time(&self, plan: &AnalysisPlan, treatments: &[usize]) -> Vec<(String, Vec<Look>)> {
        let goals = plan.metrics.iter().filter(|metric| metric.role == Role::Goal).count();
        let level = 1.0 - (1.0 - plan.level) / (goals * treatments.len()).max(1) as f64;
        let looks = |&arm: &usize| (plan.arms[arm].clone(), self.looks(arm, level, plan.scale));
        treatments.iter().map(looks).filter(|(_, looks)| !looks.is_empty()).collect()
    }

    /// Dates on which an arm had too few units, or nothing had varied yet, have no effect.
    fn looks(&self, arm: usize, level: f64, scale: Scale) -> Vec<Look> {
        let dates = &self.gathered.by[DATE];
        let mut sums = [Moments::empty(dates[0].1[arm].columns()), Moments::empty(dates[0].1[arm].columns())];
        let mut looks = vec![];
        for (date, arms) in dates {
            sums[0].merge(&arms[self.control]);
            sums[1].merge(&arms[arm]);
            let Some(Ok(Estimated { contrast, .. })) = self.goal(&sums[0], &sums[1]) else { continue };
            let fixed = frequentist(&contrast, scale, Frequentist { level, ..Frequentist::default() });
            let always = confidence_sequence(&contrast, scale, Sequential { level, tuning: self.args.tuning });
            if let (Ok(fixed), Ok(always)) = (fixed, always) {
                looks.push(Look {
                    date: date.clone(),
                    effect: always.value,
                    low: always.low,
                    high: always.high,
                    fixed_low: fixed.low,
                    fixed_high: fixed.high,
                    n: contrast.units(),
                });
            }
        }
        looks
    }
}

fn weights(args: &Args, arms: &[String]) -> Result<Vec<f64>, CliError> {
    if args.weights.is_empty() {
        return Ok(vec![1.0; arms.len()]);
    }
    let mut weights: Vec<Option<f64>> = vec![None; arms.len()];
    for text in &args.weights {
        let wrong = |why: &str| CliError::usage(format!("--weights {text}: {why}: write ARM=SHARE for each of {}", arms.join(", ")));
        let (arm, share) = text.rsplit_once('=').ok_or_else(|| wrong("no share"))?;
        let place = arms.iter().position(|name| name == arm).ok_or_else(|| wrong("no such arm"))?;
        let share: f64 = share.parse().map_err(|_| wrong("not a number"))?;
        let share = Some(share).filter(|share| share.is_finite() && *share >= 0.0).ok_or_else(|| wrong("not a share"))?;
        if weights[place].replace(share).is_some() {
            return Err(wrong("that arm has a share already"));
        }
    }
    let all = arms.iter().zip(weights).map(|(arm, share)| {
        share.ok_or_else(|| CliError::usage(format!("--weights: arm {arm} has none: give each arm its share, 0 where nobody should be")))
    });
    all.collect()
}

impl AdjustmentName {
    const fn of(self) -> Option<Adjustment> {
        match self {
            Self::Cuped => None,
            Self::Ancova => Some(Adjustment::Ancova),
            Self::Interacted => Some(Adjustment::Interacted),
        }
    }
}
