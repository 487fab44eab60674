//! One customer against fifty promotions, and many customers against them.
#![allow(clippy::unwrap_used, missing_docs, reason = "a benchmark")]

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use youhui_commerce::Draw;
use youhui_response::{Experiment, Feature, FeatureValues, Model, Objective, Settings, fit};

const PROMOTIONS: usize = 50;
const FEATURES: usize = 10;
const CUSTOMERS: usize = 20_000;

struct Rows {
    names: Vec<String>,
    columns: Vec<Vec<f64>>,
}

impl Rows {
    fn new(rows: usize, seed: u64) -> Self {
        let mut draw = Draw::seeded(seed);
        let names = (0..FEATURES).map(|feature| format!("x{feature}")).collect();
        Self { names, columns: (0..FEATURES).map(|_| (0..rows).map(|_| draw.normal()).collect()).collect() }
    }

    fn features(&self) -> Vec<Feature<'_>> {
        self.names.iter().zip(&self.columns).map(|(name, column)| Feature { name, values: FeatureValues::Number(column) }).collect()
    }
}

fn model(learner: &str) -> Model {
    let (rows, mut draw) = (Rows::new(10_000, 1), Draw::seeded(2));
    let arms: Vec<String> = (0..=PROMOTIONS).map(|arm| format!("promotion {arm}")).collect();
    let arm: Vec<u32> = (0..10_000).map(|_| u32::try_from(draw.below(arms.len())).unwrap()).collect();
    let effect = |row: usize| if arm[row] == 0 { 0.0 } else { rows.columns[0][row].max(0.0) + f64::from(arm[row]) / 50.0 };
    let outcome: Vec<f64> = (0..10_000).map(|row| rows.columns[1][row] + effect(row) + draw.normal()).collect();
    let experiment = Experiment {
        features: &rows.features(),
        arm: &arm,
        arms: &arms,
        control: "promotion 0",
        outcome: &outcome,
        cost: None,
        propensity: None,
        placebo: None,
        objective: Objective::Continuous,
        promotions: None,
    };
    fit(&experiment, &Settings { compact: true, ..Settings::new(learner, 1) }).unwrap()
}

fn scoring(criterion: &mut Criterion) {
    let (one, many) = (Rows::new(1, 3), Rows::new(CUSTOMERS, 4));
    for learner in ["r-linear", "t-trees", "network"] {
        let model = model(learner);
        let mut group = criterion.benchmark_group("score 50 promotions");
        group.sample_size(10);
        group.bench_function(BenchmarkId::new("one customer", learner), |bencher| {
            bencher.iter(|| model.predict(&one.features(), &mut Vec::new()).unwrap());
        });
        group.throughput(Throughput::Elements((PROMOTIONS * CUSTOMERS) as u64));
        group.bench_function(BenchmarkId::new("20,000 customers", learner), |bencher| {
            bencher.iter(|| model.predict(&many.features(), &mut Vec::new()).unwrap());
        });
    }
}

criterion_group!(benches, scoring);
criterion_main!(benches);
