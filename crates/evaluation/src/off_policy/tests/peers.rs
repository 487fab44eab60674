//! Equal to obp 0.5.7. Its output is written by `benches/peers/evaluation/obp_cases.py`.

use serde_json::Value;

use super::*;

/// Relative difference that is allowed.
const TOLERANCE: f64 = 1e-6;

fn cases(kind: &str) -> Vec<Value> {
    let all: Value = serde_json::from_str(include_str!("obp_cases.json")).unwrap();
    all[kind].as_array().unwrap().clone()
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|value| value.as_f64().unwrap()).collect()
}

fn size(case: &Value, name: &str) -> usize {
    usize::try_from(case[name].as_u64().unwrap()).unwrap()
}

fn assert_close(found: f64, theirs: f64, what: &str) {
    let is_close = (found - theirs).abs() <= TOLERANCE * theirs.abs().max(1e-12);
    assert!(is_close, "{what}: {found}, obp says {theirs}");
}

/// The estimator that obp_cases.py calls so.
fn named(name: &str) -> Box<dyn Estimator> {
    let (family, lambda) = name.split_once(' ').unwrap_or((name, ""));
    let lambda = lambda.parse::<f64>().unwrap_or(f64::INFINITY);
    match family {
        "ipw" => Box::new(InverseProbabilityWeighting::clipped(lambda).unwrap()),
        "snipw" => Box::new(SelfNormalisedIpw),
        "dm" => Box::new(DirectMethod),
        "dr" => Box::new(DoublyRobust::clipped(lambda).unwrap()),
        "sndr" => Box::new(SelfNormalisedDoublyRobust),
        "replay" => Box::new(ReplayMethod),
        "b-ipw" => Box::new(BalancedIpw::clipped(lambda).unwrap()),
        "switch-dr" => Box::new(SwitchDoublyRobust::new(lambda).unwrap()),
        "dr-os" => Box::new(DoublyRobustShrinkage::new(lambda).unwrap()),
        "sg-ipw" => Box::new(SubGaussianIpw::new(lambda).unwrap()),
        "sg-dr" => Box::new(SubGaussianDoublyRobust::new(lambda).unwrap()),
        other => panic!("{other}"),
    }
}

/// How many estimates were compared.
fn check_estimates(case: &Value, weighed: &Weighed) -> usize {
    let theirs = case.as_object().unwrap();
    let estimators = theirs.keys().map(|name| named(name)).collect();
    let report = evaluate(weighed, estimators, Options::default()).unwrap();
    for (value, (name, theirs)) in report.values.iter().zip(theirs) {
        match theirs.as_f64() {
            Some(theirs) => assert_close(value.value.unwrap(), theirs, name),
            None => panic!("{name}: {theirs}"),
        }
    }
    theirs.len()
}

fn check_choice<E: WeightShrinking + Clone + 'static>(
    make: impl Fn(f64) -> E,
    lambdas: &[f64],
    case: &Value,
    family: &str,
    weighed: &Weighed,
) {
    for (name, criterion) in [
        ("slope", Criterion::Slope { delta: 0.1 }),
        ("mse", Criterion::MeanSquaredError { delta: 0.1, upper_bound: false }),
        ("mse_bound", Criterion::MeanSquaredError { delta: 0.1, upper_bound: true }),
    ] {
        let theirs = &case[format!("{family} {name}")];
        let mut tuning = Tuning::new(lambdas.iter().map(|&lambda| make(lambda)).collect(), criterion).unwrap();
        tuning.add(weighed).unwrap();
        let tuned = tuning.finish().unwrap();
        let what = format!("{family} {name}");
        assert_eq!(tuned.lambda(), theirs["lambda"].as_f64().unwrap(), "{what}: {tuned:?}");
        assert_close(tuned.candidates[tuned.chosen].value, theirs["value"].as_f64().unwrap(), &what);
        if let Some(scores) = theirs["scores"].as_array() {
            for (candidate, score) in tuned.candidates.iter().zip(scores) {
                assert_close(candidate.score, score.as_f64().unwrap(), &format!("{what}, score of λ = {}", candidate.lambda));
            }
        }
    }
}

/// The grids are sorted as obp sorts them: clipping from mild to strong, shrinking too.
fn check_tuned(case: &Value, weighed: &Weighed) {
    let falling = [50.0, 20.0, 10.0, 5.0, 2.0, 1.0, 0.5];
    let rising = [0.1, 1.0, 5.0, 20.0, 100.0, 1000.0, 10000.0];
    let shares = [0.001, 0.01, 0.05, 0.1, 0.3, 0.8];
    // obp's scores stand in the order given to it, which was rising.
    let mut case = case.clone();
    for (name, tuned) in case.as_object_mut().unwrap() {
        if let (Some(scores), true) =
            (tuned["scores"].as_array_mut(), ["ipw ", "dr ", "switch-dr "].iter().any(|family| name.starts_with(family)))
        {
            scores.reverse();
        }
    }
    check_choice(|lambda| InverseProbabilityWeighting::clipped(lambda).unwrap(), &falling, &case, "ipw", weighed);
    check_choice(|lambda| DoublyRobust::clipped(lambda).unwrap(), &falling, &case, "dr", weighed);
    check_choice(|lambda| SwitchDoublyRobust::new(lambda).unwrap(), &falling, &case, "switch-dr", weighed);
    check_choice(|lambda| DoublyRobustShrinkage::new(lambda).unwrap(), &rising, &case, "dr-os", weighed);
    check_choice(|lambda| SubGaussianIpw::new(lambda).unwrap(), &shares, &case, "sg-ipw", weighed);
    check_choice(|lambda| SubGaussianDoublyRobust::new(lambda).unwrap(), &shares, &case, "sg-dr", weighed);
}

/// obp's lower bounds are one-sided at 0.025 with the greatest value for a range and the population variance; ours are
/// two-sided at 0.05 with the sample variance.
fn check_bounds(case: &Value, weighed: &Weighed) {
    let report = evaluate(weighed, vec![Box::new(InverseProbabilityWeighting::plain())], Options::default()).unwrap();
    let (value, std_error, n) = (report.values[0].value.unwrap(), report.values[0].std_error.unwrap(), weighed.len() as f64);
    let theirs = |name: &str| case[name].as_f64().unwrap();
    assert_close(value - crate::experiment::special::t_upper_quantile(0.025, n - 1.0) * std_error, theirs("student"), "Student");
    let range = theirs("max");
    assert_close(hoeffding(value, range, n, 0.05).low, theirs("hoeffding"), "Hoeffding");
    assert_close(empirical_bernstein(value, std_error * std_error * n, range, n, 0.05).low, theirs("bernstein"), "Bernstein");
}

struct Sample {
    action: Vec<u32>,
    position: Vec<u32>,
    reward: Vec<f64>,
    propensity: Vec<f64>,
}

impl Sample {
    fn log(&self) -> Log<'_> {
        Log {
            action: &self.action,
            position: Some(&self.position),
            reward: &self.reward,
            propensity: &self.propensity,
            customer: None,
            first_row: 0,
        }
    }
}

/// Rounds of a campaign of the Open Bandit sample, two bytes each: (item × 3 + position) × 2 + click.
fn open_bandit(campaign: usize, rounds: usize, actions: usize) -> Sample {
    let bytes = &include_bytes!("open_bandit.bin")[campaign * rounds * 2..][..rounds * 2];
    let codes: Vec<u32> = bytes.chunks(2).map(|pair| u32::from(u16::from_le_bytes([pair[0], pair[1]]))).collect();
    Sample {
        action: codes.iter().map(|code| code / 6).collect(),
        position: codes.iter().map(|code| code / 2 % 3).collect(),
        reward: codes.iter().map(|code| f64::from(code % 2)).collect(),
        propensity: vec![1.0 / actions as f64; rounds],
    }
}

#[test]
fn open_bandit_sample_is_valued_as_by_obp() {
    let mut compared = 0;
    for (campaign, case) in cases("open_bandit").iter().enumerate() {
        let (rounds, actions) = (size(case, "rounds"), size(case, "actions"));
        let shape = Shape { actions, positions: size(case, "positions") };
        let sample = open_bandit(campaign, rounds, actions);
        let (target, expected) = (numbers(&case["target"]), numbers(&case["expected"]));
        let weighed = weigh(shape, &sample.log(), Target::Constant(&target), Expected::Constant(&expected)).unwrap();
        compared += check_estimates(&case["estimates"], &weighed);
        check_tuned(&case["tuned"], &weighed);
        check_bounds(&case["bounds"], &weighed);
        // A policy that is certain, for the replay method.
        let mut certain = vec![0.0; shape.values()];
        for (position, action) in case["certain"].as_array().unwrap().iter().enumerate() {
            certain[usize::try_from(action.as_u64().unwrap()).unwrap() * 3 + position] = 1.0;
        }
        let weighed = weigh(shape, &sample.log(), Target::Constant(&certain), Expected::Constant(&expected)).unwrap();
        compared += check_estimates(&case["certain_estimates"], &weighed);
        // The same policy round by round.
        let dense: Vec<f64> = (0..rounds).flat_map(|_| target.iter().copied()).collect();
        let model: Vec<f64> = (0..rounds).flat_map(|_| expected.iter().copied()).collect();
        let weighed = weigh(shape, &sample.log(), Target::Dense(&dense), Expected::Dense(&model)).unwrap();
        compared += check_estimates(&case["estimates"], &weighed);
    }
    assert_eq!(compared, 3 * (45 + 46 + 45));
}

#[test]
fn thompson_sampling_never_certain_leaves_replay_undefined() {
    // obp says 0, which is a value; we say that there is none.
    let case = &cases("open_bandit")[0];
    let sample = open_bandit(0, size(case, "rounds"), 80);
    let target = numbers(&case["target"]);
    let weighed = weigh(Shape { actions: 80, positions: 3 }, &sample.log(), Target::Constant(&target), Expected::None).unwrap();
    let report = evaluate(&weighed, parameter_free(false), Options::default()).unwrap();
    assert_eq!(report.value("replay").unwrap().value, None);
    assert!(report.warnings.contains(&Warning::Undefined { estimator: "replay".to_owned() }));
    // And ten thousand rounds with few clicks are said to be few.
    assert!(report.warnings.iter().any(|warning| matches!(warning, Warning::FewRewards { .. })), "{:?}", report.warnings);
}

/// A number in [0, 1), as `hashed` of obp_cases.py.
pub(super) fn hashed(numbers: &[u64]) -> f64 {
    let bits = numbers.iter().fold(0_u64, |z, number| {
        let z = (z ^ number).wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    });
    (bits >> 11) as f64 / (1_u64 << 53) as f64
}

/// Rounds whose policies and q̂ differ from round to round, as `synthetic` of obp_cases.py.
struct Synthetic {
    sample: Sample,
    logging: Vec<f64>,
    target: Vec<f64>,
    expected: Vec<f64>,
    balanced: Vec<f64>,
}

fn synthetic(seed: u64, rounds: u64, shape: Shape) -> Synthetic {
    let u = |key: &[u64]| hashed(&[&[seed], key].concat());
    let (actions, positions) = (shape.actions as u64, shape.positions as u64);
    let mut sample = Sample { action: vec![], position: vec![], reward: vec![], propensity: vec![] };
    let (mut policies, mut target, mut expected) = (vec![], vec![], vec![]);
    for i in 0..rounds {
        let of_round = |value: &dyn Fn(u64, u64) -> f64| -> Vec<f64> {
            (0..actions).flat_map(|a| (0..positions).map(move |k| (a, k))).map(|(a, k)| value(a, k)).collect()
        };
        let mut logging = of_round(&|a, k| 0.1 + u(&[1, i, a, k]));
        let mut wanted = of_round(&|a, k| u(&[2, i, a, k]).powi(3));
        let q = of_round(&|a, k| u(&[3, i, a, k]));
        for policy in [&mut logging, &mut wanted] {
            for position in 0..shape.positions {
                let sum: f64 = policy[position..].iter().step_by(shape.positions).sum();
                policy[position..].iter_mut().step_by(shape.positions).for_each(|value| *value /= sum);
            }
        }
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a position")]
        let position = (u(&[4, i]) * positions as f64) as usize;
        let (drawn, mut sum) = (u(&[5, i]), 0.0);
        let of_position = logging[position..].iter().step_by(shape.positions);
        let action = of_position.take_while(|&&chance| (sum + chance <= drawn).then(|| sum += chance).is_some()).count();
        let entry = action * shape.positions + position;
        sample.reward.push(3.0 * q[entry] * u(&[6, i]) - 0.5);
        sample.propensity.push(logging[entry]);
        sample.action.push(u32::try_from(action).unwrap());
        sample.position.push(u32::try_from(position).unwrap());
        policies.extend(logging);
        target.extend(wanted);
        expected.extend(q);
    }
    let balanced = (0..rounds).map(|i| 0.2 + 2.0 * u(&[7, i])).collect();
    Synthetic { sample, logging: policies, target, expected, balanced }
}

fn shape_of(case: &Value) -> Shape {
    Shape { actions: size(case, "actions"), positions: size(case, "positions") }
}

#[test]
fn synthetic_rounds_are_valued_as_by_obp() {
    for case in cases("synthetic") {
        let (seed, shape) = (case["seed"].as_u64().unwrap(), shape_of(&case));
        let rounds = synthetic(seed, size(&case, "rounds") as u64, shape);
        let weighed = weigh(shape, &rounds.sample.log(), Target::Dense(&rounds.target), Expected::Dense(&rounds.expected)).unwrap();
        let weighed = weighed.with_balanced_weights(&rounds.balanced).unwrap();
        assert_eq!(check_estimates(&case["estimates"], &weighed), 47);
        check_tuned(&case["tuned"], &weighed);
        check_bounds(&case["bounds"], &weighed);
    }
}

#[test]
fn reward_models_are_those_of_obp() {
    for case in cases("models") {
        let (seed, shape, width) = (case["seed"].as_u64().unwrap(), shape_of(&case), size(&case, "width"));
        let count = size(&case, "rounds") as u64;
        let mut rounds = synthetic(seed, count, shape);
        let context: Vec<f64> = (0..count).flat_map(|i| (0..width as u64).map(move |j| 2.0 * hashed(&[seed, 8, i, j]) - 1.0)).collect();
        let regression = if case["model"] == "ridge" {
            Regression::Ridge { penalty: 1.5 }
        } else {
            for i in 0..count {
                let place = usize::try_from(i).unwrap();
                let chance = 0.2 + 0.3 * f64::from(u8::from(rounds.sample.reward[place] > 0.5)) + 0.2 * context[place * width];
                rounds.sample.reward[place] = f64::from(u8::from(hashed(&[seed, 9, i]) < chance));
            }
            Regression::Logistic { penalty: 2.0 }
        };
        let weights = match case["weighting"].as_str().unwrap() {
            "normal" => FittingWeights::Equal,
            "iw" => FittingWeights::Importance,
            _ => FittingWeights::Mrdr,
        };
        let log = rounds.sample.log();
        let weighed = weigh(shape, &log, Target::Dense(&rounds.target), Expected::None).unwrap();
        let fitting = Fitting { regression, weights, folds: 1, seed: 0 };
        let model = RewardModel::fit(shape, &log, &context, width, Some(&weighed), fitting).unwrap();
        let expected = model.expected(&log, &context).unwrap();
        let what = format!("{} {}", case["model"], case["weighting"]);
        for (found, theirs) in expected.iter().zip(numbers(&case["first"])) {
            assert_close(*found, theirs, &what);
        }
        assert_close(expected.iter().sum(), case["sum"].as_f64().unwrap(), &what);
        let dr = |expected: Expected<'_>| {
            let weighed = weigh(shape, &log, Target::Dense(&rounds.target), expected).unwrap();
            evaluate(&weighed, vec![Box::new(DoublyRobust::plain())], Options::default()).unwrap().values[0].value.unwrap()
        };
        assert_close(dr(Expected::Dense(&expected)), case["dr"].as_f64().unwrap(), &what);
        // The same without a matrix of rounds × actions.
        let (logged, target) = model.summed(&log, &context, Target::Dense(&rounds.target)).unwrap();
        assert_close(dr(Expected::Summed { logged: &logged, target: &target }), case["dr"].as_f64().unwrap(), &what);
    }
}

/// Pages as `slates` of obp_cases.py.
struct Pages {
    action: Vec<u32>,
    reward: Vec<f64>,
    expected: Vec<f64>,
    target: Vec<f64>,
    /// Of item, cascade and page, by logging and target policy.
    chances: [[Vec<f64>; 2]; 3],
}

fn pages(seed: u64, count: u64, length: u64, actions: u64) -> Pages {
    let u = |key: &[u64]| hashed(&[&[seed], key].concat());
    let mut pages = Pages { action: vec![], reward: vec![], expected: vec![], target: vec![], chances: Default::default() };
    let normalised = |values: Vec<f64>| {
        let sum: f64 = values.iter().sum();
        values.into_iter().map(|value| value / sum).collect::<Vec<f64>>()
    };
    for i in 0..count {
        let (mut above, mut products) = (0, [1.0, 1.0]);
        for k in 0..length {
            let logging = normalised((0..actions).map(|a| 0.3 + u(&[1, i, k, a, above])).collect());
            let target = normalised((0..actions).map(|a| 0.1 + u(&[2, i, k, a, above]).powi(2)).collect());
            pages.expected.extend((0..actions).map(|a| u(&[3, i, k, a])));
            let (drawn, mut sum) = (u(&[4, i, k]), 0.0);
            let action = logging.iter().take_while(|&&chance| (sum + chance <= drawn).then(|| sum += chance).is_some()).count();
            above = above * actions + action as u64 + 1;
            pages.reward.push(u(&[5, i, k]) * (1.0 + action as f64));
            pages.action.push(u32::try_from(action).unwrap());
            for (policy, chances) in [&logging, &target].iter().enumerate() {
                products[policy] *= chances[action];
                pages.chances[0][policy].push(chances[action]);
                pages.chances[1][policy].push(products[policy]);
            }
            pages.target.extend(target);
        }
        (0..2).for_each(|policy| pages.chances[2][policy].extend((0..length).map(|_| products[policy])));
    }
    pages
}

#[test]
fn slates_are_valued_as_by_obp() {
    for case in cases("slates") {
        let (seed, count, length, actions) =
            (case["seed"].as_u64().unwrap(), size(&case, "slates"), size(&case, "length"), size(&case, "actions"));
        let pages = pages(seed, count as u64, length as u64, actions as u64);
        let chances = |policy: usize| slate::Propensities {
            item: Some(&pages.chances[0][policy]),
            cascade: Some(&pages.chances[1][policy]),
            page: Some(&pages.chances[2][policy]),
        };
        let model = slate::SlateModel { actions, action: &pages.action, expected: &pages.expected, target: &pages.target };
        let log = slate::SlateLog {
            positions: length,
            reward: &pages.reward,
            logging: chances(0),
            target: chances(1),
            model: Some(model),
            customer: None,
        };
        let mut estimators: Vec<Box<dyn slate::SlateEstimator>> = vec![Box::new(slate::CascadeDoublyRobust)];
        for is_self_normalised in [false, true] {
            estimators.push(Box::new(slate::StandardIps { is_self_normalised }));
            estimators.push(Box::new(slate::IndependentIps { is_self_normalised }));
            estimators.push(Box::new(slate::RewardInteractionIps { is_self_normalised }));
        }
        let values = slate::evaluate_slates(&log, &estimators, &Options::default()).unwrap();
        assert_eq!(values.len(), case["estimates"].as_object().unwrap().len());
        for value in values {
            assert_close(value.value.unwrap(), case["estimates"][&value.estimator].as_f64().unwrap(), &value.estimator);
        }
    }
}

/// Precision-weighted over loggers.
fn several_loggers<E: WeightShrinking + Clone + 'static>(estimator: E, weighed: &Weighed, logger: &[u32]) -> f64 {
    let mut value = MultiLogger::new(estimator);
    value.add(weighed, logger).unwrap();
    value.finish(0.05).unwrap().value
}

#[test]
fn several_loggers_are_valued_as_by_obp() {
    for case in cases("loggers") {
        let (seed, shape, count) = (case["seed"].as_u64().unwrap(), shape_of(&case), size(&case, "rounds"));
        let mut rounds = synthetic(seed, count as u64, shape);
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a stratum")]
        let logger: Vec<u32> = (0..count as u64).map(|i| (3.0 * hashed(&[seed, 10, i])) as u32).collect();
        let weigh =
            |sample: &Sample| weigh(shape, &sample.log(), Target::Dense(&rounds.target), Expected::Dense(&rounds.expected)).unwrap();
        let own = weigh(&rounds.sample);
        let theirs = |name: &str| case["estimates"][name].as_f64().unwrap();
        let ipw = |lambda: f64| InverseProbabilityWeighting::clipped(lambda).unwrap();
        let dr = |lambda: f64| DoublyRobust::clipped(lambda).unwrap();
        assert_close(several_loggers(ipw(f64::INFINITY), &own, &logger), theirs("weighted ipw"), "weighted ipw");
        assert_close(several_loggers(ipw(2.0), &own, &logger), theirs("weighted ipw 2"), "weighted ipw 2");
        assert_close(several_loggers(dr(f64::INFINITY), &own, &logger), theirs("weighted dr"), "weighted dr");
        assert_close(several_loggers(dr(2.0), &own, &logger), theirs("weighted dr 2"), "weighted dr 2");
        let plain = |weighed: &Weighed| -> Vec<f64> {
            let estimators: Vec<Box<dyn Estimator>> = vec![Box::new(ipw(f64::INFINITY)), Box::new(dr(f64::INFINITY))];
            evaluate(weighed, estimators, Options::default()).unwrap().values.iter().map(|value| value.value.unwrap()).collect()
        };
        let naive = plain(&own);
        assert_close(naive[0], theirs("naive ipw"), "naive ipw");
        assert_close(naive[1], theirs("naive dr"), "naive dr");
        let actions = shape.actions as f64;
        rounds.sample.propensity.iter_mut().for_each(|propensity| *propensity = 0.5 * *propensity + 0.5 / actions);
        let weighed = super::weigh(shape, &rounds.sample.log(), Target::Dense(&rounds.target), Expected::Dense(&rounds.expected)).unwrap();
        let balanced = plain(&weighed);
        assert_close(balanced[0], theirs("balanced ipw"), "balanced ipw");
        assert_close(balanced[1], theirs("balanced dr"), "balanced dr");
    }
}

#[test]
fn categories_are_weighed_as_by_obp() {
    for case in cases("categories") {
        let (shape, count) = (shape_of(&case), size(&case, "rounds") as u64);
        let rounds = synthetic(case["seed"].as_u64().unwrap(), count, shape);
        let category: Vec<u32> = (0..).take(shape.actions).map(|action| action % 3).collect();
        let log = rounds.sample.log();
        let coarse = by_category(shape, &log, Target::Dense(&rounds.logging), Target::Dense(&rounds.target), &category).unwrap();
        let log = Log { action: &coarse.action, propensity: &coarse.propensity, ..log };
        let weighed = weigh(coarse.shape, &log, Target::Dense(&coarse.target), Expected::None).unwrap();
        let report = evaluate(&weighed, vec![Box::new(InverseProbabilityWeighting::plain())], Options::default()).unwrap();
        assert_close(report.values[0].value.unwrap(), case["mipw"].as_f64().unwrap(), "mipw");
    }
}
