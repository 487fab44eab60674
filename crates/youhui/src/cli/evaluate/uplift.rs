//! `youhui evaluate uplift`.

use std::path::PathBuf;

use clap::Args as ClapArgs;
use serde::Serialize;
use youhui_evaluation::uplift::{Choices, Judged, Ranked, Resampling, judge_policy, judge_ranking};

use super::super::{CliError, Console, Format, printable};
use super::log::{Log, Names};

/// Judge scores of uplift by outcomes: Qini and AUUC as scikit-uplift defines them, uplift@k, the area
/// under the cost curve (with --cost), and what choosing by the scores is worth.
///
/// Every metric has a 95 % interval (bootstrap of rows) and a null: its values when the same scores are
/// dealt out to the rows by lot, and the share of these that are at least as good. Qini, AUUC, AUCC and
/// uplift@k presume that treatment was given by lot.
#[derive(Debug, ClapArgs)]
pub(crate) struct Args {
    /// Parquet, CSV or JSON Lines, a row a customer.
    #[arg(long, value_name = "FILE")]
    data: PathBuf,
    /// The column that says which treatment a row had.
    #[arg(long, value_name = "COLUMN")]
    treatment: String,
    /// The value of that column for no treatment.
    #[arg(long, value_name = "VALUE")]
    control: String,
    /// The column of what came of it.
    #[arg(long, value_name = "COLUMN")]
    outcome: String,
    /// Columns of predicted effects. With one treatment, each is judged on its own; with several, name one
    /// a treatment: VALUE=COLUMN.
    #[arg(long, value_name = "COLUMN|VALUE=COLUMN", value_delimiter = ',', required = true)]
    score: Vec<String>,
    /// The column of what a row's treatment cost, in the unit of the outcome. Policies are then judged by
    /// outcome less cost, and scores must be effects less cost.
    #[arg(long, value_name = "COLUMN")]
    cost: Option<String>,
    /// The column of the chance with which a row had the treatment (or control) that it had; the arms'
    /// shares if absent. Used by policy values only.
    #[arg(long, value_name = "COLUMN")]
    propensity: Option<String>,
    /// Bootstrap samples for intervals; 0 for none.
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = times)]
    bootstrap: usize,
    /// Permutations for nulls; 0 for none.
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = times)]
    permutations: usize,
    /// Seed of samples and permutations.
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// How to print.
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
}

fn times(text: &str) -> Result<usize, String> {
    const MOST: usize = 100_000;
    match text.parse::<usize>() {
        Ok(times) if times != 1 && times <= MOST => Ok(times),
        _ => Err(format!("write 0, or 2 to {MOST}")),
    }
}

/// What is printed.
#[derive(Debug, Serialize)]
struct Report {
    data: String,
    hash: String,
    rows: usize,
    control: String,
    arms: Vec<Arm>,
    /// How rows came by their treatment, as far as we were told.
    assignment: &'static str,
    bootstrap: usize,
    permutations: usize,
    seed: u64,
    rankings: Vec<Ranking>,
    policies: Vec<Policy>,
    notes: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Arm {
    arm: String,
    rows: usize,
    mean_outcome: f64,
}

#[derive(Debug, Serialize)]
struct Ranking {
    treatment: String,
    score: String,
    /// Whether the ranking is told from one by lot. Nothing if there was no null.
    detectable: Option<bool>,
    metrics: Vec<Judged>,
}

#[derive(Debug, Serialize)]
struct Policy {
    scores: Vec<String>,
    /// How many rows would have each arm.
    gives: Vec<(String, usize)>,
    metrics: Vec<Judged>,
}

/// A score column and the place of its treatment among the arms.
struct Scored {
    column: String,
    arm: usize,
}

pub(crate) fn run(args: &Args, console: Console) -> Result<(), CliError> {
    let split: Vec<(Option<&str>, &str)> = args.score.iter().map(|text| treatment_and_column(text)).collect();
    let columns: Vec<String> = split.iter().map(|(_, column)| (*column).to_owned()).collect();
    let names = Names {
        path: &args.data,
        treatment: &args.treatment,
        control: &args.control,
        outcome: &args.outcome,
        cost: args.cost.as_deref(),
        propensity: args.propensity.as_deref(),
        scores: &columns,
    };
    let bar = console.bar("reading");
    let log = Log::read(&names)?;
    let scored = scored(&names, &log, &split)?;
    bar.set_message("judging");
    let report = report(args, log, &scored);
    bar.finish_and_clear();
    match args.format {
        Format::Json => console.print(&serde_json::to_string(&report).unwrap_or_default()),
        Format::Table => console.print(&printable(&table(&report))),
    }
}

fn treatment_and_column(text: &str) -> (Option<&str>, &str) {
    match text.split_once('=') {
        Some((treatment, column)) => (Some(treatment), column),
        None => (None, text),
    }
}

/// Whose effects the columns predict.
fn scored(names: &Names<'_>, log: &Log, split: &[(Option<&str>, &str)]) -> Result<Vec<Scored>, CliError> {
    let treatments = log.arms[1..].join(", ");
    let mut scored: Vec<Scored> = Vec::new();
    for (treatment, column) in split {
        let arm = match treatment {
            None if log.arms.len() == 2 => 1,
            None => {
                return Err(names.wrong(format!(
                    "has several treatments ({treatments}): write --score VALUE={column} to say whose effect it predicts"
                )));
            }
            Some(name) => log.arms.iter().position(|arm| arm == name).filter(|place| *place > 0).ok_or_else(|| {
                names.wrong(format!("no row has the treatment {name} of --score {name}={column}; there are {treatments}"))
            })?,
        };
        if log.arms.len() > 2 && scored.iter().any(|other| other.arm == arm) {
            return Err(names.wrong(format!("--score names {} twice: one column a treatment", log.arms[arm])));
        }
        scored.push(Scored { column: (*column).to_owned(), arm });
    }
    Ok(scored)
}

fn report(args: &Args, log: Log, scored: &[Scored]) -> Report {
    let resampling = Resampling { bootstrap: args.bootstrap, permutations: args.permutations, seed: args.seed };
    let mut notes = notes(args, &log, scored);
    let rankings = scored.iter().enumerate().map(|(place, scored)| ranking(&log, place, scored, resampling, &mut notes)).collect();
    // One treatment: a policy a score. Several: one policy of all.
    let together: Vec<Vec<usize>> =
        if log.arms.len() == 2 { (0..scored.len()).map(|place| vec![place]).collect() } else { vec![(0..scored.len()).collect()] };
    let policies = together.iter().map(|places| policy(&log, scored, places, resampling)).collect();
    let arms = (0..log.arms.len()).map(|arm| mean_of(&log, arm)).collect();
    Report {
        data: args.data.display().to_string(),
        rows: log.arm.len(),
        control: args.control.clone(),
        arms,
        assignment: if log.propensities.is_some() { "by the chances given" } else { "taken as by lot, with one chance for all" },
        bootstrap: args.bootstrap,
        permutations: args.permutations,
        seed: args.seed,
        rankings,
        policies,
        notes,
        hash: log.hash,
    }
}

/// What the reader should know before trusting the figures.
fn notes(args: &Args, log: &Log, scored: &[Scored]) -> Vec<String> {
    const RARE: f64 = 0.01;
    let mut notes = Vec::new();
    match &log.propensities {
        None => notes.push("no --propensity: right only if treatment was given by lot, with one chance for all rows".to_owned()),
        Some(chances) => {
            notes.push(
                "Qini, AUUC, AUCC and uplift@k don't use --propensity: if chances differ between rows, trust the policy values alone"
                    .to_owned(),
            );
            let rare = chances.iter().filter(|&&chance| chance < RARE).count();
            if rare > 0 {
                notes.push(format!("{rare} rows had a chance below {RARE}: policy values may rest on a few of them"));
            }
        }
    }
    if log.outcomes.iter().any(|&outcome| outcome != 0.0 && outcome != 1.0) {
        notes.push(format!("{} is not 0 or 1 everywhere: Qini and AUUC are undefined, uplift@k and policy values are not", args.outcome));
    }
    let left_out: Vec<&str> =
        (1..log.arms.len()).filter(|arm| !scored.iter().any(|scored| scored.arm == *arm)).map(|arm| log.arms[arm].as_str()).collect();
    if !left_out.is_empty() {
        notes.push(format!("no score for {}: the policy never gives it", left_out.join(", ")));
    }
    notes
}

fn ranking(log: &Log, place: usize, scored: &Scored, resampling: Resampling, notes: &mut Vec<String>) -> Ranking {
    let rows: Vec<usize> = (0..log.arm.len()).filter(|&row| log.arm[row] == 0 || log.arm[row] == scored.arm).collect();
    let of = |values: &[f64]| rows.iter().map(|&row| values[row]).collect::<Vec<f64>>();
    let treated: Vec<bool> = rows.iter().map(|&row| log.arm[row] > 0).collect();
    let costs = log.costs.as_ref().map(|costs| of(costs));
    let ranked = Ranked::new(&of(&log.scores[place]), &of(&log.outcomes), &treated, costs.as_deref());
    if ranked.distinct_scores() == 1 {
        notes.push(format!("all scores in {} are equal: they rank nobody, and uplift@k is that of rows in file order", scored.column));
    }
    let metrics = judge_ranking(&ranked, resampling);
    let detectable = is_detectable(&metrics);
    Ranking { treatment: log.arms[scored.arm].clone(), score: scored.column.clone(), detectable, metrics }
}

/// By Qini where it is defined, else by the effect among the best: its null's p is at most .05, and its
/// interval lies above the null's mean.
fn is_detectable(metrics: &[Judged]) -> Option<bool> {
    let defined = |name: &str| metrics.iter().find(|metric| metric.metric == name && metric.value.is_some());
    let metric = defined("qini").or_else(|| defined("uplift_at_30_by_group"))?;
    let null = metric.null.as_ref()?;
    Some(null.p <= 0.05 && metric.low.is_none_or(|low| low > null.mean))
}

fn policy(log: &Log, scored: &[Scored], places: &[usize], resampling: Resampling) -> Policy {
    let arms: Vec<String> =
        std::iter::once(&log.arms[0]).chain(places.iter().map(|&place| &log.arms[scored[place].arm])).cloned().collect();
    let shares: Vec<f64> =
        (0..log.arms.len()).map(|arm| log.arm.iter().filter(|&&other| other == arm).count() as f64 / log.arm.len() as f64).collect();
    let renumbered = |arm: usize| match arm {
        0 => 0,
        _ => places.iter().position(|&place| scored[place].arm == arm).map_or(usize::MAX, |place| place + 1),
    };
    let outcomes = match &log.costs {
        None => log.outcomes.clone(),
        Some(costs) => log.outcomes.iter().zip(costs).map(|(outcome, cost)| outcome - cost).collect(),
    };
    let choices = Choices {
        arm: log.arm.iter().map(|&arm| renumbered(arm)).collect(),
        outcomes,
        chances: log.propensities.clone().unwrap_or_else(|| log.arm.iter().map(|&arm| shares[arm]).collect()),
        scores: places.iter().map(|&place| log.scores[place].clone()).collect(),
        arms,
    };
    let chosen = choices.chosen();
    let gives =
        choices.arms.iter().enumerate().map(|(arm, name)| (name.clone(), chosen.iter().filter(|&&chosen| chosen == arm).count())).collect();
    let scores = places.iter().map(|&place| scored[place].column.clone()).collect();
    Policy { scores, gives, metrics: judge_policy(&choices, resampling) }
}

fn mean_of(log: &Log, arm: usize) -> Arm {
    let rows: Vec<usize> = (0..log.arm.len()).filter(|&row| log.arm[row] == arm).collect();
    let mean_outcome = rows.iter().map(|&row| log.outcomes[row]).sum::<f64>() / rows.len() as f64;
    Arm { arm: log.arms[arm].clone(), rows: rows.len(), mean_outcome }
}

fn table(report: &Report) -> String {
    let mut lines = vec![format!("{}: {} rows, treatment {}", report.data, report.rows, report.assignment)];
    for arm in &report.arms {
        lines.push(format!("  {:<24}{:>10} rows   mean outcome {}", arm.arm, arm.rows, number(arm.mean_outcome)));
    }
    for ranking in &report.rankings {
        let found = match ranking.detectable {
            Some(true) => "ranks better than chance",
            Some(false) => "no detectable effect: not told from a ranking by lot",
            None => "not compared with chance",
        };
        lines.push(format!("\n{} as a ranking for {}: {found}", ranking.score, ranking.treatment));
        lines.extend(metrics(&ranking.metrics));
    }
    for policy in &report.policies {
        let gives: Vec<String> = policy.gives.iter().map(|(arm, rows)| format!("{arm} {rows}")).collect();
        lines.push(format!("\nchoosing by {}: {}", policy.scores.join(", "), gives.join(", ")));
        lines.extend(metrics(&policy.metrics));
    }
    lines.extend(report.notes.iter().map(|note| format!("\nnote: {note}")));
    lines.join("\n")
}

fn metrics(metrics: &[Judged]) -> Vec<String> {
    let mut lines = vec![format!("  {:<36}{:>10}   {:<24}{:<24}{}", "metric", "value", "95 % interval", "by lot (mean, spread)", "p")];
    for metric in metrics {
        let value = metric.value.map_or("undefined".to_owned(), number);
        let interval = metric.low.zip(metric.high).map_or(String::new(), |(low, high)| format!("[{}, {}]", number(low), number(high)));
        let (null, p) = match &metric.null {
            Some(null) => (format!("{}, {}", number(null.mean), number(null.spread)), format!("{:.3}", null.p)),
            None => (String::new(), String::new()),
        };
        lines.push(format!("  {:<36}{value:>10}   {interval:<24}{null:<24}{p}", metric.metric).trim_end().to_owned());
    }
    lines
}

fn number(value: f64) -> String {
    if value != 0.0 && (value.abs() < 1e-3 || value.abs() >= 1e6) { format!("{value:.3e}") } else { format!("{value:.4}") }
}
