//! `youhui evaluate policy`.

use std::path::{Path, PathBuf};

use clap::Args as ClapArgs;
use jiff::Timestamp;
use maud::html;
use rustc_hash::FxHashMap;
use serde::Serialize;
use serde_json::{Map, Value, json};
use youhui_evaluation::off_policy::{
    Bootstrap, Bounds, Comparison, Criterion, Diagnostics, Estimator, Evaluation, Expected, Fitting, FittingWeights, Log, OffPolicyError,
    Options, PolicyValue, Regression, RewardModel, Shape, Target, ValueDifference, Weighed, estimators, tune_all, weigh,
};
use youhui_storage::{MISSING, Table, columns_of, read_table_as, read_table_in_blocks};

use super::super::{CliError, Console, Format};
use super::keep;
use super::page::{charts, whole};
use crate::runs::Artefact;

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
    /// Where the snapshot is kept: `youhui runs list|diff` compares them.
    #[arg(long, value_name = "DIR", default_value = crate::runs::FOLDER)]
    runs: PathBuf,
    /// How to print.
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
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
    let first = rounds.weighed(args, &args.policy, model.as_ref())?;
    let second = args.against.as_ref().map(|other| rounds.weighed(args, other, model.as_ref())).transpose()?;
    // A policy that is the same in every round is weighed in the other's blocks.
    let second = match (&second, &args.against) {
        (Some(found), Some(other)) if found.len() != first.len() => {
            Some(rounds.weighed_like(other, &first, model.as_ref())?.unwrap_or_else(|| second.unwrap_or_default()))
        }
        _ => second,
    };
    let first = match &second {
        Some(found) if found.len() != first.len() => rounds.weighed_like(&args.policy, found, model.as_ref())?.unwrap_or(first),
        _ => first,
    };
    bar.set_message("judging");
    let mut printed = judge(args, &rounds, &first, second.as_deref())?;
    bar.finish_and_clear();
    let mut artefacts = vec![];
    if let Some(path) = &args.report {
        let page = page(&printed);
        youhui_storage::write_atomic(path, page.as_bytes())?;
        artefacts.push(Artefact::of(path, page.as_bytes()));
    }
    let data = Artefact { path: printed.log.clone(), hash: printed.hash.clone() };
    printed.run = Some(keep(&args.runs, "evaluate policy", configuration(args), data, figures(&printed), artefacts, started)?);
    match args.format {
        Format::Json => console.print(&serde_json::to_string(&printed).unwrap_or_default()),
        Format::Table => console.print(&table(&printed)),
    }
}

/// The log.
struct Rounds {
    hash: String,
    shape: Shape,
    actions: Vec<String>,
    places: FxHashMap<String, u32>,
    positions: Vec<String>,
    action: Vec<u32>,
    position: Option<Vec<u32>>,
    reward: Vec<f64>,
    propensity: Vec<f64>,
    customer: Option<Vec<u64>>,
    /// `[round][feature]`.
    context: Vec<f64>,
    width: usize,
}

impl Rounds {
    fn read(args: &Args) -> Result<Self, CliError> {
        let mut wanted: Vec<String> = vec![args.action.clone(), args.reward.clone(), args.propensity.clone()];
        wanted.extend(args.position.iter().chain(&args.customer).cloned());
        wanted.extend(args.features.iter().filter(|name| !wanted.contains(name)).cloned().collect::<Vec<_>>());
        let texts: Vec<&str> =
            [Some(&args.action), args.customer.as_ref(), args.position.as_ref()].into_iter().flatten().map(String::as_str).collect();
        let mut table = read_table_as(&args.log, Some(&wanted), &texts)?;
        let features = args.features.iter().map(|name| numbers(&args.log, &table, name)).collect::<Result<Vec<_>, _>>()?;
        let (rounds, width) = (table.rows(), features.len());
        let mut context = Vec::with_capacity(rounds * width);
        (0..rounds).for_each(|row| context.extend(features.iter().map(|column| column[row])));
        let (action, actions) = names(args, &mut table, &args.action)?;
        // Every action of the policy counts, also those that were never logged.
        let mut all = actions;
        for policy in std::iter::once(&args.policy).chain(&args.against) {
            for name in actions_of(policy)? {
                if !all.contains(&name) {
                    all.push(name);
                }
            }
        }
        let (position, positions) = match &args.position {
            Some(column) => {
                let (codes, names) = names(args, &mut table, column)?;
                (Some(codes), names)
            }
            None => (None, vec!["1".to_owned()]),
        };
        let customer = match &args.customer {
            Some(column) => Some(names(args, &mut table, column)?.0.into_iter().map(u64::from).collect()),
            None => None,
        };
        Ok(Self {
            hash: table.hash.clone(),
            shape: Shape { actions: all.len(), positions: positions.len() },
            places: all.iter().cloned().zip(0..).collect(),
            actions: all,
            positions,
            action,
            position,
            reward: numbers(&args.log, &table, &args.reward)?.to_vec(),
            propensity: numbers(&args.log, &table, &args.propensity)?.to_vec(),
            customer,
            context,
            width,
        })
    }

    fn log(&self, rows: std::ops::Range<usize>) -> Log<'_> {
        Log {
            action: &self.action[rows.clone()],
            position: self.position.as_ref().map(|position| &position[rows.clone()]),
            reward: &self.reward[rows.clone()],
            propensity: &self.propensity[rows.clone()],
            customer: self.customer.as_ref().map(|customer| &customer[rows.clone()]),
            first_row: rows.start as u64,
        }
    }

    fn whole(&self) -> Log<'_> {
        self.log(0..self.action.len())
    }

    fn model(&self, args: &Args) -> Result<Option<RewardModel>, CliError> {
        let regression = match args.reward_model {
            Model::None => return Ok(None),
            Model::Ridge => Regression::Ridge { penalty: 1.0 },
            Model::Logistic => Regression::Logistic { penalty: 1.0 },
        };
        let fitting = Fitting { regression, weights: FittingWeights::Equal, folds: 5, seed: args.seed };
        Ok(Some(RewardModel::fit(self.shape, &self.whole(), &self.context, self.width, None, fitting)?))
    }

    /// The log weighed for a policy, in blocks.
    fn weighed(&self, args: &Args, policy: &str, model: Option<&RewardModel>) -> Result<Vec<Weighed>, CliError> {
        if let Some(constant) = self.constant(policy)? {
            return Ok(vec![self.weigh(0..self.action.len(), Target::Constant(&constant), model)?]);
        }
        let path = Path::new(policy);
        let present = columns_of(path)?;
        let columns: Vec<String> = present.iter().filter(|name| name.starts_with("p_")).cloned().collect();
        let is_dense = !columns.is_empty();
        if !is_dense && !present.iter().any(|name| name == "probability") {
            return Err(CliError::usage(format!(
                "--policy {policy}: it has neither probability nor p_ACTION: its columns are {}",
                present.join(", ")
            )));
        }
        if is_dense && self.shape.positions > 1 {
            return Err(CliError::usage(format!(
                "--policy {policy}: columns p_ACTION are of one position: give action, position, probability"
            )));
        }
        let wanted = if is_dense { columns.clone() } else { vec!["probability".to_owned()] };
        let places: Vec<usize> = columns.iter().map(|name| self.places[&name["p_".len()..]] as usize).collect();
        let (mut blocks, mut row) = (vec![], 0);
        read_table_in_blocks(path, &wanted, &[], |table| -> Result<(), CliError> {
            let rows = row..row + table.rows();
            if rows.end > self.action.len() {
                return Err(self.unequal(policy));
            }
            let cells = wanted.iter().map(|name| numbers(path, &table, name)).collect::<Result<Vec<_>, _>>()?;
            if is_dense {
                let mut dense = vec![0.0; table.rows() * self.shape.actions];
                for (round, values) in dense.chunks_mut(self.shape.actions).enumerate() {
                    cells.iter().zip(&places).for_each(|(column, &place)| values[place] = column[round]);
                }
                blocks.push(self.weigh(rows, Target::Dense(&dense), model)?);
            } else {
                blocks.push(self.weigh(rows, Target::Logged(cells[0]), None)?);
            }
            row += table.rows();
            Ok(())
        })?;
        if row != self.action.len() {
            return Err(self.unequal(policy));
        }
        if !is_dense
            && model.is_some()
            && args.reward_model != Model::None
            && args.estimator.iter().any(|name| ["dm", "dr", "sndr"].contains(&name.as_str()))
        {
            return Err(CliError::usage(format!(
                "--policy {policy}: a reward model needs the policy's whole distribution: columns p_ACTION, or a table of action and probability"
            )));
        }
        Ok(blocks)
    }

    /// A constant policy in the blocks of another; none, of one that is not constant.
    fn weighed_like(&self, policy: &str, blocks: &[Weighed], model: Option<&RewardModel>) -> Result<Option<Vec<Weighed>>, CliError> {
        let Some(constant) = self.constant(policy)? else { return Ok(None) };
        let mut row = 0;
        let of = |block: &Weighed| {
            let rows = row..row + block.len();
            row = rows.end;
            self.weigh(rows, Target::Constant(&constant), model)
        };
        Ok(Some(blocks.iter().map(of).collect::<Result<_, _>>()?))
    }

    fn unequal(&self, policy: &str) -> CliError {
        CliError::usage(format!(
            "--policy {policy}: it has not as many rows as the log, {}: probabilities would be of other rounds than their own",
            self.action.len()
        ))
    }

    fn weigh(&self, rows: std::ops::Range<usize>, target: Target<'_>, model: Option<&RewardModel>) -> Result<Weighed, OffPolicyError> {
        let log = self.log(rows.clone());
        let Some(model) = model else { return weigh(self.shape, &log, target, Expected::None) };
        let context = &self.context[rows.start * self.width..rows.end * self.width];
        let (logged, of_target) = model.summed(&log, context, target)?;
        weigh(self.shape, &log, target, Expected::Summed { logged: &logged, target: &of_target })
    }

    /// A policy that is the same in every round, `[action][position]`.
    fn constant(&self, policy: &str) -> Result<Option<Vec<f64>>, CliError> {
        let (actions, positions) = (self.shape.actions, self.shape.positions);
        if policy == "uniform" {
            return Ok(Some(vec![1.0 / actions as f64; actions * positions]));
        }
        let mut values = vec![0.0; actions * positions];
        if let Some(action) = policy.strip_prefix("always:") {
            let place = self.places[action] as usize;
            values[place * positions..(place + 1) * positions].fill(1.0);
            return Ok(Some(values));
        }
        let path = Path::new(policy);
        if !columns_of(path)?.iter().any(|name| name == "action") {
            return Ok(None);
        }
        let mut table = read_table_as(path, None, &["action", "position"])?;
        let (codes, names) = table.take("action")?.values.categories();
        let position = match self.positions.len() {
            1 => vec![0; codes.len()],
            _ => {
                let (codes, names) = table.take("position")?.values.categories();
                let place = |code: &u32| {
                    let name = names.get(*code as usize)?;
                    self.positions.iter().position(|known| known == name)
                };
                let places: Option<Vec<usize>> = codes.iter().map(place).collect();
                places.ok_or_else(|| {
                    CliError::usage(format!("--policy {policy}: a position is not one of the log's: {}", self.positions.join(", ")))
                })?
            }
        };
        let probability = numbers(path, &table, "probability")?;
        for ((code, position), probability) in codes.iter().zip(position).zip(probability) {
            let name = names.get(*code as usize).ok_or_else(|| CliError::usage(format!("--policy {policy}: an action is empty")))?;
            values[self.places[name] as usize * positions + position] += probability;
        }
        Ok(Some(values))
    }
}

/// Actions that a policy names.
fn actions_of(policy: &str) -> Result<Vec<String>, CliError> {
    if policy == "uniform" {
        return Ok(vec![]);
    }
    if let Some(action) = policy.strip_prefix("always:") {
        return Ok(vec![action.to_owned()]);
    }
    let path = Path::new(policy);
    if !path.exists() {
        return Err(CliError::usage(format!("--policy {policy}: neither a file nor a name: uniform, always:ACTION")));
    }
    let present = columns_of(path)?;
    if present.iter().any(|name| name == "action") {
        let (_, names) = read_table_as(path, Some(&["action".to_owned()]), &["action"])?.take("action")?.values.categories();
        return Ok(names);
    }
    Ok(present.iter().filter_map(|name| name.strip_prefix("p_")).map(str::to_owned).collect())
}

fn numbers<'a>(path: &Path, table: &'a Table, column: &str) -> Result<&'a [f64], CliError> {
    let numbers = table.column(column)?.values.numbers();
    numbers.ok_or_else(|| CliError::usage(format!("{}: column {column} holds texts: give numbers", path.display())))
}

fn names(args: &Args, table: &mut Table, column: &str) -> Result<(Vec<u32>, Vec<String>), CliError> {
    let (codes, names) = table.take(column)?.values.categories();
    match codes.iter().position(|code| *code == MISSING) {
        Some(row) => Err(CliError::usage(format!(
            "{}: row {}: column {column} is empty: without it the round's weight is unknown, and leaving it out biases the value: fill it",
            args.log.display(),
            row + 1
        ))),
        None => Ok((codes, names)),
    }
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
    let interval = |interval: Option<youhui_evaluation::off_policy::Interval>| {
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

fn page(printed: &Printed) -> String {
    let row = |label: &str, value: Option<f64>, interval: Option<youhui_evaluation::off_policy::Interval>| {
        let (value, interval) = (value?, interval?);
        Some(charts::Interval {
            label: label.to_owned(),
            value,
            low: interval.low,
            high: interval.high,
            strong: interval.low > printed.logged || interval.high < printed.logged,
        })
    };
    let values: Vec<charts::Interval> = printed.values.iter().filter_map(|one| row(&one.estimator, one.value, one.normal)).collect();
    let differences: Vec<charts::Interval> =
        printed.differences.iter().filter_map(|one| row(&one.estimator, one.difference, one.paired)).collect();
    let weights: Vec<(String, f64, String)> = printed
        .diagnostics
        .weight_quantiles
        .iter()
        .map(|(share, weight)| (format!("{:.1} % of rounds below", 100.0 * share), *weight, format!("{weight:.3}")))
        .collect();
    let body = html! {
        h1 { "What " (printed.policy) " would have earned" }
        p class="source" { (printed.log) ", " (printed.rounds) " rounds, BLAKE3 " (&printed.hash[..16.min(printed.hash.len())]) "…; intervals " (100.0 * printed.level) " %. The log itself earned " (format!("{:.6}", printed.logged)) " a round." }
        @for warning in &printed.warnings { p { span class="tag" { "warning" } " " (warning) } }
        h2 { "Value by estimator" }
        figure { (charts::intervals("Value by estimator", &values, "reward a round")) figcaption { "Filled dots: the interval leaves out what the log itself earned, as it stands. Whether the policy is better is told by comparing it (--against)." } }
        @if !differences.is_empty() {
            h2 { "Less " (printed.against.as_deref().unwrap_or_default()) }
            figure { (charts::intervals("Difference by estimator", &differences, "reward a round")) figcaption { "In the same rounds: paired intervals." } }
        }
        h2 { "Weights" }
        figure { (charts::bars("Importance weights", &weights)) figcaption { "Effective sample size " (format!("{:.0}", printed.diagnostics.effective_sample_size)) " of " (printed.rounds) " rounds: what is left of the log when some rounds stand for many." } }
        footer { p { "Written by Youhui " (env!("CARGO_PKG_VERSION")) "." } }
    };
    whole("What a policy would have earned", &body)
}
