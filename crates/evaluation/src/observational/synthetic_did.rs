//! Synthetic difference in differences: units weighted so that untreated ones ran parallel to the treated, periods weighted so
//! that those before look like those after.
//!
//! ω minimises Σ over t before of (ω₀ + Σⱼ ωⱼ yⱼₜ − ȳₜ)² + ζ² T₀ ‖ω‖², λ minimises Σ over untreated of (λ₀ + Σₜ λₜ yⱼₜ − ȳⱼ after)² +
//! (10⁻⁶σ)² N₀ ‖λ‖², both on the simplex, ζ = (N₁T₁)^¼ σ with σ the standard deviation of untreated units' first differences before. τ̂ = (ȳ after − Σ λₜ ȳₜ) of treated − Σ ωⱼ of
//! the same of untreated. The intercepts let levels differ, where [`super::synthetic_control`] needs them equal.
//!
//! Variance: jackknife over units with weights held (more than one treated unit), else placebo: untreated units as if
//! treated, refitted. Normal intervals. The jackknife is conservative; the placebo assumes the same spread for treated and untreated units.
//!
//! Assumes that outcomes are unit and period effects, few common factors that weights balance, and noise. Fails for few periods
//! before or few untreated units, and, like every one of these, where something else happens to treated units at the start.
//!
//! Arkhangelsky, Athey, Hirshberg, Imbens and Wager 2021. Weights are exact here, those of the authors' R package stop at the tolerance
//! of its Frank–Wolfe steps and are then made sparse.

use rayon::prelude::*;
use serde::Serialize;
use youhui_commerce::Draw;

use super::result::{Check, CheckKind, Counts, Evidence, Observed, ObservedEffect, check_level, warning};
use super::simplex::nearest_to_origin;
use super::{ObservationalError, Panel};
use crate::experiment::solve::dot;

/// How its variance is estimated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SyntheticVariance {
    /// Leaving out one unit after the other, weights held.
    Jackknife,
    /// Untreated units as if treated: each once for one treated unit, so many deals for more.
    Placebo {
        /// Deals.
        draws: usize,
        /// Seed of the deals.
        seed: u64,
    },
}

/// Synthetic difference in differences with its weights.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SyntheticDid {
    /// The mean effect per unit and period on treated units, checks and warnings.
    pub observed: Observed,
    /// Weight of each untreated unit, in the panel's order.
    pub unit_weights: Vec<f64>,
    /// Weight of each period before the start.
    pub period_weights: Vec<f64>,
    /// ζ.
    pub regularisation: f64,
}

/// Rows of untreated and of treated units.
struct Table<'a> {
    untreated: Vec<&'a [f64]>,
    treated: Vec<&'a [f64]>,
    start: usize,
}

struct Weights {
    unit: Vec<f64>,
    period: Vec<f64>,
    zeta: f64,
}

/// The effect for one common start.
///
/// # Errors
/// Where starts differ, there are fewer than two periods before or three untreated units, the jackknife is asked for with one
/// treated unit, or untreated units don't vary.
pub fn synthetic_did(panel: &Panel, variance: SyntheticVariance, level: f64) -> Result<SyntheticDid, ObservationalError> {
    check_level(level)?;
    let start = panel.common_start(1)?;
    let table = table(panel, start, panel.periods())?;
    if variance == SyntheticVariance::Jackknife && table.treated.len() < 2 {
        return Err(ObservationalError::TooFewClusters { which: "treated", clusters: 1 });
    }
    let found = weights(&table)?;
    let effect = estimate(&table, &found, variance, level)?;
    let mut warnings = vec![];
    if panel.cluster_count() < panel.units() {
        warnings.push(warning(
            "clusters_ignored",
            "units of one cluster are taken as independent: if their outcomes go together, the interval is too narrow. Sum units by cluster first",
        ));
    }
    let observed = Observed {
        evidence: Evidence::Observational,
        method: "synthetic difference in differences",
        assumption: "weighted untreated units, and weighted periods before, would have run parallel to the treated units after: outcomes are unit and period effects, common factors that the weights balance, and noise; the campaign didn't reach untreated units",
        effect,
        checks: in_time(panel, start, variance)?.into_iter().collect(),
        warnings,
    };
    Ok(SyntheticDid { observed, unit_weights: found.unit, period_weights: found.period, regularisation: found.zeta })
}

fn table(panel: &Panel, start: usize, until: usize) -> Result<Table<'_>, ObservationalError> {
    if start < 2 {
        return Err(ObservationalError::NoPrePeriod { periods: start, needed: 2 });
    }
    let of = |treated: bool| -> Vec<&[f64]> {
        (0..panel.units()).filter(|&unit| panel.starts()[unit].is_some() == treated).map(|unit| &panel.series(unit)[..until]).collect()
    };
    let table = Table { untreated: of(false), treated: of(true), start };
    if table.untreated.len() < 3 {
        return Err(ObservationalError::NoControls { controls: table.untreated.len(), needed: 3 });
    }
    Ok(table)
}

/// Mean of rows, column by column.
fn mean(rows: &[&[f64]]) -> Vec<f64> {
    let mut sums = vec![0.0; rows[0].len()];
    rows.iter().for_each(|row| row.iter().zip(&mut sums).for_each(|(value, sum)| *sum += value / rows.len() as f64));
    sums
}

fn average(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

fn weights(table: &Table<'_>) -> Result<Weights, ObservationalError> {
    let (start, periods) = (table.start, table.untreated[0].len());
    let steps: Vec<f64> =
        table.untreated.iter().flat_map(|row| row[..start].windows(2).map(|pair| pair[1] - pair[0]).collect::<Vec<f64>>()).collect();
    let centre = average(&steps);
    let noise = (steps.iter().map(|step| (step - centre).powi(2)).sum::<f64>() / (steps.len() as f64 - 1.0)).sqrt();
    if noise.is_nan() || noise <= 0.0 {
        return Err(ObservationalError::Constant { what: "the change of untreated units before the start".to_owned() });
    }
    let zeta = ((table.treated.len() * (periods - start)) as f64).powf(0.25) * noise;
    let treated = mean(&table.treated);
    let units: Vec<Vec<f64>> = table.untreated.iter().map(|row| row[..start].to_vec()).collect();
    let unit = simplex_fit(units, &treated[..start], zeta * zeta * start as f64);
    let after: Vec<f64> = table.untreated.iter().map(|row| average(&row[start..])).collect();
    let columns: Vec<Vec<f64>> = (0..start).map(|period| table.untreated.iter().map(|row| row[period]).collect()).collect();
    let period = simplex_fit(columns, &after, (1e-6 * noise).powi(2) * table.untreated.len() as f64);
    Ok(Weights { unit, period, zeta })
}

/// Weights of `columns` that with an intercept come nearest to `target`.
fn simplex_fit(mut columns: Vec<Vec<f64>>, target: &[f64], ridge: f64) -> Vec<f64> {
    for column in &mut columns {
        column.iter_mut().zip(target).for_each(|(value, target)| *value -= target);
        let centre = average(column);
        column.iter_mut().for_each(|value| *value -= centre);
    }
    let mut gram: Vec<Vec<f64>> = columns.iter().map(|one| columns.iter().map(|two| dot(one, two)).collect()).collect();
    gram.iter_mut().enumerate().for_each(|(at, row)| row[at] += ridge);
    nearest_to_origin(&gram)
}

/// The effect with given weights of units (summing to 1) and periods.
fn effect(table: &Table<'_>, unit: &[f64], period: &[f64]) -> f64 {
    let change = |row: &[f64]| average(&row[table.start..]) - dot(&row[..table.start], period);
    let treated: Vec<f64> = table.treated.iter().map(|row| change(row)).collect();
    average(&treated) - table.untreated.iter().zip(unit).map(|(row, weight)| weight * change(row)).sum::<f64>()
}

fn estimate(table: &Table<'_>, found: &Weights, variance: SyntheticVariance, level: f64) -> Result<ObservedEffect, ObservationalError> {
    let value = effect(table, &found.unit, &found.period);
    let std_error = match variance {
        SyntheticVariance::Jackknife => jackknife(table, found),
        SyntheticVariance::Placebo { draws, seed } => placebo(table, draws, seed)?,
    };
    let counts =
        Counts { treated: table.treated.len(), untreated: table.untreated.len(), clusters: table.treated.len() + table.untreated.len() };
    Ok(ObservedEffect::student(value, std_error, f64::INFINITY, level, counts))
}

fn jackknife(table: &Table<'_>, found: &Weights) -> f64 {
    let without = |rows: &[&'_ [f64]], left_out: usize| -> Vec<Vec<f64>> {
        rows.iter().enumerate().filter(|(at, _)| *at != left_out).map(|(_, row)| row.to_vec()).collect()
    };
    let of = |untreated: &[Vec<f64>], treated: &[Vec<f64>], unit: &[f64]| {
        let table = Table {
            untreated: untreated.iter().map(Vec::as_slice).collect(),
            treated: treated.iter().map(Vec::as_slice).collect(),
            start: table.start,
        };
        let all: f64 = unit.iter().sum();
        effect(&table, &unit.iter().map(|weight| weight / all).collect::<Vec<f64>>(), &found.period)
    };
    let untreated = without(&table.untreated, usize::MAX);
    let treated = without(&table.treated, usize::MAX);
    let mut effects = vec![];
    for left_out in 0..untreated.len() {
        let mut unit = found.unit.clone();
        unit.remove(left_out);
        // All weight on one unit: nothing is left to compare with without it.
        if unit.iter().sum::<f64>() > 0.0 {
            effects.push(of(&without(&table.untreated, left_out), &treated, &unit));
        }
    }
    effects.extend((0..treated.len()).map(|left_out| of(&untreated, &without(&table.treated, left_out), &found.unit)));
    let (n, centre) = (effects.len() as f64, average(&effects));
    ((n - 1.0) / n * effects.iter().map(|effect| (effect - centre).powi(2)).sum::<f64>()).sqrt()
}

fn placebo(table: &Table<'_>, draws: usize, seed: u64) -> Result<f64, ObservationalError> {
    let (many, donors) = (table.treated.len(), table.untreated.len());
    if donors < many + 2 {
        return Err(ObservationalError::NoControls { controls: donors, needed: many + 2 });
    }
    let chance = Draw::seeded(seed);
    let repeats = if many == 1 { donors } else { draws };
    if repeats < 2 {
        return Err(ObservationalError::Setting {
            name: "draws",
            value: draws as f64,
            needed: "at least 2 are needed",
            consequence: "one placebo has no variance",
        });
    }
    let fakes: Result<Vec<f64>, ObservationalError> = (0..repeats)
        .into_par_iter()
        .map(|draw| {
            let mut order: Vec<usize> = (0..donors).collect();
            if many == 1 {
                order.swap(0, draw);
            } else {
                chance.fork(&format!("synthetic {draw}")).shuffle(&mut order);
            }
            let rows = |chosen: &[usize]| chosen.iter().map(|&at| table.untreated[at]).collect();
            let fake = Table { treated: rows(&order[..many]), untreated: rows(&order[many..]), start: table.start };
            let found = weights(&fake)?;
            Ok(effect(&fake, &found.unit, &found.period))
        })
        .collect();
    let fakes = fakes?;
    let centre = average(&fakes);
    Ok((fakes.iter().map(|fake| (fake - centre).powi(2)).sum::<f64>() / fakes.len() as f64).sqrt())
}

/// A start halfway through the periods before.
fn in_time(panel: &Panel, start: usize, variance: SyntheticVariance) -> Result<Option<Check>, ObservationalError> {
    let fake = start / 2;
    if fake < 2 {
        return Ok(None);
    }
    let table = table(panel, fake, start)?;
    let found = match weights(&table) {
        Err(ObservationalError::Constant { .. }) => return Ok(None),
        other => other?,
    };
    let effect = estimate(&table, &found, variance, 0.95)?;
    let reads = format!(
        "effect of a start at time {} that never was (standard error {:.4}); one that differs from 0 says that weighted units weren't parallel",
        panel.times()[fake],
        effect.std_error
    );
    Ok(Some(Check::new(CheckKind::PlaceboInTime, effect.value, effect.p_value, reads)))
}
