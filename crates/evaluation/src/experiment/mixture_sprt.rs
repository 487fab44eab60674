//! The mixture sequential probability ratio test (Johari, Pekelis and Walsh 2022, Operations Research,
//! "Always valid inference"; Robbins 1970): the likelihood ratio of the effect averaged over a normal
//! distribution of effects N(0, τ²) against no effect.
//!
//! With v the variance of the estimate θ, Λ = √(v/(v + τ²)) exp(τ² θ²/(2v(v + τ²))); the p-value is 1/Λ and
//! the interval θ ± √(v(v + τ²)/τ² · (2 ln(1/α) + ln((v + τ²)/v))). Exact for normal data of known variance, else
//! valid in the limit. τ is the size of effects worth finding: the interval is tightest for them. Keep it fixed
//! over looks, and choose it before the data.

use super::frequentist::check_share;
use super::{AlwaysValid, Contrast, ExperimentError, Scale};

/// Settings of the test.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MixtureSprt {
    /// Chance of covering at all looks together, such as .95.
    pub level: f64,
    /// τ: standard deviation of effects, in the scale's unit, above 0.
    pub tau: f64,
}

/// The test at this look.
///
/// # Errors
/// Where settings are out of range or a relative effect has no baseline.
pub fn mixture_sprt(contrast: &Contrast, scale: Scale, settings: MixtureSprt) -> Result<AlwaysValid, ExperimentError> {
    check_share("level", settings.level, "a chance of covering of 0 or 1 gives an empty or an endless interval")?;
    if !(settings.tau > 0.0 && settings.tau.is_finite()) {
        let consequence = "a mixture of no effects never rejects; give the size of effect worth finding";
        return Err(ExperimentError::Setting { name: "tau", value: settings.tau, needed: "a number above 0 is needed", consequence });
    }
    let (value, variance) = match scale {
        Scale::Absolute => contrast.absolute(),
        Scale::Relative => contrast.relative()?,
    };
    let mixing = settings.tau.powi(2);
    let grown = mixing / variance;
    let log_ratio = -0.5 * grown.ln_1p() + mixing * value * value / (2.0 * variance * (variance + mixing));
    let half = (variance * (variance + mixing) / mixing * (-2.0 * (1.0 - settings.level).ln() + grown.ln_1p())).sqrt();
    Ok(AlwaysValid {
        scale,
        value,
        low: value - half,
        high: value + half,
        level: settings.level,
        std_error: variance.sqrt(),
        p_value: (-log_ratio).exp().min(1.0),
        n_control: contrast.control.units,
        n_treatment: contrast.treatment.units,
    })
}
