//! Attribution beside the lot.

use youhui_commerce::Draw;

use super::super::*;
use super::{WORLD, World, assert_covers, covers, eur, settings, shares};

#[test]
fn the_gap_between_attributed_and_caused_covers() {
    // What a treated customer buys: mean revenue of whoever is held out, and 3.00.
    let many = World { customers: 400_000, adds: 0.0, riders: 0.0, ..WORLD }.ledger(&mut Draw::seeded(99));
    let base = many.joint(&[many.weights(&[Window::During], Measure::Revenue)], false).unwrap().control.mean(0);
    let covered = shares(800, |mut draw| {
        let ledger = WORLD.ledger(&mut draw);
        let treated = ledger.customers(Arm::Treated) as f64;
        let found = attribution(&ledger, settings(true)).unwrap();
        let last = 0.8 * (base + 3.0);
        [
            covers(&found.incremental, 3.0 * treated),
            covers(&found.last_touch.as_ref().unwrap().total, last * treated),
            covers(&found.last_touch.as_ref().unwrap().less_incremental, (last - 3.0) * treated),
            covers(&found.redemption.as_ref().unwrap().total, 4.6 * treated),
            covers(&found.redemption.as_ref().unwrap().less_incremental, 1.6 * treated),
            found.last_touch.as_ref().unwrap().less_incremental.is_credibly_positive(),
            found.incremental.causal == Causal::Randomised
                && found.last_touch.as_ref().unwrap().total.causal == Causal::NotCausal
                && found.warnings.is_empty(),
        ]
    });
    let names = ["incremental", "last touch", "last touch less incremental", "redemption", "redemption less incremental"];
    names.iter().zip(covered).for_each(|(name, covered)| assert_covers(name, covered));
    assert!(covered[5] > 0.99 && covered[6] > 0.99);
}

#[test]
fn a_holdout_that_was_reached_is_said() {
    let (mut customers, by_part) = WORLD.draw(&mut Draw::seeded(2));
    let held = customers.iter().position(|customer| customer.arm == Arm::HeldOut).unwrap();
    customers[held].redeemed = 1_000;
    let mut ledger = Ledger::new(eur(), 0.6, super::parts()).unwrap();
    ledger.add(&customers, &by_part).unwrap();
    let warnings = attribution(&ledger, settings(true)).unwrap().warnings;
    assert!(warnings.len() == 1 && warnings[0].code == "holdout_reached" && warnings[0].message.contains("pulled towards 0"));
}

#[test]
fn orders_go_to_the_last_touch_in_the_window_and_to_their_code() {
    let touches =
        [Touch { campaign: 0, at: 10 }, Touch { campaign: 1, at: 20 }, Touch { campaign: 2, at: 20 }, Touch { campaign: 0, at: 90 }];
    let order = |at, revenue, redeemed| Order { at, revenue, redeemed };
    let orders = [
        order(5, 1, None),
        order(10, 10, Some(2)),
        order(19, 100, None),
        order(25, 1_000, Some(0)),
        order(80, 10_000, Some(1)),
        order(95, -50, None),
    ];
    assert_eq!(last_touch(&touches, &orders, 30, 3).unwrap(), [10 + 100 - 50, 0, 1_000]);
    assert_eq!(last_touch(&touches, &orders, 0, 3).unwrap(), [10, 0, 0]);
    assert_eq!(redemption(&orders, 3).unwrap(), [1_000, 10_000, 10]);
    assert!(last_touch(&touches, &orders, -1, 3).unwrap_err().to_string().contains("ends before it begins"));
    assert!(last_touch(&touches, &orders, 30, 2).is_err() && redemption(&orders, 2).is_err());
    // Far apart times don't overflow.
    assert_eq!(last_touch(&[Touch { campaign: 0, at: i64::MIN }], &[order(i64::MAX, 7, None)], i64::MAX, 1).unwrap(), [7]);
}
