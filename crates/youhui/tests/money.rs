//! `youhui evaluate money|observational|programme|long-term`, through the program.
#![allow(clippy::unwrap_used, reason = "a test's way to fail")]

mod evaluated;

use std::path::Path;
use std::process::Command;

use evaluated::{evaluate, number, ok};
use serde_json::Value;
use youhui_commerce::Draw;

/// A page that fetches nothing and runs nothing.
fn page(folder: &Path, name: &str) -> String {
    let page = std::fs::read_to_string(folder.join(name)).unwrap();
    assert!(page.contains("<svg") && !page.contains("http://") && !page.contains("https://") && !page.contains("<script"), "{name}");
    page
}

fn diff(folder: &Path, one: &Value, other: &Value) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_youhui"))
        .current_dir(folder)
        .args(["runs", "diff", one["run"].as_str().unwrap(), other["run"].as_str().unwrap(), "--runs", "runs"])
        .output()
        .unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

fn found_by<'a>(report: &'a Value, method: &str) -> &'a Value {
    report["found"].as_array().unwrap().iter().find(|one| one["method"] == method).unwrap()
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
        let (revenue, orders, orders_before) = (promoted + rest + cups, 1 + customer % 3, 1 + customer / 3 % 3);
        let arm = if is_treated { "offered" } else { "held_out" };
        text.push_str(&format!(
            "{arm},{age},{revenue},{},{},{orders},{before},{},{orders_before},{after},{},{orders},{promoted},{rest},{cups}\n",
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
        "--report",
        "money.html",
        "--runs",
        "runs",
    ];
    let report = ok(folder.path(), &all);
    let drawn = page(folder.path(), "money.html");
    for what in ["Returns", "Before, during and after", "Within tea", "On other categories", "Effects by group", "price paid", "--unit"] {
        assert!(drawn.contains(what), "{what}");
    }
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
    // Without --offered all who were treated count as offered something, and there is nothing to compare.
    let parity = report["fairness"]["parity"].to_string();
    assert!(!parity.contains("share offered") && parity.contains("EUR per order"), "{parity}");
    let effects = report["fairness"]["effects"].to_string();
    assert!(effects.contains("young") && effects.contains("old"), "{effects}");
    // A later run is compared with it, by name.
    std::fs::write(folder.path().join("customers.csv"), customers(2, 8000)).unwrap();
    let differences = diff(folder.path(), &report, &ok(folder.path(), &all));
    for what in
        ["incremental revenue.effect", "net.return on promotion spend.low", "tea: cannibalisation rate.high", "gap in price paid.low"]
    {
        assert!(differences.contains(what), "{what}: {differences}");
    }
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
        ("one.csv", "column arm: 0 customer(s) of held_out"),
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
        "--report",
        "panel.html",
        "--runs",
        "runs",
    ];
    let report = ok(folder.path(), &of_panel);
    let drawn = page(folder.path(), "panel.html");
    for what in [
        "Estimates",
        "Effects around the start: event study",
        "synthetic control: mean of treated units",
        "Ratios of errors after and before",
    ] {
        assert!(drawn.contains(what), "{what}");
    }
    let points = report["paths"][0]["points"].as_array().unwrap();
    let gaps: Vec<f64> =
        points.iter().filter(|point| point["treated"] == true).map(|point| number(&point["actual"]) - number(&point["expected"])).collect();
    let synthetic = found_by(&report, "synthetic control");
    let mean = gaps.iter().sum::<f64>() / gaps.len() as f64;
    assert!(gaps.len() == 12 && (mean - number(&synthetic["effect"]["value"])).abs() < 1e-9, "{synthetic}");
    let around = report["around_start"][0][1].as_array().unwrap();
    assert_eq!(around.len(), 20, "each period, the reference too");
    assert!(around.iter().all(|one| one["n"] == 200 && one["unit"].is_string()), "{around:?}");
    let found = report["found"].as_array().unwrap();
    assert_eq!(found.len(), 6, "{}", report["problems"]);
    for one in found {
        assert!((number(&one["effect"]["value"]) - 3.0).abs() < 0.5, "{one}");
        assert!(one["evidence"] == "observational" && !one["assumption"].as_str().unwrap().is_empty(), "{one}");
    }
    assert!(found[0]["checks"].as_array().unwrap().len() >= 3, "{}", found[0]);
    let of_series = ["observational", "--data", "series.csv", "--time", "week", "--outcome", "spent", "--starts", "9", "--runs", "runs"];
    let found = found.clone();
    let report = ok(folder.path(), &[&of_series[..], &["--controls", "weather", "--report", "series.html"]].concat());
    let drawn = page(folder.path(), "series.html");
    assert!(drawn.contains("structural time series: the series") && drawn.contains("segmented regression): the series"), "{drawn}");
    assert!(number(&report["paths"][1]["points"][19]["low"]) < number(&report["paths"][1]["points"][19]["expected"]), "{report}");
    for one in report["found"].as_array().unwrap() {
        assert!((number(&one["effect"]["value"]) - 3.0 * 67.0).abs() < 80.0, "{one}");
    }
    let (code, _, said) = evaluate(folder.path(), &of_panel);
    assert!(code == 0 && said.contains("assumes:") && said.contains("(observational)"), "{said}");
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    // A unit that was treated all along says nothing of before: it is left out and named, and the others have their figures.
    let all_along: String = (1..=20).map(|week| format!("early,{week},9.5,1\n")).collect();
    write("early.csv", &(std::fs::read_to_string(folder.path().join("panel.csv")).unwrap() + &all_along));
    let early: Vec<&str> = of_panel.iter().map(|word| if *word == "panel.csv" { "early.csv" } else { word }).collect();
    let early = ok(folder.path(), &early);
    assert!(early["notes"].to_string().contains("1 unit(s) treated from the first period on (early)"), "{}", early["notes"]);
    assert_eq!((early["found"].as_array().unwrap().len(), &early["found"][0]["effect"]), (6, &found[0]["effect"]), "as without it");
    assert!(page(folder.path(), "panel.html").contains("from the first period on (early)"));
    // A series by the calendar: what is said of its periods is said in their own numbers.
    let series = std::fs::read_to_string(folder.path().join("series.csv")).unwrap();
    let dated = |skip: usize, empty: usize| -> String {
        let rows = series.lines().enumerate().filter(|(row, _)| *row != skip).map(|(row, line)| {
            let mut cells: Vec<String> = line.split(',').map(str::to_owned).collect();
            if row > 0 {
                cells[0] = (202_600 + row).to_string();
            }
            if row == empty {
                cells[2].clear();
            }
            cells.join(",") + "\n"
        });
        rows.collect()
    };
    write("dated.csv", &dated(99, 99));
    write("gap.csv", &dated(5, 99));
    let twice = series.lines().enumerate().map(|(row, line)| match line.split(',').nth(1).and_then(|spent| spent.parse::<f64>().ok()) {
        Some(spent) => format!("{line},{},{:.2}\n", 202_600 + row, 2.0 * spent),
        None => format!("{line},date,double\n"),
    });
    write("twice.csv", &twice.collect::<String>().replacen("week,", "number,", 1).replacen("date", "week", 1));
    write("hole.csv", &dated(99, 4));
    let dated = ["observational", "--time", "week", "--outcome", "spent", "--starts", "202609", "--runs", "runs", "--data"];
    let told = ok(folder.path(), &[&dated[..], &["dated.csv"]].concat());
    for one in told["found"].as_array().unwrap() {
        assert!(one["checks"].to_string().contains("start at period 2026"), "{}", one["checks"]);
    }
    for (more, why) in [
        (&["gap.csv"][..], "gap.csv: row 5: there is no row for week 202605 before it"),
        (&["hole.csv", "--controls", "weather"], "hole.csv: row 4: column weather is empty"),
        (&["dated.csv", "--controls", "weather,spent"], "it is the outcome too"),
        (&["twice.csv", "--controls", "weather,double"], "column double: fits the outcome but for rounding"),
        (&["dated.csv", "--season", "9999999999999999999"], "8 period(s) before the start"),
    ] {
        let (code, _, said) = evaluate(folder.path(), &[&dated[..], more].concat());
        assert!(code == 2 && said.contains(why) && !said.contains("unit 0"), "{more:?}: {code} {said}");
    }
    write("back.csv", "household,week,spent,start\na,2,1,\na,1,1,\nb,1,1,2\nb,2,1,2\n");
    write("gone.csv", "household,week,spent,start\na,1,1,\na,2,1,\nb,1,1,2\n");
    write("all.csv", "household,week,spent,start\na,1,1,2\na,2,1,2\nb,1,1,2\nb,2,1,2\n");
    for (data, more, why) in [
        ("back.csv", &[][..], "row 2: unit a goes from week 2 to 1"),
        ("gone.csv", &[], "unit b has no row for week 2"),
        ("panel.csv", &["--report", "panel.csv"], "that is what was read"),
        ("all.csv", &[], "untreated"),
        ("panel.csv", &["--method", "segmented"], "not of a panel"),
        ("panel.csv", &["--season", "4"], "--season: it is of a single series"),
        ("panel.csv", &["--controls", "start"], "leave out --unit"),
        ("panel.csv", &["--controls", "spent"], "it is the outcome too"),
    ] {
        let ask = ["observational", "--data", data, "--unit", "household", "--time", "week", "--outcome", "spent", "--start", "start"];
        let (code, _, said) = evaluate(folder.path(), &[&ask[..], more].concat());
        assert!(code == 2 && said.contains(why), "{data}: {code} {said}");
    }
}

/// A row an order says what a row a customer says, and whoever was in two arms is left out.
#[test]
fn rows_of_one_customer_are_summed() {
    let folder = tempfile::tempdir().unwrap();
    let mut draw = Draw::seeded(5);
    let (mut whole, mut parts) = ("id,arm,age,revenue,orders\n".to_owned(), "id,arm,age,revenue,orders\n".to_owned());
    for customer in 0..600 {
        let arm = if draw.uniform() < 0.5 { "offered" } else { "held_out" };
        let (first, second) = (100 + draw.below(900), draw.below(500));
        let age = ["young", "old"][customer % 2];
        whole.push_str(&format!("{customer:04},{arm},{age},{},{}\n", first + second, 2 + customer % 2));
        parts.push_str(&format!("{customer:04},{arm},{age},{first},2\n{customer:04},{arm},{age},{second},{}\n", customer % 2));
    }
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("whole.csv", &whole);
    write("parts.csv", &parts);
    write("both.csv", &format!("{parts}0000,offered,young,1,1\n0000,held_out,young,1,1\n"));
    write("ages.csv", &format!("{parts}9999,offered,young,1,1\n9999,offered,old,1,1\n"));
    write("nobody.csv", &format!("{parts},offered,young,1,1\n"));
    write("many.csv", "id,arm,revenue,orders\na,offered,1,4294967295\na,offered,1,4294967295\nb,held_out,1,1\n");
    write("two.csv", "id,arm,revenue,orders\na,offered,1,1\na,held_out,1,1\nb,offered,1,1\nb,held_out,1,1\n");
    write("left.csv", "id,arm,revenue,orders\na,offered,1,1\na,held_out,1,1\nb,offered,1,1\nb,held_out,1,1\nc,offered,1,1\n");
    write("large.csv", "id,arm,revenue,orders\na,offered,1,1\nb,held_out,9000000000000000,1\n");
    write("offers.csv", "id,arm,age,revenue,orders,given\na,offered,x,1,1,1\nb,held_out,y,1,1,2\n");
    write("cost.csv", "id,arm,revenue,orders,contact\na,offered,1,1,1\na,offered,1,1,-3\nb,held_out,1,1,0\n");
    let ask = |data: &str, more: &[&str]| {
        let all = ["money", "--data", data, "--assignment", "arm", "--holdout-share", "0.5", "--currency", "EUR", "--runs", "runs"];
        [&all[..], more].concat().into_iter().map(str::to_owned).collect::<Vec<String>>()
    };
    let told = |arguments: &[String]| ok(folder.path(), &arguments.iter().map(String::as_str).collect::<Vec<_>>());
    let (one, two) = (told(&ask("whole.csv", &[])), told(&ask("parts.csv", &["--unit", "id", "--group", "age"])));
    assert_eq!(one["incremental"], two["incremental"], "the same customers");
    assert!(one["warnings"].to_string().contains("no --unit") && !two["warnings"].to_string().contains("no --unit"), "{}", two["warnings"]);
    assert_eq!(two["exposure"]["repeated"], 600, "{}", two["exposure"]);
    let both = told(&ask("both.csv", &["--unit", "id"]));
    assert!(both["warnings"].to_string().contains("1 of 600 units") && both["exposure"]["in_several_arms"] == 1, "{}", both["warnings"]);
    for (data, more, why) in [
        ("ages.csv", &["--unit", "id", "--group", "age"][..], "column age differs among rows of one unit"),
        ("nobody.csv", &["--unit", "id"], "row 1201: column id is empty"),
        ("cost.csv", &["--unit", "id"], "customer a, rows summed, contact cost: -2"),
        ("many.csv", &["--unit", "id"], "customer a, rows summed: column orders is 8589934590"),
        ("two.csv", &["--unit", "id"], "all 2 customers stand in both arms by column arm"),
        (
            "left.csv",
            &["--unit", "id"],
            "0 customer(s) of held_out: an interval needs two of each arm; 2 of 3 customers stand in both arms",
        ),
        ("large.csv", &[], "large.csv: row 2: column revenue is 9000000000000000: it is too large"),
        ("offers.csv", &["--group", "age", "--offered", "given"], "offers.csv: row 2: column given is 2: write 1"),
        ("cost.csv", &[], "row 2, contact cost: -3"),
        ("parts.csv", &["--unit", "arm"], "it is the column of --assignment too"),
        ("parts.csv", &["--unit", "customer"], "no column customer"),
    ] {
        let arguments = ask(data, more);
        let (code, _, said) = evaluate(folder.path(), &arguments.iter().map(String::as_str).collect::<Vec<_>>());
        assert!(code == 2 && said.contains(why), "{data}: {said}");
    }
}

/// A ratio whose denominator may be 0 has no interval: it is drawn beyond the axis and said. Names are text.
#[test]
fn a_page_of_money_draws_what_is_unbounded_and_escapes_names() {
    let folder = tempfile::tempdir().unwrap();
    let mut draw = Draw::seeded(7);
    let mut text = "arm,<b>age</b>,revenue,orders,promotion\n".to_owned();
    for customer in 0..400 {
        let (arm, given) = if draw.uniform() < 0.5 { ("offered", 100) } else { ("held_out", 0) };
        let age = ["<script>alert(1)</script>", "\"'&\u{1b}[31m"][customer % 2].replace('"', "\"\"");
        text.push_str(&format!("{arm},\"{age}\",{},{},{given}\n", 1000 + draw.below(500), 1 + draw.below(3)));
    }
    std::fs::write(folder.path().join("customers.csv"), text).unwrap();
    let all =
        ["money", "--data", "customers.csv", "--assignment", "arm", "--holdout-share", "0.5", "--currency", "EUR", "--group", "<b>age</b>"];
    let report = ok(folder.path(), &[&all[..], &["--report", "money.html", "--runs", "runs"]].concat());
    assert_ne!(report["returns"]["cost_per_incremental_order"]["set"]["kind"], "interval", "{}", report["returns"]);
    let drawn = page(folder.path(), "money.html");
    assert!(drawn.contains("no interval: the denominator") && (drawn.contains('▸') || drawn.contains('◂')), "{drawn}");
    assert!(drawn.contains("&lt;script&gt;") && !drawn.contains('\u{1b}'), "{drawn}");
    let (_, _, said) = evaluate(folder.path(), &all);
    assert!(said.contains("[31m") && !said.contains('\u{1b}'), "no command to a terminal: {said}");
}

/// Columns of a campaign's customers, some of whom are left out of the file.
fn columns_of(text: &str, keep: impl Fn(&str) -> bool) -> String {
    let head: Vec<&str> = text.lines().next().unwrap().split(',').collect();
    let kept =
        |line: &str| line.split(',').zip(&head).filter(|(_, name)| keep(name)).map(|(cell, _)| cell).collect::<Vec<&str>>().join(",");
    text.lines().map(|line| kept(line) + "\n").collect()
}

/// What isn't known isn't 0, and what can't be told takes nothing else away.
#[test]
fn what_cant_be_told_is_said_and_the_rest_stays() {
    let folder = tempfile::tempdir().unwrap();
    let whole = customers(1, 2000);
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    let ask = |data: &'static str| {
        let all = ["money", "--data", data, "--assignment", "arm", "--holdout-share", "0.2", "--currency", "EUR", "--runs", "runs"];
        [&all[..], &["--report", "money.html"]].concat()
    };
    let told = |data: &'static str| ok(folder.path(), &ask(data));
    let says = |report: &Value, what: &str| assert!(report["problems"].to_string().contains(what), "{what}: {}", report["problems"]);
    write("goods.csv", &columns_of(&whole, |name| !name.ends_with("goods")));
    let no_goods = told("goods.csv");
    assert!(no_goods["incremental"]["profit"].is_null() && !no_goods["incremental"]["revenue"].is_null(), "{}", no_goods["incremental"]);
    assert!(no_goods["returns"]["return_on_investment"].is_null() && no_goods["returns"]["return_on_promotion_spend"].is_null());
    assert!(no_goods["warnings"].to_string().contains("no column goods, after_goods"), "{}", no_goods["warnings"]);
    says(&no_goods, "contribution profit: what goods cost during the campaign isn't known");
    let drawn = page(folder.path(), "money.html");
    assert!(drawn.contains("can't be told") && !drawn.contains("It earned more than it cost"), "{drawn}");
    let (_, _, said) = evaluate(folder.path(), &ask("goods.csv"));
    assert!(said.contains("no figure: return on investment") && !said.contains("incremental contribution profit"), "{said}");
    write("part.csv", &columns_of(&whole, |name| name != "after_goods"));
    let part = told("part.csv");
    assert!(!part["incremental"]["profit"].is_null() && part["net"]["incremental"]["profit"].is_null(), "{part}");
    assert!(part["net"]["returns"]["return_on_investment"].is_null() && part["net"]["pull_forward"]["profit"].is_null(), "{part}");
    says(&part, "net contribution profit: what goods cost after the campaign isn't known");
    write("orders.csv", &columns_of(&whole, |name| name != "after_orders"));
    let no_orders = told("orders.csv");
    says(&no_orders, "net orders: the number of orders after the campaign isn't known");
    assert!(no_orders["net"]["incremental"]["orders"].is_null() && !no_orders["net"]["incremental"]["revenue"].is_null());
    assert!(!no_orders["incremental"]["orders"].is_null());
    let mut promoted = String::new();
    for (place, line) in columns_of(&whole, |name| ["arm", "revenue", "orders"].contains(&name)).lines().enumerate() {
        let revenue = if place == 0 { "part:tea:promoted" } else { line.split(',').nth(1).unwrap() };
        promoted += &format!("{line},{revenue}\n");
    }
    write("promoted.csv", &promoted);
    let promoted = told("promoted.csv");
    says(&promoted, "cannibalisation: no category has promoted and other products");
    says(&promoted, "halo: 1 categories with promoted products and 0 without");
    assert!(!promoted["incremental"]["revenue"].is_null());
    let once: String = whole
        .lines()
        .map(|line| {
            let mut cells: Vec<&str> = line.split(',').collect();
            if cells[0] != "arm" {
                (cells[5], cells[8]) = ("1", "1");
            }
            cells.join(",") + "\n"
        })
        .collect();
    write("once.csv", &once);
    let once = told("once.csv");
    says(&once, "orders: orders: the same value for every unit of held out");
    says(&once, "cost per incremental order");
    assert!(once["incremental"]["orders"].is_null() && !once["incremental"]["profit"].is_null());
    assert!(!once["net"]["pull_forward"]["revenue"].is_null(), "{}", once["net"]);
}

/// Whom a campaign harms is said where it is read, and so is who is in no comparison.
#[test]
#[allow(clippy::cast_possible_truncation, reason = "small")]
fn harmed_groups_and_groups_left_out_are_said() {
    let folder = tempfile::tempdir().unwrap();
    let mut draw = Draw::seeded(9);
    let mut text = "arm,age,revenue,orders\n".to_owned();
    for customer in 0..2000 {
        let (arm, treated) = if draw.uniform() < 0.5 { ("offered", 1) } else { ("held_out", 0) };
        let (age, effect): (&str, i64) = if customer % 100 == 0 { ("unknown", 0) } else { [("young", 600), ("old", -400)][customer % 2] };
        text.push_str(&format!("{arm},{age},{},{}\n", 2000 + 100 * (10.0 * draw.uniform()) as i64 + treated * effect, 1 + draw.below(3)));
    }
    std::fs::write(folder.path().join("customers.csv"), text).unwrap();
    let all = ["money", "--data", "customers.csv", "--assignment", "arm", "--holdout-share", "0.5", "--currency", "EUR", "--group", "age"];
    let all = [&all[..], &["--report", "money.html", "--runs", "runs"]].concat();
    let report = ok(folder.path(), &all);
    let warnings = report["warnings"].to_string();
    let drawn = page(folder.path(), "money.html");
    let (_, _, said) = evaluate(folder.path(), &all);
    for place in [&warnings, &drawn, &said] {
        assert!(place.contains("the campaign makes old (") && place.contains("group unknown is left out of comparisons"), "{place}");
    }
    assert!(said.contains("old: HARMED") && said.contains("young: not harmed") && said.contains("effect on old"), "{said}");
    assert!(said.contains("EUR of revenue per customer") && drawn.contains("old: HARMED"), "{said}");
    assert_eq!(report["fairness"]["left_out"][0]["group"], "unknown");
    let old = &report["fairness"]["effects"]["breakdown"]["effects"].as_array().unwrap()[1];
    assert!((number(&old["effect"]["value"]).abs() - 5.0).abs() < 1.5, "major units: {old}");
    let kept = std::fs::read_dir(folder.path().join("runs")).unwrap().map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap());
    assert!(kept.into_iter().any(|run| run.contains("effect on old.effect") && run.contains("\"harm to old\"")));
}

/// Returns and gifts leave out what they would offset, and nothing else.
#[test]
fn returns_and_gifts_take_only_their_own_comparison_away() {
    let folder = tempfile::tempdir().unwrap();
    let mut draw = Draw::seeded(11);
    let mut text = "id,arm,age,revenue,orders,promotion,given,last_touched\n".to_owned();
    for customer in 0..400 {
        let (arm, promotion) = if draw.uniform() < 0.5 { ("offered", 20 + draw.below(80)) } else { ("held_out", 0) };
        let revenue = if customer == 4 { "-300".to_owned() } else { (1000 + draw.below(500)).to_string() };
        let age = ["young", "old"][customer % 2];
        text.push_str(&format!("c{customer},{arm},{age},{revenue},{},{promotion},{},{revenue}\n", 1 + draw.below(3), customer % 2));
    }
    std::fs::write(folder.path().join("returns.csv"), &text).unwrap();
    let all = ["money", "--data", "returns.csv", "--assignment", "arm", "--holdout-share", "0.5", "--currency", "EUR", "--group", "age"];
    let all = [&all[..], &["--offered", "given", "--runs", "runs", "--report", "money.html"]].concat();
    let report = ok(folder.path(), &all);
    let problems = report["fairness"]["problems"].to_string();
    assert!(problems.contains("price paid: returns.csv: row 5, list price: -300"), "{problems}");
    let parity = report["fairness"]["parity"].to_string();
    assert!(parity.contains("share offered") && parity.contains("discount per customer") && !parity.contains("price paid"), "{parity}");
    assert!(!report["fairness"]["effects"].is_null() && !report["fairness"]["harm"].is_null());
    assert!(page(folder.path(), "money.html").contains("row 5, list price"));
    let by_unit = ok(folder.path(), &[&all[..], &["--unit", "id"]].concat());
    assert!(by_unit["fairness"]["problems"].to_string().contains("customer c4, rows summed, list price: -300"), "{by_unit}");
    // Of two ways to attribute only one is known.
    assert!(!report["attribution"]["last_touch"].is_null() && report["attribution"]["redemption"].is_null());
    let minus: String = text
        .lines()
        .map(|line| {
            let cells: Vec<&str> = line.split(',').collect();
            let cost = cells[5].parse::<i64>().map_or("promotion".to_owned(), |cost| (-cost.abs()).to_string());
            format!("{},{},{},{},{},{cost}\n", cells[0], cells[1], cells[2], cells[3], cells[4])
        })
        .collect();
    std::fs::write(folder.path().join("returns.csv"), minus).unwrap();
    let minus = ok(folder.path(), &[&all[..9], &["--runs", "runs"]].concat());
    assert!(minus["warnings"].to_string().contains("give costs as positive amounts"), "{}", minus["warnings"]);
}

/// Customers of a programme of two campaigns of 3.00 and 2.00 a customer, of which 1.00 is lost where somebody gets both.
fn programme(seed: u64, count: usize) -> String {
    let mut draw = Draw::seeded(seed);
    let mut text = "programme,spring,summer,revenue,before_revenue\n".to_owned();
    for customer in 0..count {
        let before = 1_000 + draw.below(4_000);
        let mut revenue = before + draw.below(1_000);
        let (mut spring, mut summer) = ("", "");
        let is_in = draw.uniform() < 0.8;
        if is_in {
            spring = if draw.uniform() < 0.7 { "got" } else { "held_out" };
            summer = if customer % 4 == 0 {
                "not_eligible"
            } else if draw.uniform() < 0.5 {
                "got"
            } else {
                "held_out"
            };
            revenue += match (spring, summer) {
                ("got", "got") => 400,
                ("got", _) => 300,
                (_, "got") => 200,
                _ => 0,
            };
        }
        text.push_str(&format!("{},{spring},{summer},{revenue},{before}\n", if is_in { "in" } else { "held_out" }));
    }
    text
}

#[test]
fn a_programme_is_told_with_each_campaign_and_how_they_interact() {
    let folder = tempfile::tempdir().unwrap();
    let text = programme(1, 20_000);
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("programme.csv", &text);
    let of = |data: &'static str, campaigns: &'static str, more: &[&'static str]| {
        let all = ["programme", "--data", data, "--assignment", "programme", "--campaigns", campaigns, "--holdout-share", "0.2"];
        [&all[..], &["--currency", "EUR", "--runs", "runs"], more].concat()
    };
    let report = ok(folder.path(), &of("programme.csv", "spring,summer", &["--report", "programme.html"]));
    let found = &report["outcomes"][0];
    let within = |figure: &Value, truth: f64| {
        let (low, high) = (number(&figure["low"]), number(&figure["high"]));
        let slack = (high - low) / 4.0;
        assert!(
            low - slack < truth && truth < high + slack && number(&figure["n_held_out"]) > 0.0 && figure["unit"].is_string(),
            "{truth}: {figure}"
        );
    };
    // Spring adds 3.00, and 1.00 less to those who get summer too: 0.75 × 0.5 of them; summer likewise.
    let [spring, summer] = [3.0 - 0.375, 2.0 - 0.7];
    let whole = 0.7 * 3.0 + 0.375 * 2.0 - 0.7 * 0.375;
    within(&found["programme"], whole);
    within(&found["campaigns"][0]["effect"], spring);
    within(&found["campaigns"][1]["effect"], summer);
    within(&found["interaction"], whole - 0.7 * spring - 0.375 * summer);
    assert!(page(folder.path(), "programme.html").contains("Campaigns: revenue"));
    write("programme.csv", &programme(2, 20_000));
    let differences = diff(folder.path(), &report, &ok(folder.path(), &of("programme.csv", "spring,summer", &[])));
    for what in
        ["revenue: effect of the programme.effect", "revenue: effect of spring.low", "revenue: programme less sum of campaigns.high"]
    {
        assert!(differences.contains(what), "{what}: {differences}");
    }
    write("gap.csv", "programme,spring,revenue\nin,got,1\nin,,2\nheld_out,,3\n");
    write("reached.csv", "programme,spring,revenue\nin,got,1\nin,held_out,2\nheld_out,got,3\n");
    write("alone.csv", "programme,spring,revenue\nin,got,1\nin,held_out,2\n");
    write("half.csv", "programme,spring,revenue\nin,got,1\nin,held_out,2\nheld_out,,1.5\n");
    write("empty.csv", "");
    for (data, campaigns, more, why) in [
        ("programme.csv", "winter", &[][..], "no column winter"),
        ("programme.csv", "spring,spring", &[], "named twice"),
        ("programme.csv", "before_revenue", &[], "one value says who got it"),
        ("gap.csv", "spring", &[], "row 2: column spring is empty"),
        ("reached.csv", "spring", &[], "row 3: in the global holdout and treated by spring"),
        ("alone.csv", "spring", &[], "global holdout: 0 unit(s)"),
        ("half.csv", "spring", &[], "row 3: column revenue is 1.5"),
        ("empty.csv", "spring", &[], "empty"),
        ("programme.csv", "spring", &["--level", "1"], "level"),
        ("programme.csv", "spring", &["--outcome", "profit"], "no column profit"),
    ] {
        let (code, _, said) = evaluate(folder.path(), &of(data, campaigns, more));
        assert!(code == 2 && said.contains(why), "{data} {campaigns}: {said}");
    }
    let shared = of("programme.csv", "spring", &[]).iter().map(|word| if *word == "0.2" { "1" } else { word }).collect::<Vec<&str>>();
    let (code, _, said) = evaluate(folder.path(), &shared);
    assert!(code == 2 && said.contains("between 0 and 1"), "{said}");
}

/// Customers whose long-term value is 2.00 a visit and 5.00 an order; a campaign brings one visit and half an order, and `beside` by no surrogate.
fn early(seed: u64, count: usize, beside: f64) -> String {
    let mut draw = Draw::seeded(seed);
    let mut text = "arm,visits,orders,value\n".to_owned();
    for _ in 0..count {
        let treated = f64::from(u8::from(draw.uniform() < 0.5));
        let (visits, orders) = (5.0 + 2.0 * draw.normal() + treated, 2.0 + draw.normal() + 0.5 * treated);
        let value = 10.0 + 2.0 * visits + 5.0 * orders + 5.0 * draw.normal() + beside * treated;
        text.push_str(&format!("{},{visits:.4},{orders:.4},{value:.4}\n", if treated > 0.0 { "offered" } else { "held_out" }));
    }
    text
}

#[test]
fn long_term_value_is_told_by_a_surrogate_index_with_its_assumption() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("history.csv", &early(1, 3000, 0.0));
    write("known.csv", &early(2, 3000, 0.0));
    write("beside.csv", &early(3, 3000, 3.0));
    let unknown: String = early(4, 3000, 0.0).lines().map(|line| line.rsplit_once(',').unwrap().0.to_owned() + "\n").collect();
    write("unknown.csv", &unknown);
    let of = |data: &'static str, surrogates: &'static str, history: &'static str| {
        let all = ["long-term", "--data", data, "--assignment", "arm", "--holdout-share", "0.5", "--surrogates", surrogates];
        [&all[..], &["--long-term-data", history, "--long-term", "value", "--report", "long.html", "--runs", "runs"]].concat()
    };
    let report = ok(folder.path(), &of("unknown.csv", "visits,orders", "history.csv"));
    let effect = &report["effect"];
    // Four standard errors: one seed.
    assert!((number(&effect["value"]) - 4.5).abs() < 4.0 * number(&effect["std_error"]) && effect["causal"] == "extrapolated", "{effect}");
    assert!(report["assumption"].as_str().unwrap().starts_with("surrogacy"), "{report}");
    let visits = &report["surrogates"][0];
    assert!((number(&visits["slope"]["value"]) - 2.0).abs() < 0.3 && visits["n_history"] == 3000, "{visits}");
    for figure in [&visits["slope"], &visits["held_out"], &visits["treated"]] {
        assert!(number(&figure["low"]) < number(&figure["high"]) && figure["unit"].is_string(), "{figure}");
    }
    assert!(report["warnings"].to_string().contains("each row counts as a customer of its own"), "{}", report["warnings"]);
    assert!(report["check"].is_null() && report["warnings"].to_string().contains("surrogacy is not tested"), "{report}");
    assert!(page(folder.path(), "long.html").contains("Assumes: surrogacy"));
    let known = ok(folder.path(), &of("known.csv", "visits,orders", "history.csv"));
    assert_eq!(known["check"]["rejected"], false, "{}", known["check"]);
    let beside = ok(folder.path(), &of("beside.csv", "visits,orders", "history.csv"));
    assert!(beside["check"]["rejected"] == true && beside["warnings"].to_string().contains("don't use this index"), "{beside}");
    let differences = diff(folder.path(), &known, &beside);
    for what in ["effect on the surrogate index.effect", "check.long-term outcome less its index.low", "check.rejected"] {
        assert!(differences.contains(what), "{what}: {differences}");
    }
    let (code, _, said) = evaluate(folder.path(), &of("beside.csv", "visits,orders", "history.csv"));
    assert!(code == 0 && said.contains("REJECTED") && said.contains("assumes: surrogacy"), "{said}");
    write("short.csv", &early(5, 20, 0.0));
    write("gap.csv", "arm,visits,orders\noffered,1,1\noffered,,1\nheld_out,1,1\n");
    write("text.csv", "arm,visits,orders\noffered,a,1\noffered,b,1\nheld_out,c,1\n");
    write("lost.csv", &(early(7, 100, 0.0) + "offered,1,1,\n"));
    for (data, surrogates, history, why) in [
        ("unknown.csv", "visits,orders", "short.csv", "20 historical customers for 2 surrogates"),
        ("unknown.csv", "visits,clicks", "history.csv", "no column clicks"),
        ("unknown.csv", "visits,visits", "history.csv", "named twice"),
        ("known.csv", "visits,value", "history.csv", "the long-term outcome itself"),
        ("gap.csv", "visits,orders", "history.csv", "row 2, column visits: an empty cell"),
        ("text.csv", "visits,orders", "history.csv", "column visits holds texts"),
        ("unknown.csv", "visits,orders", "lost.csv", "lost.csv: row 101, long-term outcome"),
        ("unknown.csv", "visits,orders", "nowhere.csv", "nowhere.csv"),
    ] {
        let (code, _, said) = evaluate(folder.path(), &of(data, surrogates, history));
        assert!(code == 2 && said.contains(why), "{data} {history}: {said}");
    }
}
