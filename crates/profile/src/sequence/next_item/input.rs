//! From items to the first layer's numbers.

use youhui_commerce::{Draw, Micros, TimeWindow};

use super::parameters::{Parameters, Slot};
use super::vector::add_scaled;

/// Kinds of gaps: none known, then one for every doubling from a minute to over a year.
pub(super) const GAPS: usize = 22;

/// An item's own vector, plus one of its position, plus one of the time since the item before.
#[derive(Debug, Clone)]
pub(super) struct Input {
    /// \[window, width\] and \[GAPS, width\].
    positions: Slot,
    gaps: Slot,
    width: usize,
}

/// One token: which item, where in the window, and the kind of the gap before it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Token {
    pub(super) item: u32,
    pub(super) position: u16,
    pub(super) gap: u8,
}

/// The kind of the gap from `before` to `time`: gaps spread over many orders of size, so that
/// doublings tell them apart (Li, Wang & McAuley 2020, TiSASRec, clip and scale them instead).
pub(super) fn gap_kind(before: Option<Micros>, time: Micros) -> u8 {
    let Some(before) = before else { return 0 };
    let minutes = time.saturating_sub(before).max(0) / (TimeWindow::DAY / 1_440);
    let doubling = (minutes + 1).ilog2().min(GAPS as u32 - 2);
    doubling as u8 + 1
}

impl Input {
    pub(super) fn new(window: usize, width: usize, deviation: f64, parameters: &mut Parameters, draw: &mut Draw) -> Self {
        Self { positions: parameters.normal(window, width, deviation, draw), gaps: parameters.normal(GAPS, width, deviation, draw), width }
    }

    /// Replaces `x`: \[tokens, width\].
    pub(super) fn forward(&self, parameters: &Parameters, items: &[f32], scale: f32, tokens: &[Token], x: &mut Vec<f32>) {
        let width = self.width;
        let (positions, gaps) = (self.positions.of(&parameters.values), self.gaps.of(&parameters.values));
        x.resize(tokens.len() * width, 0.0);
        for (token, x) in tokens.iter().zip(x.chunks_exact_mut(width)) {
            let item = &items[token.item as usize * width..][..width];
            let position = &positions[usize::from(token.position) * width..][..width];
            let gap = &gaps[usize::from(token.gap) * width..][..width];
            for (((x, item), position), gap) in x.iter_mut().zip(item).zip(position).zip(gap) {
                *x = item * scale + position + gap;
            }
        }
    }

    /// Adds to the gradients of positions and gaps; the items' one is `slope` × their scale.
    pub(super) fn backward(&self, tokens: &[Token], slope: &[f32], gradient: &mut [f32]) {
        let width = self.width;
        for (token, slope) in tokens.iter().zip(slope.chunks_exact(width)) {
            let position = usize::from(token.position) * width;
            add_scaled(&mut self.positions.of_mut(gradient)[position..position + width], 1.0, slope);
            let gap = usize::from(token.gap) * width;
            add_scaled(&mut self.gaps.of_mut(gradient)[gap..gap + width], 1.0, slope);
        }
    }
}
