//! `youhui allocate` through the binary: plans recounted from what is written, files larger than the
//! memory given, uncertainty, and what it says of input that can't be planned with.
#![allow(clippy::unwrap_used, reason = "a test's way to fail")]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use youhui_storage::{Values, read_table};

/// Numbers that look random and are the same everywhere (a linear congruential generator, Knuth's
/// constants).
struct Numbers(u64);

impl Numbers {
    /// In 0..bound.
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

const PROMOTIONS: [&str; 4] = ["满200减20", "coupon", "gift, wrapped", "ten \"percent\""];

/// customer → promotion → (value, cost, standard error); a third have no `gift`.
type Offers = BTreeMap<String, BTreeMap<&'static str, (f64, f64, f64)>>;

fn offers(customers: u64) -> Offers {
    let mut numbers = Numbers(3);
    let mut all = Offers::new();
    for customer in 0..customers {
        let theirs = all.entry(format!("{customer:06}")).or_default();
        for (place, promotion) in PROMOTIONS.into_iter().enumerate() {
            let cost = 1 + numbers.below(40);
            let value = cost * (4 + numbers.below(10)) / 8 + numbers.below(8);
            if place != 2 || !customer.is_multiple_of(3) {
                theirs.insert(promotion, (value as f64 + 0.25, cost as f64, (1 + numbers.below(20)) as f64));
            }
        }
    }
    all
}

fn segment(customer: &str) -> &'static str {
    if customer.ends_with(['1', '4', '7']) { "north" } else { "south" }
}

/// Rows of a CSV file; `order` gives a row its place.
fn csv(offers: &Offers, mut order: impl FnMut(usize) -> u64) -> String {
    let mut rows = Vec::new();
    for (customer, theirs) in offers {
        for (promotion, (value, cost, error)) in theirs {
            let promotion = promotion.replace('"', "\"\"");
            rows.push(format!("{value},{customer},\"{promotion}\",{cost},{},{error}", segment(customer)));
        }
    }
    let mut placed: Vec<(u64, String)> = rows.into_iter().enumerate().map(|(row, text)| (order(row), text)).collect();
    placed.sort();
    let mut text = "value,customer,promotion,cost,segment,std_error\n".to_owned();
    placed.iter().for_each(|(_, row)| writeln!(text, "{row}").unwrap());
    text
}

fn write(folder: &Path, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, bytes).unwrap();
    path
}

fn run(offers: &Path, out: &Path, arguments: &[&str], threads: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_youhui"));
    command.arg("allocate").arg("--offers").arg(offers).arg("--out").arg(out).args(["--format", "json"]).args(arguments);
    command.env("RAYON_NUM_THREADS", threads).output().unwrap()
}

fn allocate(offers: &Path, out: &Path, arguments: &[&str]) -> Value {
    let output = run(offers, out, arguments, "2");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn refused(offers: &Path, arguments: &[&str]) -> String {
    let out = offers.with_extension("out.csv");
    let output = run(offers, &out, arguments, "2");
    assert_eq!(output.status.code(), Some(2), "{}", String::from_utf8_lossy(&output.stdout));
    assert!(!out.exists(), "nothing is written");
    String::from_utf8(output.stderr).unwrap()
}

/// (customer, promotion), as written.
fn given(out: &Path) -> Vec<(String, String)> {
    let mut table = read_table(out, None).unwrap();
    let mut texts = |name: &str| match table.take(name).unwrap().values {
        Values::Text { codes, names } => codes.iter().map(|&code| names[code as usize].clone()).collect::<Vec<_>>(),
        Values::Number(numbers) => numbers.iter().map(|number| format!("{number:06}")).collect(),
    };
    texts("customer").into_iter().zip(texts("promotion")).collect()
}

/// Sums of what is written: everything, by promotion and by segment as (value, cost, count).
fn recount(offers: &Offers, given: &[(String, String)]) -> BTreeMap<String, (f64, f64, usize)> {
    let mut sums: BTreeMap<String, (f64, f64, usize)> = BTreeMap::new();
    for (customer, promotion) in given {
        let (value, cost, _) = offers[customer][promotion.as_str()];
        for of in ["all", promotion, segment(customer)] {
            let sum = sums.entry(of.to_owned()).or_default();
            *sum = (sum.0 + value, sum.1 + cost, sum.2 + 1);
        }
    }
    sums
}

const CONSTRAINTS: &str = r#"
[[promotion]]
name = "coupon"
count = 400
[[promotion]]
name = "满200减20"
budget = 5000
[[segment]]
name = "north"
floor = 9000
"#;

#[test]
fn plans_are_what_they_say_in_memory_and_in_blocks() {
    let folder = tempfile::tempdir().unwrap();
    let offers = offers(8_000);
    let mut numbers = Numbers(5);
    let sorted = write(folder.path(), "sorted.csv", csv(&offers, |row| row as u64));
    let mixed = write(folder.path(), "mixed.csv", csv(&offers, |_| numbers.below(1 << 30)));
    let limits = write(folder.path(), "limits.toml", CONSTRAINTS);
    let limits = limits.to_str().unwrap();
    for constraints in [&[][..], &["--constraints", limits]] {
        let mut values = Vec::new();
        for (file, memory, out, read) in [
            (&sorted, "2048", "a.parquet", "in memory"),
            (&mixed, "2048", "b.csv", "in memory"),
            (&mixed, "1", "c.jsonl", "in 5 blocks of a sorted copy"),
        ] {
            let out = folder.path().join(out);
            let arguments = [&["--budget", "30000", "--curve", "--memory", memory], constraints].concat();
            let said = allocate(file, &out, &arguments);
            let given = given(&out);
            let sums = recount(&offers, &given);
            let (value, cost, count) = sums["all"];
            assert_eq!((said["value"].as_f64().unwrap(), said["cost"].as_f64().unwrap()), (value, cost), "{read}");
            assert_eq!((said["assigned"].as_u64(), said["customers"].as_u64()), (u64::try_from(count).ok(), Some(8_000)));
            assert!(cost <= 30_000.0 && said["upper_bound"].as_f64().unwrap() >= value && said["gap"].as_f64().unwrap() <= 1e-4);
            if !constraints.is_empty() {
                assert!(sums["coupon"].2 <= 400 && sums["满200减20"].1 <= 5000.0 && sums["north"].1 >= 9000.0, "{sums:?}");
            }
            assert_eq!(said["read"], read);
            // Below the floor there is no plan.
            assert_eq!(said["curve"].as_array().unwrap().len(), if constraints.is_empty() { 50 } else { 47 });
            assert!(said["worth_spending"]["budget"].as_f64().unwrap() > 0.0);
            for (used, dual) in said["constraints"].as_array().unwrap().iter().zip(said["duals"].as_array().unwrap()) {
                assert!(used["slack"].as_f64().unwrap() >= 0.0 && used["name"] == dual["name"] && dual["price"].is_f64());
            }
            values.push(value);
        }
        let (most, least) =
            (values.iter().fold(0.0, |most: f64, &one| most.max(one)), values.iter().fold(f64::MAX, |least, &one| least.min(one)));
        assert!(most - least <= 1e-4 * most, "the same plan, up to its gap: {values:?}");
    }
    let left: Vec<String> =
        std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    assert!(left.iter().all(|name| !name.contains("sorting") && !name.contains("staged")), "{left:?}");
}

#[test]
fn the_example_of_the_documentation() {
    let folder = tempfile::tempdir().unwrap();
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples");
    let limits = examples.join("constraints.toml");
    let arguments = ["--budget", "200", "--constraints", limits.to_str().unwrap(), "--format", "table"];
    let mut command = Command::new(env!("CARGO_BIN_EXE_youhui"));
    command.arg("allocate").arg("--offers").arg(examples.join("offers.csv")).arg("--out").arg(folder.path().join("plan.csv"));
    let said = String::from_utf8(command.args(arguments).output().unwrap().stdout).unwrap();
    let documented = std::fs::read_to_string(examples.join("../docs/allocation.md")).unwrap();
    assert!(said.lines().count() == 5 && documented.contains(&said), "docs/allocation.md doesn't have:\n{said}");
}

#[test]
fn threads_change_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let file = write(folder.path(), "offers.csv", csv(&offers(8_000), |row| row as u64));
    let limits = write(folder.path(), "limits.toml", CONSTRAINTS);
    for memory in ["2048", "1"] {
        let of = |threads: &str| {
            let out = folder.path().join(format!("{threads}.csv"));
            let arguments = ["--budget", "20000", "--curve", "--memory", memory, "--constraints", limits.to_str().unwrap()];
            let output = run(&file, &out, &arguments, threads);
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            let mut said: Value = serde_json::from_slice(&output.stdout).unwrap();
            said.as_object_mut().unwrap().retain(|key, _| !key.starts_with("seconds"));
            (std::fs::read(&out).unwrap(), said)
        };
        assert_eq!(of("1"), of("2"), "--memory {memory}");
    }
}

#[test]
fn uncertainty_changes_the_plan_and_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let offers = offers(3_000);
    let file = write(folder.path(), "offers.csv", csv(&offers, |row| row as u64));
    let out = folder.path().join("out.parquet");
    let plain = allocate(&file, &out, &["--budget", "9000"]);
    assert!(plain.get("uncertainty").is_none());
    for memory in ["2048", "1"] {
        let said = allocate(&file, &out, &["--budget", "9000", "--lower-bound", "1.5", "--memory", memory]);
        let (mut predicted, mut bound) = (0.0, 0.0);
        for (customer, promotion) in given(&out) {
            let (value, _, error) = offers[&customer][promotion.as_str()];
            predicted += value;
            bound += value - 1.5 * error;
        }
        let told = &said["uncertainty"];
        assert!((told["plan"]["predicted_value"].as_f64().unwrap() - predicted).abs() < 1e-6);
        assert!((told["plan"]["cautious_value"].as_f64().unwrap() - bound).abs() < 1e-6);
        assert!((said["value"].as_f64().unwrap() - bound).abs() < 1e-3);
        assert!((told["plan_by_prediction"]["predicted_value"].as_f64().unwrap() - plain["value"].as_f64().unwrap()).abs() < 0.01);
        assert!(told["plan_by_prediction"]["cautious_value"].as_f64().unwrap() < bound);
        assert!(told["changed_share"].as_f64().unwrap() > 0.2, "{told}");
    }
    let draw = |seed: &str, memory: &str| {
        let said = allocate(&file, &out, &["--budget", "9000", "--posterior-draw", seed, "--memory", memory]);
        assert!(said["uncertainty"]["changed_customers"].as_u64().unwrap() > 0);
        let mut given = given(&out);
        given.sort();
        given
    };
    let differences = |one: &[(String, String)], two: &[(String, String)]| one.iter().filter(|row| !two.contains(row)).count();
    let first = draw("1", "2048");
    assert!(differences(&first, &draw("1", "1")) < 5, "the same draw in blocks and in any order");
    assert!(differences(&first, &draw("2", "2048")) > 200);
}

#[test]
fn identifiers_stay_as_they_are_written() {
    let folder = tempfile::tempdir().unwrap();
    let file = write(folder.path(), "offers.csv", "customer,promotion,value,cost\n007,1,5,1\n7,01,5,1\n");
    let out = folder.path().join("out.csv");
    allocate(&file, &out, &["--budget", "2"]);
    assert_eq!(std::fs::read_to_string(&out).unwrap(), "customer,promotion\n007,1\n7,01\n");
}

#[test]
fn bad_offers_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let head = "customer,promotion,value,cost";
    let many = format!("{head}\n{}", (0..100_000).map(|number| format!("a,p{number},1,1\n")).collect::<String>());
    for (text, part) in [
        (String::new(), "is empty"),
        (format!("{head}\n"), "has no row"),
        (format!("{head}\na,p,NaN,1\n"), "row 1, value"),
        (format!("{head}\na,p,1,1\nb,p,,1\n"), "row 2, value is missing"),
        (format!("{head}\na,p,1,inf\n"), "row 1, cost is infinite"),
        (format!("{head}\na,p,1,dear\n"), "row 1, cost is \"dear\""),
        (format!("{head}\na,p,1,1\na,p,2,2\n"), "customer \"a\" is offered \"p\" in row 1 and in row 2: keep one of them"),
        (format!("{head}\n,p,1,1\n"), "row 1, customer is missing"),
        (format!("{head}\na,,1,1\n"), "row 1, promotion is missing"),
        ("customer,promotion,value\na,p,1\n".to_owned(), "has no column \"cost\""),
        (format!("{head},segment\na,p,1,1,x\na,q,1,1,y\n"), "is in segment \"x\" in row 1 and in \"y\" in row 2"),
        (many, "has 100000 offers, 65535 at most"),
    ] {
        let file = write(folder.path(), "offers.csv", &text);
        for memory in ["2048", "1"] {
            let message = refused(&file, &["--budget", "10", "--memory", memory]);
            let part = if text.contains("dear") && memory == "1" { "row 1, cost" } else { part };
            let plain = message.replace("column cost", "column \"cost\"");
            assert!(plain.contains(part), "{part}: {message}");
        }
    }
}

#[test]
fn bad_limits_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let rows = "customer,promotion,value,cost,segment\na,p,5,2,n\nb,p,4,2,n\nc,q,3,1.25,s\n";
    let file = write(folder.path(), "offers.csv", rows);
    let with = |limits: &str| {
        let limits = write(folder.path(), "limits.toml", limits);
        refused(&file, &["--budget", "100", "--constraints", limits.to_str().unwrap()])
    };
    for (limits, part) in [
        (
            "[[promotion]]\nname = \"x\"\ncount = 1\n",
            "promotion names \"x\", of which there is no offer; each promotion of the offers: p, q",
        ),
        ("[[segment]]\nname = \"x\"\ncount = 1\n", "segment names \"x\""),
        ("[[promotion]]\nname = \"p\"\nbudget = -1\n", "promotion p: budget is -1"),
        ("[[promotion]]\nname = \"p\"\nbudget = nan\n", "promotion p: budget is NaN"),
        ("[[promotion]]\nname = \"p\"\ncount = -1\n", "count"),
        ("[[promotion]]\nname = \"p\"\n", "has no limit"),
        ("[[promotion]]\nname = \"p\"\ncount = 1\n[[promotion]]\nname = \"p\"\ncount = 2\n", "limited twice"),
        ("per_customer = 0\n", "per_customer is 0"),
        ("budgets = 3\n", "unknown field `budgets`"),
        ("return_on_spend = -1\n", "return_on_spend is -1"),
        (
            "[[segment]]\nname = \"n\"\nfloor = 3\nbudget = 2\n[[promotion]]\nname = \"q\"\ncount = 1\n",
            "segment n: floor (at least 3); segment n: budget (at most 2)",
        ),
        ("[[segment]]\nname = \"n\"\nfloor = 3.25\nbudget = 2.5\n", "segment n: floor (at least 3.25); segment n: budget (at most 2.5)"),
        ("return_on_spend = 1000.5\n[[segment]]\nname = \"n\"\nat_least = 1\n", "return_on_spend (at least 1000.5)"),
        ("[[segment]]\nname = \"n\"\nat_least = 3\n", "segment n: at_least"),
        ("not toml", "limits.toml"),
    ] {
        let message = with(limits);
        assert!(message.contains(part), "{limits}: {message}");
    }
    for (arguments, part) in [
        (&["--budget", "0"][..], "--budget 0: nothing can be bought with it"),
        (&["--budget", "-5"], "--budget -5"),
        (&["--budget", "nan"], "--budget NaN"),
        (&["--budget", "inf"], "--budget inf"),
        (&["--budget", "5", "--lower-bound", "-1"], "--lower-bound -1"),
        (&["--budget", "5", "--lower-bound", "1"], "has no column"),
        (&["--budget", "5", "--constraints", "/nowhere.toml"], "/nowhere.toml"),
    ] {
        let message = refused(&file, arguments);
        assert!(message.contains(part), "{arguments:?}: {message}");
    }
    let missing = run(&folder.path().join("none.csv"), &folder.path().join("o.csv"), &["--budget", "1"], "2");
    assert_eq!(missing.status.code(), Some(2));
    let unwritable = run(&file, &folder.path().join("none/o.csv"), &["--budget", "1"], "2");
    assert_eq!(unwritable.status.code(), Some(2));
}
