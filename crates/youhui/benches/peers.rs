//! Import and profile features at 1×, 3× and 10× replicated data, side by side with polars (PyPI)
//! doing the same: `cargo bench -p youhui --bench peers`.
//!
//! Both run in turns, so that a busy moment of the machine hits both; the fastest of each counts.
//! `YOUHUI_BENCH_TRANSACTIONS` names another transactions.parquet than the bundled sample's, such
//! as the whole Complete Journey; `YOUHUI_BENCH_PYTHON` a Python that has polars
//! (`pip install -r benches/peers/requirements.txt`).
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::disallowed_methods, reason = "a benchmark for developers")]

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Instant;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{ArrayRef, RecordBatch};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::Value;
use youhui_commerce::schema::Table;
use youhui_commerce::{EventTable, ShopClock, TimeWindow};
use youhui_profile::{CategoryNorms, Shop, features, map_customers};
use youhui_storage::{ImportOptions, Mapping, Store, import};

const ROUNDS: usize = 3;
const MAPPING: &str = include_str!("../mappings/complete-journey.toml");

// As in the product.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("sample");
    let transactions = std::env::var("YOUHUI_BENCH_TRANSACTIONS").map_or_else(|_| sample.join("transactions.parquet"), PathBuf::from);
    let products = transactions.with_file_name("products.parquet");
    let python = std::env::var("YOUHUI_BENCH_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    println!(
        "{:<10}{:>6}{:>12}{:>10}{:>10}{:>8}{:>14}{:>10}",
        "work", "size", "rows", "ours s", "polars s", "ratio", "ours rows/s", "growth"
    );
    let mut first = [0.0; 2];
    for copies in [1, 3, 10] {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("transactions.parquet");
        let rows = replicate(&transactions, &file, copies);
        let peer_events = folder.path().join("peer.parquet");
        let [mut ours, mut peers] = [[f64::INFINITY; 2]; 2];
        for _ in 0..ROUNDS {
            let root = tempfile::tempdir().unwrap();
            import_into(root.path(), &products, Table::Products);
            let start = Instant::now();
            let added = import_into(root.path(), &file, Table::Events);
            ours[0] = start.elapsed().as_secs_f64().min(ours[0]);
            let peer = polars(&python, &["import", file.to_str().unwrap(), peer_events.to_str().unwrap()]);
            peers[0] = seconds(peer.as_ref()).min(peers[0]);
            let start = Instant::now();
            let found = profile_features(root.path());
            ours[1] = start.elapsed().as_secs_f64().min(ours[1]);
            let peer_found = polars(&python, &["features", peer_events.to_str().unwrap(), products.to_str().unwrap()]);
            peers[1] = seconds(peer_found.as_ref()).min(peers[1]);
            // Like is compared with like.
            if let (Some(peer), Some(peer_found)) = (peer, peer_found) {
                assert_eq!(peer["rows"], added);
                let same = |name: &str, ours: f64| {
                    let theirs = peer_found[name].as_f64().unwrap();
                    assert!((ours - theirs).abs() <= 1e-6 * theirs.abs(), "{name}: {ours}, polars {theirs}");
                };
                same("customers", found.customers);
                same("orders", found.orders);
                same("amount", found.amount);
                same("recent_amount", found.recent_amount);
                same("recency", found.recency);
            }
        }
        if copies == 1 {
            first = ours;
        }
        let both = |times: [f64; 2]| times[0] + times[1];
        let lines = [
            ("import", ours[0], peers[0], first[0]),
            ("features", ours[1], peers[1], first[1]),
            ("both", both(ours), both(peers), both(first)),
        ];
        for (work, seconds, peer, first) in lines {
            let (ratio, speed, growth) = (seconds / peer, rows as f64 / seconds, seconds / first);
            println!("{work:<10}{copies:>5}x{rows:>12}{seconds:>10.3}{peer:>10.3}{ratio:>8.2}{speed:>14.0}{growth:>9.2}x");
        }
    }
}

/// `copies` of the file, each with households and baskets of its own.
fn replicate(from: &Path, to: &Path, copies: i64) -> usize {
    let builder = ParquetRecordBatchReaderBuilder::try_new(File::open(from).unwrap()).unwrap();
    let schema = builder.schema().clone();
    let batches: Vec<RecordBatch> = builder.build().unwrap().collect::<Result<_, _>>().unwrap();
    let mut writer = ArrowWriter::try_new(File::create(to).unwrap(), schema.clone(), None).unwrap();
    for copy in 0..copies {
        for batch in &batches {
            let columns = batch.columns().iter().zip(schema.fields()).map(|(column, field)| -> ArrayRef {
                match field.name().as_str() {
                    "household_id" | "basket_id" => {
                        Arc::new(column.as_primitive::<Int64Type>().unary::<_, Int64Type>(|id| id + copy * 100_000_000_000))
                    }
                    _ => column.clone(),
                }
            });
            writer.write(&RecordBatch::try_new(schema.clone(), columns.collect()).unwrap()).unwrap();
        }
    }
    writer.close().unwrap();
    batches.iter().map(RecordBatch::num_rows).sum::<usize>() * usize::try_from(copies).unwrap()
}

fn import_into(root: &Path, file: &Path, table: Table) -> u64 {
    let mapping = Mapping::parse("complete-journey", MAPPING).unwrap();
    let options = ImportOptions {
        table,
        variant: None,
        mapping_name: "complete-journey".to_owned(),
        quarantine: None,
        allow_bad: false,
        dry_run: false,
        now: jiff::Timestamp::now().as_microsecond(),
        seed: Some(1),
    };
    import(root, &[file.to_owned()], &mapping, &options, &|_| ()).unwrap().added
}

/// Sums by which both sides are known to have computed the same.
struct Found {
    customers: f64,
    orders: f64,
    amount: f64,
    recent_amount: f64,
    recency: f64,
}

fn profile_features(root: &Path) -> Found {
    let store = Store::open(root).unwrap();
    let catalogue = store.load_catalogue().unwrap();
    let buckets = store.load_events(&catalogue).unwrap();
    let settings = &store.manifest().shop;
    let times = || buckets.iter().flat_map(|table: &EventTable| table.time.iter().copied());
    let (start, end) = (times().min().unwrap(), times().max().unwrap() + 1);
    let clock = ShopClock::new(jiff::tz::TimeZone::get(&settings.time_zone).unwrap(), TimeWindow { start, end });
    let shop = Shop { catalogue, clock, currency: settings.currency, assumed_margin: settings.assumed_margin, never_promote: vec![] };
    let norms = CategoryNorms::of(&buckets, &shop, end);
    let all = map_customers(&buckets, |customer| features(customer, &shop, &norms, end));
    Found {
        customers: all.len() as f64,
        orders: all.iter().map(|known| f64::from(known.orders)).sum(),
        amount: all.iter().map(|known| known.amount as f64).sum(),
        recent_amount: all.iter().map(|known| known.recent_amount[2] as f64).sum(),
        recency: all.iter().map(|known| known.recency_days).sum(),
    }
}

/// The peer's answer; `None` where Python or polars are missing.
fn polars(python: &str, arguments: &[&str]) -> Option<Value> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../benches/peers/polars_loop.py");
    let output = Command::new(python).arg(script).args(arguments).output().ok()?;
    if !output.status.success() {
        eprintln!("no peer: {}", String::from_utf8_lossy(&output.stderr).lines().last().unwrap_or_default());
        return None;
    }
    serde_json::from_slice(&output.stdout).ok()
}

fn seconds(answer: Option<&Value>) -> f64 {
    answer.and_then(|answer| answer["seconds"].as_f64()).unwrap_or(f64::NAN)
}
