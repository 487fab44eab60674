//! What a price costs: `cargo bench -p youhui-promotion`.
//!
//! Baskets a second on one core, the growth with lines and with promotions, and how many allocations
//! one price makes. The baskets and promotions are made here, in the shapes that shops have.
#![allow(missing_docs, clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark for developers")]

use std::alloc::{GlobalAlloc, Layout};
use std::hint::black_box;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput};
use mimalloc::MiMalloc;
use serde_json::{Value, json};
use youhui_promotion::{Basket, Context, Detail, Promotions, read_basket, read_promotions};

/// The product's allocator, counted.
struct Counted;

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

#[expect(unsafe_code, reason = "an allocator that counts")]
// SAFETY: everything is the inner allocator's.
unsafe impl GlobalAlloc for Counted {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: as the caller promises.
        unsafe { MiMalloc.alloc(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: as the caller promises.
        unsafe { MiMalloc.realloc(pointer, layout, size) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as the caller promises.
        unsafe { MiMalloc.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counted = Counted;

/// A name, what is priced, and how much the answer says.
type Case = (&'static str, fn() -> (Basket, Promotions), Detail);

fn main() {
    let mut criterion =
        Criterion::default().measurement_time(Duration::from_secs(3)).warm_up_time(Duration::from_secs(1)).configure_from_args();
    let cases: [Case; 7] = [
        ("10 lines, 10 promotions", || (basket(10), shop_wide(10)), Detail::Every),
        ("100 lines, 200 promotions on categories and the order", || (basket(100), shop(200)), Detail::Every),
        ("100 lines, 200 promotions most of them on everything", || (basket(100), shop_wide(200)), Detail::Every),
        ("10 lines, 10000 promotions of which few apply", || (basket(10), by_product(10_000)), Detail::Near),
        ("10 lines, 10000 promotions, every rejection said", || (basket(10), by_product(10_000)), Detail::Every),
        ("10 lines, best of 8 that exclude one another", || (basket(10), exclusive(8)), Detail::Every),
        ("10 lines, best of 4 for each line", || (basket(10), by_line(4)), Detail::Every),
    ];
    let every = Context::default();
    let near = Context { detail: Detail::Near, ..Context::default() };
    let mut group = criterion.benchmark_group("price");
    for (name, make, detail) in cases {
        group.throughput(Throughput::Elements(1));
        let mut said = false;
        group.bench_function(name, |bencher| {
            let ((basket, set), context) = (make(), Context { detail, ..Context::default() });
            let before = ALLOCATIONS.load(Ordering::Relaxed);
            let priced = set.price(&basket, &context).unwrap();
            let made = ALLOCATIONS.load(Ordering::Relaxed) - before;
            let trials = priced.best_deal.map_or(0, |deal| deal.trials);
            // Criterion calls this for every sample.
            if !std::mem::replace(&mut said, true) {
                println!(
                    "{name}: {} applied, {} rejected, {made} allocations, {trials} trials",
                    priced.applied.len(),
                    priced.rejected.len()
                );
            }
            bencher.iter(|| black_box(set.price(black_box(&basket), &context).unwrap()));
        });
    }
    group.finish();
    let mut group = criterion.benchmark_group("growth with lines, 10 promotions");
    for lines in [10, 100, 1000, 10_000, 100_000] {
        group.throughput(Throughput::Elements(lines as u64));
        group.bench_function(BenchmarkId::from_parameter(lines), |bencher| {
            let (basket, set) = (basket(lines), shop_wide(10));
            bencher.iter(|| black_box(set.price(black_box(&basket), &every).unwrap()));
        });
    }
    group.finish();
    let mut group = criterion.benchmark_group("growth with promotions that don't apply, 10 lines");
    for promotions in [100, 1000, 10_000, 100_000] {
        group.bench_function(BenchmarkId::from_parameter(promotions), |bencher| {
            let (basket, set) = (basket(10), by_product(promotions));
            bencher.iter(|| black_box(set.price(black_box(&basket), &near).unwrap()));
        });
    }
    group.finish();
    criterion.final_summary();
}

/// Every third line has several units, prices have odd cents, one line in ten a price floor.
fn basket(lines: usize) -> Basket {
    let line = |place: usize| {
        json!({
            "line_id": format!("l{place}"), "product_id": format!("sku-{place}"), "categories": [format!("c{}", place % 20), "all"], "brand": format!("b{}", place % 7),
            "quantity": 1 + place % 3, "unit_price": 999 + 317 * (place % 23), "unit_price_floor": if place.is_multiple_of(10) { 400 } else { 0 },
        })
    };
    let lines: Vec<Value> = (0..lines).map(line).collect();
    read_basket(json!({"currency": "CNY", "lines": lines, "codes": ["TEN"], "shipping": {"amount": 800}}).to_string().as_bytes()).unwrap()
}

fn set(promotions: Vec<Value>) -> Promotions {
    let documents: Vec<Value> = promotions
        .into_iter()
        .enumerate()
        .map(|(place, mut promotion)| {
            promotion["schema_version"] = json!(2);
            promotion["promotion_id"] = json!(format!("p{place:05}"));
            promotion["currency"] = json!("CNY");
            promotion
        })
        .collect();
    Promotions::new(read_promotions(json!(documents).to_string().as_bytes()).unwrap()).unwrap()
}

/// The usual kinds, most of which apply.
fn shop_wide(count: usize) -> Promotions {
    let kind = |place: usize| {
        let category = json!({"categories": [format!("c{}", place % 20)]});
        match place % 10 {
            0 => json!({"effects": [{"kind": "percent_off", "basis_points": 500 + place % 7}], "stacking": {"layer": "order"}}),
            1 => {
                json!({"effects": [{"kind": "spend_and_save", "tiers": [{"from": 2000, "off": {"amount": 100}}, {"from": 5000, "off": {"amount": 300}}]}]})
            }
            2 => {
                json!({"effects": [{"kind": "amount_off", "amount": 50, "per": "unit", "scope": category}], "stacking": {"layer": "item"}})
            }
            3 => json!({"effects": [{"kind": "cheapest_free", "every": 7, "most_times": 1}], "stacking": {"layer": "item"}}),
            4 => {
                json!({"effects": [{"kind": "percent_off", "basis_points": 300, "scope": category}], "conditions": [{"kind": "quantity_at_least", "quantity": 2}]})
            }
            5 => json!({"effects": [{"kind": "item_price", "unit_price": 900, "scope": category}], "stacking": {"layer": "catalogue"}}),
            6 => {
                json!({"effects": [{"kind": "amount_off", "amount": 200}], "trigger": {"kind": "code", "codes": ["TEN"]}, "stacking": {"layer": "code"}})
            }
            7 => {
                json!({"effects": [{"kind": "shipping", "off": {"amount": 100}}], "conditions": [{"kind": "spend_at_least", "amount": 3000}], "stacking": {"layer": "shipping"}})
            }
            8 => {
                json!({"effects": [{"kind": "buy_get", "buy_quantity": 2, "most_times": 1, "get": {"off": {"basis_points": 1000}}}], "stacking": {"layer": "item"}})
            }
            _ => json!({"effects": [{"kind": "every_spend", "spend": 10000, "save": 100}]}),
        }
    };
    set((0..count).map(kind).collect())
}

/// What a shop runs at once: ten on everything, the others on one category in twenty each.
fn shop(count: usize) -> Promotions {
    let kind = |place: usize| {
        let category = json!({"categories": [format!("c{}", place % 20)]});
        match place % 5 {
            0 if place < 50 => json!({"effects": [{"kind": "spend_and_save", "tiers": [{"from": 5000, "off": {"amount": 300}}]}]}),
            0 => {
                json!({"effects": [{"kind": "buy_get", "buy": category, "buy_quantity": 2, "most_times": 1, "get": {"scope": category, "off": {"basis_points": 1000}}}]})
            }
            1 => {
                json!({"effects": [{"kind": "percent_off", "basis_points": 300, "scope": category}], "conditions": [{"kind": "quantity_at_least", "quantity": 2}]})
            }
            2 => {
                json!({"effects": [{"kind": "amount_off", "amount": 50, "per": "unit", "scope": category}], "stacking": {"layer": "item"}})
            }
            3 => json!({"effects": [{"kind": "item_price", "unit_price": 900, "scope": category}], "stacking": {"layer": "catalogue"}}),
            _ => {
                json!({"effects": [{"kind": "cheapest_free", "every": 3, "most_times": 1, "scope": category}], "stacking": {"layer": "item"}})
            }
        }
    };
    set((0..count).map(kind).collect())
}

/// One product each, of which the basket has ten.
fn by_product(count: usize) -> Promotions {
    let kind =
        |place: usize| json!({"effects": [{"kind": "percent_off", "basis_points": 1000, "scope": {"products": [format!("sku-{place}")]}}]});
    set((0..count).map(kind).collect())
}

/// One a basket, on overlapping categories.
fn exclusive(count: usize) -> Promotions {
    let kind = |place: usize| {
        let categories = [format!("c{}", place % 20), format!("c{}", (place + 1) % 20), format!("c{}", (place + 5) % 20)];
        json!({"effects": [{"kind": "percent_off", "basis_points": 800 + 100 * place, "scope": {"categories": categories}}], "stacking": {"group": {"name": "one"}}})
    };
    set((0..count).map(kind).collect())
}

/// One a line.
fn by_line(count: usize) -> Promotions {
    let kind = |place: usize| {
        let categories: Vec<String> = (0..20).filter(|category| category % count != place).map(|category| format!("c{category}")).collect();
        json!({"effects": [{"kind": "percent_off", "basis_points": 800 + 300 * place, "rounding": {"at": "unit"}, "scope": {"categories": categories}}], "stacking": {"group": {"name": "lines", "within": "line"}}})
    };
    set((0..count).map(kind).collect())
}
