//! Structural time series: what the series would have been, from a level that wanders and controls that weren't moved.
//!
//! yₜ = μₜ + xₜᵀβ + εₜ, μₜ₊₁ = μₜ + ηₜ, fitted before the start and carried on after it; effects are what was observed less that.
//! x are controls and season's indicators. Given θ = sd(η)/(sd(η) + sd(ε)), Kalman's filter with the first level and β diffuse
//! (de Jong 1991) gives their posterior, that of the variance (prior 1/σ²), and hence Student's t for any sum of effects. θ has
//! a uniform prior on (0, 1) and is summed over on a grid: the posterior is exact up to the grid, with no sampling.
//!
//! The model of `CausalImpact` without its spike-and-slab choice of controls: choose few controls beforehand. Its default prior holds the level nearly still,
//! which makes intervals too narrow when it isn't; the uniform prior lets the series say.
//!
//! Assumes that controls weren't moved by the campaign and go with the series after the start as before. Fails where something
//! else moves the treated series at the start, and for few periods before (then intervals are wide, as they should be).
//!
//! Harvey 1989; Brodersen, Gallusser, Koehler, Remy and Scott 2015.

use serde::Serialize;

use super::result::{Check, CheckKind, Evidence, Observed, ObservedEffect, PER_PERIOD, SUMMED, check_level, warning};
use super::{ObservationalError, TimeSeries};
use crate::experiment::solve::{dot, inverse, product, quadratic};
use crate::experiment::special::t_sf;

/// Points of the grid of θ.
const GRID: usize = 100;

/// An interval around what would have been.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Expected {
    /// Posterior mean.
    pub value: f64,
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

/// A structural time series' effects.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Structural {
    /// The mean effect a period, checks and warnings.
    pub observed: Observed,
    /// Its sum over the periods after.
    pub cumulative: ObservedEffect,
    /// The series without the campaign, period by period after the start.
    pub counterfactual: Vec<Expected>,
    /// Posterior mean of sd(η)/(sd(η) + sd(ε)): 0 for a still level, 1 for a random walk.
    pub wandering: f64,
}

/// Fits it.
///
/// # Errors
/// Where controls and seasons are linearly dependent before the start.
pub fn structural_time_series(series: &TimeSeries, level: f64) -> Result<Structural, ObservationalError> {
    let mut found = estimate(series, level)?;
    // As many periods as after the real start, but no more than a third of those before.
    let fake = series.start - series.after().min(series.start / 3).max(1);
    if let Some(before) = series.part(series.start, fake) {
        let effect = Posterior::new(&before)?.mean_effect(&before).effect(&before, 0.95);
        let reads = format!(
            "mean effect of a start at period {} that never was (interval {:.4} to {:.4}); one that differs from 0 says that the series isn't carried on well",
            series.times[fake], effect.low, effect.high
        );
        found.observed.checks.push(Check::new(CheckKind::PlaceboInTime, effect.value, effect.p_value, reads));
    }
    Ok(found)
}

fn estimate(series: &TimeSeries, level: f64) -> Result<Structural, ObservationalError> {
    check_level(level)?;
    let posterior = Posterior::new(series)?;
    let after = series.after();
    let outside = (1.0 - level) / 2.0;
    let counterfactual = (0..after).map(|period| {
        let of: Vec<f64> = (0..after).map(|at| f64::from(u8::from(at == period))).collect();
        let effect = posterior.effects(series, &of);
        let seen = series.outcome[series.start + period];
        Expected { value: seen - effect.mean(), low: seen - effect.quantile(1.0 - outside), high: seen - effect.quantile(outside) }
    });
    let counterfactual = counterfactual.collect();
    let mut warnings = vec![];
    if after > series.start {
        warnings.push(warning(
            "long_forecast",
            format!("{after} periods are carried on from {} before: the level has wandered farther than was ever seen, and the interval rests on the model. Look at the first periods after the start", series.start),
        ));
    }
    let observed = Observed {
        evidence: Evidence::Observational,
        method: "structural time series",
        assumption: "controls weren't moved by the campaign and go with the series after the start as they did before, and nothing else happened to the series at its start",
        effect: posterior.mean_effect(series).effect(series, level),
        checks: vec![],
        warnings,
    };
    let cumulative = posterior.effects(series, &vec![1.0; after]).effect(series, level).in_unit(SUMMED);
    Ok(Structural { observed, cumulative, counterfactual, wandering: posterior.wandering() })
}

/// θ of the grid with its posterior share, and the filter at it.
struct Posterior(Vec<(f64, f64, Filtered)>);

impl Posterior {
    fn new(series: &TimeSeries) -> Result<Self, ObservationalError> {
        let at = |place: usize| {
            let theta = (place as f64 + 0.5) / GRID as f64;
            let (noise, step) = ((1.0 - theta).powi(2), theta * theta);
            Ok((theta, Filtered::new(series, noise / (noise + step), step / (noise + step))?))
        };
        let filtered: Vec<(f64, Filtered)> = (0..GRID).map(at).collect::<Result<_, ObservationalError>>()?;
        let best = filtered.iter().map(|(_, at)| at.log_likelihood).fold(f64::NEG_INFINITY, f64::max);
        // What has no share worth mentioning costs as much as what has.
        let kept = filtered.into_iter().map(|(theta, at)| (theta, (at.log_likelihood - best).exp(), at)).filter(|of| of.1 > 1e-9);
        let mut kept: Vec<(f64, f64, Filtered)> = kept.collect();
        let all: f64 = kept.iter().map(|of| of.1).sum();
        kept.iter_mut().for_each(|of| of.1 /= all);
        Ok(Self(kept))
    }

    /// Of a weighted sum of effects.
    fn effects(&self, series: &TimeSeries, weights: &[f64]) -> Mixture {
        let part = |(_, share, at): &(f64, f64, Filtered)| {
            let (value, variance) = at.effect(series, weights);
            Part { share: *share, value, std_error: (variance * at.variance).sqrt(), df: at.df }
        };
        Mixture { parts: self.0.iter().map(part).collect() }
    }

    fn mean_effect(&self, series: &TimeSeries) -> Mixture {
        self.effects(series, &vec![1.0 / series.after() as f64; series.after()])
    }

    fn wandering(&self) -> f64 {
        self.0.iter().map(|(theta, share, _)| theta * share).sum()
    }
}

/// What Kalman's filter says of the periods before, given both variances up to their common factor.
pub(super) struct Filtered {
    /// What the level is predicted to be less the diffuse part: of the outcome and of each diffuse column.
    outcome: f64,
    columns: Vec<f64>,
    /// Variance of the predicted level, of the noise and of the level's step.
    level_variance: f64,
    noise: f64,
    step: f64,
    /// First level and β.
    pub(super) coefficients: Vec<f64>,
    pub(super) bread: Vec<Vec<f64>>,
    /// σ̂².
    pub(super) variance: f64,
    df: f64,
    /// With σ², the first level and β integrated out.
    log_likelihood: f64,
}

impl Filtered {
    pub(super) fn new(series: &TimeSeries, noise: f64, step: f64) -> Result<Self, ObservationalError> {
        let width = series.columns.len() + 1;
        let (mut outcome, mut columns, mut level_variance) = (0.0, vec![0.0; width], 0.0);
        let (mut gram, mut with) = (vec![vec![0.0; width]; width], vec![0.0; width]);
        let (mut squares, mut logs) = (0.0, 0.0);
        for period in 0..series.start {
            let predicted = level_variance + noise;
            let missed = series.outcome[period] - outcome;
            let row: Vec<f64> = std::iter::once(1.0).chain(series.row(period)).zip(&columns).map(|(cell, known)| cell - known).collect();
            logs += predicted.ln();
            squares += missed * missed / predicted;
            for one in 0..width {
                with[one] += row[one] * missed / predicted;
                (0..width).for_each(|two| gram[one][two] += row[one] * row[two] / predicted);
            }
            let gain = level_variance / predicted;
            outcome += gain * missed;
            columns.iter_mut().zip(&row).for_each(|(known, missed)| *known += gain * missed);
            level_variance = level_variance * (1.0 - gain) + step;
        }
        let bread = inverse(&gram).map_err(ObservationalError::of_system("controls and season before the start"))?;
        let coefficients = product(&bread, &with);
        let df = (series.start - width) as f64;
        let rest = squares - dot(&with, &coefficients);
        if rest.is_nan() || rest <= 1e-14 * squares {
            return Err(ObservationalError::PerfectFit { what: "controls and season before the start".to_owned() });
        }
        let log_likelihood = -0.5 * (logs + log_determinant(&gram) + df * rest.ln());
        Ok(Self { outcome, columns, level_variance, noise, step, coefficients, bread, variance: rest / df, df, log_likelihood })
    }

    /// A weighted sum of effects after the start, and its variance over σ².
    pub(super) fn effect(&self, series: &TimeSeries, weights: &[f64]) -> (f64, f64) {
        let mut left = 0.0;
        let mut toward = vec![0.0; self.columns.len()];
        for (at, weight) in weights.iter().enumerate() {
            let period = series.start + at;
            left += weight * (series.outcome[period] - self.outcome);
            let row = std::iter::once(1.0).chain(series.row(period));
            row.zip(&self.columns).zip(&mut toward).for_each(|((cell, known), sum)| *sum += weight * (cell - known));
        }
        // A step moves the level of every later period.
        let mut later = 0.0;
        let mut steps = 0.0;
        for weight in weights[1..].iter().rev() {
            later += weight;
            steps += later * later;
        }
        let all = later + weights[0];
        let own = self.level_variance * all * all + self.step * steps + self.noise * dot(weights, weights);
        (left - dot(&toward, &self.coefficients), own + quadratic(&self.bread, &toward))
    }
}

/// ln |M| of a positive definite matrix.
fn log_determinant(matrix: &[Vec<f64>]) -> f64 {
    let mut rows = matrix.to_vec();
    let mut sum = 0.0;
    for pivot in 0..rows.len() {
        sum += rows[pivot][pivot].ln();
        let (done, rest) = rows.split_at_mut(pivot + 1);
        let first = &done[pivot];
        for row in rest {
            let factor = row[pivot] / first[pivot];
            row.iter_mut().zip(first).skip(pivot).for_each(|(cell, above)| *cell -= factor * above);
        }
    }
    sum
}

struct Part {
    share: f64,
    value: f64,
    std_error: f64,
    df: f64,
}

/// Student's t's, each with its share.
struct Mixture {
    parts: Vec<Part>,
}

impl Mixture {
    fn mean(&self) -> f64 {
        self.parts.iter().map(|part| part.share * part.value).sum()
    }

    fn spread(&self) -> f64 {
        self.parts.iter().map(|part| part.share * part.std_error).sum()
    }

    fn below(&self, x: f64) -> f64 {
        self.parts.iter().map(|part| part.share * t_sf((part.value - x) / part.std_error, part.df)).sum()
    }

    /// By false position with Illinois' halving, between bounds that are known to hold it.
    fn quantile(&self, share: f64) -> f64 {
        let spread = self.spread();
        let at = |x: f64| (x, self.below(x) - share);
        let (mut low, mut high) = (at(self.mean() - 2.0 * spread), at(self.mean() + 2.0 * spread));
        while low.1 > 0.0 {
            (low, high) = (at(low.0 - 2.0 * (high.0 - low.0)), low);
        }
        while high.1 < 0.0 {
            (low, high) = (high, at(high.0 + 2.0 * (high.0 - low.0)));
        }
        for _ in 0..200 {
            let next = at(high.0 - high.1 * (high.0 - low.0) / (high.1 - low.1));
            if next.1.abs() < 1e-13 || (high.0 - low.0).abs() < 1e-12 * spread {
                return next.0;
            }
            if next.1 * high.1 < 0.0 {
                low = high;
            } else {
                low.1 *= 0.5;
            }
            high = next;
        }
        high.0
    }

    fn effect(&self, series: &TimeSeries, level: f64) -> ObservedEffect {
        let below = self.below(0.0);
        let outside = (1.0 - level) / 2.0;
        ObservedEffect {
            value: self.mean(),
            low: self.quantile(outside),
            high: self.quantile(1.0 - outside),
            level,
            std_error: self.spread(),
            df: f64::NAN,
            p_value: (2.0 * below.min(1.0 - below)).min(1.0),
            treated: series.after(),
            untreated: series.start,
            clusters: series.outcome.len(),
            unit: PER_PERIOD,
        }
    }
}
