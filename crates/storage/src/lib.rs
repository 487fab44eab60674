//! The only crate that opens a file of the store: import, tables, quarantine.
