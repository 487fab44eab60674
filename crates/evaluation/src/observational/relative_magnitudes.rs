//! How wrong parallel trends may be before the finding falls.
//!
//! Lets the untreated trend of treated units drift away from that of the untreated by at most M̄ times as much a period
//! after the start as it did at most in one period before: |δₜ₊₁ − δₜ| ≤ M̄ · max over s < 0 of |δₛ₊₁ − δₛ|
//! (Rambachan and Roth 2023, "relative magnitudes"). The bias of relative period k is then at most (k + 1) M̄ m, with m that
//! maximum, and of the mean over k = 0 … K at most (K + 2)/2 · M̄ m.
//!
//! A simple form: instead of their conditional and hybrid intervals, m is replaced by an upper bound of chance
//! 1 − α/2 (every difference before the start, Bonferroni), and the effect's own interval by one of chance 1 − α/2. It covers with
//! at least 1 − α, usually more, and so is wider than theirs. Fails where what happens after the start is unlike anything
//! before.

use serde::Serialize;

use super::result::check_level;
use super::{EventStudy, ObservationalError};
use crate::experiment::special::t_upper_quantile;

/// What is left of an effect if trends weren't quite parallel.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RelativeMagnitudes {
    /// M̄.
    pub magnitude: f64,
    /// Lower end of the robust interval of the mean effect.
    pub low: f64,
    /// Upper end.
    pub high: f64,
    /// Least chance with which it covers if the violation is within M̄.
    pub level: f64,
    /// Largest change from one period to the next before the start, as estimated.
    pub largest_before: f64,
    /// The same, at its upper bound.
    pub largest_before_bound: f64,
    /// The M̄ at which the robust interval first contains 0; 0 if it always does.
    pub breakdown: f64,
    /// Clusters it rests on.
    pub n: usize,
}

/// The robust interval of an event study's mean effect at one M̄ (0: exactly parallel; 1: no worse a period than before).
///
/// # Errors
/// Where the study has no coefficient before the reference, or M̄ is negative.
pub fn relative_magnitudes(study: &EventStudy, magnitude: f64) -> Result<RelativeMagnitudes, ObservationalError> {
    let effect = &study.observed.effect;
    check_level(effect.level)?;
    if !(magnitude >= 0.0 && magnitude.is_finite()) {
        return Err(ObservationalError::Setting {
            name: "magnitude",
            value: magnitude,
            needed: "a number of at least 0 is needed",
            consequence: "a violation can't be smaller than none",
        });
    }
    let differences = differences_before(study);
    if differences.is_empty() {
        return Err(ObservationalError::NoPrePeriod { periods: 1, needed: 2 });
    }
    let outside = 1.0 - effect.level;
    let reach = |chance: f64| t_upper_quantile(chance / 2.0, effect.df);
    let of_one = reach(0.5 * outside / differences.len() as f64);
    let largest = differences.iter().map(|(value, _)| value.abs()).fold(0.0, f64::max);
    let bound = differences.iter().map(|(value, std_error)| value.abs() + of_one * std_error).fold(0.0, f64::max);
    let after = study.coefficients.iter().filter(|coefficient| coefficient.relative >= 0).count() as f64;
    let drift = 0.5 * (after + 1.0) * bound;
    let half = effect.std_error * reach(0.5 * outside);
    Ok(RelativeMagnitudes {
        magnitude,
        low: effect.value - half - magnitude * drift,
        high: effect.value + half + magnitude * drift,
        level: effect.level,
        largest_before: largest,
        largest_before_bound: bound,
        breakdown: ((effect.value.abs() - half) / drift).max(0.0),
        n: effect.clusters,
    })
}

/// Changes from one relative period to the next up to the reference, with standard errors.
fn differences_before(study: &EventStudy) -> Vec<(f64, f64)> {
    let before: Vec<usize> = (0..study.coefficients.len()).filter(|&at| study.coefficients[at].relative < -1).collect();
    let value = |at: usize| study.coefficients[at].effect.value;
    let variance = |one: usize, two: usize| study.covariance[one][two];
    let mut differences: Vec<(f64, f64)> = before
        .windows(2)
        .map(|pair| {
            (value(pair[1]) - value(pair[0]), variance(pair[0], pair[0]) + variance(pair[1], pair[1]) - 2.0 * variance(pair[0], pair[1]))
        })
        .collect();
    // The reference is 0 by construction.
    differences.extend(before.last().map(|&last| (-value(last), variance(last, last))));
    differences.into_iter().map(|(value, variance)| (value, variance.max(0.0).sqrt())).collect()
}
