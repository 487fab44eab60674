//! Baskets restated from the public test suites of other engines, in a neutral vocabulary
//! (`tests/cases/peers.json`); [`promotion`] says the same in our language.
//!
//! `YOUHUI_PRICING_CASES` names more files of that form, separated by colons.

use std::path::PathBuf;

use serde_json::{Value, json};
use youhui_promotion::{Basket, Context, Priced, Promotion, Promotions, Usage, When};

type Found<T> = Result<T, String>;

#[test]
fn prices_as_peers_do() {
    let own = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cases/peers.json");
    let more = std::env::var("YOUHUI_PRICING_CASES").unwrap_or_default();
    let files = std::iter::once(own).chain(more.split(':').filter(|name| !name.is_empty())).map(PathBuf::from);
    let (mut count, mut wrong) = (0, Vec::new());
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let cases: Value = serde_json::from_str(&text).unwrap();
        for case in cases["cases"].as_array().unwrap() {
            count += 1;
            if let Err(why) = check(case) {
                wrong.push(format!("{}: {why}", case["id"]));
            }
        }
    }
    println!("{count} cases of peers, {} of them priced otherwise", wrong.len());
    assert!(wrong.is_empty(), "{} of {count} cases differ:\n{}", wrong.len(), wrong.join("\n"));
}

fn check(case: &Value) -> Found<()> {
    let basket: Basket = serde_json::from_value(basket(case)?).map_err(|error| error.to_string())?;
    let set = Promotions::new(promotions(case)?).map_err(|wrong| wrong.to_string())?;
    let priced = set.price(&basket, &context(case)?).map_err(|wrong| wrong.to_string())?;
    compare(&case["expected"], &priced).map_err(|why| format!("{why}\n  {}", serde_json::to_string(&priced).unwrap()))
}

fn compare(expected: &Value, priced: &Priced) -> Found<()> {
    let same = |what: &str, expected: &Value, ours: i64| match expected.as_i64() {
        Some(theirs) if theirs != ours => Err(format!("{what} {ours}, not {theirs}")),
        _ => Ok(()),
    };
    for (field, value) in expected.as_object().unwrap() {
        match field.as_str() {
            "goods_discount_total" => same(field, value, priced.discount)?,
            "total" => same(field, value, priced.total)?,
            "tax" | "tax_total" => same(field, value, priced.tax)?,
            "shipping_after" => same(field, value, priced.shipping - priced.shipping_discount)?,
            "shipping_discount" => same(field, value, priced.shipping_discount)?,
            "line_discounts" => {
                for (id, amount) in value.as_object().unwrap() {
                    let line = priced.lines.iter().find(|line| *line.line_id == **id).ok_or(format!("no line {id}"))?;
                    same(&format!("{field} of {id}"), amount, line.discount)?;
                }
            }
            "applied_promotions" => {
                let ours: Vec<&str> = priced.applied.iter().map(|applied| &*applied.promotion_id).collect();
                let theirs: Vec<&str> = value.as_array().unwrap().iter().map(|id| id.as_str().unwrap()).collect();
                if ours != theirs {
                    return Err(format!("applied {ours:?}, not {theirs:?}"));
                }
            }
            "gifts" => {
                for gift in value.as_array().unwrap() {
                    let quantity = gift["qty"].as_i64().unwrap_or(1);
                    let given = priced.gifts.iter().find(|ours| gift["sku"].as_str() == Some(&*ours.product_id));
                    same(&format!("gifts of {}", gift["sku"]), &json!(quantity), given.map_or(0, |given| given.quantity))?;
                }
            }
            other => return Err(format!("expects {other}, which this test does not know")),
        }
    }
    Ok(())
}

/// What a field says is said: an unknown one is an error, not left out.
fn known(object: &Value, fields: &[&str]) -> Found<()> {
    let Some(object) = object.as_object() else { return Ok(()) };
    object.keys().find(|key| !fields.contains(&key.as_str())).map_or(Ok(()), |key| Err(format!("unknown field {key}")))
}

/// The first of several names of one thing.
fn either<'v>(object: &'v Value, names: &[&str]) -> &'v Value {
    names.iter().map(|name| &object[*name]).find(|value| !value.is_null()).unwrap_or(&Value::Null)
}

fn list(value: &Value) -> Vec<Value> {
    value.as_array().cloned().unwrap_or_default()
}

fn basket(case: &Value) -> Found<Value> {
    let cart = &case["cart"];
    let fields = ["lines", "codes", "customer", "channel", "shipping", "shipping_method", "at", "now", "prices_include_tax", "attributes"];
    known(cart, &fields)?;
    let line = |line: &Value| {
        let fields = [
            "id",
            "sku",
            "qty",
            "unit_price",
            "categories",
            "min_unit_price",
            "unit_price_floor",
            "tax_percent",
            "discountable",
            "group",
            "attributes",
            "brand",
            "shop",
        ];
        known(line, &fields)?;
        let mut attributes = line["attributes"].as_object().cloned().unwrap_or_default();
        if let Some(group) = line["group"].as_str() {
            attributes.insert("group".into(), json!(group));
        }
        Ok(json!({
            "line_id": line["id"], "product_id": line["sku"], "quantity": line["qty"], "unit_price": line["unit_price"],
            "categories": list(&line["categories"]), "brand": line["brand"], "shop": line["shop"], "attributes": attributes,
            "unit_price_floor": either(line, &["min_unit_price", "unit_price_floor"]).as_i64().unwrap_or(0),
            "tax_basis_points": hundredths(&line["tax_percent"]), "discountable": line["discountable"].as_bool().unwrap_or(true),
        }))
    };
    let lines: Vec<Value> = cart["lines"].as_array().unwrap().iter().map(line).collect::<Found<_>>()?;
    let customer = &cart["customer"];
    known(customer, &["completed_orders", "groups", "group", "id", "email", "attributes"])?;
    let mut groups = list(&customer["groups"]);
    groups.extend(customer["group"].is_string().then(|| customer["group"].clone()));
    let shipping = cart["shipping"].as_i64().map(|amount| json!({"amount": amount, "method": cart["shipping_method"]}));
    Ok(json!({
        "currency": case["currency"], "lines": lines, "codes": list(&cart["codes"]), "channel": cart["channel"], "shipping": shipping,
        "customer": {"completed_orders": customer["completed_orders"], "groups": groups},
        "attributes": cart["attributes"].as_object().cloned().unwrap_or_default(),
        "prices_include_tax": cart["prices_include_tax"].as_bool().unwrap_or(true),
    }))
}

fn context(case: &Value) -> Found<Context> {
    let at = either(&case["cart"], &["at", "now"]).as_str().map_or(Ok(0), micros)?;
    let mut context = Context::at(at);
    for promotion in case["promotions"].as_array().unwrap() {
        let number = |names: &[&str]| either(promotion, names).as_u64().unwrap_or(0);
        let usage = Usage {
            total: number(&["used", "times_used", "usage_count"]),
            by_customer: number(&["used_by_customer", "customer_used"]),
            spent: either(&promotion["budget"], &["used", "spent"]).as_i64().unwrap_or(0),
            ..Usage::default()
        };
        context.usage.insert(promotion["id"].as_str().unwrap().into(), usage);
    }
    Ok(context)
}

fn micros(text: &str) -> Found<i64> {
    Ok(text.parse::<When>()?.micros(&jiff::tz::TimeZone::UTC))
}

fn promotions(case: &Value) -> Found<Vec<Promotion>> {
    let listed = case["promotions"].as_array().unwrap();
    // Higher priority first, then lower position, then as listed; ours is one number.
    let mut order: Vec<usize> = (0..listed.len()).collect();
    let key = |place: &usize| (-listed[*place]["priority"].as_i64().unwrap_or(0), listed[*place]["position"].as_i64().unwrap_or(0));
    order.sort_by_key(|place| (key(place), *place));
    order.iter().rev().enumerate().map(|(priority, place)| promotion(case, &listed[*place], priority)).collect()
}

fn promotion(case: &Value, theirs: &Value, priority: usize) -> Found<Promotion> {
    let each = match theirs["group_mode"].as_str() {
        None => Value::Null,
        Some("same") => json!({"attribute": "group"}),
        Some(other) => return Err(format!("unknown group_mode {other}")),
    };
    let fields = [
        "id",
        "trigger",
        "code",
        "conditions",
        "effects",
        "layer",
        "exclude_already_discounted",
        "priority",
        "position",
        "channels",
        "consumes_units",
        "exclusive",
        "starts_at",
        "ends_at",
        "usage_limit",
        "used",
        "times_used",
        "usage_count",
        "usage_limit_per_customer",
        "used_by_customer",
        "customer_used",
        "budget",
        "group_mode",
        "stop_further",
        "exclusivity_group",
    ];
    known(theirs, &fields)?;
    let yes = |name: &str| theirs[name].as_bool().unwrap_or(false);
    let limit = either(&theirs["budget"], &["limit", "amount"]);
    let ours = json!({
        "schema_version": 2, "promotion_id": theirs["id"], "currency": case["currency"],
        "trigger": if theirs["trigger"] == "code" { json!({"kind": "code", "codes": [theirs["code"]]}) } else { json!({"kind": "automatic"}) },
        "channels": list(&theirs["channels"]), "each": each,
        "conditions": list(&theirs["conditions"]).iter().map(condition).collect::<Found<Vec<_>>>()?,
        "effects": list(&theirs["effects"]).iter().map(effect).collect::<Found<Vec<_>>>()?,
        "schedule": {"starts": theirs["starts_at"], "ends": theirs["ends_at"]},
        "limits": {"total": theirs["usage_limit"], "per_customer": theirs["usage_limit_per_customer"], "budget": limit},
        "stacking": {
            "layer": if ["catalog", "catalogue"].contains(&theirs["layer"].as_str().unwrap_or("order")) { "catalogue" } else { "order" },
            "priority": priority, "consumes_units": yes("consumes_units"), "skips_discounted": yes("exclude_already_discounted"),
            "combine": if yes("exclusive") { "alone" } else if yes("stop_further") { "stop_after" } else { "all" },
            "group": theirs["exclusivity_group"].as_str().map(|name| json!({"name": name})),
        },
    });
    serde_json::from_value(ours).map_err(|error| error.to_string())
}

fn condition(theirs: &Value) -> Found<Value> {
    let on = || scope(&theirs["scope"]);
    Ok(match theirs["kind"].as_str().unwrap() {
        "subtotal_at_least" => json!({
            "kind": "spend_at_least", "amount": theirs["amount"], "scope": on()?,
            "basis": if theirs["basis"] == "original" { "original" } else { "remaining" },
        }),
        "quantity_at_least" => json!({"kind": "quantity_at_least", "quantity": either(theirs, &["quantity", "qty"]), "scope": on()?}),
        "distinct_at_least" | "distinct_items_at_least" => {
            json!({"kind": "distinct_at_least", "products": either(theirs, &["quantity", "qty", "count"]), "scope": on()?})
        }
        "contains_any" => json!({"kind": "contains", "scope": on()?}),
        "contains_all" => {
            let each = |name: &str, ours: &str| {
                list(&theirs["scope"][name]).iter().map(|one| json!({"kind": "contains", "scope": {ours: [one]}})).collect::<Vec<_>>()
            };
            let of = [each("skus", "products"), each("categories", "categories")].concat();
            json!({"kind": "all", "of": of})
        }
        "contains_only" => json!({"kind": "contains_only", "scope": on()?}),
        "contains_none" => json!({"kind": "not", "of": {"kind": "contains", "scope": on()?}}),
        "nth_order" => json!({"kind": "nth_order", "n": theirs["n"]}),
        "first_order" => json!({"kind": "nth_order", "n": 1}),
        "customer_in_group" | "customer_group" | "customer_groups" => {
            let mut groups = list(&theirs["groups"]);
            groups.extend(theirs["group"].is_string().then(|| theirs["group"].clone()));
            json!({"kind": "customer_in", "groups": groups})
        }
        other => return Err(format!("unknown condition {other}")),
    })
}

fn scope(theirs: &Value) -> Found<Value> {
    known(theirs, &["all", "skus", "categories", "unit_price_min", "unit_price_max", "exclude_skus", "exclude_categories", "group"])?;
    let except = json!({"products": list(&theirs["exclude_skus"]), "categories": list(&theirs["exclude_categories"])});
    let excepts = theirs["exclude_skus"].is_array() || theirs["exclude_categories"].is_array();
    Ok(json!({
        "products": list(&theirs["skus"]), "categories": list(&theirs["categories"]),
        "unit_price_min": theirs["unit_price_min"], "unit_price_max": theirs["unit_price_max"],
        "except": if excepts { except } else { Value::Null },
        "attributes": theirs["group"].as_str().map_or(json!({}), |group| json!({"group": [group]})),
    }))
}

fn hundredths(percent: &Value) -> Value {
    #[allow(clippy::cast_possible_truncation, reason = "a percentage of a test case")]
    let basis_points = (percent.as_f64().unwrap_or(0.0) * 100.0).round() as i64;
    json!(basis_points)
}

fn effect(theirs: &Value) -> Found<Value> {
    let on = || scope(&theirs["scope"]);
    let times = || match (&theirs["max_applications"], theirs["repeat"].as_bool()) {
        (Value::Number(most), _) => json!(most),
        (_, Some(false)) => json!(1),
        _ => Value::Null,
    };
    let rounding = || match &theirs["rounding"] {
        Value::Null => json!({}),
        rounding => {
            let at = rounding["at"].as_str().unwrap_or("promotion");
            json!({"mode": rounding["mode"], "at": if at.starts_with("promotion") { "promotion" } else { at }})
        }
    };
    let pick = |value: &Value| match value.as_str() {
        Some("most_expensive" | "dearest") => "dearest",
        Some("basket_order" | "cart_order") => "basket_order",
        _ => "cheapest",
    };
    let most = || {
        let units = either(theirs, &["max_units", "max_affected_units", "max_quantity"]);
        let order = if theirs["pick"].is_null() { "basket_order" } else { pick(&theirs["pick"]) };
        json!({"units": units, "units_per_line": theirs["max_units_per_line"], "pick": order})
    };
    // Amounts are shared out over lines first, as peers do.
    let split = json!({"by": "line"});
    let tiers = |off: &dyn Fn(&Value) -> Value| -> Vec<Value> {
        theirs["tiers"].as_array().unwrap().iter().map(|tier| json!({"from": tier[0], "off": off(&tier[1])})).collect()
    };
    let basis = if theirs["basis"] == "quantity" { "quantity" } else { "remaining" };
    let tiered = |off: &dyn Fn(&Value) -> Value| {
        Ok::<_, String>(json!({"kind": "spend_and_save", "basis": basis, "tiers": tiers(off), "scope": on()?, "split": split}))
    };
    Ok(match theirs["kind"].as_str().unwrap() {
        "order_fixed_off" => json!({"kind": "amount_off", "amount": theirs["amount"], "scope": on()?, "split": split, "most": most()}),
        "line_fixed_off" => {
            json!({"kind": "amount_off", "amount": either(theirs, &["amount", "amount_per_line"]), "per": "line", "scope": on()?, "most": most()})
        }
        "unit_fixed_off" => json!({
            "kind": "amount_off", "amount": either(theirs, &["amount_per_unit", "amount"]), "per": "unit", "most": most(), "scope": on()?,
        }),
        "flexi_rate" => json!({
            "kind": "amount_off", "amount": theirs["first"], "further_amount": theirs["additional"], "per": "unit", "scope": on()?,
            "most": {"units_per_line": theirs["max_items"]},
        }),
        "order_percent_off" | "item_percent_off" | "percent_off" => json!({
            "kind": "percent_off", "basis_points": hundredths(&theirs["percent"]), "cap": either(theirs, &["max_amount", "cap", "max_discount"]),
            "basis": if theirs["of"] == "original" || theirs["base"] == "original" { "original" } else { "remaining" },
            "most": most(), "rounding": rounding(), "scope": on()?, "split": split,
        }),
        "item_fixed_price" | "unit_fixed_price" | "fixed_price" => {
            json!({"kind": "item_price", "unit_price": either(theirs, &["price", "unit_price", "amount"]), "most": most(), "scope": on()?})
        }
        "bundle_price" | "n_for_price" => json!({
            "kind": "bundle", "parts": [{"quantity": either(theirs, &["qty", "quantity", "every"]), "scope": on()?}],
            "off": {"price": either(theirs, &["price", "amount"])}, "most_times": times(), "pick": if theirs["pick"].is_null() { "dearest" } else { pick(&theirs["pick"]) },
            "split": split,
        }),
        "shipping_percent_off" => json!({"kind": "shipping", "off": {"basis_points": hundredths(&theirs["percent"])}}),
        "shipping_fixed_off" => json!({"kind": "shipping", "off": {"amount": theirs["amount"]}}),
        "shipping_fixed_price" => json!({"kind": "shipping", "off": {"price": either(theirs, &["price", "amount"])}}),
        "free_shipping" => json!({"kind": "shipping"}),
        "tiered_percent_off" => tiered(&|percent| json!({"basis_points": hundredths(percent)}))?,
        "tiered_fixed_off" => tiered(&|amount| json!({"amount": amount}))?,
        "every_n_spend" | "every_spend" => json!({
            "kind": "every_spend", "spend": either(theirs, &["every", "spend"]), "save": either(theirs, &["amount", "save"]), "most_times": times(),
            "scope": on()?, "split": split,
        }),
        "per_full_group" => json!({
            "kind": "per_full_group", "group_size": theirs["group_size"], "unit_amount": either(theirs, &["unit_amount_off", "amount_per_unit"]),
            "most_times": times(), "scope": on()?,
        }),
        "nth_unit_percent_off" => json!({
            "kind": "nth_unit", "nth": either(theirs, &["nth", "n", "every"]), "off": {"basis_points": hundredths(&theirs["percent"])}, "most_times": times(),
            "scope": on()?,
        }),
        "cheapest_free" | "cheapest_percent_off" => json!({
            "kind": "cheapest_free", "every": theirs["every"], "free": either(theirs, &["free", "count"]), "most_times": times(), "scope": on()?,
            "off": {"basis_points": if theirs["percent"].is_null() { json!(10_000) } else { hundredths(&theirs["percent"]) }},
        }),
        "gift" | "free_gift" => json!({"kind": "gift", "product_id": theirs["sku"], "quantity": theirs["qty"].as_i64().unwrap_or(1)}),
        "buy_x_get_y" => {
            let (buy, get) = (&theirs["buy"], &theirs["get"]);
            json!({
                "kind": "buy_get", "buy": scope(&buy["scope"])?, "buy_quantity": buy["qty"], "most_times": times(),
                "same_line": get["same_line"].as_bool().unwrap_or(false), "overlap": theirs["overlap"].as_bool().unwrap_or(false),
                "get": {
                    "scope": scope(&get["scope"])?, "quantity": get["qty"], "off": {"basis_points": hundredths(&get["percent"])},
                    "pick": pick(&get["pick"]),
                },
            })
        }
        other => return Err(format!("unknown effect {other}")),
    })
}
