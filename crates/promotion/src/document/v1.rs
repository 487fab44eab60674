//! Version 1 of the language, which is read and becomes version 2.
//!
//! It had one kind, one scope and a window in UTC microseconds a promotion; its fixed coupon is an
//! amount off and its minimum spend a condition.

use serde::Deserialize;
use youhui_commerce::{Currency, TimeWindow};

use super::{Audience, Basis, Condition, Limits, Most, Off, Promotion, SCHEMA_VERSION, Schedule, Scope, Text, Trigger, When};
use crate::mechanics::{AmountOff, Effect, Gift, ItemPrice, PercentOff, SpendAndSave, Tier};
use crate::prelude::*;

#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(crate) struct PromotionV1 {
    #[allow(dead_code, reason = "read to be known")]
    schema_version: u32,
    promotion_id: String,
    version: u32,
    #[cfg_attr(feature = "schema", schemars(with = "crate::document::CurrencyText"))]
    currency: Currency,
    kind: KindV1,
    trigger: TriggerV1,
    scope: ScopeV1,
    audience: AudienceV1,
    schedule: ScheduleV1,
    limits: LimitsV1,
    texts: BTreeMap<String, Text>,
    #[serde(default)]
    disclosures: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
enum KindV1 {
    PercentOff { basis_points: u32, cap: Option<i64> },
    SpendAndSave { tiers: Vec<TierV1> },
    FixedCoupon { amount: i64, minimum_spend: i64 },
    ItemPrice { product_id: String, unit_price: i64, most_units: i64 },
    Gift { product_id: String, value: i64, minimum_spend: i64 },
}

#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
struct TierV1 {
    spend: i64,
    save: i64,
}

#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
enum TriggerV1 {
    Automatic {},
    Code { code: String },
}

#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
enum ScopeV1 {
    All {},
    AllExcept { names: Vec<String> },
    Categories { names: Vec<String> },
    Products { product_ids: Vec<String> },
}

#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
struct AudienceV1 {
    goal: String,
    rule: String,
}

#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
struct ScheduleV1 {
    #[cfg_attr(feature = "schema", schemars(with = "WindowV1"))]
    window: TimeWindow,
    time_zone: String,
}

#[cfg(feature = "schema")]
#[derive(schemars::JsonSchema)]
#[allow(dead_code, reason = "the shape of a TimeWindow, for its schema")]
struct WindowV1 {
    start: i64,
    end: i64,
}

#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
struct LimitsV1 {
    per_customer: Option<u32>,
    budget: Option<i64>,
}

impl From<PromotionV1> for Promotion {
    fn from(old: PromotionV1) -> Self {
        let scope = match old.scope {
            ScopeV1::All {} => Scope::everything(),
            ScopeV1::AllExcept { names } => Scope::all_but_categories(names),
            ScopeV1::Categories { names } => Scope::categories(names),
            ScopeV1::Products { product_ids } => Scope::products(product_ids),
        };
        let from = |amount: i64, scope: &Scope| vec![Condition::SpendAtLeast { amount, basis: Basis::Remaining, scope: scope.clone() }];
        let (effect, conditions): (Effect, Vec<Condition>) = match old.kind {
            KindV1::PercentOff { basis_points, cap } => (PercentOff { basis_points, cap, scope, ..PercentOff::default() }.into(), vec![]),
            KindV1::SpendAndSave { tiers } => {
                let tiers = tiers.into_iter().map(|tier| Tier { from: tier.spend, off: Off::Amount(tier.save) }).collect();
                (SpendAndSave { tiers, scope, ..SpendAndSave::default() }.into(), vec![])
            }
            KindV1::FixedCoupon { amount, minimum_spend } => {
                let conditions = from(minimum_spend, &scope);
                (AmountOff { amount, scope, ..AmountOff::default() }.into(), conditions)
            }
            KindV1::ItemPrice { product_id, unit_price, most_units } => {
                let most = Most { units: Some(most_units), ..Most::default() };
                // A scope of products that does not name it would leave nothing.
                let products =
                    if scope.products.is_empty() || scope.products.contains(&product_id) { vec![product_id] } else { scope.products };
                (ItemPrice { unit_price, most, scope: Scope { products, ..scope } }.into(), vec![])
            }
            KindV1::Gift { product_id, value, minimum_spend } => {
                let conditions = from(minimum_spend, &scope);
                (Gift { product_id: product_id.into(), value, scope, ..Gift::default() }.into(), conditions)
            }
        };
        let trigger = match old.trigger {
            TriggerV1::Automatic {} => Trigger::Automatic {},
            TriggerV1::Code { code } => Trigger::Code { codes: vec![code] },
        };
        let window = old.schedule.window;
        Self {
            schema_version: SCHEMA_VERSION,
            version: old.version,
            trigger,
            conditions,
            audience: Audience { goal: old.audience.goal, rule: old.audience.rule, groups: vec![] },
            schedule: Schedule {
                starts: Some(When::from_micros(window.start)),
                ends: Some(When::from_micros(window.end)),
                time_zone: Some(old.schedule.time_zone),
                ..Schedule::default()
            },
            limits: Limits { per_customer: old.limits.per_customer.map(u64::from), budget: old.limits.budget, ..Limits::default() },
            texts: old.texts,
            disclosures: old.disclosures,
            ..Self::new(old.promotion_id, old.currency, effect)
        }
    }
}
