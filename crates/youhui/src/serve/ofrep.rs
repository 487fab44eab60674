//! OFREP, the OpenFeature Remote Evaluation Protocol: a place is a flag, so that any OpenFeature SDK shows our offers.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use youhui_decision::{Filled, Mode, Reason};

use super::decisions::{Asked, finish, make};
use super::offers::Live;
use super::problem::{Body, Problem};
use super::state::Shop;
use super::{access, segment, signal};
use crate::cli::now;

/// `POST /ofrep/v1/evaluate/flags/{key}`
pub(super) async fn one(
    State(shop): State<Arc<Shop>>,
    Path(key): Path<String>,
    headers: HeaderMap,
    Body(body): Body,
) -> Result<Response, Problem> {
    access::for_decisions(&shop, &headers)?;
    let wrong = |code: &str, details: &str| {
        let body = json!({"key": key, "errorCode": code, "errorDetails": details});
        (StatusCode::BAD_REQUEST, axum::Json(body)).into_response()
    };
    let live = shop.live.load();
    if !live.offered.placements.is_empty() && !live.offered.placements.contains(&key) {
        let details = format!("no offer names this placement; there are {}", live.offered.placements.join(", "));
        let body = json!({"key": key, "errorCode": "FLAG_NOT_FOUND", "errorDetails": details});
        return Ok((StatusCode::NOT_FOUND, axum::Json(body)).into_response());
    }
    let context = match context(&body) {
        Ok(context) => context,
        Err((code, details)) => return Ok(wrong(code, &details)),
    };
    let flags = evaluate(&shop, &live, &headers, context, vec![key.clone()]).await?;
    Ok(axum::Json(flags.into_iter().next().unwrap_or_default()).into_response())
}

/// `POST /ofrep/v1/evaluate/flags`
pub(super) async fn all(State(shop): State<Arc<Shop>>, headers: HeaderMap, Body(body): Body) -> Result<Response, Problem> {
    access::for_decisions(&shop, &headers)?;
    let context = match context(&body) {
        Ok(context) => context,
        Err((code, details)) => {
            let body = json!({"errorCode": code, "errorDetails": details});
            return Ok((StatusCode::BAD_REQUEST, axum::Json(body)).into_response());
        }
    };
    let live = shop.live.load();
    let flags = evaluate(&shop, &live, &headers, context, live.offered.placements.clone()).await?;
    let body = json!({"flags": flags}).to_string();
    let tag = format!("\"{}\"", &blake3::hash(body.as_bytes()).to_hex()[..32]);
    let known = headers.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    if known.is_some_and(|known| known.split(',').any(|one| one.trim().trim_start_matches("W/") == tag)) {
        return Ok((StatusCode::NOT_MODIFIED, [(header::ETAG, tag)]).into_response());
    }
    Ok(([(header::ETAG, tag), (header::CONTENT_TYPE, "application/json".to_owned())], body).into_response())
}

/// Who is asked for, through which channel.
struct Evaluation {
    external: Option<String>,
    channel: String,
}

fn context(body: &[u8]) -> Result<Evaluation, (&'static str, String)> {
    let value: Value = serde_json::from_slice(body).map_err(|error| ("PARSE_ERROR", error.to_string()))?;
    if !value.is_object() {
        return Err(("PARSE_ERROR", "send an object with a context".to_owned()));
    }
    let context = match value.get("context") {
        None | Some(Value::Null) => return Ok(Evaluation { external: None, channel: "web".to_owned() }),
        Some(Value::Object(context)) => context,
        Some(_) => return Err(("INVALID_CONTEXT", "context has to be an object".to_owned())),
    };
    let external = match context.get("targetingKey") {
        None | Some(Value::Null) => None,
        Some(value) => Some(
            segment::identifier(value)
                .ok_or_else(|| ("INVALID_CONTEXT", "targetingKey has to be text of 1 to 256 bytes, or absent".to_owned()))?,
        ),
    };
    let channel = context.get("channel").and_then(Value::as_str).unwrap_or("web").to_owned();
    Ok(Evaluation { external, channel })
}

async fn evaluate(
    shop: &Arc<Shop>,
    live: &Live,
    headers: &HeaderMap,
    context: Evaluation,
    placements: Vec<String>,
) -> Result<Vec<Value>, Problem> {
    if placements.is_empty() {
        return Ok(vec![]);
    }
    let start = Instant::now();
    let Evaluation { external, channel } = context;
    let opts_out = signal::opts_out(headers);
    if opts_out {
        shop.object(external.as_deref(), now()).await?;
    }
    let (facts, decision) = make(shop, live, Asked { external, opts_out, channel, placements, time: now() });
    finish(shop, &facts, &decision, start);
    Ok(decision.places.iter().map(|filled| flag(live, filled, &decision.decision.to_string())).collect())
}

fn flag(live: &Live, filled: &Filled, decision: &str) -> Value {
    let offer = filled.offer.map(|number| number as usize);
    let variant = offer.map_or("none", |number| live.snapshot.offers[number].promotion_id.as_str());
    let texts = offer.map(|number| &live.offered.ready[number].texts);
    // A decision that stands has the identifier that it was made with, and the same ETag.
    let decision = filled.kept_from.map_or_else(|| decision.to_owned(), |kept| kept.to_string());
    let is_default = matches!(filled.reason, Reason::Unknown(_) | Reason::NoCandidate);
    // Always the same for this customer: there is nothing of this one decision to remember or to report back.
    let is_certain = is_default || filled.reason == Reason::HeldOut;
    let decision_id = if is_certain { Value::Null } else { Value::String(decision) };
    let disclosures = if offer.is_some() && filled.mode == Mode::Personalised { live.offered.disclosures.as_slice() } else { &[] };
    json!({
        "key": filled.placement,
        "reason": if is_default { "DEFAULT" } else { "SPLIT" },
        "variant": variant,
        "value": { "promotion_id": offer.map(|_| variant), "texts": texts, "disclosures": disclosures, "decision_id": decision_id },
        "metadata": { "mode": filled.mode },
    })
}
