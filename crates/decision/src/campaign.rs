//! A campaign's life: draft → checked → submitted → approved → scheduled → live → paused → ended.
//!
//! What a campaign says is a revision. Edits of one that was approved are a pending revision: it goes the same way from draft to
//! approved, and until then the approved one counts. Nobody approves what they wrote or submitted.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use youhui_commerce::Micros;

/// How far a revision has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Being written.
    Draft,
    /// It keeps every rule.
    Checked,
    /// Somebody is asked to approve it.
    Submitted,
    /// It counts.
    Approved,
}

/// Where a campaign is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Being written.
    Draft,
    /// It keeps every rule.
    Checked,
    /// Somebody is asked to approve it.
    Submitted,
    /// Approved, and not scheduled yet.
    Approved,
    /// Its start is still to come.
    Scheduled,
    /// Its promotions are offered.
    Live,
    /// Stopped for now.
    Paused,
    /// Over for good.
    Ended,
}

impl State {
    /// As it is written.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Checked => "checked",
            Self::Submitted => "submitted",
            Self::Approved => "approved",
            Self::Scheduled => "scheduled",
            Self::Live => "live",
            Self::Paused => "paused",
            Self::Ended => "ended",
        }
    }
}

/// One version of what a campaign says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revision {
    /// From 1.
    pub number: u32,
    /// JSON.
    pub document: String,
    /// Everybody who wrote a part of it.
    pub authors: BTreeSet<String>,
    /// How far it has come.
    pub stage: Stage,
    /// Who asked for approval.
    pub submitted_by: Option<String>,
    /// Who approved it.
    pub approved_by: Option<String>,
}

/// A campaign with its revisions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Campaign {
    /// Which.
    pub campaign_id: String,
    /// The last number that a revision got.
    pub last: u32,
    /// What is being worked on.
    pub pending: Option<Revision>,
    /// What counts.
    pub approved: Option<Revision>,
    /// From when on it is live; nothing, before it is scheduled.
    pub starts: Option<Micros>,
    /// When it is over by itself.
    pub ends: Option<Micros>,
    /// Whether it is stopped for now.
    pub paused: bool,
    /// When somebody ended it.
    pub ended: Option<Micros>,
}

/// What somebody does to a campaign.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Writes another document.
    Edit {
        /// JSON.
        document: String,
    },
    /// The pending revision was found to keep every rule.
    Check,
    /// Asks for approval.
    Submit,
    /// Has the pending revision count.
    Approve,
    /// Sends it back.
    Reject,
    /// Drops the pending revision.
    Discard,
    /// Says from when until when it is live.
    Schedule {
        /// From then on.
        starts: Micros,
        /// Until then.
        ends: Option<Micros>,
    },
    /// Stops it for now.
    Pause,
    /// Goes on.
    Resume,
    /// Ends it for good.
    End,
}

impl Action {
    /// As it stands in the audit log.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Edit { .. } => "edit",
            Self::Check => "check",
            Self::Submit => "submit",
            Self::Approve => "approve",
            Self::Reject => "reject",
            Self::Discard => "discard",
            Self::Schedule { .. } => "schedule",
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::End => "end",
        }
    }
}

/// Why an action is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// It has not come so far, or further already.
    #[error("{action} needs {needs}, and this campaign is {}", state.name())]
    State {
        /// What was asked.
        action: &'static str,
        /// What it needs.
        needs: &'static str,
        /// Where the campaign is.
        state: State,
    },
    /// Four eyes.
    #[error("{actor} wrote or submitted it: somebody else has to approve it")]
    OwnWork {
        /// Who.
        actor: String,
    },
    /// Over before it begins.
    #[error("it would end before it starts, or has ended already: set ends after starts and after now")]
    Backwards,
}

impl Campaign {
    /// A new one, as a draft.
    pub fn new(campaign_id: impl Into<String>, document: String, author: &str) -> Self {
        Self {
            campaign_id: campaign_id.into(),
            last: 1,
            pending: Some(Revision::new(1, document, author)),
            approved: None,
            starts: None,
            ends: None,
            paused: false,
            ended: None,
        }
    }

    /// Where it is at a moment.
    pub fn state(&self, now: Micros) -> State {
        if self.ended.is_some() || self.ends.is_some_and(|ends| ends <= now) {
            return State::Ended;
        }
        match (&self.approved, &self.pending) {
            (Some(_), _) if self.paused => State::Paused,
            (Some(_), _) => match self.starts {
                None => State::Approved,
                Some(starts) if starts > now => State::Scheduled,
                Some(_) => State::Live,
            },
            (None, Some(pending)) => match pending.stage {
                Stage::Draft => State::Draft,
                Stage::Checked => State::Checked,
                Stage::Submitted | Stage::Approved => State::Submitted,
            },
            (None, None) => State::Draft,
        }
    }

    /// The campaign after `actor` has acted.
    ///
    /// # Errors
    /// Why that is refused; nothing has changed then.
    pub fn after(&self, action: Action, actor: &str, now: Micros) -> Result<Self, Refused> {
        let state = self.state(now);
        let name = action.name();
        let refused = |needs| Refused::State { action: name, needs, state };
        if state == State::Ended {
            return Err(refused("a campaign that is not over"));
        }
        let mut next = self.clone();
        match action {
            Action::Edit { document } => next.edit(document, actor),
            Action::Check => next.pending_at(&[Stage::Draft, Stage::Checked], || refused("a draft"))?.stage = Stage::Checked,
            Action::Submit => {
                let pending = next.pending_at(&[Stage::Checked], || refused("a revision that was checked"))?;
                pending.stage = Stage::Submitted;
                pending.submitted_by = Some(actor.to_owned());
            }
            Action::Approve => {
                let pending = next.pending_at(&[Stage::Submitted], || refused("a revision that was submitted"))?;
                if pending.authors.contains(actor) || pending.submitted_by.as_deref() == Some(actor) {
                    return Err(Refused::OwnWork { actor: actor.to_owned() });
                }
                pending.stage = Stage::Approved;
                pending.approved_by = Some(actor.to_owned());
                next.approved = next.pending.take();
            }
            Action::Reject => {
                next.pending_at(&[Stage::Submitted], || refused("a revision that was submitted"))?.stage = Stage::Draft;
            }
            Action::Discard if self.approved.is_some() && self.pending.is_some() => next.pending = None,
            Action::Discard => return Err(refused("a pending revision beside an approved one")),
            Action::Schedule { .. } if !matches!(state, State::Approved | State::Scheduled) => {
                return Err(refused("an approved campaign that has not begun"));
            }
            Action::Schedule { starts, ends } => {
                if ends.is_some_and(|ends| ends <= starts || ends <= now) {
                    return Err(Refused::Backwards);
                }
                (next.starts, next.ends) = (Some(starts), ends);
            }
            Action::Pause if matches!(state, State::Scheduled | State::Live) => next.paused = true,
            Action::Pause => return Err(refused("a scheduled or live campaign")),
            Action::Resume if state == State::Paused => next.paused = false,
            Action::Resume => return Err(refused("a paused campaign")),
            Action::End => next.ended = Some(now),
        }
        Ok(next)
    }

    fn edit(&mut self, document: String, author: &str) {
        match &mut self.pending {
            Some(pending) => {
                pending.document = document;
                pending.authors.insert(author.to_owned());
                pending.stage = Stage::Draft;
                pending.submitted_by = None;
            }
            None => {
                self.last += 1;
                self.pending = Some(Revision::new(self.last, document, author));
            }
        }
    }

    fn pending_at(&mut self, stages: &[Stage], refused: impl FnOnce() -> Refused) -> Result<&mut Revision, Refused> {
        self.pending.as_mut().filter(|pending| stages.contains(&pending.stage)).ok_or_else(refused)
    }
}

impl Revision {
    fn new(number: u32, document: String, author: &str) -> Self {
        Self { number, document, authors: BTreeSet::from([author.to_owned()]), stage: Stage::Draft, submitted_by: None, approved_by: None }
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use proptest::prelude::*;

    use super::*;

    /// Who does what, one after the other, and where that leads.
    fn check(steps: &[(&str, Action)], expected: &Expect) {
        let mut campaign = Campaign::new("autumn", "1".to_owned(), "ana");
        let mut told = format!("ana wrote it: {}", campaign.state(0).name());
        for (actor, action) in steps {
            let name = action.name();
            match campaign.after(action.clone(), actor, 0) {
                Ok(next) => campaign = next,
                Err(refused) => told.push_str(&format!("\n{actor} {name}: refused: {refused}")),
            }
            let pending = campaign.pending.as_ref().map_or_else(String::new, |pending| format!(", pending {}", pending.number));
            told.push_str(&format!("\n{actor} {name}: {}{pending}", campaign.state(0).name()));
        }
        expected.assert_eq(&told);
    }

    #[test]
    fn a_life() {
        check(
            &[
                ("ana", Action::Submit),
                ("ana", Action::Check),
                ("ana", Action::Submit),
                ("ana", Action::Approve),
                ("ben", Action::Approve),
                ("ana", Action::Schedule { starts: 1, ends: Some(1) }),
                ("ana", Action::Schedule { starts: 1, ends: Some(9) }),
                ("ana", Action::Pause),
                ("ana", Action::Resume),
                ("ana", Action::End),
                ("ana", Action::Edit { document: "2".to_owned() }),
            ],
            &expect![[r#"
                ana wrote it: draft
                ana submit: refused: submit needs a revision that was checked, and this campaign is draft
                ana submit: draft, pending 1
                ana check: checked, pending 1
                ana submit: submitted, pending 1
                ana approve: refused: ana wrote or submitted it: somebody else has to approve it
                ana approve: submitted, pending 1
                ben approve: approved
                ana schedule: refused: it would end before it starts, or has ended already: set ends after starts and after now
                ana schedule: approved
                ana schedule: scheduled
                ana pause: paused
                ana resume: scheduled
                ana end: ended
                ana edit: refused: edit needs a campaign that is not over, and this campaign is ended
                ana edit: ended"#]],
        );
    }

    #[test]
    fn edits_of_a_live_campaign_wait_for_their_own_approval() {
        check(
            &[
                ("ana", Action::Check),
                ("ana", Action::Submit),
                ("ben", Action::Approve),
                ("ana", Action::Schedule { starts: 0, ends: None }),
                ("ben", Action::Edit { document: "2".to_owned() }),
                ("ben", Action::Check),
                ("ana", Action::Submit),
                ("ben", Action::Approve),
                ("ana", Action::Approve),
                ("cho", Action::Reject),
                ("cho", Action::Approve),
                ("ben", Action::Check),
                ("ben", Action::Submit),
                ("ana", Action::Approve),
                ("ana", Action::Discard),
            ],
            &expect![[r#"
                ana wrote it: draft
                ana check: checked, pending 1
                ana submit: submitted, pending 1
                ben approve: approved
                ana schedule: live
                ben edit: live, pending 2
                ben check: live, pending 2
                ana submit: live, pending 2
                ben approve: refused: ben wrote or submitted it: somebody else has to approve it
                ben approve: live, pending 2
                ana approve: refused: ana wrote or submitted it: somebody else has to approve it
                ana approve: live, pending 2
                cho reject: live, pending 2
                cho approve: refused: approve needs a revision that was submitted, and this campaign is live
                cho approve: live, pending 2
                ben check: live, pending 2
                ben submit: live, pending 2
                ana approve: live
                ana discard: refused: discard needs a pending revision beside an approved one, and this campaign is live
                ana discard: live"#]],
        );
    }

    fn action() -> impl Strategy<Value = Action> {
        prop_oneof![
            (0..9_u8).prop_map(|document| Action::Edit { document: document.to_string() }),
            Just(Action::Check),
            Just(Action::Submit),
            Just(Action::Approve),
            Just(Action::Reject),
            Just(Action::Discard),
            (0..20_i64, proptest::option::of(0..20_i64)).prop_map(|(starts, ends)| Action::Schedule { starts, ends }),
            Just(Action::Pause),
            Just(Action::Resume),
            Just(Action::End),
        ]
    }

    proptest! {
        /// Whatever is done in whatever order: what counts was written by some and approved by another, nobody alone gets a campaign
        /// live, and what has ended stays so.
        #[test]
        fn nobody_alone_gets_anything_live(steps in prop::collection::vec((0..3_usize, action()), 0..40), alone in any::<bool>()) {
            let mut campaign = Campaign::new("autumn", "0".to_owned(), "ana");
            for (now, (actor, action)) in (0..).zip(steps) {
                let actor = if alone { "ana" } else { ["ana", "ben", "cho"][actor] };
                let was = campaign.state(now);
                let approved = campaign.approved.clone();
                if let Ok(next) = campaign.after(action.clone(), actor, now) {
                    campaign = next;
                }
                prop_assert!(was != State::Ended || campaign.state(now) == State::Ended);
                prop_assert!(action == Action::Approve || campaign.approved == approved);
                if let Some(approved) = &campaign.approved {
                    let approver = approved.approved_by.clone().unwrap_or_default();
                    prop_assert!(!approved.authors.contains(&approver) && approved.submitted_by != approved.approved_by);
                }
                prop_assert!(!alone || campaign.approved.is_none());
                let runs = matches!(campaign.state(now), State::Scheduled | State::Live | State::Paused);
                prop_assert!(!runs || campaign.approved.is_some());
            }
        }
    }
}
