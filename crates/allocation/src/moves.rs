//! Exchanges of one customer's choice for another: what repair and improvement are made of.

use std::collections::BTreeMap;

use youhui_commerce::Draw;

use crate::candidates::Candidates;
use crate::choices::Choices;
use crate::program::Program;

/// What each candidate customer gets now.
#[derive(Debug, Clone)]
pub(crate) struct Current {
    /// Places among the customer's open rows.
    pub(crate) places: Vec<Vec<u32>>,
}

/// A customer's change to another set.
#[derive(Debug, Clone)]
pub(crate) struct Move {
    /// Place among the candidates.
    pub(crate) at: u32,
    pub(crate) places: Vec<u32>,
    /// Change of the sum of values.
    pub(crate) value: i64,
    /// Change of what is taken, without zeros.
    pub(crate) taken: Vec<(u32, i64)>,
    /// Reduced value that it loses: −value + prices · taken.
    pub(crate) loss: f64,
}

/// Draws each customer's first choice by softmax weights, from the customer's number: where many are
/// undecided, each gets its share. (choices, sum of values, what they take)
pub(crate) fn first_choices(program: &Program, open: &Candidates, prices: &[f64], temperature: f64) -> (Current, i64, Vec<i64>) {
    struct Part {
        places: Vec<Vec<u32>>,
        value: i64,
        taken: Vec<i64>,
    }
    let resources = program.resources.len();
    let parts = open.fold(
        program,
        prices,
        || Part { places: Vec::new(), value: 0, taken: vec![0; resources] },
        |part: &mut Part, at, choices| {
            let set = drawn(choices, temperature, open.customer[at]);
            part.value += choices.value[set];
            for &(resource, amount) in choices.taken(set) {
                part.taken[resource as usize] += amount;
            }
            part.places.push(choices.places(set).to_vec());
        },
    );
    let (mut places, mut value, mut taken) = (Vec::with_capacity(open.len()), 0, vec![0; resources]);
    for part in parts {
        places.extend(part.places);
        value += part.value;
        taken.iter_mut().zip(&part.taken).for_each(|(sum, one)| *sum += one);
    }
    (Current { places }, value, taken)
}

fn drawn(choices: &Choices, temperature: f64, customer: u32) -> usize {
    let best = choices.best();
    let weight = |set: usize| ((choices.reduced[set] - choices.reduced[best]) / temperature).exp();
    let sum: f64 = (0..choices.len()).map(weight).sum();
    if sum <= 1.0 + 1e-9 {
        return best;
    }
    let mut left = Draw::seeded(u64::from(customer)).uniform() * sum;
    for set in 0..choices.len() {
        left -= weight(set);
        if left < 0.0 {
            return set;
        }
    }
    best
}

/// Which resources get more (true), which less.
pub(crate) type Pattern = Vec<(u32, bool)>;

/// Which moves are collected.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted {
    /// Of one pattern at most.
    pub(crate) each: usize,
    /// That take the same amounts at most.
    pub(crate) alike: usize,
    /// What one may lose at most.
    pub(crate) most: f64,
}

/// The moves that lose least, by pattern, in the order of their loss.
pub(crate) fn collect(
    program: &Program,
    open: &Candidates,
    prices: &[f64],
    current: &Current,
    wanted: Wanted,
) -> BTreeMap<Pattern, Vec<Move>> {
    let parts = open.fold(program, prices, BTreeMap::<Pattern, Vec<Move>>::new, |kept, at, choices| {
        let now = (0..choices.len()).find(|&set| choices.places(set) == current.places[at]);
        // A set that is no neighbour of the best is rebuilt from nothing: it has moves to all of these.
        let from = now.map_or_else(|| Held::of(program, open, at, &current.places[at], prices), |set| Held::set(choices, set));
        for set in (0..choices.len()).filter(|&set| Some(set) != now) {
            let loss = from.reduced - choices.reduced[set];
            if loss > wanted.most {
                continue;
            }
            let taken = difference(choices.taken(set), &from.taken);
            let pattern: Pattern = taken.iter().map(|&(resource, amount)| (resource, amount > 0)).collect();
            let moves = kept.entry(pattern).or_default();
            let places = choices.places(set).to_vec();
            moves.push(Move { at: index(at), places, value: choices.value[set] - from.value, taken, loss });
            if moves.len() >= 4 * wanted.each {
                keep(moves, wanted);
            }
        }
    });
    let mut all: BTreeMap<Pattern, Vec<Move>> = BTreeMap::new();
    for (pattern, moves) in parts.into_iter().flatten() {
        all.entry(pattern).or_default().extend(moves);
    }
    all.values_mut().for_each(|moves| keep(moves, wanted));
    all
}

/// What a customer has now.
struct Held {
    value: i64,
    reduced: f64,
    taken: Vec<(u32, i64)>,
}

impl Held {
    fn set(choices: &Choices, set: usize) -> Self {
        Self { value: choices.value[set], reduced: choices.reduced[set], taken: choices.taken(set).to_vec() }
    }

    fn of(program: &Program, open: &Candidates, at: usize, places: &[u32], prices: &[f64]) -> Self {
        let mut held = Self { value: 0, reduced: 0.0, taken: Vec::new() };
        for &place in places {
            let row = open.rows(at)[place as usize];
            held.value += i64::from(row.value);
            held.taken =
                difference(&held.taken, &program.taken(open.segment[at], row).map(|(one, amount)| (one, -amount)).collect::<Vec<_>>());
        }
        held.reduced = held.value as f64 - held.taken.iter().map(|&(one, amount)| prices[one as usize] * amount as f64).sum::<f64>();
        held
    }
}

/// The moves that lose least, of those that take the same only a few.
fn keep(moves: &mut Vec<Move>, wanted: Wanted) {
    moves.sort_by(|one, two| one.taken.cmp(&two.taken).then_with(|| by_loss(one, two)));
    let mut alike = 0;
    let mut last: Option<Vec<(u32, i64)>> = None;
    moves.retain(|one| {
        alike = if last.as_ref() == Some(&one.taken) { alike + 1 } else { 0 };
        last = Some(one.taken.clone());
        alike < wanted.alike
    });
    moves.sort_by(by_loss);
    moves.truncate(wanted.each);
}

fn by_loss(one: &Move, two: &Move) -> std::cmp::Ordering {
    one.loss.total_cmp(&two.loss).then(one.at.cmp(&two.at)).then_with(|| one.places.cmp(&two.places))
}

/// to − from, without zeros, by resource.
fn difference(to: &[(u32, i64)], from: &[(u32, i64)]) -> Vec<(u32, i64)> {
    let mut sum: Vec<(u32, i64)> = to.to_vec();
    for &(resource, amount) in from {
        match sum.iter_mut().find(|(other, _)| *other == resource) {
            Some((_, one)) => *one -= amount,
            None => sum.push((resource, -amount)),
        }
    }
    sum.retain(|(_, amount)| *amount != 0);
    sum.sort_unstable();
    sum
}

fn index(place: usize) -> u32 {
    u32::try_from(place).unwrap_or(u32::MAX)
}
