//! A limited-time or flash price (限时价, 秒杀).

use serde::{Deserialize, Serialize};

use super::Mechanic;
use crate::answer::Reason;
use crate::document::{Most, Problems, Scope, is_default};
use crate::prelude::*;
use crate::pricing::{Outcome, View, ordered, scaled};
use crate::set::LineSet;

/// Another price for each unit in scope. Units that cost less already keep their price. With a
/// `stock` among the limits it is a flash price: only so many units have it.
///
/// A cup for ¥19.90 instead of ¥30, at most two an order: the third keeps its price.
///
/// ```
/// # use youhui_promotion::*;
/// # let yuan = "CNY".parse().unwrap();
/// let most = Most { units: Some(2), ..Most::default() };
/// let flash = ItemPrice { unit_price: 1990, most, scope: Scope::products(["cup"]) };
/// let basket = Basket::new(yuan, [Line::new("cup", 3, 3000)]);
/// let set = Promotions::new([Promotion::new("flash", yuan, flash.into())]).unwrap();
/// assert_eq!(set.price(&basket, &Context::default()).unwrap().total, 2 * 1990 + 3000);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ItemPrice {
    /// The price of a unit.
    pub unit_price: i64,
    /// How many units, and which.
    #[serde(default, skip_serializing_if = "is_default")]
    pub most: Most,
    /// On which units.
    #[serde(default, skip_serializing_if = "is_default")]
    pub scope: Scope,
}

impl Mechanic for ItemPrice {
    fn scopes(&self, visit: &mut dyn FnMut(&Scope)) {
        visit(&self.scope);
    }

    fn problems(&self, at: &str, problems: &mut Problems) {
        problems.amount(self.unit_price, 0, format!("{at}/unit_price"));
        problems.most(&self.most, &format!("{at}/most"));
        problems.scope(&self.scope, &format!("{at}/scope"));
    }

    fn apply(&self, view: &View<'_>, lines: &[LineSet]) -> Result<Outcome, Reason> {
        // Units that cost less already don't use up what is limited.
        let mut portions = view.some(&lines[0])?;
        portions.retain(|portion| view.run(portion).price > self.unit_price);
        let taken = view.limited(portions, self.most);
        let cuts = taken.iter().map(|portion| view.cut(portion, view.run(portion).price - self.unit_price)).collect();
        Ok(Outcome { cuts: ordered(cuts), each: true, ..Outcome::default() })
    }

    fn line_ceiling(&self, view: &View<'_>, lines: &[LineSet]) -> i128 {
        self.ceiling(view, lines)
    }

    fn rounding_step(&self) -> i64 {
        0
    }

    fn ceiling(&self, view: &View<'_>, lines: &[LineSet]) -> i128 {
        let less = |price: i64| scaled((price - self.unit_price).max(0));
        view.whole(&lines[0]).iter().map(|portion| i128::from(portion.units) * less(view.run(portion).price)).sum()
    }
}
