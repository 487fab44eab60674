//! From prices to a plan in whole customers that meets every limit.
//!
//! At the best prices each customer's best set all but meets the limits; what is missing, or left over,
//! is made up by exchanging single customers' sets, those first that lose least. A plan's value is
//! below the bound by exactly what its exchanges lose and what its left-over limits would be worth:
//! a beam search over exchanges makes that small (a core problem: Pisinger 1995).

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::ops::Range;

use rayon::prelude::*;

use crate::candidates::{Candidates, Settled};
use crate::exact::{Limit, best_subset};
use crate::moves::{Current, Move, Pattern, Wanted, collect, first_choices};
use crate::program::Program;
use crate::search::{Problem, search};
use crate::solve::scale_of;

/// How hard is tried to bring a plan near its bound.
#[derive(Debug, Clone, Copy)]
struct Effort {
    /// Moves of a pattern that are looked at, alone and in pairs.
    each: usize,
    /// Exchanges that are kept of a pattern, or of a pair of them.
    kept: usize,
    /// Plans that the beam keeps.
    states: usize,
    /// Exchanges in a row.
    depth: usize,
    /// Searches one after the other.
    rounds: usize,
    /// Cells of the exact step, on either side.
    cells: usize,
    /// Whether moves are paired of which one undoes a part of the other.
    partly: bool,
}

/// From little effort to much.
const EFFORTS: [Effort; 4] = [
    Effort { each: 32, kept: 6, states: 6, depth: 5, rounds: 4, cells: 1024, partly: false },
    Effort { each: 64, kept: 8, states: 16, depth: 8, rounds: 4, cells: 2048, partly: true },
    Effort { each: 128, kept: 12, states: 48, depth: 12, rounds: 6, cells: 4096, partly: true },
    Effort { each: 192, kept: 24, states: 192, depth: 14, rounds: 10, cells: 4096, partly: true },
];
/// Customers below which a plan is begun in several ways.
const TINY: usize = 1_000;
/// Nodes of the searches for a better plan, one after each round of effort.
const NODES: [usize; 4] = [100_000, 200_000, 400_000, 400_000];
/// Nodes of such a search in a large problem.
const FEW_NODES: usize = 10_000;
/// Customers below which no effort is spared.
const SMALL: usize = 5_000;
/// Moves that take the same amounts of which so many are looked at: more would help no better.
const ALIKE: usize = 2;
/// Of patterns of which one undoes a part of the other, the share of moves that are paired.
const PARTLY: usize = 3;
/// Times as many moves as in pairs that the exact step looks at.
const POOL: usize = 4;
/// Candidates up to which every move is looked at.
const FEW: usize = 1000;
/// Broken limits, in mean offers, above which the plan is mended move by move before it is improved.
const BULK: f64 = 40.0;
/// Moves that the plan may be made feasible with.
const MOVES: usize = 2_000_000;

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
    /// Of the whole problem.
    pub(crate) customers: usize,
}

/// The plan as it stands.
struct Plan {
    current: Current,
    value: i64,
    /// What is left of each limit; negative where it is broken.
    left: Vec<i64>,
}

impl Task<'_> {
    /// Makes the candidates' plan; `start` are first choices, if there are any. A small problem is begun
    /// in several ways, and all plans that could be better are gone through, where they are few enough.
    pub(crate) fn run(&self, start: Option<Current>) -> Repaired {
        if self.customers >= TINY {
            return self.run_from(start, 0..EFFORTS.len());
        }
        let mut best = self.run_from(start, 0..1);
        for (number, nodes) in NODES.into_iter().enumerate() {
            if self.is_whole(&best) || self.search(&mut best, nodes) {
                return best;
            }
            let drawn = |warmth: f64| first_choices(self.program, self.open, self.prices, warmth * scale_of(self.open)).0;
            let starts = match number {
                0 => vec![Current { places: vec![Vec::new(); self.open.len()] }, drawn(1e-2), drawn(1e-1)],
                _ => vec![best.current.clone()],
            };
            for another in starts {
                let other = self.run_from(Some(another), number..number + 1);
                if (other.is_feasible, other.value) > (best.is_feasible, best.value) {
                    best = other;
                }
            }
        }
        best
    }

    /// Looks for a better plan of a small problem; whether nothing better than what is then at hand exists.
    fn search(&self, plan: &mut Repaired, nodes: usize) -> bool {
        let found = search(self.problem(), plan.is_feasible.then_some(plan.value), nodes);
        if let Some(current) = found.current {
            *plan = self.repaired(self.plan(self.recount(current)));
        }
        found.is_proved
    }

    /// The same for a feasible plan of a large problem, where it is worth while only if few sets are left to look at.
    fn proved(&self, plan: &mut Plan) -> bool {
        let found = search(self.problem(), Some(plan.value), FEW_NODES);
        if let Some(current) = found.current {
            *plan = self.plan(self.recount(current));
        }
        found.is_proved
    }

    fn problem(&self) -> Problem<'_> {
        Problem { program: self.program, open: self.open, settled: self.settled, prices: self.prices }
    }

    fn repaired(&self, plan: Plan) -> Repaired {
        let taken = self.program.limits().iter().zip(&plan.left).map(|(limit, left)| limit - left).collect();
        Repaired { is_feasible: plan.is_feasible(), value: plan.value, taken, current: plan.current }
    }

    /// Whether nothing better can exist.
    fn is_whole(&self, plan: &Repaired) -> bool {
        plan.is_feasible && self.bound - (plan.value as f64) < 1.0
    }

    fn run_from(&self, start: Option<Current>, efforts: Range<usize>) -> Repaired {
        let (mut plan, weights, mean) = self.start(start);
        let mut reach = if self.open.len() <= FEW { f64::INFINITY } else { f64::max(self.first_reach(), 1e-4 * scale_of(self.open)) };
        let mut near = self.near(reach);
        // Many customers too many or too few, as where all are alike: one after the other, until few are left.
        if self.distance(&plan.left, &weights) > BULK * mean {
            self.mend(&mut plan, &near, &weights, Bulk { harshness: 3.0, each: 512, reach, enough: 0.25 * BULK * mean, fills: true });
        }
        for (number, effort) in EFFORTS.iter().enumerate().take(efforts.end).skip(efforts.start) {
            if number > 0 && !self.is_good(&plan) && reach.is_finite() {
                reach *= 2.0;
                near = self.near(reach);
            }
            if !self.is_good(&plan) {
                self.step_exactly(&mut plan, &near, &weights, *effort, reach);
            }
            for _ in 0..effort.rounds {
                if self.is_good(&plan) || !self.improve(&mut plan, &near, &weights, *effort, reach) {
                    break;
                }
            }
            let mut harshness = 3.0;
            for tried in 0..24 {
                if plan.is_feasible() || number == 0 {
                    break;
                }
                self.mend(&mut plan, &near, &weights, Bulk { harshness, each: 64 << tried.min(6), reach, enough: 0.0, fills: false });
                (harshness, reach) = (harshness * 4.0, reach * 8.0);
                near = self.near(reach);
            }
            if self.is_good(&plan) || (self.customers >= TINY && plan.is_feasible() && self.proved(&mut plan)) {
                break;
            }
        }
        self.repaired(plan)
    }

    /// How much less than its best a customer's choice may be worth to be looked at first: where there is one
    /// limit only, there are far more such choices than are needed to use it up.
    fn first_reach(&self) -> f64 {
        self.temperature * if self.prices.len() == 1 { 2.0 } else { 10.0 }
    }

    /// Whether more effort isn't worth while: values are whole, so that a bound's fraction says nothing,
    /// and among many customers a few hundredths of one are as good as none.
    fn is_good(&self, plan: &Plan) -> bool {
        let share = match (self.customers, self.prices.len()) {
            (..SMALL, _) => 0.0,
            (_, 1) => 0.005,
            _ => 0.08,
        };
        let missing = (self.bound + 1e-13 * self.bound.abs()).floor() - plan.value as f64;
        plan.is_feasible() && missing <= share / self.customers as f64 * self.bound.abs()
    }

    /// The candidates that have a choice within `reach` of their best.
    fn near(&self, reach: f64) -> Near {
        if reach.is_infinite() {
            return Near { open: self.open.clone(), at: (0..index(self.open.len())).collect() };
        }
        let parts = self.open.fold(self.program, self.prices, Vec::new, |near, at, choices| {
            let best = choices.reduced[choices.best()];
            if choices.reduced.iter().filter(|&&one| best - one <= reach).count() > 1 {
                near.push(index(at));
            }
        });
        let at: Vec<u32> = parts.concat();
        Near { open: self.open.only(&at), at }
    }

    /// The plan to start from, what a unit of each resource weighs where it is missing, and what an offer
    /// is worth on average.
    fn start(&self, start: Option<Current>) -> (Plan, Vec<f64>, f64) {
        let is_drawn = start.is_none();
        let resources = self.program.resources.len();
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
        let weights: Vec<f64> =
            self.prices.iter().zip(&amounts).map(|(price, amount)| price.max(0.02 * value / mean(*amount).max(1.0))).collect();
        let mut plan = match start {
            Some(current) => self.plan(self.recount(current)),
            // Colder than prices were found at: only those who are all but undecided are drawn.
            None => self.plan(first_choices(self.program, self.open, self.prices, 0.05 * self.temperature)),
        };
        if is_drawn && self.distance(&plan.left, &weights) > BULK * value {
            // Where many are alike, only the temperature that prices were found at gives each set its share.
            let warmer = self.plan(first_choices(self.program, self.open, self.prices, self.temperature));
            if self.distance(&warmer.left, &weights) < self.distance(&plan.left, &weights) {
                plan = warmer;
            }
        }
        (plan, weights, value)
    }

    fn plan(&self, (current, value, taken): (Current, i64, Vec<i64>)) -> Plan {
        let mut left = self.program.limits();
        for ((left, taken), settled) in left.iter_mut().zip(&taken).zip(&self.settled.taken) {
            *left -= taken + settled;
        }
        Plan { current, value: value + self.settled.value, left }
    }

    /// What broken limits weigh, and what left-over ones would be worth.
    fn distance(&self, left: &[i64], weights: &[f64]) -> f64 {
        broken(left, weights) + left.iter().zip(self.prices).map(|(&left, price)| left.max(0) as f64 * price).sum::<f64>()
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

    /// Moves one after the other, the one that helps most first, until nothing is missing or none helps.
    fn mend(&self, plan: &mut Plan, near: &Near, weights: &[f64], bulk: Bulk) {
        let missing = |left: &[i64]| if bulk.fills { self.distance(left, weights) } else { broken(left, weights) };
        let mut done = 0;
        while missing(&plan.left) > bulk.enough && done < MOVES {
            let moves: Vec<Move> =
                near.moves(self, plan, Wanted { each: bulk.each, alike: bulk.each, most: bulk.reach }).into_values().flatten().collect();
            let mut used = BTreeSet::new();
            let before = done;
            while missing(&plan.left) > bulk.enough {
                let scored = moves.iter().enumerate().filter(|(_, one)| !used.contains(&one.at));
                let scored = scored.map(|(place, one)| (one.loss + self.change(&plan.left, weights, bulk.harshness, &one.taken), place));
                let Some((score, place)) = scored.min_by(|one, two| one.0.total_cmp(&two.0)) else { break };
                if score >= 0.0 {
                    break;
                }
                plan.apply(near, &moves[place]);
                used.insert(moves[place].at);
                done += 1;
            }
            if done == before {
                return;
            }
        }
    }

    /// How much better or worse what is left of limits gets.
    fn change(&self, left: &[i64], weights: &[f64], harshness: f64, taken: &[(u32, i64)]) -> f64 {
        let of = |resource: usize, left: i64| {
            let left = left as f64;
            if left < 0.0 { -harshness * weights[resource] * left } else { self.prices[resource] * left }
        };
        taken
            .iter()
            .map(|&(resource, amount)| {
                let resource = resource as usize;
                of(resource, left[resource] - amount) - of(resource, left[resource])
            })
            .sum()
    }

    /// The exact step for each limit, with moves that no other priced limit feels.
    fn step_exactly(&self, plan: &mut Plan, near: &Near, weights: &[f64], effort: Effort, reach: f64) {
        let patterns = near.moves(self, plan, Wanted { each: POOL * effort.each, alike: ALIKE, most: reach });
        // All limits at once as if each were alone; again, where what came before it got in its way.
        let before = plan.left.clone();
        let step = |resource: usize, left: &[i64], moved: &BTreeSet<u32>| {
            let moves = self.moves_of(resource, left, &patterns, moved, POOL * effort.each);
            let limit = Limit { resource: index(resource), left: left[resource], price: self.prices[resource], weight: weights[resource] };
            best_subset(&moves, limit, effort.cells).into_iter().map(|place| moves[place]).collect::<Vec<&Move>>()
        };
        let alone: Vec<Vec<&Move>> =
            (0..self.prices.len()).into_par_iter().map(|resource| step(resource, &before, &BTreeSet::new())).collect();
        // A customer moves once.
        let mut moved = BTreeSet::new();
        for (resource, mut chosen) in alone.into_iter().enumerate() {
            if plan.left[resource] != before[resource] || chosen.iter().any(|one| moved.contains(&one.at)) {
                chosen = step(resource, &plan.left, &moved);
            }
            let mut left = plan.left.clone();
            for (resource, amount) in chosen.iter().flat_map(|one| &one.taken) {
                left[*resource as usize] -= amount;
            }
            let value: i64 = chosen.iter().map(|one| one.value).sum();
            let missing = (broken(&left, weights), broken(&plan.left, weights));
            if missing.0 < missing.1 || (missing.0 <= missing.1 && value > 0) {
                for one in &chosen {
                    plan.apply(near, one);
                    moved.insert(one.at);
                }
            }
        }
    }

    /// The moves that a limit feels and no other priced one, of each customer the one that loses least.
    fn moves_of<'a>(
        &self,
        resource: usize,
        left: &[i64],
        patterns: &'a BTreeMap<Pattern, Vec<Move>>,
        moved: &BTreeSet<u32>,
        most: usize,
    ) -> Vec<&'a Move> {
        let is_free = |other: u32| other as usize == resource || (self.prices[other as usize] == 0.0 && left[other as usize] > 0);
        let is_mine = |pattern: &Pattern| {
            pattern.iter().any(|(other, _)| *other as usize == resource) && pattern.iter().all(|(other, _)| is_free(*other))
        };
        let mut moves: Vec<&Move> = patterns.iter().filter(|(pattern, _)| is_mine(pattern)).flat_map(|(_, moves)| moves).collect();
        moves.sort_by(|one, two| one.loss.total_cmp(&two.loss).then(one.at.cmp(&two.at)));
        let mut seen = moved.clone();
        moves.retain(|one| seen.insert(one.at));
        moves.truncate(most);
        moves
    }

    /// One beam search; applies what it found. Whether the plan got better.
    fn improve(&self, plan: &mut Plan, near: &Near, weights: &[f64], effort: Effort, reach: f64) -> bool {
        let patterns = near.moves(self, plan, Wanted { each: effort.each, alike: ALIKE, most: reach });
        let score = |one: &Exchange| one.loss + self.change(&plan.left, weights, HARSHNESS, &one.taken);
        let exchanges = exchanges(&patterns, effort, score);
        let found = Beam { effort, task: self, weights, exchanges: &exchanges }.search(plan);
        for &place in &found {
            for one in &exchanges[place as usize].moves {
                plan.apply(near, one);
            }
        }
        !found.is_empty()
    }
}

/// How a plan is mended move by move.
#[derive(Debug, Clone, Copy)]
struct Bulk {
    harshness: f64,
    each: usize,
    reach: f64,
    /// Broken limits that may stay, in value.
    enough: f64,
    /// Whether left-over limits are used up too.
    fills: bool,
}

/// What broken limits weigh, in value.
fn broken(left: &[i64], weights: &[f64]) -> f64 {
    left.iter().zip(weights).map(|(&left, weight)| -(left.min(0) as f64) * weight).sum()
}

/// How much worse a missing unit is than a left-over one, while plans are improved.
const HARSHNESS: f64 = 2.0;

/// Candidates with a choice to make, and their places among all candidates.
struct Near {
    open: Candidates,
    at: Vec<u32>,
}

impl Near {
    fn moves(&self, task: &Task<'_>, plan: &Plan, wanted: Wanted) -> BTreeMap<Pattern, Vec<Move>> {
        let places = self.at.iter().map(|&at| plan.current.places[at as usize].clone()).collect();
        collect(task.program, &self.open, task.prices, &Current { places }, wanted)
    }
}

/// One move, or two that partly undo one another: what one customer takes more the other takes less.
#[derive(Debug, Clone)]
struct Exchange {
    moves: Vec<Move>,
    value: i64,
    taken: Vec<(u32, i64)>,
    loss: f64,
}

/// Moves alone, and pairs of moves of which one takes what the other gives back: of each kind the `kept` best.
fn exchanges(patterns: &BTreeMap<Pattern, Vec<Move>>, effort: Effort, score: impl Fn(&Exchange) -> f64 + Sync) -> Vec<Exchange> {
    let kinds: Vec<(&Pattern, &Vec<Move>)> = patterns.iter().collect();
    let of_kind = |(number, (pattern, moves)): (usize, &(&Pattern, &Vec<Move>))| {
        let alone =
            moves.iter().map(|one| Exchange { moves: vec![one.clone()], value: one.value, taken: one.taken.clone(), loss: one.loss });
        let mut best = best_of(alone, effort.kept, &score);
        // Each pair of patterns once.
        for (other, others) in &kinds[number..] {
            let share = match (is_undone(pattern, other), pattern.len() == other.len()) {
                (false, _) => continue,
                (true, true) => 1,
                // As where money goes from one segment to another: one of two limits is left as it was.
                (true, false) if effort.partly => PARTLY,
                (true, false) => continue,
            };
            let some = |moves: &'_ Vec<Move>| moves.len().div_ceil(share);
            let pairs = moves[..some(moves)]
                .iter()
                .flat_map(|one| others[..some(others)].iter().filter(move |two| two.at != one.at).map(move |two| pair(one, two)));
            best.append(&mut best_of(pairs, effort.kept, &score));
        }
        best
    };
    kinds.par_iter().enumerate().map(of_kind).collect::<Vec<_>>().concat()
}

/// Whether one of two patterns undoes all that the other does.
fn is_undone(one: &Pattern, two: &Pattern) -> bool {
    let (small, large) = if one.len() <= two.len() { (one, two) } else { (two, one) };
    !small.is_empty() && small.iter().all(|&(resource, more)| large.contains(&(resource, !more)))
}

fn pair(one: &Move, two: &Move) -> Exchange {
    let mut taken = one.taken.clone();
    for &(resource, amount) in &two.taken {
        match taken.iter_mut().find(|(other, _)| *other == resource) {
            Some((_, sum)) => *sum += amount,
            None => taken.push((resource, amount)),
        }
    }
    taken.retain(|(_, amount)| *amount != 0);
    Exchange { moves: vec![one.clone(), two.clone()], value: one.value + two.value, taken, loss: one.loss + two.loss }
}

/// The exchanges of smallest score, in its order.
fn best_of(all: impl Iterator<Item = Exchange>, kept: usize, score: &impl Fn(&Exchange) -> f64) -> Vec<Exchange> {
    let mut best: Vec<(f64, Exchange)> = Vec::with_capacity(kept + 1);
    for one in all {
        let its = score(&one);
        if best.len() < kept || best.last().is_some_and(|(worst, _)| its < *worst) {
            let place = best.partition_point(|(other, _)| *other <= its);
            best.insert(place, (its, one));
            best.truncate(kept);
        }
    }
    best.into_iter().map(|(_, one)| one).collect()
}

impl Plan {
    fn is_feasible(&self) -> bool {
        self.left.iter().all(|&left| left >= 0)
    }

    fn apply(&mut self, near: &Near, one: &Move) {
        self.value += one.value;
        for &(resource, amount) in &one.taken {
            self.left[resource as usize] -= amount;
        }
        self.current.places[near.at[one.at as usize] as usize].clone_from(&one.places);
    }
}

/// The best few sequences of exchanges, made longer step by step.
struct Beam<'a> {
    effort: Effort,
    task: &'a Task<'a>,
    weights: &'a [f64],
    exchanges: &'a [Exchange],
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
#[derive(Debug, Clone, Copy, PartialEq)]
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

impl Beam<'_> {
    /// Places of the exchanges of the best sequence; none where the plan as it stands is best.
    fn search(&self, plan: &Plan) -> Vec<u32> {
        let start = State { left: plan.left.clone(), value: plan.value, score: 0.0, path: Vec::new() };
        let mut best = (broken(&start.left, self.weights), start.value, Vec::new());
        let mut states = vec![start];
        for _ in 0..self.effort.depth {
            let mut seen: BTreeSet<Vec<u32>> = BTreeSet::new();
            let mut next = Vec::new();
            for step in self.steps(&states) {
                let state = self.extended(&states[step.state], &step);
                // The same exchanges in another order are the same plan.
                let mut key = state.path.clone();
                key.sort_unstable();
                if next.len() < self.effort.states && seen.insert(key) {
                    let missing = broken(&state.left, self.weights);
                    if missing < best.0 || (missing <= best.0 && state.value > best.1) {
                        best = (missing, state.value, state.path.clone());
                    }
                    next.push(state);
                }
            }
            states = next;
        }
        best.2
    }

    /// The best next steps of all states, the best first.
    fn steps(&self, states: &[State]) -> Vec<Step> {
        let most = 2 * self.effort.states;
        let of_state = |(number, state): (usize, &State)| {
            let mut heap: BinaryHeap<Step> = BinaryHeap::new();
            for (place, one) in self.exchanges.iter().enumerate() {
                let score = state.score + one.loss + self.task.change(&state.left, self.weights, HARSHNESS, &one.taken);
                if (heap.len() == most && heap.peek().is_some_and(|worst| score >= worst.score)) || self.clashes(state, one) {
                    continue;
                }
                heap.push(Step { score, state: number, place });
                if heap.len() > most {
                    heap.pop();
                }
            }
            heap.into_vec()
        };
        let mut steps = states.par_iter().enumerate().map(of_state).collect::<Vec<_>>().concat();
        steps.sort_unstable();
        steps
    }

    /// Whether a customer of the exchange was moved already.
    fn clashes(&self, state: &State, one: &Exchange) -> bool {
        let moved = |at: u32| state.path.iter().any(|&other| self.exchanges[other as usize].moves.iter().any(|other| other.at == at));
        one.moves.iter().any(|one| moved(one.at))
    }

    fn extended(&self, state: &State, step: &Step) -> State {
        let one = &self.exchanges[step.place];
        let mut next = state.clone();
        for &(resource, amount) in &one.taken {
            next.left[resource as usize] -= amount;
        }
        next.value += one.value;
        next.score = step.score;
        next.path.push(index(step.place));
        next
    }
}

fn index(place: usize) -> u32 {
    u32::try_from(place).unwrap_or(u32::MAX)
}
