//! Drift: what happens is no longer what was expected.
//!
//! Page and Hinkley's test (Page 1954) on standardised residuals, both ways: how far the sum of residuals, less an allowance,
//! has risen above its lowest point. With the allowance of half a standard deviation and the limit of 12 a false alarm comes
//! about once in half a million outcomes if residuals are normal (Siegmund 1985: (e^(2δh′) − 1 − 2δh′) / 2δ², h′ = h + 1.166), and a shift by
//! one standard deviation is found after about 25.

use serde::{Deserialize, Serialize};

/// What is allowed for, in standard deviations.
const ALLOWANCE: f64 = 0.5;
/// Where it is drift, in standard deviations.
const LIMIT: f64 = 12.0;

/// Watches residuals.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Drift {
    up: f64,
    down: f64,
    count: f64,
    mean: f64,
    squares: f64,
}

/// Which way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Way {
    /// More comes in than was expected.
    Up,
    /// Less.
    Down,
}

impl Drift {
    /// Takes in what came less what was expected; says when that has drifted, and starts anew.
    pub fn see(&mut self, residual: f64) -> Option<Way> {
        // The scale is learnt on the way (Welford 1962); the first hundred only teach it.
        self.count += 1.0;
        let off = residual - self.mean;
        self.mean += off / self.count;
        self.squares += off * (residual - self.mean);
        if self.count <= 100.0 {
            return None;
        }
        let deviation = (self.squares / (self.count - 1.0)).sqrt();
        if deviation <= 0.0 || !deviation.is_finite() {
            return None;
        }
        let standard = residual / deviation;
        self.up = (self.up + standard - ALLOWANCE).max(0.0);
        self.down = (self.down - standard - ALLOWANCE).max(0.0);
        let way = if self.up > LIMIT {
            Way::Up
        } else if self.down > LIMIT {
            Way::Down
        } else {
            return None;
        };
        *self = Self::default();
        Some(way)
    }
}

#[cfg(test)]
mod tests {
    use youhui_commerce::Draw;

    use super::*;

    #[test]
    fn a_shift_is_found_soon_and_nothing_else_is_one() {
        let (mut alarms, mut delays) = (0, vec![]);
        for seed in 0..100 {
            let mut draw = Draw::seeded(seed);
            let mut drift = Drift::default();
            alarms += (0..5_000).filter(|_| drift.see(40.0 * draw.normal()).is_some()).count();
            let found = (0..2_000).find(|_| drift.see(40.0 + 40.0 * draw.normal()) == Some(Way::Up));
            delays.push(found.expect("a shift of a standard deviation is found"));
        }
        // Half a million outcomes without a shift: about one alarm is to be expected.
        assert!(alarms <= 5, "{alarms}");
        delays.sort_unstable();
        assert!(delays[50] < 60, "{delays:?}");
    }

    #[test]
    fn what_is_always_the_same_has_no_scale_and_no_drift() {
        let mut drift = Drift::default();
        assert!((0..1_000).all(|_| drift.see(5.0).is_none()));
    }
}
