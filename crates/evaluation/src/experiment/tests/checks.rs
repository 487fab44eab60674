//! Checks keep their level and find what they are for; bad input gets an error that says what it would do.

use youhui_commerce::Draw;

use super::super::*;
use super::{bernoulli, fixed, moments_of, share};

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

#[test]
fn a_breakdown_says_where_and_whether_effects_differ() {
    let mut draw = Draw::seeded(2);
    let mut arm = |mean: f64| moments_of((0..400).map(|_| [mean + draw.normal()]));
    let (new, known) = ([arm(5.0), arm(5.5)], [arm(5.0), arm(5.0)]);
    let lonely = [moments_of(std::iter::once([5.0])), arm(5.0)];
    let values = [("new", &new[0], &new[1]), ("known", &known[0], &known[1]), ("lonely", &lonely[0], &lonely[1])];
    let found = breakdown(Metric::mean(0), &values, Scale::Absolute, Frequentist::default(), Adjust::Holm);
    assert!(found.effects[0].adjusted_p.unwrap() < 0.01 && found.effects[1].adjusted_p.unwrap() > 0.05);
    assert!(found.effects[2].effect.is_none() && found.effects[2].problem.as_ref().unwrap().contains("fewer than 2 units"));
    assert!(found.heterogeneity_p < 0.01 && found.n == 2);
    let level = share(1000, |mut draw| {
        let mut arm = |mean: f64| moments_of((0..100).map(|_| [mean + draw.normal()]));
        let parts: Vec<[Moments; 2]> = (0..4).map(|part| [arm(f64::from(part)), arm(f64::from(part) + 0.3)]).collect();
        let values: Vec<(&str, &Moments, &Moments)> = parts.iter().map(|part| ("part", &part[0], &part[1])).collect();
        let found = breakdown(Metric::mean(0), &values, Scale::Absolute, Frequentist::default(), Adjust::BenjaminiHochberg);
        Some(found.heterogeneity_p < 0.05)
    });
    println!("heterogeneity: {level} false alarms");
    assert!((level - 0.05).abs() < 0.025);
}

#[test]
fn empty_constant_and_lonely_arms_are_errors_with_their_consequence() {
    let some = moments_of((0..10).map(|row| [f64::from(row), 1.0]));
    let constant = moments_of((0..10).map(|_| [0.1, 0.0]));
    let one = moments_of(std::iter::once([3.0, 1.0]));
    let says = |control: &Moments, treatment: &Moments, metric: Metric, what: &str| {
        let error = unadjusted(metric, control, treatment).unwrap_err().to_string();
        assert!(error.contains(what), "{error}");
        assert!(cuped(metric, &[Metric::mean(1)], control, treatment).is_err());
    };
    says(&Moments::empty(2), &some, Metric::mean(0), "control: 0 unit(s); the variance of one arm with fewer than 2 units");
    says(&some, &one, Metric::mean(0), "treatment: 1 unit(s)");
    says(&some, &constant, Metric::mean(0), "infinitely significant");
    says(&some, &constant, Metric::ratio(0, 1), "has no finite variance");
    let nobody = Share::new(0, 100).unwrap();
    assert!(matches!(proportion(nobody, Share::new(5, 100).unwrap()), Err(ExperimentError::Constant { .. })));
    assert!(matches!(proportion(Share::new(0, 1).unwrap(), nobody), Err(ExperimentError::TooFewUnits { .. })));
    assert!(conversion_posterior((5, 4), (1, 2), 0.95).is_err());
}

#[test]
fn relative_effects_of_nothing_are_refused() {
    let arm = |mean: f64| Moments::from_covariances(100, &[mean], &[4.0]).unwrap();
    let none = unadjusted(Metric::mean(0), &arm(0.0), &arm(1.0)).unwrap();
    let weak = unadjusted(Metric::mean(0), &arm(-0.1), &arm(1.0)).unwrap();
    let with = |relative: RelativeInterval| Frequentist { relative, ..Frequentist::default() };
    let error = frequentist(&none, Scale::Relative, with(RelativeInterval::Delta)).unwrap_err().to_string();
    assert!(error.contains("Ask for the absolute effect"), "{error}");
    assert!(frequentist(&weak, Scale::Relative, with(RelativeInterval::Log)).is_err());
    let error = frequentist(&weak, Scale::Relative, with(RelativeInterval::Fieller)).unwrap_err().to_string();
    assert!(error.contains("unbounded"), "{error}");
    assert!(confidence_sequence(&none, Scale::Relative, Sequential::default()).is_err());
    let prior = Some(Prior { mean: 0.0, sd: 0.3, scale: Scale::Relative });
    assert!(bayesian(&none, Scale::Absolute, Bayesian { prior, ..Bayesian::default() }).is_err());
}

#[test]
fn settings_that_mean_nothing_are_refused() {
    let arm = |mean: f64| Moments::from_covariances(100, &[mean], &[4.0]).unwrap();
    let contrast = unadjusted(Metric::mean(0), &arm(1.0), &arm(1.1)).unwrap();
    assert!(frequentist(&contrast, Scale::Absolute, Frequentist { level: 1.0, ..Frequentist::default() }).is_err());
    assert!(confidence_sequence(&contrast, Scale::Absolute, Sequential { level: 0.95, tuning: 0.0 }).is_err());
    assert!(mixture_sprt(&contrast, Scale::Absolute, MixtureSprt { level: 0.95, tau: f64::NAN }).is_err());
    let prior = Some(Prior { mean: 0.0, sd: 0.0, scale: Scale::Absolute });
    assert!(bayesian(&contrast, Scale::Absolute, Bayesian { prior, ..Bayesian::default() }).is_err());
    assert!(QuantileStats::from_rows(&[1.0; 10], None, 0.99).unwrap_err().to_string().contains("cover too seldom"));
    assert!(QuantileStats::from_rows(&[], None, 0.5).is_err() && QuantileStats::from_rows(&[1.0; 10], None, 1.0).is_err());
    assert!(winsorised(&[1.0, f64::INFINITY], 0.9, false).is_err() && winsorised(&[1.0], 1.0, false).is_err());
    assert!(matches!(winsorised(&[0.0, 0.0], 0.9, true), Ok(capped) if capped.above == 0));
}

#[test]
fn covariates_that_say_the_same_are_refused_and_constant_ones_left_out() {
    let mut draw = Draw::seeded(4);
    let mut arm = || {
        moments_of((0..100).map(|_| {
            let before = draw.normal();
            [before + draw.normal(), before, 2.0 * before + 1.0, 7.0]
        }))
    };
    let (control, treatment) = (arm(), arm());
    let twice = [Metric::mean(1), Metric::mean(2)];
    let error = cuped(Metric::mean(0), &twice, &control, &treatment).unwrap_err().to_string();
    assert!(error.contains("linearly dependent"), "{error}");
    let constant = cuped(Metric::mean(0), &[Metric::mean(3)], &control, &treatment).unwrap();
    assert_eq!((constant.theta[0], constant.variance_reduction), (0.0, 0.0));
    // A covariate that is the metric itself leaves nothing to estimate.
    let itself = cuped(Metric::mean(0), &[Metric::mean(0)], &control, &treatment);
    assert!(matches!(itself, Err(ExperimentError::Constant { .. })));
    assert!(
        regression_from_moments(&control.select(&[0, 1, 2]).unwrap(), &treatment.select(&[0, 1, 2]).unwrap(), Adjustment::Interacted)
            .is_err()
    );
}

#[test]
fn strata_clusters_and_periods_that_cannot_be_are_refused() {
    let some = moments_of((0..10).map(|row| [f64::from(row)]));
    let error =
        post_stratified(Metric::mean(0), &[some.clone(), Moments::empty(1)], &[some.clone(), some.clone()]).unwrap_err().to_string();
    assert!(error.contains("stratum 1: 0 unit(s) of control") && error.contains("changes whom the effect is about"), "{error}");
    assert!(
        post_stratified(Metric::mean(0), &[some.clone(), Moments::empty(1)], &[some.clone(), Moments::empty(1)]).is_ok(),
        "nobody is no stratum"
    );
    let error = cluster_sums(&[&[1.0, 2.0, 3.0]], &[4, 5, 4], &[0, 0, 1]).unwrap_err().to_string();
    assert!(error.starts_with("row 2: cluster 4 was in arm 0 and now in 1"), "{error}");
    assert!(cluster_sums(&[&[1.0, f64::NAN]], &[1, 1], &[0, 0]).is_err() && cluster_sums(&[&[1.0]], &[1, 1], &[0, 0]).is_err());
    let design = SwitchbackDesign { start: 0, period: 10, burn_in: 2 };
    let rows = SwitchbackRows { columns: &[&[1.0, 2.0, 3.0]], time: &[1, 12, 11], place: &[0, 0, 0], arm: &[0, 1, 1] };
    let error = switchback(design, rows).unwrap_err().to_string();
    assert!(error.starts_with("row 2: place 0: time 11 comes after 12") && error.contains("counted for the wrong arm"), "{error}");
    let error = switchback(design, SwitchbackRows { time: &[1, 12, 13], arm: &[0, 1, 0], ..rows }).unwrap_err().to_string();
    assert!(error.contains("period 1 of place 0 was in arm 1 and now in 0"), "{error}");
    assert!(switchback(design, SwitchbackRows { time: &[-1, 12, 13], ..rows }).is_err());
    assert!(switchback(SwitchbackDesign { burn_in: 10, ..design }, rows).is_err());
    let found = switchback(design, SwitchbackRows { time: &[1, 11, 13], ..rows }).unwrap();
    assert_eq!((found.burnt, found.switches, found.periods.clusters()), (1, 1, 2));
}

#[test]
fn rows_finer_than_the_assignment_are_told() {
    assert!(finer_than_assignment(&[1, 2, 3]).is_none());
    let warning = finer_than_assignment(&[1, 1, 2, 2, 3, 3, 4, 4]).unwrap();
    assert!(warning.message.contains("8 rows of 4 assigned units") && warning.message.contains("factor of 1.41"), "{}", warning.message);
    let mut draw = Draw::seeded(6);
    let clusters: Vec<[f64; 2]> = (0..200).map(|_| [10.0 * draw.normal(), 10.0]).collect();
    let rows = moments_of(clusters.iter().flat_map(|sum| [[sum[0] / 10.0]; 10]));
    let found = design_effect(0, &rows, &moments_of(clusters.into_iter())).unwrap();
    assert!((found.design_effect - 10.0).abs() < 0.1 && found.rows_per_cluster == 10.0);
}

#[test]
fn skewed_metrics_are_told() {
    let mut draw = Draw::seeded(8);
    let skewed: Vec<f64> = (0..500).map(|_| bernoulli(&mut draw, 0.1) * (3.0 + draw.normal()).exp()).collect();
    assert!(skewness_warning(&skewed, "revenue").unwrap().message.contains("cover less often"));
    let normal: Vec<f64> = (0..500).map(|_| draw.normal()).collect();
    assert!(skewness_warning(&normal, "score").is_none() && skewness_warning(&[], "nothing").is_none());
}

#[test]
fn columns_and_lengths_that_are_not_there_are_errors_and_no_panic() {
    let narrow = moments_of((0..10).map(|row| [f64::from(row)]));
    let wide = moments_of((0..10).map(|row| [f64::from(row), 1.0 + f64::from(row % 3)]));
    let (far, ratio) = (Metric::mean(7), Metric::ratio(0, 1));
    let refused = [
        unadjusted(far, &wide, &wide).err(),
        unadjusted(ratio, &wide, &narrow).err(),
        cuped(Metric::mean(0), &[far], &wide, &wide).err(),
        cuped(Metric::mean(0), &[Metric::mean(1)], &wide, &narrow).err(),
        post_stratified(far, std::slice::from_ref(&wide), std::slice::from_ref(&wide)).err(),
        balance(&[(7, "far")], &wide, &wide).err(),
        two_part(0, 7, &wide, &wide).err(),
        two_part(0, 1, &wide, &wide).err(),
        regression_from_moments(&wide, &narrow, Adjustment::Ancova).err(),
        regression_from_moments(&Moments::empty(0), &Moments::empty(0), Adjustment::Ancova).err(),
        regression(Rows { columns: &[], names: &[], group: &[0, 1] }, Adjustment::Interacted, Robust::Hc2).err(),
        design_effect(7, &wide, &wide).err(),
        design_effect(0, &wide, &Moments::empty(0)).err(),
        novelty(&wide, &narrow, 0).err(),
        Share::new(5, 4).err(),
        Share::of(&narrow, 0).err(),
    ];
    assert!(refused.iter().all(Option::is_some), "{refused:?}");
    assert!(narrow.mean(3).is_nan() && narrow.covariance(0, 3).is_nan());
    assert_eq!((wide.merged(&narrow).columns(), narrow.merged(&wide).columns(), Moments::empty(3).merged(&wide).columns()), (1, 1, 2));
    let followed = Followed { unit: &[7, 7], arm: &[0, 0], days: &[3, 3] };
    let rows = DayRows { unit: &[7], arm: &[0], day: &[i64::MIN], value: &[1.0] };
    assert!(by_day(followed, rows, 2).unwrap_err().to_string().contains("too narrow"));
    assert!(by_day(Followed { unit: &[7], ..followed }, rows, 2).is_err());
    let followed = Followed { unit: &[7, 8], ..followed };
    assert!(by_day(followed, rows, 2).unwrap_err().to_string().contains("9223372036854775808 day(s) before"));
    let design = SwitchbackDesign { start: i64::MIN, period: 10, burn_in: 2 };
    let rows = SwitchbackRows { columns: &[&[1.0]], time: &[i64::MAX, i64::MAX], place: &[0, 0], arm: &[0, 0] };
    assert!(switchback(design, rows).is_err());
    assert!(switchback(design, SwitchbackRows { columns: &[&[1.0, 2.0]], ..rows }).is_ok());
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
