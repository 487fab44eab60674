//! The learned sequence encoder.
