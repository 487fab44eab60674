//! Less for each unit of every full group.

use serde::{Deserialize, Serialize};

use super::Mechanic;
use crate::answer::Reason;
use crate::document::{Off, Pick, Problems, Rounding, Scope, is_default};
use crate::prelude::*;
use crate::pricing::{Outcome, View, ordered, take};
use crate::set::LineSet;

/// Less for each unit of every full group, in the order of the basket. Units beyond the last
/// full group keep their price.
///
/// ¥2 off each of every six bottles at ¥10, on eight: ¥12 off.
///
/// ```
/// # use youhui_promotion::*;
/// # let yuan = "CNY".parse().unwrap();
/// let rule = PerFullGroup::new(6, Off::Amount(200), Scope::products(["bottle"]));
/// let basket = Basket::new(yuan, [Line::new("bottle", 8, 1000)]);
/// let set = Promotions::new([Promotion::new("six", yuan, rule.into())]).unwrap();
/// assert_eq!(set.price(&basket, &Context::default()).unwrap().total, 6800);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct PerFullGroup {
    /// Units of a group.
    pub group_size: i64,
    /// How much less each of them costs.
    pub off: Off,
    /// Where the part of a minor unit of a share goes.
    #[serde(default, skip_serializing_if = "is_default")]
    pub rounding: Rounding,
    /// Which units first.
    #[serde(default, skip_serializing_if = "is_default")]
    pub pick: Pick,
    /// Most groups; as many as there are if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub most_times: Option<i64>,
    /// On which units.
    #[serde(default, skip_serializing_if = "is_default")]
    pub scope: Scope,
}

impl PerFullGroup {
    /// Less for each unit of every full group of units in scope.
    pub fn new(group_size: i64, off: Off, scope: Scope) -> Self {
        Self { group_size, off, rounding: Rounding::default(), pick: Pick::BasketOrder, most_times: None, scope }
    }
}

impl Mechanic for PerFullGroup {
    fn scopes(&self, visit: &mut dyn FnMut(&Scope)) {
        visit(&self.scope);
    }

    fn problems(&self, at: &str, problems: &mut Problems) {
        problems.units(self.group_size, 1, format!("{at}/group_size"));
        problems.off(self.off, true, &format!("{at}/off"));
        problems.rounding(self.rounding, &format!("{at}/rounding"));
        problems.units(self.most_times.unwrap_or(1), 1, format!("{at}/most_times"));
        problems.scope(&self.scope, &format!("{at}/scope"));
    }

    fn apply(&self, view: &View<'_>, lines: &[LineSet]) -> Result<Outcome, Reason> {
        let mut portions = view.some(&lines[0])?;
        let groups = view.groups(&portions, self.group_size, self.most_times)?;
        view.sort(&mut portions, self.pick);
        let taken = take(&portions, (groups * self.group_size).min(view.units_left)).0;
        let cuts = taken.iter().map(|portion| view.unit_off(portion, self.off, self.rounding)).collect();
        Ok(Outcome { cuts: ordered(cuts), each: true, ..Outcome::default() })
    }

    fn line_ceiling(&self, view: &View<'_>, lines: &[LineSet]) -> i128 {
        view.units_off(&lines[0], self.off, self.rounding)
    }

    fn rounding_step(&self) -> i64 {
        0
    }

    fn ceiling(&self, view: &View<'_>, lines: &[LineSet]) -> i128 {
        let portions = view.whole(&lines[0]);
        let groups = view.groups(&portions, self.group_size, self.most_times).unwrap_or(0);
        view.dearest(&portions, groups * self.group_size)
    }
}
