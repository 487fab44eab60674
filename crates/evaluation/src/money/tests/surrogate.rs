//! The surrogate index where its assumption holds and where it fails.

use youhui_commerce::Draw;

use super::super::*;
use super::{assert_covers, covers, shares};
use crate::experiment::Moments;

/// Orders and visits in the first month; the long-term outcome is 5 + 4 × orders + 2 × visits + noise, and `beside` for the treated, which the
/// surrogates don't show. Treatment adds .5 orders and .3 visits, so 2.6 through the surrogates.
fn customer(draw: &mut Draw, treated: bool, beside: f64) -> [f64; 3] {
    let keen = draw.normal();
    let lift = f64::from(u8::from(treated));
    let orders = 2.0 + keen + 0.8 * draw.normal() + 0.5 * lift;
    let visits = 5.0 + 1.5 * keen + draw.normal() + 0.3 * lift;
    // Noise grows with orders: the sandwich is needed.
    let noise = draw.normal() * (6.0 + 2.0 * orders.abs());
    [orders, visits, 5.0 + 4.0 * orders + 2.0 * visits + noise + beside * lift]
}

fn history(draw: &mut Draw, customers: usize) -> [Vec<f64>; 3] {
    let mut columns = [vec![], vec![], vec![]];
    for _ in 0..customers {
        columns.iter_mut().zip(customer(draw, false, 0.0)).for_each(|(column, value)| column.push(value));
    }
    columns
}

fn fitted(draw: &mut Draw, customers: usize) -> SurrogateIndex {
    let [orders, visits, long_term] = history(draw, customers);
    SurrogateIndex::fit(&[&orders, &visits], &["orders", "visits"], &long_term, "EUR per customer", &SurrogateFit::default()).unwrap()
}

fn arms(draw: &mut Draw, customers: usize, beside: f64) -> [Moments; 2] {
    [false, true].map(|treated| {
        let mut moments = Moments::empty(3);
        (0..customers).for_each(|_| moments.push(&customer(draw, treated, beside)));
        moments
    })
}

#[test]
fn where_surrogacy_holds_the_effect_covers_with_the_fits_uncertainty_and_not_without() {
    let covered = shares(1_000, |mut draw| {
        let index = fitted(&mut draw, 200);
        let [held_out, treated] = arms(&mut draw, 4_000, 0.0);
        let found = index.effect(&held_out, &treated, 0.95).unwrap();
        let without = found.effect.std_error * (1.0 - found.variance_of_fit).sqrt();
        assert!(found.effect.causal == Causal::Extrapolated && found.assumption.starts_with("surrogacy"));
        [covers(&found.effect, 2.6), (found.effect.value - 2.6).abs() <= 1.96 * without]
    });
    assert_covers("surrogate index, short history", covered[0]);
    println!("without the fit's uncertainty: {:.1} %", 100.0 * covered[1]);
    assert!(covered[1] < 0.90, "{}", covered[1]);
    let long = shares(600, |mut draw| {
        let index = fitted(&mut draw, 5_000);
        let [held_out, treated] = arms(&mut draw, 600, 0.0);
        [covers(&index.effect(&held_out, &treated, 0.95).unwrap().effect, 2.6)]
    });
    assert_covers("surrogate index, long history", long[0]);
}

#[test]
fn the_index_is_more_precise_and_the_check_raises_false_alarms_at_its_level() {
    let found = shares(1_000, |mut draw| {
        let index = fitted(&mut draw, 2_000);
        let [held_out, treated] = arms(&mut draw, 700, 0.0);
        let check = index.check(&held_out, &treated, 0.95).unwrap();
        assert!((check.long_term.value - check.index.value - check.difference.value).abs() < 1e-9);
        [check.rejected, check.precision > 1.0, covers(&check.long_term, 2.6), covers(&check.difference, 0.0)]
    });
    println!("check where surrogacy holds: {:.1} % rejected", 100.0 * found[0]);
    assert!((0.03..=0.07).contains(&found[0]), "{}", found[0]);
    assert!(found[1] > 0.99, "{}", found[1]);
    assert_covers("long-term effect, observed", found[2]);
    assert_covers("difference", found[3]);
}

#[test]
fn where_surrogacy_fails_the_index_misses_and_the_check_says_so() {
    // Half as much again goes beside the surrogates: the truth is 2.6 + 3.
    let found = shares(600, |mut draw| {
        let index = fitted(&mut draw, 2_000);
        let [held_out, treated] = arms(&mut draw, 2_000, 3.0);
        let check = index.check(&held_out, &treated, 0.95).unwrap();
        [covers(&check.index, 5.6), check.rejected, covers(&check.difference, 3.0), covers(&check.long_term, 5.6)]
    });
    println!("where surrogacy fails: index covers {:.1} %, check rejects {:.1} %", 100.0 * found[0], 100.0 * found[1]);
    assert!(found[0] < 0.10 && found[1] > 0.90, "{found:?}");
    assert_covers("difference where surrogacy fails", found[2]);
    assert_covers("long-term effect where surrogacy fails", found[3]);
}

#[test]
fn slopes_are_those_of_least_squares_and_the_penalty_helps_where_there_are_many() {
    let index = fitted(&mut Draw::seeded(1), 40_000);
    assert!((index.slopes[0] - 4.0).abs() < 0.3 && (index.slopes[1] - 2.0).abs() < 0.3 && (index.intercept - 5.0).abs() < 0.8, "{index:?}");
    assert!((0.2..0.6).contains(&index.r_squared), "{}", index.r_squared);
    assert!((index.value(&[1.0, 2.0]) - (index.intercept + index.slopes[0] + 2.0 * index.slopes[1])).abs() < 1e-12);
    // Thirty surrogates of which none says anything: a large penalty, and nothing is predicted.
    let mut draw = Draw::seeded(2);
    let columns: Vec<Vec<f64>> = (0..30).map(|_| (0..420).map(|_| draw.normal()).collect()).collect();
    let outcome: Vec<f64> = (0..420).map(|_| draw.normal()).collect();
    let (columns, names): (Vec<&[f64]>, Vec<&str>) = columns.iter().map(|column| (column.as_slice(), "noise")).unzip();
    let index = SurrogateIndex::fit(&columns, &names, &outcome, "EUR", &SurrogateFit::default()).unwrap();
    assert!(index.penalty >= 0.1 && index.r_squared < 0.02, "{} {}", index.penalty, index.r_squared);
}

#[test]
fn slopes_and_means_of_surrogates_cover() {
    let covered = shares(800, |mut draw| {
        let index = fitted(&mut draw, 2_000);
        let [held_out, treated] = arms(&mut draw, 700, 0.0);
        let [orders, visits] = [0, 1].map(|place| index.surrogate(place, &held_out, &treated, 0.95).unwrap());
        [covers(&orders.slope, 4.0), covers(&visits.slope, 2.0)]
    });
    assert_covers("slope of orders", covered[0]);
    assert_covers("slope of visits", covered[1]);
    let index = fitted(&mut Draw::seeded(1), 2_000);
    let [held_out, treated] = arms(&mut Draw::seeded(2), 700, 0.0);
    let found = index.surrogate(0, &held_out, &treated, 0.95).unwrap();
    assert!(found.n_history == 2_000 && found.held_out.n_held_out == held_out.units() && found.treated.n_treated == treated.units());
    assert!(found.held_out.low < found.held_out.value && found.slope.unit.ends_with("for each of orders"), "{found:?}");
}

#[test]
fn threads_change_no_bit() {
    let [orders, visits, long_term] = history(&mut Draw::seeded(3), 50_000);
    let fit = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            SurrogateIndex::fit(&[&orders, &visits], &["orders", "visits"], &long_term, "EUR", &SurrogateFit::default()).unwrap()
        })
    };
    assert_eq!(fit(1), fit(3));
}
