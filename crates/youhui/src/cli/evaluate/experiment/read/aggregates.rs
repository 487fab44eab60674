//! Sums that a database made.

use rustc_hash::FxHashMap;
use youhui_evaluation::experiment::Moments;
use youhui_storage::{columns_of, read_table_as};

use super::super::super::super::CliError;
use super::{DATE, Gathered, Orders, Wanted, in_order, numbers};

/// A row an arm, or an arm and a value, date or stratum, with `n`, `sum_COLUMN`, and `sum_COLUMN_COLUMN` or `sum_COLUMN*COLUMN`.
pub(in super::super) fn aggregates(wanted: &Wanted<'_>) -> Result<Gathered, CliError> {
    let columns = wanted.columns;
    let names = Names::of(wanted)?;
    let mut asked: Vec<String> = vec![];
    let keys = std::iter::once(wanted.assignment).chain(wanted.by.iter().flatten().copied()).map(str::to_owned);
    for name in keys.chain(std::iter::once("n".to_owned())).chain(names.sums.iter().chain(&names.products).cloned()) {
        if !asked.contains(&name) {
            asked.push(name);
        }
    }
    let table = read_table_as(wanted.path, Some(&asked), &wanted.texts())?;
    let mut orders = Orders::default();
    let keys = orders.read(wanted, &table, 0)?;
    let of =
        |names: &[String]| names.iter().map(|name| Ok(table_numbers(wanted, &table, name)?.to_vec())).collect::<Result<Vec<_>, CliError>>();
    let n = numbers(wanted, &table, "n")?;
    let (sums, products) = (of(&names.sums)?, of(&names.products)?);
    let (arms, count) = (orders.arms.names.len(), columns.len());
    let mut all = vec![Moments::empty(count); arms];
    let mut by = [0, 1, 2].map(|by| {
        let names: &[String] = &orders.by[by].names;
        names.iter().map(|name| (name.clone(), vec![Moments::empty(count); arms])).collect::<Vec<_>>()
    });
    let mut rows = 0;
    for row in 0..table.rows() {
        let whole = n[row];
        if !(whole >= 0.0 && whole.fract() == 0.0 && whole < 9e15) {
            return Err(wanted.wrong(&format!("row {}: n is {whole}: units are counted in whole numbers", row + 1)));
        }
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a whole number from 0 to 9e15")]
        let units = whole as u64;
        let of = |columns: &[Vec<f64>]| columns.iter().map(|column| column[row]).collect::<Vec<f64>>();
        let moments =
            Moments::from_sums(units, &of(&sums), &of(&products)).map_err(|error| wanted.wrong(&format!("row {}: {error}", row + 1)))?;
        let arm = keys.arm[row] as usize;
        all[arm].merge(&moments);
        for (cells, codes) in by.iter_mut().zip(&keys.by) {
            if let Some(codes) = codes {
                cells[codes[row] as usize].1[arm].merge(&moments);
            }
        }
        rows += units;
    }
    in_order(wanted, &mut by[DATE])?;
    Ok(Gathered { hash: table.hash.clone(), rows, moments: all, by, arms: orders.arms.names, ..Gathered::default() })
}

fn table_numbers<'a>(wanted: &Wanted<'_>, table: &'a youhui_storage::Table, name: &str) -> Result<&'a [f64], CliError> {
    table.column(name)?.values.numbers().ok_or_else(|| wanted.wrong(&format!("column {name} holds texts: a sum is a number")))
}

/// What sums are called in the file.
struct Names {
    sums: Vec<String>,
    /// In the order of [`Moments::from_sums`].
    products: Vec<String>,
}

impl Names {
    fn of(wanted: &Wanted<'_>) -> Result<Self, CliError> {
        let columns = wanted.columns;
        let present = columns_of(wanted.path)?;
        let pairs = (0..columns.len()).flat_map(|one| (0..=one).map(move |two| (columns[one], columns[two])));
        let product = |(one, two): (&str, &str)| {
            let names = [format!("sum_{one}*{two}"), format!("sum_{two}*{one}"), format!("sum_{one}_{two}"), format!("sum_{two}_{one}")];
            let found = names.iter().find(|name| present.contains(name));
            found.unwrap_or(&names[2]).clone()
        };
        let names = Self { sums: columns.iter().map(|column| format!("sum_{column}")).collect(), products: pairs.map(product).collect() };
        let mut seen: FxHashMap<&str, usize> = FxHashMap::default();
        names.sums.iter().chain(&names.products).for_each(|name| *seen.entry(name).or_default() += 1);
        match seen.into_iter().find(|(_, times)| *times > 1) {
            Some((name, _)) => Err(wanted.wrong(&format!(
                "column {name} could be the sum of a column or of the product of two: write products with an asterisk: sum_a*b"
            ))),
            None => Ok(names),
        }
    }
}
