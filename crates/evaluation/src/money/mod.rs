//! Money: what a campaign, or a programme of many, brought and cost, from customers who were held out by lot.
//!
//! ```text
//! Customer ─► Ledger ──► incremental, returns, pull_forward, cannibalisation, halo, attribution
//! Participant ─► Programme ──► effects (programme, campaigns, interaction)
//! history ─► SurrogateIndex ──► effect, check
//! ```
//!
//! A [`Ledger`] takes customers in batches and keeps one [`Moments`](crate::experiment::Moments) an arm; every figure is a weighted sum of its
//! columns, adjusted by what customers did before where asked. Each [`Figure`] has an interval, sample sizes, a unit and [`Causal`]: what
//! it says about cause. Amounts come in whole minor units and figures go out in major ones.
//!
//! ```
//! use youhui_evaluation::money::{Amounts, Arm, Customer, Horizon, Ledger, MoneyError, MoneySettings, incremental, returns};
//! # fn main() -> Result<(), MoneyError> {
//! let mut ledger = Ledger::new("EUR".parse().unwrap(), 0.5, vec![])?;
//! // Twelve customers by turns held out and treated, whose promotion of 2.00 brings 5.00.
//! let customers: Vec<Customer> = (0..12_i64)
//!     .map(|id| {
//!         let (treated, usual) = (id % 2, 1_000 + 37 * (id * 5 % 7));
//!         let before = Amounts { revenue: usual, goods: usual / 2, orders: 1, ..Amounts::default() };
//!         let revenue = usual + 11 * (id % 3) + 500 * treated;
//!         let during = Amounts { revenue, goods: revenue / 2, promotion: 200 * treated, orders: 1 + u32::from(id % 4 == 3), ..Amounts::default() };
//!         let arm = if treated == 1 { Arm::Treated } else { Arm::HeldOut };
//!         Customer { arm, before, during, after: Amounts::default(), last_touched: 0, redeemed: 0 }
//!     })
//!     .collect();
//! ledger.add(&customers, &[])?;
//! let brought = incremental(&ledger, Horizon::During, MoneySettings::default())?;
//! let revenue = brought.revenue.unwrap().per_customer;
//! assert!((revenue.value - 5.0).abs() < 0.2 && revenue.unit == "EUR per customer");
//! let returned = returns(&ledger, Horizon::During, MoneySettings::default())?;
//! assert!((returned.return_on_promotion_spend.unwrap().value.unwrap() - 1.25).abs() < 0.1);
//! # Ok(())
//! # }
//! ```

mod attribution;
mod cannibalisation;
mod error;
mod fieller;
mod figure;
mod halo;
mod incremental;
pub(crate) mod joint;
mod ledger;
mod programme;
mod pull_forward;
mod returns;
mod surrogate;

pub use attribution::{Attributed, Attribution, Order, Touch, attribution, last_touch, redemption};
pub use cannibalisation::{Cannibalisation, cannibalisation};
pub use error::MoneyError;
pub use fieller::{EffectVariance, FiellerSet, fieller_set};
pub use figure::{Causal, Figure, RatioFigure};
pub use halo::{Halo, halo};
pub use incremental::{Horizon, Incremental, IncrementalMoney, MoneySettings, incremental};
pub use ledger::{Amounts, Arm, Customer, Lacking, Ledger, Measure, Part, Window};
pub use programme::{CampaignEffect, Lot, Participant, Programme, ProgrammeEffects};
pub use pull_forward::{PullForward, PulledForward, pull_forward};
pub use returns::{Returns, returns};
pub use surrogate::{ASSUMPTION, SurrogacyCheck, SurrogateEffect, SurrogateFigures, SurrogateFit, SurrogateIndex};

#[cfg(test)]
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "amounts in tests are small")]
mod tests;
