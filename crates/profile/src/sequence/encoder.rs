//! A trained encoder, and what it says of customers.

use burn::tensor::Tensor;
use burn::tensor::activation::softmax;
use youhui_commerce::Micros;

use super::batch::{Batch, Span};
use super::device::device;
use super::history::Popularity;
use super::network::Network;
use super::{EncoderConfig, Sequence};

/// A trained encoder, for reading only.
#[derive(Debug, Clone)]
pub struct Encoder {
    pub(super) network: Network,
    pub(super) popularity: Popularity,
    pub(super) config: EncoderConfig,
}

impl Encoder {
    /// Numbers in an embedding.
    pub const fn width(&self) -> usize {
        self.config.width
    }

    /// Number of categories it knows.
    pub fn categories(&self) -> usize {
        self.popularity.len()
    }

    /// One embedding per customer as of `at`: the state after the last basket, with the time
    /// since then. A customer without a basket has one too. Each has mean about 0 and variance
    /// about 1, and no unit.
    pub fn embed(&self, sequences: &[Sequence], at: Micros) -> Vec<Vec<f32>> {
        self.read(sequences, &vec![at; sequences.len()], self.width(), |states, _| states)
    }

    /// One number per category and customer: its expected share of the next basket's categories,
    /// if that basket comes at `at`. They sum to 1.
    pub fn scores(&self, sequences: &[Sequence], at: Micros) -> Vec<Vec<f32>> {
        self.scores_at(sequences, &vec![at; sequences.len()])
    }

    /// `scores`, each customer at its own time.
    pub fn scores_at(&self, sequences: &[Sequence], at: &[Micros]) -> Vec<Vec<f32>> {
        self.read(sequences, at, self.categories(), |states, batch| softmax(self.network.logits(states, batch), 1))
    }

    /// Applies `output` to every customer's state, in batches of customers with like lengths.
    fn read(&self, sequences: &[Sequence], at: &[Micros], width: usize, output: impl Fn(Tensor<2>, &Batch) -> Tensor<2>) -> Vec<Vec<f32>> {
        let device = device();
        let mut order: Vec<usize> = (0..sequences.len().min(at.len())).collect();
        order.sort_by_key(|&place| sequences[place].steps.len().min(self.config.window));
        let mut all = vec![Vec::new(); sequences.len()];
        for places in order.chunks(128) {
            let spans: Vec<Span<'_>> = places
                .iter()
                .map(|&place| {
                    let sequence = &sequences[place];
                    let last = sequence.steps.len();
                    Span { sequence, first: last, last, at: at[place] }
                })
                .collect();
            let batch = Batch::new(&spans, &self.popularity, &self.config, &device);
            let values = output(self.network.states(&batch), &batch).into_data();
            // The tensors are 32-bit floats: reading them as such can't fail.
            let values: Vec<f32> = values.iter::<f32>().collect();
            for (&place, row) in places.iter().zip(values.chunks_exact(width)) {
                all[place] = row.to_vec();
            }
        }
        all
    }
}
