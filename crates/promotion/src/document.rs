//! The promotion document, version 1, and its validator.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use youhui_commerce::{Currency, TimeWindow};

/// The version of the language that this crate writes.
pub const SCHEMA_VERSION: u32 = 1;

/// A promotion. Money is in minor units of `currency`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Promotion {
    /// Version of the language.
    pub schema_version: u32,
    /// Unique within the shop.
    pub promotion_id: String,
    /// Version of this document, counted from 1.
    pub version: u32,
    /// Currency of every amount below.
    pub currency: Currency,
    /// What it gives.
    pub kind: Kind,
    /// How it starts.
    pub trigger: Trigger,
    /// On which lines.
    pub scope: Scope,
    /// For whom.
    pub audience: Audience,
    /// When.
    pub schedule: Schedule,
    /// How often.
    pub limits: Limits,
    /// What people read, by locale (BCP 47).
    pub texts: BTreeMap<String, Text>,
    /// What must be said beside it, such as that a share of customers was drawn at random.
    #[serde(default)]
    pub disclosures: Vec<String>,
}

/// What a promotion gives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum Kind {
    /// A percentage of the lines in scope, up to a cap.
    PercentOff {
        /// Hundredths of a per cent: 1000 is 10 %.
        basis_points: u32,
        /// Most it gives on one basket.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cap: Option<i64>,
    },
    /// The highest tier that the lines in scope reach (满减).
    SpendAndSave {
        /// Tiers in order of spend.
        tiers: Vec<Tier>,
    },
    /// A coupon worth a fixed amount from a minimum spend on.
    FixedCoupon {
        /// What it gives.
        amount: i64,
        /// From which amount in scope on.
        minimum_spend: i64,
    },
    /// One product at another price for a limited time.
    ItemPrice {
        /// Which product.
        product_id: String,
        /// Its price for one unit now.
        unit_price: i64,
        /// Most units at that price in one basket.
        most_units: i64,
    },
    /// A product for nothing from a minimum spend on.
    Gift {
        /// Which product.
        product_id: String,
        /// What it costs elsewhere, as it stands in the answer.
        value: i64,
        /// From which amount in scope on.
        minimum_spend: i64,
    },
}

/// One step of a spend-and-save promotion.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tier {
    /// From this amount on …
    pub spend: i64,
    /// … this much is taken off.
    pub save: i64,
}

/// How a promotion starts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum Trigger {
    /// By itself.
    Automatic,
    /// By a code that the customer enters; case and outer spaces don't matter.
    Code {
        /// The code.
        code: String,
    },
}

/// On which lines a promotion works.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum Scope {
    /// All of them.
    All,
    /// All but those of these categories: what may not or shall not be promoted, such as tobacco.
    AllExcept {
        /// Names of categories.
        names: Vec<String>,
    },
    /// Those of these categories, at whatever place of the product's category path.
    Categories {
        /// Names of categories.
        names: Vec<String>,
    },
    /// Those of these products.
    Products {
        /// Identifiers of products.
        product_ids: Vec<String>,
    },
}

/// For whom a promotion is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Audience {
    /// The goal it serves, such as `win-back`.
    pub goal: String,
    /// Who qualifies, in words that can be published.
    pub rule: String,
}

/// When a promotion runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Schedule {
    /// In UTC microseconds; `end` is the first moment after it.
    pub window: TimeWindow,
    /// The shop's IANA time zone, in which people are told of it.
    pub time_zone: String,
}

/// How often a promotion can be used; `None` is unlimited.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Baskets of one customer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per_customer: Option<u32>,
    /// Money over all customers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget: Option<i64>,
}

/// What people read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Text {
    /// A few words.
    pub title: String,
    /// The exact condition.
    pub condition: String,
}

/// One thing that is wrong with a document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, thiserror::Error)]
#[error("{pointer}: {message}")]
pub struct Problem {
    /// JSON pointer (RFC 6901) of the field.
    pub pointer: String,
    /// What is wrong and what to write instead.
    pub message: String,
}

impl Promotion {
    /// Everything that is wrong with the document, at once; empty for a good one.
    pub fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        let mut say = |pointer: &str, message: &str| {
            problems.push(Problem { pointer: pointer.into(), message: message.into() });
        };
        if self.schema_version != SCHEMA_VERSION {
            say("/schema_version", "this version of Youhui reads version 1 of the language");
        }
        if self.promotion_id.trim().is_empty() {
            say("/promotion_id", "give it an identifier");
        }
        if self.schedule.window.end <= self.schedule.window.start {
            say("/schedule/window", "end must be later than start");
        }
        if let Trigger::Code { code } = &self.trigger
            && code.trim().is_empty()
        {
            say("/trigger/code", "give it a code, or make the trigger automatic");
        }
        if self.limits.budget.is_some_and(|budget| budget < 0) {
            say("/limits/budget", "a budget is not negative");
        }
        match &self.kind {
            Kind::PercentOff { basis_points, cap } => {
                if !(1..=10_000).contains(basis_points) {
                    say("/kind/basis_points", "write 1 to 10000 (0.01 % to 100 %)");
                }
                if cap.is_some_and(|cap| cap <= 0) {
                    say("/kind/cap", "a cap is above zero; leave it out for none");
                }
            }
            Kind::SpendAndSave { tiers } => {
                if tiers.is_empty() {
                    say("/kind/tiers", "give at least one tier");
                }
                if tiers.iter().any(|tier| tier.save <= 0 || tier.spend <= 0 || tier.save > tier.spend) {
                    say("/kind/tiers", "in each tier 0 < save ≤ spend");
                }
                if tiers.windows(2).any(|pair| pair[1].spend <= pair[0].spend || pair[1].save <= pair[0].save) {
                    say("/kind/tiers", "each tier must ask more and give more than the one before");
                }
            }
            Kind::FixedCoupon { amount, minimum_spend } => {
                if *amount <= 0 || *minimum_spend < *amount {
                    say("/kind", "0 < amount ≤ minimum_spend, or the shop pays people to take goods");
                }
            }
            Kind::ItemPrice { unit_price, most_units, .. } => {
                if *unit_price < 0 || *most_units < 1 {
                    say("/kind", "unit_price is not negative and most_units at least 1");
                }
            }
            Kind::Gift { value, minimum_spend, .. } => {
                if *value < 0 || *minimum_spend < 0 {
                    say("/kind", "value and minimum_spend are not negative");
                }
            }
        }
        problems
    }
}

impl Kind {
    /// The word for the kind, as the document's `type` has it.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::PercentOff { .. } => "percent_off",
            Self::SpendAndSave { .. } => "spend_and_save",
            Self::FixedCoupon { .. } => "fixed_coupon",
            Self::ItemPrice { .. } => "item_price",
            Self::Gift { .. } => "gift",
        }
    }
}
