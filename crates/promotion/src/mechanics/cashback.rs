//! Money back, given later (返现).

use serde::{Deserialize, Serialize};

use super::Mechanic;
use crate::answer::Reason;
use crate::document::{Basis, Problems, Rounding, Scope, is_default, share_of};
use crate::prelude::*;
use crate::pricing::{Outcome, View, scaled};
use crate::set::LineSet;

/// A share of what is paid comes back later: it stands in the answer and takes nothing off now.
///
/// 5 % back on ¥33.50: ¥1.68.
///
/// ```
/// # use youhui_promotion::*;
/// # let yuan = "CNY".parse().unwrap();
/// let rule = Cashback { basis_points: 500, ..Cashback::default() };
/// let set = Promotions::new([Promotion::new("back", yuan, rule.into())]).unwrap();
/// let priced = set.price(&Basket::new(yuan, [Line::new("cup", 1, 3350)]), &Context::default()).unwrap();
/// assert_eq!((priced.cashback, priced.total), (168, 3350));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Cashback {
    /// The share in basis points.
    pub basis_points: u32,
    /// Most that it gives on one basket, in minor units.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cap: Option<i64>,
    /// Where the part of a minor unit goes.
    #[serde(default, skip_serializing_if = "is_default")]
    pub rounding: Rounding,
    /// On which units.
    #[serde(default, skip_serializing_if = "is_default")]
    pub scope: Scope,
}

impl Cashback {
    fn amount(&self, spent: i64) -> i64 {
        share_of(spent, self.basis_points, self.rounding).min(self.cap.unwrap_or(i64::MAX))
    }
}

impl Mechanic for Cashback {
    fn scopes(&self, visit: &mut dyn FnMut(&Scope)) {
        visit(&self.scope);
    }

    fn problems(&self, at: &str, problems: &mut Problems) {
        problems.share(self.basis_points, format!("{at}/basis_points"));
        problems.amount(self.cap.unwrap_or(1), 1, format!("{at}/cap"));
        problems.rounding(self.rounding, &format!("{at}/rounding"));
        problems.scope(&self.scope, &format!("{at}/scope"));
    }

    fn apply(&self, view: &View<'_>, lines: &[LineSet]) -> Result<Outcome, Reason> {
        let portions = view.some(&lines[0])?;
        let counts = portions.iter().map(|portion| view.cut(portion, 0)).collect();
        let cashback = self.amount(view.count(&portions, Basis::Remaining));
        Ok(Outcome { cuts: counts, cashback, each: true, ..Outcome::default() })
    }

    fn counts_units(&self) -> bool {
        false
    }

    fn beyond_lines(&self, view: &View<'_>, lines: &[LineSet]) -> i128 {
        self.ceiling(view, lines)
    }

    fn line_ceiling(&self, _: &View<'_>, _: &[LineSet]) -> i128 {
        0
    }

    fn ceiling(&self, view: &View<'_>, lines: &[LineSet]) -> i128 {
        scaled(self.amount(view.count(&view.whole(&lines[0]), Basis::Remaining)))
    }
}
