//! A server that runs, and what is asked of it.
#![allow(dead_code, reason = "each test uses its own part")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

pub(crate) const OFFERS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/serve/offers.json");

/// `youhui`, for the shop of that folder: on the column that the tests run on.
pub(crate) fn youhui(shop: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_youhui"));
    if let Some(servers) = Servers::of(shop) {
        command.env("YOUHUI_DATABASE", servers.database()).env("YOUHUI_EVENTS", servers.events());
    }
    command
}

pub(crate) fn variable(name: &str) -> Option<String> {
    #[allow(clippy::disallowed_methods, reason = "where the tests' servers are")]
    std::env::var(name).ok()
}

/// The other column: a shop's data are on PostgreSQL and NATS, each with a name of the shop's own. `cargo xtask test --slow` runs the tests of a
/// running shop on both.
pub(crate) struct Servers {
    name: String,
    postgres: String,
    nats: String,
}

impl Servers {
    /// None, on the column that needs no server.
    pub(crate) fn of(shop: &Path) -> Option<Self> {
        if variable("YOUHUI_TEST_COLUMN").is_none_or(|column| column != "servers") {
            return None;
        }
        let needed = |name: &str| variable(name).unwrap_or_else(|| panic!("YOUHUI_TEST_COLUMN=servers needs {name}"));
        let folder = std::path::absolute(shop).unwrap();
        let name = format!("youhui_{}", &blake3::hash(folder.as_os_str().as_encoded_bytes()).to_hex()[..20]);
        let servers = Self { name, postgres: needed("YOUHUI_TEST_POSTGRES"), nats: needed("YOUHUI_TEST_NATS") };
        let make = format!("CREATE DATABASE {}", servers.name);
        let made = Command::new("psql").args([&servers.postgres, "-qc", &make]).output().unwrap();
        assert!(made.status.success() || String::from_utf8_lossy(&made.stderr).contains("already exists"), "{made:?}");
        Some(servers)
    }

    pub(crate) fn database(&self) -> String {
        format!("{}/{}", self.postgres.rsplit_once('/').unwrap().0, self.name)
    }

    pub(crate) fn events(&self) -> String {
        format!("{}/{}", self.nats, self.name)
    }

    /// Does something in the database.
    pub(crate) fn run(&self, statements: &str) {
        let mut psql = Command::new("psql");
        psql.args([&self.database(), "-v", "ON_ERROR_STOP=1", "-qf", "-"]).stdin(Stdio::piped()).stdout(Stdio::null());
        let mut psql = psql.spawn().unwrap();
        psql.stdin.take().unwrap().write_all(statements.as_bytes()).unwrap();
        assert!(psql.wait().unwrap().success(), "{statements}");
    }

    /// Everything in the database, as text.
    pub(crate) fn dump(&self) -> Vec<u8> {
        let dump = Command::new("pg_dump").arg(self.database()).output().unwrap();
        assert!(dump.status.success(), "{}", String::from_utf8_lossy(&dump.stderr));
        dump.stdout
    }

    /// What the stream has on disk.
    pub(crate) fn stream(&self) -> PathBuf {
        let streams = variable("YOUHUI_TEST_NATS_STREAMS").expect("YOUHUI_TEST_NATS_STREAMS says where NATS keeps its streams");
        let stream = Path::new(&streams).join("jetstream/$G/streams").join(&self.name);
        assert!(stream.join("msgs").exists(), "{}", stream.display());
        stream
    }
}

/// A database of the test's own; none, where there is no PostgreSQL.
pub(crate) fn database(name: &str) -> Option<String> {
    let Some(url) = variable("YOUHUI_TEST_POSTGRES") else {
        eprintln!("not run on PostgreSQL: YOUHUI_TEST_POSTGRES is not set");
        return None;
    };
    let name = format!("youhui_{name}_{}", std::process::id());
    let made = Command::new("psql").args([&url, "-qc", &format!("CREATE DATABASE {name}")]).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    Some(format!("{}/{name}", url.rsplit_once('/').unwrap().0))
}

/// A running server; killed when dropped.
pub(crate) struct Server {
    pub(crate) child: Child,
    pub(crate) address: String,
    /// What it said before it listened.
    pub(crate) said: String,
}

impl Server {
    pub(crate) fn start(folder: &Path, more: &[&str]) -> Self {
        let child = youhui(folder)
            .args(["serve", "--listen", "127.0.0.1:0", "--store"])
            .arg(folder)
            .args(if more.contains(&"--offers") || more.contains(&"--config") { vec![] } else { vec!["--offers", OFFERS] })
            .args(more)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // From here on it is killed whatever happens.
        let mut server = Self { child, address: String::new(), said: String::new() };
        let mut lines = BufReader::new(server.child.stderr.take().unwrap()).lines();
        while server.address.is_empty() {
            let line = lines.next().expect("the server listens").unwrap();
            server.said.push_str(&line);
            server.said.push('\n');
            line.strip_prefix("listening on http")
                .and_then(|rest| rest.rsplit("//").next())
                .unwrap_or_default()
                .clone_into(&mut server.address);
        }
        // Whatever else it says must not fill the pipe.
        std::thread::spawn(move || lines.for_each(drop));
        server
    }

    pub(crate) fn post(&self, path: &str, body: &Value) -> Answer {
        self.send("POST", path, &[], body.to_string().as_bytes()).expect("an answer")
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &[], b"").expect("an answer")
    }

    pub(crate) fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> std::io::Result<Answer> {
        send(&self.address, method, path, headers, body)
    }

    /// A figure of `/metrics`.
    pub(crate) fn metric(&self, name: &str) -> u64 {
        let text = self.get("/metrics").text;
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')).unwrap_or_else(|| panic!("{name} in {text}"));
        line.parse().unwrap()
    }

    /// A decision for a customer at home.
    pub(crate) fn decide(&self, customer: &str) -> Value {
        let answer = self.post("/v1/decisions", &json!({"customer": {"user_id": customer}, "placements": ["home"]}));
        assert_eq!(answer.status, 200, "{}", answer.text);
        answer.json()
    }

    pub(crate) fn stop(mut self) -> bool {
        // A polite end, as a service manager asks for it.
        Command::new("kill").arg(self.child.id().to_string()).status().unwrap();
        self.child.wait().unwrap().success()
    }

    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// Asks whoever listens there.
pub(crate) fn send(address: &str, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> std::io::Result<Answer> {
    let mut stream = TcpStream::connect(address)?;
    let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nhost: shop\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: {}\r\n{headers}\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes())?;
    // A server that refuses a large body early may close before it has read all.
    stream.write_all(body).ok();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    Answer::read(&answer).ok_or_else(|| std::io::Error::other("no whole answer"))
}

pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: String,
    pub(crate) text: String,
}

impl Answer {
    fn read(bytes: &[u8]) -> Option<Self> {
        let text = String::from_utf8_lossy(bytes);
        let (head, body) = text.split_once("\r\n\r\n")?;
        let status = head.split(' ').nth(1)?.parse().ok()?;
        Some(Self { status, headers: head.to_lowercase(), text: body.to_owned() })
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }
}

pub(crate) fn order(message: &str, customer: &str) -> Value {
    json!({"type": "track", "event": "Order Completed", "messageId": message, "userId": customer, "properties": {
        "order_id": message, "currency": "EUR", "products": [{"product_id": "tea", "price": 12.5, "quantity": 2}]}})
}

/// Customers who are known and not held out: decisions of them are explored.
pub(crate) fn known(server: &Server, count: usize, headers: &[(&str, &str)]) -> Vec<String> {
    let customers: Vec<String> = (0..count).map(|number| format!("customer-{number}")).collect();
    let batch: Vec<Value> = customers.iter().map(|customer| order(&format!("m-{customer}"), customer)).collect();
    assert_eq!(
        server.send("POST", "/v1/batch", headers, json!({"batch": batch}).to_string().as_bytes()).unwrap().json()["accepted"],
        count
    );
    customers
}

/// A new key, made with `youhui keys add`.
pub(crate) fn key(folder: &Path, name: &str, role: &str) -> String {
    let output = youhui(folder).args(["keys", "add", "--name", name, "--role", role, "--store"]).arg(folder).output().unwrap();
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)));
    answer["key"].as_str().unwrap().to_owned()
}

/// The value of a key, wherever it is.
pub(crate) fn any<'a>(value: &'a Value, key: &str) -> Option<&'a Value> {
    match value {
        Value::Object(map) => map.get(key).or_else(|| map.values().find_map(|value| any(value, key))),
        Value::Array(list) => list.iter().find_map(|value| any(value, key)),
        _ => None,
    }
}
