//! Logs to effects and intervals.
