//! What came of a campaign's decisions, read from the logs: who was shown it, who was held out by lot, and what each bought after and before.

use rustc_hash::{FxHashMap, FxHashSet};
use youhui_commerce::{Currency, EventKind, Micros, SubjectId};
use youhui_decision::{Filled, Mode, decide};
use youhui_storage::{Live as Database, LiveError};

use super::decisions::{Record, Snapshots};
use super::state::{Entry, read_batch};

/// What a customer bought within a window: orders, revenue and discount, in minor units.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Bought {
    pub(crate) orders: f64,
    pub(crate) revenue: f64,
    pub(crate) discount: f64,
}

impl Bought {
    /// At list prices.
    pub(crate) fn list(&self) -> f64 {
        self.revenue + self.discount
    }

    /// What goods cost, where profit is this share of list prices: whole minor units, as money's ledger has it.
    pub(crate) fn goods(&self, margin: f64) -> f64 {
        ((1.0 - margin) * self.list()).round()
    }

    /// What the shop keeps.
    pub(crate) fn profit(&self, margin: f64) -> f64 {
        self.revenue - self.goods(margin)
    }
}

/// A customer who came where the campaign could be shown.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Unit {
    pub(crate) subject: SubjectId,
    pub(crate) held_out: bool,
    /// How likely that was, for a customer who was in one arm throughout.
    pub(crate) chance: f64,
    /// When first.
    pub(crate) exposed: Micros,
    /// Within the window before that, and after.
    pub(crate) before: Bought,
    pub(crate) after: Bought,
    /// In the days after the window, where they are over.
    pub(crate) later: Option<Bought>,
}

/// Times that count, in microseconds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Windows {
    /// After a customer came first, and before it.
    pub(crate) window: Micros,
    /// After the window.
    pub(crate) later: Micros,
}

/// A decision by lot among the campaign's offers, others, and nothing.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Round {
    pub(crate) subject: SubjectId,
    /// Places of the campaign's offers that could be shown.
    pub(crate) could: Vec<usize>,
    pub(crate) shown: Shown,
    pub(crate) propensity: f64,
    pub(crate) time: Micros,
    pub(crate) after: Bought,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shown {
    Nothing,
    /// One of the campaign's, by its place.
    Own(usize),
    Other,
}

/// A campaign's decisions with what came of them, of windows that are over.
#[derive(Debug)]
pub(crate) struct Outcomes {
    pub(crate) promotions: Vec<String>,
    pub(crate) units: Vec<Unit>,
    pub(crate) rounds: Vec<Round>,
    /// In which currencies the shop was served; none, if that wasn't kept.
    pub(crate) currencies: Vec<Currency>,
    /// Shares of the lot that were held out, as snapshots have it: more than one, where it was changed.
    pub(crate) holdout_shares: Vec<f64>,
    /// Customers whose window is not over yet.
    pub(crate) waiting: usize,
    /// Customers who were held out at one time and not at another: on another device, before they said who they are, or under another share.
    pub(crate) in_both: FxHashSet<SubjectId>,
}

/// Reads them. Nobody is looked up by their identifier: subjects are random.
///
/// # Errors
/// Where a log can't be read.
pub(crate) async fn outcomes(database: &Database, campaign: &str, windows: Windows, now: Micros) -> Result<Outcomes, LiveError> {
    let Windows { window, later } = windows;
    let bought = Purchases::read(database).await?;
    let mut found = decisions(database, campaign, &bought.named).await?;
    found.currencies = super::currencies(database).await?;
    // Whoever was held out at one time and not at another is in neither arm.
    let in_both = std::mem::take(&mut found.in_both);
    found.units.retain(|unit| !in_both.contains(&unit.subject));
    found.rounds.retain(|round| !in_both.contains(&round.subject));
    found.in_both = in_both;
    let is_over = |time: Micros| time + window <= now;
    let everybody = found.units.len();
    found.units.retain(|unit| is_over(unit.exposed));
    found.waiting = everybody - found.units.len();
    found.rounds.retain(|round| is_over(round.time));
    for unit in &mut found.units {
        unit.before = bought.within(unit.subject, unit.exposed - window, unit.exposed);
        let end = unit.exposed + window;
        unit.after = bought.within(unit.subject, unit.exposed, end);
        unit.later = (end + later <= now).then(|| bought.within(unit.subject, end, end + later));
    }
    for round in &mut found.rounds {
        round.after = bought.within(round.subject, round.time, round.time + window);
    }
    Ok(found)
}

async fn decisions(database: &Database, campaign: &str, named: &FxHashMap<SubjectId, SubjectId>) -> Result<Outcomes, LiveError> {
    let mut found = Outcomes {
        promotions: vec![],
        units: vec![],
        rounds: vec![],
        currencies: vec![],
        holdout_shares: vec![],
        waiting: 0,
        in_both: FxHashSet::default(),
    };
    let (mut known, mut snapshots, mut after) = (FxHashMap::<SubjectId, bool>::default(), Snapshots::new(database), 0);
    let mut lots = FxHashMap::<SubjectId, Vec<Lot>>::default();
    loop {
        let batches = database.decisions_after(after).await?;
        let Some((last, _)) = batches.last() else {
            found.units.iter_mut().for_each(|unit| unit.chance = lots.get(&unit.subject).map_or(f64::NAN, |lots| chance(lots)));
            return Ok(found);
        };
        after = *last;
        let records = batches.iter().flat_map(|(_, records)| records);
        for record in records.filter_map(|bytes| postcard::from_bytes::<Record>(bytes).ok()) {
            let Some(drawn) = record.facts.subject() else { continue };
            let subject = by_name(named, drawn);
            let snapshot = snapshots.of(record.facts.snapshot).await?;
            let own = |offer: u32| snapshot.offers.get(offer as usize).filter(|offer| offer.campaign_id == campaign);
            if !record.facts.places.iter().flat_map(|place| &place.candidates).any(|candidate| own(candidate.offer).is_some()) {
                continue;
            }
            let decision = decide(snapshot, &record.facts);
            for (filled, place) in decision.places.iter().zip(&record.facts.places) {
                // Whoever came where it could be shown, whatever still stood: the lot decides, and nothing that came of it.
                let could_be_shown = place.candidates.iter().any(|candidate| own(candidate.offer).is_some());
                if !could_be_shown || !matches!(filled.mode, Mode::Holdout | Mode::Personalised) {
                    continue;
                }
                if !found.holdout_shares.contains(&snapshot.holdout_share) {
                    found.holdout_shares.push(snapshot.holdout_share);
                }
                Lot::add(lots.entry(subject).or_default(), drawn, snapshot.holdout_share);
                let held_out = filled.mode == Mode::Holdout;
                let time = record.facts.time;
                let first = *known.entry(subject).or_insert_with(|| {
                    let nothing = Bought::default();
                    let chance = f64::NAN;
                    found.units.push(Unit { subject, held_out, chance, exposed: time, before: nothing, after: nothing, later: None });
                    held_out
                });
                if first != held_out {
                    found.in_both.insert(subject);
                }
                // Both it and nothing had a chance.
                let chance = |offer: Option<u32>| filled.options.iter().any(|option| option.offer == offer && option.probability > 0.0);
                let mut could = vec![];
                for candidate in place.candidates.iter().filter(|candidate| chance(None) && chance(Some(candidate.offer))) {
                    if let Some(offer) = own(candidate.offer) {
                        could.push(place_of(&mut found.promotions, &offer.promotion_id));
                    }
                }
                if !held_out && !could.is_empty() {
                    let shown = shown(filled, |offer| own(offer).map(|offer| place_of(&mut found.promotions, &offer.promotion_id)));
                    let after = Bought::default();
                    found.rounds.push(Round { subject, could, shown, propensity: filled.propensity, time, after });
                }
            }
        }
    }
}

/// A number in [0, 1) that was drawn for a customer, or for a device of theirs, and the shares below which it was held out.
struct Lot {
    drawn: SubjectId,
    least: f64,
    greatest: f64,
}

impl Lot {
    fn add(lots: &mut Vec<Self>, drawn: SubjectId, share: f64) {
        match lots.iter_mut().find(|lot| lot.drawn == drawn) {
            Some(lot) => (lot.least, lot.greatest) = (lot.least.min(share), lot.greatest.max(share)),
            None => lots.push(Self { drawn, least: share, greatest: share }),
        }
    }
}

/// How likely a customer was held out, given that they were in one arm throughout: all their lots below every share that they met, against all
/// above. Whoever came under 10 % and under 30 % was held out with 0.1 / (0.1 + 0.7), for those in between are in neither arm.
fn chance(lots: &[Lot]) -> f64 {
    let below: f64 = lots.iter().map(|lot| lot.least).product();
    let above: f64 = lots.iter().map(|lot| 1.0 - lot.greatest).product();
    below / (below + above)
}

fn place_of(names: &mut Vec<String>, name: &str) -> usize {
    names.iter().position(|known| known == name).unwrap_or_else(|| {
        names.push(name.to_owned());
        names.len() - 1
    })
}

fn shown(filled: &Filled, mut own: impl FnMut(u32) -> Option<usize>) -> Shown {
    match filled.offer {
        None => Shown::Nothing,
        Some(offer) => own(offer).map_or(Shown::Other, Shown::Own),
    }
}

/// What everybody bought, in order of time.
struct Purchases {
    named: FxHashMap<SubjectId, SubjectId>,
    by_subject: FxHashMap<SubjectId, Vec<(Micros, Bought)>>,
}

impl Purchases {
    async fn read(database: &Database) -> Result<Self, LiveError> {
        let (mut raw, mut named, mut seen) = (vec![], FxHashMap::default(), FxHashSet::default());
        let mut after = 0;
        loop {
            let batches = database.events_after(after).await?;
            let Some((last, _)) = batches.last() else { break };
            after = *last;
            for (seq, payload) in &batches {
                let mut message = None;
                for entry in read_batch(*seq, payload)? {
                    // Entries of one message stand together; a message that came twice counts once.
                    let is_new = match message {
                        Some((known, is_new)) if known == entry.message() => is_new,
                        _ => seen.insert(entry.message()),
                    };
                    message = Some((entry.message(), is_new));
                    match entry {
                        Entry::Link { from, to, .. } if is_new => {
                            named.insert(from, to);
                        }
                        Entry::Event { subject, what, .. } if is_new => {
                            let amounts = (what.amount as f64, what.discount as f64);
                            let bought = match what.kind {
                                EventKind::Order => {
                                    Bought { orders: f64::from(u8::from(what.begins_order)), revenue: amounts.0, discount: amounts.1 }
                                }
                                EventKind::Refund => Bought { orders: 0.0, revenue: -amounts.0, discount: -amounts.1 },
                                _ => continue,
                            };
                            raw.push((subject, what.time, bought));
                        }
                        _ => {}
                    }
                }
            }
        }
        let mut by_subject: FxHashMap<SubjectId, Vec<(Micros, Bought)>> = FxHashMap::default();
        for (subject, time, bought) in raw {
            by_subject.entry(by_name(&named, subject)).or_default().push((time, bought));
        }
        by_subject.values_mut().for_each(|events| events.sort_by_key(|(time, _)| *time));
        Ok(Self { named, by_subject })
    }

    fn within(&self, subject: SubjectId, from: Micros, until: Micros) -> Bought {
        let events = self.by_subject.get(&subject).map_or(&[][..], Vec::as_slice);
        let first = events.partition_point(|(time, _)| *time < from);
        let within = events[first..].iter().take_while(|(time, _)| *time < until);
        within.fold(Bought::default(), |sum, (_, bought)| Bought {
            orders: sum.orders + bought.orders,
            revenue: sum.revenue + bought.revenue,
            discount: sum.discount + bought.discount,
        })
    }
}

/// Whoever a device's owner said they are; a ring ends.
fn by_name(named: &FxHashMap<SubjectId, SubjectId>, subject: SubjectId) -> SubjectId {
    let mut by_name = subject;
    for _ in 0..8 {
        match named.get(&by_name) {
            Some(&next) => by_name = next,
            None => break,
        }
    }
    by_name
}

#[cfg(test)]
mod tests {
    use youhui_commerce::Draw;

    use super::*;

    /// Goods are whole minor units in money's ledger, and so in the profit that is judged.
    #[test]
    fn goods_are_whole_minor_units() {
        let bought = Bought { orders: 1.0, revenue: 899.0, discount: 100.0 };
        assert!((bought.goods(0.3) - 699.0).abs() < 1e-9 && (bought.profit(0.3) - 200.0).abs() < 1e-9, "{}", bought.profit(0.3));
    }

    /// Customers who met several shares, or came with a device too: of those in one arm throughout, as many are held out as their chances say.
    #[test]
    fn chances_of_being_held_out_are_those_of_the_lot() {
        let mut draw = Draw::seeded(1);
        let id = |number: u8| SubjectId::from_bytes([number; 16]);
        for met in [
            &[(0, 0.1)][..],
            &[(0, 0.1), (0, 0.3)],
            &[(0, 0.3), (0, 0.5), (0, 0.1)],
            &[(0, 0.4), (1, 0.4)],
            &[(0, 0.2), (1, 0.5), (1, 0.3)],
        ] {
            let mut lots = vec![];
            met.iter().for_each(|(of, share)| Lot::add(&mut lots, id(*of), *share));
            let (mut held_out, mut all) = (0.0, 0.0);
            for _ in 0..100_000 {
                let drawn = [draw.uniform(), draw.uniform()];
                let arms: Vec<bool> = met.iter().map(|(of, share)| drawn[usize::from(*of)] < *share).collect();
                if arms.iter().all(|arm| *arm == arms[0]) {
                    all += 1.0;
                    held_out += f64::from(u8::from(arms[0]));
                }
            }
            let found: f64 = held_out / all;
            // Four standard errors.
            let slack = 4.0 * (found * (1.0 - found) / all).sqrt();
            assert!((chance(&lots) - found).abs() < slack, "{met:?}: {} {found}", chance(&lots));
        }
    }
}
