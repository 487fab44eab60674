//! A campaign tried on recorded decisions: what would have been shown, and about what that would cost.

use std::collections::BTreeMap;
use std::sync::Arc;

use rustc_hash::FxHashMap;
use serde::Serialize;
use serde_json::{Value, json};
use youhui_commerce::{Micros, SubjectId, TimeWindow};
use youhui_decision::{Candidate, DecisionId, Facts, Mode, Place, decide};
use youhui_profile::live::LiveProfile;
use youhui_promotion::{Context, read_basket};

use super::decisions::Record;
use super::offers::{Live, Part, Ready};
use super::problem::Problem;
use super::state::Shop;
use crate::cli::now;

/// Most decisions that are tried.
const MOST: usize = 200_000;

/// What would have become of the campaign.
#[derive(Debug, Serialize)]
pub(super) struct DryRun {
    /// Recorded decisions that were made again.
    decisions: usize,
    /// Of how many days.
    days: f64,
    customers: usize,
    /// Of places to fill, by mode.
    modes: BTreeMap<&'static str, usize>,
    offers: Vec<Tried>,
    predicted_cost: f64,
    predicted_cost_per_day: f64,
    basis: &'static str,
}

#[derive(Debug, Serialize)]
struct Tried {
    promotion_id: String,
    shown: usize,
    customers: usize,
    /// In minor units, over the recorded days.
    predicted_cost: f64,
    /// The document's own, where it has one.
    budget: Option<i64>,
    /// How long that lasts at this pace.
    budget_lasts_days: Option<f64>,
}

/// What the figures rest on.
const BASIS: &str = "Recorded decisions made again with the campaign beside what is offered now, as if nothing stood. Cost: each \
customer's own orders per day times the window, and the discount on their mean order; what the promotion itself changes is not in \
it, nor what a scope leaves out.";

/// Makes recorded decisions again, with the campaign's offers beside what is offered now.
pub(super) async fn dry_run(shop: &Arc<Shop>, part: Part) -> Result<DryRun, Problem> {
    let live = shop.live.load_full();
    let tried = live.with_trial(&part);
    let window = tried.offered.settings.window;
    let (start, mut after, mut count) = (now(), 0, 0);
    let since = DecisionId::new(start - window.max(7 * TimeWindow::DAY), [0; 16]);
    let (mut first, mut modes) = (start, BTreeMap::new());
    let mut shown: FxHashMap<(u32, Option<SubjectId>), usize> = FxHashMap::default();
    'batches: loop {
        let batches = shop.database.decisions_since(since.0, after).await?;
        let Some((last, _)) = batches.last() else { break };
        after = *last;
        for record in batches.iter().flat_map(|(_, records)| records).filter_map(|bytes| postcard::from_bytes::<Record>(bytes).ok()) {
            if record.facts.decision < since {
                continue;
            }
            count += 1;
            first = first.min(record.facts.time);
            let facts = again(shop, &tried, &part, &record.facts);
            for filled in decide(&tried.snapshot, &facts).places {
                *modes.entry(mode(filled.mode)).or_default() += 1;
                if let Some(offer) = filled.offer.filter(|offer| is_of(&tried, &part, *offer)) {
                    *shown.entry((offer, facts.subject())).or_default() += 1;
                }
            }
            if count >= MOST {
                break 'batches;
            }
        }
    }
    let days = (start - first) as f64 / TimeWindow::DAY as f64;
    Ok(told(shop, &tried, &part, &shown, Seen { count, days, modes, start }))
}

struct Seen {
    count: usize,
    days: f64,
    modes: BTreeMap<&'static str, usize>,
    start: Micros,
}

const fn mode(mode: Mode) -> &'static str {
    match mode {
        Mode::Personalised => "personalised",
        Mode::Twin => "twin",
        Mode::Fallback => "fallback",
        Mode::Holdout => "holdout",
    }
}

fn is_of(tried: &Live, part: &Part, offer: u32) -> bool {
    tried.snapshot.offers.get(offer as usize).is_some_and(|offer| offer.campaign_id == part.campaign_id)
}

/// The same request, with everything that could be shown today and the campaign as if it ran.
fn again(shop: &Shop, tried: &Live, part: &Part, facts: &Facts) -> Facts {
    let place = |place: &Place| {
        let offers = (0..).zip(&tried.snapshot.offers).zip(&tried.offered.ready);
        let can = offers.filter(|((number, offer), ready)| {
            offer.fits(&place.placement, &facts.channel) && (is_of(tried, part, *number) || ready.can_be_shown(now()))
        });
        let candidates = can.map(|((offer, _), _)| Candidate { offer, predicted: None, budget_price: 0.0 }).collect();
        Place { placement: place.placement.clone(), candidates }
    };
    let mut places: Vec<Place> = facts.places.iter().map(place).collect();
    // Whoever has objected since is not looked up.
    if let Some(subject) = facts.subject().filter(|subject| shop.customers.profile(*subject).is_some()) {
        shop.predictions.fill(tried, subject, &mut places);
    }
    facts.asked_again(tried.snapshot.version, places)
}

fn told(shop: &Shop, tried: &Live, part: &Part, shown: &FxHashMap<(u32, Option<SubjectId>), usize>, seen: Seen) -> DryRun {
    let window = tried.offered.settings.window as f64 / TimeWindow::DAY as f64;
    let mut costs: FxHashMap<u32, (usize, usize, f64)> = FxHashMap::default();
    let mut customers: Vec<SubjectId> = vec![];
    for (&(offer, subject), &times) in shown {
        let sum = costs.entry(offer).or_default();
        sum.0 += times;
        let profile = subject.and_then(|subject| shop.customers.profile(subject));
        if let (Some(subject), Some(profile)) = (subject, profile) {
            customers.push(subject);
            sum.1 += 1;
            sum.2 += cost(&tried.offered.ready[offer as usize], profile.profile(), window, seen.start);
        }
    }
    customers.sort_unstable();
    customers.dedup();
    let numbers = (0..).zip(&tried.snapshot.offers).filter(|(number, _)| is_of(tried, part, *number));
    let per_day = |cost: f64| if seen.days > 0.0 { cost / seen.days } else { 0.0 };
    let offers: Vec<Tried> = numbers
        .map(|(number, offer)| {
            let (shown, customers, predicted_cost) = costs.get(&number).copied().unwrap_or_default();
            let budget = tried.offered.ready[number as usize].promotion().limits.budget;
            let lasts = budget.map(|budget| budget as f64 / per_day(predicted_cost)).filter(|days| days.is_finite());
            Tried { promotion_id: offer.promotion_id.clone(), shown, customers, predicted_cost, budget, budget_lasts_days: lasts }
        })
        .collect();
    let predicted_cost = offers.iter().map(|offer| offer.predicted_cost).sum();
    DryRun {
        decisions: seen.count,
        days: seen.days,
        customers: customers.len(),
        modes: seen.modes,
        offers,
        predicted_cost,
        predicted_cost_per_day: per_day(predicted_cost),
        basis: BASIS,
    }
}

/// Orders that are to be expected of the customer within the window, times the discount on a mean one, in minor units.
pub(super) fn cost(ready: &Ready, profile: &LiveProfile, window: f64, now: Micros) -> f64 {
    if profile.orders == 0 {
        return 0.0;
    }
    let known = ((now - profile.first) as f64 / TimeWindow::DAY as f64).max(window);
    let orders = f64::from(profile.orders) * window / known;
    let orders =
        ready.promotion().limits.per_customer.map_or(orders, |most| orders.min(f64::from(u32::try_from(most).unwrap_or(u32::MAX))));
    let mean = profile.amount.max(0) / i64::from(profile.orders);
    let basket: Value = json!({
        "currency": ready.promotion().currency.code(),
        "lines": [{"line_id": "mean", "product_id": "mean", "quantity": 1, "unit_price": mean}],
    });
    let basket = read_basket(basket.to_string().as_bytes()).ok();
    let priced = basket.and_then(|basket| ready.set.price(&basket, &Context::at(now)).ok());
    let amount: i64 = priced.iter().flat_map(|priced| &priced.applied).map(|applied| applied.amount).sum();
    orders * amount as f64
}
