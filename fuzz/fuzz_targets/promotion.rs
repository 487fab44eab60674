//! A promotion document of any bytes is refused, or priced without giving more than there is.
#![no_main]

use youhui_promotion::{Basket, BasketLine, Promotion, price_kind};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Ok(promotion) = serde_json::from_slice::<Promotion>(bytes) else { return };
    if !promotion.problems().is_empty() {
        return;
    }
    let line = |product_id: &str, quantity, amount| BasketLine { product_id: product_id.into(), categories: vec![], quantity, amount };
    let basket = Basket { lines: vec![line("a", 1, 3333), line("b", 7, 1), line("c", 2, i64::MAX / 4)] };
    if let Ok(priced) = price_kind(&promotion.kind, &[true, false, true], &basket) {
        assert_eq!(priced.allocations.iter().sum::<i64>(), priced.amount);
    }
});
