//! The X-learner (Künzel et al. 2019): in each arm the difference to what the other arm's model
//! expects, blended by propensity.
//!
//! The arms' models are fitted on the same rows, and not taken from the cross-fitted expectations: those have
//! seen the rows that this fit will be judged by, and unlike the R- and DR-learner's, an X-learner's error is not
//! orthogonal to theirs. With them, effects were found in 4 of 10 trials that had none.

use super::{Effect, Learner, direct};
use crate::regress::{Kind, Regressor, Target};
use crate::trial::{Nuisances, Trial};

pub(crate) struct X(pub(crate) Kind);

impl Learner for X {
    fn fit(&self, trial: &Trial<'_>, nuisances: &Nuisances, rows: &[u32], seed: u64) -> Effect {
        let of_arm = [trial.of_arm(rows, false), trial.of_arm(rows, true)];
        let target = Target { values: trial.outcome, weight: None, objective: trial.objective };
        let effect = |arm: usize| {
            let other = Regressor::fit(self.0, trial.inputs, &of_arm[1 - arm], target, seed ^ (2 + arm as u64));
            let expected = other.predict(&trial.inputs.pick(&of_arm[arm]));
            let sign = if arm == 1 { 1.0 } else { -1.0 };
            let mut values = vec![0.0; trial.outcome.len()];
            for (&row, expected) in of_arm[arm].iter().zip(expected) {
                values[row as usize] = sign * (trial.outcome[row as usize] - expected);
            }
            direct(trial, &of_arm[arm], &values, None, self.0, seed ^ arm as u64)
        };
        let propensity = direct(trial, rows, &nuisances.propensity, None, Kind::Linear, seed);
        Effect::Blend { effects: [effect(0), effect(1)], propensity }
    }
}
