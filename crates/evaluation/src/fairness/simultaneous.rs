//! Gaps between groups that hold all at once: from the best to the worst, and from each to the best.
//!
//! The largest gap seen is larger than the gap that is there: it was picked as the largest. So all pairwise differences get intervals
//! that cover together (max-t: Hothorn, Bretz and Westfall 2008), with the 1 − α quantile of max |Zᵢσᵢ − Zⱼσⱼ|/√(σᵢ² + σⱼ²) over pairs,
//! Z independent normals (Tukey's and Kramer's for equal sizes). Where all cover, max over pairs of lower ends ≤ max − min ≤ max of upper
//! ends, whichever groups are best and worst, and the same with the second group fixed for its gap to the best. Covers at least at its level,
//! more where gaps are small.
//!
//! Z is a direction, of which 4,000 are drawn (a parametric bootstrap of the groups' estimates), times a length that is χ with as many degrees of
//! freedom as groups, over which the chance is known exactly; so the quantile is within .01 of its own. It is carried over to Student's t by its tail.

use rayon::prelude::*;
use youhui_commerce::Draw;

use crate::experiment::special::{chi2_sf, normal_sf, normal_upper_quantile, t_upper_quantile};

/// Draws of a direction.
const DIRECTIONS: usize = 4_000;
/// Draws of one stream.
const STREAM: usize = 500;
/// Directions that are taken together.
const ALIKE: usize = 20;

/// An estimate of a group, independent of other groups'.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Estimated {
    pub(super) value: f64,
    pub(super) variance: f64,
    pub(super) df: f64,
    pub(super) n: u64,
}

/// A gap with its interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Bounds {
    pub(super) value: f64,
    pub(super) low: f64,
    pub(super) high: f64,
}

/// Intervals of all pairwise differences.
pub(super) struct Pairs<'a> {
    groups: &'a [Estimated],
    /// Chance beyond, on each side of a pair.
    tail: f64,
}

impl<'a> Pairs<'a> {
    pub(super) fn new(groups: &'a [Estimated], level: f64, seed: u64) -> Self {
        let spreads: Vec<f64> = groups.iter().map(|group| group.variance.sqrt()).collect();
        Self { groups, tail: normal_sf(critical(&spreads, level, seed)) }
    }

    /// `one` less `two`.
    fn difference(&self, one: usize, two: usize) -> Bounds {
        let (first, second) = (self.groups[one], self.groups[two]);
        let value = first.value - second.value;
        let variance = first.variance + second.variance;
        if variance <= 0.0 || one == two {
            return Bounds { value, low: value, high: value };
        }
        let df = variance * variance / (first.variance.powi(2) / first.df + second.variance.powi(2) / second.df);
        let half = variance.sqrt() * t_upper_quantile(self.tail, df);
        Bounds { value, low: value - half, high: value + half }
    }

    /// By how much the highest true value is above that of `group`.
    pub(super) fn to_best(&self, group: usize) -> Bounds {
        let all = (0..self.groups.len()).map(|other| self.difference(other, group));
        all.fold(Bounds { value: 0.0, low: 0.0, high: 0.0 }, largest)
    }

    /// The highest true value less the lowest.
    pub(super) fn range(&self) -> Bounds {
        let all = (0..self.groups.len()).map(|group| self.to_best(group));
        all.fold(Bounds { value: 0.0, low: 0.0, high: 0.0 }, largest)
    }
}

fn largest(one: Bounds, two: Bounds) -> Bounds {
    Bounds { value: one.value.max(two.value), low: one.low.max(two.low), high: one.high.max(two.high) }
}

/// The quantile of the maximum over pairs; threads don't change a bit.
fn critical(spreads: &[f64], level: f64, seed: u64) -> f64 {
    let pairs: Vec<(usize, usize, f64)> = (0..spreads.len())
        .flat_map(|one| (one + 1..spreads.len()).map(move |two| (one, two)))
        .map(|(one, two)| (one, two, spreads[one].hypot(spreads[two])))
        .filter(|&(_, _, spread)| spread > 0.0)
        .map(|(one, two, spread)| (one, two, 1.0 / spread))
        .collect();
    let of_pairs = |count: f64| normal_upper_quantile((1.0 - level) / (2.0 * count));
    if pairs.len() < 2 {
        return of_pairs(1.0);
    }
    let chance = Draw::seeded(seed).fork("max-t");
    let of_stream = |stream: usize| {
        let mut chance = chance.fork(&stream.to_string());
        let mut draw = || {
            let noise: Vec<f64> = spreads.iter().map(|_| chance.normal()).collect();
            let length = noise.iter().map(|noise| noise * noise).sum::<f64>().sqrt();
            let at = |place: usize| spreads[place] * noise[place] / length;
            pairs.iter().map(|&(one, two, weight)| (at(one) - at(two)).abs() * weight).fold(0.0, f64::max)
        };
        (0..STREAM).map(|_| draw()).collect::<Vec<f64>>()
    };
    let mut largest: Vec<f64> = (0..DIRECTIONS / STREAM).into_par_iter().flat_map_iter(of_stream).collect();
    // χ²'s tail is smooth: directions of nearly the same maximum are as good as their mean.
    largest.sort_by(f64::total_cmp);
    let means: Vec<f64> = largest.chunks(ALIKE).map(|alike| alike.iter().sum::<f64>() / alike.len() as f64).collect();
    let beyond = |c: f64| means.iter().map(|mean| chi2_sf((c / mean).powi(2), spreads.len() as f64)).sum::<f64>() / means.len() as f64;
    // One pair alone is exceeded less often than the maximum, and the maximum less often than Bonferroni's bound.
    falling_root(of_pairs(1.0), of_pairs(pairs.len() as f64), |c| beyond(c) - (1.0 - level))
}

/// Where a falling function is 0, by false position with halving (Illinois).
fn falling_root(mut low: f64, mut high: f64, f: impl Fn(f64) -> f64) -> f64 {
    let (mut at_low, mut at_high) = (f(low), f(high));
    if at_low <= 0.0 {
        return low;
    }
    for _ in 0..30 {
        if at_high >= 0.0 || high - low < 1e-7 {
            break;
        }
        let middle = (low * at_high - high * at_low) / (at_high - at_low);
        let there = f(middle);
        if there.abs() < 1e-9 {
            return middle;
        }
        if there > 0.0 {
            (low, at_low, at_high) = (middle, there, at_high / 2.0);
        } else {
            (high, at_high, at_low) = (middle, there, at_low / 2.0);
        }
    }
    high
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn with_equal_spread_the_quantile_is_tukeys() {
        // Studentised ranges q(.95; k, ∞)/√2: 2.772, 3.314, 3.858, 4.474 for 2, 3, 5 and 10 groups.
        for (groups, range) in [(2, 2.772), (3, 3.314), (5, 3.858), (10, 4.474)] {
            let tukey = range / std::f64::consts::SQRT_2;
            for seed in 1..=20 {
                let found = critical(&vec![0.7; groups], 0.95, seed);
                assert!((found - tukey).abs() < 0.015, "{groups} groups: {found} beside {tukey}");
            }
        }
    }

    #[test]
    fn the_same_seed_gives_the_same_quantile_and_no_spread_gives_none() {
        let spreads = [0.1, 0.5, 0.2];
        assert_eq!(critical(&spreads, 0.9, 3).to_bits(), critical(&spreads, 0.9, 3).to_bits());
        // Where only one group is uncertain, all pairs are one.
        assert!((critical(&[0.0, 0.3, 0.0], 0.95, 3) - 1.959_964).abs() < 0.01);
        assert!((critical(&[0.0, 0.0], 0.95, 3) - 1.959_964).abs() < 1e-5);
    }
}
