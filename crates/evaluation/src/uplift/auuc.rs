//! The area under the uplift curve (Rzepakowski and Jaroszewicz 2012), as scikit-uplift 0.5.1's
//! `uplift_auc_score` defines it.
//!
//! Curve: (mean outcome of treated − mean outcome of control) × rows, over rows targeted. Area above
//! the straight line to its end, as a share of the perfect ranking's.

use super::ranked::{Row, Totals, View, area, share_of_perfect};

/// The area: 1 for the perfect ranking, about 0 for a random one. `None` where even the perfect ranking
/// is no better than a random one.
pub fn auuc(view: &View<'_>) -> Option<f64> {
    let mut end = Totals::default();
    let actual = area(view.thresholds().inspect(|totals| end = *totals).map(|totals| (totals.all, height(&totals))));
    share_of_perfect(actual, area(perfect(&end)), (end.all, height(&end)))
}

fn height(totals: &Totals) -> f64 {
    totals.gain(totals.treated_outcome, totals.control_outcome)
}

/// The curve of the best ranking: treated who respond, control who don't, and of the two kinds that are
/// left the rarer first, as scikit-uplift orders them.
fn perfect(end: &Totals) -> impl Iterator<Item = (f64, f64)> {
    let row = |treated: bool, outcome: f64, times: f64| Row { times, outcome, cost: 0.0, treated };
    let control_responders = row(false, 1.0, end.control_outcome);
    let treated_others = row(true, 0.0, end.treated - end.treated_outcome);
    let mut worst = [treated_others, control_responders];
    if control_responders.times > treated_others.times {
        worst.reverse();
    }
    let best = [row(true, 1.0, end.treated_outcome), row(false, 0.0, end.control() - end.control_outcome)];
    let mut totals = Totals::default();
    best.into_iter().chain(worst).map(move |group| {
        totals.add(group);
        (totals.all, height(&totals))
    })
}
