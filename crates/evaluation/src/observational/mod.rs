//! Observational fall-back: campaigns that ran without a holdout.
//!
//! Nobody was treated by lot, so that every figure here is the campaign's effect only under an assumption that data can't
//! prove. Each [`Observed`] carries it in words, with tests that should find nothing if it holds ([`Check`]: trends before the
//! start, a start that never was, units that weren't treated) and the label [`Evidence::Observational`]. The next campaign should have a holdout:
//! [`crate::experiment`].
//!
//! | what there is | estimator | assumes |
//! | --- | --- | --- |
//! | treated and untreated units, one start | [`difference_in_differences`], [`two_way_fixed_effects`], [`event_study`] | parallel trends |
//! | several starts | [`group_time_effects`] | parallel trends of each group |
//! | parallel trends only among like units | [`group_time_effects`] with covariates | the same, given covariates |
//! | one treated unit, many untreated | [`synthetic_control`], [`synthetic_did`] | weighted donors would have gone on like it |
//! | no untreated unit | [`segmented_regression`] | line and season would have gone on |
//! | no untreated unit, but series that go with it | [`structural_time_series`] | these would have gone on with it |
//!
//! [`relative_magnitudes`] says how far trends may be from parallel before a finding falls.
//!
//! Units of inference are clusters: whatever is treated together. Several outcomes or campaigns want
//! [`crate::experiment::adjust`].
//!
//! ```
//! use youhui_evaluation::observational::{DidSettings, ObservationalError, Panel, difference_in_differences};
//! # fn main() -> Result<(), ObservationalError> {
//! // Weekly spending of six households; the first three were mailed before week 2.
//! let spending = [[10.0, 11.0, 15.0], [12.0, 12.0, 17.5], [8.0, 9.0, 12.5], [11.0, 12.0, 12.5], [9.0, 9.5, 11.0], [14.0, 15.0, 16.0]];
//! let table: Vec<Vec<f64>> = spending.iter().map(|weeks| weeks.to_vec()).collect();
//! let starts = [Some(2), Some(2), Some(2), None, None, None];
//! let panel = Panel::from_table(&table, &starts, &[0, 1, 2, 3, 4, 5])?;
//! let found = difference_in_differences(&panel, DidSettings::default())?;
//! assert!(found.effect.low > 0.0 && found.assumption.starts_with("parallel trends"));
//! # Ok(())
//! # }
//! ```

mod doubly_robust;
mod error;
mod event_study;
mod group_time;
mod least_squares;
mod panel;
mod placebo;
mod relative_magnitudes;
mod result;
mod segmented;
mod simplex;
mod structural;
mod synthetic_control;
mod synthetic_did;
mod time_series;
mod two_by_two;
mod two_way;

pub use error::ObservationalError;
pub use event_study::{EventStudy, RelativeEffect, Window, event_study};
pub use group_time::{Aggregation, Controls, GroupTime, GroupTimeEffect, PartEffect, group_time_effects};
pub use panel::{Panel, PanelRow};
pub use relative_magnitudes::{RelativeMagnitudes, relative_magnitudes};
pub use result::{Check, CheckKind, Evidence, Observed, ObservedEffect};
pub use segmented::{Segmented, SegmentedSettings, segmented_regression};
pub use structural::{Expected, Structural, structural_time_series};
pub use synthetic_control::{Donors, SyntheticControl, synthetic_control};
pub use synthetic_did::{SyntheticDid, SyntheticVariance, synthetic_did};
pub use time_series::TimeSeries;
pub use two_by_two::{DidSettings, difference_in_differences};
pub use two_way::{TwoWay, two_way_fixed_effects};

#[cfg(test)]
mod tests;
