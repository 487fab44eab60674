use std::path::PathBuf;
use std::sync::Arc;

use arrow_array::{ArrayRef, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray};

use super::*;

fn file(folder: &tempfile::TempDir, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
    let path = folder.path().join(name);
    std::fs::write(&path, text).unwrap();
    path
}

fn wrong(name: &str, text: impl AsRef<[u8]>, columns: Option<&[String]>) -> String {
    let folder = tempfile::tempdir().unwrap();
    read_table(&file(&folder, name, text), columns).unwrap_err().to_string()
}

fn text(codes: &[u32], names: &[&str]) -> Values {
    Values::Text { codes: codes.to_vec(), names: names.iter().map(|name| (*name).to_owned()).collect() }
}

/// Whether two columns agree, NaN with NaN.
fn same(found: &Values, expected: &[f64]) -> bool {
    let found = found.numbers().unwrap();
    found.len() == expected.len() && found.iter().zip(expected).all(|(a, b)| a == b || (a.is_nan() && b.is_nan()))
}

#[test]
fn csv_columns_are_numbers_if_every_cell_is_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = file(&folder, "a.csv", "arm,x,zip,late\nnone, 1.5 ,,01\nmail,,ab,2\nnone,-2e3,,b\n");
    let table = read_table(&path, None).unwrap();
    assert_eq!(table.rows(), 3);
    assert_eq!(table.column("arm").unwrap().values, text(&[0, 1, 0], &["none", "mail"]));
    assert!(same(&table.column("x").unwrap().values, &[1.5, f64::NAN, -2000.0]));
    assert_eq!(table.column("zip").unwrap().values, text(&[MISSING, 0, MISSING], &["ab"]));
    // How the numbers before the first text were written is kept.
    assert_eq!(table.column("late").unwrap().values, text(&[0, 1, 2], &["01", "2", "b"]));
    assert_eq!(table.hash, blake3::hash(&std::fs::read(&path).unwrap()).to_hex().to_string());
}

#[test]
fn json_lines_hold_what_csv_holds() {
    let folder = tempfile::tempdir().unwrap();
    let lines = "{\"arm\":\"none\",\"x\":1.5,\"b\":true}\n\n{\"arm\":null,\"b\":false}\n{\"arm\":\"mail\",\"x\":\"2\",\"b\":null}\n";
    let table = read_table(&file(&folder, "a.jsonl", lines), None).unwrap();
    assert_eq!(table.column("arm").unwrap().values, text(&[0, MISSING, 1], &["none", "mail"]));
    assert!(same(&table.column("x").unwrap().values, &[1.5, f64::NAN, 2.0]));
    assert!(same(&table.column("b").unwrap().values, &[1.0, 0.0, f64::NAN]));
}

#[test]
fn parquet_holds_what_csv_holds() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.parquet");
    let batch = RecordBatch::try_from_iter_with_nullable([
        ("arm", Arc::new(StringArray::from(vec![Some("none"), None, Some("mail")])) as ArrayRef, true),
        ("x", Arc::new(Float64Array::from(vec![Some(1.5), None, Some(2.0)])) as ArrayRef, true),
        ("n", Arc::new(Int64Array::from(vec![7, 8, 9])) as ArrayRef, true),
        ("b", Arc::new(BooleanArray::from(vec![Some(true), Some(false), None])) as ArrayRef, true),
    ])
    .unwrap();
    crate::write_parquet(&path, &batch).unwrap();
    let wanted = ["b", "arm", "x", "n"].map(str::to_owned);
    let table = read_table(&path, Some(&wanted)).unwrap();
    assert!(table.columns.iter().map(|column| &column.name).eq(&wanted));
    assert_eq!(table.column("arm").unwrap().values, text(&[0, MISSING, 1], &["none", "mail"]));
    assert!(same(&table.column("x").unwrap().values, &[1.5, f64::NAN, 2.0]));
    assert!(same(&table.column("n").unwrap().values, &[7.0, 8.0, 9.0]));
    assert!(same(&table.column("b").unwrap().values, &[1.0, 0.0, f64::NAN]));
    let cut = std::fs::read(&path).unwrap();
    let cut = file(&folder, "cut.parquet", &cut[..cut.len() - 9]);
    assert!(read_table(&cut, None).is_err());
}

#[test]
fn numbers_have_names_where_arms_are_numbers() {
    let (codes, names) = Values::Number(vec![0.0, 1.0, f64::NAN, -0.0, 2.5]).categories();
    assert_eq!((codes, names), (vec![0, 1, MISSING, 0, 2], ["0", "1", "2.5"].map(str::to_owned).to_vec()));
}

#[test]
fn errors_say_where_and_what_to_do() {
    let columns = ["y".to_owned()];
    assert!(read_table(Path::new("absent.csv"), None).unwrap_err().to_string().contains("Check the path"));
    assert!(wrong("a.csv", "", None).contains("is empty"));
    assert!(wrong("a.csv", "x,y\n", None).contains("has no row"));
    assert!(wrong("a.csv", "x,z\n1,2\n", Some(&columns)).contains("no column y; it has x, z"));
    assert!(wrong("a.csv", "x,y\n1,2\n3\n", None).contains("row 2 has 1 cells, the header has 2"));
    assert!(wrong("a.csv", "y,y\n1,2\n", None).contains("two columns named y"));
    assert!(wrong("a.csv", b"x,y\n1,\xff\n", None).contains("row 1 is not UTF-8 text in column y"));
    assert!(wrong("a.jsonl", "{\"x\":1}\n", Some(&columns)).contains("no column y; it has x"));
    assert!(wrong("a.jsonl", "{\"y\":[1]}\n", Some(&columns)).contains("row 1, column y holds a list"));
    assert!(wrong("a.jsonl", "{\"y\":1}\nnothing\n", Some(&columns)).contains("row 2 is not an object"));
    assert!(wrong("a.parquet", "x,y\n1,2\n", None).contains("not a Parquet file"));
}
