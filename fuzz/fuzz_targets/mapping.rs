//! A mapping file of any bytes is read or refused, never more.
#![no_main]

use youhui_storage::Mapping;

libfuzzer_sys::fuzz_target!(|text: &str| {
    let _ = Mapping::parse("fuzz", text);
});
