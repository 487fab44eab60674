//! What is planned is what happens.

use youhui_commerce::Draw;

use super::super::*;
use super::{moments_of, share};

/// Rejections of 2,000 experiments against the planned power.
fn assert_power(what: &str, planned: f64, rejects: impl Fn(Draw) -> Option<bool> + Sync) {
    let found = share(2000, rejects);
    println!("{what}: planned {planned:.3}, found {found:.3}");
    assert!((found - planned).abs() < 0.03, "{what}: {found} instead of {planned}");
}

fn rejects(contrast: &Contrast) -> bool {
    frequentist(contrast, Scale::Absolute, Frequentist::default()).unwrap().p_value < 0.05
}

#[test]
fn planned_units_give_the_planned_power() {
    let plan = PowerPlan { ratio: 0.5, ..PowerPlan::new(9.0) };
    let units = units_needed(&plan, 1.0, 0.8).unwrap().ceil();
    let control = (units / 1.5).round() as u64;
    let treatment = units as u64 - control;
    assert_power("unequal arms", 0.8, |mut draw| {
        let one = moments_of((0..control).map(|_| [3.0 * draw.normal()]));
        let two = moments_of((0..treatment).map(|_| [1.0 + 3.0 * draw.normal()]));
        Some(rejects(&unadjusted(Metric::mean(0), &one, &two).unwrap()))
    });
    assert!((power(&plan, units, detectable(&plan, units, 0.8).unwrap()).unwrap() - 0.8).abs() < 1e-9);
}

#[test]
fn cuped_saves_the_units_that_it_says() {
    let plan = PowerPlan::new(4.0).with_cuped(0.8);
    let units = units_needed(&plan, 0.5, 0.8).unwrap().ceil() as u64;
    let without = units_needed(&PowerPlan::new(4.0), 0.5, 0.8).unwrap();
    println!("{units} units with CUPED, {without:.0} without");
    assert_power("CUPED", 0.8, |mut draw| {
        let mut arm = |effect: f64| {
            moments_of((0..units / 2).map(|_| {
                let before = draw.normal();
                [effect + 2.0 * (0.8 * before + 0.6 * draw.normal()), before]
            }))
        };
        let adjusted = cuped(Metric::mean(0), &[Metric::mean(1)], &arm(0.0), &arm(0.5)).unwrap();
        Some(rejects(&adjusted.contrast))
    });
}

#[test]
fn clusters_need_the_rows_that_the_design_effect_says() {
    // Clusters of 1 to 9 rows: mean 5, coefficient of variation √(60/9)/5; half of the variance is the cluster's.
    let cv = (60.0_f64 / 9.0).sqrt() / 5.0;
    let plan = PowerPlan::new(1.0).with_clusters(5.0, cv, 0.5);
    let rows = units_needed(&plan, 0.4, 0.8).unwrap();
    let clusters = (rows / 10.0).round() as u64;
    assert_power("clusters", 0.8, |mut draw| {
        let mut arm = |effect: f64| {
            moments_of((0..clusters).map(|_| {
                let (size, common) = (1 + draw.below(9), draw.normal());
                let sum: f64 = (0..size).map(|_| effect + (common + draw.normal()) / std::f64::consts::SQRT_2).sum();
                [sum, size as f64]
            }))
        };
        Some(rejects(&unadjusted(Metric::ratio(0, 1), &arm(0.0), &arm(0.4)).unwrap()))
    });
}

#[test]
fn proportions_and_looking_at_any_time() {
    let plan = PowerPlan { normal: true, ..PowerPlan::proportion(0.1, 0.13) };
    let fixed = units_needed(&plan, 0.03, 0.8).unwrap();
    let always = PowerPlan { sequential: Some(Sequential { level: 0.95, tuning: fixed }), ..plan };
    let sequential = units_needed(&always, 0.03, 0.8).unwrap();
    println!("10 % to 13 %: {fixed:.0} units at a fixed horizon, {sequential:.0} to be sure of it when looking at any time");
    // n = (z_{.975} √(p̄q̄-free variances))² …: the textbook's formula.
    let textbook = 2.0 * (1.959_964 + 0.841_621_f64).powi(2) * (0.09 + 0.1131) / (0.03 * 0.03);
    assert!((fixed / textbook - 1.0).abs() < 1e-3, "{fixed} {textbook}");
    assert!(sequential > 1.3 * fixed && sequential < 2.5 * fixed);
    assert_power("sequential, at its planned look", 0.8, |mut draw| {
        let units = (sequential / 2.0).ceil() as u64;
        let mut arm = |chance: f64| Share::new((0..units).filter(|_| draw.uniform() < chance).count() as u64, units).unwrap();
        let contrast = proportion(arm(0.1), arm(0.13)).unwrap();
        Some(confidence_sequence(&contrast, Scale::Absolute, always.sequential.unwrap()).unwrap().p_value < 0.05)
    });
}

#[test]
fn achieved_power_is_that_of_the_planned_effect() {
    let plan = PowerPlan { normal: true, ..PowerPlan::new(9.0) };
    let std_error = (9.0_f64 / 250.0 + 9.0 / 250.0).sqrt();
    let planned = power(&plan, 500.0, 0.7).unwrap();
    assert!((achieved_power(std_error, 0.7, 0.05, Tail::TwoSided).unwrap() - planned).abs() < 1e-12);
    let sequential = Sequential { level: 0.95, tuning: 500.0 };
    let always = power(&PowerPlan { sequential: Some(sequential), ..plan }, 500.0, 0.7).unwrap();
    let achieved = super::super::power::achieved_power_of_sequence(std_error, 0.7, 500, sequential);
    assert!((achieved - always).abs() < 1e-12 && always < planned);
    assert!((power(&plan, 500.0, 0.0).unwrap() - 0.05).abs() < 1e-12, "without an effect it is the level");
}

#[test]
fn plans_that_cannot_be_are_refused() {
    let plan = PowerPlan::new(1.0);
    for error in [
        power(&plan, 1.0, 0.1).unwrap_err(),
        power(&PowerPlan { alpha: 0.0, ..plan }, 100.0, 0.1).unwrap_err(),
        power(&PowerPlan { variance: f64::NAN, ..plan }, 100.0, 0.1).unwrap_err(),
        units_needed(&plan, 0.0, 0.8).unwrap_err(),
        units_needed(&PowerPlan { tail: Tail::Less, ..plan }, 0.1, 0.8).unwrap_err(),
        units_needed(&plan, 0.1, 1.0).unwrap_err(),
        detectable(&plan, 100.0, 0.01).unwrap_err(),
    ] {
        assert!(matches!(error, ExperimentError::Setting { .. }), "{error}");
    }
    assert!(detectable(&PowerPlan { tail: Tail::Less, ..plan }, 100.0, 0.8).unwrap() < 0.0);
}
