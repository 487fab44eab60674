//! Actions taken together by category: less variance where there are many.

use super::error::OffPolicyError;
use super::log::{Column, Log, Shape, Target, check_length};

/// A log and a target policy over categories, to be weighed like any other.
#[derive(Debug, Clone, PartialEq)]
pub struct Categories {
    /// Categories at each position.
    pub shape: Shape,
    /// Category of each round's action.
    pub action: Vec<u32>,
    /// Probability with which the logging policy drew that category.
    pub propensity: Vec<f64>,
    /// The target policy, `[round][category][position]`.
    pub target: Vec<f64>,
}

/// Replaces actions by their categories. IPW on what comes out is marginalised IPW (MIPW, MIPS) whose embedding is the category:
/// weights are Σ π(a | x) / Σ π₀(a | x) over the actions a of the logged one's category.
///
/// Right where a reward depends on context and category and not on which action of the category it was; otherwise biased by
/// that. No weight is above the greatest of the actions', and a category is supported where any of its actions is. Not
/// here: obp's fit of embeddings that don't follow from the action, and its choice among embeddings.
///
/// Saito and Joachims 2022, "Off-Policy Evaluation for Large Action Spaces via Embeddings".
///
/// # Errors
/// Lengths differ, a distribution is wrong, or only probabilities of logged actions are given.
pub fn by_category(
    shape: Shape,
    log: &Log<'_>,
    logging: Target<'_>,
    target: Target<'_>,
    category: &[u32],
) -> Result<Categories, OffPolicyError> {
    log.check_lengths(shape)?;
    check_length("category (one an action)", category.len(), shape.actions)?;
    let categories = category.iter().max().map_or(0, |most| *most as usize + 1);
    let coarse = Shape { actions: categories, positions: shape.positions };
    let (logging, target) = (Distributions::new(shape, log, logging)?, Distributions::new(shape, log, target)?);
    let mut found = Categories {
        shape: coarse,
        action: Vec::with_capacity(log.rounds()),
        propensity: Vec::with_capacity(log.rounds()),
        target: vec![0.0; log.rounds() * coarse.values()],
    };
    for (place, sums) in found.target.chunks_mut(coarse.values().max(1)).enumerate() {
        log.check_round(place, shape)?;
        let (position, own) = (log.position_of(place), category[log.action[place] as usize]);
        logging.at(place, position).check_distribution(log.row(place))?;
        // Rounding may leave the sum of a whole distribution a hair above 1.
        let drawn: f64 = logging.at(place, position).iter().zip(category).filter(|(_, of)| **of == own).map(|(chance, _)| chance).sum();
        found.propensity.push(drawn.min(1.0));
        found.action.push(own);
        for position in 0..shape.positions {
            for (chance, &of) in target.at(place, position).iter().zip(category) {
                sums[of as usize * shape.positions + position] += chance;
            }
        }
    }
    Ok(found)
}

struct Distributions<'a> {
    shape: Shape,
    values: &'a [f64],
    /// Values from one round to the next.
    stride: usize,
}

impl<'a> Distributions<'a> {
    fn new(shape: Shape, log: &Log<'_>, policy: Target<'a>) -> Result<Self, OffPolicyError> {
        let (values, stride) = match policy {
            Target::Constant(values) => (values, 0),
            Target::Dense(values) => (values, shape.values()),
            Target::Logged(_) => {
                let needed = "whole distributions of both policies";
                return Err(OffPolicyError::Needs { estimator: "weighing by category".to_owned(), needed });
            }
        };
        check_length("policy", values.len(), if stride == 0 { shape.values() } else { log.rounds() * stride })?;
        Ok(Self { shape, values, stride })
    }

    fn at(&self, place: usize, position: usize) -> Column<'a> {
        Column::new(&self.values[place * self.stride..][..self.shape.values()], self.shape, position)
    }
}
