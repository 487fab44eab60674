//! `youhui design` on a small shop that is made here: each goal, market and limit, through the binary.
#![allow(clippy::unwrap_used, reason = "a test's way to fail")]

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use expect_test::{Expect, expect};
use serde_json::Value;

const MAPPING: &str = r#"
[shop]
currency = "CNY"
time_zone = "Asia/Shanghai"
[consent]
default = "granted"
basis = "made up for a test"
[events]
customer = "customer"
time = "time"
product = "sku"
order = "basket"
quantity = "units"
amount = "paid"
cost = "cost"
event_id = ["id"]
[products]
product = "sku"
name = "name"
category = ["category"]
price = "price"
cost = "cost"
stock = "stock"
"#;

/// A shop of eighty simulated customers up to 2026-01-25: thirty regulars, twenty who stopped, twenty with one
/// order, ten who only looked. Who buys tea buys cups; the kettle lies.
struct Shop {
    folder: tempfile::TempDir,
}

impl Shop {
    fn new() -> Self {
        let shop = Self { folder: tempfile::tempdir().unwrap() };
        std::fs::write(shop.path("mapping.toml"), MAPPING).unwrap();
        let products = "sku,name,category,price,cost,stock\ntea,green tea,drinks,20,8,50\ncup,blue cup,kitchen,40,20,60\n\
             kettle,old kettle,kitchen,200,90,400\ncake,moon cake,food,60,30,40\n";
        shop.import("products", products);
        shop.import("events", &orders());
        shop
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn import(&self, table: &str, rows: &str) {
        let file = self.path(&format!("{table}.csv"));
        std::fs::write(&file, rows).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_youhui"));
        command.args(["import", "--as", table, "--seed", "1", "--quiet", "--store"]).arg(self.path("store"));
        let output = command.arg("--mapping").arg(self.path("mapping.toml")).arg(&file).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    fn design(&self, arguments: &[&str]) -> Value {
        let output = run(&self.path("store"), &[&["--format", "json"], arguments].concat(), 2);
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }
}

fn run(store: &Path, arguments: &[&str], threads: usize) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_youhui"));
    command.env("RAYON_NUM_THREADS", threads.to_string()).args(["design", "--store"]).arg(store);
    command.args(arguments).output().unwrap()
}

fn orders() -> String {
    let end = "2026-01-25T12:00:00Z".parse::<jiff::Timestamp>().unwrap();
    let mut rows = "id,customer,time,sku,basket,units,paid,cost\n".to_owned();
    let mut basket = 0;
    let mut buy = |customer: usize, days_ago: i64, skus: &[(&str, i64, i64)]| {
        basket += 1;
        let time = end - jiff::SignedDuration::from_hours(24 * days_ago);
        for (sku, paid, cost) in skus {
            writeln!(rows, "{basket}-{sku},c{customer:02},{time},{sku},b{basket},1,{paid},{cost}").unwrap();
        }
    };
    let (tea, cup, cake, kettle) = (("tea", 20, 8), ("cup", 40, 20), ("cake", 60, 30), ("kettle", 200, 90));
    for customer in 0..30 {
        let drinks_tea = customer % 3 != 0;
        for order in 0..8 {
            let days_ago = 3 + i64::try_from(customer % 14).unwrap() + 11 * order;
            match (drinks_tea, order % 4) {
                (true, 1) if customer % 2 == 0 => buy(customer, days_ago, &[tea, cup]),
                (true, _) => buy(customer, days_ago, &[tea, tea_cake(order, cake)]),
                (false, _) => buy(customer, days_ago, &[cake]),
            }
        }
    }
    for customer in 30..50 {
        for order in 0..4 {
            buy(customer, 60 + 10 * order, &[tea, cake]);
        }
    }
    for customer in 50..70 {
        buy(customer, 5 + i64::try_from(customer).unwrap() % 20, &[cake]);
    }
    // A kettle was sold long ago, and one last month.
    buy(1, 200, &[kettle]);
    buy(2, 30, &[kettle]);
    rows
}

/// Cake with every other order, cups never: a basket differs from the next.
fn tea_cake(order: i64, cake: (&'static str, i64, i64)) -> (&'static str, i64, i64) {
    if order % 2 == 0 { cake } else { ("kettle-descaler", 15, 7) }
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn promotions(found: &Value) -> impl Iterator<Item = &Value> {
    list(&found["candidates"]).iter().map(|candidate| &candidate["promotion"])
}

/// What is special of a goal, in its candidates: how many there are, of which mechanics, whom they are for.
fn check(shop: &Shop, goal: &str, market: &str, expected: Expect) {
    let found = shop.design(&["--goal", goal, "--market", market]);
    let mut kinds: Vec<&str> = promotions(&found).map(|promotion| promotion["effects"][0]["kind"].as_str().unwrap()).collect();
    kinds.sort_unstable();
    kinds.dedup();
    let first = &list(&found["candidates"])[0];
    let said = format!(
        "{}\nfor {} customers: {}\n{}\n{}",
        kinds.join(", "),
        first["figures"]["customers"],
        first["promotion"]["audience"]["rule"].as_str().unwrap(),
        first["promotion"]["texts"]["en"]["condition"].as_str().unwrap(),
        first["promotion"]["texts"]["zh-CN"]["condition"].as_str().unwrap()
    );
    expected.assert_eq(&said);
}

#[test]
fn each_goal_is_for_its_own_customers_and_says_so() {
    let shop = Shop::new();
    check(
        &shop,
        "retain",
        "us",
        expect![[r#"
        amount_off, item_price, percent_off, spend_and_save
        for 10 customers: customers with three or more orders whose next order is about due or somewhat late
        12% off everything, at most ¥10.00 per order. Once per customer, from 2026-01-22 20:00 to 2026-02-19 20:00 (Asia/Shanghai).
        全场按售价的88%结算，每单最多减¥10.00。每位顾客限用1次，活动时间2026-01-22 20:00至2026-02-19 20:00（Asia/Shanghai）。"#]],
    );
    check(
        &shop,
        "win-back",
        "us",
        expect![[r#"
        amount_off, item_price, percent_off, spend_and_save
        for 20 customers: customers whose last order is four weeks or more ago and much later than their habit
        12% off everything, at most ¥10.00 per order. Once per customer, from 2026-01-22 20:00 to 2026-02-19 20:00 (Asia/Shanghai).
        全场按售价的88%结算，每单最多减¥10.00。每位顾客限用1次，活动时间2026-01-22 20:00至2026-02-19 20:00（Asia/Shanghai）。"#]],
    );
    check(
        &shop,
        "activate",
        "us",
        expect![[r#"
        amount_off, item_price, percent_off, spend_and_save
        for 20 customers: customers with one or two orders
        12% off everything, at most ¥10.00 per order. Once per customer, from 2026-01-22 20:00 to 2026-02-19 20:00 (Asia/Shanghai).
        全场按售价的88%结算，每单最多减¥10.00。每位顾客限用1次，活动时间2026-01-22 20:00至2026-02-19 20:00（Asia/Shanghai）。"#]],
    );
    check(
        &shop,
        "holiday",
        "cn",
        expect![[r#"
        amount_off, item_price, percent_off, spend_and_save
        for 70 customers: everyone who meets the conditions
        12% off everything, at most ¥10.00 per order. Once per customer, from 2026-02-08 to 2026-02-14.
        全场按售价的88%结算，每单最多减¥10.00。每位顾客限用1次，活动时间2026-02-08至2026-02-14。"#]],
    );
    check(
        &shop,
        "cross-sell",
        "us",
        expect![[r#"
        amount_off, item_price, percent_off, spend_and_save
        for 19 customers: customers with three or more orders, one of them in the last eight weeks who don't buy kitchen yet
        12% off kitchen. Once per customer, from 2026-01-22 20:00 to 2026-02-19 20:00 (Asia/Shanghai).
        kitchen按售价的88%结算。每位顾客限用1次，活动时间2026-01-22 20:00至2026-02-19 20:00（Asia/Shanghai）。"#]],
    );
    check(
        &shop,
        "basket-lift",
        "us",
        expect![[r#"
        amount_off, item_price, percent_off, spend_and_save
        for 30 customers: customers with three or more orders, one of them in the last eight weeks
        12% off everything, at most ¥10.00 per order. Once per customer, from 2026-01-22 20:00 to 2026-02-19 20:00 (Asia/Shanghai).
        全场按售价的88%结算，每单最多减¥10.00。每位顾客限用1次，活动时间2026-01-22 20:00至2026-02-19 20:00（Asia/Shanghai）。"#]],
    );
    check(
        &shop,
        "acquisition",
        "us",
        expect![[r#"
        amount_off, item_price, percent_off, spend_and_save
        for 0 customers: people without an order yet
        12% off everything, at most ¥10.00 per order. On the first order only. Once per customer, from 2026-01-22 20:00 to 2026-02-19 20:00 (Asia/Shanghai).
        全场按售价的88%结算，每单最多减¥10.00。仅限首单。每位顾客限用1次，活动时间2026-01-22 20:00至2026-02-19 20:00（Asia/Shanghai）。"#]],
    );
    check(
        &shop,
        "clearance",
        "us",
        expect![[r#"
        percent_off
        for 70 customers: all customers with an order
        12.5% off old kettle. Once per customer, from 2026-01-22 20:00 to 2026-01-29 20:00 (Asia/Shanghai).
        old kettle按售价的87.5%结算。每位顾客限用1次，活动时间2026-01-22 20:00至2026-01-29 20:00（Asia/Shanghai）。"#]],
    );
}

#[test]
fn holidays_follow_a_calendar_and_clearance_follows_stock() {
    let shop = Shop::new();
    let found = shop.design(&["--goal", "holiday", "--goal", "clearance", "--market", "cn"]);
    let of = |goal: &str| -> Vec<&Value> {
        list(&found["candidates"]).iter().filter(|candidate| candidate["promotion"]["audience"]["goal"] == goal).collect()
    };
    let holiday = of("holiday");
    assert!(!holiday.is_empty());
    for candidate in holiday {
        assert!(candidate["promotion"]["texts"]["zh-CN"]["title"].as_str().unwrap().starts_with("情人节："));
    }
    let weeks: Vec<String> = of("clearance")
        .iter()
        .map(|candidate| {
            let (promotion, claim) = (&candidate["promotion"], &candidate["claims"][0]);
            format!(
                "{} {} from {}: {} below {}",
                promotion["effects"][0]["scope"]["products"][0].as_str().unwrap(),
                promotion["effects"][0]["unit_price"],
                &promotion["schedule"]["starts"].as_str().unwrap()[..10],
                claim["basis_points"],
                claim["reference"]["price"]
            )
        })
        .collect();
    expect![[r#"
        kettle 17500 from 2026-01-22: 1250 below 20000
        kettle 15000 from 2026-01-29: 1428 below 17500
        kettle 12500 from 2026-02-05: 1666 below 15000
        kettle 10000 from 2026-02-12: 2000 below 12500
        cup 3540 from 2026-01-22: 1150 below 4000
        cup 3060 from 2026-01-29: 1355 below 3540
        cup 2600 from 2026-02-05: 1503 below 3060
        cup 2120 from 2026-02-12: 1846 below 2600"#]]
    .assert_eq(&weeks.join("\n"));
    let reason = of("clearance")[0]["reason"].as_str().unwrap();
    assert!(reason.contains("400 units of old kettle are on hand 197 days after"), "{reason}");
}

/// The bundled sample has campaigns to learn from, so its menus aren't empty.
fn of_the_sample(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_youhui")).arg("design").args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn a_menu_is_no_longer_than_asked_and_within_its_bound() {
    let mut last = 0.0;
    for most in [1, 3] {
        let most_text = most.to_string();
        let found = of_the_sample(&["--goal", "activate", "--goal", "basket-lift", "--format", "json", "--menu", &most_text]);
        let found: Value = serde_json::from_str(&found).unwrap();
        let menu = &found["menu"];
        assert!((1..=most).contains(&list(&menu["chosen"]).len()), "{menu}");
        let (value, bound) = (menu["value"].as_f64().unwrap(), menu["bound"].as_f64().unwrap());
        assert!(value > 0.0 && value <= bound * (1.0 + 1e-12) && value >= last, "{menu}");
        assert!(menu["cost"].as_f64().unwrap() <= found["budget"].as_f64().unwrap());
        for choice in list(&menu["chosen"]) {
            assert!(promotions(&found).any(|promotion| promotion["promotion_id"] == choice["promotion_id"]));
            assert!(!choice["why"].as_str().unwrap().is_empty());
        }
        last = value;
    }
}

#[test]
fn what_depends_on_the_person_says_so_and_in_china_nothing_does() {
    let shop = Shop::new();
    for (market, disclosed) in [("us", 0), ("us-ny", 1), ("uk", 1), ("eu", 1), ("cn", 0)] {
        let found = shop.design(&["--goal", "basket-lift", "--market", market]);
        assert!(!list(&found["candidates"]).is_empty(), "{market}: {}", found["refused"]);
        for promotion in promotions(&found) {
            assert_eq!(list(&promotion["disclosures"]).len(), disclosed, "{market}");
            let open = promotion["audience"]["rule"] == "everyone who meets the conditions";
            assert_eq!(open, market == "cn");
        }
        assert_eq!(found["prices"].is_string(), market == "eu" || market == "cn", "what claims rest on is said");
    }
    let new_york = shop.design(&["--goal", "basket-lift", "--market", "us-ny"]);
    assert_eq!(promotions(&new_york).next().unwrap()["disclosures"][0], "THIS PRICE WAS SET BY AN ALGORITHM USING YOUR PERSONAL DATA.");
}

#[test]
fn the_same_shop_gives_the_same_bytes_on_one_thread_and_two() {
    let shop = Shop::new();
    let arguments = ["--goal", "retain", "--goal", "cross-sell", "--goal", "clearance", "--format", "json"];
    let one = run(&shop.path("store"), &arguments, 1);
    assert!(one.status.success() && !one.stdout.is_empty());
    assert_eq!(one.stdout, run(&shop.path("store"), &arguments, 2).stdout);
}

#[test]
fn bad_input_says_what_to_write() {
    let shop = Shop::new();
    let refused = |arguments: &[&str], expected: Expect| {
        let output = run(&shop.path("store"), arguments, 2);
        assert!(!output.status.success() && output.stdout.is_empty(), "{arguments:?}");
        let said = String::from_utf8_lossy(&output.stderr).replace(&shop.folder.path().display().to_string(), "SHOP");
        expected.assert_eq(said.lines().next().unwrap_or(""));
    };
    refused(&[], expect!["error: the following required arguments were not provided:"]);
    refused(
        &["--goal", "profit"],
        expect![
            "error: invalid value 'profit' for '--goal <GOAL>': no such goal; write one of retain, win-back, activate, clearance, holiday, cross-sell, basket-lift, acquisition"
        ],
    );
    refused(
        &["--goal", "retain", "--market", "mars"],
        expect!["error: invalid value 'mars' for '--market <MARKET>': no such market; write one of eu, cn, uk, us-ny, us"],
    );
    refused(
        &["--goal", "retain", "--menu", "0"],
        expect!["error: invalid value '0' for '--menu <K>': give a whole number from 1 to 1000, such as 8"],
    );
    refused(
        &["--goal", "retain", "--menu", "99999999999999999999"],
        expect!["error: invalid value '99999999999999999999' for '--menu <K>': give a whole number from 1 to 1000, such as 8"],
    );
    refused(&["--goal", "retain", "--margin-floor", "1"], expect!["error: --margin-floor 1: give a share from 0 to below 1, such as 0.05"]);
    refused(
        &["--goal", "retain", "--margin-floor", "NaN"],
        expect!["error: --margin-floor NaN: give a share from 0 to below 1, such as 0.05"],
    );
    refused(&["--goal", "retain", "--budget", "NaN"], expect!["error: --budget NaN: give an amount from 0 up in CNY"]);
    refused(&["--goal", "retain", "--budget=-5"], expect!["error: --budget -5.0: give an amount from 0 up in CNY"]);
    refused(&["--goal", "retain", "--contact-cost", "inf"], expect!["error: --contact-cost inf: give an amount from 0 up in CNY"]);
    refused(
        &["--goal", "retain", "--locale", "fr"],
        expect!["error: invalid value 'fr' for '--locale <LOCALE>': no texts in that language; write one of en, zh-CN"],
    );
    let nowhere = run(&shop.path("nowhere"), &["--goal", "retain"], 2);
    assert!(!nowhere.status.success() && String::from_utf8_lossy(&nowhere.stderr).contains("no store here"));
    // Nothing to spend is a plan too: an empty one.
    let nothing = shop.design(&["--goal", "retain", "--budget", "0"]);
    assert_eq!(nothing["menu"]["cost"].as_f64().unwrap(), 0.0);
    // No margin to give is refused in words, draft by draft.
    let rich = shop.design(&["--goal", "retain", "--margin-floor", "0.99"]);
    assert!(
        list(&rich["candidates"]).is_empty() && list(&rich["refused"])[0]["why"].as_str().unwrap().contains("below the floor of 99.0 %")
    );
}

#[test]
fn the_table_is_in_the_language_asked_for() {
    let table = |locale: &str| of_the_sample(&["--goal", "basket-lift", "--locale", locale]);
    let (chinese, english) = (table("zh-CN"), table("en"));
    assert!(chinese.contains("每位顾客限用1次") && !chinese.contains("Once per customer"), "{chinese}");
    assert!(english.contains("Once per customer") && !english.contains("每位顾客"), "{english}");
}
