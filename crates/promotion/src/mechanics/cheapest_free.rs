//! Of every so many units the cheapest are free (三免一).

use serde::{Deserialize, Serialize};

use super::Mechanic;
use crate::answer::Reason;
use crate::document::{Off, Pick, Problems, Rounding, Scope, is_default};
use crate::prelude::*;
use crate::pricing::{Cut, Outcome, Portion, View, ordered, take};
use crate::set::LineSet;

/// Of every so many units the cheapest are free, or cost less.
///
/// Three for two on ¥30, ¥20, ¥10: the tea of ¥10 is free.
///
/// ```
/// # use youhui_promotion::*;
/// # let yuan = "CNY".parse().unwrap();
/// let rule = CheapestFree { every: 3, ..CheapestFree::default() };
/// let basket = Basket::new(yuan, [Line::new("cup", 1, 3000), Line::new("pot", 1, 2000), Line::new("tea", 1, 1000)]);
/// let set = Promotions::new([Promotion::new("three", yuan, rule.into())]).unwrap();
/// let priced = set.price(&basket, &Context::default()).unwrap();
/// assert_eq!((priced.total, priced.lines[2].total), (5000, 0));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct CheapestFree {
    /// Of so many units …
    pub every: i64,
    /// … so many are free.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub free: i64,
    /// How much less they cost; everything if absent.
    #[serde(default = "nothing_left", skip_serializing_if = "is_free")]
    pub off: Off,
    /// Where the part of a minor unit of a share goes.
    #[serde(default, skip_serializing_if = "is_default")]
    pub rounding: Rounding,
    /// How units form groups.
    #[serde(default, skip_serializing_if = "is_default")]
    pub grouping: Grouping,
    /// Most groups; as many as there are if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub most_times: Option<i64>,
    /// On which units.
    #[serde(default, skip_serializing_if = "is_default")]
    pub scope: Scope,
}

/// How units form groups.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Grouping {
    /// The cheapest of all units in scope are free: best for the shop.
    #[default]
    CheapestOfAll,
    /// Groups of units of like price, the dearest first, and the cheapest of each are free: best for
    /// the customer.
    DearestTogether,
    /// Groups in the order of the basket, and the cheapest of each are free.
    BasketOrder,
}

const fn one() -> i64 {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
const fn is_one(free: &i64) -> bool {
    *free == 1
}

const fn nothing_left() -> Off {
    Off::FREE
}

fn is_free(off: &Off) -> bool {
    *off == Off::FREE
}

impl Default for CheapestFree {
    fn default() -> Self {
        Self {
            every: 1,
            free: 1,
            off: Off::FREE,
            rounding: Rounding::default(),
            grouping: Grouping::default(),
            most_times: None,
            scope: Scope::default(),
        }
    }
}

impl Mechanic for CheapestFree {
    fn scopes(&self, visit: &mut dyn FnMut(&Scope)) {
        visit(&self.scope);
    }

    fn problems(&self, at: &str, problems: &mut Problems) {
        problems.units(self.every, 1, format!("{at}/every"));
        problems.units(self.free, 1, format!("{at}/free"));
        problems.say(self.free > self.every, format!("{at}/free"), "is above every: more units would be free than there are");
        problems.off(self.off, true, &format!("{at}/off"));
        problems.rounding(self.rounding, &format!("{at}/rounding"));
        problems.units(self.most_times.unwrap_or(1), 1, format!("{at}/most_times"));
        problems.scope(&self.scope, &format!("{at}/scope"));
    }

    fn apply(&self, view: &View<'_>, lines: &[LineSet]) -> Result<Outcome, Reason> {
        let mut portions = view.some(&lines[0])?;
        let groups = view.groups(&portions, self.every, self.most_times)?.min(view.units_left / self.free);
        let free = |portion: &Portion| view.unit_off(portion, self.off, self.rounding);
        let counted = |portion: &Portion| view.cut(portion, 0);
        let cuts: Vec<Cut> = match self.grouping {
            Grouping::CheapestOfAll => {
                view.sort(&mut portions, Pick::Cheapest);
                let (given, mut rest) = take(&portions, (groups * self.free).min(view.units_left));
                view.sort(&mut rest, Pick::Dearest);
                let needed = take(&rest, groups * (self.every - self.free)).0;
                given.iter().map(free).chain(needed.iter().map(counted)).collect()
            }
            Grouping::DearestTogether | Grouping::BasketOrder => {
                if self.grouping == Grouping::DearestTogether {
                    view.sort(&mut portions, Pick::Dearest);
                }
                self.group_by_group(view, &portions, groups)
            }
        };
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
        let groups = view.groups(&portions, self.every, self.most_times).unwrap_or(0);
        view.dearest(&portions, groups * self.free)
    }
}

impl CheapestFree {
    fn group_by_group(&self, view: &View<'_>, portions: &[Portion], groups: i64) -> Vec<Cut> {
        let mut cuts = Vec::new();
        let mut left = groups;
        // The group that units of several prices fill.
        let mut group: Vec<Portion> = Vec::new();
        let mut missing = self.every;
        let mut close = |group: &mut Vec<Portion>, times: i64| {
            view.sort(group, Pick::Cheapest);
            let (given, needed) = take(group, times * self.free);
            cuts.extend(given.iter().map(|portion| view.unit_off(portion, self.off, self.rounding)));
            cuts.extend(needed.iter().map(|portion| view.cut(portion, 0)));
            group.clear();
        };
        for alike in portions.chunk_by(|one, other| view.run(one).price == view.run(other).price) {
            let mut alike = alike.to_vec();
            if missing < self.every {
                let (now, later) = take(&alike, missing);
                missing -= now.iter().map(|portion| portion.units).sum::<i64>();
                group.extend(now);
                alike = later;
            }
            if missing == 0 && left > 0 {
                close(&mut group, 1);
                left -= 1;
                missing = self.every;
            }
            // Groups of units with one price are all alike.
            let units: i64 = alike.iter().map(|portion| portion.units).sum();
            let times = (units / self.every).min(left);
            let (mut whole, rest) = take(&alike, times * self.every);
            if times > 0 {
                close(&mut whole, times);
                left -= times;
            }
            if left == 0 {
                break;
            }
            let units: i64 = rest.iter().map(|portion| portion.units).sum();
            if units > 0 {
                missing -= units;
                group.extend(rest);
            }
        }
        cuts
    }
}
