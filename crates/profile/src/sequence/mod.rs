//! The learned sequence encoder.

use youhui_commerce::{Micros, SubjectId};

/// One basket, as the encoder reads it.
#[derive(Debug, Clone, PartialEq)]
pub struct BasketStep {
    /// When, in UTC.
    pub time: Micros,
    /// What was paid, in major units.
    pub amount: f64,
    /// Categories of the basket, each with its share of it.
    pub items: Vec<(u32, f32)>,
}

/// One customer's baskets, in order of time.
#[derive(Debug, Clone, PartialEq)]
pub struct Sequence {
    /// Whose.
    pub subject: SubjectId,
    /// The baskets.
    pub steps: Vec<BasketStep>,
}
