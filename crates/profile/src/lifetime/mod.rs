//! Customer lifetime value: how often a customer will order (BG/NBD), what an order is worth
//! (Gamma-Gamma), and what both are worth today.
//!
//! The definitions are those of the Python package `lifetimes` 0.11.3 (Davidson-Pilon), against
//! which `tests/lifetime.rs` and `tests/slow_cdnow.rs` compare.

mod bg_nbd;
mod gamma_gamma;
mod minimize;
mod special;

pub use bg_nbd::BgNbd;
pub use gamma_gamma::GammaGamma;

/// One customer's repeat orders in short. Times are in any one unit (days in Youhui).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PurchaseSummary {
    /// Repeat orders: distinct days with an order, after the first.
    pub frequency: f64,
    /// Age at the last order: time between the first and the last.
    pub recency: f64,
    /// Time between the first order and now.
    pub age: f64,
    /// Mean value of the repeat orders; 0 without one.
    pub monetary: f64,
}

/// Why a lifetime model could not be fitted.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum LifetimeError {
    /// No customer at all.
    #[error("there is no customer to fit a lifetime model on: import orders first")]
    NoCustomers,
    /// A summary breaks a rule.
    #[error("customer {index}: {field} is {value}, but {rule}")]
    Invalid {
        /// Which customer, from 0.
        index: usize,
        /// Which field of the summary.
        field: &'static str,
        /// What it holds.
        value: f64,
        /// What it has to be.
        rule: &'static str,
    },
    /// Too few repeat orders to learn from.
    #[error("too few of the {customers} customers ordered again: a lifetime model needs repeat orders with a value above 0")]
    NobodyRepeats {
        /// How many customers there are.
        customers: usize,
    },
    /// All customers are new.
    #[error("every customer's age is 0: a lifetime model needs time to have passed since the first orders")]
    NoTime,
    /// The penalty is no number from 0 up.
    #[error("the penalizer is {0}, but it has to be a finite number from 0 up")]
    Penalizer(f64),
    /// The likelihood has no maximum.
    #[error("the {model} model has no best fit on these customers: give it more customers, or a larger penalizer")]
    NotConverged {
        /// Which model.
        model: &'static str,
    },
}

/// What the customer's orders of the next `horizon_days` are worth today, in the unit of
/// `monetary`: Σₖ (E\[orders by tₖ\] − E\[orders by tₖ₋₁\]) · E\[value\] · `margin` / (1 + d)^tₖ over
/// periods of 30 days, the last one cut at the horizon (Fader, Hardie & Lee 2005, "RFM and CLV";
/// `lifetimes` with its monthly rate (1 + d)³⁰ − 1). `daily_discount_rate` d is per day, `margin`
/// a share of the value. The summaries' unit of time has to be the day.
pub fn lifetime_value(
    orders: &BgNbd,
    values: &GammaGamma,
    customer: &PurchaseSummary,
    horizon_days: f64,
    daily_discount_rate: f64,
    margin: f64,
) -> f64 {
    const PERIOD: f64 = 30.0;
    let (mut start, mut before, mut discounted) = (0.0, 0.0, 0.0);
    while start < horizon_days {
        let end = (start + PERIOD).min(horizon_days);
        let by_end = orders.expected_purchases(customer, end);
        discounted += (by_end - before) / (1.0 + daily_discount_rate).powf(end);
        (start, before) = (end, by_end);
    }
    discounted * values.expected_value(customer) * margin
}

/// Refuses summaries that no history of orders has.
fn check(customers: &[PurchaseSummary]) -> Result<(), LifetimeError> {
    if customers.is_empty() {
        return Err(LifetimeError::NoCustomers);
    }
    for (index, customer) in customers.iter().enumerate() {
        let fields =
            [("frequency", customer.frequency), ("recency", customer.recency), ("age", customer.age), ("monetary", customer.monetary)];
        for (field, value) in fields {
            if !value.is_finite() {
                return Err(LifetimeError::Invalid { index, field, value, rule: "it has to be a finite number" });
            }
            // A mean value below 0 is a customer who returned more than was bought: allowed, and
            // left out of the value model.
            if value < 0.0 && field != "monetary" {
                return Err(LifetimeError::Invalid { index, field, value, rule: "it can't be below 0" });
            }
        }
        if customer.recency > customer.age {
            let (field, value) = ("recency", customer.recency);
            return Err(LifetimeError::Invalid { index, field, value, rule: "it can't exceed the age" });
        }
    }
    Ok(())
}
