//! A sorted copy of a file of rows in any order: parts by a hash of the key, each sorted in memory.

use std::fs::File;
use std::hash::Hasher;
use std::io::{BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::{ArrayRef, Float64Array, RecordBatch, StringArray};
use parquet::arrow::ArrowWriter;
use rustc_hash::FxHasher;

use super::decode::Decoder;
use super::{BadNumber, Wanted};
use crate::error::StoreError;
use crate::source::{read, rows_hint};
use crate::table::Names;

/// The column of the copy that holds a row's place in the file.
pub(super) const ROW: &str = "row of the file";
/// Bytes of a row while its part is sorted.
const ROW_BYTES: usize = 160;
/// Bytes of the shortest lines of text.
const LINE: u64 = 16;
/// Parts at most: each is an open file.
const PARTS: usize = 512;
/// Bytes that a part waits with before it writes.
const BUFFER: usize = 1 << 16;

/// Writes the copy into a folder; `see` gets the numbers.
pub(super) fn sorted<T: Default>(
    path: &Path,
    wanted: &Wanted,
    folder: &Path,
    memory: usize,
    see: &impl Fn(&mut T, &[Vec<f64>]) -> Result<(), BadNumber>,
) -> Result<(PathBuf, T), StoreError> {
    let parts = (rows_hint(path, LINE).saturating_mul(ROW_BYTES) / (memory / 2).max(1) + 1).min(PARTS);
    let (names, seen) = split(path, wanted, folder, parts, see)?;
    let data = folder.join("sorted.parquet");
    let mut writer = None;
    for part in 0..parts {
        let name = folder.join(part.to_string());
        let bytes = std::fs::read(&name).map_err(StoreError::io(&name))?;
        std::fs::remove_file(&name).map_err(StoreError::io(&name))?;
        let Some(batch) = sort(path, &bytes, wanted, &names)? else { continue };
        drop(bytes);
        let file = || File::create(&data).map(BufWriter::new).map_err(StoreError::io(&data));
        let writer = match &mut writer {
            Some(writer) => writer,
            empty => empty.insert(ArrowWriter::try_new(file()?, batch.schema(), None).map_err(StoreError::parquet(&data))?),
        };
        writer.write(&batch).and_then(|()| writer.flush()).map_err(StoreError::parquet(&data))?;
    }
    if let Some(writer) = writer {
        writer.close().map_err(StoreError::parquet(&data))?;
    }
    Ok((data, seen))
}

/// Rows as bytes, into files by a hash of the key: length and bytes of the key, codes, numbers, row.
fn split<T: Default>(
    path: &Path,
    wanted: &Wanted,
    folder: &Path,
    parts: usize,
    see: &impl Fn(&mut T, &[Vec<f64>]) -> Result<(), BadNumber>,
) -> Result<(Vec<Names>, T), StoreError> {
    let part = |number: usize| {
        let name = folder.join(number.to_string());
        File::create(&name).map(|file| BufWriter::with_capacity(BUFFER, file)).map_err(StoreError::io(&name))
    };
    let mut files = (0..parts).map(part).collect::<Result<Vec<_>, StoreError>>()?;
    let mut names: Vec<Names> = wanted.texts.iter().map(|_| Names::default()).collect();
    let mut decoder = Decoder::new(path, wanted);
    let mut seen = T::default();
    read(path, &wanted.all(), &mut |chunk| {
        if let Some(broken) = chunk.broken.first() {
            return Err(StoreError::format(path, format!("row {}, {}: {}: {}", broken.row, broken.field, broken.value, broken.remedy)));
        }
        // Without a broken row the rows of a chunk follow one another.
        let before = chunk.numbers.first().map_or(0, |number| usize::try_from(number - 1).unwrap_or(0));
        let decoded = decoder.decode(&chunk.batch, before, |column, name| Some(names[column].code(name)))?;
        see(&mut seen, &decoded.numbers).map_err(|(row, what)| StoreError::format(path, format!("row {}, {what}", before + row + 1)))?;
        for row in 0..decoded.rows {
            let key = decoded.keys.text(row);
            let mut hasher = FxHasher::default();
            hasher.write(key.as_bytes());
            // The upper bits: the lower ones are poor.
            let file = &mut files[(hasher.finish() >> 40) as usize % parts];
            let mut write = || -> std::io::Result<()> {
                file.write_all(&u32::try_from(key.len()).unwrap_or(u32::MAX).to_le_bytes())?;
                file.write_all(key.as_bytes())?;
                decoded.texts.iter().try_for_each(|codes| file.write_all(&codes[row].to_le_bytes()))?;
                decoded.numbers.iter().try_for_each(|numbers| file.write_all(&numbers[row].to_le_bytes()))?;
                file.write_all(&((before + row + 1) as f64).to_le_bytes())
            };
            write().map_err(StoreError::io(folder))?;
        }
        Ok(())
    })?;
    for mut file in files {
        file.flush().map_err(StoreError::io(folder))?;
    }
    Ok((names, seen))
}

/// A part's rows by key, equal keys in the file's order.
fn sort(path: &Path, bytes: &[u8], wanted: &Wanted, names: &[Names]) -> Result<Option<RecordBatch>, StoreError> {
    let mut rest = BufReader::new(bytes);
    let mut keys: Vec<String> = Vec::new();
    let mut texts: Vec<Vec<u32>> = vec![Vec::new(); wanted.texts.len()];
    let mut numbers: Vec<Vec<f64>> = vec![Vec::new(); wanted.numbers.len() + 1];
    let cut = |error: std::io::Error| StoreError::Io { path: path.to_owned(), source: error };
    let (mut four, mut eight) = ([0; 4], [0; 8]);
    while rest.get_ref().len() + rest.buffer().len() > 0 {
        rest.read_exact(&mut four).map_err(cut)?;
        let mut key = vec![0; u32::from_le_bytes(four) as usize];
        rest.read_exact(&mut key).map_err(cut)?;
        keys.push(String::from_utf8_lossy(&key).into_owned());
        for codes in &mut texts {
            rest.read_exact(&mut four).map_err(cut)?;
            codes.push(u32::from_le_bytes(four));
        }
        for column in &mut numbers {
            rest.read_exact(&mut eight).map_err(cut)?;
            column.push(f64::from_le_bytes(eight));
        }
    }
    if keys.is_empty() {
        return Ok(None);
    }
    let mut order: Vec<usize> = (0..keys.len()).collect();
    order.sort_by(|&one, &two| keys[one].cmp(&keys[two]));
    let mut columns: Vec<(String, ArrayRef)> = Vec::new();
    let ordered: StringArray = order.iter().map(|&row| Some(keys[row].as_str())).collect();
    columns.push((wanted.key.clone(), Arc::new(ordered)));
    for ((name, codes), names) in wanted.texts.iter().zip(&texts).zip(names) {
        let ordered: StringArray = order.iter().map(|&row| names.name(codes[row])).collect();
        columns.push((name.clone(), Arc::new(ordered)));
    }
    let all = wanted.numbers.iter().map(String::as_str).chain([ROW]);
    for (name, values) in all.zip(&numbers) {
        let ordered: Float64Array = order.iter().map(|&row| Some(values[row])).collect();
        columns.push((name.to_owned(), Arc::new(ordered)));
    }
    RecordBatch::try_from_iter(columns).map(Some).map_err(|error| StoreError::format(path, error.to_string()))
}
