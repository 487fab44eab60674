//! Whole experiments.

use youhui_commerce::Draw;

use super::super::*;
use super::{moments_of, share};

/// Revenue, refunds, revenue before.
fn shopper(draw: &mut Draw, effect: f64, harm: f64) -> [f64; 3] {
    let before = draw.normal();
    [20.0 + effect + 3.0 * before + 2.0 * draw.normal(), 1.0 + harm + 0.5 * draw.normal(), 20.0 + 3.0 * before]
}

fn plan(engine: Engine, scale: Scale) -> AnalysisPlan {
    let metric = |name: &str, better: Better, role: Role| MetricPlan { name: name.into(), unit: "EUR per customer".into(), better, role };
    AnalysisPlan {
        arms: vec!["none".into(), "5 off".into(), "10 off".into()],
        weights: vec![2.0, 1.0, 1.0],
        control: 0,
        metrics: vec![
            metric("revenue", Better::Higher, Role::Goal),
            metric("refunds", Better::Lower, Role::Guardrail { margin: 0.1 }),
            metric("refund share", Better::Lower, Role::Secondary),
        ],
        covariates: vec![(Metric::mean(2), "revenue before".into())],
        scale,
        engine,
        level: 0.95,
        adjust: Adjust::Holm,
        planned: Some(Planned { units: 2000, effect: 1.0 }),
    }
}

/// Revenue with CUPED, refunds, and their ratio.
fn estimate(arms: &[Moments]) -> impl Fn(usize, usize) -> Result<Estimated, ExperimentError> + '_ {
    let metrics = [(Metric::mean(0), vec![Metric::mean(2)]), (Metric::mean(1), vec![]), (Metric::ratio(1, 0), vec![])];
    move |metric, arm| from_moments(metrics[metric].0, &metrics[metric].1, &arms[0], &arms[arm])
}

fn arms(draw: &mut Draw, effects: [f64; 2], harm: f64) -> Vec<Moments> {
    let mut arm = |units: u64, effect: f64, harm: f64| moments_of((0..units).map(|_| shopper(draw, effect, harm)));
    vec![arm(1000, 0.0, 0.0), arm(500, effects[0], 0.0), arm(500, effects[1], harm)]
}

#[test]
fn each_arm_gets_its_decision_under_every_engine() {
    let arms = arms(&mut Draw::seeded(3), [1.0, 1.0], 0.5);
    let engines = [
        Engine::Frequentist,
        Engine::Sequential { tuning: 2000.0 },
        Engine::Bayesian(Some(Prior { mean: 0.0, sd: 2.0, scale: Scale::Absolute })),
    ];
    for engine in engines {
        let found = analyse(&plan(engine, Scale::Absolute), &arms, estimate(&arms), vec![]).unwrap();
        let verdicts: Vec<Verdict> = found.arms.iter().map(|arm| arm.decision.verdict).collect();
        assert_eq!(verdicts, [Verdict::Ship, Verdict::RollBack], "{engine:?}: {found:#?}");
        let revenue = &found.arms[0].metrics[0];
        assert!(revenue.low < 1.0 && revenue.high > 1.0 && revenue.n == 1500 && revenue.unit == "EUR per customer");
        assert!((revenue.variance_reduction.unwrap() - 9.0 / 13.0).abs() < 0.05);
        assert_eq!(found.arms[1].metrics[1].guarded, Some(Guarded::Broken));
        assert!(found.warnings.is_empty() && found.arms[0].power.unwrap() > 0.99);
        assert_eq!(revenue.chance_to_beat_control.is_some(), matches!(engine, Engine::Bayesian(_)));
        assert!(serde_json::to_string(&found).unwrap().contains("\"verdict\":\"ship\""));
    }
}

#[test]
fn a_faulty_experiment_is_not_shipped_whatever_it_shows() {
    let mut arms = arms(&mut Draw::seeded(4), [2.0, 2.0], 0.0);
    arms[1] = moments_of((0..700).map(|_| shopper(&mut Draw::seeded(5), 2.0, 0.0)).chain((0..20).map(|row| [f64::from(row), 1.0, 20.0])));
    let found = analyse(&plan(Engine::Frequentist, Scale::Absolute), &arms, estimate(&arms), vec![]).unwrap();
    assert!(found.warnings.iter().any(|warning| warning.code == "sample_ratio_mismatch"));
    assert!(found.arms.iter().all(|arm| arm.decision.verdict == Verdict::RollBack));
}

#[test]
fn a_metric_without_an_answer_does_not_take_the_others_along() {
    let mut arms = arms(&mut Draw::seeded(6), [1.0, 1.0], 0.0);
    arms[2] = Moments::empty(3);
    let mut lonely = plan(Engine::Frequentist, Scale::Relative);
    lonely.weights[2] = 0.0;
    let found = analyse(&lonely, &arms, estimate(&arms), vec![]).unwrap();
    assert_eq!((found.arms[0].metrics.len(), found.arms[1].metrics.len()), (3, 0));
    assert!(found.arms[1].problems[0].starts_with("revenue: treatment: 0 unit(s)"));
    assert_eq!(found.arms[1].decision.verdict, Verdict::KeepRunning);
    assert_eq!(found.arms[0].metrics[0].unit, "share of control");
}

#[test]
fn plans_that_do_not_fit_the_data_are_refused() {
    let arms = arms(&mut Draw::seeded(7), [0.0, 0.0], 0.0);
    let plan = plan(Engine::Frequentist, Scale::Absolute);
    let but = |change: &dyn Fn(&mut AnalysisPlan)| {
        let mut other = plan.clone();
        change(&mut other);
        analyse(&other, &arms, estimate(&arms), vec![])
    };
    assert!(but(&|plan| plan.control = 3).is_err());
    assert!(but(&|plan| plan.weights = vec![1.0]).is_err());
    assert!(but(&|plan| plan.level = 0.0).is_err());
    assert!(but(&|plan| plan.planned = Some(Planned { units: 1, effect: f64::NAN })).is_err());
    assert!(analyse(&plan, &arms[..2], estimate(&arms), vec![]).is_err());
}

#[test]
fn without_an_effect_hardly_any_arm_of_two_is_shipped() {
    let shipped = share(1000, |mut draw| {
        let arms = arms(&mut draw, [0.0, 0.0], 0.0);
        let found = analyse(&plan(Engine::Frequentist, Scale::Absolute), &arms, estimate(&arms), vec![]).unwrap();
        Some(found.arms.iter().any(|arm| arm.decision.verdict == Verdict::Ship))
    });
    println!("shipped without an effect: {shipped}");
    assert!(shipped < 0.04, "{shipped}: half of the level, as a worse arm isn't shipped");
}
