//! Boosted regression trees on histograms.

mod bins;
mod boost;
mod grow;
mod tree;

pub(crate) use bins::Bins;
pub(crate) use boost::{Boosted, Boosting};
pub(crate) use grow::{Derivative, Growth, grow};
pub(crate) use tree::Tree;
