//! From a goal to candidates.

use std::borrow::Cow;
use std::collections::BTreeMap;

use rayon::prelude::*;
use serde::Serialize;
use youhui_commerce::{Catalogue, Micros, Money, ProductIx, TimeWindow};
use youhui_profile::Shop;
use youhui_promotion::{Audience, Basis, Condition, Effect, Limits, Promotion, Schedule, Scope, When};

use crate::brief::{Brief, Shopper};
use crate::calendar::{Holiday, next_holiday};
use crate::clear::{Cleared, Economics, clear};
use crate::goal::Goal;
use crate::law::{Case, Feature, Market, MemberState, Offered, Presentation, PriceHistory, Shelf, Transacted};
use crate::mechanics::{Draft, Planned, drafts};
use crate::replay::{CompiledScope, Replay, Replayed};
use crate::texts::{Wording, texts};

/// How candidates are made.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Share of the amount that must stay as margin after a promotion.
    pub margin_floor: f64,
    /// The moment that customers are known up to, and from which promotions run.
    pub as_of: Micros,
    /// The shop's IANA zone.
    pub time_zone: String,
    /// Whose price law promotions pass.
    pub market: Market,
    /// What products were offered and sold for.
    pub history: PriceHistory,
    /// Where promotions run.
    pub channel: String,
    /// Per cent more units for one per cent lower price, where that is known.
    pub elasticity: Option<f64>,
    /// When each product was replenished or first sold, where that is known: how old its stock is.
    pub stocked_since: BTreeMap<ProductIx, Micros>,
}

/// A promotion that could be offered, and what it would be to each customer of its audience.
#[derive(Debug, Clone)]
pub struct Candidate {
    /// The promotion, cleared.
    pub promotion: Cleared<Promotion>,
    /// Why it is as it is, in words and figures.
    pub reason: String,
    /// The figures.
    pub figures: Figures,
    /// (place among the shoppers, what it would be to that one), in order.
    pub audience: Vec<(usize, Replayed)>,
}

/// What a candidate would have been in the last 84 days, had nobody changed anything.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Figures {
    /// Customers it is for.
    pub customers: usize,
    /// Share of their baskets that it would have applied to.
    pub reach: f64,
    /// Mean cost per customer and 28 days, in minor units.
    pub mean_cost: f64,
    /// Contribution over amount in its scope, before it.
    pub margin: f64,
}

/// Candidates, and drafts that did not become any.
#[derive(Debug, Clone, Default)]
pub struct Proposal {
    /// What could be offered.
    pub candidates: Vec<Candidate>,
    /// (what it was, why it was refused).
    pub refused: Vec<(String, String)>,
}

/// Designs candidates for each goal; each candidate's audience is worked out on threads, in order.
pub fn propose(goals: &[Goal], shop: &Shop, shoppers: &[Shopper<'_>], settings: &Settings) -> Proposal {
    let mut proposal = Proposal::default();
    for &goal in goals {
        let brief = Brief::new(goal, shop, shoppers, settings);
        // Who has no history need not be known to be invited.
        if brief.eligible.is_empty() && goal != Goal::Acquisition {
            proposal.refused.push((goal.name().to_owned(), format!("nobody to offer it to: no {}", goal.rule())));
            continue;
        }
        let made: Vec<Result<Candidate, (String, String)>> = drafts(&brief)
            .into_par_iter()
            .enumerate()
            .map(|(number, draft)| candidate(&brief, number, draft, shoppers, settings))
            .collect();
        for candidate in made {
            match candidate {
                Ok(candidate) => proposal.candidates.push(candidate),
                Err(refused) => proposal.refused.push(refused),
            }
        }
    }
    proposal
}

fn candidate(
    brief: &Brief<'_>,
    number: usize,
    draft: Draft,
    shoppers: &[Shopper<'_>],
    settings: &Settings,
) -> Result<Candidate, (String, String)> {
    let goal = brief.goal;
    let (window, holiday) = schedule(goal, &draft, settings);
    let name = name_of(&draft.effect, draft.minimum_spend);
    let promotion_id = format!("{}-{}-{:02}", goal.name(), name.replace('_', "-"), number + 1);
    let enough = draft.minimum_spend.map(|amount| Condition::SpendAtLeast { amount, basis: Basis::Remaining, scope: draft.scope.clone() });
    let first_order = goal == Goal::Acquisition;
    let first = first_order.then_some(Condition::NthOrder { n: 1 });
    let wording = Wording {
        effect: &draft.effect,
        scope: &draft.scope,
        minimum_spend: draft.minimum_spend,
        currency: brief.currency(),
        product_name: &draft.product_name,
        window,
        time_zone: &settings.time_zone,
        per_customer: 1,
        first_order,
        holiday,
    };
    let promotion = Promotion {
        conditions: enough.into_iter().chain(first).collect(),
        audience: Audience { goal: goal.name().to_owned(), rule: audience_rule(brief, &draft, settings.market), groups: vec![] },
        schedule: Schedule {
            starts: Some(When::from_micros(window.start)),
            ends: Some(When::from_micros(window.end)),
            time_zone: Some(settings.time_zone.clone()),
            ..Schedule::default()
        },
        limits: Limits { per_customer: Some(1), ..Limits::default() },
        texts: texts(&wording),
        ..Promotion::new(promotion_id, brief.currency(), scoped(draft.effect.clone(), &draft.scope))
    };
    let title = promotion.texts.get("en").map_or(String::new(), |text| format!("{}: {}", goal.name(), text.condition));
    let economics = Economics {
        margin: draft.margin,
        unit_price: draft.unit_price,
        gift_cost: draft.gift_cost,
        floor: settings.margin_floor,
        stated: None,
    };
    let history = with_planned(&draft.planned, settings);
    let case = Case {
        market: settings.market,
        state: MemberState::default(),
        history: &history,
        catalogue: &brief.shop.catalogue,
        channel: &settings.channel,
        personal: &personal(brief.goal, &draft, settings.market),
        published: &[],
        presentation: &Presentation::default(),
    };
    let promotion = clear(promotion, &economics, &case).map_err(|refusal| (title, refusal.to_string()))?;
    let catalogue = &brief.shop.catalogue;
    let replay = Replay::new(promotion.get(), CompiledScope::new(&draft.scope, catalogue), draft.gift_cost);
    let is_newcomer = |place: usize| draft.newcomers_of.is_none_or(|category| !buys(&shoppers[place], category, catalogue));
    // Who has no baskets is taken to be as the segment that the brief looked at, on average.
    let prior = first_order.then(|| replay.mean_of(shoppers, Goal::Activate, settings.as_of));
    let of = |place: usize| prior.unwrap_or_else(|| replay.of(&shoppers[place], settings.as_of));
    let audience: Vec<(usize, Replayed)> =
        brief.eligible.iter().filter(|&&place| is_newcomer(place)).map(|&place| (place, of(place))).collect();
    let customers = audience.len();
    let mean = |of: fn(&Replayed) -> f64| match prior {
        Some(prior) => of(&prior),
        None => audience.iter().map(|(_, replayed)| of(replayed)).sum::<f64>() / customers.max(1) as f64,
    };
    let figures =
        Figures { customers, reach: mean(|replayed| replayed.reach), mean_cost: mean(|replayed| replayed.cost), margin: draft.margin };
    let cost = Money::new(youhui_profile::shop::to_minor(figures.mean_cost), brief.currency());
    let whose = if first_order {
        "the last 12 weeks of customers with one or two orders, who stand in for people without any"
    } else {
        "their last 12 weeks"
    };
    let reason = format!(
        "For {customers} {}{}. {}{}. On {whose} it would have applied to {:.0} % of baskets and cost {cost} a customer in four weeks with nobody changing anything; the goods carry {:.0} % margin.",
        told_rule(brief, &draft),
        if is_open(settings.market) { "; whoever else meets its conditions has it too, which these figures don't count" } else { "" },
        capitalised(&draft.why),
        holiday.map_or_else(String::new, |holiday| format!("; for {} ({}) on {}", holiday.en, holiday.zh, holiday.date)),
        100.0 * figures.reach,
        100.0 * draft.margin
    );
    Ok(Candidate { promotion, reason, figures, audience })
}

/// Whether a category is among a customer's largest, or in a recent basket.
fn buys(shopper: &Shopper<'_>, category: u32, catalogue: &Catalogue) -> bool {
    let recent = || shopper.baskets.iter().flat_map(|basket| &basket.lines).any(|line| catalogue.category_of(line.product) == category);
    shopper.features.categories.iter().any(|(bought, _)| *bought == category) || recent()
}

/// The history of prices, with what is planned before a draft: offered, and taken to be sold once at least.
fn with_planned<'a>(planned: &[Planned], settings: &'a Settings) -> Cow<'a, PriceHistory> {
    let Some(first) = planned.first() else { return Cow::Borrowed(&settings.history) };
    let shelf = Shelf::new(first.product_id.as_str(), settings.market, settings.channel.as_str());
    let mut history = settings.history.only(&shelf);
    for Planned { from, price, .. } in planned {
        let offered = history.offer(&shelf, Offered { from: *from, price: Some(*price), reduced: true });
        // Only prices below 0 are refused, and no product costs that.
        let _known = offered.and_then(|()| history.transact(&shelf, Transacted { at: *from, price: *price }));
    }
    Cow::Owned(history)
}

/// The effect on the units of a scope.
fn scoped(effect: Effect, scope: &Scope) -> Effect {
    let scope = scope.clone();
    match effect {
        Effect::PercentOff(off) => Effect::PercentOff(youhui_promotion::PercentOff { scope, ..off }),
        Effect::SpendAndSave(save) => Effect::SpendAndSave(youhui_promotion::SpendAndSave { scope, ..save }),
        Effect::AmountOff(off) => Effect::AmountOff(youhui_promotion::AmountOff { scope, ..off }),
        Effect::ItemPrice(item) => Effect::ItemPrice(youhui_promotion::ItemPrice { scope, ..item }),
        Effect::Gift(gift) => Effect::Gift(youhui_promotion::Gift { scope, ..gift }),
        other => other,
    }
}

/// What people call it: an amount off from a spend on is a coupon.
fn name_of(effect: &Effect, minimum_spend: Option<i64>) -> &'static str {
    match effect {
        Effect::AmountOff(_) if minimum_spend.is_some() => "fixed_coupon",
        other => other.name(),
    }
}

/// Whether everyone who meets the published conditions has it, and the profile only decides who is
/// told (China).
const fn is_open(market: Market) -> bool {
    matches!(market, Market::China)
}

/// What decides who has it: the goal's features, and the prediction by which it is allocated.
fn personal(goal: Goal, draft: &Draft, market: Market) -> Vec<Feature> {
    if is_open(market) {
        return vec![];
    }
    let mut features = goal.features().to_vec();
    features.extend(draft.newcomers_of.map(|_| Feature::Categories));
    features.push(Feature::PredictedResponse);
    features
}

fn audience_rule(brief: &Brief<'_>, draft: &Draft, market: Market) -> String {
    if is_open(market) { "everyone who meets the conditions".to_owned() } else { told_rule(brief, draft) }
}

fn told_rule(brief: &Brief<'_>, draft: &Draft) -> String {
    match draft.newcomers_of.and_then(|category| brief.shop.catalogue.categories().get(category as usize)) {
        Some(category) => format!("{} who don't buy {category} yet", brief.goal.rule()),
        None => brief.goal.rule().to_owned(),
    }
}

fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or(String::new(), |first| first.to_uppercase().chain(letters).collect())
}

/// Four weeks from the moment that customers are known up to; for a holiday the week that ends with
/// it; for a step of a markdown its own time.
fn schedule(goal: Goal, draft: &Draft, settings: &Settings) -> (TimeWindow, Option<Holiday>) {
    let as_of = settings.as_of;
    let four_weeks = TimeWindow { start: as_of, end: as_of.saturating_add(28 * TimeWindow::DAY) };
    if let Some(window) = draft.window {
        return (window, None);
    }
    match (goal == Goal::Holiday).then(|| holiday_week(settings)).flatten() {
        Some((window, holiday)) => (window, Some(holiday)),
        None => (four_weeks, None),
    }
}

/// The seven local days that end with the next holiday of the market that is a week away or more.
fn holiday_week(settings: &Settings) -> Option<(TimeWindow, Holiday)> {
    let zone = jiff::tz::TimeZoneDatabase::bundled().get(&settings.time_zone).ok()?;
    let today = zone.to_datetime(jiff::Timestamp::from_microsecond(settings.as_of).ok()?).date();
    let days = |count: i64| jiff::Span::new().try_days(count).ok();
    let holiday = next_holiday(settings.market, today.checked_add(days(7)?).ok()?)?;
    let midnight = |date: jiff::civil::Date| -> Option<Micros> {
        Some(zone.to_timestamp(date.to_datetime(jiff::civil::Time::midnight())).ok()?.as_microsecond())
    };
    let start = midnight(holiday.date.checked_sub(days(6)?).ok()?)?;
    Some((TimeWindow { start, end: midnight(holiday.date.checked_add(days(1)?).ok()?)? }, holiday))
}

#[cfg(test)]
#[path = "propose_tests.rs"]
mod tests;
