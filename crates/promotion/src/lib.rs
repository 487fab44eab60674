//! The promotion language, and the exact price of a basket under a promotion.
