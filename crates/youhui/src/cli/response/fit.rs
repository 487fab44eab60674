//! `youhui response fit`: from the rows of an experiment to a model.

use std::path::PathBuf;

use clap::{Args as ClapArgs, ValueEnum};
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use youhui_response::{Card, Columns, Experiment, Feature, Model, Objective, Promotions, Settings, fit};
use youhui_storage::{Column, MISSING, Table, Values, read_table, write_atomic};

use super::{CliError, Console, card_path, feature, read_promotions};
use crate::cli::Format;
use crate::runs::{Artefact, FOLDER, Run, VERSION};

/// Learn each treatment's effect from rows of customers who got one of them, or none.
///
/// Writes the model (safetensors) to --out and its card (JSON: what it found and rests on) beside it, as
/// OUT.json.
#[derive(Debug, ClapArgs)]
pub(crate) struct Args {
    /// One row a customer: Parquet, CSV or JSON Lines.
    #[arg(long, value_name = "FILE")]
    data: PathBuf,
    /// The column that names what a customer got.
    #[arg(long, value_name = "COL")]
    treatment: String,
    /// The value of --treatment that means: nothing.
    #[arg(long, value_name = "VALUE")]
    control: String,
    /// The column that holds what came of it.
    #[arg(long, value_name = "COL")]
    outcome: String,
    /// The kind of the outcome; binary if all are 0 or 1, else continuous.
    #[arg(long, value_enum)]
    outcome_kind: Option<Kind>,
    /// The column of what a row's treatment cost, in units of the outcome.
    #[arg(long, value_name = "COL")]
    cost: Option<String>,
    /// The column of the probability of treatment; with several treatments one each: VALUE=COL,VALUE=COL.
    /// Estimated if absent.
    #[arg(long, value_name = "COL", value_delimiter = ',')]
    propensity: Vec<String>,
    /// A table of what the treatments are like: a row for each, named in a column of --treatment's name, and a
    /// column for each thing that may matter (kind, depth, threshold …). Lets predict foresee promotions of which
    /// there is no row yet.
    #[arg(long, value_name = "FILE")]
    promotions: Option<PathBuf>,
    /// The column of --promotions of which more never does less, for the learner `network`.
    #[arg(long, value_name = "COL", requires = "promotions")]
    dose: Option<String>,
    /// A column of --promotions that is felt relative to a feature, as a threshold to the usual basket.
    #[arg(long, value_name = "COL=FEATURE", requires = "promotions")]
    relative: Vec<String>,
    /// Columns known before the treatment; all others if absent.
    #[arg(long, value_name = "COL,COL", value_delimiter = ',')]
    features: Vec<String>,
    /// auto weighs many learners by what they say of rows that they did not see; or one by name.
    #[arg(long, value_name = "NAME", default_value = "auto")]
    learner: String,
    /// A column from before the treatment, which it can't have changed: an effect on it shows that the arms'
    /// customers differ in what no feature says. It is no feature then.
    #[arg(long, value_name = "COL")]
    placebo: Option<String>,
    /// How many variants of hyper-parameters to try, of the learner named or of those of auto.
    #[arg(long, value_name = "N", default_value_t = 0)]
    search: usize,
    /// Keep one fit on all rows instead of twenty on parts of them, and learn its variance: quicker to predict.
    #[arg(long)]
    compact: bool,
    /// Where a record of the run goes: see youhui runs.
    #[arg(long, value_name = "DIR", env = "YOUHUI_RUNS", default_value = FOLDER)]
    runs: PathBuf,
    /// Leave no record.
    #[arg(long)]
    no_record: bool,
    /// Chance: the same seed gives the same model.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Where the model goes.
    #[arg(long, value_name = "MODEL")]
    out: PathBuf,
    /// How the summary is printed.
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// Any number.
    Continuous,
    /// 0 or 1.
    Binary,
    /// 0, 1, 2 …
    Count,
    /// Mostly 0, else positive.
    Spend,
}

impl From<Kind> for Objective {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Continuous => Self::Continuous,
            Kind::Binary => Self::Binary,
            Kind::Count => Self::Count,
            Kind::Spend => Self::Spend,
        }
    }
}

/// Most variants of a search.
const MOST_VARIANTS: usize = 1000;

pub(crate) fn run(args: &Args, console: Console) -> Result<(), CliError> {
    let started = Timestamp::now();
    if args.search > MOST_VARIANTS {
        return Err(CliError::usage(format!("--search: {} variants are too many: try at most {MOST_VARIANTS}", args.search)));
    }
    if !args.no_record {
        // Before hours of work, not after them.
        std::fs::create_dir_all(&args.runs).map_err(|error| {
            CliError::usage(format!(
                "{}: {error}: name another folder for records with --runs, or leave none with --no-record",
                args.runs.display()
            ))
        })?;
    }
    let mut table = read_table(&args.data, wanted(args).as_deref())?;
    if table.rows() == 0 {
        return Err(CliError::usage(format!("{}: has no row", args.data.display())));
    }
    let (arm, arms) = table.take(&args.treatment)?.values.categories();
    if let Some(row) = arm.iter().position(|code| *code == MISSING) {
        return Err(CliError::usage(format!("row {}: {:?} is empty: name an arm, or leave the row out", row + 1, args.treatment)));
    }
    let outcome = numbers(&mut table, &args.outcome)?;
    let cost = args.cost.as_deref().map(|column| numbers(&mut table, column)).transpose()?;
    let placebo = args.placebo.as_deref().map(|column| numbers(&mut table, column)).transpose()?;
    if let Some(row) = placebo.iter().flatten().position(|value| !value.is_finite() || value.abs() >= 1e30) {
        let column = args.placebo.as_deref().unwrap_or_default();
        return Err(CliError::usage(format!(
            "row {}: the placebo {column:?} is empty or no number of usual size: fill it in, or leave the row out",
            row + 1
        )));
    }
    if let Some(values) = &placebo
        && values.iter().all(|value| value.to_bits() == values[0].to_bits())
    {
        let column = args.placebo.as_deref().unwrap_or_default();
        return Err(CliError::usage(format!(
            "the placebo {column:?} is {} in every row and tests nothing: name another column",
            values[0]
        )));
    }
    let propensity = propensities(&mut table, args, &arms)?;
    let promotions = args.promotions.as_ref().map(|path| read_promotions(path, &args.treatment)).transpose()?;
    let promotions = promotions.map(|table| marked(table, args)).transpose()?;
    let features: Vec<Feature<'_>> = table.columns.iter().map(feature).collect();
    if args.features.is_empty() {
        let names: Vec<&str> = features.iter().map(|feature| feature.name).collect();
        console.say(&format!(
            "features: {} (all other columns; name them with --features if some were known only after the treatment)",
            names.join(", ")
        ));
    }
    let binary = || outcome.iter().all(|value| *value == 0.0 || *value == 1.0);
    let objective = args.outcome_kind.map_or_else(|| if binary() { Objective::Binary } else { Objective::Continuous }, Objective::from);
    let experiment = Experiment {
        features: &features,
        arm: &arm,
        arms: &arms,
        control: &args.control,
        outcome: &outcome,
        cost: cost.as_deref(),
        propensity: propensity.as_deref(),
        placebo: placebo.as_deref(),
        objective,
        promotions: promotions.as_ref(),
    };
    let bar = console.bar("learning");
    let fitted = fit(&experiment, &Settings { learner: args.learner.clone(), seed: args.seed, search: args.search, compact: args.compact });
    bar.finish_and_clear();
    let mut model = fitted?;
    model.card.columns = Columns { treatment: args.treatment.clone(), outcome: args.outcome.clone() };
    model.card.data_hash = table.hash;
    let (bytes, card) = model.to_bytes()?;
    write_atomic(&args.out, &bytes)?;
    let card_path = card_path(&args.out);
    write_atomic(&card_path, card.as_bytes())?;
    model.card.warnings.iter().for_each(|warning| console.say(&format!("warning: {warning}")));
    if !args.no_record {
        let artefacts = vec![Artefact::of(&args.out, &bytes), Artefact::of(&card_path, card.as_bytes())];
        let id = record(args, &model, artefacts).record(&args.runs, started)?.id;
        console.say(&format!("recorded as {id}: youhui runs show {id}"));
    }
    match args.format {
        Format::Json => console.print(&card),
        Format::Table => console.print(&summary(&model.card)),
    }
}

/// What the run was asked and found.
fn record(args: &Args, model: &Model, artefacts: Vec<Artefact>) -> Run {
    let mut data = vec![Artefact { path: args.data.display().to_string(), hash: model.card.data_hash.clone() }];
    data.extend(args.promotions.as_ref().and_then(|path| std::fs::read(path).ok().map(|bytes| Artefact::of(path, &bytes))));
    let card = &model.card;
    let features: Vec<&str> = card.encoder.columns().collect();
    let path = |path: &Option<PathBuf>| path.as_ref().map(|path| path.display().to_string());
    let configuration = json!({
        "treatment": args.treatment, "control": args.control, "outcome": args.outcome, "outcome_kind": card.outcome_kind,
        "cost": args.cost, "propensity": args.propensity, "placebo": args.placebo, "promotions": path(&args.promotions),
        "dose": args.dose, "relative": args.relative, "features": features, "learner": args.learner, "search": args.search,
        "seed": args.seed, "compact": args.compact,
    });
    let mut metrics = Map::new();
    for arm in &card.arms {
        let mut metric = |name: &str, value: Value| metrics.insert(format!("{}.{name}", arm.treatment), value);
        metric("mean_effect", json!(arm.mean_effect));
        metric("std_error", json!(arm.std_error));
        metric("personalises", json!(arm.personalises));
        metric("calibrated", json!(arm.calibrated));
        metric("gain_z", json!(arm.heterogeneity.gain_z));
        metric("slope", json!(arm.heterogeneity.slope));
        for candidate in &arm.candidates {
            metric(&format!("r_loss.{}", candidate.learner), json!(candidate.r_loss));
            metric(&format!("weight.{}", candidate.learner), json!(candidate.weight));
        }
    }
    metrics.insert("policy.gain".to_owned(), json!(card.policy.gain));
    metrics.insert("policy.gain_std_error".to_owned(), json!(card.policy.gain_std_error));
    metrics.insert("policy.ships".to_owned(), json!(card.policy.ships));
    Run {
        schema_version: VERSION,
        id: String::new(),
        started: String::new(),
        seconds: 0.0,
        command: "response fit".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        configuration: configuration.as_object().cloned().unwrap_or_default(),
        data,
        metrics,
        epochs: model.curves().into_iter().map(|(name, epochs)| (name, json!(epochs))).collect(),
        artefacts,
    }
}

/// The columns to read; `None` for all of the file.
fn wanted(args: &Args) -> Option<Vec<String>> {
    if args.features.is_empty() {
        return None;
    }
    let mut wanted = args.features.clone();
    let propensity = args.propensity.iter().map(|column| column.rsplit_once('=').map_or(column.as_str(), |(_, column)| column));
    let others = [args.treatment.as_str(), args.outcome.as_str()]
        .into_iter()
        .chain(args.cost.as_deref())
        .chain(args.placebo.as_deref())
        .chain(propensity);
    for other in others {
        if !wanted.iter().any(|name| name == other) {
            wanted.push(other.to_owned());
        }
    }
    Some(wanted)
}

/// The table with its doses and relative columns marked.
fn marked(mut table: Promotions, args: &Args) -> Result<Promotions, CliError> {
    let there = table.columns.iter().map(|column| column.name.clone()).collect::<Vec<_>>().join(", ");
    let place = |table: &Promotions, name: &str, option: &str| {
        let place = table.columns.iter().position(|column| column.name == name);
        place.ok_or_else(|| CliError::usage(format!("{option}: no column of --promotions is called {name:?}: there are {there}")))
    };
    if let Some(dose) = &args.dose {
        let column = place(&table, dose, "--dose")?;
        table.columns[column].dose = true;
    }
    for relative in &args.relative {
        let (column, feature) =
            relative.split_once('=').ok_or_else(|| CliError::usage(format!("--relative: {relative:?} has no \"=\": write COL=FEATURE")))?;
        let column = place(&table, column, "--relative")?;
        table.columns[column].relative_to = Some(feature.to_owned());
    }
    Ok(table)
}

/// Takes a column of numbers out of the table.
fn numbers(table: &mut Table, name: &str) -> Result<Vec<f64>, CliError> {
    match table.take(name)? {
        Column { values: Values::Number(values), .. } => Ok(values),
        Column { values: Values::Text { codes, names }, .. } => {
            let number = |code: &u32| names.get(*code as usize).and_then(|name| name.parse::<f64>().ok());
            let row = codes.iter().position(|code| number(code).is_none()).unwrap_or(0);
            let cell = codes.get(row).and_then(|code| names.get(*code as usize)).map_or("empty", String::as_str);
            Err(CliError::usage(format!("row {}: column {name:?} is {cell:?}: has to hold numbers", row + 1)))
        }
    }
}

/// For each arm its probability by row.
fn propensities(table: &mut Table, args: &Args, arms: &[String]) -> Result<Option<Vec<Vec<f64>>>, CliError> {
    let mut treatments: Vec<&String> = arms.iter().filter(|arm| **arm != args.control).collect();
    treatments.sort();
    let columns = match args.propensity.as_slice() {
        [] => return Ok(None),
        [column] if treatments.len() == 1 && !column.contains('=') => vec![(treatments[0].as_str(), column.as_str())],
        many => {
            let parsed: Option<Vec<(&str, &str)>> = many.iter().map(|one| one.rsplit_once('=')).collect();
            let example = treatments.iter().map(|arm| format!("{arm}=COL")).collect::<Vec<_>>().join(",");
            let complete = |pairs: &Vec<(&str, &str)>| treatments.iter().all(|arm| pairs.iter().any(|(name, _)| name == arm));
            parsed.filter(complete).ok_or_else(|| CliError::usage(format!("--propensity: with these treatments write {example}")))?
        }
    };
    let mut by_arm = vec![vec![]; arms.len()];
    let mut rest = vec![1.0; table.rows()];
    for (arm, column) in columns {
        let place = arms.iter().position(|name| name == arm);
        let place = place.ok_or_else(|| CliError::usage(format!("--propensity: no row has the treatment {arm:?}")))?;
        let values = numbers(table, column)?;
        rest.iter_mut().zip(&values).for_each(|(rest, p)| *rest -= p);
        by_arm[place] = values;
    }
    if let Some(control) = arms.iter().position(|name| *name == args.control) {
        by_arm[control] = rest;
    }
    Ok(Some(by_arm))
}

/// The card for people.
fn summary(card: &Card) -> String {
    let mut lines = vec![format!("{:<24} {:>9} {:>12} {:>12}   {}", "treatment", "rows", "mean effect", "± 95 %", "customers differ")];
    for arm in &card.arms {
        let differ = if arm.personalises {
            format!("yes: slope {:.2} (z {:.1})", arm.heterogeneity.slope, arm.heterogeneity.slope_z)
        } else {
            "no detectable effect of who it is: the mean effect is everyone's".to_owned()
        };
        lines.push(format!("{:<24} {:>9} {:>12.5} {:>12.5}   {differ}", arm.treatment, arm.rows, arm.mean_effect, 1.96 * arm.std_error));
        let mut used: Vec<_> = arm.candidates.iter().filter(|candidate| candidate.weight > 0.005 && arm.personalises).collect();
        used.sort_by(|one, other| other.weight.total_cmp(&one.weight));
        if !used.is_empty() {
            let used: Vec<String> = used.iter().map(|candidate| format!("{} {:.2}", candidate.learner, candidate.weight)).collect();
            lines.push(format!("  learners by weight: {}", used.join(", ")));
        }
    }
    for arm in &card.arms {
        let worst = arm.balance.first().map_or_else(String::new, |of| format!(", least balanced {} ({:.2})", of.feature, of.weighted));
        let placebo = arm.placebo.map_or_else(String::new, |placebo| {
            format!(
                ", placebo {:.5} ± {:.5}: {}",
                placebo.effect,
                1.96 * placebo.std_error,
                if placebo.fails() { "FAILS" } else { "passes" }
            )
        });
        lines.push(format!(
            "  {}: a hidden trait would explain the mean effect away from risk ratios of {:.2} (its interval: {:.2}){worst}{placebo}",
            arm.treatment, arm.e_value.estimate, arm.e_value.limit
        ));
    }
    for of in card.foresight.iter().flat_map(|foresight| &foresight.left_out) {
        lines.push(format!(
            "  left out, {} would have been foreseen at {:.5} ± {:.5} and was {:.5}",
            of.treatment,
            of.foreseen,
            1.96 * of.std_error,
            of.found
        ));
    }
    lines.push(card.policy.verdict.clone());
    lines.join("\n")
}
