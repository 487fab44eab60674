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
fn cuped_narrows_as_its_variance_reduction_says_and_is_near_the_experiments() {
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
    // The experiment's θ is pooled over all customers; ours makes this variance least, and gives back what two coefficients took.
    let lost = 1.0 + 2.0 / 500.0;
    assert!((ours.value - peer.value).abs() < 0.1 * peer.std_error, "{ours:?} {peer:?}");
    assert!((0.98 * peer.std_error..lost * peer.std_error).contains(&ours.std_error), "{ours:?} {peer:?}");
}

/// Nobody who is held out costs anything: pooled over all customers, θ would add their noise to a figure that had none of it.
#[test]
fn adjustment_makes_no_figure_less_precise_and_covers_with_few_held_out() {
    let of = |draw: &mut Draw, customers: usize, share_treated: f64| {
        let mut ledger = Ledger::new(eur(), share_treated, vec![]).unwrap();
        let all: Vec<Customer> = (0..customers)
            .map(|_| {
                let keen = (0.8 * draw.normal()).exp();
                let is_treated = draw.uniform() < share_treated;
                let minor = |value: f64| (1_000.0 * value) as i64;
                let before = minor(keen + 0.2 * draw.uniform());
                let revenue = minor(keen + 0.5 * draw.uniform());
                let promotion = if is_treated { revenue / 5 } else { 0 };
                let amounts = |revenue, promotion, orders| Amounts { revenue, goods: revenue / 2, promotion, contact: 0, orders };
                let orders = |draw: &mut Draw| 1 + (3.0 * keen.min(4.0) * draw.uniform()) as u32;
                Customer {
                    arm: if is_treated { Arm::Treated } else { Arm::HeldOut },
                    before: amounts(before, 0, orders(draw)),
                    during: amounts(revenue, promotion, orders(draw)),
                    after: Amounts::default(),
                    last_touched: 0,
                    redeemed: 0,
                }
            })
            .collect();
        ledger.add(&all, &[]).unwrap();
        ledger
    };
    let found = |ledger: &Ledger, cuped| incremental(ledger, Horizon::During, settings(cuped)).unwrap();
    for seed in 0..50 {
        let ledger = of(&mut Draw::seeded(seed), 2_000, 0.7);
        let (plain, adjusted) = (found(&ledger, false), found(&ledger, true));
        let ratio = adjusted.spend.per_customer.std_error / plain.spend.per_customer.std_error;
        assert!(ratio < 1.005, "{ratio}");
        let revenue = |of: &IncrementalMoney| of.revenue.as_ref().unwrap().per_customer.std_error;
        assert!(revenue(&adjusted) < 0.7 * revenue(&plain));
        if seed == 0 {
            println!("standard error of spend, adjusted over plain: {ratio:.3}");
        }
    }
    // E promotion / .2 = E revenue of integers, about.
    let truth = found(&of(&mut Draw::seeded(99), 400_000, 0.5), false).spend.per_customer.value;
    for (customers, share_treated) in [(2_000, 0.7), (600, 0.95)] {
        let covered = shares(800, |mut draw| [covers(&found(&of(&mut draw, customers, share_treated), true).spend.per_customer, truth)]);
        assert_covers(&format!("spend, {customers} customers, {share_treated} treated"), covered[0]);
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
    // A sign error in the column of discounts.
    let mut minus = customers.clone();
    minus.iter_mut().for_each(|customer| customer.during.promotion *= -1);
    let mut earning = Ledger::new(eur(), 0.6, parts()).unwrap();
    earning.add(&minus, &by_part).unwrap();
    let warnings = earning.warnings().unwrap();
    assert!(warnings.len() == 1 && warnings[0].code == "negative_promotion_cost", "{warnings:?}");
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
