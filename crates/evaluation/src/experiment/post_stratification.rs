//! Post-stratification (Miratrix, Sekhon and Yu 2013): effects within strata that were fixed before the
//! experiment, weighed by the strata's shares of all units.
//!
//! θ̂ = Σ wₕ(ȳₕ₁ − ȳₕ₀), of variance Σ wₕ²(s²ₕ₁/nₕ₁ + s²ₕ₀/nₕ₀) given the shares, plus
//! Σ wₕ(δₕ − θ̂)²/N as shares are themselves estimates of the population's. Helps as much as strata differ;
//! many small strata cost variance. Strata must not be something that treatment can change.

use super::metric::arm;
use super::{ArmEstimate, Contrast, ExperimentError, Metric, Moments};

/// The post-stratified contrast of a mean; a list of moments for each arm, by stratum. Strata in which
/// there is nobody at all are left out.
///
/// # Errors
/// Where lists have different lengths, or a stratum has fewer than 2 units of an arm.
pub fn post_stratified(column: usize, control: &[Moments], treatment: &[Moments]) -> Result<Contrast, ExperimentError> {
    if control.len() != treatment.len() {
        return Err(ExperimentError::Length { column: "strata of treatment".to_owned(), found: treatment.len(), expected: control.len() });
    }
    let total: f64 = control.iter().chain(treatment).map(|moments| moments.units() as f64).sum();
    let mut strata = Vec::new();
    for (stratum, (control, treatment)) in control.iter().zip(treatment).enumerate() {
        let units = control.units() + treatment.units();
        if units > 0 {
            let estimate = |moments, name| in_stratum(column, moments, stratum, name);
            strata.push((units as f64 / total, estimate(control, "control")?, estimate(treatment, "treatment")?));
        }
    }
    let value = |of: fn(&(f64, ArmEstimate, ArmEstimate)) -> f64| strata.iter().map(|stratum| stratum.0 * of(stratum)).sum::<f64>();
    let (low, high) = (value(|stratum| stratum.1.value), value(|stratum| stratum.2.value));
    // Between strata: variances and covariance of the arms' means over the random shares.
    let between = |one: &dyn Fn(&(f64, ArmEstimate, ArmEstimate)) -> f64, two: &dyn Fn(&(f64, ArmEstimate, ArmEstimate)) -> f64| {
        strata.iter().map(|stratum| stratum.0 * one(stratum) * two(stratum)).sum::<f64>() / total
    };
    let of_control = |stratum: &(f64, ArmEstimate, ArmEstimate)| stratum.1.value - low;
    let of_treatment = |stratum: &(f64, ArmEstimate, ArmEstimate)| stratum.2.value - high;
    let within = |of: fn(&(f64, ArmEstimate, ArmEstimate)) -> ArmEstimate| {
        let parts = || strata.iter().map(|stratum| (stratum.0 * stratum.0 * of(stratum).variance, of(stratum).df));
        let variance: f64 = parts().map(|(variance, _)| variance).sum();
        let units: u64 = strata.iter().map(|stratum| of(stratum).units).sum();
        let df = variance * variance / parts().map(|(variance, df)| variance * variance / df).sum::<f64>();
        (units, variance, df)
    };
    let (control, treatment) = (within(|stratum| stratum.1), within(|stratum| stratum.2));
    if control.1 + treatment.1 == 0.0 {
        return Err(ExperimentError::Constant { metric: format!("mean of column {column}"), arm: "every stratum".to_owned() });
    }
    Ok(Contrast {
        control: ArmEstimate::plain(control.0, low, control.1 + between(&of_control, &of_control), control.2),
        treatment: ArmEstimate::plain(treatment.0, high, treatment.1 + between(&of_treatment, &of_treatment), treatment.2),
        covariance: between(&of_control, &of_treatment),
    })
}

/// A stratum may well be constant: only the whole may not.
fn in_stratum(column: usize, moments: &Moments, stratum: usize, name: &str) -> Result<ArmEstimate, ExperimentError> {
    match arm(Metric::mean(column), moments, name) {
        Err(ExperimentError::Constant { .. }) => {
            let df = moments.units() as f64 - 1.0;
            Ok(ArmEstimate::plain(moments.units(), moments.mean(column), 0.0, df))
        }
        Err(ExperimentError::TooFewUnits { arm, units }) => Err(ExperimentError::EmptyStratum { stratum, arm, units }),
        other => other,
    }
}
