//! Logs to effects and intervals.
//!
//! Every figure that leaves this crate is an [`Estimate`]: a value with its interval, sample size
//! and unit (invariant 8).

mod estimate;
pub mod experiment;
pub mod fairness;
pub mod money;
pub mod observational;
pub mod off_policy;
mod policy;
pub mod uplift;

pub use estimate::{Estimate, clustered_mean, clustered_total};
pub use policy::{Comparison, Scored, compare, difference, value};
