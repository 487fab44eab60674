//! Bad input at the door: each either stops the import with a message that says what to do, or
//! puts its rows into quarantine and keeps the others; the store stays whole.
#![allow(clippy::unwrap_used, reason = "a test's way to fail")]

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use expect_test::{Expect, expect};
use serde_json::Value;

const MAPPING: &str = r#"
[shop]
currency = "EUR"
time_zone = "Europe/Berlin"
[events]
customer = "customer"
time = "time"
product = "sku"
order = "basket"
quantity = "units"
amount = "paid"
currency = "currency"
event_id = ["id"]
"#;

const HEAD: &str = "id,customer,time,sku,basket,units,paid,currency\n";
const GOOD: &str = "1,ann,2024-03-01T10:00:00Z,tea,b1,2,4.50,EUR\n2,bob,2024-03-02T11:00:00Z,cup,b2,1,9.00,EUR\n";

/// A folder with a mapping and a store to be.
struct Desk {
    folder: tempfile::TempDir,
}

impl Desk {
    fn new() -> Self {
        let desk = Self { folder: tempfile::tempdir().unwrap() };
        std::fs::write(desk.path("mapping.toml"), MAPPING).unwrap();
        desk
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn command(&self, file: &Path, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_youhui"));
        command.args(["import", "--as", "events", "--format", "json", "--seed", "1", "--quiet", "--store"]).arg(self.path("store"));
        command.arg("--mapping").arg(self.path("mapping.toml")).args(arguments).arg(file);
        command
    }

    fn import(&self, name: &str, bytes: &[u8], arguments: &[&str]) -> Output {
        std::fs::write(self.path(name), bytes).unwrap();
        self.command(&self.path(name), arguments).output().unwrap()
    }

    /// Imports what is good: the store must take it whatever was tried before.
    fn good_import_works(&self) {
        let output = self.import("good.csv", format!("{HEAD}{GOOD}").as_bytes(), &[]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert!(self.events() >= 2);
        assert!(!self.has_remains(), "half-written files stay in the store");
    }

    /// Rows of the store, by the store's own account.
    fn events(&self) -> u64 {
        let manifest: Value = serde_json::from_slice(&std::fs::read(self.path("store/store.json")).unwrap()).unwrap();
        manifest["events"].as_array().unwrap().iter().map(|segment| segment["rows"].as_u64().unwrap()).sum()
    }

    /// Every file of the store with its bytes.
    fn contents(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let (mut folders, mut files) = (vec![self.path("store")], vec![]);
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() { folders.push(path) } else { files.push((path.clone(), std::fs::read(&path).unwrap())) }
            }
        }
        files.sort();
        files
    }

    fn has_remains(&self) -> bool {
        let manifest = std::fs::read_to_string(self.path("store/store.json")).unwrap();
        let names = std::fs::read_dir(self.path("store")).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut remains =
            names.filter(|name| (name.starts_with("events-0") || name == "store.staged") && !manifest.contains(name.as_str()));
        remains.next().is_some()
    }

    /// The output with this machine's paths taken out.
    fn said(&self, bytes: &[u8]) -> String {
        String::from_utf8(bytes.to_vec()).unwrap().replace(&self.folder.path().display().to_string(), "DESK").trim().to_owned()
    }
}

/// The whole import is refused.
fn refused(name: &str, bytes: &[u8], message: Expect) {
    let desk = Desk::new();
    let output = desk.import(name, bytes, &[]);
    assert_eq!(output.status.code(), Some(2), "{name}");
    assert!(output.stdout.is_empty());
    message.assert_eq(&desk.said(&output.stderr));
    assert!(!desk.path("store/store.json").exists(), "a refused import made a store");
    desk.good_import_works();
}

/// Among good rows, `rows` go to quarantine: the summary's counts and what the quarantine says.
fn quarantined(rows: impl AsRef<[u8]>, expected: Expect) {
    quarantined_under(MAPPING, rows, expected);
}

fn quarantined_under(mapping: &str, rows: impl AsRef<[u8]>, expected: Expect) {
    let desk = Desk::new();
    std::fs::write(desk.path("mapping.toml"), mapping).unwrap();
    let bytes = [HEAD.as_bytes(), GOOD.as_bytes(), rows.as_ref()].concat();
    let output = desk.import("rows.csv", &bytes, &["--allow-bad"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let summary: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(desk.events(), summary["added"].as_u64().unwrap());
    let count = |field: &str| summary[field].as_u64().unwrap_or(0);
    let bad: u64 = summary["bad"].as_object().unwrap().values().map(|count| count.as_u64().unwrap()).sum();
    assert_eq!(count("rows"), count("added") + count("known") + count("excluded") + bad, "parts must sum to the whole: {summary}");
    let mut text = format!("added {}, known {}\n", count("added"), count("known"));
    if let Some(path) = summary["quarantine"].as_str() {
        for line in std::fs::read_to_string(path).unwrap().lines() {
            let row: Value = serde_json::from_str(line).unwrap();
            writeln!(text, "row {} {} {}: {}", row["row"], row["field"], row["rule"], row["remedy"]).unwrap();
        }
    }
    expected.assert_eq(&text);
    desk.good_import_works();
}

#[test]
fn files_that_are_not_what_they_say_are_refused() {
    refused("empty.csv", b"", expect!["error: DESK/empty.csv: is empty: export it again"]);
    refused("empty.jsonl", b"", expect!["error: DESK/empty.jsonl: is empty: export it again"]);
    refused("zero.parquet", b"", expect!["error: DESK/zero.parquet: is empty: export it again"]);
    refused(
        "noise.parquet",
        &[7; 500],
        expect!["error: DESK/noise.parquet: is not a Parquet file, whatever its name says: export it again"],
    );
    refused(
        "cut.parquet",
        &include_bytes!("../sample/coupon_redemptions.parquet")[..2000],
        expect![
            "error: DESK/cut.parquet: not a readable Parquet file (Parquet error: Invalid Parquet file. Corrupt footer): export it again"
        ],
    );
    refused("header.csv", HEAD.as_bytes(), expect!["error: DESK/header.csv: has no row: export it again"]);
    refused("blank.jsonl", b"\n \n\n", expect!["error: DESK/blank.jsonl: has no row: export it again"]);
    refused("blank.csv", b"\n\n\n", expect!["error: DESK/blank.csv: has no row: export it again"]);
    refused(
        "list.json",
        br#"[{"id": 1}, {"id": 2}]"#,
        expect!["error: DESK/list.json: is a list of JSON, not lines of JSON: write one object a line (jq -c '.[]')"],
    );
    refused(
        "pretty.json",
        b"{\n  \"id\": 1\n}\n",
        expect![[
            r#"error: 3 of 3 rows are bad, mostly `broken_line` (pretty.json row 1, field line: "EOF while parsing an object at line 2 column 0"; export the file again, as UTF-8: the line is cut, has another number of fields or another encoding): nothing was imported. Check the mapping, or pass --allow-bad to keep the good rows"#
        ]],
    );
    refused(
        "keys.jsonl",
        b"{\"id\": 1, \"kunde\": \"ann\"}\n",
        expect![
            "error: DESK/keys.jsonl: has no column basket, currency, customer, paid, sku, time, units; it has id, kunde. Name the right columns in a mapping file (--mapping)"
        ],
    );
    refused("packed.csv.gz", &[0x1f, 0x8b, 8, 0, 0, 0], expect!["error: DESK/packed.csv.gz: is compressed: unpack it first"]);
    refused(
        "sheet.xlsx",
        b"PK\x03\x04\x14\0",
        expect!["error: DESK/sheet.xlsx: is a zip archive or a spreadsheet: unpack it, or save the sheet as CSV"],
    );
    refused("gbk.csv", b"\xb6\xa9\xb5\xa5,customer\n1,ann\n", expect!["error: DESK/gbk.csv: is not UTF-8 text: save it as UTF-8"]);
    refused(
        "twice.csv",
        format!("id,{HEAD}1,{GOOD}").as_bytes(),
        expect!["error: DESK/twice.csv: has two columns named id: rename one of them"],
    );
    // Nothing that a terminal would obey.
    refused(
        "controls.csv",
        b"\x1b[2J,\x07\n1,2\n",
        expect![
            "error: DESK/controls.csv: has no column basket, currency, customer, id, paid, sku, time, units; it has �[2J, �. Name the right columns in a mapping file (--mapping)"
        ],
    );
    // A quote hides rows: those up to the file's end, or up to the next quote.
    let quote = "3,ann,2024-03-03T10:00:00Z,\"tea,b3,1,4.50,EUR\n4,ann,2024-03-03T10:00:00Z,tea,b4,1,4.50,EUR\n";
    refused(
        "open.csv",
        format!("{HEAD}{GOOD}{quote}").as_bytes(),
        expect![
            "error: DESK/open.csv: row 3 has a quote that is not closed before the row ends, which would hide the rows after it: write quotes inside of cells twice, or export the file again"
        ],
    );
    let closed = quote.replace("tea,b4", "\"cup,b4");
    refused(
        "hidden.csv",
        format!("{HEAD}{GOOD}{closed}").as_bytes(),
        expect![
            "error: DESK/hidden.csv: row 3 has a quote that is not closed before the row ends, which would hide the rows after it: write quotes inside of cells twice, or export the file again"
        ],
    );
    refused(
        "header-quote.csv",
        format!("id,\"{HEAD}{GOOD}").as_bytes(),
        expect![
            "error: DESK/header-quote.csv: its header has a quote that is not closed before the row ends, which would hide the rows after it: write quotes inside of cells twice, or export the file again"
        ],
    );
    refused(
        "missing-column.csv",
        b"id,customer,time,sku\n1,ann,2024-03-01T10:00:00Z,tea\n",
        expect![
            "error: DESK/missing-column.csv: has no column basket, currency, paid, units; it has id, customer, time, sku. Name the right columns in a mapping file (--mapping)"
        ],
    );
    refused(
        "other.xlsx",
        b"PK",
        expect![
            "error: DESK/other.xlsx: has no column basket, currency, customer, id, paid, sku, time, units; it has PK. Name the right columns in a mapping file (--mapping)"
        ],
    );
    refused("binary.csv", &[0xff, 0xfe, 0, 0, 0x0a, 0xff, 0x2c, 0x0a], expect!["error: DESK/binary.csv: is UTF-16 text: save it as UTF-8"]);
}

#[test]
fn rows_that_break_a_rule_go_to_quarantine_and_the_others_stay() {
    quarantined(
        "3,ann,2024-03-03T10:00:00Z,tea,b3,-1,4.50,EUR\n",
        expect![[r#"
        added 2, known 0
        row 3 "quantity" "negative_quantity": "if negative means returned, set `negative_is_refund = true` in the mapping"
    "#]],
    );
    quarantined(
        "3,ann,yesterday,tea,b3,1,4.50,EUR\n",
        expect![[r#"
        added 2, known 0
        row 3 "time" "unreadable_time": "give the mapping's `time` the `format` of this column"
    "#]],
    );
    quarantined(
        "3,ann,2999-01-01T00:00:00Z,tea,b3,1,4.50,EUR\n",
        expect![[r#"
        added 2, known 0
        row 3 "time" "future": "check the clock or the time zone that wrote it"
    "#]],
    );
    quarantined(
        "3,ann,2024-03-03T10:00:00Z,tea,b3,one,4.50,EUR\n",
        expect![[r#"
        added 2, known 0
        row 3 "quantity" "not_a_number": "write digits with a point for the decimals; check which column the mapping names"
    "#]],
    );
    quarantined(
        "3,ann,2024-03-03T10:00:00Z,tea,b3,1,NaN,EUR\n",
        expect![[r#"
        added 2, known 0
        row 3 "amount" "not_a_number": "write digits with a point for the decimals; check which column the mapping names"
    "#]],
    );
    quarantined(
        "3,ann,2024-03-03T10:00:00Z,tea,b3,1,1e400,EUR\n",
        expect![[r#"
        added 2, known 0
        row 3 "amount" "not_a_number": "write digits with a point for the decimals; check which column the mapping names"
    "#]],
    );
    quarantined(
        "3,ann,2024-03-03T10:00:00Z,tea,b3,1,99999999999999999999,EUR\n",
        expect![[r#"
        added 2, known 0
        row 3 "amount" "too_large": "check the unit: the number is beyond anything a shop sells"
    "#]],
    );
    quarantined(
        "3,ann,2024-03-03T10:00:00Z,tea,b3,1,4.50,USD\n",
        expect![[r#"
        added 2, known 0
        row 3 "currency" "other_currency": "a store has one currency: import these rows into a store of their own"
    "#]],
    );
    quarantined(
        "3,,2024-03-03T10:00:00Z,tea,b3,1,4.50,EUR\n",
        expect![[r#"
        added 2, known 0
        row 3 "customer" "missing": "fill the field, or leave the row out of the export"
    "#]],
    );
    quarantined(
        "3,ann,2024-03-03T10:00:00Z,tea\n",
        expect![[r#"
            added 2, known 0
            row 3 "line" "broken_line": "export the file again, as UTF-8: the line is cut, has another number of fields or another encoding"
        "#]],
    );
    quarantined(
        "3,ann,2024-03-03T10:00:00Z,tea,b3,1,4.50,EUR,more,and,more\n",
        expect![[r#"
            added 2, known 0
            row 3 "line" "broken_line": "export the file again, as UTF-8: the line is cut, has another number of fields or another encoding"
        "#]],
    );
    quarantined(
        "3,ann,2024-03-03T10:00:00Z,\"tea,b3,1,4.5",
        expect![[r#"
            added 2, known 0
            row 3 "line" "broken_line": "export the file again, as UTF-8: the line is cut, has another number of fields or another encoding"
        "#]],
    );
    quarantined(
        ",ann,2024-03-03T10:00:00Z,tea,b3,1,4.50,EUR\n",
        expect![[r#"
        added 2, known 0
        row 3 "event_id" "missing": "fill the field, or leave the row out of the export"
    "#]],
    );
    quarantined(
        "3,ann,2024-03-03T10:00:00Z,tea,b3,0,0,EUR\n",
        expect![[r#"
        added 2, known 0
        row 3 "quantity" "nothing_bought": "a line without units and money is no order: leave it out of the export"
    "#]],
    );
    quarantined(
        format!("3,{},2024-03-03T10:00:00Z,tea,b3,1,4.50,EUR\n", "x".repeat(5000)),
        expect![[r#"
        added 2, known 0
        row 3 "customer" "too_long": "the field holds more than an identifier: check which column the mapping names"
    "#]],
    );
    quarantined(
        format!("3,ann,2024-03-03T10:00:00Z,{},b3,1,4.50,EUR\n", "x".repeat(5000)),
        expect![[r#"
        added 2, known 0
        row 3 "product" "too_long": "the field holds more than an identifier: check which column the mapping names"
    "#]],
    );
    // Latin-1 and cut UTF-8.
    quarantined(
        b"3,ann,2024-03-03T10:00:00Z,th\xe9,b3,1,4.50,EUR\n",
        expect![[r#"
        added 2, known 0
        row 3 "sku" "broken_line": "export the file again, as UTF-8: the line is cut, has another number of fields or another encoding"
    "#]],
    );
    quarantined(
        b"3,ann,2024-03-03T10:00:00Z,\xe8\x8c,b3,1,4.50,EUR\n",
        expect![[r#"
        added 2, known 0
        row 3 "sku" "broken_line": "export the file again, as UTF-8: the line is cut, has another number of fields or another encoding"
    "#]],
    );
    // Cut in the last column, under a quote.
    quarantined(
        "3,ann,2024-03-03T10:00:00Z,tea,b3,1,4.50,\"EUR",
        expect![[r#"
        added 2, known 0
        row 3 "line" "broken_line": "export the file again, as UTF-8: the line is cut, has another number of fields or another encoding"
    "#]],
    );
    quarantined(
        "3,ann,2024-03-03T10:00:00Z,tea,b3,1,4.50,\"EUR\n",
        expect![[r#"
        added 2, known 0
        row 3 "line" "broken_line": "export the file again, as UTF-8: the line is cut, has another number of fields or another encoding"
    "#]],
    );
    // Returns: as they are declared.
    let returns = MAPPING.replace("[events]", "[events]\nnegative_is_refund = true\ncost = \"paid\"\ndiscount = \"paid\"");
    quarantined_under(
        &returns,
        "3,ann,2024-03-03T10:00:00Z,tea,b3,-2,-9.00,EUR\n",
        expect![[r#"
        added 3, known 0
    "#]],
    );
    quarantined_under(
        &returns,
        "3,ann,2024-03-03T10:00:00Z,tea,b3,2,-9.00,EUR\n",
        expect![[r#"
        added 2, known 0
        row 3 "amount" "negative_amount": "an amount is not below 0; record money paid back as a `refund` event with a positive amount"
    "#]],
    );
    // The same event twice, and another event under an identifier that is taken.
    quarantined(
        "1,ann,2024-03-01T10:00:00Z,tea,b1,2,4.50,EUR\n",
        expect![[r#"
        added 2, known 1
    "#]],
    );
    quarantined(
        "1,ann,2024-03-01T10:00:00Z,tea,b1,3,6.75,EUR\n",
        expect![[r#"
        added 2, known 0
        row 3 "event_id" "conflicting_duplicate": "two different rows have one event id: name more columns in `event_id`"
    "#]],
    );
}

/// One bad cell among good rows: which rule it breaks.
#[test]
fn cells_that_no_shop_has_break_a_rule() {
    let rule = |column: &str, cell: &str, row: String| {
        let desk = Desk::new();
        let output = desk.import("rows.csv", format!("{HEAD}{GOOD}{row}\n").as_bytes(), &[]);
        assert!(output.status.success(), "{column} {cell}: {}", String::from_utf8_lossy(&output.stderr));
        let summary: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(summary["added"], 2, "{column} {cell} was taken");
        let bad = std::fs::read_to_string(summary["quarantine"].as_str().unwrap()).unwrap();
        let bad: Value = serde_json::from_str(bad.trim()).unwrap();
        assert!(bad["row"] == 3 && bad["field"] == column && !bad["remedy"].as_str().unwrap().is_empty(), "{bad}");
        format!("{column} {cell:?}: {} {}\n", bad["rule"].as_str().unwrap(), bad["value"])
    };
    let mut text = String::new();
    for cell in ["", "nan", "inf", "1e300", "10000000", "0x10", "-3", "-9223372036854775808"] {
        text += &rule("quantity", cell, format!("3,ann,2024-03-03T10:00:00Z,tea,b3,{cell},4.50,EUR"));
    }
    for cell in ["", "NaN", "inf", "-inf", "1,5", "-4.50", "4.50 EUR", "1e3", "١٢", "0x1F", "92233720368547758.07", "99999999999999999999"]
    {
        text += &rule("amount", cell, format!("3,ann,2024-03-03T10:00:00Z,tea,b3,1,\"{cell}\",EUR"));
    }
    for cell in
        ["", "yesterday", "2024-02-30", "2024-03-01T25:00:00Z", "01.03.2024", "1709287200", "1970-01-01", "2999-01-01", "99999-01-01"]
    {
        text += &rule("time", cell, format!("3,ann,{cell},tea,b3,1,4.50,EUR"));
    }
    expect![[r#"
        quantity "": missing ""
        quantity "nan": not_a_number "nan"
        quantity "inf": not_a_number "inf"
        quantity "1e300": too_large "1e300"
        quantity "10000000": too_large "10000000"
        quantity "0x10": not_a_number "0x10"
        quantity "-3": negative_quantity "-3"
        quantity "-9223372036854775808": too_large "-9223372036854775808"
        amount "": missing ""
        amount "NaN": not_a_number "NaN"
        amount "inf": not_a_number "inf"
        amount "-inf": not_a_number "-inf"
        amount "1,5": not_a_number "1,5"
        amount "-4.50": negative_amount "-450"
        amount "4.50 EUR": not_a_number "4.50 EUR"
        amount "1e3": not_a_number "1e3"
        amount "١٢": not_a_number "١٢"
        amount "0x1F": not_a_number "0x1F"
        amount "92233720368547758.07": too_large "92233720368547758.07"
        amount "99999999999999999999": too_large "99999999999999999999"
        time "": missing ""
        time "yesterday": unreadable_time "yesterday"
        time "2024-02-30": unreadable_time "2024-02-30"
        time "2024-03-01T25:00:00Z": unreadable_time "2024-03-01T25:00:00Z"
        time "01.03.2024": unreadable_time "01.03.2024"
        time "1709287200": unreadable_time "1709287200"
        time "1970-01-01": too_old "1970-01-01"
        time "2999-01-01": future "2999-01-01"
        time "99999-01-01": unreadable_time "99999-01-01"
    "#]]
    .assert_eq(&text);
}

#[test]
fn a_file_of_mostly_bad_rows_is_refused_as_a_whole() {
    let desk = Desk::new();
    let rows: String = (0..10).map(|id| format!("{id},ann,never,tea,b1,1,1.00,EUR\n")).collect();
    let output = desk.import("bad.csv", format!("{HEAD}{GOOD}{rows}").as_bytes(), &[]);
    assert_eq!(output.status.code(), Some(2));
    expect![[r#"error: 10 of 12 rows are bad, mostly `unreadable_time` (bad.csv row 3, field time: "never"; give the mapping's `time` the `format` of this column): nothing was imported. Check the mapping, or pass --allow-bad to keep the good rows"#]].assert_eq(&desk.said(&output.stderr));
    assert!(!desk.path("store/store.json").exists());
    desk.good_import_works();
}

#[test]
fn what_the_command_line_gets_wrong_is_said() {
    let desk = Desk::new();
    std::fs::write(desk.path("good.csv"), format!("{HEAD}{GOOD}")).unwrap();
    let check = |arguments: &[&str], message: Expect| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_youhui"));
        let output = command.current_dir(desk.folder.path()).arg("import").args(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        message.assert_eq(&desk.said(&output.stderr));
    };
    std::fs::write(desk.path("broken.toml"), "[shop\ncurrency = 1").unwrap();
    std::fs::write(desk.path("unknown.toml"), "[events]\ncustomer = \"c\"\ntime = \"t\"\ncolour = \"x\"\n").unwrap();
    std::fs::write(desk.path("dollars.toml"), MAPPING.replace("EUR", "USD")).unwrap();
    check(
        &["good.csv", "--as", "evnts", "--store", "s"],
        expect!["error: --as evnts: no such table; write one of events, products, customers, campaigns, exposures, offers"],
    );
    check(&["good.csv", "--as", "products:x", "--store", "s"], expect!["error: only events have variants: write --as events:NAME"]);
    check(
        &["good.csv", "--as", "events:x", "--store", "s", "--mapping", "mapping.toml"],
        expect!["error: mapping mapping.toml: it has no [more_events.x] section"],
    );
    check(
        &["good.csv", "--as", "offers", "--store", "s", "--mapping", "mapping.toml"],
        expect!["error: mapping mapping.toml: it has no [offers] section"],
    );
    check(
        &["gone.csv", "--as", "events", "--store", "s", "--mapping", "mapping.toml"],
        expect!["error: gone.csv: No such file or directory (os error 2). Check the path"],
    );
    check(&[".", "--as", "events", "--store", "s", "--mapping", "mapping.toml"], expect!["error: .: is a folder: name the files in it"]);
    check(
        &["good.csv", "--as", "events", "--store", "s", "--mapping", "nowhere.toml"],
        expect![
            "error: --mapping nowhere.toml: No such file or directory (os error 2). Give a path, or one of complete-journey, ta-feng, online-retail"
        ],
    );
    check(
        &["good.csv", "--as", "events", "--store", "s", "--mapping", "broken.toml"],
        expect![[r#"
        error: mapping broken.toml: TOML parse error at line 1, column 6
          |
        1 | [shop
          |      ^
        unclosed table, expected `]`"#]],
    );
    check(
        &["good.csv", "--as", "events", "--store", "s", "--mapping", "unknown.toml"],
        expect![[r#"
        error: mapping unknown.toml: TOML parse error at line 4, column 1
          |
        4 | colour = "x"
          | ^^^^^^
        unknown field `colour`, expected one of `kind`, `customer`, `time`, `product`, `order`, `quantity`, `amount`, `discount`, `vendor_discount`, `cost`, `promotion`, `currency`, `event_id`, `negative_is_refund`, `minor_units`, `exclude`"#]],
    );
    check(
        &["good.csv", "--as", "events", "--store", "good.csv", "--mapping", "mapping.toml"],
        expect!["error: good.csv: is a file: a store is a folder, name another"],
    );
    // Two currencies don't add: a store keeps the one it began with.
    desk.good_import_works();
    check(
        &["good.csv", "--as", "events", "--store", "store", "--mapping", "dollars.toml"],
        expect!["error: mapping dollars.toml: its currency is USD, the store's is EUR: import it into a store of its own"],
    );
}

/// A mapping that can't be right is refused before a file is read.
#[test]
fn a_mapping_that_cannot_be_right_is_refused() {
    let check = |from: &str, to: &str, message: Expect| {
        let desk = Desk::new();
        assert!(MAPPING.contains(from));
        std::fs::write(desk.path("mapping.toml"), MAPPING.replace(from, to)).unwrap();
        let output = desk.import("good.csv", format!("{HEAD}{GOOD}").as_bytes(), &[]);
        assert_eq!(output.status.code(), Some(2), "{to}");
        let said = desk.said(&output.stderr).replace("mapping DESK/mapping.toml: ", "");
        message.assert_eq(said.lines().last().unwrap());
        assert!(!desk.path("store").exists(), "{to} made a store");
    };
    let time = "time = \"time\"";
    let amount = "amount = \"paid\"";
    check("\"EUR\"", "\"EURO\"", expect![[r#""EURO" is not a currency: write the three ISO 4217 letters, such as CNY"#]]);
    check(
        "Europe/Berlin",
        "Europe/Berln",
        expect![[r#"error: shop.time_zone "Europe/Berln" is not an IANA time zone such as Asia/Shanghai"#]],
    );
    check("[events]", "assumed_margin = 1.5\n[events]", expect!["error: shop.assumed_margin must be from 0 up to, not including, 1"]);
    check(
        "[events]",
        "[consent]\ndefault = \"yes\"\nbasis = \"none\"\n[events]",
        expect![[r#"error: consent.default is "yes": write "granted" or "denied""#]],
    );
    check(
        time,
        "time = { column = \"time\", zone = \"Europe/Berln\" }",
        expect![[r#"error: events.time.zone "Europe/Berln" is not an IANA time zone such as Asia/Shanghai"#]],
    );
    check(
        time,
        "time = { column = \"time\", plus_days = 999999999999 }",
        expect!["error: events.time.plus_days is 999999999999: it must be within 36525 days"],
    );
    check(
        time,
        "time = { column = \"time\", fromat = \"%d\" }",
        expect![[r#"write a column's name, or { column = "A" } with format, zone or plus_days"#]],
    );
    check(time, "", expect!["missing field `time`"]);
    check(
        amount,
        "amount = { colunm = \"paid\" }",
        expect![[
            r#"write a column's name, or one of { sum = ["A", "B"] }, { product = ["COUNT", "PRICE"] }, { join = ["A", "B"] }, { constant = "VALUE" }"#
        ]],
    );
    check(
        amount,
        "amount = { sum = [\"paid\"], product = [\"units\", \"paid\"] }",
        expect![[
            r#"write a column's name, or one of { sum = ["A", "B"] }, { product = ["COUNT", "PRICE"] }, { join = ["A", "B"] }, { constant = "VALUE" }"#
        ]],
    );
    check(amount, "amount = { sum = [] }", expect!["error: events.amount names no column"]);
    check(
        amount,
        "amount = { constant = \"4,50\" }",
        expect![[r#"error: events.amount: "4,50" is not an amount: write digits with a point for the decimals, such as 19.90"#]],
    );
    check(
        amount,
        "amount = \"paid\"\nkind = { constant = \"ordr\" }",
        expect![[r#"error: events.kind "ordr" is no kind of event: write one that `youhui schema events` lists"#]],
    );
    check(
        "event_id = [\"id\"]",
        "event_id = []",
        expect!["error: events.event_id names no column: leave it out to know events by their content"],
    );
}

/// Where bad rows go is the user's choice, but for files that hold something else.
#[test]
fn a_quarantine_overwrites_nothing_else() {
    let desk = Desk::new();
    let rows = format!("{HEAD}{GOOD}3,ann,never,tea,b3,1,4.50,EUR\n");
    std::fs::create_dir(desk.path("folder")).unwrap();
    let refused = |path: &str, message: Expect| {
        let output = desk.import("rows.csv", rows.as_bytes(), &["--quarantine", desk.path(path).to_str().unwrap()]);
        assert_eq!(output.status.code(), Some(2), "{path}");
        message.assert_eq(&desk.said(&output.stderr));
        assert_eq!(std::fs::read_to_string(desk.path("rows.csv")).unwrap(), rows, "the input was overwritten");
    };
    refused("rows.csv", expect!["error: DESK/rows.csv: is there already and holds no bad rows: name another file (--quarantine)"]);
    refused("mapping.toml", expect!["error: DESK/mapping.toml: is there already and holds no bad rows: name another file (--quarantine)"]);
    refused("folder", expect!["error: DESK/folder: is a folder: name a file for bad rows (--quarantine)"]);
    let accepted = |path: &str| {
        let output = desk.import("rows.csv", rows.as_bytes(), &["--quarantine", desk.path(path).to_str().unwrap()]);
        assert!(output.status.success(), "{path}: {}", desk.said(&output.stderr));
        assert_eq!(std::fs::read_to_string(desk.path(path)).unwrap().lines().count(), 1);
    };
    accepted("new/bad.jsonl");
    // Its own file of the last time it may write anew.
    accepted("new/bad.jsonl");
    refused(
        "store/store.json",
        expect!["error: DESK/store/store.json: is there already and holds no bad rows: name another file (--quarantine)"],
    );
    desk.good_import_works();
}

/// Two imports that add nothing: the bad rows of the first are still there after the second.
#[test]
fn each_import_keeps_its_quarantine() {
    let desk = Desk::new();
    desk.good_import_works();
    let mut seen = std::collections::BTreeSet::new();
    for cell in ["never", "2999-01-01", "1970-01-01"] {
        let output = desk.import("rows.csv", format!("{HEAD}{GOOD}3,ann,{cell},tea,b3,1,4.50,EUR\n").as_bytes(), &[]);
        let summary: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!((&summary["added"], &summary["known"]), (&Value::from(0), &Value::from(2)));
        assert!(seen.insert(summary["quarantine"].as_str().unwrap().to_owned()), "{cell}: overwritten");
    }
    seen.iter().for_each(|path| assert_eq!(std::fs::read_to_string(path).unwrap().lines().count(), 1));
}

/// Without its keys a store can't tell whom and what it knows: new keys would count all of it twice.
#[test]
fn a_store_without_its_keys_takes_nothing() {
    let desk = Desk::new();
    desk.good_import_works();
    std::fs::rename(desk.path("store/keys"), desk.path("elsewhere")).unwrap();
    let gone = |arguments: &[&str]| {
        let output = desk.command(&desk.path("good.csv"), arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(2));
        desk.said(&output.stderr)
    };
    expect!["error: DESK/store/keys/identity.json: the key file is gone: restore it from a backup. With new keys every customer and event would be taken for a new one"].assert_eq(&gone(&[]));
    assert_eq!(gone(&["--dry-run"]), gone(&[]));
    std::fs::rename(desk.path("elsewhere"), desk.path("store/keys")).unwrap();
    desk.good_import_works();
    std::fs::write(desk.path("store/keys/identity.json"), "{\"version\": 1}").unwrap();
    let output = desk.command(&desk.path("good.csv"), &[]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    expect!["error: DESK/store/keys/identity.json: the key file is damaged: restore it from a backup, or the store's customers can't be told apart"].assert_eq(&desk.said(&output.stderr));
    assert_eq!(desk.events(), 2);
}

/// Rows without an identifier are no events of one identifier: neither twice in a file, nor later.
#[test]
fn rows_without_an_identifier_are_not_lost_among_the_known() {
    let desk = Desk::new();
    for customer in ["ann", "bob"] {
        let row = format!("{HEAD}{GOOD},{customer},2024-03-03T10:00:00Z,tea,b3,1,4.50,EUR\n");
        let summary: Value = serde_json::from_slice(&desk.import("rows.csv", row.as_bytes(), &[]).stdout).unwrap();
        assert_eq!(summary["bad"], serde_json::json!({"missing": 1}), "{summary}");
    }
}

/// A pipe can't be read from its start twice.
#[cfg(unix)]
#[test]
fn a_pipe_is_refused_at_once() {
    let desk = Desk::new();
    let pipe = desk.path("pipe.csv");
    if !Command::new("mkfifo").arg(&pipe).status().is_ok_and(|status| status.success()) {
        eprintln!("NOT TESTED: there is no mkfifo");
        return;
    }
    let output = desk.command(&pipe, &[]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    expect!["error: DESK/pipe.csv: is a pipe or a device: save it as a file and import that"].assert_eq(&desk.said(&output.stderr));
    desk.good_import_works();
}

/// One bad file among good ones: none is imported.
#[test]
fn several_files_are_imported_together_or_not_at_all() {
    let desk = Desk::new();
    desk.good_import_works();
    let before = desk.contents();
    std::fs::write(desk.path("more.csv"), format!("{HEAD}3,ann,2024-03-03T10:00:00Z,tea,b3,1,4.50,EUR\n")).unwrap();
    let more = desk.path("more.csv");
    std::fs::write(desk.path("empty.csv"), "").unwrap();
    let output = desk.command(&desk.path("empty.csv"), &[more.to_str().unwrap()]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(desk.contents(), before, "half of an import stayed");
    // One identifier with two contents is a conflict in one import, wherever its rows stand.
    std::fs::write(desk.path("other.csv"), format!("{HEAD}3,bob,2024-03-03T10:00:00Z,tea,b3,1,9.00,EUR\n")).unwrap();
    let output = desk.command(&desk.path("other.csv"), &[more.to_str().unwrap()]).output().unwrap();
    let summary: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&summary["added"], &summary["bad"]), (&Value::from(1), &serde_json::json!({"conflicting_duplicate": 1})));
    desk.good_import_works();
}

#[test]
fn a_dry_run_says_what_would_happen_and_writes_nothing() {
    let desk = Desk::new();
    let rows = format!("{HEAD}{GOOD}3,ann,2024-03-03T10:00:00Z,tea,b3,1,4.50,EUR\n4,ann,never,tea,b3,1,4.50,EUR\n");
    let quarantine = desk.path("bad.jsonl");
    let dry = ["--dry-run", "--quarantine", quarantine.to_str().unwrap()];
    let said = |output: Output| {
        let mut summary: Value = serde_json::from_slice(&output.stdout).unwrap();
        summary.as_object_mut().unwrap().remove("quarantine");
        summary
    };
    // On no store, and on one that has some of the rows.
    for _ in 0..2 {
        let before = desk.path("store").exists().then(|| desk.contents());
        let would = said(desk.import("rows.csv", rows.as_bytes(), &dry));
        assert_eq!(before, desk.path("store").exists().then(|| desk.contents()), "a dry run wrote something");
        let copy = Desk::new();
        if before.is_some() {
            copy.good_import_works();
        }
        assert_eq!(would, said(copy.import("rows.csv", rows.as_bytes(), &[])));
        desk.good_import_works();
    }
}

/// Root writes everywhere but on a file system that is mounted for reading.
#[cfg(target_os = "linux")]
#[test]
fn a_store_that_cannot_be_written_is_said() {
    use std::os::unix::fs::PermissionsExt;
    let desk = Desk::new();
    let store = desk.path("store");
    std::fs::create_dir(&store).unwrap();
    let mount = |arguments: &[&str]| Command::new("mount").args(arguments).arg(&store).stderr(Stdio::null()).status().unwrap().success();
    let mounted = mount(&["-t", "tmpfs", "-o", "size=1m,ro", "tmpfs"]);
    if !mounted {
        std::fs::set_permissions(&store, std::fs::Permissions::from_mode(0o500)).unwrap();
        if std::fs::write(store.join("probe"), "").is_ok() {
            eprintln!("NOT TESTED: root writes everywhere, and mounting is not possible");
            return;
        }
    }
    let output = desk.import("good.csv", format!("{HEAD}{GOOD}").as_bytes(), &[]);
    if mounted {
        Command::new("umount").arg(&store).status().unwrap();
    } else {
        std::fs::set_permissions(&store, std::fs::Permissions::from_mode(0o700)).unwrap();
    }
    assert_eq!(output.status.code(), Some(2));
    let message = desk.said(&output.stderr);
    let expected = if mounted {
        "error: DESK/store/lock: Read-only file system (os error 30). Choose a folder that can be written"
    } else {
        "error: DESK/store/lock: Permission denied (os error 13). Check who owns it"
    };
    assert_eq!(message, expected);
    desk.good_import_works();
}

#[test]
fn the_same_rows_again_or_in_another_format_change_nothing() {
    let desk = Desk::new();
    let added = |output: Output| {
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice::<Value>(&output.stdout).unwrap()["added"].as_u64().unwrap()
    };
    assert_eq!(added(desk.import("one.csv", format!("{HEAD}{GOOD}").as_bytes(), &["--dry-run"])), 2);
    assert!(!desk.path("store").exists(), "a dry run wrote something");
    assert_eq!(added(desk.import("one.csv", format!("{HEAD}{GOOD}").as_bytes(), &[])), 2);
    assert_eq!(added(desk.import("one.csv", format!("{HEAD}{GOOD}").as_bytes(), &[])), 0);
    let lines = r#"{"id":"1","customer":"ann","time":"2024-03-01T10:00:00Z","sku":"tea","basket":"b1","units":2,"paid":4.5,"currency":"EUR"}
{"id":"2","customer":"bob","time":"2024-03-02T11:00:00Z","sku":"cup","basket":"b2","units":1,"paid":9,"currency":"EUR"}
"#;
    assert_eq!(added(desk.import("one.jsonl", lines.as_bytes(), &[])), 0);
    assert_eq!(desk.events(), 2);
}

#[test]
fn broken_lines_of_json_go_to_quarantine() {
    let desk = Desk::new();
    let good =
        r#"{"id":"1","customer":"ann","time":"2024-03-01T10:00:00Z","sku":"tea","basket":"b1","units":2,"paid":4.5,"currency":"EUR"}"#;
    let lines = format!("{good}\n{{\"id\": \n[1,2]\nnull\n{}\n", good.replace("\"1\"", "\"2\""));
    let output = desk.import("rows.jsonl", lines.as_bytes(), &["--allow-bad"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let summary: Value = serde_json::from_slice(&output.stdout).unwrap();
    expect![[r#"5 rows, 2 added, {"broken_line":3}"#]]
        .assert_eq(&format!("{} rows, {} added, {}", summary["rows"], summary["added"], summary["bad"]));
}

#[test]
fn a_store_that_is_damaged_is_left_alone() {
    let desk = Desk::new();
    desk.good_import_works();
    std::fs::write(desk.path("store/store.json"), "{\"format\": 1, \"shop\"").unwrap();
    let output = desk.command(&desk.path("good.csv"), &[]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    expect!["error: DESK/store: store.json is damaged (EOF while parsing an object at line 1 column 20): restore it from a backup"]
        .assert_eq(&desk.said(&output.stderr));
    std::fs::write(desk.path("store/store.json"), "{\"format\": 99}").unwrap();
    let output = desk.command(&desk.path("good.csv"), &[]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    expect!["error: DESK/store: written by a newer Youhui (format 99, this one reads 1): update Youhui"]
        .assert_eq(&desk.said(&output.stderr));
}

/// `--store .` beside the shop's own files: cleaning up after interrupted imports is no reason to
/// touch what an import did not write.
#[test]
fn files_of_the_shop_in_the_folder_of_the_store_stay() {
    let desk = Desk::new();
    desk.good_import_works();
    let own = ["store/mine.parquet", "store/events-january.csv", "store/events-2024.parquet", "store/notes.staged"];
    own.iter().for_each(|name| std::fs::write(desk.path(name), "ours").unwrap());
    std::fs::create_dir(desk.path("store/events-2024")).unwrap();
    // What an interrupted import leaves behind.
    std::fs::create_dir(desk.path("store/events-000099")).unwrap();
    std::fs::write(desk.path("store/events-000099/bucket-00.parquet"), "cut").unwrap();
    let remains = ["store/identity-000099.parquet", "store/products-000099.parquet", "store/store.staged"];
    remains.iter().for_each(|name| std::fs::write(desk.path(name), "cut").unwrap());
    desk.good_import_works();
    own.iter().for_each(|name| assert!(desk.path(name).exists(), "{name} was removed"));
    assert!(desk.path("store/events-2024").exists());
    remains.iter().for_each(|name| assert!(!desk.path(name).exists(), "{name} stays"));
    assert!(!desk.path("store/events-000099").exists());
}

/// Writes `rows` events as CSV.
fn large(path: &Path, rows: usize) {
    let mut file = std::io::BufWriter::new(std::fs::File::create(path).unwrap());
    file.write_all(HEAD.as_bytes()).unwrap();
    for row in 0..rows {
        let (customer, day, hour) = (row % 9973, 1 + row % 28, row % 24);
        writeln!(
            file,
            "{row},c{customer},2024-{:02}-{day:02}T{hour:02}:00:00Z,s{},b{},1,{}.25,EUR",
            1 + row % 12,
            row % 5000,
            row / 8,
            row % 90
        )
        .unwrap();
    }
}

/// Interrupts an import after `milliseconds`; whether it was still at work.
#[cfg(unix)]
fn interrupt(desk: &Desk, file: &Path, signal: &str, milliseconds: u64) -> bool {
    let mut child = desk.command(file, &[]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    std::thread::sleep(std::time::Duration::from_millis(milliseconds));
    Command::new("kill").args([signal, &child.id().to_string()]).stderr(Stdio::null()).status().unwrap();
    !child.wait().unwrap().success()
}

#[cfg(unix)]
#[test]
fn an_interrupted_import_leaves_the_store_as_it_was_and_can_be_repeated() {
    let desk = Desk::new();
    desk.good_import_works();
    let file = desk.path("large.csv");
    large(&file, 300_000);
    // At several moments: while reading, while writing, and near the end.
    let mut stopped = 0;
    for (signal, milliseconds) in [("-INT", 30), ("-KILL", 120), ("-INT", 300), ("-KILL", 600), ("-INT", 1000)] {
        if interrupt(&desk, &file, signal, milliseconds) {
            stopped += 1;
            assert_eq!(desk.events(), 2, "an interrupted import changed the store");
        }
    }
    assert!(stopped > 0, "no import was caught at work");
    let output = desk.command(&file, &[]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    // Two rows of the large file have the identifiers of the good ones.
    let summary: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&summary["rows"], &summary["added"], &summary["known"]), (&300_000.into(), &299_998.into(), &2.into()));
    assert!(desk.events() == 300_000 && !desk.has_remains(), "{summary}");
}

#[test]
fn two_imports_at_once_do_not_mix() {
    let desk = Desk::new();
    let file = desk.path("large.csv");
    large(&file, 200_000);
    let children: Vec<_> = (0..3).map(|_| desk.command(&file, &[]).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()).collect();
    let outputs: Vec<Output> = children.into_iter().map(|child| child.wait_with_output().unwrap()).collect();
    assert!(outputs.iter().any(|output| output.status.success()));
    for output in outputs.iter().filter(|output| !output.status.success()) {
        assert_eq!(output.status.code(), Some(2));
        assert!(desk.said(&output.stderr).contains("is being written by another import: wait until it ends, then repeat this one"));
    }
    assert_eq!(desk.events(), 200_000);
}

/// A tmpfs of 3 MB needs root; without it the test says so and shows nothing.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_stops_the_import_and_spares_the_store() {
    let desk = Desk::new();
    std::fs::create_dir(desk.path("store")).unwrap();
    let mounted =
        Command::new("mount").args(["-t", "tmpfs", "-o", "size=3m", "tmpfs"]).arg(desk.path("store")).stderr(Stdio::null()).status();
    if !mounted.is_ok_and(|status| status.success()) {
        eprintln!("NOT TESTED: mounting a tmpfs needs root");
        return;
    }
    let file = desk.path("large.csv");
    large(&file, 300_000);
    let full = desk.command(&file, &[]).output().unwrap();
    // What is left must not fill the disk that the user is told to free.
    let left: Vec<String> = desk.contents().iter().map(|(path, _)| desk.said(path.to_str().unwrap().as_bytes())).collect();
    let good = desk.import("good.csv", format!("{HEAD}{GOOD}").as_bytes(), &[]);
    let events = desk.path("store/store.json").exists().then(|| desk.events());
    Command::new("umount").arg(desk.path("store")).status().unwrap();
    assert_eq!(full.status.code(), Some(2));
    assert_eq!(left, ["DESK/store/keys/identity.json", "DESK/store/lock"]);
    let message = desk.said(&full.stderr);
    assert!(message.contains("Free some space and repeat the command: the store is as it was"), "{message}");
    assert!(good.status.success(), "{}", String::from_utf8_lossy(&good.stderr));
    assert_eq!(events, Some(2));
}

/// Ten million rows in bounded memory.
#[cfg(target_os = "linux")]
#[test]
fn slow_ten_million_rows() {
    let desk = Desk::new();
    let file = desk.path("large.csv");
    large(&file, 10_000_000);
    let mut child = desk.command(&file, &[]).stdout(Stdio::piped()).spawn().unwrap();
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    while child.try_wait().unwrap().is_none() {
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find(|line| line.starts_with("VmHWM")).and_then(|line| line.split_whitespace().nth(1));
        peak = line.and_then(|kilobytes| kilobytes.parse::<u64>().ok()).unwrap_or(0).max(peak);
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    assert_eq!(desk.events(), 10_000_000);
    eprintln!("peak memory of importing ten million rows: {} MB", peak / 1024);
    assert!(peak < 2 * 1024 * 1024, "{peak} kB");
}
