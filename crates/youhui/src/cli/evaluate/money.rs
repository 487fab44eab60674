//! `youhui evaluate money`.

use std::path::PathBuf;

use clap::Args as ClapArgs;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value, json};
use youhui_commerce::Currency;
use youhui_evaluation::fairness::{
    FairnessError, FairnessSettings, GroupEffects, GroupLedger, GroupPlan, Harm, Parity, ParityMetric, Person, group_effects, harm, parity,
};
use youhui_evaluation::money::{
    Amounts, Arm, Attribution, Cannibalisation, Customer, Figure, Halo, Horizon, IncrementalMoney, Ledger, MoneyError, MoneySettings, Part,
    PulledForward, RatioFigure, Returns, attribution, cannibalisation, halo, incremental, pull_forward, returns,
};
use youhui_storage::{Column, MISSING, Table, Values, columns_of, hash_of, read_table_in_blocks};

use super::super::{CliError, Console};
use super::kept::{Kept, Snapshot};

/// Say what a campaign brought and cost, from customers who were held out by lot, and whom it treats how.
///
/// A row a customer, amounts in whole minor units. Columns of the campaign: revenue and orders, and if there are any goods, promotion, contact
/// (costs); the same with before_ and after_ in front for the time before and after it (pulled-forward purchases); last_touched and redeemed, what such counts give to
/// the campaign, are shown beside the lot's figure; part:CATEGORY:promoted and part:CATEGORY:rest, revenue by part of the assortment, for cannibalisation and halo.
#[derive(Debug, ClapArgs)]
pub(crate) struct Args {
    /// Parquet, CSV or JSON Lines: a row a customer.
    #[arg(long, value_name = "FILE")]
    data: PathBuf,
    /// The column that says which arm a customer is of.
    #[arg(long, value_name = "COLUMN")]
    assignment: String,
    /// Its value for those who were held out.
    #[arg(long, value_name = "VALUE", default_value = "held_out")]
    held_out: String,
    /// The share that the lot held out.
    #[arg(long, value_name = "SHARE")]
    holdout_share: f64,
    /// Currency of amounts.
    #[arg(long, value_name = "CODE")]
    currency: Currency,
    /// A column of groups (age band, region): whether they are offered, given, charged and helped alike.
    #[arg(long, value_name = "COLUMN")]
    group: Option<String>,
    /// Customers that a group needs in each arm; smaller ones are left out and named.
    #[arg(long, value_name = "N", default_value_t = 30)]
    group_minimum: u64,
    /// The column that says whether a customer was offered something (1 or 0); whoever was not held out, if absent.
    #[arg(long, value_name = "COLUMN", requires = "group")]
    offered: Option<String>,
    /// Don't adjust by the time before.
    #[arg(long)]
    no_cuped: bool,
    /// How surely intervals cover.
    #[arg(long, value_name = "SHARE", default_value_t = 0.95)]
    level: f64,
    #[command(flatten)]
    kept: Kept,
}

/// What is printed.
#[derive(Debug, Serialize)]
struct Report {
    data: String,
    hash: String,
    run: Option<String>,
    incremental: IncrementalMoney,
    returns: Returns,
    /// With what came after the campaign.
    net: Option<Net>,
    attribution: Option<Attribution>,
    cannibalisation: Vec<Cannibalisation>,
    halo: Option<Halo>,
    fairness: Option<Fairness>,
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

const FIELDS: [&str; 5] = ["revenue", "goods", "promotion", "contact", "orders"];

pub(crate) fn run(args: &Args, console: Console) -> Result<(), CliError> {
    let started = Timestamp::now();
    if !(args.holdout_share > 0.0 && args.holdout_share < 1.0) {
        return Err(CliError::usage("--holdout-share: give a share between 0 and 1: without a holdout nobody knows what would have been"));
    }
    let bar = console.bar("reading");
    let read = Read::of(args)?;
    bar.set_message("judging");
    let mut report = judge(args, &read)?;
    bar.finish_and_clear();
    let configuration = json!({
        "assignment": args.assignment, "held_out": args.held_out, "holdout_share": args.holdout_share, "currency": args.currency.code(),
        "group": args.group, "offered": args.offered, "cuped": !args.no_cuped, "level": args.level,
    });
    let snapshot = Snapshot {
        command: "evaluate money",
        configuration,
        data: (report.data.clone(), report.hash.clone()),
        figures: figures(&report),
        artefacts: vec![],
    };
    report.run = Some(args.kept.keep(snapshot, started)?);
    args.kept.print(console, &report, table)
}

/// Groups that are told apart.
const MOST_GROUPS: usize = 1_000;

/// Customers, summed.
struct Read {
    ledger: Ledger,
    groups: Option<GroupLedger>,
    has_after: bool,
    has_counts: bool,
    has_parts: bool,
}

/// Which columns there are.
struct Names {
    /// By window: before, during, after; the fields that are there.
    amounts: [[Option<String>; 5]; 3],
    counts: [Option<String>; 2],
    parts: Vec<(String, Part)>,
}

impl Names {
    fn of(args: &Args) -> Result<Self, CliError> {
        let present = columns_of(&args.data)?;
        let known = |name: String| present.contains(&name).then_some(name);
        let of = |window: &str| FIELDS.map(|field| known(format!("{window}{field}")));
        let amounts = [of("before_"), of(""), of("after_")];
        for (field, name) in amounts[1].iter().zip(FIELDS).filter(|(_, name)| ["revenue", "orders"].contains(name)) {
            if field.is_none() {
                let path = args.data.display();
                return Err(CliError::usage(format!("{path}: there is no column {name}: its columns are {}", present.join(", "))));
            }
        }
        let mut parts = vec![];
        for name in present.iter().filter(|name| name.starts_with("part:")) {
            let (category, which) = name["part:".len()..].rsplit_once(':').unwrap_or_default();
            let promoted = match which {
                "promoted" => true,
                "rest" => false,
                _ => {
                    return Err(CliError::usage(format!(
                        "{}: column {name}: write part:CATEGORY:promoted or part:CATEGORY:rest",
                        args.data.display()
                    )));
                }
            };
            parts.push((name.clone(), Part { category: category.to_owned(), promoted }));
        }
        Ok(Self { amounts, counts: ["last_touched", "redeemed"].map(|name| known(name.to_owned())), parts })
    }

    fn wanted(&self, args: &Args) -> Vec<String> {
        let own = [Some(&args.assignment), args.group.as_ref(), args.offered.as_ref()].into_iter().flatten().cloned();
        let amounts = self.amounts.iter().flatten().chain(&self.counts).flatten().cloned();
        own.chain(amounts).chain(self.parts.iter().map(|(name, _)| name.clone())).collect()
    }
}

impl Read {
    fn of(args: &Args) -> Result<Self, CliError> {
        let names = Names::of(args)?;
        let parts = names.parts.iter().map(|(_, part)| part.clone()).collect();
        let mut ledger = Ledger::new(args.currency, 1.0 - args.holdout_share, parts)?;
        let (mut people, mut groups, mut row, mut treated) = (vec![], Vec::<String>::new(), 0, None);
        read_table_in_blocks(&args.data, &names.wanted(args), &[], |mut table| -> Result<(), CliError> {
            let arms = arms(args, &mut table, row, &mut treated)?;
            let group = args.group.as_ref().map(|column| codes(args, &mut table, column, row)).transpose()?;
            let of_group = group.map(|(codes, texts)| {
                let places: Vec<u32> = texts.iter().map(|text| place(&mut groups, text)).collect();
                if groups.len() > MOST_GROUPS {
                    return Err(CliError::usage(format!("--group: more than {MOST_GROUPS} groups: is it the right column?")));
                }
                Ok(codes.into_iter().map(|code| places[code as usize]).collect::<Vec<u32>>())
            });
            let of_group = of_group.transpose()?;
            let offered = args.offered.as_ref().map(|column| whole(args, table.column(column)?, row)).transpose()?;
            let column = |name: &Option<String>| match name {
                Some(name) => whole(args, table.column(name)?, row),
                None => Ok(vec![0; table.rows()]),
            };
            let mut amounts = vec![];
            for window in &names.amounts {
                amounts.push(window.iter().map(column).collect::<Result<Vec<_>, _>>()?);
            }
            for (window, names) in amounts.iter().zip(&names.amounts) {
                let negative = window[4].iter().position(|orders| u32::try_from(*orders).is_err());
                if let (Some(place), Some(name)) = (negative, &names[4]) {
                    return Err(CliError::usage(format!(
                        "{}: row {}: column {name} is {}: orders are counted from 0 (cancellations beside them): fewer than none would turn every figure by order around",
                        args.data.display(),
                        row + place + 1,
                        window[4][place]
                    )));
                }
            }
            let counts = names.counts.iter().map(column).collect::<Result<Vec<_>, _>>()?;
            let of_part = names.parts.iter().map(|(name, _)| whole(args, table.column(name)?, row)).collect::<Result<Vec<_>, _>>()?;
            let at = |window: usize, place: usize| {
                let of = |field: usize| amounts[window][field][place];
                Amounts { revenue: of(0), goods: of(1), promotion: of(2), contact: of(3), orders: u32::try_from(of(4)).unwrap_or(u32::MAX) }
            };
            let customers: Vec<Customer> = (0..table.rows())
                .map(|place| Customer {
                    arm: arms[place],
                    before: at(0, place),
                    during: at(1, place),
                    after: at(2, place),
                    last_touched: counts[0][place],
                    redeemed: counts[1][place],
                })
                .collect();
            let cells: Vec<i64> = (0..table.rows()).flat_map(|place| of_part.iter().map(move |column| column[place])).collect();
            ledger.add(&customers, &cells)?;
            if let Some(group) = of_group {
                people.extend(customers.iter().enumerate().map(|(place, customer)| Person {
                    group: Some(group[place]),
                    arm: customer.arm,
                    offered: offered.as_ref().map_or(customer.arm == Arm::Treated, |offered| offered[place] != 0),
                    list: customer.during.revenue,
                    discount: customer.during.promotion,
                    units: customer.during.orders,
                    cost: customer.during.promotion + customer.during.contact,
                    benefit: customer.during.revenue as f64,
                    before: customer.before.revenue as f64,
                }));
            }
            row += table.rows();
            Ok(())
        })?;
        let groups = if args.group.is_some() {
            let benefit_unit = format!("revenue, minor units of {}", args.currency.code());
            let plan = GroupPlan {
                currency: args.currency,
                groups,
                benefit_unit,
                share_treated: 1.0 - args.holdout_share,
                minimum: args.group_minimum,
            };
            let mut ledger = GroupLedger::new(plan)?;
            ledger.add(&people)?;
            Some(ledger)
        } else {
            None
        };
        let has = |window: usize| names.amounts[window].iter().any(Option::is_some);
        Ok(Self {
            ledger,
            groups,
            has_after: has(2),
            has_counts: names.counts.iter().any(Option::is_some),
            has_parts: !names.parts.is_empty(),
        })
    }
}

fn place(names: &mut Vec<String>, name: &str) -> u32 {
    let place = names.iter().position(|known| known == name).unwrap_or_else(|| {
        names.push(name.to_owned());
        names.len() - 1
    });
    u32::try_from(place).unwrap_or(u32::MAX)
}

fn codes(args: &Args, table: &mut Table, column: &str, first: usize) -> Result<(Vec<u32>, Vec<String>), CliError> {
    let (codes, texts) = table.take(column)?.values.categories();
    match codes.iter().position(|code| *code == MISSING) {
        Some(row) => Err(CliError::usage(format!(
            "{}: row {}: column {column} is empty: left out, those who are left would no longer be those whom the lot drew: fill it",
            args.data.display(),
            first + row + 1
        ))),
        None => Ok((codes, texts)),
    }
}

fn arms(args: &Args, table: &mut Table, first: usize, treated: &mut Option<String>) -> Result<Vec<Arm>, CliError> {
    let (codes, texts) = codes(args, table, &args.assignment, first)?;
    let is_held_out: Vec<bool> = texts.iter().map(|text| *text == args.held_out).collect();
    // Over all blocks of the file.
    if texts.iter().filter(|text| **text != args.held_out).any(|text| treated.get_or_insert_with(|| text.clone()) != text) {
        return Err(CliError::usage(format!(
            "column {}: several arms beside {}: give one campaign at a time",
            args.assignment, args.held_out
        )));
    }
    Ok(codes.into_iter().map(|code| if is_held_out[code as usize] { Arm::HeldOut } else { Arm::Treated }).collect())
}

/// Whole numbers: what has a fraction is in another unit.
fn whole(args: &Args, column: &Column, first: usize) -> Result<Vec<i64>, CliError> {
    let Values::Number(cells) = &column.values else {
        return Err(CliError::usage(format!("{}: column {} holds texts: give numbers", args.data.display(), column.name)));
    };
    let read = |(row, cell): (usize, &f64)| {
        if cell.is_finite() && cell.fract() == 0.0 && cell.abs() < 9e15 {
            #[allow(clippy::cast_possible_truncation, reason = "a whole number below 9e15")]
            return Ok(*cell as i64);
        }
        Err(CliError::usage(format!(
            "{}: row {}: column {} is {cell}: amounts are whole minor units (cents), 0 where there was nothing: one that is missing or infinite makes every figure of its arm undefined",
            args.data.display(),
            first + row + 1,
            column.name
        )))
    };
    cells.iter().enumerate().map(read).collect()
}

fn judge(args: &Args, read: &Read) -> Result<Report, CliError> {
    let settings = MoneySettings { level: args.level, cuped: !args.no_cuped, ..MoneySettings::default() };
    let ledger = &read.ledger;
    let mut warnings: Vec<String> = ledger.warnings()?.into_iter().map(|warning| warning.message).collect();
    let net = if read.has_after {
        Some(Net {
            incremental: incremental(ledger, Horizon::Net, settings)?,
            returns: returns(ledger, Horizon::Net, settings)?,
            pull_forward: pull_forward(ledger, settings)?,
        })
    } else {
        warnings.push(
            "nothing is known of the time after: what customers bought ahead counts as if it were more (give after_ columns)".to_owned(),
        );
        None
    };
    let mut fairness = None;
    if let Some(groups) = &read.groups {
        warnings.extend(groups.warnings()?.into_iter().map(|warning| warning.message));
        let settings = FairnessSettings { level: args.level, cuped: !args.no_cuped, ..FairnessSettings::default() };
        let (mut all, mut problems) = (vec![], vec![]);
        for metric in ParityMetric::ALL {
            match parity(groups, metric, settings) {
                Ok(found) => all.push(found),
                Err(error) => problems.push(format!("{metric:?}: {error}")),
            }
        }
        let mut or_problem = |what: &str, error: FairnessError| problems.push(format!("{what}: {error}"));
        let effects = group_effects(groups, settings).map_err(|error| or_problem("effects", error)).ok();
        let harm = harm(groups, 0.0, settings).map_err(|error| or_problem("harm", error)).ok();
        fairness = Some(Fairness { parity: all, effects, harm, problems });
    }
    Ok(Report {
        data: args.data.display().to_string(),
        hash: hash_of(&args.data)?,
        run: None,
        incremental: incremental(ledger, Horizon::During, settings)?,
        returns: returns(ledger, Horizon::During, settings)?,
        net,
        attribution: if read.has_counts { Some(attribution(ledger, settings)?) } else { None },
        cannibalisation: if read.has_parts { cannibalisation(ledger, settings)? } else { vec![] },
        halo: if read.has_parts { Some(halo(ledger, settings)?) } else { None },
        fairness,
        warnings,
    })
}

fn totals(of: &IncrementalMoney) -> [&Figure; 4] {
    [&of.revenue.total, &of.profit.total, &of.orders.total, &of.spend.total]
}

const fn ratios(of: &Returns) -> [&RatioFigure; 3] {
    [&of.cost_per_incremental_order, &of.return_on_promotion_spend, &of.return_on_investment]
}

fn figures(report: &Report) -> Map<String, Value> {
    let mut figures = Map::new();
    for figure in totals(&report.incremental) {
        figures.insert(figure.name.clone(), json!(figure.value));
    }
    for ratio in ratios(&report.returns) {
        figures.insert(ratio.name.clone(), json!(ratio.value));
    }
    figures
}

fn line(figure: &Figure) -> String {
    format!("  {:<44} {:>14.2}  [{:.2}, {:.2}] {} ({:?})", figure.name, figure.value, figure.low, figure.high, figure.unit, figure.causal)
}

fn ratio_line(ratio: &RatioFigure) -> String {
    let value = ratio.value.map_or_else(|| "none".to_owned(), |value| format!("{value:.3}"));
    let set = ratio.note.clone().unwrap_or_else(|| format!("{:?}", ratio.set));
    format!("  {:<44} {value:>14}  {set} {}", ratio.name, ratio.unit)
}

fn table(report: &Report) -> String {
    let mut lines = vec!["during the campaign".to_owned()];
    let both = |incremental: &IncrementalMoney, returns: &Returns| -> Vec<String> {
        totals(incremental).into_iter().map(line).chain(ratios(returns).into_iter().map(ratio_line)).collect()
    };
    lines.extend(both(&report.incremental, &report.returns));
    if let Some(net) = &report.net {
        lines.push("with what came after".to_owned());
        lines.extend(both(&net.incremental, &net.returns));
        lines.push(line(&net.pull_forward.revenue.after));
    }
    if let Some(attribution) = &report.attribution {
        lines.push("attribution, which is not causal, beside the lot".to_owned());
        lines.extend([&attribution.incremental, &attribution.last_touch.total, &attribution.redemption.total].map(line));
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
        for found in &fairness.parity {
            lines.push(format!(
                "  {:<44} {} to {}: {:.4} [{:.4}, {:.4}]",
                found.name, found.worst, found.best, found.difference.value, found.difference.low, found.difference.high
            ));
        }
        lines.extend(fairness.problems.iter().map(|problem| format!("  no figure: {problem}")));
    }
    lines.extend(report.warnings.iter().map(|warning| format!("warning: {warning}")));
    if let Some(run) = &report.run {
        lines.push(format!("kept as run {run}"));
    }
    lines.join("\n")
}
