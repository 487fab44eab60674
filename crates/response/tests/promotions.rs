//! Promotions that were not run, foreseen from those that were, in simulated trials whose truth is known.
#![allow(clippy::unwrap_used, reason = "a test's way to fail")]

use youhui_commerce::Draw;
use youhui_response::{
    Described, Describes, Experiment, Feature, FeatureValues, Model, Objective, Promotion, Promotions, ResponseError, Settings, fit,
};

/// Percent off and a coupon, each of several depths.
const RUN: [(&str, f64); 7] =
    [("percent", 0.05), ("percent", 0.1), ("percent", 0.2), ("percent", 0.3), ("coupon", 0.05), ("coupon", 0.15), ("coupon", 0.3)];

/// The mean effect: deeper does more, and less and less so.
fn truth(kind: &str, depth: f64) -> f64 {
    let size = if kind == "percent" { 6.0 } else { 4.0 };
    size * depth.sqrt()
}

fn name(kind: &str, depth: f64) -> String {
    format!("{kind} {depth}")
}

fn table(of: &[(&str, f64)]) -> Promotions {
    let column = |name: &str| Describes { name: name.to_owned(), relative_to: None, dose: false };
    let row = |(kind, depth): &(&str, f64)| Promotion {
        name: name(kind, *depth),
        cells: vec![Described::Name((*kind).to_owned()), Described::Number(*depth)],
    };
    Promotions { columns: vec![column("kind"), column("depth")], rows: of.iter().map(row).collect() }
}

struct Rows {
    x: [Vec<f64>; 2],
    arm: Vec<u32>,
    arms: Vec<String>,
    outcome: Vec<f64>,
}

/// `rows` of a trial of some promotions; a customer's effect is the mean one times 1 + x0.
fn trial(of: &[(&str, f64)], rows: usize, seed: u64) -> Rows {
    let mut draw = Draw::seeded(seed);
    let arms = std::iter::once("none".to_owned()).chain(of.iter().map(|(kind, depth)| name(kind, *depth))).collect();
    let mut made = Rows { x: [vec![], vec![]], arm: vec![], arms, outcome: vec![] };
    for _ in 0..rows {
        let (x0, x1) = (draw.uniform() - 0.5, draw.normal());
        let arm = draw.below(of.len() + 1);
        let effect = arm.checked_sub(1).map_or(0.0, |place| truth(of[place].0, of[place].1) * (1.0 + x0));
        made.x[0].push(x0);
        made.x[1].push(x1);
        made.arm.push(u32::try_from(arm).unwrap());
        made.outcome.push(x1 + effect + draw.normal());
    }
    made
}

fn features(x: &[Vec<f64>; 2]) -> [Feature<'_>; 2] {
    [Feature { name: "x0", values: FeatureValues::Number(&x[0]) }, Feature { name: "x1", values: FeatureValues::Number(&x[1]) }]
}

fn fitted(rows: &Rows, promotions: &Promotions, learner: &str) -> Result<Model, ResponseError> {
    let experiment = Experiment {
        features: &features(&rows.x),
        arm: &rows.arm,
        arms: &rows.arms,
        control: "none",
        outcome: &rows.outcome,
        cost: None,
        propensity: None,
        placebo: None,
        objective: Objective::Continuous,
        promotions: Some(promotions),
    };
    fit(&experiment, &Settings::new(learner, 1))
}

/// Effects and standard errors on customers with x0 = 0 and x0 = 0.4.
fn foreseen(model: &Model, kind: &str, depth: f64) -> [(f64, f64); 2] {
    let x = [vec![0.0, 0.4], vec![0.0, 0.0]];
    let found = model.foresee(&features(&x), &table(&[(kind, depth)]), &mut Vec::new()).unwrap();
    [0, 1].map(|row| (found.effects[0][row], found.std_errors[0][row]))
}

/// Each promotion left out in turn: its effect on two customers lies inside the interval, which is useful.
#[test]
fn a_promotion_left_out_is_foreseen() {
    let (mut inside, mut all, mut error, mut naive) = (0.0, 0.0, 0.0, 0.0);
    for seed in 0..2 {
        for (out, (kind, depth)) in RUN.into_iter().enumerate() {
            let rest: Vec<(&str, f64)> = RUN.iter().enumerate().filter(|(place, _)| *place != out).map(|(_, of)| *of).collect();
            let model = fitted(&trial(&rest, 4000, seed), &table(&rest), "r-linear").unwrap();
            let mean = rest.iter().map(|(kind, depth)| truth(kind, *depth)).sum::<f64>() / rest.len() as f64;
            for ((effect, std_error), x0) in foreseen(&model, kind, depth).into_iter().zip([0.0, 0.4]) {
                let truth = truth(kind, depth) * (1.0 + x0);
                inside += f64::from(u8::from((effect - truth).abs() < 1.96 * std_error));
                all += 1.0;
                error += (effect - truth).powi(2);
                naive += (mean * (1.0 + x0) - truth).powi(2);
            }
        }
    }
    assert!(inside / all > 0.85, "{inside} of {all} inside");
    assert!(error < 0.2 * naive, "squared error {error} against {naive} of the others' mean");
}

#[test]
fn the_further_from_what_was_run_the_wider() {
    let model = fitted(&trial(&RUN, 4000, 1), &table(&RUN), "network").unwrap();
    let widths = [0.25, 0.6, 1.5].map(|depth| foreseen(&model, "percent", depth)[0].1);
    assert!(widths.is_sorted(), "{widths:?}");
    let strange = foreseen(&model, "gift", 0.2)[0].1;
    assert!(strange > widths[0], "{strange} for a kind that was never run, {widths:?}");
    // One that was run is told by its own model.
    let mut warnings = Vec::new();
    let x = [vec![0.1], vec![0.0]];
    let own = model.predict(&features(&x), &mut warnings).unwrap();
    assert_eq!(model.foresee(&features(&x), &table(&[("percent", 0.05)]), &mut warnings).unwrap().effects[0], {
        let place = model.card.treatments.iter().position(|treatment| treatment == "percent 0.05").unwrap();
        own.effects[place].clone()
    });
    assert_eq!(warnings, Vec::<String>::new());
}

/// A kind that was never run lies far from all, and not where nothing is offered.
#[test]
fn of_a_new_kind_next_to_nothing_is_known() {
    let of: Vec<(&str, f64)> = vec![("percent", 0.2), ("coupon", 0.2), ("gift", 0.2), ("points", 0.2)];
    let model = fitted(&trial(&of, 4000, 2), &table(&of), "r-linear").unwrap();
    let mut warnings = Vec::new();
    let x = [vec![0.0], vec![0.0]];
    let found = model.foresee(&features(&x), &table(&[("bundle", 0.2)]), &mut warnings).unwrap();
    assert!(warnings[0].contains("bundle was never seen"), "{warnings:?}");
    let (effect, std_error) = (found.effects[0][0], found.std_errors[0][0]);
    assert!((effect - truth("coupon", 0.2)).abs() < 1.96 * std_error && std_error > 0.2, "{effect} ± {std_error}");
}

#[test]
fn a_promotion_without_a_place_is_refused() {
    let model = fitted(&trial(&RUN, 900, 1), &table(&RUN), "r-linear").unwrap();
    let x = [vec![0.0], vec![0.0]];
    let check = |change: &dyn Fn(&mut Promotion), expected: &str| {
        let mut promotions = table(&[("percent", 0.25)]);
        change(&mut promotions.rows[0]);
        let mut warnings = Vec::new();
        let found = model.foresee(&features(&x), &promotions, &mut warnings);
        let said = found.map_or_else(|error| error.to_string(), |_| warnings.join(" "));
        assert!(said.contains(expected), "{said:?} has no {expected:?}");
    };
    check(&|row| row.cells[1] = Described::Name("25%".to_owned()), "has \"25%\", where the model knows numbers, as \"depth\"");
    check(&|row| row.cells[1] = Described::Number(1e300), "more than 1000 times 0.3, the largest that was run, as \"depth\"");
    check(&|row| "none".clone_into(&mut row.name), "is the control, which offers nothing");
    check(&|row| "percent 0.05".clone_into(&mut row.name), "was run with other descriptors");
}

/// A network whose dose may only do more.
#[test]
fn more_of_a_dose_never_does_less() {
    let of: Vec<(&str, f64)> = RUN.iter().copied().filter(|(kind, _)| *kind == "percent").collect();
    let mut promotions = table(&of);
    promotions.columns[1].dose = true;
    let model = fitted(&trial(&of, 3000, 3), &promotions, "network").unwrap();
    let x = [vec![-0.4, 0.0, 0.3], vec![1.0, 0.0, -1.0]];
    let found = model.predict(&features(&x), &mut Vec::new()).unwrap();
    let mut by_depth: Vec<(&str, &Vec<f64>)> = model.card.treatments.iter().map(String::as_str).zip(&found.effects).collect();
    by_depth.sort_by(|one, other| one.0.cmp(other.0));
    for row in 0..3 {
        let effects: Vec<f64> = by_depth.iter().map(|(_, effects)| effects[row]).collect();
        assert!(effects.is_sorted(), "{effects:?}");
    }
    let read = Model::from_bytes(&model.to_bytes().unwrap().0).unwrap();
    assert_eq!(read.predict(&features(&x), &mut Vec::new()).unwrap(), found);
}

#[test]
fn a_table_that_does_not_fit_is_refused() {
    let rows = trial(&RUN, 900, 1);
    let check = |change: &dyn Fn(&mut Promotions), expected: &str| {
        let mut promotions = table(&RUN);
        change(&mut promotions);
        let found = fitted(&rows, &promotions, "r-linear").unwrap_err().to_string();
        assert!(found.contains(expected), "{found:?} has no {expected:?}");
    };
    check(&|table| drop(table.rows.pop()), "promotion \"coupon 0.3\" has no row in the table of promotions");
    check(&|table| table.rows[1] = table.rows[0].clone(), "stands in the table of promotions twice");
    check(&|table| table.rows[0].cells[1] = Described::Number(f64::INFINITY), "has inf as \"depth\": has to be a finite number");
    check(&|table| table.columns[0].dose = true, "has \"percent\" as \"kind\": has to be a number");
    check(
        &|table| table.columns[1].relative_to = Some("basket".to_owned()),
        "is to be relative to \"basket\", which is no numeric feature",
    );
    let model = fitted(&rows, &table(&RUN), "r-linear").unwrap();
    let mut other = table(&RUN);
    other.columns[1].name = "deep".to_owned();
    let x = [vec![0.0], vec![0.0]];
    let found = model.foresee(&features(&x), &other, &mut Vec::new()).unwrap_err().to_string();
    assert!(found.contains("has the columns kind, deep, and the model was fitted with kind, depth"), "{found}");
}
