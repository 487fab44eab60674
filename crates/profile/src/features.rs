//! The named features of one customer as of a moment.

use std::collections::BTreeMap;

use youhui_commerce::{CustomerEvents, EventKind, EventTable, Micros, SubjectId, TimeWindow};

use crate::lifetime::PurchaseSummary;
use crate::orders::{Order, orders};
use crate::shop::{CategoryNorms, Shop, is_discounted};

/// How strongly a customer's discount habit is pulled to the shop's: as many lines of prior
/// evidence.
const PRIOR_LINES: f64 = 20.0;

/// What is known of one customer from the events before `as_of`. Money in minor units, spans in
/// days of 24 hours, shares in [0, 1].
#[derive(Debug, Clone, PartialEq)]
pub struct Features {
    /// Whose.
    pub subject: SubjectId,
    /// Nothing at or after this moment was looked at.
    pub as_of: Micros,
    /// Number of orders.
    pub orders: u32,
    /// Number of order lines.
    pub lines: u32,
    /// What the shop received.
    pub amount: i64,
    /// Contribution: amount less cost of goods.
    pub contribution: i64,
    /// What was paid back for returns.
    pub refunded: i64,
    /// Since the last order; the tenure where there is none.
    pub recency_days: f64,
    /// Since the first event.
    pub tenure_days: f64,
    /// Mean span between orders; `None` below two orders.
    pub mean_gap_days: Option<f64>,
    /// Standard deviation of the spans over their mean (0: a metronome, 1: a Poisson process);
    /// `None` below three orders.
    pub gap_variation: Option<f64>,
    /// Quantiles .1, .25, .5, .75 and .9 of the baskets' amounts (nearest rank); zeros
    /// without orders.
    pub basket_quantiles: [i64; 5],
    /// Share of the list amount that the shop gave away.
    pub discount_share: f64,
    /// Share of the amount that others paid, such as manufacturers' coupons.
    pub vendor_share: f64,
    /// How much likelier than the shop's other customers this one buys a line of the same category
    /// when it is discounted: difference of shares, pulled to 0 by 20 lines of prior evidence.
    pub price_sensitivity: f64,
    /// Coupons used.
    pub coupons: u32,
    /// Contribution in the last 28, 56 and 84 days.
    pub recent_contribution: [i64; 3],
    /// Amount in the last 28, 56 and 84 days.
    pub recent_amount: [i64; 3],
    /// Orders in the last 28, 56 and 84 days.
    pub recent_orders: [u32; 3],
    /// Category numbers with their share of the amount, largest first, at most 20.
    pub categories: Vec<(u32, f64)>,
    /// Brand numbers with their share of the amount, largest first, at most 10; brandless lines
    /// are left out.
    pub brands: Vec<(u32, f64)>,
    /// Orders by local hour in six parts of four hours from midnight.
    pub dayparts: [u32; 6],
    /// Orders by local weekday from Monday.
    pub weekdays: [u32; 7],
    /// Repeat purchases by day, for the lifetime-value models.
    pub purchases: PurchaseSummary,
}

impl Features {
    /// How overdue the next order is: recency over the mean span between orders; `None` below two
    /// orders.
    pub fn lateness(&self) -> Option<f64> {
        self.mean_gap_days.map(|gap| self.recency_days / gap.max(1.0))
    }

    /// Median basket in minor units.
    pub const fn basket_median(&self) -> i64 {
        self.basket_quantiles[2]
    }

    /// Contribution over amount, where anything was bought.
    pub fn margin_share(&self) -> Option<f64> {
        (self.amount > 0).then(|| self.contribution as f64 / self.amount as f64)
    }

    /// Amount per 28 days over the last 84 days or the tenure, whichever is shorter, in minor
    /// units.
    pub fn amount_per_28_days(&self) -> f64 {
        self.recent_amount[2] as f64 * 28.0 / self.tenure_days.clamp(28.0, 84.0)
    }
}

/// The features of a customer from the events before `as_of`.
pub fn features(customer: &CustomerEvents<'_>, shop: &Shop, norms: &CategoryNorms, as_of: Micros) -> Features {
    let customer = customer.before(as_of);
    let orders = orders(&customer, shop);
    let days = |time: Micros| (as_of - time) as f64 / TimeWindow::DAY as f64;
    let tenure_days = customer.rows.clone().next().map_or(0.0, |row| days(customer.table.time[row]));
    let rhythm = Rhythm::of(&orders);
    let lines = Lines::of(&customer, shop, norms);
    let recent = |since: f64| orders.iter().rev().take_while(move |order| days(order.time) <= since);
    let spans = [28.0, 56.0, 84.0];
    let mut dayparts = [0; 6];
    let mut weekdays = [0; 7];
    for order in &orders {
        dayparts[shop.clock.hour(order.time) / 4] += 1;
        weekdays[shop.clock.weekday(order.time)] += 1;
    }
    let amount: i64 = orders.iter().map(|order| order.amount).sum();
    let list: i64 = orders.iter().map(Order::list_amount).sum();
    let share = |part: i64, whole: i64| if whole > 0 { part as f64 / whole as f64 } else { 0.0 };
    Features {
        subject: customer.subject,
        as_of,
        orders: count(orders.len()),
        lines: lines.orders,
        amount,
        contribution: lines.contribution,
        refunded: lines.refunded,
        recency_days: orders.last().map_or(tenure_days, |order| days(order.time)),
        tenure_days,
        mean_gap_days: rhythm.mean,
        gap_variation: rhythm.variation,
        basket_quantiles: quantiles(orders.iter().map(|order| order.amount).collect()),
        discount_share: share(list - amount, list),
        vendor_share: share(lines.vendor, amount),
        price_sensitivity: lines.price_sensitivity(),
        coupons: lines.coupons,
        recent_contribution: spans.map(|span| recent(span).map(|order| order.contribution).sum()),
        recent_amount: spans.map(|span| recent(span).map(|order| order.amount).sum()),
        recent_orders: spans.map(|span| count(recent(span).count())),
        categories: shares(lines.categories, 20),
        brands: shares(lines.brands, 10),
        dayparts,
        weekdays,
        purchases: purchase_summary(&orders, shop, as_of),
    }
}

/// Mean and variation of the spans between orders.
struct Rhythm {
    mean: Option<f64>,
    variation: Option<f64>,
}

impl Rhythm {
    fn of(orders: &[Order]) -> Self {
        let gaps: Vec<f64> = orders.windows(2).map(|pair| (pair[1].time - pair[0].time) as f64 / TimeWindow::DAY as f64).collect();
        if gaps.is_empty() {
            return Self { mean: None, variation: None };
        }
        let mean = gaps.iter().sum::<f64>() / gaps.len() as f64;
        let variance = gaps.iter().map(|gap| (gap - mean).powi(2)).sum::<f64>() / (gaps.len() as f64 - 1.0).max(1.0);
        let variation = (gaps.len() >= 2 && mean > 0.0).then(|| variance.sqrt() / mean);
        Self { mean: Some(mean), variation }
    }
}

/// Sums over the lines, whatever order they belong to.
#[derive(Default)]
struct Lines {
    orders: u32,
    contribution: i64,
    refunded: i64,
    vendor: i64,
    coupons: u32,
    discounted: f64,
    expected_discounted: f64,
    categories: BTreeMap<u32, i64>,
    brands: BTreeMap<u32, i64>,
}

impl Lines {
    fn of(customer: &CustomerEvents<'_>, shop: &Shop, norms: &CategoryNorms) -> Self {
        let table = customer.table;
        let mut lines = Self::default();
        for row in customer.rows.clone() {
            lines.contribution += shop.contribution(table, row);
            match table.kind[row] {
                EventKind::Order => lines.add_order_line(table, row, shop, norms),
                EventKind::Refund => lines.refunded += table.amount[row],
                EventKind::CouponApplied => lines.coupons += 1,
                _ => {}
            }
        }
        lines
    }

    fn add_order_line(&mut self, table: &EventTable, row: usize, shop: &Shop, norms: &CategoryNorms) {
        let category = shop.catalogue.category_of(table.product[row]);
        self.orders += 1;
        self.vendor += table.vendor_discount[row];
        self.discounted += f64::from(u8::from(is_discounted(table, row)));
        self.expected_discounted += norms.discounted_share.get(category as usize).copied().unwrap_or(0.0);
        *self.categories.entry(category).or_default() += table.amount[row];
        let brand = shop.catalogue.brand_of(table.product[row]);
        if brand != 0 {
            *self.brands.entry(brand).or_default() += table.amount[row];
        }
    }

    fn price_sensitivity(&self) -> f64 {
        (self.discounted - self.expected_discounted) / (f64::from(self.orders) + PRIOR_LINES)
    }
}

/// Quantiles .1, .25, .5, .75, .9 by nearest rank.
fn quantiles(mut amounts: Vec<i64>) -> [i64; 5] {
    amounts.sort_unstable();
    // Percent in integers: no rounding question at the edges.
    [10, 25, 50, 75, 90].map(|percent| {
        let rank = (amounts.len() * percent).div_ceil(100).max(1) - 1;
        amounts.get(rank).copied().unwrap_or(0)
    })
}

/// The `most` largest parts as shares of the whole, the smaller number first at a tie.
fn shares(parts: BTreeMap<u32, i64>, most: usize) -> Vec<(u32, f64)> {
    let whole: i64 = parts.values().sum();
    if whole <= 0 {
        return Vec::new();
    }
    let mut parts: Vec<(u32, i64)> = parts.into_iter().filter(|&(_, part)| part > 0).collect();
    parts.sort_by(|one, two| two.1.cmp(&one.1).then(one.0.cmp(&two.0)));
    parts.into_iter().take(most).map(|(number, part)| (number, part as f64 / whole as f64)).collect()
}

/// Purchases by local day, as Fader, Hardie and Lee (2005) count them: several orders of one day
/// are one purchase, and the first purchase is not a repeat.
fn purchase_summary(orders: &[Order], shop: &Shop, as_of: Micros) -> PurchaseSummary {
    let day = |time: Micros| shop.clock.local(time).div_euclid(TimeWindow::DAY);
    let mut by_day: Vec<(i64, i64)> = Vec::new();
    for order in orders {
        match by_day.last_mut() {
            Some((last, amount)) if *last == day(order.time) => *amount += order.amount,
            _ => by_day.push((day(order.time), order.amount)),
        }
    }
    let (Some(first), Some(last)) = (by_day.first(), by_day.last()) else {
        return PurchaseSummary { frequency: 0.0, recency: 0.0, age: 0.0, monetary: 0.0 };
    };
    let repeats = by_day.len() - 1;
    let spent: i64 = by_day[1..].iter().map(|(_, amount)| amount).sum();
    PurchaseSummary {
        frequency: repeats as f64,
        recency: (last.0 - first.0) as f64,
        age: (day(as_of) - first.0) as f64,
        monetary: if repeats > 0 { shop.currency.major(spent) / repeats as f64 } else { 0.0 },
    }
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
