//! The causal forest as a learner: see `forest`.

use super::{Effect, Learner};
use crate::forest::{Forest, Forestry};
use crate::trial::{Nuisances, Trial};

pub(crate) struct CausalForest;

impl Learner for CausalForest {
    fn fit(&self, trial: &Trial<'_>, nuisances: &Nuisances, rows: &[u32], seed: u64) -> Effect {
        let (left, rest) = nuisances.residuals(trial);
        Effect::Forest(Forest::fit(trial.inputs.coarse_bins(), &trial.inputs.matrix, rows, &left, &rest, &Forestry::default(), seed))
    }
}
