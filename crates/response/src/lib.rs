//! What a promotion changes for a customer, with its uncertainty.
