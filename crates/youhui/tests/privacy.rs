//! Rows P11 to P13 and P27 of what the law asks for, shown on a server that runs and on every byte that it keeps.
#![allow(clippy::unwrap_used, reason = "a test's way to fail")]

mod served;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use arrow_array::cast::AsArray;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::{Value, json};
use served::{Server, Servers, order};

/// Everything that anna is called or says contains it.
const CANARY: &str = "c4n4ry";

const MAPPING: &str = r#"
[shop]
currency = "EUR"
time_zone = "Europe/Berlin"
[consent]
default = "granted"
basis = "a test"
[events]
customer = "customer"
time = "time"
product = "sku"
order = "basket"
quantity = "units"
amount = "paid"
[customers]
customer = "customer"
attributes = ["city"]
"#;

const EVENTS: &str = "customer,time,sku,basket,units,paid\n\
    c4n4ry-anna,2026-03-01T10:00:00Z,tea,c4n4ry-basket,2,4.50\n\
    bob,2026-03-02T11:00:00Z,cup,b2,1,9.00\n\
    bob,2026-03-03T11:00:00Z,cup,b3,1,9.00\n\
    c4n4ry-anna,of c4n4ry-anna,tea,c4n4ry-broken,1,1.00\n";

fn youhui(folder: &Path, arguments: &[&str]) -> Output {
    let output = Command::new(env!("CARGO_BIN_EXE_youhui")).current_dir(folder).args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output
}

/// Imports the shop's files into its folder; rows of those who were erased.
fn import(folder: &Path) -> u64 {
    let mut erased = 0;
    for (file, table) in [("events.csv", "events"), ("customers.csv", "customers")] {
        let output = youhui(folder, &["import", file, "--as", table, "--store", "shop", "--mapping", "mapping.toml", "--format", "json"]);
        let summary: Value = serde_json::from_slice(&output.stdout).unwrap();
        erased += summary["erased"].as_u64().unwrap_or(0);
    }
    erased
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut all = vec![];
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() { all.extend(files(&path)) } else { all.push(path) }
    }
    all
}

/// What a file holds: of a Parquet file every value, for it is compressed.
fn content(path: &Path) -> Vec<u8> {
    if path.extension().is_none_or(|extension| extension != "parquet") {
        return std::fs::read(path).unwrap();
    }
    let reader = ParquetRecordBatchReaderBuilder::try_new(std::fs::File::open(path).unwrap()).unwrap().build().unwrap();
    let mut all = vec![];
    for column in reader.map(Result::unwrap).flat_map(|batch| batch.columns().to_vec()) {
        if let Some(bytes) = column.as_fixed_size_binary_opt() {
            bytes.iter().flatten().for_each(|value| all.extend_from_slice(value));
        } else if let Some(bytes) = column.as_binary_opt::<i32>() {
            bytes.iter().flatten().for_each(|value| all.extend_from_slice(value));
        } else if let Some(text) = column.as_string_opt::<i32>() {
            text.iter().flatten().for_each(|value| all.extend_from_slice(value.as_bytes()));
        } else if let Some(codes) = column.as_any_dictionary_opt() {
            // Every text of the dictionary, used or not.
            codes.values().as_string::<i32>().iter().flatten().for_each(|value| all.extend_from_slice(value.as_bytes()));
        }
    }
    all
}

/// Files in which one of these stands, but for the list of who was erased; and tables and messages, where these are on servers.
fn found(folder: &Path, traces: &[Vec<u8>]) -> Vec<String> {
    let mut all = vec![];
    let servers = Servers::of(folder);
    let mut places = files(folder);
    places.extend(servers.iter().flat_map(|servers| files(&servers.stream())));
    let has = |content: &[u8], trace: &[u8]| content.windows(trace.len()).any(|window| window == trace);
    for path in places.into_iter().filter(|path| !path.ends_with("keys/erased.json")) {
        let content = content(&path);
        for trace in traces.iter().filter(|trace| has(&content, trace)) {
            all.push(format!("{}: {}", path.strip_prefix(folder).unwrap_or(&path).display(), String::from_utf8_lossy(trace)));
        }
    }
    if let Some(dump) = servers.map(|servers| servers.dump()) {
        // Bytes are written as hexadecimal digits.
        let digits = |trace: &[u8]| trace.iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"));
        for trace in traces.iter().filter(|trace| has(&dump, trace) || has(&dump, digits(trace).as_bytes())) {
            all.push(format!("the database: {}", String::from_utf8_lossy(trace)));
        }
    }
    all
}

fn copy(from: &Path, to: &Path) {
    for path in files(from).into_iter().filter(|path| !path.components().any(|part| part.as_os_str() == "keys")) {
        let target = to.join(path.strip_prefix(from).unwrap());
        std::fs::create_dir_all(target.parent().unwrap()).unwrap();
        std::fs::copy(&path, &target).unwrap();
    }
}

fn hex(text: &str) -> Vec<u8> {
    (0..text.len() / 2).map(|place| u8::from_str_radix(&text[2 * place..2 * place + 2], 16).unwrap()).collect()
}

/// Everything anna does and says, with the canary in every field that there is.
fn live(server: &Server, time: &str) {
    let anna = json!({"userId": "c4n4ry-anna", "anonymousId": "c4n4ry-device"});
    let message = |more: Value| {
        let mut message = anna.clone();
        message.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        message["timestamp"] = json!(time);
        message["context"] = json!({"ip": "c4n4ry-ip", "userAgent": "c4n4ry-agent", "locale": "c4n4ry"});
        message["traits"] = json!({"email": "c4n4ry@example.com", "name": "c4n4ry"});
        message
    };
    let product =
        json!({"product_id": "c4n4ry-product", "sku": "c4n4ry-sku", "name": "c4n4ry", "price": 20, "quantity": 2, "coupon": "c4n4ry"});
    let batch = json!({"batch": [
        message(json!({"type": "identify", "messageId": "c4n4ry-1"})),
        message(json!({"type": "track", "messageId": "c4n4ry-2", "event": "Product Viewed", "properties": product})),
        message(json!({"type": "track", "messageId": "c4n4ry-3", "event": "Order Completed", "properties": {
            "order_id": "c4n4ry-order", "currency": "EUR", "coupon": "c4n4ry-coupon", "affiliation": "c4n4ry", "products": [product]}})),
        message(json!({"type": "track", "messageId": "c4n4ry-4", "event": "Promotion Clicked", "properties": {"promotion_id": "c4n4ry-promotion", "creative": "c4n4ry"}})),
        message(json!({"type": "track", "messageId": "c4n4ry-5", "event": "Product Reviewed", "properties": {"product_id": "c4n4ry", "review_body": "c4n4ry", "rating": "c4n4ry"}})),
        message(json!({"type": "page", "messageId": "c4n4ry-6", "name": "c4n4ry", "properties": {"url": "https://shop/c4n4ry"}})),
        message(json!({"type": "track", "messageId": "c4n4ry-7", "event": "Order Completed", "properties": {"order_id": "c4n4ry-refused", "currency": "c4n4ry", "products": [product]}})),
        order("b-1", "bob"),
    ]});
    assert_eq!(server.post("/v1/batch", &batch).status, 200);
}

#[test]
fn nothing_is_left_of_whoever_is_erased() {
    let desk = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(desk.path().join(name), text).unwrap();
    write("mapping.toml", MAPPING);
    write("events.csv", EVENTS);
    write("customers.csv", "customer,city\nc4n4ry-anna,c4n4ry-city\nbob,Bern\n");
    assert_eq!(import(desk.path()), 0);
    let shop = desk.path().join("shop");
    let server =
        Server::start(&shop, &["--offers", "offers.json"].map(|one| if one == "offers.json" { write_offers(desk.path()) } else { one }));
    live(&server, "2026-11-01T10:00:00Z");
    // Consent that she gave before, by a message without a time.
    let consented = json!({"type": "identify", "messageId": "c4n4ry-yes", "userId": "c4n4ry-anna",
        "context": {"consent": {"categoryPreferences": {"Personalization": true}}}});
    assert_eq!(server.post("/v1/identify", &consented).status, 200);
    let anna = json!({"user_id": "c4n4ry-anna"});
    let basket = json!({"currency": "EUR", "lines": [{"line_id": "c4n4ry", "product_id": "c4n4ry", "quantity": 6, "unit_price": 2000}]});
    let ask = json!({"customer": anna, "placements": ["home"], "basket": basket});
    let decided = server.post("/v1/decisions", &ask).json();
    assert_eq!(decided["placements"][0]["mode"], "personalised", "she is known: {decided}");
    let reserve = json!({"promotion_id": "once", "customer": anna, "basket": basket});
    let reserved = server.send("POST", "/v1/reservations", &[("idempotency-key", "c4n4ry")], reserve.to_string().as_bytes()).unwrap();
    assert_eq!(reserved.status, 201, "{}", reserved.text);
    let explained = (0..100).find_map(|_| {
        std::thread::sleep(std::time::Duration::from_millis(50));
        let answer = server.get(&format!("/v1/decisions/{}", decided["decision_id"].as_str().unwrap()));
        (answer.status == 200).then(|| answer.json())
    });
    let subject = served::any(&explained.unwrap(), "subject").unwrap().as_str().unwrap().to_owned();
    let customers = server.metric("youhui_customers");
    assert!(server.stop());

    // What would tell of her: the canary, her subject as text and bytes, and the keyed hash that she is looked up by.
    let keys: Value = serde_json::from_slice(&std::fs::read(shop.join("keys/identity.json")).unwrap()).unwrap();
    let lookup: [u8; 32] = hex(keys["lookup"].as_str().unwrap()).try_into().unwrap();
    let hash = blake3::keyed_hash(&lookup, b"c4n4ry-anna");
    let bytes = hex(&subject.chars().filter(char::is_ascii_hexdigit).collect::<String>());
    assert_eq!(bytes.len(), 16, "{subject}");
    let traces =
        [CANARY.as_bytes().to_vec(), subject.clone().into_bytes(), bytes, hash.as_bytes().to_vec(), hash.to_hex().as_bytes().to_vec()];
    for trace in &traces[..4] {
        assert!(
            !found(&shop, std::slice::from_ref(trace)).is_empty(),
            "the search finds what is there: {}",
            String::from_utf8_lossy(trace)
        );
    }
    let backup = desk.path().join("backup");
    copy(&shop, &backup);
    let servers = Servers::of(&shop);
    let dump = servers.as_ref().map(Servers::dump);

    let offers = write_offers(desk.path());
    let server = Server::start(&shop, &["--offers", offers]);
    let answer = server.post("/v1/privacy/erasures", &json!({"customer": anna, "reason": "she asked"}));
    assert_eq!(answer.status, 200, "{}", answer.text);
    let answer = answer.json();
    assert_eq!(
        (&answer["subjects"], &answer["rows"]["events"], &answer["rows"]["quarantined"]),
        (&json!(2), &json!(1), &json!(1)),
        "{answer}"
    );
    // Again, as where an answer was lost: there is nothing left to do. Of somebody who was never known there is not either.
    assert_eq!(server.post("/v1/privacy/erasures", &json!({"customer": anna})).json()["subjects"], 0);
    assert_eq!(server.post("/v1/privacy/erasures", &json!({"customer": {"user_id": "nobody"}})).status, 404);
    let reads = server.metric("youhui_profile_reads");
    let decided = server.post("/v1/decisions", &ask).json();
    assert_eq!(decided["placements"][0]["mode"], "fallback");
    assert_eq!(server.metric("youhui_customers"), customers - 1);
    assert!(server.stop());
    assert_eq!(found(&shop, &traces), Vec::<String>::new());

    // P13: neither her old messages, nor such of the future, nor the shop's old files bring her back.
    write("events.csv", EVENTS.split_inclusive('\n').filter(|line| !line.contains("broken")).collect::<String>().as_str());
    assert_eq!(import(desk.path()), 2);
    let server = Server::start(&shop, &["--offers", offers]);
    live(&server, "2026-11-01T10:00:00Z");
    live(&server, "2099-01-01T00:00:00Z");
    let consent = json!({"consent": {"categoryPreferences": {"Personalization": true}, "noticeVersion": "3"}});
    let sign_up = |message: &str, time: &str| {
        let message = json!({"type": "identify", "messageId": message, "userId": "c4n4ry-anna", "timestamp": time, "context": consent});
        assert_eq!(server.post("/v1/identify", &message).status, 200);
    };
    assert_eq!(server.post("/v1/identify", &consented).json()["duplicates"], 1, "byte for byte, and remembered");
    sign_up("old-sign-up", "2026-11-01T10:00:00Z");
    sign_up("future-sign-up", "2099-01-01T00:00:00Z");
    assert_eq!(server.post("/v1/decisions", &ask).json()["placements"][0]["mode"], "fallback");
    assert_eq!((server.metric("youhui_customers"), server.metric("youhui_profile_reads")), (customers - 1, reads));
    assert!(server.stop());
    assert_eq!(found(&shop, &traces), Vec::<String>::new());

    // P12: a backup of before brings back nobody, for the keys and the list of who was erased are not in it.
    for path in files(&shop).into_iter().filter(|path| !path.components().any(|part| part.as_os_str() == "keys")) {
        std::fs::remove_file(path).unwrap();
    }
    copy(&backup, &shop);
    if let Some(servers) = &servers {
        servers.run("DROP SCHEMA public CASCADE; CREATE SCHEMA public");
        servers.run(&String::from_utf8(dump.unwrap()).unwrap());
    }
    assert!(!found(&shop, &traces).is_empty());
    let server = Server::start(&shop, &["--offers", offers]);
    assert!(server.said.contains("erased again"), "{}", server.said);
    assert_eq!(server.post("/v1/decisions", &ask).json()["placements"][0]["mode"], "fallback");

    // A new sign-up of the same person does work, and is somebody new.
    let now = jiff_now();
    let message = json!({"type": "identify", "messageId": "new-sign-up", "userId": "c4n4ry-anna", "timestamp": now, "context": consent});
    assert_eq!(server.post("/v1/identify", &message).status, 200);
    let bought = json!({"batch": [order("new-order", "c4n4ry-anna")]});
    assert_eq!(server.post("/v1/batch", &bought).json()["accepted"], 1);
    assert_eq!(server.post("/v1/decisions", &ask).json()["placements"][0]["mode"], "personalised");
    let told = server.post("/v1/privacy/consent", &json!({"customer": anna})).json();
    assert_eq!((&told["purposes"][0]["status"], &told["purposes"][0]["notice"]), (&json!("granted"), &json!("3")), "{told}");
    assert!(server.stop());
    assert_eq!(found(&shop, &traces[1..3]), Vec::<String>::new());
}

/// Offers that hold nobody out, one of which each customer gets once.
fn write_offers(folder: &Path) -> &'static str {
    let offers = json!({"schema_version": 1, "campaign_id": "autumn", "market": "eu", "holdout_share": 0.0, "offers": [{
        "promotion": {"schema_version": 2, "promotion_id": "once", "currency": "EUR", "limits": {"per_customer": 1},
            "effects": [{"kind": "spend_and_save", "tiers": [{"from": 5000, "off": {"amount": 1000}}]}]},
        "placements": ["home"], "twin": true, "predicted": 40, "std_error": 150}]});
    let path = folder.join("offers.json");
    std::fs::write(&path, offers.to_string()).unwrap();
    Box::leak(path.to_string_lossy().into_owned().into_boxed_str())
}

/// Now, as RFC 3339 writes it.
fn jiff_now() -> String {
    let output = Command::new("date").args(["-u", "+%Y-%m-%dT%H:%M:%S.%6NZ"]).output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// P18 and P27: a signal is one only if it says 1; who objects is the same on every device, and stays so until they take it back.
#[test]
fn an_objection_binds_every_device() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &["--consent-default", "granted"]);
    served::known(&server, 3, &[]);
    let ask = json!({"customer": {"user_id": "customer-1"}, "placements": ["home"]}).to_string();
    let decide = |signal: &str| {
        let answer = server.send("POST", "/v1/decisions", &[("sec-gpc", signal)], ask.as_bytes()).unwrap().json();
        (answer["placements"][0]["mode"].clone(), answer["opt_out_honoured"].clone())
    };
    for junk in ["0", "", "yes", "true", "1, 1", "11"] {
        assert_ne!(decide(junk).0, "twin", "{junk:?} is no signal");
    }
    let reads = server.metric("youhui_profile_reads");
    // Their phone, on which they are not known, and then are.
    let phone = json!({"type": "page", "messageId": "p1", "anonymousId": "phone", "properties": {"product_id": "tea"}}).to_string();
    let answer = server.send("POST", "/v1/page", &[("sec-gpc", "1")], phone.as_bytes()).unwrap();
    assert_eq!(answer.json()["opt_out_honoured"], true);
    assert_ne!(decide("0").0, "twin", "the phone is not known to be theirs");
    let login = json!({"type": "identify", "messageId": "p2", "anonymousId": "phone", "userId": "customer-1"});
    assert_eq!(server.post("/v1/identify", &login).status, 200);
    let before = server.metric("youhui_profile_reads");
    assert_eq!(decide("0"), (json!("twin"), Value::Null));
    assert_eq!(server.metric("youhui_profile_reads"), before, "no profile was read");
    assert!(before > reads);
    let take_back = json!({"customer": {"user_id": "customer-1"}, "objects": false});
    assert_eq!(server.post("/v1/privacy/objections", &take_back).json()["objects"], false);
    assert_ne!(decide("0").0, "twin");
    assert_eq!(server.get("/.well-known/gpc.json").json()["gpc"], true);
}

/// Customers who are erased and come back, all at once and again and again: it ends, and whoever came back last is there.
#[test]
fn erasures_and_sign_ups_at_once_end() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &["--consent-default", "granted"]);
    let names = served::known(&server, 8, &[]);
    let consent = json!({"consent": {"categoryPreferences": {"Personalization": true}}});
    let (shop, yes) = (&server, &consent);
    std::thread::scope(|scope| {
        for name in &names[..4] {
            scope.spawn(move || {
                for _ in 0..3 {
                    let answer = shop.post("/v1/privacy/erasures", &json!({"customer": {"user_id": name}}));
                    assert_eq!(answer.status, 200, "{}", answer.text);
                }
            });
            scope.spawn(move || {
                for number in 0..200 {
                    let id = format!("{name}-{number}");
                    let message = json!({"type": "identify", "messageId": id, "userId": name, "context": yes});
                    assert_eq!(shop.post("/v1/identify", &message).status, 200);
                    shop.post("/v1/decisions", &json!({"customer": {"user_id": name}, "placements": ["home"]}));
                }
            });
        }
    });
    // Those whom nobody erased are as they were.
    let mode = |name: &str| {
        let ask = json!({"customer": {"user_id": name}, "placements": ["home"]});
        server.post("/v1/decisions", &ask).json()["placements"][0]["mode"].as_str().unwrap().to_owned()
    };
    assert!(names[4..].iter().all(|name| mode(name) != "fallback"));
    assert!(server.stop());
}

/// A customer whom the server met before the shop's files were imported is one customer, with what both say, and is erased as one.
#[test]
fn whoever_is_imported_later_is_the_same_customer() {
    let desk = tempfile::tempdir().unwrap();
    let shop = desk.path().join("shop");
    let offers = write_offers(desk.path());
    let write = |name: &str, text: &str| std::fs::write(desk.path().join(name), text).unwrap();
    let server = Server::start(&shop, &["--offers", offers, "--consent-default", "granted"]);
    let batch = json!({"batch": [order("one", "bob"), order("two", "carol")]});
    assert_eq!(server.post("/v1/batch", &batch).json()["accepted"], 2);
    assert!(server.stop());
    write("mapping.toml", MAPPING);
    write("events.csv", EVENTS.split_inclusive('\n').filter(|line| !line.contains("broken")).collect::<String>().as_str());
    write("customers.csv", "customer,city\nbob,Bern\n");
    import(desk.path());
    for _ in 0..2 {
        let server = Server::start(&shop, &["--offers", offers]);
        assert_eq!(server.metric("youhui_customers"), 3, "anna, bob and carol");
        assert_eq!(server.decide("bob")["placements"][0]["mode"], "personalised");
        assert!(server.stop());
    }
    let server = Server::start(&shop, &["--offers", offers]);
    let erased = server.post("/v1/privacy/erasures", &json!({"customer": {"user_id": "bob"}})).json();
    assert_eq!((&erased["subjects"], &erased["identifiers"]), (&json!(2), &json!(2)), "{erased}");
    assert_eq!(server.metric("youhui_customers"), 2);
}

/// An erasure that a kill cuts off is done at the next start, before anybody is served.
#[test]
fn an_erasure_that_is_cut_off_is_finished() {
    let desk = tempfile::tempdir().unwrap();
    let shop = desk.path().join("shop");
    let offers = write_offers(desk.path());
    let start = || Server::start(&shop, &["--offers", offers, "--consent-default", "granted"]);
    let server = start();
    live(&server, "2026-11-01T10:00:00Z");
    let address = server.address.clone();
    // It waits a moment for what is under way before it takes anything out of the tables.
    let erasing = std::thread::spawn(move || {
        let body = json!({"customer": {"user_id": "c4n4ry-anna"}}).to_string();
        served::send(&address, "POST", "/v1/privacy/erasures", &[], body.as_bytes()).is_ok_and(|answer| answer.status == 200)
    });
    std::thread::sleep(std::time::Duration::from_millis(250));
    server.kill();
    assert!(!erasing.join().unwrap(), "it was cut off");
    assert!(!found(&shop, &[CANARY.as_bytes().to_vec()]).is_empty(), "her words are still there");
    let server = start();
    assert!(server.said.contains("erased again"), "{}", server.said);
    assert!(server.stop());
    assert_eq!(found(&shop, &[CANARY.as_bytes().to_vec()]), Vec::<String>::new());
}
