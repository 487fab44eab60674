//! Two-way fixed effects: y = αᵢ + γₜ + β Dᵢₜ + ε, over many periods and starts.
//!
//! β̂ = Σ D̃y / Σ D̃², D̃ being treatment less unit and period means plus the mean of all (Frisch, Waugh and Lovell).
//! Clustered variance with G/(G − 1) · (N − 1)/(N − K), K = 1 + periods: unit effects are nested in clusters and don't
//! count, as in `fixest`. Student's t with Satterthwaite's degrees of freedom (treated and
//! untreated clusters apart).
//!
//! Assumes parallel trends **and**, where starts differ, the same effect for everyone at every time: units already treated
//! serve as controls, some treated cells get negative weights, and β̂ may have the wrong sign though every effect is positive
//! (Goodman-Bacon 2021; de Chaisemartin and D'Haultfœuille 2020). The share of negative weights is reported;
//! [`super::group_time_effects`] does without them.

use super::event_study::pre_trend;
use super::least_squares::satterthwaite;
use super::panel::demean;
use super::placebo::{dealt_among_untreated, earlier_start};
use super::result::{Counts, Evidence, Observed, ObservedEffect, check_level, warning};
use super::two_by_two::{DidSettings, PARALLEL, few_clusters};
use super::{ObservationalError, Panel};

/// A coefficient of treatment with the weights that it is made of.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct TwoWay {
    /// The estimate, its checks and warnings.
    pub observed: Observed,
    /// Sum of the negative weights over the sum of all weights' sizes, over treated cells. 0 for one common start.
    pub negative_weights: f64,
}

/// The coefficient of treatment. For one common start also the checks of [`super::difference_in_differences`].
///
/// # Errors
/// Where nobody is treated or untreated, a treated unit has no period before, a side has fewer than two clusters, or nothing
/// varies.
pub fn two_way_fixed_effects(panel: &Panel, settings: DidSettings) -> Result<TwoWay, ObservationalError> {
    check_level(settings.level)?;
    let (effect, negative_weights) = coefficient(panel, settings.level)?;
    let mut warnings: Vec<_> = few_clusters(panel).into_iter().collect();
    let mut checks = vec![];
    if panel.common_start(2).is_ok() {
        let estimate = |panel: &Panel| coefficient(panel, settings.level).map(|found| found.0);
        checks.extend(pre_trend(panel)?);
        checks.extend(earlier_start(panel, estimate)?);
        checks.extend(dealt_among_untreated(panel, &effect, settings, estimate));
    } else {
        checks.extend(pre_trend(panel)?);
        warnings.push(warning(
            "staggered_two_way",
            format!(
                "starts differ: units already treated serve as controls ({:.1} % of all weight is negative), so that the coefficient is no average effect unless the effect is the same for everyone at every time. Use group-time effects",
                100.0 * negative_weights
            ),
        ));
    }
    let observed =
        Observed { evidence: Evidence::Observational, method: "two-way fixed effects", assumption: PARALLEL, effect, checks, warnings };
    Ok(TwoWay { observed, negative_weights })
}

fn coefficient(panel: &Panel, level: f64) -> Result<(ObservedEffect, f64), ObservationalError> {
    panel.check_clusters(2)?;
    if panel.starts().contains(&Some(0)) {
        return Err(ObservationalError::NoPrePeriod { periods: 0, needed: 1 });
    }
    let periods = panel.periods();
    let is = |unit: usize, period: usize| panel.starts()[unit].is_some_and(|start| period >= start);
    let cells = || (0..panel.units()).flat_map(|unit| (0..periods).map(move |period| (unit, period)));
    let treatment: Vec<f64> = cells().map(|(unit, period)| f64::from(u8::from(is(unit, period)))).collect();
    let treatment = demean(&treatment, periods);
    let outcome = panel.demeaned();
    let squares: f64 = treatment.iter().map(|cell| cell * cell).sum();
    let value = treatment.iter().zip(&outcome).map(|(cell, value)| cell * value).sum::<f64>() / squares;
    let mut scores = vec![0.0; panel.cluster_count()];
    let (mut positive, mut negative) = (0.0, 0.0);
    for ((unit, period), (cell, left)) in cells().zip(treatment.iter().zip(&outcome)) {
        scores[panel.clusters()[unit]] += cell * (left - value * cell);
        if is(unit, period) {
            *(if *cell < 0.0 { &mut negative } else { &mut positive }) += cell.abs();
        }
    }
    let (clusters, rows) = (scores.len() as f64, outcome.len() as f64);
    let factor = clusters / (clusters - 1.0) * (rows - 1.0) / (rows - 1.0 - periods as f64);
    let std_error = (scores.iter().map(|score| score * score).sum::<f64>() * factor).sqrt() / squares;
    if std_error.is_nan() || std_error <= 1e-12 * value.abs() {
        return Err(ObservationalError::Constant { what: "the outcome less unit and period effects".to_owned() });
    }
    let counts = Counts { treated: panel.treated(), untreated: panel.units() - panel.treated(), clusters: scores.len() };
    let df = satterthwaite(&scores, &panel.treated_clusters());
    Ok((ObservedEffect::student(value, std_error, df, level, counts), negative / (positive + negative)))
}
