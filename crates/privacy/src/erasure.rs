//! Who was erased: so that neither an old file nor an old backup brings them back.
//!
//! Of whoever was erased two keyed hashes are kept, of the identifier and of the subject, and when; the key never rotates and lies apart from
//! the tables.

use rustc_hash::{FxHashMap, FxHashSet};
use youhui_commerce::{Micros, SubjectId};

use crate::identity::{IdentityKeys, normalised};

/// One who was erased.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Erased {
    /// Keyed hash of the identifier.
    pub identifier: [u8; 32],
    /// When.
    pub time: Micros,
    /// The same person has signed up again since, with consent.
    pub returned: Option<Micros>,
}

/// What becomes of something that is said of an identifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Never erased.
    Known,
    /// Erased: nothing is taken in.
    Erased,
    /// Erased, and back since then: what happened before is not taken in.
    Returned(Micros),
}

/// Everybody who was erased.
#[derive(Debug, Clone)]
pub struct SuppressionList {
    key: [u8; 32],
    identifiers: FxHashMap<[u8; 32], Erased>,
    subjects: FxHashSet<[u8; 32]>,
}

impl SuppressionList {
    /// As it was kept, under the keys of the shop.
    pub fn new(keys: &IdentityKeys, erased: impl IntoIterator<Item = Erased>, subjects: impl IntoIterator<Item = [u8; 32]>) -> Self {
        // Event keys never rotate.
        let key = blake3::derive_key("youhui 2026-11-28 suppression list", &keys.event);
        Self { key, identifiers: erased.into_iter().map(|one| (one.identifier, one)).collect(), subjects: subjects.into_iter().collect() }
    }

    /// What has to be kept.
    pub fn erased(&self) -> Vec<Erased> {
        let mut all: Vec<Erased> = self.identifiers.values().copied().collect();
        all.sort_unstable_by_key(|one| (one.time, one.identifier));
        all
    }

    /// What has to be kept.
    pub fn subjects(&self) -> Vec<[u8; 32]> {
        let mut all: Vec<[u8; 32]> = self.subjects.iter().copied().collect();
        all.sort_unstable();
        all
    }

    /// Whether nobody was erased.
    pub fn is_empty(&self) -> bool {
        self.identifiers.is_empty() && self.subjects.is_empty()
    }

    /// Somebody is erased.
    pub fn erase(&mut self, subject: SubjectId, identifiers: &[String], time: Micros) {
        self.subjects.insert(self.of_subject(subject));
        for identifier in identifiers {
            let identifier = self.of_identifier(identifier);
            self.identifiers.insert(identifier, Erased { identifier, time, returned: None });
        }
    }

    /// What becomes of something that is said of an identifier.
    pub fn standing(&self, identifier: &str) -> Standing {
        if self.identifiers.is_empty() {
            return Standing::Known;
        }
        match self.identifiers.get(&self.of_identifier(identifier)) {
            None => Standing::Known,
            Some(Erased { returned: None, .. }) => Standing::Erased,
            Some(Erased { returned: Some(time), .. }) => Standing::Returned(*time),
        }
    }

    /// Whether a subject is of somebody who was erased.
    pub fn has(&self, subject: SubjectId) -> bool {
        !self.subjects.is_empty() && self.subjects.contains(&self.of_subject(subject))
    }

    /// Whoever has that identifier signs up again, with consent: whether that brings them back. What is said to have happened before the erasure, or
    /// to happen in the future, does not.
    pub fn sign_up(&mut self, identifier: &str, happened: Micros, now: Micros) -> bool {
        let is_new = self.may_sign_up(identifier, happened, now);
        let key = self.of_identifier(identifier);
        if let Some(erased) = self.identifiers.get_mut(&key).filter(|_| is_new) {
            erased.returned = Some(happened);
        }
        is_new
    }

    /// Whether [`SuppressionList::sign_up`] would bring them back.
    pub fn may_sign_up(&self, identifier: &str, happened: Micros, now: Micros) -> bool {
        let erased = self.identifiers.get(&self.of_identifier(identifier));
        erased.is_some_and(|erased| erased.returned.is_none() && erased.time < happened && happened <= now)
    }

    /// How many subjects were erased.
    pub fn count(&self) -> usize {
        self.subjects.len()
    }

    fn of_identifier(&self, identifier: &str) -> [u8; 32] {
        *blake3::keyed_hash(&self.key, normalised(identifier).as_bytes()).as_bytes()
    }

    fn of_subject(&self, subject: SubjectId) -> [u8; 32] {
        *blake3::keyed_hash(&self.key, subject.as_bytes()).as_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_was_erased_comes_back_by_a_new_sign_up_only() {
        let keys = IdentityKeys::generate(|| [3; 32]);
        let mut list = SuppressionList::new(&keys, [], []);
        let subject = SubjectId::from_bytes([1; 16]);
        assert_eq!(list.standing("anna"), Standing::Known);
        list.erase(subject, &["anna".to_owned()], 100);
        assert!(list.has(subject));
        for (happened, now) in [(50, 200), (100, 200), (300, 200)] {
            assert!(!list.sign_up("anna", happened, now), "{happened}");
            assert_eq!(list.standing(" anna "), Standing::Erased);
        }
        assert!(list.sign_up("anna", 150, 200));
        assert_eq!(list.standing("anna"), Standing::Returned(150));
        assert!(!list.sign_up("bob", 150, 200));
        let kept = SuppressionList::new(&keys, list.erased(), list.subjects());
        assert_eq!((kept.standing("anna"), kept.has(subject)), (Standing::Returned(150), true));
        // The subject that was erased stays so; whoever comes back has a new one.
        assert!(!kept.has(SubjectId::from_bytes([2; 16])));
    }
}
