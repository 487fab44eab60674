mod attribution;
mod bad_input;
mod ledger;
mod parts;
mod peers;
mod programme;
mod ratios;
mod surrogate;

use rayon::prelude::*;
use youhui_commerce::{Currency, Draw};

use super::*;
use crate::experiment::Adjust;

fn eur() -> Currency {
    "EUR".parse().unwrap()
}

/// Share of seeds of which `holds` is true.
fn share(seeds: u64, holds: impl Fn(Draw) -> bool + Sync) -> f64 {
    let count = (0..seeds).into_par_iter().filter(|&seed| holds(Draw::seeded(seed).fork("money"))).count();
    count as f64 / seeds as f64
}

/// Shares of seeds of which each of several is true.
fn shares<const K: usize>(seeds: u64, holds: impl Fn(Draw) -> [bool; K] + Sync) -> [f64; K] {
    let all: Vec<[bool; K]> = (0..seeds).into_par_iter().map(|seed| holds(Draw::seeded(seed).fork("money"))).collect();
    std::array::from_fn(|place| all.iter().filter(|one| one[place]).count() as f64 / seeds as f64)
}

/// Fails unless 95 % intervals cover in 93 to 97 % of seeds.
fn assert_covers(what: &str, covered: f64) {
    println!("{what}: {:.1} % cover", 100.0 * covered);
    assert!((0.93..=0.97).contains(&covered), "{what}: {covered} of intervals cover");
}

fn covers(figure: &Figure, truth: f64) -> bool {
    (figure.low..=figure.high).contains(&truth)
}

const fn settings(cuped: bool) -> MoneySettings {
    MoneySettings { level: 0.95, cuped, adjust: Adjust::Holm }
}

/// A campaign of known truth. A treated customer adds an order of 10.00 with the chance `adds`; then the promoted products get 10.00,
/// the rest of their category loses 2.00 and category B gains 2.00, if `moves`; 2.00 of promotion cost go to each who adds and to
/// `riders` beside; contact costs .05; of those who add, `dips` buy for 5.00 less afterwards. Goods cost .6 of revenue.
#[derive(Clone, Copy)]
struct World {
    customers: usize,
    share_treated: f64,
    adds: f64,
    riders: f64,
    dips: f64,
    moves: bool,
}

const WORLD: World = World { customers: 1_500, share_treated: 0.6, adds: 0.3, riders: 0.2, dips: 0.4, moves: true };

/// Promoted and rest of A, B, C.
fn parts() -> Vec<Part> {
    let part = |category: &str, promoted| Part { category: category.to_owned(), promoted };
    vec![part("A", true), part("A", false), part("B", false), part("C", false)]
}

impl World {
    fn draw(self, draw: &mut Draw) -> (Vec<Customer>, Vec<i64>) {
        let mut all = vec![];
        let customers = (0..self.customers).map(|_| self.customer(draw, &mut all)).collect();
        (customers, all)
    }

    fn customer(self, draw: &mut Draw, all: &mut Vec<i64>) -> Customer {
        let keen = (0.5 * draw.normal()).exp().min(5.0);
        let mut usual = |scale: f64| 10 * ((scale * keen + 60.0 * draw.normal()).max(0.0).round() as i64);
        let (before, mut during, mut after) = (usual(300.0), [usual(40.0), usual(60.0), usual(60.0), usual(40.0)], usual(200.0));
        let orders = |keen: f64, draw: &mut Draw| 1 + (2.0 * keen * draw.uniform()) as u32;
        let (orders_before, mut orders_during, mut orders_after) = (orders(keen, draw), orders(keen, draw), orders(keen, draw));
        let treated = draw.uniform() < self.share_treated;
        let (adds, rides, dips) = (draw.uniform() < self.adds, draw.uniform() < self.riders, draw.uniform() < self.dips);
        let (mut promotion, mut contact, mut redeemed) = (0, 0, 0);
        if treated {
            contact = 5;
            if adds {
                let moved = if self.moves { 200 } else { 0 };
                (during[0], during[1], during[2]) = (during[0] + 1_000, during[1] - moved, during[2] + moved);
                orders_during += 1;
                (promotion, redeemed) = (promotion + 200, redeemed + 1_000);
                if dips {
                    after -= 500;
                    orders_after = orders_after.saturating_sub(1);
                }
            }
            if rides {
                (promotion, redeemed) = (promotion + 200, redeemed + 800);
            }
        }
        let sum: i64 = during.iter().sum();
        let last_touched = if treated && draw.uniform() < 0.8 { sum } else { 0 };
        all.extend(during);
        let amounts = |revenue: i64, promotion, contact, orders| Amounts { revenue, goods: revenue / 10 * 6, promotion, contact, orders };
        Customer {
            arm: if treated { Arm::Treated } else { Arm::HeldOut },
            before: amounts(before, 0, 0, orders_before),
            during: amounts(sum, promotion, contact, orders_during),
            after: amounts(after, 0, 0, orders_after),
            last_touched,
            redeemed,
        }
    }

    fn ledger(self, draw: &mut Draw) -> Ledger {
        let mut ledger = Ledger::new(eur(), self.share_treated, parts()).unwrap();
        let (customers, parts) = self.draw(draw);
        ledger.add(&customers, &parts).unwrap();
        ledger
    }
}
