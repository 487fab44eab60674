//! Known truth: customers who spend much are chosen more often, so the naive comparison is wrong,
//! and the doubly robust one must not be.

use youhui_commerce::{Campaign, Draw, SubjectId, TimeWindow};
use youhui_response::{EffectModel, Panel, PanelRow, cross_fit, diagnostics};

/// Six campaigns, `customers` customers. The effect of campaign c on a customer with moderator z is
/// 1 + 0.5 z + 0.8 s, where s is the campaign's descriptor.
fn world(seed: u64, customers: usize) -> (Panel, f64) {
    let mut draw = Draw::seeded(seed);
    let mut rows = Vec::new();
    let mut truth = 0.0;
    let people: Vec<(SubjectId, f64, f64)> =
        (0..customers).map(|_| (SubjectId::from_bytes(draw.bytes16()), draw.normal(), draw.normal())).collect();
    for campaign in 0..6 {
        let descriptor = campaign as f64 / 2.5 - 1.0;
        for &(subject, spending, moderator) in &people {
            let chosen = 1.0 / (1.0 + (1.5 - 0.9 * spending - 0.3 * moderator).exp());
            let treated = draw.uniform() < chosen;
            let effect = 1.0 + 0.5 * moderator + 0.8 * descriptor;
            truth += effect;
            let outcome = 20.0 + 6.0 * spending + 2.0 * moderator + if treated { effect } else { 0.0 } + 3.0 * draw.normal();
            let mut covariates = vec![0.0; 16];
            (covariates[0], covariates[1]) = (spending, moderator);
            rows.push(PanelRow {
                subject,
                campaign,
                treated,
                covariates,
                basis: vec![1.0, descriptor, moderator],
                before: 0.0,
                outcome,
                after: None,
            });
        }
    }
    let truth = truth / rows.len() as f64;
    let campaigns = (0..6)
        .map(|id: i64| Campaign { campaign_id: id.to_string(), kind: String::new(), window: TimeWindow { start: id, end: id + 1 } })
        .collect();
    (Panel { campaigns, rows }, truth)
}

#[test]
fn the_adjusted_effect_is_right_where_the_naive_one_is_not() {
    let (mut naive, mut adjusted, mut covered) = (0.0, 0.0, 0);
    let seeds = 40;
    for seed in 0..seeds {
        let (panel, truth) = world(seed, 300);
        let mean = diagnostics::mean_effect(&panel, &cross_fit(&panel), |_| true).unwrap();
        naive += (mean.naive - truth).abs();
        adjusted += (mean.adjusted - truth).abs();
        covered += u32::from((mean.low..=mean.high).contains(&truth));
    }
    assert!(adjusted < 0.1 * naive, "error ratio {}", adjusted / naive);
    // 36 to 40 of 40 is what 95 % intervals give with probability above 0.95.
    assert!(covered >= 36, "{covered} of {seeds} intervals cover");
}

#[test]
fn effects_of_promotions_never_run_are_predicted_with_wider_intervals() {
    let mut covered = [0_u32; 2];
    let seeds = 60;
    for seed in 0..seeds {
        let (panel, _) = world(1_000 + seed, 300);
        let model = EffectModel::fit(&panel, &cross_fit(&panel)).unwrap();
        let inside = model.predict(&[1.0, 0.0, 0.0]);
        let outside = model.predict(&[1.0, 2.5, 0.0]);
        assert!(outside.std_error > 1.3 * inside.std_error);
        for (place, (effect, truth)) in [(inside, 1.0), (outside, 3.0)].into_iter().enumerate() {
            covered[place] += u32::from((effect.mean - truth).abs() <= 1.96 * effect.std_error);
        }
    }
    assert!(covered.iter().all(|&covered| covered >= 52), "{covered:?} of {seeds} intervals cover");
}

#[test]
fn one_arm_only_is_no_model() {
    let (mut panel, _) = world(1, 50);
    panel.rows.iter_mut().for_each(|row| row.treated = false);
    assert!(EffectModel::fit(&panel, &cross_fit(&panel)).is_none());
    assert!(diagnostics::mean_effect(&panel, &cross_fit(&panel), |_| true).is_none());
    assert!(cross_fit(&Panel::default()).is_empty());
}
