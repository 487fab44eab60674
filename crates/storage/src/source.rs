//! Foreign files as batches of columns: Parquet, CSV and JSON Lines look alike from here on.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek};
use std::path::Path;
use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, StringArray};
use arrow_schema::{DataType, Field, Schema};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use crate::error::StoreError;
use crate::parquet_io::without_panic;
use crate::quarantine::{BadRow, Rule};
use crate::quotes::{LONGEST_ROW, Watched};

/// Rows of one batch.
const BATCH: usize = 16_384;
/// Bytes of text of one batch: with fewer rows, if these are long.
const BATCH_BYTES: usize = 64 << 20;

/// A part of a file: columns, the numbers of their rows, and the lines that were none.
pub(crate) struct Chunk {
    pub(crate) batch: RecordBatch,
    /// Number of each row in the file, counted from 1.
    pub(crate) numbers: Vec<u64>,
    pub(crate) broken: Vec<BadRow>,
}

/// What a file is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    Parquet,
    Csv,
    JsonLines,
}

/// Opens a file and tells its form by its name and its first bytes.
///
/// # Errors
/// `Io`, or `Format` for a folder, a pipe, an empty file, or a form that can't be read.
pub(crate) fn open(path: &Path) -> Result<(File, Form), StoreError> {
    let kind = std::fs::metadata(path).map_err(StoreError::io(path))?.file_type();
    if kind.is_dir() {
        return Err(StoreError::format(path, "is a folder: name the files in it"));
    }
    if !kind.is_file() {
        // It can't be read from its start twice.
        return Err(StoreError::format(path, "is a pipe or a device: save it as a file and import that"));
    }
    let mut file = File::open(path).map_err(StoreError::io(path))?;
    let mut head = [0_u8; 4];
    let got = read_head(&mut file, &mut head).map_err(StoreError::io(path))?;
    file.rewind().map_err(StoreError::io(path))?;
    let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or("").to_ascii_lowercase();
    if got == 0 {
        return Err(StoreError::format(path, "is empty: export it again"));
    }
    if let Some(message) = another_form(head) {
        return Err(StoreError::format(path, message));
    }
    match (extension.as_str(), head) {
        (_, PARQUET) => Ok((file, Form::Parquet)),
        ("parquet", _) => Err(StoreError::format(path, "is not a Parquet file, whatever its name says: export it again")),
        ("jsonl" | "ndjson" | "json", [b'[', ..]) => {
            Err(StoreError::format(path, "is a list of JSON, not lines of JSON: write one object a line (jq -c '.[]')"))
        }
        ("jsonl" | "ndjson" | "json", _) | (_, [b'{', ..] | [0xef, 0xbb, 0xbf, b'{']) => Ok((file, Form::JsonLines)),
        _ => Ok((file, Form::Csv)),
    }
}

/// Reads the columns `wanted` of a file, chunk by chunk, in order.
///
/// # Errors
/// `Io`, or `Format` for an empty, cut or unreadable file, or a missing column.
pub(crate) fn read(path: &Path, wanted: &[String], each: &mut dyn FnMut(Chunk) -> Result<(), StoreError>) -> Result<(), StoreError> {
    match open(path)? {
        (file, Form::Parquet) => parquet(path, file, wanted, each),
        (file, Form::Csv) => csv(path, file, wanted, each),
        (file, Form::JsonLines) => json_lines(path, file, wanted, each),
    }
}

const PARQUET: [u8; 4] = *b"PAR1";
pub(crate) const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Known by its first bytes, and nothing that can be read.
const fn another_form(head: [u8; 4]) -> Option<&'static str> {
    match head {
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => Some("is UTF-16 text: save it as UTF-8"),
        [0x1f, 0x8b, ..] | [0x28, 0xb5, 0x2f, 0xfd] => Some("is compressed: unpack it first"),
        [b'P', b'K', 3, 4] => Some("is a zip archive or a spreadsheet: unpack it, or save the sheet as CSV"),
        _ => None,
    }
}

fn read_head(file: &mut File, head: &mut [u8; 4]) -> std::io::Result<usize> {
    let mut got = 0;
    while got < head.len() {
        match file.read(&mut head[got..])? {
            0 => break,
            more => got += more,
        }
    }
    Ok(got)
}

fn check_columns(path: &Path, present: &[String], wanted: &[String]) -> Result<(), StoreError> {
    if let Some(twice) = wanted.iter().find(|column| present.iter().filter(|name| name == column).count() > 1) {
        return Err(StoreError::format(path, format!("has two columns named {twice}: rename one of them")));
    }
    let missing: Vec<&str> = wanted.iter().filter(|column| !present.contains(column)).map(String::as_str).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let message = format!(
        "has no column {}; it has {}. Name the right columns in a mapping file (--mapping)",
        missing.join(", "),
        printable(&present.join(", "))
    );
    Err(StoreError::format(path, message))
}

/// About how many rows a file has, if a line of text has so many bytes; 0 where it can't be told. A hint
/// for reserving memory, no more.
pub fn rows_hint(path: &Path, line: u64) -> usize {
    // To open a pipe is to wait for its other end.
    if !std::fs::metadata(path).is_ok_and(|metadata| metadata.is_file()) {
        return 0;
    }
    let Ok(file) = File::open(path) else { return 0 };
    let length = file.metadata().map_or(0, |metadata| metadata.len());
    let rows = match without_panic(|| ParquetRecordBatchReaderBuilder::try_new(file)) {
        Ok(Ok(builder)) => u64::try_from(builder.metadata().file_metadata().num_rows()).unwrap_or(0),
        _ => length / line.max(1),
    };
    usize::try_from(rows).unwrap_or(0)
}

/// A foreign file's text on one line of a terminal: no control characters, not longer than a few
/// lines.
pub(crate) fn printable(text: &str) -> String {
    const MOST: usize = 300;
    let clean: String = text.chars().take(MOST).map(|letter| if letter.is_control() { '\u{fffd}' } else { letter }).collect();
    if text.chars().nth(MOST).is_some() { clean + "…" } else { clean }
}

fn parquet(path: &Path, file: File, wanted: &[String], each: &mut dyn FnMut(Chunk) -> Result<(), StoreError>) -> Result<(), StoreError> {
    let damaged = |row: u64, what: String| StoreError::format(path, format!("is cut or damaged after row {row} ({what}): export it again"));
    let builder = without_panic(|| ParquetRecordBatchReaderBuilder::try_new(file))
        .map_err(|what| damaged(0, what))?
        .map_err(StoreError::parquet(path))?;
    let present: Vec<String> = builder.schema().fields().iter().map(|field| field.name().clone()).collect();
    check_columns(path, &present, wanted)?;
    for field in builder.schema().fields().iter().filter(|field| wanted.contains(field.name())) {
        let kind = field.data_type();
        if kind.is_nested() || !arrow_cast::can_cast_types(kind, &DataType::Utf8) {
            let kind = printable(&kind.to_string());
            return Err(StoreError::format(path, format!("column {} holds {kind}, not one value a row: flatten it", field.name())));
        }
    }
    let roots = wanted.iter().filter_map(|column| present.iter().position(|name| name == column));
    let mask = ProjectionMask::roots(builder.parquet_schema(), roots);
    let mut reader = builder.with_projection(mask).with_batch_size(BATCH).build().map_err(StoreError::parquet(path))?;
    let mut row = 0;
    while let Some(batch) = without_panic(|| reader.next()).map_err(|what| damaged(row, what))? {
        let batch = batch.map_err(|error| damaged(row, error.to_string()))?;
        let size = batch.num_rows() as u64;
        each(Chunk { batch, numbers: (row + 1..=row + size).collect(), broken: vec![] })?;
        row += size;
    }
    if row == 0 { Err(no_row(path)) } else { Ok(()) }
}

/// A CSV file behind its header.
pub(crate) struct CsvRows {
    pub(crate) reader: csv::Reader<Watched<BufReader<File>>>,
    pub(crate) header: csv::ByteRecord,
    /// The header's names, without the spaces around them.
    pub(crate) present: Vec<String>,
}

/// Reads the header, by which the delimiter is told: comma, semicolon or tab.
pub(crate) fn open_csv(path: &Path, file: File) -> Result<CsvRows, StoreError> {
    let mut input = BufReader::with_capacity(1 << 20, file);
    let start = input.fill_buf().map_err(StoreError::io(path))?;
    let skip = if start.starts_with(BYTE_ORDER_MARK) { BYTE_ORDER_MARK.len() } else { 0 };
    let first_line = start[skip..].split(|&byte| byte == b'\n').next().unwrap_or(&[]);
    let count = |delimiter: u8| first_line.iter().filter(|&&byte| byte == delimiter).count();
    let delimiter = [b',', b';', b'\t'].into_iter().max_by_key(|&delimiter| (count(delimiter), delimiter == b',')).unwrap_or(b',');
    input.consume(skip);
    let mut reader = csv::ReaderBuilder::new().delimiter(delimiter).flexible(true).from_reader(Watched::new(input, delimiter));
    let header = match reader.byte_headers() {
        Ok(header) => header.clone(),
        Err(error) => return Err(broken_file(path, "its header", reader.get_ref().problem(), error)),
    };
    if header.iter().all(<[u8]>::is_empty) {
        return Err(no_row(path));
    }
    let present = header.iter().map(|name| String::from_utf8_lossy(name).trim().to_owned()).collect();
    Ok(CsvRows { reader, header, present })
}

fn csv(path: &Path, file: File, wanted: &[String], each: &mut dyn FnMut(Chunk) -> Result<(), StoreError>) -> Result<(), StoreError> {
    let CsvRows { mut reader, header, present } = open_csv(path, file)?;
    check_columns(path, &present, wanted).map_err(|error| match header.iter().all(|name| std::str::from_utf8(name).is_ok()) {
        true => error,
        false => StoreError::format(path, "is not UTF-8 text: save it as UTF-8"),
    })?;
    let places: Vec<usize> = wanted.iter().filter_map(|column| present.iter().position(|name| name == column)).collect();
    let mut rows = TextRows::new(wanted);
    let mut record = csv::ByteRecord::new();
    let mut number = 0;
    loop {
        match reader.read_byte_record(&mut record) {
            Ok(true) => number += 1,
            Ok(false) => break,
            Err(error) => return Err(broken_file(path, &format!("row {}", number + 1), reader.get_ref().problem(), error)),
        }
        let cell = |place: &usize| record.get(*place).and_then(|bytes| std::str::from_utf8(bytes).ok());
        let broken = if reader.get_ref().is_cut() {
            Some(("line", "a quote that is not closed".to_owned()))
        } else if record.len() != header.len() {
            Some(("line", format!("{} fields, the header has {}", record.len(), header.len())))
        } else {
            let unreadable = places.iter().find(|place| cell(place).is_none());
            unreadable.map(|place| (present[*place].as_str(), "not UTF-8".to_owned()))
        };
        match broken {
            None => rows.push(number, places.iter().map(cell)),
            Some((field, found)) => rows.broken.push(BadRow::new(number, field, &found, Rule::BrokenLine)),
        }
        if rows.is_full() {
            each(rows.take(path)?)?;
        }
    }
    finish(path, rows, number, each)
}

pub(crate) fn broken_file(path: &Path, place: &str, problem: Option<&'static str>, error: csv::Error) -> StoreError {
    match (problem, error.into_kind()) {
        (Some(problem), _) => StoreError::format(path, format!("{place} {problem}")),
        (None, csv::ErrorKind::Io(source)) => StoreError::Io { path: path.to_owned(), source },
        (None, other) => StoreError::format(path, format!("is not CSV ({other:?}): export it again")),
    }
}

/// The lines of a file that hold something, counted from 1.
pub(crate) struct Lines<'a> {
    path: &'a Path,
    input: BufReader<File>,
    line: Vec<u8>,
    number: u64,
}

impl<'a> Lines<'a> {
    pub(crate) fn new(path: &'a Path, file: File) -> Self {
        Self { path, input: BufReader::with_capacity(1 << 20, file), line: Vec::new(), number: 0 }
    }

    pub(crate) fn next_line(&mut self) -> Result<Option<(u64, &[u8])>, StoreError> {
        loop {
            self.line.clear();
            let read = self.input.by_ref().take(LONGEST_ROW as u64 + 1).read_until(b'\n', &mut self.line);
            if read.map_err(StoreError::io(self.path))? == 0 {
                return Ok(None);
            }
            if self.line.len() > LONGEST_ROW {
                let message = format!("row {} is longer than 64 MB: write one object a line", self.number + 1);
                return Err(StoreError::format(self.path, message));
            }
            if self.number == 0 && self.line.starts_with(BYTE_ORDER_MARK) {
                self.line.drain(..BYTE_ORDER_MARK.len());
            }
            if !self.line.iter().all(u8::is_ascii_whitespace) {
                self.number += 1;
                return Ok(Some((self.number, &self.line)));
            }
        }
    }
}

fn json_lines(path: &Path, file: File, wanted: &[String], each: &mut dyn FnMut(Chunk) -> Result<(), StoreError>) -> Result<(), StoreError> {
    let mut lines = Lines::new(path, file);
    let mut rows = TextRows::new(wanted);
    let mut seen = vec![false; wanted.len()];
    let mut present = std::collections::BTreeSet::new();
    while let Some((number, line)) = lines.next_line()? {
        match serde_json::from_slice::<serde_json::Map<String, serde_json::Value>>(line) {
            Ok(object) => {
                let cells: Vec<Option<String>> = wanted.iter().map(|column| object.get(column).and_then(plain)).collect();
                seen.iter_mut().zip(&cells).for_each(|(seen, cell)| *seen |= cell.is_some());
                if present.len() < 100 {
                    present.extend(object.keys().cloned());
                }
                rows.push(number, cells.iter().map(Option::as_deref));
            }
            Err(error) => rows.broken.push(BadRow::new(number, "line", &error.to_string(), Rule::BrokenLine)),
        }
        if rows.is_full() {
            each(rows.take(path)?)?;
        }
    }
    if rows.any_good && !seen.iter().all(|seen| *seen) {
        // No object had it: that is a missing column, not a missing value.
        let seen: Vec<String> = present.into_iter().collect();
        check_columns(path, &seen, wanted)?;
    }
    finish(path, rows, lines.number, each)
}

fn finish(path: &Path, mut rows: TextRows, number: u64, each: &mut dyn FnMut(Chunk) -> Result<(), StoreError>) -> Result<(), StoreError> {
    if number == 0 {
        return Err(no_row(path));
    }
    each(rows.take(path)?)
}

pub(crate) fn no_row(path: &Path) -> StoreError {
    StoreError::format(path, "has no row: export it again")
}

/// A JSON value as the text a CSV file would have.
fn plain(value: &serde_json::Value) -> Option<String> {
    match value {
        serde_json::Value::Null => None,
        serde_json::Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

/// Text cells by column.
struct TextRows {
    names: Vec<String>,
    cells: Vec<Vec<Option<String>>>,
    numbers: Vec<u64>,
    broken: Vec<BadRow>,
    bytes: usize,
    any_good: bool,
}

impl TextRows {
    fn new(names: &[String]) -> Self {
        Self { names: names.to_vec(), cells: vec![vec![]; names.len()], numbers: vec![], broken: vec![], bytes: 0, any_good: false }
    }

    fn push<'a>(&mut self, number: u64, cells: impl Iterator<Item = Option<&'a str>>) {
        self.any_good = true;
        self.numbers.push(number);
        for (column, cell) in self.cells.iter_mut().zip(cells) {
            self.bytes += cell.map_or(0, str::len);
            column.push(cell.filter(|text| !text.trim().is_empty()).map(str::to_owned));
        }
    }

    /// Time to pass them on. A column of text holds 2 GB and no more.
    fn is_full(&self) -> bool {
        self.numbers.len() + self.broken.len() >= BATCH || self.bytes >= BATCH_BYTES
    }

    fn take(&mut self, path: &Path) -> Result<Chunk, StoreError> {
        let fields: Vec<Field> = self.names.iter().map(|name| Field::new(name, DataType::Utf8, true)).collect();
        let columns = self.cells.iter_mut().map(|column| Arc::new(StringArray::from(std::mem::take(column))) as ArrayRef).collect();
        let numbers = std::mem::take(&mut self.numbers);
        self.bytes = 0;
        let options = arrow_array::RecordBatchOptions::new().with_row_count(Some(numbers.len()));
        let batch = RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), columns, &options)
            .map_err(|error| StoreError::format(path, error.to_string()))?;
        Ok(Chunk { batch, numbers, broken: std::mem::take(&mut self.broken) })
    }
}
