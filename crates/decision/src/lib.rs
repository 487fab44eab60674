//! One request → one decision, with its propensity and its reason. Pure: the same [`Facts`] and [`Snapshot`] give the same
//! [`Decision`] whenever they are asked (invariant 4).
//!
//! ```text
//! Request + PermittedProfile<View> ─► Facts ─► decide ─► Decision: offer, propensity, mode, reason, what else was looked at
//!                                   Snapshot ──┘  ▲
//!                    Learner ◄── Outcomes         │ Exploration: estimates → probabilities
//!                       └──► Beliefs ─────────────┘
//! ```
//!
//! Who may not be known ([`Unknown`]) sees the non-personalised twin (invariant 10); a profile gets in as a
//! [`PermittedProfile`](youhui_privacy::PermittedProfile) only (invariant 5).

mod campaign;
mod code;
mod decide;
mod drift;
mod facts;
mod learn;
mod policy;
mod posterior;
mod snapshot;

pub use campaign::{Action, Campaign, Refused, Revision, Stage, State};
pub use code::{NotACode, mint, normalise};
pub use decide::{Considered, Decision, Filled, Mode, Reason, decide};
pub use drift::{Drift, Way};
pub use facts::{Candidate, DecisionId, Facts, Kept, Place, Request, Unknown, View};
pub use learn::{Learner, NotLearnt, Outcome, Posterior};
pub use policy::{Estimate, Exploration, Policy};
pub use posterior::Belief;
pub use snapshot::{Offer, Snapshot};
