//! A message of any text, as Segment's libraries send them: refused with a rule, or an event that is not of the future and has amounts that can be
//! counted.
#![no_main]
#![allow(dead_code, reason = "the server uses the rest")]

use serde_json::value::RawValue;

// The parser is the server's own file: it has no library to be in.
#[path = "../../crates/youhui/src/serve/segment.rs"]
mod segment;

const NOW: i64 = 1_800_000_000_000_000;

libfuzzer_sys::fuzz_target!(|text: &str| {
    let Ok(raw) = serde_json::from_str::<&RawValue>(text) else { return };
    let Ok(message) = serde_json::from_str::<segment::Message>(raw.get()) else { return };
    let Ok(currency) = "EUR".parse() else { return };
    match segment::read(&message, Some("track"), None, NOW, currency) {
        Ok(said) => {
            assert!(said.time <= NOW && said.happened.iter().all(|one| one.time <= NOW));
            assert!(said.happened.iter().all(|one| one.amount.unsigned_abs() < 1 << 60 && one.profit(0.3).is_finite()));
        }
        Err(why) => assert!(!why.detail.is_empty()),
    }
});
