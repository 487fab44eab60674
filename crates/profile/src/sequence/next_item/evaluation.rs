//! How well the next item is foreseen: leave-one-out, ranked against all items.

use crate::sequence::Mean;

use super::training::hold_out;
use super::{ItemSequence, NextItemConfig, NextItemEncoder, NextItemEpoch, NextItemError, NextItemReport, train_next_item};

/// How well the next item is ranked. No item is left out of the ranking, not even those bought
/// before, and none is sampled: sampled rankings order models wrongly (Krichene & Rendle 2020).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NextItemQuality {
    /// Customers who were measured.
    pub customers: usize,
    /// Share of customers whose next item is among the first ten.
    pub hit_rate_10: Mean,
    /// 1/log₂(1 + place) where the next item is among the first ten, else 0 (Järvelin & Kekäläinen
    /// 2002 with one right answer).
    pub ndcg_10: Mean,
}

/// A measured encoder, which was trained without the customers' last items.
#[derive(Debug, Clone)]
pub struct NextItemEvaluation {
    /// How good it is.
    pub quality: NextItemQuality,
    /// The encoder, to be used on whole histories.
    pub encoder: NextItemEncoder,
    /// How its training went.
    pub training: NextItemReport,
}

/// Fewest items of a customer whose last one is held out.
const FEWEST: usize = 3;

/// Holds out the last item of each customer with at least three, trains on the rest (of which the
/// last again decide when to stop), and ranks the held-out items.
pub fn evaluate_next_item(
    sequences: &[ItemSequence],
    items: usize,
    config: &NextItemConfig,
    progress: &mut dyn FnMut(NextItemEpoch),
) -> Result<NextItemEvaluation, NextItemError> {
    super::check(sequences, items)?;
    let places = measurable(sequences)?;
    let (before, held) = hold_out(sequences, &places);
    let (encoder, training) = train_next_item(&before, items, config, progress)?;
    let quality = measure(&encoder, places.iter().map(|&place| &before[place]), &held);
    Ok(NextItemEvaluation { quality, encoder, training })
}

/// Measures an encoder that was trained elsewhere on the last items of `sequences`. Only honest
/// where it has not seen them.
pub fn next_item_quality(encoder: &NextItemEncoder, sequences: &[ItemSequence]) -> Result<NextItemQuality, NextItemError> {
    super::check(sequences, encoder.items())?;
    let places = measurable(sequences)?;
    let (before, held) = hold_out(sequences, &places);
    Ok(measure(encoder, places.iter().map(|&place| &before[place]), &held))
}

fn measurable(sequences: &[ItemSequence]) -> Result<Vec<usize>, NextItemError> {
    let places: Vec<usize> = (0..sequences.len()).filter(|&place| sequences[place].items.len() >= FEWEST).collect();
    if places.is_empty() { Err(NextItemError::TooFewItems { needed: FEWEST }) } else { Ok(places) }
}

/// Ranks `targets` after `sequences`.
pub(super) fn measure<'a>(
    encoder: &NextItemEncoder,
    sequences: impl Iterator<Item = &'a ItemSequence>,
    targets: &[u32],
) -> NextItemQuality {
    let sequences: Vec<&ItemSequence> = sequences.collect();
    let ranks = encoder.ranks(&sequences, targets);
    let mean = |of: fn(usize) -> f64| Mean::of(&ranks.iter().map(|&rank| if rank < 10 { of(rank) } else { 0.0 }).collect::<Vec<_>>());
    NextItemQuality { customers: ranks.len(), hit_rate_10: mean(|_| 1.0), ndcg_10: mean(|rank| 1.0 / (rank as f64 + 2.0).log2()) }
}
