//! How much, of what, rounded how, and split over what.

use serde::{Deserialize, Serialize};

use super::is_default;

/// What is taken off, or what is left to pay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Off {
    /// So many minor units less.
    Amount(i64),
    /// A share less, in basis points: 1000 is 10 %.
    BasisPoints(u32),
    /// All of the units together cost this.
    Price(i64),
    /// Each of the units costs this.
    UnitPrice(i64),
}

impl Off {
    /// Everything off.
    pub const FREE: Self = Self::BasisPoints(10_000);
}

/// Which price a share is of, or what a threshold counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Basis {
    /// What is left after the promotions before this one.
    #[default]
    Remaining,
    /// The price on the shelf: after the catalogue layer, before all others.
    Catalogue,
    /// The price before any promotion.
    Original,
    /// Units instead of money.
    Quantity,
}

/// How many of the units in scope an effect works on, and which.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Most {
    /// Most units of one basket.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub units: Option<i64>,
    /// Most units of one line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub units_per_line: Option<i64>,
    /// Of one line only full multiples of so many units.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step_per_line: Option<i64>,
    /// Which of them first.
    #[serde(default, skip_serializing_if = "is_default")]
    pub pick: Pick,
}

/// Which units are taken first; ties in the order of the basket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Pick {
    /// In the order of the basket.
    #[default]
    BasketOrder,
    /// The cheapest.
    Cheapest,
    /// The dearest.
    Dearest,
    /// Of the lines with most units first.
    LargestLine,
}

/// Where the part of a minor unit goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Rounding {
    /// Which way the discount is rounded.
    pub mode: RoundingMode,
    /// What is rounded.
    pub at: RoundingAt,
    /// To which multiple of a minor unit: 5 for Swiss cash, 10 for 角, 100 for whole yuan.
    pub to: i64,
}

impl Default for Rounding {
    fn default() -> Self {
        Self { mode: RoundingMode::default(), at: RoundingAt::default(), to: 1 }
    }
}

/// Which way a discount is rounded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum RoundingMode {
    /// Half a unit up: for the customer.
    #[default]
    HalfUp,
    /// Half a unit down.
    HalfDown,
    /// Half a unit to the even neighbour (banker's rounding).
    HalfEven,
    /// Down: for the shop.
    Down,
    /// Up.
    Up,
}

/// What is rounded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum RoundingAt {
    /// The promotion's whole amount, which is then split.
    #[default]
    Promotion,
    /// Each line.
    Line,
    /// Each unit.
    Unit,
}

/// How one amount is split over the units that it comes off. Parts always sum to the whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Split {
    /// Over what.
    #[serde(skip_serializing_if = "is_default")]
    pub by: SplitBy,
    /// Who gets the minor units that are left when every part is rounded down.
    #[serde(skip_serializing_if = "is_default")]
    pub remainder: Remainder,
    /// What happens to a part that a price floor has no room for.
    #[serde(skip_serializing_if = "is_default")]
    pub at_floor: AtFloor,
}

/// Over what an amount is split, in proportion to price.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum SplitBy {
    /// Units at once: it makes no difference whether five units stand on one line or on five.
    #[default]
    Unit,
    /// Lines first, then the units of each.
    Line,
    /// Shops first, then units.
    Shop,
}

/// Who gets the minor units that are left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Remainder {
    /// The parts that lost most by rounding (Hamilton's method); ties in the order of the basket.
    #[default]
    Largest,
    /// The first parts.
    First,
    /// The last parts.
    Last,
    /// The dearest parts, of equals the last.
    Dearest,
    /// The cheapest parts, of equals the first.
    Cheapest,
    /// Every part is rounded to the nearest minor unit, half down; what is missing or too much then is
    /// made up one unit each from the first part on.
    Nearest,
}

/// What happens to a part that a price floor has no room for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum AtFloor {
    /// Units that have room take it.
    #[default]
    Redistribute,
    /// It is not given.
    Forgo,
}

/// How text with a meaning is told apart in a schema.
#[cfg(feature = "schema")]
macro_rules! text_schema {
    ($($(#[$doc:meta])* $name:ident as $format:literal: $description:literal),*) => {$(
        $(#[$doc])*
        #[derive(Debug)]
        pub(crate) struct $name;

        impl schemars::JsonSchema for $name {
            fn schema_name() -> alloc::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn inline_schema() -> bool {
                true
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({"type": "string", "format": $format, "description": $description})
            }
        }
    )*};
}

#[cfg(feature = "schema")]
text_schema!(
    /// The schema of a currency.
    CurrencyText as "currency": "An ISO 4217 code, such as CNY.",
    /// The schema of a date.
    DateText as "date": "A date, such as 2026-12-25."
);

/// Rounds `exact / per` minor units to a multiple of `rounding.to`.
pub(crate) fn round(exact: i128, per: i128, rounding: Rounding) -> i64 {
    let whole = per * i128::from(rounding.to.max(1));
    // Nearly always 64 bits are enough, and a division of them costs a tenth.
    let (down, rest) = match (u64::try_from(exact), u64::try_from(whole)) {
        (Ok(exact), Ok(whole)) => (i128::from(exact / whole), i128::from(exact % whole)),
        _ => (exact.div_euclid(whole), exact.rem_euclid(whole)),
    };
    let up = match rounding.mode {
        RoundingMode::Down => false,
        RoundingMode::Up => rest > 0,
        RoundingMode::HalfUp => rest * 2 >= whole,
        RoundingMode::HalfDown => rest * 2 > whole,
        RoundingMode::HalfEven => rest * 2 > whole || (rest * 2 == whole && down % 2 == 1),
    };
    i64::try_from((down + i128::from(up)) * i128::from(rounding.to.max(1))).unwrap_or(i64::MAX)
}

/// Basis points of an amount, rounded.
pub(crate) fn share_of(amount: i64, basis_points: u32, rounding: Rounding) -> i64 {
    round(i128::from(amount) * i128::from(basis_points), 10_000, rounding)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounds_each_way_and_to_each_step() {
        let check = |exact: i128, mode: RoundingMode, to: i64, expected: i64| {
            let rounding = Rounding { mode, to, ..Rounding::default() };
            assert_eq!(round(exact, 10_000, rounding), expected, "{exact} {mode:?} {to}");
        };
        check(25_000, RoundingMode::HalfUp, 1, 3);
        check(25_000, RoundingMode::HalfDown, 1, 2);
        check(25_000, RoundingMode::HalfEven, 1, 2);
        check(35_000, RoundingMode::HalfEven, 1, 4);
        check(29_999, RoundingMode::Down, 1, 2);
        check(20_001, RoundingMode::Up, 1, 3);
        check(7_490_000, RoundingMode::HalfUp, 100, 700);
        check(7_500_000, RoundingMode::HalfUp, 100, 800);
        check(i128::from(u64::MAX) * 10_000, RoundingMode::Down, 1, i64::MAX);
    }
}
