//! Limits that contradict one another: which ones, and no more than needed.
//!
//! With values left aside the dual is 0 at prices 0; where it falls below 0, prices weigh limits so
//! that no plan, not even one in fractions, meets them all (Farkas 1902). Leaving limits out one after
//! the other, as long as the rest still conflict, ends with a set of which each is needed (deletion
//! filter: Chinneck and Dravnieks 1991).

use crate::candidates::{Candidates, Settled};
use crate::program::Program;
use crate::smooth::{Cooling, Dual};

/// Below this, in mean offers, limits conflict.
const CLEARLY: f64 = 1e-6;
/// Customers up to whom several starts are tried.
const FEW: usize = 10_000;

/// Places of resources that can't be met together, a set none of which can be left out; `None` where
/// fractions of customers could meet them all.
pub(crate) fn conflict(program: &Program, open: &Candidates) -> Option<Vec<usize>> {
    let mut kept: Vec<usize> = (0..program.resources.len()).collect();
    if !conflicts(program, &kept, open) {
        return None;
    }
    for place in (0..program.resources.len()).rev() {
        let rest: Vec<usize> = kept.iter().copied().filter(|&other| other != place).collect();
        if conflicts(program, &rest, open) {
            kept = rest;
        }
    }
    Some(kept)
}

fn conflicts(program: &Program, resources: &[usize], open: &Candidates) -> bool {
    let part = program.blind(resources);
    // Along the prices of such a pair the dual has no curvature, and steps are of no use.
    if part.contradicts_itself() {
        return true;
    }
    let settled = Settled::nothing(resources.len());
    let limits = part.scaled(1.0);
    let most = inverse_amounts(&part, open);
    let dual = Dual { program: &part, open, settled: &settled, limits: &limits, most: &most };
    let falls = |start: &[f64]| dual.minimise(start, Cooling { from: 0.3, to: 1e-4, enough: -CLEARLY }).bound < -CLEARLY;
    if falls(&vec![0.0; resources.len()]) {
        return true;
    }
    // Among few customers the dual has edges that steps stop at: from elsewhere they come past them.
    let alone = |one: usize| -> Vec<f64> { (0..most.len()).map(|place| if place == one { most[place] } else { 0.0 }).collect() };
    open.len() <= FEW && (falls(&most) || (0..resources.len()).any(|place| falls(&alone(place))))
}

/// One over the mean amount that offers take of each resource.
fn inverse_amounts(program: &Program, open: &Candidates) -> Vec<f64> {
    let mut sums = vec![(0.0, 0_u32); program.resources.len()];
    for at in (0..open.len()).step_by(open.len().div_ceil(4096).max(1)) {
        for row in open.rows(at) {
            for (resource, amount) in program.taken(open.segment[at], *row) {
                let sum = &mut sums[resource as usize];
                *sum = (sum.0 + (amount as f64).abs(), sum.1 + 1);
            }
        }
    }
    sums.iter().map(|&(sum, count)| f64::from(count.max(1)) / f64::max(sum, 1.0)).collect()
}
