mod analysis;
mod bad_input;
mod checks;
mod coverage;
mod peers;
mod planning;
mod rows;
mod sequential;
mod special;

use rayon::prelude::*;
use youhui_commerce::Draw;

use super::*;

/// Share of seeds of which `covers` is true; a seed of which it is `None` is no experiment.
fn share(seeds: u64, covers: impl Fn(Draw) -> Option<bool> + Sync) -> f64 {
    let answers: Vec<bool> = (0..seeds).into_par_iter().filter_map(|seed| covers(Draw::seeded(seed).fork("share"))).collect();
    assert!(answers.len() as u64 > seeds * 95 / 100, "only {} of {seeds} seeds gave an answer", answers.len());
    answers.iter().filter(|covers| **covers).count() as f64 / answers.len() as f64
}

/// Fails unless 95 % intervals cover in 93 to 97 % of seeds.
fn assert_covers(what: &str, seeds: u64, covers: impl Fn(Draw) -> Option<bool> + Sync) {
    let covered = share(seeds, covers);
    println!("{what}: {:.1} % of {seeds} intervals cover", 100.0 * covered);
    assert!((0.93..=0.97).contains(&covered), "{what}: {covered} of {seeds} intervals cover");
}

fn within(low: f64, high: f64, truth: f64) -> bool {
    (low..=high).contains(&truth)
}

/// Statistics of rows.
fn moments_of<const K: usize>(rows: impl Iterator<Item = [f64; K]>) -> Moments {
    let mut moments = Moments::empty(K);
    rows.for_each(|row| moments.push(&row));
    moments
}

/// Whether the fixed-horizon interval of a contrast covers.
fn fixed(contrast: &Contrast, scale: Scale, truth: f64) -> bool {
    let effect = frequentist(contrast, scale, Frequentist::default()).unwrap();
    within(effect.low, effect.high, truth)
}

fn bernoulli(draw: &mut Draw, chance: f64) -> f64 {
    f64::from(u8::from(draw.uniform() < chance))
}

/// Knuth's; small means only.
fn poisson(draw: &mut Draw, mean: f64) -> f64 {
    let (limit, mut product, mut count) = ((-mean).exp(), draw.uniform(), 0.0);
    while product > limit {
        product *= draw.uniform();
        count += 1.0;
    }
    count
}
