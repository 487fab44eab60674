//! A gift from a stretched basket on: something that many like and that costs the shop little.

use youhui_commerce::Money;
use youhui_promotion::Gift;

use super::Draft;
use crate::brief::{Brief, round_amount};

pub(super) fn drafts(brief: &Brief<'_>) -> Vec<Draft> {
    [60, 75, 90].into_iter().filter_map(|percent| from(brief, percent)).collect()
}

/// A gift from a percentile of the audience's baskets on.
fn from(brief: &Brief<'_>, percent: usize) -> Option<Draft> {
    let minor = brief.currency().minor_units();
    let money = |amount: i64| Money::new(amount, brief.currency()).to_string();
    let minimum_spend = round_amount(brief.basket(percent) as f64, minor);
    // Worth 3 to 10 per cent of the basket that earns it.
    let fits = |price: i64| (0.03..=0.10).contains(&(price as f64 / minimum_spend.max(1) as f64));
    let liked = brief.favourite_products().into_iter().find(|(_, sales)| fits(sales.unit_price()));
    let (place, sales) = liked?;
    let product = brief.shop.catalogue.get(place)?;
    let value = sales.unit_price();
    let gift_cost = value - youhui_profile::shop::to_minor(value as f64 * sales.margin());
    let why = format!(
        "{} customers of the audience bought it in 12 weeks; it costs {} and the threshold is near the {percent}th percentile of their baskets",
        sales.customers,
        money(gift_cost)
    );
    let gift = Gift { product_id: product.product_id.as_str().into(), value, ..Gift::default() };
    let draft = Draft::on_everything(brief, gift, why).above_spend(minimum_spend);
    Some(Draft { gift_cost, product_name: product.name.clone(), ..draft })
}
