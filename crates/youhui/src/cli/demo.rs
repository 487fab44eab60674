//! `youhui demo`.

use std::path::PathBuf;

use clap::Args as ClapArgs;
use youhui_design::Goal;

use super::{CliError, Console, Format};
use crate::demo::{Request, Source, run as run_demo};

/// Run the whole loop on real data: learn customers, design promotions, spend a budget, judge
/// honestly, and write a report.
#[derive(Debug, ClapArgs)]
pub(crate) struct Args {
    /// The whole Complete Journey instead of the bundled sample; fetched once.
    #[arg(long, conflicts_with_all = ["dataset", "store"])]
    full: bool,
    /// Another data set of `youhui dataset list`, such as ta-feng; fetched once.
    #[arg(long, value_name = "NAME", conflicts_with = "store")]
    dataset: Option<String>,
    /// Your own data: a store that `youhui import` made.
    #[arg(long, value_name = "DIR")]
    store: Option<PathBuf>,
    /// What promotions are for; may be given several times.
    #[arg(long = "goal", value_name = "GOAL", value_parser = parse_goal, default_values = ["retain", "win-back", "basket-lift", "cross-sell"], help = goal_help())]
    goals: Vec<Goal>,
    /// Most to spend in 28 days, in the shop's currency; 1 % of the last 28 days' revenue if absent.
    #[arg(long)]
    budget: Option<f64>,
    /// What it costs to reach a customer once, in the shop's currency.
    #[arg(long, default_value_t = 0.10)]
    contact_cost: f64,
    /// Share of the amount that must stay as margin after a promotion, 0 to 1.
    #[arg(long, default_value_t = 0.05)]
    margin_floor: f64,
    /// Seed of everything that is drawn: the same seed gives the same plan.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Where report.html, plan.json, promotions.json, assignments.parquet and profiles.parquet go.
    #[arg(long, value_name = "DIR", default_value = "youhui-demo")]
    out: PathBuf,
    /// How to print the summary.
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
}

pub(crate) fn goal_help() -> String {
    format!("What promotions are for, one of {}; may be given several times", Goal::ALL.map(Goal::name).join(", "))
}

pub(crate) fn parse_goal(text: &str) -> Result<Goal, String> {
    Goal::from_name(text).ok_or_else(|| format!("no such goal; write one of {}", Goal::ALL.map(Goal::name).join(", ")))
}

pub(crate) fn run(args: &Args, console: Console) -> Result<(), CliError> {
    if !(0.0..1.0).contains(&args.margin_floor) {
        return Err(CliError::usage(format!("--margin-floor {}: give a share from 0 to below 1, such as 0.05", args.margin_floor)));
    }
    let mut goals = args.goals.clone();
    goals.sort();
    goals.dedup();
    let request = Request {
        source: match (&args.store, &args.dataset) {
            (Some(root), _) => Source::Store(root.clone()),
            (None, Some(name)) => Source::Dataset(name.clone()),
            (None, None) if args.full => Source::Dataset("complete-journey".to_owned()),
            (None, None) => Source::Sample,
        },
        goals,
        budget: args.budget,
        contact_cost: args.contact_cost,
        margin_floor: args.margin_floor,
        seed: args.seed,
        out: Some(args.out.clone()),
    };
    let summary = run_demo(&request, console)?;
    match args.format {
        Format::Json => console.print(&summary.json.to_string()),
        Format::Table => console.show(&format!("\n{}\n\nreport: {}", summary.text, args.out.join("report.html").display())),
    }
}
