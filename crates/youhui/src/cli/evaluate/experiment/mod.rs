//! `youhui evaluate experiment`.

mod metrics;
mod page;
mod read;

use std::path::PathBuf;

use clap::Args as ClapArgs;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value, json};
use youhui_evaluation::experiment::{
    Adjust, Analysis, AnalysisPlan, Breakdown, Decision, Engine, Exposure, Frequentist, Guarded, Interval, Planned, Prior, Role, Scale,
    Sequential, Verdict, Warning, analyse, breakdown, confidence_sequence, frequentist, guardrail,
};

use super::super::{CliError, Console};
use super::kept::{Kept, Snapshot, of_metrics, write_page};
use metrics::{Kind, Spec};
use read::{Gathered, Names};

/// Say what an experiment caused: effects with intervals, checks of the experiment itself, guardrails, and what to do.
///
/// One row a unit (a customer), or several with --unit, which are summed; or aggregates with --aggregates. Parquet is read a block at a time, unless
/// --unit, a cap or a quantile needs all rows at once.
#[derive(Debug, ClapArgs)]
pub(crate) struct Args {
    /// Parquet, CSV or JSON Lines.
    #[arg(long, value_name = "FILE")]
    data: PathBuf,
    /// The column that says which arm a row is of.
    #[arg(long, value_name = "COLUMN")]
    assignment: String,
    /// The arm that the others are compared with.
    #[arg(long, value_name = "ARM", default_value = "control")]
    control: String,
    /// What is to get better: COLUMN, COLUMN/COLUMN, with options after commas (cuped=COLUMN, lower, cap=0.99, unit=TEXT, name=TEXT). Several times.
    #[arg(long, value_name = "METRIC", required = true)]
    metric: Vec<String>,
    /// What may not get worse by more than margin=NUMBER; also p90(COLUMN).
    #[arg(long, value_name = "METRIC")]
    guardrail: Vec<String>,
    /// What is looked at; also p90(COLUMN).
    #[arg(long, value_name = "METRIC")]
    secondary: Vec<String>,
    /// Each arm's share of the lot: control=1,new=1; equal if absent.
    #[arg(long, value_name = "ARM=SHARE", value_delimiter = ',')]
    weights: Vec<String>,
    /// The column of whom was assigned: rows of one are summed, whoever was in two arms is left out and said.
    #[arg(long, value_name = "COLUMN")]
    unit: Option<String>,
    /// Columns known before the experiment: the arms have to be alike in them.
    #[arg(long, value_name = "COLUMN", value_delimiter = ',')]
    covariates: Vec<String>,
    /// A column to break the first goal down by.
    #[arg(long, value_name = "COLUMN")]
    dimension: Option<String>,
    /// The column of when a unit came in: effects over time, with the sequence that may be looked at every day.
    #[arg(long, value_name = "COLUMN")]
    date: Option<String>,
    /// The data are sums: a row an arm (and value, and date), with n, sum_COLUMN, and sum_COLUMN_COLUMN for every two columns.
    #[arg(long)]
    aggregates: bool,
    /// One look that was planned, looks whenever you like, or a posterior.
    #[arg(long, value_enum, default_value = "frequentist")]
    engine: EngineName,
    /// Units at which a sequence is tightest.
    #[arg(long, value_name = "N", default_value_t = 5000.0)]
    tuning: f64,
    /// Mean and standard deviation of what effects are usually like, in the scale; a flat prior if absent.
    #[arg(long, value_name = "MEAN,SD", value_delimiter = ',', num_args = 1)]
    prior: Vec<f64>,
    /// Effects as differences, or as shares of control.
    #[arg(long, value_enum, default_value = "absolute")]
    scale: ScaleName,
    /// How surely intervals cover.
    #[arg(long, value_name = "SHARE", default_value_t = 0.95)]
    level: f64,
    /// How goals of all arms are adjusted for how many there are.
    #[arg(long, value_enum, default_value = "holm")]
    adjust: AdjustName,
    /// Units that were planned.
    #[arg(long, value_name = "N", requires = "planned_effect")]
    planned_units: Option<u64>,
    /// The effect that the experiment was to find, in the scale.
    #[arg(long, value_name = "NUMBER", requires = "planned_units")]
    planned_effect: Option<f64>,
    /// Write a page with the pictures: one HTML file.
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    #[command(flatten)]
    kept: Kept,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
enum EngineName {
    Frequentist,
    Sequential,
    Bayesian,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
enum ScaleName {
    Absolute,
    Relative,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
enum AdjustName {
    Holm,
    Hochberg,
    BenjaminiHochberg,
    BenjaminiYekutieli,
}

/// What is printed.
#[derive(Debug, Serialize)]
struct Report {
    data: String,
    hash: String,
    rows: u64,
    run: Option<String>,
    engine: EngineName,
    scale: ScaleName,
    level: f64,
    control: String,
    /// In the order of `sample_ratio`.
    arm_names: Vec<String>,
    assignment: &'static str,
    exposure: Option<Exposure>,
    #[serde(flatten)]
    analysis: Analysis,
    /// Effects on quantiles, not adjusted.
    quantiles: Vec<Quantile>,
    /// Arm by arm, of the first goal as it stands, without CUPED; each interval is for one look.
    breakdowns: Vec<(String, Breakdown)>,
    /// Arm by arm, of the first goal: what was known after each date.
    over_time: Vec<(String, Vec<Look>)>,
}

#[derive(Debug, Serialize)]
struct Quantile {
    arm: String,
    metric: String,
    unit: String,
    role: Role,
    effect: f64,
    low: f64,
    high: f64,
    n: u64,
    p_value: f64,
    guarded: Option<Guarded>,
    /// When the interval holds.
    valid: &'static str,
}

const ONE_LOOK: &str = "one look, not adjusted for how many figures there are";

/// The effect after a date.
#[derive(Debug, Clone, Serialize)]
struct Look {
    date: String,
    effect: f64,
    /// Holds whenever it is looked at.
    low: f64,
    high: f64,
    /// Holds at one date, chosen beforehand.
    fixed_low: f64,
    fixed_high: f64,
    n: u64,
}

pub(crate) fn run(args: &Args, console: Console) -> Result<(), CliError> {
    let started = Timestamp::now();
    let specs = specs(args)?;
    let mut columns: Vec<&str> = vec![];
    for column in specs.iter().flat_map(Spec::columns).chain(args.covariates.iter().map(String::as_str)) {
        if !columns.contains(&column) {
            columns.push(column);
        }
    }
    let names = Names {
        path: &args.data,
        assignment: &args.assignment,
        unit: args.unit.as_deref(),
        dimension: args.dimension.as_deref(),
        date: args.date.as_deref(),
    };
    let bar = console.bar("reading");
    let gathered = if args.aggregates { aggregated(args, &names, &specs, &columns)? } else { read::rows(&names, &specs, &columns)? };
    bar.set_message("judging");
    let mut report = judge(args, &specs, &columns, gathered)?;
    bar.finish_and_clear();
    let snapshot = Snapshot {
        command: "evaluate experiment",
        configuration: configuration(args),
        data: (report.data.clone(), report.hash.clone()),
        figures: figures(&report),
        artefacts: write_page(args.report.as_deref(), || page::html(&report))?,
    };
    report.run = Some(args.kept.keep(snapshot, started)?);
    args.kept.print(console, &report, table)
}

fn specs(args: &Args) -> Result<Vec<Spec>, CliError> {
    let of = |texts: &[String], flag: &str| texts.iter().map(|text| Spec::parse(text, flag)).collect::<Result<Vec<_>, _>>();
    let specs = [of(&args.metric, "metric")?, of(&args.guardrail, "guardrail")?, of(&args.secondary, "secondary")?].concat();
    for (place, spec) in specs.iter().enumerate() {
        if specs[..place].iter().any(|other| other.name == spec.name) {
            return Err(CliError::usage(format!("{}: two metrics of that name: give one another with name=TEXT", spec.name)));
        }
        let capped_otherwise = specs.iter().any(|other| other.cap != spec.cap && shares_column(other, spec));
        if spec.cap.is_some() && capped_otherwise {
            return Err(CliError::usage(format!("{}: a column that is capped has one cap, in every metric that it is in", spec.name)));
        }
    }
    Ok(specs)
}

/// Whether the column that `two` caps is used by `one`.
fn shares_column(one: &Spec, two: &Spec) -> bool {
    two.columns().first().is_some_and(|column| one.columns().contains(column))
}

fn aggregated(args: &Args, names: &Names<'_>, specs: &[Spec], columns: &[&str]) -> Result<Gathered, CliError> {
    let needs_rows = specs.iter().find(|spec| spec.cap.is_some() || matches!(spec.kind, Kind::Quantile { .. }));
    if let Some(spec) = needs_rows {
        return Err(CliError::usage(format!("{}: a cap or a quantile needs rows: leave out --aggregates", spec.name)));
    }
    if args.unit.is_some() {
        return Err(CliError::usage("--unit: aggregates have no rows: sum them by unit before, or whoever was in two arms is not found"));
    }
    read::aggregates(names, columns)
}

fn judge(args: &Args, specs: &[Spec], columns: &[&str], gathered: Gathered) -> Result<Report, CliError> {
    let Gathered { hash, rows, arms, moments, by_value, by_date, quantiles, exposure, warnings } = gathered;
    let control = arms.iter().position(|arm| *arm == args.control).ok_or_else(|| {
        CliError::usage(format!(
            "--control {}: column {} has {}: there would be nothing to compare with",
            args.control,
            args.assignment,
            arms.join(", ")
        ))
    })?;
    if arms.len() < 2 {
        return Err(CliError::usage(format!(
            "column {}: everybody is in one arm: no effect can be told from what would have been",
            args.assignment
        )));
    }
    let places = read::places(columns);
    let plan = AnalysisPlan {
        weights: weights(args, &arms)?,
        control,
        metrics: specs.iter().filter_map(|spec| spec.plan(&places)).collect(),
        covariates: args.covariates.iter().map(|name| (places[name.as_str()], name.clone())).collect(),
        scale: scale(args),
        engine: engine(args)?,
        level: args.level,
        adjust: adjust_of(args.adjust),
        planned: args.planned_units.zip(args.planned_effect).map(|(units, effect)| Planned { units, effect }),
        arms,
    };
    let mut analysis = analyse(&plan, &moments, warnings)?;
    let treatments: Vec<usize> = (0..plan.arms.len()).filter(|arm| *arm != control).collect();
    let settings = Frequentist { level: args.level, ..Frequentist::default() };
    let mut judged = vec![];
    for one in &quantiles {
        let spec = &specs[one.metric];
        for (&arm, result) in treatments.iter().zip(&mut analysis.arms) {
            let found = one.contrast(control, arm).map_err(CliError::from);
            match found.and_then(|contrast| quantile(&plan, spec, &plan.arms[arm], &contrast, settings)) {
                Ok(found) => {
                    if let Some(guarded) = found.guarded {
                        heed(&mut result.decision, &spec.name, guarded);
                    }
                    judged.push(found);
                }
                Err(error) => {
                    result.problems.push(format!("{}: {}", spec.name, error.message));
                    if matches!(spec.role, Role::Guardrail { .. }) {
                        heed(&mut result.decision, &spec.name, Guarded::NotYetKnown);
                    }
                }
            }
        }
    }
    let goal = &plan.metrics[0];
    let breakdowns = treatments.iter().filter(|_| !by_value.is_empty()).map(|&arm| {
        let values: Vec<_> = by_value.iter().map(|(name, arms)| (name.as_str(), &arms[control], &arms[arm])).collect();
        (plan.arms[arm].clone(), breakdown(goal.metric, &values, plan.scale, settings, plan.adjust))
    });
    let breakdowns = breakdowns.collect();
    let over_time = treatments.iter().filter(|_| by_date.len() > 1).map(|&arm| (plan.arms[arm].clone(), looks(args, &plan, &by_date, arm)));
    let over_time = over_time.collect();
    Ok(Report {
        data: args.data.display().to_string(),
        hash,
        rows,
        run: None,
        engine: args.engine,
        scale: args.scale,
        level: args.level,
        control: args.control.clone(),
        arm_names: plan.arms.clone(),
        assignment: match args.unit {
            Some(_) => "by lot, as you say: nothing here can show it but the checks",
            None => {
                "by lot, as you say, and each row a unit of its own (no --unit): whoever stands there twice, or in two arms, is not found"
            }
        },
        exposure,
        analysis,
        quantiles: judged,
        breakdowns,
        over_time,
    })
}

/// A guardrail on a quantile stops a rollout like any other.
fn heed(decision: &mut Decision, metric: &str, guarded: Guarded) {
    let (verdict, why) = match guarded {
        Guarded::Holds => return,
        Guarded::Broken => (Verdict::RollBack, "broken"),
        Guarded::NotYetKnown if decision.verdict == Verdict::Ship => (Verdict::KeepRunning, "not known to hold yet"),
        Guarded::NotYetKnown => return,
    };
    decision.verdict = verdict;
    decision.reasons.insert(0, format!("guardrail {metric}: {why}"));
}

fn quantile(
    plan: &AnalysisPlan,
    spec: &Spec,
    arm: &str,
    contrast: &youhui_evaluation::experiment::Contrast,
    settings: Frequentist,
) -> Result<Quantile, CliError> {
    let effect = frequentist(contrast, plan.scale, settings)?;
    let interval = Interval { value: effect.value, low: effect.low, high: effect.high, n: contrast.units() };
    let guarded = if let Role::Guardrail { margin } = spec.role { Some(guardrail(interval, spec.better, margin)) } else { None };
    let unit = if plan.scale == Scale::Absolute { spec.unit.clone() } else { "share of control".to_owned() };
    let (effect, p_value) = (effect.value, effect.p_value);
    Ok(Quantile {
        arm: arm.to_owned(),
        metric: spec.name.clone(),
        unit,
        role: spec.role,
        effect,
        low: interval.low,
        high: interval.high,
        n: interval.n,
        p_value,
        guarded,
        valid: ONE_LOOK,
    })
}

/// What was known after each date; dates on which an arm had too few units, or nothing had varied yet, have no effect.
fn looks(args: &Args, plan: &AnalysisPlan, by_date: &[(String, Vec<youhui_evaluation::experiment::Moments>)], arm: usize) -> Vec<Look> {
    let goal = &plan.metrics[0];
    let mut sums = [youhui_evaluation::experiment::Moments::empty(by_date[0].1[arm].columns()), by_date[0].1[arm].clone()];
    sums[1] = sums[0].clone();
    let mut looks = vec![];
    for (date, arms) in by_date {
        sums[0].merge(&arms[plan.control]);
        sums[1].merge(&arms[arm]);
        let contrast = if goal.covariates.is_empty() {
            youhui_evaluation::experiment::unadjusted(goal.metric, &sums[0], &sums[1])
        } else {
            youhui_evaluation::experiment::cuped(goal.metric, &goal.covariates, &sums[0], &sums[1]).map(|cuped| cuped.contrast)
        };
        let Ok(contrast) = contrast else { continue };
        let fixed = frequentist(&contrast, plan.scale, Frequentist { level: plan.level, ..Frequentist::default() });
        let always = confidence_sequence(&contrast, plan.scale, Sequential { level: plan.level, tuning: args.tuning });
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

fn weights(args: &Args, arms: &[String]) -> Result<Vec<f64>, CliError> {
    if args.weights.is_empty() {
        return Ok(vec![1.0; arms.len()]);
    }
    let mut weights = vec![0.0; arms.len()];
    for text in &args.weights {
        let wrong = |why: &str| CliError::usage(format!("--weights {text}: {why}: write ARM=SHARE for each of {}", arms.join(", ")));
        let (arm, share) = text.rsplit_once('=').ok_or_else(|| wrong("no share"))?;
        let place = arms.iter().position(|name| name == arm).ok_or_else(|| wrong("no such arm"))?;
        let share: f64 = share.parse().map_err(|_| wrong("not a number"))?;
        weights[place] = Some(share).filter(|share| share.is_finite() && *share >= 0.0).ok_or_else(|| wrong("not a share"))?;
    }
    Ok(weights)
}

const fn scale(args: &Args) -> Scale {
    match args.scale {
        ScaleName::Absolute => Scale::Absolute,
        ScaleName::Relative => Scale::Relative,
    }
}

const fn adjust_of(name: AdjustName) -> Adjust {
    match name {
        AdjustName::Holm => Adjust::Holm,
        AdjustName::Hochberg => Adjust::Hochberg,
        AdjustName::BenjaminiYekutieli => Adjust::BenjaminiYekutieli,
        AdjustName::BenjaminiHochberg => Adjust::BenjaminiHochberg,
    }
}

fn engine(args: &Args) -> Result<Engine, CliError> {
    let prior = match args.prior.as_slice() {
        [] => None,
        &[mean, sd] if mean.is_finite() && sd.is_finite() && sd > 0.0 => Some(Prior { mean, sd, scale: scale(args) }),
        _ => return Err(CliError::usage("--prior: write a mean and a standard deviation above 0: 0,0.1")),
    };
    if prior.is_some() && args.engine != EngineName::Bayesian {
        return Err(CliError::usage("--prior: only --engine bayesian has one"));
    }
    Ok(match args.engine {
        EngineName::Frequentist => Engine::Frequentist,
        EngineName::Sequential => Engine::Sequential { tuning: args.tuning },
        EngineName::Bayesian => Engine::Bayesian(prior),
    })
}

fn configuration(args: &Args) -> Value {
    json!({
        "assignment": args.assignment, "control": args.control, "metric": args.metric, "guardrail": args.guardrail, "secondary": args.secondary,
        "weights": args.weights, "unit": args.unit, "covariates": args.covariates, "dimension": args.dimension, "date": args.date,
        "aggregates": args.aggregates, "engine": args.engine, "tuning": args.tuning, "prior": args.prior, "scale": args.scale,
        "level": args.level, "adjust": args.adjust, "planned_units": args.planned_units, "planned_effect": args.planned_effect,
    })
}

/// What a snapshot remembers.
fn figures(report: &Report) -> Map<String, Value> {
    let mut figures = Map::new();
    for arm in &report.analysis.arms {
        figures.extend(of_metrics(&format!("{}.", arm.arm), &arm.metrics));
        figures.insert(format!("{}.verdict", arm.arm), json!(arm.decision.verdict));
    }
    figures.insert("sample_ratio.p_value".to_owned(), json!(report.analysis.sample_ratio.p_value));
    figures.insert("warnings".to_owned(), json!(report.analysis.warnings.iter().map(|warning| warning.code).collect::<Vec<_>>()));
    figures
}

const fn verdict(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Ship => "ship",
        Verdict::KeepRunning => "keep running",
        Verdict::RollBack => "roll back",
    }
}

/// As people read it.
fn table(report: &Report) -> String {
    let mut lines = vec![];
    for arm in &report.analysis.arms {
        lines.push(format!("{} against {}: {}", arm.arm, report.control, verdict(arm.decision.verdict)));
        lines.extend(arm.decision.reasons.iter().map(|reason| format!("  {reason}")));
        lines.push(format!(
            "  {:<28} {:>12} {:>12} {:>12}  {:>26} {:>9} {:>10}  unit",
            "metric", "control", "arm", "effect", "interval", "p", "n"
        ));
        for metric in &arm.metrics {
            let interval = format!("[{:.5}, {:.5}]", metric.low, metric.high);
            let p = metric.adjusted_p.or(metric.p_value).map_or_else(
                || metric.chance_to_beat_control.map_or_else(String::new, |chance| format!("{:.1} %", 100.0 * chance)),
                |p| format!("{p:.4}"),
            );
            let role = match (metric.role, metric.guarded) {
                (Role::Guardrail { .. }, Some(guarded)) => format!(" (guardrail: {})", words(guarded)),
                _ => String::new(),
            };
            lines.push(format!(
                "  {:<28} {:>12.5} {:>12.5} {:>12.5}  {interval:>26} {p:>9} {:>10}  {}{role}",
                metric.metric, metric.control, metric.treatment, metric.effect, metric.n, metric.unit
            ));
        }
        for one in report.quantiles.iter().filter(|one| one.arm == arm.arm) {
            let interval = format!("[{:.5}, {:.5}]", one.low, one.high);
            let role = one.guarded.map_or_else(String::new, |guarded| format!(" (guardrail: {})", words(guarded)));
            lines.push(format!(
                "  {:<28} {:>12} {:>12} {:>12.5}  {interval:>26} {:>9.4} {:>10}  {}{role}",
                one.metric, "", "", one.effect, one.p_value, one.n, one.unit
            ));
        }
        lines.extend(arm.problems.iter().map(|problem| format!("  no figure: {problem}")));
    }
    for (arm, found) in &report.breakdowns {
        lines.push(format!("{arm}, by value (p that all effects are the same: {:.4})", found.heterogeneity_p));
        for one in &found.effects {
            lines.push(match &one.effect {
                Some(effect) => format!(
                    "  {:<28} {:>12.5}  [{:.5}, {:.5}]  p {:.4} (adjusted)",
                    one.dimension,
                    effect.value,
                    effect.low,
                    effect.high,
                    one.adjusted_p.unwrap_or(1.0)
                ),
                None => format!("  {:<28} no figure: {}", one.dimension, one.problem.as_deref().unwrap_or_default()),
            });
        }
    }
    lines.extend(report.analysis.warnings.iter().map(|Warning { message, .. }| format!("warning: {message}")));
    if let Some(run) = &report.run {
        lines.push(format!("kept as run {run}"));
    }
    lines.join("\n")
}

const fn words(guarded: Guarded) -> &'static str {
    match guarded {
        Guarded::Holds => "holds",
        Guarded::Broken => "broken",
        Guarded::NotYetKnown => "not yet known",
    }
}
