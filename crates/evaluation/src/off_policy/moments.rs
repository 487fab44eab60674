//! Means and products of deviations of several variables, in one pass and mergeable.

/// Sums of `D` variables over units. Merging is Chan, Golub and LeVeque's (1979): no cancellation.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Moments<const D: usize> {
    pub(super) count: f64,
    pub(super) means: [f64; D],
    /// Σ (xᵢ − x̄ᵢ)(xⱼ − x̄ⱼ).
    products: [[f64; D]; D],
}

impl<const D: usize> Moments<D> {
    pub(super) const fn new() -> Self {
        Self { count: 0.0, means: [0.0; D], products: [[0.0; D]; D] }
    }

    /// Of one block of units; two passes.
    pub(super) fn of(units: &[[f64; D]]) -> Self {
        let mut moments = Self::new();
        if units.is_empty() {
            return moments;
        }
        moments.count = units.len() as f64;
        for unit in units {
            moments.means.iter_mut().zip(unit).for_each(|(mean, value)| *mean += value);
        }
        moments.means.iter_mut().for_each(|mean| *mean /= moments.count);
        for unit in units {
            let mut deviations = *unit;
            deviations.iter_mut().zip(&moments.means).for_each(|(deviation, mean)| *deviation -= mean);
            for (row, one) in moments.products.iter_mut().zip(&deviations) {
                row.iter_mut().zip(&deviations).for_each(|(product, other)| *product += one * other);
            }
        }
        moments
    }

    pub(super) fn merge(&mut self, other: &Self) {
        if other.count == 0.0 {
            return;
        }
        let total = self.count + other.count;
        let share = self.count * other.count / total;
        let mut between = [0.0; D];
        for ((between, mean), other) in between.iter_mut().zip(&self.means).zip(&other.means) {
            *between = other - mean;
        }
        for (place, row) in self.products.iter_mut().enumerate() {
            for (column, product) in row.iter_mut().enumerate() {
                *product += other.products[place][column] + between[place] * between[column] * share;
            }
        }
        self.means.iter_mut().zip(&between).for_each(|(mean, between)| *mean += between * other.count / total);
        self.count = total;
    }

    /// Sample variance (n − 1) of a linear combination.
    pub(super) fn variance(&self, combination: &[f64; D]) -> f64 {
        let mut sum = 0.0;
        for (row, one) in self.products.iter().zip(combination) {
            sum += one * row.iter().zip(combination).map(|(product, other)| product * other).sum::<f64>();
        }
        // Rounding may leave a hair below 0; NaN stays what it is.
        if sum < 0.0 { 0.0 } else { sum / (self.count - 1.0) }
    }
}

/// A value with its standard error.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Valued {
    pub(super) value: f64,
    pub(super) std_error: f64,
}

/// Places of an estimator's sums among the variables of a unit.
#[derive(Debug, Clone, Copy)]
pub(super) struct Places {
    pub(super) rounds: usize,
    pub(super) base: usize,
    pub(super) numerator: usize,
    pub(super) denominator: usize,
}

impl Places {
    pub(super) const SINGLE: Self = Self { rounds: 0, base: 1, numerator: 2, denominator: 3 };
}

/// mean(base) + Σ numerator / Σ denominator, and its gradient by the means: the delta method, exact for
/// plain means.
pub(super) fn ratio<const D: usize>(moments: &Moments<D>, places: Places) -> (f64, [f64; D]) {
    let at = |place: usize| moments.means[place];
    let (rounds, denominator) = (at(places.rounds), at(places.denominator));
    let mut gradient = [0.0; D];
    gradient[places.base] += 1.0 / rounds;
    gradient[places.rounds] -= at(places.base) / (rounds * rounds);
    let mut value = at(places.base) / rounds;
    if denominator != 0.0 {
        value += at(places.numerator) / denominator;
        gradient[places.numerator] += 1.0 / denominator;
        gradient[places.denominator] -= at(places.numerator) / (denominator * denominator);
    }
    (value, gradient)
}

pub(super) fn valued<const D: usize>(moments: &Moments<D>, places: Places) -> Valued {
    let (value, gradient) = ratio(moments, places);
    Valued { value, std_error: (moments.variance(&gradient) / moments.count).sqrt() }
}
