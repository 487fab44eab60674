//! Which learners, with which weight, and how sure: on rows that a model did not see.

mod bags;
mod basics;
mod check;
mod fit;
mod foresight;
mod policy;
mod search;
mod select;
mod trust;

pub use fit::{Experiment, Settings, fit};
pub use policy::PolicyReport;
pub(crate) use policy::best_place;
pub use select::{CandidateReport, Heterogeneity};
pub use trust::{EValue, FeatureBalance, Placebo};
