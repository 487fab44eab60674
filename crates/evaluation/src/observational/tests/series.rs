//! Synthetic controls and interrupted time series against known truth.

use super::*;

/// Units moved by two wandering factors with loadings of their own; the first `treated` get `effect` from `start` on.
/// With `selected`, treated units have larger loadings and levels.
fn factors(draw: &mut Draw, units: usize, treated: usize, periods: usize, start: usize, effect: f64, selected: bool) -> Vec<Vec<f64>> {
    let common: Vec<Vec<f64>> = (0..2)
        .map(|_| {
            let mut level = 0.0;
            (0..periods)
                .map(|_| {
                    level += draw.normal();
                    level
                })
                .collect()
        })
        .collect();
    let of_unit = |unit: usize, draw: &mut Draw| {
        let more = if selected && unit < treated { 0.3 } else { 0.0 };
        let (one, two) = (draw.uniform() * 0.7 + more, draw.uniform() * 0.7 + more);
        let own = if selected { 5.0 * more + draw.normal() } else { 0.0 };
        let value = |period: usize, noise: f64| {
            let lift = if unit < treated && period >= start { effect } else { 0.0 };
            10.0 + own + one * common[0][period] + two * common[1][period] + lift + 0.5 * noise
        };
        (0..periods).map(|period| value(period, draw.normal())).collect::<Vec<f64>>()
    };
    (0..units).map(|unit| of_unit(unit, draw)).collect()
}

fn donors(table: &[Vec<f64>], start: usize) -> Donors {
    Donors::new(table[0].clone(), table[1..].to_vec(), start).unwrap()
}

#[test]
fn synthetic_control_covers_and_finds_effects() {
    let [covered, in_time, found, none] = shares(400, |mut draw| {
        let of = |draw: &mut Draw, effect: f64| {
            synthetic_control(&donors(&factors(draw, 31, 1, 30, 20, effect, false), 20), 0.95).unwrap().observed
        };
        let with = of(&mut draw, 1.5);
        let without = of(&mut draw, 0.0);
        let in_time = with.check(CheckKind::PlaceboInTime).unwrap().alarm;
        [covers(&with.effect, 1.5), in_time, with.effect.p_value < 0.05, without.effect.p_value < 0.05]
    });
    // With 30 donors only the largest of 31 is below .05: 1/31 = 3.2 %.
    assert_within("synthetic control, intervals that cover (96.8 % by ranks)", covered, 0.94..=0.99);
    assert_within("synthetic control, no effect, found (3.2 % by ranks)", none, 0.01..=0.06);
    assert_within("synthetic control, placebo in time, alarms (3.2 % by ranks)", in_time, 0.01..=0.06);
    println!("synthetic control finds an effect of 1.5 in {:.1} %", 100.0 * found);
    assert!(found > 0.8);
}

#[test]
fn weights_are_a_simplex_and_the_best_of_it() {
    for seed in 0..50 {
        let mut draw = Draw::seeded(seed);
        let table = factors(&mut draw, 16, 1, 20, 12, 0.0, false);
        let series = donors(&table, 12);
        let found = synthetic_control(&series, 0.9).unwrap();
        assert!((found.weights.iter().sum::<f64>() - 1.0).abs() < 1e-12 && found.weights.iter().all(|&weight| weight >= 0.0));
        let error = |weights: &[f64]| -> f64 {
            let gap = |period: usize| table[0][period] - (0..15).map(|donor| weights[donor] * table[donor + 1][period]).sum::<f64>();
            (0..12).map(|period| gap(period).powi(2)).sum()
        };
        let best = error(&found.weights);
        // No move towards a donor makes it better.
        for donor in 0..15 {
            let moved: Vec<f64> =
                found.weights.iter().enumerate().map(|(at, weight)| 0.999_9 * weight + if at == donor { 1e-4 } else { 0.0 }).collect();
            assert!(error(&moved) >= best - 1e-9, "seed {seed}: donor {donor} improves");
        }
    }
}

#[test]
fn synthetic_control_says_where_it_does_not_fit() {
    let mut table = factors(&mut Draw::seeded(1), 13, 1, 20, 12, 0.0, false);
    table[0].iter_mut().for_each(|value| *value += 100.0);
    let found = synthetic_control(&donors(&table, 12), 0.95).unwrap().observed;
    let codes: Vec<&str> = found.warnings.iter().map(|warning| warning.code).collect();
    assert_eq!(codes, ["poor_fit", "few_donors"]);
    assert!(found.effect.low == f64::NEG_INFINITY, "12 donors can't reject at .05");
}

fn panel_of(table: &[Vec<f64>], treated: usize, start: usize) -> Panel {
    let starts: Vec<Option<usize>> = (0..table.len()).map(|unit| (unit < treated).then_some(start)).collect();
    Panel::from_table(table, &starts, &(0..table.len() as u64).collect::<Vec<u64>>()).unwrap()
}

#[test]
fn slow_synthetic_did_covers() {
    let placebo = SyntheticVariance::Placebo { draws: 40, seed: 5 };
    for (what, variance, treated) in
        [("jackknife", SyntheticVariance::Jackknife, 10), ("placebo", placebo, 10), ("placebo, one treated unit", placebo, 1)]
    {
        let [covered, in_time] = shares(300, |mut draw| {
            let panel = panel_of(&factors(&mut draw, 50, treated, 24, 18, 1.0, false), treated, 18);
            let found = synthetic_did(&panel, variance, 0.95).unwrap().observed;
            [covers(&found.effect, 1.0), found.check(CheckKind::PlaceboInTime).unwrap().alarm]
        });
        println!("synthetic did, {what}, placebo in time: {:.1} % alarm", 100.0 * in_time);
        assert_within(&format!("synthetic did, {what}, intervals that cover"), covered, 0.92..=0.98);
    }
}

#[test]
fn slow_synthetic_did_is_nearer_than_plain_differences_where_trends_differ() {
    let errors: Vec<(f64, f64)> = (0..200)
        .map(|seed| {
            let mut draw = Draw::seeded(seed).fork("trends");
            let mut table = factors(&mut draw, 50, 5, 24, 18, 1.0, true);
            // Trends of units differ, and treated units' are steeper: no longer parallel on average.
            for (unit, series) in table.iter_mut().enumerate() {
                let slope = draw.uniform() * 0.6 + if unit < 5 { 0.3 } else { 0.0 };
                series.iter_mut().enumerate().for_each(|(period, value)| *value += slope * period as f64);
            }
            let panel = panel_of(&table, 5, 18);
            let synthetic = synthetic_did(&panel, SyntheticVariance::Jackknife, 0.95).unwrap().observed;
            let plain = difference_in_differences(&panel, DidSettings { placebo_draws: 0, ..DidSettings::default() }).unwrap();
            ((synthetic.effect.value - 1.0).powi(2), (plain.effect.value - 1.0).powi(2))
        })
        .collect();
    let root = |of: fn(&(f64, f64)) -> f64| (errors.iter().map(of).sum::<f64>() / errors.len() as f64).sqrt();
    let (synthetic, plain) = (root(|error| error.0), root(|error| error.1));
    println!("trends differ: root mean squared error {synthetic:.3} of synthetic did, {plain:.3} of plain differences");
    assert!(synthetic < 0.4 * plain);
}

fn times(periods: usize) -> Vec<i64> {
    (0..i64::try_from(periods).unwrap()).collect()
}

#[test]
fn segmented_regression_covers_with_memory() {
    for memory in [0.0, 0.3] {
        let [covered, narrow, alarms] = shares(600, |mut draw| {
            let noise = remembering(&mut draw, 168, memory);
            let season = [3.0, 1.0, 0.0, -1.0, 0.0, 4.0, 6.0];
            let outcome: Vec<f64> = (0..168)
                .map(|day| {
                    let effect = if day >= 126 { 1.0 + 0.02 * (day - 126) as f64 } else { 0.0 };
                    20.0 + 0.05 * day as f64 + season[day % 7] + effect + noise[day]
                })
                .collect();
            let series = TimeSeries::new(&times(168), &outcome, 126, 7, &[]).unwrap();
            let truth = 1.0 + 0.02 * 20.5;
            let found = segmented_regression(&series, SegmentedSettings::default()).unwrap();
            let textbook = SegmentedSettings { fixed_b: false, ..SegmentedSettings::default() };
            let textbook = segmented_regression(&series, textbook).unwrap();
            assert!((found.cumulative.value - 42.0 * found.observed.effect.value).abs() < 1e-9);
            let alarm = found.observed.check(CheckKind::PlaceboInTime).unwrap().alarm;
            [covers(&found.observed.effect, truth), covers(&textbook.observed.effect, truth), alarm]
        });
        assert_covers(&format!("segmented regression, memory {memory}"), covered);
        println!("not widened: {:.1} % cover; placebo in time: {:.1} % alarm", 100.0 * narrow, 100.0 * alarms);
        assert!(alarms < 0.09);
    }
}

#[test]
fn placebo_in_time_finds_a_bend_that_was_there_before() {
    let alarms = share(300, |mut draw| {
        let noise = remembering(&mut draw, 120, 0.2);
        let outcome: Vec<f64> = (0..120).map(|day| noise[day] + if day >= 45 { 2.0 } else { 0.0 }).collect();
        let series = TimeSeries::new(&times(120), &outcome, 90, 0, &[]).unwrap();
        segmented_regression(&series, SegmentedSettings::default()).unwrap().observed.alarms()
    });
    println!("segmented regression: {:.1} % of placebos in time find an earlier jump of 2", 100.0 * alarms);
    assert!(alarms > 0.8);
}

/// A level that wanders by θ, a control that it goes with, effect 2 from period 60 on.
fn wandering(draw: &mut Draw, theta: f64) -> TimeSeries {
    let mut level = 50.0;
    let (mut outcome, mut control) = (vec![], vec![]);
    for period in 0..75 {
        let with = 3.0 * draw.normal();
        control.push(with);
        outcome.push(level + 0.8 * with + (1.0 - theta) * draw.normal() + if period >= 60 { 2.0 } else { 0.0 });
        level += theta * draw.normal();
    }
    TimeSeries::new(&times(75), &outcome, 60, 0, &[control]).unwrap()
}

#[test]
fn slow_structural_time_series_covers_whatever_the_level_does() {
    let settings: [(&str, Option<f64>); 4] =
        [("θ from its prior", None), ("a level nearly still", Some(0.05)), ("both alike", Some(0.5)), ("a random walk", Some(0.9))];
    for (what, theta) in settings {
        let [mean, sum, alarms, first] = shares(600, |mut draw| {
            let theta = theta.unwrap_or_else(|| draw.uniform());
            let series = wandering(&mut draw, theta);
            let found = structural_time_series(&series, 0.95).unwrap();
            let expected = &found.counterfactual[0];
            let without = series.outcome[60] - 2.0;
            let first = (expected.low..=expected.high).contains(&without);
            let alarm = found.observed.check(CheckKind::PlaceboInTime).unwrap().alarm;
            [covers(&found.observed.effect, 2.0), covers(&found.cumulative, 30.0), alarm, first]
        });
        println!("structural time series, {what}: {:.1} % of counterfactuals of the first period cover", 100.0 * first);
        if theta == Some(0.05) {
            // Prepared for a level that wanders more than this one does.
            assert_within("structural time series, nearly still level, intervals that cover", mean, 0.93..=1.0);
        } else {
            assert_covers(&format!("structural time series, {what}, mean"), mean);
            assert_covers(&format!("structural time series, {what}, sum"), sum);
            assert_within("placebo in time, alarms", alarms, 0.02..=0.08);
        }
    }
}

#[test]
fn structural_time_series_finds_effects_that_are_not_there_before() {
    let alarms = share(200, |mut draw| {
        let mut series = wandering(&mut draw, 0.2);
        series.outcome[45..].iter_mut().for_each(|value| *value += 6.0);
        structural_time_series(&series, 0.95).unwrap().observed.alarms()
    });
    println!("structural time series: {:.1} % of placebos in time find an earlier jump of 6", 100.0 * alarms);
    assert!(alarms > 0.7);
}
