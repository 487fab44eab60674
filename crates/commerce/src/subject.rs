//! The only name a customer has outside `privacy::identity`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A customer's random 128-bit identifier: it says nothing of who the customer is (invariant 2).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SubjectId([u8; 16]);

impl SubjectId {
    /// Number of buckets that a store spreads its subjects over.
    pub const BUCKETS: usize = 16;

    /// Takes 16 bytes that were drawn at random by `privacy::identity` or read back from a table.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The 16 bytes, as tables store them.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// The bucket whose files hold this subject's rows: 0 to `BUCKETS` − 1.
    pub const fn bucket(&self) -> usize {
        (self.0[0] >> 4) as usize
    }

    /// A stable number in [0, 1) per subject and purpose, for folds and samples.
    pub fn unit_interval(&self, purpose: u64) -> f64 {
        let mut word = [0_u8; 8];
        word.copy_from_slice(&self.0[8..]);
        let mixed = crate::draw::mix(u64::from_le_bytes(word) ^ crate::draw::mix(purpose));
        // 53 bits fill a double's mantissa exactly.
        (mixed >> 11) as f64 / (1_u64 << 53) as f64
    }
}

impl fmt::Display for SubjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for SubjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SubjectId({self})")
    }
}

/// The text is not 32 hexadecimal digits.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("a subject id is 32 hexadecimal digits, got {0:?}")]
pub struct ParseSubjectError(String);

impl FromStr for SubjectId {
    type Err = ParseSubjectError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = || ParseSubjectError(text.to_owned());
        if text.len() != 32 || !text.is_ascii() {
            return Err(error());
        }
        let mut bytes = [0; 16];
        for (byte, digits) in bytes.iter_mut().zip(text.as_bytes().chunks(2)) {
            let digits = std::str::from_utf8(digits).map_err(|_| error())?;
            *byte = u8::from_str_radix(digits, 16).map_err(|_| error())?;
        }
        Ok(Self(bytes))
    }
}

impl From<SubjectId> for String {
    fn from(subject: SubjectId) -> Self {
        subject.to_string()
    }
}

impl TryFrom<String> for SubjectId {
    type Error = ParseSubjectError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_and_parses_back() {
        let subject = SubjectId::from_bytes([0xa7; 16]);
        assert_eq!(subject.to_string().parse(), Ok(subject));
        assert_eq!(subject.bucket(), 10);
        assert!("a7".parse::<SubjectId>().is_err());
        assert!("é".repeat(16).parse::<SubjectId>().is_err());
    }
}
