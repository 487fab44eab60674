//! Worlds whose truth is known, over many seeds.

use youhui_commerce::Draw;

use super::*;

const ACTIONS: usize = 5;
const CONTEXTS: usize = 8;

type Table = [[f64; ACTIONS]; CONTEXTS];

/// Contexts are equally likely; a round's reward is its mean plus noise, or a coin with that chance.
struct World {
    logging: Table,
    target: Table,
    mean: Table,
    is_coin: bool,
}

fn softmax(scores: [f64; ACTIONS], sharpness: f64) -> [f64; ACTIONS] {
    let exp = scores.map(|score| (sharpness * score).exp());
    let sum: f64 = exp.iter().sum();
    exp.map(|value| value / sum)
}

impl World {
    /// `overlap` is how little the logging policy cares: 0 is uniform.
    fn new(sharpness: f64, is_coin: bool) -> Self {
        let mut draw = Draw::seeded(99);
        let mut table = || -> Table { std::array::from_fn(|_| std::array::from_fn(|_| draw.uniform())) };
        let (mean, habit) = (table(), table());
        let logging = habit.map(|scores| softmax(scores, sharpness));
        let target = mean.map(|scores| softmax(scores, 4.0));
        let mean = mean.map(|row| row.map(|value| if is_coin { 0.1 + 0.5 * value } else { 2.0 * value }));
        Self { logging, target, mean, is_coin }
    }

    fn value(&self, policy: &Table) -> f64 {
        let of = |(policy, mean): (&[f64; ACTIONS], &[f64; ACTIONS])| policy.iter().zip(mean).map(|(p, q)| p * q).sum::<f64>();
        policy.iter().zip(&self.mean).map(of).sum::<f64>() / CONTEXTS as f64
    }

    /// `each` rounds a customer, who has a context and, where rewards are no coins, a mood of his own.
    fn draw(&self, rounds: usize, each: usize, seed: u64) -> Drawn {
        let mut draw = Draw::seeded(seed).fork("world");
        let mut drawn = Drawn::default();
        for customer in 0..rounds / each {
            let (context, mood) = (draw.below(CONTEXTS), if each > 1 { draw.normal() } else { 0.0 });
            for _ in 0..each {
                let (mut rest, mut action) = (draw.uniform(), 0);
                while action + 1 < ACTIONS && rest >= self.logging[context][action] {
                    rest -= self.logging[context][action];
                    action += 1;
                }
                let mean = self.mean[context][action];
                let reward = if self.is_coin { f64::from(u8::from(draw.uniform() < mean)) } else { mean + mood + 0.5 * draw.normal() };
                drawn.context.push(context);
                drawn.customer.push(customer as u64);
                drawn.action.push(u32::try_from(action).unwrap());
                drawn.reward.push(reward);
                drawn.propensity.push(self.logging[context][action]);
            }
        }
        drawn
    }
}

#[derive(Default)]
struct Drawn {
    context: Vec<usize>,
    customer: Vec<u64>,
    action: Vec<u32>,
    reward: Vec<f64>,
    propensity: Vec<f64>,
}

impl Drawn {
    fn log(&self, by_customer: bool) -> Log<'_> {
        let customer = by_customer.then_some(self.customer.as_slice());
        Log { action: &self.action, position: None, reward: &self.reward, propensity: &self.propensity, customer, first_row: 0 }
    }

    /// A table's row for each round.
    fn dense(&self, table: &Table) -> Vec<f64> {
        self.context.iter().flat_map(|&context| table[context]).collect()
    }

    fn weigh(&self, by_customer: bool, policy: &Table, model: &Table) -> Weighed {
        let (target, expected) = (self.dense(policy), self.dense(model));
        weigh(SHAPE, &self.log(by_customer), Target::Dense(&target), Expected::Dense(&expected)).unwrap()
    }

    /// Coarser than the truth: one number a context, so that the model is decent and not right.
    fn features(&self) -> Vec<f64> {
        self.context.iter().map(|&context| context as f64 / CONTEXTS as f64 - 0.5).collect()
    }
}

const SHAPE: Shape = Shape::of_actions(ACTIONS);

/// A model that is wrong everywhere.
const WRONG: Table = [[0.3, 0.1, 0.2, 0.4, 0.0]; CONTEXTS];

fn covers(value: &PolicyValue, truth: f64) -> bool {
    value.normal.unwrap().contains(truth)
}

fn assert_coverage(covered: usize, seeds: u64, what: &str) {
    let share = covered as f64 / seeds as f64;
    println!("{what}: {:.1} % of {seeds} intervals cover", 100.0 * share);
    assert!((0.93..=0.97).contains(&share), "{what}: {:.1} % of {seeds} intervals cover", 100.0 * share);
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

fn root_mean_square(errors: &[f64]) -> f64 {
    (errors.iter().map(|error| error * error).sum::<f64>() / errors.len() as f64).sqrt()
}

#[test]
fn doubly_robust_errs_less_than_weighing_with_a_model_from_the_log() {
    const SEEDS: u64 = 400;
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

/// Root mean squared errors of each λ, and of what each criterion chooses.
fn errors_of_choice<E: WeightShrinking + Clone + 'static>(
    sharpness: f64,
    rounds: usize,
    model: &Table,
    grid: &[f64],
    make: impl Fn(f64) -> E,
) -> (Vec<f64>, [f64; 2]) {
    const SEEDS: u64 = 200;
    let world = World::new(sharpness, true);
    let truth = world.value(&world.target);
    let (mut fixed, mut chosen) = (vec![vec![]; grid.len()], [vec![], vec![]]);
    for seed in 0..SEEDS {
        let weighed = world.draw(rounds, 1, seed).weigh(false, &world.target, model);
        for (place, criterion) in
            [Criterion::Slope { delta: 0.1 }, Criterion::MeanSquaredError { delta: 0.1, upper_bound: false }].into_iter().enumerate()
        {
            let mut tuning = Tuning::new(grid.iter().map(|&lambda| make(lambda)).collect(), criterion).unwrap();
            tuning.add(&weighed).unwrap();
            let tuned = tuning.finish().unwrap();
            chosen[place].push(tuned.candidates[tuned.chosen].value - truth);
            if place == 0 {
                fixed.iter_mut().zip(&tuned.candidates).for_each(|(errors, candidate)| errors.push(candidate.value - truth));
            }
        }
    }
    (fixed.iter().map(|errors| root_mean_square(errors)).collect(), chosen.map(|errors| root_mean_square(&errors)))
}

#[test]
fn slow_slope_and_estimated_error_choose_near_the_best() {
    let clipping = [200.0, 50.0, 20.0, 10.0, 5.0, 2.0, 1.0, 0.5, 0.1];
    let shrinking = [0.01, 0.1, 1.0, 10.0, 100.0, 1e3, 1e4, 1e5];
    for (sharpness, rounds) in [(1.0, 500), (5.0, 500), (7.0, 1_000)] {
        for (model, is_right) in [(&WRONG, false), (&World::new(sharpness, true).mean, true)] {
            let runs = [
                ("ipw", errors_of_choice(sharpness, rounds, model, &clipping, |of| InverseProbabilityWeighting::clipped(of).unwrap())),
                ("switch-dr", errors_of_choice(sharpness, rounds, model, &clipping, |of| SwitchDoublyRobust::new(of).unwrap())),
                ("dr-os", errors_of_choice(sharpness, rounds, model, &shrinking, |of| DoublyRobustShrinkage::new(of).unwrap())),
            ];
            for (name, (fixed, [slope, error])) in runs {
                let best = fixed.iter().copied().fold(f64::INFINITY, f64::min);
                let worst = fixed.iter().copied().fold(0.0, f64::max);
                let ratios = [slope / best, error / best, worst / best];
                println!("{name}, sharpness {sharpness}, right model {is_right}: SLOPE, estimated error, worst λ over best {ratios:.2?}");
                // SLOPE's theorem allows 6 + √6 times the best bias and deviation.
                let is_beside_model = is_right && name != "ipw";
                assert!(slope < if is_beside_model { 6.0 } else { 2.5 } * best && slope < 0.5 * worst, "{name}: {ratios:?}");
                // The estimate of the error takes the residual's noise for bias, so a right model is trusted too little.
                assert!(is_beside_model || error < 1.6 * best, "{name}: {ratios:?}");
            }
        }
    }
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
        let weighed = weigh(SHAPE, &log, Target::Constant(&target), Expected::None).unwrap().with_balanced_weights(&weights, 0).unwrap();
        errors.push(values(&weighed, vec![Box::new(BalancedIpw::plain())])[0] - truth);
    }
    let mean = errors.iter().sum::<f64>() / SEEDS as f64;
    println!("bias {mean:.5}, root mean squared error {:.4}, log's value off by {:.4}", root_mean_square(&errors), logged - truth);
    assert!(mean.abs() < 0.1 * (logged - truth).abs(), "{mean}");
}

#[test]
fn weights_are_told_as_they_are() {
    let world = World::new(1.0, true);
    let weighed = world.draw(5_000, 1, 1).weigh(false, &world.target, &world.mean);
    let diagnostics = evaluate(&weighed, parameter_free(true), Options::default()).unwrap().diagnostics;
    let mut weights: Vec<f64> = weighed.rounds().iter().map(|round| round.weight).collect();
    let (sum, squares) = (weights.iter().sum::<f64>(), weights.iter().map(|weight| weight * weight).sum::<f64>());
    assert!((diagnostics.effective_sample_size / (sum * sum / squares) - 1.0).abs() < 1e-12);
    weights.sort_by(f64::total_cmp);
    for (share, found) in &diagnostics.weight_quantiles {
        let rank = weights.iter().rank(*share);
        assert!((found / rank - 1.0).abs() < 0.004, "{share}: {found} {rank}");
    }
    assert_eq!(diagnostics.unsupported.map(|actions| actions.len()), Some(0));
    assert!(diagnostics.mean_weight_p.unwrap() > 0.001);
}

trait Rank {
    fn rank(self, share: f64) -> f64;
}

impl<'a, I: Iterator<Item = &'a f64> + ExactSizeIterator> Rank for I {
    fn rank(mut self, share: f64) -> f64 {
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rank")]
        let place = (share * self.len() as f64).ceil() as usize - 1;
        *self.nth(place).unwrap()
    }
}

#[test]
fn threads_change_nothing_and_blocks_next_to_nothing() {
    let world = World::new(1.0, true);
    let drawn = world.draw(8_000, 4, 5);
    let options = || Options { bootstrap: Some(Bootstrap { draws: 200, seed: 9 }), ..Options::default() };
    let whole = |by_customer: bool| {
        let weighed = drawn.weigh(by_customer, &world.target, &world.mean);
        evaluate(&weighed, parameter_free(true), options()).unwrap()
    };
    for by_customer in [false, true] {
        let reports = [1, 3].map(|threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| serde_json::to_string(&whole(by_customer)).unwrap())
        });
        assert_eq!(reports[0], reports[1]);
        // Two halves apart, in blocks that cut customers in two.
        let mut halves = [0..4_999, 4_999..8_000].map(|half| {
            let mut evaluation = Evaluation::new(parameter_free(true), options()).unwrap();
            for start in half.clone().step_by(1_333) {
                let rows = start..(start + 1_333).min(half.end);
                let log = Log {
                    action: &drawn.action[rows.clone()],
                    position: None,
                    reward: &drawn.reward[rows.clone()],
                    propensity: &drawn.propensity[rows.clone()],
                    customer: by_customer.then_some(&drawn.customer[rows.clone()]),
                    first_row: rows.start as u64,
                };
                let of = |table: &Table| drawn.context[rows.clone()].iter().flat_map(|&context| table[context]).collect::<Vec<f64>>();
                let (target, expected) = (of(&world.target), of(&world.mean));
                evaluation.add(&weigh(SHAPE, &log, Target::Dense(&target), Expected::Dense(&expected)).unwrap()).unwrap();
            }
            evaluation
        });
        let second = std::mem::replace(&mut halves[1], Evaluation::new(vec![], Options::default()).unwrap());
        halves[0].merge(second).unwrap();
        let (merged, whole) = (halves[0].finish().unwrap(), whole(by_customer));
        for (one, other) in merged.values.iter().zip(&whole.values).filter(|(one, _)| one.value.is_some()) {
            let (interval, others) = (one.bootstrap.unwrap(), other.bootstrap.unwrap());
            let pairs = [(one.value.unwrap(), other.value.unwrap()), (one.std_error.unwrap(), other.std_error.unwrap())];
            for (one, other) in pairs.into_iter().chain([(interval.low, others.low), (interval.high, others.high)]) {
                assert!((one / other - 1.0).abs() < 1e-12, "{one} {other}");
            }
        }
        assert_eq!((merged.diagnostics.units, merged.diagnostics.unsupported), (whole.diagnostics.units, whole.diagnostics.unsupported));
    }
}

/// Pages of three positions and two items. People read from the top: the reward at a position depends on its item and on those
/// above. Policies look at the item just above.
fn cascade(pages: usize, seed: u64) -> CascadeWorld {
    let mut draw = Draw::seeded(seed).fork("pages");
    let mut world = CascadeWorld::default();
    for _ in 0..pages {
        let (mut above, mut products) = (vec![], [1.0, 1.0]);
        for _ in 0..3 {
            let (logging, target) = chances(&above);
            let action = usize::from(draw.uniform() < logging);
            let of = |one: f64| if action == 1 { one } else { 1.0 - one };
            products = [products[0] * of(logging), products[1] * of(target)];
            world.item[0].push(of(logging));
            world.item[1].push(of(target));
            world.cascade[0].push(products[0]);
            world.cascade[1].push(products[1]);
            world.expected.extend([from_here_on(&above, 0), from_here_on(&above, 1)]);
            world.target.extend([1.0 - target, target]);
            world.reward.push(f64::from(u8::from(draw.uniform() < click(&above, action))));
            world.action.push(u32::try_from(action).unwrap());
            above.push(action);
        }
        (0..2).for_each(|policy| world.page[policy].extend([products[policy]; 3]));
    }
    world
}

#[derive(Default)]
struct CascadeWorld {
    action: Vec<u32>,
    reward: Vec<f64>,
    expected: Vec<f64>,
    target: Vec<f64>,
    item: [Vec<f64>; 2],
    cascade: [Vec<f64>; 2],
    page: [Vec<f64>; 2],
}

/// Chance of a click: the better item attracts, but not twice.
fn click(above: &[usize], action: usize) -> f64 {
    let shown = above.iter().sum::<usize>() as f64;
    if action == 1 { 0.6 / (1.0 + 1.5 * shown) } else { 0.15 + 0.1 * shown }
}

/// Chances of item 1 under the logging and the target policy.
fn chances(above: &[usize]) -> (f64, f64) {
    if above.last() == Some(&1) { (0.4, 0.15) } else { (0.5, 0.8) }
}

/// Reward of the target policy from here on, with this item here.
fn from_here_on(above: &[usize], action: usize) -> f64 {
    let mut next = above.to_vec();
    next.push(action);
    let rest = if next.len() < 3 {
        let one = chances(&next).1;
        one * from_here_on(&next, 1) + (1.0 - one) * from_here_on(&next, 0)
    } else {
        0.0
    };
    click(above, action) + rest
}

#[test]
fn slow_slates_cover_where_their_assumption_holds() {
    const SEEDS: u64 = 1_000;
    let one = chances(&[]).1;
    let truth = one * from_here_on(&[], 1) + (1.0 - one) * from_here_on(&[], 0);
    let mut covered = [0; 7];
    let mut widths = [0.0; 7];
    for seed in 0..SEEDS {
        let world = cascade(1_000, seed);
        let of = |policy: usize| slate::Propensities {
            page: Some(&world.page[policy]),
            item: Some(&world.item[policy]),
            cascade: Some(&world.cascade[policy]),
        };
        let model = slate::SlateModel { actions: 2, action: &world.action, expected: &world.expected, target: &world.target };
        let (logging, target) = (of(0), of(1));
        let log = slate::SlateLog { positions: 3, reward: &world.reward, logging, target, model: Some(model), customer: None };
        let mut estimators: Vec<Box<dyn slate::SlateEstimator>> = vec![Box::new(slate::CascadeDoublyRobust)];
        for is_self_normalised in [false, true] {
            estimators.push(Box::new(slate::RewardInteractionIps { is_self_normalised }));
            estimators.push(Box::new(slate::StandardIps { is_self_normalised }));
            estimators.push(Box::new(slate::IndependentIps { is_self_normalised }));
        }
        for (place, value) in slate::evaluate_slates(&log, &estimators, &Options::default()).unwrap().iter().enumerate() {
            covered[place] += usize::from(value.normal.unwrap().contains(truth));
            widths[place] += value.normal.unwrap().width() / SEEDS as f64;
        }
    }
    println!("cascade-dr, rips, sips, iips, snrips, snsips, sniips: {covered:?} of {SEEDS} cover, widths {widths:.4?}");
    for (place, name) in [(0, "cascade-dr"), (1, "rips"), (2, "sips"), (4, "snrips"), (5, "snsips")] {
        assert_coverage(covered[place], SEEDS, name);
    }
    // Independence of positions is wrong here.
    assert!(covered[3] < 800 && covered[6] < 800, "{covered:?}");
    assert!(widths[0] < widths[1] && widths[1] < widths[2], "{widths:?}");
}

#[test]
fn slates_are_drawn_and_clustered_by_customer() {
    let world = cascade(400, 3);
    let cascade = |policy: usize| slate::Propensities { cascade: Some(&world.cascade[policy]), ..Default::default() };
    let customers: Vec<u64> = (0..400).map(|page| page / 4).collect();
    let log =
        |customer| slate::SlateLog { positions: 3, reward: &world.reward, logging: cascade(0), target: cascade(1), model: None, customer };
    let options = Options { bootstrap: Some(Bootstrap { draws: 2_000, seed: 1 }), ..Options::default() };
    let estimators: Vec<Box<dyn slate::SlateEstimator>> = vec![Box::new(slate::RewardInteractionIps { is_self_normalised: true })];
    for customer in [None, Some(customers.as_slice())] {
        let value = &slate::evaluate_slates(&log(customer), &estimators, &options).unwrap()[0];
        assert_eq!((value.pages, value.n), (400, if customer.is_some() { 100 } else { 400 }));
        let ratio = value.bootstrap.unwrap().width() / value.normal.unwrap().width();
        assert!((ratio - 1.0).abs() < 0.12, "{ratio}");
    }
    let lacking: Vec<Box<dyn slate::SlateEstimator>> = vec![Box::new(slate::StandardIps::default())];
    let text = slate::evaluate_slates(&log(None), &lacking, &options).unwrap_err().to_string();
    assert!(text.contains("sips needs probabilities of whole pages"), "{text}");
}
