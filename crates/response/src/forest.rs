//! A causal forest: honest trees on the R-learner's loss (Athey, Tibshirani and Wager 2019; Nie and
//! Wager 2021). Each tree's splits come from one half of its rows and its leaves' values from the
//! other, so that a leaf's value is not flattered by the split that made it.

use rayon::prelude::*;
use youhui_commerce::Draw;

use crate::matrix::Matrix;
use crate::trees::{Bins, Derivative, Growth, Scratch, Tree, grow};

/// How a forest grows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Forestry {
    pub(crate) trees: usize,
    /// Share of the rows that a tree sees.
    pub(crate) rows: f64,
    pub(crate) growth: Growth,
}

impl Default for Forestry {
    fn default() -> Self {
        let growth = Growth { most_leaves: 256, most_depth: 30, least_rows: 5.0, ridge: 0.0, columns: 0.7 };
        Self { trees: 40, rows: 0.5, growth }
    }
}

/// Trees whose leaves hold the means of w̃·ỹ (the tree's value) and of w̃² over their honest rows.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Forest {
    pub(crate) trees: Vec<Tree>,
    pub(crate) squares: Vec<Vec<f32>>,
}

impl Forest {
    /// Grows on `rows`; `left` is treatment less propensity, `rest` outcome less its expectation.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "leaves in 32 bits; shares of lengths")]
    pub(crate) fn fit(bins: &Bins, matrix: &Matrix, rows: &[u32], left: &[f64], rest: &[f64], settings: &Forestry, seed: u64) -> Self {
        let derivatives: Vec<Derivative> = left.iter().zip(rest).map(|(w, y)| [(-w * y) as f32, (w * w) as f32]).collect();
        let grown: Vec<(Tree, Vec<f32>)> = (0..settings.trees)
            .into_par_iter()
            .map(|number| {
                let mut draw = Draw::seeded(seed).fork(&format!("tree {number}"));
                let mut sample = rows.to_vec();
                draw.shuffle(&mut sample);
                sample.truncate((rows.len() as f64 * settings.rows) as usize);
                let honest = sample.split_off(sample.len() / 2);
                sample.sort_unstable();
                let mut tree = grow(bins, &derivatives, &mut sample, &settings.growth, &mut draw, &mut Scratch::default());
                let mut sums = vec![[0.0_f64; 3]; tree.value.len()];
                for row in honest {
                    let row = row as usize;
                    let sum = &mut sums[tree.leaf_of(matrix.row(row))];
                    *sum = [sum[0] + left[row] * rest[row], sum[1] + left[row].powi(2), sum[2] + 1.0];
                }
                let mean = |sum: f64, count: f64| if count > 0.0 { (sum / count) as f32 } else { 0.0 };
                tree.value = sums.iter().map(|[product, _, count]| mean(*product, *count)).collect();
                (tree, sums.iter().map(|[_, square, count]| mean(*square, *count)).collect())
            })
            .collect();
        let (trees, squares) = grown.into_iter().unzip();
        Self { trees, squares }
    }

    /// The effect of every row: the ratio of the trees' mean moments.
    pub(crate) fn predict(&self, matrix: &Matrix) -> Vec<f64> {
        let of_row = |row: usize| {
            let (mut product, mut square) = (0.0, 0.0);
            for (tree, squares) in self.trees.iter().zip(&self.squares) {
                let leaf = tree.leaf_of(matrix.row(row));
                product += f64::from(tree.value[leaf]);
                square += f64::from(squares[leaf]);
            }
            if square > 0.0 { product / square } else { 0.0 }
        };
        (0..matrix.rows()).into_par_iter().map(of_row).collect()
    }
}
