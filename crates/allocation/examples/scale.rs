//! Time, memory and gap at size, beside plain read passes over the same arrays in the same run.
//!
//! `cargo run --release -p youhui-allocation --example scale -- [customers=1000000] [promotions=10] [limits=budget|promotions] [rounds=3] [threads=2]`
//!
//! Values and costs are whole numbers, correlated; the budget is 30 % of what everything worthwhile
//! would cost, and with `limits=promotions` each promotion has 70 % of what it would spend under the
//! budget alone. Everything is recounted from the choices. Prints one JSON object.

#![allow(clippy::print_stdout, reason = "an example for developers")]

use std::time::Instant;

use youhui_allocation::{Constraints, Offers, Plan, PromotionLimit, Terms, allocate, curve};
use youhui_commerce::Draw;

fn main() {
    let setting = |name: &str, default: &str| {
        let given = std::env::args().find_map(|argument| argument.strip_prefix(&format!("{name}=")).map(str::to_owned));
        given.unwrap_or_else(|| default.to_owned())
    };
    let number = |name: &str, default: &str| setting(name, default).parse::<usize>().expect("a number");
    let (customers, promotions) = (number("customers", "1000000"), number("promotions", "10"));
    rayon::ThreadPoolBuilder::new().num_threads(number("threads", "2")).build_global().expect("threads");
    let (value, cost) = arrays(customers, promotions);
    let budget = 0.3 * worthwhile(customers, promotions, &value, &cost);
    let names: Vec<String> = (0..promotions).map(|one| one.to_string()).collect();
    let pass = (0..5).map(|_| read_pass(&value, &cost)).fold(f64::INFINITY, f64::min);
    let offers = Offers::columns(customers, promotions, value.clone(), cost.clone()).expect("lengths fit");
    let terms = Terms {
        promotions: &names,
        segments: &[],
        value_unit: 1.0,
        cost_unit: 1.0,
        budget: Some(budget.floor()),
        exact_values: true,
        exact_costs: true,
    };
    let mut constraints = Constraints::default();
    if setting("limits", "budget") == "promotions" {
        let alone = allocate(&offers, &constraints, terms).expect("a plan");
        let spent = recount(&alone, customers, promotions, &value, &cost).2;
        constraints.promotion = names
            .iter()
            .zip(spent)
            .map(|(name, spent)| PromotionLimit { name: name.clone(), budget: Some((0.7 * spent as f64).floor()), count: None })
            .collect();
    }
    let before = peak_mb();
    let mut seconds = f64::INFINITY;
    let mut plan = None;
    for _ in 0..number("rounds", "3") {
        let started = Instant::now();
        plan = Some(allocate(&offers, &constraints, terms).expect("a plan"));
        seconds = seconds.min(started.elapsed().as_secs_f64());
    }
    let plan = plan.expect("at least one round");
    let started = Instant::now();
    let points = curve(&offers, &constraints, terms, &plan, 50).expect("a curve").points.len();
    let of_curve = started.elapsed().as_secs_f64();
    let (sum, spent, each) = recount(&plan, customers, promotions, &value, &cost);
    let kept = constraints.promotion.iter().zip(&each).all(|(limit, &spent)| spent as f64 <= limit.budget.unwrap_or(f64::INFINITY));
    println!(
        "{{\"customers\":{customers},\"promotions\":{promotions},\"limits\":{},\"seconds\":{seconds:.4},\"read_pass\":{pass:.4},\"passes_taken\":{:.2},\"passes_plus_20ms\":{:.2},\"screening_passes\":{},\"curve_points\":{points},\"curve_seconds\":{of_curve:.4},\"curve_ratio\":{:.2},\"gap\":{:.3e},\"value\":{sum},\"recounted_equal\":{},\"kept\":{},\"input_mb\":{},\"peak_mb_before\":{before},\"peak_mb\":{}}}",
        plan.constraints.len(),
        seconds / pass,
        (seconds - 0.02) / pass,
        plan.passes,
        of_curve / seconds,
        plan.gap(),
        sum as f64 == plan.value && spent as f64 == plan.cost,
        kept && spent as f64 <= budget,
        offers.bytes() >> 20,
        peak_mb(),
    );
}

/// (values, costs), a promotion's customers one after the other.
fn arrays(customers: usize, promotions: usize) -> (Vec<i32>, Vec<i32>) {
    let (mut values, mut costs) = (Vec::with_capacity(customers * promotions), Vec::with_capacity(customers * promotions));
    for promotion in 0..promotions {
        let mut draw = Draw::seeded(7 + promotion as u64);
        for _ in 0..customers {
            let cost = 50.0 + 450.0 * draw.uniform();
            let value = cost * (0.4 + draw.uniform()) + 40.0 * draw.normal();
            #[allow(clippy::cast_possible_truncation, reason = "below a thousand")]
            {
                values.push(value.max(1.0) as i32);
                costs.push(cost as i32);
            }
        }
    }
    (values, costs)
}

/// What the most valuable offer of everybody costs.
fn worthwhile(customers: usize, promotions: usize, value: &[i32], cost: &[i32]) -> f64 {
    let of = |customer: usize| {
        (0..promotions).map(|one| one * customers + customer).max_by_key(|&at| value[at]).map_or(0, |at| i64::from(cost[at]))
    };
    (0..customers).map(of).sum::<i64>() as f64
}

/// Seconds of reading both arrays once, on all threads.
fn read_pass(value: &[i32], cost: &[i32]) -> f64 {
    use rayon::prelude::*;
    let started = Instant::now();
    let sum: i64 = [value, cost]
        .into_par_iter()
        .flat_map(|array| array.par_chunks(1 << 16))
        .map(|chunk| i64::from(chunk.iter().fold(0_i32, |sum, one| sum.wrapping_add(*one))))
        .sum();
    std::hint::black_box(sum);
    started.elapsed().as_secs_f64()
}

/// (sum of values, sum of costs, costs by promotion), from the choices alone.
fn recount(plan: &Plan, customers: usize, promotions: usize, value: &[i32], cost: &[i32]) -> (i64, i64, Vec<i64>) {
    let (mut sum, mut each) = (0, vec![0; promotions]);
    for customer in 0..customers {
        for place in plan.of(customer) {
            let at = place as usize * customers + customer;
            sum += i64::from(value[at]);
            each[place as usize] += i64::from(cost[at]);
        }
    }
    (sum, each.iter().sum(), each)
}

fn peak_mb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").trim().parse::<u64>().ok()).unwrap_or(0) / 1024
}
