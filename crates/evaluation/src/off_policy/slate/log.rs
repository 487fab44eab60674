//! A log of pages.

use super::evaluation::SlateTerm;
use crate::off_policy::error::OffPolicyError;
use crate::off_policy::log::check_length;

/// Probabilities of one policy for what was logged, each `[page][position]`, in (0, 1] for the logging policy and within 0 and 1
/// for the target. Only those that an estimator needs have to be given.
#[derive(Debug, Clone, Copy, Default)]
pub struct Propensities<'a> {
    /// Of the whole page, the same at each of its positions: for SIPS.
    pub page: Option<&'a [f64]>,
    /// Of the item at its position, whatever stands above: for IIPS.
    pub item: Option<&'a [f64]>,
    /// Of the items from the first position to this one: for RIPS and cascade-DR.
    pub cascade: Option<&'a [f64]>,
}

/// What a reward model expects of pages, `[page][position][action]`: for cascade-DR.
#[derive(Debug, Clone, Copy)]
pub struct SlateModel<'a> {
    /// Number of actions.
    pub actions: usize,
    /// Actions logged, `[page][position]`.
    pub action: &'a [u32],
    /// q̂: the reward at this position and all below, of the action there given the logged items above.
    pub expected: &'a [f64],
    /// The target policy's probabilities at this position given the logged items above.
    pub target: &'a [f64],
}

/// Pages with a reward at each position.
#[derive(Debug, Clone, Copy)]
pub struct SlateLog<'a> {
    /// Positions of a page.
    pub positions: usize,
    /// Rewards, `[page][position]`.
    pub reward: &'a [f64],
    /// The logging policy's probabilities.
    pub logging: Propensities<'a>,
    /// The target policy's.
    pub target: Propensities<'a>,
    /// Reward model.
    pub model: Option<SlateModel<'a>>,
    /// Whose pages they are; `None`: every page is a customer of its own.
    pub customer: Option<&'a [u64]>,
}

/// Which probabilities.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Page,
    Item,
    Cascade,
}

impl<'a> Propensities<'a> {
    const fn of(&self, kind: Kind) -> Option<&'a [f64]> {
        match kind {
            Kind::Page => self.page,
            Kind::Item => self.item,
            Kind::Cascade => self.cascade,
        }
    }
}

impl SlateLog<'_> {
    /// Pages in the log.
    pub const fn pages(&self) -> usize {
        match self.reward.len().checked_div(self.positions) {
            Some(pages) => pages,
            None => 0,
        }
    }

    pub(super) fn check(&self) -> Result<(), OffPolicyError> {
        if self.positions == 0 {
            return Err(OffPolicyError::Setting { name: "the number of positions", value: 0.0, rule: "at least 1" });
        }
        let pages = self.pages();
        check_length("reward (pages × positions)", self.reward.len(), pages * self.positions)?;
        if let Some(customer) = self.customer {
            check_length("customer", customer.len(), pages)?;
        }
        match self.reward.iter().position(|reward| !reward.is_finite()) {
            Some(row) => Err(OffPolicyError::Reward { row: row as u64, value: self.reward[row] }),
            None => Ok(()),
        }
    }

    /// Importance weights, `[page][position]`.
    pub(super) fn weights(&self, kind: Kind, estimator: &str) -> Result<Vec<f64>, OffPolicyError> {
        let needs = |needed| OffPolicyError::Needs { estimator: estimator.to_owned(), needed };
        let needed = match kind {
            Kind::Page => "probabilities of whole pages",
            Kind::Item => "probabilities of items at their positions",
            Kind::Cascade => "probabilities of items from the first position on",
        };
        let logging = self.logging.of(kind).ok_or_else(|| needs(needed))?;
        let target = self.target.of(kind).ok_or_else(|| needs(needed))?;
        check_length("logging probabilities (pages × positions)", logging.len(), self.reward.len())?;
        check_length("target probabilities (pages × positions)", target.len(), self.reward.len())?;
        let weight = |(row, (&logging, &target)): (usize, (&f64, &f64))| {
            if !(logging > 0.0 && logging <= 1.0) {
                return Err(OffPolicyError::Propensity { row: row as u64, value: logging });
            }
            if !(0.0..=1.0).contains(&target) {
                return Err(OffPolicyError::PageProbability { row: row as u64, value: target });
            }
            Ok(target / logging)
        };
        logging.iter().zip(target).enumerate().map(weight).collect()
    }
}

/// Rewards times weights, over weights or over pages.
pub(super) fn weighted(
    log: &SlateLog<'_>,
    kind: Kind,
    estimator: &str,
    is_self_normalised: bool,
) -> Result<Vec<SlateTerm>, OffPolicyError> {
    let weights = log.weights(kind, estimator)?;
    let term = |(&weight, reward): (&f64, &f64)| SlateTerm {
        numerator: weight * reward,
        denominator: if is_self_normalised { weight } else { 1.0 },
        weight,
    };
    Ok(weights.iter().zip(log.reward).map(term).collect())
}
