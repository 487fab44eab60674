//! Text that is read as money prints as the same money.
#![no_main]

use youhui_commerce::{SubjectId, format_minor, parse_minor};

libfuzzer_sys::fuzz_target!(|input: (&str, u8)| {
    let (text, decimals) = (input.0, u32::from(input.1 % 5));
    if let Ok(amount) = parse_minor(text, decimals) {
        // A typographic minus is printed; a plain one is read.
        let printed = format_minor(amount, decimals).replace('−', "-");
        assert_eq!(parse_minor(&printed, decimals), Ok(amount), "{text:?} printed as {printed:?}");
    }
    let _ = text.parse::<SubjectId>();
});
