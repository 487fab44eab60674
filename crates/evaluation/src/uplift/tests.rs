use serde_json::Value;
use youhui_commerce::Draw;

use super::*;

fn numbers(case: &Value, name: &str) -> Vec<f64> {
    case[name].as_array().unwrap().iter().map(|value| value.as_f64().unwrap()).collect()
}

fn ranked(case: &Value) -> Ranked {
    let treated: Vec<bool> = numbers(case, "treated").iter().map(|&treated| treated == 1.0).collect();
    Ranked::new(&numbers(case, "score"), &numbers(case, "y"), &treated, None)
}

/// Where scikit-uplift gives no number, neither do we.
fn check(case: &Value, name: &str, found: Option<f64>) {
    let expected = case[name].as_f64();
    let same = match (found, expected) {
        (Some(found), Some(expected)) => (found - expected).abs() < 1e-6,
        (found, expected) => found.is_none() && expected.is_none(),
    };
    assert!(same, "{}, {name}: {found:?}, scikit-uplift says {expected:?}", case["name"]);
}

#[test]
fn metrics_are_those_of_scikit_uplift() {
    // Written by benches/peers/uplift/sklift_cases.py.
    let cases: Vec<Value> = serde_json::from_str(include_str!("sklift_cases.json")).unwrap();
    assert_eq!(cases.len(), 6);
    for case in &cases {
        let ranked = ranked(case);
        let view = ranked.whole();
        check(case, "qini", qini(&view, true));
        check(case, "qini_no_negative", qini(&view, false));
        check(case, "auuc", auuc(&view));
        check(case, "at_30_overall", uplift_at_k(&view, 0.3, Strategy::Overall));
        check(case, "at_30_by_group", uplift_at_k(&view, 0.3, Strategy::ByGroup));
        check(case, "at_10_overall", uplift_at_k(&view, 0.1, Strategy::Overall));
        check(case, "at_10_by_group", uplift_at_k(&view, 0.1, Strategy::ByGroup));
    }
}

/// A trial of one treatment: scores that know the effect of each row or know nothing.
fn trial(rows: usize, seed: u64, knows: bool) -> Ranked {
    let mut draw = Draw::seeded(seed);
    let (mut scores, mut outcomes, mut treated, mut costs) = (vec![], vec![], vec![], vec![]);
    for _ in 0..rows {
        let effect = 0.4 * draw.uniform();
        let is_treated = draw.uniform() < 0.5;
        let responds = draw.uniform() < 0.2 + if is_treated { effect } else { 0.0 };
        scores.push(if knows { effect } else { draw.uniform() });
        outcomes.push(f64::from(u8::from(responds)));
        treated.push(is_treated);
        costs.push(if is_treated { 1.0 } else { 0.0 });
    }
    Ranked::new(&scores, &outcomes, &treated, Some(&costs))
}

const OFTEN: Resampling = Resampling { bootstrap: 200, permutations: 199, seed: 7 };

#[test]
fn knowledge_is_told_from_chance() {
    let knowing = judge_ranking(&trial(4_000, 1, true), OFTEN);
    let of = |judged: &[Judged], name: &str| judged.iter().find(|judged| judged.metric == name).unwrap().clone();
    for name in ["qini", "auuc", "aucc", "uplift_at_30_by_group"] {
        let judged = of(&knowing, name);
        let (low, high, null) = (judged.low.unwrap(), judged.high.unwrap(), judged.null.unwrap());
        assert!((low..=high).contains(&judged.value.unwrap()), "{name}");
        assert!(null.p <= 0.01 && null.mean + 2.0 * null.spread < judged.value.unwrap(), "{name}: {null:?}");
    }
    let guessing = judge_ranking(&trial(4_000, 2, false), OFTEN);
    assert!(of(&guessing, "qini").null.unwrap().p > 0.02);
    // A random ranking buys half: the null's mean.
    assert!((of(&guessing, "aucc").null.unwrap().mean - 0.5).abs() < 0.02);
}

#[test]
fn p_values_of_guesses_are_uniform() {
    let small = Resampling { bootstrap: 0, permutations: 19, seed: 3 };
    let p = |seed: u64| judge_ranking(&trial(120, seed, false), small)[0].null.as_ref().unwrap().p;
    let low = (0..400).filter(|&seed| p(seed) <= 0.1 + 1e-9).count();
    assert!((20..=62).contains(&low), "{low} of 400 guesses have p up to .1: about 40 are wanted");
}

#[test]
fn intervals_cover_the_value_of_many_rows() {
    let truth = uplift_at_k(&trial(400_000, 99, true).whole(), 0.3, Strategy::Overall).unwrap();
    let few = Resampling { bootstrap: 100, permutations: 0, seed: 5 };
    let covers = |seed: u64| {
        let judged =
            judge_ranking(&trial(800, seed, true), few).into_iter().find(|judged| judged.metric == "uplift_at_30_overall").unwrap();
        (judged.low.unwrap()..=judged.high.unwrap()).contains(&truth)
    };
    let covered = (0..200).filter(|&seed| covers(seed)).count();
    assert!((179..=198).contains(&covered), "{covered} of 200 intervals cover");
}

#[test]
fn threads_do_not_change_a_bit() {
    let ranked = trial(500, 4, true);
    let with = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| judge_ranking(&ranked, OFTEN))
    };
    assert_eq!(with(1), with(3));
}

#[test]
fn what_is_undefined_has_no_number() {
    let none = Ranked::new(&[1.0, 2.0, 3.0], &[0.0; 3], &[true, false, true], None);
    assert_eq!((qini(&none.whole(), true), auuc(&none.whole())), (None, None));
    let amounts = Ranked::new(&[1.0, 2.0, 3.0], &[5.0, 0.5, 2.0], &[true, false, true], None);
    let judged = judge_ranking(&amounts, Resampling { bootstrap: 5, permutations: 5, seed: 1 });
    assert!(judged.iter().filter(|judged| judged.metric.starts_with("qini")).all(|judged| judged.value.is_none() && judged.null.is_none()));
    let equal = trial(300, 8, true);
    let equal = Ranked::new(&vec![0.5; 300], &equal_outcomes(&equal), &equal_treated(&equal), None);
    assert!(equal.distinct_scores() == 1 && qini(&equal.whole(), true).unwrap().abs() < 1e-12);
}

fn equal_outcomes(ranked: &Ranked) -> Vec<f64> {
    (0..ranked.rows()).map(|place| ranked.whole().row(place).outcome).collect()
}

fn equal_treated(ranked: &Ranked) -> Vec<bool> {
    (0..ranked.rows()).map(|place| ranked.whole().row(place).treated).collect()
}

/// Three arms by lot with unequal chances that depend on the row, and what is best for each row known.
fn choices(rows: usize, seed: u64) -> (Choices, f64) {
    let mut draw = Draw::seeded(seed);
    let arms = ["none", "mail", "coupon"].map(str::to_owned).to_vec();
    let mut all = Choices { arms, arm: vec![], outcomes: vec![], chances: vec![], scores: vec![vec![], vec![]] };
    let mut truth = 0.0;
    for _ in 0..rows {
        let (x, z) = (draw.normal(), draw.normal());
        // Who profits from mail is likelier to have it.
        let mail = 0.2 + 0.4 / (1.0 + (-x).exp());
        let chances = [0.9 - mail, mail, 0.1];
        let lot = draw.uniform();
        let arm = if lot < chances[0] {
            0
        } else if lot < chances[0] + mail {
            1
        } else {
            2
        };
        let effects = [0.0, x, z - 0.2];
        all.outcomes.push(x * x + effects[arm] + draw.normal());
        all.arm.push(arm);
        all.chances.push(chances[arm]);
        all.scores[0].push(effects[1]);
        all.scores[1].push(effects[2]);
        truth += (x * x + effects.into_iter().fold(0.0, f64::max)) / rows as f64;
    }
    (all, truth)
}

#[test]
fn policies_are_worth_what_they_are_worth() {
    let few = Resampling { bootstrap: 100, permutations: 0, seed: 5 };
    let (_, truth) = choices(400_000, 999);
    let mut covered = [0, 0];
    for seed in 0..100 {
        let (choices, _) = choices(1_000, seed);
        let judged = judge_policy(&choices, few);
        for (covered, judged) in covered.iter_mut().zip(&judged) {
            *covered += usize::from((judged.low.unwrap()..=judged.high.unwrap()).contains(&truth));
        }
    }
    assert!(covered.iter().all(|covered| (87..=99).contains(covered)), "{covered:?} of 100 intervals cover");
}

#[test]
fn a_policy_that_knows_beats_the_best_single_arm_and_chance() {
    let (choices, _) = choices(4_000, 1);
    let judged = judge_policy(&choices, OFTEN);
    let gain = judged.iter().find(|judged| judged.metric.starts_with("policy_gain_over_all_")).unwrap();
    assert!(gain.low.unwrap() > 0.0 && gain.null.as_ref().unwrap().p < 0.02, "{gain:?}");
    let names: Vec<&str> = judged.iter().map(|judged| judged.metric.as_str()).collect();
    assert_eq!(&names[3..], ["all_none_value_dr", "all_mail_value_dr", "all_coupon_value_dr"]);
}
