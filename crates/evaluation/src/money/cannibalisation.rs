//! Cannibalisation: what the campaign took from products beside the promoted ones.
//!
//! In each category with promoted products: effect on the promoted, on the rest, and on the category, which is their sum
//! exactly, CUPED or not, as θ is linear in the outcome. Rate = −Δ rest ÷ Δ promoted, with Fieller's set: 1 means that all
//! was only moved. Van Heerde, Gupta and Wittink (2003) take sales apart the same way, observationally.
//!
//! P-values of effects on the rest are adjusted for the number of categories. Fails by saying too little where what is
//! taken from another category isn't looked at: see [`super::halo()`].

use serde::Serialize;

use super::fieller::{Ratio, ratio};
use super::figure::{Causal, Figure, RatioFigure, adjusted};
use super::incremental::MoneySettings;
use super::joint::{Joint, Weights};
use super::{Ledger, MoneyError};

/// One category.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Cannibalisation {
    /// The category.
    pub category: String,
    /// Effect on revenue of its promoted products.
    pub promoted: Figure,
    /// Effect on revenue of the rest.
    pub rest: Figure,
    /// Effect on revenue of both.
    pub whole: Figure,
    /// Share of the effect on promoted products that the rest lost.
    pub rate: RatioFigure,
}

/// Takes categories with promoted products and others apart, in the order of their first part.
///
/// # Errors
/// Where there is no category with both, an arm has fewer than 2 customers, or a part never varies in one.
pub fn cannibalisation(ledger: &Ledger, settings: MoneySettings) -> Result<Vec<Cannibalisation>, MoneyError> {
    settings.check()?;
    let categories = categories(ledger);
    let mixed: Vec<&Category> = categories.iter().filter(|category| !category.promoted.is_empty() && !category.rest.is_empty()).collect();
    if mixed.is_empty() {
        let what = "no category has promoted and other products".to_owned();
        return Err(MoneyError::NoParts {
            what,
            consequence: "what promoted products took from the others can't be seen. Give the rest of the promoted category as a part of its own",
        });
    }
    let joint = parts_of(ledger, settings)?;
    let mut found: Vec<Cannibalisation> =
        mixed.into_iter().map(|category| one(ledger, settings, &joint, category)).collect::<Result<_, _>>()?;
    let mut rests: Vec<&mut Figure> = found.iter_mut().map(|category| &mut category.rest).collect();
    adjusted(&mut rests, settings.adjust);
    Ok(found)
}

fn one(ledger: &Ledger, settings: MoneySettings, joint: &Joint, category: &Category) -> Result<Cannibalisation, MoneyError> {
    let figure = |weights: &Weights, what: &str| -> Result<Figure, MoneyError> {
        let name = format!("{}: {what}", category.name);
        let contrast = joint.varying(weights, &name)?;
        Ok(Figure::of(name, &contrast, settings.level, ledger.per_customer(), Causal::Randomised))
    };
    let (promoted, rest) = (sum(&category.promoted), sum(&category.rest));
    let whole: Weights = promoted.iter().chain(&rest).copied().collect();
    let rate = Ratio {
        name: "cannibalisation rate",
        unit: "share of the effect on promoted products".to_owned(),
        numerator: rest.iter().map(|&(part, weight)| (part, -weight)).collect(),
        denominator: promoted.clone(),
        of: "revenue of promoted products per customer",
    };
    Ok(Cannibalisation {
        category: category.name.clone(),
        promoted: figure(&promoted, "effect on promoted products")?,
        rest: figure(&rest, "effect on products not promoted")?,
        whole: figure(&whole, "effect on the category")?,
        rate: ratio(joint, rate, settings.level, Causal::Randomised),
    })
}

/// Parts of a category.
pub(super) struct Category {
    pub(super) name: String,
    pub(super) promoted: Vec<usize>,
    pub(super) rest: Vec<usize>,
}

pub(super) fn categories(ledger: &Ledger) -> Vec<Category> {
    let mut found: Vec<Category> = vec![];
    for (place, part) in ledger.parts().iter().enumerate() {
        let at = found.iter().position(|category| category.name == part.category).unwrap_or_else(|| {
            found.push(Category { name: part.category.clone(), promoted: vec![], rest: vec![] });
            found.len() - 1
        });
        if part.promoted { found[at].promoted.push(place) } else { found[at].rest.push(place) }
    }
    found
}

/// Effects on parts, and last on revenue.
pub(super) fn parts_of(ledger: &Ledger, settings: MoneySettings) -> Result<Joint, MoneyError> {
    let revenue = ledger.weights(&[super::Window::During], super::Measure::Revenue);
    let outcomes: Vec<Weights> = (0..ledger.parts().len()).map(|place| ledger.part(place)).chain(std::iter::once(revenue)).collect();
    Ok(ledger.joint(&outcomes, settings.cuped)?)
}

pub(super) fn sum(parts: &[usize]) -> Weights {
    parts.iter().map(|&part| (part, 1.0)).collect()
}
