//! Holidays that people buy for, by market: fixed dates, weekdays of a month, those counted from
//! Easter, and those of the Chinese lunar calendar (the crate `icu_calendar`, docs/adr/0007).

use icu_calendar::cal::Iso;
use icu_calendar::types::Month;
use jiff::civil::{Date, Weekday};
use serde::Serialize;

use crate::law::Market;

/// A holiday in a year.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Holiday {
    /// In English.
    pub en: &'static str,
    /// In Chinese.
    pub zh: &'static str,
    /// On which day, on the shop's clocks.
    pub date: Date,
}

/// How a holiday finds its day.
#[derive(Debug, Clone, Copy)]
enum Rule {
    /// Month and day.
    Fixed(i8, i8),
    /// Month and day of the Chinese lunar year that begins in the year; never in a leap month.
    Lunar(u8, u8),
    /// The n-th such weekday of a month, and so many days after it.
    Nth(i8, i8, Weekday, i64),
    /// Days after Easter Sunday of the western churches.
    Easter(i64),
}

use Market::{China, Eu, NewYork, Uk, UnitedStates};
use Rule::{Easter, Fixed, Lunar, Nth};

const AMERICA: &[Market] = &[NewYork, UnitedStates];
const WEST: &[Market] = &[Eu, Uk, NewYork, UnitedStates];
const EVERYWHERE: &[Market] = &Market::ALL;
const CHINA: &[Market] = &[China];
const EUROPE: &[Market] = &[Eu, Uk];

const RULES: [(&str, &str, Rule, &[Market]); 27] = [
    ("New Year's Day", "元旦", Fixed(1, 1), EVERYWHERE),
    ("Spring Festival", "春节", Lunar(1, 1), CHINA),
    ("Lantern Festival", "元宵节", Lunar(1, 15), CHINA),
    ("Valentine's Day", "情人节", Fixed(2, 14), EVERYWHERE),
    ("Women's Day", "妇女节", Fixed(3, 8), CHINA),
    ("Mothering Sunday", "英国母亲节", Easter(-21), &[Uk]),
    ("Easter", "复活节", Easter(0), WEST),
    ("Labour Day", "劳动节", Fixed(5, 1), &[China, Eu]),
    ("Mother's Day", "母亲节", Nth(2, 5, Weekday::Sunday, 0), &[China, Eu, NewYork, UnitedStates]),
    ("520", "520", Fixed(5, 20), CHINA),
    ("Memorial Day", "阵亡将士纪念日", Nth(-1, 5, Weekday::Monday, 0), AMERICA),
    ("Children's Day", "儿童节", Fixed(6, 1), CHINA),
    ("Dragon Boat Festival", "端午节", Lunar(5, 5), CHINA),
    ("618", "618", Fixed(6, 18), CHINA),
    ("Father's Day", "父亲节", Nth(3, 6, Weekday::Sunday, 0), &[China, Uk, NewYork, UnitedStates]),
    ("Independence Day", "美国独立日", Fixed(7, 4), AMERICA),
    ("Qixi", "七夕", Lunar(7, 7), CHINA),
    ("Labor Day", "美国劳动节", Nth(1, 9, Weekday::Monday, 0), AMERICA),
    ("Mid-Autumn Festival", "中秋节", Lunar(8, 15), CHINA),
    ("National Day", "国庆节", Fixed(10, 1), CHINA),
    ("Double Ninth Festival", "重阳节", Lunar(9, 9), CHINA),
    ("Halloween", "万圣节", Fixed(10, 31), &[Uk, NewYork, UnitedStates]),
    ("Singles' Day", "双十一", Fixed(11, 11), CHINA),
    ("Thanksgiving", "感恩节", Nth(4, 11, Weekday::Thursday, 0), AMERICA),
    ("Black Friday", "黑色星期五", Nth(4, 11, Weekday::Thursday, 1), WEST),
    ("Christmas", "圣诞节", Fixed(12, 25), EVERYWHERE),
    ("Boxing Day", "节礼日", Fixed(12, 26), EUROPE),
];

/// The holidays of a market that fall into a year, in order.
pub fn holidays(market: Market, year: i16) -> Vec<Holiday> {
    let of = |(en, zh, rule, _): &(&'static str, &'static str, Rule, &[Market])| day_of(*rule, year).map(|date| Holiday { en, zh, date });
    let mut all: Vec<Holiday> = RULES.iter().filter(|(.., markets)| markets.contains(&market)).filter_map(of).collect();
    all.sort_by_key(|holiday| holiday.date);
    all
}

/// The first holiday of a market on a day or after it; `None` at the end of the calendar.
pub fn next_holiday(market: Market, from: Date) -> Option<Holiday> {
    let years = from.year()..=from.year().saturating_add(1);
    years.flat_map(|year| holidays(market, year)).find(|holiday| holiday.date >= from)
}

fn day_of(rule: Rule, year: i16) -> Option<Date> {
    let days = |count: i64| jiff::Span::new().try_days(count).ok();
    match rule {
        Fixed(month, day) => Date::new(year, month, day).ok(),
        Lunar(month, day) => lunar(year, month, day),
        Nth(nth, month, weekday, after) => {
            let first = Date::new(year, month, 1).ok()?;
            first.nth_weekday_of_month(nth, weekday).ok()?.checked_add(days(after)?).ok()
        }
        Easter(after) => easter(year)?.checked_add(days(after)?).ok(),
    }
}

/// A day of the Chinese lunar year whose Spring Festival falls into `year`. Sure for 1901 to 2100, which
/// the crate holds as published by the Purple Mountain and Hong Kong observatories; simplified beyond.
fn lunar(year: i16, month: u8, day: u8) -> Option<Date> {
    let chinese = icu_calendar::Date::try_new_chinese_traditional(i32::from(year), Month::new(month), day).ok()?;
    let iso = chinese.to_calendar(Iso);
    let narrow = |number: u8| i8::try_from(number).ok();
    Date::new(i16::try_from(iso.year().extended_year()).ok()?, narrow(iso.month().ordinal)?, narrow(iso.day_of_month().0)?).ok()
}

/// Easter Sunday of the Gregorian calendar (the algorithm of Meeus, Jones and Butcher).
fn easter(year: i16) -> Option<Date> {
    let year_of = i32::from(year);
    let (golden, century, rest) = (year_of.rem_euclid(19), year_of.div_euclid(100), year_of.rem_euclid(100));
    let moon = century - (century + 8).div_euclid(25);
    let epact = (19 * golden + century - century.div_euclid(4) - (moon + 1).div_euclid(3) + 15).rem_euclid(30);
    let sunday = (32 + 2 * century.rem_euclid(4) + 2 * rest.div_euclid(4) - epact - rest.rem_euclid(4)).rem_euclid(7);
    let late = (golden + 11 * epact + 22 * sunday).div_euclid(451);
    let day = epact + sunday - 7 * late + 114;
    Date::new(year, i8::try_from(day / 31).ok()?, i8::try_from(day % 31 + 1).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn date(text: &str) -> Date {
        text.parse().unwrap()
    }

    #[test]
    fn lunar_holidays_are_those_of_the_observatories() {
        for (year, name, day) in [
            (2024, "春节", "2024-02-10"),
            (2025, "春节", "2025-01-29"),
            (2026, "春节", "2026-02-17"),
            (2027, "春节", "2027-02-06"),
            (2025, "中秋节", "2025-10-06"),
            (2025, "七夕", "2025-08-29"),
            (2025, "端午节", "2025-05-31"),
        ] {
            let found = holidays(Market::China, year).into_iter().find(|holiday| holiday.zh == name);
            assert_eq!(found.map(|holiday| holiday.date), Some(date(day)), "{name} {year}");
        }
    }

    #[test]
    fn moving_holidays_of_the_west() {
        for day in ["2024-03-31", "2025-04-20", "2026-04-05", "2027-03-28", "2038-04-25", "1818-03-22"] {
            assert_eq!(easter(date(day).year()), Some(date(day)));
        }
        let of =
            |market, year, name: &str| holidays(market, year).into_iter().find(|holiday| holiday.en == name).map(|holiday| holiday.date);
        assert_eq!(of(Market::UnitedStates, 2025, "Thanksgiving"), Some(date("2025-11-27")));
        assert_eq!(of(Market::Eu, 2024, "Black Friday"), Some(date("2024-11-29")));
        assert_eq!(of(Market::Uk, 2025, "Mothering Sunday"), Some(date("2025-03-30")));
        assert_eq!(of(Market::UnitedStates, 2025, "Memorial Day"), Some(date("2025-05-26")));
        assert_eq!(of(Market::Eu, 2025, "Spring Festival"), None);
    }

    #[test]
    fn the_next_holiday_is_found_over_the_turn_of_the_year() {
        assert_eq!(next_holiday(Market::UnitedStates, date("2025-12-26")).map(|holiday| holiday.date), Some(date("2026-01-01")));
        assert_eq!(
            next_holiday(Market::China, date("2025-10-06")).map(|holiday| holiday.en),
            Some("Mid-Autumn Festival"),
            "on the day itself"
        );
        assert_eq!(next_holiday(Market::China, Date::MAX), None);
        assert!(next_holiday(Market::China, Date::MIN).is_some());
    }

    #[test]
    fn every_year_of_two_centuries_has_every_holiday() {
        for year in 1901..=2100 {
            for market in Market::ALL {
                let named = RULES.iter().filter(|(.., markets)| markets.contains(&market)).count();
                assert_eq!(holidays(market, year).len(), named, "{market:?} {year}");
            }
        }
    }
}
