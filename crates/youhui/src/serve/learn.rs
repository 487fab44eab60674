//! Learning while serving: decisions whose window is over, joined with what was earned, make the next snapshot.
//!
//! Nothing is kept of pending outcomes. Decisions are read from their own log, from where the last update ended; what was
//! earned comes from the log of events. So a crash loses no outcome and counts none twice (a server that stands still for a window
//! or more loses those of that time): what was learnt, how far, and the
//! snapshot that follows are written in one transaction.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use youhui_commerce::Micros;
use youhui_decision::{Belief, DecisionId, Drift, Kept, Learner, Outcome, Posterior, Snapshot, Way, decide};
use youhui_profile::live::CONTEXT_WIDTH;
use youhui_storage::{Live as Database, LiveError, Written};

use super::decisions::{Record, Snapshots};
use super::offers::Live;
use super::state::Shop;
use crate::cli::{Console, now};

/// Events that come so late are not waited for longer.
const MOST_GRACE: Micros = 3_600_000_000;

/// From when on it is kept what was earned: outcomes are learnt once a window is over, and a while after.
pub(super) fn earned_since(window: Micros) -> Micros {
    now() - 2 * window - MOST_GRACE
}

/// What was learnt, as it is kept.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Learnt {
    /// Promotions in the order that the learner knows them in; more may come.
    offers: Vec<String>,
    learner: Learner,
    /// Of nothing shown first, then of each promotion.
    drifts: Vec<Drift>,
    /// When what was seen was last made to count less.
    faded: Micros,
}

/// The learner, and how far it has read.
#[derive(Debug)]
pub(super) struct Learning {
    learnt: Learnt,
    through: i64,
}

impl Learning {
    /// What was learnt before.
    pub(super) async fn open(database: &Database) -> Result<Self, LiveError> {
        let Some((through, bytes)) = database.learnt().await? else {
            let learner = Learner::new(CONTEXT_WIDTH, &[]);
            return Ok(Self { learnt: Learnt { offers: vec![], learner, drifts: vec![Drift::default()], faded: now() }, through: 0 });
        };
        Ok(Self { learnt: Learnt::read(&bytes)?, through })
    }

    /// What was learnt, put to what is offered: promotions that are new enter cold. Kept under a version of its own.
    pub(super) async fn take_up(&mut self, database: &Database, mut live: Live) -> Result<Live, LiveError> {
        self.learnt.enter(&live);
        believe(&mut live.snapshot, &self.learnt.offers, &self.learnt.learner.posterior().beliefs);
        loop {
            live.snapshot.version += 1;
            // Plain data, written to memory.
            let document = postcard::to_stdvec(&live.snapshot).unwrap_or_default();
            if database.keep_snapshot(live.snapshot.version, now(), &document).await? {
                return Ok(live);
            }
        }
    }

    /// Learns from whatever is over by now; how many outcomes that were.
    pub(super) async fn update(&mut self, shop: &Shop, console: Console) -> Result<usize, LiveError> {
        let live = shop.live.load_full();
        let window = live.offered.settings.window;
        let over = now() - window - (window / 10).min(MOST_GRACE);
        let posterior = self.learnt.learner.posterior();
        let (mut through, mut outcomes, mut snapshots) = (self.through, 0, Snapshots::new(&shop.database));
        let mut next = self.learnt.clone();
        next.fade(now(), live.offered.settings.half_life);
        'batches: loop {
            let batches = shop.database.decisions_after(through).await?;
            if batches.is_empty() {
                break;
            }
            for (seq, records) in batches {
                // What can't be read is told by `youhui replay`, and teaches nothing.
                let records: Vec<Record> = records.iter().filter_map(|bytes| postcard::from_bytes(bytes).ok()).collect();
                if records.iter().any(|record| record.facts.time > over) {
                    break 'batches;
                }
                for record in records {
                    let snapshot = snapshots.of(record.facts.snapshot).await?;
                    for outcome in self.learnt.outcomes(shop, &record, snapshot, window) {
                        outcomes += usize::from(next.see(&outcome, &posterior, console));
                    }
                }
                through = seq;
            }
        }
        if through == self.through {
            return Ok(0);
        }
        self.keep(shop, &live, next, through).await?;
        Ok(outcomes)
    }

    /// What was learnt, and what follows from it, from now on.
    async fn keep(&mut self, shop: &Shop, live: &Live, learnt: Learnt, through: i64) -> Result<(), LiveError> {
        let mut snapshot = live.snapshot.clone();
        believe(&mut snapshot, &learnt.offers, &learnt.learner.posterior().beliefs);
        // Plain data, written to memory.
        let document = postcard::to_stdvec(&learnt).unwrap_or_default();
        loop {
            snapshot.version += 1;
            let bytes = postcard::to_stdvec(&snapshot).unwrap_or_default();
            match shop.database.keep_learnt(self.through, through, &document, (snapshot.version, now(), &bytes)).await? {
                Written::Taken => {}
                Written::Done => {
                    (self.learnt, self.through) = (learnt, through);
                    shop.live.store(Arc::new(Live { snapshot, offered: Arc::clone(&live.offered) }));
                    return Ok(());
                }
                // Another server was quicker: go on from what it knows.
                Written::Stale => {
                    *self = Self::open(&shop.database).await?;
                    shop.live.store(Arc::new(self.take_up(&shop.database, Live::clone(live)).await?));
                    return Ok(());
                }
            }
        }
    }
}

impl Learnt {
    /// What was kept: never begun anew by itself, which would forget everything that was learnt.
    fn read(bytes: &[u8]) -> Result<Self, LiveError> {
        postcard::from_bytes(bytes)
            .map_err(|error| LiveError::Refused(format!("what was learnt can't be read ({error}): restore the database from a backup")))
    }

    /// Promotions that are new enter cold.
    fn enter(&mut self, live: &Live) {
        for (offer, std_error) in live.snapshot.offers.iter().zip(&live.offered.std_errors) {
            if !self.offers.contains(&offer.promotion_id) {
                self.offers.push(offer.promotion_id.clone());
                self.learner.enter(*std_error);
                self.drifts.push(Drift::default());
            }
        }
    }

    /// What was seen long ago counts less.
    fn fade(&mut self, now: Micros, half_life: Micros) {
        let passed = (now - self.faded).max(0) as f64 / half_life.max(1) as f64;
        self.learner.fade(0.5_f64.powf(passed));
        self.faded = now;
    }

    /// The outcomes of a decision's places that begin a window.
    fn outcomes(&self, shop: &Shop, record: &Record, snapshot: &Snapshot, window: Micros) -> Vec<Outcome> {
        let facts = &record.facts;
        let (Some(subject), Some(context)) = (facts.subject(), facts.context()) else { return vec![] };
        let subject = shop.by_name(subject);
        // Of who has objected meanwhile nothing is learnt any more; nor of what is so long ago, after the server stood still, that
        // what was earned then is not kept.
        if !shop.customers.may_be_learnt_from(subject) || facts.time < earned_since(window) {
            return vec![];
        }
        let profit = shop.customers.earned(subject, facts.time, facts.time + window);
        let decision = decide(snapshot, facts);
        let begun = decision.places.iter().zip(&facts.places).filter(|(filled, _)| filled.begins());
        let outcome = |(filled, place): (&youhui_decision::Filled, &youhui_decision::Place)| {
            let offer = filled.offer.and_then(|number| snapshot.offers.get(number as usize));
            // A promotion that the learner has never heard of is of a server with other offers.
            let shown = match offer {
                None => None,
                Some(offer) => Some(self.offers.iter().position(|known| *known == offer.promotion_id)?),
            };
            let candidate = place.candidates.iter().find(|candidate| Some(candidate.offer) == filled.offer);
            let predicted = candidate.and_then(|candidate| candidate.predicted).map(f64::from);
            let predicted = predicted.or_else(|| offer.map(|offer| offer.predicted)).unwrap_or(0.0);
            Some(Outcome { context: context.to_vec(), shown, predicted, profit })
        };
        begun.filter_map(outcome).collect()
    }

    /// Learns one outcome; whether it could be learnt from.
    fn see(&mut self, outcome: &Outcome, posterior: &Posterior, console: Console) -> bool {
        let drift = self.drifts.get_mut(outcome.shown.map_or(0, |number| number + 1));
        let way = drift.and_then(|drift| drift.see(outcome.profit - posterior.expects(outcome)));
        if let Some(way) = way {
            let what = outcome.shown.and_then(|number| self.offers.get(number)).map_or("showing nothing", String::as_str);
            let way = if way == Way::Up { "more" } else { "less" };
            console.say(&format!("drift: customers bring {way} with {what} than they used to"));
        }
        self.learner.see(outcome).is_ok()
    }
}

/// Has decisions stand again that stood before the server was started.
pub(super) async fn stand_again(shop: &Shop) -> Result<(), LiveError> {
    let window = shop.live.load().offered.settings.window;
    let start = now();
    let (since, mut after, mut snapshots) = (DecisionId::new(start - window, [0; 16]), 0, Snapshots::new(&shop.database));
    loop {
        let batches = shop.database.decisions_since(since.0, after).await?;
        let Some((last, _)) = batches.last() else { return Ok(()) };
        after = *last;
        for record in batches.iter().flat_map(|(_, records)| records).filter_map(|bytes| postcard::from_bytes::<Record>(bytes).ok()) {
            let snapshot = snapshots.of(record.facts.snapshot).await?;
            again(shop, snapshot, &record, window);
        }
    }
}

/// Decisions that other servers have made stand here too.
pub(super) async fn stand_here(shop: &Shop, records: &[Vec<u8>]) -> Result<(), LiveError> {
    let window = shop.live.load().offered.settings.window;
    let mut snapshots = Snapshots::new(&shop.database);
    for record in records.iter().filter_map(|bytes| postcard::from_bytes::<Record>(bytes).ok()) {
        let snapshot = snapshots.of(record.facts.snapshot).await?;
        again(shop, snapshot, &record, window);
    }
    Ok(())
}

fn again(shop: &Shop, snapshot: &Snapshot, record: &Record, window: Micros) {
    let Some(subject) = record.facts.subject() else { return };
    // Offers have numbers of their own in each snapshot.
    let live = shop.live.load();
    for filled in decide(snapshot, &record.facts).places.iter().filter(|filled| filled.begins()) {
        let id = filled.offer.and_then(|number| snapshot.offers.get(number as usize)).map(|offer| offer.promotion_id.as_str());
        let offer = id.map(|id| live.snapshot.find(id).and_then(|number| u32::try_from(number).ok()));
        // What is not offered any more stands no longer.
        if let Some(None) = offer {
            continue;
        }
        let kept = Kept { decision: record.facts.decision, offer: offer.flatten(), propensity: filled.propensity };
        let time = record.facts.time;
        shop.customers.stand_again(shop.by_name(subject), &filled.placement, kept, time + window, now());
    }
}

/// Puts what is known of each promotion into a snapshot.
fn believe(snapshot: &mut Snapshot, known: &[String], beliefs: &[Belief]) {
    for offer in &mut snapshot.offers {
        let belief = known.iter().position(|one| *one == offer.promotion_id).and_then(|number| beliefs.get(number));
        if let Some(belief) = belief {
            offer.belief.clone_from(belief);
        }
    }
}
