//! How long ten million users take: statistics with a covariate in one pass, CUPED and its test.
//!
//! `cargo run --release -p youhui-evaluation --example experiment_speed [ROWS] [RUNS] [BATCHES]` makes the rows in memory
//! and prints JSON: the least and the median seconds of the runs, which `benches/peers/evaluation/speed_experiment.py`
//! sets beside gbstats and tea-tasting on rows of the same shape. Then the same rows are streamed BATCHES times
//! through an accumulator, as a file of that many more rows would be: memory doesn't grow.

#![allow(clippy::print_stdout, clippy::expect_used, reason = "a measurement: prints, and fails loudly")]

use std::time::Instant;

use youhui_commerce::Draw;
use youhui_evaluation::experiment::{
    Accumulator, Adjustment, Effect, ExperimentError, Frequentist, Metric, Robust, Rows, Scale, accumulate, cuped, frequentist, regression,
};

/// Rows in memory.
struct Users {
    revenue: Vec<f64>,
    before: Vec<f64>,
    arm: Vec<u32>,
}

fn users(rows: usize) -> Users {
    let mut draw = Draw::seeded(20_261_201);
    let mut users = Users { revenue: vec![], before: vec![], arm: vec![] };
    for _ in 0..rows {
        let before = 20.0 + 5.0 * draw.normal();
        let arm = u32::from(draw.uniform() < 0.5);
        users.revenue.push(0.6 * before + 3.0 * draw.normal() + 0.01 * f64::from(arm));
        users.before.push(before);
        users.arm.push(arm);
    }
    users
}

fn analyse(users: &Users) -> Result<Effect, ExperimentError> {
    let rows = Rows { columns: &[&users.revenue, &users.before], names: &["revenue", "before"], group: &users.arm };
    let arms = accumulate(rows, 2)?;
    let adjusted = cuped(Metric::mean(0), &[Metric::mean(1)], &arms[0], &arms[1])?;
    frequentist(&adjusted.contrast, Scale::Relative, Frequentist::default())
}

/// Lin's regression with HC2, which goes over the rows twice.
fn regress(users: &Users) -> Result<Effect, ExperimentError> {
    let rows = Rows { columns: &[&users.revenue, &users.before], names: &["revenue", "before"], group: &users.arm };
    frequentist(&regression(rows, Adjustment::Interacted, Robust::Hc2)?, Scale::Relative, Frequentist::default())
}

/// Statistics of `batches` times the rows, batch after batch; seconds of it.
fn stream(users: &Users, batches: usize) -> Result<f64, ExperimentError> {
    let start = Instant::now();
    let mut accumulator = Accumulator::new(2, 2);
    for _ in 0..batches {
        accumulator.add(Rows { columns: &[&users.revenue, &users.before], names: &["revenue", "before"], group: &users.arm })?;
    }
    let units: u64 = accumulator.groups().iter().map(youhui_evaluation::experiment::Moments::units).sum();
    assert_eq!(units, (users.arm.len() * batches) as u64, "every row is counted");
    Ok(start.elapsed().as_secs_f64())
}

fn seconds(
    runs: usize,
    users: &Users,
    analysis: fn(&Users) -> Result<Effect, ExperimentError>,
) -> Result<(Vec<f64>, Effect), ExperimentError> {
    let mut effect = analysis(users)?;
    let mut times = Vec::new();
    for _ in 0..runs.max(1) {
        let start = Instant::now();
        effect = analysis(users)?;
        times.push(start.elapsed().as_secs_f64());
    }
    times.sort_by(f64::total_cmp);
    Ok((times, effect))
}

fn main() -> Result<(), ExperimentError> {
    let mut arguments = std::env::args().skip(1);
    let mut number = |default: usize| {
        arguments
            .next()
            .map_or(default, |text| text.parse().ok().filter(|number| *number > 0).expect("ROWS, RUNS and BATCHES are numbers above 0"))
    };
    let (rows, runs, batches) = (number(10_000_000), number(9), number(10));
    let users = users(rows);
    let (times, effect) = seconds(runs, &users, analyse)?;
    let (regressed, _) = seconds(runs.min(3), &users, regress)?;
    let streamed = stream(&users, batches)?;
    println!(
        "{{\"rows\": {rows}, \"threads\": {}, \"least_seconds\": {:.4}, \"median_seconds\": {:.4}, \"effect\": {:.9}, \"low\": {:.9}, \"high\": {:.9}, \"p_value\": {:e}, \"regression_hc2_least_seconds\": {:.4}, \"streamed_rows\": {}, \"streamed_seconds\": {streamed:.4}}}",
        rayon::current_num_threads(),
        times[0],
        times[times.len() / 2],
        effect.value,
        effect.low,
        effect.high,
        effect.p_value,
        regressed[0],
        rows * batches
    );
    Ok(())
}
