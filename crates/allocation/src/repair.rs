//! From prices to a plan in whole customers that meets every limit.
//!
//! At the best prices each customer's best set all but meets the limits; what is missing, or left over,
//! is made up by exchanging single customers' sets, those first that lose least. A plan's value is
//! below the bound by exactly what its exchanges lose and what its left-over limits would be worth:
//! a beam search over exchanges makes that small (a core problem: Pisinger 1995).

use std::cmp::Ordering;
use std::collections::{BTreeSet, BinaryHeap};

use crate::candidates::{Candidates, Settled};
use crate::moves::{Current, Move, collect, first_choices};
use crate::program::Program;

/// How hard the beam search tries: states kept, exchanges in a row, exchanges of a pattern, rounds,
/// and the gap below which the next level isn't tried.
const EFFORTS: [(usize, usize, usize, usize, f64); 4] =
    [(8, 3, 24, 4, 2e-8), (24, 4, 48, 6, 2e-7), (96, 6, 64, 8, 2e-6), (256, 8, 96, 10, 0.0)];
/// Candidates up to which every exchange is looked at.
const FEW: usize = 2000;
/// Exchanges that the plan may be made feasible with.
const EXCHANGES: usize = 2_000_000;

/// A plan for the candidates.
#[derive(Debug)]
pub(crate) struct Repaired {
    pub(crate) current: Current,
    /// Of everything, settled customers among it.
    pub(crate) value: i64,
    pub(crate) taken: Vec<i64>,
    pub(crate) is_feasible: bool,
}

/// What doesn't change while a plan is repaired.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Task<'a> {
    pub(crate) program: &'a Program,
    pub(crate) open: &'a Candidates,
    pub(crate) settled: &'a Settled,
    pub(crate) prices: &'a [f64],
    pub(crate) temperature: f64,
    /// No plan is worth more.
    pub(crate) bound: f64,
}

/// The plan as it stands.
struct Plan {
    current: Current,
    value: i64,
    /// What is left of each limit; negative where it is broken.
    left: Vec<i64>,
}

impl Task<'_> {
    /// Makes the candidates' plan; `start` are first choices, if there are any.
    pub(crate) fn run(&self, start: Option<Current>) -> Repaired {
        let (mut plan, weights) = self.start(start);
        let mut harshness = 3.0;
        let mut each = 64;
        let mut reach = self.reach();
        for _ in 0..24 {
            self.make_feasible(&mut plan, &weights, harshness, each, reach);
            if plan.is_feasible() {
                break;
            }
            (harshness, each, reach) = (harshness * 4.0, each * 2, reach * 8.0);
        }
        for (states, depth, each, rounds, enough) in EFFORTS {
            let reach = if plan.is_feasible() { self.reach() } else { f64::INFINITY };
            for _ in 0..rounds {
                if !self.improve(&mut plan, &weights, Beam { states, depth, harshness: 2.0 }, each, reach) {
                    break;
                }
            }
            if plan.is_feasible() && self.bound - plan.value as f64 <= enough * self.bound.abs() {
                break;
            }
        }
        let limits = self.program.limits();
        let taken = limits.iter().zip(&plan.left).map(|(limit, left)| limit - left).collect();
        Repaired { is_feasible: plan.is_feasible(), value: plan.value, taken, current: plan.current }
    }

    /// Loss up to which exchanges are looked at.
    fn reach(&self) -> f64 {
        if self.open.len() <= FEW { f64::INFINITY } else { 60.0 * self.temperature }
    }

    /// The plan to start from, and what a unit of each resource weighs where it is missing.
    fn start(&self, start: Option<Current>) -> (Plan, Vec<f64>) {
        let resources = self.program.resources.len();
        let (current, value, taken) = match start {
            Some(current) => self.recount(current),
            None => first_choices(self.program, self.open, self.prices, self.temperature),
        };
        let mut plan = Plan { current, value: value + self.settled.value, left: self.program.limits() };
        for ((left, taken), settled) in plan.left.iter_mut().zip(&taken).zip(&self.settled.taken) {
            *left -= taken + settled;
        }
        // A resource without a price weighs little, but not nothing: the mean value over the mean amount.
        let mut amounts = vec![(0.0, 0_u32); resources];
        let mut values = (0.0, 0_u32);
        for at in (0..self.open.len()).step_by(self.open.len().div_ceil(1000).max(1)) {
            for row in self.open.rows(at) {
                values = (values.0 + f64::from(row.value).abs(), values.1 + 1);
                for (resource, amount) in self.program.taken(self.open.segment[at], *row) {
                    let sum = &mut amounts[resource as usize];
                    *sum = (sum.0 + (amount as f64).abs(), sum.1 + 1);
                }
            }
        }
        let mean = |(sum, count): (f64, u32)| if count > 0 { sum / f64::from(count) } else { 0.0 };
        let value = mean(values).max(1.0);
        let weights = self.prices.iter().zip(&amounts).map(|(price, amount)| price.max(0.02 * value / mean(*amount).max(1.0))).collect();
        (plan, weights)
    }

    fn recount(&self, current: Current) -> (Current, i64, Vec<i64>) {
        let (mut value, mut taken) = (0, vec![0; self.program.resources.len()]);
        for (at, places) in current.places.iter().enumerate() {
            for &place in places {
                let row = self.open.rows(at)[place as usize];
                value += i64::from(row.value);
                for (resource, amount) in self.program.taken(self.open.segment[at], row) {
                    taken[resource as usize] += amount;
                }
            }
        }
        (current, value, taken)
    }

    /// Exchanges one after the other, the one that helps most first, until no limit is broken or none
    /// helps.
    fn make_feasible(&self, plan: &mut Plan, weights: &[f64], harshness: f64, each: usize, reach: f64) {
        let mut done = 0;
        while !plan.is_feasible() && done < EXCHANGES {
            let moves = collect(self.program, self.open, self.prices, &plan.current, each, reach);
            let mut used = BTreeSet::new();
            let before = done;
            while !plan.is_feasible() {
                let scored = moves.iter().enumerate().filter(|(_, one)| !used.contains(&one.at));
                let scored = scored.map(|(place, one)| (one.loss + self.change(&plan.left, weights, harshness, one), place));
                let Some((score, place)) = scored.min_by(|one, two| one.0.total_cmp(&two.0)) else { break };
                if score >= 0.0 {
                    break;
                }
                plan.apply(&moves[place]);
                used.insert(moves[place].at);
                done += 1;
            }
            if done == before {
                return;
            }
        }
    }

    /// How much better or worse what is left of limits gets by a move.
    fn change(&self, left: &[i64], weights: &[f64], harshness: f64, one: &Move) -> f64 {
        let of = |resource: usize, left: i64| {
            let left = left as f64;
            if left < 0.0 { -harshness * weights[resource] * left } else { self.prices[resource] * left }
        };
        one.taken
            .iter()
            .map(|&(resource, amount)| {
                let resource = resource as usize;
                of(resource, left[resource] - amount) - of(resource, left[resource])
            })
            .sum()
    }

    /// One beam search; applies what it found. Whether the plan got better.
    fn improve(&self, plan: &mut Plan, weights: &[f64], beam: Beam, each: usize, reach: f64) -> bool {
        let moves = collect(self.program, self.open, self.prices, &plan.current, each, reach);
        let found = beam.search(self, plan, &moves, weights);
        for &place in &found {
            plan.apply(&moves[place as usize]);
        }
        !found.is_empty()
    }
}

impl Plan {
    fn is_feasible(&self) -> bool {
        self.left.iter().all(|&left| left >= 0)
    }

    fn apply(&mut self, one: &Move) {
        self.value += one.value;
        for &(resource, amount) in &one.taken {
            self.left[resource as usize] -= amount;
        }
        self.current.places[one.at as usize].clone_from(&one.places);
    }
}

/// The best few sequences of exchanges, made longer step by step.
#[derive(Debug, Clone, Copy)]
struct Beam {
    states: usize,
    depth: usize,
    harshness: f64,
}

/// A sequence of exchanges.
#[derive(Debug, Clone)]
struct State {
    left: Vec<i64>,
    value: i64,
    score: f64,
    path: Vec<u32>,
}

/// A step that is under consideration, ordered by its score, the worst first.
#[derive(Debug, PartialEq)]
struct Step {
    score: f64,
    state: usize,
    place: usize,
}

impl Eq for Step {}

impl Ord for Step {
    fn cmp(&self, other: &Self) -> Ordering {
        self.score.total_cmp(&other.score).then(self.state.cmp(&other.state)).then(self.place.cmp(&other.place))
    }
}

impl PartialOrd for Step {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Beam {
    /// Places of the moves of the best sequence; none where the plan as it stands is best.
    fn search(&self, task: &Task<'_>, plan: &Plan, moves: &[Move], weights: &[f64]) -> Vec<u32> {
        let broken = |left: &[i64]| -> f64 { left.iter().zip(weights).map(|(&left, weight)| -(left.min(0) as f64) * weight).sum() };
        let start = State { left: plan.left.clone(), value: plan.value, score: 0.0, path: Vec::new() };
        let mut best = (broken(&start.left), start.value, Vec::new());
        let mut states = vec![start];
        for _ in 0..self.depth {
            let mut heap: BinaryHeap<Step> = BinaryHeap::new();
            for (number, state) in states.iter().enumerate() {
                for (place, one) in moves.iter().enumerate() {
                    // Moves come by their loss, and limits can't gain more than all that is left over.
                    let score = state.score + one.loss + task.change(&state.left, weights, self.harshness, one);
                    if heap.len() == 2 * self.states && heap.peek().is_some_and(|worst| score >= worst.score) {
                        continue;
                    }
                    if state.path.iter().any(|&other| moves[other as usize].at == one.at) {
                        continue;
                    }
                    heap.push(Step { score, state: number, place });
                    if heap.len() > 2 * self.states {
                        heap.pop();
                    }
                }
            }
            let mut seen: BTreeSet<Vec<u32>> = BTreeSet::new();
            let mut next = Vec::new();
            for step in heap.into_sorted_vec() {
                let state = extended(&states[step.state], &moves[step.place], step.place, step.score);
                // The same exchanges in another order are the same plan.
                let mut key = state.path.clone();
                key.sort_unstable();
                if next.len() < self.states && seen.insert(key) {
                    let is = (broken(&state.left), state.value);
                    if is.0 < best.0 || (is.0 <= best.0 && is.1 > best.1) {
                        best = (is.0, is.1, state.path.clone());
                    }
                    next.push(state);
                }
            }
            states = next;
        }
        best.2
    }
}

fn extended(state: &State, one: &Move, place: usize, score: f64) -> State {
    let mut next = state.clone();
    for &(resource, amount) in &one.taken {
        next.left[resource as usize] -= amount;
    }
    next.value += one.value;
    next.score = score;
    next.path.push(u32::try_from(place).unwrap_or(u32::MAX));
    next
}
