//! The next-item encoder: from the items a customer bought, one after the other, to a state that
//! ranks every item of the shop as the next one.
//!
//! A causal self-attention network (Kang & McAuley 2018, SASRec) with learnt positions and, where
//! times are known, the time since the item before; trained on the softmax over all items or over a
//! shared sample of them (Klenitskiy & Vasilev 2023; Tikhonovich et al. 2025, eSASRec, arXiv
//! 2508.06450). Forward and backward passes are written by hand over slices of numbers, one layer a
//! file, each checked against finite differences: on this task burn 0.22.1 reached 14 % of the
//! processor's peak and trained slower than PyTorch (docs/benchmarks.md).

mod adam;
mod attention;
mod block;
mod config;
mod encoder;
mod evaluation;
mod feed_forward;
#[cfg(test)]
mod gradient_tests;
mod input;
mod linear;
mod matmul;
mod network;
mod norm;
mod parameters;
mod sampled_softmax;
mod step;
mod training;
mod vector;
mod windows;

use youhui_commerce::{Micros, SubjectId};

pub use config::NextItemConfig;
pub use encoder::NextItemEncoder;
pub use evaluation::{NextItemEvaluation, NextItemQuality, evaluate_next_item, next_item_quality};
pub use training::{NextItemEpoch, NextItemReport, train_next_item};

/// The items one customer bought, in order.
#[derive(Debug, Clone, PartialEq)]
pub struct ItemSequence {
    /// Whose.
    pub subject: SubjectId,
    /// The items, as numbers below the shop's number of items.
    pub items: Vec<u32>,
    /// When each was bought, in UTC; empty where only the order is known.
    pub times: Vec<Micros>,
}

/// Why a next-item encoder could not be trained or measured.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum NextItemError {
    /// No customer has enough items.
    #[error("no customer has {needed} items: the encoder learns from customers who came back, so import more orders or skip it")]
    TooFewItems {
        /// How many items one customer needs at least.
        needed: usize,
    },
    /// There is nothing to tell apart, or more than item numbers can count.
    #[error("{0} items: the encoder ranks at least 2 and at most 2³¹ items")]
    Items(usize),
    /// A sequence breaks a rule.
    #[error("customer {subject}, item {place}: {field} {rule}")]
    Invalid {
        /// Whose.
        subject: SubjectId,
        /// Which item of the sequence, from 0.
        place: usize,
        /// Which field.
        field: &'static str,
        /// What it has to be.
        rule: &'static str,
    },
    /// A setting is out of its range.
    #[error("next-item encoder setting {field} {rule}")]
    Config {
        /// Which setting.
        field: &'static str,
        /// What it has to be.
        rule: &'static str,
    },
}

/// Refuses sequences that no shop has.
fn check(sequences: &[ItemSequence], items: usize) -> Result<(), NextItemError> {
    if !(2..=1 << 31).contains(&items) {
        return Err(NextItemError::Items(items));
    }
    for sequence in sequences {
        let error = |place, field, rule| NextItemError::Invalid { subject: sequence.subject, place, field, rule };
        if !sequence.times.is_empty() && sequence.times.len() != sequence.items.len() {
            return Err(error(sequence.times.len().min(sequence.items.len()), "times", "has to be empty or as long as items"));
        }
        if let Some(place) = sequence.items.iter().position(|&item| item as usize >= items) {
            return Err(error(place, "item", "has to be below the number of items"));
        }
        if let Some(place) = sequence.times.windows(2).position(|pair| pair[1] < pair[0]) {
            return Err(error(place + 1, "time", "has to be no earlier than the item's before"));
        }
    }
    Ok(())
}
