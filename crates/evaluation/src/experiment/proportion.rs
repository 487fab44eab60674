//! Shares of units: the two-proportion z-test, and the tests of a 2 × 2 table.
//!
//! A share's variance is p(1 − p)/n. The z-test is good from about 10 units of each kind in each arm;
//! below, Fisher's exact test (Fisher 1935) holds its level, with too little power. A share of events
//! (clicks of impressions) is a ratio and not a proportion: its units aren't independent.

use serde::{Deserialize, Serialize};

use super::special::{chi2_sf, ln_gamma, normal_sf, normal_upper_quantile};
use super::{ArmEstimate, Contrast, ExperimentError, Moments, Tail};

/// Units that did and all units, of one arm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Share {
    yes: u64,
    units: u64,
}

impl Share {
    /// So many of so many.
    ///
    /// # Errors
    /// Where more did than there are.
    pub const fn new(yes: u64, units: u64) -> Result<Self, ExperimentError> {
        if yes <= units {
            return Ok(Self { yes, units });
        }
        Err(ExperimentError::Setting {
            name: "yes",
            value: yes as f64,
            needed: "no more units can have done it than there are",
            consequence: "a share above 1 has no variance. Count units, not events; a ratio has events",
        })
    }

    /// Units that did.
    pub const fn yes(self) -> u64 {
        self.yes
    }

    /// All units.
    pub const fn units(self) -> u64 {
        self.units
    }

    /// From a column of zeros and ones.
    ///
    /// # Errors
    /// Where there is no such column, or it isn't one of zeros and ones.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of the units")]
    pub fn of(moments: &Moments, column: usize) -> Result<Self, ExperimentError> {
        moments.check_columns(std::iter::once(column))?;
        let (mean, units) = (moments.mean(column), moments.units());
        let expected = mean * (1.0 - mean);
        let found = moments.variance(column) * (units as f64 - 1.0).max(0.0) / (units as f64).max(1.0);
        if !(0.0..=1.0).contains(&mean) || (units > 1 && (found - expected).abs() > 1e-6) {
            return Err(ExperimentError::Setting {
                name: "share's mean",
                value: mean,
                needed: "a column of zeros and ones is needed",
                consequence: "p(1 - p) would not be its variance, and intervals be too narrow or too wide. Take it as a mean",
            });
        }
        Self::new((mean * units as f64).round() as u64, units)
    }

    /// The share; 0 of nobody.
    pub fn rate(self) -> f64 {
        if self.units == 0 { 0.0 } else { self.yes as f64 / self.units as f64 }
    }

    fn estimate(self, arm: &str) -> Result<ArmEstimate, ExperimentError> {
        if self.units < 2 {
            return Err(ExperimentError::TooFewUnits { arm: arm.to_owned(), units: self.units });
        }
        if self.yes == 0 || self.yes >= self.units {
            return Err(ExperimentError::Constant { metric: "proportion".to_owned(), arm: arm.to_owned() });
        }
        let (rate, n) = (self.rate(), self.units as f64);
        Ok(ArmEstimate::plain(self.units, rate, rate * (1.0 - rate) / n, n - 1.0))
    }
}

/// Two shares as a contrast, for every test of this module.
///
/// # Errors
/// Where an arm has fewer than 2 units, nobody who did or nobody who didn't.
pub fn proportion(control: Share, treatment: Share) -> Result<Contrast, ExperimentError> {
    Ok(Contrast::independent(control.estimate("control")?, treatment.estimate("treatment")?))
}

/// Settings of the z-test.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ProportionTest {
    /// Chance of covering.
    pub level: f64,
    /// Which effects count.
    pub tail: Tail,
    /// One rate for both arms in the standard error. Right for the p-value, whose hypothesis it is;
    /// intervals made with it are off where rates differ much.
    pub pooled: bool,
    /// Yates' continuity correction.
    pub correction: bool,
}

/// What the z-test says.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct ProportionResult {
    /// Difference of shares.
    pub difference: f64,
    /// Lower end of its interval.
    pub low: f64,
    /// Upper end.
    pub high: f64,
    /// Ratio of shares, less 1.
    pub relative: f64,
    /// Lower end of its interval (delta method on the logarithm).
    pub relative_low: f64,
    /// Upper end.
    pub relative_high: f64,
    /// The p-value.
    pub p_value: f64,
    /// Units of control.
    pub n_control: u64,
    /// Units of treatment.
    pub n_treatment: u64,
}

/// The two-proportion z-test.
///
/// # Errors
/// As [`proportion`].
pub fn proportion_test(control: Share, treatment: Share, settings: ProportionTest) -> Result<ProportionResult, ExperimentError> {
    let contrast = proportion(control, treatment)?;
    super::frequentist::check_share("level", settings.level, "a chance of covering of 0 or 1 gives an empty or an endless interval")?;
    let (p, q) = (control.rate(), treatment.rate());
    let (n, m) = (control.units as f64, treatment.units as f64);
    let (scale, log_scale) = if settings.pooled {
        let all = (control.yes + treatment.yes) as f64 / (n + m);
        let scale = (all * (1.0 - all) * (1.0 / n + 1.0 / m)).sqrt();
        (scale, scale / all)
    } else {
        (contrast.absolute().1.sqrt(), ((1.0 - p) / (n * p) + (1.0 - q) / (m * q)).sqrt())
    };
    let continuity = if settings.correction { 0.5 * (1.0 / n + 1.0 / m) } else { 0.0 };
    let outside = 1.0 - settings.level;
    let reach = normal_upper_quantile(if settings.tail == Tail::TwoSided { outside / 2.0 } else { outside });
    let difference = q - p;
    let (low, high) = (difference - scale * reach - continuity, difference + scale * reach + continuity);
    let factor = (log_scale * reach + continuity / p).exp();
    let (relative_low, relative_high) = (q / p / factor - 1.0, q / p * factor - 1.0);
    // Towards no effect, not beyond; a difference on the other side of a one-sided test stays.
    let corrected = |distance: f64| if distance > 0.0 { (distance - continuity).max(0.0) } else { distance };
    let (p_value, ends, relative_ends) = match settings.tail {
        Tail::TwoSided => (2.0 * normal_sf(corrected(difference.abs()) / scale), (low, high), (relative_low, relative_high)),
        Tail::Greater => (normal_sf(corrected(difference) / scale), (low, 1.0), (relative_low, f64::INFINITY)),
        Tail::Less => (normal_sf(corrected(-difference) / scale), (-1.0, high), (-1.0, relative_high)),
    };
    Ok(ProportionResult {
        difference,
        low: ends.0.max(-1.0),
        high: ends.1.min(1.0),
        relative: q / p - 1.0,
        relative_low: relative_ends.0,
        relative_high: relative_ends.1,
        p_value,
        n_control: control.units,
        n_treatment: treatment.units,
    })
}

/// Counts of a 2 × 2 table: did and didn't, control and treatment.
fn table(control: Share, treatment: Share) -> [[f64; 2]; 2] {
    [[treatment.yes as f64, control.yes as f64], [(treatment.units - treatment.yes) as f64, (control.units - control.yes) as f64]]
}

/// Expected counts and counts moved towards them by Yates' half where asked; `None` where a margin is 0.
fn expected(observed: [[f64; 2]; 2], correction: bool) -> Option<[[(f64, f64); 2]; 2]> {
    let rows = observed.map(|row| row[0] + row[1]);
    let columns = [observed[0][0] + observed[1][0], observed[0][1] + observed[1][1]];
    if rows.iter().chain(&columns).any(|&sum| sum == 0.0) {
        return None;
    }
    let all = rows[0] + rows[1];
    let cell = |row: usize, column: usize| {
        let expected = rows[row] * columns[column] / all;
        let apart = expected - observed[row][column];
        let moved = if correction { apart.abs().min(0.5) * apart.signum() } else { 0.0 };
        (observed[row][column] + moved, expected)
    };
    Some([[cell(0, 0), cell(0, 1)], [cell(1, 0), cell(1, 1)]])
}

/// Pearson's χ² test (1900), with Yates' correction where asked; `None` where everybody or nobody did.
pub fn pearson(control: Share, treatment: Share, correction: bool) -> Option<f64> {
    let cells = expected(table(control, treatment), correction)?;
    let statistic: f64 = cells.iter().flatten().map(|(found, expected)| (found - expected).powi(2) / expected).sum();
    Some(chi2_sf(statistic, 1.0))
}

/// The likelihood-ratio (G) test, with Yates' correction where asked; `None` where everybody or nobody did.
pub fn likelihood_ratio(control: Share, treatment: Share, correction: bool) -> Option<f64> {
    let cells = expected(table(control, treatment), correction)?;
    let term = |&(found, expected): &(f64, f64)| if found == 0.0 { 0.0 } else { 2.0 * found * (found / expected).ln() };
    Some(chi2_sf(cells.iter().flatten().map(term).sum(), 1.0))
}

/// Fisher's exact test: two-sided, the tables no likelier than this one.
pub fn fisher_exact(control: Share, treatment: Share, tail: Tail) -> f64 {
    let yes = control.yes + treatment.yes;
    let choose = |n: u64, k: u64| ln_gamma(n as f64 + 1.0) - ln_gamma(k as f64 + 1.0) - ln_gamma((n - k) as f64 + 1.0);
    let log_probability =
        |k: u64| choose(treatment.units, k) + choose(control.units, yes - k) - choose(treatment.units + control.units, yes);
    let lowest = yes.saturating_sub(control.units);
    let highest = yes.min(treatment.units);
    let here = log_probability(treatment.yes);
    let counts = |k: u64| match tail {
        Tail::TwoSided => log_probability(k) <= here + 1e-7,
        Tail::Greater => k >= treatment.yes,
        Tail::Less => k <= treatment.yes,
    };
    (lowest..=highest).filter(|&k| counts(k)).map(|k| log_probability(k).exp()).sum::<f64>().min(1.0)
}
