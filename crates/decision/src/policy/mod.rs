//! Exploration: estimates of what each option is worth → the probability with which each is shown.
//!
//! A policy returns the whole distribution, the option is drawn from it, and the probability is logged: so a propensity is
//! exact by construction, and off-policy estimates of what another policy would have earned are unbiased.

mod inverse_gap;
mod thompson;

use serde::{Deserialize, Serialize};

/// What an option is worth to this customer, in minor units, and how well that is known.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// Expected incremental profit, less what it takes of budgets at their prices.
    pub mean: f64,
    /// Its standard error; 0 for showing nothing, which changes nothing.
    pub std_error: f64,
}

/// How options are explored.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Policy {
    /// The best estimate, always.
    Greedy,
    /// An option's probability falls with its distance to the best: 1 / (K + γ · gap), the gap in standard errors.
    InverseGap {
        /// γ: 0 is uniform, larger explores less.
        gamma: f64,
    },
    /// Each option as often as it is the best one under the posterior.
    Thompson,
}

/// A policy, and the least that every option gets.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exploration {
    /// Which.
    pub policy: Policy,
    /// ε: this share of decisions is uniform over the options, so no propensity is below ε / K.
    pub floor: f64,
}

impl Default for Exploration {
    fn default() -> Self {
        Self { policy: Policy::Thompson, floor: 0.02 }
    }
}

impl Exploration {
    /// The probability of each option; they sum to 1. An estimate that is not finite counts as the worst there is.
    pub fn probabilities(&self, options: &[Estimate]) -> Vec<f64> {
        let worst = options.iter().map(|option| option.mean).filter(|mean| mean.is_finite()).fold(0.0, f64::min);
        let usable = |option: &Estimate| Estimate {
            mean: if option.mean.is_finite() { option.mean } else { worst },
            std_error: if option.std_error.is_finite() { option.std_error.max(0.0) } else { 0.0 },
        };
        let options: Vec<Estimate> = options.iter().map(usable).collect();
        let mut probabilities = match self.policy {
            Policy::Greedy => greedy(&options),
            Policy::InverseGap { gamma } => inverse_gap::probabilities(&options, gamma),
            Policy::Thompson => thompson::probabilities(&options),
        };
        let (floor, count) = (self.floor.clamp(0.0, 1.0), options.len() as f64);
        for probability in &mut probabilities {
            *probability = (1.0 - floor) * *probability + floor / count;
        }
        probabilities
    }
}

/// The best one; of equals the first.
fn best(options: &[Estimate]) -> usize {
    (1..options.len()).fold(0, |best, place| if options[place].mean > options[best].mean { place } else { best })
}

fn greedy(options: &[Estimate]) -> Vec<f64> {
    let best = best(options);
    (0..options.len()).map(|place| if place == best { 1.0 } else { 0.0 }).collect()
}

/// The option that `uniform`, in [0, 1), falls on.
pub(crate) fn drawn(probabilities: &[f64], uniform: f64) -> usize {
    let mut left = uniform;
    for (place, probability) in probabilities.iter().enumerate() {
        left -= probability;
        if left < 0.0 {
            return place;
        }
    }
    // Rounding left a rest: the last option that can be drawn at all.
    probabilities.iter().rposition(|probability| *probability > 0.0).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use youhui_commerce::Draw;

    use super::*;

    fn exploration() -> impl Strategy<Value = Exploration> {
        let policy =
            prop_oneof![Just(Policy::Greedy), (0.0..1e4_f64).prop_map(|gamma| Policy::InverseGap { gamma }), Just(Policy::Thompson),];
        (policy, 0.0..1.0_f64).prop_map(|(policy, floor)| Exploration { policy, floor })
    }

    fn estimates() -> impl Strategy<Value = Vec<Estimate>> {
        let number = prop_oneof![8 => -1e6..1e6_f64, 1 => Just(f64::NAN), 1 => Just(f64::INFINITY), 1 => Just(0.0)];
        let error = prop_oneof![8 => 0.0..1e6_f64, 1 => Just(f64::NAN), 2 => Just(0.0)];
        prop::collection::vec((number, error).prop_map(|(mean, std_error)| Estimate { mean, std_error }), 1..60)
    }

    proptest! {
        #[test]
        fn probabilities_sum_to_one_and_keep_the_floor(exploration in exploration(), options in estimates()) {
            let probabilities = exploration.probabilities(&options);
            prop_assert_eq!(probabilities.len(), options.len());
            prop_assert!((probabilities.iter().sum::<f64>() - 1.0).abs() < 1e-9, "{:?}", probabilities);
            let least = exploration.floor / options.len() as f64;
            prop_assert!(probabilities.iter().all(|one| *one >= least * (1.0 - 1e-12)), "{:?}", probabilities);
        }
    }

    #[test]
    fn options_are_drawn_as_often_as_their_probability_says() {
        let options = [(0.0, 0.0), (1.0, 2.0), (-1.0, 4.0), (0.5, 0.1)].map(|(mean, std_error)| Estimate { mean, std_error });
        for policy in [Policy::Thompson, Policy::InverseGap { gamma: 3.0 }] {
            let probabilities = Exploration { policy, floor: 0.05 }.probabilities(&options);
            let mut draw = Draw::seeded(5);
            let mut counts = [0.0_f64; 4];
            let draws = 200_000.0;
            (0..200_000).for_each(|_| counts[drawn(&probabilities, draw.uniform())] += 1.0);
            let chi: f64 = counts.iter().zip(&probabilities).map(|(count, p)| (count - draws * p).powi(2) / (draws * p)).sum();
            // The 99.9 % point of χ² with 3 degrees of freedom.
            assert!(chi < 16.27, "{policy:?}: {chi}");
        }
    }

    #[test]
    fn what_rounding_leaves_over_falls_on_an_option_that_can_be_drawn() {
        assert_eq!(drawn(&[0.5, 0.5 - 1e-12, 0.0], 1.0 - 1e-16), 1);
        assert_eq!(drawn(&[0.0, 1.0], 0.0), 1);
    }
}
