//! From the last state to the answer.

use super::apply::{Done, State};
use super::eligible::entered_code;
use super::runs::Run;
use super::split::{Part, split};
use super::view::{Missing, View};
use super::{Active, Pricing};
use crate::answer::{
    AddOn, Allocation, Applied, BestDeal, GiftLine, Hint, Method, Priced, PricedLine, Reason, Rejected, ShopShare, Target, UnitPrice,
};
use crate::document::{Condition, RoundingMode, Split, Trigger, round};
use crate::prelude::*;
use crate::set::{Rule, UNKNOWN};
use crate::{Detail, Name};

impl Pricing<'_> {
    pub(crate) fn finish(&self, state: State, best_deal: Option<BestDeal>) -> Priced {
        let mut lines = self.lines(&state.runs);
        self.tax_lines(&mut lines);
        let sum = |of: fn(&PricedLine) -> i64| lines.iter().map(of).sum::<i64>();
        let [subtotal, goods, tax_of_lines] = [sum(|line| line.subtotal), sum(|line| line.total), sum(|line| line.tax)];
        let shipment = self.basket.shipping.as_ref();
        let shipping = shipment.map_or(0, |shipment| shipment.amount);
        let included = self.basket.prices_include_tax;
        let tax = tax_of_lines + shipment.map_or(0, |shipment| tax(state.shipping, shipment.tax_basis_points, included));
        let id = |place: usize| self.actives[place].rule.promotion.promotion_id.clone();
        let mut priced = Priced {
            currency: self.basket.currency,
            subtotal,
            discount: subtotal - goods,
            shipping,
            shipping_discount: shipping - state.shipping,
            tax,
            total: goods + state.shipping + if included { 0 } else { tax },
            lines,
            gifts: Vec::new(),
            add_ons: state
                .add_ons
                .iter()
                .map(|(place, product, quantity, price)| AddOn {
                    promotion_id: id(*place),
                    product_id: product.clone(),
                    quantity: *quantity,
                    unit_price: *price,
                })
                .collect(),
            points: state.done.iter().fold(0, |sum: i64, done| sum.saturating_add(done.points)),
            cashback: state.done.iter().fold(0, |sum: i64, done| sum.saturating_add(done.cashback)),
            applied: Vec::with_capacity(state.done.len()),
            rejected: self.rejected(&state),
            hints: self.hints(&state),
            best_deal,
            trace: state.trace,
        };
        for (priority, done) in (1_u32..).zip(state.done) {
            let gift = |(product, quantity, value): &(Name, i64, i64)| GiftLine {
                promotion_id: id(done.active),
                product_id: product.clone(),
                quantity: *quantity,
                unit_price: 0,
                value: *value,
            };
            priced.gifts.extend(done.gifts.iter().map(gift));
            priced.applied.push(self.applied(priority, done));
        }
        priced
    }

    fn lines(&self, runs: &[Run]) -> Vec<PricedLine> {
        let mut runs = runs.iter().peekable();
        let mut lines = Vec::with_capacity(self.basket.lines.len());
        for (place, line) in (0_u32..).zip(&self.basket.lines) {
            let (mut units, mut total): (Vec<UnitPrice>, i64) = (Vec::with_capacity(1), 0);
            while let Some(Run { units: quantity, price, .. }) = runs.next_if(|run| run.line == place) {
                total += quantity * price;
                match units.last_mut() {
                    Some(last) if last.unit_price == *price => last.quantity += quantity,
                    _ => units.push(UnitPrice { quantity: *quantity, unit_price: *price }),
                }
            }
            let subtotal = line.quantity * line.unit_price;
            lines.push(PricedLine {
                line_id: line.line_id.clone(),
                product_id: line.product_id.clone(),
                quantity: line.quantity,
                subtotal,
                discount: subtotal - total,
                total,
                tax: 0,
                units,
            });
        }
        lines
    }

    /// Tax of the lines: rounded once for each rate and split over its lines, so that it makes no
    /// difference on how many lines the goods stand.
    fn tax_lines(&self, lines: &mut [PricedLine]) {
        let mut rates: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
        for (place, line) in self.basket.lines.iter().enumerate() {
            if line.tax_basis_points > 0 {
                rates.entry(line.tax_basis_points).or_default().push(place);
            }
        }
        for (rate, places) in rates {
            let part = |place: &usize| Part { units: 1, weight: lines[*place].total, room: 0 };
            let parts: Vec<Part> = places.iter().map(part).collect();
            let total = parts.iter().map(|part| part.weight).sum();
            let tax = tax(total, rate, self.basket.prices_include_tax);
            // No line has more room than all of them together.
            let parts: Vec<Part> = parts.into_iter().map(|part| Part { room: tax, ..part }).collect();
            for (place, given) in places.into_iter().zip(split(tax, &parts, Split::default())) {
                lines[place].tax = given.each + given.extra;
            }
        }
    }

    fn applied(&self, priority: u32, done: Done) -> Applied {
        let rule = self.actives[done.active].rule;
        let amount = done.amount();
        let mut units = done.shares;
        // Several effects note their shares one after the other.
        if rule.promotion.effects.len() > 1 || rule.promotion.each.is_some() {
            units.sort_by_key(|share| (share.line, share.first));
        }
        let mut allocations: Vec<Allocation> = Vec::with_capacity(units.len() + usize::from(done.shipping > 0));
        for share in &units {
            let (path, amount) = (Target::Line(share.line), share.quantity * share.amount);
            match allocations.last_mut() {
                Some(last) if last.path == path => last.amount += amount,
                _ => allocations.push(Allocation { path, amount }),
            }
        }
        let shops = self.shops(&allocations);
        if done.shipping > 0 {
            allocations.push(Allocation { path: Target::Shipping, amount: done.shipping });
        }
        Applied {
            promotion_id: rule.promotion.promotion_id.clone(),
            code: entered_code(self, self.basket, rule).map(Into::into),
            title: rule.promotion.title().clone(),
            amount,
            automatic: rule.promotion.trigger == Trigger::Automatic {},
            method: if done.each { Method::Each } else { Method::Across },
            priority,
            allocations,
            units,
            shops,
        }
    }

    fn shops(&self, allocations: &[Allocation]) -> Vec<ShopShare> {
        if self.basket.lines.iter().all(|line| line.shop.is_none()) {
            return Vec::new();
        }
        let mut shops: BTreeMap<Name, i64> = BTreeMap::new();
        for allocation in allocations {
            if let Target::Line(line) = allocation.path {
                let shop = self.basket.lines[line as usize].shop.clone().unwrap_or_default();
                *shops.entry(shop).or_default() += allocation.amount;
            }
        }
        shops.into_iter().map(|(shop, amount)| ShopShare { shop, amount }).collect()
    }

    fn rejected(&self, state: &State) -> Vec<Rejected> {
        let missed = state.missed.iter().map(|(place, reason)| (self.actives[*place].number, reason.clone()));
        let mut found: Vec<(u32, Reason)> = missed.chain(self.barred.iter().cloned()).collect();
        found.sort_unstable_by_key(|(number, _)| *number);
        found.dedup_by_key(|(number, _)| *number);
        let every = self.context.detail >= Detail::Every;
        let mut rejected: Vec<Rejected> = Vec::with_capacity(if every { self.set.rules.len() } else { found.len() });
        let rules = &self.set.rules;
        let (currency, at) = (self.basket.currency, self.context.at);
        if every {
            let mut found = found.into_iter().peekable();
            let mut applied: Vec<u32> = state.done.iter().map(|done| self.actives[done.active].number).collect();
            applied.sort_unstable();
            let mut applied = applied.into_iter().peekable();
            let begin = self.begin();
            for (number, brief) in (0_u32..).zip(&self.set.briefs) {
                if applied.next_if_eq(&number).is_some() {
                    continue;
                }
                let known = found.next_if(|(other, _)| *other == number).map(|(_, reason)| reason);
                if known.is_none()
                    && let Some(reason) = brief.lacks(currency, at)
                {
                    debug_assert_eq!(reason, self.lacks(number, &rules[number as usize], &begin), "the brief says what the rule says");
                    rejected.push(Rejected { promotion_id: Some(brief.promotion_id.clone()), code: None, reason });
                    continue;
                }
                let rule = &rules[number as usize];
                rejected.push(self.rejection(rule, known.unwrap_or_else(|| self.lacks(number, rule, &begin))));
            }
        } else {
            rejected.extend(found.into_iter().map(|(number, reason)| self.rejection(&rules[number as usize], reason)));
        }
        for (code, number) in self.basket.codes.iter().zip(&self.facts.codes) {
            if *number == UNKNOWN {
                rejected.push(Rejected { promotion_id: None, code: Some(code.trim().into()), reason: Reason::CodeUnknown });
            }
        }
        rejected
    }

    fn rejection(&self, rule: &Rule, reason: Reason) -> Rejected {
        let code = entered_code(self, self.basket, rule).map(Into::into);
        Rejected { promotion_id: Some(rule.promotion.promotion_id.clone()), code, reason }
    }

    /// What a basket lacks for a rule that the index did not even find.
    fn lacks(&self, number: u32, rule: &Rule, begin: &State) -> Reason {
        let used = self.used(rule);
        let conditions = &rule.promotion.conditions;
        let found = self.eligible(rule, used).and_then(|()| {
            if conditions.is_empty() {
                return Ok(());
            }
            let active = Active { rule, number, lines: self.lines_of(rule), used };
            self.check(conditions, &self.view(&active, begin, None, i64::MAX), active.condition_lines())
        });
        found.err().unwrap_or(Reason::NothingInScope)
    }

    /// What more would give more, the nearest first.
    fn hints(&self, state: &State) -> Vec<Hint> {
        let mut hints = Vec::new();
        let mut say = |place: usize, missing: Missing, saves: Option<i64>| {
            let (missing_amount, missing_units) = match missing {
                Missing::Spend(amount) => (Some(amount), None),
                Missing::Units(units) => (None, Some(units)),
            };
            let promotion_id = self.actives[place].rule.promotion.promotion_id.clone();
            hints.push(Hint { promotion_id, currency: self.basket.currency, missing_amount, missing_units, saves });
        };
        for done in &state.done {
            if let Some(next) = done.next {
                say(done.active, next.missing, Some(next.saves));
            }
        }
        for (place, reason) in &state.missed {
            match reason {
                Reason::SpendMissing { missing } => say(*place, Missing::Spend(*missing), self.would_save(&self.actives[*place], *missing)),
                Reason::UnitsMissing { missing } => say(*place, Missing::Units(*missing), None),
                _ => {}
            }
        }
        hints.sort_by_key(|hint| (hint.missing_units.is_some(), hint.missing_amount.or(hint.missing_units)));
        hints
    }

    /// What a promotion would give at the spend that it asks for.
    fn would_save(&self, active: &Active<'_>, missing: i64) -> Option<i64> {
        let promotion = &*active.rule.promotion;
        let [effect] = promotion.effects.as_slice() else { return None };
        let begin = self.begin();
        let view: View<'_> = self.view(active, &begin, None, i64::MAX);
        // What would be spent in the effect's scope: more where the condition counts the same goods.
        let own = active.effect_lines().first();
        let now = own.map_or(0, |lines| view.cost(&view.whole(lines)));
        let mut scopes = active.condition_lines().iter();
        let mut asked = None;
        for condition in &promotion.conditions {
            let of = if let Condition::SpendAtLeast { amount, .. } = condition { Some(*amount) } else { None };
            let mut first = None;
            condition.scopes(&mut |_, _| first = first.or(scopes.next()));
            asked = asked.or(of.map(|amount| (amount, first)));
        }
        let spend = match asked {
            Some((amount, lines)) if lines == own || own.is_none() => amount,
            Some(_) => now,
            // Without such a condition the effect itself has the threshold.
            None => now.saturating_add(missing),
        };
        effect.mechanic().saves_at(spend).filter(|saves| *saves > 0)
    }
}

/// Tax on an amount, half a minor unit up.
fn tax(amount: i64, basis_points: u32, included: bool) -> i64 {
    if basis_points == 0 {
        return 0;
    }
    let share = i128::from(basis_points);
    let whole = if included { 10_000 + share } else { 10_000 };
    round(i128::from(amount) * share, whole, crate::document::Rounding { mode: RoundingMode::HalfUp, ..Default::default() })
}
