//! The curve of budgets against plans made for each of them.

#![allow(clippy::expect_used, reason = "tests")]

use youhui_allocation::{Constraints, Offers, PromotionLimit, Row, SegmentLimit, Terms, allocate, curve};
use youhui_commerce::Draw;

fn names(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("p{number}")).collect()
}

/// Customers with up to six offers, some free, some that save money, some worth nothing.
fn offers(customers: usize, seed: u64, saving: i32) -> Offers {
    let mut draw = Draw::seeded(seed);
    let mut offers = Offers::new(6);
    for _ in 0..customers {
        let mut rows = Vec::new();
        for promotion in 0..6 {
            let (kind, cost) = (draw.uniform(), draw.uniform());
            let value = cost * (0.2 + 2.0 * draw.uniform()) * 1000.0 + 60.0 * draw.normal();
            let cost = if kind < 0.05 {
                f64::from(-saving)
            } else if kind < 0.1 {
                0.0
            } else {
                1000.0 * cost
            };
            #[allow(clippy::cast_possible_truncation, reason = "a few thousand")]
            if kind < 0.9 {
                rows.push(Row { promotion, value: value as i32 - if cost < 0.0 { 100 } else { 0 }, cost: cost as i32 });
            }
        }
        offers.push(u32::from(draw.uniform() < 0.5), rows);
    }
    offers
}

fn terms<'a>(names: &'a [String], segments: &'a [String], budget: Option<f64>) -> Terms<'a> {
    Terms { promotions: names, segments, value_unit: 0.01, cost_unit: 0.1, budget, exact_values: true, exact_costs: true }
}

#[test]
fn each_budget_is_worth_what_its_plan_is() {
    for (customers, seed) in [(1, 1), (7, 2), (300, 3), (20_000, 4)] {
        let (offers, names) = (offers(customers, seed, 80), names(6));
        let segments = ["a".to_owned(), "b".to_owned()];
        let terms = |budget| terms(&names, &segments, budget);
        let none = Constraints::default();
        let any = allocate(&offers, &none, terms(None)).expect("a plan");
        let curve = curve(&offers, &none, terms(None), &any, 50).expect("a curve");
        assert_eq!((curve.points.len(), curve.points[0].budget), (50, 0.0));
        let last = curve.points[49];
        assert!((last.value - any.value).abs() <= 1e-9 * any.value.abs(), "{last:?} {}", any.value);
        assert!(last.budget <= any.cost + 1e-9, "the cheapest plan of the largest value");
        // A whole plan is below the curve, by less than one customer's offer.
        for point in curve.points.iter().step_by(12).filter(|point| point.budget > 0.0) {
            let plan = allocate(&offers, &none, terms(Some(point.budget))).expect("a plan");
            let (most, slack) = (30.0, 1e-6 * point.value.abs());
            assert!(plan.value <= point.value + slack && point.value <= plan.value + most, "{customers}: {point:?} {}", plan.value);
            assert!(point.value <= plan.upper_bound + slack + 0.01, "bounds are whole units");
        }
        for pair in curve.points.windows(2) {
            assert!(pair[0].price >= pair[1].price && pair[0].value <= pair[1].value, "{pair:?}");
        }
    }
}

#[test]
fn worth_spending_is_where_a_unit_earns_a_unit() {
    let (offers, names) = (offers(20_000, 9, 80), names(6));
    let segments = ["a".to_owned(), "b".to_owned()];
    let none = Constraints::default();
    let any = allocate(&offers, &none, terms(&names, &segments, None)).expect("a plan");
    let worth = curve(&offers, &none, terms(&names, &segments, None), &any, 50).expect("a curve").worth_spending;
    // Where value less money is largest, customer by customer.
    let (mut value, mut cost) = (0.0, 0.0);
    for customer in 0..offers.customers() {
        let net = |value: i32, cost: i32| f64::from(value) * 0.01 - f64::from(cost) * 0.1;
        let best = offers.all().rows(customer).map(|row| (net(row.value, row.cost), row)).max_by(|one, two| one.0.total_cmp(&two.0));
        if let Some((_, row)) = best.filter(|(net, _)| *net > 0.0) {
            (value, cost) = (value + f64::from(row.value) * 0.01, cost + f64::from(row.cost) * 0.1);
        }
    }
    assert!((worth.value - worth.budget - (value - cost)).abs() < 1e-6 * value, "{worth:?} {value} {cost}");
    assert!(worth.price <= 1.01, "{worth:?}");
}

#[test]
fn other_limits_hold_along_the_curve() {
    let names = names(6);
    let segments = ["a".to_owned(), "b".to_owned()];
    let constraints = Constraints {
        promotion: vec![PromotionLimit { name: "p1".to_owned(), count: Some(40), ..PromotionLimit::default() }],
        segment: vec![SegmentLimit { name: "b".to_owned(), floor: Some(200.0), ..SegmentLimit::default() }],
        ..Constraints::default()
    };
    for (customers, is_sampled) in [(1_000, false), (60_000, true)] {
        let offers = offers(customers, 5, 0);
        let all = allocate(&offers, &constraints, terms(&names, &segments, Some(customers as f64 * 5.0))).expect("a plan");
        let curve = curve(&offers, &constraints, terms(&names, &segments, None), &all, 50).expect("a curve");
        assert!(curve.points[0].budget >= 200.0 * 0.9, "below the floor there is no plan: {:?}", curve.points[0]);
        assert!(curve.points.len() > 40);
        let mut farthest: f64 = 0.0;
        for point in curve.points.iter().skip(2).step_by(9) {
            let plan = allocate(&offers, &constraints, terms(&names, &segments, Some(point.budget))).expect("a plan");
            let error = point.std_error.unwrap_or(0.0);
            assert_eq!(error > 0.0, is_sampled);
            farthest = farthest.max((point.value - plan.upper_bound).abs() / (error + 1e-4 * plan.upper_bound));
        }
        assert!(farthest < 4.0, "{customers}: {farthest} standard errors");
    }
}
