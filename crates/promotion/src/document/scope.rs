//! On which units.

use serde::{Deserialize, Serialize};

use crate::prelude::*;

/// On which units an effect works or a condition looks: those that pass every field that is given.
/// Empty is everything.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Scope {
    /// One of these products (SKUs).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub products: Vec<String>,
    /// In one of these categories, at whatever place of the category path.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub categories: Vec<String>,
    /// Of one of these brands.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub brands: Vec<String>,
    /// Sold by one of these shops.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shops: Vec<String>,
    /// With one of these values in each of these attributes of the line.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub attributes: BTreeMap<String, Vec<String>>,
    /// With at least this price before any promotion, in minor units.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit_price_min: Option<i64>,
    /// With at most this price before any promotion, in minor units.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit_price_max: Option<i64>,
    /// In at least one of these.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub any: Vec<Scope>,
    /// And not in here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub except: Option<Box<Scope>>,
}

impl Scope {
    /// Everything.
    pub fn everything() -> Self {
        Self::default()
    }

    /// Units of these products.
    pub fn products<T: Into<String>>(names: impl IntoIterator<Item = T>) -> Self {
        Self { products: names.into_iter().map(Into::into).collect(), ..Self::default() }
    }

    /// Units of these categories.
    pub fn categories<T: Into<String>>(names: impl IntoIterator<Item = T>) -> Self {
        Self { categories: names.into_iter().map(Into::into).collect(), ..Self::default() }
    }

    /// Everything but units of these categories.
    pub fn all_but_categories<T: Into<String>>(names: impl IntoIterator<Item = T>) -> Self {
        Self { except: Some(Box::new(Self::categories(names))), ..Self::default() }
    }

    /// Whether it is everything.
    pub fn is_everything(&self) -> bool {
        *self == Self::default()
    }
}
