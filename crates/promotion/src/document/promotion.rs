//! The document as a whole.

use serde::{Deserialize, Serialize};
use youhui_commerce::Currency;

use super::{Condition, Layer, Limits, Schedule, Stacking, is_default};
use crate::mechanics::Effect;
use crate::prelude::*;

/// The version of the language that this crate writes. Version 1 is read too.
pub const SCHEMA_VERSION: u32 = 2;

/// An identifier: cheap to copy, as answers repeat it.
pub type Name = Arc<str>;

/// A promotion. Money is in minor units of `currency` (cents, fen), shares are in basis points:
/// 1000 is 10 %.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Promotion {
    /// Version of the language: 2.
    pub schema_version: u32,
    /// Unique within the shop; also the last tie-break of the order in which promotions apply.
    pub promotion_id: Name,
    /// Version of this document, counted from 1.
    #[serde(default = "first", skip_serializing_if = "is_first")]
    pub version: u32,
    /// Currency of every amount below.
    #[cfg_attr(feature = "schema", schemars(with = "crate::document::CurrencyText"))]
    pub currency: Currency,
    /// What it gives: most promotions have one effect. Shares of several effects are of the price
    /// before the first of them.
    pub effects: Vec<Effect>,
    /// How it starts.
    #[serde(default, skip_serializing_if = "is_default")]
    pub trigger: Trigger,
    /// All must hold, checked once before the effects.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
    /// Conditions and effects look separately at each shop, product, line or value of an attribute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub each: Option<Each>,
    /// For whom.
    #[serde(default, skip_serializing_if = "is_default")]
    pub audience: Audience,
    /// When.
    #[serde(default, skip_serializing_if = "is_default")]
    pub schedule: Schedule,
    /// How often.
    #[serde(default, skip_serializing_if = "is_default")]
    pub limits: Limits,
    /// Beside which others, and in which order.
    #[serde(default, skip_serializing_if = "is_default")]
    pub stacking: Stacking,
    /// Where, such as `web`; everywhere if empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub channels: Vec<String>,
    /// What people read, by locale (BCP 47).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub texts: BTreeMap<String, Text>,
    /// What must be said beside it, such as that a share of customers was drawn at random.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub disclosures: Vec<String>,
}

const fn first() -> u32 {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
const fn is_first(version: &u32) -> bool {
    *version == 1
}

/// How a promotion starts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Trigger {
    /// By itself. (With braces, as a bare word would take any field beside it.)
    Automatic {},
    /// By a code that the customer enters. Case, outer spaces and full-width letters (ＴＥＮ) don't
    /// matter.
    Code {
        /// The codes, any of which will do.
        codes: Vec<String>,
    },
}

impl Default for Trigger {
    fn default() -> Self {
        Self::Automatic {}
    }
}

/// What conditions and effects look at separately: ¥20 off ¥100 of each shop, three for two of each
/// product.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Each {
    /// Each shop of the basket.
    Shop,
    /// Each product.
    Product,
    /// Each line.
    Line,
    /// Each value of this attribute of lines; lines without it are not looked at.
    Attribute(String),
}

/// A code as it is compared.
pub(crate) fn normalise_code(code: &str) -> String {
    let half_width = |letter: char| match letter {
        // Full-width forms of ASCII, as Chinese and Japanese keyboards write them.
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(u32::from(letter) - 0xfee0).unwrap_or(letter),
        '\u{3000}' => ' ',
        _ => letter,
    };
    code.chars().map(half_width).collect::<String>().trim().to_uppercase()
}

/// For whom a promotion is.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Audience {
    /// Customers of one of these groups; everyone if empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<String>,
    /// The goal it serves, such as `win-back`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub goal: String,
    /// Who qualifies, in words that can be published.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub rule: String,
}

/// What people read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Text {
    /// A few words.
    pub title: Name,
    /// The exact condition.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub condition: String,
}

impl Promotion {
    /// An automatic promotion of one effect, always and for everyone.
    pub fn new(promotion_id: impl Into<Name>, currency: Currency, effect: Effect) -> Self {
        Self {
            schema_version: SCHEMA_VERSION,
            promotion_id: promotion_id.into(),
            version: 1,
            currency,
            effects: vec![effect],
            trigger: Trigger::Automatic {},
            conditions: vec![],
            each: None,
            audience: Audience::default(),
            schedule: Schedule::default(),
            limits: Limits::default(),
            stacking: Stacking::default(),
            channels: vec![],
            texts: BTreeMap::new(),
            disclosures: vec![],
        }
    }

    /// The same, started by a code.
    #[must_use]
    pub fn with_code(self, code: impl Into<String>) -> Self {
        Self { trigger: Trigger::Code { codes: vec![code.into()] }, ..self }
    }

    /// The same under one more condition.
    #[must_use]
    pub fn when(mut self, condition: Condition) -> Self {
        self.conditions.push(condition);
        self
    }

    /// The layer that it is in.
    pub fn layer(&self) -> Layer {
        if let Some(layer) = self.stacking.layer {
            return layer;
        }
        let all = |holds: fn(&Effect) -> bool| self.effects.iter().all(holds);
        if all(|effect| matches!(effect, Effect::Shipping(_) | Effect::Points(_) | Effect::Cashback(_))) {
            Layer::Shipping
        } else if self.trigger != (Trigger::Automatic {}) {
            Layer::Code
        } else if all(Effect::is_of_items) {
            Layer::Item
        } else {
            Layer::Order
        }
    }

    /// What answers call it: its title in English, in any language, or its identifier.
    pub fn title(&self) -> &Name {
        self.texts.get("en").or_else(|| self.texts.values().next()).map_or(&self.promotion_id, |text| &text.title)
    }
}
