//! The smoothed dual of problems where each customer gets one promotion at most: its value, what is
//! demanded of each resource, and how demand bends.
//!
//! An offer's reduced value is scale·v − price·c − fee of its (segment, promotion). Sums are taken by
//! (segment, promotion) over (cost, one, value), and only in the end by resource: what an offer takes
//! of a resource is a fixed combination of those three.

use rayon::prelude::*;

use crate::candidates::Candidates;
use crate::offers::Row;
use crate::program::{Pricing, Program};

/// Customers of one piece of parallel work: fixed, so that sums don't depend on threads.
const CHUNK: usize = 512;
/// Temperatures behind the best offer at which another has no weight: two in a thousand million.
const UNLIKELY: f64 = 20.0;
/// Sums of pairs of promotions beyond which the general way is taken.
const MOST_PAIRS: usize = 20_000;

/// Sums over customers, by resource.
#[derive(Debug)]
pub(crate) struct Demand {
    pub(crate) smooth: f64,
    pub(crate) sharp: f64,
    pub(crate) taken: Vec<f64>,
    /// Row by row.
    pub(crate) curvature: Vec<f64>,
}

/// Sums over a chunk, by (segment, promotion), of N parts: cost, one and, where it matters, value.
#[derive(Clone)]
struct Sums<const N: usize> {
    smooth: f64,
    sharp: f64,
    taken: Vec<[f64; N]>,
    /// Of pairs of promotions of which the second has no smaller number.
    pairs: Vec<[[f64; N]; N]>,
}

/// Whether this way is open.
pub(crate) fn is_possible(program: &Program) -> bool {
    program.is_one_each() && !program.is_blind && program.segments * program.promotions * program.promotions <= MOST_PAIRS
}

/// The demand at these prices.
pub(crate) fn demand(program: &Program, open: &Candidates, prices: &[f64], temperature: f64) -> Demand {
    if program.has_return() { of_parts::<3>(program, open, prices, temperature) } else { of_parts::<2>(program, open, prices, temperature) }
}

fn of_parts<const N: usize>(program: &Program, open: &Candidates, prices: &[f64], temperature: f64) -> Demand {
    let pricing = program.pricing(prices);
    let sums: Vec<Sums<N>> = (0..open.len().div_ceil(CHUNK))
        .into_par_iter()
        .map(|chunk| of_chunk(program, open, &pricing, temperature, chunk * CHUNK..((chunk + 1) * CHUNK).min(open.len())))
        .collect();
    by_resource(program, &sums, temperature)
}

fn of_chunk<const N: usize>(
    program: &Program,
    open: &Candidates,
    pricing: &Pricing,
    temperature: f64,
    customers: std::ops::Range<usize>,
) -> Sums<N> {
    let promotions = program.promotions;
    let mut sums = Sums {
        smooth: 0.0,
        sharp: 0.0,
        taken: vec![[0.0; N]; program.segments * promotions],
        pairs: vec![[[0.0; N]; N]; program.segments * promotions * promotions],
    };
    let mut reduced: Vec<f64> = Vec::new();
    let mut weighed: Vec<(usize, f64, [f64; N])> = Vec::new();
    for at in customers {
        let base = open.segment[at] as usize * promotions;
        let rows = open.rows(at);
        reduced.clear();
        reduced.extend(rows.iter().map(|row| {
            let place = base + row.promotion as usize;
            pricing.scale * f64::from(row.value) - pricing.price[place] * f64::from(row.cost) - pricing.fee[place]
        }));
        let most = reduced.iter().copied().fold(0.0, f64::max);
        sums.sharp += most;
        let reach = most - UNLIKELY * temperature;
        let parts = |row: &Row| {
            let parts = [f64::from(row.cost), 1.0, f64::from(row.value)];
            std::array::from_fn(|part| parts[part])
        };
        weighed.clear();
        weighed.extend(
            rows.iter().zip(&reduced).filter(|(_, one)| **one >= reach).map(|(row, &one)| (row.promotion as usize, one, parts(row))),
        );
        // Decided, as most are in the end: one weight of 1.
        if weighed.len() + usize::from(0.0 >= reach) == 1 {
            sums.smooth += most;
            if let [(one, _, parts)] = &weighed[..] {
                sums.taken[base + one].iter_mut().zip(parts).for_each(|(sum, part)| *sum += part);
            }
            continue;
        }
        let mut total = if 0.0 >= reach { (-most / temperature).exp() } else { 0.0 };
        for (_, weight, _) in &mut weighed {
            *weight = ((*weight - most) / temperature).exp();
            total += *weight;
        }
        sums.smooth += most + temperature * total.ln();
        for (_, weight, _) in &mut weighed {
            *weight /= total;
        }
        for (one, weight, parts) in &weighed {
            let sum = &mut sums.taken[base + one];
            for (sum, part) in sum.iter_mut().zip(parts) {
                *sum += weight * part;
            }
        }
        if total > 1.0 + 1e-9 {
            for (place, first) in weighed.iter().enumerate() {
                for second in &weighed[place..] {
                    let ((one, weight, parts), (two, other_weight, other)) =
                        if first.0 <= second.0 { (first, second) } else { (second, first) };
                    let share = if one == two { weight - weight * weight } else { -weight * other_weight };
                    let pair = &mut sums.pairs[(base + one) * promotions + two];
                    for (line, part) in pair.iter_mut().zip(parts) {
                        for (sum, other) in line.iter_mut().zip(other) {
                            *sum += share * part * other;
                        }
                    }
                }
            }
        }
    }
    sums
}

fn by_resource<const N: usize>(program: &Program, parts: &[Sums<N>], temperature: f64) -> Demand {
    let (resources, promotions) = (program.resources.len(), program.promotions);
    let mut demand = Demand { smooth: 0.0, sharp: 0.0, taken: vec![0.0; resources], curvature: vec![0.0; resources * resources] };
    let Some((first, others)) = parts.split_first() else { return demand };
    let mut taken = first.taken.clone();
    let mut pairs = first.pairs.clone();
    for part in others {
        taken.iter_mut().flatten().zip(part.taken.iter().flatten()).for_each(|(sum, one)| *sum += one);
        pairs.iter_mut().flatten().flatten().zip(part.pairs.iter().flatten().flatten()).for_each(|(sum, one)| *sum += one);
    }
    demand.smooth = parts.iter().map(|part| part.smooth).sum();
    demand.sharp = parts.iter().map(|part| part.sharp).sum();
    for segment in 0..program.segments {
        for one in 0..promotions {
            let of_one: Vec<(u32, [f64; 3])> = program.combinations(segment, one).collect();
            for (resource, weights) in &of_one {
                let sum: f64 = weights.iter().zip(&taken[segment * promotions + one]).map(|(weight, sum)| weight * sum).sum();
                demand.taken[*resource as usize] += sum;
            }
            for two in one..promotions {
                let pair = &pairs[(segment * promotions + one) * promotions + two];
                if pair.iter().flatten().all(|sum| *sum == 0.0) {
                    continue;
                }
                for (resource, weights) in &of_one {
                    for (other, other_weights) in program.combinations(segment, two) {
                        let mut sum = 0.0;
                        for (line, weight) in pair.iter().zip(weights) {
                            sum += weight * line.iter().zip(&other_weights).map(|(one, two)| one * two).sum::<f64>();
                        }
                        let (row, column) = (*resource as usize, other as usize);
                        demand.curvature[row * resources + column] += sum / temperature;
                        if one != two {
                            demand.curvature[column * resources + row] += sum / temperature;
                        }
                    }
                }
            }
        }
    }
    demand
}
