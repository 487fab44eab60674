//! The same figures as statsmodels 0.14.6, pyfixest 0.60.0, diff-diff 3.13.0, drdid 1.1.7 and pysyncon 1.7.0. Their answers were written by
//! `benches/peers/evaluation/observational_cases.py`.

use serde_json::Value;

use super::super::structural::Filtered;
use super::*;

const SETTINGS: DidSettings = DidSettings { level: 0.95, placebo_draws: 0, seed: 0 };

fn cases(kind: &str) -> Vec<Value> {
    let all: Value = serde_json::from_str(include_str!("peers.json")).unwrap();
    all[kind].as_array().unwrap().clone()
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|value| value.as_f64().unwrap()).collect()
}

fn table(value: &Value) -> Vec<Vec<f64>> {
    value.as_array().unwrap().iter().map(numbers).collect()
}

fn place(value: &Value) -> usize {
    usize::try_from(value.as_u64().unwrap()).unwrap()
}

fn panel(case: &Value, clustered: bool) -> Panel {
    let y = table(&case["y"]);
    let starts: Vec<Option<usize>> = case["start"].as_array().unwrap().iter().map(|start| start.as_u64().map(|_| place(start))).collect();
    let cluster = case["cluster"].as_array().unwrap().iter().map(|cluster| cluster.as_u64().unwrap());
    let clusters: Vec<u64> = if clustered { cluster.collect() } else { (0..y.len() as u64).collect() };
    Panel::from_table(&y, &starts, &clusters).unwrap()
}

/// How far from the peer at most, and over how many figures.
struct Tally {
    what: &'static str,
    inputs: usize,
    figures: usize,
    worst: f64,
}

impl Tally {
    const fn of(what: &'static str) -> Self {
        Self { what, inputs: 0, figures: 0, worst: 0.0 }
    }

    fn compare(&mut self, found: &[f64], peer: &[f64], tolerance: f64) {
        assert_eq!(found.len(), peer.len(), "{}", self.what);
        self.inputs += 1;
        for (place, (found, peer)) in found.iter().zip(peer).enumerate() {
            let apart = (found - peer).abs() / peer.abs().max(1e-3);
            assert!(apart < tolerance, "{}, figure {place}: {found}, the peer says {peer} ({apart:e})", self.what);
            self.worst = self.worst.max(apart);
            self.figures += 1;
        }
    }
}

impl Drop for Tally {
    fn drop(&mut self) {
        println!("{}: {} inputs, {} figures, at most {:e} apart", self.what, self.inputs, self.figures, self.worst);
    }
}

fn pair(effect: &ObservedEffect) -> [f64; 2] {
    [effect.value, effect.std_error]
}

#[test]
fn differences_are_those_of_statsmodels_and_pyfixest() {
    let mut tally = Tally::of("statsmodels, differences");
    let mut fixed = Tally::of("pyfixest, two-way fixed effects");
    let mut study = Tally::of("pyfixest, event study");
    for case in cases("common") {
        let panel = panel(&case, true);
        tally.compare(&pair(&difference_in_differences(&panel, SETTINGS).unwrap().effect), &numbers(&case["differences"]), 1e-6);
        let found = event_study(&panel, None, 0.95).unwrap();
        for (found, peer) in found.coefficients.iter().zip(table(&case["study"])) {
            study.compare(&[found.relative as f64, found.effect.value, found.effect.std_error], &peer, 1e-6);
        }
    }
    for case in cases("common").iter().chain(&cases("several")) {
        let found = two_way_fixed_effects(&panel(case, true), SETTINGS).unwrap();
        fixed.compare(&pair(&found.observed.effect), &numbers(&case["two_way"]), 1e-6);
    }
}

#[test]
fn group_time_effects_are_those_of_diff_diff() {
    let mut cells = Tally::of("diff-diff, group-time effects");
    let mut averages = Tally::of("diff-diff, their averages");
    for case in cases("several") {
        for peer in case["group_time"].as_array().unwrap() {
            let clustered = peer["clustered"].as_bool().unwrap();
            let panel = panel(&case, clustered);
            // Theirs has G/(G − 1) where clusters are named and not where units are clusters; ours never, as R's did.
            let count = panel.cluster_count() as f64;
            let factor = if clustered { (count / (count - 1.0)).sqrt() } else { 1.0 };
            let pair = |effect: &ObservedEffect| [effect.value, effect.std_error * factor];
            let controls = if peer["controls"] == "never_treated" { Controls::NeverTreated } else { Controls::NotYetTreated };
            let found = group_time_effects(&panel, controls, &[], 0.95).unwrap();
            for (effect, peer) in found.effects().iter().zip(table(&peer["cells"])) {
                let [value, std_error] = pair(&effect.effect);
                cells.compare(&[effect.group as f64, effect.time as f64, value, std_error], &peer, 1e-6);
            }
            let of = |aggregation| found.aggregate(aggregation).unwrap();
            averages.compare(&pair(&of(Aggregation::Simple).0.effect), &numbers(&peer["simple"]), 1e-6);
            for (aggregation, name) in [(Aggregation::Group, "group"), (Aggregation::Dynamic, "event_study")] {
                for (part, peer) in of(aggregation).1.iter().zip(table(&peer[name])) {
                    let [value, std_error] = pair(&part.effect);
                    averages.compare(&[part.part as f64, value, std_error], &peer, 1e-6);
                }
            }
        }
    }
}

#[test]
fn doubly_robust_effects_are_those_of_drdid() {
    let mut tally = Tally::of("drdid, group-time effects with a covariate");
    for case in cases("several") {
        let covariates: Vec<Vec<f64>> = numbers(&case["x"]).into_iter().map(|x| vec![x]).collect();
        let panel = panel(&case, false);
        let found = group_time_effects(&panel, Controls::NeverTreated, &covariates, 0.95).unwrap();
        let peers = table(&case["doubly_robust"]);
        assert_eq!(found.effects().len(), peers.len());
        for (found, peer) in found.effects().iter().zip(peers) {
            let [value, std_error] = pair(&found.effect);
            tally.compare(&[found.group as f64, found.time as f64, value, std_error], &peer, 1e-6);
        }
    }
}

#[test]
fn synthetic_controls_are_those_of_pysyncon() {
    let mut tally = Tally::of("pysyncon, effect and error before");
    for case in cases("controls") {
        let series = Donors::new(numbers(&case["treated"]), table(&case["donors"]), place(&case["start"])).unwrap();
        let found = synthetic_control(&series, 0.95).unwrap();
        let peer = [case["effect"].as_f64().unwrap(), case["rmspe"].as_f64().unwrap()];
        assert!(found.rmspe_before <= peer[1] * (1.0 + 1e-12), "ours is the best fit: {} and {}", found.rmspe_before, peer[1]);
        // Its solver stops short of the best fit.
        tally.compare(&[found.observed.effect.value, found.rmspe_before], &peer, 1e-5);
    }
}

#[test]
fn synthetic_differences_are_near_those_of_diff_diff() {
    let mut zeta = Tally::of("diff-diff, synthetic differences: ζ");
    let mut tally = Tally::of("diff-diff, synthetic differences: effect and standard error");
    for case in cases("common").iter().filter(|case| case["synthetic"].is_object()) {
        let found = synthetic_did(&panel(case, false), SyntheticVariance::Jackknife, 0.95).unwrap();
        let peer = &case["synthetic"];
        zeta.compare(&[found.regularisation], &[peer["zeta"].as_f64().unwrap()], 1e-6);
        tally.compare(&pair(&found.observed.effect), &[peer["effect"].as_f64().unwrap(), peer["se"].as_f64().unwrap()], 1e-3);
    }
}

#[test]
fn segmented_regressions_are_those_of_statsmodels() {
    let mut tally = Tally::of("statsmodels, segmented regression with HAC variance");
    for case in cases("lines") {
        let outcome = numbers(&case["y"]);
        let times: Vec<i64> = (0..i64::try_from(outcome.len()).unwrap()).collect();
        let series =
            TimeSeries::new(&times, &outcome, case["start"].as_i64().unwrap(), place(&case["season"]), &[numbers(&case["control"])]);
        let settings = SegmentedSettings { lags: Some(place(&case["lags"])), fixed_b: false, ..SegmentedSettings::default() };
        let found = segmented_regression(&series.unwrap(), settings).unwrap();
        let effects = [&found.observed.effect, &found.level_change, found.slope_change.as_ref().unwrap()];
        tally.compare(&effects.map(pair).concat(), &numbers(&case["answers"]), 1e-6);
    }
}

#[test]
fn local_levels_are_those_of_statsmodels() {
    let mut tally = Tally::of("statsmodels, local level with a control: slope, its variance, forecasts and theirs");
    for case in cases("levels") {
        let outcome = numbers(&case["y"]);
        let times: Vec<i64> = (0..i64::try_from(outcome.len()).unwrap()).collect();
        let series = TimeSeries::new(&times, &outcome, case["start"].as_i64().unwrap(), 0, &[numbers(&case["control"])]).unwrap();
        let [noise, step] = ["noise", "step"].map(|name| case[name].as_f64().unwrap());
        let found = Filtered::new(&series, noise, step).unwrap();
        let mut figures = vec![found.coefficients[1], found.bread[1][1]];
        let mut peer = vec![case["slope"].as_f64().unwrap(), case["slope_variance"].as_f64().unwrap()];
        for (at, (mean, variance)) in numbers(&case["mean"]).into_iter().zip(numbers(&case["variance"])).enumerate() {
            let of: Vec<f64> = (0..series.after()).map(|other| f64::from(u8::from(other == at))).collect();
            let (effect, spread) = found.effect(&series, &of);
            figures.extend([outcome[series.start + at] - effect, spread]);
            peer.extend([mean, variance]);
        }
        tally.compare(&figures, &peer, 1e-6);
    }
}
