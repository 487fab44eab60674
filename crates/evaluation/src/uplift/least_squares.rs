//! Expected outcomes under each arm, straight lines in the scores: the model inside a doubly robust
//! value, which need not be right for the value to be.

use youhui_commerce::Draw;

/// Parts of the rows; each is predicted from the others.
const FOLDS: usize = 5;
/// Penalty on slopes, per row, in units of standardised scores: keeps equal columns solvable.
const RIDGE: f64 = 1e-6;

/// For each arm (0..`arms`) the expected outcome of every row, cross-fitted. `arm[row]` is what the row
/// had; rows of no such arm teach nothing.
pub(super) fn cross_fitted(scores: &[Vec<f64>], outcomes: &[f64], arm: &[usize], arms: usize, seed: u64) -> Vec<Vec<f64>> {
    let features: Vec<Vec<f64>> = scores.iter().map(|column| standardised(column)).collect();
    let mut chance = Draw::seeded(seed).fork("folds");
    let folds: Vec<usize> = outcomes.iter().map(|_| chance.below(FOLDS)).collect();
    let mut expected = vec![vec![0.0; outcomes.len()]; arms];
    // Sums by arm and fold; those of the other folds are added up.
    let mut sums = vec![vec![Sums::new(features.len() + 1); FOLDS]; arms];
    let mut design = vec![1.0; features.len() + 1];
    for (row, &arm) in arm.iter().enumerate().filter(|(_, arm)| **arm < arms) {
        fill(&mut design, &features, row);
        sums[arm][folds[row]].add(&design, outcomes[row]);
    }
    let lines: Vec<Vec<Vec<f64>>> =
        sums.iter().map(|by_fold| (0..FOLDS).map(|fold| Sums::of_others(by_fold, fold).solve()).collect()).collect();
    for row in 0..outcomes.len() {
        fill(&mut design, &features, row);
        for (expected, lines) in expected.iter_mut().zip(&lines) {
            expected[row] = lines[folds[row]].iter().zip(&design).map(|(slope, value)| slope * value).sum();
        }
    }
    expected
}

fn fill(design: &mut [f64], features: &[Vec<f64>], row: usize) {
    design[1..].iter_mut().zip(features).for_each(|(cell, feature)| *cell = feature[row]);
}

/// Mean 0 and standard deviation 1; all 0 where all are equal.
fn standardised(column: &[f64]) -> Vec<f64> {
    let count = column.len().max(1) as f64;
    let mean = column.iter().sum::<f64>() / count;
    let spread = (column.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / count).sqrt();
    column.iter().map(|value| if spread > 0.0 { (value - mean) / spread } else { 0.0 }).collect()
}

/// Sums of products: the normal equations.
#[derive(Debug, Clone)]
struct Sums {
    count: f64,
    squares: Vec<Vec<f64>>,
    products: Vec<f64>,
}

impl Sums {
    fn new(width: usize) -> Self {
        Self { count: 0.0, squares: vec![vec![0.0; width]; width], products: vec![0.0; width] }
    }

    fn add(&mut self, design: &[f64], outcome: f64) {
        self.count += 1.0;
        for (place, value) in design.iter().enumerate() {
            self.squares[place].iter_mut().zip(design).for_each(|(sum, other)| *sum += value * other);
            self.products[place] += value * outcome;
        }
    }

    fn of_others(by_fold: &[Self], fold: usize) -> Self {
        let mut sums = Self::new(by_fold[fold].products.len());
        for (_, other) in by_fold.iter().enumerate().filter(|(place, _)| *place != fold) {
            sums.count += other.count;
            sums.products.iter_mut().zip(&other.products).for_each(|(sum, part)| *sum += part);
            for (sums, parts) in sums.squares.iter_mut().zip(&other.squares) {
                sums.iter_mut().zip(parts).for_each(|(sum, part)| *sum += part);
            }
        }
        sums
    }

    /// Intercept and slopes, by elimination; 0 where there were no rows.
    fn solve(mut self) -> Vec<f64> {
        let width = self.products.len();
        (1..width).for_each(|place| self.squares[place][place] += RIDGE * self.count.max(1.0));
        self.squares[0][0] = self.squares[0][0].max(1.0);
        for pivot in 0..width {
            let (above, below) = self.squares.split_at_mut(pivot + 1);
            let row = &above[pivot];
            for (place, other) in below.iter_mut().enumerate() {
                let factor = other[pivot] / row[pivot];
                other.iter_mut().zip(row).for_each(|(cell, value)| *cell -= factor * value);
                self.products[pivot + 1 + place] -= factor * self.products[pivot];
            }
        }
        let mut solution = vec![0.0; width];
        for place in (0..width).rev() {
            let known: f64 = (place + 1..width).map(|other| self.squares[place][other] * solution[other]).sum();
            solution[place] = (self.products[place] - known) / self.squares[place][place];
        }
        solution
    }
}
