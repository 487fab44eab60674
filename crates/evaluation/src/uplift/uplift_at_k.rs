//! The effect among those with the best scores, as scikit-uplift 0.5.1's `uplift_at_k` defines it.

use super::ranked::View;

/// Who the best are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strategy {
    /// The best of all rows together.
    Overall,
    /// The best of the treated and the best of control, each on their own.
    ByGroup,
}

/// Mean outcome of the treated less that of control among the best `share` (0 to 1, rounded down to
/// rows); rows of one score are taken in the ranking's order. `None` where one side has nobody there.
pub fn uplift_at_k(view: &View<'_>, share: f64, strategy: Strategy) -> Option<f64> {
    let total = view.total();
    let mut left = match strategy {
        Strategy::Overall => Left::Together((total.all * share).floor()),
        Strategy::ByGroup => Left::Apart { treated: (total.treated * share).floor(), control: (total.control() * share).floor() },
    };
    let (mut treated, mut control) = ((0.0, 0.0), (0.0, 0.0));
    for place in 0..view.places() {
        let row = view.row(place);
        let times = left.take(row.times, row.treated);
        let side = if row.treated { &mut treated } else { &mut control };
        *side = (side.0 + times * row.outcome, side.1 + times);
        if left.is_nothing() {
            break;
        }
    }
    let uplift = treated.0 / treated.1 - control.0 / control.1;
    uplift.is_finite().then_some(uplift)
}

/// How many rows may still be taken.
enum Left {
    Together(f64),
    Apart { treated: f64, control: f64 },
}

impl Left {
    fn take(&mut self, times: f64, is_treated: bool) -> f64 {
        let left = match self {
            Self::Together(left) => left,
            Self::Apart { treated, control } => {
                if is_treated {
                    treated
                } else {
                    control
                }
            }
        };
        let times = times.min(*left);
        *left -= times;
        times
    }

    fn is_nothing(&self) -> bool {
        match self {
            Self::Together(left) => *left <= 0.0,
            Self::Apart { treated, control } => *treated <= 0.0 && *control <= 0.0,
        }
    }
}
