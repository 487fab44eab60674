//! Incremental revenue, contribution profit, orders and costs: treated less held out, customers as units.
//!
//! Per customer it is the difference of means, adjusted by what customers did before (CUPED) where asked, with Welch's
//! interval. The total is that of all treated customers: effect × number treated; its interval is that of the effect on the
//! population they are drawn from, a little wide for the effect on exactly these (Imbens and Rubin 2015, chapter 6).
//!
//! Fails for few customers and heavy tails (see [`crate::experiment::winsorised`]), and where the arms aren't what the lot
//! gave (see the warnings).

use serde::Serialize;

use super::error::or_why;
use super::figure::{Causal, Figure};
use super::{Ledger, Measure, MoneyError, Window};
use crate::experiment::{Adjust, Contrast};

/// Settings of all figures of a ledger.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MoneySettings {
    /// Chance of covering, such as .95.
    pub level: f64,
    /// Whether to adjust by the time before the campaign.
    pub cuped: bool,
    /// How p-values are adjusted where there are several.
    pub adjust: Adjust,
}

impl Default for MoneySettings {
    fn default() -> Self {
        Self { level: 0.95, cuped: true, adjust: Adjust::Holm }
    }
}

impl MoneySettings {
    pub(super) fn check(&self) -> Result<(), MoneyError> {
        if self.level > 0.0 && self.level < 1.0 {
            return Ok(());
        }
        let consequence = "a chance of covering of 0 or 1 gives an empty or an endless interval";
        Err(MoneyError::Setting { name: "level", value: self.level, needed: "a number above 0 and below 1 is needed", consequence })
    }
}

/// The time that effects are summed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Horizon {
    /// The campaign.
    During,
    /// The campaign and the time after it: net of what was only bought ahead.
    Net,
}

impl Horizon {
    pub(super) const fn windows(self) -> &'static [Window] {
        match self {
            Self::During => &[Window::During],
            Self::Net => &[Window::During, Window::After],
        }
    }
}

/// One effect, in both units.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Incremental {
    /// Per customer.
    pub per_customer: Figure,
    /// Of all treated customers together.
    pub total: Figure,
    /// Share of the variance that the time before took away.
    pub variance_reduction: f64,
}

/// What a campaign brought; `None` where nothing can be said.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct IncrementalMoney {
    /// The time it is about.
    pub horizon: Horizon,
    /// Revenue.
    pub revenue: Option<Incremental>,
    /// Contribution profit.
    pub profit: Option<Incremental>,
    /// Orders.
    pub orders: Option<Incremental>,
    /// Cost of promotion and contact.
    pub spend: Incremental,
    /// Measures of which nothing can be said, with the reason.
    pub not_judged: Vec<(String, String)>,
}

/// What a campaign brought.
///
/// # Errors
/// Where an arm has fewer than 2 customers. A measure that is the same for all customers of one, or that isn't known, is named.
pub fn incremental(ledger: &Ledger, horizon: Horizon, settings: MoneySettings) -> Result<IncrementalMoney, MoneyError> {
    settings.check()?;
    let measures = [Measure::Revenue, Measure::Profit, Measure::Orders, Measure::Spend];
    let joint = ledger.joint(&measures.map(|measure| ledger.weights(horizon.windows(), measure)), settings.cuped)?;
    let judged = |place: usize, contrast: &Contrast, name: &str, unit: &str| {
        let per_customer =
            Figure::of(format!("incremental {name}"), contrast, settings.level, format!("{unit} per customer"), Causal::Randomised);
        let treated = contrast.treatment.units;
        let total =
            per_customer.times(treated as f64, format!("incremental {name}, total"), format!("{unit}, {treated} treated customers"));
        Incremental { per_customer, total, variance_reduction: joint.reduction[place] }
    };
    let mut not_judged = vec![];
    let mut of = |place: usize, name: &str, unit: &str| {
        let contrast = ledger.measured(horizon.windows(), measures[place]).and_then(|()| Ok(joint.varying(&vec![(place, 1.0)], name)?));
        or_why(name, contrast.map(|contrast| judged(place, &contrast, name, unit)), &mut not_judged)
    };
    let currency = ledger.currency();
    Ok(IncrementalMoney {
        horizon,
        revenue: of(0, "revenue", currency.code()),
        profit: of(1, "contribution profit", currency.code()),
        orders: of(2, "orders", "orders"),
        // Whoever is held out costs exactly nothing, and contacts may cost all the same.
        spend: judged(3, &joint.effect(&vec![(3, 1.0)]), "spend", currency.code()),
        not_judged,
    })
}
