//! Errors over HTTP: RFC 9457, with a closed list of codes.

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use youhui_storage::LiveError;

/// What can be wrong with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Code {
    NotJson,
    Invalid,
    Unreadable,
    TooLarge,
    Late,
    NotAuthorised,
    Forbidden,
    NotFound,
    Method,
    NoKey,
    KeyReused,
    NotEarned,
    LimitReached,
    Conflict,
    Stale,
    NoMatch,
    TooFast,
    Overloaded,
    StoreFailed,
}

impl Code {
    const fn parts(self) -> (StatusCode, &'static str, &'static str) {
        match self {
            Self::NotJson => (StatusCode::BAD_REQUEST, "not_json", "The body is not the JSON that is expected"),
            Self::Invalid => (StatusCode::UNPROCESSABLE_ENTITY, "invalid", "Something in the body breaks a rule"),
            Self::Unreadable => (StatusCode::BAD_REQUEST, "unreadable", "The body could not be read"),
            Self::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "too_large", "The body is too large"),
            Self::Late => (StatusCode::REQUEST_TIMEOUT, "late", "The request took too long"),
            Self::NotAuthorised => (StatusCode::UNAUTHORIZED, "not_authorised", "The key is missing or not known"),
            Self::Forbidden => (StatusCode::FORBIDDEN, "forbidden", "The key is not for this"),
            Self::NotFound => (StatusCode::NOT_FOUND, "not_found", "There is no such thing"),
            Self::Method => (StatusCode::METHOD_NOT_ALLOWED, "method", "This path has another method"),
            Self::NoKey => (StatusCode::BAD_REQUEST, "idempotency_key_missing", "An Idempotency-Key is needed"),
            Self::KeyReused => {
                (StatusCode::UNPROCESSABLE_ENTITY, "idempotency_key_reused", "The Idempotency-Key stands for another request")
            }
            Self::NotEarned => (StatusCode::CONFLICT, "not_earned", "The promotion does not apply to this basket"),
            Self::LimitReached => (StatusCode::CONFLICT, "limit_reached", "A limit has no room for this"),
            Self::Conflict => (StatusCode::CONFLICT, "conflict", "It is in another state"),
            Self::Stale => (StatusCode::PRECONDITION_FAILED, "stale", "It was changed meanwhile"),
            Self::NoMatch => (StatusCode::PRECONDITION_REQUIRED, "if_match_missing", "An If-Match is needed"),
            Self::TooFast => (StatusCode::TOO_MANY_REQUESTS, "too_fast", "This key asks too often"),
            Self::Overloaded => (StatusCode::SERVICE_UNAVAILABLE, "overloaded", "The server can't take more now"),
            Self::StoreFailed => (StatusCode::SERVICE_UNAVAILABLE, "store_failed", "The store did not take it"),
        }
    }
}

/// An answer that says what is wrong and what to do.
#[derive(Debug)]
pub(super) struct Problem {
    pub(super) code: Code,
    pub(super) detail: String,
    /// JSON pointer and what is wrong there.
    pub(super) errors: Vec<(String, String)>,
}

impl Problem {
    pub(super) fn new(code: Code, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into(), errors: vec![] }
    }

    pub(super) fn at(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        let detail = detail.into();
        Self { code: Code::Invalid, errors: vec![(pointer.into(), detail.clone())], detail }
    }
}

impl From<LiveError> for Problem {
    fn from(error: LiveError) -> Self {
        Self::new(if matches!(error, LiveError::Stopped) { Code::Overloaded } else { Code::StoreFailed }, error.to_string())
    }
}

/// A whole body; what is too large or no gzip is a problem too.
pub(super) struct Body(pub(super) Bytes);

impl<S: Send + Sync> FromRequest<S> for Body {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let packed = request.headers().get(header::CONTENT_ENCODING).filter(|coding| coding.as_bytes() != b"identity");
        if packed.is_some() {
            return Err(Problem::new(Code::Unreadable, "only events may be packed: send this without a content-encoding"));
        }
        Bytes::from_request(request, state).await.map(Self).map_err(|rejection| {
            let code = if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE { Code::TooLarge } else { Code::Unreadable };
            Problem::new(code, format!("{}. Send at most {} bytes, unpacked", rejection.body_text(), super::MOST_BODY))
        })
    }
}

/// A request's JSON. An object is asked for: what is read into a structure would take a list for one as well.
pub(super) fn object<'a, T: Deserialize<'a>>(body: &'a [u8], remedy: &str) -> Result<T, Problem> {
    if body.iter().find(|byte| !byte.is_ascii_whitespace()) != Some(&b'{') {
        return Err(Problem::new(Code::NotJson, format!("this is no JSON object. {remedy}")));
    }
    serde_json::from_slice(body).map_err(|error| Problem::new(Code::NotJson, format!("{error}. {remedy}")))
}

#[derive(Serialize)]
struct Answer<'a> {
    r#type: String,
    title: &'a str,
    status: u16,
    detail: &'a str,
    code: &'a str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<Wrong<'a>>,
}

#[derive(Serialize)]
struct Wrong<'a> {
    pointer: &'a str,
    detail: &'a str,
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let (status, code, title) = self.code.parts();
        let errors = self.errors.iter().map(|(pointer, detail)| Wrong { pointer, detail }).collect();
        let r#type = format!("urn:youhui:problem:{code}");
        let body = Answer { r#type, title, status: status.as_u16(), detail: &self.detail, code, errors };
        let json = serde_json::to_vec(&body).unwrap_or_default();
        let mut response = (status, [(header::CONTENT_TYPE, "application/problem+json")], json).into_response();
        if status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, header::HeaderValue::from_static("Basic realm=\"youhui\""));
        }
        if status == StatusCode::SERVICE_UNAVAILABLE || status == StatusCode::TOO_MANY_REQUESTS {
            response.headers_mut().insert(header::RETRY_AFTER, header::HeaderValue::from_static("1"));
        }
        response
    }
}
