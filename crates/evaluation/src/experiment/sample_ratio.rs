//! Sample-ratio mismatch: whether the arms have the sizes that the lot should have given them.
//!
//! A mismatch means that units were lost or gained by something that depends on the arm (redirects, bots,
//! crashes, a filter after assignment), so that the arms are no longer comparable and no adjustment helps
//! (Fabijan et al. 2019). χ² with arms − 1 degrees of freedom; below .001 is the usual alarm.
//!
//! gbstats counts arms of weight 0 among its degrees of freedom and their units in the total, which makes
//! its p-values too large or too small; here such arms aren't part of the test, and units in them are an alarm.
//! Looked at again and again, take [`sequential_sample_ratio`] (Lindon and Malek 2022).

use serde::Serialize;

use super::special::{chi2_sf, ln_gamma, normal_sf};
use super::{ExperimentError, Warning};

/// The share of all experiments without a fault in which the check is allowed to raise an alarm.
pub const ALARM: f64 = 0.001;

/// What the check says.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SampleRatio {
    /// Units of each arm.
    pub units: Vec<u64>,
    /// Units expected.
    pub expected: Vec<f64>,
    /// The p-value.
    pub p_value: f64,
    /// Units in arms to which nobody should have been assigned.
    pub unexpected: u64,
    /// Whether the p-value holds whenever it is looked at.
    pub always_valid: bool,
}

impl SampleRatio {
    /// A warning where the p-value is below `alarm` or there are units where none should be.
    pub fn warning(&self, alarm: f64) -> Option<Warning> {
        (self.p_value < alarm || self.unexpected > 0).then(|| {
            let message = format!(
                "units by arm {:?} where {:?} were expected (p = {:.2e}, {} in arms of weight 0): something that depends on the arm loses or adds units, the arms are no longer comparable, and effects may be biased by any amount in any direction. Find the cause and start again; more units don't help",
                self.units,
                self.expected.iter().map(|expected| expected.round()).collect::<Vec<f64>>(),
                self.p_value,
                self.unexpected
            );
            Warning::new("sample_ratio_mismatch", message)
        })
    }
}

/// Pearson's χ² of units against weights, which need not sum to 1.
///
/// # Errors
/// Where there aren't as many weights as arms, or a weight is negative or all are 0.
pub fn sample_ratio(units: &[u64], weights: &[f64]) -> Result<SampleRatio, ExperimentError> {
    let whole = check(units, weights)?;
    let counted: f64 = units.iter().zip(weights).filter(|(_, weight)| **weight > 0.0).map(|(&units, _)| units as f64).sum();
    let expected: Vec<f64> = weights.iter().map(|weight| weight / whole * counted).collect();
    let unexpected = units.iter().zip(weights).filter(|(_, weight)| **weight == 0.0).map(|(&units, _)| units).sum();
    let drawn = weights.iter().filter(|&&weight| weight > 0.0).count();
    let statistic: f64 = units
        .iter()
        .zip(&expected)
        .filter(|(_, expected)| **expected > 0.0)
        .map(|(&units, expected)| (units as f64 - expected).powi(2) / expected)
        .sum();
    let p_value = if counted == 0.0 || drawn < 2 { 1.0 } else { chi2_sf(statistic, drawn as f64 - 1.0) };
    Ok(SampleRatio { units: units.to_vec(), expected, p_value, unexpected, always_valid: false })
}

fn check(units: &[u64], weights: &[f64]) -> Result<f64, ExperimentError> {
    if units.len() != weights.len() {
        return Err(ExperimentError::Length { column: "weights".to_owned(), found: weights.len(), expected: units.len() });
    }
    let whole: f64 = weights.iter().sum();
    if let Some(&value) = weights.iter().find(|weight| !(weight.is_finite() && **weight >= 0.0)).or_else(|| (whole <= 0.0).then_some(&0.0))
    {
        let consequence = "sizes of arms can't be compared with shares that nobody can have";
        return Err(ExperimentError::Setting {
            name: "weights",
            value,
            needed: "shares of at least 0, not all 0, are needed",
            consequence,
        });
    }
    Ok(whole)
}

/// The exact binomial test of two arms: splits no likelier than this one (for small experiments).
///
/// # Errors
/// As [`sample_ratio`].
pub fn exact_sample_ratio(units: [u64; 2], weights: [f64; 2]) -> Result<f64, ExperimentError> {
    let whole = check(&units, &weights)?;
    let share = weights[1] / whole;
    let all = units[0] + units[1];
    let log_probability = |k: u64| {
        let ways = ln_gamma(all as f64 + 1.0) - ln_gamma(k as f64 + 1.0) - ln_gamma((all - k) as f64 + 1.0);
        let rest = (all - k) as f64;
        ways + if k == 0 { 0.0 } else { k as f64 * share.ln() } + if rest == 0.0 { 0.0 } else { rest * (-share).ln_1p() }
    };
    let here = log_probability(units[1]);
    Ok((0..=all).map(log_probability).filter(|&other| other <= here + 1e-7).map(f64::exp).sum::<f64>().min(1.0))
}

/// The normal approximation of [`exact_sample_ratio`], with Yates' correction where asked.
///
/// # Errors
/// As [`sample_ratio`].
pub fn normal_sample_ratio(units: [u64; 2], weights: [f64; 2], correction: bool) -> Result<f64, ExperimentError> {
    let whole = check(&units, &weights)?;
    let share = weights[1] / whole;
    let all = (units[0] + units[1]) as f64;
    let apart = (units[1] as f64 - all * share).abs();
    let apart = if correction { (apart - 0.5).max(0.0) } else { apart };
    Ok(2.0 * normal_sf(apart / (all * share * (1.0 - share)).sqrt()))
}

/// Units that the prior of [`always_valid_sample_ratio`] is worth: splits that are off by about a hundredth are looked for.
const CONCENTRATION: f64 = 10_000.0;

/// The check for an experiment that is looked at again and again.
///
/// # Errors
/// As [`sample_ratio`].
pub fn always_valid_sample_ratio(units: &[u64], weights: &[f64]) -> Result<SampleRatio, ExperimentError> {
    let once = sample_ratio(units, weights)?;
    Ok(SampleRatio { p_value: sequential_sample_ratio(units, weights, CONCENTRATION)?, always_valid: true, ..once })
}

/// An always-valid p-value: 1 / Bayes factor of "some other split" (Dirichlet prior around the weights, of
/// `concentration` units) against the weights. Its least value over all looks is below α with a chance of at
/// most α where there is no mismatch.
///
/// # Errors
/// As [`sample_ratio`], and where the concentration isn't above 0.
pub fn sequential_sample_ratio(units: &[u64], weights: &[f64], concentration: f64) -> Result<f64, ExperimentError> {
    let whole = check(units, weights)?;
    if !(concentration > 0.0 && concentration.is_finite()) {
        let consequence = "the prior would say nothing about other splits";
        return Err(ExperimentError::Setting {
            name: "concentration",
            value: concentration,
            needed: "a number above 0 is needed",
            consequence,
        });
    }
    let arms = || units.iter().zip(weights).filter(|(_, weight)| **weight > 0.0).map(|(&units, weight)| (units as f64, weight / whole));
    let counted: f64 = arms().map(|(units, _)| units).sum();
    let of_arm =
        |(units, share): (f64, f64)| ln_gamma(concentration * share + units) - ln_gamma(concentration * share) - units * share.ln();
    let log_factor = ln_gamma(concentration) - ln_gamma(concentration + counted) + arms().map(of_arm).sum::<f64>();
    Ok((-log_factor).exp().min(1.0))
}
