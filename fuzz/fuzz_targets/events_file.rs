//! A file of events of any bytes, in each format: imported or refused, and the parts sum to the
//! whole.
#![no_main]

use youhui_commerce::schema::Table;
use youhui_storage::{ImportOptions, Mapping, import};

const MAPPING: &str = r#"
[shop]
currency = "EUR"
time_zone = "UTC"
[events]
customer = "a"
time = "b"
product = "c"
amount = "d"
"#;

libfuzzer_sys::fuzz_target!(|input: (u8, &[u8])| {
    let folder = tempfile::tempdir().unwrap();
    let (name, head) = [("f.csv", "a,b,c,d\n"), ("f.jsonl", ""), ("f.parquet", "")][usize::from(input.0 % 3)];
    let file = folder.path().join(name);
    std::fs::write(&file, [head.as_bytes(), input.1].concat()).unwrap();
    let options = ImportOptions {
        table: Table::Events,
        variant: None,
        mapping_name: "fuzz".into(),
        quarantine: None,
        allow_bad: true,
        dry_run: true,
        now: 1_700_000_000_000_000,
        seed: Some(1),
    };
    let mapping = Mapping::parse("fuzz", MAPPING).unwrap();
    if let Ok(summary) = import(&folder.path().join("store"), &[file], &mapping, &options, &|_| ()) {
        assert_eq!(summary.rows, summary.added + summary.known + summary.excluded + summary.bad_rows());
    }
});
