//! Rows a block at a time: memory doesn't grow with their number.

use youhui_evaluation::experiment::{Accumulator, Moments, Rows, Skewness, Warning, finer_than_assignment};
use youhui_storage::{MISSING, StoreError, columns_of, hash_of, read_table_in_blocks};

use super::super::super::super::CliError;
use super::{Cells, Gathered, Orders, Wanted, named, numbers};

pub(super) fn read(wanted: &Wanted<'_>) -> Result<Gathered, CliError> {
    let columns = wanted.columns;
    let (mut orders, mut rows) = (Orders::default(), 0_u64);
    let mut all: Vec<Moments> = vec![];
    let mut cells = [0, 1, 2].map(|_| Cells::new(columns.len()));
    let means: Vec<usize> = means(wanted);
    let mut skewness: Vec<Vec<Skewness>> = vec![vec![]; means.len()];
    read_table_in_blocks(wanted.path, &wanted.of_file(), &wanted.texts(), |table| -> Result<(), CliError> {
        let keys = orders.read(wanted, &table, rows)?;
        let values = columns.iter().map(|column| numbers(wanted, &table, column)).collect::<Result<Vec<_>, _>>()?;
        let values: Vec<&[f64]> = values.iter().map(AsRef::as_ref).collect();
        let block = Rows { columns: &values, names: columns, group: &keys.arm };
        let arms = orders.arms.names.len();
        let mut accumulator = Accumulator::new(arms, columns.len());
        accumulator.add(block).map_err(|error| wanted.of_row(error, rows))?;
        all.resize(arms, Moments::empty(columns.len()));
        all.iter_mut().zip(accumulator.groups()).for_each(|(all, block)| all.merge(block));
        for (place, codes) in keys.by.iter().enumerate() {
            if let Some(codes) = codes {
                cells[place].add(block, arms, codes, orders.by[place].names.len()).map_err(|error| wanted.of_row(error, rows))?;
            }
        }
        for (found, &column) in skewness.iter_mut().zip(&means) {
            found.resize(arms, Skewness::default());
            Skewness::add(found, values[column], &keys.arm);
        }
        rows += table.rows() as u64;
        Ok(())
    })?;
    let count = all.len();
    Ok(Gathered {
        hash: hash_of(wanted.path)?,
        rows,
        arms: orders.arms.names,
        moments: all,
        by: named(wanted, cells, orders.by, count)?,
        warnings: skewed(wanted, &means, &skewness).into_iter().map(|warning| (None, warning)).collect(),
        ..Gathered::default()
    })
}

/// Columns of which metrics are plain means, uncapped.
pub(super) fn means(wanted: &Wanted<'_>) -> Vec<usize> {
    let uncapped = wanted.specs.iter().filter(|spec| spec.cap.is_none()).filter_map(|spec| spec.mean_of());
    let mut places: Vec<usize> = uncapped.filter_map(|name| wanted.columns.iter().position(|column| *column == name)).collect();
    places.sort_unstable();
    places.dedup();
    places
}

/// An interval is as good as its smaller arm.
pub(super) fn skewed(wanted: &Wanted<'_>, means: &[usize], found: &[Vec<Skewness>]) -> Vec<Warning> {
    let of = |(place, arms): (&usize, &Vec<Skewness>)| arms.iter().find_map(|arm| arm.warning(wanted.columns[*place]));
    means.iter().zip(found).filter_map(of).collect()
}

/// What columns of whom a row is about are usually called, letters and digits alone: people before households before what may be a row's own.
const WHOSE: [&[&str]; 3] = [
    &[
        "customer",
        "customerid",
        "customerno",
        "cust",
        "custid",
        "user",
        "userid",
        "visitor",
        "visitorid",
        "client",
        "clientid",
        "account",
        "accountid",
        "buyer",
        "buyerid",
        "member",
        "memberid",
        "shopper",
        "shopperid",
        "person",
        "personid",
        "email",
    ],
    &["household", "householdid", "householdkey"],
    &["id", "uid", "uuid"],
];

/// Columns that look like whose a row is, of the first kind that is there.
fn whose<'a>(present: &'a [String], used: &[String]) -> Vec<&'a String> {
    let plain = |name: &str| name.to_lowercase().chars().filter(char::is_ascii_alphanumeric).collect::<String>();
    let of = |kind: &&[&str]| {
        present.iter().filter(|name| kind.contains(&plain(name).as_str()) && !used.contains(name)).collect::<Vec<&String>>()
    };
    WHOSE.iter().map(of).find(|found| !found.is_empty()).unwrap_or_default()
}

/// Why reading stops.
enum Stop {
    Enough,
    Failed,
}

impl From<StoreError> for Stop {
    fn from(_: StoreError) -> Self {
        Self::Failed
    }
}

/// A warning where rows are taken for draws of the lot, and a column that looks like whose they are has one several times among the first
/// rows: a block of Parquet, all of a text file. One that stands there once everywhere says that rows are of one person each.
pub(super) fn repeated_customers(wanted: &Wanted<'_>) -> Result<Option<Warning>, CliError> {
    let present = columns_of(wanted.path)?;
    let mut found = None;
    for column in whose(&present, &wanted.of_file()) {
        let mut assigned: Vec<u64> = vec![];
        let read = read_table_in_blocks(wanted.path, std::slice::from_ref(column), &[column], |mut table| -> Result<(), Stop> {
            // Who has no name is somebody else each time.
            assigned = table.take(column)?.values.categories().0.into_iter().filter(|code| *code != MISSING).map(u64::from).collect();
            Err(Stop::Enough)
        });
        // A column that nobody asked for may hold what can't be read.
        if matches!(read, Err(Stop::Failed)) || assigned.is_empty() {
            continue;
        }
        let Some(warning) = finer_than_assignment(&assigned) else { return Ok(None) };
        let message = format!(
            "column {column} looks like whom a row is about: {}: --unit {column}. If rows were drawn by lot on their own, say so: --unit {column} --per-row",
            warning.message
        );
        found = found.or(Some(Warning { message, ..warning }));
    }
    Ok(found)
}
