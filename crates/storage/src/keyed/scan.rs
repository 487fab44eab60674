//! One look at every row: is it all right, where do keys begin, which names are there.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use rayon::prelude::*;

use super::decode::{Decoder, Key};
use super::{BadNumber, Extent, Parquet};
use crate::error::StoreError;
use crate::table::Names;

/// How a key's rows lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    /// Keys ascend: if they do, each key's rows are next to one another.
    Ascending,
    /// Each key's rows are known to be next to one another.
    Grouped,
}

/// What was seen.
#[derive(Debug)]
pub(super) struct Scanned {
    pub(super) names: Vec<Vec<String>>,
    pub(super) blocks: Vec<Extent>,
    pub(super) keys: usize,
    pub(super) rows: usize,
}

/// Of one row group.
struct Group<T> {
    rows: usize,
    first: Key,
    last: Key,
    runs: usize,
    /// Places where a key begins, and the keys before them in the group; not the first place.
    borders: Vec<(usize, usize)>,
    names: Vec<Names>,
    seen: T,
}

/// Looks at all row groups; `None` where keys don't ascend.
pub(super) fn scan<T: Default + Send>(
    path: &Path,
    parquet: &Parquet,
    order: Order,
    block: usize,
    see: &(impl Fn(&mut T, &[Vec<f64>]) -> Result<(), BadNumber> + Sync),
) -> Result<Option<(Scanned, Vec<T>)>, StoreError> {
    let is_unordered = AtomicBool::new(false);
    let groups = (0..parquet.before.len() - 1)
        .into_par_iter()
        .filter(|&group| parquet.before[group] < parquet.before[group + 1])
        .map(|number| group(path, parquet, number, order, block, see, &is_unordered))
        .collect::<Result<Vec<Option<Group<T>>>, StoreError>>();
    if is_unordered.load(Ordering::Relaxed) {
        return Ok(None);
    }
    let groups: Vec<Group<T>> = groups?.into_iter().flatten().collect();
    if order == Order::Ascending && groups.windows(2).any(|pair| pair[1].first < pair[0].last) {
        return Ok(None);
    }
    Ok(Some(merge(groups, parquet.wanted.texts.len(), block)))
}

fn group<T: Default>(
    path: &Path,
    parquet: &Parquet,
    number: usize,
    order: Order,
    block: usize,
    see: &impl Fn(&mut T, &[Vec<f64>]) -> Result<(), BadNumber>,
    is_unordered: &AtomicBool,
) -> Result<Option<Group<T>>, StoreError> {
    let base = parquet.before[number];
    let mut reader = parquet.rows(path, base..parquet.before[number + 1])?;
    let mut decoder = Decoder::new(path, &parquet.wanted);
    let mut names: Vec<Names> = parquet.wanted.texts.iter().map(|_| Names::default()).collect();
    let mut group: Option<Group<T>> = None;
    let mut rows = 0;
    while let Some(batch) = parquet.next(path, &mut reader, base + rows)? {
        let decoded = decoder.decode(&batch, base + rows, |column, name| Some(names[column].code(name)))?;
        if decoded.rows == 0 || is_unordered.load(Ordering::Relaxed) {
            continue;
        }
        let group = group.get_or_insert_with(|| {
            let first = decoded.keys.key(0);
            Group { rows: 0, last: first.clone(), first, runs: 1, borders: Vec::new(), names: Vec::new(), seen: T::default() }
        });
        see(&mut group.seen, &decoded.numbers)
            .map_err(|(row, what)| StoreError::format(path, format!("row {}, {what}", base + rows + row + 1)))?;
        for place in 0..decoded.rows {
            let step = if place > 0 { decoded.keys.step(place) } else { decoded.keys.key(0).cmp(&group.last) };
            if step.is_eq() {
                continue;
            }
            if step.is_lt() && order == Order::Ascending {
                is_unordered.store(true, Ordering::Relaxed);
                return Ok(None);
            }
            if group.borders.last().is_none_or(|(border, _)| rows + place - border >= block) {
                group.borders.push((rows + place, group.runs));
            }
            group.runs += 1;
        }
        group.last = decoded.keys.key(decoded.rows - 1);
        rows += decoded.rows;
    }
    Ok(group.map(|group| Group { rows, names, ..group }))
}

fn merge<T>(groups: Vec<Group<T>>, columns: usize, block: usize) -> (Scanned, Vec<T>) {
    let mut names: Vec<Names> = (0..columns).map(|_| Names::default()).collect();
    let mut blocks = vec![Extent { rows: 0..0, first_key: 0 }];
    let (mut rows, mut keys, mut last) = (0, 0, None);
    let mut seen = Vec::with_capacity(groups.len());
    for group in groups {
        let continues = usize::from(last.as_ref() == Some(&group.first));
        let begins = (continues == 0).then_some((0, 0));
        for (place, before) in begins.into_iter().chain(group.borders) {
            let open = blocks.len() - 1;
            if rows + place >= blocks[open].rows.start + block {
                blocks[open].rows.end = rows + place;
                blocks.push(Extent { rows: rows + place..rows + place, first_key: keys + before - continues });
            }
        }
        rows += group.rows;
        keys += group.runs - continues;
        last = Some(group.last);
        for (all, some) in names.iter_mut().zip(group.names) {
            some.into_names().iter().for_each(|name| {
                all.code(name);
            });
        }
        seen.push(group.seen);
    }
    if let Some(open) = blocks.last_mut() {
        open.rows.end = rows;
    }
    (Scanned { names: names.into_iter().map(Names::into_names).collect(), blocks, keys, rows }, seen)
}
