//! What is known when a decision is asked for. It is logged whole: the same facts and snapshot give the same decision.

use serde::{Deserialize, Serialize};
use youhui_commerce::{Micros, SubjectId};
use youhui_privacy::PermittedProfile;

/// 128 bits, the first 48 of them the time in milliseconds, so that logs are in order (UUID version 7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct DecisionId(pub [u8; 16]);

impl DecisionId {
    /// An identifier of that moment.
    pub fn new(time: Micros, random: [u8; 16]) -> Self {
        let mut bytes = random;
        bytes[..6].copy_from_slice(&(time / 1000).to_be_bytes()[2..]);
        bytes[6] = 0x70 | (bytes[6] & 0x0f);
        bytes[8] = 0x80 | (bytes[8] & 0x3f);
        Self(bytes)
    }

    /// The identifier that is written so; hyphens may be missing.
    pub fn parse(text: &str) -> Option<Self> {
        let digits: Vec<u8> = text.bytes().filter(|byte| *byte != b'-').collect();
        let mut bytes = [0; 16];
        if digits.len() != 32 {
            return None;
        }
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            let digit = |byte: u8| char::from(byte).to_digit(16);
            *byte = u8::try_from(digit(pair[0])? * 16 + digit(pair[1])?).ok()?;
        }
        Some(Self(bytes))
    }

    /// The number that chance is drawn from.
    pub(crate) fn seed(self) -> u64 {
        self.0.chunks_exact(8).fold(0x9e37_79b9_7f4a_7c15, |seed: u64, half| {
            let number = half.iter().fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte));
            youhui_commerce::Draw::seeded(seed ^ number).bits()
        })
    }
}

impl std::fmt::Display for DecisionId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (place, byte) in self.0.iter().enumerate() {
            if matches!(place, 4 | 6 | 8 | 10) {
                f.write_str("-")?;
            }
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

/// A promotion that can be shown now: it fits placement and channel, its time has come, its limits are not used up.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Candidate {
    /// Its number in the snapshot.
    pub offer: u32,
    /// The response model's prediction for this customer, in minor units; the offer's own where there is none.
    pub predicted: Option<f32>,
    /// What it takes of budgets, at their prices of the moment, in minor units.
    pub budget_price: f32,
}

/// What this customer was shown here a short while ago and goes on to see: a decision stands until its window is over.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Kept {
    /// The decision that was made.
    pub decision: DecisionId,
    /// What it showed, by its number in the snapshot.
    pub offer: Option<u32>,
    /// How likely that was.
    pub propensity: f64,
}

/// One place to fill.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Place {
    /// Its name, as the shop calls it.
    pub placement: String,
    /// What can be shown there, in order of the snapshot.
    pub candidates: Vec<Candidate>,
}

impl Place {
    /// With nothing to show.
    pub const fn empty(placement: String) -> Self {
        Self { placement, candidates: vec![] }
    }
}

/// Why nothing of the customer is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unknown {
    /// The request names no customer, or one that was never seen.
    NoCustomer,
    /// There is no consent to personalise.
    NoConsent,
    /// The customer objected.
    Objection,
    /// The browser says so (Global Privacy Control).
    PrivacySignal,
    /// The customer is a minor.
    Minor,
    /// There is no profile of this customer yet.
    NoProfile,
    /// There is no model, or it could not be read.
    NoModel,
    /// The store did not answer in time.
    Late,
}

impl Unknown {
    /// Whether the customer has it so; otherwise the system could not do better.
    pub const fn by_right(self) -> bool {
        matches!(self, Self::NoConsent | Self::Objection | Self::PrivacySignal | Self::Minor)
    }
}

/// What of a profile a decision uses.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct View {
    /// Numbers of about one in size; the first is 1.
    pub context: Vec<f64>,
    /// What still stands, one for each placement that has something.
    pub kept: Vec<(String, Kept)>,
}

/// The customer, as far as may be known. Made by [`Facts`] only.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Door {
    Open { subject: SubjectId, view: View },
    Closed(Unknown),
}

/// Everything a decision is made of beside the snapshot.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Facts {
    /// Which decision.
    pub decision: DecisionId,
    /// When.
    pub time: Micros,
    /// Through which channel.
    pub channel: String,
    /// The snapshot's version.
    pub snapshot: u64,
    /// What to fill, in this order.
    pub places: Vec<Place>,
    door: Door,
}

impl Facts {
    /// With a customer's permitted profile.
    pub fn personal(request: Request, profile: PermittedProfile<View>) -> Self {
        let subject = profile.subject();
        Self::new(request, Door::Open { subject, view: profile.into_inner() })
    }

    /// Without anything of a customer.
    pub fn of_nobody(request: Request, why: Unknown) -> Self {
        Self::new(request, Door::Closed(why))
    }

    fn new(request: Request, door: Door) -> Self {
        let Request { decision, time, channel, snapshot, places } = request;
        Self { decision, time, channel, snapshot, places, door }
    }

    /// The same customer at the same moment, asked again with other offers and as if nothing stood: for trying out what is not
    /// offered yet.
    #[must_use]
    pub fn asked_again(&self, snapshot: u64, places: Vec<Place>) -> Self {
        let mut again = Self { snapshot, places, ..self.clone() };
        if let Door::Open { view, .. } = &mut again.door {
            view.kept.clear();
        }
        again
    }

    /// Whose profile is used; nobody's, where none is.
    pub const fn subject(&self) -> Option<SubjectId> {
        match &self.door {
            Door::Open { subject, .. } => Some(*subject),
            Door::Closed(_) => None,
        }
    }

    /// The context that it was decided in; none, where nothing of a customer was used.
    pub fn context(&self) -> Option<&[f64]> {
        self.view().ok().map(|(_, view)| view.context.as_slice())
    }

    /// What is used of it, or why nothing is.
    pub(crate) const fn view(&self) -> Result<(SubjectId, &View), Unknown> {
        match &self.door {
            Door::Open { subject, view } => Ok((*subject, view)),
            Door::Closed(why) => Err(*why),
        }
    }
}

/// What is asked, by whomever.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// Which decision.
    pub decision: DecisionId,
    /// When.
    pub time: Micros,
    /// Through which channel.
    pub channel: String,
    /// The snapshot's version.
    pub snapshot: u64,
    /// What to fill.
    pub places: Vec<Place>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_are_in_order_of_time_and_read_back() {
        let one = DecisionId::new(1_700_000_000_123_456, [0xff; 16]);
        let two = DecisionId::new(1_700_000_000_124_456, [0; 16]);
        assert!(one < two);
        assert_eq!(two.to_string(), "018bcfe5-687c-7000-8000-000000000000");
        assert_eq!(DecisionId::parse(&one.to_string()), Some(one));
        for wrong in ["", "018bcfe5", "018bcfe5-687c-7000-8000-00000000000g", "018bcfe5-687c-7000-8000-0000000000000"] {
            assert_eq!(DecisionId::parse(wrong), None, "{wrong}");
        }
    }
}
