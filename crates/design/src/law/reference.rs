//! The price that a reduction is measured from.
//!
//! - EU: the lowest price offered in the 30 local days that end the day before the promotion starts
//!   (Directive 98/6/EC Art. 6a).
//! - China: the lowest price at which the same venue sold in the 7 days before, else the last sale
//!   (规范促销行为暂行规定 Art. 21).

use jiff::Timestamp;
use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;
use serde::Serialize;
use youhui_commerce::{Micros, TimeWindow};

use super::{Offered, PriceHistory, Shelf};

/// Days that the prior price of Art. 6a looks back on.
pub const PRIOR_DAYS: i32 = 30;
/// Days that a base of the Chinese rules looks back on.
pub const BASE_DAYS: i32 = 7;

/// What Art. 6a leaves to member states.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct MemberState {
    /// Whether a reduction that deepens without interruption is measured from the price before its
    /// first step (Art. 6a(5)).
    pub progressive: bool,
}

/// A price that a reduction may be measured from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Reference {
    /// In minor units.
    pub price: i64,
    /// Where it comes from.
    pub from: Source,
}

/// Where a reference price comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// The lowest offered of the whole window.
    LowestOffered,
    /// The same of a product that came on sale within the window: a shorter time (Art. 6a(4)).
    LowestSinceOnSale,
    /// The product was not on sale in the window: the last price before it. The directive doesn't say;
    /// this is the careful reading.
    LastOffered,
    /// The lowest sold for in the window.
    LowestTransacted,
    /// Nothing was sold in the window: the last sale before the promotion.
    LastTransacted,
}

/// The prior price of a reduction that starts at `start` on the clocks of `zone`; `None` where the
/// product was never on sale before that day. A day without sale counts for nothing: only
/// prices that people could pay do.
pub fn prior_price(history: &PriceHistory, shelf: &Shelf, start: Micros, zone: &TimeZone, state: MemberState) -> Option<Reference> {
    let entries = history.offered(shelf);
    let first_step = if state.progressive { first_step(entries, start, zone) } else { start };
    let window = days_before(first_step, zone, PRIOR_DAYS)?;
    let mut lowest = None;
    for (price, from, until) in spans(entries) {
        if from < window.end && until > window.start {
            lowest = Some(lowest.map_or(price, |lowest: i64| lowest.min(price)));
        }
    }
    let first_sale = entries.iter().find(|entry| entry.price.is_some()).map(|entry| entry.from);
    let from = if first_sale.is_some_and(|first| first > window.start) { Source::LowestSinceOnSale } else { Source::LowestOffered };
    lowest.map(|price| Reference { price, from }).or_else(|| {
        let before = spans(entries).filter(|(_, from, _)| *from < window.start).last();
        before.map(|(price, ..)| Reference { price, from: Source::LastOffered })
    })
}

/// The base of a reduction in China: what the same venue sold for; `None` where it never did.
pub fn transaction_base(history: &PriceHistory, shelf: &Shelf, start: Micros, zone: &TimeZone) -> Option<Reference> {
    let window = days_before(start, zone, BASE_DAYS)?;
    let sales = history.transacted(shelf);
    let lowest = sales.iter().filter(|sale| window.contains(sale.at)).map(|sale| sale.price).min();
    lowest.map(|price| Reference { price, from: Source::LowestTransacted }).or_else(|| {
        let before = sales[..sales.partition_point(|sale| sale.at < start)].last();
        before.map(|sale| Reference { price: sale.price, from: Source::LastTransacted })
    })
}

/// A shelf price that was raised in the days before a promotion that is measured from it: what it
/// was before the raise, where it was lower (明码标价和禁止价格欺诈规定: no temporary mark-up as base).
pub fn marked_up_from(history: &PriceHistory, shelf: &Shelf, start: Micros, zone: &TimeZone) -> Option<i64> {
    let window = days_before(start, zone, BASE_DAYS)?;
    let base = history.price_before(shelf, start)?;
    let seen = spans(history.offered(shelf)).filter(|(_, from, until)| *from < start && *until > window.start);
    seen.map(|(price, ..)| price).min().filter(|lowest| *lowest < base)
}

/// The `days` local days that end with the day before the one of `start`. Moments that no calendar
/// knows have none.
fn days_before(start: Micros, zone: &TimeZone, days: i32) -> Option<TimeWindow> {
    let day = zone.to_datetime(Timestamp::from_microsecond(start).ok()?).date();
    let midnight = |day: Date| zone.to_timestamp(day.to_datetime(Time::midnight())).ok().map(Timestamp::as_microsecond);
    let first = day.checked_sub(jiff::Span::new().try_days(days).ok()?).ok()?;
    Some(TimeWindow { start: midnight(first)?, end: midnight(day)? })
}

/// (price, from, until) of the times on sale.
fn spans(entries: &[Offered]) -> impl Iterator<Item = (i64, Micros, Micros)> {
    entries.iter().enumerate().filter_map(|(place, entry)| {
        let until = entries.get(place + 1).map_or(Micros::MAX, |next| next.from);
        entry.price.map(|price| (price, entry.from, until))
    })
}

/// The start of the reductions that run without interruption, ever deeper, up to the day of `start`.
fn first_step(entries: &[Offered], start: Micros, zone: &TimeZone) -> Micros {
    let Some(today) = days_before(start, zone, 0) else { return start };
    let before = &entries[..entries.partition_point(|entry| entry.from < today.start)];
    let mut first = start;
    let mut last = 0;
    for entry in before.iter().rev() {
        match entry.price.filter(|price| entry.reduced && *price >= last) {
            Some(price) => (first, last) = (entry.from, price),
            None => break,
        }
    }
    first
}

#[cfg(test)]
#[path = "reference_tests.rs"]
mod tests;
