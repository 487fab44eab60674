//! A set of lines of one basket.

use crate::prelude::*;

/// A set of lines. Up to 64 lines cost no allocation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum LineSet {
    All,
    Small(u64),
    Large(Box<[u64]>),
}

impl LineSet {
    /// The lines of `count` that `holds` says yes to.
    pub(crate) fn of(count: usize, mut holds: impl FnMut(usize) -> bool) -> Self {
        if count <= 64 {
            let bits = (0..count).fold(0, |bits, line| bits | (u64::from(holds(line)) << line));
            return Self::Small(bits);
        }
        let mut words = vec![0_u64; count.div_ceil(64)];
        for line in 0..count {
            words[line / 64] |= u64::from(holds(line)) << (line % 64);
        }
        Self::Large(words.into())
    }

    pub(crate) fn contains(&self, line: u32) -> bool {
        match self {
            Self::All => true,
            Self::Small(bits) => line < 64 && bits >> line & 1 == 1,
            Self::Large(words) => words.get(line as usize / 64).is_some_and(|word| word >> (line % 64) & 1 == 1),
        }
    }
}
