//! One pass over all customers that settles those whose best offer is the same at every price that
//! is still possible.
//!
//! Prices lie in a box. An offer is worth at best scale·v − price·c − fee at the box's kindest corner
//! and at worst the same at its harshest. A customer is settled where the best offer is, at its worst,
//! worth no less than every other at its best; the rest are kept as candidates, with only the offers
//! that could still win.

use std::sync::OnceLock;

use pulp::{Arch, Simd, WithSimd};

use crate::candidates::{Candidates, Settled};
use crate::offers::{Row, Slice, View};
use crate::program::{Pricing, Program};

/// A customer gets nothing.
pub(crate) const NOTHING: u32 = u32::MAX;
/// A customer whose choice isn't settled yet.
pub(crate) const OPEN: u32 = u32::MAX - 1;
/// Customers that the column kernel looks at together; a sample's runs are whole multiples of it.
const LANES: usize = 64;

/// The prices that are still possible.
#[derive(Debug, Clone)]
pub(crate) struct Prices {
    pub(crate) low: Pricing,
    pub(crate) high: Pricing,
}

impl Prices {
    /// Whether these prices lie inside.
    pub(crate) fn hold(&self, pricing: &Pricing) -> bool {
        let between = |low: &[f64], at: &[f64], high: &[f64]| low.iter().zip(at).zip(high).all(|((low, at), high)| low <= at && at <= high);
        (self.low.scale..=self.high.scale).contains(&pricing.scale)
            && between(&self.low.price, &pricing.price, &self.high.price)
            && between(&self.low.fee, &pricing.fee, &self.high.fee)
    }

    /// What an offer is worth at the kindest and at the harshest prices.
    fn ends(&self, at: usize, row: Row) -> (f64, f64) {
        let (value, cost) = (f64::from(row.value), f64::from(row.cost));
        let (one, two) = (self.low.scale * value, self.high.scale * value);
        let (less, more) = (self.low.price[at] * cost, self.high.price[at] * cost);
        // A return on spend is held in whole units: its price times one unit may be missing.
        let unit = self.high.scale - 1.0;
        (one.max(two) - less.min(more) - self.low.fee[at] + unit, one.min(two) - less.max(more) - self.high.fee[at] - unit)
    }
}

/// What a pass found.
#[derive(Debug, Clone)]
pub(crate) struct Screened {
    pub(crate) settled: Settled,
    pub(crate) open: Candidates,
}

impl Screened {
    pub(crate) fn nothing(program: &Program) -> Self {
        Self { settled: Settled::nothing(program.resources.len()), open: Candidates::default() }
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        self.settled.merge(&other.settled);
        self.open.append(&other.open);
    }
}

/// Looks at the customers of a view, numbered from `from` on; writes the settled ones' places.
pub(crate) fn screen(program: &Program, prices: &Prices, view: View<'_>, from: usize, places: Option<&mut [u32]>) -> Screened {
    match view.layout {
        Slice::Columns { .. } if is_plain(program, prices) => Columns::new(program, prices, view, from).run(places),
        _ => by_rows(program, prices, view, from, places),
    }
}

/// What the column kernel can do: sums of a promotion say what it takes.
fn is_plain(program: &Program, prices: &Prices) -> bool {
    program.segments == 1 && prices.low.scale == 1.0 && prices.high.scale == 1.0
}

fn by_rows(program: &Program, prices: &Prices, view: View<'_>, from: usize, mut places: Option<&mut [u32]>) -> Screened {
    let mut screened = Screened::nothing(program);
    let mut ends: Vec<(f64, f64)> = Vec::new();
    for customer in 0..view.customers() {
        let segment = view.segment_of(customer);
        let base = segment as usize * program.promotions;
        ends.clear();
        ends.extend(view.rows(customer).map(|row| prices.ends(base + row.promotion as usize, row)));
        let place = settle(program, view, customer, &ends, &mut screened, from);
        if let Some(places) = places.as_deref_mut() {
            places[customer] = place;
        }
    }
    screened
}

/// Settles one customer or keeps it open.
fn settle(program: &Program, view: View<'_>, customer: usize, ends: &[(f64, f64)], screened: &mut Screened, from: usize) -> u32 {
    let segment = view.segment_of(customer);
    // The best at its best, nothing among them, and the best of the others.
    let (mut winner, mut most, mut worst, mut second) = (NOTHING, 0.0, 0.0, f64::NEG_INFINITY);
    for (place, &(kind, harsh)) in (0_u32..).zip(ends) {
        if kind > most {
            (second, most, worst, winner) = (most, kind, harsh, place);
        } else {
            second = f64::max(second, kind);
        }
    }
    if worst >= second {
        if winner != NOTHING {
            let row = view.row(customer, winner as usize);
            screened.settled.add(i64::from(row.value), i64::from(row.cost), 1, program.taken(segment, row));
        }
        return winner;
    }
    let least = ends.iter().map(|(_, harsh)| *harsh).fold(0.0, f64::max);
    let open = (0_u32..).zip(ends).filter(|(_, (kind, _))| *kind >= least).map(|(place, _)| (place, view.row(customer, place as usize)));
    screened.open.push(index(from + customer), segment, open);
    OPEN
}

/// The kernel over columns: [`LANES`] customers at a time in 32-bit floating point, whose rounding is a margin.
#[derive(Clone, Copy)]
struct Columns<'a> {
    program: &'a Program,
    prices: &'a Prices,
    view: View<'a>,
    from: usize,
    value: &'a [i32],
    cost: &'a [i32],
    stride: usize,
    first: usize,
}

/// The state of as many customers: the best at its best, its worst, the second best, who is best.
struct Lanes {
    most: [f32; LANES],
    worst: [f32; LANES],
    second: [f32; LANES],
    winner: [u32; LANES],
}

/// Value, cost and count (and nothing) of those who get nothing, and of each promotion, in several places
/// that take turns: adding to the same place again and again would wait for what was added last.
struct Sums {
    places: usize,
    sums: Vec<[i64; 4]>,
}

impl Sums {
    const TURNS: usize = 4;

    fn new(promotions: usize) -> Self {
        Self { places: promotions + 1, sums: vec![[0; 4]; Self::TURNS * (promotions + 1)] }
    }

    fn add(&mut self, turn: usize, promotion: u32, value: i32, cost: i32) {
        let sum = &mut self.sums[turn % Self::TURNS * self.places + promotion.wrapping_add(1) as usize];
        let more = [i64::from(value), i64::from(cost), 1, 0];
        sum.iter_mut().zip(more).for_each(|(sum, more)| *sum += more);
    }

    /// Of each promotion.
    fn totals(&self) -> impl Iterator<Item = [i64; 4]> + '_ {
        let of = |place: usize, part: usize| (0..Self::TURNS).map(|turn| self.sums[turn * self.places + place][part]).sum();
        (1..self.places).map(move |place| std::array::from_fn(|part| of(place, part)))
    }
}

impl<'a> Columns<'a> {
    fn new(program: &'a Program, prices: &'a Prices, view: View<'a>, from: usize) -> Self {
        let Slice::Columns { value, cost, stride, from: first } = view.layout else {
            return Self { program, prices, view, from, value: &[], cost: &[], stride: 0, first: 0 };
        };
        Self { program, prices, view, from, value, cost, stride, first }
    }

    fn run(&self, mut places: Option<&mut [u32]>) -> Screened {
        let mut screened = Screened::nothing(self.program);
        let mut sums = Sums::new(self.program.promotions);
        let mut ends = Vec::new();
        let whole = self.view.customers() / LANES * LANES;
        let mut lanes = Lanes::new();
        for base in (0..whole).step_by(LANES) {
            arch().dispatch(Look { columns: self, base, lanes: &mut lanes });
            for lane in 0..LANES {
                let place = lanes.winner[lane];
                if lanes.is_settled(lane) {
                    // Whose winner is nothing adds to a sum that nobody looks at: a branch would be guessed wrong too often.
                    let promotion = if place == NOTHING { 0 } else { place as usize };
                    let at = promotion * self.stride + self.first + base + lane;
                    sums.add(lane, place, self.value[at], self.cost[at]);
                } else {
                    lanes.winner[lane] = self.slowly(base + lane, &mut ends, &mut screened);
                }
            }
            if let Some(places) = places.as_deref_mut() {
                places[base..base + LANES].copy_from_slice(&lanes.winner);
            }
        }
        for customer in whole..self.view.customers() {
            let place = self.slowly(customer, &mut ends, &mut screened);
            if let Some(places) = places.as_deref_mut() {
                places[customer] = place;
            }
        }
        for (promotion, [value, cost, count, _]) in (0_u32..).zip(sums.totals()) {
            screened.settled.add(value, cost, count, self.program.taken_by_many(promotion, cost, count));
        }
        screened
    }

    /// In 64-bit, one customer.
    fn slowly(&self, customer: usize, ends: &mut Vec<(f64, f64)>, screened: &mut Screened) -> u32 {
        ends.clear();
        ends.extend(self.view.rows(customer).map(|row| self.prices.ends(row.promotion as usize, row)));
        settle(self.program, self.view, customer, ends, screened, self.from)
    }
}

/// The loop that is compiled for the widest instructions.
struct Look<'a, 'b> {
    columns: &'b Columns<'a>,
    base: usize,
    lanes: &'b mut Lanes,
}

impl WithSimd for Look<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Self { columns, base, lanes } = self;
        *lanes = Lanes::new();
        let prices = columns.prices;
        for promotion in 0..columns.program.promotions {
            let at = promotion * columns.stride + columns.first + base;
            let (Some(value), Some(cost)) = (columns.value[at..].first_chunk(), columns.cost[at..].first_chunk()) else { continue };
            let (low, high) = (prices.low.price[promotion], prices.high.price[promotion]);
            let fees = (prices.low.fee[promotion], prices.high.fee[promotion]);
            #[allow(clippy::cast_possible_truncation, reason = "rounding is what the margin is for")]
            lanes.take(promotion as u32, value, cost, (low as f32, high as f32), (fees.0 as f32, fees.1 as f32));
        }
    }
}

impl Lanes {
    const fn new() -> Self {
        Self { most: [0.0; LANES], worst: [0.0; LANES], second: [f32::NEG_INFINITY; LANES], winner: [NOTHING; LANES] }
    }

    #[inline(always)]
    #[allow(clippy::cast_precision_loss, reason = "rounding is what the margin is for")]
    fn take(&mut self, promotion: u32, value: &[i32; LANES], cost: &[i32; LANES], price: (f32, f32), fee: (f32, f32)) {
        // Three roundings of a value, of a product and of their difference, of 2⁻²⁴ each.
        let (of_cost, of_fee) = (8.1e-7 * f32::max(price.0.abs(), price.1.abs()), 4.0e-7 * (fee.0.abs() + fee.1.abs()));
        for lane in 0..LANES {
            let (v, c) = (value[lane] as f32, cost[lane] as f32);
            let (less, more) = (price.0 * c, price.1 * c);
            let margin = 4.0e-7 * v.abs() + of_cost * c.abs() + of_fee;
            let (smaller, larger) = if less < more { (less, more) } else { (more, less) };
            let kind = v - smaller - fee.0 + margin;
            let harsh = v - larger - fee.1 - margin;
            let wins = kind > self.most[lane];
            let behind = if wins { self.most[lane] } else { kind };
            self.second[lane] = if behind > self.second[lane] { behind } else { self.second[lane] };
            self.most[lane] = if wins { kind } else { self.most[lane] };
            self.worst[lane] = if wins { harsh } else { self.worst[lane] };
            self.winner[lane] = if wins { promotion } else { self.winner[lane] };
        }
    }

    #[inline(always)]
    fn is_settled(&self, lane: usize) -> bool {
        self.worst[lane] >= self.second[lane]
    }
}

/// The widest instructions that this processor has.
pub(crate) fn arch() -> Arch {
    static ARCH: OnceLock<Arch> = OnceLock::new();
    *ARCH.get_or_init(Arch::new)
}

fn index(place: usize) -> u32 {
    u32::try_from(place).unwrap_or(u32::MAX)
}
