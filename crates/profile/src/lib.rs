//! Events to profiles: recency, frequency, money, lifetime value, affinities, habits, and a learned embedding.
//!
//! Every stage here is a pure function of one customer's rows, or of a few numbers of each
//! customer; [`runner::map_customers`] applies it on threads and keeps the order.

pub mod features;
pub mod lifetime;
pub mod live;
pub mod orders;
pub mod price_response;
pub mod principal;
pub mod runner;
#[allow(clippy::cast_possible_truncation, reason = "the network computes in 32 bits")]
pub mod sequence;
pub mod shop;

pub use features::{Features, features};
pub use orders::{Order, orders, purchase_sequence};
pub use principal::principal_coordinates;
pub use runner::map_customers;
pub use shop::{CategoryNorms, Shop};
