//! `youhui response` through the binary.
#![allow(clippy::unwrap_used, reason = "a test's way to fail")]

use std::path::PathBuf;
use std::process::{Command, Output};

use youhui_commerce::Draw;

/// A folder with an experiment: two coupons against nothing; the deep one works on members only.
struct Desk {
    folder: tempfile::TempDir,
}

impl Desk {
    fn new(rows: usize) -> Self {
        let desk = Self { folder: tempfile::tempdir().unwrap() };
        std::fs::write(desk.path("train.csv"), rows_of(rows, 1)).unwrap();
        std::fs::write(desk.path("test.csv"), rows_of(200, 2)).unwrap();
        desk
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn run(&self, arguments: &str) -> Output {
        let arguments = arguments.split_whitespace();
        Command::new(env!("CARGO_BIN_EXE_youhui")).current_dir(self.folder.path()).arg("response").args(arguments).output().unwrap()
    }

    fn fit(&self, more: &str) -> Output {
        self.run(&format!("fit --data train.csv --treatment arm --control none --outcome spent --features age,member --out model {more}"))
    }

    /// The command fails with exit code 2 and says this.
    fn check(&self, arguments: &str, expected: &str) {
        let output = self.run(arguments);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{arguments}: {said}");
        assert!(said.contains(expected), "{arguments}: {said:?} has no {expected:?}");
    }
}

fn rows_of(rows: usize, seed: u64) -> String {
    let mut draw = Draw::seeded(seed);
    let mut text = "age,member,arm,spent,price,p_deep,p_flat\n".to_owned();
    for _ in 0..rows {
        let (age, member) = (20.0 + 40.0 * draw.uniform(), draw.uniform() < 0.5);
        let arm = draw.below(3);
        let effect = [0.0, if member { 6.0 } else { -2.0 }, 1.0][arm];
        let spent = 20.0 + 0.1 * age + effect + draw.normal();
        let name = if member { "yes" } else { "no" };
        text += &format!("{age:.3},{name},{},{spent:.4},{},0.3333,0.3333\n", ["none", "deep", "flat"][arm], [0.0, 2.0, 0.5][arm]);
    }
    text
}

#[test]
fn fits_and_predicts_several_treatments_with_costs() {
    let desk = Desk::new(1500);
    let fitted = desk.fit("--learner r-curved --cost price --propensity deep=p_deep,flat=p_flat --format json");
    assert!(fitted.status.success(), "{}", String::from_utf8_lossy(&fitted.stderr));
    let card: serde_json::Value = serde_json::from_slice(&fitted.stdout).unwrap();
    assert_eq!(card["treatments"], serde_json::json!(["deep", "flat"]));
    assert_eq!(card["costs"], serde_json::json!([2.0, 0.5]));
    assert_eq!(card["policy"]["ships"], true);
    assert_eq!(std::fs::read_to_string(desk.path("model.json")).unwrap(), String::from_utf8(fitted.stdout).unwrap().trim_end());
    let predicted = desk.run("predict --model model --data test.csv --out answer.csv");
    assert!(predicted.status.success(), "{}", String::from_utf8_lossy(&predicted.stderr));
    let answer = std::fs::read_to_string(desk.path("answer.csv")).unwrap();
    let test = std::fs::read_to_string(desk.path("test.csv")).unwrap();
    let mut lines = answer.lines();
    assert_eq!(lines.next(), Some("effect_deep,std_error_deep,effect_flat,std_error_flat,recommended"));
    for (line, row) in lines.zip(test.lines().skip(1)) {
        let member = row.split(',').nth(1) == Some("yes");
        let cells: Vec<&str> = line.split(',').collect();
        let number = |place: usize| cells[place].parse::<f64>().unwrap();
        assert!((number(0) - if member { 6.0 } else { -2.0 }).abs() < 0.6, "{row}: {line}");
        assert!((number(2) - 1.0).abs() < 0.6, "{row}: {line}");
        assert!((0.0..0.5).contains(&number(1)), "{line}");
        assert_eq!(cells[4], if member { "deep" } else { "flat" }, "{row}: {line}");
    }
    assert_eq!(answer.lines().count(), 201);
}

#[test]
fn the_best_for_all_goes_to_all_where_customers_do_not_differ() {
    let desk = Desk::new(900);
    let flat: String = std::fs::read_to_string(desk.path("train.csv"))
        .unwrap()
        .lines()
        .filter(|line| !line.contains(",deep,"))
        .map(|line| format!("{line}\n"))
        .collect();
    std::fs::write(desk.path("train.csv"), flat).unwrap();
    let fitted = desk.fit("--learner auto");
    assert!(fitted.status.success(), "{}", String::from_utf8_lossy(&fitted.stderr));
    assert!(String::from_utf8_lossy(&fitted.stdout).contains("no detectable effect"), "{}", String::from_utf8_lossy(&fitted.stdout));
    assert!(desk.run("predict --model model --data test.csv --out answer.jsonl").status.success());
    let answer = std::fs::read_to_string(desk.path("answer.jsonl")).unwrap();
    let recommended = |line: &str| serde_json::from_str::<serde_json::Value>(line).unwrap()["recommended"].clone();
    assert!(answer.lines().all(|line| recommended(line) == "flat"));
}

#[test]
fn bad_input_says_what_is_wrong_and_what_helps() {
    let desk = Desk::new(400);
    let fit = "fit --data train.csv --treatment arm --control none --outcome spent --out model";
    desk.check(&format!("{fit} --learner best"), "no learner is called \"best\": name auto, or one of constant");
    desk.check(&fit.replace("train.csv", "absent.csv"), "absent.csv");
    desk.check(&fit.replace("--treatment arm", "--treatment group"), "group");
    desk.check(&fit.replace("none", "nobody"), "no row has the control \"nobody\" (the treatments are \"");
    desk.check(&fit.replace("--outcome spent", "--outcome member"), "has to hold numbers");
    desk.check(&format!("{fit} --outcome-kind binary"), "has to be 0 or 1 in every row");
    desk.check(&format!("{fit} --outcome-kind count"), "has to be 0, 1, 2");
    desk.check(&format!("{fit} --propensity p_deep"), "deep=COL,flat=COL");
    desk.check(&format!("{fit} --features height"), "height");
    std::fs::write(desk.path("train.csv"), "age,arm,spent\n").unwrap();
    desk.check(fit, "train.csv");
    std::fs::write(desk.path("train.csv"), b"\xff\xfe\x00age").unwrap();
    desk.check(fit, "train.csv");
    desk.check("predict --model model --data test.csv --out answer.csv", "model");
    desk.check("benchmark --learners none", "no learner is called \"none\"");
}

#[test]
fn a_tampered_model_or_another_table_is_refused() {
    let desk = Desk::new(400);
    assert!(desk.fit("--learner t-linear").status.success());
    let predict = "predict --model model --data test.csv --out answer.csv";
    let bytes = std::fs::read(desk.path("model")).unwrap();
    std::fs::write(desk.path("model"), &bytes[..bytes.len() / 2]).unwrap();
    desk.check(predict, "fit it again");
    std::fs::write(desk.path("model"), &bytes).unwrap();
    let card = std::fs::read_to_string(desk.path("model.json")).unwrap();
    std::fs::write(desk.path("model.json"), card.replace("deep", "steep")).unwrap();
    desk.check(predict, "is not the card of");
    std::fs::write(desk.path("model.json"), card).unwrap();
    std::fs::write(desk.path("test.csv"), "age,member\n30,1\n31,0\n").unwrap();
    desk.check(predict, "feature \"member\" has numbers here and had names");
    std::fs::write(desk.path("test.csv"), "age\n30\n").unwrap();
    desk.check(predict, "member");
    std::fs::write(desk.path("test.csv"), "age,member\n30,yes\n31,perhaps\n").unwrap();
    let unseen = desk.run(predict);
    assert!(unseen.status.success());
    assert!(String::from_utf8_lossy(&unseen.stderr).contains("1 rows have a name that training had not"));
}
