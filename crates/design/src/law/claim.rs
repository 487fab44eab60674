//! What may be said of a reduction: computed from the reference price, never beside it (CJEU
//! C-330/23, Aldi Süd).

use serde::Serialize;
use youhui_commerce::{Currency, Money};

use super::Reference;

/// A lawful statement of a reduction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Claim {
    /// Of which product.
    pub product_id: String,
    /// What it is measured from.
    pub reference: Reference,
    /// The price offered, in minor units.
    pub now: i64,
    /// So much below the reference, in basis points, rounded down: never more than true.
    pub basis_points: u32,
}

impl Claim {
    /// The claim that an offer may make; `None` where it is not below the reference, and so is no
    /// reduction whatever the shelf says.
    pub fn of(product_id: &str, reference: Reference, now: i64) -> Option<Self> {
        if now < 0 || now >= reference.price {
            return None;
        }
        let (less, price) = (i128::from(reference.price) - i128::from(now), i128::from(reference.price));
        let basis_points = u32::try_from(less * 10_000 / price).unwrap_or(10_000);
        Some(Self { product_id: product_id.to_owned(), reference, now, basis_points })
    }

    /// "−x %" in whole per cent, rounded down; `None` below one per cent.
    pub fn percent(&self) -> Option<String> {
        (self.basis_points >= 100).then(|| format!("−{} %", self.basis_points / 100))
    }

    /// "was y", where y is the reference and nothing else.
    pub fn was(&self, currency: Currency) -> String {
        format!("was {}", Money::new(self.reference.price, currency))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::Source;
    use super::*;

    fn of(was: i64, now: i64) -> Option<Claim> {
        Claim::of("tea", Reference { price: was, from: Source::LowestOffered }, now)
    }

    #[test]
    fn claims_say_what_is_true() {
        let claim = of(1000, 667).unwrap();
        assert_eq!((claim.percent().as_deref(), claim.was("EUR".parse().unwrap()).as_str()), (Some("−33 %"), "was €10.00"));
        assert_eq!(of(100_000, 99_999).unwrap().percent(), None, "too little to be said in per cent");
        for (was, now) in [(80, 90), (80, 80), (0, 0), (0, -1), (100, i64::MIN), (i64::MAX, i64::MAX)] {
            assert_eq!(of(was, now), None, "{was} {now}");
        }
        assert_eq!(of(i64::MAX, 0).unwrap().basis_points, 10_000);
    }

    proptest! {
        #[test]
        fn a_claim_never_overstates(was in 1_i64..1_000_000_000, now in 0_i64..1_000_000_000) {
            match of(was, now) {
                Some(claim) => prop_assert!(i128::from(claim.basis_points) * i128::from(was) <= i128::from(was - now) * 10_000),
                None => prop_assert!(now >= was),
            }
        }
    }
}
