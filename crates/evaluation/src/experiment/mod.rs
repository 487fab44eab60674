//! Experiments: from units in arms to effects, checks and a decision.
//!
//! Everything rests on [`Moments`], which rows ([`accumulate()`], [`Accumulator`]) or a database's aggregates
//! ([`Moments::from_sums`]) fill alike. A [`Metric`] of two arms' moments is a [`Contrast`], plain
//! ([`unadjusted`], [`proportion()`]), adjusted ([`cuped()`], [`regression()`], [`post_stratified`]), of quantiles
//! ([`quantile()`]) or of clusters ([`cluster_sums`], [`switchback()`]). A contrast is judged by
//! [`frequentist()`], [`bayesian()`], [`confidence_sequence()`] or [`mixture_sprt()`], on an absolute or a relative
//! [`Scale`]. Checks give [`Warning`]s that say what they do to the figures; [`decide`] says what to do.
//! [`analyse`] does all of it for several metrics and arms.
//!
//! Units are those that were assigned by lot. Only moments' estimators work from aggregates; quantiles,
//! HC2/HC3 variances, caps, exposures and novelty need rows.
//!
//! ```
//! use youhui_evaluation::experiment::{Frequentist, Metric, Rows, Scale, accumulate, cuped, frequentist};
//! # fn main() -> Result<(), youhui_evaluation::experiment::ExperimentError> {
//! // Revenue of eight customers, their revenue of the month before, and their arms.
//! let revenue = [12.0, 31.0, 8.0, 22.0, 15.0, 36.0, 9.0, 28.0];
//! let before = [10.0, 30.0, 9.0, 20.0, 11.0, 33.0, 7.0, 24.0];
//! let arm = [0, 0, 0, 0, 1, 1, 1, 1];
//! let rows = Rows { columns: &[&revenue, &before], names: &["revenue", "before"], group: &arm };
//! let arms = accumulate(rows, 2)?;
//! let adjusted = cuped(Metric::mean(0), &[Metric::mean(1)], &arms[0], &arms[1])?;
//! let effect = frequentist(&adjusted.contrast, Scale::Absolute, Frequentist::default())?;
//! assert!(adjusted.variance_reduction > 0.9 && effect.low < effect.value && effect.value < effect.high);
//! # Ok(())
//! # }
//! ```

mod accumulate;
mod analysis;
mod balance;
mod barnard;
mod bayesian;
mod cluster;
mod confidence_sequence;
mod cuped;
mod decision;
mod dimensions;
mod error;
mod exposure;
mod frequentist;
mod guardrail;
mod log_ratio_posterior;
mod metric;
mod mixture_sprt;
mod moments;
mod multiplicity;
mod novelty;
mod post_stratification;
mod power;
mod proportion;
mod quantile;
mod regression;
mod revenue;
mod sample_ratio;
pub(crate) mod solve;
pub(crate) mod special;
mod switchback;

pub use accumulate::{Accumulator, Rows, accumulate, by_arm, cell};
pub use analysis::{
    Analysis, AnalysisPlan, ArmResult, ArmValue, Engine, Estimated, MetricPlan, MetricResult, Planned, Role, analyse, from_moments,
};
pub use balance::{Balance, CovariateBalance, balance};
pub use barnard::{barnard_exact, boschloo_exact};
pub use bayesian::{Bayesian, Posterior, Prior, bayesian};
pub use cluster::{ClusterSums, DesignEffect, cluster_sums, design_effect, finer_than_assignment};
pub use confidence_sequence::{AlwaysValid, Looks, Sequential, confidence_sequence};
pub use cuped::{Cuped, cuped};
pub use decision::{Decision, GoalResult, GuardrailResult, Progress, Verdict, decide};
pub use dimensions::{Breakdown, DimensionEffect, Judge, breakdown};
pub use error::{ExperimentError, Warning};
pub use exposure::{Exposure, exposure};
pub use frequentist::{Effect, Frequentist, RelativeInterval, Scale, Tail, frequentist};
pub use guardrail::{Better, Guarded, Interval, guardrail};
pub use log_ratio_posterior::{LogRatioPosterior, conversion_posterior, mean_posterior};
pub use metric::{ArmEstimate, Contrast, Metric, unadjusted};
pub use mixture_sprt::{MixtureSprt, mixture_sprt};
pub use moments::Moments;
pub use multiplicity::{Adjust, adjust, level_of_selected, widened};
pub use novelty::{DayRows, Followed, Novelty, by_day, novelty};
pub use post_stratification::post_stratified;
pub use power::{PowerPlan, achieved_power, detectable, power, units_needed};
pub use proportion::{ProportionResult, ProportionTest, Share, fisher_exact, likelihood_ratio, pearson, proportion, proportion_test};
pub use quantile::{ClusterShares, QuantileStats, quantile};
pub use regression::{Adjustment, Robust, regression, regression_from_moments};
pub use revenue::{Capped, Skewness, TwoPart, two_part, winsorised};
pub use sample_ratio::{
    ALARM, SampleRatio, always_valid_sample_ratio, exact_sample_ratio, normal_sample_ratio, sample_ratio, sequential_sample_ratio,
};
pub use switchback::{Switchback, SwitchbackDesign, SwitchbackRows, switchback};

#[cfg(test)]
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "counts in tests are small and not negative")]
mod tests;
