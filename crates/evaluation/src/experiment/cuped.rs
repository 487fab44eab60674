//! CUPED (Deng, Xu, Kohavi and Walker 2013): a metric less θ times what is known of the units from before
//! the experiment, which the treatment can't have changed.
//!
//! θ = Σxx⁻¹ Σxy over both arms together, of one covariate or several, of means or ratios (both linearised,
//! Deng, Knoblich and Lu 2018). The variance falls by the factor 1 − ρ², ρ the correlation of metric and
//! covariate. A covariate that isn't from before the experiment biases the effect by θ times its own effect:
//! the check of balance shows it.

use super::metric::arm;
use super::solve::{dot, inverse, product, quadratic};
use super::{ArmEstimate, Contrast, ExperimentError, Metric, Moments};

/// An adjusted contrast and how it was adjusted.
#[derive(Debug, Clone, PartialEq)]
pub struct Cuped {
    /// The contrast.
    pub contrast: Contrast,
    /// θ of each covariate.
    pub theta: Vec<f64>,
    /// Share of the effect's variance that is gone: ρ² in theory.
    pub variance_reduction: f64,
}

/// Adjusts a metric. A covariate that doesn't vary is left out (θ = 0).
///
/// # Errors
/// As [`super::unadjusted`], and where covariates are linearly dependent.
pub fn cuped(metric: Metric, covariates: &[Metric], control: &Moments, treatment: &Moments) -> Result<Cuped, ExperimentError> {
    let plain = super::unadjusted(metric, control, treatment)?;
    for moments in [control, treatment] {
        moments.check_columns(covariates.iter().flat_map(|covariate| covariate.columns()))?;
    }
    let total = control.merged(treatment);
    let theta = coefficients(metric, covariates, &total)?;
    let adjusted = |moments: &Moments, name| adjust(metric, covariates, &theta, moments, &total, name);
    let contrast = Contrast::independent(adjusted(control, "control")?, adjusted(treatment, "treatment")?);
    let variance_reduction = 1.0 - contrast.absolute().1 / plain.absolute().1;
    Ok(Cuped { contrast, theta, variance_reduction })
}

fn coefficients(metric: Metric, covariates: &[Metric], total: &Moments) -> Result<Vec<f64>, ExperimentError> {
    let varying: Vec<usize> = (0..covariates.len()).filter(|&place| covariates[place].check(total, "both arms").is_ok()).collect();
    let matrix: Vec<Vec<f64>> =
        varying.iter().map(|&one| varying.iter().map(|&two| covariates[one].covariance(covariates[two], total)).collect()).collect();
    let with: Vec<f64> = varying.iter().map(|&place| covariates[place].covariance(metric, total)).collect();
    let solved = product(&inverse(&matrix)?, &with);
    let mut theta = vec![0.0; covariates.len()];
    varying.iter().zip(solved).for_each(|(&place, value)| theta[place] = value);
    Ok(theta)
}

fn adjust(
    metric: Metric,
    covariates: &[Metric],
    theta: &[f64],
    moments: &Moments,
    total: &Moments,
    name: &str,
) -> Result<ArmEstimate, ExperimentError> {
    let plain = arm(metric, moments, name)?;
    let n = moments.units() as f64;
    let used = |place: usize| theta[place] != 0.0;
    let places: Vec<usize> = (0..covariates.len()).filter(|&place| used(place)).collect();
    let theta: Vec<f64> = places.iter().map(|&place| theta[place]).collect();
    let shifts: Vec<f64> = places.iter().map(|&place| covariates[place].value(moments) - covariates[place].value(total)).collect();
    let with: Vec<f64> = places.iter().map(|&place| covariates[place].covariance(metric, moments) / n).collect();
    let among: Vec<Vec<f64>> =
        places.iter().map(|&one| places.iter().map(|&two| covariates[one].covariance(covariates[two], moments) / n).collect()).collect();
    let variance = plain.variance - 2.0 * dot(&theta, &with) + quadratic(&among, &theta);
    if variance <= 64.0 * f64::EPSILON * plain.variance {
        return Err(ExperimentError::Constant { metric: "metric less its covariates".to_owned(), arm: name.to_owned() });
    }
    Ok(ArmEstimate { value: plain.value - dot(&theta, &shifts), variance, raw_covariance: plain.variance - dot(&theta, &with), ..plain })
}
