//! Fixed point: what one unit of a 32-bit number stands for.

/// Largest amount in units: leaves room for differences of two.
const MOST: f64 = (1_u32 << 30) as f64;
/// Decimal places that are tried.
const DECIMALS: i32 = 9;

/// What one unit is in the file's numbers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Unit {
    /// A unit in the file's numbers.
    pub size: f64,
    /// Whether every number is a whole number of units.
    pub exact: bool,
}

/// The unit of a column, from what was seen of it: decimal places and the largest amount.
#[derive(Debug, Clone, Copy, Default)]
pub struct UnitFinder {
    most: f64,
    decimals: i32,
    inexact: bool,
}

impl UnitFinder {
    /// Sees a number.
    pub fn see(&mut self, number: f64) {
        self.most = self.most.max(number.abs());
        while !self.inexact && !has_decimals(number, self.decimals) {
            self.decimals += 1;
            self.inexact = self.decimals > DECIMALS;
        }
    }

    /// Sees that numbers with as many decimals as they like reach so far.
    pub const fn reach(&mut self, most: f64) {
        self.most = self.most.max(most);
        self.inexact = true;
    }

    /// Sees what another finder saw.
    #[must_use]
    pub fn merge(self, other: Self) -> Self {
        Self { most: self.most.max(other.most), decimals: self.decimals.max(other.decimals), inexact: self.inexact || other.inexact }
    }

    /// The unit: a power of ten that makes every number whole, if there is one that leaves them
    /// below 2³⁰; else 2⁻³⁰ of the largest. With `fine`, whole numbers get more places, as far as they go.
    pub fn unit(self, fine: bool) -> Unit {
        let fits = |decimals: i32| self.most * 10_f64.powi(decimals) <= MOST;
        if self.inexact || !fits(self.decimals) {
            return Unit { size: self.most / MOST, exact: false };
        }
        let more = if fine { (self.decimals..=DECIMALS).take_while(|&decimals| fits(decimals)).last() } else { None };
        Unit { size: 10_f64.powi(-more.unwrap_or(self.decimals)), exact: true }
    }
}

impl Unit {
    /// The nearest number of units.
    pub fn nearest(self, number: f64) -> i32 {
        to_whole((number / self.size).round())
    }

    /// The number of units that is no less.
    pub fn up(self, number: f64) -> i32 {
        if self.exact { self.nearest(number) } else { to_whole((number / self.size).ceil()) }
    }
}

#[allow(clippy::cast_possible_truncation, reason = "saturates; the unit keeps numbers below 2³⁰")]
const fn to_whole(units: f64) -> i32 {
    units as i32
}

/// Whether a number is written with so many decimal places.
fn has_decimals(number: f64, decimals: i32) -> bool {
    let power = 10_f64.powi(decimals);
    (number * power).round() / power == number
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unit(numbers: &[f64], fine: bool) -> Unit {
        let mut finder = UnitFinder::default();
        numbers.iter().for_each(|&number| finder.see(number));
        finder.unit(fine)
    }

    #[test]
    fn decimals_become_whole() {
        assert_eq!(unit(&[1.0, -25.0], false), Unit { size: 1.0, exact: true });
        assert_eq!(unit(&[1.25, 0.1], false), Unit { size: 0.01, exact: true });
        assert_eq!(unit(&[1.0, 25.0], true).size, 1e-7);
        assert_eq!(unit(&[0.0], false), Unit { size: 1.0, exact: true });
        assert_eq!(unit(&[0.1], false).nearest(0.3), 3);
    }

    #[test]
    fn what_has_no_decimals_is_rounded() {
        let third = unit(&[1.0 / 3.0, 1e6], false);
        assert!(!third.exact);
        assert!(f64::from(third.up(1.0 / 3.0)) * third.size >= 1.0 / 3.0);
        let large = unit(&[0.01, 1e9], false);
        assert!(!large.exact && large.nearest(1e9) == 1 << 30);
    }
}
