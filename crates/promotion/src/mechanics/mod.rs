//! What a promotion gives: one mechanic, one file.

mod add_on_price;
mod amount_off;
mod bundle;
mod buy_get;
mod cashback;
mod cheapest_free;
mod cross_shop;
mod every_spend;
mod gift;
mod item_price;
mod member_price;
mod nth_unit;
mod per_full_group;
mod percent_off;
mod points;
mod shipping;
mod spend_and_save;

use core::fmt;

use serde::{Deserialize, Serialize};

pub use add_on_price::AddOnPrice;
pub use amount_off::{AmountOff, Per};
pub use bundle::{Bundle, BundlePart};
pub use buy_get::{BuyGet, Get};
pub use cashback::Cashback;
pub use cheapest_free::{CheapestFree, Grouping};
pub use cross_shop::CrossShop;
pub use every_spend::EverySpend;
pub use gift::Gift;
pub use item_price::ItemPrice;
pub use member_price::MemberPrice;
pub use nth_unit::NthUnit;
pub use per_full_group::PerFullGroup;
pub use percent_off::PercentOff;
pub use points::Points;
pub use shipping::ShippingOff;
pub use spend_and_save::{SpendAndSave, Tier};

use crate::answer::Reason;
use crate::document::{Problems, Scope};
use crate::pricing::{Outcome, View, scaled};
use crate::set::LineSet;

/// What a mechanic knows of itself.
pub(crate) trait Mechanic: fmt::Debug {
    /// Visits its scopes, in the order in which `apply` gets their lines.
    fn scopes(&self, visit: &mut dyn FnMut(&Scope));

    /// How many of these, from the first on, must have units in the basket for it to do anything.
    fn needed_scopes(&self) -> usize {
        usize::MAX
    }

    /// Says what is wrong with it.
    fn problems(&self, at: &str, problems: &mut Problems);

    /// What it does to the units that it sees.
    fn apply(&self, view: &View<'_>, lines: &[LineSet]) -> Result<Outcome, Reason>;

    /// At most so much, in ten-thousandths of a minor unit, whatever promotions before it do to
    /// prices: they only fall. The search for the best deal prunes by it.
    fn ceiling(&self, view: &View<'_>, lines: &[LineSet]) -> i128;

    /// At most so much of what it gives can fall on the one line that `view` shows, whatever others
    /// it has beside; without the rounding of a whole amount, which `rounding_step` adds.
    fn line_ceiling(&self, view: &View<'_>, _lines: &[LineSet]) -> i128 {
        scaled(view.room(&view.whole(&LineSet::All)))
    }

    /// At most so much it gives that falls on no line: gifts, shipping, money back.
    fn beyond_lines(&self, _view: &View<'_>, _lines: &[LineSet]) -> i128 {
        0
    }

    /// So much the rounding of a whole amount can add to it.
    fn rounding_step(&self) -> i64 {
        1
    }

    /// Whether limits of units make sense for it: it makes single units cheaper.
    fn counts_units(&self) -> bool {
        true
    }

    /// What it would give at a spend of so many minor units in scope, where that can be said.
    fn saves_at(&self, spend: i64) -> Option<i64> {
        let _ = spend;
        None
    }
}

macro_rules! effects {
    ($($(#[$doc:meta])* $name:ident($type:ty)),* $(,)?) => {
        /// What a promotion gives. Each kind is described, with a worked example, at its own type.
        #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
        #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
        #[serde(tag = "kind", rename_all = "snake_case")]
        pub enum Effect {
            $($(#[$doc])* $name($type),)*
        }

        impl Effect {
            pub(crate) fn mechanic(&self) -> &dyn Mechanic {
                match self {
                    $(Self::$name(mechanic) => mechanic,)*
                }
            }
        }

        $(impl From<$type> for Effect {
            fn from(mechanic: $type) -> Self {
                Self::$name(mechanic)
            }
        })*
    };
}

effects! {
    /// An amount off.
    AmountOff(AmountOff),
    /// A percentage off.
    PercentOff(PercentOff),
    /// Spend and save in tiers (满减).
    SpendAndSave(SpendAndSave),
    /// An amount off for every full step of spend (上不封顶).
    EverySpend(EverySpend),
    /// Spend and save across shops (跨店满减).
    CrossShop(CrossShop),
    /// A limited-time or flash price (限时价, 秒杀).
    ItemPrice(ItemPrice),
    /// A price for members (会员价).
    MemberPrice(MemberPrice),
    /// A gift with purchase (赠品).
    Gift(Gift),
    /// Buy some, get others for less (买赠).
    BuyGet(BuyGet),
    /// Of every so many units the cheapest are free.
    CheapestFree(CheapestFree),
    /// So many units for one price.
    Bundle(Bundle),
    /// Every n-th unit for less (第二件半价).
    NthUnit(NthUnit),
    /// An amount off each unit of every full group.
    PerFullGroup(PerFullGroup),
    /// Another product for little once the conditions hold (换购).
    AddOnPrice(AddOnPrice),
    /// Less or nothing for shipping (包邮).
    Shipping(ShippingOff),
    /// Points, given later.
    Points(Points),
    /// Money back, given later (返现).
    Cashback(Cashback),
}

impl Effect {
    /// Whether it works on single units, on lines or on some goods only.
    pub(crate) fn is_of_items(&self) -> bool {
        match self {
            Self::ItemPrice(_)
            | Self::MemberPrice(_)
            | Self::BuyGet(_)
            | Self::CheapestFree(_)
            | Self::Bundle(_)
            | Self::NthUnit(_)
            | Self::PerFullGroup(_)
            | Self::AddOnPrice(_) => true,
            Self::AmountOff(off) => off.per != Per::Order || !off.scope.is_everything(),
            Self::PercentOff(off) => !off.scope.is_everything(),
            _ => false,
        }
    }

    /// The word for the kind, as the document's `kind` has it.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::AmountOff(_) => "amount_off",
            Self::PercentOff(_) => "percent_off",
            Self::SpendAndSave(_) => "spend_and_save",
            Self::EverySpend(_) => "every_spend",
            Self::CrossShop(_) => "cross_shop",
            Self::ItemPrice(_) => "item_price",
            Self::MemberPrice(_) => "member_price",
            Self::Gift(_) => "gift",
            Self::BuyGet(_) => "buy_get",
            Self::CheapestFree(_) => "cheapest_free",
            Self::Bundle(_) => "bundle",
            Self::NthUnit(_) => "nth_unit",
            Self::PerFullGroup(_) => "per_full_group",
            Self::AddOnPrice(_) => "add_on_price",
            Self::Shipping(_) => "shipping",
            Self::Points(_) => "points",
            Self::Cashback(_) => "cashback",
        }
    }
}
