//! Another product for little once the conditions hold (换购).

use serde::{Deserialize, Serialize};

use super::Mechanic;
use crate::answer::Reason;
use crate::document::{Basis, Name, Pick, Problems, Scope, is_default};
use crate::prelude::*;
use crate::pricing::{Outcome, View, ordered, take};
use crate::set::LineSet;

/// Another product for little, once enough else is bought. The product is a line of the basket like
/// any other; while it is not in there and the rest is, the answer's `add_ons` offer it.
///
/// From ¥100 of other goods on, a towel of ¥9 for ¥1.
///
/// ```
/// # use youhui_promotion::*;
/// # let yuan = "CNY".parse().unwrap();
/// let rule = AddOnPrice { spend: 10_000, product_id: "towel".into(), unit_price: 100, ..AddOnPrice::default() };
/// let set = Promotions::new([Promotion::new("add", yuan, rule.into())]).unwrap();
/// let mut basket = Basket::new(yuan, [Line::new("pot", 1, 12_000)]);
/// let priced = set.price(&basket, &Context::default()).unwrap();
/// assert_eq!((priced.total, &*priced.add_ons[0].product_id, priced.add_ons[0].unit_price), (12_000, "towel", 100));
/// basket.lines.push(Line::new("towel", 2, 900));
/// assert_eq!(set.price(&basket, &Context::default()).unwrap().total, 12_000 + 100 + 900);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct AddOnPrice {
    /// Which product.
    pub product_id: Name,
    /// What one costs then.
    pub unit_price: i64,
    /// Most units at that price.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub most_units: i64,
    /// From so much spent in scope on, not counting the product itself.
    #[serde(default, skip_serializing_if = "is_default")]
    pub spend: i64,
    /// What must be bought.
    #[serde(default, skip_serializing_if = "is_default")]
    pub scope: Scope,
}

const fn one() -> i64 {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
const fn is_one(units: &i64) -> bool {
    *units == 1
}

impl Default for AddOnPrice {
    fn default() -> Self {
        Self { product_id: "".into(), unit_price: 0, most_units: 1, spend: 0, scope: Scope::default() }
    }
}

impl Mechanic for AddOnPrice {
    fn scopes(&self, visit: &mut dyn FnMut(&Scope)) {
        visit(&self.scope);
        visit(&Scope::products([&*self.product_id]));
    }

    fn needed_scopes(&self) -> usize {
        // Without the product it is offered.
        1
    }

    fn problems(&self, at: &str, problems: &mut Problems) {
        problems.say(self.product_id.trim().is_empty(), format!("{at}/product_id"), "name the product");
        problems.amount(self.unit_price, 0, format!("{at}/unit_price"));
        problems.units(self.most_units, 1, format!("{at}/most_units"));
        problems.amount(self.spend, 0, format!("{at}/spend"));
        problems.scope(&self.scope, &format!("{at}/scope"));
    }

    fn apply(&self, view: &View<'_>, lines: &[LineSet]) -> Result<Outcome, Reason> {
        let mut others = view.whole(&lines[0]);
        others.retain(|portion| !lines[1].contains(view.run(portion).line));
        if others.is_empty() {
            return Err(Reason::NothingInScope);
        }
        let spent = view.count(&others, Basis::Remaining);
        if spent < self.spend {
            return Err(Reason::SpendMissing { missing: self.spend - spent });
        }
        let mut portions = view.whole(&lines[1]);
        view.sort(&mut portions, Pick::Dearest);
        let most = self.most_units.min(view.units_left);
        let taken = take(&portions, most).0;
        let cuts = taken.iter().map(|portion| view.cut(portion, view.run(portion).price - self.unit_price));
        let counts = others.iter().map(|portion| view.cut(portion, 0));
        let offered = most - taken.iter().map(|portion| portion.units).sum::<i64>();
        let add_on = (offered > 0).then(|| (self.product_id.clone(), offered, self.unit_price));
        Ok(Outcome { cuts: ordered(cuts.chain(counts).collect()), add_on, each: true, ..Outcome::default() })
    }

    fn ceiling(&self, view: &View<'_>, lines: &[LineSet]) -> i128 {
        view.dearest(&view.whole(&lines[1]), self.most_units)
    }
}
