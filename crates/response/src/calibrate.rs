//! Isotonic calibration of predicted effects: the increasing function of them that explains best, through the
//! treatment's residual, what the outcome has beyond its expectation (Zadrozny and Elkan 2002, on the R-loss).

/// An increasing function: linear between knots, level beyond the first and the last.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Calibration {
    /// Predicted effects, increasing …
    pub(crate) from: Vec<f64>,
    /// … and what they become.
    pub(crate) to: Vec<f64>,
}

/// Least rows that a level rests on, so that it is no single customer's.
const LEAST_ROWS: usize = 100;
const FOLDS: usize = 5;

impl Calibration {
    /// The best function on rows with a predicted effect and residuals of treatment and outcome; by pooling of
    /// adjacent violators (Ayer et al. 1955).
    pub(crate) fn fit(effects: &[f64], left: &[f64], rest: &[f64]) -> Self {
        let mut order: Vec<usize> = (0..effects.len()).collect();
        order.sort_by(|one, other| effects[*one].total_cmp(&effects[*other]));
        // Σ w·effect, Σ w·y, Σ w of a level, with w = left², y = rest / left.
        let mut levels: Vec<[f64; 3]> = Vec::new();
        let parts = (order.len() / LEAST_ROWS).max(1);
        for part in 0..parts {
            let rows = &order[part * order.len() / parts..(part + 1) * order.len() / parts];
            let sum = rows.iter().fold([0.0; 3], |sum, &row| {
                let weight = left[row] * left[row];
                [sum[0] + weight * effects[row], sum[1] + left[row] * rest[row], sum[2] + weight]
            });
            levels.push(sum);
            while let [.., one, other] = levels.as_slice() {
                if one[1] * other[2] < other[1] * one[2] {
                    break;
                }
                let pooled = [one[0] + other[0], one[1] + other[1], one[2] + other[2]];
                levels.truncate(levels.len() - 2);
                levels.push(pooled);
            }
        }
        let mut made = Self { from: vec![], to: vec![] };
        for [effect, y, weight] in levels.into_iter().filter(|level| level[2] > 0.0) {
            let at = effect / weight;
            if made.from.last().is_none_or(|last| at > *last) {
                made.from.push(at);
                made.to.push(y / weight);
            }
        }
        made
    }

    /// What an effect becomes.
    pub(crate) fn apply(&self, effect: f64) -> f64 {
        let (Some(first), Some(last)) = (self.to.first(), self.to.last()) else { return effect };
        let place = self.from.partition_point(|from| *from <= effect);
        match (place.checked_sub(1), self.from.get(place)) {
            (None, _) => *first,
            (_, None) => *last,
            (Some(before), Some(after)) => {
                let share = (effect - self.from[before]) / (after - self.from[before]);
                self.to[before] + share * (self.to[place] - self.to[before])
            }
        }
    }

    /// How much a small difference at an effect becomes.
    pub(crate) fn slope(&self, effect: f64) -> f64 {
        let place = self.from.partition_point(|from| *from <= effect);
        match place.checked_sub(1) {
            Some(before) if place < self.from.len() => (self.to[place] - self.to[before]) / (self.from[place] - self.from[before]),
            _ => 0.0,
        }
    }

    /// The function, if on rows that it did not see it is better than none by more than one standard error.
    pub(crate) fn if_better(effects: &[f64], left: &[f64], rest: &[f64]) -> Option<Self> {
        let loss = |row: usize, effect: f64| (rest[row] - left[row] * effect).powi(2);
        let mut gains = Vec::with_capacity(effects.len());
        for fold in 0..FOLDS {
            let pick = |values: &[f64]| {
                let others = values.iter().enumerate().filter(|(row, _)| row % FOLDS != fold);
                others.map(|(_, value)| *value).collect::<Vec<f64>>()
            };
            let of_others = Self::fit(&pick(effects), &pick(left), &pick(rest));
            let own = (fold..effects.len()).step_by(FOLDS);
            gains.extend(own.map(|row| loss(row, effects[row]) - loss(row, of_others.apply(effects[row]))));
        }
        let size = gains.len().max(1) as f64;
        let mean = gains.iter().sum::<f64>() / size;
        let std_error = gains.iter().map(|gain| (gain - mean).powi(2)).sum::<f64>().sqrt() / size;
        (mean > std_error).then(|| Self::fit(effects, left, rest))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use youhui_commerce::Draw;

    use super::*;

    /// Effects told with a scale and a bend, of a trial with noise.
    fn told(bend: impl Fn(f64) -> f64) -> (Vec<f64>, Vec<f64>, Vec<f64>) {
        let mut draw = Draw::seeded(4);
        let truth: Vec<f64> = (0..20_000).map(|_| 2.0 * draw.uniform() - 0.5).collect();
        let left: Vec<f64> = truth.iter().map(|_| if draw.uniform() < 0.5 { 0.5 } else { -0.5 }).collect();
        let rest = truth.iter().zip(&left).map(|(truth, left)| left * truth + draw.normal()).collect();
        (truth.into_iter().map(bend).collect(), left, rest)
    }

    #[test]
    fn what_is_told_too_strongly_is_brought_back() {
        let (effects, left, rest) = told(|truth| 5.0 * truth.powi(3));
        let found = Calibration::if_better(&effects, &left, &rest).unwrap();
        for truth in [-0.3, 0.5, 1.0_f64, 1.3] {
            let back = found.apply(5.0 * truth.powi(3));
            assert!((back - truth).abs() < 0.2, "{back} for {truth}");
        }
    }

    #[test]
    fn what_is_right_is_left_alone() {
        let (effects, left, rest) = told(|truth| truth);
        assert_eq!(Calibration::if_better(&effects, &left, &rest), None);
    }

    proptest! {
        #[test]
        fn it_increases(effects in prop::collection::vec(-3.0..3.0_f64, 1..900), seed: u64) {
            let mut draw = Draw::seeded(seed);
            let left: Vec<f64> = effects.iter().map(|_| draw.uniform() - 0.5).collect();
            let rest: Vec<f64> = effects.iter().map(|_| draw.normal()).collect();
            let found = Calibration::fit(&effects, &left, &rest);
            let applied: Vec<f64> = (-40..40).map(|place| found.apply(f64::from(place) / 10.0)).collect();
            prop_assert!(applied.is_sorted(), "{:?}", found);
        }
    }
}
