//! Off-policy values of whole pages (slates) of several positions, from a log of pages.
//!
//! | estimator | assumes that the reward at a position depends on | weight at position k |
//! |---|---|---|
//! | [`StandardIps`] (SIPS) | all items of the page | of the page: Π over all positions |
//! | [`IndependentIps`] (IIPS) | the item there alone | of the item at k |
//! | [`RewardInteractionIps`] (RIPS) | that item and those above | of the items at 1..k |
//! | [`CascadeDoublyRobust`] | as RIPS, with a reward model | as RIPS |
//!
//! Fewer assumptions, more variance: page weights are products of as many ratios as there are positions. A page's value
//! is the sum of its rewards. The first three can be self-normalised.
//!
//! Not here: obp's slate regression model; give q̂ to [`CascadeDoublyRobust`].

mod cascade_dr;
mod evaluation;
mod independent_ips;
mod log;
mod logged;
mod reward_interaction_ips;
mod standard_ips;

pub use cascade_dr::CascadeDoublyRobust;
pub use evaluation::{SlateEstimator, SlateTerm, SlateValue, evaluate_slates};
pub use independent_ips::IndependentIps;
pub use log::{Propensities, SlateLog, SlateModel};
pub use logged::LoggedPages;
pub use reward_interaction_ips::RewardInteractionIps;
pub use standard_ips::StandardIps;
