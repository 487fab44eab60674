//! The state of pricing: the units of each line in runs that cost the same, cut one promotion after
//! another.
//!
//! A run stands for any number of equal units, so cost grows with lines and not with units. Units
//! keep their order: a run is a range of the units of its line.

use crate::Basket;
use crate::answer::UnitShare;
use crate::prelude::*;

/// Equal units of one line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Run {
    pub(crate) line: u32,
    /// The first of its units, counted from 0 within the line.
    pub(crate) first: i64,
    pub(crate) units: i64,
    /// Price of a unit before any promotion …
    pub(crate) original: i64,
    /// … after the catalogue layer …
    pub(crate) catalogue: i64,
    /// … before the promotion that is being applied …
    pub(crate) before: i64,
    /// … and now.
    pub(crate) price: i64,
    pub(crate) floor: i64,
    /// A promotion keeps it for itself.
    pub(crate) consumed: bool,
}

impl Run {
    /// How much less a unit can cost yet.
    pub(crate) const fn room(&self) -> i64 {
        if self.price > self.floor { self.price - self.floor } else { 0 }
    }
}

/// So many units of a run cost so much less. Zero marks units that only counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cut {
    pub(crate) run: usize,
    /// The first of them, counted from 0 within the run.
    pub(crate) first: i64,
    pub(crate) units: i64,
    pub(crate) each: i64,
}

pub(crate) fn runs_of(basket: &Basket) -> Vec<Run> {
    let run = |(line, of): (u32, &crate::Line)| Run {
        line,
        first: 0,
        units: of.quantity,
        original: of.unit_price,
        catalogue: of.unit_price,
        before: of.unit_price,
        price: of.unit_price,
        floor: of.unit_price_floor,
        consumed: false,
    };
    (0_u32..).zip(&basket.lines).map(run).collect()
}

/// Takes cuts, which stand in the order of units, and notes each in `shares`.
pub(crate) fn cut(runs: &mut Vec<Run>, cuts: &[Cut], consume: bool, shares: &mut Vec<UnitShare>) {
    // Units that were cut may be counted once more: then pieces have to be looked at one by one.
    let apart = cuts.windows(2).all(|pair| pair[0].run < pair[1].run || pair[0].first + pair[0].units <= pair[1].first);
    let whole = |cut: &Cut, runs: &[Run]| cut.units == runs[cut.run].units;
    if !apart || cuts.iter().filter(|cut| !whole(cut, runs)).count() > MOST_SPLITS {
        return cut_piece_by_piece(runs, cuts, consume, shares);
    }
    shares.reserve(cuts.len());
    for cut in cuts {
        let run = &runs[cut.run];
        note(shares, run.line, run.first + cut.first, cut.units, cut.each);
    }
    // Mostly whole runs are cut, and nothing has to move; from the end, places before stay.
    for cuts in cuts.chunk_by(|one, other| one.run == other.run).rev() {
        if let [cut] = cuts
            && whole(cut, runs)
        {
            let run = &mut runs[cut.run];
            run.price -= cut.each;
            run.consumed |= consume;
            continue;
        }
        let place = cuts[0].run;
        let mut pieces = vec![runs[place]];
        cut_piece_by_piece(&mut pieces, &cuts.iter().map(|cut| Cut { run: 0, ..*cut }).collect::<Vec<_>>(), consume, &mut Vec::new());
        runs.splice(place..=place, pieces);
    }
}

/// Most runs that are split in place.
const MOST_SPLITS: usize = 4;

/// Notes what was taken off, neighbours with one amount together.
fn note(shares: &mut Vec<UnitShare>, line: u32, first: i64, quantity: i64, amount: i64) {
    if amount == 0 || quantity == 0 {
        return;
    }
    match shares.last_mut() {
        Some(last) if last.line == line && last.first + last.quantity == first && last.amount == amount => last.quantity += quantity,
        _ => shares.push(UnitShare { line, first, quantity, amount }),
    }
}

fn cut_piece_by_piece(runs: &mut Vec<Run>, cuts: &[Cut], consume: bool, shares: &mut Vec<UnitShare>) {
    let mut made = Vec::with_capacity(runs.len() + cuts.len() + 1);
    let mut cuts = cuts.iter().peekable();
    for (place, run) in runs.iter().enumerate() {
        let mut left = *run;
        let next = |left: &mut Run, units: i64| {
            let units = units.clamp(0, left.units);
            let first = Run { units, ..*left };
            left.first += units;
            left.units -= units;
            first
        };
        while let Some(cut) = cuts.next_if(|cut| cut.run == place) {
            let done = left.first - run.first;
            let between = next(&mut left, cut.first - done);
            if between.units > 0 {
                made.push(between);
            }
            // Units that were cut may be counted once more: these are cut already.
            let again = (done - cut.first).max(0);
            let units = next(&mut left, cut.units - again);
            if units.units > 0 {
                note(shares, run.line, units.first, units.units, cut.each);
                made.push(Run { price: units.price - cut.each, consumed: units.consumed || consume, ..units });
            }
        }
        if left.units > 0 {
            made.push(left);
        }
    }
    *runs = made;
}
