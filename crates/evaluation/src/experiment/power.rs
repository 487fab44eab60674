//! Planning: how many units, how small an effect, how likely to find it.
//!
//! Power of a test of two means with variances σ₀², σ₁² of units and sizes n₀, n₁: the distribution of the
//! statistic is the noncentral t (or normal) around effect / √(σ₀²/n₀ + σ₁²/n₁). The variance is that of a
//! unit's metric: σ² of a mean, p(1 − p) of a proportion, the linearised one of a ratio
//! ([`super::Metric::covariance`]). What else is planned changes it: CUPED by 1 − ρ², clusters by the design
//! effect 1 + ((1 + cv²)m − 1)·ICC (Eldridge, Ashby and Kerry 2006), looking at any time by the reach of the
//! confidence sequence.
//!
//! The achieved power of an experiment is that for the effect it was planned for, never that for the effect
//! it found: the latter is its p-value in other words (Hoenig and Heisey 2001).

use serde::{Deserialize, Serialize};

use super::frequentist::check_share;
use super::special::{noncentral_t_cdf, normal_cdf, t_upper_quantile};
use super::{ExperimentError, Sequential, Tail};

/// What is planned.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct PowerPlan {
    /// Variance of a unit's metric in control.
    pub variance: f64,
    /// Variance of a unit's metric in treatment where it is another one.
    pub treatment_variance: Option<f64>,
    /// Units of treatment for each of control.
    pub ratio: f64,
    /// Level of the test, such as .05.
    pub alpha: f64,
    /// Which effects count.
    pub tail: Tail,
    /// One variance for both arms in the test.
    pub pooled: bool,
    /// Normal instead of Student's t.
    pub normal: bool,
    /// The confidence sequence, where it will be looked at any time; two-sided then.
    pub sequential: Option<Sequential>,
}

impl PowerPlan {
    /// Equal arms, two-sided, .05, Welch.
    pub const fn new(variance: f64) -> Self {
        Self {
            variance,
            treatment_variance: None,
            ratio: 1.0,
            alpha: 0.05,
            tail: Tail::TwoSided,
            pooled: false,
            normal: false,
            sequential: None,
        }
    }

    /// For a share of units going from `control` to `treatment`.
    pub fn proportion(control: f64, treatment: f64) -> Self {
        Self { treatment_variance: Some(treatment * (1.0 - treatment)), ..Self::new(control * (1.0 - control)) }
    }

    fn scaled(self, factor: f64) -> Self {
        Self { variance: self.variance * factor, treatment_variance: self.treatment_variance.map(|variance| variance * factor), ..self }
    }

    /// With CUPED, the correlation of metric and covariate being `rho`.
    #[must_use]
    pub fn with_cuped(self, rho: f64) -> Self {
        self.scaled(1.0 - rho * rho)
    }

    /// With clusters of a mean size, whose sizes have the coefficient of variation `cv` and whose rows
    /// correlate by `icc`. Units are rows still; degrees of freedom are too many where clusters are few.
    #[must_use]
    pub fn with_clusters(self, mean_size: f64, cv: f64, icc: f64) -> Self {
        self.scaled(1.0 + ((1.0 + cv * cv) * mean_size - 1.0) * icc)
    }

    /// Variances of the two arms' means, and degrees of freedom, at so many units together.
    fn at(&self, units: f64) -> (f64, f64) {
        let control = units / (1.0 + self.ratio);
        let treatment = units - control;
        let (one, two) = (self.variance, self.treatment_variance.unwrap_or(self.variance));
        if self.pooled {
            let df = units - 2.0;
            let pooled = ((control - 1.0) * one + (treatment - 1.0) * two) / df;
            return (pooled / control + pooled / treatment, df);
        }
        let (one, two) = (one / control, two / treatment);
        let whole = one + two;
        (whole, 1.0 / ((one / whole).powi(2) / (control - 1.0) + (two / whole).powi(2) / (treatment - 1.0)))
    }

    fn check(&self) -> Result<(), ExperimentError> {
        check_share("alpha", self.alpha, "the test would reject never or always")?;
        let other = self.treatment_variance.unwrap_or(self.variance);
        for (name, value) in [("variance", self.variance), ("treatment_variance", other), ("ratio", self.ratio)] {
            if !(value > 0.0 && value.is_finite()) {
                let consequence = "without variance or without an arm any number of units is enough, or none";
                return Err(ExperimentError::Setting { name, value, needed: "a number above 0 is needed", consequence });
            }
        }
        Ok(())
    }
}

/// The chance of finding an absolute effect with so many units of both arms.
///
/// # Errors
/// Where settings are out of range or there are fewer than 2 units an arm.
pub fn power(plan: &PowerPlan, units: f64, effect: f64) -> Result<f64, ExperimentError> {
    plan.check()?;
    let smaller = units / (1.0 + plan.ratio) * plan.ratio.min(1.0);
    if smaller.is_nan() || smaller <= 1.0 {
        let consequence = "the variance of one unit can't be estimated";
        return Err(ExperimentError::Setting { name: "units", value: units, needed: "more than 1 unit an arm is needed", consequence });
    }
    Ok(power_at(plan, units, effect))
}

fn power_at(plan: &PowerPlan, units: f64, effect: f64) -> f64 {
    let (variance, df) = plan.at(units);
    let shift = effect / variance.sqrt();
    if let Some(sequential) = plan.sequential {
        // The chance of being found at this look, and so at least that of being found by then.
        let reach = Sequential { level: 1.0 - plan.alpha, ..sequential }.reach(units);
        return normal_cdf(shift - reach) + normal_cdf(-shift - reach);
    }
    let df = if plan.normal { f64::INFINITY } else { df };
    let above = |critical: f64| noncentral_t_cdf(-critical, df, -shift);
    match plan.tail {
        Tail::Greater => above(t_upper_quantile(plan.alpha, df)),
        Tail::Less => noncentral_t_cdf(-t_upper_quantile(plan.alpha, df), df, shift),
        Tail::TwoSided => {
            let critical = t_upper_quantile(plan.alpha / 2.0, df);
            noncentral_t_cdf(-critical, df, shift) + above(critical)
        }
    }
}

/// The least effect found with the chance `power`: the minimum detectable effect, negative for
/// [`Tail::Less`].
///
/// # Errors
/// As [`power()`], and where `power` isn't between the level and 1.
pub fn detectable(plan: &PowerPlan, units: f64, wanted: f64) -> Result<f64, ExperimentError> {
    check_wanted(plan, wanted)?;
    power(plan, units, 0.0)?;
    let sign = if plan.tail == Tail::Less { -1.0 } else { 1.0 };
    let std_error = plan.at(units).0.sqrt();
    let found = root(10.0 * std_error, |effect| power_at(plan, units, sign * effect) - wanted, 0.0)?;
    Ok(sign * found)
}

/// Units of both arms together, not rounded, with which an effect is found with the chance `wanted`.
///
/// # Errors
/// As [`detectable`], and where the effect is 0 or on the side that doesn't count.
pub fn units_needed(plan: &PowerPlan, effect: f64, wanted: f64) -> Result<f64, ExperimentError> {
    plan.check()?;
    check_wanted(plan, wanted)?;
    let counts = match plan.tail {
        Tail::TwoSided => effect != 0.0,
        Tail::Greater => effect > 0.0,
        Tail::Less => effect < 0.0,
    };
    if !counts || !effect.is_finite() {
        let consequence = "no number of units finds it";
        return Err(ExperimentError::Setting {
            name: "effect",
            value: effect,
            needed: "an effect that the test looks for is needed",
            consequence,
        });
    }
    // The smaller arm needs more than one unit.
    let least = (1.0 + plan.ratio) / plan.ratio.min(1.0) * 1.000_001;
    root(10.0_f64.max(2.0 * least), |units| power_at(plan, units, effect) - wanted, least)
}

fn check_wanted(plan: &PowerPlan, wanted: f64) -> Result<(), ExperimentError> {
    if wanted > plan.alpha && wanted < 1.0 {
        return Ok(());
    }
    let consequence = "a chance of at most the level is had by throwing a coin, one of 1 by no experiment";
    Err(ExperimentError::Setting { name: "power", value: wanted, needed: "a number above alpha and below 1 is needed", consequence })
}

/// Where a rising function is 0, above `low`; `start` is tenfold until it is above.
fn root(start: f64, f: impl Fn(f64) -> f64, low: f64) -> Result<f64, ExperimentError> {
    let (mut low, mut high) = (low, start);
    let mut tries = 0;
    while f(high) < 0.0 {
        low = high;
        high *= 10.0;
        tries += 1;
        if tries > 100 || !high.is_finite() {
            let consequence = "the effect is too small beside its variance";
            return Err(ExperimentError::Setting { name: "units", value: high, needed: "no number of units is enough", consequence });
        }
    }
    // Bisection to the last bits: power is cheap and its slope isn't needed.
    for _ in 0..200 {
        let middle = f64::midpoint(low, high);
        if middle <= low || middle >= high || (high - low) <= 1e-13 * high {
            break;
        }
        if f(middle) < 0.0 { low = middle } else { high = middle }
    }
    Ok(f64::midpoint(low, high))
}

/// The chance that a confidence sequence with this standard error at so many units of both arms finds the
/// effect that was planned for.
pub(super) fn achieved_power_of_sequence(std_error: f64, planned_effect: f64, units: u64, sequential: Sequential) -> f64 {
    let (shift, reach) = (planned_effect / std_error, sequential.reach(units as f64));
    normal_cdf(shift - reach) + normal_cdf(-shift - reach)
}

/// The power an experiment has reached for the effect it was planned for, from the standard error it has.
///
/// # Errors
/// Where the standard error isn't above 0 or alpha isn't inside (0, 1).
pub fn achieved_power(std_error: f64, planned_effect: f64, alpha: f64, tail: Tail) -> Result<f64, ExperimentError> {
    let plan = PowerPlan { alpha, tail, normal: true, ..PowerPlan::new(std_error * std_error) };
    // Two arms of two units have the variance of a unit.
    power(&plan, 4.0, planned_effect)
}
