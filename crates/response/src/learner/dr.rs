//! The DR-learner (Kennedy 2023): a regression of the doubly robust scores.

use super::{Effect, Learner, direct};
use crate::regress::Kind;
use crate::trial::{Nuisances, Trial};

pub(crate) struct Dr(pub(crate) Kind);

impl Learner for Dr {
    fn fit(&self, trial: &Trial<'_>, nuisances: &Nuisances, rows: &[u32], seed: u64) -> Effect {
        Effect::Direct(direct(trial, rows, &nuisances.scores(trial), None, self.0, seed))
    }
}
