//! Events to profiles: recency, frequency, money, lifetime value, affinities, habits, and a learned embedding.

pub mod lifetime;
pub mod sequence;
