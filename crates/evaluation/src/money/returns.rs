//! What the spend returned: ratios of effects, each with Fieller's set (see [`super::fieller_set`]).
//!
//! - cost per incremental order: Δ(promotion + contact) ÷ Δ orders;
//! - return on promotion spend: Δ(revenue − goods − contact) ÷ Δ promotion; above 1 the promotion earned more than it cost;
//! - return on investment: Δ contribution profit ÷ Δ(promotion + contact); above 0 the campaign paid.
//!
//! Δ is treated less held out. Numerator and denominator come from the same customers; their covariance is counted.
//! These are ratios of averages, not averages of customers' ratios. Where a denominator can't be told from 0 there is no
//! interval and it is said.

use serde::Serialize;

use super::fieller::{Ratio, ratio};
use super::figure::{Causal, RatioFigure};
use super::incremental::{Horizon, MoneySettings};
use super::{Ledger, Measure, MoneyError};

/// Ratios of effects.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Returns {
    /// The time it is about.
    pub horizon: Horizon,
    /// Promotion and contact cost per order that wouldn't have been.
    pub cost_per_incremental_order: RatioFigure,
    /// Incremental profit before promotion cost per unit of promotion cost.
    pub return_on_promotion_spend: RatioFigure,
    /// Incremental contribution profit per unit of promotion and contact cost.
    pub return_on_investment: RatioFigure,
}

/// Ratios of effects.
///
/// # Errors
/// Where an arm has fewer than 2 customers.
pub fn returns(ledger: &Ledger, horizon: Horizon, settings: MoneySettings) -> Result<Returns, MoneyError> {
    settings.check()?;
    let measures = [Measure::Spend, Measure::Orders, Measure::ProfitBeforePromotion, Measure::PromotionCost, Measure::Profit];
    let joint = ledger.joint(&measures.map(|measure| ledger.weights(horizon.windows(), measure)), settings.cuped)?;
    let currency = ledger.currency();
    let of = |name: &str, unit: String, (numerator, denominator): (usize, usize), of: &str| {
        let figure = Ratio { name, unit, numerator: vec![(numerator, 1.0)], denominator: vec![(denominator, 1.0)], of };
        ratio(&joint, figure, settings.level, Causal::Randomised)
    };
    Ok(Returns {
        horizon,
        cost_per_incremental_order: of(
            "cost per incremental order",
            format!("{currency} per incremental order"),
            (0, 1),
            "orders per customer",
        ),
        return_on_promotion_spend: of(
            "return on promotion spend",
            format!("{currency} of profit before promotion cost per {currency} of promotion cost"),
            (2, 3),
            "promotion cost per customer",
        ),
        return_on_investment: of(
            "return on investment",
            format!("{currency} of contribution profit per {currency} of promotion and contact cost"),
            (4, 0),
            "promotion and contact cost per customer",
        ),
    })
}
