//! One gradient step, shared out over threads: the same bits whatever their number.

use rayon::prelude::*;
use youhui_commerce::Draw;

use super::adam::{Moments, Step};
use super::block::Packed;
use super::input::Token;
use super::network::{Network, Pass};
use super::sampled_softmax::{Candidates, Sampler};
use super::vector::add_scaled;

/// A step's sequences are shared out over so many lanes; each sums its own gradient, and these are
/// summed in order. A constant, not the number of threads, so that results don't depend on it.
const LANES: usize = 4;
/// Tokens that go through the network together: their numbers stay in the cache.
const CHUNK: usize = 512;

/// Packed sequences: each token's target is what came next.
#[derive(Debug, Clone, Default)]
pub(super) struct Batch {
    pub(super) tokens: Vec<Token>,
    pub(super) targets: Vec<u32>,
    pub(super) lengths: Vec<usize>,
}

#[derive(Debug, Default)]
struct Lane {
    batch: Batch,
    pass: Pass,
    scores: Vec<f32>,
    target_slope: Vec<f32>,
    loss: f64,
    /// Sums over the lane's chunks, by weight and by candidate.
    gradient: Vec<f32>,
    candidate_gradient: Vec<f32>,
    /// For each token: the gradient by its item's vector on the way in, the state, and the
    /// gradient by its target's score.
    inputs: Vec<f32>,
    states: Vec<f32>,
    target_slopes: Vec<f32>,
}

/// The network in training.
#[derive(Debug)]
pub(super) struct Trainer {
    pub(super) network: Network,
    moments: Moments,
    item_moments: Moments,
    candidates: Candidates,
    lanes: Vec<Lane>,
    steps: u64,
    dropout: f32,
    negatives: usize,
    keys: Vec<u64>,
}

impl Trainer {
    pub(super) fn new(network: Network, dropout: f32, negatives: usize) -> Self {
        let items = network.items.len() / network.width;
        Self {
            moments: Moments::new(network.parameters.values.len()),
            item_moments: Moments::new(network.items.len()),
            candidates: Candidates::new(items),
            lanes: (0..LANES).map(|_| Lane::default()).collect(),
            network,
            steps: 0,
            dropout,
            negatives,
            keys: Vec::new(),
        }
    }

    /// Moves all weights once; gives the mean loss in nats.
    pub(super) fn step(&mut self, batch: &Batch, rate: f64, sampler: &Sampler, draw: &mut Draw) -> f64 {
        self.candidates.choose(self.negatives, sampler, draw);
        let loss = self.gradients(batch, draw.bits());
        self.steps += 1;
        let step = Step::new(self.steps, rate);
        self.move_items(step);
        self.network.parameters.refresh();
        loss
    }

    /// Leaves every lane's gradients; gives the mean loss.
    fn gradients(&mut self, batch: &Batch, key: u64) -> f64 {
        share_out(batch, &mut self.lanes);
        self.candidates.gather(&self.network.items, self.network.width);
        let (network, candidates, dropout) = (&self.network, &self.candidates, self.dropout);
        let total = batch.tokens.len() as f32;
        self.lanes.par_iter_mut().enumerate().for_each(|(index, lane)| {
            let key = key ^ (index as u64 + 1).wrapping_mul(0xd134_2543_de82_ef95);
            lane.run(network, candidates, total, dropout, key);
        });
        self.lanes.iter().map(|lane| lane.loss).sum()
    }

    /// Sums the lanes and moves the weights; then the items, of which only those that the step
    /// touched move.
    fn move_items(&mut self, step: Step) {
        let Some((first, rest)) = self.lanes.split_first_mut() else { return };
        for lane in rest.iter() {
            add_scaled(&mut first.gradient, 1.0, &lane.gradient);
            add_scaled(&mut first.candidate_gradient, 1.0, &lane.candidate_gradient);
        }
        let Moments { first: one, second: two } = &mut self.moments;
        step.apply(&mut self.network.parameters.values, one, two, &first.gradient);
        // Every row of a gradient that belongs to an item, by item and then in a fixed order.
        self.keys.clear();
        let mut source = 0_u64;
        let mut add = |item: u32| {
            self.keys.push(u64::from(item) << 32 | source);
            source += 1;
        };
        let mut starts = Vec::with_capacity(LANES);
        for lane in &self.lanes {
            starts.push(lane.batch.tokens.len());
            lane.batch.tokens.iter().for_each(|token| add(token.item));
            lane.batch.targets.iter().for_each(|&target| add(target));
        }
        self.candidates.items.iter().for_each(|&item| add(item));
        self.keys.sort_unstable();
        let width = self.network.width;
        let part = (self.network.items.len() / width).div_ceil(2 * LANES).max(1);
        let (keys, lanes) = (&self.keys, &self.lanes);
        let items = self.network.items.par_chunks_mut(part * width);
        let moments = self.item_moments.first.par_chunks_mut(part * width).zip(self.item_moments.second.par_chunks_mut(part * width));
        items.zip(moments).enumerate().for_each(|(index, (items, (one, two)))| {
            let bound = |item: usize| keys.partition_point(|&key| (key >> 32) < item as u64);
            let mut sum = vec![0.0_f32; width];
            for group in keys[bound(index * part)..bound((index + 1) * part)].chunk_by(|one, two| one >> 32 == two >> 32) {
                sum.fill(0.0);
                for key in group {
                    add_row(lanes, &starts, (key & 0xffff_ffff) as usize, width, &mut sum);
                }
                let at = ((group[0] >> 32) as usize - index * part) * width;
                let range = at..at + width;
                step.apply(&mut items[range.clone()], &mut one[range.clone()], &mut two[range], &sum);
            }
        });
    }
}

/// Adds the row that `source` counts to: of the lanes' inputs and targets in turn, then candidates.
fn add_row(lanes: &[Lane], starts: &[usize], mut source: usize, width: usize, sum: &mut [f32]) {
    for (lane, &tokens) in lanes.iter().zip(starts) {
        if source < tokens {
            return add_scaled(sum, 1.0, &lane.inputs[source * width..][..width]);
        }
        source -= tokens;
        if source < tokens {
            return add_scaled(sum, lane.target_slopes[source], &lane.states[source * width..][..width]);
        }
        source -= tokens;
    }
    add_scaled(sum, 1.0, &lanes[0].candidate_gradient[source * width..][..width]);
}

/// Gives each lane about as many tokens.
fn share_out(batch: &Batch, lanes: &mut [Lane]) {
    for lane in lanes.iter_mut() {
        lane.batch.tokens.clear();
        lane.batch.targets.clear();
        lane.batch.lengths.clear();
    }
    let total = batch.tokens.len().max(1);
    let mut token = 0;
    for &length in &batch.lengths {
        let lane = &mut lanes[(token * LANES / total).min(LANES - 1)].batch;
        lane.tokens.extend_from_slice(&batch.tokens[token..token + length]);
        lane.targets.extend_from_slice(&batch.targets[token..token + length]);
        lane.lengths.push(length);
        token += length;
    }
}

impl Lane {
    /// Forward and backward over the lane's sequences.
    fn run(&mut self, network: &Network, candidates: &Candidates, total: f32, dropout: f32, key: u64) {
        let width = network.width;
        self.loss = 0.0;
        self.inputs.clear();
        self.states.clear();
        self.target_slopes.clear();
        zero(&mut self.gradient, network.parameters.values.len());
        zero(&mut self.candidate_gradient, candidates.items.len() * width);
        let (mut sequence, mut token) = (0, 0);
        while sequence < self.batch.lengths.len() {
            let (mut end, mut tokens) = (sequence, 0);
            while end < self.batch.lengths.len() && (end == sequence || tokens + self.batch.lengths[end] <= CHUNK) {
                tokens += self.batch.lengths[end];
                end += 1;
            }
            let key = key.wrapping_add(sequence as u64 * 0x2545_f491_4f6c_dd1d);
            let packed = Packed { lengths: &self.batch.lengths[sequence..end], dropout, key };
            let (chunk, targets) = (&self.batch.tokens[token..token + tokens], &self.batch.targets[token..token + tokens]);
            network.forward(packed, chunk, &mut self.pass);
            self.pass.slope.resize(tokens * width, 0.0);
            let Pass { states, slope, .. } = &mut self.pass;
            let room = (&mut self.scores, &mut self.target_slope);
            self.loss += candidates.loss(states, targets, &network.items, total, room.0, slope, room.1, &mut self.candidate_gradient);
            self.states.extend_from_slice(&self.pass.states);
            self.target_slopes.extend_from_slice(&self.target_slope);
            network.backward(packed, chunk, &mut self.pass, &mut self.gradient, &mut self.inputs);
            (sequence, token) = (end, token + tokens);
        }
    }
}

fn zero(numbers: &mut Vec<f32>, count: usize) {
    numbers.clear();
    numbers.resize(count, 0.0);
}
