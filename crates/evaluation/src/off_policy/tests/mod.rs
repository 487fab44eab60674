//! Against obp's own output (`peers`), known truth over many seeds (`truth`), and bad input (`bad_input`).

mod bad_input;
mod peers;
mod truth;

use super::estimators::*;
use super::*;
