//! Checks keep their level and find what they are for; guardrails and decisions follow their rules.

use youhui_commerce::Draw;

use super::super::*;
use super::{fixed, moments_of, share};

#[test]
fn exact_tests_of_shares_keep_their_level() {
    for chance in [0.1, 0.5] {
        let both: Vec<(bool, bool)> = (0..1000)
            .map(|seed| {
                let mut draw = Draw::seeded(seed);
                let mut arm = |units: u64| Share::new((0..units).filter(|_| draw.uniform() < chance).count() as u64, units).unwrap();
                let (control, treatment) = (arm(15), arm(20));
                let barnard = barnard_exact(control, treatment, Tail::TwoSided, true).unwrap();
                (barnard < 0.05, boschloo_exact(control, treatment, Tail::TwoSided).unwrap() < 0.05)
            })
            .collect();
        let rejected = |of: fn(&(bool, bool)) -> bool| both.iter().filter(|both| of(both)).count() as f64 / 1000.0;
        let (barnard, boschloo) = (rejected(|both| both.0), rejected(|both| both.1));
        println!("exact tests at a share of {chance}: Barnard rejects {barnard}, Boschloo {boschloo}");
        // Three standard errors above the level.
        assert!(barnard <= 0.07 && boschloo <= 0.07 && barnard > 0.005);
    }
    assert!(barnard_exact(Share::new(0, 0).unwrap(), Share::new(1, 2).unwrap(), Tail::Less, true).is_err());
    assert!(boschloo_exact(Share::new(0, 100_000).unwrap(), Share::new(1, 100_000).unwrap(), Tail::Less).is_err());
}

#[test]
fn the_sample_ratio_alarm_keeps_its_level_and_finds_losses() {
    let alarmed = |lost: f64, level: f64| {
        share(10_000, move |mut draw| {
            let mut units = [0_u64; 3];
            for _ in 0..1000 {
                let arm = [0, 0, 1, 2][draw.below(4)];
                units[arm] += u64::from(arm != 2 || draw.uniform() >= lost);
            }
            Some(sample_ratio(&units, &[0.5, 0.25, 0.25]).unwrap().p_value < level)
        })
    };
    let (at_5, at_1, found) = (alarmed(0.0, 0.05), alarmed(0.0, 0.01), alarmed(0.3, 0.01));
    println!("sample ratio: {at_5} false alarms at .05, {at_1} at .01; {found} of losses of 30 % of an arm found");
    assert!((at_5 - 0.05).abs() < 0.01 && (at_1 - 0.01).abs() < 0.005 && found > 0.9);
}

#[test]
fn units_where_nobody_should_be_are_an_alarm() {
    let found = sample_ratio(&[500, 500, 3], &[1.0, 1.0, 0.0]).unwrap();
    let warning = found.warning(ALARM).unwrap();
    assert!(warning.code == "sample_ratio_mismatch" && warning.message.contains("biased by any amount"), "{}", warning.message);
    assert!(sample_ratio(&[500, 510, 0], &[1.0, 1.0, 0.0]).unwrap().warning(ALARM).is_none());
    assert!(
        sample_ratio(&[1, 2], &[1.0]).is_err()
            && sample_ratio(&[1, 2], &[-1.0, 2.0]).is_err()
            && sample_ratio(&[1, 2], &[0.0, 0.0]).is_err()
    );
    assert_eq!(sample_ratio(&[0, 0], &[1.0, 1.0]).unwrap().p_value, 1.0);
}

#[test]
fn units_in_several_arms_are_counted_and_left_out() {
    let found = exposure(&[1, 2, 1, 3, 3, 4], &[0, 1, 1, 0, 0, 1]).unwrap();
    assert_eq!((found.units, found.in_several_arms, found.repeated, &found.kept[..]), (4, 1, 1, &[1, 3, 4, 5][..]));
    let warning = found.warning().unwrap();
    assert!(warning.message.contains("pull the effect towards 0"), "{}", warning.message);
    assert!(exposure(&[1, 2], &[0, 1]).unwrap().warning().is_none());
}

/// Two correlated covariates and a third, of an arm.
fn covariates(draw: &mut Draw, shift: f64) -> Moments {
    moments_of((0..200).map(|_| {
        let common = draw.normal();
        [common + draw.normal(), shift + common + draw.normal(), draw.uniform()]
    }))
}

#[test]
fn the_balance_check_keeps_its_level_and_finds_a_shift() {
    const NAMES: [(usize, &str); 3] = [(0, "recency"), (1, "orders"), (2, "age")];
    let alarmed = |shift: f64| {
        share(2000, move |mut draw| {
            let (control, treatment) = (covariates(&mut draw, 0.0), covariates(&mut draw, shift));
            Some(balance(&NAMES, &control, &treatment).unwrap().p_value < 0.05)
        })
    };
    let (level, found) = (alarmed(0.0), alarmed(0.5));
    println!("balance: {level} false alarms, {found} found");
    assert!((level - 0.05).abs() < 0.02 && found > 0.8);
    let mut draw = Draw::seeded(1);
    let found = balance(&NAMES, &covariates(&mut draw, 0.0), &covariates(&mut draw, 1.0)).unwrap();
    assert!(found.warning(ALARM).unwrap().message.contains("most in orders"));
    assert!((found.covariates[1].standardised - 1.0 / 2.0_f64.sqrt()).abs() < 0.3);
}

/// Two weeks of outcomes of 300 units, whose effect goes from `first` by `slope` a day; days of a unit correlate.
fn fortnight(draw: &mut Draw, first: f64, slope: f64) -> Novelty {
    let mut arm = |treated: f64| {
        moments_of((0..150).map(|_| {
            let common = draw.normal();
            std::array::from_fn::<f64, 14, _>(|day| 5.0 + common + treated * (first + slope * day as f64) + draw.normal())
        }))
    };
    novelty(&arm(0.0), &arm(1.0), 0).unwrap()
}

#[test]
fn a_novelty_effect_is_found_and_a_constant_one_is_not() {
    let alarmed = |slope: f64| share(1000, move |mut draw| Some(fortnight(&mut draw, 1.0, slope).p_value < 0.05));
    let (level, found) = (alarmed(0.0), alarmed(-0.07));
    println!("novelty: {level} false alarms, {found} found");
    assert!((level - 0.05).abs() < 0.02 && found > 0.8);
    let covered = share(1000, |mut draw| {
        let found = fortnight(&mut draw, 1.0, -0.07);
        Some(super::within(found.slope_low, found.slope_high, -0.07))
    });
    assert!((0.93..=0.97).contains(&covered), "{covered}");
}

#[test]
fn outcomes_by_day_come_from_rows_and_time_cannot_go_backwards() {
    let followed = Followed { unit: &[7, 8, 9, 5], arm: &[0, 1, 1, 0], days: &[3, 3, 1, 2] };
    let rows = DayRows { unit: &[8, 7, 8, 9, 5], arm: &[1, 0, 1, 1, 0], day: &[0, 1, 0, 0, 5], value: &[2.0, 3.0, 4.0, 9.0, 1.0] };
    let (moments, left_out) = by_day(followed, rows, 2).unwrap();
    assert_eq!((moments[0].units(), moments[1].units(), left_out), (2, 1, 1));
    assert_eq!((moments[1].mean(0), moments[0].mean(1)), (6.0, 1.5));
    let error = by_day(followed, DayRows { day: &[0, 1, -2, 0, 5], ..rows }, 2).unwrap_err().to_string();
    assert!(error.starts_with("row 2: unit 8: an outcome 2 day(s) before its first exposure; what happened before"), "{error}");
    let error = by_day(followed, DayRows { arm: &[1, 0, 0, 1, 0], ..rows }, 2).unwrap_err().to_string();
    assert!(error.contains("pulled towards 0"), "{error}");
    assert!(by_day(followed, DayRows { unit: &[8, 7, 8, 9, 6], ..rows }, 2).is_err());
    assert!(novelty(&Moments::empty(1), &Moments::empty(1), 0).is_err());
}

#[test]
fn family_wise_error_and_false_discoveries_are_kept() {
    // 20 metrics of which 5 have effects.
    let run = |draw: &mut Draw, method: Adjust| {
        let p: Vec<f64> = (0..20)
            .map(|metric| {
                let effect = if metric < 5 { 0.35 } else { 0.0 };
                let mut arm = |mean: f64| moments_of((0..100).map(|_| [mean + draw.normal()]));
                frequentist(&unadjusted(Metric::mean(0), &arm(0.0), &arm(effect)).unwrap(), Scale::Absolute, Frequentist::default())
                    .unwrap()
                    .p_value
            })
            .collect();
        let adjusted = adjust(&p, method);
        let (found, wrong) = (adjusted.iter().filter(|&&p| p < 0.05).count(), adjusted[5..].iter().filter(|&&p| p < 0.05).count());
        (found, wrong)
    };
    let any = share(500, |mut draw| Some(run(&mut draw, Adjust::Holm).1 > 0));
    let discoveries: Vec<(usize, usize)> = (0..500).map(|seed| run(&mut Draw::seeded(seed), Adjust::BenjaminiHochberg)).collect();
    let rate = discoveries.iter().map(|(found, wrong)| *wrong as f64 / (*found).max(1) as f64).sum::<f64>() / 500.0;
    println!("Holm: any false discovery in {any}; Benjamini-Hochberg: {rate} of discoveries false");
    assert!(any < 0.08 && rate < 0.07);
}

#[test]
fn widened_intervals_agree_with_adjusted_p_values() {
    let arm = |mean: f64| Moments::from_covariances(200, &[mean], &[4.0]).unwrap();
    let effect =
        frequentist(&unadjusted(Metric::mean(0), &arm(10.0), &arm(10.5)).unwrap(), Scale::Absolute, Frequentist::default()).unwrap();
    for adjusted in [effect.p_value, 0.03, 0.049_999, 0.050_001, 0.3] {
        let (low, high) = widened(&effect, adjusted);
        assert_eq!(low > 0.0, adjusted < 0.05, "{low} {adjusted}");
        assert!(high - low >= effect.high - effect.low - 1e-12);
    }
    assert_eq!(widened(&effect, 1.0), (f64::NEG_INFINITY, f64::INFINITY));
    assert!((level_of_selected(&[0.01, 0.04, 0.2, 0.9], 0.05).unwrap() - 0.975).abs() < 1e-12);
}

fn of_two(arms: &[Moments; 2]) -> Result<Contrast, ExperimentError> {
    unadjusted(Metric::mean(0), &arms[0], &arms[1])
}

#[test]
fn a_breakdown_says_where_and_whether_effects_differ() {
    let mut draw = Draw::seeded(2);
    let mut arm = |mean: f64| moments_of((0..400).map(|_| [mean + draw.normal()]));
    let (new, known) = ([arm(5.0), arm(5.5)], [arm(5.0), arm(5.0)]);
    let lonely = [moments_of(std::iter::once([5.0])), arm(5.0)];
    let values = || ["new", "known", "lonely"].into_iter().zip([&new, &known, &lonely].map(of_two)).collect();
    let found = breakdown(values(), Scale::Absolute, Judge::Fixed(Frequentist::default()), Adjust::Holm);
    // What may be looked at every day is wider, and says the same otherwise.
    let always = breakdown(values(), Scale::Absolute, Judge::Always(Sequential { level: 0.95, tuning: 800.0 }), Adjust::Holm);
    let (once, ever) = (found.effects[0].effect.unwrap(), always.effects[0].effect.unwrap());
    assert!(ever.value == once.value && ever.low < once.low && ever.high > once.high && ever.p_value > once.p_value);
    assert!(found.effects[0].adjusted_p.unwrap() < 0.01 && found.effects[1].adjusted_p.unwrap() > 0.05);
    assert!(found.effects[2].effect.is_none() && found.effects[2].problem.as_ref().unwrap().contains("fewer than 2 units"));
    assert!(found.heterogeneity_p < 0.01 && found.n == 2);
    let level = share(1000, |mut draw| {
        let mut arm = |mean: f64| moments_of((0..100).map(|_| [mean + draw.normal()]));
        let parts: Vec<[Moments; 2]> = (0..4).map(|part| [arm(f64::from(part)), arm(f64::from(part) + 0.3)]).collect();
        let values = parts.iter().map(|part| ("part", of_two(part))).collect();
        let found = breakdown(values, Scale::Absolute, Judge::Fixed(Frequentist::default()), Adjust::BenjaminiHochberg);
        Some(found.heterogeneity_p < 0.05)
    });
    println!("heterogeneity: {level} false alarms");
    assert!((level - 0.05).abs() < 0.025);
}

fn interval(low: f64, high: f64) -> Interval {
    Interval { value: f64::midpoint(low, high), low, high, n: 1000 }
}

#[test]
fn guardrails_hold_break_or_are_open() {
    assert_eq!(guardrail(interval(-0.01, 0.02), Better::Higher, 0.02), Guarded::Holds);
    assert_eq!(guardrail(interval(-0.03, 0.02), Better::Higher, 0.02), Guarded::NotYetKnown);
    assert_eq!(guardrail(interval(-0.05, -0.03), Better::Higher, 0.02), Guarded::Broken);
    assert_eq!(guardrail(interval(-0.05, 0.01), Better::Lower, 0.02), Guarded::Holds);
    assert_eq!(guardrail(interval(0.03, 0.05), Better::Lower, 0.02), Guarded::Broken);
    // At the margin, non-inferiority is shown in 2.5 % of experiments.
    let held = share(4000, |mut draw| {
        let control = moments_of((0..100).map(|_| [10.0 + draw.normal()]));
        let treatment = moments_of((0..100).map(|_| [9.8 + draw.normal()]));
        let contrast = unadjusted(Metric::mean(0), &control, &treatment).unwrap();
        let effect = frequentist(&contrast, Scale::Absolute, Frequentist::default()).unwrap();
        Some(guardrail(Interval::from(&effect), Better::Higher, 0.2) == Guarded::Holds)
    });
    assert!((held - 0.025).abs() < 0.01, "{held}");
}

#[test]
fn decisions_follow_their_rules() {
    let goal = |low: f64, high: f64| vec![GoalResult { metric: "profit".into(), interval: interval(low, high), better: Better::Higher }];
    let rail = |guarded: Guarded| vec![GuardrailResult { metric: "refunds".into(), guarded }];
    let done = Progress { sequential: false, units: 1000, planned: Some(1000), power: Some(0.85) };
    let early = Progress { units: 400, power: Some(0.4), ..done };
    let always = Progress { sequential: true, ..early };
    let says = |goals: &[GoalResult], rails: &[GuardrailResult], warnings: &[Warning], progress: Progress, verdict: Verdict, why: &str| {
        let decision = decide(goals, rails, warnings, progress);
        assert!(decision.verdict == verdict && decision.reasons[0].contains(why), "{decision:?}");
    };
    let holds = rail(Guarded::Holds);
    says(&goal(0.1, 0.3), &holds, &[], done, Verdict::Ship, "profit: made better");
    says(&goal(0.1, 0.3), &holds, &[], early, Verdict::KeepRunning, "400 of 1000 planned units");
    says(&goal(0.1, 0.3), &holds, &[], always, Verdict::Ship, "profit: made better");
    says(&goal(0.1, 0.3), &rail(Guarded::NotYetKnown), &[], done, Verdict::KeepRunning, "refunds: not yet shown");
    says(&goal(0.1, 0.3), &rail(Guarded::Broken), &[], done, Verdict::RollBack, "refunds: worse");
    says(&goal(-0.3, -0.1), &holds, &[], done, Verdict::RollBack, "profit: made worse");
    says(&goal(-0.3, -0.1), &holds, &[], always, Verdict::RollBack, "profit: made worse");
    says(&goal(-0.3, -0.1), &holds, &[], early, Verdict::KeepRunning, "fixed horizon");
    says(&goal(-0.1, 0.1), &holds, &[], done, Verdict::RollBack, "would have been found");
    says(&goal(-0.1, 0.1), &holds, &[], always, Verdict::KeepRunning, "with a chance of 0.40 only");
    let mismatch = sample_ratio(&[500, 700], &[1.0, 1.0]).unwrap().warning(ALARM).unwrap();
    says(&goal(0.1, 0.3), &holds, &[mismatch], done, Verdict::RollBack, "no longer comparable");
    let finer = finer_than_assignment(&[1, 1]).unwrap();
    says(&goal(0.1, 0.3), &holds, &[finer], done, Verdict::KeepRunning, "Sum rows by assigned unit");
    let fading = fortnight(&mut Draw::seeded(1), 1.0, -0.2).warning(0.05).unwrap();
    says(&goal(0.1, 0.3), &holds, &[fading], done, Verdict::KeepRunning, "the effect changes by");
    let both = [goal(0.1, 0.3), goal(-0.3, -0.1)].concat();
    says(&both, &holds, &[], done, Verdict::RollBack, "made worse");
}

#[test]
fn probabilities_and_risks_turn_round_where_lower_is_better() {
    let arm = |mean: f64| Moments::from_covariances(500, &[mean], &[4.0]).unwrap();
    let contrast = unadjusted(Metric::mean(0), &arm(10.0), &arm(10.1)).unwrap();
    let higher = bayesian(&contrast, Scale::Absolute, Bayesian::default()).unwrap();
    let lower = bayesian(&contrast, Scale::Absolute, Bayesian { lower_is_better: true, ..Bayesian::default() }).unwrap();
    assert!((higher.chance_to_beat_control + lower.chance_to_beat_control - 1.0).abs() < 1e-12);
    assert_eq!((higher.risk_of_control, higher.risk_of_treatment), (lower.risk_of_treatment, lower.risk_of_control));
    assert!((higher.risk_of_control - higher.risk_of_treatment - higher.value).abs() < 1e-12);
    assert!(fixed(&contrast, Scale::Absolute, 0.1));
}
