//! The mechanics: one file each, from a brief to drafts.

mod fixed_coupon;
mod gift;
mod item_price;
mod percent_off;
mod spend_and_save;

use youhui_promotion::{Kind, Scope};

use crate::brief::Brief;

/// A promotion that a mechanic suggests, before it is cleared.
#[derive(Debug, Clone)]
pub(crate) struct Draft {
    pub(crate) kind: Kind,
    pub(crate) scope: Scope,
    /// Margin of the scope.
    pub(crate) margin: f64,
    /// Mean price of a unit, for item prices.
    pub(crate) unit_price: i64,
    /// Cost to the shop, for gifts.
    pub(crate) gift_cost: i64,
    /// Name of the product, for item prices and gifts.
    pub(crate) product_name: String,
    /// Only for customers who don't buy this category.
    pub(crate) newcomers_of: Option<u32>,
    /// Why these figures, in words.
    pub(crate) why: String,
}

impl Draft {
    fn on_everything(brief: &Brief<'_>, kind: Kind, why: String) -> Self {
        Self {
            kind,
            scope: if brief.shop.never_promote.is_empty() {
                Scope::All
            } else {
                Scope::AllExcept { names: brief.shop.never_promote.clone() }
            },
            margin: brief.total.margin(),
            unit_price: 0,
            gift_cost: 0,
            product_name: String::new(),
            newcomers_of: None,
            why,
        }
    }

    fn on_category(brief: &Brief<'_>, category: u32, kind: Kind, why: String) -> Self {
        let names = brief.shop.catalogue.categories().get(category as usize).cloned().into_iter().collect();
        let margin = brief.categories.get(&category).map_or(0.0, crate::brief::Sales::margin);
        Self { scope: Scope::Categories { names }, margin, ..Self::on_everything(brief, kind, why) }
    }
}

/// The drafts of every mechanic, in a fixed order.
pub(crate) fn drafts(brief: &Brief<'_>) -> Vec<Draft> {
    [percent_off::drafts, spend_and_save::drafts, fixed_coupon::drafts, item_price::drafts, gift::drafts]
        .into_iter()
        .flat_map(|mechanic| mechanic(brief))
        .collect()
}

#[cfg(test)]
pub(crate) mod tests {
    use std::collections::BTreeMap;

    use youhui_commerce::TimeWindow;
    use youhui_promotion::{Audience, Limits, Promotion, SCHEMA_VERSION, Schedule, Trigger};

    use super::*;

    pub(crate) fn document(kind: Kind) -> Promotion {
        Promotion {
            schema_version: SCHEMA_VERSION,
            promotion_id: "p".into(),
            version: 1,
            currency: "CNY".parse().unwrap(),
            kind,
            trigger: Trigger::Automatic,
            scope: Scope::All,
            audience: Audience { goal: "retain".into(), rule: String::new() },
            schedule: Schedule { window: TimeWindow { start: 0, end: 1 }, time_zone: "UTC".into() },
            limits: Limits { per_customer: Some(1), budget: None },
            texts: BTreeMap::new(),
            disclosures: vec![],
        }
    }
}
