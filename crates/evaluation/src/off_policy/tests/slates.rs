//! Pages whose truth is known.

use youhui_commerce::Draw;

use super::world::assert_coverage;
use super::*;

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

#[test]
fn wrong_pages_are_named() {
    let (reward, logging, target) = ([1.0, 0.0, 2.0, 1.0], [0.5, 0.25, 0.5, 0.5], [0.4, 0.2, 0.4, 0.1]);
    let value = |reward: &[f64], logging: &[f64], target: &[f64]| {
        let of = |cascade| slate::Propensities { cascade: Some(cascade), ..Default::default() };
        let log = slate::SlateLog { positions: 2, reward, logging: of(logging), target: of(target), model: None, customer: None };
        let estimators: Vec<Box<dyn slate::SlateEstimator>> = vec![Box::new(slate::RewardInteractionIps::default())];
        slate::evaluate_slates(&log, &estimators, &Options::default()).map(|values| values[0].value.unwrap())
    };
    let plain = (0.8 + 0.8 * 0.0 + 0.8 * 2.0 + 0.2) / 2.0;
    assert!((value(&reward, &logging, &target).unwrap() - plain).abs() < 1e-12);
    assert_eq!(value(&reward, &[0.5, 0.0, 0.5, 0.5], &target), Err(OffPolicyError::Propensity { row: 1, value: 0.0 }));
    assert_eq!(value(&reward, &logging, &[0.4, 0.2, 1.4, 0.1]), Err(OffPolicyError::PageProbability { row: 2, value: 1.4 }));
    assert_eq!(value(&[1.0, f64::INFINITY, 0.0, 0.0], &logging, &target), Err(OffPolicyError::Reward { row: 1, value: f64::INFINITY }));
    assert!(value(&reward[..3], &logging, &target).unwrap_err().to_string().contains("reward (pages × positions) has 3 values"));
    assert!(value(&reward, &logging[..2], &target).unwrap_err().to_string().contains("logging probabilities (pages × positions) has 2"));
    assert!(matches!(value(&[1e308; 4], &logging, &[0.9; 4]), Err(OffPolicyError::Overflow { .. })));
}
