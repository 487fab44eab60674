//! A percentage off.

use serde::{Deserialize, Serialize};

use super::Mechanic;
use crate::answer::Reason;
use crate::document::{AtFloor, Basis, Most, Problems, Rounding, RoundingAt, Scope, Split, is_default, share_of};
use crate::prelude::*;
use crate::pricing::{Outcome, Portion, View, scaled};
use crate::set::LineSet;

/// A share off the units in scope, capped or not, of what is left or of the original price.
///
/// 12.5 % off ¥33.33 and ¥9.99 is ¥5.415, rounded once to ¥5.42 and split ¥4.17 and ¥1.25.
///
/// ```
/// # use youhui_promotion::*;
/// # let yuan = "CNY".parse().unwrap();
/// let sale = Promotion::new("sale", yuan, PercentOff { basis_points: 1250, ..PercentOff::default() }.into());
/// let basket = Basket::new(yuan, [Line::new("cup", 1, 3333), Line::new("tea", 1, 999)]);
/// let priced = Promotions::new([sale]).unwrap().price(&basket, &Context::default()).unwrap();
/// assert_eq!((priced.discount, priced.lines[0].discount, priced.lines[1].discount), (542, 417, 125));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct PercentOff {
    /// The share in basis points: 1000 is 10 %.
    pub basis_points: u32,
    /// Most that it gives on one basket, or on each part that `each` looks at, in minor units.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cap: Option<i64>,
    /// Of which price.
    #[serde(default, skip_serializing_if = "is_default")]
    pub basis: Basis,
    /// Where the part of a minor unit goes.
    #[serde(default, skip_serializing_if = "is_default")]
    pub rounding: Rounding,
    /// How many units, and which.
    #[serde(default, skip_serializing_if = "is_default")]
    pub most: Most,
    /// How the rounded amount is split.
    #[serde(default, skip_serializing_if = "is_default")]
    pub split: Split,
    /// On which units.
    #[serde(default, skip_serializing_if = "is_default")]
    pub scope: Scope,
}

impl Mechanic for PercentOff {
    fn scopes(&self, visit: &mut dyn FnMut(&Scope)) {
        visit(&self.scope);
    }

    fn problems(&self, at: &str, problems: &mut Problems) {
        problems.share(self.basis_points, format!("{at}/basis_points"));
        problems.amount(self.cap.unwrap_or(1), 1, format!("{at}/cap"));
        problems.rounding(self.rounding, &format!("{at}/rounding"));
        problems.say(self.basis == Basis::Quantity, format!("{at}/basis"), "a share is of a price: write remaining, catalogue or original");
        problems.most(&self.most, &format!("{at}/most"));
        problems.scope(&self.scope, &format!("{at}/scope"));
    }

    fn apply(&self, view: &View<'_>, lines: &[LineSet]) -> Result<Outcome, Reason> {
        let portions = view.at_most(&lines[0], self.most)?;
        let cuts = view.percent(&portions, self.basis_points, self.basis, self.rounding, self.split);
        let amount: i64 = cuts.iter().map(|cut| cut.units * cut.each).sum();
        let capped = self.cap.filter(|cap| *cap < amount);
        let cuts = match capped {
            // What is left of it goes where it would have gone.
            Some(cap) => {
                view.split_by(&portions, cap, Split { at_floor: AtFloor::Redistribute, ..self.split }, |run| View::worth(run, self.basis))
            }
            None => cuts,
        };
        Ok(Outcome { cuts, each: self.rounding.at != RoundingAt::Promotion && capped.is_none(), ..Outcome::default() })
    }

    fn line_ceiling(&self, view: &View<'_>, lines: &[LineSet]) -> i128 {
        let portions = view.whole(&lines[0]);
        // What other lines have no room for may come here.
        let stays = self.basis == Basis::Remaining && !view.floors;
        match self.rounding.at {
            RoundingAt::Promotion if stays => i128::from(view.count(&portions, self.basis)) * i128::from(self.basis_points),
            RoundingAt::Promotion => scaled(view.room(&portions)),
            // Rounded line by line, or unit by unit.
            RoundingAt::Line | RoundingAt::Unit => self.ceiling(view, lines),
        }
    }

    fn rounding_step(&self) -> i64 {
        if self.rounding.at == RoundingAt::Promotion { self.rounding.to } else { 0 }
    }

    fn ceiling(&self, view: &View<'_>, lines: &[LineSet]) -> i128 {
        let portions = view.whole(&lines[0]);
        // Prices only fall, and what is less is rounded to no more.
        let of = |portions: &[Portion]| share_of(view.count(portions, self.basis), self.basis_points, self.rounding);
        let rounded = match self.rounding.at {
            RoundingAt::Promotion => scaled(of(&portions)),
            RoundingAt::Line => {
                let lines = portions.chunk_by(|one, other| view.run(one).line == view.run(other).line);
                lines.map(|line| scaled(of(line))).sum()
            }
            RoundingAt::Unit => {
                let unit = |portion: &Portion| share_of(View::worth(view.run(portion), self.basis), self.basis_points, self.rounding);
                portions.iter().map(|portion| scaled(portion.units) * i128::from(unit(portion))).sum()
            }
        };
        rounded.min(scaled(self.cap.unwrap_or(i64::MAX))).min(scaled(view.room(&portions)))
    }

    fn saves_at(&self, spend: i64) -> Option<i64> {
        let whole = self.most == Most::default();
        whole.then(|| share_of(spend, self.basis_points, self.rounding).min(self.cap.unwrap_or(i64::MAX)))
    }
}
