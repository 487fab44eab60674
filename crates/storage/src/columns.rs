//! Cells of foreign columns as text, numbers, money and times, whatever type the file gave them.

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type, TimestampMicrosecondType};
use arrow_array::{Array, ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow_schema::{DataType, Field, Schema, TimeUnit};
use jiff::civil;
use jiff::tz::TimeZone;
use youhui_commerce::{Micros, TimeWindow, parse_minor};

use crate::mapping::{Source, TimeDetails};
use crate::quarantine::Rule;

/// Longest text of an identifier.
pub(crate) const LONGEST: usize = 4096;
/// Most units of one line.
const MOST_UNITS: i64 = 1_000_000;
/// Most money of one line, in minor units.
const MOST_MONEY: f64 = 1e15;

/// The batch with every column in the type that [`Column::of`] wants, so that taking a column is
/// free afterwards. What can't be cast stays as it is and reads as absent.
pub(crate) fn normalised(batch: &RecordBatch) -> RecordBatch {
    let cast = |array: &ArrayRef| match array.data_type() {
        kind if kind.is_integer() => whole_numbers(array),
        DataType::Float16 | DataType::Float32 => arrow_cast::cast(array, &DataType::Float64),
        DataType::Float64 | DataType::Utf8 => Ok(array.clone()),
        DataType::Timestamp(_, _) | DataType::Date32 | DataType::Date64 => {
            arrow_cast::cast(array, &DataType::Timestamp(TimeUnit::Microsecond, None))
        }
        _ => arrow_cast::cast(array, &DataType::Utf8),
    };
    let columns: Vec<ArrayRef> = batch.columns().iter().map(|array| cast(array).unwrap_or_else(|_| array.clone())).collect();
    let fields: Vec<Field> = batch
        .schema()
        .fields()
        .iter()
        .zip(&columns)
        .map(|(field, array)| Field::new(field.name(), array.data_type().clone(), true))
        .collect();
    RecordBatch::try_new(std::sync::Arc::new(Schema::new(fields)), columns).unwrap_or_else(|_| batch.clone())
}

/// As 64 signed bits, or as text where an identifier has more: nothing becomes empty on the way.
fn whole_numbers(array: &ArrayRef) -> Result<ArrayRef, arrow_schema::ArrowError> {
    let exact = arrow_cast::CastOptions { safe: false, ..arrow_cast::CastOptions::default() };
    arrow_cast::cast_with_options(array, &DataType::Int64, &exact).or_else(|_| arrow_cast::cast(array, &DataType::Utf8))
}

/// One column in the form it is read fastest.
pub(crate) enum Column {
    Int(Int64Array),
    Float(Float64Array),
    Text(StringArray),
    Time(TimestampMicrosecondArray),
}

impl Column {
    /// The column named `name`; the reader has checked that it is there.
    pub(crate) fn of(batch: &RecordBatch, name: &str) -> Option<Self> {
        let array = batch.column_by_name(name)?;
        let cast = |to: &DataType| arrow_cast::cast(array, to).ok();
        let text = |array: ArrayRef| Self::Text(array.as_string::<i32>().clone());
        match array.data_type() {
            kind if kind.is_integer() => whole_numbers(array).ok().map(|array| match array.as_primitive_opt::<Int64Type>() {
                Some(numbers) => Self::Int(numbers.clone()),
                None => text(array),
            }),
            DataType::Float16 | DataType::Float32 | DataType::Float64 => {
                cast(&DataType::Float64).map(|array| Self::Float(array.as_primitive::<Float64Type>().clone()))
            }
            DataType::Timestamp(_, _) | DataType::Date32 | DataType::Date64 => cast(&DataType::Timestamp(TimeUnit::Microsecond, None))
                .map(|array| Self::Time(array.as_primitive::<TimestampMicrosecondType>().clone())),
            _ => cast(&DataType::Utf8).map(text),
        }
    }

    pub(crate) fn is_null(&self, row: usize) -> bool {
        match self {
            Self::Int(array) => array.is_null(row),
            Self::Float(array) => array.is_null(row) || array.value(row).is_nan(),
            Self::Text(array) => array.is_null(row) || array.value(row).trim().is_empty(),
            Self::Time(array) => array.is_null(row),
        }
    }

    /// The cell as text; numbers without a fraction have none in the text.
    pub(crate) fn text<T>(&self, row: usize, with: impl FnOnce(&str) -> T) -> T {
        match self {
            Self::Text(array) => with(array.value(row).trim()),
            Self::Int(array) => with(itoa::Buffer::new().format(array.value(row))),
            Self::Float(array) => with(&array.value(row).to_string()),
            Self::Time(array) => with(&array.value(row).to_string()),
        }
    }

    /// A number of units.
    pub(crate) fn units(&self, row: usize) -> Result<i64, Rule> {
        let units = match self {
            Self::Int(array) => array.value(row),
            // Goods sold by weight come as fractions: they count as at least one unit.
            #[allow(clippy::cast_possible_truncation, reason = "the range is checked")]
            Self::Float(array) if array.value(row).abs() <= MOST_UNITS as f64 => whole_units(array.value(row)),
            Self::Float(array) if array.value(row).is_finite() => return Err(Rule::TooLarge),
            Self::Text(array) => {
                let value: f64 = array.value(row).trim().parse().map_err(|_| Rule::NotANumber)?;
                if !value.is_finite() {
                    return Err(Rule::NotANumber);
                }
                if value.abs() > MOST_UNITS as f64 {
                    return Err(Rule::TooLarge);
                }
                whole_units(value)
            }
            _ => return Err(Rule::NotANumber),
        };
        if units.checked_abs().is_none_or(|units| units > MOST_UNITS) { Err(Rule::TooLarge) } else { Ok(units) }
    }

    /// An amount in minor units; `decimals` 0 for cells that are minor units already.
    pub(crate) fn money(&self, row: usize, decimals: u32) -> Result<i64, Rule> {
        let unit = 10_i64.pow(decimals);
        match self {
            Self::Int(array) => {
                array.value(row).checked_mul(unit).filter(|amount| (*amount as f64).abs() <= MOST_MONEY).ok_or(Rule::TooLarge)
            }
            Self::Float(array) => {
                let amount = array.value(row) * unit as f64;
                if !amount.is_finite() {
                    return Err(Rule::NotANumber);
                }
                if amount.abs() > MOST_MONEY {
                    return Err(Rule::TooLarge);
                }
                #[allow(clippy::cast_possible_truncation, reason = "the range is checked")]
                let minor = amount.round() as i64;
                Ok(minor)
            }
            Self::Text(array) => match parse_minor(array.value(row), decimals) {
                Ok(amount) if (amount as f64).abs() <= MOST_MONEY => Ok(amount),
                Ok(_) | Err(youhui_commerce::MoneyError::Overflow(_)) => Err(Rule::TooLarge),
                Err(_) => Err(Rule::NotANumber),
            },
            Self::Time(_) => Err(Rule::NotANumber),
        }
    }
}

#[allow(clippy::cast_possible_truncation, reason = "callers check the range")]
fn whole_units(value: f64) -> i64 {
    if value.fract() == 0.0 { value as i64 } else { value.signum() as i64 * (value.abs().round() as i64).max(1) }
}

/// A money field: one column, a sum, or units times a price.
pub(crate) enum MoneyColumns {
    Sum(Vec<Column>),
    Product(Box<[Column; 2]>),
    Constant(i64),
}

impl MoneyColumns {
    pub(crate) fn of(batch: &RecordBatch, source: &Source, decimals: u32) -> Option<Self> {
        Some(match source {
            Source::Column(column) => Self::Sum(vec![Column::of(batch, column)?]),
            Source::Sum { sum: columns } | Source::Join { join: columns } => {
                Self::Sum(columns.iter().map(|column| Column::of(batch, column)).collect::<Option<_>>()?)
            }
            Source::Product { product: [count, amount] } => {
                Self::Product(Box::new([Column::of(batch, count)?, Column::of(batch, amount)?]))
            }
            Source::Constant { constant } => Self::Constant(parse_minor(constant, decimals).ok()?),
        })
    }

    /// `None` where a cell is empty.
    pub(crate) fn at(&self, row: usize, decimals: u32) -> Result<Option<i64>, Rule> {
        match self {
            Self::Constant(amount) => Ok(Some(*amount)),
            Self::Sum(columns) => {
                let mut sum = 0_i64;
                for column in columns {
                    if column.is_null(row) {
                        return Ok(None);
                    }
                    sum = sum.checked_add(column.money(row, decimals)?).ok_or(Rule::TooLarge)?;
                }
                Ok(Some(sum))
            }
            Self::Product(both) if both.iter().any(|column| column.is_null(row)) => Ok(None),
            Self::Product(both) => {
                let [count, amount] = both.as_ref();
                let product = i128::from(count.units(row)?) * i128::from(amount.money(row, decimals)?);
                i64::try_from(product).ok().filter(|amount| (*amount as f64).abs() <= MOST_MONEY).map(Some).ok_or(Rule::TooLarge)
            }
        }
    }
}

impl MoneyColumns {
    /// The cells as they stood, for messages.
    pub(crate) fn raw(&self, row: usize) -> String {
        let texts = |columns: &[Column]| -> Vec<String> {
            columns.iter().map(|column| if column.is_null(row) { String::new() } else { column.text(row, str::to_owned) }).collect()
        };
        match self {
            Self::Constant(amount) => amount.to_string(),
            Self::Sum(columns) => texts(columns).join(" + "),
            Self::Product(both) => texts(both.as_slice()).join(" × "),
        }
    }
}

/// A text field.
pub(crate) enum TextColumns {
    Columns(Vec<Column>),
    Constant(String),
}

impl TextColumns {
    pub(crate) fn of(batch: &RecordBatch, source: &Source) -> Option<Self> {
        match source {
            Source::Constant { constant } => Some(Self::Constant(constant.clone())),
            other => other.columns().iter().map(|column| Column::of(batch, column)).collect::<Option<_>>().map(Self::Columns),
        }
    }

    /// The texts joined with a space; empty cells are left out.
    pub(crate) fn at(&self, row: usize, buffer: &mut String) {
        buffer.clear();
        match self {
            Self::Constant(text) => buffer.push_str(text),
            Self::Columns(columns) => {
                for column in columns.iter().filter(|column| !column.is_null(row)) {
                    if !buffer.is_empty() {
                        buffer.push(' ');
                    }
                    column.text(row, |text| buffer.push_str(text));
                }
            }
        }
    }
}

/// A time field.
pub(crate) struct TimeColumn {
    column: Column,
    format: Option<String>,
    zone: TimeZone,
    plus: Micros,
    /// The text read last and its time: files are written in order of time, so cells repeat.
    last: std::cell::RefCell<(String, Micros)>,
}

impl TimeColumn {
    pub(crate) fn of(batch: &RecordBatch, details: &TimeDetails) -> Option<Self> {
        let zone = match &details.zone {
            None => TimeZone::UTC,
            Some(name) => TimeZone::get(name).ok()?,
        };
        Some(Self {
            column: Column::of(batch, &details.column)?,
            format: details.format.clone(),
            zone,
            plus: details.plus_days.checked_mul(TimeWindow::DAY)?,
            last: std::cell::RefCell::new((String::new(), 0)),
        })
    }

    /// The cell as it stood, for messages.
    pub(crate) fn raw(&self, row: usize) -> String {
        self.column.text(row, str::to_owned)
    }

    /// The time in UTC; `None` where the cell is empty.
    pub(crate) fn at(&self, row: usize, now: Micros) -> Result<Option<Micros>, Rule> {
        if self.column.is_null(row) {
            return Ok(None);
        }
        let time = match &self.column {
            Column::Time(array) => self.in_zone(array.value(row))?,
            Column::Text(array) => self.parse(array.value(row).trim())?,
            // A number is seconds since 1970, as many exports have it.
            Column::Int(array) => array.value(row).checked_mul(1_000_000).ok_or(Rule::UnreadableTime)?,
            Column::Float(_) => return Err(Rule::UnreadableTime),
        };
        let time = time.checked_add(self.plus).ok_or(Rule::UnreadableTime)?;
        match time {
            // 1990-01-01.
            time if time < 631_152_000_000_000 => Err(Rule::TooOld),
            time if time > now => Err(Rule::Future),
            time => Ok(Some(time)),
        }
    }

    fn in_zone(&self, local: Micros) -> Result<Micros, Rule> {
        if self.zone == TimeZone::UTC {
            return Ok(local);
        }
        let instant = jiff::Timestamp::from_microsecond(local).map_err(|_| Rule::UnreadableTime)?;
        self.of_civil(TimeZone::UTC.to_datetime(instant))
    }

    fn of_civil(&self, local: civil::DateTime) -> Result<Micros, Rule> {
        self.zone.to_ambiguous_timestamp(local).compatible().map(|instant| instant.as_microsecond()).map_err(|_| Rule::UnreadableTime)
    }

    fn parse(&self, text: &str) -> Result<Micros, Rule> {
        {
            let last = self.last.borrow();
            if last.0 == text && !text.is_empty() {
                return Ok(last.1);
            }
        }
        let time = match &self.format {
            Some(format) => {
                let mut parts = jiff::fmt::strtime::parse(format, text).map_err(|_| Rule::UnreadableTime)?;
                if let Ok(instant) = parts.to_timestamp() {
                    instant.as_microsecond()
                } else {
                    if parts.hour().is_none() {
                        parts.set_hour(Some(0)).map_err(|_| Rule::UnreadableTime)?;
                    }
                    let date = parts.to_date().map_err(|_| Rule::UnreadableTime)?;
                    let clock = parts.to_time().unwrap_or(civil::Time::midnight());
                    self.of_civil(date.to_datetime(clock))?
                }
            }
            None => match text.parse::<jiff::Timestamp>() {
                Ok(instant) => instant.as_microsecond(),
                Err(_) => self.of_civil(text.parse::<civil::DateTime>().map_err(|_| Rule::UnreadableTime)?)?,
            },
        };
        *self.last.borrow_mut() = (text.to_owned(), time);
        Ok(time)
    }
}
