//! What an observational estimate says: never without its assumption, its checks and its label.

use serde::Serialize;

use super::ObservationalError;
use crate::experiment::Warning;
use crate::experiment::special::{t_two_sided, t_upper_quantile};

/// Level at which checks alarm.
pub(super) const ALARM: f64 = 0.05;

/// What kind of evidence this is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Evidence {
    /// Nobody was treated by lot: the figure is the effect only if the assumption holds, which data can't show.
    Observational,
}

/// An estimate that holds under an assumption.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Observed {
    /// Always observational.
    pub evidence: Evidence,
    /// Name of the estimator.
    pub method: &'static str,
    /// What has to be true for `effect` to be the campaign's effect.
    pub assumption: &'static str,
    /// The estimate.
    pub effect: ObservedEffect,
    /// Tests that should find nothing if the assumption holds. That they find nothing doesn't prove it.
    pub checks: Vec<Check>,
    /// What bends the figures.
    pub warnings: Vec<Warning>,
}

impl Observed {
    /// Whether a check alarms; then the effect isn't to be believed as it stands.
    pub fn alarms(&self) -> bool {
        self.checks.iter().any(|check| check.alarm)
    }

    /// The first check of a kind.
    pub fn check(&self, kind: CheckKind) -> Option<&Check> {
        self.checks.iter().find(|check| check.kind == kind)
    }
}

/// An effect on the treated.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct ObservedEffect {
    /// The estimate.
    pub value: f64,
    /// Lower end of the interval.
    pub low: f64,
    /// Upper end.
    pub high: f64,
    /// Chance with which intervals made like this one cover, if the assumption holds.
    pub level: f64,
    /// Standard error; NaN (`null` in JSON) where inference is by placebos.
    pub std_error: f64,
    /// Degrees of freedom of Student's t; infinite for the normal, NaN where there is none.
    pub df: f64,
    /// Chance of an effect at least as far from 0 were there none.
    pub p_value: f64,
    /// Treated units (periods after the start for a single series).
    pub treated: usize,
    /// Untreated units (periods before the start for a single series).
    pub untreated: usize,
    /// Independent clusters that the interval rests on.
    pub clusters: usize,
    /// Unit of value, ends and standard error, in the outcome's own unit.
    pub unit: &'static str,
}

/// Unit of an effect on units over time.
pub(super) const PER_UNIT: &str = "outcome per treated unit and period";
/// Unit of an effect on one series.
pub(super) const PER_PERIOD: &str = "outcome per period";
/// Unit of a cumulative effect on one series.
pub(super) const SUMMED: &str = "outcome, summed over the periods from the start on";

/// Numbers of units that an effect rests on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Counts {
    pub treated: usize,
    pub untreated: usize,
    pub clusters: usize,
}

impl ObservedEffect {
    /// By Student's t.
    pub(super) fn student(value: f64, std_error: f64, df: f64, level: f64, counts: Counts) -> Self {
        let half = std_error * t_upper_quantile((1.0 - level) / 2.0, df);
        let p_value = t_two_sided(value / std_error, df);
        let Counts { treated, untreated, clusters } = counts;
        Self { value, low: value - half, high: value + half, level, std_error, df, p_value, treated, untreated, clusters, unit: PER_UNIT }
    }

    pub(super) fn in_unit(self, unit: &'static str) -> Self {
        Self { unit, ..self }
    }

    /// Whether 0 lies outside the interval.
    pub fn excludes_zero(&self) -> bool {
        self.low > 0.0 || self.high < 0.0
    }
}

/// What a check looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckKind {
    /// Treated and untreated moved apart already before the start.
    PreTrend,
    /// An effect of a start that never was, before the real one.
    PlaceboInTime,
    /// Effects on units that weren't treated.
    PlaceboInSpace,
}

/// A test that should find nothing.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Check {
    /// What it looks at.
    pub kind: CheckKind,
    /// What it found, in words of `reads`.
    pub value: f64,
    /// Chance of finding at least as much if the assumption holds.
    pub p_value: f64,
    /// Whether `p_value` is below the level of .05; for a placebo in space, which compares the effect with those
    /// of untreated units, whether tests on untreated units reject too often.
    pub alarm: bool,
    /// What `value` is, and what an alarm means.
    pub reads: String,
}

impl Check {
    pub(super) fn new(kind: CheckKind, value: f64, p_value: f64, reads: impl Into<String>) -> Self {
        Self { kind, value, p_value, alarm: p_value < ALARM, reads: reads.into() }
    }
}

pub(super) fn warning(code: &'static str, message: impl Into<String>) -> Warning {
    Warning { code, message: message.into() }
}

/// Refuses chances of covering that give empty or endless intervals.
pub(super) fn check_level(level: f64) -> Result<(), ObservationalError> {
    if level > 0.0 && level < 1.0 {
        return Ok(());
    }
    Err(ObservationalError::Setting {
        name: "level",
        value: level,
        needed: "a number above 0 and below 1 is needed",
        consequence: "the interval would be empty or endless",
    })
}
