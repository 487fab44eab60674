//! Promotion documents of any bytes are refused, or price a basket without giving more than there is;
//! what is read prints and reads as the same.
#![no_main]

use youhui_promotion::{Basket, Context, Line, Promotions, Shipment, read_promotions};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Ok(promotions) = read_promotions(bytes) else { return };
    let printed = serde_json::to_vec(&promotions).unwrap();
    assert_eq!(read_promotions(&printed).unwrap(), promotions);
    let Ok(set) = Promotions::new(promotions) else { return };
    let Some(currency) = set.iter().next().map(|promotion| promotion.currency) else { return };
    let line = |product: &str, quantity, price| Line { categories: vec!["tea".into()], ..Line::new(product, quantity, price) };
    let lines = [line("a", 1, 3333), line("b", 7, 1), line("c", 2, 1_000_000_000)];
    let shipping = Some(Shipment { amount: 700, ..Shipment::default() });
    let codes = vec!["TEN".to_owned(), "a".to_owned()];
    let basket = Basket { codes, shipping, ..Basket::new(currency, lines) };
    let priced = set.price(&basket, &Context { most_trials: 500, ..Context::default() }).unwrap();
    assert!(priced.total >= 0);
    for applied in &priced.applied {
        assert_eq!(applied.allocations.iter().map(|allocation| allocation.amount).sum::<i64>(), applied.amount);
    }
});
