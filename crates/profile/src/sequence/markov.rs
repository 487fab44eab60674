//! A first-order Markov chain: what tends to follow the last basket, and nothing else.

use rustc_hash::FxHashMap;

use super::{BasketStep, Sequence};

/// How often each category's baskets were followed by one with each category (Rendle,
/// Freudenthaler & Schmidt-Thieme 2010, whose FPMC begins with this chain over baskets).
#[derive(Debug, Clone)]
pub(super) struct MarkovChain {
    /// By category of the basket before. Its order never shows: every sum has one term of each row.
    following: Vec<FxHashMap<u32, f32>>,
    /// Baskets with the category that another one followed.
    baskets: Vec<f32>,
}

impl MarkovChain {
    pub(super) fn of(sequences: &[Sequence], categories: usize) -> Self {
        let mut chain = Self { following: vec![FxHashMap::default(); categories], baskets: vec![0.0; categories] };
        for pair in sequences.iter().flat_map(|sequence| sequence.steps.windows(2)) {
            for &(before, _) in pair[0].items.iter().filter(|item| (item.0 as usize) < categories) {
                chain.baskets[before as usize] += 1.0;
                for &(after, _) in pair[1].items.iter().filter(|item| (item.0 as usize) < categories) {
                    *chain.following[before as usize].entry(after).or_default() += 1.0;
                }
            }
        }
        chain
    }

    /// For each category the mean, over the categories of `last`, of the share of their baskets that
    /// were followed by it. All 0 without a basket.
    pub(super) fn scores(&self, last: Option<&BasketStep>) -> Vec<f32> {
        let mut scores = vec![0.0; self.following.len()];
        let Some(last) = last else { return scores };
        let share = 1.0 / last.items.len().max(1) as f32;
        for before in last.items.iter().map(|item| item.0 as usize).filter(|&before| before < self.following.len()) {
            for (&after, count) in &self.following[before] {
                scores[after as usize] += share * count / self.baskets[before];
            }
        }
        scores
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use youhui_commerce::SubjectId;

    fn basket(categories: &[u32]) -> BasketStep {
        BasketStep { time: 0, amount: 1.0, items: categories.iter().map(|&category| (category, 1.0)).collect() }
    }

    #[test]
    fn counts_what_follows() {
        let steps = [&[0, 1][..], &[2], &[0], &[1, 2]].map(basket).to_vec();
        let chain = MarkovChain::of(&[Sequence { subject: SubjectId::from_bytes([1; 16]), steps }], 3);
        // After 0: twice 2, once 1. After 1: once 2. After 2: once 0.
        assert_eq!(chain.scores(Some(&basket(&[0]))), [0.0, 0.5, 1.0]);
        assert_eq!(chain.scores(Some(&basket(&[0, 2]))), [0.5, 0.25, 0.5]);
        assert_eq!(chain.scores(Some(&basket(&[9]))), [0.0; 3]);
        assert_eq!(chain.scores(None), [0.0; 3]);
    }
}
