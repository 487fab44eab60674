//! `youhui evaluate money`.

mod page;
mod read;

use clap::Args as ClapArgs;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value, json};
use youhui_commerce::Currency;
use youhui_evaluation::experiment::{Effect, Exposure, Guarded};
use youhui_evaluation::fairness::{
    FairnessError, FairnessSettings, GroupEffects, GroupHarm, GroupLedger, Harm, Parity, ParityMetric, Suppressed, group_effects, harm,
    parity,
};
use youhui_evaluation::money::{
    Attribution, Cannibalisation, Halo, Horizon, IncrementalMoney, Ledger, MoneyError, MoneySettings, PulledForward, Returns, attribution,
    cannibalisation, halo, incremental, pull_forward, returns,
};
use youhui_storage::hash_of;

use super::super::{CliError, Console};
use super::customers::{LotArgs, placed};
use super::figures::{entries, figure_entries, line, per_customer, pulled, ratio_entries, ratio_line, ratios, totals};
use super::kept::{Kept, Snapshot};
use read::Read;

/// Say what a campaign brought and cost, from customers who were held out by lot, and whom it treats how.
///
/// A row a customer, or several with --unit, which are summed; amounts in whole minor units. Columns of the campaign: revenue and orders, and if there are any goods, promotion, contact
/// (costs); the same with before_ and after_ in front for the time before and after it (pulled-forward purchases); last_touched and redeemed, what such counts give to
/// the campaign, are shown beside the lot's figure; part:CATEGORY:promoted and part:CATEGORY:rest, revenue by part of the assortment, for cannibalisation and halo.
#[derive(Debug, ClapArgs)]
pub(crate) struct Args {
    #[command(flatten)]
    lot: LotArgs,
    /// The column of the customer: rows of one are summed, whoever was in two arms is left out and said.
    #[arg(long, value_name = "COLUMN")]
    unit: Option<String>,
    /// Currency of amounts.
    #[arg(long, value_name = "CODE")]
    currency: Currency,
    /// A column of groups (age band, region): whether they are offered, given, charged and helped alike.
    #[arg(long, value_name = "COLUMN")]
    group: Option<String>,
    /// Customers that a group needs in each arm; smaller ones are left out and named.
    #[arg(long, value_name = "N", default_value_t = 30)]
    group_minimum: u64,
    /// The column that says whether a customer was offered something (1 or 0); without it shares offered aren't compared.
    #[arg(long, value_name = "COLUMN", requires = "group")]
    offered: Option<String>,
    /// Don't adjust by the time before.
    #[arg(long)]
    no_cuped: bool,
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
    run: Option<String>,
    exposure: Option<Exposure>,
    incremental: IncrementalMoney,
    returns: Returns,
    /// With what came after the campaign.
    net: Option<Net>,
    attribution: Option<Attribution>,
    cannibalisation: Vec<Cannibalisation>,
    halo: Option<Halo>,
    fairness: Option<Fairness>,
    /// What can't be told, and why; everything else is.
    problems: Vec<String>,
    warnings: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Net {
    incremental: IncrementalMoney,
    returns: Returns,
    pull_forward: PulledForward,
}

#[derive(Debug, Serialize)]
struct Fairness {
    parity: Vec<Parity>,
    /// On revenue.
    effects: Option<GroupEffects>,
    harm: Option<Harm>,
    /// Groups that are in no comparison.
    left_out: Vec<Suppressed>,
    problems: Vec<String>,
}

impl From<MoneyError> for CliError {
    fn from(error: MoneyError) -> Self {
        Self::usage(error.to_string())
    }
}

impl From<FairnessError> for CliError {
    fn from(error: FairnessError) -> Self {
        Self::usage(error.to_string())
    }
}

pub(crate) fn run(args: &Args, console: Console) -> Result<(), CliError> {
    let started = Timestamp::now();
    args.lot.check()?;
    let bar = console.bar("reading");
    let read = Read::of(args)?;
    bar.set_message("judging");
    let mut report = judge(args, &read)?;
    bar.finish_and_clear();
    let configuration = args.lot.configured(json!({
        "currency": args.currency.code(),
        "unit": args.unit, "group": args.group, "group_minimum": args.group_minimum, "offered": args.offered, "cuped": !args.no_cuped,
    }));
    let snapshot = Snapshot {
        command: "evaluate money",
        configuration,
        data: (report.data.clone(), report.hash.clone()),
        figures: figures(&report),
        files: &[&args.lot.data],
    };
    report.run = Some(args.kept.keep(snapshot, started, || page::html(&report))?);
    args.kept.print(console, &report, table)
}

const ROWS_ARE_CUSTOMERS: &str = "each row counts as a customer of its own (no --unit): of whoever stands there twice intervals are too narrow, and whoever was in two arms is not found";
const NOTHING_AFTER: &str =
    "nothing is known of the time after: what customers bought ahead counts as if it were more (give after_ columns)";

fn judge(args: &Args, read: &Read) -> Result<Report, CliError> {
    let settings = MoneySettings { level: args.lot.level, cuped: !args.no_cuped, ..MoneySettings::default() };
    let ledger = &read.ledger;
    let mut warnings: Vec<String> = ledger.warnings()?.into_iter().map(|warning| warning.message).collect();
    match &read.exposure {
        Some(exposure) => warnings.extend(exposure.warning().map(|warning| warning.message)),
        None => warnings.push(ROWS_ARE_CUSTOMERS.to_owned()),
    }
    if !read.missing.is_empty() {
        warnings.push(format!(
            "there is no column {}: what isn't known isn't 0, so that figures which take it are left out: add it",
            read.missing.join(", ")
        ));
    }
    let (incremental_money, returned) = (incremental(ledger, Horizon::During, settings)?, returns(ledger, Horizon::During, settings)?);
    let mut problems = told("", &[&incremental_money.not_judged, &returned.not_judged]);
    let net = if read.has_after { Some(net(ledger, settings)?) } else { None };
    match &net {
        Some(net) => {
            problems.extend(told("net ", &[&net.incremental.not_judged, &net.returns.not_judged]));
            problems.extend(told("pulled forward, ", &[&net.pull_forward.not_judged]));
        }
        None => warnings.push(NOTHING_AFTER.to_owned()),
    }
    let mut or_problem = |what: &str, error: MoneyError| problems.push(format!("{what}: {error}"));
    let attribution =
        read.has_counts.then(|| attribution(ledger, settings).map_err(|error| or_problem("attribution", error)).ok()).flatten();
    let cannibalisation =
        read.has_parts.then(|| cannibalisation(ledger, settings).map_err(|error| or_problem("cannibalisation", error)).ok()).flatten();
    let halo = read.has_parts.then(|| halo(ledger, settings).map_err(|error| or_problem("halo", error)).ok()).flatten();
    let fairness = read.groups.as_ref().map(|groups| match groups {
        Ok(groups) => by_group(args, read, groups, &mut warnings),
        Err(error) => Fairness { problems: vec![placed(&error.to_string(), error.row(), |row| read.place(args, row))], ..Fairness::none() },
    });
    Ok(Report {
        data: args.lot.data.display().to_string(),
        hash: hash_of(&args.lot.data)?,
        rows: read.rows,
        level: args.lot.level,
        run: None,
        exposure: read.exposure.clone(),
        incremental: incremental_money,
        returns: returned,
        net,
        attribution,
        cannibalisation: cannibalisation.unwrap_or_default(),
        halo,
        fairness,
        problems,
        warnings,
    })
}

fn net(ledger: &Ledger, settings: MoneySettings) -> Result<Net, CliError> {
    Ok(Net {
        incremental: incremental(ledger, Horizon::Net, settings)?,
        returns: returns(ledger, Horizon::Net, settings)?,
        pull_forward: pull_forward(ledger, settings)?,
    })
}

fn told(prefix: &str, not_judged: &[&Vec<(String, String)>]) -> Vec<String> {
    not_judged.iter().copied().flatten().map(|(what, why)| format!("{prefix}{what}: {why}")).collect()
}

fn by_group(args: &Args, read: &Read, groups: &GroupLedger, warnings: &mut Vec<String>) -> Fairness {
    let settings = FairnessSettings { level: args.lot.level, cuped: !args.no_cuped, ..FairnessSettings::default() };
    let (mut all, mut problems) = (vec![], vec![]);
    match groups.warnings() {
        Ok(found) => warnings.extend(found.into_iter().map(|warning| warning.message)),
        Err(error) => problems.push(format!("groups' lots: {error}")),
    }
    // Whoever was treated was offered something, unless a column says who was.
    let metrics = ParityMetric::ALL.into_iter().filter(|metric| *metric != ParityMetric::Offered || args.offered.is_some());
    for metric in metrics {
        match parity(groups, metric, settings) {
            Ok(found) => all.push(found),
            Err(error) => {
                let why = placed(&error.to_string(), error.row(), |row| read.place(args, row));
                problems.push(format!("{}: {why}", metric.name()));
            }
        }
    }
    let mut or_problem = |what: &str, error: FairnessError| problems.push(format!("{what}: {error}"));
    let effects = group_effects(groups, settings).map_err(|error| or_problem("effects", error)).ok();
    let harm = harm(groups, 0.0, settings).map_err(|error| or_problem("harm", error)).ok();
    let mut left_out = groups.suppressed();
    for more in effects.iter().flat_map(|effects| &effects.suppressed) {
        if !left_out.iter().any(|known| known.group == more.group) {
            left_out.push(more.clone());
        }
    }
    warnings.extend(left_out.iter().map(|one| format!("group {} is left out of comparisons: {}", one.group, one.reason)));
    warnings.extend(harm.iter().filter_map(|harm| harm.warning.as_ref()).map(|warning| warning.message.clone()));
    Fairness { parity: all, effects, harm, left_out, problems }
}

impl Fairness {
    const fn none() -> Self {
        Self { parity: vec![], effects: None, harm: None, left_out: vec![], problems: vec![] }
    }

    /// Effects of groups of which one could be judged, with p-values adjusted for how many there are.
    fn effects(&self) -> impl Iterator<Item = (&str, &Effect, Option<f64>)> {
        let all = self.effects.iter().flat_map(|effects| &effects.breakdown.effects);
        all.filter_map(|one| Some((one.dimension.as_str(), one.effect.as_ref()?, one.adjusted_p)))
    }

    /// Whether each group is worse off.
    fn harm(&self) -> impl Iterator<Item = (&GroupHarm, &'static str)> {
        self.harm.iter().flat_map(|harm| &harm.groups).map(|group| {
            let said = match group.guarded {
                Guarded::Broken => "HARMED",
                Guarded::Holds => "not harmed",
                Guarded::NotYetKnown => "whether it is harmed isn't known yet",
            };
            (group, said)
        })
    }
}

/// The same names as other commands give: a run can be compared with another.
fn figures(report: &Report) -> Map<String, Value> {
    let mut figures = Map::new();
    let mut both = |prefix: &str, incremental: &IncrementalMoney, returns: &Returns| {
        let effects = per_customer(incremental).chain(totals(incremental));
        figures.extend(effects.flat_map(|figure| figure_entries(prefix, figure)));
        ratios(returns).for_each(|ratio| figures.extend(ratio_entries(prefix, ratio)));
    };
    both("", &report.incremental, &report.returns);
    if let Some(net) = &report.net {
        both("net.", &net.incremental, &net.returns);
        for one in pulled(&net.pull_forward) {
            figures.extend(figure_entries("", &one.after));
            figures.extend(ratio_entries("", &one.share));
        }
    }
    for one in &report.cannibalisation {
        [&one.promoted, &one.rest, &one.whole].into_iter().for_each(|figure| figures.extend(figure_entries("", figure)));
        figures.extend(ratio_entries(&format!("{}: ", one.category), &one.rate));
    }
    for figure in report.halo.iter().flat_map(|halo| &halo.categories) {
        figures.extend(figure_entries("halo.", figure));
    }
    if let Some(attribution) = &report.attribution {
        for one in [&attribution.last_touch, &attribution.redemption].into_iter().flatten() {
            figures.extend(figure_entries("", &one.total));
        }
    }
    if let Some(fairness) = &report.fairness {
        for (group, effect, _) in fairness.effects() {
            let n = effect.n_control + effect.n_treatment;
            figures.extend(entries(&format!("effect on {group}"), Some(effect.value), Some((effect.low, effect.high)), n));
        }
        for (group, _) in fairness.harm() {
            figures.insert(format!("harm to {}", group.group), json!(group.guarded));
        }
        figures.extend(fairness.harm.iter().map(|harm| ("share of groups harmed".to_owned(), json!(harm.share_harmed))));
    }
    for one in report.fairness.iter().flat_map(|fairness| &fairness.parity) {
        let n = one.groups.iter().map(|group| group.n).sum();
        let gap = (one.difference.low, one.difference.high);
        figures.extend(entries(&format!("gap in {}", one.name), Some(one.difference.value), Some(gap), n));
    }
    figures
}

fn table(report: &Report) -> String {
    let mut lines = vec!["during the campaign".to_owned()];
    let both = |incremental: &IncrementalMoney, returns: &Returns| -> Vec<String> {
        totals(incremental).map(line).chain(ratios(returns).map(ratio_line)).collect()
    };
    lines.extend(both(&report.incremental, &report.returns));
    if let Some(net) = &report.net {
        lines.push("with what came after".to_owned());
        lines.extend(both(&net.incremental, &net.returns));
        lines.extend(net.pull_forward.revenue.iter().map(|one| line(&one.after)));
    }
    if let Some(attribution) = &report.attribution {
        lines.push("attribution, which is not causal, beside the lot".to_owned());
        let counted = [&attribution.last_touch, &attribution.redemption].into_iter().flatten().map(|one| &one.total);
        lines.extend([&attribution.incremental].into_iter().chain(counted).map(line));
    }
    for one in &report.cannibalisation {
        lines.push(format!("within {}", one.category));
        lines.extend([&one.promoted, &one.rest, &one.whole].map(line));
    }
    if let Some(halo) = &report.halo {
        lines.push("on other categories".to_owned());
        lines.extend(halo.categories.iter().map(line));
    }
    if let Some(fairness) = &report.fairness {
        lines.push("by group".to_owned());
        for (group, effect, adjusted_p) in fairness.effects() {
            let p = adjusted_p.map_or_else(String::new, |p| format!(", p {p:.4} (adjusted)"));
            let unit = fairness.effects.as_ref().map_or("", |effects| &effects.unit);
            let name = format!("effect on {group}");
            lines.push(format!("  {name:<44} {:>14.2}  [{:.2}, {:.2}] {unit}{p}", effect.value, effect.low, effect.high));
        }
        lines.extend(fairness.harm().map(|(group, said)| format!("  {}: {said}", group.group)));
        for found in &fairness.parity {
            lines.push(format!(
                "  {:<44} {} to {}: {:.4} [{:.4}, {:.4}]",
                found.name, found.worst, found.best, found.difference.value, found.difference.low, found.difference.high
            ));
        }
        lines.extend(fairness.problems.iter().map(|problem| format!("  no figure: {problem}")));
    }
    lines.extend(report.problems.iter().map(|problem| format!("no figure: {problem}")));
    lines.extend(report.warnings.iter().map(|warning| format!("warning: {warning}")));
    if let Some(run) = &report.run {
        lines.push(format!("kept as run {run}"));
    }
    lines.join("\n")
}
