//! What can stop a command of the store. Each message says what to do.

use std::io;
use std::path::{Path, PathBuf};

/// An error of the store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A file could not be read or written.
    #[error("{path}: {source}{}", remedy(source))]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file is not what it says it is.
    #[error("{path}: {message}")]
    Format {
        /// The file.
        path: PathBuf,
        /// What is wrong and what to do.
        message: String,
    },
    /// The mapping file is wrong.
    #[error("mapping {name}: {message}")]
    Mapping {
        /// Its name or path.
        name: String,
        /// What is wrong and what to do.
        message: String,
    },
    /// The folder is not a store, or not one that this version reads.
    #[error("{path}: {message}")]
    NotAStore {
        /// The folder.
        path: PathBuf,
        /// What is wrong and what to do.
        message: String,
    },
    /// Another import holds the store.
    #[error("{path} is being written by another import: wait until it ends, then repeat this one")]
    Locked {
        /// The folder.
        path: PathBuf,
    },
    /// Too many rows were bad: the mapping is probably wrong.
    #[error(
        "{bad} of {rows} rows are bad, mostly `{rule}` ({example}): nothing was imported. Check the mapping, or pass --allow-bad to keep the good rows"
    )]
    MostlyBad {
        /// Bad rows.
        bad: u64,
        /// All rows.
        rows: u64,
        /// The commonest rule.
        rule: &'static str,
        /// One row that broke it.
        example: String,
    },
}

fn remedy(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => ". Free some space and repeat the command: the store is as it was",
        io::ErrorKind::NotFound => ". Check the path",
        io::ErrorKind::PermissionDenied => ". Check who owns it",
        io::ErrorKind::ReadOnlyFilesystem => ". Choose a folder that can be written",
        io::ErrorKind::NotADirectory | io::ErrorKind::AlreadyExists => ". A part of this path is a file: choose another",
        _ => "",
    }
}

impl StoreError {
    pub(crate) fn io(path: &Path) -> impl FnOnce(io::Error) -> Self + use<> {
        let path = path.to_owned();
        move |source| Self::Io { path, source }
    }

    pub(crate) fn format(path: &Path, message: impl Into<String>) -> Self {
        Self::Format { path: path.to_owned(), message: message.into() }
    }

    /// A Parquet or Arrow error, unwrapped to the system's error where there is one below it.
    pub(crate) fn parquet(path: &Path) -> impl FnOnce(parquet::errors::ParquetError) -> Self + use<> {
        let path = path.to_owned();
        move |error| match error {
            parquet::errors::ParquetError::External(inner) => match inner.downcast::<io::Error>() {
                Ok(source) => Self::Io { path, source: *source },
                Err(other) => Self::Format { path, message: format!("not a readable Parquet file ({other}): export it again") },
            },
            other => {
                let text = other.to_string();
                let full = text.contains("No space left on device");
                let source = || io::Error::new(io::ErrorKind::StorageFull, "no space left on device");
                if full {
                    Self::Io { path, source: source() }
                } else {
                    Self::Format { path, message: format!("not a readable Parquet file ({text}): export it again") }
                }
            }
        }
    }
}
