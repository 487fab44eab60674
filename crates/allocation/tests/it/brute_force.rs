//! Tiny problems with every kind of constraint, beside all their plans.

use proptest::collection::vec;
use proptest::option::of;
use proptest::prelude::*;
use youhui_allocation::{AllocationError, Constraints, ContactLimit, PromotionLimit, Row, SegmentLimit};

use crate::shop::{Shop, names};

const PROMOTIONS: [&str; 3] = ["a", "b", "c"];
const SEGMENTS: [&str; 2] = ["north", "south"];

/// Floor, budget, least and most promotions of a segment.
type SegmentNumbers = (Option<f64>, Option<f64>, Option<u64>, Option<u64>);

fn customers() -> impl Strategy<Value = Vec<(u32, Vec<Row>)>> {
    let offer = of((-6..25_i32, -4..12_i32));
    let rows = |offers: Vec<Option<(i32, i32)>>| -> Vec<Row> {
        let row = |(promotion, offer): (u32, Option<(i32, i32)>)| offer.map(|(value, cost)| Row { promotion, value, cost });
        (0..).zip(offers).filter_map(row).collect()
    };
    vec((0..2_u32, vec(offer, 3).prop_map(rows)), 1..5)
}

fn constraints() -> impl Strategy<Value = Constraints> {
    let money = || of((0..25_u32).prop_map(f64::from));
    let limits = of((money(), of(0..4_u64)));
    let promotion = |limits: Vec<Option<(Option<f64>, Option<u64>)>>| -> Vec<PromotionLimit> {
        let limit = |(name, (budget, count)): (&str, (Option<f64>, Option<u64>))| {
            (budget.is_some() || count.is_some()).then(|| PromotionLimit { name: name.to_owned(), budget, count })
        };
        PROMOTIONS.iter().zip(limits).filter_map(|(name, limits)| limit((name, limits?))).collect()
    };
    let floors = || (of((0..12_u32).prop_map(f64::from)), money(), of(0..3_u64), of(0..4_u64));
    let segment = |limits: Vec<Option<SegmentNumbers>>| -> Vec<SegmentLimit> {
        let limit = |(name, limits): (&&str, Option<_>)| {
            limits.map(|(floor, budget, at_least, count)| SegmentLimit { name: (*name).to_owned(), floor, budget, at_least, count })
        };
        SEGMENTS.iter().zip(limits).filter_map(limit).collect()
    };
    let some = || vec(proptest::sample::select(&PROMOTIONS[..]), 1..4).prop_map(|some| names(&some));
    let contact = (some(), 0..3_u32).prop_map(|(promotions, most)| ContactLimit { promotions, most });
    // A ratio that isn't whole is kept to a little more strictly: what an offer asks for is rounded up.
    let ratio = of((0..3_u32).prop_map(f64::from));
    (of(1..3_u32), ratio, vec(some(), 0..2), vec(limits, 3).prop_map(promotion), vec(of(floors()), 2).prop_map(segment), vec(contact, 0..2))
        .prop_map(|(per_customer, return_on_spend, incompatible, promotion, segment, contact)| Constraints {
            per_customer,
            return_on_spend,
            incompatible,
            promotion,
            segment,
            contact,
        })
}

fn shop() -> impl Strategy<Value = Shop> {
    (customers(), constraints(), of((0..30_u32).prop_map(f64::from))).prop_map(|(customers, constraints, budget)| Shop {
        promotions: names(&PROMOTIONS),
        segments: names(&SEGMENTS),
        customers,
        constraints,
        budget,
    })
}

/// The value of the best plan of all.
fn optimum(shop: &Shop) -> Option<i64> {
    let sets = |customer: usize| -> Vec<Vec<u32>> {
        let rows = shop.customers[customer].1.len();
        let set = |bits: u32| (0..).take(rows).filter(|place| bits >> place & 1 == 1).collect::<Vec<u32>>();
        (0..1_u32 << rows).map(set).filter(|set| shop.allows(customer, set)).collect()
    };
    let mut plans: Vec<Vec<Vec<u32>>> = vec![Vec::new()];
    for customer in 0..shop.customers.len() {
        let sets = sets(customer);
        let longer = |plan: &Vec<Vec<u32>>| sets.iter().map(|set| [plan.clone(), vec![set.clone()]].concat()).collect::<Vec<_>>();
        plans = plans.iter().flat_map(longer).collect();
    }
    plans.iter().filter(|plan| shop.broken(plan).is_empty()).map(|plan| shop.value(plan)).max()
}

proptest! {
    #![proptest_config(ProptestConfig { max_shrink_iters: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn the_plan_of_a_tiny_problem_is_the_best_of_all(shop in shop()) {
        let best = optimum(&shop);
        match shop.allocate() {
            Ok(plan) => {
                let places = shop.places(&plan);
                prop_assert_eq!(shop.broken(&places), Vec::<String>::new());
                prop_assert_eq!((plan.value, plan.cost), (shop.value(&places) as f64, shop.cost(&places) as f64));
                prop_assert_eq!(plan.reached, places.iter().filter(|places| !places.is_empty()).count());
                prop_assert_eq!(Some(shop.value(&places)), best);
                prop_assert!(plan.upper_bound >= plan.value, "{} {}", plan.upper_bound, plan.value);
            }
            Err(AllocationError::Conflict(limits)) => {
                prop_assert_eq!(best, None);
                let limits: Vec<&str> = limits.iter().map(|told| told.split(" (").next().unwrap_or(told)).collect();
                prop_assert_eq!(optimum(&shop.with_only(&limits)), None);
                // Fractions of customers can keep each part of them.
                for left_out in &limits {
                    let rest: Vec<&str> = limits.iter().filter(|name| *name != left_out).copied().collect();
                    let answer = shop.with_only(&rest).allocate();
                    prop_assert!(!matches!(answer, Err(AllocationError::Conflict(_))), "{} of {:?} isn't needed", left_out, limits);
                }
            }
            Err(other) => {
                prop_assert!(matches!(other, AllocationError::NotFound(_)), "{}", other);
                prop_assert_eq!(best, None, "{}", other);
            }
        }
    }
}
