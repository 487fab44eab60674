//! An amount off for every full step of spend (上不封顶).

use serde::{Deserialize, Serialize};

use super::Mechanic;
use crate::answer::Reason;
use crate::document::{Basis, Problems, Scope, Split, is_default};
use crate::prelude::*;
use crate::pricing::{Missing, NextStep, Outcome, View, scaled};
use crate::set::LineSet;

/// An amount off for every full step of spend, or of units, with or without an upper limit.
///
/// Every ¥300 save ¥50, on ¥650: two steps, ¥100 off.
///
/// ```
/// # use youhui_promotion::*;
/// # let yuan = "CNY".parse().unwrap();
/// let every = EverySpend { spend: 30_000, save: 5000, ..EverySpend::default() };
/// let basket = Basket::new(yuan, [Line::new("coat", 1, 65_000)]);
/// let set = Promotions::new([Promotion::new("every", yuan, every.into())]).unwrap();
/// assert_eq!(set.price(&basket, &Context::default()).unwrap().total, 55_000);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct EverySpend {
    /// The step, in minor units, or in units where `basis` is `quantity`.
    pub spend: i64,
    /// Off for each step.
    pub save: i64,
    /// Most steps that count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub most_times: Option<i64>,
    /// What the steps count.
    #[serde(default, skip_serializing_if = "is_default")]
    pub basis: Basis,
    /// How the amount is split.
    #[serde(default, skip_serializing_if = "is_default")]
    pub split: Split,
    /// On which units.
    #[serde(default, skip_serializing_if = "is_default")]
    pub scope: Scope,
}

impl EverySpend {
    fn times(&self, counted: i64) -> i64 {
        (counted / self.spend).min(self.most_times.unwrap_or(i64::MAX))
    }
}

impl Mechanic for EverySpend {
    fn scopes(&self, visit: &mut dyn FnMut(&Scope)) {
        visit(&self.scope);
    }

    fn problems(&self, at: &str, problems: &mut Problems) {
        problems.amount(self.spend, 1, format!("{at}/spend"));
        problems.amount(self.save, 1, format!("{at}/save"));
        let more = self.basis != Basis::Quantity && self.save > self.spend;
        problems.say(more, format!("{at}/save"), "is above spend: the shop would pay people to take goods");
        problems.units(self.most_times.unwrap_or(1), 1, format!("{at}/most_times"));
        problems.scope(&self.scope, &format!("{at}/scope"));
    }

    fn apply(&self, view: &View<'_>, lines: &[LineSet]) -> Result<Outcome, Reason> {
        let portions = view.some(&lines[0])?;
        let counted = view.count(&portions, self.basis);
        let times = self.times(counted);
        if times == 0 {
            return Err(Missing::to(self.basis, self.spend - counted).reason());
        }
        let more = self.most_times.is_none_or(|most| times < most);
        let missing = Missing::to(self.basis, self.spend - counted % self.spend);
        let next = more.then_some(NextStep { missing, saves: self.save });
        let cuts = view.split(&portions, times.saturating_mul(self.save), self.split);
        Ok(Outcome { cuts, next, ..Outcome::default() })
    }

    fn counts_units(&self) -> bool {
        false
    }

    fn line_ceiling(&self, view: &View<'_>, lines: &[LineSet]) -> i128 {
        let portions = view.whole(&lines[0]);
        let room = scaled(view.room(&portions));
        if view.floors || self.basis != Basis::Remaining {
            return room;
        }
        // As many steps as are saved are spent, so a line's share is at most that of its price.
        ((i128::from(view.cost(&portions)) * scaled(self.save)).div_euclid(i128::from(self.spend)) + 1).min(room)
    }

    fn rounding_step(&self) -> i64 {
        0
    }

    fn ceiling(&self, view: &View<'_>, lines: &[LineSet]) -> i128 {
        let portions = view.whole(&lines[0]);
        let times = self.times(view.count(&portions, self.basis));
        (i128::from(times) * scaled(self.save)).min(scaled(view.room(&portions)))
    }

    fn saves_at(&self, spend: i64) -> Option<i64> {
        (self.basis != Basis::Quantity).then(|| self.times(spend).saturating_mul(self.save))
    }
}
