//! `youhui serve` through its own front door.
#![allow(clippy::unwrap_used, reason = "a test's way to fail")]
#![allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small numbers")]

mod served;

use std::io::Write;
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};
use served::{Answer, OFFERS, Server, Servers, order};

/// Customers who are known and not held out: decisions of them are explored.
fn known(server: &Server, count: usize) -> Vec<String> {
    served::known(server, count, &[])
}

#[test]
fn events_count_once_and_what_is_wrong_with_one_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    let batch = json!({"batch": [
        order("m1", "anna"),
        order("m1", "anna"),
        {"type": "track", "event": "Order Completed", "messageId": "m2", "userId": "anna", "properties": {}},
        {"type": "track", "event": "Product Viewed", "messageId": "m3", "userId": "anna", "properties": {"product_id": 7}},
        {"type": "track", "event": "Something Else", "messageId": "m4", "anonymousId": "x"},
        {"type": "track", "event": "Product Added", "messageId": "m5", "properties": {"product_id": "a"}},
        {"type": "track", "event": "Product Added", "userId": "anna"},
        {"type": "track", "event": "Product Added", "messageId": "m6", "userId": "anna", "properties": {"product_id": "a", "price": "dear"}},
        {"type": "track", "event": "Order Completed", "messageId": "m7", "userId": "anna", "properties": {"order_id": "9", "currency": "USD"}},
        {"type": "dance", "messageId": "m8", "userId": "anna"},
        7,
    ]});
    let answer = server.post("/v1/batch", &batch).json();
    let rules: Vec<_> = answer["rejected"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (one["index"].as_u64().unwrap(), one["rule"].as_str().unwrap().to_owned()))
        .collect();
    assert_eq!((answer["accepted"].as_u64(), answer["duplicates"].as_u64()), (Some(3), Some(1)), "{answer}");
    let expected = [(2, "order_id"), (5, "userId"), (6, "messageId"), (7, "price"), (8, "currency"), (9, "type"), (10, "message")];
    assert_eq!(rules, expected.map(|(index, rule)| (index, rule.to_owned())), "{answer}");
    // Again, whole: nothing counts twice.
    let again = server.post("/v1/batch", &batch).json();
    assert_eq!((again["accepted"].as_u64(), again["duplicates"].as_u64()), (Some(0), Some(4)));
    assert_eq!(server.metric("youhui_customers"), 1, "who only did something else has no profile");
}

#[test]
fn what_is_no_request_gets_a_problem() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &["--write-key", "w", "--secret-key", "s"]);
    let authorised = [("authorization", "Bearer s")];
    // Path, headers, body; status and code.
    type Case<'a> = (&'a str, &'a [(&'a str, &'a str)], &'a [u8], u16, &'a str);
    let cases: [Case<'_>; 12] = [
        ("/v1/batch", &[], br#"{"batch": []}"#, 401, "not_authorised"),
        ("/v1/batch", &[("authorization", "Basic dzo=")], br#"{"batch": []}"#, 200, ""),
        ("/v1/batch", &[("authorization", "Basic !!!")], br#"{"batch": []}"#, 401, "not_authorised"),
        ("/v1/decisions", &[("authorization", "Basic dzo=")], br#"{"placements": ["home"]}"#, 403, "forbidden"),
        ("/v1/batch", &authorised, b"{", 400, "not_json"),
        ("/v1/batch", &authorised, b"\xff\xfe", 400, "not_json"),
        ("/v1/decisions", &authorised, br#"{"placements": []}"#, 422, "invalid"),
        ("/v1/decisions", &authorised, br#"{"placements": ["home"], "colour": 1}"#, 400, "not_json"),
        (
            "/v1/decisions",
            &authorised,
            br#"{"placements": ["home"], "basket": {"currency": "EUR", "lines": [{"quantity": -1}]}}"#,
            422,
            "invalid",
        ),
        ("/v1/nothing", &authorised, b"{}", 404, "not_found"),
        ("/v1/decisions/xyz", &authorised, b"{}", 405, "method"),
        ("/v1/batch", &[("authorization", "Bearer s"), ("content-encoding", "gzip")], b"no gzip", 400, "unreadable"),
    ];
    for (path, headers, body, status, code) in cases {
        let answer = server.send("POST", path, headers, body).unwrap();
        assert_eq!(answer.status, status, "{path} {}: {}", String::from_utf8_lossy(body), answer.text);
        if !code.is_empty() {
            assert!(answer.headers.contains("application/problem+json"), "{}", answer.headers);
            assert_eq!(answer.json()["code"], code);
            assert!(!answer.json()["detail"].as_str().unwrap().is_empty());
        }
    }
    let large = vec![b' '; 9 << 20];
    assert_eq!(server.send("POST", "/v1/batch", &authorised, &large).map_or(413, |answer| answer.status), 413);
    assert_eq!(server.get("/health").status, 200);
}

#[test]
fn whoever_objects_sees_what_everybody_sees_and_no_profile_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &["--consent-default", "granted"]);
    let customers = known(&server, 30);
    let personal = customers.iter().find(|one| server.decide(one)["placements"][0]["mode"] == "personalised").unwrap();
    let reads = server.metric("youhui_profile_reads");
    let ask = json!({"customer": {"user_id": personal}, "placements": ["home"]}).to_string();
    let answer = server.send("POST", "/v1/decisions", &[("sec-gpc", "1")], ask.as_bytes()).unwrap().json();
    assert_eq!(answer["opt_out_honoured"], true);
    let shown = &answer["placements"][0];
    assert_eq!((shown["mode"].as_str(), shown["promotion_id"].as_str()), (Some("twin"), Some("ten-off-fifty")));
    assert!(shown.get("disclosures").is_none(), "what everybody sees is not personal");
    // It holds without the signal too, and no profile is read.
    assert_eq!(server.decide(personal)["placements"][0]["mode"], "twin");
    assert_eq!(server.metric("youhui_profile_reads"), reads);
    // What is no signal is none.
    let other = customers.iter().find(|one| *one != personal && server.decide(one)["placements"][0]["mode"] == "personalised").unwrap();
    let ask = json!({"customer": {"user_id": other}, "placements": ["home"]}).to_string();
    for junk in ["0", "", "true", "11"] {
        let answer = server.send("POST", "/v1/decisions", &[("sec-gpc", junk)], ask.as_bytes()).unwrap().json();
        assert_eq!(answer["placements"][0]["mode"], "personalised", "{junk}");
    }
    let consent = json!({"type": "identify", "messageId": "c", "userId": other,
        "context": {"consent": {"categoryPreferences": {"personalisation": false}}}});
    assert_eq!(server.post("/v1/identify", &consent).json()["accepted"], 1);
    assert_eq!(server.decide(other)["placements"][0]["mode"], "twin");
    // And after a crash.
    server.kill();
    let server = Server::start(folder.path(), &["--consent-default", "granted"]);
    for customer in [personal, other] {
        assert_eq!(server.decide(customer)["placements"][0]["mode"], "twin");
    }
    assert_eq!(server.metric("youhui_profile_reads"), 0);
}

#[test]
fn decisions_stand_say_why_and_replay() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &["--consent-default", "granted"]);
    assert_eq!(server.decide("nobody")["placements"][0]["mode"], "fallback");
    let customers = known(&server, 120);
    let mut modes = std::collections::BTreeMap::<String, usize>::new();
    let mut last = String::new();
    for customer in &customers {
        let first = server.decide(customer);
        let again = server.decide(customer);
        let (one, two) = (&first["placements"][0], &again["placements"][0]);
        assert_eq!((&one["promotion_id"], &one["propensity"]), (&two["promotion_id"], &two["propensity"]));
        *modes.entry(one["mode"].as_str().unwrap().to_owned()).or_default() += 1;
        if one["mode"] == "personalised" {
            assert_eq!(two["kept_from"], first["decision_id"]);
            first["decision_id"].as_str().unwrap().clone_into(&mut last);
        }
    }
    assert!(modes["personalised"] >= 80 && modes["holdout"] >= 1, "{modes:?}");
    // With a basket the price comes along.
    let basket = json!({"currency": "EUR", "lines": [{"line_id": "1", "product_id": "tea", "quantity": 6, "unit_price": 1000}]});
    let answer = server.post("/v1/decisions", &json!({"placements": ["checkout", "home"], "basket": basket})).json();
    assert_eq!(answer["placements"][0]["price"]["total"], 5000, "{answer}");
    assert_eq!(answer["placements"][1]["promotion_id"], Value::Null, "one promotion is not shown twice");
    std::thread::sleep(std::time::Duration::from_millis(300));
    let explained = server.get(&format!("/v1/decisions/{last}")).json();
    assert!(explained["decision"].is_object(), "{explained}");
    assert_eq!((&explained["replays"], &explained["decision_id"]), (&json!(true), &json!(last)));
    let options = explained["decision"]["places"][0]["options"].as_array().unwrap();
    assert_eq!(options.len(), 4, "three offers and nothing");
    let sum: f64 = options.iter().map(|option| option["probability"].as_f64().unwrap()).sum();
    assert!((sum - 1.0).abs() < 1e-9);
    assert_eq!(server.get("/v1/decisions/018bcfe5-687c-7000-8000-000000000000").status, 404);
    assert!(server.stop(), "a polite end");
    // What stood before a restart stands after it.
    let server = Server::start(folder.path(), &["--consent-default", "granted"]);
    std::thread::sleep(std::time::Duration::from_millis(300));
    let explained = server.get(&format!("/v1/decisions/{last}")).json();
    let customer = customers.iter().rev().find(|customer| server.decide(customer)["placements"][0]["kept_from"] == json!(last));
    assert!(customer.is_some(), "{explained}");
    server.kill();
    let replay = served::youhui(folder.path()).args(["replay", "--store"]).arg(folder.path()).output().unwrap();
    let all: Value = serde_json::from_slice(&replay.stdout).unwrap();
    assert!(all["decisions"].as_u64() >= Some(242) && all["decisions"] == all["equal"], "{all}");
}

#[test]
fn what_was_acknowledged_outlives_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    let (mut sent, mut acknowledged) = (0_usize, 0_usize);
    for round in 0..5_usize {
        let server = Server::start(folder.path(), &[]);
        let killer = {
            let id = server.child.id().to_string();
            let after = std::time::Duration::from_millis(40 + 37 * round as u64);
            std::thread::spawn(move || {
                std::thread::sleep(after);
                Command::new("kill").args(["-9", &id]).status().unwrap();
            })
        };
        loop {
            // What was not acknowledged is sent again, as Segment's libraries do.
            let batch: Vec<Value> = (sent..sent + 20).map(|number| order(&format!("m{number}"), &format!("c{}", number % 50))).collect();
            let body = json!({"batch": batch}).to_string();
            match server.send("POST", "/v1/batch", &[], body.as_bytes()) {
                Ok(answer) if answer.status == 200 => {
                    sent += 20;
                    acknowledged += 20;
                }
                _ => break,
            }
        }
        killer.join().unwrap();
    }
    let server = Server::start(folder.path(), &[]);
    let entries: usize = server.said.split(" entries").next().unwrap().rsplit(' ').next().unwrap().parse().unwrap();
    assert!(acknowledged >= 100, "{acknowledged}");
    // A batch that was written and whose answer was lost is there too, once; it is the last one of its round.
    assert!((acknowledged..=acknowledged + 20).contains(&entries), "{entries} of {acknowledged}");
    server.kill();
}

/// A million events from two senders who send again what was not acknowledged, and ten kills at random: each is there once.
#[test]
fn slow_a_million_events_outlive_ten_kills() {
    const EVENTS: usize = 1_000_000;
    let folder = tempfile::tempdir().unwrap();
    let server = Mutex::new(Some(Server::start(folder.path(), &[])));
    let address = Mutex::new(server.lock().unwrap().as_ref().unwrap().address.clone());
    let acknowledged = AtomicUsize::new(0);
    let send = |first: usize| {
        for batch in (first..EVENTS / 100).step_by(2) {
            let messages: Vec<String> = (batch * 100..batch * 100 + 100)
                .map(|number| {
                    let (customer, view) = (number % 5000, "Product Viewed");
                    format!(r#"{{"type":"track","event":"{view}","messageId":"m{number}","userId":"c{customer}","properties":{{"product_id":"tea"}}}}"#)
                })
                .collect();
            let body = format!(r#"{{"batch":[{}]}}"#, messages.join(","));
            loop {
                let to = address.lock().unwrap().clone();
                if served::send(&to, "POST", "/v1/batch", &[], body.as_bytes()).is_ok_and(|answer| answer.status == 200) {
                    break;
                }
                std::thread::sleep(std::time::Duration::from_millis(20));
            }
            acknowledged.fetch_add(100, Ordering::Relaxed);
        }
    };
    std::thread::scope(|scope| {
        scope.spawn(|| send(0));
        scope.spawn(|| send(1));
        let mut draw = youhui_commerce::Draw::seeded(7);
        for kill in 0..10 {
            // Somewhere within its tenth.
            let at = (EVENTS / 10) * kill + (draw.uniform() * 90_000.0) as usize;
            while acknowledged.load(Ordering::Relaxed) < at {
                std::thread::sleep(std::time::Duration::from_millis(1));
            }
            server.lock().unwrap().take().unwrap().kill();
            let next = Server::start(folder.path(), &[]);
            next.address.clone_into(&mut address.lock().unwrap());
            *server.lock().unwrap() = Some(next);
        }
    });
    server.lock().unwrap().take().unwrap().kill();
    let said = Server::start(folder.path(), &[]).said.clone();
    assert!(said.contains("1000000 entries"), "{said}");
    assert!(said.contains("5000 customers"), "{said}");
}

#[test]
fn a_place_is_an_openfeature_flag() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &["--consent-default", "granted"]);
    let customers = known(&server, 20);
    let context = |key: &str| json!({"context": {"targetingKey": key}});
    let one = server.post("/ofrep/v1/evaluate/flags/home", &context(&customers[0])).json();
    assert_eq!((one["key"].as_str(), one["value"].is_object()), (Some("home"), true), "{one}");
    let unknown = server.post("/ofrep/v1/evaluate/flags/cellar", &context("x"));
    assert_eq!((unknown.status, unknown.json()["errorCode"].as_str()), (404, Some("FLAG_NOT_FOUND")));
    for (body, code) in
        [("{", "PARSE_ERROR"), (r#"{"context": 7}"#, "INVALID_CONTEXT"), (r#"{"context": {"targetingKey": []}}"#, "INVALID_CONTEXT")]
    {
        let answer = server.send("POST", "/ofrep/v1/evaluate/flags/home", &[], body.as_bytes()).unwrap();
        assert_eq!((answer.status, answer.json()["errorCode"].as_str()), (400, Some(code)), "{body}");
    }
    let first = server.post("/ofrep/v1/evaluate/flags", &context(&customers[1]));
    assert_eq!(first.json()["flags"].as_array().unwrap().len(), 2);
    let tag = first.headers.lines().find_map(|line| line.strip_prefix("etag: ")).unwrap().to_owned();
    let again =
        server.send("POST", "/ofrep/v1/evaluate/flags", &[("if-none-match", &tag)], context(&customers[1]).to_string().as_bytes()).unwrap();
    assert_eq!((again.status, again.text.as_str()), (304, ""));
}

/// Offers with limits: of a budget that fits two baskets, once a customer.
fn limited(folder: &Path) -> String {
    let mut offers: Value = serde_json::from_slice(&std::fs::read(OFFERS).unwrap()).unwrap();
    offers["offers"][0]["promotion"]["limits"] = json!({"budget": 2500, "per_customer": 1});
    let file = folder.join("limited.json");
    std::fs::write(&file, offers.to_string()).unwrap();
    file.to_str().unwrap().to_owned()
}

/// A checkout of six at 10.00: 10.00 off.
fn checkout(server: &Server, key: &str, customer: &str, more: Value) -> Answer {
    let basket = json!({"currency": "EUR", "lines": [{"line_id": "1", "product_id": "tea", "quantity": 6, "unit_price": 1000}]});
    let mut body = json!({"promotion_id": "ten-off-fifty", "customer": {"user_id": customer}, "basket": basket});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    server.send("POST", "/v1/reservations", &[("idempotency-key", key)], body.to_string().as_bytes()).unwrap()
}

#[test]
fn limits_hold_and_a_call_that_is_repeated_counts_once() {
    let folder = tempfile::tempdir().unwrap();
    let file = limited(folder.path());
    let more = ["--consent-default", "granted", "--offers", &file];
    let server = Server::start(folder.path(), &more);
    known(&server, 5);
    let first = checkout(&server, "a", "customer-0", json!({}));
    assert_eq!((first.status, first.json()["amount"].as_i64()), (201, Some(1000)), "{}", first.text);
    assert_eq!(checkout(&server, "a", "customer-0", json!({})).text, first.text, "the same answer");
    let code = |answer: &Answer| (answer.status, answer.json()["code"].as_str().unwrap_or_default().to_owned());
    assert_eq!(code(&checkout(&server, "a", "customer-1", json!({}))), (422, "idempotency_key_reused".to_owned()));
    assert_eq!(code(&checkout(&server, "b", "customer-0", json!({}))), (409, "limit_reached".to_owned()), "once a customer");
    assert_eq!(code(&checkout(&server, "c", "stranger", json!({}))), (422, "invalid".to_owned()), "whose limit?");
    let small = json!({"basket": {"currency": "EUR", "lines": [{"line_id": "1", "product_id": "tea", "quantity": 1, "unit_price": 1000}]}});
    assert_eq!(code(&checkout(&server, "d", "customer-1", small)), (409, "not_earned".to_owned()));
    let second = checkout(&server, "e", "customer-1", json!({}));
    assert_eq!(second.status, 201);
    // 5.00 are left: not enough for a promise of 10.00.
    assert_ne!(checkout(&server, "f", "customer-2", json!({})).status, 201);
    let id = |answer: &Answer| answer.json()["reservation_id"].as_str().unwrap().to_owned();
    let settle = |server: &Server, id: &str, how: &str| server.post(&format!("/v1/reservations/{id}/{how}"), &json!({}));
    assert_eq!(settle(&server, &id(&first), "commit").json()["state"], "committed");
    // A crash in between: what was held and used is as it was.
    server.kill();
    let server = Server::start(folder.path(), &more);
    assert_eq!(settle(&server, &id(&first), "commit").json()["state"], "committed", "again");
    assert_eq!(code(&settle(&server, &id(&first), "release")), (409, "conflict".to_owned()));
    assert_ne!(checkout(&server, "g", "customer-2", json!({})).status, 201);
    assert_eq!(settle(&server, &id(&second), "release").json()["state"], "released");
    assert_eq!(checkout(&server, "h", "customer-2", json!({})).status, 201, "there is room again");
    assert_eq!(code(&settle(&server, "r_none", "commit")), (404, "not_found".to_owned()));
    let no_key = server.post("/v1/reservations", &json!({}));
    assert_eq!(code(&no_key), (400, "idempotency_key_missing".to_owned()));
}

#[test]
fn a_minted_code_is_good_once() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &["--consent-default", "granted"]);
    known(&server, 3);
    let minted = server.post("/v1/codes", &json!({"promotion_id": "ten-off-fifty", "count": 3}));
    assert_eq!(minted.status, 201);
    let codes: Vec<String> = serde_json::from_value(minted.json()["codes"].clone()).unwrap();
    let with = |key: &str, customer: &str, code: &str| checkout(&server, key, customer, json!({"code": code})).status;
    // However it is typed.
    assert_eq!(with("1", "customer-0", &codes[0].to_lowercase().replace('-', " ")), 201);
    assert_eq!(with("2", "customer-1", &codes[0]), 409);
    let mut typo = codes[1].clone();
    let last = if typo.ends_with('7') { "8" } else { "7" };
    typo.replace_range(typo.len() - 1.., last);
    assert_eq!(with("3", "customer-1", &typo), 422, "a typo is told without looking it up");
    assert_eq!(with("4", "customer-1", "0000-0000-0000-0000"), 422, "well formed, and never minted");
    assert_eq!(with("5", "customer-1", &codes[1]), 201);
    // A call that is repeated, for its answer was lost, mints nothing more.
    let again = |key: &str| {
        let body = json!({"promotion_id": "ten-off-fifty", "count": 2}).to_string();
        server.send("POST", "/v1/codes", &[("idempotency-key", key)], body.as_bytes()).unwrap().json()["codes"].clone()
    };
    assert_eq!(again("one"), again("one"));
    assert_ne!(again("one"), again("two"));
    assert_eq!(with("6", "customer-2", again("two")[1].as_str().unwrap()), 201);
    assert_eq!(server.post("/v1/codes", &json!({"promotion_id": "none", "count": 3})).status, 422);
    assert_eq!(server.post("/v1/codes", &json!({"promotion_id": "ten-off-fifty", "count": 1_000_000})).status, 422);
}

#[test]
fn what_was_done_to_the_audit_log_shows() {
    let folder = tempfile::tempdir().unwrap();
    for _ in 0..2 {
        let server = Server::start(folder.path(), &[]);
        assert_eq!(server.post("/v1/codes", &json!({"promotion_id": "free-shipping", "count": 2})).status, 201);
        assert!(server.stop());
    }
    let audit = |what: &str| {
        let output = served::youhui(folder.path()).args(["audit", what, "--store"]).arg(folder.path()).output().unwrap();
        (
            output.status.code().unwrap(),
            String::from_utf8_lossy(&output.stdout).into_owned(),
            String::from_utf8_lossy(&output.stderr).into_owned(),
        )
    };
    assert_eq!(audit("verify").1.trim(), r#"{"rows":4,"whole":true}"#);
    let (_, list, _) = audit("list");
    let actions: Vec<String> =
        list.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["action"].as_str().unwrap().to_owned()).collect();
    assert_eq!(actions, ["offers.serve", "codes.mint", "offers.serve", "codes.mint"]);
    let forge = |statement: &str| {
        if let Some(servers) = Servers::of(folder.path()) {
            let text = "decode(replace(encode(content, 'hex'), encode('2 codes', 'hex'), encode('9 codes', 'hex')), 'hex')";
            return servers.run(&statement.replace("replace(content, CAST('2 codes' AS BLOB), CAST('9 codes' AS BLOB))", text));
        }
        let script = "import sqlite3,sys; db=sqlite3.connect(sys.argv[1]); db.execute(sys.argv[2]); db.commit()";
        let done = Command::new("python3").args(["-c", script]).arg(folder.path().join("live.db")).arg(statement).status().unwrap();
        assert!(done.success());
    };
    forge("DELETE FROM audit WHERE number = 4");
    let (code, _, why) = audit("verify");
    assert!(code == 1 && why.contains("rows were cut off"), "{code} {why}");
    forge("UPDATE audit SET content = replace(content, CAST('2 codes' AS BLOB), CAST('9 codes' AS BLOB)) WHERE number = 2");
    let (code, _, why) = audit("verify");
    assert!(code == 1 && why.contains("row 2"), "{code} {why}");
    forge("DELETE FROM audit WHERE number = 2");
    let (code, _, why) = audit("verify");
    assert!(code == 1 && why.contains("row 2 is missing"), "{code} {why}");
}

/// Whoever sees the second promotion buys; nobody else does.
#[test]
fn what_came_of_decisions_is_learnt_and_survives_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    // A window of about a second.
    let mut offers: Value = serde_json::from_slice(&std::fs::read(OFFERS).unwrap()).unwrap();
    offers["window_days"] = json!(0.00001);
    offers["exploration"]["floor"] = json!(0.5);
    let file = folder.path().join("offers.json");
    std::fs::write(&file, offers.to_string()).unwrap();
    let more = ["--consent-default", "granted", "--offers", file.to_str().unwrap()];
    let server = Server::start(folder.path(), &more);
    let customers = known(&server, 300);
    // Out of the way of the orders that made them known.
    std::thread::sleep(std::time::Duration::from_millis(900));
    let mut batch = vec![];
    for customer in &customers {
        if server.decide(customer)["placements"][0]["promotion_id"] == "free-shipping" {
            batch.push(order(&format!("bought-{customer}"), customer));
        }
    }
    assert!(batch.len() >= 30, "{}", batch.len());
    assert_eq!(server.post("/v1/batch", &json!({"batch": batch})).status, 200);
    let learnt = |server: &Server| server.metric("youhui_outcomes_learnt_total");
    let waited = (0..100).find(|_| {
        std::thread::sleep(std::time::Duration::from_millis(100));
        learnt(&server) >= 300
    });
    assert!(waited.is_some(), "{} of 300", learnt(&server));
    server.kill();
    let server = Server::start(folder.path(), &more);
    assert_eq!(learnt(&server), 0, "nothing is learnt twice");
    let asked = customers.iter().map(|customer| server.decide(customer));
    let personal = asked.into_iter().find(|answer| answer["placements"][0]["mode"] == "personalised").unwrap();
    std::thread::sleep(std::time::Duration::from_millis(300));
    let explained = server.get(&format!("/v1/decisions/{}", personal["decision_id"].as_str().unwrap())).json();
    let options = explained["decision"]["places"][0]["options"].as_array().unwrap();
    let means: Vec<f64> = options.iter().map(|option| option["estimate"]["mean"].as_f64().unwrap()).collect();
    // Orders of 25.00 with a margin of 30 %: 7.50 to be found. In order: nothing, ten off, free shipping, second at half price.
    assert!((500.0..1000.0).contains(&means[2]) && means[1] < 300.0 && means[3] < 300.0, "{means:?}");
    assert_eq!(explained["replays"], true);
}

#[test]
fn whoever_is_slow_or_hostile_keeps_nobody_from_being_served() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &["--consent-default", "granted"]);
    let connect = || TcpStream::connect(&server.address).unwrap();
    // Heads that never end, bodies that never come, bytes that are no HTTP, and connections that say nothing.
    let mut slow: Vec<TcpStream> = (0..200).map(|_| connect()).collect();
    for (number, stream) in slow.iter_mut().enumerate() {
        let start: &[u8] = match number % 4 {
            0 => b"POST /v1/batch HTTP/1.1\r\nhost: shop\r\nx-slow: ",
            1 => b"POST /v1/batch HTTP/1.1\r\nhost: shop\r\ncontent-length: 1000000\r\n\r\n{",
            2 => b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n",
            _ => b"",
        };
        stream.write_all(start).ok();
    }
    // A gzip of much more than is read: a thousand bytes become a megabyte, ten thousand of them ten thousand.
    let bomb = {
        let script = "import gzip,sys; sys.stdout.buffer.write(gzip.compress(b'[' * (200 << 20), 9))";
        let output = Command::new("python3").args(["-c", script]).output().unwrap();
        assert!(output.status.success() && output.stdout.len() < 1 << 20, "a bomb");
        output.stdout
    };
    let answer = server.send("POST", "/v1/batch", &[("content-encoding", "gzip")], &bomb).unwrap();
    assert_eq!(answer.status, 413, "{}", answer.text);
    // What a database, a shell or a browser would obey is text like any other.
    for name in ["'; DROP TABLE event_batch; --", "$(rm -rf /)", "<script>alert(1)</script>", "\u{202e}\u{0}", "优惠"] {
        let event = json!({"type": "track", "event": "Product Viewed", "messageId": format!("m-{name}"), "userId": name,
            "properties": {"product_id": name, "price": 1}});
        assert_eq!(server.post("/v1/batch", &json!({"batch": [event]})).json()["accepted"], 1, "{name}");
        let ask = json!({"customer": {"user_id": name}, "placements": [name], "channel": name});
        assert_eq!(server.post("/v1/decisions", &ask).status, 200, "{name}");
    }
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    assert_eq!(server.send("POST", "/v1/decisions", &[], deep.as_bytes()).unwrap().status, 400);
    let many = json!({"placements": vec!["home"; 33]});
    assert_eq!(server.post("/v1/decisions", &many).status, 422);
    assert_eq!(server.get("/health").status, 200);
    assert!(server.stop(), "a polite end, whatever is still open");
}

#[test]
fn an_address_that_others_reach_needs_keys() {
    let folder = tempfile::tempdir().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_youhui"))
        .args(["serve", "--listen", "0.0.0.0:0", "--offers", OFFERS, "--store"])
        .arg(folder.path())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("--write-key"), "{output:?}");
}

/// Installs other people's clients beside the build, once.
fn clients() -> std::path::PathBuf {
    let folder = python("clients", "requirements.txt", &["package.json", "segment.mjs", "client.py", "openfeature.mjs"]);
    run(Command::new("npm").args(["install", "--no-audit", "--no-fund", "--no-package-lock"]).current_dir(&folder));
    folder
}

/// A folder of that name with what Python needs, and these files.
fn python(name: &str, requirements: &str, files: &[&str]) -> std::path::PathBuf {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients");
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::create_dir_all(&folder).unwrap();
    for name in files.iter().chain([&requirements]) {
        std::fs::copy(source.join(name), folder.join(name)).unwrap();
    }
    if !folder.join("venv").exists() {
        run(Command::new("python3").args(["-m", "venv", "venv"]).current_dir(&folder));
    }
    run(Command::new(folder.join("venv/bin/pip")).args(["install", "-q", "-r", requirements]).current_dir(&folder));
    folder
}

/// Runs a program that has to be there and to succeed; what it printed.
fn run(command: &mut Command) -> Value {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}. Install Node with npm, and Python with venv"));
    assert!(output.status.success(), "{command:?}: {}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).lines().rev().find_map(|line| serde_json::from_str(line).ok()).unwrap_or(Value::Null)
}

#[test]
fn slow_clients_of_others_work_unmodified() {
    let clients = clients();
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &["--consent-default", "granted", "--write-key", "w", "--secret-key", "s"]);
    let to = format!("http://{}", server.address);
    let node = run(Command::new("node").args(["segment.mjs", &to, "w"]).current_dir(&clients));
    assert_eq!(node, json!({"sent": 123, "failures": 0}));
    let python = run(Command::new(clients.join("venv/bin/python")).args(["client.py", &to, "w"]).current_dir(&clients));
    assert_eq!(python, json!({"sent": 122, "failures": []}));
    let text = server.get("/metrics").text;
    assert!(text.contains("youhui_events_total{result=\"accepted\"} 245"), "{text}");
    assert!(text.contains("youhui_events_total{result=\"rejected\"} 0"), "{text}");
    // The anonymous customer is the named one.
    assert_eq!(server.metric("youhui_customers"), 2);
    let flags = run(Command::new("node").args(["openfeature.mjs", &to, "s", "node-user"]).current_dir(&clients));
    assert_eq!((flags["home"]["reason"].as_str(), flags["home"]["flagKey"].as_str()), (Some("SPLIT"), Some("home")), "{flags}");
    assert_eq!(flags["home"]["value"]["promotion_id"], flags["again"]["value"]["promotion_id"]);
    assert_eq!(
        (flags["cellar"]["errorCode"].as_str(), flags["cellar"]["value"]["promotion_id"].as_str()),
        (Some("FLAG_NOT_FOUND"), Some("default"))
    );
    // Nothing of what a library sends along is kept.
    assert!(server.stop());
    for file in std::fs::read_dir(folder.path()).unwrap().flatten().filter(|file| file.path().is_file()) {
        let bytes = std::fs::read(file.path()).unwrap();
        assert!(!bytes.windows(6).any(|six| six == b"canary"), "{:?}", file.path());
    }
}

/// Whatever the description of the API allows, and much that it does not: no 5xx, and no answer that is not described.
#[test]
fn slow_schemathesis_finds_no_break_of_the_contract() {
    let clients = python("schemathesis", "schemathesis.txt", &["schemathesis.toml"]);
    let folder = tempfile::tempdir().unwrap();
    let key = served::key(folder.path(), "st", "admin");
    let server = Server::start(folder.path(), &["--consent-default", "granted"]);
    let output = Command::new(clients.join("venv/bin/schemathesis"))
        .args(["run", &format!("http://{}/openapi.json", server.address), "--max-examples", "50", "--seed", "1"])
        .args(["--phases", "examples,coverage,fuzzing,stateful", "-H", &format!("Authorization: Bearer {key}")])
        .current_dir(&clients)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    assert!(server.stop(), "it still runs, and ends as it should");
}
