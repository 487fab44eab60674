//! One series with a start: what both interrupted time series work on.

use super::ObservationalError;
use crate::experiment::solve::dot;

/// An outcome over time, the place of the first period with treatment, and what else may explain it.
#[derive(Debug, Clone, PartialEq)]
pub struct TimeSeries {
    pub(super) times: Vec<i64>,
    pub(super) outcome: Vec<f64>,
    pub(super) start: usize,
    pub(super) season: usize,
    /// Columns: controls, then season's indicators.
    pub(super) columns: Vec<Vec<f64>>,
}

impl TimeSeries {
    /// `times` ascend by equal steps; `start` is the first time with treatment. `season` is the number of periods after which a season
    /// comes back (7 for days of the week); 0 or 1 for none. `controls` are series that the treatment can't have moved.
    ///
    /// # Errors
    /// Where times go backwards or leave gaps, lengths differ, a value isn't finite, the outcome doesn't vary before the
    /// start, a control is the outcome or a multiple, or too few periods are before (two more than coefficients) or none after.
    pub fn new(times: &[i64], outcome: &[f64], start: i64, season: usize, controls: &[Vec<f64>]) -> Result<Self, ObservationalError> {
        check_times(times)?;
        let names = std::iter::once("outcome".to_owned()).chain((0..controls.len()).map(|at| format!("control {at}")));
        for (column, values) in names.zip(std::iter::once(outcome).chain(controls.iter().map(Vec::as_slice))) {
            if values.len() != times.len() {
                return Err(ObservationalError::Length { column, found: values.len(), expected: times.len() });
            }
            if let Some((row, &value)) = values.iter().enumerate().find(|(_, value)| !value.is_finite()) {
                return Err(ObservationalError::NotFinite { row, column, value });
            }
        }
        if let Some(at) = controls.iter().position(|control| is_multiple(control, outcome)) {
            return Err(ObservationalError::PerfectFit { what: format!("control {at}") });
        }
        let start = times.partition_point(|&time| time < start);
        if start >= times.len() {
            return Err(ObservationalError::NoPostPeriod);
        }
        // Before columns are made: a season may be as long as anybody can write.
        let needed = controls.len().saturating_add(season.saturating_sub(1)).saturating_add(4);
        if start < needed {
            return Err(ObservationalError::NoPrePeriod { periods: start, needed });
        }
        let mut columns = controls.to_vec();
        // The first season is the reference.
        for one in 1..season {
            columns.push((0..times.len()).map(|period| f64::from(u8::from(period % season == one))).collect());
        }
        if outcome[1..start].iter().all(|&value| value == outcome[0]) {
            return Err(ObservationalError::Constant { what: "the outcome before the start".to_owned() });
        }
        Ok(Self { times: times.to_vec(), outcome: outcome.to_vec(), start, season, columns })
    }

    /// Place of the first period with treatment.
    pub const fn start(&self) -> usize {
        self.start
    }

    /// Periods from the start on.
    pub const fn after(&self) -> usize {
        self.outcome.len() - self.start
    }

    /// The periods before `until`, with another start.
    pub(super) fn part(&self, until: usize, start: usize) -> Option<Self> {
        let columns: Vec<Vec<f64>> = self.columns.iter().map(|column| column[..until].to_vec()).collect();
        let enough = start >= columns.len() + 4 && start < until;
        enough.then(|| Self {
            times: self.times[..until].to_vec(),
            outcome: self.outcome[..until].to_vec(),
            start,
            season: self.season,
            columns,
        })
    }

    /// The controls and season of a period.
    pub(super) fn row(&self, period: usize) -> impl Iterator<Item = f64> {
        self.columns.iter().map(move |column| column[period])
    }
}

/// Whether two series go together but for a file's rounding: by their steps, which have neither level nor line.
fn is_multiple(one: &[f64], two: &[f64]) -> bool {
    let steps = |series: &[f64]| -> Vec<f64> {
        let all: Vec<f64> = series.windows(2).map(|pair| pair[1] - pair[0]).collect();
        let mean = all.iter().sum::<f64>() / all.len().max(1) as f64;
        all.iter().map(|step| step - mean).collect()
    };
    let (one, two) = (steps(one), steps(two));
    let squares = dot(&one, &one) * dot(&two, &two);
    squares > 0.0 && dot(&one, &two).powi(2) > (1.0 - 1e-6) * squares
}

fn check_times(times: &[i64]) -> Result<(), ObservationalError> {
    if let Some(at) = times.windows(2).position(|pair| pair[1] <= pair[0]) {
        return Err(ObservationalError::TimeBackwards { row: at + 1, unit: 0, from: times[at], to: times[at + 1] });
    }
    let step = times.windows(2).map(|pair| pair[1].saturating_sub(pair[0])).min().unwrap_or(1);
    match times.windows(2).position(|pair| pair[1].saturating_sub(pair[0]) != step) {
        Some(at) => Err(ObservationalError::Gap { row: at + 1, time: times[at] + step }),
        None => Ok(()),
    }
}
