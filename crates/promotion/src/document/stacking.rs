//! Beside which other promotions, and in which order.

use serde::{Deserialize, Serialize};

use super::is_default;
use crate::prelude::*;

/// Beside which others a promotion works, and in which order: by layer, then by priority (higher
/// first), then by identifier. The order is total, so a tie never depends on a file or a database.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Stacking {
    /// Layers follow one another. If absent, promotions on shipping alone are in the last, as are points
    /// and cashback, which count what is paid; others that a code starts in that of codes, those that work on single units, on lines or on some
    /// goods only in that of items, and all others in that of the order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub layer: Option<Layer>,
    /// Within a layer, higher first.
    #[serde(default, skip_serializing_if = "is_default")]
    pub priority: i64,
    /// Of one group not all promotions apply.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<Group>,
    /// A name that others refer to in `beside` and `excludes`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub category: Option<String>,
    /// Whether others may apply beside it.
    #[serde(default, skip_serializing_if = "is_default")]
    pub combine: Combine,
    /// Joint categories: their promotions apply even beside this one when it applies alone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub beside: Vec<String>,
    /// Categories whose promotions don't apply beside this one: of the two the better combination
    /// for the customer is taken.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub excludes: Vec<String>,
    /// Units that it worked on or counted are not seen by the promotions after it.
    #[serde(default, skip_serializing_if = "is_default")]
    pub consumes_units: bool,
    /// Units that an earlier promotion made cheaper are not seen by this one.
    #[serde(default, skip_serializing_if = "is_default")]
    pub skips_discounted: bool,
}

/// The order of layers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Layer {
    /// Prices on the shelf.
    Catalogue,
    /// Single items.
    Item,
    /// The whole order.
    Order,
    /// Codes.
    Code,
    /// Shipping, and what is given later: last.
    Shipping,
}

/// A group of promotions that exclude one another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Group {
    /// Its name. All members must agree on the rest.
    pub name: String,
    /// Which of them apply.
    #[serde(default, skip_serializing_if = "is_default")]
    pub policy: Choice,
    /// Where they exclude one another.
    #[serde(default, skip_serializing_if = "is_default")]
    pub within: Within,
}

/// Which promotions of a group apply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Choice {
    /// The choice that leaves the customer best off over the whole basket.
    #[default]
    Largest,
    /// The first that applies.
    First,
    /// All of them.
    Accumulate,
}

/// Where the promotions of a group exclude one another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Within {
    /// One of them a basket.
    #[default]
    Basket,
    /// One of them a line: each line can have another.
    Line,
}

/// Whether others may apply beside a promotion.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Combine {
    /// All others.
    #[default]
    All,
    /// Those before it in the order; none after it.
    StopAfter,
    /// None: the first such promotion that applies is the only one.
    Alone,
    /// None, if the customer is best off with it alone; else it does not apply.
    AloneIfBest,
}
