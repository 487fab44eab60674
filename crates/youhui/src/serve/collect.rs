//! Events in: Segment's endpoints.

use std::sync::{Arc, PoisonError};

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use youhui_commerce::SubjectId;
use youhui_privacy::{Purpose, Standing};

use super::problem::{Body, Problem, object};
use super::segment::{self, Message, Rejection, Said};
use super::state::{Entry, MOST_LINES, MessageId, Shop};
use super::{access, signal};
use crate::cli::now;

/// Most messages of a batch.
const MOST: usize = 10_000;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Batch<'a> {
    #[serde(borrow)]
    batch: Vec<&'a RawValue>,
    #[serde(default)]
    sent_at: Option<String>,
    #[serde(default)]
    write_key: Option<String>,
}

/// What became of a batch.
#[derive(Debug, Serialize)]
struct Taken {
    success: bool,
    accepted: usize,
    duplicates: usize,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    rejected: Vec<Rejected>,
    /// An opt-out signal came with the request and was honoured.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    opt_out_honoured: bool,
}

#[derive(Debug, Serialize)]
struct Rejected {
    index: usize,
    #[serde(flatten)]
    why: Rejection,
}

/// `POST /v1/batch`, and `/v1/import`, which is the same.
pub(super) async fn batch(State(shop): State<Arc<Shop>>, headers: HeaderMap, Body(body): Body) -> Result<Response, Problem> {
    let batch: Batch<'_> = object(&body, "Send {\"batch\": [messages]} as Segment's libraries do")?;
    access::for_events(&shop, &headers, batch.write_key.as_deref())?;
    if batch.batch.len() > MOST {
        return Err(Problem::at("/batch", format!("{} messages: send at most {MOST} at once", batch.batch.len())));
    }
    take(&shop, &headers, &batch.batch, None, batch.sent_at.as_deref()).await
}

pub(super) async fn track(state: State<Arc<Shop>>, headers: HeaderMap, Body(body): Body) -> Result<Response, Problem> {
    single(state, headers, &body, "track").await
}

pub(super) async fn identify(state: State<Arc<Shop>>, headers: HeaderMap, Body(body): Body) -> Result<Response, Problem> {
    single(state, headers, &body, "identify").await
}

pub(super) async fn page(state: State<Arc<Shop>>, headers: HeaderMap, Body(body): Body) -> Result<Response, Problem> {
    single(state, headers, &body, "page").await
}

pub(super) async fn screen(state: State<Arc<Shop>>, headers: HeaderMap, Body(body): Body) -> Result<Response, Problem> {
    single(state, headers, &body, "screen").await
}

pub(super) async fn group(state: State<Arc<Shop>>, headers: HeaderMap, Body(body): Body) -> Result<Response, Problem> {
    single(state, headers, &body, "group").await
}

pub(super) async fn alias(state: State<Arc<Shop>>, headers: HeaderMap, Body(body): Body) -> Result<Response, Problem> {
    single(state, headers, &body, "alias").await
}

async fn single(State(shop): State<Arc<Shop>>, headers: HeaderMap, body: &[u8], kind: &str) -> Result<Response, Problem> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Key {
        #[serde(default)]
        write_key: Option<String>,
    }
    const REMEDY: &str = "Send one message as Segment's libraries do";
    let key: Key = object(body, REMEDY)?;
    access::for_events(&shop, &headers, key.write_key.as_deref())?;
    let message: &RawValue = object(body, REMEDY)?;
    take(&shop, &headers, &[message], Some(kind), None).await
}

/// Keeps what is right of these messages and says what is not. What is wrong with one doesn't keep out the others.
async fn take(
    shop: &Arc<Shop>,
    headers: &HeaderMap,
    messages: &[&RawValue],
    kind: Option<&str>,
    sent: Option<&str>,
) -> Result<Response, Problem> {
    let now = now();
    let opts_out = signal::opts_out(headers);
    let (mut entries, mut rejected, mut duplicates, mut accepted) = (Vec::with_capacity(messages.len()), vec![], 0, 0);
    for (index, raw) in messages.iter().enumerate() {
        let why = match read(shop, raw, kind, sent, now) {
            Ok((_, said)) if is_long(&said) => Rejection {
                rule: "message",
                detail: format!("its lines have too many bytes: {} KiB of the log are one message's", MOST_LINES >> 10),
            },
            Ok((who, said)) if shop.is_new(shop.message_id(&said.message)) => {
                accepted += 1;
                let message = shop.message_id(&said.message);
                match who {
                    Some(who) => {
                        if opts_out && (!shop.customers.objects(who.subject) || shop.is_unsaved(who.subject)) {
                            entries.push(Entry::Objection { message, subject: who.subject, time: now, objects: true });
                        }
                        enter(message, said, &who, &mut entries);
                    }
                    // Whoever asks with a key that stands in a web page is not told who was erased.
                    None => entries.push(Entry::Empty { message }),
                }
                continue;
            }
            Ok(_) => {
                duplicates += 1;
                continue;
            }
            Err(why) => why,
        };
        rejected.push(Rejected { index, why });
    }
    shop.metrics.events(accepted, duplicates, rejected.len());
    let kept = rejected.iter().map(|one| (one.why.rule.to_owned(), one.why.detail.clone())).collect();
    shop.keep(entries, kept, now).await?;
    let taken = Taken { success: true, accepted, duplicates, rejected, opt_out_honoured: opts_out };
    Ok(axum::Json(taken).into_response())
}

/// Whether it makes more of the log than a message of a stream holds.
fn is_long(said: &Said) -> bool {
    // Names are of 256 bytes at most: few lines can't.
    said.happened.len() > 64
        && said.happened.iter().map(|what| serde_json::to_vec(what).map_or(0, |bytes| bytes.len() + 100)).sum::<usize>() > MOST_LINES
}

/// Who a message is of: the customer, and who they were before they said so.
struct Who {
    subject: SubjectId,
    before: Option<SubjectId>,
}

/// What a message says, and of whom; of nobody, where the customer was erased.
fn read(shop: &Shop, raw: &RawValue, kind: Option<&str>, sent: Option<&str>, now: i64) -> Result<(Option<Who>, Said), Rejection> {
    if !raw.get().starts_with('{') {
        return Err(Rejection { rule: "message", detail: "not a message: write a JSON object".to_owned() });
    }
    let message: Message =
        serde_json::from_str(raw.get()).map_err(|error| Rejection { rule: "message", detail: format!("not a message: {error}") })?;
    let id = |value: &Option<serde_json::Value>| value.as_ref().and_then(segment::identifier);
    let (user, anonymous) = (id(&message.user_id), id(&message.anonymous_id).or_else(|| id(&message.previous_id)));
    let said = segment::read(&message, kind, sent, now, shop.currency).map_err(|why| {
        let of_device = anonymous.as_deref().map(anonymous_name);
        // Why is kept, and may quote the message: not of whoever was erased.
        if [&user, &of_device].into_iter().flatten().any(|id| shop.standing(id) != Standing::Known) { why.without_detail() } else { why }
    })?;
    // Whoever was erased stays so; another may use their device.
    let Some(user) = taken_in(shop, user, &said, now) else { return Ok((None, said)) };
    let device = taken_in(shop, anonymous.map(|anonymous| anonymous_name(&anonymous)), &said, now);
    let is_of_an_erased_device = device.is_none();
    let anonymous = device.flatten();
    let mut identities = shop.identities.write().unwrap_or_else(PoisonError::into_inner);
    // Once more, under the lock that an erasure has: it may have come between.
    let is_erased = |id: &Option<String>| id.as_deref().is_some_and(|id| shop.standing(id) == Standing::Erased);
    if is_erased(&user) || is_erased(&anonymous) {
        return Ok((None, said));
    }
    let nameless = anonymous.as_ref().map(|anonymous| identities.resolve(anonymous));
    match (user.map(|user| identities.resolve(&user)), nameless) {
        (Some(subject), before) => Ok((Some(Who { subject, before: before.filter(|_| said.links) }), said)),
        (None, Some(nameless)) => Ok((Some(Who { subject: identities.by_name(nameless), before: None }), said)),
        (None, None) if is_of_an_erased_device => Ok((None, said)),
        (None, None) => {
            let detail = "a message needs a userId or an anonymousId of 1 to 256 bytes".to_owned();
            Err(Rejection { rule: "userId", detail })
        }
    }
}

/// Anonymous identifiers are apart from those of customers: one of each may look alike.
pub(super) fn anonymous_name(anonymous: &str) -> String {
    format!("anonymous:{anonymous}")
}

/// The identifier, or nothing where whoever it is of was erased before this happened. Whoever was, and signs up again with consent, is taken in.
fn taken_in(shop: &Shop, identifier: Option<String>, said: &Said, now: i64) -> Option<Option<String>> {
    let Some(identifier) = identifier else { return Some(None) };
    let is_in = match shop.standing(&identifier) {
        Standing::Known => true,
        Standing::Returned(time) => said.time >= time,
        Standing::Erased => {
            let consents = said.consent.iter().any(|(purpose, granted)| *purpose == Purpose::Personalisation && *granted);
            // By the earliest time that it claims, and never by a message that was seen: an old one, sent again, says what it said then.
            let is_new = !said.is_future && !shop.is_seen(shop.message_id(&said.message));
            said.links && consents && is_new && shop.sign_up_again(&identifier, said.time.min(said.claimed), now)
        }
    };
    is_in.then_some(Some(identifier))
}

fn enter(message: MessageId, said: Said, who: &Who, entries: &mut Vec<Entry>) {
    let before = entries.len();
    let subject = who.subject;
    if let Some(from) = who.before {
        entries.push(Entry::Link { message, from, to: subject });
    }
    let (time, notice) = (said.time, said.notice);
    let consent = said.consent.into_iter();
    entries.extend(consent.map(|(purpose, granted)| Entry::Consent { message, subject, time, granted, purpose, notice: notice.clone() }));
    entries.extend(said.happened.into_iter().map(|what| Entry::Event { message, subject, what }));
    if entries.len() == before {
        entries.push(Entry::Empty { message });
    }
}
