//! Buy some, get others for less (买赠, 买二送一).

use serde::{Deserialize, Serialize};

use super::Mechanic;
use crate::answer::Reason;
use crate::document::{Basis, Off, Pick, Problems, Rounding, Scope, is_default};
use crate::prelude::*;
use crate::pricing::{Cut, Outcome, Portion, View, ordered, take};
use crate::set::LineSet;

/// Buy some units, get others for less. Units that could count as either count as bought if they
/// would not be picked. If fewer units than promised are there, those are given.
///
/// Buy two teas, get one cup at half price: ¥15 off the cup of ¥30.
///
/// ```
/// # use youhui_promotion::*;
/// # let yuan = "CNY".parse().unwrap();
/// let get = Get { off: Off::BasisPoints(5000), scope: Scope::products(["cup"]), ..Get::default() };
/// let rule = BuyGet { buy: Scope::products(["tea"]), buy_quantity: 2, get, ..BuyGet::default() };
/// let basket = Basket::new(yuan, [Line::new("tea", 2, 1000), Line::new("cup", 1, 3000)]);
/// let set = Promotions::new([Promotion::new("half", yuan, rule.into())]).unwrap();
/// assert_eq!(set.price(&basket, &Context::default()).unwrap().total, 3500);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct BuyGet {
    /// Which units must be bought.
    #[serde(default, skip_serializing_if = "is_default")]
    pub buy: Scope,
    /// How many of them.
    pub buy_quantity: i64,
    /// What costs less then.
    pub get: Get,
    /// Which units count as bought first; those that would not be picked if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub buy_pick: Option<Pick>,
    /// Both on one line: each line counts by itself.
    #[serde(default, skip_serializing_if = "is_default")]
    pub same_line: bool,
    /// Whether an application may give fewer units than promised, for want of more.
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    pub partly: bool,
    /// Units that are got count as bought too.
    #[serde(default, skip_serializing_if = "is_default")]
    pub overlap: bool,
    /// Most applications; as many as there are if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub most_times: Option<i64>,
}

/// What is got.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Get {
    /// Which units.
    #[serde(default, skip_serializing_if = "is_default")]
    pub scope: Scope,
    /// How many.
    #[serde(default = "one")]
    pub quantity: i64,
    /// How much less each costs; everything if absent.
    #[serde(default = "free", skip_serializing_if = "is_free")]
    pub off: Off,
    /// Where the part of a minor unit of a share goes.
    #[serde(default, skip_serializing_if = "is_default")]
    pub rounding: Rounding,
    /// Which of them first.
    #[serde(default = "cheapest", skip_serializing_if = "is_cheapest")]
    pub pick: Pick,
}

const fn one() -> i64 {
    1
}

const fn yes() -> bool {
    true
}

const fn free() -> Off {
    Off::FREE
}

const fn cheapest() -> Pick {
    Pick::Cheapest
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
const fn is_yes(value: &bool) -> bool {
    *value
}

fn is_free(off: &Off) -> bool {
    *off == Off::FREE
}

fn is_cheapest(pick: &Pick) -> bool {
    *pick == Pick::Cheapest
}

impl Default for BuyGet {
    fn default() -> Self {
        Self {
            buy: Scope::default(),
            buy_quantity: 1,
            get: Get::default(),
            buy_pick: None,
            same_line: false,
            partly: true,
            overlap: false,
            most_times: None,
        }
    }
}

impl Default for Get {
    fn default() -> Self {
        Self { scope: Scope::default(), quantity: 1, off: Off::FREE, rounding: Rounding::default(), pick: Pick::Cheapest }
    }
}

impl Mechanic for BuyGet {
    fn scopes(&self, visit: &mut dyn FnMut(&Scope)) {
        visit(&self.buy);
        visit(&self.get.scope);
    }

    fn problems(&self, at: &str, problems: &mut Problems) {
        problems.scope(&self.buy, &format!("{at}/buy"));
        problems.units(self.buy_quantity, 1, format!("{at}/buy_quantity"));
        problems.scope(&self.get.scope, &format!("{at}/get/scope"));
        problems.units(self.get.quantity, 1, format!("{at}/get/quantity"));
        problems.off(self.get.off, true, &format!("{at}/get/off"));
        problems.rounding(self.get.rounding, &format!("{at}/get/rounding"));
        problems.units(self.most_times.unwrap_or(1), 1, format!("{at}/most_times"));
    }

    fn apply(&self, view: &View<'_>, lines: &[LineSet]) -> Result<Outcome, Reason> {
        let [bought, given] = [view.some(&lines[0])?, view.some(&lines[1])?];
        let cuts =
            if self.same_line { self.line_by_line(view, &bought, &given)? } else { self.among(view, &bought, &given, view.units_left)? };
        Ok(Outcome { cuts: ordered(cuts), each: true, ..Outcome::default() })
    }

    fn line_ceiling(&self, view: &View<'_>, lines: &[LineSet]) -> i128 {
        view.units_off(&lines[1], self.get.off, self.get.rounding)
    }

    fn rounding_step(&self) -> i64 {
        0
    }

    fn ceiling(&self, view: &View<'_>, lines: &[LineSet]) -> i128 {
        let [bought, given] = [view.whole(&lines[0]), view.whole(&lines[1])];
        // Each line by itself never makes more applications than all lines together.
        let times = (view.count(&bought, Basis::Quantity) / self.buy_quantity).min(self.times());
        view.dearest(&given, times.saturating_mul(self.get.quantity))
    }
}

impl BuyGet {
    fn times(&self) -> i64 {
        // Each line counts by itself, and so do their applications.
        if self.same_line { i64::MAX } else { self.most_times.unwrap_or(i64::MAX) }
    }

    fn line_by_line(&self, view: &View<'_>, bought: &[Portion], given: &[Portion]) -> Result<Vec<Cut>, Reason> {
        let line_of = |portion: &Portion| view.run(portion).line;
        let (mut cuts, mut reason, mut given, mut left) = (Vec::new(), None, given, view.units_left);
        for bought in bought.chunk_by(|one, other| line_of(one) == line_of(other)) {
            let line = line_of(&bought[0]);
            // Both are in the order of lines.
            let from = given.partition_point(|portion| line_of(portion) < line);
            let to = given.partition_point(|portion| line_of(portion) <= line);
            match self.among(view, bought, &given[from..to], left) {
                Ok(more) => {
                    left -= more.iter().filter(|cut| cut.each > 0).map(|cut| cut.units).sum::<i64>();
                    cuts.extend(more);
                }
                Err(why) => reason = reason.or(Some(why)),
            }
            given = &given[to..];
        }
        match reason {
            Some(reason) if cuts.is_empty() => Err(reason),
            _ => Ok(cuts),
        }
    }

    fn among(&self, view: &View<'_>, bought: &[Portion], given: &[Portion], most: i64) -> Result<Vec<Cut>, Reason> {
        let size = |portions: &[Portion]| view.count(portions, Basis::Quantity);
        let is_given = |portion: &Portion| given.binary_search_by_key(&portion.run, |other| other.run).is_ok();
        let (both, only_bought): (Vec<Portion>, Vec<Portion>) = bought.iter().partition(|portion| !self.overlap && is_given(portion));
        let (needs, gives) = (self.buy_quantity, self.get.quantity);
        if size(bought) < needs {
            return Err(Reason::UnitsMissing { missing: needs - size(bought) });
        }
        // What can be given after so many applications took what they need.
        let left = |times: i64| size(given) - (times * needs - size(&only_bought)).max(0);
        let least = |times: i64| if self.partly { (times - 1) * gives + 1 } else { times * gives };
        let possible = |times: i64| times * needs <= size(bought) && left(times) >= least(times);
        // More applications need more and leave less, so halving finds the most.
        let (mut times, mut too_many) = (0, size(bought) / needs + 1);
        while times + 1 < too_many {
            let middle = times + (too_many - times) / 2;
            if possible(middle) { times = middle } else { too_many = middle }
        }
        let times = times.min(self.most_times.unwrap_or(i64::MAX));
        if times == 0 {
            let missing = if self.partly { 1 } else { least(1) - left(1) };
            return Err(Reason::UnitsMissing { missing: missing.max(1) });
        }
        Ok(self.cuts(view, times, both, &only_bought, given, most))
    }

    fn cuts(&self, view: &View<'_>, times: i64, mut both: Vec<Portion>, only_bought: &[Portion], given: &[Portion], most: i64) -> Vec<Cut> {
        let alone = view.count(only_bought, Basis::Quantity);
        // Of units that could be either, those count as bought that would not be picked.
        let opposite = match self.get.pick {
            Pick::Cheapest => Pick::Dearest,
            Pick::Dearest => Pick::Cheapest,
            other => other,
        };
        view.sort(&mut both, self.buy_pick.unwrap_or(opposite));
        let needs = times * self.buy_quantity;
        let (counted, rest) = take(&both, (needs - alone).max(0));
        let counted_alone = take(only_bought, needs).0;
        let mut runs: Vec<usize> = both.iter().map(|portion| portion.run).collect();
        runs.sort_unstable();
        let is_both = |portion: &Portion| runs.binary_search(&portion.run).is_ok();
        let mut open: Vec<Portion> = given.iter().filter(|portion| !is_both(portion)).copied().chain(rest).collect();
        view.sort(&mut open, self.get.pick);
        let taken = take(&open, times.saturating_mul(self.get.quantity).min(most)).0;
        let cheaper = taken.iter().map(|portion| view.unit_off(portion, self.get.off, self.get.rounding));
        cheaper.chain(counted.iter().chain(&counted_alone).map(|portion| view.cut(portion, 0))).collect()
    }
}
