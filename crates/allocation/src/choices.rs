//! What one customer may get at given prices: sets of offers and their reduced values.

use crate::offers::Row;
use crate::program::Program;

/// Nodes that the search for a customer's best set may visit.
const NODES: usize = 20_000;

/// Sets of offers that one customer may get; the empty set is among them. Refilled for each customer.
#[derive(Debug, Default)]
pub(crate) struct Choices {
    /// Value less what its resources cost, a set each.
    pub(crate) reduced: Vec<f64>,
    /// Sum of values, a set each.
    pub(crate) value: Vec<i64>,
    /// No set is worth more than this, reduced.
    pub(crate) upper: f64,
    taken: Vec<(u32, i64)>,
    taken_end: Vec<usize>,
    places: Vec<u32>,
    places_end: Vec<usize>,
    search: Search,
}

impl Choices {
    /// Number of sets.
    pub(crate) fn len(&self) -> usize {
        self.reduced.len()
    }

    /// What a set takes: (resource, amount), each resource once.
    pub(crate) fn taken(&self, set: usize) -> &[(u32, i64)] {
        &self.taken[start(&self.taken_end, set)..self.taken_end[set]]
    }

    /// Places of a set's offers among the customer's rows.
    pub(crate) fn places(&self, set: usize) -> &[u32] {
        &self.places[start(&self.places_end, set)..self.places_end[set]]
    }

    /// The set worth most, the first of equals.
    pub(crate) fn best(&self) -> usize {
        (1..self.len()).fold(0, |best, set| if self.reduced[set] > self.reduced[best] { set } else { best })
    }

    /// The sets of a customer at these prices: every offer by itself where one promotion each is
    /// given, else the best set and those that differ from it by one offer.
    pub(crate) fn fill(&mut self, program: &Program, segment: u32, rows: &[Row], prices: &[f64]) {
        self.clear();
        self.push(program, segment, rows, &[], prices);
        if program.is_one_each() {
            for place in 0..rows.len() {
                self.push(program, segment, rows, &[index(place)], prices);
            }
            self.upper = self.reduced[self.best()];
            return;
        }
        let mut search = std::mem::take(&mut self.search);
        search.run(program, segment, rows, prices);
        let best = search.best.clone();
        self.upper = search.upper;
        self.push_neighbours(program, segment, rows, &best, prices);
        self.search = search;
    }

    /// Every set that the customer may get; whether there are no more of them than `most`.
    pub(crate) fn fill_all(&mut self, program: &Program, segment: u32, rows: &[Row], prices: &[f64], most: usize) -> bool {
        self.clear();
        let mut sets: Vec<Vec<u32>> = vec![Vec::new()];
        // A set is made longer at its end only; what a part of it may not have, it may not have either.
        let mut next = 0;
        while next < sets.len() && sets.len() <= most {
            let set = sets[next].clone();
            next += 1;
            let from = set.last().map_or(0, |last| last + 1);
            for place in from..index(rows.len()) {
                let mut more = set.clone();
                more.push(place);
                if is_allowed(program, rows, &more) {
                    sets.push(more);
                }
            }
        }
        for set in sets.iter().take(most) {
            self.push(program, segment, rows, set, prices);
        }
        self.upper = self.reduced[self.best()];
        sets.len() <= most
    }

    fn clear(&mut self) {
        self.reduced.clear();
        self.value.clear();
        self.taken.clear();
        self.taken_end.clear();
        self.places.clear();
        self.places_end.clear();
    }

    fn push(&mut self, program: &Program, segment: u32, rows: &[Row], places: &[u32], prices: &[f64]) {
        let from = self.taken.len();
        let (mut value, mut cost) = (0, 0.0);
        for &place in places {
            let row = rows[place as usize];
            value += i64::from(row.value);
            for (resource, amount) in program.taken(segment, row) {
                cost += prices[resource as usize] * amount as f64;
                match self.taken[from..].iter_mut().find(|(other, _)| *other == resource) {
                    Some((_, sum)) => *sum += amount,
                    None => self.taken.push((resource, amount)),
                }
            }
        }
        self.reduced.push(if program.is_blind { -cost } else { value as f64 - cost });
        self.value.push(value);
        self.taken_end.push(self.taken.len());
        self.places.extend_from_slice(places);
        self.places_end.push(self.places.len());
    }

    /// The best set, and those with one offer left out, put in or exchanged.
    fn push_neighbours(&mut self, program: &Program, segment: u32, rows: &[Row], best: &[u32], prices: &[f64]) {
        if !best.is_empty() {
            self.push(program, segment, rows, best, prices);
        }
        for left_out in 0..best.len() {
            let rest: Vec<u32> = best.iter().enumerate().filter(|(place, _)| *place != left_out).map(|(_, &one)| one).collect();
            if !rest.is_empty() {
                self.push(program, segment, rows, &rest, prices);
            }
            self.push_with_one_more(program, segment, rows, &rest, best, prices);
        }
        self.push_with_one_more(program, segment, rows, best, best, prices);
    }

    fn push_with_one_more(&mut self, program: &Program, segment: u32, rows: &[Row], set: &[u32], but: &[u32], prices: &[f64]) {
        for place in (0..rows.len()).map(index).filter(|place| !but.contains(place)) {
            let mut more = set.to_vec();
            more.push(place);
            more.sort_unstable();
            // A single offer stands among the sets already where the best set is one offer.
            if is_allowed(program, rows, &more) {
                self.push(program, segment, rows, &more, prices);
            }
        }
    }
}

fn start(ends: &[usize], set: usize) -> usize {
    if set == 0 { 0 } else { ends[set - 1] }
}

/// Whether one customer may get all of these.
fn is_allowed(program: &Program, rows: &[Row], places: &[u32]) -> bool {
    let within = |(members, most): &(Vec<u32>, usize)| {
        places.iter().filter(|&&place| members.binary_search(&rows[place as usize].promotion).is_ok()).count() <= *most
    };
    places.len() <= program.per_customer && program.groups.iter().all(within)
}

/// Branch and bound over a customer's offers, by falling reduced value.
#[derive(Debug, Default)]
struct Search {
    order: Vec<(f64, u32)>,
    chosen: Vec<u32>,
    best: Vec<u32>,
    best_value: f64,
    upper: f64,
    nodes: usize,
}

impl Search {
    fn run(&mut self, program: &Program, segment: u32, rows: &[Row], prices: &[f64]) {
        self.order.clear();
        for (place, row) in rows.iter().enumerate() {
            let cost: f64 = program.taken(segment, *row).map(|(resource, amount)| prices[resource as usize] * amount as f64).sum();
            let reduced = if program.is_blind { -cost } else { f64::from(row.value) - cost };
            if reduced > 0.0 {
                self.order.push((reduced, index(place)));
            }
        }
        self.order.sort_by(|one, two| two.0.total_cmp(&one.0).then(one.1.cmp(&two.1)));
        self.chosen.clear();
        self.best.clear();
        (self.best_value, self.nodes) = (0.0, 0);
        self.branch(program, rows, 0, 0.0);
        // Where the search was cut short, the sum without groups bounds it.
        self.upper = if self.nodes < NODES { self.best_value } else { self.rest(0, program.per_customer) };
        self.best.sort_unstable();
    }

    /// What the next `most` offers are worth, groups left aside.
    fn rest(&self, from: usize, most: usize) -> f64 {
        self.order[from.min(self.order.len())..].iter().take(most).map(|(reduced, _)| reduced).sum()
    }

    fn branch(&mut self, program: &Program, rows: &[Row], from: usize, value: f64) {
        self.nodes += 1;
        if value > self.best_value {
            self.best_value = value;
            self.best.clone_from(&self.chosen);
        }
        let room = program.per_customer - self.chosen.len();
        if room == 0 || self.nodes >= NODES {
            return;
        }
        for next in from..self.order.len() {
            if value + self.rest(next, room) <= self.best_value {
                return;
            }
            let (reduced, place) = self.order[next];
            self.chosen.push(place);
            if is_allowed(program, rows, &self.chosen) {
                self.branch(program, rows, next + 1, value + reduced);
            }
            self.chosen.pop();
        }
    }
}

fn index(place: usize) -> u32 {
    u32::try_from(place).unwrap_or(u32::MAX)
}
