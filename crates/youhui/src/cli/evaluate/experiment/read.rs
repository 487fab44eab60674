//! Rows or aggregates of an experiment, as statistics of its arms.

use std::collections::BTreeMap;
use std::path::Path;

use youhui_evaluation::experiment::{
    Accumulator, Contrast, ExperimentError, Exposure, Moments, QuantileStats, Rows, Warning, accumulate, cell, cluster_sums, exposure,
    quantile, skewness_warning, winsorised,
};
use youhui_storage::{Table, hash_of, read_table_as, read_table_in_blocks};

use super::super::super::CliError;
use super::super::units::{MOST_ARMS, MOST_VALUES, Order, codes, firsts, same_by_unit, shifted, whose};
use super::metrics::{Kind, Spec};

/// Which columns say what.
pub(super) struct Names<'a> {
    pub(super) path: &'a Path,
    pub(super) assignment: &'a str,
    /// Whose a row is; each row is a unit of its own, where there is none.
    pub(super) unit: Option<&'a str>,
    /// A breakdown.
    pub(super) dimension: Option<&'a str>,
    /// When the unit came in.
    pub(super) date: Option<&'a str>,
}

/// An experiment, read.
#[derive(Debug)]
pub(super) struct Gathered {
    pub(super) hash: String,
    pub(super) rows: u64,
    pub(super) arms: Vec<String>,
    /// Arm by arm.
    pub(super) moments: Vec<Moments>,
    /// By value of the dimension, then by arm.
    pub(super) by_value: Vec<(String, Vec<Moments>)>,
    /// By date, in order, then by arm: of units that came in on it.
    pub(super) by_date: Vec<(String, Vec<Moments>)>,
    pub(super) quantiles: Vec<Quantiles>,
    pub(super) exposure: Option<Exposure>,
    pub(super) warnings: Vec<Warning>,
}

/// Quantiles of a metric, arm by arm.
#[derive(Debug)]
pub(super) struct Quantiles {
    /// Its place among the metrics.
    pub(super) metric: usize,
    arms: Vec<Result<QuantileStats, ExperimentError>>,
}

impl Quantiles {
    pub(super) fn contrast(&self, control: usize, arm: usize) -> Result<Contrast, ExperimentError> {
        let of = |arm: usize| self.arms[arm].as_ref().map_err(Clone::clone);
        quantile(of(control)?, of(arm)?)
    }
}

impl From<ExperimentError> for CliError {
    fn from(error: ExperimentError) -> Self {
        Self::usage(error.to_string())
    }
}

fn numbers<'a>(names: &Names<'_>, table: &'a Table, column: &str) -> Result<&'a [f64], CliError> {
    table
        .column(column)?
        .values
        .numbers()
        .ok_or_else(|| CliError::usage(format!("{}: column {column} holds texts: a metric needs numbers", names.path.display())))
}

/// Reads rows: a block at a time, where nothing needs them all at once.
pub(super) fn rows(names: &Names<'_>, specs: &[Spec], columns: &[&str]) -> Result<Gathered, CliError> {
    let needs_all = names.unit.is_some() || specs.iter().any(|spec| spec.cap.is_some() || matches!(spec.kind, Kind::Quantile { .. }));
    if needs_all { at_once(names, specs, columns) } else { streamed(names, columns) }
}

/// Rows' arms, values of the dimension, and dates.
struct Keys {
    arm: Vec<u32>,
    value: Option<Vec<u32>>,
    date: Option<Vec<u32>>,
}

#[derive(Default)]
struct Orders {
    arms: Order,
    values: Order,
    dates: Order,
}

impl Orders {
    fn read(&mut self, names: &Names<'_>, table: &mut Table, first: u64) -> Result<Keys, CliError> {
        let arm = codes(names.path, table.take(names.assignment)?.values, names.assignment, &mut self.arms, MOST_ARMS, first)?;
        let mut of = |column: Option<&str>, order: &mut Order| {
            let Some(column) = column else { return Ok(None) };
            codes(names.path, table.take(column)?.values, column, order, MOST_VALUES, first).map(Some)
        };
        let value = of(names.dimension, &mut self.values)?;
        let date = of(names.date, &mut self.dates)?;
        Ok(Keys { arm, value, date })
    }
}

fn wanted(names: &Names<'_>, columns: &[&str]) -> Vec<String> {
    let mut wanted: Vec<String> = vec![];
    let keys = [Some(names.assignment), names.unit, names.dimension, names.date];
    for name in keys.into_iter().flatten().chain(columns.iter().copied()) {
        if !wanted.iter().any(|known| known == name) {
            wanted.push(name.to_owned());
        }
    }
    wanted
}

/// Cells of arms and values: as many as come.
struct Cells {
    columns: usize,
    cells: Vec<Vec<Moments>>,
}

impl Cells {
    const fn new(columns: usize) -> Self {
        Self { columns, cells: vec![] }
    }

    fn add(&mut self, rows: Rows<'_>, arms: usize, other: &[u32], others: usize) -> Result<(), ExperimentError> {
        let (wide, many) = (u32::try_from(others).unwrap_or(u32::MAX), arms * others);
        let group: Vec<u32> = rows.group.iter().zip(other).map(|(&arm, &other)| cell(arm, other, wide)).collect();
        let block = accumulate(Rows { group: &group, ..rows }, many)?;
        self.cells.resize(self.cells.len().max(others), vec![]);
        for (place, moments) in block.into_iter().enumerate() {
            let (arm, other) = (place / others, place % others);
            let of = &mut self.cells[other];
            of.resize(of.len().max(arms), Moments::empty(self.columns));
            of[arm].merge(&moments);
        }
        Ok(())
    }

    fn named(self, names: Vec<String>, arms: usize) -> Vec<(String, Vec<Moments>)> {
        let full = |mut of: Vec<Moments>| {
            of.resize(arms, Moments::empty(self.columns));
            of
        };
        names.into_iter().zip(self.cells.into_iter().map(full)).collect()
    }
}

fn streamed(names: &Names<'_>, columns: &[&str]) -> Result<Gathered, CliError> {
    let wanted = wanted(names, columns);
    let texts: Vec<&str> = names.date.into_iter().collect();
    let (mut orders, mut rows) = (Orders::default(), 0_u64);
    let mut all: Vec<Moments> = vec![];
    let (mut by_value, mut by_date) = (Cells::new(columns.len()), Cells::new(columns.len()));
    read_table_in_blocks(names.path, &wanted, &texts, |mut table| -> Result<(), CliError> {
        let keys = orders.read(names, &mut table, rows)?;
        let values = columns.iter().map(|column| numbers(names, &table, column)).collect::<Result<Vec<_>, _>>()?;
        let block = Rows { columns: &values, names: columns, group: &keys.arm };
        let arms = orders.arms.names.len();
        let mut accumulator = Accumulator::new(arms, columns.len());
        accumulator.add(block).map_err(|error| shifted(error, rows))?;
        all.resize(arms, Moments::empty(columns.len()));
        all.iter_mut().zip(accumulator.groups()).for_each(|(all, block)| all.merge(block));
        if let Some(value) = &keys.value {
            by_value.add(block, arms, value, orders.values.names.len())?;
        }
        if let Some(date) = &keys.date {
            by_date.add(block, arms, date, orders.dates.names.len())?;
        }
        rows += table.rows() as u64;
        Ok(())
    })?;
    let count = all.len();
    Ok(Gathered {
        hash: hash_of(names.path)?,
        rows,
        arms: orders.arms.names,
        moments: all,
        by_value: by_value.named(orders.values.names, count),
        by_date: in_order(by_date.named(orders.dates.names, count)),
        quantiles: vec![],
        exposure: None,
        warnings: vec![],
    })
}

/// Dates sort as texts do, and numbers as numbers.
fn in_order(mut dates: Vec<(String, Vec<Moments>)>) -> Vec<(String, Vec<Moments>)> {
    let number = |text: &str| text.parse::<f64>().ok().filter(|number| number.is_finite());
    if dates.iter().all(|(date, _)| number(date).is_some()) {
        dates.sort_by(|(one, _), (two, _)| number(one).unwrap_or(0.0).total_cmp(&number(two).unwrap_or(0.0)));
    } else {
        dates.sort_by(|(one, _), (two, _)| one.cmp(two));
    }
    dates
}

fn at_once(names: &Names<'_>, specs: &[Spec], columns: &[&str]) -> Result<Gathered, CliError> {
    let texts: Vec<&str> = names.unit.into_iter().chain(names.date).collect();
    let mut table = read_table_as(names.path, Some(&wanted(names, columns)), &texts)?;
    let (hash, rows) = (table.hash.clone(), table.rows() as u64);
    let unit = match names.unit {
        Some(column) => {
            let (codes, _) = whose(names.path, table.take(column)?.values, column, 0)?;
            Some(codes.into_iter().map(u64::from).collect::<Vec<u64>>())
        }
        None => None,
    };
    let mut orders = Orders::default();
    let mut keys = orders.read(names, &mut table, 0)?;
    let mut values = columns.iter().map(|column| numbers(names, &table, column).map(<[f64]>::to_vec)).collect::<Result<Vec<_>, _>>()?;
    drop(table);
    for (column, cells) in columns.iter().zip(&values) {
        if let Some(row) = cells.iter().position(|cell| !cell.is_finite()) {
            return Err(shifted(ExperimentError::NotFinite { row: row as u64, column: (*column).to_owned(), value: cells[row] }, 0));
        }
    }
    let (mut warnings, mut seen) = (vec![], None);
    let mut clusters = None;
    if let Some(unit) = unit {
        let found = exposure(&unit, &keys.arm)?;
        warnings.extend(found.warning());
        let kept = |of: &[u32]| found.kept.iter().map(|&row| of[row]).collect::<Vec<u32>>();
        keys = Keys { arm: kept(&keys.arm), value: keys.value.as_deref().map(kept), date: keys.date.as_deref().map(kept) };
        values.iter_mut().for_each(|column| *column = found.kept.iter().map(|&row| column[row]).collect());
        clusters = Some(found.kept.iter().map(|&row| unit[row]).collect::<Vec<u64>>());
        seen = Some(found);
    }
    let arms = orders.arms.names.len();
    let quantiles = quantiles(specs, columns, &values, &keys.arm, clusters.as_deref(), arms);
    // Rows of one unit are one draw of the lot.
    if let (Some(unit), true) = (&clusters, seen.as_ref().is_some_and(|seen| seen.repeated > 0)) {
        for (name, codes) in [(names.date, &keys.date), (names.dimension, &keys.value)] {
            if let (Some(name), Some(codes)) = (name, codes) {
                same_by_unit(names.path, name, unit, codes)?;
            }
        }
        let borrowed: Vec<&[f64]> = values.iter().map(Vec::as_slice).collect();
        let sums = cluster_sums(&borrowed, unit, &keys.arm)?;
        let first = firsts(unit, &sums.cluster);
        let of_first = |of: &[u32]| first.iter().map(|&row| of[row]).collect::<Vec<u32>>();
        keys = Keys { arm: sums.arm.clone(), value: keys.value.as_deref().map(of_first), date: keys.date.as_deref().map(of_first) };
        values = sums.columns;
        values.truncate(columns.len());
    }
    let mut capped_columns = vec![];
    for spec in specs {
        let (Some(share), Kind::Moments { numerator, .. }) = (spec.cap, &spec.kind) else { continue };
        if let Some(place) = columns.iter().position(|column| column == numerator)
            && !capped_columns.contains(&place)
        {
            capped_columns.push(place);
            let capped = winsorised(&values[place], share, false)?;
            let message = format!(
                "{numerator} is capped at {}: {} values are above it, and {:.2} % of the sum is cut off: effects are on capped values",
                capped.cap,
                capped.above,
                100.0 * capped.bias
            );
            warnings.push(Warning { code: "capped", message });
            values[place] = capped.values;
        }
    }
    for spec in specs.iter().filter(|spec| spec.cap.is_none()) {
        if let Kind::Moments { numerator, denominator: None } = &spec.kind
            && let Some(place) = columns.iter().position(|column| column == numerator)
        {
            // Of each arm: an interval is as good as its smaller arm.
            let of_arm = |wanted: u32| values[place].iter().zip(&keys.arm).filter(move |(_, arm)| **arm == wanted).map(|(value, _)| *value);
            let found =
                (0..u32::try_from(arms).unwrap_or(0)).find_map(|arm| skewness_warning(&of_arm(arm).collect::<Vec<f64>>(), &spec.name));
            warnings.extend(found);
        }
    }
    let borrowed: Vec<&[f64]> = values.iter().map(Vec::as_slice).collect();
    let block = Rows { columns: &borrowed, names: columns, group: &keys.arm };
    let (mut by_value, mut by_date) = (Cells::new(columns.len()), Cells::new(columns.len()));
    if let Some(value) = &keys.value {
        by_value.add(block, arms, value, orders.values.names.len())?;
    }
    if let Some(date) = &keys.date {
        by_date.add(block, arms, date, orders.dates.names.len())?;
    }
    Ok(Gathered {
        hash,
        rows,
        moments: accumulate(block, arms)?,
        by_value: by_value.named(orders.values.names, arms),
        by_date: in_order(by_date.named(orders.dates.names, arms)),
        arms: orders.arms.names,
        quantiles,
        exposure: seen,
        warnings,
    })
}

fn quantiles(specs: &[Spec], columns: &[&str], values: &[Vec<f64>], arm: &[u32], unit: Option<&[u64]>, arms: usize) -> Vec<Quantiles> {
    let of = |(metric, spec): (usize, &Spec)| {
        let Kind::Quantile { column, nu } = &spec.kind else { return None };
        let cells = &values[columns.iter().position(|name| name == column)?];
        let stats = |wanted: usize| {
            let rows = || (0..cells.len()).filter(|&row| arm[row] as usize == wanted);
            let own: Vec<f64> = rows().map(|row| cells[row]).collect();
            let clusters = unit.map(|unit| rows().map(|row| unit[row]).collect::<Vec<u64>>());
            QuantileStats::from_rows(&own, clusters.as_deref(), *nu)
        };
        Some(Quantiles { metric, arms: (0..arms).map(stats).collect() })
    };
    specs.iter().enumerate().filter_map(of).collect()
}

/// Reads aggregates: a row an arm, or an arm and a value of the dimension, with `n`, `sum_COLUMN` and `sum_COLUMN_COLUMN`.
pub(super) fn aggregates(names: &Names<'_>, columns: &[&str]) -> Result<Gathered, CliError> {
    let mut wanted: Vec<String> = [Some(names.assignment), names.dimension, names.date].into_iter().flatten().map(str::to_owned).collect();
    wanted.push("n".to_owned());
    wanted.extend(columns.iter().map(|column| format!("sum_{column}")));
    let pairs: Vec<(usize, usize)> = (0..columns.len()).flat_map(|one| (0..=one).map(move |two| (one, two))).collect();
    let present = youhui_storage::columns_of(names.path)?;
    let product = |&(one, two): &(usize, usize)| {
        let (own, other) = (format!("sum_{}_{}", columns[one], columns[two]), format!("sum_{}_{}", columns[two], columns[one]));
        if present.contains(&own) { own } else { other }
    };
    wanted.extend(pairs.iter().map(product));
    wanted.dedup();
    let mut table = read_table_as(names.path, Some(&wanted), &names.date.into_iter().collect::<Vec<_>>())?;
    let mut orders = Orders::default();
    let keys = orders.read(names, &mut table, 0)?;
    let n = numbers(names, &table, "n")?;
    let sums = columns.iter().map(|column| numbers(names, &table, &format!("sum_{column}"))).collect::<Result<Vec<_>, _>>()?;
    let products = pairs.iter().map(|pair| numbers(names, &table, &product(pair))).collect::<Result<Vec<_>, _>>()?;
    let (arms, count) = (orders.arms.names.len(), columns.len());
    let mut all = vec![Moments::empty(count); arms];
    let cells = |order: &Order| vec![vec![Moments::empty(count); arms]; order.names.len()];
    let (mut by_value, mut by_date) = (cells(&orders.values), cells(&orders.dates));
    let mut rows = 0;
    for row in 0..table.rows() {
        let whole = n[row];
        if !(whole >= 0.0 && whole.fract() == 0.0 && whole < 9e15) {
            return Err(CliError::usage(format!(
                "{}: row {}: n is {whole}: units are counted in whole numbers",
                names.path.display(),
                row + 1
            )));
        }
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a whole number from 0 to 9e15")]
        let units = whole as u64;
        let of = |columns: &[&[f64]]| columns.iter().map(|column| column[row]).collect::<Vec<f64>>();
        let moments = Moments::from_sums(units, &of(&sums), &of(&products))
            .map_err(|error| CliError::usage(format!("{}: row {}: {error}", names.path.display(), row + 1)))?;
        all[keys.arm[row] as usize].merge(&moments);
        for (cells, place) in [(&mut by_value, &keys.value), (&mut by_date, &keys.date)] {
            if let Some(place) = place {
                cells[place[row] as usize][keys.arm[row] as usize].merge(&moments);
            }
        }
        rows += units;
    }
    Ok(Gathered {
        hash: table.hash.clone(),
        rows,
        moments: all,
        by_value: orders.values.names.into_iter().zip(by_value).collect(),
        by_date: in_order(orders.dates.names.into_iter().zip(by_date).collect()),
        arms: orders.arms.names,
        quantiles: vec![],
        exposure: None,
        warnings: vec![],
    })
}

/// Places of columns.
pub(super) fn places<'a>(columns: &[&'a str]) -> BTreeMap<&'a str, usize> {
    columns.iter().enumerate().map(|(place, name)| (*name, place)).collect()
}
