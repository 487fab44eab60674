//! Bad input gets an error that says what it would do to the figures.

use youhui_commerce::Draw;

use super::super::*;
use super::{WORLD, World, eur, parts, settings};
use crate::experiment::Moments;

fn says(error: &MoneyError, what: &[&str]) {
    let text = error.to_string();
    what.iter().for_each(|what| assert!(text.contains(what), "{text}"));
}

#[test]
fn shares_and_levels_that_mean_nothing_are_refused() {
    for share in [-0.1, 0.0, 1.0, f64::NAN] {
        says(&Ledger::new(eur(), share, vec![]).unwrap_err(), &["share treated", "nobody to compare with"]);
        says(&Programme::new(eur(), vec![], share).unwrap_err(), &["share in programme", "nobody to compare"]);
    }
    let ledger = WORLD.ledger(&mut Draw::seeded(1));
    let level = MoneySettings { level: 1.0, ..settings(true) };
    says(&incremental(&ledger, Horizon::During, level).unwrap_err(), &["level: 1", "endless interval"]);
    assert!(returns(&ledger, Horizon::Net, level).is_err() && attribution(&ledger, level).is_err() && halo(&ledger, level).is_err());
    assert!(pull_forward(&ledger, level).is_err() && cannibalisation(&ledger, level).is_err());
}

#[test]
fn amounts_that_cannot_be_are_refused_with_their_row() {
    let (customers, by_part) = World { customers: 10, ..WORLD }.draw(&mut Draw::seeded(1));
    let mut ledger = Ledger::new(eur(), 0.6, parts()).unwrap();
    ledger.add(&customers, &by_part).unwrap();
    let before = ledger.clone();
    let broken = |change: fn(&mut Customer)| {
        let mut wrong = customers.clone();
        change(&mut wrong[3]);
        let mut ledger = before.clone();
        let error = ledger.add(&wrong, &by_part).unwrap_err();
        assert_eq!(ledger, before, "nothing of the batch is added");
        error
    };
    says(&broken(|customer| customer.after.goods = i64::MAX), &["row 13, cost of goods after", "beyond 2⁵³"]);
    says(&broken(|customer| customer.during.contact = -5), &["row 13, contact cost", "count as profit"]);
    says(
        &broken(|customer| customer.during.revenue += 1),
        &["row 13: parts sum to", "wouldn't", "sum"].map(|what| if what == "wouldn't" { "would not sum" } else { what }),
    );
    says(&broken(|customer| customer.redeemed = i64::MIN), &["row 13, redeemed revenue"]);
    says(&ledger.add(&customers, &by_part[1..]).unwrap_err(), &["parts: 39 values where 40"]);
    let other = Ledger::new(eur(), 0.5, parts()).unwrap();
    says(&ledger.merge(&other).unwrap_err(), &["different shares treated"]);
}

#[test]
fn empty_arms_and_nothing_sold_are_refused() {
    let mut empty = Ledger::new(eur(), 0.5, parts()).unwrap();
    says(&incremental(&empty, Horizon::During, settings(true)).unwrap_err(), &["held out: 0 unit(s)", "no interval"]);
    let (customers, by_part) = WORLD.draw(&mut Draw::seeded(1));
    for (customer, parts) in customers.iter().zip(by_part.chunks(4)).filter(|(customer, _)| customer.arm == Arm::HeldOut) {
        empty.add(std::slice::from_ref(customer), parts).unwrap();
    }
    says(&returns(&empty, Horizon::During, settings(true)).unwrap_err(), &["treated: 0 unit(s)"]);
    // Nobody who is held out bought: no variance, and no infinite significance.
    let mut nothing = Ledger::new(eur(), 0.5, vec![]).unwrap();
    let buys = |arm, revenue| Customer {
        arm,
        before: Amounts::default(),
        during: Amounts { revenue, ..Amounts::default() },
        after: Amounts::default(),
        last_touched: 0,
        redeemed: 0,
    };
    nothing.add(&[buys(Arm::HeldOut, 0), buys(Arm::HeldOut, 0), buys(Arm::Treated, 5), buys(Arm::Treated, 7)], &[]).unwrap();
    let found = incremental(&nothing, Horizon::During, settings(true)).unwrap();
    assert!(found.revenue.is_none() && found.profit.is_none() && found.orders.is_none(), "{found:?}");
    let why = &found.not_judged[0];
    assert!(why.0 == "revenue" && why.1.starts_with("revenue: the same value for every unit of held out"), "{why:?}");
    let pulled = pull_forward(&nothing, settings(false)).unwrap();
    assert!(pulled.revenue.is_none() && pulled.not_judged[0].1.contains("revenue during the campaign"), "{pulled:?}");
}

#[test]
fn what_isnt_known_has_no_figure_and_the_others_stay() {
    let whole = WORLD.ledger(&mut Draw::seeded(1));
    let without = |lacking: &[Lacking]| whole.clone().lacking(lacking.to_vec());
    let said = |not_judged: &[(String, String)]| not_judged.iter().map(|(what, why)| format!("{what}: {why}; ")).collect::<String>();
    let no_goods = without(&[Lacking::Goods(Window::After)]);
    assert_eq!(incremental(&no_goods, Horizon::During, settings(true)), incremental(&whole, Horizon::During, settings(true)));
    let (net, returned) =
        (incremental(&no_goods, Horizon::Net, settings(true)).unwrap(), returns(&no_goods, Horizon::Net, settings(true)).unwrap());
    assert!(net.profit.is_none() && net.revenue.is_some() && net.orders.is_some(), "{net:?}");
    assert!(said(&net.not_judged).contains("contribution profit: what goods cost after the campaign isn't known"), "{net:?}");
    assert!(returned.return_on_promotion_spend.is_none() && returned.return_on_investment.is_none() && returned.not_judged.len() == 2);
    assert!(returned.cost_per_incremental_order.is_some());
    let pulled = pull_forward(&no_goods, settings(true)).unwrap();
    assert!(pulled.profit.is_none() && pulled.revenue.is_some() && pulled.orders.is_some(), "{pulled:?}");
    let before = pull_forward(&without(&[Lacking::Goods(Window::Before)]), settings(true)).unwrap();
    assert!(before.profit.unwrap().before.is_none() && before.revenue.unwrap().before.is_some());
    let no_orders = returns(&without(&[Lacking::Orders(Window::After)]), Horizon::Net, settings(true)).unwrap();
    assert!(no_orders.cost_per_incremental_order.is_none() && no_orders.return_on_investment.is_some(), "{no_orders:?}");
    let counted = attribution(&without(&[Lacking::Redeemed]), settings(true)).unwrap();
    assert!(counted.redemption.is_none() && counted.last_touch.is_some());
}

#[test]
fn where_the_time_before_tells_everything_it_is_said() {
    let mut ledger = Ledger::new(eur(), 0.5, vec![]).unwrap();
    let customers: Vec<Customer> = (0..400)
        .map(|id: i64| {
            let (arm, treated) = if id % 2 == 1 { (Arm::Treated, 1) } else { (Arm::HeldOut, 0) };
            let usual = 100 * (id * id % 13);
            let before = Amounts { revenue: usual, ..Amounts::default() };
            let during = Amounts { revenue: usual + 500 * treated, orders: (id % 3) as u32, ..Amounts::default() };
            Customer { arm, before, during, after: Amounts::default(), last_touched: 0, redeemed: 0 }
        })
        .collect();
    ledger.add(&customers, &[]).unwrap();
    let found = incremental(&ledger, Horizon::During, settings(true)).unwrap();
    assert!(found.revenue.is_none() && found.orders.is_some(), "{found:?}");
    assert!(found.not_judged[0].1.contains("revenue, adjusted by the time before,"), "{found:?}");
}

#[test]
fn parts_that_compare_nothing_are_refused() {
    let part = |category: &str, promoted| Part { category: category.to_owned(), promoted };
    let with = |parts: Vec<Part>| Ledger::new(eur(), 0.5, parts).unwrap();
    says(
        &cannibalisation(&with(vec![part("A", true), part("B", false)]), settings(true)).unwrap_err(),
        &["no category has promoted and other products"],
    );
    says(
        &halo(&with(vec![part("A", true), part("A", false)]), settings(true)).unwrap_err(),
        &["1 categories with promoted products and 0 without"],
    );
    assert!(halo(&with(vec![]), settings(true)).is_err());
}

#[test]
fn programmes_with_a_holdout_that_was_treated_are_refused() {
    let mut programme = Programme::new(eur(), vec!["spring".to_owned()], 0.9).unwrap();
    let participant = |in_programme, outcome, lots| Participant { in_programme, before: 0, outcome, lots };
    says(
        &programme.add(&[participant(true, 1, &[Lot::Treated]), participant(false, 1, &[Lot::Treated])]).unwrap_err(),
        &["row 1: in the global holdout and treated by spring"],
    );
    says(&programme.add(&[participant(true, 1, &[])]).unwrap_err(), &["lots of row 0: 0 values where 1"]);
    says(&programme.add(&[participant(true, i64::MAX, &[Lot::Treated])]).unwrap_err(), &["row 0, outcome"]);
    says(&programme.effects(settings(true)).unwrap_err(), &["global holdout: 0 unit(s)"]);
    programme
        .add(&[
            participant(false, 1, &[]),
            participant(false, 1, &[]),
            participant(true, 1, &[Lot::Treated]),
            participant(true, 2, &[Lot::HeldOut]),
        ])
        .unwrap();
    says(&programme.effects(settings(true)).unwrap_err(), &["outcome: the same value for every unit of global holdout"]);
    assert!(programme.merge(&Programme::new(eur(), vec![], 0.9).unwrap()).is_err());
}

#[test]
fn histories_from_which_nothing_can_be_learnt_are_refused() {
    let column: Vec<f64> = (0..100).map(f64::from).collect();
    let fit = |columns: &[&[f64]], names: &[&str], outcome: &[f64], settings: &SurrogateFit| {
        SurrogateIndex::fit(columns, names, outcome, "EUR", settings).unwrap_err()
    };
    let usual = SurrogateFit::default();
    let mut broken = column.clone();
    broken[7] = f64::NAN;
    says(&fit(&[&broken], &["orders"], &column, &usual), &["row 7, orders: NaN", "every slope"]);
    says(&fit(&[&column], &["orders"], &broken, &usual), &["row 7, long-term outcome"]);
    says(&fit(&[&column[..99]], &["orders"], &column, &usual), &["orders: 99 values where 100"]);
    says(&fit(&[&column], &[], &column, &usual), &["names: 0 values where 1"]);
    says(&fit(&[], &[], &column, &usual), &["surrogates: 0", "no effect"]);
    says(
        &fit(&[&column[..20]], &["orders"], &column[..20], &usual),
        &["20 historical customers for 1 surrogates in 5 folds; 30 are needed"],
    );
    says(&fit(&[&column], &["orders"], &[1.0; 100], &usual), &["long-term outcome: the same value"]);
    says(&fit(&[&column], &["orders"], &column, &SurrogateFit { folds: 1, ..usual.clone() }), &["folds: 1"]);
    says(&fit(&[&column], &["orders"], &column, &SurrogateFit { penalties: vec![-1.0], ..usual.clone() }), &["penalties: -1"]);
    assert!(SurrogateIndex::fit(&[&column], &["orders"], &column, "EUR", &SurrogateFit { penalties: vec![], ..usual.clone() }).is_err());
    // A surrogate that doesn't vary has no slope, and one that repeats another is carried by the penalty.
    let outcome: Vec<f64> = column.iter().map(|value| 2.0 * value + (value * 0.7).sin()).collect();
    let index = SurrogateIndex::fit(&[&column, &[1.0; 100], &column], &["orders", "constant", "again"], &outcome, "EUR", &usual).unwrap();
    assert!(index.slopes[1] == 0.0 && (index.slopes[0] + index.slopes[2] - 2.0).abs() < 0.05, "{:?}", index.slopes);
    let few = Moments::empty(1);
    says(&index.effect(&few, &few, 0.95).unwrap_err(), &["no such column"]);
    let empty = Moments::empty(3);
    says(&index.effect(&empty, &empty, 0.95).unwrap_err(), &["0 unit(s)"]);
}
