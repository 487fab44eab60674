//! `youhui evaluate money|observational|programme|long-term`, through the program.
#![allow(clippy::unwrap_used, reason = "a test's way to fail")]

mod judged;

use judged::{evaluate, number, ok};
use serde_json::Value;
use youhui_commerce::Draw;

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
