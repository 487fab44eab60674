//! Spend and save across shops (跨店满减).

use serde::{Deserialize, Serialize};

use super::{EverySpend, Mechanic};
use crate::answer::Reason;
use crate::document::{Basis, Problems, Scope, Split, SplitBy, is_default};
use crate::prelude::*;
use crate::pricing::{Outcome, View};
use crate::set::LineSet;

/// Every so much spent over all shops of the basket saves so much, and each shop carries its share:
/// the amount is split over shops first, then over their units, and the answer says how much falls
/// on which shop.
///
/// Every ¥300 save ¥50, with ¥200 at one shop and ¥120 at another: ¥31.25 and ¥18.75.
///
/// ```
/// # use youhui_promotion::*;
/// # let yuan = "CNY".parse().unwrap();
/// let across = CrossShop { spend: 30_000, save: 5000, ..CrossShop::default() };
/// let from = |shop: &str, line: Line| Line { shop: Some(shop.into()), ..line };
/// let basket = Basket::new(yuan, [from("A", Line::new("coat", 1, 20_000)), from("B", Line::new("hat", 1, 12_000))]);
/// let set = Promotions::new([Promotion::new("across", yuan, across.into())]).unwrap();
/// let priced = set.price(&basket, &Context::default()).unwrap();
/// let shares: Vec<(&str, i64)> = priced.applied[0].shops.iter().map(|share| (&*share.shop, share.amount)).collect();
/// assert_eq!(shares, [("A", 3125), ("B", 1875)]);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct CrossShop {
    /// The step of spend over all shops, in minor units.
    pub spend: i64,
    /// Off for each step.
    pub save: i64,
    /// Most steps that count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub most_times: Option<i64>,
    /// What the steps count.
    #[serde(default, skip_serializing_if = "is_default")]
    pub basis: Basis,
    /// On which units.
    #[serde(default, skip_serializing_if = "is_default")]
    pub scope: Scope,
}

impl CrossShop {
    fn every(&self) -> EverySpend {
        let split = Split { by: SplitBy::Shop, ..Split::default() };
        EverySpend { spend: self.spend, save: self.save, most_times: self.most_times, basis: self.basis, split, scope: Scope::default() }
    }
}

impl Mechanic for CrossShop {
    fn scopes(&self, visit: &mut dyn FnMut(&Scope)) {
        visit(&self.scope);
    }

    fn problems(&self, at: &str, problems: &mut Problems) {
        self.every().problems(at, problems);
        problems.say(self.basis == Basis::Quantity, format!("{at}/basis"), "counts money: write remaining, catalogue or original");
        problems.scope(&self.scope, &format!("{at}/scope"));
    }

    fn apply(&self, view: &View<'_>, lines: &[LineSet]) -> Result<Outcome, Reason> {
        self.every().apply(view, lines)
    }

    fn counts_units(&self) -> bool {
        false
    }

    fn line_ceiling(&self, view: &View<'_>, lines: &[LineSet]) -> i128 {
        self.every().line_ceiling(view, lines)
    }

    fn rounding_step(&self) -> i64 {
        0
    }

    fn ceiling(&self, view: &View<'_>, lines: &[LineSet]) -> i128 {
        self.every().ceiling(view, lines)
    }

    fn saves_at(&self, spend: i64) -> Option<i64> {
        self.every().saves_at(spend)
    }
}
