//! Attribution: what the lot says a campaign caused, and beside it, labelled as not causal, what last touch and redemption
//! would give it.
//!
//! Last touch gives an order to the last campaign that reached the customer within a window before it; redemption gives it to the
//! campaign whose code it carries. Both count orders that would have been placed anyway, and miss those that a campaign brings
//! without its code or after the window. By how much is the difference, attributed − incremental, with an interval from the same
//! customers (Lewis and Rao 2015 and Gordon et al. 2019 show how far apart they are).

use serde::Serialize;

use super::figure::{Causal, Figure};
use super::incremental::{Horizon, MoneySettings};
use super::joint::Weights;
use super::ledger::{Arm, LAST_TOUCHED, REDEEMED};
use super::{Lacking, Ledger, Measure, MoneyError};
use crate::experiment::Warning;

/// A campaign that reached a customer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Touch {
    /// Which campaign.
    pub campaign: usize,
    /// When, in seconds or any unit.
    pub at: i64,
}

/// An order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Order {
    /// When, in the touches' unit.
    pub at: i64,
    /// Revenue in minor units.
    pub revenue: i64,
    /// The campaign whose code it carries.
    pub redeemed: Option<usize>,
}

/// A customer's revenue by campaign as last touch gives it, in minor units: each order to the last touch at or before it and no
/// more than `window` before; the later one in the list where two are at one time. **Not causal.**
///
/// # Errors
/// Where the window is negative, or a campaign isn't below `campaigns`.
pub fn last_touch(touches: &[Touch], orders: &[Order], window: i64, campaigns: usize) -> Result<Vec<i64>, MoneyError> {
    if window < 0 {
        let consequence = "no touch lies in a window that ends before it begins, and every order would count as untouched";
        return Err(MoneyError::Setting { name: "window", value: window as f64, needed: "a time of at least 0 is needed", consequence });
    }
    for touch in touches {
        known(touch.campaign, campaigns)?;
    }
    let mut revenue = vec![0_i64; campaigns];
    for order in orders {
        let before = touches.iter().filter(|touch| touch.at <= order.at && order.at.saturating_sub(touch.at) <= window);
        if let Some(touch) = before.max_by_key(|touch| touch.at) {
            revenue[touch.campaign] = revenue[touch.campaign].saturating_add(order.revenue);
        }
    }
    Ok(revenue)
}

/// A customer's revenue by campaign as codes give it, in minor units. **Not causal.**
///
/// # Errors
/// Where a campaign isn't below `campaigns`.
pub fn redemption(orders: &[Order], campaigns: usize) -> Result<Vec<i64>, MoneyError> {
    let mut revenue = vec![0_i64; campaigns];
    for order in orders {
        if let Some(campaign) = order.redeemed {
            known(campaign, campaigns)?;
            revenue[campaign] = revenue[campaign].saturating_add(order.revenue);
        }
    }
    Ok(revenue)
}

fn known(campaign: usize, campaigns: usize) -> Result<(), MoneyError> {
    if campaign < campaigns {
        return Ok(());
    }
    Err(MoneyError::Setting {
        name: "campaign",
        value: campaign as f64,
        needed: "a number below the number of campaigns is needed",
        consequence: "its orders would be given to nobody, and the others' shares would look larger",
    })
}

/// One way to attribute, beside the lot.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Attributed {
    /// What it gives the campaign, of all treated customers.
    pub total: Figure,
    /// That less what the campaign caused.
    pub less_incremental: Figure,
}

/// Ways to attribute revenue during a campaign, the lot's first.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Attribution {
    /// What the campaign caused, of all treated customers.
    pub incremental: Figure,
    /// Last touch; `None` where it isn't known.
    pub last_touch: Option<Attributed>,
    /// Redemption; `None` where it isn't known.
    pub redemption: Option<Attributed>,
    /// What is wrong with the holdout.
    pub warnings: Vec<Warning>,
}

/// Ways to attribute.
///
/// # Errors
/// Where an arm has fewer than 2 customers, or revenue is the same for all customers of one.
pub fn attribution(ledger: &Ledger, settings: MoneySettings) -> Result<Attribution, MoneyError> {
    settings.check()?;
    let revenue = ledger.weights(Horizon::During.windows(), Measure::Revenue);
    let joint = ledger.joint(&[revenue], settings.cuped)?;
    let treated = ledger.customers(Arm::Treated) as f64;
    let unit = format!("{}, {treated} treated customers", ledger.currency());
    let caused = Figure::of("", &joint.varying(&vec![(0, 1.0)], "revenue")?, settings.level, "", Causal::Randomised);
    let way = |column: usize, name: &str, lacking: Lacking| {
        ledger.known(lacking).ok().map(|()| attributed(ledger, settings, column, name, &unit)).transpose()
    };
    let last_touch = way(LAST_TOUCHED, "last touch", Lacking::LastTouched)?;
    let redemption = way(REDEEMED, "redemption", Lacking::Redeemed)?;
    let incremental = caused.times(treated, "incremental revenue, by the lot", unit.clone());
    Ok(Attribution { incremental, last_touch, redemption, warnings: reached(ledger)? })
}

fn attributed(ledger: &Ledger, settings: MoneySettings, column: usize, name: &str, unit: &str) -> Result<Attributed, MoneyError> {
    let revenue = ledger.weights(Horizon::During.windows(), Measure::Revenue);
    // What is given away isn't adjusted: it is a sum that happened.
    let plain = ledger.joint(&[ledger.column(column)], false)?;
    let treated = plain.treatment.units() as f64;
    let n = (plain.control.units(), plain.treatment.units());
    let std_error = (plain.treatment.variance(0) / treated).sqrt();
    let count = Figure::with("", (plain.treatment.mean(0), std_error, treated - 1.0), settings.level, "", n, Causal::NotCausal);
    let joint = ledger.partly(&[revenue, ledger.column(column)], usize::from(settings.cuped))?;
    let (here, there): (Weights, Weights) = (vec![(0, -1.0)], vec![(1, 1.0), (0, -1.0)]);
    let contrast = joint.between(&here, &there);
    let apart = Figure::of("", &contrast, settings.level, "", Causal::NotCausal);
    Ok(Attributed {
        total: count.times(treated, format!("revenue, by {name}"), unit),
        less_incremental: apart.times(treated, format!("{name} less incremental"), unit),
    })
}

/// Held-out customers to whom something was attributed.
fn reached(ledger: &Ledger) -> Result<Vec<Warning>, MoneyError> {
    let mut warnings = ledger.warnings()?;
    let joint = ledger.joint(&[ledger.column(LAST_TOUCHED), ledger.column(REDEEMED)], false)?;
    for (column, how) in [(0, "last touch"), (1, "redemption")] {
        let mean = joint.control.mean(column);
        if mean != 0.0 || joint.control.variance(column) > 0.0 {
            let message = format!(
                "held-out customers have {mean:.4} {} each attributed to the campaign by {how}: it reached some of them, and its effect is pulled towards 0. Read it as the effect of being assigned, or find out how it got there (shared codes, a wrong list)",
                ledger.currency()
            );
            warnings.push(Warning { code: "holdout_reached", message });
        }
    }
    Ok(warnings)
}
