//! Percent off: on everything for goals about customers, on a category for goals about goods.

use youhui_commerce::Money;
use youhui_promotion::PercentOff;

use super::{Draft, NO_STOCK};
use crate::affinity::{Affine, affine_categories};
use crate::brief::Brief;
use crate::goal::Goal;

pub(super) fn drafts(brief: &Brief<'_>) -> Vec<Draft> {
    let money = |amount: i64| Money::new(amount, brief.currency()).to_string();
    match brief.goal {
        Goal::CrossSell => affine_categories(brief).into_iter().take(3).flat_map(|affine| on_an_affine_category(brief, affine)).collect(),
        Goal::Clearance => falling_categories(brief)
            .into_iter()
            .flat_map(|(category, sales)| brief.depths(sales.margin()).into_iter().map(move |depth| (category, sales, depth)))
            .map(|(category, sales, basis_points)| {
                let why = format!(
                    "{NO_STOCK}sold {} units in the last six weeks after {} in the six before",
                    sales.recent_units,
                    sales.units - sales.recent_units
                );
                Draft::on_category(brief, category, PercentOff { basis_points, ..PercentOff::default() }, why)
            })
            .collect(),
        _ => brief
            .depths(brief.total.margin())
            .into_iter()
            .map(|basis_points| {
                // No basket is given more than that depth of a large basket.
                let cap = crate::brief::round_amount(
                    brief.basket(90) as f64 * f64::from(basis_points) / 10_000.0,
                    brief.currency().minor_units(),
                );
                let why = format!(
                    "half of the audience's baskets are {} or less, one in ten above {}",
                    money(brief.basket(50)),
                    money(brief.basket(90))
                );
                Draft::on_everything(brief, PercentOff { basis_points, cap: Some(cap), ..PercentOff::default() }, why)
            })
            .chain(on_what_they_buy(brief))
            .collect(),
    }
}

/// For those who don't buy it yet.
fn on_an_affine_category(brief: &Brief<'_>, affine: Affine) -> Vec<Draft> {
    let Affine { category, sales, looked_at, near } = affine;
    let spent = Money::new(sales.amount / i64::from(sales.customers.max(1)), brief.currency());
    let drawn = near.and_then(|near| {
        let name = brief.shop.catalogue.categories().get(near.category as usize)?;
        Some(format!(
            "; who buys {name} is {:.1} times as likely to buy it as who doesn't, and {} such customers didn't",
            near.lift, near.customers
        ))
    });
    let why = format!(
        "{} of {looked_at} customers did not buy it in 12 weeks; those who did spent {spent} on it{}",
        looked_at.saturating_sub(sales.customers),
        drawn.unwrap_or_default()
    );
    let draft = |basis_points| Draft {
        newcomers_of: Some(category),
        ..Draft::on_category(brief, category, PercentOff { basis_points, ..PercentOff::default() }, why.clone())
    };
    brief.depths(sales.margin()).into_iter().map(draft).collect()
}

/// The two categories that earn most with the audience.
fn on_what_they_buy(brief: &Brief<'_>) -> Vec<Draft> {
    let draft = |category, sales: crate::brief::Sales, basis_points| {
        let why = format!("{} of {} customers in the audience bought it in 12 weeks", sales.customers, brief.eligible.len());
        Draft::on_category(brief, category, PercentOff { basis_points, ..PercentOff::default() }, why)
    };
    let top = brief.earning_categories().into_iter().take(2);
    top.flat_map(|(category, sales)| brief.depths(sales.margin()).into_iter().map(move |depth| draft(category, sales, depth))).collect()
}

/// Three categories with at least 50 units whose sales fell by a quarter or more.
fn falling_categories(brief: &Brief<'_>) -> Vec<(u32, crate::brief::Sales)> {
    let fell = |sales: &crate::brief::Sales| sales.units >= 50 && 4 * sales.recent_units <= 3 * (sales.units - sales.recent_units);
    brief.earning_categories().into_iter().filter(|(_, sales)| fell(sales)).take(3).collect()
}
