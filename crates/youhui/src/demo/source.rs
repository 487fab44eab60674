//! Where the loop's data come from: the bundled sample, a fetched data set, or a store.

use std::path::{Path, PathBuf};

use youhui_storage::{ImportOptions, Mapping, Store, import, write_atomic};

use crate::cli::{CliError, Console, now};
use crate::dataset;

/// What `demo` runs on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Source {
    /// The sample inside this binary.
    Sample,
    /// A data set of `youhui dataset list`, whole.
    Dataset(String),
    /// A store that `youhui import` made.
    Store(PathBuf),
}

/// An opened store, and what the reader must know of its data.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) store: Store,
    pub(crate) name: String,
    pub(crate) notice: String,
    /// Rows read and rows put into quarantine by the import; `None` for a store that was there.
    pub(crate) imported: Option<(u64, u64)>,
    /// Holds the temporary store until the run ends.
    _folder: Option<tempfile::TempDir>,
}

/// The bundled sample's files.
const SAMPLE: [(&str, &[u8]); 7] = [
    ("products.parquet", include_bytes!("../../sample/products.parquet")),
    ("transactions.parquet", include_bytes!("../../sample/transactions.parquet")),
    ("coupon_redemptions.parquet", include_bytes!("../../sample/coupon_redemptions.parquet")),
    ("demographics.parquet", include_bytes!("../../sample/demographics.parquet")),
    ("campaign_descriptions.parquet", include_bytes!("../../sample/campaign_descriptions.parquet")),
    ("campaigns.parquet", include_bytes!("../../sample/campaigns.parquet")),
    ("coupons.parquet", include_bytes!("../../sample/coupons.parquet")),
];

const SAMPLE_NOTICE: &str = "One household in eight of the Complete Journey (CC0), bundled. Its packager calls the data simulated; the older R package calls them household transactions of a grocer. Its campaigns were targeted, not randomised.";

/// Fetches what has to be fetched: not part of the timed stages, for it measures the network.
pub(crate) fn fetch(source: &Source, console: Console) -> Result<Option<PathBuf>, CliError> {
    match source {
        Source::Dataset(name) => dataset::fetch(dataset::find(name)?, None, console).map(Some),
        Source::Sample | Source::Store(_) => Ok(None),
    }
}

/// Imports the source into a temporary store, or opens the store.
pub(crate) fn open(source: &Source, fetched: Option<&Path>, seed: u64, progress: &(dyn Fn(u64) + Sync)) -> Result<Opened, CliError> {
    match source {
        Source::Store(root) => Ok(Opened {
            store: Store::open(root)?,
            name: root.display().to_string(),
            notice: "Your own data.".to_owned(),
            imported: None,
            _folder: None,
        }),
        Source::Sample => {
            let files = temporary()?;
            for (name, bytes) in SAMPLE {
                write_atomic(&files.path().join(name), bytes)?;
            }
            import_all(files.path(), "complete-journey", dataset::COMPLETE_JOURNEY, seed, progress).map(|opened| Opened {
                name: "complete-journey sample".to_owned(),
                notice: SAMPLE_NOTICE.to_owned(),
                ..opened
            })
        }
        Source::Dataset(name) => {
            let set = dataset::find(name)?;
            let folder = fetched.ok_or_else(|| CliError::usage(format!("{name} was not fetched")))?;
            if set.imports.is_empty() {
                return Err(CliError::usage(format!("{name} has no baskets to learn from: choose another data set")));
            }
            import_all(folder, set.name, set.imports, seed, progress).map(|opened| Opened {
                name: set.name.to_owned(),
                notice: format!("{}. {}", capitalised(set.what), set.licence),
                ..opened
            })
        }
    }
}

fn import_all(
    folder: &Path,
    mapping_name: &str,
    plan: &[(&str, &str)],
    seed: u64,
    progress: &(dyn Fn(u64) + Sync),
) -> Result<Opened, CliError> {
    let text = dataset::built_in_mapping(mapping_name)
        .ok_or_else(|| CliError::usage(format!("{mapping_name}: no built-in mapping of that name")))?;
    let mapping = Mapping::parse(mapping_name, text)?;
    let root = temporary()?;
    let (mut rows, mut bad) = (0, 0);
    for (file, table) in plan {
        let (table, variant) = crate::cli::import::table_and_variant(table)?;
        let options = ImportOptions {
            table,
            variant,
            mapping_name: mapping_name.to_owned(),
            quarantine: None,
            allow_bad: false,
            dry_run: false,
            now: now(),
            seed: Some(seed),
        };
        let summary = import(root.path(), &[folder.join(file)], &mapping, &options, &|read| progress(rows + read))?;
        rows += summary.rows;
        bad += summary.bad_rows();
    }
    Ok(Opened {
        store: Store::open(root.path())?,
        name: String::new(),
        notice: String::new(),
        imported: Some((rows, bad)),
        _folder: Some(root),
    })
}

fn temporary() -> Result<tempfile::TempDir, CliError> {
    tempfile::tempdir().map_err(|error| CliError::usage(format!("temporary folder: {error}. Set TMPDIR to a folder with some space")))
}

fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or(String::new(), |first| first.to_uppercase().chain(letters).collect())
}
