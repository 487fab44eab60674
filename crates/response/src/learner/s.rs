//! The S-learner (Künzel et al. 2019): one model of the outcome, with the treatment as one more
//! feature, asked twice.

use super::{Effect, Learner};
use crate::regress::{Kind, Regressor, Target};
use crate::trial::{Nuisances, Trial};

pub(crate) struct S(pub(crate) Kind);

impl Learner for S {
    fn fit(&self, trial: &Trial<'_>, _: &Nuisances, rows: &[u32], seed: u64) -> Effect {
        let inputs = trial.inputs.with_treatment(|row| f32::from(u8::from(trial.treated[row])));
        let target = Target { values: trial.outcome, weight: None, objective: trial.objective };
        Effect::Switch(Regressor::fit(self.0, &inputs, rows, target, seed))
    }
}
