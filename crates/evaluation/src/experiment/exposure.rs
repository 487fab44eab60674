//! Units that were seen in several arms, or several times.
//!
//! What such a unit did is caused by both arms. Kept, it pulls the difference towards 0 and breaks
//! independence; dropped, it is harmless as long as being seen twice doesn't depend on the arm — which the
//! sample ratio of those that are left shows.

use rayon::prelude::*;
use serde::Serialize;

use super::{ExperimentError, Warning};

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Exposure {
    /// Different units.
    pub units: u64,
    /// Units seen in two arms or more.
    pub in_several_arms: u64,
    /// Units with several rows, all in one arm.
    pub repeated: u64,
    /// Places of rows to keep: those of units in one arm.
    #[serde(skip)]
    pub kept: Vec<usize>,
}

/// Looks for units in several arms. `unit[row]` was in `arm[row]`.
///
/// # Errors
/// Where lengths differ.
pub fn exposure(unit: &[u64], arm: &[u32]) -> Result<Exposure, ExperimentError> {
    if unit.len() != arm.len() {
        return Err(ExperimentError::Length { column: "arm".to_owned(), found: arm.len(), expected: unit.len() });
    }
    let mut order: Vec<usize> = (0..unit.len()).collect();
    order.par_sort_unstable_by_key(|&row| (unit[row], row));
    let mut found = Exposure { units: 0, in_several_arms: 0, repeated: 0, kept: Vec::with_capacity(unit.len()) };
    for rows in order.chunk_by(|&one, &two| unit[one] == unit[two]) {
        found.units += 1;
        if rows.iter().any(|&row| arm[row] != arm[rows[0]]) {
            found.in_several_arms += 1;
        } else {
            found.repeated += u64::from(rows.len() > 1);
            found.kept.extend_from_slice(rows);
        }
    }
    found.kept.sort_unstable();
    Ok(found)
}

impl Exposure {
    /// A warning where any unit was in several arms.
    pub fn warning(&self) -> Option<Warning> {
        let share = self.in_several_arms as f64 / self.units.max(1) as f64;
        (self.in_several_arms > 0).then(|| {
            let message = format!(
                "{} of {} units ({:.2} %) were in several arms; they are left out. Kept, they would pull the effect towards 0 by about that share. Above 1 %, find out why: if it depends on the arm, what is left is biased",
                self.in_several_arms,
                self.units,
                100.0 * share
            );
            Warning::new("multiple_exposure", message)
        })
    }
}
