//! Budgets that last until the promotion ends, and go where they earn most.
//!
//! A promotion with a budget and an end has a price at which its budget lasts, no longer and no shorter: the dual price of its budget over the
//! customers who are still to come, of whom the last ones are the sample (`allocation::online`; Jasin and Kumar 2012 solve it anew again and again,
//! as here, so that wrong guesses are put right by what is left). A decision counts a showing's expected cost at that price against what it is worth,
//! and the price is on record with it. Limits hold without it; it says who gets the budget, and not how much of it there is.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustc_hash::FxHashMap;
use youhui_allocation::online::{Budgets, Limit, OnlineOffer, upper_bound};
use youhui_commerce::{Draw, Micros, SubjectId, TimeWindow};
use youhui_decision::{Decision, Estimate, Facts, Policy};
use youhui_storage::LiveError;

use super::dry_run::cost;
use super::offers::{Live, Ready};
use super::reservations::money_left;
use super::state::Shop;
use crate::cli::{Console, now};

/// How often prices are made.
const EVERY: Duration = Duration::from_secs(10);
/// Customers that they are made from: the last ones of whom something was decided.
const SAMPLE: usize = 1024;
/// Fewer say too little.
const LEAST: usize = 30;
/// Costs are counted in parts of a minor unit.
const PARTS: f64 = 1000.0;
/// What rate of arrivals goes by: of so long ago counts a third.
const MEMORY: f64 = 900.0;

/// One who was decided for.
#[derive(Debug)]
struct Arrival {
    subject: SubjectId,
    /// Offers that could be shown, and what each was thought to be worth in minor units, whatever it costs.
    offers: Vec<(u32, Estimate)>,
}

/// Who came lately.
#[derive(Debug, Default)]
pub(super) struct Pacing {
    sample: Mutex<VecDeque<Arrival>>,
    begun: AtomicU64,
}

impl Pacing {
    /// Remembers who was decided for, where it matters.
    pub(super) fn see(&self, live: &Live, facts: &Facts, decision: &Decision) {
        let Some(subject) = facts.subject().filter(|_| live.offered.is_paced) else { return };
        for (filled, place) in decision.places.iter().zip(&facts.places).filter(|(filled, _)| !filled.options.is_empty()) {
            let price = |offer| place.candidates.iter().find(|candidate| candidate.offer == offer).map_or(0.0, |one| one.budget_price);
            let worth = filled.options.iter().filter_map(|option| {
                let offer = option.offer?;
                Some((offer, Estimate { mean: option.estimate.mean + f64::from(price(offer)), ..option.estimate }))
            });
            let arrival = Arrival { subject, offers: worth.collect() };
            self.begun.fetch_add(1, Ordering::Relaxed);
            let mut sample = self.sample.lock().unwrap_or_else(PoisonError::into_inner);
            if sample.len() == SAMPLE {
                sample.pop_front();
            }
            sample.push_back(arrival);
        }
    }
}

/// When a promotion with a budget ends, if it does.
pub(super) fn ends(ready: &Ready) -> Option<Micros> {
    ready.promotion().limits.budget?;
    let schedule = &ready.promotion().schedule;
    let zone = schedule.time_zone.as_ref().and_then(|name| jiff::tz::TimeZone::get(name).ok()).unwrap_or(jiff::tz::TimeZone::UTC);
    let own = schedule.ends.map_or(Micros::MAX, |ends| ends.micros(&zone));
    Some(own.min(ready.live.1)).filter(|ends| *ends < Micros::MAX)
}

/// Arrivals a second, of this server: a mean that forgets.
#[derive(Debug)]
struct Rate {
    seen: u64,
    time: Instant,
    rate: Option<f64>,
}

impl Rate {
    fn update(&mut self, begun: u64) -> f64 {
        let passed = self.time.elapsed().as_secs_f64().max(1e-3);
        let lately = begun.saturating_sub(self.seen) as f64 / passed;
        let keeps = (-passed / MEMORY).exp();
        let rate = self.rate.map_or(lately, |rate| keeps * rate + (1.0 - keeps) * lately);
        *self = Self { seen: begun, time: Instant::now(), rate: Some(rate) };
        rate
    }
}

/// Makes prices for as long as the server runs.
pub(super) async fn pace(shop: Arc<Shop>, console: Console) {
    let mut tick = tokio::time::interval(EVERY);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    tick.tick().await;
    let mut rate = Rate { seen: 0, time: Instant::now(), rate: None };
    loop {
        tick.tick().await;
        let rate = rate.update(shop.pacing.begun.load(Ordering::Relaxed));
        if !shop.live.load().offered.is_paced {
            continue;
        }
        // Prices stay as they are where the database does not answer.
        if let Err(error) = price_all(&shop, rate).await {
            console.say(&format!("budgets are not paced anew: {error}"));
        }
    }
}

async fn price_all(shop: &Arc<Shop>, rate: f64) -> Result<(), LiveError> {
    let live = shop.live.load_full();
    let time = now();
    let rate = rate * shop.database.servers().await? as f64;
    let mut paced = vec![];
    for (number, ready) in (0_u32..).zip(&live.offered.ready) {
        if let Some(ends) = ends(ready).filter(|_| ready.is_on(time)) {
            let left = money_left(&shop.database, ready.promotion()).await?;
            paced.push(Paced { number, left: left as f64, to_come: rate * (ends - time) as f64 / 1e6, cost: 0.0 });
        }
    }
    let shop = Arc::clone(shop);
    // A panic in there leaves prices as they are.
    tokio::task::spawn_blocking(move || reprice(&shop, &live, paced, time)).await.ok();
    Ok(())
}

/// A promotion whose budget is to last.
#[derive(Debug)]
struct Paced {
    number: u32,
    /// Of its budget, in minor units.
    left: f64,
    /// Customers until it ends.
    to_come: f64,
    /// What showing it is expected to cost, in minor units.
    cost: f64,
}

fn reprice(shop: &Shop, live: &Live, mut paced: Vec<Paced>, time: Micros) {
    let (subjects, arrivals): (Vec<SubjectId>, Vec<Vec<(u32, Estimate)>>) = {
        let sample = shop.pacing.sample.lock().unwrap_or_else(PoisonError::into_inner);
        sample.iter().map(|arrival| (arrival.subject, arrival.offers.clone())).unzip()
    };
    if arrivals.len() < LEAST {
        return;
    }
    let window = live.offered.settings.window as f64 / TimeWindow::DAY as f64;
    let profiles: Vec<_> = subjects.iter().rev().take(SAMPLE / 4).filter_map(|subject| shop.customers.profile(*subject)).collect();
    let under_way = shop.customers.under_way(time, live.offered.settings.window);
    for one in &mut paced {
        let ready = &live.offered.ready[one.number as usize];
        one.cost = profiles.iter().map(|profile| cost(ready, profile.profile(), window, time)).sum::<f64>() / profiles.len().max(1) as f64;
        // Whoever sees it by now will take their part of the budget until their window is over.
        one.left -= one.cost * under_way.get(&one.number).copied().unwrap_or(0.0);
    }
    // Thompson sampling goes by a draw, and shows what is uncertain more often than its mean would.
    let is_drawn = live.snapshot.exploration.policy == Policy::Thompson;
    let mut draw = Draw::seeded(time.unsigned_abs());
    let mut worth = |estimate: Estimate| estimate.mean + if is_drawn { estimate.std_error * draw.normal() } else { 0.0 };
    let arrivals: Vec<Vec<(u32, f64)>> =
        arrivals.iter().map(|offers| offers.iter().map(|&(offer, estimate)| (offer, worth(estimate))).collect()).collect();
    let prices = prices(&arrivals, &paced);
    for (number, ready) in (0..).zip(&live.offered.ready) {
        ready.set_price(prices.get(&number).copied().unwrap_or(0.0));
    }
}

/// What a showing of each takes of its budget, in minor units of worth: the budget's dual price over the customers who are still to come times what
/// the showing costs.
fn prices(arrivals: &[Vec<(u32, f64)>], paced: &[Paced]) -> FxHashMap<u32, f64> {
    let whole = |parts: f64| {
        #[allow(clippy::cast_possible_truncation, reason = "saturates, which is more than any budget")]
        let whole = parts.round() as i64;
        whole
    };
    let customers = arrivals.len() as f64;
    let limits = paced.iter().map(|one| {
        let share = one.left.max(0.0) * customers / one.to_come.max(customers);
        Limit { money: Some(whole(share * PARTS)), count: None }
    });
    // The last one stands for all that have no budget to pace.
    let budgets = Budgets { money: i64::MAX / 4, promotions: limits.chain([Limit::default()]).collect() };
    let place: FxHashMap<u32, usize> = paced.iter().enumerate().map(|(place, one)| (one.number, place)).collect();
    let offer = |&(number, value): &(u32, f64)| match place.get(&number) {
        Some(&promotion) => OnlineOffer { promotion, value, cost: whole(paced[promotion].cost * PARTS) },
        None => OnlineOffer { promotion: paced.len(), value, cost: 0 },
    };
    let offers: Vec<Vec<OnlineOffer>> = arrivals.iter().map(|offers| offers.iter().map(offer).collect()).collect();
    let (_, dual) = upper_bound(offers.iter().map(Vec::as_slice), &budgets);
    paced.iter().zip(dual.money).map(|(one, price)| (one.number, price * one.cost * PARTS)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What two promotions with a budget each earn, as a part of what whoever knew all customers could have, and the part of the budgets that is used.
    /// Expected costs are wrong by a third, and half of the customers come in the last quarter.
    fn earned(values: &[[f64; 2]], is_paced: bool) -> (f64, f64) {
        const BUDGETS: [i64; 2] = [600_000, 300_000];
        const COSTS: [i64; 2] = [300, 200];
        let offer = |promotion: usize, value: f64| OnlineOffer { promotion, value, cost: COSTS[promotion] };
        let offers: Vec<_> = values.iter().map(|values| [offer(0, values[0]), offer(1, values[1])]).collect();
        let promotions = BUDGETS.map(|most| Limit { money: Some(most), count: None }).to_vec();
        let (bound, _) = upper_bound(offers.iter().map(<[_; 2]>::as_slice), &Budgets { money: i64::MAX / 4, promotions });
        let (mut left, mut worth, mut price) = (BUDGETS, 0.0, [0.0; 2]);
        for (number, own) in values.iter().enumerate() {
            let half = values.len() / 2;
            if is_paced && number > 0 && number % 200 == 0 {
                let (rate, begun, since) =
                    if number < half { (half as f64 / 0.75, 0.0, number) } else { (half as f64 / 0.25, 0.75, number - half) };
                let to_come = rate * (1.0 - begun) - since as f64;
                let of = |number: u32, left: i64, cost: f64| Paced { number, left: left as f64, to_come, cost };
                let seen: Vec<Vec<(u32, f64)>> =
                    values[number.saturating_sub(SAMPLE)..number].iter().map(|values| vec![(0, values[0]), (1, values[1])]).collect();
                let prices = prices(&seen, &[of(0, left[0], 400.0), of(1, left[1], 150.0)]);
                price = [prices[&0], prices[&1]];
            }
            let best = usize::from(own[0] - price[0] <= own[1] - price[1]);
            if own[best] > price[best] && left[best] >= COSTS[best] {
                left[best] -= COSTS[best];
                worth += own[best];
            }
        }
        (worth / bound, 1.0 - left.iter().sum::<i64>() as f64 / BUDGETS.iter().sum::<i64>() as f64)
    }

    /// Nearly what could be had by whoever knew everybody, and far more than by giving to whoever comes first.
    #[test]
    fn a_paced_budget_earns_nearly_what_it_could() {
        let (mut shares, mut unpaced, mut used) = (0.0, 0.0, 0.0);
        for seed in 0..6 {
            let mut draw = Draw::seeded(seed);
            let values: Vec<[f64; 2]> = (0..20_000).map(|_| [40.0 * draw.normal() - 10.0, 60.0 * draw.normal()]).collect();
            let (share, part) = earned(&values, true);
            (shares, used) = (shares + share / 6.0, used + part / 6.0);
            unpaced += earned(&values, false).0 / 6.0;
        }
        let figures = format!("{shares:.3} of the bound, {unpaced:.3} unpaced; {used:.3} used");
        assert!(shares > 0.9 && unpaced < 0.6 && used > 0.95, "{figures}");
        println!("{figures}");
    }

    /// A budget that is large enough costs nothing, one that is gone costs more than anything is worth.
    #[test]
    fn a_budget_that_is_not_short_has_no_price() {
        let mut draw = Draw::seeded(7);
        let arrivals: Vec<Vec<(u32, f64)>> = (0..500).map(|_| vec![(3, 100.0 * draw.normal()), (4, 5.0)]).collect();
        let price = |left: f64, cost: f64| prices(&arrivals, &[Paced { number: 3, left, to_come: 10_000.0, cost }])[&3];
        assert_eq!(price(1e9, 50.0), 0.0);
        assert_eq!(price(1e9, 0.0), 0.0);
        assert!(price(100_000.0, 50.0) > 50.0, "{}", price(100_000.0, 50.0));
        assert!(price(0.0, 50.0) > 150.0, "{}", price(0.0, 50.0));
        assert!(price(-1e6, 50.0) > 150.0);
    }
}
