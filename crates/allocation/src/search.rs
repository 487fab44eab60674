//! All plans that could beat the one at hand, one after the other.
//!
//! A plan is worth the bound less what its customers' sets lose beside each one's best, and less what
//! its left-over limits are worth: whoever's set loses more than bound − plan is in no better plan. What
//! is left is few sets of few customers (a core: Balas and Zemel 1980), gone through depth first, and
//! cut where the customers that are still to come can't meet a limit, or can't use up a priced one.
//! Gone through to the end, nothing better exists.

use std::cmp::Ordering;

use crate::candidates::{Candidates, Settled};
use crate::choices::Choices;
use crate::moves::Current;
use crate::program::Program;

/// Sets of one customer that are looked at.
const SETS: usize = 256;
/// Customers with a choice that are looked at.
const CUSTOMERS: usize = 2_000;
/// Sets times resources that are looked at.
const AMOUNTS: usize = 1 << 20;

/// What is searched.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Problem<'a> {
    pub(crate) program: &'a Program,
    pub(crate) open: &'a Candidates,
    pub(crate) settled: &'a Settled,
    pub(crate) prices: &'a [f64],
}

/// What was found.
#[derive(Debug)]
pub(crate) struct Found {
    /// A better plan.
    pub(crate) current: Option<Current>,
    /// Whether nothing better than it, or else than the plan at hand, exists.
    pub(crate) is_proved: bool,
}

/// A set of a customer beside its best one.
#[derive(Debug, Clone, PartialEq)]
struct Other {
    loss: f64,
    value: i64,
    /// What it takes more of each resource.
    taken: Vec<i64>,
    places: Vec<u32>,
}

/// A customer that has a choice to make.
#[derive(Debug)]
struct Customer {
    at: usize,
    /// By rising loss; the best set first.
    others: Vec<Other>,
    /// Whether the customer before it has the very same sets: then its set is no earlier one.
    is_twin: bool,
    /// The least and the most that it and all that come after it can take more of each resource.
    least: Vec<i64>,
    most: Vec<i64>,
}

/// Searches for a plan of more than `value` (any, if there is none) at `nodes` nodes at most.
pub(crate) fn search(problem: Problem<'_>, value: Option<i64>, nodes: usize) -> Found {
    let unknown = Found { current: None, is_proved: false };
    let Some(best) = Best::new(problem) else { return unknown };
    let Some(others) = best.others(problem, best.room(value)) else { return unknown };
    let customers = best.customers(others);
    let (mut left, mut chosen) = (best.left.clone(), Vec::with_capacity(customers.len()));
    let mut walk = Walk { prices: problem.prices, customers: &customers, best: &best, value, found: None, nodes };
    walk.visit(0.0, best.value, &mut left, &mut chosen);
    let (found, is_proved) = (walk.found, walk.nodes > 0);
    let current = found.map(|chosen| {
        let mut places = best.places;
        for (customer, other) in customers.iter().zip(chosen) {
            places[customer.at].clone_from(&customer.others[other].places);
        }
        Current { places }
    });
    Found { current, is_proved }
}

/// Every customer's best set.
struct Best {
    places: Vec<Vec<u32>>,
    value: i64,
    left: Vec<i64>,
    /// No plan is worth more.
    bound: f64,
    /// What rounding can have moved it by.
    hair: f64,
    /// What each customer could lose before its second best set is as good.
    second: Vec<f64>,
}

impl Best {
    /// `None` where a customer may get too many sets.
    fn new(problem: Problem<'_>) -> Option<Self> {
        let Problem { program, open, settled, prices } = problem;
        let left: Vec<i64> = program.limits().iter().zip(&settled.taken).map(|(limit, taken)| limit - taken).collect();
        let of_limits: Vec<f64> = left.iter().zip(prices).map(|(left, price)| *left as f64 * price).collect();
        let mut best = Self {
            places: Vec::with_capacity(open.len()),
            value: settled.value,
            left,
            bound: settled.value as f64 + of_limits.iter().sum::<f64>(),
            hair: (settled.value as f64).abs() + of_limits.iter().map(|one| one.abs()).sum::<f64>(),
            second: Vec::with_capacity(open.len()),
        };
        let mut choices = Choices::default();
        for at in 0..open.len() {
            if !choices.fill_all(program, open.segment[at], open.rows(at), prices, SETS) {
                return None;
            }
            best.add(&choices);
        }
        best.hair *= 1e-12;
        Some(best)
    }

    fn add(&mut self, choices: &Choices) {
        let set = choices.best();
        self.bound += choices.reduced[set];
        self.hair += choices.reduced[set].abs();
        self.value += choices.value[set];
        for &(resource, amount) in choices.taken(set) {
            self.left[resource as usize] -= amount;
        }
        let second = (0..choices.len()).filter(|&one| one != set).map(|one| choices.reduced[one]).fold(f64::NEG_INFINITY, f64::max);
        self.second.push(choices.reduced[set] - second);
        self.places.push(choices.places(set).to_vec());
    }

    /// (customer, its sets that lose no more than `room` by rising loss) of those who have more than one;
    /// `None` where there are too many.
    fn others(&self, problem: Problem<'_>, room: f64) -> Option<Vec<(usize, Vec<Other>)>> {
        let mut all = Vec::new();
        let (mut choices, mut amounts) = (Choices::default(), 0);
        for at in (0..self.second.len()).filter(|&at| self.second[at] <= room) {
            choices.fill_all(problem.program, problem.open.segment[at], problem.open.rows(at), problem.prices, SETS);
            let best = choices.best();
            let mut of_best = vec![0; self.left.len()];
            choices.taken(best).iter().for_each(|&(resource, amount)| of_best[resource as usize] = amount);
            let other = |one: usize| {
                let mut taken: Vec<i64> = of_best.iter().map(|amount| -amount).collect();
                choices.taken(one).iter().for_each(|&(resource, amount)| taken[resource as usize] += amount);
                Other {
                    loss: choices.reduced[best] - choices.reduced[one],
                    value: choices.value[one] - choices.value[best],
                    taken,
                    places: choices.places(one).to_vec(),
                }
            };
            let mut others: Vec<Other> = (0..choices.len()).map(other).filter(|other| other.loss <= room).collect();
            others.sort_by(|one, two| one.loss.total_cmp(&two.loss).then(one.places.cmp(&two.places)));
            amounts += others.len() * self.left.len();
            if amounts > AMOUNTS || all.len() >= CUSTOMERS {
                return None;
            }
            all.push((at, others));
        }
        Some(all)
    }

    /// What sets may lose in a plan worth more than this.
    fn room(&self, value: Option<i64>) -> f64 {
        value.map_or(f64::INFINITY, |value| self.bound - value as f64 - 1.0 + self.hair)
    }

    /// Those who move most first.
    fn customers(&self, others: Vec<(usize, Vec<Other>)>) -> Vec<Customer> {
        let customer = |(at, others): (usize, Vec<Other>)| {
            let end = |more: fn(i64, i64) -> i64| {
                let of = |resource: usize| others.iter().map(|other| other.taken[resource]).fold(0, more);
                (0..self.left.len()).map(of).collect()
            };
            Customer { at, is_twin: false, least: end(i64::min), most: end(i64::max), others }
        };
        let mut customers: Vec<Customer> = others.into_iter().map(customer).collect();
        let mut sums = vec![0; self.left.len()];
        for customer in &customers {
            sums.iter_mut().zip(&customer.least).zip(&customer.most).for_each(|((sum, least), most)| *sum += most - least);
        }
        let reach = |customer: &Customer| -> f64 {
            let ends = customer.least.iter().zip(&customer.most);
            ends.zip(&sums).map(|((least, most), sum)| (most - least) as f64 / (*sum).max(1) as f64).sum()
        };
        let twins = |one: &Customer, two: &Customer| {
            let pairs = one.others.iter().zip(&two.others);
            one.others.len().cmp(&two.others.len()).then_with(|| {
                let of = |(one, two): (&Other, &Other)| one.value.cmp(&two.value).then_with(|| one.taken.cmp(&two.taken));
                pairs.map(of).fold(Ordering::Equal, Ordering::then)
            })
        };
        customers.sort_by(|one, two| reach(two).total_cmp(&reach(one)).then_with(|| twins(one, two)).then(one.at.cmp(&two.at)));
        for place in 1..customers.len() {
            customers[place].is_twin = twins(&customers[place - 1], &customers[place]) == Ordering::Equal;
        }
        for place in (1..customers.len()).rev() {
            let (before, after) = customers.split_at_mut(place);
            let (Some(before), Some(after)) = (before.last_mut(), after.first()) else { continue };
            before.least.iter_mut().zip(&after.least).for_each(|(sum, one)| *sum += one);
            before.most.iter_mut().zip(&after.most).for_each(|(sum, one)| *sum += one);
        }
        customers
    }
}

struct Walk<'a> {
    prices: &'a [f64],
    customers: &'a [Customer],
    best: &'a Best,
    /// Of the best plan so far.
    value: Option<i64>,
    found: Option<Vec<usize>>,
    nodes: usize,
}

impl Walk<'_> {
    /// Goes on from a part of the customers, whose sets lose `loss`; the others have their best ones in `value` and `left`.
    fn visit(&mut self, loss: f64, value: i64, left: &mut [i64], chosen: &mut Vec<usize>) {
        self.nodes = self.nodes.saturating_sub(1);
        let Some(customer) = self.customers.get(chosen.len()) else {
            if left.iter().all(|left| *left >= 0) && self.value.is_none_or(|best| value > best) {
                self.value = Some(value);
                self.found = Some(chosen.clone());
            }
            return;
        };
        let mut wasted = 0.0;
        for (resource, left) in left.iter().enumerate() {
            if *left < customer.least[resource] {
                return;
            }
            wasted += self.prices[resource] * (left - customer.most[resource]).max(0) as f64;
        }
        let twin = if customer.is_twin { chosen.last().copied().unwrap_or(0) } else { 0 };
        for (place, other) in customer.others.iter().enumerate().skip(twin) {
            if self.nodes == 0 || loss + wasted + other.loss > self.best.room(self.value) {
                return;
            }
            left.iter_mut().zip(&other.taken).for_each(|(left, taken)| *left -= taken);
            chosen.push(place);
            self.visit(loss + other.loss, value + other.value, left, chosen);
            chosen.pop();
            left.iter_mut().zip(&other.taken).for_each(|(left, taken)| *left += taken);
        }
    }
}
