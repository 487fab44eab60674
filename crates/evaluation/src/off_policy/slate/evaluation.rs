//! Values of pages with their intervals.

use serde::Serialize;

use super::log::SlateLog;
use crate::off_policy::bootstrap::Drawn;
use crate::off_policy::error::OffPolicyError;
use crate::off_policy::evaluation::Options;
use crate::off_policy::interval::{Interval, normal};
use crate::off_policy::moments::Valued;

/// What one position of a page adds to Σₖ Σ numeratorₖ / Σ denominatorₖ.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SlateTerm {
    /// Numerator.
    pub numerator: f64,
    /// Denominator: 1 where the estimate is a mean over pages.
    pub denominator: f64,
    /// By how much the policy shows it more often than it was shown; 1 where nothing is weighed.
    pub weight: f64,
}

/// An estimator of the value of pages.
pub trait SlateEstimator: std::fmt::Debug + Send + Sync {
    /// Its name.
    fn name(&self) -> String;

    /// What each position of each page adds, `[page][position]`.
    ///
    /// # Errors
    /// The log lacks what the estimator needs, or a value is wrong.
    fn terms(&self, log: &SlateLog<'_>) -> Result<Vec<SlateTerm>, OffPolicyError>;
}

/// The value of a page by one estimator.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SlateValue {
    /// Estimator.
    pub estimator: String,
    /// Rewards of a page; `None` where all weights at a position are 0.
    pub value: Option<f64>,
    /// Standard error, by customer where customers are given.
    pub std_error: Option<f64>,
    /// Asymptotic normal interval.
    pub normal: Option<Interval>,
    /// Poisson bootstrap's percentile interval.
    pub bootstrap: Option<Interval>,
    /// (Σ w)² / Σ w², in pages, at the position where it is least.
    pub effective_pages: f64,
    /// Pages.
    pub pages: usize,
    /// Independent units: customers, or pages where customers are not given.
    pub n: usize,
    /// Unit.
    pub unit: String,
}

/// Values of the target policy's pages. Bounds and names of actions among the options are not used.
///
/// # Errors
/// A value of the log is wrong (row = page × positions + position), lengths differ, an estimator lacks what it needs, there are fewer than
/// two units, or sums overflow.
pub fn evaluate_slates(
    log: &SlateLog<'_>,
    estimators: &[Box<dyn SlateEstimator>],
    options: &Options,
) -> Result<Vec<SlateValue>, OffPolicyError> {
    options.check()?;
    log.check()?;
    let units: Vec<u64> = log.customer.map_or_else(|| (0..log.pages() as u64).collect(), <[u64]>::to_vec);
    let (places, count) = numbered(&units);
    if count < 2 {
        return Err(OffPolicyError::TooFew { units: count, unit: if log.customer.is_some() { "customer" } else { "page" } });
    }
    estimators.iter().map(|estimator| value(log, estimator.as_ref(), options, &units, &places, count)).collect()
}

/// Numbers of units in the order in which they appear, and how many there are.
fn numbered(units: &[u64]) -> (Vec<usize>, usize) {
    let mut numbers = rustc_hash::FxHashMap::default();
    let places = units
        .iter()
        .map(|&unit| {
            let next = numbers.len();
            *numbers.entry(unit).or_insert(next)
        })
        .collect();
    (places, numbers.len())
}

fn value(
    log: &SlateLog<'_>,
    estimator: &dyn SlateEstimator,
    options: &Options,
    units: &[u64],
    places: &[usize],
    count: usize,
) -> Result<SlateValue, OffPolicyError> {
    let (terms, positions) = (estimator.terms(log)?, log.positions);
    let mut sums = vec![SlateTerm { numerator: 0.0, denominator: 0.0, weight: 0.0 }; positions];
    for page in terms.chunks(positions) {
        for (sum, term) in sums.iter_mut().zip(page) {
            sum.numerator += term.numerator;
            sum.denominator += term.denominator;
        }
    }
    let found = total(&sums).map(|value| Valued { value, std_error: std_error(&terms, &sums, places, count) });
    if found.is_some_and(|found| !(found.value + found.std_error).is_finite()) {
        return Err(OffPolicyError::Overflow { estimator: estimator.name() });
    }
    let bootstrap = options.bootstrap.filter(|_| found.is_some()).and_then(|bootstrap| {
        let mut drawn = Drawn::new(bootstrap, 2 * positions);
        let values: Vec<f64> = terms.iter().flat_map(|term| [term.numerator, term.denominator]).collect();
        drawn.add(units, &values);
        drawn.interval(options.alpha, |sums| sums.chunks(2).map(|of| (of[1] != 0.0).then(|| of[0] / of[1])).sum())
    });
    Ok(SlateValue {
        estimator: estimator.name(),
        value: found.map(|found| found.value),
        std_error: found.map(|found| found.std_error),
        normal: found.map(|found| normal(found, options.alpha)),
        bootstrap: bootstrap.map(|(low, high)| Interval { low, high }),
        effective_pages: effective(&terms, positions),
        pages: log.pages(),
        n: count,
        unit: "reward per page".to_owned(),
    })
}

fn total(sums: &[SlateTerm]) -> Option<f64> {
    sums.iter().map(|sum| (sum.denominator != 0.0).then(|| sum.numerator / sum.denominator)).sum()
}

/// By the delta method, from the sums of each unit.
fn std_error(terms: &[SlateTerm], sums: &[SlateTerm], places: &[usize], count: usize) -> f64 {
    let mut influence = vec![0.0; count];
    for (page, &unit) in terms.chunks(sums.len()).zip(places) {
        influence[unit] += page
            .iter()
            .zip(sums)
            .map(|(term, sum)| (term.numerator - sum.numerator / sum.denominator * term.denominator) / sum.denominator)
            .sum::<f64>();
    }
    let units = count as f64;
    let mean = influence.iter().sum::<f64>() / units;
    (influence.iter().map(|value| (value - mean).powi(2)).sum::<f64>() * units / (units - 1.0)).sqrt()
}

fn effective(terms: &[SlateTerm], positions: usize) -> f64 {
    let at = |position: usize| {
        let (mut sum, mut squares) = (0.0, 0.0);
        for page in terms.chunks(positions) {
            sum += page[position].weight;
            squares += page[position].weight.powi(2);
        }
        if squares > 0.0 { sum * sum / squares } else { 0.0 }
    };
    (0..positions).map(at).fold(f64::INFINITY, f64::min)
}
