//! Columns of Parquet, each read on its own, so that they are read side by side.

use std::fs::File;
use std::path::Path;

use arrow_array::cast::AsArray;
use arrow_array::types::Float64Type;
use arrow_array::{Array, ArrayRef};
use arrow_schema::DataType;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder};
use rayon::prelude::*;

use super::build::Names;
use super::{Column, MISSING, Values, choose};
use crate::error::StoreError;
use crate::parquet_io::without_panic;
use crate::source::{no_row, printable};

/// Rows of one batch.
const BATCH: usize = 65_536;
/// Rows for which memory is reserved on the word of the file.
const TRUSTED_ROWS: usize = 1 << 24;

/// The names of a Parquet file's columns.
pub(super) fn names(path: &Path, file: &File) -> Result<Vec<String>, StoreError> {
    let metadata = without_panic(|| ArrowReaderMetadata::load(file, ArrowReaderOptions::new()))
        .map_err(|what| damaged(path, 0, &what))?
        .map_err(StoreError::parquet(path))?;
    Ok(metadata.schema().fields().iter().map(|field| field.name().clone()).collect())
}

/// Reads the columns of a Parquet file.
pub(super) fn read(path: &Path, file: File, columns: Option<&[String]>, texts: &[&str]) -> Result<Vec<Column>, StoreError> {
    let metadata = without_panic(|| ArrowReaderMetadata::load(&file, ArrowReaderOptions::new()))
        .map_err(|what| damaged(path, 0, &what))?
        .map_err(StoreError::parquet(path))?;
    let present: Vec<String> = metadata.schema().fields().iter().map(|field| field.name().clone()).collect();
    let wanted = choose(path, &present, columns)?;
    let kinds = wanted.iter().map(|name| kind(path, &metadata, name, texts)).collect::<Result<Vec<Kind>, StoreError>>()?;
    let read: Result<Vec<Column>, StoreError> =
        wanted.par_iter().zip(kinds).map(|(name, kind)| read_column(path, &metadata, name, kind)).collect();
    let read = read?;
    match metadata.metadata().file_metadata().num_rows() {
        0 => Err(no_row(path)),
        _ => Ok(read),
    }
}

fn damaged(path: &Path, row: usize, what: &str) -> StoreError {
    StoreError::format(path, format!("is cut or damaged after row {row} ({what}): export it again"))
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    Number,
    Text,
}

/// Whole numbers and times are texts where those are asked for: an identifier of 64 bits is no double, nor is it known what a time's unit is.
fn kind(path: &Path, metadata: &ArrowReaderMetadata, name: &str, texts: &[&str]) -> Result<Kind, StoreError> {
    let data_type = metadata.schema().field_with_name(name).map_or(DataType::Null, |field| field.data_type().clone());
    let of_cells = match &data_type {
        DataType::Dictionary(_, values) => values.as_ref(),
        other => other,
    };
    match of_cells {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => Ok(Kind::Text),
        kind if texts.contains(&name)
            && (kind.is_integer() || matches!(kind, DataType::Date32 | DataType::Date64 | DataType::Timestamp(..))) =>
        {
            Ok(Kind::Text)
        }
        kind if kind.is_numeric() || kind.is_temporal() || matches!(kind, DataType::Boolean | DataType::Null) => Ok(Kind::Number),
        other => {
            let other = printable(&other.to_string());
            Err(StoreError::format(path, format!("column {} holds {other}, neither numbers nor text: flatten it", printable(name))))
        }
    }
}

fn read_column(path: &Path, metadata: &ArrowReaderMetadata, name: &str, kind: Kind) -> Result<Column, StoreError> {
    // A file of its own: a cloned one would share its place with the other columns' readers.
    let file = File::open(path).map_err(StoreError::io(path))?;
    let place = metadata.schema().index_of(name).unwrap_or_default();
    let mask = ProjectionMask::roots(metadata.parquet_schema(), [place]);
    let rows = usize::try_from(metadata.metadata().file_metadata().num_rows()).unwrap_or(0);
    let mut reader = ParquetRecordBatchReaderBuilder::new_with_metadata(file, metadata.clone())
        .with_projection(mask)
        .with_batch_size(BATCH)
        .build()
        .map_err(StoreError::parquet(path))?;
    let mut cells = kind.cells(rows.min(TRUSTED_ROWS));
    let mut row = 0;
    while let Some(batch) = without_panic(|| reader.next()).map_err(|what| damaged(path, row, &what))? {
        let batch = batch.map_err(|error| damaged(path, row, &error.to_string()))?;
        cells.push(batch.column(0)).map_err(|what| damaged(path, row, &what))?;
        row += batch.num_rows();
    }
    if row != rows {
        return Err(damaged(path, row, &format!("it says it has {rows} rows")));
    }
    Ok(Column { name: name.to_owned(), values: cells.into_values() })
}

/// Reads columns a block of rows at a time: more rows than fit into memory. Codes of texts are of one block.
pub(super) fn read_in_blocks<E: From<StoreError>>(
    path: &Path,
    file: &File,
    columns: &[String],
    texts: &[&str],
    mut each: impl FnMut(Vec<Column>, usize) -> Result<(), E>,
) -> Result<(), E> {
    let metadata = without_panic(|| ArrowReaderMetadata::load(file, ArrowReaderOptions::new()))
        .map_err(|what| damaged(path, 0, &what))?
        .map_err(StoreError::parquet(path))?;
    let present: Vec<String> = metadata.schema().fields().iter().map(|field| field.name().clone()).collect();
    let wanted = choose(path, &present, Some(columns))?;
    let kinds = wanted.iter().map(|name| kind(path, &metadata, name, texts)).collect::<Result<Vec<Kind>, StoreError>>()?;
    let open = |name: &String| {
        let own = File::open(path).map_err(StoreError::io(path))?;
        let place = metadata.schema().index_of(name).unwrap_or_default();
        let reader = ParquetRecordBatchReaderBuilder::new_with_metadata(own, metadata.clone())
            .with_projection(ProjectionMask::roots(metadata.parquet_schema(), [place]))
            .with_batch_size((BLOCK_CELLS / wanted.len().max(1)).clamp(8_192, BLOCK));
        reader.build().map_err(StoreError::parquet(path))
    };
    let mut readers = wanted.iter().map(open).collect::<Result<Vec<_>, StoreError>>()?;
    let mut row = 0;
    loop {
        let read = |((reader, name), kind): ((&mut _, &String), &Kind)| next_block(path, reader, name, *kind, row);
        let block: Vec<Option<(Column, usize)>> =
            readers.par_iter_mut().zip(&wanted).zip(&kinds).map(read).collect::<Result<_, StoreError>>()?;
        let Some(block) = block.into_iter().collect::<Option<Vec<_>>>() else { break };
        let rows = block.first().map_or(0, |(_, rows)| *rows);
        if block.iter().any(|(_, others)| *others != rows) {
            return Err(damaged(path, row, "its columns have different numbers of rows").into());
        }
        row += rows;
        each(block.into_iter().map(|(column, _)| column).collect(), rows)?;
    }
    match usize::try_from(metadata.metadata().file_metadata().num_rows()) {
        Ok(0) => Err(no_row(path).into()),
        Ok(rows) if rows == row => Ok(()),
        rows => Err(damaged(path, row, &format!("it says it has {} rows", rows.unwrap_or(0))).into()),
    }
}

/// Rows of a block, and its cells.
const BLOCK: usize = 1 << 19;
const BLOCK_CELLS: usize = 1 << 23;

fn next_block(
    path: &Path,
    reader: &mut parquet::arrow::arrow_reader::ParquetRecordBatchReader,
    name: &str,
    kind: Kind,
    row: usize,
) -> Result<Option<(Column, usize)>, StoreError> {
    let Some(batch) = without_panic(|| reader.next()).map_err(|what| damaged(path, row, &what))? else { return Ok(None) };
    let batch = batch.map_err(|error| damaged(path, row, &error.to_string()))?;
    let mut cells = kind.cells(batch.num_rows());
    cells.push(batch.column(0)).map_err(|what| damaged(path, row, &what))?;
    Ok(Some((Column { name: name.to_owned(), values: cells.into_values() }, batch.num_rows())))
}

enum Cells {
    Number(Vec<f64>),
    Text(Vec<u32>, Names),
}

impl Kind {
    fn cells(self, rows: usize) -> Cells {
        match self {
            Self::Number => Cells::Number(Vec::with_capacity(rows)),
            Self::Text => Cells::Text(Vec::with_capacity(rows), Names::default()),
        }
    }
}

impl Cells {
    fn into_values(self) -> Values {
        match self {
            Self::Number(values) => Values::Number(values),
            Self::Text(codes, names) => Values::Text { codes, names: names.into_names() },
        }
    }

    fn push(&mut self, array: &ArrayRef) -> Result<(), String> {
        match self {
            Self::Number(values) => {
                let array = to_numbers(array).map_err(|error| error.to_string())?;
                let numbers = array.as_primitive::<Float64Type>();
                match numbers.null_count() {
                    0 => values.extend_from_slice(numbers.values()),
                    _ => values.extend(numbers.iter().map(|number| number.unwrap_or(f64::NAN))),
                }
            }
            Self::Text(codes, names) => {
                let array = arrow_cast::cast(array, &DataType::Utf8).map_err(|error| error.to_string())?;
                let mut code = |text: &str| if text.trim().is_empty() { MISSING } else { names.code(text.trim()) };
                codes.extend(array.as_string::<i32>().iter().map(|cell| cell.map_or(MISSING, &mut code)));
            }
        }
        Ok(())
    }
}

/// Cells as numbers; dates and times as they count.
pub(crate) fn to_numbers(array: &ArrayRef) -> Result<ArrayRef, arrow_schema::ArrowError> {
    let array = match array.data_type() {
        DataType::Dictionary(_, values) => arrow_cast::cast(array, values)?,
        DataType::Date32 | DataType::Time32(_) => {
            let days = arrow_cast::cast(array, &DataType::Int32)?;
            return arrow_cast::cast(&days, &DataType::Float64);
        }
        _ => array.clone(),
    };
    if array.data_type().is_temporal() {
        return arrow_cast::cast(&arrow_cast::cast(&array, &DataType::Int64)?, &DataType::Float64);
    }
    arrow_cast::cast(&array, &DataType::Float64)
}
