//! Less or nothing for shipping (包邮, 运费满减).

use serde::{Deserialize, Serialize};

use super::{Mechanic, Tier};
use crate::answer::Reason;
use crate::document::{Basis, Off, Problems, Rounding, Scope, is_default, share_of};
use crate::prelude::*;
use crate::pricing::{Missing, Outcome, View, scaled};
use crate::set::LineSet;

/// Less or nothing for shipping. For single methods of shipping, or from a spend on, give the
/// promotion a condition.
///
/// Free shipping up to ¥8, on ¥12 of shipping: ¥4 remain.
///
/// ```
/// # use youhui_promotion::*;
/// # let yuan = "CNY".parse().unwrap();
/// let rule = ShippingOff { cap: Some(800), ..ShippingOff::default() };
/// let set = Promotions::new([Promotion::new("ship", yuan, rule.into())]).unwrap();
/// let shipping = Some(Shipment { amount: 1200, ..Shipment::default() });
/// let basket = Basket { shipping, ..Basket::new(yuan, [Line::new("cup", 1, 3000)]) };
/// assert_eq!(set.price(&basket, &Context::default()).unwrap().total, 3400);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct ShippingOff {
    /// How much less, or what it costs; nothing if absent. Tiers, where there are any, say it instead.
    #[serde(skip_serializing_if = "is_free")]
    pub off: Off,
    /// The highest tier that is reached, in rising order (运费满减).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tiers: Vec<Tier>,
    /// What tiers count.
    #[serde(skip_serializing_if = "is_default")]
    pub basis: Basis,
    /// Whether tiers count the price of shipping itself instead of goods.
    #[serde(skip_serializing_if = "is_default")]
    pub of_shipping: bool,
    /// Of which goods tiers count.
    #[serde(skip_serializing_if = "is_default")]
    pub scope: Scope,
    /// Most that it gives, in minor units.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cap: Option<i64>,
    /// Where the part of a minor unit of a share goes.
    #[serde(skip_serializing_if = "is_default")]
    pub rounding: Rounding,
}

impl Default for ShippingOff {
    fn default() -> Self {
        Self {
            off: Off::FREE,
            tiers: vec![],
            basis: Basis::default(),
            of_shipping: false,
            scope: Scope::default(),
            cap: None,
            rounding: Rounding::default(),
        }
    }
}

impl ShippingOff {
    fn amount(&self, off: Off, shipping: i64) -> i64 {
        let amount = match off {
            Off::Amount(amount) => amount,
            Off::BasisPoints(share) => share_of(shipping, share, self.rounding),
            Off::Price(price) | Off::UnitPrice(price) => shipping - price,
        };
        amount.min(self.cap.unwrap_or(i64::MAX)).clamp(0, shipping)
    }
}

fn is_free(off: &Off) -> bool {
    *off == Off::FREE
}

impl ShippingOff {
    fn counted(&self, view: &View<'_>, lines: &[LineSet]) -> i64 {
        if self.of_shipping { view.shipping } else { view.count(&view.whole(&lines[0]), self.basis) }
    }
}

impl Mechanic for ShippingOff {
    fn scopes(&self, visit: &mut dyn FnMut(&Scope)) {
        visit(&self.scope);
    }

    fn needed_scopes(&self) -> usize {
        0
    }

    fn problems(&self, at: &str, problems: &mut Problems) {
        problems.off(self.off, false, &format!("{at}/off"));
        problems.say(self.tiers.len() > 64, format!("{at}/tiers"), "give at most 64 tiers");
        for (place, tier) in self.tiers.iter().enumerate().take(64) {
            problems.amount(tier.from, 0, format!("{at}/tiers/{place}/from"));
            problems.off(tier.off, false, &format!("{at}/tiers/{place}/off"));
            let falls = place > 0 && self.tiers[place - 1].from >= tier.from;
            problems.say(falls, format!("{at}/tiers/{place}/from"), "must ask more than the tier before");
        }
        problems.scope(&self.scope, &format!("{at}/scope"));
        problems.amount(self.cap.unwrap_or(1), 1, format!("{at}/cap"));
        problems.rounding(self.rounding, &format!("{at}/rounding"));
    }

    fn apply(&self, view: &View<'_>, lines: &[LineSet]) -> Result<Outcome, Reason> {
        if view.basket.shipping.is_none() {
            return Err(Reason::NoShipping);
        }
        let Some(first) = self.tiers.first() else {
            return Ok(Outcome { shipping: self.amount(self.off, view.shipping), ..Outcome::default() });
        };
        let counted = self.counted(view, lines);
        let tier = self.tiers.iter().rev().find(|tier| tier.from <= counted);
        let tier = tier.ok_or_else(|| Missing::to(self.basis, first.from - counted).reason())?;
        Ok(Outcome { shipping: self.amount(tier.off, view.shipping), ..Outcome::default() })
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

    fn ceiling(&self, view: &View<'_>, _: &[LineSet]) -> i128 {
        let offs = self.tiers.iter().map(|tier| tier.off).chain(self.tiers.is_empty().then_some(self.off));
        scaled(offs.map(|off| self.amount(off, view.shipping)).max().unwrap_or(0))
    }
}
