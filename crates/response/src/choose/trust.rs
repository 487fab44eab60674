//! How far a mean effect is to be believed: whether the arms' customers are alike, what hidden difference would
//! explain it away, and what it seems to do to something it can't have changed.

use serde::{Deserialize, Serialize};

use crate::matrix::Matrix;
use crate::objective::Objective;
use crate::trial::{Nuisances, Trial};

/// Standardised difference of a feature's mean between the treated and the control; below 0.1 in size is called
/// balanced (Austin 2009).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FeatureBalance {
    /// The feature.
    pub feature: String,
    /// As it was.
    pub raw: f64,
    /// After inverse-propensity weighting.
    pub weighted: f64,
}

/// How strongly an unseen trait would have to go with both the treatment and the outcome, as risk ratios beyond all
/// features, to explain the mean effect away (VanderWeele and Ding 2017). 1: nothing is needed. For outcomes that
/// are any number the risk ratio is approximated by exp(0.91 · effect / spread).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct EValue {
    /// For the mean effect.
    pub estimate: f64,
    /// For the end of its 95 % interval that is nearer to none.
    pub limit: f64,
}

/// The seeming effect on an outcome from before the treatment, which is truly none: a negative control (Lipsitch et
/// al. 2010).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Placebo {
    /// Doubly robust, as for the outcome itself.
    pub effect: f64,
    /// Its standard error.
    pub std_error: f64,
}

impl Placebo {
    /// Whether chance would give it less than once in twenty.
    pub fn fails(&self) -> bool {
        self.effect.abs() > 1.96 * self.std_error
    }
}

/// Risk ratios past it say no more.
const MOST_RATIO: f64 = 1e6;

/// Features in a report: the least balanced.
const MOST_FEATURES: usize = 20;

/// The least balanced features first, by what weighting leaves.
pub(crate) fn balance(matrix: &Matrix, labels: &[String], rows: &[u32], trial: &Trial<'_>, nuisances: &Nuisances) -> Vec<FeatureBalance> {
    let columns = matrix.columns();
    // Σ w, Σ w·x, Σ w·x² by arm; unweighted, then weighted.
    let mut sums = vec![[[[0.0_f64; 3]; 2]; 2]; columns];
    for &row in rows {
        let (arm, p) = (usize::from(trial.treated[row as usize]), nuisances.propensity[row as usize]);
        let weight = if arm == 1 { 1.0 / p } else { 1.0 / (1.0 - p) };
        for (sums, value) in sums.iter_mut().zip(matrix.row(row as usize)).filter(|(_, value)| value.is_finite()) {
            let value = f64::from(*value);
            for (sums, weight) in sums[arm].iter_mut().zip([1.0, weight]) {
                *sums = [sums[0] + weight, sums[1] + weight * value, sums[2] + weight * value * value];
            }
        }
    }
    let mean = |[weights, sum, _]: [f64; 3]| if weights > 0.0 { sum / weights } else { 0.0 };
    let variance = |of: [f64; 3]| if of[0] > 0.0 { (of[2] / of[0] - mean(of).powi(2)).max(0.0) } else { 0.0 };
    let mut found: Vec<FeatureBalance> = labels
        .iter()
        .zip(&sums)
        .map(|(feature, [control, treated])| {
            let pooled = ((variance(control[0]) + variance(treated[0])) / 2.0).sqrt().max(1e-12);
            let difference = |which: usize| (mean(treated[which]) - mean(control[which])) / pooled;
            FeatureBalance { feature: feature.clone(), raw: difference(0), weighted: difference(1) }
        })
        .collect();
    found.sort_by(|one, other| other.weighted.abs().total_cmp(&one.weighted.abs()));
    found.truncate(MOST_FEATURES);
    found
}

/// The E-value of a mean effect, given the outcomes of the control.
pub(crate) fn e_value(objective: Objective, control: &[f64], effect: f64, std_error: f64) -> EValue {
    let size = control.len().max(1) as f64;
    let mean = control.iter().sum::<f64>() / size;
    let spread = (control.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / size).sqrt();
    let ratio = |effect: f64| match objective {
        Objective::Continuous => (0.91 * effect / spread.max(1e-12)).exp(),
        // The other outcomes have means that can be divided.
        _ => (mean + effect).max(1e-12) / mean.max(1e-12),
    };
    let value = |effect: f64| {
        let ratio = ratio(effect).clamp(1.0 / MOST_RATIO, MOST_RATIO);
        let ratio = if ratio < 1.0 { 1.0 / ratio } else { ratio };
        ratio + (ratio * (ratio - 1.0)).sqrt()
    };
    let nearer = effect.abs() - 1.96 * std_error;
    EValue { estimate: value(effect), limit: if nearer > 0.0 { value(nearer.copysign(effect)) } else { 1.0 } }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn effects_on_an_outcome_that_never_varied_have_one() {
        let found = e_value(Objective::Continuous, &[0.0; 9], 1e9, 1e-3);
        assert!((found.estimate / 2e6 - 1.0).abs() < 1e-3 && found.limit.is_finite(), "{found:?}");
    }

    #[test]
    fn the_e_value_of_the_paper() {
        // VanderWeele and Ding (2017): a risk ratio of 3.9 with a limit of 1.8 has E-values of 7.2 and 3.0.
        let mut control = vec![0.0; 90];
        control.extend([1.0; 10]);
        let found = e_value(Objective::Binary, &control, 0.29, (0.29 - 0.08) / 1.96);
        assert!((found.estimate - 7.26).abs() < 0.01 && (found.limit - 3.0).abs() < 0.01, "{found:?}");
        assert_eq!(e_value(Objective::Binary, &control, 0.29, 0.29).limit.to_bits(), 1.0_f64.to_bits());
    }
}
