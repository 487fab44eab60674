//! Against obp's own output (`peers`), known truth over many seeds (`truth`, `tuning`, `slates`), and bad input (`bad_input`).

mod bad_input;
mod peers;
mod slates;
mod streaming;
mod truth;
mod tuning;
mod world;

use super::estimators::*;
use super::*;
