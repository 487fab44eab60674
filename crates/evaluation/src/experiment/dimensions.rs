//! Effects by a breakdown — country, device, new or known customer — with multiplicity.
//!
//! A breakdown by something that treatment can change compares different people and is no effect.
//! The adjusted p-values say where there is an effect; whether effects **differ** is another question,
//! answered by Cochran's Q (1954): Σ wᵢ(δᵢ − δ̄)², w = 1/variance, against χ² with values − 1 degrees of freedom.

use serde::Serialize;

use super::multiplicity::{Adjust, adjust};
use super::special::chi2_sf;
use super::{Contrast, Effect, ExperimentError, Frequentist, Scale, Sequential, confidence_sequence, frequentist};

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

/// When a breakdown's intervals and p-values hold.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Judge {
    /// At one look.
    Fixed(Frequentist),
    /// Whenever they are looked at; Cochran's Q is for one look all the same.
    Always(Sequential),
}

impl Judge {
    /// The effect of a contrast.
    ///
    /// # Errors
    /// As [`frequentist`] and [`confidence_sequence`].
    pub fn effect(self, contrast: &Contrast, scale: Scale) -> Result<Effect, ExperimentError> {
        scale.check(contrast)?;
        match self {
            Self::Fixed(settings) => frequentist(contrast, scale, settings),
            Self::Always(settings) => confidence_sequence(contrast, scale, settings).map(Effect::from),
        }
    }
}

/// Effects by value: its name and what two arms say of it. A value in which an arm has too few units has no effect and
/// doesn't count as a hypothesis.
pub fn breakdown(values: Vec<(&str, Result<Contrast, ExperimentError>)>, scale: Scale, judge: Judge, method: Adjust) -> Breakdown {
    let effects: Vec<(&str, Result<Effect, ExperimentError>)> =
        values.into_iter().map(|(name, contrast)| (name, contrast.and_then(|contrast| judge.effect(&contrast, scale)))).collect();
    let p_values: Vec<f64> = effects.iter().map(|(_, effect)| effect.as_ref().map_or(f64::NAN, |effect| effect.p_value)).collect();
    let adjusted = adjust(&p_values, method);
    let known: Vec<&Effect> = effects.iter().filter_map(|(_, effect)| effect.as_ref().ok()).collect();
    let weight = |effect: &Effect| 1.0 / effect.std_error.powi(2);
    let whole: f64 = known.iter().map(|effect| weight(effect)).sum();
    let centre = known.iter().map(|effect| weight(effect) * effect.value).sum::<f64>() / whole;
    let heterogeneity: f64 = known.iter().map(|effect| weight(effect) * (effect.value - centre).powi(2)).sum();
    let heterogeneity_p = if known.len() < 2 { 1.0 } else { chi2_sf(heterogeneity, known.len() as f64 - 1.0) };
    let n = known.len();
    let rows = effects.iter().zip(&adjusted).map(|((name, effect), &adjusted)| DimensionEffect {
        dimension: (*name).to_owned(),
        effect: effect.as_ref().ok().copied(),
        adjusted_p: (!adjusted.is_nan()).then_some(adjusted),
        problem: effect.as_ref().err().map(ToString::to_string),
    });
    Breakdown { effects: rows.collect(), heterogeneity, heterogeneity_p, n }
}
