//! `youhui evaluate policy`: several loggers, slates, given λ, logs in blocks, through the program.
#![allow(clippy::unwrap_used, reason = "a test's way to fail")]

use std::path::Path;
use std::process::Command;

use serde_json::Value;
use youhui_commerce::Draw;
use youhui_storage::{Column, Values, write_table};

/// Exit code, what it printed as JSON, and what it said.
fn policy(folder: &Path, arguments: &[&str]) -> (i32, Value, String) {
    let output =
        Command::new(env!("CARGO_BIN_EXE_youhui")).current_dir(folder).args(["evaluate", "policy"]).args(arguments).output().unwrap();
    let answer = serde_json::from_slice(&output.stdout).unwrap_or(Value::Null);
    (output.status.code().unwrap(), answer, String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout))
}

fn ok(folder: &Path, arguments: &[&str]) -> Value {
    let (code, answer, said) = policy(folder, &[arguments, &["--format", "json"]].concat());
    assert_eq!(code, 0, "{said}");
    answer
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value}"))
}

fn find<'a>(values: &'a Value, estimator: &str) -> &'a Value {
    values.as_array().unwrap().iter().find(|value| value["estimator"] == estimator).unwrap_or_else(|| panic!("{estimator}: {values}"))
}

fn assert_is_told(value: &Value, unit: &str) {
    let (low, high) = (number(&value["normal"]["low"]), number(&value["normal"]["high"]));
    let of = number(&value["value"]);
    assert!(low <= of && of <= high && number(&value["n"]) >= 2.0 && value["unit"] == unit, "{value}");
}

/// Two loggers: `old` draws a, b and c alike, `new` mostly c, and `never` never c. They earn .1, .2 and .3.
fn logged_by(seed: u64, loggers: &[(&str, usize, [f64; 3])]) -> String {
    let mut draw = Draw::seeded(seed);
    let all: usize = loggers.iter().map(|(_, rounds, _)| rounds).sum();
    let mut text = "action,reward,propensity,logger,pscore_avg,customer\n".to_owned();
    let mut row = 0;
    for (name, rounds, chances) in loggers {
        for _ in 0..*rounds {
            let lot = draw.uniform();
            let action = usize::from(lot >= chances[0]) + usize::from(lot >= chances[0] + chances[1]);
            let mean: f64 = loggers.iter().map(|(_, rounds, chances)| *rounds as f64 / all as f64 * chances[action]).sum();
            let reward = u8::from(draw.uniform() < [0.1, 0.2, 0.3][action]);
            text.push_str(&format!("{},{reward},{},{name},{mean},k{}\n", ["a", "b", "c"][action], chances[action], row / 3));
            row += 1;
        }
    }
    text
}

#[test]
fn what_each_logger_contributed_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    let even = [1.0 / 3.0, 1.0 / 3.0, 1.0 / 3.0];
    write("two.csv", &logged_by(1, &[("old", 6_000, even), ("new", 6_000, [0.1, 0.1, 0.8])]));
    let arguments = ["--log", "two.csv", "--policy", "always:c", "--logger", "logger", "--mean-propensity", "pscore_avg", "--runs", "runs"];
    let report = ok(folder.path(), &[&arguments[..], &["--customer", "customer", "--bootstrap", "200", "--report", "page.html"]].concat());
    assert_is_told(&report["logged"], "reward per round");
    assert_eq!(report["logged"]["n"], 4_000);
    assert_is_told(find(&report["values"], "ipw"), "reward per round");
    let found = &report["loggers"];
    for (place, name) in ["old", "new"].iter().enumerate() {
        let one = &found["loggers"][place];
        assert!(one["logger"] == *name && one["rounds"] == 6_000 && number(&one["share_of_rounds"]) == 0.5, "{one}");
        assert_is_told(&one["logged"], "reward per round");
        assert_is_told(find(&one["values"], "dr"), "reward per round");
        assert!(number(&one["diagnostics"]["effective_sample_size"]) > 1_500.0, "{one}");
    }
    for value in found["together"].as_array().unwrap() {
        assert_is_told(value, "reward per round");
        assert_eq!(value["n"], 4_000, "{value}");
        assert!((number(&value["value"]) - 0.3).abs() < 0.03, "{value}");
    }
    let together = |way: &str, estimator: &str| {
        let all = found["together"].as_array().unwrap();
        all.iter()
            .find(|value| value["way"] == way && value["estimator"] == estimator)
            .unwrap_or_else(|| panic!("{way} {estimator}: {found}"))
    };
    // The new logger draws what the policy wants, so its rounds are more precise, and balanced weights are the best of all.
    let shares = together("precision_weighted", "ipw")["shares"].as_array().unwrap();
    assert!(number(&shares[1]["share"]) > 0.6, "{shares:?}");
    let error = |value: &Value| number(&value["std_error"]);
    let naive = error(find(&report["values"], "ipw"));
    assert!(error(together("precision_weighted", "ipw")) < naive && error(together("balanced", "ipw")) < naive, "{found}");
    assert!(std::fs::read_to_string(folder.path().join("page.html")).unwrap().contains("new: ipw"));
}

#[test]
fn what_goes_wrong_with_a_logger_is_told_with_its_consequence() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    let even = [1.0 / 3.0, 1.0 / 3.0, 1.0 / 3.0];
    let log = logged_by(2, &[("old", 3_000, even), ("never", 3_000, [0.5, 0.5, 0.0]), ("few", 1, even)]);
    write("never.csv", &log);
    let report =
        ok(folder.path(), &["--log", "never.csv", "--policy", "always:c", "--logger", "logger", "--estimator", "ipw", "--bootstrap", "0"]);
    let warnings = report["warnings"].to_string();
    assert!(warnings.contains("logger never never drew 100.00 % of the policy's choices (c)"), "{warnings}");
    assert!(warnings.contains("logger few: 1 round(s) are too few"), "{warnings}");
    assert!(warnings.contains("weighted by precision are left out"), "{warnings}");
    assert!(report["loggers"]["together"].as_array().unwrap().is_empty(), "{report}");
    // Half of the rounds count c as worth nothing; balanced weights don't.
    assert!((number(&find(&report["values"], "ipw")["value"]) - 0.15).abs() < 0.03, "{report}");
    let arguments =
        ["--log", "never.csv", "--policy", "always:c", "--logger", "logger", "--mean-propensity", "pscore_avg", "--bootstrap", "0"];
    let balanced = ok(folder.path(), &[&arguments[..], &["--estimator", "ipw"]].concat());
    let value = find(&balanced["loggers"]["together"], "ipw");
    assert!(value["way"] == "balanced" && (number(&value["value"]) - 0.3).abs() < 0.05, "{value}");

    write("mean.csv", "action,reward,propensity,logger,pscore_avg\na,1,0.5,x,0.5\nb,0,0.5,x,0.1\n");
    write("zero.csv", "action,reward,propensity,logger,pscore_avg\na,1,0.5,x,0\nb,0,0.5,x,0.5\n");
    write("nan.csv", "action,reward,propensity,logger,pscore_avg\na,1,0.5,x,0.5\nb,0,0.5,x,\n");
    write("empty.csv", "action,reward,propensity,logger\na,1,0.5,\nb,0,0.5,x\n");
    let many: String = (0..1_100).map(|row| format!("a,1,0.5,l{row}\n")).collect();
    write("many.csv", &format!("action,reward,propensity,logger\n{many}"));
    for (log, more, why) in [
        ("mean.csv", &["--mean-propensity", "pscore_avg"][..], "--mean-propensity: row 2: it is 0.1, but has to be at least 0.5"),
        ("zero.csv", &["--mean-propensity", "pscore_avg"][..], "--mean-propensity: row 1: it is 0"),
        ("nan.csv", &["--mean-propensity", "pscore_avg"][..], "--mean-propensity: row 2: it is NaN"),
        ("mean.csv", &["--mean-propensity", "nothing"][..], "has no column nothing"),
        ("empty.csv", &[][..], "row 1: column logger is empty"),
        ("many.csv", &[][..], "1100 or more loggers, of which 1000"),
    ] {
        let arguments = ["--log", log, "--policy", "uniform", "--logger", "logger", "--reward-model", "none", "--bootstrap", "0"];
        let (code, _, said) = policy(folder.path(), &[&arguments[..], more].concat());
        assert!(code == 2 && said.contains(why), "{log} {more:?}: {code} {said}");
    }
}

#[test]
fn every_estimator_can_be_asked_for_at_a_lambda_of_ones_own() {
    let folder = tempfile::tempdir().unwrap();
    let even = [1.0 / 3.0, 1.0 / 3.0, 1.0 / 3.0];
    std::fs::write(folder.path().join("log.csv"), logged_by(3, &[("x", 4_000, even)])).unwrap();
    let of = |more: &[&str]| ok(folder.path(), &[&["--log", "log.csv", "--policy", "always:c", "--bootstrap", "0"], more].concat());
    let names = |report: &Value| -> Vec<String> {
        report["values"].as_array().unwrap().iter().map(|value| value["estimator"].as_str().unwrap().to_owned()).collect()
    };
    let report = of(&["--estimator", "clipped-ipw,clipped-dr,switch-dr,dr-os", "--lambda", "1.5,inf"]);
    let expected = ["ipw λ=1.5", "ipw", "dr λ=1.5", "dr", "switch-dr λ=1.5", "switch-dr", "dr-os λ=1.5", "dr-os"];
    assert_eq!(names(&report), expected);
    assert!(!report["warnings"].to_string().contains("λ was chosen"), "{report}");
    // By hand: every weight of 3 is clipped to 1.5.
    assert!((number(&report["values"][0]["value"]) / number(&report["values"][1]["value"]) - 0.5).abs() < 1e-12, "{report}");
    assert_eq!(names(&of(&["--estimator", "sg-ipw,sg-dr", "--lambda", "0.5"])), ["sg-ipw λ=0.5", "sg-dr λ=0.5"]);
    assert_eq!(names(&of(&["--estimator", "switch-dr"])).len(), 1);
    // Rounds of other actions don't count in MRDR's fit, so that the model is another one; dr stays near the truth.
    let values = ["equal", "importance", "mrdr"].map(|fitting| of(&["--estimator", "dm,dr", "--fitting", fitting]));
    let of_dr = values.each_ref().map(|report| number(&find(&report["values"], "dr")["value"]));
    assert!(of_dr.iter().all(|value| (value - 0.3).abs() < 0.05) && of_dr[0] != of_dr[2], "{of_dr:?}");
    for (more, why) in [
        (&["--estimator", "dros"][..], "there are all, replay"),
        (&["--estimator", "sg-ipw", "--lambda", "2"][..], "within 0 and 1"),
        (&["--estimator", "switch-dr", "--lambda", "-1"][..], "at least 0"),
        (&["--estimator", "switch-dr", "--lambda", "NaN"][..], "at least 0"),
        (&["--lambda", "2"][..], "--lambda: name the estimators"),
        (&["--estimator", "switch-dr", "--reward-model", "none"][..], "needs a reward model"),
    ] {
        let (code, _, said) = policy(folder.path(), &[&["--log", "log.csv", "--policy", "always:c"], more].concat());
        assert!(code == 2 && said.contains(why), "{more:?}: {code} {said}");
    }
}

/// What a log in Parquet, in several blocks, says is what the same rounds in a text file say.
#[test]
fn blocks_say_what_the_whole_says() {
    const ROUNDS: usize = 540_000;
    let folder = tempfile::tempdir().unwrap();
    let mut draw = Draw::seeded(4);
    let chances = [0.5, 0.3, 0.2];
    let (mut action, mut reward, mut propensity, mut x, mut customer, mut dense) =
        (vec![], vec![], vec![], vec![], vec![], [vec![], vec![], vec![]]);
    for round in 0..ROUNDS {
        let lot = draw.uniform();
        let one = usize::from(lot >= 0.5) + usize::from(lot >= 0.8);
        action.push(u32::try_from(one).unwrap());
        x.push((draw.uniform() * 64.0).floor() / 64.0);
        reward.push(f64::from(u8::from(draw.uniform() < 0.1 + 0.1 * one as f64 + 0.2 * x[round])));
        propensity.push(chances[one]);
        customer.push((round / 4) as f64);
        let of_c = if x[round] > 0.5 { 1.0 } else { 0.25 };
        [0.0, 1.0 - of_c, of_c].into_iter().zip(&mut dense).for_each(|(chance, column)| column.push(chance));
    }
    let names: Vec<String> = ["a", "b", "c"].map(str::to_owned).to_vec();
    let column = |name: &str, values: &Vec<f64>| Column { name: name.to_owned(), values: Values::Number(values.clone()) };
    let log = [
        Column { name: "action".to_owned(), values: Values::Text { codes: action, names: names.clone() } },
        column("reward", &reward),
        column("propensity", &propensity),
        column("x", &x),
        column("customer", &customer),
    ];
    let policy = ["p_a", "p_b", "p_c"].iter().zip(&dense).map(|(name, values)| column(name, values)).collect::<Vec<_>>();
    for (name, columns) in [("log", &log[..]), ("policy", &policy[..])] {
        for form in ["parquet", "csv"] {
            write_table(&folder.path().join(format!("{name}.{form}")), columns).unwrap();
        }
    }
    let of = |log: &str, policy: &str, more: &[&str]| {
        let arguments =
            ["--log", log, "--policy", policy, "--against", "uniform", "--features", "x", "--customer", "customer", "--bootstrap", "0"];
        let mut report = ok(folder.path(), &[&arguments[..], more].concat());
        ["log", "hash", "run", "policy"].into_iter().for_each(|name| report[name] = Value::Null);
        report
    };
    let more = ["--estimator", "ipw,snipw,dr,switch-dr"];
    let (blocks, whole) = (of("log.parquet", "policy.parquet", &more), of("log.csv", "policy.csv", &more));
    assert_eq!(blocks, whole);
    assert_eq!(of("log.parquet", "policy.csv", &more), whole);
    assert_is_told(&blocks["logged"], "reward per round");
    assert_eq!(blocks["logged"]["n"], ROUNDS / 4);
    // Half of the rounds earn .1 + .2 + .15 by c; the others by b, and a quarter of them by c.
    let truth = 0.5 * (0.3 + 0.15) + 0.5 * (0.75 * 0.2 + 0.25 * 0.3 + 0.05);
    assert!((number(&find(&blocks["values"], "dr")["value"]) - truth).abs() < 0.01, "{blocks}");
    let short = policy.iter().map(|column| Column { name: column.name.clone(), values: Values::Number(vec![0.0; 7]) }).collect::<Vec<_>>();
    write_table(&folder.path().join("short.parquet"), &short).unwrap();
    let (code, _, said) = self::policy(folder.path(), &["--log", "log.parquet", "--policy", "short.parquet"]);
    assert!(code == 2 && said.contains("not as many rows as the log, 540000"), "{said}");
}

/// Slates of three positions and two items in Open Bandit Pipeline's columns, drawn evenly; the policy prefers item 1. What a position earns
/// depends on its own item alone: .6 of item 1, .2 of item 0.
fn slates(seed: u64, count: usize) -> String {
    let mut draw = Draw::seeded(seed);
    let policy = ["", "_item_position", "_cascade"].map(|kind| format!("pscore{kind},evaluation_policy_pscore{kind}")).join(",");
    let mut text = format!("slate_id,position,action,reward,customer,{policy},p_0,p_1,q_0,q_1\n");
    for slate in 0..count {
        let items = [0; 3].map(|_: i32| usize::from(draw.uniform() < 0.5));
        let of = |item: usize| if item == 1 { 0.8 } else { 0.2 };
        let whole: f64 = items.iter().map(|&item| of(item)).product();
        let mut cascade = 1.0;
        for (position, &item) in items.iter().enumerate() {
            cascade *= of(item);
            let reward = u8::from(draw.uniform() < [0.2, 0.6][item]);
            // Below, the policy earns .8 × .6 + .2 × .2 at each position.
            let below = 0.52 * (2 - position) as f64;
            text.push_str(&format!(
                "s{slate},{position},{item},{reward},k{},0.125,{whole},0.5,{},{},{cascade},0.2,0.8,{},{}\n",
                slate / 2,
                of(item),
                0.5_f64.powi(i32::try_from(position).unwrap() + 1),
                0.2 + below,
                0.6 + below
            ));
        }
    }
    text
}

const SLATES: [&str; 8] = ["--slate", "slate_id", "--position", "position", "--bootstrap", "200", "--runs", "runs"];

#[test]
fn slates_are_valued_from_the_columns_of_open_bandit_pipeline() {
    let folder = tempfile::tempdir().unwrap();
    let text = slates(1, 4_000);
    std::fs::write(folder.path().join("slates.csv"), &text).unwrap();
    let own = [&["--log", "slates.csv", "--policy", "slates.csv"][..], &SLATES].concat();
    let report = ok(folder.path(), &[&own[..], &["--customer", "customer", "--report", "page.html"]].concat());
    assert!(report["slates"] == 4_000 && report["positions"] == 3, "{report}");
    assert_is_told(&report["logged"], "reward per slate");
    for estimator in ["sips", "snsips", "iips", "sniips", "rips", "snrips", "cascade-dr"] {
        let value = find(&report["values"], estimator);
        assert_is_told(value, "reward per slate");
        assert!(value["n"] == 2_000 && value["bootstrap"]["low"].is_number(), "{value}");
        assert!((number(&value["value"]) - 3.0 * 0.52).abs() < 4.0 * number(&value["std_error"]), "{value}");
    }
    let error = |name: &str| number(&find(&report["values"], name)["std_error"]);
    assert!(error("cascade-dr") < error("rips") && error("iips") < error("rips") && error("rips") < error("sips"), "{report}");
    assert!(std::fs::read_to_string(folder.path().join("page.html")).unwrap().contains("cascade-dr"));
    // Rows may stand in any order, columns have any names, and the policy may be a file of its own.
    let mut lines: Vec<&str> = text.lines().collect();
    lines[1..].reverse();
    let renamed = lines.join("\n").replacen("pscore_item_position", "of_item", 1).replacen("evaluation_policy_pscore,", "wanted,", 1);
    std::fs::write(folder.path().join("other.csv"), renamed).unwrap();
    let other = [&["--log", "other.csv", "--policy", "other.csv"][..], &SLATES].concat();
    let again = ok(folder.path(), &[&other[..], &["--item-propensity", "of_item", "--policy-propensity", "wanted"]].concat());
    for value in report["values"].as_array().unwrap() {
        let same = find(&again["values"], value["estimator"].as_str().unwrap());
        assert!((number(&same["value"]) / number(&value["value"]) - 1.0).abs() < 1e-9, "{value} {same}");
    }
    // What can't be had is said, or refused where it was asked for.
    let left = ok(folder.path(), &other);
    let names: Vec<&str> = left["values"].as_array().unwrap().iter().map(|value| value["estimator"].as_str().unwrap()).collect();
    assert_eq!(names, ["rips", "snrips", "cascade-dr"]);
    assert!(left["warnings"].to_string().contains("iips needs column pscore_item_position of the log"), "{left}");
    let (code, _, said) = policy(folder.path(), &[&other[..], &["--estimator", "sips"]].concat());
    assert!(code == 2 && said.contains("sips needs column pscore of the log and column evaluation_policy_pscore of the policy"), "{said}");
}

#[test]
fn slates_that_end_early_go_on_with_their_weight() {
    let folder = tempfile::tempdir().unwrap();
    let head = "slate_id,position,reward,pscore_cascade,evaluation_policy_pscore_cascade\n";
    std::fs::write(folder.path().join("log.csv"), format!("{head}a,1,1,0.5,1\na,2,1,0.25,0.5\nb,1,1,0.5,0\nc,1,0,0.5,1\nc,2,1,0.25,0\n"))
        .unwrap();
    let report = ok(folder.path(), &[&["--log", "log.csv", "--policy", "log.csv"][..], &SLATES, &["--estimator", "rips,snrips"]].concat());
    // Weights are 2, 2; 0, 0; 2, 0.
    assert!((number(&report["values"][0]["value"]) - (2.0 + 2.0) / 3.0).abs() < 1e-12, "{report}");
    assert!((number(&report["values"][1]["value"]) - (2.0 / 4.0 + 2.0 / 2.0)).abs() < 1e-12, "{report}");
    assert!(report["warnings"].to_string().contains("1 of 3 slates end before the last position"), "{report}");
}

#[test]
fn what_is_wrong_with_slates_is_said_with_row_rule_and_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let head = "slate_id,position,reward,pscore,pscore_item_position,pscore_cascade";
    let given = |text: &str| {
        let wanted = "evaluation_policy_pscore,evaluation_policy_pscore_item_position,evaluation_policy_pscore_cascade";
        let mut lines =
            text.lines().map(|line| format!("{line},0.25,0.5,{}\n", if line.split(',').nth(1) == Some("1") { "0.5" } else { "0.25" }));
        std::fs::write(folder.path().join("log.csv"), format!("{head},{wanted}\n{}", lines.by_ref().collect::<String>())).unwrap();
        policy(folder.path(), &[&["--log", "log.csv", "--policy", "log.csv"][..], &SLATES].concat())
    };
    let rows = ["a,1,0,0.25,0.5,0.5", "a,2,0,0.25,0.5,0.25", "b,1,0,0.25,0.5,0.5", "b,2,1,0.25,0.5,0.25"];
    let (code, _, said) = given(&rows.join("\n"));
    assert_eq!(code, 0, "{said}");
    for (row, wrong, why) in [
        (1, "a,1,0,0.25,0.5,0.5", "row 2, column position: 1 stands already at row 1 of the same slate"),
        (1, "a,3,0,0.25,0.5,0.25", "row 2, column position: 3 stands there, but position 2 of the slate is missing"),
        (1, "a,,0,0.25,0.5,0.25", "row 2, column position: is empty or not finite"),
        (1, "a,2,0,0.2,0.5,0.2", "row 2, column pscore: is 0.2, but 0.25 at row 1"),
        (1, "a,2,0,0.25,0.5,0.6", "row 2, column pscore_cascade: is 0.6, above 0.5 at row 1"),
        (1, "a,2,0,0.25,0.5,0.2", "row 2, column pscore_cascade: is 0.2, but the whole slate's (pscore) is 0.25"),
        (1, "a,2,0,0.25,0.1,0.25", "row 2, column pscore_item_position: is 0.1, below the whole slate's (pscore), 0.25"),
        (1, "a,2,0,0,0.5,0.25", "row 2, column pscore: is 0, but has to be above 0 and at most 1"),
        (1, "a,2,0,0.25,-0.5,0.25", "row 2, column pscore_item_position: is -0.5"),
        (1, "a,2,0,0.25,0.5,1.5", "row 2, column pscore_cascade: is 1.5"),
        (1, "a,2,0,0.25,0.5,", "row 2, column pscore_cascade: is NaN"),
        (1, ",2,0,0.25,0.5,0.25", "row 2: column slate_id is empty"),
        (1, "a,2,inf,0.25,0.5,0.25", "row 2, column reward: is inf"),
        (1, "a,two,0,0.25,0.5,0.25", "column position holds texts"),
    ] {
        let mut rows = rows;
        rows[row] = wrong;
        let (code, _, said) = given(&rows.join("\n"));
        assert!(code == 2 && said.contains(why), "{wrong}: {code} {said}");
    }
    // Every row a position of its own: an identifier was named by mistake.
    let wide: String = (0..300).map(|row| format!("s{row},{row},0,0.25,0.5,0.25\n")).collect();
    let (code, _, said) = given(&wide);
    assert!(code == 2 && said.contains("is position the place in the slate"), "{said}");
    given(&rows.join("\n"));
    std::fs::write(folder.path().join("short.csv"), "evaluation_policy_pscore\n0.25\n").unwrap();
    std::fs::write(folder.path().join("none.csv"), "").unwrap();
    let slates = |log: &str, policy_file: &str, more: &[&str]| {
        policy(folder.path(), &[&["--log", log, "--policy", policy_file][..], &SLATES, more].concat())
    };
    for (log, of, more, why) in [
        ("log.csv", "short.csv", &[][..], "it has 1 rows and the log 4"),
        ("log.csv", "uniform", &[][..], "no such file: with --slate it is a table"),
        ("log.csv", "none.csv", &[][..], "none.csv"),
        ("none.csv", "log.csv", &[][..], "none.csv"),
        ("log.csv", "log.csv", &["--cascade-propensity", "nothing"][..], "has no column nothing"),
        ("log.csv", "log.csv", &["--estimator", "ipw"][..], "with --slate there are all, sips"),
        ("log.csv", "log.csv", &["--against", "uniform"][..], "cannot be used with"),
    ] {
        let (code, _, said) = slates(log, of, more);
        assert!(code == 2 && said.contains(why), "{log} {of} {more:?}: {code} {said}");
    }
}

#[test]
fn names_from_files_are_no_commands_to_a_terminal() {
    let folder = tempfile::tempdir().unwrap();
    let rows: String = (0..40)
        .map(|row| format!("{},{},0.5,\"x\u{1b}[2J\u{202e}\nkept as run 1\"\n", ["a", "\u{1b}]0;b\u{7}"][row % 2], row % 3))
        .collect();
    std::fs::write(folder.path().join("log.csv"), format!("action,reward,propensity,logger\n{rows}")).unwrap();
    let arguments = ["--log", "log.csv", "--logger", "logger", "--bootstrap", "0", "--runs", "runs", "--reward-model", "none"];
    for of in ["uniform", "always:\u{1b}[31mz"] {
        let (code, _, said) = policy(folder.path(), &[&arguments[..], &["--policy", of]].concat());
        assert!(code == 0 && said.contains("□[2J□ kept as run 1"), "{said:?}");
        assert!(said.chars().all(|letter| letter == '\n' || !(letter.is_control() || letter == '\u{202e}')), "{said:?}");
    }
    let (_, _, said) = policy(folder.path(), &[&arguments[..], &["--policy", "uniform", "--estimator", "\u{1b}[2J"]].concat());
    assert!(!said.contains('\u{1b}'), "{said:?}");
}
