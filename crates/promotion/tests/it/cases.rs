//! Policies, schedules, limits and reasons: one basket, some promotions, what comes out.

use expect_test::{Expect, expect};
use serde_json::{Value, json};
use youhui_promotion::{Basket, Context, Detail, Priced, Promotions, Usage, When, read_basket, read_promotion, read_promotions};

/// A promotion document with what every one needs.
pub(crate) fn document(id: &str, parts: Value) -> Value {
    let mut document = json!({"schema_version": 2, "promotion_id": id, "currency": "CNY"});
    document.as_object_mut().unwrap().extend(parts.as_object().unwrap().clone());
    document
}

fn set(promotions: Value) -> Promotions {
    let promotions = promotions.as_object().unwrap().iter().map(|(id, parts)| document(id, parts.clone())).collect::<Vec<_>>();
    let read = read_promotions(json!(promotions).to_string().as_bytes()).unwrap_or_else(|wrong| panic!("{wrong}"));
    Promotions::new(read).unwrap_or_else(|wrong| panic!("{wrong}"))
}

fn basket(parts: Value) -> Basket {
    let mut basket = json!({"currency": "CNY"});
    basket.as_object_mut().unwrap().extend(parts.as_object().unwrap().clone());
    read_basket(basket.to_string().as_bytes()).unwrap_or_else(|wrong| panic!("{wrong}"))
}

/// Lines named by their products: (product, units, price).
fn lines(lines: &[(&str, i64, i64)]) -> Value {
    lines
        .iter()
        .map(|(id, units, price)| json!({"line_id": id, "product_id": id, "categories": ["all"], "quantity": units, "unit_price": price}))
        .collect()
}

fn shown(priced: &Priced) -> String {
    let units = |line: &youhui_promotion::PricedLine| {
        line.units.iter().map(|units| format!("{}x{}", units.quantity, units.unit_price)).collect::<Vec<_>>().join(" ")
    };
    let lines: Vec<String> = priced.lines.iter().map(|line| format!("{}: {}", line.line_id, units(line))).collect();
    let mut said = format!("{} = {}\n", priced.total, lines.join(", "));
    if priced.shipping > 0 {
        said.push_str(&format!("shipping {}\n", priced.shipping - priced.shipping_discount));
    }
    priced.applied.iter().for_each(|applied| said.push_str(&format!("+ {} {}\n", applied.promotion_id, applied.amount)));
    for rejected in &priced.rejected {
        let who = rejected.promotion_id.as_deref().or(rejected.code.as_deref()).unwrap_or_default();
        said.push_str(&format!("- {who}: {}\n", rejected.reason));
    }
    priced.hints.iter().for_each(|hint| said.push_str(&format!("? {hint}; {}\n", hint.in_chinese())));
    said
}

fn check_at(promotions: Value, basket_parts: Value, context: &Context, expected: Expect) {
    expected.assert_eq(&shown(&set(promotions).price(&basket(basket_parts), context).unwrap()));
}

fn check(promotions: Value, basket_parts: Value, expected: Expect) {
    check_at(promotions, basket_parts, &Context::default(), expected);
}

#[test]
fn the_same_three_promotions_have_one_price_and_every_other_price_is_a_named_policy() {
    let cart = json!({"codes": ["TEN"], "lines": lines(&[("A", 1, 5000), ("B", 2, 3333), ("C", 3, 999)])});
    let three = |ten: Value, rounding: Value| {
        json!({
            "save": {"effects": [{"kind": "spend_and_save", "tiers": [{"from": 10000, "off": {"amount": 2000}}]}]},
            "three": {"effects": [{"kind": "cheapest_free", "every": 3, "scope": {"products": ["C"]}}]},
            "ten": {"trigger": {"kind": "code", "codes": ["TEN"]}, "effects": [{"kind": "percent_off", "basis_points": 1000, "basis": ten, "rounding": rounding}]},
        })
    };
    // 10 % of what is left; Medusa gives the same without rounding: 104.976.
    check(
        three(json!("remaining"), json!({})),
        cart.clone(),
        expect![[r#"
        10498 = A: 1x3841, B: 1x2560 1x2561, C: 1x0 2x768
        + three 999
        + save 2000
        + ten 1166
    "#]],
    );
    // 10 % of the original price, rounded down: django-oscar's 101.97 … to the cent 101.98.
    check(
        three(json!("original"), json!({"mode": "down"})),
        cart,
        expect![[r#"
            10198 = A: 1x3732, B: 2x2487, C: 1x0 2x746
            + three 999
            + save 2000
            + ten 1466
        "#]],
    );
}

#[test]
fn currencies_have_their_own_decimals() {
    let price = |currency: &str, lines: Value| {
        let document = json!({"schema_version": 2, "promotion_id": "p", "currency": currency, "effects": [{"kind": "percent_off", "basis_points": 1250}]});
        let set = Promotions::new([read_promotion(document.to_string().as_bytes()).unwrap()]).unwrap();
        let basket = read_basket(json!({"currency": currency, "lines": lines}).to_string().as_bytes()).unwrap();
        let priced = set.price(&basket, &Context::default()).unwrap();
        youhui_commerce::Money::new(priced.total, priced.currency).to_string()
    };
    assert_eq!(price("JPY", lines(&[("a", 1, 1999)])), "¥1749");
    assert_eq!(price("CNY", lines(&[("a", 1, 1999)])), "¥17.49");
    assert_eq!(price("KWD", lines(&[("a", 1, 1999)])), "KWD1.749");
    let yen = set(json!({"p": {"effects": [{"kind": "percent_off", "basis_points": 1000}]}}));
    let basket = read_basket(json!({"currency": "JPY", "lines": lines(&[("a", 1, 1000)])}).to_string().as_bytes()).unwrap();
    assert_eq!(shown(&yen.price(&basket, &Context::default()).unwrap()), "1000 = a: 1x1000\n- p: it is in another currency\n");
}

#[test]
fn tax_is_of_what_is_left_to_pay() {
    let promotions = json!({"p": {"effects": [{"kind": "amount_off", "amount": 1000}]}});
    let price = |included: bool| {
        let line = json!({"line_id": "a", "product_id": "a", "quantity": 2, "unit_price": 5650, "tax_basis_points": 1300});
        let basket =
            basket(json!({"lines": [line], "prices_include_tax": included, "shipping": {"amount": 1130, "tax_basis_points": 1300}}));
        let priced = set(promotions.clone()).price(&basket, &Context::default()).unwrap();
        (priced.total, priced.tax)
    };
    // 103.00 of goods and 11.30 of shipping: 11.85 and 1.30 of it are tax; or 13.39 and 1.47 come on top.
    assert_eq!(price(true), (11_430, 1315));
    assert_eq!(price(false), (11_430 + 1486, 1486));
}

#[test]
fn schedules_follow_the_clocks_of_their_zone() {
    let runs = |schedule: Value, moments: &[&str]| -> Vec<bool> {
        let set = set(json!({"p": {"effects": [{"kind": "percent_off", "basis_points": 1000}], "schedule": schedule}}));
        let basket = basket(json!({"lines": lines(&[("a", 1, 1000)])}));
        let at = |moment: &&str| Context::at(moment.parse::<When>().unwrap().micros(&jiff::tz::TimeZone::UTC));
        moments.iter().map(|moment| !set.price(&basket, &at(moment)).unwrap().applied.is_empty()).collect()
    };
    // Singles' Day in Shanghai begins at 16:00 of the day before in UTC; the end is not part of it.
    let singles = json!({"starts": "2026-11-11T00:00", "ends": "2026-11-12T00:00", "time_zone": "Asia/Shanghai"});
    assert_eq!(
        runs(singles, &["2026-11-10T15:59:59Z", "2026-11-10T16:00:00Z", "2026-11-11T15:59:59Z", "2026-11-11T16:00:00Z"]),
        [false, true, true, false]
    );
    // Late on Fridays and Saturdays, until two: past midnight it is still Friday's window.
    let late = json!({"time_zone": "Europe/Berlin", "recurring": [{"weekdays": [5, 6], "from": "22:00", "to": "02:00"}]});
    assert_eq!(
        runs(late.clone(), &["2026-06-05T20:30:00Z", "2026-06-05T23:30:00Z", "2026-06-06T00:30:00Z", "2026-06-04T20:30:00Z"]),
        [true, true, false, false]
    );
    // Daylight saving: on 2026-03-29 Berlin's clocks go from 02:00 to 03:00, on 2026-10-25 back from 03:00 to 02:00.
    let early = json!({"time_zone": "Europe/Berlin", "recurring": [{"from": "02:15", "to": "02:45"}]});
    assert_eq!(
        runs(early, &["2026-03-29T01:30:00Z", "2026-03-28T01:30:00Z", "2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z"]),
        [false, true, true, true]
    );
    // A start that the clocks skip is an hour later.
    let skipped = json!({"starts": "2026-03-29T02:30", "time_zone": "Europe/Berlin"});
    assert_eq!(runs(skipped, &["2026-03-29T01:29:59Z", "2026-03-29T01:30:00Z"]), [false, true]);
    // Members' day: the 18th and the last of each month, but not on New Year's Eve.
    let members = json!({"recurring": [{"month_days": [18, -1]}], "except_dates": ["2026-12-31"]});
    assert_eq!(
        runs(members, &["2026-02-18T12:00:00Z", "2026-02-28T12:00:00Z", "2026-02-27T12:00:00Z", "2026-12-31T12:00:00Z"]),
        [true, true, false, false]
    );
}

#[test]
fn limits_say_which_of_them_is_reached() {
    let said = |limits: Value, usage: Usage| {
        let set = set(json!({"p": {"effects": [{"kind": "item_price", "unit_price": 500}], "limits": limits}}));
        let context = Context { usage: [("p".into(), usage)].into(), ..Context::default() };
        let priced = set.price(&basket(json!({"lines": lines(&[("a", 5, 1000)])})), &context).unwrap();
        priced.rejected.first().map_or_else(|| format!("{} off", priced.discount), |rejected| rejected.reason.to_string())
    };
    let used = Usage { by_customer: 1, total: 10, spent: 9000, units: 97, by_customer_today: 1, total_today: 3, ..Usage::default() };
    assert_eq!(said(json!({"per_customer": 1}), used), "the customer used it as often as allowed");
    assert_eq!(said(json!({"per_customer": 9, "daily": {"per_customer": 1}}), used), "the customer used it as often as allowed");
    assert_eq!(said(json!({"total": 10}), used), "it was used as often as allowed");
    assert_eq!(said(json!({"daily": {"total": 4}}), used), "2500 off");
    // A flash price with three left, and money for a half.
    assert_eq!(said(json!({"stock": 100}), used), "1500 off");
    assert_eq!(said(json!({"stock": 97}), used), "its stock is gone");
    assert_eq!(said(json!({"budget": 10000}), used), "its budget is spent");
    assert_eq!(said(json!({"budget": 10000, "budget_end": "part"}), used), "1000 off");
}

#[test]
fn groups_choose_the_largest_the_first_or_all() {
    let promotions = |policy: &str, within: &str| {
        let group = json!({"group": {"name": "g", "policy": policy, "within": within}});
        let first = json!({"group": {"name": "g", "policy": policy, "within": within}, "priority": 1});
        json!({
            "five": {"effects": [{"kind": "percent_off", "basis_points": 500}], "stacking": first},
            "tea": {"effects": [{"kind": "percent_off", "basis_points": 2000, "scope": {"products": ["tea"]}}], "stacking": group},
        })
    };
    let cart = || json!({"lines": lines(&[("tea", 1, 1000), ("pot", 1, 2000)])});
    check(
        promotions("largest", "basket"),
        cart(),
        expect![[r#"
        2800 = tea: 1x800, pot: 1x2000
        + tea 200
        - five: "tea" excludes it
    "#]],
    );
    // Each line has its own best.
    check(
        promotions("largest", "line"),
        cart(),
        expect![[r#"
        2700 = tea: 1x800, pot: 1x1900
        + tea 200
        + five 100
    "#]],
    );
    check(
        promotions("first", "basket"),
        cart(),
        expect![[r#"
        2800 = tea: 1x800, pot: 1x2000
        + tea 200
        - five: "tea" excludes it
    "#]],
    );
    check(
        promotions("accumulate", "basket"),
        cart(),
        expect![[r#"
        2660 = tea: 1x760, pot: 1x1900
        + tea 200
        + five 140
    "#]],
    );
}

#[test]
fn alone_means_alone_but_for_joint_categories() {
    let promotions = |combine: &str| {
        let beside = if combine.starts_with("alone") { json!(["freight"]) } else { json!([]) };
        json!({
            "vip": {"effects": [{"kind": "percent_off", "basis_points": 1000}], "stacking": {"combine": combine, "beside": beside}},
            "sale": {"effects": [{"kind": "amount_off", "amount": 500}]},
            "ship": {"effects": [{"kind": "shipping"}], "stacking": {"category": "freight"}},
        })
    };
    let cart = |price: i64| json!({"lines": lines(&[("pot", 1, price)]), "shipping": {"amount": 700}});
    check(
        promotions("alone"),
        cart(3000),
        expect![[r#"
        2700 = pot: 1x2700
        shipping 0
        + vip 300
        + ship 700
        - sale: "vip" excludes it
    "#]],
    );
    // If best: the sale gives more on ¥30, the VIP's share more on ¥90.
    check(
        promotions("alone_if_best"),
        cart(3000),
        expect![[r#"
        2500 = pot: 1x2500
        shipping 0
        + sale 500
        + ship 700
        - vip: the customer is better off without it
    "#]],
    );
    check(
        promotions("alone_if_best"),
        cart(9000),
        expect![[r#"
        8100 = pot: 1x8100
        shipping 0
        + vip 900
        + ship 700
        - sale: "vip" excludes it
    "#]],
    );
    check(
        promotions("stop_after"),
        cart(3000),
        expect![[r#"
            2950 = pot: 1x2250
            shipping 700
            + sale 500
            + vip 250
            - ship: "vip" excludes it
        "#]],
    );
}

#[test]
fn thresholds_count_before_or_after_earlier_layers() {
    let promotions = |basis: &str| {
        json!({
            "shelf": {"effects": [{"kind": "percent_off", "basis_points": 1000}], "stacking": {"layer": "catalogue"}},
            "item": {"effects": [{"kind": "amount_off", "per": "unit", "amount": 500}]},
            "save": {"effects": [{"kind": "spend_and_save", "basis": basis, "tiers": [{"from": 9000, "off": {"amount": 1000}}]}]},
        })
    };
    let cart = || json!({"lines": lines(&[("pot", 1, 10000)])});
    check(
        promotions("remaining"),
        cart(),
        expect![[r#"
        8500 = pot: 1x8500
        + shelf 1000
        + item 500
        - save: 500 minor units more must be spent
        ? ¥5.00 more for ¥10.00 off; 再买¥5.00，减¥10.00
    "#]],
    );
    check(
        promotions("catalogue"),
        cart(),
        expect![[r#"
        7500 = pot: 1x7500
        + shelf 1000
        + item 500
        + save 1000
    "#]],
    );
}

#[test]
fn what_is_consumed_or_discounted_is_not_seen_again() {
    let promotions = |keep: bool, skip: bool| {
        json!({
            "bundle": {"effects": [{"kind": "bundle", "parts": [{"quantity": 2}], "off": {"price": 1500}, "most_times": 1}], "stacking": {"consumes_units": keep}},
            "half": {"effects": [{"kind": "percent_off", "basis_points": 5000}], "stacking": {"skips_discounted": skip}},
        })
    };
    let cart = || json!({"lines": lines(&[("cup", 3, 1000)])});
    for (keep, skip) in [(true, false), (false, true)] {
        check(
            promotions(keep, skip),
            cart(),
            expect![[r#"
            2000 = cup: 2x750 1x500
            + bundle 500
            + half 500
        "#]],
        );
    }
    check(
        promotions(false, false),
        cart(),
        expect![[r#"
        1250 = cup: 2x375 1x500
        + bundle 500
        + half 1250
    "#]],
    );
}

#[test]
fn floors_send_what_they_have_no_room_for_elsewhere_or_forgo_it() {
    let cart = || {
        let line =
            |id: &str, floor: i64| json!({"line_id": id, "product_id": id, "quantity": 1, "unit_price": 1000, "unit_price_floor": floor});
        json!({"lines": [line("a", 950), line("b", 0)]})
    };
    let promotions = |at_floor: &str| json!({"p": {"effects": [{"kind": "amount_off", "amount": 400, "split": {"at_floor": at_floor}}]}});
    check(
        promotions("redistribute"),
        cart(),
        expect![[r#"
        1600 = a: 1x950, b: 1x650
        + p 400
    "#]],
    );
    check(
        promotions("forgo"),
        cart(),
        expect![[r#"
        1750 = a: 1x950, b: 1x800
        + p 250
    "#]],
    );
}

#[test]
fn each_shop_by_itself() {
    let line =
        |id: &str, shop: &str, price: i64| json!({"line_id": id, "product_id": id, "shop": shop, "quantity": 1, "unit_price": price});
    let cart = json!({"lines": [line("a", "north", 12000), line("b", "south", 8000), line("c", "south", 3000)]});
    let promotions =
        json!({"full": {"each": "shop", "effects": [{"kind": "spend_and_save", "tiers": [{"from": 10000, "off": {"amount": 1000}}]}]}});
    check(
        promotions,
        cart,
        expect![[r#"
        21000 = a: 1x11000, b: 1x7273, c: 1x2727
        + full 2000
    "#]],
    );
}

#[test]
fn codes_are_known_in_any_case_with_spaces_and_full_width() {
    let promotions =
        || json!({"ten": {"trigger": {"kind": "code", "codes": ["Ten-10"]}, "effects": [{"kind": "amount_off", "amount": 10}]}});
    for code in ["TEN-10", " ten-10 ", "ＴＥＮ－１０"] {
        let priced =
            set(promotions()).price(&basket(json!({"codes": [code], "lines": lines(&[("a", 1, 100)])})), &Context::default()).unwrap();
        assert_eq!((priced.total, priced.applied[0].code.as_deref()), (90, Some(code.trim())));
    }
    check(
        promotions(),
        json!({"codes": ["TEN 10", "ten-1O"], "lines": lines(&[("a", 1, 100)])}),
        expect![[r#"
        100 = a: 1x100
        - ten: its code was not entered
        - TEN 10: no promotion has this code
        - ten-1O: no promotion has this code
    "#]],
    );
}

#[test]
fn a_trace_says_what_was_done() {
    let promotions = json!({
        "save": {"effects": [{"kind": "spend_and_save", "tiers": [{"from": 5000, "off": {"amount": 800}}]}]},
        "gift": {"effects": [{"kind": "gift", "product_id": "towel"}], "conditions": [{"kind": "spend_at_least", "amount": 6000}]},
    });
    let context = Context { detail: Detail::Trace, ..Context::default() };
    let priced = set(promotions).price(&basket(json!({"lines": lines(&[("tea", 1, 3333), ("cup", 2, 1000)])})), &context).unwrap();
    let steps: Vec<String> = priced.trace.iter().map(|step| format!("{}: {}; {} left", step.promotion_id, step.did, step.goods)).collect();
    expect![[r#"
        gift: gift: nothing, as ¥6.67 more must be spent; 5333 left
        save: spend_and_save: ¥8.00 off ($.lines[0] ¥5.00, $.lines[1] ¥3.00); 4533 left"#]]
    .assert_eq(&steps.join("\n"));
}

#[test]
fn an_older_document_is_read() {
    let old = json!({
        "schema_version": 1, "promotion_id": "old", "version": 3, "currency": "CNY", "kind": {"type": "fixed_coupon", "amount": 500, "minimum_spend": 3000},
        "trigger": {"type": "code", "code": "FIVE"}, "scope": {"type": "all_except", "names": ["tobacco"]}, "audience": {"goal": "retain", "rule": "regulars"},
        "schedule": {"window": {"start": 0, "end": 1_000_000}, "time_zone": "Asia/Shanghai"}, "limits": {"per_customer": 1}, "texts": {},
    });
    let new = read_promotion(old.to_string().as_bytes()).unwrap();
    expect![[r#"{"schema_version":2,"promotion_id":"old","version":3,"currency":"CNY","effects":[{"kind":"amount_off","amount":500,"scope":{"except":{"categories":["tobacco"]}}}],"trigger":{"kind":"code","codes":["FIVE"]},"conditions":[{"kind":"spend_at_least","amount":3000,"scope":{"except":{"categories":["tobacco"]}}}],"audience":{"goal":"retain","rule":"regulars"},"schedule":{"starts":"1970-01-01T00:00:00Z","ends":"1970-01-01T00:00:01Z","time_zone":"Asia/Shanghai"},"limits":{"per_customer":1}}"#]]
    .assert_eq(&serde_json::to_string(&new).unwrap());
    let wrong = read_promotion(old.to_string().replace("3000", "\"x\"").replace("retain", "\",\"gaol\":\"").as_bytes()).unwrap_err();
    expect![[r#"
        /kind/minimum_spend: is a text: write a whole number
        /audience/gaol: is no field here: did you mean "goal"?"#]]
    .assert_eq(&wrong.to_string());
}

#[test]
fn a_part_of_a_budget_is_shared_over_all_units_that_it_would_make_cheaper() {
    let promotions = json!({
        "flash": {"effects": [{"kind": "item_price", "unit_price": 900, "most": {"units": 2}}], "stacking": {"layer": "catalogue"}},
        "off": {"effects": [{"kind": "amount_off", "amount": 100, "per": "unit"}], "limits": {"budget": 250, "budget_end": "part"}},
    });
    check(
        promotions,
        json!({"lines": lines(&[("x", 4, 1000)])}),
        expect![[r#"
            3550 = x: 2x837 2x938
            + flash 200
            + off 250
        "#]],
    );
}

#[test]
fn stock_is_not_used_up_by_units_that_are_cheaper_already_nor_counted_anew_on_each_line() {
    let flash = || json!({"flash": {"effects": [{"kind": "item_price", "unit_price": 1990}], "limits": {"stock": 1}}});
    for cart in [[("x", 1, 1000), ("y", 1, 3000)], [("y", 1, 3000), ("x", 1, 1000)]] {
        let priced = set(flash()).price(&basket(json!({"lines": lines(&cart)})), &Context::default()).unwrap();
        assert_eq!(priced.discount, 1010);
    }
    let free = json!({"free": {"effects": [{"kind": "buy_get", "buy_quantity": 1, "get": {"quantity": 1}, "same_line": true}], "limits": {"stock": 1}}});
    check(
        free,
        json!({"lines": lines(&[("a", 2, 100), ("b", 2, 100), ("c", 2, 100)])}),
        expect![[r#"
            500 = a: 1x100 1x0, b: 2x100, c: 2x100
            + free 100
        "#]],
    );
}

#[test]
fn a_bundle_is_found_where_units_would_fit_several_parts() {
    let parts = json!([{"quantity": 1, "scope": {"products": ["x", "y"]}}, {"quantity": 3, "scope": {"products": ["y", "w"]}}]);
    let promotions = || json!({"set": {"effects": [{"kind": "bundle", "parts": parts, "off": {"price": 100}}]}});
    check(
        promotions(),
        json!({"lines": lines(&[("x", 1, 100), ("y", 1, 200), ("w", 2, 300)])}),
        expect![[r#"
            100 = x: 1x11, y: 1x22, w: 1x33 1x34
            + set 800
        "#]],
    );
    // A million units make half a million bundles.
    let two = json!({"two": {"effects": [{"kind": "bundle", "parts": [{"quantity": 2}], "off": {"price": 15}}]}});
    let priced = set(two).price(&basket(json!({"lines": lines(&[("x", 1_000_000, 10)])})), &Context::default()).unwrap();
    assert_eq!((priced.discount, priced.lines[0].units.len()), (2_500_000, 2));
}

#[test]
fn a_trigger_with_fields_of_another_is_refused() {
    let stray = document(
        "p",
        json!({"effects": [{"kind": "percent_off", "basis_points": 5000}], "trigger": {"kind": "automatic", "codes": ["VIP"]}}),
    );
    let wrong = read_promotion(stray.to_string().as_bytes()).unwrap_err();
    assert_eq!(wrong.to_string(), "/trigger/codes: is no field here; known are kind");
}

#[test]
fn hints_promise_what_comes() {
    let promotions = json!({"tea": {
        "effects": [{"kind": "percent_off", "basis_points": 1000, "scope": {"products": ["tea"]}}], "conditions": [{"kind": "spend_at_least", "amount": 10000}],
    }});
    check(
        promotions,
        json!({"lines": lines(&[("tea", 1, 1000), ("cup", 1, 7000)])}),
        expect![[r#"
        8000 = tea: 1x1000, cup: 1x7000
        - tea: 2000 minor units more must be spent
        ? ¥20.00 more for ¥1.00 off; 再买¥20.00，减¥1.00
    "#]],
    );
}

#[test]
fn money_back_and_points_count_what_is_paid() {
    let promotions = json!({
        "back": {"effects": [{"kind": "cashback", "basis_points": 500}]},
        "points": {"effects": [{"kind": "points", "points": 1, "every": 100}]},
        "half": {"trigger": {"kind": "code", "codes": ["HALF"]}, "effects": [{"kind": "percent_off", "basis_points": 5000}]},
    });
    let priced =
        set(promotions).price(&basket(json!({"codes": ["half"], "lines": lines(&[("a", 1, 10000)])})), &Context::default()).unwrap();
    assert_eq!((priced.total, priced.cashback, priced.points), (5000, 250, 50));
}

#[test]
fn what_does_not_apply_alone_does_not_apply() {
    let promotions = json!({
        "alone": {"effects": [{"kind": "amount_off", "amount": 500}], "conditions": [{"kind": "not", "of": {"kind": "spend_at_least", "amount": 10000}}], "stacking": {"combine": "alone"}},
        "price": {"effects": [{"kind": "item_price", "unit_price": 9000}]},
    });
    check(
        promotions,
        json!({"lines": lines(&[("tea", 1, 11000)])}),
        expect![[r#"
        9000 = tea: 1x9000
        + price 2000
        - alone: a condition that must not hold does
    "#]],
    );
}

#[test]
fn parts_of_a_basket_share_its_shipping_and_its_stock() {
    let line = |id: &str, shop: &str| json!({"line_id": id, "product_id": id, "shop": shop, "quantity": 1, "unit_price": 1000});
    let cart = json!({"lines": [line("a", "north"), line("b", "south")], "shipping": {"amount": 2000}});
    let promotions = json!({
        "ship": {"each": "shop", "effects": [{"kind": "shipping", "off": {"amount": 500}}]},
        "gift": {"each": "shop", "effects": [{"kind": "gift", "product_id": "towel"}], "limits": {"stock": 1}},
    });
    let priced = set(promotions).price(&basket(cart), &Context::default()).unwrap();
    assert_eq!((priced.shipping_discount, priced.gifts.len(), priced.gifts[0].quantity), (500, 1, 1));
}

#[test]
fn gift_cards_are_in_the_basket_but_count_towards_nothing() {
    let card =
        json!({"line_id": "card", "product_id": "card", "categories": ["tea"], "quantity": 1, "unit_price": 9000, "discountable": false});
    let tea = json!({"line_id": "tea", "product_id": "tea", "categories": ["tea"], "quantity": 1, "unit_price": 1000});
    let promotions = json!({
        "only": {"effects": [{"kind": "amount_off", "amount": 100}], "conditions": [{"kind": "contains_only", "scope": {"categories": ["tea"]}}]},
        "spend": {"effects": [{"kind": "amount_off", "amount": 100}], "conditions": [{"kind": "spend_at_least", "amount": 5000}]},
    });
    check(
        promotions,
        json!({"lines": [card, tea]}),
        expect![[r#"
        9900 = card: 1x9000, tea: 1x900
        + only 100
        - spend: 4100 minor units more must be spent
        ? ¥41.00 more for ¥1.00 off; 再买¥41.00，减¥1.00
    "#]],
    );
}

#[test]
fn gifts_of_any_value_are_compared_without_a_wrap() {
    let gift = |place: usize| {
        (
            format!("g{place:02}"),
            json!({"effects": [{"kind": "gift", "product_id": "g", "value": 1_000_000_000_000_i64, "every": 1, "basis": "quantity"}], "stacking": {"group": {"name": if place < 2 { "one" } else { "all" }, "policy": if place < 2 { "largest" } else { "accumulate" }}}}),
        )
    };
    let promotions = Value::Object((0..12).map(gift).collect());
    let priced = set(promotions).price(&basket(json!({"lines": lines(&[("x", 1_000_000, 1)])})), &Context::default()).unwrap();
    assert_eq!((priced.applied.len(), priced.best_deal.unwrap().proven), (11, true));
}

#[test]
fn one_more_choice_never_makes_the_customer_worse_off() {
    let cart: Vec<Value> = (0..12)
        .map(|line| json!({"line_id": line.to_string(), "product_id": line.to_string(), "quantity": 1 + line % 3, "unit_price": 700 + 113 * line}))
        .collect();
    let within = json!({"group": {"name": "g", "within": "line"}});
    let mut promotions = json!({
        "percent": {"effects": [{"kind": "percent_off", "basis_points": 1007}], "stacking": within},
        "amount": {"effects": [{"kind": "amount_off", "amount": 100, "per": "unit"}], "stacking": within},
    });
    let price = |promotions: &Value| set(promotions.clone()).price(&basket(json!({"lines": cart})), &Context::default()).unwrap();
    let two = price(&promotions);
    promotions["second"] = json!({"effects": [{"kind": "nth_unit", "nth": 2, "off": {"basis_points": 1000}}], "stacking": within});
    let three = price(&promotions);
    assert!(three.discount >= two.discount && three.best_deal.unwrap().proven);
}
