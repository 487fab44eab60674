//! The learned sequence encoder: from a customer's baskets to a few numbers that say what the
//! customer will want next, learnt without labels by predicting the next basket's categories.
//!
//! The network is a small causal self-attention (Kang & McAuley 2018, SASRec) over baskets, with a
//! repeat channel: on groceries plain networks lose to "what you always buy" because they can't
//! repeat (Hu et al. 2020, TIFU-KNN; Li et al. 2023, "A Next Basket Recommendation Reality
//! Check"), so the logits start as the customer's own frequencies and learn from there.

mod batch;
mod config;
mod device;
mod encoder;
mod evaluation;
mod history;
mod markov;
mod metrics;
mod network;
pub mod next_item;
mod training;

use youhui_commerce::{Micros, SubjectId};

pub use config::EncoderConfig;
pub use encoder::Encoder;
pub use evaluation::{Evaluation, Gain, SequenceQuality, evaluate, quality};
pub use metrics::{Mean, Ranking};
pub use training::{EpochReport, TrainReport, train};

/// One basket, as the encoder reads it.
#[derive(Debug, Clone, PartialEq)]
pub struct BasketStep {
    /// When, in UTC.
    pub time: Micros,
    /// What was paid, in major units of the currency.
    pub amount: f64,
    /// Categories of the basket, each once, with its share of the basket.
    pub items: Vec<(u32, f32)>,
}

/// One customer's baskets, in order of time.
#[derive(Debug, Clone, PartialEq)]
pub struct Sequence {
    /// Whose.
    pub subject: SubjectId,
    /// The baskets.
    pub steps: Vec<BasketStep>,
}

/// Why an encoder could not be trained or measured.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum SequenceError {
    /// No customer has enough baskets.
    #[error("no customer has {needed} baskets: the encoder learns from customers who came back, so import more orders or skip it")]
    TooFewBaskets {
        /// How many baskets one customer needs at least.
        needed: usize,
    },
    /// There is nothing to tell apart.
    #[error("{0} categories: the encoder predicts which of at least 2 categories comes next")]
    Categories(usize),
    /// A basket breaks a rule.
    #[error("customer {subject}, basket {basket}: {field} {rule}")]
    Invalid {
        /// Whose basket.
        subject: SubjectId,
        /// Which basket, from 0.
        basket: usize,
        /// Which field.
        field: &'static str,
        /// What it has to be.
        rule: &'static str,
    },
    /// A setting is out of its range.
    #[error("encoder setting {field} {rule}")]
    Config {
        /// Which setting.
        field: &'static str,
        /// What it has to be.
        rule: &'static str,
    },
}

/// Refuses sequences that no shop has.
fn check(sequences: &[Sequence], categories: usize) -> Result<(), SequenceError> {
    if categories < 2 {
        return Err(SequenceError::Categories(categories));
    }
    for sequence in sequences {
        let mut last = Micros::MIN;
        for (basket, step) in sequence.steps.iter().enumerate() {
            let error = |field, rule| SequenceError::Invalid { subject: sequence.subject, basket, field, rule };
            if step.time < last {
                return Err(error("time", "has to be no earlier than the basket's before"));
            }
            last = step.time;
            if !step.amount.is_finite() {
                return Err(error("amount", "has to be a finite number"));
            }
            if step.items.iter().any(|&(category, _)| category as usize >= categories) {
                return Err(error("category", "has to be below the number of categories"));
            }
            if step.items.iter().any(|&(_, share)| !share.is_finite()) {
                return Err(error("share", "has to be a finite number"));
            }
        }
    }
    Ok(())
}
