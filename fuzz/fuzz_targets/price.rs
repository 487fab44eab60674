//! Promotions and a basket of any bytes (JSON, a zero byte, JSON) are refused or priced: parts sum to the
//! whole, nothing is below its floor, and returns never pay back more than was paid.
#![no_main]

use youhui_promotion::{Context, Order, Promotions, Return, ReturnLine, ReturnPolicy, read_basket, read_promotions};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Some(end) = bytes.iter().position(|byte| *byte == 0) else { return };
    let (Ok(promotions), Ok(basket)) = (read_promotions(&bytes[..end]), read_basket(&bytes[end + 1..])) else { return };
    let Ok(set) = Promotions::new(promotions) else { return };
    let context = Context { most_trials: 500, ..Context::default() };
    let priced = set.price(&basket, &context).unwrap();
    let goods: i64 = priced.lines.iter().map(|line| line.total).sum();
    assert_eq!(priced.subtotal - priced.discount, goods);
    for (line, of) in priced.lines.iter().zip(&basket.lines) {
        assert_eq!(line.units.iter().map(|units| units.quantity * units.unit_price).sum::<i64>(), line.total);
        assert!(line.units.iter().all(|units| units.unit_price >= of.unit_price_floor.min(of.unit_price)));
    }
    for applied in &priced.applied {
        assert_eq!(applied.allocations.iter().map(|allocation| allocation.amount).sum::<i64>(), applied.amount);
    }
    let mut order = Order::new(basket.clone(), priced.clone()).unwrap();
    let policies = [ReturnPolicy::Keep, ReturnPolicy::ReEvaluate, ReturnPolicy::ClawBack];
    let mut back = 0;
    for (line, policy) in basket.lines.iter().zip(policies.iter().cycle()) {
        let lines = vec![ReturnLine { line_id: line.line_id.clone(), quantity: line.quantity }];
        back += order.give_back(&Return { lines, policy: *policy, ..Return::default() }, &set, &context).unwrap().amount;
        assert!(back <= priced.total);
    }
    assert!(basket.lines.is_empty() || back == priced.total);
});
