//! One key a customer from one secret, each of which can be destroyed for good.
//!
//! Keys are the leaves of a tree of hashes (Goldreich, Goldwasser and Micali 1986) over the first 64 bits of the subject, four branches a
//! level. To destroy one, the secrets on its path are replaced by those beside the path: every other key can still be
//! computed, this one by nobody, whoever holds the file from then on (a puncturable pseudorandom function: Boneh and Waters
//! 2013). So a shop of a million customers keeps 32 bytes, and 96 subtrees of 41 bytes at most for each one that it erased; nothing has to be
//! written when a customer is new.

use std::collections::BTreeMap;
use std::fmt;

use youhui_commerce::SubjectId;

/// Bits of a level.
const BITS: u32 = 2;
/// Levels of the tree.
const LEVELS: u32 = 64 / BITS;

/// A subtree whose keys are all still there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Subtree {
    /// The first leaf below it.
    pub first: u64,
    /// How many levels are above it.
    pub level: u32,
    /// What its keys are made from.
    pub secret: [u8; 32],
}

/// The keys that are left.
#[derive(Clone, PartialEq, Eq)]
pub struct SealingKeys {
    /// (level, secret) by first leaf: subtrees that don't overlap.
    subtrees: BTreeMap<u64, (u32, [u8; 32])>,
}

impl fmt::Debug for SealingKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SealingKeys {{ subtrees: {}, .. }}", self.subtrees.len())
    }
}

impl SealingKeys {
    /// Every key, from 32 random bytes.
    pub fn new(secret: [u8; 32]) -> Self {
        Self { subtrees: BTreeMap::from([(0, (0, secret))]) }
    }

    /// As they were kept.
    pub fn from_subtrees(subtrees: impl IntoIterator<Item = Subtree>) -> Self {
        Self { subtrees: subtrees.into_iter().map(|Subtree { first, level, secret }| (first, (level.min(LEVELS), secret))).collect() }
    }

    /// What has to be kept.
    pub fn subtrees(&self) -> impl Iterator<Item = Subtree> {
        self.subtrees.iter().map(|(&first, &(level, secret))| Subtree { first, level, secret })
    }

    /// A customer's key, unless it was destroyed.
    pub(crate) fn of(&self, subject: SubjectId) -> Option<[u8; 32]> {
        let leaf = leaf(subject);
        let (level, secret) = self.above(leaf)?;
        Some((level..LEVELS).fold(secret, |secret, level| branch(&secret, digit(leaf, level))))
    }

    /// Destroys a customer's key.
    pub fn destroy(&mut self, subject: SubjectId) {
        let leaf = leaf(subject);
        let Some((from, mut secret)) = self.above(leaf) else { return };
        self.subtrees.remove(&first(leaf, from));
        for level in from..LEVELS {
            for other in (0..1 << BITS).filter(|&other| other != digit(leaf, level)) {
                let start = first(leaf, level) | u64::from(other) << (64 - BITS * (level + 1));
                self.subtrees.insert(start, (level + 1, branch(&secret, other)));
            }
            secret = branch(&secret, digit(leaf, level));
        }
    }

    /// The subtree that a leaf is in.
    fn above(&self, leaf: u64) -> Option<(u32, [u8; 32])> {
        let (&start, &(level, secret)) = self.subtrees.range(..=leaf).next_back()?;
        (first(leaf, level) == start).then_some((level, secret))
    }
}

/// Where in the tree a subject is. Subjects are random: no two of a shop are in one place.
fn leaf(subject: SubjectId) -> u64 {
    subject.as_bytes().iter().take(8).fold(0, |leaf, &byte| leaf << 8 | u64::from(byte))
}

/// The first leaf of the subtree of that level that a leaf is in.
const fn first(leaf: u64, level: u32) -> u64 {
    if level == 0 { 0 } else { leaf & (u64::MAX << (64 - BITS * level)) }
}

/// Which branch leads from that level to a leaf.
const fn digit(leaf: u64, level: u32) -> u8 {
    (leaf >> (64 - BITS * (level + 1)) & ((1 << BITS) - 1)) as u8
}

fn branch(secret: &[u8; 32], digit: u8) -> [u8; 32] {
    *blake3::keyed_hash(secret, &[digit]).as_bytes()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Subjects that share long parts of their paths too.
    fn subject() -> impl Strategy<Value = SubjectId> {
        (any::<[u8; 2]>(), 0..8_usize, any::<u8>()).prop_map(|(start, place, byte)| {
            let mut bytes = [0; 16];
            bytes[..2].copy_from_slice(&start);
            bytes[place] ^= byte;
            SubjectId::from_bytes(bytes)
        })
    }

    proptest! {
        /// Those that are destroyed are gone, in whatever order, every other key is what it was, and what is kept says as much.
        #[test]
        fn what_is_destroyed_is_gone_and_nothing_else(gone in prop::collection::vec(subject(), 0..12), others in prop::collection::vec(subject(), 0..12)) {
            let all = SealingKeys::new([7; 32]);
            let mut keys = all.clone();
            gone.iter().for_each(|subject| keys.destroy(*subject));
            let keys = SealingKeys::from_subtrees(keys.subtrees());
            for subject in &gone {
                prop_assert_eq!(keys.of(*subject), None);
            }
            for subject in others.iter().filter(|subject| gone.iter().all(|gone| leaf(*gone) != leaf(**subject))) {
                prop_assert_eq!(keys.of(*subject), all.of(*subject));
            }
            // Nothing that is kept is on the way to what is gone.
            for subject in &gone {
                let path: Vec<[u8; 32]> = (0..=LEVELS).map(|to| (0..to).fold([7; 32], |secret, level| branch(&secret, digit(leaf(*subject), level)))).collect();
                prop_assert!(keys.subtrees().all(|kept| !path.contains(&kept.secret)));
            }
        }
    }

    #[test]
    fn keys_differ_and_an_erasure_leaves_three_subtrees_a_level() {
        let mut keys = SealingKeys::new([1; 32]);
        let subject = |number: u8| SubjectId::from_bytes([number.wrapping_mul(37); 16]);
        assert_ne!(keys.of(subject(1)), keys.of(subject(2)));
        keys.destroy(subject(1));
        assert_eq!(keys.subtrees().count(), 3 * LEVELS as usize);
    }
}
