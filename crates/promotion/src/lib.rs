//! The promotion language, and the exact price of a basket under any number of promotions.
#![no_std]

extern crate alloc;
#[cfg(feature = "std")]
extern crate std;

mod answer;
mod basket;
mod document;
mod mechanics;
mod prelude;
mod pricing;
mod returns;
mod set;

pub use answer::*;
pub use basket::{Basket, Context, Customer, Detail, Line, MOST_LINES, Shipment, Usage};
pub use document::*;
pub use mechanics::*;
pub use returns::{HeldBack, Order, Refund, RefundLine, Return, ReturnGift, ReturnLine, ReturnPolicy};
pub use set::Promotions;
