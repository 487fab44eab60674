//! Whether the arms were alike before the experiment.
//!
//! The standardised difference of a covariate is (x̄₁ − x̄₀)/√((s₁² + s₀²)/2); .1 is the usual limit of
//! what needs no explanation (Austin 2009). All covariates together are tested by
//! dᵀ(S₁/n₁ + S₀/n₀)⁻¹d ~ χ²ₖ, which a lot fails at its level only.

use serde::Serialize;

use super::solve::{dot, inverse, product};
use super::special::chi2_sf;
use super::{ExperimentError, Metric, Moments, Warning};

/// One covariate's difference.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CovariateBalance {
    /// Its name.
    pub covariate: String,
    /// The standardised difference; 0 where the covariate doesn't vary.
    pub standardised: f64,
    /// Lower end of its 95 % interval.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

/// All covariates.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Balance {
    /// One by one.
    pub covariates: Vec<CovariateBalance>,
    /// The joint test's statistic.
    pub statistic: f64,
    /// Its degrees of freedom.
    pub df: u64,
    /// Its p-value.
    pub p_value: f64,
    /// Units of both arms.
    pub n: u64,
}

/// Compares covariates: what each is (a column's mean, or of clusters a mean per row), and its name.
///
/// # Errors
/// Where an arm has fewer than 2 units, a denominator is 0, or covariates are linearly dependent.
pub fn balance<M: Copy + Into<Metric>>(
    covariates: &[(M, &str)],
    control: &Moments,
    treatment: &Moments,
) -> Result<Balance, ExperimentError> {
    let covariates: Vec<(Metric, &str)> = covariates.iter().map(|&(metric, name)| (metric.into(), name)).collect();
    for (moments, arm) in [(control, "control"), (treatment, "treatment")] {
        if moments.units() < 2 {
            return Err(ExperimentError::TooFewUnits { arm: arm.to_owned(), units: moments.units() });
        }
        moments.check_columns(covariates.iter().flat_map(|(metric, _)| metric.columns()))?;
    }
    let (n, m) = (control.units() as f64, treatment.units() as f64);
    let apart = |metric: Metric| metric.value(treatment) - metric.value(control);
    let each = covariates.iter().map(|&(metric, name)| {
        let spread = f64::midpoint(metric.covariance(metric, control), metric.covariance(metric, treatment)).sqrt();
        let standardised = if spread > 0.0 { apart(metric) / spread } else { 0.0 };
        // Hedges and Olkin (1985).
        let half = 1.959_963_984_540_054 * (1.0 / n + 1.0 / m + standardised * standardised / (2.0 * (n + m))).sqrt();
        CovariateBalance { covariate: name.to_owned(), standardised, low: standardised - half, high: standardised + half }
    });
    let covariance = |one: Metric, two: Metric| one.covariance(two, control) / n + one.covariance(two, treatment) / m;
    let varying: Vec<Metric> = covariates.iter().map(|&(metric, _)| metric).filter(|&metric| covariance(metric, metric) > 0.0).collect();
    let difference: Vec<f64> = varying.iter().map(|&metric| apart(metric)).collect();
    let matrix: Vec<Vec<f64>> = varying.iter().map(|&one| varying.iter().map(|&two| covariance(one, two)).collect()).collect();
    let statistic = dot(&difference, &product(&inverse(&matrix)?, &difference));
    let p_value = if varying.is_empty() { 1.0 } else { chi2_sf(statistic, varying.len() as f64) };
    Ok(Balance { covariates: each.collect(), statistic, df: varying.len() as u64, p_value, n: control.units() + treatment.units() })
}

impl Balance {
    /// A warning where the joint test's p-value is below `alarm`.
    pub fn warning(&self, alarm: f64) -> Option<Warning> {
        let worst = self.covariates.iter().max_by(|one, two| one.standardised.abs().total_cmp(&two.standardised.abs()))?;
        (self.p_value < alarm).then(|| {
            let message = format!(
                "arms differ before the experiment (joint p = {:.2e}; most in {}, by {:.3} standard deviations): assignment wasn't by lot alone, or a covariate was changed by treatment. Effects contain that difference; adjusting removes the part that these covariates explain and no more",
                self.p_value, worst.covariate, worst.standardised
            );
            Warning::new("covariate_imbalance", message)
        })
    }
}
