//! Guardrails: metrics that must not get worse by more than a margin.
//!
//! Non-inferiority is shown when the whole interval lies on the better side of the margin; harm when it
//! lies on the worse side. "Not significant" shows neither. The test is one-sided at (1 − level)/2, as the
//! interval's one end is (Piaggio et al. 2012). Give a confidence sequence's interval where looks are many.

use serde::{Deserialize, Serialize};

use super::{AlwaysValid, Effect, Posterior};

/// Which way is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Better {
    /// Revenue, orders.
    Higher,
    /// Refunds, latency, cost.
    Lower,
}

/// An interval of an effect, from whichever analysis.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Interval {
    /// The estimate.
    pub value: f64,
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
    /// Units of both arms.
    pub n: u64,
}

impl From<&Effect> for Interval {
    fn from(effect: &Effect) -> Self {
        Self { value: effect.value, low: effect.low, high: effect.high, n: effect.n_control + effect.n_treatment }
    }
}

impl From<&AlwaysValid> for Interval {
    fn from(effect: &AlwaysValid) -> Self {
        Self { value: effect.value, low: effect.low, high: effect.high, n: effect.n_control + effect.n_treatment }
    }
}

impl From<&Posterior> for Interval {
    fn from(effect: &Posterior) -> Self {
        Self { value: effect.value, low: effect.low, high: effect.high, n: effect.n_control + effect.n_treatment }
    }
}

impl Interval {
    /// The same with higher as better.
    pub(super) const fn towards(self, better: Better) -> Self {
        match better {
            Better::Higher => self,
            Better::Lower => Self { value: -self.value, low: -self.high, high: -self.low, n: self.n },
        }
    }
}

/// What a guardrail says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Guarded {
    /// Not worse by more than the margin.
    Holds,
    /// Worse by more than the margin.
    Broken,
    /// The interval contains the margin.
    NotYetKnown,
}

/// Judges a guardrail. `margin` (≥ 0) is how much worse it may get, in the interval's unit.
pub fn guardrail(interval: Interval, better: Better, margin: f64) -> Guarded {
    let interval = interval.towards(better);
    if interval.low > -margin {
        Guarded::Holds
    } else if interval.high < -margin {
        Guarded::Broken
    } else {
        Guarded::NotYetKnown
    }
}
