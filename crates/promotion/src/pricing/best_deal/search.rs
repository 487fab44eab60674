//! Depth first through the combinations, leaving out what can't be better.

use super::super::apply::State;
use super::super::view::scaled;
use super::super::{Active, Pricing};
use super::SCALE;
use crate::answer::Reason;
use crate::document::{Choice, Within};
use crate::prelude::*;
use crate::set::{Rule, UNKNOWN};

/// A search for the best combination of some actives.
pub(super) struct Search<'p, 'a> {
    pub(super) pricing: &'p Pricing<'a>,
    pub(super) order: &'p [usize],
    required: Option<usize>,
    /// For each of the order, whether another of it excludes it.
    pub(super) contested: Vec<bool>,
    /// Groups of the order that share lines out.
    pub(super) shared: Vec<usize>,
    pub(super) best: Option<State>,
    /// The largest bound of what was left out for want of trials, in ten-thousandths.
    pub(super) open: i128,
    pub(super) trials: u64,
    /// Trials, weighed by how much there is to try.
    pub(super) work: u64,
}

impl<'p, 'a> Search<'p, 'a> {
    pub(super) fn new(pricing: &'p Pricing<'a>, order: &'p [usize], required: Option<usize>) -> Self {
        let rules: Vec<&Rule> = order.iter().map(|place| pricing.actives[*place].rule).collect();
        let groups = &pricing.set.groups;
        let mut members: BTreeMap<usize, usize> = BTreeMap::new();
        let mut shared = Vec::new();
        for rule in rules.iter().filter(|rule| rule.group.is_some()) {
            let Some(group) = rule.group else { continue };
            if rule.is_chosen(groups, Within::Basket) {
                *members.entry(group).or_default() += 1;
            } else if rule.is_chosen(groups, Within::Line) && !shared.contains(&group) {
                shared.push(group);
            }
        }
        let has_group = |rule: &Rule| rule.group.is_some_and(|group| members.get(&group).is_some_and(|count| *count > 1));
        let excluded = |category: u32| category != UNKNOWN && rules.iter().any(|rule| rule.excludes.contains(category));
        let categories: alloc::collections::BTreeSet<u32> =
            rules.iter().map(|rule| rule.category).filter(|category| *category != UNKNOWN).collect();
        let excluded: alloc::collections::BTreeSet<u32> = categories.iter().copied().filter(|category| excluded(*category)).collect();
        let excludes = |rule: &Rule| rule.excludes.iter().any(|category| categories.contains(&category));
        let contested = rules.iter().map(|rule| has_group(rule) || excludes(rule) || excluded.contains(&rule.category)).collect();
        Self { pricing, order, required, contested, shared, best: None, open: 0, trials: 0, work: 0 }
    }

    pub(super) fn has_choices(&self) -> bool {
        !self.shared.is_empty() || self.contested.contains(&true)
    }

    pub(super) fn is_allowed(&self, state: &State) -> bool {
        self.required.is_none_or(|required| state.has_done(required))
    }

    pub(super) fn active(&self, place: usize) -> &'p Active<'a> {
        &self.pricing.actives[self.order[place]]
    }

    pub(super) fn attempt(&mut self, place: usize, state: &mut State) -> bool {
        self.trials += 1;
        self.work += 1 + state.runs.len() as u64 / 64;
        self.pricing.attempt(state, self.order[place])
    }

    /// Whether of two actives only one may apply to a basket.
    fn excludes(&self, one: usize, other: usize) -> bool {
        let [one, other] = [one, other].map(|active| self.pricing.actives[active].rule);
        let same_group = one.group == other.group && one.is_chosen(&self.pricing.set.groups, Within::Basket);
        let excludes = |one: &Rule, other: &Rule| other.category != UNKNOWN && one.excludes.contains(other.category);
        same_group || excludes(one, other) || excludes(other, one)
    }

    /// The active that excludes it.
    fn excluded_by(&self, place: usize, state: &State) -> Option<usize> {
        if let Some(stopped) = state.stopped {
            return Some(stopped);
        }
        let rule = self.active(place).rule;
        let done = || state.done.iter().map(|done| done.active);
        if self.contested[place]
            && let Some(rival) = done().find(|other| self.excludes(self.order[place], *other))
        {
            return Some(rival);
        }
        // Of a group whose first member is the only one.
        let group = rule.group?;
        let of = &self.pricing.set.groups[group];
        let first = of.policy == Choice::First && of.within == Within::Basket;
        done().find(|other| self.pricing.actives[*other].rule.group == Some(group)).filter(|_| first)
    }

    /// Applies the order one after the other; of the contested what `chosen` says.
    pub(super) fn run(&mut self, state: &mut State, chosen: &dyn Fn(usize) -> bool) {
        for place in 0..self.order.len() {
            if (!self.contested[place] || chosen(place)) && self.excluded_by(place, state).is_none() {
                self.attempt(place, state);
            }
        }
    }

    /// A good combination to begin with: those that give most by themselves, and lines to whoever gives
    /// most on them.
    pub(super) fn incumbent(&mut self) {
        let begin = self.pricing.begin();
        let mut worth: Vec<(i128, usize)> = Vec::new();
        for place in (0..self.order.len()).filter(|place| self.contested[*place]).collect::<Vec<_>>() {
            let mut alone = begin.clone();
            self.attempt(place, &mut alone);
            worth.push((alone.benefit, place));
        }
        worth.sort_by_key(|(worth, place)| (core::cmp::Reverse(*worth), *place));
        let mut chosen: Vec<usize> = Vec::new();
        for (_, place) in worth {
            if !chosen.iter().any(|other| self.excludes(self.order[place], self.order[*other])) {
                chosen.push(place);
            }
        }
        chosen.sort_unstable();
        self.incumbent_of_lines(&chosen);
    }

    pub(super) fn keep_if_better(&mut self, state: State) -> bool {
        let better = self.is_allowed(&state) && self.best.as_ref().is_none_or(|best| state.benefit > best.benefit);
        if better {
            self.best = Some(state);
        }
        better
    }

    /// Goes through all combinations from `place` on.
    pub(super) fn walk(&mut self, mut place: usize, mut state: State) {
        // What the rest can give at most, from each place on, while the state stays as it is.
        let mut ahead: Option<Vec<i128>> = None;
        while place < self.order.len() {
            if self.excluded_by(place, &state).is_some() {
                place += 1;
                continue;
            }
            if let Some(group) = self.open_group(place, &state) {
                return self.share_out(group, place, &state);
            }
            if !self.contested[place] {
                if self.attempt(place, &mut state) {
                    ahead = None;
                }
                place += 1;
                continue;
            }
            let rest = ahead.take().unwrap_or_else(|| self.ahead(place, &state, None));
            let benefit = state.benefit * SCALE;
            if self.cut_off(benefit + rest[place]) {
                return;
            }
            let mut taken = state.clone();
            if self.attempt(place, &mut taken) {
                self.walk(place + 1, taken);
            } else {
                // It can't be taken: that is no choice.
                state = taken;
            }
            // And without it.
            place += 1;
            if self.cut_off(benefit + rest[place]) {
                return;
            }
            ahead = Some(rest);
        }
        self.keep_if_better(state);
    }

    /// Whether nothing within this bound can be better than the best, or the trials are used up.
    pub(super) fn cut_off(&mut self, bound: i128) -> bool {
        let known = self.best.as_ref().map_or(-1, |best| best.benefit);
        if bound < (known + 1) * SCALE {
            return true;
        }
        let stopped = self.work > self.pricing.context.most_trials;
        if stopped {
            self.open = self.open.max(bound);
        }
        stopped
    }

    /// At most so much the rest of the order can give, from each place on; `without` a group that shares
    /// lines out.
    pub(super) fn ahead(&mut self, from: usize, state: &State, without: Option<usize>) -> Vec<i128> {
        self.work += 1 + (self.order.len() - from) as u64 / 8;
        let mut ahead = vec![0; self.order.len() + 1];
        // Of a group at most one applies.
        let mut groups: BTreeMap<usize, i128> = BTreeMap::new();
        for place in (from..self.order.len()).rev() {
            let active = self.active(place);
            ahead[place] = ahead[place + 1];
            if self.excluded_by(place, state).is_some() || (without.is_some() && active.rule.group == without) {
                continue;
            }
            let ceiling = self.pricing.ceiling(active, state);
            match active.rule.group {
                Some(group) if active.rule.is_chosen(&self.pricing.set.groups, Within::Basket) => {
                    let most = groups.entry(group).or_default();
                    ahead[place] += (ceiling - *most).max(0);
                    *most = ceiling.max(*most);
                }
                _ => ahead[place] += ceiling,
            }
        }
        ahead
    }

    /// The group of an active whose lines are still to be shared out.
    fn open_group(&self, place: usize, state: &State) -> Option<usize> {
        let group = self.active(place).rule.group.filter(|group| self.shared.contains(group))?;
        (!state.assigned.iter().any(|(other, _, _)| *other == group)).then_some(group)
    }

    /// So much the rounding of a member's whole amount can add to it.
    pub(super) fn rounding_of(&self, member: usize, state: &State) -> i128 {
        let promotion = &self.active(member).rule.promotion;
        let step: i64 = promotion.effects.iter().map(|effect| effect.mechanic().rounding_step()).sum();
        let parts = promotion.each.as_ref().map_or(1, |each| self.pricing.parts(each, &state.runs).len());
        scaled(step) * i128::try_from(parts).unwrap_or(i128::MAX)
    }

    /// Says of those that were not tried why.
    pub(super) fn explained(&self, mut state: State) -> State {
        let mut missed: Vec<usize> = state.missed.iter().map(|(missed, _)| *missed).collect();
        missed.sort_unstable();
        for place in 0..self.order.len() {
            let active = self.order[place];
            if missed.binary_search(&active).is_ok() || state.has_done(active) {
                continue;
            }
            let reason = match self.excluded_by(place, &state) {
                Some(winner) => Reason::ExcludedBy { by: self.pricing.actives[winner].rule.promotion.promotion_id.clone() },
                None => Reason::NotBest,
            };
            state.missed.push((active, reason));
        }
        state
    }
}
