//! Conditions against the state of pricing.

use super::Pricing;
use super::view::View;
use crate::answer::Reason;
use crate::document::{Basis, Condition, Of};
use crate::prelude::*;
use crate::set::LineSet;

impl Pricing<'_> {
    /// Whether all conditions hold; the first that doesn't says why. `lines` are the lines of their
    /// scopes, in order.
    pub(crate) fn check(&self, conditions: &[Condition], view: &View<'_>, lines: &[LineSet]) -> Result<(), Reason> {
        let mut lines = lines;
        conditions.iter().try_for_each(|condition| self.check_one(condition, view, &mut lines))
    }

    fn check_one(&self, condition: &Condition, view: &View<'_>, lines: &mut &[LineSet]) -> Result<(), Reason> {
        let basket = self.basket;
        let holds = |holds: bool, reason: Reason| if holds { Ok(()) } else { Err(reason) };
        match condition {
            Condition::SpendAtLeast { amount, basis, .. } => {
                let missing = amount - view.count(&view.whole(next(lines)), *basis);
                holds(missing <= 0, Reason::SpendMissing { missing })
            }
            Condition::QuantityAtLeast { quantity, most_per_line, .. } => {
                let portions = view.whole(next(lines));
                let units = match most_per_line {
                    None => view.count(&portions, Basis::Quantity),
                    Some(most) => {
                        let of_lines = portions.chunk_by(|one, other| view.run(one).line == view.run(other).line);
                        of_lines.map(|line| view.count(line, Basis::Quantity).min(*most)).sum()
                    }
                };
                holds(units >= *quantity, Reason::UnitsMissing { missing: quantity - units })
            }
            Condition::Contains { .. } => holds(!view.whole(next(lines)).is_empty(), Reason::ProductMissing),
            Condition::ContainsOnly { .. } => {
                let lines = next(lines);
                holds(view.all_lines(|line| lines.contains(line)), Reason::OtherProducts)
            }
            Condition::DistinctAtLeast { products, .. } => {
                let portions = view.whole(next(lines));
                let mut found: Vec<&str> =
                    portions.iter().map(|portion| &*basket.lines[view.run(portion).line as usize].product_id).collect();
                found.sort_unstable();
                found.dedup();
                let missing = products - i64::try_from(found.len()).unwrap_or(i64::MAX);
                holds(missing <= 0, Reason::ProductsMissing { missing })
            }
            Condition::NthOrder { n } => holds(basket.customer.completed_orders == Some(n - 1), Reason::OtherOrder),
            Condition::CompletedOrders { at_least, at_most } => {
                holds(basket.customer.completed_orders.is_some_and(|orders| within(orders, *at_least, *at_most)), Reason::OtherOrder)
            }
            Condition::CustomerIn { groups } => {
                holds(basket.customer.groups.iter().any(|group| groups.contains(group)), Reason::CustomerNotEligible)
            }
            Condition::Attribute { of, name, one_of } => {
                let found = self.attribute(*of, name).is_some_and(|value| one_of.iter().any(|other| other == value));
                holds(found, Reason::AttributeMissing { name: name.as_str().into() })
            }
            Condition::AttributeRange { of, name, at_least, at_most } => {
                let number = self.attribute(*of, name).and_then(|value| value.trim().parse().ok());
                let found = number.is_some_and(|number| within(number, *at_least, *at_most));
                holds(found, Reason::AttributeMissing { name: name.as_str().into() })
            }
            Condition::ShippingMethod { one_of } => {
                let method = basket.shipping.as_ref().and_then(|shipment| shipment.method.as_ref());
                holds(method.is_some_and(|method| one_of.contains(method)), Reason::OtherShippingMethod)
            }
            // Every one is visited, so that the scopes of the next are found.
            Condition::All { of } => {
                let mut first = Ok(());
                for inner in of {
                    let found = self.check_one(inner, view, lines);
                    first = first.and(found);
                }
                first
            }
            Condition::Any { of } => {
                let found: Vec<Result<(), Reason>> = of.iter().map(|inner| self.check_one(inner, view, lines)).collect();
                if found.iter().any(Result::is_ok) { Ok(()) } else { found.into_iter().next().unwrap_or(Ok(())) }
            }
            Condition::Not { of } => {
                let found = self.check_one(of, view, lines);
                holds(found.is_err(), Reason::ConditionHolds)
            }
        }
    }

    fn attribute(&self, of: Of, name: &str) -> Option<&str> {
        let attributes = match of {
            Of::Basket => &self.basket.attributes,
            Of::Customer => &self.basket.customer.attributes,
        };
        attributes.get(name).map(String::as_str)
    }
}

fn next<'l>(lines: &mut &'l [LineSet]) -> &'l LineSet {
    const NONE: LineSet = LineSet::Small(0);
    match lines.split_first() {
        Some((first, rest)) => {
            *lines = rest;
            first
        }
        None => &NONE,
    }
}

fn within(number: i64, at_least: Option<i64>, at_most: Option<i64>) -> bool {
    at_least.is_none_or(|least| number >= least) && at_most.is_none_or(|most| number <= most)
}
