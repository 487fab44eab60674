//! `youhui evaluate …`, run in a folder.
#![allow(clippy::unwrap_used, reason = "a test's way to fail")]

use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// Exit code, what it printed as JSON, and what it said.
pub(crate) fn evaluate(folder: &Path, arguments: &[&str]) -> (i32, Value, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_youhui")).current_dir(folder).arg("evaluate").args(arguments).output().unwrap();
    let answer = serde_json::from_slice(&output.stdout).unwrap_or(Value::Null);
    (output.status.code().unwrap(), answer, String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout))
}

pub(crate) fn ok(folder: &Path, arguments: &[&str]) -> Value {
    let (code, answer, said) = evaluate(folder, &[arguments, &["--format", "json"]].concat());
    assert_eq!(code, 0, "{said}");
    answer
}

/// A figure of an answer.
pub(crate) fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value}"))
}

/// A metric of the first arm.
#[allow(dead_code, reason = "not every file of tests is about metrics")]
pub(crate) fn metric<'a>(report: &'a Value, name: &str) -> &'a Value {
    report["arms"][0]["metrics"].as_array().unwrap().iter().find(|metric| metric["metric"] == name).unwrap()
}
