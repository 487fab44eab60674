use proptest::prelude::*;

use super::simulate::{Arrivals, Quality, Report, Start, World, offline_bound, quality, run};
use super::*;
use crate::{Offer, solve};

/// The example measures more kinds, sizes and seeds.
fn measured(world: World, kind: Arrivals, seeds: u64, cold: bool) -> Quality {
    let budgets = world.budgets();
    let reports: Vec<Report> = (0..seeds)
        .map(|seed| {
            let arrivals = world.arrivals(kind, seed);
            let bound = offline_bound(&arrivals, &budgets);
            let history = world.history(4096, seed);
            let expected = (!cold).then_some(world.customers as f64);
            let start = if cold { Start::Cold } else { Start::History(&history) };
            run(&arrivals, &budgets, Horizon::Clock { expected }, Settings::default(), start, bound)
        })
        .collect();
    quality(&reports)
}

#[test]
fn nearly_as_good_as_hindsight_on_stationary_arrivals() {
    let one_budget = World { customers: 8_000, ..World::default() };
    let all = World { money: Some(0.7), count: Some(0.7), ..one_budget };
    // With fewer customers than 20,000 learning seven prices from nothing takes its part.
    for (world, cold, least) in [(one_budget, true, 0.997), (all, false, 0.997), (all, true, 0.993)] {
        let result = measured(world, Arrivals::Poisson, 1, cold);
        assert!(result.worst > least, "{world:?}, cold: {cold}: {result:?}");
        assert_eq!(result.overspend, 0);
    }
}

#[test]
fn no_order_of_arrivals_overspends() {
    let world = World { customers: 2_000, money: Some(0.6), count: Some(0.6), saving: 0.1, ..World::default() };
    for kind in Arrivals::ALL {
        let result = measured(world, kind, 1, true);
        assert_eq!(result.overspend, 0, "{}", kind.name());
        assert!(result.worst > 0.5, "{}: {result:?}", kind.name());
    }
}

#[test]
fn the_bound_is_that_of_the_offline_solver() {
    let world = World { customers: 3_000, ..World::default() };
    let (arrivals, budgets) = (world.arrivals(Arrivals::Poisson, 1), world.budgets());
    let offer = |one: &OnlineOffer| Offer { value: one.value, cost: one.cost };
    let customers: Vec<Vec<Offer>> = arrivals.iter().map(|one| one.offers.iter().map(offer).collect()).collect();
    let (ours, theirs) = (offline_bound(&arrivals, &budgets), solve(&customers, budgets.money).upper_bound);
    assert!(ours >= theirs * (1.0 - 1e-12) && ours <= theirs * (1.0 + 1e-6), "{ours} {theirs}");
}

#[test]
fn a_wrong_number_of_customers_is_mended_by_a_clock() {
    let world = World { customers: 3_000, ..World::default() };
    let (arrivals, budgets) = (world.arrivals(Arrivals::Poisson, 3), world.budgets());
    let bound = offline_bound(&arrivals, &budgets);
    for wrong in [1.0, 600.0, 6_000.0, f64::NAN, -1.0] {
        let horizon = Horizon::Clock { expected: Some(wrong) };
        let report = run(&arrivals, &budgets, horizon, Settings::default(), Start::Cold, bound);
        assert!(report.ratio() > 0.98, "{wrong}: {}", report.ratio());
    }
}

#[test]
fn given_prices_decide_until_enough_customers_are_seen() {
    let prices = Prices { budget: 2.0, money: vec![0.0, f64::NAN], count: vec![5.0, -3.0] };
    let settings = Settings { warm_up: 3, ..Settings::default() };
    let mut online = Online::new(Budgets::of_money(1_000, 2), Horizon::Arrivals(10.0), settings).with_prices(&prices);
    let offers = [OnlineOffer { promotion: 0, value: 26.0, cost: 10 }, OnlineOffer { promotion: 1, value: 20.5, cost: 10 }];
    assert_eq!(online.prices(), &Prices { budget: 2.0, money: vec![0.0; 2], count: vec![5.0, 0.0] });
    assert_eq!((online.decide(0.0, &offers), online.decide(0.1, &offers[1..])), (Some(0), Some(0)));
    assert_eq!(online.prices().budget, 2.0);
    assert_eq!(online.decide(0.2, &[]), None);
    assert!(online.prices().budget < 2.0, "money enough for all: {:?}", online.prices());
}

#[test]
fn ties_go_to_the_cheaper_then_the_first() {
    let offer = |promotion, cost| OnlineOffer { promotion, value: 5.0, cost };
    let mut online = Online::new(Budgets::of_money(1_000, 3), Horizon::Arrivals(1.0), Settings { looks: 0, ..Settings::default() });
    assert_eq!(online.decide(0.0, &[offer(0, 7), offer(1, 3), offer(2, 3)]), Some(1));
}

#[test]
fn what_saves_money_pays_for_others() {
    let saving = OnlineOffer { promotion: 0, value: 1.0, cost: -50 };
    let dear = OnlineOffer { promotion: 1, value: 90.0, cost: 40 };
    let fixed = Settings { looks: 0, ..Settings::default() };
    for (budget, both) in [(0, true), (-10, true), (-11, false)] {
        let mut online = Online::new(Budgets::of_money(budget, 2), Horizon::Arrivals(3.0), fixed);
        assert_eq!(online.decide(0.0, &[dear]), None);
        assert_eq!(online.decide(0.0, &[saving]), Some(0));
        assert_eq!(online.decide(0.0, &[dear]).is_some(), both, "{budget}");
    }
}

#[test]
fn enormous_savings_leave_prices_numbers() {
    let offer = |promotion, value, cost| vec![OnlineOffer { promotion, value, cost }];
    let mut arrivals = vec![(0.0, offer(1, 0.0, -15))];
    arrivals.extend(vec![(0.0, Vec::new()); 6]);
    arrivals.extend([(0.0, offer(2, 0.0, i64::MIN)), (0.0, offer(1, 370.2, 281)), (0.0, offer(3, 156.3, 0)), (0.0, Vec::new())]);
    arrivals.extend([
        (0.0, offer(0, 459.8, 17)),
        (0.0, offer(0, 0.0, 11)),
        (0.0, [offer(0, 143.8, 227), offer(0, 0.0, i64::MIN)].concat()),
    ]);
    let limit = |count| Limit { money: None, count };
    let budgets = Budgets { money: -3_907_196_725_297_128_192, promotions: vec![limit(Some(0)), limit(None), limit(None), limit(Some(0))] };
    let case = (arrivals, budgets, Horizon::Arrivals(0.0), Settings { sample: 5, looks: 4, warm_up: 0 });
    let prices = decisions(&case, true).1.prices().clone();
    assert!(prices.count.iter().all(|price| price.is_finite()), "{prices:?}");
}

fn any_offer() -> impl Strategy<Value = OnlineOffer> {
    let value = prop_oneof![8 => -100.0..500.0, 1 => any::<f64>(), 1 => Just(f64::NAN), 1 => Just(f64::INFINITY)];
    let cost = prop_oneof![8 => -200_i64..500, 1 => any::<i64>(), 1 => Just(i64::MIN), 1 => Just(i64::MAX), 1 => Just(0)];
    (0_usize..5, value, cost).prop_map(|(promotion, value, cost)| OnlineOffer { promotion, value, cost })
}

fn any_budgets() -> impl Strategy<Value = Budgets> {
    let money = || prop_oneof![6 => -100_i64..5_000, 1 => any::<i64>(), 1 => Just(0)];
    let limit = (proptest::option::of(money()), proptest::option::of(0_u64..9)).prop_map(|(money, count)| Limit { money, count });
    (money(), proptest::collection::vec(limit, 4)).prop_map(|(money, promotions)| Budgets { money, promotions })
}

type Case = (Vec<(f64, Vec<OnlineOffer>)>, Budgets, Horizon, Settings);

fn any_case() -> impl Strategy<Value = Case> {
    let elapsed = prop_oneof![8 => 0.0..1.0, 1 => any::<f64>()];
    let arrivals = proptest::collection::vec((elapsed, proptest::collection::vec(any_offer(), 0..6)), 0..80);
    let horizon = prop_oneof![
        any::<f64>().prop_map(Horizon::Arrivals),
        (0.0..200.0).prop_map(Horizon::Arrivals),
        proptest::option::of(0.0..200.0).prop_map(|expected| Horizon::Clock { expected }),
    ];
    let settings = (0_usize..20, 0_usize..9, 0_usize..9).prop_map(|(sample, looks, warm_up)| Settings { sample, looks, warm_up });
    (arrivals, any_budgets(), horizon, settings)
}

fn decisions((arrivals, budgets, horizon, settings): &Case, learns: bool) -> (Vec<Option<usize>>, Online) {
    let mut online = Online::new(budgets.clone(), *horizon, *settings);
    if learns {
        online = online.with_history(arrivals.iter().map(|(_, offers)| offers.as_slice()), 50.0);
    }
    (arrivals.iter().map(|(elapsed, offers)| online.decide(*elapsed, offers)).collect(), online)
}

proptest! {
    #[test]
    fn budgets_hold_at_every_moment_whatever_comes(case in any_case(), learns: bool) {
        let (choices, online) = decisions(&case, learns);
        let (arrivals, budgets, ..) = &case;
        let (mut spent, mut of, mut count) = (0_i128, [0_i128; 4], [0_u64; 4]);
        for ((_, offers), choice) in arrivals.iter().zip(&choices) {
            let Some(place) = *choice else { continue };
            let offer = offers[place];
            prop_assert!(offer.value.is_finite());
            spent += i128::from(offer.cost);
            of[offer.promotion] += i128::from(offer.cost);
            count[offer.promotion] += 1;
            prop_assert!(spent <= i128::from(budgets.money.max(0)));
            for (promotion, limit) in budgets.promotions.iter().enumerate() {
                prop_assert!(limit.money.is_none_or(|limit| of[promotion] <= i128::from(limit.max(0))));
                prop_assert!(limit.count.is_none_or(|limit| count[promotion] <= limit));
            }
        }
        prop_assert_eq!((online.ledger().spent(), online.ledger().overspend()), (spent, 0));
    }

    #[test]
    fn prices_stay_numbers_from_zero_up(case in any_case(), learns: bool) {
        let (_, online) = decisions(&case, learns);
        let Prices { budget, money, count } = online.prices();
        prop_assert!([budget].into_iter().chain(money).chain(count).all(|price| price.is_finite() && *price >= 0.0), "{:?}", online.prices());
    }

    #[test]
    fn the_same_arrivals_have_the_same_decisions(case in any_case(), learns: bool) {
        let ((one, online), (two, other)) = (decisions(&case, learns), decisions(&case, learns));
        prop_assert_eq!(one, two);
        prop_assert_eq!(online.prices(), other.prices());
    }

    #[test]
    fn the_bound_is_above_what_online_got(case in any_case()) {
        let (arrivals, budgets, ..) = &case;
        // Sums of such values are exact enough to compare.
        let tame = |offer: &OnlineOffer| offer.value.abs() < 1e6 && offer.cost.unsigned_abs() < 1_000_000;
        prop_assume!(budgets.money >= 0 && budgets.promotions.iter().all(|limit| limit.money.is_none_or(|money| money >= 0)));
        let tamed: Vec<Vec<OnlineOffer>> = arrivals.iter().map(|(_, offers)| offers.iter().copied().filter(tame).collect()).collect();
        let case = (tamed.iter().map(|offers| (0.5, offers.clone())).collect(), budgets.clone(), case.2, case.3);
        let (choices, _) = decisions(&case, false);
        let value: f64 = tamed.iter().zip(choices).filter_map(|(offers, choice)| choice.map(|place| offers[place].value)).sum();
        let (bound, _) = upper_bound(tamed.iter().map(Vec::as_slice), budgets);
        prop_assert!(bound >= value - 1e-6 * value.abs(), "{bound} < {value}");
    }
}
