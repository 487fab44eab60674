//! One pass over all customers that adds up the steps of their upper hulls by value per cost.
//!
//! A customer's offers that are best at some price of money are found from the cheapest on: the next one
//! is always that with the most value per cost from where one stands (the gift-wrapping of Jarvis 1973, as
//! "incremental efficiency" in Sinha and Zoltners 1979). Customers are independent and hulls short: 64
//! customers at a time, in lanes. Sums are whole; only the order of steps is rounded, to 1/1,024 of an octave.

use std::sync::atomic::{AtomicUsize, Ordering};

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use crate::offers::View;
use crate::screen::arch;
use crate::solve::Source;

/// Customers that are looked at together.
const LANES: usize = 64;
/// Value and cost of giving nothing.
const NOTHING: [i32; LANES] = [0; LANES];
/// Bits of a 32-bit rate that a bin doesn't tell apart: there are 1,024 bins an octave.
const DROPPED: u32 = 13;
/// The bin of 2⁻³², below which no rate of whole 32-bit numbers is.
const LOWEST: u32 = (127 - 32) << (23 - DROPPED);
/// Bins up to 2³³.
const BINS: usize = 65 << (23 - DROPPED);

/// Value and cost that belong together, in units.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Sum {
    pub(super) value: i64,
    pub(super) cost: i64,
}

impl Sum {
    pub(super) const fn add(&mut self, value: i64, cost: i64) {
        self.value += value;
        self.cost += cost;
    }
}

/// All steps of all customers.
#[derive(Debug, Clone)]
pub(super) struct Steps {
    /// Every customer's cheapest choice.
    pub(super) start: Sum,
    /// Of steps by falling value per cost, those without any left out.
    pub(super) bins: Vec<Sum>,
    /// Cheapest choices and the steps that bring at least `worth`.
    pub(super) worthy: Sum,
}

/// Adds up the steps of every customer; `worth` is a value per cost in units.
///
/// # Errors
/// What kept a block from being read.
pub(super) fn steps<S: Source>(source: &S, worth: f64) -> Result<Steps, S::Error> {
    // A tally is a megabyte: one a thread, whichever blocks it gets. Sums are whole, so their order never shows.
    let next = AtomicUsize::new(0);
    let of_thread = |_| {
        let mut tally = Tally::new();
        loop {
            let block = next.fetch_add(1, Ordering::Relaxed);
            if block >= source.blocks() {
                return Ok(tally);
            }
            source.read(block, |view| tally.add(view, worth))?;
        }
    };
    let threads = rayon::current_num_threads().min(source.blocks()).max(1);
    let tallies: Result<Vec<Tally>, S::Error> = (0..threads).into_par_iter().with_max_len(1).map(of_thread).collect();
    let tally = tallies?.into_iter().reduce(|one, two| one.merge(&two)).unwrap_or_else(Tally::new);
    let bins = tally.bins.into_iter().rev().filter(|bin| bin.cost > 0).collect();
    Ok(Steps { start: tally.start, bins, worthy: tally.worthy })
}

struct Tally {
    start: Sum,
    bins: Vec<Sum>,
    worthy: Sum,
}

impl Tally {
    fn new() -> Self {
        Self { start: Sum::default(), bins: vec![Sum::default(); BINS], worthy: Sum::default() }
    }

    fn merge(mut self, other: &Self) -> Self {
        self.start.add(other.start.value, other.start.cost);
        self.worthy.add(other.worthy.value, other.worthy.cost);
        self.bins.iter_mut().zip(&other.bins).for_each(|(sum, one)| sum.add(one.value, one.cost));
        self
    }

    fn add(&mut self, view: View<'_>, worth: f64) {
        let mut block = Block::default();
        for base in (0..view.customers()).step_by(LANES) {
            block.fill(view, base);
            #[allow(clippy::cast_possible_truncation, reason = "rates are compared in 32 bits")]
            arch().dispatch(Walk { block: &block, tally: self, worth: worth as f32 });
        }
    }
}

/// Offers of some customers by place: what is missing costs most and is worth least.
#[derive(Default)]
struct Block {
    value: Vec<[i32; LANES]>,
    cost: Vec<[i32; LANES]>,
    places: usize,
}

impl Block {
    fn fill(&mut self, view: View<'_>, base: usize) {
        let lanes = base..(base + LANES).min(view.customers());
        self.places = lanes.clone().map(|customer| view.count(customer)).max().unwrap_or(0);
        if self.value.len() < self.places {
            self.value.resize(self.places, [0; LANES]);
            self.cost.resize(self.places, [0; LANES]);
        }
        for place in 0..self.places {
            let (value, cost) = (&mut self.value[place], &mut self.cost[place]);
            if let Some((values, costs)) = view.column(place, lanes.clone()) {
                value[..values.len()].copy_from_slice(values);
                cost[..costs.len()].copy_from_slice(costs);
                value[values.len()..].fill(i32::MIN);
                cost[costs.len()..].fill(i32::MAX);
                continue;
            }
            value.fill(i32::MIN);
            cost.fill(i32::MAX);
            for (lane, customer) in lanes.clone().enumerate().filter(|(_, customer)| place < view.count(*customer)) {
                let row = view.row(customer, place);
                (value[lane], cost[lane]) = (row.value, row.cost);
            }
        }
    }
}

/// The loop that is compiled for the widest instructions.
struct Walk<'a> {
    block: &'a Block,
    tally: &'a mut Tally,
    worth: f32,
}

impl WithSimd for Walk<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Self { block, tally, worth } = self;
        let (mut value, mut cost) = ([0_i32; LANES], [0_i32; LANES]);
        for (values, costs) in block.value.iter().zip(&block.cost).take(block.places) {
            for lane in 0..LANES {
                let (v, c) = (values[lane], costs[lane]);
                let is_better = (c < cost[lane]) | ((c == cost[lane]) & (v > value[lane]));
                value[lane] = if is_better { v } else { value[lane] };
                cost[lane] = if is_better { c } else { cost[lane] };
            }
        }
        for lane in 0..LANES {
            tally.start.add(i64::from(value[lane]), i64::from(cost[lane]));
            tally.worthy.add(i64::from(value[lane]), i64::from(cost[lane]));
        }
        let mut last = [f32::INFINITY; LANES];
        loop {
            let (mut best, mut to_value, mut to_cost) = ([0.0_f32; LANES], value, cost);
            let offers = block.value.iter().zip(&block.cost).take(block.places);
            for (values, costs) in offers.chain([(&NOTHING, &NOTHING)]) {
                for lane in 0..LANES {
                    let (v, c) = (values[lane], costs[lane]);
                    // What costs more or is worth less is shut out by the sign of its rate.
                    let (more, dearer) = (v.wrapping_sub(value[lane]), c.wrapping_sub(cost[lane]));
                    #[allow(clippy::cast_precision_loss, reason = "rates are rounded; sums are not")]
                    let rate = more as f32 / dearer as f32;
                    let is_better = (v > value[lane]) & (c > cost[lane]) & (rate > best[lane]);
                    best[lane] = if is_better { rate } else { best[lane] };
                    to_value[lane] = if is_better { v } else { to_value[lane] };
                    to_cost[lane] = if is_better { c } else { to_cost[lane] };
                }
            }
            let mut moved = false;
            for lane in 0..LANES {
                if best[lane] <= 0.0 {
                    continue;
                }
                moved = true;
                let rate = best[lane].min(last[lane]);
                let (v, c) = (i64::from(to_value[lane]) - i64::from(value[lane]), i64::from(to_cost[lane]) - i64::from(cost[lane]));
                tally.bins[((rate.to_bits() >> DROPPED) - LOWEST) as usize].add(v, c);
                if rate >= worth {
                    tally.worthy.add(v, c);
                }
                last[lane] = rate;
            }
            if !moved {
                return;
            }
            (value, cost) = (to_value, to_cost);
        }
    }
}
