//! Rows a block at a time: memory doesn't grow with their number.

use rustc_hash::FxHashSet;
use youhui_evaluation::experiment::{Accumulator, Moments, Rows, Skewness, Warning, finer_than_assignment};
use youhui_storage::{StoreError, columns_of, hash_of, read_table_in_blocks};

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
                cells[place].add(block, arms, codes, orders.by[place].names.len())?;
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
        by: named(cells, orders.by, count),
        warnings: skewed(wanted, &means, &skewness),
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

/// What columns of whom a row is about are usually called.
const CUSTOMERS: [&str; 18] = [
    "customer",
    "customer_id",
    "customerid",
    "user",
    "user_id",
    "userid",
    "visitor",
    "visitor_id",
    "client_id",
    "account_id",
    "buyer_id",
    "member_id",
    "shopper_id",
    "household",
    "household_id",
    "household_key",
    "uid",
    "uuid",
];

/// Why reading stops.
enum Stop {
    Enough,
    Failed(StoreError),
}

impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Self {
        Self::Failed(error)
    }
}

/// A warning where rows are taken for draws of the lot, and a column that looks like whose they are has one several times in the first block.
pub(super) fn repeated_customers(wanted: &Wanted<'_>) -> Result<Option<Warning>, CliError> {
    let present = columns_of(wanted.path)?;
    let is_used = |name: &String| wanted.of_file().contains(name);
    let Some(column) = present.iter().find(|name| CUSTOMERS.contains(&name.to_lowercase().as_str()) && !is_used(name)) else {
        return Ok(None);
    };
    let mut codes = vec![];
    let read = read_table_in_blocks(wanted.path, std::slice::from_ref(column), &[column], |mut table| -> Result<(), Stop> {
        codes = table.take(column)?.values.categories().0;
        Err(Stop::Enough)
    });
    if let Err(Stop::Failed(error)) = read {
        return Err(error.into());
    }
    let different: FxHashSet<u32> = codes.iter().copied().collect();
    if different.len() == codes.len() {
        return Ok(None);
    }
    let assigned: Vec<u64> = codes.into_iter().map(u64::from).collect();
    Ok(finer_than_assignment(&assigned).map(|warning| Warning {
        message: format!(
            "column {column} looks like whom a row is about: {}: --unit {column}. If rows were drawn by lot on their own, say so: --unit {column} --per-row",
            warning.message
        ),
        ..warning
    }))
}
