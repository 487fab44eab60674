//! What the tests of the import share: a desk with a store, and what a store holds in a form that
//! doesn't depend on the random names of customers.

use std::path::PathBuf;

use tempfile::TempDir;
use youhui_commerce::schema::Table;
use youhui_commerce::{EventTable, Micros};
use youhui_storage::{ImportOptions, ImportSummary, Mapping, Store, StoreError, import};

/// 2025-01-01.
pub(crate) const NOW: Micros = 1_735_689_600_000_000;

/// Known by an identifier.
pub(crate) const NAMED: &str = r#"
[shop]
currency = "EUR"
time_zone = "Europe/Berlin"
[events]
customer = "customer"
time = "time"
product = "sku"
order = "basket"
quantity = "units"
amount = "paid"
event_id = ["id"]
exclude = { column = "sku", values = ["POST"] }
"#;

/// Known by content.
pub(crate) fn unnamed() -> String {
    NAMED.replace("event_id = [\"id\"]\n", "")
}

/// A folder with a store to be.
pub(crate) struct Desk {
    pub(crate) folder: TempDir,
    pub(crate) mapping: Mapping,
}

impl Desk {
    pub(crate) fn new(mapping: &str) -> Self {
        Self { folder: tempfile::tempdir().unwrap(), mapping: Mapping::parse("test", mapping).unwrap() }
    }

    pub(crate) fn store(&self) -> PathBuf {
        self.folder.path().join("store")
    }

    /// Writes a file and says where.
    pub(crate) fn file(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    }

    pub(crate) fn import(&self, files: &[PathBuf]) -> Result<ImportSummary, StoreError> {
        self.import_with(files, |_| ())
    }

    pub(crate) fn import_with(&self, files: &[PathBuf], change: impl FnOnce(&mut ImportOptions)) -> Result<ImportSummary, StoreError> {
        let mut options = ImportOptions {
            table: Table::Events,
            variant: None,
            mapping_name: "test".into(),
            quarantine: None,
            allow_bad: true,
            dry_run: false,
            now: NOW,
            seed: Some(1),
        };
        change(&mut options);
        let summary = import(&self.store(), files, &self.mapping, &options, &|_| ())?;
        let parts = summary.added + summary.known + summary.excluded + summary.bad_rows();
        assert_eq!(summary.rows, parts, "parts must sum to the whole: {summary:?}");
        let lines = |path: &PathBuf| std::fs::read_to_string(path).unwrap().lines().count() as u64;
        assert_eq!(summary.quarantine.as_ref().map_or(0, lines), summary.bad_rows(), "each bad row has its line");
        Ok(summary)
    }

    /// What is stored: each customer's rows in order, the customers in the order of their rows.
    /// Nothing, where no store was made.
    pub(crate) fn loaded(&self) -> Vec<Vec<Row>> {
        if !self.store().join("store.json").exists() {
            return vec![];
        }
        let store = Store::open(&self.store()).unwrap();
        let catalogue = store.load_catalogue().unwrap();
        let mut customers = Vec::new();
        for table in store.load_events(&catalogue).unwrap() {
            for customer in table.customers() {
                let name = |row: usize| catalogue.get(table.product[row]).map(|product| product.product_id.clone());
                let mut rows: Vec<Row> = customer.rows.clone().map(|row| Row::of(&table, row, name(row))).collect();
                rows.sort();
                customers.push(rows);
            }
        }
        customers.sort();
        let rows: usize = customers.iter().map(Vec::len).sum();
        assert_eq!(rows as u64, store.manifest().event_rows());
        customers
    }
}

/// An event without its random names.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Row {
    pub(crate) time: Micros,
    pub(crate) kind: &'static str,
    pub(crate) product: Option<String>,
    pub(crate) has_order: bool,
    pub(crate) quantity: i64,
    pub(crate) amount: i64,
    pub(crate) discount: i64,
    pub(crate) cost: Option<i64>,
}

impl Row {
    fn of(table: &EventTable, row: usize, product: Option<String>) -> Self {
        Self {
            time: table.time[row],
            kind: table.kind[row].name(),
            product,
            has_order: table.order[row] != EventTable::NO_ORDER,
            quantity: table.quantity[row],
            amount: table.amount[row],
            discount: table.discount[row],
            cost: (table.cost[row] != EventTable::NO_COST).then_some(table.cost[row]),
        }
    }
}
