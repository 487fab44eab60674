//! The engine from outside: the crate's public interface only.
#![allow(
    clippy::unwrap_used,
    clippy::type_complexity,
    clippy::cloned_ref_to_slice_refs,
    clippy::cast_possible_truncation,
    clippy::disallowed_methods,
    reason = "tests"
)]

mod arbitrary;
mod bad_input;
mod cases;
mod laws;
mod neutral;
mod peers;
mod returns;
