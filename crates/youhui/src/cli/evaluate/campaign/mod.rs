//! `youhui evaluate campaign`.

mod money;

use std::path::PathBuf;

use clap::Args as ClapArgs;
use jiff::Timestamp;
use maud::html;
use serde::Serialize;
use serde_json::{Map, Value, json};
use youhui_commerce::{Currency, TimeWindow};
use youhui_evaluation::experiment::{
    Accumulator, Adjust, Analysis, AnalysisPlan, Better, Engine, Metric, MetricPlan, Role, Rows, Scale, Verdict, analyse, from_moments,
};
use youhui_evaluation::off_policy::{Comparison, Estimator, Expected, Interval, Log, Options, Shape, Target, estimators, weigh};

use super::super::{CliError, Console, now};
use super::experiment::check_tuning;
use super::figures::{dot, entries};
use super::kept::{Kept, Snapshot, of_metrics};
use super::page::{by_unit, charts, footer, forest, said, whole};
use crate::serve::{Bought, Outcomes, Shown, Unit, Windows, database_of, outcomes};
use money::Money;

/// Say what a campaign of a served shop caused: by the customers who were held out by lot, and each promotion against showing nothing, by the
/// chances with which it was shown.
#[derive(Debug, ClapArgs)]
pub(crate) struct Args {
    /// Which campaign.
    #[arg(value_name = "ID")]
    campaign: String,
    /// The shop's folder.
    #[arg(long, value_name = "DIR", default_value = "youhui-shop")]
    store: PathBuf,
    /// `postgres://…`, or `sqlite:PATH`; a file in the shop's folder if absent.
    #[arg(long, value_name = "URL", env = "YOUHUI_DATABASE", hide_env_values = true)]
    database: Option<String>,
    /// Where the shop's events are, if not in the database: `nats://HOST:PORT/STREAM`.
    #[arg(long, value_name = "URL", env = "YOUHUI_EVENTS", hide_env_values = true)]
    events: Option<String>,
    /// Days after a customer came first that count, and before it as what is known of them. Only customers whose days are over count.
    #[arg(long, value_name = "DAYS", default_value_t = 14.0)]
    window_days: f64,
    /// Profit as a share of list prices: then the goal is profit, otherwise revenue.
    #[arg(long, value_name = "SHARE")]
    margin: Option<f64>,
    /// Currency of the shop, where it was served before it kept that: money's figures are told in it, with --margin contribution profit and the
    /// return on promotion spend.
    #[arg(long, value_name = "CODE")]
    currency: Option<Currency>,
    /// Days after the window in which what was bought ahead would be missing; as many as the window, if absent.
    #[arg(long, value_name = "DAYS")]
    after_days: Option<f64>,
    /// Customers at which the interval is tightest: where you mean to decide. To be fixed beforehand.
    #[arg(long, value_name = "N", default_value_t = 5000.0)]
    tuning: f64,
    /// How surely intervals cover.
    #[arg(long, value_name = "SHARE", default_value_t = 0.95)]
    level: f64,
    #[command(flatten)]
    kept: Kept,
}

impl Args {
    fn after_days(&self) -> f64 {
        self.after_days.unwrap_or(self.window_days)
    }
}

/// What is printed.
#[derive(Debug, Serialize)]
struct Report {
    campaign: String,
    run: Option<String>,
    window_days: f64,
    level: f64,
    basis: &'static str,
    customers: usize,
    held_out: usize,
    /// Came, and their days are not over.
    waiting: usize,
    #[serde(flatten)]
    analysis: Analysis,
    /// The effect on all who were not held out together, in minor units.
    total: Option<Total>,
    /// Given away to those who were not held out.
    discount: Given,
    promotions: Vec<Promotion>,
    money: Option<Money>,
    notes: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Total {
    metric: String,
    value: f64,
    low: f64,
    high: f64,
    n: usize,
    unit: &'static str,
}

/// What was counted, and not estimated: it has no interval.
#[derive(Debug, Serialize)]
struct Given {
    value: f64,
    n: usize,
    unit: &'static str,
}

/// A promotion against nothing, among decisions in which both had a chance.
#[derive(Debug, Serialize)]
struct Promotion {
    promotion_id: String,
    decisions: usize,
    shown: usize,
    nothing: usize,
    estimator: String,
    effect: Option<f64>,
    interval: Option<Interval>,
    unit: &'static str,
    problem: Option<String>,
}

const PER_DECISION: &str = "minor units per decision";

const BASIS: &str = "randomised: customers held out by lot see no promotion at all, so this is what the shop's promotions together caused among customers \
                     who came where this campaign could be shown; these intervals hold whenever they are looked at, those of single promotions for one look and one \
                     promotion";

pub(crate) fn run(args: &Args, console: Console) -> Result<(), CliError> {
    let started = Timestamp::now();
    if args.database.is_none() && !args.store.join("live.db").exists() {
        return Err(CliError::usage(format!("--store {}: no server has run here", args.store.display())));
    }
    for (flag, days) in [("--window-days", args.window_days), ("--after-days", args.after_days())] {
        if !(days > 0.0 && days <= 3650.0) {
            return Err(CliError::usage(format!("{flag}: give a number of days above 0, up to 3650")));
        }
    }
    if args.margin.is_some_and(|margin| !(margin > 0.0 && margin <= 1.0)) {
        return Err(CliError::usage("--margin: give a share above 0, up to 1"));
    }
    check_tuning(args.tuning)?;
    #[allow(clippy::cast_possible_truncation, reason = "ten years at most")]
    let [window, later] = [args.window_days, args.after_days()].map(|days| (days * TimeWindow::DAY as f64) as i64);
    let url = args.database.clone().unwrap_or_else(|| database_of(&args.store));
    // Before it is read, which may take long: a page over the database would be the end of the shop.
    let read = youhui_storage::Live::files(&url);
    args.kept.spare(&read.iter().map(PathBuf::as_path).collect::<Vec<_>>(), Some(&args.store))?;
    let found = super::super::serve::runtime()?.block_on(async {
        let database = youhui_storage::Live::open(&url).await?.with_events(args.events.as_deref(), None).await?;
        outcomes(&database, &args.campaign, Windows { window, later }, now()).await
    })?;
    let currency = currency(args, &found)?;
    let mut report = judge(args, &found, currency)?;
    let snapshot = Snapshot {
        command: "evaluate campaign",
        configuration: json!({
            "campaign": args.campaign, "window_days": args.window_days, "margin": args.margin,
            "currency": currency.map(|currency| currency.code().to_owned()), "after_days": args.after_days, "tuning": args.tuning, "level": args.level,
        }),
        data: (args.store.display().to_string(), hash_of(&found)),
        figures: figures(&report),
        files: &[],
    };
    report.run = Some(args.kept.keep(snapshot, started, || page(&report))?);
    args.kept.print(console, &report, table)
}

/// The shop's own; what was given, where that isn't known.
fn currency(args: &Args, found: &Outcomes) -> Result<Option<Currency>, CliError> {
    let codes = || found.currencies.iter().map(Currency::code).collect::<Vec<&str>>().join(" and ");
    match (args.currency, found.currencies.as_slice()) {
        (Some(given), known) if !known.is_empty() && !known.contains(&given) => {
            Err(CliError::usage(format!("--currency {}: this shop is served in {}: leave it out", given.code(), codes())))
        }
        (_, [_, _, ..]) => Err(CliError::usage(format!(
            "{}: this shop was served in {}, and two currencies don't add: serve each from a folder of its own",
            args.store.display(),
            codes()
        ))),
        (given, known) => {
            let currency = known.first().copied().or(given);
            if currency.is_none() && args.after_days.is_some() {
                return Err(CliError::usage("--after-days: they are money's, and the shop's currency isn't known: give --currency"));
            }
            Ok(currency)
        }
    }
}

fn judge(args: &Args, found: &Outcomes, currency: Option<Currency>) -> Result<Report, CliError> {
    let held_out = found.units.iter().filter(|unit| unit.held_out).count();
    if found.units.is_empty() {
        let why = if found.waiting > 0 {
            format!(
                "{} customers came, and the {} days of none are over: wait, or give fewer --window-days",
                found.waiting, args.window_days
            )
        } else {
            "nobody who may be known came where it could be shown: is that its name?".to_owned()
        };
        return Err(CliError::usage(format!("{}: {why}", args.campaign)));
    }
    if held_out == 0 {
        return Err(CliError::usage(format!(
            "{}: nobody was held out, so what would have been without it was never seen: give the offers a holdout_share",
            args.campaign
        )));
    }
    let value = |bought: &Bought| args.margin.map_or(bought.revenue, |margin| bought.profit(margin));
    let goal = if args.margin.is_some() { "profit" } else { "revenue" };
    let column = |of: &dyn Fn(&Unit) -> f64| found.units.iter().map(of).collect::<Vec<f64>>();
    let columns = [
        column(&|unit| value(&unit.after)),
        column(&|unit| value(&unit.before)),
        column(&|unit| unit.after.orders),
        column(&|unit| unit.before.orders),
    ];
    let group: Vec<u32> = found.units.iter().map(|unit| u32::from(!unit.held_out)).collect();
    let borrowed: Vec<&[f64]> = columns.iter().map(Vec::as_slice).collect();
    let mut sums = Accumulator::new(2, columns.len());
    sums.add(Rows { columns: &borrowed, names: &[goal, "before", "orders", "orders before"], group: &group })?;
    // Where nobody had bought before there is nothing to adjust by.
    let varies = |column: &[f64]| column.iter().any(|value| *value != column[0]);
    let covariates = |place: usize| if varies(borrowed[place + 1]) { vec![Metric::mean(place + 1)] } else { vec![] };
    let metric =
        |name: &str, role: Role, unit: &str| MetricPlan { name: name.to_owned(), unit: unit.to_owned(), better: Better::Higher, role };
    let share = expected_share(&found.units);
    let plan = AnalysisPlan {
        arms: vec!["held out".to_owned(), "offered".to_owned()],
        weights: vec![share, 1.0 - share],
        control: 0,
        metrics: vec![metric(goal, Role::Goal, "minor units per customer"), metric("orders", Role::Secondary, "orders per customer")],
        covariates: vec![],
        scale: Scale::Absolute,
        engine: Engine::Sequential { tuning: args.tuning },
        level: args.level,
        adjust: Adjust::Holm,
        planned: None,
    };
    let [held, offered_to] = [&sums.groups()[0], &sums.groups()[1]];
    let analysis = analyse(
        &plan,
        sums.groups(),
        |metric, _| from_moments(Metric::mean(2 * metric), &covariates(2 * metric), held, offered_to),
        vec![],
    )?;
    let offered = found.units.len() - held_out;
    let total = analysis.arms[0].metrics.iter().find(|metric| metric.metric == goal).map(|metric| Total {
        metric: goal.to_owned(),
        value: metric.effect * offered as f64,
        low: metric.low * offered as f64,
        high: metric.high * offered as f64,
        n: offered,
        unit: "minor units",
    });
    let mut notes = vec![];
    if !found.in_both.is_empty() {
        notes.push(format!(
            "{} customers were held out at one time and not at another (on another device, or under another share): they are left out",
            found.in_both.len()
        ));
    }
    if found.holdout_shares.len() > 1 {
        notes.push("the share held out was changed meanwhile: customers who came before and after are not of one lot".to_owned());
    }
    Ok(Report {
        campaign: args.campaign.clone(),
        run: None,
        window_days: args.window_days,
        level: args.level,
        basis: BASIS,
        customers: found.units.len(),
        held_out,
        waiting: found.waiting,
        analysis,
        total,
        discount: Given {
            value: found.units.iter().filter(|unit| !unit.held_out).map(|unit| unit.after.discount).sum(),
            n: offered,
            unit: "minor units",
        },
        promotions: (0..found.promotions.len()).map(|place| promotion(args, found, place, &value)).collect(),
        money: currency.map(|currency| Money::of(args, currency, found)),
        notes,
    })
}

/// The share of these customers that the lots would have held out: each came under a share of their own. Sizes that vary less than those of one share, which the check of
/// sample ratios takes, raise no alarm for it.
fn expected_share<'a>(units: impl IntoIterator<Item = &'a Unit>) -> f64 {
    let (sum, count) = units.into_iter().fold((0.0, 0.0), |(sum, count), unit| (sum + unit.chance, count + 1.0));
    sum / count
}

/// Self-normalised inverse propensity weighting, by customer: what the promotion earns more than nothing would have, where both had a chance.
fn promotion(args: &Args, found: &Outcomes, place: usize, value: &dyn Fn(&Bought) -> f64) -> Promotion {
    let rounds: Vec<_> = found.rounds.iter().filter(|round| round.could.contains(&place)).collect();
    let is = |shown: Shown| rounds.iter().filter(|round| round.shown == shown).count();
    let mut told = Promotion {
        promotion_id: found.promotions[place].clone(),
        decisions: rounds.len(),
        shown: is(Shown::Own(place)),
        nothing: is(Shown::Nothing),
        estimator: String::new(),
        effect: None,
        interval: None,
        unit: PER_DECISION,
        problem: None,
    };
    let action: Vec<u32> = rounds
        .iter()
        .map(|round| if round.shown == Shown::Own(place) { 1 } else { 2 * u32::from(round.shown != Shown::Nothing) })
        .collect();
    let reward: Vec<f64> = rounds.iter().map(|round| value(&round.after)).collect();
    let propensity: Vec<f64> = rounds.iter().map(|round| round.propensity).collect();
    let mut names = rustc_hash::FxHashMap::default();
    let customer: Vec<u64> = rounds
        .iter()
        .map(|round| {
            let next = names.len() as u64;
            *names.entry(round.subject).or_insert(next)
        })
        .collect();
    let log = Log { action: &action, position: None, reward: &reward, propensity: &propensity, customer: Some(&customer), first_row: 0 };
    let only = |wanted: u32| action.iter().map(|action| f64::from(u8::from(*action == wanted))).collect::<Vec<f64>>();
    let (own, nothing) = (only(1), only(0));
    let compared = || {
        let shape = Shape::of_actions(3);
        let first = weigh(shape, &log, Target::Logged(&own), Expected::None)?;
        let second = weigh(shape, &log, Target::Logged(&nothing), Expected::None)?;
        let all: Vec<Box<dyn Estimator>> = vec![Box::new(estimators::SelfNormalisedIpw)];
        let mut comparison = Comparison::new(all, Options { alpha: 1.0 - args.level, ..Options::default() })?;
        comparison.add(&first, &second)?;
        comparison.finish()
    };
    match compared() {
        Ok(differences) => {
            if let Some(one) = differences.first() {
                (told.estimator, told.effect, told.interval) = (one.estimator.clone(), one.difference, one.paired);
            }
            if told.effect.is_none() {
                told.problem = Some("it, or nothing, was never shown: there is nothing to compare".to_owned());
            }
        }
        Err(error) => told.problem = Some(error.to_string()),
    }
    told
}

/// Of what was read: a shop's logs go on, and two snapshots may have seen more or less of them.
fn hash_of(found: &Outcomes) -> String {
    let mut hasher = blake3::Hasher::new();
    for unit in &found.units {
        hasher.update(unit.subject.as_bytes()).update(&[u8::from(unit.held_out)]).update(&unit.exposed.to_le_bytes());
        for bought in [unit.before, unit.after, unit.later.unwrap_or_default()] {
            [bought.orders, bought.revenue, bought.discount].iter().for_each(|number| {
                hasher.update(&number.to_le_bytes());
            });
        }
    }
    hasher.finalize().to_hex().to_string()
}

fn figures(report: &Report) -> Map<String, Value> {
    let mut figures: Map<String, Value> = of_metrics("", &report.analysis.arms[0].metrics).collect();
    for one in &report.promotions {
        let interval = one.interval.map(|interval| (interval.low, interval.high));
        figures.extend(entries(&one.promotion_id, one.effect, interval, one.decisions as u64));
    }
    if let Some(money) = &report.money {
        figures.extend(money.entries());
    }
    figures
}

const fn words(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Ship => "made better: go on",
        Verdict::KeepRunning => "not known yet",
        Verdict::RollBack => "stop it",
    }
}

fn table(report: &Report) -> String {
    let arm = &report.analysis.arms[0];
    let mut lines = vec![
        format!("{}: {}", report.campaign, words(arm.decision.verdict)),
        format!(
            "  {} customers, {} of them held out by lot, {} whose days are not over",
            report.customers, report.held_out, report.waiting
        ),
    ];
    lines.extend(arm.decision.reasons.iter().map(|reason| format!("  {reason}")));
    for metric in &arm.metrics {
        lines.push(format!(
            "  {:<10} {:>12.4} held out {:>12.4} offered   effect {:>12.4} [{:.4}, {:.4}] {}",
            metric.metric, metric.control.value, metric.treatment.value, metric.effect, metric.low, metric.high, metric.unit
        ));
    }
    if let Some(total) = &report.total {
        lines.push(format!(
            "  in all: {} {:.0} [{:.0}, {:.0}] {}; discounts given {:.0}",
            total.metric, total.value, total.low, total.high, total.unit, report.discount.value
        ));
    }
    for one in &report.promotions {
        let Some((effect, interval)) = one.effect.zip(one.interval) else { continue };
        let figure = format!("{effect:.4} [{:.4}, {:.4}] {}", interval.low, interval.high, one.unit);
        lines.push(format!("  {} against nothing ({} shown, {} not): {figure}", one.promotion_id, one.shown, one.nothing));
    }
    lines.extend(report.money.iter().flat_map(Money::lines));
    lines.extend(without_figure(report).iter().map(|problem| format!("  no figure: {problem}")));
    lines.extend(report.analysis.warnings.iter().map(|warning| format!("warning: {}", warning.message)));
    lines.extend(report.notes.iter().map(|note| format!("note: {note}")));
    lines.push(format!("basis: {}", report.basis));
    if let Some(run) = &report.run {
        lines.push(format!("kept as run {run}"));
    }
    lines.join("\n")
}

/// Metrics and promotions of which nothing could be said.
fn without_figure(report: &Report) -> Vec<String> {
    let promotions = report.promotions.iter().filter_map(|one| {
        let problem = one.problem.as_ref()?;
        Some(format!("{} against nothing ({} shown, {} not): {problem}", one.promotion_id, one.shown, one.nothing))
    });
    report.analysis.arms[0].problems.iter().cloned().chain(promotions).collect()
}

fn page(report: &Report) -> String {
    let arm = &report.analysis.arms[0];
    let metrics = arm.metrics.iter().map(|metric| (metric.unit.clone(), dot(&metric.metric, metric.effect, metric.low, metric.high)));
    let promotions: Vec<charts::Interval> = report
        .promotions
        .iter()
        .filter_map(|one| {
            one.effect.zip(one.interval).map(|(effect, interval)| dot(&one.promotion_id, effect, interval.low, interval.high))
        })
        .collect();
    let body = html! {
        h1 { "What " (report.campaign) " caused" }
        p class="source" { (report.customers) " customers, " (report.held_out) " of them held out by lot, " (report.waiting) " more whose days are not over; " (report.window_days) " days after each came first. " (report.basis) "." }
        p class=(if arm.decision.verdict == Verdict::Ship { "lead" } else { "lead fallback" }) { b { (words(arm.decision.verdict)) ". " } (arm.decision.reasons.join(" ")) }
        @for warning in &report.analysis.warnings { (said(warning.code, [&warning.message])) }
        h2 { "Against the holdout" }
        @for (unit, dots) in by_unit(metrics) { (forest("Effect a customer", &dots, &unit, "With the interval that holds whenever it is looked at.")) }
        @if let Some(total) = &report.total {
            p { "In all " (total.n) " who were not held out: " (total.metric) " " (format!("{:.0} [{:.0}, {:.0}] {}", total.value, total.low, total.high, total.unit))
                "; discounts given to them " (format!("{:.0} {}", report.discount.value, report.discount.unit)) "." }
        }
        @if !promotions.is_empty() {
            h2 { "Each promotion against nothing" }
            (forest("Effect a decision", &promotions, PER_DECISION, "By the chances with which each was shown (self-normalised inverse propensity weighting, by customer); each interval is for one look."))
        }
        @if let Some(money) = &report.money { (money.page()) }
        (said("no figure", without_figure(report).iter()))
        (said("note", &report.notes))
        (footer())
    };
    whole("What a campaign caused", &body)
}
