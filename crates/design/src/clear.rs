//! The gate: a promotion is offered only as [`Cleared`], and only [`clear()`] clears. It checks the
//! document, the margin floor and the price law of the market ([`crate::law`]).

use serde::Serialize;
use youhui_promotion::{Basis, Condition, Effect, Off, Per, Pick, Promotion};

use crate::law::{self, Case, Claim, Disclosure, Violation, disclosures};
use crate::lint::{Finding, absolutes};

/// What is known of the scope that a promotion works on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Economics {
    /// Contribution over amount in the scope.
    pub margin: f64,
    /// Mean price of a unit of the product, for item prices; 0 where unknown.
    pub unit_price: i64,
    /// What a gift costs the shop, for gifts.
    pub gift_cost: i64,
    /// Share of the amount that must stay as margin.
    pub floor: f64,
    /// The largest share of an order's amount that an effect takes off, as whoever answers for the promotion states it: for effects
    /// whose depth hangs on prices or costs that the document doesn't know, such as free shipping or the second at half price.
    /// Without it these are taken to give everything that they might.
    pub stated: Option<f64>,
}

/// Why a draft did not become a candidate.
#[derive(Debug, Clone, PartialEq, Serialize, thiserror::Error)]
#[serde(tag = "code", rename_all = "snake_case")]
pub enum Refusal {
    /// The document is wrong.
    #[error("{problem}")]
    Document {
        /// The first problem.
        problem: String,
    },
    /// At its deepest it leaves too little.
    #[error("at its deepest it takes {:.1} % off goods with {:.1} % margin, which leaves {:.1} %: below the floor of {:.1} %", 100.0 * depth, 100.0 * margin, 100.0 * left, 100.0 * floor)]
    Margin {
        /// Deepest cut as a share of the amount.
        depth: f64,
        /// Margin of the scope before.
        margin: f64,
        /// Margin after.
        left: f64,
        /// What must stay.
        floor: f64,
    },
    /// A figure that the margin needs is missing.
    #[error("{what} is no number: the margin that is left can't be computed")]
    Figure {
        /// Which.
        what: &'static str,
    },
    /// Its texts claim what nobody can prove.
    #[error("{finding}")]
    Copy {
        /// The first such claim.
        finding: Finding,
    },
    /// It breaks the price law of its market.
    #[error("{violation}")]
    Law {
        /// Which rule, and what to do.
        violation: Violation,
    },
}

/// A promotion that was checked. There is no other way to make one than [`clear`]:
///
/// ```compile_fail
/// use youhui_design::Cleared;
/// let forged = Cleared { promotion: 1 }; // the field is private
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Cleared<T> {
    promotion: T,
    #[serde(skip)]
    claims: Vec<Claim>,
    #[serde(skip)]
    disclosures: Vec<Disclosure>,
}

impl<T> Cleared<T> {
    /// What was checked.
    pub const fn get(&self) -> &T {
        &self.promotion
    }

    /// The reductions that may be claimed, by product; no other may.
    pub fn claims(&self) -> &[Claim] {
        &self.claims
    }

    /// What must be said beside it, also in the document's `disclosures`.
    pub fn disclosures(&self) -> &[Disclosure] {
        &self.disclosures
    }
}

/// Clears a promotion, or says why not. What the law wants said is added to its disclosures.
///
/// # Errors
/// The first rule that it breaks.
pub fn clear(promotion: Promotion, economics: &Economics, case: &Case<'_>) -> Result<Cleared<Promotion>, Refusal> {
    if let Some(problem) = promotion.problems().first() {
        return Err(Refusal::Document { problem: problem.to_string() });
    }
    let stated = economics.stated.unwrap_or(0.0);
    for (what, figure) in [("the margin", economics.margin), ("the margin floor", economics.floor), ("the deepest cut as stated", stated)] {
        if !figure.is_finite() {
            return Err(Refusal::Figure { what });
        }
    }
    let depth = deepest_cut(&promotion, economics);
    // Of each unit of amount `margin` is contribution; `depth` of it is given away.
    let left = if depth < 1.0 { (economics.margin - depth) / (1.0 - depth) } else { -1.0 };
    if left < economics.floor || depth >= 1.0 {
        return Err(Refusal::Margin { depth, margin: economics.margin, left, floor: economics.floor });
    }
    if let Some(finding) = claimed(&promotion, case) {
        return Err(Refusal::Copy { finding });
    }
    let claims = law::check(&promotion, case).map_err(|violation| Refusal::Law { violation })?;
    let disclosures = disclosures(case.market, case.personal);
    let mut promotion = promotion;
    for disclosure in &disclosures {
        if !promotion.disclosures.iter().any(|said| said == disclosure.text) {
            promotion.disclosures.push(disclosure.text.to_owned());
        }
    }
    Ok(Cleared { promotion, claims, disclosures })
}

/// The first absolute claim of its texts; names of products and categories are their makers'.
fn claimed(promotion: &Promotion, case: &Case<'_>) -> Option<Finding> {
    let products = case.catalogue.products().iter().map(|product| product.name.as_str());
    let names: Vec<&str> = products.chain(case.catalogue.categories().iter().map(String::as_str)).collect();
    let of = |(locale, text): (&String, &youhui_promotion::Text)| {
        let found = absolutes(locale, &format!("{}\n{}", text.title, text.condition), &[]);
        // Only a text with a finding is looked at again without the names.
        if found.is_empty() { None } else { absolutes(locale, &format!("{}\n{}", text.title, text.condition), &names).into_iter().next() }
    };
    promotion.texts.iter().find_map(of)
}

/// The largest share of an amount in scope that the promotion can give away: just at a threshold.
fn deepest_cut(promotion: &Promotion, economics: &Economics) -> f64 {
    let minimum = promotion.conditions.iter().find_map(|condition| match condition {
        Condition::SpendAtLeast { amount, .. } => Some(*amount),
        _ => None,
    });
    // Nothing takes off more than everything, whatever is stated.
    let stated = |most: f64| economics.stated.map_or(most, |stated| stated.clamp(0.0, most));
    promotion.effects.iter().map(|effect| of_effect(effect, minimum, economics).unwrap_or_else(stated)).sum()
}

/// The largest share that an effect can take off; where the document doesn't say, the largest that is possible.
fn of_effect(effect: &Effect, minimum: Option<i64>, economics: &Economics) -> Result<f64, f64> {
    let per_unit = |off: Off| match off {
        Off::BasisPoints(basis_points) => Ok(f64::from(basis_points) / 10_000.0),
        Off::UnitPrice(price) if economics.unit_price > 0 => {
            Ok(share(economics.unit_price.saturating_sub(price), economics.unit_price).max(0.0))
        }
        Off::Amount(amount) if economics.unit_price > 0 => Ok(share(amount, economics.unit_price)),
        _ => Err(1.0),
    };
    let of_tier = |from: i64, off: Off| match off {
        Off::Amount(amount) => Ok(share(amount, from)),
        Off::BasisPoints(basis_points) => Ok(f64::from(basis_points) / 10_000.0),
        Off::Price(_) | Off::UnitPrice(_) => Err(1.0),
    };
    // Without a threshold an order can be as small as it likes.
    let at_least = |amount: i64| minimum.map_or(Err(1.0), |minimum| Ok(share(amount, minimum)));
    match effect {
        Effect::PercentOff(off) => Ok(f64::from(off.basis_points) / 10_000.0),
        Effect::Cashback(back) => Ok(f64::from(back.basis_points) / 10_000.0),
        Effect::SpendAndSave(save) => save.tiers.iter().try_fold(0.0, |most, tier| Ok(f64::max(most, of_tier(tier.from, tier.off)?))),
        Effect::EverySpend(save) if save.basis != Basis::Quantity => Ok(share(save.save, save.spend)),
        Effect::CrossShop(save) if save.basis != Basis::Quantity => Ok(share(save.save, save.spend)),
        Effect::AmountOff(off) if off.per == Per::Order => at_least(off.amount),
        Effect::ItemPrice(item) => Ok(share(economics.unit_price.saturating_sub(item.unit_price), economics.unit_price).max(0.0)),
        Effect::MemberPrice(member) => per_unit(member.off),
        Effect::PerFullGroup(group) => per_unit(group.off),
        Effect::Gift(_) => at_least(economics.gift_cost),
        // The cheapest of a group are worth their share of it at most, and of the dearest first the last one is.
        Effect::CheapestFree(free) => match free.off {
            Off::BasisPoints(basis_points) => Ok(share(free.free, free.every) * f64::from(basis_points) / 10_000.0),
            _ => Err(share(free.free, free.every)),
        },
        Effect::NthUnit(unit) => match (unit.off, unit.pick) {
            (Off::BasisPoints(basis_points), Pick::Dearest) => Ok(share(1, unit.nth) * f64::from(basis_points) / 10_000.0),
            (Off::BasisPoints(basis_points), _) => Err(f64::from(basis_points) / 10_000.0),
            _ => Err(1.0),
        },
        _ => Err(1.0),
    }
}

fn share(part: i64, whole: i64) -> f64 {
    if whole > 0 { part as f64 / whole as f64 } else { 1.0 }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use youhui_promotion::{PercentOff, SpendAndSave};

    use super::*;
    use crate::law::{Feature, Market, Presentation, PriceHistory};

    fn document(effect: impl Into<Effect>) -> Promotion {
        Promotion::new("p", "CNY".parse().unwrap(), effect.into())
    }

    fn cleared(promotion: Promotion, economics: &Economics, market: Market, personal: &[Feature]) -> Result<Cleared<Promotion>, Refusal> {
        let case = Case {
            market,
            state: Default::default(),
            history: &PriceHistory::default(),
            catalogue: &Default::default(),
            channel: "web",
            personal,
            published: &[],
            presentation: &Presentation::default(),
        };
        clear(promotion, economics, &case)
    }

    const RICH: Economics = Economics { margin: 0.9, unit_price: 0, gift_cost: 0, floor: 0.0, stated: None };

    fn tenth() -> Promotion {
        document(PercentOff { basis_points: 1000, ..PercentOff::default() })
    }

    proptest! {
        #[test]
        fn what_is_cleared_keeps_its_floor(margin in 0.0_f64..0.9, floor in 0.0_f64..0.3, basis_points in 1_u32..10_000) {
            let economics = Economics { margin, unit_price: 0, gift_cost: 0, floor, stated: None };
            let depth = f64::from(basis_points) / 10_000.0;
            let promotion = document(PercentOff { basis_points, ..PercentOff::default() });
            match cleared(promotion, &economics, Market::UnitedStates, &[]) {
                // A hundred in goods: what is left after the cut over what is paid.
                Ok(_) => prop_assert!((margin - depth) / (1.0 - depth) >= floor),
                Err(_) => prop_assert!(depth >= 1.0 || (margin - depth) / (1.0 - depth) < floor),
            }
        }
    }

    /// The deepest cut of kinds of promotions, as documents, without and with something stated.
    #[test]
    fn how_deep_a_promotion_can_cut() {
        let deepest = |effect: &str| {
            let document = format!(r#"{{"schema_version": 2, "promotion_id": "p", "currency": "CNY", "effects": [{effect}]}}"#);
            let promotion = youhui_promotion::read_promotion(document.as_bytes()).unwrap();
            let cut = |stated| deepest_cut(&promotion, &Economics { stated, ..RICH });
            format!("{effect}: {:.3} {:.3}\n", cut(None), cut(Some(0.2)))
        };
        let effects = [
            r#"{"kind": "percent_off", "basis_points": 1000}"#,
            r#"{"kind": "every_spend", "spend": 10000, "save": 1500}"#,
            r#"{"kind": "shipping", "off": {"basis_points": 10000}}"#,
            r#"{"kind": "nth_unit", "nth": 2, "off": {"basis_points": 5000}}"#,
            r#"{"kind": "nth_unit", "nth": 2, "pick": "dearest", "off": {"basis_points": 5000}}"#,
            r#"{"kind": "cheapest_free", "every": 3, "free": 1}"#,
            r#"{"kind": "cashback", "basis_points": 300}"#,
            r#"{"kind": "points", "points": 10, "every": 100}"#,
            r#"{"kind": "amount_off", "amount": 500}"#,
        ];
        let told: String = effects.into_iter().map(deepest).collect();
        expect_test::expect![[r#"
            {"kind": "percent_off", "basis_points": 1000}: 0.100 0.100
            {"kind": "every_spend", "spend": 10000, "save": 1500}: 0.150 0.150
            {"kind": "shipping", "off": {"basis_points": 10000}}: 1.000 0.200
            {"kind": "nth_unit", "nth": 2, "off": {"basis_points": 5000}}: 0.250 0.250
            {"kind": "nth_unit", "nth": 2, "pick": "dearest", "off": {"basis_points": 5000}}: 0.250 0.250
            {"kind": "cheapest_free", "every": 3, "free": 1}: 0.333 0.333
            {"kind": "cashback", "basis_points": 300}: 0.030 0.030
            {"kind": "points", "points": 10, "every": 100}: 1.000 0.200
            {"kind": "amount_off", "amount": 500}: 1.000 0.200
        "#]]
        .assert_eq(&told);
    }

    #[test]
    fn a_wrong_document_is_not_cleared() {
        let wrong = cleared(document(SpendAndSave::default()), &RICH, Market::UnitedStates, &[]);
        assert!(matches!(wrong, Err(Refusal::Document { .. })));
    }

    #[test]
    fn figures_that_are_none_clear_nothing() {
        for figure in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            for economics in [Economics { margin: figure, ..RICH }, Economics { floor: figure, ..RICH }] {
                assert!(matches!(cleared(tenth(), &economics, Market::UnitedStates, &[]), Err(Refusal::Figure { .. })), "{economics:?}");
            }
        }
        let item = youhui_promotion::ItemPrice { unit_price: 1, ..Default::default() };
        for unit_price in [0, -5, i64::MIN] {
            let refused = cleared(document(item.clone()), &Economics { unit_price, ..RICH }, Market::UnitedStates, &[]);
            assert!(matches!(refused, Err(Refusal::Margin { .. })), "{unit_price}");
        }
        let everything = document(PercentOff { basis_points: 10_000, ..PercentOff::default() });
        assert!(cleared(everything, &Economics { floor: -9.0, ..RICH }, Market::UnitedStates, &[]).is_err(), "a gift of everything");
    }

    #[test]
    fn what_depends_on_a_profile_says_so_and_nothing_else_does() {
        let personal = cleared(tenth(), &RICH, Market::NewYork, &[Feature::Recency]).unwrap();
        assert_eq!(personal.get().disclosures, [crate::law::NEW_YORK]);
        assert_eq!(personal.disclosures().len(), 1);
        assert!(cleared(tenth(), &RICH, Market::NewYork, &[]).unwrap().get().disclosures.is_empty());
    }

    #[test]
    fn the_law_of_the_market_is_part_of_the_gate() {
        assert!(cleared(tenth(), &RICH, Market::UnitedStates, &[]).is_ok());
        for market in [Market::Eu, Market::China] {
            assert!(matches!(cleared(tenth(), &RICH, market, &[]), Err(Refusal::Law { .. })), "{market:?}: nothing to measure from");
        }
    }
}
