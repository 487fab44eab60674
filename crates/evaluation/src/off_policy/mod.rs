//! Off-policy evaluation: what a policy would have earned, from a log in which another one drew the actions.
//!
//! ```text
//! Log + Target + Expected ── weigh ──► Weighed ──► Evaluation ──► Report
//!   (blocks of rounds)                        ├──► Tuning ──► Tuned (λ)
//!                                             └──► Comparison ──► ValueDifference
//! ```
//!
//! A log comes in blocks; [`weigh`] sums each round over its actions, so that no matrix of rounds × actions is needed beyond
//! a block. [`Evaluation`], [`Tuning`] and [`Comparison`] take in weighed blocks one after the other, or apart and merged.
//! [`estimators`] are one a file, with formula, ranges, when they fail, and paper. [`slate`] values whole pages.
//! [`RewardModel`] fits q̂ ([`RewardFit`] block by block), [`balanced_weights`] weights without propensities, from the same log.
//! [`MultiLogger`] is for logs of several policies, [`by_category`] for more actions than rounds can tell apart.

mod additive;
mod automatic;
mod balanced;
mod bootstrap;
mod categories;
mod comparison;
mod diagnostics;
mod error;
mod estimator;
pub mod estimators;
mod evaluation;
mod interval;
mod log;
mod moments;
mod multi_logger;
mod reward_model;
pub mod slate;
mod sums;
mod tuning;
mod warning;
mod weighed;

pub use automatic::{Family, TunedEstimator, TuningOfAll, tune_all};
pub use balanced::{Balancing, balanced_weights};
pub use bootstrap::Bootstrap;
pub use categories::{Categories, by_category};
pub use comparison::{Comparison, ValueDifference};
pub use diagnostics::{Diagnostics, Unsupported};
pub use error::OffPolicyError;
pub use estimator::{Estimator, Needs, Round, Term, WeightShrinking};
pub use evaluation::{Evaluation, Options, PolicyValue, Report, evaluate};
pub use interval::{Bounds, Interval, empirical_bernstein, hoeffding};
pub use log::{Expected, Log, Shape, Target};
pub use multi_logger::{LoggerShare, MultiLogger, MultiLoggerValue};
pub use reward_model::{Fitting, FittingWeights, Regression, RewardFit, RewardModel};
pub use tuning::{Candidate, Criterion, Tuned, Tuning};
pub use warning::Warning;
pub use weighed::{Weighed, weigh};

#[cfg(test)]
mod tests;
