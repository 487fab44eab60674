//! Measures the sequence encoder on a file of sequences, for developing it:
//!
//! `cargo run --release -p youhui-profile --example sequence_quality -- FILE [SEEDS] [key=value]…`
//!
//! FILE is JSON Lines: first `{"categories": n}`, then per customer
//! `{"subject": number, "steps": [[micros, amount, [[category, share], …]], …]}`.
#![allow(clippy::print_stdout, clippy::unwrap_used, clippy::cast_possible_truncation, reason = "an example for developers")]

use std::time::Instant;

use serde_json::Value;
use youhui_commerce::{Draw, SubjectId};
use youhui_profile::sequence::{BasketStep, EncoderConfig, Mean, Ranking, Sequence, evaluate};

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

fn show(name: &str, ranking: &Ranking) {
    let text = |mean: Mean| format!("{:.4} ± {:.4}", mean.mean, mean.std_error);
    let Ranking { ndcg_10, hit_rate_10, recall_10 } = *ranking;
    println!("{name:14} ndcg {}  hit {}  recall {}", text(ndcg_10), text(hit_rate_10), text(recall_10));
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
    println!("{} customers, {baskets} baskets, {categories} categories, {config:?}", sequences.len());
    for seed in 0..seeds {
        config.seed += seed;
        let start = Instant::now();
        let mut last = start;
        let found = evaluate(&sequences, categories, &config, &mut |report| {
            println!(
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
        let quality = &found.quality;
        println!("seed {}: {:.1} s, best epoch {}", config.seed, start.elapsed().as_secs_f64(), found.training.best_epoch);
        show("encoder", &quality.encoder);
        show("own frequency", &quality.own_frequency);
        show("popularity", &quality.popularity);
        let (own, popular) = (quality.gain_over_own_frequency, quality.gain_over_popularity);
        println!(
            "gain of ndcg over own frequency {:.4} ± {:.4} (paired), over popularity {:.4} ± {:.4}",
            own.mean, own.std_error, popular.mean, popular.std_error
        );
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        println!("{}", status.lines().find(|line| line.starts_with("VmHWM")).unwrap_or("peak memory unknown"));
    }
}
