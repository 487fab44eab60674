//! The posterior of an effect under a normal prior: what gbstats 0.8 calls its effect model.
//!
//! The data enter as a normal likelihood N(effect, its sampling variance) — right for many units — and
//! the prior is N(mean, sd²) on the relative or the absolute effect, or flat. Posterior precision is the
//! sum of precisions. Chance to beat control is P(effect > 0); the risk of a choice is what is expected to
//! be lost by it: E max(effect, 0) by staying with control, E max(−effect, 0) by taking treatment.
//!
//! Fails as the normal likelihood does, for few units or heavy tails. Probabilities are not valid under a
//! rule of stopping in the frequentist sense: stopped at 95 % they are wrong about the null more often
//! than 1 in 20 when the prior is flat.

use serde::{Deserialize, Serialize};

use super::frequentist::check_share;
use super::special::{normal_cdf, normal_pdf, normal_upper_quantile};
use super::{Contrast, ExperimentError, Scale};

/// What is believed of an effect before the data.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Prior {
    /// Expected effect.
    pub mean: f64,
    /// Standard deviation of effects, above 0; gbstats proposes .3 for relative effects.
    pub sd: f64,
    /// The scale of both. Turned into the effect's scale by control's metric.
    pub scale: Scale,
}

/// Settings of a Bayesian analysis.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Bayesian {
    /// Posterior mass of the interval, such as .95.
    pub level: f64,
    /// `None` for a flat prior.
    pub prior: Option<Prior>,
    /// Whether a lower metric is the better one: refunds, costs.
    pub lower_is_better: bool,
}

impl Default for Bayesian {
    fn default() -> Self {
        Self { level: 0.95, prior: None, lower_is_better: false }
    }
}

/// What is believed of an effect after the data.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Posterior {
    /// What it is measured in.
    pub scale: Scale,
    /// Mean of the posterior.
    pub value: f64,
    /// Lower end of the equal-tailed interval.
    pub low: f64,
    /// Upper end.
    pub high: f64,
    /// Its mass.
    pub level: f64,
    /// Standard deviation of the posterior.
    pub sd: f64,
    /// Chance that treatment is better than control.
    pub chance_to_beat_control: f64,
    /// Expected loss of staying with control.
    pub risk_of_control: f64,
    /// Expected loss of taking treatment.
    pub risk_of_treatment: f64,
    /// Units of control.
    pub n_control: u64,
    /// Units of treatment.
    pub n_treatment: u64,
}

/// The posterior of a contrast's effect.
///
/// # Errors
/// Where the level isn't inside (0, 1), the prior's spread isn't above 0, or there is no baseline.
pub fn bayesian(contrast: &Contrast, scale: Scale, settings: Bayesian) -> Result<Posterior, ExperimentError> {
    check_share("level", settings.level, "an interval of mass 0 or 1 is empty or endless")?;
    let (estimate, variance) = match scale {
        Scale::Absolute => contrast.absolute(),
        Scale::Relative => contrast.relative()?,
    };
    let (value, sd) = match settings.prior {
        None => (estimate, variance.sqrt()),
        Some(prior) => {
            let (mean, prior_variance) = on_scale(prior, scale, contrast.control.raw)?;
            let precision = 1.0 / variance + 1.0 / prior_variance;
            ((estimate / variance + mean / prior_variance) / precision, (1.0 / precision).sqrt())
        }
    };
    let half = sd * normal_upper_quantile((1.0 - settings.level) / 2.0);
    let direction = if settings.lower_is_better { -1.0 } else { 1.0 };
    Ok(Posterior {
        scale,
        value,
        low: value - half,
        high: value + half,
        level: settings.level,
        sd,
        chance_to_beat_control: normal_cdf(direction * value / sd),
        risk_of_control: mean_of_positive_part(direction * value, sd),
        risk_of_treatment: mean_of_positive_part(-direction * value, sd),
        n_control: contrast.control.units,
        n_treatment: contrast.treatment.units,
    })
}

/// E max(X, 0) of X ~ N(mean, sd²).
pub(super) fn mean_of_positive_part(mean: f64, sd: f64) -> f64 {
    let z = mean / sd;
    mean * normal_cdf(z) + sd * normal_pdf(z)
}

/// Mean and variance of the prior on the effect's scale.
fn on_scale(prior: Prior, scale: Scale, base: f64) -> Result<(f64, f64), ExperimentError> {
    if !(prior.sd > 0.0 && prior.sd.is_finite()) {
        let consequence = "a prior without spread can't be moved by any data; leave it out for a flat one";
        return Err(ExperimentError::Setting { name: "prior.sd", value: prior.sd, needed: "a number above 0 is needed", consequence });
    }
    let factor = match (prior.scale, scale) {
        (Scale::Absolute, Scale::Relative) => 1.0 / base.abs(),
        (Scale::Relative, Scale::Absolute) => base.abs(),
        _ => 1.0,
    };
    if factor > 0.0 && factor.is_finite() {
        Ok((prior.mean * factor, (prior.sd * factor).powi(2)))
    } else {
        Err(ExperimentError::NoBaseline { mean: base, needed: "not 0" })
    }
}
