//! How often, and for how much.

use serde::{Deserialize, Serialize};

use super::is_default;

/// How often a promotion can be used; what is absent is unlimited. The engine compares with what
/// [`Usage`](crate::Usage) says is used up; to reserve and to count is the caller's.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Baskets of one customer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per_customer: Option<u64>,
    /// Baskets of all customers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total: Option<u64>,
    /// Money over all customers, in minor units.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget: Option<i64>,
    /// What the basket that would exceed the budget gets.
    #[serde(default, skip_serializing_if = "is_default")]
    pub budget_end: BudgetEnd,
    /// Units over all customers: the stock of a flash price.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stock: Option<u64>,
    /// Units of one customer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub units_per_customer: Option<u64>,
    /// The same within one day of the schedule's time zone.
    #[serde(default, skip_serializing_if = "is_default")]
    pub daily: Caps,
}

/// Limits within a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Caps {
    /// Baskets of one customer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per_customer: Option<u64>,
    /// Baskets of all customers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total: Option<u64>,
    /// Money over all customers, in minor units.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget: Option<i64>,
    /// Units over all customers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stock: Option<u64>,
}

/// What the basket that would exceed the budget gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum BudgetEnd {
    /// Nothing: a promise is kept whole or not made.
    #[default]
    Refuse,
    /// What is left.
    Part,
}
