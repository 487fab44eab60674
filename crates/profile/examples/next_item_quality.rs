//! Measures the next-item encoder on a file of sequences: leave-one-out, ranked against all items.
//!
//! `cargo run --release -p youhui-profile --example next_item_quality -- FILE [SEEDS] [key=value]…`
//!
//! FILE is Parquet with the columns `user_id`, `position` and `item_id` (64-bit whole numbers), and may have `time` (microseconds,
//! UTC). Prints a line of JSON for every seed, and one that sums them up.
#![allow(clippy::print_stdout, clippy::print_stderr, clippy::unwrap_used, reason = "an example for developers")]

use std::collections::BTreeMap;
use std::fs::File;
use std::time::Instant;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::json;
use youhui_commerce::{Draw, SubjectId};
use youhui_profile::sequence::Mean;
use youhui_profile::sequence::next_item::{ItemSequence, NextItemConfig, evaluate_next_item};

/// The sequences in order of user, and how many items there are; items are numbered by first use.
fn read(path: &str) -> (Vec<ItemSequence>, usize) {
    let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(path).unwrap()).unwrap().build().unwrap();
    let mut rows = Vec::new();
    for batch in reader {
        let batch = batch.unwrap();
        let column = |name: &str| {
            let column = batch.column_by_name(name).unwrap_or_else(|| panic!("no column {name}"));
            let column = arrow_cast::cast(column, &arrow_schema::DataType::Int64).unwrap();
            column.as_primitive::<Int64Type>().values().to_vec()
        };
        let times = batch.column_by_name("time").map(|_| column("time"));
        let (users, positions, items) = (column("user_id"), column("position"), column("item_id"));
        for row in 0..batch.num_rows() {
            rows.push((users[row], positions[row], items[row], times.as_ref().map(|times| times[row])));
        }
    }
    rows.sort_unstable();
    let mut numbers = BTreeMap::new();
    let mut sequences: Vec<ItemSequence> = Vec::new();
    for part in rows.chunk_by(|one, two| one.0 == two.0) {
        let subject = SubjectId::from_bytes(Draw::seeded(part[0].0.unsigned_abs()).bytes16());
        let mut sequence = ItemSequence { subject, items: Vec::new(), times: Vec::new() };
        for &(_, _, item, time) in part {
            let next = u32::try_from(numbers.len()).unwrap();
            sequence.items.push(*numbers.entry(item).or_insert(next));
            sequence.times.extend(time);
        }
        sequences.push(sequence);
    }
    (sequences, numbers.len())
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let path = arguments.next().expect("a file of sequences");
    let seeds: u64 = arguments.next().map_or(1, |text| text.parse().unwrap());
    let mut config = NextItemConfig::default();
    for setting in arguments {
        let (key, value) = setting.split_once('=').unwrap();
        let whole = || value.parse::<usize>().unwrap();
        match key {
            "width" => config.width = whole(),
            "heads" => config.heads = whole(),
            "layers" => config.layers = whole(),
            "inner" => config.inner = whole(),
            "window" => config.window = whole(),
            "batch" => config.batch = whole(),
            "epochs" => config.epochs = whole(),
            "patience" => config.patience = whole(),
            "negatives" => config.negatives = whole(),
            "power" => config.popularity_power = value.parse().unwrap(),
            "dropout" => config.dropout = value.parse().unwrap(),
            "rate" => config.learning_rate = value.parse().unwrap(),
            "seed" => config.seed = value.parse().unwrap(),
            _ => panic!("unknown setting {key}"),
        }
    }
    let (sequences, items) = read(&path);
    let interactions: usize = sequences.iter().map(|sequence| sequence.items.len()).sum();
    eprintln!("{} customers, {items} items, {interactions} interactions, {config:?}", sequences.len());
    let (mut hits, mut gains) = (Vec::new(), Vec::new());
    for _ in 0..seeds {
        let start = Instant::now();
        let mut last = start;
        let found = evaluate_next_item(&sequences, items, &config, &mut |epoch| {
            eprintln!(
                "  epoch {:3}: loss {:.4}, validation NDCG@10 {:.4}, HR@10 {:.4}, {:.2} s",
                epoch.epoch,
                epoch.loss,
                epoch.validation_ndcg_10,
                epoch.validation_hit_rate_10,
                last.elapsed().as_secs_f64()
            );
            last = Instant::now();
        })
        .unwrap();
        let (hit, gain) = (found.quality.hit_rate_10, found.quality.ndcg_10);
        println!(
            "{}",
            json!({
                "seed": config.seed,
                "hit_rate_10": hit.mean,
                "ndcg_10": gain.mean,
                "hit_rate_10_std_error": hit.std_error,
                "ndcg_10_std_error": gain.std_error,
                "customers": found.quality.customers,
                "best_epoch": found.training.best_epoch,
                "seconds": start.elapsed().as_secs_f64(),
            })
        );
        hits.push(hit.mean);
        gains.push(gain.mean);
        config.seed += 1;
    }
    let (hit, gain) = (Mean::of(&hits), Mean::of(&gains));
    println!(
        "{}",
        json!({
            "data": path.rsplit('/').next(),
            "customers": sequences.len(),
            "items": items,
            "settings": format!("{config:?}"),
            "seeds": seeds,
            "hit_rate_10": hit.mean,
            "hit_rate_10_std_error_over_seeds": hit.std_error,
            "ndcg_10": gain.mean,
            "ndcg_10_std_error_over_seeds": gain.std_error,
        })
    );
}
