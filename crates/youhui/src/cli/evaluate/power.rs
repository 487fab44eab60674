//! `youhui evaluate power`.

use std::path::PathBuf;

use clap::Args as ClapArgs;
use serde::Serialize;
use youhui_evaluation::experiment::{PowerPlan, Sequential, Tail, detectable, power, units_needed};

use super::super::{CliError, Console, Format};
use super::experiment::Spread;

/// Plan an experiment: how many units it needs, what it could find, or how likely it finds it.
///
/// Give two of --effect, --units and --power (.8 if both others are given): the third is answered. What varies is --sd of a unit's metric,
/// --rate, a share of units such as a conversion, or --metric of --data from before.
#[derive(Debug, ClapArgs)]
pub(crate) struct Args {
    /// Standard deviation of a unit's metric.
    #[arg(long, value_name = "NUMBER", conflicts_with_all = ["rate", "data"], required_unless_present_any = ["rate", "data"])]
    sd: Option<f64>,
    /// Control's share of units, such as .03 of customers who order.
    #[arg(long, value_name = "SHARE", conflicts_with = "data")]
    rate: Option<f64>,
    /// Parquet, CSV or JSON Lines of a time before that is as long as the experiment is to be.
    #[arg(long, value_name = "FILE", requires = "metric", conflicts_with = "cuped")]
    data: Option<PathBuf>,
    /// Whose variance is taken from the data: COLUMN or COLUMN/COLUMN, with cuped=COLUMN (several: a+b) after a comma.
    #[arg(long, value_name = "METRIC", requires = "data")]
    metric: Option<String>,
    /// The column of units of the data: rows of one are summed.
    #[arg(long, value_name = "COLUMN", requires = "data")]
    unit: Option<String>,
    /// The effect to be found, as a difference.
    #[arg(long, value_name = "NUMBER", allow_hyphen_values = true)]
    effect: Option<f64>,
    /// The effect to be found, as a share of the mean in the data, or of the rate.
    #[arg(long, value_name = "SHARE", conflicts_with_all = ["effect", "sd"], allow_hyphen_values = true)]
    relative_effect: Option<f64>,
    /// Units of both arms together.
    #[arg(long, value_name = "N")]
    units: Option<f64>,
    /// The chance of finding it.
    #[arg(long, value_name = "SHARE")]
    power: Option<f64>,
    /// Units of treatment for each of control.
    #[arg(long, value_name = "RATIO", default_value_t = 1.0)]
    ratio: f64,
    /// Goals times arms that are compared with control: the level is divided among them (Bonferroni).
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=1000))]
    comparisons: u16,
    /// Units that come in a day: how many days it takes.
    #[arg(long, value_name = "N")]
    per_day: Option<f64>,
    /// Level of the test.
    #[arg(long, value_name = "SHARE", default_value_t = 0.05)]
    alpha: f64,
    /// Correlation of the metric with what is known of the unit from before (CUPED).
    #[arg(long, value_name = "RHO")]
    cuped: Option<f64>,
    /// Units are rows of clusters that are assigned whole: rows of a cluster on average.
    #[arg(long, value_name = "N", requires = "icc")]
    cluster_size: Option<f64>,
    /// How alike rows of a cluster are, from 0 to 1.
    #[arg(long, value_name = "SHARE", requires = "cluster_size")]
    icc: Option<f64>,
    /// Coefficient of variation of clusters' sizes.
    #[arg(long, value_name = "NUMBER", default_value_t = 0.0, requires = "cluster_size")]
    cluster_cv: f64,
    /// It will be looked at whenever somebody likes (confidence sequence).
    #[arg(long)]
    sequential: bool,
    /// Units at which the sequence is tightest; --units if absent.
    #[arg(long, value_name = "N", requires = "sequential")]
    tuning: Option<f64>,
    /// How to print.
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
}

#[derive(Debug, Serialize)]
struct Plan {
    asked: &'static str,
    units: f64,
    units_of_control: f64,
    units_of_treatment: f64,
    effect: f64,
    power: f64,
    alpha: f64,
    days: Option<f64>,
    /// What it is planned by, where that was read.
    data: Option<Spread>,
    /// Of a unit, after what CUPED takes away and clusters add.
    variance: f64,
    design: Vec<String>,
}

pub(crate) fn run(args: &Args, console: Console) -> Result<(), CliError> {
    let plan = plan(args)?;
    match args.format {
        Format::Json => console.print(&serde_json::to_string(&plan).unwrap_or_default()),
        Format::Table => console.show(&words(&plan)),
    }
}

/// Numbers with which there is something to plan.
fn check(args: &Args) -> Result<(), CliError> {
    if let Some(sd) = args.sd.filter(|sd| *sd <= 0.0 || sd.is_nan()) {
        return Err(CliError::usage(format!("--sd {sd}: give a number above 0")));
    }
    let is_size = |number: f64| number.is_finite() && number != 0.0 && (1e-60..1e60).contains(&number.abs());
    for (flag, number) in [("--sd", args.sd), ("--effect", args.effect), ("--relative-effect", args.relative_effect)] {
        if let Some(number) = number.filter(|number| !is_size(*number)) {
            return Err(CliError::usage(format!("{flag} {number}: give a number other than 0, of a size that can be told from it")));
        }
    }
    if let Some(units) = args.units.filter(|units| !(*units >= 4.0 && *units <= 1e15)) {
        return Err(CliError::usage(format!("--units {units}: give from 4 units to 1e15")));
    }
    match args.tuning.filter(|tuning| !(*tuning > 0.0 && tuning.is_finite())) {
        Some(tuning) => Err(CliError::usage(format!("--tuning {tuning}: give the number of units at which you expect to decide"))),
        None => Ok(()),
    }
}

fn plan(args: &Args) -> Result<Plan, CliError> {
    check(args)?;
    let spread = match (&args.data, &args.metric) {
        (Some(data), Some(metric)) => Some(Spread::read(data, metric, args.unit.as_deref())?),
        _ => None,
    };
    let mean = args.rate.or(spread.as_ref().map(|spread| spread.mean));
    if let (Some(_), Some(mean)) = (args.relative_effect, mean.filter(|mean| *mean <= 0.0)) {
        return Err(CliError::usage(format!(
            "--relative-effect: the mean is {mean}: a share of it would have the wrong sign: give --effect"
        )));
    }
    let effect = args.effect.or_else(|| Some(args.relative_effect? * mean?));
    let mut of = varying(args, spread.as_ref(), effect)?;
    of = PowerPlan { ratio: args.ratio, alpha: args.alpha / f64::from(args.comparisons), tail: Tail::TwoSided, ..of };
    let mut design = vec![];
    if let Some(rho) = args.cuped {
        if !(-1.0..=1.0).contains(&rho) {
            return Err(CliError::usage("--cuped: a correlation lies between -1 and 1"));
        }
        of = of.with_cuped(rho);
        design.push(format!("CUPED takes away {:.1} % of the variance", 100.0 * rho * rho));
    }
    if let (Some(size), Some(icc)) = (args.cluster_size, args.icc) {
        if size < 1.0 || !(0.0..=1.0).contains(&icc) || args.cluster_cv < 0.0 {
            return Err(CliError::usage(
                "--cluster-size, --icc, --cluster-cv: a size of 1 or more, a share from 0 to 1, and a number of 0 or more",
            ));
        }
        let before = of.variance;
        of = of.with_clusters(size, args.cluster_cv, icc);
        design.push(format!("clusters multiply the variance by {:.2}", of.variance / before));
    }
    if let Some(reduction) = spread.as_ref().and_then(|spread| spread.variance_reduction) {
        design.push(format!("CUPED takes away {:.1} % of the variance", 100.0 * reduction));
    }
    if args.comparisons > 1 {
        design.push(format!("{} comparisons share the level", args.comparisons));
    }
    let level = 1.0 - of.alpha;
    let sequential = |units: f64| args.sequential.then(|| Sequential { level, tuning: args.tuning.unwrap_or(units) });
    let wanted = args.power.unwrap_or(0.8);
    let (asked, units, effect, power) = match (effect, args.units, args.power) {
        (Some(effect), None, _) => {
            // A sequence is tightest where it is to end, which is what is asked: twice is enough.
            let mut units = units_needed(&PowerPlan { sequential: sequential(5000.0), ..of }, effect, wanted)?;
            for _ in 0..3 {
                units = units_needed(&PowerPlan { sequential: sequential(units), ..of }, effect, wanted)?;
            }
            of.sequential = sequential(units);
            ("units", units, effect, wanted)
        }
        (None, Some(units), _) => {
            of.sequential = sequential(units);
            ("effect", units, found_by(args, of, units, wanted)?, wanted)
        }
        (Some(effect), Some(units), None) => {
            of.sequential = sequential(units);
            ("power", units, effect, power(&of, units, effect)?)
        }
        _ => return Err(CliError::usage("give two of --effect, --units and --power: the third is answered")),
    };
    if of.sequential.is_some() {
        design.push("intervals hold at every look, which takes more units than one look".to_owned());
    }
    if args.per_day.is_some_and(|per_day| !(per_day > 0.0 && per_day.is_finite())) {
        return Err(CliError::usage("--per-day: give a number of units above 0"));
    }
    Ok(Plan {
        asked,
        days: args.per_day.map(|per_day| (units / per_day).ceil()),
        data: spread,
        units,
        units_of_control: units / (1.0 + of.ratio),
        units_of_treatment: units * of.ratio / (1.0 + of.ratio),
        effect,
        power,
        alpha: of.alpha,
        variance: of.variance,
        design,
    })
}

/// The effect that so many units find. Of a rate, the treated vary by their own, which the effect makes.
fn found_by(args: &Args, mut of: PowerPlan, units: f64, wanted: f64) -> Result<f64, CliError> {
    let mut effect = detectable(&of, units, wanted)?;
    let Some(rate) = args.rate else { return Ok(effect) };
    // What CUPED and clusters make of a variance.
    let factor = of.variance / (rate * (1.0 - rate));
    for _ in 0..100 {
        let other = rate + effect;
        if other >= 1.0 {
            return Err(CliError::usage(format!("--units {units}: so few find no effect: the rate would be above 1")));
        }
        of.treatment_variance = Some(factor * other * (1.0 - other));
        let next = detectable(&of, units, wanted)?;
        if (next - effect).abs() < 1e-12 * effect {
            break;
        }
        effect = next;
    }
    Ok(effect)
}

/// What varies among units.
fn varying(args: &Args, spread: Option<&Spread>, effect: Option<f64>) -> Result<PowerPlan, CliError> {
    match (args.sd, args.rate, spread) {
        (_, _, Some(spread)) => Ok(PowerPlan::new(spread.variance)),
        (Some(sd), ..) => Ok(PowerPlan::new(sd * sd)),
        (None, Some(rate), _) if rate > 0.0 && rate < 1.0 => {
            let other = rate + effect.unwrap_or(0.0);
            if other > 0.0 && other < 1.0 {
                return Ok(PowerPlan::proportion(rate, other));
            }
            Err(CliError::usage(format!("--effect: the rate would be {other}: a share lies between 0 and 1")))
        }
        _ => Err(CliError::usage("--rate: give a share between 0 and 1")),
    }
}

fn words(plan: &Plan) -> String {
    let mut lines = vec![format!(
        "{:.0} units ({:.0} of control, {:.0} of treatment) find an effect of {:.6} with a chance of {:.1} % at level {}",
        plan.units.ceil(),
        plan.units_of_control.ceil(),
        plan.units_of_treatment.ceil(),
        plan.effect,
        100.0 * plan.power,
        plan.alpha
    )];
    lines.extend(plan.days.map(|days| format!("{days:.0} days")));
    lines.extend(plan.data.as_ref().map(|spread| {
        format!("{}: mean {:.6}, standard deviation {:.6} among {} units", spread.metric, spread.mean, spread.variance.sqrt(), spread.n)
    }));
    lines.extend(plan.design.iter().cloned());
    lines.join("\n")
}
