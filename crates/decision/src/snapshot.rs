//! Everything a decision depends on beside the customer and the moment: made anew by each batch update, never changed.

use serde::{Deserialize, Serialize};
use youhui_commerce::SubjectId;

use crate::policy::Exploration;
use crate::posterior::Belief;

/// A promotion of a live campaign.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Offer {
    /// Which promotion.
    pub promotion_id: String,
    /// Of which campaign.
    pub campaign_id: String,
    /// And which of its versions.
    pub campaign_version: u32,
    /// Where it may stand; everywhere, if none is named.
    pub placements: Vec<String>,
    /// Through which channels; all, if none is named.
    pub channels: Vec<String>,
    /// Shown to those about whom nothing may be known, and when nothing is known.
    pub twin: bool,
    /// The response model's prediction for customers of whom it has none, in minor units of profit.
    pub predicted: f64,
    /// What was learnt of it.
    pub belief: Belief,
}

impl Offer {
    /// Whether it may stand there.
    pub fn fits(&self, placement: &str, channel: &str) -> bool {
        let stands = self.placements.is_empty() || self.placements.iter().any(|one| one == placement);
        stands && self.sells_through(channel)
    }

    /// Whether it may be shown through that channel.
    pub fn sells_through(&self, channel: &str) -> bool {
        self.channels.is_empty() || self.channels.iter().any(|one| one == channel)
    }
}

/// What decisions are made with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    /// Counts up with every change.
    pub version: u64,
    /// How many numbers are in a context.
    pub width: usize,
    /// Share of customers who are shown nothing, so that the effect of everything can be measured.
    pub holdout_share: f64,
    /// Which customers these are: a lot by customer and salt, the same for every campaign until the salt changes.
    pub salt: u64,
    /// How the rest is explored.
    pub exploration: Exploration,
    /// What there is to show.
    pub offers: Vec<Offer>,
}

impl Snapshot {
    /// Whether the lot has the customer see nothing.
    pub fn holds_out(&self, subject: SubjectId) -> bool {
        lot(subject, self.salt) < self.holdout_share
    }

    /// The promotion of that name.
    pub fn find(&self, promotion_id: &str) -> Option<usize> {
        self.offers.iter().position(|offer| offer.promotion_id == promotion_id)
    }
}

/// Uniform in [0, 1), the same whenever it is asked for.
fn lot(subject: SubjectId, salt: u64) -> f64 {
    let (low, high) = subject.as_bytes().split_at(8);
    let number = |half: &[u8]| half.iter().fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte));
    let mut first = youhui_commerce::Draw::seeded(number(low) ^ salt);
    let seed = first.bits() ^ number(high);
    youhui_commerce::Draw::seeded(seed).uniform()
}
