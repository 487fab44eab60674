//! Switchbacks: everybody in a place gets one arm for a period, then perhaps the other (Bojinov,
//! Simchi-Levi and Zhao 2023, Management Science, "Design and analysis of switchback experiments").
//!
//! Rows of one period of one place are one draw, so periods are the clusters of [`super::cluster_sums`].
//! What was done before carries over: rows within `burn_in` after a change of arm are left out, which
//! removes the bias of effects that last no longer, at the price of rows. Choose it before the data; the
//! order of carry-over can be looked at by comparing estimates with longer and longer burn-in.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{ClusterSums, ExperimentError, cluster_sums};

/// When arms were on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct SwitchbackDesign {
    /// Start of the first period, in any unit of time.
    pub start: i64,
    /// Length of a period in the same unit, above 0.
    pub period: i64,
    /// Time after a change of arm during which outcomes are still caused by the arm before.
    pub burn_in: i64,
}

/// Rows of a switchback.
#[derive(Debug, Clone, Copy)]
pub struct SwitchbackRows<'a> {
    /// Metric columns.
    pub columns: &'a [&'a [f64]],
    /// Each row's time, not going backwards within a place.
    pub time: &'a [i64],
    /// Each row's place: city, warehouse.
    pub place: &'a [u32],
    /// The arm that was on.
    pub arm: &'a [u32],
}

/// Periods as clusters, and what was left out.
#[derive(Debug, Clone, PartialEq)]
pub struct Switchback {
    /// One row a place and period.
    pub periods: ClusterSums,
    /// Rows left out after a change of arm.
    pub burnt: usize,
    /// Changes of arm.
    pub switches: usize,
}

/// Sums a switchback's rows by place and period.
///
/// # Errors
/// Where times go backwards or lie before the start, two arms were on in one period of one place, the
/// design's numbers are out of range, or as [`cluster_sums`].
pub fn switchback(design: SwitchbackDesign, rows: SwitchbackRows<'_>) -> Result<Switchback, ExperimentError> {
    check(design)?;
    let columns = rows.columns.iter().map(|column| ("column", column.len()));
    for (name, found) in columns.chain([("place", rows.place.len()), ("arm", rows.arm.len())]) {
        if found != rows.time.len() {
            return Err(ExperimentError::Length { column: name.to_owned(), found, expected: rows.time.len() });
        }
    }
    let arms = arms_by_period(design, rows)?;
    let before = |place: u32, period: i64| arms.range(..(place, period)).next_back().filter(|(key, _)| key.0 == place).map(|(_, arm)| *arm);
    let switched: BTreeMap<(u32, i64), bool> =
        arms.iter().map(|(&(place, period), &arm)| ((place, period), before(place, period).is_some_and(|last| last != arm))).collect();
    let key = |row: usize| (rows.place[row], rows.time[row].saturating_sub(design.start) / design.period);
    let since = |row: usize| rows.time[row].saturating_sub(design.start) % design.period;
    let kept: Vec<usize> = (0..rows.time.len()).filter(|&row| !(switched[&key(row)] && since(row) < design.burn_in)).collect();
    let numbers: BTreeMap<(u32, i64), u64> = arms.keys().zip(0_u64..).map(|(&key, number)| (key, number)).collect();
    let cluster: Vec<u64> = kept.iter().map(|&row| numbers[&key(row)]).collect();
    let arm: Vec<u32> = kept.iter().map(|&row| rows.arm[row]).collect();
    let columns: Vec<Vec<f64>> = rows.columns.iter().map(|column| kept.iter().map(|&row| column[row]).collect()).collect();
    let columns: Vec<&[f64]> = columns.iter().map(Vec::as_slice).collect();
    Ok(Switchback {
        periods: cluster_sums(&columns, &cluster, &arm)?,
        burnt: rows.time.len() - kept.len(),
        switches: switched.values().filter(|&&switched| switched).count(),
    })
}

fn check(design: SwitchbackDesign) -> Result<(), ExperimentError> {
    if design.period > 0 && design.burn_in >= 0 && design.burn_in < design.period {
        return Ok(());
    }
    Err(ExperimentError::Setting {
        name: "burn_in",
        value: design.burn_in as f64,
        needed: "a period above 0 and a burn-in from 0 to below it are needed",
        consequence: "no row of a period after a change would be left, or periods would have no end",
    })
}

fn arms_by_period(design: SwitchbackDesign, rows: SwitchbackRows<'_>) -> Result<BTreeMap<(u32, i64), u32>, ExperimentError> {
    let mut arms = BTreeMap::new();
    let mut last: BTreeMap<u32, i64> = BTreeMap::new();
    for (row, (&time, (&place, &arm))) in rows.time.iter().zip(rows.place.iter().zip(rows.arm)).enumerate() {
        let before = last.insert(place, time).unwrap_or(design.start);
        if time < before {
            return Err(ExperimentError::TimeBackwards {
                row: row as u64,
                what: format!("place {place}: time {time} comes after {before}"),
                consequence: "a row counted for the wrong period is counted for the wrong arm. Sort rows by time, and check clocks and time zones",
            });
        }
        let period = time.saturating_sub(design.start) / design.period;
        let first = *arms.entry((place, period)).or_insert(arm);
        if first != arm {
            let unit = format!("period {period} of place {place}");
            return Err(ExperimentError::TwoArms { row: row as u64, unit, kind: "period", first, second: arm });
        }
    }
    Ok(arms)
}
