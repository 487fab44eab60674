//! What must hold before a promotion gives anything.

use serde::{Deserialize, Serialize};

use super::{Basis, Scope, is_default};
use crate::prelude::*;

/// What must hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Condition {
    /// Enough is bought in scope.
    SpendAtLeast {
        /// From which amount on, in minor units.
        amount: i64,
        /// Counted before or after the promotions that came before.
        #[serde(default, skip_serializing_if = "is_default")]
        basis: Basis,
        /// On which units.
        #[serde(default, skip_serializing_if = "is_default")]
        scope: Scope,
    },
    /// Enough units are in scope.
    QuantityAtLeast {
        /// How many.
        quantity: i64,
        /// Counting at most so many of one line.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        most_per_line: Option<i64>,
        /// On which units.
        #[serde(default, skip_serializing_if = "is_default")]
        scope: Scope,
    },
    /// Something in scope is bought.
    Contains {
        /// Which units.
        scope: Scope,
    },
    /// Nothing else is bought.
    ContainsOnly {
        /// Which units.
        scope: Scope,
    },
    /// Enough different products are in scope.
    DistinctAtLeast {
        /// How many.
        products: i64,
        /// On which units.
        #[serde(default, skip_serializing_if = "is_default")]
        scope: Scope,
    },
    /// It is the customer's n-th order.
    NthOrder {
        /// Counted from 1.
        n: i64,
    },
    /// The customer has so many orders behind them.
    CompletedOrders {
        /// From so many on.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        at_least: Option<i64>,
        /// Up to so many.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        at_most: Option<i64>,
    },
    /// The customer is in one of these groups.
    CustomerIn {
        /// Groups, such as `gold`.
        groups: Vec<String>,
    },
    /// An attribute, such as the basket's `payment` or `country`, has one of these values.
    Attribute {
        /// Whose.
        #[serde(default, skip_serializing_if = "is_default")]
        of: Of,
        /// Its name.
        name: String,
        /// Its values.
        one_of: Vec<String>,
    },
    /// An attribute that is a whole number lies in a range.
    AttributeRange {
        /// Whose.
        #[serde(default, skip_serializing_if = "is_default")]
        of: Of,
        /// Its name.
        name: String,
        /// From here on.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        at_least: Option<i64>,
        /// Up to here.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        at_most: Option<i64>,
    },
    /// Shipping goes by one of these methods.
    ShippingMethod {
        /// Methods, such as `express`.
        one_of: Vec<String>,
    },
    /// All of them.
    All {
        /// Conditions.
        of: Vec<Condition>,
    },
    /// At least one of them.
    Any {
        /// Conditions.
        of: Vec<Condition>,
    },
    /// The opposite.
    Not {
        /// A condition.
        of: Box<Condition>,
    },
}

/// Whose attribute.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Of {
    /// The basket's.
    #[default]
    Basket,
    /// The customer's.
    Customer,
}

impl Condition {
    /// Calls `visit` with every scope of the condition, and whether it looks at lines that promotions may
    /// not work on too, in the order in which the engine numbers
    /// them.
    pub(crate) fn scopes<'a>(&'a self, visit: &mut impl FnMut(&'a Scope, bool)) {
        match self {
            Self::SpendAtLeast { scope, .. } | Self::QuantityAtLeast { scope, .. } | Self::DistinctAtLeast { scope, .. } => {
                visit(scope, false)
            }
            Self::Contains { scope } | Self::ContainsOnly { scope } => visit(scope, true),
            Self::All { of } | Self::Any { of } => of.iter().for_each(|inner| inner.scopes(visit)),
            Self::Not { of } => of.scopes(visit),
            _ => {}
        }
    }
}
