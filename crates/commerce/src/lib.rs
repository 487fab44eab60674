//! The nouns of a shop: money, products, events, campaigns, time; the Arrow schemas of every table.
//!
//! This crate knows nothing of files, networks, clocks or randomness: whatever needs one takes it
//! as an argument (invariant 1). Without the feature `std` it is money and windows of time only.
#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;

#[cfg(feature = "std")]
mod campaign;
#[cfg(feature = "std")]
mod draw;
#[cfg(feature = "std")]
mod event;
mod money;
#[cfg(feature = "std")]
mod product;
#[cfg(feature = "std")]
pub mod schema;
#[cfg(feature = "std")]
mod subject;
mod time;

#[cfg(feature = "std")]
pub use campaign::{Campaign, CampaignId, Exposure, Offer};
#[cfg(feature = "std")]
pub use draw::Draw;
#[cfg(feature = "std")]
pub use event::{CustomerEvents, EventKind, EventTable};
pub use money::{Currency, Money, MoneyError, format_minor, parse_minor, split_largest_remainder};
#[cfg(feature = "std")]
pub use product::{Catalogue, Product, ProductIx};
#[cfg(feature = "std")]
pub use subject::{ParseSubjectError, SubjectId};
#[cfg(feature = "std")]
pub use time::ShopClock;
pub use time::{Micros, TimeWindow};
