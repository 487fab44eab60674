//! Who may ask for what.

use axum::http::{HeaderMap, header};
use base64::Engine;

use super::problem::{Code, Problem};
use super::state::Shop;

/// Events: a write key, as the name of basic authentication, as a bearer or in the body, as Segment's libraries send it.
pub(super) fn for_events(shop: &Shop, headers: &HeaderMap, in_body: Option<&str>) -> Result<(), Problem> {
    check(shop.keys.write.iter().chain(&shop.keys.secret), headers, in_body, "Send the write key as the name of basic authentication")
}

/// Decisions: a secret key, as a bearer or `X-API-Key`.
pub(super) fn for_decisions(shop: &Shop, headers: &HeaderMap) -> Result<(), Problem> {
    let key = headers.get("x-api-key").and_then(|value| value.to_str().ok());
    check(shop.keys.secret.iter(), headers, key, "Send the secret key as `Authorization: Bearer KEY`")
}

fn check<'a>(known: impl Iterator<Item = &'a String>, headers: &HeaderMap, other: Option<&str>, remedy: &str) -> Result<(), Problem> {
    let header = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let given = header.and_then(key_of).or_else(|| other.map(str::to_owned)).unwrap_or_default();
    let (mut any, mut found) = (false, false);
    for key in known {
        any = true;
        // Hashes are compared in constant time: how long it takes tells nothing of the key.
        found |= blake3::hash(key.as_bytes()) == blake3::hash(given.as_bytes());
    }
    // Without keys the server listens to this machine only.
    if found || !any { Ok(()) } else { Err(Problem::new(Code::NotAuthorised, remedy)) }
}

fn key_of(header: &str) -> Option<String> {
    // A key alone, as some libraries send it.
    let Some((scheme, rest)) = header.split_once(' ') else { return Some(header.to_owned()) };
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some(rest.trim().to_owned());
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = base64::engine::general_purpose::STANDARD.decode(rest.trim()).ok()?;
    let text = String::from_utf8(decoded).ok()?;
    Some(text.split_once(':').map_or(text.as_str(), |(name, _)| name).to_owned())
}
