//! Synthetic control: one treated series beside the weighted mean of untreated ones that followed it before.
//!
//! Weights w ≥ 0 with sum 1 minimise Σ over periods before of (y₁ₜ − Σⱼ wⱼ yⱼₜ)²: every outcome before the start is a
//! predictor and all count the same, which leaves no choice of predictors to be searched for a result (Ferman, Pinto and
//! Possebom 2020). Effect: mean of y₁ₜ − Σ wⱼ yⱼₜ from the start on.
//!
//! Inference by placebos in space: each donor as if treated, fitted from the other donors. The statistic is the effect over
//! the root mean squared error before the start (RMSPE); the interval contains every constant effect that the placebos' rank
//! doesn't reject (Firpo and Possebom 2018). Where a fit is perfect, effects are ranked undivided. With J donors no p-value is below 1/(J + 1): fewer than 19 can't reject at .05,
//! and the interval is then endless. The ratio of RMSPEs after and before (Abadie, Diamond and Hainmueller 2010) is reported too.
//!
//! Assumes that what moves the treated series moves donors by the same weights after as before, that the fit before is good, and
//! that donors weren't reached. Fails for a treated series outside the donors' range (poor fit: biased towards the donors), for
//! few periods before (noise is fitted), and where the treated unit wasn't as likely as any donor to be treated: ranks are then no p-values.
//!
//! Abadie and Gardeazabal 2003; Abadie, Diamond and Hainmueller 2010.

use rayon::prelude::*;
use serde::Serialize;

use super::result::{Check, CheckKind, Evidence, Observed, ObservedEffect, PER_PERIOD, PER_UNIT, check_level, warning};
use super::simplex::nearest_to_origin;
use super::{ObservationalError, Panel};
use crate::experiment::Warning;
use crate::experiment::solve::dot;

/// One treated series and untreated ones.
#[derive(Debug, Clone, PartialEq)]
pub struct Donors {
    treated: Vec<f64>,
    donors: Vec<Vec<f64>>,
    start: usize,
    /// Unit of an effect on the treated series.
    unit: &'static str,
}

impl Donors {
    /// `treated[period]`, `donors[donor][period]`, the first period with treatment.
    ///
    /// # Errors
    /// Where lengths differ, a value isn't finite, there are fewer than two periods before, none after, or fewer than two
    /// donors.
    pub fn new(treated: Vec<f64>, donors: Vec<Vec<f64>>, start: usize) -> Result<Self, ObservationalError> {
        for (at, series) in std::iter::once(&treated).chain(&donors).enumerate() {
            let column = if at == 0 { "treated".to_owned() } else { format!("donor {}", at - 1) };
            if series.len() != treated.len() {
                return Err(ObservationalError::Length { column, found: series.len(), expected: treated.len() });
            }
            if let Some((row, &value)) = series.iter().enumerate().find(|(_, value)| !value.is_finite()) {
                return Err(ObservationalError::NotFinite { row, column, value });
            }
        }
        if start < 2 {
            return Err(ObservationalError::NoPrePeriod { periods: start, needed: 2 });
        }
        if start >= treated.len() {
            return Err(ObservationalError::NoPostPeriod);
        }
        if donors.len() < 2 {
            return Err(ObservationalError::NoControls { controls: donors.len(), needed: 2 });
        }
        Ok(Self { treated, donors, start, unit: PER_PERIOD })
    }

    /// The treated series.
    pub fn treated(&self) -> &[f64] {
        &self.treated
    }

    /// Place of the first period with treatment.
    pub const fn start(&self) -> usize {
        self.start
    }

    /// The mean of a panel's treated units, which start together, and its untreated units.
    ///
    /// # Errors
    /// As [`Donors::new`], and where starts differ.
    pub fn from_panel(panel: &Panel) -> Result<Self, ObservationalError> {
        let start = panel.common_start(1)?;
        let is = |unit: &usize| panel.starts()[*unit].is_some();
        let many = panel.treated() as f64;
        let mut treated = vec![0.0; panel.periods()];
        for unit in (0..panel.units()).filter(is) {
            panel.series(unit).iter().zip(&mut treated).for_each(|(value, sum)| *sum += value / many);
        }
        let donors = (0..panel.units()).filter(|unit| !is(unit)).map(|unit| panel.series(unit).to_vec()).collect();
        // The mean of treated units: comparable with what other estimators say of the same panel.
        Ok(Self { unit: PER_UNIT, ..Self::new(treated, donors, start)? })
    }
}

/// A synthetic control with its weights and placebos.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SyntheticControl {
    /// The mean effect a period, checks and warnings.
    pub observed: Observed,
    /// Weight of each donor: not negative, summing to 1.
    pub weights: Vec<f64>,
    /// Treated less synthetic, period by period.
    pub gaps: Vec<f64>,
    /// Root mean squared gap before the start.
    pub rmspe_before: f64,
    /// Root mean squared gap after over that before.
    pub rmspe_ratio: f64,
    /// The same of every donor as if treated.
    pub placebo_ratios: Vec<f64>,
}

struct Gaps {
    weights: Vec<f64>,
    gaps: Vec<f64>,
    before: f64,
    after: f64,
    mean: f64,
}

/// Effect of the treatment on the treated series.
///
/// # Errors
/// Where the level isn't inside (0, 1).
pub fn synthetic_control(series: &Donors, level: f64) -> Result<SyntheticControl, ObservationalError> {
    check_level(level)?;
    let floor = floor(series);
    let own = gaps(&series.treated, &series.donors.iter().collect::<Vec<_>>(), series.start, floor);
    let placebos = placebos(series, floor);
    let effect = effect(series, &own, &placebos, level);
    let ratio = own.after / own.before;
    let placebo_ratios: Vec<f64> = placebos.iter().map(|placebo| placebo.after / placebo.before).collect();
    let mut checks = vec![in_space(ratio, &placebo_ratios)];
    checks.extend(in_time(series));
    let observed = Observed {
        evidence: Evidence::Observational,
        method: "synthetic control",
        assumption: "the weighted donors that followed the treated series before would have followed it after: both are moved by the same things with the same weights, donors weren't reached by the campaign, and nothing else happened to either at the start",
        effect,
        checks,
        warnings: warnings(series, &own, comparable(&own, &placebos)),
    };
    Ok(SyntheticControl { observed, weights: own.weights, gaps: own.gaps, rmspe_before: own.before, rmspe_ratio: ratio, placebo_ratios })
}

/// A fit closer than this is rounding, and dividing by it would rank rounding.
fn floor(series: &Donors) -> f64 {
    let all = series.donors.iter().flatten();
    let count = (series.donors.len() * series.treated.len()) as f64;
    1e-6 * (all.map(|value| value * value).sum::<f64>() / count).sqrt().max(f64::MIN_POSITIVE)
}

fn gaps(treated: &[f64], donors: &[&Vec<f64>], start: usize, floor: f64) -> Gaps {
    let apart: Vec<Vec<f64>> =
        donors.iter().map(|donor| donor[..start].iter().zip(treated).map(|(value, own)| value - own).collect()).collect();
    let gram: Vec<Vec<f64>> = apart.iter().map(|one| apart.iter().map(|two| dot(one, two)).collect()).collect();
    let weights = nearest_to_origin(&gram);
    let synthetic = |period: usize| donors.iter().zip(&weights).map(|(donor, weight)| donor[period] * weight).sum::<f64>();
    let gaps: Vec<f64> = treated.iter().enumerate().map(|(period, own)| own - synthetic(period)).collect();
    let root = |part: &[f64]| (part.iter().map(|gap| gap * gap).sum::<f64>() / part.len() as f64).sqrt();
    let (before, after) = (root(&gaps[..start]).max(floor), root(&gaps[start..]));
    let mean = gaps[start..].iter().sum::<f64>() / (gaps.len() - start) as f64;
    Gaps { weights, gaps, before, after, mean }
}

/// Each donor as if treated; the treated series is no donor of theirs.
fn placebos(series: &Donors, floor: f64) -> Vec<Gaps> {
    let as_treated = |chosen: usize| {
        let others: Vec<&Vec<f64>> = series.donors.iter().enumerate().filter(|(at, _)| *at != chosen).map(|(_, donor)| donor).collect();
        gaps(&series.donors[chosen], &others, series.start, floor)
    };
    (0..series.donors.len()).into_par_iter().map(as_treated).collect()
}

fn effect(series: &Donors, own: &Gaps, placebos: &[Gaps], level: f64) -> ObservedEffect {
    let scaled = comparable(own, placebos);
    let statistic = |gaps: &Gaps| gaps.mean.abs() / if scaled { gaps.before } else { 1.0 };
    let mut statistics: Vec<f64> = placebos.iter().map(statistic).collect();
    statistics.sort_by(f64::total_cmp);
    let all = placebos.len() as f64 + 1.0;
    let p_of = |statistic: f64| (1.0 + statistics.iter().filter(|&&other| other >= statistic).count() as f64) / all;
    let outside = 1.0 - level;
    // The largest statistic that isn't rejected: p > outside.
    let kept = statistics.iter().rev().find(|&&statistic| p_of(statistic) > outside).copied();
    let half = if 1.0 / all > outside { f64::INFINITY } else { kept.unwrap_or(0.0) * if scaled { own.before } else { 1.0 } };
    ObservedEffect {
        value: own.mean,
        low: own.mean - half,
        high: own.mean + half,
        level,
        std_error: f64::NAN,
        df: f64::NAN,
        p_value: p_of(statistic(own)),
        treated: 1,
        untreated: series.donors.len(),
        clusters: series.donors.len() + 1,
        unit: series.unit,
    }
}

/// Whether errors before say how far apart series drift. A perfect fit doesn't: dividing by it would make its own interval
/// nothing and that of others endless. Then effects are ranked as they are.
fn comparable(own: &Gaps, placebos: &[Gaps]) -> bool {
    let mut before: Vec<f64> = placebos.iter().map(|placebo| placebo.before).collect();
    before.sort_by(f64::total_cmp);
    before.first().is_some_and(|&least| least.min(own.before) > 1e-2 * before[before.len() / 2])
}

fn in_space(ratio: f64, placebos: &[f64]) -> Check {
    let reached = placebos.iter().filter(|&&other| other >= ratio).count();
    let all = placebos.len() + 1;
    let reads = format!(
        "the treated series' ratio of errors after and before is number {} of {all}; donors with as large a ratio show what chance does. It tests the effect and raises no alarm",
        reached + 1
    );
    Check { kind: CheckKind::PlaceboInSpace, value: ratio, p_value: (1.0 + reached as f64) / all as f64, alarm: false, reads }
}

/// A start halfway through the periods before, ranked among donors as the real one.
fn in_time(series: &Donors) -> Option<Check> {
    let fake = series.start / 2;
    let cut = |series: &[f64], until: usize| series[..until].to_vec();
    let donors = series.donors.iter().map(|donor| cut(donor, series.start)).collect();
    let before = Donors::new(cut(&series.treated, series.start), donors, fake).ok()?;
    let floor = floor(&before);
    let own = gaps(&before.treated, &before.donors.iter().collect::<Vec<_>>(), fake, floor);
    let found = effect(&before, &own, &placebos(&before, floor), 0.95);
    let reads = format!(
        "effect of a start at period {fake} that never was, ranked among {} donors; one that stands out says that the synthetic series doesn't follow the treated one",
        before.donors.len()
    );
    Some(Check::new(CheckKind::PlaceboInTime, found.value, found.p_value, reads))
}

fn warnings(series: &Donors, own: &Gaps, comparable: bool) -> Vec<Warning> {
    let mut warnings = vec![];
    let before = &series.treated[..series.start];
    let mean = before.iter().sum::<f64>() / before.len() as f64;
    let spread = (before.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / before.len() as f64).sqrt();
    if own.before > spread && comparable {
        let message = format!(
            "the synthetic series misses the treated one by {:.4} before the start, more than the treated series varies ({spread:.4}): the treated unit lies outside the donors' range and the effect is biased by about the gap. Use differences or synthetic difference in differences",
            own.before
        );
        warnings.push(warning("poor_fit", message));
    }
    if !comparable || series.donors.len() > 10 * series.start {
        warnings.push(warning(
            "overfit",
            format!(
                "{} donors for {} periods before: some series are fitted perfectly, weights can follow noise, so that the fit before says nothing about the fit after. Add earlier periods or choose donors beforehand",
                series.donors.len(),
                series.start
            ),
        ));
    }
    if series.donors.len() < 19 {
        warnings.push(warning(
            "few_donors",
            format!(
                "{} donors: ranks give no p-value below {:.3}, and a 95 % interval is endless below 19 donors",
                series.donors.len(),
                1.0 / (series.donors.len() as f64 + 1.0)
            ),
        ));
    }
    warnings
}
