//! `youhui evaluate observational`.

mod page;

use std::path::PathBuf;

use clap::Args as ClapArgs;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value, json};
use youhui_evaluation::observational::{
    Aggregation, CheckKind, Controls, DidSettings, Donors, ObservationalError, Observed, ObservedEffect, Panel, PanelRow,
    SegmentedSettings, SyntheticVariance, TimeSeries, difference_in_differences, event_study, group_time_effects, segmented_regression,
    structural_time_series, synthetic_control, synthetic_did, two_way_fixed_effects,
};
use youhui_storage::{Table, read_table_as};

use super::super::{CliError, Console};
use super::figures::entries;
use super::kept::{Kept, Snapshot};
use super::units::whose;

/// Say what a campaign seems to have caused that was run without a holdout: by those whom it did not reach, or by the time before it.
///
/// A row a unit and period: customers or shops by week. Each estimator says what it assumes, and tries itself where nothing can have been caused: before the
/// start, and on units that were never treated. What it finds is observational, never "caused".
#[derive(Debug, ClapArgs)]
pub(crate) struct Args {
    /// Parquet, CSV or JSON Lines: a row a unit and period, in order of periods.
    #[arg(long, value_name = "FILE")]
    data: PathBuf,
    /// The column of the unit; a single series, if absent.
    #[arg(long, value_name = "COLUMN")]
    unit: Option<String>,
    /// The column of the period: a whole number.
    #[arg(long, value_name = "COLUMN")]
    time: String,
    /// The column of what is measured.
    #[arg(long, value_name = "COLUMN")]
    outcome: String,
    /// The column of the first period in which the unit was treated; empty for those who never were.
    #[arg(long, value_name = "COLUMN", conflicts_with = "starts", requires = "unit")]
    start: Option<String>,
    /// The first period in which a single series was treated.
    #[arg(long, value_name = "PERIOD")]
    starts: Option<i64>,
    /// The column of what was treated together, such as a household; the unit, if absent.
    #[arg(long, value_name = "COLUMN", requires = "unit")]
    cluster: Option<String>,
    /// Which estimators; all that fit the data, if absent.
    #[arg(long, value_enum, value_delimiter = ',')]
    method: Vec<Method>,
    /// Periods of a season, of a single series; 0 for none.
    #[arg(long, value_name = "N", default_value_t = 0)]
    season: usize,
    /// Columns that go with a single series and that the campaign can't have moved.
    #[arg(long, value_name = "COLUMN", value_delimiter = ',')]
    controls: Vec<String>,
    /// How surely intervals cover.
    #[arg(long, value_name = "SHARE", default_value_t = 0.95)]
    level: f64,
    #[command(flatten)]
    kept: Kept,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
enum Method {
    /// Difference in differences, one start.
    Did,
    /// Two-way fixed effects.
    TwoWay,
    /// Effects by period around the start.
    EventStudy,
    /// Callaway and Sant'Anna: several starts.
    GroupTime,
    SyntheticControl,
    SyntheticDid,
    /// Interrupted time series.
    Segmented,
    /// Bayesian structural time series.
    Structural,
}

const OF_PANEL: [Method; 6] =
    [Method::Did, Method::TwoWay, Method::EventStudy, Method::GroupTime, Method::SyntheticControl, Method::SyntheticDid];
const OF_SERIES: [Method; 2] = [Method::Segmented, Method::Structural];

/// What is printed.
#[derive(Debug, Serialize)]
struct Report {
    data: String,
    hash: String,
    run: Option<String>,
    rows: usize,
    level: f64,
    outcome: String,
    found: Vec<Observed>,
    /// What was left out.
    notes: Vec<String>,
    /// Estimators that don't fit the data, and why.
    problems: Vec<String>,
    #[serde(flatten)]
    pictures: Pictures,
}

/// What estimators see beside their effect.
#[derive(Debug, Default, Serialize)]
struct Pictures {
    /// Effects by period around the start, of an estimator; each interval is for its period alone.
    around_start: Vec<(&'static str, Vec<Around>)>,
    /// What happened beside what would have, of an estimator.
    paths: Vec<Path>,
    /// Of the synthetic control: its ratio of errors after and before, and those of donors as if treated.
    placebos: Option<Placebos>,
}

#[derive(Debug, Clone, Copy, Serialize)]
struct Around {
    /// Periods since the start.
    relative: i64,
    value: f64,
    /// Endless, where the effect rests on one treated cluster; both ends are 0 of the period that the others are less of.
    low: f64,
    high: f64,
    /// Units.
    n: usize,
    unit: &'static str,
}

#[derive(Debug, Serialize)]
struct Path {
    method: &'static str,
    /// Whose series it is.
    of: &'static str,
    points: Vec<Point>,
}

#[derive(Debug, Serialize)]
struct Point {
    period: i64,
    actual: f64,
    /// Without the campaign; not there where the estimator doesn't say.
    expected: Option<f64>,
    low: Option<f64>,
    high: Option<f64>,
    treated: bool,
}

#[derive(Debug, Serialize)]
struct Placebos {
    treated: f64,
    donors: Vec<f64>,
    p_value: f64,
}

pub(crate) fn run(args: &Args, console: Console) -> Result<(), CliError> {
    let started = Timestamp::now();
    check_flags(args)?;
    let mut wanted: Vec<String> = vec![args.time.clone(), args.outcome.clone()];
    for name in [&args.unit, &args.start, &args.cluster].into_iter().flatten().chain(&args.controls) {
        if !wanted.contains(name) {
            wanted.push(name.clone());
        }
    }
    let texts: Vec<&str> = [&args.unit, &args.cluster].into_iter().flatten().map(String::as_str).collect();
    let mut table = read_table_as(&args.data, Some(&wanted), &texts)?;
    let Found { found, notes, problems, pictures } =
        if args.unit.is_some() { of_panel(args, &mut table)? } else { of_series(args, &table)? };
    if found.is_empty() {
        return Err(CliError::usage(notes.into_iter().chain(problems).collect::<Vec<_>>().join("\n")));
    }
    let mut report = Report {
        data: args.data.display().to_string(),
        hash: table.hash.clone(),
        run: None,
        rows: table.rows(),
        level: args.level,
        outcome: args.outcome.clone(),
        found,
        notes,
        problems,
        pictures,
    };
    let configuration = json!({
        "unit": args.unit, "time": args.time, "outcome": args.outcome, "start": args.start, "starts": args.starts, "cluster": args.cluster,
        "method": args.method, "season": args.season, "controls": args.controls, "level": args.level,
    });
    let snapshot = Snapshot {
        command: "evaluate observational",
        configuration,
        data: (report.data.clone(), report.hash.clone()),
        figures: figures(&report),
        files: &[&args.data],
    };
    report.run = Some(args.kept.keep(snapshot, started, || page::html(&report))?);
    args.kept.print(console, &report, words)
}

/// Flags of a panel are not of a single series, nor the other way round: ignored, they would seem to have been heeded.
fn check_flags(args: &Args) -> Result<(), CliError> {
    if args.controls.contains(&args.outcome) {
        return Err(CliError::usage(format!(
            "--controls {}: it is the outcome too, and would take the whole effect away: give series that the campaign can't have moved",
            args.outcome
        )));
    }
    let of_series = [("--controls", !args.controls.is_empty()), ("--season", args.season != 0), ("--starts", args.starts.is_some())];
    let Some((flag, _)) = of_series.into_iter().find(|(_, given)| args.unit.is_some() && *given) else { return Ok(()) };
    let remedy = match flag {
        "--starts" => "give the column of each unit's first treated period with --start",
        "--season" => "untreated units have the same season and take it out; leave it out, or leave out --unit to look at one series",
        _ => "untreated units are what a panel compares with; leave it out, or leave out --unit to look at one series beside its controls",
    };
    Err(CliError::usage(format!("{flag}: it is of a single series, and with --unit there is a panel: {remedy}")))
}

fn periods(args: &Args, table: &Table, column: &str) -> Result<Vec<Option<i64>>, CliError> {
    let cells = numbers(args, table, column)?;
    let read = |(row, cell): (usize, &f64)| {
        if cell.is_nan() {
            return Ok(None);
        }
        if cell.fract() == 0.0 && cell.abs() < 9e15 {
            #[allow(clippy::cast_possible_truncation, reason = "a whole number below 9e15")]
            return Ok(Some(*cell as i64));
        }
        let path = args.data.display();
        Err(CliError::usage(format!(
            "{path}: row {}: column {column} is {cell}: number periods 1, 2, 3: what came before what is not known else",
            row + 1
        )))
    };
    cells.iter().enumerate().map(read).collect()
}

fn numbers<'a>(args: &Args, table: &'a Table, column: &str) -> Result<&'a [f64], CliError> {
    let numbers = table.column(column)?.values.numbers();
    numbers.ok_or_else(|| CliError::usage(format!("{}: column {column} holds texts: give numbers", args.data.display())))
}

/// A period has to be there.
fn every(args: &Args, periods: Vec<Option<i64>>) -> Result<Vec<i64>, CliError> {
    let gap = periods.iter().position(Option::is_none);
    if let Some(row) = gap {
        return Err(CliError::usage(format!(
            "{}: row {}: column {} is empty: before or after the start can't be told: fill it",
            args.data.display(),
            row + 1,
            args.time
        )));
    }
    Ok(periods.into_iter().flatten().collect())
}

#[derive(Default)]
struct Found {
    found: Vec<Observed>,
    notes: Vec<String>,
    problems: Vec<String>,
    pictures: Pictures,
}

fn of_panel(args: &Args, table: &mut Table) -> Result<Found, CliError> {
    let times = every(args, periods(args, table, &args.time)?)?;
    let outcome = numbers(args, table, &args.outcome)?.to_vec();
    let starts = match &args.start {
        Some(column) => periods(args, table, column)?,
        None => {
            return Err(CliError::usage(
                "--start: say which column has each unit's first treated period: without it nobody knows whom the campaign reached",
            ));
        }
    };
    let codes = |column: &String| whose(&args.data, table.column(column)?.values.clone(), column, 0);
    let cluster = args.cluster.as_ref().map(codes).transpose()?.map(|(codes, _)| codes);
    let (unit, names) = args.unit.as_ref().map(codes).transpose()?.unwrap_or_default();
    let rows: Vec<PanelRow> = (0..unit.len())
        .map(|row| PanelRow {
            unit: u64::from(unit[row]),
            cluster: u64::from(cluster.as_ref().map_or(unit[row], |cluster| cluster[row])),
            time: times[row],
            outcome: outcome[row],
            start: starts[row],
        })
        .collect();
    let panel = Panel::from_rows(&rows).map_err(|error| located(args, &names, error))?;
    let (panel, gone) = panel.without_treated_throughout();
    let did = DidSettings { level: args.level, ..DidSettings::default() };
    let of = |method: Method, pictures: &mut Pictures| match method {
        Method::Did => difference_in_differences(&panel, did),
        Method::TwoWay => two_way_fixed_effects(&panel, did).map(|found| found.observed),
        Method::EventStudy => event_study(&panel, None, args.level).map(|found| {
            let mut around: Vec<Around> = found.coefficients.iter().map(|one| around(one.relative, &one.effect)).collect();
            // What the others are less of.
            around.extend(around.first().map(|other| Around { relative: -1, value: 0.0, low: 0.0, high: 0.0, ..*other }));
            around.sort_by_key(|one| one.relative);
            pictures.around_start.push((found.observed.method, around));
            found.observed
        }),
        Method::GroupTime => {
            let effects = group_time_effects(&panel, Controls::NotYetTreated, &[], args.level)?;
            let (observed, _) = effects.aggregate(Aggregation::Simple)?;
            if let Ok((_, parts)) = effects.aggregate(Aggregation::Dynamic) {
                let around = parts.iter().map(|one| around(one.part, &one.effect)).collect();
                pictures.around_start.push((observed.method, around));
            }
            Ok(observed)
        }
        Method::SyntheticControl => {
            let donors = Donors::from_panel(&panel)?;
            let found = synthetic_control(&donors, args.level)?;
            let point = |(place, (period, gap)): (usize, (&i64, &f64))| {
                let actual = donors.treated()[place];
                Point { period: *period, actual, expected: Some(actual - gap), low: None, high: None, treated: place >= donors.start() }
            };
            let points = panel.times().iter().zip(&found.gaps).enumerate().map(point).collect();
            pictures.paths.push(Path { method: found.observed.method, of: "mean of treated units", points });
            let p_value = found.observed.check(CheckKind::PlaceboInSpace).map_or(f64::NAN, |check| check.p_value);
            pictures.placebos = Some(Placebos { treated: found.rmspe_ratio, donors: found.placebo_ratios, p_value });
            Ok(found.observed)
        }
        // `collect` asks for methods of panels only: it is the last of them.
        _ => synthetic_did(&panel, SyntheticVariance::Jackknife, args.level).map(|found| found.observed),
    };
    // Units stand in the order of their names.
    let gone: Vec<&str> = gone.iter().filter_map(|place| names.get(*place)).map(String::as_str).collect();
    Ok(Found { notes: throughout(&gone).into_iter().collect(), ..collect(args, &OF_PANEL, "a panel (--unit)", of)? })
}

/// Units named in a message.
const MOST_NAMED: usize = 5;

fn throughout(gone: &[&str]) -> Option<String> {
    let more = gone.len().saturating_sub(MOST_NAMED);
    let named = gone[..gone.len() - more].join(", ");
    let named = if more > 0 { format!("{named} and {more} more") } else { named };
    (!gone.is_empty()).then(|| {
        format!(
            "{} unit(s) treated from the first period on ({named}): nothing is known of before, and they are left out (Callaway and Sant'Anna 2021); effects are on the others. Add earlier periods to have them in",
            gone.len()
        )
    })
}

/// With the row of the file, from 1 as people count, and the unit's own name.
fn located(args: &Args, units: &[String], error: ObservationalError) -> CliError {
    let path = args.data.display();
    let name = |unit: u64| usize::try_from(unit).ok().and_then(|place| units.get(place)).map_or("", String::as_str);
    CliError::usage(match error {
        ObservationalError::NotFinite { row, value, column } => format!(
            "{path}: row {}: column {} is {}: one such row makes every mean of its period, and so every effect, undefined: give the amount that was meant (0 where nothing was bought), or remove {}",
            row + 1,
            control(args, &column).unwrap_or(&args.outcome),
            if value.is_nan() { "empty".to_owned() } else { value.to_string() },
            if args.unit.is_some() { "the unit" } else { "the column, if it is a control" }
        ),
        ObservationalError::TimeBackwards { row, from, to, .. } if args.unit.is_none() => format!(
            "{path}: row {}: it goes from {} {from} to {to}: before and after would be mixed up, or a period counted twice: sort rows by time, one row a period",
            row + 1,
            args.time
        ),
        ObservationalError::PerfectFit { what } => {
            let what = control(args, &what).map_or(what.clone(), |name| format!("column {name}"));
            format!("{path}: {}", ObservationalError::PerfectFit { what })
        }
        ObservationalError::Gap { row, time } => format!(
            "{path}: row {}: there is no row for {} {time} before it: a line and a season count periods, and effects after the gap would be those of other periods: add the row (0 where nothing was bought)",
            row + 1,
            args.time
        ),
        ObservationalError::TimeBackwards { row, unit, from, to } => format!(
            "{path}: row {}: unit {} goes from {} {from} to {to}: before and after would be mixed up, or a period counted twice: sort each unit's rows by time, one row a period",
            row + 1,
            name(unit),
            args.time
        ),
        ObservationalError::Unbalanced { unit, time } => format!(
            "{path}: unit {} has no row for {} {time}: the mix of units would change with time, and that change count as effect: add the row (0 where nothing was bought), or leave out the unit and say so",
            name(unit),
            args.time
        ),
        ObservationalError::Changed { row, what, unit } => format!(
            "{path}: row {}: {what} of unit {} differs from its earlier rows: treatment starts once and stays: give each unit one start and one cluster",
            row + 1,
            name(unit)
        ),
        other => format!("{path}: {other}"),
    })
}

/// The name of a control, which the estimators number from 0.
fn control<'a>(args: &'a Args, numbered: &str) -> Option<&'a String> {
    args.controls.get(numbered.strip_prefix("control ")?.parse::<usize>().ok()?)
}

fn around(relative: i64, effect: &ObservedEffect) -> Around {
    let ObservedEffect { value, low, high, unit, .. } = *effect;
    Around { relative, value, low, high, n: effect.treated + effect.untreated, unit }
}

fn of_series(args: &Args, table: &Table) -> Result<Found, CliError> {
    let times = every(args, periods(args, table, &args.time)?)?;
    let start = args
        .starts
        .ok_or_else(|| CliError::usage("--starts: say in which period the campaign began (or --unit and --start, of a panel)"))?;
    let controls = args.controls.iter().map(|name| numbers(args, table, name).map(<[f64]>::to_vec)).collect::<Result<Vec<_>, _>>()?;
    let outcome = numbers(args, table, &args.outcome)?;
    let series = TimeSeries::new(&times, outcome, start, args.season, &controls).map_err(|error| located(args, &[], error))?;
    let path = |method: &'static str, without: Vec<(f64, Option<(f64, f64)>)>| {
        let point = |place: usize| {
            let expected = place.checked_sub(series.start()).and_then(|after| without.get(after).copied());
            let (low, high) = expected.and_then(|(_, ends)| ends).unzip();
            let (period, actual) = (times[place], outcome[place]);
            Point { period, actual, expected: expected.map(|(value, _)| value), low, high, treated: place >= series.start() }
        };
        Path { method, of: "the series", points: (0..times.len()).map(point).collect() }
    };
    let of = |method: Method, pictures: &mut Pictures| match method {
        Method::Segmented => {
            let found = segmented_regression(&series, SegmentedSettings { level: args.level, ..SegmentedSettings::default() })?;
            let without = found.counterfactual.iter().map(|value| (*value, None)).collect();
            pictures.paths.push(path(found.observed.method, without));
            Ok(found.observed)
        }
        _ => {
            let found = structural_time_series(&series, args.level)?;
            let without = found.counterfactual.iter().map(|one| (one.value, Some((one.low, one.high)))).collect();
            pictures.paths.push(path(found.observed.method, without));
            Ok(found.observed)
        }
    };
    collect(args, &OF_SERIES, "a single series (without --unit)", of)
}

fn collect(
    args: &Args,
    fitting: &[Method],
    of_what: &str,
    of: impl Fn(Method, &mut Pictures) -> Result<Observed, ObservationalError>,
) -> Result<Found, CliError> {
    if let Some(wrong) = args.method.iter().find(|method| !fitting.contains(method)) {
        return Err(CliError::usage(format!("--method {wrong:?}: it is not of {of_what}")));
    }
    let mut all = Found::default();
    for method in if args.method.is_empty() { fitting.to_vec() } else { args.method.clone() } {
        match of(method, &mut all.pictures) {
            Ok(one) => all.found.push(one),
            Err(error) => all.problems.push(format!("{method:?}: {error}")),
        }
    }
    Ok(all)
}

fn figures(report: &Report) -> Map<String, Value> {
    let mut figures = Map::new();
    for one in &report.found {
        let effect = &one.effect;
        figures.extend(entries(
            one.method,
            Some(effect.value),
            Some((effect.low, effect.high)),
            (effect.treated + effect.untreated) as u64,
        ));
        figures.insert(format!("{}.alarms", one.method), json!(one.alarms()));
    }
    figures
}

fn words(report: &Report) -> String {
    let mut lines = vec![];
    for one in &report.found {
        lines.push(format!(
            "{} (observational): {:.5} [{:.5}, {:.5}] on {}",
            one.method, one.effect.value, one.effect.low, one.effect.high, report.outcome
        ));
        lines.push(format!("  assumes: {}", one.assumption));
        for check in &one.checks {
            lines.push(format!("  {:?}: {} {}", check.kind, if check.alarm { "ALARM:" } else { "no alarm:" }, check.reads));
        }
        lines.extend(one.warnings.iter().map(|warning| format!("  warning: {}", warning.message)));
    }
    lines.extend(report.notes.iter().map(|note| format!("note: {note}")));
    lines.extend(report.problems.iter().map(|problem| format!("no figure: {problem}")));
    if let Some(run) = &report.run {
        lines.push(format!("kept as run {run}"));
    }
    lines.join("\n")
}
