//! The next-item encoder: it finds planted patterns, repeats to the bit with any number of threads, and refuses what it can't read.
#![allow(clippy::unwrap_used, reason = "a test's way to fail")]

use youhui_commerce::{Draw, Micros, SubjectId, TimeWindow};
use youhui_profile::sequence::next_item::{
    ItemSequence, NextItemConfig, NextItemEncoder, NextItemEpoch, NextItemError, evaluate_next_item, next_item_quality, train_next_item,
};

const DAY: Micros = TimeWindow::DAY;

fn sequence(number: u64, items: Vec<u32>, times: Vec<Micros>) -> ItemSequence {
    ItemSequence { subject: SubjectId::from_bytes(Draw::seeded(number).bytes16()), items, times }
}

/// Customers who buy one item after the other in a cycle, each from a random place on.
fn cyclic(customers: u64, items: u32) -> Vec<ItemSequence> {
    let mut draw = Draw::seeded(5);
    let history = |number| {
        let start = u32::try_from(draw.below(items as usize)).unwrap();
        let length = 4 + u32::try_from(draw.below(20)).unwrap();
        sequence(number, (start..start + length).map(|item| item % items).collect(), Vec::new())
    };
    (0..customers).map(history).collect()
}

fn quiet(_: NextItemEpoch) {}

fn small() -> NextItemConfig {
    NextItemConfig {
        width: 32,
        inner: 32,
        layers: 1,
        window: 12,
        dropout: 0.1,
        batch: 128,
        epochs: 6,
        learning_rate: 5e-3,
        ..NextItemConfig::default()
    }
}

fn bits(encoder: &NextItemEncoder, sequences: &[ItemSequence]) -> Vec<u32> {
    let all = [encoder.embed(sequences), encoder.scores(sequences)];
    all.iter().flatten().flatten().map(|value| value.to_bits()).collect()
}

#[test]
fn learns_a_planted_order_with_all_items_and_with_a_sample() {
    let sequences = cyclic(400, 100);
    for (negatives, popularity_power) in [(0, 0.0), (30, 0.0), (30, 0.5)] {
        let config = NextItemConfig { negatives, popularity_power, epochs: 15, ..small() };
        let found = evaluate_next_item(&sequences, 100, &config, &mut quiet).unwrap();
        assert_eq!(found.quality.customers, 400);
        // By chance one in ten is among the first ten.
        assert!(found.quality.hit_rate_10.mean > 0.95 && found.quality.ndcg_10.mean > 0.9, "{negatives}: {:?}", found.quality);
        assert_eq!(next_item_quality(&found.encoder, &sequences).unwrap(), found.quality);
    }
}

/// What comes next is decided by the time since the item before: without times nobody can know.
#[test]
fn sees_the_time_between_items() {
    let mut draw = Draw::seeded(9);
    let mut history = |number| {
        let (mut items, mut times) = (vec![0_u32], vec![0]);
        for _ in 0..8 {
            let long = draw.below(2) == 1;
            // Two items of chance, of which the second's gap names the third.
            let at = times[times.len() - 1] + if long { 60 * DAY } else { DAY };
            items.extend([0, if long { 2 } else { 1 }]);
            times.extend([at, at + DAY]);
        }
        sequence(number, items, times)
    };
    let timed: Vec<ItemSequence> = (0..300).map(&mut history).collect();
    let untimed: Vec<ItemSequence> = timed.iter().map(|sequence| ItemSequence { times: Vec::new(), ..sequence.clone() }).collect();
    let first = |sequences: &[ItemSequence]| {
        let config = NextItemConfig { epochs: 10, ..small() };
        let (encoder, _) = train_next_item(sequences, 3, &config, &mut quiet).unwrap();
        let before: Vec<ItemSequence> = sequences
            .iter()
            .map(|sequence| ItemSequence {
                items: sequence.items[..sequence.items.len() - 1].to_vec(),
                times: sequence.times.iter().copied().take(sequence.items.len() - 1).collect(),
                ..sequence.clone()
            })
            .collect();
        let scores = encoder.scores(&before);
        let right =
            scores.iter().zip(sequences).filter(|(scores, sequence)| (scores[2] > scores[1]) == (sequence.items.last() == Some(&2)));
        right.count() as f64 / sequences.len() as f64
    };
    let (with, without) = (first(&timed), first(&untimed));
    assert!(with > 0.98 && without < 0.65, "{with} with times, {without} without");
}

#[test]
fn any_number_of_threads_gives_the_same_bits() {
    let sequences = cyclic(90, 40);
    let run = |threads: usize, seed: u64, negatives: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let config = NextItemConfig { epochs: 2, seed, negatives, ..small() };
        let (encoder, report) = pool.install(|| train_next_item(&sequences, 40, &config, &mut quiet)).unwrap();
        (bits(&encoder, &sequences), format!("{report:?}"))
    };
    for negatives in [0, 16] {
        let one = run(1, 0, negatives);
        assert_eq!(one, run(2, 0, negatives));
        assert_eq!(one, run(3, 0, negatives));
        assert_ne!(one.0, run(1, 1, negatives).0);
    }
}

#[test]
fn stops_early_and_keeps_the_best_pass() {
    let sequences = cyclic(60, 40);
    let config = NextItemConfig { epochs: 200, patience: 3, ..small() };
    let (_, report) = train_next_item(&sequences, 40, &config, &mut quiet).unwrap();
    assert_eq!((report.customers, report.validation_customers), (60, 60));
    assert!(report.epochs.len() < 200 && report.epochs.len() == report.best_epoch + 3, "{report:?}");
    let best = report.epochs.iter().map(|epoch| epoch.validation_ndcg_10).fold(0.0, f64::max);
    assert_eq!(report.epochs[report.best_epoch - 1].validation_ndcg_10, best);
    // Without validation all passes are run and the last is kept.
    let config = NextItemConfig { epochs: 4, validation: 0, ..small() };
    let (_, report) = train_next_item(&sequences, 40, &config, &mut quiet).unwrap();
    assert_eq!((report.validation_customers, report.epochs.len(), report.best_epoch), (0, 4, 4));
}

#[test]
fn an_answer_does_not_depend_on_who_else_is_asked() {
    let sequences = cyclic(100, 40);
    let (encoder, _) = train_next_item(&sequences, 40, &NextItemConfig { epochs: 1, ..small() }, &mut quiet).unwrap();
    let together = encoder.embed(&sequences);
    for (sequence, embedding) in sequences.iter().zip(&together) {
        assert_eq!(embedding.len(), 32);
        assert_eq!(&encoder.embed(std::slice::from_ref(sequence))[0], embedding);
    }
    // Only the last items of the window count, and items it doesn't know are passed over.
    let long = sequence(1, (0..500).map(|item| item % 40).collect(), Vec::new());
    let end = sequence(1, long.items[488..].to_vec(), Vec::new());
    assert_eq!(encoder.embed(&[long])[0], encoder.embed(std::slice::from_ref(&end))[0]);
    let mut unknown = end.clone();
    unknown.items.insert(3, 40);
    unknown.items.push(u32::MAX);
    assert_eq!(encoder.embed(&[unknown])[0], encoder.embed(&[end])[0]);
    assert_eq!(encoder.embed(&[sequence(2, Vec::new(), Vec::new())])[0], vec![0.0; 32]);
    assert!(encoder.embed(&[]).is_empty() && encoder.scores(&[]).is_empty());
}

#[test]
fn what_teaches_nothing_is_refused_with_a_reason() {
    let refuse = |sequences: &[ItemSequence], items| train_next_item(sequences, items, &small(), &mut quiet).unwrap_err();
    assert_eq!(refuse(&[], 5), NextItemError::TooFewItems { needed: 2 });
    assert_eq!(refuse(&[sequence(1, vec![3], Vec::new())], 5), NextItemError::TooFewItems { needed: 2 });
    assert_eq!(refuse(&cyclic(9, 12), 1), NextItemError::Items(1));
    assert!(refuse(&[sequence(1, vec![1, 5], Vec::new())], 5).to_string().contains("item 1: item has to be below"));
    assert!(refuse(&[sequence(1, vec![1, 2], vec![0])], 5).to_string().contains("times has to be empty or as long"));
    assert!(refuse(&[sequence(1, vec![1, 2], vec![5, 4])], 5).to_string().contains("item 1: time has to be no earlier"));
    let two = [sequence(1, vec![1, 2], Vec::new())];
    assert_eq!(evaluate_next_item(&two, 5, &small(), &mut quiet).unwrap_err(), NextItemError::TooFewItems { needed: 3 });
    let wrong = |config: NextItemConfig| train_next_item(&two, 5, &config, &mut quiet).unwrap_err().to_string();
    assert!(wrong(NextItemConfig { width: 40, ..small() }).contains("width"));
    assert!(wrong(NextItemConfig { heads: 0, ..small() }).contains("heads"));
    assert!(wrong(NextItemConfig { inner: 20, ..small() }).contains("inner"));
    assert!(wrong(NextItemConfig { dropout: 1.0, ..small() }).contains("dropout"));
    assert!(wrong(NextItemConfig { learning_rate: f64::NAN, ..small() }).contains("learning_rate"));
    // The smallest shop and odd times train.
    let odd = [sequence(1, vec![0, 1, 1], vec![Micros::MIN, 0, Micros::MAX]), sequence(2, Vec::new(), Vec::new())];
    let (encoder, _) = train_next_item(&odd, 2, &small(), &mut quiet).unwrap();
    assert!(encoder.scores(&odd).iter().flatten().all(|score| score.is_finite()));
}
