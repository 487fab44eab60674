//! A trained next-item encoder, and what it says of customers.

use rayon::prelude::*;

use super::ItemSequence;
use super::block::Packed;
use super::matmul::{Into, LANES, Shape, product, rows, rows_mut, transpose};
use super::network::{Network, Pass};
use super::windows::tokens;

/// A trained encoder, for reading only.
#[derive(Debug, Clone)]
pub struct NextItemEncoder {
    pub(super) network: Network,
    pub(super) window: usize,
}

/// Sequences that go through the network together.
const TOGETHER: usize = 64;
/// Items whose scores are computed together.
const BLOCK: usize = 256;

impl NextItemEncoder {
    /// Numbers in an embedding.
    pub const fn width(&self) -> usize {
        self.network.width
    }

    /// Number of items it ranks.
    pub fn items(&self) -> usize {
        self.network.items.len() / self.network.width
    }

    /// One embedding per customer: the state after the last item. All zeros for a customer without
    /// an item it knows. Items it doesn't know are passed over. Each has mean about 0 and variance
    /// about 1, and no unit.
    pub fn embed(&self, sequences: &[ItemSequence]) -> Vec<Vec<f32>> {
        let known: Vec<ItemSequence> = sequences.iter().map(|sequence| self.known(sequence)).collect();
        self.states(&known.iter().collect::<Vec<_>>()).chunks_exact(self.width()).map(<[f32]>::to_vec).collect()
    }

    /// One score per item and customer: the larger, the sooner it is expected to be the next.
    /// Scores are those before a softmax over all items. All are 0 for a customer without an item.
    pub fn scores(&self, sequences: &[ItemSequence]) -> Vec<Vec<f32>> {
        let known: Vec<ItemSequence> = sequences.iter().map(|sequence| self.known(sequence)).collect();
        let states = self.states(&known.iter().collect::<Vec<_>>());
        let blocks = self.item_blocks();
        states.par_chunks_exact(self.width()).map(|state| self.score_all(state, &blocks)).collect()
    }

    /// How many items are ranked before each target; ties go to the item with the lower number.
    pub(super) fn ranks(&self, sequences: &[&ItemSequence], targets: &[u32]) -> Vec<usize> {
        let (width, items) = (self.width(), self.items());
        let states = self.states(sequences);
        let blocks = self.item_blocks();
        let stride = items.next_multiple_of(LANES);
        let parts = states.par_chunks(TOGETHER * width).zip(targets.par_chunks(TOGETHER));
        let ranks = parts.map_init(Vec::new, |scores, (states, targets)| {
            self.score_into(states, &blocks, scores);
            let lines = scores.chunks_exact(stride).zip(targets);
            lines.map(|(line, &target)| rank_of(&line[..items], target as usize)).collect::<Vec<_>>()
        });
        ranks.flatten_iter().collect()
    }

    /// The states after each sequence's last item: \[sequences, width\].
    fn states(&self, sequences: &[&ItemSequence]) -> Vec<f32> {
        let width = self.width();
        let mut all = vec![0.0; sequences.len() * width];
        let parts = sequences.par_chunks(TOGETHER).zip(all.par_chunks_mut(TOGETHER * width));
        parts.for_each_init(Pass::default, |pass, (sequences, all)| {
            let (mut packed, mut lengths) = (Vec::new(), Vec::new());
            for sequence in sequences {
                let count = sequence.items.len();
                packed.extend(tokens(sequence, count.saturating_sub(self.window)..count));
                lengths.push(count.min(self.window));
            }
            self.network.forward(Packed { lengths: &lengths, dropout: 0.0, key: 0 }, &packed, pass);
            let mut end = 0;
            for (length, state) in lengths.iter().zip(all.chunks_exact_mut(width)) {
                end += length;
                if *length > 0 {
                    state.copy_from_slice(&pass.states[(end - 1) * width..end * width]);
                }
            }
        });
        all
    }

    /// Without what the encoder can't read.
    fn known(&self, sequence: &ItemSequence) -> ItemSequence {
        let kept = |place: &usize| (sequence.items[*place] as usize) < self.items();
        let places: Vec<usize> = (0..sequence.items.len()).filter(kept).collect();
        let times = if sequence.times.len() == sequence.items.len() {
            places.iter().map(|&place| sequence.times[place]).collect()
        } else {
            Vec::new()
        };
        ItemSequence { subject: sequence.subject, items: places.iter().map(|&place| sequence.items[place]).collect(), times }
    }

    /// All items' vectors, transposed in blocks.
    fn item_blocks(&self) -> Vec<f32> {
        let width = self.width();
        let mut blocks = vec![0.0; self.items().div_ceil(BLOCK) * width * BLOCK];
        for (source, block) in self.network.items.chunks(BLOCK * width).zip(blocks.chunks_exact_mut(width * BLOCK)) {
            transpose(rows(source, width), source.len() / width, width, block, BLOCK);
        }
        blocks
    }

    fn score_all(&self, state: &[f32], blocks: &[f32]) -> Vec<f32> {
        let mut scores = Vec::new();
        self.score_into(state, blocks, &mut scores);
        scores.truncate(self.items());
        scores
    }

    fn score_into(&self, states: &[f32], blocks: &[f32], scores: &mut Vec<f32>) {
        let width = self.width();
        let (count, stride) = (states.len() / width, self.items().next_multiple_of(LANES));
        scores.resize(count * stride, 0.0);
        for (index, block) in blocks.chunks_exact(width * BLOCK).enumerate() {
            let columns = BLOCK.min(stride - index * BLOCK);
            let target = rows_mut(&mut scores[index * BLOCK..], stride);
            product(Shape(count, width, columns), rows(states, width), rows(block, BLOCK), Into::Replace, target);
        }
    }
}

fn rank_of(scores: &[f32], target: usize) -> usize {
    let own = scores[target];
    let before = scores.iter().filter(|&&score| score > own).count();
    before + scores[..target].iter().filter(|&&score| score == own).count()
}
