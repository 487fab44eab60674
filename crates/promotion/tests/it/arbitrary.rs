//! Random promotions of every kind and baskets that they can meet, as strategies.

use proptest::prelude::*;
use serde_json::{Value, json};
use youhui_promotion::{Basket, Promotion};

/// Shown as what can be read again.
#[derive(Clone)]
pub(crate) struct Shown<T>(pub(crate) T);

impl<T: serde::Serialize> std::fmt::Debug for Shown<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&serde_json::to_string(&self.0).unwrap())
    }
}

const PRODUCTS: [&str; 5] = ["a", "b", "c", "d", "e"];
const CATEGORIES: [&str; 3] = ["tea", "cup", "pot"];
const SHOPS: [&str; 2] = ["north", "south"];

fn scope() -> impl Strategy<Value = Value> {
    prop_oneof![
        3 => Just(json!({})),
        2 => prop::sample::subsequence(&PRODUCTS[..], 1..4).prop_map(|products| json!({"products": products})),
        2 => prop::sample::subsequence(&CATEGORIES[..], 1..3).prop_map(|categories| json!({"categories": categories})),
        1 => prop::sample::select(&CATEGORIES[..]).prop_map(|category| json!({"except": {"categories": [category]}})),
        1 => (0_i64..2000, 0_i64..4000).prop_map(|(least, more)| json!({"unit_price_min": least, "unit_price_max": least + more})),
        1 => (prop::sample::select(&PRODUCTS[..]), prop::sample::select(&CATEGORIES[..]))
            .prop_map(|(product, category)| json!({"any": [{"products": [product]}, {"categories": [category]}]})),
    ]
}

fn off() -> impl Strategy<Value = Value> {
    prop_oneof![
        (1_i64..900).prop_map(|amount| json!({"amount": amount})),
        (1_u32..=10_000).prop_map(|share| json!({"basis_points": share})),
        (0_i64..1500).prop_map(|price| json!({"unit_price": price})),
    ]
}

fn rounding() -> impl Strategy<Value = Value> {
    // Rounding by line is the one thing that splitting a line changes.
    let mode = prop::sample::select(&["half_up", "half_down", "half_even", "down", "up"][..]);
    let at = prop::sample::select(&["promotion", "unit"][..]);
    (mode, at, prop::sample::select(&[1, 1, 1, 5, 10][..])).prop_map(|(mode, at, to)| json!({"mode": mode, "at": at, "to": to}))
}

fn split() -> impl Strategy<Value = Value> {
    let remainder = prop::sample::select(&["largest", "largest", "largest", "first", "last", "dearest", "cheapest", "nearest"][..]);
    let at_floor = prop::sample::select(&["redistribute", "redistribute", "forgo"][..]);
    (remainder, at_floor).prop_map(|(remainder, at_floor)| json!({"remainder": remainder, "at_floor": at_floor}))
}

fn most() -> impl Strategy<Value = Value> {
    let pick = prop::sample::select(&["basket_order", "cheapest", "dearest"][..]);
    (prop::option::of(1_i64..6), pick).prop_map(|(units, pick)| json!({"units": units, "pick": pick}))
}

fn times() -> impl Strategy<Value = Option<i64>> {
    prop::option::of(1_i64..4)
}

fn basis() -> impl Strategy<Value = &'static str> {
    prop::sample::select(&["remaining", "original", "catalogue"][..])
}

pub(crate) fn effect() -> impl Strategy<Value = Value> {
    let amount = (1_i64..3000, prop::sample::select(&["order", "unit"][..]), most(), split(), scope())
        .prop_map(|(amount, per, most, split, scope)| json!({"kind": "amount_off", "amount": amount, "per": per, "most": most, "split": split, "scope": scope}));
    let percent = (1_u32..=10_000, prop::option::of(1_i64..3000), basis(), rounding(), most(), split(), scope()).prop_map(
        |(share, cap, basis, rounding, most, split, scope)| json!({"kind": "percent_off", "basis_points": share, "cap": cap, "basis": basis, "rounding": rounding, "most": most, "split": split, "scope": scope}),
    );
    let tiers =
        (1_i64..5000, 1_i64..5000, 1_i64..900, 1_u32..5000, basis(), scope()).prop_map(|(from, more, amount, share, basis, scope)| {
            let tiers = json!([{"from": from, "off": {"amount": amount.min(from)}}, {"from": from + more, "off": {"basis_points": share}}]);
            json!({"kind": "spend_and_save", "tiers": tiers, "basis": basis, "scope": scope})
        });
    let every = (100_i64..4000, 1_i64..100, times(), scope(), prop::sample::select(&["every_spend", "cross_shop"][..])).prop_map(
        |(spend, save, times, scope, kind)| json!({"kind": kind, "spend": spend, "save": save, "most_times": times, "scope": scope}),
    );
    let price = (0_i64..2500, most(), scope())
        .prop_map(|(price, most, scope)| json!({"kind": "item_price", "unit_price": price, "most": most, "scope": scope}));
    let member = (off(), scope()).prop_map(|(off, scope)| json!({"kind": "member_price", "groups": ["gold"], "off": off, "scope": scope}));
    let gift = (1_i64..3, 0_i64..900, scope()).prop_map(
        |(quantity, value, scope)| json!({"kind": "gift", "product_id": "towel", "quantity": quantity, "value": value, "scope": scope}),
    );
    let buy_get = (scope(), 1_i64..4, scope(), 1_i64..3, off(), prop::sample::select(&["cheapest", "dearest"][..]), times(), any::<bool>()).prop_map(
        |(buy, needs, get, gives, off, pick, times, partly)| json!({"kind": "buy_get", "buy": buy, "buy_quantity": needs, "get": {"scope": get, "quantity": gives, "off": off, "pick": pick}, "most_times": times, "partly": partly}),
    );
    let cheapest = (1_i64..5, off(), prop::sample::select(&["cheapest_of_all", "dearest_together", "basket_order"][..]), times(), scope())
        .prop_map(|(every, off, grouping, times, scope)| json!({"kind": "cheapest_free", "every": every, "off": off, "grouping": grouping, "most_times": times, "scope": scope}));
    let bundle = (prop::collection::vec((1_i64..4, scope()), 1..3), 0_i64..6000, times()).prop_map(|(parts, price, times)| {
        let parts: Vec<Value> = parts.into_iter().map(|(quantity, scope)| json!({"quantity": quantity, "scope": scope})).collect();
        json!({"kind": "bundle", "parts": parts, "off": {"price": price}, "most_times": times})
    });
    let nth = (1_i64..4, off(), times(), scope())
        .prop_map(|(nth, off, times, scope)| json!({"kind": "nth_unit", "nth": nth, "off": off, "most_times": times, "scope": scope}));
    let group = (1_i64..4, off(), scope())
        .prop_map(|(size, off, scope)| json!({"kind": "per_full_group", "group_size": size, "off": off, "scope": scope}));
    let add_on = (prop::sample::select(&PRODUCTS[..]), 0_i64..900, 0_i64..3000, scope()).prop_map(|(product, price, spend, scope)| json!({"kind": "add_on_price", "product_id": product, "unit_price": price, "spend": spend, "scope": scope}));
    let shipping = prop_oneof![
        (1_i64..900).prop_map(|amount| json!({"amount": amount})),
        (1_u32..=10_000).prop_map(|share| json!({"basis_points": share}))
    ]
    .prop_map(|off| json!({"kind": "shipping", "off": off}));
    let later = prop_oneof![
        (1_i64..9, prop::option::of(1_i64..900), scope())
            .prop_map(|(points, every, scope)| json!({"kind": "points", "points": points, "every": every, "scope": scope})),
        (1_u32..2000, scope()).prop_map(|(share, scope)| json!({"kind": "cashback", "basis_points": share, "scope": scope})),
    ];
    prop_oneof![amount, percent, tiers, every, price, member, gift, buy_get, cheapest, bundle, nth, group, add_on, shipping, later]
}

fn condition() -> impl Strategy<Value = Value> {
    prop_oneof![
        (0_i64..9000, basis(), scope())
            .prop_map(|(amount, basis, scope)| json!({"kind": "spend_at_least", "amount": amount, "basis": basis, "scope": scope})),
        (1_i64..6, scope()).prop_map(|(quantity, scope)| json!({"kind": "quantity_at_least", "quantity": quantity, "scope": scope})),
        scope().prop_map(|scope| json!({"kind": "contains", "scope": scope})),
        scope().prop_map(|scope| json!({"kind": "not", "of": {"kind": "contains", "scope": scope}})),
        Just(json!({"kind": "customer_in", "groups": ["gold"]})),
    ]
}

fn stacking() -> impl Strategy<Value = Value> {
    let layer = prop::sample::select(&["catalogue", "item", "order", "order", "code", "shipping"][..]);
    let group = prop_oneof![
        5 => Just(Value::Null),
        1 => Just(json!({"name": "one"})),
        1 => Just(json!({"name": "two"})),
        1 => Just(json!({"name": "first", "policy": "first"})),
        1 => Just(json!({"name": "lines", "within": "line"})),
        1 => Just(json!({"name": "first line", "policy": "first", "within": "line"})),
    ];
    let combine = prop_oneof![12 => Just("all"), 1 => Just("stop_after"), 1 => Just("alone"), 1 => Just("alone_if_best")];
    let category = prop_oneof![4 => Just(None), 1 => Just(Some("red")), 1 => Just(Some("blue"))];
    let excludes = prop_oneof![6 => Just(json!([])), 1 => Just(json!(["red"]))];
    (layer, -2_i64..3, group, combine, category, excludes, prop::bool::weighted(0.15), prop::bool::weighted(0.15)).prop_map(
        |(layer, priority, group, combine, category, excludes, consumes, skips)| {
            let excludes = if category == Some("red") { json!([]) } else { excludes };
            let beside = if combine.starts_with("alone") { json!(["blue"]) } else { json!([]) };
            json!({
                "layer": layer, "priority": priority, "group": group, "combine": combine, "category": category, "excludes": excludes, "beside": beside,
                "consumes_units": consumes, "skips_discounted": skips,
            })
        },
    )
}

/// Promotions with identifiers of their own, valid every one.
pub(crate) fn promotions(count: std::ops::Range<usize>) -> impl Strategy<Value = Shown<Vec<Promotion>>> {
    let effects = prop_oneof![4 => prop::collection::vec(effect(), 1..2), 1 => prop::collection::vec(effect(), 2..3)];
    let conditions = prop_oneof![2 => Just(vec![]), 1 => prop::collection::vec(condition(), 1..3)];
    let trigger = prop_oneof![4 => Just(json!({"kind": "automatic"})), 1 => Just(json!({"kind": "code", "codes": ["TEN"]})), 1 => Just(json!({"kind": "code", "codes": ["NO"]}))];
    let each = prop_oneof![6 => Just(Value::Null), 1 => Just(json!("shop")), 1 => Just(json!("product")), 1 => Just(json!("line"))];
    let limits = prop_oneof![
        8 => Just((None, "refuse", None)),
        1 => (1_i64..2000).prop_map(|budget| (Some(budget), "refuse", None)),
        1 => (1_i64..2000).prop_map(|budget| (Some(budget), "part", None)),
        1 => (1_u64..6).prop_map(|stock| (None, "refuse", Some(stock))),
    ];
    let one = (effects, conditions, trigger, each, stacking(), limits);
    prop::collection::vec(one, count).prop_map(|listed| {
        let make = |(place, (effects, conditions, trigger, each, stacking, limits)): (usize, (_, _, _, _, _, _))| {
            let (budget, mut end, mut stock): (Option<i64>, &str, Option<u64>) = limits;
            let listed: &Vec<Value> = &effects;
            // Units are counted by some kinds only, and a part is given of one effect.
            let uncounted = ["spend_and_save", "every_spend", "cross_shop", "bundle", "shipping", "points", "cashback"];
            if listed.iter().any(|effect| uncounted.contains(&effect["kind"].as_str().unwrap())) {
                stock = None;
            }
            if listed.len() > 1 {
                end = "refuse";
            }
            let limits = json!({"budget": budget, "budget_end": end, "stock": stock});
            let id = format!("p{place}");
            let document = json!({
                "schema_version": 2, "promotion_id": id, "currency": "CNY", "effects": effects as Vec<Value>, "conditions": conditions as Vec<Value>,
                "trigger": trigger as Value, "each": each as Value, "stacking": stacking as Value, "limits": limits,
            });
            youhui_promotion::read_promotion(document.to_string().as_bytes()).unwrap_or_else(|wrong| panic!("{wrong}\n{document}"))
        };
        Shown(listed.into_iter().enumerate().map(make).collect())
    })
}

/// Baskets that these promotions can meet.
pub(crate) fn basket(lines: std::ops::Range<usize>) -> impl Strategy<Value = Shown<Basket>> {
    let price = prop_oneof![3 => 1_i64..3000, 1 => Just(1000_i64), 1 => 0_i64..3];
    let floor = prop_oneof![3 => Just(0_i64), 1 => 0_i64..1500];
    let line = (
        prop::sample::select(&PRODUCTS[..]),
        prop::sample::select(&CATEGORIES[..]),
        prop::option::of(prop::sample::select(&SHOPS[..])),
        1_i64..6,
        price,
        floor,
        prop::bool::weighted(0.9),
    );
    let gold = any::<bool>();
    (prop::collection::vec(line, lines), gold, prop::option::of(0_i64..1500), any::<bool>(), prop::sample::select(&[0_u32, 1300, 2000][..]))
        .prop_map(|(lines, gold, shipping, included, tax)| {
            let line = |(place, (product, category, shop, quantity, price, floor, discountable)): (
                usize,
                (&str, &str, Option<&str>, i64, i64, i64, bool),
            )| {
                json!({
                    "line_id": format!("l{place}"), "product_id": product, "categories": [category], "shop": shop, "quantity": quantity,
                    "unit_price": price, "unit_price_floor": floor.min(price), "discountable": discountable, "tax_basis_points": tax,
                })
            };
            let lines: Vec<Value> = lines.into_iter().enumerate().map(line).collect();
            let groups = if gold { json!(["gold"]) } else { json!([]) };
            Shown(
                serde_json::from_value(json!({
                    "currency": "CNY", "lines": lines, "codes": ["ten"], "customer": {"groups": groups}, "prices_include_tax": included,
                    "shipping": shipping.map(|amount| json!({"amount": amount})),
                }))
                .unwrap(),
            )
        })
}
