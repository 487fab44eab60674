//! How good the online plan is, and what a decision costs: JSON on standard output.
//!
//!     cargo run --release -p youhui-allocation --example online_quality [SEEDS] [CUSTOMERS]
//!
//! `quality`: value over the bound that hindsight gives, mean with a 95 % interval over SEEDS campaigns (20),
//! of about CUSTOMERS (20,000) with 6 promotions, for each kind of arrivals, way to start, and budgets;
//! `speed`: nanoseconds a decision by the number of promotions, prices included, the fastest of 5 runs.
#![allow(clippy::print_stdout, reason = "a program for people")]

use std::time::Instant;

use youhui_allocation::online::simulate::{Arrivals, Quality, Report, Start, World, offline_bound, quality, run};
use youhui_allocation::online::{Budgets, Horizon, Online, Settings};

fn main() {
    let argument = |place: usize, otherwise: usize| std::env::args().nth(place).and_then(|word| word.parse().ok()).unwrap_or(otherwise);
    let (seeds, customers) = (argument(1, 20), argument(2, 20_000));
    let world = World { customers, ..World::default() };
    let worlds = [
        ("one budget", world),
        ("and money of promotions", World { money: Some(0.7), ..world }),
        ("and money and counts of promotions", World { money: Some(0.7), count: Some(0.7), ..world }),
        ("some offers save money", World { saving: 0.15, ..world }),
    ];
    let mut lines = Vec::new();
    for (budgets, world) in worlds {
        for kind in Arrivals::ALL {
            lines.extend(measure(world, kind, seeds as u64).map(|(start, result)| line(budgets, kind, start, &result)));
        }
    }
    let speed: Vec<String> = [2, 6, 10, 30, 100].map(|promotions| format!("    \"{promotions}\": {:.0}", nanoseconds(promotions))).into();
    println!(
        "{{\n  \"customers\": {customers},\n  \"quality\": [\n{}\n  ],\n  \"nanoseconds\": {{\n{}\n  }}\n}}",
        lines.join(",\n"),
        speed.join(",\n")
    );
}

/// Every way to start on the same campaigns.
fn measure(world: World, kind: Arrivals, seeds: u64) -> [(&'static str, Quality); 6] {
    let (budgets, expected, settings) = (world.budgets(), world.customers as f64, Settings::default());
    let mut reports: [(&str, Vec<Report>); 6] = [
        ("history, clock", Vec::new()),
        ("nothing, clock", Vec::new()),
        ("nothing, clock, twice as many expected", Vec::new()),
        ("nothing, no clock, number expected", Vec::new()),
        ("prices, clock", Vec::new()),
        ("prices that stay", Vec::new()),
    ];
    for seed in 0..seeds {
        let arrivals = world.arrivals(kind, seed);
        let bound = offline_bound(&arrivals, &budgets);
        let history = world.history(settings.sample, seed);
        let clock = |expected: f64| Horizon::Clock { expected: Some(expected) };
        let learned = Online::new(budgets.clone(), clock(expected), settings).with_history(history.iter().map(Vec::as_slice), expected);
        let prices = Start::Prices(learned.prices());
        let ways = [
            (clock(expected), settings, Start::History(&history)),
            (Horizon::Clock { expected: None }, settings, Start::Cold),
            (clock(2.0 * expected), settings, Start::Cold),
            (Horizon::Arrivals(expected), settings, Start::Cold),
            (clock(expected), settings, prices),
            (clock(expected), Settings { looks: 0, ..settings }, prices),
        ];
        for ((_, reports), (horizon, settings, start)) in reports.iter_mut().zip(ways) {
            reports.push(run(&arrivals, &budgets, horizon, settings, start, bound));
        }
    }
    reports.map(|(start, reports)| (start, quality(&reports)))
}

fn line(budgets: &str, kind: Arrivals, start: &str, result: &Quality) -> String {
    let Quality { runs, mean, low, high, worst, overspend } = result;
    format!(
        "    {{\"budgets\": \"{budgets}\", \"arrivals\": \"{}\", \"start\": \"{start}\", \"runs\": {runs}, \"ratio\": {mean:.5}, \
         \"low\": {low:.5}, \"high\": {high:.5}, \"worst\": {worst:.5}, \"overspend\": {overspend}}}",
        kind.name()
    )
}

fn nanoseconds(promotions: usize) -> f64 {
    let world = World { customers: 20_000, promotions, money: Some(0.7), ..World::default() };
    let (arrivals, budgets): (_, Budgets) = (world.arrivals(Arrivals::Poisson, 1), world.budgets());
    let once = |_| {
        let mut online = Online::new(budgets.clone(), Horizon::Clock { expected: None }, Settings::default());
        let start = Instant::now();
        let given = arrivals.iter().filter(|one| online.decide(one.elapsed, &one.offers).is_some()).count();
        let nanoseconds = start.elapsed().as_nanos() as f64 / arrivals.len() as f64;
        assert!(given > 0, "somebody gets something");
        nanoseconds
    };
    (0..5).map(once).fold(f64::INFINITY, f64::min)
}
