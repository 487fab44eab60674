//! Money: integer minor units and a currency. Two currencies don't add, rounding is explicit, and
//! parts always sum to the whole (invariant 3).

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;

use serde::{Deserialize, Serialize};

/// An ISO 4217 currency code, such as `CNY`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Currency([u8; 3]);

impl Currency {
    /// How many decimals its minor unit has (ISO 4217): 2 for most.
    pub fn decimals(self) -> u32 {
        match &self.0 {
            b"BIF" | b"CLP" | b"DJF" | b"GNF" | b"ISK" | b"JPY" | b"KMF" | b"KRW" | b"PYG" | b"RWF" | b"UGX" | b"UYI" | b"VND" | b"VUV"
            | b"XAF" | b"XOF" | b"XPF" => 0,
            b"BHD" | b"IQD" | b"JOD" | b"KWD" | b"LYD" | b"OMR" | b"TND" => 3,
            _ => 2,
        }
    }

    /// Minor units in one major unit: 100 for most.
    pub fn minor_units(self) -> i64 {
        10_i64.pow(self.decimals())
    }

    /// The three letters.
    pub fn code(&self) -> &str {
        // Constructed from ASCII letters only.
        core::str::from_utf8(&self.0).unwrap_or("???")
    }

    /// The sign people write before an amount, or the code and a space where there is none.
    pub fn sign(&self) -> &str {
        match &self.0 {
            b"CNY" | b"JPY" => "¥",
            b"USD" => "$",
            b"EUR" => "€",
            b"GBP" => "£",
            b"TWD" => "NT$",
            b"HKD" => "HK$",
            _ => self.code(),
        }
    }

    /// An amount of minor units in major units, for statistics and charts only.
    pub fn major(self, minor: i64) -> f64 {
        minor as f64 / self.minor_units() as f64
    }
}

impl FromStr for Currency {
    type Err = MoneyError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bytes: [u8; 3] = text.trim().as_bytes().try_into().map_err(|_| MoneyError::Currency(text.to_owned()))?;
        if !bytes.iter().all(u8::is_ascii_alphabetic) {
            return Err(MoneyError::Currency(text.to_owned()));
        }
        Ok(Self(bytes.map(|byte| byte.to_ascii_uppercase())))
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl From<Currency> for String {
    fn from(currency: Currency) -> Self {
        currency.code().to_owned()
    }
}

impl TryFrom<String> for Currency {
    type Error = MoneyError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

/// What can be wrong with an amount.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MoneyError {
    /// Not three letters.
    #[error("{0:?} is not a currency: write the three ISO 4217 letters, such as CNY")]
    Currency(String),
    /// Not a decimal number.
    #[error("{0:?} is not an amount: write digits with a point for the decimals, such as 19.90")]
    Amount(String),
    /// More than 64 bits of minor units hold.
    #[error("the amount {0:?} is too large")]
    Overflow(String),
    /// Two currencies met in one sum.
    #[error("{0} and {1} don't add: convert one of them first")]
    Mixed(Currency, Currency),
}

/// An exact amount: `amount` minor units (cents, fen) of `currency`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Money {
    /// Minor units; negative for refunds and discounts.
    pub amount: i64,
    /// The currency of `amount`.
    pub currency: Currency,
}

impl Money {
    /// An amount of minor units.
    pub const fn new(amount: i64, currency: Currency) -> Self {
        Self { amount, currency }
    }

    /// Adds two amounts of one currency.
    ///
    /// # Errors
    /// `Mixed` for two currencies, `Overflow` beyond 64 bits.
    pub fn checked_add(self, other: Self) -> Result<Self, MoneyError> {
        if self.currency != other.currency {
            return Err(MoneyError::Mixed(self.currency, other.currency));
        }
        let amount = self.amount.checked_add(other.amount).ok_or_else(|| MoneyError::Overflow(format!("{self} + {other}")))?;
        Ok(Self::new(amount, self.currency))
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.amount < 0 { "−" } else { "" };
        write!(f, "{sign}{}{}", self.currency.sign(), format_minor(self.amount.saturating_abs(), self.currency.decimals()))
    }
}

/// Writes minor units as a plain decimal number: `format_minor(1990, 2)` is `19.90`.
pub fn format_minor(amount: i64, decimals: u32) -> String {
    let unit = 10_u64.pow(decimals);
    let (whole, part) = (amount.unsigned_abs() / unit, amount.unsigned_abs() % unit);
    let sign = if amount < 0 { "-" } else { "" };
    match decimals {
        0 => format!("{sign}{whole}"),
        _ => format!("{sign}{whole}.{part:0width$}", width = decimals as usize),
    }
}

/// Reads a decimal number as minor units, rounding half away from zero beyond `decimals`.
///
/// # Errors
/// `Amount` where the text is no number, `Overflow` beyond 64 bits.
pub fn parse_minor(text: &str, decimals: u32) -> Result<i64, MoneyError> {
    let error = || MoneyError::Amount(text.to_owned());
    let trimmed = text.trim();
    let (negative, digits) = match trimmed.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, trimmed.strip_prefix('+').unwrap_or(trimmed)),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if whole.is_empty() && fraction.is_empty() || !whole.bytes().chain(fraction.bytes()).all(|byte| byte.is_ascii_digit()) {
        return Err(error());
    }
    let overflow = || MoneyError::Overflow(text.to_owned());
    let mut amount: i64 = 0;
    let places = fraction.bytes().chain(core::iter::repeat(b'0')).take(decimals as usize);
    for digit in whole.bytes().chain(places) {
        amount = amount.checked_mul(10).and_then(|amount| amount.checked_add(i64::from(digit - b'0'))).ok_or_else(overflow)?;
    }
    if fraction.as_bytes().get(decimals as usize).is_some_and(|&digit| digit >= b'5') {
        amount = amount.checked_add(1).ok_or_else(overflow)?;
    }
    Ok(if negative { -amount } else { amount })
}

/// Splits `total` in proportion to `weights` so that the parts sum to `total` exactly: each part
/// is rounded down, and the units left go to the largest remainders, first come first at a tie
/// (Hamilton's method).
///
/// All weights zero puts everything on the first part. Weights are not negative.
pub fn split_largest_remainder(total: i64, weights: &[i64]) -> Vec<i64> {
    let sum: i128 = weights.iter().map(|&weight| i128::from(weight)).sum();
    let mut parts = vec![0_i64; weights.len()];
    if sum <= 0 {
        if let Some(first) = parts.first_mut() {
            *first = total;
        }
        return parts;
    }
    let (magnitude, sign) = (i128::from(total).abs(), total.signum());
    let mut remainders: Vec<(i128, usize)> = Vec::with_capacity(weights.len());
    let mut left = magnitude;
    for (index, &weight) in weights.iter().enumerate() {
        let product = magnitude * i128::from(weight);
        let floor = product / sum;
        left -= floor;
        // A part is at most `total`, so it fits.
        parts[index] = i64::try_from(floor).unwrap_or(i64::MAX);
        remainders.push((product % sum, index));
    }
    remainders.sort_by(|one, two| two.0.cmp(&one.0).then(one.1.cmp(&two.1)));
    for (_, index) in remainders.into_iter().take(usize::try_from(left).unwrap_or(usize::MAX)) {
        parts[index] += 1;
    }
    parts.iter_mut().for_each(|part| *part *= sign);
    parts
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn reads_and_writes_amounts() {
        let cases = [("19.9", 2, 1990), ("-0.005", 2, -1), ("12", 0, 12), ("1.2345", 3, 1235), (".5", 2, 50), ("7.", 2, 700)];
        for (text, decimals, amount) in cases {
            assert_eq!(parse_minor(text, decimals), Ok(amount), "{text}");
        }
        for text in ["", ".", "1,5", "1e3", "NaN", "--1", "99999999999999999999"] {
            assert!(parse_minor(text, 2).is_err(), "{text}");
        }
        let yuan: Currency = "cny".parse().unwrap();
        assert_eq!(Money::new(-1990, yuan).to_string(), "−¥19.90");
        assert_eq!("JPY".parse::<Currency>().unwrap().minor_units(), 1);
    }

    #[test]
    fn two_currencies_do_not_add() {
        let (yuan, dollar) = (Money::new(1, "CNY".parse().unwrap()), Money::new(1, "USD".parse().unwrap()));
        assert!(matches!(yuan.checked_add(dollar), Err(MoneyError::Mixed(..))));
        let full = Money::new(i64::MAX, yuan.currency);
        assert!(matches!(full.checked_add(yuan), Err(MoneyError::Overflow(_))));
    }

    proptest! {
        #[test]
        fn parts_sum_to_the_whole(total in -1_000_000_000_i64..1_000_000_000, weights in prop::collection::vec(0_i64..1_000_000, 1..30)) {
            let parts = split_largest_remainder(total, &weights);
            prop_assert_eq!(parts.iter().sum::<i64>(), total);
            let sum: i64 = weights.iter().sum();
            if sum > 0 {
                for (part, weight) in parts.iter().zip(&weights) {
                    let exact = total as f64 * *weight as f64 / sum as f64;
                    prop_assert!((*part as f64 - exact).abs() <= 1.0);
                }
            }
        }

        #[test]
        fn parse_undoes_format(amount in -1_000_000_000_000_i64..1_000_000_000_000, decimals in 0_u32..4) {
            prop_assert_eq!(parse_minor(&format_minor(amount, decimals), decimals), Ok(amount));
        }
    }
}
