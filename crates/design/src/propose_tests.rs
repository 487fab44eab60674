use youhui_commerce::{Catalogue, Product, ShopClock, SubjectId};
use youhui_profile::Features;
use youhui_profile::lifetime::PurchaseSummary;

use super::*;
use crate::brief::{ReplayBasket, ReplayLine};
use crate::law::{Offered, Shelf, Transacted};
use crate::lint::lint;

const DAY: Micros = TimeWindow::DAY;

fn as_of() -> Micros {
    // Midnight in Shanghai.
    "2026-01-15T00:00:00+08:00".parse::<jiff::Timestamp>().unwrap().as_microsecond()
}

fn shop(stock: Option<i64>) -> Shop {
    let product = |id: &str, price: i64| Product {
        product_id: id.into(),
        name: format!("product {id}"),
        category: vec![if price > 2000 { "kitchen" } else { "drinks" }.into()],
        brand: String::new(),
        price: Some(price),
        cost: Some(price * 6 / 10),
        stock,
    };
    Shop {
        catalogue: Catalogue::new([product("a", 1000), product("b", 4000), product("c", 500)]),
        clock: ShopClock::new(jiff::tz::TimeZone::UTC, TimeWindow { start: 0, end: 0 }),
        currency: "CNY".parse().unwrap(),
        assumed_margin: None,
        never_promote: vec![],
    }
}

fn features(orders: u32, recency_days: f64) -> Features {
    Features {
        subject: SubjectId::from_bytes([0; 16]),
        as_of: as_of(),
        orders,
        lines: orders,
        amount: 0,
        contribution: 0,
        refunded: 0,
        recency_days,
        tenure_days: 300.0,
        mean_gap_days: (orders >= 2).then_some(20.0),
        gap_variation: None,
        basket_quantiles: [0; 5],
        discount_share: 0.0,
        vendor_share: 0.0,
        price_sensitivity: 0.0,
        coupons: 0,
        recent_contribution: [0; 3],
        recent_amount: [0; 3],
        recent_orders: [0; 3],
        categories: vec![],
        brands: vec![],
        dayparts: [0; 6],
        weekdays: [0; 7],
        purchases: PurchaseSummary { frequency: 0.0, recency: 0.0, age: 0.0, monetary: 0.0 },
    }
}

/// A hundred customers: ten without an order, ten with one or two, the others regular.
fn everybody() -> Vec<Features> {
    (0..100).map(|place| features([0, 1 + place / 50, 6][usize::from(place >= 10) + usize::from(place >= 20)], f64::from(place))).collect()
}

fn shoppers(features: &[Features]) -> Vec<Shopper<'_>> {
    let baskets = |features: &Features| {
        let basket = |number: u32| {
            let line = |product, amount: i64| ReplayLine { product, quantity: 1, amount, contribution: amount * 4 / 10 };
            let time = as_of() - DAY * (80 - 12 * i64::from(number));
            ReplayBasket { time, lines: vec![line(number % 3, [1000, 4000, 500][(number % 3) as usize]), line(0, 1000)] }
        };
        (0..features.orders.min(6)).map(basket).collect()
    };
    features.iter().map(|features| Shopper { features, baskets: baskets(features) }).collect()
}

fn settings(market: Market) -> Settings {
    let mut history = PriceHistory::default();
    for (id, price) in [("a", 1000), ("b", 4000), ("c", 500)] {
        for days in [200, 3] {
            let (shelf, from) = (Shelf::new(id, market, "web"), as_of() - days * DAY);
            history.offer(&shelf, Offered { from, price: Some(price), reduced: false }).unwrap();
            history.transact(&shelf, Transacted { at: from, price }).unwrap();
        }
    }
    Settings {
        margin_floor: 0.05,
        as_of: as_of(),
        time_zone: "Asia/Shanghai".into(),
        market,
        history,
        channel: "web".into(),
        elasticity: Some(2.0),
        stocked_since: [(0, as_of() - 90 * DAY), (1, Micros::MAX)].into(),
    }
}

fn proposed(goal: Goal, shop: &Shop, settings: &Settings) -> Proposal {
    let everybody = everybody();
    propose(&[goal], shop, &shoppers(&everybody), settings)
}

#[test]
fn every_goal_has_candidates_in_every_market_and_all_texts_pass() {
    for market in Market::ALL {
        for goal in Goal::ALL {
            let found = proposed(goal, &shop(None), &settings(market));
            if goal != Goal::Clearance && goal != Goal::CrossSell {
                assert!(!found.candidates.is_empty(), "{market:?} {goal:?}: {:?}", found.refused);
            }
            for candidate in &found.candidates {
                let promotion = candidate.promotion.get();
                let name = promotion.effects.iter().find_map(|effect| match effect {
                    Effect::ItemPrice(item) => item.scope.products.first().map(|id| format!("product {id}")),
                    _ => None,
                });
                assert_eq!(lint(promotion, name.as_deref().unwrap_or("")), vec![], "{:?}", promotion.texts);
                let said = !promotion.disclosures.is_empty();
                assert_eq!(
                    said,
                    matches!(market, Market::Eu | Market::Uk | Market::NewYork),
                    "{market:?}: what depends on a profile says so"
                );
            }
        }
    }
}

#[test]
fn without_prices_on_record_no_reduction_is_designed_where_law_measures_it() {
    let blind = Settings { history: PriceHistory::default(), ..settings(Market::Eu) };
    let found = proposed(Goal::Holiday, &shop(None), &blind);
    let reduces = |candidate: &Candidate| {
        candidate.promotion.get().effects.iter().any(|effect| matches!(effect, Effect::PercentOff(_) | Effect::ItemPrice(_)))
    };
    assert!(!found.candidates.is_empty() && !found.candidates.iter().any(reduces));
    assert!(found.refused.iter().any(|(_, why)| why.contains("no price on record")));
}

#[test]
fn a_holiday_is_the_markets_next_one_in_local_days() {
    let windows = |market| {
        let found = proposed(Goal::Holiday, &shop(None), &settings(market));
        let schedule = &found.candidates[0].promotion.get().schedule;
        let text = found.candidates[0].promotion.get().texts["zh-CN"].clone();
        (schedule.starts.unwrap().to_string(), schedule.ends.unwrap().to_string(), text.title.to_string(), text.condition)
    };
    // 2026-02-14 is Valentine's Day, Spring Festival is on 2026-02-17.
    let (starts, ends, title, condition) = windows(Market::China);
    assert_eq!((starts.as_str(), ends.as_str()), ("2026-02-07T16:00:00Z", "2026-02-14T16:00:00Z"));
    assert!(title.starts_with("情人节") && condition.contains("2026-02-08至2026-02-14"), "{title} {condition}");
    let later = Settings { as_of: as_of() + 25 * DAY, ..settings(Market::China) };
    let found = proposed(Goal::Holiday, &shop(None), &later);
    assert!(found.candidates[0].reason.contains("Spring Festival (春节) on 2026-02-17"), "{}", found.candidates[0].reason);
}

#[test]
fn clearance_follows_stock_and_its_age_and_says_where_it_has_none() {
    let stocked = proposed(Goal::Clearance, &shop(Some(800)), &settings(Market::UnitedStates));
    assert!(stocked.candidates.iter().all(|candidate| candidate.reason.contains("800 units of product")));
    let of = |id: &str| -> Vec<u32> {
        let mine = stocked.candidates.iter().filter(|candidate| match &candidate.promotion.get().effects[0] {
            Effect::PercentOff(off) => off.scope.products == [id],
            _ => false,
        });
        mine.map(|candidate| if let Effect::PercentOff(off) = &candidate.promotion.get().effects[0] { off.basis_points } else { 0 })
            .collect()
    };
    assert_eq!(of("b").len(), 4, "a step a week: {:?}", stocked.refused);
    assert!(of("b").windows(2).all(|pair| pair[0] < pair[1]), "deeper as the date nears: {:?}", of("b"));
    assert!(stocked.candidates.iter().any(|candidate| candidate.reason.contains("90 days after its replenishment")));
    assert!(stocked.candidates.iter().any(|candidate| candidate.reason.contains("of unknown age")));
    let falling = proposed(Goal::Clearance, &shop(None), &settings(Market::UnitedStates));
    assert!(falling.candidates.iter().all(|candidate| candidate.reason.to_lowercase().contains("no stock is on record")));
    let sold_out = proposed(Goal::Clearance, &shop(Some(0)), &settings(Market::UnitedStates));
    assert_eq!(sold_out.candidates.len(), falling.candidates.len());
}

#[test]
fn a_later_week_of_a_markdown_is_measured_from_the_week_before() {
    for market in [Market::Eu, Market::China] {
        let found = proposed(Goal::Clearance, &shop(Some(800)), &settings(market));
        let steps: Vec<&Candidate> =
            found.candidates.iter().filter(|candidate| candidate.promotion.claims().iter().all(|claim| claim.product_id == "b")).collect();
        assert_eq!(steps.len(), 4, "{market:?}: {:?}", found.refused);
        let mut before = 4000;
        for step in steps {
            let (promotion, claim) = (step.promotion.get(), &step.promotion.claims()[0]);
            let Effect::ItemPrice(item) = &promotion.effects[0] else { panic!("{market:?}: a per cent of which price?") };
            assert_eq!((claim.reference.price, claim.now), (before, item.unit_price), "{market:?}");
            assert!(item.unit_price < before);
            before = item.unit_price;
        }
        // Though all steps together are a quarter and more, none claims more than its own.
        assert!(before < 3000);
    }
}

#[test]
fn people_without_history_are_welcomed_by_the_segments_prior() {
    let known = proposed(Goal::Acquisition, &shop(None), &settings(Market::UnitedStates));
    assert!(known.candidates.iter().all(|candidate| candidate.figures.customers == 10));
    let welcome = &known.candidates[0];
    assert!(welcome.promotion.get().conditions.contains(&Condition::NthOrder { n: 1 }));
    assert!(welcome.promotion.get().texts["zh-CN"].condition.contains("仅限首单"));
    let mut savings = welcome.audience.iter().map(|(_, replayed)| replayed.saving);
    let first = savings.next().unwrap();
    assert!(first > 0.0 && savings.all(|saving| saving == first), "the same prior for all");
    // Nobody is known at all but regular customers: there are welcome mechanics all the same.
    let regulars: Vec<Features> = everybody().split_off(20);
    let unknown = propose(&[Goal::Acquisition], &shop(None), &shoppers(&regulars), &settings(Market::UnitedStates));
    assert!(!unknown.candidates.is_empty() && unknown.candidates.iter().all(|candidate| candidate.audience.is_empty()));
}

#[test]
fn odd_settings_get_an_answer() {
    for as_of in [Micros::MIN, 0, Micros::MAX] {
        for elasticity in [None, Some(f64::NAN), Some(-1.0), Some(1e300)] {
            for goal in Goal::ALL {
                let odd =
                    Settings { as_of, elasticity, time_zone: "Mars/Olympus".into(), margin_floor: f64::NAN, ..settings(Market::China) };
                assert!(propose(&[goal], &shop(Some(i64::MAX)), &[], &odd).candidates.is_empty(), "{goal:?}");
            }
        }
    }
}
