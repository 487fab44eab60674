//! A goal, profiles and a catalogue to margin-safe candidate promotions.
//!
//! [`propose`] asks each mechanic (one file each) for drafts that fit the goal's customers, and
//! lets only those become candidates that [`clear()`] clears (invariant 6).

mod affinity;
mod brief;
pub mod calendar;
mod clear;
mod clearance;
mod goal;
mod grid;
pub mod law;
pub mod lint;
mod mechanics;
pub mod menu;
mod propose;
mod replay;
mod texts;

pub use brief::{Brief, ReplayBasket, ReplayLine, Shopper};
pub use clear::{Cleared, Economics, Refusal, clear};
pub use goal::Goal;
pub use propose::{Candidate, Figures, Proposal, Settings, propose};
pub use replay::{CompiledScope, Replay, Replayed};
