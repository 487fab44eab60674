//! The X-learner (Künzel et al. 2019): in each arm the difference to what the other arm's model
//! expects, blended by propensity.

use super::{Effect, Learner, direct};
use crate::regress::Kind;
use crate::trial::{Nuisances, Trial};

pub(crate) struct X(pub(crate) Kind);

impl Learner for X {
    fn fit(&self, trial: &Trial<'_>, nuisances: &Nuisances, rows: &[u32], seed: u64) -> Effect {
        let arm = |arm: bool| {
            let sign = if arm { 1.0 } else { -1.0 };
            let other = &nuisances.arms[usize::from(!arm)];
            let values: Vec<f64> = trial.outcome.iter().zip(other).map(|(outcome, other)| sign * (outcome - other)).collect();
            direct(trial, &trial.of_arm(rows, arm), &values, None, self.0, seed ^ u64::from(arm))
        };
        let propensity = direct(trial, rows, &nuisances.propensity, None, Kind::Curved, seed);
        Effect::Blend { effects: [arm(false), arm(true)], propensity }
    }
}
