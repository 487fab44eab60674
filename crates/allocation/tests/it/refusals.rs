//! What is refused, and in which words.

use expect_test::{Expect, expect};
use youhui_allocation::{Constraints, PromotionLimit, Row, SegmentLimit};

use crate::shop::{Shop, names};

/// Three customers in the north and one in the south, who can get "a" for 10 and "b" for 7.
fn shop() -> Shop {
    let rows = vec![Row { promotion: 0, value: 30, cost: 10 }, Row { promotion: 1, value: 20, cost: 7 }];
    Shop {
        promotions: names(&["a", "b"]),
        segments: names(&["north", "south"]),
        customers: [0, 0, 0, 1].map(|segment| (segment, rows.clone())).to_vec(),
        ..Shop::default()
    }
}

fn north(limit: SegmentLimit) -> Constraints {
    Constraints { segment: vec![SegmentLimit { name: "north".to_owned(), ..limit }], ..Constraints::default() }
}

fn check(budget: Option<f64>, constraints: Constraints, expected: &Expect) {
    let answer = Shop { budget, constraints, ..shop() }.allocate();
    expected.assert_eq(&answer.map_or_else(|error| error.to_string(), |plan| format!("a plan of {}", plan.value)));
}

#[test]
fn limits_that_contradict_one_another_are_named_and_no_others() {
    let floor = north(SegmentLimit { floor: Some(25.0), budget: Some(24.0), ..SegmentLimit::default() });
    check(
        Some(100.0),
        floor,
        &expect![
            "no plan meets these limits together, and any of them could be met without the others: segment north: floor (at least 25); segment north: budget (at most 24): loosen one of them"
        ],
    );
    let too_dear = north(SegmentLimit { floor: Some(25.0), count: Some(3), ..SegmentLimit::default() });
    check(
        Some(24.0),
        too_dear,
        &expect![
            "no plan meets these limits together, and any of them could be met without the others: budget (at most 24); segment north: floor (at least 25): loosen one of them"
        ],
    );
    check(
        None,
        north(SegmentLimit { at_least: Some(4), ..SegmentLimit::default() }),
        &expect![
            "no plan meets these limits together, and any of them could be met without the others: segment north: at_least (at least 4): loosen one of them"
        ],
    );
    let promotion = |name: &str, count: u64| PromotionLimit { name: name.to_owned(), budget: None, count: Some(count) };
    let three = north(SegmentLimit { at_least: Some(3), ..SegmentLimit::default() });
    check(
        Some(100.0),
        Constraints { promotion: vec![promotion("a", 1), promotion("b", 1)], ..three },
        &expect![
            "no plan meets these limits together, and any of them could be met without the others: promotion a: count (at most 1); promotion b: count (at most 1); segment north: at_least (at least 3): loosen one of them"
        ],
    );
    let richer = north(SegmentLimit { at_least: Some(1), ..SegmentLimit::default() });
    check(
        Some(100.0),
        Constraints { return_on_spend: Some(5.0), ..richer },
        &expect![
            "no plan meets these limits together, and any of them could be met without the others: segment north: at_least (at least 1); return_on_spend (at least 5): loosen one of them"
        ],
    );
}

#[test]
fn of_two_contradictions_one_is_named_whole() {
    let none = Row { promotion: 0, value: 0, cost: 5 };
    let customers = vec![(1, vec![none, Row { promotion: 1, cost: 9, ..none }]), (0, vec![none, Row { promotion: 1, cost: 4, ..none }])];
    let limit = |name: &str, floor: f64, budget: f64| SegmentLimit {
        name: name.to_owned(),
        floor: Some(floor),
        budget: Some(budget),
        ..SegmentLimit::default()
    };
    let segment = vec![limit("north", 7.0, 3.0), limit("south", 5.0, 0.0)];
    let constraints = Constraints { per_customer: Some(2), segment, ..Constraints::default() };
    let refused = Shop { customers, constraints, ..shop() }.allocate().map_err(|error| error.to_string());
    let told = "no plan meets these limits together, and any of them could be met without the others: segment north: floor (at least 7); segment north: budget (at most 3): loosen one of them";
    assert_eq!(refused.map(|plan| plan.value), Err(told.to_owned()));
}

#[test]
fn what_only_fractions_of_customers_could_keep_is_not_found() {
    let between = SegmentLimit { floor: Some(22.0), budget: Some(23.0), ..SegmentLimit::default() };
    check(
        None,
        north(between),
        &expect![
            "no plan in whole customers was found that meets every limit; the nearest one misses segment north: floor by 1: loosen it"
        ],
    );
}

#[test]
fn a_plan_without_customers_is_empty() {
    let nobody = Shop { customers: Vec::new(), budget: Some(5.0), ..shop() };
    let plan = nobody.allocate().unwrap();
    assert_eq!((plan.value, plan.cost, plan.upper_bound, plan.gap()), (0.0, 0.0, 0.0, 0.0));
}
