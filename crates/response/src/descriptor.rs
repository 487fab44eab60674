//! A promotion as a response model sees it: what it would save this customer, and on how much of
//! what the customer buys. Any promotion of the language has such a descriptor, also one never run.

use youhui_profile::Features;

/// A promotion, seen from one customer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Descriptor {
    /// What the customer would save in 28 days without changing anything, in major units: found by
    /// pricing the customer's own recent baskets under the promotion.
    pub saving: f64,
    /// Share of the customer's spending that is in the promotion's scope.
    pub affinity: f64,
}

/// What of a customer may make a promotion work better or worse.
#[derive(Debug, Clone, PartialEq)]
pub struct Moderators {
    /// Spending per 28 days, major units.
    pub spending: f64,
    /// How overdue the next order is (1: as late as usual), capped at 5.
    pub lateness: f64,
    /// Difference of the customer's discount habit from the shop's.
    pub price_sensitivity: f64,
    /// The first coordinates of the learned embedding, standardised over customers.
    pub embedding: [f64; 2],
}

impl Moderators {
    /// Of a customer whose learned embedding begins with `embedding`.
    pub fn of(features: &Features, minor_units: f64, embedding: [f64; 2]) -> Self {
        Self {
            spending: features.amount_per_28_days() / minor_units,
            lateness: features.lateness().unwrap_or(5.0).min(5.0),
            price_sensitivity: features.price_sensitivity,
            embedding,
        }
    }
}

/// The functions of descriptor and customer that an effect is linear in, by name.
pub const BASIS: [&str; 8] =
    ["intercept", "log saving", "scope affinity", "log spending", "lateness", "price sensitivity", "embedding 1", "embedding 2"];

/// The values of [`BASIS`]. Logarithms are of 1 + x, so that a zero is a zero.
pub fn basis(descriptor: Descriptor, customer: &Moderators) -> [f64; BASIS.len()] {
    [
        1.0,
        descriptor.saving.max(0.0).ln_1p(),
        descriptor.affinity.clamp(0.0, 1.0).sqrt(),
        customer.spending.max(0.0).ln_1p(),
        customer.lateness,
        customer.price_sensitivity,
        customer.embedding[0],
        customer.embedding[1],
    ]
}
