//! Predictions and limits to who gets what: a multiple-choice knapsack with many constraints.
//!
//! Read in this order: [`Offers`] (who could get what), [`Constraints`] and `program` (what a plan must
//! keep to), `choices` (what one customer may get), `smooth` and `hull` (dual prices), `screen` (the one
//! pass over all customers), `solve`, `moves` and `repair` (whole customers, every limit kept), [`Plan`].
//! Every plan comes with an upper bound that no plan can beat.

mod candidates;
mod caution;
mod choices;
mod conflict;
mod constraints;
mod curve;
mod demand;
mod exact;
mod hull;
mod knapsack;
mod moves;
mod offers;
pub mod online;
mod plan;
mod program;
mod repair;
mod screen;
mod search;
mod smooth;
mod solve;
mod spread;
mod units;

pub use caution::Caution;
pub use constraints::{Constraints, ContactLimit, PromotionLimit, SegmentLimit};
pub use curve::{Curve, CurvePoint, curve, curve_stream};
pub use knapsack::{Choice, Offer, Solution, budget_curve, solve};
pub use offers::{Offers, Row, View};
pub use plan::{AllocationError, Plan, Streamed, Use, allocate, allocate_stream};
pub use program::{ConstraintError, Terms};
pub use solve::Source;
pub use units::{Unit, UnitFinder};
