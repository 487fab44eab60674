//! What a mechanic is told: the goal, the customers it is for, and what they buy.

use std::collections::BTreeMap;

use youhui_commerce::{Currency, Micros, ProductIx, TimeWindow};
use youhui_profile::{Features, Shop};

use crate::goal::Goal;
use crate::law::{Market, PriceHistory, Shelf};
use crate::propose::Settings;

/// A customer as design sees one.
#[derive(Debug)]
pub struct Shopper<'a> {
    /// What is known of the customer.
    pub features: &'a Features,
    /// The customer's recent baskets, in order of time.
    pub baskets: Vec<ReplayBasket>,
}

/// A basket to be priced again under a promotion.
#[derive(Debug, Clone)]
pub struct ReplayBasket {
    /// When it was bought.
    pub time: Micros,
    /// Its lines.
    pub lines: Vec<ReplayLine>,
}

impl ReplayBasket {
    /// What was paid.
    pub fn amount(&self) -> i64 {
        self.lines.iter().map(|line| line.amount).sum()
    }
}

/// One line of it. Money in minor units.
#[derive(Debug, Clone, Copy)]
pub struct ReplayLine {
    /// Which product.
    pub product: ProductIx,
    /// Units.
    pub quantity: i64,
    /// What was paid for the line.
    pub amount: i64,
    /// What of it is contribution.
    pub contribution: i64,
}

/// Sales of one product or category to the goal's customers.
#[derive(Debug, Clone, Copy, Default)]
pub struct Sales {
    /// Units.
    pub units: i64,
    /// Amount.
    pub amount: i64,
    /// Contribution.
    pub contribution: i64,
    /// Customers who bought.
    pub customers: u32,
    /// Units in the later half of the replayed time.
    pub recent_units: i64,
}

impl Sales {
    /// Contribution over amount.
    pub fn margin(&self) -> f64 {
        if self.amount > 0 { self.contribution as f64 / self.amount as f64 } else { 0.0 }
    }

    /// Mean price of a unit.
    pub const fn unit_price(&self) -> i64 {
        if self.units > 0 { self.amount / self.units } else { 0 }
    }
}

/// The goal, its customers, and what they buy.
#[derive(Debug)]
pub struct Brief<'a> {
    /// The goal.
    pub goal: Goal,
    /// The moment that customers are known up to.
    pub as_of: Micros,
    /// Share of the amount that must stay as margin.
    pub floor: f64,
    /// Per cent more units for one per cent lower price, where that is known.
    pub elasticity: Option<f64>,
    /// When each product was replenished or first sold, where that is known.
    pub stocked_since: &'a BTreeMap<ProductIx, Micros>,
    /// The shop.
    pub shop: &'a Shop,
    /// Whose price law, where, and what was offered there.
    pub market: Market,
    channel: &'a str,
    history: &'a PriceHistory,
    /// Places of the goal's customers among all shoppers.
    pub eligible: Vec<usize>,
    /// Amounts of the eligible customers' recent baskets, sorted; here and below without what may
    /// not be promoted.
    pub baskets: Vec<i64>,
    /// Everything they bought recently.
    pub total: Sales,
    /// The same by product.
    pub products: BTreeMap<ProductIx, Sales>,
    /// The same by category; category 0 (none) is left out.
    pub categories: BTreeMap<u32, Sales>,
    /// Categories that each of them bought, ascending; only where a goal looks at it.
    pub bought: Vec<Vec<u32>>,
}

impl<'a> Brief<'a> {
    /// Looks at the customers whom `goal` is for. A goal for customers who bought nothing recently
    /// takes baskets and sales from all shoppers: that is what they would come back to. People without
    /// history are taken to be as those with one or two orders (the segment's prior).
    pub fn new(goal: Goal, shop: &'a Shop, shoppers: &[Shopper<'_>], settings: &'a Settings) -> Self {
        let whom = |goal: Goal| (0..shoppers.len()).filter(|&place| goal.is_for(shoppers[place].features)).collect::<Vec<usize>>();
        let mut brief = Self {
            goal,
            as_of: settings.as_of,
            floor: settings.margin_floor,
            elasticity: settings.elasticity,
            stocked_since: &settings.stocked_since,
            shop,
            market: settings.market,
            channel: &settings.channel,
            history: &settings.history,
            baskets: vec![],
            total: Sales::default(),
            products: BTreeMap::new(),
            categories: BTreeMap::new(),
            bought: vec![],
            eligible: whom(goal),
        };
        let middle = settings.as_of.saturating_sub(42 * TimeWindow::DAY);
        let mut seen: Vec<usize> = if goal == Goal::Acquisition { whom(Goal::Activate) } else { brief.eligible.clone() };
        if seen.iter().map(|&place| shoppers[place].baskets.len()).sum::<usize>() < 50 {
            seen = (0..shoppers.len()).collect();
        }
        for place in seen {
            brief.count(&shoppers[place], middle);
        }
        brief.baskets.sort_unstable();
        brief
    }

    fn count(&mut self, shopper: &Shopper<'_>, middle: Micros) {
        let mut products: BTreeMap<ProductIx, Sales> = BTreeMap::new();
        for basket in &shopper.baskets {
            let promoted = |line: &&ReplayLine| self.shop.may_promote(line.product);
            let amount: i64 = basket.lines.iter().filter(promoted).map(|line| line.amount).sum();
            // A basket of nothing but what may not be promoted sets no threshold.
            if amount > 0 {
                self.baskets.push(amount);
            }
            for line in basket.lines.iter().filter(promoted) {
                let sales = products.entry(line.product).or_default();
                sales.units += line.quantity;
                sales.amount += line.amount;
                sales.contribution += line.contribution;
                sales.recent_units += if basket.time >= middle { line.quantity } else { 0 };
                sales.customers = 1;
            }
        }
        let mut categories: BTreeMap<u32, Sales> = BTreeMap::new();
        for (product, sales) in products {
            let category = self.shop.catalogue.category_of(product);
            if category != 0 {
                add(categories.entry(category).or_default(), sales).customers = 1;
            }
            add(&mut self.total, sales);
            add(self.products.entry(product).or_default(), sales);
        }
        if self.goal == Goal::CrossSell {
            self.bought.push(categories.keys().copied().collect());
        }
        for (category, sales) in categories {
            add(self.categories.entry(category).or_default(), sales);
        }
    }

    /// The currency of every amount.
    pub const fn currency(&self) -> Currency {
        self.shop.currency
    }

    /// A quantile of the basket amounts, 0 to 100 per cent by nearest rank; 0 without baskets.
    pub fn basket(&self, percent: usize) -> i64 {
        let rank = (self.baskets.len() * percent).div_ceil(100).max(1) - 1;
        self.baskets.get(rank).copied().unwrap_or(0)
    }

    /// Products with stock on record that may be promoted, with the units.
    pub fn stocked(&self) -> impl Iterator<Item = (ProductIx, i64)> {
        let known = self.shop.catalogue.products().iter().zip(0..);
        known.filter(|(_, place)| self.shop.may_promote(*place)).filter_map(|(product, place)| {
            let units = product.stock.filter(|units| *units > 0)?;
            Some((place, units))
        })
    }

    /// What a product stands at on the shelf, in minor units; `None` where it is not on sale or nothing is on record.
    pub fn shelf_price(&self, product_id: &str) -> Option<i64> {
        self.history.price_before(&Shelf::new(product_id, self.market, self.channel), self.as_of)
    }

    /// Days since a product was replenished or first sold.
    pub fn stock_age(&self, product: ProductIx) -> Option<f64> {
        let since = self.stocked_since.get(&product).filter(|since| **since <= self.as_of)?;
        Some(self.as_of.saturating_sub(*since) as f64 / TimeWindow::DAY as f64)
    }

    /// Depths to try on goods of a margin, in basis points.
    pub fn depths(&self, margin: f64) -> Vec<u32> {
        crate::grid::depths(margin, self.floor, self.elasticity)
    }

    /// Categories by falling contribution: what earns most has most to give.
    pub fn earning_categories(&self) -> Vec<(u32, Sales)> {
        let mut all: Vec<(u32, Sales)> = self.categories.iter().map(|(category, sales)| (*category, *sales)).collect();
        all.sort_by(|one, two| two.1.contribution.cmp(&one.1.contribution).then(one.0.cmp(&two.0)));
        all
    }

    /// Products by falling contribution. Well-known products are often sold at a loss to bring
    /// people in: cutting their price again earns nothing.
    pub fn earning_products(&self) -> Vec<(ProductIx, Sales)> {
        let mut all = self.favourite_products();
        all.sort_by(|one, two| two.1.contribution.cmp(&one.1.contribution).then(one.0.cmp(&two.0)));
        all
    }

    /// Products by falling number of customers.
    pub fn favourite_products(&self) -> Vec<(ProductIx, Sales)> {
        let mut all: Vec<(ProductIx, Sales)> = self
            .products
            .iter()
            .filter(|(product, _)| self.shop.catalogue.get(**product).is_some())
            .map(|(product, sales)| (*product, *sales))
            .collect();
        all.sort_by(|one, two| two.1.customers.cmp(&one.1.customers).then(two.1.amount.cmp(&one.1.amount)).then(one.0.cmp(&two.0)));
        all
    }
}

fn add(sum: &mut Sales, sales: Sales) -> &mut Sales {
    sum.units += sales.units;
    sum.amount += sales.amount;
    sum.contribution += sales.contribution;
    sum.customers += sales.customers;
    sum.recent_units += sales.recent_units;
    sum
}

/// The nearest amount that looks like a price tag: 1, 1.5, 2, 2.5, 3, 4, 5, 6, 8 times a power of
/// ten of minor units, at least one major unit.
pub(crate) fn round_amount(amount: f64, minor_units: i64) -> i64 {
    const STEPS: [f64; 10] = [1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0];
    let amount = amount.max(minor_units as f64);
    let power = 10_f64.powf(amount.log10().floor());
    let nearest = STEPS.iter().map(|step| step * power).min_by(|one, two| (one - amount).abs().total_cmp(&(two - amount).abs()));
    youhui_profile::shop::to_minor(nearest.unwrap_or(amount)).max(minor_units)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_look_like_price_tags() {
        for (amount, tag) in [(2137.0, 2000), (2260.0, 2500), (4700.0, 5000), (95.0, 100), (7777.0, 8000), (12.0, 100)] {
            assert_eq!(round_amount(amount, 100), tag, "{amount}");
        }
    }
}
