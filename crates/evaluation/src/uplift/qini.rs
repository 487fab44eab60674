//! The Qini coefficient (Radcliffe 2007), as scikit-uplift 0.5.1's `qini_auc_score` defines it.
//!
//! Curve: treated responders less control responders × treated / control, over rows targeted. Area
//! above the straight line to its end, as a share of the perfect ranking's.

use super::ranked::{Totals, View, area, share_of_perfect};

/// The coefficient: 1 for the perfect ranking, about 0 for a random one.
///
/// With `negative_effect` the perfect ranking puts control's responders last, as if treatment could
/// only hurt them; without, treatment hurts nobody. `None` where that is undefined: nobody responds,
/// or, without negative effects, treatment does harm on the whole.
pub fn qini(view: &View<'_>, negative_effect: bool) -> Option<f64> {
    let mut end = Totals::default();
    let actual = area(view.thresholds().inspect(|totals| end = *totals).map(|totals| (totals.all, height(&totals))));
    let (treated_responders, control_responders) = (end.treated_outcome, end.control_outcome);
    let last = (end.all, height(&end));
    if negative_effect {
        let points = [(treated_responders, treated_responders), (end.all - control_responders, treated_responders), last];
        return share_of_perfect(actual, area(points.into_iter()), last);
    }
    if end.control() == 0.0 {
        return None;
    }
    let incremental = treated_responders - end.treated * control_responders / end.control();
    let last = (end.all, incremental);
    let possible = (0.0..=end.all).contains(&incremental);
    if possible { share_of_perfect(actual, area([(incremental, incremental), last].into_iter()), last) } else { None }
}

fn height(totals: &Totals) -> f64 {
    let ratio = if totals.control() == 0.0 { 0.0 } else { totals.treated / totals.control() };
    totals.treated_outcome - totals.control_outcome * ratio
}
