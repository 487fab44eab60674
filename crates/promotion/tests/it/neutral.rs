//! The neutral vocabulary of the peers' cases, said in our language.
//!
//! Where peers differ and a case does not say which policy it is, the peer's own is taken: where left
//! over minor units go, and which units of a "buy x get y" count as bought.

use serde_json::{Value, json};
use youhui_promotion::{Context, Promotion, Usage, When};

pub(crate) type Found<T> = Result<T, String>;

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

pub(crate) fn basket(case: &Value) -> Found<Value> {
    let cart = &case["cart"];
    let fields = [
        "lines",
        "codes",
        "customer",
        "channel",
        "shipping",
        "shipping_method",
        "stacking",
        "at",
        "now",
        "prices_include_tax",
        "attributes",
    ];
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
            "addon",
            "attributes",
            "brand",
            "shop",
        ];
        known(line, &fields)?;
        let mut attributes = line["attributes"].as_object().cloned().unwrap_or_default();
        attributes.insert("addon".into(), json!(if line["addon"] == true { "yes" } else { "no" }));
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
    known(customer, &["uses", "completed_orders", "groups", "group", "id", "email", "attributes"])?;
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

pub(crate) fn context(case: &Value) -> Found<Context> {
    let at = either(&case["cart"], &["at", "now"]).as_str().map_or(Ok(0), micros)?;
    let mut context = Context::at(at);
    let uses = |promotion: &str| case["cart"]["customer"]["uses"][promotion].as_u64().unwrap_or(0);
    for promotion in case["promotions"].as_array().unwrap() {
        let number = |names: &[&str]| either(promotion, names).as_u64().unwrap_or(0);
        let usage = Usage {
            total: number(&["used", "times_used", "usage_count"]),
            by_customer: number(&["used_by_customer", "customer_used"]).max(uses(promotion["id"].as_str().unwrap())),
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

pub(crate) fn promotions(case: &Value) -> Found<Vec<Promotion>> {
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
        "per_customer_limit",
        "used_by_customer",
        "customer_used",
        "budget",
        "group_mode",
        "stop_further",
        "exclusivity_group",
    ];
    known(theirs, &fields)?;
    let yes = |name: &str| theirs[name].as_bool().unwrap_or(false);
    let vendure = case["source"]["repo"] == "vendure-ecommerce/vendure";
    let item_kind =
        |effect: &Value| ["item_", "unit_", "buy_", "line_"].iter().any(|start| effect["kind"].as_str().unwrap().starts_with(start));
    let of_items = list(&theirs["effects"]).iter().all(item_kind);
    let best_of_order = case["cart"]["stacking"] == "best_order_promotion";
    let best_per_line = case["cart"]["stacking"] == "best_per_line";
    let group = match theirs["exclusivity_group"].as_str() {
        Some(name) => json!({"name": name}),
        None if best_of_order && theirs["layer"].is_null() => json!({"name": "order"}),
        None if best_per_line => json!({"name": theirs["layer"].as_str().unwrap_or("default"), "within": "line"}),
        None => Value::Null,
    };
    // No channel at all is a channel that no basket has.
    let channels = match theirs["channels"].as_array() {
        Some(channels) if channels.is_empty() => json!(["none"]),
        _ => json!(list(&theirs["channels"])),
    };
    // An effect in another currency makes the promotion one in it.
    let currency = list(&theirs["effects"]).iter().find_map(|effect| effect["currency"].as_str().map(str::to_owned));
    let currency = currency.map_or_else(|| case["currency"].clone(), |currency| json!(currency));
    let limit = either(&theirs["budget"], &["limit", "amount"]);
    let ours = json!({
        "schema_version": 2, "promotion_id": theirs["id"], "currency": currency,
        "trigger": if theirs["trigger"] == "code" { json!({"kind": "code", "codes": [theirs["code"]]}) } else { json!({"kind": "automatic"}) },
        "channels": channels, "each": each,
        "conditions": list(&theirs["conditions"]).iter().map(condition).collect::<Found<Vec<_>>>()?,
        "effects": list(&theirs["effects"]).iter().map(|theirs| effect(case, theirs)).collect::<Found<Vec<_>>>()?,
        "schedule": {"starts": theirs["starts_at"], "ends": theirs["ends_at"]},
        "limits": {"total": theirs["usage_limit"], "per_customer": either(theirs, &["usage_limit_per_customer", "per_customer_limit"]), "budget": limit},
        "stacking": {
            "layer": match theirs["layer"].as_str() {
                // Vendure: items, then the order, then shipping.
                None if vendure && of_items => "item",
                Some("catalog" | "catalogue") => "catalogue",
                Some("pre" | "item") => "item",
                Some("post" | "code") => "code",
                _ => "order",
            },
            "priority": priority, "consumes_units": yes("consumes_units"), "skips_discounted": yes("exclude_already_discounted"),
            "combine": if yes("exclusive") { "alone" } else if yes("stop_further") { "stop_after" } else { "all" },
            "group": group,
        },
    });
    serde_json::from_value(ours).map_err(|error| error.to_string())
}

fn condition(theirs: &Value) -> Found<Value> {
    let on = || scope(&theirs["scope"]);
    Ok(match theirs["kind"].as_str().unwrap() {
        "subtotal_at_least" => json!({
            "kind": "spend_at_least", "amount": theirs["amount"].as_i64().unwrap() + i64::from(theirs["strict"] == true), "scope": on()?,
            "basis": if theirs["basis"] == "original" { "original" } else { "remaining" },
        }),
        "subtotal_at_most" => {
            let above = theirs["amount"].as_i64().unwrap() + 1;
            json!({"kind": "not", "of": {"kind": "spend_at_least", "amount": above, "scope": on()?}})
        }
        "subtotal_between" => {
            let above = theirs["max"].as_i64().unwrap() + 1;
            let at_most = json!({"kind": "not", "of": {"kind": "spend_at_least", "amount": above, "scope": on()?}});
            json!({"kind": "all", "of": [{"kind": "spend_at_least", "amount": theirs["min"], "scope": on()?}, at_most]})
        }
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
        "shipping_method" => json!({"kind": "shipping_method", "one_of": either(theirs, &["methods", "one_of"])}),
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
    known(
        theirs,
        &["all", "skus", "categories", "unit_price_min", "unit_price_max", "exclude_skus", "exclude_categories", "group", "include_addons"],
    )?;
    // Products and categories in one scope are one or the other.
    if theirs["skus"].is_array() && theirs["categories"].is_array() {
        let narrow = |name: &str| {
            let mut narrowed = theirs.clone();
            narrowed.as_object_mut().unwrap().remove(name);
            scope(&narrowed)
        };
        return Ok(json!({"any": [narrow("skus")?, narrow("categories")?]}));
    }
    let except = json!({"products": list(&theirs["exclude_skus"]), "categories": list(&theirs["exclude_categories"])});
    let excepts = theirs["exclude_skus"].is_array() || theirs["exclude_categories"].is_array();
    Ok(json!({
        "products": list(&theirs["skus"]), "categories": list(&theirs["categories"]),
        "unit_price_min": theirs["unit_price_min"], "unit_price_max": theirs["unit_price_max"],
        "except": if excepts { except } else { Value::Null },
        "attributes": match (theirs["group"].as_str(), &theirs["include_addons"]) {
            (Some(group), _) => json!({"group": [group]}),
            (None, Value::Bool(false)) => json!({"addon": ["no"]}),
            _ => json!({}),
        },
    }))
}

/// How a peer does what a case may leave open.
struct Peer {
    remainder: &'static str,
    gets_partly: bool,
    buys_dearest: bool,
}

impl Peer {
    fn of(case: &Value) -> Self {
        let repository = case["source"]["repo"].as_str().unwrap_or_default();
        let remainder = match repository {
            "Sylius/Sylius" => "nearest",
            "solidusio/solidus" => "first",
            _ => "largest",
        };
        let medusa = repository == "medusajs/medusa";
        Self { remainder, gets_partly: !medusa, buys_dearest: medusa }
    }
}

fn hundredths(percent: &Value) -> Value {
    #[allow(clippy::cast_possible_truncation, reason = "a percentage of a test case")]
    let basis_points = (percent.as_f64().unwrap_or(0.0) * 100.0).round() as i64;
    json!(basis_points)
}

fn effect(case: &Value, theirs: &Value) -> Found<Value> {
    let peer = Peer::of(case);
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
            // Of a price that is rounded half up the discount is rounded half down.
            let of_price = at == "unit_price" && rounding["mode"] == "half_up";
            let at = if at.starts_with("promotion") { "promotion" } else { at.trim_end_matches("_price") };
            json!({"mode": if of_price { json!("half_down") } else { rounding["mode"].clone() }, "at": at})
        }
    };
    let pick = |value: &Value| match value.as_str() {
        Some("most_expensive" | "dearest") => "dearest",
        Some("basket_order" | "cart_order") => "basket_order",
        _ => "cheapest",
    };
    let most = || {
        let units = either(theirs, &["max_units", "max_affected_units", "max_quantity"]);
        let order = match (&theirs["pick"], &theirs["max_affected_units"]) {
            (Value::Null, Value::Null) => "basket_order",
            (given, _) => pick(given),
        };
        json!({"units": units, "units_per_line": theirs["max_units_per_line"], "step_per_line": theirs["quantity_step"], "pick": order})
    };
    // Amounts are shared out over lines first, as peers do.
    let remainder = match theirs["remainder"].as_str() {
        Some("last_line") => "dearest",
        _ => peer.remainder,
    };
    let split = json!({"by": "line", "remainder": remainder});
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
        "order_fixed_price" => json!({
            "kind": "spend_and_save", "tiers": [{"from": 0, "off": {"price": theirs["price"]}}], "scope": on()?, "split": split,
        }),
        "flexi_rate" | "first_additional_off" => json!({
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
            "split": {"by": "line", "remainder": "last"},
        }),
        "shipping_percent_off" => json!({"kind": "shipping", "off": {"basis_points": hundredths(&theirs["percent"])}}),
        "shipping_fixed_off" => json!({"kind": "shipping", "off": {"amount": theirs["amount"]}}),
        "shipping_fixed_price" => json!({"kind": "shipping", "off": {"price": either(theirs, &["price", "amount"])}}),
        "free_shipping" => json!({"kind": "shipping"}),
        "tiered_percent_off" | "tiered_fixed_off" if theirs["target"] == "shipping" => {
            let share = theirs["kind"] == "tiered_percent_off";
            let off = |value: &Value| if share { json!({"basis_points": hundredths(value)}) } else { json!({"amount": value}) };
            json!({"kind": "shipping", "tiers": tiers(&off), "basis": basis, "of_shipping": theirs["basis"] == "shipping", "scope": on()?})
        }
        "tiered_percent_off" => tiered(&|percent| json!({"basis_points": hundredths(percent)}))?,
        "tiered_fixed_off" => tiered(&|amount| json!({"amount": amount}))?,
        "every_n_spend" | "every_spend" => json!({
            "kind": "every_spend", "spend": either(theirs, &["every", "spend"]), "save": either(theirs, &["amount", "save"]), "most_times": times(),
            "scope": on()?, "split": split,
        }),
        "per_full_group" => {
            let percent = &theirs["unit_percent_off"];
            let amount = either(theirs, &["unit_amount_off", "amount_per_unit"]);
            let unit_off = if percent.is_null() { json!({"amount": amount}) } else { json!({"basis_points": hundredths(percent)}) };
            json!({
                "kind": "per_full_group", "group_size": theirs["group_size"], "off": unit_off, "pick": "largest_line",
                "most_times": times(), "scope": on()?,
            })
        }
        "nth_unit_percent_off" => json!({
            "kind": "nth_unit", "nth": either(theirs, &["nth", "n", "every"]), "off": {"basis_points": hundredths(&theirs["percent"])}, "most_times": times(),
            "scope": on()?,
        }),
        "cheapest_free" | "cheapest_percent_off" => json!({
            "kind": "cheapest_free", "every": theirs["every"], "free": either(theirs, &["free", "count"]), "most_times": times(), "scope": on()?,
            "off": {"basis_points": if theirs["percent"].is_null() { json!(10_000) } else { hundredths(&theirs["percent"]) }},
        }),
        "gift" | "free_gift" => json!({
            "kind": "gift", "product_id": theirs["sku"], "quantity": theirs["qty"].as_i64().unwrap_or(1), "every": theirs["per_units"],
            "basis": if theirs["per_units"].is_null() { "remaining" } else { "quantity" }, "scope": on()?,
        }),
        "buy_x_get_y" => {
            let (buy, get) = (&theirs["buy"], &theirs["get"]);
            json!({
                "kind": "buy_get", "buy": scope(&buy["scope"])?, "buy_quantity": buy["qty"], "most_times": times(),
                "same_line": get["same_line"].as_bool().unwrap_or(false), "overlap": theirs["overlap"].as_bool().unwrap_or(false),
                "get": {
                    "scope": scope(&get["scope"])?, "quantity": get["qty"], "off": {"basis_points": hundredths(&get["percent"])},
                    "pick": pick(&get["pick"]),
                },
                "partly": peer.gets_partly || get["same_line"] == true,
                "buy_pick": peer.buys_dearest.then_some("dearest"),
            })
        }
        other => return Err(format!("unknown effect {other}")),
    })
}
