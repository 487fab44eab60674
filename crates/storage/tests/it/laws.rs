//! Laws of the import, over random rows with every kind of flaw.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use crate::desk::{Desk, NAMED, unnamed};
use arrow_array::{ArrayRef, RecordBatch, StringArray};
use proptest::prelude::*;
use proptest::sample::{Index, select};
use youhui_storage::{ImportSummary, write_parquet};

const COLUMNS: [&str; 7] = ["id", "customer", "time", "sku", "basket", "units", "paid"];

/// The cells of a row, by column.
type Cells = [String; 7];

fn cells() -> impl Strategy<Value = Cells> {
    // Good values several times, so that most rows are good.
    let customer = select(vec!["ann", "bob", "cem", "dan", "ann", "bob", "cem", " dan ", ""]);
    let time =
        select(vec!["2024-03-01T10:00:00Z", "2024-03-01", "2024-03-02 11:30:00", "2024-04-01", "2024-05-01", "never", "2999-01-01", ""]);
    let sku = select(vec!["tea", "cup", "茶", "tea, \"green\"", "", "POST"]);
    let units = select(vec!["1", "2", "3", "1", "2", "1.5", "0", "-1", "x", ""]);
    let paid = select(vec!["4.50", "9", "0.005", "12.345", "4.5", "0", "-1", "NaN", "99999999999999999999", ""]);
    (
        prop_oneof![8 => (1_u8..20).prop_map(|id| id.to_string()), 1 => Just(String::new())],
        customer,
        time,
        sku,
        select(vec!["b1", "b2", ""]),
        units,
        paid,
    )
        .prop_map(|(id, customer, time, sku, basket, units, paid)| {
            [id, customer.into(), time.into(), sku.into(), basket.into(), units.into(), paid.into()]
        })
}

fn rows() -> impl Strategy<Value = Vec<Cells>> {
    prop::collection::vec(cells(), 1..40)
}

fn csv(rows: &[Cells]) -> String {
    let line = |cells: &Cells| cells.iter().map(|cell| format!("\"{}\"", cell.replace('"', "\"\""))).collect::<Vec<_>>().join(",") + "\n";
    COLUMNS.join(",") + "\n" + &rows.iter().map(line).collect::<String>()
}

fn json_lines(rows: &[Cells]) -> String {
    let line = |cells: &Cells| {
        let object: serde_json::Map<String, serde_json::Value> =
            COLUMNS.iter().zip(cells).map(|(name, cell)| ((*name).to_owned(), cell.clone().into())).collect();
        serde_json::to_string(&object).unwrap() + "\n"
    };
    rows.iter().map(line).collect()
}

fn parquet(rows: &[Cells], path: PathBuf) -> PathBuf {
    let column = |place: usize| {
        let cells = rows.iter().map(|cells| Some(cells[place].as_str()).filter(|cell| !cell.is_empty()));
        (COLUMNS[place], Arc::new(cells.collect::<StringArray>()) as ArrayRef, true)
    };
    write_parquet(&path, &RecordBatch::try_from_iter_with_nullable((0..COLUMNS.len()).map(column)).unwrap()).unwrap();
    path
}

/// The first row of each identifier, or of each content.
fn distinct(rows: Vec<Cells>, named: bool) -> Vec<Cells> {
    let mut seen = BTreeSet::new();
    // " dan " and "dan", 4.5 and 4.50 are one content.
    let plain = |cells: &Cells| cells.iter().skip(1).map(|cell| cell.trim().replace("4.50", "4.5")).collect::<Vec<_>>();
    rows.into_iter().filter(|cells| seen.insert(if named { vec![cells[0].clone()] } else { plain(cells) })).collect()
}

fn mapping(named: bool) -> String {
    if named { NAMED.to_owned() } else { unnamed() }
}

/// What must not depend on how rows came.
fn counts(summary: &ImportSummary) -> (u64, u64, u64, std::collections::BTreeMap<&'static str, u64>) {
    (summary.added, summary.known, summary.excluded, summary.bad.clone())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    /// Good, known, excluded and bad rows are all rows: [`Desk::import_with`] checks the sum.
    #[test]
    fn every_row_goes_somewhere(rows in rows(), named: bool, broken in any::<Option<Index>>()) {
        let desk = Desk::new(&mapping(named));
        let mut text = csv(&rows);
        if let Some(index) = broken {
            // One line loses its end.
            let mut lines: Vec<&str> = text.lines().collect();
            let place = 1 + index.index(rows.len());
            lines[place] = lines[place].rsplit_once(',').unwrap().0;
            text = lines.join("\n");
        }
        let summary = desk.import(&[desk.file("rows.csv", text)]).unwrap();
        prop_assert_eq!(summary.rows, rows.len() as u64);
        prop_assert_eq!(summary.added, desk.loaded().iter().map(Vec::len).sum::<usize>() as u64);
        prop_assert!(broken.is_none() || summary.bad.contains_key("broken_line"));
    }

    #[test]
    fn the_same_rows_again_change_nothing(rows in rows(), named: bool) {
        let desk = Desk::new(&mapping(named));
        let file = desk.file("rows.csv", csv(&rows));
        let first = desk.import(std::slice::from_ref(&file)).unwrap();
        let before = desk.loaded();
        let again = desk.import(&[file]).unwrap();
        prop_assert_eq!(again.added, 0);
        prop_assert_eq!(again.excluded, first.excluded);
        prop_assert_eq!(desk.loaded(), before);
    }

    /// A dry run foretells the import.
    #[test]
    fn a_dry_run_counts_the_same(rows in rows(), more in rows(), named: bool) {
        let desk = Desk::new(&mapping(named));
        let files = [desk.file("rows.csv", csv(&rows)), desk.file("more.csv", csv(&more))];
        for file in files {
            let dry = desk.import_with(std::slice::from_ref(&file), |options| options.dry_run = true).unwrap();
            dry.quarantine.iter().for_each(|path| std::fs::remove_file(path).unwrap());
            let done = desk.import(&[file]).unwrap();
            prop_assert_eq!(counts(&dry), counts(&done));
            prop_assert_eq!(dry.new_customers, done.new_customers);
        }
    }

    /// Two parts, in one import or in two, are the whole. (Equal rows without an identifier are
    /// counted by file, so these stay together.)
    #[test]
    fn parts_are_the_whole(rows in rows(), named: bool, cut: Index) {
        let rows = distinct(rows, named);
        let (first, second) = rows.split_at(cut.index(rows.len()).max(1));
        let [whole, together, after] = [(); 3].map(|()| Desk::new(&mapping(named)));
        let expected = whole.import(&[whole.file("rows.csv", csv(&rows))]).unwrap();
        let mut files = vec![together.file("first.csv", csv(first))];
        if !second.is_empty() {
            files.push(together.file("second.csv", csv(second)));
        }
        let parts = together.import(&files).unwrap();
        prop_assert_eq!(counts(&parts), counts(&expected));
        prop_assert_eq!(together.loaded(), whole.loaded());
        let added: u64 = files.iter().map(|file| after.import(std::slice::from_ref(file)).unwrap().added).sum();
        prop_assert_eq!(added, expected.added);
        prop_assert_eq!(after.loaded(), whole.loaded());
    }

    /// Of one identifier's contents the first counts, wherever a file ends.
    #[test]
    fn conflicts_do_not_see_where_a_file_ends(rows in rows(), cut: Index) {
        let (first, second) = rows.split_at(cut.index(rows.len()));
        let [whole, together] = [(); 2].map(|()| Desk::new(NAMED));
        let expected = whole.import(&[whole.file("rows.csv", csv(&rows))]).unwrap();
        let parts: Vec<PathBuf> = [first, second].iter().filter(|rows| !rows.is_empty()).enumerate()
            .map(|(number, rows)| together.file(&format!("{number}.csv"), csv(rows))).collect();
        prop_assert_eq!(counts(&together.import(&parts).unwrap()), counts(&expected));
        prop_assert_eq!(together.loaded(), whole.loaded());
    }

    /// Files come in any order. Without identifiers even with equal rows, in a file and across files.
    #[test]
    fn the_order_of_files_does_not_matter(parts in prop::collection::vec(rows(), 2..4), named: bool, turn: Index) {
        let parts = if named { split(&distinct(parts.concat(), true), parts.len()) } else { parts };
        let [one, other] = [(); 2].map(|()| Desk::new(&mapping(named)));
        let files: Vec<PathBuf> = parts.iter().enumerate().map(|(number, rows)| one.file(&format!("{number}.csv"), csv(rows))).collect();
        let expected = one.import(&files).unwrap();
        let mut turned = files;
        turned.rotate_left(turn.index(parts.len()));
        turned.reverse();
        prop_assert_eq!(counts(&other.import(&turned).unwrap()), counts(&expected));
        prop_assert_eq!(other.loaded(), one.loaded());
    }

    /// CSV, JSON Lines and Parquet of one content are one content: same rows, same flaws.
    #[test]
    fn the_form_of_a_file_does_not_matter(rows in rows(), named: bool) {
        let [first, second, third] = [(); 3].map(|()| Desk::new(&mapping(named)));
        let expected = first.import(&[first.file("rows.csv", csv(&rows))]).unwrap();
        let lines = second.import(&[second.file("rows.jsonl", json_lines(&rows))]).unwrap();
        prop_assert_eq!(counts(&lines), counts(&expected));
        prop_assert_eq!(second.loaded(), first.loaded());
        let file = parquet(&rows, third.folder.path().join("rows.parquet"));
        prop_assert_eq!(counts(&third.import(std::slice::from_ref(&file)).unwrap()), counts(&expected));
        prop_assert_eq!(third.loaded(), first.loaded());
        // And they know each other's events.
        prop_assert_eq!(first.import(&[file]).unwrap().added, 0);
    }
}

fn split(rows: &[Cells], parts: usize) -> Vec<Vec<Cells>> {
    rows.chunks(rows.len().div_ceil(parts)).map(<[Cells]>::to_vec).collect()
}
