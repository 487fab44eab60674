//! How good predictions of effects are, told from outcomes of people who were given a treatment or
//! not: rankings of one treatment ([`judge_ranking`]) and choices among several ([`judge_policy`]).
//!
//! One metric, one file. Every metric comes with an interval, from a bootstrap of rows, and a null:
//! what it comes to when the same scores are dealt out to the rows by lot.
//!
//! The metrics of rankings presume that treatment was given by lot with one chance for all; where it
//! was not, the values of policies take the chances into account, and only they do.

mod aucc;
mod auuc;
mod least_squares;
mod policy_value;
mod qini;
mod ranked;
mod resample;
mod uplift_at_k;

pub use aucc::aucc;
pub use auuc::auuc;
pub use policy_value::{Choices, judge_policy};
pub use qini::qini;
pub use ranked::{Ranked, View};
pub use resample::{Judged, Null, Resampling};
pub use uplift_at_k::{Strategy, uplift_at_k};

use ranked::Sampling;
use resample::{Measure, judge};

/// Shares of the rows whose uplift is told.
const SHARES: [(f64, &str); 3] = [(0.1, "10"), (0.2, "20"), (0.3, "30")];

/// Judges the ranking of one treatment against control by a score: Qini, AUUC, uplift@k, and, with
/// costs, the area under the cost curve.
///
/// Qini and AUUC are `None` where an outcome is neither 0 nor 1: they are defined against the perfect
/// ranking of people who respond.
pub fn judge_ranking(ranked: &Ranked, resampling: Resampling) -> Vec<Judged> {
    judge(ranked, ranked.rows(), &measures(ranked), resampling)
}

fn measures(ranked: &Ranked) -> Vec<Measure<Ranked>> {
    const PERFECT: &str = "share of the perfect ranking's area";
    const BOUGHT: &str = "share of all incremental outcome x all incremental cost";
    let binary = ranked.is_binary();
    let of_perfect = |name: &str, measure: fn(&View<'_>) -> Option<f64>| {
        Measure::new(name, PERFECT, move |ranked: &Ranked, sampling| if binary { measure(&ranked.view(sampling)) } else { None })
    };
    let mut all = vec![
        of_perfect("qini", |view| qini(view, true)),
        of_perfect("qini_no_negative_effect", |view| qini(view, false)),
        of_perfect("auuc", auuc),
    ];
    for (strategy, name) in [(Strategy::Overall, "overall"), (Strategy::ByGroup, "by_group")] {
        for (share, percent) in SHARES {
            let uplift = move |ranked: &Ranked, sampling: Sampling<'_>| uplift_at_k(&ranked.view(sampling), share, strategy);
            all.push(Measure::new(format!("uplift_at_{percent}_{name}"), "outcome per row", uplift));
        }
    }
    if ranked.has_costs() {
        all.push(Measure::new("aucc", BOUGHT, |ranked: &Ranked, sampling| aucc(&ranked.view(sampling))));
    }
    all
}

#[cfg(test)]
mod tests;
