//! What an experiment is planned by: how a metric varied before it.

use std::path::Path;

use serde::Serialize;
use youhui_evaluation::experiment::{Moments, Rows, accumulate, cluster_sums, from_moments};
use youhui_storage::read_table_as;

use super::super::super::CliError;
use super::super::units::{firsts, same_by_unit, whose};
use super::metrics::{Kind, Spec, source};

/// How a metric varies among units.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(in super::super) struct Spread {
    pub(in super::super) metric: String,
    unit: String,
    pub(in super::super) mean: f64,
    /// Of a unit, after covariates took away what they explain.
    pub(in super::super) variance: f64,
    pub(in super::super) variance_reduction: Option<f64>,
    /// Units.
    pub(in super::super) n: u64,
}

impl Spread {
    /// Of rows, or of the sums of each unit's rows.
    pub(in super::super) fn read(path: &Path, metric: &str, unit: Option<&str>) -> Result<Self, CliError> {
        let spec = Spec::parse(metric, "metric", "unit")?;
        let wrong = |why: String| CliError::usage(format!("{}: {why}", path.display()));
        let is_plain = spec.cap.is_none() && !spec.has_parts() && !spec.columns().iter().any(|name| source(name).is_some());
        if matches!(spec.kind, Kind::Quantile { .. }) || !is_plain {
            return Err(CliError::usage(format!("--metric {metric}: plan with COLUMN or COLUMN/COLUMN, and cuped=COLUMN")));
        }
        let mut columns: Vec<&str> = vec![];
        spec.columns().into_iter().for_each(|name| columns.extend((!columns.contains(&name)).then_some(name)));
        let mut asked: Vec<String> = columns.iter().map(|name| (*name).to_owned()).collect();
        asked.extend(unit.filter(|unit| !columns.contains(unit)).map(str::to_owned));
        let table = read_table_as(path, Some(&asked), unit.as_slice())?;
        let of = |name: &&str| {
            let texts = || wrong(format!("column {name} holds texts: a metric needs numbers"));
            let cells = table.column(name)?.values.numbers().ok_or_else(texts)?;
            match cells.iter().position(|cell| !cell.is_finite()) {
                Some(row) => Err(wrong(format!(
                    "row {}: column {name}: {} is not a finite number: give the amount that was meant",
                    row + 1,
                    cells[row]
                ))),
                None => Ok(cells),
            }
        };
        let cells = columns.iter().map(of).collect::<Result<Vec<&[f64]>, CliError>>()?;
        let moments = match unit {
            Some(unit) => {
                let (units, _) = whose(path, table.column(unit)?.values.clone(), unit, 0)?;
                let units: Vec<u64> = units.into_iter().map(u64::from).collect();
                let mut sums = cluster_sums(&cells, &units, &vec![0; units.len()])?;
                let first = firsts(&units, &sums.cluster);
                // What was known before belongs to the unit.
                for (place, name) in columns.iter().enumerate().filter(|(_, name)| !spec.measured().contains(name)) {
                    same_by_unit(path, name, "unit", &units, cells[place])?;
                    sums.columns[place] = first.iter().map(|&row| cells[place][row]).collect();
                }
                sums.moments(1)?
            }
            None => accumulate(Rows { columns: &cells, names: &columns, group: &vec![0; table.rows()] }, 1)?,
        };
        Self::of(&spec, &columns, &moments[0])
            .ok_or_else(|| wrong(format!("{metric} is the same for every unit: nothing can be planned by it")))
    }

    fn of(spec: &Spec, columns: &[&str], moments: &Moments) -> Option<Self> {
        let (metric, covariates) = spec.metric(&super::read::places(columns), None)?;
        let plain = from_moments(metric, &[], moments, moments).ok()?.contrast.control;
        let adjusted = from_moments(metric, &covariates, moments, moments).ok()?;
        Some(Self {
            metric: spec.name.clone(),
            unit: spec.unit.clone(),
            mean: plain.value,
            variance: adjusted.contrast.control.variance * moments.units() as f64,
            variance_reduction: adjusted.variance_reduction,
            n: moments.units(),
        })
    }
}
