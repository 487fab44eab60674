//! The exact step: of moves that only one priced limit feels, the subset that loses least.
//!
//! Dynamic programming over what the subset takes more of the limit (Bellman 1957), from the least to
//! the most that is worth looking at; where amounts are large, they are rounded to whole cells, and each
//! cell remembers its sum exactly.

use std::ops::Range;

use pulp::{Simd, WithSimd};

use crate::moves::Move;
use crate::screen::arch;

/// What moves may use.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limit {
    pub(crate) resource: u32,
    /// What is left of it; negative where it is broken.
    pub(crate) left: i64,
    /// Its dual price.
    pub(crate) price: f64,
    /// What a missing unit weighs.
    pub(crate) weight: f64,
}

/// The best sums of moves, by what they take more, in cells: loss and the exact sum.
struct Cells {
    loss: Vec<f64>,
    taken: Vec<i64>,
    /// The cells that were reached.
    reached: Range<usize>,
}

impl Cells {
    /// Before any move: nothing lost, nothing taken, in the middle.
    fn new(width: usize) -> Self {
        let mut loss = vec![f64::INFINITY; 2 * width];
        loss[width] = 0.0;
        Self { loss, taken: vec![0; 2 * width], reached: width..width + 1 }
    }

    /// The same with one move more to choose from, which takes `by` more, so many cells on; `chosen` says where it is in.
    fn add(&mut self, before: &Self, one: (f64, i64), cells_on: isize, chosen: &mut [u8]) {
        self.loss.copy_from_slice(&before.loss);
        self.taken.copy_from_slice(&before.taken);
        let ends = 0..before.loss.len();
        let moved = |end: usize| end.saturating_add_signed(cells_on).clamp(ends.start, ends.end);
        let to = moved(before.reached.start)..moved(before.reached.end);
        self.reached = before.reached.start.min(to.start)..before.reached.end.max(to.end);
        if to.is_empty() {
            self.reached = before.reached.clone();
            return;
        }
        let from = to.start.saturating_add_signed(-cells_on)..to.end.saturating_add_signed(-cells_on);
        let old = (&before.loss[from.clone()], &before.taken[from]);
        let new = (&mut self.loss[to.clone()], &mut self.taken[to.clone()], &mut chosen[to]);
        arch().dispatch(Relax { one, old, new });
    }
}

/// The loop that is compiled for the widest instructions: a sum with the move instead of the one that is there, where it loses less.
struct Relax<'a, 'b> {
    one: (f64, i64),
    old: (&'a [f64], &'a [i64]),
    new: (&'b mut [f64], &'b mut [i64], &'b mut [u8]),
}

impl WithSimd for Relax<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Self { one: (more, by), old, new } = self;
        let count = old.0.len();
        let (old_loss, old_taken) = (&old.0[..count], &old.1[..count]);
        let (loss, taken, chosen) = (&mut new.0[..count], &mut new.1[..count], &mut new.2[..count]);
        for cell in 0..count {
            let its = old_loss[cell] + more;
            let is_better = its < loss[cell];
            loss[cell] = if is_better { its } else { loss[cell] };
            taken[cell] = if is_better { old_taken[cell] + by } else { taken[cell] };
            chosen[cell] = u8::from(is_better);
        }
    }
}

/// Places of the moves that together are worth most, with at most `width` cells on either side.
pub(crate) fn best_subset(moves: &[&Move], limit: Limit, width: usize) -> Vec<usize> {
    let amount = |one: &Move| one.taken.iter().find(|(resource, _)| *resource == limit.resource).map_or(0, |(_, amount)| *amount);
    let largest = moves.iter().map(|one| amount(one).abs()).max().unwrap_or(0);
    if largest == 0 {
        return Vec::new();
    }
    let side = i64::try_from(width).unwrap_or(i64::MAX);
    let reach = (3 * largest).max(limit.left.abs().saturating_add(largest));
    let unit = (reach / side).max(1);
    let cells_on = |one: &Move| isize::try_from((2 * amount(one) + unit).div_euclid(2 * unit)).unwrap_or(0);
    let (mut cells, mut before) = (Cells::new(width), Cells::new(width));
    // For each move and cell: whether the move is in its best subset.
    let mut chosen = vec![0; 2 * width * moves.len()];
    for (one, chosen) in moves.iter().zip(chosen.chunks_exact_mut(2 * width)) {
        std::mem::swap(&mut cells, &mut before);
        cells.add(&before, (one.loss, amount(one)), cells_on(one), chosen);
    }
    let score = |loss: f64, taken: i64| {
        let left = (limit.left - taken) as f64;
        loss + if left < 0.0 { -1e3 * limit.weight * left } else { limit.price * left }
    };
    let now = score(0.0, 0);
    let scored = cells.reached.clone().map(|cell| (score(cells.loss[cell], cells.taken[cell]), cell));
    let Some((its, mut cell)) = scored.min_by(|one, two| one.0.total_cmp(&two.0)) else { return Vec::new() };
    let mut places = Vec::new();
    if its < now - 1e-9 * now.abs() {
        for (place, chosen) in chosen.chunks_exact(2 * width).enumerate().rev() {
            if chosen[cell] == 1 {
                places.push(place);
                cell = cell.saturating_add_signed(-cells_on(moves[place]));
            }
        }
    }
    places
}
