//! Lifetime models against `lifetimes` 0.11.3 (golden numbers from `oracles/lifetimes_oracle.py`),
//! against known truth, and on customers that no model can be fitted on.
#![allow(clippy::unwrap_used, clippy::cast_possible_truncation, reason = "a test's small numbers, and its way to fail")]

use youhui_commerce::Draw;
use youhui_profile::lifetime::{BgNbd, GammaGamma, LifetimeError, PurchaseSummary, lifetime_value};

const HORIZON: f64 = 39.0 * 7.0;

/// The 600 customers of the oracle's `small()`, by the same integer formula.
fn small() -> Vec<PurchaseSummary> {
    let mut state = 1_u64;
    let mut below = |bound: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % bound
    };
    (0..600)
        .map(|_| {
            let age = 100 + below(263);
            let gap = [12, 25, 60, 150, 400, 900][below(6) as usize];
            let leaves = [2, 8, 20, 45, 80][below(5) as usize];
            let (mut frequency, mut recency, mut day) = (0_u32, 0, 0);
            while below(100) >= leaves {
                day += 1 + below(2 * gap);
                if day > age {
                    break;
                }
                (frequency, recency) = (frequency + 1, day);
            }
            let monetary = if frequency == 0 { 0.0 } else { 4.0 + below(71) as f64 * (below(23) + 1) as f64 / 16.0 };
            PurchaseSummary { frequency: f64::from(frequency), recency: recency as f64, age: age as f64, monetary }
        })
        .collect()
}

fn close(one: f64, two: f64, relative: f64) {
    assert!((one - two).abs() <= relative * two.abs(), "{one} is not {two}");
}

#[test]
fn agrees_with_lifetimes_on_the_small_set() {
    let customers = small();
    let repeats: f64 = customers.iter().map(|customer| customer.frequency).sum();
    assert_eq!(repeats, 1239.0, "the generators of both sides differ");
    let orders = BgNbd::fit(&customers, 0.0).unwrap();
    for (ours, theirs) in [
        (orders.r, 0.281_900_958_914_713_5),
        (orders.alpha, 19.922_771_121_653_398),
        (orders.a, 0.754_250_694_396_939),
        (orders.b, 5.383_397_861_396_555),
    ] {
        close(ours, theirs, 1e-3);
    }
    assert!(orders.log_likelihood >= 1_114.055_843_818_012_1 - 1e-6, "{}", orders.log_likelihood);
    assert_eq!(orders.penalizer, 0.0);
    let values = GammaGamma::fit(&customers).unwrap();
    for (ours, theirs) in [(values.p, 4.680_109_527_607_241), (values.q, 1.720_081_281_178_065_7), (values.v, 6.436_523_133_612_835)] {
        close(ours, theirs, 1e-3);
    }
    assert!(values.log_likelihood >= -1_340.448_151_322_687_9 - 1e-6, "{}", values.log_likelihood);
    // Chance of being alive, orders in 39 weeks, value of an order, value of 360 days.
    let golden = [
        (0, 0.874_943_323_161_816_1, 1.060_506_315_305_431, 61.694_250_620_339_52, 80.741_529_431_501_15),
        (2, 1.0, 0.492_444_299_754_202_3, 41.833_656_879_683_15, 25.368_271_039_769_27),
        (9, 0.003_899_871_075_007_771_8, 0.052_974_977_574_327_016, 10.976_083_041_255_56, 0.704_248_331_539_551_4),
        (17, 1.0, 0.221_900_654_986_207_37, 41.833_656_879_683_15, 11.591_830_472_348_532),
    ];
    for (index, alive, expected, value, life) in golden {
        let customer = &customers[index];
        close(orders.probability_alive(customer), alive, 1e-3);
        close(orders.expected_purchases(customer, HORIZON), expected, 1e-3);
        close(values.expected_value(customer), value, 1e-3);
        close(lifetime_value(&orders, &values, customer, 360.0, 0.0002, 1.0), life, 1e-3);
    }
    let alive: f64 = customers.iter().map(|customer| orders.probability_alive(customer)).sum();
    let expected: f64 = customers.iter().map(|customer| orders.expected_purchases(customer, HORIZON)).sum();
    close(alive, 493.879_095_121_741_8, 1e-3);
    close(expected, 957.279_954_664_321_8, 1e-3);
}

/// Gamma(shape, rate 1) by Marsaglia & Tsang 2000, with their boost for shapes below 1.
fn gamma(shape: f64, draw: &mut Draw) -> f64 {
    if shape < 1.0 {
        return gamma(shape + 1.0, draw) * (1.0 - draw.uniform()).powf(1.0 / shape);
    }
    let d = shape - 1.0 / 3.0;
    loop {
        let x = draw.normal();
        let v = (1.0 + x / (9.0 * d).sqrt()).powi(3);
        if v > 0.0 && (1.0 - draw.uniform()).ln() < 0.5 * x * x + d - d * v + d * v.ln() {
            return d * v;
        }
    }
}

#[test]
fn recovers_the_truth_of_simulated_customers() {
    let (r, alpha, a, b) = (0.8, 20.0, 0.7, 2.5);
    let (p, q, v) = (4.0, 3.5, 30.0);
    let mut sums = [0.0; 7];
    const SEEDS: u64 = 5;
    for seed in 0..SEEDS {
        let mut draw = Draw::seeded(seed);
        let customers: Vec<PurchaseSummary> = (0..4000)
            .map(|_| {
                let rate = gamma(r, &mut draw) / alpha;
                let (one, two) = (gamma(a, &mut draw), gamma(b, &mut draw));
                let leaves = one / (one + two);
                let value_rate = gamma(q, &mut draw) / v;
                let age = 200.0 + 165.0 * draw.uniform();
                let (mut frequency, mut recency, mut total) = (0.0, 0.0, 0.0);
                let mut time = 0.0;
                loop {
                    time += -(1.0 - draw.uniform()).ln() / rate;
                    if time > age {
                        break;
                    }
                    (frequency, recency) = (frequency + 1.0, time);
                    total += gamma(p, &mut draw) / value_rate;
                    if draw.uniform() < leaves {
                        break;
                    }
                }
                let monetary = if frequency > 0.0 { total / frequency } else { 0.0 };
                PurchaseSummary { frequency, recency, age, monetary }
            })
            .collect();
        let orders = BgNbd::fit(&customers, 0.0).unwrap();
        let values = GammaGamma::fit(&customers).unwrap();
        let found = [orders.r, orders.alpha, orders.a, orders.b, values.p, values.q, values.v];
        for (sum, value) in sums.iter_mut().zip(found) {
            *sum += value / SEEDS as f64;
        }
    }
    for (mean, truth) in sums.into_iter().zip([r, alpha, a, b, p, q, v]) {
        close(mean, truth, 0.1);
    }
}

fn summary(frequency: f64, recency: f64, age: f64, monetary: f64) -> PurchaseSummary {
    PurchaseSummary { frequency, recency, age, monetary }
}

#[test]
fn customers_that_teach_nothing_are_refused_with_a_reason() {
    assert_eq!(BgNbd::fit(&[], 0.0), Err(LifetimeError::NoCustomers));
    let never = vec![summary(0.0, 0.0, 90.0, 0.0); 50];
    assert_eq!(BgNbd::fit(&never, 0.0), Err(LifetimeError::NobodyRepeats { customers: 50 }));
    assert_eq!(GammaGamma::fit(&never), Err(LifetimeError::NobodyRepeats { customers: 50 }));
    assert_eq!(BgNbd::fit(&[summary(1.0, 0.0, 0.0, 5.0)], 0.0), Err(LifetimeError::NoTime));
    assert_eq!(BgNbd::fit(&never, f64::NAN).map(|_| ()).map_err(|error| error.to_string().contains("penalizer")), Err(true));
    let invalid = [
        summary(f64::NAN, 1.0, 2.0, 1.0),
        summary(1.0, 3.0, 2.0, 1.0),
        summary(-1.0, 1.0, 2.0, 1.0),
        summary(1.0, 1.0, f64::INFINITY, 1.0),
        summary(1.0, 1.0, 2.0, f64::NAN),
    ];
    for customer in invalid {
        let error = BgNbd::fit(&[summary(1.0, 1.0, 2.0, 1.0), customer], 0.0).unwrap_err();
        assert!(matches!(error, LifetimeError::Invalid { index: 1, .. }), "{error}");
    }
}

#[test]
fn odd_customers_give_an_error_or_finite_numbers() {
    let sets = [
        vec![summary(3.0, 40.0, 60.0, 20.0)],
        vec![summary(3.0, 40.0, 60.0, 20.0); 30],
        (1..60).map(|i| summary(f64::from(i % 7 + 1), f64::from(i), f64::from(i), f64::from(i))).collect(),
        (1..60).map(|i| summary(1.0, f64::from(i), 60.0, 1e9)).collect(),
        (1..60).map(|i| summary(f64::from(i) * 1e3, f64::from(i), 1e6, 1e-6 * f64::from(i))).collect(),
    ];
    for customers in &sets {
        let (orders, values) = (BgNbd::fit(customers, 0.0), GammaGamma::fit(customers));
        let Ok(orders) = orders else { continue };
        for customer in customers {
            for horizon in [0.0, 1e-9, 1.0, 365.0, 1e6] {
                let expected = orders.expected_purchases(customer, horizon);
                assert!(expected.is_finite() && expected >= 0.0, "{orders:?} {customer:?} {horizon}: {expected}");
            }
            assert!((0.0..=1.0).contains(&orders.probability_alive(customer)));
            if let Ok(values) = values {
                let value = lifetime_value(&orders, &values, customer, 365.0, 0.0003, 0.3);
                assert!(value.is_finite(), "{values:?}");
            }
        }
    }
}

#[test]
fn expectations_cross_the_formulas_poles_smoothly() {
    let customer = summary(0.0, 0.0, 100.0, 0.0);
    let with =
        |a: f64, b: f64| BgNbd { r: 0.5, alpha: 10.0, a, b, log_likelihood: 0.0, penalizer: 0.0 }.expected_purchases(&customer, 365.0);
    close(with(1.0, 2.0), with(1.0 + 1e-4, 2.0), 1e-3);
    close(with(1.0, 2.0), with(1.0 - 1e-4, 2.0), 1e-3);
    close(with(0.4, 0.6), with(0.4, 0.6001), 1e-3);
    close(with(0.4, 0.6), with(0.4, 0.5999), 1e-3);
}
