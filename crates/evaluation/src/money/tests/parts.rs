//! Parts: known truth, and sums that are the whole.

use proptest::prelude::*;

use super::super::*;
use super::{WORLD, World, assert_covers, covers, eur, parts, settings, share, shares};

#[test]
fn cannibalisation_and_halo_cover() {
    for cuped in [false, true] {
        let covered = shares(800, |mut draw| {
            let ledger = WORLD.ledger(&mut draw);
            let taken = &cannibalisation(&ledger, settings(cuped)).unwrap()[0];
            let halo = halo(&ledger, settings(cuped)).unwrap();
            [
                covers(&taken.promoted, 3.0),
                covers(&taken.rest, -0.6),
                covers(&taken.whole, 2.4),
                taken.rate.set.contains(0.2),
                covers(&halo.categories[0], 0.6),
                covers(&halo.categories[1], 0.0),
                covers(&halo.outside, 0.6),
            ]
        });
        let names = ["promoted", "rest", "category", "cannibalisation rate", "halo on B", "halo on C", "halo"];
        names.iter().zip(covered).for_each(|(name, covered)| assert_covers(&format!("{name}, CUPED {cuped}"), covered));
    }
}

#[test]
fn halo_is_seldom_found_where_there_is_none() {
    let found = shares(1_000, |mut draw| {
        let ledger = World { moves: false, customers: 800, ..WORLD }.ledger(&mut draw);
        let halo = halo(&ledger, settings(true)).unwrap().categories;
        [halo.iter().any(|figure| figure.adjusted_p.unwrap() < 0.05), halo.iter().any(|figure| figure.p_value < 0.05)]
    });
    println!("halo on any of two categories where there is none: {:.1} %, unadjusted {:.1} %", 100.0 * found[0], 100.0 * found[1]);
    assert!(found[0] < 0.065 && found[1] > found[0], "{found:?}");
    let seen = share(200, |mut draw| {
        halo(&World { customers: 6_000, ..WORLD }.ledger(&mut draw), settings(true)).unwrap().categories[0].adjusted_p.unwrap() < 0.05
    });
    assert!(seen > 0.5, "{seen}");
}

#[test]
fn a_category_that_nobody_buys_is_named_and_not_judged() {
    let mut ledger = Ledger::new(eur(), 0.6, [parts(), vec![Part { category: "D".to_owned(), promoted: false }]].concat()).unwrap();
    let (customers, by_part) = WORLD.draw(&mut youhui_commerce::Draw::seeded(1));
    let with_nothing: Vec<i64> = by_part.chunks(4).flat_map(|parts| parts.iter().copied().chain([0])).collect();
    ledger.add(&customers, &with_nothing).unwrap();
    let halo = halo(&ledger, settings(true)).unwrap();
    assert!(halo.categories.len() == 2 && halo.not_judged[0].0 == "D" && halo.not_judged[0].1.contains("same value for every unit"));
}

fn amounts() -> impl Strategy<Value = Amounts> {
    (0_i64..5_000, 0_i64..3_000, 0_i64..500, 0_i64..20, 0_u32..5).prop_map(|(revenue, goods, promotion, contact, orders)| Amounts {
        revenue,
        goods,
        promotion,
        contact,
        orders,
    })
}

fn customers() -> impl Strategy<Value = (Vec<Customer>, Vec<i64>)> {
    let one = (any::<bool>(), amounts(), amounts(), amounts(), prop::array::uniform4(-200_i64..4_000));
    prop::collection::vec(one, 40..80).prop_map(|rows| {
        let mut by_part = vec![];
        let customers = rows.into_iter().enumerate().map(|(place, (treated, before, mut during, after, parts))| {
            during.revenue = parts.iter().sum();
            by_part.extend(parts);
            // At least some in both arms.
            let arm = if place < 10 || (place >= 20 && treated) { Arm::Treated } else { Arm::HeldOut };
            Customer { arm, before, during, after, last_touched: during.revenue / 2, redeemed: 0 }
        });
        (customers.collect(), by_part)
    })
}

fn same(one: f64, two: f64) -> bool {
    (one - two).abs() < 1e-9 * one.abs().max(two.abs()).max(1.0)
}

proptest! {
    #[test]
    fn effects_on_parts_sum_to_the_effect_on_the_whole((customers, by_part) in customers(), cuped in any::<bool>()) {
        let mut ledger = Ledger::new(eur(), 0.5, parts()).unwrap();
        ledger.add(&customers, &by_part).unwrap();
        let settings = settings(cuped);
        let during = incremental(&ledger, Horizon::During, settings).unwrap();
        let profit = during.profit.unwrap();
        let revenue = during.revenue.unwrap().per_customer.value;
        let halo = halo(&ledger, settings).unwrap();
        let taken = &cannibalisation(&ledger, settings).unwrap()[0];
        prop_assert!(same(halo.whole.value, revenue) && same(halo.inside.value + halo.outside.value, revenue));
        prop_assert!(same(halo.categories.iter().map(|figure| figure.value).sum::<f64>(), halo.outside.value));
        prop_assert!(same(taken.promoted.value + taken.rest.value, taken.whole.value) && same(taken.whole.value, halo.inside.value));
        // Profit is what its parts leave, net is during and after, and a total is its customers'.
        let pulled = pull_forward(&ledger, settings).unwrap().profit.unwrap();
        let net = incremental(&ledger, Horizon::Net, settings).unwrap().profit.unwrap().per_customer.value;
        prop_assert!(same(pulled.during.value + pulled.after.value, net));
        prop_assert!(same(pulled.net.value, net));
        prop_assert!(same(profit.total.value, profit.per_customer.value * ledger.customers(Arm::Treated) as f64));
        // Return on spend and on investment are of the same profit.
        let returned = returns(&ledger, Horizon::During, settings).unwrap();
        if let Some(investment) = returned.return_on_investment.and_then(|ratio| ratio.value) {
            prop_assert!(same(investment * during.spend.per_customer.value, profit.per_customer.value));
        }
        // What is attributed less what was caused is the difference shown.
        let attribution = attribution(&ledger, settings).unwrap();
        let last_touch = attribution.last_touch.unwrap();
        let apart = last_touch.total.value - attribution.incremental.value;
        prop_assert!((apart - last_touch.less_incremental.value).abs() < 1e-6 * apart.abs().max(1.0));
    }
}
