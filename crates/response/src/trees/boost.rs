//! Gradient boosting (Friedman 2001).

use youhui_commerce::Draw;

use super::bins::Bins;
use super::grow::{Derivative, Growth, Scratch, grow};
use super::leaves::{Leaves, MOST_LEAVES};
use super::tree::{Tree, add_trees};
use crate::matrix::Matrix;
use crate::objective::Objective;
use crate::trial::index;

/// How trees are boosted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Boosting {
    pub(crate) growth: Growth,
    pub(crate) trees: usize,
    pub(crate) rate: f64,
    /// Share of the rows that each tree sees …
    pub(crate) rows: f64,
    /// … and how many at most: many trees of some rows say more than few of all.
    pub(crate) most_rows: usize,
    /// Share of the rows held out to say when to stop, and after how many trees without getting better.
    pub(crate) held_out: f64,
    pub(crate) patience: usize,
}

/// Most rows that are held out.
const MOST_HELD_OUT: usize = 75_000;

impl Default for Boosting {
    fn default() -> Self {
        let growth = Growth { most_leaves: 12, most_depth: 6, least_rows: 20.0, ridge: 1.0, columns: 1.0 };
        Self { growth, trees: 400, rate: 0.06, rows: 0.7, most_rows: 250_000, held_out: 0.15, patience: 20 }
    }
}

impl Boosting {
    /// With many rows smaller steps are still sure, and err less.
    pub(crate) fn for_rows(rows: usize) -> Self {
        if rows > 100_000 { Self { trees: 800, rate: 0.04, ..Self::default() } } else { Self::default() }
    }

    /// What a smooth function needs: few trees, quickly predicted.
    pub(crate) fn brief() -> Self {
        Self { trees: 40, rate: 0.2, ..Self::default() }
    }
}

/// Boosted trees.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Boosted {
    pub(crate) objective: Objective,
    pub(crate) base: f64,
    pub(crate) trees: Vec<Tree>,
}

impl Boosted {
    /// Fits `target` on `rows` with `weight`, both by row of the bins.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "shares of lengths; leaves are kept in 32 bits")]
    pub(crate) fn fit(
        bins: &Bins,
        rows: &[u32],
        target: &[f64],
        weight: Option<&[f64]>,
        objective: Objective,
        settings: &Boosting,
        seed: u64,
    ) -> Self {
        debug_assert!(settings.growth.most_leaves <= MOST_LEAVES, "margins are moved by trees of few leaves");
        let mut draw = Draw::seeded(seed).fork("boosting");
        let mut rows = rows.to_vec();
        draw.shuffle(&mut rows);
        // From here on rows are places in this order: those to learn from, then those held out.
        let held_out = ((rows.len() as f64 * settings.held_out).round() as usize).min(MOST_HELD_OUT);
        let learnt = rows.len() - held_out;
        let target: Vec<f64> = rows.iter().map(|&row| target[row as usize]).collect();
        let weight: Option<Vec<f64>> = weight.map(|weight| rows.iter().map(|&row| weight[row as usize]).collect());
        let weight_of = |row: usize| weight.as_ref().map_or(1.0, |weight| weight[row]);
        let bins = bins.pick(&rows);
        let columns = bins.by_column();
        let (sum, whole) = (0..learnt).fold((0.0, 0.0), |(sum, whole), row| (sum + weight_of(row) * target[row], whole + weight_of(row)));
        let base = objective.link(if whole > 0.0 { sum / whole } else { 0.0 });
        let mut margin = vec![base; rows.len()];
        let loss = |margin: &[f64]| (learnt..rows.len()).map(|row| weight_of(row) * objective.loss(margin[row], target[row])).sum::<f64>();
        let mut derivatives: Vec<Derivative> = vec![[0.0; 2]; learnt];
        let (mut trees, mut best) = (Vec::new(), (loss(&margin), 0));
        let size = ((learnt as f64 * settings.rows) as usize).clamp(1.min(learnt), settings.most_rows);
        let (mut sample, mut reach, mut scratch) = (Vec::with_capacity(size), Vec::new(), Scratch::default());
        for _ in 0..settings.trees {
            // The order is by chance, so any stretch of it is a sample.
            let start = draw.below(learnt);
            sample.clear();
            let end = (start + size).min(learnt);
            sample.extend((0..index(size - (end - start))).chain(index(start)..index(end)));
            for &row in &sample {
                let row = row as usize;
                derivatives[row] = objective.derivative(margin[row], target[row], weight_of(row));
            }
            let mut tree = grow(&bins, &derivatives, &mut sample, &settings.growth, &mut draw, &mut scratch);
            tree.value.iter_mut().for_each(|value| *value *= settings.rate as f32);
            if let Some(leaves) = Leaves::of_bins(&tree, &bins) {
                leaves.add(columns.as_slice(), &mut margin, &mut reach);
            }
            trees.push(tree);
            if held_out > 0 {
                let now = loss(&margin);
                if now < best.0 {
                    best = (now, trees.len());
                } else if trees.len() - best.1 >= settings.patience {
                    break;
                }
            }
        }
        if held_out > 0 {
            trees.truncate(best.1);
        }
        Self { objective, base, trees }
    }

    /// The expected outcome of every row.
    pub(crate) fn predict(&self, matrix: &Matrix) -> Vec<f64> {
        let mut margin = vec![self.base; matrix.rows()];
        add_trees(&self.trees, matrix, &mut margin);
        margin.iter_mut().for_each(|margin| *margin = self.objective.mean(*margin));
        margin
    }
}
