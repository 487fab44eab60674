//! What a plan must keep to, as people write it.

use serde::{Deserialize, Serialize};

/// What a plan must keep to beside the budget. Money is in the offers' unit of cost.
///
/// ```toml
/// per_customer = 1                 # at most so many promotions a customer
/// return_on_spend = 1.5            # sum of values at least 1.5 times the sum of costs
/// incompatible = [["a", "b"]]      # never two of these for one customer
///
/// [[promotion]]
/// name = "a"
/// budget = 1000                    # money
/// count = 50                       # customers; `stock` says the same
///
/// [[segment]]                      # by the offers' column `segment`
/// name = "north"
/// floor = 100                      # at least so much money
/// budget = 2000                    # at most so much
/// at_least = 5                     # promotions given, at least
/// count = 100                      # and at most
///
/// [[contact]]                      # contact frequency: at most `most` of these a customer
/// promotions = ["a", "b"]
/// most = 1
/// ```
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Constraints {
    /// Promotions a customer at most; 1 where it isn't said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub per_customer: Option<u32>,
    /// Σ value ≥ this × Σ cost.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub return_on_spend: Option<f64>,
    /// Sets of which a customer gets one at most.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub incompatible: Vec<Vec<String>>,
    /// Limits of one promotion.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub promotion: Vec<PromotionLimit>,
    /// Limits of one segment of customers.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub segment: Vec<SegmentLimit>,
    /// Contact frequency.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub contact: Vec<ContactLimit>,
}

/// Limits of one promotion.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PromotionLimit {
    /// Which.
    pub name: String,
    /// Money at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget: Option<f64>,
    /// Customers at most.
    #[serde(default, alias = "stock", skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
}

/// Limits of one segment.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SegmentLimit {
    /// Which.
    pub name: String,
    /// Money at least.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub floor: Option<f64>,
    /// Money at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget: Option<f64>,
    /// Promotions given, at least.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_least: Option<u64>,
    /// Promotions given, at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
}

/// At most `most` of these promotions a customer.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ContactLimit {
    /// Which count.
    pub promotions: Vec<String>,
    /// How many of them a customer may get.
    pub most: u32,
}
