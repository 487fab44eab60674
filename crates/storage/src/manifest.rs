//! `store.json`: what belongs to the store.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};
use youhui_commerce::Currency;

use crate::error::StoreError;
use crate::parquet_io::write_atomic;

/// The newest form of a store that this version reads and writes.
pub(crate) const FORMAT: u32 = 1;

/// What is true of the whole shop.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ShopSettings {
    /// Currency of every amount.
    pub currency: Currency,
    /// IANA zone of the shop.
    pub time_zone: String,
    /// Margin assumed where costs are unknown.
    pub assumed_margin: Option<f64>,
    /// Categories that no promotion may touch.
    #[serde(default)]
    pub never_promote: Vec<String>,
    /// `granted` or `denied`, for customers who said nothing.
    pub consent_default: String,
    /// Why.
    pub consent_basis: String,
}

/// The manifest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// Form of the store.
    pub format: u32,
    /// The shop.
    pub shop: ShopSettings,
    /// Folders of event segments with their numbers of rows, oldest first.
    pub events: Vec<Segment>,
    /// Files of the other tables, by table.
    pub tables: BTreeMap<String, Segment>,
    /// The identity table.
    pub identity: Option<Segment>,
    /// Number for the next file: no name is used twice.
    pub next: u64,
}

/// A file or folder of the store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Segment {
    /// Name within the store.
    pub name: String,
    /// Its rows.
    pub rows: u64,
}

impl Manifest {
    pub(crate) fn new(shop: ShopSettings) -> Self {
        Self { format: FORMAT, shop, events: vec![], tables: BTreeMap::new(), identity: None, next: 1 }
    }

    /// Events in all segments.
    pub fn event_rows(&self) -> u64 {
        self.events.iter().map(|segment| segment.rows).sum()
    }

    pub(crate) fn path(root: &Path) -> std::path::PathBuf {
        root.join("store.json")
    }

    pub(crate) fn read(root: &Path) -> Result<Self, StoreError> {
        let path = Self::path(root);
        let not_a_store = |message: String| StoreError::NotAStore { path: root.to_owned(), message };
        let text = std::fs::read_to_string(&path)
            .map_err(|error| not_a_store(format!("no store here ({error}): import something with --store first")))?;
        #[derive(Deserialize)]
        struct Form {
            format: u32,
        }
        let form: Form = serde_json::from_str(&text)
            .map_err(|error| not_a_store(format!("store.json is damaged ({error}): restore it from a backup")))?;
        if form.format > FORMAT {
            return Err(not_a_store(format!("written by a newer Youhui (format {}, this one reads {FORMAT}): update Youhui", form.format)));
        }
        serde_json::from_str(&text).map_err(|error| not_a_store(format!("store.json is damaged ({error}): restore it from a backup")))
    }

    /// Makes this the store's manifest: the one step that changes the store.
    pub(crate) fn commit(&self, root: &Path) -> Result<(), StoreError> {
        let text = serde_json::to_string_pretty(self).unwrap_or_default();
        write_atomic(&Self::path(root), text.as_bytes())
    }

    pub(crate) fn take_number(&mut self) -> u64 {
        self.next += 1;
        self.next - 1
    }
}
