//! Times an epoch of the next-item encoder beside its twin in PyTorch, in one sitting.
//!
//! `cargo run --release -p youhui-profile --example sequence_epoch -- [PYTHON] [key=value]…`
//!
//! PYTHON is an interpreter with `benches/peers/sequence/requirements.txt`; without it only ours is timed. Both see the same
//! generated sequences, model, loss and number of threads, in turns; the fastest epoch counts. Prints one JSON object.
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "an example for developers")]

use std::process::Command;
use std::time::Instant;

use serde_json::{Value, json};
use youhui_commerce::{Draw, SubjectId};
use youhui_profile::sequence::next_item::{ItemSequence, NextItemConfig, train_next_item};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../benches/peers/sequence/pytorch_epoch.py");

/// Three in four items follow from the one before up to a choice of four; the rest are any.
fn sequences(users: u64, events: u64, items: u64) -> Vec<ItemSequence> {
    let history = |user: u64| {
        let mut last = None;
        (0..=events)
            .map(|place| {
                let bits = Draw::seeded(user * (events + 1) + place).bits();
                let free = (bits >> 8) % items;
                let item = match last {
                    Some(last) if bits & 3 != 0 => (7 * last + 1 + (bits >> 8) % 4) % items,
                    _ => free,
                };
                last = Some(item);
                u32::try_from(item).unwrap()
            })
            .collect()
    };
    let sequence =
        |user| ItemSequence { subject: SubjectId::from_bytes(Draw::seeded(user).bytes16()), items: history(user), times: Vec::new() };
    (0..users).map(sequence).collect()
}

fn main() {
    let mut settings = json!({
        "users": 20_000, "events": 50, "items": 20_000, "width": 64, "heads": 2, "layers": 2, "inner": 256, "dropout": 0.2,
        "negatives": 512, "batch": 6_400, "epochs": 2, "rate": 0.001, "threads": 1, "rounds": 2,
    });
    let mut python = None;
    for argument in std::env::args().skip(1) {
        match argument.split_once('=') {
            Some((key, value)) => settings[key] = serde_json::from_str(value).unwrap(),
            None => python = Some(argument),
        }
    }
    let whole = |key: &str| usize::try_from(settings[key].as_u64().unwrap()).unwrap();
    let config = NextItemConfig {
        width: whole("width"),
        heads: whole("heads"),
        layers: whole("layers"),
        inner: whole("inner"),
        window: whole("events"),
        dropout: settings["dropout"].as_f64().unwrap(),
        negatives: whole("negatives"),
        batch: whole("batch"),
        epochs: whole("epochs"),
        learning_rate: settings["rate"].as_f64().unwrap(),
        validation: 0,
        ..NextItemConfig::default()
    };
    let data = sequences(whole("users") as u64, whole("events") as u64, whole("items") as u64);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(whole("threads")).build().unwrap();
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    let (mut losses, mut peer_losses) = (Vec::new(), Value::Null);
    for _ in 0..whole("rounds") {
        losses.clear();
        let mut last = Instant::now();
        let mut progress = |epoch: youhui_profile::sequence::next_item::NextItemEpoch| {
            ours.push(last.elapsed().as_secs_f64());
            losses.push(epoch.loss);
            last = Instant::now();
        };
        pool.install(|| train_next_item(&data, whole("items"), &config, &mut progress)).unwrap();
        let Some(python) = &python else { continue };
        let threads = settings["threads"].to_string();
        let output = Command::new(python).args([SCRIPT, &settings.to_string()]).env("OMP_NUM_THREADS", threads).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let found: Value = serde_json::from_slice(&output.stdout).unwrap();
        theirs.extend(found["seconds"].as_array().unwrap().iter().map(|value| value.as_f64().unwrap()));
        peer_losses = found["losses"].clone();
    }
    let best = |seconds: &[f64]| seconds.iter().copied().fold(f64::INFINITY, f64::min);
    let ratio = if theirs.is_empty() { Value::Null } else { json!(best(&theirs) / best(&ours)) };
    println!(
        "{}",
        json!({
            "settings": settings,
            "ours_seconds": ours, "ours_best": best(&ours), "ours_losses": losses,
            "pytorch_seconds": theirs, "pytorch_losses": peer_losses,
            "times_pytorch": ratio,
        })
    );
}
