//! How well the encoder foresees the next basket, against what needs no learning.

use super::history::{History, Popularity};
use super::markov::MarkovChain;
use super::metrics::{Mean, Ranking, Score, score};
use super::training::{EpochReport, TrainReport, train};
use super::{BasketStep, Encoder, EncoderConfig, Sequence, SequenceError};

/// A difference of NDCG@10 on the same customers, with the standard error of the paired mean.
pub type Gain = Mean;

/// The encoder and its baselines on customers' last baskets, which none of them had seen.
#[derive(Debug, Clone, PartialEq)]
pub struct SequenceQuality {
    /// Customers with at least 3 baskets, who were measured.
    pub customers: usize,
    /// The encoder.
    pub encoder: Ranking,
    /// The most common categories of all customers.
    pub popularity: Ranking,
    /// The customer's own most common categories, filled up by popularity.
    pub own_frequency: Ranking,
    /// What most often follows the last basket's categories: a first-order Markov chain.
    pub markov_chain: Ranking,
    /// The encoder's NDCG@10 less popularity's.
    pub gain_over_popularity: Gain,
    /// The encoder's NDCG@10 less that of own frequency.
    pub gain_over_own_frequency: Gain,
    /// The encoder's NDCG@10 less that of the Markov chain.
    pub gain_over_markov_chain: Gain,
}

/// A measured encoder, which was trained without the customers' last baskets.
#[derive(Debug, Clone)]
pub struct Evaluation {
    /// How good it is.
    pub quality: SequenceQuality,
    /// The encoder, to be used on whole histories.
    pub encoder: Encoder,
    /// How its training went.
    pub training: TrainReport,
}

/// Fewest baskets of a customer whose last one is held out.
const FEWEST: usize = 3;

/// Holds out the last basket of each customer with at least three, trains on the rest, and
/// measures how the held-out basket's categories rank at the time it came.
pub fn evaluate(
    sequences: &[Sequence],
    categories: usize,
    config: &EncoderConfig,
    progress: &mut dyn FnMut(EpochReport),
) -> Result<Evaluation, SequenceError> {
    super::check(sequences, categories)?;
    let (before, targets) = split(sequences);
    if targets.iter().all(Option::is_none) {
        return Err(SequenceError::TooFewBaskets { needed: FEWEST });
    }
    let (encoder, training) = train(&before, categories, config, progress)?;
    let quality = measure(&encoder, &before, &targets);
    Ok(Evaluation { quality, encoder, training })
}

/// Measures an encoder that was trained elsewhere on the last baskets of `sequences`. Only honest
/// where it has not seen them.
pub fn quality(encoder: &Encoder, sequences: &[Sequence]) -> Result<SequenceQuality, SequenceError> {
    super::check(sequences, encoder.categories())?;
    let (before, targets) = split(sequences);
    if targets.iter().all(Option::is_none) {
        return Err(SequenceError::TooFewBaskets { needed: FEWEST });
    }
    Ok(measure(encoder, &before, &targets))
}

/// Sequences without the baskets held out, and those.
fn split(sequences: &[Sequence]) -> (Vec<Sequence>, Vec<Option<&BasketStep>>) {
    sequences
        .iter()
        .map(|sequence| {
            let held = sequence.steps.len() >= FEWEST && sequence.steps.last().is_some_and(|step| !step.items.is_empty());
            let kept = sequence.steps.len() - usize::from(held);
            let before = Sequence { subject: sequence.subject, steps: sequence.steps[..kept].to_vec() };
            (before, sequence.steps.get(kept))
        })
        .unzip()
}

fn measure(encoder: &Encoder, before: &[Sequence], targets: &[Option<&BasketStep>]) -> SequenceQuality {
    let categories = encoder.categories();
    // The baselines may use every basket before those held out, like the encoder.
    let popularity = Popularity::of(before.iter().flat_map(|sequence| &sequence.steps), categories);
    let markov = MarkovChain::of(before, categories);
    let mut scores: [Vec<Score>; 4] = Default::default();
    for (sequences, targets) in before.chunks(1024).zip(targets.chunks(1024)) {
        let times: Vec<_> = targets.iter().map(|target| target.map_or(0, |step| step.time)).collect();
        let learnt = encoder.scores_at(sequences, &times);
        for ((sequence, target), learnt) in sequences.iter().zip(targets).zip(&learnt) {
            let Some(target) = target else { continue };
            let mut own = vec![0.0; categories];
            for (category, count) in History::of(sequence, sequence.steps.len(), categories).counts() {
                own[category as usize] = count;
            }
            let share = &popularity.share;
            for (scores, ranked) in scores.iter_mut().zip([learnt, share, &own, &markov.scores(sequence.steps.last())]) {
                scores.push(score(ranked, share, &target.items));
            }
        }
    }
    let gain = |over: &[Score]| {
        let differences: Vec<f64> = scores[0].iter().zip(over).map(|(one, two)| one.ndcg - two.ndcg).collect();
        Mean::of(&differences)
    };
    SequenceQuality {
        customers: scores[0].len(),
        encoder: Ranking::of(&scores[0]),
        popularity: Ranking::of(&scores[1]),
        own_frequency: Ranking::of(&scores[2]),
        markov_chain: Ranking::of(&scores[3]),
        gain_over_popularity: gain(&scores[1]),
        gain_over_own_frequency: gain(&scores[2]),
        gain_over_markov_chain: gain(&scores[3]),
    }
}
