//! Customers whose choice is not settled, with the offers that they could still choose.

use rayon::prelude::*;

use crate::choices::Choices;
use crate::offers::{Row, View};
use crate::program::Program;

/// Customers of one piece of parallel work: fixed, so that sums don't depend on threads.
const CHUNK: usize = 2048;

/// Offers still open, by customer.
#[derive(Debug, Clone, Default)]
pub(crate) struct Candidates {
    /// Number of the customer.
    pub(crate) customer: Vec<u32>,
    pub(crate) segment: Vec<u32>,
    end: Vec<u32>,
    /// Place of an offer among all of the customer's.
    place: Vec<u32>,
    rows: Vec<Row>,
}

/// What is settled already: sums of values and costs, offers given, and what is taken of each resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Settled {
    pub(crate) value: i64,
    pub(crate) cost: i64,
    pub(crate) given: i64,
    pub(crate) taken: Vec<i64>,
}

impl Settled {
    pub(crate) fn nothing(resources: usize) -> Self {
        Self { value: 0, cost: 0, given: 0, taken: vec![0; resources] }
    }

    /// Adds offers of these sums.
    pub(crate) fn add(&mut self, value: i64, cost: i64, given: i64, taken: impl IntoIterator<Item = (u32, i64)>) {
        self.value += value;
        self.cost += cost;
        self.given += given;
        for (resource, amount) in taken {
            self.taken[resource as usize] += amount;
        }
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        self.value += other.value;
        self.cost += other.cost;
        self.given += other.given;
        for (sum, amount) in self.taken.iter_mut().zip(&other.taken) {
            *sum += amount;
        }
    }
}

impl Candidates {
    /// Every customer with every offer, numbered from `from` on.
    pub(crate) fn whole(view: View<'_>, from: usize) -> Self {
        let mut all = Self::default();
        for customer in 0..view.customers() {
            all.push(index(from + customer), view.segment_of(customer), (0_u32..).zip(view.rows(customer)));
        }
        all
    }

    pub(crate) fn push(&mut self, customer: u32, segment: u32, rows: impl IntoIterator<Item = (u32, Row)>) {
        self.customer.push(customer);
        self.segment.push(segment);
        for (place, row) in rows {
            self.place.push(place);
            self.rows.push(row);
        }
        self.end.push(index(self.rows.len()));
    }

    pub(crate) fn append(&mut self, other: &Self) {
        let from = index(self.rows.len());
        self.customer.extend_from_slice(&other.customer);
        self.segment.extend_from_slice(&other.segment);
        self.end.extend(other.end.iter().map(|end| from + end));
        self.place.extend_from_slice(&other.place);
        self.rows.extend_from_slice(&other.rows);
    }

    /// Those that stand at these places.
    pub(crate) fn only(&self, at: &[u32]) -> Self {
        let mut some = Self::default();
        for &at in at {
            let at = at as usize;
            some.push(self.customer[at], self.segment[at], self.places(at).iter().copied().zip(self.rows(at).iter().copied()));
        }
        some
    }

    pub(crate) fn len(&self) -> usize {
        self.customer.len()
    }

    fn range(&self, at: usize) -> std::ops::Range<usize> {
        let from = if at == 0 { 0 } else { self.end[at - 1] as usize };
        from..self.end[at] as usize
    }

    /// The open offers of the customer that stands at `at`.
    pub(crate) fn rows(&self, at: usize) -> &[Row] {
        &self.rows[self.range(at)]
    }

    /// Their places among all of the customer's offers.
    pub(crate) fn places(&self, at: usize) -> &[u32] {
        &self.place[self.range(at)]
    }

    /// Folds over all customers and their sets, in chunks whose number doesn't depend on threads;
    /// the chunks' results in order.
    pub(crate) fn fold<T: Send>(
        &self,
        program: &Program,
        prices: &[f64],
        new: impl Fn() -> T + Sync,
        each: impl Fn(&mut T, usize, &Choices) + Sync,
    ) -> Vec<T> {
        let chunk = |number: usize| {
            let (mut sum, mut choices) = (new(), Choices::default());
            for at in number * CHUNK..((number + 1) * CHUNK).min(self.len()) {
                choices.fill(program, self.segment[at], self.rows(at), prices);
                each(&mut sum, at, &choices);
            }
            sum
        };
        (0..self.len().div_ceil(CHUNK)).into_par_iter().map(chunk).collect()
    }
}

fn index(place: usize) -> u32 {
    u32::try_from(place).unwrap_or(u32::MAX)
}
