//! Consent: what was allowed by whom, and the proof that a profile may be used.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use youhui_commerce::SubjectId;

/// What a profile is used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// Personalising what is offered.
    Personalisation,
}

/// What a customer said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Yes.
    Granted,
    /// No, or not any more.
    Denied,
}

/// Who allowed what. Customers who said nothing have the shop's default, whose legal basis the
/// shop's owner states.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsentLedger {
    default: Status,
    basis: String,
    said: BTreeMap<(SubjectId, Purpose), Status>,
}

impl ConsentLedger {
    /// A ledger in which nobody has said anything yet.
    pub fn new(default: Status, basis: impl Into<String>) -> Self {
        Self { default, basis: basis.into(), said: BTreeMap::new() }
    }

    /// Records what a customer said; the last word counts.
    pub fn record(&mut self, subject: SubjectId, purpose: Purpose, status: Status) {
        self.said.insert((subject, purpose), status);
    }

    /// Why the default is lawful, in the words of the shop's owner.
    pub fn basis(&self) -> &str {
        &self.basis
    }

    /// What holds for a customer.
    pub fn status(&self, subject: SubjectId, purpose: Purpose) -> Status {
        self.said.get(&(subject, purpose)).copied().unwrap_or(self.default)
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
    use super::*;

    #[test]
    fn no_consent_no_profile() {
        let (yes, no) = (SubjectId::from_bytes([1; 16]), SubjectId::from_bytes([2; 16]));
        let mut ledger = ConsentLedger::new(Status::Denied, "opt-in");
        ledger.record(yes, Purpose::Personalisation, Status::Granted);
        assert_eq!(ledger.permit(yes, Purpose::Personalisation, 7).map(|permitted| *permitted.profile()), Some(7));
        assert!(ledger.permit(no, Purpose::Personalisation, 7).is_none());
        ledger.record(yes, Purpose::Personalisation, Status::Denied);
        assert!(ledger.permit(yes, Purpose::Personalisation, 7).is_none());
    }
}
