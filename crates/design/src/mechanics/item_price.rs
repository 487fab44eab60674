//! A limited-time price for one product that earns well, or for one that sells ever less.

use youhui_commerce::Money;
use youhui_promotion::{ItemPrice, Most, Scope};

use super::{Draft, NO_STOCK};
use crate::brief::{Brief, Sales};
use crate::goal::Goal;

pub(super) fn drafts(brief: &Brief<'_>) -> Vec<Draft> {
    let fell = |sales: &Sales| sales.units >= 10 && 3 * sales.recent_units <= 2 * (sales.units - sales.recent_units);
    let minor = brief.currency().minor_units();
    // A limited-time price below a major unit is not worth telling.
    let fits = |sales: &Sales| sales.unit_price() >= minor && (brief.goal != Goal::Clearance || fell(sales));
    let products: Vec<_> = brief.earning_products().into_iter().filter(|(_, sales)| fits(sales)).collect();
    // What few buy interests few: one in fifty of the audience, where there are such products.
    let (known, rare): (Vec<_>, Vec<_>) =
        products.into_iter().partition(|(_, sales)| sales.customers as usize * 50 >= brief.eligible.len());
    let chosen = known.into_iter().chain(rare).take(3);
    let money = |amount: i64| Money::new(amount, brief.currency()).to_string();
    chosen
        .flat_map(|(place, sales)| brief.depths(sales.margin()).into_iter().map(move |depth| (place, sales, f64::from(depth) / 10_000.0)))
        .filter_map(|(place, sales, depth)| {
            let product = brief.shop.catalogue.get(place)?;
            let unit_price = price_tag(sales.unit_price() as f64 * (1.0 - depth), minor);
            let fallback = if brief.goal == Goal::Clearance { NO_STOCK } else { "" };
            let why = format!(
                "{fallback}{} customers of the audience bought it in 12 weeks, at {} on average",
                sales.customers,
                money(sales.unit_price())
            );
            let most = Most { units: Some(2), ..Most::default() };
            Some(Draft {
                scope: Scope::products([&*product.product_id]),
                margin: sales.margin(),
                unit_price: sales.unit_price(),
                product_name: product.name.clone(),
                ..Draft::on_everything(brief, ItemPrice { unit_price, most, ..ItemPrice::default() }, why)
            })
        })
        .collect()
}

/// The nearest price that looks like one: whole above twenty, else in steps of a twentieth.
fn price_tag(price: f64, minor_units: i64) -> i64 {
    let step = if price >= 20.0 * minor_units as f64 { minor_units } else { (minor_units / 20).max(1) };
    youhui_profile::shop::to_minor(price / step as f64).max(1) * step
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prices_look_like_prices() {
        let tags = [929.0, 2137.0, 3.0, 10_594.0].map(|price| price_tag(price, 100));
        assert_eq!(tags, [930, 2100, 5, 10_600]);
        assert_eq!(price_tag(137.4, 1), 137);
    }
}
