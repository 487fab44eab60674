//! `youhui evaluate experiment|policy|power|campaign`, through the program.
#![allow(clippy::unwrap_used, reason = "a test's way to fail")]

mod served;

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use served::{Server, order};
use youhui_commerce::Draw;

/// Exit code, what it printed as JSON, and what it said.
fn evaluate(folder: &Path, arguments: &[&str]) -> (i32, Value, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_youhui")).current_dir(folder).arg("evaluate").args(arguments).output().unwrap();
    let answer = serde_json::from_slice(&output.stdout).unwrap_or(Value::Null);
    (output.status.code().unwrap(), answer, String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout))
}

fn ok(folder: &Path, arguments: &[&str]) -> Value {
    let (code, answer, said) = evaluate(folder, &[arguments, &["--format", "json"]].concat());
    assert_eq!(code, 0, "{said}");
    answer
}

/// Customers of an experiment in which the new arm brings 2.00 more each, is 10 ms slower, and refunds no more.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small and not negative")]
fn rows(seed: u64, count: usize) -> String {
    let mut draw = Draw::seeded(seed);
    let mut text = "customer,arm,day,region,before,revenue,orders,sessions,latency,refunds\n".to_owned();
    for customer in 0..count {
        let is_new = draw.uniform() < 0.5;
        let taste = 10.0 + 5.0 * draw.normal();
        let before = taste + 2.0 * draw.normal();
        let revenue = taste + 2.0 * draw.normal() + if is_new { 2.0 } else { 0.0 };
        let sessions = 1 + (4.0 * draw.uniform()) as u32;
        let orders = (0..sessions).filter(|_| draw.uniform() < if is_new { 0.35 } else { 0.3 }).count();
        let latency = 100.0 + 20.0 * draw.normal().abs() + if is_new { 10.0 } else { 0.0 };
        let refunds = u32::from(draw.uniform() < 0.05);
        let (arm, region) = (if is_new { "new" } else { "control" }, ["north", "south", "west"][customer % 3]);
        let day = 1 + customer * 14 / count;
        text.push_str(&format!(
            "c{customer},{arm},2026-11-{day:02},{region},{before:.4},{revenue:.4},{orders},{sessions},{latency:.3},{refunds}\n"
        ));
    }
    text
}

fn metric<'a>(report: &'a Value, name: &str) -> &'a Value {
    report["arms"][0]["metrics"].as_array().unwrap().iter().find(|metric| metric["metric"] == name).unwrap()
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value}"))
}

#[test]
fn an_experiment_is_judged_with_its_checks_and_a_decision() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("rows.csv"), rows(1, 6000)).unwrap();
    let all = [
        "experiment",
        "--data",
        "rows.csv",
        "--assignment",
        "arm",
        "--metric",
        "revenue,cuped=before,unit=EUR per customer",
        "--guardrail",
        "refunds,lower,margin=0.02",
        "--guardrail",
        "p90(latency),lower,margin=30",
        "--secondary",
        "orders/sessions",
        "--covariates",
        "before",
        "--dimension",
        "region",
        "--date",
        "day",
        "--report",
        "report.html",
        "--runs",
        "runs",
    ];
    let report = ok(folder.path(), &all);
    let revenue = metric(&report, "revenue");
    assert!(number(&revenue["low"]) < 2.0 && number(&revenue["high"]) > 2.0, "{revenue}");
    assert!(number(&revenue["variance_reduction"]) > 0.6 && revenue["unit"] == "EUR per customer" && revenue["n"] == 6000);
    assert_eq!(report["arms"][0]["decision"]["verdict"], "ship", "{}", report["arms"][0]["decision"]);
    let latency = &report["quantiles"][0];
    assert!((number(&latency["effect"]) - 10.0).abs() < 5.0 && latency["guarded"] == "holds", "{latency}");
    assert_eq!(report["breakdowns"][0][1]["effects"].as_array().unwrap().len(), 3);
    let looks = report["over_time"][0][1].as_array().unwrap();
    assert_eq!(looks.len(), 14);
    let last = looks.last().unwrap();
    assert!((number(&last["effect"]) - number(&revenue["effect"])).abs() < 1e-9, "the last look is the whole experiment");
    assert!(number(&last["low"]) < number(&last["fixed_low"]), "what may be looked at every day is wider");
    let page = std::fs::read_to_string(folder.path().join("report.html")).unwrap();
    assert!(page.contains("<svg") && page.contains("holds whenever looked at") && !page.contains("http://") && !page.contains("https://"));
    // The snapshot is kept, and a later one can be compared with it.
    std::fs::write(folder.path().join("rows.csv"), rows(2, 6000)).unwrap();
    let again = ok(folder.path(), &all);
    let diff = Command::new(env!("CARGO_BIN_EXE_youhui"))
        .current_dir(folder.path())
        .args(["runs", "diff", report["run"].as_str().unwrap(), again["run"].as_str().unwrap(), "--runs", "runs"])
        .output()
        .unwrap();
    let diff = String::from_utf8_lossy(&diff.stdout).into_owned() + &String::from_utf8_lossy(&diff.stderr);
    assert!(diff.contains("new.revenue.effect"), "{diff}");
    // A guardrail on a quantile stops a rollout like any other.
    let strict = all.map(|word| if word.starts_with("p90") { "p90(latency),lower,margin=2" } else { word });
    let stopped = ok(folder.path(), &strict);
    assert_eq!(stopped["arms"][0]["decision"]["verdict"], "roll_back", "{}", stopped["arms"][0]["decision"]);
    // For people.
    let (code, _, said) = evaluate(folder.path(), &all);
    assert!(code == 0 && said.contains("new against control: ship"), "{said}");
}

/// Rows, sums, blocks and units say the same.
#[test]
fn sums_say_what_rows_say() {
    let folder = tempfile::tempdir().unwrap();
    let text = rows(3, 2000);
    std::fs::write(folder.path().join("rows.csv"), &text).unwrap();
    let mut sums: std::collections::BTreeMap<&str, [f64; 6]> = std::collections::BTreeMap::new();
    for line in text.lines().skip(1) {
        let cells: Vec<&str> = line.split(',').collect();
        let (orders, sessions) = (cells[6].parse::<f64>().unwrap(), cells[7].parse::<f64>().unwrap());
        let all = [1.0, orders, sessions, orders * orders, orders * sessions, sessions * sessions];
        sums.entry(cells[1]).or_default().iter_mut().zip(all).for_each(|(sum, value)| *sum += value);
    }
    let mut table = "arm,n,sum_orders,sum_sessions,sum_orders_orders,sum_orders_sessions,sum_sessions_sessions\n".to_owned();
    for (arm, [n, orders, sessions, oo, os, ss]) in &sums {
        table.push_str(&format!("{arm},{n},{orders},{sessions},{oo},{os},{ss}\n"));
    }
    std::fs::write(folder.path().join("sums.csv"), table).unwrap();
    let ask = |data: &str, more: &[&str]| {
        ok(folder.path(), &[&["experiment", "--data", data, "--assignment", "arm", "--metric", "orders/sessions"], more].concat())
    };
    let of_rows = ask("rows.csv", &[]);
    for (data, more) in [("sums.csv", &["--aggregates"][..]), ("rows.csv", &["--unit", "customer"])] {
        let other = ask(data, more);
        for what in ["effect", "low", "high", "std_error"] {
            let (one, two) = (number(&metric(&of_rows, "orders/sessions")[what]), number(&metric(&other, "orders/sessions")[what]));
            assert!((one - two).abs() < 1e-9 * one.abs().max(1e-3), "{data} {what}: {one} {two}");
        }
    }
}

#[test]
fn what_is_wrong_with_an_experiment_is_said_with_its_consequence() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("one.csv", "arm,revenue\nnew,1\nnew,2\nnew,3\n");
    write("empty.csv", "arm,revenue\ncontrol,1\nnew,2\n,3\nnew,4\n");
    write("infinite.csv", "arm,revenue\ncontrol,1\ncontrol,3\nnew,inf\nnew,4\n");
    write("lost.csv", "arm,revenue\ncontrol,1\ncontrol,3\nnew,\nnew,4\n");
    write("same.csv", "arm,revenue\ncontrol,1\ncontrol,1\nnew,1\nnew,1\n");
    write("texts.csv", "arm,revenue\ncontrol,a\ncontrol,b\nnew,c\n");
    write("part.csv", "arm,n,sum_revenue,sum_revenue_revenue\ncontrol,2.5,1,1\nnew,2,1,1\n");
    let ask = |data: &str, more: &[&str]| {
        evaluate(folder.path(), &[&["experiment", "--data", data, "--assignment", "arm", "--metric", "revenue"], more].concat())
    };
    for (data, more, why) in [
        ("one.csv", &[][..], "nothing to compare with"),
        ("one.csv", &["--control", "new"], "no effect can be told"),
        ("empty.csv", &[], "row 3: column arm is empty"),
        ("infinite.csv", &[], "row 3, revenue: inf"),
        ("lost.csv", &[], "row 3, revenue: an empty cell"),
        ("texts.csv", &[], "a metric needs numbers"),
        ("nowhere.csv", &[], "nowhere.csv"),
        ("part.csv", &["--aggregates"], "whole numbers"),
        ("one.csv", &["--weights", "new=x"], "no"),
        ("same.csv", &["--weights", "control=1,other=2"], "no such arm"),
        ("same.csv", &["--prior", "0,1"], "only --engine bayesian"),
        ("same.csv", &["--level", "1"], "level"),
        ("same.csv", &["--metric", "revenue,name=two", "--secondary", "x y z"], "x y z"),
    ] {
        let (code, _, said) = ask(data, more);
        assert!(code == 2 && said.contains(why), "{data} {more:?}: {code} {said}");
    }
    // What does not keep the rest from being told is a warning.
    let (code, _, said) = ask("same.csv", &[]);
    assert!(code == 0 && said.contains("no figure: revenue: ") && said.contains("the same value for every unit"), "{said}");
    let mut text = "customer,arm,revenue\n".to_owned();
    (0..400).for_each(|one| text.push_str(&format!("c{one},{},{}\n", if one % 4 == 0 { "new" } else { "control" }, one % 7)));
    (0..10).for_each(|one| text.push_str(&format!("c{one},{},1\n", if one % 4 == 0 { "control" } else { "new" })));
    write("both.csv", &text);
    write("dates.csv", "customer,arm,revenue,day\na,new,1,1\na,new,2,2\nb,control,1,1\nc,new,1,1\nd,control,2,1\n");
    let (code, _, said) = ask("dates.csv", &["--unit", "customer", "--date", "day"]);
    assert!(code == 2 && said.contains("column day differs among rows of one unit"), "{said}");
    let (code, _, said) = ask("both.csv", &["--unit", "customer"]);
    assert!(code == 0 && said.contains("10 of 400 units") && said.contains("no longer comparable") && said.contains("roll back"), "{said}");
}

/// A log whose truth is known: uniform over three actions, of which each earns with another chance.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small and not negative")]
fn log(seed: u64, rounds: usize) -> String {
    let mut draw = Draw::seeded(seed);
    let mut text = "action,reward,propensity,x,customer\n".to_owned();
    for round in 0..rounds {
        let (action, x) = ((3.0 * draw.uniform()) as usize, draw.uniform());
        let chance = [0.1, 0.2, 0.3][action] + 0.2 * x;
        text.push_str(&format!(
            "{},{},0.3333333333333333,{x:.4},k{}\n",
            ["a", "b", "c"][action],
            u8::from(draw.uniform() < chance),
            round / 2
        ));
    }
    text
}

#[test]
fn a_policy_is_valued_from_the_log_of_another() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("log.csv"), log(1, 20_000)).unwrap();
    std::fs::write(folder.path().join("mixed.csv"), "action,probability\na,0.25\nc,0.75\n").unwrap();
    let all = ["policy", "--log", "log.csv", "--features", "x", "--customer", "customer", "--bounds", "0,1", "--runs", "runs"];
    for (policy, truth) in [("always:c", 0.4), ("uniform", 0.3), ("mixed.csv", 0.35)] {
        let report = ok(folder.path(), &[&all[..], &["--policy", policy, "--report", "policy.html"]].concat());
        for value in report["values"].as_array().unwrap() {
            // A direct method's interval leaves out how wrong its model is, and a tuned one's that λ was chosen; both are said.
            if !["ipw", "snipw", "dr", "sndr"].contains(&value["estimator"].as_str().unwrap()) {
                continue;
            }
            let (low, high) = (number(&value["normal"]["low"]), number(&value["normal"]["high"]));
            let slack = (high - low) / 2.0;
            assert!(low - slack < truth && truth < high + slack, "{policy}: {value}");
        }
        assert!(report["values"].as_array().unwrap().len() >= 9, "all of them: {report}");
        assert!(report["warnings"].to_string().contains("how wrong the model is"), "{}", report["warnings"]);
        if policy == "always:c" {
            assert!(report["warnings"].to_string().contains("λ was chosen"), "{}", report["warnings"]);
        }
        assert!(std::fs::read_to_string(folder.path().join("policy.html")).unwrap().contains("<svg"));
    }
    // By hand: IPW of always:c is the mean of three times the reward where c was logged.
    let text = std::fs::read_to_string(folder.path().join("log.csv")).unwrap();
    let by_hand: f64 = text.lines().skip(1).filter(|line| line.starts_with("c,1")).count() as f64 * 3.0 / 20_000.0;
    let report = ok(
        folder.path(),
        &[&all[..], &["--policy", "always:c", "--against", "uniform", "--estimator", "ipw,dr", "--bootstrap", "200"]].concat(),
    );
    assert!((number(&report["values"][0]["value"]) - by_hand).abs() < 1e-9, "{report}");
    let difference = &report["differences"][1];
    let (low, high) = (number(&difference["paired"]["low"]), number(&difference["paired"]["high"]));
    assert!(low < 0.1 && 0.1 < high && low > 0.05, "{difference}");
    // A row a round, dense or of the logged action only.
    let mut dense = "p_a,p_b,p_c\n".to_owned();
    let mut logged = "probability\n".to_owned();
    for line in text.lines().skip(1) {
        dense.push_str("0,0,1\n");
        logged.push_str(if line.starts_with('c') { "1\n" } else { "0\n" });
    }
    std::fs::write(folder.path().join("dense.csv"), dense).unwrap();
    std::fs::write(folder.path().join("logged.csv"), logged).unwrap();
    for (policy, model) in [("dense.csv", "ridge"), ("logged.csv", "none")] {
        let report = ok(folder.path(), &[&all[..], &["--policy", policy, "--estimator", "ipw", "--reward-model", model]].concat());
        assert!((number(&report["values"][0]["value"]) - by_hand).abs() < 1e-9, "{policy}: {report}");
    }
}

#[test]
fn what_is_wrong_with_a_log_is_said_with_its_consequence() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("zero.csv", "action,reward,propensity\na,1,0.5\nb,0,0\n");
    write("above.csv", "action,reward,propensity\na,1,0.5\nb,0,1.5\n");
    write("negative.csv", "action,reward,propensity\na,1,0.5\nb,0,-0.1\n");
    write("infinite.csv", "action,reward,propensity\na,inf,0.5\nb,0,0.5\n");
    write("good.csv", "action,reward,propensity\na,1,0.5\nb,0,0.5\na,0,0.5\nb,1,0.5\n");
    write("sum.csv", "action,probability\na,0.5\nb,0.6\n");
    write("short.csv", "p_a,p_b\n1,0\n");
    for (log, policy, why) in [
        ("zero.csv", "uniform", "propensity"),
        ("above.csv", "uniform", "propensity"),
        ("negative.csv", "uniform", "propensity"),
        ("infinite.csv", "uniform", "reward"),
        ("good.csv", "sum.csv", "sum"),
        ("good.csv", "short.csv", "not as many rows"),
        ("good.csv", "nothing", "neither a file nor a name"),
        ("nowhere.csv", "uniform", "nowhere.csv"),
    ] {
        let (code, _, said) =
            evaluate(folder.path(), &["policy", "--log", log, "--policy", policy, "--reward-model", "none", "--bootstrap", "0"]);
        assert!(code == 2 && said.contains(why), "{log} {policy}: {code} {said}");
    }
    write("one.csv", "action,reward,propensity\na,1,0.5\n");
    for (log, level, why) in [("good.csv", "2", "--level 2: it is a share"), ("one.csv", "0.9", "go without it: --reward-model none")] {
        let (code, _, said) = evaluate(folder.path(), &["policy", "--log", log, "--policy", "uniform", "--level", level]);
        assert!(code == 2 && said.contains(why), "{log}: {code} {said}");
    }
    let (code, _, said) =
        evaluate(folder.path(), &["policy", "--log", "good.csv", "--policy", "always:z", "--reward-model", "none", "--bootstrap", "0"]);
    assert!(code == 0 && said.contains("warning") && said.contains('z'), "never logged: {said}");
}

/// As statsmodels' `TTestIndPower` has it: 393.4 units an arm for .2 standard deviations at .8.
#[test]
fn an_experiment_is_planned() {
    let folder = tempfile::tempdir().unwrap();
    let units = number(&ok(folder.path(), &["power", "--sd", "1", "--effect", "0.2"])["units"]);
    assert!((units - 2.0 * 393.405_7).abs() < 0.1, "{units}");
    let back = ok(folder.path(), &["power", "--sd", "1", "--units", "786.8114"]);
    assert!((number(&back["effect"]) - 0.2).abs() < 1e-5, "{back}");
    let adjusted = number(&ok(folder.path(), &["power", "--sd", "1", "--effect", "0.2", "--cuped", "0.7"])["units"]);
    assert!((adjusted / units - 0.51).abs() < 0.01, "{adjusted}");
    let sequential = number(&ok(folder.path(), &["power", "--sd", "1", "--effect", "0.2", "--sequential"])["units"]);
    assert!(sequential > 1.3 * units && sequential < 3.0 * units, "{sequential}");
    for (arguments, why) in [
        (&["power", "--sd", "0", "--effect", "1"][..], "above 0"),
        (&["power", "--rate", "2", "--effect", "1"], "between 0 and 1"),
        (&["power", "--sd", "1"], "give two of"),
        (&["power", "--rate", "0.5", "--effect", "0.9"], "the rate would be 1.4"),
        (&["power", "--sd", "1", "--effect", "1", "--cuped", "2"], "between -1 and 1"),
    ] {
        let (code, _, said) = evaluate(folder.path(), arguments);
        assert!(code == 2 && said.contains(why), "{arguments:?}: {said}");
    }
}

/// Customers of a campaign that brings 5.00 each at 2.00, of which 1.00 is bought ahead; the old are offered nothing.
#[allow(clippy::cast_possible_truncation, reason = "small")]
fn customers(seed: u64, count: usize) -> String {
    let mut draw = Draw::seeded(seed);
    let head = "arm,age,revenue,goods,promotion,orders,before_revenue,before_goods,before_orders,after_revenue,after_goods,after_orders,";
    let mut text = format!("{head}part:tea:promoted,part:tea:rest,part:cups:rest\n");
    for customer in 0..count {
        let is_treated = draw.uniform() < 0.8;
        let age = ["young", "old"][customer % 2];
        let given = if is_treated && age == "young" { 1 } else { 0 };
        let mut usual = || 2_000 + 100 * (10.0 * draw.uniform()) as i64;
        let (before, after) = (usual(), usual() - 200 * given);
        let [promoted, rest] = [usual() + 1_200 * given, usual() - 400 * given];
        let cups = usual() + 200 * given;
        let (revenue, orders) = (promoted + rest + cups, 1 + customer % 3);
        let arm = if is_treated { "offered" } else { "held_out" };
        text.push_str(&format!(
            "{arm},{age},{revenue},{},{},{orders},{before},{},{orders},{after},{},{orders},{promoted},{rest},{cups}\n",
            revenue / 2,
            400 * given,
            before / 2,
            after / 2
        ));
    }
    text
}

#[test]
fn what_a_campaign_brought_and_cost_is_told_with_whom_it_treats_how() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("customers.csv"), customers(1, 8000)).unwrap();
    let all = [
        "money",
        "--data",
        "customers.csv",
        "--assignment",
        "arm",
        "--holdout-share",
        "0.2",
        "--currency",
        "EUR",
        "--group",
        "age",
        "--runs",
        "runs",
    ];
    let report = ok(folder.path(), &all);
    let within = |figure: &Value, truth: f64| {
        let (low, high) = (number(&figure["low"]), number(&figure["high"]));
        // Three standard errors rather than two: one seed.
        let slack = (high - low) / 4.0;
        assert!(low - slack < truth && truth < high + slack, "{truth}: {figure}");
    };
    // Half of them are offered 10.00 more revenue, of which half is goods, for 4.00.
    within(&report["incremental"]["revenue"]["per_customer"], 5.0);
    within(&report["incremental"]["profit"]["per_customer"], 2.5 - 2.0);
    within(&report["net"]["incremental"]["revenue"]["per_customer"], 4.0);
    assert_eq!(report["incremental"]["revenue"]["per_customer"]["causal"], "randomised");
    let returned = &report["returns"]["return_on_promotion_spend"];
    assert!((number(&returned["value"]) - 1.25).abs() < 0.3, "{returned}");
    let of_tea = &report["cannibalisation"][0];
    assert!(of_tea.to_string().contains("tea"), "{of_tea}");
    let offered = &report["fairness"]["parity"][0];
    assert!(offered["name"].as_str().unwrap().contains("offered"), "{offered}");
    let effects = report["fairness"]["effects"].to_string();
    assert!(effects.contains("young") && effects.contains("old"), "{effects}");
    let (code, _, said) = evaluate(folder.path(), &all);
    assert!(code == 0 && said.contains("with what came after") && said.contains("by group"), "{said}");
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("parts.csv", "arm,revenue,orders\noffered,1.5,1\nheld_out,2,1\n");
    write("lost.csv", "arm,revenue,orders\noffered,,1\nheld_out,2,1\n");
    write("one.csv", "arm,revenue,orders\noffered,1,1\noffered,2,2\n");
    write("three.csv", "arm,revenue,orders\na,1,1\nb,2,1\nheld_out,3,1\n");
    write("fewer.csv", "arm,revenue,orders\na,1,1\nheld_out,3,-1\n");
    write("none.csv", "arm,money\na,1\nheld_out,3\n");
    for (data, why) in [
        ("parts.csv", "row 1: column revenue is 1.5: amounts are whole minor units"),
        ("lost.csv", "row 1: column revenue is NaN"),
        ("one.csv", "control: 0 unit(s)"),
        ("three.csv", "several arms"),
        ("fewer.csv", "row 2: column orders is -1"),
        ("none.csv", "there is no column revenue"),
    ] {
        let (code, _, said) =
            evaluate(folder.path(), &["money", "--data", data, "--assignment", "arm", "--holdout-share", "0.2", "--currency", "EUR"]);
        assert!(code == 2 && said.contains(why), "{data}: {said}");
    }
}

/// Households by week, of which some are reached in week 9 and spend 3.00 more from then on.
#[test]
fn what_was_run_without_a_holdout_is_told_as_observational() {
    let folder = tempfile::tempdir().unwrap();
    let mut draw = Draw::seeded(3);
    let mut panel = "household,week,spent,start\n".to_owned();
    let mut series = "week,spent,weather\n".to_owned();
    let mut sums = [0.0; 20];
    for household in 0..200 {
        let (level, is_reached) = (20.0 + 5.0 * draw.normal(), household % 3 == 0);
        for week in 1..=20 {
            let effect = if is_reached && week >= 9 { 3.0 } else { 0.0 };
            let spent = level + 0.1 * f64::from(week) + draw.normal() + effect;
            // A level that is carried on would not follow a trend.
            sums[week as usize - 1] += spent - 0.1 * f64::from(week);
            panel.push_str(&format!("h{household},{week},{spent:.4},{}\n", if is_reached { "9" } else { "" }));
        }
    }
    for (week, sum) in sums.iter().enumerate() {
        series.push_str(&format!("{},{sum:.3},{:.3}\n", week + 1, draw.normal()));
    }
    std::fs::write(folder.path().join("panel.csv"), panel).unwrap();
    std::fs::write(folder.path().join("series.csv"), series).unwrap();
    let of_panel = [
        "observational",
        "--data",
        "panel.csv",
        "--unit",
        "household",
        "--time",
        "week",
        "--outcome",
        "spent",
        "--start",
        "start",
        "--runs",
        "runs",
    ];
    let report = ok(folder.path(), &of_panel);
    let found = report["found"].as_array().unwrap();
    assert_eq!(found.len(), 6, "{}", report["problems"]);
    for one in found {
        assert!((number(&one["effect"]["value"]) - 3.0).abs() < 0.5, "{one}");
        assert!(one["evidence"] == "observational" && !one["assumption"].as_str().unwrap().is_empty(), "{one}");
    }
    assert!(found[0]["checks"].as_array().unwrap().len() >= 3, "{}", found[0]);
    let of_series = ["observational", "--data", "series.csv", "--time", "week", "--outcome", "spent", "--starts", "9", "--runs", "runs"];
    let report = ok(folder.path(), &of_series);
    for one in report["found"].as_array().unwrap() {
        assert!((number(&one["effect"]["value"]) - 3.0 * 67.0).abs() < 80.0, "{one}");
    }
    let (code, _, said) = evaluate(folder.path(), &of_panel);
    assert!(code == 0 && said.contains("assumes:") && said.contains("(observational)"), "{said}");
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("back.csv", "household,week,spent,start\na,2,1,\na,1,1,\nb,1,1,2\nb,2,1,2\n");
    write("all.csv", "household,week,spent,start\na,1,1,2\na,2,1,2\nb,1,1,2\nb,2,1,2\n");
    for (data, more, why) in
        [("back.csv", &[][..], "time"), ("all.csv", &[], "untreated"), ("panel.csv", &["--method", "segmented"], "not of a panel")]
    {
        let ask = ["observational", "--data", data, "--unit", "household", "--time", "week", "--outcome", "spent", "--start", "start"];
        let (code, _, said) = evaluate(folder.path(), &[&ask[..], more].concat());
        assert!(code == 2 && said.contains(why), "{data}: {code} {said}");
    }
}

/// A shop whose offered customers all buy at once and whose held-out ones don't.
#[test]
fn a_campaign_of_a_served_shop_is_judged_by_its_holdout() {
    let folder = tempfile::tempdir().unwrap();
    let mut offers: Value = serde_json::from_slice(&std::fs::read(served::OFFERS).unwrap()).unwrap();
    offers["holdout_share"] = json!(0.3);
    let file = folder.path().join("offers.json");
    std::fs::write(&file, offers.to_string()).unwrap();
    let shop = folder.path().join("shop");
    let server = Server::start(&shop, &["--consent-default", "granted", "--offers", file.to_str().unwrap()]);
    let customers: Vec<String> = (0..400).map(|number| format!("customer-{number}")).collect();
    let old = |(number, customer): (usize, &String)| {
        let mut order = order(&format!("old-{customer}"), customer);
        order["timestamp"] = json!("2026-11-01T10:00:00Z");
        order["properties"]["products"][0]["quantity"] = json!(1 + number % 3);
        order
    };
    let batch: Vec<Value> = customers.iter().enumerate().map(old).collect();
    assert_eq!(server.post("/v1/batch", &json!({"batch": batch})).json()["accepted"], 400);
    let mut held_out = 0;
    let mut bought = vec![];
    for (number, customer) in customers.iter().enumerate() {
        let decided = server.decide(customer);
        let is_held_out = decided["placements"][0]["mode"] == "holdout";
        held_out += usize::from(is_held_out);
        // 25.00 by nine of ten who were offered something, and by one of five who were not.
        if (is_held_out && number % 5 == 0) || (!is_held_out && number % 10 != 0) {
            bought.push(order(&format!("new-{customer}"), customer));
        }
    }
    assert_eq!(server.post("/v1/batch", &json!({"batch": bought})).status, 200);
    std::thread::sleep(std::time::Duration::from_millis(4000));
    assert!(server.stop());
    let ask = |arguments: &[&str]| {
        let output = served::youhui(&shop)
            .current_dir(folder.path())
            .args(["evaluate", "campaign", "--store"])
            .arg(&shop)
            .args(arguments)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
        (output.status.code().unwrap(), serde_json::from_slice::<Value>(&output.stdout).unwrap_or(Value::Null), said)
    };
    // 3.9 seconds.
    let (code, report, said) = ask(&["autumn", "--window-days", "0.000045", "--format", "json", "--report", "campaign.html"]);
    assert_eq!(code, 0, "{said}");
    assert_eq!((report["customers"].as_u64(), report["held_out"].as_u64()), (Some(400), Some(held_out as u64)), "{report}");
    let revenue = metric(&report, "revenue");
    let truth = 2500.0 * (0.9 - 0.2);
    assert!(number(&revenue["low"]) < truth && truth < number(&revenue["high"]) && number(&revenue["low"]) > 800.0, "{revenue}");
    assert_eq!(report["arms"][0]["decision"]["verdict"], "ship", "{report}");
    let total = &report["total"];
    assert!((number(&total["value"]) - number(&revenue["effect"]) * (400 - held_out) as f64).abs() < 1e-6, "{total}");
    assert_eq!(report["promotions"].as_array().unwrap().len(), 3, "{report}");
    assert!(std::fs::read_to_string(folder.path().join("campaign.html")).unwrap().contains("<svg"));
    for (arguments, why) in [
        (&["winter"][..], "is that its name?"),
        (&["autumn"], "wait, or give fewer --window-days"),
        (&["autumn", "--window-days", "0"], "above 0"),
        (&["autumn", "--margin", "2"], "--margin"),
    ] {
        let (code, _, said) = ask(arguments);
        assert!(code == 2 && said.contains(why), "{arguments:?}: {said}");
    }
}
