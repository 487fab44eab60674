//! Grows one tree leaf by leaf, the best split first (Shi 2007; Ke et al. 2017), on histograms of
//! gradients.

use rayon::prelude::*;
use youhui_commerce::Draw;

use super::bins::Bins;
use super::tree::Tree;

/// How a tree grows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Growth {
    pub(crate) most_leaves: usize,
    pub(crate) most_depth: usize,
    /// Least rows (by weight of the second derivative) of a leaf.
    pub(crate) least_rows: f64,
    /// Ridge on the leaves' values.
    pub(crate) ridge: f64,
    /// Share of the columns that each split looks at.
    pub(crate) columns: f64,
}

/// First and second derivative of the loss at a row.
pub(crate) type Derivative = [f32; 2];

/// Rows that one part of a histogram sums: fixed, so that sums don't depend on threads.
const PART: usize = 1 << 16;

type Sums = [f64; 2];

#[derive(Debug)]
struct Leaf {
    node: usize,
    depth: usize,
    start: usize,
    end: usize,
    sums: Sums,
    histogram: Vec<Sums>,
    best: Option<Split>,
}

#[derive(Debug, Clone, Copy)]
struct Split {
    gain: f64,
    column: usize,
    /// Bins up to it go left.
    bin: u8,
    missing_left: bool,
    left: Sums,
}

/// Grows a tree on the rows of `order`, which it puts in the order of leaves. `at_leaf` is told every leaf's value
/// and rows.
pub(crate) fn grow(
    bins: &Bins,
    derivatives: &[Derivative],
    order: &mut [u32],
    growth: &Growth,
    draw: &mut Draw,
    mut at_leaf: impl FnMut(f32, &[u32]),
) -> Tree {
    let offsets = offsets(bins);
    // Second derivatives to rows: least_rows is of rows.
    let root_histogram = histogram(bins, derivatives, order, &offsets);
    let sums = root_histogram[offsets[0]..offsets[1]].iter().fold([0.0; 2], plus);
    let a_row = sums[1] / order.len().max(1) as f64;
    let value = |sums: &Sums| value(sums, growth.ridge);
    let mut tree = Tree::leaf(value(&sums));
    let mut scratch = vec![0_u32; order.len()];
    let mut leaf = Leaf { node: 0, depth: 0, start: 0, end: order.len(), sums, histogram: root_histogram, best: None };
    leaf.best = best(bins, &leaf, &offsets, growth, a_row, draw);
    let (mut open, mut done) = (vec![leaf], Vec::new());
    while open.len() + done.len() < growth.most_leaves {
        // Of equals the first.
        let Some(place) = (0..open.len()).reduce(|one, other| if gain(&open[other]) > gain(&open[one]) { other } else { one }) else {
            break;
        };
        let leaf = open.swap_remove(place);
        let Some(split) = leaf.best else {
            done.push(leaf);
            continue;
        };
        let middle = leaf.start + partition(bins, &mut order[leaf.start..leaf.end], &mut scratch, &split);
        let right_sums = [leaf.sums[0] - split.left[0], leaf.sums[1] - split.left[1]];
        let threshold = bins.cuts[split.column].get(usize::from(split.bin).wrapping_sub(1)).copied().unwrap_or(f32::NEG_INFINITY);
        let node = tree.split(leaf.node, split.column, threshold, split.missing_left, [value(&split.left), value(&right_sums)]);
        let ranges = [(leaf.start, middle, split.left), (middle, leaf.end, right_sums)];
        let depth = leaf.depth + 1;
        let last = depth >= growth.most_depth || open.len() + done.len() + 2 >= growth.most_leaves;
        let children = if last {
            [Vec::new(), Vec::new()]
        } else {
            // The smaller child is summed, the larger is what remains.
            let small = usize::from(middle - leaf.start > leaf.end - middle);
            let (start, end, _) = ranges[small];
            let summed = histogram(bins, derivatives, &order[start..end], &offsets);
            let mut rest = leaf.histogram;
            rest.iter_mut().zip(&summed).for_each(|(rest, part)| *rest = [rest[0] - part[0], rest[1] - part[1]]);
            if small == 0 { [summed, rest] } else { [rest, summed] }
        };
        for (side, (histogram, (start, end, sums))) in children.into_iter().zip(ranges).enumerate() {
            let mut child = Leaf { node: node + side, depth, start, end, sums, histogram, best: None };
            if !last {
                child.best = best(bins, &child, &offsets, growth, a_row, draw);
            }
            if child.best.is_some() { open.push(child) } else { done.push(child) }
        }
    }
    for leaf in open.iter().chain(&done) {
        at_leaf(tree.value[leaf.node], &order[leaf.start..leaf.end]);
    }
    tree
}

fn gain(leaf: &Leaf) -> f64 {
    leaf.best.map_or(f64::NEG_INFINITY, |split| split.gain)
}

fn offsets(bins: &Bins) -> Vec<usize> {
    let mut offsets = vec![0];
    for cuts in &bins.cuts {
        offsets.push(offsets[offsets.len() - 1] + cuts.len() + 2);
    }
    offsets
}

fn plus(sum: Sums, part: &Sums) -> Sums {
    [sum[0] + part[0], sum[1] + part[1]]
}

#[allow(clippy::cast_possible_truncation, reason = "leaves are kept in 32 bits")]
fn value(sums: &Sums, ridge: f64) -> f32 {
    let scale = sums[1] + ridge;
    if scale > 0.0 { (-sums[0] / scale) as f32 } else { 0.0 }
}

/// Σ of derivatives by column and bin.
fn histogram(bins: &Bins, derivatives: &[Derivative], rows: &[u32], offsets: &[usize]) -> Vec<Sums> {
    let size = offsets[bins.columns];
    let of_part = |rows: &[u32]| {
        let mut sums = vec![[0.0; 2]; size];
        for &row in rows {
            let [first, second] = derivatives[row as usize].map(f64::from);
            for (code, offset) in bins.row(row).iter().zip(offsets) {
                let cell = &mut sums[offset + usize::from(*code)];
                cell[0] += first;
                cell[1] += second;
            }
        }
        sums
    };
    if rows.len() <= PART {
        return of_part(rows);
    }
    let parts: Vec<Vec<Sums>> = rows.par_chunks(PART).map(of_part).collect();
    let mut parts = parts.into_iter();
    let mut whole = parts.next().unwrap_or_default();
    for part in parts {
        whole.iter_mut().zip(&part).for_each(|(sum, part)| *sum = plus(*sum, part));
    }
    whole
}

/// The split of a leaf that reduces the loss most.
fn best(bins: &Bins, leaf: &Leaf, offsets: &[usize], growth: &Growth, a_row: f64, draw: &mut Draw) -> Option<Split> {
    let least = growth.least_rows * a_row;
    let score = |sums: &Sums| sums[0] * sums[0] / (sums[1] + growth.ridge).max(1e-12);
    let whole = score(&leaf.sums);
    let mut best: Option<Split> = None;
    for column in 0..bins.columns {
        if growth.columns < 1.0 && draw.uniform() >= growth.columns {
            continue;
        }
        let cells = &leaf.histogram[offsets[column]..offsets[column + 1]];
        let missing = cells[0];
        // Missing values go left first, and right too where there are any.
        let sides: &[bool] = if bins.missing[column] { &[true, false] } else { &[true] };
        for &missing_left in sides {
            let mut left = if missing_left { missing } else { [0.0; 2] };
            for (bin, cell) in (1_u8..=255).zip(&cells[1..cells.len() - 1]) {
                left = plus(left, cell);
                let right = [leaf.sums[0] - left[0], leaf.sums[1] - left[1]];
                if left[1] < least {
                    continue;
                }
                if right[1] < least {
                    break;
                }
                let gain = score(&left) + score(&right) - whole;
                if gain > best.map_or(1e-9, |best| best.gain) {
                    best = Some(Split { gain, column, bin, missing_left, left });
                }
            }
        }
    }
    best
}

/// Puts the rows that go left first, keeping their order; how many.
fn partition(bins: &Bins, rows: &mut [u32], scratch: &mut [u32], split: &Split) -> usize {
    let (mut left, mut right) = (0, 0);
    for place in 0..rows.len() {
        let row = rows[place];
        let code = bins.code(row, split.column);
        let goes_left = if code == 0 { split.missing_left } else { code <= split.bin };
        // Both are written, one of them counts: no branch to mispredict.
        rows[left] = row;
        scratch[right] = row;
        left += usize::from(goes_left);
        right += usize::from(!goes_left);
    }
    rows[left..].copy_from_slice(&scratch[..right]);
    left
}
