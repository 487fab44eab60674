//! What a promotion is for, and whom it is for.

use serde::{Deserialize, Serialize};
use youhui_profile::Features;

use crate::law::Feature;

/// A goal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Goal {
    /// Keep those who are about to slow down.
    Retain,
    /// Bring back those who have stopped.
    WinBack,
    /// Make newcomers buy again.
    Activate,
    /// Sell what sells ever less.
    Clearance,
    /// Sell more at the next holiday.
    Holiday,
    /// Sell from a category that the customer doesn't buy yet.
    CrossSell,
    /// Make baskets larger.
    BasketLift,
    /// Win a first order of people without any.
    Acquisition,
}

impl Goal {
    /// Every goal.
    pub const ALL: [Self; 8] =
        [Self::Retain, Self::WinBack, Self::Activate, Self::Clearance, Self::Holiday, Self::CrossSell, Self::BasketLift, Self::Acquisition];

    /// Its name on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Retain => "retain",
            Self::WinBack => "win-back",
            Self::Activate => "activate",
            Self::Clearance => "clearance",
            Self::Holiday => "holiday",
            Self::CrossSell => "cross-sell",
            Self::BasketLift => "basket-lift",
            Self::Acquisition => "acquisition",
        }
    }

    /// The goal with that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|goal| goal.name() == name)
    }

    /// Whether a customer is one that the goal is for.
    pub fn is_for(self, customer: &Features) -> bool {
        let lateness = customer.lateness();
        match self {
            Self::Retain => customer.orders >= 3 && lateness.is_some_and(|late| (0.8..2.5).contains(&late)),
            Self::WinBack => customer.recency_days >= 28.0 && lateness.is_none_or(|late| late >= 2.5),
            Self::Activate => (1..=2).contains(&customer.orders),
            Self::Acquisition => customer.orders == 0,
            Self::Clearance | Self::Holiday => customer.orders >= 1,
            Self::CrossSell | Self::BasketLift => customer.orders >= 3 && customer.recency_days <= 56.0,
        }
    }

    /// What of a customer [`Self::is_for`] looks at.
    pub const fn features(self) -> &'static [Feature] {
        match self {
            Self::Retain => &[Feature::Orders, Feature::Recency, Feature::Rhythm],
            Self::WinBack => &[Feature::Recency, Feature::Rhythm],
            Self::Activate | Self::Clearance | Self::Holiday | Self::Acquisition => &[Feature::Orders],
            Self::CrossSell | Self::BasketLift => &[Feature::Orders, Feature::Recency],
        }
    }

    /// The same in words that can be published.
    pub const fn rule(self) -> &'static str {
        match self {
            Self::Retain => "customers with three or more orders whose next order is about due or somewhat late",
            Self::WinBack => "customers whose last order is four weeks or more ago and much later than their habit",
            Self::Activate => "customers with one or two orders",
            Self::Acquisition => "people without an order yet",
            Self::Clearance | Self::Holiday => "all customers with an order",
            Self::CrossSell | Self::BasketLift => "customers with three or more orders, one of them in the last eight weeks",
        }
    }
}
