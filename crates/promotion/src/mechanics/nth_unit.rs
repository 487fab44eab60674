//! Every n-th unit for less (第二件半价).

use serde::{Deserialize, Serialize};

use super::Mechanic;
use crate::answer::Reason;
use crate::document::{Off, Pick, Problems, Rounding, Scope, is_default};
use crate::prelude::*;
use crate::pricing::{Outcome, View, ordered, take};
use crate::set::LineSet;

/// Every n-th unit for less; units in order of price, the dearest first, so that the n-th of each
/// group is its cheapest.
///
/// The second cup at half price, on three cups at ¥30: ¥15 off.
///
/// ```
/// # use youhui_promotion::*;
/// # let yuan = "CNY".parse().unwrap();
/// let rule = NthUnit::new(2, Off::BasisPoints(5000), Scope::products(["cup"]));
/// let basket = Basket::new(yuan, [Line::new("cup", 3, 3000)]);
/// let set = Promotions::new([Promotion::new("second", yuan, rule.into())]).unwrap();
/// assert_eq!(set.price(&basket, &Context::default()).unwrap().total, 7500);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct NthUnit {
    /// Every which.
    pub nth: i64,
    /// How much less it costs.
    pub off: Off,
    /// Where the part of a minor unit of a share goes.
    #[serde(default, skip_serializing_if = "is_default")]
    pub rounding: Rounding,
    /// In which order units are counted.
    #[serde(default = "dearest", skip_serializing_if = "is_dearest")]
    pub pick: Pick,
    /// Most units that cost less; as many as there are if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub most_times: Option<i64>,
    /// On which units.
    #[serde(default, skip_serializing_if = "is_default")]
    pub scope: Scope,
}

const fn dearest() -> Pick {
    Pick::Dearest
}

fn is_dearest(pick: &Pick) -> bool {
    *pick == Pick::Dearest
}

impl NthUnit {
    /// Every n-th unit in scope for less.
    pub fn new(nth: i64, off: Off, scope: Scope) -> Self {
        Self { nth, off, rounding: Rounding::default(), pick: Pick::Dearest, most_times: None, scope }
    }
}

impl Mechanic for NthUnit {
    fn scopes(&self, visit: &mut dyn FnMut(&Scope)) {
        visit(&self.scope);
    }

    fn problems(&self, at: &str, problems: &mut Problems) {
        problems.units(self.nth, 1, format!("{at}/nth"));
        problems.off(self.off, true, &format!("{at}/off"));
        problems.rounding(self.rounding, &format!("{at}/rounding"));
        problems.units(self.most_times.unwrap_or(1), 1, format!("{at}/most_times"));
        problems.scope(&self.scope, &format!("{at}/scope"));
    }

    fn apply(&self, view: &View<'_>, lines: &[LineSet]) -> Result<Outcome, Reason> {
        let mut portions = view.some(&lines[0])?;
        let groups = view.groups(&portions, self.nth, self.most_times)?.min(view.units_left);
        view.sort(&mut portions, self.pick);
        let counted = take(&portions, groups * self.nth).0;
        let mut position = 0;
        let mut cuts = Vec::new();
        // Of units with one price it is the first that cost less: it makes no difference to the sum.
        for alike in counted.chunk_by(|one, other| view.run(one).price == view.run(other).price) {
            let units: i64 = alike.iter().map(|portion| portion.units).sum();
            let cheaper = (position + units) / self.nth - position / self.nth;
            position += units;
            let (cheaper, others) = take(alike, cheaper);
            cuts.extend(cheaper.iter().map(|portion| view.unit_off(portion, self.off, self.rounding)));
            cuts.extend(others.iter().map(|portion| view.cut(portion, 0)));
        }
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
        view.dearest(&portions, view.groups(&portions, self.nth, self.most_times).unwrap_or(0))
    }
}
