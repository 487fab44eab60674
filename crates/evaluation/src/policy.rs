//! What a way of choosing would have earned, from a log in which something else chose: the doubly
//! robust value of a policy (Dudík, Langford and Li 2011), as a sum over customers.
//!
//! A policy is a probability for each customer and promotion. Its value is measured against
//! nobody getting anything: Σ probability × (doubly robust score − cost). Scores come from a
//! cross-fitted `response`; the policy must have been chosen without the outcomes they contain.

use serde::Serialize;
use youhui_commerce::SubjectId;

use crate::estimate::{Estimate, clustered_total};

/// The score of giving one promotion to one customer, in major units.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scored {
    /// Who.
    pub subject: SubjectId,
    /// Doubly robust score of the effect.
    pub score: f64,
    /// What giving it costs beside.
    pub cost: f64,
}

/// A policy and what it is worth.
#[derive(Debug, Clone, Serialize)]
pub struct Comparison {
    /// Its name.
    pub policy: String,
    /// Incremental profit of all customers together against giving nobody anything.
    #[serde(flatten)]
    pub estimate: Estimate,
    /// What it spends.
    pub spent: f64,
    /// Expected number of promotions it gives.
    pub given: f64,
    /// Unit of `value`, `low`, `high` and `spent`.
    pub unit: String,
}

/// The value of a policy whose probability for `scored[i]` is `probability[i]`.
pub fn value(scored: &[Scored], probability: &[f64], population: usize) -> Estimate {
    let contributions = scored.iter().zip(probability).map(|(scored, p)| (scored.subject, p * (scored.score - scored.cost)));
    clustered_total(contributions, population)
}

/// What the first policy is worth more than the second, from the same customers: the interval is
/// that of the difference, not the difference of intervals.
pub fn difference(scored: &[Scored], one: &[f64], two: &[f64], population: usize) -> Estimate {
    let contributions =
        scored.iter().zip(one.iter().zip(two)).map(|(scored, (one, two))| (scored.subject, (one - two) * (scored.score - scored.cost)));
    clustered_total(contributions, population)
}

/// A policy's row in the comparison.
pub fn compare(name: &str, scored: &[Scored], probability: &[f64], population: usize, unit: &str) -> Comparison {
    Comparison {
        policy: name.to_owned(),
        estimate: value(scored, probability, population),
        spent: scored.iter().zip(probability).map(|(scored, p)| p * scored.cost).sum(),
        given: probability.iter().sum(),
        unit: unit.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scored() -> Vec<Scored> {
        (0_u8..40).map(|id| Scored { subject: SubjectId::from_bytes([id; 16]), score: 3.0 + f64::from(id % 2), cost: 1.0 }).collect()
    }

    #[test]
    fn a_policy_is_worth_the_scores_it_picks() {
        let scored = scored();
        let odd: Vec<f64> = (0..40).map(|id| f64::from(id % 2)).collect();
        let all = vec![1.0; 40];
        assert!((value(&scored, &odd, 40).value - 20.0 * 3.0).abs() < 1e-9);
        assert!((value(&scored, &all, 40).value - (20.0 * 3.0 + 20.0 * 2.0)).abs() < 1e-9);
        assert!((difference(&scored, &all, &odd, 40).value - 40.0).abs() < 1e-9);
        let nobody = value(&scored, &vec![0.0; 40], 40);
        assert_eq!((nobody.value, nobody.low, nobody.high), (0.0, 0.0, 0.0));
    }
}
