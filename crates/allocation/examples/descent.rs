//! Ours beside synchronous coordinate descent written plainly, on the same arrays in the same run.
//!
//! `cargo run --release -p youhui-allocation --example descent -- DIR [rounds=3] [threads=2]`
//!
//! DIR holds `value.i32` and `cost.i32` (32-bit little-endian, a promotion's customers one after the other, costs above 0)
//! and `limits.json`: `{"customers": N, "promotions": K, "budget": B, "own": [...]}`, where `own` is each promotion's own
//! budget or empty. `benches/peers/allocation/speed.py` writes them. Prints one JSON object.
//!
//! The peer is that of "Solving Billion-Scale Knapsack Problems" (Zhang, Qi, Yao, Li 2020): every customer
//! emits the prices of each resource at which its choice changes while all other prices stand, with how much
//! less it would take; a resource's new price is the lowest at which what is taken fits (selection, no
//! sorting). `together` moves all prices after one pass, as the paper does; `in turn` first that of the whole budget and
//! then those of promotions, in two. A run ends as early as can be: after one pass where there is one budget, else where
//! the dual is within 1e-5 of our bound, which a run of its own couldn't know, or hasn't fallen by a millionth for two
//! rounds. Then whoever's choice is worth least is taken out until all fits, which is the paper's last step as well.

#![allow(clippy::print_stdout, reason = "an example for developers")]

use std::path::Path;
use std::time::Instant;

use rayon::prelude::*;
use youhui_allocation::{Constraints, Offers, PromotionLimit, Terms, allocate};

/// Customers of one piece of work.
const CHUNK: usize = 1 << 13;
/// Rounds of descent at most.
const ROUNDS: usize = 100;
/// Nothing is given.
const NOTHING: usize = usize::MAX;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |name: &str, default: usize| {
        let given = arguments.iter().find_map(|argument| argument.strip_prefix(&format!("{name}=")));
        given.map_or(default, |given| given.parse().expect("a number"))
    };
    rayon::ThreadPoolBuilder::new().num_threads(number("threads", 2)).build_global().expect("threads");
    let shop = Shop::read(Path::new(arguments.first().expect("a folder")));
    let rounds = number("rounds", 3);
    let (ours, bound) = ours(&shop, rounds);
    let together = fastest(rounds, || shop.descend(true, bound)).json("together");
    let in_turn = fastest(rounds, || shop.descend(false, bound)).json("in turn");
    println!(
        "{{\"customers\":{},\"promotions\":{},\"ours\":{ours},\"together\":{together},\"in_turn\":{in_turn}}}",
        shop.customers, shop.promotions
    );
}

struct Shop {
    customers: usize,
    promotions: usize,
    value: Vec<i32>,
    cost: Vec<i32>,
    budget: i64,
    own: Vec<i64>,
}

/// A price at which a customer's choice changes, and what it takes less above it.
#[derive(Clone, Copy)]
struct Step {
    price: f64,
    amount: i64,
}

/// What descent found.
struct Found {
    seconds: f64,
    rounds: usize,
    value: i64,
    bound: f64,
    kept: bool,
}

impl Found {
    fn json(&self, way: &str) -> String {
        let Self { seconds, rounds, value, bound, kept } = self;
        format!("{{\"way\":\"{way}\",\"seconds\":{seconds:.5},\"rounds\":{rounds},\"value\":{value},\"bound\":{bound:.1},\"kept\":{kept}}}")
    }
}

fn fastest(rounds: usize, run: impl Fn() -> Found) -> Found {
    (0..rounds.max(1)).map(|_| run()).min_by(|one, two| one.seconds.total_cmp(&two.seconds)).expect("at least one round")
}

/// (JSON, upper bound).
fn ours(shop: &Shop, rounds: usize) -> (String, f64) {
    let names: Vec<String> = (0..shop.promotions).map(|one| one.to_string()).collect();
    let offers = Offers::columns(shop.customers, shop.promotions, shop.value.clone(), shop.cost.clone()).expect("lengths fit");
    let terms = Terms {
        promotions: &names,
        segments: &[],
        value_unit: 1.0,
        cost_unit: 1.0,
        budget: Some(shop.budget as f64),
        exact_values: true,
        exact_costs: true,
    };
    let limit = |(name, own): (&String, &i64)| PromotionLimit { name: name.clone(), budget: Some(*own as f64), count: None };
    let constraints = Constraints { promotion: names.iter().zip(&shop.own).map(limit).collect(), ..Constraints::default() };
    let once = || {
        let started = Instant::now();
        let plan = allocate(&offers, &constraints, terms).expect("a plan");
        (started.elapsed().as_secs_f64(), plan)
    };
    let (seconds, plan) = (0..rounds.max(1)).map(|_| once()).min_by(|one, two| one.0.total_cmp(&two.0)).expect("at least one round");
    let chosen: Vec<usize> =
        (0..shop.customers).map(|customer| plan.of(customer).first().map_or(NOTHING, |&place| place as usize)).collect();
    let (value, kept) = shop.recount(&chosen);
    let line = format!("{{\"seconds\":{seconds:.5},\"value\":{value},\"bound\":{:.1},\"kept\":{kept}}}", plan.upper_bound);
    (line, plan.upper_bound)
}

impl Shop {
    fn read(folder: &Path) -> Self {
        let numbers = |name: &str| {
            let bytes = std::fs::read(folder.join(name)).expect("the file");
            bytes.as_chunks::<4>().0.iter().map(|bytes| i32::from_le_bytes(*bytes)).collect::<Vec<i32>>()
        };
        let text = std::fs::read_to_string(folder.join("limits.json")).expect("limits.json");
        let limits: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        let whole = |name: &str| limits[name].as_i64().expect("a whole number");
        let size = |name: &str| usize::try_from(whole(name)).expect("a size");
        let own = limits["own"].as_array().expect("an array").iter().map(|one| one.as_i64().expect("a whole number")).collect();
        Self {
            customers: size("customers"),
            promotions: size("promotions"),
            value: numbers("value.i32"),
            cost: numbers("cost.i32"),
            budget: whole("budget"),
            own,
        }
    }

    fn own_price(&self, own: &[f64], promotion: usize) -> f64 {
        if self.own.is_empty() { 0.0 } else { own[promotion] }
    }

    fn descend(&self, together: bool, near: f64) -> Found {
        let started = Instant::now();
        let (mut price, mut own) = (0.0, vec![0.0; self.own.len()]);
        let mut best = (f64::INFINITY, price, own.clone());
        let (mut rounds, mut still) = (0, 0);
        while rounds < ROUNDS && still < 2 && best.0 > near * (1.0 + 1e-5) {
            let before = (price, own.clone());
            let (bound, mut steps) = self.pass(price, &own, true, together);
            still = if bound < best.0 * (1.0 - 1e-6) { 0 } else { still + 1 };
            if bound < best.0 {
                best = (bound, before.0, before.1);
            }
            price = lowest(&mut steps[0], self.budget);
            rounds += 1;
            if own.is_empty() {
                best.1 = price;
                break;
            }
            if !together {
                steps = self.pass(price, &own, false, true).1;
            }
            own = steps[1..].iter_mut().zip(&self.own).map(|(steps, limit)| lowest(steps, *limit)).collect();
        }
        let (bound, chosen) = self.fitted(best.1, &best.2);
        let seconds = started.elapsed().as_secs_f64();
        let (value, kept) = self.recount(&chosen);
        Found { seconds, rounds, value, bound, kept }
    }

    /// The dual at these prices, and the steps of each resource that is asked for: the budget's first.
    fn pass(&self, price: f64, own: &[f64], of_all: bool, of_own: bool) -> (f64, Vec<Vec<Step>>) {
        let resources = 1 + self.own.len();
        let parts: Vec<(f64, Vec<Vec<Step>>)> = (0..self.customers.div_ceil(CHUNK))
            .into_par_iter()
            .map(|chunk| {
                let (mut sum, mut steps) = (0.0, vec![Vec::new(); resources]);
                let mut lines: Vec<(i32, f64)> = Vec::with_capacity(self.promotions + 1);
                let mut reduced = vec![0.0; self.promotions];
                for customer in chunk * CHUNK..((chunk + 1) * CHUNK).min(self.customers) {
                    lines.clear();
                    let (mut most, mut second) = (0.0, 0.0);
                    for (promotion, reduced) in reduced.iter_mut().enumerate() {
                        let at = promotion * self.customers + customer;
                        let cost = f64::from(self.cost[at]);
                        let worth = f64::from(self.value[at]) - self.own_price(own, promotion) * cost;
                        *reduced = worth - price * cost;
                        if *reduced > most {
                            (most, second) = (*reduced, most);
                        } else if *reduced > second {
                            second = *reduced;
                        }
                        if of_all && worth > 0.0 {
                            lines.push((self.cost[at], worth));
                        }
                    }
                    sum += most;
                    if of_all {
                        up_the_hull(&mut lines, &mut steps[0]);
                    }
                    if of_own {
                        for (promotion, (reduced, own)) in reduced.iter().zip(own).enumerate() {
                            let cost = self.cost[promotion * self.customers + customer];
                            let other = if *reduced == most { second } else { most };
                            let gain = reduced + own * f64::from(cost) - other;
                            if gain > 0.0 {
                                steps[1 + promotion].push(Step { price: gain / f64::from(cost), amount: i64::from(cost) });
                            }
                        }
                    }
                }
                (sum, steps)
            })
            .collect();
        let bound = self.of_limits(price, own) + parts.iter().map(|(sum, _)| sum).sum::<f64>();
        let steps = (0..resources).into_par_iter().map(|resource| parts.iter().flat_map(|(_, steps)| &steps[resource]).copied().collect());
        (bound, steps.collect())
    }

    /// What limits are worth at these prices.
    fn of_limits(&self, price: f64, own: &[f64]) -> f64 {
        price * self.budget as f64 + own.iter().zip(&self.own).map(|(price, limit)| price * *limit as f64).sum::<f64>()
    }

    /// The dual, and everybody's best choice at these prices, less those worth least where too much is spent.
    fn fitted(&self, price: f64, own: &[f64]) -> (f64, Vec<usize>) {
        let best = |customer: usize| {
            let mut best = (0.0, NOTHING);
            for promotion in 0..self.promotions {
                let at = promotion * self.customers + customer;
                let reduced = f64::from(self.value[at]) - (price + self.own_price(own, promotion)) * f64::from(self.cost[at]);
                if reduced > best.0 {
                    best = (reduced, promotion);
                }
            }
            best
        };
        let best: Vec<(f64, usize)> = (0..self.customers).into_par_iter().map(best).collect();
        let bound = self.of_limits(price, own) + best.iter().map(|(reduced, _)| reduced).sum::<f64>();
        let mut chosen: Vec<usize> = best.iter().map(|(_, promotion)| *promotion).collect();
        let (mut all, mut each) = self.spent(&chosen);
        for promotion in (0..self.own.len()).map(Some).chain([None]) {
            let over = promotion.map_or(all - self.budget, |one| each[one] - self.own[one]);
            if over <= 0 {
                continue;
            }
            let of = |&customer: &usize| chosen[customer] != NOTHING && promotion.is_none_or(|one| chosen[customer] == one);
            let mut some: Vec<usize> = (0..self.customers).filter(of).collect();
            // The worst percent is more than enough at prices near the best; more of them, where it isn't.
            let (mut from, mut left) = (0, over);
            while left > 0 && from < some.len() {
                let end = (from + some.len() / 100 + 1).min(some.len());
                let order = |one: &usize, two: &usize| best[*one].0.total_cmp(&best[*two].0).then(one.cmp(two));
                if end < some.len() {
                    some[from..].select_nth_unstable_by(end - from, order);
                }
                some[from..end].sort_unstable_by(order);
                for &customer in &some[from..end] {
                    if left <= 0 {
                        break;
                    }
                    let one = chosen[customer];
                    let cost = i64::from(self.cost[one * self.customers + customer]);
                    chosen[customer] = NOTHING;
                    (left, all) = (left - cost, all - cost);
                    each[one] -= cost;
                }
                from = end;
            }
        }
        (bound, chosen)
    }

    fn spent(&self, chosen: &[usize]) -> (i64, Vec<i64>) {
        let mut each = vec![0; self.promotions];
        for (customer, &promotion) in chosen.iter().enumerate() {
            if promotion != NOTHING {
                each[promotion] += i64::from(self.cost[promotion * self.customers + customer]);
            }
        }
        (each.iter().sum(), each)
    }

    /// (sum of values, whether every limit is kept).
    fn recount(&self, chosen: &[usize]) -> (i64, bool) {
        let (all, each) = self.spent(chosen);
        let worth = |(customer, &promotion): (usize, &usize)| {
            if promotion == NOTHING { 0 } else { i64::from(self.value[promotion * self.customers + customer]) }
        };
        let kept = all <= self.budget && each.iter().zip(&self.own).all(|(spent, limit)| spent <= limit);
        (chosen.iter().enumerate().map(worth).sum(), kept)
    }
}

/// The prices at which the best of these (cost, worth) changes, from nothing to the dearest one that is ever best.
fn up_the_hull(lines: &mut [(i32, f64)], steps: &mut Vec<Step>) {
    lines.sort_unstable_by(|one, two| one.0.cmp(&two.0).then(two.1.total_cmp(&one.1)));
    let from = steps.len();
    let mut last = (0, 0.0);
    for &(cost, worth) in lines.iter() {
        if worth <= last.1 || cost <= last.0 {
            continue;
        }
        // A step that promises more than the one before takes its place.
        let mut step = Step { price: (worth - last.1) / f64::from(cost - last.0), amount: i64::from(cost - last.0) };
        while steps.len() > from && steps[steps.len() - 1].price <= step.price {
            let Some(before) = steps.pop() else { break };
            let amount = before.amount + step.amount;
            let gain = before.price * before.amount as f64 + step.price * step.amount as f64;
            step = Step { price: gain / amount as f64, amount };
        }
        steps.push(step);
        last = (cost, worth);
    }
}

/// The lowest price at which the steps above it fit the limit; by selection.
fn lowest(steps: &mut [Step], limit: i64) -> f64 {
    let (mut from, mut end, mut left) = (0, steps.len(), limit);
    if steps.iter().map(|step| step.amount).sum::<i64>() <= limit {
        return 0.0;
    }
    while end - from > 1 {
        let middle = from + (end - from) / 2;
        steps[from..end].select_nth_unstable_by(middle - from, |one, two| two.price.total_cmp(&one.price));
        let amount: i64 = steps[from..middle].iter().map(|step| step.amount).sum();
        if amount <= left {
            (left, from) = (left - amount, middle);
        } else {
            end = middle;
        }
    }
    steps.get(from).map_or(0.0, |step| step.price)
}
