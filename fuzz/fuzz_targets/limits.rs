//! A file of limits of any text over offers of any numbers: refused in words, or a plan that keeps
//! every limit and is worth no more than its bound.
#![no_main]

use youhui_allocation::{Constraints, Offers, Row, Terms, allocate};

const PROMOTIONS: [&str; 3] = ["coupon", "gift", "save"];
const SEGMENTS: [&str; 2] = ["new", "regular"];

libfuzzer_sys::fuzz_target!(|input: (Vec<[(i16, i16); 3]>, Option<u16>, &str)| {
    let (customers, budget, text) = input;
    let Ok(constraints) = toml::from_str::<Constraints>(text) else { return };
    let mut offers = Offers::new(PROMOTIONS.len());
    for (rows, segment) in customers.iter().zip([0, 1].into_iter().cycle()) {
        let rows = rows.iter().zip(0..).map(|(&(value, cost), promotion)| Row { promotion, value: value.into(), cost: cost.into() });
        offers.push(segment, rows);
    }
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let (promotions, segments) = (names(&PROMOTIONS), names(&SEGMENTS));
    let terms = Terms {
        promotions: &promotions,
        segments: &segments,
        value_unit: 0.01,
        cost_unit: 0.01,
        budget: budget.map(f64::from),
        exact_values: true,
        exact_costs: true,
    };
    match allocate(&offers, &constraints, terms) {
        Ok(plan) => {
            assert!(plan.value <= plan.upper_bound + 1e-9 * plan.value.abs().max(1.0), "{} above {}", plan.value, plan.upper_bound);
            for limit in &plan.constraints {
                assert!(limit.slack >= 0.0, "{limit:?}");
            }
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
});
