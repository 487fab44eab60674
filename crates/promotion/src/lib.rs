//! The promotion language, and the exact price of a basket under any number of promotions.
//!
//! A promotion is a versioned document ([`Promotion`], JSON): what it gives ([`Effect`], each kind with a
//! worked example at its own type), on what ([`Scope`]), when ([`Schedule`], [`Condition`]), how often
//! ([`Limits`]) and beside which others ([`Stacking`]). [`Promotions`] makes documents ready, and
//! [`Promotions::price`] prices a [`Basket`] under them: in one total order, on whole minor units of
//! single units, without floating point. The answer ([`Priced`]) says what was taken off where, and why
//! the rest did not apply; an [`Order`] computes returns from it.
//!
//! ```
//! use youhui_promotion::*;
//!
//! // 满50减8: spend ¥50, save ¥8; and 10 % off with a code.
//! let promotions = read_promotions(r#"[
//!     {"schema_version": 2, "promotion_id": "full-50", "currency": "CNY",
//!      "effects": [{"kind": "spend_and_save", "tiers": [{"from": 5000, "off": {"amount": 800}}]}]},
//!     {"schema_version": 2, "promotion_id": "ten", "currency": "CNY", "trigger": {"kind": "code", "codes": ["TEN"]},
//!      "effects": [{"kind": "percent_off", "basis_points": 1000}]}
//! ]"#.as_bytes())?;
//! let basket = read_basket(br#"{"currency": "CNY", "codes": ["ten"], "lines": [
//!     {"line_id": "1", "product_id": "tea", "quantity": 1, "unit_price": 3333},
//!     {"line_id": "2", "product_id": "cup", "quantity": 2, "unit_price": 1000}
//! ]}"#)?;
//! let priced = Promotions::new(promotions)?.price(&basket, &Context::default())?;
//! assert_eq!(priced.total, 5333 - 800 - 453); // 10 % of the ¥45.33 that are left
//! assert_eq!(priced.applied.iter().map(|applied| applied.amount).collect::<Vec<_>>(), [800, 453]);
//! assert_eq!(priced.lines.iter().map(|line| line.total).sum::<i64>(), priced.total);
//! # Ok::<(), Wrong>(())
//! ```
//!
//! # Policies
//!
//! What shops and platforms do differently is a named setting of the document, with a default:
//!
//! | question | default | otherwise |
//! |---|---|---|
//! | a share of which price | what is left ([`Basis::Remaining`]) | the shelf's, the original |
//! | a threshold counts which price | what is left | the shelf's, the original, units |
//! | where is rounded, which way, to what | the promotion's amount, half up, 1 ([`Rounding`]) | line, unit; four other ways; 5, 10, 100 … |
//! | who gets the minor units left over | the parts that lost most, unit by unit ([`Split`]) | line by line, shop by shop; first, last, dearest, cheapest, nearest |
//! | a part that a price floor has no room for | goes to other units ([`AtFloor`]) | is not given |
//! | which of a group | the best for the customer ([`Choice`]) | the first, all |
//! | excluded where | in the basket ([`Within`]) | on the line |
//!
//! # Features
//!
//! `std` (default) adds nothing but `std` in dependencies; `read` (default) adds JSON Schemas and readers
//! that say everything that is wrong at once. Without either the crate needs `alloc` only.
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
