//! `youhui evaluate long-term`.

use std::path::{Path, PathBuf};

use clap::Args as ClapArgs;
use jiff::Timestamp;
use maud::html;
use serde::Serialize;
use serde_json::{Map, Value, json};
use youhui_evaluation::experiment::{ALARM, Moments, Rows, accumulate, sample_ratio};
use youhui_evaluation::money::{Arm, Figure, MoneyError, SurrogacyCheck, SurrogateEffect, SurrogateFigures, SurrogateFit, SurrogateIndex};
use youhui_storage::{Table, columns_of, read_table};

use super::super::{CliError, Console};
use super::customers::{LotArgs, located, numbers};
use super::figures::{dot, dot_of, entries, figure_entries, line};
use super::kept::{Kept, Snapshot};
use super::page::{charts, footer, forest, said, source, whole};
use super::units::shifted;

/// Say what a campaign will have brought in the long term, by what is seen early (surrogates: visits, repeat purchases) and what such customers did in the end.
///
/// A history of customers of whom both are known gives the index; the campaign's customers, of whom some were held out by lot, give its effect. It stands on surrogacy,
/// which is stated; where the campaign's file has the long-term column too, as that of an earlier campaign does, surrogacy is tested.
#[derive(Debug, ClapArgs)]
pub(crate) struct Args {
    #[command(flatten)]
    lot: LotArgs,
    /// Columns of what is seen early, in both files.
    #[arg(long, value_name = "COLUMN", value_delimiter = ',', required = true)]
    surrogates: Vec<String>,
    /// Customers of whom the long-term outcome is known: a row each, with the surrogates.
    #[arg(long, value_name = "FILE")]
    long_term_data: PathBuf,
    /// The column of the long-term outcome there; where the campaign's file has it too, the assumption is tested.
    #[arg(long, value_name = "COLUMN")]
    long_term: String,
    #[command(flatten)]
    kept: Kept,
}

/// What is printed.
#[derive(Debug, Serialize)]
struct Report {
    data: String,
    hash: String,
    rows: u64,
    level: f64,
    long_term_data: String,
    long_term_hash: String,
    run: Option<String>,
    #[serde(flatten)]
    effect: SurrogateEffect,
    /// Effects on the surrogates as they are.
    surrogates: Vec<SurrogateFigures>,
    index: SurrogateIndex,
    /// The assumption beside what happened.
    check: Option<SurrogacyCheck>,
    warnings: Vec<String>,
}

pub(crate) fn run(args: &Args, console: Console) -> Result<(), CliError> {
    let started = Timestamp::now();
    args.lot.check()?;
    if let Some(twice) =
        args.surrogates.iter().enumerate().find(|(place, name)| args.surrogates[..*place].contains(name)).map(|(_, name)| name)
    {
        return Err(CliError::usage(format!("--surrogates: {twice} is named twice")));
    }
    if args.surrogates.contains(&args.long_term) {
        return Err(CliError::usage(format!(
            "--surrogates {}: it is the long-term outcome itself: give what is seen early",
            args.long_term
        )));
    }
    let bar = console.bar("reading");
    let mut report = judge(args)?;
    bar.finish_and_clear();
    let configuration = args.lot.configured(json!({
        "surrogates": args.surrogates,
        "long_term": args.long_term, "long_term_data": report.long_term_data, "long_term_hash": report.long_term_hash,
    }));
    let snapshot = Snapshot {
        command: "evaluate long-term",
        configuration,
        data: (report.data.clone(), report.hash.clone()),
        figures: figures(&report),
        files: &[&args.lot.data, &args.long_term_data],
    };
    report.run = Some(args.kept.keep(snapshot, started, || page(&report))?);
    args.kept.print(console, &report, table)
}

const ROWS_ARE_CUSTOMERS: &str = "each row counts as a customer of its own, in both files: of whoever stands there twice intervals are too narrow, and whoever was in two arms is not found: sum rows by customer first";

fn judge(args: &Args) -> Result<Report, CliError> {
    let (index, long_term_hash) = fitted(args)?;
    let observes = columns_of(&args.lot.data)?.contains(&args.long_term);
    let mut wanted: Vec<String> = std::iter::once(&args.lot.assignment).chain(&args.surrogates).cloned().collect();
    wanted.extend(observes.then(|| args.long_term.clone()));
    let mut campaign = read_table(&args.lot.data, Some(&wanted))?;
    let (hash, rows) = (campaign.hash.clone(), campaign.rows() as u64);
    let arms = args.lot.arms().read(campaign.take(&args.lot.assignment)?.values, 0)?;
    let group: Vec<u32> = arms.into_iter().map(|arm| u32::from(arm == Arm::Treated)).collect();
    let moments = |names: &[String]| -> Result<Vec<Moments>, CliError> {
        let columns = columns(&args.lot.data, &campaign, names)?;
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        accumulate(Rows { columns: &columns, names: &names, group: &group }, 2).map_err(|error| shifted(&args.lot.data, error, 0))
    };
    let of_surrogates = moments(&args.surrogates)?;
    let effect = index.effect(&of_surrogates[0], &of_surrogates[1], args.lot.level)?;
    let mut warnings: Vec<String> =
        sample_ratio(&[of_surrogates[0].units(), of_surrogates[1].units()], &[args.lot.holdout_share, 1.0 - args.lot.holdout_share])?
            .warning(ALARM)
            .into_iter()
            .map(|warning| warning.message)
            .collect();
    warnings.push(ROWS_ARE_CUSTOMERS.to_owned());
    let mut check = None;
    if observes {
        let gaps = numbers(&args.lot.data, campaign.column(&args.long_term)?)?.iter().filter(|cell| !cell.is_finite()).count();
        if gaps == 0 {
            let all: Vec<String> = args.surrogates.iter().chain([&args.long_term]).cloned().collect();
            let both = moments(&all)?;
            check = Some(index.check(&both[0], &both[1], args.lot.level)?);
        } else {
            warnings.push(format!(
                "surrogacy is not tested: column {} of {} is empty in {gaps} of {rows} rows, and whoever is known already isn't whom the lot drew: wait, or test it on an earlier campaign",
                args.long_term,
                args.lot.data.display()
            ));
        }
    } else {
        warnings.push(format!(
            "surrogacy is not tested: {} has no column {}: give the file of an earlier campaign of which it is known",
            args.lot.data.display(),
            args.long_term
        ));
    }
    if check.as_ref().is_some_and(|check| check.rejected) {
        warnings.push("surrogacy is rejected: the campaign changed the long-term outcome in ways that the surrogates don't show: don't use this index for such campaigns; find surrogates that lie on the way".to_owned());
    }
    if index.r_squared <= 0.0 {
        warnings.push(format!(
            "the surrogates predict the long-term outcome no better than its mean does (share of variance {:.4}, of customers whom the fit hasn't seen): the index says nothing",
            index.r_squared
        ));
    }
    let surrogates = (0..args.surrogates.len())
        .map(|place| index.surrogate(place, &of_surrogates[0], &of_surrogates[1], args.lot.level))
        .collect::<Result<Vec<SurrogateFigures>, MoneyError>>()?;
    Ok(Report {
        data: args.lot.data.display().to_string(),
        hash,
        rows,
        level: args.lot.level,
        long_term_data: args.long_term_data.display().to_string(),
        long_term_hash,
        run: None,
        effect,
        surrogates,
        index,
        check,
        warnings,
    })
}

/// The index of the history, and what the file's bytes hash to.
fn fitted(args: &Args) -> Result<(SurrogateIndex, String), CliError> {
    let path = &args.long_term_data;
    let wanted: Vec<String> = args.surrogates.iter().chain([&args.long_term]).cloned().collect();
    let history = read_table(path, Some(&wanted))?;
    let columns = columns(path, &history, &args.surrogates)?;
    let names: Vec<&str> = args.surrogates.iter().map(String::as_str).collect();
    let long_term = numbers(path, history.column(&args.long_term)?)?;
    let unit = format!("{} per customer", args.long_term);
    let index = SurrogateIndex::fit(&columns, &names, long_term, &unit, &SurrogateFit::default())
        .map_err(|error| located(&error, |row| format!("{}: row {}", path.display(), row + 1)))?;
    Ok((index, history.hash))
}

fn columns<'a>(path: &Path, table: &'a Table, names: &[String]) -> Result<Vec<&'a [f64]>, CliError> {
    names.iter().map(|name| numbers(path, table.column(name)?)).collect()
}

/// The check's figures: as observed, by the index, and what is left.
fn checked(check: &SurrogacyCheck) -> [&Figure; 3] {
    [&check.long_term, &check.index, &check.difference]
}

fn figures(report: &Report) -> Map<String, Value> {
    let mut figures: Map<String, Value> = figure_entries("", &report.effect.effect).into_iter().collect();
    figures.insert("index.r_squared".to_owned(), json!(report.index.r_squared));
    figures.insert("index.n".to_owned(), json!(report.index.n));
    for one in &report.surrogates {
        let Figure { name, value, low, high, .. } = &one.slope;
        figures.extend(entries(name, Some(*value), Some((*low, *high)), one.n_history));
    }
    if let Some(check) = &report.check {
        checked(check).into_iter().for_each(|figure| figures.extend(figure_entries("check.", figure)));
        figures.insert("check.rejected".to_owned(), json!(check.rejected));
    }
    figures
}

fn table(report: &Report) -> String {
    let mut lines = vec![
        format!("{}; {} customers of the history", line(&report.effect.effect).trim_start(), report.effect.n_history),
        format!("  assumes: {}", report.effect.assumption),
        format!("  the index predicts {:.1} % of the variance among customers whom the fit hasn't seen", 100.0 * report.index.r_squared),
    ];
    lines.extend(report.surrogates.iter().flat_map(|one| [&one.slope, &one.held_out, &one.treated]).map(line));
    if let Some(check) = &report.check {
        lines.push(format!(
            "surrogacy, tested on these customers: {}",
            if check.rejected { "REJECTED" } else { "not rejected, which doesn't prove it for the next campaign" }
        ));
        lines.extend(checked(check).map(line));
    }
    lines.extend(report.warnings.iter().map(|warning| format!("warning: {warning}")));
    if let Some(run) = &report.run {
        lines.push(format!("kept as run {run}"));
    }
    lines.join("\n")
}

fn page(report: &Report) -> String {
    let effect = &report.effect.effect;
    let mut dots = vec![dot_of("by the surrogate index", effect)];
    if let Some(check) = &report.check {
        dots.push(dot_of("as observed", &check.long_term));
        dots.push(dot_of("observed less index", &check.difference));
    }
    let early: Vec<charts::Interval> = report
        .surrogates
        .iter()
        .map(|one| dot(one.surrogate.clone(), one.slope.value * (one.treated.value - one.held_out.value), f64::NAN, f64::NAN))
        .collect();
    let body = html! {
        h1 { "What the campaign will have brought in the long term" }
        (source(&report.data, report.rows, &report.hash, report.level))
        p class=(if effect.is_credibly_positive() { "lead" } else { "lead fallback" }) {
            b { (format!("{:.4} [{:.4}, {:.4}] ", effect.value, effect.low, effect.high)) (effect.unit) } ", extrapolated: " (effect.n_treated) " treated, " (effect.n_held_out) " held out, " (report.effect.n_history) " customers of the history."
        }
        p { "Assumes: " (report.effect.assumption) "." }
        (said("warning", &report.warnings))
        h2 { "The effect" }
        (forest("Effect in the long term", &dots, &effect.unit, "What is observed less the index is 0 if surrogacy holds."))
        h2 { "What it comes from" }
        (forest("By surrogate", &early, &effect.unit, "Each surrogate's difference of means times its slope in the history; together they are the effect. Without intervals: surrogates go together."))
        (footer())
    };
    whole("What a campaign will have brought in the long term", &body)
}
