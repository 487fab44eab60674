//! Layers: forward and back.

use youhui_commerce::Draw;

use super::product::{View, multiply};
use crate::simd::arch;

/// Layers of weights, each followed by its biases, in one list; hidden layers pass on max(0, sum).
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Network {
    pub(crate) sizes: Vec<usize>,
    pub(crate) weights: Vec<f32>,
}

impl Network {
    /// Uniform beginnings (Glorot and Bengio 2010), biases zero.
    pub(crate) fn new(sizes: &[usize], draw: &mut Draw) -> Self {
        let mut weights = Vec::new();
        for pair in sizes.windows(2) {
            let most = (6.0 / (pair[0] + pair[1]) as f64).sqrt();
            #[allow(clippy::cast_possible_truncation, reason = "weights are kept in 32 bits")]
            weights.extend((0..pair[0] * pair[1]).map(|_| ((2.0 * draw.uniform() - 1.0) * most) as f32));
            weights.extend(std::iter::repeat_n(0.0, pair[1]));
        }
        Self { sizes: sizes.to_vec(), weights }
    }

    pub(crate) fn outputs(&self) -> usize {
        self.sizes[self.sizes.len() - 1]
    }

    /// The values of every layer for rows of inputs; the last are the outputs.
    pub(crate) fn forward(&self, inputs: &[f32], layers: &mut Vec<Vec<f32>>) {
        let rows = inputs.len() / self.sizes[0];
        layers.resize_with(self.sizes.len() - 1, Vec::new);
        let mut start = 0;
        for (depth, pair) in self.sizes.windows(2).enumerate() {
            let (before, rest) = layers.split_at_mut(depth);
            let from = before.last().map_or(inputs, Vec::as_slice);
            let to = &mut rest[0];
            let (weights, biases) = self.weights[start..start + (pair[0] + 1) * pair[1]].split_at(pair[0] * pair[1]);
            start += (pair[0] + 1) * pair[1];
            to.clear();
            (0..rows).for_each(|_| to.extend_from_slice(biases));
            multiply(to, View::new(from, pair[0]), View::new(weights, pair[1]), true);
            if depth + 2 < self.sizes.len() {
                arch().dispatch(
                    #[inline(always)]
                    || to.iter_mut().for_each(|value| *value = value.max(0.0)),
                );
            }
        }
    }

    /// The gradient of the weights, from that of the outputs (in `deltas`, which is used up); the
    /// layers are as `forward` left them.
    pub(crate) fn backward(&self, inputs: &[f32], layers: &[Vec<f32>], deltas: &mut Vec<f32>, gradient: &mut [f32]) {
        let mut end = self.weights.len();
        let mut next = Vec::new();
        for depth in (0..self.sizes.len() - 1).rev() {
            let (ins, outs) = (self.sizes[depth], self.sizes[depth + 1]);
            let start = end - (ins + 1) * outs;
            let from = if depth == 0 { inputs } else { &layers[depth - 1] };
            let (of_weights, of_biases) = gradient[start..end].split_at_mut(ins * outs);
            multiply(of_weights, View::new(from, ins).t(), View::new(deltas, outs), false);
            of_biases.fill(0.0);
            arch().dispatch(
                #[inline(always)]
                || {
                    for delta in deltas.chunks_exact(outs) {
                        of_biases.iter_mut().zip(delta).for_each(|(sum, delta)| *sum += delta);
                    }
                },
            );
            if depth > 0 {
                next.clear();
                next.resize(from.len(), 0.0);
                multiply(&mut next, View::new(deltas, outs), View::new(&self.weights[start..start + ins * outs], outs).t(), false);
                arch().dispatch(
                    #[inline(always)]
                    || next.iter_mut().zip(from).for_each(|(delta, value)| *delta = if *value > 0.0 { *delta } else { 0.0 }),
                );
                std::mem::swap(deltas, &mut next);
            }
            end = start;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Σ of outputs² / 2.
    fn loss(network: &Network, inputs: &[f32]) -> f64 {
        let mut layers = Vec::new();
        network.forward(inputs, &mut layers);
        layers.last().unwrap().iter().map(|output| f64::from(*output).powi(2) / 2.0).sum()
    }

    #[test]
    fn the_gradient_is_that_of_finite_differences() {
        let mut draw = Draw::seeded(5);
        let network = Network::new(&[4, 6, 5, 3], &mut draw);
        #[allow(clippy::cast_possible_truncation)]
        let inputs: Vec<f32> = (0..28).map(|_| draw.normal() as f32).collect();
        let mut layers = Vec::new();
        network.forward(&inputs, &mut layers);
        let (mut deltas, mut gradient) = (layers.last().unwrap().clone(), vec![0.0; network.weights.len()]);
        network.backward(&inputs, &layers, &mut deltas, &mut gradient);
        for (place, slope) in gradient.iter().enumerate() {
            let moved = |by: f32| {
                let mut other = network.clone();
                other.weights[place] += by;
                loss(&other, &inputs)
            };
            let finite = (moved(1e-3) - moved(-1e-3)) / 2e-3;
            assert!((finite - f64::from(*slope)).abs() < 2e-2 * finite.abs().max(1.0), "{place}: {finite} {slope}");
        }
    }
}
