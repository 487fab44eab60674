//! Money safe: what a checkout is about to use is held, then used or given back.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use youhui_commerce::{Micros, SubjectId};
use youhui_decision::{mint, normalise};
use youhui_promotion::{Basket, Caps, Context, Name, Promotion, Promotions, Trigger, Usage};
use youhui_storage::{Hold, Outcome, Part, Reservation, State as Stage};

use super::access;
use super::audit::Said;
use super::decisions::{Customer, external_id, read_ask_basket, written};
use super::offers::Ready;
use super::problem::{Body, Code, Problem, object};
use super::state::{Shop, random};
use crate::cli::now;

const MINUTE: Micros = 60_000_000;
/// Longest that anything is held.
const LONGEST: u32 = 24 * 60;
/// Most codes minted at once.
const MOST_CODES: usize = 100_000;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Ask {
    promotion_id: String,
    #[serde(default)]
    customer: Option<Customer>,
    basket: Value,
    /// A code of its own that the customer typed.
    #[serde(default)]
    code: Option<String>,
    /// How long to hold it.
    #[serde(default = "half_an_hour")]
    minutes: u32,
}

const fn half_an_hour() -> u32 {
    30
}

/// A reservation as it is answered.
#[derive(Debug, Serialize)]
pub(super) struct Held {
    reservation_id: String,
    state: &'static str,
    expires: String,
    /// Held of each limit, or used.
    limits: BTreeMap<String, i64>,
    /// Off the basket, in minor units.
    amount: i64,
}

/// `POST /v1/reservations`
pub(super) async fn reserve(State(shop): State<Arc<Shop>>, headers: HeaderMap, Body(body): Body) -> Result<Response, Problem> {
    access::for_decisions(&shop, &headers)?;
    let id = idempotency_key(&headers)?;
    let ask: Ask = object(&body, "Send promotion_id, basket, and customer or code where the promotion has such limits")?;
    if ask.minutes == 0 || ask.minutes > LONGEST {
        return Err(Problem::at("/minutes", format!("{}: hold it for 1 to {LONGEST} minutes", ask.minutes)));
    }
    let request = blake3::hash(&body);
    let reused = || Problem::new(Code::KeyReused, "this Idempotency-Key stands for another request: choose a new one");
    if let Some(made) = shop.database.reservation(&id).await? {
        // The same call again gets the same answer.
        return if made.request == request.as_bytes() { Ok(created(held(&id, made))) } else { Err(reused()) };
    }
    let live = shop.live.load_full();
    let number = live.snapshot.find(&ask.promotion_id);
    let ready = number.and_then(|number| live.offered.ready.get(number));
    let ready = ready.ok_or_else(|| Problem::at("/promotion_id", format!("{} is not offered now", ask.promotion_id)))?;
    if shop.is_stopped() || !ready.is_on(now()) {
        return Err(Problem::new(Code::Conflict, format!("{} is stopped, or its time is not now", ask.promotion_id)));
    }
    let basket = read_ask_basket(&ask.basket)?;
    let subject = ask.customer.as_ref().and_then(external_id).and_then(|external| shop.find(&external));
    let code = ask.code.as_deref().map(normalise).transpose().map_err(|wrong| Problem::at("/code", wrong.to_string()))?;
    let time = now();
    let (parts, fresh, amount) = parts(&shop, ready, &basket, subject, code.as_deref(), time).await?;
    let expires = time + Micros::from(ask.minutes) * MINUTE;
    let hold = Hold { request: request.as_bytes(), amount, parts: &parts, fresh: &fresh, now: time, expires };
    match shop.database.reserve(&id, hold).await? {
        Outcome::Done(_) => Ok(created(shown(&shop, &id).await?)),
        Outcome::Other => Err(reused()),
        Outcome::NoLimit(name) if name.starts_with("code:") => Err(Problem::at("/code", "no such code was minted for this promotion")),
        Outcome::Full(name) | Outcome::NoLimit(name) => {
            Err(Problem::new(Code::LimitReached, format!("{}: nothing is left", public(&name))))
        }
        other => Err(Problem::new(Code::Conflict, format!("{other:?}"))),
    }
}

fn created(held: Held) -> Response {
    (StatusCode::CREATED, axum::Json(held)).into_response()
}

/// What the basket takes of which limits; limits of customers and days, which are made on the way; and the amount.
async fn parts(
    shop: &Shop,
    ready: &Ready,
    basket: &Basket,
    subject: Option<SubjectId>,
    code: Option<&str>,
    time: Micros,
) -> Result<(Vec<Part>, Vec<Part>, i64), Problem> {
    let promotion = ready.promotion();
    let own;
    let set = if code.is_some() {
        own = by_itself(promotion)?;
        &own
    } else {
        &ready.set
    };
    let mut context = Context::at(time);
    context.usage.insert(promotion.promotion_id.clone(), usage(shop, promotion).await?);
    let problem = |wrong: youhui_promotion::Wrong| Problem::at("/basket", wrong.to_string());
    let priced = set.price(basket, &context).map_err(problem)?;
    let applied = priced.applied.iter().find(|applied| applied.promotion_id == promotion.promotion_id);
    let Some(applied) = applied else {
        let why = priced.rejected.iter().find(|rejected| rejected.promotion_id.as_ref() == Some(&promotion.promotion_id));
        let why = why.map_or_else(|| "the basket does not earn it".to_owned(), |rejected| rejected.reason.in_words(basket.currency));
        return Err(Problem::new(Code::NotEarned, why));
    };
    let units = i64::try_from(applied.units.len()).unwrap_or(i64::MAX);
    let limits = &promotion.limits;
    let (mut parts, mut fresh) = (vec![], vec![]);
    let name = |what: &str| limit_name(promotion, what);
    let mut take = |what: String, most: Option<i64>, amount: i64, is_fresh: bool| {
        if let Some(most) = most {
            parts.push(Part { name: what.clone(), amount });
            if is_fresh {
                fresh.push(Part { name: what, amount: most });
            }
        }
    };
    let whole = |count: Option<u64>| count.map(|count| i64::try_from(count).unwrap_or(i64::MAX));
    take(name("uses"), whole(limits.total), 1, false);
    take(name("money"), limits.budget, applied.amount, false);
    take(name("units"), whole(limits.stock), units, false);
    let per_customer = limits.per_customer.or(limits.daily.per_customer).or(limits.units_per_customer);
    if let (Some(_), None) = (per_customer, subject) {
        return Err(Problem::at("/customer", "the promotion has a limit per customer: name a customer who was seen before"));
    }
    let Caps { per_customer, total, budget, stock } = limits.daily;
    let day = day(promotion, time);
    if let Some(subject) = subject {
        take(name(&format!("customer:{subject}:uses")), whole(limits.per_customer), 1, true);
        take(name(&format!("customer:{subject}:units")), whole(limits.units_per_customer), units, true);
        take(name(&format!("customer:{subject}:{day}:uses")), whole(per_customer), 1, true);
    }
    take(name(&format!("{day}:uses")), whole(total), 1, true);
    take(name(&format!("{day}:money")), budget, applied.amount, true);
    take(name(&format!("{day}:units")), whole(stock), units, true);
    if let Some(code) = code {
        parts.push(Part { name: code_name(promotion, code), amount: 1 });
    }
    Ok((parts, fresh, applied.amount))
}

/// The promotion, started by a code that was minted for one person instead of its own.
fn by_itself(promotion: &Promotion) -> Result<Promotions, Problem> {
    let alone = Promotion { trigger: Trigger::Automatic {}, ..promotion.clone() };
    Promotions::new(vec![alone]).map_err(|wrong| Problem::new(Code::Invalid, wrong.to_string()))
}

/// What is used of the promotion's own limits, so that the last basket of a budget gets what is left of it where it may.
async fn usage(shop: &Shop, promotion: &Promotion) -> Result<Usage, Problem> {
    let mut usage = Usage::default();
    if promotion.limits.budget.is_some()
        && let Some(used) = shop.database.used(&limit_name(promotion, "money")).await?
    {
        usage.spent = used.reserved + used.committed;
    }
    Ok(usage)
}

fn limit_name(promotion: &Promotion, what: &str) -> String {
    format!("promotion:{}:{what}", promotion.promotion_id)
}

fn code_name(promotion: &Promotion, code: &str) -> String {
    format!("code:{}:{code}", promotion.promotion_id)
}

/// A limit's name without whose it is.
fn public(name: &str) -> String {
    match (name.strip_prefix("code:"), name.contains(":customer:")) {
        (Some(_), _) => "this code is used".to_owned(),
        (None, true) => "this customer's limit of the promotion".to_owned(),
        (None, false) => name.to_owned(),
    }
}

/// The day on the promotion's own clock.
fn day(promotion: &Promotion, time: Micros) -> String {
    let zone = promotion.schedule.time_zone.as_ref().and_then(|name| jiff::tz::TimeZone::get(name).ok()).unwrap_or(jiff::tz::TimeZone::UTC);
    jiff::Timestamp::from_microsecond(time).map_or_else(|_| "never".to_owned(), |time| zone.to_datetime(time).date().to_string())
}

/// Limits of what is offered, made before anything is reserved. What is used already stays used.
pub(super) async fn make_limits(database: &youhui_storage::Live, ready: &[Arc<Ready>]) -> Result<Vec<String>, youhui_storage::LiveError> {
    let mut refused = vec![];
    for promotion in ready.iter().map(|ready| ready.promotion()) {
        let limits = &promotion.limits;
        let whole = |count: Option<u64>| count.map(|count| i64::try_from(count).unwrap_or(i64::MAX));
        for (what, most) in [("uses", whole(limits.total)), ("money", limits.budget), ("units", whole(limits.stock))] {
            if let Some(most) = most
                && !database.set_limit(&limit_name(promotion, what), most).await?
            {
                refused.push(format!("{}: {what}: more than {most} is used already: the old limit stays", promotion.promotion_id));
            }
        }
    }
    Ok(refused)
}

/// Whether nothing is left of one of the promotion's limits.
pub(super) async fn is_exhausted(database: &youhui_storage::Live, promotion: &Promotion) -> Result<bool, youhui_storage::LiveError> {
    let limits = &promotion.limits;
    for (what, has) in [("uses", limits.total.is_some()), ("money", limits.budget.is_some()), ("units", limits.stock.is_some())] {
        if has
            && let Some(used) = database.used(&limit_name(promotion, what)).await?
            && used.reserved + used.committed >= used.most
        {
            return Ok(true);
        }
    }
    Ok(false)
}

/// What is left of the promotion's budget, in minor units; nothing of one that has none.
pub(super) async fn money_left(database: &youhui_storage::Live, promotion: &Promotion) -> Result<i64, youhui_storage::LiveError> {
    let used = database.used(&limit_name(promotion, "money")).await?;
    Ok(used.map_or(0, |used| used.most - used.reserved - used.committed))
}

/// `POST /v1/reservations/{id}/commit`
pub(super) async fn commit(State(shop): State<Arc<Shop>>, Path(id): Path<String>, headers: HeaderMap) -> Result<Response, Problem> {
    access::for_decisions(&shop, &headers)?;
    let outcome = shop.database.commit(&id, &[], now()).await?;
    settled(&shop, &id, outcome).await
}

/// `POST /v1/reservations/{id}/release`
pub(super) async fn release(State(shop): State<Arc<Shop>>, Path(id): Path<String>, headers: HeaderMap) -> Result<Response, Problem> {
    access::for_decisions(&shop, &headers)?;
    let outcome = shop.database.release(&id).await?;
    settled(&shop, &id, outcome).await
}

/// `GET /v1/reservations/{id}`
pub(super) async fn show(State(shop): State<Arc<Shop>>, Path(id): Path<String>, headers: HeaderMap) -> Result<Response, Problem> {
    access::for_decisions(&shop, &headers)?;
    settled(&shop, &id, Outcome::Done(Stage::Reserved)).await
}

async fn settled(shop: &Shop, id: &str, outcome: Outcome) -> Result<Response, Problem> {
    match outcome {
        Outcome::Done(_) => Ok(axum::Json(shown(shop, id).await?).into_response()),
        Outcome::Settled(Stage::Released) => Err(Problem::new(Code::Conflict, "it was released, or its time has run out: reserve again")),
        Outcome::Settled(_) => Err(Problem::new(Code::Conflict, "it was committed: pay back with a refund instead")),
        Outcome::Unknown => Err(Problem::new(Code::NotFound, "no such reservation")),
        other => Err(Problem::new(Code::Conflict, format!("{other:?}"))),
    }
}

async fn shown(shop: &Shop, id: &str) -> Result<Held, Problem> {
    let reservation = shop.database.reservation(id).await?;
    reservation.map(|reservation| held(id, reservation)).ok_or_else(|| Problem::new(Code::NotFound, "no such reservation"))
}

fn held(id: &str, reservation: Reservation) -> Held {
    let Reservation { amount, state, expires, parts, .. } = reservation;
    let state = match state {
        Stage::Reserved => "reserved",
        Stage::Committed => "committed",
        Stage::Released => "released",
    };
    let limits = parts.into_iter().map(|part| (public(&part.name), part.amount)).collect();
    Held { reservation_id: id.to_owned(), state, expires: written(expires), limits, amount }
}

/// A reservation is named by the key its caller gives.
fn idempotency_key(headers: &HeaderMap) -> Result<String, Problem> {
    let key = headers.get("idempotency-key").and_then(|value| value.to_str().ok()).filter(|key| !key.is_empty() && key.len() <= 256);
    let missing = || {
        Problem::new(
            Code::NoKey,
            "send an Idempotency-Key of 1 to 256 bytes, another for each checkout: a call that is repeated then counts once",
        )
    };
    Ok(format!("r_{}", &blake3::hash(key.ok_or_else(missing)?.as_bytes()).to_hex()[..32]))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Mint {
    promotion_id: String,
    count: usize,
}

fn ten(bytes: &[u8]) -> [u8; 10] {
    let mut ten = [0; 10];
    ten.copy_from_slice(&bytes[..10]);
    ten
}

/// `POST /v1/codes`: codes that are each good once.
pub(super) async fn codes(State(shop): State<Arc<Shop>>, headers: HeaderMap, Body(body): Body) -> Result<Response, Problem> {
    let actor = access::needs(&shop, &headers, access::Right::Codes)?;
    let ask: Mint = object(&body, "Send promotion_id and count")?;
    if ask.count == 0 || ask.count > MOST_CODES {
        return Err(Problem::at("/count", format!("{}: mint 1 to {MOST_CODES} codes", ask.count)));
    }
    let live = shop.live.load_full();
    let ready = live.snapshot.find(&ask.promotion_id).and_then(|number| live.offered.ready.get(number));
    let ready = ready.ok_or_else(|| Problem::at("/promotion_id", format!("{} is not offered now", ask.promotion_id)))?;
    let named = headers.get("idempotency-key").is_some().then(|| idempotency_key(&headers)).transpose()?;
    let codes: Vec<String> = match &named {
        None => (0..ask.count).map(|_| mint(ten(&random()))).collect(),
        // The same call again gets the same codes: nobody else can tell them from random ones.
        Some(key) => {
            let secret = shop.secret_of(&format!("codes of {key} {} {}", ask.promotion_id, ask.count));
            (0..ask.count).map(|number| mint(ten(blake3::keyed_hash(&secret, &number.to_le_bytes()).as_bytes()))).collect()
        }
    };
    let limits: Vec<Part> = codes.iter().map(|code| Part { name: code_name(ready.promotion(), code), amount: 1 }).collect();
    shop.database.add_limits(&limits).await?;
    let name: &Name = &ready.promotion().promotion_id;
    let said = Said {
        actor: actor.0,
        action: "codes.mint".to_owned(),
        object: name.to_string(),
        after: Some(format!("{} codes", codes.len())),
        ..Said::default()
    };
    shop.audit.record(said).await.map_err(|error| Problem::new(Code::StoreFailed, error.message))?;
    Ok((StatusCode::CREATED, axum::Json(serde_json::json!({"promotion_id": name, "codes": codes}))).into_response())
}
