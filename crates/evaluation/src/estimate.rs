//! An estimate with its interval.

use std::collections::BTreeMap;

use serde::Serialize;
use youhui_commerce::SubjectId;

/// The two-sided 95 % quantile of the normal distribution.
const Z95: f64 = 1.959_963_984_540_054;

/// A number that says how far to trust it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Estimate {
    /// The estimate.
    pub value: f64,
    /// Lower end of the 95 % interval.
    pub low: f64,
    /// Upper end.
    pub high: f64,
    /// Customers it rests on.
    pub n: usize,
}

impl Estimate {
    /// From a value and its standard error.
    pub fn normal(value: f64, std_error: f64, n: usize) -> Self {
        Self { value, low: value - Z95 * std_error, high: value + Z95 * std_error, n }
    }

    /// Whether the whole interval lies above zero.
    pub fn is_credibly_positive(&self) -> bool {
        self.low > 0.0
    }
}

/// The sum of contributions with an interval whose unit of sampling is the customer: several
/// contributions of one customer are one draw (Liang and Zeger 1986). `population` are all
/// customers, also those who contribute nothing.
pub fn clustered_total(contributions: impl Iterator<Item = (SubjectId, f64)>, population: usize) -> Estimate {
    let mut sums: BTreeMap<SubjectId, f64> = BTreeMap::new();
    for (subject, contribution) in contributions {
        *sums.entry(subject).or_default() += contribution;
    }
    let size = population.max(sums.len()) as f64;
    let total: f64 = sums.values().sum();
    if size < 2.0 {
        return Estimate { value: total, low: f64::NEG_INFINITY, high: f64::INFINITY, n: sums.len() };
    }
    let mean = total / size;
    let squares: f64 = sums.values().map(|sum| (sum - mean).powi(2)).sum::<f64>() + (size - sums.len() as f64) * mean * mean;
    Estimate::normal(total, (squares * size / (size - 1.0)).sqrt(), population.max(sums.len()))
}

/// The mean over rows with an interval whose unit of sampling is the customer: a ratio of the
/// customers' sums to their numbers of rows, linearised.
pub fn clustered_mean(rows: impl Iterator<Item = (SubjectId, f64)>) -> Estimate {
    let mut sums: BTreeMap<SubjectId, (f64, f64)> = BTreeMap::new();
    for (subject, value) in rows {
        let sum = sums.entry(subject).or_default();
        *sum = (sum.0 + value, sum.1 + 1.0);
    }
    let (total, count) = sums.values().fold((0.0, 0.0), |(total, count), (sum, rows)| (total + sum, count + rows));
    let customers = sums.len() as f64;
    if customers < 2.0 {
        let value = if count > 0.0 { total / count } else { 0.0 };
        return Estimate { value, low: f64::NEG_INFINITY, high: f64::INFINITY, n: sums.len() };
    }
    let mean = total / count;
    let squares: f64 = sums.values().map(|(sum, rows)| (sum - rows * mean).powi(2)).sum();
    Estimate::normal(mean, (squares * customers / (customers - 1.0)).sqrt() / count, sums.len())
}

#[cfg(test)]
mod tests {
    use youhui_commerce::Draw;

    use super::*;

    #[test]
    fn intervals_of_clustered_sums_cover() {
        // Each customer contributes three times, with a common part: the naive interval would be
        // far too narrow.
        let covered = (0..400)
            .filter(|&seed| {
                let mut draw = Draw::seeded(seed);
                let rows: Vec<(SubjectId, f64)> = (0..200)
                    .flat_map(|_| {
                        let subject = SubjectId::from_bytes(draw.bytes16());
                        let common = 1.0 + 2.0 * draw.normal();
                        [(); 3].map(|()| (subject, common + 0.5 * draw.normal()))
                    })
                    .collect();
                let total = clustered_total(rows.into_iter(), 200);
                (total.low..=total.high).contains(&600.0)
            })
            .count();
        assert!((364..=392).contains(&covered), "{covered} of 400 intervals cover: 91 to 98 % are wanted");
    }

    #[test]
    fn intervals_of_clustered_means_cover_with_unequal_customers() {
        let covered = (0..400)
            .filter(|&seed| {
                let mut draw = Draw::seeded(seed);
                let rows: Vec<(SubjectId, f64)> = (0..200)
                    .flat_map(|place| {
                        let subject = SubjectId::from_bytes(draw.bytes16());
                        let common = 1.0 + 2.0 * draw.normal();
                        vec![(subject, common + 0.5 * draw.normal()); 1 + place % 5]
                    })
                    .collect();
                let mean = clustered_mean(rows.into_iter());
                (mean.low..=mean.high).contains(&1.0)
            })
            .count();
        assert!((364..=392).contains(&covered), "{covered} of 400 intervals cover: 91 to 98 % are wanted");
    }

    #[test]
    fn one_customer_says_nothing() {
        let one = clustered_total([(SubjectId::from_bytes([1; 16]), 5.0)].into_iter(), 1);
        assert!(!one.is_credibly_positive() && one.low == f64::NEG_INFINITY);
    }
}
