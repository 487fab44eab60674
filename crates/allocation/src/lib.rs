//! Predictions and a budget to who gets what.
