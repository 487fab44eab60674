//! What a served campaign's promotions brought and cost: from the shop's own orders, by the same ledger as `evaluate money`.

use maud::{Markup, html};
use serde::Serialize;
use serde_json::{Map, Value};
use youhui_commerce::Currency;
use youhui_evaluation::money::{
    Amounts, Arm, Customer, Figure, Horizon, Lacking, Ledger, MoneyError, MoneySettings, PullForward, RatioFigure, Window, incremental,
    pull_forward, returns,
};

use super::super::customers::minor;
use super::super::figures::{dip, drawn, figure_entries, line, per_customer, pulled, ratio_entries, ratio_line, ratios, returned, totals};
use super::super::page::said;
use super::{Args, expected_share};
use crate::serve::{Bought, Outcomes, Unit};

/// What is printed.
#[derive(Debug, Serialize)]
pub(super) struct Money {
    currency: Currency,
    basis: &'static str,
    #[serde(flatten)]
    during: Option<Brought>,
    after: Option<After>,
    notes: Vec<String>,
}

/// Effects and what the spend returned.
#[derive(Debug, Serialize)]
struct Brought {
    figures: Vec<Figure>,
    returns: Vec<RatioFigure>,
}

/// With the days after the window, of customers whose days are over.
#[derive(Debug, Serialize)]
struct After {
    days: f64,
    customers: usize,
    pull_forward: Vec<PullForward>,
    #[serde(flatten)]
    net: Brought,
}

const BASIS: &str = "revenue is list prices, promotion cost the discounts given; treated less held out, of the shop's promotions together; each interval is for one \
                     look, unlike those above";

impl Money {
    pub(super) fn of(args: &Args, currency: Currency, found: &Outcomes) -> Self {
        let mut money = Self { currency, basis: BASIS, during: None, after: None, notes: vec![] };
        if args.margin.is_none() {
            money.notes.push(
                "what goods cost isn't known, so there is neither contribution profit nor a return on spend: give --margin".to_owned(),
            );
        }
        let everybody: Vec<&Unit> = found.units.iter().collect();
        match ledger(args, currency, &everybody).and_then(|ledger| brought(args, &ledger, Horizon::During)) {
            Ok(during) => money.during = Some(during),
            Err(error) => money.notes.push(format!("no figure of money: {error}")),
        }
        let over: Vec<&Unit> = found.units.iter().filter(|unit| unit.later.is_some()).collect();
        if over.len() < everybody.len() {
            money.notes.push(format!(
                "the {} days after are over for {} of {} customers: what was bought ahead is told of these only",
                args.after_days(),
                over.len(),
                everybody.len()
            ));
        }
        if !over.is_empty() {
            match ledger(args, currency, &over).and_then(|ledger| after(args, &ledger, over.len())) {
                Ok(after) => money.after = Some(after),
                Err(error) => money.notes.push(format!("no figure of the days after: {error}")),
            }
        }
        money
    }

    pub(super) fn entries(&self) -> Map<String, Value> {
        let mut entries = Map::new();
        let mut of = |prefix: &str, brought: &Brought| {
            brought.figures.iter().for_each(|figure| entries.extend(figure_entries(prefix, figure)));
            brought.returns.iter().for_each(|ratio| entries.extend(ratio_entries(prefix, ratio)));
        };
        self.during.iter().for_each(|during| of("", during));
        self.after.iter().for_each(|after| of("net.", &after.net));
        for one in self.after.iter().flat_map(|after| &after.pull_forward) {
            entries.extend(figure_entries("", &one.after));
            entries.extend(ratio_entries("", &one.share));
        }
        entries
    }

    pub(super) fn lines(&self) -> Vec<String> {
        let mut lines = vec![];
        let of =
            |brought: &Brought| brought.figures.iter().map(line).chain(brought.returns.iter().map(ratio_line)).collect::<Vec<String>>();
        if let Some(during) = &self.during {
            lines.push(format!("money ({})", self.basis));
            lines.extend(of(during));
        }
        if let Some(after) = &self.after {
            lines.push(format!("with the {} days after ({} customers)", after.days, after.customers));
            lines.extend(after.pull_forward.iter().flat_map(|one| [line(&one.after), ratio_line(&one.share)]));
            lines.extend(of(&after.net));
        }
        lines.extend(self.notes.iter().map(|note| format!("note: {note}")));
        lines
    }

    pub(super) fn page(&self) -> Markup {
        html! {
            h2 { "Money" }
            p class="source" { (self.basis) "." }
            @if let Some(during) = &self.during {
                (drawn("What the promotions brought", during.figures.iter().filter(|figure| is_per_customer(figure))))
                (returned(&during.returns))
            }
            @if let Some(after) = &self.after {
                h2 { "Before, during and after" }
                p class="source" { "Of " (after.customers) " customers whose " (after.days) " days after are over." }
                (dip(&after.pull_forward))
                (drawn("With what came after", after.net.figures.iter().filter(|figure| is_per_customer(figure))))
                (returned(&after.net.returns))
            }
            (said("note", &self.notes))
        }
    }
}

fn is_per_customer(figure: &Figure) -> bool {
    figure.unit.ends_with("per customer")
}

fn ledger(args: &Args, currency: Currency, units: &[&Unit]) -> Result<Ledger, MoneyError> {
    let amounts = |bought: &Bought| {
        // Without a margin goods aren't known, and no figure that takes them is told.
        let goods = args.margin.map_or(0.0, |margin| bought.goods(margin));
        let promotion = minor(bought.discount);
        Amounts {
            revenue: minor(bought.list()),
            goods: minor(goods),
            promotion,
            contact: 0,
            orders: u32::try_from(minor(bought.orders)).unwrap_or(0),
        }
    };
    let customers: Vec<Customer> = units
        .iter()
        .map(|unit| Customer {
            arm: if unit.held_out { Arm::HeldOut } else { Arm::Treated },
            before: amounts(&unit.before),
            during: amounts(&unit.after),
            after: amounts(&unit.later.unwrap_or_default()),
            last_touched: 0,
            redeemed: 0,
        })
        .collect();
    let lacking = [Window::Before, Window::During, Window::After].map(Lacking::Goods).to_vec();
    let mut ledger = Ledger::new(currency, 1.0 - expected_share(units.iter().copied()), vec![])?.lacking(if args.margin.is_none() {
        lacking
    } else {
        vec![]
    });
    ledger.add(&customers, &[])?;
    Ok(ledger)
}

fn brought(args: &Args, ledger: &Ledger, horizon: Horizon) -> Result<Brought, MoneyError> {
    let money = incremental(ledger, horizon, settings(args))?;
    let returns = returns(ledger, horizon, settings(args))?;
    Ok(Brought { figures: per_customer(&money).chain(totals(&money)).cloned().collect(), returns: ratios(&returns).cloned().collect() })
}

fn after(args: &Args, ledger: &Ledger, customers: usize) -> Result<After, MoneyError> {
    let all = pulled(&pull_forward(ledger, settings(args))?).cloned().collect();
    Ok(After { days: args.after_days(), customers, pull_forward: all, net: brought(args, ledger, Horizon::Net)? })
}

fn settings(args: &Args) -> MoneySettings {
    MoneySettings { level: args.level, ..MoneySettings::default() }
}
