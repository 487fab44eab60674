//! Markdowns of what lies: stock and its age choose the products, a date sets the depths. Only for
//! clearance, and only where stock is on record.

use youhui_commerce::{Money, ProductIx, TimeWindow};
use youhui_promotion::{Effect, ItemPrice, PercentOff, Scope};

use super::{Draft, Planned};
use crate::brief::{Brief, Sales};
use crate::clearance::{DAYS, Markdown, SELL_THROUGH, Stock, markdown};
use crate::goal::Goal;
use crate::grid::{deepest, reduced};

/// Products at a time.
const MOST_PRODUCTS: usize = 5;

/// Something that lies.
struct Lying {
    product: ProductIx,
    stock: Stock,
    sales: Sales,
    unit_price: i64,
    margin: f64,
}

pub(super) fn drafts(brief: &Brief<'_>) -> Vec<Draft> {
    if brief.goal != Goal::Clearance {
        return vec![];
    }
    let mut lying: Vec<Lying> = brief.stocked().filter_map(|(product, units)| lying(brief, product, units)).collect();
    // The money that is stuck, the older the worse.
    let stuck =
        |lying: &Lying| lying.stock.excess() * lying.unit_price as f64 * (1.0 + lying.stock.age_days.unwrap_or(0.0).max(0.0) / 90.0);
    lying.sort_by(|one, two| stuck(two).total_cmp(&stuck(one)).then(one.product.cmp(&two.product)));
    lying.iter().take(MOST_PRODUCTS).flat_map(|lying| steps(brief, lying)).collect()
}

fn lying(brief: &Brief<'_>, product: ProductIx, units: i64) -> Option<Lying> {
    let known = brief.shop.catalogue.get(product)?;
    let sales = brief.products.get(&product).copied().unwrap_or_default();
    let unit_price = if sales.units > 0 { sales.unit_price() } else { known.price.unwrap_or(0) };
    let margin = match (sales.amount > 0, known.price.zip(known.cost)) {
        (true, _) => sales.margin(),
        (false, Some((price, cost))) if price > 0 => 1.0 - cost as f64 / price as f64,
        _ => brief.total.margin(),
    };
    let stock = Stock { units, daily: sales.units.max(0) as f64 / 84.0, age_days: brief.stock_age(product) };
    (stock.excess() > 0.0 && unit_price > 0).then_some(Lying { product, stock, sales, unit_price, margin })
}

/// A draft for each week that deepens the cut.
fn steps(brief: &Brief<'_>, lying: &Lying) -> Vec<Draft> {
    let Some(product) = brief.shop.catalogue.get(lying.product) else { return vec![] };
    let Markdown { depths, sold } = markdown(&lying.stock, deepest(lying.margin, brief.floor), brief.elasticity);
    let (week, steps) = (DAYS / 4 * TimeWindow::DAY, depths.len());
    let percents = depths.iter().map(|depth| format!("{}", f64::from(*depth) / 100.0)).collect::<Vec<_>>().join(", ");
    let age =
        lying.stock.age_days.map_or("of unknown age".to_owned(), |days| format!("{days:.0} days after its replenishment or first sale"));
    let foreseen = sold.map_or_else(
        || "as no elasticity is known, that is as deep as the margin carries".to_owned(),
        |sold| format!("that is expected to sell {:.0} % of it", 100.0 * sold),
    );
    let words = |step: usize| {
        format!(
            "{} units of {} are on hand {age}, worth {} at {} sold in 12 weeks; to sell {:.0} % in {DAYS} days the cut rises by week: {percents} %; {foreseen}; this is week {}",
            lying.stock.units,
            product.name,
            Money::new(lying.stock.units.saturating_mul(lying.unit_price), brief.currency()),
            lying.sales.units,
            100.0 * SELL_THROUGH,
            step + 1
        )
    };
    let base = brief.shelf_price(product.product_id.as_str()).unwrap_or(lying.unit_price);
    let mut drafts: Vec<Draft> = Vec::new();
    let mut planned: Vec<Planned> = Vec::new();
    for (step, weeks) in (0..steps).zip(0_i64..) {
        let basis_points = depths[step];
        let start = brief.as_of.saturating_add(weeks * week);
        let price = reduced(base, basis_points);
        // Where law measures a reduction from the weeks before, a per cent of today's price would
        // overstate every step but the first: a price says the same, and claims nothing.
        let effect: Effect = if brief.market.measures_reductions() {
            ItemPrice { unit_price: price, ..ItemPrice::default() }.into()
        } else {
            PercentOff { basis_points, ..PercentOff::default() }.into()
        };
        drafts.push(Draft {
            scope: Scope::products([&*product.product_id]),
            margin: lying.margin,
            unit_price: lying.unit_price,
            product_name: product.name.clone(),
            window: Some(TimeWindow { start, end: start.saturating_add(week) }),
            planned: planned.clone(),
            ..Draft::on_everything(brief, effect, words(step))
        });
        planned.push(Planned { product_id: product.product_id.as_str().to_owned(), from: start, price });
    }
    drafts
}
