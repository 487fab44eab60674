//! How good a ranking of categories is, for baskets with several right answers.

/// A mean over customers, and the standard error of it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Mean {
    /// The mean.
    pub mean: f64,
    /// Standard deviation over customers / √customers.
    pub std_error: f64,
}

impl Mean {
    /// Of `values`; not a number without one, and no standard error with only one.
    pub fn of(values: &[f64]) -> Self {
        let count = values.len() as f64;
        let mean = values.iter().sum::<f64>() / count;
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        Self { mean, std_error: (squares / (count - 1.0) / count).sqrt() }
    }
}

/// How well the ten categories ranked first meet the next basket.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ranking {
    /// Share of customers with at least one of the ten in the next basket.
    pub hit_rate_10: Mean,
    /// Share of the next basket's categories that are among the ten.
    pub recall_10: Mean,
    /// Normalised discounted cumulative gain of the ten (Järvelin & Kekäläinen 2002) with gain 1
    /// for a category in the basket; the ideal has min(10, categories of the basket) of them.
    pub ndcg_10: Mean,
}

impl Ranking {
    pub(super) fn of(scores: &[Score]) -> Self {
        let mean = |of: fn(&Score) -> f64| Mean::of(&scores.iter().map(of).collect::<Vec<_>>());
        Self { hit_rate_10: mean(|score| score.hit), recall_10: mean(|score| score.recall), ndcg_10: mean(|score| score.ndcg) }
    }
}

/// The three measures of one customer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Score {
    pub(super) hit: f64,
    pub(super) recall: f64,
    pub(super) ndcg: f64,
}

/// Length of the rankings that are measured.
const TOP: usize = 10;

/// Measures the first ten of `scores` (ties: the more popular first, then the lower number)
/// against the categories `truth`.
pub(super) fn score(scores: &[f32], popularity: &[f32], truth: &[(u32, f32)]) -> Score {
    let mut order: Vec<usize> = (0..scores.len()).collect();
    let before = |one: &usize, two: &usize| {
        scores[*two].total_cmp(&scores[*one]).then(popularity[*two].total_cmp(&popularity[*one])).then(one.cmp(two))
    };
    if order.len() > TOP {
        order.select_nth_unstable_by(TOP - 1, before);
        order.truncate(TOP);
    }
    order.sort_by(before);
    let right = |category: &usize| truth.iter().any(|item| item.0 as usize == *category);
    let gain = |place: usize| 1.0 / (place as f64 + 2.0).log2();
    let found = order.iter().filter(|category| right(category)).count() as f64;
    let gained: f64 = order.iter().enumerate().filter(|(_, category)| right(category)).map(|(place, _)| gain(place)).sum();
    let ideal: f64 = (0..truth.len().min(TOP)).map(gain).sum();
    let size = truth.len().max(1) as f64;
    Score { hit: found.min(1.0), recall: found / size, ndcg: if ideal > 0.0 { gained / ideal } else { 0.0 } }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn measures_hand_computed_rankings() {
        let popularity = [0.1; 12];
        // Ranked 0, 1, 2 … 11; right are the first, the third and the last, which is beyond ten.
        let scores: Vec<f32> = (0..12_u8).map(|place| 1.0 - f32::from(place) / 12.0).collect();
        let found = score(&scores, &popularity, &[(0, 0.5), (2, 0.3), (11, 0.2)]);
        let ideal = 1.0 + 1.0 / 3_f64.log2() + 0.5;
        assert_eq!(found.hit, 1.0);
        assert!((found.recall - 2.0 / 3.0).abs() < 1e-12);
        assert!((found.ndcg - 1.5 / ideal).abs() < 1e-12);
        let missed = score(&scores, &popularity, &[(11, 1.0)]);
        assert_eq!(missed, Score { hit: 0.0, recall: 0.0, ndcg: 0.0 });
        // More right answers than places: ten right of ten is as good as can be.
        let many: Vec<(u32, f32)> = (0..12).map(|category| (category, 0.1)).collect();
        let full = score(&scores, &popularity, &many);
        assert!((full.ndcg - 1.0).abs() < 1e-12 && (full.recall - 10.0 / 12.0).abs() < 1e-12);
        // At a tie the more popular goes first.
        let tie = score(&[0.5, 0.5], &[0.1, 0.9], &[(1, 1.0)]);
        assert!((tie.ndcg - 1.0).abs() < 1e-12);
    }

    #[test]
    fn a_mean_has_its_standard_error() {
        let mean = Mean::of(&[1.0, 2.0, 3.0, 4.0]);
        assert!((mean.mean - 2.5).abs() < 1e-12 && (mean.std_error - (5.0_f64 / 3.0 / 4.0).sqrt()).abs() < 1e-12);
    }
}
