use proptest::prelude::*;
use youhui_commerce::{Catalogue, Product};
use youhui_promotion::{AmountOff, Basis, ItemPrice, Line, MemberPrice, PercentOff, Promotions, Schedule, Trigger};

use super::*;
use crate::law::{Feature, MemberState, Offered, Presentation, PriceHistory, PublicContext, Transacted};

const START: &str = "2025-11-11T00:00:00Z";
const DAY: Micros = youhui_commerce::TimeWindow::DAY;

fn start() -> Micros {
    START.parse::<jiff::Timestamp>().unwrap().as_microsecond()
}

fn catalogue() -> Catalogue {
    let product = |id: &str, category: &str| Product {
        product_id: id.into(),
        name: id.into(),
        category: vec![category.into()],
        brand: String::new(),
        price: None,
        cost: None,
        stock: None,
    };
    Catalogue::new([product("tea", "drinks"), product("cup", "kitchen")])
}

fn promotion(effect: impl Into<Effect>) -> Promotion {
    let schedule = Schedule { starts: Some(START.parse().unwrap()), time_zone: Some("UTC".into()), ..Schedule::default() };
    Promotion { schedule, ..Promotion::new("p", "EUR".parse().unwrap(), effect.into()) }
}

/// (product, days before the start, price) offered and, in China, sold an hour later.
fn history(market: Market, prices: &[(&str, i64, i64)]) -> PriceHistory {
    let mut history = PriceHistory::default();
    for &(product, days, price) in prices {
        let shelf = Shelf::new(product, market, "web");
        let from = start() - days * DAY;
        history.offer(&shelf, Offered { from, price: Some(price), reduced: false }).unwrap();
        history.transact(&shelf, Transacted { at: from + DAY / 24, price }).unwrap();
    }
    history
}

fn checked(promotion: &Promotion, market: Market, history: &PriceHistory, personal: &[Feature]) -> Result<Vec<Claim>, Violation> {
    crate::law::check(
        promotion,
        &Case {
            market,
            state: MemberState::default(),
            history,
            catalogue: &catalogue(),
            channel: "web",
            personal,
            published: &["gold".to_owned()],
            presentation: &Presentation::default(),
        },
    )
}

fn tenth(category: &str) -> Promotion {
    promotion(PercentOff { basis_points: 1000, scope: Scope::categories([category]), ..PercentOff::default() })
}

#[test]
fn every_product_in_scope_must_bear_the_percentage_out() {
    let steady = history(Market::Eu, &[("tea", 100, 999), ("cup", 100, 500), ("cup", 10, 450), ("cup", 5, 500)]);
    let claims = checked(&tenth("drinks"), Market::Eu, &steady, &[]).unwrap();
    assert_eq!((claims.len(), claims[0].now, claims[0].basis_points), (1, 899, 1001));
    // 10 % off 500 is 450, which was the price within 30 days.
    let refused = checked(&tenth("kitchen"), Market::Eu, &steady, &[]);
    assert_eq!(refused, Err(Violation::NotBelow { product_id: "cup".into(), now: 450, reference: 450 }));
    let deeper = promotion(PercentOff { basis_points: 2000, scope: Scope::categories(["kitchen"]), ..PercentOff::default() });
    let refused = checked(&deeper, Market::Eu, &steady, &[]);
    assert_eq!(refused, Err(Violation::Overstated { product_id: "cup".into(), announced: 2000, lawful: 1111, reference: 450 }));
    let everything = promotion(PercentOff { basis_points: 1000, ..PercentOff::default() });
    assert!(matches!(checked(&everything, Market::Eu, &steady, &[]), Err(Violation::NotBelow { .. })));
    // The UK and the United States have no such window.
    assert_eq!(checked(&everything, Market::Uk, &PriceHistory::default(), &[]), Ok(vec![]));
}

#[test]
fn what_is_unknown_is_refused() {
    let none = PriceHistory::default();
    assert!(matches!(checked(&tenth("drinks"), Market::Eu, &none, &[]), Err(Violation::NoHistory { .. })));
    assert_eq!(checked(&tenth("toys"), Market::Eu, &none, &[]), Err(Violation::NoProduct));
    let timeless = Promotion { schedule: Schedule::default(), ..tenth("drinks") };
    assert_eq!(checked(&timeless, Market::Eu, &none, &[]), Err(Violation::NoStart));
    let nowhere = Schedule { time_zone: Some("Mars/Olympus".into()), ..tenth("drinks").schedule };
    assert_eq!(checked(&Promotion { schedule: nowhere, ..tenth("drinks") }, Market::Eu, &none, &[]), Err(Violation::NoStart));
    // On sale from the day of the promotion on: nothing before it.
    let fresh = history(Market::Eu, &[("tea", 0, 100)]);
    assert!(matches!(checked(&tenth("drinks"), Market::Eu, &fresh, &[]), Err(Violation::NoHistory { .. })));
    // Free already, or a price that no 64 bits can raise.
    for price in [0, i64::MAX] {
        let odd = checked(&tenth("drinks"), Market::Eu, &history(Market::Eu, &[("tea", 50, price)]), &[]);
        assert_eq!(odd.is_ok(), price > 0, "{odd:?}");
    }
    let web_only = Promotion { channels: vec!["app".into()], ..tenth("drinks") };
    let steady = history(Market::Eu, &[("tea", 50, 100)]);
    assert!(matches!(checked(&web_only, Market::Eu, &steady, &[]), Err(Violation::NoHistory { channel, .. }) if channel == "app"));
}

#[test]
fn a_threshold_is_a_condition_only_where_one_unit_does_not_meet_it() {
    let cheaper_before = history(Market::Eu, &[("tea", 100, 1000), ("tea", 20, 800), ("tea", 10, 1000)]);
    let from = |amount| tenth("drinks").when(Condition::SpendAtLeast { amount, basis: Basis::Remaining, scope: Scope::everything() });
    assert_eq!(checked(&from(5000), Market::Eu, &cheaper_before, &[]), Ok(vec![]));
    assert!(matches!(checked(&from(1), Market::Eu, &cheaper_before, &[]), Err(Violation::NotBelow { .. })), "no way round the law");
}

#[test]
fn every_way_to_announce_a_price_is_measured() {
    let steady = history(Market::Eu, &[("tea", 100, 1000)]);
    let tea = || Scope::products(["tea"]);
    let ways: [Effect; 5] = [
        ItemPrice { unit_price: 900, scope: tea(), ..ItemPrice::default() }.into(),
        AmountOff { amount: 100, per: Per::Unit, scope: tea(), ..AmountOff::default() }.into(),
        MemberPrice::new(["gold"], Off::UnitPrice(900), tea()).into(),
        MemberPrice::new(["gold"], Off::Amount(100), tea()).into(),
        MemberPrice::new(["gold"], Off::BasisPoints(1000), tea()).into(),
    ];
    for effect in ways {
        let claims = checked(&promotion(effect.clone()), Market::Eu, &steady, &[]).unwrap();
        assert_eq!((claims[0].now, claims[0].basis_points), (900, 1000), "{effect:?}");
    }
    let dearer = promotion(ItemPrice { unit_price: 1000, scope: tea(), ..ItemPrice::default() });
    assert!(matches!(checked(&dearer, Market::Eu, &steady, &[]), Err(Violation::NotBelow { .. })));
}

#[test]
fn china_measures_from_sales_and_flags_a_mark_up() {
    let sold = |prices: &[(&str, i64, i64)]| checked(&tenth("drinks"), Market::China, &history(Market::China, prices), &[]);
    assert_eq!(sold(&[("tea", 20, 1000), ("tea", 3, 1000)]).unwrap()[0].basis_points, 1000);
    // Sold at 800 until the day before, when the shelf was raised to 1000.
    assert_eq!(sold(&[("tea", 20, 800), ("tea", 1, 1000)]), Err(Violation::MarkUp { product_id: "tea".into(), before: 800 }));
    // What stands on the shelf was never sold: the stated base is not real.
    let mut shelf_only = history(Market::China, &[("tea", 20, 800)]);
    let shelf = Shelf::new("tea", Market::China, "web");
    shelf_only.offer(&shelf, Offered { from: start() - 15 * DAY, price: Some(1000), reduced: false }).unwrap();
    let refused = checked(&tenth("drinks"), Market::China, &shelf_only, &[]);
    assert_eq!(refused, Err(Violation::NotBelow { product_id: "tea".into(), now: 900, reference: 800 }));
}

#[test]
fn in_china_neither_price_nor_benefit_depends_on_who_somebody_is() {
    let sold = history(Market::China, &[("tea", 20, 1000)]);
    let coupon = |condition: Option<Condition>| {
        let amount = AmountOff { amount: 100, ..AmountOff::default() };
        let conditions = condition.into_iter().collect();
        Promotion { conditions, trigger: Trigger::Code { codes: vec!["TEN".into()] }, ..promotion(amount) }
    };
    let check = |promotion: &Promotion, personal: &[Feature]| checked(promotion, Market::China, &sold, personal);
    // A price: nothing personal at all.
    assert!(matches!(check(&tenth("drinks"), &[Feature::Orders]), Err(Violation::Personal { what: "a price", .. })));
    // A benefit: countable facts, where the rule is published; never habits and the like.
    let mut published = coupon(None);
    assert!(matches!(check(&published, &[Feature::Orders]), Err(Violation::Unpublished { .. })));
    published.audience.rule = "customers with one or two orders".into();
    assert_eq!(check(&published, &[Feature::Orders]), Ok(vec![]));
    for feature in Feature::ALL.into_iter().filter(|feature| feature.nature() != crate::law::Nature::Countable) {
        assert_eq!(check(&published, &[feature]), Err(Violation::Personal { what: "a benefit", features: vec![feature] }));
    }
    // Hidden in a condition, however deep.
    let leak =
        |name: &str| Condition::AttributeRange { of: youhui_promotion::Of::Customer, name: name.into(), at_least: Some(1), at_most: None };
    let deep = Condition::Not { of: Box::new(Condition::Any { of: vec![leak("price_sensitivity")] }) };
    assert!(matches!(check(&coupon(Some(deep)), &[]), Err(Violation::Personal { .. })));
    assert_eq!(check(&coupon(Some(leak("birth_month"))), &[]), Err(Violation::Unpublished { name: "birth_month".into() }));
    let group = |name: &str| coupon(Some(Condition::CustomerIn { groups: vec![name.into()] }));
    assert_eq!((check(&group("gold"), &[]), check(&group("rich"), &[])), (Ok(vec![]), Err(Violation::Unpublished { name: "rich".into() })));
    // Elsewhere the same is lawful.
    assert_eq!(checked(&coupon(None), Market::UnitedStates, &sold, &[Feature::PriceSensitivity]), Ok(vec![]));
}

/// Somebody whose published conditions and whose profile vary by themselves.
#[derive(Debug, Clone)]
struct Person {
    memberships: Vec<String>,
    completed_orders: i64,
    price_sensitivity: i64,
    spend: i64,
}

fn person() -> impl Strategy<Value = Person> {
    (prop::bool::ANY, 0_i64..4, 0_i64..100, 0_i64..1_000_000).prop_map(|(gold, completed_orders, price_sensitivity, spend)| Person {
        memberships: if gold { vec!["gold".into()] } else { vec![] },
        completed_orders,
        price_sensitivity,
        spend,
    })
}

/// What the China pack clears, and one that it doesn't.
fn shelf_of_china(leak: bool) -> Promotions {
    let yuan = "CNY".parse().unwrap();
    let gold = Promotion::new("gold", yuan, MemberPrice::new(["gold"], Off::BasisPoints(500), Scope::everything()).into());
    let first = Promotion::new("first", yuan, AmountOff { amount: 300, ..AmountOff::default() }.into()).when(Condition::NthOrder { n: 1 });
    let range = Condition::AttributeRange {
        of: youhui_promotion::Of::Customer,
        name: "price_sensitivity".into(),
        at_least: Some(50),
        at_most: None,
    };
    let leaky = Promotion::new("leak", yuan, PercentOff { basis_points: 1000, ..PercentOff::default() }.into()).when(range);
    Promotions::new(if leak { vec![gold, first, leaky] } else { vec![gold, first] }).unwrap()
}

fn public(person: &Person, amount: i64) -> PublicContext {
    PublicContext {
        lines: vec![Line::new("tea", 2, amount)],
        memberships: person.memberships.clone(),
        completed_orders: Some(person.completed_orders),
        ..PublicContext::default()
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]

    #[test]
    fn equal_published_conditions_are_an_equal_price(one in person(), other in person(), amount in 1_i64..100_000) {
        // The other as the first publicly, as itself in private.
        let other = Person { memberships: one.memberships.clone(), completed_orders: one.completed_orders, ..other };
        let shelf = shelf_of_china(true);
        let yuan = "CNY".parse().unwrap();
        let priced = |person: &Person| public(person, amount).price(&shelf, yuan).unwrap();
        prop_assert_eq!(priced(&one), priced(&other), "{:?} {:?}", (one.spend, one.price_sensitivity), (other.spend, other.price_sensitivity));
    }
}

#[test]
fn a_leaky_price_path_is_caught_by_the_property_and_by_the_gate() {
    // The same through a basket with attributes, as other markets price: here the habit shows.
    let shelf = shelf_of_china(true);
    let yuan = "CNY".parse().unwrap();
    let priced = |sensitivity: i64| {
        let mut basket = youhui_promotion::Basket::new(yuan, [Line::new("tea", 2, 1000)]);
        basket.customer.attributes.insert("price_sensitivity".into(), sensitivity.to_string());
        shelf.price(&basket, &youhui_promotion::Context::default()).unwrap().total
    };
    assert_ne!(priced(0), priced(99), "the test can tell");
    let nobody = Person { memberships: vec![], completed_orders: 5, price_sensitivity: 99, spend: 0 };
    let through = public(&nobody, 1000);
    assert_eq!(through.price(&shelf, yuan).unwrap().total, through.price(&shelf_of_china(false), yuan).unwrap().total);
}
