//! The price law of a market, as far as software can check it: part of the gate ([`crate::clear()`]).
//!
//! | market | what is checked |
//! |---|---|
//! | EU | reductions are measured from the lowest price of 30 days ([`prior_price`]) |
//! | China | the same from the lowest sale of 7 days ([`transaction_base`]), no mark-up before; no price from who somebody is ([`PublicContext`]); draws |
//! | UK | total price, true countdowns, enough stock ([`Presentation`]) |
//! | New York | the exact sentence beside a personalised price ([`NEW_YORK`]) |
//! | United States | true countdowns, published odds |
//!
//! It is engineering, not legal advice: what is unclear is read strictly.

mod claim;
mod disclosure;
mod feature;
mod history;
mod personal;
mod presentation;
mod prize;
mod public;
mod reduction;
mod reference;

use serde::{Deserialize, Serialize};
use youhui_commerce::{Catalogue, Micros};
use youhui_promotion::Promotion;

pub use claim::Claim;
pub use disclosure::{Disclosure, NEW_YORK, Placement, disclosures, missing_slot};
pub use feature::{Feature, Nature};
pub use history::{NotAPrice, Offered, PriceHistory, Shelf, Transacted};
pub use presentation::{COOL_DOWN_DAYS, Presentation, Shown, Stock, total_price};
pub use prize::{CHINA_MOST, MILLION, Prize, PrizeDraw};
pub use public::PublicContext;
pub use reduction::announces_reduction;
pub use reference::{BASE_DAYS, MemberState, PRIOR_DAYS, Reference, Source, marked_up_from, prior_price, transaction_base};

/// Whose law.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Market {
    /// The European Union and the EEA.
    Eu,
    /// Mainland China.
    China,
    /// The United Kingdom.
    Uk,
    /// The state of New York.
    NewYork,
    /// The other United States.
    UnitedStates,
}

impl Market {
    /// Every market.
    pub const ALL: [Self; 5] = [Self::Eu, Self::China, Self::Uk, Self::NewYork, Self::UnitedStates];

    /// Its name on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Eu => "eu",
            Self::China => "cn",
            Self::Uk => "uk",
            Self::NewYork => "us-ny",
            Self::UnitedStates => "us",
        }
    }

    /// Whether its law says what an announced reduction is measured from.
    pub const fn measures_reductions(self) -> bool {
        matches!(self, Self::Eu | Self::China)
    }

    /// The market with that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|market| market.name() == name)
    }
}

/// What a promotion is checked against.
#[derive(Debug, Clone, Copy)]
pub struct Case<'a> {
    /// Whose law.
    pub market: Market,
    /// What the EU leaves to member states.
    pub state: MemberState,
    /// What products were offered and sold for.
    pub history: &'a PriceHistory,
    /// Which products a scope holds.
    pub catalogue: &'a Catalogue,
    /// The channel of a promotion that names none.
    pub channel: &'a str,
    /// What decides, beyond the conditions in the document, who has the price or the benefit.
    pub personal: &'a [Feature],
    /// Groups and attributes of customers whose rules are published.
    pub published: &'a [String],
    /// How it is shown.
    pub presentation: &'a Presentation,
}

/// A rule of price law that a promotion breaks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(tag = "code", rename_all = "snake_case")]
pub enum Violation {
    /// A reduction is measured from a price at its start.
    #[error(
        "a reduction needs a start and a time zone that is known, to know the prices before it: set schedule.starts and schedule.time_zone"
    )]
    NoStart,
    /// Nothing that the scope covers is in the catalogue.
    #[error("none of the products that it reduces is in the catalogue: there is no price to measure from")]
    NoProduct,
    /// No price to measure a reduction from.
    #[error("{product_id} has no price on record before the start in channel {channel:?}: record its prices, or leave it out of the scope")]
    NoHistory {
        /// Of which product.
        product_id: String,
        /// Where.
        channel: String,
    },
    /// The offer is not below the reference, so it is no reduction.
    #[error("{product_id} at {now} is not below its reference price of {reference} (minor units): no reduction may be claimed")]
    NotBelow {
        /// Of which product.
        product_id: String,
        /// Offered.
        now: i64,
        /// Measured from.
        reference: i64,
    },
    /// It announces more than the reference price bears out.
    #[error("{product_id}: {:.2} % is announced, and measured from its reference price of {reference} (minor units) it is {:.2} %", f64::from(*announced) / 100.0, f64::from(*lawful) / 100.0)]
    Overstated {
        /// Of which product.
        product_id: String,
        /// In basis points.
        announced: u32,
        /// In basis points.
        lawful: u32,
        /// Measured from.
        reference: i64,
    },
    /// The price was raised before the promotion that is measured from it.
    #[error("{product_id} stood at {before} (minor units) within 7 days before the start and was raised: a temporary mark-up is no base")]
    MarkUp {
        /// Of which product.
        product_id: String,
        /// The lower price.
        before: i64,
    },
    /// Price or benefit depend on what they may not.
    #[error("{what} may not depend on {}: offer it to everyone on published conditions", names(features))]
    Personal {
        /// `a price` or `a benefit`.
        what: &'static str,
        /// On what.
        features: Vec<Feature>,
    },
    /// A condition on people whose rule nobody can read.
    #[error("{name:?} decides who gets it, and its rule is not published: publish it, or leave it out")]
    Unpublished {
        /// Group or attribute.
        name: String,
    },
    /// A false timer.
    #[error("{rule}")]
    Countdown {
        /// What is wrong.
        rule: &'static str,
    },
    /// Too little to be had.
    #[error("{units} units are set aside, and {least} are needed for those whom the offer invites")]
    Stock {
        /// Set aside.
        units: u64,
        /// Needed.
        least: u64,
    },
    /// The price shown is not all that has to be paid.
    #[error("{shown} is shown (minor units) and {} has to be paid: show the total with every charge that can't be avoided", total.map_or("more than can be counted".to_owned(), |total| total.to_string()))]
    TotalPrice {
        /// Shown.
        shown: i64,
        /// To pay.
        total: Option<i64>,
    },
    /// A draw breaks its rules.
    #[error("the draw: {rule}")]
    Draw {
        /// Which.
        rule: String,
    },
}

fn names(features: &[Feature]) -> String {
    features.iter().map(|feature| feature.name()).collect::<Vec<_>>().join(", ")
}

/// Checks a promotion, and says which claims it may make.
pub(crate) fn check(promotion: &Promotion, case: &Case<'_>) -> Result<Vec<Claim>, Violation> {
    let zone = zone_of(promotion);
    let moment = |when: Option<youhui_promotion::When>| -> Option<Micros> { when.zip(zone.as_ref()).map(|(when, zone)| when.micros(zone)) };
    let (starts, ends) = (moment(promotion.schedule.starts), moment(promotion.schedule.ends));
    case.presentation.check(case.market, starts, ends)?;
    personal::check(promotion, case)?;
    reduction::check(promotion, case, starts.zip(zone.as_ref()))
}

/// The zone of a promotion's clocks, from the database that is part of the program.
fn zone_of(promotion: &Promotion) -> Option<jiff::tz::TimeZone> {
    match promotion.schedule.time_zone.as_deref() {
        None => Some(jiff::tz::TimeZone::UTC),
        Some(name) => jiff::tz::TimeZoneDatabase::bundled().get(name).ok(),
    }
}
