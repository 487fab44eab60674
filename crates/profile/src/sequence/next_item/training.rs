//! Trains the encoder on what customers bought next.

use youhui_commerce::Draw;

use super::encoder::NextItemEncoder;
use super::network::Network;
use super::sampled_softmax::Sampler;
use super::step::Trainer;
use super::windows::{batches, windows};
use super::{ItemSequence, NextItemConfig, NextItemError};

/// What one pass over the customers gave.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NextItemEpoch {
    /// Which pass, from 1.
    pub epoch: usize,
    /// Mean cross-entropy in training, in nats: over all items, or estimated from the sample.
    pub loss: f64,
    /// NDCG@10 of the customers' last items, ranked against all items. Not a number without
    /// customers with 3 items.
    pub validation_ndcg_10: f64,
    /// Share of those items among the first ten.
    pub validation_hit_rate_10: f64,
}

/// What a training did.
#[derive(Debug, Clone, PartialEq)]
pub struct NextItemReport {
    /// Customers who were learnt from.
    pub customers: usize,
    /// Customers whose last item decided when to stop, and was not learnt.
    pub validation_customers: usize,
    /// Every pass.
    pub epochs: Vec<NextItemEpoch>,
    /// The pass whose weights were kept; 0 is the start.
    pub best_epoch: usize,
}

/// Trains an encoder that ranks `items` items. The last item of each customer with at least three, or
/// of `config.validation` of them, is kept for deciding when to stop. `progress` hears of every pass. The same input and seed give the same bits with any number of
/// threads.
pub fn train_next_item(
    sequences: &[ItemSequence],
    items: usize,
    config: &NextItemConfig,
    progress: &mut dyn FnMut(NextItemEpoch),
) -> Result<(NextItemEncoder, NextItemReport), NextItemError> {
    config.check()?;
    super::check(sequences, items)?;
    let mut draw = Draw::seeded(config.seed).fork("next item training");
    let mut validating: Vec<usize> = (0..sequences.len()).filter(|&place| sequences[place].items.len() >= 3).collect();
    draw.shuffle(&mut validating);
    validating.truncate(config.validation);
    validating.sort_unstable();
    let (learnt, held) = hold_out(sequences, &validating);
    let windows = windows(&learnt, config.window);
    if windows.is_empty() {
        return Err(NextItemError::TooFewItems { needed: 2 });
    }
    let mut counts = vec![0_u32; items];
    for &item in learnt.iter().flat_map(|sequence| &sequence.items) {
        counts[item as usize] += 1;
    }
    let sampler = Sampler::new(&counts, config.popularity_power);
    let mut trainer = Trainer::new(Network::new(items, config), config.dropout as f32, config.negatives);
    let mut best = NextItemEncoder { network: trainer.network.clone(), window: config.window };
    let (mut best_epoch, mut most) = (0, f64::NEG_INFINITY);
    let mut epochs = Vec::new();
    for epoch in 1..=config.epochs {
        let (mut sum, mut predictions) = (0.0, 0);
        for batch in batches(&learnt, &windows, config.batch, &mut draw) {
            sum += trainer.step(&batch, config.learning_rate, &sampler, &mut draw) * batch.tokens.len() as f64;
            predictions += batch.tokens.len();
        }
        let trial = NextItemEncoder { network: trainer.network.clone(), window: config.window };
        let quality = super::evaluation::measure(&trial, validating.iter().map(|&place| &learnt[place]), &held);
        let (ndcg, hits) = (quality.ndcg_10.mean, quality.hit_rate_10.mean);
        let report = NextItemEpoch { epoch, loss: sum / predictions as f64, validation_ndcg_10: ndcg, validation_hit_rate_10: hits };
        progress(report);
        epochs.push(report);
        // Without validation customers the last pass is kept.
        if ndcg.is_nan() || ndcg > most {
            (best, best_epoch, most) = (trial, epoch, ndcg);
        } else if epoch >= best_epoch + config.patience {
            break;
        }
    }
    let customers = learnt.iter().filter(|sequence| sequence.items.len() >= 2).count();
    Ok((best, NextItemReport { customers, validation_customers: validating.len(), epochs, best_epoch }))
}

/// Sequences without the last items of those at `places`, and these items.
pub(super) fn hold_out(sequences: &[ItemSequence], places: &[usize]) -> (Vec<ItemSequence>, Vec<u32>) {
    let mut kept = sequences.to_vec();
    let mut held = Vec::with_capacity(places.len());
    for &place in places {
        let ItemSequence { items, times, .. } = &mut kept[place];
        held.extend(items.pop());
        times.truncate(items.len());
    }
    (kept, held)
}
