//! The price of a basket under many promotions: who may apply, in which order, and what comes out.
//!
//! Promotions apply one after the other, in the order of the set, each to what those before it left.
//! `eligible` and `conditions` say who may; a mechanic says what it does to the units that it sees
//! (`view`); `apply` does it to the state (`runs`); `best_deal` chooses where promotions exclude one
//! another; `finish` writes the answer.

mod apply;
mod best_deal;
mod conditions;
mod eligible;
mod finish;
mod runs;
mod split;
mod view;

use core::cell::RefCell;

use crate::answer::{Priced, Reason, Wrong};
use crate::prelude::*;
use crate::set::{CompiledScope, Facts, LineSet, Promotions, Rule};
use crate::{Basket, Context, Usage};
use apply::State;
use eligible::Clocks;
pub(crate) use runs::Cut;
pub(crate) use split::{Part, split};
pub(crate) use view::{Missing, NextStep, Outcome, Portion, View, ordered, scaled, take};

/// All that pricing one basket looks at.
#[derive(Debug)]
pub(crate) struct Pricing<'a> {
    pub(crate) set: &'a Promotions,
    pub(crate) basket: &'a Basket,
    pub(crate) context: &'a Context,
    pub(crate) facts: Facts,
    clocks: Clocks,
    /// Whether any line has a price floor.
    floors: bool,
    /// Rules that may apply, in order.
    actives: Vec<Active<'a>>,
    /// Room for work that every split needs.
    scratch: RefCell<Vec<(u64, u32)>>,
    /// Rules that the basket touches and that may not apply.
    barred: Vec<(u32, Reason)>,
}

/// A rule that may apply.
#[derive(Debug)]
pub(crate) struct Active<'a> {
    pub(crate) rule: &'a Rule,
    pub(crate) number: u32,
    /// The lines of the scopes of its conditions, then of its effects.
    lines: Vec<LineSet>,
    used: Usage,
}

impl Active<'_> {
    fn condition_lines(&self) -> &[LineSet] {
        &self.lines[..self.rule.condition_scopes.len()]
    }

    fn effect_lines(&self) -> &[LineSet] {
        &self.lines[self.rule.condition_scopes.len()..]
    }
}

impl Promotions {
    /// Prices a basket.
    ///
    /// # Errors
    /// Everything that is wrong with the basket.
    pub fn price(&self, basket: &Basket, context: &Context) -> Result<Priced, Wrong> {
        let problems = basket.problems();
        if !problems.is_empty() {
            return Err(Wrong(problems));
        }
        let pricing = Pricing::new(self, basket, context);
        let (state, best_deal) = pricing.solve();
        Ok(pricing.finish(state, best_deal))
    }
}

impl<'a> Pricing<'a> {
    fn new(set: &'a Promotions, basket: &'a Basket, context: &'a Context) -> Self {
        let facts = Facts::new(&set.names, basket);
        let candidates = set.candidates(&facts, context.at);
        let clocks = Clocks::new(set.zones.len());
        let mut pricing = Self {
            set,
            basket,
            context,
            facts,
            clocks,
            floors: basket.lines.iter().any(|line| line.unit_price_floor > 0),
            actives: Vec::with_capacity(candidates.len()),
            scratch: RefCell::default(),
            barred: vec![],
        };
        for number in candidates {
            let rule = &set.rules[number as usize];
            let used = pricing.used(rule);
            match pricing.eligible(rule, used) {
                Ok(()) => {
                    let lines = pricing.lines_of(rule);
                    pricing.actives.push(Active { rule, number, lines, used });
                }
                Err(reason) => pricing.barred.push((number, reason)),
            }
        }
        pricing
    }

    fn used(&self, rule: &Rule) -> Usage {
        let usage = &self.context.usage;
        if usage.is_empty() { Usage::default() } else { usage.get(&rule.promotion.promotion_id).copied().unwrap_or_default() }
    }

    fn lines_of(&self, rule: &Rule) -> Vec<LineSet> {
        let (facts, basket) = (&self.facts, self.basket);
        let of_condition =
            |(scope, all): &(CompiledScope, bool)| if *all { scope.all_lines(facts, basket) } else { scope.lines(facts, basket) };
        let conditions = rule.condition_scopes.iter().map(of_condition);
        conditions.chain(rule.effect_scopes.iter().map(|scope| scope.lines(facts, basket))).collect()
    }

    fn begin(&self) -> State {
        State::new(self.basket)
    }
}
