//! The import through the crate's own door.
#![allow(clippy::unwrap_used, reason = "a test's way to fail")]

mod damage;
mod desk;
mod laws;
mod live;
