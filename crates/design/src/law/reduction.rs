//! Announced reductions against the reference price of every product that they touch.

use jiff::tz::TimeZone;
use youhui_commerce::Micros;
use youhui_promotion::{Condition, Effect, Off, Per, Promotion, Scope};

use super::{Case, Claim, Market, Shelf, Violation, marked_up_from, prior_price, transaction_base};
use crate::grid::reduced;
use crate::replay::CompiledScope;

/// What is announced of the price of one unit.
#[derive(Debug, Clone, Copy)]
enum Announced {
    BasisPoints(u32),
    Amount(i64),
    UnitPrice(i64),
}

impl Announced {
    /// The price of a unit that stands at `price`.
    fn now(self, price: i64) -> i64 {
        match self {
            Self::BasisPoints(basis_points) => reduced(price, basis_points),
            Self::Amount(amount) => price.saturating_sub(amount).max(0),
            Self::UnitPrice(unit_price) => unit_price,
        }
    }
}

/// Whether a promotion announces a lower price of a unit, which some markets measure from the prices before it.
pub fn announces_reduction(promotion: &Promotion) -> bool {
    promotion.effects.iter().any(|effect| announced(effect).is_some())
}

/// The claims that a promotion may make; every reduction that it announces must be one.
pub(super) fn check(promotion: &Promotion, case: &Case<'_>, start: Option<(Micros, &TimeZone)>) -> Result<Vec<Claim>, Violation> {
    if !case.market.measures_reductions() {
        return Ok(vec![]);
    }
    let mut claims = Vec::new();
    for (announced, scope) in promotion.effects.iter().filter_map(announced) {
        let start = start.ok_or(Violation::NoStart)?;
        let inside = CompiledScope::new(scope, case.catalogue);
        let products = case.catalogue.products().iter().zip(0_u32..).filter(|(_, place)| inside.covers(*place));
        let mut any = false;
        for (product, _) in products {
            any = true;
            for channel in channels(promotion, case) {
                let shelf = Shelf::new(product.product_id.as_str(), case.market, channel);
                claims.extend(claim(announced, promotion, case, &shelf, start)?);
            }
        }
        if !any {
            return Err(Violation::NoProduct);
        }
    }
    Ok(claims)
}

/// The claim on one shelf; none where more than a unit has to be bought for it: that is a condition,
/// not a price.
fn claim(
    announced: Announced,
    promotion: &Promotion,
    case: &Case<'_>,
    shelf: &Shelf,
    (start, zone): (Micros, &TimeZone),
) -> Result<Option<Claim>, Violation> {
    let product_id = || shelf.product_id.clone();
    let no_history = || Violation::NoHistory { product_id: product_id(), channel: shelf.channel.clone() };
    let price = case.history.price_before(shelf, start).ok_or_else(no_history)?;
    if promotion.conditions.iter().any(|condition| asks_for_more(condition, price)) {
        return Ok(None);
    }
    let reference = match case.market {
        Market::China => transaction_base(case.history, shelf, start, zone),
        _ => prior_price(case.history, shelf, start, zone, case.state),
    };
    let reference = reference.ok_or_else(no_history)?;
    if case.market == Market::China {
        // What is announced is measured from what stands on the shelf: that is the stated base.
        if let Some(before) = marked_up_from(case.history, shelf, start, zone) {
            return Err(Violation::MarkUp { product_id: product_id(), before });
        }
    }
    let now = announced.now(price);
    let Some(claim) = Claim::of(&shelf.product_id, reference, now) else {
        return Err(Violation::NotBelow { product_id: product_id(), now, reference: reference.price });
    };
    if let Announced::BasisPoints(basis_points) = announced {
        // To the minor unit: 10 % of 333 is 33.
        let whole = i128::from(reference.price);
        let less = whole - i128::from(now);
        if i128::from(basis_points) * whole * 2 > (2 * less + 1) * 10_000 {
            return Err(Violation::Overstated {
                product_id: product_id(),
                announced: basis_points,
                lawful: claim.basis_points,
                reference: reference.price,
            });
        }
    }
    Ok(Some(claim))
}

/// Whether a basket of one unit at `price` does not meet a condition. What nests is taken to be met.
fn asks_for_more(condition: &Condition, price: i64) -> bool {
    match condition {
        Condition::SpendAtLeast { amount, .. } => *amount > price,
        Condition::QuantityAtLeast { quantity, .. } => *quantity > 1,
        Condition::DistinctAtLeast { products, .. } => *products > 1,
        _ => false,
    }
}

/// What an effect announces of single units, and of which.
fn announced(effect: &Effect) -> Option<(Announced, &Scope)> {
    match effect {
        Effect::PercentOff(off) => Some((Announced::BasisPoints(off.basis_points), &off.scope)),
        Effect::ItemPrice(item) => Some((Announced::UnitPrice(item.unit_price), &item.scope)),
        Effect::AmountOff(off) if off.per == Per::Unit => Some((Announced::Amount(off.amount), &off.scope)),
        Effect::MemberPrice(member) => {
            let announced = match member.off {
                Off::Amount(amount) => Announced::Amount(amount),
                Off::BasisPoints(basis_points) => Announced::BasisPoints(basis_points),
                Off::UnitPrice(price) | Off::Price(price) => Announced::UnitPrice(price),
            };
            Some((announced, &member.scope))
        }
        _ => None,
    }
}

fn channels<'a>(promotion: &'a Promotion, case: &Case<'a>) -> Vec<&'a str> {
    if promotion.channels.is_empty() { vec![case.channel] } else { promotion.channels.iter().map(String::as_str).collect() }
}

#[cfg(test)]
#[path = "reduction_tests.rs"]
mod tests;
