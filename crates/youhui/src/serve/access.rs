//! Who may ask for what.

use std::num::NonZeroU32;
use std::sync::Arc;

use axum::http::{HeaderMap, header};
use base64::Engine;
use governor::Quota;
use youhui_storage::ApiKey;

use super::problem::{Code, Problem};
use super::state::Shop;

/// What a key is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Role {
    /// Sends events: may stand in a web page.
    Collect,
    /// The shop's own servers: decisions, reservations, codes.
    Checkout,
    /// Looks at campaigns, decisions and the audit log, and changes nothing.
    Reader,
    /// Writes campaigns.
    Marketer,
    /// Approves what others wrote.
    Approver,
    /// Answers what customers ask of their data.
    Privacy,
    /// Everything.
    Admin,
}

impl Role {
    const ALL: [Self; 7] = [Self::Collect, Self::Checkout, Self::Reader, Self::Marketer, Self::Approver, Self::Privacy, Self::Admin];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Collect => "collect",
            Self::Checkout => "checkout",
            Self::Reader => "reader",
            Self::Marketer => "marketer",
            Self::Approver => "approver",
            Self::Privacy => "privacy",
            Self::Admin => "admin",
        }
    }

    fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.name() == name)
    }

    const fn may(self, right: Right) -> bool {
        match right {
            Right::Events => matches!(self, Self::Collect | Self::Checkout | Self::Admin),
            Right::Decide => matches!(self, Self::Checkout | Self::Admin),
            Right::Codes => matches!(self, Self::Checkout | Self::Marketer | Self::Admin),
            Right::Explain => matches!(self, Self::Checkout | Self::Reader | Self::Marketer | Self::Approver | Self::Privacy | Self::Admin),
            Right::Read => matches!(self, Self::Reader | Self::Marketer | Self::Approver | Self::Privacy | Self::Admin),
            Right::Write => matches!(self, Self::Marketer | Self::Admin),
            Right::Approve => matches!(self, Self::Approver | Self::Admin),
            // Whoever sees that something is wrong stops it.
            Right::Stop => matches!(self, Self::Marketer | Self::Approver | Self::Privacy | Self::Admin),
            Right::Object => matches!(self, Self::Checkout | Self::Privacy | Self::Admin),
            Right::Privacy => matches!(self, Self::Privacy | Self::Admin),
        }
    }
}

/// What somebody wants to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Right {
    Events,
    Decide,
    Codes,
    Explain,
    Read,
    Write,
    Approve,
    Stop,
    Privacy,
    Object,
}

/// Whoever asks: an account of the shop's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Actor(pub(super) String);

/// A key that is good.
#[derive(Debug, Clone)]
struct Known {
    name: Arc<str>,
    role: Role,
    hash: blake3::Hash,
    /// How often it may ask.
    pace: Option<Arc<Pace>>,
}

type Pace = governor::DefaultDirectRateLimiter;

/// Every key that is good.
#[derive(Debug, Clone, Default)]
pub(crate) struct Keys {
    known: Vec<Known>,
    /// There is or was a key: without a good one nobody gets in.
    closed: bool,
    /// Requests a second of one key; 0: as many as go.
    rate: u32,
}

impl Keys {
    /// None yet, each of which may ask so often a second.
    pub(crate) fn paced(rate: u32) -> Self {
        Self { rate, ..Self::default() }
    }

    fn pace(&self) -> Option<Arc<Pace>> {
        NonZeroU32::new(self.rate).map(|rate| Arc::new(Pace::direct(Quota::per_second(rate))))
    }

    /// Adds a key that was given in the clear.
    pub(crate) fn add(&mut self, name: &str, role: Role, key: &str) {
        self.closed = true;
        let pace = self.pace();
        self.known.push(Known { name: name.into(), role, hash: blake3::hash(key.as_bytes()), pace });
    }

    /// With those of the database that are good.
    pub(super) fn with(&self, kept: &[ApiKey]) -> Self {
        let mut keys = Self { closed: self.closed || !kept.is_empty(), ..self.clone() };
        let good = kept.iter().filter(|key| key.revoked.is_none());
        keys.known.extend(good.filter_map(|key| {
            let hash = blake3::Hash::from_bytes(key.hash.as_slice().try_into().ok()?);
            Some(Known { name: key.name.as_str().into(), role: Role::from_name(&key.role)?, hash, pace: self.pace() })
        }));
        keys
    }

    /// Whose key it is. Hashes are compared in constant time, every one: how long it takes tells nothing of a key.
    fn find(&self, given: &str) -> Option<&Known> {
        let hash = blake3::hash(given.as_bytes());
        self.known.iter().fold(None, |found, known| if known.hash == hash { Some(known) } else { found })
    }
}

/// Events: the key as the name of basic authentication, as a bearer or in the body, as Segment's libraries send it.
pub(super) fn for_events(shop: &Shop, headers: &HeaderMap, in_body: Option<&str>) -> Result<(), Problem> {
    check(shop, headers, in_body, Right::Events).map(|_| ())
}

/// Decisions: a checkout's key, as a bearer or `X-API-Key`.
pub(super) fn for_decisions(shop: &Shop, headers: &HeaderMap) -> Result<(), Problem> {
    check(shop, headers, None, Right::Decide).map(|_| ())
}

/// Who asks, where they may.
pub(super) fn needs(shop: &Shop, headers: &HeaderMap, right: Right) -> Result<Actor, Problem> {
    check(shop, headers, None, right)
}

fn check(shop: &Shop, headers: &HeaderMap, in_body: Option<&str>, right: Right) -> Result<Actor, Problem> {
    let keys = shop.keys.load();
    if !keys.closed {
        // Where no key was ever made the server listens to this machine only.
        return Ok(Actor("local".to_owned()));
    }
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let bearer = text(header::AUTHORIZATION.as_str()).and_then(key_of);
    let given = bearer.or_else(|| in_body.or_else(|| text("x-api-key")).map(str::to_owned)).unwrap_or_default();
    let remedy = if right == Right::Events {
        "Send the write key as the name of basic authentication"
    } else {
        "Send a key as `Authorization: Bearer KEY`"
    };
    let known = keys.find(&given).ok_or_else(|| Problem::new(Code::NotAuthorised, remedy))?;
    if known.pace.as_ref().is_some_and(|pace| pace.check().is_err()) {
        shop.metrics.turned_away();
        return Err(Problem::new(Code::TooFast, format!("at most {} requests a second: wait, or raise --rate-limit", keys.rate)));
    }
    if !known.role.may(right) {
        let roles: Vec<&str> = Role::ALL.into_iter().filter(|role| role.may(right)).map(Role::name).collect();
        let detail = format!("this key's role is {}: use a key of {}", known.role.name(), roles.join(", "));
        return Err(Problem::new(Code::Forbidden, detail));
    }
    Ok(Actor(known.name.to_string()))
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
