//! Dense networks, trained by hand-written back-propagation: on tables of this size a framework's
//! graph costs more than the arithmetic.

mod adam;
mod network;
mod product;
mod training;

pub(crate) use network::Network;
pub use training::Epoch;
pub(crate) use training::{Loss, Training, train};
