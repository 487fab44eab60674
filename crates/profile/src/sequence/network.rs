//! The network: causal self-attention over baskets, and a repeat channel beside it.

use burn::module::{Module, Param};
use burn::tensor::activation::{log_softmax, relu, softmax};
use burn::tensor::{Device, Tensor, TensorData};
use youhui_commerce::Draw;

use super::EncoderConfig;
use super::batch::{Batch, EXTRA, GAPS};
use super::history::{PLANES, Popularity};

/// What a category's own weights of the repeat channel count: Adam moves all weights alike, and
/// those that only one category's few baskets teach are to move less.
const OWN_SCALE: f32 = 0.3;

/// y = x·W + b.
#[derive(Module, Debug)]
pub(super) struct Linear {
    weight: Param<Tensor<2>>,
    bias: Param<Tensor<1>>,
}

impl Linear {
    /// Normal weights of variance 1/inputs (LeCun et al. 1998) from our own draw, bias 0.
    pub(super) fn new(inputs: usize, outputs: usize, draw: &mut Draw, device: &Device) -> Self {
        Self::scaled(inputs, outputs, inputs as f64, draw, device)
    }

    /// As `new`, for inputs of which only about `active` differ from 0 at a time.
    fn scaled(inputs: usize, outputs: usize, active: f64, draw: &mut Draw, device: &Device) -> Self {
        let scale = 1.0 / active.sqrt();
        let weights = (0..inputs * outputs).map(|_| (scale * draw.normal()) as f32).collect();
        Self::of(weights, vec![0.0; outputs], inputs, device)
    }

    /// All weights 0: adds nothing until it has learnt something.
    fn zero(inputs: usize, outputs: usize, device: &Device) -> Self {
        Self::of(vec![0.0; inputs * outputs], vec![0.0; outputs], inputs, device)
    }

    fn of(weights: Vec<f32>, bias: Vec<f32>, inputs: usize, device: &Device) -> Self {
        let outputs = bias.len();
        Self { weight: matrix(weights, inputs, outputs, device), bias: vector(bias, device) }
    }

    pub(super) fn forward(&self, input: Tensor<2>) -> Tensor<2> {
        input.matmul(self.weight.val()) + self.bias.val().unsqueeze()
    }
}

/// Scales each row to mean 0 and variance 1, then by learnt factors (Ba et al. 2016).
#[derive(Module, Debug)]
pub(super) struct Norm {
    scale: Param<Tensor<1>>,
    shift: Param<Tensor<1>>,
}

impl Norm {
    pub(super) fn new(width: usize, device: &Device) -> Self {
        Self { scale: vector(vec![1.0; width], device), shift: vector(vec![0.0; width], device) }
    }

    pub(super) fn forward(&self, input: Tensor<2>) -> Tensor<2> {
        let centred = input.clone() - input.mean_dim(1);
        let deviation = (centred.clone() * centred.clone()).mean_dim(1).add_scalar(1e-5).sqrt();
        centred / deviation * self.scale.val().unsqueeze() + self.shift.val().unsqueeze()
    }
}

/// One layer of attention and a small dense network, each added to its input.
#[derive(Module, Debug)]
pub(super) struct Block {
    before_attention: Norm,
    query_key_value: Linear,
    output: Linear,
    before_dense: Norm,
    widen: Linear,
    narrow: Linear,
}

impl Block {
    pub(super) fn new(width: usize, draw: &mut Draw, device: &Device) -> Self {
        Self {
            before_attention: Norm::new(width, device),
            query_key_value: Linear::new(width, 3 * width, draw, device),
            output: Linear::new(width, width, draw, device),
            before_dense: Norm::new(width, device),
            widen: Linear::new(width, 2 * width, draw, device),
            narrow: Linear::new(2 * width, width, draw, device),
        }
    }

    pub(super) fn forward(&self, input: Tensor<2>, mask: Tensor<4>) -> Tensor<2> {
        let [rows, heads, length, _] = mask.dims();
        let width = input.dims()[1];
        let each = width / heads;
        let all = self.query_key_value.forward(self.before_attention.forward(input.clone()));
        let part = |index: usize| {
            all.clone().slice([0..rows * length, index * width..(index + 1) * width]).reshape([rows, length, heads, each]).swap_dims(1, 2)
        };
        let scores = part(0).matmul(part(1).transpose()).mul_scalar(1.0 / (each as f32).sqrt()) + mask;
        let seen = softmax(scores, 3).matmul(part(2)).swap_dims(1, 2).reshape([rows * length, width]);
        let middle = input + self.output.forward(seen);
        let dense = self.narrow.forward(relu(self.widen.forward(self.before_dense.forward(middle.clone()))));
        middle + dense
    }
}

/// The whole encoder.
#[derive(Module, Debug)]
pub(super) struct Network {
    input: Linear,
    blocks: Vec<Block>,
    gap: Linear,
    last: Norm,
    /// From the state to each category.
    decoder: Linear,
    /// From the state to one weight per plane of the repeat channel.
    gate: Linear,
    /// Weight of each plane for all categories, and what a category adds to it.
    shared: Param<Tensor<2>>,
    own: Param<Tensor<2>>,
}

impl Network {
    /// A network whose predictions are the customer's own frequencies, or popularity without the
    /// repeat channel, and whose states are a random projection of the baskets.
    pub(super) fn new(config: &EncoderConfig, popularity: &Popularity, device: &Device) -> Self {
        let mut draw = Draw::seeded(config.seed).fork("sequence network");
        let (categories, width) = (popularity.len(), config.width);
        let mut shared = vec![0.0; PLANES];
        shared[0] = 1.0;
        let mut decoder = Linear::zero(width, categories, device);
        if !config.repeats {
            let start = popularity.share.iter().map(|share| share.ln()).collect();
            decoder.bias = vector(start, device);
        }
        Self {
            // Few of the inputs are not 0, and their squares sum to about 1.
            input: Linear::scaled(categories + EXTRA, width, 4.0, &mut draw, device),
            blocks: (0..config.layers).map(|_| Block::new(width, &mut draw, device)).collect(),
            gap: Linear::new(GAPS, width, &mut draw, device),
            last: Norm::new(width, device),
            decoder,
            gate: Linear::zero(width, PLANES, device),
            shared: matrix(shared, 1, PLANES, device),
            own: matrix(vec![0.0; PLANES * categories], PLANES, categories, device),
        }
    }

    /// The states that predict: \[rows × targets, width\].
    pub(super) fn states(&self, batch: &Batch) -> Tensor<2> {
        let mut tokens = self.input.forward(batch.tokens.clone());
        for block in &self.blocks {
            tokens = block.forward(tokens, batch.mask.clone());
        }
        let width = tokens.dims()[1];
        let states = tokens
            .reshape([batch.rows, batch.length, width])
            .slice([0..batch.rows, batch.length - batch.targets..batch.length, 0..width])
            .reshape([batch.rows * batch.targets, width]);
        self.last.forward(states + self.gap.forward(batch.gaps.clone()))
    }

    /// Scores of each category for the next basket, before softmax.
    pub(super) fn logits(&self, states: Tensor<2>, batch: &Batch) -> Tensor<2> {
        let lines = batch.rows * batch.targets;
        let categories = self.own.dims()[1];
        let gates = self.gate.forward(states.clone()) + self.shared.val();
        let own = self.own.val().mul_scalar(OWN_SCALE);
        let mut logits = self.decoder.forward(states);
        for (index, plane) in batch.planes.iter().enumerate() {
            let gate = gates.clone().slice([0..lines, index..index + 1]);
            let weight = own.clone().slice([index..index + 1, 0..categories]);
            logits = logits + plane.clone() * (weight + gate);
        }
        logits
    }

    /// Mean cross-entropy of the next basket's categories, weighted by `weight_of`.
    pub(super) fn loss(&self, batch: &Batch) -> Tensor<1> {
        let logits = self.logits(self.states(batch), batch);
        let sum = (log_softmax(logits, 1) * batch.truth.clone()).sum();
        sum.mul_scalar((-1.0 / batch.weight.max(1e-6)) as f32)
    }
}

fn matrix(data: Vec<f32>, rows: usize, columns: usize, device: &Device) -> Param<Tensor<2>> {
    Param::from_data(TensorData::new(data, [rows, columns]), device)
}

fn vector(data: Vec<f32>, device: &Device) -> Param<Tensor<1>> {
    let length = data.len();
    Param::from_data(TensorData::new(data, [length]), device)
}

#[cfg(test)]
mod gradient_tests;
