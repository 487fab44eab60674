//! How long it takes to sum customers into a ledger and to make every figure of it.
//!
//! `cargo run --release -p youhui-evaluation --example money_speed -- 1000000`

use std::time::Instant;

use youhui_commerce::Draw;
use youhui_evaluation::money::{
    Amounts, Arm, Customer, Horizon, Ledger, MoneyError, MoneySettings, Part, attribution, cannibalisation, halo, incremental,
    pull_forward, returns,
};

const BATCH: usize = 65_536;

#[allow(clippy::print_stdout, clippy::cast_possible_truncation, reason = "a benchmark")]
fn main() -> Result<(), MoneyError> {
    let customers: usize = std::env::args().nth(1).and_then(|count| count.parse().ok()).unwrap_or(1_000_000);
    let part = |category: &str, promoted| Part { category: category.to_owned(), promoted };
    let parts = vec![part("A", true), part("A", false), part("B", false), part("C", false)];
    let Ok(currency) = "EUR".parse() else { return Ok(()) };
    let mut ledger = Ledger::new(currency, 0.5, parts)?;
    let mut draw = Draw::seeded(1);
    let mut summing = 0.0;
    for first in (0..customers).step_by(BATCH) {
        let (mut batch, mut by_part) = (vec![], vec![]);
        for _ in first..customers.min(first + BATCH) {
            let treated = draw.bits() & 1 == 1;
            let mut amount = |scale: i64| (draw.uniform() * scale as f64) as i64;
            let parts = [amount(2_000) + 300 * i64::from(treated), amount(1_000), amount(3_000), amount(500)];
            let (revenue, usual) = (parts.iter().sum(), amount(6_000));
            let mut of = |revenue: i64| Amounts {
                revenue,
                goods: amount(revenue + 1),
                promotion: amount(200),
                contact: 5,
                orders: 1 + (revenue % 3) as u32,
            };
            let (before, during, after) = (of(usual), of(revenue), of(revenue / 3));
            let arm = if treated { Arm::Treated } else { Arm::HeldOut };
            batch.push(Customer { arm, before, during, after, last_touched: revenue * i64::from(treated), redeemed: 0 });
            by_part.extend(parts);
        }
        let start = Instant::now();
        ledger.add(&batch, &by_part)?;
        summing += start.elapsed().as_secs_f64();
    }
    let start = Instant::now();
    let settings = MoneySettings::default();
    let brought = incremental(&ledger, Horizon::Net, settings)?;
    let returned = returns(&ledger, Horizon::Net, settings)?;
    let _ =
        (pull_forward(&ledger, settings)?, cannibalisation(&ledger, settings)?, halo(&ledger, settings)?, attribution(&ledger, settings)?);
    let figures = start.elapsed().as_secs_f64();
    let (Some(revenue), Some(returned)) = (brought.revenue, returned.return_on_promotion_spend) else { return Ok(()) };
    let revenue = revenue.per_customer;
    println!(
        "{customers} customers: {summing:.3} s to sum, {:.6} s for all figures; revenue {:.4} [{:.4}, {:.4}] {}, return {:?}",
        figures, revenue.value, revenue.low, revenue.high, revenue.unit, returned.value
    );
    Ok(())
}
