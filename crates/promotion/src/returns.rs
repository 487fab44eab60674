//! Returns and partial refunds, computed from what was stored when the basket was paid.
//!
//! An [`Order`] knows what was paid for every unit that the customer still has. A return takes units
//! out of it and says what is paid back:
//!
//! - **keep**: what was paid for these units. A threshold may no longer be reached by what is kept.
//! - **re-evaluate**: what was paid, less the price of what is kept as if only that had been bought.
//! - **claw back**: what was paid for these units, less the discount on kept units of promotions that
//!   what is kept no longer earns.
//!
//! Whatever the policy: never less than nothing, never more than was paid for the returned units, and
//! when everything has come back, everything has been paid back that was paid.

use serde::{Deserialize, Serialize};

use crate::answer::{Priced, UnitPrice, UnitShare, Wrong};
use crate::basket::{Basket, Context, Detail};
use crate::document::{Name, Pick, Problems, Split, is_default};
use crate::prelude::*;
use crate::pricing::{Part, split};
use crate::set::Promotions;

/// A basket that was paid, and what has come back of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Order {
    /// What was bought.
    basket: Basket,
    /// What it cost, and why.
    priced: Priced,
    /// By line, the units that the customer still has and what was paid for each, with its tax.
    kept: Vec<Vec<Kept>>,
    /// By promotion, what was held back of its discount on kept units.
    clawed: BTreeMap<Name, i64>,
    /// Paid for shipping and not paid back, with its tax.
    shipping: i64,
    /// Paid back so far.
    refunded: i64,
    /// Gifts that the customer still has: (promotion, product, quantity, value of one).
    gifts: Vec<(Name, Name, i64, i64)>,
}

/// Units that the customer still has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
struct Kept {
    /// The first of them, counted from 0 within the line.
    first: i64,
    quantity: i64,
    /// What one has cost by now, with tax that was added.
    unit_price: i64,
}

/// What comes back.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Return {
    /// Lines and units of them.
    pub lines: Vec<ReturnLine>,
    /// Gifts that come back with them: product and quantity.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gifts: Vec<ReturnGift>,
    /// How it is computed.
    #[serde(default, skip_serializing_if = "is_default")]
    pub policy: ReturnPolicy,
    /// Which units of a line come back first, by what was paid for them: the cheapest, so that a free
    /// unit is not kept while a paid one is refunded.
    #[serde(default = "cheapest")]
    pub pick: Pick,
}

const fn cheapest() -> Pick {
    Pick::Cheapest
}

/// Units of a line that come back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ReturnLine {
    /// Which line of the basket.
    pub line_id: Name,
    /// How many units.
    pub quantity: i64,
}

/// Gifts that come back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ReturnGift {
    /// Which product.
    pub product_id: Name,
    /// How many.
    pub quantity: i64,
}

/// How a refund is computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum ReturnPolicy {
    /// What was paid for the units.
    #[default]
    Keep,
    /// What was paid, less the price of what is kept.
    ReEvaluate,
    /// What was paid for the units, less discounts that what is kept no longer earns.
    ClawBack,
}

/// What is paid back. Money in minor units of the basket's currency.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Refund {
    /// Paid back now.
    pub amount: i64,
    /// What was paid for the returned units, by line.
    pub lines: Vec<RefundLine>,
    /// Of `amount`, shipping: all of it comes back with the last unit.
    pub shipping: i64,
    /// Held back for promotions that what is kept no longer earns.
    pub held_back: Vec<HeldBack>,
    /// Paid back in all returns of this order.
    pub refunded: i64,
    /// Paid and not paid back.
    pub left: i64,
}

/// What was paid for returned units of a line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RefundLine {
    /// Which line.
    pub line_id: Name,
    /// Units.
    pub quantity: i64,
    /// What was paid for them.
    pub paid: i64,
}

/// Held back for one reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct HeldBack {
    /// For which promotion; absent where the kept units were priced anew.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub promotion_id: Option<Name>,
    /// How much.
    pub amount: i64,
}

impl Order {
    /// An order of a basket and the answer that was paid.
    ///
    /// # Errors
    /// Where they don't belong together: other lines, or sums that are none.
    pub fn new(basket: Basket, priced: Priced) -> Result<Self, Wrong> {
        let problems = basket.problems();
        if !problems.is_empty() {
            return Err(Wrong(problems));
        }
        let mut problems = Problems::default();
        problems.say(basket.lines.len() != priced.lines.len(), "/lines", "the answer has other lines than the basket");
        for (place, (line, paid)) in basket.lines.iter().zip(&priced.lines).enumerate() {
            let units: i64 = paid.units.iter().map(|units| units.quantity).fold(0, i64::saturating_add);
            let total = paid.units.iter().map(|units| units.quantity.saturating_mul(units.unit_price)).fold(0, i64::saturating_add);
            let same = line.line_id == paid.line_id && units == line.quantity && total == paid.total;
            let plain = paid.units.iter().all(|units| units.quantity > 0 && units.unit_price >= 0) && paid.tax >= 0;
            problems.say(!same || !plain, format!("/lines/{place}"), "the answer is not of this basket: its units don't sum to the line");
        }
        if !problems.is_empty() {
            return Err(Wrong(problems.into_vec()));
        }
        let kept: Vec<Vec<Kept>> = priced.lines.iter().map(|line| placed(&with_tax(line, &basket))).collect();
        Ok(Self {
            gifts: priced
                .gifts
                .iter()
                .map(|gift| (gift.promotion_id.clone(), gift.product_id.clone(), gift.quantity, gift.value))
                .collect(),
            shipping: (priced.total - sum(&kept)).max(0),
            clawed: BTreeMap::new(),
            refunded: 0,
            basket,
            priced,
            kept,
        })
    }

    /// Paid and not paid back.
    pub fn left(&self) -> i64 {
        sum(&self.kept) + self.shipping
    }

    /// Paid back so far.
    pub const fn refunded(&self) -> i64 {
        self.refunded
    }

    /// Takes a return in. `set` and `context` are the promotions and the moment of the purchase, which
    /// the policies other than `keep` price the kept units with.
    ///
    /// # Errors
    /// What is wrong with the return; the order is then as it was.
    pub fn give_back(&mut self, request: &Return, set: &Promotions, context: &Context) -> Result<Refund, Wrong> {
        self.check(request)?;
        let mut after = self.clone();
        let refund = after.take_back(request, set, context)?;
        *self = after;
        Ok(refund)
    }

    fn take_back(&mut self, request: &Return, set: &Promotions, context: &Context) -> Result<Refund, Wrong> {
        let had = sum(&self.kept);
        let mut lines = Vec::with_capacity(request.lines.len());
        for line in &request.lines {
            let place = self.place_of(&line.line_id).unwrap_or(0);
            let paid = take(&mut self.kept[place], line.quantity, request.pick);
            lines.push(RefundLine { line_id: line.line_id.clone(), quantity: line.quantity, paid });
        }
        self.take_gifts(&request.gifts);
        let paid: i64 = lines.iter().map(|line| line.paid).sum();
        let (amount, held_back) = if self.kept.iter().all(Vec::is_empty) {
            (paid, vec![])
        } else {
            match request.policy {
                ReturnPolicy::Keep => (paid, vec![]),
                ReturnPolicy::ReEvaluate => self.re_evaluate(had, paid, set, context)?,
                ReturnPolicy::ClawBack => self.claw_back(paid, set, context)?,
            }
        };
        let everything = self.kept.iter().all(Vec::is_empty);
        let shipping = if everything { core::mem::take(&mut self.shipping) } else { 0 };
        self.refunded += amount + shipping;
        Ok(Refund { amount: amount + shipping, lines, shipping, held_back, refunded: self.refunded, left: self.left() })
    }

    fn place_of(&self, line_id: &str) -> Option<usize> {
        self.basket.lines.iter().position(|line| &*line.line_id == line_id)
    }

    fn check(&self, request: &Return) -> Result<(), Wrong> {
        let mut problems = Problems::default();
        problems.say(request.lines.is_empty(), "/lines", "name at least one line");
        for (place, line) in request.lines.iter().enumerate() {
            let at = |field: &str| format!("/lines/{place}/{field}");
            let twice = request.lines[..place].iter().any(|other| other.line_id == line.line_id);
            problems.say(twice, at("line_id"), "stands twice: write its units in one line");
            match self.place_of(&line.line_id) {
                None => problems.say(true, at("line_id"), "is no line of this order"),
                Some(of) => {
                    let left: i64 = self.kept[of].iter().map(|units| units.quantity).sum();
                    let wrong = !(1..=left).contains(&line.quantity);
                    problems.say(wrong, at("quantity"), &format!("is {}: the customer has {left} units of it", line.quantity));
                }
            }
        }
        for (place, gift) in request.gifts.iter().enumerate() {
            let left: i64 =
                self.gifts.iter().filter(|(_, product, ..)| *product == gift.product_id).map(|(_, _, quantity, _)| quantity).sum();
            let wrong = !(1..=left).contains(&gift.quantity);
            problems.say(wrong, format!("/gifts/{place}/quantity"), &format!("is {}: the customer has {left} of it", gift.quantity));
        }
        if problems.is_empty() { Ok(()) } else { Err(Wrong(problems.into_vec())) }
    }

    fn take_gifts(&mut self, gifts: &[ReturnGift]) {
        for gift in gifts {
            let mut left = gift.quantity;
            for (_, product, quantity, _) in &mut self.gifts {
                if *product == gift.product_id {
                    let now = left.min(*quantity);
                    *quantity -= now;
                    left -= now;
                }
            }
        }
        self.gifts.retain(|(_, _, quantity, _)| *quantity > 0);
    }

    /// How many of the units of a discount the customer still has.
    fn kept_of(&self, share: &UnitShare) -> i64 {
        let units = self.kept.get(share.line as usize).map_or(&[][..], Vec::as_slice);
        let end = share.first.saturating_add(share.quantity);
        units.iter().map(|units| (end.min(units.first + units.quantity) - share.first.max(units.first)).max(0)).sum()
    }

    /// The kept units as a basket of their own.
    fn kept_basket(&self) -> Basket {
        let units = |place: usize| self.kept[place].iter().map(|units| units.quantity).sum();
        let lines = self.basket.lines.iter().enumerate();
        let lines = lines.map(|(place, line)| crate::Line { quantity: units(place), ..line.clone() }).filter(|line| line.quantity > 0);
        Basket { lines: lines.collect(), ..self.basket.clone() }
    }

    /// The value of gifts that the customer has and that `priced` no longer gives.
    fn gifts_lost(&mut self, priced: &Priced) -> Vec<HeldBack> {
        let mut lost = Vec::new();
        for (promotion, product, quantity, value) in &mut self.gifts {
            let earned: i64 = priced
                .gifts
                .iter()
                .filter(|gift| gift.promotion_id == *promotion && gift.product_id == *product)
                .map(|gift| gift.quantity)
                .sum();
            let over = (*quantity - earned).max(0);
            if over > 0 && *value > 0 {
                lost.push(HeldBack { promotion_id: Some(promotion.clone()), amount: over.saturating_mul(*value) });
                // Paid for now, so the customer's own.
                *quantity -= over;
            }
        }
        self.gifts.retain(|(_, _, quantity, _)| *quantity > 0);
        lost
    }

    fn re_evaluate(&mut self, had: i64, paid: i64, set: &Promotions, context: &Context) -> Result<(i64, Vec<HeldBack>), Wrong> {
        let kept = self.kept_basket();
        let priced = set.price(&kept, &Context { detail: Detail::Near, ..context.clone() })?;
        let mut anew = priced.lines.iter().map(|line| with_tax(line, &kept));
        let mut at = |units: &Vec<Kept>| if units.is_empty() { vec![] } else { priced_at(units, &anew.next().unwrap_or_default()) };
        let cost: Vec<Vec<Kept>> = self.kept.iter().map(&mut at).collect();
        let mut held_back = self.gifts_lost(&priced);
        let gifts: i64 = held_back.iter().map(|held| held.amount).sum();
        let shipping = (priced.total - sum(&cost) - self.shipping).max(0);
        let amount = (had - sum(&cost) - shipping - gifts).clamp(0, paid);
        // What is kept has cost the rest.
        self.kept = cost_so_much(&cost, had - amount);
        if paid - amount - gifts > 0 {
            held_back.push(HeldBack { promotion_id: None, amount: paid - amount - gifts });
        }
        Ok((amount, held_back))
    }

    fn claw_back(&mut self, paid: i64, set: &Promotions, context: &Context) -> Result<(i64, Vec<HeldBack>), Wrong> {
        let kept = self.kept_basket();
        // What applied then, and nothing that would apply now instead.
        let applied = |id: &str| self.priced.applied.iter().any(|applied| *applied.promotion_id == *id);
        let then = Promotions::new(set.iter().filter(|promotion| applied(&promotion.promotion_id)).cloned())?;
        let priced = then.price(&kept, &Context { detail: Detail::Near, ..context.clone() })?;
        let mut held_back = self.gifts_lost(&priced);
        let units: i64 = self.kept.iter().flatten().map(|units| units.quantity).sum();
        for applied in &self.priced.applied {
            let stored: i64 = applied.units.iter().map(|share| share.amount.saturating_mul(self.kept_of(share))).sum();
            let now = priced.applied.iter().find(|now| now.promotion_id == applied.promotion_id);
            let earned: i64 = now.map_or(0, |now| now.units.iter().map(|share| share.quantity.saturating_mul(share.amount)).sum());
            let clawed = self.clawed.entry(applied.promotion_id.clone()).or_default();
            let lost = stored - earned - *clawed;
            // Another rounding of what is still earned is no loss.
            if lost > if now.is_some() { units } else { 0 } {
                *clawed += lost;
                held_back.push(HeldBack { promotion_id: Some(applied.promotion_id.clone()), amount: lost });
            }
        }
        let before = self.priced.shipping_discount;
        let shipping = (before - priced.shipping_discount).clamp(0, before);
        if shipping > 0 && self.shipping < self.priced.shipping {
            held_back.push(HeldBack { promotion_id: None, amount: shipping });
        }
        // No more is held back than would be paid.
        let mut left = paid;
        for held in &mut held_back {
            held.amount = held.amount.min(left);
            left -= held.amount;
        }
        held_back.retain(|held| held.amount > 0);
        // What is held back is what the kept units have cost more.
        let cost = sum(&self.kept) + paid - left;
        self.kept = cost_so_much(&self.kept, cost);
        Ok((left, held_back))
    }
}

/// What a line's units have cost with the tax that was added to them.
fn with_tax(line: &crate::PricedLine, basket: &Basket) -> Vec<UnitPrice> {
    if basket.prices_include_tax || line.tax == 0 {
        return line.units.clone();
    }
    let cost = cost_so_much(&[placed(&line.units)], line.total + line.tax);
    cost.into_iter().flatten().map(|units| UnitPrice { quantity: units.quantity, unit_price: units.unit_price }).collect()
}

/// Units in their places, from the first on.
fn placed(units: &[UnitPrice]) -> Vec<Kept> {
    let mut first = 0;
    let mut place = |units: &UnitPrice| {
        let kept = Kept { first, quantity: units.quantity, unit_price: units.unit_price };
        first += units.quantity;
        kept
    };
    units.iter().map(&mut place).collect()
}

/// The same units at other prices, given in their order.
fn priced_at(units: &[Kept], prices: &[UnitPrice]) -> Vec<Kept> {
    let mut made = Vec::with_capacity(units.len() + prices.len());
    let mut prices = prices.iter().copied();
    let mut price = prices.next();
    for units in units {
        let mut left = *units;
        while let Some(now) = price.filter(|_| left.quantity > 0) {
            let quantity = now.quantity.min(left.quantity);
            made.push(Kept { quantity, unit_price: now.unit_price, ..left });
            left = Kept { first: left.first + quantity, quantity: left.quantity - quantity, ..left };
            price = if now.quantity > quantity { Some(UnitPrice { quantity: now.quantity - quantity, ..now }) } else { prices.next() };
        }
    }
    made
}

/// The units at other prices in the same proportion, which sum to `total`.
fn cost_so_much(lines: &[Vec<Kept>], total: i64) -> Vec<Vec<Kept>> {
    if sum(lines) == total {
        return lines.to_vec();
    }
    // Any of them can cost any part of it.
    let part = |units: &Kept| Part { units: units.quantity, weight: units.unit_price, room: total };
    let parts: Vec<Part> = lines.iter().flatten().map(part).collect();
    let mut given = split(total, &parts, Split::default()).into_iter();
    let of_line = |line: &Vec<Kept>| {
        let prices = line.iter().flat_map(|units| given.next().unwrap_or_default().ranges(units.quantity));
        let prices: Vec<UnitPrice> =
            prices.filter(|(quantity, _)| *quantity > 0).map(|(quantity, unit_price)| UnitPrice { quantity, unit_price }).collect();
        priced_at(line, &prices)
    };
    lines.iter().map(of_line).collect()
}

/// Takes units out, of equal ones the last; what was paid for them.
fn take(units: &mut Vec<Kept>, quantity: i64, pick: Pick) -> i64 {
    let mut order: Vec<usize> = (0..units.len()).rev().collect();
    match pick {
        Pick::Cheapest => order.sort_by_key(|place| units[*place].unit_price),
        Pick::Dearest => order.sort_by_key(|place| core::cmp::Reverse(units[*place].unit_price)),
        Pick::BasketOrder | Pick::LargestLine => order.reverse(),
    }
    let (mut left, mut paid) = (quantity, 0);
    for place in order {
        let now = left.min(units[place].quantity);
        units[place].quantity -= now;
        left -= now;
        paid += now * units[place].unit_price;
    }
    units.retain(|units| units.quantity > 0);
    paid
}

fn sum(lines: &[Vec<Kept>]) -> i64 {
    lines.iter().flatten().map(|units| units.quantity * units.unit_price).sum()
}
