//! Halo: what the campaign changed in categories that it didn't promote (Leeflang, Parreño Selva, Van Dijk and Wittink 2008),
//! up (baskets with more in them) or down (money spent elsewhere).
//!
//! Effects by category, with p-values adjusted for how many there are, their sum, and the effect on the promoted categories;
//! the two sums are the whole effect exactly. Categories in which nobody of an arm bought are named and not judged; they
//! are in the sum.

use serde::Serialize;

use super::cannibalisation::{categories, parts_of, sum};
use super::figure::{Causal, Figure, adjusted};
use super::incremental::MoneySettings;
use super::joint::Weights;
use super::{Ledger, MoneyError};

/// Effects outside of what was promoted.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Halo {
    /// Category by category, in the order of their first part.
    pub categories: Vec<Figure>,
    /// Of them together.
    pub outside: Figure,
    /// On the categories with promoted products.
    pub inside: Figure,
    /// On all revenue: `outside` + `inside`.
    pub whole: Figure,
    /// Categories of which nothing can be said, with the reason.
    pub not_judged: Vec<(String, String)>,
}

/// Looks at the categories without promoted products.
///
/// # Errors
/// Where there are none, none is promoted, an arm has fewer than 2 customers, or sums don't vary.
pub fn halo(ledger: &Ledger, settings: MoneySettings) -> Result<Halo, MoneyError> {
    settings.check()?;
    let categories = categories(ledger);
    let (inside, outside): (Vec<_>, Vec<_>) = categories.iter().partition(|category| !category.promoted.is_empty());
    if inside.is_empty() || outside.is_empty() {
        let what = format!("{} categories with promoted products and {} without", inside.len(), outside.len());
        return Err(MoneyError::NoParts { what, consequence: "halo is the effect on the second kind. Give both as parts" });
    }
    let joint = parts_of(ledger, settings)?;
    let figure = |weights: &Weights, name: String| -> Result<Figure, MoneyError> {
        let contrast = joint.varying(weights, &name)?;
        Ok(Figure::of(name, &contrast, settings.level, ledger.per_customer(), Causal::Randomised))
    };
    let (mut judged, mut not_judged) = (vec![], vec![]);
    for category in &outside {
        match figure(&sum(&category.rest), category.name.clone()) {
            Ok(found) => judged.push(found),
            Err(error) => not_judged.push((category.name.clone(), error.to_string())),
        }
    }
    adjusted(&mut judged.iter_mut().collect::<Vec<&mut Figure>>(), settings.adjust);
    let parts = |categories: &[&super::cannibalisation::Category]| -> Weights {
        categories.iter().flat_map(|category| category.promoted.iter().chain(&category.rest)).map(|&part| (part, 1.0)).collect()
    };
    Ok(Halo {
        categories: judged,
        outside: figure(&parts(&outside), "effect on categories not promoted".to_owned())?,
        inside: figure(&parts(&inside), "effect on promoted categories".to_owned())?,
        whole: figure(&vec![(ledger.parts().len(), 1.0)], "effect on revenue".to_owned())?,
        not_judged,
    })
}
