//! Events in a stream of NATS JetStream: what a shop does when its server is killed, is another shop's, or is gone. Where the program is,
//! `YOUHUI_TEST_NATS_SERVER` says; `cargo xtask test --slow` finds or fetches one. That a shop on servers does all that one on files does,
//! the other tests show, which run on both.
#![allow(clippy::unwrap_used, reason = "a test's way to fail")]

mod served;

use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use served::{Server, order};

/// A NATS server of the test's own.
struct Nats {
    child: Child,
    program: String,
    settings: PathBuf,
    port: u16,
}

impl Nats {
    /// None, where there is none.
    fn start(folder: &Path, more: &str) -> Option<Self> {
        let Some(program) = served::variable("YOUHUI_TEST_NATS_SERVER") else {
            eprintln!("not run: YOUHUI_TEST_NATS_SERVER is not set");
            return None;
        };
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let settings = folder.join("nats.conf");
        let store = folder.join("streams");
        let text = format!("listen: \"127.0.0.1:{port}\"\njetstream {{ store_dir: {store:?}, sync_interval: always }}\n{more}");
        std::fs::write(&settings, text).unwrap();
        let child = run(&program, &settings, port);
        Some(Self { child, program, settings, port })
    }

    fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    fn start_again(&mut self) {
        self.child = run(&self.program, &self.settings, self.port);
    }

    fn url(&self, stream: &str) -> String {
        format!("nats://127.0.0.1:{}/{stream}", self.port)
    }
}

fn run(program: &str, settings: &Path, port: u16) -> Child {
    let child = Command::new(program).arg("-c").arg(settings).stderr(Stdio::null()).spawn().unwrap();
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        std::thread::sleep(Duration::from_millis(20));
    }
    child
}

impl Drop for Nats {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// What `serve` says where it does not start, and its code.
fn refused(shop: &Path, flags: &[&str]) -> (Option<i32>, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_youhui"))
        .args(["serve", "--offers", served::OFFERS, "--store"])
        .arg(shop)
        .args(if flags.contains(&"--listen") { vec![] } else { vec!["--listen", "127.0.0.1:0"] })
        .args(flags)
        .output()
        .unwrap();
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

fn customers(server: &Server) -> u64 {
    server.metric("youhui_customers")
}

/// Sends messages of that number and the nineteen after, each of a customer of its own, until they are acknowledged.
fn send(server: &Server, from: usize) {
    let batch: Vec<Value> = (from..from + 20).map(|number| order(&format!("m{number}"), &format!("c{number}"))).collect();
    let body = json!({"batch": batch}).to_string();
    for _ in 0..600 {
        let answer = server.send("POST", "/v1/batch", &[], body.as_bytes()).unwrap();
        if answer.status == 200 {
            return;
        }
        assert_eq!(answer.status, 503, "{}", answer.text);
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("nothing is taken");
}

/// Both the stream's server and our own are killed, again and again: every event that was acknowledged is there, once.
#[test]
fn what_was_acknowledged_outlives_a_kill_of_the_stream() {
    let folder = tempfile::tempdir().unwrap();
    let Some(mut nats) = Nats::start(folder.path(), "") else { return };
    let shop = folder.path().join("shop");
    let url = nats.url("tea");
    let start = || Server::start(&shop, &["--consent-default", "granted", "--events", &url]);
    let mut server = start();
    let mut sent = 0;
    for round in 0..2 {
        for batch in 0..15 {
            if batch == 7 {
                nats.kill();
                let answer = server.post("/v1/batch", &json!({"batch": [order(&format!("meanwhile-{round}"), "nobody")]}));
                assert_eq!((answer.status, answer.json()["code"].as_str()), (503, Some("store_failed")), "{}", answer.text);
                assert_eq!(server.get("/ready").json()["events"], "refused", "decisions go on");
                assert_eq!(server.decide("c1")["placements"][0]["placement"], "home", "decisions go on");
                nats.start_again();
            }
            send(&server, sent);
            sent += 20;
        }
        // What was not acknowledged may have been kept all the same, and then it counts at the next start.
        let counted = || customers(&server) - sent as u64;
        assert!(counted() <= 1, "round {round}: {}", counted());
        server.kill();
        server = start();
        let counted = customers(&server) - sent as u64;
        assert!(counted <= 1, "round {round}: {counted}");
    }
}

/// Two servers that share a stream, which is killed while customers write to one and, where it does not answer, to the other: both know everybody.
#[test]
fn what_one_server_acknowledged_both_know_though_the_stream_is_killed() {
    let folder = tempfile::tempdir().unwrap();
    let Some(mut nats) = Nats::start(folder.path(), "") else { return };
    let Some(database) = served::database("streams") else { return };
    let shop = folder.path().join("shop");
    let url = nats.url("tea");
    let start = || Server::start(&shop, &["--consent-default", "granted", "--database", &database, "--events", &url]);
    let servers = [start(), start()];
    let stop = std::sync::atomic::AtomicBool::new(false);
    let sent: usize = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..4)
            .map(|client| {
                let (servers, stop) = (&servers, &stop);
                scope.spawn(move || {
                    let mut sent = 0;
                    while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                        let name = format!("{client}-{sent}");
                        let body = json!({"batch": [order(&format!("m{name}"), &format!("c{name}"))]}).to_string();
                        // Again, and at the other, until it is taken.
                        let taken = (0..200).any(|attempt| {
                            let answer = servers[(sent + attempt) % 2].send("POST", "/v1/batch", &[], body.as_bytes()).unwrap();
                            assert!([200, 503].contains(&answer.status), "{}", answer.text);
                            answer.status == 200
                        });
                        assert!(taken, "nothing is taken");
                        sent += 1;
                    }
                    sent
                })
            })
            .collect();
        for _ in 0..3 {
            std::thread::sleep(Duration::from_millis(700));
            nats.kill();
            std::thread::sleep(Duration::from_millis(300));
            nats.start_again();
        }
        std::thread::sleep(Duration::from_millis(700));
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        clients.into_iter().map(|client| client.join().unwrap()).sum()
    });
    let known = || servers.each_ref().map(customers);
    let both = (0..200).any(|_| {
        std::thread::sleep(Duration::from_millis(100));
        known() == [sent as u64; 2]
    });
    assert!(both && sent > 20, "{:?} of {sent}", known());
}

/// A shop that has had its events in its own log goes on in a stream, and can't lose it unnoticed.
#[test]
fn a_shop_goes_on_in_a_stream_and_stays_there() {
    let folder = tempfile::tempdir().unwrap();
    let Some(mut nats) = Nats::start(folder.path(), "") else { return };
    let shop = folder.path().join("shop");
    let flags = ["--consent-default", "granted"];
    let server = Server::start(&shop, &flags);
    send(&server, 0);
    let url = nats.url("tea");
    let in_stream = [&flags[..], &["--events", &url]].concat();
    // What is wrong with a command moves no shop; a server that is left behind takes nothing more.
    let (code, why) = refused(&shop, &[&in_stream[..], &["--listen", &server.address]].concat());
    assert!(code == Some(4) && why.contains("Is another server running?"), "{why}");
    assert_eq!(server.post("/v1/batch", &json!({"batch": [order("m1", "c1"), order("more", "c2")]})).json()["accepted"], 1);
    drop(Server::start(&shop, &in_stream));
    let answer = server.post("/v1/batch", &json!({"batch": [order("much more", "c2")]}));
    assert!(answer.status == 503 && answer.text.contains("with --events"), "{}", answer.text);
    assert!(server.stop());
    for from in [20, 40] {
        let server = Server::start(&shop, &in_stream);
        send(&server, from);
        assert_eq!(customers(&server), from as u64 + 20);
        // What is sent again counts once, from whichever log.
        assert_eq!(server.post("/v1/batch", &json!({"batch": [order("m3", "c3"), order("m23", "c23")]})).json()["duplicates"], 2);
        server.kill();
    }
    let (code, why) = refused(&shop, &flags);
    assert!(code == Some(2) && why.contains("--events nats://HOST:PORT/tea"), "{why}");
    let (code, why) = refused(&shop, &["--events", &nats.url("coffee")]);
    assert!(code == Some(2) && why.contains("in the stream tea, and not in coffee"), "{why}");
    let (code, why) = refused(&folder.path().join("other"), &["--events", &url]);
    assert!(code == Some(2) && why.contains("another shop's"), "{why}");
    let doctor = Command::new(env!("CARGO_BIN_EXE_youhui"))
        .args(["doctor", "--listen", "127.0.0.1:0", "--events", &url, "--store"])
        .arg(&shop)
        .output();
    let told = String::from_utf8_lossy(&doctor.unwrap().stdout).into_owned();
    assert!(told.contains("messages 1 to 2"), "{told}");
    // A wrong name that nothing was written to does not bind a shop.
    let (_, why) = refused(&folder.path().join("other"), &["--events", "nats://127.0.0.1:1/x"]);
    assert!(why.contains("the stream of events can't be reached"), "{why}");
    drop(Server::start(&folder.path().join("other"), &["--events", &nats.url("other")]));
    // Its data are lost.
    nats.kill();
    std::fs::remove_dir_all(folder.path().join("streams")).unwrap();
    nats.start_again();
    let (code, why) = refused(&shop, &["--events", &url]);
    assert!(code == Some(2) && why.contains("restore it from a backup"), "{why}");
    nats.kill();
    let (code, why) = refused(&shop, &["--events", &url]);
    assert!(code == Some(4) && why.contains("can't be reached"), "{why}");
}

#[test]
fn a_stream_that_would_lose_events_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    for (url, why) in [
        ("tea", "not a URL"),
        ("http://localhost/tea", "neither nats:// nor tls://"),
        ("nats://localhost/a.b", "a stream's name"),
        ("nats://localhost/'; DROP", "a stream's name"),
        ("nats://u:secret@:x/tea", "not an address"),
    ] {
        let (code, told) = refused(folder.path(), &["--events", url]);
        assert!(code == Some(2) && told.contains(why) && !told.contains("secret"), "{url}: {told}");
    }
    let Some(nats) = Nats::start(folder.path(), "max_payload: 64KB\n") else { return };
    let (code, told) = refused(folder.path(), &["--events", &nats.url("tea")]);
    assert!(code == Some(2) && told.contains("set max_payload to 1MB"), "{told}");
    let (code, told) = refused(folder.path(), &["--events", &nats.url("tea"), "--events-credentials", "nowhere.creds"]);
    assert!(code == Some(2) && told.contains("nowhere.creds"), "{told}");
}
