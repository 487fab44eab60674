//! TARNet (Shalit, Johansson and Sontag 2017): layers that both arms share, and an output for each.

use super::{Effect, Learner};
use crate::regress::{Dense, Settings, Target};
use crate::trial::{Nuisances, Trial};

pub(crate) struct Tarnet;

impl Learner for Tarnet {
    fn fit(&self, trial: &Trial<'_>, _: &Nuisances, rows: &[u32], seed: u64) -> Effect {
        let head = |row: u32| usize::from(trial.treated[row as usize]);
        let target = Target { values: trial.outcome, weight: None, objective: trial.objective };
        Effect::Heads(Dense::fit(trial.inputs.scaled(), rows, target, 2, &head, &Settings::default(), seed))
    }
}
