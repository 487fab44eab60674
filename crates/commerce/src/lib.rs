//! The nouns of a shop: money, products, events, campaigns, time; the Arrow schemas of every table.
//!
//! This crate knows nothing of files, networks, clocks or randomness: whatever needs one takes it
//! as an argument (invariant 1).

mod campaign;
mod draw;
mod event;
mod money;
mod product;
pub mod schema;
mod subject;
mod time;

pub use campaign::{Campaign, CampaignId, Exposure, Offer};
pub use draw::Draw;
pub use event::{CustomerEvents, EventKind, EventTable};
pub use money::{Currency, Money, MoneyError, format_minor, parse_minor, split_largest_remainder};
pub use product::{Catalogue, Product, ProductIx};
pub use subject::{ParseSubjectError, SubjectId};
pub use time::{Micros, ShopClock, TimeWindow};
