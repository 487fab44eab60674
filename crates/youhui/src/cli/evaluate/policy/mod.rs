//! `youhui evaluate policy`.

mod given;
mod judge;
mod loggers;
mod page;
mod plan;
mod rounds;
mod slates;
mod source;
mod table;

use std::path::{Path, PathBuf};

use clap::Args as ClapArgs;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value, json};
use youhui_evaluation::off_policy::{Diagnostics, Interval, OffPolicyError, PolicyValue, ValueDifference};

use super::super::{CliError, Console};
use super::kept::{Kept, Snapshot};

/// Say what a policy would have earned, from a log in which another one drew the actions.
///
/// The log has a row a round: the action, what came of it, and the chance with which it was drawn. A policy is a name (uniform, always:ACTION)
/// or a table: of columns action, probability (and position), the same in every round; with a row a round, a column p_ACTION for each action, or
/// probability, of the action that was logged.
///
/// A log of Parquet is read in blocks, several times over: memory is that of blocks, customers and sums, whatever the number of rounds.
/// Text files are held.
///
/// With --slate a round is one position of a slate; the policy is a table with a row for each row of the log, the log itself if its columns
/// are there. Columns are named as Open Bandit Pipeline names them, or by flags.
#[derive(Debug, ClapArgs)]
pub(crate) struct Args {
    /// Parquet, CSV or JSON Lines: a row a round.
    #[arg(long, value_name = "FILE")]
    log: PathBuf,
    /// The policy to value.
    #[arg(long, value_name = "FILE|NAME")]
    policy: String,
    /// Another policy: how much more the first one earns, in the same rounds.
    #[arg(long, value_name = "FILE|NAME")]
    against: Option<String>,
    /// The column of the action.
    #[arg(long, value_name = "COLUMN", default_value = "action")]
    action: String,
    /// The column of what came of it.
    #[arg(long, value_name = "COLUMN", default_value = "reward")]
    reward: String,
    /// The column of the chance with which the action was drawn [default: propensity]; with --slate, the slate [default: pscore].
    #[arg(long, value_name = "COLUMN")]
    propensity: Option<String>,
    /// The column of the place on the page.
    #[arg(long, value_name = "COLUMN")]
    position: Option<String>,
    /// The column of the policy that drew the action, where several did: what each contributed, and all weighted by precision.
    #[arg(long, value_name = "COLUMN", conflicts_with = "slate")]
    logger: Option<String>,
    /// The column of the mean over all loggers, by their share of rounds, of the chance with which each would have drawn the action (obp:
    /// pscore_avg): for balanced values.
    #[arg(long, value_name = "COLUMN", requires = "logger")]
    mean_propensity: Option<String>,
    /// The column of the slate, whose rows are its positions: values of whole slates by sips, snsips, iips, sniips, rips, snrips, cascade-dr.
    #[arg(long, value_name = "COLUMN", requires = "position", conflicts_with_all = ["against", "features", "bounds", "lambda"])]
    slate: Option<String>,
    /// The column of the chance of the item at its position: for iips [default: pscore_item_position].
    #[arg(long, value_name = "COLUMN", requires = "slate")]
    item_propensity: Option<String>,
    /// The column of the chance of the items from the first position to this one: for rips, cascade-dr [default: pscore_cascade].
    #[arg(long, value_name = "COLUMN", requires = "slate")]
    cascade_propensity: Option<String>,
    /// The policy's column of the chance of the slate [default: evaluation_policy_pscore].
    #[arg(long, value_name = "COLUMN", requires = "slate")]
    policy_propensity: Option<String>,
    /// The policy's column of the chance of the item at its position [default: evaluation_policy_pscore_item_position].
    #[arg(long, value_name = "COLUMN", requires = "slate")]
    policy_item_propensity: Option<String>,
    /// The policy's column of the chance of the items down to this one [default: evaluation_policy_pscore_cascade].
    #[arg(long, value_name = "COLUMN", requires = "slate")]
    policy_cascade_propensity: Option<String>,
    /// The column of the customer: several rounds of one are not independent.
    #[arg(long, value_name = "COLUMN")]
    customer: Option<String>,
    /// all, or some of replay, ipw, snipw, dm, dr, sndr, and with a λ clipped-ipw, sg-ipw (sub-Gaussian), clipped-dr, switch-dr, dr-os
    /// (optimistic shrinkage), sg-dr; tuned is all of these.
    #[arg(long, value_name = "NAME", value_delimiter = ',', default_value = "all")]
    estimator: Vec<String>,
    /// λ of the estimators that have one, instead of the one that is chosen; of several, each.
    #[arg(long, value_name = "NUMBER", value_delimiter = ',', allow_negative_numbers = true)]
    lambda: Vec<f64>,
    /// The reward model of direct and doubly robust estimators, cross-fitted; its action effects and --features.
    #[arg(long, value_enum, default_value = "ridge")]
    reward_model: Model,
    /// How much a round counts in the model's fit: mrdr is for least variance of dr (more robust doubly robust).
    #[arg(long, value_enum, default_value = "equal")]
    fitting: WeightsName,
    /// Columns of numbers that the reward model knows a round by.
    #[arg(long, value_name = "COLUMN", value_delimiter = ',')]
    features: Vec<String>,
    /// How λ is chosen.
    #[arg(long, value_enum, default_value = "slope")]
    tuning: TuningName,
    /// Bootstrap draws; 0 for none.
    #[arg(long, value_name = "N", default_value_t = 1000)]
    bootstrap: usize,
    /// Least and greatest reward that there can be: for intervals that hold whatever the rewards are like (empirical Bernstein).
    #[arg(long, value_name = "LEAST,GREATEST", value_delimiter = ',', num_args = 1)]
    bounds: Vec<f64>,
    /// Seed of draws and folds.
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// How surely intervals cover.
    #[arg(long, value_name = "SHARE", default_value_t = 0.95)]
    level: f64,
    /// What a reward is measured in [default: reward per round; per slate].
    #[arg(long, value_name = "TEXT")]
    unit: Option<String>,
    #[command(flatten)]
    kept: Kept,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
enum Model {
    None,
    Ridge,
    Logistic,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
enum TuningName {
    Slope,
    MeanSquaredError,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
enum WeightsName {
    Equal,
    Importance,
    Mrdr,
}

impl Args {
    /// The policy, and the other one.
    fn policies(&self) -> impl Iterator<Item = &str> {
        std::iter::once(&self.policy).chain(&self.against).map(String::as_str)
    }
}

/// What is printed.
#[derive(Debug, Serialize)]
struct Printed {
    log: String,
    hash: String,
    rounds: u64,
    run: Option<String>,
    policy: String,
    against: Option<String>,
    level: f64,
    /// What the logging policy itself earned.
    logged: PolicyValue,
    values: Vec<PolicyValue>,
    /// The policy of `--against`, by itself.
    other: Option<Other>,
    /// The policy less the other, in the same rounds.
    differences: Vec<ValueDifference>,
    loggers: Option<Found>,
    diagnostics: Diagnostics,
    warnings: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Other {
    policy: String,
    values: Vec<PolicyValue>,
    diagnostics: Diagnostics,
}

/// What was found of several loggers.
#[derive(Debug, Serialize)]
struct Found {
    loggers: Vec<loggers::OfLogger>,
    together: Vec<loggers::Together>,
}

impl From<OffPolicyError> for CliError {
    fn from(error: OffPolicyError) -> Self {
        Self::usage(error.to_string())
    }
}

/// Draws of the bootstrap that are kept.
const MOST_DRAWS: usize = 100_000;

impl Args {
    /// What may be a file that is read.
    fn files(&self) -> Vec<&Path> {
        let policies = std::iter::once(&self.policy).chain(&self.against).map(Path::new);
        std::iter::once(self.log.as_path()).chain(policies).collect()
    }
}

pub(crate) fn run(args: &Args, console: Console) -> Result<(), CliError> {
    let started = Timestamp::now();
    if args.bootstrap > MOST_DRAWS {
        return Err(CliError::usage(format!(
            "--bootstrap {}: at most {MOST_DRAWS} draws: more change no digit that is shown",
            args.bootstrap
        )));
    }
    if let Some(of_later) = args.features.iter().find(|name| **name == args.reward || Some(*name) == args.propensity.as_ref()) {
        return Err(CliError::usage(format!(
            "--features {of_later}: the reward model would foresee what came of it from that itself: give what was known before"
        )));
    }
    if !(args.level > 0.0 && args.level < 1.0) {
        return Err(CliError::usage(format!("--level {}: it is a share between 0 and 1, such as 0.95", args.level)));
    }
    let bar = console.bar("reading");
    if let Some(slate) = &args.slate {
        let mut printed = slates::judge(args, slate)?;
        bar.finish_and_clear();
        let snapshot = (printed.log.clone(), printed.hash.clone(), figures_of_slates(&printed));
        printed.run = Some(keep(args, started, snapshot, || page::of_slates(&printed))?);
        return args.kept.print(console, &printed, table::of_slates);
    }
    let mut rounds = rounds::Rounds::read(args)?;
    bar.set_message("judging");
    let mut printed = judge::judge(args, &mut rounds)?;
    bar.finish_and_clear();
    let snapshot = (printed.log.clone(), printed.hash.clone(), figures(&printed));
    printed.run = Some(keep(args, started, snapshot, || page::html(&printed))?);
    args.kept.print(console, &printed, table::of_rounds)
}

fn keep(
    args: &Args,
    started: Timestamp,
    (log, hash, figures): (String, String, Map<String, Value>),
    page: impl FnOnce() -> String,
) -> Result<String, CliError> {
    let snapshot =
        Snapshot { command: "evaluate policy", configuration: configuration(args), data: (log, hash), files: &args.files(), figures };
    args.kept.keep(snapshot, started, page)
}

fn configuration(args: &Args) -> Value {
    json!({
        "policy": args.policy, "against": args.against, "action": args.action, "reward": args.reward, "propensity": args.propensity,
        "position": args.position, "customer": args.customer, "logger": args.logger, "mean_propensity": args.mean_propensity,
        "slate": args.slate, "item_propensity": args.item_propensity, "cascade_propensity": args.cascade_propensity,
        "policy_propensity": args.policy_propensity, "policy_item_propensity": args.policy_item_propensity,
        "policy_cascade_propensity": args.policy_cascade_propensity, "estimator": args.estimator, "lambda": args.lambda,
        "reward_model": args.reward_model, "fitting": args.fitting, "features": args.features, "tuning": args.tuning,
        "bootstrap": args.bootstrap, "bounds": args.bounds, "seed": args.seed, "level": args.level,
    })
}

fn figures(printed: &Printed) -> Map<String, Value> {
    let mut figures = Map::new();
    for value in printed.values.iter().chain([&printed.logged]) {
        note(&mut figures, &value.estimator, value.value, value.normal);
    }
    for difference in &printed.differences {
        note(&mut figures, &format!("{}.difference", difference.estimator), difference.difference, difference.paired);
    }
    for one in printed.loggers.iter().flat_map(|found| &found.together) {
        note(&mut figures, &format!("{}.{}", one.way, one.estimator), one.value, one.normal);
    }
    figures.insert("effective_sample_size".to_owned(), json!(printed.diagnostics.effective_sample_size));
    figures
}

fn figures_of_slates(printed: &slates::PrintedSlates) -> Map<String, Value> {
    let mut figures = Map::new();
    for value in printed.values.iter().chain([&printed.logged]) {
        note(&mut figures, &value.estimator, value.value, value.normal);
    }
    figures
}

/// A figure as a snapshot remembers it.
fn note(figures: &mut Map<String, Value>, name: &str, value: Option<f64>, interval: Option<Interval>) {
    figures.insert(format!("{name}.value"), json!(value));
    figures.insert(format!("{name}.low"), json!(interval.map(|interval| interval.low)));
    figures.insert(format!("{name}.high"), json!(interval.map(|interval| interval.high)));
}
