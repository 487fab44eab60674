//! Campaigns over HTTP: written, checked, approved by somebody else, scheduled, stopped. Each change stands in the audit log.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use youhui_commerce::Micros;
use youhui_decision::{Action, Campaign, Revision, State as Stage};
use youhui_storage::{Change, LiveError};

use super::access::{Actor, Right, needs};
use super::audit::Said;
use super::decisions::written;
use super::offers::{Part, Settings, Shelves, read_campaign};
use super::problem::{Body, Code, Problem, object};
use super::state::Shop;
use crate::cli::{Console, now};

/// Most campaigns of one answer.
const MOST: i64 = 200;
/// The switch that stops everything.
const STOP: &str = "stop";

/// A campaign as it is kept, with its revision in the database.
pub(super) struct Kept {
    pub(super) revision: i64,
    pub(super) campaign: Campaign,
}

impl Kept {
    fn read((revision, document): &(i64, Vec<u8>)) -> Result<Self, LiveError> {
        let damaged = |error| LiveError::Refused(format!("a campaign can't be read ({error}): restore the database from a backup"));
        Ok(Self { revision: *revision, campaign: postcard::from_bytes(document).map_err(damaged)? })
    }
}

/// A campaign as it is answered.
#[derive(Debug, Serialize)]
struct Shown<'a> {
    campaign_id: &'a str,
    state: &'static str,
    /// What counts; before approval, nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    approved: Option<ShownRevision<'a>>,
    /// What waits for approval, with what it would change.
    #[serde(skip_serializing_if = "Option::is_none")]
    pending: Option<ShownRevision<'a>>,
    starts: Option<String>,
    ends: Option<String>,
}

#[derive(Debug, Serialize)]
struct ShownRevision<'a> {
    number: u32,
    stage: youhui_decision::Stage,
    authors: Vec<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    submitted_by: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    approved_by: Option<&'a str>,
    document: Value,
    /// RFC 6902, from what counts to this.
    #[serde(skip_serializing_if = "Option::is_none")]
    diff: Option<json_patch::Patch>,
}

impl<'a> ShownRevision<'a> {
    fn of(revision: &'a Revision, before: Option<&Revision>) -> Self {
        let document = value(revision);
        Self {
            number: revision.number,
            stage: revision.stage,
            authors: revision.authors.iter().map(String::as_str).collect(),
            submitted_by: revision.submitted_by.as_deref(),
            approved_by: revision.approved_by.as_deref(),
            diff: before.map(|before| json_patch::diff(&value(before), &document)),
            document,
        }
    }
}

fn value(revision: &Revision) -> Value {
    serde_json::from_str(&revision.document).unwrap_or_default()
}

fn shown(campaign: &Campaign, now: Micros) -> Shown<'_> {
    let approved = campaign.approved.as_ref();
    Shown {
        campaign_id: &campaign.campaign_id,
        state: campaign.state(now).name(),
        approved: approved.map(|revision| ShownRevision::of(revision, None)),
        pending: campaign.pending.as_ref().map(|revision| ShownRevision::of(revision, approved)),
        starts: campaign.starts.map(written),
        ends: campaign.ends.map(written),
    }
}

fn answer(status: StatusCode, kept: &Kept) -> Response {
    let mut response = (status, axum::Json(shown(&kept.campaign, now()))).into_response();
    if let Ok(tag) = HeaderValue::from_str(&tag(kept.revision)) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    response
}

fn tag(revision: i64) -> String {
    format!("\"{revision}\"")
}

/// `POST /v1/campaigns`: a draft.
pub(super) async fn create(State(shop): State<Arc<Shop>>, headers: HeaderMap, Body(body): Body) -> Result<Response, Problem> {
    let actor = needs(&shop, &headers, Right::Write)?;
    let (id, document) = document(&body, None)?;
    if shop.base == id {
        return Err(Problem::at("/campaign_id", format!("{id}: the server was started with offers of that name: choose another")));
    }
    let campaign = Campaign::new(&id, document, &actor.0);
    let said = said(&actor, "create", None, &campaign, String::new());
    if !keep(&shop, &campaign, 0, said).await? {
        return Err(Problem::new(Code::Conflict, format!("there is a campaign {id} already: edit it with PUT /v1/campaigns/{id}")));
    }
    Ok(answer(StatusCode::CREATED, &Kept { revision: 1, campaign }))
}

/// A document as it was sent, once it is known to be one. Whether it keeps the rules is seen when it is checked.
fn document(body: &[u8], id: Option<&str>) -> Result<(String, String), Problem> {
    let value: Value = object(body, "Send a campaign: see docs/serving.md")?;
    if value.get("menu").is_some() {
        return Err(Problem::at(
            "/menu",
            "send a campaign: what youhui design printed is a menu of offers, of which its promotions are taken",
        ));
    }
    let found = match value.get("campaign_id") {
        None => id.unwrap_or_default(),
        Some(found) => found.as_str().unwrap_or_default(),
    };
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    if found.is_empty() || found.len() > 64 || !found.bytes().all(is_name) {
        return Err(Problem::at("/campaign_id", "give 1 to 64 letters, digits, - or _"));
    }
    if id.is_some_and(|id| id != found) {
        return Err(Problem::at(
            "/campaign_id",
            format!("{found}: this is campaign {}: leave the identifier as it is", id.unwrap_or_default()),
        ));
    }
    Ok((found.to_owned(), value.to_string()))
}

fn said(actor: &Actor, action: &str, before: Option<&Campaign>, after: &Campaign, reason: String) -> Said {
    // What it is, in short; a document by its hash, for it can be long.
    let told = |campaign: &Campaign| {
        let revision = |revision: &Option<Revision>| {
            revision.as_ref().map(|one| json!({"number": one.number, "blake3": blake3::hash(one.document.as_bytes()).to_hex().as_str()}))
        };
        let state = campaign.state(now()).name();
        json!({"state": state, "approved": revision(&campaign.approved), "pending": revision(&campaign.pending)}).to_string()
    };
    Said {
        actor: actor.0.clone(),
        action: format!("campaign.{action}"),
        object: after.campaign_id.clone(),
        before: before.map(told),
        after: Some(told(after)),
        reason,
    }
}

async fn keep(shop: &Shop, campaign: &Campaign, after: i64, said: Said) -> Result<bool, Problem> {
    // Plain data, written to memory.
    let document = postcard::to_stdvec(campaign).unwrap_or_default();
    let change = Change::Campaign { id: &campaign.campaign_id, after, document: &document };
    shop.audit.change(change, said).await.map_err(|error| Problem::new(Code::StoreFailed, error.message))
}

#[derive(Debug, Deserialize)]
pub(super) struct Page {
    #[serde(default)]
    after: String,
    limit: Option<i64>,
}

impl<S: Send + Sync> axum::extract::FromRequestParts<S> for Page {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut axum::http::request::Parts, state: &S) -> Result<Self, Problem> {
        let query = Query::<Self>::from_request_parts(parts, state).await;
        query
            .map(|Query(page)| page)
            .map_err(|rejection| Problem::at("/limit", format!("{}. Send after and limit, once each", rejection.body_text())))
    }
}

impl Page {
    fn limit(&self) -> Result<i64, Problem> {
        let limit = self.limit.unwrap_or(50);
        if (1..=MOST).contains(&limit) { Ok(limit) } else { Err(Problem::at("/limit", format!("{limit}: ask for 1 to {MOST} at once"))) }
    }
}

/// `GET /v1/campaigns`: in the order of identifiers; `next` is where the next page begins.
pub(super) async fn list(State(shop): State<Arc<Shop>>, headers: HeaderMap, page: Page) -> Result<Response, Problem> {
    needs(&shop, &headers, Right::Read)?;
    let limit = page.limit()?;
    let rows = shop.database.campaigns(&page.after, limit).await?;
    let kept = rows.iter().map(Kept::read).collect::<Result<Vec<_>, _>>()?;
    let is_full = i64::try_from(kept.len()) == Ok(limit);
    let next = kept.last().filter(|_| is_full).map(|kept| &kept.campaign.campaign_id);
    let line = |kept: &Kept| {
        let campaign = &kept.campaign;
        json!({
            "campaign_id": campaign.campaign_id, "state": campaign.state(now()).name(), "has_pending": campaign.pending.is_some(),
            "starts": campaign.starts.map(written), "ends": campaign.ends.map(written),
        })
    };
    let lines: Vec<Value> = kept.iter().map(line).collect();
    Ok(axum::Json(json!({"campaigns": lines, "next": next})).into_response())
}

/// `GET /v1/campaigns/{id}`
pub(super) async fn show(State(shop): State<Arc<Shop>>, Path(id): Path<String>, headers: HeaderMap) -> Result<Response, Problem> {
    needs(&shop, &headers, Right::Read)?;
    Ok(answer(StatusCode::OK, &find(&shop, &id).await?))
}

async fn find(shop: &Shop, id: &str) -> Result<Kept, Problem> {
    let row = shop.database.campaign(id).await?;
    row.as_ref().map(Kept::read).transpose()?.ok_or_else(|| Problem::new(Code::NotFound, "there is no such campaign"))
}

/// `PUT /v1/campaigns/{id}`: another document, pending where one counts already.
pub(super) async fn edit(
    State(shop): State<Arc<Shop>>,
    Path(id): Path<String>,
    headers: HeaderMap,
    Body(body): Body,
) -> Result<Response, Problem> {
    let actor = needs(&shop, &headers, Right::Write)?;
    let (_, document) = document(&body, Some(&id))?;
    let kept = find(&shop, &id).await?;
    act(&shop, kept, &headers, &actor, Action::Edit { document }, String::new()).await
}

/// What an action may be sent with.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Details {
    #[serde(default)]
    reason: String,
    starts: Option<jiff::Timestamp>,
    ends: Option<jiff::Timestamp>,
}

impl Details {
    fn read(body: &[u8]) -> Result<Self, Problem> {
        if body.is_empty() {
            return Ok(Self::default());
        }
        let details: Self = object(body, "Send reason, and to schedule a campaign starts and ends, such as 2026-12-01T00:00:00Z")?;
        if details.reason.len() > 2000 {
            return Err(Problem::at("/reason", "write at most 2,000 bytes"));
        }
        Ok(details)
    }
}

/// `POST /v1/campaigns/{id}/{action}`
pub(super) async fn step(
    State(shop): State<Arc<Shop>>,
    Path((id, name)): Path<(String, String)>,
    headers: HeaderMap,
    Body(body): Body,
) -> Result<Response, Problem> {
    let right = match name.as_str() {
        "check" | "submit" | "discard" | "schedule" | "resume" => Right::Write,
        "approve" | "reject" => Right::Approve,
        "pause" | "end" => Right::Stop,
        "dry-run" => Right::Read,
        _ => {
            return Err(Problem::new(
                Code::NotFound,
                "there is check, submit, approve, reject, discard, schedule, pause, resume, end and dry-run",
            ));
        }
    };
    let actor = needs(&shop, &headers, right)?;
    let details = Details::read(&body)?;
    // Whoever approves says what they have read: it may have been written anew since.
    let wanted = headers.get(header::IF_MATCH).filter(|tag| tag.as_bytes() != b"*");
    if name == "approve" && wanted.is_none() {
        return Err(Problem::new(Code::NoMatch, "send If-Match with the ETag of the campaign as you read it"));
    }
    let kept = find(&shop, &id).await?;
    if name == "dry-run" {
        let part = part_of(&shop, &kept.campaign, true).await?;
        return Ok(axum::Json(super::dry_run::dry_run(&shop, part).await?).into_response());
    }
    // What is approved has to keep the rules as they are now, not only when it was checked.
    if name == "check" || name == "approve" {
        let part = part_of(&shop, &kept.campaign, true).await?;
        is_free(&shop, &part).await?;
    }
    let micros = |time: jiff::Timestamp| time.as_microsecond();
    let action = match name.as_str() {
        "check" => Action::Check,
        "submit" => Action::Submit,
        "approve" => Action::Approve,
        "reject" => Action::Reject,
        "discard" => Action::Discard,
        "schedule" => Action::Schedule { starts: details.starts.map_or_else(now, micros), ends: details.ends.map(micros) },
        "pause" => Action::Pause,
        "resume" => Action::Resume,
        _ => Action::End,
    };
    act(&shop, kept, &headers, &actor, action, details.reason).await
}

/// Has somebody act on the campaign as it was read: what was checked is what counts, whoever edits it meanwhile.
async fn act(
    shop: &Arc<Shop>,
    kept: Kept,
    headers: &HeaderMap,
    actor: &Actor,
    action: Action,
    reason: String,
) -> Result<Response, Problem> {
    let wanted = headers.get(header::IF_MATCH).and_then(|value| value.to_str().ok());
    if wanted.is_some_and(|wanted| wanted != "*" && !wanted.split(',').any(|one| one.trim() == tag(kept.revision))) {
        return Err(Problem::new(Code::Stale, format!("the campaign is {} by now: read it again", tag(kept.revision))));
    }
    let name = action.name();
    let next = kept.campaign.after(action, &actor.0, now()).map_err(|refused| Problem::new(Code::Conflict, refused.to_string()))?;
    let said = said(actor, name, Some(&kept.campaign), &next, reason);
    if !keep(shop, &next, kept.revision, said).await? {
        return Err(Problem::new(Code::Stale, "somebody else changed the campaign meanwhile: read it again"));
    }
    // This server at once, the others within a moment.
    shop.generation.fetch_add(1, Ordering::SeqCst);
    withdraw(shop, &next);
    shop.changes.notify_one();
    Ok(answer(StatusCode::OK, &Kept { revision: kept.revision + 1, campaign: next }))
}

/// A campaign's offers: of what is pending, or of what counts.
async fn part_of(shop: &Arc<Shop>, campaign: &Campaign, pending: bool) -> Result<Part, Problem> {
    let revision = if pending { campaign.pending.as_ref().or(campaign.approved.as_ref()) } else { campaign.approved.as_ref() };
    let document = revision.map(|revision| revision.document.clone()).unwrap_or_default();
    let (shop, live, id) = (Arc::clone(shop), (Micros::MIN, Micros::MAX), campaign.campaign_id.clone());
    // Prices of an imported store are read from disk.
    let read = tokio::task::spawn_blocking(move || {
        read_campaign(&document, &id, &shop.live.load().offered.settings, live, &Shelves::of(&shop.folder))
    });
    let part = read.await.map_err(|_| Problem::new(Code::Overloaded, "the server is shutting down"))?;
    part.map_err(|wrong| {
        let errors = wrong.lines().map(|line| line.split_once(": ").unwrap_or(("", line)));
        let errors = errors.map(|(pointer, detail)| (pointer.to_owned(), detail.to_owned())).collect();
        Problem { code: Code::Invalid, detail: format!("the campaign breaks a rule: {wrong}"), errors }
    })
}

/// Whether no other campaign has one of its promotions, whether it is live by now or not, nor what the server was started with.
async fn is_free(shop: &Shop, part: &Part) -> Result<(), Problem> {
    let taken = |id: &str| Err(Problem::at("/offers", format!("another campaign has a promotion {id}: give this one another identifier")));
    let ours = |id: &str| part.offers.iter().any(|offer| offer.promotion_id == id);
    let known = shop.live.load_full();
    if let Some(offer) = known.snapshot.offers.iter().find(|known| known.campaign_id != part.campaign_id && ours(&known.promotion_id)) {
        return taken(&offer.promotion_id);
    }
    let mut after = String::new();
    loop {
        let rows = shop.database.campaigns(&after, MOST).await?;
        let Some(last) = rows.last() else { return Ok(()) };
        after = Kept::read(last)?.campaign.campaign_id;
        for row in &rows {
            let other = Kept::read(row)?.campaign;
            if other.campaign_id == part.campaign_id || other.state(now()) == Stage::Ended {
                continue;
            }
            let documents: Vec<Value> = other.approved.iter().map(value).collect();
            let offers = documents.iter().filter_map(|document| document["offers"].as_array()).flatten();
            if let Some(id) = offers.filter_map(|offer| offer["promotion"]["promotion_id"].as_str()).find(|id| ours(id)) {
                return taken(id);
            }
        }
    }
}

/// Stops showing what its campaign does not offer any more, before anything else is done.
fn withdraw(shop: &Shop, campaign: &Campaign) {
    let runs = matches!(campaign.state(now()), Stage::Scheduled | Stage::Live);
    let live = shop.live.load();
    for (offer, ready) in live.snapshot.offers.iter().zip(&live.offered.ready) {
        if offer.campaign_id == campaign.campaign_id && !runs {
            ready.withdrawn.store(true, Ordering::Relaxed);
        }
    }
}

/// Reads what was changed, by whichever server: keys, the switch, and the campaigns that are on. What was started with comes first.
pub(super) async fn reload(shop: &Shop, settings: &Settings, base: &Part, console: Console) -> Result<Vec<Part>, LiveError> {
    super::erasure::forget_others(shop);
    shop.keys.store(Arc::new(shop.given.with(&shop.database.api_keys().await?)));
    let generation = shop.generation.load(Ordering::SeqCst);
    let is_stopped = shop.database.setting(STOP).await?.is_some_and(|content| !content.is_empty());
    // What somebody did here meanwhile counts more than what was read before.
    if shop.generation.load(Ordering::SeqCst) == generation {
        shop.stopped.store(is_stopped, Ordering::Relaxed);
    }
    let shelves = Shelves::of(&shop.folder);
    let (mut parts, mut after) = (vec![base.clone()], String::new());
    loop {
        let rows = shop.database.campaigns(&after, MOST).await?;
        let Some(last) = rows.last() else { return Ok(parts) };
        after = Kept::read(last)?.campaign.campaign_id;
        for row in &rows {
            let campaign = Kept::read(row)?.campaign;
            withdraw(shop, &campaign);
            let (Stage::Scheduled | Stage::Live, Some(approved), Some(starts)) =
                (campaign.state(now()), &campaign.approved, campaign.starts)
            else {
                continue;
            };
            let live = (starts, campaign.ends.unwrap_or(Micros::MAX));
            let read = tokio::task::block_in_place(|| read_campaign(&approved.document, &campaign.campaign_id, settings, live, &shelves));
            match read {
                Ok(part) => parts.push(part),
                Err(wrong) => console.say(&format!("campaign {} is not offered: {wrong}", campaign.campaign_id)),
            }
        }
    }
}

/// `GET /v1/stop`
pub(super) async fn stopped(State(shop): State<Arc<Shop>>, headers: HeaderMap) -> Result<Response, Problem> {
    needs(&shop, &headers, Right::Read)?;
    Ok(axum::Json(json!({"stopped": shop.is_stopped()})).into_response())
}

/// `POST /v1/stop`: nothing is offered any more, and nothing can be reserved.
pub(super) async fn stop(State(shop): State<Arc<Shop>>, headers: HeaderMap, Body(body): Body) -> Result<Response, Problem> {
    turn(&shop, &headers, &body, true).await
}

/// `DELETE /v1/stop`: on again. That takes somebody who may approve.
pub(super) async fn go_on(State(shop): State<Arc<Shop>>, headers: HeaderMap, Body(body): Body) -> Result<Response, Problem> {
    turn(&shop, &headers, &body, false).await
}

async fn turn(shop: &Arc<Shop>, headers: &HeaderMap, body: &[u8], stop: bool) -> Result<Response, Problem> {
    let actor = needs(shop, headers, if stop { Right::Stop } else { Right::Approve })?;
    let Details { reason, .. } = Details::read(body)?;
    shop.generation.fetch_add(1, Ordering::SeqCst);
    if stop {
        // In effect at once, whatever becomes of the database.
        shop.stopped_here.store(true, Ordering::Relaxed);
    }
    let told = |stopped: bool| Some(if stopped { "stopped" } else { "on" }.to_owned());
    let action = if stop { "shop.stop" } else { "shop.go_on" };
    let said =
        Said { actor: actor.0, action: action.to_owned(), object: "shop".to_owned(), before: told(!stop), after: told(stop), reason };
    let change = Change::Setting { name: STOP, content: if stop { "stopped" } else { "" } };
    shop.audit.change(change, said).await.map_err(|error| Problem::new(Code::StoreFailed, error.message))?;
    shop.generation.fetch_add(1, Ordering::SeqCst);
    shop.stopped.store(stop, Ordering::Relaxed);
    shop.stopped_here.store(false, Ordering::Relaxed);
    shop.changes.notify_one();
    Ok(axum::Json(json!({"stopped": stop})).into_response())
}

/// `GET /v1/audit`: rows of the audit log, from one on.
pub(super) async fn audit(State(shop): State<Arc<Shop>>, headers: HeaderMap, page: Page) -> Result<Response, Problem> {
    needs(&shop, &headers, Right::Read)?;
    let limit = usize::try_from(page.limit()?).unwrap_or(1);
    let after = if page.after.is_empty() { Ok(0) } else { page.after.parse::<i64>() };
    let after = after.map_err(|_| Problem::at("/after", format!("{}: give the number of a row", page.after)))?;
    let rows = shop.database.audit_after(after).await?;
    let rows: Vec<_> =
        rows.iter().filter_map(|(_, bytes)| postcard::from_bytes::<youhui_privacy::audit::Row>(bytes).ok()).take(limit).collect();
    let next = rows.last().filter(|_| rows.len() == limit).map(|row| row.number.to_string());
    let line = |row: &youhui_privacy::audit::Row| {
        let youhui_privacy::audit::Change { time, actor, action, object, before, after, reason } = &row.change;
        json!({"number": row.number, "time": written(*time), "actor": actor, "action": action, "object": object, "before": before, "after": after, "reason": reason})
    };
    Ok(axum::Json(json!({"rows": rows.iter().map(line).collect::<Vec<_>>(), "next": next})).into_response())
}
