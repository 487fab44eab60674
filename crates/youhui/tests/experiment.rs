//! `youhui evaluate experiment`, through the program.
#![allow(clippy::unwrap_used, reason = "a test's way to fail")]

mod evaluated;

use std::process::Command;

use evaluated::{evaluate, metric, number, ok};
use serde_json::Value;
use youhui_commerce::Draw;

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
    for arm in ["control", "treatment"] {
        let of = &revenue[arm];
        assert!(
            number(&of["low"]) < number(&of["value"]) && number(&of["value"]) < number(&of["high"]) && number(&of["n"]) > 2800.0,
            "{of}"
        );
    }
    assert_eq!(report["first_goal"]["unit"], "EUR per customer");
    assert_eq!(report["arms"][0]["decision"]["verdict"], "ship", "{}", report["arms"][0]["decision"]);
    let latency = metric(&report, "p90(latency)");
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
    write("days.csv", "arm,revenue,day\ncontrol,1,2026-1-9\ncontrol,2,2026-1-10\nnew,1,2026-1-9\nnew,3,2026-1-10\n");
    write("part.csv", "arm,n,sum_revenue,sum_revenue_revenue\ncontrol,2.5,1,1\nnew,2,1,1\n");
    let ask = |data: &str, more: &[&str]| {
        evaluate(folder.path(), &[&["experiment", "--data", data, "--assignment", "arm", "--metric", "revenue"], more].concat())
    };
    for (data, more, why) in [
        ("one.csv", &[][..], "nothing to compare with"),
        ("one.csv", &["--control", "new"], "no effect can be told"),
        ("empty.csv", &[], "row 3: column arm is empty"),
        ("infinite.csv", &[], "row 3, column revenue: inf"),
        ("lost.csv", &[], "row 3, column revenue: an empty cell"),
        ("texts.csv", &[], "a metric needs numbers"),
        ("nowhere.csv", &[], "nowhere.csv"),
        ("part.csv", &["--aggregates"], "whole numbers"),
        ("same.csv", &["--weights", "control=1,new=x"], "not a number"),
        ("same.csv", &["--weights", "control=1,other=2"], "no such arm"),
        ("same.csv", &["--prior", "0,1"], "only --engine bayesian"),
        ("same.csv", &["--level", "1"], "level"),
        ("same.csv", &["--weights", "control=1"], "arm new has none"),
        ("same.csv", &["--weights", "control=1,control=2,new=1"], "has a share already"),
        ("same.csv", &["--planned-units", "9", "--planned-effect", "nan"], "planned effect"),
        ("same.csv", &["--engine", "sequential", "--tuning", "nan"], "--tuning"),
        ("same.csv", &["--adjustment", "ancova"], "put cuped=COLUMN"),
        ("same.csv", &["--variance", "hc3"], "it is of --adjustment"),
        ("same.csv", &["--dimension", "arm"], "that is the column of arms"),
        ("days.csv", &["--date", "day"], "write dates as 2026-01-09"),
        ("same.csv", &["--metric", "revenue,name=two", "--secondary", "x y z"], "x y z"),
    ] {
        let (code, _, said) = ask(data, more);
        assert!(code == 2 && said.contains(why), "{data} {more:?}: {code} {said}");
    }
    // Names of a file are no commands to a terminal.
    write("hostile.csv", "arm,revenue\ncontrol,1\ncontrol,2\n\u{1b}[2Jnew,3\n\u{1b}[2Jnew,5\n");
    for more in [&[][..], &["--control", "none"]] {
        let (_, _, said) = ask("hostile.csv", more);
        assert!(said.contains("□[2Jnew") && !said.contains('\u{1b}'), "{said:?}");
    }
    write("huge.csv", "arm,revenue\ncontrol,1e308\ncontrol,-1e308\nnew,1e308\nnew,1\n");
    let (code, _, said) = ask("huge.csv", &[]);
    assert!(code == 2 && said.contains("give them in a larger unit"), "{said}");
    // Of a loss, a share has the wrong sign.
    write("loss.csv", "arm,revenue\ncontrol,-9\ncontrol,-11\ncontrol,-10\nnew,-8\nnew,-7\nnew,-8.5\n");
    let (code, _, said) = ask("loss.csv", &["--scale", "relative"]);
    assert!(code == 0 && said.contains("no figure: revenue: control's mean is -10") && !said.contains("roll back"), "{said}");
    // What does not keep the rest from being told is a warning.
    let (code, _, said) = ask("same.csv", &[]);
    assert!(code == 0 && said.contains("no figure: revenue: ") && said.contains("the same value for every unit"), "{said}");
    let mut text = "customer,arm,revenue\n".to_owned();
    (0..400).for_each(|one| text.push_str(&format!("c{one},{},{}\n", if one % 4 == 0 { "new" } else { "control" }, one % 7)));
    (0..10).for_each(|one| text.push_str(&format!("c{one},{},1\n", if one % 4 == 0 { "control" } else { "new" })));
    write("both.csv", &text);
    write("dates.csv", "customer,arm,revenue,day\na,new,1,1\na,new,2,2\nb,control,1,1\nc,new,1,1\nd,control,2,1\n");
    let (code, _, said) = ask("dates.csv", &["--unit", "customer", "--date", "day"]);
    assert!(code == 2 && said.contains("column day (--date) differs among rows of one unit"), "{said}");
    let (code, _, said) = ask("both.csv", &["--unit", "customer"]);
    assert!(code == 0 && said.contains("10 of 400 units") && said.contains("no longer comparable") && said.contains("roll back"), "{said}");
}

/// Several rows a customer; shops in clusters; exposures whose effect wears off.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small and not negative")]
fn visits(seed: u64, shops: usize) -> String {
    let mut draw = Draw::seeded(seed);
    let mut text = "shop,customer,arm,exposed,day,revenue,latency\n".to_owned();
    for shop in 0..shops {
        let (is_new, taste) = (draw.uniform() < 0.5, 3.0 * draw.normal());
        for customer in 0..5 + shop % 7 {
            let exposed = (10.0 * draw.uniform()) as u32;
            for day in 0..6 {
                let effect = if is_new { 4.0 - 0.8 * f64::from(day) } else { 0.0 };
                let (arm, at) = (if is_new { "new" } else { "control" }, exposed + day);
                let (revenue, latency) = (20.0 + taste + effect + draw.normal(), 100.0 + 20.0 * draw.normal() + 5.0 * taste);
                text.push_str(&format!("s{shop},s{shop}c{customer},{arm},{exposed},{at},{revenue:.4},{latency:.3}\n"));
            }
        }
    }
    text
}

/// Clusters are the draws: shops differ, so that taking customers for draws would make intervals far too narrow.
#[test]
fn what_was_assigned_together_is_one_draw() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("visits.csv"), visits(5, 120)).unwrap();
    let ask = |metric: &str, more: &[&str]| {
        ok(folder.path(), &[&["experiment", "--data", "visits.csv", "--assignment", "arm", "--metric", metric], more].concat())
    };
    // On average over six days the effect is 4 − .8 × 2.5: in 20 experiments the interval has it about 19 times.
    let covered = (0..20).filter(|seed| {
        std::fs::write(folder.path().join("visits.csv"), visits(*seed, 120)).unwrap();
        let found = ask("revenue", &["--cluster", "shop"]);
        let revenue = metric(&found, "revenue");
        number(&revenue["low"]) < 2.0 && number(&revenue["high"]) > 2.0
    });
    let covered = covered.count();
    assert!(covered >= 17, "{covered} of 20");
    let found = ask("revenue", &["--cluster", "shop"]);
    let revenue = metric(&found, "revenue");
    assert!(found["draws"] == "clusters" && revenue["n"] == 120, "{found}");
    assert!(number(&revenue["std_error"]) > 0.3, "{revenue}");
    let effect = &found["design_effects"][0];
    assert!(effect["metric"] == "revenue" && number(&effect["design_effect"]) > 10.0, "{effect}");
    // Rows as draws: too narrow, and said.
    let rows = ask("revenue", &["--unit", "customer", "--per-row"]);
    assert!(number(&metric(&rows, "revenue")["std_error"]) < 0.4 * number(&revenue["std_error"]));
    assert_eq!(rows["warnings"][0]["code"], "analysis_finer_than_assignment", "{}", rows["warnings"]);
    assert_eq!(rows["arms"][0]["decision"]["verdict"], "keep_running");
    // Rows that were drawn on their own are of several arms, and that is no fault.
    let mut drawn = "customer,arm,revenue\n".to_owned();
    let mut draw = Draw::seeded(3);
    for row in 0..900 {
        let is_new = draw.uniform() < 0.5;
        let (arm, more) = if is_new { ("new", 1.0) } else { ("control", 0.0) };
        drawn.push_str(&format!("c{},{arm},{:.4}\n", row % 90, 5.0 + more + draw.normal()));
    }
    std::fs::write(folder.path().join("drawn.csv"), drawn).unwrap();
    let drawn = ["experiment", "--data", "drawn.csv", "--assignment", "arm", "--metric", "revenue", "--unit", "customer", "--per-row"];
    let drawn = ok(folder.path(), &drawn);
    assert!(metric(&drawn, "revenue")["n"] == 900 && drawn["warnings"][0]["code"] == "rows_as_draws", "{drawn}");
    assert_eq!(drawn["arms"][0]["decision"]["verdict"], "ship");
    // And where nobody said whose a row is.
    let forgotten = ask("revenue", &[]);
    let said = &forgotten["warnings"][0];
    assert!(said["code"] == "analysis_finer_than_assignment" && said["message"].as_str().unwrap().contains("--unit customer"), "{said}");
    // Customers summed, then shops: a mean per customer; six days bring six times as much.
    let per_customer = ask("revenue", &["--cluster", "shop", "--unit", "customer"]);
    let six = number(&metric(&per_customer, "revenue")["effect"]) / number(&revenue["effect"]);
    assert!((six - 6.0).abs() < 1e-9, "{six}");
    // A quantile as a goal, clusters as units.
    let quantile = ask("p90(latency),lower", &["--cluster", "shop", "--engine", "sequential"]);
    let latency = metric(&quantile, "p90(latency)");
    assert!(latency["n"] == 120 && latency["role"] == "goal" && number(&latency["std_error"]) > 2.0, "{latency}");
    let (code, _, said) =
        evaluate(folder.path(), &["experiment", "--data", "visits.csv", "--assignment", "arm", "--metric", "revenue", "--cluster", "day"]);
    assert!(code == 2 && said.contains("was not assigned as one"), "{code} {said}");
    let (code, _, said) = evaluate(
        folder.path(),
        &["experiment", "--data", "visits.csv", "--assignment", "arm", "--metric", "revenue", "--cluster", "shop", "--dimension", "day"],
    );
    assert!(code == 2 && said.contains("differs among rows of one cluster"), "{said}");
    std::fs::write(folder.path().join("visits.csv"), visits(6, 14)).unwrap();
    assert!(ask("revenue", &["--cluster", "shop"])["warnings"].to_string().contains("few_clusters"));
}

/// What is known from before belongs to the unit: summed over its rows, it would depend on how many the arm brings.
#[test]
fn what_was_before_is_of_the_unit_and_not_of_its_rows() {
    let folder = tempfile::tempdir().unwrap();
    let mut draw = Draw::seeded(21);
    let mut text = "customer,arm,before,revenue\n".to_owned();
    for customer in 0..3000 {
        let (is_new, before) = (draw.uniform() < 0.5, 3.0 + draw.normal());
        for _ in 0..(if is_new { 3 } else { 2 }) {
            let arm = if is_new { "new" } else { "control" };
            text.push_str(&format!("c{customer},{arm},{before:.4},{:.4}\n", before + draw.normal()));
        }
    }
    std::fs::write(folder.path().join("rows.csv"), &text).unwrap();
    let asked = ["experiment", "--data", "rows.csv", "--assignment", "arm", "--unit", "customer", "--metric", "revenue,cuped=before"];
    let found = ok(folder.path(), &[&asked[..], &["--covariates", "before"]].concat());
    let revenue = metric(&found, "revenue");
    // A third row of 3.00 on average.
    assert!(number(&revenue["low"]) < 3.0 && number(&revenue["high"]) > 3.0, "{revenue}");
    assert!(number(&found["arms"][0]["balance"]["p_value"]) > 0.001, "{found}");
    let planned =
        ok(folder.path(), &["power", "--data", "rows.csv", "--metric", "revenue,cuped=before", "--unit", "customer", "--effect", "1"]);
    assert!((number(&planned["data"]["variance_reduction"]) - number(&revenue["variance_reduction"])).abs() < 0.15, "{planned}");
    std::fs::write(folder.path().join("rows.csv"), text + "c1,control,9,1\n").unwrap();
    let (code, _, said) = evaluate(folder.path(), &asked);
    assert!(code == 2 && said.contains("column before differs among rows of one unit"), "{said}");
}

/// Names of 64 bits are told apart in Parquet as in text, and times are times.
#[test]
fn parquet_says_what_text_says() {
    use arrow_array::{ArrayRef, Date32Array, Float64Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
    let folder = tempfile::tempdir().unwrap();
    let mut draw = Draw::seeded(22);
    let (mut ids, mut arms, mut days, mut at, mut values) = (vec![], vec![], vec![], vec![], vec![]);
    for user in 0..2000_i64 {
        let is_new = draw.uniform() < 0.5;
        for day in 0..2 {
            ids.push((1_i64 << 60) + user);
            arms.push(if is_new { "new" } else { "control" });
            days.push(20_000 + i32::try_from(user % 7).unwrap());
            at.push((20_000 + user % 7 + day) * 86_400_000_000);
            values.push(draw.normal() + if is_new { 0.3 } else { 0.0 });
        }
    }
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("user", std::sync::Arc::new(Int64Array::from(ids))),
        ("arm", std::sync::Arc::new(StringArray::from(arms))),
        ("first", std::sync::Arc::new(Date32Array::from(days))),
        ("at", std::sync::Arc::new(TimestampMicrosecondArray::from(at))),
        ("value", std::sync::Arc::new(Float64Array::from(values))),
    ];
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let file = std::fs::File::create(folder.path().join("rows.parquet")).unwrap();
    let mut writer = parquet::arrow::ArrowWriter::try_new(file, batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    let asked = ["experiment", "--data", "rows.parquet", "--assignment", "arm", "--metric", "value", "--unit", "user"];
    let found =
        ok(folder.path(), &[&asked[..], &["--exposed", "first", "--happened", "at", "--follow-days", "2", "--date", "first"]].concat());
    assert!(metric(&found, "value")["n"] == 2000 && found["exposure"]["in_several_arms"] == 0, "{found}");
    assert_eq!(found["over_time"][0][1][0]["date"], "2024-10-04");
    assert_eq!(found["since_exposure"][0][1]["days"].as_array().unwrap().len(), 2);
    let forgotten = ok(folder.path(), &asked[..asked.len() - 2]);
    assert!(
        forgotten["warnings"][0]["message"].as_str().unwrap().contains("4000 rows of 2000 assigned units"),
        "{}",
        forgotten["warnings"]
    );
}

/// An effect that wears off by .8 a day is told, and not shipped as if it lasted.
#[test]
fn an_effect_that_wears_off_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let text = visits(7, 200);
    std::fs::write(folder.path().join("visits.csv"), &text).unwrap();
    let asked = ["experiment", "--data", "visits.csv", "--assignment", "arm", "--metric", "revenue", "--unit", "customer"];
    let days = ["--exposed", "exposed", "--happened", "day", "--follow-days", "6", "--report", "report.html"];
    let found = ok(folder.path(), &[&asked[..], &days].concat());
    let effects = &found["since_exposure"][0];
    assert_eq!(effects[0], "new");
    let slope = number(&effects[1]["slope"]);
    assert!((slope + 0.8).abs() < 0.05 && number(&effects[1]["p_value"]) < 1e-9, "{effects}");
    assert_eq!(effects[1]["days"].as_array().unwrap().len(), 6);
    assert!((number(&effects[1]["days"][0]["value"]) - 4.0).abs() < 0.8, "{effects}");
    assert!(found["warnings"].to_string().contains("\"novelty\"") && found["arms"][0]["decision"]["verdict"] == "keep_running", "{found}");
    assert!(std::fs::read_to_string(folder.path().join("report.html")).unwrap().contains("Since first exposure"));
    // The day of exposure is also the date by which units came in.
    let both = ok(folder.path(), &[&asked[..], &days, &["--date", "exposed"]].concat());
    assert!(both["since_exposure"] == found["since_exposure"] && both["over_time"][0][1].as_array().unwrap().len() == 10);
    for (name, change, why) in [
        ("before.csv", ("s0,s0c0,", "s0,s0c0,"), "before column exposed"),
        ("twice.csv", ("", ""), "days since then would be counted from two days"),
    ] {
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        let cells: Vec<&str> = lines[1].split(',').collect();
        let (customer, arm) = (cells[1].to_owned(), cells[2].to_owned());
        lines[1] = match change.0 {
            "" => format!("s0,{customer},{arm},99,99,20,100"),
            _ => format!("s0,{customer},{arm},{},-1,20,100", cells[3]),
        };
        std::fs::write(folder.path().join(name), lines.join("\n")).unwrap();
        let (code, _, said) = evaluate(folder.path(), &[&["experiment", "--data", name], &asked[3..], &days].concat());
        assert!(code == 2 && said.contains(why), "{name}: {code} {said}");
    }
}

/// Two shops whose arm changes every six hours; the arm before still works for one.
#[test]
fn a_switchback_is_of_periods() {
    let folder = tempfile::tempdir().unwrap();
    let mut draw = Draw::seeded(8);
    let mut text = "at,place,arm,revenue\n".to_owned();
    for place in ["north", "south"] {
        let (mut last, mut arm) = (0.0, 0.0);
        for hour in 0..24 * 40 {
            if hour % 6 == 0 {
                (last, arm) = (arm, f64::from(u8::from(draw.uniform() < 0.5)));
            }
            let works = if hour % 6 == 0 { last } else { arm };
            let of_hour = 2.0 * draw.normal();
            for _ in 0..3 {
                let at = format!("2026-{:02}-{:02}T{:02}:00:00Z", 10 + hour / 24 / 28, 1 + hour / 24 % 28, hour % 24);
                let name = if arm > 0.0 { "new" } else { "control" };
                text.push_str(&format!("{at},{place},{name},{:.4}\n", 20.0 + 3.0 * works + of_hour + draw.normal()));
            }
        }
    }
    std::fs::write(folder.path().join("hours.csv"), &text).unwrap();
    let asked = ["experiment", "--data", "hours.csv", "--assignment", "arm", "--metric", "revenue", "--switchback", "6h", "--time", "at"];
    let found = ok(folder.path(), &[&asked[..], &["--place", "place", "--burn-in", "1h"]].concat());
    let revenue = metric(&found, "revenue");
    assert!(found["draws"] == "periods of places" && revenue["n"] == 320, "{found}");
    assert!(number(&revenue["low"]) < 3.0 && number(&revenue["high"]) > 3.0, "{revenue}");
    assert!(number(&found["switchback"]["changes"]) > 100.0 && number(&found["switchback"]["rows_in_burn_in"]) > 300.0);
    // Carried over, the effect is pulled towards 0.
    let carried = ok(folder.path(), &[&asked[..], &["--place", "place"]].concat());
    assert!(number(&metric(&carried, "revenue")["effect"]) < number(&revenue["effect"]) - 0.1);
    for (more, why) in [
        (&["--place", "place", "--burn-in", "6h"][..], "burn-in from 0 to below it"),
        (&["--place", "place", "--burn-in", "10"], "give a length of time"),
        (&[], "time"),
        (&["--place", "place", "--secondary", "p90(revenue)"], "can't be had of a switchback"),
        (&["--unit", "place"], "cannot be used with"),
        (&["--place", "place", "--start", "2027-01-01"], "not after its first row"),
        (&["--place", "place", "--start", "2026-09-30T21:00:00Z"], "its place's period had arm"),
    ] {
        let (code, _, said) = evaluate(folder.path(), &[&asked[..], more].concat());
        assert!(code == 2 && said.contains(why), "{more:?}: {code} {said}");
    }
}

/// Strata, regression and CUPED find the same effect, more surely than the plain difference.
#[test]
fn covariates_and_strata_make_effects_surer() {
    let folder = tempfile::tempdir().unwrap();
    let mut draw = Draw::seeded(9);
    let mut text = "arm,tier,region,before,revenue\n".to_owned();
    let mut sums: std::collections::BTreeMap<(String, String), [f64; 3]> = std::collections::BTreeMap::new();
    for _ in 0..4000 {
        let (is_new, tier, before) = (draw.uniform() < 0.5, (3.0 * draw.uniform()).floor(), draw.normal());
        let region = if draw.uniform() < 0.5 { "north" } else { "south" };
        let revenue = 20.0 + 6.0 * tier + 3.0 * before + draw.normal() + if is_new { 1.0 + 0.5 * before } else { 0.0 };
        let arm = if is_new { "new" } else { "control" };
        text.push_str(&format!("{arm},{tier},{region},{before:.5},{revenue:.5}\n"));
        let rounded: f64 = format!("{revenue:.5}").parse().unwrap();
        let of = sums.entry((arm.to_owned(), tier.to_string())).or_default();
        [1.0, rounded, rounded * rounded].iter().zip(of).for_each(|(value, sum)| *sum += value);
    }
    std::fs::write(folder.path().join("rows.csv"), &text).unwrap();
    let ask = |metric: &str, more: &[&str]| {
        ok(folder.path(), &[&["experiment", "--data", "rows.csv", "--assignment", "arm", "--metric", metric], more].concat())
    };
    let plain = ask("revenue", &[]);
    let of = |report: &Value, what: &str| number(&metric(report, "revenue")[what]);
    for (name, found) in [
        ("cuped", ask("revenue,cuped=before+tier", &[])),
        ("interacted", ask("revenue,cuped=before+tier", &["--adjustment", "interacted"])),
        ("hc3", ask("revenue,cuped=before+tier", &["--adjustment", "interacted", "--variance", "hc3"])),
        ("ancova", ask("revenue,cuped=before+tier", &["--adjustment", "ancova"])),
        ("streamed", ask("revenue,cuped=before+tier", &["--adjustment", "ancova", "--variance", "classical"])),
        ("strata", ask("revenue", &["--strata", "tier,region"])),
    ] {
        assert!((of(&found, "effect") - 1.0).abs() < 0.3, "{name}: {}", metric(&found, "revenue"));
        assert!(of(&found, "std_error") < 0.65 * of(&plain, "std_error"), "{name}");
        let reduced = 1.0 - (of(&found, "std_error") / of(&plain, "std_error")).powi(2);
        assert!((of(&found, "variance_reduction") - reduced).abs() < 1e-9, "{name}");
    }
    // A database's sums by stratum say the same.
    let mut table = "arm,tier,n,sum_revenue,sum_revenue*revenue\n".to_owned();
    sums.iter().for_each(|((arm, tier), [n, sum, squares])| table.push_str(&format!("{arm},{tier},{n},{sum},{squares}\n")));
    std::fs::write(folder.path().join("sums.csv"), table).unwrap();
    let rows = ask("revenue", &["--strata", "tier"]);
    let of_sums = ok(
        folder.path(),
        &["experiment", "--data", "sums.csv", "--assignment", "arm", "--metric", "revenue", "--strata", "tier", "--aggregates"],
    );
    for what in ["effect", "std_error", "low", "high"] {
        assert!((of(&rows, what) - of(&of_sums, what)).abs() < 1e-8, "{what}: {} {}", of(&rows, what), of(&of_sums, what));
    }
    // A column is a breakdown and a covariate at once.
    let both = ask("revenue,cuped=before", &["--dimension", "tier", "--covariates", "tier,before"]);
    assert_eq!(both["breakdowns"][0][1]["effects"].as_array().unwrap().len(), 3);
    for (metric, more, why) in [
        ("revenue,cuped=before", &["--strata", "tier"][..], "not by both"),
        ("revenue/before,cuped=tier", &["--adjustment", "ancova"], "take --adjustment cuped"),
        ("revenue", &["--strata", "before"], "more than 1000 values"),
    ] {
        let asked = [&["experiment", "--data", "rows.csv", "--assignment", "arm", "--metric", metric], more].concat();
        let (code, _, said) = evaluate(folder.path(), &asked);
        assert!(code == 2 && said.contains(why), "{metric} {more:?}: {code} {said}");
    }
}

/// Revenue of which most is zero: who buys, and for how much.
#[test]
fn revenue_is_taken_apart() {
    let folder = tempfile::tempdir().unwrap();
    let mut draw = Draw::seeded(10);
    let mut text = "customer,arm,revenue\n".to_owned();
    let mut known = [[0.0; 3]; 2];
    for customer in 0..3000 {
        let is_new = draw.uniform() < 0.5;
        let buys = draw.uniform() < if is_new { 0.3 } else { 0.2 };
        let revenue = if buys { (20.0 + 3.0 * draw.normal()).round() } else { 0.0 };
        let of = &mut known[usize::from(is_new)];
        [1.0, f64::from(u8::from(buys)), revenue].iter().zip(of).for_each(|(value, sum)| *sum += value);
        // Two rows a customer: bought or not is of the customer, and not of the row.
        let half = (revenue / 2.0).floor();
        let arm = if is_new { "new" } else { "control" };
        text.push_str(&format!("c{customer},{arm},{half}\nc{customer},{arm},{}\n", revenue - half));
    }
    std::fs::write(folder.path().join("rows.csv"), &text).unwrap();
    let found =
        ok(folder.path(), &["experiment", "--data", "rows.csv", "--assignment", "arm", "--metric", "revenue,parts", "--unit", "customer"]);
    let [control, new] = known.map(|[n, buyers, revenue]| [revenue / n, buyers / n, revenue / buyers]);
    let names = ["revenue", "revenue above 0", "revenue of those above 0 (not causal: other people in each arm)"];
    for (name, (control, new)) in names.into_iter().zip(control.into_iter().zip(new)) {
        let effect = number(&metric(&found, name)["effect"]);
        assert!((effect - (new - control)).abs() < 1e-9, "{name}: {effect} {}", new - control);
    }
    assert!(found["arms"][0]["decision"]["verdict"] == "ship", "{}", found["arms"][0]["decision"]);
    // Refunds are no part of what those above 0 have.
    std::fs::write(folder.path().join("few.csv"), "arm,x\ncontrol,-5\ncontrol,4\ncontrol,6\nnew,-1\nnew,8\nnew,9\n").unwrap();
    let few = ok(folder.path(), &["experiment", "--data", "few.csv", "--assignment", "arm", "--metric", "x,parts"]);
    let much = metric(&few, "x of those above 0 (not causal: other people in each arm)");
    assert!((number(&much["effect"]) - 3.5).abs() < 1e-12, "{much}");
}

/// What may be looked at every day says so everywhere.
#[test]
fn looks_whenever_you_like_hold_in_every_figure() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("rows.csv"), rows(11, 3000)).unwrap();
    let asked =
        ["experiment", "--data", "rows.csv", "--assignment", "arm", "--metric", "revenue", "--dimension", "region", "--date", "day"];
    let once = ok(folder.path(), &asked);
    let ever = ok(folder.path(), &[&asked[..], &["--engine", "sequential"]].concat());
    assert!(once["sample_ratio"]["always_valid"] == false && ever["sample_ratio"]["always_valid"] == true);
    assert!(number(&ever["sample_ratio"]["p_value"]) >= number(&once["sample_ratio"]["p_value"]));
    let width = |report: &Value| {
        let effect = &report["breakdowns"][0][1]["effects"][0]["effect"];
        number(&effect["high"]) - number(&effect["low"])
    };
    assert!(width(&ever) > 1.2 * width(&once));
    assert!(ever["valid"]["metrics"] == "whenever looked at" && once["valid"]["metrics"] == "one look, chosen beforehand");
    // Two goals: over time, wide enough for both.
    let two = ok(folder.path(), &[&asked[..], &["--metric", "orders"]].concat());
    let last = |report: &Value| report["over_time"][0][1].as_array().unwrap().last().unwrap().clone();
    let (one, two) = (last(&once), last(&two));
    assert!(number(&two["low"]) < number(&one["low"]) && number(&two["fixed_low"]) < number(&one["fixed_low"]));
    // Which name is meant.
    std::fs::write(folder.path().join("sums.csv"), "arm,n,sum_a,sum_b,sum_a_b,sum_a_a,sum_b_b\ncontrol,9,1,1,1,1,1\n").unwrap();
    let sums = ["experiment", "--data", "sums.csv", "--assignment", "arm", "--aggregates", "--metric", "a/b", "--secondary", "a_b"];
    let (code, _, said) = evaluate(folder.path(), &sums);
    assert!(code == 2 && said.contains("write products with an asterisk"), "{said}");
}

/// An experiment planned by data from before finds what it was planned for.
#[test]
fn an_experiment_is_planned_by_what_was_before() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("rows.csv"), rows(12, 4000)).unwrap();
    let ask = |more: &[&str]| ok(folder.path(), &[&["power", "--data", "rows.csv"], more].concat());
    let plain = ask(&["--metric", "revenue", "--effect", "0.5"]);
    // As generated: variance 25 + 4, and what half a lot of an effect of 2 adds; before explains 25² / (25 + 4) of it.
    assert!((number(&plain["variance"]) - 30.0).abs() < 2.0 && plain["data"]["n"] == 4000, "{plain}");
    let adjusted = ask(&["--metric", "revenue,cuped=before", "--effect", "0.5", "--per-day", "100"]);
    let reduced = number(&adjusted["data"]["variance_reduction"]);
    assert!((reduced - 625.0 / 29.0 / 30.0).abs() < 0.04, "{reduced}");
    assert!((number(&adjusted["units"]) / number(&plain["units"]) - (1.0 - reduced)).abs() < 0.01);
    assert_eq!(number(&adjusted["days"]), (number(&adjusted["units"]) / 100.0).ceil());
    let mean = number(&plain["data"]["mean"]);
    let share = ask(&["--metric", "revenue", "--relative-effect", &(0.5 / mean).to_string()]);
    assert!((number(&share["units"]) / number(&plain["units"]) - 1.0).abs() < 1e-9);
    let many = ask(&["--metric", "revenue", "--effect", "0.5", "--comparisons", "6"]);
    assert!(number(&many["units"]) > 1.4 * number(&plain["units"]) && number(&many["alpha"]) < 0.01);
    let of_unit = ask(&["--metric", "orders/sessions", "--unit", "region", "--effect", "0.1"]);
    assert_eq!(of_unit["data"]["n"], 3);
    for (more, why) in [
        (&["--metric", "p90(revenue)", "--effect", "1"][..], "plan with COLUMN"),
        (&["--metric", "region", "--effect", "1"], "holds texts"),
        (&["--metric", "nothing", "--effect", "1"], "nothing"),
        (&["--metric", "revenue"], "give two of"),
        (&["--metric", "revenue", "--effect", "1", "--sd", "1"], "cannot be used with"),
        (&["--metric", "revenue", "--effect", "1", "--per-day", "0"], "above 0"),
        (&["--metric", "revenue,parts", "--effect", "1"], "plan with COLUMN"),
        (&["--metric", "revenue", "--effect", "nan"], "other than 0"),
        (&["--metric", "revenue", "--units", "inf"], "--units"),
        (&["--metric", "revenue", "--effect", "1", "--sequential", "--tuning", "0"], "--tuning"),
    ] {
        let (code, _, said) = evaluate(folder.path(), &[&["power", "--data", "rows.csv"], more].concat());
        assert!(code == 2 && said.contains(why), "{more:?}: {said}");
    }
    // What units find, units are needed for; and a rate stays below 1.
    let units = number(&ok(folder.path(), &["power", "--rate", "0.03", "--effect", "0.006"])["units"]);
    let back = number(&ok(folder.path(), &["power", "--rate", "0.03", "--units", &units.to_string()])["effect"]);
    assert!((back - 0.006).abs() < 1e-6, "{back}");
    let (code, _, said) = evaluate(folder.path(), &["power", "--rate", "0.9", "--units", "10"]);
    assert!(code == 2 && said.contains("the rate would be above 1"), "{said}");
}
