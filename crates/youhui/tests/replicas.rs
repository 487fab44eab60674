//! Several servers on one PostgreSQL, and what is left when one of them is killed. On SQLite there is one server, killed and started again. Where
//! PostgreSQL is, `YOUHUI_TEST_POSTGRES` says; `cargo xtask test --slow` starts one.
#![allow(clippy::unwrap_used, reason = "a test's way to fail")]

mod served;

use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};
use served::{OFFERS, Server, database, order};

/// Offers of which a hundred codes are to be minted, and of which a budget fits 37.
fn offers(folder: &Path) -> String {
    let mut offers: Value = serde_json::from_slice(&std::fs::read(OFFERS).unwrap()).unwrap();
    let mut other = offers["offers"][0].clone();
    other["promotion"]["promotion_id"] = json!("of-a-budget");
    // 37 baskets at 10.00 each, and a little that fits none.
    other["promotion"]["limits"] = json!({"budget": 37_999});
    offers["offers"].as_array_mut().unwrap().push(other);
    let file = folder.join("offers.json");
    std::fs::write(&file, offers.to_string()).unwrap();
    file.to_str().unwrap().to_owned()
}

/// Reserves and commits, at whichever server answers: a call whose answer is lost is sent again, to another. Whether it was committed.
fn redeem(addresses: &Mutex<Vec<String>>, number: usize, body: &Value) -> bool {
    let key = format!("checkout-{number}");
    for attempt in 0.. {
        assert!(attempt < 2000, "nobody answers");
        let to = {
            let addresses = addresses.lock().unwrap();
            addresses[(number + attempt) % addresses.len()].clone()
        };
        let post = |path: &str, headers: &[(&str, &str)], body: &str| served::send(&to, "POST", path, headers, body.as_bytes());
        let answer = match post("/v1/reservations", &[("idempotency-key", &key)], &body.to_string()) {
            Ok(answer) if answer.status == 201 => answer,
            Ok(answer) if answer.status == 409 => return false,
            // Killed before it answered, or not there.
            _ => {
                std::thread::sleep(std::time::Duration::from_millis(5));
                continue;
            }
        };
        let id = answer.json()["reservation_id"].as_str().unwrap().to_owned();
        match post(&format!("/v1/reservations/{id}/commit"), &[], "") {
            Ok(answer) if answer.status == 200 => return true,
            Ok(answer) if answer.status < 500 => panic!("{}", answer.text),
            _ => std::thread::sleep(std::time::Duration::from_millis(5)),
        }
    }
    false
}

/// 500 redemptions race for 100 codes and 500 for a budget that fits 37, while a server is killed: exactly so many succeed.
fn race(folder: &Path, database: Option<&str>, servers: usize) {
    let offers = offers(folder);
    let start = |_: usize| {
        let mut more = vec!["--consent-default", "granted", "--offers", &offers];
        more.extend(database.iter().flat_map(|url| ["--database", *url]));
        Server::start(&folder.join("shop"), &more)
    };
    let mut running: Vec<Server> = (0..servers).map(start).collect();
    let minted = running[0].post("/v1/codes", &json!({"promotion_id": "ten-off-fifty", "count": 100}));
    let codes: Vec<String> = serde_json::from_value(minted.json()["codes"].clone()).unwrap();
    let addresses = Mutex::new(running.iter().map(|server| server.address.clone()).collect::<Vec<_>>());
    let (begun, by_code, of_budget) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0));
    let basket = json!({"currency": "EUR", "lines": [{"line_id": "1", "product_id": "tea", "quantity": 6, "unit_price": 1000}]});
    std::thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| {
                loop {
                    let number = begun.fetch_add(1, Ordering::Relaxed);
                    if number >= 1000 {
                        return;
                    }
                    let (body, won) = if number % 2 == 0 {
                        (json!({"promotion_id": "ten-off-fifty", "basket": basket, "code": codes[(number / 2) % 100]}), &by_code)
                    } else {
                        (json!({"promotion_id": "of-a-budget", "basket": basket}), &of_budget)
                    };
                    won.fetch_add(usize::from(redeem(&addresses, number, &body)), Ordering::Relaxed);
                }
            });
        }
        // In the middle of it, while both are raced for.
        while begun.load(Ordering::Relaxed) < 60 {
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        running.remove(0).kill();
        if running.is_empty() {
            running.push(start(0));
        }
        *addresses.lock().unwrap() = running.iter().map(|server| server.address.clone()).collect();
    });
    assert_eq!((by_code.load(Ordering::Relaxed), of_budget.load(Ordering::Relaxed)), (100, 37));
}

#[test]
fn exactly_so_many_redeem_while_the_server_is_killed() {
    let folder = tempfile::tempdir().unwrap();
    race(folder.path(), None, 1);
}

#[test]
fn exactly_so_many_redeem_on_three_servers_while_one_is_killed() {
    let folder = tempfile::tempdir().unwrap();
    if let Some(url) = database("race") {
        race(folder.path(), Some(&url), 3);
    }
}

/// Waits for something that comes within a second or so.
fn until(what: &str, is_so: impl Fn() -> bool) {
    let start = std::time::Instant::now();
    while !is_so() {
        assert!(start.elapsed() < std::time::Duration::from_secs(20), "{what}");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}

/// What one server is told the others know: customers, events, consent, decisions that stand, campaigns' switch.
#[test]
fn what_one_server_knows_the_others_know_a_moment_later() {
    let folder = tempfile::tempdir().unwrap();
    let Some(url) = database("follow") else { return };
    let start = || Server::start(&folder.path().join("shop"), &["--consent-default", "granted", "--database", &url]);
    let (one, two) = (start(), start());
    // The same customers at both at once: each is one.
    std::thread::scope(|scope| {
        for server in [&one, &two] {
            scope.spawn(move || {
                for number in 0..50 {
                    let batch = json!({"batch": [order(&format!("{}-{number}", server.address), &format!("customer-{number}"))]});
                    assert_eq!(server.post("/v1/batch", &batch).status, 200);
                }
            });
        }
    });
    until("both know every customer", || [&one, &two].iter().all(|server| server.metric("youhui_customers") == 50));
    let orders = |server: &Server, customer: &str| {
        let ask = json!({"customer": {"user_id": customer}, "placements": ["home"]});
        let decided = server.post("/v1/decisions", &ask).json();
        let id = decided["decision_id"].as_str().unwrap().to_owned();
        let mut explained = Value::Null;
        until("it is written down", || server.get(&format!("/v1/decisions/{id}")).status == 200);
        explained.clone_from(&server.get(&format!("/v1/decisions/{id}")).json());
        // ln(1 + orders) / 2 is the second number of the context.
        let context = served::any(&explained, "context").and_then(|context| context[1].as_f64());
        ((2.0 * context.unwrap_or(0.0)).exp_m1().round(), decided)
    };
    until("both have counted both orders", || (0..50).all(|number| orders(&two, &format!("customer-{number}")).0 == 2.0));
    // A message that is sent again to the other server, as a sender does whose first answer was lost.
    let again = json!({"batch": [order("again", "customer-1")]});
    assert_eq!(one.post("/v1/batch", &again).json()["accepted"], 1);
    until("it came through", || orders(&two, "customer-1").0 == 3.0);
    assert_eq!(two.post("/v1/batch", &again).json()["duplicates"], 1);
    // What was decided here stands there.
    let first = orders(&one, "customer-2").1;
    until("it stands", || {
        let (_, there) = orders(&two, "customer-2");
        there["placements"][0]["promotion_id"] == first["placements"][0]["promotion_id"]
            && (there["placements"][0]["kept_from"].is_string() || there["placements"][0]["mode"] == "holdout")
    });
    // An objection counts everywhere, within a second.
    assert_eq!(one.post("/v1/privacy/objections", &json!({"customer": {"user_id": "customer-3"}})).status, 200);
    until("the objection came through", || {
        two.post("/v1/decisions", &json!({"customer": {"user_id": "customer-3"}, "placements": ["home"]})).json()["placements"][0]["mode"]
            == "twin"
    });
    // So does an erasure, and nothing of what the other server still knew comes back.
    assert_eq!(one.post("/v1/privacy/erasures", &json!({"customer": {"user_id": "customer-5"}})).status, 200);
    until("the erasure came through", || two.metric("youhui_customers") == 49);
    assert_eq!(two.post("/v1/batch", &json!({"batch": [order("late", "customer-5")]})).status, 200);
    assert_eq!((one.metric("youhui_customers"), two.metric("youhui_customers")), (49, 49));
    assert_eq!(one.post("/v1/stop", &json!({"reason": "a wrong price"})).json()["stopped"], true);
    until("the switch came through", || two.get("/v1/stop").json()["stopped"] == true);
    // A third one that starts later knows as much.
    drop(one);
    let three = start();
    assert_eq!(three.metric("youhui_customers"), 49);
    assert_eq!(three.get("/v1/stop").json()["stopped"], true);
}
