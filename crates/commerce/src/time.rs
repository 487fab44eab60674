//! Time: microseconds in UTC, and the shop's own clock for days, weekdays and hours.

#[cfg(feature = "std")]
use jiff::Timestamp;
#[cfg(feature = "std")]
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

/// Microseconds since 1970-01-01 in UTC, as the tables store time.
pub type Micros = i64;

/// A span of time: `start` belongs to it, `end` does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimeWindow {
    /// First microsecond inside.
    pub start: Micros,
    /// First microsecond after.
    pub end: Micros,
}

impl TimeWindow {
    /// Microseconds in a day of 24 hours.
    pub const DAY: Micros = 86_400_000_000;

    /// Whether `time` lies inside.
    pub const fn contains(&self, time: Micros) -> bool {
        self.start <= time && time < self.end
    }

    /// Its length in days of 24 hours.
    pub fn days(&self) -> f64 {
        (self.end - self.start) as f64 / Self::DAY as f64
    }
}

#[cfg(feature = "std")]
/// The shop's own clock: turns UTC into the local hour and weekday that habits are made of.
#[derive(Debug, Clone)]
pub struct ShopClock {
    zone: TimeZone,
    /// Offset from UTC in seconds for each hour of `first_hour..`, so that a row costs one look-up
    /// where a time-zone conversion costs a hundred nanoseconds.
    offsets: Vec<i32>,
    first_hour: i64,
}

#[cfg(feature = "std")]
const HOUR: i64 = 3_600_000_000;

#[cfg(feature = "std")]
impl ShopClock {
    /// A clock of `zone` that is fast inside `window` and right outside too.
    pub fn new(zone: TimeZone, window: TimeWindow) -> Self {
        let first_hour = window.start.div_euclid(HOUR);
        // At most a hundred years of hours, whatever the window says.
        let hours = (window.end.div_euclid(HOUR) - first_hour + 1).clamp(0, 24 * 366 * 100);
        let mut clock = Self { zone, offsets: Vec::new(), first_hour };
        clock.offsets = (0..hours).map(|hour| clock.offset_at((first_hour + hour) * HOUR)).collect();
        clock
    }

    fn offset_at(&self, time: Micros) -> i32 {
        Timestamp::from_microsecond(time).map_or(0, |instant| self.zone.to_offset(instant).seconds())
    }

    /// Local microseconds: `time` shifted by the zone's offset at that moment.
    pub fn local(&self, time: Micros) -> i64 {
        let offset = usize::try_from(time.div_euclid(HOUR) - self.first_hour)
            .ok()
            .and_then(|hour| self.offsets.get(hour).copied())
            .unwrap_or_else(|| self.offset_at(time));
        time + i64::from(offset) * 1_000_000
    }

    /// Local hour of the day, 0 to 23.
    pub fn hour(&self, time: Micros) -> usize {
        usize::try_from(self.local(time).rem_euclid(TimeWindow::DAY) / HOUR).unwrap_or(0)
    }

    /// Local weekday, 0 for Monday to 6 for Sunday.
    pub fn weekday(&self, time: Micros) -> usize {
        // 1970-01-01 was a Thursday.
        usize::try_from((self.local(time).div_euclid(TimeWindow::DAY) + 3).rem_euclid(7)).unwrap_or(0)
    }

    /// The zone this clock shows.
    pub const fn zone(&self) -> &TimeZone {
        &self.zone
    }
}

#[cfg(all(test, feature = "std"))]
mod tests {
    use super::*;

    #[test]
    fn a_shop_clock_shows_local_hours_through_daylight_saving() {
        let zone = TimeZone::get("America/New_York").unwrap();
        let at = |text: &str| text.parse::<Timestamp>().unwrap().as_microsecond();
        let window = TimeWindow { start: at("2017-01-01T00:00:00Z"), end: at("2018-01-01T00:00:00Z") };
        let clock = ShopClock::new(zone, window);
        // Sunday 2017-03-12: 01:59 EST is followed by 03:00 EDT.
        assert_eq!((clock.weekday(at("2017-03-12T06:59:00Z")), clock.hour(at("2017-03-12T06:59:00Z"))), (6, 1));
        assert_eq!(clock.hour(at("2017-03-12T07:00:00Z")), 3);
        // Outside the window it is slower and still right.
        assert_eq!(clock.hour(at("2031-07-01T12:00:00Z")), 8);
    }
}
