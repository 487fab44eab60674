//! The Global Privacy Control: a browser says that its person objects to being profiled.

use axum::http::HeaderMap;

/// Only `Sec-GPC: 1` is the signal; anything else is none (the specification's rule).
pub(super) fn opts_out(headers: &HeaderMap) -> bool {
    let mut values = headers.get_all("sec-gpc").iter();
    values.next().is_some_and(|value| value.as_bytes() == b"1") && values.next().is_none()
}
