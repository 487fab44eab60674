//! What it would have been worth to give each row the arm with the best score, several treatments and
//! none among them: by inverse propensity (Horvitz and Thompson 1952) and doubly robust (Dudík,
//! Langford and Li 2011).

use super::least_squares::cross_fitted;
use super::ranked::Sampling;
use super::resample::{Judged, Measure, Resampling, judge};

/// Rows, what each had, and what scores would have given it.
#[derive(Debug, Clone)]
pub struct Choices {
    /// Names of arms; the first is control.
    pub arms: Vec<String>,
    /// The arm of each row, as a place in `arms`; any other number for an arm that isn't among them.
    pub arm: Vec<usize>,
    /// What came of each row, less its cost.
    pub outcomes: Vec<f64>,
    /// The chance with which each row had the arm that it had: above 0, below 1.
    pub chances: Vec<f64>,
    /// For each arm but control, each row's score: what the arm is expected to be worth more than
    /// control, less its cost.
    pub scores: Vec<Vec<f64>>,
}

impl Choices {
    /// The arm with the best score of each row; control where none is above 0. Of equals, the first.
    pub fn chosen(&self) -> Vec<usize> {
        let best = |row: usize| {
            let better = |best: (usize, f64), (place, score): (usize, f64)| if score > best.1 { (place + 1, score) } else { best };
            self.scores.iter().map(|scores| scores[row]).enumerate().fold((0, 0.0), better).0
        };
        (0..self.arm.len()).map(best).collect()
    }
}

/// What each row would bring under each arm, in expectation.
struct Worth {
    /// By arm, then by row.
    ips: Vec<Vec<f64>>,
    dr: Vec<Vec<f64>>,
    chosen: Vec<usize>,
}

impl Worth {
    /// Mean over a sample's rows of what the arm of `choice` brings.
    fn mean(&self, worth: &[Vec<f64>], sampling: Sampling<'_>, choice: impl Fn(usize) -> usize) -> f64 {
        let (mut sum, mut count) = (0.0, 0.0);
        for place in 0..self.chosen.len() {
            let (row, times) = match sampling {
                Sampling::Whole => (place, 1.0),
                Sampling::Times(times) => (place, f64::from(times[place])),
                Sampling::Dealt(rows) => (rows[place] as usize, 1.0),
            };
            sum += times * worth[choice(place)][row];
            count += times;
        }
        sum / count
    }

    fn of_policy(&self, worth: &[Vec<f64>], sampling: Sampling<'_>) -> f64 {
        self.mean(worth, sampling, |place| self.chosen[place])
    }

    fn of_all(&self, arm: usize, sampling: Sampling<'_>) -> f64 {
        self.mean(&self.dr, sampling, |_| arm)
    }
}

/// Judges the choice by scores: its value per row by both estimates, what it is worth more than giving
/// everybody the best single arm (or nothing), and the value of each single arm.
///
/// The model of outcomes isn't fitted again in each bootstrap sample: an error in it is, by double
/// robustness, of second order in the interval.
pub fn judge_policy(choices: &Choices, resampling: Resampling) -> Vec<Judged> {
    const UNIT: &str = "outcome less cost, per row";
    let worth = worth(choices, resampling.seed);
    let single: Vec<f64> = (0..choices.arms.len()).map(|arm| worth.of_all(arm, Sampling::Whole)).collect();
    let best = (1..single.len()).fold(0, |best, arm| if single[arm] > single[best] { arm } else { best });
    let gain = move |worth: &Worth, sampling: Sampling<'_>| Some(worth.of_policy(&worth.dr, sampling) - worth.of_all(best, sampling));
    let mut measures = vec![
        Measure::new("policy_value_ips", UNIT, |worth: &Worth, sampling| Some(worth.of_policy(&worth.ips, sampling))),
        Measure::new("policy_value_dr", UNIT, |worth: &Worth, sampling| Some(worth.of_policy(&worth.dr, sampling))),
        Measure::new(format!("policy_gain_over_all_{}_dr", choices.arms[best]), UNIT, gain),
    ];
    for (arm, name) in choices.arms.iter().enumerate() {
        let value = move |worth: &Worth, sampling: Sampling<'_>| Some(worth.of_all(arm, sampling));
        measures.push(Measure::new(format!("all_{name}_value_dr"), UNIT, value).without_null());
    }
    judge(&worth, choices.arm.len(), &measures, resampling)
}

fn worth(choices: &Choices, seed: u64) -> Worth {
    let arms = choices.arms.len();
    let expected = cross_fitted(&choices.scores, &choices.outcomes, &choices.arm, arms, seed);
    let weight = |row: usize, arm: usize| if choices.arm[row] == arm { 1.0 / choices.chances[row] } else { 0.0 };
    let rows = 0..choices.arm.len();
    let ips = (0..arms).map(|arm| rows.clone().map(|row| weight(row, arm) * choices.outcomes[row]).collect()).collect();
    let robust = |arm: usize, row: usize| {
        let expected: f64 = expected[arm][row];
        expected + weight(row, arm) * (choices.outcomes[row] - expected)
    };
    let dr = (0..arms).map(|arm| rows.clone().map(|row| robust(arm, row)).collect()).collect();
    Worth { ips, dr, chosen: choices.chosen() }
}
