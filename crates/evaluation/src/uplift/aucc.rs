//! The area under the cost curve (Du, Lee and Ghaffarizadeh 2019, "Improve user retention with causal
//! learning"): how much incremental outcome a ranking buys for how much incremental cost.

use super::ranked::{Totals, View, area};

/// The area under incremental outcome over incremental cost, both as shares of what treating everybody
/// brings and costs: about .5 for a random ranking, at most 1 where both only grow.
///
/// `None` where treating everybody brings nothing or costs nothing: shares of it say nothing then.
pub fn aucc(view: &View<'_>) -> Option<f64> {
    let mut end = (0.0, 0.0);
    let area = area(view.thresholds().map(|totals| point(&totals)).inspect(|point| end = *point));
    (end.0 > 0.0 && end.1 > 0.0).then(|| area / (end.0 * end.1))
}

fn point(totals: &Totals) -> (f64, f64) {
    (totals.gain(totals.treated_cost, totals.control_cost), totals.gain(totals.treated_outcome, totals.control_outcome))
}
