//! Campaigns that were run: what the response to promotions is learnt from.

use serde::{Deserialize, Serialize};

use crate::{ProductIx, SubjectId, TimeWindow};

/// The shop's own identifier of a campaign.
pub type CampaignId = String;

/// A campaign that was run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Campaign {
    /// The shop's identifier.
    pub campaign_id: CampaignId,
    /// The shop's word for its kind, such as "Type A".
    pub kind: String,
    /// When its offers could be used.
    pub window: TimeWindow,
}

/// One customer received one campaign.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Exposure {
    /// Who received it.
    pub subject: SubjectId,
    /// What was received.
    pub campaign_id: CampaignId,
}

/// One coupon of a campaign is good for one product.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Offer {
    /// The campaign that carries the coupon.
    pub campaign_id: CampaignId,
    /// The coupon's code.
    pub coupon: String,
    /// A product it is good for.
    pub product: ProductIx,
}
