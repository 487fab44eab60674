//! A regression tree.

use crate::matrix::Matrix;

/// A tree as parallel lists of nodes. Node 0 is the root; a leaf has no left child.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Tree {
    pub(crate) feature: Vec<u32>,
    /// Values up to it go left.
    pub(crate) threshold: Vec<f32>,
    pub(crate) missing_left: Vec<bool>,
    /// The left child, 0 in a leaf; the right child is the next.
    pub(crate) left: Vec<u32>,
    pub(crate) value: Vec<f32>,
}

impl Tree {
    /// A tree of one leaf.
    pub(crate) fn leaf(value: f32) -> Self {
        let mut tree = Self::default();
        tree.push(value);
        tree
    }

    fn push(&mut self, value: f32) {
        self.feature.push(0);
        self.threshold.push(0.0);
        self.missing_left.push(true);
        self.left.push(0);
        self.value.push(value);
    }

    /// Splits a leaf; its children are `left` and `left + 1`.
    pub(crate) fn split(&mut self, node: usize, feature: usize, threshold: f32, missing_left: bool, values: [f32; 2]) -> usize {
        let left = self.value.len();
        self.feature[node] = index(feature);
        self.threshold[node] = threshold;
        self.missing_left[node] = missing_left;
        self.left[node] = index(left);
        values.into_iter().for_each(|value| self.push(value));
        left
    }

    /// The leaf that a row falls into.
    pub(crate) fn leaf_of(&self, row: &[f32]) -> usize {
        let mut node = 0;
        loop {
            let left = self.left[node] as usize;
            if left == 0 {
                return node;
            }
            let value = row[self.feature[node] as usize];
            let goes_left = if value.is_nan() { self.missing_left[node] } else { value <= self.threshold[node] };
            node = left + usize::from(!goes_left);
        }
    }
}

/// Σ of the trees' values at every row, added to `sum`.
pub(crate) fn add_trees(trees: &[Tree], matrix: &Matrix, sum: &mut [f64]) {
    use rayon::prelude::*;
    // Rows in blocks, so that a tree stays in the cache while a block passes through it.
    const BLOCK: usize = 512;
    sum.par_chunks_mut(BLOCK).enumerate().for_each(|(block, sum)| {
        for tree in trees {
            for (place, sum) in sum.iter_mut().enumerate() {
                *sum += f64::from(tree.value[tree.leaf_of(matrix.row(block * BLOCK + place))]);
            }
        }
    });
}

fn index(place: usize) -> u32 {
    u32::try_from(place).unwrap_or(u32::MAX)
}
