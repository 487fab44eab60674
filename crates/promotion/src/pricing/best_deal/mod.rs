//! Where promotions exclude one another, the combination that leaves the customer best off.
//!
//! A combination says of each promotion that has a rival whether it is taken, and of each line of a
//! group that excludes by line whose it is. Its worth is found by pricing it, as promotions act on
//! what those before them left. The search goes through the combinations depth first and leaves out
//! those that cannot be better than the best one known: prices only fall, so what a promotion would
//! give now is at most its ceiling (branch and bound, Land and Doig 1960). What it leaves out it has
//! therefore proved not to be better. Past `most_trials` it stops, and the largest bound of what it
//! left out is the gap.

mod search;
mod sharing;

use super::apply::State;
use super::eligible::units_left;
use super::runs::Run;
use super::view::{View, scaled};
use super::{Active, Pricing};
use crate::answer::{BestDeal, Reason};
use crate::document::Combine;
use crate::mechanics::Mechanic;
use crate::prelude::*;
use crate::set::{LineSet, UNKNOWN};
use search::Search;

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
            search.run(&mut state, &|_| true);
            let best = search.is_allowed(&state).then(|| (search.explained(state), None));
            return Found { best, open: 0, trials: search.trials };
        }
        search.incumbent();
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
    fn bound(&self, active: &Active<'_>, state: &State, of: Bound) -> i128 {
        let view = self.view(active, state, None, units_left(active.rule, active.used));
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
        self.bound(active, state, |mechanic, view, lines| mechanic.ceiling(view, lines))
    }

    /// At most so much of what an active gives can fall on the line that these runs are, whatever other
    /// lines it has.
    fn line_ceiling(&self, active: &Active<'_>, state: &State, runs: &[Run]) -> i128 {
        let view = View { runs, ..self.view(active, state, None, units_left(active.rule, active.used)) };
        if active.rule.promotion.effects.len() > 1 {
            // What one effect leaves no room for goes elsewhere: no more is sure than what there is.
            return scaled(view.room(&view.whole(&LineSet::All)));
        }
        self.bound_of_part(active, &view, |mechanic, view, lines| mechanic.line_ceiling(view, lines))
    }

    /// At most so much an active gives that falls on no line.
    fn beyond_lines(&self, active: &Active<'_>, state: &State) -> i128 {
        self.bound(active, state, |mechanic, view, lines| mechanic.beyond_lines(view, lines))
    }
}

/// What a search found.
struct Found {
    best: Option<(State, Option<BestDeal>)>,
    /// The largest bound of what was left out for want of trials.
    open: i128,
    trials: u64,
}
