//! Prices that make the budgets last until the end, and no longer.
//!
//! With s customers of a sample, B_r left of budget r and N customers to come, the best prices are
//!
//! ```text
//! min over λ ≥ 0 of  D(λ) = Σ_r λ_r B_r / N  +  1/s Σ_i max(0, max_j v_ij − Σ_r λ_r a_ijr)
//! ```
//!
//! where offer j of customer i takes a_ijr of budget r: its cost, or 1 of a count. D is convex; its slope is
//! B_r/N less what a customer takes of r on average. It is solved anew all the time, with what is left and
//! the customers seen last (the re-solving of Jasin and Kumar 2012 and the action-history-dependent method
//! of Li and Ye 2022; dual mirror descent, Balseiro, Lu and Mirrokni 2023, takes one customer's slope instead,
//! which needs step sizes and no sample).
//!
//! One step: λ_r ← max(0, λ_r − slope_r / curvature_r). The curvature counts customers whose best two options
//! lie closer together than a window of values h: with d the difference of what the two take and S the
//! sum of |d_r|, curvature_r = 1/(s h) Σ_i |d_ir| S_i. That is a diagonal matrix above the second derivative
//! of D smoothed by the window, so the steps don't diverge as plain Newton steps do (majorisation: Hunter
//! and Lange 2004); for one budget they are Newton's. No step moves a usual offer by more than the window.

use super::{Budgets, Ledger, OnlineOffer};

/// What a unit of each budget is worth, at least 0.
#[derive(Debug, Clone, PartialEq)]
pub struct Prices {
    /// Value per minor unit of the budget.
    pub budget: f64,
    /// Value per minor unit of each promotion's own money.
    pub money: Vec<f64>,
    /// Value per customer of each promotion's count.
    pub count: Vec<f64>,
}

impl Prices {
    /// Everything is free.
    pub fn zero(promotions: usize) -> Self {
        Self { budget: 0.0, money: vec![0.0; promotions], count: vec![0.0; promotions] }
    }

    /// The offer's value less what it takes at these prices; below every other where its promotion is unknown
    /// or its value not finite.
    pub fn reduced(&self, offer: &OnlineOffer) -> f64 {
        match (self.money.get(offer.promotion), self.count.get(offer.promotion)) {
            (Some(money), Some(count)) if offer.value.is_finite() => offer.value - (self.budget + money) * offer.cost as f64 - count,
            _ => f64::NEG_INFINITY,
        }
    }
}

/// What is known of how many customers will come.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Horizon {
    /// About so many, and no clock. Where it is wrong by a tenth, up to a tenth of the budget is left or
    /// missing at the end: give a clock where there is one.
    Arrivals(f64),
    /// A clock tells the part of the campaign that has passed, and perhaps about how many are expected: a
    /// first guess, which the rate seen soon replaces.
    Clock {
        /// Customers of the whole campaign.
        expected: Option<f64>,
    },
}

/// How prices are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// How many of the last customers prices are made from. More is more exact, fewer follows drift
    /// sooner. Memory is this times offers a customer × 24 bytes.
    pub sample: usize,
    /// How many of them each decision looks at again; 0: prices stay as given.
    pub looks: usize,
    /// With given prices: customers to see before prices move.
    pub warm_up: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self { sample: 4096, looks: 32, warm_up: 256 }
    }
}

/// The part of a campaign for which an expected number counts like arrivals that were seen.
const TRUST_IN_EXPECTED: f64 = 0.01;

/// How many customers are still to come.
#[derive(Debug, Clone)]
pub(crate) struct Forecast {
    horizon: Horizon,
    elapsed: f64,
    seen: f64,
}

impl Forecast {
    pub(crate) const fn new(horizon: Horizon) -> Self {
        Self { horizon, elapsed: 0.0, seen: 0.0 }
    }

    pub(crate) fn arrival(&mut self, elapsed: f64) {
        self.seen += 1.0;
        // Not a number leaves the other.
        self.elapsed = self.elapsed.max(elapsed.min(1.0));
    }

    /// With the one who is here now: at least 1.
    pub(crate) fn to_come(&self) -> f64 {
        let usable = |expected: f64| expected.is_finite() && expected > 0.0;
        let left = match self.horizon {
            Horizon::Arrivals(expected) if usable(expected) => expected - self.seen,
            Horizon::Arrivals(_) => 0.0,
            Horizon::Clock { expected } => {
                // The mean of a gamma-Poisson posterior, with the expected number as a prior.
                let (prior, trust) =
                    expected.filter(|&one| usable(one)).map_or((0.0, 0.0), |one| (one * TRUST_IN_EXPECTED, TRUST_IN_EXPECTED));
                let time = (self.elapsed + trust).max(1e-9);
                (self.seen + prior) / time * (1.0 - self.elapsed)
            }
        };
        1.0 + left.max(0.0)
    }
}

/// Prices, and the sample that they are made from.
#[derive(Debug, Clone)]
pub(crate) struct Pacing {
    prices: Prices,
    settings: Settings,
    /// A ring; a customer's offers each.
    sample: Vec<Vec<OnlineOffer>>,
    oldest: usize,
    /// Where the look goes on.
    next: usize,
    tally: Tally,
    /// Customers to see before prices move.
    waits: usize,
}

impl Pacing {
    pub(crate) fn new(budgets: &Budgets, settings: Settings) -> Self {
        let tally = Tally::new(budgets);
        Self { prices: Prices::zero(budgets.promotions.len()), settings, sample: Vec::new(), oldest: 0, next: 0, tally, waits: 0 }
    }

    pub(crate) const fn prices(&self) -> &Prices {
        &self.prices
    }

    pub(crate) fn start_from(&mut self, prices: &Prices) {
        let usable = |price: Option<&f64>| price.copied().filter(|price| price.is_finite() && *price > 0.0).unwrap_or(0.0);
        self.prices.budget = usable(Some(&prices.budget));
        for place in 0..self.prices.money.len() {
            self.prices.money[place] = usable(prices.money.get(place));
            self.prices.count[place] = usable(prices.count.get(place));
        }
        self.waits = self.settings.warm_up;
    }

    pub(crate) fn learn<'a>(&mut self, history: impl IntoIterator<Item = &'a [OnlineOffer]>, ledger: &Ledger, to_come: f64) {
        for offers in history {
            self.keep(offers);
        }
        for _ in 0..LEARNING_PASSES {
            self.look(self.sample.len(), ledger, to_come.max(1.0));
        }
        self.waits = 0;
    }

    /// Keeps the customer for the sample, then takes a constant number of looks.
    pub(crate) fn see(&mut self, offers: &[OnlineOffer], ledger: &Ledger, to_come: f64) {
        if self.settings.looks == 0 {
            return;
        }
        self.keep(offers);
        self.waits = self.waits.saturating_sub(1);
        if self.waits == 0 {
            self.look(self.settings.looks.min(self.sample.len()), ledger, to_come);
        }
    }

    fn keep(&mut self, offers: &[OnlineOffer]) {
        if self.sample.len() < self.settings.sample.max(1) {
            self.sample.push(offers.to_vec());
            return;
        }
        let place = &mut self.sample[self.oldest];
        place.clear();
        place.extend_from_slice(offers);
        self.oldest = (self.oldest + 1) % self.sample.len();
    }

    /// Looks at so many of the sample; after a batch, or once round, takes a step.
    fn look(&mut self, customers: usize, ledger: &Ledger, to_come: f64) {
        for _ in 0..customers {
            self.tally.add(&self.sample[self.next], &self.prices);
            self.next = (self.next + 1) % self.sample.len();
            if self.next == 0 || self.tally.customers >= BATCH {
                self.tally.step(&mut self.prices, ledger, to_come);
            }
        }
    }
}

/// A value that no plan for these customers exceeds, whole or fractional: D at the best prices found, times
/// the number of customers. Any prices give a bound (weak duality); these come close to the linear relaxation.
pub fn upper_bound<'a>(customers: impl Iterator<Item = &'a [OnlineOffer]> + Clone, budgets: &Budgets) -> (f64, Prices) {
    let ledger = Ledger::new(budgets.clone());
    let mut prices = Prices::zero(budgets.promotions.len());
    let mut tally = Tally::new(budgets);
    let mut best = (f64::INFINITY, prices.clone());
    for pass in 0..BOUND_PASSES {
        customers.clone().for_each(|offers| tally.add(offers, &prices));
        let bound = tally.surplus + tally.worth_of_budgets(&prices, &ledger);
        if bound < best.0 {
            best = (bound, prices.clone());
        }
        // D has kinks: ever narrower windows see where they are.
        tally.sharpness = 1.0 / (1.0 + 0.05 * f64::from(pass));
        let to_come = tally.customers.max(1.0);
        tally.step(&mut prices, &ledger, to_come);
    }
    best
}

/// Customers looked at for a step.
const BATCH: f64 = 1024.0;
/// Rounds over a history when prices are made from it.
const LEARNING_PASSES: usize = 100;
/// Steps for a bound.
const BOUND_PASSES: u32 = 300;
/// The window, as a part of the mean distance between the best two options.
const WINDOW: f64 = 0.5;

/// What is summed over the customers of a sample, and the scales of it.
#[derive(Debug, Clone)]
struct Tally {
    /// One a budget, by [`of_money`] and [`of_count`]; the first is the budget of all.
    budgets: Vec<Slope>,
    customers: f64,
    /// Σ of the best reduced values: the second half of D.
    surplus: f64,
    /// Σ of the distance between the best two, and of how many.
    distance: (f64, f64),
    /// Σ of |cost| over offers that are the best or the second best, and of how many.
    size: (f64, f64),
    /// Curvature along the shift between the budget's price and the promotions': see [`Tally::shift`].
    shift: f64,
    /// The window h of values, from the pass before.
    window: f64,
    /// A usual cost, from the pass before: the unit of counts, so that both kinds of budget weigh alike.
    unit: f64,
    /// A factor on the window.
    sharpness: f64,
}

/// Of one budget.
#[derive(Debug, Clone, Copy, Default)]
struct Slope {
    limited: bool,
    /// Has a price.
    active: bool,
    taken: f64,
    /// Σ |d_r| S over customers within the window, counts in units.
    curvature: f64,
}

#[derive(Debug, Clone, Copy)]
enum Shifted {
    Money,
    Count,
    Nothing,
}

const fn of_money(promotion: usize) -> usize {
    1 + 2 * promotion
}

const fn of_count(promotion: usize) -> usize {
    2 + 2 * promotion
}

impl Tally {
    fn new(budgets: &Budgets) -> Self {
        let promotions = budgets.promotions.iter().flat_map(|limit| [limit.money.is_some(), limit.count.is_some()]);
        let slopes = [true].into_iter().chain(promotions).map(|limited| Slope { limited, ..Slope::default() });
        Self {
            budgets: slopes.collect(),
            customers: 0.0,
            surplus: 0.0,
            shift: 0.0,
            distance: (0.0, 0.0),
            size: (0.0, 0.0),
            window: 0.0,
            unit: 1.0,
            sharpness: 1.0,
        }
    }

    fn add(&mut self, offers: &[OnlineOffer], prices: &Prices) {
        self.customers += 1.0;
        // "Nothing" is an option too.
        let (mut best, mut second) = ((None, 0.0), (None, f64::NEG_INFINITY));
        for offer in offers {
            let score = prices.reduced(offer);
            if score > best.1 {
                second = best;
                best = (Some(offer), score);
            } else if score > second.1 {
                second = (Some(offer), score);
            }
        }
        if !best.1.is_finite() {
            return;
        }
        if let Some(offer) = best.0 {
            let cost = offer.cost as f64;
            self.surplus += best.1;
            self.budgets[0].taken += cost;
            self.budgets[of_money(offer.promotion)].taken += cost;
            self.budgets[of_count(offer.promotion)].taken += 1.0;
        }
        let distance = best.1 - second.1;
        if distance.is_finite() {
            self.compare(best.0, second.0, distance);
        }
    }

    /// What happens at the customer if prices move.
    fn compare(&mut self, best: Option<&OnlineOffer>, second: Option<&OnlineOffer>, distance: f64) {
        let cost = |offer: Option<&OnlineOffer>| offer.map_or(0.0, |offer| offer.cost as f64);
        let options = || [best, second].into_iter().flatten();
        self.distance.0 += distance;
        self.distance.1 += 1.0;
        for offer in options() {
            self.size.0 += (offer.cost as f64).abs();
            self.size.1 += 1.0;
        }
        if distance > self.window {
            return;
        }
        // |d| of every budget; both options of one promotion are taken apart, which only makes it larger.
        let of_budget = cost(best) - cost(second);
        let (mut all, mut shift) = (if self.budgets[0].active { of_budget.abs() } else { 0.0 }, of_budget);
        for (offer, sign) in [(best, 1.0), (second, -1.0)] {
            let Some(offer) = offer else { continue };
            shift -= match self.shifted(offer.promotion) {
                Shifted::Money => sign * offer.cost as f64,
                Shifted::Count => sign * self.unit,
                Shifted::Nothing => 0.0,
            };
            all += if self.budgets[of_money(offer.promotion)].active { (offer.cost as f64).abs() } else { 0.0 };
            all += if self.budgets[of_count(offer.promotion)].active { self.unit } else { 0.0 };
        }
        self.shift += shift * shift;
        self.budgets[0].curvature += of_budget.abs() * all;
        for offer in options() {
            self.budgets[of_money(offer.promotion)].curvature += (offer.cost as f64).abs() * all;
            self.budgets[of_count(offer.promotion)].curvature += all / self.unit;
        }
    }

    /// Moves the prices, and starts anew.
    fn step(&mut self, prices: &mut Prices, ledger: &Ledger, to_come: f64) {
        let within = self.customers * self.window;
        if self.distance.1 > 0.0 {
            self.window = self.sharpness * WINDOW * self.distance.0 / self.distance.1;
        }
        if self.size.0 > 0.0 {
            self.unit = self.size.0 / self.size.1;
        }
        let (customers, window, unit) = (self.customers, self.window, self.unit);
        let moved = |price: f64, slope: &Slope, left: f64, most: f64| {
            let down = left / to_come - slope.taken / customers;
            let newton = if slope.curvature > 0.0 { down * within / slope.curvature } else { down.signum() * most };
            let next = (price - newton.clamp(-most, most)).max(0.0);
            if next.is_finite() && slope.limited { next } else { price }
        };
        // The slope of D along the shift.
        let mut tilt = self.budgets[0].taken / customers - ledger.left(None).money / to_come;
        prices.budget = moved(prices.budget, &self.budgets[0], ledger.left(None).money, window / unit);
        for promotion in 0..prices.money.len() {
            let (left, money, count) = (ledger.left(Some(promotion)), self.budgets[of_money(promotion)], self.budgets[of_count(promotion)]);
            match self.shifted(promotion) {
                Shifted::Money => tilt += left.money / to_come - money.taken / customers,
                Shifted::Count => tilt += unit * (left.count / to_come - count.taken / customers),
                Shifted::Nothing => {}
            }
            prices.money[promotion] = moved(prices.money[promotion], &money, left.money, window / unit);
            prices.count[promotion] = moved(prices.count[promotion], &count, left.count, window);
        }
        self.shift(prices, tilt, within);
        self.clear(prices);
    }

    /// Takes from the budget's price what it adds to the promotions', or the other way round: reduced values
    /// hardly change by it, so that diagonal steps would take hundreds. One Newton step along a line.
    fn shift(&self, prices: &mut Prices, tilt: f64, within: f64) {
        let promotions = 0..prices.money.len();
        let shifted = |promotion: usize| match self.shifted(promotion) {
            Shifted::Money => Some(prices.money[promotion]),
            Shifted::Count => Some(prices.count[promotion] / self.unit),
            Shifted::Nothing => None,
        };
        let lowest = promotions.clone().filter_map(shifted).fold(f64::INFINITY, f64::min);
        let newton = -tilt * within / self.shift;
        if lowest.is_infinite() || newton.is_nan() {
            return;
        }
        let by = newton.clamp(-lowest.max(0.0), prices.budget);
        // Enormous costs can make a price that isn't a number: it stays.
        let moved = |price: f64, by: f64| Some((price + by).max(0.0)).filter(|next| next.is_finite()).unwrap_or(price);
        prices.budget = moved(prices.budget, -by);
        for promotion in promotions {
            match self.shifted(promotion) {
                Shifted::Money => prices.money[promotion] = moved(prices.money[promotion], by),
                Shifted::Count => prices.count[promotion] = moved(prices.count[promotion], by * self.unit),
                Shifted::Nothing => {}
            }
        }
    }

    /// Which of a promotion's prices takes part in the shift: its money's, else its count's times a usual cost.
    fn shifted(&self, promotion: usize) -> Shifted {
        match (self.budgets[of_money(promotion)].active, self.budgets[of_count(promotion)].active) {
            (true, _) => Shifted::Money,
            (false, true) => Shifted::Count,
            (false, false) => Shifted::Nothing,
        }
    }

    /// Σ λ_r B_r.
    fn worth_of_budgets(&self, prices: &Prices, ledger: &Ledger) -> f64 {
        // An unlimited budget has the price 0, and is left out: infinity times 0 is not a number.
        let worth = |price: f64, left: f64| if price > 0.0 { price * left } else { 0.0 };
        let of_promotions = (0..prices.money.len()).map(|promotion| {
            let left = ledger.left(Some(promotion));
            worth(prices.money[promotion], left.money) + worth(prices.count[promotion], left.count)
        });
        worth(prices.budget, ledger.left(None).money) + of_promotions.sum::<f64>()
    }

    fn clear(&mut self, prices: &Prices) {
        let of_promotions = prices.money.iter().zip(&prices.count).flat_map(|(money, count)| [*money, *count]);
        for (slope, price) in self.budgets.iter_mut().zip([prices.budget].into_iter().chain(of_promotions)) {
            *slope = Slope { limited: slope.limited, active: price > 0.0, ..Slope::default() };
        }
        (self.customers, self.surplus, self.shift, self.distance, self.size) = (0.0, 0.0, 0.0, (0.0, 0.0), (0.0, 0.0));
    }
}
