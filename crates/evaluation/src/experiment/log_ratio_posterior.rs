//! The posterior of ln(treatment/control) by matching two moments: what gbstats 0.2 does.
//!
//! Of conversions: each arm's rate has the posterior Beta(1 + conversions, 1 + the others), whose logarithm
//! has the mean ψ(α) − ψ(α + β) and the variance ψ′(α) − ψ′(α + β); the difference of two is taken as
//! normal. Of means: ln m with the variance of the delta method. Risks are on the metric's own scale and
//! not approximated: E max(a, b) − a and E max(a, b) − b, by integration (conversions) or in closed form
//! (means).
//!
//! Means must lie above 0 by several standard errors; for conversions in the tens the lognormal is off in
//! the tails.

use serde::Serialize;

use super::bayesian::mean_of_positive_part;
use super::frequentist::check_share;
use super::special::{beta_inc, digamma, integrate, normal_cdf, normal_upper_quantile, trigamma};
use super::{Contrast, ExperimentError};

/// Belief about ln(treatment/control).
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct LogRatioPosterior {
    /// exp of the mean, less 1: the relative effect.
    pub value: f64,
    /// Lower end of the interval of the relative effect.
    pub low: f64,
    /// Upper end.
    pub high: f64,
    /// Its mass.
    pub level: f64,
    /// Mean of ln(treatment/control).
    pub log_mean: f64,
    /// Its standard deviation.
    pub log_sd: f64,
    /// Chance that treatment's metric is above control's.
    pub chance_to_beat_control: f64,
    /// Expected loss of staying with control, in the metric's unit.
    pub risk_of_control: f64,
    /// Expected loss of taking treatment, in the metric's unit.
    pub risk_of_treatment: f64,
    /// Units of control.
    pub n_control: u64,
    /// Units of treatment.
    pub n_treatment: u64,
}

/// Of conversions: (converted, units) of each arm, under uniform priors.
///
/// # Errors
/// Where more converted than there are units, or the level isn't inside (0, 1).
pub fn conversion_posterior(control: (u64, u64), treatment: (u64, u64), level: f64) -> Result<LogRatioPosterior, ExperimentError> {
    check_share("level", level, "an interval of mass 0 or 1 is empty or endless")?;
    let beta = |(converted, units): (u64, u64)| {
        let rest = units.checked_sub(converted).ok_or(ExperimentError::Setting {
            name: "converted",
            value: converted as f64,
            needed: "no more than the arm's units can have converted",
            consequence: "a rate above 1 has no posterior; count units, not events",
        })?;
        Ok((1.0 + converted as f64, 1.0 + rest as f64))
    };
    let (a, b) = (beta(control)?, beta(treatment)?);
    let moments = |(alpha, beta): (f64, f64)| (digamma(alpha) - digamma(alpha + beta), trigamma(alpha) - trigamma(alpha + beta));
    let ((mean_a, variance_a), (mean_b, variance_b)) = (moments(a), moments(b));
    let risks = beta_risks(a, b);
    Ok(lognormal(mean_b - mean_a, (variance_a + variance_b).sqrt(), level, risks, (control.1, treatment.1)))
}

/// Of means, from a contrast.
///
/// # Errors
/// Where a mean isn't above 0, or the level isn't inside (0, 1).
pub fn mean_posterior(contrast: &Contrast, level: f64) -> Result<LogRatioPosterior, ExperimentError> {
    check_share("level", level, "an interval of mass 0 or 1 is empty or endless")?;
    let (control, treatment) = (&contrast.control, &contrast.treatment);
    let least = control.value.min(treatment.value);
    if least <= 0.0 {
        return Err(ExperimentError::NoBaseline { mean: least, needed: "positive in both arms" });
    }
    let variance = control.variance / control.value.powi(2) + treatment.variance / treatment.value.powi(2);
    let (difference, spread) = contrast.absolute();
    let risks = (mean_of_positive_part(difference, spread.sqrt()), mean_of_positive_part(-difference, spread.sqrt()));
    let units = (control.units, treatment.units);
    Ok(lognormal((treatment.value / control.value).ln(), variance.sqrt(), level, risks, units))
}

fn lognormal(log_mean: f64, log_sd: f64, level: f64, risks: (f64, f64), units: (u64, u64)) -> LogRatioPosterior {
    let half = log_sd * normal_upper_quantile((1.0 - level) / 2.0);
    LogRatioPosterior {
        value: log_mean.exp_m1(),
        low: (log_mean - half).exp_m1(),
        high: (log_mean + half).exp_m1(),
        level,
        log_mean,
        log_sd,
        chance_to_beat_control: normal_cdf(log_mean / log_sd),
        risk_of_control: risks.0,
        risk_of_treatment: risks.1,
        n_control: units.0,
        n_treatment: units.1,
    }
}

/// E max(B − A, 0) and E max(A − B, 0), as ∫ P(A ≤ x) P(B > x) dx and the other way round.
fn beta_risks(a: (f64, f64), b: (f64, f64)) -> (f64, f64) {
    let below = |(alpha, beta): (f64, f64), x: f64| beta_inc(alpha, beta, x, 1.0 - x);
    let mean = |(alpha, beta): (f64, f64)| alpha / (alpha + beta);
    let sd = |(alpha, beta): (f64, f64)| (mean((alpha, beta)) * (1.0 - mean((alpha, beta))) / (alpha + beta + 1.0)).sqrt();
    let low = (mean(a) - 12.0 * sd(a)).min(mean(b) - 12.0 * sd(b)).max(0.0);
    let high = (mean(a) + 12.0 * sd(a)).max(mean(b) + 12.0 * sd(b)).min(1.0);
    let lost_by = |staying: (f64, f64), better: (f64, f64)| integrate(low, high, 60, |x| below(staying, x) * (1.0 - below(better, x)));
    (lost_by(a, b), lost_by(b, a))
}
