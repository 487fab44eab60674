//! The engine from outside: the crate's public interface only.
#![allow(clippy::unwrap_used, reason = "tests")]

mod arbitrary;
mod laws;
mod neutral;
mod peers;
mod returns;
