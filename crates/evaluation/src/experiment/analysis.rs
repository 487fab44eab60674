//! A whole experiment from its statistics: every metric of every arm, adjusted for how many there are,
//! checks, guardrails and a decision for each arm.
//!
//! Works from one [`Moments`] an arm, so from rows and aggregates alike, and from a function that says what a
//! metric's contrast is: plain or adjusted ([`from_moments`]), within strata, of quantiles, of clusters. Checks that
//! need rows — exposures, novelty, analysis finer than assignment — are done before and their warnings handed in.

use serde::{Deserialize, Serialize};

use super::multiplicity::{Adjust, adjust, widened};
use super::power::achieved_power_of_sequence;
use super::{
    ALARM, ArmEstimate, Balance, Bayesian, Better, Contrast, Decision, ExperimentError, Frequentist, GoalResult, Guarded, GuardrailResult,
    Interval, Metric, Moments, Prior, Progress, RelativeInterval, SampleRatio, Scale, Sequential, Tail, Warning, achieved_power,
    always_valid_sample_ratio, balance, bayesian, confidence_sequence, cuped, decide, frequentist, guardrail, sample_ratio, unadjusted,
};

/// What a metric is there for.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// To be made better.
    Goal,
    /// Not to be made worse by more than `margin` (≥ 0), in the analysis' scale.
    Guardrail {
        /// How much worse it may get.
        margin: f64,
    },
    /// To be looked at.
    Secondary,
}

/// A metric of the analysis.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MetricPlan {
    /// Its name.
    pub name: String,
    /// Unit of its values, such as "EUR per customer".
    pub unit: String,
    /// Which way is better.
    pub better: Better,
    /// What it is there for.
    pub role: Role,
}

/// How effects are judged.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Engine {
    /// One look, chosen beforehand.
    Frequentist,
    /// A posterior; `None` for a flat prior.
    Bayesian(Option<Prior>),
    /// Any number of looks; units at which the sequence is tightest.
    Sequential {
        /// Units of both arms.
        tuning: f64,
    },
}

/// What was planned.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Planned {
    /// Units of all arms.
    pub units: u64,
    /// The effect on goals that the experiment is to find, in the analysis' scale.
    pub effect: f64,
}

/// Settings of an analysis.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AnalysisPlan {
    /// Names of arms, in the order of their statistics.
    pub arms: Vec<String>,
    /// Their shares of units, not necessarily summing to 1.
    pub weights: Vec<f64>,
    /// Which arm is control.
    pub control: usize,
    /// The metrics.
    pub metrics: Vec<MetricPlan>,
    /// What was known before the experiment, with names, for the check of balance.
    pub covariates: Vec<(Metric, String)>,
    /// Absolute or relative.
    pub scale: Scale,
    /// How effects are judged.
    pub engine: Engine,
    /// Chance of covering.
    pub level: f64,
    /// How goals of all arms together are adjusted; not done for posteriors.
    pub adjust: Adjust,
    /// What was planned, where it was.
    pub planned: Option<Planned>,
}

/// What an arm's metric is as it stands, with an interval for one look.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct ArmValue {
    /// The value, in the metric's unit.
    pub value: f64,
    /// Lower end of its interval (Student's t).
    pub low: f64,
    /// Upper end.
    pub high: f64,
    /// Units of the arm.
    pub n: u64,
}

impl ArmValue {
    fn of(arm: &ArmEstimate, level: f64) -> Self {
        let half = arm.raw_variance.sqrt() * super::special::t_upper_quantile((1.0 - level) / 2.0, arm.df);
        Self { value: arm.raw, low: arm.raw - half, high: arm.raw + half, n: arm.units }
    }
}

/// One metric of one arm against control.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MetricResult {
    /// The metric.
    pub metric: String,
    /// What it is there for.
    pub role: Role,
    /// Control's value as it stands, in the metric's unit.
    pub control: ArmValue,
    /// The arm's value as it stands.
    pub treatment: ArmValue,
    /// The effect, adjusted by covariates where there are any.
    pub effect: f64,
    /// Lower end of its interval, widened for the number of goals.
    pub low: f64,
    /// Upper end.
    pub high: f64,
    /// Chance of covering, or the posterior's mass.
    pub level: f64,
    /// Unit of effect, low and high.
    pub unit: String,
    /// Unit of the arms' own values.
    pub value_unit: String,
    /// Units of both arms.
    pub n: u64,
    /// Standard error, or the posterior's standard deviation.
    pub std_error: f64,
    /// The p-value (always valid for a sequential analysis).
    pub p_value: Option<f64>,
    /// The p-value, adjusted for the number of goals.
    pub adjusted_p: Option<f64>,
    /// Chance to beat control.
    pub chance_to_beat_control: Option<f64>,
    /// Expected loss of taking the arm.
    pub risk: Option<f64>,
    /// Share of variance that covariates took away.
    pub variance_reduction: Option<f64>,
    /// What a guardrail says.
    pub guarded: Option<Guarded>,
}

/// One arm against control.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ArmResult {
    /// The arm.
    pub arm: String,
    /// Its metrics.
    pub metrics: Vec<MetricResult>,
    /// Metrics of which nothing can be said, and why.
    pub problems: Vec<String>,
    /// Balance of covariates against control.
    pub balance: Option<Balance>,
    /// The power reached for the planned effect: the least of the goals'.
    pub power: Option<f64>,
    /// What to do.
    pub decision: Decision,
}

/// A whole experiment.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Analysis {
    /// Arm by arm, without control.
    pub arms: Vec<ArmResult>,
    /// Sizes of the arms against their weights.
    pub sample_ratio: SampleRatio,
    /// All that changes how far figures can be trusted.
    pub warnings: Vec<Warning>,
}

/// A metric of two arms, as it is to be judged.
#[derive(Debug, Clone, PartialEq)]
pub struct Estimated {
    /// Control and the arm.
    pub contrast: Contrast,
    /// Share of variance that covariates or strata took away, where there are any.
    pub variance_reduction: Option<f64>,
}

impl From<Contrast> for Estimated {
    fn from(contrast: Contrast) -> Self {
        Self { contrast, variance_reduction: None }
    }
}

impl Estimated {
    /// An adjusted contrast beside the plain one of the same rows.
    pub fn adjusted(contrast: Contrast, plain: &Contrast) -> Self {
        Self { variance_reduction: Some(1.0 - contrast.absolute().1 / plain.absolute().1), contrast }
    }
}

/// The metric as it stands, or with covariates from before the experiment by CUPED.
///
/// # Errors
/// As [`unadjusted`] and [`cuped`].
pub fn from_moments(metric: Metric, covariates: &[Metric], control: &Moments, treatment: &Moments) -> Result<Estimated, ExperimentError> {
    if covariates.is_empty() {
        return unadjusted(metric, control, treatment).map(Estimated::from);
    }
    let found = cuped(metric, covariates, control, treatment)?;
    Ok(Estimated { contrast: found.contrast, variance_reduction: Some(found.variance_reduction) })
}

/// Analyses an experiment. `estimate` gives the contrast of a metric (its place in the plan) in an arm (its place)
/// against control; `warnings` are those of checks that needed rows, of all arms or of the one that is named. A metric
/// of which nothing can be said is among the arm's problems and fails nothing else.
///
/// # Errors
/// Where arms, weights and statistics don't fit each other, or settings are out of range.
pub fn analyse(
    plan: &AnalysisPlan,
    arms: &[Moments],
    estimate: impl Fn(usize, usize) -> Result<Estimated, ExperimentError>,
    warnings: Vec<(Option<String>, Warning)>,
) -> Result<Analysis, ExperimentError> {
    check(plan, arms)?;
    let units: Vec<u64> = arms.iter().map(Moments::units).collect();
    let sample_ratio = match plan.engine {
        Engine::Sequential { .. } => always_valid_sample_ratio(&units, &plan.weights)?,
        _ => sample_ratio(&units, &plan.weights)?,
    };
    let mut warnings = warnings;
    // Rows of one draw come together: counted as draws of their own, arms' sizes would raise an alarm for nothing.
    let is_finer = warnings.iter().any(|(_, warning)| warning.code == super::cluster::FINER);
    warnings.extend(sample_ratio.warning(ALARM).filter(|_| !is_finer).map(|warning| (None, warning)));
    let treatments: Vec<usize> = (0..arms.len()).filter(|&arm| arm != plan.control).collect();
    let mut judged: Vec<Judged> =
        treatments.iter().map(|&arm| judge(plan, arm, [&arms[plan.control], &arms[arm]], |metric| estimate(metric, arm))).collect();
    adjust_goals(plan, &mut judged);
    for judged in &judged {
        let found = judged.balance.as_ref().and_then(|balance| balance.warning(ALARM));
        warnings.extend(found.map(|warning| (Some(judged.arm.clone()), warning)));
    }
    let all: u64 = units.iter().sum();
    let of_arm = |arm: &str| {
        let found = warnings.iter().filter(|(of, _)| of.as_deref().is_none_or(|of| of == arm));
        found.map(|(_, warning)| warning.clone()).collect::<Vec<Warning>>()
    };
    let results = judged
        .into_iter()
        .map(|judged| {
            let warnings = of_arm(&judged.arm);
            judged.decided(plan, all, &warnings)
        })
        .collect();
    let named = |(arm, warning): (Option<String>, Warning)| match arm {
        Some(arm) => Warning { message: format!("{arm}: {}", warning.message), ..warning },
        None => warning,
    };
    Ok(Analysis { arms: results, sample_ratio, warnings: warnings.into_iter().map(named).collect() })
}

fn check(plan: &AnalysisPlan, arms: &[Moments]) -> Result<(), ExperimentError> {
    super::frequentist::check_share("level", plan.level, "a chance of covering of 0 or 1 gives an empty or an endless interval")?;
    for (name, found) in [("arms", plan.arms.len()), ("weights", plan.weights.len())] {
        if found != arms.len() {
            return Err(ExperimentError::Length { column: name.to_owned(), found, expected: arms.len() });
        }
    }
    if plan.control >= arms.len() {
        let consequence = "there would be nothing to compare with";
        return Err(ExperimentError::Setting {
            name: "control",
            value: plan.control as f64,
            needed: "one of the arms is needed",
            consequence,
        });
    }
    plan.planned.map_or(Ok(()), |planned| {
        if planned.effect.is_finite() && planned.effect != 0.0 {
            return Ok(());
        }
        let consequence = "no number of units finds an effect of 0, and any finds an endless one";
        Err(ExperimentError::Setting {
            name: "planned effect",
            value: planned.effect,
            needed: "a number other than 0 is needed",
            consequence,
        })
    })
}

/// A metric before it is decided on.
struct OfMetric {
    result: MetricResult,
    better: Better,
    /// Of one look.
    effect: Option<super::Effect>,
    contrast: Contrast,
}

/// An arm before it is decided on.
struct Judged {
    arm: String,
    metrics: Vec<OfMetric>,
    problems: Vec<String>,
    balance: Option<Balance>,
    power: Option<f64>,
}

fn judge(
    plan: &AnalysisPlan,
    arm: usize,
    [control, treatment]: [&Moments; 2],
    estimate: impl Fn(usize) -> Result<Estimated, ExperimentError>,
) -> Judged {
    let mut judged = Judged { arm: plan.arms[arm].clone(), metrics: vec![], problems: vec![], balance: None, power: None };
    for (place, metric) in plan.metrics.iter().enumerate() {
        match estimate(place).and_then(|estimated| Ok((judge_metric(plan, metric, &estimated)?, estimated))) {
            Ok(((result, effect), estimated)) => {
                if let (Role::Goal, Some(planned)) = (metric.role, plan.planned) {
                    let power = power_of(plan, planned, &estimated.contrast);
                    judged.power = judged.power.into_iter().chain(power).reduce(f64::min);
                }
                judged.metrics.push(OfMetric { result, better: metric.better, effect, contrast: estimated.contrast });
            }
            Err(error) => judged.problems.push(format!("{}: {error}", metric.name)),
        }
    }
    if !plan.covariates.is_empty() {
        let named: Vec<(Metric, &str)> = plan.covariates.iter().map(|(metric, name)| (*metric, name.as_str())).collect();
        match balance(&named, control, treatment) {
            Ok(balance) => judged.balance = Some(balance),
            Err(error) => judged.problems.push(format!("balance: {error}")),
        }
    }
    judged
}

/// The chance that the planned effect is found with the data there are: of the data, not of a posterior,
/// which a prior makes narrower.
fn power_of(plan: &AnalysisPlan, planned: Planned, contrast: &Contrast) -> Option<f64> {
    let variance = match plan.scale {
        Scale::Absolute => contrast.absolute().1,
        Scale::Relative => contrast.relative().ok()?.1,
    };
    match plan.engine {
        Engine::Sequential { tuning } => {
            let sequential = Sequential { level: plan.level, tuning };
            Some(achieved_power_of_sequence(variance.sqrt(), planned.effect, contrast.units(), sequential))
        }
        _ => achieved_power(variance.sqrt(), planned.effect, 1.0 - plan.level, Tail::TwoSided).ok(),
    }
}

fn judge_metric(
    plan: &AnalysisPlan,
    metric: &MetricPlan,
    estimated: &Estimated,
) -> Result<(MetricResult, Option<super::Effect>), ExperimentError> {
    let contrast = &estimated.contrast;
    plan.scale.check(contrast)?;
    let unit = match plan.scale {
        Scale::Absolute => metric.unit.clone(),
        Scale::Relative => "share of control".to_owned(),
    };
    let mut result = MetricResult {
        metric: metric.name.clone(),
        role: metric.role,
        control: ArmValue::of(&contrast.control, plan.level),
        treatment: ArmValue::of(&contrast.treatment, plan.level),
        effect: 0.0,
        low: 0.0,
        high: 0.0,
        level: plan.level,
        unit,
        value_unit: metric.unit.clone(),
        n: contrast.units(),
        std_error: 0.0,
        p_value: None,
        adjusted_p: None,
        chance_to_beat_control: None,
        risk: None,
        variance_reduction: estimated.variance_reduction,
        guarded: None,
    };
    let effect = fill(plan, metric, contrast, &mut result)?;
    Ok((result, effect))
}

fn fill(
    plan: &AnalysisPlan,
    metric: &MetricPlan,
    contrast: &Contrast,
    result: &mut MetricResult,
) -> Result<Option<super::Effect>, ExperimentError> {
    let level = plan.level;
    match plan.engine {
        Engine::Frequentist => {
            let settings = Frequentist { level, relative: RelativeInterval::Delta, ..Frequentist::default() };
            let effect = frequentist(contrast, plan.scale, settings)?;
            (result.effect, result.low, result.high, result.std_error) = (effect.value, effect.low, effect.high, effect.std_error);
            result.p_value = Some(effect.p_value);
            Ok(Some(effect))
        }
        Engine::Sequential { tuning } => {
            let look = confidence_sequence(contrast, plan.scale, Sequential { level, tuning })?;
            (result.effect, result.low, result.high, result.std_error) = (look.value, look.low, look.high, look.std_error);
            result.p_value = Some(look.p_value);
            Ok(None)
        }
        Engine::Bayesian(prior) => {
            let settings = Bayesian { level, prior, lower_is_better: metric.better == Better::Lower };
            let posterior = bayesian(contrast, plan.scale, settings)?;
            (result.effect, result.low, result.high, result.std_error) = (posterior.value, posterior.low, posterior.high, posterior.sd);
            result.chance_to_beat_control = Some(posterior.chance_to_beat_control);
            result.risk = Some(posterior.risk_of_treatment);
            Ok(None)
        }
    }
}

/// Goals of all arms are one family; guardrails, each of which alone can stop a rollout, aren't adjusted. Sequences are
/// all at the level divided by their number (Bonferroni), so that they hold together whenever they are looked at.
fn adjust_goals(plan: &AnalysisPlan, judged: &mut [Judged]) {
    let mut goals: Vec<&mut OfMetric> =
        judged.iter_mut().flat_map(|judged| judged.metrics.iter_mut()).filter(|metric| metric.result.role == Role::Goal).collect();
    let p_values: Vec<f64> = goals.iter().filter_map(|goal| goal.result.p_value).collect();
    if p_values.is_empty() || p_values.len() < goals.len() {
        return;
    }
    let count = p_values.len() as f64;
    let share = (1.0 - plan.level) / count;
    if let Engine::Sequential { tuning } = plan.engine {
        for goal in goals {
            let together = confidence_sequence(&goal.contrast, plan.scale, Sequential { level: 1.0 - share, tuning });
            if let (Ok(look), Some(p)) = (together, goal.result.p_value) {
                (goal.result.low, goal.result.high) = (look.low, look.high);
                goal.result.adjusted_p = Some((count * p).min(1.0));
            }
        }
        return;
    }
    for (goal, adjusted) in goals.iter_mut().zip(adjust(&p_values, plan.adjust)) {
        goal.result.adjusted_p = Some(adjusted);
        if let Some(effect) = goal.effect {
            let (low, high) = widened(&effect, adjusted);
            // Nothing has to be wider than an interval at a share of the level; far from being told from 0, what goes with p would be endless.
            let half = effect.std_error * super::special::t_upper_quantile(share / 2.0, effect.df);
            (goal.result.low, goal.result.high) = (low.max(effect.value - half), high.min(effect.value + half));
        }
    }
}

impl Judged {
    fn decided(self, plan: &AnalysisPlan, units: u64, warnings: &[Warning]) -> ArmResult {
        let (mut goals, mut rails, mut metrics) = (vec![], vec![], vec![]);
        for OfMetric { mut result, better, .. } in self.metrics {
            let interval = Interval { value: result.effect, low: result.low, high: result.high, n: result.n };
            match result.role {
                Role::Goal => goals.push(GoalResult { metric: result.metric.clone(), interval, better }),
                Role::Guardrail { margin } => {
                    let guarded = guardrail(interval, better, margin);
                    result.guarded = Some(guarded);
                    rails.push(GuardrailResult { metric: result.metric.clone(), guarded });
                }
                Role::Secondary => {}
            }
            metrics.push(result);
        }
        // A guardrail of which nothing can be said doesn't hold.
        let silent = plan.metrics.iter().filter(|metric| matches!(metric.role, Role::Guardrail { .. }));
        let silent = silent.filter(|metric| !metrics.iter().any(|result| result.metric == metric.name));
        rails.extend(silent.map(|metric| GuardrailResult { metric: metric.name.clone(), guarded: Guarded::NotYetKnown }));
        let sequential = matches!(plan.engine, Engine::Sequential { .. });
        let progress = Progress { sequential, units, planned: plan.planned.map(|planned| planned.units), power: self.power };
        let mut decision = decide(&goals, &rails, warnings, progress);
        let silent = plan.metrics.iter().filter(|metric| metric.role == Role::Goal);
        let silent = silent.filter(|metric| !metrics.iter().any(|result| result.metric == metric.name));
        decision.reasons.extend(silent.map(|metric| format!("{}: no figure", metric.name)));
        ArmResult { arm: self.arm, metrics, problems: self.problems, balance: self.balance, power: self.power, decision }
    }
}
