use proptest::prelude::*;

use super::*;
use crate::law::{Claim, Market, Transacted};

fn zone(name: &str) -> TimeZone {
    jiff::tz::TimeZoneDatabase::bundled().get(name).unwrap()
}

fn berlin() -> TimeZone {
    zone("Europe/Berlin")
}

fn at(text: &str) -> Micros {
    text.parse::<Timestamp>().unwrap().as_microsecond()
}

fn shelf() -> Shelf {
    Shelf::new("bananas", Market::Eu, "shop")
}

/// (from, price, reduced).
fn offered(entries: &[(&str, Option<i64>, bool)]) -> PriceHistory {
    let mut history = PriceHistory::default();
    for &(from, price, reduced) in entries {
        history.offer(&shelf(), Offered { from: at(from), price, reduced }).unwrap();
    }
    history
}

const STRICT: MemberState = MemberState { progressive: false };

#[test]
fn aldi_bananas_the_offer_equals_the_prior_price_and_makes_no_claim() {
    // Aldi Süd, October 2022: 1.29 on offer, "last 1.69, lowest of 30 days 1.29".
    let history = offered(&[
        ("2022-09-01T00:00:00Z", Some(129), false),
        ("2022-10-03T00:00:00Z", Some(169), false),
        ("2022-10-17T00:00:00+02:00", Some(129), true),
    ]);
    let prior = prior_price(&history, &shelf(), at("2022-10-17T00:00:00+02:00"), &berlin(), STRICT).unwrap();
    assert_eq!(prior, Reference { price: 129, from: Source::LowestOffered });
    assert_eq!(Claim::of("bananas", prior, 129), None);
}

#[test]
fn ninety_after_a_hundred_is_no_reduction_where_eighty_was_offered() {
    let history = offered(&[
        ("2025-01-01T00:00:00Z", Some(80), false),
        ("2025-03-01T00:00:00Z", Some(100), false),
        ("2025-03-20T00:00:00+01:00", Some(90), true),
    ]);
    let start = at("2025-03-20T00:00:00+01:00");
    let prior = prior_price(&history, &shelf(), start, &berlin(), STRICT).unwrap();
    assert_eq!((prior.price, Claim::of("bananas", prior, 90)), (80, None));
    // 31 days after the 80 has gone the 100 is what counts.
    let later = prior_price(&history, &shelf(), start + 60 * TimeWindow::DAY, &berlin(), STRICT).unwrap();
    assert_eq!(later.price, 90, "the reduction itself is in the window by then");
}

#[test]
fn the_window_ends_the_day_before_at_midnight_of_the_markets_clocks() {
    // 23:30 in Berlin is 22:30 in UTC: the day is Berlin's, not UTC's.
    let history = offered(&[("2025-01-01T00:00:00Z", Some(100), false), ("2025-04-10T22:30:00Z", Some(70), false)]);
    let price = |start: &str, zone: &TimeZone| prior_price(&history, &shelf(), at(start), zone, STRICT).map(|prior| prior.price);
    // It starts on Berlin's 11 April; the 70 stands since 00:30 of that day.
    assert_eq!(price("2025-04-11T10:00:00+02:00", &berlin()), Some(100), "the day of the promotion doesn't count");
    assert_eq!(price("2025-04-11T10:00:00+02:00", &TimeZone::UTC), Some(70), "in UTC it was the day before");
    assert_eq!(price("2025-04-12T00:00:00+02:00", &berlin()), Some(70));
    // Exactly 30 days: 31 days before the start the price was lower.
    let history = offered(&[("2025-01-01T00:00:00Z", Some(50), false), ("2025-03-12T00:00:00+01:00", Some(100), false)]);
    let prior = |start: &str| prior_price(&history, &shelf(), at(start), &berlin(), STRICT).unwrap().price;
    assert_eq!((prior("2025-04-10T08:00:00+02:00"), prior("2025-04-11T08:00:00+02:00")), (50, 100), "across the change of clocks");
}

#[test]
fn a_progressive_series_is_measured_from_before_its_first_step() {
    let history = offered(&[
        ("2025-05-01T00:00:00Z", Some(100), false),
        ("2025-07-01T00:00:00Z", Some(80), true),
        ("2025-07-08T00:00:00Z", Some(70), true),
        ("2025-07-15T00:00:00Z", Some(60), true),
    ]);
    let start = at("2025-07-15T00:00:00Z");
    let price = |progressive| prior_price(&history, &shelf(), start, &TimeZone::UTC, MemberState { progressive }).unwrap().price;
    assert_eq!((price(true), price(false)), (100, 70));
    // A price that went up in between interrupts the series.
    let broken = offered(&[
        ("2025-05-01T00:00:00Z", Some(100), false),
        ("2025-07-01T00:00:00Z", Some(60), true),
        ("2025-07-08T00:00:00Z", Some(70), true),
    ]);
    let prior = prior_price(&broken, &shelf(), start, &TimeZone::UTC, MemberState { progressive: true }).unwrap();
    assert_eq!(prior.price, 60, "only the 70 is of the series: the 60 is before it");
}

#[test]
fn new_goods_gaps_and_channels() {
    let start = at("2025-06-10T00:00:00Z");
    let prior = |history: &PriceHistory, shelf: &Shelf| prior_price(history, shelf, start, &TimeZone::UTC, STRICT);
    let fresh = offered(&[("2025-06-01T00:00:00Z", Some(90), false)]);
    assert_eq!(prior(&fresh, &shelf()), Some(Reference { price: 90, from: Source::LowestSinceOnSale }));
    // Not on sale from 12 May on, at 40 before: no day of the window has a price.
    let gone = offered(&[("2025-03-01T00:00:00Z", Some(40), false), ("2025-05-01T00:00:00Z", None, false)]);
    assert_eq!(prior(&gone, &shelf()), Some(Reference { price: 40, from: Source::LastOffered }));
    // Back on 1 June: only what people could pay counts.
    let back = offered(&[
        ("2025-03-01T00:00:00Z", Some(40), false),
        ("2025-05-01T00:00:00Z", None, false),
        ("2025-06-01T00:00:00Z", Some(95), false),
    ]);
    assert_eq!(prior(&back, &shelf()).unwrap().price, 95);
    let mut two = back.clone();
    let online = Shelf::new("bananas", Market::Eu, "web");
    two.offer(&online, Offered { from: 0, price: Some(33), reduced: false }).unwrap();
    assert_eq!((prior(&two, &shelf()).unwrap().price, prior(&two, &online).unwrap().price), (95, 33));
}

#[test]
fn nothing_is_known_before_the_first_price_or_beyond_the_calendar() {
    let history = offered(&[("2025-06-01T00:00:00Z", Some(90), false)]);
    for start in [at("2025-05-01T00:00:00Z"), at("2025-06-01T00:00:00Z"), at("2025-06-01T23:59:59Z"), Micros::MIN, Micros::MAX] {
        assert_eq!(prior_price(&history, &shelf(), start, &TimeZone::UTC, STRICT), None, "{start}");
        assert_eq!(transaction_base(&history, &shelf(), start, &TimeZone::UTC), None);
        assert_eq!(marked_up_from(&PriceHistory::default(), &shelf(), start, &TimeZone::UTC), None);
    }
    assert_eq!(prior_price(&PriceHistory::default(), &shelf(), 0, &TimeZone::UTC, STRICT), None);
}

#[test]
fn china_takes_what_was_sold_for_and_sees_a_mark_up_the_day_before() {
    let venue = Shelf::new("tea", Market::China, "tmall");
    let shanghai = zone("Asia/Shanghai");
    let start = at("2025-11-11T00:00:00+08:00");
    let mut history = PriceHistory::default();
    for (time, price) in [("2025-10-01T10:00:00+08:00", 50), ("2025-11-03T23:59:00+08:00", 60), ("2025-11-04T00:00:00+08:00", 90)] {
        history.transact(&venue, Transacted { at: at(time), price }).unwrap();
    }
    let base = |history: &PriceHistory, start| transaction_base(history, &venue, start, &shanghai);
    assert_eq!(base(&history, start), Some(Reference { price: 90, from: Source::LowestTransacted }), "the 60 is eight days ago");
    assert_eq!(base(&history, start + 30 * TimeWindow::DAY), Some(Reference { price: 90, from: Source::LastTransacted }));
    let elsewhere = Shelf { channel: "jd".into(), ..venue.clone() };
    assert_eq!(transaction_base(&history, &elsewhere, start, &shanghai), None, "the same venue only");
    // 90 on the shelf, 150 from the evening before.
    history.offer(&venue, Offered { from: at("2025-09-01T00:00:00+08:00"), price: Some(90), reduced: false }).unwrap();
    assert_eq!(marked_up_from(&history, &venue, start, &shanghai), None);
    history.offer(&venue, Offered { from: at("2025-11-10T20:00:00+08:00"), price: Some(150), reduced: false }).unwrap();
    assert_eq!(marked_up_from(&history, &venue, start, &shanghai), Some(90));
    assert_eq!(Claim::of("tea", base(&history, start).unwrap(), 75).unwrap().basis_points, 1666, "from 90, not from 150");
}

/// Entries as (hours since 2025-03-01 in UTC, price or none), the start in the same hours. The days
/// hold Berlin's change of clocks.
fn hourly() -> impl Strategy<Value = (Vec<(i64, Option<i64>)>, i64)> {
    (prop::collection::vec((0_i64..24 * 80, prop::option::weighted(0.8, 1_i64..200)), 0..25), 0_i64..24 * 90)
}

const HOUR: Micros = 3_600_000_000;

proptest! {
    /// Every hour of every day is looked at.
    #[test]
    fn the_prior_price_is_that_of_a_brute_force_oracle((entries, hour) in hourly()) {
        let epoch = at("2025-03-01T00:00:00Z");
        let mut history = PriceHistory::default();
        let mut told = std::collections::BTreeMap::new();
        for &(hour, price) in &entries {
            history.offer(&shelf(), Offered { from: epoch + hour * HOUR, price, reduced: false }).unwrap();
            told.insert(hour, price);
        }
        let day = |hour: i64| berlin().to_datetime(Timestamp::from_microsecond(epoch + hour * HOUR).unwrap()).date();
        let price = |hour: i64| told.range(..=hour).next_back().and_then(|(_, price)| *price);
        let today = day(hour);
        let days_ago = |hour: i64| day(hour).until(today).unwrap().get_days();
        let in_window: Vec<i64> = (-24 * 40..hour).filter(|&hour| (1..=30).contains(&days_ago(hour))).collect();
        let lowest = in_window.iter().filter_map(|&hour| price(hour)).min();
        let last = (-24 * 40..hour).filter(|&hour| days_ago(hour) > 30).filter_map(price).next_back();
        let found = prior_price(&history, &shelf(), epoch + hour * HOUR, &berlin(), STRICT);
        prop_assert_eq!(found.map(|found| found.price), lowest.or(last));
        prop_assert_eq!(found.is_some_and(|found| found.from == Source::LastOffered), lowest.is_none() && last.is_some());
    }

    #[test]
    fn the_transaction_base_is_that_of_a_brute_force_oracle(sales in prop::collection::vec((0_i64..24 * 40, 0_i64..100), 0..20), hour in 0_i64..24 * 50) {
        let epoch = at("2025-11-01T00:00:00Z");
        let shanghai = zone("Asia/Shanghai");
        let venue = Shelf::new("tea", Market::China, "tmall");
        let mut history = PriceHistory::default();
        for &(hour, price) in &sales {
            history.transact(&venue, Transacted { at: epoch + hour * HOUR, price }).unwrap();
        }
        // Shanghai has no change of clocks: a day is eight hours earlier than UTC's.
        let day = |hour: i64| (hour + 8).div_euclid(24);
        let lowest = sales.iter().filter(|(at, _)| (1..=7).contains(&(day(hour) - day(*at)))).map(|(_, price)| *price).min();
        let mut sorted = sales.clone();
        sorted.sort_by_key(|(at, _)| *at);
        let last = sorted.iter().rfind(|(at, _)| *at < hour).map(|(_, price)| *price);
        let found = transaction_base(&history, &venue, epoch + hour * HOUR, &shanghai);
        prop_assert_eq!(found.map(|found| found.price), lowest.or(last));
    }
}
