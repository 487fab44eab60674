//! Bad input gets an error or a warning that says what it would do to the figures.

use youhui_commerce::Draw;

use super::super::*;
use super::{bernoulli, moments_of};

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
    let of = |blocks: &[&[f64]]| {
        let mut skewness = [Skewness::default()];
        blocks.iter().for_each(|block| Skewness::add(&mut skewness, block, &vec![0; block.len()]));
        skewness[0]
    };
    let whole = of(&[&skewed]);
    assert!(whole.warning("revenue").unwrap().message.contains("cover less often"));
    let normal: Vec<f64> = (0..500).map(|_| draw.normal()).collect();
    assert!(
        of(&[&normal]).warning("score").is_none() && of(&[]).warning("nothing").is_none() && of(&[&[1.0; 9]]).warning("same").is_none()
    );
    // In blocks as at once, and as it is defined.
    let blocks = of(&[&skewed[..7], &[], &skewed[7..430], &skewed[430..]]);
    let mean = skewed.iter().sum::<f64>() / 500.0;
    let power = |degree: i32| skewed.iter().map(|value| (value - mean).powi(degree)).sum::<f64>() / 500.0;
    let known = power(3) / power(2).powf(1.5);
    assert!((whole.value() / known - 1.0).abs() < 1e-12 && (blocks.value() / known - 1.0).abs() < 1e-12);
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
