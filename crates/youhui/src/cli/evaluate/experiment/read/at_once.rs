//! Rows that are needed all at once: to be summed by unit or cluster, capped, or ordered.

use rustc_hash::FxHashMap;
use youhui_evaluation::experiment::{
    ClusterSums, DesignEffect, ExperimentError, Exposure, Moments, QuantileStats, Rows, Skewness, SwitchbackDesign, SwitchbackRows,
    Warning, accumulate, cluster_sums, design_effect, exposure, finer_than_assignment, switchback, winsorised,
};
use youhui_storage::{Table, read_table_as};

use super::super::super::super::CliError;
use super::super::super::units::{firsts, same_by_unit, whose};
use super::super::design::{Design, Length};
use super::super::metrics::{Kind, made, source};
use super::streamed::{means, skewed};
use super::times::{self, ByDay, Days, ExposedRows, Times};
use super::{BY, Cells, Gathered, Keys, Orders, Quantiles, Switches, Wanted, named, numbers};

/// Rows, units, clusters or periods, one after the other.
struct Sample {
    keys: Keys,
    /// Of columns of the file first, then of all.
    values: Vec<Vec<f64>>,
    unit: Option<Vec<u64>>,
    cluster: Option<Vec<u64>>,
}

pub(super) fn read(wanted: &Wanted<'_>) -> Result<Gathered, CliError> {
    let table = read_table_as(wanted.path, Some(&wanted.of_file()), &wanted.texts())?;
    let mut found = Gathered { hash: table.hash.clone(), rows: table.rows() as u64, ..Gathered::default() };
    let mut orders = Orders::default();
    let mut sample = Sample::read(wanted, &table, &mut orders)?;
    let (when, days) = (When::read(wanted, &table)?, Days::read(wanted, &table)?);
    let clusters = if let Design::Cluster { column, .. } = wanted.design { names_of(&table, column)? } else { vec![] };
    drop(table);
    found.arms = std::mem::take(&mut orders.arms.names);
    let arms = found.arms.len();
    sample = exposed(wanted, sample, days, &mut found)?;
    if let Some(cluster) = &sample.cluster {
        in_one_arm(wanted, cluster, &clusters, (&sample.keys.arm, &found.arms))?;
    }
    found.quantiles = quantiles(wanted, &sample, arms);
    let repeated = found.exposure.as_ref().is_some_and(|seen| seen.repeated > 0);
    match (&wanted.design, &sample.unit) {
        (Design::Unit { per_row: true, .. }, Some(unit)) => found.warn(rows_as_draws(unit, found.exposure.as_ref())),
        (_, Some(_)) if repeated => sample = sample.summed_by_unit(wanted)?,
        _ => {}
    }
    found.warn(cap(wanted, &mut sample.values)?);
    sample.values = derived(wanted, sample.values);
    found.warn(skewness(wanted, &sample, arms));
    if wanted.design.is_of_groups() {
        sample = grouped(wanted, &sample, when, &mut found)?;
    }
    let borrowed: Vec<&[f64]> = sample.values.iter().map(Vec::as_slice).collect();
    let block = Rows { columns: &borrowed, names: wanted.columns, group: &sample.keys.arm };
    let mut cells = [0, 1, 2].map(|_| Cells::new(borrowed.len()));
    for (place, codes) in sample.keys.by.iter().enumerate() {
        if let Some(codes) = codes {
            cells[place].add(block, arms, codes, orders.by[place].names.len())?;
        }
    }
    found.moments = accumulate(block, arms).map_err(|error| wanted.of_row(error, 0))?;
    found.by = named(wanted, cells, orders.by, arms)?;
    found.kept = wanted.keeps_rows.then_some((sample.values, sample.keys.arm));
    Ok(found)
}

/// Without units that were in several arms; with what can be said of days since exposure before rows are summed.
fn exposed(wanted: &Wanted<'_>, sample: Sample, days: Option<Days>, found: &mut Gathered) -> Result<Sample, CliError> {
    let Some(unit) = &sample.unit else { return Ok(sample) };
    let seen = exposure(unit, &sample.keys.arm)?;
    if !matches!(wanted.design, Design::Unit { per_row: true, .. }) {
        found.warn(seen.warning());
    }
    if let Some(days) = days {
        let value = goal_by_day(wanted, &sample)?;
        let control = found.arms.iter().position(|arm| arm == wanted.control).unwrap_or(0);
        let rows = ExposedRows { kept: &seen.kept, unit, arm: &sample.keys.arm, value, arms: &found.arms, control };
        let ByDay { arms, warnings } = days.effects(wanted, &rows)?;
        found.novelty = arms;
        found.warnings.extend(warnings);
    }
    // Rows that were drawn on their own may be of one unit and of several arms.
    let is_per_row = matches!(wanted.design, Design::Unit { per_row: true, .. });
    let kept = if is_per_row { sample } else { sample.kept(&seen.kept) };
    found.exposure = Some(seen);
    Ok(kept)
}

/// Rows that are taken for draws of their own: a fault where units were drawn, which shows in that none was in several arms.
fn rows_as_draws(unit: &[u64], seen: Option<&Exposure>) -> Option<Warning> {
    let finer = finer_than_assignment(unit)?;
    let in_several = seen.map_or(0, |seen| seen.in_several_arms);
    if in_several == 0 {
        return Some(finer);
    }
    Some(Warning {
        code: "rows_as_draws",
        message: format!(
            "each row counts as a draw of its own, and {in_several} units were in several arms: right if rows were drawn by lot and what a unit got in one does not work on another; else effects are pulled towards 0 and intervals too narrow"
        ),
    })
}

/// One row a cluster, or a place's period.
fn grouped(wanted: &Wanted<'_>, sample: &Sample, when: Option<When>, found: &mut Gathered) -> Result<Sample, CliError> {
    let arms = found.arms.len();
    let rows = moments(wanted, sample, arms)?;
    let groups = match (when, &sample.cluster) {
        (Some(when), _) => when.periods(wanted, sample, found)?,
        (None, Some(cluster)) => {
            same_in(wanted, cluster, &sample.keys, "cluster")?;
            sample.sums(cluster)?
        }
        (None, None) => return Err(wanted.wrong("no column of clusters")),
    };
    let first = sample.cluster.as_ref().map(|cluster| firsts(cluster, &groups.cluster)).unwrap_or_default();
    let keys = Keys { arm: groups.arm, by: sample.keys.kept(&first).by };
    let sums = Sample { keys, values: groups.columns, unit: None, cluster: None };
    found.per = Some(wanted.columns.len());
    let of_groups = moments(wanted, &sums, arms)?;
    found.warn(few(wanted, &found.arms, &of_groups));
    found.design_effects = design_effects(wanted, &rows, &of_groups);
    Ok(sums)
}

impl Sample {
    fn read(wanted: &Wanted<'_>, table: &Table, orders: &mut Orders) -> Result<Self, CliError> {
        let keys = orders.read(wanted, table, 0)?;
        let sources = wanted.sources();
        let values = sources.iter().map(|column| Ok(numbers(wanted, table, column)?.into_owned())).collect::<Result<Vec<_>, CliError>>()?;
        for (column, cells) in sources.iter().zip(&values) {
            if let Some(row) = cells.iter().position(|cell| !cell.is_finite()) {
                let (row, value) = (row as u64, cells[row]);
                return Err(wanted.of_row(ExperimentError::NotFinite { row, column: (*column).to_owned(), value }, 0));
            }
        }
        let unit = wanted.design.unit().map(|column| identities(wanted, table, column)).transpose()?;
        let cluster = match wanted.design {
            Design::Cluster { column, .. } => Some(identities(wanted, table, column)?),
            _ => None,
        };
        Ok(Self { keys, values, unit, cluster })
    }

    fn kept(self, rows: &[usize]) -> Self {
        let of = |ids: Vec<u64>| rows.iter().map(|&row| ids[row]).collect::<Vec<u64>>();
        Self {
            keys: self.keys.kept(rows),
            values: self.values.into_iter().map(|column| rows.iter().map(|&row| column[row]).collect()).collect(),
            unit: self.unit.map(of),
            cluster: self.cluster.map(of),
        }
    }

    fn sums(&self, by: &[u64]) -> Result<ClusterSums, ExperimentError> {
        let borrowed: Vec<&[f64]> = self.values.iter().map(Vec::as_slice).collect();
        cluster_sums(&borrowed, by, &self.keys.arm)
    }

    /// Rows of one unit are one draw of the lot.
    fn summed_by_unit(self, wanted: &Wanted<'_>) -> Result<Self, CliError> {
        let Some(unit) = &self.unit else { return Ok(self) };
        same_in(wanted, unit, &self.keys, "unit")?;
        let sums = self.sums(unit)?;
        let first = firsts(unit, &sums.cluster);
        if let (Some(cluster), Design::Cluster { column, .. }) = (&self.cluster, wanted.design) {
            same_by_unit(wanted.path, column, "unit", unit, cluster)?;
        }
        let mut values = sums.columns;
        // The number of rows isn't asked for.
        values.pop();
        for ((column, summed), rows) in wanted.sources().iter().zip(&mut values).zip(&self.values) {
            if wanted.is_of_before(column) {
                once_a_unit(wanted, column, unit, rows)?;
                *summed = first.iter().map(|&row| rows[row]).collect();
            }
        }
        let cluster = self.cluster.as_ref().map(|cluster| first.iter().map(|&row| cluster[row]).collect());
        Ok(Self { keys: self.keys.kept(&first), values, unit: Some(sums.cluster), cluster })
    }
}

/// What was known before belongs to the unit: summed over its rows it would depend on how many came, which the arm may change.
fn once_a_unit(wanted: &Wanted<'_>, column: &str, unit: &[u64], rows: &[f64]) -> Result<(), CliError> {
    let mut known: FxHashMap<u64, f64> = FxHashMap::default();
    match unit.iter().zip(rows).position(|(unit, cell)| known.insert(*unit, *cell).is_some_and(|before| before != *cell)) {
        Some(_) => Err(wanted.wrong(&format!(
            "column {column} differs among rows of one unit: what is known from before belongs to the unit, and a sum over its rows depends on how many came, which the arm may change: give each row the unit's own value"
        ))),
        None => Ok(()),
    }
}

/// When and where rows of a switchback were.
struct When {
    design: SwitchbackDesign,
    time: Vec<i64>,
    place: Vec<u32>,
}

impl When {
    fn read(wanted: &Wanted<'_>, table: &Table) -> Result<Option<Self>, CliError> {
        let Design::Switchback { time: column, place, period, burn_in, start } = wanted.design else { return Ok(None) };
        let Times { at: time, are_seconds } = Times::read(wanted, table, column)?;
        let of = |flag: &str, length: Length| match (length, are_seconds) {
            (Length::Number(number), false) => Ok(number),
            (Length::Seconds(seconds), true) => Ok(seconds),
            (Length::Number(0), _) => Ok(0),
            (_, false) => Err(CliError::usage(format!("{flag}: column {column} holds numbers: give a number in its unit"))),
            (_, true) => Err(CliError::usage(format!("{flag}: column {column} holds times: give a length of time: 6h, 1d"))),
        };
        let first = time.iter().copied().min().unwrap_or(0);
        let start = match start {
            Some(text) => times::instant(text, are_seconds).filter(|start| *start <= first).ok_or_else(|| {
                CliError::usage(format!(
                    "--start {text}: write when the first period began, as column {column} does: not after its first row"
                ))
            })?,
            None => first,
        };
        let place = match place {
            Some(place) => whose(wanted.path, table.column(place)?.values.clone(), place, 0)?.0,
            None => vec![0; time.len()],
        };
        Ok(Some(Self {
            design: SwitchbackDesign { start, period: of("--switchback", *period)?, burn_in: of("--burn-in", *burn_in)? },
            time,
            place,
        }))
    }

    fn periods(&self, wanted: &Wanted<'_>, sample: &Sample, found: &mut Gathered) -> Result<ClusterSums, CliError> {
        let borrowed: Vec<&[f64]> = sample.values.iter().map(Vec::as_slice).collect();
        let rows = SwitchbackRows { columns: &borrowed, time: &self.time, place: &self.place, arm: &sample.keys.arm };
        let switched = switchback(self.design, rows).map_err(|error| match error {
            ExperimentError::TwoArms { row, first, second, .. } => {
                let [first, second] = [first, second].map(|arm| found.arms[arm as usize].as_str());
                wanted.wrong(&format!(
                    "row {}: its place's period had arm {first}, and now {second}: outcomes are caused by both, and the difference between arms is pulled towards 0. Give the length and start of the periods that were drawn, or remove the period",
                    row + 1
                ))
            }
            other => wanted.of_row(other, 0),
        })?;
        found.switches = Some(Switches { changes: switched.switches, rows_in_burn_in: switched.burnt });
        Ok(switched.periods)
    }
}

fn identities(wanted: &Wanted<'_>, table: &Table, column: &str) -> Result<Vec<u64>, CliError> {
    let (codes, _) = whose(wanted.path, table.column(column)?.values.clone(), column, 0)?;
    Ok(codes.into_iter().map(u64::from).collect())
}

fn names_of(table: &Table, column: &str) -> Result<Vec<String>, CliError> {
    Ok(table.column(column)?.values.clone().categories().1)
}

/// Clusters that were assigned as one have one arm.
fn in_one_arm(wanted: &Wanted<'_>, cluster: &[u64], names: &[String], (arm, arms): (&[u32], &[String])) -> Result<(), CliError> {
    let mut known: FxHashMap<u64, u32> = FxHashMap::default();
    for (cluster, &arm) in cluster.iter().zip(arm) {
        let first = *known.entry(*cluster).or_insert(arm);
        if first != arm {
            let name = usize::try_from(*cluster).ok().and_then(|place| names.get(place)).map_or("", String::as_str);
            return Err(wanted.wrong(&format!(
                "cluster {name} has rows in arm {} and in arm {}: it was not assigned as one, or its outcomes are caused by both: give the column of what was assigned (--unit), or remove the cluster and say so",
                arms[first as usize], arms[arm as usize]
            )));
        }
    }
    Ok(())
}

/// What statistics are kept apart by belongs to the whole unit or cluster.
fn same_in(wanted: &Wanted<'_>, group: &[u64], keys: &Keys, what: &str) -> Result<(), CliError> {
    for (place, codes) in keys.by.iter().enumerate() {
        if let Some(codes) = codes {
            same_by_unit(wanted.path, &format!("{} ({})", wanted.by[place].join(", "), BY[place]), what, group, codes)?;
        }
    }
    Ok(())
}

/// The first goal, row by row, to be followed by day.
fn goal_by_day<'a>(wanted: &Wanted<'_>, sample: &'a Sample) -> Result<&'a [f64], CliError> {
    let goal = wanted.specs.first().and_then(|goal| goal.mean_of());
    let column = goal.and_then(|goal| wanted.sources().iter().position(|column| *column == goal));
    column
        .map(|column| sample.values[column].as_slice())
        .ok_or_else(|| CliError::usage("--exposed: by day since exposure the first goal has to be the mean of a column"))
}

/// All columns, in order: those of the file, and those made of them after rows were summed.
fn derived(wanted: &Wanted<'_>, values: Vec<Vec<f64>>) -> Vec<Vec<f64>> {
    let mut of_file: FxHashMap<&str, Vec<f64>> = wanted.sources().into_iter().zip(values).collect();
    let others: Vec<Option<Vec<f64>>> = wanted
        .columns
        .iter()
        .map(|column| source(column).and_then(|source| of_file.get(source)).map(|cells| made(column, cells)))
        .collect();
    wanted.columns.iter().zip(others).map(|(column, other)| other.or_else(|| of_file.remove(column)).unwrap_or_default()).collect()
}

/// Before columns are made of others.
fn cap(wanted: &Wanted<'_>, values: &mut [Vec<f64>]) -> Result<Vec<Warning>, CliError> {
    let (mut warnings, mut done) = (vec![], vec![]);
    for spec in wanted.specs {
        let (Some(share), Kind::Moments { numerator, .. }) = (spec.cap, &spec.kind) else { continue };
        let Some(place) = wanted.sources().iter().position(|column| column == numerator) else { continue };
        if done.contains(&place) {
            continue;
        }
        done.push(place);
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
    Ok(warnings)
}

fn skewness(wanted: &Wanted<'_>, sample: &Sample, arms: usize) -> Vec<Warning> {
    let means = means(wanted);
    let of = |&column: &usize| {
        let mut found = vec![Skewness::default(); arms];
        Skewness::add(&mut found, &sample.values[column], &sample.keys.arm);
        found
    };
    skewed(wanted, &means, &means.iter().map(of).collect::<Vec<_>>())
}

fn moments(wanted: &Wanted<'_>, sample: &Sample, arms: usize) -> Result<Vec<Moments>, CliError> {
    let borrowed: Vec<&[f64]> = sample.values.iter().map(Vec::as_slice).collect();
    accumulate(Rows { columns: &borrowed, names: wanted.columns, group: &sample.keys.arm }, arms).map_err(|error| wanted.of_row(error, 0))
}

/// Clusters of an arm below which intervals are too narrow where their sizes differ.
const ENOUGH_CLUSTERS: u64 = 20;

fn few(wanted: &Wanted<'_>, arms: &[String], groups: &[Moments]) -> Option<Warning> {
    let (arm, n) = arms.iter().zip(groups).map(|(arm, moments)| (arm, moments.units())).min_by_key(|(_, n)| *n)?;
    (n < ENOUGH_CLUSTERS).then(|| Warning {
        code: "few_clusters",
        message: format!(
            "arm {arm} has {n} {}: below some {ENOUGH_CLUSTERS} the variance between them is known poorly, and 95 % intervals cover less where their sizes differ. Assign more and smaller ones",
            wanted.design.draws()
        ),
    })
}

/// In the arm of most clusters.
fn design_effects(wanted: &Wanted<'_>, rows: &[Moments], groups: &[Moments]) -> Vec<(String, DesignEffect)> {
    let Some(arm) = (0..groups.len()).max_by_key(|&arm| groups[arm].units()) else { return vec![] };
    let of = |column: &str| {
        let place = wanted.columns.iter().position(|name| *name == column)?;
        Some((column.to_owned(), design_effect(place, &rows[arm], &groups[arm]).ok()?))
    };
    wanted.specs.iter().filter_map(|spec| of(spec.mean_of()?)).collect()
}

fn quantiles(wanted: &Wanted<'_>, sample: &Sample, arms: usize) -> Vec<Quantiles> {
    let (sources, arm) = (wanted.sources(), &sample.keys.arm);
    let is_per_row = matches!(wanted.design, Design::Unit { per_row: true, .. });
    let group = sample.cluster.as_deref().or(sample.unit.as_deref()).filter(|_| !is_per_row);
    let of = |(metric, spec): (usize, &super::Spec)| {
        let Kind::Quantile { column, nu } = &spec.kind else { return None };
        let cells = &sample.values[sources.iter().position(|name| name == column)?];
        let stats = |wanted: usize| {
            let rows = || (0..cells.len()).filter(|&row| arm[row] as usize == wanted);
            let own: Vec<f64> = rows().map(|row| cells[row]).collect();
            let clusters = group.map(|group| rows().map(|row| group[row]).collect::<Vec<u64>>());
            QuantileStats::from_rows(&own, clusters.as_deref(), *nu)
        };
        Some(Quantiles { metric, arms: (0..arms).map(stats).collect() })
    };
    wanted.specs.iter().enumerate().filter_map(of).collect()
}
