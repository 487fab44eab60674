use std::collections::BTreeMap;

use super::*;
use crate::{Column, Values, write_table};

const COLUMNS: KeyedColumns<'_> = KeyedColumns { key: "customer", texts: &["promotion"], numbers: &["value", "cost"] };
/// (customer, promotion, value, cost)
type Row = (u64, u32, f64, f64);
/// Each customer's (promotion, value, cost, row number).
type Read = BTreeMap<String, Vec<(String, f64, f64, usize)>>;

/// Customers of 0 to 4 rows, in ascending order.
fn rows(customers: u64) -> Vec<Row> {
    (0..customers)
        .flat_map(|customer| {
            (0..(customer % 5) as u32).map(move |promotion| (customer, promotion, customer as f64 + 0.5, f64::from(promotion)))
        })
        .collect()
}

fn write(path: &Path, rows: &[Row], as_text: bool) {
    let names: Vec<String> = (0..5).map(|number| format!("p{number}")).collect();
    let customers = if as_text {
        let names: Vec<String> = rows.iter().map(|row| format!("c{:07}", row.0)).collect();
        Values::Text { codes: (0..).take(rows.len()).collect(), names }
    } else {
        Values::Number(rows.iter().map(|row| row.0 as f64).collect())
    };
    let column = |name: &str, values: Values| Column { name: name.to_owned(), values };
    let columns = [
        column("value", Values::Number(rows.iter().map(|row| row.2).collect())),
        column("customer", customers),
        column("promotion", Values::Text { codes: rows.iter().map(|row| row.1).collect(), names }),
        column("cost", Values::Number(rows.iter().map(|row| row.3).collect())),
    ];
    write_table(path, &columns).expect("written");
}

/// What is read, and whether the file was copied.
fn read_all(path: &Path, memory: usize) -> (Read, bool) {
    let see = |most: &mut f64, numbers: &[Vec<f64>]| {
        *most = numbers[0].iter().copied().fold(*most, f64::max);
        Ok(())
    };
    let folder = path.parent().expect("a folder");
    let (file, seen) = KeyedFile::open(path, COLUMNS, Room { memory, folder }, see).expect("opened");
    let mut all = Read::new();
    for block in 0..file.blocks() {
        let read = file.read(block).expect("read");
        for key in 0..read.len() {
            assert!(all.len() == file.first_key(block) + key, "customers are numbered through");
            let of_row = |row: usize| {
                let promotion = file.names()[0][read.texts[0][row] as usize].clone();
                (promotion, read.numbers[0][row], read.numbers[1][row], read.number(row))
            };
            assert!(all.insert(read.name(key), read.rows(key).map(of_row).collect()).is_none(), "a customer is in one block");
        }
    }
    assert_eq!(all.len(), file.keys());
    let most = all.values().flatten().map(|row| row.1).fold(0.0, f64::max);
    assert_eq!(seen.into_iter().fold(0.0, f64::max), most);
    (all, file.is_copied())
}

fn expected(rows: &[Row], as_text: bool) -> Read {
    let mut all = Read::new();
    for (number, row) in (1..).zip(rows) {
        let name = if as_text { format!("c{:07}", row.0) } else { row.0.to_string() };
        all.entry(name).or_default().push((format!("p{}", row.1), row.2, row.3, number));
    }
    all
}

fn check(name: &str, rows: &[Row], as_text: bool, copied: bool) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join(name);
    write(&path, rows, as_text);
    // Blocks of 4,096 rows, and parts of a few thousand.
    assert_eq!(read_all(&path, 1_000_000), (expected(rows, as_text), copied));
    assert_eq!(std::fs::read_dir(folder.path()).expect("a folder").count(), 1, "nothing is left behind");
}

#[test]
fn keys_come_whole_and_once() {
    let ascending = rows(30_000);
    check("a.parquet", &ascending, true, false);
    check("a.csv", &ascending, true, true);
    check("a.jsonl", &ascending, true, true);
    let mut turned = ascending.clone();
    turned.reverse();
    check("b.parquet", &turned, true, true);
    turned.rotate_left(777);
    check("c.csv", &turned, false, true);
    check("few.parquet", &ascending[..3], true, false);
}

#[test]
fn keys_reach_over_row_groups() {
    use arrow_array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray};
    use std::sync::Arc;
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("groups.parquet");
    let all = rows(3_000);
    let batch = RecordBatch::try_from_iter([
        ("customer", Arc::new(all.iter().map(|row| row.0.cast_signed()).collect::<Int64Array>()) as ArrayRef),
        ("promotion", Arc::new(all.iter().map(|row| Some(format!("p{}", row.1))).collect::<StringArray>())),
        ("value", Arc::new(all.iter().map(|row| row.2).collect::<Float64Array>())),
        ("cost", Arc::new(all.iter().map(|row| row.3).collect::<Float64Array>())),
    ])
    .expect("a batch");
    for rows in [1, 7, 1000, 1 << 20] {
        let file = File::create(&path).expect("a file");
        let mut writer = parquet::arrow::ArrowWriter::try_new(file, batch.schema(), None).expect("a writer");
        for from in (0..all.len()).step_by(rows) {
            writer.write(&batch.slice(from, rows.min(all.len() - from))).expect("written");
            writer.flush().expect("a row group");
        }
        writer.close().expect("closed");
        assert_eq!(read_all(&path, 1_000_000), (expected(&all, false), false), "{rows} rows a group");
    }
}

#[test]
fn bad_rows_are_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("bad.csv");
    let refused = |text: &str| {
        std::fs::write(&path, text).expect("written");
        let see = |(): &mut (), numbers: &[Vec<f64>]| match numbers[1].iter().position(|cost| *cost > 100.0) {
            Some(row) => Err((row, "cost is above 100".to_owned())),
            None => Ok(()),
        };
        let opened = KeyedFile::open(&path, COLUMNS, Room { memory: 1_000_000, folder: folder.path() }, see);
        opened.err().map(|error| error.to_string()).unwrap_or_default()
    };
    for (text, part) in [
        ("customer,promotion,value,cost\na,p,1,1\n,p,1,1\n", "row 2, customer is missing"),
        ("customer,promotion,value,cost\na,p,1,1\nb, ,1,1\n", "row 2, promotion is missing"),
        ("customer,promotion,value,cost\na,p,x,1\n", "row 1, value is missing or not a number"),
        ("customer,promotion,value,cost\na,p,1,inf\n", "row 1, cost is infinite"),
        ("customer,promotion,value,cost\na,p,1,1\na,q,1,101\n", "row 2, cost is above 100"),
        ("customer,promotion,value\na,p,1\n", "has no column cost"),
        ("customer,promotion,value,cost\n", "has no row"),
        ("customer,promotion,value,cost\na,p,1\n", "row 1, line"),
    ] {
        let message = refused(text);
        assert!(message.contains(part), "{text:?}: {message}");
    }
}
