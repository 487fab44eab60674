//! Ratios of two effects: cost per incremental order, return on spend.
//!
//! Fieller (1954): all ρ for which N − ρD isn't told from 0, (N − ρD)² ≤ q²(Vn − 2ρC + ρ²Vd), q Student's quantile.
//! Covers at its level whatever D is. Where D is told from 0 it is an interval. Where it isn't, no method has a
//! bounded interval that covers (Gleser and Hwang 1987): the set is everything but an interval, or everything, and
//! that is what is said. The delta method would give a bounded one that covers too seldom.

use serde::Serialize;

use super::figure::{Causal, RatioFigure};
use super::joint::{Joint, Weights};
use crate::experiment::special::t_upper_quantile;

/// The set of ratios that the data don't reject.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum FiellerSet {
    /// All from `low` to `high`.
    Interval {
        /// Lower end.
        low: f64,
        /// Upper end.
        high: f64,
    },
    /// All up to `below` and all from `above` on: the denominator's effect may have either sign.
    Outside {
        /// Up to here.
        below: f64,
        /// And from here on.
        above: f64,
    },
    /// Any ratio at all.
    Everything,
}

impl FiellerSet {
    /// Whether the ratio is in the set.
    pub fn contains(&self, ratio: f64) -> bool {
        match *self {
            Self::Interval { low, high } => (low..=high).contains(&ratio),
            Self::Outside { below, above } => ratio <= below || ratio >= above,
            Self::Everything => true,
        }
    }

    /// Lower and upper end, where it is an interval.
    pub const fn interval(&self) -> Option<(f64, f64)> {
        match *self {
            Self::Interval { low, high } => Some((low, high)),
            Self::Outside { .. } | Self::Everything => None,
        }
    }
}

/// An effect, its variance; see [`fieller_set`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EffectVariance {
    /// The effect.
    pub value: f64,
    /// Its variance as an estimate.
    pub variance: f64,
}

/// Fieller's set for `numerator` ÷ `denominator`, whose estimates have a `covariance`; `df` for the normal is infinite.
pub fn fieller_set(numerator: EffectVariance, denominator: EffectVariance, covariance: f64, df: f64, level: f64) -> FiellerSet {
    let reach = t_upper_quantile((1.0 - level) / 2.0, df).powi(2);
    // square·ρ² − 2·linear·ρ + constant ≤ 0.
    let square = denominator.value.powi(2) - reach * denominator.variance;
    let linear = numerator.value * denominator.value - reach * covariance;
    let constant = numerator.value.powi(2) - reach * numerator.variance;
    let root = linear * linear - square * constant;
    if square > 0.0 {
        let root = root.max(0.0).sqrt();
        return FiellerSet::Interval { low: (linear - root) / square, high: (linear + root) / square };
    }
    if square < 0.0 && root > 0.0 {
        // Ends of what is rejected; the square is below 0, so that they change places.
        return FiellerSet::Outside { below: (linear + root.sqrt()) / square, above: (linear - root.sqrt()) / square };
    }
    if square == 0.0 && linear != 0.0 {
        let end = constant / (2.0 * linear);
        return if linear > 0.0 {
            FiellerSet::Outside { below: f64::NEG_INFINITY, above: end }
        } else {
            FiellerSet::Outside { below: end, above: f64::INFINITY }
        };
    }
    FiellerSet::Everything
}

/// What is divided by what.
pub(super) struct Ratio<'a> {
    pub(super) name: &'a str,
    pub(super) unit: String,
    pub(super) numerator: Weights,
    pub(super) denominator: Weights,
    /// What the denominator's effect is, for the note.
    pub(super) of: &'a str,
}

pub(super) fn ratio(joint: &Joint, ratio: Ratio<'_>, level: f64, causal: Causal) -> RatioFigure {
    let (above, below) = (joint.effect(&ratio.numerator), joint.effect(&ratio.denominator));
    let of = |(value, variance): (f64, f64)| EffectVariance { value, variance };
    let (numerator, denominator) = (of(above.absolute()), of(below.absolute()));
    let value = (denominator.value != 0.0).then(|| numerator.value / denominator.value);
    // Degrees of freedom of what the test at the estimate rests on.
    let at_estimate: Weights = value.map_or_else(
        || ratio.denominator.clone(),
        |value| {
            ratio.numerator.iter().copied().chain(ratio.denominator.iter().map(|&(column, weight)| (column, -value * weight))).collect()
        },
    );
    let df = joint.effect(&at_estimate).df();
    let df = if df.is_finite() && df >= 1.0 { df } else { below.df() };
    let df = if df.is_finite() && df >= 1.0 { df } else { f64::INFINITY };
    let covariance = joint.covariance(&ratio.numerator, &ratio.denominator);
    let set = fieller_set(numerator, denominator, covariance, df, level);
    RatioFigure {
        name: ratio.name.to_owned(),
        value,
        note: note(set, ratio.of, denominator),
        set,
        level,
        unit: ratio.unit,
        n_held_out: below.control.units,
        n_treated: below.treatment.units,
        causal,
    }
}

fn note(set: FiellerSet, of: &str, denominator: EffectVariance) -> Option<String> {
    let why = || {
        format!(
            "no interval: the denominator's effect ({of}: {:.6} ± {:.6}) is not distinguishable from 0",
            denominator.value,
            denominator.variance.sqrt()
        )
    };
    match set {
        FiellerSet::Interval { .. } => None,
        FiellerSet::Outside { below, above } => {
            Some(format!("{}; ratios up to {below:.6} and from {above:.6} on are compatible with the data", why()))
        }
        FiellerSet::Everything => Some(format!("{}; every ratio is compatible with the data", why())),
    }
}
