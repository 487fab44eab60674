//! Everything that is wrong with a document, at once, with JSON pointers.

use serde::Serialize;

use super::{Combine, Condition, Most, Off, Promotion, Rounding, SCHEMA_VERSION, Scope, Trigger, normalise_code};
use crate::prelude::*;

/// Most of one amount, in minor units.
pub(crate) const MOST_AMOUNT: i64 = 1_000_000_000_000;
/// Most units of one line or of one rule.
pub(crate) const MOST_UNITS: i64 = 1_000_000;
/// Deepest nesting of conditions and scopes.
const DEEPEST: usize = 16;
/// Most effects and conditions of one promotion.
const MOST_PARTS: usize = 64;

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Problem {
    /// JSON pointer (RFC 6901) of the field; empty for the whole document.
    pub pointer: String,
    /// What is wrong and what to write instead.
    pub message: String,
}

impl core::fmt::Display for Problem {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let pointer = if self.pointer.is_empty() { "/" } else { &self.pointer };
        write!(f, "{pointer}: {}", self.message)
    }
}

impl core::error::Error for Problem {}

/// Problems as they are found.
#[derive(Debug, Default)]
pub(crate) struct Problems(Vec<Problem>);

impl Problems {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn into_vec(self) -> Vec<Problem> {
        self.0
    }

    pub(crate) fn say(&mut self, wrong: bool, pointer: impl Into<String>, message: &str) {
        if wrong {
            self.0.push(Problem { pointer: pointer.into(), message: message.into() });
        }
    }

    pub(crate) fn amount(&mut self, amount: i64, least: i64, pointer: impl Into<String>) {
        if !(least..=MOST_AMOUNT).contains(&amount) {
            self.say(true, pointer, &format!("is {amount}: write {least} to {MOST_AMOUNT} minor units"));
        }
    }

    pub(crate) fn units(&mut self, units: i64, least: i64, pointer: impl Into<String>) {
        if !(least..=MOST_UNITS).contains(&units) {
            self.say(true, pointer, &format!("is {units}: write {least} to {MOST_UNITS}"));
        }
    }

    pub(crate) fn share(&mut self, basis_points: u32, pointer: impl Into<String>) {
        if !(1..=10_000).contains(&basis_points) {
            self.say(true, pointer, &format!("is {basis_points}: write 1 to 10000 (0.01 % to 100 %)"));
        }
    }

    /// An [`Off`]; for single units it can't name the price of all of them together.
    pub(crate) fn off(&mut self, off: Off, of_units: bool, pointer: &str) {
        match off {
            Off::Amount(amount) => self.amount(amount, 1, format!("{pointer}/amount")),
            Off::BasisPoints(share) => self.share(share, format!("{pointer}/basis_points")),
            Off::UnitPrice(price) => self.amount(price, 0, format!("{pointer}/unit_price")),
            Off::Price(_) if of_units => self.say(true, format!("{pointer}/price"), "works on single units: write unit_price"),
            Off::Price(price) => self.amount(price, 0, format!("{pointer}/price")),
        }
    }

    pub(crate) fn rounding(&mut self, rounding: Rounding, pointer: &str) {
        let wrong = !(1..=MOST_UNITS).contains(&rounding.to);
        self.say(wrong, format!("{pointer}/to"), "write a multiple of minor units from 1 on, such as 10 or 100");
    }

    pub(crate) fn most(&mut self, most: &Most, pointer: &str) {
        self.units(most.units.unwrap_or(1), 1, format!("{pointer}/units"));
        self.units(most.units_per_line.unwrap_or(1), 1, format!("{pointer}/units_per_line"));
        self.units(most.step_per_line.unwrap_or(1), 1, format!("{pointer}/step_per_line"));
    }

    pub(crate) fn scope(&mut self, scope: &Scope, pointer: &str) {
        self.scope_within(scope, pointer, 1);
    }

    fn scope_within(&mut self, scope: &Scope, at: &str, depth: usize) {
        if depth > DEEPEST {
            return self.say(true, at, "is nested too deeply: write at most 16 levels");
        }
        for (name, price) in [("unit_price_min", scope.unit_price_min), ("unit_price_max", scope.unit_price_max)] {
            self.amount(price.unwrap_or(0), 0, format!("{at}/{name}"));
        }
        if let (Some(least), Some(most)) = (scope.unit_price_min, scope.unit_price_max) {
            self.say(least > most, format!("{at}/unit_price_min"), "is above unit_price_max: nothing would be in scope");
        }
        for (name, values) in &scope.attributes {
            self.say(values.is_empty(), format!("{at}/attributes/{}", escape(name)), "give at least one value, or leave it out");
        }
        self.say(scope.any.len() > MOST_PARTS, format!("{at}/any"), "give at most 64 scopes");
        for (place, any) in scope.any.iter().enumerate().take(MOST_PARTS) {
            self.scope_within(any, &format!("{at}/any/{place}"), depth + 1);
        }
        if let Some(except) = scope.except.as_deref() {
            let at = format!("{at}/except");
            self.say(except.is_everything(), &*at, "excepts everything: nothing would be in scope");
            self.scope_within(except, &at, depth + 1);
        }
    }

    fn condition(&mut self, condition: &Condition, pointer: &str, depth: usize) {
        if depth > DEEPEST {
            return self.say(true, pointer, "is nested too deeply: write at most 16 levels");
        }
        let field = |name: &str| format!("{pointer}/{name}");
        match condition {
            Condition::SpendAtLeast { amount, basis, scope } => {
                self.amount(*amount, 0, field("amount"));
                self.say(*basis == super::Basis::Quantity, field("basis"), "for units write the condition quantity_at_least");
                self.scope(scope, &field("scope"));
            }
            Condition::QuantityAtLeast { quantity, most_per_line, scope } => {
                self.units(*quantity, 1, field("quantity"));
                self.units(most_per_line.unwrap_or(1), 1, field("most_per_line"));
                self.scope(scope, &field("scope"));
            }
            Condition::DistinctAtLeast { products, scope } => {
                self.units(*products, 1, field("products"));
                self.scope(scope, &field("scope"));
            }
            Condition::Contains { scope } | Condition::ContainsOnly { scope } => self.scope(scope, &field("scope")),
            Condition::NthOrder { n } => self.units(*n, 1, field("n")),
            Condition::CustomerIn { groups } => self.say(groups.is_empty(), field("groups"), "name at least one group"),
            Condition::ShippingMethod { one_of } | Condition::Attribute { one_of, .. } => {
                self.say(one_of.is_empty(), field("one_of"), "give at least one value");
            }
            Condition::CompletedOrders { at_least, at_most } | Condition::AttributeRange { at_least, at_most, .. } => {
                self.say(at_least.is_none() && at_most.is_none(), pointer, "write at_least, at_most or both");
                let turned = at_least.zip(*at_most).is_some_and(|(least, most)| least > most);
                self.say(turned, field("at_least"), "is above at_most: it could never hold");
            }
            Condition::All { of } | Condition::Any { of } => {
                self.say(of.is_empty(), field("of"), "give at least one condition");
                self.say(of.len() > MOST_PARTS, field("of"), "give at most 64 conditions");
                for (place, inner) in of.iter().enumerate().take(MOST_PARTS) {
                    self.condition(inner, &field(&format!("of/{place}")), depth + 1);
                }
            }
            Condition::Not { of } => self.condition(of, &field("of"), depth + 1),
        }
    }

    fn schedule(&mut self, promotion: &Promotion) {
        let schedule = &promotion.schedule;
        let Some(zone) = schedule.zone() else {
            return self.say(true, "/schedule/time_zone", "is not an IANA time zone, such as Asia/Shanghai");
        };
        if let (Some(starts), Some(ends)) = (schedule.starts, schedule.ends) {
            self.say(starts.micros(&zone) >= ends.micros(&zone), "/schedule/ends", "must be later than starts");
        }
        for (place, window) in schedule.recurring.iter().enumerate() {
            let at = |name: &str| format!("/schedule/recurring/{place}/{name}");
            let wrong = window.weekdays.iter().any(|day| !(1..=7).contains(day));
            self.say(wrong, at("weekdays"), "write days as 1 (Monday) to 7 (Sunday)");
            let wrong = window.month_days.iter().any(|day| !(1..=31).contains(day) && !(-31..=-1).contains(day));
            self.say(wrong, at("month_days"), "write days as 1 to 31, or -1 for the last");
            let wrong = window.months.iter().any(|month| !(1..=12).contains(month));
            self.say(wrong, at("months"), "write months as 1 to 12");
        }
    }

    fn limits(&mut self, promotion: &Promotion) {
        let limits = &promotion.limits;
        self.say(limits.budget.is_some_and(|budget| budget < 0), "/limits/budget", "a budget is not negative");
        self.say(limits.daily.budget.is_some_and(|budget| budget < 0), "/limits/daily/budget", "a budget is not negative");
        let above = |one: Option<u64>, other: Option<u64>| one.zip(other).is_some_and(|(one, other)| one > other);
        self.say(above(limits.per_customer, limits.total), "/limits/per_customer", "is above total: no customer could use it so often");
        self.say(above(limits.daily.per_customer, limits.per_customer), "/limits/daily/per_customer", "is above the limit for all days");
        self.say(above(limits.daily.total, limits.total), "/limits/daily/total", "is above the limit for all days");
        self.say(above(limits.daily.per_customer, limits.daily.total), "/limits/daily/per_customer", "is above the total of a day");
        self.say(above(limits.daily.stock, limits.stock), "/limits/daily/stock", "is above the stock for all days");
        self.say(above(limits.units_per_customer, limits.stock), "/limits/units_per_customer", "is above stock");
        let more = limits.daily.budget.zip(limits.budget).is_some_and(|(day, all)| day > all);
        self.say(more, "/limits/daily/budget", "is above the budget for all days");
        let counted = promotion.effects.iter().all(|effect| effect.mechanic().counts_units());
        for (name, limit) in
            [("stock", limits.stock), ("units_per_customer", limits.units_per_customer), ("daily/stock", limits.daily.stock)]
        {
            let wrong = limit.is_some() && !counted;
            self.say(
                wrong,
                format!("/limits/{name}"),
                "counts units that become cheaper, which one of the effects does not: write budget or total",
            );
        }
        let parted = limits.budget_end == super::BudgetEnd::Part && promotion.effects.len() > 1;
        self.say(parted, "/limits/budget_end", "a part can be given of one effect only");
        let daily = &limits.daily;
        let counts = [
            ("per_customer", limits.per_customer),
            ("total", limits.total),
            ("stock", limits.stock),
            ("units_per_customer", limits.units_per_customer),
            ("budget", limits.budget.filter(|budget| *budget == 0).map(|_| 0)),
            ("daily/per_customer", daily.per_customer),
            ("daily/total", daily.total),
            ("daily/stock", daily.stock),
            ("daily/budget", daily.budget.filter(|budget| *budget == 0).map(|_| 0)),
        ];
        for (name, count) in counts {
            self.say(count == Some(0), format!("/limits/{name}"), "is 0: nobody could use it; leave it out for no limit");
        }
    }

    fn stacking(&mut self, promotion: &Promotion) {
        let stacking = &promotion.stacking;
        let group = stacking.group.as_ref();
        self.say(group.is_some_and(|group| group.name.trim().is_empty()), "/stacking/group/name", "give the group a name");
        let alone = matches!(stacking.combine, Combine::Alone | Combine::AloneIfBest);
        self.say(!stacking.beside.is_empty() && !alone, "/stacking/beside", "says what an alone promotion tolerates: set combine to alone");
        let itself = stacking.category.as_ref().is_some_and(|category| stacking.excludes.contains(category));
        self.say(itself, "/stacking/excludes", "excludes its own category: write a group for that");
    }
}

/// A key as a part of a JSON pointer.
pub(crate) fn escape(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

/// The rules that the readable parts of a document break whose shape is wrong elsewhere, so that its
/// author hears of everything at once. `shape` are the problems of its shape.
#[cfg(feature = "read")]
pub(crate) fn rules_of_parts(document: &serde_json::Value, shape: &[Problem]) -> Vec<Problem> {
    fn part<T: serde::de::DeserializeOwned>(document: &serde_json::Value, name: &str) -> Option<T> {
        document.get(name).and_then(|value| T::deserialize(value).ok())
    }
    let mut problems = Problems::default();
    let list = |name: &str| document[name].as_array().map_or(&[][..], Vec::as_slice).iter().take(MOST_PARTS).enumerate();
    for (place, effect) in list("effects") {
        if let Ok(effect) = <crate::Effect as serde::Deserialize>::deserialize(effect) {
            effect.mechanic().problems(&format!("/effects/{place}"), &mut problems);
        }
    }
    for (place, condition) in list("conditions") {
        if let Ok(condition) = <Condition as serde::Deserialize>::deserialize(condition) {
            problems.condition(&condition, &format!("/conditions/{place}"), 1);
        }
    }
    let Ok(currency) = "CNY".parse() else { return problems.into_vec() };
    // Stands in for the parts that can't be read.
    let mut readable = Promotion::new(
        part::<super::Name>(document, "promotion_id").unwrap_or_else(|| "id".into()),
        currency,
        crate::PercentOff { basis_points: 1, ..Default::default() }.into(),
    );
    readable.version = part(document, "version").unwrap_or(1);
    readable.trigger = part(document, "trigger").unwrap_or_default();
    readable.schedule = part(document, "schedule").unwrap_or_default();
    readable.limits = part(document, "limits").unwrap_or_default();
    readable.stacking = part(document, "stacking").unwrap_or_default();
    let mut found = problems.into_vec();
    found.extend(readable.problems());
    let is_new = |problem: &Problem| !shape.iter().any(|other| problem.pointer.starts_with(&*other.pointer) && !other.pointer.is_empty());
    found.retain(is_new);
    found
}

impl Promotion {
    /// Everything that is wrong with the document, at once; empty for a good one.
    pub fn problems(&self) -> Vec<Problem> {
        let mut problems = Problems::default();
        let version = self.schema_version != SCHEMA_VERSION;
        problems.say(version, "/schema_version", "this version of Youhui reads versions 1 and 2 of the language");
        problems.say(self.promotion_id.trim().is_empty(), "/promotion_id", "give it an identifier");
        problems.say(self.version == 0, "/version", "versions are counted from 1");
        problems.say(self.effects.is_empty(), "/effects", "say what it gives: at least one effect");
        problems.say(self.effects.len() > MOST_PARTS, "/effects", "give at most 64 effects");
        for (place, effect) in self.effects.iter().enumerate().take(MOST_PARTS) {
            effect.mechanic().problems(&format!("/effects/{place}"), &mut problems);
        }
        if let Trigger::Code { codes } = &self.trigger {
            problems.say(codes.is_empty(), "/trigger/codes", "give it codes, or make the trigger automatic");
            for (place, code) in codes.iter().enumerate() {
                let code = normalise_code(code);
                let at = || format!("/trigger/codes/{place}");
                problems.say(code.is_empty(), at(), "is blank: write letters and digits");
                let twice = codes[..place].iter().any(|other| normalise_code(other) == code);
                problems.say(twice, at(), "stands twice");
                problems.say(
                    code.chars().any(|letter| letter.is_whitespace() || letter.is_control()),
                    at(),
                    "has spaces inside: customers would not type them",
                );
            }
        }
        problems.say(self.conditions.len() > MOST_PARTS, "/conditions", "give at most 64 conditions");
        for (place, condition) in self.conditions.iter().enumerate().take(MOST_PARTS) {
            problems.condition(condition, &format!("/conditions/{place}"), 1);
        }
        problems.schedule(self);
        problems.limits(self);
        problems.stacking(self);
        problems.into_vec()
    }
}
