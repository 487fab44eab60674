//! What each promotion changes, as a posterior that decisions read and outcomes sharpen.
//!
//! ```text
//! profit = β·z + [promotion a was shown] · (prior(customer, a) + θ_a·z) + noise
//! ```
//!
//! z is the customer's context (its first number is 1), β what customers of that context bring anyway, prior the response
//! model's prediction, and θ_a what live data say beyond it: a Bayesian linear regression with θ_a ~ N(0, τ_a²), so that a
//! promotion that nobody has seen yet is as uncertain as the response model says.

use serde::{Deserialize, Serialize};

use crate::policy::Estimate;

/// The posterior of one promotion's θ.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Belief {
    /// Its mean.
    pub mean: Vec<f64>,
    /// Its covariance, row by row.
    pub covariance: Vec<f64>,
    /// Times the promotion was shown and the outcome seen, less what was forgotten.
    pub seen: f64,
}

impl Belief {
    /// Nothing seen yet: the response model is right give or take `std_error` for everybody, and a tenth of that more or
    /// less with each number of the context.
    pub fn prior(width: usize, std_error: f64) -> Self {
        let mut covariance = vec![0.0; width * width];
        for place in 0..width {
            covariance[place * width + place] = prior_variance(place, std_error);
        }
        Self { mean: vec![0.0; width], covariance, seen: 0.0 }
    }

    /// What the promotion is worth in this context, in minor units: `predicted` is the response model's word.
    pub fn estimate(&self, context: &[f64], predicted: f64) -> Estimate {
        let width = self.mean.len();
        let mean: f64 = self.mean.iter().zip(context).map(|(weight, number)| weight * number).sum();
        let rows = self.covariance.chunks_exact(width.max(1)).zip(context);
        let variance: f64 =
            rows.map(|(row, number)| number * row.iter().zip(context).map(|(entry, other)| entry * other).sum::<f64>()).sum();
        Estimate { mean: predicted + mean, std_error: variance.max(0.0).sqrt() }
    }
}

/// A tenth of the standard error for each number but the first, which is 1 for everybody.
pub(crate) fn prior_variance(place: usize, std_error: f64) -> f64 {
    let share: f64 = if place == 0 { 1.0 } else { 0.1 };
    (share * std_error).powi(2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn before_anything_is_seen_the_response_model_is_believed() {
        let estimate = Belief::prior(3, 40.0).estimate(&[1.0, 2.0, 0.0], 120.0);
        assert_eq!(estimate.mean, 120.0);
        assert!((estimate.std_error - (1600.0_f64 + 16.0 * 4.0).sqrt()).abs() < 1e-12);
    }
}
