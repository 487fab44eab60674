//! The R-learner (Nie and Wager 2021): the effect that explains, through the treatment less its
//! propensity, what the outcome has beyond its expectation.

use super::{Effect, Learner, direct};
use crate::regress::Kind;
use crate::trial::{Nuisances, Trial};

pub(crate) struct R(pub(crate) Kind);

impl Learner for R {
    fn fit(&self, trial: &Trial<'_>, nuisances: &Nuisances, rows: &[u32], seed: u64) -> Effect {
        let (left, rest) = nuisances.residuals(trial);
        let values: Vec<f64> = rest.iter().zip(&left).map(|(rest, left)| rest / left).collect();
        let weight: Vec<f64> = left.iter().map(|left| left * left).collect();
        Effect::Direct(direct(trial, rows, &values, Some(&weight), self.0, seed))
    }
}
