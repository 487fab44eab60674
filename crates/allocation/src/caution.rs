//! What of a prediction's uncertainty a plan takes into account.
//!
//! A plan that takes the largest of many uncertain predictions takes those that are too large: the
//! optimiser's curse (Smith and Winkler 2006), the worse the less certain they are. A lower confidence
//! bound takes off what isn't certain (pessimism: Jin, Yang and Wang 2021); a posterior draw (Thompson
//! 1933) explores: over many draws each offer is given as often as it is likely to be the best.

use youhui_commerce::Draw;

/// By what value offers are compared, where each has a standard error.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub enum Caution {
    /// As predicted.
    #[default]
    None,
    /// So many standard errors less than predicted.
    LowerBound(f64),
    /// Drawn from a normal distribution around the prediction, by this seed: the same for an offer
    /// wherever it stands.
    Draw(u64),
}

/// Standard errors beyond which no draw goes: Box and Muller's method with 53 bits gives less than nine.
const FARTHEST: f64 = 9.0;

impl Caution {
    /// The value to compare by.
    pub fn value(self, value: f64, std_error: f64, customer: &str, promotion: &str) -> f64 {
        match self {
            Self::None => value,
            Self::LowerBound(errors) => value - errors * std_error,
            Self::Draw(seed) => value + std_error * Draw::seeded(seed).fork(customer).fork(promotion).normal(),
        }
    }

    /// What [`Caution::value`] is at most, without its sign.
    pub fn most(self, value: f64, std_error: f64) -> f64 {
        match self {
            Self::None => value.abs(),
            Self::LowerBound(errors) => value.abs() + (errors * std_error).abs(),
            Self::Draw(_) => value.abs() + FARTHEST * std_error,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_by_kind() {
        assert_eq!(Caution::None.value(5.0, 2.0, "a", "p"), 5.0);
        assert_eq!(Caution::LowerBound(1.5).value(5.0, 2.0, "a", "p"), 2.0);
        let drawn = Caution::Draw(7).value(5.0, 2.0, "a", "p");
        assert_eq!(Caution::Draw(7).value(5.0, 2.0, "a", "p"), drawn);
        assert!(drawn != Caution::Draw(7).value(5.0, 2.0, "a", "q") && drawn != Caution::Draw(8).value(5.0, 2.0, "a", "p"));
    }

    #[test]
    fn draws_have_the_standard_error() {
        let drawn: Vec<f64> = (0..20_000).map(|number| Caution::Draw(1).value(3.0, 2.0, &number.to_string(), "p")).collect();
        let mean = drawn.iter().sum::<f64>() / 20_000.0;
        let variance = drawn.iter().map(|one| (one - mean).powi(2)).sum::<f64>() / 20_000.0;
        assert!((mean - 3.0).abs() < 4.0 * 2.0 / 20_000_f64.sqrt(), "{mean}");
        assert!((variance - 4.0).abs() < 0.16, "{variance}");
        assert!(drawn.iter().all(|value| value.abs() <= Caution::Draw(1).most(3.0, 2.0)));
    }
}
