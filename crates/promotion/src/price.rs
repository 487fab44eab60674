//! The exact price of a basket under one promotion.

use serde::{Deserialize, Serialize};
use youhui_commerce::split_largest_remainder;

use crate::{Kind, Promotion, Scope};

/// What a customer is about to buy.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Basket {
    /// Its lines.
    pub lines: Vec<BasketLine>,
}

/// One line of a basket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BasketLine {
    /// Which product.
    pub product_id: String,
    /// Its category path.
    #[serde(default)]
    pub categories: Vec<String>,
    /// Units.
    pub quantity: i64,
    /// The whole line in minor units before the promotion.
    pub amount: i64,
}

/// What a promotion takes off a basket. `allocations` has one amount a line of the basket and sums
/// to `amount`; a gift stands in `gift` and takes nothing off.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Priced {
    /// Taken off, in minor units.
    pub amount: i64,
    /// The share of each line.
    pub allocations: Vec<i64>,
    /// The product given, with its value.
    pub gift: Option<(String, i64)>,
}

/// Why a promotion did not apply, and what was missing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "code", rename_all = "snake_case")]
pub enum Rejected {
    /// The basket has no line in scope.
    NothingInScope,
    /// The lines in scope don't reach the first threshold.
    BelowThreshold {
        /// Minor units to go: "¥23 more for ¥20 off".
        missing: i64,
        /// What reaching it would take off.
        saves: i64,
    },
    /// The price now is not below what the basket already has.
    NoReduction,
    /// A quantity below one, or an amount below zero or beyond what 64 bits of sums hold.
    InvalidLine {
        /// The line, counted from 0.
        line: usize,
    },
}

/// Prices `basket` under `promotion`.
///
/// # Errors
/// The reason why the promotion gives nothing.
pub fn price(promotion: &Promotion, basket: &Basket) -> Result<Priced, Rejected> {
    let in_scope: Vec<bool> = basket.lines.iter().map(|line| promotion.scope.covers(line)).collect();
    price_kind(&promotion.kind, &in_scope, basket)
}

/// Prices `basket` under a kind whose scope is already known line by line.
///
/// # Errors
/// The reason why the promotion gives nothing.
pub fn price_kind(kind: &Kind, in_scope: &[bool], basket: &Basket) -> Result<Priced, Rejected> {
    const MOST: i64 = i64::MAX / 1_000_000;
    let invalid = |line: &BasketLine| line.quantity < 1 || !(0..=MOST).contains(&line.amount);
    if let Some(line) = basket.lines.iter().position(invalid) {
        return Err(Rejected::InvalidLine { line });
    }
    let counted = |(line, inside): (&BasketLine, &bool)| if *inside { line.amount } else { 0 };
    let weights: Vec<i64> = basket.lines.iter().zip(in_scope).map(counted).collect();
    // A sum of 64-bit amounts that overflows is as absurd as a line that does.
    let total = weights.iter().try_fold(0_i64, |sum, weight| sum.checked_add(*weight)).ok_or(Rejected::InvalidLine { line: 0 })?;
    if !in_scope.iter().any(|inside| *inside) {
        return Err(Rejected::NothingInScope);
    }
    match kind {
        Kind::PercentOff { basis_points, cap } => {
            let exact = i128::from(total) * i128::from(*basis_points);
            // Half a unit rounds up, in the customer's favour.
            let amount = i64::try_from((exact + 5_000) / 10_000).unwrap_or(i64::MAX);
            reduce(amount.min(cap.unwrap_or(i64::MAX)).min(total), &weights)
        }
        Kind::SpendAndSave { tiers } => match tiers.iter().rev().find(|tier| total >= tier.spend) {
            Some(tier) => reduce(tier.save.min(total), &weights),
            None => Err(tiers.first().map_or(Rejected::NoReduction, |tier| below(tier.spend, total, tier.save))),
        },
        Kind::FixedCoupon { amount, minimum_spend } if total >= *minimum_spend => reduce((*amount).min(total), &weights),
        Kind::FixedCoupon { amount, minimum_spend } => Err(below(*minimum_spend, total, *amount)),
        Kind::ItemPrice { product_id, unit_price, most_units } => item_price(product_id, *unit_price, *most_units, in_scope, basket),
        Kind::Gift { product_id, value, minimum_spend } if total >= *minimum_spend => {
            Ok(Priced { amount: 0, allocations: vec![0; basket.lines.len()], gift: Some((product_id.clone(), *value)) })
        }
        Kind::Gift { value, minimum_spend, .. } => Err(below(*minimum_spend, total, *value)),
    }
}

fn reduce(amount: i64, weights: &[i64]) -> Result<Priced, Rejected> {
    if amount <= 0 {
        return Err(Rejected::NoReduction);
    }
    Ok(Priced { amount, allocations: split_largest_remainder(amount, weights), gift: None })
}

const fn below(threshold: i64, total: i64, saves: i64) -> Rejected {
    Rejected::BelowThreshold { missing: threshold - total, saves }
}

/// The first `most_units` units of the product at the new price, in the order of the lines.
fn item_price(product_id: &str, unit_price: i64, most_units: i64, in_scope: &[bool], basket: &Basket) -> Result<Priced, Rejected> {
    let mut left = most_units;
    let mut allocations = vec![0; basket.lines.len()];
    for (place, line) in basket.lines.iter().enumerate() {
        if line.product_id != product_id || !in_scope[place] || left == 0 {
            continue;
        }
        let units = line.quantity.min(left);
        left -= units;
        // The units at the new price carry their share of the line, rounded down: the rest stays
        // with the units that keep the old price.
        let share = i128::from(line.amount) * i128::from(units) / i128::from(line.quantity);
        let now = i128::from(unit_price) * i128::from(units);
        allocations[place] = i64::try_from((share - now).max(0)).unwrap_or(0);
    }
    if left == most_units {
        return Err(Rejected::NothingInScope);
    }
    let amount = allocations.iter().sum();
    if amount == 0 {
        return Err(Rejected::NoReduction);
    }
    Ok(Priced { amount, allocations, gift: None })
}

impl Scope {
    /// Whether a line counts.
    pub fn covers(&self, line: &BasketLine) -> bool {
        match self {
            Self::All => true,
            Self::AllExcept { names } => !names.iter().any(|name| line.categories.contains(name)),
            Self::Categories { names } => names.iter().any(|name| line.categories.contains(name)),
            Self::Products { product_ids } => product_ids.contains(&line.product_id),
        }
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use proptest::prelude::*;

    use super::*;
    use crate::Tier;

    fn basket(amounts: &[(&str, i64, i64)]) -> Basket {
        let line = |&(id, quantity, amount): &(&str, i64, i64)| BasketLine { product_id: id.into(), categories: vec![], quantity, amount };
        Basket { lines: amounts.iter().map(line).collect() }
    }

    #[expect(clippy::needless_pass_by_value, reason = "expect! makes a value for each case")]
    fn check(kind: Kind, lines: &[(&str, i64, i64)], expected: Expect) {
        let basket = basket(lines);
        let answer = match price_kind(&kind, &vec![true; lines.len()], &basket) {
            Ok(Priced { amount, allocations, gift: None }) => format!("−{amount} as {allocations:?}"),
            Ok(Priced { gift: Some((product, value)), .. }) => format!("gift {product} worth {value}"),
            Err(reason) => format!("{reason:?}"),
        };
        expected.assert_eq(&answer);
    }

    #[test]
    fn prices_each_kind() {
        let cart: &[(&str, i64, i64)] = &[("a", 1, 5000), ("b", 2, 6666), ("c", 3, 2997)];
        check(Kind::PercentOff { basis_points: 1000, cap: None }, cart, expect!["−1466 as [500, 666, 300]"]);
        check(Kind::PercentOff { basis_points: 1000, cap: Some(1000) }, cart, expect!["−1000 as [341, 455, 204]"]);
        let tiers = vec![Tier { spend: 10_000, save: 1000 }, Tier { spend: 20_000, save: 3000 }];
        check(Kind::SpendAndSave { tiers: tiers.clone() }, cart, expect!["−1000 as [341, 455, 204]"]);
        check(Kind::SpendAndSave { tiers }, &[("a", 1, 7_700)], expect!["BelowThreshold { missing: 2300, saves: 1000 }"]);
        check(Kind::FixedCoupon { amount: 500, minimum_spend: 3000 }, &[("a", 1, 3000)], expect!["−500 as [500]"]);
        check(Kind::ItemPrice { product_id: "c".into(), unit_price: 500, most_units: 2 }, cart, expect!["−998 as [0, 0, 998]"]);
        check(Kind::ItemPrice { product_id: "c".into(), unit_price: 999, most_units: 2 }, cart, expect!["NoReduction"]);
        check(Kind::ItemPrice { product_id: "z".into(), unit_price: 1, most_units: 2 }, cart, expect!["NothingInScope"]);
        check(Kind::Gift { product_id: "g".into(), value: 900, minimum_spend: 9000 }, cart, expect!["gift g worth 900"]);
        check(Kind::PercentOff { basis_points: 1000, cap: None }, &[("a", 0, 100)], expect!["InvalidLine { line: 0 }"]);
        check(Kind::PercentOff { basis_points: 1000, cap: None }, &[("a", 1, i64::MAX)], expect!["InvalidLine { line: 0 }"]);
        check(Kind::PercentOff { basis_points: 1000, cap: None }, &[], expect!["NothingInScope"]);
    }

    proptest! {
        #[test]
        fn allocations_sum_and_never_exceed_their_line(
            amounts in prop::collection::vec(0_i64..100_000, 1..20),
            basis_points in 1_u32..=10_000,
            save in 1_i64..50_000,
            kind in 0..3,
        ) {
            let lines: Vec<(&str, i64, i64)> = amounts.iter().map(|amount| ("x", 1, *amount)).collect();
            let kind = match kind {
                0 => Kind::PercentOff { basis_points, cap: None },
                1 => Kind::SpendAndSave { tiers: vec![Tier { spend: save, save }] },
                _ => Kind::FixedCoupon { amount: save, minimum_spend: save },
            };
            if let Ok(priced) = price_kind(&kind, &vec![true; lines.len()], &basket(&lines)) {
                prop_assert_eq!(priced.allocations.iter().sum::<i64>(), priced.amount);
                for (part, amount) in priced.allocations.iter().zip(&amounts) {
                    prop_assert!((0..=*amount).contains(part));
                }
            }
        }
    }
}
