//! Revenue of which most is 0: capped at a percentile, and taken apart into who buys and for how much.
//!
//! The mean per unit, zeros among them, is what the shop earns and what is decided on. Its interval is
//! trusted when units are many beside the square of the skewness (Kohavi et al. 2014: 355 × skewness² an
//! arm); capping (winsorising) makes it usable sooner, at the price of being the effect on capped revenue:
//! [`Capped::bias`] says how much of the means lies above the cap. The cap is one value for both arms, from
//! both together: a cap from each arm's own data would remove part of the effect.
//!
//! The two parts, share of buyers and revenue per buyer, multiply to the mean. Revenue per buyer is **not**
//! a causal effect on anybody where the share changes: the buyers of the two arms are different people.

use rayon::prelude::*;

use super::proportion::{Share, proportion};
use super::{Contrast, ExperimentError, Metric, Moments, Warning};

/// Values cut at a cap.
#[derive(Debug, Clone, PartialEq)]
pub struct Capped {
    /// The values, none above the cap.
    pub values: Vec<f64>,
    /// The cap.
    pub cap: f64,
    /// How many were above it.
    pub above: usize,
    /// Share of the sum that was cut off: the relative bias of a mean.
    pub bias: f64,
}

/// Cuts values of both arms together at the percentile `share` of all of them, zeros among them where
/// `of_positive` is false, or of those above 0.
///
/// # Errors
/// Where `share` isn't inside (0, 1) or a value isn't finite.
pub fn winsorised(values: &[f64], share: f64, of_positive: bool) -> Result<Capped, ExperimentError> {
    super::frequentist::check_share("share", share, "a cap at the largest or smallest value cuts nothing or everything")?;
    if let Some(row) = values.iter().position(|value| !value.is_finite()) {
        return Err(ExperimentError::NotFinite { row: row as u64, column: "value".to_owned(), value: values[row] });
    }
    let mut sorted: Vec<f64> = values.iter().copied().filter(|&value| !of_positive || value > 0.0).collect();
    if sorted.is_empty() {
        return Ok(Capped { values: values.to_vec(), cap: f64::INFINITY, above: 0, bias: 0.0 });
    }
    sorted.par_sort_unstable_by(f64::total_cmp);
    let cap = super::quantile::at(&sorted, share);
    let above = sorted.len() - sorted.partition_point(|&value| value <= cap);
    let whole: f64 = values.iter().sum();
    let kept: Vec<f64> = values.iter().map(|value| value.min(cap)).collect();
    let cut = whole - kept.iter().sum::<f64>();
    Ok(Capped { values: kept, cap, above, bias: if whole == 0.0 { 0.0 } else { cut / whole } })
}

/// Revenue taken apart.
#[derive(Debug, Clone, PartialEq)]
pub struct TwoPart {
    /// Revenue per unit.
    pub revenue: Contrast,
    /// Share of units who bought.
    pub conversion: Contrast,
    /// Revenue per unit who bought: of different people in the two arms.
    pub per_buyer: Contrast,
}

/// Takes revenue apart; columns of the revenue and of 1 for who bought, 0 for who didn't.
///
/// # Errors
/// As [`super::unadjusted`] and [`proportion`].
pub fn two_part(revenue: usize, bought: usize, control: &Moments, treatment: &Moments) -> Result<TwoPart, ExperimentError> {
    Ok(TwoPart {
        revenue: super::unadjusted(Metric::mean(revenue), control, treatment)?,
        conversion: proportion(Share::of(control, bought)?, Share::of(treatment, bought)?)?,
        per_buyer: super::unadjusted(Metric::ratio(revenue, bought), control, treatment)?,
    })
}

/// How skewed a metric is in one arm, from as many blocks of its values as there are (Pébay 2008: central sums merge).
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Skewness {
    n: f64,
    mean: f64,
    squares: f64,
    cubes: f64,
}

impl Skewness {
    /// Adds values to those of their arms; an arm beyond `arms` is left out.
    pub fn add(arms: &mut [Self], values: &[f64], arm: &[u32]) {
        let mut sums = vec![(0.0, 0.0); arms.len()];
        for (value, &arm) in values.iter().zip(arm) {
            if let Some((n, sum)) = sums.get_mut(arm as usize) {
                *n += 1.0;
                *sum += value;
            }
        }
        let mut block: Vec<Self> =
            sums.into_iter().map(|(n, sum)| Self { n, mean: if n > 0.0 { sum / n } else { 0.0 }, ..Self::default() }).collect();
        for (value, &arm) in values.iter().zip(arm) {
            if let Some(found) = block.get_mut(arm as usize) {
                let apart = value - found.mean;
                found.squares += apart * apart;
                found.cubes += apart * apart * apart;
            }
        }
        arms.iter_mut().zip(block).filter(|(_, block)| block.n > 0.0).for_each(|(arm, block)| arm.merge(block));
    }

    fn merge(&mut self, other: Self) {
        let (one, two, all, apart) = (self.n, other.n, self.n + other.n, other.mean - self.mean);
        self.cubes += other.cubes
            + apart.powi(3) * one * two * (one - two) / (all * all)
            + 3.0 * apart * (one * other.squares - two * self.squares) / all;
        self.squares += other.squares + apart * apart * one * two / all;
        self.mean += apart * two / all;
        self.n = all;
    }

    /// The third standardised moment; NaN where nothing varies.
    pub fn value(&self) -> f64 {
        self.cubes / self.n / (self.squares / self.n).powf(1.5)
    }

    /// Whether an arm is large enough for its skewness: Kohavi et al. (2014, "Seven rules of thumb", rule 7).
    pub fn warning(&self, name: &str) -> Option<Warning> {
        let (n, skewness) = (self.n, self.value());
        let needed = 355.0 * skewness * skewness;
        (skewness.is_finite() && n < needed).then(|| {
            let message = format!(
                "{name}: {n} units with a skewness of {skewness:.1}; about {needed:.0} are needed for a normal mean. Intervals cover less often than they say, mostly by missing on the high side. Cap the metric at a percentile, or wait"
            );
            Warning::new("skewed_metric", message)
        })
    }
}
