mod bad_input;
mod panels;
mod peers;
mod series;

use rayon::prelude::*;
use youhui_commerce::Draw;

use super::*;

/// Share of seeds of which `of` is true.
fn share(seeds: u64, of: impl Fn(Draw) -> bool + Sync) -> f64 {
    let found: usize = (0..seeds).into_par_iter().map(|seed| usize::from(of(Draw::seeded(seed).fork("share")))).sum();
    found as f64 / seeds as f64
}

/// Shares of seeds of which each of several answers is true.
fn shares<const K: usize>(seeds: u64, of: impl Fn(Draw) -> [bool; K] + Sync) -> [f64; K] {
    let all: Vec<[bool; K]> = (0..seeds).into_par_iter().map(|seed| of(Draw::seeded(seed).fork("share"))).collect();
    std::array::from_fn(|at| all.iter().filter(|answers| answers[at]).count() as f64 / seeds as f64)
}

fn covers(effect: &ObservedEffect, truth: f64) -> bool {
    (effect.low..=effect.high).contains(&truth)
}

fn assert_within(what: &str, found: f64, wanted: std::ops::RangeInclusive<f64>) {
    println!("{what}: {:.1} %", 100.0 * found);
    assert!(wanted.contains(&found), "{what}: {found}");
}

/// 95 % intervals that cover as they say.
fn assert_covers(what: &str, found: f64) {
    assert_within(&format!("{what}, intervals that cover"), found, 0.93..=0.97);
}

/// A test at the level of .05.
fn assert_level(what: &str, found: f64) {
    assert_within(&format!("{what}, alarms though the assumption holds"), found, 0.03..=0.07);
}

/// Noise that remembers: AR(1) with variance 1.
fn remembering(draw: &mut Draw, periods: usize, memory: f64) -> Vec<f64> {
    let mut last = draw.normal();
    let step = (1.0 - memory * memory).sqrt();
    (0..periods)
        .map(|_| {
            let now = last;
            last = memory * last + step * draw.normal();
            now
        })
        .collect()
}
