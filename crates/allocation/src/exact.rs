//! The exact step: of moves that only one priced limit feels, the subset that loses least.
//!
//! Dynamic programming over what the subset takes more of the limit (Bellman 1957), from the least to
//! the most that is worth looking at; where amounts are large, sums that are nearly equal share a cell,
//! and each cell remembers its sum exactly.

use crate::moves::Move;

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

/// A sum of moves.
#[derive(Debug, Clone, Copy)]
struct Cell {
    loss: f64,
    taken: i64,
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
    // A product, for a division a cell is most of the time that this takes.
    let (middle, share) = (side.saturating_mul(unit), 1.0 / unit as f64);
    let cell_of = |taken: i64| {
        let above = taken.saturating_add(middle);
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "not negative, and small where it is a cell")]
        let cell = (above as f64 * share) as usize;
        (above >= 0 && cell < 2 * width).then_some(cell)
    };
    let mut cells: Vec<Cell> = vec![Cell { loss: f64::INFINITY, taken: 0 }; 2 * width];
    cells[width] = Cell { loss: 0.0, taken: 0 };
    // The cells that were reached.
    let (mut first, mut last) = (width, width);
    // For each move and cell: the cell that its best subset came from, if the move is in it.
    let mut came: Vec<Vec<u32>> = Vec::with_capacity(moves.len());
    for one in moves {
        let by = amount(one);
        let mut from = vec![u32::MAX; 2 * width];
        let (mut new_first, mut new_last) = (first, last);
        let mut put = |number: usize| {
            let cell = cells[number];
            let sum = Cell { loss: cell.loss + one.loss, taken: cell.taken + by };
            if let Some(to) = cell_of(sum.taken).filter(|&to| sum.loss < cells[to].loss) {
                cells[to] = sum;
                from[to] = index(number);
                (new_first, new_last) = (new_first.min(to), new_last.max(to));
            }
        };
        // Away from where sums go, so that a move is used once.
        if by > 0 {
            (first..=last).rev().for_each(&mut put)
        } else {
            (first..=last).for_each(&mut put)
        }
        (first, last) = (new_first, new_last);
        came.push(from);
    }
    let score = |cell: &Cell| {
        let left = (limit.left - cell.taken) as f64;
        cell.loss + if left < 0.0 { -1e3 * limit.weight * left } else { limit.price * left }
    };
    let now = score(&Cell { loss: 0.0, taken: 0 });
    let best = cells.iter().enumerate().filter(|(_, cell)| cell.loss.is_finite()).map(|(place, cell)| (score(cell), place));
    let Some((its, mut cell)) = best.min_by(|one, two| one.0.total_cmp(&two.0)) else { return Vec::new() };
    let mut chosen = Vec::new();
    if its < now - 1e-9 * now.abs() {
        for (place, from) in came.iter().enumerate().rev() {
            if from[cell] != u32::MAX {
                chosen.push(place);
                cell = from[cell] as usize;
            }
        }
    }
    chosen
}

fn index(place: usize) -> u32 {
    u32::try_from(place).unwrap_or(u32::MAX)
}
