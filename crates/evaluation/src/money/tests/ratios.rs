//! Fieller's sets and the figures made of them.

use youhui_commerce::Draw;

use super::super::*;
use super::{WORLD, World, assert_covers, settings, share, shares};
use crate::experiment::{ArmEstimate, Contrast, Frequentist, RelativeInterval, Scale, frequentist};

#[test]
fn slow_returns_cover() {
    for cuped in [false, true] {
        let covered = shares(800, |mut draw| {
            let ledger = World { customers: 3_000, ..WORLD }.ledger(&mut draw);
            let during = returns(&ledger, Horizon::During, settings(cuped)).unwrap();
            let net = returns(&ledger, Horizon::Net, settings(cuped)).unwrap();
            [
                during.cost_per_incremental_order.as_ref().unwrap().set.contains(3.5),
                during.return_on_promotion_spend.as_ref().unwrap().set.contains(1.15),
                during.return_on_investment.as_ref().unwrap().set.contains(0.15 / 1.05),
                net.return_on_promotion_spend.as_ref().unwrap().set.contains((2.4 * 0.4 - 0.05) / 1.0),
            ]
        });
        let names = ["cost per incremental order", "return on promotion spend", "return on investment", "return, net"];
        names.iter().zip(covered).for_each(|(name, covered)| assert_covers(&format!("{name}, CUPED {cuped}"), covered));
    }
}

#[test]
fn sets_cover_where_the_denominator_is_weak_and_say_that_there_is_no_interval() {
    // .02 orders more per customer, about one standard error.
    let weak = World { customers: 1_500, adds: 0.04, ..WORLD };
    let truth = (0.04 + 0.2) * 2.0 + 0.05;
    let truth = truth / 0.04;
    let found = shares(800, |mut draw| {
        let figure = returns(&weak.ledger(&mut draw), Horizon::During, settings(false)).unwrap().cost_per_incremental_order.unwrap();
        let bounded = figure.set.interval().is_some();
        assert_eq!(bounded, figure.note.is_none());
        assert!(bounded || figure.note.as_ref().unwrap().starts_with("no interval: the denominator's effect (orders per customer"));
        assert!(figure.value.is_none_or(|value| figure.set.contains(value)));
        [figure.set.contains(truth), bounded]
    });
    assert_covers("cost per incremental order, weak", found[0]);
    println!("bounded: {:.1} %", 100.0 * found[1]);
    assert!(found[1] < 0.6, "{}", found[1]);
}

#[test]
fn the_delta_method_covers_too_seldom_where_fiellers_set_covers() {
    let (numerator, denominator) = (1.0, 0.15);
    let found = shares(4_000, |mut draw| {
        let mut estimate = |value: f64, variance: f64| EffectVariance { value: value + variance.sqrt() * draw.normal(), variance };
        let (above, below) = (estimate(numerator, 0.01), estimate(denominator, 0.01));
        let set = fieller_set(above, below, 0.0, f64::INFINITY, 0.95);
        let ratio = above.value / below.value;
        let std_error = ((above.variance + ratio * ratio * below.variance) / below.value.powi(2)).sqrt();
        let truth = numerator / denominator;
        [set.contains(truth), (ratio - truth).abs() <= 1.959_964 * std_error]
    });
    assert_covers("Fieller", found[0]);
    println!("delta method: {:.1} %", 100.0 * found[1]);
    assert!(found[1] < 0.93, "{}", found[1]);
}

#[test]
fn sets_are_those_of_relative_effects_and_have_all_shapes() {
    // (b − a)/a + 1 = b/a of independent arms.
    let arm = |value: f64, variance: f64| ArmEstimate::plain(1_000_000, value, variance, 1e12);
    let contrast = Contrast::independent(arm(2.0, 0.09), arm(3.0, 0.16));
    let peer = Frequentist { relative: RelativeInterval::Fieller, normal: true, ..Frequentist::default() };
    let peer = frequentist(&contrast, Scale::Relative, peer).unwrap();
    let of = |value, variance| EffectVariance { value, variance };
    let (low, high) = fieller_set(of(3.0, 0.16), of(2.0, 0.09), 0.0, f64::INFINITY, 0.95).interval().unwrap();
    assert!((low - 1.0 - peer.low).abs() < 1e-12 && (high - 1.0 - peer.high).abs() < 1e-12, "{low} {high} {peer:?}");

    let outside = fieller_set(of(3.0, 0.16), of(0.2, 0.09), 0.0, f64::INFINITY, 0.95);
    assert!(matches!(outside, FiellerSet::Outside { below, above } if below < 0.0 && above > 0.0), "{outside:?}");
    // The set is what the test doesn't reject.
    for ratio in [-30.0, -5.0, -1.0, 0.0, 1.0, 3.0, 5.0, 15.0, 100.0] {
        let kept = (3.0 - ratio * 0.2_f64).powi(2) <= 1.959_963_984_540_054_f64.powi(2) * (0.16 + ratio * ratio * 0.09);
        assert_eq!(outside.contains(ratio), kept, "{ratio}");
    }
    assert_eq!(fieller_set(of(0.1, 0.16), of(0.2, 0.09), 0.0, f64::INFINITY, 0.95), FiellerSet::Everything);
    assert_eq!(fieller_set(of(3.0, 0.0), of(0.0, 0.0), 0.0, f64::INFINITY, 0.95), FiellerSet::Everything);
    assert_eq!(fieller_set(of(3.0, 0.0), of(2.0, 0.0), 0.0, f64::INFINITY, 0.95).interval(), Some((1.5, 1.5)));
}

#[test]
fn nothing_spent_has_no_return() {
    let nothing = World { adds: 0.0, riders: 0.0, ..WORLD };
    let figure =
        returns(&nothing.ledger(&mut Draw::seeded(3)), Horizon::During, settings(true)).unwrap().return_on_promotion_spend.unwrap();
    assert_eq!((figure.value, figure.set), (None, FiellerSet::Everything));
    assert!(figure.note.unwrap().contains("every ratio"));
}

#[test]
fn a_dip_is_found_where_there_is_one_and_seldom_where_there_is_none() {
    let covered = shares(800, |mut draw| {
        let found = pull_forward(&World { customers: 3_000, ..WORLD }.ledger(&mut draw), settings(true)).unwrap().revenue.unwrap();
        [
            (found.after.low..=found.after.high).contains(&-0.6),
            (found.net.low..=found.net.high).contains(&2.4),
            found.share.set.contains(0.2),
            (found.during.value + found.after.value - found.net.value).abs() < 1e-9,
        ]
    });
    ["after", "net", "share pulled forward"].iter().zip(covered).for_each(|(name, covered)| assert_covers(name, covered));
    assert!(covered[3] > 0.999);
    let alarms = share(1_000, |mut draw| {
        let found = pull_forward(&World { dips: 0.0, customers: 800, ..WORLD }.ledger(&mut draw), settings(true)).unwrap();
        [found.revenue, found.profit, found.orders].iter().flatten().any(|one| one.after.adjusted_p.unwrap() < 0.05)
    });
    println!("dips found where there is none, any of three measures: {:.1} %", 100.0 * alarms);
    assert!(alarms < 0.065, "{alarms}");
}
