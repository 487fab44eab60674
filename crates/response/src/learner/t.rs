//! The T-learner (Künzel et al. 2019): a model of the outcome in each arm; the effect is their
//! difference.

use super::{Effect, Learner};
use crate::regress::{Kind, Regressor, Target};
use crate::trial::{Nuisances, Trial};

pub(crate) struct T(pub(crate) Kind);

impl Learner for T {
    fn fit(&self, trial: &Trial<'_>, _: &Nuisances, rows: &[u32], seed: u64) -> Effect {
        let target = Target { values: trial.outcome, weight: None, objective: trial.objective };
        let arm = |arm: bool| Regressor::fit(self.0, trial.inputs, &trial.of_arm(rows, arm), target, seed ^ u64::from(arm));
        let (control, treated) = rayon::join(|| arm(false), || arm(true));
        Effect::Difference([control, treated])
    }
}
