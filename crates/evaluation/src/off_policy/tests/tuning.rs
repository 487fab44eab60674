//! Chosen λ against the best one, where the truth is known.

use super::world::*;
use super::*;

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
fn every_estimator_with_a_parameter_is_tuned_on_a_grid_of_the_logs_weights() {
    let world = World::new(3.0, true);
    let drawn = world.draw(2_000, 1, 2);
    let weighed = drawn.weigh(false, &world.target, &world.mean);
    for criterion in [Criterion::Slope { delta: 0.1 }, Criterion::MeanSquaredError { delta: 0.1, upper_bound: false }] {
        let all = tune_all(&weighed, criterion).unwrap();
        let families = ["ipw", "sg-ipw", "dr", "switch-dr", "dr-os", "sg-dr"];
        let truth = world.value(&world.target);
        for (TunedEstimator { estimator, tuned }, family) in all.into_iter().zip(families) {
            assert!(estimator.name().starts_with(family) && tuned.candidates.len() >= 5, "{} {tuned:?}", estimator.name());
            // The boxed estimator is the candidate that was chosen.
            let value = evaluate(&weighed, vec![estimator], Options::default()).unwrap().values[0].value.unwrap();
            assert!((value / tuned.candidates[tuned.chosen].value - 1.0).abs() < 1e-12, "{family}");
            assert!((value - truth).abs() < 0.1, "{family}: {value}, truth {truth}");
        }
    }
    let target = drawn.dense(&world.target);
    let without = weigh(SHAPE, &drawn.log(false), Target::Dense(&target), Expected::None).unwrap();
    assert_eq!(tune_all(&without, Criterion::Slope { delta: 0.1 }).unwrap().len(), 2);
}

#[test]
fn tuning_in_blocks_is_tuning_of_the_whole() {
    let world = World::new(3.0, true);
    let drawn = world.draw(2_000, 1, 2);
    let whole = drawn.weigh(false, &world.target, &world.mean);
    let grid = || [f64::INFINITY, 8.0, 4.0, 2.0, 1.0].map(|lambda| DoublyRobust::clipped(lambda).unwrap()).to_vec();
    for criterion in [Criterion::Slope { delta: 0.1 }, Criterion::MeanSquaredError { delta: 0.1, upper_bound: true }] {
        let mut once = Tuning::new(grid(), criterion).unwrap();
        once.add(&whole).unwrap();
        let mut merged = Tuning::new(grid(), criterion).unwrap();
        for rows in [0..700, 700..2_000] {
            let mut part = Tuning::new(grid(), criterion).unwrap();
            let log = Log {
                action: &drawn.action[rows.clone()],
                reward: &drawn.reward[rows.clone()],
                propensity: &drawn.propensity[rows.clone()],
                ..drawn.log(false)
            };
            let of = |table: &Table| drawn.context[rows.clone()].iter().flat_map(|&context| table[context]).collect::<Vec<f64>>();
            part.add(&weigh(SHAPE, &log, Target::Dense(&of(&world.target)), Expected::Dense(&of(&world.mean))).unwrap()).unwrap();
            merged.merge(&part).unwrap();
        }
        let (once, merged) = (once.finish().unwrap(), merged.finish().unwrap());
        assert_eq!(once.chosen, merged.chosen);
        for (one, other) in once.candidates.iter().zip(&merged.candidates) {
            assert!((one.score / other.score - 1.0).abs() < 1e-9 && (one.value / other.value - 1.0).abs() < 1e-12);
        }
    }
}
