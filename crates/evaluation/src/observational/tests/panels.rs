//! Difference in differences against known truth.

use super::*;

const SETTINGS: DidSettings = DidSettings { level: 0.95, placebo_draws: 0, seed: 0 };

/// Clusters of two units over ten periods; clusters from 40 on are treated from period 5 on with effect 1. Untreated trends
/// differ by `drift` a period.
fn clustered(draw: &mut Draw, drift: f64) -> Panel {
    let periods = 10;
    let of_period: Vec<f64> = (0..periods).map(|_| 3.0 * draw.normal()).collect();
    let (mut table, mut starts, mut clusters) = (vec![], vec![], vec![]);
    for cluster in 0..70_u64 {
        let treated = cluster >= 40;
        let common = remembering(draw, periods, 0.6);
        for _ in 0..2 {
            let own = 10.0 + 4.0 * draw.normal();
            let noise = remembering(draw, periods, 0.3);
            let outcome = (0..periods).map(|period| {
                let effect = f64::from(u8::from(treated && period >= 5)) + f64::from(u8::from(treated)) * drift * period as f64;
                own + of_period[period] + common[period] + noise[period] + effect
            });
            table.push(outcome.collect());
            starts.push(treated.then_some(5));
            clusters.push(cluster);
        }
    }
    Panel::from_table(&table, &starts, &clusters).unwrap()
}

/// The same panel with every unit a cluster of its own.
fn unclustered(panel: &Panel) -> Panel {
    let table: Vec<Vec<f64>> = (0..panel.units()).map(|unit| panel.series(unit).to_vec()).collect();
    let clusters: Vec<u64> = (0..panel.units() as u64).collect();
    Panel::from_table(&table, panel.starts(), &clusters).unwrap()
}

fn alarm(observed: &Observed, kind: CheckKind) -> bool {
    observed.check(kind).unwrap().alarm
}

#[test]
fn slow_differences_cover_and_their_checks_keep_their_level() {
    let found = shares(1000, |mut draw| {
        let panel = clustered(&mut draw, 0.0);
        let simple = difference_in_differences(&panel, SETTINGS).unwrap();
        let two_way = two_way_fixed_effects(&panel, SETTINGS).unwrap().observed;
        let study = event_study(&panel, None, 0.95).unwrap();
        let group = group_time_effects(&panel, Controls::NeverTreated, &[], 0.95).unwrap();
        let group = group.aggregate(Aggregation::Simple).unwrap().0;
        let naive = difference_in_differences(&unclustered(&panel), SETTINGS).unwrap();
        [
            covers(&simple.effect, 1.0),
            covers(&two_way.effect, 1.0),
            covers(&study.observed.effect, 1.0),
            covers(&group.effect, 1.0),
            alarm(&simple, CheckKind::PreTrend),
            alarm(&simple, CheckKind::PlaceboInTime),
            alarm(&group, CheckKind::PreTrend),
            alarm(&group, CheckKind::PlaceboInTime),
            covers(&naive.effect, 1.0),
        ]
    });
    for (at, what) in ["difference in differences", "two-way fixed effects", "event study", "group-time"].iter().enumerate() {
        assert_covers(what, found[at]);
    }
    for (at, what) in [(4, "pre-trend"), (5, "placebo in time"), (7, "group-time placebo in time")] {
        assert_level(what, found[at]);
    }
    // Degrees of freedom of the smaller side: a little seldom.
    assert_within("group-time pre-trend, alarms though the assumption holds", found[6], 0.015..=0.07);
    println!("customers as units where households were treated: {:.1} % cover", 100.0 * found[8]);
    assert!(found[8] < 0.91);
}

#[test]
fn a_dozen_treated_clusters_beside_many_keep_level_and_coverage() {
    let found = shares(600, |mut draw| {
        let table: Vec<Vec<f64>> = (0..300)
            .map(|unit| {
                let own = 3.0 * draw.normal();
                // Treated units vary more.
                let noise = remembering(&mut draw, 9, 0.4);
                noise.iter().map(|noise| own + if unit < 12 { 2.0 * noise } else { *noise }).collect()
            })
            .collect();
        let starts: Vec<Option<usize>> = (0..300).map(|unit| (unit < 12).then_some(5)).collect();
        let panel = Panel::from_table(&table, &starts, &(0..300).collect::<Vec<u64>>()).unwrap();
        let simple = difference_in_differences(&panel, SETTINGS).unwrap();
        let group = group_time_effects(&panel, Controls::NeverTreated, &[], 0.95).unwrap();
        let group = group.aggregate(Aggregation::Simple).unwrap().0;
        [covers(&simple.effect, 0.0), covers(&group.effect, 0.0), alarm(&simple, CheckKind::PreTrend), alarm(&group, CheckKind::PreTrend)]
    });
    assert_covers("12 treated of 300 clusters, differences", found[0]);
    assert_within("12 treated of 300 clusters, group-time, intervals that cover", found[1], 0.92..=0.97);
    assert_level("12 treated of 300 clusters, pre-trend", found[2]);
    assert_within("12 treated of 300 clusters, group-time pre-trend alarms", found[3], 0.01..=0.08);
}

#[test]
fn checks_alarm_where_trends_were_not_parallel() {
    let found = shares(400, |mut draw| {
        let panel = clustered(&mut draw, 0.4);
        let simple = difference_in_differences(&panel, SETTINGS).unwrap();
        let group = group_time_effects(&panel, Controls::NeverTreated, &[], 0.95).unwrap();
        let group = group.aggregate(Aggregation::Simple).unwrap().0;
        [
            covers(&simple.effect, 1.0),
            alarm(&simple, CheckKind::PreTrend),
            alarm(&simple, CheckKind::PlaceboInTime),
            alarm(&group, CheckKind::PlaceboInTime),
        ]
    });
    println!("trends not parallel: {found:?} cover and alarm (pre-trend, in time, group-time in time)");
    assert!(found[0] < 0.05 && found[1] > 0.8 && found[2] > 0.9 && found[3] > 0.9);
}

#[test]
fn relative_magnitudes_cover_where_the_drift_goes_on() {
    let found = shares(400, |mut draw| {
        let study = event_study(&clustered(&mut draw, 0.4), None, 0.95).unwrap();
        let exact = relative_magnitudes(&study, 0.0).unwrap();
        let robust = relative_magnitudes(&study, 1.0).unwrap();
        let at = relative_magnitudes(&study, robust.breakdown).unwrap();
        let edge = if study.observed.effect.value > 0.0 { at.low } else { at.high };
        assert!(robust.breakdown == 0.0 || edge.abs() < 1e-9, "{edge}");
        [(exact.low..=exact.high).contains(&1.0), (robust.low..=robust.high).contains(&1.0)]
    });
    println!("relative magnitudes: {found:?} cover with M = 0 and 1");
    assert!(found[0] < 0.2 && found[1] >= 0.95);
}

#[test]
fn placebo_in_space_keeps_its_level_and_ranks_the_effect() {
    let settings = DidSettings { placebo_draws: 99, ..SETTINGS };
    let [alarms, rare, any] = shares(200, |mut draw| {
        let found = difference_in_differences(&clustered(&mut draw, 0.0), settings).unwrap();
        let check = found.check(CheckKind::PlaceboInSpace).unwrap();
        [check.alarm, check.p_value < 0.05, found.alarms()]
    });
    println!(
        "placebo in space: {:.1} % alarm, {:.1} % of effects of 1 are rare; any check: {:.1} %",
        100.0 * alarms,
        100.0 * rare,
        100.0 * any
    );
    // Three checks.
    assert!(alarms < 0.05 && rare > 0.9 && any < 0.2);
}

#[test]
fn no_effect_is_found_at_the_level_only() {
    let found = share(1000, |mut draw| {
        let panel = clustered(&mut draw, 0.0);
        let table: Vec<Vec<f64>> = (0..panel.units())
            .map(|unit| {
                let lift = |period: usize| f64::from(u8::from(panel.starts()[unit].is_some_and(|start| period >= start)));
                panel.series(unit).iter().enumerate().map(|(period, value)| value - lift(period)).collect()
            })
            .collect();
        let clusters: Vec<u64> = panel.clusters().iter().map(|&cluster| cluster as u64).collect();
        let none = Panel::from_table(&table, panel.starts(), &clusters).unwrap();
        difference_in_differences(&none, SETTINGS).unwrap().effect.excludes_zero()
    });
    assert_within("no effect, found", found, 0.03..=0.07);
}

/// Units that start at 3, 6 or never; effects grow by 1 a period and are twice as large for the early.
fn staggered(draw: &mut Draw) -> (Panel, f64) {
    let periods = 9;
    let (mut table, mut starts) = (vec![], vec![]);
    for _ in 0..240 {
        let lot = draw.uniform();
        let start = if lot < 0.4 {
            Some(3)
        } else if lot < 0.8 {
            Some(6)
        } else {
            None
        };
        let own = 5.0 * draw.normal();
        let noise = remembering(draw, periods, 0.5);
        let effect = |period: usize| match start {
            Some(start) if period >= start => (if start == 3 { 2.0 } else { 1.0 }) * (period - start + 1) as f64,
            _ => 0.0,
        };
        table.push((0..periods).map(|period| own + 0.3 * period as f64 + noise[period] + effect(period)).collect());
        starts.push(start);
    }
    // Group 3 has six periods with effects 2 … 12, group 6 three with 1 … 3.
    let truth = (0.4 * 42.0 + 0.4 * 6.0) / (0.4 * 6.0 + 0.4 * 3.0);
    let clusters: Vec<u64> = (0..240).collect();
    (Panel::from_table(&table, &starts, &clusters).unwrap(), truth)
}

#[test]
fn slow_group_time_effects_cover_where_two_way_fixed_effects_do_not() {
    let found = shares(500, |mut draw| {
        let (panel, truth) = staggered(&mut draw);
        let two_way = two_way_fixed_effects(&panel, SETTINGS).unwrap();
        assert!(two_way.negative_weights > 0.0 && two_way.observed.warnings.iter().any(|warning| warning.code == "staggered_two_way"));
        let of = |controls: Controls, aggregation: Aggregation| {
            let effects = group_time_effects(&panel, controls, &[], 0.95).unwrap();
            effects.aggregate(aggregation).unwrap().0.effect
        };
        let by_group = 0.5 * 7.0 + 0.5 * 2.0;
        let by_relative = ((2.0 + 1.0) / 2.0 + (4.0 + 2.0) / 2.0 + (6.0 + 3.0) / 2.0 + 8.0 + 10.0 + 12.0) / 6.0;
        [
            covers(&of(Controls::NeverTreated, Aggregation::Simple), truth),
            covers(&of(Controls::NotYetTreated, Aggregation::Simple), truth),
            covers(&of(Controls::NotYetTreated, Aggregation::Group), by_group),
            covers(&of(Controls::NotYetTreated, Aggregation::Dynamic), by_relative),
            covers(&two_way.observed.effect, truth),
        ]
    });
    for (at, what) in ["never treated", "not yet treated", "by group", "by time since the start"].iter().enumerate() {
        assert_covers(&format!("group-time effects, {what}"), found[at]);
    }
    println!("two-way fixed effects with different starts and effects: {:.1} % cover", 100.0 * found[4]);
    assert!(found[4] < 0.1);
}

/// Trends follow a covariate that treatment depends on.
fn confounded(draw: &mut Draw, curved: bool) -> (Panel, Vec<Vec<f64>>) {
    let (mut table, mut starts, mut covariates) = (vec![], vec![], vec![]);
    for _ in 0..1000 {
        let x = draw.normal();
        let chance = 1.0 / (1.0 + (0.7 - 0.6 * x).exp());
        let treated = draw.uniform() < chance;
        let own = 3.0 * draw.normal();
        let trend = if curved { 0.5 * x + 0.2 * x * x } else { 0.5 * x };
        let value = |period: usize| own + trend * period as f64 + f64::from(u8::from(treated && period >= 3));
        table.push((0..5).map(|period| value(period) + draw.normal()).collect());
        starts.push(treated.then_some(3));
        covariates.push(vec![x]);
    }
    let clusters: Vec<u64> = (0..1000).collect();
    (Panel::from_table(&table, &starts, &clusters).unwrap(), covariates)
}

#[test]
fn slow_doubly_robust_effects_cover_if_either_model_is_right() {
    for curved in [false, true] {
        let [robust, plain, alarms] = shares(500, |mut draw| {
            let (panel, covariates) = confounded(&mut draw, curved);
            let of = |covariates: &[Vec<f64>]| {
                group_time_effects(&panel, Controls::NeverTreated, covariates, 0.95).unwrap().aggregate(Aggregation::Simple).unwrap().0
            };
            let plain = of(&[]);
            [covers(&of(&covariates).effect, 1.0), covers(&plain.effect, 1.0), alarm(&plain, CheckKind::PreTrend)]
        });
        assert_covers(&format!("doubly robust, outcome's line {}", if curved { "wrong" } else { "right" }), robust);
        println!("without the covariate: {:.1} % cover, {:.1} % of pre-trend tests alarm", 100.0 * plain, 100.0 * alarms);
        assert!(plain < 0.3 && alarms > 0.8);
    }
}

#[test]
fn threads_do_not_change_a_bit() {
    let panel = clustered(&mut Draw::seeded(7), 0.0);
    let of = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let simple = difference_in_differences(&panel, DidSettings::default()).unwrap();
            let synthetic = synthetic_did(&panel, SyntheticVariance::Placebo { draws: 20, seed: 3 }, 0.95).unwrap();
            serde_json::to_string(&(simple, synthetic)).unwrap()
        })
    };
    assert_eq!(of(1), of(4));
}
