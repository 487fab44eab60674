//! A linear layer.

use youhui_commerce::Draw;

use super::matmul::{Into, Shape, product, rows, rows_mut, transposed_product};
use super::parameters::{Parameters, Slot};
use super::vector::add_columns;

/// y = x·W + b.
#[derive(Debug, Clone)]
pub(super) struct Linear {
    weight: Slot,
    bias: Slot,
}

/// Deviation of the weights before training (Devlin et al. 2019, BERT, and SASRec's ports after it).
pub(super) const START: f64 = 0.02;

impl Linear {
    /// Normal weights of deviation `START`, bias 0: layers begin by adding little to their input, so that
    /// a state begins as the last item's own vector.
    pub(super) fn new(inputs: usize, outputs: usize, parameters: &mut Parameters, draw: &mut Draw) -> Self {
        let weight = parameters.normal(inputs, outputs, START, draw);
        Self { weight, bias: parameters.constant(1, outputs, 0.0) }
    }

    /// `y`: \[tokens, outputs\] from `x`: \[tokens, inputs\].
    pub(super) fn forward(&self, parameters: &Parameters, x: &[f32], y: &mut [f32]) {
        let (inputs, outputs) = (self.weight.rows(), self.weight.columns());
        let bias = self.bias.of(&parameters.values);
        for line in y.chunks_exact_mut(outputs) {
            line.copy_from_slice(bias);
        }
        let shape = Shape(x.len() / inputs, inputs, outputs);
        product(shape, rows(x, inputs), rows(self.weight.of(&parameters.values), outputs), Into::Add, rows_mut(y, outputs));
    }

    /// Adds to `gradient` and, as `into` says, to `dx`.
    pub(super) fn backward(&self, parameters: &Parameters, x: &[f32], dy: &[f32], into: Into, dx: &mut [f32], gradient: &mut [f32]) {
        let (inputs, outputs) = (self.weight.rows(), self.weight.columns());
        let tokens = x.len() / inputs;
        let weight = rows_mut(self.weight.of_mut(gradient), outputs);
        transposed_product(Shape(inputs, tokens, outputs), rows(x, inputs), rows(dy, outputs), Into::Add, weight);
        add_columns(self.bias.of_mut(gradient), dy);
        let transposed = rows(self.weight.of(&parameters.transposed), inputs);
        product(Shape(tokens, outputs, inputs), rows(dy, outputs), transposed, into, rows_mut(dx, inputs));
    }
}
