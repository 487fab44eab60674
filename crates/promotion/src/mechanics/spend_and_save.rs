//! Spend and save in tiers (满减).

use serde::{Deserialize, Serialize};

use super::Mechanic;
use crate::answer::Reason;
use crate::document::{Basis, Off, Problems, Rounding, Scope, Split, is_default, share_of};
use crate::prelude::*;
use crate::pricing::{Missing, NextStep, Outcome, View, scaled};
use crate::set::LineSet;

/// The highest tier that the units in scope reach, by spend or by units (满3件打8折).
///
/// Spend ¥100 save ¥10, spend ¥200 save ¥30. A basket of ¥120 saves ¥10, and is told that ¥80 more
/// save ¥20 more.
///
/// ```
/// # use youhui_promotion::*;
/// # let yuan = "CNY".parse().unwrap();
/// let tiers = vec![Tier { from: 10_000, off: Off::Amount(1000) }, Tier { from: 20_000, off: Off::Amount(3000) }];
/// let full = Promotion::new("full", yuan, SpendAndSave { tiers, ..SpendAndSave::default() }.into());
/// let basket = Basket::new(yuan, [Line::new("cup", 4, 3000)]);
/// let priced = Promotions::new([full]).unwrap().price(&basket, &Context::default()).unwrap();
/// assert_eq!(priced.total, 11_000);
/// assert_eq!(priced.hints[0].to_string(), "¥80.00 more for ¥20.00 off");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct SpendAndSave {
    /// Tiers in rising order.
    pub tiers: Vec<Tier>,
    /// What the tiers count.
    #[serde(default, skip_serializing_if = "is_default")]
    pub basis: Basis,
    /// Where the part of a minor unit of a share goes.
    #[serde(default, skip_serializing_if = "is_default")]
    pub rounding: Rounding,
    /// How the amount is split.
    #[serde(default, skip_serializing_if = "is_default")]
    pub split: Split,
    /// On which units.
    #[serde(default, skip_serializing_if = "is_default")]
    pub scope: Scope,
}

/// One step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Tier {
    /// From this amount, or from so many units, on …
    pub from: i64,
    /// … this much is taken off.
    pub off: Off,
}

impl Mechanic for SpendAndSave {
    fn scopes(&self, visit: &mut dyn FnMut(&Scope)) {
        visit(&self.scope);
    }

    fn problems(&self, at: &str, problems: &mut Problems) {
        problems.say(self.tiers.is_empty(), format!("{at}/tiers"), "give at least one tier");
        problems.say(self.tiers.len() > 64, format!("{at}/tiers"), "give at most 64 tiers");
        for (place, tier) in self.tiers.iter().enumerate().take(64) {
            let tier_at = format!("{at}/tiers/{place}");
            problems.amount(tier.from, 0, format!("{tier_at}/from"));
            problems.off(tier.off, false, &format!("{tier_at}/off"));
            let falls = place > 0 && self.tiers[place - 1].from >= tier.from;
            problems.say(falls, format!("{tier_at}/from"), "must ask more than the tier before");
            let gives_less = place > 0
                && match (self.tiers[place - 1].off, tier.off) {
                    (Off::Amount(before), Off::Amount(now)) => now <= before,
                    (Off::BasisPoints(before), Off::BasisPoints(now)) => now <= before,
                    _ => false,
                };
            problems.say(gives_less, format!("{tier_at}/off"), "must give more than the tier before");
            let money = self.basis != Basis::Quantity && tier.from > 0;
            let more = money && matches!(tier.off, Off::Amount(amount) if amount > tier.from);
            problems.say(more, format!("{tier_at}/off/amount"), "is above from: the shop would pay people to take goods");
        }
        problems.rounding(self.rounding, &format!("{at}/rounding"));
        problems.scope(&self.scope, &format!("{at}/scope"));
    }

    fn apply(&self, view: &View<'_>, lines: &[LineSet]) -> Result<Outcome, Reason> {
        let portions = view.some(&lines[0])?;
        let counted = view.count(&portions, self.basis);
        let reached = self.tiers.partition_point(|tier| tier.from <= counted);
        let Some(tier) = reached.checked_sub(1).map(|place| self.tiers[place]) else {
            let missing = self.tiers.first().map_or(0, |tier| tier.from - counted);
            return Err(Missing::to(self.basis, missing).reason());
        };
        let (cuts, each) = view.off(&portions, tier.off, self.rounding, self.split);
        let next = self.tiers.get(reached).and_then(|next| {
            let saves = self.amount_of(*next, next.from)? - cuts.iter().map(|cut| cut.units * cut.each).sum::<i64>();
            (saves > 0).then(|| NextStep { missing: Missing::to(self.basis, next.from - counted), saves })
        });
        Ok(Outcome { cuts, each, next, ..Outcome::default() })
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
        // A tier is reached by at least `from`, so a line's share of it is at most that of its price.
        let price = i128::from(view.cost(&portions));
        let most = |tier: &Tier| match tier.off {
            Off::Amount(amount) if tier.from > 0 => (price * scaled(amount)).div_euclid(i128::from(tier.from)) + 1,
            Off::Amount(amount) => scaled(amount),
            Off::BasisPoints(share) => price * i128::from(share),
            Off::Price(_) | Off::UnitPrice(_) => room,
        };
        self.tiers.iter().map(most).max().unwrap_or(0).min(room)
    }

    fn rounding_step(&self) -> i64 {
        self.rounding.to
    }

    fn ceiling(&self, view: &View<'_>, lines: &[LineSet]) -> i128 {
        let portions = view.whole(&lines[0]);
        let counted = view.count(&portions, self.basis);
        let spend = view.count(&portions, Basis::Remaining);
        let most = |tier: &Tier| match tier.off {
            Off::Amount(amount) => scaled(amount),
            // What is less is rounded to no more.
            Off::BasisPoints(share) => scaled(share_of(spend, share, self.rounding)),
            Off::Price(_) | Off::UnitPrice(_) => i128::MAX,
        };
        let reached = self.tiers.iter().filter(|tier| tier.from <= counted);
        reached.map(most).max().unwrap_or(0).min(scaled(view.room(&portions)))
    }

    fn saves_at(&self, spend: i64) -> Option<i64> {
        let reached = self.tiers.iter().rev().find(|tier| self.basis == Basis::Quantity || tier.from <= spend)?;
        self.amount_of(*reached, spend)
    }
}

impl SpendAndSave {
    fn amount_of(&self, tier: Tier, spend: i64) -> Option<i64> {
        match tier.off {
            Off::Amount(amount) => Some(amount),
            Off::BasisPoints(share) if self.basis != Basis::Quantity => Some(share_of(spend, share, self.rounding)),
            Off::Price(price) if self.basis != Basis::Quantity => Some(spend - price),
            _ => None,
        }
    }
}
