//! Parquet files written whole or not at all.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use arrow_array::RecordBatch;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;
use parquet::schema::types::ColumnPath;

use crate::error::StoreError;

/// Writes a file beside its place, syncs it, and moves it there.
///
/// # Errors
/// `Io`; the file that was there before is then as it was.
pub fn write_atomic(path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    let staged = path.with_extension("staged");
    let write = || -> std::io::Result<()> {
        let mut file = File::create(&staged)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        std::fs::rename(&staged, path)?;
        sync_folder(path)
    };
    write().map_err(|source| {
        // Best effort: the error that matters is the one above.
        std::fs::remove_file(&staged).ok();
        StoreError::Io { path: path.to_owned(), source }
    })
}

/// Writes rows as a Parquet file, whole or not at all.
///
/// # Errors
/// `Io` or `Format`; the file that was there before is then as it was.
pub fn write_parquet(path: &Path, batch: &RecordBatch) -> Result<(), StoreError> {
    let staged = path.with_extension("staged");
    let write = || -> Result<(), StoreError> {
        write_new(&staged, batch)?;
        std::fs::rename(&staged, path).and_then(|()| sync_folder(path)).map_err(StoreError::io(path))
    };
    write().inspect_err(|_| {
        std::fs::remove_file(&staged).ok();
    })
}

/// Writes a file that nobody reads yet: the manifest will name it.
pub(crate) fn write_new(path: &Path, batch: &RecordBatch) -> Result<(), StoreError> {
    let file = File::create(path).map_err(StoreError::io(path))?;
    let mut writer = ArrowWriter::try_new(BufWriter::new(file), batch.schema(), Some(properties())).map_err(StoreError::parquet(path))?;
    writer.write(batch).map_err(StoreError::parquet(path))?;
    close(path, writer)
}

/// Ends a file and makes sure that it is on the disk.
pub(crate) fn close(path: &Path, writer: ArrowWriter<BufWriter<File>>) -> Result<(), StoreError> {
    let buffer = writer.into_inner().map_err(StoreError::parquet(path))?;
    let file = buffer.into_inner().map_err(|error| StoreError::Io { path: path.to_owned(), source: error.into_error() })?;
    file.sync_all().map_err(StoreError::io(path))
}

/// How files of ours are written.
pub(crate) fn properties() -> WriterProperties {
    let random = |name: &str| ColumnPath::from(name);
    WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        // Random bytes: neither a dictionary nor compression finds anything in them.
        .set_column_dictionary_enabled(random("event_id"), false)
        .set_column_compression(random("event_id"), Compression::UNCOMPRESSED)
        .set_created_by(format!("youhui {}", env!("CARGO_PKG_VERSION")))
        .build()
}

/// Reads the named columns of a file of ours.
pub(crate) fn read(path: &Path, columns: Option<&[&str]>) -> Result<Vec<RecordBatch>, StoreError> {
    let file = File::open(path).map_err(StoreError::io(path))?;
    let damaged = |what: String| StoreError::format(path, format!("damaged ({what}): restore it from a backup"));
    let work = || -> Result<_, StoreError> {
        let builder = ParquetRecordBatchReaderBuilder::try_new(file).map_err(|error| damaged(error.to_string()))?;
        let mask = match columns {
            None => parquet::arrow::ProjectionMask::all(),
            Some(columns) => parquet::arrow::ProjectionMask::columns(builder.parquet_schema(), columns.iter().copied()),
        };
        let reader = builder.with_projection(mask).with_batch_size(65_536).build().map_err(|error| damaged(error.to_string()))?;
        reader.map(|batch| batch.map_err(|error| damaged(error.to_string()))).collect()
    };
    without_panic(work).map_err(damaged)?
}

/// What `work` gives, or the message it panicked with: some damage the Parquet reader finds too late
/// for an error of its own. Nothing of the reader is used after that.
pub(crate) fn without_panic<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)).map_err(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
        text.unwrap_or("unreadable").to_owned()
    })
}

#[cfg(unix)]
pub(crate) fn sync_folder(path: &Path) -> std::io::Result<()> {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => File::open(folder)?.sync_all(),
        _ => Ok(()),
    }
}

#[cfg(not(unix))]
pub(crate) fn sync_folder(_: &Path) -> std::io::Result<()> {
    Ok(())
}
