//! Effects by a breakdown — country, device, new or known customer — with multiplicity.
//!
//! A breakdown by something that treatment can change compares different people and is no effect.
//! The adjusted p-values say where there is an effect; whether effects **differ** is another question,
//! answered by Cochran's Q (1954): Σ wᵢ(δᵢ − δ̄)², w = 1/variance, against χ² with values − 1 degrees of freedom.

use serde::Serialize;

use super::multiplicity::{Adjust, adjust};
use super::special::chi2_sf;
use super::{Effect, ExperimentError, Frequentist, Metric, Moments, Scale, frequentist, unadjusted};

/// One value's effect.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DimensionEffect {
    /// The value.
    pub dimension: String,
    /// Its effect; `None` where it can't be estimated.
    pub effect: Option<Effect>,
    /// Its p-value, adjusted for the number of values.
    pub adjusted_p: Option<f64>,
    /// Why there is no effect.
    pub problem: Option<String>,
}

/// A whole breakdown.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Breakdown {
    /// Value by value.
    pub effects: Vec<DimensionEffect>,
    /// Cochran's Q.
    pub heterogeneity: f64,
    /// Chance of such a Q were all effects the same.
    pub heterogeneity_p: f64,
    /// Values that it rests on.
    pub n: usize,
}

/// Effects by value: its name, control's and treatment's statistics. A value in which an arm has too few
/// units has no effect and doesn't count as a hypothesis.
pub fn breakdown(metric: Metric, values: &[(&str, &Moments, &Moments)], scale: Scale, settings: Frequentist, method: Adjust) -> Breakdown {
    let effect = |control: &Moments, treatment: &Moments| -> Result<Effect, ExperimentError> {
        frequentist(&unadjusted(metric, control, treatment)?, scale, settings)
    };
    let effects: Vec<Result<Effect, ExperimentError>> = values.iter().map(|(_, control, treatment)| effect(control, treatment)).collect();
    let p_values: Vec<f64> = effects.iter().map(|effect| effect.as_ref().map_or(f64::NAN, |effect| effect.p_value)).collect();
    let adjusted = adjust(&p_values, method);
    let known: Vec<&Effect> = effects.iter().filter_map(|effect| effect.as_ref().ok()).collect();
    let weight = |effect: &Effect| 1.0 / effect.std_error.powi(2);
    let whole: f64 = known.iter().map(|effect| weight(effect)).sum();
    let centre = known.iter().map(|effect| weight(effect) * effect.value).sum::<f64>() / whole;
    let heterogeneity: f64 = known.iter().map(|effect| weight(effect) * (effect.value - centre).powi(2)).sum();
    let heterogeneity_p = if known.len() < 2 { 1.0 } else { chi2_sf(heterogeneity, known.len() as f64 - 1.0) };
    let n = known.len();
    let rows = values.iter().zip(&effects).zip(&adjusted).map(|(((name, _, _), effect), &adjusted)| DimensionEffect {
        dimension: (*name).to_owned(),
        effect: effect.as_ref().ok().copied(),
        adjusted_p: (!adjusted.is_nan()).then_some(adjusted),
        problem: effect.as_ref().err().map(ToString::to_string),
    });
    Breakdown { effects: rows.collect(), heterogeneity, heterogeneity_p, n }
}
