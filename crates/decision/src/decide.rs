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
