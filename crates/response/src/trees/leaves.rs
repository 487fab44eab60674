//! Which leaf each of many rows falls into, a node at a time for all of them: every node strikes out the leaves that
//! the rows beyond its threshold can't reach, and the first leaf left is the row's (QuickScorer, Lucchese et al. 2015).
//! A row-by-row walk waits for each load and guesses each turn; this does neither.

use super::bins::Bins;
use super::tree::Tree;
use crate::simd::arch;

/// Most leaves of a tree: one a bit.
pub(crate) const MOST_LEAVES: usize = 32;

/// A tree whose leaves are numbered from left to right.
#[derive(Debug)]
pub(crate) struct Leaves<T> {
    nodes: Vec<Node<T>>,
    values: [f32; MOST_LEAVES],
}

#[derive(Debug)]
struct Node<T> {
    column: usize,
    threshold: T,
    missing_left: bool,
    /// The leaves of the right child and of all other branches.
    beyond: u32,
}

/// Values column by column, in which a tree is looked up.
pub(crate) trait Columns<T> {
    fn column(&self, column: usize) -> &[T];
}

impl Columns<u8> for [Vec<u8>] {
    fn column(&self, column: usize) -> &[u8] {
        &self[column]
    }
}

/// A block of rows, transposed.
#[derive(Debug, Default)]
pub(crate) struct Block {
    rows: usize,
    values: Vec<f32>,
}

impl Block {
    /// Takes in whole rows of `columns` values.
    pub(crate) fn fill(&mut self, rows: &[f32], columns: usize) {
        self.rows = rows.len() / columns;
        self.values.clear();
        (0..columns).for_each(|column| self.values.extend(rows.iter().skip(column).step_by(columns)));
    }
}

impl Columns<f32> for Block {
    fn column(&self, column: usize) -> &[f32] {
        &self.values[column * self.rows..(column + 1) * self.rows]
    }
}

/// A value that can be beyond a threshold.
pub(crate) trait Cell: Copy {
    /// Whether it goes right where missing values go left …
    fn beyond(self, threshold: Self) -> bool;
    /// … and where they go right.
    fn beyond_or_missing(self, threshold: Self) -> bool;
}

impl Cell for f32 {
    fn beyond(self, threshold: Self) -> bool {
        self > threshold
    }

    #[allow(clippy::neg_cmp_op_on_partial_ord, reason = "what is not a number is to be true")]
    fn beyond_or_missing(self, threshold: Self) -> bool {
        !(self <= threshold)
    }
}

impl Cell for u8 {
    fn beyond(self, threshold: Self) -> bool {
        self > threshold
    }

    fn beyond_or_missing(self, threshold: Self) -> bool {
        self.wrapping_sub(1) >= threshold
    }
}

impl Leaves<f32> {
    /// None if the tree has too many leaves.
    pub(crate) fn of_values(tree: &Tree) -> Option<Self> {
        Self::new(tree, |_, threshold| threshold)
    }
}

impl Leaves<u8> {
    /// Of a tree that was grown on these bins.
    #[allow(clippy::cast_possible_truncation, reason = "at most 255 bins")]
    pub(crate) fn of_bins(tree: &Tree, bins: &Bins) -> Option<Self> {
        // Bin b holds values up to cut b − 1.
        Self::new(tree, |column, threshold| bins.cuts[column].partition_point(|cut| *cut <= threshold) as u8)
    }
}

impl<T: Cell> Leaves<T> {
    fn new(tree: &Tree, threshold: impl Fn(usize, f32) -> T) -> Option<Self> {
        // No tree of so many leaves has more nodes, and none of those lie deep: reading a file follows no long chain.
        if tree.value.len() >= 2 * MOST_LEAVES {
            return None;
        }
        let mut leaves = Self { nodes: vec![], values: [0.0; MOST_LEAVES] };
        let mut count = 0;
        leaves.number(tree, 0, &mut count, &threshold)?;
        Some(leaves)
    }

    /// Numbers the leaves under a node; their bits.
    fn number(&mut self, tree: &Tree, node: usize, count: &mut usize, threshold: &impl Fn(usize, f32) -> T) -> Option<u32> {
        let left = tree.left[node] as usize;
        if left == 0 {
            *self.values.get_mut(*count)? = tree.value[node];
            *count += 1;
            return Some(1 << (*count - 1));
        }
        let of_left = self.number(tree, left, count, threshold)?;
        let of_right = self.number(tree, left + 1, count, threshold)?;
        let column = tree.feature[node] as usize;
        let threshold = threshold(column, tree.threshold[node]);
        self.nodes.push(Node { column, threshold, missing_left: tree.missing_left[node], beyond: !of_left });
        Some(of_left | of_right)
    }

    /// Adds to `sum` each row's leaf; `reach` is scratch.
    pub(crate) fn add<C: Columns<T> + ?Sized>(&self, columns: &C, sum: &mut [f64], reach: &mut Vec<u32>) {
        reach.clear();
        reach.resize(sum.len(), u32::MAX);
        arch().dispatch(
            #[inline(always)]
            || {
                for node in &self.nodes {
                    let column = columns.column(node.column);
                    if node.missing_left {
                        strike(reach, column, node.beyond, |cell| cell.beyond(node.threshold));
                    } else {
                        strike(reach, column, node.beyond, |cell| cell.beyond_or_missing(node.threshold));
                    }
                }
                for (sum, reach) in sum.iter_mut().zip(reach.iter()) {
                    *sum += f64::from(self.values[reach.trailing_zeros() as usize % MOST_LEAVES]);
                }
            },
        );
    }
}

#[inline(always)]
fn strike<T: Copy>(reach: &mut [u32], column: &[T], beyond: u32, right: impl Fn(T) -> bool) {
    for (reach, cell) in reach.iter_mut().zip(column) {
        *reach &= if right(*cell) { beyond } else { u32::MAX };
    }
}
