//! Blocks, threads, and what is said of weights.

use super::world::*;
use super::*;

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

#[test]
fn probabilities_and_means_alone_give_the_same() {
    let world = World::new(1.0, true);
    let drawn = world.draw(2_000, 1, 8);
    let (target, expected) = (drawn.dense(&world.target), drawn.dense(&world.mean));
    let of = |place: usize, table: &Table| table[drawn.context[place]][drawn.action[place] as usize];
    let logged: Vec<f64> = (0..2_000).map(|place| of(place, &world.mean)).collect();
    let probability: Vec<f64> = (0..2_000).map(|place| of(place, &world.target)).collect();
    let mean: Vec<f64> =
        target.chunks(ACTIONS).zip(expected.chunks(ACTIONS)).map(|(p, q)| p.iter().zip(q).map(|(p, q)| p * q).sum()).collect();
    let dense = drawn.weigh(false, &world.target, &world.mean);
    let summed = Expected::Summed { logged: &logged, target: &mean };
    let sparse = weigh(SHAPE, &drawn.log(false), Target::Logged(&probability), summed).unwrap();
    let report = |weighed: &Weighed| evaluate(weighed, parameter_free(true), Options::default()).unwrap();
    for (one, other) in report(&dense).values.iter().zip(&report(&sparse).values).filter(|(one, _)| one.value.is_some()) {
        assert!((one.value.unwrap() / other.value.unwrap() - 1.0).abs() < 1e-12, "{}", one.estimator);
    }
    // What the target policy wants elsewhere can't be seen then.
    assert_eq!(report(&sparse).diagnostics.unsupported, None);
}

#[test]
fn models_never_see_whom_they_predict() {
    let world = World::new(1.0, true);
    let mut drawn = world.draw(1_000, 5, 4);
    let features = drawn.features();
    for regression in [Regression::Ridge { penalty: 1.0 }, Regression::Logistic { penalty: 1.0 }] {
        let fitting = Fitting { regression, weights: FittingWeights::Equal, folds: 4, seed: 3 };
        let predict = |drawn: &Drawn| {
            let model = RewardModel::fit(SHAPE, &drawn.log(true), &features, 1, None, fitting).unwrap();
            model.expected(&drawn.log(true), &features).unwrap()
        };
        let before = predict(&drawn);
        // Another past for one customer, who has rounds 50 to 54.
        drawn.reward[50..55].iter_mut().for_each(|reward| *reward = 1.0 - *reward);
        let after = predict(&drawn);
        let own = 50 * ACTIONS..55 * ACTIONS;
        assert_eq!(before[own.clone()], after[own]);
        assert_ne!(before, after);
    }
}

#[test]
fn a_fit_in_blocks_is_the_fit_of_the_whole_and_keeps_no_more_than_it_may() {
    let world = World::new(1.0, true);
    let drawn = world.draw(30_000, 2, 4);
    let (log, features) = (drawn.log(true), drawn.features());
    let block = |rows: std::ops::Range<usize>| Log {
        action: &drawn.action[rows.clone()],
        reward: &drawn.reward[rows.clone()],
        propensity: &drawn.propensity[rows.clone()],
        customer: Some(&drawn.customer[rows.clone()]),
        first_row: log.first_row + rows.start as u64,
        ..log
    };
    for regression in [Regression::Ridge { penalty: 1.0 }, Regression::Logistic { penalty: 1.0 }] {
        let fitting = Fitting { regression, weights: FittingWeights::Equal, folds: 4, seed: 3 };
        let whole = RewardModel::fit(SHAPE, &log, &features, 1, None, fitting).unwrap();
        let of_blocks = |most: usize| {
            let mut fit = RewardFit::new(SHAPE, 1, fitting).unwrap().keeping(most);
            [0..11_000, 11_000..30_000].into_iter().for_each(|rows| fit.add(&block(rows.clone()), &features[rows], None).unwrap());
            fit.finish().unwrap()
        };
        let predicted = |model: &RewardModel| model.expected(&log, &features).unwrap();
        let (one, other, few) = (predicted(&whole), predicted(&of_blocks(usize::MAX)), of_blocks(8_000));
        assert!(one.iter().zip(&other).all(|(one, other)| (one - other).abs() < 1e-9));
        if let Regression::Logistic { .. } = regression {
            assert!((3_000..=8_000).contains(&few.rounds()), "{}", few.rounds());
            let apart = one.iter().zip(&predicted(&few)).map(|(one, other)| (one - other).abs()).fold(0.0, f64::max);
            assert!(apart > 0.0 && apart < 0.1, "{apart}");
        } else {
            assert_eq!(few.rounds(), 30_000);
        }
    }
}

#[test]
fn several_loggers_are_clustered_by_customer() {
    let world = World::new(1.0, false);
    let drawn = world.draw(8_000, 4, 5);
    let logger: Vec<u32> = (0..8_000).map(|round| u32::from(round >= 3_000)).collect();
    // Every round a customer of its own is as no customers at all.
    let singles: Vec<u64> = (0..8_000).collect();
    let value = |customer| {
        let (target, expected) = (drawn.dense(&world.target), drawn.dense(&world.mean));
        let log = Log { customer, ..drawn.log(false) };
        let mut all = MultiLogger::new(estimators::DoublyRobust::plain());
        all.add(&weigh(SHAPE, &log, Target::Dense(&target), Expected::Dense(&expected)).unwrap(), &logger).unwrap();
        all.finish(0.05).unwrap()
    };
    let (rounds, singles, customers) = (value(None), value(Some(&singles)), value(Some(&drawn.customer)));
    assert_eq!((rounds.n, singles.n, customers.n, customers.rounds), (8_000, 8_000, 2_000, 8_000));
    assert!((singles.std_error / rounds.std_error - 1.0).abs() < 0.01, "{} {}", singles.std_error, rounds.std_error);
    assert!(customers.std_error > 1.3 * rounds.std_error, "{} {}", customers.std_error, rounds.std_error);
    assert!((customers.value - rounds.value).abs() < 1e-12);
}
