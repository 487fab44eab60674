//! Baskets restated from the public test suites of other engines, in a neutral vocabulary
//! (`tests/cases/peers.json`); `neutral` says the same in our language.
//!
//! `YOUHUI_PRICING_CASES` names more files of that form, separated by colons, from the workspace's root.

use std::path::Path;

use serde_json::{Value, json};
use youhui_promotion::{Basket, Priced, Promotions};

use crate::neutral::{Found, basket, context, promotions};

#[test]
fn prices_as_peers_do() {
    // Part of the test, so that a binary built in another checkout finds them too.
    let own = include_str!("../cases/peers.json").to_owned();
    let more = std::env::var("YOUHUI_PRICING_CASES").unwrap_or_default();
    let read = |name: &str| std::fs::read_to_string(Path::new("../..").join(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
    let texts = std::iter::once(own).chain(more.split(':').filter(|name| !name.is_empty()).map(read));
    let (mut count, mut wrong) = (0, Vec::new());
    for text in texts {
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
            "unit_discounts" => {
                for (id, units) in value.as_object().unwrap() {
                    let line = priced.lines.iter().find(|line| *line.line_id == **id).ok_or(format!("no line {id}"))?;
                    let price = line.subtotal / line.quantity;
                    let each = |of: &youhui_promotion::UnitPrice| (0..of.quantity).map(|_| price - of.unit_price).collect::<Vec<_>>();
                    let ours: Vec<i64> = line.units.iter().flat_map(each).collect();
                    if json!(ours) != *units {
                        return Err(format!("units of {id}: {ours:?}, not {units}"));
                    }
                }
            }
            other => return Err(format!("expects {other}, which this test does not know")),
        }
    }
    Ok(())
}
