//! From bytes to documents, or to everything that is wrong with them.

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::v1::PromotionV1;
use super::{Problem, Promotion, rules_of_parts, shape};
use crate::answer::{Priced, Wrong};
use crate::basket::{Basket, Customer, Usage};
use crate::prelude::*;

/// The JSON Schema (2020-12) of a promotion document.
pub fn promotion_schema() -> Value {
    schema_of::<Promotion>("Promotion")
}

/// The JSON Schema (2020-12) of a basket.
pub fn basket_schema() -> Value {
    schema_of::<Basket>("Basket")
}

/// The JSON Schema (2020-12) of the answer.
pub fn priced_schema() -> Value {
    schema_of::<Priced>("Priced")
}

fn schema_of<T: schemars::JsonSchema>(title: &str) -> Value {
    let mut schema = Value::from(schemars::schema_for!(T));
    schema["title"] = title.into();
    schema
}

/// Reads one promotion document, of this version of the language or an older one.
///
/// # Errors
/// Everything that is wrong with it, with JSON pointers.
pub fn read_promotion(json: &[u8]) -> Result<Promotion, Wrong> {
    let promotion = match serde_json::from_slice::<Promotion>(json) {
        Ok(promotion) if promotion.schema_version != 1 => promotion,
        _ => {
            let value = parse(json)?;
            if value["schema_version"] == 1 {
                typed::<PromotionV1>(json, &value)?.into()
            } else {
                typed::<Promotion>(json, &value).map_err(|Wrong(mut shape)| {
                    let rules = rules_of_parts(&value, &shape);
                    shape.extend(rules);
                    Wrong(shape)
                })?
            }
        }
    };
    let problems = promotion.problems();
    if problems.is_empty() { Ok(promotion) } else { Err(Wrong(problems)) }
}

/// Reads promotion documents: a JSON list of them, one of them, or one a line (JSON Lines).
///
/// # Errors
/// Everything that is wrong with them; pointers begin with the place in the list, from 0.
pub fn read_promotions(json: &[u8]) -> Result<Vec<Promotion>, Wrong> {
    let documents: Vec<Vec<u8>> = match parse(json) {
        Ok(Value::Array(documents)) => documents.iter().map(|document| document.to_string().into_bytes()).collect(),
        Ok(_) => return read_promotion(json).map(|promotion| vec![promotion]),
        Err(wrong) => {
            let lines: Vec<&[u8]> = json.split(|byte| *byte == b'\n').filter(|line| !line.trim_ascii().is_empty()).collect();
            let first_is_whole = lines.first().is_some_and(|line| serde_json::from_slice::<serde::de::IgnoredAny>(line).is_ok());
            if lines.len() < 2 || !first_is_whole {
                return Err(wrong);
            }
            lines.into_iter().map(<[u8]>::to_vec).collect()
        }
    };
    let (mut promotions, mut problems) = (Vec::with_capacity(documents.len()), Vec::new());
    for (place, document) in documents.iter().enumerate() {
        match read_promotion(document) {
            Ok(promotion) => promotions.push(promotion),
            Err(Wrong(found)) => {
                problems.extend(found.into_iter().map(|problem| Problem { pointer: format!("/{place}{}", problem.pointer), ..problem }))
            }
        }
    }
    if problems.is_empty() { Ok(promotions) } else { Err(Wrong(problems)) }
}

/// Reads one basket.
///
/// # Errors
/// Everything that is wrong with it, with JSON pointers.
pub fn read_basket(json: &[u8]) -> Result<Basket, Wrong> {
    let basket: Basket = serde_json::from_slice(json).or_else(|_| {
        let value = parse(json)?;
        typed(json, &value).map_err(|Wrong(mut shape)| {
            shape.extend(Basket::problems_of_lines(&value));
            Wrong(shape)
        })
    })?;
    let problems = basket.problems();
    if problems.is_empty() { Ok(basket) } else { Err(Wrong(problems)) }
}

/// A customer's file: who they are, and what they have used of which promotion.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct CustomerFile {
    /// Who they are; replaces what baskets say.
    pub customer: Option<Customer>,
    /// By promotion, what is used up.
    pub usage: BTreeMap<super::Name, Usage>,
}

/// Reads a customer's file.
///
/// # Errors
/// Everything that is wrong with it, with JSON pointers.
pub fn read_customer(json: &[u8]) -> Result<CustomerFile, Wrong> {
    read(json)
}

/// Reads an answer that was stored, for returns.
///
/// # Errors
/// Everything that is wrong with it, with JSON pointers.
pub fn read_priced(json: &[u8]) -> Result<Priced, Wrong> {
    read(json)
}

/// The typed value; where it can't be had, everything that is wrong with the shape.
fn read<T: DeserializeOwned + schemars::JsonSchema>(json: &[u8]) -> Result<T, Wrong> {
    serde_json::from_slice(json).or_else(|_| typed(json, &parse(json)?))
}

fn parse(json: &[u8]) -> Result<Value, Wrong> {
    if let Err(error) = core::str::from_utf8(json) {
        return Err(whole(format!("is not UTF-8 from byte {} on: save the file as UTF-8", error.valid_up_to())));
    }
    if json.trim_ascii().is_empty() {
        return Err(whole("is empty: write a JSON document".to_owned()));
    }
    serde_json::from_slice(json).map_err(|error| whole(format!("is not JSON: {error}")))
}

fn typed<T: DeserializeOwned + schemars::JsonSchema>(json: &[u8], value: &Value) -> Result<T, Wrong> {
    let problems = shape::problems(&schema_of::<T>(""), value);
    if !problems.is_empty() {
        return Err(Wrong(problems));
    }
    // What a schema can't say: a field twice, a currency that is none, a date that is none.
    serde_json::from_slice(json).map_err(|error| whole(error.to_string()))
}

fn whole(message: String) -> Wrong {
    Wrong(vec![Problem { pointer: String::new(), message }])
}
