//! Regression adjustment with any number of covariates.
//!
//! [`Adjustment::Interacted`] (Lin 2013) fits a line in each arm and takes the arms' values at the mean of
//! all units: never worse than the difference of means for large arms. [`Adjustment::Ancova`] (Freedman
//! 2008) fits one slope for both. Variances are robust to unequal spread: HC2 (MacKinnon and White 1985),
//! unbiased where spread is equal, or HC3, a little wide; they need the rows a second time, as residuals
//! need the fit. [`Robust::Classical`] needs the statistics alone.
//!
//! The effect is that of the population that units are drawn from, so that the mean of covariates counts
//! as estimated: (β₁ − β₀)ᵀΣ(β₁ − β₀)/N is added (Negi and Wooldridge 2021). Covariates are from before the
//! experiment; fails with as many covariates as an arm has units.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::accumulate::Rows;
use super::solve::{dot, inverse, product, quadratic};
use super::{ArmEstimate, Contrast, ExperimentError, Metric, Moments};

/// Which lines are fitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Adjustment {
    /// A line in each arm (Lin).
    Interacted,
    /// One slope for both arms.
    Ancova,
}

/// Which variance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Robust {
    /// Equal spread within an arm.
    Classical,
    /// e²/(1 − h).
    Hc2,
    /// e²/(1 − h)².
    Hc3,
}

/// A fit: what a row's residual and leverage follow from.
struct Fit {
    /// Mean of the outcome and of covariates in each arm.
    outcome: [f64; 2],
    centres: [Vec<f64>; 2],
    slopes: [Vec<f64>; 2],
    /// Inverse of the sums of squares of covariates: each arm's own, or both arms'.
    gram: [Vec<Vec<f64>>; 2],
    /// From the arm's mean to the mean of all units.
    shift: [Vec<f64>; 2],
    units: [f64; 2],
    parameters: f64,
}

/// Adjusts from rows. `columns[0]` is the outcome, the others are covariates; `group` is 0 for control and
/// 1 for treatment.
///
/// # Errors
/// As [`super::accumulate()`] and [`super::unadjusted`], and where covariates are linearly dependent or
/// as many as an arm has units.
pub fn regression(rows: Rows<'_>, adjustment: Adjustment, robust: Robust) -> Result<Contrast, ExperimentError> {
    let arms = super::accumulate(rows, 2)?;
    let fit = fit(&arms[0], &arms[1], adjustment)?;
    let power = match robust {
        Robust::Classical => return regression_from_moments(&arms[0], &arms[1], adjustment),
        Robust::Hc2 => 1,
        Robust::Hc3 => 2,
    };
    let size = 8192;
    let chunks = rows.group.par_chunks(size).enumerate().map(|(chunk, group)| meat(&fit, rows, chunk * size, group, adjustment, power));
    let parts: Vec<Meat> = chunks.collect();
    let sum = |of: fn(&Meat) -> f64| parts.iter().map(of).sum::<f64>();
    contrast(&fit, &arms, sum(|meat| meat.control), sum(|meat| meat.treatment), sum(|meat| meat.covariance))
}

/// Adjusts from statistics alone, with the classical variance. Column 0 is the outcome, the others are
/// covariates.
///
/// # Errors
/// As [`regression`].
pub fn regression_from_moments(control: &Moments, treatment: &Moments, adjustment: Adjustment) -> Result<Contrast, ExperimentError> {
    let fit = fit(control, treatment, adjustment)?;
    let arms = [control.clone(), treatment.clone()];
    let residual: Vec<f64> = (0..2).map(|arm| residual_variance(&fit, &arms[arm], arm)).collect();
    let lever = |arm: usize, other: usize| dot(&fit.shift[arm], &product(&fit.gram[other], &fit.shift[other]));
    let n = fit.units;
    match adjustment {
        Adjustment::Interacted => {
            let own = |arm: usize| residual[arm] * (1.0 / n[arm] + lever(arm, arm));
            contrast(&fit, &arms, own(0), own(1), 0.0)
        }
        Adjustment::Ancova => {
            // One residual variance for both arms.
            let squares = |arm: usize| residual[arm] * (n[arm] - 1.0 - fit.parameters);
            let all = (squares(0) + squares(1)) / (n[0] + n[1] - 2.0 - fit.parameters);
            let own = |arm: usize| all * (1.0 / n[arm] + lever(arm, arm));
            contrast(&fit, &arms, own(0), own(1), all * lever(0, 1))
        }
    }
}

fn fit(control: &Moments, treatment: &Moments, adjustment: Adjustment) -> Result<Fit, ExperimentError> {
    super::unadjusted(Metric::mean(0), control, treatment)?;
    let covariates = control.columns() - 1;
    treatment.check_columns(0..control.columns())?;
    let arms = [control, treatment];
    for (moments, name) in arms.iter().zip(["control", "treatment"]) {
        if moments.units() <= covariates as u64 + 1 {
            return Err(ExperimentError::TooFewUnits { arm: format!("{name} with {covariates} covariates"), units: moments.units() });
        }
    }
    let total = control.merged(treatment);
    let squares = |moments: &Moments| -> (Vec<Vec<f64>>, Vec<f64>) {
        let below = moments.units() as f64 - 1.0;
        let matrix = (1..=covariates).map(|one| (1..=covariates).map(|two| moments.covariance(one, two) * below).collect()).collect();
        (matrix, (1..=covariates).map(|one| moments.covariance(one, 0) * below).collect())
    };
    let own = arms.map(squares);
    let grams = match adjustment {
        Adjustment::Interacted => own.clone(),
        Adjustment::Ancova => {
            let add = |one: &[f64], two: &[f64]| one.iter().zip(two).map(|(one, two)| one + two).collect::<Vec<f64>>();
            let matrix: Vec<Vec<f64>> = own[0].0.iter().zip(&own[1].0).map(|(one, two)| add(one, two)).collect();
            let both = (matrix, add(&own[0].1, &own[1].1));
            [both.clone(), both]
        }
    };
    let gram = [inverse(&grams[0].0)?, inverse(&grams[1].0)?];
    let slopes = [0, 1].map(|arm| product(&gram[arm], &grams[arm].1));
    let centres = arms.map(|moments| (1..=covariates).map(|column| moments.mean(column)).collect::<Vec<f64>>());
    let shift = [0, 1].map(|arm: usize| centres[arm].iter().enumerate().map(|(at, centre)| total.mean(at + 1) - centre).collect());
    Ok(Fit {
        outcome: arms.map(|moments| moments.mean(0)),
        centres,
        slopes,
        gram,
        shift,
        units: arms.map(|moments| moments.units() as f64),
        parameters: covariates as f64,
    })
}

/// Sums over rows of what each adds to the variances and the covariance of the arms' values.
struct Meat {
    control: f64,
    treatment: f64,
    covariance: f64,
}

/// An arm's value is its mean plus slope × shift; a row's weight in it is 1/n (own arm) plus, for each arm
/// whose slope it helped to fit, (x − centre)ᵀ gram · shift.
fn meat(fit: &Fit, rows: Rows<'_>, start: usize, group: &[u32], adjustment: Adjustment, power: i32) -> Meat {
    let toward = [0, 1].map(|arm: usize| product(&fit.gram[arm], &fit.shift[arm]));
    let mut sums = Meat { control: 0.0, treatment: 0.0, covariance: 0.0 };
    let mut apart = vec![0.0; fit.centres[0].len()];
    for (place, &arm) in group.iter().enumerate() {
        let (row, arm) = (start + place, arm as usize);
        for (at, cell) in apart.iter_mut().enumerate() {
            *cell = rows.columns[at + 1][row] - fit.centres[arm][at];
        }
        let residual = rows.columns[0][row] - fit.outcome[arm] - dot(&fit.slopes[arm], &apart);
        let leverage = 1.0 / fit.units[arm] + quadratic(&fit.gram[arm], &apart);
        let square = residual * residual / (1.0 - leverage).max(1e-12).powi(power);
        let mut weight = match adjustment {
            Adjustment::Interacted => [0.0, 0.0],
            Adjustment::Ancova => [dot(&apart, &toward[0]), dot(&apart, &toward[1])],
        };
        if adjustment == Adjustment::Interacted {
            weight[arm] = dot(&apart, &toward[arm]);
        }
        weight[arm] += 1.0 / fit.units[arm];
        sums.control += weight[0] * weight[0] * square;
        sums.treatment += weight[1] * weight[1] * square;
        sums.covariance += weight[0] * weight[1] * square;
    }
    sums
}

fn residual_variance(fit: &Fit, moments: &Moments, arm: usize) -> f64 {
    let covariates = fit.slopes[arm].len();
    let with: Vec<f64> = (1..=covariates).map(|column| moments.covariance(column, 0)).collect();
    let among: Vec<Vec<f64>> = (1..=covariates).map(|one| (1..=covariates).map(|two| moments.covariance(one, two)).collect()).collect();
    let slopes = &fit.slopes[arm];
    let variance = moments.variance(0) - 2.0 * dot(slopes, &with) + quadratic(&among, slopes);
    let n = fit.units[arm];
    variance.max(0.0) * (n - 1.0) / (n - 1.0 - fit.parameters)
}

fn contrast(fit: &Fit, arms: &[Moments], control: f64, treatment: f64, covariance: f64) -> Result<Contrast, ExperimentError> {
    // The mean of covariates is an estimate that both arms share.
    let total = arms[0].merged(&arms[1]);
    let covariates = fit.slopes[0].len();
    let spread: Vec<Vec<f64>> =
        (1..=covariates).map(|one| (1..=covariates).map(|two| total.covariance(one, two) / total.units() as f64).collect()).collect();
    let shared = |one: usize, two: usize| dot(&fit.slopes[one], &product(&spread, &fit.slopes[two]));
    let own = [control, treatment];
    if own.iter().any(|variance| variance.is_nan() || *variance <= 0.0) {
        return Err(ExperimentError::Constant { metric: "outcome less its covariates".to_owned(), arm: "an arm".to_owned() });
    }
    let estimate = |arm: usize| {
        let value = fit.outcome[arm] + dot(&fit.slopes[arm], &fit.shift[arm]);
        let df = (fit.units[arm] - 1.0 - fit.parameters).max(1.0);
        ArmEstimate::plain(arms[arm].units(), value, own[arm] + shared(arm, arm), df)
    };
    Ok(Contrast { control: estimate(0), treatment: estimate(1), covariance: covariance + shared(0, 1) })
}
