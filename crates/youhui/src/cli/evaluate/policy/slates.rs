//! Several placements at once: values of whole slates, from the columns that Open Bandit Pipeline's slate module has.

use std::path::Path;

use rustc_hash::FxHashMap;
use serde::Serialize;
use youhui_evaluation::off_policy::slate::{
    CascadeDoublyRobust, IndependentIps, LoggedPages, Propensities, RewardInteractionIps, SlateEstimator, SlateLog, SlateModel, SlateValue,
    StandardIps, evaluate_slates,
};
use youhui_evaluation::off_policy::{Bootstrap, Options};
use youhui_storage::{Table, columns_of, read_table_as};

use super::super::super::CliError;
use super::Args;
use super::source::{Codes, numbers, once};

/// Effective slates below which intervals are too narrow.
const FEW: f64 = 100.0;
/// How far probabilities that should be equal, or in order, may be apart: they may have been stored in 32 bits.
const TOLERANCE: f64 = 1e-6;

/// What is printed.
#[derive(Debug, Serialize)]
pub(super) struct PrintedSlates {
    pub(super) log: String,
    pub(super) hash: String,
    pub(super) rows: usize,
    pub(super) slates: usize,
    pub(super) positions: usize,
    pub(super) run: Option<String>,
    pub(super) policy: String,
    pub(super) level: f64,
    /// What the logging policy itself earned.
    pub(super) logged: SlateValue,
    pub(super) values: Vec<SlateValue>,
    pub(super) warnings: Vec<String>,
}

/// Which probability of what was shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Of the whole slate.
    Slate,
    /// Of the item at its position.
    Item,
    /// Of the items from the first position to this one.
    Cascade,
}

const KINDS: [Kind; 3] = [Kind::Slate, Kind::Item, Kind::Cascade];

type Estimators = Vec<Box<dyn SlateEstimator>>;

/// Their names, and the probabilities that they need.
const ESTIMATORS: [(&str, Kind); 7] = [
    ("sips", Kind::Slate),
    ("snsips", Kind::Slate),
    ("iips", Kind::Item),
    ("sniips", Kind::Item),
    ("rips", Kind::Cascade),
    ("snrips", Kind::Cascade),
    ("cascade-dr", Kind::Cascade),
];

/// One of the two files, with the columns that it may have.
struct File {
    path: std::path::PathBuf,
    table: Table,
    columns: [Option<String>; 3],
}

/// Rows of the log, where they stand in slates.
struct Places {
    /// `slate × positions + position` of each row.
    of_rows: Vec<usize>,
    /// Row at each place; `None` where a slate ended before.
    rows: Vec<Option<usize>>,
    positions: usize,
    shorter: usize,
}

pub(super) fn judge(args: &Args, slate: &str) -> Result<PrintedSlates, CliError> {
    let known = || std::iter::once("all").chain(ESTIMATORS.map(|(name, _)| name));
    if let Some(unknown) = args.estimator.iter().find(|name| !known().any(|one| one == name.as_str())) {
        return Err(CliError::usage(format!("--estimator {unknown}: with --slate there are {}", known().collect::<Vec<_>>().join(", "))));
    }
    let Some(position) = &args.position else {
        return Err(CliError::usage("--slate: name the column of the place in the slate by --position"));
    };
    let (log, policy) = read(args, slate, position)?;
    if log.table.rows() != policy.table.rows() {
        return Err(CliError::usage(format!(
            "--policy {}: it has {} rows and the log {}: probabilities would be of other rows than their own",
            args.policy,
            policy.table.rows(),
            log.table.rows()
        )));
    }
    let places = Places::of(&log, slate, position)?;
    let reward = numbers(&args.log, &log.table, &args.reward)?;
    if let Some(row) = reward.iter().position(|value| !value.is_finite()) {
        let what = format!(
            "is {}, but has to be finite: one such row makes value and interval undefined; fill or cap it, and say so",
            reward[row]
        );
        return Err(log.wrong(row, &args.reward, &what));
    }
    let reward = places.filled(reward, |_, _| 0.0);
    let customers = args.customer.as_ref().map(|column| places.customers(&log, column)).transpose()?;
    let (logging, target) = (chances(&log, &places, false)?, chances(&policy, &places, true)?);
    let model = Model::read(args, &log, &policy, &places)?;
    let slate_log = SlateLog {
        positions: places.positions,
        reward: &reward,
        logging: given(&logging),
        target: given(&target),
        model: model.as_ref().map(Model::as_slate_model),
        customer: customers.as_deref(),
    };
    let has = |kind: Kind| logging[kind as usize].is_some() && target[kind as usize].is_some();
    let (estimators, mut warnings) = chosen(args, has, model.is_some())?;
    let mut values = evaluate_slates(&slate_log, &estimators, &options(args))?;
    let unit = args.unit.clone().unwrap_or_else(|| "reward per slate".to_owned());
    values.iter_mut().for_each(|value| value.unit.clone_from(&unit));
    warnings.extend(cautions(&values, places.shorter, slate_log.pages()));
    let logged = values.remove(0);
    Ok(PrintedSlates {
        log: args.log.display().to_string(),
        hash: log.table.hash.clone(),
        rows: log.table.rows(),
        slates: slate_log.pages(),
        positions: places.positions,
        run: None,
        policy: args.policy.clone(),
        level: args.level,
        logged,
        values,
        warnings,
    })
}

/// The log's own figure and the estimators that were asked for; of all, those that have what they need, and what the others lack.
fn chosen(args: &Args, has: impl Fn(Kind) -> bool, has_model: bool) -> Result<(Estimators, Vec<String>), CliError> {
    let named = |name: &str| args.estimator.iter().any(|one| one == name);
    let mut estimators: Estimators = vec![Box::new(LoggedPages)];
    let mut lacking = vec![];
    for (name, kind) in ESTIMATORS.into_iter().filter(|(name, _)| named("all") || named(name)) {
        let needs_model = name == "cascade-dr";
        if has(kind) && (has_model || !needs_model) {
            estimators.push(estimator(name));
            continue;
        }
        let needs = format!("{name} needs {}", needed(args, kind, needs_model));
        if named(name) {
            return Err(CliError::usage(format!("--estimator {needs}")));
        }
        lacking.push(format!("left out: {needs}"));
    }
    if estimators.len() == 1 {
        return Err(CliError::usage(format!("no estimator has what it needs: {}", lacking.join("; "))));
    }
    Ok((estimators, lacking))
}

fn options(args: &Args) -> Options {
    let bootstrap = (args.bootstrap > 0).then_some(Bootstrap { draws: args.bootstrap, seed: args.seed });
    Options { alpha: 1.0 - args.level, bootstrap, ..Options::default() }
}

fn estimator(name: &str) -> Box<dyn SlateEstimator> {
    let is_self_normalised = name.starts_with("sn");
    match name.trim_start_matches("sn") {
        "iips" => Box::new(IndependentIps { is_self_normalised }),
        "rips" => Box::new(RewardInteractionIps { is_self_normalised }),
        "cascade-dr" => Box::new(CascadeDoublyRobust),
        _ => Box::new(StandardIps { is_self_normalised }),
    }
}

/// Columns of the log and of the policy: named by a flag, or as Open Bandit Pipeline names them.
fn names(args: &Args, is_policy: bool) -> [(Option<&String>, &'static str); 3] {
    if is_policy {
        [
            (args.policy_propensity.as_ref(), "evaluation_policy_pscore"),
            (args.policy_item_propensity.as_ref(), "evaluation_policy_pscore_item_position"),
            (args.policy_cascade_propensity.as_ref(), "evaluation_policy_pscore_cascade"),
        ]
    } else {
        [
            (args.propensity.as_ref(), "pscore"),
            (args.item_propensity.as_ref(), "pscore_item_position"),
            (args.cascade_propensity.as_ref(), "pscore_cascade"),
        ]
    }
}

fn needed(args: &Args, kind: Kind, needs_model: bool) -> String {
    let name = |is_policy: bool| {
        let (named, default) = names(args, is_policy)[kind as usize];
        named.cloned().unwrap_or_else(|| default.to_owned())
    };
    let model = if needs_model { ", and there p_ACTION and q_ACTION for every action" } else { "" };
    format!("column {} of the log and column {} of the policy{model}", name(false), name(true))
}

fn read(args: &Args, slate: &str, position: &str) -> Result<(File, File), CliError> {
    let policy = Path::new(&args.policy);
    if !policy.exists() {
        return Err(CliError::usage(format!(
            "--policy {}: no such file: with --slate it is a table with a row for each row of the log",
            args.policy
        )));
    }
    let (of_log, of_policy) = (columns_of(&args.log)?, columns_of(policy)?);
    let has_model = of_policy.iter().any(|name| name.starts_with("q_"));
    let mut wanted = vec![slate.to_owned(), position.to_owned(), args.reward.clone()];
    wanted.extend(args.customer.clone());
    wanted.extend(has_model.then(|| args.action.clone()));
    let texts: Vec<String> = [Some(slate.to_owned()), args.customer.clone(), Some(args.action.clone())].into_iter().flatten().collect();
    let log = File::read(&args.log, &of_log, names(args, false), wanted, &texts)?;
    let more = of_policy.iter().filter(|name| has_model && (name.starts_with("q_") || name.starts_with("p_"))).cloned().collect();
    Ok((log, File::read(policy, &of_policy, names(args, true), more, &[])?))
}

impl File {
    fn read(
        path: &Path,
        present: &[String],
        names: [(Option<&String>, &'static str); 3],
        mut wanted: Vec<String>,
        texts: &[String],
    ) -> Result<Self, CliError> {
        let columns = names.map(|(named, default)| named.cloned().or_else(|| present.iter().find(|name| *name == default).cloned()));
        wanted.extend(columns.iter().flatten().cloned());
        let wanted = once(&wanted);
        if wanted.is_empty() {
            let names = names.map(|(_, default)| default).join(", ");
            return Err(CliError::usage(format!("{}: it has none of the columns {names}: name others by their flags", path.display())));
        }
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        Ok(Self { path: path.to_owned(), table: read_table_as(path, Some(&wanted), &texts)?, columns })
    }

    fn wrong(&self, row: usize, column: &str, what: &str) -> CliError {
        CliError::usage(format!("{}: row {}, column {column}: {what}", self.path.display(), row + 1))
    }
}

impl Places {
    fn of(log: &File, slate: &str, position: &str) -> Result<Self, CliError> {
        let slates = Codes::default().of(&log.path, &log.table, slate, 0)?;
        let found = numbers(&log.path, &log.table, position)?;
        if let Some(row) = found.iter().position(|value| !value.is_finite()) {
            return Err(log.wrong(
                row,
                position,
                "is empty or not finite: it is the place in the slate, from the top: fill it with a number",
            ));
        }
        let mut distinct: Vec<f64> = found.to_vec();
        distinct.sort_by(f64::total_cmp);
        distinct.dedup();
        let ranks: FxHashMap<u64, usize> = distinct.iter().enumerate().map(|(rank, value)| ((value + 0.0).to_bits(), rank)).collect();
        let positions = distinct.len();
        let count = slates.iter().map(|&slate| slate as usize + 1).max().unwrap_or(0);
        if count.checked_mul(positions).is_none_or(|places| places > slates.len().saturating_mul(100)) {
            return Err(CliError::usage(format!(
                "{}: {positions} positions in {count} slates, of which there are {} rows: is {position} the place in the slate, from the top?",
                log.path.display(),
                slates.len()
            )));
        }
        let mut places = Self { of_rows: vec![], rows: vec![None; count * positions], positions, shorter: 0 };
        for (row, (&slate, value)) in slates.iter().zip(found).enumerate() {
            let place = slate as usize * positions + ranks[&(value + 0.0).to_bits()];
            if let Some(before) = places.rows[place].replace(row) {
                let what = format!(
                    "{value} stands already at row {} of the same slate: its reward and weight would count twice; keep one",
                    before + 1
                );
                return Err(log.wrong(row, position, &what));
            }
            places.of_rows.push(place);
        }
        for slate in places.rows.chunks(positions) {
            let length = slate.iter().flatten().count();
            if let Some(missing) = slate.iter().position(Option::is_none).filter(|missing| *missing < length) {
                let row = slate[missing..].iter().flatten().next().copied().unwrap_or_default();
                let what = format!(
                    "{} stands there, but position {} of the slate is missing: weights of what is below would be of another slate; log every position \
                     down to the last",
                    found[row], distinct[missing]
                );
                return Err(log.wrong(row, position, &what));
            }
            places.shorter += usize::from(length < positions);
        }
        Ok(places)
    }

    /// A column by places; where a slate ended before, what `otherwise` makes of the place's number in the slate and its values so far.
    fn filled(&self, column: &[f64], otherwise: impl Fn(usize, &[f64]) -> f64) -> Vec<f64> {
        let mut values: Vec<f64> = Vec::with_capacity(self.rows.len());
        for (place, row) in self.rows.iter().enumerate() {
            let position = place % self.positions;
            let value = row.map_or_else(|| otherwise(position, &values[place - position..]), |row| column[row]);
            values.push(value);
        }
        values
    }

    fn customers(&self, log: &File, column: &str) -> Result<Vec<u64>, CliError> {
        let codes = Codes::default().of(&log.path, &log.table, column, 0)?;
        let mut of_slates = vec![];
        for rows in self.rows.chunks(self.positions) {
            let first = rows[0].map_or(0, |row| codes[row]);
            if let Some(row) = rows.iter().flatten().find(|row| codes[**row] != first) {
                return Err(log.wrong(
                    *row,
                    column,
                    "is another customer than at the top of the same slate: a slate is shown to one; give it one id",
                ));
            }
            of_slates.push(u64::from(first));
        }
        Ok(of_slates)
    }
}

/// Probabilities by kind, `[slate][position]`, checked against one another.
fn chances(file: &File, places: &Places, is_policy: bool) -> Result<[Option<Vec<f64>>; 3], CliError> {
    let mut found = [None, None, None];
    for kind in KINDS {
        let Some(column) = &file.columns[kind as usize] else { continue };
        let values = numbers(&file.path, &file.table, column)?;
        let is_right = |value: f64| if is_policy { (0.0..=1.0).contains(&value) } else { value > 0.0 && value <= 1.0 };
        if let Some(row) = values.iter().position(|value| !is_right(*value)) {
            let rule = if is_policy { "within 0 and 1" } else { "above 0 and at most 1" };
            let what = format!(
                "is {}, but has to be {rule}: the slate's weight would be wrong; log the probability of what was shown",
                values[row]
            );
            return Err(file.wrong(row, column, &what));
        }
        check(file, places, kind, column, values)?;
        // A slate that has ended goes on with the weight that it has: items that are not there are as likely under either policy.
        found[kind as usize] = Some(places.filled(values, |position, above| if kind == Kind::Item { 1.0 } else { above[position - 1] }));
    }
    check_together(file, places, &found)?;
    Ok(found)
}

fn check(file: &File, places: &Places, kind: Kind, column: &str, values: &[f64]) -> Result<(), CliError> {
    for slate in places.rows.chunks(places.positions) {
        for rows in slate.windows(2) {
            let (Some(above), Some(row)) = (rows[0], rows[1]) else { continue };
            let (before, here) = (values[above], values[row]);
            if kind == Kind::Slate && (before - here).abs() > TOLERANCE * before.max(here) {
                let what = format!(
                    "is {here}, but {before} at row {} of the same slate: it is the probability of the whole slate, one for all of its positions",
                    above + 1
                );
                return Err(file.wrong(row, column, &what));
            }
            if kind == Kind::Cascade && here > before * (1.0 + TOLERANCE) {
                let what = format!(
                    "is {here}, above {before} at row {}, the position above it: it is the probability of all items from the top down to this one, \
                     which can only fall; multiply each position's by those above",
                    above + 1
                );
                return Err(file.wrong(row, column, &what));
            }
        }
    }
    Ok(())
}

/// The probability of the whole slate is that of all its items from the top, and at most that of any one of them.
fn check_together(file: &File, places: &Places, found: &[Option<Vec<f64>>; 3]) -> Result<(), CliError> {
    let Some(whole) = &found[Kind::Slate as usize] else { return Ok(()) };
    let name = |kind: Kind| file.columns[kind as usize].as_deref().unwrap_or_default();
    for (row, &place) in places.of_rows.iter().enumerate() {
        let is_last = (place + 1) % places.positions == 0 || places.rows[place + 1].is_none();
        if let Some(cascade) = found[Kind::Cascade as usize].as_ref().filter(|_| is_last)
            && (cascade[place] - whole[place]).abs() > TOLERANCE * whole[place]
        {
            let what = format!(
                "is {}, but the whole slate's ({}) is {}: at the last position they are one and the same",
                cascade[place],
                name(Kind::Slate),
                whole[place]
            );
            return Err(file.wrong(row, name(Kind::Cascade), &what));
        }
        if let Some(item) = &found[Kind::Item as usize]
            && item[place] < whole[place] * (1.0 - TOLERANCE)
        {
            let what = format!(
                "is {}, below the whole slate's ({}), {}: an item stands there at least as often as this slate is shown",
                item[place],
                name(Kind::Slate),
                whole[place]
            );
            return Err(file.wrong(row, name(Kind::Item), &what));
        }
    }
    Ok(())
}

fn given(chances: &[Option<Vec<f64>>; 3]) -> Propensities<'_> {
    let of = |kind: Kind| chances[kind as usize].as_deref();
    Propensities { page: of(Kind::Slate), item: of(Kind::Item), cascade: of(Kind::Cascade) }
}

/// What the policy's table expects of each action at each place, and how often it would show it there.
struct Model {
    actions: usize,
    action: Vec<u32>,
    expected: Vec<f64>,
    target: Vec<f64>,
}

impl Model {
    fn read(args: &Args, log: &File, policy: &File, places: &Places) -> Result<Option<Self>, CliError> {
        let named = |prefix: &str| -> Vec<String> {
            policy.table.columns.iter().filter_map(|column| column.name.strip_prefix(prefix)).map(str::to_owned).collect()
        };
        let actions = named("q_");
        if actions.is_empty() {
            return Ok(None);
        }
        let others = named("p_");
        if let Some(action) =
            actions.iter().find(|action| !others.contains(action)).or(others.iter().find(|action| !actions.contains(action)))
        {
            return Err(CliError::usage(format!(
                "--policy {}: action {action} has no p_{action} or no q_{action}: give both for each",
                args.policy
            )));
        }
        let mut codes = Codes::default();
        let logged = codes.of(&log.path, &log.table, &args.action, 0)?;
        let place = |name: &String| actions.iter().position(|action| action == name).and_then(|place| u32::try_from(place).ok());
        let known: Vec<Option<u32>> = codes.names().iter().map(place).collect();
        if let Some(row) = logged.iter().position(|&code| known[code as usize].is_none()) {
            let name = &codes.names()[logged[row] as usize];
            return Err(log.wrong(row, &args.action, &format!("{name} has no p_{name} and q_{name} in the policy's table: add them")));
        }
        let column = |prefix: &str, action: &String| Ok(numbers(&policy.path, &policy.table, &format!("{prefix}{action}"))?.to_vec());
        let columns = |prefix: &str| actions.iter().map(|action| column(prefix, action)).collect::<Result<Vec<Vec<f64>>, CliError>>();
        let (expected, target) = (columns("q_")?, columns("p_")?);
        for (name, column) in actions.iter().zip(&expected) {
            if let Some(row) = column.iter().position(|value| !value.is_finite()) {
                return Err(policy.wrong(row, &format!("q_{name}"), "is empty or not finite: the estimate would be undefined; fill it"));
            }
        }
        for row in 0..logged.len() {
            let sum: f64 = target.iter().map(|column| column[row]).sum();
            if (sum - 1.0).abs() > 1e-5 || sum.is_nan() || target.iter().any(|column| column[row] < 0.0) {
                let what = format!("they sum to {sum} there, or one is below 0: they are one distribution; normalise them");
                return Err(policy.wrong(row, "p_ACTION", &what));
            }
        }
        // Nothing is expected below the end of a slate.
        let matrix = |columns: &[Vec<f64>], of_nothing: f64| -> Vec<f64> {
            let of =
                |row: &Option<usize>| columns.iter().map(move |column| row.map_or(of_nothing, |row| column[row])).collect::<Vec<f64>>();
            places.rows.iter().flat_map(of).collect()
        };
        Ok(Some(Self {
            actions: actions.len(),
            action: places.rows.iter().map(|row| row.and_then(|row| known[logged[row] as usize]).unwrap_or(0)).collect(),
            expected: matrix(&expected, 0.0),
            target: matrix(&target, 1.0 / actions.len() as f64),
        }))
    }

    fn as_slate_model(&self) -> SlateModel<'_> {
        SlateModel { actions: self.actions, action: &self.action, expected: &self.expected, target: &self.target }
    }
}

fn cautions(values: &[SlateValue], shorter: usize, slates: usize) -> Vec<String> {
    let mut warnings = vec![];
    if shorter > 0 {
        warnings.push(format!(
            "{shorter} of {slates} slates end before the last position: below their end they count as a reward of 0 that either policy would have \
             brought: right where the policy doesn't decide how long a slate is, and no row was lost"
        ));
    }
    for value in values.iter().filter(|value| value.value.is_none()) {
        warnings.push(format!("{} is undefined: at some position no slate has weight under the policy", value.estimator));
    }
    for value in values.iter().filter(|value| value.effective_pages < FEW) {
        warnings.push(format!(
            "{}: the {slates} slates are worth {:.1} of the policy's own, at the position where it is least: its interval is too narrow and its value may be \
             far off",
            value.estimator, value.effective_pages
        ));
    }
    warnings
}
