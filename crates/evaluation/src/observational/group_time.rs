//! Group-time effects for campaigns that start at different times for different units.
//!
//! ATT(g, t): the effect at time t on units that start at g, by difference in differences (doubly robust with covariates:
//! [`super::doubly_robust`]) from the last period before g to t, against units never treated or not yet treated at t. Before the start
//! the change is from t − 1 to t: a placebo in time of each group. No unit already treated is ever a control, so that
//! effects may differ by group and time, where two-way fixed effects fail.
//!
//! Aggregated with the groups' sizes as weights ([`Aggregation`]). Variances are from influence functions, summed within
//! clusters, the weights' own included; Student's t with Satterthwaite's degrees of freedom (R's `did` takes the normal).
//!
//! Assumes parallel trends of each group with its controls from the last period before its start on, and no anticipation. Fails for
//! groups of few units: each needs its own mean. A group of one unit has no variance of its own.
//!
//! Callaway and Sant'Anna 2021.

use serde::{Deserialize, Serialize};

use super::doubly_robust::doubly_robust;
use super::least_squares::{hotelling, outer, satterthwaite, wald};
use super::result::{Check, CheckKind, Counts, Evidence, Observed, ObservedEffect, check_level, warning};
use super::two_by_two::few_clusters;
use super::{ObservationalError, Panel};
use crate::experiment::Warning;

const PARALLEL_BY_GROUP: &str = "parallel trends of each group with its controls: without the campaign the mean outcome of units that start together would have changed, from their last period before, by as much as that of units not treated by then did; nobody changed in anticipation, and the campaign didn't reach controls";

/// Which units are compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Controls {
    /// Units that are never treated within the panel.
    NeverTreated,
    /// These, and units that are treated later than the period in question.
    NotYetTreated,
}

/// Which average of group-time effects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Aggregation {
    /// Every treated unit and period counts the same.
    Simple,
    /// By group, each over its periods, then over groups.
    Group,
    /// By periods since the start, then over those (groups differ from one to the next).
    Dynamic,
    /// By calendar period, then over those.
    Calendar,
}

/// The effect at one time on one group.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct GroupTimeEffect {
    /// When the group starts.
    pub group: i64,
    /// The period.
    pub time: i64,
    /// The estimate; before `group` a placebo.
    pub effect: ObservedEffect,
}

/// A part of an aggregation.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct PartEffect {
    /// The group's start, the periods since the start, or the calendar period; 0 for a simple aggregation.
    pub part: i64,
    /// The estimate.
    pub effect: ObservedEffect,
}

struct Cell {
    group: usize,
    time: usize,
    value: f64,
    /// Of all units, 0 for those of other groups.
    influence: Vec<f64>,
    counts: Counts,
}

/// All group-time effects of a panel.
pub struct GroupTime<'a> {
    panel: &'a Panel,
    cells: Vec<Cell>,
    level: f64,
    warnings: Vec<Warning>,
    treated_clusters: Vec<bool>,
}

impl std::fmt::Debug for GroupTime<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("GroupTime").field("effects", &self.cells.len()).field("warnings", &self.warnings).finish_non_exhaustive()
    }
}

/// Estimates every group-time effect. `covariates` are rows of numbers known before any start, one a unit, without
/// intercept; none for plain differences.
///
/// # Errors
/// Where nobody is treated, a treated unit has no period before, no control is left for any period, covariates have wrong
/// lengths, aren't finite, are dependent or separate treated from untreated units.
pub fn group_time_effects<'a>(
    panel: &'a Panel,
    controls: Controls,
    covariates: &[Vec<f64>],
    level: f64,
) -> Result<GroupTime<'a>, ObservationalError> {
    check_level(level)?;
    check_panel(panel, controls)?;
    let rows = design(panel, covariates)?;
    let mut groups: Vec<usize> = panel.starts().iter().flatten().copied().collect();
    groups.sort_unstable();
    groups.dedup();
    let (mut cells, mut without, mut largest_chance) = (vec![], 0, 0.0_f64);
    for &group in &groups {
        for time in 1..panel.periods() {
            match cell(panel, group, time, controls, &rows)? {
                Some((cell, chance)) => {
                    largest_chance = largest_chance.max(chance);
                    cells.push(cell);
                }
                None => without += 1,
            }
        }
    }
    if !cells.iter().any(|cell| cell.time >= cell.group) {
        return Err(ObservationalError::NoControls { controls: 0, needed: 2 });
    }
    let warnings = warnings(panel, &groups, without, largest_chance);
    Ok(GroupTime { panel, cells, level, warnings, treated_clusters: panel.treated_clusters() })
}

fn check_panel(panel: &Panel, controls: Controls) -> Result<(), ObservationalError> {
    if panel.treated() == 0 {
        return Err(ObservationalError::NoneTreated);
    }
    if panel.starts().contains(&Some(0)) {
        return Err(ObservationalError::NoPrePeriod { periods: 0, needed: 1 });
    }
    let never = panel.units() - panel.treated();
    if controls == Controls::NeverTreated && never < 2 {
        return Err(ObservationalError::NoControls { controls: never, needed: 2 });
    }
    let treated = panel.clusters_of(|unit| panel.starts()[unit].is_some());
    for (which, clusters, needed) in [("treated and untreated", panel.cluster_count(), 4), ("treated", treated, 2)] {
        if clusters < needed {
            return Err(ObservationalError::TooFewClusters { which, clusters });
        }
    }
    Ok(())
}

fn design(panel: &Panel, covariates: &[Vec<f64>]) -> Result<Vec<Vec<f64>>, ObservationalError> {
    if covariates.is_empty() {
        return Ok(vec![vec![1.0]; panel.units()]);
    }
    if covariates.len() != panel.units() {
        return Err(ObservationalError::Length { column: "covariates".to_owned(), found: covariates.len(), expected: panel.units() });
    }
    let width = covariates[0].len();
    for (row, of) in covariates.iter().enumerate() {
        if of.len() != width {
            return Err(ObservationalError::Length { column: format!("covariates of unit {row}"), found: of.len(), expected: width });
        }
        if let Some((column, &value)) = of.iter().enumerate().find(|(_, value)| !value.is_finite()) {
            return Err(ObservationalError::NotFinite { row, column: format!("covariate {column}"), value });
        }
    }
    Ok(covariates.iter().map(|row| std::iter::once(1.0).chain(row.iter().copied()).collect()).collect())
}

fn cell(
    panel: &Panel,
    group: usize,
    time: usize,
    controls: Controls,
    rows: &[Vec<f64>],
) -> Result<Option<(Cell, f64)>, ObservationalError> {
    let base = if time < group { time - 1 } else { group - 1 };
    let is_control = |start: Option<usize>| match (start, controls) {
        (None, _) => true,
        (Some(start), Controls::NotYetTreated) => start != group && start > time,
        (Some(_), Controls::NeverTreated) => false,
    };
    let chosen: Vec<usize> =
        (0..panel.units()).filter(|&unit| panel.starts()[unit] == Some(group) || is_control(panel.starts()[unit])).collect();
    let treated: Vec<bool> = chosen.iter().map(|&unit| panel.starts()[unit] == Some(group)).collect();
    let many = treated.iter().filter(|treated| **treated).count();
    let others = chosen.len() - many;
    // Those of one cluster have no variance between them.
    if panel.clusters_of(|unit| is_control(panel.starts()[unit])) < 2 {
        return Ok(None);
    }
    let changes: Vec<f64> = chosen.iter().map(|&unit| panel.series(unit)[time] - panel.series(unit)[base]).collect();
    let rows: Vec<Vec<f64>> = chosen.iter().map(|&unit| rows[unit].clone()).collect();
    let found = doubly_robust(&changes, &treated, &rows)?;
    let scale = panel.units() as f64 / chosen.len() as f64;
    let mut influence = vec![0.0; panel.units()];
    chosen.iter().zip(&found.influence).for_each(|(&unit, own)| influence[unit] = own * scale);
    let clusters = panel.clusters_of(|unit| chosen.binary_search(&unit).is_ok());
    let counts = Counts { treated: many, untreated: others, clusters };
    Ok(Some((Cell { group, time, value: found.value, influence, counts }, found.largest_chance)))
}

fn warnings(panel: &Panel, groups: &[usize], without: usize, largest_chance: f64) -> Vec<Warning> {
    let mut warnings: Vec<Warning> = few_clusters(panel).into_iter().collect();
    let single = groups.iter().filter(|&&group| panel.starts().iter().filter(|&&start| start == Some(group)).count() == 1).count();
    if single > 0 {
        warnings.push(warning(
            "single_unit_group",
            format!("{single} start(s) with one unit each: their effects have no variance of their own and no interval, and intervals of averages they enter are too narrow. Merge neighbouring starts"),
        ));
    }
    if without > 0 {
        warnings.push(warning(
            "no_controls_left",
            format!("{without} group-time effects have fewer than 2 clusters of controls left and are no part of any average: it is about earlier periods or other groups than asked for. Keep units that are never treated"),
        ));
    }
    if largest_chance > 0.995 {
        warnings.push(warning(
            "overlap",
            format!("an untreated unit has a fitted chance of treatment of {largest_chance:.4}: it stands for hundreds of treated ones and the effect is its luck. Use fewer or coarser covariates"),
        ));
    }
    warnings
}

/// Weights of cells in an average.
struct Part {
    part: i64,
    cells: Vec<usize>,
}

impl GroupTime<'_> {
    /// Every effect; those before the group's start are placebos.
    pub fn effects(&self) -> Vec<GroupTimeEffect> {
        let times = self.panel.times();
        let each = self.cells.iter().map(|cell| GroupTimeEffect {
            group: times[cell.group],
            time: times[cell.time],
            effect: self.judged(cell.value, &cell.influence, cell.counts, &[cell.group]),
        });
        each.collect()
    }

    /// An average over parts, with checks: all effects before a start jointly 0, and their mean.
    ///
    /// # Errors
    /// Where an effect's variance is 0.
    pub fn aggregate(&self, aggregation: Aggregation) -> Result<(Observed, Vec<PartEffect>), ObservationalError> {
        let of = |cell: &Cell| match aggregation {
            Aggregation::Simple => 0,
            Aggregation::Group => self.panel.times()[cell.group],
            Aggregation::Dynamic => relative(cell),
            Aggregation::Calendar => self.panel.times()[cell.time],
        };
        // Before the start only relative periods are parts.
        let wanted = |cell: &Cell| cell.time >= cell.group || aggregation == Aggregation::Dynamic;
        let parts = self.parts(of, wanted);
        let averages: Vec<(f64, Vec<f64>)> = parts.iter().map(|part| self.weighted(&part.cells)).collect();
        let counts = self.counts();
        let effects: Vec<PartEffect> = parts
            .iter()
            .zip(&averages)
            .map(|(part, (value, influence))| PartEffect {
                part: part.part,
                effect: self.judged(*value, influence, counts, &self.groups(&part.cells)),
            })
            .collect();
        let (value, influence) = self.overall(aggregation, &parts, &averages);
        let after: Vec<usize> = (0..self.cells.len()).filter(|&at| self.cells[at].time >= self.cells[at].group).collect();
        let groups = self.groups(&after);
        if self.is_one_cluster(&groups) {
            return Err(ObservationalError::TooFewClusters { which: "treated", clusters: 1 });
        }
        let effect = self.judged(value, &influence, counts, &groups);
        if effect.std_error.is_nan() || effect.std_error <= 1e-12 * effect.value.abs() {
            return Err(ObservationalError::Constant { what: "the change since the last period before the start".to_owned() });
        }
        let observed = Observed {
            evidence: Evidence::Observational,
            method: "group-time effects",
            assumption: PARALLEL_BY_GROUP,
            effect,
            checks: self.checks()?,
            warnings: self.warnings.clone(),
        };
        Ok((observed, effects))
    }

    fn parts(&self, of: impl Fn(&Cell) -> i64, wanted: impl Fn(&Cell) -> bool) -> Vec<Part> {
        let mut parts: Vec<Part> = vec![];
        for (at, cell) in self.cells.iter().enumerate().filter(|(_, cell)| wanted(cell)) {
            match parts.iter_mut().find(|part| part.part == of(cell)) {
                Some(part) => part.cells.push(at),
                None => parts.push(Part { part: of(cell), cells: vec![at] }),
            }
        }
        parts.sort_by_key(|part| part.part);
        parts
    }

    fn overall(&self, aggregation: Aggregation, parts: &[Part], averages: &[(f64, Vec<f64>)]) -> (f64, Vec<f64>) {
        let chosen: Vec<usize> = (0..parts.len()).filter(|&at| aggregation != Aggregation::Dynamic || parts[at].part >= 0).collect();
        if aggregation == Aggregation::Group {
            let values: Vec<f64> = chosen.iter().map(|&at| averages[at].0).collect();
            let influences: Vec<&[f64]> = chosen.iter().map(|&at| averages[at].1.as_slice()).collect();
            let groups: Vec<usize> = chosen.iter().map(|&at| self.cells[parts[at].cells[0]].group).collect();
            return self.by_size(&values, &influences, &groups);
        }
        let many = chosen.len() as f64;
        let value = chosen.iter().map(|&at| averages[at].0).sum::<f64>() / many;
        let influence = (0..self.panel.units()).map(|unit| chosen.iter().map(|&at| averages[at].1[unit]).sum::<f64>() / many);
        (value, influence.collect())
    }

    /// The average of cells by the sizes of their groups.
    fn weighted(&self, cells: &[usize]) -> (f64, Vec<f64>) {
        let values: Vec<f64> = cells.iter().map(|&at| self.cells[at].value).collect();
        let influences: Vec<&[f64]> = cells.iter().map(|&at| self.cells[at].influence.as_slice()).collect();
        let groups: Vec<usize> = cells.iter().map(|&at| self.cells[at].group).collect();
        self.by_size(&values, &influences, &groups)
    }

    /// Shares of groups are estimates too: θ = Σ pθ/Σ p moves with them.
    fn by_size(&self, values: &[f64], influences: &[&[f64]], groups: &[usize]) -> (f64, Vec<f64>) {
        let starts = self.panel.starts();
        let size = |group: usize| starts.iter().filter(|&&start| start == Some(group)).count() as f64 / starts.len() as f64;
        let sizes: Vec<f64> = groups.iter().map(|&group| size(group)).collect();
        let all: f64 = sizes.iter().sum();
        let value = values.iter().zip(&sizes).map(|(value, size)| value * size / all).sum::<f64>();
        let influence = (0..starts.len()).map(|unit| {
            let of = |at: usize| {
                let apart = f64::from(u8::from(starts[unit] == Some(groups[at]))) - sizes[at];
                influences[at][unit] * sizes[at] / all + apart * (values[at] - value) / all
            };
            (0..values.len()).map(of).sum::<f64>()
        });
        (value, influence.collect())
    }

    fn checks(&self) -> Result<Vec<Check>, ObservationalError> {
        let before: Vec<usize> = (0..self.cells.len()).filter(|&at| self.cells[at].time < self.cells[at].group).collect();
        let mut checks = vec![];
        if before.is_empty() {
            return Ok(checks);
        }
        let treated = self.treated_clusters.iter().filter(|treated| **treated).count();
        let untreated = self.treated_clusters.len() - treated;
        let fewest = if untreated == 0 { treated } else { treated.min(untreated) };
        if before.len() < fewest {
            let values: Vec<f64> = before.iter().map(|&at| self.cells[at].value).collect();
            match wald(&values, &self.covariance(&before), "effects before the start") {
                Ok(statistic) => checks.extend(joint(statistic, before.len() as f64, fewest as f64 - 1.0)),
                // Cells that are sums of others.
                Err(ObservationalError::Dependent { .. }) => {}
                Err(other) => return Err(other),
            }
        }
        let (value, influence) = self.weighted(&before);
        let effect = self.judged(value, &influence, self.counts(), &self.groups(&before));
        if effect.std_error > 0.0 {
            let reads = format!(
                "mean of all changes before a start, against the same controls (standard error {:.4}); should be 0 if trends are parallel",
                effect.std_error
            );
            checks.push(Check::new(CheckKind::PlaceboInTime, value, effect.p_value, reads));
        }
        Ok(checks)
    }

    fn covariance(&self, chosen: &[usize]) -> Vec<Vec<f64>> {
        let units = self.panel.units() as f64;
        let mut scores = vec![vec![0.0; chosen.len()]; self.panel.cluster_count()];
        for (unit, &cluster) in self.panel.clusters().iter().enumerate() {
            chosen.iter().zip(&mut scores[cluster]).for_each(|(&at, sum)| *sum += self.cells[at].influence[unit] / units);
        }
        outer(&scores)
    }

    fn counts(&self) -> Counts {
        let treated = self.panel.treated();
        Counts { treated, untreated: self.panel.units() - treated, clusters: self.panel.cluster_count() }
    }

    /// The groups that cells are of.
    fn groups(&self, cells: &[usize]) -> Vec<usize> {
        let mut groups: Vec<usize> = cells.iter().map(|&at| self.cells[at].group).collect();
        groups.sort_unstable();
        groups.dedup();
        groups
    }

    /// Whether all units of groups are in one cluster.
    fn is_one_cluster(&self, groups: &[usize]) -> bool {
        let units = self.panel.starts().iter().zip(self.panel.clusters());
        let mut clusters = units.filter(|(start, _)| start.is_some_and(|start| groups.contains(&start))).map(|(_, cluster)| cluster);
        let first = clusters.next();
        clusters.all(|cluster| Some(cluster) == first)
    }

    /// The effect on groups. That on a single cluster has no variance, and so no interval: its influence is about its own mean, which is itself.
    fn judged(&self, value: f64, influence: &[f64], counts: Counts, groups: &[usize]) -> ObservedEffect {
        let mut sums = vec![0.0; self.panel.cluster_count()];
        self.panel.clusters().iter().zip(influence).for_each(|(&cluster, own)| sums[cluster] += own);
        let std_error = sums.iter().map(|sum| sum * sum).sum::<f64>().sqrt() / influence.len() as f64;
        let df = satterthwaite(&sums, &self.treated_clusters);
        let effect = ObservedEffect::student(value, std_error, df, self.level, counts);
        if self.is_one_cluster(groups) {
            return ObservedEffect { low: f64::NEG_INFINITY, high: f64::INFINITY, std_error: f64::NAN, p_value: f64::NAN, ..effect };
        }
        effect
    }
}

fn relative(cell: &Cell) -> i64 {
    let whole = |place: usize| i64::try_from(place).unwrap_or(i64::MAX);
    whole(cell.time) - whole(cell.group)
}

/// Hotelling's T² in place of χ²: variances are estimated from as many clusters as there are on the smaller side.
fn joint(w: f64, effects: f64, df: f64) -> Option<Check> {
    let reads = format!(
        "Wald's χ² that all {effects} effects before a start are 0 (p by Hotelling's T² with {df} degrees of freedom); an alarm says that some group was moving apart from its controls before"
    );
    hotelling(w, effects, df).map(|p_value| Check::new(CheckKind::PreTrend, w, p_value, reads))
}
