//! Doubly robust difference in differences of one change, for units with covariates from before.
//!
//! τ̂ = Σᵢ (w₁ᵢ − w₀ᵢ)(Δyᵢ − μ̂(xᵢ)), w₁ = D/ΣD, w₀ ∝ π̂(x)(1 − D)/(1 − π̂(x)); μ̂ is the least-squares line of untreated units'
//! changes, π̂ a logistic regression of treatment. Right if either is: parallel trends are then only needed among units with
//! equal covariates. With no covariates it is the plain difference in differences.
//!
//! Fails without overlap: units that were treated for certain have no counterpart (an error where the regression
//! separates, a warning in [`super::group_time_effects`] above π̂ = .995, as R's `DRDID` trims).
//!
//! Sant'Anna and Zhao 2020 (the estimator of panel data, "traditional").

use super::ObservationalError;
use crate::experiment::solve::{dot, inverse, product};

/// An average effect on the treated with each unit's influence on it; their mean is 0, and the variance of the
/// effect is their mean square over n.
pub(super) struct Influenced {
    pub value: f64,
    pub influence: Vec<f64>,
    /// Largest fitted chance of treatment among untreated units.
    pub largest_chance: f64,
}

/// `rows` have the intercept first.
pub(super) fn doubly_robust(changes: &[f64], treated: &[bool], rows: &[Vec<f64>]) -> Result<Influenced, ObservationalError> {
    let n = changes.len() as f64;
    let columns = rows.first().map_or(1, Vec::len);
    let is = |unit: usize| f64::from(u8::from(treated[unit]));
    let (chance, propensity) = logistic(treated, rows)?;
    let odds: Vec<f64> = chance.iter().enumerate().map(|(unit, chance)| (1.0 - is(unit)) * chance / (1.0 - chance)).collect();
    let outcome = line(changes, rows, &treated.iter().map(|treated| !treated).collect::<Vec<bool>>())?;
    let left: Vec<f64> = changes.iter().zip(rows).map(|(change, row)| change - dot(row, &outcome.slopes)).collect();
    let mean = |of: &dyn Fn(usize) -> f64| (0..changes.len()).map(of).sum::<f64>() / n;
    let means =
        |of: &dyn Fn(usize) -> f64| -> Vec<f64> { (0..columns).map(|column| mean(&|unit| of(unit) * rows[unit][column])).collect() };
    let (share, mass) = (mean(&is), mean(&|unit| odds[unit]));
    let of_treated = mean(&|unit| is(unit) * left[unit]) / share;
    let of_untreated = mean(&|unit| odds[unit] * left[unit]) / mass;
    // How the effect moves with the two fits.
    let along_treated = product(&outcome.bread, &means(&is));
    let along_untreated = product(&outcome.bread, &means(&|unit| odds[unit]));
    let along_chance = product(&propensity, &means(&|unit| odds[unit] * (left[unit] - of_untreated)));
    let influence = (0..changes.len()).map(|unit| {
        let row = &rows[unit];
        let score = (1.0 - is(unit)) * left[unit];
        let own = is(unit) * (left[unit] - of_treated) - score * dot(row, &along_treated);
        let others = odds[unit] * (left[unit] - of_untreated) + (is(unit) - chance[unit]) * dot(row, &along_chance)
            - score * dot(row, &along_untreated);
        own / share - others / mass
    });
    let largest_chance = chance.iter().zip(treated).filter(|(_, treated)| !**treated).map(|(chance, _)| *chance).fold(0.0, f64::max);
    Ok(Influenced { value: of_treated - of_untreated, influence: influence.collect(), largest_chance })
}

struct Line {
    slopes: Vec<f64>,
    /// n · (XᵀWX)⁻¹.
    bread: Vec<Vec<f64>>,
}

fn line(changes: &[f64], rows: &[Vec<f64>], among: &[bool]) -> Result<Line, ObservationalError> {
    let columns = rows.first().map_or(1, Vec::len);
    let mut gram = vec![vec![0.0; columns]; columns];
    let mut with = vec![0.0; columns];
    for ((row, change), _) in rows.iter().zip(changes).zip(among).filter(|(_, among)| **among) {
        add(&mut gram, row, 1.0);
        row.iter().zip(&mut with).for_each(|(cell, sum)| *sum += cell * change);
    }
    let bread = inverse(&gram).map_err(ObservationalError::of_system("covariates of untreated units"))?;
    let n = changes.len() as f64;
    Ok(Line {
        slopes: product(&bread, &with),
        bread: bread.into_iter().map(|row| row.into_iter().map(|cell| cell * n).collect()).collect(),
    })
}

/// Fitted chances, and n times the inverse of the information, by Newton's method.
fn logistic(treated: &[bool], rows: &[Vec<f64>]) -> Result<(Vec<f64>, Vec<Vec<f64>>), ObservationalError> {
    let columns = rows.first().map_or(1, Vec::len);
    let mut slopes = vec![0.0; columns];
    for _ in 0..50 {
        let chance: Vec<f64> = rows.iter().map(|row| 1.0 / (1.0 + (-dot(row, &slopes)).exp())).collect();
        let mut information = vec![vec![0.0; columns]; columns];
        let mut score = vec![0.0; columns];
        for ((row, chance), treated) in rows.iter().zip(&chance).zip(treated) {
            add(&mut information, row, chance * (1.0 - chance));
            let apart = f64::from(u8::from(*treated)) - chance;
            row.iter().zip(&mut score).for_each(|(cell, sum)| *sum += cell * apart);
        }
        let inverse = inverse(&information).map_err(|_| ObservationalError::NoOverlap)?;
        let step = product(&inverse, &score);
        slopes.iter_mut().zip(&step).for_each(|(slope, step)| *slope += step);
        let moved = dot(&step, &score);
        if moved < 1e-20 * treated.len() as f64 {
            let scaled = inverse.into_iter().map(|row| row.into_iter().map(|cell| cell * treated.len() as f64).collect()).collect();
            return Ok((chance, scaled));
        }
    }
    Err(ObservationalError::NoOverlap)
}

fn add(gram: &mut [Vec<f64>], row: &[f64], weight: f64) {
    for (one, line) in row.iter().zip(gram) {
        row.iter().zip(line).for_each(|(two, cell)| *cell += weight * one * two);
    }
}
