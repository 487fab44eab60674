//! Facts and a snapshot → a decision.

use serde::{Deserialize, Serialize};
use youhui_commerce::Draw;

use crate::facts::{Candidate, DecisionId, Facts, Kept, Place, Unknown, View};
use crate::policy::{Estimate, drawn};
use crate::snapshot::Snapshot;

/// How a place came to be filled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// For this customer.
    Personalised,
    /// What anybody sees: the customer has it so.
    Twin,
    /// What anybody sees: no better answer could be given.
    Fallback,
    /// Nothing, by lot, so that effects can be measured.
    Holdout,
}

/// Why it is what it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// Worth more than every other option.
    Best,
    /// Drawn to learn what it is worth.
    Explored,
    /// Shown before, and its window is not over.
    Kept,
    /// The lot of the holdout.
    HeldOut,
    /// There was nothing to show.
    NoCandidate,
    /// Nothing of the customer was used.
    Unknown(Unknown),
}

/// One option that was looked at.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Considered {
    /// The offer's number in the snapshot; `None` is showing nothing.
    pub offer: Option<u32>,
    /// What it was thought to be worth.
    pub estimate: Estimate,
    /// How likely it was to be shown.
    pub probability: f64,
}

/// One place, filled.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Filled {
    /// Which place.
    pub placement: String,
    /// The offer's number in the snapshot; `None` is nothing.
    pub offer: Option<u32>,
    /// How likely this was, given what was shown in the places before it and that the customer is held out or not.
    pub propensity: f64,
    /// How it came about.
    pub mode: Mode,
    /// Why.
    pub reason: Reason,
    /// The decision that still stands.
    pub kept_from: Option<DecisionId>,
    /// What was looked at, nothing first.
    pub options: Vec<Considered>,
}

impl Filled {
    /// Whether it begins a window: what the customer does within is its outcome. What still stands belongs to the decision
    /// that it stands from, and of who isn't known nothing is learnt.
    pub fn begins(&self) -> bool {
        self.kept_from.is_none() && matches!(self.reason, Reason::Best | Reason::Explored | Reason::HeldOut)
    }

    /// What was thought of the option that was shown; `None` where nothing was weighed.
    pub fn expected(&self) -> Option<Estimate> {
        self.options.iter().find(|option| option.offer == self.offer).map(|option| option.estimate)
    }
}

/// A decision.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Decision {
    /// Which.
    pub decision: DecisionId,
    /// Version of the snapshot that it was made with.
    pub snapshot: u64,
    /// The places in the order that was asked for.
    pub places: Vec<Filled>,
}

/// Fills every place. What one place shows, no later one does.
pub fn decide(snapshot: &Snapshot, facts: &Facts) -> Decision {
    let mut draw = Draw::seeded(facts.decision.seed());
    let mut shown: Vec<u32> = Vec::with_capacity(facts.places.len());
    let mut places = Vec::with_capacity(facts.places.len());
    for place in &facts.places {
        let candidates: Vec<Candidate> = place.candidates.iter().filter(|one| usable(snapshot, one, &shown)).copied().collect();
        let filled = fill(snapshot, facts, place, &candidates, draw.uniform());
        shown.extend(filled.offer);
        places.push(filled);
    }
    Decision { decision: facts.decision, snapshot: snapshot.version, places }
}

fn usable(snapshot: &Snapshot, candidate: &Candidate, shown: &[u32]) -> bool {
    snapshot.offers.len() > candidate.offer as usize && !shown.contains(&candidate.offer)
}

fn fill(snapshot: &Snapshot, facts: &Facts, place: &Place, candidates: &[Candidate], uniform: f64) -> Filled {
    let (subject, view) = match facts.view() {
        Ok(known) => known,
        Err(why) => return for_anybody(snapshot, place, candidates, why),
    };
    if view.context.len() != snapshot.width {
        return for_anybody(snapshot, place, candidates, Unknown::NoProfile);
    }
    if snapshot.holds_out(subject) {
        let first = view.kept.iter().find(|(placement, _)| *placement == place.placement).map(|(_, kept)| kept.decision);
        return Filled { mode: Mode::Holdout, kept_from: first, ..certain(place, None, Reason::HeldOut) };
    }
    if let Some(kept) = still_stands(view, place, candidates) {
        let filled = certain(place, kept.offer, Reason::Kept);
        return Filled { propensity: kept.propensity, kept_from: Some(kept.decision), ..filled };
    }
    if candidates.is_empty() {
        return certain(place, None, Reason::NoCandidate);
    }
    explore(snapshot, view, place, candidates, uniform)
}

/// What was decided before, if that can still be shown.
fn still_stands<'a>(view: &'a View, place: &Place, candidates: &[Candidate]) -> Option<&'a Kept> {
    let (_, kept) = view.kept.iter().find(|(placement, _)| *placement == place.placement)?;
    kept.offer.is_none_or(|offer| candidates.iter().any(|one| one.offer == offer)).then_some(kept)
}

/// The non-personalised twin: the first offer that is meant for everybody.
fn for_anybody(snapshot: &Snapshot, place: &Place, candidates: &[Candidate], why: Unknown) -> Filled {
    let twin = candidates.iter().map(|one| one.offer).find(|&offer| snapshot.offers[offer as usize].twin);
    let mode = if why.by_right() { Mode::Twin } else { Mode::Fallback };
    Filled { mode, ..certain(place, twin, Reason::Unknown(why)) }
}

fn certain(place: &Place, offer: Option<u32>, reason: Reason) -> Filled {
    let placement = place.placement.clone();
    Filled { placement, offer, propensity: 1.0, mode: Mode::Personalised, reason, kept_from: None, options: vec![] }
}

fn explore(snapshot: &Snapshot, view: &View, place: &Place, candidates: &[Candidate], uniform: f64) -> Filled {
    let nothing = Estimate { mean: 0.0, std_error: 0.0 };
    let estimate = |candidate: &Candidate| {
        let offer = &snapshot.offers[candidate.offer as usize];
        let estimate = offer.belief.estimate(&view.context, candidate.predicted.map_or(offer.predicted, f64::from));
        Estimate { mean: estimate.mean - f64::from(candidate.budget_price), ..estimate }
    };
    let estimates: Vec<Estimate> = std::iter::once(nothing).chain(candidates.iter().map(estimate)).collect();
    let probabilities = snapshot.exploration.probabilities(&estimates);
    let chosen = drawn(&probabilities, uniform);
    let best = (1..estimates.len()).fold(0, |best, one| if estimates[one].mean > estimates[best].mean { one } else { best });
    let offers = || std::iter::once(None).chain(candidates.iter().map(|one| Some(one.offer)));
    let options = offers().zip(&estimates).zip(&probabilities);
    Filled {
        propensity: probabilities[chosen],
        reason: if chosen == best { Reason::Best } else { Reason::Explored },
        options: options
            .map(|((offer, estimate), probability)| Considered { offer, estimate: *estimate, probability: *probability })
            .collect(),
        ..certain(place, chosen.checked_sub(1).map(|number| candidates[number].offer), Reason::Best)
    }
}

#[cfg(test)]
mod tests {
    use youhui_commerce::SubjectId;
    use youhui_privacy::{ConsentLedger, PermittedProfile, Purpose, Status};

    use super::*;
    use crate::facts::Request;
    use crate::policy::{Exploration, Policy};
    use crate::posterior::Belief;
    use crate::snapshot::Offer;

    /// Offers that bring 100, 50 and −10, known well, of which the second is for everybody.
    fn snapshot(holdout_share: f64) -> Snapshot {
        let offer = |name: &str, predicted: f64| Offer {
            promotion_id: name.to_owned(),
            campaign_id: "c".to_owned(),
            campaign_version: 1,
            placements: vec![],
            channels: vec![],
            twin: name == "b",
            predicted,
            belief: Belief::prior(1, 1.0),
        };
        Snapshot {
            version: 1,
            width: 1,
            holdout_share,
            salt: 1,
            exploration: Exploration { policy: Policy::Greedy, floor: 0.0 },
            offers: vec![offer("a", 100.0), offer("b", 50.0), offer("c", -10.0)],
        }
    }

    fn request(candidates: &[Candidate], places: &[&str]) -> Request {
        let place = |name: &&str| Place { placement: (*name).to_owned(), candidates: candidates.to_vec() };
        let places = places.iter().map(place).collect();
        Request { decision: DecisionId::new(0, [3; 16]), time: 0, channel: "web".to_owned(), snapshot: 1, places }
    }

    fn profile(view: View) -> PermittedProfile<View> {
        ConsentLedger::new(Status::Granted, "test").permit(SubjectId::from_bytes([9; 16]), Purpose::Personalisation, view).unwrap()
    }

    fn view() -> View {
        View { context: vec![1.0], kept: vec![] }
    }

    fn candidate(offer: u32) -> Candidate {
        Candidate { offer, predicted: None, budget_price: 0.0 }
    }

    fn offers(decision: &Decision) -> Vec<Option<u32>> {
        decision.places.iter().map(|filled| filled.offer).collect()
    }

    #[test]
    fn the_best_one_comes_first_none_twice_and_nothing_beats_a_loss() {
        let all = [0, 1, 2].map(candidate);
        let facts = Facts::personal(request(&all, &["1", "2", "3"]), profile(view()));
        assert_eq!(offers(&decide(&snapshot(0.0), &facts)), [Some(0), Some(1), None]);
    }

    #[test]
    fn a_customers_own_prediction_and_the_price_of_budgets_count() {
        let own = [candidate(0), Candidate { predicted: Some(200.0), ..candidate(1) }];
        let facts = Facts::personal(request(&own, &["1"]), profile(view()));
        assert_eq!(offers(&decide(&snapshot(0.0), &facts)), [Some(1)]);
        let dear = [Candidate { budget_price: 60.0, ..candidate(0) }, candidate(1)];
        let facts = Facts::personal(request(&dear, &["1"]), profile(view()));
        assert_eq!(offers(&decide(&snapshot(0.0), &facts)), [Some(1)]);
    }

    #[test]
    fn who_is_not_known_sees_the_twin_and_who_is_held_out_nothing() {
        let all = [0, 1, 2].map(candidate);
        for (why, mode) in [(Unknown::Objection, Mode::Twin), (Unknown::NoProfile, Mode::Fallback)] {
            let decision = decide(&snapshot(0.0), &Facts::of_nobody(request(&all, &["1"]), why));
            assert_eq!((offers(&decision), decision.places[0].mode), (vec![Some(1)], mode));
            assert!(!decision.places[0].begins());
        }
        let decision = decide(&snapshot(1.0), &Facts::personal(request(&all, &["1"]), profile(view())));
        assert_eq!((offers(&decision), decision.places[0].mode), (vec![None], Mode::Holdout));
        // A profile of another width is of another program: nothing of it is used.
        let wide = View { context: vec![1.0, 2.0], kept: vec![] };
        let decision = decide(&snapshot(0.0), &Facts::personal(request(&all, &["1"]), profile(wide)));
        assert_eq!(decision.places[0].mode, Mode::Fallback);
    }

    #[test]
    fn what_was_shown_stands_while_it_can_be_shown() {
        let kept = Kept { decision: DecisionId::new(0, [1; 16]), offer: Some(2), propensity: 0.25 };
        let view = View { kept: vec![("1".to_owned(), kept)], ..view() };
        let all = [0, 1, 2].map(candidate);
        let decision = decide(&snapshot(0.0), &Facts::personal(request(&all, &["1"]), profile(view.clone())));
        assert_eq!((offers(&decision), decision.places[0].propensity), (vec![Some(2)], 0.25));
        assert!(!decision.places[0].begins());
        let decision = decide(&snapshot(0.0), &Facts::personal(request(&all[..2], &["1"]), profile(view)));
        assert_eq!(offers(&decision), [Some(0)], "it ran out");
        // An offer that no snapshot has is no candidate.
        let decision = decide(&snapshot(0.0), &Facts::personal(request(&[candidate(7)], &["1"]), profile(self::view())));
        assert_eq!(decision.places[0].reason, Reason::NoCandidate);
    }
}
