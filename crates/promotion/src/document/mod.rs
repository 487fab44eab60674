//! The promotion document, version 2: a file, a part.

mod amounts;
mod condition;
mod limits;
mod promotion;
#[cfg(feature = "read")]
mod read;
mod schedule;
mod scope;
#[cfg(feature = "read")]
mod shape;
mod stacking;
#[cfg(feature = "read")]
mod v1;
mod validate;

pub use amounts::{AtFloor, Basis, Most, Off, Pick, Remainder, Rounding, RoundingAt, RoundingMode, Split, SplitBy};
pub use condition::{Condition, Of};
pub use limits::{BudgetEnd, Caps, Limits};
pub use promotion::{Audience, Each, Name, Promotion, SCHEMA_VERSION, Text, Trigger};
#[cfg(feature = "read")]
pub use read::{
    CustomerFile, basket_schema, priced_schema, promotion_schema, read_basket, read_customer, read_priced, read_promotion, read_promotions,
};
pub(crate) use schedule::Local;
pub use schedule::{ClockTime, Recurring, Schedule, When};
pub use scope::Scope;
pub use stacking::{Choice, Combine, Group, Layer, Stacking, Within};
pub use validate::Problem;

#[cfg(feature = "schema")]
pub(crate) use amounts::CurrencyText;
pub(crate) use amounts::{round, share_of};
pub(crate) use promotion::normalise_code;
#[cfg(feature = "read")]
pub(crate) use validate::rules_of_parts;
pub(crate) use validate::{MOST_AMOUNT, MOST_UNITS, Problems};

/// For `skip_serializing_if`: what is as it would be anyway is not printed.
pub(crate) fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}
