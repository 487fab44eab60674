//! Beside scikit-learn's ridge: what `benches/peers/evaluation/fairness_cases.py` wrote.

use serde_json::Value;

use super::super::*;
use crate::experiment::Moments;

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|number| number.as_f64().unwrap()).collect()
}

fn lists(value: &Value) -> Vec<Vec<f64>> {
    value.as_array().unwrap().iter().map(numbers).collect()
}

#[test]
fn the_surrogate_index_is_scikit_learns_ridge() {
    let cases: Vec<Value> = serde_json::from_str(include_str!("ridge.json")).unwrap();
    let (mut figures, mut worst) = (0, 0.0_f64);
    let mut same = |what: &str, ours: f64, theirs: f64| {
        let apart = (ours - theirs).abs() / theirs.abs().max(1e-9);
        assert!(apart < 1e-6, "{what}: {ours} beside {theirs}");
        (figures, worst) = (figures + 1, worst.max(apart));
    };
    for case in &cases {
        let (columns, outcome) = (lists(&case["x"]), numbers(&case["y"]));
        let (columns, names): (Vec<&[f64]>, Vec<&str>) = columns.iter().map(|column| (column.as_slice(), "surrogate")).unzip();
        let settings = SurrogateFit { penalties: vec![case["penalty"].as_f64().unwrap()], ..SurrogateFit::default() };
        let index = SurrogateIndex::fit(&columns, &names, &outcome, "EUR", &settings).unwrap();
        index.slopes.iter().zip(numbers(&case["slopes"])).for_each(|(ours, theirs)| same("slope", *ours, theirs));
        same("intercept", index.intercept, case["intercept"].as_f64().unwrap());
        let [held_out, treated] = ["held_out", "treated"].map(|arm| {
            let mut moments = Moments::empty(columns.len());
            lists(&case[arm]).iter().for_each(|row| moments.push(row));
            moments
        });
        let found = index.effect(&held_out, &treated, 0.95).unwrap();
        same("effect", found.effect.value, case["effect"].as_f64().unwrap());
        let sampling = found.effect.std_error * (1.0 - found.variance_of_fit).sqrt();
        same("standard error", sampling, case["std_error_of_sampling"].as_f64().unwrap());
    }
    println!("{} inputs, {figures} figures: largest relative difference {worst:.1e}", cases.len());
    assert_eq!(cases.len(), 20);
}
