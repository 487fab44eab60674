//! Hyper-parameters by random search (Bergstra and Bengio 2012): variants of learners that are then weighed like any
//! others, by what they say of rows that they did not see.

use youhui_commerce::Draw;

use crate::error::ResponseError;
use crate::learner::{Learner, tunable, with_kind};
use crate::regress::{DenseTuning, Kind, TreeTuning};

/// Learners of `auto` that have something to tune.
const TUNED: [&str; 5] = ["r-trees", "x-trees", "t-dense", "r-dense", "x-dense"];

/// A learner with what it is called.
type Called = (String, Box<dyn Learner>);

/// So many variants of the named learner, or of those of `auto`.
pub(super) fn variants(named: Option<&str>, count: usize, seed: u64) -> Result<Vec<Called>, ResponseError> {
    let mut draw = Draw::seeded(seed).fork("search");
    let one = |_| {
        let name = named.unwrap_or_else(|| TUNED[draw.below(TUNED.len())]);
        let nothing = || ResponseError::Search { name: name.to_owned() };
        let (meta, kind) = tunable(name).ok_or_else(nothing)?;
        let (kind, called) = vary(kind, &mut draw).ok_or_else(nothing)?;
        Ok((format!("{name} ({called})"), with_kind(meta, kind).ok_or_else(nothing)?))
    };
    (0..count).map(one).collect()
}

fn vary(kind: Kind, draw: &mut Draw) -> Option<(Kind, String)> {
    match kind {
        Kind::Trees => {
            let mut pick = |from: &[u16]| from[draw.below(from.len())];
            let tuning = TreeTuning {
                leaves: pick(&[4, 6, 8, 12, 20, 31]),
                least_rows: pick(&[5, 10, 20, 50, 100, 200]),
                rate: pick(&[20, 30, 50, 80, 120]),
                rows: pick(&[50, 70, 90]),
            };
            let called = format!(
                "{} leaves of {} rows, rate {}, {} % of rows a tree",
                tuning.leaves,
                tuning.least_rows,
                f64::from(tuning.rate) / 1000.0,
                tuning.rows
            );
            Some((Kind::TunedTrees(tuning), called))
        }
        Kind::Dense => {
            let mut pick = |from: &[u16]| from[draw.below(from.len())];
            let tuning = DenseTuning {
                first: pick(&[32, 64, 128]),
                second: pick(&[16, 32, 64]),
                rate: pick(&[50, 100, 200, 400]),
                sparsity: pick(&[0, 10, 30, 60, 100]),
            };
            let called = format!(
                "{} and {} units, rate {}, penalty {}",
                tuning.first,
                tuning.second,
                f64::from(tuning.rate) / 1e5,
                f64::from(tuning.sparsity) / 100.0
            );
            Some((Kind::TunedDense(tuning), called))
        }
        _ => None,
    }
}
