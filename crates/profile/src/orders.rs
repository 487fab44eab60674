//! Order lines to orders: the baskets that thresholds, habits and sequences are made of.

use youhui_commerce::{CustomerEvents, EventKind, EventTable, Micros, ProductIx};

use crate::sequence::{BasketStep, Sequence};
use crate::shop::Shop;

/// One basket of one customer. Money in minor units.
#[derive(Debug, Clone, PartialEq)]
pub struct Order {
    /// When, in UTC.
    pub time: Micros,
    /// What the shop received.
    pub amount: i64,
    /// What the shop gave away.
    pub discount: i64,
    /// Contribution: amount less cost of goods.
    pub contribution: i64,
    /// The rows of the event table, in order of time.
    pub rows: Vec<u32>,
}

impl Order {
    /// The amount before the shop's own discounts: what thresholds are compared with.
    pub const fn list_amount(&self) -> i64 {
        self.amount + self.discount
    }
}

/// The customer's orders in order of time. Lines without an order number make one order per
/// moment. Refunds are not part of orders.
pub fn orders(customer: &CustomerEvents<'_>, shop: &Shop) -> Vec<Order> {
    let table = customer.table;
    let mut orders: Vec<Order> = Vec::new();
    let mut numbers: Vec<u32> = Vec::new();
    for row in customer.rows.clone() {
        if table.kind[row] != EventKind::Order {
            continue;
        }
        let (number, time) = (table.order[row], table.time[row]);
        // Lines of one order stand close together: look at the few orders of the same moment
        // first, and further back only for orders that were filled over hours.
        let same = |place: &usize| numbers[*place] == number && (number != EventTable::NO_ORDER || orders[*place].time == time);
        let place = (0..orders.len()).rev().take(32).find(same).unwrap_or_else(|| {
            numbers.push(number);
            orders.push(Order { time, amount: 0, discount: 0, contribution: 0, rows: Vec::new() });
            orders.len() - 1
        });
        let order = &mut orders[place];
        order.amount += table.amount[row];
        order.discount += table.discount[row];
        order.contribution += shop.contribution(table, row);
        // A bucket holds fewer than 2³² rows: the store splits it before.
        order.rows.push(u32::try_from(row).unwrap_or(u32::MAX));
    }
    orders
}

/// The customer's baskets as the sequence encoder reads them: the categories of each, weighted by
/// their share of the basket's lines. `class` numbers what the encoder knows of a product: its
/// category, or the product itself.
pub fn purchase_sequence(customer: &CustomerEvents<'_>, shop: &Shop, class: impl Fn(ProductIx) -> Option<u32>) -> Sequence {
    let table = customer.table;
    let steps = orders(customer, shop)
        .into_iter()
        .filter_map(|order| {
            let mut classes: Vec<u32> = order.rows.iter().filter_map(|&row| class(table.product[row as usize])).collect();
            classes.sort_unstable();
            let lines = classes.len() as f32;
            let mut items: Vec<(u32, f32)> = Vec::new();
            for class in classes {
                match items.last_mut() {
                    Some((last, share)) if *last == class => *share += 1.0 / lines,
                    _ => items.push((class, 1.0 / lines)),
                }
            }
            (!items.is_empty()).then(|| BasketStep { time: order.time, amount: shop.currency.major(order.amount), items })
        })
        .collect();
    Sequence { subject: customer.subject, steps }
}
