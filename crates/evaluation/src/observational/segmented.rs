//! Interrupted time series: a line before, another after.
//!
//! yₜ = α + βt + δ₀ Dₜ + δ₁ (t − s) Dₜ + seasons + controls + ε, D being 1 from the start s on. The effect at t is δ₀ + δ₁(t − s); the
//! reported one is its mean over the periods after, the cumulative one its sum.
//!
//! Newey–West variance with n/(n − k), Student's t with n − k degrees of freedom. Lags: by default ⌊4(n/100)^(2/9)⌋. The
//! interval is widened for estimating memory from few periods by the critical values of Kiefer and Vogelsang (2005) for
//! Bartlett's weights, the lags counted as a share of the shorter side: without that it covers too little.
//!
//! Assumes that without the campaign line and seasons would have gone on, and that nothing else happened at the start. There is no
//! control group: a holiday, a price change or a competitor at the same time is counted as effect. Fails for a start chosen
//! because the series was at a low (it would have come back), and where memory is as long as the series.
//!
//! Wagner, Soumerai, Zhang and Ross-Degnan 2002; Bernal, Cummins and Gasparrini 2017; Newey and West 1987.

use serde::Serialize;

use super::least_squares::fit;
use super::result::{Check, CheckKind, Counts, Evidence, Observed, ObservedEffect, PER_PERIOD, SUMMED, check_level, warning};
use super::{ObservationalError, TimeSeries};
use crate::experiment::solve::{dot, quadratic};
use crate::experiment::special::{t_two_sided, t_upper_quantile};

const FITTED: &str = "line, season and controls";

/// Settings of a segmented regression.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SegmentedSettings {
    /// Chance of covering.
    pub level: f64,
    /// A line of its own after the start; otherwise only its level changes.
    pub slope: bool,
    /// Lags of Newey and West; `None` for ⌊4(n/100)^(2/9)⌋.
    pub lags: Option<usize>,
    /// Kiefer and Vogelsang's wider critical values.
    pub fixed_b: bool,
}

impl Default for SegmentedSettings {
    fn default() -> Self {
        Self { level: 0.95, slope: true, lags: None, fixed_b: true }
    }
}

/// A segmented regression.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Segmented {
    /// The mean effect a period, checks and warnings.
    pub observed: Observed,
    /// Its sum over the periods after.
    pub cumulative: ObservedEffect,
    /// δ₀: the jump at the start.
    pub level_change: ObservedEffect,
    /// δ₁: the change of the line's slope, a period.
    pub slope_change: Option<ObservedEffect>,
    /// Line, season and controls gone on without the campaign, period by period from the start on.
    pub counterfactual: Vec<f64>,
    /// Autocorrelation of residuals one period apart.
    pub autocorrelation: f64,
    /// Lags of the variance.
    pub lags: usize,
}

/// Fits it.
///
/// # Errors
/// Where columns are linearly dependent, or there are too few periods for them.
pub fn segmented_regression(series: &TimeSeries, settings: SegmentedSettings) -> Result<Segmented, ObservationalError> {
    let mut found = estimate(series, settings)?;
    let middle = series.start / 2;
    if let Some(before) = series.part(series.start, middle.max(series.columns.len() + 4))
        && let Ok(fake) = estimate(&before, SegmentedSettings { slope: settings.slope && before.after() > 2, ..settings })
    {
        let reads = format!(
            "mean effect of a start at period {} that never was (standard error {:.4}); one that differs from 0 says that the series doesn't follow a line",
            before.times[before.start], fake.observed.effect.std_error
        );
        let effect = fake.observed.effect;
        found.observed.checks.push(Check::new(CheckKind::PlaceboInTime, effect.value, effect.p_value, reads));
    }
    Ok(found)
}

fn estimate(series: &TimeSeries, settings: SegmentedSettings) -> Result<Segmented, ObservationalError> {
    check_level(settings.level)?;
    let (periods, start) = (series.outcome.len(), series.start);
    let slope = settings.slope && series.after() > 1;
    let row = |period: usize| -> Vec<f64> {
        let is = f64::from(u8::from(period >= start));
        let since = is * (period as f64 - start as f64);
        let line = [1.0, (period as f64 - start as f64) / periods as f64, is];
        line.into_iter().chain(slope.then_some(since)).chain(series.row(period)).collect()
    };
    let design: Vec<Vec<f64>> = (0..periods).map(row).collect();
    let fit = fit(&design, &series.outcome, FITTED)?;
    let squares = dot(&fit.residuals, &fit.residuals);
    let center = series.outcome.iter().sum::<f64>() / periods as f64;
    // Of the equations' own rounding.
    if squares <= 1e-16 * series.outcome.iter().map(|value| (value - center).powi(2)).sum::<f64>() {
        return Err(ObservationalError::PerfectFit { what: FITTED.to_owned() });
    }
    let lags = settings.lags.unwrap_or_else(|| default_lags(periods));
    let covariance = fit.newey_west(&design, lags);
    let df = (periods - design[0].len()) as f64;
    let wider = if settings.fixed_b { fixed_b(lags, start.min(series.after())) } else { 1.0 };
    let counts = Counts { treated: series.after(), untreated: start, clusters: periods };
    let effect = |weights: &[f64]| {
        let std_error = quadratic(&covariance, weights).max(0.0).sqrt();
        widened(dot(&fit.coefficients, weights), std_error, df, settings.level, wider, counts)
    };
    let unit = |place: usize| -> Vec<f64> { (0..design[0].len()).map(|at| f64::from(u8::from(at == place))).collect() };
    let mut mean = unit(2);
    if slope {
        mean[3] = 0.5 * (series.after() as f64 - 1.0);
    }
    let many = series.after() as f64;
    let sum: Vec<f64> = mean.iter().map(|weight| weight * many).collect();
    let average = effect(&mean);
    if average.std_error <= 1e-12 * average.value.abs() {
        return Err(ObservationalError::Constant { what: "the outcome less its line and seasons".to_owned() });
    }
    let autocorrelation = fit.residuals.windows(2).map(|pair| pair[0] * pair[1]).sum::<f64>() / squares;
    let mut warnings = vec![];
    if autocorrelation > 0.5 {
        warnings.push(warning(
            "long_memory",
            format!("residuals one period apart correlate by {autocorrelation:.2}: the variance is estimated from few independent stretches and intervals are too narrow. Use the structural time series, whose level wanders"),
        ));
    }
    let observed = Observed {
        evidence: Evidence::Observational,
        method: "interrupted time series (segmented regression)",
        assumption: "without the campaign the line and the seasons from before would have gone on, controls weren't moved by it, and nothing else happened at its start",
        effect: average,
        checks: vec![],
        warnings,
    };
    // The line without what began at the start.
    let begun = if slope { 2..4 } else { 2..3 };
    let without = |row: &Vec<f64>| -> f64 {
        row.iter().zip(&fit.coefficients).enumerate().filter(|(at, _)| !begun.contains(at)).map(|(_, (cell, slope))| cell * slope).sum()
    };
    let counterfactual = design[start..].iter().map(without).collect();
    let slope_change = slope.then(|| effect(&unit(3)).in_unit("outcome per period, per period"));
    Ok(Segmented {
        observed,
        cumulative: effect(&sum).in_unit(SUMMED),
        level_change: effect(&unit(2)),
        slope_change,
        counterfactual,
        autocorrelation,
        lags,
    })
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a small number of periods")]
fn default_lags(periods: usize) -> usize {
    (4.0 * (periods as f64 / 100.0).powf(2.0 / 9.0)).floor() as usize
}

/// How much wider the 95 % critical value is with lags that are a share of the series (Kiefer and Vogelsang 2005, table 1).
fn fixed_b(lags: usize, periods: usize) -> f64 {
    let share = ((lags as f64 + 1.0) / periods as f64).min(1.0);
    (1.96 + share * (2.9694 + share * (0.416 - share * 0.5324))) / 1.96
}

fn widened(value: f64, std_error: f64, df: f64, level: f64, wider: f64, counts: Counts) -> ObservedEffect {
    let half = wider * std_error * t_upper_quantile((1.0 - level) / 2.0, df);
    let p_value = t_two_sided(value / (wider * std_error), df);
    ObservedEffect {
        low: value - half,
        high: value + half,
        p_value,
        unit: PER_PERIOD,
        ..ObservedEffect::student(value, std_error, df, level, counts)
    }
}
