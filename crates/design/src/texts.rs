//! What people read: the exact condition, in English and Chinese, from templates. [`crate::lint`]
//! checks that nothing is missing and nothing is claimed.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use youhui_commerce::{Currency, Micros, Money, TimeWindow};
use youhui_promotion::{Effect, Off, Scope, Text};

use crate::calendar::Holiday;

/// What the texts of a promotion have to say.
#[derive(Debug)]
pub(crate) struct Wording<'a> {
    pub(crate) effect: &'a Effect,
    pub(crate) scope: &'a Scope,
    /// Asked for first where there is one.
    pub(crate) minimum_spend: Option<i64>,
    pub(crate) currency: Currency,
    /// Of an item price or a gift; of a markdown's only product.
    pub(crate) product_name: &'a str,
    /// When it runs.
    pub(crate) window: TimeWindow,
    /// IANA zone of the clocks that it runs by.
    pub(crate) time_zone: &'a str,
    /// Uses of one customer.
    pub(crate) per_customer: u64,
    /// Whether it is for a first order only.
    pub(crate) first_order: bool,
    /// What it is for.
    pub(crate) holiday: Option<Holiday>,
}

/// Texts in `en` and `zh-CN` of what [`crate::mechanics`] makes.
pub(crate) fn texts(wording: &Wording<'_>) -> BTreeMap<String, Text> {
    let (en_title, en, zh_title, zh) = core(wording);
    let (en_title, zh_title) = match wording.holiday {
        Some(holiday) => (format!("{}: {en_title}", holiday.en), format!("{}：{zh_title}", holiday.zh)),
        None => (en_title, zh_title),
    };
    let (en_when, zh_when) = when(wording);
    let (en_first, zh_first) = if wording.first_order { (" On the first order only.", "仅限首单。") } else { ("", "") };
    let times = match wording.per_customer {
        1 => "Once per customer".to_owned(),
        uses => format!("At most {uses} times per customer"),
    };
    let en = format!("{en}{en_first} {times}, {en_when}.");
    let zh = format!("{zh}{zh_first}每位顾客限用{}次，活动时间{zh_when}。", wording.per_customer);
    BTreeMap::from([
        ("en".to_owned(), Text { title: en_title.into(), condition: en }),
        ("zh-CN".to_owned(), Text { title: zh_title.into(), condition: zh }),
    ])
}

/// Title and condition in English, title and condition in Chinese: what is given for what.
fn core(wording: &Wording<'_>) -> (String, String, String, String) {
    let money = |amount: i64| Money::new(amount, wording.currency).to_string();
    let (en_scope, zh_scope) = scope_words(wording);
    let minimum = money(wording.minimum_spend.unwrap_or(0));
    let product_name = wording.product_name;
    match wording.effect {
        Effect::PercentOff(off) => {
            let (rate, pay) = (percent(off.basis_points), percent(10_000_u32.saturating_sub(off.basis_points)));
            let en_cap = off.cap.map_or(String::new(), |cap| format!(", at most {} per order", money(cap)));
            let zh_cap = off.cap.map_or(String::new(), |cap| format!("，每单最多减{}", money(cap)));
            (
                format!("{rate}% off"),
                format!("{rate}% off {en_scope}{en_cap}."),
                format!("{zh_scope}{rate}%优惠"),
                format!("{zh_scope}按售价的{pay}%结算{zh_cap}。"),
            )
        }
        Effect::SpendAndSave(save) => {
            let tiers =
                save.tiers.iter().filter_map(|tier| if let Off::Amount(amount) = tier.off { Some((tier.from, amount)) } else { None });
            let en = tiers.clone().map(|(from, save)| format!("spend {} save {}", money(from), money(save)));
            let zh = tiers.map(|(from, save)| format!("满{}减{}", money(from), money(save)));
            let (en, zh) = (en.collect::<Vec<_>>().join(", "), zh.collect::<Vec<_>>().join("，"));
            (
                capitalised(&en),
                format!("On {en_scope}: {en}. The highest tier reached applies, once per order."),
                zh.clone(),
                format!("{zh_scope}{zh}，每单按达到的较高一档减一次。"),
            )
        }
        Effect::AmountOff(off) => {
            let amount = money(off.amount);
            (
                format!("{amount} coupon"),
                format!("{amount} off orders of {minimum} or more on {en_scope}."),
                format!("{amount}优惠券"),
                format!("{zh_scope}满{minimum}减{amount}。"),
            )
        }
        Effect::ItemPrice(item) => {
            let (price, most_units) = (money(item.unit_price), item.most.units.unwrap_or(1));
            (
                format!("{product_name} for {price}"),
                format!("{product_name} at {price} each, at most {most_units} per order."),
                format!("{product_name}限时价{price}"),
                format!("{product_name}每件{price}，每单限{most_units}件。"),
            )
        }
        Effect::Gift(gift) => {
            let value = money(gift.value);
            (
                format!("Free {product_name}"),
                format!("One {product_name} (worth {value}) with orders of {minimum} or more on {en_scope}."),
                format!("满{minimum}赠{product_name}"),
                format!("{zh_scope}满{minimum}赠{product_name}一件（价值{value}）。"),
            )
        }
        other => {
            let name = other.name().replace('_', " ");
            (capitalised(&name), format!("{} on {en_scope}.", capitalised(&name)), name.clone(), format!("{zh_scope}{name}。"))
        }
    }
}

fn scope_words(wording: &Wording<'_>) -> (String, String) {
    let except = wording.scope.except.as_deref().map_or(&[][..], |except| &except.categories);
    match (wording.scope.categories.as_slice(), except) {
        ([], []) if wording.scope.products.is_empty() => ("everything".to_owned(), "全场".to_owned()),
        ([], []) if !wording.product_name.is_empty() => (wording.product_name.to_owned(), wording.product_name.to_owned()),
        ([], []) => ("selected products".to_owned(), "指定商品".to_owned()),
        ([], names) => (format!("everything but {}", names.join(", ")), format!("全场（{}除外）", names.join("、"))),
        (names, _) => (names.join(", "), names.join("、")),
    }
}

/// "from 2025-01-02 to 2025-01-08" where it runs whole days, with the time and the zone otherwise.
fn when(wording: &Wording<'_>) -> (String, String) {
    let zone = jiff::tz::TimeZoneDatabase::bundled().get(wording.time_zone).unwrap_or(TimeZone::UTC);
    let local =
        |at: Micros| zone.to_datetime(Timestamp::from_microsecond(at).unwrap_or(if at < 0 { Timestamp::MIN } else { Timestamp::MAX }));
    let (start, end) = (local(wording.window.start), local(wording.window.end));
    let midnight = jiff::civil::Time::midnight();
    if (start.time(), end.time()) == (midnight, midnight) {
        // The last day inside is the one before the end.
        let last = end.date().yesterday().unwrap_or(end.date());
        return (format!("from {} to {last}", start.date()), format!("{}至{last}", start.date()));
    }
    let minute = |at: jiff::civil::DateTime| format!("{} {:02}:{:02}", at.date(), at.hour(), at.minute());
    let (start, end, name) = (minute(start), minute(end), wording.time_zone);
    (format!("from {start} to {end} ({name})"), format!("{start}至{end}（{name}）"))
}

fn percent(basis_points: u32) -> String {
    format!("{}", f64::from(basis_points) / 100.0)
}

fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or(String::new(), |first| first.to_uppercase().chain(letters).collect())
}

#[cfg(test)]
mod tests {
    use youhui_promotion::{SpendAndSave, Tier};

    use super::*;

    fn wording<'a>(effect: &'a Effect, scope: &'a Scope) -> Wording<'a> {
        Wording {
            effect,
            scope,
            minimum_spend: None,
            currency: "CNY".parse().unwrap(),
            product_name: "",
            // 2025-01-28 00:00 to 2025-02-04 00:00 in Shanghai.
            window: TimeWindow { start: 1_737_993_600_000_000, end: 1_738_598_400_000_000 },
            time_zone: "Asia/Shanghai",
            per_customer: 1,
            first_order: false,
            holiday: None,
        }
    }

    #[test]
    fn texts_say_the_exact_condition() {
        let save = SpendAndSave { tiers: vec![Tier { from: 5000, off: Off::Amount(500) }], ..SpendAndSave::default() }.into();
        let texts = texts(&wording(&save, &Scope::everything()));
        assert_eq!(&*texts["zh-CN"].title, "满¥50.00减¥5.00");
        assert_eq!(
            texts["en"].condition,
            "On everything: spend ¥50.00 save ¥5.00. The highest tier reached applies, once per order. Once per customer, from 2025-01-28 to 2025-02-03."
        );
        assert_eq!(
            texts["zh-CN"].condition,
            "全场满¥50.00减¥5.00，每单按达到的较高一档减一次。每位顾客限用1次，活动时间2025-01-28至2025-02-03。"
        );
    }

    #[test]
    fn a_window_within_days_names_its_clocks() {
        let off = youhui_promotion::PercentOff { basis_points: 1250, ..Default::default() }.into();
        let scope = Scope::everything();
        let odd = Wording { time_zone: "UTC", first_order: true, ..wording(&off, &scope) };
        assert_eq!(
            texts(&odd)["en"].condition,
            "12.5% off everything. On the first order only. Once per customer, from 2025-01-27 16:00 to 2025-02-03 16:00 (UTC)."
        );
        let hostile =
            Wording { window: TimeWindow { start: Micros::MIN, end: Micros::MAX }, time_zone: "Mars/Olympus", ..wording(&off, &scope) };
        assert!(texts(&hostile)["en"].condition.contains("from "));
    }
}
