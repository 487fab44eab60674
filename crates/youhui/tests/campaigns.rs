//! A campaign's life through the front door of `youhui serve`.
#![allow(clippy::unwrap_used, reason = "a test's way to fail")]

mod served;

use std::process::Command;

use serde_json::{Value, json};
use served::{Answer, Server, known};

/// Keys of a marketer, two approvers, a checkout, in a shop's folder.
fn keys(folder: &std::path::Path) -> impl Fn(&str) -> String + use<> {
    let keys = [("ana", "marketer"), ("ben", "approver"), ("adi", "admin"), ("shop", "checkout"), ("eve", "reader")];
    let keys: Vec<(String, String)> = keys.iter().map(|(name, role)| ((*name).to_owned(), served::key(folder, name, role))).collect();
    move |name| keys.iter().find(|(known, _)| known == name).map_or_else(String::new, |(_, key)| key.clone())
}

fn campaign(title: &str, effects: Value) -> Value {
    json!({"schema_version": 1, "campaign_id": "winter", "market": "eu", "offers": [{
        "promotion": {"schema_version": 2, "promotion_id": "winter-gift", "currency": "EUR", "effects": effects,
            "limits": {"budget": 100_000}, "texts": {"en": {"title": title, "condition": "€5 off when you spend €20 or more"}}},
        "placements": ["winter"], "predicted": 500, "std_error": 50}]})
}

fn spend(off: u32) -> Value {
    json!([{"kind": "spend_and_save", "tiers": [{"from": 2000, "off": {"amount": off}}]}])
}

struct Shop {
    server: Server,
    key: Box<dyn Fn(&str) -> String>,
}

impl Shop {
    fn send(&self, who: &str, method: &str, path: &str, body: &Value) -> Answer {
        let bearer = format!("Bearer {}", (self.key)(who));
        let body = if body.is_null() { String::new() } else { body.to_string() };
        self.server.send(method, path, &[("authorization", &bearer)], body.as_bytes()).unwrap()
    }

    fn step(&self, who: &str, action: &str) -> Answer {
        let tag = tag(&self.send("eve", "GET", "/v1/campaigns/winter", &Value::Null));
        let bearer = format!("Bearer {}", (self.key)(who));
        let headers = [("authorization", bearer.as_str()), ("if-match", tag.as_str())];
        let path = format!("/v1/campaigns/winter/{action}");
        self.server.send("POST", &path, &headers, br#"{"reason": "a test"}"#).unwrap()
    }

    /// What the place of the campaign shows a customer.
    fn shows(&self, customer: &str) -> Value {
        let ask = json!({"customer": {"user_id": customer}, "placements": ["winter"]});
        self.send("shop", "POST", "/v1/decisions", &ask).json()["placements"][0]["promotion_id"].clone()
    }

    /// Customers out of 20 who see the campaign's promotion.
    fn seen(&self) -> usize {
        (0..20).filter(|number| self.shows(&format!("customer-{number}")) == "winter-gift").count()
    }

    /// Until a change counts: within a second.
    fn until(&self, what: &str, is_so: impl Fn() -> bool) {
        let start = std::time::Instant::now();
        while !is_so() {
            assert!(start.elapsed() < std::time::Duration::from_secs(10), "{what}");
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    }
}

fn tag(answer: &Answer) -> String {
    answer.headers.lines().find_map(|line| line.strip_prefix("etag: ")).unwrap_or("none").to_owned()
}

fn shop(folder: &std::path::Path) -> Shop {
    let key = keys(folder);
    let write = key("shop");
    let server = Server::start(folder, &["--consent-default", "granted"]);
    let shop = Shop { server, key: Box::new(key) };
    known(&shop.server, 20, &[("authorization", &format!("Bearer {write}"))]);
    shop
}

#[test]
fn a_campaign_goes_live_through_four_eyes_and_stops_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let shop = shop(folder.path());
    let draft = campaign("Winter", spend(500));
    assert_eq!(shop.send("eve", "POST", "/v1/campaigns", &draft).status, 403);
    assert_eq!(shop.send("nobody", "POST", "/v1/campaigns", &draft).status, 401);
    assert_eq!(shop.send("ana", "POST", "/v1/campaigns", &draft).status, 201);
    assert_eq!(shop.send("ana", "POST", "/v1/campaigns", &draft).status, 409);
    assert_eq!(shop.step("ana", "submit").status, 409, "not checked yet");
    assert_eq!(shop.step("ana", "check").json()["state"], "checked");
    // A dry run on what was recorded: every decision so far, of another place, then of its own.
    assert_eq!(shop.seen(), 0, "nothing to show there yet");
    shop.until("decisions are written down", || shop.step("ana", "dry-run").json()["decisions"].as_u64().unwrap() >= 20);
    let tried = shop.step("ana", "dry-run").json();
    assert!(tried["offers"][0]["customers"].as_u64().unwrap() >= 10, "{tried}");
    assert!(tried["predicted_cost"].as_f64().unwrap() > 0.0, "{tried}");
    assert_eq!(tried["offers"][0]["budget"], 100_000);
    assert_eq!(shop.step("ana", "submit").json()["state"], "submitted");
    assert_eq!(shop.step("ana", "approve").status, 403, "a marketer approves nothing");
    let unread = shop.send("ben", "POST", "/v1/campaigns/winter/approve", &json!({}));
    assert_eq!((unread.status, unread.json()["code"].as_str()), (428, Some("if_match_missing")), "whoever approves says what they read");
    assert_eq!(shop.step("ben", "approve").json()["state"], "approved");
    assert_eq!(shop.seen(), 0, "not before it is scheduled");
    assert_eq!(shop.step("ana", "schedule").json()["state"], "live");
    shop.until("it is shown", || shop.seen() >= 10);

    // An edit waits for its own approval, and says what it changes.
    let pending = shop.send("adi", "PUT", "/v1/campaigns/winter", &campaign("Winter", spend(550))).json();
    assert_eq!(pending["state"], "live");
    assert_eq!(
        pending["pending"]["diff"],
        json!([{"op": "replace", "path": "/offers/0/promotion/effects/0/tiers/0/off/amount", "value": 550}])
    );
    shop.step("adi", "check");
    shop.step("ana", "submit");
    assert_eq!(shop.step("adi", "approve").status, 409, "whoever wrote it does not approve it");
    let basket = json!({"currency": "EUR", "lines": [{"line_id": "1", "product_id": "tea", "quantity": 1, "unit_price": 2500}]});
    // Of somebody who sees it: it stands for them.
    let viewer = (0..20).map(|number| format!("customer-{number}")).find(|customer| shop.shows(customer) == "winter-gift").unwrap();
    let total = || {
        let ask = json!({"customer": {"user_id": viewer}, "placements": ["winter"], "basket": basket});
        shop.send("shop", "POST", "/v1/decisions", &ask).json()["placements"][0]["price"]["total"].clone()
    };
    assert_eq!(total(), 2000, "the approved one counts");
    assert_eq!(shop.step("ben", "approve").json()["approved"]["number"], 2);
    shop.until("the new revision counts", || total() == 1950);

    // Pause, resume, stop everything.
    assert_eq!(shop.step("ana", "pause").json()["state"], "paused");
    assert_eq!(shop.seen(), 0, "at once");
    assert_eq!(shop.step("ana", "resume").json()["state"], "live");
    shop.until("it is shown again", || shop.seen() >= 10);
    assert_eq!(shop.send("ana", "POST", "/v1/stop", &json!({"reason": "a wrong price"})).json()["stopped"], true);
    assert_eq!(shop.seen(), 0);
    let reserve = json!({"promotion_id": "winter-gift", "basket": basket, "customer": {"user_id": "customer-1"}});
    let bearer = format!("Bearer {}", (shop.key)("shop"));
    let headers = [("authorization", bearer.as_str()), ("idempotency-key", "one")];
    assert_eq!(shop.server.send("POST", "/v1/reservations", &headers, reserve.to_string().as_bytes()).unwrap().status, 409);
    assert_eq!(shop.send("ana", "DELETE", "/v1/stop", &Value::Null).status, 403, "going on takes an approver");
    assert_eq!(shop.send("ben", "DELETE", "/v1/stop", &Value::Null).json()["stopped"], false);
    shop.until("all goes on", || shop.seen() >= 10);
    assert_eq!(shop.server.send("POST", "/v1/reservations", &headers, reserve.to_string().as_bytes()).unwrap().status, 201);

    // A restart changes nothing of it; everything stands in the audit log, which is whole.
    let Shop { server, key } = shop;
    assert!(server.stop());
    let shop = Shop { server: Server::start(folder.path(), &["--consent-default", "granted"]), key };
    assert!(shop.seen() >= 10);
    assert_eq!(shop.step("ben", "end").json()["state"], "ended");
    assert_eq!(shop.seen(), 0);
    let rows = shop.send("eve", "GET", "/v1/audit?limit=200", &Value::Null).json();
    let actions: Vec<String> = rows["rows"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| format!("{} {}", row["actor"].as_str().unwrap(), row["action"].as_str().unwrap()))
        .collect();
    expect_test::expect![[r#"
        command line key.add
        command line key.add
        command line key.add
        command line key.add
        command line key.add
        command line offers.serve
        ana campaign.create
        ana campaign.check
        ana campaign.submit
        ben campaign.approve
        ana campaign.schedule
        adi campaign.edit
        adi campaign.check
        ana campaign.submit
        ben campaign.approve
        ana campaign.pause
        ana campaign.resume
        ana shop.stop
        ben shop.go_on
        command line offers.serve
        ben campaign.end"#]]
    .assert_eq(&actions.join("\n"));
    let verify = served::youhui(folder.path()).args(["audit", "verify", "--store"]).arg(folder.path()).output().unwrap();
    assert!(verify.status.success(), "{}", String::from_utf8_lossy(&verify.stderr));
}

#[test]
fn a_campaign_that_breaks_a_rule_is_not_checked() {
    let folder = tempfile::tempdir().unwrap();
    let shop = shop(folder.path());
    let refused = |document: &Value| {
        let id = "winter";
        let made = shop.send("ana", "POST", "/v1/campaigns", document);
        if made.status == 409 {
            shop.send("ana", "PUT", &format!("/v1/campaigns/{id}"), document);
        }
        let answer = shop.step("ana", "check");
        assert_eq!(answer.status, 422, "{}", answer.text);
        answer.json()["detail"].as_str().unwrap().to_owned()
    };
    // 20 % off everything: in the EU that is measured from the lowest price of 30 days, and no price is on record.
    let reduction = campaign("Winter", json!([{"kind": "percent_off", "basis_points": 2000}]));
    expect_test::expect!["the campaign breaks a rule: /offers/0/promotion: a reduction needs a start and a time zone that is known, to know the prices before it: set schedule.starts and schedule.time_zone"].assert_eq(&refused(&reduction));
    expect_test::expect!["the campaign breaks a rule: /offers/0/promotion: at its deepest it takes 90.0 % off goods with 30.0 % margin, which leaves -600.0 %: below the floor of 0.0 %"].assert_eq(&refused(&campaign("Winter", spend(1800))));
    let mut other = campaign("Winter", spend(100));
    other["market"] = json!("uk");
    expect_test::expect!["the campaign breaks a rule: /market: uk: this shop is served for eu"].assert_eq(&refused(&other));
    let mut taken = campaign("Winter", spend(100));
    taken["offers"][0]["promotion"]["promotion_id"] = json!("free-shipping");
    expect_test::expect!["another campaign has a promotion free-shipping: give this one another identifier"].assert_eq(&refused(&taken));
    let mut own = campaign("Winter", spend(100));
    own["holdout_share"] = json!(0.0);
    expect_test::expect![
        "the campaign breaks a rule: /holdout_share: the whole shop has one: leave it out here, and set it in the file of --offers"
    ]
    .assert_eq(&refused(&own));
    for (name, body) in [("sql", "';DROP TABLE campaign;--"), ("long", &"x".repeat(65)), ("none", "")] {
        let mut document = campaign("Winter", spend(100));
        document["campaign_id"] = json!(body);
        assert_eq!(shop.send("ana", "POST", "/v1/campaigns", &document).status, 422, "{name}");
    }
    // Two who edit at once: the second is told.
    let before = tag(&shop.send("eve", "GET", "/v1/campaigns/winter", &Value::Null));
    let bearer = format!("Bearer {}", (shop.key)("ana"));
    let put = || {
        let body = campaign("Winter", spend(100)).to_string();
        shop.server
            .send("PUT", "/v1/campaigns/winter", &[("authorization", &bearer), ("if-match", &before)], body.as_bytes())
            .unwrap()
            .status
    };
    assert_eq!((put(), put()), (200, 412));
    // Pages.
    for number in 0..5 {
        let mut document = campaign("Winter", spend(100));
        document["campaign_id"] = json!(format!("c{number}"));
        assert_eq!(shop.send("ana", "POST", "/v1/campaigns", &document).status, 201);
    }
    let (mut after, mut names) = (String::new(), vec![]);
    loop {
        let page = shop.send("eve", "GET", &format!("/v1/campaigns?limit=2&after={after}"), &Value::Null).json();
        names.extend(page["campaigns"].as_array().unwrap().iter().map(|line| line["campaign_id"].as_str().unwrap().to_owned()));
        let Some(next) = page["next"].as_str() else { break };
        next.clone_into(&mut after);
    }
    assert_eq!(names, ["c0", "c1", "c2", "c3", "c4", "winter"]);
}

/// The same from the command line.
#[test]
fn a_campaign_from_the_command_line() {
    let folder = tempfile::tempdir().unwrap();
    let shop = shop(folder.path());
    let file = folder.path().join("winter.json");
    std::fs::write(&file, campaign("Winter", spend(500)).to_string()).unwrap();
    let ask = |who: &str, arguments: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_youhui"))
            .args(arguments)
            .args(["--server", &format!("http://{}", shop.server.address), "--key", &(shop.key)(who)])
            .output()
            .unwrap();
        let answer: Value = serde_json::from_slice(&output.stdout).unwrap_or(Value::Null);
        (output.status.code().unwrap(), answer, String::from_utf8_lossy(&output.stderr).into_owned())
    };
    assert_eq!(ask("ana", &["campaign", "create", file.to_str().unwrap()]).1["state"], "draft");
    for (who, step, state) in [("ana", "check", "checked"), ("ana", "submit", "submitted")] {
        assert_eq!(ask(who, &["campaign", step, "winter", "--reason", "a test"]).1["state"], state);
    }
    let etag = ask("eve", &["campaign", "show", "winter"]).1["etag"].as_str().unwrap().to_owned();
    let (code, _, said) = ask("ana", &["campaign", "approve", "winter", "--etag", &etag]);
    assert!(code == 1 && said.contains("this key's role is marketer"), "{said}");
    assert_eq!(ask("ben", &["campaign", "approve", "winter", "--etag", &etag]).1["state"], "approved");
    assert_eq!(ask("ana", &["campaign", "schedule", "winter", "--ends", "2099-01-01T00:00:00Z"]).1["state"], "live");
    assert_eq!(ask("ana", &["campaign", "stop", "--reason", "a wrong price"]).1["stopped"], true);
    assert_eq!(ask("ben", &["campaign", "go-on"]).1["stopped"], false);
    assert_eq!(ask("eve", &["campaign", "list"]).1["campaigns"][0]["state"], "live");
    let (_, answer, said) = ask("adi", &["privacy", "erase", "--user", "customer-1", "--reason", "asked"]);
    assert_eq!(answer["subjects"], 1, "{said}");
    assert_eq!(ask("adi", &["privacy", "object", "--user", "customer-2"]).1["objects"], true);
    assert_eq!(ask("adi", &["campaign", "show", "none"]).0, 1);
}
