//! A gift with purchase (赠品).

use serde::{Deserialize, Serialize};

use super::Mechanic;
use crate::answer::Reason;
use crate::document::{Basis, Name, Problems, Scope, is_default};
use crate::prelude::*;
use crate::pricing::{Missing, NextStep, Outcome, View, scaled};
use crate::set::LineSet;

/// A product for nothing. It stands in the answer as a line of its own that costs nothing, so the
/// totals are those of what is bought.
///
/// From ¥100 on a towel worth ¥9.
///
/// ```
/// # use youhui_promotion::*;
/// # let yuan = "CNY".parse().unwrap();
/// let enough = Condition::SpendAtLeast { amount: 10_000, basis: Basis::Remaining, scope: Scope::everything() };
/// let towel = Promotion::new("towel", yuan, Gift { product_id: "towel".into(), value: 900, ..Gift::default() }.into()).when(enough);
/// let basket = Basket::new(yuan, [Line::new("cup", 4, 3000)]);
/// let priced = Promotions::new([towel]).unwrap().price(&basket, &Context::default()).unwrap();
/// assert_eq!((priced.total, priced.gifts[0].quantity, priced.gifts[0].value), (12_000, 1, 900));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Gift {
    /// Which product.
    pub product_id: Name,
    /// How many.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub quantity: i64,
    /// What one costs elsewhere: what it is worth to the customer when promotions are compared.
    #[serde(default, skip_serializing_if = "is_default")]
    pub value: i64,
    /// Again for every so much spent in scope, or for every so many units; once if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub every: Option<i64>,
    /// Most times it is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub most_times: Option<i64>,
    /// What `every` counts.
    #[serde(default, skip_serializing_if = "is_default")]
    pub basis: Basis,
    /// Of which units something must be in the basket, and what `every` counts.
    #[serde(default, skip_serializing_if = "is_default")]
    pub scope: Scope,
}

const fn one() -> i64 {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
const fn is_one(quantity: &i64) -> bool {
    *quantity == 1
}

impl Default for Gift {
    fn default() -> Self {
        Self {
            product_id: "".into(),
            quantity: 1,
            value: 0,
            every: None,
            most_times: None,
            basis: Basis::default(),
            scope: Scope::default(),
        }
    }
}

impl Gift {
    fn times(&self, counted: i64) -> i64 {
        self.every.map_or(1, |every| counted / every).min(self.most_times.unwrap_or(i64::MAX))
    }
}

impl Mechanic for Gift {
    fn scopes(&self, visit: &mut dyn FnMut(&Scope)) {
        visit(&self.scope);
    }

    fn problems(&self, at: &str, problems: &mut Problems) {
        problems.say(self.product_id.trim().is_empty(), format!("{at}/product_id"), "name the product");
        problems.units(self.quantity, 1, format!("{at}/quantity"));
        problems.amount(self.value, 0, format!("{at}/value"));
        problems.amount(self.every.unwrap_or(1), 1, format!("{at}/every"));
        problems.units(self.most_times.unwrap_or(1), 1, format!("{at}/most_times"));
        problems.scope(&self.scope, &format!("{at}/scope"));
    }

    fn apply(&self, view: &View<'_>, lines: &[LineSet]) -> Result<Outcome, Reason> {
        let portions = view.some(&lines[0])?;
        let counted = view.count(&portions, self.basis);
        let times = self.times(counted);
        let missing = |every: i64| Missing::to(self.basis, every - counted % every);
        if times == 0 {
            return Err(self.every.map_or(Reason::NoReduction, |every| missing(every).reason()));
        }
        let more = self.most_times.is_none_or(|most| times < most);
        let next =
            self.every.filter(|_| more).map(|every| NextStep { missing: missing(every), saves: self.quantity.saturating_mul(self.value) });
        // No more than the largest number of units that a line may have.
        let quantity = times.saturating_mul(self.quantity).min(crate::document::MOST_UNITS).min(view.units_left);
        let counts = portions.iter().map(|portion| view.cut(portion, 0)).collect();
        Ok(Outcome { cuts: counts, gift: Some((self.product_id.clone(), quantity, self.value)), each: true, next, ..Outcome::default() })
    }

    fn beyond_lines(&self, view: &View<'_>, lines: &[LineSet]) -> i128 {
        self.ceiling(view, lines)
    }

    fn line_ceiling(&self, _: &View<'_>, _: &[LineSet]) -> i128 {
        0
    }

    fn ceiling(&self, view: &View<'_>, lines: &[LineSet]) -> i128 {
        let times = self.times(view.count(&view.whole(&lines[0]), self.basis));
        i128::from(times) * i128::from(self.quantity) * scaled(self.value)
    }

    fn saves_at(&self, spend: i64) -> Option<i64> {
        self.times(spend).checked_mul(self.quantity)?.checked_mul(self.value)
    }
}
