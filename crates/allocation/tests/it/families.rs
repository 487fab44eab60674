//! Families that are hard on dual methods, at 20,000 customers: every limit kept, and near the bound.

use youhui_allocation::{Constraints, PromotionLimit, Row, SegmentLimit};
use youhui_commerce::Draw;

use crate::shop::{Shop, names};

const CUSTOMERS: usize = 20_000;

/// What a promotion is worth to a customer and what it costs: (value, cost).
type Offer = fn(&mut Draw, u32) -> (f64, f64);

/// Value follows cost, as it does in shops.
fn plain(draw: &mut Draw, _: u32) -> (f64, f64) {
    let cost = (50.0 + 450.0 * draw.uniform()).floor();
    (cost * (0.4 + draw.uniform()) + 40.0 * draw.normal(), cost)
}

fn ties(draw: &mut Draw, _: u32) -> (f64, f64) {
    (20.0 + 20.0 * (2.0 * draw.uniform()).floor(), 10.0 + 10.0 * (3.0 * draw.uniform()).floor())
}

fn dominating(draw: &mut Draw, promotion: u32) -> (f64, f64) {
    let (value, cost) = plain(draw, promotion);
    if promotion == 0 { (3.0 * value + 100.0, 0.8 * cost) } else { (value, cost) }
}

fn saving(draw: &mut Draw, promotion: u32) -> (f64, f64) {
    let (value, cost) = plain(draw, promotion);
    match draw.uniform() {
        ..0.2 => (value - 250.0, -200.0 * draw.uniform()),
        ..0.35 => (value, 0.0),
        _ => (value, cost),
    }
}

fn identical(_: &mut Draw, promotion: u32) -> (f64, f64) {
    (70.0 + 41.0 * f64::from(promotion), 30.0 + 23.0 * f64::from(promotion))
}

#[allow(clippy::cast_possible_truncation, reason = "a few thousands")]
fn shop(offer: Offer, seed: u64) -> Shop {
    let mut draw = Draw::seeded(seed);
    let mut customer = |number: usize| {
        let mut row = |promotion: u32| {
            let (value, cost) = offer(&mut draw, promotion);
            Row { promotion, value: value.round() as i32, cost: cost.round() as i32 }
        };
        ((number % 4) as u32, (0..4).map(&mut row).collect())
    };
    Shop {
        promotions: names(&["a", "b", "c", "d"]),
        segments: names(&["north", "south", "east", "west"]),
        customers: (0..CUSTOMERS).map(&mut customer).collect(),
        ..Shop::default()
    }
}

impl Shop {
    /// A share of what everybody's dearest offer costs.
    fn dearest(&self, share: f64, inside: impl Fn(&(u32, Vec<Row>)) -> bool) -> f64 {
        let dearest = |(_, rows): &(u32, Vec<Row>)| rows.iter().map(|row| f64::from(row.cost)).fold(0.0, f64::max);
        (share * self.customers.iter().filter(|one| inside(one)).map(dearest).sum::<f64>()).floor()
    }

    fn with_budget(mut self, share: f64) -> Self {
        // In tens, as the costs of ties are: what is left of a budget can be used up.
        self.budget = Some((0.1 * self.dearest(share, |_| true)).floor() * 10.0);
        self
    }

    /// Each promotion has a share of what everybody's dearest offers cost.
    fn with_promotions(mut self, share: f64) -> Self {
        let budget = Some((0.1 * self.dearest(share, |_| true)).floor() * 10.0);
        let limit = |name: &String| PromotionLimit { name: name.clone(), budget, count: None };
        self.constraints = Constraints { promotion: self.promotions.iter().map(limit).collect(), ..self.constraints };
        self
    }

    /// Each segment has to spend a share of all that it could, and little more, and to give to nearly everybody.
    fn with_floors(mut self, share: f64) -> Self {
        let limit = |(number, name): (u32, &String)| SegmentLimit {
            name: name.clone(),
            floor: Some(self.dearest(share, |one| one.0 == number)),
            budget: Some(self.dearest(share + 0.0005, |one| one.0 == number)),
            at_least: Some(CUSTOMERS as u64 / 4 - 10),
            count: None,
        };
        self.constraints = Constraints { segment: (0..).zip(&self.segments).map(limit).collect(), ..self.constraints };
        self
    }
}

fn check(name: &str, shop: &Shop, gap: f64) -> i64 {
    let plan = shop.allocate().unwrap_or_else(|error| panic!("{name}: {error}"));
    let places = shop.places(&plan);
    assert_eq!(shop.broken(&places), Vec::<String>::new(), "{name}");
    assert_eq!((plan.value, plan.cost), (shop.value(&places) as f64, shop.cost(&places) as f64), "{name}");
    assert!(plan.upper_bound >= plan.value && plan.gap() <= gap, "{name}: gap {:.2e}, value {}", plan.gap(), plan.value);
    shop.value(&places)
}

#[test]
fn many_ties() {
    check("a budget", &shop(ties, 1).with_budget(0.3), 1e-6);
    check("and budgets of promotions", &shop(ties, 2).with_budget(0.3).with_promotions(0.07), 1e-5);
}

#[test]
fn one_promotion_dominates() {
    check("a budget", &shop(dominating, 3).with_budget(0.3), 1e-6);
    check("and budgets of promotions", &shop(dominating, 4).with_budget(0.3).with_promotions(0.07), 1e-5);
}

#[test]
fn costs_of_zero_and_below() {
    check("a budget", &shop(saving, 5).with_budget(0.1), 1e-6);
    check("and budgets of promotions", &shop(saving, 6).with_budget(0.1).with_promotions(0.03), 1e-5);
}

#[test]
fn all_customers_are_alike() {
    check("a budget", &shop(identical, 7).with_budget(0.3), 1e-5);
    // What is left of each budget is no whole customer's cost: this is the best plan there is.
    let shop = shop(identical, 8).with_budget(0.3).with_promotions(0.07);
    let value = check("and budgets of promotions", &shop, 1e-4);
    let whole = |row: &Row| (shop.dearest(0.07, |_| true) / f64::from(row.cost)).floor() * f64::from(row.value);
    assert_eq!(value as f64, shop.customers[0].1.iter().map(whole).sum::<f64>());
}

#[test]
fn floors_that_can_hardly_be_kept() {
    check("nearly everybody's dearest", &shop(plain, 9).with_floors(0.98), 1e-4);
    check("dear offers that are worth less", &shop(saving, 10).with_floors(0.95), 1e-4);
}

#[test]
fn limits_that_no_sample_of_customers_could_meet() {
    let mut shop = shop(plain, 14).with_budget(0.3);
    for (number, (segment, _)) in shop.customers.iter_mut().enumerate() {
        *segment = if number % 2_000 == 5 { 3 } else { 0 };
    }
    let few = SegmentLimit { name: "west".to_owned(), at_least: Some(8), ..SegmentLimit::default() };
    let limit = |name: &str, count, budget| PromotionLimit { name: name.to_owned(), count, budget };
    let promotion = vec![limit("b", Some(3), None), limit("c", None, Some(1_200.0))];
    shop.constraints = Constraints { segment: vec![few], promotion, ..Constraints::default() };
    check("ten customers of a segment, three of a promotion", &shop, 1e-4);
}

#[test]
fn the_number_of_threads_changes_nothing() {
    for shop in [shop(plain, 11).with_budget(0.3).with_promotions(0.07), shop(ties, 12).with_budget(0.3), shop(saving, 13).with_floors(0.9)]
    {
        let with = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let plan = pool.install(|| shop.allocate()).unwrap();
            (shop.places(&plan), plan.upper_bound.to_bits(), plan.constraints)
        };
        assert_eq!(with(1), with(2));
    }
}
