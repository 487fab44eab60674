//! Difference in differences, before and after.
//!
//! τ̂ = mean over treated of (ȳ after − ȳ before) − the same mean over untreated units. One start for all.
//!
//! Assumes parallel trends: without the campaign, treated units' mean would have changed as untreated units' did. Fails where
//! treated units were chosen because they were about to change: targeting lapsing customers finds those who would have come
//! back anyway (Ashenfelter's dip, 1978), targeting recent buyers finds those who would have calmed down. Fails also where
//! the campaign reaches untreated units.
//!
//! The variance is that of unit means of changes with clusters as independent draws, G/(G − 1) · (n − 1)/(n − 2), Student's
//! t with Satterthwaite's degrees of freedom: collapsing to before and after leaves serial correlation no place (Bertrand, Duflo and
//! Mullainathan 2004). Too narrow for fewer than some ten treated clusters (`MacKinnon` and Webb 2017).
//!
//! Ashenfelter and Card 1985; Card and Krueger 1994.

use super::event_study::pre_trend;
use super::least_squares::satterthwaite;
use super::placebo::{dealt_among_untreated, earlier_start};
use super::result::{Counts, Evidence, Observed, ObservedEffect, check_level, warning};
use super::{ObservationalError, Panel};
use crate::experiment::Warning;

pub(super) const PARALLEL: &str = "parallel trends: without the campaign the treated units' mean outcome would have changed by as much as the untreated units' mean did, nobody changed in anticipation, and the campaign didn't reach untreated units";

/// Settings of difference in differences.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DidSettings {
    /// Chance of covering.
    pub level: f64,
    /// Deals of the placebo in space: how often untreated units are treated by lot in thought. 0 leaves it out.
    pub placebo_draws: usize,
    /// Seed of the deals.
    pub seed: u64,
}

impl Default for DidSettings {
    fn default() -> Self {
        Self { level: 0.95, placebo_draws: 199, seed: 0 }
    }
}

/// Effect per unit and period on treated units, with checks: joint pre-trend (with at least two periods before), a start
/// halfway through the periods before, and untreated clusters as if treated.
///
/// # Errors
/// Where starts differ, there is no period before, a side has fewer than two clusters, or changes don't vary.
pub fn difference_in_differences(panel: &Panel, settings: DidSettings) -> Result<Observed, ObservationalError> {
    let effect = effect(panel, settings.level)?;
    let mut checks = vec![];
    checks.extend(pre_trend(panel)?);
    checks.extend(earlier_start(panel, |panel| difference(panel, settings.level))?);
    checks.extend(dealt_among_untreated(panel, &effect, settings, |panel| difference(panel, settings.level)));
    let warnings = few_clusters(panel).into_iter().collect();
    Ok(Observed { evidence: Evidence::Observational, method: "difference in differences", assumption: PARALLEL, effect, checks, warnings })
}

fn effect(panel: &Panel, level: f64) -> Result<ObservedEffect, ObservationalError> {
    check_level(level)?;
    panel.common_start(2)?;
    difference(panel, level)
}

/// The estimate without its checks.
pub(super) fn difference(panel: &Panel, level: f64) -> Result<ObservedEffect, ObservationalError> {
    let start = panel.common_start(2)?;
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let changes: Vec<f64> =
        (0..panel.units()).map(|unit| mean(&panel.series(unit)[start..]) - mean(&panel.series(unit)[..start])).collect();
    let treated: Vec<bool> = panel.starts().iter().map(Option::is_some).collect();
    let of = |side: bool| {
        let chosen: Vec<f64> = changes.iter().zip(&treated).filter(|(_, is)| **is == side).map(|(change, _)| *change).collect();
        (mean(&chosen), chosen.len())
    };
    let ((after, many), (without, others)) = (of(true), of(false));
    let mut scores = vec![0.0; panel.cluster_count()];
    for ((change, is), &cluster) in changes.iter().zip(&treated).zip(panel.clusters()) {
        scores[cluster] += if *is { (change - after) / many as f64 } else { -(change - without) / others as f64 };
    }
    let (clusters, units) = (scores.len() as f64, panel.units() as f64);
    let squares: f64 = scores.iter().map(|score| score * score).sum();
    let std_error = (squares * clusters / (clusters - 1.0) * (units - 1.0) / (units - 2.0)).sqrt();
    if std_error <= 1e-12 * (after.abs() + without.abs()) {
        return Err(ObservationalError::Constant { what: "the change from before to after".to_owned() });
    }
    let counts = Counts { treated: many, untreated: others, clusters: scores.len() };
    let df = satterthwaite(&scores, &panel.treated_clusters());
    Ok(ObservedEffect::student(after - without, std_error, df, level, counts))
}

/// Too few treated clusters for their variance to be believed.
pub(super) fn few_clusters(panel: &Panel) -> Option<Warning> {
    let few = |treated: bool| panel.clusters_of(|unit| panel.starts()[unit].is_some() == treated);
    let fewest = few(true).min(few(false));
    (fewest < 10).then(|| {
        warning(
            "few_clusters",
            format!(
                "only {fewest} clusters on one side: the variance between them is estimated from so few that intervals are too narrow and tests reject too often. Compare with the placebo in space, or use synthetic control"
            ),
        )
    })
}
