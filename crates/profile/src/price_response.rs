//! How much more is bought when a price falls: the within-product price elasticity of demand.
//!
//! Weekly units of a product against its weekly mean unit price, both in logarithms, with a fixed
//! effect for each product and each week: log q = a_product + b_week − ε log p + noise. Ordinary
//! least squares after taking means out (the within estimator), standard error clustered by
//! product (Liang and Zeger 1986).
//!
//! Observational: prices were not randomised, weeks without a sale have no price and are left
//! out, and stocking up is not told apart from eating more. It says what happened at low prices,
//! not what a discount caused.

use std::collections::BTreeMap;

use youhui_commerce::{EventKind, EventTable, TimeWindow};

use crate::runner::fold_customers;
use crate::shop::Shop;

/// Products need this many weeks with sales to be heard.
const LEAST_WEEKS: usize = 6;
/// And this many order lines.
const LEAST_LINES: u32 = 30;

/// An estimated elasticity.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PriceResponse {
    /// Per cent more units for one per cent lower price; positive for ordinary goods.
    pub elasticity: f64,
    /// Its standard error, clustered by product.
    pub std_error: f64,
    /// Products it rests on.
    pub products: usize,
    /// Product-weeks it rests on.
    pub weeks: usize,
}

#[derive(Default, Clone, Copy)]
struct Cell {
    units: i64,
    amount: i64,
    lines: u32,
}

/// Estimates the elasticity from the order lines before `as_of`; `None` where fewer than ten
/// products vary in price.
pub fn price_response(buckets: &[EventTable], shop: &Shop, as_of: i64) -> Option<PriceResponse> {
    let week = |time: i64| shop.clock.local(time).div_euclid(7 * TimeWindow::DAY);
    let cells = fold_customers(
        buckets,
        BTreeMap::<(u32, i64), Cell>::new,
        |cells, customer| {
            let customer = customer.before(as_of);
            let table = customer.table;
            for row in customer.rows {
                let bought = table.kind[row] == EventKind::Order && table.quantity[row] > 0 && table.amount[row] > 0;
                if bought && table.product[row] != EventTable::NO_PRODUCT {
                    let cell = cells.entry((table.product[row], week(table.time[row]))).or_default();
                    cell.units += table.quantity[row];
                    cell.amount += table.amount[row];
                    cell.lines += 1;
                }
            }
        },
        |whole, part| {
            for (key, cell) in part {
                let sum = whole.entry(key).or_default();
                sum.units += cell.units;
                sum.amount += cell.amount;
                sum.lines += cell.lines;
            }
        },
    );
    let mut by_product: BTreeMap<u32, Vec<(i64, Cell)>> = BTreeMap::new();
    for ((product, week), cell) in cells {
        by_product.entry(product).or_default().push((week, cell));
    }
    by_product.retain(|_, weeks| weeks.len() >= LEAST_WEEKS && weeks.iter().map(|(_, cell)| cell.lines).sum::<u32>() >= LEAST_LINES);
    let panel: Vec<Vec<(i64, f64, f64)>> = by_product
        .values()
        .map(|weeks| {
            let point = |&(week, cell): &(i64, Cell)| (week, (cell.amount as f64 / cell.units as f64).ln(), (cell.units as f64).ln());
            weeks.iter().map(point).collect()
        })
        .collect();
    within_estimate(panel)
}

/// `panel`: per product its weeks as (week, log price, log units).
fn within_estimate(mut panel: Vec<Vec<(i64, f64, f64)>>) -> Option<PriceResponse> {
    // Alternating projections take out both kinds of mean; ten rounds leave nothing visible.
    for _ in 0..10 {
        panel.iter_mut().for_each(|weeks| demean(weeks.iter_mut().map(|(_, x, y)| (x, y)).collect()));
        let mut by_week: BTreeMap<i64, Vec<(&mut f64, &mut f64)>> = BTreeMap::new();
        for (week, x, y) in panel.iter_mut().flatten() {
            by_week.entry(*week).or_default().push((x, y));
        }
        by_week.into_values().for_each(demean);
    }
    let spread = |weeks: &Vec<(i64, f64, f64)>| weeks.iter().map(|(_, x, _)| x * x).sum::<f64>();
    let sxx: f64 = panel.iter().map(spread).sum();
    let moving = panel.iter().filter(|weeks| spread(weeks) > 1e-6).count();
    if moving < 10 || sxx <= 0.0 {
        return None;
    }
    let slope = panel.iter().flatten().map(|(_, x, y)| x * y).sum::<f64>() / sxx;
    let meat: f64 = panel.iter().map(|weeks| weeks.iter().map(|(_, x, y)| x * (y - slope * x)).sum::<f64>().powi(2)).sum();
    let products = panel.len() as f64;
    Some(PriceResponse {
        elasticity: -slope,
        std_error: (meat * products / (products - 1.0)).sqrt() / sxx,
        products: panel.len(),
        weeks: panel.iter().map(Vec::len).sum(),
    })
}

fn demean(mut points: Vec<(&mut f64, &mut f64)>) {
    let size = points.len().max(1) as f64;
    let (mean_x, mean_y) = (points.iter().map(|(x, _)| **x).sum::<f64>() / size, points.iter().map(|(_, y)| **y).sum::<f64>() / size);
    for (x, y) in &mut points {
        **x -= mean_x;
        **y -= mean_y;
    }
}

#[cfg(test)]
mod tests {
    use youhui_commerce::Draw;

    use super::*;

    /// Panels with a known elasticity of 1.5, product levels, a common season and noise.
    fn panel(seed: u64) -> Vec<Vec<(i64, f64, f64)>> {
        let mut draw = Draw::seeded(seed);
        (0..60)
            .map(|_| {
                let level = 2.0 * draw.normal();
                (0..20)
                    .map(|week| {
                        let price = 0.2 * draw.normal() + 0.1 * level;
                        let season = 0.3 * (week as f64 / 3.0).sin();
                        (week, price, level + season - 1.5 * price + 0.3 * draw.normal())
                    })
                    .collect()
            })
            .collect()
    }

    #[test]
    fn intervals_cover_a_known_elasticity() {
        let covered = (0..200)
            .filter(|&seed| {
                let estimate = within_estimate(panel(seed)).unwrap();
                (estimate.elasticity - 1.5).abs() <= 1.96 * estimate.std_error
            })
            .count();
        assert!((180..=198).contains(&covered), "{covered} of 200 intervals cover");
    }

    #[test]
    fn constant_prices_say_nothing() {
        let flat = vec![vec![(0, 1.0, 2.0), (1, 1.0, 3.0)]; 30];
        assert_eq!(within_estimate(flat), None);
    }
}
