//! What a showing is worth: the response model's word on each customer, and the price of a budget.
#![allow(clippy::unwrap_used, reason = "a test's way to fail")]

mod served;

use serde_json::{Value, json};
use served::{OFFERS, Server, order};

/// What the response model says of a customer counts, is on record, follows its file, and is of nobody who may not be known.
#[test]
fn decisions_go_by_what_is_predicted_for_the_customer() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("effects.csv");
    let flags = ["--consent-default", "granted", "--predictions", file.to_str().unwrap(), "--prediction-value", "100"];
    let shop = folder.path().join("shop");
    let server = Server::start(&shop, &flags);
    assert!(server.said.contains("warning: predictions") && server.said.contains("effects.csv"), "{}", server.said);
    let customers = served::known(&server, 60, &[]);
    // Each likes one promotion and dislikes the others: in units of which one is worth 100. Of free-shipping nothing is known.
    let favourite = |number: usize| ["ten-off-fifty", "second-half-price"][number % 2];
    let mut table = "customer,effect_ten-off-fifty,std_error_ten-off-fifty,effect_second-half-price\n".to_owned();
    for (number, customer) in customers.iter().enumerate().skip(1) {
        let effects = if number % 2 == 0 { "90,1,-90" } else { "-90,1,90" };
        table.push_str(&format!("{customer},{effects}\n"));
    }
    table.push_str("stranger,1,1,1\ncustomer-1,-90,1,90\ncustomer-2,,1,nan\ncustomer-2,90,1,-90\n");
    std::fs::write(&file, &table).unwrap();
    let until = |count: u64| {
        let done = (0..100).any(|_| {
            std::thread::sleep(std::time::Duration::from_millis(100));
            server.metric("youhui_predicted_customers") == count
        });
        assert!(done, "{count}");
    };
    until(59);
    let mut personal = vec![];
    for (number, customer) in customers.iter().enumerate().skip(1) {
        let decided = server.decide(customer);
        let place = &decided["placements"][0];
        if place["mode"] == "personalised" {
            personal.push((place["promotion_id"] == favourite(number), decided["decision_id"].as_str().unwrap().to_owned()));
        }
    }
    let right = personal.iter().filter(|(is_right, _)| *is_right).count();
    // But for what is explored: a fiftieth of each of four.
    assert!(right * 100 >= personal.len() * 85, "{right} of {}", personal.len());
    std::thread::sleep(std::time::Duration::from_millis(300));
    let explained = server.get(&format!("/v1/decisions/{}", personal[0].1)).json();
    assert_eq!(explained["replays"], json!(true), "{explained}");
    let candidates = explained["facts"]["places"][0]["candidates"].as_array().unwrap();
    let predicted: Vec<Option<f64>> = candidates.iter().map(|one| one["predicted"].as_f64()).collect();
    assert!(predicted == [Some(9000.0), None, Some(-9000.0)] || predicted == [Some(-9000.0), None, Some(9000.0)], "{predicted:?}");
    // Whoever objects is not looked up.
    assert_eq!(server.post("/v1/privacy/objections", &json!({"customer": {"user_id": "customer-5"}})).status, 200);
    let decided = server.decide("customer-5");
    std::thread::sleep(std::time::Duration::from_millis(300));
    let explained = server.get(&format!("/v1/decisions/{}", decided["decision_id"].as_str().unwrap())).json();
    assert!(explained["facts"]["places"][0]["candidates"].as_array().unwrap().iter().all(|one| one["predicted"].is_null()), "{explained}");
    // A file that is broken, and one that is gone, leave what was read.
    std::fs::write(&file, "no,table\n1").unwrap();
    std::thread::sleep(std::time::Duration::from_millis(1500));
    until(59);
    std::fs::write(&file, "customer,effect_free-shipping\ncustomer-7,1\n").unwrap();
    until(1);
    std::fs::remove_file(&file).unwrap();
    std::thread::sleep(std::time::Duration::from_millis(1500));
    until(1);
    assert_eq!(server.post("/v1/privacy/erasures", &json!({"customer": {"user_id": "customer-7"}})).status, 200);
    until(0);
    assert!(server.stop());
    let replay = served::youhui(&shop).args(["replay", "--store"]).arg(&shop).output().unwrap();
    let all: Value = serde_json::from_slice(&replay.stdout).unwrap();
    assert!(all["decisions"].as_u64() >= Some(58) && all["decisions"] == all["equal"], "{all}");
}

/// A budget that would be gone at once, with weeks to go, gets a price: hardly anybody is shown what it pays for, and why is on record.
#[test]
fn slow_a_budget_that_is_short_is_paced() {
    let folder = tempfile::tempdir().unwrap();
    let mut offers: Value = serde_json::from_slice(&std::fs::read(OFFERS).unwrap()).unwrap();
    let dear = &mut offers["offers"][0]["promotion"];
    dear["limits"] = json!({"budget": 100_000});
    dear["schedule"] = json!({"ends": "2099-01-01T00:00:00Z"});
    // Ten off fifty: orders of 100.00 earn it.
    let file = folder.path().join("offers.json");
    offers["holdout_share"] = json!(0);
    offers["offers"][0]["predicted"] = json!(300);
    std::fs::write(&file, offers.to_string()).unwrap();
    let shop = folder.path().join("shop");
    let server = Server::start(&shop, &["--consent-default", "granted", "--offers", file.to_str().unwrap()]);
    let batch: Vec<Value> = (0..400)
        .map(|number| {
            let mut order = order(&format!("m{number}"), &format!("customer-{number}"));
            order["properties"]["products"] = json!([{"product_id": "tea", "price": 50, "quantity": 2}]);
            order
        })
        .collect();
    assert_eq!(server.post("/v1/batch", &json!({"batch": batch})).json()["accepted"], 400);
    let shown = |customers: std::ops::Range<usize>| {
        let decided: Vec<Value> = customers.map(|number| server.decide(&format!("customer-{number}"))).collect();
        let dear = decided.iter().filter(|decided| decided["placements"][0]["promotion_id"] == "ten-off-fifty").count();
        (dear, decided[0]["decision_id"].as_str().unwrap().to_owned())
    };
    let (before, _) = shown(0..200);
    assert!(before > 100, "{before}");
    let paced = (0..40).find_map(|_| {
        let (_, last) = shown(200..201);
        std::thread::sleep(std::time::Duration::from_millis(1000));
        let explained = server.get(&format!("/v1/decisions/{last}")).json();
        let price = explained["facts"]["places"][0]["candidates"][0]["budget_price"].as_f64().unwrap_or(0.0);
        (price > 0.0).then_some(price)
    });
    // One that stands is not decided anew: another customer's price is on record.
    let (after, last) = shown(201..400);
    std::thread::sleep(std::time::Duration::from_millis(300));
    let explained = server.get(&format!("/v1/decisions/{last}")).json();
    let candidates = &explained["facts"]["places"][0]["candidates"];
    let price = |place: usize| candidates[place]["budget_price"].as_f64().unwrap();
    assert!(paced.is_some() && price(0) > 100.0 && price(1) == 0.0, "{paced:?} {candidates}");
    assert!(after * 3 < before, "{after} after {before}");
    assert!(server.stop());
    let replay = served::youhui(&shop).args(["replay", "--store"]).arg(&shop).output().unwrap();
    let all: Value = serde_json::from_slice(&replay.stdout).unwrap();
    assert_eq!(all["decisions"], all["equal"], "{all}");
}
