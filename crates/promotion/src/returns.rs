//! Returns and partial refunds, computed from what was stored when the basket was paid.
//!
//! An [`Order`] knows what was paid for every unit that the customer still has. A return takes units
//! out of it and says what is paid back:
//!
//! - **keep**: what was paid for these units. A threshold may no longer be reached by what is kept.
//! - **re-evaluate**: what was paid, less the price of what is kept as if only that had been bought.
//! - **claw back**: what was paid, less the list price of what is kept, on which the discounts of the
//!   purchase hold as far as what is kept still earns them, and no others.
//!
//! Whatever the policy: never less than nothing, never more than the returned units have cost, and when
//! everything has come back, gifts too, everything has been paid back that was paid. What is held back
//! is what the kept units have cost more, so to return in one step or in several comes to the same.

use serde::{Deserialize, Serialize};

use crate::answer::{Priced, UnitPrice, UnitShare, Wrong};
use crate::basket::{Basket, Context, Detail};
use crate::document::{MOST_AMOUNT, MOST_UNITS, Name, Pick, Problems, Split, is_default};
use crate::prelude::*;
use crate::pricing::{Part, split};
use crate::set::Promotions;

/// A basket that was paid, and what has come back of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, try_from = "Stored")]
pub struct Order {
    /// What was bought.
    basket: Basket,
    /// What it cost, and why.
    priced: Priced,
    /// By line, the units that the customer still has and what was paid for each, with its tax.
    kept: Vec<Vec<Kept>>,
    /// Paid for shipping and not paid back, with its tax.
    shipping: i64,
    /// Paid back so far.
    refunded: i64,
    /// Kept for gifts that the customer did not give back.
    charged: i64,
    /// Points and money back that what the customer has still earns.
    points: i64,
    cashback: i64,
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
    /// Points that what is kept no longer earns: to be taken off the customer's account.
    #[serde(default, skip_serializing_if = "is_default")]
    pub points: i64,
    /// Money back, given later, that what is kept no longer earns.
    #[serde(default, skip_serializing_if = "is_default")]
    pub cashback: i64,
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

/// An order as it is stored, before it is checked.
#[derive(Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
struct Stored {
    basket: Basket,
    priced: Priced,
    kept: Vec<Vec<Kept>>,
    shipping: i64,
    refunded: i64,
    charged: i64,
    points: i64,
    cashback: i64,
    gifts: Vec<(Name, Name, i64, i64)>,
}

impl TryFrom<Stored> for Order {
    type Error = Wrong;

    fn try_from(stored: Stored) -> Result<Self, Wrong> {
        let fresh = Self::new(stored.basket, stored.priced)?;
        let mut problems = Problems::default();
        problems.say(stored.kept.len() != fresh.kept.len(), "/kept", "has other lines than the order");
        for (place, (kept, line)) in stored.kept.iter().zip(&fresh.basket.lines).enumerate() {
            let apart = kept.windows(2).all(|pair| pair[0].first.saturating_add(pair[0].quantity) <= pair[1].first);
            let inside = |units: &Kept| {
                units.first >= 0
                    && (1..=line.quantity).contains(&units.quantity)
                    && units.first <= line.quantity - units.quantity
                    && (0..=MOST_PAID).contains(&units.unit_price)
            };
            problems.say(!apart || !kept.iter().all(inside), format!("/kept/{place}"), "are no units of the line");
        }
        let amounts = [stored.shipping, stored.refunded, stored.charged, stored.points, stored.cashback];
        let plain = amounts.iter().all(|amount| *amount >= 0);
        let sum: i128 = stored.kept.iter().flatten().map(|units| i128::from(units.quantity) * i128::from(units.unit_price)).sum();
        let paid = sum + amounts[..3].iter().map(|amount| i128::from(*amount)).sum::<i128>();
        problems.say(!plain || paid != i128::from(fresh.priced.total), "", "its parts don't sum to what was paid");
        let had = |gift: &(Name, Name, i64, i64)| {
            let same = |given: &(Name, Name, i64, i64)| (&given.0, &given.1, given.3) == (&gift.0, &gift.1, gift.3) && given.2 >= gift.2;
            gift.2 > 0 && fresh.gifts.iter().any(same)
        };
        problems.say(!stored.gifts.iter().all(had) || stored.gifts.len() > fresh.gifts.len(), "/gifts", "are not those of the purchase");
        if !problems.is_empty() {
            return Err(Wrong(problems.into_vec()));
        }
        let Stored { kept, shipping, refunded, charged, points, cashback, gifts, .. } = stored;
        Ok(Self { kept, shipping, refunded, charged, points, cashback, gifts, ..fresh })
    }
}

/// Most that is paid for anything: sums of it fit 64 bits.
const MOST_PAID: i64 = 2_000_000_000_000_000;

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
        problems.say(basket.currency != priced.currency, "/currency", "the answer is in another currency than the basket");
        problems.say(basket.lines.len() != priced.lines.len(), "/lines", "the answer has other lines than the basket");
        for (place, (line, paid)) in basket.lines.iter().zip(&priced.lines).enumerate() {
            let plain =
                |units: &UnitPrice| (1..=line.quantity).contains(&units.quantity) && (0..=line.unit_price).contains(&units.unit_price);
            let sums = || {
                paid.units.len() <= usize::try_from(line.quantity).unwrap_or(usize::MAX)
                    && paid.units.iter().map(|units| units.quantity).sum::<i64>() == line.quantity
                    && paid.units.iter().map(|units| units.quantity * units.unit_price).sum::<i64>() == paid.total
            };
            let fits = line.line_id == paid.line_id && paid.units.iter().all(plain) && sums() && (0..=MOST_PAID).contains(&paid.tax);
            problems.say(!fits, format!("/lines/{place}"), "the answer is not of this basket: its units don't sum to the line");
        }
        let plain = [priced.total, priced.shipping, priced.shipping_discount, priced.tax, priced.points, priced.cashback];
        let plain = plain.iter().all(|amount| (0..=MOST_PAID).contains(amount)) && priced.shipping_discount <= priced.shipping;
        let total = || {
            let goods: i64 = priced.lines.iter().map(|line| line.total).sum();
            goods + priced.shipping - priced.shipping_discount + if basket.prices_include_tax { 0 } else { priced.tax }
        };
        let fits = plain && problems.is_empty() && total() == priced.total;
        problems.say(!fits && problems.is_empty(), "/total", "is not the sum of the answer's lines, shipping and tax");
        for (place, gift) in priced.gifts.iter().enumerate() {
            let plain = (1..=MOST_UNITS).contains(&gift.quantity) && (0..=MOST_AMOUNT).contains(&gift.value);
            problems.say(!plain, format!("/gifts/{place}"), "has a quantity or a value that no promotion gives");
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
            shipping: priced.total - sum(&kept),
            refunded: 0,
            charged: 0,
            points: priced.points,
            cashback: priced.cashback,
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
        let places = self.check(request)?;
        let mut after = self.clone();
        let refund = after.take_back(request, &places, set, context)?;
        *self = after;
        Ok(refund)
    }

    fn take_back(&mut self, request: &Return, places: &[usize], set: &Promotions, context: &Context) -> Result<Refund, Wrong> {
        let had = sum(&self.kept);
        let mut lines = Vec::with_capacity(request.lines.len());
        for (line, place) in request.lines.iter().zip(places) {
            let paid = take(&mut self.kept[*place], line.quantity, request.pick);
            lines.push(RefundLine { line_id: line.line_id.clone(), quantity: line.quantity, paid });
        }
        self.take_gifts(&request.gifts);
        let cost = lines.iter().map(|line| line.paid).sum();
        let everything = self.kept.iter().all(Vec::is_empty);
        let earned = if everything { None } else { self.earned(request.policy, set, context)? };
        let mut refund = Refund { amount: cost, lines, shipping: 0, held_back: vec![], points: 0, cashback: 0, refunded: 0, left: 0 };
        if request.policy != ReturnPolicy::Keep {
            self.hold_back(&mut refund, had, cost, earned.as_ref());
        }
        if everything {
            refund.shipping = core::mem::take(&mut self.shipping);
            refund.amount += refund.shipping;
        }
        if everything || request.policy != ReturnPolicy::Keep {
            let (points, cashback) = earned.as_ref().map_or((0, 0), |earned| (earned.points, earned.cashback));
            refund.points = (self.points - points).max(0);
            refund.cashback = (self.cashback - cashback).max(0);
            (self.points, self.cashback) = (self.points - refund.points, self.cashback - refund.cashback);
        }
        self.refunded += refund.amount;
        (refund.refunded, refund.left) = (self.refunded, self.left());
        Ok(refund)
    }

    /// The answer for what is kept, as the policy has it.
    fn earned(&self, policy: ReturnPolicy, set: &Promotions, context: &Context) -> Result<Option<Priced>, Wrong> {
        let context = Context { detail: Detail::Near, ..context.clone() };
        match policy {
            ReturnPolicy::Keep => Ok(None),
            ReturnPolicy::ReEvaluate => set.price(&self.kept_basket(), &context).map(Some),
            ReturnPolicy::ClawBack => {
                // What applied then, and nothing that would apply now instead.
                let applied: alloc::collections::BTreeSet<&str> =
                    self.priced.applied.iter().map(|applied| &*applied.promotion_id).collect();
                let then = set.iter().filter(|promotion| applied.contains(&*promotion.promotion_id)).cloned();
                Promotions::new(then)?.price(&self.kept_basket(), &context).map(Some)
            }
        }
    }

    /// Holds back what is paid for the kept units less than they cost by themselves, and what unearned
    /// gifts are worth; `cost` is what the returned units have cost.
    fn hold_back(&mut self, refund: &mut Refund, had: i64, cost: i64, earned: Option<&Priced>) {
        let mut left = cost;
        let mut hold = |refund: &mut Refund, promotion_id: Option<Name>, amount: i64| {
            let amount = amount.clamp(0, left);
            left -= amount;
            if amount > 0 {
                refund.held_back.push(HeldBack { promotion_id, amount });
            }
            amount
        };
        if let Some(priced) = earned {
            let (target, shortfalls) = self.worth(priced);
            let shipping = (priced.shipping - priced.shipping_discount - (self.priced.shipping - self.priced.shipping_discount)).max(0);
            // So much the kept units have to cost more than they have.
            let mut missing = (sum(&target) + shipping - (had - cost)).max(0);
            for (promotion_id, amount) in shortfalls {
                missing -= hold(refund, Some(promotion_id), amount.min(missing));
            }
            hold(refund, None, missing);
            let held: i64 = refund.held_back.iter().map(|held| held.amount).sum();
            self.kept = cost_so_much(&target, had - cost + held);
        }
        for (promotion_id, amount) in self.gifts_lost(earned) {
            self.charged += hold(refund, Some(promotion_id), amount);
        }
        refund.amount = cost - refund.held_back.iter().map(|held| held.amount).sum::<i64>();
    }

    /// What the kept units cost by themselves, and by how much the discounts of the purchase fall short.
    fn worth(&self, priced: &Priced) -> (Vec<Vec<Kept>>, Vec<(Name, i64)>) {
        let kept = self.kept_basket();
        let mut anew = priced.lines.iter().map(|line| with_tax(line, &kept));
        let mut at = |units: &Vec<Kept>| if units.is_empty() { vec![] } else { priced_at(units, &anew.next().unwrap_or_default()) };
        let target: Vec<Vec<Kept>> = self.kept.iter().map(&mut at).collect();
        let mut shortfalls = Vec::new();
        for applied in &self.priced.applied {
            let stored: i64 =
                applied.units.iter().map(|share| share.amount.saturating_mul(self.kept_of(share))).fold(0, i64::saturating_add);
            let now = priced.applied.iter().find(|now| now.promotion_id == applied.promotion_id);
            let earned: i64 = now.map_or(0, |now| now.units.iter().map(|share| share.quantity * share.amount).sum());
            if stored > earned {
                shortfalls.push((applied.promotion_id.clone(), stored - earned));
            }
        }
        (target, shortfalls)
    }

    /// The places of the returned lines.
    fn check(&self, request: &Return) -> Result<Vec<usize>, Wrong> {
        let mut problems = Problems::default();
        problems.say(request.lines.is_empty(), "/lines", "name at least one line");
        let by_name: BTreeMap<&str, usize> = self.basket.lines.iter().enumerate().map(|(place, line)| (&*line.line_id, place)).collect();
        let mut seen = alloc::collections::BTreeSet::new();
        let mut places = Vec::with_capacity(request.lines.len());
        for (place, line) in request.lines.iter().enumerate() {
            let at = |field: &str| format!("/lines/{place}/{field}");
            problems.say(!seen.insert(&*line.line_id), at("line_id"), "stands twice: write its units in one line");
            match by_name.get(&*line.line_id) {
                None => problems.say(true, at("line_id"), "is no line of this order"),
                Some(of) => {
                    places.push(*of);
                    let left: i64 = self.kept[*of].iter().map(|units| units.quantity).sum();
                    if !(1..=left).contains(&line.quantity) {
                        problems.say(true, at("quantity"), &format!("is {}: the customer has {left} units of it", line.quantity));
                    }
                }
            }
        }
        for (place, gift) in request.gifts.iter().enumerate() {
            let left: i64 =
                self.gifts.iter().filter(|(_, product, ..)| *product == gift.product_id).map(|(_, _, quantity, _)| quantity).sum();
            let wrong = !(1..=left).contains(&gift.quantity);
            problems.say(wrong, format!("/gifts/{place}/quantity"), &format!("is {}: the customer has {left} of it", gift.quantity));
        }
        if problems.is_empty() { Ok(places) } else { Err(Wrong(problems.into_vec())) }
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

    /// The value of gifts that the customer has and that what is kept does not earn. They are paid for
    /// then, so the customer's own.
    fn gifts_lost(&mut self, earned: Option<&Priced>) -> Vec<(Name, i64)> {
        let mut lost = Vec::new();
        for (promotion, product, quantity, value) in &mut self.gifts {
            let given = earned.map_or(&[][..], |priced| &priced.gifts).iter();
            let earned: i64 =
                given.filter(|gift| gift.promotion_id == *promotion && gift.product_id == *product).map(|gift| gift.quantity).sum();
            let over = (*quantity - earned).max(0);
            if over > 0 && *value > 0 {
                lost.push((promotion.clone(), over.saturating_mul(*value)));
                *quantity -= over;
            }
        }
        self.gifts.retain(|(_, _, quantity, _)| *quantity > 0);
        lost
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
