//! Intervals that hold at every look: asymptotic confidence sequences (Waudby-Smith, Arbour, Sinha, Kennedy
//! and Ramdas 2024, Annals of Statistics, "Time-uniform central limit theory and asymptotic confidence
//! sequences", eq. 9), as gbstats uses them.
//!
//! With N units of both arms, variance of the effect V and s² = N·V, the half width is
//! s √(2(Nρ² + 1)/(N²ρ²) · ln(√(Nρ² + 1)/α)). ρ² = (−2 ln α + ln(1 − 2 ln α))/N* makes it tightest at about
//! N* units (their eq. 161), gbstats' tuning parameter, 5,000 by default: set it to where a decision is
//! likely. Being wrong about N* costs width, never validity.
//!
//! P(the truth is ever left) ≤ α in the limit of a large first look: don't look before some hundred units
//! an arm, later still with heavy tails. At N* the interval is about 1.5 times as wide as a fixed-horizon one.
//! It is the mixture SPRT of [`super::mixture_sprt`] with τ² = ρ² s².

use serde::{Deserialize, Serialize};

use super::frequentist::check_share;
use super::{Contrast, Effect, ExperimentError, Scale};

/// Settings of a confidence sequence.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Sequential {
    /// Chance of covering at all looks together, such as .95.
    pub level: f64,
    /// N*: units of both arms at which the interval is tightest.
    pub tuning: f64,
}

impl Default for Sequential {
    fn default() -> Self {
        Self { level: 0.95, tuning: 5000.0 }
    }
}

/// An effect at one look, valid whatever made us look.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct AlwaysValid {
    /// What it is measured in.
    pub scale: Scale,
    /// The estimate.
    pub value: f64,
    /// Lower end of the interval.
    pub low: f64,
    /// Upper end.
    pub high: f64,
    /// Chance of covering at all looks.
    pub level: f64,
    /// Standard error of `value`.
    pub std_error: f64,
    /// Always-valid p-value: below α at any look with a chance of at most α if there is no effect.
    pub p_value: f64,
    /// Units of control.
    pub n_control: u64,
    /// Units of treatment.
    pub n_treatment: u64,
}

impl From<AlwaysValid> for Effect {
    fn from(look: AlwaysValid) -> Self {
        let AlwaysValid { scale, value, low, high, level, std_error, p_value, n_control, n_treatment } = look;
        Self { scale, value, low, high, level, std_error, statistic: value / std_error, df: f64::INFINITY, p_value, n_control, n_treatment }
    }
}

impl Sequential {
    fn check(&self) -> Result<(), ExperimentError> {
        check_share("level", self.level, "a chance of covering of 0 or 1 gives an empty or an endless interval")?;
        if self.tuning > 0.0 && self.tuning.is_finite() {
            return Ok(());
        }
        let consequence = "the sequence would be tightest nowhere; give the number of units at which you expect to decide";
        Err(ExperimentError::Setting { name: "tuning", value: self.tuning, needed: "a number of units above 0 is needed", consequence })
    }

    /// ρ².
    fn rho_square(&self) -> f64 {
        let twice = -2.0 * (1.0 - self.level).ln();
        (twice + (twice + 1.0).ln()) / self.tuning
    }

    /// How many standard errors of the effect the interval reaches at so many units of both arms.
    pub(super) fn reach(&self, units: f64) -> f64 {
        let grown = units * self.rho_square();
        (2.0 * (grown + 1.0) / grown * ((grown + 1.0).sqrt() / (1.0 - self.level)).ln()).sqrt()
    }

    /// 1 / e-value, at most 1.
    fn p_value(&self, standardised: f64, units: f64) -> f64 {
        let grown = units * self.rho_square();
        let log_e = standardised.powi(2) * grown / (2.0 * (grown + 1.0)) - 0.5 * grown.ln_1p();
        (-log_e).exp().min(1.0)
    }
}

/// The confidence sequence of a contrast at this look.
///
/// # Errors
/// Where settings are out of range or a relative effect has no baseline.
pub fn confidence_sequence(contrast: &Contrast, scale: Scale, settings: Sequential) -> Result<AlwaysValid, ExperimentError> {
    settings.check()?;
    let (value, variance) = match scale {
        Scale::Absolute => contrast.absolute(),
        Scale::Relative => contrast.relative()?,
    };
    let (std_error, units) = (variance.sqrt(), contrast.units() as f64);
    let half = std_error * settings.reach(units);
    Ok(AlwaysValid {
        scale,
        value,
        low: value - half,
        high: value + half,
        level: settings.level,
        std_error,
        p_value: settings.p_value(value / std_error, units),
        n_control: contrast.control.units,
        n_treatment: contrast.treatment.units,
    })
}

/// The looks of one experiment together: the intersection of intervals and the least p-value, both valid
/// because each look's is at the same time.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Looks {
    looks: Vec<AlwaysValid>,
}

impl Looks {
    /// No looks yet.
    pub const fn new() -> Self {
        Self { looks: Vec::new() }
    }

    /// Adds a look.
    ///
    /// # Errors
    /// Where it has fewer units than the one before.
    pub fn add(&mut self, look: AlwaysValid) -> Result<(), ExperimentError> {
        let units = |look: &AlwaysValid| look.n_control + look.n_treatment;
        if let Some(last) = self.looks.last().filter(|last| units(&look) < units(last)) {
            return Err(ExperimentError::TimeBackwards {
                row: self.looks.len() as u64,
                what: format!("a look at {} units comes after one at {}", units(&look), units(last)),
                consequence: "a confidence sequence holds along data that only grow; leaving units out again makes it void. Give looks in order of time, with the same rules for whom to count",
            });
        }
        self.looks.push(look);
        Ok(())
    }

    /// All looks, in order.
    pub fn all(&self) -> &[AlwaysValid] {
        &self.looks
    }

    /// The last look with the running interval and p-value. Where intervals don't meet (a chance of at
    /// most 1 − level, or an effect that changes over time), low is above high.
    pub fn running(&self) -> Option<AlwaysValid> {
        let last = *self.looks.last()?;
        let within = |together: AlwaysValid, look: &AlwaysValid| AlwaysValid {
            low: together.low.max(look.low),
            high: together.high.min(look.high),
            p_value: together.p_value.min(look.p_value),
            ..together
        };
        Some(self.looks.iter().fold(last, within))
    }
}

impl Default for Looks {
    fn default() -> Self {
        Self::new()
    }
}
