//! Whether an effect wears off or grows with time since first exposure.
//!
//! Every unit that was followed for D days gives D outcomes; effects by day are a vector with the covariance
//! that its units' days have (Welch in D dimensions), and the trend is its least-squares slope, cᵀd with the
//! variance cᵀVc. Days of one unit depend on each other, and that is counted. Units followed for less are
//! left out: with them, later days would be those of early units only, and a change of units would pass for
//! a change of effect.

use serde::Serialize;

use super::special::t_two_sided;
use super::{Effect, ExperimentError, Frequentist, Metric, Moments, Rows, Scale, Warning, accumulate, frequentist, unadjusted};

/// Rows by unit and day.
#[derive(Debug, Clone, Copy)]
pub struct DayRows<'a> {
    /// Whose.
    pub unit: &'a [u64],
    /// The unit's arm: 0 for control, 1 for treatment.
    pub arm: &'a [u32],
    /// Days from the unit's first exposure to the outcome.
    pub day: &'a [i64],
    /// The outcome.
    pub value: &'a [f64],
}

/// Everybody who was exposed: unit, arm, and how many days it was followed.
#[derive(Debug, Clone, Copy)]
pub struct Followed<'a> {
    /// Whose; each once.
    pub unit: &'a [u64],
    /// The unit's arm.
    pub arm: &'a [u32],
    /// Days that were observed.
    pub days: &'a [i64],
}

/// Effects by day since first exposure.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Novelty {
    /// One effect a day, absolute.
    pub days: Vec<Effect>,
    /// Change of the effect a day.
    pub slope: f64,
    /// Lower end of its 95 % interval.
    pub slope_low: f64,
    /// Upper end.
    pub slope_high: f64,
    /// Chance of such a slope were the effect the same every day.
    pub p_value: f64,
    /// Units of both arms that were followed long enough.
    pub n: u64,
    /// Units that weren't.
    pub left_out: u64,
}

/// Statistics with a column for each of the first `days` days, by arm, and how many units were left out.
///
/// # Errors
/// Where an outcome comes before the exposure, a unit of an outcome isn't among those followed or is in
/// another arm, or a value isn't finite.
pub fn by_day(followed: Followed<'_>, rows: DayRows<'_>, days: usize) -> Result<(Vec<Moments>, u64), ExperimentError> {
    check_lengths(followed, rows)?;
    let mut units: Vec<usize> = (0..followed.unit.len()).collect();
    units.sort_unstable_by_key(|&place| followed.unit[place]);
    if let Some(twice) = units.windows(2).find(|pair| followed.unit[pair[0]] == followed.unit[pair[1]]) {
        return Err(ExperimentError::Setting {
            name: "followed unit",
            value: followed.unit[twice[0]] as f64,
            needed: "each unit can be followed once",
            consequence: "counted twice, a unit would make intervals too narrow",
        });
    }
    let long: Vec<usize> =
        units.iter().copied().filter(|&place| usize::try_from(followed.days[place]).is_ok_and(|seen| seen >= days)).collect();
    let mut columns = vec![vec![0.0; long.len()]; days];
    for (row, &unit) in rows.unit.iter().enumerate() {
        check_row(row, unit, rows, &units, followed)?;
        let place = long.binary_search_by_key(&unit, |&place| followed.unit[place]);
        let day = usize::try_from(rows.day[row]).unwrap_or(usize::MAX);
        if let (Ok(place), Some(column)) = (place, columns.get_mut(day)) {
            column[place] += rows.value[row];
        }
    }
    let columns: Vec<&[f64]> = columns.iter().map(Vec::as_slice).collect();
    let group: Vec<u32> = long.iter().map(|&place| followed.arm[place]).collect();
    let moments = accumulate(Rows { columns: &columns, names: &[], group: &group }, 2)?;
    Ok((moments, (units.len() - long.len()) as u64))
}

fn check_lengths(followed: Followed<'_>, rows: DayRows<'_>) -> Result<(), ExperimentError> {
    let (units, outcomes) = (followed.unit.len(), rows.unit.len());
    let lengths = [
        ("arm of those followed", followed.arm.len(), units),
        ("days", followed.days.len(), units),
        ("arm", rows.arm.len(), outcomes),
        ("day", rows.day.len(), outcomes),
        ("value", rows.value.len(), outcomes),
    ];
    lengths
        .into_iter()
        .find(|(_, found, expected)| found != expected)
        .map_or(Ok(()), |(name, found, expected)| Err(ExperimentError::Length { column: name.to_owned(), found, expected }))
}

fn check_row(row: usize, unit: u64, rows: DayRows<'_>, units: &[usize], followed: Followed<'_>) -> Result<(), ExperimentError> {
    if rows.day[row] < 0 {
        return Err(ExperimentError::TimeBackwards {
            row: row as u64,
            what: format!("unit {unit}: an outcome {} day(s) before its first exposure", rows.day[row].unsigned_abs()),
            consequence: "what happened before can't have been caused; counted, it pulls the effect towards 0. Drop outcomes from before the exposure, and check clocks and time zones",
        });
    }
    let Ok(place) = units.binary_search_by_key(&unit, |&place| followed.unit[place]) else {
        return Err(ExperimentError::Setting {
            name: "unit",
            value: unit as f64,
            needed: "every outcome's unit has to be among those followed",
            consequence: "units without an outcome would be missing, and the effect be that on those who have one",
        });
    };
    let first = followed.arm[units[place]];
    if first == rows.arm[row] {
        return Ok(());
    }
    Err(ExperimentError::TwoArms { row: row as u64, unit: format!("unit {unit}"), kind: "unit", first, second: rows.arm[row] })
}

/// Effects by day and their trend, from a column for each day.
///
/// # Errors
/// Where there are fewer than 2 days, or as [`unadjusted`] for a day.
pub fn novelty(control: &Moments, treatment: &Moments, left_out: u64) -> Result<Novelty, ExperimentError> {
    let count = control.columns();
    treatment.check_columns(0..count)?;
    if count < 2 {
        return Err(ExperimentError::Setting {
            name: "days",
            value: count as f64,
            needed: "at least 2 days are needed",
            consequence: "one day has no trend",
        });
    }
    let days = (0..count)
        .map(|day| frequentist(&unadjusted(Metric::mean(day), control, treatment)?, Scale::Absolute, Frequentist::default()))
        .collect::<Result<Vec<Effect>, ExperimentError>>()?;
    let middle = (count as f64 - 1.0) / 2.0;
    let squares: f64 = (0..count).map(|day| (day as f64 - middle).powi(2)).sum();
    let weight = |day: usize| (day as f64 - middle) / squares;
    let slope: f64 = days.iter().enumerate().map(|(day, effect)| weight(day) * effect.value).sum();
    let variance = |moments: &Moments| {
        let pairs = (0..count).flat_map(|one| (0..count).map(move |two| (one, two)));
        pairs.map(|(one, two)| weight(one) * weight(two) * moments.covariance(one, two)).sum::<f64>() / moments.units() as f64
    };
    let (one, two) = (variance(control), variance(treatment));
    let df = (one + two).powi(2) / (one * one / (control.units() as f64 - 1.0) + two * two / (treatment.units() as f64 - 1.0));
    let std_error = (one + two).sqrt();
    let half = std_error * super::special::t_upper_quantile(0.025, df);
    Ok(Novelty {
        days,
        slope,
        slope_low: slope - half,
        slope_high: slope + half,
        p_value: t_two_sided(slope / std_error, df),
        n: control.units() + treatment.units(),
        left_out,
    })
}

impl Novelty {
    /// A warning where the effect changes with time.
    pub fn warning(&self, alarm: f64) -> Option<Warning> {
        (self.p_value < alarm).then(|| {
            let message = format!(
                "the effect changes by {:.4} a day since first exposure (p = {:.2e}): the average over this experiment is not what a lasting rollout would bring. Run longer, and judge by the last days",
                self.slope, self.p_value
            );
            Warning::new("novelty", message)
        })
    }
}
