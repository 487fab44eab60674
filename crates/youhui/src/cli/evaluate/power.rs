//! `youhui evaluate power`.

use clap::Args as ClapArgs;
use serde::Serialize;
use youhui_evaluation::experiment::{PowerPlan, Sequential, Tail, detectable, power, units_needed};

use super::super::{CliError, Console, Format};

/// Plan an experiment: how many units it needs, what it could find, or how likely it finds it.
///
/// Give two of --effect, --units and --power (.8 if both others are given): the third is answered. What varies is --sd of a unit's metric, or
/// --rate, a share of units such as a conversion.
#[derive(Debug, ClapArgs)]
pub(crate) struct Args {
    /// Standard deviation of a unit's metric.
    #[arg(long, value_name = "NUMBER", conflicts_with = "rate", required_unless_present = "rate")]
    sd: Option<f64>,
    /// Control's share of units, such as .03 of customers who order.
    #[arg(long, value_name = "SHARE")]
    rate: Option<f64>,
    /// The effect to be found, as a difference.
    #[arg(long, value_name = "NUMBER")]
    effect: Option<f64>,
    /// Units of both arms together.
    #[arg(long, value_name = "N")]
    units: Option<f64>,
    /// The chance of finding it.
    #[arg(long, value_name = "SHARE")]
    power: Option<f64>,
    /// Units of treatment for each of control.
    #[arg(long, value_name = "RATIO", default_value_t = 1.0)]
    ratio: f64,
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
    #[arg(long, value_name = "NUMBER", default_value_t = 0.0)]
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
    /// Of a unit, after what CUPED takes away and clusters add.
    variance: f64,
    design: Vec<String>,
}

pub(crate) fn run(args: &Args, console: Console) -> Result<(), CliError> {
    let plan = plan(args)?;
    match args.format {
        Format::Json => console.print(&serde_json::to_string(&plan).unwrap_or_default()),
        Format::Table => console.print(&words(&plan)),
    }
}

fn plan(args: &Args) -> Result<Plan, CliError> {
    let mut of = match (args.sd, args.rate) {
        (Some(sd), _) if sd.is_finite() && sd > 0.0 => PowerPlan::new(sd * sd),
        (None, Some(rate)) if rate > 0.0 && rate < 1.0 => {
            let other = rate + args.effect.unwrap_or(0.0);
            if !(other > 0.0 && other < 1.0) {
                return Err(CliError::usage(format!("--effect: the rate would be {other}: a share lies between 0 and 1")));
            }
            PowerPlan::proportion(rate, other)
        }
        (Some(_), _) => return Err(CliError::usage("--sd: give a number above 0")),
        _ => return Err(CliError::usage("--rate: give a share between 0 and 1")),
    };
    of = PowerPlan { ratio: args.ratio, alpha: args.alpha, tail: Tail::TwoSided, ..of };
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
    let sequential = |units: f64| args.sequential.then(|| Sequential { level: 1.0 - args.alpha, tuning: args.tuning.unwrap_or(units) });
    let wanted = args.power.unwrap_or(0.8);
    let (asked, units, effect, power) = match (args.effect, args.units, args.power) {
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
            ("effect", units, detectable(&of, units, wanted)?, wanted)
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
    Ok(Plan {
        asked,
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
    lines.extend(plan.design.iter().cloned());
    lines.join("\n")
}
