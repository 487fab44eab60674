//! Grows one tree leaf by leaf, the best split first (Shi 2007; Ke et al. 2017), on histograms of
//! gradients.

use rayon::prelude::*;
use youhui_commerce::Draw;

use super::bins::Bins;
use super::tree::Tree;
use crate::simd::arch;

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

/// Rows that one part of a histogram sums: as many as fit its cells (see [`Steps`]).
const PART: usize = 1 << 16;

type Sums = [f64; 2];
/// Sums by code of one column.
type OfColumn = [Sums; 256];

#[derive(Debug)]
struct Leaf {
    node: usize,
    depth: usize,
    start: usize,
    end: usize,
    sums: Sums,
    histogram: Vec<OfColumn>,
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

/// What one tree after another is grown in.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    /// By row: see [`Steps`].
    steps: Vec<i64>,
    moved: Vec<u32>,
}

/// Grows a tree on the rows of `order`, which it puts in the order of leaves.
pub(crate) fn grow(
    bins: &Bins,
    derivatives: &[Derivative],
    order: &mut [u32],
    growth: &Growth,
    draw: &mut Draw,
    scratch: &mut Scratch,
) -> Tree {
    let Scratch { steps, moved } = scratch;
    let steps = Steps::of(derivatives, order, draw.bits(), steps);
    moved.resize(order.len().max(moved.len()), 0);
    let histogram = |rows: &[u32]| histogram(bins, &steps, rows);
    let root_histogram = histogram(order);
    let sums = root_histogram.first().map_or([0.0; 2], |column| column.iter().fold([0.0; 2], plus));
    // Second derivatives to rows: least_rows is of rows.
    let a_row = sums[1] / order.len().max(1) as f64;
    let value = |sums: &Sums| value(sums, growth.ridge);
    let mut tree = Tree::leaf(value(&sums));
    let mut leaf = Leaf { node: 0, depth: 0, start: 0, end: order.len(), sums, histogram: root_histogram, best: None };
    leaf.best = best(bins, &leaf, growth, a_row, draw);
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
        let middle = leaf.start + partition(bins, &mut order[leaf.start..leaf.end], moved, &split);
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
            let summed = histogram(&order[start..end]);
            let mut rest = leaf.histogram;
            let both = rest.as_flattened_mut().iter_mut().zip(summed.as_flattened());
            both.for_each(|(rest, part)| *rest = [rest[0] - part[0], rest[1] - part[1]]);
            if small == 0 { [summed, rest] } else { [rest, summed] }
        };
        for (side, (histogram, (start, end, sums))) in children.into_iter().zip(ranges).enumerate() {
            let mut child = Leaf { node: node + side, depth, start, end, sums, histogram, best: None };
            if !last {
                child.best = best(bins, &child, growth, a_row, draw);
            }
            if child.best.is_some() { open.push(child) } else { done.push(child) }
        }
    }
    for leaf in open.iter().chain(&done) {
        // Steps were for the splits; a leaf's value is of the derivatives themselves.
        let rows = &order[leaf.start..leaf.end];
        let sums = rows.iter().map(|&row| derivatives[row as usize].map(f64::from)).fold([0.0; 2], |sum, part| plus(sum, &part));
        tree.value[leaf.node] = value(&sums);
    }
    tree
}

fn gain(leaf: &Leaf) -> f64 {
    leaf.best.map_or(f64::NEG_INFINITY, |split| split.gain)
}

fn plus(sum: Sums, part: &Sums) -> Sums {
    [sum[0] + part[0], sum[1] + part[1]]
}

#[allow(clippy::cast_possible_truncation, reason = "leaves are kept in 32 bits")]
fn value(sums: &Sums, ridge: f64) -> f32 {
    let scale = sums[1] + ridge;
    if scale > 0.0 { (-sums[0] / scale) as f32 } else { 0.0 }
}

/// Derivatives in whole steps, both in one number, so that a cell of a histogram is one addition of 8 bytes and sums
/// don't depend on their order (gradients of few bits split as well; Shi et al. 2022). The first is in the upper half.
#[derive(Debug)]
struct Steps<'a> {
    of_row: &'a [i64],
    size: Sums,
}

/// Most steps of a derivative: 2¹⁶ rows of them don't reach the other half.
const MOST_STEPS: f32 = 32_000.0;

impl<'a> Steps<'a> {
    /// Rounded up or down by chance, so that many small ones are not lost.
    #[allow(clippy::cast_possible_truncation, reason = "at most MOST_STEPS")]
    fn of(derivatives: &[Derivative], rows: &[u32], seed: u64, of_row: &'a mut Vec<i64>) -> Self {
        let most = |which: usize| rows.iter().fold(0.0_f32, |most, &row| most.max(derivatives[row as usize][which].abs()));
        let size = [most(0), most(1)].map(|most| if most > 0.0 && most.is_finite() { most / MOST_STEPS } else { 1.0 });
        // What other rows hold is not looked at.
        of_row.resize(derivatives.len(), 0);
        let scale = size.map(f32::recip);
        // Truncation rounds down what is above zero.
        let whole = |steps: f32| (steps + 65_536.0) as i64 - 65_536;
        for &row in rows {
            let chance = (seed ^ u64::from(row)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            let [first, second] = derivatives[row as usize];
            let up = |bits: u64| (bits & 0xff_ffff) as f32 / 16_777_216.0;
            let first = whole(first * scale[0] + up(chance >> 40));
            let second = whole(second * scale[1] + up(chance >> 16));
            of_row[row as usize] = (first << 32) + second;
        }
        Self { of_row, size: size.map(f64::from) }
    }

    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the lower half is the second's")]
    fn sums(&self, cell: i64) -> Sums {
        [(cell >> 32) as f64 * self.size[0], f64::from(cell as u32) * self.size[1]]
    }
}

/// Σ of derivatives by column and code.
fn histogram(bins: &Bins, steps: &Steps<'_>, rows: &[u32]) -> Vec<OfColumn> {
    let of_part = |rows: &[u32]| {
        let mut cells = vec![[0_i64; 256]; bins.columns];
        for &row in rows {
            let step = steps.of_row[row as usize];
            for (code, cells) in bins.row(row).iter().zip(&mut cells) {
                cells[usize::from(*code)] += step;
            }
        }
        cells
    };
    let parts: Vec<Vec<[i64; 256]>> = if rows.len() <= PART { vec![of_part(rows)] } else { rows.par_chunks(PART).map(of_part).collect() };
    let mut whole = vec![[[0.0; 2]; 256]; bins.columns];
    for part in parts {
        let cells = whole.as_flattened_mut().iter_mut().zip(part.as_flattened());
        cells.for_each(|(sum, cell)| *sum = plus(*sum, &steps.sums(*cell)));
    }
    whole
}

/// The split of a leaf that reduces the loss most.
fn best(bins: &Bins, leaf: &Leaf, growth: &Growth, a_row: f64, draw: &mut Draw) -> Option<Split> {
    let mut best: Option<Split> = None;
    let mut scan = Scan { left: [[0.0; 256]; 2], gain: [0.0; 256] };
    for column in 0..bins.columns {
        if growth.columns < 1.0 && draw.uniform() >= growth.columns {
            continue;
        }
        let cells = &leaf.histogram[column][..=bins.cuts[column].len()];
        // Missing values go left first, and right too where there are any.
        let sides: &[bool] = if bins.missing[column] { &[true, false] } else { &[true] };
        for &missing_left in sides {
            let (bin, gain) = scan.best(cells, &leaf.sums, missing_left, growth.least_rows * a_row, growth.ridge);
            if gain > best.map_or(1e-9, |best| best.gain) {
                let left = [scan.left[0][usize::from(bin)], scan.left[1][usize::from(bin)]];
                best = Some(Split { gain, column, bin, missing_left, left });
            }
        }
    }
    best
}

/// All splits of one column: what lies left of each, and what it gains.
struct Scan {
    left: [[f64; 256]; 2],
    gain: [f64; 256],
}

impl Scan {
    /// The first bin of those that gain most, and its gain; `cells` begin with the missing.
    #[allow(clippy::cast_possible_truncation, reason = "at most 255 bins")]
    fn best(&mut self, cells: &[Sums], sums: &Sums, missing_left: bool, least: f64, ridge: f64) -> (u8, f64) {
        let Self { left, gain } = self;
        let mut sum = if missing_left { cells[0] } else { [0.0; 2] };
        for (bin, cell) in cells.iter().enumerate().skip(1) {
            sum = plus(sum, cell);
            (left[0][bin], left[1][bin]) = (sum[0], sum[1]);
        }
        let score = |first: f64, second: f64| first * first / (second + ridge).max(1e-12);
        let whole = score(sums[0], sums[1]);
        arch().dispatch(
            #[inline(always)]
            || {
                let [firsts, seconds] = &*left;
                for (gain, (first, second)) in gain.iter_mut().zip(firsts.iter().zip(seconds)).take(cells.len()) {
                    let (first_right, second_right) = (sums[0] - first, sums[1] - second);
                    let split = score(*first, *second) + score(first_right, second_right) - whole;
                    *gain = if *second < least || second_right < least { 0.0 } else { split };
                }
            },
        );
        let most = gain[1..cells.len()].iter().copied().fold(0.0, f64::max);
        let bin = gain[1..cells.len()].iter().position(|gain| *gain == most).map_or(0, |place| place + 1);
        (bin as u8, most)
    }
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
