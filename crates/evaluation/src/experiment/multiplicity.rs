//! Many hypotheses: adjusted p-values, each to be compared with the level itself, and intervals that go
//! with them.
//!
//! Holm (1979) keeps the chance of any false discovery below the level whatever depends on what; Šidák's
//! form is a little stronger for independent tests; Hochberg's step-up (1988) needs tests not negatively
//! dependent. Benjamini and Hochberg (1995) keep the expected share of false discoveries below the level
//! under positive dependence, Benjamini and Yekutieli (2001) under any.

use serde::{Deserialize, Serialize};

use super::special::t_upper_quantile;
use super::{Effect, ExperimentError};

/// Which adjustment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Adjust {
    /// Holm's step-down.
    Holm,
    /// Holm's step-down with Šidák's correction.
    HolmSidak,
    /// Hochberg's step-up.
    Hochberg,
    /// Hochberg's step-up with Šidák's correction.
    HochbergSidak,
    /// Benjamini and Hochberg.
    BenjaminiHochberg,
    /// Benjamini and Yekutieli.
    BenjaminiYekutieli,
}

impl Adjust {
    const fn steps_down(self) -> bool {
        matches!(self, Self::Holm | Self::HolmSidak)
    }

    /// Of the k-th smallest of m.
    fn of(self, p: f64, rank: usize, count: usize) -> f64 {
        let left = (count - rank + 1) as f64;
        let share = count as f64 / rank as f64;
        match self {
            Self::Holm | Self::Hochberg => p * left,
            // 1 − (1 − p)^left, which keeps digits of a small p.
            Self::HolmSidak | Self::HochbergSidak => -(left * (-p).ln_1p()).exp_m1(),
            Self::BenjaminiHochberg => p * share,
            Self::BenjaminiYekutieli => p * share * (1..=count).map(|k| 1.0 / k as f64).sum::<f64>(),
        }
        .min(1.0)
    }
}

/// Adjusted p-values, in the order of `p_values`. A NaN stays one and counts as no hypothesis.
pub fn adjust(p_values: &[f64], method: Adjust) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p_values.len()).filter(|&place| !p_values[place].is_nan()).collect();
    order.sort_by(|&one, &two| p_values[one].total_cmp(&p_values[two]).then(one.cmp(&two)));
    let count = order.len();
    let mut adjusted = vec![f64::NAN; p_values.len()];
    let raw = |rank: usize| method.of(p_values[order[rank - 1]], rank, count);
    if method.steps_down() {
        let mut reached: f64 = 0.0;
        for rank in 1..=count {
            reached = reached.max(raw(rank));
            adjusted[order[rank - 1]] = reached;
        }
    } else {
        let mut reached: f64 = 1.0;
        for rank in (1..=count).rev() {
            reached = reached.min(raw(rank));
            adjusted[order[rank - 1]] = reached;
        }
    }
    adjusted
}

/// The interval that an adjusted p-value goes with: the standard error that would give that p-value, as
/// GrowthBook widens intervals under Holm. Excludes 0 exactly if the adjusted p-value is below 1 − level; it
/// is a display of the test, not an interval of simultaneous coverage.
pub fn widened(effect: &Effect, adjusted_p: f64) -> (f64, f64) {
    if adjusted_p >= 1.0 || effect.p_value >= adjusted_p {
        return if adjusted_p >= 1.0 { (f64::NEG_INFINITY, f64::INFINITY) } else { (effect.low, effect.high) };
    }
    let std_error = effect.value.abs() / t_upper_quantile(adjusted_p / 2.0, effect.df);
    let half = std_error * t_upper_quantile((1.0 - effect.level) / 2.0, effect.df);
    (effect.value - half, effect.value + half)
}

/// The level for intervals of the selected effects after [`Adjust::BenjaminiHochberg`]: 1 − R·q/m for R
/// selected of m keeps the expected share of selected intervals that miss below q (Benjamini and
/// Yekutieli 2005).
///
/// # Errors
/// Where q isn't inside (0, 1).
pub fn level_of_selected(adjusted: &[f64], q: f64) -> Result<f64, ExperimentError> {
    super::frequentist::check_share("q", q, "no share of false discoveries would be allowed, or all")?;
    let selected = adjusted.iter().filter(|&&p| p <= q).count().max(1);
    Ok(1.0 - selected as f64 * q / adjusted.len().max(1) as f64)
}
