//! `youhui evaluate uplift` through the binary: what it says of good and of worthless scores, and what it
//! says of files that can't be judged.
#![allow(clippy::unwrap_used, reason = "a test's way to fail")]

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

/// Numbers that look random and are the same everywhere (a linear congruential generator, Knuth's
/// constants).
struct Numbers(u64);

impl Numbers {
    /// In [0, 1).
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// A trial of two e-mails: men's helps the more the larger `x` is, women's the more the smaller.
fn trial(rows: usize) -> String {
    let mut numbers = Numbers(7);
    let mut text = "segment,visit,spend,cost,p,men,women,guess\n".to_owned();
    for _ in 0..rows {
        let x = numbers.next();
        let lot = numbers.next() * 3.0;
        let arm = if lot < 1.0 {
            "none"
        } else if lot < 2.0 {
            "men"
        } else {
            "women"
        };
        let effects = [0.5 * x - 0.1, 0.4 - 0.5 * x];
        let effect = if arm == "men" {
            effects[0]
        } else if arm == "women" {
            effects[1]
        } else {
            0.0
        };
        let visit = u8::from(numbers.next() < 0.3 + effect);
        let cost = if arm == "none" { 0.0 } else { 0.05 };
        let spend = f64::from(visit) * 10.0 * numbers.next();
        writeln!(text, "{arm},{visit},{spend},{cost},0.3333,{},{},{}", effects[0] - 0.05, effects[1] - 0.05, numbers.next()).unwrap();
    }
    text
}

fn write(folder: &Path, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, bytes).unwrap();
    path
}

fn evaluate(file: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_youhui"));
    command.args(["evaluate", "uplift", "--quiet", "--data"]).arg(file).args(arguments).output().unwrap()
}

const COLUMNS: [&str; 6] = ["--treatment", "segment", "--control", "none", "--outcome", "visit"];

fn judged(file: &Path, arguments: &[&str]) -> Value {
    let output = evaluate(file, &[&COLUMNS, arguments, &["--format", "json"]].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn metric<'a>(part: &'a Value, name: &str) -> &'a Value {
    part["metrics"].as_array().unwrap().iter().find(|metric| metric["metric"] == name).unwrap()
}

#[test]
fn good_scores_are_told_from_guesses() {
    let folder = tempfile::tempdir().unwrap();
    let file = write(folder.path(), "trial.csv", trial(6_000));
    let report = judged(&file, &["--score", "men=men,women=women", "--cost", "cost"]);
    assert_eq!((report["rows"].as_u64(), report["control"].as_str()), (Some(6_000), Some("none")));
    for ranking in report["rankings"].as_array().unwrap() {
        assert_eq!(ranking["detectable"], true, "{ranking}");
        let qini = metric(ranking, "qini");
        let of = |name: &str| qini[name].as_f64().unwrap();
        assert!(of("low") < of("value") && of("value") < of("high") && of("low") > 0.0, "{qini}");
        assert!(qini["null"]["p"].as_f64().unwrap() < 0.02, "{qini}");
        assert!(metric(ranking, "aucc")["value"].as_f64().unwrap() > 0.55);
    }
    let gain = report["policies"][0]["metrics"].as_array().unwrap()[2].clone();
    assert!(gain["metric"].as_str().unwrap().starts_with("policy_gain_over_all_") && gain["low"].as_f64().unwrap() > 0.0, "{gain}");
    let guesses = judged(&file, &["--score", "men=guess,women=guess"]);
    assert!(guesses["rankings"].as_array().unwrap().iter().all(|ranking| ranking["detectable"] == false), "{guesses}");
}

#[test]
fn values_by_both_estimates_agree_and_take_propensities() {
    let folder = tempfile::tempdir().unwrap();
    let file = write(folder.path(), "trial.csv", trial(6_000));
    let scores = ["--score", "men=men,women=women", "--permutations", "0"];
    let value = |report: &Value, name: &str| metric(&report["policies"][0], name)["value"].as_f64().unwrap();
    let shares = judged(&file, &scores);
    let given = judged(&file, &[&scores[..], &["--propensity", "p"]].concat());
    for report in [&shares, &given] {
        let (ips, dr) = (value(report, "policy_value_ips"), value(report, "policy_value_dr"));
        // The truth: .3 + E max(.5x - .1, .4 - .5x) = .3 + .275, for x uniform.
        assert!((ips - 0.575).abs() < 0.04 && (dr - 0.575).abs() < 0.04, "{ips} {dr}");
        assert!(metric(&report["policies"][0], "policy_value_dr")["null"].is_null());
    }
    assert_ne!(value(&shares, "policy_value_ips"), value(&given, "policy_value_ips"));
    assert_eq!(given["assignment"], "by the chances given");
}

#[test]
fn the_same_seed_prints_the_same_bytes_with_any_number_of_threads() {
    let folder = tempfile::tempdir().unwrap();
    let file = write(folder.path(), "trial.csv", trial(500));
    let print = |threads: &str, seed: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_youhui"));
        command.env("RAYON_NUM_THREADS", threads).args(["evaluate", "uplift", "--data"]).arg(&file).args(COLUMNS);
        command.args(["--score", "men=men,women=women", "--format", "json", "--seed", seed]).output().unwrap().stdout
    };
    assert!(!print("1", "4").is_empty());
    assert_eq!(print("1", "4"), print("3", "4"));
    assert_ne!(print("1", "4"), print("1", "5"));
}

#[test]
fn scores_of_one_treatment_stand_side_by_side_in_any_format_of_file() {
    let folder = tempfile::tempdir().unwrap();
    let mut lines = String::new();
    let text = trial(900);
    let names: Vec<&str> = text.lines().next().unwrap().split(',').collect();
    for line in text.lines().skip(1).filter(|line| !line.starts_with("women")) {
        let cells: Vec<&str> = line.split(',').collect();
        let treated = u8::from(cells[0] == "men");
        writeln!(lines, "{{\"segment\":{treated},\"visit\":{},\"{}\":{},\"guess\":{}}}", cells[1], names[5], cells[5], cells[7]).unwrap();
    }
    let file = write(folder.path(), "trial.jsonl", lines);
    let arguments = ["--treatment", "segment", "--control", "0", "--outcome", "visit", "--score", "men,guess"];
    let output = evaluate(&file, &arguments);
    let printed = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(printed.contains("men as a ranking for 1") && printed.contains("choosing by guess: 0 0, 1"), "{printed}");
}

#[test]
fn what_is_undefined_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let file = write(folder.path(), "trial.csv", trial(600));
    let arguments =
        ["--treatment", "segment", "--control", "none", "--outcome", "spend", "--score", "men=men,women=cost", "--format", "json"];
    let output = evaluate(&file, &arguments);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(metric(&report["rankings"][0], "qini")["value"].is_null());
    assert!(metric(&report["rankings"][0], "uplift_at_30_by_group")["value"].is_f64());
    assert!(report["notes"].to_string().contains("spend is not 0 or 1 everywhere"));
    let equal = write(folder.path(), "equal.csv", "t,y,s\na,1,5\nb,0,5\na,0,5\nb,1,5\n");
    let output = evaluate(&equal, &["--treatment", "t", "--control", "a", "--outcome", "y", "--score", "s"]);
    assert!(String::from_utf8(output.stdout).unwrap().contains("all scores in s are equal"));
}

#[test]
fn bad_input_says_where_and_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let small = "t,y,s,p\na,1,0.5,0.5\nb,0,0.1,0.5\n";
    let with = |bytes: &[u8], arguments: &[&str]| {
        let file = write(folder.path(), "small.csv", bytes);
        let usual: &[&str] = &["--treatment", "t", "--outcome", "y"];
        let output = evaluate(&file, &[usual, arguments].concat());
        assert_eq!(output.status.code(), Some(2), "{}", String::from_utf8_lossy(&output.stdout));
        assert!(output.stdout.is_empty());
        String::from_utf8(output.stderr).unwrap()
    };
    let cases: [(&str, &[&str], &str); 13] = [
        ("", &["--control", "a", "--score", "s"], "is empty: export it again"),
        ("t,y,s\n", &["--control", "a", "--score", "s"], "has no row"),
        (small, &["--control", "c", "--score", "s"], "column t has no c, it has a, b"),
        (small, &["--control", "a", "--score", "c=s"], "no row has the treatment c of --score c=s; there are b"),
        (small, &["--control", "a", "--score", "z"], "has no column z; it has t, y, s, p"),
        ("t,y,s\na,1,1\na,0,2\n", &["--control", "a", "--score", "s"], "holds only a"),
        ("t,y,s\na,1,\nb,0,2\n", &["--control", "a", "--score", "s"], "row 1, column s: is empty or not a number"),
        ("t,y,s\na,1,nan\nb,0,NaN\n", &["--control", "a", "--score", "s"], "and 1 more rows like it"),
        ("t,y,s\na,inf,1\nb,0,2\n", &["--control", "a", "--score", "s"], "row 1, column y: is infinite"),
        ("t,y,s\na,,1\nb,0,2\n", &["--control", "a", "--score", "s"], "row 1, column y"),
        ("t,y,s\n,1,1\nb,0,2\na,0,1\n", &["--control", "a", "--score", "s"], "row 1, column t: is empty"),
        ("t,y,s\na,yes,1\nb,no,2\n", &["--control", "a", "--score", "s"], "column y holds text such as \"yes\""),
        ("t,y,s\na,1,1\nb,0,2\nc,0,2\n", &["--control", "a", "--score", "s"], "has several treatments (b, c)"),
    ];
    for (bytes, arguments, expected) in cases {
        let said = with(bytes.as_bytes(), arguments);
        assert!(said.contains(expected), "{said} does not say {expected}");
    }
    for p in ["0", "1", "-0.5"] {
        let said = with(small.replace("0.1,0.5", &format!("0.1,{p}")).as_bytes(), &["--control", "a", "--score", "s", "--propensity", "p"]);
        assert!(said.contains("row 2, column p") && said.contains("between 0 and 1"), "{said}");
    }
    assert!(with(b"t,y,s\na,1,1\nb,\xff,2\n", &["--control", "a", "--score", "s"]).contains("not UTF-8"));
    assert!(with(b"t,y,s\na,1,1\nb,0\n", &["--control", "a", "--score", "s"]).contains("row 2 has 2 cells"));
    assert!(with(small.as_bytes(), &["--control", "a", "--score", "s", "--bootstrap", "1"]).contains("write 0, or 2 to"));
}
