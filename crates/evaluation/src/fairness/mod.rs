//! Fairness and harm: who is offered, given, charged and helped, by group, from customers who were held out by lot.
//!
//! A [`GroupLedger`] takes customers in batches and keeps one [`Moments`](crate::experiment::Moments) for each group and arm. [`parity()`] compares groups in what
//! the policy gives them, [`group_effects`] in what it does for them, [`harm()`] says which groups it makes worse off. All p-values are adjusted for the
//! number of groups, all gaps have simultaneous intervals, and groups that are too small are suppressed and named.
//!
//! ```
//! use youhui_evaluation::fairness::{FairnessError, FairnessSettings, GroupLedger, GroupPlan, ParityMetric, Person, parity};
//! use youhui_evaluation::money::Arm;
//! # fn main() -> Result<(), FairnessError> {
//! let groups = ["18–29", "30–59", "60+"].map(str::to_owned).to_vec();
//! let plan = GroupPlan { currency: "EUR".parse().unwrap(), groups, benefit_unit: "EUR".to_owned(), bought: "unit".to_owned(), share_treated: 0.5, minimum: 30 };
//! let mut ledger = GroupLedger::new(plan)?;
//! // Of the first two groups three of four are offered something, of the last one in four.
//! let people: Vec<Person> = (0..2_400_u32)
//!     .map(|id| {
//!         let (group, arm) = (id % 3, if id / 3 % 2 == 0 { Arm::HeldOut } else { Arm::Treated });
//!         let offered = arm == Arm::Treated && (id / 6 % 4 < 3) != (group == 2);
//!         let (benefit, before) = (f64::from(id % 7), f64::from(id % 5));
//!         Person { group: Some(group), arm, offered, list: 1_000, discount: 0, units: 1, cost: 0, benefit, before }
//!     })
//!     .collect();
//! ledger.add(&people)?;
//! let offered = parity(&ledger, ParityMetric::Offered, FairnessSettings::default())?;
//! assert!(offered.worst == "60+" && offered.difference.low > 0.4 && offered.ratio.unwrap().high < 0.5);
//! # Ok(())
//! # }
//! ```

mod effects;
mod error;
mod groups;
mod harm;
mod parity;
mod simultaneous;

pub use effects::{GroupEffects, group_effects};
pub use error::FairnessError;
pub use groups::{GroupLedger, GroupPlan, Person, Suppressed};
pub use harm::{GroupHarm, Harm, harm};
pub use parity::{FairnessSettings, Gap, GroupFigure, Parity, ParityMetric, parity};

#[cfg(test)]
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "amounts in tests are small")]
mod tests;
