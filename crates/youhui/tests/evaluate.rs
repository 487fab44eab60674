//! `youhui evaluate policy|power|campaign|money|observational`, through the program.
#![allow(clippy::unwrap_used, reason = "a test's way to fail")]

mod evaluated;
mod served;

use std::path::Path;

use evaluated::{evaluate, metric, number, ok};
use serde_json::{Value, json};
use served::{Server, order};
use youhui_commerce::Draw;

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
        ("zero.csv", "uniform", "row 2: propensity is 0,"),
        ("above.csv", "uniform", "row 2: propensity is 1.5,"),
        ("negative.csv", "uniform", "row 2: propensity is -0.1,"),
        ("infinite.csv", "uniform", "row 1: reward is inf,"),
        ("good.csv", "sum.csv", "sum to 1.1, not 1"),
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
    for (more, why) in
        [(["--bootstrap", "99999999999"], "at most 100000 draws"), (["--features", "reward"], "would foresee what came of it")]
    {
        let (code, _, said) = evaluate(folder.path(), &[&["policy", "--log", "good.csv", "--policy", "uniform"], &more[..]].concat());
        assert!(code == 2 && said.contains(why), "{more:?}: {said}");
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

fn judged(folder: &Path, shop: &Path, arguments: &[&str]) -> (i32, Value, String) {
    let mut youhui = served::youhui(shop);
    let output = youhui.current_dir(folder).args(["evaluate", "campaign", "--store"]).arg(shop).args(arguments).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
    (output.status.code().unwrap(), serde_json::from_slice::<Value>(&output.stdout).unwrap_or(Value::Null), said)
}

/// Offers of which another share is held out, in a file.
fn held_out_by(folder: &Path, share: f64) -> String {
    let mut offers: Value = serde_json::from_slice(&std::fs::read(served::OFFERS).unwrap()).unwrap();
    offers["holdout_share"] = json!(share);
    let file = folder.join("offers.json");
    std::fs::write(&file, offers.to_string()).unwrap();
    file.to_str().unwrap().to_owned()
}

/// Few customers came under one share and many under another: each is expected in the arms by the share under which they came.
#[test]
fn a_share_that_was_changed_is_no_mismatch_and_a_page_spares_the_shop() {
    let folder = tempfile::tempdir().unwrap();
    let shop = folder.path().join("shop");
    let customers: Vec<String> = (0..600).map(|number| format!("customer-{number}")).collect();
    let mut arms: [Vec<bool>; 2] = [vec![], vec![]];
    for (which, (share, count)) in [(0.1, 60), (0.5, 600)].into_iter().enumerate() {
        let server = Server::start(&shop, &["--consent-default", "granted", "--offers", &held_out_by(folder.path(), share)]);
        let batch: Vec<Value> = customers[..count].iter().map(|customer| order(&format!("{which}-{customer}"), customer)).collect();
        assert_eq!(server.post("/v1/batch", &json!({"batch": batch})).status, 200);
        arms[which].extend(customers[..count].iter().map(|customer| server.decide(customer)["placements"][0]["mode"] == "holdout"));
        assert!(server.stop());
    }
    std::thread::sleep(std::time::Duration::from_millis(500));
    let in_both = arms[0].iter().zip(&arms[1]).filter(|(first, second)| first != second).count();
    let all = ["autumn", "--window-days", "0.000003", "--report", "campaign.html", "--format", "json"];
    let (code, report, said) = judged(folder.path(), &shop, &all);
    assert_eq!(code, 0, "{said}");
    assert_eq!(report["customers"], 600 - in_both, "{report}");
    let expected = number(&report["sample_ratio"]["expected"][0]);
    let by_hand = (60 - in_both) as f64 * 0.1 / (0.1 + 0.5) + 540.0 * 0.5;
    assert!((expected - by_hand).abs() < 1e-6, "{expected} {by_hand}");
    assert!(!report["warnings"].to_string().contains("sample_ratio") && number(&report["sample_ratio"]["p_value"]) > 0.01, "{report}");
    assert!(in_both > 0 && report["money"]["currency"] == "EUR", "{report}");
    // Decisions of whoever was in both are left out too; who came again was still shown the same, which is no decision of its own.
    let offered = arms[1].iter().filter(|is_held_out| !**is_held_out).count();
    let decisions = report["promotions"].as_array().unwrap().iter().filter_map(|one| one["decisions"].as_u64()).max();
    assert_eq!(decisions, Some(offered as u64), "{report}");
    let page = std::fs::read_to_string(folder.path().join("campaign.html")).unwrap();
    for what in ["at one time and not at another", "the share held out was changed"] {
        assert!(page.contains(what), "{what}: {page}");
    }
    // A page is not worth a shop.
    let before = std::fs::read(shop.join("live.db")).ok();
    std::fs::create_dir(folder.path().join("elsewhere")).unwrap();
    for report in ["shop/live.db", "shop/live.db-wal", "shop/page.html", "shop/new/page.html", "elsewhere/../shop/page.html"] {
        let (code, _, said) = judged(folder.path(), &shop, &["autumn", "--window-days", "0.000003", "--report", report]);
        assert!(code == 2 && said.contains("give the page another name"), "{report}: {said}");
    }
    if let Some(before) = before {
        assert!(before == std::fs::read(shop.join("live.db")).unwrap(), "the shop is as it was");
        std::fs::copy(shop.join("live.db"), folder.path().join("copy.db")).unwrap();
        let elsewhere = ["autumn", "--database", "sqlite:copy.db", "--window-days", "0.000003", "--report"];
        for report in ["copy.db", "./copy.db-wal"] {
            let (code, _, said) = judged(folder.path(), &folder.path().join("none"), &[&elsewhere[..], &[report]].concat());
            assert!(code == 2 && said.contains("that is what was read"), "{report}: {said}");
        }
    }
}

/// A shop whose offered customers all buy at once and whose held-out ones don't.
#[test]
fn a_campaign_of_a_served_shop_is_judged_by_its_holdout() {
    let folder = tempfile::tempdir().unwrap();
    let shop = folder.path().join("shop");
    let server = Server::start(&shop, &["--consent-default", "granted", "--offers", &held_out_by(folder.path(), 0.3)]);
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
    let (mut bought, mut later) = (vec![], vec![]);
    for (number, customer) in customers.iter().enumerate() {
        let decided = server.decide(customer);
        let is_held_out = decided["placements"][0]["mode"] == "holdout";
        held_out += usize::from(is_held_out);
        // 25.00 less 5.00 by nine of ten who were offered something, and 25.00 by one of five who were not.
        if (is_held_out && number % 5 == 0) || (!is_held_out && number % 10 != 0) {
            let mut order = order(&format!("new-{customer}"), customer);
            order["properties"]["discount"] = json!(if is_held_out { 0.0 } else { 5.0 });
            bought.push(order);
        }
        // What was bought ahead is missing in the 0.2 seconds after.
        if number % if is_held_out { 2 } else { 5 } == 0 {
            let mut order = order(&format!("later-{customer}"), customer);
            order["timestamp"] = json!((jiff::Timestamp::now() + jiff::SignedDuration::from_millis(3980)).to_string());
            later.push(order);
        }
    }
    assert_eq!(server.post("/v1/batch", &json!({"batch": bought})).status, 200);
    std::thread::sleep(std::time::Duration::from_millis(4300));
    assert_eq!(server.post("/v1/batch", &json!({"batch": later})).status, 200);
    assert!(server.stop());
    let ask = |arguments: &[&str]| judged(folder.path(), &shop, arguments);
    // 3.9 seconds.
    let all = ["autumn", "--window-days", "0.000045", "--after-days", "0.0000025", "--report", "campaign.html"];
    let (code, report, said) = ask(&[&all[..], &["--format", "json"]].concat());
    assert_eq!(code, 0, "{said}");
    assert_eq!((report["customers"].as_u64(), report["held_out"].as_u64()), (Some(400), Some(held_out as u64)), "{report}");
    let revenue = metric(&report, "revenue");
    let truth = 2000.0 * 0.9 - 2500.0 * 0.2;
    assert!(number(&revenue["low"]) < truth && truth < number(&revenue["high"]) && number(&revenue["low"]) > 300.0, "{revenue}");
    assert_eq!(report["arms"][0]["decision"]["verdict"], "ship", "{report}");
    let total = &report["total"];
    assert!((number(&total["value"]) - number(&revenue["effect"]) * (400 - held_out) as f64).abs() < 1e-6, "{total}");
    assert_eq!(report["promotions"].as_array().unwrap().len(), 3, "{report}");
    assert!(std::fs::read_to_string(folder.path().join("campaign.html")).unwrap().contains("<svg"));
    // Money: list prices less discounts. Without a margin there is no profit, and it says so.
    let named = |list: &Value, name: &str| list.as_array().unwrap().iter().find(|one| one["name"] == name).cloned().unwrap_or(Value::Null);
    let within = |figure: &Value, truth: f64| {
        let (low, high) = (number(&figure["low"]), number(&figure["high"]));
        let slack = (high - low) / 4.0;
        assert!(low - slack < truth && truth < high + slack, "{truth}: {figure}");
    };
    let money = &report["money"];
    within(&named(&money["figures"], "incremental revenue"), 25.0 * 0.7);
    within(&named(&money["figures"], "incremental spend"), 4.5);
    assert!(
        named(&money["figures"], "incremental contribution profit").is_null() && money["notes"].to_string().contains("--margin"),
        "{money}"
    );
    let cost = named(&money["returns"], "cost per incremental order");
    assert!((number(&cost["value"]) - 4.5 / 0.7).abs() < 1.5 && cost["set"]["kind"] == "interval", "{cost}");
    let dip = &money["after"]["pull_forward"][0];
    within(&dip["after"], 25.0 * (0.2 - 0.5));
    assert!(number(&dip["after"]["high"]) < 0.0 && money["after"]["customers"] == 400, "{dip}");
    let (code, other, said) = ask(&[&all[..], &["--margin", "0.5", "--format", "json"]].concat());
    assert_eq!(code, 0, "{said}");
    within(&named(&other["money"]["figures"], "incremental contribution profit"), 0.5 * 17.5 - 4.5);
    let returned = named(&other["money"]["returns"], "return on promotion spend");
    assert!((number(&returned["value"]) - 0.5 * 17.5 / 4.5).abs() < 0.6, "{returned}");
    let page = std::fs::read_to_string(folder.path().join("campaign.html")).unwrap();
    for what in ["return on promotion spend", "Before, during and after", "With what came after", "orders per customer", "discounts given"]
    {
        assert!(page.contains(what), "the page has {what}");
    }
    let discount = &other["discount"];
    assert!(number(&discount["value"]) > 0.0 && discount["n"] == 400 - held_out && discount["unit"] == "minor units", "{discount}");
    let (code, _, said) = ask(&all);
    assert!(code == 0 && said.contains("cost per incremental order") && said.contains("effect on revenue after the campaign"), "{said}");
    let diff = served::youhui(&shop)
        .current_dir(folder.path())
        .args(["runs", "diff", report["run"].as_str().unwrap(), other["run"].as_str().unwrap()])
        .output()
        .unwrap();
    let diff = String::from_utf8_lossy(&diff.stdout).into_owned() + &String::from_utf8_lossy(&diff.stderr);
    assert!(
        diff.contains("metrics.incremental contribution profit.low") && diff.contains("metrics.return on promotion spend.effect"),
        "{diff}"
    );
    for (arguments, why) in [
        (&["winter"][..], "is that its name?"),
        (&["autumn", "--currency", "EUR", "--after-days", "0"], "--after-days: give a number of days above 0"),
        (&["autumn", "--currency", "JPY", "--window-days", "0.000045"], "this shop is served in EUR"),
        (&["autumn", "--tuning", "0"], "--tuning 0: give the number of units"),
        (&["autumn", "--tuning", "nan"], "--tuning NaN: give the number of units"),
        (&["autumn", "--tuning", "inf"], "--tuning inf: give the number of units"),
        (&["autumn", "--currency", "euros"], "--currency"),
        (&["autumn"], "wait, or give fewer --window-days"),
        (&["autumn", "--window-days", "0"], "above 0"),
        (&["autumn", "--margin", "2"], "--margin"),
    ] {
        let (code, _, said) = ask(arguments);
        assert!(code == 2 && said.contains(why), "{arguments:?}: {said}");
    }
}
