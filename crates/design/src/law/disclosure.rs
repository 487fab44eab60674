//! What must be said beside a price that depends on a profile; nothing where none does.

use serde::Serialize;

use super::{Feature, Market};

/// New York General Business Law §349-a, to the letter.
pub const NEW_YORK: &str = "THIS PRICE WAS SET BY AN ALGORITHM USING YOUR PERSONAL DATA.";

/// Where a disclosure stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Placement {
    /// Beside the price, as large as it can be read.
    NearPrice,
    /// With the offer's conditions, before the purchase.
    WithConditions,
}

/// Something that must be said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Disclosure {
    /// For machines, such as `personalised_price`.
    pub code: &'static str,
    /// For people.
    pub text: &'static str,
    /// Language of the text (BCP 47).
    pub locale: &'static str,
    /// Where.
    pub placement: Placement,
}

/// The disclosures of a price or an entitlement that depends on `personal` features of the person
/// it is made to; none where it depends on nothing personal (no over-labelling).
pub fn disclosures(market: Market, personal: &[Feature]) -> Vec<Disclosure> {
    if personal.is_empty() {
        return vec![];
    }
    let near = |text, locale| Disclosure { code: "personalised_price", text, locale, placement: Placement::NearPrice };
    let with = |text, locale| Disclosure { code: "eligibility", text, locale, placement: Placement::WithConditions };
    match market {
        // Directive 2011/83/EU Art. 6(1)(ea), as retained in the UK by the Consumer Contracts Regulations.
        Market::Eu | Market::Uk => {
            vec![near("This price was personalised on the basis of automated decision-making.", "en")]
        }
        Market::NewYork => vec![Disclosure { code: "ny_349a", text: NEW_YORK, locale: "en", placement: Placement::NearPrice }],
        // What is personal here can only be a published, countable condition: it is said to be one.
        Market::China => vec![
            with("本优惠按公布的条件发放，符合条件者待遇相同。", "zh-CN"),
            with("This offer follows published conditions; whoever meets them is treated alike.", "en"),
        ],
        Market::UnitedStates => vec![],
    }
}

/// The first of `disclosures` that a channel with these places can't carry: it must not publish then.
pub fn missing_slot<'a>(disclosures: &'a [Disclosure], slots: &[Placement]) -> Option<&'a Disclosure> {
    disclosures.iter().find(|disclosure| !slots.contains(&disclosure.placement))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_new_york_sentence_is_byte_equal() {
        let said = disclosures(Market::NewYork, &[Feature::Recency]);
        assert_eq!(said.len(), 1);
        assert_eq!(said[0].text.as_bytes(), b"THIS PRICE WAS SET BY AN ALGORITHM USING YOUR PERSONAL DATA.");
        assert_eq!(missing_slot(&said, &[Placement::WithConditions]).map(|missing| missing.code), Some("ny_349a"));
        assert_eq!(missing_slot(&said, &[Placement::NearPrice]), None);
    }

    #[test]
    fn nothing_personal_says_nothing() {
        for market in Market::ALL {
            assert_eq!(disclosures(market, &[]), vec![]);
        }
        for market in [Market::Eu, Market::Uk, Market::NewYork, Market::China] {
            assert!(!disclosures(market, &[Feature::Spend]).is_empty(), "{market:?}");
        }
    }
}
