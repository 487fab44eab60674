//! Which learners, with which weight, and how sure: on rows that a model did not see.

mod bags;
mod fit;
mod policy;
mod select;

pub use fit::{Experiment, Settings, fit};
pub use policy::PolicyReport;
pub(crate) use policy::best_place;
pub use select::{CandidateReport, Heterogeneity};
