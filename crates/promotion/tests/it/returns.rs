//! Partial returns: the three policies side by side, the known exploits, and that nobody gets back more
//! than was paid.

use expect_test::{Expect, expect};
use proptest::prelude::*;
use serde_json::{Value, json};
use youhui_promotion::{Basket, Context, Order, Pick, Promotions, Return, ReturnGift, ReturnLine, ReturnPolicy, read_promotions};

use crate::arbitrary::{Shown, basket, promotions};
use crate::cases::document;

fn set(promotions: Value) -> Promotions {
    let listed = promotions.as_array().unwrap().iter().enumerate();
    let documents: Vec<Value> = listed.map(|(place, parts)| document(&format!("p{place}"), parts.clone())).collect();
    Promotions::new(read_promotions(json!(documents).to_string().as_bytes()).unwrap()).unwrap()
}

fn goods(lines: &[(&str, i64, i64)], shipping: i64) -> Basket {
    let line =
        |(id, quantity, price): &(&str, i64, i64)| json!({"line_id": id, "product_id": id, "quantity": quantity, "unit_price": price});
    let lines: Vec<Value> = lines.iter().map(line).collect();
    serde_json::from_value(json!({"currency": "CNY", "lines": lines, "shipping": {"amount": shipping}})).unwrap()
}

fn of(lines: &[(&str, i64)]) -> Vec<ReturnLine> {
    lines.iter().map(|(line, quantity)| ReturnLine { line_id: (*line).into(), quantity: *quantity }).collect()
}

/// Returns step by step under each policy: what is paid back, and what is left of what was paid.
fn check(effects: Value, basket: Basket, steps: &[&[(&str, i64)]], expected: Expect) {
    let set = set(effects);
    let context = Context::default();
    let mut said = String::new();
    for policy in [ReturnPolicy::Keep, ReturnPolicy::ReEvaluate, ReturnPolicy::ClawBack] {
        let priced = set.price(&basket, &context).unwrap();
        let mut order = Order::new(basket.clone(), priced.clone()).unwrap();
        said.push_str(&format!("{policy:?}: paid {}", priced.total));
        for step in steps {
            let request = Return { lines: of(step), policy, pick: Pick::Cheapest, ..Return::default() };
            let refund = order.give_back(&request, &set, &context).unwrap();
            said.push_str(&format!(", back {} (left {})", refund.amount, refund.left));
        }
        said.push('\n');
    }
    expected.assert_eq(&said);
}

#[test]
fn a_threshold_is_not_reached_by_buying_and_returning() {
    // Six at ¥50 with 10 % off from ¥300 on; five come back, then the last one. What is kept never earned its ¥5.
    let ten =
        json!([{"effects": [{"kind": "percent_off", "basis_points": 1000}], "conditions": [{"kind": "spend_at_least", "amount": 30000}]}]);
    check(
        ten,
        goods(&[("cup", 6, 5000)], 0),
        &[&[("cup", 5)], &[("cup", 1)]],
        expect![[r#"
            Keep: paid 27000, back 22500 (left 4500), back 4500 (left 0)
            ReEvaluate: paid 27000, back 22000 (left 5000), back 5000 (left 0)
            ClawBack: paid 27000, back 22000 (left 5000), back 5000 (left 0)
        "#]],
    );
}

#[test]
fn three_for_two_is_not_broken_up_into_a_free_one() {
    // The free unit comes back first, whatever the policy.
    check(
        json!([{"effects": [{"kind": "cheapest_free", "every": 3}]}]),
        goods(&[("cup", 3, 1000)], 0),
        &[&[("cup", 1)], &[("cup", 1)], &[("cup", 1)]],
        expect![[r#"
            Keep: paid 2000, back 0 (left 2000), back 1000 (left 1000), back 1000 (left 0)
            ReEvaluate: paid 2000, back 0 (left 2000), back 1000 (left 1000), back 1000 (left 0)
            ClawBack: paid 2000, back 0 (left 2000), back 1000 (left 1000), back 1000 (left 0)
        "#]],
    );
    // Over three lines: the paid pot comes back and the free tea is kept.
    check(
        json!([{"effects": [{"kind": "cheapest_free", "every": 3}]}]),
        goods(&[("pot", 1, 3000), ("cup", 1, 2000), ("tea", 1, 1000)], 0),
        &[&[("pot", 1)], &[("cup", 1), ("tea", 1)]],
        expect![[r#"
            Keep: paid 5000, back 3000 (left 2000), back 2000 (left 0)
            ReEvaluate: paid 5000, back 2000 (left 3000), back 3000 (left 0)
            ClawBack: paid 5000, back 2000 (left 3000), back 3000 (left 0)
        "#]],
    );
}

#[test]
fn free_shipping_that_was_not_earned_is_held_back() {
    let free = json!([{"effects": [{"kind": "shipping"}], "conditions": [{"kind": "spend_at_least", "amount": 9900}]}]);
    check(
        free,
        goods(&[("pot", 1, 9000), ("tea", 1, 1000)], 800),
        &[&[("pot", 1)], &[("tea", 1)]],
        expect![[r#"
            Keep: paid 10000, back 9000 (left 1000), back 1000 (left 0)
            ReEvaluate: paid 10000, back 8200 (left 1800), back 1800 (left 0)
            ClawBack: paid 10000, back 8200 (left 1800), back 1800 (left 0)
        "#]],
    );
    // Paid shipping comes back with the last unit.
    check(
        json!([]),
        goods(&[("pot", 1, 9000), ("tea", 1, 1000)], 800),
        &[&[("pot", 1)], &[("tea", 1)]],
        expect![[r#"
            Keep: paid 10800, back 9000 (left 1800), back 1800 (left 0)
            ReEvaluate: paid 10800, back 9000 (left 1800), back 1800 (left 0)
            ClawBack: paid 10800, back 9000 (left 1800), back 1800 (left 0)
        "#]],
    );
}

#[test]
fn a_lower_tier_holds_for_what_is_kept() {
    let tiers = json!([{"effects": [{"kind": "spend_and_save", "tiers": [{"from": 10000, "off": {"amount": 1000}}, {"from": 20000, "off": {"amount": 3000}}]}]}]);
    check(
        tiers,
        goods(&[("cup", 4, 5000)], 0),
        &[&[("cup", 1)], &[("cup", 1)], &[("cup", 2)]],
        expect![[r#"
            Keep: paid 17000, back 4250 (left 12750), back 4250 (left 8500), back 8500 (left 0)
            ReEvaluate: paid 17000, back 3000 (left 14000), back 4666 (left 9334), back 9334 (left 0)
            ClawBack: paid 17000, back 3000 (left 14000), back 4666 (left 9334), back 9334 (left 0)
        "#]],
    );
}

#[test]
fn a_gift_comes_back_or_is_paid_for() {
    let set = set(json!([{
        "effects": [{"kind": "gift", "product_id": "towel", "value": 900}], "conditions": [{"kind": "spend_at_least", "amount": 10000}],
    }]));
    let (basket, context) = (goods(&[("cup", 3, 4000)], 0), Context::default());
    let priced = set.price(&basket, &context).unwrap();
    let back = |gifts: Vec<ReturnGift>, policy: ReturnPolicy| {
        let mut order = Order::new(basket.clone(), priced.clone()).unwrap();
        order
            .give_back(&Return { lines: of(&[("cup", 1)]), gifts, policy, ..Return::default() }, &set, &context)
            .map(|refund| refund.amount)
    };
    let towel = |quantity: i64| vec![ReturnGift { product_id: "towel".into(), quantity }];
    assert_eq!(back(vec![], ReturnPolicy::Keep), Ok(4000));
    assert_eq!(back(vec![], ReturnPolicy::ReEvaluate), Ok(3100));
    assert_eq!(back(vec![], ReturnPolicy::ClawBack), Ok(3100));
    assert_eq!(back(towel(1), ReturnPolicy::ClawBack), Ok(4000));
    assert!(back(towel(2), ReturnPolicy::ClawBack).is_err());
}

#[test]
fn a_wrong_return_says_what_is_wrong_and_changes_nothing() {
    let (set, basket, context) = (set(json!([])), goods(&[("cup", 2, 1000)], 0), Context::default());
    let mut order = Order::new(basket.clone(), set.price(&basket, &context).unwrap()).unwrap();
    let before = order.clone();
    let request = Return { lines: of(&[("cup", 3), ("cup", 0), ("pot", 1)]), ..Return::default() };
    let wrong = order.give_back(&request, &set, &context).unwrap_err();
    expect![[r#"
        /lines/0/quantity: is 3: the customer has 2 units of it
        /lines/1/line_id: stands twice: write its units in one line
        /lines/1/quantity: is 0: the customer has 2 units of it
        /lines/2/line_id: is no line of this order"#]]
    .assert_eq(&wrong.to_string());
    assert_eq!(order, before);
    let other = goods(&[("cup", 3, 1000)], 0);
    assert!(Order::new(other, set.price(&basket, &context).unwrap()).is_err());
}

/// What was kept for gifts that did not come back.
fn bought(order: &Order) -> i64 {
    serde_json::to_value(order).unwrap()["charged"].as_i64().unwrap()
}

/// The gifts that the customer has, product by product.
fn order_gifts(order: &Order) -> Vec<ReturnGift> {
    let stored = serde_json::to_value(order).unwrap();
    let mut gifts: Vec<ReturnGift> = Vec::new();
    for gift in stored["gifts"].as_array().unwrap() {
        let (product, quantity) = (gift[1].as_str().unwrap(), gift[2].as_i64().unwrap());
        match gifts.iter_mut().find(|other| *other.product_id == *product) {
            Some(other) => other.quantity += quantity,
            None => gifts.push(ReturnGift { product_id: product.into(), quantity }),
        }
    }
    gifts
}

#[test]
fn in_one_step_or_in_several_it_comes_to_the_same() {
    // Six at ¥50 for ¥240: a claw back that one return can't pay is taken from the next.
    let tier = json!([{"effects": [{"kind": "spend_and_save", "tiers": [{"from": 30000, "off": {"amount": 6000}}]}]}]);
    let basket = goods(&[("cup", 6, 5000)], 0);
    check(
        tier.clone(),
        basket.clone(),
        &[&[("cup", 2)]],
        expect![[r#"
        Keep: paid 24000, back 8000 (left 16000)
        ReEvaluate: paid 24000, back 4000 (left 20000)
        ClawBack: paid 24000, back 4000 (left 20000)
    "#]],
    );
    check(
        tier.clone(),
        basket.clone(),
        &[&[("cup", 1)], &[("cup", 1)], &[("cup", 1)]],
        expect![[r#"
        Keep: paid 24000, back 4000 (left 20000), back 4000 (left 16000), back 4000 (left 12000)
        ReEvaluate: paid 24000, back 0 (left 24000), back 4000 (left 20000), back 5000 (left 15000)
        ClawBack: paid 24000, back 0 (left 24000), back 4000 (left 20000), back 5000 (left 15000)
    "#]],
    );
    // Policies mixed: what is kept never costs more than its list price, unless nothing was held back before.
    let set = set(tier);
    let mut order = Order::new(basket.clone(), set.price(&basket, &Context::default()).unwrap()).unwrap();
    let mut back = |policy: ReturnPolicy| {
        let request = Return { lines: of(&[("cup", 1)]), policy, ..Return::default() };
        order.give_back(&request, &set, &Context::default()).unwrap().amount
    };
    assert_eq!([back(ReturnPolicy::ReEvaluate), back(ReturnPolicy::Keep), back(ReturnPolicy::ClawBack)], [0, 4800, 4200]);
    assert_eq!(order.left(), 15_000);
}

#[test]
fn what_is_held_back_for_a_free_unit_is_of_that_unit() {
    let three = json!([{"effects": [{"kind": "cheapest_free", "every": 3}]}]);
    let basket = goods(&[("a", 1, 3000), ("b", 1, 2000), ("c", 1, 1000)], 0);
    check(
        three,
        basket,
        &[&[("a", 1)], &[("c", 1)], &[("b", 1)]],
        expect![[r#"
        Keep: paid 5000, back 3000 (left 2000), back 0 (left 2000), back 2000 (left 0)
        ReEvaluate: paid 5000, back 2000 (left 3000), back 1000 (left 2000), back 2000 (left 0)
        ClawBack: paid 5000, back 2000 (left 3000), back 1000 (left 2000), back 2000 (left 0)
    "#]],
    );
}

#[test]
fn points_and_money_back_are_taken_back() {
    let later =
        json!([{"effects": [{"kind": "cashback", "basis_points": 1000}]}, {"effects": [{"kind": "points", "points": 1, "every": 100}]}]);
    let (set, basket) = (set(later), goods(&[("cup", 4, 1000)], 0));
    let mut order = Order::new(basket.clone(), set.price(&basket, &Context::default()).unwrap()).unwrap();
    let mut back = |quantity: i64, policy: ReturnPolicy| {
        let refund =
            order.give_back(&Return { lines: of(&[("cup", quantity)]), policy, ..Return::default() }, &set, &Context::default()).unwrap();
        (refund.amount, refund.cashback, refund.points)
    };
    assert_eq!(back(1, ReturnPolicy::Keep), (1000, 0, 0));
    assert_eq!(back(1, ReturnPolicy::ClawBack), (1000, 200, 20));
    assert_eq!(back(2, ReturnPolicy::Keep), (2000, 200, 20));
}

#[test]
fn a_stored_order_that_was_tampered_with_is_refused() {
    let (set, basket) = (set(json!([])), goods(&[("cup", 2, 1000)], 500));
    let priced = set.price(&basket, &Context::default()).unwrap();
    let stored = serde_json::to_value(Order::new(basket.clone(), priced.clone()).unwrap()).unwrap();
    assert!(serde_json::from_value::<Order>(stored.clone()).is_ok());
    let changes = [
        ("/kept", json!([])),
        ("/kept/0/0/unit_price", json!(i64::MAX)),
        ("/kept/0/0/unit_price", json!(999)),
        ("/kept/0/0/quantity", json!(3)),
        ("/kept/0/0/first", json!(-1)),
        ("/shipping", json!(i64::MAX)),
        ("/refunded", json!(-1)),
        ("/priced/total", json!(1_000_000)),
        ("/priced/total", json!(i64::MIN)),
        ("/priced/lines/0/tax", json!(i64::MAX)),
        ("/priced/lines/0/units/0/unit_price", json!(1_i64 << 62)),
        ("/gifts", json!([["p", "towel", 1, 900]])),
    ];
    for (pointer, value) in changes {
        let mut changed = stored.clone();
        let (parent, key) = pointer.rsplit_once('/').unwrap();
        match changed.pointer_mut(parent).unwrap() {
            Value::Array(items) => items[key.parse::<usize>().unwrap()] = value.clone(),
            fields => fields[key] = value.clone(),
        }
        assert!(serde_json::from_value::<Order>(changed).is_err(), "{pointer} {value}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3_000))]

    #[test]
    fn refunding_everything_refunds_what_was_paid(
        Shown(promotions) in promotions(0..6),
        Shown(basket) in basket(1..5),
        steps in prop::collection::vec((0_usize..5, 1_i64..4, 0_usize..3, 0_usize..3), 0..8),
    ) {
        let set = Promotions::new(promotions).unwrap();
        let context = Context::default();
        let priced = set.price(&basket, &context).unwrap();
        let mut order = Order::new(basket.clone(), priced.clone()).unwrap();
        prop_assert_eq!(order.left(), priced.total);
        let mut left: Vec<i64> = basket.lines.iter().map(|line| line.quantity).collect();
        let policies = [ReturnPolicy::Keep, ReturnPolicy::ReEvaluate, ReturnPolicy::ClawBack];
        let picks = [Pick::Cheapest, Pick::Dearest, Pick::BasketOrder];
        let mut back = 0;
        for (line, quantity, policy, pick) in steps {
            let line = line % left.len();
            let quantity = quantity.min(left[line]);
            if quantity == 0 {
                continue;
            }
            left[line] -= quantity;
            let lines = vec![ReturnLine { line_id: basket.lines[line].line_id.clone(), quantity }];
            let request = Return { lines, policy: policies[policy], pick: picks[pick], ..Return::default() };
            let before = order.left() + bought(&order);
            let refund = order.give_back(&request, &set, &context).unwrap();
            let paid: i64 = refund.lines.iter().map(|line| line.paid).sum();
            prop_assert!((0..=paid + refund.shipping).contains(&refund.amount));
            prop_assert_eq!(refund.left + bought(&order), before - refund.amount);
            back += refund.amount;
            prop_assert_eq!(refund.refunded, back);
        }
        // Everything is gifts too.
        let gifts: Vec<ReturnGift> = order_gifts(&order);
        let rest = basket.lines.iter().zip(&left).filter(|(_, quantity)| **quantity > 0);
        let lines: Vec<ReturnLine> = rest.map(|(line, quantity)| ReturnLine { line_id: line.line_id.clone(), quantity: *quantity }).collect();
        if !lines.is_empty() {
            back += order.give_back(&Return { lines, gifts, policy: ReturnPolicy::ClawBack, ..Return::default() }, &set, &context).unwrap().amount;
        }
        // Gifts that were not given back when they were no longer earned were bought.
        prop_assert_eq!(back + bought(&order), priced.total);
        prop_assert_eq!(order.left(), 0);
        // And in one go.
        let lines = basket.lines.iter().map(|line| ReturnLine { line_id: line.line_id.clone(), quantity: line.quantity }).collect();
        let mut order = Order::new(basket.clone(), priced.clone()).unwrap();
        let gifts = order_gifts(&order);
        let everything = Return { lines, gifts, policy: ReturnPolicy::ReEvaluate, ..Return::default() };
        prop_assert_eq!(order.give_back(&everything, &set, &context).unwrap().amount, priced.total);
    }
}
