//! Inverse-gap weighting (Abe and Long 1999; SquareCB, Foster and Rakhlin 2020).
//!
//! ```text
//! p_a = 1 / (K + γ gap_a)  for every option but the best, which gets the rest
//! ```
//!
//! The gap is counted in standard errors of the difference. SquareCB's γ grows with the square root of the decisions made;
//! standard errors shrink with it, so that a fixed γ here explores less as more is known, and no schedule is set by hand.

use super::{Estimate, best};

pub(super) fn probabilities(options: &[Estimate], gamma: f64) -> Vec<f64> {
    let count = options.len() as f64;
    let best = best(options);
    let mut probabilities: Vec<f64> = options.iter().map(|option| 1.0 / (count + gamma.max(0.0) * gap(option, &options[best]))).collect();
    let others: f64 = probabilities.iter().enumerate().filter(|(place, _)| *place != best).map(|(_, probability)| probability).sum();
    if let Some(probability) = probabilities.get_mut(best) {
        *probability = 1.0 - others;
    }
    probabilities
}

/// Infinite where both are known exactly and differ.
fn gap(option: &Estimate, best: &Estimate) -> f64 {
    let gap = best.mean - option.mean;
    if gap <= 0.0 { 0.0 } else { gap / option.std_error.hypot(best.std_error) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn follows_the_formula() {
        let options = [(10.0, 3.0), (5.0, 4.0), (10.0, 0.0)].map(|(mean, std_error)| Estimate { mean, std_error });
        // Gap of the second: 5 / √(9 + 16) = 1; the third ties with the best, which is the first of both.
        let probabilities = probabilities(&options, 2.0);
        assert_eq!(probabilities[1..], [1.0 / 5.0, 1.0 / 3.0]);
        assert!((probabilities[0] - (1.0 - 1.0 / 5.0 - 1.0 / 3.0)).abs() < 1e-15);
    }

    #[test]
    fn what_is_known_to_be_worse_is_not_explored() {
        let options = [Estimate { mean: 0.0, std_error: 0.0 }, Estimate { mean: -1.0, std_error: 0.0 }];
        assert_eq!(probabilities(&options, 1.0), [1.0, 0.0]);
    }
}
