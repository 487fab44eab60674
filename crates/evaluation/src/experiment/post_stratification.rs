//! Post-stratification (Miratrix, Sekhon and Yu 2013): effects within strata that were fixed before the
//! experiment, weighed by the strata's shares of all units.
//!
//! An arm's mean is Σ wₕ ȳₕ, of variance Σ wₕ² s²ₕ/nₕ given the shares, plus Σ wₕ(ȳₕ − ȳ)²/N as shares are
//! themselves estimates of the population's; the latter part arms have in common, so that the effect's is
//! Σ wₕ(δₕ − δ)²/N. A ratio is that of post-stratified means, linearised at them. Helps as much as strata
//! differ; many small strata cost variance. Strata must not be something that treatment can change.

use super::{ArmEstimate, Contrast, ExperimentError, Metric, Moments};

/// What a stratum says of an arm's linearised metric.
struct Stratum {
    share: f64,
    units: u64,
    /// From the arm's value.
    apart: f64,
    /// Of the stratum's mean.
    variance: f64,
}

/// The post-stratified contrast; a list of moments for each arm, by stratum. Strata in which there is
/// nobody at all are left out.
///
/// # Errors
/// Where lists have different lengths, a stratum has fewer than 2 units of an arm, a denominator is 0, or
/// the metric is the same for every unit of every stratum.
pub fn post_stratified(metric: Metric, control: &[Moments], treatment: &[Moments]) -> Result<Contrast, ExperimentError> {
    if control.len() != treatment.len() {
        return Err(ExperimentError::Length { column: "strata of treatment".to_owned(), found: treatment.len(), expected: control.len() });
    }
    let sizes: Vec<u64> = control.iter().zip(treatment).map(|(control, treatment)| control.units() + treatment.units()).collect();
    let total = sizes.iter().sum::<u64>() as f64;
    let shares: Vec<f64> = sizes.iter().map(|&size| size as f64 / total).collect();
    let (low, control) = of_arm(metric, &shares, control, "control")?;
    let (high, treatment) = of_arm(metric, &shares, treatment, "treatment")?;
    let between =
        |one: &[Stratum], two: &[Stratum]| one.iter().zip(two).map(|(one, two)| one.share * one.apart * two.apart).sum::<f64>() / total;
    let estimate = |value: f64, strata: &[Stratum]| {
        let parts = || strata.iter().map(|stratum| (stratum.share * stratum.share * stratum.variance, stratum.units as f64 - 1.0));
        let within: f64 = parts().map(|(variance, _)| variance).sum();
        let df = within * within / parts().map(|(variance, df)| variance * variance / df).sum::<f64>();
        let units = strata.iter().map(|stratum| stratum.units).sum();
        if within > 0.0 { Some(ArmEstimate::plain(units, value, within + between(strata, strata), df)) } else { None }
    };
    let constant = |arm: &str| ExperimentError::Constant { metric: "metric within strata".to_owned(), arm: arm.to_owned() };
    Ok(Contrast {
        control: estimate(low, &control).ok_or_else(|| constant("control"))?,
        treatment: estimate(high, &treatment).ok_or_else(|| constant("treatment"))?,
        covariance: between(&control, &treatment),
    })
}

/// The arm's value and its strata.
fn of_arm(metric: Metric, shares: &[f64], strata: &[Moments], arm: &str) -> Result<(f64, Vec<Stratum>), ExperimentError> {
    for moments in strata {
        moments.check_columns(metric.columns())?;
    }
    let with_units = || shares.iter().zip(strata).enumerate().filter(|(_, (share, _))| **share > 0.0);
    if let Some((stratum, (_, moments))) = with_units().find(|(_, (_, moments))| moments.units() < 2) {
        return Err(ExperimentError::EmptyStratum { stratum, arm: arm.to_owned(), units: moments.units() });
    }
    let columns = metric.columns().max().map_or(0, |column| column + 1);
    let means: Vec<f64> = (0..columns).map(|column| with_units().map(|(_, (share, moments))| share * moments.mean(column)).sum()).collect();
    let whole = Moments::from_parts(0, means, vec![0.0; columns * (columns + 1) / 2]);
    if let Some(mean) = metric.denominator.map(|denominator| whole.mean(denominator)).filter(|&mean| mean == 0.0) {
        return Err(ExperimentError::ZeroDenominator { metric: "post-stratified ratio".to_owned(), arm: arm.to_owned(), mean });
    }
    let weights = metric.weights(&whole);
    let of_stratum = |(share, moments): (&f64, &Moments)| {
        let pairs = weights.iter().flat_map(|one| weights.iter().map(move |two| (one, two)));
        let variance: f64 = pairs.map(|(one, two)| one.1 * two.1 * moments.covariance(one.0, two.0)).sum();
        Stratum {
            share: *share,
            units: moments.units(),
            apart: weights.iter().map(|(column, weight)| weight * (moments.mean(*column) - whole.mean(*column))).sum(),
            variance: variance.max(0.0) / moments.units() as f64,
        }
    };
    Ok((metric.value(&whole), with_units().map(|(_, stratum)| of_stratum(stratum)).collect()))
}
