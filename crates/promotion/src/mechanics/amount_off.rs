//! An amount off.

use serde::{Deserialize, Serialize};

use super::Mechanic;
use crate::answer::Reason;
use crate::document::{Most, Problems, Scope, Split, is_default};
use crate::prelude::*;
use crate::pricing::{Cut, Outcome, Portion, View, ordered, scaled};
use crate::set::LineSet;

/// An amount off the units in scope together, off each line, or off each unit.
///
/// ¥20 off three cups at ¥30: two units get ¥6.67 off and one ¥6.66.
///
/// ```
/// # use youhui_promotion::*;
/// # let yuan = "CNY".parse().unwrap();
/// let coupon = Promotion::new("ten", yuan, AmountOff { amount: 2000, ..AmountOff::default() }.into()).with_code("TEN");
/// let basket = Basket { codes: vec!["ten ".into()], ..Basket::new(yuan, [Line::new("cup", 3, 3000)]) };
/// let priced = Promotions::new([coupon]).unwrap().price(&basket, &Context::default()).unwrap();
/// assert_eq!(priced.total, 7000);
/// assert_eq!(priced.lines[0].units, [UnitPrice { quantity: 2, unit_price: 2333 }, UnitPrice { quantity: 1, unit_price: 2334 }]);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct AmountOff {
    /// How much.
    pub amount: i64,
    /// Off what.
    #[serde(default, skip_serializing_if = "is_default")]
    pub per: Per,
    /// Off each unit of a line after its first, where it is another amount; for `per` unit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub further_amount: Option<i64>,
    /// How many units, and which.
    #[serde(default, skip_serializing_if = "is_default")]
    pub most: Most,
    /// How one amount is split.
    #[serde(default, skip_serializing_if = "is_default")]
    pub split: Split,
    /// On which units.
    #[serde(default, skip_serializing_if = "is_default")]
    pub scope: Scope,
}

/// What an amount is taken off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Per {
    /// All units in scope together.
    #[default]
    Order,
    /// Each line.
    Line,
    /// Each unit.
    Unit,
}

impl Mechanic for AmountOff {
    fn scopes(&self, visit: &mut dyn FnMut(&Scope)) {
        visit(&self.scope);
    }

    fn problems(&self, at: &str, problems: &mut Problems) {
        // The first unit of a line may get nothing where further ones get something.
        let least = i64::from(self.further_amount.is_none());
        problems.amount(self.amount, least, format!("{at}/amount"));
        problems.amount(self.further_amount.unwrap_or(0), 0, format!("{at}/further_amount"));
        let stray = self.further_amount.is_some() && self.per != Per::Unit;
        problems.say(stray, format!("{at}/further_amount"), "is of units: set per to unit");
        problems.most(&self.most, &format!("{at}/most"));
        problems.scope(&self.scope, &format!("{at}/scope"));
    }

    fn apply(&self, view: &View<'_>, lines: &[LineSet]) -> Result<Outcome, Reason> {
        let portions = view.at_most(&lines[0], self.most)?;
        let cuts = match self.per {
            Per::Order => view.split(&portions, self.amount, self.split),
            Per::Line => {
                let lines = portions.chunk_by(|one, other| view.run(one).line == view.run(other).line);
                lines.flat_map(|line| view.split(line, self.amount, self.split)).collect()
            }
            Per::Unit => self.unit_by_unit(view, &portions),
        };
        Ok(Outcome { cuts, each: self.per != Per::Order, ..Outcome::default() })
    }

    fn line_ceiling(&self, view: &View<'_>, lines: &[LineSet]) -> i128 {
        match self.per {
            Per::Unit => self.ceiling(view, lines),
            Per::Order | Per::Line => scaled(view.room(&view.whole(&lines[0])).min(self.amount)),
        }
    }

    fn rounding_step(&self) -> i64 {
        0
    }

    fn ceiling(&self, view: &View<'_>, lines: &[LineSet]) -> i128 {
        let portions = view.whole(&lines[0]);
        let room = scaled(view.room(&portions));
        match self.per {
            Per::Order => room.min(scaled(self.amount)),
            Per::Line => room,
            Per::Unit => {
                let amount = self.amount.max(self.further_amount.unwrap_or(0));
                portions.iter().map(|portion| scaled(portion.units * amount.min(view.run(portion).room()))).sum()
            }
        }
    }

    fn saves_at(&self, _: i64) -> Option<i64> {
        (self.per == Per::Order && self.most == Most::default()).then_some(self.amount)
    }
}

impl AmountOff {
    fn unit_by_unit(&self, view: &View<'_>, portions: &[Portion]) -> Vec<Cut> {
        let Some(further) = self.further_amount else {
            return portions.iter().map(|portion| view.cut(portion, self.amount)).collect();
        };
        let mut line = None;
        let mut cuts = Vec::with_capacity(portions.len());
        for portion in portions {
            let first = i64::from(line.replace(view.run(portion).line) != Some(view.run(portion).line));
            let (first, others) = portion.split_at(first);
            cuts.push(view.cut(&first, self.amount));
            cuts.push(view.cut(&others, further));
        }
        ordered(cuts)
    }
}
