//! Intervals and nulls: the same measures over many samples of the rows.

use rayon::prelude::*;
use serde::Serialize;
use youhui_commerce::Draw;

use super::ranked::Sampling;

/// How often to sample, and from which stream of chance.
#[derive(Debug, Clone, Copy)]
pub struct Resampling {
    /// Bootstrap samples; without at least 2 there is no interval.
    pub bootstrap: usize,
    /// Permutations; without any there is no null.
    pub permutations: usize,
    /// Seed: the same one gives the same figures with any number of threads.
    pub seed: u64,
}

/// A metric with its interval and its null.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Judged {
    /// Its name.
    pub metric: String,
    /// Its value; `None` where it is undefined on these rows.
    pub value: Option<f64>,
    /// Lower end of the 95 % interval: the 2.5 % quantile of bootstrap samples of rows (Efron 1979).
    /// `None` where more than a tenth of the samples leave the metric undefined.
    pub low: Option<f64>,
    /// Upper end.
    pub high: Option<f64>,
    /// Rows it rests on.
    pub n: usize,
    /// Unit of all these.
    pub unit: &'static str,
    /// What scores without knowledge would come to.
    pub null: Option<Null>,
}

/// A metric's values when the scores are dealt out to the rows by lot.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Null {
    /// Their mean.
    pub mean: f64,
    /// Their standard deviation.
    pub spread: f64,
    /// Share of permutations at least as good, the actual scores counted among them, so that it is
    /// never 0 (Phipson and Smyth 2010).
    pub p: f64,
    /// Permutations that it rests on.
    pub permutations: usize,
}

type Function<S> = Box<dyn Fn(&S, Sampling<'_>) -> Option<f64> + Send + Sync>;

/// What is measured on samples of a subject `S`.
pub(super) struct Measure<S> {
    name: String,
    unit: &'static str,
    has_null: bool,
    of: Function<S>,
}

impl<S> Measure<S> {
    pub(super) fn new(
        name: impl Into<String>,
        unit: &'static str,
        of: impl Fn(&S, Sampling<'_>) -> Option<f64> + Send + Sync + 'static,
    ) -> Self {
        Self { name: name.into(), unit, has_null: true, of: Box::new(of) }
    }

    /// For what doesn't depend on scores.
    pub(super) fn without_null(self) -> Self {
        Self { has_null: false, ..self }
    }
}

/// Measures all rows and samples of them. Each sample has a stream of its own and is summed by one
/// thread in one order, so that threads don't change a bit of the answer.
pub(super) fn judge<S: Sync>(subject: &S, rows: usize, measures: &[Measure<S>], resampling: Resampling) -> Vec<Judged> {
    let all = |sampling: Sampling<'_>| -> Vec<Option<f64>> { measures.iter().map(|measure| (measure.of)(subject, sampling)).collect() };
    let chance = Draw::seeded(resampling.seed);
    let stream = |kind: &str, sample: usize| chance.fork(&format!("{kind} {sample}"));
    let drawn: Vec<_> =
        (0..resampling.bootstrap).into_par_iter().map(|sample| all(Sampling::Times(&drawn(rows, stream("bootstrap", sample))))).collect();
    let dealt: Vec<_> = (0..resampling.permutations)
        .into_par_iter()
        .map(|sample| all(Sampling::Dealt(&shuffled(rows, stream("permutation", sample)))))
        .collect();
    let of = |samples: &[Vec<Option<f64>>], place: usize| samples.iter().filter_map(|sample| sample[place]).collect::<Vec<f64>>();
    let judged = measures.iter().zip(all(Sampling::Whole)).enumerate().map(|(place, (measure, value))| {
        let (low, high) = interval(of(&drawn, place), resampling.bootstrap).filter(|_| value.is_some()).unzip();
        let null = value.filter(|_| measure.has_null).and_then(|value| null(&of(&dealt, place), value));
        Judged { metric: measure.name.clone(), value, low, high, n: rows, unit: measure.unit, null }
    });
    judged.collect()
}

/// How often each row is drawn when as many are drawn as there are.
fn drawn(rows: usize, mut chance: Draw) -> Vec<u32> {
    let mut times = vec![0_u32; rows];
    (0..rows).for_each(|_| times[chance.below(rows)] += 1);
    times
}

fn shuffled(rows: usize, mut chance: Draw) -> Vec<u32> {
    let mut order: Vec<u32> = (0..rows).map(|row| u32::try_from(row).unwrap_or(u32::MAX)).collect();
    chance.shuffle(&mut order);
    order
}

fn interval(mut values: Vec<f64>, samples: usize) -> Option<(f64, f64)> {
    if values.len() < 2 || values.len() * 10 < samples * 9 {
        return None;
    }
    values.sort_by(f64::total_cmp);
    Some((quantile(&values, 0.025), quantile(&values, 0.975)))
}

/// Linear between the two values beside it.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a place in a list")]
fn quantile(sorted: &[f64], share: f64) -> f64 {
    let place = share * (sorted.len() - 1) as f64;
    let (below, part) = (place.floor() as usize, place.fract());
    let above = sorted[(below + 1).min(sorted.len() - 1)];
    sorted[below] + part * (above - sorted[below])
}

fn null(values: &[f64], actual: f64) -> Option<Null> {
    if values.len() < 2 {
        return None;
    }
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    // Sums of the same numbers in another order are the same value.
    let reached = actual - 1e-12 * actual.abs().max(1.0);
    let as_good = values.iter().filter(|&&value| value >= reached).count() as f64;
    Some(Null { mean, spread: (squares / (count - 1.0)).sqrt(), p: (1.0 + as_good) / (1.0 + count), permutations: values.len() })
}
