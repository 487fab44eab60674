//! Times an epoch of the learners `reference` and `network` beside Keras and PyTorch, in one sitting.
//!
//! `cargo run --release -p youhui-response --example network_epoch -- reference|network [PYTHON] [key=value]…`
//!
//! PYTHON is an interpreter with `benches/peers/networks/requirements.txt`; without it only ours is timed. Both see the
//! same generated rows, layers, loss, batches and one thread, in turns; the fastest epoch counts. Prints one JSON object.
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "an example for developers")]
#![allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "features in 32 bits; arms are small numbers")]

use std::process::Command;
use std::time::Instant;

use serde_json::{Value, json};
use youhui_commerce::Draw;
use youhui_response::benchmark::train_network;
use youhui_response::{Epoch, Matrix, ReferenceNetwork};

fn main() {
    let mut arguments = std::env::args().skip(1);
    let which = arguments.next().unwrap_or_else(|| "reference".to_owned());
    let mut settings = match which.as_str() {
        "reference" => json!({"rows": 20_000, "epochs": 20, "threads": 1, "rounds": 2}),
        "network" => json!({
            "rows": 200_000, "columns": 64, "treatments": 4, "hidden": [128, 128], "batch": 100, "epochs": 4, "threads": 1, "rounds": 2,
        }),
        other => panic!("{other:?}: reference or network"),
    };
    let mut python = None;
    for argument in arguments {
        match argument.split_once('=') {
            Some((key, value)) => settings[key] = serde_json::from_str(value).unwrap(),
            None => python = Some(argument),
        }
    }
    let whole = |settings: &Value, key: &str| usize::try_from(settings[key].as_u64().unwrap()).unwrap();
    let folder = std::env::temp_dir().join(format!("youhui-network-epoch-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    settings["file"] = json!(folder.join("rows.f32"));
    let count = whole(&settings, "rows");
    let rows = match which.as_str() {
        "reference" => customers(count),
        _ => experiment(count, whole(&settings, "columns"), whole(&settings, "treatments")),
    };
    let bytes: Vec<u8> = rows.iter().flatten().flat_map(|value| value.to_le_bytes()).collect();
    std::fs::write(folder.join("rows.f32"), bytes).unwrap();
    let (mut ours, mut theirs, mut epochs, mut peer) = (Vec::new(), Vec::new(), Vec::new(), Value::Null);
    for _ in 0..whole(&settings, "rounds") {
        let seconds;
        (epochs, seconds) = train(&which, &rows, &settings);
        ours.push(seconds / epochs.len() as f64);
        let Some(python) = &python else { continue };
        let script = if which == "reference" { "keras_reference.py" } else { "pytorch_network.py" };
        let script = format!("{}/../../benches/peers/networks/{script}", env!("CARGO_MANIFEST_DIR"));
        let output = Command::new(python).args([script, settings.to_string()]).env("OMP_NUM_THREADS", "1").output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        peer = serde_json::from_slice(&output.stdout).unwrap();
        theirs.extend(peer["seconds"].as_array().unwrap().iter().map(|value| value.as_f64().unwrap()));
    }
    std::fs::remove_dir_all(&folder).ok();
    let best = |seconds: &[f64]| seconds.iter().copied().fold(f64::INFINITY, f64::min);
    println!(
        "{}",
        json!({
            "network": which, "settings": settings, "simulated": true,
            "ours_seconds_an_epoch": best(&ours),
            "ours_loss": epochs.iter().map(|epoch| epoch.loss).collect::<Vec<_>>(),
            "ours_held_out": epochs.iter().map(|epoch| epoch.held_out).collect::<Vec<_>>(),
            "peer_seconds_an_epoch": best(&theirs), "peer_loss": peer["loss"], "peer_held_out": peer["held_out"],
            "times_as_fast": best(&theirs) / best(&ours),
        })
    );
}

/// The losses of every epoch, and how long training took.
fn train(which: &str, rows: &[Vec<f32>], settings: &Value) -> (Vec<Epoch>, f64) {
    let whole = |key: &str| usize::try_from(settings[key].as_u64().unwrap()).unwrap();
    let part = |from: usize, to: usize| rows.iter().flat_map(|row| row[from..to].to_vec()).collect::<Vec<f32>>();
    if which == "reference" {
        let (features, labels) = (Matrix::new(5, part(0, 5)), part(5, 8));
        let start = Instant::now();
        let (_, epochs) = ReferenceNetwork::train(&features, &labels, whole("epochs"), 1);
        return (epochs, start.elapsed().as_secs_f64());
    }
    let columns = whole("columns");
    let arms: Vec<u32> = rows.iter().map(|row| row[columns] as u32).collect();
    let outcome: Vec<f64> = rows.iter().map(|row| f64::from(row[columns + 1])).collect();
    let hidden: Vec<usize> = serde_json::from_value(settings["hidden"].clone()).unwrap();
    let matrix = Matrix::new(columns, part(0, columns));
    let start = Instant::now();
    let epochs = train_network(&matrix, &arms, &outcome, whole("treatments"), &hidden, whole("batch"), whole("epochs"), 1);
    (epochs, start.elapsed().as_secs_f64())
}

/// The specification's five features (gender, age, browse time, purchase frequency, rating), standardised, and whether a
/// customer takes each of three promotions.
fn customers(rows: usize) -> Vec<Vec<f32>> {
    let mut draw = Draw::seeded(7);
    let row = |_| {
        let gender = if draw.uniform() < 0.5 { -1.0 } else { 1.0 };
        let [age, browsing, frequency, rating] = [0; 4].map(|_| draw.normal());
        let margins = [frequency - 0.5 * age - 0.5, 0.8 * gender - frequency * rating, browsing.abs() - 1.0 + 0.3 * age];
        let labels = margins.map(|margin| if draw.uniform() < 1.0 / (1.0 + (-1.5 * margin).exp()) { 1.0 } else { 0.0 });
        [gender, age, browsing, frequency, rating].into_iter().chain(labels).map(|value| value as f32).collect()
    };
    (0..rows).map(row).collect()
}

/// Features, arm, outcome.
fn experiment(rows: usize, columns: usize, treatments: usize) -> Vec<Vec<f32>> {
    let mut draw = Draw::seeded(8);
    let row = |_| {
        let x: Vec<f64> = (0..columns).map(|_| draw.normal()).collect();
        let arm = draw.below(treatments + 1);
        let effect = if arm == 0 { 0.0 } else { x[arm].max(0.0) + 0.2 * arm as f64 };
        let outcome = (x[0] + x[1] * x[2]).tanh() + effect + draw.normal();
        x.into_iter().chain([arm as f64, outcome]).map(|value| value as f32).collect()
    };
    (0..rows).map(row).collect()
}
