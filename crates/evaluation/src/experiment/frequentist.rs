//! Fixed-horizon tests and intervals: Welch's t (Welch 1947), absolute or relative to control.
//!
//! Valid at one look that was chosen beforehand; look again and again and it rejects far too often (see
//! [`super::confidence_sequence`]). Fails for few units with heavy tails: then the interval covers less than
//! it says, from below (see [`super::winsorised`]).
//!
//! Relative effects have three intervals. `Delta` linearises (b − a)/a and is symmetric: good where
//! control's mean is many standard errors from 0. `Log` is symmetric in ln(b/a): needs positive metrics.
//! `Fieller` (1954) inverts the test of b − ρa = 0: exact for normal means, and honest that there is no
//! interval where control's mean can't be told from 0.

use serde::{Deserialize, Serialize};

use super::special::{normal_sf, t_sf, t_two_sided, t_upper_quantile};
use super::{Contrast, ExperimentError};

/// What an effect is measured in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scale {
    /// The metric's own unit.
    Absolute,
    /// Shares of control's metric.
    Relative,
}

impl Scale {
    /// Refuses shares of a control below 0: a change for the better would have the sign of one for the worse.
    ///
    /// # Errors
    /// Where effects are to be relative and control's metric isn't above 0.
    pub fn check(self, contrast: &Contrast) -> Result<(), ExperimentError> {
        let mean = contrast.control.raw;
        if self == Self::Relative && mean <= 0.0 {
            return Err(ExperimentError::NoBaseline { mean, needed: "above 0 (better would look like worse): take effects as they are" });
        }
        Ok(())
    }
}

/// Which effects count as evidence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tail {
    /// Any.
    TwoSided,
    /// Treatment above control.
    Greater,
    /// Treatment below control.
    Less,
}

/// How a relative effect's interval is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RelativeInterval {
    /// Delta method; what gbstats does.
    Delta,
    /// Delta method on the logarithm of the ratio of adjusted metrics; what tea-tasting does.
    Log,
    /// Fieller's set.
    Fieller,
}

/// Settings of a fixed-horizon test.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Frequentist {
    /// Chance of covering, such as .95.
    pub level: f64,
    /// Which effects count.
    pub tail: Tail,
    /// How relative intervals are made.
    pub relative: RelativeInterval,
    /// One variance for both arms (Student) instead of each its own (Welch).
    pub pooled: bool,
    /// Normal instead of Student's t.
    pub normal: bool,
}

impl Default for Frequentist {
    fn default() -> Self {
        Self { level: 0.95, tail: Tail::TwoSided, relative: RelativeInterval::Delta, pooled: false, normal: false }
    }
}

/// An effect with its interval and test.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Effect {
    /// What it is measured in.
    pub scale: Scale,
    /// The estimate.
    pub value: f64,
    /// Lower end of the interval.
    pub low: f64,
    /// Upper end.
    pub high: f64,
    /// Chance with which intervals made like this one cover.
    pub level: f64,
    /// Standard error of `value`.
    pub std_error: f64,
    /// Standardised effect.
    pub statistic: f64,
    /// Degrees of freedom; infinite for the normal, `None` in JSON.
    pub df: f64,
    /// Chance of an effect at least as far from 0 were there none.
    pub p_value: f64,
    /// Independent units of control.
    pub n_control: u64,
    /// Independent units of treatment.
    pub n_treatment: u64,
}

/// Tests a contrast.
///
/// # Errors
/// Where the level isn't inside (0, 1), or a relative effect has no baseline or no bounded interval.
pub fn frequentist(contrast: &Contrast, scale: Scale, settings: Frequentist) -> Result<Effect, ExperimentError> {
    check_share("level", settings.level, "a chance of covering of 0 or 1 gives an empty or an endless interval")?;
    let absolute = difference(contrast, settings);
    match scale {
        Scale::Absolute => Ok(absolute),
        Scale::Relative => match settings.relative {
            RelativeInterval::Delta => delta(contrast, settings, &absolute),
            RelativeInterval::Log => log_ratio(contrast, settings, &absolute),
            RelativeInterval::Fieller => fieller(contrast, settings, &absolute),
        },
    }
}

pub(super) fn check_share(name: &'static str, value: f64, consequence: &'static str) -> Result<(), ExperimentError> {
    if value > 0.0 && value < 1.0 {
        return Ok(());
    }
    Err(ExperimentError::Setting { name, value, needed: "a number above 0 and below 1 is needed", consequence })
}

fn difference(contrast: &Contrast, settings: Frequentist) -> Effect {
    let (value, variance) = contrast.absolute();
    let (variance, df) = if settings.pooled { pooled(contrast) } else { (variance, contrast.df()) };
    judged(contrast, Scale::Absolute, value, variance.sqrt(), df, settings)
}

/// Student's variance and degrees of freedom. A unit's variance is the estimate's times its units.
fn pooled(contrast: &Contrast) -> (f64, f64) {
    let (control, treatment) = (&contrast.control, &contrast.treatment);
    let (one, two) = (control.units as f64, treatment.units as f64);
    let df = one + two - 2.0;
    let variance = ((one - 1.0) * control.variance * one + (two - 1.0) * treatment.variance * two) / df;
    (variance / one + variance / two, df)
}

fn judged(contrast: &Contrast, scale: Scale, value: f64, std_error: f64, df: f64, settings: Frequentist) -> Effect {
    let df = if settings.normal { f64::INFINITY } else { df };
    let statistic = value / std_error;
    let half = std_error * quantile(settings, df);
    let (low, high, p_value) = match settings.tail {
        Tail::TwoSided => (value - half, value + half, two_sided(statistic, df)),
        Tail::Greater => (value - half, f64::INFINITY, t_sf(statistic, df)),
        Tail::Less => (f64::NEG_INFINITY, value + half, t_sf(-statistic, df)),
    };
    Effect {
        scale,
        value,
        low,
        high,
        level: settings.level,
        std_error,
        statistic,
        df,
        p_value,
        n_control: contrast.control.units,
        n_treatment: contrast.treatment.units,
    }
}

fn two_sided(statistic: f64, df: f64) -> f64 {
    if df.is_infinite() { 2.0 * normal_sf(statistic.abs()) } else { t_two_sided(statistic, df) }
}

/// How many standard errors the interval reaches.
fn quantile(settings: Frequentist, df: f64) -> f64 {
    let outside = 1.0 - settings.level;
    t_upper_quantile(if settings.tail == Tail::TwoSided { outside / 2.0 } else { outside }, df)
}

fn delta(contrast: &Contrast, settings: Frequentist, absolute: &Effect) -> Result<Effect, ExperimentError> {
    let (value, variance) = contrast.relative()?;
    Ok(judged(contrast, Scale::Relative, value, variance.sqrt(), absolute.df, settings))
}

/// The test is that of the difference: both null hypotheses are the same.
fn log_ratio(contrast: &Contrast, settings: Frequentist, absolute: &Effect) -> Result<Effect, ExperimentError> {
    let (control, treatment) = (&contrast.control, &contrast.treatment);
    if control.value <= 0.0 || treatment.value <= 0.0 {
        let mean = control.value.min(treatment.value);
        return Err(ExperimentError::NoBaseline { mean, needed: "positive in both arms" });
    }
    let mut logs = *contrast;
    logs.control.variance /= control.value.powi(2);
    logs.treatment.variance /= treatment.value.powi(2);
    logs.covariance /= control.value * treatment.value;
    let (variance, df) = if settings.pooled { pooled(&logs) } else { (logs.absolute().1, logs.df()) };
    let df = if settings.normal { f64::INFINITY } else { df };
    let ratio = treatment.value / control.value;
    let factor = (variance.sqrt() * quantile(settings, df)).exp();
    let (low, high) = match settings.tail {
        Tail::TwoSided => (ratio / factor - 1.0, ratio * factor - 1.0),
        Tail::Greater => (ratio / factor - 1.0, f64::INFINITY),
        Tail::Less => (-1.0, ratio * factor - 1.0),
    };
    let std_error = variance.sqrt() * ratio;
    Ok(Effect { scale: Scale::Relative, value: ratio - 1.0, low, high, std_error, ..*absolute })
}

fn fieller(contrast: &Contrast, settings: Frequentist, absolute: &Effect) -> Result<Effect, ExperimentError> {
    let (control, treatment) = (&contrast.control, &contrast.treatment);
    let (a, b) = (control.value, treatment.value);
    let reach = quantile(settings, absolute.df).powi(2);
    // (b − ρa)² = q²(Vb − 2ρC + ρ²Va), a quadratic in ρ.
    let square = a * a - reach * control.variance;
    if square <= 0.0 {
        return Err(ExperimentError::Unbounded { mean: a, std_error: control.std_error() });
    }
    let linear = a * b - reach * contrast.covariance;
    let constant = b * b - reach * treatment.variance;
    let root = (linear * linear - square * constant).max(0.0).sqrt();
    let (low, high) = ((linear - root) / square - 1.0, (linear + root) / square - 1.0);
    let (low, high) = match settings.tail {
        Tail::TwoSided => (low, high),
        Tail::Greater => (low, f64::INFINITY),
        Tail::Less => (f64::NEG_INFINITY, high),
    };
    let value = b / a - 1.0;
    let std_error = contrast.relative().map_or(f64::NAN, |(_, variance)| variance.sqrt());
    Ok(Effect { scale: Scale::Relative, value, low, high, std_error, ..*absolute })
}
