//! Trains the encoder on what customers bought next.

use std::sync::{Mutex, MutexGuard, PoisonError};

use burn::module::Module;
use burn::optim::{AdamConfig, GradientsParams};
use youhui_commerce::{Draw, Micros};

use super::batch::{Batch, Span, weight_of};
use super::device::device;
use super::history::Popularity;
use super::metrics::{Ranking, score};
use super::network::Network;
use super::{Encoder, EncoderConfig, Sequence, SequenceError};

/// What one pass over the customers gave.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EpochReport {
    /// Which pass, from 1; 0 is the start.
    pub epoch: usize,
    /// How many passes there are at most.
    pub epochs: usize,
    /// Mean cross-entropy in training, in nats; not a number at the start.
    pub loss: f64,
    /// Mean cross-entropy of the validation customers' last baskets, in nats: what decides when to
    /// stop, because it moves less by chance than a ranking of a few hundred baskets does. Not a
    /// number without such customers.
    pub validation_loss: f64,
    /// NDCG@10 of the same baskets.
    pub validation_ndcg_10: f64,
}

/// What a training did.
#[derive(Debug, Clone, PartialEq)]
pub struct TrainReport {
    /// Customers with at least two baskets, who were learnt from.
    pub customers: usize,
    /// How many of them were kept for deciding when to stop: their last basket was not learnt.
    pub validation_customers: usize,
    /// Every pass.
    pub epochs: Vec<EpochReport>,
    /// The pass whose weights were kept.
    pub best_epoch: usize,
}

/// One training at a time: burn 0.22.1's autodiff deadlocks when several threads run backward
/// passes (measured: 4 of 4 times with four threads).
static ONE_TRAINING: Mutex<()> = Mutex::new(());

/// Waits until no other thread trains.
pub(super) fn alone() -> MutexGuard<'static, ()> {
    ONE_TRAINING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Purpose of the draw that picks validation customers.
const VALIDATION: u64 = 0x7365_7175;

/// Trains an encoder on `sequences`, whose category numbers are below `categories`. Every basket
/// but those of validation is learnt to be predicted from the ones before. `progress` hears of
/// every pass. Runs on the calling thread; the same input and seed give the same bits.
pub fn train(
    sequences: &[Sequence],
    categories: usize,
    config: &EncoderConfig,
    progress: &mut dyn FnMut(EpochReport),
) -> Result<(Encoder, TrainReport), SequenceError> {
    config.check()?;
    super::check(sequences, categories)?;
    let mut learners: Vec<Learner<'_>> = Vec::new();
    for sequence in sequences.iter().filter(|sequence| sequence.steps.len() >= 2) {
        // With two baskets, keeping the last would leave only the first to predict.
        let validates = sequence.steps.len() >= 3 && sequence.subject.unit_interval(VALIDATION) < 0.1;
        learners.push(Learner { sequence, baskets: sequence.steps.len() - usize::from(validates), validates });
    }
    if learners.is_empty() {
        return Err(SequenceError::TooFewBaskets { needed: 2 });
    }
    let learnt = learners.iter().flat_map(|learner| &learner.sequence.steps[..learner.baskets]);
    let popularity = Popularity::of(learnt, categories);
    let validation = Validation::of(&learners);

    let _alone = alone();
    let device = device().autodiff();
    let mut network = Network::new(config, &popularity, &device);
    let mut optimizer = AdamConfig::new().with_epsilon(1e-8).init();
    let mut draw = Draw::seeded(config.seed).fork("sequence training");
    let mut encoder = Encoder { network: network.valid(), popularity, config: config.clone() };
    let (start_loss, start_ndcg) = validation.measure(&encoder);
    let mut best = (0, start_loss);
    let mut epochs = Vec::new();
    let mut report = |report: EpochReport| {
        progress(report);
        epochs.push(report);
    };
    report(EpochReport { epoch: 0, epochs: config.epochs, loss: f64::NAN, validation_loss: start_loss, validation_ndcg_10: start_ndcg });
    let steps = batches(&learners, config, &mut draw.clone()).len();
    let mut step = 0;
    for epoch in 1..=config.epochs {
        let (mut sum, mut weight) = (0.0, 0.0);
        for spans in batches(&learners, config, &mut draw) {
            let batch = Batch::new(&spans, &encoder.popularity, config, &device);
            if batch.weight <= 0.0 {
                continue;
            }
            let loss = network.loss(&batch);
            sum += batch.weight * loss.clone().into_scalar::<f64>();
            weight += batch.weight;
            let gradients = GradientsParams::from_grads(loss.backward(), &network);
            let done = step as f64 / (steps * config.epochs) as f64;
            let rate = config.learning_rate * (1.0 - done.min(1.0));
            network = optimizer.step(rate, network, gradients);
            step += 1;
        }
        let trial = Encoder { network: network.valid(), ..encoder.clone() };
        let (validation_loss, validation_ndcg_10) = validation.measure(&trial);
        report(EpochReport { epoch, epochs: config.epochs, loss: sum / weight, validation_loss, validation_ndcg_10 });
        // Without validation customers the last pass is kept.
        if validation_loss.is_nan() || validation_loss < best.1 {
            best = (epoch, validation_loss);
            encoder = trial;
        } else if epoch >= best.0 + config.patience {
            break;
        }
    }
    let customers = learners.len();
    let validation_customers = validation.sequences.len();
    Ok((encoder, TrainReport { customers, validation_customers, epochs, best_epoch: best.0 }))
}

/// A customer and how many of the baskets may be learnt.
struct Learner<'a> {
    sequence: &'a Sequence,
    baskets: usize,
    validates: bool,
}

/// One pass over the customers: a random stretch of each one's baskets, customers with like
/// lengths together, batches in random order.
fn batches<'a>(learners: &[Learner<'a>], config: &EncoderConfig, draw: &mut Draw) -> Vec<Vec<Span<'a>>> {
    let mut order: Vec<usize> = (0..learners.len()).collect();
    draw.shuffle(&mut order);
    let mut spans: Vec<Span<'a>> = order
        .into_iter()
        .map(|place| {
            let learner = &learners[place];
            let targets = learner.baskets.min(config.targets);
            let last = targets - 1 + draw.below(learner.baskets - targets + 1);
            Span { sequence: learner.sequence, first: last + 1 - targets, last, at: 0 }
        })
        .collect();
    spans.sort_by_key(|span| (span.last.min(config.window), span.last - span.first));
    let mut batches = Vec::new();
    let mut rest = spans.as_slice();
    while let Some(first) = rest.first() {
        // Lengths rise: take as many as fit when each is as long as the first.
        let length = (first.last + 1).min(config.window + 1);
        let (batch, after) = rest.split_at((config.batch / length).clamp(1, rest.len()));
        batches.push(batch.to_vec());
        rest = after;
    }
    draw.shuffle(&mut batches);
    batches
}

/// The validation customers without their last basket, when it came, and what it held.
struct Validation {
    sequences: Vec<Sequence>,
    times: Vec<Micros>,
    truths: Vec<Vec<(u32, f32)>>,
}

impl Validation {
    fn of(learners: &[Learner<'_>]) -> Self {
        let mut validation = Self { sequences: Vec::new(), times: Vec::new(), truths: Vec::new() };
        for learner in learners.iter().filter(|learner| learner.validates) {
            let (before, after) = learner.sequence.steps.split_at(learner.baskets);
            let Some(target) = after.first() else { continue };
            validation.sequences.push(Sequence { subject: learner.sequence.subject, steps: before.to_vec() });
            validation.times.push(target.time);
            validation.truths.push(target.items.clone());
        }
        validation
    }

    /// Mean cross-entropy and NDCG@10; not numbers without a customer.
    fn measure(&self, encoder: &Encoder) -> (f64, f64) {
        let scores = encoder.scores_at(&self.sequences, &self.times);
        let (mut loss, mut weight) = (0.0, 0.0);
        let mut ranks = Vec::new();
        for (scores, truth) in scores.iter().zip(&self.truths).filter(|(_, truth)| !truth.is_empty()) {
            let chance = |&(category, _): &(u32, f32)| f64::from(scores[category as usize]).max(1e-12).ln();
            let each = f64::from(weight_of(truth.len()));
            loss -= each * truth.iter().map(chance).sum::<f64>();
            weight += each * truth.len() as f64;
            ranks.push(score(scores, &encoder.popularity.share, truth));
        }
        (loss / weight, Ranking::of(&ranks).ndcg_10.mean)
    }
}
