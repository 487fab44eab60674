//! Where promotions exclude one another, the combination that leaves the customer best off.
//!
//! A combination says of each promotion that has a rival whether it is taken, and of each line of a
//! group that excludes by line whose it is. Its worth is found by pricing it, as promotions act on
//! what those before them left. The search goes through the combinations depth first and leaves out
//! those that cannot be better than the best one known: prices only fall, so what a promotion would
//! give now is at most its ceiling (branch and bound, Land and Doig 1960). What it leaves out it has
//! therefore proved not to be better. Past `most_trials` it stops, and the largest bound of what it
//! left out is the gap.

use super::apply::State;
use super::eligible::units_left;
use super::view::{View, scaled};
use super::{Active, Pricing};
use crate::answer::{BestDeal, Reason};
use crate::document::{Choice, Combine, Within};
use crate::mechanics::Mechanic;
use crate::prelude::*;
use crate::set::{LineSet, UNKNOWN};

/// Bounds are counted in ten-thousandths of a minor unit.
const SCALE: i128 = 10_000;

/// An amount as answers have it.
fn amount(amount: i128) -> i64 {
    i64::try_from(amount).unwrap_or(i64::MAX)
}

/// A bound of one effect, in ten-thousandths of a minor unit.
type Bound = fn(&dyn Mechanic, &View<'_>, &[LineSet]) -> i128;

impl Pricing<'_> {
    /// The state after all promotions, and how it was found where there was something to choose.
    pub(crate) fn solve(&self) -> (State, Option<BestDeal>) {
        let all: Vec<usize> = (0..self.actives.len()).collect();
        let combines = |combine: Combine| move |place: &&usize| self.actives[**place].rule.promotion.stacking.combine == combine;
        if all.iter().all(|place| combines(Combine::All)(&place) || combines(Combine::StopAfter)(&place)) {
            return self.search(&all, None).best.unwrap_or_else(|| (self.begin(), None));
        }
        // The first alone one that applies, with what it tolerates, is all.
        let mut failed = Vec::new();
        for &place in all.iter().filter(combines(Combine::Alone)) {
            // One that does not apply alone does not apply.
            let mut fresh = self.begin();
            self.attempt(&mut fresh, place);
            failed.extend(fresh.missed);
            if let Some((state, deal)) = self.search(&self.beside(place), Some(place)).best {
                return (self.excluding(state, place), deal);
            }
        }
        let is_alone = |place: &usize| combines(Combine::Alone)(&place) || combines(Combine::AloneIfBest)(&place);
        let together: Vec<usize> = all.iter().copied().filter(|place| !is_alone(place)).collect();
        let first = self.search(&together, None);
        let (mut trials, mut open) = (first.trials, first.open);
        let (mut best, mut winner, mut compared) = (first.best.unwrap_or_else(|| (self.begin(), None)), None, false);
        for &place in all.iter().filter(combines(Combine::AloneIfBest)) {
            compared = true;
            let found = self.search(&self.beside(place), Some(place));
            trials += found.trials;
            open = open.max(found.open);
            if let Some(found) = found.best
                && found.0.benefit > best.0.benefit
            {
                best = found;
                winner = Some(place);
            }
        }
        let mut state = match winner {
            Some(place) => self.excluding(best.0, place),
            None => best.0,
        };
        state.missed.extend(failed);
        let known = |state: &State, place: usize| state.has_done(place) || state.missed.iter().any(|(missed, _)| *missed == place);
        for place in all {
            if !known(&state, place) {
                state.missed.push((place, Reason::NotBest));
            }
        }
        let gap = amount((open - state.benefit).max(0));
        let deal = compared.then_some(BestDeal { proven: gap == 0, trials, benefit: amount(state.benefit), gap });
        (state, deal.or(best.1))
    }

    /// An alone promotion and those that it tolerates.
    fn beside(&self, alone: usize) -> Vec<usize> {
        let tolerated = &self.actives[alone].rule.beside;
        let is_in = |place: &usize| {
            let rule = self.actives[*place].rule;
            *place == alone || (rule.category != UNKNOWN && tolerated.contains(rule.category))
        };
        (0..self.actives.len()).filter(is_in).collect()
    }

    fn excluding(&self, mut state: State, winner: usize) -> State {
        let by = &self.actives[winner].rule.promotion.promotion_id;
        for place in 0..self.actives.len() {
            if !state.has_done(place) && !state.missed.iter().any(|(missed, _)| *missed == place) {
                state.missed.push((place, Reason::ExcludedBy { by: by.clone() }));
            }
        }
        state
    }

    /// The best combination of these actives, of those in which `required` applies; if there is any.
    fn search(&self, order: &[usize], required: Option<usize>) -> Found {
        let mut search = Search::new(self, order, required);
        if !search.has_choices() {
            let mut state = self.begin();
            search.run(0, &mut state, &|_| true);
            let best = search.is_allowed(&state).then(|| (search.explained(state), None));
            return Found { best, open: 0, trials: search.trials };
        }
        let mut incumbent = self.begin();
        search.incumbent(&mut incumbent);
        search.best = Some(incumbent).filter(|incumbent| search.is_allowed(incumbent));
        search.walk(0, self.begin());
        let open = search.open.div_euclid(SCALE);
        let best = search.best.take().map(|best| {
            let gap = amount((open - best.benefit).max(0));
            let deal = BestDeal { proven: gap == 0, trials: search.trials, benefit: amount(best.benefit), gap };
            (search.explained(best), Some(deal))
        });
        Found { best, open, trials: search.trials }
    }

    /// The sum of a bound of the effects of an active, in ten-thousandths.
    fn bound(&self, active: &Active<'_>, state: &State, only: Option<&LineSet>, of: Bound) -> i128 {
        let view = self.view(active, state, only, units_left(active.rule, active.used));
        match &active.rule.promotion.each {
            None => self.bound_of_part(active, &view, of),
            Some(each) => {
                let parts = self.parts(each, &state.runs);
                parts.iter().map(|part| self.bound_of_part(active, &View { part: Some(part), ..view }, of)).sum()
            }
        }
    }

    fn bound_of_part(&self, active: &Active<'_>, view: &View<'_>, of: Bound) -> i128 {
        let mut lines = active.effect_lines();
        let effects = active.rule.promotion.effects.iter().zip(&active.rule.scopes_of_effects);
        effects
            .map(|(effect, scopes)| {
                let (own, rest) = lines.split_at(*scopes);
                lines = rest;
                of(effect.mechanic(), view, own)
            })
            .sum()
    }

    /// At most so much an active can still give.
    fn ceiling(&self, active: &Active<'_>, state: &State) -> i128 {
        self.bound(active, state, None, |mechanic, view, lines| mechanic.ceiling(view, lines))
    }

    /// At most so much of what an active gives can fall on one line, whatever other lines it has.
    fn line_ceiling(&self, active: &Active<'_>, state: &State, line: &LineSet) -> i128 {
        if active.rule.promotion.effects.len() > 1 {
            // What one effect leaves no room for goes elsewhere: no more is sure than what there is.
            let view = self.view(active, state, Some(line), i64::MAX);
            return scaled(view.room(&view.whole(&LineSet::All)));
        }
        self.bound(active, state, Some(line), |mechanic, view, lines| mechanic.line_ceiling(view, lines))
    }

    /// At most so much an active gives that falls on no line.
    fn beyond_lines(&self, active: &Active<'_>, state: &State) -> i128 {
        self.bound(active, state, None, |mechanic, view, lines| mechanic.beyond_lines(view, lines))
    }
}

/// What a search found.
struct Found {
    best: Option<(State, Option<BestDeal>)>,
    /// The largest bound of what was left out for want of trials.
    open: i128,
    trials: u64,
}

struct Search<'p, 'a> {
    pricing: &'p Pricing<'a>,
    order: &'p [usize],
    required: Option<usize>,
    /// For each of the order, which others of it exclude it.
    rivals: Vec<Vec<usize>>,
    /// Groups of the order that share lines out.
    shared: Vec<usize>,
    best: Option<State>,
    /// The largest bound of what was left out for want of trials, in ten-thousandths.
    open: i128,
    trials: u64,
}

impl<'p, 'a> Search<'p, 'a> {
    fn new(pricing: &'p Pricing<'a>, order: &'p [usize], required: Option<usize>) -> Self {
        let rule = |place: usize| pricing.actives[order[place]].rule;
        let groups = &pricing.set.groups;
        let mut rivals = vec![Vec::new(); order.len()];
        let may_exclude = |place: &usize| rule(*place).is_chosen(groups, Within::Basket) || !rule(*place).excludes.is_empty();
        for one in (0..order.len()).filter(may_exclude) {
            for other in 0..order.len() {
                let (this, that) = (rule(one), rule(other));
                let same_group = this.group == that.group && this.is_chosen(groups, Within::Basket);
                let excludes = that.category != UNKNOWN && this.excludes.contains(that.category);
                if one != other && (same_group || excludes) {
                    rivals[one].push(other);
                    if !rivals[other].contains(&one) {
                        rivals[other].push(one);
                    }
                }
            }
        }
        rivals.iter_mut().for_each(|list| {
            list.sort_unstable();
            list.dedup();
        });
        let mut shared: Vec<usize> =
            (0..order.len()).filter(|place| rule(*place).is_chosen(groups, Within::Line)).filter_map(|place| rule(place).group).collect();
        shared.sort_unstable();
        shared.dedup();
        Self { pricing, order, required, rivals, shared, best: None, open: 0, trials: 0 }
    }

    fn has_choices(&self) -> bool {
        !self.shared.is_empty() || self.rivals.iter().any(|rivals| !rivals.is_empty())
    }

    fn is_allowed(&self, state: &State) -> bool {
        self.required.is_none_or(|required| state.has_done(required))
    }

    fn active(&self, place: usize) -> &'p Active<'a> {
        &self.pricing.actives[self.order[place]]
    }

    fn attempt(&mut self, place: usize, state: &mut State) -> bool {
        self.trials += 1;
        self.pricing.attempt(state, self.order[place])
    }

    /// The taken rival that excludes it.
    fn excluded_by(&self, place: usize, state: &State) -> Option<usize> {
        if let Some(stopped) = state.stopped {
            return Some(stopped);
        }
        if let Some(rival) = self.rivals[place].iter().find(|rival| state.has_done(self.order[**rival])) {
            return Some(self.order[*rival]);
        }
        // Of a group whose first member is the only one.
        let group = self.active(place).rule.group?;
        let of = &self.pricing.set.groups[group];
        let first = of.policy == Choice::First && of.within == Within::Basket;
        let member = |done: &&super::apply::Done| self.pricing.actives[done.active].rule.group == Some(group);
        state.done.iter().find(member).filter(|_| first).map(|done| done.active)
    }

    /// Applies the rest of the order one after the other; of those with rivals what `chosen` says.
    fn run(&mut self, from: usize, state: &mut State, chosen: &dyn Fn(usize) -> bool) {
        for place in from..self.order.len() {
            if (self.rivals[place].is_empty() || chosen(place)) && self.excluded_by(place, state).is_none() {
                self.attempt(place, state);
            }
        }
    }

    /// A good combination to begin with: the promotions that give most by themselves, and lines to
    /// whoever gives most on them.
    fn incumbent(&mut self, state: &mut State) {
        let begin = state.clone();
        for group in self.shared.clone() {
            let (members, lines) = self.sharing(group);
            let table = self.table(&members, &lines, &begin);
            let best = |line: usize| {
                (0..members.len())
                    .filter(|member| table[*member][line] > 0)
                    .max_by_key(|member| (table[*member][line], core::cmp::Reverse(*member)))
            };
            let choice: Vec<Option<usize>> = (0..lines.len()).map(best).collect();
            self.assign(group, &members, &lines, &choice, state);
        }
        let contested: Vec<usize> = (0..self.order.len()).filter(|place| !self.rivals[*place].is_empty()).collect();
        let mut worth: Vec<(i128, usize)> = contested
            .into_iter()
            .map(|place| {
                let mut alone = begin.clone();
                self.attempt(place, &mut alone);
                (alone.benefit, place)
            })
            .collect();
        worth.sort_by_key(|(worth, place)| (core::cmp::Reverse(*worth), *place));
        let mut chosen: Vec<usize> = Vec::new();
        for (_, place) in worth {
            if !self.rivals[place].iter().any(|rival| chosen.contains(rival)) {
                chosen.push(place);
            }
        }
        self.run(0, state, &|place| chosen.contains(&place));
    }

    /// Goes through all combinations from `place` on.
    fn walk(&mut self, mut place: usize, mut state: State) {
        while place < self.order.len() {
            if self.excluded_by(place, &state).is_some() {
                place += 1;
                continue;
            }
            if let Some(group) = self.open_group(place, &state) {
                return self.share_out(group, place, &state);
            }
            if self.rivals[place].is_empty() {
                self.attempt(place, &mut state);
                place += 1;
                continue;
            }
            if self.hopeless(place, &state) {
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
            if self.hopeless(place, &state) {
                return;
            }
        }
        if self.is_allowed(&state) && self.best.as_ref().is_none_or(|best| state.benefit > best.benefit) {
            self.best = Some(state);
        }
    }

    /// Whether nothing from here on can be better than the best, or the trials are used up.
    fn hopeless(&mut self, place: usize, state: &State) -> bool {
        let bound = state.benefit * SCALE + self.rest(place, state, None);
        self.cut_off(bound)
    }

    fn cut_off(&mut self, bound: i128) -> bool {
        let known = self.best.as_ref().map_or(-1, |best| best.benefit);
        if bound < (known + 1) * SCALE {
            return true;
        }
        let stopped = self.trials > self.pricing.context.most_trials;
        if stopped {
            self.open = self.open.max(bound);
        }
        stopped
    }

    /// At most so much the rest of the order can give; `without` a group that shares lines out.
    fn rest(&mut self, from: usize, state: &State, without: Option<usize>) -> i128 {
        let mut sum = 0;
        // Of a group at most one applies.
        let mut groups: BTreeMap<usize, i128> = BTreeMap::new();
        for place in from..self.order.len() {
            let active = self.active(place);
            if self.excluded_by(place, state).is_some() || (without.is_some() && active.rule.group == without) {
                continue;
            }
            self.trials += 1;
            let ceiling = self.pricing.ceiling(active, state);
            match active.rule.group {
                Some(group) if active.rule.is_chosen(&self.pricing.set.groups, Within::Basket) => {
                    let most = groups.entry(group).or_default();
                    *most = ceiling.max(*most);
                }
                _ => sum += ceiling,
            }
        }
        sum + groups.values().sum::<i128>()
    }

    /// The group of an active whose lines are still to be shared out.
    fn open_group(&self, place: usize, state: &State) -> Option<usize> {
        let group = self.active(place).rule.group.filter(|group| self.shared.contains(group))?;
        (!state.assigned.iter().any(|(other, _, _)| *other == group)).then_some(group)
    }

    /// The members of a group and the lines that any of them could make cheaper.
    fn sharing(&self, group: usize) -> (Vec<usize>, Vec<u32>) {
        let members: Vec<usize> = (0..self.order.len()).filter(|place| self.active(*place).rule.group == Some(group)).collect();
        let touches =
            |line: &u32| members.iter().any(|member| self.active(*member).effect_lines().iter().any(|lines| lines.contains(*line)));
        let count = u32::try_from(self.pricing.basket.lines.len()).unwrap_or(u32::MAX);
        let lines = (0..count).filter(touches).collect();
        (members, lines)
    }

    /// Whether a member could work on a line.
    fn touches(&self, member: usize, line: u32) -> bool {
        self.active(member).effect_lines().iter().any(|lines| lines.contains(line))
    }

    /// For each member and line, at most so much it can take off there.
    fn table(&self, members: &[usize], lines: &[u32], state: &State) -> Vec<Vec<i128>> {
        let count = self.pricing.basket.lines.len();
        let only = |line: u32| LineSet::of(count, |other| other == line as usize);
        members
            .iter()
            .map(|member| lines.iter().map(|line| self.pricing.line_ceiling(self.active(*member), state, &only(*line))).collect())
            .collect()
    }

    fn assign(&self, group: usize, members: &[usize], lines: &[u32], choice: &[Option<usize>], state: &mut State) {
        let count = self.pricing.basket.lines.len();
        for (number, member) in members.iter().enumerate() {
            let own =
                LineSet::of(count, |line| lines.iter().zip(choice).any(|(at, chosen)| *at as usize == line && *chosen == Some(number)));
            state.assigned.push((group, self.order[*member], own));
        }
    }

    /// Goes through all ways to share the lines of a group out among its members.
    fn share_out(&mut self, group: usize, place: usize, state: &State) {
        let (members, lines) = self.sharing(group);
        let table = self.table(&members, &lines, state);
        // A rounding of each member's whole amount can add one unit to it.
        let slack = scaled(members.iter().map(|member| self.rounding_step(*member)).sum());
        let beyond: i128 = members.iter().map(|member| self.pricing.beyond_lines(self.active(*member), state)).sum();
        let others = state.benefit * SCALE + self.rest(place, state, Some(group)) + slack + beyond;
        let most = |line: usize| table.iter().map(|member| member[line]).max().unwrap_or(0);
        // What the lines from each on can give at most.
        let mut ahead = vec![0; lines.len() + 1];
        for line in (0..lines.len()).rev() {
            ahead[line] = ahead[line + 1] + most(line);
        }
        let sharing = Sharing { group, place, members, lines, table, others, ahead };
        self.share_line(&sharing, &mut Vec::new(), 0, state);
    }

    fn rounding_step(&self, member: usize) -> i64 {
        self.active(member).rule.promotion.effects.iter().map(|effect| effect.mechanic().rounding_step()).sum()
    }

    fn share_line(&mut self, sharing: &Sharing, choice: &mut Vec<Option<usize>>, given: i128, state: &State) {
        self.trials += 1;
        if self.cut_off(sharing.others + given + sharing.ahead[choice.len()]) {
            return;
        }
        let line = choice.len();
        if line == sharing.lines.len() {
            let mut shared = state.clone();
            self.assign(sharing.group, &sharing.members, &sharing.lines, choice, &mut shared);
            return self.walk(sharing.place, shared);
        }
        let mut options: Vec<Option<usize>> =
            (0..sharing.members.len()).filter(|member| self.touches(sharing.members[*member], sharing.lines[line])).map(Some).collect();
        let ceiling = |option: &Option<usize>| option.map_or(0, |member| sharing.table[member][line]);
        options.sort_by_key(|option| core::cmp::Reverse(ceiling(option)));
        options.push(None);
        for option in options {
            choice.push(option);
            self.share_line(sharing, choice, given + ceiling(&option), state);
            choice.pop();
        }
    }

    /// Says of those that were not tried why.
    fn explained(&self, mut state: State) -> State {
        for place in 0..self.order.len() {
            let active = self.order[place];
            if state.has_done(active) || state.missed.iter().any(|(missed, _)| *missed == active) {
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

/// A group whose lines are shared out.
struct Sharing {
    group: usize,
    place: usize,
    members: Vec<usize>,
    lines: Vec<u32>,
    /// By member and line.
    table: Vec<Vec<i128>>,
    others: i128,
    ahead: Vec<i128>,
}
