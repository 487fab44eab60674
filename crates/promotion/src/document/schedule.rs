//! When a promotion runs: on the clocks of its time zone, whatever daylight saving does to them.

use core::fmt;
use core::str::FromStr;

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{Timestamp, tz};
use serde::{Deserialize, Serialize};
use youhui_commerce::Micros;

use crate::prelude::*;

/// When a promotion runs; always where nothing is given.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Schedule {
    /// From this moment on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub starts: Option<When>,
    /// The first moment after it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends: Option<When>,
    /// An IANA time zone, such as `Asia/Shanghai`; UTC if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<String>,
    /// Between start and end only in these windows.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub recurring: Vec<Recurring>,
    /// Not on these days (`2026-12-25`).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "schema", schemars(with = "Vec<super::amounts::DateText>"))]
    pub except_dates: Vec<Date>,
}

/// A moment: with an offset (`2026-11-11T00:00:00+08:00`, `…Z`) it is exact, without
/// (`2026-11-11T00:00`) it is what the clocks of the schedule's zone show. A local time that
/// daylight saving skips is taken an hour later, one that it repeats is the earlier of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// The same moment everywhere.
    Exact(Timestamp),
    /// What the clocks show.
    Local(DateTime),
}

impl When {
    /// A moment in UTC microseconds.
    pub fn from_micros(at: Micros) -> Self {
        Self::Exact(Timestamp::from_microsecond(at).unwrap_or(if at < 0 { Timestamp::MIN } else { Timestamp::MAX }))
    }

    /// The moment in UTC microseconds.
    pub fn micros(self, zone: &TimeZone) -> Micros {
        match self {
            Self::Exact(instant) => instant.as_microsecond(),
            Self::Local(local) => zone.to_timestamp(local).map_or(Micros::MAX, Timestamp::as_microsecond),
        }
    }
}

impl FromStr for When {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Ok(exact) = text.parse::<Timestamp>() {
            return Ok(Self::Exact(exact));
        }
        text.parse::<DateTime>().map(Self::Local).map_err(|_| {
            format!("{text:?} is not a moment: write 2026-11-11T00:00:00+08:00, or 2026-11-11T00:00 for the clocks of time_zone")
        })
    }
}

impl fmt::Display for When {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(instant) => instant.fmt(f),
            Self::Local(local) => local.fmt(f),
        }
    }
}

/// A window that comes back. Every field that is given must fit the day on which it begins.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Recurring {
    /// Days of the week, 1 for Monday to 7 for Sunday.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub weekdays: Vec<u8>,
    /// Days of the month, 1 to 31; −1 is the last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub month_days: Vec<i8>,
    /// Months, 1 to 12.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub months: Vec<u8>,
    /// First minute on the clock (`09:00`); midnight if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<ClockTime>,
    /// First minute after it (`11:00`); midnight if absent. One at or before `from` is of the next
    /// day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<ClockTime>,
}

/// What a clock shows, `HH:MM`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ClockTime {
    minute: u16,
}

impl ClockTime {
    /// Minutes since midnight.
    pub const fn minute(self) -> u16 {
        self.minute
    }
}

impl FromStr for ClockTime {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = || format!("{text:?} is not a time of day: write 09:00 to 23:59");
        let (hour, minute) = text.split_once(':').ok_or_else(error)?;
        let number = |digits: &str, most: u16| {
            let plain = digits.len() == 2 && digits.bytes().all(|byte| byte.is_ascii_digit());
            digits.parse::<u16>().ok().filter(|number| plain && *number <= most).ok_or_else(error)
        };
        Ok(Self { minute: number(hour, 23)? * 60 + number(minute, 59)? })
    }
}

impl fmt::Display for ClockTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}", self.minute / 60, self.minute % 60)
    }
}

/// Both are text in a document.
macro_rules! as_text {
    ($($type:ty as $format:literal: $description:literal),*) => {$(
        impl Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
            }
        }

        #[cfg(feature = "schema")]
        impl schemars::JsonSchema for $type {
            fn schema_name() -> alloc::borrow::Cow<'static, str> {
                stringify!($type).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({"type": "string", "format": $format, "description": $description})
            }
        }
    )*};
}

as_text!(
    When as "moment": "A moment: 2026-11-11T00:00:00+08:00, or 2026-11-11T00:00 on the clocks of time_zone.",
    ClockTime as "clock-time": "A time of day, HH:MM."
);

/// The zone with that name, from the database that is part of the program: prices don't depend on
/// the files of the machine that computes them.
pub(crate) fn time_zone(name: &str) -> Option<TimeZone> {
    tz::TimeZoneDatabase::bundled().get(name).ok()
}

/// A moment on the clocks of a zone.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Local {
    date: Date,
    minute: u16,
}

impl Local {
    pub(crate) fn new(at: Micros, zone: &TimeZone) -> Self {
        let instant = Timestamp::from_microsecond(at).unwrap_or(if at < 0 { Timestamp::MIN } else { Timestamp::MAX });
        let local = zone.to_datetime(instant);
        let minute = u16::from(local.hour().unsigned_abs()) * 60 + u16::from(local.minute().unsigned_abs());
        Self { date: local.date(), minute }
    }
}

impl Schedule {
    /// Its zone, where that is known.
    pub(crate) fn zone(&self) -> Option<TimeZone> {
        self.time_zone.as_deref().map_or(Some(TimeZone::UTC), time_zone)
    }

    /// Whether the windows and exceptions allow a moment.
    pub(crate) fn recurs(&self, local: Local) -> bool {
        !self.except_dates.contains(&local.date) && (self.recurring.is_empty() || self.recurring.iter().any(|window| window.holds(local)))
    }

    /// Whether it runs at a moment in UTC microseconds; never where its zone is unknown.
    pub fn runs(&self, at: Micros) -> bool {
        let Some(zone) = self.zone() else { return false };
        self.starts.is_none_or(|starts| starts.micros(&zone) <= at)
            && self.ends.is_none_or(|ends| at < ends.micros(&zone))
            && self.recurs(Local::new(at, &zone))
    }
}

impl Recurring {
    fn holds(&self, local: Local) -> bool {
        let minute = |time: Option<ClockTime>| time.map_or(0, ClockTime::minute);
        let (from, to) = (minute(self.from), minute(self.to));
        if from < to {
            return self.begins_on(local.date) && (from..to).contains(&local.minute);
        }
        (local.minute >= from && self.begins_on(local.date))
            || (local.minute < to && local.date.yesterday().is_ok_and(|yesterday| self.begins_on(yesterday)))
    }

    fn begins_on(&self, date: Date) -> bool {
        let weekday = date.weekday().to_monday_one_offset().unsigned_abs();
        let (day, last) = (date.day(), date.days_in_month());
        (self.weekdays.is_empty() || self.weekdays.contains(&weekday))
            && (self.month_days.is_empty() || self.month_days.iter().any(|of| *of == day || (*of < 0 && last + 1 + of == day)))
            && (self.months.is_empty() || self.months.contains(&date.month().unsigned_abs()))
    }
}
