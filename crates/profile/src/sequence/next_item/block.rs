//! One layer of the network: attention, then a small dense network, each added to its input.

use youhui_commerce::Draw;

use super::attention::{Attention, Scratch};
use super::feed_forward::FeedForward;
use super::linear::Linear;
use super::matmul::Into;
use super::norm::Norm;
use super::parameters::Parameters;
use super::vector::{add_scaled, dropout};

/// Normalises before it computes (Xiong et al. 2020), which trains without a warm-up.
#[derive(Debug, Clone)]
pub(super) struct Block {
    before_attention: Norm,
    query_key_value: Linear,
    attention: Attention,
    output: Linear,
    before_dense: Norm,
    dense: FeedForward,
    width: usize,
    inner: usize,
}

/// What one block leaves for the way back.
#[derive(Debug, Default)]
pub(super) struct Trace {
    /// The input, the one of attention, attention's three parts, its weights, and what it saw.
    input: Vec<f32>,
    normal: Vec<f32>,
    parts: Vec<f32>,
    weights: Vec<f32>,
    seen: Vec<f32>,
    /// The same of the dense network.
    middle: Vec<f32>,
    dense_normal: Vec<f32>,
    hidden: Vec<f32>,
}

/// Room for what is not needed afterwards.
#[derive(Debug, Default)]
pub(super) struct Room {
    attention: Scratch,
    one: Vec<f32>,
    two: Vec<f32>,
    parts: Vec<f32>,
    hidden: Vec<f32>,
}

/// One packed set of sequences and what is dropped of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Packed<'a> {
    pub(super) lengths: &'a [usize],
    pub(super) dropout: f32,
    pub(super) key: u64,
}

impl Block {
    pub(super) fn new(width: usize, heads: usize, inner: usize, parameters: &mut Parameters, draw: &mut Draw) -> Self {
        Self {
            before_attention: Norm::new(width, parameters),
            query_key_value: Linear::new(width, 3 * width, parameters, draw),
            attention: Attention { heads, width },
            output: Linear::new(width, width, parameters, draw),
            before_dense: Norm::new(width, parameters),
            dense: FeedForward::new(width, inner, parameters, draw),
            width,
            inner,
        }
    }

    /// Changes `x`: \[tokens, width\].
    pub(super) fn forward(&self, parameters: &Parameters, packed: Packed<'_>, x: &mut [f32], trace: &mut Trace, room: &mut Room) {
        let tokens = x.len() / self.width;
        for (room, width) in [
            (&mut trace.normal, self.width),
            (&mut trace.parts, 3 * self.width),
            (&mut trace.seen, self.width),
            (&mut trace.dense_normal, self.width),
            (&mut trace.hidden, self.inner),
            (&mut room.one, self.width),
        ] {
            room.resize(tokens * width, 0.0);
        }
        trace.weights.resize(self.attention.weights(packed.lengths), 0.0);
        copy(x, &mut trace.input);
        self.before_attention.forward(parameters, x, &mut trace.normal);
        self.query_key_value.forward(parameters, &trace.normal, &mut trace.parts);
        self.attention.forward(packed.lengths, &trace.parts, &mut trace.weights, &mut trace.seen, &mut room.attention);
        self.output.forward(parameters, &trace.seen, &mut room.one);
        dropout(&mut room.one, packed.dropout, packed.key);
        add_scaled(x, 1.0, &room.one);
        copy(x, &mut trace.middle);
        self.before_dense.forward(parameters, x, &mut trace.dense_normal);
        self.dense.forward(parameters, &trace.dense_normal, &mut trace.hidden, &mut room.one);
        dropout(&mut room.one, packed.dropout, packed.key ^ 1);
        add_scaled(x, 1.0, &room.one);
    }

    /// Changes `slope`, the gradient by the output, to the one by the input.
    pub(super) fn backward(
        &self,
        parameters: &Parameters,
        packed: Packed<'_>,
        slope: &mut [f32],
        trace: &Trace,
        room: &mut Room,
        gradient: &mut [f32],
    ) {
        let tokens = slope.len() / self.width;
        let Room { attention, one, two, parts, hidden } = room;
        two.resize(tokens * self.width, 0.0);
        parts.resize(tokens * 3 * self.width, 0.0);
        hidden.resize(tokens * self.inner, 0.0);
        copy(slope, one);
        dropout(one, packed.dropout, packed.key ^ 1);
        self.dense.backward(parameters, &trace.dense_normal, &trace.hidden, one, hidden, two, gradient);
        self.before_dense.backward(parameters, &trace.middle, two, slope, gradient);
        copy(slope, one);
        dropout(one, packed.dropout, packed.key);
        self.output.backward(parameters, &trace.seen, one, Into::Replace, two, gradient);
        self.attention.backward(packed.lengths, &trace.parts, &trace.weights, two, parts, attention);
        self.query_key_value.backward(parameters, &trace.normal, parts, Into::Replace, one, gradient);
        self.before_attention.backward(parameters, &trace.input, one, slope, gradient);
    }
}

fn copy(source: &[f32], target: &mut Vec<f32>) {
    target.clear();
    target.extend_from_slice(source);
}
