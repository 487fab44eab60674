//! From rows to [`Moments`] by group, in one pass, on all threads, in memory that follows the number of
//! groups and not the number of rows.
//!
//! Rows are taken in chunks of one size. A chunk's sums are of differences from its first row, so that
//! they stay small whatever the mean is; chunks are merged in their order, so that the number of threads
//! changes no bit of the answer.

use rayon::prelude::*;

use super::{ExperimentError, Moments};

/// Rows of a chunk, unless there are many groups.
const CHUNK: usize = 8192;

/// One batch of rows: a unit each.
#[derive(Debug, Clone, Copy)]
pub struct Rows<'a> {
    /// The columns: metrics, denominators, covariates.
    pub columns: &'a [&'a [f64]],
    /// Their names, for errors.
    pub names: &'a [&'a str],
    /// Each row's group: its arm, or arm and stratum as one number.
    pub group: &'a [u32],
}

/// Statistics by group, filled batch by batch.
#[derive(Debug, Clone, PartialEq)]
pub struct Accumulator {
    groups: Vec<Moments>,
    rows: u64,
}

impl Accumulator {
    /// For so many groups and columns.
    pub fn new(groups: usize, columns: usize) -> Self {
        Self { groups: vec![Moments::empty(columns); groups], rows: 0 }
    }

    /// Adds a batch. The same batches in the same order give the same bytes with any number of threads;
    /// other batches give the same figures up to rounding.
    ///
    /// # Errors
    /// Where columns have different lengths, a value isn't finite, or a group isn't declared; nothing of
    /// the batch is added then.
    pub fn add(&mut self, rows: Rows<'_>) -> Result<(), ExperimentError> {
        self.check(rows)?;
        let groups = self.groups.len();
        let parts = match rows.columns {
            [] => counted::<0>(rows, groups),
            [_] => counted::<1>(rows, groups),
            [_, _] => counted::<2>(rows, groups),
            [_, _, _] => counted::<3>(rows, groups),
            [_, _, _, _] => counted::<4>(rows, groups),
            _ => pushed(rows, groups),
        };
        // Nothing of a batch is added unless all of it is sound.
        let parts = parts.into_iter().collect::<Option<Vec<_>>>().ok_or_else(|| self.fault(rows))?;
        for part in parts {
            self.groups.iter_mut().zip(&part).for_each(|(group, part)| group.merge(part));
        }
        self.rows += rows.group.len() as u64;
        Ok(())
    }

    /// Statistics by group.
    pub fn groups(&self) -> &[Moments] {
        &self.groups
    }

    /// Statistics by group.
    pub fn into_groups(self) -> Vec<Moments> {
        self.groups
    }

    fn check(&self, rows: Rows<'_>) -> Result<(), ExperimentError> {
        let expected = rows.group.len();
        let columns = self.groups.first().map_or(rows.columns.len(), Moments::columns);
        if rows.columns.len() != columns {
            return Err(ExperimentError::Length { column: "columns".to_owned(), found: rows.columns.len(), expected: columns });
        }
        rows.columns
            .iter()
            .enumerate()
            .find(|(_, column)| column.len() != expected)
            .map_or(Ok(()), |(place, column)| Err(ExperimentError::Length { column: name(rows, place), found: column.len(), expected }))
    }

    /// Which row it was.
    fn fault(&self, rows: Rows<'_>) -> ExperimentError {
        let groups = self.groups.len();
        for (row, &group) in rows.group.iter().enumerate() {
            if group as usize >= groups {
                return ExperimentError::UnknownGroup { row: self.rows + row as u64, group, groups };
            }
            if let Some(place) = rows.columns.iter().position(|column| !column[row].is_finite()) {
                let value = rows.columns[place][row];
                return ExperimentError::NotFinite { row: self.rows + row as u64, column: name(rows, place), value };
            }
        }
        // Finite values whose squares aren't.
        ExperimentError::NotFinite { row: self.rows, column: "sum of squares".to_owned(), value: f64::INFINITY }
    }
}

fn name(rows: Rows<'_>, place: usize) -> String {
    rows.names.get(place).map_or_else(|| format!("column {place}"), |name| (*name).to_owned())
}

/// Statistics of rows held in memory, by group; see [`Accumulator`] for more rows than that.
///
/// # Errors
/// As [`Accumulator::add`].
pub fn accumulate(rows: Rows<'_>, groups: usize) -> Result<Vec<Moments>, ExperimentError> {
    let mut accumulator = Accumulator::new(groups, rows.columns.len());
    accumulator.add(rows)?;
    Ok(accumulator.into_groups())
}

/// One number for an arm and a stratum, as [`Rows::group`] wants it; [`by_arm`] takes it apart.
pub const fn cell(arm: u32, stratum: u32, strata: u32) -> u32 {
    arm * strata + stratum
}

/// Cells of [`cell`] as a list for each arm.
pub fn by_arm(cells: &[Moments], strata: usize) -> Vec<Vec<Moments>> {
    cells.chunks(strata.max(1)).map(<[Moments]>::to_vec).collect()
}

fn chunk_size(groups: usize) -> usize {
    CHUNK.max(groups.saturating_mul(16))
}

/// Sums of a group in a chunk, of differences from the chunk's first row.
#[derive(Clone, Copy)]
struct Sums<const K: usize> {
    n: u64,
    sums: [f64; K],
    products: [[f64; K]; K],
}

/// `None` where a chunk has a group that isn't declared or a value that isn't finite.
fn counted<const K: usize>(rows: Rows<'_>, groups: usize) -> Vec<Option<Vec<Moments>>> {
    let size = chunk_size(groups);
    let columns: [&[f64]; K] = std::array::from_fn(|place| rows.columns[place]);
    let of_chunk = |(chunk, group): (usize, &[u32])| {
        let start = chunk * size;
        let columns: [&[f64]; K] = columns.map(|column| &column[start..start + group.len()]);
        sum_chunk(columns, group, groups)
    };
    rows.group.par_chunks(size).enumerate().map(of_chunk).collect()
}

fn sum_chunk<const K: usize>(columns: [&[f64]; K], group: &[u32], groups: usize) -> Option<Vec<Moments>> {
    let first: [f64; K] = columns.map(|column| column[0]);
    let mut sums = vec![Sums { n: 0, sums: [0.0; K], products: [[0.0; K]; K] }; groups];
    for (row, &group) in group.iter().enumerate() {
        let sums = sums.get_mut(group as usize)?;
        let values: [f64; K] = std::array::from_fn(|place| columns[place][row] - first[place]);
        sums.n += 1;
        for one in 0..K {
            sums.sums[one] += values[one];
            for two in 0..=one {
                sums.products[one][two] += values[one] * values[two];
            }
        }
    }
    sums.iter().map(|sums| centred(sums, first)).collect()
}

/// From sums of differences to moments; `None` where something isn't finite.
fn centred<const K: usize>(sums: &Sums<K>, first: [f64; K]) -> Option<Moments> {
    if sums.n == 0 {
        return Some(Moments::empty(K));
    }
    let n = sums.n as f64;
    let means: Vec<f64> = (0..K).map(|place| first[place] + sums.sums[place] / n).collect();
    let pairs = (0..K).flat_map(|one| (0..=one).map(move |two| (one, two)));
    let products: Vec<f64> = pairs
        .map(|(one, two)| {
            let product = sums.products[one][two] - sums.sums[one] * sums.sums[two] / n;
            if one == two { product.max(0.0) } else { product }
        })
        .collect();
    // `max` would hide a NaN.
    let finite =
        means.iter().chain(&products).all(|value| value.is_finite()) && sums.products.iter().flatten().all(|value| value.is_finite());
    finite.then(|| Moments::from_parts(sums.n, means, products))
}

/// Any number of columns, by Welford.
fn pushed(rows: Rows<'_>, groups: usize) -> Vec<Option<Vec<Moments>>> {
    let size = chunk_size(groups);
    let of_chunk = |(chunk, group): (usize, &[u32])| {
        let mut moments = vec![Moments::empty(rows.columns.len()); groups];
        let mut row = vec![0.0; rows.columns.len()];
        for (place, &group) in group.iter().enumerate() {
            row.iter_mut().zip(rows.columns).for_each(|(cell, column)| *cell = column[chunk * size + place]);
            if row.iter().any(|value| !value.is_finite()) {
                return None;
            }
            moments.get_mut(group as usize)?.push(&row);
        }
        Some(moments)
    };
    rows.group.par_chunks(size).enumerate().map(of_chunk).collect()
}
