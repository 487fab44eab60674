//! The mechanics: one file each, from a brief to drafts.

mod fixed_coupon;
mod gift;
mod item_price;
mod markdown;
mod percent_off;
mod spend_and_save;

use youhui_commerce::{Micros, TimeWindow};
use youhui_promotion::{Effect, Scope};

use crate::brief::Brief;
use crate::goal::Goal;

/// A promotion that a mechanic suggests, before it is cleared.
#[derive(Debug, Clone)]
pub(crate) struct Draft {
    /// What it gives; the scope of it is `scope`.
    pub(crate) effect: Effect,
    pub(crate) scope: Scope,
    /// From so much spent in scope on.
    pub(crate) minimum_spend: Option<i64>,
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
    /// When it runs, where that is not the goal's own time.
    pub(crate) window: Option<TimeWindow>,
    /// What its product is planned to be offered for before it: a later reduction is measured from that.
    pub(crate) planned: Vec<Planned>,
    /// Why these figures, in words.
    pub(crate) why: String,
}

/// A price that a product is planned to be offered and sold for, until the next.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Planned {
    pub(crate) product_id: String,
    pub(crate) from: Micros,
    /// In minor units.
    pub(crate) price: i64,
}

impl Draft {
    fn on_everything(brief: &Brief<'_>, effect: impl Into<Effect>, why: String) -> Self {
        let never = &brief.shop.never_promote;
        Self {
            effect: effect.into(),
            scope: if never.is_empty() { Scope::everything() } else { Scope::all_but_categories(never) },
            minimum_spend: None,
            margin: brief.total.margin(),
            unit_price: 0,
            gift_cost: 0,
            product_name: String::new(),
            newcomers_of: None,
            window: None,
            planned: vec![],
            why,
        }
    }

    fn on_category(brief: &Brief<'_>, category: u32, effect: impl Into<Effect>, why: String) -> Self {
        let names = brief.shop.catalogue.categories().get(category as usize);
        let margin = brief.categories.get(&category).map_or(0.0, crate::brief::Sales::margin);
        Self { scope: Scope::categories(names), margin, ..Self::on_everything(brief, effect, why) }
    }

    fn above_spend(self, minimum_spend: i64) -> Self {
        Self { minimum_spend: Some(minimum_spend), ..self }
    }
}

/// The drafts of every mechanic, in a fixed order; of two that are the same, the first.
pub(crate) fn drafts(brief: &Brief<'_>) -> Vec<Draft> {
    // What clears goods is about goods, not about baskets.
    let mechanics: &[fn(&Brief<'_>) -> Vec<Draft>] = match brief.goal {
        Goal::Clearance if brief.stocked().next().is_some() => &[markdown::drafts],
        Goal::Clearance => &[percent_off::drafts, item_price::drafts],
        _ => &[percent_off::drafts, spend_and_save::drafts, fixed_coupon::drafts, item_price::drafts, gift::drafts],
    };
    let mut drafts: Vec<Draft> = Vec::new();
    for draft in mechanics.iter().flat_map(|mechanic| mechanic(brief)) {
        let same = |other: &Draft| {
            (&other.effect, &other.scope, other.minimum_spend, other.window)
                == (&draft.effect, &draft.scope, draft.minimum_spend, draft.window)
        };
        if !drafts.iter().any(same) {
            drafts.push(draft);
        }
    }
    drafts
}

/// What clearance without stock on record says.
const NO_STOCK: &str = "no stock is on record, so falling sales stand in for it: ";
