//! Arrivals of known kinds, and how good the online plan is beside the best that hindsight could do.

use youhui_commerce::Draw;

use super::{Budgets, Horizon, Online, OnlineOffer, Prices, Settings, upper_bound};

/// Who comes when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrivals {
    /// At an even rate: exponential times between customers, all of one population.
    Poisson,
    /// As many of the same population, but a tenth of the time has five times the rate (bursts of exponential length).
    Bursty,
    /// From the start to the end values rise by a quarter, costs fall by a tenth, and the rate doubles.
    Drifting,
    /// Everybody with cheap offers first.
    CheapestFirst,
    /// Everybody with dear offers first.
    DearestFirst,
    /// Everybody who is worth most for the money last.
    BestLast,
}

impl Arrivals {
    /// All kinds.
    pub const ALL: [Self; 6] = [Self::Poisson, Self::Bursty, Self::Drifting, Self::CheapestFirst, Self::DearestFirst, Self::BestLast];

    /// In lower case, for reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Poisson => "poisson",
            Self::Bursty => "bursty",
            Self::Drifting => "drifting",
            Self::CheapestFirst => "cheapest_first",
            Self::DearestFirst => "dearest_first",
            Self::BestLast => "best_last",
        }
    }
}

/// One customer who comes.
#[derive(Debug, Clone, PartialEq)]
pub struct Arrival {
    /// The part of the campaign that has passed, 0 to 1.
    pub elapsed: f64,
    /// What this customer could get.
    pub offers: Vec<OnlineOffer>,
}

/// A population of customers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct World {
    /// Customers expected; how many come is drawn (Poisson).
    pub customers: usize,
    /// Offers a customer.
    pub promotions: usize,
    /// The budget, as a part of what everybody's best offer costs.
    pub budget: f64,
    /// Budgets of the promotions 0, 2, 4 …, as a part of what they would spend under the one budget alone;
    /// the others have none, so that the one budget binds too.
    pub money: Option<f64>,
    /// Counts of the promotions 1, 3, 5 …, as a part of the customers they would have under the one budget.
    pub count: Option<f64>,
    /// The part of offers that save money.
    pub saving: f64,
}

impl Default for World {
    fn default() -> Self {
        Self { customers: 20_000, promotions: 6, budget: 0.3, money: None, count: None, saving: 0.0 }
    }
}

impl World {
    /// A customer's offers: cost uniform in 50 to 500, value = cost × (0.4 + U) + 40 × N(0, 1), so that
    /// value follows cost as it does in shops. A saving offer costs −200 to −1 and is worth 250 less.
    pub fn customer(&self, draw: &mut Draw) -> Vec<OnlineOffer> {
        let one = |promotion: usize| {
            let cost = 50 + i64::try_from(draw.below(451)).unwrap_or(0);
            let value = (cost as f64 * (0.4 + draw.uniform()) + 40.0 * draw.normal()).round();
            if draw.uniform() < self.saving {
                let saved = 1 + i64::try_from(draw.below(200)).unwrap_or(0);
                return OnlineOffer { promotion, value: value - 250.0, cost: -saved };
            }
            OnlineOffer { promotion, value, cost }
        };
        (0..self.promotions).map(one).collect()
    }

    /// Customers of the process before the campaign, to learn prices from.
    pub fn history(&self, customers: usize, seed: u64) -> Vec<Vec<OnlineOffer>> {
        let mut draw = Draw::seeded(seed).fork("history");
        (0..customers).map(|_| self.customer(&mut draw)).collect()
    }

    /// The customers of one campaign, in the order in which they come.
    pub fn arrivals(&self, kind: Arrivals, seed: u64) -> Vec<Arrival> {
        let mut who = Draw::seeded(seed).fork("customers");
        let mut arrivals: Vec<Arrival> = times(kind, self.customers, &mut Draw::seeded(seed).fork("times"))
            .into_iter()
            .map(|elapsed| Arrival { elapsed, offers: self.customer(&mut who) })
            .collect();
        if kind == Arrivals::Drifting {
            arrivals.iter_mut().for_each(drift);
        }
        sorted_by(kind, arrivals)
    }

    /// The budgets, from a population of the process: what is known before anybody comes.
    pub fn budgets(&self) -> Budgets {
        let population = self.history(5_000, BUDGET_SEED);
        let scale = self.customers as f64 / population.len() as f64;
        let whole = |amount: f64| minor(amount * scale);
        let free = Prices::zero(self.promotions);
        let money = whole(self.budget * given(&population, &free).iter().map(|(spent, _)| spent).sum::<f64>());
        let mut budgets = Budgets::of_money(money, self.promotions);
        let one = Budgets::of_money(minor(money as f64 / scale), self.promotions);
        let (_, prices) = upper_bound(population.iter().map(Vec::as_slice), &one);
        for (promotion, (spent, customers)) in given(&population, &prices).into_iter().enumerate() {
            let limit = &mut budgets.promotions[promotion];
            if promotion % 2 == 0 {
                limit.money = self.money.map(|part| whole(part * spent));
            } else {
                limit.count = self.count.map(|part| whole(part * customers).unsigned_abs());
            }
        }
        budgets
    }
}

const BUDGET_SEED: u64 = 0x0b0d_6e75;

#[allow(clippy::cast_possible_truncation, reason = "saturates")]
const fn minor(amount: f64) -> i64 {
    amount as i64
}

/// What each promotion spends, and customers who get it, if everybody gets the best offer at these prices.
fn given(customers: &[Vec<OnlineOffer>], prices: &Prices) -> Vec<(f64, f64)> {
    let mut given = vec![(0.0, 0.0); prices.money.len()];
    for offers in customers {
        let best = offers.iter().max_by(|one, two| prices.reduced(one).total_cmp(&prices.reduced(two)));
        if let Some(best) = best.filter(|best| prices.reduced(best) > 0.0) {
            given[best.promotion].0 += best.cost as f64;
            given[best.promotion].1 += 1.0;
        }
    }
    given
}

/// Times of arrival in 0..1, rising.
fn times(kind: Arrivals, customers: usize, draw: &mut Draw) -> Vec<f64> {
    let wait = |draw: &mut Draw, rate: f64| -(1.0 - draw.uniform()).ln() / rate;
    let rate = customers as f64;
    let (mut times, mut now) = (Vec::with_capacity(customers), 0.0);
    // Bursts of 1 % of the campaign on average, every 10 %, at 5 times the rate; as many come as otherwise.
    let (mut burst, mut until) = (false, wait(draw, 1.0 / 0.09));
    loop {
        let rate = match kind {
            Arrivals::Bursty => rate / 1.4 * if burst { 5.0 } else { 1.0 },
            Arrivals::Drifting => rate * (1.0 + now) / 1.5,
            _ => rate,
        };
        now += wait(draw, rate);
        while kind == Arrivals::Bursty && now > until {
            burst = !burst;
            now = until;
            until += wait(draw, if burst { 1.0 / 0.01 } else { 1.0 / 0.09 });
            now += wait(draw, customers as f64 / 1.4 * if burst { 5.0 } else { 1.0 });
        }
        if now >= 1.0 {
            return times;
        }
        times.push(now);
    }
}

fn drift(arrival: &mut Arrival) {
    for offer in &mut arrival.offers {
        offer.value *= 1.0 + arrival.elapsed / 4.0;
        offer.cost = minor(offer.cost as f64 * (1.0 - arrival.elapsed / 10.0));
    }
}

/// The same times, with customers in the order that the kind asks for.
fn sorted_by(kind: Arrivals, arrivals: Vec<Arrival>) -> Vec<Arrival> {
    let cost = |one: &Arrival| one.offers.iter().map(|offer| offer.cost as f64).sum::<f64>();
    let rate = |one: &Arrival| one.offers.iter().map(|offer| offer.value / (offer.cost as f64).max(1.0)).fold(f64::MIN, f64::max);
    let (times, mut who): (Vec<f64>, Vec<Arrival>) = arrivals.into_iter().map(|one| (one.elapsed, one)).unzip();
    match kind {
        Arrivals::CheapestFirst => who.sort_by(|one, two| cost(one).total_cmp(&cost(two))),
        Arrivals::DearestFirst => who.sort_by(|one, two| cost(two).total_cmp(&cost(one))),
        Arrivals::BestLast => who.sort_by(|one, two| rate(one).total_cmp(&rate(two))),
        _ => {}
    }
    times.into_iter().zip(who).map(|(elapsed, one)| Arrival { elapsed, ..one }).collect()
}

/// What the online plan starts from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Start<'a> {
    /// Nothing.
    Cold,
    /// Prices of an earlier solve.
    Prices(&'a Prices),
    /// Customers of the process before the campaign.
    History(&'a [Vec<OnlineOffer>]),
}

/// One campaign, online and in hindsight.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Report {
    /// How many came.
    pub arrivals: usize,
    /// How many got something.
    pub given: usize,
    /// Sum of the values given.
    pub value: f64,
    /// As given to [`run`].
    pub offline_bound: f64,
    /// Minor units spent.
    pub spent: i128,
    /// Minor units, and customers of counts, above a budget: see [`super::Ledger::overspend`].
    pub overspend: i128,
}

impl Report {
    /// value / offline bound; 1 where nothing is worth anything.
    pub fn ratio(&self) -> f64 {
        if self.offline_bound > 0.0 { self.value / self.offline_bound } else { 1.0 }
    }
}

/// What no plan for these arrivals exceeds, with all of them known before: see [`upper_bound`].
pub fn offline_bound(arrivals: &[Arrival], budgets: &Budgets) -> f64 {
    upper_bound(arrivals.iter().map(|arrival| arrival.offers.as_slice()), budgets).0
}

/// Decides every arrival, and counts what was given apart from the ledger. `offline_bound` is that of
/// the same arrivals and budgets: it takes longer than the campaign, and serves all ways to decide it.
pub fn run(arrivals: &[Arrival], budgets: &Budgets, horizon: Horizon, settings: Settings, start: Start<'_>, offline_bound: f64) -> Report {
    let expected = match horizon {
        Horizon::Arrivals(expected) | Horizon::Clock { expected: Some(expected) } => expected,
        Horizon::Clock { expected: None } => arrivals.len() as f64,
    };
    let online = Online::new(budgets.clone(), horizon, settings);
    let mut online = match start {
        Start::Cold => online,
        Start::Prices(prices) => online.with_prices(prices),
        Start::History(history) => online.with_history(history.iter().map(Vec::as_slice), expected),
    };
    let mut report = Report { arrivals: arrivals.len(), given: 0, value: 0.0, offline_bound, spent: 0, overspend: 0 };
    for arrival in arrivals {
        if let Some(choice) = online.decide(arrival.elapsed, &arrival.offers) {
            report.given += 1;
            report.value += arrival.offers[choice].value;
            report.spent += i128::from(arrival.offers[choice].cost);
        }
        // At every moment, not only at the end: savings that come later excuse nothing.
        report.overspend = report.overspend.max(online.ledger().overspend()).max(report.spent - i128::from(budgets.money.max(0)));
    }
    report
}

/// Ratios of several campaigns.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Quality {
    /// Campaigns.
    pub runs: usize,
    /// Mean of value / offline bound.
    pub mean: f64,
    /// Its 95 % interval (Student's t over campaigns).
    pub low: f64,
    /// Upper end.
    pub high: f64,
    /// The worst campaign.
    pub worst: f64,
    /// The largest overspend.
    pub overspend: i128,
}

/// Sums several campaigns up; not a number without any.
pub fn quality(reports: &[Report]) -> Quality {
    let count = reports.len() as f64;
    let mean = reports.iter().map(Report::ratio).sum::<f64>() / count;
    let variance = reports.iter().map(|one| (one.ratio() - mean).powi(2)).sum::<f64>() / (count - 1.0);
    let half = t975(count - 1.0) * (variance / count).sqrt();
    Quality {
        runs: reports.len(),
        mean,
        low: mean - half,
        high: mean + half,
        worst: reports.iter().map(Report::ratio).fold(f64::INFINITY, f64::min),
        overspend: reports.iter().map(|one| one.overspend).max().unwrap_or(0),
    }
}

/// The 97.5 % quantile of Student's t from the normal's (Abramowitz and Stegun 26.7.5): within 0.001 from 8
/// degrees of freedom on.
fn t975(freedom: f64) -> f64 {
    let z: f64 = 1.959_963_985;
    let first = (z.powi(3) + z) / 4.0;
    let second = (5.0 * z.powi(5) + 16.0 * z.powi(3) + 3.0 * z) / 96.0;
    let third = (3.0 * z.powi(7) + 19.0 * z.powi(5) + 17.0 * z.powi(3) - 15.0 * z) / 384.0;
    z + first / freedom + second / freedom.powi(2) + third / freedom.powi(3)
}
