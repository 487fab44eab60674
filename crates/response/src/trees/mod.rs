//! Boosted regression trees on histograms.

mod bins;
mod boost;
mod grow;
mod leaves;
mod tree;

pub(crate) use bins::{Bins, MOST_BINS};
pub(crate) use boost::{Boosted, Boosting};
pub(crate) use grow::{Derivative, Growth, Scratch, grow};
pub(crate) use tree::Tree;
