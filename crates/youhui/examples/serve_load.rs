//! Load for `youhui serve`, and a bare endpoint of the same framework to compare with.
//!
//! ```text
//! serve_load bare  listen=127.0.0.1:8790
//! serve_load events    to=127.0.0.1:8787 customers=1000000 batch=100 connections=32
//! serve_load decisions to=127.0.0.1:8787 customers=1000000 connections=32 seconds=10 [rate=10000]
//! serve_load decisions to=127.0.0.1:8790 …                                 # the bare endpoint
//! ```
//!
//! Customers are `c0`, `c1` …; each event is an order of two lines. Without `rate` every connection asks again as soon as it is
//! answered; with it requests start on a clock, and a latency counts from when its request should have started. Prints one
//! JSON object.
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "an example for developers")]
#![allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "numbers of a benchmark")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use axum::{Json, Router, routing::post};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use youhui_commerce::Draw;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let what = arguments.next().unwrap_or_default();
    let settings: BTreeMap<String, String> =
        arguments.filter_map(|argument| argument.split_once('=').map(|(key, value)| (key.to_owned(), value.to_owned()))).collect();
    match what.as_str() {
        "bare" => bare(settings.get("listen").map_or("127.0.0.1:8790", String::as_str)).await,
        "events" | "decisions" => load(&what, settings).await,
        other => panic!("{other:?}: bare, events or decisions"),
    }
}

/// Reads JSON, writes JSON, and nothing else.
async fn bare(listen: &str) {
    let answer = |Json(ask): Json<Value>| async move {
        Json(json!({"decision_id": "018bcfe5-687c-7000-8000-000000000000", "snapshot": 1, "placements": [
            {"placement": ask["placements"][0], "promotion_id": "p1", "mode": "personalised", "propensity": 0.5}
        ]}))
    };
    let router = Router::new().route("/v1/decisions", post(answer));
    axum::serve(TcpListener::bind(listen).await.unwrap(), router).await.unwrap();
}

async fn load(what: &str, settings: BTreeMap<String, String>) {
    let number = |name: &str, default: f64| settings.get(name).map_or(default, |text| text.parse::<f64>().unwrap());
    let to = settings.get("to").map_or("127.0.0.1:8787", String::as_str).to_owned();
    let (customers, connections, batch) =
        (number("customers", 1e6) as u64, number("connections", 32.0) as u64, number("batch", 100.0) as u64);
    let (seconds, rate) = (number("seconds", 10.0), settings.get("rate").map(|rate| rate.parse::<f64>().unwrap()));
    let run = settings.get("run").cloned().unwrap_or_else(|| "a".to_owned());
    let next = Arc::new(AtomicU64::new(0));
    let start = Instant::now();
    let clock = rate.map(|rate| Arc::new(tokio::sync::Mutex::new(clock(start, rate, seconds))));
    let mut tasks = vec![];
    for connection in 0..connections {
        let (to, next, run, is_events, clock) = (to.clone(), Arc::clone(&next), run.clone(), what == "events", clock.clone());
        tasks.push(tokio::spawn(async move {
            let mut stream = TcpStream::connect(&to).await.unwrap();
            stream.set_nodelay(true).unwrap();
            let mut draw = Draw::seeded(connection);
            let (mut latencies, mut failed, mut buffer, mut request) = (vec![], 0_u64, vec![0; 1 << 16], Vec::new());
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                let due = match &clock {
                    None => Instant::now(),
                    Some(clock) => match clock.lock().await.recv().await {
                        Some(due) => due,
                        None => return (latencies, failed),
                    },
                };
                let (path, body) = if is_events {
                    if number * batch >= customers {
                        return (latencies, failed);
                    }
                    ("/v1/batch", events(number * batch, (number * batch + batch).min(customers), &run))
                } else {
                    if due.duration_since(start).as_secs_f64() >= seconds {
                        return (latencies, failed);
                    }
                    let customer = draw.below(customers as usize);
                    ("/v1/decisions", format!("{{\"customer\":{{\"user_id\":\"c{customer}\"}},\"placements\":[\"home\"]}}"))
                };
                request.clear();
                let head = format!(
                    "POST {path} HTTP/1.1\r\nhost: {to}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
                    body.len()
                );
                request.extend_from_slice(head.as_bytes());
                request.extend_from_slice(body.as_bytes());
                stream.write_all(&request).await.unwrap();
                failed += u64::from(!answered(&mut stream, &mut buffer).await);
                latencies.push(due.elapsed().as_micros() as u64);
            }
        }));
    }
    let (mut latencies, mut failed) = (vec![], 0);
    for task in tasks {
        let (own, wrong) = task.await.unwrap();
        latencies.extend(own);
        failed += wrong;
    }
    let took = start.elapsed().as_secs_f64();
    latencies.sort_unstable();
    let at = |share: f64| latencies.get(((latencies.len() as f64 * share) as usize).min(latencies.len().saturating_sub(1))).copied();
    let requests = latencies.len() as f64;
    println!(
        "{}",
        json!({
            "what": what, "connections": connections, "rate": rate, "seconds": took, "requests": requests, "failed": failed,
            "requests_per_second": requests / took,
            "events_per_second": (what == "events").then_some(customers as f64 / took),
            "microseconds": {"p50": at(0.5), "p90": at(0.9), "p99": at(0.99), "p999": at(0.999), "most": latencies.last()},
        })
    );
}

/// Says when each request is due, on a thread that sleeps to some fifty microseconds; tokio's own clock has steps of a millisecond.
fn clock(start: Instant, rate: f64, seconds: f64) -> tokio::sync::mpsc::UnboundedReceiver<Instant> {
    let (sender, receiver) = tokio::sync::mpsc::unbounded_channel();
    std::thread::spawn(move || {
        for number in 0..(rate * seconds) as u64 {
            let due = start + Duration::from_secs_f64(number as f64 / rate);
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            if sender.send(due).is_err() {
                return;
            }
        }
    });
    receiver
}

fn events(from: u64, to: u64, run: &str) -> String {
    let mut body = String::from("{\"batch\":[");
    for customer in from..to {
        if customer > from {
            body.push(',');
        }
        let price = 5 + customer % 40;
        body.push_str(&format!(
            "{{\"type\":\"track\",\"event\":\"Order Completed\",\"messageId\":\"{run}-{customer}\",\"userId\":\"c{customer}\",\
             \"timestamp\":\"2026-11-01T00:00:00Z\",\"properties\":{{\"order_id\":\"o{customer}\",\"products\":[\
             {{\"product_id\":\"p{}\",\"price\":{price},\"quantity\":1}},{{\"product_id\":\"q{}\",\"price\":3.5,\"quantity\":2}}]}}}}",
            customer % 1000,
            customer % 77
        ));
    }
    body.push_str("]}");
    body
}

/// Reads one answer; whether its status is 200.
async fn answered(stream: &mut TcpStream, buffer: &mut [u8]) -> bool {
    let mut filled = 0;
    loop {
        let read = stream.read(&mut buffer[filled..]).await.unwrap();
        assert!(read > 0, "the server hung up");
        filled += read;
        let Some(end) = buffer[..filled].windows(4).position(|four| four == b"\r\n\r\n") else { continue };
        let head = std::str::from_utf8(&buffer[..end]).unwrap();
        let length = head
            .lines()
            .find_map(|line| line.to_lowercase().strip_prefix("content-length:").map(|text| text.trim().parse::<usize>().unwrap()));
        if filled >= end + 4 + length.unwrap_or(0) {
            return head.starts_with("HTTP/1.1 200");
        }
    }
}
