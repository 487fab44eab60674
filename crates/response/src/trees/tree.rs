//! A regression tree.

use rayon::prelude::*;

use super::leaves::{Block, Leaves};
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
    // Rows in blocks, so that they stay in the cache while all trees pass over them.
    const BLOCK: usize = 512;
    const FEW: usize = 32;
    let columns = matrix.columns();
    // For a few rows a walk is quicker than what all rows share is made.
    let leaves: Option<Vec<Leaves<f32>>> = if matrix.rows() < FEW { None } else { trees.iter().map(Leaves::of_values).collect() };
    let of_block = |(block, reach): &mut (Block, Vec<u32>), (sum, rows): (&mut [f64], &[f32])| match &leaves {
        Some(leaves) => {
            block.fill(rows, columns);
            leaves.iter().for_each(|tree| tree.add(block, sum, reach));
        }
        None => {
            for tree in trees {
                sum.iter_mut().zip(rows.chunks_exact(columns)).for_each(|(sum, row)| *sum += f64::from(tree.value[tree.leaf_of(row)]));
            }
        }
    };
    sum.par_chunks_mut(BLOCK).zip(matrix.values().par_chunks(BLOCK * columns)).for_each_init(Default::default, of_block);
}

fn index(place: usize) -> u32 {
    u32::try_from(place).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use youhui_commerce::Draw;

    use super::*;
    use crate::trees::{Bins, Growth, MOST_BINS, Scratch, grow};

    proptest! {
        /// All rows at once, by values and by bins, fall where each alone does.
        #[test]
        fn one_tree_three_ways(cells in prop::collection::vec(prop::option::of(-3_i8..3), 60..1800), leaves in 1_usize..33) {
            let values: Vec<f32> = cells.iter().map(|cell| cell.map_or(f32::NAN, f32::from)).collect();
            let matrix = Matrix::new(3, values[..values.len() / 3 * 3].to_vec());
            let bins = Bins::new(&matrix, MOST_BINS);
            #[allow(clippy::cast_possible_truncation)]
            let derivatives: Vec<[f32; 2]> = (0..matrix.rows()).map(|row| [((row * 7919) % 13) as f32 - 6.0, 1.0]).collect();
            let growth = Growth { most_leaves: leaves, most_depth: 9, least_rows: 1.0, ridge: 0.1, columns: 1.0 };
            let mut order: Vec<u32> = (0..index(matrix.rows())).collect();
            let tree = grow(&bins, &derivatives, &mut order, &growth, &mut Draw::seeded(1), &mut Scratch::default());
            let alone: Vec<f64> = (0..matrix.rows()).map(|row| f64::from(tree.value[tree.leaf_of(matrix.row(row))])).collect();
            let mut together = vec![0.0; matrix.rows()];
            add_trees(std::slice::from_ref(&tree), &matrix, &mut together);
            prop_assert_eq!(&alone, &together);
            let mut by_bins = vec![0.0; matrix.rows()];
            Leaves::of_bins(&tree, &bins).unwrap().add(bins.by_column().as_slice(), &mut by_bins, &mut Vec::new());
            prop_assert_eq!(&alone, &by_bins);
        }
    }
}
