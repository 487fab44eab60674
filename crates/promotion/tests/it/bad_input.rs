//! Wrong, absurd and hostile input: each a clear error with its pointer, never a panic or a wrong sum.

use expect_test::{Expect, expect};
use serde_json::json;
use youhui_promotion::{Promotions, read_basket, read_promotion, read_promotions};

use crate::cases::document;

fn check_promotion(json: &str, expected: Expect) {
    expected.assert_eq(&read_promotion(json.as_bytes()).map_or_else(|wrong| wrong.to_string(), |promotion| format!("{promotion:?}")));
}

fn check_basket(json: &str, expected: Expect) {
    expected.assert_eq(&read_basket(json.as_bytes()).map_or_else(|wrong| wrong.to_string(), |basket| format!("{basket:?}")));
}

#[test]
fn a_document_hears_of_everything_at_once() {
    let wrong = json!({
        "schema_version": 2, "promotion_id": " ", "currency": "RMBY", "versoin": 1,
        "effects": [
            {"kind": "percent_of", "basis_points": 1000},
            {"kind": "percent_off", "basis_points": 20000, "cap": 0, "scop": {}},
            {"kind": "bundle", "parts": [{"quantity": 0}], "off": {"price": -1}},
            {"kind": "spend_and_save", "tiers": [{"from": 100, "off": {"amount": 200}}, {"from": 50, "off": {"discount": 5}}]},
            {"kind": "amount_off", "amount": 9.99},
        ],
        "conditions": [{"kind": "quantity_at_least", "quantity": 0}, {"kind": "any", "of": []}, {"kind": "spend_at_least", "amount": 1, "basis": "quantity"}],
        "schedule": {"starts": "tomorrow", "time_zone": "Mars/Olympus", "recurring": [{"from": "25:00"}]},
        "limits": {"per_customer": 10, "total": 5, "budget": "much"},
        "trigger": {"kind": "code", "codes": ["TEN OFF"]},
    });
    check_promotion(
        &wrong.to_string(),
        expect![[r#"
            /currency: "RMBY" is not a currency: write the three ISO 4217 letters, such as CNY
            /versoin: is no field here: did you mean "version"?
            /effects/0/kind: is "percent_of": did you mean "percent_off"?
            /effects/1/scop: is no field here: did you mean "scope"?
            /effects/3/tiers/1/off: has none of the fields amount, basis_points, price, unit_price: write one of them
            /effects/4/amount: is a number with decimals or beyond 64 bits: write a whole number
            /schedule/starts: "tomorrow" is not a moment: write 2026-11-11T00:00:00+08:00, or 2026-11-11T00:00 for the clocks of time_zone
            /schedule/recurring/0/from: "25:00" is not a time of day: write 09:00 to 23:59
            /limits/budget: is a text: write a whole number
            /effects/2/parts/0/quantity: is 0: write 1 to 1000000
            /effects/2/off/price: is -1: write 0 to 1000000000000 minor units
            /conditions/0/quantity: is 0: write 1 to 1000000
            /conditions/1/of: give at least one condition
            /conditions/2/basis: for units write the condition quantity_at_least
            /promotion_id: give it an identifier
            /trigger/codes/0: has spaces inside: customers would not type them"#]],
    );
}

#[test]
fn contradictions_are_found() {
    let contradictory = document(
        "p",
        json!({
            "effects": [{"kind": "percent_off", "basis_points": 1000, "scope": {"unit_price_min": 500, "unit_price_max": 100, "except": {}}}, {"kind": "points", "points": 1}],
            "limits": {"per_customer": 3, "total": 2, "stock": 10, "units_per_customer": 20, "budget": -5, "budget_end": "part", "daily": {"total": 9, "budget": 7}},
            "schedule": {"starts": "2026-11-12T00:00", "ends": "2026-11-11T00:00"},
            "stacking": {"category": "a", "excludes": ["a"], "beside": ["b"]},
            "trigger": {"kind": "code", "codes": []},
        }),
    );
    check_promotion(
        &contradictory.to_string(),
        expect![[r#"
            /effects/0/scope/unit_price_min: is above unit_price_max: nothing would be in scope
            /effects/0/scope/except: excepts everything: nothing would be in scope
            /trigger/codes: give it codes, or make the trigger automatic
            /schedule/ends: must be later than starts
            /limits/budget: a budget is not negative
            /limits/per_customer: is above total: no customer could use it so often
            /limits/daily/total: is above the limit for all days
            /limits/units_per_customer: is above stock
            /limits/daily/budget: is above the budget for all days
            /limits/stock: counts units that become cheaper, which one of the effects does not: write budget or total
            /limits/units_per_customer: counts units that become cheaper, which one of the effects does not: write budget or total
            /limits/budget_end: a part can be given of one effect only
            /stacking/beside: says what an alone promotion tolerates: set combine to alone
            /stacking/excludes: excludes its own category: write a group for that"#]],
    );
}

#[test]
fn a_set_has_each_identifier_once_and_groups_that_agree() {
    let group =
        |policy: &str| json!({"effects": [{"kind": "points", "points": 1}], "stacking": {"group": {"name": "g", "policy": policy}}});
    let listed = json!([document("p", group("first")), document("q", group("largest")), document("p", group("first"))]);
    let wrong = Promotions::new(read_promotions(listed.to_string().as_bytes()).unwrap()).unwrap_err();
    expect![[r#"
        /2/promotion_id: "p" stands twice: give each promotion an identifier of its own
        /1/stacking/group: group "g" has another policy or place in another promotion: write the same in all"#]]
    .assert_eq(&wrong.to_string());
}

#[test]
fn baskets_hear_of_every_line() {
    let line = |id: &str, quantity: i64, price: i64| json!({"line_id": id, "product_id": "a", "quantity": quantity, "unit_price": price});
    let lines = json!([line("1", -1, 100), line("1", 1, -100), line("", 1_000_001, 1), line("4", 1, i64::MAX)]);
    check_basket(
        &json!({"currency": "CNY", "lines": lines, "codes": [" "], "shipping": {"amount": -1}, "customer": {"completed_orders": -3}})
            .to_string(),
        expect![[r#"
            /lines/0/quantity: is -1: write 1 to 1000000
            /lines/1/unit_price: is -100: write 0 to 1000000000000 minor units
            /lines/2/line_id: give the line an identifier
            /lines/2/quantity: is 1000001: write 1 to 1000000
            /lines/3/unit_price: is 9223372036854775807: write 0 to 1000000000000 minor units
            /lines/1/line_id: stands twice: give each line an identifier of its own
            /shipping/amount: is -1: write 0 to 1000000000000 minor units
            /codes/0: is blank: leave it out
            /customer/completed_orders: write 0 or more"#]],
    );
    // Each line is possible, the sum is absurd: an error, never a wrap.
    let lines: Vec<_> = (0..3).map(|id| line(&id.to_string(), 1_000_000, 1_000_000_000_000)).collect();
    check_basket(
        &json!({"currency": "CNY", "lines": lines}).to_string(),
        expect!["/lines: are worth more than 100000000000000 minor units: split the basket"],
    );
    check_basket(
        r#"{"currency": "CNY", "lines": [{"line_id": "1", "product_id": "a", "quantity": 1, "unit_price": 99999999999999999999}], "codes": "TEN"}"#,
        expect![[r#"
            /lines/0/unit_price: is a number with decimals or beyond 64 bits: write a whole number
            /codes: is a text: write a list"#]],
    );
    check_basket(r#"{"currency": "CNY", "currency": "USD", "lines": []}"#, expect!["/: duplicate field `currency` at line 1 column 30"]);
    check_basket("", expect!["/: is empty: write a JSON document"]);
    check_basket("[1,", expect!["/: is not JSON: EOF while parsing a value at line 1 column 3"]);
}

#[test]
fn a_basket_of_a_million_lines_is_refused() {
    let line = |id: u32| format!(r#"{{"line_id":"{id}","product_id":"a","quantity":1,"unit_price":1}}"#);
    let lines: Vec<String> = (0..1_000_000).map(line).collect();
    check_basket(
        &format!(r#"{{"currency":"CNY","lines":[{}]}}"#, lines.join(",")),
        expect!["/lines: 1000000 lines: a basket has at most 100000"],
    );
}

#[test]
fn deep_nesting_and_other_bytes_are_refused() {
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    check_promotion(&deep, expect!["/: is not JSON: recursion limit exceeded at line 1 column 128"]);
    let mut scope = json!({"products": ["a"]});
    let mut condition = json!({"kind": "nth_order", "n": 1});
    for _ in 0..20 {
        scope = json!({"except": scope});
        condition = json!({"kind": "not", "of": condition});
    }
    let nested = document("p", json!({"effects": [{"kind": "percent_off", "basis_points": 1, "scope": scope}], "conditions": [condition]}));
    check_promotion(
        &nested.to_string(),
        expect![[r#"
            /effects/0/scope/except/except/except/except/except/except/except/except/except/except/except/except/except/except/except/except: is nested too deeply: write at most 16 levels
            /conditions/0/of/of/of/of/of/of/of/of/of/of/of/of/of/of/of/of: is nested too deeply: write at most 16 levels"#]],
    );
    let wrong = read_basket(b"{\"currency\": \"CN\xff\"}").unwrap_err();
    assert_eq!(wrong.to_string(), "/: is not UTF-8 from byte 16 on: save the file as UTF-8");
}

/// A cheap fuzzer for every test run: documents that are nearly right must not panic, and what is read
/// must price without giving more than there is. `fuzz/` goes on from here.
#[test]
fn mutated_documents_do_not_panic() {
    let seed = json!([
        document("a", json!({"effects": [{"kind": "spend_and_save", "tiers": [{"from": 100, "off": {"amount": 20}}]}], "schedule": {"starts": "2026-01-01T00:00", "recurring": [{"from": "09:00"}]}})),
        document("b", json!({"effects": [{"kind": "buy_get", "buy_quantity": 2, "get": {"quantity": 1, "off": {"basis_points": 5000}}}], "stacking": {"group": {"name": "g"}}})),
        document("c", json!({"effects": [{"kind": "bundle", "parts": [{"quantity": 2}, {"quantity": 1, "scope": {"products": ["x"]}}], "off": {"price": 900}}], "stacking": {"group": {"name": "g"}}})),
        document("d", json!({"effects": [{"kind": "cross_shop", "spend": 300, "save": 50}], "conditions": [{"kind": "any", "of": [{"kind": "contains", "scope": {"categories": ["y"]}}]}]})),
    ])
    .to_string();
    let basket = read_basket(
        br#"{"currency":"CNY","lines":[{"line_id":"1","product_id":"x","categories":["y"],"quantity":3,"unit_price":999},{"line_id":"2","product_id":"z","quantity":1000000,"unit_price":7}]}"#,
    )
    .unwrap();
    let words = [
        "0",
        "-1",
        "9223372036854775807",
        "1e309",
        "null",
        "\"\"",
        "[]",
        "{}",
        "\u{0}",
        "true",
        "999999999999",
        "\"scope\"",
        ",",
        "}",
        "1000000",
    ];
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut draw = |most: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % most
    };
    let mut read = 0;
    for _ in 0..30_000 {
        let mut bytes = seed.clone().into_bytes();
        for _ in 0..=draw(3) {
            let (at, length) = (draw(bytes.len()), draw(6));
            let end = (at + length).min(bytes.len());
            bytes.splice(at..end, words[draw(words.len())].bytes());
        }
        let Ok(promotions) = read_promotions(&bytes) else { continue };
        let Ok(set) = Promotions::new(promotions) else { continue };
        read += 1;
        let priced = set.price(&basket, &youhui_promotion::Context { most_trials: 200, ..Default::default() }).unwrap();
        assert!(priced.total >= 0 && priced.discount >= 0);
    }
    assert!(read > 25, "only {read} of the mutated documents were read: the test reaches nothing");
}
