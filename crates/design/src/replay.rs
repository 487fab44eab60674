//! What a promotion would have given on the customer's own recent baskets: the saving that it is
//! to the customer, and the money that it costs even if it changes nothing.

use youhui_commerce::{Catalogue, Micros, TimeWindow};
use youhui_promotion::{Basket, BasketLine, Kind, Promotion, Scope, price_kind};

use crate::brief::Shopper;

/// Days of one use of a promotion that may be used once.
const PERIOD: i64 = 28 * TimeWindow::DAY;

/// A scope as a set of products.
#[derive(Debug, Clone)]
pub struct CompiledScope {
    inside: Option<Vec<bool>>,
}

impl CompiledScope {
    /// Looks the scope's names up once.
    pub fn new(scope: &Scope, catalogue: &Catalogue) -> Self {
        let inside = match scope {
            Scope::All => None,
            Scope::AllExcept { names } => {
                Some(catalogue.products().iter().map(|product| !product.category.iter().any(|category| names.contains(category))).collect())
            }
            Scope::Categories { names } => {
                Some(catalogue.products().iter().map(|product| product.category.iter().any(|category| names.contains(category))).collect())
            }
            Scope::Products { product_ids } => {
                Some(catalogue.products().iter().map(|product| product_ids.contains(&product.product_id)).collect())
            }
        };
        Self { inside }
    }

    /// Whether a product is in scope.
    pub fn covers(&self, product: u32) -> bool {
        self.inside.as_ref().is_none_or(|inside| inside.get(product as usize) == Some(&true))
    }
}

/// What a promotion would have been, per 28 days. Money in minor units.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Replayed {
    /// What the customer would have saved.
    pub saving: f64,
    /// What it would have cost the shop: the saving, or the cost of a gift.
    pub cost: f64,
    /// Share of the customer's spending in scope.
    pub affinity: f64,
    /// Share of the baskets that it would have applied to.
    pub reach: f64,
}

/// Prices the shopper's baskets of the 84 days before `as_of` under a promotion that can be used
/// once in 28 days: of each such period the first basket that it applies to counts.
pub fn replay(
    promotion: &Promotion,
    scope: &CompiledScope,
    gift_cost: i64,
    shopper: &Shopper<'_>,
    as_of: Micros,
    catalogue: &Catalogue,
) -> Replayed {
    let (mut saving, mut cost, mut applied) = (0, 0, 0_u32);
    let (mut inside, mut whole) = (0_i64, 0_i64);
    let mut used = [false; 3];
    for basket in &shopper.baskets {
        let covered: Vec<bool> = basket.lines.iter().map(|line| scope.covers(line.product)).collect();
        whole += basket.amount();
        inside += basket.lines.iter().zip(&covered).map(|(line, covered)| if *covered { line.amount } else { 0 }).sum::<i64>();
        let named = matches!(promotion.kind, Kind::ItemPrice { .. });
        if named && !covered.contains(&true) {
            continue;
        }
        let line = |line: &crate::brief::ReplayLine| BasketLine {
            // Only an item price looks at the name.
            product_id: if named {
                catalogue.get(line.product).map_or(String::new(), |product| product.product_id.clone())
            } else {
                String::new()
            },
            categories: vec![],
            quantity: line.quantity.max(1),
            amount: line.amount.max(0),
        };
        let priced = price_kind(&promotion.kind, &covered, &Basket { lines: basket.lines.iter().map(line).collect() });
        if let Ok(priced) = priced {
            applied += 1;
            let period = usize::try_from((as_of - basket.time) / PERIOD).unwrap_or(3);
            if let Some(first) = used.get_mut(period).filter(|used| !**used) {
                *first = true;
                let value = priced.gift.as_ref().map_or(priced.amount, |(_, value)| *value);
                saving += value;
                cost += if priced.gift.is_some() { gift_cost } else { priced.amount };
            }
        }
    }
    Replayed {
        saving: saving as f64 / 3.0,
        cost: cost as f64 / 3.0,
        affinity: if whole > 0 { inside as f64 / whole as f64 } else { 0.0 },
        reach: if shopper.baskets.is_empty() { 0.0 } else { f64::from(applied) / shopper.baskets.len() as f64 },
    }
}
