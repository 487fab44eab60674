//! Less or nothing for shipping (包邮, 运费满减).

use serde::{Deserialize, Serialize};

use super::Mechanic;
use crate::answer::Reason;
use crate::document::{Off, Problems, Rounding, Scope, is_default, share_of};
use crate::prelude::*;
use crate::pricing::{Outcome, View, scaled};
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
    /// How much less, or what it costs; nothing if absent.
    pub off: Off,
    /// Most that it gives, in minor units.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cap: Option<i64>,
    /// Where the part of a minor unit of a share goes.
    #[serde(skip_serializing_if = "is_default")]
    pub rounding: Rounding,
}

impl Default for ShippingOff {
    fn default() -> Self {
        Self { off: Off::FREE, cap: None, rounding: Rounding::default() }
    }
}

impl ShippingOff {
    fn amount(&self, shipping: i64) -> i64 {
        let amount = match self.off {
            Off::Amount(amount) => amount,
            Off::BasisPoints(share) => share_of(shipping, share, self.rounding),
            Off::Price(price) | Off::UnitPrice(price) => shipping - price,
        };
        amount.min(self.cap.unwrap_or(i64::MAX)).clamp(0, shipping)
    }
}

impl Mechanic for ShippingOff {
    fn scopes(&self, _: &mut dyn FnMut(&Scope)) {}

    fn problems(&self, at: &str, problems: &mut Problems) {
        problems.off(self.off, false, &format!("{at}/off"));
        problems.amount(self.cap.unwrap_or(1), 1, format!("{at}/cap"));
        problems.rounding(self.rounding, &format!("{at}/rounding"));
    }

    fn apply(&self, view: &View<'_>, _: &[LineSet]) -> Result<Outcome, Reason> {
        if view.basket.shipping.is_none() {
            return Err(Reason::NoShipping);
        }
        Ok(Outcome { shipping: self.amount(view.shipping), ..Outcome::default() })
    }

    fn counts_units(&self) -> bool {
        false
    }

    fn ceiling(&self, view: &View<'_>, _: &[LineSet]) -> i128 {
        scaled(self.amount(view.shipping))
    }
}
