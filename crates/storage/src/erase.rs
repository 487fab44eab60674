//! Erasure: what is kept of somebody leaves the tables of a store, and the list of who was erased.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{BooleanArray, RecordBatch};
use rustc_hash::FxHashSet;
use serde::{Deserialize, Serialize};
use youhui_commerce::SubjectId;
use youhui_privacy::{Erased, IdentityKeys, SuppressionList};

use crate::error::StoreError;
use crate::load;
use crate::manifest::{Manifest, Segment};
use crate::parquet_io;
use crate::store::{WriteLock, clean};

/// Rows that were taken out of a store.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct ErasedRows {
    /// Events.
    pub events: u64,
    /// Rows of other tables.
    pub others: u64,
    /// Rows of the identity table.
    pub identities: u64,
    /// Lines of quarantined rows.
    pub quarantined: u64,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct File {
    identifiers: Vec<Line>,
    subjects: Vec<String>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Line {
    hash: String,
    time: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    returned: Option<i64>,
}

/// Who was erased, of the shop in a folder.
///
/// # Errors
/// Where the list can't be read: without it they could come back.
pub fn suppression(root: &Path, keys: &IdentityKeys) -> Result<SuppressionList, StoreError> {
    let path = root.join("keys").join("erased.json");
    if !path.exists() {
        return Ok(SuppressionList::new(keys, [], []));
    }
    let text = fs::read_to_string(&path).map_err(StoreError::io(&path))?;
    let damaged = || StoreError::format(&path, "the list of who was erased is damaged: restore it from a backup, or they come back");
    let file: File = serde_json::from_str(&text).map_err(|_| damaged())?;
    let hash = |text: &str| blake3::Hash::from_hex(text).map(|hash| *hash.as_bytes()).map_err(|_| damaged());
    let line = |line: &Line| Ok(Erased { identifier: hash(&line.hash)?, time: line.time, returned: line.returned });
    let erased: Vec<Erased> = file.identifiers.iter().map(line).collect::<Result<_, StoreError>>()?;
    let subjects: Vec<[u8; 32]> = file.subjects.iter().map(|text| hash(text)).collect::<Result<_, _>>()?;
    Ok(SuppressionList::new(keys, erased, subjects))
}

/// The right to do something to the keys of a shop's folder, of several servers one's at a time; it is waited for, and given back when dropped. `what`:
/// a file's name.
///
/// # Errors
/// Where the folder can't be written.
pub fn lock_keys(root: &Path, what: &str) -> Result<fs::File, StoreError> {
    let path = root.join("keys").join(what);
    let file = fs::File::options().create(true).truncate(false).write(true).open(&path).map_err(StoreError::io(&path))?;
    file.lock().map_err(StoreError::io(&path))?;
    Ok(file)
}

/// Keeps who was erased: before anything of them is taken out, so that an erasure that is interrupted is known to be begun.
///
/// # Errors
/// Where the folder can't be written.
pub fn keep_suppression(root: &Path, list: &SuppressionList) -> Result<(), StoreError> {
    let hex = |bytes: [u8; 32]| blake3::Hash::from_bytes(bytes).to_hex().to_string();
    let line = |one: Erased| Line { hash: hex(one.identifier), time: one.time, returned: one.returned };
    let file =
        File { identifiers: list.erased().into_iter().map(line).collect(), subjects: list.subjects().into_iter().map(hex).collect() };
    parquet_io::write_atomic(&root.join("keys").join("erased.json"), serde_json::to_string_pretty(&file).unwrap_or_default().as_bytes())
}

/// Takes every row of the subjects that are gone out of the store in `root`, whoever else has one of these look-up hashes, and every quarantined line that
/// names one of the identifiers. The store is one without them from one moment to the next; an import that is under way is waited for. Nothing
/// happens where there is no store.
///
/// # Errors
/// Where files can't be read or written; the store is as it was then.
pub fn erase(
    root: &Path,
    is_gone: &dyn Fn(SubjectId) -> bool,
    lookups: &FxHashSet<[u8; 32]>,
    identifiers: &[String],
) -> Result<ErasedRows, StoreError> {
    let mut rows = ErasedRows::default();
    if !Manifest::path(root).exists() {
        return Ok(rows);
    }
    let _lock = WriteLock::wait(root)?;
    let mut manifest = Manifest::read(root)?;
    let twins: FxHashSet<SubjectId> =
        load::identity_rows(root, &manifest)?.iter().filter(|row| lookups.contains(&row.lookup)).map(|row| row.subject).collect();
    let is_gone = &|subject: SubjectId| twins.contains(&subject) || is_gone(subject);
    let mut next = manifest.next;
    let mut number = || {
        next += 1;
        next - 1
    };
    for segment in &mut manifest.events {
        rows.events += segment_without(root, segment, is_gone, &mut number)?;
    }
    for segment in manifest.tables.values_mut() {
        rows.others += table_without(root, segment, is_gone, &mut number)?;
    }
    if let Some(segment) = &mut manifest.identity {
        rows.identities += table_without(root, segment, is_gone, &mut number)?;
    }
    manifest.next = next;
    manifest.commit(root)?;
    // What no manifest names is removed: the files that they were in.
    clean(root, &manifest);
    rows.quarantined = quarantine_without(root, identifiers)?;
    Ok(rows)
}

/// A folder of buckets, of which those that hold a subject are written anew.
fn segment_without(
    root: &Path,
    segment: &mut Segment,
    is_gone: &dyn Fn(SubjectId) -> bool,
    number: &mut impl FnMut() -> u64,
) -> Result<u64, StoreError> {
    let old = root.join(&segment.name);
    let mut changed = vec![];
    for bucket in 0..SubjectId::BUCKETS {
        let name = format!("bucket-{bucket:02}.parquet");
        let path = old.join(&name);
        if path.exists()
            && let Some((batch, gone)) = without(&path, is_gone)?
        {
            changed.push((name, batch, gone));
        }
    }
    if changed.is_empty() {
        return Ok(0);
    }
    let name = format!("events-{:06}", number());
    let new = root.join(&name);
    fs::create_dir_all(&new).map_err(StoreError::io(&new))?;
    for entry in fs::read_dir(&old).map_err(StoreError::io(&old))?.flatten() {
        let file = entry.file_name();
        if changed.iter().any(|(name, ..)| file.to_str() == Some(name)) {
            continue;
        }
        // The same bytes: a link where the file system has them.
        let to = new.join(&file);
        if fs::hard_link(entry.path(), &to).is_err() {
            fs::copy(entry.path(), &to).map_err(StoreError::io(&to))?;
        }
    }
    let mut all = 0;
    for (name, batch, gone) in changed {
        all += gone;
        if batch.num_rows() > 0 {
            parquet_io::write_new(&new.join(name), &batch)?;
        }
    }
    parquet_io::sync_folder(&new).map_err(StoreError::io(&new))?;
    *segment = Segment { name, rows: segment.rows - all };
    Ok(all)
}

fn table_without(
    root: &Path,
    segment: &mut Segment,
    is_gone: &dyn Fn(SubjectId) -> bool,
    number: &mut impl FnMut() -> u64,
) -> Result<u64, StoreError> {
    let Some((batch, gone)) = without(&root.join(&segment.name), is_gone)? else { return Ok(0) };
    let stem = segment.name.rsplit_once('-').map_or(segment.name.as_str(), |(stem, _)| stem);
    let name = format!("{stem}-{:06}.parquet", number());
    parquet_io::write_new(&root.join(&name), &batch)?;
    *segment = Segment { name, rows: segment.rows - gone };
    Ok(gone)
}

/// The rows of a file without those of the subjects, and how many these are; nothing, where there are none, or the file is of nobody.
fn without(path: &Path, is_gone: &dyn Fn(SubjectId) -> bool) -> Result<Option<(RecordBatch, u64)>, StoreError> {
    let damaged = || StoreError::format(path, "damaged: restore it from a backup");
    let of = |bytes: Option<&[u8]>| is_gone(SubjectId::from_bytes(load::bytes16(bytes.unwrap_or_default())));
    // Most files hold none of them: only who is in it is read first.
    let mut any = false;
    for batch in parquet_io::read(path, Some(&["subject"]))? {
        if batch.num_columns() == 0 {
            return Ok(None);
        }
        any |= batch.column(0).as_fixed_size_binary_opt().ok_or_else(damaged)?.iter().any(of);
    }
    if !any {
        return Ok(None);
    }
    let batches = parquet_io::read(path, None)?;
    let Some(first) = batches.first() else { return Ok(None) };
    let schema = first.schema();
    let Ok(column) = schema.index_of("subject") else { return Ok(None) };
    let (mut kept, mut gone) = (vec![], 0);
    for batch in &batches {
        let column = batch.column(column).as_fixed_size_binary_opt().ok_or_else(damaged)?;
        let stays: BooleanArray = column.iter().map(|bytes| Some(!of(bytes))).collect();
        gone += (stays.len() - stays.true_count()) as u64;
        kept.push(arrow_select::filter::filter_record_batch(batch, &stays).map_err(|_| damaged())?);
    }
    let all = arrow_select::concat::concat_batches(&Arc::clone(&schema), &kept).map_err(|_| damaged())?;
    Ok(Some((all, gone)))
}

fn quarantine_without(root: &Path, identifiers: &[String]) -> Result<u64, StoreError> {
    let folder = root.join("quarantine");
    let Ok(entries) = fs::read_dir(&folder) else { return Ok(0) };
    let mut gone = 0;
    for path in entries.flatten().map(|entry| entry.path()) {
        let text = fs::read(&path).map_err(StoreError::io(&path))?;
        let names = |line: &[u8]| identifiers.iter().any(|identifier| !identifier.is_empty() && contains(line, identifier.as_bytes()));
        let lines: Vec<&[u8]> = text.split_inclusive(|byte| *byte == b'\n').collect();
        let kept: Vec<&[u8]> = lines.iter().copied().filter(|line| !names(line)).collect();
        if kept.len() < lines.len() {
            gone += (lines.len() - kept.len()) as u64;
            parquet_io::write_atomic(&path, &kept.concat())?;
        }
    }
    Ok(gone)
}

fn contains(line: &[u8], part: &[u8]) -> bool {
    line.windows(part.len()).any(|window| window == part)
}
