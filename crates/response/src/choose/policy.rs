//! Whether giving each customer the treatment that promises most is worth more than the best single
//! treatment, or none, for all (invariant 9).

use serde::{Deserialize, Serialize};

use super::basics::Basics;
use super::fit::Experiment;
use crate::model::ArmModel;

/// What the choice by customer was worth on rows that the models did not see. Units of the outcome a
/// customer, less cost.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct PolicyReport {
    /// The best treatment for all, or the control.
    pub best_single: String,
    /// Its value.
    pub best_single_value: f64,
    /// Value of choosing for each customer.
    pub personalised_value: f64,
    /// How much more choosing earns than the best single, doubly robust …
    pub gain: f64,
    /// … and its standard error.
    pub gain_std_error: f64,
    /// Whether the model recommends by customer: the gain's 95 % interval is above zero. Else it recommends
    /// the best single treatment to all.
    pub ships: bool,
    /// Whether any treatment's effect differs detectably between customers.
    pub detectable: bool,
    /// The same in words.
    pub verdict: String,
}

/// What a policy's value is estimated from.
#[derive(Debug)]
pub(crate) struct Values<'a> {
    pub(crate) basics: &'a Basics,
    pub(crate) experiment: &'a Experiment<'a>,
    pub(crate) control: usize,
    pub(crate) treatments: &'a [usize],
    pub(crate) costs: &'a [f64],
}

impl Values<'_> {
    /// The doubly robust score of a row less the arm's cost; place 0 is the control, the others are the treatments'.
    fn net(&self, row: usize, place: usize) -> f64 {
        match place.checked_sub(1) {
            None => self.basics.score(self.experiment, row, self.control),
            Some(place) => self.basics.score(self.experiment, row, self.treatments[place]) - self.costs[place],
        }
    }
}

/// The place (0 for the control) that promises most.
pub(crate) fn best_place(effects: impl Iterator<Item = f64>) -> usize {
    let mut best = (0, 0.0);
    for (place, effect) in effects.enumerate() {
        if effect > best.1 {
            best = (place + 1, effect);
        }
    }
    best.0
}

/// Judges the choice by `unseen` effects (by treatment, then row; NaN where there is none).
pub(crate) fn policy(values: &Values<'_>, unseen: &[Vec<f64>], arms: &[ArmModel]) -> PolicyReport {
    let rows: Vec<usize> = (0..values.experiment.arm.len()).filter(|&row| unseen.iter().all(|effects| !effects[row].is_nan())).collect();
    let size = rows.len().max(1) as f64;
    let places = values.treatments.len() + 1;
    let of_all: Vec<f64> = (0..places).map(|place| rows.iter().map(|&row| values.net(row, place)).sum::<f64>() / size).collect();
    let single = (0..places).reduce(|one, other| if of_all[other] > of_all[one] { other } else { one }).unwrap_or(0);
    let chosen = |row: usize| best_place(unseen.iter().zip(values.costs).map(|(effects, cost)| effects[row] - cost));
    let gains: Vec<f64> = rows.iter().map(|&row| values.net(row, chosen(row)) - values.net(row, single)).collect();
    let gain = gains.iter().sum::<f64>() / size;
    let gain_std_error = gains.iter().map(|one| (one - gain).powi(2)).sum::<f64>().sqrt() / size;
    let name = |place: usize| {
        let arm = place.checked_sub(1).map_or(values.control, |place| values.treatments[place]);
        values.experiment.arms[arm].clone()
    };
    let detected: Vec<&str> = arms.iter().filter(|arm| arm.report.personalises).map(|arm| arm.report.treatment.as_str()).collect();
    let ships = !detected.is_empty() && gain - 1.96 * gain_std_error > 0.0;
    let mut report = PolicyReport {
        best_single: name(single),
        best_single_value: of_all[single],
        personalised_value: of_all[single] + gain,
        gain,
        gain_std_error,
        ships,
        detectable: !detected.is_empty(),
        verdict: String::new(),
    };
    report.say();
    report
}

impl PolicyReport {
    /// Puts the figures in words.
    pub(crate) fn say(&mut self) {
        let (single, gain, half) = (&self.best_single, self.gain, 1.96 * self.gain_std_error);
        self.verdict = if !self.detectable {
            format!(
                "no detectable effect of choosing: no treatment's effect differs detectably between customers, so {single:?} goes to all"
            )
        } else if self.ships {
            format!("choosing by customer earns {gain:.4} ± {half:.4} a customer more than {single:?} for all")
        } else {
            format!(
                "choosing by customer is not credibly better than {single:?} for all ({gain:.4} ± {half:.4} a customer), so {single:?} goes to all"
            )
        };
    }
}
