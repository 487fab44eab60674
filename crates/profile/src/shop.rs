//! What is true of the whole shop: its catalogue, clock, margin, and how often its shelves are
//! discounted.

use youhui_commerce::{Catalogue, Currency, EventKind, EventTable, ProductIx, ShopClock};

use crate::runner::fold_customers;

/// What a stage needs to know of the shop beside one customer's rows.
#[derive(Debug)]
pub struct Shop {
    /// Products, categories and brands.
    pub catalogue: Catalogue,
    /// Local hours and weekdays.
    pub clock: ShopClock,
    /// The currency of every amount.
    pub currency: Currency,
    /// Gross margin on the list amount where a line's cost of goods is unknown; an assumption of
    /// the shop's owner, never of ours.
    pub assumed_margin: Option<f64>,
    /// Categories that no promotion touches: what law or the shop's owner forbids, such as tobacco.
    pub never_promote: Vec<String>,
}

impl Shop {
    /// Whether a promotion may touch a product.
    pub fn may_promote(&self, product: ProductIx) -> bool {
        self.never_promote.is_empty()
            || self.catalogue.get(product).is_none_or(|product| !product.category.iter().any(|name| self.never_promote.contains(name)))
    }

    /// Cost of goods of one line in minor units: as recorded, else from the assumed margin on the
    /// list amount, else unknown.
    pub fn cost_of_goods(&self, table: &EventTable, row: usize) -> Option<i64> {
        match table.cost[row] {
            EventTable::NO_COST => self.assumed_margin.map(|margin| {
                let list = table.amount[row].saturating_add(table.discount[row]);
                to_minor((1.0 - margin) * list as f64)
            }),
            cost => Some(cost),
        }
    }

    /// Contribution of one order line or refund in minor units: what the shop received less the
    /// cost of goods (0 where that is unknown: then profit means revenue, and the report says so).
    pub fn contribution(&self, table: &EventTable, row: usize) -> i64 {
        let profit = table.amount[row] - self.cost_of_goods(table, row).unwrap_or(0);
        match table.kind[row] {
            EventKind::Order => profit,
            EventKind::Refund => -profit,
            _ => 0,
        }
    }

    /// Whether contribution has costs in it at all.
    pub fn knows_costs(&self, buckets: &[EventTable]) -> bool {
        self.assumed_margin.is_some() || buckets.iter().any(|table| table.cost.iter().any(|&cost| cost != EventTable::NO_COST))
    }
}

/// Rounds to the nearest minor unit; out of range saturates.
#[allow(clippy::cast_possible_truncation, reason = "`as` saturates, which is what is wanted")]
pub fn to_minor(amount: f64) -> i64 {
    amount.round() as i64
}

/// How often a line of each category is bought at a discount, over all customers: what a
/// customer's own habit is compared with.
#[derive(Debug, Clone, Default)]
pub struct CategoryNorms {
    /// Share of order lines with a discount, by category number.
    pub discounted_share: Vec<f64>,
    /// Order lines by category number: the popularity baseline.
    pub lines: Vec<u64>,
}

impl CategoryNorms {
    /// Counts the order lines before `as_of`.
    pub fn of(buckets: &[EventTable], shop: &Shop, as_of: i64) -> Self {
        let size = shop.catalogue.categories().len();
        let counts = fold_customers(
            buckets,
            || vec![[0_u64; 2]; size],
            |counts, customer| {
                let customer = customer.before(as_of);
                let table = customer.table;
                for row in customer.rows {
                    if table.kind[row] == EventKind::Order {
                        let cell = &mut counts[shop.catalogue.category_of(table.product[row]) as usize];
                        cell[0] += 1;
                        cell[1] += u64::from(is_discounted(table, row));
                    }
                }
            },
            |whole, part| {
                for (sum, cell) in whole.iter_mut().zip(part) {
                    sum[0] += cell[0];
                    sum[1] += cell[1];
                }
            },
        );
        Self {
            discounted_share: counts.iter().map(|[lines, discounted]| *discounted as f64 / (*lines).max(1) as f64).collect(),
            lines: counts.iter().map(|[lines, _]| *lines).collect(),
        }
    }
}

/// Whether the customer paid less than the list amount, whoever funded the difference.
pub(crate) fn is_discounted(table: &EventTable, row: usize) -> bool {
    table.discount[row] > 0 || table.vendor_discount[row] > 0
}
