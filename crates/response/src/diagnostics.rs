//! Whether the comparison is fair: overlap of propensities, balance of covariates, and what a
//! naive comparison would have said.

use serde::Serialize;

use crate::nuisance::Nuisance;
use crate::panel::{COVARIATES, Panel};

/// How far the chosen and the others resemble each other.
#[derive(Debug, Clone, Serialize)]
pub struct Overlap {
    /// Rows by propensity in twenty equal bins of [0, 1]: the others.
    pub control: [u32; 20],
    /// The same: the chosen.
    pub treated: [u32; 20],
    /// Share of rows whose propensity was clipped.
    pub clipped: f64,
    /// Kish's effective sample size of the chosen under inverse-propensity weights.
    pub effective_treated: f64,
    /// Rows of the chosen.
    pub n_treated: usize,
    /// Rows of the others.
    pub n_control: usize,
}

/// Standardised mean difference of one covariate between the chosen and the others; below 0.1 in
/// magnitude is called balanced (Austin 2009).
#[derive(Debug, Clone, Serialize)]
pub struct Balance {
    /// The covariate.
    pub name: &'static str,
    /// As it was.
    pub raw: f64,
    /// After inverse-propensity weighting.
    pub weighted: f64,
}

/// The mean effect on everybody, adjusted and not. Major units per customer and 28 days.
#[derive(Debug, Clone, Serialize)]
pub struct MeanEffect {
    /// Difference of the arms' means: what a dashboard would say.
    pub naive: f64,
    /// Doubly robust.
    pub adjusted: f64,
    /// 95 % interval of the adjusted, clustered by customer.
    pub low: f64,
    /// Its upper end.
    pub high: f64,
    /// Rows that were treated.
    pub treated: usize,
    /// All rows.
    pub rows: usize,
}

/// The overlap of a panel.
pub fn overlap(panel: &Panel, nuisance: &[Nuisance]) -> Overlap {
    let mut overlap = Overlap { control: [0; 20], treated: [0; 20], clipped: 0.0, effective_treated: 0.0, n_treated: 0, n_control: 0 };
    let (mut sum, mut squares, mut clipped) = (0.0, 0.0, 0_u32);
    for (row, nuisance) in panel.rows.iter().zip(nuisance) {
        // A propensity is inside (0, 1).
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let bin = ((nuisance.propensity * 20.0) as usize).min(19);
        clipped += u32::from(nuisance.clipped);
        if row.treated {
            overlap.treated[bin] += 1;
            overlap.n_treated += 1;
            sum += 1.0 / nuisance.propensity;
            squares += nuisance.propensity.powi(-2);
        } else {
            overlap.control[bin] += 1;
            overlap.n_control += 1;
        }
    }
    overlap.clipped = f64::from(clipped) / panel.rows.len().max(1) as f64;
    overlap.effective_treated = if squares > 0.0 { sum * sum / squares } else { 0.0 };
    overlap
}

/// The balance of every covariate.
pub fn balance(panel: &Panel, nuisance: &[Nuisance]) -> Vec<Balance> {
    let mean = |column: usize, treated: bool, weight: &dyn Fn(&Nuisance) -> f64| {
        let (mut sum, mut weights, mut squares) = (0.0, 0.0, 0.0);
        for (row, nuisance) in panel.rows.iter().zip(nuisance).filter(|(row, _)| row.treated == treated) {
            let weight = weight(nuisance);
            sum += weight * row.covariates[column];
            squares += weight * row.covariates[column].powi(2);
            weights += weight;
        }
        let mean = if weights > 0.0 { sum / weights } else { 0.0 };
        let variance = if weights > 0.0 { (squares / weights - mean * mean).max(0.0) } else { 0.0 };
        (mean, variance)
    };
    COVARIATES
        .iter()
        .enumerate()
        .map(|(column, name)| {
            let (one, zero) = (mean(column, true, &|_| 1.0), mean(column, false, &|_| 1.0));
            let pooled = ((one.1 + zero.1) / 2.0).sqrt().max(1e-9);
            let treated = mean(column, true, &|nuisance| 1.0 / nuisance.propensity).0;
            let control = mean(column, false, &|nuisance| 1.0 / (1.0 - nuisance.propensity)).0;
            Balance { name, raw: (one.0 - zero.0) / pooled, weighted: (treated - control) / pooled }
        })
        .collect()
}

/// The mean effect of the campaigns for which `include` holds.
pub fn mean_effect(panel: &Panel, nuisance: &[Nuisance], include: impl Fn(usize) -> bool) -> Option<MeanEffect> {
    let mut by_subject = std::collections::BTreeMap::new();
    let mut arms = [(0.0, 0_usize); 2];
    for (row, nuisance) in panel.rows.iter().zip(nuisance).filter(|(row, _)| include(row.campaign)) {
        let sum = by_subject.entry(row.subject).or_insert((0.0, 0.0));
        *sum = (sum.0 + nuisance.score, sum.1 + 1.0);
        let arm = &mut arms[usize::from(row.treated)];
        *arm = (arm.0 + row.outcome, arm.1 + 1);
    }
    let rows = arms[0].1 + arms[1].1;
    if arms[0].1 == 0 || arms[1].1 == 0 {
        return None;
    }
    let adjusted = by_subject.values().map(|(sum, _)| sum).sum::<f64>() / rows as f64;
    let customers = by_subject.len() as f64;
    let spread: f64 = by_subject.values().map(|(sum, count)| (sum - count * adjusted).powi(2)).sum();
    let error = (spread * customers / (customers - 1.0).max(1.0)).sqrt() / rows as f64;
    Some(MeanEffect {
        naive: arms[1].0 / arms[1].1 as f64 - arms[0].0 / arms[0].1 as f64,
        adjusted,
        low: adjusted - 1.96 * error,
        high: adjusted + 1.96 * error,
        treated: arms[1].1,
        rows,
    })
}
