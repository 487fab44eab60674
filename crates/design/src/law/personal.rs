//! Where price and benefit may not depend on the person (China).

use youhui_promotion::{Condition, Effect, Of, Promotion, Trigger};

use super::{Case, Feature, Market, Nature, Violation};

/// In China a price depends on nothing personal, and a benefit on countable, published facts only:
/// never on willingness or ability to pay, preference or habit.
pub(super) fn check(promotion: &Promotion, case: &Case<'_>) -> Result<(), Violation> {
    if case.market != Market::China {
        return Ok(());
    }
    let mut said = Said::default();
    promotion.conditions.iter().for_each(|condition| said.read(condition));
    said.groups.extend(promotion.audience.groups.iter().map(String::as_str));
    for effect in &promotion.effects {
        if let Effect::MemberPrice(price) = effect {
            said.groups.extend(price.groups.iter().map(String::as_str));
        }
    }
    let named = said.attributes.iter().filter_map(|name| Feature::of_attribute(name));
    let features: Vec<Feature> = case.personal.iter().copied().chain(named).collect();
    let forbidden = |feature: &Feature| feature.nature() != Nature::Countable;
    if is_price(promotion) && !features.is_empty() {
        return Err(Violation::Personal { what: "a price", features });
    }
    if features.iter().any(forbidden) {
        return Err(Violation::Personal { what: "a benefit", features: features.into_iter().filter(forbidden).collect() });
    }
    if !case.personal.is_empty() && promotion.audience.rule.trim().is_empty() {
        return Err(Violation::Unpublished { name: promotion.promotion_id.to_string() });
    }
    let unpublished = |name: &&&str| !case.published.iter().any(|published| published == **name);
    match said.groups.iter().chain(&said.attributes).find(unpublished) {
        Some(name) => Err(Violation::Unpublished { name: (*name).to_owned() }),
        None => Ok(()),
    }
}

/// What stands on the shelf by itself is a price; what has to be collected or earned is a benefit.
fn is_price(promotion: &Promotion) -> bool {
    let on_the_shelf = |effect: &Effect| matches!(effect, Effect::ItemPrice(_) | Effect::PercentOff(_) | Effect::MemberPrice(_));
    promotion.trigger == (Trigger::Automatic {}) && promotion.effects.iter().any(on_the_shelf)
}

/// What the conditions ask of the customer.
#[derive(Default)]
struct Said<'a> {
    groups: Vec<&'a str>,
    attributes: Vec<&'a str>,
}

impl<'a> Said<'a> {
    fn read(&mut self, condition: &'a Condition) {
        match condition {
            Condition::CustomerIn { groups } => self.groups.extend(groups.iter().map(String::as_str)),
            Condition::Attribute { of: Of::Customer, name, .. } | Condition::AttributeRange { of: Of::Customer, name, .. } => {
                self.attributes.push(name);
            }
            Condition::All { of } | Condition::Any { of } => of.iter().for_each(|inner| self.read(inner)),
            Condition::Not { of } => self.read(of),
            _ => {}
        }
    }
}
