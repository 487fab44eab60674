//! What a price or an entitlement may depend on, and where it may not.

use serde::Serialize;

/// A kind of knowledge about one person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Feature {
    /// Number of orders.
    Orders,
    /// Time since the last order.
    Recency,
    /// Time since the first event.
    Tenure,
    /// Spans between orders, and how late the next one is.
    Rhythm,
    /// Hours and weekdays of orders.
    Times,
    /// Categories that are bought or not.
    Categories,
    /// Brands that are bought.
    Brands,
    /// A learnt embedding of what was done.
    Embedding,
    /// What was spent, and the size of baskets.
    Spend,
    /// Expected lifetime value.
    LifetimeValue,
    /// How much more is bought at a discount, coupons used.
    PriceSensitivity,
    /// The predicted response to a promotion.
    PredictedResponse,
}

/// What a feature says of a person (价格行为规则 2026: willingness and ability to pay, preference, habit).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Nature {
    /// A fact that a published condition can name and the person can check.
    Countable,
    /// Ability to pay.
    Ability,
    /// Willingness to pay.
    Willingness,
    /// Preference.
    Preference,
    /// Habit.
    Habit,
}

impl Feature {
    /// Every feature.
    pub const ALL: [Self; 12] = [
        Self::Orders,
        Self::Recency,
        Self::Tenure,
        Self::Rhythm,
        Self::Times,
        Self::Categories,
        Self::Brands,
        Self::Embedding,
        Self::Spend,
        Self::LifetimeValue,
        Self::PriceSensitivity,
        Self::PredictedResponse,
    ];

    /// What it says of a person.
    pub const fn nature(self) -> Nature {
        match self {
            Self::Orders | Self::Recency | Self::Tenure => Nature::Countable,
            Self::Rhythm | Self::Times => Nature::Habit,
            Self::Categories | Self::Brands | Self::Embedding => Nature::Preference,
            Self::Spend | Self::LifetimeValue => Nature::Ability,
            Self::PriceSensitivity | Self::PredictedResponse => Nature::Willingness,
        }
    }

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Orders => "orders",
            Self::Recency => "recency",
            Self::Tenure => "tenure",
            Self::Rhythm => "rhythm",
            Self::Times => "times",
            Self::Categories => "categories",
            Self::Brands => "brands",
            Self::Embedding => "embedding",
            Self::Spend => "spend",
            Self::LifetimeValue => "lifetime_value",
            Self::PriceSensitivity => "price_sensitivity",
            Self::PredictedResponse => "predicted_response",
        }
    }

    /// The feature that an attribute of a customer carries, by the words in its name, such as
    /// `basket_quantile_50` or `embedding_3`. Names that say nothing carry none.
    pub fn of_attribute(name: &str) -> Option<Self> {
        const WORDS: [(&str, Feature); 22] = [
            ("sensitiv", Feature::PriceSensitivity),
            ("elastic", Feature::PriceSensitivity),
            ("willing", Feature::PriceSensitivity),
            ("discount", Feature::PriceSensitivity),
            ("coupon", Feature::PriceSensitivity),
            ("uplift", Feature::PredictedResponse),
            ("propensity", Feature::PredictedResponse),
            ("response", Feature::PredictedResponse),
            ("lifetime", Feature::LifetimeValue),
            ("ltv", Feature::LifetimeValue),
            ("spend", Feature::Spend),
            ("amount", Feature::Spend),
            ("basket", Feature::Spend),
            ("income", Feature::Spend),
            ("embedding", Feature::Embedding),
            ("affinity", Feature::Categories),
            ("brand", Feature::Brands),
            ("gap", Feature::Rhythm),
            ("late", Feature::Rhythm),
            ("daypart", Feature::Times),
            ("weekday", Feature::Times),
            ("habit", Feature::Rhythm),
        ];
        let name = name.to_lowercase();
        WORDS.iter().find(|(word, _)| name.contains(word)).map(|(_, feature)| *feature)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_are_told_by_their_words() {
        for (name, feature) in [
            ("Price_Sensitivity", Some(Feature::PriceSensitivity)),
            ("embedding_3", Some(Feature::Embedding)),
            ("basket_quantile_50", Some(Feature::Spend)),
            ("birth_month", None),
            ("", None),
        ] {
            assert_eq!(Feature::of_attribute(name), feature, "{name}");
        }
        let countable: Vec<&str> =
            Feature::ALL.into_iter().filter(|feature| feature.nature() == Nature::Countable).map(Feature::name).collect();
        assert_eq!(countable, ["orders", "recency", "tenure"]);
    }
}
