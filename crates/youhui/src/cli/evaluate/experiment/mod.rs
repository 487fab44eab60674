//! `youhui evaluate experiment`.

mod design;
mod judge;
mod metrics;
mod page;
mod planning;
mod read;
mod table;

use std::path::PathBuf;

use clap::Args as ClapArgs;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value, json};
use youhui_evaluation::experiment::{Adjust, Engine, Prior, Robust, Scale, Warning};
use youhui_storage::columns_of;

use super::super::{CliError, Console};
use super::kept::{Kept, Snapshot, of_metrics};
use design::{Design, DesignArgs};
use judge::Report;
use metrics::{Kind, Spec, source};
pub(super) use planning::Spread;
use read::{Gathered, NoveltyArgs, Wanted};

/// Say what an experiment caused: effects with intervals, checks of the experiment itself, guardrails, and what to do.
///
/// One row a unit (a customer), or several with --unit, which are summed; or aggregates with --aggregates. Parquet is read a block at a time, unless
/// a unit, a cluster, a switchback, a cap, a quantile, or --variance hc2 or hc3 needs all rows at once.
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
    /// What is to get better: COLUMN, COLUMN/COLUMN, COLUMN>0 (who has any) or p90(COLUMN), with options after commas (cuped=COLUMN, lower, cap=0.99,
    /// parts, unit=TEXT, name=TEXT). Several times.
    #[arg(long, value_name = "METRIC", required = true)]
    metric: Vec<String>,
    /// What may not get worse by more than margin=NUMBER.
    #[arg(long, value_name = "METRIC")]
    guardrail: Vec<String>,
    /// What is looked at.
    #[arg(long, value_name = "METRIC")]
    secondary: Vec<String>,
    /// Each arm's share of the lot: control=1,new=1; equal if absent.
    #[arg(long, value_name = "ARM=SHARE", value_delimiter = ',')]
    weights: Vec<String>,
    #[command(flatten)]
    design: DesignArgs,
    /// Columns known before the experiment: the arms have to be alike in them.
    #[arg(long, value_name = "COLUMN", value_delimiter = ',')]
    covariates: Vec<String>,
    /// How a metric's cuped= columns adjust it: CUPED, one slope for both arms, or a line in each arm (Lin).
    #[arg(long, value_enum, default_value = "cuped")]
    adjustment: AdjustmentName,
    /// The variance of ancova and interacted: equal spread, or robust (HC2, the default, or HC3).
    #[arg(long, value_enum)]
    variance: Option<VarianceName>,
    /// Columns fixed before the experiment: effects within their values, weighed by how many units each has (post-stratification).
    #[arg(long, value_name = "COLUMN", value_delimiter = ',')]
    strata: Vec<String>,
    /// A column to break the first goal down by.
    #[arg(long, value_name = "COLUMN")]
    dimension: Option<String>,
    /// The column of when a unit came in: effects over time, with the sequence that may be looked at every day.
    #[arg(long, value_name = "COLUMN")]
    date: Option<String>,
    #[command(flatten)]
    novelty: NoveltyArgs,
    /// The data are sums: a row an arm (and value, date, stratum), with n, sum_COLUMN, and sum_COLUMN_COLUMN (or sum_COLUMN*COLUMN) for every two columns.
    #[arg(long, conflicts_with_all = ["unit", "cluster", "switchback"])]
    aggregates: bool,
    /// One look that was planned, looks whenever you like, or a posterior.
    #[arg(long, value_enum, default_value = "frequentist")]
    engine: EngineName,
    /// Units at which a sequence is tightest.
    #[arg(long, value_name = "N", default_value_t = 5000.0)]
    tuning: f64,
    /// Mean and standard deviation of what effects are usually like, in the scale; a flat prior if absent.
    #[arg(long, value_name = "MEAN,SD", value_delimiter = ',', num_args = 1, allow_hyphen_values = true)]
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
    #[arg(long, value_name = "NUMBER", requires = "planned_units", allow_hyphen_values = true)]
    planned_effect: Option<f64>,
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

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
enum AdjustmentName {
    Cuped,
    Ancova,
    Interacted,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
enum VarianceName {
    Classical,
    Hc2,
    Hc3,
}

pub(crate) fn run(args: &Args, console: Console) -> Result<(), CliError> {
    let started = Timestamp::now();
    check_tuning(args.tuning)?;
    let specs = specs(args)?;
    check(args, &specs)?;
    let columns = columns(args, &specs);
    let bar = console.bar("reading");
    let gathered = gather(args, &specs, &columns)?;
    bar.set_message("judging");
    let mut report = judge::judge(args, &specs, &columns, gathered)?;
    bar.finish_and_clear();
    let snapshot = Snapshot {
        command: "evaluate experiment",
        configuration: configuration(args),
        data: (report.data.clone(), report.hash.clone()),
        figures: figures(&report),
        files: &[&args.data],
    };
    report.run = Some(args.kept.keep(snapshot, started, || page::html(&report))?);
    args.kept.print(console, &report, table::table)
}

/// A sequence that is tightest nowhere is endless: said before anything is read.
pub(super) fn check_tuning(tuning: f64) -> Result<(), CliError> {
    if tuning > 0.0 && tuning.is_finite() {
        return Ok(());
    }
    Err(CliError::usage(format!("--tuning {tuning}: give the number of units at which you mean to decide, above 0")))
}

fn specs(args: &Args) -> Result<Vec<Spec>, CliError> {
    let per = args.design.design()?.per();
    let of = |texts: &[String], flag: &str| texts.iter().map(|text| Spec::parse(text, flag, per)).collect::<Result<Vec<_>, _>>();
    let specs = [of(&args.metric, "metric")?, of(&args.guardrail, "guardrail")?, of(&args.secondary, "secondary")?].concat();
    let specs: Vec<Spec> = specs.into_iter().flat_map(Spec::with_parts).collect();
    for (place, spec) in specs.iter().enumerate() {
        let wrong = |why: &str| CliError::usage(format!("{}: {why}", spec.name));
        if specs[..place].iter().any(|other| other.name == spec.name) {
            return Err(wrong("two metrics of that name: give one another with name=TEXT"));
        }
        let capped_otherwise = specs.iter().any(|other| other.cap != spec.cap && shares_column(other, spec));
        if spec.cap.is_some() && capped_otherwise {
            return Err(wrong("a column that is capped has one cap, in every metric that it is in"));
        }
        check_estimator(args, spec).map_err(wrong)?;
    }
    Ok(specs)
}

/// Whether the column that `two` caps is used by `one`.
fn shares_column(one: &Spec, two: &Spec) -> bool {
    two.columns().first().is_some_and(|column| one.columns().contains(column))
}

/// What can't be had together.
fn check_estimator(args: &Args, spec: &Spec) -> Result<(), &'static str> {
    let (is_quantile, is_ratio) = match &spec.kind {
        Kind::Quantile { .. } => (true, false),
        Kind::Moments { denominator, .. } => (false, denominator.is_some()),
    };
    let is_grouped = args.design.design().is_ok_and(|design| design.is_of_groups());
    if args.aggregates && (spec.cap.is_some() || is_quantile || spec.measured().iter().any(|name| source(name).is_some())) {
        return Err("a cap, a quantile, parts and COLUMN>0 need rows: leave out --aggregates");
    }
    if is_quantile && matches!(args.design.design(), Ok(Design::Switchback { .. })) {
        return Err("a quantile can't be had of a switchback: take a mean, or the share above a value");
    }
    if spec.covariates.is_empty() {
        return Ok(());
    }
    if !args.strata.is_empty() {
        return Err(
            "adjust by strata or by covariates, not by both: make strata of the covariate, or put the strata's columns after cuped=",
        );
    }
    if args.adjustment != AdjustmentName::Cuped && (is_ratio || is_grouped) {
        return Err("regression adjusts the mean of a column over units: take --adjustment cuped for ratios, clusters and switchbacks");
    }
    if args.adjustment != AdjustmentName::Cuped && spec.covariates.iter().any(|(_, denominator)| denominator.is_some()) {
        return Err("regression adjusts by columns: take --adjustment cuped for ratios");
    }
    Ok(())
}

/// Columns of metrics and covariates; one that is made of another comes after it.
fn columns<'a>(args: &'a Args, specs: &'a [Spec]) -> Vec<&'a str> {
    let mut columns: Vec<&str> = vec![];
    for column in specs.iter().flat_map(Spec::columns).chain(args.covariates.iter().map(String::as_str)) {
        let made_of = source(column).filter(|_| !args.aggregates);
        for column in made_of.into_iter().chain([column]) {
            if !columns.contains(&column) {
                columns.push(column);
            }
        }
    }
    columns
}

/// What would be ignored, or mean something else than it seems to.
fn check(args: &Args, specs: &[Spec]) -> Result<(), CliError> {
    let wrong = |why: String| Err(CliError::usage(why));
    if args.adjustment != AdjustmentName::Cuped && specs.iter().all(|spec| spec.covariates.is_empty()) {
        return wrong("--adjustment: no metric has columns to adjust by: put cuped=COLUMN after one".to_owned());
    }
    if args.variance.is_some() && args.adjustment == AdjustmentName::Cuped {
        return wrong("--variance: it is of --adjustment ancova and interacted: leave it out, or take one of them".to_owned());
    }
    let is_quantile = specs.first().is_some_and(|goal| matches!(goal.kind, Kind::Quantile { .. }));
    if is_quantile && (args.dimension.is_some() || args.date.is_some()) {
        return wrong(
            "--dimension and --date are of the first goal, and a quantile has no sums by value or date: name a mean or a ratio first"
                .to_owned(),
        );
    }
    let others = [("--dimension", args.dimension.as_slice()), ("--date", args.date.as_slice()), ("--strata", args.strata.as_slice())];
    if let Some((flag, _)) = others.iter().find(|(_, names)| names.contains(&args.assignment)) {
        return wrong(format!("{flag} {}: that is the column of arms: each value would hold one arm alone", args.assignment));
    }
    if !(args.tuning > 0.0 && args.tuning.is_finite()) {
        return wrong(format!("--tuning {}: give the number of units at which you expect to decide", args.tuning));
    }
    let present = columns_of(&args.data)?;
    let taken = specs.iter().flat_map(Spec::measured).find(|name| source(name).is_some() && present.iter().any(|column| column == name));
    taken.map_or(Ok(()), |name| {
        wrong(format!("{}: it has a column {name}, and {name} is who has any: rename the column", args.data.display()))
    })
}

fn gather(args: &Args, specs: &[Spec], columns: &[&str]) -> Result<Gathered, CliError> {
    let design = args.design.design()?;
    let is_regressed = args.adjustment != AdjustmentName::Cuped;
    let wanted = Wanted {
        path: &args.data,
        assignment: &args.assignment,
        control: &args.control,
        design: &design,
        specs,
        columns,
        by: [args.dimension.as_slice(), args.date.as_slice(), &args.strata].map(|names| names.iter().map(String::as_str).collect()),
        keeps_rows: is_regressed && args.variance != Some(VarianceName::Classical),
        novelty: &args.novelty,
    };
    if !args.aggregates {
        return read::rows(&wanted);
    }
    if wanted.keeps_rows {
        return Err(CliError::usage("--variance: hc2 and hc3 need rows: take classical, or leave out --aggregates"));
    }
    if args.novelty.is_wanted() {
        return Err(CliError::usage("--exposed: effects by day since exposure need rows: leave out --aggregates"));
    }
    read::aggregates(&wanted)
}

impl Args {
    /// Where figures of one report are not of one estimator.
    fn other_estimators(&self, specs: &[Spec]) -> Option<Warning> {
        let message = if !self.strata.is_empty() {
            let quantiles = specs.iter().any(|spec| matches!(spec.kind, Kind::Quantile { .. }));
            let has_others = quantiles || self.dimension.is_some() || self.date.is_some();
            has_others.then_some("--strata: effects by value and over time, and quantiles, are not adjusted by strata: they differ a little from the first goal's")
        } else {
            let has_others = self.adjustment != AdjustmentName::Cuped && (self.dimension.is_some() || self.date.is_some());
            has_others
                .then_some("--adjustment: effects by value and over time are adjusted by CUPED: they differ a little from the first goal's")
        };
        message.map(|message| Warning { code: "other_estimator", message: message.to_owned() })
    }

    /// The engine with its settings.
    fn judging(&self) -> Result<Engine, CliError> {
        let prior = match self.prior.as_slice() {
            [] => None,
            &[mean, sd] if mean.is_finite() && sd.is_finite() && sd > 0.0 => Some(Prior { mean, sd, scale: self.scale.of() }),
            _ => return Err(CliError::usage("--prior: write a mean and a standard deviation above 0: 0,0.1")),
        };
        if prior.is_some() && self.engine != EngineName::Bayesian {
            return Err(CliError::usage("--prior: only --engine bayesian has one"));
        }
        Ok(match self.engine {
            EngineName::Frequentist => Engine::Frequentist,
            EngineName::Sequential => Engine::Sequential { tuning: self.tuning },
            EngineName::Bayesian => Engine::Bayesian(prior),
        })
    }
}

impl ScaleName {
    const fn of(self) -> Scale {
        match self {
            Self::Absolute => Scale::Absolute,
            Self::Relative => Scale::Relative,
        }
    }
}

impl AdjustName {
    const fn of(self) -> Adjust {
        match self {
            Self::Holm => Adjust::Holm,
            Self::Hochberg => Adjust::Hochberg,
            Self::BenjaminiYekutieli => Adjust::BenjaminiYekutieli,
            Self::BenjaminiHochberg => Adjust::BenjaminiHochberg,
        }
    }
}

impl VarianceName {
    const fn of(self) -> Robust {
        match self {
            Self::Classical => Robust::Classical,
            Self::Hc2 => Robust::Hc2,
            Self::Hc3 => Robust::Hc3,
        }
    }
}

fn configuration(args: &Args) -> Value {
    json!({
        "assignment": args.assignment, "control": args.control, "metric": args.metric, "guardrail": args.guardrail, "secondary": args.secondary,
        "weights": args.weights, "design": args.design, "covariates": args.covariates, "adjustment": args.adjustment, "variance": args.variance,
        "strata": args.strata, "dimension": args.dimension, "date": args.date, "novelty": args.novelty, "aggregates": args.aggregates,
        "engine": args.engine, "tuning": args.tuning, "prior": args.prior, "scale": args.scale, "level": args.level, "adjust": args.adjust,
        "planned_units": args.planned_units, "planned_effect": args.planned_effect,
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
