//! Predictions and a budget to who gets what: the multiple-choice knapsack.
//!
//! Each customer gets at most one promotion; the budget holds in whole minor units; the sum of
//! values is within the reported gap of the linear-programming bound, which no plan can beat.

mod knapsack;

pub use knapsack::{Choice, Offer, Solution, budget_curve, solve};
