//! `youhui evaluate policy`.

mod page;
mod rounds;

use std::path::PathBuf;

use clap::Args as ClapArgs;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value, json};
use youhui_evaluation::off_policy::{
    Bootstrap, Bounds, Comparison, Criterion, Diagnostics, Estimator, Evaluation, Interval, OffPolicyError, Options, PolicyValue,
    ValueDifference, Weighed, estimators, tune_all,
};

use super::super::{CliError, Console};
use super::kept::{Kept, Snapshot, write_page};
use rounds::Rounds;

/// Say what a policy would have earned, from a log in which another one drew the actions.
///
/// The log has a row a round: the action, what came of it, and the chance with which it was drawn. A policy is a name (uniform, always:ACTION)
/// or a table: of columns action, probability (and position), the same in every round; with a row a round, a column p_ACTION for each action, or
/// probability, of the action that was logged.
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
    /// The column of the chance with which the action was drawn.
    #[arg(long, value_name = "COLUMN", default_value = "propensity")]
    propensity: String,
    /// The column of the place on the page.
    #[arg(long, value_name = "COLUMN")]
    position: Option<String>,
    /// The column of the customer: several rounds of one are not independent.
    #[arg(long, value_name = "COLUMN")]
    customer: Option<String>,
    /// all, or some of replay, ipw, snipw, dm, dr, sndr, tuned (clipped, switched, shrunk and sub-Gaussian ones, each at the λ that is chosen).
    #[arg(long, value_name = "NAME", value_delimiter = ',', default_value = "all")]
    estimator: Vec<String>,
    /// The reward model of direct and doubly robust estimators, cross-fitted; its action effects and --features.
    #[arg(long, value_enum, default_value = "ridge")]
    reward_model: Model,
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
    /// What a reward is measured in.
    #[arg(long, value_name = "TEXT", default_value = "reward per round")]
    unit: String,
    /// Write a page with the pictures: one HTML file.
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
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
    /// What the logging policy itself earned, a round.
    logged: f64,
    values: Vec<PolicyValue>,
    /// The policy less the other, in the same rounds.
    differences: Vec<ValueDifference>,
    diagnostics: Diagnostics,
    warnings: Vec<String>,
}

impl From<OffPolicyError> for CliError {
    fn from(error: OffPolicyError) -> Self {
        Self::usage(error.to_string())
    }
}

const NAMES: [&str; 8] = ["all", "replay", "ipw", "snipw", "dm", "dr", "sndr", "tuned"];

pub(crate) fn run(args: &Args, console: Console) -> Result<(), CliError> {
    let started = Timestamp::now();
    if let Some(unknown) = args.estimator.iter().find(|name| !NAMES.contains(&name.as_str())) {
        return Err(CliError::usage(format!("--estimator {unknown}: there are {}", NAMES.join(", "))));
    }
    let bar = console.bar("reading");
    let rounds = Rounds::read(args)?;
    bar.set_message("weighing");
    let model = rounds.model(args)?;
    let (first, second) = rounds.weighed(args, model.as_ref())?;
    bar.set_message("judging");
    let mut printed = judge(args, &rounds, &first, second.as_deref())?;
    bar.finish_and_clear();
    let snapshot = Snapshot {
        command: "evaluate policy",
        configuration: configuration(args),
        data: (printed.log.clone(), printed.hash.clone()),
        figures: figures(&printed),
        artefacts: write_page(args.report.as_deref(), || page::html(&printed))?,
    };
    printed.run = Some(args.kept.keep(snapshot, started)?);
    args.kept.print(console, &printed, table)
}

fn estimators(args: &Args, weighed: &[Weighed], has_model: bool) -> Result<Vec<Box<dyn Estimator>>, CliError> {
    let wants = |name: &str| args.estimator.iter().any(|one| one == name || one == "all");
    let mut all: Vec<Box<dyn Estimator>> = vec![];
    if wants("replay") {
        all.push(Box::new(estimators::ReplayMethod));
    }
    if wants("ipw") {
        all.push(Box::new(estimators::InverseProbabilityWeighting::plain()));
    }
    if wants("snipw") {
        all.push(Box::new(estimators::SelfNormalisedIpw));
    }
    if has_model && wants("dm") {
        all.push(Box::new(estimators::DirectMethod));
    }
    if has_model && wants("dr") {
        all.push(Box::new(estimators::DoublyRobust::plain()));
    }
    if has_model && wants("sndr") {
        all.push(Box::new(estimators::SelfNormalisedDoublyRobust));
    }
    // Rounds in one block: all of them have to be weighed for a choice.
    if wants("tuned")
        && let [weighed] = weighed
    {
        let criterion = match args.tuning {
            TuningName::Slope => Criterion::Slope { delta: 0.05 },
            TuningName::MeanSquaredError => Criterion::MeanSquaredError { upper_bound: true, delta: 0.05 },
        };
        for tuned in tune_all(weighed, criterion)? {
            // At a λ that changes nothing it is one of those above.
            if !all.iter().any(|known| known.name() == tuned.estimator.name()) {
                all.push(tuned.estimator);
            }
        }
    }
    if all.is_empty() {
        return Err(CliError::usage("--estimator: none of these can be had without a reward model, or with a policy in blocks"));
    }
    Ok(all)
}

fn options(args: &Args, rounds: &Rounds) -> Result<Options, CliError> {
    let bounds = match args.bounds.as_slice() {
        [] => None,
        &[least_reward, greatest_reward] => {
            let least = rounds.propensity.iter().copied().fold(1.0, f64::min);
            Some(Bounds { least_reward, greatest_reward, greatest_weight: 1.0 / least })
        }
        _ => return Err(CliError::usage("--bounds: write the least and the greatest reward: 0,1")),
    };
    Ok(Options {
        alpha: 1.0 - args.level,
        bootstrap: (args.bootstrap > 0).then_some(Bootstrap { draws: args.bootstrap, seed: args.seed }),
        bounds,
        unit: args.unit.clone(),
        action_names: rounds.actions.clone(),
    })
}

fn judge(args: &Args, rounds: &Rounds, first: &[Weighed], second: Option<&[Weighed]>) -> Result<Printed, CliError> {
    let has_model = args.reward_model != Model::None && first.iter().all(Weighed::has_expected);
    let options = options(args, rounds)?;
    let mut evaluation = Evaluation::new(estimators(args, first, has_model)?, options.clone())?;
    first.iter().try_for_each(|block| evaluation.add(block))?;
    let report = evaluation.finish()?;
    let mut differences = vec![];
    if let Some(second) = second {
        let both = has_model && second.iter().all(Weighed::has_expected);
        let mut comparison = Comparison::new(estimators(args, first, both)?, options)?;
        if first.len() != second.len() {
            return Err(CliError::usage("--against: give both policies in the same shape"));
        }
        first.iter().zip(second).try_for_each(|(one, two)| comparison.add(one, two))?;
        differences = comparison.finish()?;
    }
    let mut warnings: Vec<String> = report.warnings.iter().map(ToString::to_string).collect();
    if report.values.iter().any(|value| value.estimator == "dm") {
        warnings
            .push("dm: its interval is the spread of what the model expects, and leaves out how wrong the model is: go by dr".to_owned());
    }
    let asked = |name: &str| args.estimator.iter().any(|one| one == name || one == "all");
    if asked("tuned") && first.len() > 1 {
        warnings.push(
            "tuned estimators are left out: all rounds have to be weighed at once for λ to be chosen, and this policy comes in blocks"
                .to_owned(),
        );
    }
    if args.reward_model != Model::None && !has_model && (asked("dm") || asked("dr") || asked("sndr")) {
        warnings.push(
            "dm, dr and sndr are left out: they need the policy's whole distribution, and not only the probability of what was logged"
                .to_owned(),
        );
    }
    if report.values.iter().any(|value| value.estimator.contains('λ')) {
        warnings.push("tuned estimators: their intervals leave out that λ was chosen from the same log: too narrow, more so the closer they are to dm".to_owned());
    }
    Ok(Printed {
        log: args.log.display().to_string(),
        hash: rounds.hash.clone(),
        rounds: rounds.action.len() as u64,
        run: None,
        policy: args.policy.clone(),
        against: args.against.clone(),
        level: args.level,
        logged: rounds.reward.iter().sum::<f64>() / rounds.reward.len().max(1) as f64,
        values: report.values,
        differences,
        diagnostics: report.diagnostics,
        warnings,
    })
}

fn configuration(args: &Args) -> Value {
    json!({
        "policy": args.policy, "against": args.against, "action": args.action, "reward": args.reward, "propensity": args.propensity,
        "position": args.position, "customer": args.customer, "estimator": args.estimator, "reward_model": args.reward_model,
        "features": args.features, "tuning": args.tuning, "bootstrap": args.bootstrap, "bounds": args.bounds, "seed": args.seed, "level": args.level,
    })
}

fn figures(printed: &Printed) -> Map<String, Value> {
    let mut figures = Map::new();
    for value in &printed.values {
        figures.insert(format!("{}.value", value.estimator), json!(value.value));
        figures.insert(format!("{}.low", value.estimator), json!(value.normal.map(|interval| interval.low)));
        figures.insert(format!("{}.high", value.estimator), json!(value.normal.map(|interval| interval.high)));
    }
    figures.insert("logged".to_owned(), json!(printed.logged));
    figures.insert("effective_sample_size".to_owned(), json!(printed.diagnostics.effective_sample_size));
    figures
}

fn table(printed: &Printed) -> String {
    let interval = |interval: Option<Interval>| {
        interval.map_or_else(|| "-".to_owned(), |interval| format!("[{:.6}, {:.6}]", interval.low, interval.high))
    };
    let mut lines = vec![format!("{} in {} rounds; the log itself earned {:.6}", printed.policy, printed.rounds, printed.logged)];
    lines.push(format!("{:<34} {:>12}  {:>24} {:>24} {:>24}", "estimator", "value", "normal", "bootstrap", "Bernstein"));
    for value in &printed.values {
        let number = value.value.map_or_else(|| "none".to_owned(), |value| format!("{value:.6}"));
        lines.push(format!(
            "{:<34} {number:>12}  {:>24} {:>24} {:>24}",
            value.estimator,
            interval(value.normal),
            interval(value.bootstrap),
            interval(value.empirical_bernstein)
        ));
    }
    if let Some(against) = &printed.against {
        lines.push(format!("less {against}, in the same rounds"));
        for one in &printed.differences {
            let number = one.difference.map_or_else(|| "none".to_owned(), |value| format!("{value:.6}"));
            lines.push(format!("{:<34} {number:>12}  {:>24} {:>24}", one.estimator, interval(one.paired), interval(one.bootstrap)));
        }
    }
    lines.extend(printed.warnings.iter().map(|warning| format!("warning: {warning}")));
    if let Some(run) = &printed.run {
        lines.push(format!("kept as run {run}"));
    }
    lines.join("\n")
}
