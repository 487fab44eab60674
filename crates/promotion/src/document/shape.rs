//! Whether a JSON value has the shape that a JSON Schema says: everything that is wrong, at once.
//!
//! The schemas are those that this crate publishes, so what is published is what is checked. Only
//! the words that they use are known: `type`, `properties`, `required`, `additionalProperties`,
//! `items`, `oneOf`, `anyOf`, `const`, `enum`, `minimum`, `maximum`, `$ref`, and in `format` the
//! words `currency`, `moment`, `clock-time` and `date`.

use serde_json::{Map, Value};

use super::Problem;
use super::validate::escape;
use crate::prelude::*;

/// Most problems that are told of one document.
const MOST_PROBLEMS: usize = 100;

/// Everything that is wrong with the shape of `value`.
pub(crate) fn problems(schema: &Value, value: &Value) -> Vec<Problem> {
    let mut walk = Walk { definitions: &schema["$defs"], problems: Vec::new() };
    walk.check(schema, value, "");
    walk.problems.truncate(MOST_PROBLEMS);
    walk.problems
}

struct Walk<'s> {
    definitions: &'s Value,
    problems: Vec<Problem>,
}

impl<'s> Walk<'s> {
    fn say(&mut self, pointer: &str, message: String) {
        if self.problems.len() < MOST_PROBLEMS {
            self.problems.push(Problem { pointer: pointer.to_owned(), message });
        }
    }

    fn resolve(&self, schema: &'s Value) -> &'s Value {
        let name = schema["$ref"].as_str().and_then(|reference| reference.strip_prefix("#/$defs/"));
        name.map_or(schema, |name| &self.definitions[name])
    }

    fn check(&mut self, schema: &'s Value, value: &Value, at: &str) {
        let schema = self.resolve(schema);
        if let Some(choices) = schema["oneOf"].as_array().or_else(|| schema["anyOf"].as_array()) {
            return self.choose(choices, value, at);
        }
        if !self.has_type(schema, value, at) {
            return;
        }
        match value {
            Value::Object(fields) => self.object(schema, fields, at),
            Value::Array(items) => {
                for (place, item) in items.iter().enumerate() {
                    self.check(&schema["items"], item, &format!("{at}/{place}"));
                }
            }
            _ => self.scalar(schema, value, at),
        }
    }

    fn has_type(&mut self, schema: &Value, value: &Value, at: &str) -> bool {
        let allowed: Vec<&str> = match &schema["type"] {
            Value::String(one) => vec![one],
            Value::Array(several) => several.iter().filter_map(Value::as_str).collect(),
            _ => return true,
        };
        let found = name_of(value);
        let fits = allowed.contains(&found) || (found == "integer" && allowed.contains(&"number"));
        if !fits {
            let wanted = allowed.iter().filter(|name| **name != "null").map(|name| words(name)).collect::<Vec<_>>().join(" or ");
            self.say(at, format!("is {}: write {wanted}", words(found)));
        }
        fits
    }

    fn scalar(&mut self, schema: &Value, value: &Value, at: &str) {
        let constant = &schema["const"];
        if !constant.is_null() && constant != value {
            self.say(at, format!("is {value}: write {constant}"));
        }
        if let Some(known) = schema["enum"].as_array()
            && !known.contains(value)
        {
            self.say(at, unknown_word(value, known.iter().filter_map(Value::as_str)));
        }
        if let (Some(format), Some(text)) = (schema["format"].as_str(), value.as_str()) {
            let wrong = match format {
                "currency" => text.parse::<youhui_commerce::Currency>().err().map(|error| error.to_string()),
                "moment" => text.parse::<super::When>().err(),
                "clock-time" => text.parse::<super::ClockTime>().err(),
                "date" => text.parse::<jiff::civil::Date>().err().map(|_| format!("{text:?} is not a date: write 2026-12-25")),
                _ => None,
            };
            if let Some(wrong) = wrong {
                // Hostile input is not repeated at length.
                self.say(at, wrong.chars().take(200).collect());
            }
        }
        if !value.is_number() {
            return;
        }
        let number = value.as_i64();
        let most = if schema["format"] == "uint32" { Some(i64::from(u32::MAX)) } else { schema["maximum"].as_i64() };
        let below = schema["minimum"].as_i64().is_some_and(|least| number.is_some_and(|number| number < least));
        let above = most.is_some_and(|most| number.is_none_or(|number| number > most));
        if below || above || (number.is_none() && schema["format"] == "int64") {
            let least = schema["minimum"].as_i64().unwrap_or(i64::MIN);
            self.say(at, format!("is {value}: write a whole number from {least} to {}", most.unwrap_or(i64::MAX)));
        }
    }

    fn object(&mut self, schema: &'s Value, fields: &Map<String, Value>, at: &str) {
        let properties = schema["properties"].as_object();
        for required in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            if !fields.contains_key(required) {
                self.say(at, format!("lacks the field {required:?}"));
            }
        }
        for (name, value) in fields {
            let pointer = format!("{at}/{}", escape(name));
            match properties.and_then(|properties| properties.get(name)) {
                Some(property) => self.check(property, value, &pointer),
                None if schema["additionalProperties"] == false => {
                    let known = properties.into_iter().flat_map(Map::keys).map(String::as_str);
                    self.say(&pointer, format!("is no field here{}", did_you_mean(name, known)));
                }
                None if schema["additionalProperties"].is_object() => self.check(&schema["additionalProperties"], value, &pointer),
                None => {}
            }
        }
    }

    /// One of several: told apart by `null`, by the word in a field such as `kind`, by the only field, or
    /// by the word itself.
    fn choose(&mut self, choices: &'s [Value], value: &Value, at: &str) {
        let choices: Vec<&Value> = choices.iter().map(|choice| self.resolve(choice)).collect();
        let is_null = |choice: &&Value| choice["type"] == "null";
        if choices.iter().any(is_null) {
            if !value.is_null() {
                let others: Vec<&Value> = choices.into_iter().filter(|choice| !is_null(choice)).collect();
                if let [one] = others.as_slice() {
                    self.check(one, value, at);
                }
            }
            return;
        }
        let Value::Object(fields) = value else { return self.choose_word(&choices, value, at) };
        if let Some(tag) = tag_of(&choices) {
            return match fields.get(tag) {
                None => self.say(
                    at,
                    format!("lacks the field {tag:?}: write one of {}", list(choices.iter().filter_map(|choice| word_of(choice, tag)))),
                ),
                Some(found) => match choices.iter().find(|choice| found.as_str().is_some() && word_of(choice, tag) == found.as_str()) {
                    Some(choice) => self.object(choice, fields, at),
                    None => {
                        let message = unknown_word(found, choices.iter().filter_map(|choice| word_of(choice, tag)));
                        self.say(&format!("{at}/{tag}"), message);
                    }
                },
            };
        }
        let only = |choice: &Value| choice["required"][0].as_str().map(ToOwned::to_owned);
        let names: Vec<String> = choices.iter().filter_map(|choice| only(choice)).collect();
        match choices.iter().find(|choice| only(choice).is_some_and(|name| fields.contains_key(&name))) {
            Some(choice) => self.object(choice, fields, at),
            None => self.say(at, format!("has none of the fields {}: write one of them", list(names.iter().map(String::as_str)))),
        }
    }

    fn choose_word(&mut self, choices: &[&Value], value: &Value, at: &str) {
        let words: Vec<&str> = choices.iter().filter_map(|choice| choice["const"].as_str()).collect();
        if words.is_empty() {
            self.say(at, format!("is {}: write an object", self::words(name_of(value))));
        } else if !value.as_str().is_some_and(|word| words.contains(&word)) {
            self.say(at, unknown_word(value, words.into_iter()));
        }
    }
}

/// The field by whose word the choices are told apart.
fn tag_of<'c>(choices: &[&'c Value]) -> Option<&'c str> {
    let fields = choices.first()?["properties"].as_object()?;
    fields.keys().map(String::as_str).find(|tag| choices.iter().all(|choice| word_of(choice, tag).is_some()))
}

/// The word by which a choice is known.
fn word_of<'c>(choice: &'c Value, tag: &str) -> Option<&'c str> {
    choice["properties"][tag]["const"].as_str()
}

fn name_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_i64() || number.is_u64() => "integer",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

fn words(name: &str) -> &'static str {
    match name {
        "null" => "empty (null)",
        "boolean" => "true or false",
        "integer" => "a whole number",
        "number" => "a number with decimals or beyond 64 bits",
        "string" => "a text",
        "array" => "a list",
        _ => "an object",
    }
}

fn list<'w>(words: impl Iterator<Item = &'w str>) -> String {
    words.collect::<Vec<_>>().join(", ")
}

fn unknown_word<'w>(found: &Value, known: impl Iterator<Item = &'w str>) -> String {
    let known: Vec<&str> = known.collect();
    // Hostile input is not repeated at length.
    let shown: String = found.to_string().chars().take(60).collect();
    let hint = found.as_str().and_then(|found| nearest(found, known.iter().copied()));
    match hint {
        Some(hint) => format!("is {shown}: did you mean {hint:?}?"),
        None => format!("is {shown}: write one of {}", list(known.into_iter())),
    }
}

fn did_you_mean<'w>(found: &str, known: impl Iterator<Item = &'w str>) -> String {
    let known: Vec<&str> = known.collect();
    match nearest(found, known.iter().copied()) {
        Some(hint) => format!(": did you mean {hint:?}?"),
        None if known.is_empty() => ": leave it out".to_owned(),
        None => format!("; known are {}", list(known.into_iter())),
    }
}

/// The known word with the fewest letters changed (Levenshtein 1966), if it is near.
fn nearest<'w>(found: &str, known: impl Iterator<Item = &'w str>) -> Option<&'w str> {
    if found.len() > 40 {
        return None;
    }
    let near = |word: &&str| distance(found, word) <= 1 + found.len() / 4;
    known.filter(near).min_by_key(|word| distance(found, word))
}

fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (place, letter) in one.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = place + 1;
        for (column, same) in other.iter().enumerate() {
            let replaced = diagonal + usize::from(letter != *same);
            diagonal = row[column + 1];
            row[column + 1] = replaced.min(row[column] + 1).min(diagonal + 1);
        }
    }
    row[other.len()]
}
