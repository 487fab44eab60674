//! Learners of effects on simulated experiments whose truth is known.
#![allow(clippy::unwrap_used, reason = "a test's way to fail")]

use youhui_response::benchmark::{Setup, Simulated, nie_wager};
use youhui_response::{Experiment, Feature, FeatureValues, LEARNERS, Matrix, Model, Objective, Predictions, ResponseError, Settings, fit};

const NAMES: [&str; 10] = ["x0", "x1", "x2", "x3", "x4", "x5", "x6", "x7", "x8", "x9"];

fn columns(of: &Simulated) -> Vec<Vec<f64>> {
    (0..NAMES.len()).map(|column| (0..of.matrix.rows()).map(|row| f64::from(of.matrix.row(row)[column])).collect()).collect()
}

fn features(columns: &[Vec<f64>]) -> Vec<Feature<'_>> {
    NAMES.iter().zip(columns).map(|(name, column)| Feature { name, values: FeatureValues::Number(column) }).collect()
}

fn arms() -> [String; 2] {
    ["none".to_owned(), "coupon".to_owned()]
}

fn fitted(train: &Simulated, learner: &str, seed: u64) -> Model {
    fitted_on(&features(&columns(train)), train, learner, seed)
}

fn fitted_on(features: &[Feature<'_>], train: &Simulated, learner: &str, seed: u64) -> Model {
    let arm: Vec<u32> = train.treated.iter().map(|treated| u32::from(*treated)).collect();
    let experiment = Experiment {
        features,
        arm: &arm,
        arms: &arms(),
        control: "none",
        outcome: &train.outcome,
        cost: None,
        propensity: None,
        placebo: None,
        objective: Objective::Continuous,
        promotions: None,
    };
    fit(&experiment, &Settings::new(learner, seed)).unwrap()
}

fn predicted(model: &Model, test: &Simulated) -> Predictions {
    model.predict(&features(&columns(test)), &mut Vec::new()).unwrap()
}

fn root_mean_square(effects: &[f64], truth: &[f64]) -> f64 {
    (effects.iter().zip(truth).map(|(effect, truth)| (effect - truth).powi(2)).sum::<f64>() / truth.len() as f64).sqrt()
}

/// Against the difference of the arms' means, which is what one would say without a model.
#[test]
fn every_learner_is_nearer_to_the_truth_than_one_effect_for_all() {
    let (train, test) = (nie_wager(Setup::B, 1500, 1), nie_wager(Setup::B, 1000, 2));
    let constant = root_mean_square(&predicted(&fitted(&train, "constant", 1), &test).effects[0], &test.effect);
    for learner in LEARNERS {
        // One model that is linear in the treatment knows one effect only.
        if ["constant", "s-linear", "s-curved"].contains(&learner) {
            continue;
        }
        let error = root_mean_square(&predicted(&fitted(&train, learner, 1), &test).effects[0], &test.effect);
        assert!(error < 0.7 * constant, "{learner}: {error} against {constant}");
    }
}

/// A randomised trial whose effect is the same for all.
fn one_effect(rows: usize, seed: u64) -> Simulated {
    let mut made = nie_wager(Setup::B, rows, seed);
    for ((outcome, effect), treated) in made.outcome.iter_mut().zip(&mut made.effect).zip(&made.treated) {
        let side = if *treated { 0.5 } else { -0.5 };
        *outcome += side * (0.5 - *effect);
        *effect = 0.5;
    }
    made
}

#[test]
fn slow_auto_tells_customers_apart_where_they_differ_and_only_there() {
    let mut told = 0;
    for seed in 0..10 {
        told += u32::from(fitted(&one_effect(1000, seed), "auto", seed).card.arms[0].personalises);
    }
    assert!(told <= 2, "{told} of 10 where one effect holds for all");
    for seed in 0..4 {
        assert!(fitted(&nie_wager(Setup::B, 1000, seed), "auto", seed).card.arms[0].personalises, "seed {seed}");
    }
}

#[test]
fn slow_intervals_hold_the_truth() {
    for setup in [Setup::A, Setup::B, Setup::C, Setup::D] {
        let (mut held, mut ours, mut naive) = (0.0, 0.0, 0.0);
        const SEEDS: u64 = 4;
        for seed in 0..SEEDS {
            let (train, test) = (nie_wager(setup, 4000, seed), nie_wager(setup, 2000, seed + 100));
            let found = predicted(&fitted(&train, "auto", seed), &test);
            let inside = |((effect, error), truth): ((&f64, &f64), &f64)| (effect - truth).abs() <= 1.96 * error;
            let all = found.effects[0].iter().zip(&found.std_errors[0]).zip(&test.effect);
            held += all.filter(|&one| inside(one)).count() as f64 / test.effect.len() as f64;
            ours += root_mean_square(&found.effects[0], &test.effect);
            naive += root_mean_square(&predicted(&fitted(&train, "t-trees", seed), &test).effects[0], &test.effect);
        }
        let held = held / SEEDS as f64;
        assert!((0.85..=1.0).contains(&held), "{setup:?}: {held} of the true effects are inside");
        assert!(ours < 0.6 * naive, "{setup:?}: {ours} against {naive}");
    }
}

#[test]
fn slow_the_same_seed_gives_the_same_bytes_with_one_thread_and_with_two() {
    let train = nie_wager(Setup::D, 600, 3);
    let with = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| ["auto", "s-trees"].map(|learner| fitted(&train, learner, 9).to_bytes().unwrap()))
    };
    assert!(with(1) == with(2));
}

#[test]
fn a_model_that_is_read_again_says_the_same() {
    let (train, test) = (nie_wager(Setup::B, 400, 4), nie_wager(Setup::B, 100, 5));
    for learner in LEARNERS.into_iter().chain(["auto"]) {
        let model = fitted(&train, learner, 2);
        let read = Model::from_bytes(&model.to_bytes().unwrap().0).unwrap();
        assert_eq!(read.card.encoder, model.card.encoder, "{learner}");
        assert_eq!(predicted(&read, &test), predicted(&model, &test), "{learner}");
    }
}

#[test]
fn a_model_that_was_cut_or_changed_is_refused_or_still_predicts() {
    let (train, test) = (nie_wager(Setup::B, 400, 4), nie_wager(Setup::B, 20, 5));
    for learner in ["t-trees", "x-dense", "causal-forest", "dr-curved"] {
        let (bytes, _) = fitted(&train, learner, 2).to_bytes().unwrap();
        for cut in (0..bytes.len()).step_by(bytes.len() / 50 + 1) {
            assert!(matches!(Model::from_bytes(&bytes[..cut]), Err(ResponseError::Model(_))), "{learner} cut at {cut}");
        }
        for place in (0..bytes.len()).step_by(bytes.len() / 400 + 1) {
            let mut changed = bytes.clone();
            changed[place] ^= 0x55;
            if let Ok(model) = Model::from_bytes(&changed) {
                // Whatever it says, it does not fail.
                model.predict(&features(&columns(&test)), &mut Vec::new()).ok();
            }
        }
    }
}

/// Rows that a test makes wrong.
struct Rows {
    columns: Vec<Vec<f64>>,
    arm: Vec<u32>,
    outcome: Vec<f64>,
    objective: Objective,
    propensity: Option<Vec<Vec<f64>>>,
}

fn check(change: impl Fn(&mut Rows), expected: &str) {
    let train = nie_wager(Setup::B, 300, 6);
    let arm = train.treated.iter().map(|treated| u32::from(*treated)).collect();
    let mut rows = Rows { columns: columns(&train), arm, outcome: train.outcome, objective: Objective::Continuous, propensity: None };
    change(&mut rows);
    let experiment = Experiment {
        features: &features(&rows.columns),
        arm: &rows.arm,
        arms: &arms(),
        control: "none",
        outcome: &rows.outcome,
        cost: None,
        propensity: rows.propensity.as_deref(),
        placebo: None,
        objective: rows.objective,
        promotions: None,
    };
    let found = fit(&experiment, &Settings::new("r-linear", 1)).unwrap_err().to_string();
    assert!(found.contains(expected), "{found:?} has no {expected:?}");
}

#[test]
fn bad_rows_are_refused_with_their_place() {
    check(|rows| rows.arm.fill(0), "only one arm, \"none\"");
    check(|rows| rows.arm.fill(1), "no row has the control \"none\"");
    check(|rows| (0..300).for_each(|row| rows.arm[row] = u32::from(row < 3)), "arm \"coupon\" has 3 rows");
    check(|rows| rows.arm[7] = u32::MAX, "row 8: treatment is empty");
    check(|rows| rows.outcome[4] = f64::NAN, "row 5: outcome is empty or not a number");
    check(|rows| rows.outcome[4] = f64::INFINITY, "row 5: outcome is inf");
    check(|rows| rows.objective = Objective::Binary, "row 1: outcome is");
    check(|rows| rows.columns[3][2] = f64::INFINITY, "row 3: feature \"x3\" is inf");
    check(|rows| rows.columns.iter_mut().for_each(|column| column.fill(1.0)), "no feature tells customers apart");
    let sure = |rows: &mut Rows| {
        let mut coupon = vec![0.5; 300];
        coupon[9] = 1.0;
        rows.propensity = Some(vec![vec![0.5; 300], coupon]);
    };
    check(sure, "row 10: propensity is 1");
}

#[test]
fn odd_columns_are_left_out_or_kept_with_a_warning() {
    let train = nie_wager(Setup::B, 400, 7);
    let mut columns = columns(&train);
    columns[9].fill(3.0);
    columns[8].fill(f64::NAN);
    columns[7].iter_mut().step_by(3).for_each(|value| *value = f64::NAN);
    let codes: Vec<u32> = (0..400).collect();
    let names: Vec<String> = codes.iter().map(|code| format!("name {code}")).collect();
    let mut features = features(&columns);
    features.push(Feature { name: "many names", values: FeatureValues::Category { codes: &codes, names: &names } });
    let model = fitted_on(&features, &train, "x-trees", 1);
    assert_eq!(
        model.card.warnings,
        [
            "feature \"x8\" has no value at all: left out",
            "feature \"x9\" is 3 in every row: left out",
            "feature \"many names\" has no name that stands in 10 rows, or only one name: left out",
        ]
    );
    let found = model.predict(&features, &mut Vec::new()).unwrap();
    assert!(found.effects[0].iter().chain(&found.std_errors[0]).all(|value| value.is_finite()));
    let absent = model.predict(&features[1..], &mut Vec::new()).unwrap_err();
    assert_eq!(absent, ResponseError::FeatureAbsent { name: "x0".to_owned() });
}

/// Past 100,000 rows one fit is the prediction, and the variance of small bags is learnt.
#[test]
fn slow_many_rows_are_fitted_once() {
    let (train, test) = (nie_wager(Setup::B, 120_000, 1), nie_wager(Setup::B, 2000, 2));
    let mut last = f64::INFINITY;
    for rows in [20_000, 120_000] {
        let mut few = train.clone();
        few.matrix = Matrix::new(NAMES.len(), train.matrix.values()[..rows * NAMES.len()].to_vec());
        few.treated.truncate(rows);
        few.outcome.truncate(rows);
        let model = fitted(&few, "t-trees", 1);
        let found = predicted(&model, &test);
        let error = root_mean_square(&found.effects[0], &test.effect);
        assert!(error < last, "{error} with {rows} rows, {last} with fewer");
        last = error;
        let read = Model::from_bytes(&model.to_bytes().unwrap().0).unwrap();
        assert_eq!(predicted(&read, &test), found);
    }
    assert!(last < 0.25, "{last}");
}

/// Whatever the currency's minor unit: as many digits are learnt.
#[test]
fn units_change_nothing() {
    let (train, test) = (nie_wager(Setup::B, 1500, 4), nie_wager(Setup::B, 500, 5));
    for learner in ["t-trees", "r-curved", "t-dense", "network"] {
        for unit in [1e-9, 1e12] {
            let mut other = train.clone();
            other.outcome.iter_mut().for_each(|outcome| *outcome *= unit);
            let model = fitted(&other, learner, 1);
            let read = Model::from_bytes(&model.to_bytes().unwrap().0).unwrap();
            let (plain, found) = (predicted(&fitted(&train, learner, 1), &test), predicted(&read, &test));
            let effects: Vec<f64> = found.effects[0].iter().map(|effect| effect / unit).collect();
            let error = root_mean_square(&effects, &plain.effects[0]);
            assert!(error < 0.3, "{learner}, {unit}: {error} apart");
            let mean = model.card.arms[0].mean_effect / unit;
            assert!((0.3..2.0).contains(&mean), "{learner}, {unit}: mean {mean}");
        }
    }
}

/// A control that never spent has no spread to divide by: the figures stay numbers, and the model can be read again.
#[test]
fn a_control_without_spread_is_no_obstacle() {
    let mut train = nie_wager(Setup::B, 600, 4);
    for (outcome, treated) in train.outcome.iter_mut().zip(&train.treated) {
        *outcome = if *treated { 5.0 + *outcome } else { 0.0 };
    }
    let model = fitted(&train, "t-linear", 1);
    Model::from_bytes(&model.to_bytes().unwrap().0).unwrap();
}
