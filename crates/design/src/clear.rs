//! The gate: a promotion is offered only as [`Cleared`], and only [`clear`] clears.
//!
//! This version checks the document itself and the margin floor. Price law by market (the lowest
//! price of 30 days, the transaction price of 7) needs the shop's price history, which a later
//! version imports: until then `delivery` publishes nothing.

use serde::Serialize;
use youhui_promotion::{Condition, Effect, Off, Promotion};

/// What is known of the scope that a promotion works on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Economics {
    /// Contribution over amount in the scope.
    pub margin: f64,
    /// Mean price of a unit of the product, for item prices; 0 where unknown.
    pub unit_price: i64,
    /// What a gift costs the shop, for gifts.
    pub gift_cost: i64,
    /// Share of the amount that must stay as margin.
    pub floor: f64,
}

/// Why a draft did not become a candidate.
#[derive(Debug, Clone, PartialEq, Serialize, thiserror::Error)]
#[serde(tag = "code", rename_all = "snake_case")]
pub enum Refusal {
    /// The document is wrong.
    #[error("{problem}")]
    Document {
        /// The first problem.
        problem: String,
    },
    /// At its deepest it leaves too little.
    #[error("at its deepest it takes {:.1} % off goods with {:.1} % margin, which leaves {:.1} %: below the floor of {:.1} %", 100.0 * depth, 100.0 * margin, 100.0 * left, 100.0 * floor)]
    Margin {
        /// Deepest cut as a share of the amount.
        depth: f64,
        /// Margin of the scope before.
        margin: f64,
        /// Margin after.
        left: f64,
        /// What must stay.
        floor: f64,
    },
}

/// A promotion that was checked. There is no other way to make one than [`clear`]:
///
/// ```compile_fail
/// use youhui_design::Cleared;
/// let forged = Cleared { promotion: 1 }; // the field is private
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Cleared<T> {
    promotion: T,
}

impl<T> Cleared<T> {
    /// What was checked.
    pub const fn get(&self) -> &T {
        &self.promotion
    }
}

/// Clears a promotion, or says why not.
///
/// # Errors
/// The first rule that it breaks.
pub fn clear(promotion: Promotion, economics: &Economics) -> Result<Cleared<Promotion>, Refusal> {
    if let Some(problem) = promotion.problems().first() {
        return Err(Refusal::Document { problem: problem.to_string() });
    }
    let depth = deepest_cut(&promotion, economics);
    // Of each unit of amount `margin` is contribution; `depth` of it is given away.
    let left = if depth < 1.0 { (economics.margin - depth) / (1.0 - depth) } else { -1.0 };
    if left < economics.floor {
        return Err(Refusal::Margin { depth, margin: economics.margin, left, floor: economics.floor });
    }
    Ok(Cleared { promotion })
}

/// The largest share of an amount in scope that the promotion can give away: just at a threshold.
/// What this version does not design is taken to give everything.
fn deepest_cut(promotion: &Promotion, economics: &Economics) -> f64 {
    let share = |part: i64, whole: i64| if whole > 0 { part as f64 / whole as f64 } else { 1.0 };
    let minimum = promotion.conditions.iter().find_map(|condition| match condition {
        Condition::SpendAtLeast { amount, .. } => Some(*amount),
        _ => None,
    });
    let of_tier = |from: i64, off: Off| match off {
        Off::Amount(amount) => share(amount, from),
        Off::BasisPoints(basis_points) => f64::from(basis_points) / 10_000.0,
        Off::Price(_) | Off::UnitPrice(_) => 1.0,
    };
    let of_effect = |effect: &Effect| match effect {
        Effect::PercentOff(off) => f64::from(off.basis_points) / 10_000.0,
        Effect::SpendAndSave(save) => save.tiers.iter().map(|tier| of_tier(tier.from, tier.off)).fold(0.0, f64::max),
        Effect::AmountOff(off) => share(off.amount, minimum.unwrap_or(0)),
        Effect::ItemPrice(item) => share(economics.unit_price - item.unit_price, economics.unit_price),
        Effect::Gift(_) => share(economics.gift_cost, minimum.unwrap_or(0)),
        _ => 1.0,
    };
    promotion.effects.iter().map(of_effect).sum()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use youhui_promotion::{PercentOff, SpendAndSave};

    use super::*;

    fn document(effect: impl Into<Effect>) -> Promotion {
        Promotion::new("p", "CNY".parse().unwrap(), effect.into())
    }

    proptest! {
        #[test]
        fn what_is_cleared_keeps_its_floor(margin in 0.0_f64..0.9, floor in 0.0_f64..0.3, basis_points in 1_u32..10_000) {
            let economics = Economics { margin, unit_price: 0, gift_cost: 0, floor };
            let depth = f64::from(basis_points) / 10_000.0;
            match clear(document(PercentOff { basis_points, ..PercentOff::default() }), &economics) {
                // A hundred in goods: what is left after the cut over what is paid.
                Ok(_) => prop_assert!((margin - depth) / (1.0 - depth) >= floor),
                Err(_) => prop_assert!(depth >= 1.0 || (margin - depth) / (1.0 - depth) < floor),
            }
        }
    }

    #[test]
    fn a_wrong_document_is_not_cleared() {
        let economics = Economics { margin: 0.9, unit_price: 0, gift_cost: 0, floor: 0.0 };
        assert!(matches!(clear(document(SpendAndSave::default()), &economics), Err(Refusal::Document { .. })));
    }
}
