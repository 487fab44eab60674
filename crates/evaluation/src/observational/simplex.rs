//! The point of a convex hull nearest to the origin: weights ≥ 0 with sum 1 that minimise λᵀKλ, K being the points' inner
//! products.
//!
//! Wolfe's algorithm (1976): exact after finitely many steps, where projected gradients and general solvers stop at their
//! tolerance. Costs about c³ for each of c points with weight; many points (donors) are cheap, many with weight are not.

use crate::experiment::solve::{dot, inverse};

/// Weights of the points.
pub(super) fn nearest_to_origin(gram: &[Vec<f64>]) -> Vec<f64> {
    let points = gram.len();
    let size = |point: usize| gram[point][point];
    let Some(first) = (0..points).min_by(|&one, &two| size(one).total_cmp(&size(two))) else { return vec![] };
    let largest = (0..points).map(size).fold(0.0, f64::max);
    // From all points where these are independent, as a ridge makes them and nearly all get weight; else from the nearest.
    let mut chosen: Vec<usize> = (0..points).collect();
    let mut weights = vec![1.0 / points as f64; points];
    if !to_affine_minimum(gram, &mut chosen, &mut weights, largest) {
        chosen = vec![first];
        weights = vec![0.0; points];
        weights[first] = 1.0;
    }
    // Each step leaves a nearer point; the bound only guards against rounding.
    for _ in 0..50 * points + 100 {
        let along: Vec<f64> = gram.iter().map(|row| chosen.iter().map(|&at| row[at] * weights[at]).sum()).collect();
        let square = dot(&weights, &along);
        let Some(next) = (0..points).filter(|at| !chosen.contains(at)).min_by(|&one, &two| along[one].total_cmp(&along[two])) else {
            break;
        };
        if square - along[next] <= 1e-13 * largest {
            break;
        }
        chosen.push(next);
        if !to_affine_minimum(gram, &mut chosen, &mut weights, largest) {
            weights[next] = 0.0;
            break;
        }
    }
    weights
}

/// Moves to the nearest point of the chosen points' affine hull, dropping points whose weight would turn negative.
/// False where the chosen points are affinely dependent: the last one adds nothing.
fn to_affine_minimum(gram: &[Vec<f64>], chosen: &mut Vec<usize>, weights: &mut [f64], scale: f64) -> bool {
    loop {
        // (K + s11ᵀ)μ = 1 has the direction of the minimiser and is regular for affinely independent points.
        let system: Vec<Vec<f64>> = chosen.iter().map(|&one| chosen.iter().map(|&two| gram[one][two] + scale).collect()).collect();
        let Ok(inverse) = inverse(&system) else { return false };
        let direction: Vec<f64> = inverse.iter().map(|row| row.iter().sum()).collect();
        let all: f64 = direction.iter().sum();
        let target: Vec<f64> = direction.iter().map(|value| value / all).collect();
        if target.iter().all(|&value| value > 1e-12) {
            chosen.iter().zip(&target).for_each(|(&at, &value)| weights[at] = value);
            return true;
        }
        let steps = chosen.iter().zip(&target).filter(|(_, value)| **value <= 1e-12);
        let step = steps.map(|(&at, value)| weights[at] / (weights[at] - value).max(1e-300)).fold(1.0, f64::min);
        for (&at, value) in chosen.iter().zip(&target) {
            weights[at] += step * (value - weights[at]);
        }
        let left = chosen.len();
        chosen.retain(|&at| {
            let stays = weights[at] > 1e-12;
            if !stays {
                weights[at] = 0.0;
            }
            stays
        });
        if chosen.len() == left {
            return true;
        }
        if chosen.is_empty() {
            return false;
        }
    }
}
