//! `youhui price` and the schemas of its documents, through the binary.
#![allow(clippy::unwrap_used, reason = "a test's way to fail")]

use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use expect_test::{Expect, expect};
use serde_json::{Value, json};

/// A folder with three promotions.
struct Desk {
    folder: tempfile::TempDir,
}

impl Desk {
    fn new() -> Self {
        let desk = Self { folder: tempfile::tempdir().unwrap() };
        let document = |id: &str, parts: Value| {
            let mut document = json!({"schema_version": 2, "promotion_id": id, "currency": "CNY"});
            document.as_object_mut().unwrap().extend(parts.as_object().unwrap().clone());
            document
        };
        let promotions = json!([
            document("save", json!({"effects": [{"kind": "spend_and_save", "tiers": [{"from": 10000, "off": {"amount": 2000}}]}]})),
            document(
                "ten",
                json!({"effects": [{"kind": "percent_off", "basis_points": 1000}], "trigger": {"kind": "code", "codes": ["TEN"]}, "limits": {"per_customer": 1}})
            ),
            document(
                "gold",
                json!({"effects": [{"kind": "member_price", "groups": ["gold"], "off": {"basis_points": 500}}], "schedule": {"starts": "2026-11-11T00:00", "time_zone": "Asia/Shanghai"}})
            ),
        ]);
        desk.write("promotions.json", &promotions.to_string());
        desk
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        std::fs::write(self.path(name), text).unwrap();
        self.path(name)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_youhui"));
        command.current_dir(self.folder.path()).args(["price", "--promotions", "promotions.json"]).args(arguments);
        command
    }

    /// Prices baskets from standard input.
    fn price(&self, arguments: &[&str], baskets: &[u8]) -> Output {
        let mut child = self
            .command(&[&["--basket", "-"], arguments].concat())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut input = child.stdin.take().unwrap();
        let bytes = baskets.to_vec();
        let writer = std::thread::spawn(move || input.write_all(&bytes).ok());
        let output = child.wait_with_output().unwrap();
        writer.join().unwrap();
        output
    }
}

fn basket(quantity: i64, codes: &[&str]) -> Value {
    json!({"currency": "CNY", "codes": codes, "lines": [{"line_id": "1", "product_id": "cup", "quantity": quantity, "unit_price": 3000}]})
}

fn lines(output: &Output) -> Vec<Value> {
    std::str::from_utf8(&output.stdout).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn check(output: &Output, code: i32, expected: Expect) {
    expected.assert_eq(std::str::from_utf8(&output.stderr).unwrap().trim_end());
    assert_eq!(output.status.code(), Some(code));
}

#[test]
fn baskets_in_prices_out_in_order() {
    let desk = Desk::new();
    let baskets: String = (1..=3000).map(|quantity| format!("{}\n", basket(quantity, &["ten"]))).collect();
    let output = desk.price(&["--at", "2026-11-01T00:00:00Z"], baskets.as_bytes());
    check(&output, 0, expect![""]);
    let priced = lines(&output);
    assert_eq!(priced.len(), 3000);
    for (quantity, priced) in (1_i64..).zip(&priced) {
        assert_eq!(priced["subtotal"], 3000 * quantity);
        let left = 3000 * quantity - if 3000 * quantity >= 10_000 { 2000 } else { 0 };
        assert_eq!(priced["total"].as_i64().unwrap(), left - left / 10);
        assert_eq!(priced["applied"].as_array().unwrap().last().unwrap()["code"], "ten");
    }
    // The same from a file, and with any number of threads.
    let file = desk.write("baskets.jsonl", &baskets);
    let again =
        desk.command(&["--at", "2026-11-01T00:00:00Z", "--basket", file.to_str().unwrap()]).env("RAYON_NUM_THREADS", "1").output().unwrap();
    assert_eq!(again.stdout, output.stdout);
}

#[test]
fn an_answer_comes_before_the_next_basket() {
    let desk = Desk::new();
    let mut child = desk.command(&["--basket", "-"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let (mut input, mut answers) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()).lines());
    for quantity in 1..=3 {
        writeln!(input, "{}", basket(quantity, &[])).unwrap();
        input.flush().unwrap();
        let answer: Value = serde_json::from_str(&answers.next().unwrap().unwrap()).unwrap();
        assert_eq!(answer["subtotal"], 3000 * quantity);
    }
    drop(input);
    assert!(child.wait().unwrap().success());
}

#[test]
fn a_wrong_basket_has_an_answer_of_its_own() {
    let desk = Desk::new();
    let text = format!("{}\n{{\"currency\": \"CNY\",\n\n{}\n{}", basket(1, &[]), basket(0, &[]), basket(4, &[]));
    let output = desk.price(&["--at", "2026-11-01T00:00:00Z"], text.as_bytes());
    check(
        &output,
        2,
        expect![[r#"
            error: standard input line 2: /: is not JSON: EOF while parsing a value at line 2 column 0; write one basket a line (jq -c . makes them so)
            error: standard input line 4: /lines/0/quantity: is 0: write 1 to 1000000
            error: 2 baskets could not be priced: see above"#]],
    );
    let answers = lines(&output);
    assert_eq!((&answers[0]["total"], &answers[1]["line"], &answers[3]["total"]), (&json!(3000), &json!(2), &json!(10_000)));
    assert_eq!(answers[2]["problems"][0]["pointer"], "/lines/0/quantity");
}

#[test]
fn a_customer_has_groups_and_has_used_promotions() {
    let desk = Desk::new();
    desk.write("customer.json", r#"{"customer": {"groups": ["gold"]}, "usage": {"ten": {"by_customer": 1}}}"#);
    let text = basket(1, &["TEN"]).to_string();
    let total = |arguments: &[&str]| lines(&desk.price(arguments, text.as_bytes()))[0]["total"].clone();
    assert_eq!(total(&["--at", "2026-11-10T15:59:59Z"]), 2700);
    assert_eq!(total(&["--at", "2026-11-10T15:59:59Z", "--customer", "customer.json"]), 3000);
    // Members' prices begin at midnight in Shanghai.
    assert_eq!(total(&["--at", "2026-11-11T00:00:00+08:00", "--customer", "customer.json"]), 2850);
    desk.write("customer.json", r#"{"customers": {}}"#);
    check(
        &desk.price(&["--customer", "customer.json"], text.as_bytes()),
        2,
        expect![[r#"error: customer.json: /customers: is no field here: did you mean "customer"?"#]],
    );
}

#[test]
fn a_receipt_for_people_says_why() {
    let desk = Desk::new();
    let output = desk
        .price(&["--at", "2026-11-01T00:00:00Z", "--format", "table", "--explain"], basket(3, &["TEN", "ELEVEN"]).to_string().as_bytes());
    check(&output, 0, expect![""]);
    expect![[r#"
        basket 1   CNY
          line                               units        before           off        to pay
          1                                      3         90.00         -9.00         81.00
          total                                                          -9.00         81.00
          + ten (code TEN): ¥9.00
          - gold: it has not started yet
          - save: ¥10.00 more must be spent
          - ELEVEN: no promotion has this code
          ? ¥10.00 more for ¥20.00 off: save
          . save: spend_and_save: nothing, as ¥10.00 more must be spent; 90.00 left
          . ten: percent_off: ¥9.00 off ($.lines[0] ¥9.00); 81.00 left
    "#]]
    .assert_eq(std::str::from_utf8(&output.stdout).unwrap());
}

#[test]
fn wrong_files_and_arguments_say_what_to_do() {
    let desk = Desk::new();
    let run = |arguments: &[&str]| {
        Command::new(env!("CARGO_BIN_EXE_youhui")).current_dir(desk.folder.path()).arg("price").args(arguments).output().unwrap()
    };
    check(
        &run(&["--promotions", "none.json", "--basket", "-"]),
        2,
        expect!["error: none.json: No such file or directory (os error 2). Check the path"],
    );
    desk.write("bad.json", r#"[{"schema_version": 2, "promotion_id": "p", "currency": "CNY", "effects": [{"kind": "percent_of"}]}]"#);
    check(
        &run(&["--promotions", "bad.json", "--basket", "-"]),
        2,
        expect![[r#"error: bad.json: /0/effects/0/kind: is "percent_of": did you mean "percent_off"?"#]],
    );
    desk.write("future.json", r#"{"schema_version": 9, "promotion_id": "p", "currency": "CNY", "effects": [{"kind": "shipping"}]}"#);
    check(
        &run(&["--promotions", "future.json", "--basket", "-"]),
        2,
        expect!["error: future.json: /schema_version: this version of Youhui reads versions 1 and 2 of the language"],
    );
    check(
        &run(&["--promotions", "promotions.json", "--basket", "none.jsonl"]),
        2,
        expect!["error: none.jsonl: No such file or directory (os error 2). Check the path"],
    );
    let when = run(&["--promotions", "promotions.json", "--basket", "-", "--at", "tomorrow"]);
    assert_eq!(when.status.code(), Some(2));
    assert!(String::from_utf8(when.stderr).unwrap().contains("write a moment such as 2026-11-11T00:00:00+08:00"));
}

#[test]
fn bytes_that_are_no_baskets_are_refused_one_by_one() {
    let desk = Desk::new();
    let mut bytes: Vec<u8> = (0..=255).collect();
    bytes.extend(format!("\n{}\n", basket(1, &[])).bytes());
    let output = desk.price(&[], &bytes);
    assert_eq!(output.status.code(), Some(2));
    let answers = lines(&output);
    assert_eq!(answers.last().unwrap()["total"], 3000);
    assert!(answers[0]["problems"][0]["message"].as_str().unwrap().contains("JSON"));
}

#[test]
fn schemas_of_documents_are_published() {
    for (name, required) in [("promotion", "effects"), ("basket", "lines"), ("priced", "applied")] {
        let output = Command::new(env!("CARGO_BIN_EXE_youhui")).args(["schema", name]).output().unwrap();
        assert!(output.status.success());
        let schema: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
        assert!(schema["required"].as_array().unwrap().contains(&json!(required)), "{schema}");
        assert!(schema["properties"][required].is_object());
    }
}

#[test]
fn a_basket_of_a_million_lines_has_an_answer_and_so_has_the_next() {
    let desk = Desk::new();
    let line = |id: u32| format!(r#"{{"line_id":"{id}","product_id":"cup","quantity":1,"unit_price":1000}}"#);
    let lines_of = |count: u32| (0..count).map(line).collect::<Vec<_>>().join(",");
    let (million, many) = (lines_of(1_000_000), lines_of(100_001));
    let text = format!("{{\"currency\":\"CNY\",\"lines\":[{million}]}}\n{{\"currency\":\"CNY\",\"lines\":[{many}]}}\n{}\n", basket(1, &[]));
    assert!(text.len() > 64 << 20);
    let output = desk.price(&["--at", "2026-11-01T00:00:00Z"], text.as_bytes());
    check(
        &output,
        2,
        expect![[r#"
            error: standard input line 1: /: is longer than 67108864 bytes: write one basket a line, of at most 100000 lines
            error: standard input line 2: /lines: 100001 lines: a basket has at most 100000
            error: 2 baskets could not be priced: see above"#]],
    );
    assert_eq!(lines(&output)[2]["total"], 3000);
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let desk = Desk::new();
    let baskets: String = (1..=20_000).map(|quantity| format!("{}\n", basket(quantity, &[]))).collect();
    let file = desk.write("baskets.jsonl", &baskets);
    let mut child = desk.command(&["--basket", file.to_str().unwrap()]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut first = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut first).unwrap();
    let output = child.wait_with_output().unwrap();
    check(&output, 0, expect![""]);
}
