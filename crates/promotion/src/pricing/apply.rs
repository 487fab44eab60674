//! What one promotion does to the state of pricing.

use super::eligible::{budget_left, units_left};
use super::runs::{Cut, Run, cut, runs_of};
use super::split::{Part, split};
use super::view::{NextStep, Outcome, View};
use super::{Active, Pricing};
use crate::answer::{Reason, Step, Target, UnitShare};
use crate::document::{BudgetEnd, Choice, Each, Layer, Split, Within};
use crate::mechanics::Effect;
use crate::prelude::*;
use crate::set::LineSet;
use crate::{Basket, Detail, Name};

/// What promotions have done so far.
#[derive(Debug, Clone)]
pub(crate) struct State {
    pub(crate) runs: Vec<Run>,
    /// What is left to pay for shipping.
    pub(crate) shipping: i64,
    /// What the customer has gained: money off, gifts at their value, money back.
    pub(crate) benefit: i128,
    pub(crate) done: Vec<Done>,
    /// (active, why it did nothing).
    pub(crate) missed: Vec<(usize, Reason)>,
    /// (active, product, how many more, at what price).
    pub(crate) add_ons: Vec<(usize, Name, i64, i64)>,
    /// The active after which nothing applies.
    pub(crate) stopped: Option<usize>,
    /// Lines of groups that exclude by line: (group, active, its lines).
    pub(crate) assigned: Vec<(usize, usize, LineSet)>,
    pub(crate) trace: Vec<Step>,
    layer: Layer,
}

/// What one promotion did.
#[derive(Debug, Clone, Default)]
pub(crate) struct Done {
    pub(crate) active: usize,
    pub(crate) shares: Vec<UnitShare>,
    pub(crate) shipping: i64,
    pub(crate) gifts: Vec<(Name, i64, i64)>,
    pub(crate) points: i64,
    pub(crate) cashback: i64,
    pub(crate) each: bool,
    pub(crate) next: Option<NextStep>,
}

impl Done {
    /// Taken off goods and shipping.
    pub(crate) fn amount(&self) -> i64 {
        self.shares.iter().map(|share| share.quantity * share.amount).sum::<i64>() + self.shipping
    }

    /// Money off, gifts at their value, money back: 128 bits, as the values of gifts are what a document
    /// says.
    fn gains(&self) -> i128 {
        let gifts = self.gifts.iter().map(|(_, quantity, value)| i128::from(*quantity) * i128::from(*value));
        i128::from(self.amount()) + i128::from(self.cashback) + gifts.sum::<i128>()
    }

    fn gives_nothing(&self) -> bool {
        self.amount() == 0 && self.gifts.iter().all(|(_, quantity, _)| *quantity == 0) && self.points == 0 && self.cashback == 0
    }
}

impl State {
    pub(crate) fn new(basket: &Basket) -> Self {
        Self {
            runs: runs_of(basket),
            shipping: basket.shipping.as_ref().map_or(0, |shipment| shipment.amount),
            benefit: 0,
            done: Vec::new(),
            missed: Vec::new(),
            add_ons: Vec::new(),
            stopped: None,
            assigned: Vec::new(),
            trace: Vec::new(),
            layer: Layer::Catalogue,
        }
    }

    /// A promotion begins: shares are of the prices now, and above the catalogue layer the prices
    /// on the shelf stand.
    fn begin(&mut self, layer: Layer) {
        let leaves_catalogue = self.layer == Layer::Catalogue && layer > Layer::Catalogue;
        for run in &mut self.runs {
            run.before = run.price;
            if leaves_catalogue {
                run.catalogue = run.price;
            }
        }
        self.layer = layer;
    }

    pub(crate) fn has_done(&self, active: usize) -> bool {
        self.done.iter().any(|done| done.active == active)
    }
}

impl Pricing<'_> {
    pub(crate) fn view<'s>(&'s self, active: &Active<'_>, state: &'s State, only: Option<&'s LineSet>, units_left: i64) -> View<'s> {
        View {
            basket: self.basket,
            runs: &state.runs,
            skips_discounted: active.rule.promotion.stacking.skips_discounted,
            part: None,
            floors: self.floors,
            only,
            shipping: state.shipping,
            units_left,
            scratch: &self.scratch,
        }
    }

    /// Applies a promotion to the state, or notes why it does nothing; whether it applied.
    pub(crate) fn attempt(&self, state: &mut State, place: usize) -> bool {
        let active = &self.actives[place];
        let only = self.own_lines(state, place);
        match self.try_apply(state, active, only.as_ref()) {
            Ok(done) => {
                state.benefit += done.gains();
                if active.rule.promotion.stacking.combine == crate::document::Combine::StopAfter {
                    state.stopped = Some(place);
                }
                self.note_lines(state, place, &done);
                self.trace(state, active, Ok(&done));
                state.done.push(Done { active: place, ..done });
                true
            }
            Err(reason) => {
                self.trace(state, active, Err(&reason));
                state.missed.push((place, reason));
                false
            }
        }
    }

    fn try_apply(&self, state: &mut State, active: &Active<'_>, only: Option<&LineSet>) -> Result<Done, Reason> {
        let promotion = &*active.rule.promotion;
        state.begin(active.rule.layer);
        let budget = budget_left(active.rule, active.used);
        // Of several effects, or where units are kept or a budget may refuse it all, the state may have to
        // come back.
        let may_return = promotion.effects.len() > 1 || budget < i64::MAX || promotion.stacking.consumes_units;
        let saved = may_return.then(|| (state.runs.clone(), state.shipping));
        let mut done = Done { each: true, ..Done::default() };
        let mut units = units_left(active.rule, active.used);
        let found = match &promotion.each {
            None => self.try_effects(state, active, only, &mut units, &mut done),
            Some(each) => self.try_each(state, active, each, only, &mut units, &mut done),
        };
        let result = self.within_budget(state, active, done, budget, saved.as_ref());
        let mut reason = found.err().unwrap_or(Reason::NoReduction);
        match result {
            Ok(done) if !done.gives_nothing() => return Ok(done),
            Ok(_) => {}
            Err(why) => reason = why,
        }
        if let Some((runs, shipping)) = saved {
            (state.runs, state.shipping) = (runs, shipping);
        }
        if reason == Reason::NoReduction && state.add_ons.last().is_some_and(|add_on| self.actives[add_on.0].number == active.number) {
            reason = Reason::AddOnNotTaken;
        }
        Err(reason)
    }

    /// Checks the conditions and does what the effects say to the lines of `only`.
    fn try_effects(
        &self,
        state: &mut State,
        active: &Active<'_>,
        only: Option<&LineSet>,
        units: &mut i64,
        done: &mut Done,
    ) -> Result<(), Reason> {
        let promotion = &*active.rule.promotion;
        // A threshold counts the whole basket, also where only some lines are the promotion's own.
        self.check(&promotion.conditions, &self.view(active, state, None, *units), active.condition_lines())?;
        let (mut reason, mut lines) = (None, active.effect_lines());
        for (effect, scopes) in promotion.effects.iter().zip(&active.rule.scopes_of_effects) {
            let (own, rest) = lines.split_at(*scopes);
            lines = rest;
            match effect.mechanic().apply(&self.view(active, state, only, *units), own) {
                Ok(outcome) => *units -= self.take(state, active, outcome, done),
                // Of several effects some may find nothing.
                Err(why) => reason = Some(why),
            }
        }
        reason.map_or(Ok(()), Err)
    }

    /// The same for each part of the basket by itself. Parts share no line, so what is found for all of
    /// them is done at once; shipping, which is of no part, is reduced once.
    fn try_each(
        &self,
        state: &mut State,
        active: &Active<'_>,
        each: &Each,
        only: Option<&LineSet>,
        units: &mut i64,
        done: &mut Done,
    ) -> Result<(), Reason> {
        let promotion = &*active.rule.promotion;
        let mut reason = None;
        let parts = self.parts(each, &state.runs);
        let mut holds = |part: &Vec<usize>| {
            let view = View { part: Some(part), ..self.view(active, state, None, *units) };
            self.check(&promotion.conditions, &view, active.condition_lines()).map_err(|why| reason.get_or_insert(why)).is_ok()
        };
        let holding: Vec<bool> = parts.iter().map(&mut holds).collect();
        let (mut lines, mut gets) = (active.effect_lines(), false);
        for (effect, scopes) in promotion.effects.iter().zip(&active.rule.scopes_of_effects) {
            let (own, rest) = lines.split_at(*scopes);
            lines = rest;
            let mut all = Outcome { each: true, ..Outcome::default() };
            let mut left = *units;
            for part in self.parts(each, &state.runs).iter().zip(&holding).filter(|(_, holds)| **holds).map(|(part, _)| part) {
                let view = View { part: Some(part), units_left: left, ..self.view(active, state, only, left) };
                match effect.mechanic().apply(&view, own) {
                    Ok(outcome) => {
                        left -= outcome.units();
                        gets = true;
                        // Gifts and offers of one part are as those of another.
                        let found = all.join(outcome);
                        *units -= found.map_or(0, |other| self.take(state, active, other, done));
                    }
                    Err(why) => reason = reason.or(Some(why)),
                }
            }
            all.cuts = super::ordered(all.cuts);
            *units -= self.take(state, active, all, done);
        }
        if gets { Ok(()) } else { Err(reason.unwrap_or(Reason::NothingInScope)) }
    }

    /// The runs that a promotion looks at separately, part by part.
    pub(crate) fn parts(&self, each: &Each, runs: &[Run]) -> Vec<Vec<usize>> {
        let lines = &self.basket.lines;
        let key = |line: usize| -> Option<(usize, &str)> {
            let of = &lines[line];
            match each {
                Each::Shop => Some((0, of.shop.as_deref().unwrap_or_default())),
                Each::Product => Some((0, &*of.product_id)),
                Each::Line => Some((line, "")),
                Each::Attribute(name) => Some((0, of.attributes.get(name)?.as_str())),
            }
        };
        let mut parts: BTreeMap<(usize, &str), Vec<usize>> = BTreeMap::new();
        for (place, run) in runs.iter().enumerate() {
            if let Some(key) = key(run.line as usize) {
                parts.entry(key).or_default().push(place);
            }
        }
        parts.into_values().collect()
    }

    /// Does what an effect says; how many units became cheaper.
    fn take(&self, state: &mut State, active: &Active<'_>, mut outcome: Outcome, done: &mut Done) -> i64 {
        let consumes = active.rule.promotion.stacking.consumes_units;
        // Units that only count are marked where they are kept, and else left alone.
        outcome.cuts.retain(|cut| cut.units > 0 && (consumes || cut.each > 0));
        let cheaper: i64 = outcome.cuts.iter().filter(|cut| cut.each > 0).map(|cut| cut.units).sum();
        cut(&mut state.runs, &outcome.cuts, consumes, &mut done.shares);
        state.shipping -= outcome.shipping;
        done.shipping += outcome.shipping;
        done.points = done.points.saturating_add(outcome.points);
        done.cashback = done.cashback.saturating_add(outcome.cashback);
        done.each &= outcome.each;
        done.next = done.next.or(outcome.next);
        let given = outcome.gift.as_ref().map_or(0, |(_, quantity, _)| *quantity);
        done.gifts.extend(outcome.gift.filter(|(_, quantity, _)| *quantity > 0));
        if let Some((product, quantity, price)) = outcome.add_on {
            let place = self.actives.iter().position(|other| other.number == active.number).unwrap_or(0);
            state.add_ons.push((place, product, quantity, price));
        }
        given + cheaper
    }

    /// What of it the budget allows.
    fn within_budget(
        &self,
        state: &mut State,
        active: &Active<'_>,
        done: Done,
        budget: i64,
        saved: Option<&(Vec<Run>, i64)>,
    ) -> Result<Done, Reason> {
        let spends = done.amount().saturating_add(done.cashback);
        if spends <= budget {
            return Ok(done);
        }
        if active.rule.promotion.limits.budget_end == BudgetEnd::Refuse {
            return Err(Reason::BudgetSpent);
        }
        let Some((runs, shipping)) = saved else { return Err(Reason::BudgetSpent) };
        let fits = done.cashback.min(budget);
        let off_shipping = done.shipping.min(budget - fits);
        let goods = budget - fits - off_shipping;
        (state.runs, state.shipping) = (runs.clone(), shipping - off_shipping);
        // Each unit gets its part of what it would have got.
        let pieces = pieces(&done.shares, runs);
        let parts: Vec<Part> = pieces.iter().map(|piece| Part { units: piece.units, weight: piece.each, room: piece.each }).collect();
        let mut cuts = Vec::with_capacity(pieces.len() + 1);
        for (piece, given) in pieces.iter().zip(split(goods, &parts, Split::default())) {
            let mut first = piece.first;
            for (units, each) in given.ranges(piece.units) {
                cuts.push(Cut { first, units, each, ..*piece });
                first += units;
            }
        }
        let mut shares = Vec::new();
        cut(&mut state.runs, &super::ordered(cuts), active.rule.promotion.stacking.consumes_units, &mut shares);
        Ok(Done { shares, shipping: off_shipping, cashback: fits, ..done })
    }

    /// Of a group that excludes by line: the lines that an active may work on; `None` for all.
    fn own_lines(&self, state: &State, place: usize) -> Option<LineSet> {
        let group = self.actives[place].rule.group?;
        let of = &self.set.groups[group];
        if of.within == Within::Basket || of.policy == Choice::Accumulate {
            return None;
        }
        let count = self.basket.lines.len();
        let line = |line: usize| u32::try_from(line).unwrap_or(u32::MAX);
        if of.policy == Choice::Largest {
            let mine = |other: &&(usize, usize, LineSet)| other.0 == group && other.1 == place;
            return Some(state.assigned.iter().find(mine).map_or_else(|| LineSet::of(count, |_| false), |(_, _, lines)| lines.clone()));
        }
        let taken: Vec<&LineSet> = state.assigned.iter().filter(|other| other.0 == group).map(|(_, _, lines)| lines).collect();
        Some(LineSet::of(count, |at| !taken.iter().any(|lines| lines.contains(line(at)))))
    }

    /// Of a group whose first member keeps a line: which lines these are.
    fn note_lines(&self, state: &mut State, place: usize, done: &Done) {
        let Some(group) = self.actives[place].rule.group else { return };
        let of = &self.set.groups[group];
        if of.within == Within::Line && of.policy == Choice::First {
            let lines = LineSet::of(self.basket.lines.len(), |line| done.shares.iter().any(|share| share.line as usize == line));
            state.assigned.push((group, place, lines));
        }
    }

    fn trace(&self, state: &mut State, active: &Active<'_>, found: Result<&Done, &Reason>) {
        if self.context.detail != Detail::Trace {
            return;
        }
        let money = |amount: i64| youhui_commerce::Money::new(amount, self.basket.currency).to_string();
        let kinds: Vec<&str> = active.rule.promotion.effects.iter().map(Effect::name).collect();
        let did = match found {
            Err(reason) => format!("{}: nothing, as {}", kinds.join(" and "), reason.in_words(self.basket.currency)),
            Ok(done) => {
                let mut by: BTreeMap<Target, i64> = BTreeMap::new();
                done.shares.iter().for_each(|share| *by.entry(Target::Line(share.line)).or_default() += share.quantity * share.amount);
                by.insert(Target::Shipping, done.shipping);
                let parts: Vec<String> =
                    by.iter().filter(|(_, amount)| **amount > 0).map(|(path, amount)| format!("{path} {}", money(*amount))).collect();
                let mut did = format!("{}: {} off", kinds.join(" and "), money(done.amount()));
                if !parts.is_empty() {
                    did.push_str(&format!(" ({})", parts.join(", ")));
                }
                done.gifts.iter().for_each(|(product, quantity, _)| did.push_str(&format!("; {quantity} × {product} as a gift")));
                if done.points > 0 {
                    did.push_str(&format!("; {} points", done.points));
                }
                if done.cashback > 0 {
                    did.push_str(&format!("; {} back later", money(done.cashback)));
                }
                did
            }
        };
        let goods = state.runs.iter().map(|run| run.units * run.price).sum();
        state.trace.push(Step { promotion_id: active.rule.promotion.promotion_id.clone(), did, goods, shipping: state.shipping });
    }
}

/// What was taken off, run by run.
fn pieces(shares: &[UnitShare], runs: &[Run]) -> Vec<Cut> {
    let mut pieces = Vec::with_capacity(shares.len());
    for share in shares {
        let from = runs.partition_point(|run| (run.line, run.first + run.units) <= (share.line, share.first));
        for (run, of) in runs.iter().enumerate().skip(from).take_while(|(_, run)| run.line == share.line) {
            let (start, end) = (share.first.max(of.first), (share.first + share.quantity).min(of.first + of.units));
            if start >= end {
                break;
            }
            pieces.push(Cut { run, first: start - of.first, units: end - start, each: share.amount });
        }
    }
    pieces
}
