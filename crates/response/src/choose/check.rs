//! Refuses rows that nothing can be learnt from.

use super::fit::Experiment;
use crate::error::ResponseError;
use crate::objective::Objective;

/// Least rows of an arm.
const LEAST_ROWS: usize = 50;

/// Rows of an arm.
pub(super) fn size(experiment: &Experiment<'_>, arm: usize) -> usize {
    experiment.arm.iter().filter(|of| **of as usize == arm).count()
}

/// Refuses rows that nothing can be learnt from; the control's place.
pub(super) fn check(experiment: &Experiment<'_>) -> Result<usize, ResponseError> {
    let cell = |row: usize, column: &str, value: f64, rule| ResponseError::Cell {
        row: row + 1,
        column: column.to_owned(),
        value: if value.is_nan() { "empty or not a number".to_owned() } else { value.to_string() },
        rule,
    };
    let there: Vec<&String> =
        experiment.arms.iter().enumerate().filter(|(arm, _)| size(experiment, *arm) > 0).map(|(_, name)| name).collect();
    if let Some(row) = experiment.arm.iter().position(|arm| *arm as usize >= experiment.arms.len()) {
        return Err(ResponseError::Cell {
            row: row + 1,
            column: "treatment".to_owned(),
            value: "empty".to_owned(),
            rule: "has to name an arm: fill it in, or leave the row out",
        });
    }
    let Some(control) = experiment.arms.iter().position(|name| name == experiment.control && there.contains(&name)) else {
        let there = there.iter().map(|name| format!("{name:?}")).collect::<Vec<_>>().join(", ");
        return Err(ResponseError::NoControl { control: experiment.control.to_owned(), there });
    };
    if there.len() == 1 {
        return Err(ResponseError::OneArm { arm: experiment.control.to_owned() });
    }
    for (arm, name) in experiment.arms.iter().enumerate() {
        let rows = size(experiment, arm);
        if rows > 0 && rows < LEAST_ROWS {
            return Err(ResponseError::FewRows { arm: name.clone(), rows, least: LEAST_ROWS });
        }
    }
    let rule = match experiment.objective {
        Objective::Continuous => "has to be a finite number in every row: leave out customers whose outcome is not known",
        Objective::Binary => "has to be 0 or 1 in every row, or name another --outcome-kind",
        Objective::Count => "has to be 0, 1, 2 … in every row, or name another --outcome-kind",
        Objective::Spend => "has to be 0 or more in every row, or name another --outcome-kind",
    };
    let fits = |value: f64| {
        value.is_finite()
            && value.abs() < 1e30
            && match experiment.objective {
                Objective::Continuous => true,
                Objective::Binary => value == 0.0 || value == 1.0,
                Objective::Count => value >= 0.0 && value.fract() == 0.0,
                Objective::Spend => value >= 0.0,
            }
    };
    if let Some(row) = experiment.outcome.iter().position(|value| !fits(*value)) {
        return Err(cell(row, "outcome", experiment.outcome[row], rule));
    }
    if let Some(cost) = experiment.cost
        && let Some(row) = cost.iter().position(|cost| !cost.is_finite())
    {
        return Err(cell(row, "cost", cost[row], "has to be a finite number in every row"));
    }
    for column in experiment.propensity.into_iter().flatten() {
        if let Some(row) = column.iter().position(|p| !(*p > 0.0 && *p < 1.0)) {
            let rule =
                "has to be above 0 and below 1: where an arm was impossible or certain there is nothing to compare; leave such rows out";
            return Err(cell(row, "propensity", column[row], rule));
        }
    }
    Ok(control)
}

/// Mean cost of each treatment beyond the control's.
pub(super) fn costs(experiment: &Experiment<'_>, control: usize, treatments: &[usize]) -> Vec<f64> {
    let mean = |arm: usize| {
        let of = |cost: &[f64]| {
            let rows = experiment.arm.iter().zip(cost).filter(|(of, _)| **of as usize == arm);
            rows.map(|(_, cost)| cost).sum::<f64>() / size(experiment, arm).max(1) as f64
        };
        experiment.cost.map_or(0.0, of)
    };
    treatments.iter().map(|&arm| mean(arm) - mean(control)).collect()
}
