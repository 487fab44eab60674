//! The network: items in, one state per token out, and the way back.

use youhui_commerce::Draw;

use super::NextItemConfig;
use super::block::{Block, Packed, Room, Trace};
use super::input::{Input, Token};
use super::linear::START;
use super::norm::Norm;
use super::parameters::Parameters;
use super::vector::dropout;

/// Causal self-attention over items (Kang & McAuley 2018, SASRec), scores by the same vectors that
/// items come in with.
#[derive(Debug, Clone)]
pub(super) struct Network {
    input: Input,
    blocks: Vec<Block>,
    last: Norm,
    /// What an item's vector is multiplied by on its way in, √width as in SASRec, so that layers add
    /// little to it at the start.
    pub(super) scale: f32,
    pub(super) width: usize,
    pub(super) parameters: Parameters,
    /// \[items, width\].
    pub(super) items: Vec<f32>,
}

/// What one pass leaves for the way back, kept to be used again.
#[derive(Debug, Default)]
pub(super) struct Pass {
    traces: Vec<Trace>,
    room: Room,
    x: Vec<f32>,
    pub(super) states: Vec<f32>,
    /// Gradient by the states; after the way back `x` holds the one by the input.
    pub(super) slope: Vec<f32>,
}

impl Network {
    pub(super) fn new(items: usize, config: &NextItemConfig) -> Self {
        let mut draw = Draw::seeded(config.seed).fork("next item network");
        let width = config.width;
        let mut parameters = Parameters::default();
        let vectors = (0..items * width).map(|_| (START * draw.normal()) as f32).collect();
        let input = Input::new(config.window, width, 0.05, &mut parameters, &mut draw);
        let blocks = (0..config.layers).map(|_| Block::new(width, config.heads, config.inner, &mut parameters, &mut draw)).collect();
        let last = Norm::new(width, &mut parameters);
        parameters.refresh();
        Self { input, blocks, last, scale: (width as f32).sqrt(), width, parameters, items: vectors }
    }

    /// States of packed sequences: \[tokens, width\] in `pass`.
    pub(super) fn forward(&self, packed: Packed<'_>, tokens: &[Token], pass: &mut Pass) {
        let Pass { traces, room, x, states, .. } = pass;
        traces.resize_with(self.blocks.len(), Trace::default);
        self.input.forward(&self.parameters, &self.items, self.scale, tokens, x);
        dropout(x, packed.dropout, packed.key);
        for ((index, block), trace) in self.blocks.iter().enumerate().zip(traces) {
            block.forward(&self.parameters, packed.layer(index), x, trace, room);
        }
        states.resize(x.len(), 0.0);
        self.last.forward(&self.parameters, x, states);
    }

    /// From `pass.slope` to the gradients: of all weights added to `gradient`, of the items' vectors
    /// on their way in, a row for each token, appended to `inputs`.
    pub(super) fn backward(&self, packed: Packed<'_>, tokens: &[Token], pass: &mut Pass, gradient: &mut [f32], inputs: &mut Vec<f32>) {
        let Pass { traces, room, x, slope, .. } = pass;
        // `x` still holds the last block's output.
        let start = inputs.len();
        inputs.resize(start + x.len(), 0.0);
        let below = &mut inputs[start..];
        self.last.backward(&self.parameters, x, slope, below, gradient);
        for ((index, block), trace) in self.blocks.iter().enumerate().zip(traces).rev() {
            block.backward(&self.parameters, packed.layer(index), below, trace, room, gradient);
        }
        dropout(below, packed.dropout, packed.key);
        self.input.backward(tokens, below, gradient);
        for value in below {
            *value *= self.scale;
        }
    }
}

impl Packed<'_> {
    /// The same with the keys of block `index`.
    const fn layer(self, index: usize) -> Self {
        Self { key: self.key.wrapping_add((index as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15)), ..self }
    }
}
