//! Incremental figures, their adjustment, batches and threads.

use youhui_commerce::Draw;

use super::super::*;
use super::{WORLD, World, assert_covers, covers, eur, parts, settings, shares};
use crate::experiment::{Frequentist, Metric, Rows, Scale, accumulate, cuped, frequentist};

#[test]
fn intervals_of_incremental_money_cover() {
    for cuped in [false, true] {
        let covered = shares(800, |mut draw| {
            let ledger = WORLD.ledger(&mut draw);
            let during = incremental(&ledger, Horizon::During, settings(cuped)).unwrap();
            let net = incremental(&ledger, Horizon::Net, settings(cuped)).unwrap();
            let treated = ledger.customers(Arm::Treated) as f64;
            [
                covers(&during.revenue.as_ref().unwrap().per_customer, 3.0),
                covers(&during.profit.as_ref().unwrap().per_customer, 0.15),
                covers(&during.orders.as_ref().unwrap().per_customer, 0.3),
                covers(&during.spend.per_customer, 1.05),
                covers(&during.revenue.as_ref().unwrap().total, 3.0 * treated),
                covers(&net.revenue.as_ref().unwrap().per_customer, 2.4),
                covers(&net.profit.as_ref().unwrap().per_customer, -0.09),
            ]
        });
        let names = ["revenue", "profit", "orders", "spend", "total revenue", "net revenue", "net profit"];
        names.iter().zip(covered).for_each(|(name, covered)| assert_covers(&format!("{name}, CUPED {cuped}"), covered));
    }
}

#[test]
fn cuped_narrows_as_its_variance_reduction_says_and_is_the_experiments() {
    let seeds = 300;
    let found: Vec<(f64, f64, f64)> = (0..seeds)
        .map(|seed| {
            let ledger = WORLD.ledger(&mut Draw::seeded(seed));
            let of = |cuped| incremental(&ledger, Horizon::During, settings(cuped)).unwrap().revenue.unwrap();
            (of(false).per_customer.value, of(true).per_customer.value, of(true).variance_reduction)
        })
        .collect();
    let spread = |of: fn(&(f64, f64, f64)) -> f64| {
        let mean = found.iter().map(of).sum::<f64>() / seeds as f64;
        found.iter().map(|one| (of(one) - mean).powi(2)).sum::<f64>() / seeds as f64
    };
    let said = found.iter().map(|one| one.2).sum::<f64>() / seeds as f64;
    let actual = 1.0 - spread(|one| one.1) / spread(|one| one.0);
    println!("variance reduction: {actual:.3} over seeds, {said:.3} said");
    assert!((actual - said).abs() < 0.1 && said > 0.4, "{actual} {said}");

    // The same customers through the experiment's own CUPED with the same three covariates.
    let (customers, revenue_by_part) = WORLD.draw(&mut Draw::seeded(4));
    let column = |of: fn(&Customer) -> f64| customers.iter().map(of).collect::<Vec<f64>>();
    let revenue = column(|customer| customer.during.revenue as f64 / 100.0);
    let before = column(|customer| customer.before.revenue as f64 / 100.0);
    let orders = column(|customer| f64::from(customer.before.orders));
    let group: Vec<u32> = customers.iter().map(|customer| u32::from(customer.arm == Arm::Treated)).collect();
    let arms = accumulate(Rows { columns: &[&revenue, &before, &orders], names: &[], group: &group }, 2).unwrap();
    // Profit before is .4 of revenue before and is left out.
    let peer = cuped(Metric::mean(0), &[Metric::mean(1), Metric::mean(2)], &arms[0], &arms[1]).unwrap();
    let peer = frequentist(&peer.contrast, Scale::Absolute, Frequentist::default()).unwrap();
    let mut ledger = Ledger::new(eur(), 0.6, parts()).unwrap();
    ledger.add(&customers, &revenue_by_part).unwrap();
    let ours = incremental(&ledger, Horizon::During, settings(true)).unwrap().revenue.unwrap().per_customer;
    for (one, two) in [(ours.value, peer.value), (ours.low, peer.low), (ours.high, peer.high), (ours.p_value, peer.p_value)] {
        assert!((one - two).abs() <= 1e-9 * two.abs().max(1e-3), "{one} {two}");
    }
}

#[test]
fn batches_and_parts_of_the_customers_give_the_same_figures() {
    let (customers, by_part) = WORLD.draw(&mut Draw::seeded(8));
    let width = parts().len();
    // Batches end at each cut.
    let ledger = |cuts: &[usize]| {
        let mut ledger = Ledger::new(eur(), 0.6, parts()).unwrap();
        cuts.windows(2).for_each(|cut| ledger.add(&customers[cut[0]..cut[1]], &by_part[cut[0] * width..cut[1] * width]).unwrap());
        ledger
    };
    let whole = ledger(&[0, 1_500]);
    let batches = ledger(&[0, 7, 900, 900, 1_500]);
    let mut merged = ledger(&[0, 400]);
    merged.merge(&ledger(&[400, 1_500])).unwrap();
    let figure = |ledger: &Ledger| incremental(ledger, Horizon::Net, settings(true)).unwrap().profit.unwrap().total;
    for other in [&batches, &merged] {
        let (one, two) = (figure(&whole), figure(other));
        assert!(
            (one.value - two.value).abs() < 1e-9 * one.value.abs() && (one.low - two.low).abs() < 1e-9 * one.low.abs(),
            "{one:?} {two:?}"
        );
    }
    let in_threads = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            serde_json::to_string(
                &incremental(&World { customers: 20_000, ..WORLD }.ledger(&mut Draw::seeded(2)), Horizon::Net, settings(true)).unwrap(),
            )
            .unwrap()
        })
    };
    assert_eq!(in_threads(1), in_threads(3));
}

#[test]
fn a_currency_without_decimals_has_other_units() {
    let jpy = "JPY".parse().unwrap();
    let (customers, by_part) = WORLD.draw(&mut Draw::seeded(8));
    let of = |currency| {
        let mut ledger = Ledger::new(currency, 0.6, parts()).unwrap();
        ledger.add(&customers, &by_part).unwrap();
        incremental(&ledger, Horizon::During, settings(false)).unwrap()
    };
    let (yen, euro) = (of(jpy), of(eur()));
    assert!((yen.revenue.as_ref().unwrap().per_customer.value - 100.0 * euro.revenue.as_ref().unwrap().per_customer.value).abs() < 1e-9);
    assert!((yen.orders.as_ref().unwrap().per_customer.value - euro.orders.as_ref().unwrap().per_customer.value).abs() < 1e-12);
    assert_eq!(
        (yen.profit.as_ref().unwrap().per_customer.unit.as_str(), yen.orders.as_ref().unwrap().per_customer.unit.as_str()),
        ("JPY per customer", "orders per customer")
    );
    assert!(
        yen.revenue.as_ref().unwrap().total.unit.starts_with("JPY, ")
            && yen.revenue.as_ref().unwrap().total.unit.ends_with(" treated customers")
    );
}

#[test]
fn faults_of_the_arms_are_said_and_seldom_where_there_are_none() {
    let alarms = super::share(2_000, |mut draw| !World { customers: 500, ..WORLD }.ledger(&mut draw).warnings().unwrap().is_empty());
    println!("alarms without a fault: {:.2} %", 100.0 * alarms);
    assert!(alarms < 0.005, "{alarms}");
    let (customers, by_part) = WORLD.draw(&mut Draw::seeded(8));
    let mut wrong = Ledger::new(eur(), 0.5, parts()).unwrap();
    wrong.add(&customers, &by_part).unwrap();
    assert_eq!(wrong.warnings().unwrap()[0].code, "sample_ratio_mismatch");
    // A time "before" that the campaign reached: adjusting by it would take its effect away.
    let mut late = customers.clone();
    late.iter_mut().filter(|customer| customer.arm == Arm::Treated).for_each(|customer| customer.before.revenue += 1_000);
    let mut leaking = Ledger::new(eur(), 0.6, parts()).unwrap();
    leaking.add(&late, &by_part).unwrap();
    let warnings = leaking.warnings().unwrap();
    assert!(
        warnings.len() == 1 && warnings[0].code == "covariate_imbalance" && warnings[0].message.contains("changed by treatment"),
        "{warnings:?}"
    );
}
