//! What a promotion changes for a customer, with its uncertainty.
//!
//! From campaigns that were run, [`panel`] makes one row a customer and campaign; [`nuisance`]
//! estimates who was chosen for it and what they would have spent anyway; [`effect`] learns what
//! receiving it changed, as a function of the customer and of the promotion's descriptor, so that
//! a promotion never run before can be predicted, with wider intervals the further it lies from
//! what was run. Assignment was not randomised: every figure here is observational.

pub mod benchmark;
mod calibrate;
mod choose;
mod dense;
pub mod descriptor;
pub mod diagnostics;
pub mod effect;
mod error;
mod features;
mod forest;
mod inputs;
mod kriging;
mod learner;
mod linear;
mod matrix;
mod model;
pub mod nuisance;
mod objective;
mod pack;
pub mod panel;
mod promotions;
mod regress;
mod simd;
mod trees;
mod trial;

pub use choose::{CandidateReport, EValue, Experiment, FeatureBalance, Heterogeneity, Placebo, PolicyReport, Settings, fit};
pub use dense::Epoch;
pub use descriptor::{BASIS, Descriptor, Moderators};
pub use diagnostics::{Balance, Overlap};
pub use effect::{Effect, EffectModel};
pub use error::ResponseError;
pub use features::{Encoder, Encoding, Feature, FeatureValues};
pub use kriging::{LeftOut, Likeness, View};
pub use learner::{LEARNERS, ReferenceNetwork};
pub use matrix::Matrix;
pub use model::{ArmReport, Card, Columns, Foresight, Model, Overlap as ArmOverlap, Predictions};
pub use nuisance::{Nuisance, cross_fit};
pub use objective::Objective;
pub use panel::{Panel, PanelRow};
pub use promotions::{Described, Describes, Promotion, Promotions, Space};
