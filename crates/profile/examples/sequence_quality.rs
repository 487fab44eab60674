//! Measures the sequence encoder on a file of sequences, for developing it:
//!
//! `cargo run --release -p youhui-profile --example sequence_quality -- FILE [SEEDS] [key=value]…`
//!
//! FILE is JSON Lines: first `{"categories": n}`, then per customer
//! `{"subject": number, "steps": [[micros, amount, [[category, share], …]], …]}`.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    reason = "an example for developers"
)]

use std::time::Instant;

use serde_json::{Value, json};
use youhui_commerce::{Draw, SubjectId};
use youhui_profile::sequence::{BasketStep, EncoderConfig, Mean, Ranking, Sequence, SequenceQuality, evaluate};

fn read(path: &str) -> (usize, Vec<Sequence>) {
    let text = std::fs::read_to_string(path).unwrap();
    let mut lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let categories = usize::try_from(lines.next().unwrap()["categories"].as_u64().unwrap()).unwrap();
    let sequences = lines
        .map(|line| {
            let steps = line["steps"].as_array().unwrap().iter();
            let steps = steps
                .map(|step| {
                    let items = step[2].as_array().unwrap().iter();
                    let items = items
                        .map(|item| {
                            let category = u32::try_from(item[0].as_u64().unwrap()).unwrap();
                            (category, item[1].as_f64().unwrap() as f32)
                        })
                        .collect();
                    BasketStep { time: step[0].as_i64().unwrap(), amount: step[1].as_f64().unwrap(), items }
                })
                .collect();
            let subject = SubjectId::from_bytes(Draw::seeded(line["subject"].as_u64().unwrap()).bytes16());
            Sequence { subject, steps }
        })
        .collect();
    (categories, sequences)
}

/// The mean, and its 95 % interval; `quantile` is Student's t of so many values, or the normal one.
fn interval_by(mean: Mean, quantile: f64) -> Value {
    let half = quantile * mean.std_error;
    json!({"mean": mean.mean, "std_error": mean.std_error, "low": mean.mean - half, "high": mean.mean + half})
}

fn interval(mean: Mean) -> Value {
    interval_by(mean, 1.96)
}

fn show(ranking: &Ranking) -> Value {
    json!({"hit_rate_10": interval(ranking.hit_rate_10), "ndcg_10": interval(ranking.ndcg_10)})
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let path = arguments.next().expect("a file of sequences");
    let seeds: u64 = arguments.next().map_or(1, |text| text.parse().unwrap());
    let (categories, sequences) = read(&path);
    let baskets = sequences.iter().map(|sequence| sequence.steps.len()).sum();
    let mut config = EncoderConfig::for_size(sequences.len(), baskets);
    for setting in arguments {
        let (key, value) = setting.split_once('=').unwrap();
        let number: f64 = value.parse().unwrap();
        let whole = number as usize;
        match key {
            "width" => config.width = whole,
            "heads" => config.heads = whole,
            "layers" => config.layers = whole,
            "window" => config.window = whole,
            "targets" => config.targets = whole,
            "batch" => config.batch = whole,
            "epochs" => config.epochs = whole,
            "patience" => config.patience = whole,
            "rate" => config.learning_rate = number,
            "repeats" => config.repeats = number != 0.0,
            "seed" => config.seed = number as u64,
            _ => panic!("unknown setting {key}"),
        }
    }
    eprintln!("{} customers, {baskets} baskets, {categories} categories, {config:?}", sequences.len());
    let mut seen: Vec<SequenceQuality> = Vec::new();
    for _ in 0..seeds {
        let start = Instant::now();
        let mut last = start;
        let found = evaluate(&sequences, categories, &config, &mut |report| {
            eprintln!(
                "  epoch {:2}: loss {:.4}, validation loss {:.4}, ndcg {:.4}, {:.2} s",
                report.epoch,
                report.loss,
                report.validation_loss,
                report.validation_ndcg_10,
                last.elapsed().as_secs_f64()
            );
            last = Instant::now();
        })
        .unwrap();
        eprintln!("seed {}: {:.1} s, best epoch {}", config.seed, start.elapsed().as_secs_f64(), found.training.best_epoch);
        seen.push(found.quality);
        config.seed += 1;
    }
    let first = &seen[0];
    // The encoder differs by seed, what needs no learning doesn't: its error is that over customers.
    let student = [f64::NAN, f64::NAN, 12.71, 4.30, 3.18, 2.78].get(seen.len()).copied().unwrap_or(2.57);
    let over_seeds = |of: fn(&Ranking) -> Mean| {
        let means: Vec<f64> = seen.iter().map(|one| of(&one.encoder).mean).collect();
        interval_by(Mean::of(&means), student)
    };
    println!(
        "{}",
        json!({
            "customers": first.customers, "baskets": baskets, "categories": categories, "seeds": seeds,
            "encoder_over_seeds": {"hit_rate_10": over_seeds(|one| one.hit_rate_10), "ndcg_10": over_seeds(|one| one.ndcg_10)},
            "encoder_over_customers_first_seed": show(&first.encoder),
            "own_frequency": show(&first.own_frequency),
            "markov_chain": show(&first.markov_chain),
            "popularity": show(&first.popularity),
            "paired_gain_of_ndcg_10_first_seed": {
                "over_own_frequency": interval(first.gain_over_own_frequency),
                "over_markov_chain": interval(first.gain_over_markov_chain),
                "over_popularity": interval(first.gain_over_popularity),
            },
        })
    );
}
