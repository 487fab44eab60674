//! The only crate that opens a file of the store: import, tables, quarantine.
//!
//! A store is a folder. `store.json`, the manifest, names every file that belongs to it and is
//! replaced by one rename, so whatever interrupts an import (Ctrl-C, a crash, a full disk), the
//! store is what it was before, and the import can be repeated.

mod columns;
mod erase;
mod error;
mod events;
mod import;
mod keyed;
mod live;
mod load;
mod manifest;
mod mapping;
mod parquet_io;
mod quarantine;
mod quotes;
mod reference;
mod source;
mod store;
mod table;

pub use erase::{ErasedRows, erase, keep_suppression, lock_keys, suppression};
pub use error::StoreError;
pub use import::{ImportOptions, ImportSummary, import};
pub use keyed::{BadNumber, KeyedBlock, KeyedColumns, KeyedFile, Room};
pub use live::{
    ApiKey, Change, DecisionLog, EventBatch, EventLog, Hold, Live, LiveError, Others, Outcome, Part, Reservation, State, Used, Written,
};
pub use load::CustomerAttributes;
pub use manifest::{Manifest, ShopSettings};
pub use mapping::Mapping;
pub use parquet_io::{write_atomic, write_parquet};
pub use quarantine::{BadRow, Rule};
pub use source::rows_hint;
pub use store::{Store, audit_key, keep_audit_head, keep_identity_keys, shop_keys};
pub use table::{
    Column, MISSING, Table, TableWriter, Values, columns_of, hash_of, read_table, read_table_as, read_table_in_blocks, write_table,
};
