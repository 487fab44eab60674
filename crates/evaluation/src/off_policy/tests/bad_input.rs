//! Wrong logs and policies: an error or a warning that names the consequence.

use super::*;

const SHAPE: Shape = Shape { actions: 3, positions: 2 };

struct Given {
    action: Vec<u32>,
    position: Vec<u32>,
    reward: Vec<f64>,
    propensity: Vec<f64>,
    target: Vec<f64>,
}

fn given() -> Given {
    Given {
        action: vec![0, 1, 2, 0, 1, 2],
        position: vec![0, 1, 0, 1, 0, 1],
        reward: vec![1.0, 0.0, 2.0, 0.0, 1.0, 3.0],
        propensity: vec![0.3, 0.3, 0.4, 0.3, 0.3, 0.4],
        target: [0.5, 0.2, 0.25, 0.2, 0.25, 0.6].repeat(6),
    }
}

impl Given {
    fn log(&self) -> Log<'_> {
        Log {
            action: &self.action,
            position: Some(&self.position),
            reward: &self.reward,
            propensity: &self.propensity,
            customer: None,
            first_row: 100,
        }
    }

    fn weigh(&self) -> Result<Weighed, OffPolicyError> {
        weigh(SHAPE, &self.log(), Target::Dense(&self.target), Expected::None)
    }
}

/// The text of the error when one thing is wrong.
fn error(spoil: impl FnOnce(&mut Given)) -> String {
    let mut wrong = given();
    spoil(&mut wrong);
    wrong.weigh().unwrap_err().to_string()
}

#[test]
fn wrong_rounds_are_named_with_what_they_would_do() {
    assert!(given().weigh().is_ok());
    for wrong in [0.0, -0.2, 1.5, f64::NAN, f64::INFINITY] {
        let text = error(|given| given.propensity[4] = wrong);
        assert!(text.starts_with("row 104: propensity is ") && text.contains("infinite or biased"), "{text}");
    }
    for wrong in [f64::INFINITY, f64::NEG_INFINITY, f64::NAN] {
        let text = error(|given| given.reward[2] = wrong);
        assert!(text.starts_with("row 102: reward is ") && text.contains("infinite or undefined"), "{text}");
    }
    assert!(error(|given| given.action[0] = 3).contains("row 100: action is 3, but there are 3 (0 to 2)"));
    assert!(error(|given| given.position[5] = 2).contains("row 105: position is 2"));
    let text = error(|given| given.target[0] = 0.6);
    assert!(
        text.contains("row 100: the target policy's probabilities at position 0 sum to 1.1") && text.contains("another policy"),
        "{text}"
    );
    // What is wanted at another position than the round's has no part in any estimate.
    let mut elsewhere = given();
    elsewhere.target[1] = 0.9;
    assert!(elsewhere.weigh().is_ok());
    let text = error(|given| {
        given.target[6 + 1] = -0.1;
        given.target[6 + 3] = 0.5;
    });
    assert!(text.contains("row 101") && text.contains("-0.1"), "{text}");
    assert!(error(|given| given.target[2] = f64::NAN).contains("NaN"));
}

#[test]
fn the_first_wrong_row_is_named_whatever_the_number_of_threads() {
    let rounds = 50_000;
    let (mut propensity, action, reward) = (vec![0.5; rounds], vec![0; rounds], vec![1.0; rounds]);
    propensity[20_001] = 0.0;
    propensity[40_000] = -1.0;
    let log = Log { action: &action, position: None, reward: &reward, propensity: &propensity, customer: None, first_row: 0 };
    let target = [0.5, 0.5];
    let found = weigh(Shape::of_actions(2), &log, Target::Constant(&target), Expected::None).unwrap_err();
    assert_eq!(found, OffPolicyError::Propensity { row: 20_001, value: 0.0 });
}

#[test]
fn lengths_have_to_agree() {
    assert!(error(|given| given.reward.truncate(5)).contains("reward has 5 values where 6 are needed"));
    assert!(error(|given| given.propensity.push(0.1)).contains("propensity has 7"));
    assert!(error(|given| given.target.truncate(10)).contains("target (rounds × actions × positions) has 10 values where 36"));
    let rounds = given();
    let unplaced = Log { position: None, ..rounds.log() };
    let text = weigh(SHAPE, &unplaced, Target::Dense(&rounds.target), Expected::None).unwrap_err().to_string();
    assert!(text.contains("another position would be taken for this one's"), "{text}");
    let few = weigh(SHAPE, &rounds.log(), Target::Dense(&rounds.target), Expected::Constant(&[1.0])).unwrap_err();
    assert!(few.to_string().contains("expected (actions × positions) has 1"), "{few}");
    let customers = Log { customer: Some(&[1, 2]), ..rounds.log() };
    assert!(weigh(SHAPE, &customers, Target::Dense(&rounds.target), Expected::None).unwrap_err().to_string().contains("customer has 2"));
}

#[test]
fn estimators_say_what_they_lack() {
    let weighed = given().weigh().unwrap();
    let text = evaluate(&weighed, vec![Box::new(DoublyRobust::plain())], Options::default()).unwrap_err().to_string();
    assert!(text.contains("dr needs a reward model"), "{text}");
    let text = evaluate(&weighed, vec![Box::new(BalancedIpw::plain())], Options::default()).unwrap_err().to_string();
    assert!(text.contains("b-ipw needs a classifier's importance weights"), "{text}");
    let rounds = given();
    let found = weigh(SHAPE, &rounds.log(), Target::Logged(&[0.5; 6]), Expected::Constant(&[0.0; 6])).unwrap_err();
    assert!(matches!(found, OffPolicyError::Needs { .. }), "{found}");
    let none = Evaluation::new(parameter_free(false), Options::default()).unwrap().finish().unwrap_err();
    assert!(none.to_string().contains("without two independent ones there is no variance"), "{none}");
}

#[test]
fn settings_have_ranges() {
    assert!(InverseProbabilityWeighting::clipped(-1.0).is_err() && DoublyRobust::clipped(f64::NAN).is_err());
    assert!(SubGaussianIpw::new(1.5).is_err() && SubGaussianDoublyRobust::new(-0.1).is_err());
    assert!(SwitchDoublyRobust::new(f64::NAN).is_err() && DoublyRobustShrinkage::new(-2.0).is_err());
    let alpha = Options { alpha: 1.0, ..Options::default() };
    assert!(Evaluation::new(vec![], alpha).unwrap_err().to_string().contains("alpha is 1, but has to be between 0 and 1"));
    let few = Options { bootstrap: Some(Bootstrap { draws: 10, seed: 0 }), ..Options::default() };
    assert!(Evaluation::new(vec![], few).unwrap_err().to_string().contains("at least 100"));
    assert!(Tuning::<DoublyRobust>::new(vec![], Criterion::Slope { delta: 0.1 }).is_err());
    assert!(Tuning::new(vec![DoublyRobust::plain()], Criterion::Slope { delta: 0.0 }).is_err());
}

#[test]
fn broken_promises_about_bounds_are_errors() {
    let weighed = given().weigh().unwrap();
    let with = |least_reward, greatest_reward, greatest_weight| {
        let bounds = Some(Bounds { least_reward, greatest_reward, greatest_weight });
        evaluate(&weighed, parameter_free(false), Options { bounds, ..Options::default() })
    };
    assert!(with(0.0, 3.0, 10.0).is_ok());
    let text = with(0.0, 2.0, 10.0).unwrap_err().to_string();
    assert!(text.contains("a reward reaches 3, beyond the promised bound of 2") && text.contains("would not hold their level"), "{text}");
    assert!(with(0.0, 3.0, 1.0).unwrap_err().to_string().contains("a weight reaches"));
    assert!(with(3.0, 0.0, 1.0).is_err());
}

#[test]
fn actions_never_logged_are_named() {
    // Action 2 is wanted at position 0 in three rounds of ten and was never logged.
    let rounds = 1_000_usize;
    let action: Vec<u32> = (0..rounds).map(|round| u32::from(round % 2 == 0)).collect();
    let (reward, propensity) = (vec![1.0; rounds], vec![0.5; rounds]);
    let log = Log { action: &action, position: None, reward: &reward, propensity: &propensity, customer: None, first_row: 0 };
    let weighed = weigh(Shape::of_actions(3), &log, Target::Constant(&[0.3, 0.4, 0.3]), Expected::None).unwrap();
    let action_names = ["ten off", "free shipping", "bundle"].map(str::to_owned).to_vec();
    let report = evaluate(&weighed, parameter_free(false), Options { action_names, ..Options::default() }).unwrap();
    let unsupported = report.diagnostics.unsupported.as_ref().unwrap();
    assert_eq!((unsupported.len(), unsupported[0].name.as_str()), (1, "bundle"));
    assert!((report.diagnostics.unsupported_share.unwrap() - 0.3).abs() < 1e-12);
    let texts: Vec<String> = report.warnings.iter().map(ToString::to_string).collect();
    assert!(texts.iter().any(|text| text.contains("30.00 % of the target policy's choices were never logged (bundle)")), "{texts:?}");
    // Weights average 0.7, which is the missing 30 % again.
    assert!(texts.iter().any(|text| text.contains("weights average 0.7000")), "{texts:?}");
}

#[test]
fn too_little_overlap_is_said() {
    // One round in a thousand has all the weight.
    let rounds = 2_000;
    let mut propensity = vec![0.999; rounds];
    let mut action = vec![0; rounds];
    for place in [7, 1_500] {
        (propensity[place], action[place]) = (0.001, 1);
    }
    let reward: Vec<f64> = (0..rounds).map(|round| f64::from(u8::from(round % 3 == 0))).collect();
    let log = Log { action: &action, position: None, reward: &reward, propensity: &propensity, customer: None, first_row: 0 };
    let weighed = weigh(Shape::of_actions(2), &log, Target::Constant(&[0.0, 1.0]), Expected::None).unwrap();
    let report = evaluate(&weighed, parameter_free(false), Options::default()).unwrap();
    assert!((report.diagnostics.effective_sample_size - 2.0).abs() < 1e-9);
    assert!((report.diagnostics.rounds_of_no_weight - 0.999).abs() < 1e-12);
    let texts: Vec<String> = report.warnings.iter().map(ToString::to_string).collect();
    assert!(texts.iter().any(|text| text.contains("the 2000 rounds are worth 2.0 of the target policy's own")), "{texts:?}");
    assert!(texts.iter().any(|text| text.contains("one round carries 50.0 % of all weight")), "{texts:?}");
    assert!(texts.iter().any(|text| text.contains("only 1 rounds have weight and a reward")), "{texts:?}");
}

#[test]
fn comparisons_need_the_same_rounds() {
    let (one, mut other) = (given(), given());
    other.reward[3] = 9.0;
    let mut comparison = Comparison::new(parameter_free(false), Options::default()).unwrap();
    let found = comparison.add(&one.weigh().unwrap(), &other.weigh().unwrap()).unwrap_err();
    assert!(found.to_string().contains("needs both policies on the same ones"), "{found}");
}

#[test]
fn reward_models_refuse_what_would_ruin_them() {
    let rounds = given();
    let fitting = |penalty, folds| Fitting { regression: Regression::Ridge { penalty }, weights: FittingWeights::Equal, folds, seed: 0 };
    let fit = |context: &[f64], fitting| RewardModel::fit(SHAPE, &rounds.log(), context, 1, None, fitting).map(drop);
    assert_eq!(fit(&[0.0; 6], fitting(1.0, 1)), Ok(()));
    assert!(
        fit(&[0.0; 5], fitting(1.0, 1)).is_err() && fit(&[0.0; 6], fitting(0.0, 1)).is_err() && fit(&[0.0; 6], fitting(1.0, 0)).is_err()
    );
    let text = fit(&[0.0, 0.0, f64::INFINITY, 0.0, 0.0, 0.0], fitting(1.0, 1)).unwrap_err().to_string();
    assert!(text.contains("row 102: a context value is inf"), "{text}");
    let logistic = Fitting { regression: Regression::Logistic { penalty: 1.0 }, ..fitting(1.0, 1) };
    assert_eq!(fit(&[0.0; 6], logistic), Err(OffPolicyError::NotAShare { row: 102, value: 2.0 }));
    let weighted = Fitting { weights: FittingWeights::Mrdr, ..fitting(1.0, 1) };
    assert!(matches!(fit(&[0.0; 6], weighted), Err(OffPolicyError::Needs { .. })));
    let upper = Log { position: Some(&[0; 6]), ..rounds.log() };
    let found = RewardModel::fit(SHAPE, &upper, &[0.0; 6], 1, None, fitting(1.0, 1)).map(drop);
    assert_eq!(found, Err(OffPolicyError::Model { position: 1, why: "no rounds were logged there" }));
}

#[test]
fn rows_count_once() {
    let at = |first_row: u64| {
        let rounds = given();
        let log = Log { first_row, ..rounds.log() };
        weigh(SHAPE, &log, Target::Dense(&rounds.target), Expected::None).unwrap()
    };
    let taking = |rows: &[u64]| {
        let mut evaluation = Evaluation::new(parameter_free(false), Options::default()).unwrap();
        rows.iter().try_for_each(|&row| evaluation.add(&at(row))).map(|()| evaluation)
    };
    assert!(taking(&[0, 6, 18, 12, 24]).is_ok());
    for (rows, twice) in [(vec![0, 0], 0), (vec![0, 6, 5], 5), (vec![12, 0, 7], 12), (vec![0, 12, 6, 6], 6)] {
        assert_eq!(taking(&rows).map(drop), Err(OffPolicyError::RowTwice { row: twice }), "{rows:?}");
    }
    let found = taking(&[0, 6]).unwrap().merge(taking(&[6]).unwrap()).unwrap_err();
    assert!(found.to_string().contains("rounds that count twice bias the value"), "{found}");
}

#[test]
fn numbers_too_large_to_sum_are_errors() {
    let mut huge = given();
    huge.reward[1] = 1e308;
    huge.reward[3] = 1e308;
    let found = evaluate(&huge.weigh().unwrap(), parameter_free(false), Options::default()).unwrap_err();
    assert!(found.to_string().contains("beyond what a 64-bit number holds"), "{found}");
    // A propensity so small that its weight is infinite.
    assert!(error(|given| given.propensity[0] = 1e-320).contains("row 100: propensity is"));
}
