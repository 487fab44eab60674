//! What every request goes through: how many at once, and what is written down of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::problem::{Code, Problem};
use super::state::Shop;
use crate::cli::{Console, now};

/// How requests are guarded.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Guard {
    /// Requests at once: more are turned away at once, so that those that are under way end in time.
    pub(crate) most: usize,
    /// Whether every request is written down, or those that failed by our own fault only.
    pub(crate) log_all: bool,
    pub(crate) console: Console,
}

/// Requests under way.
#[derive(Debug, Default)]
pub(super) struct UnderWay(AtomicUsize);

impl UnderWay {
    fn enter(&self, most: usize) -> Option<Place<'_>> {
        let place = Place(&self.0);
        (self.0.fetch_add(1, Ordering::Relaxed) < most).then_some(place)
    }

    pub(super) fn count(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

struct Place<'a>(&'a AtomicUsize);

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Lets a request in, or turns it away; and logs it by its route, without any identifier.
pub(super) async fn pass(State(shop): State<Arc<Shop>>, request: Request, next: Next) -> Response {
    let guard = shop.guard;
    let Some(_place) = shop.under_way.enter(guard.most) else {
        shop.metrics.turned_away();
        return Problem::new(Code::Overloaded, "too many requests are under way: send it again in a moment").into_response();
    };
    if !guard.log_all {
        let response = in_time(next.run(request)).await;
        if response.status().is_server_error() {
            guard.console.log(&json!({"time": told(), "status": response.status().as_u16(), "message": "a request failed"}));
        }
        return response;
    }
    let start = Instant::now();
    let method = request.method().clone();
    // The route's pattern: what stands in its place may be an identifier.
    let route = request.extensions().get::<MatchedPath>().map_or_else(|| "(none)".to_owned(), |path| path.as_str().to_owned());
    let response = in_time(next.run(request)).await;
    let micros = u64::try_from(start.elapsed().as_micros()).unwrap_or(u64::MAX);
    let line = json!({"time": told(), "method": method.as_str(), "route": route, "status": response.status().as_u16(), "micros": micros});
    guard.console.log(&line);
    response
}

/// The answer, its body's reading included, or that it took too long.
async fn in_time(answer: impl Future<Output = Response>) -> Response {
    let late = |_| Problem::new(Code::Late, "the request took longer than ten seconds: send it faster, or less at once").into_response();
    tokio::time::timeout(super::PATIENCE, answer).await.unwrap_or_else(late)
}

fn told() -> String {
    super::decisions::written(now())
}
