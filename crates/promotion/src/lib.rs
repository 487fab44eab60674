//! The promotion language, and the exact price of a basket under a promotion.
//!
//! A promotion is a versioned document ([`Promotion`], JSON): what it gives ([`Kind`]), on what
//! ([`Scope`]), when ([`Schedule`]), to whom ([`Audience`]) and how often ([`Limits`]). This is the
//! first version of the language: automatic or code, one promotion a basket.
//!
//! ```
//! use youhui_promotion::{Basket, BasketLine, Kind, Tier, price_kind};
//!
//! // 满50减8: spend ¥50, save ¥8.
//! let kind = Kind::SpendAndSave { tiers: vec![Tier { spend: 5000, save: 800 }] };
//! let basket = Basket { lines: vec![
//!     BasketLine { product_id: "tea".into(), categories: vec![], quantity: 1, amount: 3333 },
//!     BasketLine { product_id: "cup".into(), categories: vec![], quantity: 2, amount: 2000 },
//! ]};
//! let priced = price_kind(&kind, &[true, true], &basket).unwrap();
//! assert_eq!(priced.amount, 800);
//! assert_eq!(priced.allocations, [500, 300]); // largest remainder: sums to 800 exactly
//! ```

mod document;
mod price;
mod texts;

pub use document::{Audience, Kind, Limits, Problem, Promotion, SCHEMA_VERSION, Schedule, Scope, Text, Tier, Trigger};
pub use price::{Basket, BasketLine, Priced, Rejected, price, price_kind};
pub use texts::texts;
