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

use super::error::or_why;
use super::fieller::{Ratio, ratio};
use super::figure::{Causal, RatioFigure};
use super::incremental::{Horizon, MoneySettings};
use super::{Ledger, Measure, MoneyError};

/// Ratios of effects; `None` where nothing can be said.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Returns {
    /// The time it is about.
    pub horizon: Horizon,
    /// Promotion and contact cost per order that wouldn't have been.
    pub cost_per_incremental_order: Option<RatioFigure>,
    /// Incremental profit before promotion cost per unit of promotion cost.
    pub return_on_promotion_spend: Option<RatioFigure>,
    /// Incremental contribution profit per unit of promotion and contact cost.
    pub return_on_investment: Option<RatioFigure>,
    /// Ratios of which nothing can be said, with the reason.
    pub not_judged: Vec<(String, String)>,
}

/// Ratios of effects.
///
/// # Errors
/// Where an arm has fewer than 2 customers. A ratio of what isn't known, or of orders or profit that are the same for all customers of an
/// arm, is named.
pub fn returns(ledger: &Ledger, horizon: Horizon, settings: MoneySettings) -> Result<Returns, MoneyError> {
    settings.check()?;
    let measures = [Measure::Spend, Measure::Orders, Measure::ProfitBeforePromotion, Measure::PromotionCost, Measure::Profit];
    let joint = ledger.joint(&measures.map(|measure| ledger.weights(horizon.windows(), measure)), settings.cuped)?;
    let mut not_judged = vec![];
    let mut of = |name: &str, unit: String, (numerator, denominator): (usize, usize), of: &str| {
        // Whoever is held out costs exactly nothing; orders and profit that are the same for everybody say nothing.
        let judged = [numerator, denominator].into_iter().try_for_each(|place| match measures[place] {
            Measure::Spend | Measure::PromotionCost => Ok(()),
            measure => ledger.measured(horizon.windows(), measure).and_then(|()| {
                joint.varying(&vec![(place, 1.0)], if measure == Measure::Orders { "orders" } else { "profit" })?;
                Ok(())
            }),
        });
        let found = judged.map(|()| {
            let figure = Ratio { name, unit, numerator: vec![(numerator, 1.0)], denominator: vec![(denominator, 1.0)], of };
            ratio(&joint, figure, settings.level, Causal::Randomised)
        });
        or_why(name, found, &mut not_judged)
    };
    let currency = ledger.currency();
    let cost_per_incremental_order =
        of("cost per incremental order", format!("{currency} per incremental order"), (0, 1), "orders per customer");
    let return_on_promotion_spend = of(
        "return on promotion spend",
        format!("{currency} of profit before promotion cost per {currency} of promotion cost"),
        (2, 3),
        "promotion cost per customer",
    );
    let return_on_investment = of(
        "return on investment",
        format!("{currency} of contribution profit per {currency} of promotion and contact cost"),
        (4, 0),
        "promotion and contact cost per customer",
    );
    Ok(Returns { horizon, cost_per_incremental_order, return_on_promotion_spend, return_on_investment, not_judged })
}
