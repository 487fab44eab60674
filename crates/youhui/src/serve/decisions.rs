//! Decisions out: what to show a customer, and why.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;
use std::time::Instant;

use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::IntoResponse;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use youhui_commerce::{Micros, SubjectId};
use youhui_decision::{Candidate, Decision, DecisionId, Facts, Filled, Kept, Mode, Place, Reason, Request, Snapshot, Unknown, decide};
use youhui_design::law::Disclosure;
use youhui_promotion::{Basket, Context, Priced, read_basket};

use super::collect::anonymous_name;
use super::offers::Live;
use super::problem::{Body, Code, Problem, object};
use super::state::{Shop, random};
use super::{access, segment, signal};
use crate::cli::now;

/// Most places of one request.
const MOST_PLACES: usize = 32;

/// What a request asks.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Ask {
    #[serde(default)]
    customer: Option<Customer>,
    #[serde(default = "web")]
    channel: String,
    placements: Vec<String>,
    #[serde(default)]
    basket: Option<Value>,
}

fn web() -> String {
    "web".to_owned()
}

/// Whoever it is about.
#[derive(Debug, Deserialize)]
#[serde(try_from = "Map<String, Value>")]
pub(super) struct Customer {
    user_id: Option<String>,
    anonymous_id: Option<String>,
}

impl TryFrom<Map<String, Value>> for Customer {
    type Error = String;

    fn try_from(map: Map<String, Value>) -> Result<Self, String> {
        let mut customer = Self { user_id: None, anonymous_id: None };
        for (name, value) in &map {
            let field = match name.as_str() {
                "user_id" => &mut customer.user_id,
                "anonymous_id" => &mut customer.anonymous_id,
                _ => return Err(format!("customer: there is user_id and anonymous_id, and no {name:?}")),
            };
            if !value.is_null() {
                *field =
                    Some(segment::identifier(value).ok_or_else(|| format!("customer: {name}: give text or a number of 1 to 256 bytes"))?);
            }
        }
        Ok(customer)
    }
}

/// The answer.
#[derive(Debug, Serialize)]
struct Answer<'a> {
    decision_id: String,
    time: String,
    snapshot: u64,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    opt_out_honoured: bool,
    placements: Vec<Shown<'a>>,
}

#[derive(Debug, Serialize)]
struct Shown<'a> {
    placement: &'a str,
    promotion_id: Option<&'a str>,
    campaign_id: Option<&'a str>,
    mode: Mode,
    reason: String,
    propensity: f64,
    /// The decision that still stands, where this is one shown before.
    #[serde(skip_serializing_if = "Option::is_none")]
    kept_from: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    texts: Option<&'a BTreeMap<String, Value>>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    disclosures: &'a [Disclosure],
    #[serde(skip_serializing_if = "Option::is_none")]
    price: Option<Priced>,
}

/// `POST /v1/decisions`
pub(super) async fn ask(State(shop): State<Arc<Shop>>, headers: HeaderMap, Body(body): Body) -> Result<axum::response::Response, Problem> {
    let start = Instant::now();
    access::for_decisions(&shop, &headers)?;
    let ask: Ask = object(&body, "Send {\"customer\": {\"user_id\": \"…\"}, \"placements\": [\"home\"]}")?;
    if ask.placements.is_empty() || ask.placements.len() > MOST_PLACES {
        return Err(Problem::at("/placements", format!("name 1 to {MOST_PLACES} places to fill")));
    }
    let basket = ask.basket.as_ref().map(read_ask_basket).transpose()?;
    let external = ask.customer.as_ref().and_then(external_id);
    let opts_out = signal::opts_out(&headers);
    if opts_out {
        // In effect though it could not be kept: then it is tried again with the next request, and counted (youhui_objections_unsaved).
        shop.object(external.as_deref(), now()).await.ok();
    }
    let live = shop.live.load();
    let asked = Asked { external, opts_out, channel: ask.channel, placements: ask.placements, time: now() };
    let (facts, decision) = make(&shop, &live, asked);
    let answer = answer(&live, &facts, &decision, basket.as_ref(), opts_out);
    let json = serde_json::to_vec(&answer).map_err(|error| Problem::new(Code::Invalid, error.to_string()))?;
    finish(&shop, &facts, &decision, start);
    Ok(([(axum::http::header::CONTENT_TYPE, "application/json")], json).into_response())
}

pub(super) fn read_ask_basket(value: &Value) -> Result<Basket, Problem> {
    let bytes = serde_json::to_vec(value).unwrap_or_default();
    read_basket(&bytes).map_err(|wrong| {
        let errors: Vec<(String, String)> = wrong.0.iter().map(|problem| ("/basket".to_owned(), problem.to_string())).collect();
        Problem { code: Code::Invalid, detail: "the basket breaks a rule".to_owned(), errors }
    })
}

/// How the vault knows the customer.
pub(super) fn external_id(customer: &Customer) -> Option<String> {
    customer.user_id.clone().or_else(|| customer.anonymous_id.as_deref().map(anonymous_name))
}

/// A request, understood.
pub(super) struct Asked {
    pub(super) external: Option<String>,
    pub(super) opts_out: bool,
    pub(super) channel: String,
    pub(super) placements: Vec<String>,
    pub(super) time: Micros,
}

/// Decides, and has what was decided stand.
pub(super) fn make(shop: &Shop, live: &Live, asked: Asked) -> (Facts, Decision) {
    let Asked { external, opts_out, channel, placements, time } = asked;
    let subject = external.as_deref().and_then(|external| shop.find(external));
    let is_stopped = shop.is_stopped();
    let places =
        placements.into_iter().map(|placement| if is_stopped { Place::empty(placement) } else { place(live, placement, &channel, time) });
    let mut places: Vec<Place> = places.collect();
    let profile = match subject {
        _ if opts_out => Err(Unknown::PrivacySignal),
        None => Err(Unknown::NoCustomer),
        Some(subject) => shop.customers.view(subject, time),
    };
    if let (Some(subject), Ok(_)) = (subject, &profile) {
        shop.predictions.fill(live, subject, &mut places);
    }
    let request = Request { decision: DecisionId::new(time, random()), time, channel, snapshot: live.snapshot.version, places };
    let facts = match profile {
        Ok(profile) => Facts::personal(request, profile),
        Err(why) => Facts::of_nobody(request, why),
    };
    let decision = decide(&live.snapshot, &facts);
    shop.pacing.see(live, &facts, &decision);
    if let Some(subject) = facts.subject() {
        stand(shop, live, subject, &decision, time);
    }
    (facts, decision)
}

fn place(live: &Live, placement: String, channel: &str, time: Micros) -> Place {
    let numbers = live.offered.of_placement(&placement).iter();
    let can = numbers.copied().filter(|&number| {
        live.snapshot.offers[number as usize].sells_through(channel) && live.offered.ready[number as usize].can_be_shown(time)
    });
    let candidates =
        can.map(|offer| Candidate { offer, predicted: None, budget_price: live.offered.ready[offer as usize].price() }).collect();
    Place { placement, candidates }
}

/// What was decided for this customer stands until the window is over.
fn stand(shop: &Shop, live: &Live, subject: SubjectId, decision: &Decision, time: Micros) {
    for filled in &decision.places {
        if filled.begins() {
            let kept = Kept { decision: decision.decision, offer: filled.offer, propensity: filled.propensity };
            shop.customers.stand(subject, &filled.placement, kept, time, time + live.offered.settings.window);
        }
    }
}

/// Logs the decision and counts it.
pub(super) fn finish(shop: &Shop, facts: &Facts, decision: &Decision, start: Instant) {
    // As a `Record` is read, without a copy of the facts.
    let logged = written_to_memory(&(facts, digest(decision)), |bytes| shop.decisions.record(facts.decision.0, bytes));
    let micros = u64::try_from(start.elapsed().as_micros()).unwrap_or(u64::MAX);
    shop.metrics.decision(micros, decision.places.iter().map(|filled| filled.mode), logged);
}

/// What is logged: what the decision was made of, and a digest of what it was.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Record {
    pub(crate) facts: Facts,
    pub(crate) digest: [u8; 16],
}

/// A decision's digest: of its bytes.
pub(crate) fn digest(decision: &Decision) -> [u8; 16] {
    let mut digest = [0; 16];
    digest.copy_from_slice(&written_to_memory(decision, blake3::hash).as_bytes()[..16]);
    digest
}

/// What it is as bytes, in memory that each thread has for that: decisions are made by the ten thousand a second.
fn written_to_memory<T: Serialize, R>(value: &T, then: impl FnOnce(&[u8]) -> R) -> R {
    thread_local! {
        static MEMORY: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
    }
    MEMORY.with_borrow_mut(|memory| {
        memory.clear();
        // Plain data: writing it to memory has no way to fail.
        let bytes = postcard::to_extend(value, std::mem::take(memory)).unwrap_or_default();
        let done = then(&bytes);
        *memory = bytes;
        done
    })
}

fn answer<'a>(live: &'a Live, facts: &Facts, decision: &'a Decision, basket: Option<&Basket>, opts_out: bool) -> Answer<'a> {
    let placements = decision.places.iter().map(|filled| shown(live, facts, filled, basket)).collect();
    Answer {
        decision_id: decision.decision.to_string(),
        time: written(facts.time),
        snapshot: decision.snapshot,
        opt_out_honoured: opts_out,
        placements,
    }
}

pub(super) fn written(time: Micros) -> String {
    jiff::Timestamp::from_microsecond(time).map_or_else(|_| time.to_string(), |time| time.to_string())
}

fn shown<'a>(live: &'a Live, facts: &Facts, filled: &'a Filled, basket: Option<&Basket>) -> Shown<'a> {
    let offer = filled.offer.map(|number| number as usize);
    let ready = offer.and_then(|number| live.offered.ready.get(number));
    let offer = offer.and_then(|number| live.snapshot.offers.get(number));
    let price = ready.zip(basket).and_then(|(ready, basket)| ready.set.price(basket, &Context::at(facts.time)).ok());
    let is_personal = offer.is_some() && filled.mode == Mode::Personalised;
    Shown {
        placement: &filled.placement,
        promotion_id: offer.map(|offer| offer.promotion_id.as_str()),
        campaign_id: offer.map(|offer| offer.campaign_id.as_str()),
        mode: filled.mode,
        reason: in_words(filled),
        propensity: filled.propensity,
        kept_from: filled.kept_from.map(|decision| decision.to_string()),
        texts: ready.map(|ready| &ready.texts),
        disclosures: if is_personal { &live.offered.disclosures } else { &[] },
        price,
    }
}

/// Why, in a sentence.
pub(super) fn in_words(filled: &Filled) -> String {
    let what = if filled.offer.is_some() { "it is" } else { "showing nothing is" };
    let probability = 100.0 * filled.propensity;
    match filled.reason {
        Reason::Best => {
            format!("{what} worth most to the shop for this customer, as far as is known; shown with probability {probability:.1} %")
        }
        Reason::Explored => format!("drawn to learn what {what} worth; shown with probability {probability:.1} %"),
        Reason::Kept => "decided a short while ago, and stands until its window is over".to_owned(),
        Reason::HeldOut => "nothing, by lot, so that the effect of everything can be measured".to_owned(),
        Reason::NoCandidate => "there is nothing to show here now".to_owned(),
        Reason::Unknown(why) => format!("what everybody sees: {}", words_of(why)),
    }
}

const fn words_of(why: Unknown) -> &'static str {
    match why {
        Unknown::NoCustomer => "the customer is not known",
        Unknown::NoConsent => "the customer did not consent to more",
        Unknown::Objection => "the customer objected to more",
        Unknown::PrivacySignal => "the browser's opt-out signal is honoured",
        Unknown::Minor => "the customer is a minor",
        Unknown::NoProfile => "there is no profile of the customer yet",
        Unknown::NoModel => "there is no model now",
        Unknown::Late => "the store did not answer in time",
    }
}

/// `GET /v1/decisions/{id}`: the decision, made again from what was logged.
pub(super) async fn explain(
    State(shop): State<Arc<Shop>>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<axum::Json<Explained>, Problem> {
    access::needs(&shop, &headers, access::Right::Explain)?;
    let unknown = || Problem::new(Code::NotFound, "no decision of that identifier is on record; one takes a moment to be written down");
    let wanted = DecisionId::parse(&id).ok_or_else(unknown)?;
    let record = find(&shop.database, wanted).await?.ok_or_else(unknown)?;
    let snapshot = snapshot_of(&shop.database, record.facts.snapshot).await?;
    Ok(axum::Json(Explained::of(record, &snapshot)))
}

/// The record of a decision.
pub(crate) async fn find(database: &youhui_storage::Live, wanted: DecisionId) -> Result<Option<Record>, youhui_storage::LiveError> {
    let records = database.decisions_near(wanted.0).await?;
    Ok(records.iter().filter_map(|bytes| postcard::from_bytes::<Record>(bytes).ok()).find(|record| record.facts.decision == wanted))
}

/// The snapshot of that version.
pub(crate) async fn snapshot_of(database: &youhui_storage::Live, version: u64) -> Result<Snapshot, youhui_storage::LiveError> {
    let bytes = database.snapshot(Some(version)).await?.unwrap_or_default();
    postcard::from_bytes(&bytes).map_err(|error| {
        youhui_storage::LiveError::Refused(format!("snapshot {version} can't be read ({error}): restore the database from a backup"))
    })
}

/// Snapshots by version, read once each.
pub(crate) struct Snapshots<'a> {
    database: &'a youhui_storage::Live,
    read: BTreeMap<u64, Snapshot>,
}

/// Snapshots kept in memory.
const MOST_SNAPSHOTS: usize = 256;

impl<'a> Snapshots<'a> {
    pub(crate) const fn new(database: &'a youhui_storage::Live) -> Self {
        Self { database, read: BTreeMap::new() }
    }

    pub(crate) async fn of(&mut self, version: u64) -> Result<&Snapshot, youhui_storage::LiveError> {
        // Decisions come in order: versions of long ago are not asked for again.
        if self.read.len() >= MOST_SNAPSHOTS && !self.read.contains_key(&version) {
            self.read.pop_first();
        }
        match self.read.entry(version) {
            Entry::Occupied(known) => Ok(known.into_mut()),
            Entry::Vacant(missing) => Ok(missing.insert(snapshot_of(self.database, version).await?)),
        }
    }
}

/// A decision with everything it was made of.
#[derive(Debug, Serialize)]
pub(crate) struct Explained {
    pub(crate) decision_id: String,
    pub(crate) time: String,
    pub(crate) facts: Facts,
    pub(crate) decision: Decision,
    /// Names of offers, in the order of their numbers.
    pub(crate) offers: Vec<String>,
    pub(crate) reasons: Vec<String>,
    /// Whether making it again gave the very bytes that were given then.
    pub(crate) replays: bool,
}

impl Explained {
    pub(crate) fn of(record: Record, snapshot: &Snapshot) -> Self {
        let decision = decide(snapshot, &record.facts);
        Self {
            decision_id: record.facts.decision.to_string(),
            time: written(record.facts.time),
            replays: digest(&decision) == record.digest,
            reasons: decision.places.iter().map(in_words).collect(),
            offers: snapshot.offers.iter().map(|offer| offer.promotion_id.clone()).collect(),
            facts: record.facts,
            decision,
        }
    }
}
