//! Gradient boosting (Friedman 2001).

use youhui_commerce::Draw;

use super::bins::Bins;
use super::grow::{Derivative, Growth, grow};
use super::tree::{Tree, add_trees};
use crate::matrix::Matrix;
use crate::objective::Objective;

/// How trees are boosted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Boosting {
    pub(crate) growth: Growth,
    pub(crate) trees: usize,
    pub(crate) rate: f64,
    /// Share of the rows that each tree sees.
    pub(crate) rows: f64,
    /// Share of the rows held out to say when to stop, and after how many trees without getting better.
    pub(crate) held_out: f64,
    pub(crate) patience: usize,
}

impl Default for Boosting {
    fn default() -> Self {
        let growth = Growth { most_leaves: 12, most_depth: 6, least_rows: 20.0, ridge: 1.0, columns: 1.0 };
        Self { growth, trees: 400, rate: 0.06, rows: 0.7, held_out: 0.15, patience: 20 }
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
    pub(crate) fn fit(
        bins: &Bins,
        rows: &[u32],
        target: &[f64],
        weight: Option<&[f64]>,
        objective: Objective,
        settings: &Boosting,
        seed: u64,
    ) -> Self {
        let mut draw = Draw::seeded(seed).fork("boosting");
        let mut rows = rows.to_vec();
        let held_out = if settings.held_out > 0.0 {
            draw.shuffle(&mut rows);
            let size = (rows.len() as f64 * settings.held_out).round();
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of a length")]
            rows.split_off(rows.len() - size as usize)
        } else {
            vec![]
        };
        rows.sort_unstable();
        let weight_of = |row: u32| weight.map_or(1.0, |weight| weight[row as usize]);
        let (mut sum, mut whole) = (0.0, 0.0);
        for &row in &rows {
            sum += weight_of(row) * target[row as usize];
            whole += weight_of(row);
        }
        let base = objective.link(if whole > 0.0 { sum / whole } else { 0.0 });
        let mut margin = vec![base; bins.rows()];
        let mut derivatives: Vec<Derivative> = vec![[0.0; 2]; bins.rows()];
        let loss = |margin: &[f64]| -> f64 {
            held_out.iter().map(|&row| weight_of(row) * objective.loss(margin[row as usize], target[row as usize])).sum()
        };
        let (mut trees, mut best) = (Vec::new(), (loss(&margin), 0));
        let mut sample = Vec::with_capacity(rows.len());
        for _ in 0..settings.trees {
            for &row in &rows {
                let place = row as usize;
                derivatives[place] = objective.derivative(margin[place], target[place], weight_of(row));
            }
            sample.clear();
            sample.extend(rows.iter().copied().filter(|_| settings.rows >= 1.0 || draw.uniform() < settings.rows));
            let mut updated = |value: f32, rows: &[u32]| {
                for &row in rows {
                    margin[row as usize] += settings.rate * f64::from(value);
                }
            };
            let mut tree = grow(bins, &derivatives, &mut sample, &settings.growth, &mut draw, &mut updated);
            #[allow(clippy::cast_possible_truncation, reason = "leaves are kept in 32 bits")]
            tree.value.iter_mut().for_each(|value| *value *= settings.rate as f32);
            // Rows that the tree did not see.
            let mut seen = sample;
            let unseen: Box<dyn Iterator<Item = u32>> = if seen.len() < rows.len() {
                seen.sort_unstable();
                let mut next = seen.iter().peekable();
                let left_out: Vec<u32> = rows.iter().copied().filter(|row| next.next_if_eq(&row).is_none()).collect();
                Box::new(left_out.into_iter().chain(held_out.iter().copied()))
            } else {
                Box::new(held_out.iter().copied())
            };
            for row in unseen {
                margin[row as usize] += f64::from(tree.value[leaf_of(&tree, bins, row)]);
            }
            sample = seen;
            trees.push(tree);
            if !held_out.is_empty() {
                let now = loss(&margin);
                if now < best.0 {
                    best = (now, trees.len());
                } else if trees.len() - best.1 >= settings.patience {
                    break;
                }
            }
        }
        if !held_out.is_empty() {
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

/// The leaf of a row, by its bins: the cut of a threshold is the bin's upper end.
fn leaf_of(tree: &Tree, bins: &Bins, row: u32) -> usize {
    let mut node = 0;
    loop {
        let left = tree.left[node] as usize;
        if left == 0 {
            return node;
        }
        let column = tree.feature[node] as usize;
        let code = bins.code(row, column);
        let cuts = &bins.cuts[column];
        let goes_left = if code == 0 {
            tree.missing_left[node]
        } else {
            // The last bin is above every cut.
            cuts.get(usize::from(code) - 1).is_some_and(|cut| *cut <= tree.threshold[node])
        };
        node = left + usize::from(!goes_left);
    }
}
