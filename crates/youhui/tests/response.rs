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

    fn command(&self, arguments: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_youhui"));
        command.current_dir(self.folder.path()).env_remove("YOUHUI_RUNS").arg("response").args(arguments.split_whitespace());
        command
    }

    fn run(&self, arguments: &str) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// Another command than `response`.
    fn bare(&self, arguments: &str) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_youhui"));
        command.current_dir(self.folder.path()).env_remove("YOUHUI_RUNS").args(arguments.split_whitespace()).output().unwrap()
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

/// Every learner of networks and trees, many variants, a table of promotions: the same bytes with one thread and two.
#[test]
fn threads_change_nothing() {
    let desk = Desk::new(600);
    std::fs::write(desk.path("promotions.csv"), "arm,kind,depth\ndeep,percent,0.3\nflat,coupon,0.1\n").unwrap();
    for learner in ["network", "reference", "x-trees --search 2", "causal-forest"] {
        let fitted = |threads: &str| {
            let more = format!("--learner {learner} --promotions promotions.csv --dose depth --placebo age --features member --no-record");
            let fit = format!("fit --data train.csv --treatment arm --control none --outcome spent --out model {more}");
            let output = desk.command(&fit).env("RAYON_NUM_THREADS", threads).output().unwrap();
            assert!(output.status.success(), "{learner}: {}", String::from_utf8_lossy(&output.stderr));
            std::fs::read(desk.path("model")).unwrap()
        };
        assert!(fitted("1") == fitted("2"), "{learner}");
    }
    assert!(!desk.path("youhui-runs").exists());
}

#[test]
fn promotions_that_were_not_run_are_foreseen() {
    let desk = Desk::new(1500);
    std::fs::write(desk.path("promotions.csv"), "arm,kind,depth\ndeep,percent,0.3\nflat,percent,0.1\nnone,,0\n").unwrap();
    std::fs::write(desk.path("next.csv"), "arm,kind,depth\ndeep,percent,0.3\nmiddle,percent,0.2\nwild,gift,3\n").unwrap();
    let fitted = desk.fit("--learner r-curved --promotions promotions.csv");
    assert!(fitted.status.success(), "{}", String::from_utf8_lossy(&fitted.stderr));
    let predicted = desk.run("predict --model model --data test.csv --promotions next.csv --out answer.csv");
    let said = String::from_utf8_lossy(&predicted.stderr).into_owned();
    assert!(predicted.status.success(), "{said}");
    assert!(said.contains("\"middle\" was not run: its effect is foreseen from deep, flat"), "{said}");
    let answer = std::fs::read_to_string(desk.path("answer.csv")).unwrap();
    let mut lines = answer.lines();
    assert_eq!(lines.next(), Some("effect_deep,std_error_deep,effect_middle,std_error_middle,effect_wild,std_error_wild"));
    for line in lines {
        let cells: Vec<f64> = line.split(',').map(|cell| cell.parse().unwrap()).collect();
        assert!(10.0 * cells[3] < cells[5], "the stranger the less sure: {line}");
    }
    desk.check("predict --model model --data test.csv --promotions test.csv --out answer.csv", "and the model was fitted with kind, depth");
    std::fs::write(desk.path("next.csv"), "arm,depth\nmiddle,0.2\n").unwrap();
    desk.check(
        "predict --model model --data test.csv --promotions next.csv --out answer.csv",
        "has the columns depth, and the model was fitted with kind, depth",
    );
    let fit = "fit --data train.csv --treatment arm --control none --outcome spent --learner r-linear --out model";
    desk.check(
        &format!("{fit} --promotions promotions.csv --dose size"),
        "no column of --promotions is called \"size\": there are kind, depth",
    );
    desk.check(&format!("{fit} --promotions promotions.csv --relative depth=height"), "is to be relative to \"height\"");
    desk.check(&format!("{fit} --promotions promotions.csv --relative depth"), "write COL=FEATURE");
    desk.check(&format!("{fit} --promotions next.csv"), "promotion \"deep\" has no row in the table of promotions");
    assert!(desk.fit("--learner r-linear").status.success());
    desk.check("predict --model model --data test.csv --promotions promotions.csv --out answer.csv", "without a table of promotions");
}

#[test]
fn runs_are_recorded_and_compared() {
    let desk = Desk::new(600);
    let runs = |arguments: &str| {
        let output = desk.bare(&format!("runs {arguments}"));
        (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    assert!(runs("list").2.contains("no run is recorded there"));
    assert!(desk.fit("--learner r-linear").status.success());
    assert!(desk.fit("--learner t-dense --seed 2").status.success());
    let (_, listed, _) = runs("list --format json");
    let listed: serde_json::Value = serde_json::from_str(&listed).unwrap();
    let id = |place: usize| listed[place]["id"].as_str().unwrap().to_owned();
    assert_eq!(listed.as_array().unwrap().len(), 2);
    let (_, shown, _) = runs("show latest");
    for part in [
        "learner = \"t-dense\"",
        "train.csv (blake3 ",
        "deep.mean_effect = ",
        "deep/t-dense/control: ",
        " epochs, loss / held out ",
        "model.json (blake3 ",
    ] {
        assert!(shown.contains(part), "{shown} has no {part:?}");
    }
    let (_, compared, _) = runs(&format!("diff {} {} --format json", id(0), id(1)));
    let compared: serde_json::Value = serde_json::from_str(&compared).unwrap();
    assert_eq!(compared["differences"]["configuration.learner"], serde_json::json!(["r-linear", "t-dense"]));
    assert_eq!(compared["differences"]["configuration.seed"], serde_json::json!([1, 2]));
    assert_eq!(compared["differences"].get("data.train.csv"), None);
    assert!(runs(&format!("diff {0} {0}", id(0))).1.contains("found the same"));
    assert_eq!(runs("show 1999").0, Some(2));
    // A record that is none is left out and said.
    std::fs::write(desk.path("youhui-runs/broken.json"), "{").unwrap();
    let (code, text, said) = runs("list");
    assert_eq!((code, text.lines().count()), (Some(0), 3));
    assert!(said.contains("broken.json: is no record of a run"), "{said}");
}

#[test]
fn a_search_tries_variants_and_a_placebo_fails_where_customers_were_chosen() {
    let desk = Desk::new(1500);
    let fitted = desk.fit("--learner r-trees --search 3 --format json");
    assert!(fitted.status.success(), "{}", String::from_utf8_lossy(&fitted.stderr));
    let card: serde_json::Value = serde_json::from_slice(&fitted.stdout).unwrap();
    let candidates = card["arms"][0]["candidates"].as_array().unwrap();
    assert_eq!(candidates.len(), 4);
    assert_eq!(candidates.iter().filter(|candidate| candidate["weight"] == 1.0).count(), 1);
    let fit = "fit --data train.csv --treatment arm --control none --outcome spent --features member --out model";
    desk.check(&format!("{fit} --learner r-linear --search 2"), "r-linear has no hyper-parameters to search");
    desk.check(&format!("{fit} --search 100000"), "are too many");
    // Age was left to chance; then the old were sought out, which no feature says.
    let passes = desk.run(&format!("{fit} --learner constant --placebo age"));
    assert!(String::from_utf8_lossy(&passes.stdout).contains("passes"), "{}", String::from_utf8_lossy(&passes.stdout));
    let rows = std::fs::read_to_string(desk.path("train.csv")).unwrap();
    let young = |line: &&str| line.split(',').next().unwrap().parse::<f64>().is_ok_and(|age| age < 35.0) && line.contains(",deep,");
    let chosen: Vec<&str> = rows.lines().filter(|line| !young(line)).collect();
    std::fs::write(desk.path("train.csv"), chosen.join("\n")).unwrap();
    let fails = desk.run(&format!("{fit} --learner constant --placebo age"));
    assert!(
        String::from_utf8_lossy(&fails.stderr).contains("\"deep\" seems to change the placebo by"),
        "{}",
        String::from_utf8_lossy(&fails.stderr)
    );
}
