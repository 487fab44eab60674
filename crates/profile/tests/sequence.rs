//! The sequence encoder: it finds planted patterns, repeats to the bit, and survives odd shops.
#![allow(clippy::unwrap_used, reason = "a test's way to fail")]

use std::process::Command;

use youhui_commerce::{Draw, Micros, SubjectId, TimeWindow};
use youhui_profile::sequence::{BasketStep, Encoder, EncoderConfig, EpochReport, Sequence, SequenceError, evaluate, quality, train};

const DAY: Micros = TimeWindow::DAY;

fn sequence(number: u64, steps: Vec<BasketStep>) -> Sequence {
    Sequence { subject: SubjectId::from_bytes(Draw::seeded(number).bytes16()), steps }
}

fn step(day: i64, categories: &[u32]) -> BasketStep {
    let share = 1.0 / categories.len() as f32;
    BasketStep { time: day * DAY, amount: 20.0, items: categories.iter().map(|&category| (category, share)).collect() }
}

/// Customers who buy one category after the other in a cycle of 30, each from a random place on.
fn cyclic(customers: u64, categories: u32) -> Vec<Sequence> {
    let mut draw = Draw::seeded(5);
    (0..customers)
        .map(|number| {
            let mut category = u32::try_from(draw.below(categories as usize)).unwrap();
            let baskets = 5 + i64::try_from(draw.below(8)).unwrap();
            let steps = (0..baskets)
                .map(|day| {
                    category = (category + 1) % categories;
                    step(day * 3, &[category])
                })
                .collect();
            sequence(number, steps)
        })
        .collect()
}

fn quiet(_: EpochReport) {}

fn small() -> EncoderConfig {
    EncoderConfig { width: 16, epochs: 6, window: 12, targets: 12, ..EncoderConfig::default() }
}

/// Every bit of what an encoder says.
fn bits(encoder: &Encoder, sequences: &[Sequence]) -> Vec<u32> {
    let at = 400 * DAY;
    let all = [encoder.embed(sequences, at), encoder.scores(sequences, at)];
    all.iter().flatten().flatten().map(|value| value.to_bits()).collect()
}

/// FNV-1a of them, to compare over processes.
fn fingerprint(values: &[u32]) -> u64 {
    values.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &value| (hash ^ u64::from(value)).wrapping_mul(0x0100_0000_01b3))
}

#[test]
fn learns_a_planted_order_that_counting_cannot_see() {
    let sequences = cyclic(600, 30);
    let config = EncoderConfig { epochs: 20, patience: 20, ..small() };
    let found = evaluate(&sequences, 30, &config, &mut quiet).unwrap().quality;
    assert_eq!(found.customers, 600);
    let [encoder, own, popular] = [found.encoder, found.own_frequency, found.popularity].map(|ranking| ranking.ndcg_10.mean);
    assert!(encoder > 0.9, "{found:?}");
    assert!(encoder > own + 0.4 && encoder > popular + 0.4, "{found:?}");
    assert!(found.gain_over_own_frequency.mean > 10.0 * found.gain_over_own_frequency.std_error);
}

#[test]
fn starts_as_the_customers_own_frequency() {
    let sequences = cyclic(100, 30);
    let config = EncoderConfig { epochs: 0, ..small() };
    let found = evaluate(&sequences, 30, &config, &mut quiet).unwrap().quality;
    assert_eq!(found.gain_over_own_frequency.mean, 0.0, "{found:?}");
    // A plain network starts as popularity.
    let plain = EncoderConfig { repeats: false, ..config };
    let found = evaluate(&sequences, 30, &plain, &mut quiet).unwrap().quality;
    assert_eq!(found.gain_over_popularity.mean, 0.0, "{found:?}");
}

/// A short training, and every bit of what it learnt.
fn trained_bits(seed: u64) -> (Vec<u32>, String) {
    let sequences = cyclic(80, 12);
    let (encoder, report) = train(&sequences, 12, &EncoderConfig { epochs: 2, seed, ..small() }, &mut quiet).unwrap();
    (bits(&encoder, &sequences), format!("{report:?}"))
}

#[test]
fn prints_its_fingerprint() {
    println!("fingerprint {:016x}", fingerprint(&trained_bits(0).0));
}

#[test]
fn the_same_seed_gives_the_same_bits() {
    let one = trained_bits(0);
    assert_eq!(one, trained_bits(0));
    assert_ne!(one.0, trained_bits(1).0);
    // Other processes, with other numbers of threads, say the same.
    for threads in ["1", "2"] {
        let output = Command::new(std::env::current_exe().unwrap())
            .args(["prints_its_fingerprint", "--exact", "--nocapture"])
            .env("RAYON_NUM_THREADS", threads)
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(text.contains(&format!("fingerprint {:016x}", fingerprint(&one.0))), "{threads} threads: {text}");
    }
}

#[test]
fn an_answer_does_not_depend_on_who_else_is_asked() {
    let sequences = cyclic(80, 12);
    let (encoder, _) = train(&sequences, 12, &EncoderConfig { epochs: 1, ..small() }, &mut quiet).unwrap();
    let together = encoder.embed(&sequences, 60 * DAY);
    for (sequence, embedding) in sequences.iter().zip(&together).take(20) {
        let alone = encoder.embed(std::slice::from_ref(sequence), 60 * DAY);
        for (one, two) in alone[0].iter().zip(embedding) {
            assert!((one - two).abs() < 1e-4, "{one} {two}");
        }
    }
    // Time since the last basket matters.
    assert_ne!(together, encoder.embed(&sequences, 90 * DAY));
}

#[test]
fn every_customer_gets_finite_numbers() {
    let (encoder, _) = train(&cyclic(60, 12), 12, &EncoderConfig { epochs: 2, ..small() }, &mut quiet).unwrap();
    let nan = BasketStep { time: 9 * DAY, amount: f64::NAN, items: vec![(3, f32::NAN), (77, 1.0), (4, 1e30)] };
    let odd = vec![
        sequence(1, vec![]),
        sequence(2, vec![step(0, &[3])]),
        sequence(3, vec![step(-1_000_000, &[3]), step(100_000, &[4])]),
        sequence(4, vec![BasketStep { time: Micros::MIN, ..step(0, &[1]) }, BasketStep { time: Micros::MAX, ..step(0, &[1]) }]),
        sequence(5, vec![nan]),
        sequence(6, vec![BasketStep { amount: f64::MAX, ..step(0, &[3]) }, BasketStep { items: vec![], ..step(1, &[3]) }]),
        sequence(7, (0..3_000).map(|day| step(day, &[0, 1, 2])).collect()),
    ];
    for at in [Micros::MIN, 0, 10 * DAY, Micros::MAX] {
        for (embedding, scores) in encoder.embed(&odd, at).iter().zip(encoder.scores(&odd, at)) {
            assert_eq!((embedding.len(), scores.len()), (16, 12));
            assert!(embedding.iter().all(|value| value.is_finite()), "{embedding:?}");
            assert!((scores.iter().sum::<f32>() - 1.0).abs() < 1e-4, "{scores:?}");
        }
    }
    assert!(encoder.embed(&[], 0).is_empty());
}

#[test]
fn what_teaches_nothing_is_refused_with_a_reason() {
    let config = small();
    let refuse = |sequences: &[Sequence], categories| train(sequences, categories, &config, &mut quiet).unwrap_err();
    assert_eq!(refuse(&[], 5), SequenceError::TooFewBaskets { needed: 2 });
    assert_eq!(refuse(&[sequence(1, vec![step(0, &[1])])], 5), SequenceError::TooFewBaskets { needed: 2 });
    assert_eq!(refuse(&cyclic(9, 12), 1), SequenceError::Categories(1));
    let two = |second: BasketStep| refuse(&[sequence(1, vec![step(0, &[1]), second])], 5).to_string();
    assert!(two(BasketStep { amount: f64::NAN, ..step(1, &[1]) }).contains("basket 1: amount"));
    assert!(two(step(1, &[5])).contains("category"));
    assert!(two(step(-1, &[1])).contains("time"));
    assert!(two(BasketStep { items: vec![(1, f32::INFINITY)], ..step(1, &[1]) }).contains("share"));
    let two_baskets = vec![sequence(1, vec![step(0, &[1]), step(1, &[2])])];
    assert_eq!(evaluate(&two_baskets, 5, &config, &mut quiet).unwrap_err(), SequenceError::TooFewBaskets { needed: 3 });
    let wrong = EncoderConfig { width: 15, ..config };
    assert!(matches!(train(&two_baskets, 5, &wrong, &mut quiet), Err(SequenceError::Config { field: "width", .. })));
}

#[test]
fn tiny_shops_train() {
    let config = EncoderConfig { epochs: 3, ..small() };
    let one = vec![sequence(1, vec![step(0, &[1]), step(1, &[2]), step(2, &[1])])];
    let found = evaluate(&one, 3, &config, &mut quiet).unwrap();
    assert_eq!(found.quality.customers, 1);
    assert!(found.quality.encoder.ndcg_10.mean.is_finite());
    assert!(quality(&found.encoder, &one).is_ok());
    // One category that is ever bought, all at one moment.
    let same: Vec<Sequence> = (0..20).map(|number| sequence(number, vec![step(0, &[0]); 4])).collect();
    let found = evaluate(&same, 2, &config, &mut quiet).unwrap().quality;
    assert!((found.encoder.ndcg_10.mean - 1.0).abs() < 1e-9, "{found:?}");
    // Baskets without a known category teach nothing and break nothing.
    let empty: Vec<Sequence> =
        (0..20).map(|number| sequence(number, (0..4).map(|day| BasketStep { items: vec![], ..step(day, &[0]) }).collect())).collect();
    assert!(train(&empty, 2, &config, &mut quiet).is_ok());
    assert!(evaluate(&empty, 2, &config, &mut quiet).is_err());
}

#[test]
fn settings_bound_the_time() {
    assert_eq!(EncoderConfig::for_size(300, 18_000).epochs, EncoderConfig::default().epochs);
    for (customers, baskets) in [(0, 0), (2_469, 155_848), (32_266, 119_578), (1_000_000, 30_000_000)] {
        let config = EncoderConfig::for_size(customers, baskets);
        let each = baskets.div_ceil(customers.max(1)).min(config.targets).max(1);
        assert!(config.epochs >= 1 && (config.epochs == 1 || config.epochs * customers * each <= EncoderConfig::PREDICTIONS));
    }
}
