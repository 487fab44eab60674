//! What is known of customers while the server runs, in memory, in shards that are locked one by one.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock};

use rustc_hash::FxHashMap;
use youhui_commerce::{Micros, SubjectId};
use youhui_decision::{Kept, Unknown, View};
use youhui_privacy::{ConsentLedger, Purpose, Said, Status};
use youhui_profile::live::LiveProfile;

const SHARDS: usize = 64;

/// What stands for a customer, by placement.
#[derive(Debug, Clone)]
struct Standing {
    placement: Box<str>,
    kept: Kept,
    until: Micros,
}

#[derive(Debug, Default)]
struct Shard {
    profiles: FxHashMap<SubjectId, LiveProfile>,
    standing: FxHashMap<SubjectId, Vec<Standing>>,
    /// What the shop earned, when: within the windows that outcomes are still waited for.
    earned: FxHashMap<SubjectId, Vec<(Micros, f32)>>,
}

/// Profiles, and who may be known.
#[derive(Debug)]
pub(crate) struct Customers {
    shards: Vec<RwLock<Shard>>,
    consent: RwLock<ConsentLedger>,
    /// How often a profile was read: what the tests of objections count.
    reads: AtomicU64,
}

impl Customers {
    pub(crate) fn new(consent: ConsentLedger) -> Self {
        let shards = (0..SHARDS).map(|_| RwLock::default()).collect();
        Self { shards, consent: RwLock::new(consent), reads: AtomicU64::new(0) }
    }

    fn shard(&self, subject: SubjectId) -> &RwLock<Shard> {
        // Subjects are random: any byte spreads them.
        &self.shards[usize::from(subject.as_bytes()[15]) % SHARDS]
    }

    /// Changes a customer's profile; one that was not known is made.
    pub(crate) fn update(&self, subject: SubjectId, change: impl FnOnce(&mut LiveProfile)) {
        let mut shard = self.shard(subject).write().unwrap_or_else(PoisonError::into_inner);
        change(shard.profiles.entry(subject).or_default());
    }

    /// The shop earned something by a customer; what is older than `since` is of no use any more.
    pub(crate) fn earn(&self, subject: SubjectId, time: Micros, profit: f32, since: Micros) {
        if profit == 0.0 || time < since {
            return;
        }
        let mut shard = self.shard(subject).write().unwrap_or_else(PoisonError::into_inner);
        let earned = shard.earned.entry(subject).or_default();
        earned.retain(|(time, _)| *time >= since);
        earned.push((time, profit));
    }

    /// What the shop earned by a customer after a moment, until another.
    pub(crate) fn earned(&self, subject: SubjectId, after: Micros, until: Micros) -> f64 {
        let shard = self.shard(subject).read().unwrap_or_else(PoisonError::into_inner);
        let earned = shard.earned.get(&subject).map_or(&[][..], Vec::as_slice);
        earned.iter().filter(|(time, _)| (after..=until).contains(time)).map(|(_, profit)| f64::from(*profit)).sum()
    }

    /// Whoever was anonymous has said who they are: one profile from now on.
    pub(crate) fn link(&self, from: SubjectId, to: SubjectId) {
        if from == to {
            return;
        }
        self.consent.write().unwrap_or_else(PoisonError::into_inner).link(from, to);
        let (profile, standing, earned) = {
            let mut shard = self.shard(from).write().unwrap_or_else(PoisonError::into_inner);
            (shard.profiles.remove(&from), shard.standing.remove(&from), shard.earned.remove(&from))
        };
        let mut shard = self.shard(to).write().unwrap_or_else(PoisonError::into_inner);
        if let Some(profile) = profile {
            shard.profiles.entry(to).or_default().merge(&profile);
        }
        if let Some(standing) = standing {
            shard.standing.entry(to).or_insert(standing);
        }
        if let Some(earned) = earned {
            shard.earned.entry(to).or_default().extend(earned);
        }
    }

    /// What a customer said, in effect when this returns.
    pub(super) fn record_consent(&self, subject: SubjectId, purpose: Purpose, said: Said) {
        self.consent.write().unwrap_or_else(PoisonError::into_inner).record(subject, purpose, said);
    }

    /// A customer objected, or took that back; in effect when this returns.
    pub(super) fn object(&self, subject: SubjectId, time: Micros, objects: bool) {
        self.consent.write().unwrap_or_else(PoisonError::into_inner).object(subject, time, objects);
    }

    /// Whether the customer objects.
    pub(super) fn objects(&self, subject: SubjectId) -> bool {
        self.consent.read().unwrap_or_else(PoisonError::into_inner).objects(subject)
    }

    /// Whether it may be learnt from what became of decisions for the customer.
    pub(super) fn may_be_learnt_from(&self, subject: SubjectId) -> bool {
        self.consent.read().unwrap_or_else(PoisonError::into_inner).status(subject, Purpose::Learning) == Status::Granted
    }

    /// What holds for a customer: each purpose, and the last word on it.
    pub(super) fn consent_of(&self, subject: SubjectId) -> Vec<(Purpose, Status, Option<Said>)> {
        let consent = self.consent.read().unwrap_or_else(PoisonError::into_inner);
        Purpose::ALL.map(|purpose| (purpose, consent.status(subject, purpose), consent.said(subject, purpose).cloned())).to_vec()
    }

    /// Forgets everything of a customer.
    pub(super) fn forget(&self, subject: SubjectId) {
        self.consent.write().unwrap_or_else(PoisonError::into_inner).erase(subject);
        let mut shard = self.shard(subject).write().unwrap_or_else(PoisonError::into_inner);
        shard.profiles.remove(&subject);
        shard.standing.remove(&subject);
        shard.earned.remove(&subject);
    }

    /// What a decision may use of a customer. Without consent no profile is read.
    pub(crate) fn view(&self, subject: SubjectId, now: Micros) -> Result<youhui_privacy::PermittedProfile<View>, Unknown> {
        let permit = {
            let consent = self.consent.read().unwrap_or_else(PoisonError::into_inner);
            let why = if consent.objects(subject) { Unknown::Objection } else { Unknown::NoConsent };
            consent.permit(subject, Purpose::Personalisation, ()).ok_or(why)?
        };
        self.reads.fetch_add(1, Ordering::Relaxed);
        let shard = self.shard(subject).read().unwrap_or_else(PoisonError::into_inner);
        let profile = shard.profiles.get(&subject).ok_or(Unknown::NoProfile)?;
        let standing = shard.standing.get(&subject).map_or(&[][..], Vec::as_slice);
        let kept = standing.iter().filter(|one| one.until > now).map(|one| (one.placement.to_string(), one.kept)).collect();
        let context = profile.context(now).to_vec();
        Ok(permit.map(|()| View { context, kept }))
    }

    /// A customer's profile, where it may be used.
    pub(crate) fn profile(&self, subject: SubjectId) -> Option<youhui_privacy::PermittedProfile<LiveProfile>> {
        let permit = {
            let consent = self.consent.read().unwrap_or_else(PoisonError::into_inner);
            consent.permit(subject, Purpose::Personalisation, ())?
        };
        self.reads.fetch_add(1, Ordering::Relaxed);
        let shard = self.shard(subject).read().unwrap_or_else(PoisonError::into_inner);
        let profile = *shard.profiles.get(&subject)?;
        Some(permit.map(|()| profile))
    }

    /// A decision that stands until then.
    pub(crate) fn stand(&self, subject: SubjectId, placement: &str, kept: Kept, now: Micros, until: Micros) {
        let mut shard = self.shard(subject).write().unwrap_or_else(PoisonError::into_inner);
        let standing = shard.standing.entry(subject).or_default();
        standing.retain(|one| one.until > now && *one.placement != *placement);
        standing.push(Standing { placement: placement.into(), kept, until });
    }

    /// What is shown by now: by offer, decisions that stand, each by the part of its window that is still to come.
    pub(crate) fn under_way(&self, now: Micros, window: Micros) -> FxHashMap<u32, f64> {
        let mut sums = FxHashMap::default();
        for shard in &self.shards {
            let shard = shard.read().unwrap_or_else(PoisonError::into_inner);
            for standing in shard.standing.values().flatten().filter(|standing| standing.until > now) {
                if let Some(offer) = standing.kept.offer {
                    *sums.entry(offer).or_insert(0.0) += (standing.until - now) as f64 / window.max(1) as f64;
                }
            }
        }
        sums
    }

    /// A decision of before the start that stands until then, unless another does by now.
    pub(crate) fn stand_again(&self, subject: SubjectId, placement: &str, kept: Kept, until: Micros, now: Micros) {
        let mut shard = self.shard(subject).write().unwrap_or_else(PoisonError::into_inner);
        let standing = shard.standing.entry(subject).or_default();
        if until > now && !standing.iter().any(|one| one.until > now && *one.placement == *placement) {
            standing.push(Standing { placement: placement.into(), kept, until });
        }
    }

    /// How often a profile was read.
    pub(crate) fn reads(&self) -> u64 {
        self.reads.load(Ordering::Relaxed)
    }

    /// Customers with a profile.
    pub(crate) fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.read().unwrap_or_else(PoisonError::into_inner).profiles.len()).sum()
    }
}
