//! Events: what customers did, held by column and grouped by customer.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::{Micros, ProductIx, SubjectId};

/// What happened. The names are those of the `events` table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum EventKind {
    /// A product page was looked at.
    View,
    /// Something was searched for.
    Search,
    /// A product was put in the basket.
    Cart,
    /// The checkout was entered.
    Checkout,
    /// A product was bought: one row per basket line.
    Order,
    /// A product came back; `quantity` and `amount` are what was returned and paid back, as
    /// positive numbers.
    Refund,
    /// A product was reviewed.
    Review,
    /// A promotion was shown.
    PromotionViewed,
    /// A promotion was clicked.
    PromotionClicked,
    /// A coupon was used; `promotion_id` is its code.
    CouponApplied,
    /// A message was exchanged with the shop.
    Message,
}

impl EventKind {
    /// Every kind, in the order of its number.
    pub const ALL: [Self; 11] = [
        Self::View,
        Self::Search,
        Self::Cart,
        Self::Checkout,
        Self::Order,
        Self::Refund,
        Self::Review,
        Self::PromotionViewed,
        Self::PromotionClicked,
        Self::CouponApplied,
        Self::Message,
    ];

    /// The name that tables use.
    pub const fn name(self) -> &'static str {
        match self {
            Self::View => "view",
            Self::Search => "search",
            Self::Cart => "cart",
            Self::Checkout => "checkout",
            Self::Order => "order",
            Self::Refund => "refund",
            Self::Review => "review",
            Self::PromotionViewed => "promotion_viewed",
            Self::PromotionClicked => "promotion_clicked",
            Self::CouponApplied => "coupon_applied",
            Self::Message => "message",
        }
    }

    /// The kind with that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// The events of many customers by column, sorted by (subject, time, event id): one bucket of a
/// store. All columns have one length. Money is in minor units of the store's currency.
#[derive(Debug, Clone, Default)]
pub struct EventTable {
    /// Who.
    pub subject: Vec<SubjectId>,
    /// When, in UTC.
    pub time: Vec<Micros>,
    /// What.
    pub kind: Vec<EventKind>,
    /// Which product; `NO_PRODUCT` where the event has none.
    pub product: Vec<ProductIx>,
    /// Which order, numbered within this table; `NO_ORDER` where the event has none.
    pub order: Vec<u32>,
    /// Units of the product.
    pub quantity: Vec<i64>,
    /// What the shop received for the whole line, after every discount it funded.
    pub amount: Vec<i64>,
    /// The part of the line's list amount that the shop gave away.
    pub discount: Vec<i64>,
    /// The part that somebody else paid for the customer, such as a manufacturer's coupon; it is
    /// inside `amount`.
    pub vendor_discount: Vec<i64>,
    /// Cost of goods of the whole line; `NO_COST` where the source doesn't say.
    pub cost: Vec<i64>,
}

impl EventTable {
    /// Marks an event without a product.
    pub const NO_PRODUCT: ProductIx = ProductIx::MAX;
    /// Marks an event without an order.
    pub const NO_ORDER: u32 = u32::MAX;
    /// Marks a line whose cost of goods the source doesn't say.
    pub const NO_COST: i64 = i64::MIN;

    /// Number of events.
    pub fn len(&self) -> usize {
        self.subject.len()
    }

    /// Whether there is no event.
    pub fn is_empty(&self) -> bool {
        self.subject.is_empty()
    }

    /// The customers of this table, in order, each with its rows.
    pub fn customers(&self) -> impl Iterator<Item = CustomerEvents<'_>> {
        let mut start = 0;
        std::iter::from_fn(move || {
            let subject = *self.subject.get(start)?;
            let end = start + self.subject[start..].partition_point(|&other| other == subject);
            let rows = start..end;
            start = end;
            Some(CustomerEvents { table: self, subject, rows })
        })
    }
}

/// One customer's rows, in order of time: what every stage is a pure function of.
#[derive(Debug, Clone)]
pub struct CustomerEvents<'a> {
    /// The table the rows stand in.
    pub table: &'a EventTable,
    /// Whose rows.
    pub subject: SubjectId,
    /// Where in the table.
    pub rows: Range<usize>,
}

impl CustomerEvents<'_> {
    /// The part with `start ≤ time < end`.
    #[must_use]
    pub fn between(&self, start: Micros, end: Micros) -> Self {
        let times = &self.table.time[self.rows.clone()];
        let from = self.rows.start + times.partition_point(|&time| time < start);
        let to = self.rows.start + times.partition_point(|&time| time < end);
        Self { table: self.table, subject: self.subject, rows: from..to.max(from) }
    }

    /// The part before `as_of`.
    #[must_use]
    pub fn before(&self, as_of: Micros) -> Self {
        self.between(Micros::MIN, as_of)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_by_customer_and_cuts_by_time() {
        let (one, two) = (SubjectId::from_bytes([1; 16]), SubjectId::from_bytes([2; 16]));
        let table = EventTable {
            subject: vec![one, one, one, two],
            time: vec![1, 5, 9, 2],
            kind: vec![EventKind::Order; 4],
            product: vec![0; 4],
            order: vec![0; 4],
            quantity: vec![1; 4],
            amount: vec![100; 4],
            discount: vec![0; 4],
            vendor_discount: vec![0; 4],
            cost: vec![EventTable::NO_COST; 4],
        };
        let customers: Vec<_> = table.customers().collect();
        assert_eq!(customers.len(), 2);
        assert_eq!(customers[0].rows, 0..3);
        assert_eq!(customers[0].between(2, 9).rows, 1..2);
        assert_eq!(customers[0].before(1).rows, 0..0);
        assert_eq!(customers[1].rows, 3..4);
    }

    #[test]
    fn every_kind_has_its_own_name() {
        for kind in EventKind::ALL {
            assert_eq!(EventKind::from_name(kind.name()), Some(kind));
            assert_eq!(EventKind::ALL[kind as usize], kind);
        }
    }
}
