//! Points, given later.

use serde::{Deserialize, Serialize};

use super::Mechanic;
use crate::answer::Reason;
use crate::document::{Basis, Problems, Scope, is_default};
use crate::prelude::*;
use crate::pricing::{Outcome, View};
use crate::set::LineSet;

/// Points, given later: they stand in the answer, take nothing off and are no money when promotions
/// are compared.
///
/// 10 points for every full ¥1, on ¥33.50: 330 points.
///
/// ```
/// # use youhui_promotion::*;
/// # let yuan = "CNY".parse().unwrap();
/// let rule = Points { points: 10, every: Some(100), scope: Scope::everything() };
/// let set = Promotions::new([Promotion::new("points", yuan, rule.into())]).unwrap();
/// let priced = set.price(&Basket::new(yuan, [Line::new("cup", 1, 3350)]), &Context::default()).unwrap();
/// assert_eq!((priced.points, priced.total), (330, 3350));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Points {
    /// How many.
    pub points: i64,
    /// For every so much spent in scope, in minor units; once if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub every: Option<i64>,
    /// On which units.
    #[serde(default, skip_serializing_if = "is_default")]
    pub scope: Scope,
}

impl Mechanic for Points {
    fn scopes(&self, visit: &mut dyn FnMut(&Scope)) {
        visit(&self.scope);
    }

    fn problems(&self, at: &str, problems: &mut Problems) {
        problems.units(self.points, 1, format!("{at}/points"));
        problems.amount(self.every.unwrap_or(1), 1, format!("{at}/every"));
        problems.scope(&self.scope, &format!("{at}/scope"));
    }

    fn apply(&self, view: &View<'_>, lines: &[LineSet]) -> Result<Outcome, Reason> {
        let portions = view.some(&lines[0])?;
        let spent = view.count(&portions, Basis::Remaining);
        let times = self.every.map_or(1, |every| spent / every);
        if times == 0 {
            return Err(Reason::SpendMissing { missing: self.every.unwrap_or(0) - spent });
        }
        let counts = portions.iter().map(|portion| view.cut(portion, 0)).collect();
        Ok(Outcome { cuts: counts, points: times.saturating_mul(self.points), each: true, ..Outcome::default() })
    }

    fn counts_units(&self) -> bool {
        false
    }

    fn line_ceiling(&self, _: &View<'_>, _: &[LineSet]) -> i128 {
        0
    }

    fn ceiling(&self, _: &View<'_>, _: &[LineSet]) -> i128 {
        0
    }
}
