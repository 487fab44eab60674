//! Causal self-attention over packed sequences.

use super::matmul::{Into, LANES, Shape, arch, product, rows, rows_mut, transpose, transposed_product};
use super::vector::{exp, max, sum_by};

/// Each token looks back at the tokens of its own sequence (Vaswani et al. 2017), by several heads
/// whose numbers stand side by side.
#[derive(Debug, Clone)]
pub(super) struct Attention {
    pub(super) heads: usize,
    pub(super) width: usize,
}

/// What attention needs beside its inputs, kept to be used again.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    turned: Vec<f32>,
    slopes: Vec<f32>,
}

/// Queries of one sequence that are computed together: later keys are not looked at.
const BAND: usize = LANES;

/// Rows of weights are padded to whole registers.
const fn padded(length: usize) -> usize {
    length.next_multiple_of(LANES)
}

impl Attention {
    /// Numbers that the weights of sequences of these lengths take.
    pub(super) fn weights(&self, lengths: &[usize]) -> usize {
        lengths.iter().map(|&length| self.heads * length * padded(length)).sum()
    }

    /// `y`: \[tokens, width\] from queries, keys and values side by side: \[tokens, 3 × width\].
    /// Leaves the weights for the way back.
    pub(super) fn forward(&self, lengths: &[usize], inputs: &[f32], weights: &mut [f32], y: &mut [f32], scratch: &mut Scratch) {
        let (each, width) = (self.width / self.heads, self.width);
        let (mut token, mut rest) = (0, weights);
        for &length in lengths.iter().filter(|&&length| length > 0) {
            let stride = padded(length);
            scratch.turned.clear();
            scratch.turned.resize(each * stride, 0.0);
            for head in 0..self.heads {
                let (weights, after) = std::mem::take(&mut rest).split_at_mut(length * stride);
                rest = after;
                let at = |part: usize, place: usize| &inputs[(token + place) * 3 * width + part * width + head * each..];
                transpose(rows(at(1, 0), 3 * width), length, each, &mut scratch.turned, stride);
                for first in (0..length).step_by(BAND) {
                    let band = BAND.min(length - first);
                    let seen = first + band;
                    let lines = &mut weights[first * stride..seen * stride];
                    let shape = Shape(band, each, padded(seen));
                    product(shape, rows(at(0, first), 3 * width), rows(&scratch.turned, stride), Into::Replace, rows_mut(lines, stride));
                    softmax(lines, stride, first, 1.0 / (each as f32).sqrt());
                    let output = rows_mut(&mut y[(token + first) * width + head * each..], width);
                    product(Shape(band, seen, each), rows(lines, stride), rows(at(2, 0), 3 * width), Into::Replace, output);
                }
            }
            token += length;
        }
    }

    /// Replaces `dx`, the gradient by queries, keys and values.
    pub(super) fn backward(&self, lengths: &[usize], inputs: &[f32], weights: &[f32], dy: &[f32], dx: &mut [f32], scratch: &mut Scratch) {
        let (each, width) = (self.width / self.heads, self.width);
        let factor = 1.0 / (each as f32).sqrt();
        let (mut token, mut rest) = (0, weights);
        for &length in lengths.iter().filter(|&&length| length > 0) {
            let stride = padded(length);
            scratch.turned.clear();
            scratch.turned.resize(each * stride, 0.0);
            scratch.slopes.clear();
            scratch.slopes.resize(length * stride, 0.0);
            for head in 0..self.heads {
                let (weights, after) = rest.split_at(length * stride);
                rest = after;
                let at = |part: usize| token * 3 * width + part * width + head * each;
                let dy = rows(&dy[token * width + head * each..], width);
                transpose(rows(&inputs[at(2)..], 3 * width), length, each, &mut scratch.turned, stride);
                for first in (0..length).step_by(BAND) {
                    let band = BAND.min(length - first);
                    let seen = first + band;
                    let (lines, place) = (&weights[first * stride..seen * stride], (token + first) * 3 * width + head * each);
                    let slopes = &mut scratch.slopes[first * stride..seen * stride];
                    let above = rows(&dy.data[first * width..], width);
                    let shape = Shape(band, each, padded(seen));
                    product(shape, above, rows(&scratch.turned, stride), Into::Replace, rows_mut(slopes, stride));
                    softmax_backward(lines, slopes, stride, first, factor);
                    let keys = rows(&inputs[at(1)..], 3 * width);
                    product(Shape(band, seen, each), rows(slopes, stride), keys, Into::Replace, rows_mut(&mut dx[place..], 3 * width));
                    // Keys and values get from every band that saw them; the first one to see them is their own.
                    let queries = rows(&inputs[place..], 3 * width);
                    for (part, left, right) in [(1, &*slopes, queries), (2, lines, above)] {
                        let mut from = |start: usize, count: usize, into: Into| {
                            let target = rows_mut(&mut dx[at(part) + start * 3 * width..], 3 * width);
                            transposed_product(Shape(count, band, each), rows(&left[start..], stride), right, into, target);
                        };
                        from(0, first, Into::Add);
                        from(first, band, Into::Replace);
                    }
                }
            }
            token += length;
        }
    }
}

/// Scores of the queries `first`, `first` + 1 … become weights; 0 for later keys.
fn softmax(lines: &mut [f32], stride: usize, first: usize, factor: f32) {
    arch().dispatch(
        #[inline(always)]
        || {
            for (row, line) in lines.chunks_exact_mut(stride).enumerate() {
                let (seen, later) = line.split_at_mut(first + row + 1);
                later.fill(0.0);
                let most = max(seen);
                for score in &mut *seen {
                    *score = exp((*score - most) * factor);
                }
                let share = 1.0 / sum_by(seen, seen, |one, _| one);
                for weight in seen {
                    *weight *= share;
                }
            }
        },
    );
}

/// From gradients by weights to gradients by scores before `factor`.
fn softmax_backward(lines: &[f32], slopes: &mut [f32], stride: usize, first: usize, factor: f32) {
    arch().dispatch(
        #[inline(always)]
        || {
            for (row, (line, slopes)) in lines.chunks_exact(stride).zip(slopes.chunks_exact_mut(stride)).enumerate() {
                let seen = first + row + 1;
                let mean = sum_by(&line[..seen], &slopes[..seen], |weight, slope| weight * slope);
                slopes[seen..].fill(0.0);
                for (slope, weight) in slopes[..seen].iter_mut().zip(line) {
                    *slope = weight * (*slope - mean) * factor;
                }
            }
        },
    );
}
