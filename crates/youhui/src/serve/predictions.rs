//! What the response model says of each customer: a table that `youhui response predict --id` wrote, read again whenever its file changes.
//!
//! Only whoever may be known is looked up here: it is a read of a profile like any other.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use arc_swap::ArcSwap;
use rustc_hash::FxHashMap;
use youhui_commerce::SubjectId;
use youhui_decision::Place;
use youhui_storage::{StoreError, Values, columns_of, read_table_as};

use super::offers::Live;
use super::state::Shop;
use crate::cli::Console;

/// Whose row it is; as `youhui response predict --id` calls it.
pub(crate) const ID: &str = "customer";
/// Before the treatment's name.
const EFFECT: &str = "effect_";
/// Larger predictions, in minor units, are none: as of a promotion's own.
const MOST: f64 = 1e12;
/// Customers who were unknown when the file was read are looked for again after so long.
const AGAIN: Duration = Duration::from_secs(60);
/// How often it is looked whether the file is another.
const LOOK: Duration = Duration::from_secs(1);

/// Where predictions are, and what they say.
#[derive(Debug, Default)]
pub(crate) struct Predictions {
    path: Option<PathBuf>,
    /// Minor units that one unit of the outcome is worth.
    value: f64,
    table: ArcSwap<Table>,
    read: Mutex<LastRead>,
}

/// The file, as it was when it was last read.
#[derive(Debug, Default)]
struct LastRead {
    stamp: Option<(SystemTime, u64)>,
    /// When to look again for customers who were not known.
    again: Option<Instant>,
    /// What was said last of it.
    said: String,
}

#[derive(Debug, Default)]
struct Table {
    /// By promotion the column.
    columns: FxHashMap<String, usize>,
    rows: FxHashMap<SubjectId, usize>,
    /// Row by row, in minor units; not a number where nothing is said.
    values: Arc<Vec<f32>>,
}

/// What was found in a file.
struct Found {
    table: Table,
    /// Rows of customers whom nobody knows, of whoever has a row already, and cells that are no number.
    unknown: usize,
    again: usize,
    empty: usize,
}

impl Predictions {
    pub(crate) fn new(path: Option<PathBuf>, value: f64) -> Self {
        Self { path, value, ..Self::default() }
    }

    /// Customers of whom something is predicted.
    pub(super) fn count(&self) -> u64 {
        self.table.load().rows.len() as u64
    }

    /// Writes down for each candidate what is predicted of it for this customer, who may be known.
    pub(super) fn fill(&self, live: &Live, subject: SubjectId, places: &mut [Place]) {
        let table = self.table.load();
        let Some(row) = table.rows.get(&subject) else { return };
        for candidate in places.iter_mut().flat_map(|place| &mut place.candidates) {
            let offer = live.snapshot.offers.get(candidate.offer as usize);
            let column = offer.and_then(|offer| table.columns.get(&offer.promotion_id));
            let value = column.and_then(|column| table.values.get(row * table.columns.len() + column));
            candidate.predicted = value.copied().filter(|value| value.is_finite());
        }
    }

    /// Forgets a customer, until the file says something else.
    pub(super) fn forget(&self, subject: SubjectId) {
        if !self.table.load().rows.contains_key(&subject) {
            return;
        }
        self.table.rcu(|table| {
            let mut rows = table.rows.clone();
            rows.remove(&subject);
            Table { columns: table.columns.clone(), rows, values: Arc::clone(&table.values) }
        });
    }

    /// Reads the file, if it is another than the one that was read. Decisions go by what was read before for as long as that takes, and if it
    /// can't be read: what is there then, promotions' own predictions or an older file, is said.
    fn refresh(&self, shop: &Shop, console: Console) {
        let Some(path) = &self.path else { return };
        let stamp = std::fs::metadata(path).ok().and_then(|file| Some((file.modified().ok()?, file.len())));
        let mut last = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        let is_due = last.again.is_some_and(|again| again <= Instant::now());
        if stamp.is_some() && last.stamp == stamp && !is_due {
            return;
        }
        let said = match table(path, self.value, shop) {
            Ok(found) => {
                let said = told(path, &found, &shop.live.load());
                (last.stamp, last.again) = (stamp, (found.unknown > 0).then(|| Instant::now() + AGAIN));
                self.table.store(Arc::new(found.table));
                self.forget_erased(shop);
                said
            }
            // Tried until it can be read.
            Err(error) => {
                last.stamp = None;
                let instead = if self.count() > 0 { "what was read before" } else { "what is predicted of each promotion for everybody" };
                format!("warning: predictions: {error}. Decisions go by {instead}")
            }
        };
        if said != last.said {
            console.say(&said);
            last.said = said;
        }
    }

    /// Whoever was erased while the file was read is not in it.
    fn forget_erased(&self, shop: &Shop) {
        let gone: Vec<SubjectId> = {
            let erased = shop.erased.read().unwrap_or_else(PoisonError::into_inner);
            self.table.load().rows.keys().copied().filter(|subject| erased.has(*subject)).collect()
        };
        gone.into_iter().for_each(|subject| self.forget(subject));
    }
}

/// Reads the file whenever it changes.
pub(super) async fn follow(shop: Arc<Shop>, console: Console) {
    let mut tick = tokio::time::interval(LOOK);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        look(&shop, console).await;
    }
}

/// Looks once.
pub(super) async fn look(shop: &Arc<Shop>, console: Console) {
    let shop = Arc::clone(shop);
    // A panic in there leaves what was read before.
    tokio::task::spawn_blocking(move || shop.predictions.refresh(&shop, console)).await.ok();
}

fn table(path: &Path, value: f64, shop: &Shop) -> Result<Found, StoreError> {
    let effects: Vec<String> = columns_of(path)?.into_iter().filter(|name| name.starts_with(EFFECT)).collect();
    let wanted: Vec<String> = std::iter::once(ID.to_owned()).chain(effects).collect();
    let mut read = read_table_as(path, Some(&wanted), &[ID])?;
    let (codes, names) = read.take(ID)?.values.categories();
    let width = read.columns.len();
    let columns = read.columns.iter().map(|column| column.name[EFFECT.len()..].to_owned()).zip(0..).collect();
    let mut found = Found { table: Table { columns, ..Table::default() }, unknown: 0, again: 0, empty: 0 };
    let mut values: Vec<f32> = Vec::with_capacity(read.rows() * width);
    let subjects: Vec<Option<SubjectId>> = names.iter().map(|name| shop.find(name)).collect();
    for (row, code) in codes.iter().enumerate() {
        let Some(subject) = subjects.get(*code as usize).copied().flatten() else {
            found.unknown += 1;
            continue;
        };
        // The last one counts.
        let place = values.len() / width.max(1);
        found.again += usize::from(found.table.rows.insert(subject, place).is_some());
        for column in &read.columns {
            let cell = if let Values::Number(cells) = &column.values { cells[row] * value } else { f64::NAN };
            let cell = if cell.abs() <= MOST { cell } else { f64::NAN };
            found.empty += usize::from(cell.is_nan());
            #[allow(clippy::cast_possible_truncation, reason = "a profit of one customer, of which seven digits are more than is known")]
            values.push(cell as f32);
        }
    }
    found.table.values = Arc::new(values);
    Ok(found)
}

fn told(path: &Path, found: &Found, live: &Live) -> String {
    let offered = live.snapshot.offers.iter().filter(|offer| found.table.columns.contains_key(&offer.promotion_id)).count();
    let mut text = format!(
        "predictions: {} customers, {} of {} promotions that are offered ({})",
        found.table.rows.len(),
        offered,
        live.snapshot.offers.len(),
        path.display()
    );
    for (count, what) in [
        (found.unknown, "rows are of nobody who is known"),
        (found.again, "rows are of somebody who has one already: the last counts"),
        (found.empty, "cells hold no number: those go by the promotion's own prediction"),
    ] {
        if count > 0 {
            text.push_str(&format!("; {count} {what}"));
        }
    }
    text
}
