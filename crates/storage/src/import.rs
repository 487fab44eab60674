//! The import: files in, one new manifest out.

use std::collections::BTreeMap;
use std::collections::hash_map::Entry;
use std::path::{Path, PathBuf};
use std::sync::mpsc::sync_channel;

use rayon::prelude::*;
use rustc_hash::FxHashMap;
use serde::Serialize;
use youhui_commerce::schema::Table;
use youhui_commerce::{Draw, Micros, SubjectId};
use youhui_privacy::{IdentityVault, Standing, SuppressionList};

use crate::error::StoreError;
use crate::events::{self, Converted, EventContext, EventRow, Interner, NO_TEXT, StoredRow};
use crate::load;
use crate::manifest::{Manifest, Segment, ShopSettings};
use crate::mapping::{EventsMapping, Mapping};
use crate::quarantine::{BadRow, Quarantine, Rule};
use crate::source;
use crate::store::{Chance, Store, WriteLock, clean, keys};
use crate::{parquet_io, reference};

/// Rows held in memory before they are written: bounds memory whatever the file's size.
const MOST_ROWS: usize = 1_500_000;
/// Ids of events that memory is reserved for before they are there: 16 times 25 MB.
const MOST_IDS: usize = 16_000_000;
/// Bytes of text that these rows may point at. A column of text holds 2 GB and no more.
const MOST_TEXT: usize = 512 << 20;

/// Chunks converted at once.
const GROUP: usize = 8;

/// How to import.
#[derive(Debug, Clone)]
pub struct ImportOptions {
    /// Which table.
    pub table: Table,
    /// Which of the mapping's `more_events`; `None` for `events`.
    pub variant: Option<String>,
    /// Name of the mapping, for messages.
    pub mapping_name: String,
    /// Where bad rows go; the store's `quarantine` folder if `None`.
    pub quarantine: Option<PathBuf>,
    /// Keep the good rows even if most are bad.
    pub allow_bad: bool,
    /// Say what would happen, write nothing.
    pub dry_run: bool,
    /// The moment now: later events are bad.
    pub now: Micros,
    /// Draw identifiers from a seed, for demos and tests; from the operating system if `None`.
    pub seed: Option<u64>,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
const fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// What an import did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ImportSummary {
    /// The table.
    pub table: String,
    /// Rows read.
    pub rows: u64,
    /// Rows that are new in the store.
    pub added: u64,
    /// Rows that were there already, or stood twice with the same content.
    pub known: u64,
    /// Rows that the mapping passes over.
    pub excluded: u64,
    /// Rows of customers who were erased, which are not taken in.
    #[serde(skip_serializing_if = "is_zero")]
    pub erased: u64,
    /// Bad rows by rule.
    pub bad: BTreeMap<&'static str, u64>,
    /// Where they are.
    pub quarantine: Option<PathBuf>,
    /// Customers seen for the first time.
    pub new_customers: u64,
}

impl ImportSummary {
    /// All bad rows.
    pub fn bad_rows(&self) -> u64 {
        self.bad.values().sum()
    }
}

/// Imports `files` into the store in `root`, which is made where there is none. `progress` hears
/// how many rows were read so far.
///
/// # Errors
/// Any [`StoreError`]; the store is then as it was.
pub fn import(
    root: &Path,
    files: &[PathBuf],
    mapping: &Mapping,
    options: &ImportOptions,
    progress: &(dyn Fn(u64) + Sync),
) -> Result<ImportSummary, StoreError> {
    let mapping_error = |message: String| StoreError::Mapping { name: options.mapping_name.clone(), message };
    let exists = Manifest::path(root).exists();
    // A dry run on a new store touches nothing at all.
    let _lock = if options.dry_run && !exists { None } else { Some(WriteLock::take(root)?) };
    let manifest = if exists { Manifest::read(root)? } else { Manifest::new(new_shop(mapping).map_err(mapping_error)?) };
    if let Some(shop) = &mapping.shop
        && shop.currency != manifest.shop.currency
    {
        let (theirs, ours) = (shop.currency, manifest.shop.currency);
        return Err(mapping_error(format!("its currency is {theirs}, the store's is {ours}: import it into a store of its own")));
    }
    if let Some(path) = &options.quarantine {
        Quarantine::check(path)?;
    }
    if !options.dry_run {
        clean(root, &manifest);
    }
    let mut chance = match options.seed {
        None => Chance::System,
        Some(seed) => Chance::Seeded(Draw::seeded(seed).fork(&format!("identity {}", manifest.next))),
    };
    let keys = keys(root, &mut chance, !exists, !options.dry_run)?;
    let event_key = keys.event;
    let erased = crate::erase::suppression(root, &keys)?;
    let identity = load::identity_rows(root, &manifest)?;
    let vault =
        IdentityVault::new(keys, identity).map_err(|error| StoreError::NotAStore { path: root.to_owned(), message: error.to_string() })?;
    let number = manifest.next;
    let quarantine = options.quarantine.clone().unwrap_or_else(|| {
        let name = format!("{number:06}-{}.quarantine.jsonl", options.table.name());
        match options.dry_run {
            // The folder is everybody's: others may dry-run too.
            true => std::env::temp_dir().join(format!("youhui-{}-{name}", std::process::id())),
            false => root.join("quarantine").join(name),
        }
    });
    let before = manifest.clone();
    let mut run = Run {
        root: root.to_owned(),
        manifest,
        vault,
        erased,
        chance,
        quarantine: Quarantine::new(quarantine),
        summary: ImportSummary { table: options.table.name().to_owned(), ..ImportSummary::default() },
        options: options.clone(),
    };
    let known_customers = run.vault.rows().len();
    let result = match options.table {
        Table::Events => {
            let mapping = match &options.variant {
                None => mapping.events.as_ref().ok_or_else(|| mapping_error("it has no [events] section".into()))?,
                Some(name) => {
                    mapping.more_events.get(name).ok_or_else(|| mapping_error(format!("it has no [more_events.{name}] section")))?
                }
            };
            import_events(&mut run, files, mapping, event_key, progress)
        }
        _ => reference::import(&mut run, files, mapping, progress),
    };
    run.summary.new_customers = (run.vault.rows().len() - known_customers) as u64;
    if let Err(error) = result.and_then(|changed| run.finish(changed, exists)) {
        // Whatever was written gives its space back. A manifest on disk names what belongs to it.
        match Manifest::read(root) {
            _ if options.dry_run => {}
            Ok(there) => clean(root, &there),
            Err(_) if Manifest::path(root).exists() => {}
            Err(_) => clean(root, &before),
        }
        if options.quarantine.is_none() && !matches!(error, StoreError::MostlyBad { .. }) {
            // Half a file: the import, once repeated, says it all again.
            run.quarantine.remove();
        }
        return Err(error);
    }
    Ok(run.summary)
}

fn new_shop(mapping: &Mapping) -> Result<ShopSettings, String> {
    let shop = mapping
        .shop
        .as_ref()
        .ok_or("there is no store here yet, and the mapping has no [shop] section with currency and time_zone to make one")?;
    let consent = mapping.consent.as_ref();
    Ok(ShopSettings {
        currency: shop.currency,
        time_zone: shop.time_zone.clone(),
        assumed_margin: shop.assumed_margin,
        never_promote: shop.never_promote.clone(),
        // Without a word of the shop's owner nobody has consented.
        consent_default: consent.map_or("denied".to_owned(), |consent| consent.default.clone()),
        consent_basis: consent.map_or("none given in the mapping's [consent] section".to_owned(), |consent| consent.basis.clone()),
    })
}

/// One import under way.
pub(crate) struct Run {
    pub(crate) root: PathBuf,
    pub(crate) manifest: Manifest,
    pub(crate) vault: IdentityVault,
    erased: SuppressionList,
    chance: Chance,
    pub(crate) quarantine: Quarantine,
    pub(crate) summary: ImportSummary,
    pub(crate) options: ImportOptions,
}

impl Run {
    /// The subject of an identifier, and from when on anything is taken in of them; nothing of whoever was erased.
    pub(crate) fn resolve(&mut self, external: &str) -> Option<(SubjectId, Micros)> {
        let since = match self.erased.standing(external) {
            Standing::Known => Micros::MIN,
            Standing::Returned(time) => time,
            Standing::Erased => return None,
        };
        let chance = &mut self.chance;
        Some((self.vault.resolve(external, || chance.bytes16()), since))
    }

    /// The subject of an identifier that a row without a time is of.
    pub(crate) fn resolve_timeless(&mut self, external: &str) -> Option<SubjectId> {
        // Whether such a row is of before the erasure can't be known.
        let known = self.resolve(external).filter(|(_, since)| *since == Micros::MIN).map(|(subject, _)| subject);
        self.summary.erased += u64::from(known.is_none());
        known
    }

    fn check_share_of_bad(&self) -> Result<(), StoreError> {
        let (bad, rows) = (self.quarantine.total(), self.summary.rows);
        if self.options.allow_bad || bad * 2 <= rows {
            return Ok(());
        }
        let worst = self.quarantine.counts.iter().max_by_key(|(_, count)| **count);
        let rule = worst.map_or("", |(rule, _)| rule);
        let example = self.quarantine.examples.get(rule).cloned().unwrap_or_default();
        Err(StoreError::MostlyBad { bad, rows, rule, example })
    }

    /// Makes the import part of the store, last of all.
    fn finish(&mut self, changed: bool, exists: bool) -> Result<(), StoreError> {
        self.check_share_of_bad()?;
        self.summary.quarantine = self.quarantine.finish()?;
        self.summary.bad = self.quarantine.counts.clone();
        if self.options.dry_run {
            return Ok(());
        }
        if !changed && exists && self.quarantine.total() > 0 {
            // Its bad rows keep their file: the next import takes another number.
            self.manifest.take_number();
            return self.manifest.commit(&self.root);
        }
        if changed { self.commit() } else { Ok(()) }
    }

    fn commit(&mut self) -> Result<(), StoreError> {
        if self.vault.has_grown() {
            let name = format!("identity-{:06}.parquet", self.manifest.take_number());
            let batch = load::identity_batch(self.vault.rows());
            parquet_io::write_new(&self.root.join(&name), &batch)?;
            self.manifest.identity = Some(Segment { name, rows: self.vault.rows().len() as u64 });
        }
        self.manifest.commit(&self.root)?;
        clean(&self.root, &self.manifest);
        Ok(())
    }
}

/// Event rows by bucket, waiting to be written.
#[derive(Default)]
pub(crate) struct BucketRows {
    pub(crate) rows: Vec<StoredRow>,
}

/// What the rows in memory point at.
#[derive(Default)]
pub(crate) struct Names {
    pub(crate) subjects: Vec<SubjectId>,
    numbers: FxHashMap<SubjectId, u32>,
    pub(crate) products: Interner,
    pub(crate) orders: Interner,
    pub(crate) promotions: Interner,
}

impl Names {
    const fn bytes(&self) -> usize {
        self.products.bytes() + self.orders.bytes() + self.promotions.bytes()
    }

    fn subject(&mut self, subject: SubjectId) -> u32 {
        *self.numbers.entry(subject).or_insert_with(|| {
            self.subjects.push(subject);
            // Fewer than there are rows in memory.
            u32::try_from(self.subjects.len() - 1).unwrap_or(u32::MAX)
        })
    }
}

fn import_events(
    run: &mut Run,
    files: &[PathBuf],
    mapping: &EventsMapping,
    key: [u8; 32],
    progress: &(dyn Fn(u64) + Sync),
) -> Result<bool, StoreError> {
    let currency = run.manifest.shop.currency;
    let context = EventContext { mapping, currency: currency.code(), decimals: currency.decimals(), key, now: run.options.now };
    let wanted = events::columns(mapping);
    let mut merge =
        Merge { known: load::event_ids(&Store { root: run.root.clone(), manifest: run.manifest.clone() })?, ..Merge::default() };
    for file in files {
        let name = file.file_name().map_or_else(|| file.display().to_string(), |name| name.to_string_lossy().into_owned());
        // A line of events is rarely shorter.
        merge.begin_file(source::rows_hint(file, 60));
        std::thread::scope(|scope| -> Result<(), StoreError> {
            let (sender, chunks) = sync_channel(GROUP);
            let wanted = &wanted;
            let reader = scope.spawn(move || {
                let mut send = |chunk| {
                    // The other side only hangs up on an error of its own, which it reports.
                    let hung_up = |_| StoreError::format(file, "the import stopped");
                    sender.send(chunk).map_err(hung_up)
                };
                source::read(file, wanted, &mut send)
            });
            let (mut waiting, mut converted) = (Vec::new(), Vec::new());
            let mut merged = Ok(());
            for chunk in &chunks {
                waiting.push(chunk);
                if waiting.len() >= GROUP {
                    let chunks = std::mem::take(&mut waiting);
                    merged = merge.chunks(run, &name, chunks, &mut converted, &context, progress);
                    if merged.is_err() {
                        break;
                    }
                }
            }
            drop(chunks);
            let read = reader.join().unwrap_or_else(|_| Err(StoreError::format(file, "could not be read")));
            merged?;
            read?;
            merge.chunks(run, &name, waiting, &mut converted, &context, progress)?;
            merge.chunks(run, &name, vec![], &mut converted, &context, progress)
        })?;
    }
    merge.flush(run)?;
    Ok(run.summary.added > 0)
}

/// What an event turned out to be.
enum Met {
    New([u8; 16]),
    Known,
    Conflict,
}

/// A file's number and a count in one word.
const fn seen_in(file: u32, count: u64) -> u64 {
    ((file as u64) << 32) | count
}

#[derive(Default)]
struct Merge {
    /// Events that are in the store or came before, each with what tells a repeat from a conflict:
    /// the content's hash where events are named; where they are known by content, the file and how
    /// often it has held the row so far ([`seen_in`]). 0 for those of the store.
    known: FxHashMap<[u8; 16], u64>,
    /// Number of the file, from 1.
    file: u32,
    buckets: [BucketRows; SubjectId::BUCKETS],
    names: Names,
    held: usize,
}

impl Merge {
    /// Converts chunks on threads and meanwhile takes in those converted before, in the order of
    /// the file.
    fn chunks(
        &mut self,
        run: &mut Run,
        file: &str,
        chunks: Vec<source::Chunk>,
        converted: &mut Vec<Converted>,
        context: &EventContext<'_>,
        progress: &(dyn Fn(u64) + Sync),
    ) -> Result<(), StoreError> {
        let before = std::mem::take(converted);
        let mut taken = Ok(());
        rayon::join(
            || {
                taken = before.into_iter().try_for_each(|made| {
                    self.take(run, file, made, context.mapping.event_id.is_some())?;
                    progress(run.summary.rows);
                    Ok(())
                });
            },
            || *converted = chunks.into_par_iter().map(|chunk| events::convert(chunk, context)).collect(),
        );
        taken?;
        if self.held >= MOST_ROWS || self.names.bytes() >= MOST_TEXT {
            self.flush(run)?;
        }
        Ok(())
    }

    /// Makes room for a file of about `rows` rows, so that nothing grows step by step.
    fn begin_file(&mut self, rows: usize) {
        self.file += 1;
        // A file may say what it likes about its size.
        self.known.reserve(rows.min(MOST_IDS));
        let rows = rows.min(MOST_ROWS);
        // Subjects are spread evenly, but for chance.
        self.buckets.iter_mut().for_each(|bucket| bucket.rows.reserve(rows / SubjectId::BUCKETS));
    }

    /// An event with an identifier of its own.
    fn meet_named(&mut self, id: [u8; 16], content: u64) -> Met {
        match self.known.entry(id) {
            Entry::Vacant(free) => {
                free.insert(content);
                Met::New(id)
            }
            Entry::Occupied(there) if *there.get() != 0 && *there.get() != content => Met::Conflict,
            Entry::Occupied(_) => Met::Known,
        }
    }

    /// An event that is known by its content: the k-th of equal rows of one file is the k-th such
    /// event in any file.
    fn meet_content(&mut self, base: [u8; 16]) -> Met {
        let occurrence = match self.known.entry(base) {
            Entry::Vacant(free) => {
                free.insert(seen_in(self.file, 1));
                return Met::New(base);
            }
            Entry::Occupied(mut there) => {
                let (file, seen) = (there.get() >> 32, *there.get() & u64::from(u32::MAX));
                let before = if file == u64::from(self.file) { seen } else { 0 };
                there.insert(seen_in(self.file, before + 1));
                before
            }
        };
        if occurrence == 0 {
            return Met::Known;
        }
        let mut id = base;
        id.iter_mut().zip(occurrence.to_le_bytes()).for_each(|(byte, extra)| *byte ^= extra);
        match self.known.entry(id) {
            Entry::Vacant(free) => {
                free.insert(0);
                Met::New(id)
            }
            Entry::Occupied(_) => Met::Known,
        }
    }

    fn take(&mut self, run: &mut Run, file: &str, made: Converted, named: bool) -> Result<(), StoreError> {
        run.summary.rows += made.rows.len() as u64 + made.bad.len() as u64 + made.excluded;
        run.summary.excluded += made.excluded;
        for bad in made.bad {
            run.quarantine.add(file, bad)?;
        }
        // A customer becomes a customer with the first good row, not with a bad one.
        let mut subjects: Vec<Option<Option<(u32, usize, Micros)>>> = vec![None; made.customers.len()];
        let renumber = |from: &Interner, to: &mut Interner| -> Vec<u32> { from.texts().map(|text| to.number(text)).collect() };
        let products = renumber(&made.products, &mut self.names.products);
        let orders = renumber(&made.orders, &mut self.names.orders);
        let promotions = renumber(&made.promotions, &mut self.names.promotions);
        let global = |numbers: &[u32], number: u32| if number == NO_TEXT { NO_TEXT } else { numbers[number as usize] };
        for EventRow { number, content, event } in made.rows {
            let id = match if named { self.meet_named(event.id, content.max(1)) } else { self.meet_content(event.id) } {
                Met::New(id) => id,
                Met::Known => {
                    run.summary.known += 1;
                    continue;
                }
                Met::Conflict => {
                    run.quarantine.add(file, BadRow::new(number, "event_id", "", Rule::ConflictingDuplicate))?;
                    continue;
                }
            };
            let place = event.subject as usize;
            let known = *subjects[place].get_or_insert_with(|| {
                let (subject, since) = run.resolve(made.customers.get(event.subject).unwrap_or(""))?;
                Some((self.names.subject(subject), subject.bucket(), since))
            });
            let Some((subject, bucket, _)) = known.filter(|(.., since)| event.time > *since) else {
                run.summary.erased += 1;
                continue;
            };
            self.buckets[bucket].rows.push(StoredRow {
                id,
                subject,
                product: global(&products, event.product),
                order: global(&orders, event.order),
                promotion: global(&promotions, event.promotion),
                ..event
            });
            run.summary.added += 1;
            self.held += 1;
        }
        Ok(())
    }

    /// Writes the rows in memory as a new segment.
    fn flush(&mut self, run: &mut Run) -> Result<(), StoreError> {
        if self.held == 0 || run.options.dry_run {
            self.buckets = Default::default();
            self.names = Names::default();
            self.held = 0;
            return Ok(());
        }
        let name = format!("events-{:06}", run.manifest.take_number());
        let folder = run.root.join(&name);
        std::fs::create_dir_all(&folder).map_err(StoreError::io(&folder))?;
        let names = &self.names;
        self.buckets
            .par_iter_mut()
            .enumerate()
            .filter(|(_, bucket)| !bucket.rows.is_empty())
            .try_for_each(|(number, bucket)| load::write_bucket(&folder.join(format!("bucket-{number:02}.parquet")), bucket, names))?;
        run.manifest.events.push(Segment { name, rows: self.held as u64 });
        // The next rows go where these were.
        self.buckets.iter_mut().for_each(|bucket| bucket.rows.clear());
        self.names = Names::default();
        self.held = 0;
        Ok(())
    }
}
