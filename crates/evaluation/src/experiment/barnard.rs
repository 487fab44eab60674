//! Exact tests of two shares that don't fix how many did it altogether: Barnard (1945) and Boschloo (1970).
//!
//! Tables at least as extreme as the one seen are summed under one common rate, and the rate is the one
//! that makes the sum largest. Barnard orders tables by the z statistic, Boschloo by Fisher's one-sided
//! p-value. Both hold their level at any size and have more power than Fisher's test; for thousands of units
//! the z-test says the same sooner. Work and memory grow with the product of the arms.
//!
//! scipy's Barnard test, which tea-tasting asks, is sometimes too small: it loses tables whose statistic equals
//! the one seen by rounding, and its search for the rate can end at a lower top (5 of 54 cases in our tests,
//! by up to 16 %).
//!
//! Sums depend on the rate through the number s of units that did it: p(π) = Σ Cₛ πˢ(1 − π)ᴺ⁻ˢ, so that tables are
//! gone through once and the rate is searched on N + 1 coefficients.

use super::special::ln_gamma;
use super::{ExperimentError, Share, Tail};

/// Tables above which the z-test is to be taken.
const MOST_TABLES: u64 = 100_000_000;
/// Places at which the search for the rate begins.
const GRID: u32 = 2000;

/// Two arms' sizes and what was seen.
struct Tables {
    treatment: u64,
    control: u64,
    seen: (u64, u64),
}

/// Barnard's test with the z statistic, pooled or not.
///
/// # Errors
/// Where an arm is empty, or arms are so large that the z-test is to be taken.
pub fn barnard_exact(control: Share, treatment: Share, tail: Tail, pooled: bool) -> Result<f64, ExperimentError> {
    let tables = Tables::new(control, treatment)?;
    let (n, m) = (tables.treatment as f64, tables.control as f64);
    let statistic = |(x, y): (u64, u64)| {
        let (p, q) = (x as f64 / n, y as f64 / m);
        let all = (x + y) as f64 / (n + m);
        let variance = if pooled { all * (1.0 - all) * (1.0 / n + 1.0 / m) } else { p * (1.0 - p) / n + q * (1.0 - q) / m };
        if p == q { 0.0 } else { (p - q) / variance.sqrt() }
    };
    let seen = statistic(tables.seen);
    // Tables of the same statistic are told apart by rounding alone.
    let reached = |value: f64, limit: f64| value >= limit - 1e-12 * limit.abs();
    let extreme = |table: (u64, u64)| {
        let value = statistic(table);
        match tail {
            Tail::TwoSided => reached(value.abs(), seen.abs()),
            Tail::Greater => reached(value, seen),
            Tail::Less => reached(-value, -seen),
        }
    };
    Ok(largest(&tables.coefficients(extreme)))
}

/// Boschloo's test; two-sided, twice the smaller one-sided p-value.
///
/// # Errors
/// As [`barnard_exact`].
pub fn boschloo_exact(control: Share, treatment: Share, tail: Tail) -> Result<f64, ExperimentError> {
    let one_sided = |upper: bool| -> Result<f64, ExperimentError> {
        let tables = Tables::new(control, treatment)?;
        let fisher = tables.fisher(upper);
        let at = |(x, y): (u64, u64)| {
            let place = x.checked_mul(tables.control + 1).and_then(|start| usize::try_from(start + y).ok());
            place.and_then(|place| fisher.get(place).copied()).unwrap_or(f64::NAN)
        };
        let limit = at(tables.seen) * (1.0 + 1e-12);
        Ok(largest(&tables.coefficients(|table| at(table) <= limit)))
    };
    match tail {
        Tail::Greater => one_sided(true),
        Tail::Less => one_sided(false),
        Tail::TwoSided => Ok((2.0 * one_sided(true)?.min(one_sided(false)?)).min(1.0)),
    }
}

impl Tables {
    fn new(control: Share, treatment: Share) -> Result<Self, ExperimentError> {
        for (share, arm) in [(control, "control"), (treatment, "treatment")] {
            if share.units() == 0 {
                return Err(ExperimentError::TooFewUnits { arm: arm.to_owned(), units: 0 });
            }
        }
        let tables = (control.units() + 1).saturating_mul(treatment.units() + 1);
        if tables > MOST_TABLES {
            return Err(ExperimentError::Setting {
                name: "tables",
                value: tables as f64,
                needed: "at most 100 million tables can be gone through",
                consequence: "the exact test would take minutes to say what the z-test says of so many units",
            });
        }
        Ok(Self { treatment: treatment.units(), control: control.units(), seen: (treatment.yes(), control.yes()) })
    }

    const fn all(&self) -> u64 {
        self.treatment + self.control
    }

    /// ln of the ways to have x of treatment and y of control.
    fn ways(&self) -> impl Fn(u64, u64) -> f64 {
        let logs = |n: u64| -> Vec<f64> {
            let of = |k: u64| ln_gamma(k as f64 + 1.0);
            (0..=n).map(|k| of(n) - of(k) - of(n - k)).collect()
        };
        let (treatment, control) = (logs(self.treatment), logs(self.control));
        let at =
            |list: &[f64], place: u64| usize::try_from(place).ok().and_then(|place| list.get(place).copied()).unwrap_or(f64::NEG_INFINITY);
        move |x, y| at(&treatment, x) + at(&control, y)
    }

    /// For each s = x + y, ln of the ways of the tables that are extreme.
    fn coefficients(&self, extreme: impl Fn((u64, u64)) -> bool) -> Vec<f64> {
        let ways = self.ways();
        let of = |s: u64| {
            let (least, most) = (s.saturating_sub(self.control), s.min(self.treatment));
            let logs: Vec<f64> = (least..=most).filter(|&x| extreme((x, s - x))).map(|x| ways(x, s - x)).collect();
            log_sum(&logs)
        };
        (0..=self.all()).map(of).collect()
    }

    /// Fisher's one-sided p-value of each table, x·(control + 1) + y.
    fn fisher(&self, upper: bool) -> Vec<f64> {
        let ways = self.ways();
        let size = usize::try_from((self.treatment + 1) * (self.control + 1)).unwrap_or_default();
        let mut values = vec![f64::NAN; size];
        for s in 0..=self.all() {
            let (least, most) = (s.saturating_sub(self.control), s.min(self.treatment));
            let logs: Vec<f64> = (least..=most).map(|x| ways(x, s - x)).collect();
            let whole = log_sum(&logs);
            let mut sum = 0.0;
            let mut set = |x: u64| {
                sum += (ways(x, s - x) - whole).exp();
                if let Some(value) = usize::try_from(x * (self.control + 1) + s - x).ok().and_then(|place| values.get_mut(place)) {
                    *value = sum;
                }
            };
            if upper { (least..=most).rev().for_each(&mut set) } else { (least..=most).for_each(&mut set) }
        }
        values
    }
}

/// ln Σ exp.
fn log_sum(logs: &[f64]) -> f64 {
    let most = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if most == f64::NEG_INFINITY { most } else { most + logs.iter().map(|log| (log - most).exp()).sum::<f64>().ln() }
}

/// The largest Σ exp(cₛ) πˢ(1 − π)ᴺ⁻ˢ over π: a grid, then golden sections beside its three best places.
fn largest(coefficients: &[f64]) -> f64 {
    let all = coefficients.len() as f64 - 1.0;
    let at = |rate: f64| {
        let (yes, no) = (rate.ln(), (-rate).ln_1p());
        let terms = coefficients.iter().enumerate().filter(|(_, log)| log.is_finite());
        terms.map(|(s, log)| (log + s as f64 * yes + (all - s as f64) * no).exp()).sum::<f64>()
    };
    // Even in the angle: narrow near rates of 0 and 1, where the sum changes fast.
    let rate = |place: f64| (0.5 * std::f64::consts::PI * place / f64::from(GRID)).sin().powi(2);
    let mut grid: Vec<(f64, f64)> = (1..GRID).map(|place| (at(rate(f64::from(place))), f64::from(place))).collect();
    grid.sort_by(|one, two| two.0.total_cmp(&one.0));
    let best = grid.iter().take(3).map(|&(_, place)| golden(place - 1.0, place + 1.0, |place| at(rate(place))));
    // Rates of 0 and 1 themselves: only the table of nobody or of everybody.
    let ends = [coefficients.first(), coefficients.last()].into_iter().flatten().map(|log| log.exp());
    best.chain(ends).fold(0.0, f64::max).min(1.0)
}

/// The largest value of a function with one top between `low` and `high`.
fn golden(mut low: f64, mut high: f64, f: impl Fn(f64) -> f64) -> f64 {
    let part = 0.618_033_988_749_895;
    let (mut one, mut two) = (high - part * (high - low), low + part * (high - low));
    let (mut at_one, mut at_two) = (f(one), f(two));
    for _ in 0..60 {
        if at_one > at_two {
            (high, two, at_two) = (two, one, at_one);
            one = high - part * (high - low);
            at_one = f(one);
        } else {
            (low, one, at_one) = (one, two, at_two);
            two = low + part * (high - low);
            at_two = f(two);
        }
    }
    at_one.max(at_two)
}
