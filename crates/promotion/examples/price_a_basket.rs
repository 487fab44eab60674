//! Prices a basket under three promotions and prints the receipt:
//! `cargo run -p youhui-promotion --example price_a_basket`.
#![allow(clippy::print_stdout, reason = "an example that prints")]

use youhui_promotion::{
    AmountOff, Basket, CheapestFree, Context, Line, Off, PercentOff, Promotion, Promotions, Scope, SpendAndSave, Tier, Wrong,
};

fn main() -> Result<(), Wrong> {
    let Ok(yuan) = "CNY".parse() else { return Ok(()) };
    let tiers = vec![Tier { from: 10_000, off: Off::Amount(2000) }];
    let three = CheapestFree { every: 3, scope: Scope::products(["tea"]), ..CheapestFree::default() };
    let set = Promotions::new([
        Promotion::new("spend 100 save 20", yuan, SpendAndSave { tiers, ..SpendAndSave::default() }.into()),
        Promotion::new("tea: three for two", yuan, three.into()),
        Promotion::new("10 % with TEN", yuan, PercentOff { basis_points: 1000, ..PercentOff::default() }.into()).with_code("TEN"),
        Promotion::new("5 off with FIVE", yuan, AmountOff { amount: 500, ..AmountOff::default() }.into()).with_code("FIVE"),
    ])?;
    let lines = [Line::new("pot", 1, 5000), Line::new("cup", 2, 3333), Line::new("tea", 3, 999)];
    let basket = Basket { codes: vec!["ten".into()], ..Basket::new(yuan, lines) };
    let priced = set.price(&basket, &Context::default())?;
    for line in &priced.lines {
        println!("{:>3} {:<6}{:>8}{:>8}{:>8}", line.quantity, line.product_id, line.subtotal, -line.discount, line.total);
    }
    priced.applied.iter().for_each(|applied| println!("  + {}: {}", applied.title, -applied.amount));
    priced.rejected.iter().for_each(|rejected| println!("  - {}: {}", rejected.promotion_id.as_deref().unwrap_or("?"), rejected.reason));
    println!("to pay {}", priced.total);
    Ok(())
}
