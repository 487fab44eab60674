//! A limited-time price for one product that many know, or for one that sells ever less.

use youhui_commerce::Money;
use youhui_promotion::{Kind, Scope};

use super::Draft;
use crate::brief::{Brief, Sales};
use crate::goal::Goal;

/// Shares taken off to try.
const DEPTHS: [f64; 2] = [0.10, 0.20];

pub(super) fn drafts(brief: &Brief<'_>) -> Vec<Draft> {
    let fell = |sales: &Sales| sales.units >= 10 && 3 * sales.recent_units <= 2 * (sales.units - sales.recent_units);
    let minor = brief.currency().minor_units();
    let known: Vec<_> = brief
        .favourite_products()
        .into_iter()
        // A limited-time price below a major unit is not worth telling.
        .filter(|(_, sales)| sales.unit_price() >= minor && (brief.goal != Goal::Clearance || fell(sales)))
        .take(2)
        .collect();
    let money = |amount: i64| Money::new(amount, brief.currency()).to_string();
    known
        .into_iter()
        .flat_map(|(place, sales)| DEPTHS.map(|depth| (place, sales, depth)))
        .filter_map(|(place, sales, depth)| {
            let product = brief.shop.catalogue.get(place)?;
            let unit_price = youhui_profile::shop::to_minor(sales.unit_price() as f64 * (1.0 - depth));
            let why =
                format!("{} customers of the audience bought it in 12 weeks, at {} on average", sales.customers, money(sales.unit_price()));
            Some(Draft {
                scope: Scope::Products { product_ids: vec![product.product_id.clone()] },
                margin: sales.margin(),
                unit_price: sales.unit_price(),
                product_name: product.name.clone(),
                ..Draft::on_everything(brief, Kind::ItemPrice { product_id: product.product_id.clone(), unit_price, most_units: 2 }, why)
            })
        })
        .collect()
}
