//! Known truth, over many seeds: coverage, double robustness, paired comparisons.

use super::world::*;
use super::*;

fn covers(value: &PolicyValue, truth: f64) -> bool {
    value.normal.unwrap().contains(truth)
}

#[test]
fn slow_normal_and_bootstrap_intervals_cover() {
    const SEEDS: u64 = 1_000;
    let world = World::new(1.0, true);
    let truth = world.value(&world.target);
    let mut covered = [[0; 5]; 2];
    for seed in 0..SEEDS {
        let drawn = world.draw(1_000, 1, seed);
        let weighed = drawn.weigh(false, &world.target, &WRONG);
        let estimators: Vec<Box<dyn Estimator>> = vec![
            Box::new(InverseProbabilityWeighting::plain()),
            Box::new(SelfNormalisedIpw),
            Box::new(DoublyRobust::plain()),
            Box::new(SelfNormalisedDoublyRobust),
        ];
        let options = Options { bootstrap: Some(Bootstrap { draws: 256, seed }), ..Options::default() };
        for (place, value) in evaluate(&weighed, estimators, options).unwrap().values.iter().enumerate() {
            covered[0][place] += usize::from(covers(value, truth));
            covered[1][place] += usize::from(value.bootstrap.unwrap().contains(truth));
        }
    }
    for (place, name) in ["ipw", "snipw", "dr", "sndr"].iter().enumerate() {
        assert_coverage(covered[0][place], SEEDS, &format!("{name}, normal"));
        assert_coverage(covered[1][place], SEEDS, &format!("{name}, bootstrap"));
    }
}

#[test]
fn bernstein_and_hoeffding_cover_at_least_at_their_level() {
    const SEEDS: u64 = 300;
    let world = World::new(1.0, true);
    let truth = world.value(&world.target);
    let greatest_weight = world.logging.iter().flatten().map(|chance| 1.0 / chance).fold(0.0, f64::max);
    let bounds = Some(Bounds { least_reward: 0.0, greatest_reward: 1.0, greatest_weight });
    let (mut covered, mut narrower) = ([[0_u64; 2]; 2], 0);
    for seed in 0..SEEDS {
        let weighed = world.draw(2_000, 1, seed).weigh(false, &world.target, &world.mean);
        let estimators: Vec<Box<dyn Estimator>> =
            vec![Box::new(InverseProbabilityWeighting::plain()), Box::new(DoublyRobust::plain()), Box::new(SelfNormalisedIpw)];
        let report = evaluate(&weighed, estimators, Options { bounds, ..Options::default() }).unwrap();
        for (place, value) in report.values[..2].iter().enumerate() {
            let (bernstein, hoeffding) = (value.empirical_bernstein.unwrap(), value.hoeffding.unwrap());
            covered[0][place] += u64::from(bernstein.contains(truth));
            covered[1][place] += u64::from(hoeffding.contains(truth));
            narrower += u64::from(bernstein.width() < hoeffding.width() && value.normal.unwrap().width() < bernstein.width());
        }
        // Ratios are no means of independent rounds.
        assert_eq!((report.values[2].empirical_bernstein, report.values[2].hoeffding), (None, None));
    }
    println!("Bernstein {:?}, Hoeffding {:?} of {SEEDS}; {narrower} ordered", covered[0], covered[1]);
    assert!(covered.iter().flatten().all(|&covered| covered * 100 >= SEEDS * 95), "{covered:?}");
    // They hold with much to spare; Bernstein's sees the variance.
    assert_eq!(narrower, 2 * SEEDS);
}

#[test]
fn slow_intervals_by_customer_cover_and_those_by_round_do_not() {
    const SEEDS: u64 = 1_000;
    let world = World::new(0.5, false);
    let truth = world.value(&world.target);
    let (mut by_customer, mut by_round, mut bootstrap) = ([0; 2], [0; 2], 0);
    for seed in 0..SEEDS {
        let drawn = world.draw(1_500, 10, seed);
        let estimators = || -> Vec<Box<dyn Estimator>> { vec![Box::new(DoublyRobust::plain()), Box::new(SelfNormalisedIpw)] };
        let options = Options { bootstrap: (seed < 400).then_some(Bootstrap { draws: 256, seed }), ..Options::default() };
        let clustered = evaluate(&drawn.weigh(true, &world.target, &world.mean), estimators(), options).unwrap();
        let rounds = evaluate(&drawn.weigh(false, &world.target, &world.mean), estimators(), Options::default()).unwrap();
        assert_eq!((clustered.values[0].n, rounds.values[0].n), (150, 1_500));
        for place in 0..2 {
            by_customer[place] += usize::from(covers(&clustered.values[place], truth));
            by_round[place] += usize::from(covers(&rounds.values[place], truth));
        }
        bootstrap += usize::from(clustered.values[0].bootstrap.is_some_and(|interval| interval.contains(truth)));
    }
    assert_coverage(by_customer[0], SEEDS, "dr by customer");
    assert_coverage(by_customer[1], SEEDS, "snipw by customer");
    assert_coverage(bootstrap, 400, "dr by customer, bootstrap");
    println!("by round: {by_round:?} of {SEEDS}");
    assert!(by_round[0] * 100 < usize::try_from(SEEDS).unwrap() * 80, "{by_round:?}");
}

fn fitting(weights: FittingWeights, seed: u64) -> Fitting {
    Fitting { regression: Regression::Ridge { penalty: 1.0 }, weights, folds: 3, seed }
}

/// With a model fitted on the same log, in folds.
fn fitted(drawn: &Drawn, world: &World, weights: FittingWeights, seed: u64) -> Weighed {
    let (log, target, features) = (drawn.log(false), drawn.dense(&world.target), drawn.features());
    let weighed = weigh(SHAPE, &log, Target::Dense(&target), Expected::None).unwrap();
    let model = RewardModel::fit(SHAPE, &log, &features, 1, Some(&weighed), fitting(weights, seed)).unwrap();
    let (logged, mean) = model.summed(&log, &features, Target::Dense(&target)).unwrap();
    weigh(SHAPE, &log, Target::Dense(&target), Expected::Summed { logged: &logged, target: &mean }).unwrap()
}

fn values(weighed: &Weighed, estimators: Vec<Box<dyn Estimator>>) -> Vec<f64> {
    let report = evaluate(weighed, estimators, Options::default()).unwrap();
    report.values.iter().map(|value| value.value.unwrap()).collect()
}

#[test]
fn doubly_robust_errs_less_than_weighing_with_a_model_from_the_log() {
    const SEEDS: u64 = 1_000;
    let world = World::new(1.5, false);
    let truth = world.value(&world.target);
    let (mut ipw, mut dr, mut covered) = (vec![], vec![], 0);
    for seed in 0..SEEDS {
        let weighed = fitted(&world.draw(1_000, 1, seed), &world, FittingWeights::Equal, seed);
        let estimators: Vec<Box<dyn Estimator>> = vec![Box::new(InverseProbabilityWeighting::plain()), Box::new(DoublyRobust::plain())];
        let report = evaluate(&weighed, estimators, Options::default()).unwrap();
        ipw.push(report.values[0].value.unwrap() - truth);
        dr.push(report.values[1].value.unwrap() - truth);
        covered += usize::from(covers(&report.values[1], truth));
    }
    let (ipw, dr) = (root_mean_square(&ipw), root_mean_square(&dr));
    println!("root mean squared errors over {SEEDS} seeds: IPW {ipw:.4}, DR {dr:.4}");
    assert!(dr < 0.8 * ipw, "{dr} {ipw}");
    assert_coverage(covered, SEEDS, "cross-fitted dr");
}

#[test]
fn doubly_robust_is_right_where_either_model_or_propensities_are() {
    const SEEDS: u64 = 400;
    let world = World::new(1.5, false);
    let truth = world.value(&world.target);
    let estimators = || -> Vec<Box<dyn Estimator>> {
        vec![Box::new(InverseProbabilityWeighting::plain()), Box::new(DirectMethod), Box::new(DoublyRobust::plain())]
    };
    let (mut wrong_propensities, mut wrong_model) = (vec![], vec![]);
    for seed in 0..SEEDS {
        let mut drawn = world.draw(1_000, 1, seed);
        wrong_model.push(values(&drawn.weigh(false, &world.target, &WRONG), estimators()));
        // Logged as if actions had been drawn uniformly.
        drawn.propensity.iter_mut().for_each(|propensity| *propensity = 1.0 / ACTIONS as f64);
        wrong_propensities.push(values(&drawn.weigh(false, &world.target, &world.mean), estimators()));
    }
    // In standard errors of the mean over seeds.
    let bias = |runs: &[Vec<f64>], place: usize| {
        let errors: Vec<f64> = runs.iter().map(|run| run[place] - truth).collect();
        let mean = errors.iter().sum::<f64>() / errors.len() as f64;
        let spread = root_mean_square(&errors.iter().map(|error| error - mean).collect::<Vec<_>>());
        mean / (spread / (SEEDS as f64).sqrt())
    };
    for (runs, wrong) in [(&wrong_propensities, 0), (&wrong_model, 1)] {
        println!("bias in standard errors: IPW {:.1}, DM {:.1}, DR {:.1}", bias(runs, 0), bias(runs, 1), bias(runs, 2));
        assert!(bias(runs, 2).abs() < 3.3, "{}", bias(runs, 2));
        assert!(bias(runs, wrong).abs() > 10.0, "{}", bias(runs, wrong));
    }
}

#[test]
fn more_robust_fitting_lowers_the_variance_of_doubly_robust() {
    const SEEDS: u64 = 200;
    let world = World::new(3.0, false);
    let mut errors = [0.0; 2];
    for seed in 0..SEEDS {
        let drawn = world.draw(1_500, 1, seed);
        for (place, weights) in [FittingWeights::Equal, FittingWeights::Mrdr].into_iter().enumerate() {
            let weighed = fitted(&drawn, &world, weights, seed);
            let report = evaluate(&weighed, vec![Box::new(DoublyRobust::plain())], Options::default()).unwrap();
            errors[place] += report.values[0].std_error.unwrap() / SEEDS as f64;
        }
    }
    println!("mean standard error of DR: plain fit {:.5}, MRDR fit {:.5}", errors[0], errors[1]);
    assert!(errors[1] < errors[0], "{errors:?}");
}

#[test]
fn slow_paired_comparisons_cover_and_are_narrower() {
    const SEEDS: u64 = 1_000;
    let world = World::new(1.0, true);
    // The target, but for one context.
    let mut other = world.target;
    other[3] = [0.2; ACTIONS];
    let truth = world.value(&world.target) - world.value(&other);
    let (mut paired, mut unpaired, mut bootstrap, mut ratio) = ([0; 2], [0; 2], 0, 0.0);
    for seed in 0..SEEDS {
        let drawn = world.draw(1_000, 1, seed);
        let estimators: Vec<Box<dyn Estimator>> = vec![Box::new(DoublyRobust::plain()), Box::new(SelfNormalisedIpw)];
        let options = Options { bootstrap: (seed < 400).then_some(Bootstrap { draws: 256, seed }), ..Options::default() };
        let mut comparison = Comparison::new(estimators, options).unwrap();
        comparison.add(&drawn.weigh(false, &world.target, &world.mean), &drawn.weigh(false, &other, &world.mean)).unwrap();
        for (place, found) in comparison.finish().unwrap().iter().enumerate() {
            paired[place] += usize::from(found.paired.unwrap().contains(truth));
            unpaired[place] += usize::from(found.unpaired.unwrap().contains(truth));
            ratio += found.paired.unwrap().width() / found.unpaired.unwrap().width() / (2 * SEEDS) as f64;
            bootstrap += usize::from(place == 0 && found.bootstrap.is_some_and(|interval| interval.contains(truth)));
        }
    }
    println!("paired width / unpaired width: {ratio:.3}; unpaired cover {unpaired:?} of {SEEDS}");
    assert_coverage(paired[0], SEEDS, "paired dr");
    assert_coverage(paired[1], SEEDS, "paired snipw");
    assert_coverage(bootstrap, 400, "paired dr, bootstrap");
    assert!(ratio < 0.5, "{ratio}");
}

#[test]
fn balanced_weights_do_without_propensities() {
    const SEEDS: u64 = 200;
    // Policies that don't look at contexts: a sum of context and action is the right classifier.
    let mut world = World::new(0.0, true);
    world.logging = [[0.4, 0.25, 0.15, 0.1, 0.1]; CONTEXTS];
    world.target = [[0.1, 0.1, 0.2, 0.2, 0.4]; CONTEXTS];
    world.mean.iter_mut().for_each(|row| row.iter_mut().enumerate().for_each(|(action, mean)| *mean = 0.5 * *mean + 0.1 * action as f64));
    let (truth, logged) = (world.value(&world.target), world.value(&world.logging));
    let mut errors = vec![];
    for seed in 0..SEEDS {
        let drawn = world.draw(1_000, 1, seed);
        let (log, target) = (drawn.log(false), world.target[0]);
        let balancing = Balancing { penalty: 1.0, folds: 2, seed };
        let weights = balanced_weights(SHAPE, &log, &drawn.features(), 1, Target::Constant(&target), balancing).unwrap();
        let weighed = weigh(SHAPE, &log, Target::Constant(&target), Expected::None).unwrap().with_balanced_weights(&weights).unwrap();
        errors.push(values(&weighed, vec![Box::new(BalancedIpw::plain())])[0] - truth);
    }
    let mean = errors.iter().sum::<f64>() / SEEDS as f64;
    println!("bias {mean:.5}, root mean squared error {:.4}, log's value off by {:.4}", root_mean_square(&errors), logged - truth);
    assert!(mean.abs() < 0.1 * (logged - truth).abs(), "{mean}");
}

#[test]
fn several_loggers_cover_together() {
    const SEEDS: u64 = 1_000;
    // The same world under an even and an uneven logging policy.
    let (even, uneven) = (World::new(0.5, true), World::new(1.5, true));
    let truth = even.value(&even.target);
    let (mut covered, mut width) = ([0; 2], [0.0; 2]);
    for seed in 0..SEEDS {
        let (mut together, mut plain) =
            (MultiLogger::new(DoublyRobust::plain()), Evaluation::new(vec![Box::new(DoublyRobust::plain())], Options::default()).unwrap());
        for (logger, (world, rounds)) in (0..).zip([(&even, 400), (&uneven, 1_200)]) {
            let drawn = Drawn { first_row: 400 * u64::from(logger), ..world.draw(rounds, 1, 2 * seed + u64::from(logger)) };
            let weighed = drawn.weigh(false, &even.target, &WRONG);
            together.add(&weighed, &vec![logger; rounds]).unwrap();
            plain.add(&weighed).unwrap();
        }
        let found = together.finish(0.05).unwrap();
        assert!((found.shares.iter().map(|share| share.share).sum::<f64>() - 1.0).abs() < 1e-12);
        let plain = &plain.finish().unwrap().values[0];
        covered[0] += usize::from(found.normal.contains(truth));
        covered[1] += usize::from(covers(plain, truth));
        width[0] += found.normal.width() / SEEDS as f64;
        width[1] += plain.normal.unwrap().width() / SEEDS as f64;
    }
    println!("mean widths: by precision {:.4}, by own propensity {:.4}", width[0], width[1]);
    assert_coverage(covered[0], SEEDS, "dr over loggers by precision");
    assert_coverage(covered[1], SEEDS, "dr over loggers by own propensity");
    assert!(width[0] < width[1], "{width:?}");
}
