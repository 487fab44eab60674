//! Bad input is refused with its statistical consequence.

use super::*;

fn row(unit: u64, time: i64, outcome: f64, start: Option<i64>) -> PanelRow {
    PanelRow { unit, cluster: unit, time, outcome, start }
}

/// Four units over four periods, the last two treated from period `start` on.
fn four(start: Option<usize>) -> Panel {
    table(&[None, None, start, start], &[0, 1, 2, 3])
}

fn table(starts: &[Option<usize>], clusters: &[u64]) -> Panel {
    let mut draw = Draw::seeded(1);
    let table: Vec<Vec<f64>> = starts.iter().map(|_| (0..4).map(|_| draw.normal()).collect()).collect();
    Panel::from_table(&table, starts, clusters).unwrap()
}

fn says<T: std::fmt::Debug>(found: Result<T, ObservationalError>, consequence: &str) {
    let message = found.unwrap_err().to_string();
    assert!(message.contains(consequence), "{message}");
}

const SETTINGS: DidSettings = DidSettings { level: 0.95, placebo_draws: 9, seed: 0 };

#[test]
fn rows_that_make_no_panel() {
    let good = [row(1, 0, 1.0, None), row(1, 1, 2.0, None), row(2, 0, 1.0, Some(1)), row(2, 1, 4.0, Some(1))];
    assert_eq!(Panel::from_rows(&good).unwrap().starts(), [None, Some(1)]);
    let with = |at: usize, row: PanelRow| {
        let mut rows = good;
        rows[at] = row;
        Panel::from_rows(&rows)
    };
    says(with(1, row(1, -1, 2.0, None)), "before and after would be mixed up");
    says(with(1, row(1, 0, 2.0, None)), "a period counted twice");
    says(with(1, row(1, 5, 2.0, None)), "the mix of units changes with time");
    says(with(1, row(1, 1, f64::NAN, None)), "undefined");
    says(with(1, row(1, 1, f64::INFINITY, None)), "undefined");
    says(with(1, row(1, 1, 2.0, Some(1))), "Treatment starts once and stays");
    says(with(1, PanelRow { cluster: 9, ..good[1] }), "cluster of unit 1");
    says(Panel::from_rows(&good[..3]), "no row for time 1");
    says(Panel::from_rows(&[]), "no effect to estimate");
    says(Panel::from_table(&[vec![1.0, 2.0], vec![1.0]], &[None, None], &[0, 1]), "unbalanced");
    says(Panel::from_table(&[vec![1.0, 2.0]], &[None, None], &[0]), "other periods or units");
}

#[test]
fn a_start_after_the_panel_is_no_start() {
    let rows = [row(1, 0, 1.0, None), row(1, 1, 2.0, None), row(2, 0, 1.0, Some(9)), row(2, 1, 4.0, Some(9))];
    assert_eq!(Panel::from_rows(&rows).unwrap().treated(), 0);
}

#[test]
fn panels_without_what_an_estimator_needs() {
    says(difference_in_differences(&four(Some(0)), SETTINGS), "is theirs, not the campaign's");
    says(two_way_fixed_effects(&four(Some(0)), SETTINGS), "is theirs, not the campaign's");
    says(event_study(&four(Some(0)), None, 0.95), "is theirs, not the campaign's");
    says(group_time_effects(&four(Some(0)), Controls::NeverTreated, &[], 0.95), "is theirs, not the campaign's");
    says(difference_in_differences(&four(None), SETTINGS), "no unit is treated");
    let everyone = table(&[Some(2); 4], &[0, 1, 2, 3]);
    says(difference_in_differences(&everyone, SETTINGS), "season and trend can't be told from the effect");
    says(two_way_fixed_effects(&everyone, SETTINGS), "season and trend can't be told from the effect");
    says(event_study(&everyone, None, 0.95), "season and trend can't be told from the effect");
    says(synthetic_did(&everyone, SyntheticVariance::Jackknife, 0.95), "season and trend can't be told from the effect");
    says(group_time_effects(&everyone, Controls::NotYetTreated, &[], 0.95), "season and trend can't be told from the effect");
    let together = table(&[None, None, Some(2), Some(2)], &[0, 1, 2, 2]);
    says(difference_in_differences(&together, SETTINGS), "variance between clusters can't be estimated");
    let one = table(&[None, None, Some(2), Some(2)], &[0, 0, 0, 0]);
    says(difference_in_differences(&one, SETTINGS), "no interval or p-value exists");
    says(group_time_effects(&one, Controls::NeverTreated, &[], 0.95), "no interval or p-value exists");
    let apart = table(&[None, None, Some(1), Some(2)], &[0, 1, 2, 3]);
    says(difference_in_differences(&apart, SETTINGS), "units already treated would serve as controls");
    says(difference_in_differences(&four(Some(2)), DidSettings { level: 1.0, ..SETTINGS }), "empty or endless");
    let flat = Panel::from_table(&[vec![1.0; 4], vec![2.0; 4], vec![3.0; 4], vec![4.0; 4]], four(Some(2)).starts(), &[0, 1, 2, 3]).unwrap();
    says(difference_in_differences(&flat, SETTINGS), "infinitely significant");
    says(two_way_fixed_effects(&flat, SETTINGS), "infinitely significant");
    says(event_study(&flat, None, 0.95), "infinitely significant");
}

/// One treated cluster has no variance of its own: an interval from it would cover a fifth of the time.
#[test]
fn no_interval_rests_on_one_treated_cluster() {
    let one = table(&[None, None, None, None, None, Some(2)], &[0, 1, 2, 3, 4, 5]);
    says(group_time_effects(&one, Controls::NotYetTreated, &[], 0.95).map(|_| ()), "no interval or p-value exists");
    let household = table(&[None, None, None, None, Some(2), Some(2)], &[0, 1, 2, 3, 4, 4]);
    says(group_time_effects(&household, Controls::NotYetTreated, &[], 0.95).map(|_| ()), "1 treated cluster");
    // A group of one unit among others: no interval of its own.
    let panel = table(&[None, None, None, Some(1), Some(2), Some(2), Some(2)], &[0, 1, 2, 3, 4, 5, 6]);
    let effects = group_time_effects(&panel, Controls::NotYetTreated, &[], 0.95).unwrap();
    for one in effects.effects() {
        assert_eq!(one.effect.high.is_finite(), one.group == 2, "{one:?}");
    }
    let (observed, parts) = effects.aggregate(Aggregation::Dynamic).unwrap();
    assert!(observed.effect.high.is_finite() && parts.last().unwrap().effect.high.is_infinite(), "{parts:?}");
    let beside = table(&[None, None, Some(2), Some(2), Some(2)], &[0, 0, 1, 2, 3]);
    says(group_time_effects(&beside, Controls::NotYetTreated, &[], 0.95).map(|_| ()), "season and trend");
}

#[test]
fn units_treated_throughout_are_left_out_where_others_are_treated() {
    let starts = [None, Some(0), None, Some(2), Some(2)];
    let (panel, gone) = table(&starts, &[0, 1, 2, 3, 4]).without_treated_throughout();
    assert_eq!((panel.starts(), gone), (&[None, None, Some(2), Some(2)][..], vec![1]));
    assert_eq!(panel.series(1), table(&starts, &[0, 1, 2, 3, 4]).series(2));
    difference_in_differences(&panel, SETTINGS).unwrap();
    let (all, gone) = table(&[None, Some(0)], &[0, 1]).without_treated_throughout();
    assert!(gone.is_empty() && all.units() == 2);
}

#[test]
fn covariates_that_cannot_be_used() {
    let panel = table(&[None, None, None, Some(2), Some(2), Some(2)], &[0, 1, 2, 3, 4, 5]);
    let of = |covariates: [f64; 6]| {
        let rows: Vec<Vec<f64>> = covariates.iter().map(|&value| vec![value]).collect();
        group_time_effects(&panel, Controls::NeverTreated, &rows, 0.95)
    };
    says(of([1.0, 2.0, 3.0, 4.0, 5.0, 6.0]), "no untreated unit is comparable");
    says(of([1.0; 6]), "");
    says(of([f64::NAN, 2.0, 3.0, 1.0, 2.0, 3.0]), "undefined");
    says(group_time_effects(&panel, Controls::NeverTreated, &[vec![1.0]], 0.95), "other periods or units");
}

#[test]
fn series_that_cannot_be_used() {
    let outcome: Vec<f64> = (0..20).map(|period| f64::from(period % 3)).collect();
    let times: Vec<i64> = (0..20).collect();
    let of = |times: &[i64], outcome: &[f64], start: i64| TimeSeries::new(times, outcome, start, 0, &[]);
    of(&times, &outcome, 12).unwrap();
    let mut wrong = times.clone();
    wrong.swap(4, 5);
    says(of(&wrong, &outcome, 12), "before and after would be mixed up");
    wrong = times.iter().map(|&time| if time > 7 { time + 1 } else { time }).collect();
    says(of(&wrong, &outcome, 12), "no row for time 8");
    // A gap at the first step is no other step of all.
    wrong = times.iter().map(|&time| if time > 0 { time + 1 } else { time }).collect();
    says(of(&wrong, &outcome, 12), "row 1: no row for time 1 ");
    // No season is so long that it can't be refused.
    says(TimeSeries::new(&times, &outcome, 12, usize::MAX, &[]), "no trend or placebo can be checked");
    says(of(&times, &outcome, 0), "is theirs, not the campaign's");
    says(of(&times, &outcome, 20), "nothing was observed that the campaign could have changed");
    says(of(&times, &outcome[..19], 12), "other periods or units");
    says(of(&times, &[1.0; 20], 12), "infinitely significant");
    let mut hole = outcome.clone();
    hole[3] = f64::NAN;
    says(of(&times, &hole, 12), "undefined");
    let same = TimeSeries::new(&times, &outcome, 12, 0, &[vec![5.0; 20]]).unwrap();
    says(structural_time_series(&same, 0.95), "aren't identified");
    says(segmented_regression(&same, SegmentedSettings::default()), "aren't identified");
    for factor in [1.0, -0.3] {
        // As a file has it that was rounded.
        let multiple: Vec<f64> = outcome.iter().map(|value| ((1000.0 + factor * value) * 1234.0).round() / 1234.0).collect();
        says(TimeSeries::new(&times, &outcome, 12, 0, &[multiple]), "control 0: fits the outcome");
        let parts: [Vec<f64>; 2] = [1.0, -1.0].map(|sign| {
            let mut draw = Draw::seeded(1);
            outcome.iter().map(|value| factor * value + sign * draw.normal()).collect()
        });
        let itself = TimeSeries::new(&times, &outcome, 12, 0, &parts).unwrap();
        says(segmented_regression(&itself, SegmentedSettings::default()), "takes its effect away");
        says(structural_time_series(&itself, 0.95), "takes its effect away");
    }
    says(structural_time_series(&of(&times, &outcome, 12).unwrap(), 0.0), "empty or endless");
}

#[test]
fn donors_that_cannot_be_used() {
    let flat = vec![1.0, 2.0, 3.0, 4.0];
    let of = |start: usize, donors: usize| Donors::new(flat.clone(), vec![flat.clone(); donors], start);
    says(of(1, 3), "is theirs, not the campaign's");
    says(of(4, 3), "nothing was observed");
    says(of(2, 1), "season and trend");
    says(Donors::new(flat.clone(), vec![vec![1.0; 3]; 3], 2), "other periods or units");
    says(Donors::new(vec![f64::NAN; 4], vec![flat.clone(); 3], 2), "undefined");
    // Donors all alike: weights aren't unique, but the effect is.
    let found = synthetic_control(&of(2, 30).unwrap(), 0.95).unwrap();
    assert!(found.observed.effect.value.abs() < 1e-9 && found.observed.warnings.iter().any(|warning| warning.code == "overfit"));
    says(synthetic_control(&of(2, 3).unwrap(), 2.0), "empty or endless");
    says(synthetic_did(&four(Some(1)), SyntheticVariance::Jackknife, 0.95), "no trend or placebo can be checked");
    says(synthetic_did(&four(Some(2)), SyntheticVariance::Jackknife, 0.95), "season and trend");
    let five = table(&[None, None, None, None, Some(2)], &[0, 1, 2, 3, 4]);
    says(synthetic_did(&five, SyntheticVariance::Jackknife, 0.95), "no interval or p-value exists");
    assert!(synthetic_did(&five, SyntheticVariance::Placebo { draws: 0, seed: 0 }, 0.95).unwrap().observed.effect.std_error > 0.0);
}

#[test]
fn sensitivity_needs_periods_before() {
    let study = event_study(&four(Some(1)), None, 0.95).unwrap();
    says(relative_magnitudes(&study, 1.0), "no trend or placebo can be checked");
    says(relative_magnitudes(&study, -1.0), "can't be smaller than none");
}
