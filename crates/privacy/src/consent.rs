//! Consent: what was allowed by whom, for what, and the proof that a profile may be used.
//!
//! What customers say comes late and in any order. What counts is the latest word by the time it was said; of two of one moment the one that
//! allows less. An objection beats every consent until it is taken back (GDPR 21(2)–(3)).

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use youhui_commerce::{Micros, SubjectId};

/// What a profile is used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// Personalising what is offered.
    Personalisation,
    /// Learning from what became of it; where nothing is said of it, as personalising.
    Learning,
    /// Handing anything on to others, such as advertisers; where nothing is said of it, not.
    Sharing,
}

impl Purpose {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Personalisation, Self::Learning, Self::Sharing];
}

/// What a customer said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Yes.
    Granted,
    /// No, or not any more.
    Denied,
}

/// A word of a customer's.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Said {
    /// When it was said.
    pub time: Micros,
    /// What.
    pub status: Status,
    /// Which version of the shop's notice they had read.
    pub notice: Option<Arc<str>>,
}

/// Who allowed what. Customers who said nothing have the shop's default, whose legal basis the
/// shop's owner states.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsentLedger {
    default: Status,
    basis: String,
    said: BTreeMap<(SubjectId, Purpose), Said>,
    /// The last word on objecting to being profiled at all: `Denied` objects.
    objections: BTreeMap<SubjectId, (Micros, Status)>,
}

impl ConsentLedger {
    /// A ledger in which nobody has said anything yet.
    pub fn new(default: Status, basis: impl Into<String>) -> Self {
        Self { default, basis: basis.into(), said: BTreeMap::new(), objections: BTreeMap::new() }
    }

    /// Records what a customer said, whenever it comes.
    pub fn record(&mut self, subject: SubjectId, purpose: Purpose, said: Said) {
        let last = self.said.entry((subject, purpose)).or_insert_with(|| said.clone());
        if *last < said {
            *last = said;
        }
    }

    /// Records that a customer objected to being profiled, or took that back.
    pub fn object(&mut self, subject: SubjectId, time: Micros, objects: bool) {
        let said = (time, if objects { Status::Denied } else { Status::Granted });
        let last = self.objections.entry(subject).or_insert(said);
        *last = (*last).max(said);
    }

    /// What was said by one who is another from now on was said by that one.
    pub fn link(&mut self, from: SubjectId, to: SubjectId) {
        for purpose in Purpose::ALL {
            if let Some(said) = self.said.remove(&(from, purpose)) {
                self.record(to, purpose, said);
            }
        }
        if let Some((time, status)) = self.objections.remove(&from) {
            self.object(to, time, status == Status::Denied);
        }
    }

    /// Forgets a customer.
    pub fn erase(&mut self, subject: SubjectId) {
        Purpose::ALL.into_iter().for_each(|purpose| drop(self.said.remove(&(subject, purpose))));
        self.objections.remove(&subject);
    }

    /// Why the default is lawful, in the words of the shop's owner.
    pub fn basis(&self) -> &str {
        &self.basis
    }

    /// The last word on a purpose, where there is one.
    pub fn said(&self, subject: SubjectId, purpose: Purpose) -> Option<&Said> {
        self.said.get(&(subject, purpose))
    }

    /// Whether the customer objects.
    pub fn objects(&self, subject: SubjectId) -> bool {
        self.objections.get(&subject).is_some_and(|(_, status)| *status == Status::Denied)
    }

    /// What holds for a customer.
    pub fn status(&self, subject: SubjectId, purpose: Purpose) -> Status {
        if self.objects(subject) {
            return Status::Denied;
        }
        match (self.said(subject, purpose), purpose) {
            (Some(said), _) => said.status,
            (None, Purpose::Personalisation) => self.default,
            (None, Purpose::Learning) => self.status(subject, Purpose::Personalisation),
            (None, Purpose::Sharing) => Status::Denied,
        }
    }

    /// The profile, marked as permitted; `None` without consent, and then the profile is dropped.
    pub fn permit<T>(&self, subject: SubjectId, purpose: Purpose, profile: T) -> Option<PermittedProfile<T>> {
        (self.status(subject, purpose) == Status::Granted).then_some(PermittedProfile { subject, profile })
    }
}

/// A profile that its subject allowed to be used. Nothing but [`ConsentLedger::permit`] makes one:
///
/// ```compile_fail
/// use youhui_privacy::PermittedProfile;
/// let subject = youhui_commerce::SubjectId::from_bytes([0; 16]);
/// let forged = PermittedProfile { subject, profile: 1 }; // the fields are private
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct PermittedProfile<T> {
    subject: SubjectId,
    profile: T,
}

impl<T> PermittedProfile<T> {
    /// Whose.
    pub const fn subject(&self) -> SubjectId {
        self.subject
    }

    /// The profile.
    pub const fn profile(&self) -> &T {
        &self.profile
    }

    /// The profile itself, for what goes on to use it as permitted.
    pub fn into_inner(self) -> T {
        self.profile
    }

    /// The same customer's profile, made into another: the permission goes with it.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> PermittedProfile<U> {
        PermittedProfile { subject: self.subject, profile: change(self.profile) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn said(time: Micros, status: Status) -> Said {
        Said { time, status, notice: None }
    }

    #[test]
    fn no_consent_no_profile() {
        let (yes, no) = (SubjectId::from_bytes([1; 16]), SubjectId::from_bytes([2; 16]));
        let mut ledger = ConsentLedger::new(Status::Denied, "opt-in");
        ledger.record(yes, Purpose::Personalisation, said(1, Status::Granted));
        assert_eq!(ledger.permit(yes, Purpose::Personalisation, 7).map(|permitted| *permitted.profile()), Some(7));
        assert!(ledger.permit(no, Purpose::Personalisation, 7).is_none());
        ledger.record(yes, Purpose::Personalisation, said(2, Status::Denied));
        assert!(ledger.permit(yes, Purpose::Personalisation, 7).is_none());
    }

    #[test]
    fn each_purpose_has_its_own_word() {
        let anna = SubjectId::from_bytes([1; 16]);
        let mut ledger = ConsentLedger::new(Status::Granted, "soft opt-in");
        let of = |ledger: &ConsentLedger| Purpose::ALL.map(|purpose| ledger.status(anna, purpose) == Status::Granted);
        assert_eq!(of(&ledger), [true, true, false]);
        ledger.record(anna, Purpose::Learning, said(1, Status::Denied));
        assert_eq!(of(&ledger), [true, false, false]);
        ledger.record(anna, Purpose::Sharing, said(1, Status::Granted));
        ledger.object(anna, 0, true);
        assert_eq!(of(&ledger), [false, false, false], "an objection beats every consent, later ones too");
        ledger.object(anna, 2, false);
        assert_eq!(of(&ledger), [true, false, true]);
        ledger.erase(anna);
        assert_eq!(of(&ledger), [true, true, false]);
    }

    #[derive(Debug, Clone, Copy)]
    enum Word {
        Says(Purpose, Status),
        Objects(bool),
        /// The anonymous one is the named one from here on.
        Link,
    }

    fn word() -> impl Strategy<Value = Word> {
        let purpose = prop::sample::select(Purpose::ALL.to_vec());
        let status = prop::sample::select(vec![Status::Granted, Status::Denied]);
        prop_oneof![
            (purpose, status).prop_map(|(purpose, status)| Word::Says(purpose, status)),
            any::<bool>().prop_map(Word::Objects),
            Just(Word::Link)
        ]
    }

    proptest! {
        /// P01: grants, withdrawals and objections come in any order, late, twice, before and after a device is known to be a customer's: what
        /// holds is what the sorted history says.
        #[test]
        fn what_holds_is_the_last_word(
            words in prop::collection::vec((0..10_i64, any::<bool>(), word()), 0..30),
            default in prop::sample::select(vec![Status::Granted, Status::Denied]),
        ) {
            let (device, anna) = (SubjectId::from_bytes([1; 16]), SubjectId::from_bytes([2; 16]));
            let mut ledger = ConsentLedger::new(default, "");
            let mut is_linked = false;
            for (time, of_device, word) in &words {
                let subject = if *of_device && !is_linked { device } else { anna };
                match word {
                    Word::Says(purpose, status) => ledger.record(subject, *purpose, said(*time, *status)),
                    Word::Objects(objects) => ledger.object(subject, *time, *objects),
                    Word::Link => {
                        ledger.link(device, anna);
                        is_linked = true;
                    }
                }
            }
            // The truth: everything said by anna, and by the device if it is hers, sorted by time; what allows less last.
            let hers = |of_device: bool| !of_device || is_linked;
            let last = |pick: &dyn Fn(&Word) -> Option<bool>| {
                let mut all: Vec<(Micros, bool)> = words.iter().filter(|(_, of_device, _)| hers(*of_device))
                    .filter_map(|(time, _, word)| pick(word).map(|allows| (*time, !allows))).collect();
                all.sort_unstable();
                all.last().map(|(_, denies)| !denies)
            };
            let objects = last(&|word| if let Word::Objects(objects) = word { Some(!objects) } else { None }) == Some(false);
            let of = |purpose: Purpose| last(&|word| match word {
                Word::Says(said, status) if *said == purpose => Some(*status == Status::Granted),
                _ => None,
            });
            let personalisation = of(Purpose::Personalisation).unwrap_or(default == Status::Granted);
            let truth = [personalisation, of(Purpose::Learning).unwrap_or(personalisation), of(Purpose::Sharing).unwrap_or(false)];
            for (purpose, truth) in Purpose::ALL.into_iter().zip(truth) {
                prop_assert_eq!(ledger.permit(anna, purpose, ()).is_some(), truth && !objects);
            }
        }
    }
}
