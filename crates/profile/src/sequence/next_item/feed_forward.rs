//! The small dense network of a block.

use youhui_commerce::Draw;

use super::linear::Linear;
use super::matmul::{Into, arch};
use super::parameters::Parameters;

/// y = relu(x·W₁ + b₁)·W₂ + b₂, each token by itself.
#[derive(Debug, Clone)]
pub(super) struct FeedForward {
    widen: Linear,
    narrow: Linear,
}

impl FeedForward {
    pub(super) fn new(width: usize, inner: usize, parameters: &mut Parameters, draw: &mut Draw) -> Self {
        Self { widen: Linear::new(width, inner, parameters, draw), narrow: Linear::new(inner, width, parameters, draw) }
    }

    /// Leaves the activations in `hidden`: \[tokens, inner\].
    pub(super) fn forward(&self, parameters: &Parameters, x: &[f32], hidden: &mut [f32], y: &mut [f32]) {
        self.widen.forward(parameters, x, hidden);
        arch().dispatch(
            #[inline(always)]
            || {
                for value in hidden.iter_mut() {
                    *value = if *value > 0.0 { *value } else { 0.0 };
                }
            },
        );
        self.narrow.forward(parameters, hidden, y);
    }

    /// Replaces `dx`; `slopes` is for the gradient by `hidden`.
    #[allow(clippy::too_many_arguments, reason = "three numbers each on the way up and on the way back")]
    pub(super) fn backward(
        &self,
        parameters: &Parameters,
        x: &[f32],
        hidden: &[f32],
        dy: &[f32],
        slopes: &mut [f32],
        dx: &mut [f32],
        gradient: &mut [f32],
    ) {
        self.narrow.backward(parameters, hidden, dy, Into::Replace, slopes, gradient);
        arch().dispatch(
            #[inline(always)]
            || {
                for (slope, value) in slopes.iter_mut().zip(hidden) {
                    *slope = if *value > 0.0 { *slope } else { 0.0 };
                }
            },
        );
        self.widen.backward(parameters, x, slopes, Into::Replace, dx, gradient);
    }
}
