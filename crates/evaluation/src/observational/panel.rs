//! Units over time: customers or households × weeks, balanced, with the start of treatment of each.

use std::collections::BTreeMap;

use super::ObservationalError;

/// One unit in one period.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PanelRow {
    /// Customer, household, shop.
    pub unit: u64,
    /// Units whose outcomes may go together: customers of a household, households of a city. The unit itself where
    /// nothing larger was treated together.
    pub cluster: u64,
    /// Number of the period: day, week.
    pub time: i64,
    /// What is measured.
    pub outcome: f64,
    /// First period in which the unit was treated; `None` if it never was.
    pub start: Option<i64>,
}

/// A balanced panel.
#[derive(Debug, Clone, PartialEq)]
pub struct Panel {
    times: Vec<i64>,
    /// Unit by unit, period by period.
    outcomes: Vec<f64>,
    /// Place of the first treated period.
    starts: Vec<Option<usize>>,
    /// Clusters, numbered from 0 without gaps.
    clusters: Vec<usize>,
}

impl Panel {
    /// From rows, each unit's in the order of time; units may be interleaved. A start after the last period is no start
    /// within the panel.
    ///
    /// # Errors
    /// Where an outcome isn't finite, a unit's time stands still or goes backwards, a period is missing, a unit's start
    /// or cluster changes, or there is no row.
    pub fn from_rows(rows: &[PanelRow]) -> Result<Self, ObservationalError> {
        let mut units: BTreeMap<u64, Vec<(usize, &PanelRow)>> = BTreeMap::new();
        for (row, of) in rows.iter().enumerate() {
            if !of.outcome.is_finite() {
                return Err(ObservationalError::NotFinite { row, column: "outcome".to_owned(), value: of.outcome });
            }
            let earlier = units.entry(of.unit).or_default();
            if let Some((_, last)) = earlier.last() {
                check_next(row, last, of)?;
            }
            earlier.push((row, of));
        }
        let mut times: Vec<i64> = rows.iter().map(|row| row.time).collect();
        times.sort_unstable();
        times.dedup();
        let (mut outcomes, mut starts, mut names) = (vec![], vec![], vec![]);
        for (&unit, rows) in &units {
            if let Some(&time) =
                times.iter().enumerate().find(|&(place, time)| rows.get(place).is_none_or(|row| row.1.time != *time)).map(|at| at.1)
            {
                return Err(ObservationalError::Unbalanced { unit, time });
            }
            outcomes.extend(rows.iter().map(|row| row.1.outcome));
            let first = rows[0].1;
            starts.push(first.start.map(|start| times.partition_point(|&time| time < start)).filter(|&start| start < times.len()));
            names.push(first.cluster);
        }
        if names.is_empty() {
            return Err(ObservationalError::NoneTreated);
        }
        Ok(Self { times, outcomes, starts, clusters: numbered(&names) })
    }

    /// From a table: `outcomes[unit][period]`, places of first treated periods, clusters.
    ///
    /// # Errors
    /// As [`Panel::from_rows`]; also where lengths differ.
    pub fn from_table(outcomes: &[Vec<f64>], starts: &[Option<usize>], clusters: &[u64]) -> Result<Self, ObservationalError> {
        for (column, found) in [("starts", starts.len()), ("clusters", clusters.len())] {
            if found != outcomes.len() {
                return Err(ObservationalError::Length { column: column.to_owned(), found, expected: outcomes.len() });
            }
        }
        let mut rows = vec![];
        for (unit, series) in outcomes.iter().enumerate() {
            let place = |period: usize| i64::try_from(period).unwrap_or(i64::MAX);
            rows.extend(series.iter().enumerate().map(|(period, &outcome)| PanelRow {
                unit: unit as u64,
                cluster: clusters[unit],
                time: place(period),
                outcome,
                start: starts[unit].map(place),
            }));
        }
        Self::from_rows(&rows)
    }

    /// Units.
    pub const fn units(&self) -> usize {
        self.starts.len()
    }

    /// Periods.
    pub const fn periods(&self) -> usize {
        self.times.len()
    }

    /// Numbers of the periods, ascending.
    pub fn times(&self) -> &[i64] {
        &self.times
    }

    /// Outcomes of a unit, period by period.
    pub fn series(&self, unit: usize) -> &[f64] {
        &self.outcomes[unit * self.periods()..(unit + 1) * self.periods()]
    }

    /// Place of each unit's first treated period.
    pub fn starts(&self) -> &[Option<usize>] {
        &self.starts
    }

    /// Cluster of each unit, from 0.
    pub fn clusters(&self) -> &[usize] {
        &self.clusters
    }

    /// Number of clusters.
    pub fn cluster_count(&self) -> usize {
        self.clusters.iter().max().map_or(0, |last| last + 1)
    }

    /// Units that are treated at some time.
    pub fn treated(&self) -> usize {
        self.starts.iter().flatten().count()
    }

    /// Without units that were treated in every period, which say nothing of before (Callaway and Sant'Anna 2021 drop them), and the places of these. Where
    /// no other is treated all stay.
    pub fn without_treated_throughout(self) -> (Self, Vec<usize>) {
        let (gone, kept): (Vec<usize>, Vec<usize>) = (0..self.units()).partition(|&unit| self.starts[unit] == Some(0));
        if gone.is_empty() || gone.len() == self.treated() {
            return (self, vec![]);
        }
        let starts = kept.iter().map(|&unit| self.starts[unit]).collect();
        (self.part(0..self.periods(), &kept, starts), gone)
    }

    /// The one start of all treated units.
    ///
    /// # Errors
    /// Where nobody is treated, starts differ, there is no period before, nobody is untreated, or one of both sides has
    /// fewer than `clusters` clusters.
    pub(super) fn common_start(&self, clusters: usize) -> Result<usize, ObservationalError> {
        let mut starts = self.starts.iter().flatten().copied();
        let first = starts.next().ok_or(ObservationalError::NoneTreated)?;
        if let Some(other) = starts.find(|&start| start != first) {
            return Err(ObservationalError::Staggered { first: self.times[first], other: self.times[other] });
        }
        if first == 0 {
            return Err(ObservationalError::NoPrePeriod { periods: 0, needed: 1 });
        }
        self.check_clusters(clusters)?;
        Ok(first)
    }

    /// Refuses panels in which one side has too few clusters to estimate a variance.
    pub(super) fn check_clusters(&self, needed: usize) -> Result<(), ObservationalError> {
        let controls = self.units() - self.treated();
        if self.treated() == 0 {
            return Err(ObservationalError::NoneTreated);
        }
        if controls == 0 {
            return Err(ObservationalError::NoControls { controls, needed: 2 });
        }
        for (which, treated) in [("treated", true), ("untreated", false)] {
            let clusters = self.clusters_of(|unit| self.starts[unit].is_some() == treated);
            if clusters < needed {
                return Err(ObservationalError::TooFewClusters { which, clusters });
            }
        }
        Ok(())
    }

    /// Whether each cluster has a treated unit.
    pub(super) fn treated_clusters(&self) -> Vec<bool> {
        let mut treated = vec![false; self.cluster_count()];
        self.clusters.iter().zip(&self.starts).for_each(|(&cluster, start)| treated[cluster] |= start.is_some());
        treated
    }

    /// How many clusters the chosen units are in.
    pub(super) fn clusters_of(&self, chosen: impl Fn(usize) -> bool) -> usize {
        let mut found: Vec<usize> = (0..self.units()).filter(|&unit| chosen(unit)).map(|unit| self.clusters[unit]).collect();
        found.sort_unstable();
        found.dedup();
        found.len()
    }

    /// Some periods and units of it, with other starts (places within the new periods).
    pub(super) fn part(&self, periods: std::ops::Range<usize>, units: &[usize], starts: Vec<Option<usize>>) -> Self {
        let names: Vec<u64> = units.iter().map(|&unit| self.clusters[unit] as u64).collect();
        Self {
            times: self.times[periods.clone()].to_vec(),
            outcomes: units.iter().flat_map(|&unit| self.series(unit)[periods.clone()].iter().copied()).collect(),
            starts,
            clusters: numbered(&names),
        }
    }

    /// Outcomes less their unit's and period's means plus the mean of all: what fixed effects of both leave.
    pub(super) fn demeaned(&self) -> Vec<f64> {
        demean(&self.outcomes, self.periods())
    }
}

/// Takes out unit and period effects of a balanced table of `periods` columns.
pub(super) fn demean(table: &[f64], periods: usize) -> Vec<f64> {
    let units = table.len() / periods;
    let mut of_period = vec![0.0; periods];
    for series in table.chunks_exact(periods) {
        series.iter().zip(&mut of_period).for_each(|(value, sum)| *sum += value / units as f64);
    }
    let all = of_period.iter().sum::<f64>() / periods as f64;
    let mut left = Vec::with_capacity(table.len());
    for series in table.chunks_exact(periods) {
        let own = series.iter().sum::<f64>() / periods as f64;
        left.extend(series.iter().zip(&of_period).map(|(value, period)| value - own - period + all));
    }
    left
}

fn check_next(row: usize, last: &PanelRow, next: &PanelRow) -> Result<(), ObservationalError> {
    let unit = next.unit;
    if next.time <= last.time {
        return Err(ObservationalError::TimeBackwards { row, unit, from: last.time, to: next.time });
    }
    let changed = if next.start == last.start { "cluster" } else { "start" };
    if next.start != last.start || next.cluster != last.cluster {
        return Err(ObservationalError::Changed { row, what: changed, unit });
    }
    Ok(())
}

/// Names as numbers from 0, in the order of the names.
fn numbered(names: &[u64]) -> Vec<usize> {
    let mut distinct = names.to_vec();
    distinct.sort_unstable();
    distinct.dedup();
    names.iter().map(|name| distinct.partition_point(|other| other < name)).collect()
}
