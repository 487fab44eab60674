//! The price of a basket, and why.

use core::fmt;

use serde::{Deserialize, Serialize};
use youhui_commerce::{Currency, Money};

use crate::document::{Name, Problem, is_default};
use crate::prelude::*;

/// The price of a basket. Money is in minor units of `currency`; lines and units sum to the totals,
/// and the allocations of each discount to its amount.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Priced {
    /// Currency of every amount below.
    #[cfg_attr(feature = "schema", schemars(with = "crate::document::CurrencyText"))]
    pub currency: Currency,
    /// Goods before any promotion.
    pub subtotal: i64,
    /// Taken off goods.
    pub discount: i64,
    /// Shipping before any promotion.
    pub shipping: i64,
    /// Taken off shipping.
    pub shipping_discount: i64,
    /// Tax, within the total.
    pub tax: i64,
    /// To pay.
    pub total: i64,
    /// Lines as in the basket.
    pub lines: Vec<PricedLine>,
    /// Lines that promotions add and that cost nothing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gifts: Vec<GiftLine>,
    /// Products that could be added at a lower price.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub add_ons: Vec<AddOn>,
    /// Points, given later.
    #[serde(default, skip_serializing_if = "is_default")]
    pub points: i64,
    /// Money back, given later.
    #[serde(default, skip_serializing_if = "is_default")]
    pub cashback: i64,
    /// What applied, in the order in which it did: UCP's discount object.
    pub applied: Vec<Applied>,
    /// What did not, and why.
    pub rejected: Vec<Rejected>,
    /// What more would give more, the nearest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hints: Vec<Hint>,
    /// Where promotions excluded one another: how the best combination was found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub best_deal: Option<BestDeal>,
    /// What was done, step by step, on request.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub trace: Vec<Step>,
}

/// A line and what is left of its price.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PricedLine {
    /// As in the basket.
    pub line_id: Name,
    /// As in the basket.
    pub product_id: Name,
    /// As in the basket.
    pub quantity: i64,
    /// Before any promotion.
    pub subtotal: i64,
    /// Taken off.
    pub discount: i64,
    /// Left of it, without tax where prices don't include it.
    pub total: i64,
    /// Tax: within `total`, or on top of it.
    #[serde(default, skip_serializing_if = "is_default")]
    pub tax: i64,
    /// Its units in their order, by what is to pay for one.
    pub units: Vec<UnitPrice>,
}

/// Units of one line that cost the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct UnitPrice {
    /// How many.
    pub quantity: i64,
    /// What one costs.
    pub unit_price: i64,
}

/// A promotion that applied, in the shape of UCP's discount object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Applied {
    /// Which.
    pub promotion_id: Name,
    /// The code that started it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<Name>,
    /// A few words.
    pub title: Name,
    /// Taken off goods and shipping.
    pub amount: i64,
    /// Started by itself.
    pub automatic: bool,
    /// How it was shared out.
    pub method: Method,
    /// Place in the order, from 1.
    pub priority: u32,
    /// Where it was taken off. Sums to `amount`.
    pub allocations: Vec<Allocation>,
    /// The same, unit by unit: what returns are computed from.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub units: Vec<UnitShare>,
    /// The same by shop, where the basket names shops.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shops: Vec<ShopShare>,
}

/// How a discount was shared out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// Each unit or line was cut by itself.
    Each,
    /// One amount was split in proportion to value.
    Across,
}

/// A part of a discount.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Allocation {
    /// Of what.
    pub path: Target,
    /// Taken off there.
    pub amount: i64,
}

/// What a discount is taken off, as a JSONPath into the basket: `$.lines[3]` or `$.shipping`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Target {
    /// A line, counted from 0.
    Line(u32),
    /// Shipping.
    Shipping,
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line(line) => write!(f, "$.lines[{line}]"),
            Self::Shipping => f.write_str("$.shipping"),
        }
    }
}

impl Serialize for Target {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Target {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let line = || text.strip_prefix("$.lines[")?.strip_suffix(']')?.parse().ok();
        match text.as_str() {
            "$.shipping" => Ok(Self::Shipping),
            _ => line().map(Self::Line).ok_or_else(|| serde::de::Error::custom(format!("{text:?} is neither $.lines[n] nor $.shipping"))),
        }
    }
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for Target {
    fn schema_name() -> alloc::borrow::Cow<'static, str> {
        "Target".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({"type": "string", "description": "JSONPath into the basket: $.lines[3] or $.shipping."})
    }
}

/// Units of a line that one discount made so much cheaper.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct UnitShare {
    /// The line, counted from 0.
    pub line: u32,
    /// The first of the units, counted from 0 within the line.
    pub first: i64,
    /// How many.
    pub quantity: i64,
    /// Taken off each.
    pub amount: i64,
}

/// The part of a discount that falls on one shop.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ShopShare {
    /// Which shop; empty for lines that name none.
    pub shop: Name,
    /// Taken off its lines.
    pub amount: i64,
}

/// A product that a promotion gives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct GiftLine {
    /// Which promotion gives it.
    pub promotion_id: Name,
    /// Which product.
    pub product_id: Name,
    /// How many.
    pub quantity: i64,
    /// What one costs: nothing.
    pub unit_price: i64,
    /// What one costs elsewhere.
    pub value: i64,
}

/// A product that could be added at a lower price.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AddOn {
    /// Which promotion offers it.
    pub promotion_id: Name,
    /// Which product.
    pub product_id: Name,
    /// How many more.
    pub quantity: i64,
    /// What one would cost.
    pub unit_price: i64,
}

/// A promotion, or a code, that did not apply.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Rejected {
    /// Which promotion; absent for a code that is of none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub promotion_id: Option<Name>,
    /// The code that was entered for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<Name>,
    /// Why.
    #[serde(flatten)]
    pub reason: Reason,
}

/// Why a promotion did not apply, and what was missing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "reason", rename_all = "snake_case")]
pub enum Reason {
    /// No promotion has this code.
    CodeUnknown,
    /// Another currency than the basket's.
    OtherCurrency,
    /// Before its start.
    NotStarted,
    /// After its end.
    Ended,
    /// Not at this hour or on this day.
    NotNow,
    /// Not on this channel.
    OtherChannel,
    /// Its code was not entered.
    CodeMissing,
    /// The customer used it as often as allowed.
    CustomerLimit,
    /// It was used as often as allowed.
    TotalLimit,
    /// Its money is spent, or would be by more than there is.
    BudgetSpent,
    /// Its stock is gone.
    StockGone,
    /// Nothing in scope, or nothing that promotions before it left to it.
    NothingInScope,
    /// Not enough spent.
    SpendMissing {
        /// Minor units to go.
        missing: i64,
    },
    /// Not enough units.
    UnitsMissing {
        /// Units to go.
        missing: i64,
    },
    /// Not enough different products.
    ProductsMissing {
        /// Products to go.
        missing: i64,
    },
    /// What a condition asks for is not in the basket.
    ProductMissing,
    /// Something is in the basket that must not be.
    OtherProducts,
    /// Not this customer.
    CustomerNotEligible,
    /// Not this order of the customer, or not known which it is.
    OtherOrder,
    /// An attribute has another value, or none.
    AttributeMissing {
        /// Its name.
        name: Name,
    },
    /// Not this method of shipping.
    OtherShippingMethod,
    /// A condition that must not hold does.
    ConditionHolds,
    /// The basket says nothing of shipping.
    NoShipping,
    /// It would take nothing off: prices are as low already, or at their floor.
    NoReduction,
    /// Its product is not in the basket yet: see `add_ons`.
    AddOnNotTaken,
    /// Another promotion applied that excludes it.
    ExcludedBy {
        /// Which.
        by: Name,
    },
    /// The customer is better off without it: it excludes, or spoils, what is worth more.
    NotBest,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Self::CodeUnknown => "no promotion has this code",
            Self::OtherCurrency => "it is in another currency",
            Self::NotStarted => "it has not started yet",
            Self::Ended => "it has ended",
            Self::NotNow => "it does not run at this hour or on this day",
            Self::OtherChannel => "it does not run on this channel",
            Self::CodeMissing => "its code was not entered",
            Self::CustomerLimit => "the customer used it as often as allowed",
            Self::TotalLimit => "it was used as often as allowed",
            Self::BudgetSpent => "its budget is spent",
            Self::StockGone => "its stock is gone",
            Self::NothingInScope => "nothing in the basket is in its scope",
            Self::SpendMissing { missing } => return write!(f, "{missing} minor units more must be spent"),
            Self::UnitsMissing { missing } => return write!(f, "{missing} more units are needed"),
            Self::ProductsMissing { missing } => return write!(f, "{missing} more different products are needed"),
            Self::ProductMissing => "what it asks for is not in the basket",
            Self::OtherProducts => "something is in the basket that must not be",
            Self::CustomerNotEligible => "it is not for this customer",
            Self::OtherOrder => "it is not for this order of the customer",
            Self::AttributeMissing { name } => return write!(f, "the attribute {name:?} has another value, or none"),
            Self::OtherShippingMethod => "it is not for this method of shipping",
            Self::ConditionHolds => "a condition that must not hold does",
            Self::NoShipping => "the basket says nothing of shipping",
            Self::NoReduction => "it would take nothing off",
            Self::AddOnNotTaken => "its product is not in the basket yet",
            Self::ExcludedBy { by } => return write!(f, "{by:?} excludes it"),
            Self::NotBest => "the customer is better off without it",
        };
        f.write_str(text)
    }
}

impl Reason {
    /// The same in words, with money as people write it.
    pub fn in_words(&self, currency: Currency) -> String {
        match self {
            Self::SpendMissing { missing } => format!("{} more must be spent", Money::new(*missing, currency)),
            other => other.to_string(),
        }
    }
}

/// What more would give more: "¥23.00 more for ¥20.00 off".
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Hint {
    /// Which promotion.
    pub promotion_id: Name,
    /// Currency of the amounts.
    #[cfg_attr(feature = "schema", schemars(with = "crate::document::CurrencyText"))]
    pub currency: Currency,
    /// Minor units to go, or …
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missing_amount: Option<i64>,
    /// … units to go.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missing_units: Option<i64>,
    /// How much more it takes off then, where that can be said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub saves: Option<i64>,
}

impl fmt::Display for Hint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let money = |amount: i64| Money::new(amount, self.currency);
        match (self.missing_amount, self.missing_units) {
            (Some(amount), _) => write!(f, "{} more", money(amount))?,
            (None, Some(units)) => write!(f, "{units} more")?,
            (None, None) => {}
        }
        match self.saves {
            Some(saves) => write!(f, " for {} off", money(saves)),
            None => write!(f, " for {}", self.promotion_id),
        }
    }
}

impl Hint {
    /// The same in Chinese: 再买¥23.00，减¥20.00.
    pub fn in_chinese(&self) -> String {
        let money = |amount: i64| Money::new(amount, self.currency);
        let more = match (self.missing_amount, self.missing_units) {
            (Some(amount), _) => format!("再买{}", money(amount)),
            (None, units) => format!("再买{}件", units.unwrap_or(1)),
        };
        match self.saves {
            Some(saves) => format!("{more}，减{}", money(saves)),
            None => format!("{more}，享{}", self.promotion_id),
        }
    }
}

/// How the best combination was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct BestDeal {
    /// Whether no other combination leaves the customer better off: proved by bounding all of them.
    pub proven: bool,
    /// How many promotions were tried on the way.
    pub trials: u64,
    /// What the customer gains by the combination, with gifts at their value and money back.
    pub benefit: i64,
    /// At most so much more another combination could give; 0 where it is proven.
    pub gap: i64,
}

/// One step of the trace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Step {
    /// Which promotion.
    pub promotion_id: Name,
    /// What was done or found, in words with the figures.
    pub did: String,
    /// Goods left to pay after it.
    pub goods: i64,
    /// Shipping left to pay after it.
    pub shipping: i64,
}

/// Why a set of promotions or a basket can't be priced: everything that is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrong(pub Vec<Problem>);

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, problem) in self.0.iter().enumerate() {
            write!(f, "{}{problem}", if place > 0 { "\n" } else { "" })?;
        }
        Ok(())
    }
}

impl core::error::Error for Wrong {}
