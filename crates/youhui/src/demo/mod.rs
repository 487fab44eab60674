//! The whole loop: import → profile → design → response → allocation → plan → report.

mod customers;
pub(crate) mod designed;
mod judge;
mod menu;
mod outputs;
mod plan;
pub(crate) mod prices;
pub(crate) mod report;
mod source;
mod stages;
mod summary;

use std::path::PathBuf;

use serde_json::Value;
use youhui_commerce::{EventTable, Money, TimeWindow};
use youhui_design::law::{Market, PriceHistory};
use youhui_design::{Goal, Proposal, ReplayBasket, ReplayLine, Settings, Shopper, propose};
use youhui_profile::price_response::price_response;
use youhui_profile::{Shop, map_customers, orders};
use youhui_response::EffectModel;

use crate::cli::{CliError, Console};
use customers::{Customers, Loaded, Profile};
use judge::Response;
use plan::{Plan, Terms};
pub(crate) use source::Source;
use stages::Stages;

/// What a run is asked to do.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) source: Source,
    pub(crate) goals: Vec<Goal>,
    /// Major units; `None`: 1 % of the last 28 days' revenue.
    pub(crate) budget: Option<f64>,
    /// Major units.
    pub(crate) contact_cost: f64,
    /// Share of the amount that must stay as margin.
    pub(crate) margin_floor: f64,
    pub(crate) seed: u64,
    /// Where the files go; nowhere if `None`.
    pub(crate) out: Option<PathBuf>,
}

/// What a run found.
#[derive(Debug)]
pub(crate) struct Run {
    source_name: String,
    notice: String,
    seed: u64,
    goals: Vec<Goal>,
    costs_recorded: bool,
    loaded: Loaded,
    customers: Customers,
    proposal: Proposal,
    response: Option<Response>,
    model: Option<EffectModel>,
    plan: Plan,
}

impl Run {
    fn events(&self) -> usize {
        self.loaded.buckets.iter().map(EventTable::len).sum()
    }

    /// An amount in major units as text.
    fn money(&self, major: f64) -> String {
        if major.is_finite() {
            self.money_minor(youhui_profile::shop::to_minor(major * self.loaded.shop.currency.minor_units() as f64))
        } else {
            "unknown".to_owned()
        }
    }

    fn money_minor(&self, minor: i64) -> String {
        Money::new(minor, self.loaded.shop.currency).to_string()
    }
}

/// A run's summary in both forms.
#[derive(Debug)]
pub(crate) struct Summary {
    pub(crate) json: Value,
    pub(crate) text: String,
}

/// Runs the loop.
pub(crate) fn run(request: &Request, console: Console) -> Result<Summary, CliError> {
    if let Some(out) = &request.out {
        // Before the work, not after it.
        outputs::make_folder(out)?;
    }
    let fetched = source::fetch(&request.source, console)?;
    let mut stages = Stages::new(console);
    let opened = stages.run("import", "importing", |bar| {
        let progress = |rows: u64| bar.set_message(format!("importing: {rows} rows"));
        let opened = source::open(&request.source, fetched.as_deref(), request.seed, &progress)?;
        let line = match opened.imported {
            Some((rows, bad)) => format!("{} rows of {}, {bad} of them to quarantine", thousands(rows), opened.name),
            None => format!("{}: a store that was there", opened.name),
        };
        Ok((opened, line))
    })?;
    let (loaded, known, withheld) = stages.run("profile", "building profiles", |_| {
        let loaded = customers::load(&opened.store)?;
        let (known, withheld) = customers::permitted_features(&loaded);
        if known.is_empty() {
            return Err(nobody(&opened.name));
        }
        let events: usize = loaded.buckets.iter().map(EventTable::len).sum();
        let line = format!("{} events of {} customers", thousands(events as u64), thousands(known.len() as u64));
        Ok(((loaded, known, withheld), line))
    })?;
    let money = Amounts::of(request.budget, request.contact_cost, &loaded.shop)?;
    let lifetimes = stages.run("lifetime", "fitting lifetime value", |_| {
        let lifetimes = customers::lifetimes(&known);
        let line = lifetimes.0.as_ref().map_or_else(|why| format!("no model: {why}"), |_| "BG/NBD and Gamma-Gamma fitted".to_owned());
        Ok((lifetimes, line))
    })?;
    let permitted = known.iter().map(youhui_privacy::PermittedProfile::subject).collect();
    let learned = stages.run("encoder", "training the sequence encoder", |bar| {
        let mut progress = |report: youhui_profile::sequence::EpochReport| {
            bar.set_message(format!(
                "training the sequence encoder: pass {} of at most {}, loss {:.3}",
                report.epoch, report.epochs, report.loss
            ));
        };
        let learned = customers::learn(&loaded, &permitted, request.seed, &mut progress);
        let line = match &learned {
            Err(why) => format!("no encoder: {why}"),
            Ok((learned, _)) => {
                let quality = &learned.quality;
                let ndcg = [quality.encoder, quality.own_frequency, quality.popularity].map(|ranking| ranking.ndcg_10.mean);
                format!("NDCG@10 {:.4}; own frequency {:.4}, popularity {:.4}", ndcg[0], ndcg[1], ndcg[2])
            }
        };
        Ok((learned, line))
    })?;
    let customers = customers::assemble(&loaded, known, withheld, lifetimes, learned);
    let proposal = stages.run("design", "designing promotions", |_| {
        let brief = Brief { goals: &request.goals, margin_floor: request.margin_floor, market: MARKET };
        let proposal = design(&brief, &loaded, &customers);
        let line = format!("{} candidates, {} drafts refused", proposal.candidates.len(), proposal.refused.len());
        Ok((proposal, line))
    })?;
    let (response, model) = stages.run("response", "learning what promotions change", |_| {
        let response = judge::learn_from_campaigns(&loaded, &customers, request.contact_cost);
        let from_prices = || price_response(&loaded.buckets, &loaded.shop, loaded.span.end).map(EffectModel::from_prices);
        let model = response.as_ref().map(|response| response.model.clone()).or_else(from_prices);
        let line = match (&response, &model) {
            (Some(response), _) => {
                format!("{} exposures among {} rows, observational", thousands(response.treated as u64), thousands(response.rows as u64))
            }
            (None, Some(_)) => "no campaigns recorded: predicted from prices, observational".to_owned(),
            (None, None) => "nothing to learn an effect from".to_owned(),
        };
        Ok(((response, model), line))
    })?;
    let plan = stages.run("allocation", "spending the budget", |_| {
        let judged = response.as_ref().and_then(|response| response.judged.as_ref());
        let terms = Terms { budget: money.budget, contact_cost: money.contact_cost, seed: request.seed };
        let plan = plan::plan(&loaded, &customers, &proposal, model.as_ref(), judged, terms);
        let line = format!(
            "{} promotions proposed, within {:.4} % of the bound; shipped: {}",
            plan.proposed.customers,
            100.0 * plan.solution.gap(),
            plan.shipped.name()
        );
        Ok((plan, line))
    })?;
    let costs_recorded = loaded.buckets.iter().any(|table| table.cost.iter().any(|&cost| cost != EventTable::NO_COST));
    let run = Run {
        source_name: opened.name.clone(),
        notice: opened.notice.clone(),
        seed: request.seed,
        goals: request.goals.clone(),
        costs_recorded,
        loaded,
        customers,
        proposal,
        response,
        model,
        plan,
    };
    if let Some(out) = &request.out {
        stages.run("report", "writing the report", |_| {
            outputs::write(&run, out)?;
            youhui_storage::write_atomic(&out.join("report.html"), report::html(&run).as_bytes())?;
            Ok(((), format!("{}", out.join("report.html").display())))
        })?;
    }
    Ok(Summary { json: summary::json(&run, &stages.done, request.out.as_deref()), text: summary::text(&run) })
}

/// Nobody is left to design for.
fn nobody(source: &str) -> CliError {
    CliError::usage(format!(
        "{source}: no customer may be profiled: nobody consented, or there are no events. Import events, and say in the mapping's [consent] who agreed"
    ))
}

/// The request's amounts in the shop's minor units.
struct Amounts {
    budget: Option<i64>,
    contact_cost: i64,
}

impl Amounts {
    fn of(budget: Option<f64>, contact_cost: f64, shop: &Shop) -> Result<Self, CliError> {
        let minor = |name: &str, major: f64| {
            // A double holds whole numbers up to 2⁵³ exactly.
            let within = major.is_finite() && (0.0..9e15).contains(&(major * shop.currency.minor_units() as f64));
            let amount = youhui_profile::shop::to_minor(major * shop.currency.minor_units() as f64);
            within
                .then_some(amount)
                .ok_or_else(|| CliError::usage(format!("--{name} {major:?}: give an amount from 0 up in {}", shop.currency.code())))
        };
        Ok(Self { budget: budget.map(|budget| minor("budget", budget)).transpose()?, contact_cost: minor("contact-cost", contact_cost)? })
    }
}

/// Whose law the demo's promotions pass: the bundled data are of shops in the United States.
const MARKET: Market = Market::UnitedStates;

/// A store has no channels yet: all that is sold is sold in one.
const CHANNEL: &str = "shop";

/// What is to be designed.
struct Brief<'a> {
    goals: &'a [Goal],
    margin_floor: f64,
    market: Market,
}

impl Brief<'_> {
    /// Whether the market's law measures reductions from earlier prices.
    const fn needs_prices(&self) -> bool {
        matches!(self.market, Market::Eu | Market::China)
    }
}

/// Shoppers with their last twelve weeks' baskets, and the candidates designed for them.
fn design(brief: &Brief<'_>, loaded: &Loaded, customers: &Customers) -> Proposal {
    let end = loaded.span.end;
    let shop = &loaded.shop;
    let baskets = map_customers(&loaded.buckets, |customer| {
        let recent = customer.between(end - 84 * TimeWindow::DAY, end);
        let line = |&row: &u32| {
            let row = row as usize;
            ReplayLine {
                product: recent.table.product[row],
                quantity: recent.table.quantity[row],
                amount: recent.table.amount[row],
                contribution: shop.contribution(recent.table, row),
            }
        };
        let baskets =
            orders(&recent, shop).into_iter().map(|order| ReplayBasket { time: order.time, lines: order.rows.iter().map(line).collect() });
        customers.permitted.contains(&customer.subject).then(|| baskets.collect::<Vec<_>>())
    });
    let profiles = customers.profiles.iter().map(youhui_privacy::PermittedProfile::profile);
    let shoppers: Vec<Shopper<'_>> =
        profiles.zip(baskets.into_iter().flatten()).map(|(Profile { features, .. }, baskets)| Shopper { features, baskets }).collect();
    let time_zone = shop.clock.zone().iana_name().unwrap_or("UTC").to_owned();
    let settings = Settings {
        margin_floor: brief.margin_floor,
        as_of: end,
        time_zone,
        market: brief.market,
        history: if brief.needs_prices() { prices::from_sales(loaded, brief.market, CHANNEL) } else { PriceHistory::default() },
        channel: CHANNEL.to_owned(),
        elasticity: price_response(&loaded.buckets, shop, end).map(|found| found.elasticity),
        stocked_since: customers::first_sales(loaded),
    };
    propose(brief.goals, shop, &shoppers, &settings)
}

/// 1234567 as 1,234,567.
pub(crate) fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
