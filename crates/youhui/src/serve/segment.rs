//! Segment's wire: what its libraries send, as our events.
//!
//! Of a message only what an event needs is taken: names, addresses and whatever else `traits` and `context` carry are read by
//! nobody and kept nowhere.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use youhui_commerce::{Currency, EventKind, Micros};
use youhui_privacy::Purpose;

/// One message of a batch, or the body of `/v1/track` and its like.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Message {
    #[serde(default)]
    r#type: Option<String>,
    #[serde(default)]
    event: Option<String>,
    #[serde(default)]
    message_id: Option<String>,
    #[serde(default)]
    pub(super) user_id: Option<Value>,
    #[serde(default)]
    pub(super) anonymous_id: Option<Value>,
    #[serde(default)]
    pub(super) previous_id: Option<Value>,
    #[serde(default)]
    timestamp: Option<String>,
    #[serde(default)]
    original_timestamp: Option<String>,
    #[serde(default)]
    sent_at: Option<String>,
    #[serde(default)]
    properties: Option<Map<String, Value>>,
    #[serde(default)]
    context: Option<Map<String, Value>>,
}

/// What is wrong with a message: the rule, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Rejection {
    pub(super) rule: &'static str,
    pub(super) detail: String,
}

impl Rejection {
    pub(super) fn without_detail(self) -> Self {
        Self { detail: "the message breaks this rule".to_owned(), ..self }
    }
}

fn reject<T>(rule: &'static str, detail: impl Into<String>) -> Result<T, Rejection> {
    Err(Rejection { rule, detail: detail.into() })
}

/// An event without its customer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Happened {
    pub(super) kind: EventKind,
    pub(super) time: Micros,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(super) product: Option<String>,
    pub(super) quantity: i64,
    /// Minor units: what the shop received, or paid back.
    pub(super) amount: i64,
    /// Minor units: what it gave away of the list price.
    #[serde(skip_serializing_if = "is_zero", default)]
    pub(super) discount: i64,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(super) order: Option<String>,
    /// Whether it is the first line of its order.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub(super) begins_order: bool,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(super) promotion: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(super) decision: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(super) rating: Option<i64>,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
const fn is_zero(amount: &i64) -> bool {
    *amount == 0
}

impl Happened {
    /// What the shop keeps of it, in minor units, where profit is this share of list prices.
    pub(super) fn profit(&self, margin: f64) -> f64 {
        let list = self.amount as f64 + self.discount as f64;
        match self.kind {
            EventKind::Order => self.amount as f64 - (1.0 - margin) * list,
            EventKind::Refund => (1.0 - margin) * list - self.amount as f64,
            _ => 0.0,
        }
    }
}

/// What a message says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Said {
    /// Its own identifier.
    pub(super) message: String,
    /// None for a kind of message that carries no event of ours.
    pub(super) happened: Vec<Happened>,
    /// `identify` and `alias`: the anonymous customer is the named one.
    pub(super) links: bool,
    /// What the message says the customer allows, and which notice they had read.
    pub(super) consent: Vec<(Purpose, bool)>,
    pub(super) notice: Option<String>,
    /// When.
    pub(super) time: Micros,
    /// When its sender's clock says it was.
    pub(super) claimed: Micros,
    /// It was said to be of the future; its time is now instead.
    pub(super) is_future: bool,
}

/// Longer identifiers are none.
const LONGEST: usize = 256;
/// Most lines of an order.
const MOST_LINES: usize = 1_000;
/// No amount is above this, in minor units.
const MOST_AMOUNT: f64 = 1e15;

/// Reads a message of this type (its own, where it says one) that was received at `now`.
pub(super) fn read(message: &Message, kind: Option<&str>, sent: Option<&str>, now: Micros, currency: Currency) -> Result<Said, Rejection> {
    let kind = match message.r#type.as_deref().or(kind) {
        Some(kind @ ("track" | "page" | "screen" | "identify" | "alias" | "group")) => kind,
        Some(other) => return reject("type", format!("{}: write track, page, screen, identify, alias or group", shown(other))),
        None => return reject("type", "a message needs a type"),
    };
    let Some(id) = message.message_id.as_deref().filter(|id| !id.is_empty() && id.len() <= LONGEST) else {
        return reject("messageId", format!("a message needs a messageId of 1 to {LONGEST} bytes, so that it counts once"));
    };
    let (told, claimed) = time(message, sent, now)?;
    // Nothing comes from the future, whatever a clock says.
    let time = told.min(now);
    let empty = Map::new();
    let properties = message.properties.as_ref().unwrap_or(&empty);
    let happened = match kind {
        "track" => track(message.event.as_deref(), properties, time, currency)?,
        "page" | "screen" => page(properties, time),
        _ => vec![],
    };
    let links = matches!(kind, "identify" | "alias");
    let (consent, notice) = consent(message.context.as_ref());
    Ok(Said { message: id.to_owned(), happened, links, consent, notice, time, claimed, is_future: told > now })
}

/// `context.consent.categoryPreferences`, as Segment's consent management sends it, by the names that are in use for our purposes; and
/// `context.consent.noticeVersion`.
fn consent(context: Option<&Map<String, Value>>) -> (Vec<(Purpose, bool)>, Option<String>) {
    let Some(consent) = context.and_then(|context| context.get("consent")) else { return (vec![], None) };
    let names: [(Purpose, &[&str]); 3] = [
        (Purpose::Personalisation, &["personalisation", "personalization"]),
        (Purpose::Learning, &["learning", "analytics"]),
        (Purpose::Sharing, &["sharing", "advertising"]),
    ];
    let preferences = consent.get("categoryPreferences").and_then(Value::as_object);
    let said = |(purpose, names): (Purpose, &[&str])| {
        let is_named = |(name, _): &(&String, &Value)| names.iter().any(|known| name.eq_ignore_ascii_case(known));
        // Of two words on one purpose the one that allows less.
        let words: Vec<bool> = preferences?.iter().filter(is_named).filter_map(|(_, value)| value.as_bool()).collect();
        (!words.is_empty()).then(|| (purpose, words.iter().all(|word| *word)))
    };
    let notice = consent.get("noticeVersion").and_then(identifier).filter(|notice| notice.len() <= 64);
    (names.into_iter().filter_map(said).collect(), notice)
}

/// When it happened on the server's clock: the sender's clock may be wrong, but not by how much time passed between the event
/// and its sending (Segment's rule).
fn time(message: &Message, sent: Option<&str>, now: Micros) -> Result<(Micros, Micros), Rejection> {
    let read = |name: &'static str, text: Option<&str>| match text.map(str::parse::<jiff::Timestamp>) {
        None => Ok(None),
        Some(Ok(time)) => Ok(Some(time.as_microsecond())),
        Some(Err(_)) => reject("time", format!("{name}: write a time as RFC 3339 does, such as 2026-11-11T00:00:00Z")),
    };
    let happened = read("originalTimestamp", message.original_timestamp.as_deref())?.or(read("timestamp", message.timestamp.as_deref())?);
    let sent = read("sentAt", message.sent_at.as_deref().or(sent))?;
    let time = match (happened, sent) {
        (Some(happened), Some(sent)) => now - sent.saturating_sub(happened).max(0),
        (Some(happened), None) => happened,
        (None, _) => now,
    };
    Ok((time, happened.unwrap_or(now)))
}

fn page(properties: &Map<String, Value>, time: Micros) -> Vec<Happened> {
    // A page view that names a product is a view of it.
    text(properties, &["product_id", "sku"])
        .map_or_else(Vec::new, |product| vec![Happened { product: Some(product), ..blank(EventKind::View, time) }])
}

fn blank(kind: EventKind, time: Micros) -> Happened {
    Happened {
        kind,
        time,
        product: None,
        quantity: 1,
        amount: 0,
        discount: 0,
        order: None,
        begins_order: false,
        promotion: None,
        decision: None,
        rating: None,
    }
}

/// Segment's e-commerce specification, version 2.
fn track(event: Option<&str>, properties: &Map<String, Value>, time: Micros, currency: Currency) -> Result<Vec<Happened>, Rejection> {
    let Some(event) = event else { return reject("event", "a track message needs the event's name") };
    if let Some(code) = properties.get("currency").and_then(Value::as_str)
        && !code.eq_ignore_ascii_case(currency.code())
    {
        return reject("currency", format!("{}: this shop's currency is {}; two currencies don't add", shown(code), currency.code()));
    }
    let one = |kind| line(kind, properties, time, currency);
    let happened = match event.to_lowercase().as_str() {
        "product viewed" | "product clicked" => vec![one(EventKind::View)?],
        "products searched" => vec![blank(EventKind::Search, time)],
        "product added" => vec![one(EventKind::Cart)?],
        "checkout started" => vec![blank(EventKind::Checkout, time)],
        "order completed" => order(EventKind::Order, properties, time, currency)?,
        "order refunded" => order(EventKind::Refund, properties, time, currency)?,
        "product reviewed" => {
            let rating = properties.get("rating").and_then(|rating| rating.as_i64().or_else(|| rating.as_str()?.trim().parse().ok()));
            vec![Happened { rating, ..one(EventKind::Review)? }]
        }
        "promotion viewed" => vec![promotion(EventKind::PromotionViewed, properties, time)?],
        "promotion clicked" => vec![promotion(EventKind::PromotionClicked, properties, time)?],
        "coupon applied" => {
            let Some(code) = text(properties, &["coupon_id", "coupon_name", "coupon"]) else {
                return reject("coupon_id", "a coupon that is applied needs its coupon_id");
            };
            vec![Happened { promotion: Some(code), ..blank(EventKind::CouponApplied, time) }]
        }
        // Whatever else a shop tracks is its own affair.
        _ => vec![],
    };
    let decision = text(properties, &["decision_id"]);
    let order_id = text(properties, &["order_id"]);
    Ok(happened
        .into_iter()
        .map(|happened| Happened { decision: decision.clone(), order: happened.order.clone().or_else(|| order_id.clone()), ..happened })
        .collect())
}

fn promotion(kind: EventKind, properties: &Map<String, Value>, time: Micros) -> Result<Happened, Rejection> {
    let Some(promotion) = text(properties, &["promotion_id", "promotionId"]) else {
        return reject("promotion_id", "a promotion that is seen or clicked needs its promotion_id");
    };
    Ok(Happened { promotion: Some(promotion), ..blank(kind, time) })
}

/// A product with its price and quantity.
fn line(kind: EventKind, properties: &Map<String, Value>, time: Micros, currency: Currency) -> Result<Happened, Rejection> {
    let Some(product) = text(properties, &["product_id", "sku"]) else {
        return reject("product_id", "a product needs its product_id or sku");
    };
    let quantity = match number(properties, "quantity")? {
        None => 1,
        Some(quantity) if quantity.fract() == 0.0 && (1.0..=1e9).contains(&quantity) => whole(quantity),
        Some(quantity) => return reject("quantity", format!("{quantity}: give a whole number from 1")),
    };
    let price = money(properties, "price", currency)?.unwrap_or(0);
    let discount = money(properties, "discount", currency)?.unwrap_or(0);
    let list = price.saturating_mul(quantity);
    let discount = discount.min(list);
    Ok(Happened { product: Some(product), quantity, amount: list - discount, discount, ..blank(kind, time) })
}

/// A line a product. Where the lines say no prices, the order's own total is on the first.
fn order(kind: EventKind, properties: &Map<String, Value>, time: Micros, currency: Currency) -> Result<Vec<Happened>, Rejection> {
    let Some(id) = text(properties, &["order_id"]) else { return reject("order_id", "an order needs its order_id") };
    let total = [money(properties, "revenue", currency)?, money(properties, "total", currency)?].into_iter().flatten().next();
    let products: &[Value] = properties.get("products").and_then(Value::as_array).map_or(&[], Vec::as_slice);
    if products.len() > MOST_LINES {
        return reject("products", format!("{} lines: at most {MOST_LINES} are read", products.len()));
    }
    let mut lines = Vec::with_capacity(products.len().max(1));
    for (place, product) in products.iter().enumerate() {
        let Some(product) = product.as_object() else { return reject("products", format!("line {place} is no object")) };
        lines.push(line(kind, product, time, currency)?);
    }
    if lines.is_empty() {
        lines.push(blank(kind, time));
    }
    if let Some(total) = total
        && lines.iter().all(|line| line.amount == 0)
    {
        lines[0].amount = total;
    }
    if let Some(discount) = money(properties, "discount", currency)? {
        share(discount, &mut lines);
    }
    lines[0].begins_order = kind == EventKind::Order;
    Ok(lines.into_iter().map(|line| Happened { order: Some(id.clone()), ..line }).collect())
}

/// Takes an order's discount off its lines in proportion; the parts sum to the whole.
fn share(discount: i64, lines: &mut [Happened]) {
    let total: i128 = lines.iter().map(|line| i128::from(line.amount)).sum();
    let discount = i128::from(discount).min(total);
    let (mut before, mut given) = (0, 0);
    for line in lines.iter_mut().filter(|line| line.amount > 0) {
        before += i128::from(line.amount);
        let part = discount * before / total - given;
        given += part;
        let part = i64::try_from(part).unwrap_or(0);
        line.amount -= part;
        line.discount += part;
    }
}

/// An amount in major units, as Segment's are, in minor ones.
fn money(properties: &Map<String, Value>, name: &'static str, currency: Currency) -> Result<Option<i64>, Rejection> {
    let Some(major) = number(properties, name)? else { return Ok(None) };
    let minor = (major * currency.minor_units() as f64).round();
    if !(0.0..=MOST_AMOUNT).contains(&minor) {
        return reject(name, format!("{major:?}: give an amount from 0, in units such as 19.99"));
    }
    Ok(Some(whole(minor)))
}

#[allow(clippy::cast_possible_truncation, reason = "the caller has checked that it is whole and in range")]
fn whole(number: f64) -> i64 {
    number as i64
}

fn number(properties: &Map<String, Value>, name: &'static str) -> Result<Option<f64>, Rejection> {
    let number = match properties.get(name) {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::Number(number)) => number.as_f64(),
        Some(Value::String(text)) => text.trim().parse().ok(),
        Some(_) => None,
    };
    match number.filter(|number: &f64| number.is_finite()) {
        Some(number) => Ok(Some(number)),
        None => reject(name, "give a number"),
    }
}

fn text(properties: &Map<String, Value>, names: &[&str]) -> Option<String> {
    names.iter().find_map(|name| identifier(properties.get(*name)?))
}

/// Text, or a number that somebody writes without quotes.
pub(super) fn identifier(value: &Value) -> Option<String> {
    let text = match value {
        Value::String(text) => text.trim().to_owned(),
        Value::Number(number) => number.to_string(),
        _ => return None,
    };
    (!text.is_empty() && text.len() <= LONGEST).then_some(text)
}

/// The start of something that may be long.
fn shown(text: &str) -> String {
    let short: String = text.chars().take(40).map(|letter| if letter.is_control() { '□' } else { letter }).collect();
    format!("{short:?}")
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    const NOW: Micros = 1_800_000_000_000_000;

    fn check(message: &str, expected: Expect) {
        let message: Message = serde_json::from_str(message).unwrap();
        let said = match read(&message, None, None, NOW, "EUR".parse().unwrap()) {
            Ok(Said { happened, links, consent, .. }) => {
                let lines: Vec<String> = happened.iter().map(|one| serde_json::to_string(one).unwrap()).collect();
                format!("{}links {links}, consent {consent:?}", lines.iter().map(|line| format!("{line}\n")).collect::<String>())
            }
            Err(Rejection { rule, detail }) => format!("{rule}: {detail}"),
        };
        expected.assert_eq(&said);
    }

    #[test]
    fn an_order_is_a_line_a_product() {
        check(
            r#"{"type": "track", "event": "Order Completed", "messageId": "1", "timestamp": "2026-11-28T00:00:00Z", "properties": {
                "order_id": 50, "currency": "eur", "revenue": 30, "products": [
                {"product_id": "tea", "price": "12.50", "quantity": 2, "discount": 1.25}, {"sku": "cup", "price": 4.99}]}}"#,
            expect![[r#"
                {"kind":"order","time":1795824000000000,"product":"tea","quantity":2,"amount":2375,"discount":125,"order":"50","begins_order":true}
                {"kind":"order","time":1795824000000000,"product":"cup","quantity":1,"amount":499,"order":"50"}
                links false, consent []"#]],
        );
        check(
            r#"{"type": "track", "event": "order completed", "messageId": "1", "properties": {"order_id": "o", "total": 19.99}}"#,
            expect![[r#"
                {"kind":"order","time":1800000000000000,"quantity":1,"amount":1999,"order":"o","begins_order":true}
                links false, consent []"#]],
        );
        check(
            r#"{"type": "track", "event": "Order Refunded", "messageId": "1", "properties": {"order_id": "o", "total": 5}}"#,
            expect![[r#"
                {"kind":"refund","time":1800000000000000,"quantity":1,"amount":500,"order":"o"}
                links false, consent []"#]],
        );
    }

    #[test]
    fn an_orders_discount_is_shared_by_its_lines() {
        check(
            r#"{"type": "track", "event": "Order Completed", "messageId": "1", "properties": {"order_id": "o", "discount": 1.00,
                "products": [{"sku": "a", "price": 1}, {"sku": "b", "price": 1}, {"sku": "c", "price": 1}, {"sku": "d", "price": 0}]}}"#,
            expect![[r#"
                {"kind":"order","time":1800000000000000,"product":"a","quantity":1,"amount":67,"discount":33,"order":"o","begins_order":true}
                {"kind":"order","time":1800000000000000,"product":"b","quantity":1,"amount":67,"discount":33,"order":"o"}
                {"kind":"order","time":1800000000000000,"product":"c","quantity":1,"amount":66,"discount":34,"order":"o"}
                {"kind":"order","time":1800000000000000,"product":"d","quantity":1,"amount":0,"order":"o"}
                links false, consent []"#]],
        );
    }

    #[test]
    fn a_clock_that_is_wrong_is_set_right() {
        // The sender's clock is a year ahead; it was sent five seconds after it happened.
        check(
            r#"{"type": "page", "messageId": "1", "originalTimestamp": "2028-01-15T08:00:00Z", "sentAt": "2028-01-15T08:00:05Z",
                "properties": {"product_id": "tea"}}"#,
            expect![[r#"
                {"kind":"view","time":1799999995000000,"product":"tea","quantity":1,"amount":0}
                links false, consent []"#]],
        );
        check(
            r#"{"type": "track", "event": "Checkout Started", "messageId": "1", "timestamp": "9999-01-01T00:00:00Z"}"#,
            expect![[r#"
                {"kind":"checkout","time":1800000000000000,"quantity":1,"amount":0}
                links false, consent []"#]],
        );
        check(
            r#"{"type": "page", "messageId": "1", "timestamp": "yesterday"}"#,
            expect!["time: timestamp: write a time as RFC 3339 does, such as 2026-11-11T00:00:00Z"],
        );
    }

    #[test]
    fn promotions_coupons_reviews_and_consent() {
        check(
            r#"{"type": "track", "event": "Promotion Clicked", "messageId": "1", "properties": {"promotion_id": "p", "decision_id": "d"}}"#,
            expect![[r#"
                {"kind":"promotion_clicked","time":1800000000000000,"quantity":1,"amount":0,"promotion":"p","decision":"d"}
                links false, consent []"#]],
        );
        check(
            r#"{"type": "track", "event": "Coupon Applied", "messageId": "1", "properties": {"coupon_id": "TEN", "order_id": "o"}}"#,
            expect![[r#"
                {"kind":"coupon_applied","time":1800000000000000,"quantity":1,"amount":0,"order":"o","promotion":"TEN"}
                links false, consent []"#]],
        );
        check(
            r#"{"type": "track", "event": "Product Reviewed", "messageId": "1", "properties": {"product_id": "tea", "rating": "4"}}"#,
            expect![[r#"
                {"kind":"review","time":1800000000000000,"product":"tea","quantity":1,"amount":0,"rating":4}
                links false, consent []"#]],
        );
        check(
            r#"{"type": "identify", "messageId": "1", "traits": {"email": "a@b.c"},
                "context": {"consent": {"categoryPreferences": {"Personalization": true}}}}"#,
            expect!["links true, consent [(Personalisation, true)]"],
        );
    }

    #[test]
    fn what_breaks_a_rule_is_told_which() {
        check(r#"{"type": "track", "messageId": "1"}"#, expect!["event: a track message needs the event's name"]);
        check(
            r#"{"type": "track", "event": "Product Added", "messageId": "1"}"#,
            expect!["product_id: a product needs its product_id or sku"],
        );
        check(
            r#"{"type": "track", "event": "Product Added", "messageId": "1", "properties": {"sku": "a", "quantity": 1.5}}"#,
            expect!["quantity: 1.5: give a whole number from 1"],
        );
        check(
            r#"{"type": "track", "event": "Product Added", "messageId": "1", "properties": {"sku": "a", "price": -1}}"#,
            expect!["price: -1.0: give an amount from 0, in units such as 19.99"],
        );
        check(
            r#"{"type": "track", "event": "Product Added", "messageId": "1", "properties": {"sku": "a", "price": 1e300}}"#,
            expect!["price: 1e300: give an amount from 0, in units such as 19.99"],
        );
    }
}
