//! Designs in which several rows are assigned together: shops, cities, households; or in which rows are
//! finer than the unit that was assigned: orders of customers.
//!
//! Rows become one row a cluster, of sums; a mean per row is then the ratio of the sum to the number of
//! rows, whose delta-method variance has clusters as units (Deng, Knoblich and Lu 2018; equal to CR1 of a
//! regression on the arm up to its factor, Liang and Zeger 1986). Student's t with clusters − 1 degrees of
//! freedom. Fails for few clusters (below some 20 an arm) of very unequal size: then intervals are too narrow.

use serde::Serialize;

use super::{ExperimentError, Metric, Moments, Rows, Warning, accumulate};

/// One row a cluster.
#[derive(Debug, Clone, PartialEq)]
pub struct ClusterSums {
    /// Cluster of each row, ascending.
    pub cluster: Vec<u64>,
    /// Its arm.
    pub arm: Vec<u32>,
    /// Sums of each column; the last one is the number of rows.
    pub columns: Vec<Vec<f64>>,
}

/// Sums rows by cluster; memory follows the number of rows' places (8 bytes each) and of clusters.
///
/// # Errors
/// Where lengths differ, a value isn't finite, or a cluster has rows in two arms.
pub fn cluster_sums(columns: &[&[f64]], cluster: &[u64], arm: &[u32]) -> Result<ClusterSums, ExperimentError> {
    let rows = cluster.len();
    let wrong = columns.iter().map(|column| column.len()).chain(std::iter::once(arm.len())).position(|length| length != rows);
    if let Some(place) = wrong {
        let found = columns.get(place).map_or(arm.len(), |column| column.len());
        return Err(ExperimentError::Length { column: format!("column {place}"), found, expected: rows });
    }
    let mut order: Vec<usize> = (0..rows).collect();
    order.sort_unstable_by_key(|&row| (cluster[row], row));
    let mut sums = ClusterSums { cluster: vec![], arm: vec![], columns: vec![vec![]; columns.len() + 1] };
    for group in order.chunk_by(|&one, &two| cluster[one] == cluster[two]) {
        let (first, name) = (group[0], cluster[group[0]]);
        if let Some(&row) = group.iter().find(|&&row| arm[row] != arm[first]) {
            let unit = format!("cluster {name}");
            return Err(ExperimentError::TwoArms { row: row as u64, unit, kind: "cluster", first: arm[first], second: arm[row] });
        }
        sums.cluster.push(name);
        sums.arm.push(arm[first]);
        for (at, column) in columns.iter().enumerate() {
            let sum: f64 = group.iter().map(|&row| column[row]).sum();
            if !sum.is_finite() {
                let row = group.iter().copied().find(|&row| !column[row].is_finite()).unwrap_or(first);
                return Err(ExperimentError::NotFinite { row: row as u64, column: format!("column {at}"), value: column[row] });
            }
            sums.columns[at].push(sum);
        }
        sums.columns[columns.len()].push(group.len() as f64);
    }
    Ok(sums)
}

impl ClusterSums {
    /// Clusters.
    pub const fn clusters(&self) -> usize {
        self.cluster.len()
    }

    /// Statistics of clusters by arm; the last column is the number of rows.
    ///
    /// # Errors
    /// Where an arm isn't below `arms`.
    pub fn moments(&self, arms: usize) -> Result<Vec<Moments>, ExperimentError> {
        let columns: Vec<&[f64]> = self.columns.iter().map(Vec::as_slice).collect();
        accumulate(Rows { columns: &columns, names: &[], group: &self.arm }, arms)
    }

    /// The mean per row of a column, with clusters as units.
    pub const fn mean_per_row(&self, column: usize) -> Metric {
        Metric::ratio(column, self.columns.len() - 1)
    }
}

/// By how much rows that aren't independent narrow a naive interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct DesignEffect {
    /// Variance with clusters as units over that with rows as units.
    pub design_effect: f64,
    /// Rows per cluster.
    pub rows_per_cluster: f64,
    /// Clusters.
    pub n: u64,
}

/// The design effect of a column's mean in one arm: `rows` are the arm's rows, `clusters` its clusters' sums
/// with the number of rows in the last column.
///
/// # Errors
/// As [`super::unadjusted`].
pub fn design_effect(column: usize, rows: &Moments, clusters: &Moments) -> Result<DesignEffect, ExperimentError> {
    let naive = super::metric::arm(Metric::mean(column), rows, "an arm")?;
    let clustered = super::metric::arm(Metric::ratio(column, clusters.columns().saturating_sub(1)), clusters, "an arm's clusters")?;
    Ok(DesignEffect {
        design_effect: clustered.variance / naive.variance,
        rows_per_cluster: rows.units() as f64 / clusters.units() as f64,
        n: clusters.units(),
    })
}

/// The code of the warning that rows are finer than what was assigned.
pub(super) const FINER: &str = "analysis_finer_than_assignment";

/// Whether rows are finer than what was assigned: several rows of one assigned unit.
pub fn finer_than_assignment(assigned: &[u64]) -> Option<Warning> {
    let mut sorted = assigned.to_vec();
    sorted.sort_unstable();
    sorted.dedup();
    (sorted.len() < assigned.len()).then(|| {
        let (rows, units) = (assigned.len(), sorted.len());
        let most = (rows as f64 / units as f64).sqrt();
        let message = format!(
            "{rows} rows of {units} assigned units: rows of one unit aren't independent draws. With rows as units, standard errors are too small by up to a factor of {most:.2} (the root of the rows per unit), and 95 % intervals cover less. Sum rows by assigned unit first, or analyse them as clusters"
        );
        Warning::new(FINER, message)
    })
}
