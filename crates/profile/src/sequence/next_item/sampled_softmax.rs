//! The loss: which item came next, among a sample of all.

use youhui_commerce::Draw;

use super::matmul::{Into, LANES, Shape, arch, product, rows, rows_mut, transpose, transposed_product};
use super::vector::{add_scaled, dot, exp, max, sum_by};

/// Candidates of one block: their transposed vectors stay in the cache.
const BLOCK: usize = 256;

/// Items that every state of one step is compared with beside the one that came: shared, so that
/// scores are one matrix product (Tikhonovich et al. 2025, eSASRec).
#[derive(Debug)]
pub(super) struct Candidates {
    pub(super) items: Vec<u32>,
    /// −ln of the chance that each was drawn: the sum over the sample then has the expectation of the
    /// sum over all (Horvitz & Thompson 1952; Bengio & Senécal 2008, the "logQ correction"). The item
    /// that came is always there and is not corrected.
    corrections: Vec<f32>,
    /// Which candidate an item is.
    place: Vec<u32>,
    /// \[candidates, width\], and in blocks of `BLOCK` columns \[width, BLOCK\].
    vectors: Vec<f32>,
    blocks: Vec<f32>,
    /// Whether every item is a candidate, so that nothing is sampled.
    all: bool,
}

/// What candidates are drawn from.
#[derive(Debug, Clone)]
pub(super) struct Sampler {
    /// Cumulative chances, and the chance of each item.
    cumulative: Vec<f64>,
    chance: Vec<f64>,
}

impl Sampler {
    /// Chances ∝ (times bought + 1)^`power`: 0 takes all items alike, 1 by popularity.
    pub(super) fn new(counts: &[u32], power: f64) -> Self {
        let weights: Vec<f64> = counts.iter().map(|&count| (f64::from(count) + 1.0).powf(power)).collect();
        let total: f64 = weights.iter().sum();
        let chance: Vec<f64> = weights.iter().map(|weight| weight / total).collect();
        let mut sum = 0.0;
        let cumulative = chance
            .iter()
            .map(|chance| {
                sum += chance;
                sum
            })
            .collect();
        Self { cumulative, chance }
    }

    fn draw(&self, draw: &mut Draw) -> usize {
        let uniform = draw.uniform();
        self.cumulative.partition_point(|&sum| sum <= uniform).min(self.cumulative.len() - 1)
    }
}

const NONE: u32 = u32::MAX;

impl Candidates {
    pub(super) fn new(items: usize) -> Self {
        Self { items: Vec::new(), corrections: Vec::new(), place: vec![NONE; items], vectors: Vec::new(), blocks: Vec::new(), all: false }
    }

    /// Draws `count` candidates, each item at most once, or takes all.
    pub(super) fn choose(&mut self, count: usize, sampler: &Sampler, draw: &mut Draw) {
        let items = self.place.len();
        if count == 0 || count >= items {
            if !self.all {
                self.items = (0..u32::try_from(items).unwrap_or(NONE)).collect();
                self.corrections = vec![0.0; items];
                self.all = true;
                self.place = self.items.clone();
            }
            return;
        }
        for &item in &self.items {
            self.place[item as usize] = NONE;
        }
        self.items.clear();
        self.corrections.clear();
        // How many different items `count` draws give varies a little; corrections count draws.
        for _ in 0..count {
            let item = sampler.draw(draw);
            if self.place[item] == NONE {
                self.place[item] = u32::try_from(self.items.len()).unwrap_or(NONE);
                self.items.push(u32::try_from(item).unwrap_or(NONE));
                self.corrections.push(sampler.correction(item, count));
            }
        }
    }

    /// Reads the candidates' vectors.
    pub(super) fn gather(&mut self, vectors: &[f32], width: usize) {
        self.vectors.clear();
        for &item in &self.items {
            self.vectors.extend_from_slice(&vectors[item as usize * width..][..width]);
        }
        self.blocks.clear();
        self.blocks.resize(self.items.len().div_ceil(BLOCK) * width * BLOCK, 0.0);
        for (source, block) in self.vectors.chunks(BLOCK * width).zip(self.blocks.chunks_exact_mut(width * BLOCK)) {
            transpose(rows(source, width), source.len() / width, width, block, BLOCK);
        }
    }

    /// Mean cross-entropy's share of these states, in nats: each state's loss / `total`. Replaces
    /// `slope`, the gradient by the states; leaves the one by each target's score in `target_slope`
    /// and adds the one by the candidates' vectors to `gradient`: \[candidates, width\].
    #[allow(clippy::too_many_arguments, reason = "inputs, and one gradient for each")]
    pub(super) fn loss(
        &self,
        states: &[f32],
        targets: &[u32],
        vectors: &[f32],
        total: f32,
        scores: &mut Vec<f32>,
        slope: &mut [f32],
        target_slope: &mut Vec<f32>,
        gradient: &mut [f32],
    ) -> f64 {
        let (tokens, count) = (targets.len(), self.items.len());
        let width = states.len() / tokens.max(1);
        let stride = count.next_multiple_of(LANES);
        scores.resize(tokens * stride, 0.0);
        for (index, block) in self.blocks.chunks_exact(width * BLOCK).enumerate() {
            let columns = BLOCK.min(stride - index * BLOCK);
            let target = rows_mut(&mut scores[index * BLOCK..], stride);
            product(Shape(tokens, width, columns), rows(states, width), rows(block, BLOCK), Into::Replace, target);
        }
        let mut sum = 0.0;
        target_slope.clear();
        for ((&target, state), line) in targets.iter().zip(states.chunks_exact(width)).zip(scores.chunks_exact_mut(stride)) {
            let own = dot(state, &vectors[target as usize * width..][..width]);
            let (line, padding) = line.split_at_mut(count);
            padding.fill(0.0);
            let hit = self.place[target as usize];
            let (loss, chance) = cross_entropy(line, &self.corrections, own, (hit != NONE).then_some(hit as usize), 1.0 / total);
            sum += f64::from(loss);
            target_slope.push((chance - 1.0) / total);
        }
        // In blocks, so that the candidates' vectors stay in the cache for all states.
        for (index, block) in self.vectors.chunks(BLOCK * width).enumerate() {
            let into = if index == 0 { Into::Replace } else { Into::Add };
            let shape = Shape(tokens, block.len() / width, width);
            product(shape, rows(&scores[index * BLOCK..], stride), rows(block, width), into, rows_mut(slope, width));
        }
        for ((&target, factor), slope) in targets.iter().zip(&*target_slope).zip(slope.chunks_exact_mut(width)) {
            add_scaled(slope, *factor, &vectors[target as usize * width..][..width]);
        }
        transposed_product(Shape(count, tokens, width), rows(scores, stride), rows(states, width), Into::Add, rows_mut(gradient, width));
        sum / f64::from(total)
    }
}

impl Sampler {
    /// −ln of the chance that `count` draws hold the item.
    fn correction(&self, item: usize, count: usize) -> f32 {
        let missed = (1.0 - self.chance[item]).powf(count as f64);
        -(1.0 - missed).ln() as f32
    }
}

/// Changes scores of candidates to their chances × `factor`; gives the loss and the chance of the
/// item that came, whose score is `own` and which is not counted again where it is a candidate.
fn cross_entropy(scores: &mut [f32], corrections: &[f32], own: f32, hit: Option<usize>, factor: f32) -> (f32, f32) {
    arch().dispatch(
        #[inline(always)]
        || {
            for (score, correction) in scores.iter_mut().zip(corrections) {
                *score += correction;
            }
            if let Some(score) = hit.and_then(|hit| scores.get_mut(hit)) {
                *score = f32::NEG_INFINITY;
            }
            let most = max(scores).max(own);
            for score in scores.iter_mut() {
                *score = exp(*score - most);
            }
            if let Some(score) = hit.and_then(|hit| scores.get_mut(hit)) {
                *score = 0.0;
            }
            let own_part = exp(own - most);
            let sum = sum_by(scores, scores, |one, _| one) + own_part;
            let share = factor / sum;
            for score in scores.iter_mut() {
                *score *= share;
            }
            (sum.ln() + most - own, own_part / sum)
        },
    )
}
