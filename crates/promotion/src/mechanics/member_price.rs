//! A price for members (会员价).

use serde::{Deserialize, Serialize};

use super::Mechanic;
use crate::answer::Reason;
use crate::document::{Most, Off, Problems, Rounding, Scope, is_default};
use crate::prelude::*;
use crate::pricing::{Outcome, View};
use crate::set::LineSet;

/// Less for each unit, for customers of some groups.
///
/// Gold members pay ¥25 for a cup of ¥30.
///
/// ```
/// # use youhui_promotion::*;
/// # let yuan = "CNY".parse().unwrap();
/// let gold = MemberPrice::new(["gold"], Off::UnitPrice(2500), Scope::products(["cup"]));
/// let set = Promotions::new([Promotion::new("gold", yuan, gold.into())]).unwrap();
/// let mut basket = Basket::new(yuan, [Line::new("cup", 1, 3000)]);
/// assert_eq!(set.price(&basket, &Context::default()).unwrap().total, 3000);
/// basket.customer.groups.push("gold".into());
/// assert_eq!(set.price(&basket, &Context::default()).unwrap().total, 2500);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct MemberPrice {
    /// Groups of customers, any of which will do.
    pub groups: Vec<String>,
    /// What a unit costs them, or how much less.
    pub off: Off,
    /// Where the part of a minor unit of a share goes.
    #[serde(default, skip_serializing_if = "is_default")]
    pub rounding: Rounding,
    /// How many units, and which.
    #[serde(default, skip_serializing_if = "is_default")]
    pub most: Most,
    /// On which units.
    #[serde(default, skip_serializing_if = "is_default")]
    pub scope: Scope,
}

impl MemberPrice {
    /// A price for members of `groups` on units in `scope`.
    pub fn new<T: Into<String>>(groups: impl IntoIterator<Item = T>, off: Off, scope: Scope) -> Self {
        let groups = groups.into_iter().map(Into::into).collect();
        Self { groups, off, rounding: Rounding::default(), most: Most::default(), scope }
    }
}

impl Mechanic for MemberPrice {
    fn scopes(&self, visit: &mut dyn FnMut(&Scope)) {
        visit(&self.scope);
    }

    fn problems(&self, at: &str, problems: &mut Problems) {
        problems.say(self.groups.is_empty(), format!("{at}/groups"), "name at least one group");
        problems.off(self.off, true, &format!("{at}/off"));
        problems.rounding(self.rounding, &format!("{at}/rounding"));
        problems.most(&self.most, &format!("{at}/most"));
        problems.scope(&self.scope, &format!("{at}/scope"));
    }

    fn apply(&self, view: &View<'_>, lines: &[LineSet]) -> Result<Outcome, Reason> {
        if !view.basket.customer.groups.iter().any(|group| self.groups.contains(group)) {
            return Err(Reason::CustomerNotEligible);
        }
        // Units that cost less already don't use up what is limited.
        let mut portions = view.some(&lines[0])?;
        portions.retain(|portion| view.unit_off(portion, self.off, self.rounding).each > 0);
        let portions = view.limited(portions, self.most);
        let cuts = portions.iter().map(|portion| view.unit_off(portion, self.off, self.rounding)).collect();
        Ok(Outcome { cuts, each: true, ..Outcome::default() })
    }

    fn line_ceiling(&self, view: &View<'_>, lines: &[LineSet]) -> i128 {
        view.units_off(&lines[0], self.off, self.rounding)
    }

    fn rounding_step(&self) -> i64 {
        0
    }

    fn ceiling(&self, view: &View<'_>, lines: &[LineSet]) -> i128 {
        view.dearest(&view.whole(&lines[0]), i64::MAX)
    }
}
