//! Allocation over its public interface.

mod brute_force;
mod families;
mod refusals;
mod shop;
