//! Files that something went wrong with: cut anywhere, one byte changed, cells of odd types. They are
//! refused or read, never a panic, and the store is whole after each.

use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

use crate::desk::{Desk, NAMED, Row};
use arrow_array::types::Int32Type;
use arrow_array::{
    Array, ArrayRef, BinaryArray, Decimal128Array, DictionaryArray, FixedSizeBinaryArray, Float32Array, Float64Array, Int16Array,
    Int64Array, LargeStringArray, ListArray, RecordBatch, StringArray, StringViewArray, UInt64Array,
};
use arrow_cast::cast;
use arrow_schema::{DataType, TimeUnit};
use expect_test::{Expect, expect};
use youhui_storage::write_parquet;

const CSV: &str = "id,customer,time,sku,basket,units,paid\n\
    1,ann,2024-03-01T10:00:00Z,tea,b1,2,4.50\n\
    2,\"bob\",2024-03-02T11:00:00Z,\"cup, \"\"blue\"\"\",b2,1,\"9.00\"\n\
    3,ann,2024-03-03T11:00:00Z,茶,b3,1,9.00\n";
const JSON: &str = r#"{"id":1,"customer":"ann","time":"2024-03-01T10:00:00Z","sku":"tea","basket":"b1","units":2,"paid":4.5}
{"id":2,"customer":"bob","time":"2024-03-02T11:00:00Z","sku":"cup, \"blue\"","basket":"b2","units":1,"paid":9}
{"id":3,"customer":"ann","time":"2024-03-03T11:00:00Z","sku":"茶","basket":"b3","units":1,"paid":9.0}
"#;

fn strings(cells: [&str; 3]) -> ArrayRef {
    Arc::new(StringArray::from(cells.to_vec()))
}

/// The same three events, with one column of another type.
fn parquet(desk: &Desk, column: &str, array: ArrayRef) -> PathBuf {
    let mut columns = vec![
        ("id", strings(["1", "2", "3"])),
        ("customer", strings(["ann", "bob", "ann"])),
        ("time", strings(["2024-03-01T10:00:00Z", "2024-03-02T11:00:00Z", "2024-03-03T11:00:00Z"])),
        ("sku", strings(["tea", "cup, \"blue\"", "茶"])),
        ("basket", strings(["b1", "b2", "b3"])),
        ("units", Arc::new(Int64Array::from(vec![2, 1, 1]))),
        ("paid", strings(["4.50", "9.00", "9.00"])),
    ];
    columns.iter_mut().filter(|(name, _)| *name == column).for_each(|(_, there)| *there = array.clone());
    let path = desk.folder.path().join("rows.parquet");
    let columns = columns.into_iter().map(|(name, array)| (name, array, true));
    write_parquet(&path, &RecordBatch::try_from_iter_with_nullable(columns).unwrap()).unwrap();
    path
}

fn three_events() -> Vec<Vec<Row>> {
    let desk = Desk::new(NAMED);
    desk.import(&[desk.file("rows.csv", CSV)]).unwrap();
    desk.loaded()
}

#[test]
fn text_cut_anywhere_keeps_its_whole_rows() {
    let whole = three_events().concat();
    for (name, text, header) in [("rows.csv", CSV, 1), ("rows.jsonl", JSON, 0)] {
        for end in 0..text.len() {
            let desk = Desk::new(NAMED);
            let Ok(summary) = desk.import(&[desk.file(name, &text.as_bytes()[..end])]) else {
                assert!(text.as_bytes()[..end].iter().filter(|byte| **byte == b'\n').count() <= header, "{name} cut at {end} was refused");
                continue;
            };
            // The last row may be cut so that what is left is a row.
            let complete = text.as_bytes()[..end].iter().filter(|byte| **byte == b'\n').count() - header;
            let added = usize::try_from(summary.added).unwrap();
            assert!(added == complete || added == complete + 1, "{name} cut at {end}: {summary:?}");
            let kept = desk.loaded().concat();
            assert!(kept.iter().filter(|row| whole.contains(row)).count() >= complete, "{name} cut at {end}");
        }
    }
}

#[test]
fn parquet_cut_or_changed_anywhere_is_refused_or_read() {
    let desk = Desk::new(NAMED);
    let bytes = std::fs::read(parquet(&desk, "", strings(["", "", ""]))).unwrap();
    let dry = |bytes: &[u8]| desk.import_with(&[desk.file("changed.parquet", bytes)], |options| options.dry_run = true);
    for end in 0..bytes.len() {
        assert!(dry(&bytes[..end]).is_err(), "cut at {end} was read");
    }
    let mut refused = 0;
    for place in 0..bytes.len() {
        for change in [0x01, 0x80, 0xff] {
            let mut changed = bytes.clone();
            changed[place] ^= change;
            match dry(&changed) {
                Ok(summary) => {
                    summary.quarantine.iter().for_each(|path| std::fs::remove_file(path).unwrap());
                }
                Err(error) => {
                    refused += 1;
                    assert!(error.to_string().contains("export it again") || error.to_string().contains("mapping"), "{place}: {error}");
                }
            }
        }
    }
    assert!(refused > 100);
}

#[test]
fn a_row_without_end_is_refused_before_it_fills_the_memory() {
    let desk = Desk::new(NAMED);
    let check = |name: &str, start: &str, expected: Expect| {
        let path = desk.folder.path().join(name);
        let mut file = std::fs::File::create(&path).unwrap();
        file.write_all(start.as_bytes()).unwrap();
        let block = vec![b'x'; 1 << 20];
        (0..80).for_each(|_| file.write_all(&block).unwrap());
        let error = desk.import(std::slice::from_ref(&path)).unwrap_err().to_string();
        expected.assert_eq(&error.replace(&desk.folder.path().display().to_string(), "DESK"));
        std::fs::remove_file(path).unwrap();
    };
    let row = "1,ann,2024-03-01T10:00:00Z,tea,b1,2,4.50\n";
    let header = CSV.lines().next().unwrap();
    check(
        "plain.csv",
        &format!("{header}\n{row}2,"),
        expect!["DESK/plain.csv: row 2 is longer than 64 MB: look for a quote that is not closed, or export the file again"],
    );
    check(
        "quoted.csv",
        &format!("{header}\n{row}2,\""),
        expect!["DESK/quoted.csv: row 2 is longer than 64 MB: look for a quote that is not closed, or export the file again"],
    );
    check(
        "header.csv",
        "id,",
        expect!["DESK/header.csv: its header is longer than 64 MB: look for a quote that is not closed, or export the file again"],
    );
    check("lines.jsonl", "{\"id\": 1}\n{\"id\": \"", expect!["DESK/lines.jsonl: row 2 is longer than 64 MB: write one object a line"]);
}

/// Whatever type a column has, the same content is the same events.
#[test]
fn types_of_columns_do_not_matter() {
    let whole = three_events();
    let check = |column: &str, array: ArrayRef| {
        let desk = Desk::new(NAMED);
        let kind = array.data_type().clone();
        let summary = desk.import(&[parquet(&desk, column, array)]).unwrap();
        assert_eq!(summary.added, 3, "{column} {kind}: {summary:?}");
        assert_eq!(desk.loaded(), whole, "{column} {kind}");
    };
    let paid = ["4.50", "9.00", "9.00"];
    check("paid", Arc::new(Float64Array::from(vec![4.5, 9.0, 9.0])));
    check("paid", Arc::new(Float32Array::from(vec![4.5, 9.0, 9.0])));
    check("paid", Arc::new(Decimal128Array::from(vec![450, 900, 900]).with_precision_and_scale(10, 2).unwrap()));
    check("paid", Arc::new(LargeStringArray::from(paid.to_vec())));
    check("paid", Arc::new(StringViewArray::from(paid.to_vec())));
    check("paid", Arc::new(BinaryArray::from(paid.map(str::as_bytes).to_vec())));
    check("paid", Arc::new(paid.into_iter().collect::<DictionaryArray<Int32Type>>()));
    check("units", strings(["2", "1", "1"]));
    check("units", strings(["2.0", "1.0", "0.7"]));
    check("units", Arc::new(Float64Array::from(vec![2.0, 1.0, 1.0])));
    check("units", Arc::new(Int16Array::from(vec![2, 1, 1])));
    check("units", Arc::new(UInt64Array::from(vec![2, 1, 1])));
    check("units", Arc::new(Decimal128Array::from(vec![200, 100, 100]).with_precision_and_scale(10, 2).unwrap()));
    check("id", Arc::new(Int64Array::from(vec![1, 2, 3])));
    check("id", Arc::new(UInt64Array::from(vec![1, 2, u64::MAX])));
    check("customer", Arc::new(UInt64Array::from(vec![7, u64::MAX, 7])));
    check("customer", Arc::new(UInt64Array::from(vec![u64::MAX - 1, u64::MAX, u64::MAX - 1])));
    check("customer", Arc::new(Float64Array::from(vec![7.0, 8.0, 7.0])));
    let seconds = [1_709_287_200_i64, 1_709_377_200, 1_709_463_600];
    check("time", Arc::new(Int64Array::from(seconds.to_vec())));
    for (unit, factor) in
        [(TimeUnit::Second, 1), (TimeUnit::Millisecond, 1000), (TimeUnit::Microsecond, 1_000_000), (TimeUnit::Nanosecond, 1_000_000_000)]
    {
        for zone in [None, Some("UTC".into()), Some("+02:00".into())] {
            let instants: ArrayRef = Arc::new(Int64Array::from(seconds.map(|second| second * factor).to_vec()));
            check("time", cast(&instants, &DataType::Timestamp(unit, zone)).unwrap());
        }
    }
}

/// Cells that a type allows and no shop has.
#[test]
fn cells_of_numbers_that_are_none_go_to_quarantine() {
    let check = |column: &str, array: ArrayRef, expected: Expect| {
        let desk = Desk::new(NAMED);
        let summary = desk.import(&[parquet(&desk, column, array)]).unwrap();
        expected.assert_eq(&format!("{} added, {:?}", summary.added, summary.bad));
    };
    check(
        "paid",
        Arc::new(Float64Array::from(vec![f64::NAN, f64::INFINITY, 9.0])),
        expect![[r#"1 added, {"missing": 1, "not_a_number": 1}"#]],
    );
    check(
        "paid",
        Arc::new(Float64Array::from(vec![f64::NEG_INFINITY, 1e300, -0.0])),
        expect![[r#"1 added, {"not_a_number": 1, "too_large": 1}"#]],
    );
    check("paid", Arc::new(Int64Array::from(vec![i64::MAX, i64::MIN, 9])), expect![[r#"1 added, {"too_large": 2}"#]]);
    check("paid", Arc::new(Int64Array::from(vec![None, Some(-1), Some(0)])), expect![[r#"1 added, {"missing": 1, "negative_amount": 1}"#]]);
    check("units", Arc::new(Int64Array::from(vec![i64::MIN, -1, 0])), expect![[r#"1 added, {"negative_quantity": 1, "too_large": 1}"#]]);
    check(
        "units",
        Arc::new(Float64Array::from(vec![f64::NAN, f64::INFINITY, -0.4])),
        expect![[r#"0 added, {"missing": 1, "negative_quantity": 1, "not_a_number": 1}"#]],
    );
    check("units", Arc::new(UInt64Array::from(vec![u64::MAX, 1_000_001, 1_000_000])), expect![[r#"1 added, {"too_large": 2}"#]]);
    check("time", Arc::new(Int64Array::from(vec![i64::MAX, i64::MIN, 0])), expect![[r#"0 added, {"too_old": 1, "unreadable_time": 2}"#]]);
    check("time", Arc::new(Float64Array::from(vec![1.7e9, f64::NAN, 0.0])), expect![[r#"0 added, {"missing": 1, "unreadable_time": 2}"#]]);
    check("id", Arc::new(Int64Array::from(vec![None, None, Some(3)])), expect![[r#"1 added, {"missing": 2}"#]]);
    check("id", Arc::new(StringArray::from(vec!["1", "1", " 1 "])), expect![[r#"1 added, {"conflicting_duplicate": 2}"#]]);
    check("customer", Arc::new(BinaryArray::from(vec![b"ann".as_slice(), b"\xff\xfe", b""])), expect![[r#"1 added, {"missing": 2}"#]]);
}

#[test]
fn columns_without_one_value_a_row_are_refused() {
    let check = |column: &str, array: ArrayRef, expected: Expect| {
        let desk = Desk::new(NAMED);
        let error = desk.import(&[parquet(&desk, column, array)]).unwrap_err().to_string();
        expected.assert_eq(&error.replace(&desk.folder.path().display().to_string(), "DESK"));
    };
    let list = ListArray::from_iter_primitive::<Int32Type, _, _>([1, 2, 3].map(|number| Some(vec![Some(number)])));
    check("units", Arc::new(list), expect!["DESK/rows.parquet: column units holds List(Int32), not one value a row: flatten it"]);
    let fixed = FixedSizeBinaryArray::try_from_iter([[1_u8; 16], [2; 16], [3; 16]].iter()).unwrap();
    check("id", Arc::new(fixed), expect!["DESK/rows.parquet: column id holds FixedSizeBinary(16), not one value a row: flatten it"]);
    let desk = Desk::new(NAMED);
    let path = desk.folder.path().join("empty.parquet");
    let full = parquet(&desk, "", strings(["", "", ""]));
    let batch = parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder::try_new(std::fs::File::open(full).unwrap()).unwrap();
    write_parquet(&path, &RecordBatch::new_empty(batch.schema().clone())).unwrap();
    let error = desk.import(&[path]).unwrap_err().to_string();
    assert!(error.ends_with("empty.parquet: has no row: export it again"), "{error}");
}

/// 0 bytes within texts must not make two events one.
#[test]
fn texts_do_not_run_into_each_other() {
    let desk = Desk::new(&crate::desk::unnamed());
    let row = |customer: &str, sku: &str| {
        serde_json::json!({"customer": customer, "time": "2024-03-01", "sku": sku, "basket": "b", "units": 1, "paid": 1}).to_string() + "\n"
    };
    let lines = row("ann\0b", "c") + &row("ann", "b\0c");
    let summary = desk.import(&[desk.file("rows.jsonl", lines)]).unwrap();
    assert_eq!(summary.added, 2);
}
