//! Lazy greedy choice at one price of money, with the bound that it reaches.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use rayon::prelude::*;

use super::{A_PRIORI, Choice, MenuItem, Worth};

/// Items of which those that stand for themselves may be chosen.
pub(super) struct Greedy<'a> {
    pub(super) items: &'a [MenuItem],
    pub(super) merged: &'a [Option<Vec<usize>>],
    pub(super) customers: usize,
    pub(super) most: usize,
}

/// A menu at a price of money.
#[derive(Debug, Clone)]
pub(super) struct Found {
    pub(super) price: f64,
    chosen: Vec<usize>,
    /// Of the plan that gives each customer the best of it.
    pub(super) value: f64,
    pub(super) cost: f64,
    /// No menu is worth more at this price.
    pub(super) upper_bound: f64,
}

/// What an item would add, as it was last looked at.
struct Gain {
    gain: f64,
    item: usize,
    /// How many were chosen when it was computed.
    chosen: usize,
}

impl Ord for Gain {
    fn cmp(&self, other: &Self) -> Ordering {
        self.gain.total_cmp(&other.gain).then(other.item.cmp(&self.item))
    }
}

impl PartialOrd for Gain {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Gain {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Gain {}

fn net(worth: &Worth, price: f64) -> f64 {
    // A price of nothing, so that what costs beyond measure is not no number.
    if price > 0.0 { worth.value - price * worth.cost } else { worth.value }
}

impl Greedy<'_> {
    /// The menu at a price of money.
    pub(super) fn at(&self, price: f64) -> Found {
        let mut best = vec![0.0; self.customers];
        let first = self.gains(&best, price);
        let standing = first.iter().enumerate().filter(|(item, _)| self.merged[*item].is_some());
        let mut heap: BinaryHeap<Gain> = standing.map(|(item, &gain)| Gain { gain, item, chosen: 0 }).collect();
        let mut chosen = Vec::new();
        while chosen.len() < self.most {
            let Some(top) = heap.pop() else { break };
            if top.chosen < chosen.len() {
                // Gains only fall: what is still on top after another look is the largest.
                heap.push(Gain { gain: self.gain(top.item, &best, price), chosen: chosen.len(), ..top });
                continue;
            }
            if top.gain <= 0.0 {
                break;
            }
            for worth in &self.items[top.item].worth {
                best[worth.customer] = net(worth, price).max(best[worth.customer]);
            }
            chosen.push(top.item);
        }
        let worth: f64 = best.iter().sum();
        let left = self.gains(&best, price);
        let mut upper_bound = (worth + largest(left, self.most)).min(largest(first, self.most));
        // The a-priori bound is for what could be chosen.
        if self.merged.iter().all(Option::is_some) {
            upper_bound = upper_bound.min(worth / A_PRIORI);
        }
        let (value, cost) =
            self.plan(&chosen, price).iter().flatten().fold((0.0, 0.0), |sum, (_, worth)| (sum.0 + worth.value, sum.1 + worth.cost));
        Found { price, chosen, value, cost, upper_bound: upper_bound.max(worth) }
    }

    /// The empty menu.
    pub(super) fn nothing(&self) -> Found {
        Found { price: 0.0, chosen: vec![], value: 0.0, cost: 0.0, upper_bound: 0.0 }
    }

    /// What each item would add to customers who have `best`.
    fn gains(&self, best: &[f64], price: f64) -> Vec<f64> {
        (0..self.items.len()).into_par_iter().map(|item| self.gain(item, best, price)).collect()
    }

    fn gain(&self, item: usize, best: &[f64], price: f64) -> f64 {
        self.items[item].worth.iter().map(|worth| (net(worth, price) - best[worth.customer]).max(0.0)).sum()
    }

    /// (place in the menu, what it is) of the best for each customer; the first chosen at a tie.
    fn plan(&self, chosen: &[usize], price: f64) -> Vec<Option<(usize, Worth)>> {
        let mut plan: Vec<Option<(usize, Worth)>> = vec![None; self.customers];
        for (place, &item) in chosen.iter().enumerate() {
            for worth in &self.items[item].worth {
                let now = plan[worth.customer].map_or(0.0, |(_, now)| net(&now, price));
                if net(worth, price) > now {
                    plan[worth.customer] = Some((place, *worth));
                }
            }
        }
        plan
    }

    /// Each choice with what it adds beyond the others.
    pub(super) fn explained(&self, found: &Found, stands_for: &[Option<Vec<usize>>]) -> Vec<Choice> {
        let plan = self.plan(&found.chosen, found.price);
        // The best of the others for each customer.
        let mut second = vec![0.0_f64; self.customers];
        for (place, &item) in found.chosen.iter().enumerate() {
            for worth in &self.items[item].worth {
                if plan[worth.customer].is_none_or(|(best, _)| best != place) {
                    second[worth.customer] = second[worth.customer].max(net(worth, found.price));
                }
            }
        }
        let mut choices: Vec<Choice> = found
            .chosen
            .iter()
            .map(|&item| Choice {
                candidate: item,
                adds: 0.0,
                customers: 0,
                only: 0,
                stands_for: stands_for[item].clone().unwrap_or_default(),
            })
            .collect();
        for (best, second) in plan.iter().zip(&second) {
            if let Some((place, worth)) = best {
                let choice = &mut choices[*place];
                choice.adds += net(worth, found.price) - second;
                choice.customers += 1;
                choice.only += usize::from(*second <= 0.0);
            }
        }
        choices
    }
}

/// The sum of the `most` largest.
fn largest(mut gains: Vec<f64>, most: usize) -> f64 {
    gains.sort_by(|one, two| two.total_cmp(one));
    gains.iter().take(most).sum()
}
