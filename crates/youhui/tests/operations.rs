//! How a server is run: settings, limits, TLS, logs, and what `youhui doctor` finds.
#![allow(clippy::unwrap_used, reason = "a test's way to fail")]

mod served;

use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Command, Output};

use expect_test::{Expect, expect};
use serde_json::{Value, json};
use served::{OFFERS, Server};

fn youhui(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_youhui")).current_dir(folder).env_remove("YOUHUI_LISTEN").args(arguments).output().unwrap()
}

fn lines(output: &Output) -> Vec<Value> {
    String::from_utf8_lossy(&output.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// What `serve` would go by, of these settings.
fn settings(file: &str, environment: &[(&str, &str)], flags: &[&str], names: &[&str], expected: &Expect) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("youhui.toml"), file).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_youhui"));
    command.current_dir(folder.path()).args(["config", "show", "--origin", "serve", "--"]).args(flags);
    let output = command.envs(environment.iter().copied()).output().unwrap();
    let told = if output.status.success() {
        let lines = lines(&output);
        let line = |name: &&str| lines.iter().find(|line| line["name"] == **name).unwrap().to_string();
        names.iter().map(line).collect::<Vec<_>>().join("\n")
    } else {
        String::from_utf8_lossy(&output.stderr).trim_end().to_owned()
    };
    expected.assert_eq(&told);
}

#[test]
fn flags_come_before_the_environment_before_the_file_before_defaults() {
    let file = "[serve]\nlisten = \"127.0.0.1:1\"\nrate-limit = 5\nmost-requests = 7\nstore = \"file\"\nlog-requests = true\nwrite-key = [\"a\", \"b\"]\n";
    settings(
        file,
        &[("YOUHUI_LISTEN", "127.0.0.1:2"), ("YOUHUI_RATE_LIMIT", "6")],
        &["--listen", "127.0.0.1:3"],
        &["listen", "rate-limit", "most-requests", "store", "log-requests", "write-key", "log", "offers"],
        &expect![[r#"
            {"name":"listen","value":"127.0.0.1:3","origin":"flag"}
            {"name":"rate-limit","value":"6","origin":"environment"}
            {"name":"most-requests","value":"7","origin":"file"}
            {"name":"store","value":"file","origin":"file"}
            {"name":"log-requests","value":"true","origin":"file"}
            {"name":"write-key","value":"(hidden)","origin":"file"}
            {"name":"log","value":"text","origin":"default"}
            {"name":"offers","value":null,"origin":"not set"}"#]],
    );
    settings(
        "[serve]\nlissten = 1\n",
        &[],
        &[],
        &[],
        &expect![
            "error: youhui.toml: [serve] lissten: there is no such setting; there are store, offers, listen, database, events, events-credentials, predictions, prediction-value, write-key, secret-key, tls-cert, tls-key, rate-limit, most-requests, webhook, webhook-secret, log, log-requests, consent-default"
        ],
    );
    settings("[sevre]\n", &[], &[], &[], &expect!["error: youhui.toml: [sevre]: there is no such command"]);
    settings("[serve]\nlog-requests = 3\n", &[], &[], &[], &expect!["error: youhui.toml: [serve] log-requests: write true or false"]);
    settings(
        "[serve\n",
        &[],
        &[],
        &[],
        &expect![[r#"
        error: youhui.toml: TOML parse error at line 1, column 7
          |
        1 | [serve
          |       ^
        unclosed table, expected `]`"#]],
    );
}

#[test]
fn a_file_of_settings_runs_a_server() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("shop.toml");
    std::fs::write(&file, format!("[serve]\noffers = {OFFERS:?}\nconsent-default = \"granted\"\n")).unwrap();
    let server = Server::start(&folder.path().join("shop"), &["--config", file.to_str().unwrap()]);
    assert_eq!(server.get("/ready").status, 200);
}

#[test]
fn whoever_asks_too_often_is_told_so_and_nobody_else() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &["--secret-key", "fast", "--secret-key", "slow", "--write-key", "w", "--rate-limit", "5"]);
    let ask = |key: &str| {
        let bearer = format!("Bearer {key}");
        server.send("POST", "/v1/decisions", &[("authorization", &bearer)], br#"{"placements": ["home"]}"#).unwrap()
    };
    let answers: Vec<u16> = (0..20).map(|_| ask("fast").status).collect();
    assert!(answers.contains(&200) && answers.contains(&429), "{answers:?}");
    let told = (0..20).map(|_| ask("fast")).find(|answer| answer.status == 429).unwrap();
    assert!(told.headers.contains("retry-after: 1") && told.json()["code"] == "too_fast", "{}{}", told.headers, told.text);
    assert_eq!(ask("slow").status, 200);
    assert!(server.metric("youhui_requests_turned_away_total") > 0);
}

#[test]
fn logs_are_lines_of_json_without_identifiers() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    let mut child = Command::new(env!("CARGO_BIN_EXE_youhui"))
        .args(["serve", "--listen", "127.0.0.1:0", "--log", "json", "--log-requests", "--offers", OFFERS, "--store"])
        .arg(folder.path().join("shop"))
        .stderr(std::fs::File::create(&log).unwrap())
        .spawn()
        .unwrap();
    let read =
        || -> Vec<Value> { std::fs::read_to_string(&log).unwrap().lines().filter_map(|line| serde_json::from_str(line).ok()).collect() };
    let address = (0..200).find_map(|_| {
        std::thread::sleep(std::time::Duration::from_millis(50));
        read().iter().find_map(|line| line["message"].as_str()?.strip_prefix("listening on http://").map(str::to_owned))
    });
    let curl = |arguments: &[&str]| Command::new("curl").args(["-s", "-o", "/dev/null"]).args(arguments).status().unwrap();
    let base = format!("http://{}", address.unwrap());
    let body = json!({"customer": {"user_id": "anna-canary"}, "placements": ["canary"]}).to_string();
    curl(&["-d", &body, &format!("{base}/v1/decisions")]);
    curl(&[&format!("{base}/v1/decisions/canary")]);
    curl(&[&format!("{base}/v1/reservations/canary?canary=1")]);
    child.kill().unwrap();
    child.wait().unwrap();
    let lines = read();
    let told: Vec<String> = lines
        .iter()
        .filter(|line| line["route"].is_string())
        .map(|line| format!("{} {} {}", line["method"], line["route"], line["status"]))
        .collect();
    assert_eq!(told, [r#""POST" "/v1/decisions" 200"#, r#""GET" "/v1/decisions/{id}" 404"#, r#""GET" "/v1/reservations/{id}" 404"#]);
    assert!(!std::fs::read_to_string(&log).unwrap().contains("canary"));
}

#[test]
fn a_doctor_says_what_is_wrong_and_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let check = || {
        let output = youhui(folder.path(), &["doctor", "--store", "shop", "--offers", OFFERS, "--listen", "127.0.0.1:0"]);
        let told: Vec<String> = lines(&output)
            .iter()
            .map(|line| format!("{} {}: {}", line["check"].as_str().unwrap(), line["ok"], line["found"].as_str().unwrap()))
            .collect();
        (output.status.code(), told.join("\n"))
    };
    let (code, told) = check();
    assert_eq!(code, Some(0));
    expect![[r#"
        folder true: shop is not there yet: the server makes it
        keys true: none yet: the server makes them
        store true: nothing was imported
        erased true: nobody
        database true: none yet: the server makes it
        address true: 127.0.0.1:0 is free
        offers true: 3 promotions, all cleared"#]]
    .assert_eq(&told);
    drop(Server::start(&folder.path().join("shop"), &[]));
    assert_eq!(check().0, Some(0));
    // Keys that others can read, a log that was cut off.
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(folder.path().join("shop/keys"), std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    let audit = folder.path().join("shop/keys/audit.json");
    let text = std::fs::read_to_string(&audit).unwrap().replace("\"number\": 1", "\"number\": 9");
    std::fs::write(&audit, text).unwrap();
    let (code, told) = check();
    assert_eq!(code, Some(1));
    expect![[r#"
        folder true: shop can be written
        keys false: shop/keys: others can look into it (mode 755): chmod 700
        store true: nothing was imported
        erased true: 0 identifiers
        database true: it answers
        audit false: the log ends with row 1, and had 9: rows were cut off
        access true: no keys: whoever reaches the server may do everything, so it listens to this machine only
        address true: 127.0.0.1:0 is free
        offers true: 3 promotions, all cleared"#]]
    .assert_eq(&told);
}

#[test]
fn slow_tls_is_spoken_where_a_certificate_is_given() {
    let folder = tempfile::tempdir().unwrap();
    let made = Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-days",
            "2",
            "-subj",
            "/CN=localhost",
            "-addext",
            "subjectAltName=IP:127.0.0.1",
        ])
        .args(["-keyout", "key.pem", "-out", "cert.pem"])
        .current_dir(folder.path())
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let path = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
    let server = Server::start(&folder.path().join("shop"), &["--tls-cert", &path("cert.pem"), "--tls-key", &path("key.pem")]);
    let curl = |arguments: &[&str]| Command::new("curl").args(["-s", "--max-time", "5"]).args(arguments).output().unwrap();
    let url = format!("https://{}/ready", server.address);
    let answer = curl(&["--cacert", &path("cert.pem"), &url]);
    assert!(String::from_utf8_lossy(&answer.stdout).contains("ready"), "{answer:?}");
    assert!(!curl(&[&url]).status.success(), "nobody vouches for it");
    assert!(!curl(&[&url.replace("https", "http")]).status.success(), "nothing goes in the clear");
    assert!(curl(&["--cacert", &path("cert.pem"), "--tls-max", "1.1", &url]).stdout.is_empty(), "nor by what is broken");
    assert!(server.stop());
    // A key that is another's is found before anybody is served.
    Command::new("openssl").args(["genrsa", "-out", "other.pem", "2048"]).current_dir(folder.path()).output().unwrap();
    let wrong =
        youhui(folder.path(), &["serve", "--offers", OFFERS, "--store", "shop", "--tls-cert", "cert.pem", "--tls-key", "other.pem"]);
    assert_eq!(wrong.status.code(), Some(2), "{}", String::from_utf8_lossy(&wrong.stderr));
}

/// What one webhook says: its headers and its body.
type Told = (std::collections::BTreeMap<String, String>, String);

/// Takes webhooks, the first `failing` of which it fails.
fn receiver(failing: usize) -> (String, std::sync::mpsc::Receiver<Told>) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    let (sender, told) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        for (number, stream) in listener.incoming().enumerate() {
            let mut reader = BufReader::new(stream.unwrap());
            let mut headers = std::collections::BTreeMap::new();
            let mut line = String::new();
            while reader.read_line(&mut line).unwrap() > 2 {
                if let Some((name, value)) = line.trim_end().split_once(": ") {
                    headers.insert(name.to_lowercase(), value.to_owned());
                }
                line.clear();
            }
            let mut body = vec![0; headers["content-length"].parse().unwrap()];
            reader.read_exact(&mut body).unwrap();
            let answer = if number < failing { "500 No" } else { "204 Yes" };
            write!(reader.get_mut(), "HTTP/1.1 {answer}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").unwrap();
            if sender.send((headers, String::from_utf8(body).unwrap())).is_err() {
                return;
            }
        }
    });
    (url, told)
}

#[test]
fn webhooks_are_signed_told_in_order_and_again_until_they_are_taken() {
    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    let folder = tempfile::tempdir().unwrap();
    let (url, told) = receiver(1);
    let start = || Server::start(folder.path(), &["--webhook", &url, "--webhook-secret", SECRET]);
    let server = start();
    assert_eq!(server.post("/v1/stop", &json!({"reason": "a test"})).status, 200);
    // Of several servers another tells when the first one's lease is over.
    let next = || told.recv_timeout(std::time::Duration::from_secs(60)).unwrap();
    let (first, again, stop) = (next(), next(), next());
    assert_eq!((&first.0["webhook-id"], &first.1), (&again.0["webhook-id"], &again.1), "told again as it was");
    let of = |told: &Told| -> Value { serde_json::from_str(&told.1).unwrap() };
    assert_eq!((of(&first)["type"].as_str(), of(&stop)["type"].as_str()), (Some("offers.serve"), Some("shop.stop")));
    assert_eq!(of(&stop)["data"]["reason"], "a test");
    // By the library of the standard's makers, where it is; here by hand.
    let (headers, body) = &stop;
    let secret = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, &SECRET[6..]).unwrap();
    let mut mac = <hmac::Hmac<sha2::Sha256> as hmac::KeyInit>::new_from_slice(&secret).unwrap();
    hmac::Mac::update(&mut mac, format!("{}.{}.{body}", headers["webhook-id"], headers["webhook-timestamp"]).as_bytes());
    let signature = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, hmac::Mac::finalize(mac).into_bytes());
    assert_eq!(headers["webhook-signature"], format!("v1,{signature}"));
    // After a kill the last one may come again, under the same identifier; what is new comes.
    server.kill();
    let server = start();
    let third = next();
    let third = if third.0["webhook-id"] == "msg_2" { next() } else { third };
    assert_eq!((of(&third)["type"].as_str(), third.0["webhook-id"].as_str()), (Some("offers.serve"), "msg_3"));
    assert_eq!(server.send("DELETE", "/v1/stop", &[], b"").unwrap().status, 200);
    let last = next();
    assert_eq!((of(&last)["type"].as_str(), last.0["webhook-id"].as_str()), (Some("shop.go_on"), "msg_4"));
    assert_eq!(server.metric("youhui_webhook_failures_total"), 0);
    drop(server);
    let wrong = youhui(folder.path(), &["serve", "--offers", OFFERS, "--store", "shop", "--webhook", &url, "--webhook-secret", "short"]);
    assert_eq!(wrong.status.code(), Some(2));
}

#[test]
fn a_key_that_is_empty_lets_nobody_in() {
    let folder = tempfile::tempdir().unwrap();
    for flags in [["--secret-key", ""], ["--write-key", "a,"]] {
        let output = youhui(folder.path(), &[&["serve", "--offers", OFFERS, "--listen", "127.0.0.1:0"], &flags[..]].concat());
        assert_eq!(output.status.code(), Some(2), "{flags:?}");
    }
}

/// One request at a time: while it is under way the next is turned away, and whoever watches the server is answered.
#[test]
fn more_requests_than_may_be_under_way_are_turned_away() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &["--most-requests", "1"]);
    // Its body never comes to its end.
    let mut slow = std::net::TcpStream::connect(&server.address).unwrap();
    slow.write_all(b"POST /v1/decisions HTTP/1.1\r\nhost: shop\r\ncontent-length: 9\r\n\r\n{").unwrap();
    let ask = || server.post("/v1/decisions", &json!({"placements": ["home"]}));
    // A moment passes before it is read.
    let later = || {
        std::thread::sleep(std::time::Duration::from_millis(10));
        ask()
    };
    let turned_away = (0..500).map(|_| later()).find(|answer| answer.status != 200).expect("the slow one is under way");
    assert_eq!((turned_away.status, turned_away.json()["code"].as_str()), (503, Some("overloaded")), "{}", turned_away.text);
    assert!(turned_away.headers.contains("retry-after: 1"));
    assert_eq!((server.get("/health").status, server.metric("youhui_requests_under_way")), (200, 1));
    drop(slow);
    let again = (0..100).map(|_| ask().status).find(|status| *status == 200);
    assert_eq!(again, Some(200), "there is room again");
}
