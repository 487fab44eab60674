//! A file of rows that belong together by a key, larger than memory: read in blocks of whole keys.
//!
//! Parquet whose keys ascend is read where it lies, by its row groups. Anything else (rows in no order,
//! CSV, JSON Lines) is first sorted into a copy on disk: split by a hash of the key into parts that fit
//! into memory, each of them sorted.

mod copy;
mod decode;
mod scan;

use std::fs::File;
use std::ops::Range;
use std::path::{Path, PathBuf};

use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder, RowSelection, RowSelector,
};
use rustc_hash::FxHashMap;

use crate::error::StoreError;
use crate::parquet_io::without_panic;
use crate::source::{Form, open, printable};
use decode::{Decoder, Keys};
use scan::Scanned;

/// Rows of one batch.
const BATCH: usize = 65_536;
/// Bytes of a row in memory, with what is made of it.
const ROW_BYTES: usize = 200;
/// Rows of a block.
const BLOCK_ROWS: Range<usize> = 4_096..1_048_576;

/// What to read.
#[derive(Debug, Clone, Copy)]
pub struct KeyedColumns<'a> {
    /// The column by which rows belong together: text or whole numbers.
    pub key: &'a str,
    /// Columns of names.
    pub texts: &'a [&'a str],
    /// Columns of finite numbers.
    pub numbers: &'a [&'a str],
}

/// How much memory may be used, and where a copy may lie.
#[derive(Debug, Clone, Copy)]
pub struct Room<'a> {
    /// Bytes.
    pub memory: usize,
    /// Folder of the copy, which is gone when the file is closed.
    pub folder: &'a Path,
}

/// What is wrong with a row: its place among those looked at, and what.
pub type BadNumber = (usize, String);

/// The columns by name, owned.
#[derive(Debug, Clone)]
struct Wanted {
    key: String,
    texts: Vec<String>,
    numbers: Vec<String>,
}

impl Wanted {
    fn new(columns: KeyedColumns<'_>) -> Self {
        let owned = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        Self { key: columns.key.to_owned(), texts: owned(columns.texts), numbers: owned(columns.numbers) }
    }

    fn all(&self) -> Vec<String> {
        std::iter::once(&self.key).chain(&self.texts).chain(&self.numbers).cloned().collect()
    }
}

/// An open file.
#[derive(Debug)]
pub struct KeyedFile {
    /// The file that was named.
    path: PathBuf,
    parquet: Parquet,
    /// Distinct names of each column of names.
    names: Vec<Vec<String>>,
    codes: Vec<FxHashMap<String, u32>>,
    blocks: Vec<Extent>,
    keys: usize,
    rows: usize,
    is_copied: bool,
    /// Deleted with this.
    _copy: Option<tempfile::TempDir>,
}

/// Rows of a block, and the number of its first key.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Extent {
    rows: Range<usize>,
    first_key: usize,
}

/// A Parquet file and what is read of it.
#[derive(Debug)]
struct Parquet {
    data: PathBuf,
    metadata: ArrowReaderMetadata,
    wanted: Wanted,
    /// Rows before each row group, and all.
    before: Vec<usize>,
}

/// Rows of whole keys, each key's next to one another.
#[derive(Debug)]
pub struct KeyedBlock {
    /// Behind the last row of each key.
    pub ends: Vec<usize>,
    /// Codes of each column of names.
    pub texts: Vec<Vec<u32>>,
    /// Each column of numbers.
    pub numbers: Vec<Vec<f64>>,
    keys: Keys,
    first_row: usize,
    /// Numbers of rows, where they aren't in the file's order.
    moved: Option<Vec<f64>>,
}

impl KeyedBlock {
    /// Appends a batch behind `row` rows.
    fn append(&mut self, batch: &decode::Decoded, row: usize) {
        for place in 0..batch.rows {
            if self.keys.len() == 0 || !batch.keys.is_same(place, &self.keys) {
                self.ends.push(row + place);
                self.keys.take(&batch.keys, place);
            }
        }
        self.texts.iter_mut().zip(&batch.texts).for_each(|(all, some)| all.extend_from_slice(some));
        self.numbers.iter_mut().zip(&batch.numbers).for_each(|(all, some)| all.extend_from_slice(some));
    }

    /// How many keys.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The rows of a key.
    pub fn rows(&self, key: usize) -> Range<usize> {
        let from = if key == 0 { 0 } else { self.ends[key - 1] };
        from..self.ends[key]
    }

    /// A key as text.
    pub fn name(&self, key: usize) -> String {
        self.keys.text(key)
    }

    /// A row's number in the file that was named, from 1.
    pub fn number(&self, row: usize) -> usize {
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it was a number of a row")]
        let moved = self.moved.as_ref().map(|numbers| numbers[row] as usize);
        moved.unwrap_or(self.first_row + row + 1)
    }
}

impl KeyedFile {
    /// Opens a file and looks at each row once: `see` gets the numbers, column by column, in pieces.
    ///
    /// # Errors
    /// `Io`; `Format` for a file or a column that can't be read, a key or a name that is missing, a number
    /// that isn't finite or that `see` doesn't like, with its row.
    pub fn open<T: Default + Send>(
        path: &Path,
        columns: KeyedColumns<'_>,
        room: Room<'_>,
        see: impl Fn(&mut T, &[Vec<f64>]) -> Result<(), BadNumber> + Sync,
    ) -> Result<(Self, Vec<T>), StoreError> {
        let (file, form) = open(path)?;
        let wanted = Wanted::new(columns);
        let block = (room.memory / ROW_BYTES).clamp(BLOCK_ROWS.start, BLOCK_ROWS.end);
        if form == Form::Parquet {
            let parquet = Parquet::new(path, &file, wanted.clone())?;
            if let Some((scanned, seen)) = scan::scan(path, &parquet, scan::Order::Ascending, block, &see)? {
                return Ok((Self::new(path, parquet, scanned, None), seen));
            }
        }
        let folder = tempfile::Builder::new().prefix(".youhui-sorting-").tempdir_in(room.folder).map_err(StoreError::io(room.folder))?;
        let (data, seen) = copy::sorted(path, &wanted, folder.path(), room.memory, &see)?;
        let mut wanted = wanted;
        wanted.numbers.push(copy::ROW.to_owned());
        let file = File::open(&data).map_err(StoreError::io(&data))?;
        let parquet = Parquet::new(&data, &file, wanted)?;
        let nothing = |(): &mut (), _: &[Vec<f64>]| Ok(());
        let Some((scanned, _)) = scan::scan(path, &parquet, scan::Order::Grouped, block, &nothing)? else {
            return Err(StoreError::format(path, "changed while it was read: read it again"));
        };
        Ok((Self::new(path, parquet, scanned, Some(folder)), vec![seen]))
    }

    fn new(path: &Path, parquet: Parquet, scanned: Scanned, copy: Option<tempfile::TempDir>) -> Self {
        let Scanned { names, blocks, keys, rows } = scanned;
        let numbered = |names: &Vec<String>| names.iter().cloned().zip(0_u32..).collect();
        let codes = names.iter().map(numbered).collect();
        Self { path: path.to_owned(), parquet, names, codes, blocks, keys, rows, is_copied: copy.is_some(), _copy: copy }
    }

    /// How many blocks.
    pub fn blocks(&self) -> usize {
        self.blocks.len()
    }

    /// The number of a block's first key.
    pub fn first_key(&self, block: usize) -> usize {
        self.blocks[block].first_key
    }

    /// How many keys.
    pub const fn keys(&self) -> usize {
        self.keys
    }

    /// How many rows.
    pub const fn rows(&self) -> usize {
        self.rows
    }

    /// Distinct names of each column of names; codes are places among them.
    pub fn names(&self) -> &[Vec<String>] {
        &self.names
    }

    /// Whether rows had to be sorted first.
    pub const fn is_copied(&self) -> bool {
        self.is_copied
    }

    /// The file that was named.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads a block.
    ///
    /// # Errors
    /// `Io`, or `Format` where the file has changed since it was opened.
    pub fn read(&self, block: usize) -> Result<KeyedBlock, StoreError> {
        let extent = &self.blocks[block];
        let mut decoder = Decoder::new(&self.path, &self.parquet.wanted);
        let mut read = KeyedBlock {
            ends: Vec::new(),
            texts: vec![Vec::with_capacity(extent.rows.len()); self.names.len()],
            numbers: vec![Vec::with_capacity(extent.rows.len()); self.parquet.wanted.numbers.len()],
            keys: Keys::default(),
            first_row: extent.rows.start,
            moved: None,
        };
        let mut row = 0;
        for rows in self.parquet.by_group(extent.rows.clone()) {
            let mut reader = self.parquet.rows(&self.path, rows)?;
            while let Some(batch) = self.parquet.next(&self.path, &mut reader, extent.rows.start + row)? {
                let lookup = |column: usize, name: &str| self.codes[column].get(name).copied();
                let decoded = decoder.decode(&batch, extent.rows.start + row, lookup)?;
                read.append(&decoded, row);
                row += decoded.rows;
            }
        }
        let next = self.blocks.get(block + 1).map_or(self.keys, |next| next.first_key);
        if row != extent.rows.len() || read.keys.len() != next - extent.first_key {
            return Err(StoreError::format(&self.path, "changed while it was read: read it again"));
        }
        // Starts become ends.
        read.ends.push(row);
        read.ends.remove(0);
        read.moved = if self.is_copied { read.numbers.pop() } else { None };
        Ok(read)
    }
}

impl Parquet {
    fn new(path: &Path, file: &File, wanted: Wanted) -> Result<Self, StoreError> {
        let metadata = decode::metadata(path, file, &wanted)?;
        let mut before = vec![0];
        for group in metadata.metadata().row_groups() {
            let rows = usize::try_from(group.num_rows()).unwrap_or(0);
            before.push(before[before.len() - 1] + rows);
        }
        Ok(Self { data: path.to_owned(), metadata, wanted, before })
    }

    /// Rows cut at the borders of row groups.
    fn by_group(&self, rows: Range<usize>) -> impl Iterator<Item = Range<usize>> {
        let groups = self.before.windows(2).map(move |pair| pair[0].max(rows.start)..pair[1].min(rows.end));
        groups.filter(|some| !some.is_empty())
    }

    /// A reader of some rows of one row group.
    fn rows(&self, path: &Path, rows: Range<usize>) -> Result<ParquetRecordBatchReader, StoreError> {
        // A file of its own: a cloned one would share its place with other readers.
        let file = File::open(&self.data).map_err(StoreError::io(path))?;
        let schema = self.metadata.schema();
        let places = self.wanted.all().iter().filter_map(|name| schema.index_of(name).ok()).collect::<Vec<_>>();
        let mask = ProjectionMask::roots(self.metadata.parquet_schema(), places);
        let group = self.before.partition_point(|&before| before <= rows.start) - 1;
        let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(file, self.metadata.clone())
            .with_projection(mask)
            .with_batch_size(BATCH)
            .with_row_groups(vec![group]);
        let (start, end) = (self.before[group], self.before[group + 1]);
        let builder = if (start, end) == (rows.start, rows.end) {
            builder
        } else {
            let some = [RowSelector::skip(rows.start - start), RowSelector::select(rows.len()), RowSelector::skip(end - rows.end)];
            builder.with_row_selection(RowSelection::from(some.into_iter().filter(|one| one.row_count > 0).collect::<Vec<_>>()))
        };
        builder.build().map_err(StoreError::parquet(path))
    }

    fn next(&self, path: &Path, reader: &mut ParquetRecordBatchReader, row: usize) -> Result<Option<arrow_array::RecordBatch>, StoreError> {
        let damaged =
            |what: String| StoreError::format(path, format!("is cut or damaged after row {row} ({}): export it again", printable(&what)));
        let batch = without_panic(|| reader.next()).map_err(damaged)?;
        batch.transpose().map_err(|error| damaged(error.to_string()))
    }
}

#[cfg(test)]
mod tests;
