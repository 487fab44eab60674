//! Event study: two-way fixed effects with an effect for each period relative to the start.
//!
//! yᵢₜ = αᵢ + γₜ + Σ over k ≠ −1 of βₖ 1{t − startᵢ = k} + ε; the last period before the start is the reference. Coefficients with
//! k < −1 should be 0 under parallel trends: jointly tested by Hotelling's T² = bᵀV⁻¹b with the fewest degrees of freedom
//! (Satterthwaite's) of these coefficients; χ² or F with G − 1 alarm far too often with few treated clusters.
//!
//! A test that finds nothing proves nothing: it has little power against trends as large as the effect, and reporting only
//! campaigns that pass it biases effects (Roth 2022). [`super::relative_magnitudes`] says how large a violation would undo
//! the finding. With different starts and different effects, coefficients mix each other's periods (Sun and Abraham 2021):
//! use [`super::group_time_effects`].
//!
//! Jacobson, `LaLonde` and Sullivan 1993; clustered variance as in [`super::two_way_fixed_effects`].

use serde::Serialize;

use super::least_squares::{Fit, fit, hotelling, wald};
use super::panel::demean;
use super::result::{Check, CheckKind, Counts, Evidence, Observed, ObservedEffect, check_level, warning};
use super::two_by_two::{PARALLEL, few_clusters};
use super::{ObservationalError, Panel};

/// Which relative periods get a coefficient of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Periods before the start; farther ones share the farthest coefficient.
    pub before: usize,
    /// Periods from the start on, the first being 0; later ones share the last coefficient.
    pub after: usize,
}

/// An effect of one relative period.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct RelativeEffect {
    /// Periods since the start: negative before it.
    pub relative: i64,
    /// The estimate with its interval (for this coefficient alone).
    pub effect: ObservedEffect,
}

/// Coefficients of an event study.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct EventStudy {
    /// The mean of the coefficients from the start on, checks and warnings.
    pub observed: Observed,
    /// Coefficients, ascending, without the reference −1.
    pub coefficients: Vec<RelativeEffect>,
    /// Their covariances.
    pub covariance: Vec<Vec<f64>>,
}

/// Fits it. `None` gives every relative period a coefficient.
///
/// # Errors
/// Where nobody is treated, no unit is never treated (then coefficients aren't identified: Borusyak, Jaravel and Spiess
/// 2024), a treated unit has no period before, or a side has fewer than two clusters.
pub fn event_study(panel: &Panel, window: Option<Window>, level: f64) -> Result<EventStudy, ObservationalError> {
    check_level(level)?;
    let Coefficients { relative, fit, covariance, df: each_df } = coefficients(panel, window)?;
    let clusters = panel.cluster_count();
    let counts = Counts { treated: panel.treated(), untreated: panel.units() - panel.treated(), clusters };
    let effect = |value: f64, variance: f64, df: f64| ObservedEffect::student(value, variance.sqrt(), df, level, counts);
    let each = relative.iter().enumerate().map(|(at, &relative)| {
        let effect = effect(fit.coefficients[at], covariance[at][at], each_df[at]);
        RelativeEffect { relative, effect }
    });
    let coefficients: Vec<RelativeEffect> = each.collect();
    let after: Vec<usize> = (0..relative.len()).filter(|&at| relative[at] >= 0).collect();
    let many = after.len() as f64;
    let mean = after.iter().map(|&at| fit.coefficients[at]).sum::<f64>() / many;
    let variance =
        after.iter().flat_map(|&one| after.iter().map(move |&two| (one, two))).map(|(one, two)| covariance[one][two]).sum::<f64>();
    let mut warnings: Vec<_> = few_clusters(panel).into_iter().collect();
    if panel.common_start(2).is_err() {
        warnings.push(warning(
            "staggered_event_study",
            "starts differ: if effects do too, coefficients before the start pick up effects after it and the other way round. Use group-time effects",
        ));
    }
    let observed = Observed {
        evidence: Evidence::Observational,
        method: "event study",
        assumption: PARALLEL,
        effect: effect(mean, variance / (many * many), fewest(&each_df, &after)),
        checks: joint(&relative, &fit.coefficients, &covariance, &each_df)?.into_iter().collect(),
        warnings,
    };
    Ok(EventStudy { observed, coefficients, covariance })
}

/// Joint test of the coefficients before the start; `None` where there is only the reference.
pub(super) fn pre_trend(panel: &Panel) -> Result<Option<Check>, ObservationalError> {
    // More periods than some ten leave the test no power, and fewer clusters than periods no degrees of freedom.
    let before = panel.starts().iter().flatten().max().copied().unwrap_or(0);
    let fewest = [true, false].map(|side| panel.clusters_of(|unit| panel.starts()[unit].is_some() == side)).into_iter().min();
    let most = before.min(9).min(fewest.unwrap_or(0) / 3 + 1);
    if most < 2 {
        return Ok(None);
    }
    match coefficients(panel, Some(Window { before: most, after: panel.periods() })) {
        Err(ObservationalError::Dependent { .. }) => Ok(None),
        found => {
            let Coefficients { relative, fit, covariance, df } = found?;
            joint(&relative, &fit.coefficients, &covariance, &df)
        }
    }
}

fn fewest(df: &[f64], chosen: &[usize]) -> f64 {
    chosen.iter().map(|&at| df[at]).fold(f64::INFINITY, f64::min)
}

fn joint(relative: &[i64], values: &[f64], covariance: &[Vec<f64>], df: &[f64]) -> Result<Option<Check>, ObservationalError> {
    let before: Vec<usize> = (0..relative.len()).filter(|&at| relative[at] < -1).collect();
    let (many, df) = (before.len(), fewest(df, &before));
    if before.is_empty() || df < many as f64 {
        return Ok(None);
    }
    let values: Vec<f64> = before.iter().map(|&at| values[at]).collect();
    let variance: Vec<Vec<f64>> = before.iter().map(|&one| before.iter().map(|&two| covariance[one][two]).collect()).collect();
    let statistic = match wald(&values, &variance, "coefficients before the start") {
        // Too few treated clusters for so many coefficients.
        Err(ObservationalError::Dependent { .. }) => return Ok(None),
        other => other?,
    };
    let reads = format!(
        "Hotelling's T² with {df:.1} degrees of freedom that all {many} coefficients before the start are 0; an alarm says that treated and untreated units were moving apart before"
    );
    Ok(hotelling(statistic, many as f64, df).map(|p_value| Check::new(CheckKind::PreTrend, statistic, p_value, reads)))
}

struct Coefficients {
    relative: Vec<i64>,
    fit: Fit,
    covariance: Vec<Vec<f64>>,
    df: Vec<f64>,
}

fn coefficients(panel: &Panel, window: Option<Window>) -> Result<Coefficients, ObservationalError> {
    panel.check_clusters(2)?;
    if panel.starts().contains(&Some(0)) {
        return Err(ObservationalError::NoPrePeriod { periods: 0, needed: 1 });
    }
    let whole = |place: usize| i64::try_from(place).unwrap_or(i64::MAX);
    let (before, after) = window.map_or((i64::MIN, i64::MAX), |window| (-whole(window.before.max(1)), whole(window.after)));
    let periods = panel.periods();
    let of = |unit: usize, period: usize| panel.starts()[unit].map(|start| (whole(period) - whole(start)).clamp(before, after));
    let cells: Vec<Option<i64>> = (0..panel.units()).flat_map(|unit| (0..periods).map(move |period| of(unit, period))).collect();
    let mut relative: Vec<i64> = cells.iter().flatten().copied().filter(|&relative| relative != -1).collect();
    relative.sort_unstable();
    relative.dedup();
    let columns: Vec<Vec<f64>> = relative
        .iter()
        .map(|&wanted| demean(&cells.iter().map(|cell| f64::from(u8::from(*cell == Some(wanted)))).collect::<Vec<f64>>(), periods))
        .collect();
    let design: Vec<Vec<f64>> = (0..cells.len()).map(|row| columns.iter().map(|column| column[row]).collect()).collect();
    let fit = fit(&design, &panel.demeaned(), "relative periods")?;
    let cluster: Vec<usize> = panel.clusters().iter().flat_map(|&cluster| std::iter::repeat_n(cluster, periods)).collect();
    let (covariance, df) = fit.clustered(&design, &cluster, &panel.treated_clusters(), relative.len() + periods);
    if covariance.iter().enumerate().any(|(at, row)| row[at].is_nan() || row[at] <= 0.0) {
        return Err(ObservationalError::Constant { what: "the outcome less unit, period and relative-period effects".to_owned() });
    }
    Ok(Coefficients { relative, fit, covariance, df })
}
