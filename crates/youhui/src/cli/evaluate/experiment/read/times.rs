//! Columns of times, and effects by time since exposure.

use clap::Args as ClapArgs;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{Timestamp, civil::Date};
use rustc_hash::FxHashMap;
use serde::Serialize;
use youhui_evaluation::experiment::{ALARM, DayRows, Followed, Moments, Novelty, Warning, by_day, novelty};
use youhui_storage::{MISSING, Table, Values};

use super::super::super::super::CliError;
use super::Wanted;

/// Whether an effect wears off.
#[derive(Debug, Clone, Default, ClapArgs, Serialize)]
pub(in super::super) struct NoveltyArgs {
    /// The column of when a unit was first exposed: with it, the effect on the first goal by day since then.
    #[arg(long, value_name = "COLUMN", requires = "unit", requires = "happened")]
    exposed: Option<String>,
    /// The column of when a row happened.
    #[arg(long, value_name = "COLUMN", requires = "exposed")]
    happened: Option<String>,
    /// Days since first exposure that are looked at; units followed for less are left out of this.
    #[arg(long, value_name = "DAYS", default_value_t = 14, requires = "exposed")]
    follow_days: u16,
}

impl NoveltyArgs {
    pub(super) fn columns(&self) -> impl Iterator<Item = &str> {
        self.exposed.as_deref().into_iter().chain(self.happened.as_deref())
    }

    pub(in super::super) const fn is_wanted(&self) -> bool {
        self.exposed.is_some()
    }
}

/// A column of times.
pub(super) struct Times {
    /// As numbers stand there, or seconds from 1970 of what is written as a date or a time.
    pub(super) at: Vec<i64>,
    pub(super) are_seconds: bool,
}

impl Times {
    pub(super) fn read(wanted: &Wanted<'_>, table: &Table, column: &str) -> Result<Self, CliError> {
        let wrong = |row: usize, why: &str| wanted.wrong(&format!("row {}: column {column}{why}", row + 1));
        const EMPTY: &str = " is empty: when it happened can't be told: fill it";
        match &table.column(column)?.values {
            Values::Number(numbers) => {
                #[allow(clippy::cast_possible_truncation, reason = "checked to be small enough")]
                let whole = |(row, number): (usize, &f64)| {
                    if number.is_nan() {
                        Err(wrong(row, EMPTY))
                    } else if number.fract() == 0.0 && number.abs() < 9e15 {
                        Ok(*number as i64)
                    } else {
                        Err(wrong(row, &format!(": {number} is no time: write whole numbers, dates or times")))
                    }
                };
                Ok(Self { at: numbers.iter().enumerate().map(whole).collect::<Result<_, _>>()?, are_seconds: false })
            }
            Values::Text { codes, names } => {
                // A column that is also asked for as texts, such as --date, may hold numbers.
                let are_seconds = names.iter().any(|name| name.parse::<i64>().is_err());
                let read: Vec<Option<i64>> = names.iter().map(|text| instant(text, are_seconds)).collect();
                let of = |(row, code): (usize, &u32)| {
                    if *code == MISSING {
                        return Err(wrong(row, EMPTY));
                    }
                    let text = &names[*code as usize];
                    read[*code as usize]
                        .ok_or_else(|| wrong(row, &format!(": {text} is no time: write 2026-11-28 or 2026-11-28T12:00:00Z")))
                };
                Ok(Self { at: codes.iter().enumerate().map(of).collect::<Result<_, _>>()?, are_seconds })
            }
        }
    }
}

/// A time as a column of times has it.
pub(super) fn instant(text: &str, is_of_seconds: bool) -> Option<i64> {
    if is_of_seconds { seconds(text) } else { text.parse().ok() }
}

/// Seconds from 1970; what has no zone is taken for UTC.
fn seconds(text: &str) -> Option<i64> {
    let utc = |time: DateTime| TimeZone::UTC.to_timestamp(time).ok();
    let civil = || text.parse::<DateTime>().ok().or_else(|| text.parse::<Date>().ok().map(DateTime::from)).and_then(utc);
    text.parse::<Timestamp>().ok().or_else(civil).map(Timestamp::as_second)
}

/// A century: numbers that span more are not days.
const MOST_DAYS: i64 = 36_525;

/// Whole days of a column of times; of numbers, each is a day.
fn days(wanted: &Wanted<'_>, table: &Table, column: &str) -> Result<Vec<i64>, CliError> {
    let Times { at: times, are_seconds } = Times::read(wanted, table, column)?;
    if are_seconds {
        return Ok(times.into_iter().map(|time| time.div_euclid(86_400)).collect());
    }
    let (first, last) = (times.iter().min().copied().unwrap_or(0), times.iter().max().copied().unwrap_or(0));
    if last - first > MOST_DAYS {
        return Err(wanted.wrong(&format!(
            "column {column}: its numbers are taken for days, and they span {}: write days, dates, or times as texts",
            last - first
        )));
    }
    Ok(times)
}

/// When rows and exposures were, in days.
pub(super) struct Days {
    exposed: Vec<i64>,
    happened: Vec<i64>,
    follow: usize,
}

impl Days {
    pub(super) fn read(wanted: &Wanted<'_>, table: &Table) -> Result<Option<Self>, CliError> {
        let (Some(exposed), Some(happened)) = (&wanted.novelty.exposed, &wanted.novelty.happened) else { return Ok(None) };
        let follow = usize::from(wanted.novelty.follow_days);
        if !(2..=366).contains(&follow) {
            return Err(CliError::usage("--follow-days: give from 2 to 366 days: one day has no trend"));
        }
        Ok(Some(Self { exposed: days(wanted, table, exposed)?, happened: days(wanted, table, happened)?, follow }))
    }

    /// Effects by day since exposure, arm by arm against control.
    ///
    /// A unit was followed until the last day that anything happened; a unit without outcomes needs a row, of 0, to be seen.
    pub(super) fn effects(&self, wanted: &Wanted<'_>, rows: &ExposedRows<'_>) -> Result<ByDay, CliError> {
        let first = self.first(wanted, rows)?;
        let mut found = ByDay::default();
        for other in (0..rows.arms.len()).filter(|other| *other != rows.control) {
            let name = &rows.arms[other];
            let (moments, left_out) = self.moments(rows, &first, other)?;
            match novelty(&moments[0], &moments[1], left_out) {
                Ok(effects) => {
                    found.warnings.extend(effects.warning(ALARM).map(|warning| (Some(name.clone()), warning)));
                    found.arms.push((name.clone(), effects));
                }
                Err(error) => {
                    let days = self.follow;
                    let message = format!(
                        "{name}: no effect by day since exposure: {error} ({left_out} units were followed for less than {days} days)"
                    );
                    found.warnings.push((Some(name.clone()), Warning { code: "no_effect_by_day", message }));
                }
            }
        }
        Ok(found)
    }

    /// Each unit's day of first exposure, and arm.
    fn first(&self, wanted: &Wanted<'_>, rows: &ExposedRows<'_>) -> Result<FxHashMap<u64, (i64, u32)>, CliError> {
        let column = wanted.novelty.exposed.as_deref().unwrap_or_default();
        let mut first = FxHashMap::default();
        for &row in rows.kept {
            let (exposed, _) = *first.entry(rows.unit[row]).or_insert((self.exposed[row], rows.arm[row]));
            let at = row + 1;
            if exposed != self.exposed[row] {
                return Err(wanted.wrong(&format!(
                    "row {at}: column {column} differs among rows of one unit: days since then would be counted from two days: give each unit the day of its first exposure"
                )));
            }
            if self.happened[row] < exposed {
                let days = exposed - self.happened[row];
                return Err(wanted.wrong(&format!(
                    "row {at}: it happened {days} day(s) before column {column}: what happened before can't have been caused; counted, it pulls the effect towards 0. Drop outcomes from before the exposure, and check clocks and time zones"
                )));
            }
        }
        Ok(first)
    }

    /// Statistics of control and another arm with a column a day, and units that were followed for less.
    fn moments(&self, rows: &ExposedRows<'_>, first: &FxHashMap<u64, (i64, u32)>, other: usize) -> Result<(Vec<Moments>, u64), CliError> {
        let end = self.happened.iter().copied().max().unwrap_or(0) + 1;
        let place = |arm: u32| [rows.control, other].iter().position(|known| *known == arm as usize).map(|place| u32::from(place == 1));
        let mut units: Vec<(u64, u32, i64)> =
            first.iter().filter_map(|(unit, (exposed, arm))| Some((*unit, place(*arm)?, end - exposed))).collect();
        units.sort_unstable();
        let (unit, (arm, days)): (Vec<u64>, (Vec<u32>, Vec<i64>)) = units.into_iter().map(|(unit, arm, days)| (unit, (arm, days))).unzip();
        let followed = Followed { unit: &unit, arm: &arm, days: &days };
        let kept: Vec<usize> = rows.kept.iter().copied().filter(|&row| place(rows.arm[row]).is_some()).collect();
        let unit: Vec<u64> = kept.iter().map(|&row| rows.unit[row]).collect();
        let arm: Vec<u32> = kept.iter().filter_map(|&row| place(rows.arm[row])).collect();
        let day: Vec<i64> = kept.iter().map(|&row| self.happened[row] - self.exposed[row]).collect();
        let value: Vec<f64> = kept.iter().map(|&row| rows.value[row]).collect();
        Ok(by_day(followed, DayRows { unit: &unit, arm: &arm, day: &day, value: &value }, self.follow)?)
    }
}

/// Rows of units that were exposed.
pub(super) struct ExposedRows<'a> {
    /// Rows that count: of units in one arm.
    pub(super) kept: &'a [usize],
    pub(super) unit: &'a [u64],
    pub(super) arm: &'a [u32],
    pub(super) value: &'a [f64],
    pub(super) arms: &'a [String],
    pub(super) control: usize,
}

/// Effects by day since exposure, and what is to be said of them.
#[derive(Default)]
pub(super) struct ByDay {
    pub(super) arms: Vec<(String, Novelty)>,
    pub(super) warnings: Vec<(Option<String>, Warning)>,
}

#[cfg(test)]
mod tests {
    use super::seconds;

    #[test]
    fn dates_and_times_are_read() {
        for (text, known) in [
            ("1970-01-02", Some(86_400)),
            ("1970-01-01T01:00:00Z", Some(3_600)),
            ("1970-01-01T01:00:00+01:00", Some(0)),
            ("1970-01-01 00:01:00", Some(60)),
            ("yesterday", None),
            ("", None),
        ] {
            assert_eq!(seconds(text), known, "{text}");
        }
    }
}
