//! One network for all treatments: a representation that they share; on it a head for the outcome without any, heads
//! whose mix by the promotion's descriptors is what it adds, monotone heads of a dose, and a head for who is treated
//! (Shalit, Johansson and Sontag 2017; Shi, Blei and Veitch 2019; Nie, Ye, Liu and Nicolae 2021).
//!
//! Targeted regularisation: beside the outcome's loss the network has to leave nothing to learn along the canonical
//! gradient, 1/p of the treated less 1/p of the control; its step is solved for once an epoch.

use std::sync::Arc;

use super::{Arms, Effect, Learner};
use crate::dense::{Loss, Training, train};
use crate::inputs::Inputs;
use crate::linear::sigmoid;
use crate::objective::Objective;
use crate::promotions::{Promotion, Space};
use crate::regress::Dense;

pub(crate) struct SharedNetwork;

/// Weight of the loss of who is treated, and of targeted regularisation.
const TREATED: f32 = 0.1;
const TARGETED: f64 = 0.05;
/// Propensities that regularisation divides by are at least this.
const LEAST: f64 = 0.05;
/// Steps that a dose's effect is composed of.
const STEPS: usize = 4;
/// Most rows that it is trained on.
const MOST_ROWS: usize = 400_000;

/// A promotion in the heads of a network.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Shared {
    pub(crate) network: Arc<Dense>,
    pub(crate) space: Arc<Space>,
    pub(crate) promotion: Promotion,
}

/// What a promotion's place makes of the heads: weights of the free ones and of the monotone ones.
#[derive(Debug, Clone, Default)]
struct Mix {
    free: Vec<f64>,
    steps: Vec<f64>,
}

impl Mix {
    fn of(space: &Space, promotion: &Promotion, customer: &[f32]) -> Self {
        let place = space.place(promotion, customer);
        let mut mix = Self::default();
        if space.doses().is_empty() {
            mix.free.push(1.0);
        }
        for (axis, value) in place.iter().enumerate() {
            if space.doses().contains(&axis) {
                mix.steps.extend((0..STEPS).map(|step| (value * STEPS as f64 - step as f64).clamp(0.0, 1.0)));
            } else {
                mix.free.extend([*value, value * value]);
            }
        }
        mix
    }

    /// How many heads it mixes, which are as many for each promotion of a space.
    const fn heads(&self) -> usize {
        self.free.len() + self.steps.len()
    }

    /// What the promotion adds to the margin.
    fn adds(&self, outputs: &[f32]) -> f64 {
        let (free, steps) = outputs[1..].split_at(self.free.len());
        let of_free = self.free.iter().zip(free).map(|(mix, output)| mix * f64::from(*output)).sum::<f64>();
        of_free + self.steps.iter().zip(steps).map(|(mix, output)| mix * softplus(f64::from(*output))).sum::<f64>()
    }

    /// The gradient of the heads where the margin's is `slope`.
    #[allow(clippy::cast_possible_truncation, reason = "gradients are kept in 32 bits")]
    fn back(&self, slope: f64, outputs: &[f32], gradient: &mut [f32]) {
        gradient[0] = slope as f32;
        let (free, steps) = gradient[1..].split_at_mut(self.free.len());
        self.free.iter().zip(free).for_each(|(mix, gradient)| *gradient = (slope * mix) as f32);
        let outputs = &outputs[1 + self.free.len()..];
        let monotone = self.steps.iter().zip(steps).zip(outputs);
        monotone.for_each(|((mix, gradient), output)| *gradient = (slope * mix * sigmoid(f64::from(*output))) as f32);
    }
}

fn softplus(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

/// The step along the canonical gradient, by treatment.
#[derive(Debug)]
struct Targeted {
    step: Vec<f64>,
    /// Σ gradient · residual and Σ gradient² since the last solution.
    sums: Vec<[f64; 2]>,
    rows: usize,
    solve_after: usize,
}

impl Targeted {
    /// The gradient's part of a row's expectation, and whose.
    fn correction(&self, arm: usize, propensity: &[f64]) -> f64 {
        match arm.checked_sub(1) {
            Some(treatment) => self.step[treatment] / propensity[arm],
            None => -self.step.iter().sum::<f64>() / propensity[0],
        }
    }

    fn see(&mut self, arm: usize, propensity: &[f64], residual: f64) {
        let gradient = if arm > 0 { 1.0 / propensity[arm] } else { -1.0 / propensity[0] };
        let whose = if arm > 0 { arm - 1..arm } else { 0..self.sums.len() };
        for sums in &mut self.sums[whose] {
            *sums = [sums[0] + gradient * residual, sums[1] + gradient * gradient];
        }
        self.rows += 1;
        if self.rows == self.solve_after {
            self.rows = 0;
            for (step, sums) in self.step.iter_mut().zip(&mut self.sums) {
                *step = if sums[1] > 0.0 { sums[0] / sums[1] } else { 0.0 };
                *sums = [0.0; 2];
            }
        }
    }
}

pub(crate) fn training() -> Training {
    Training { hidden: vec![64, 64], rate: 1e-3, decay: 0.5, sparsity: 0.2, batch: 100, epochs: 200, held_out: 0.15, patience: 12 }
}

impl Learner for SharedNetwork {
    fn fit_together(&self, arms: &Arms<'_>, rows: &[u32], seed: u64) -> Option<Vec<Effect>> {
        let network = Arc::new(fit(arms, rows, &training(), seed));
        let shared = |promotion: &&Promotion| {
            Effect::Shared(Shared { network: Arc::clone(&network), space: Arc::clone(&arms.space), promotion: (*promotion).clone() })
        };
        Some(arms.promotions.iter().map(shared).collect())
    }
}

/// The network's outputs are the outcome's margin without a promotion, the promotion's heads, and the logits of the
/// arms.
#[allow(clippy::cast_possible_truncation, reason = "losses and gradients are kept in 32 bits")]
pub(crate) fn fit(arms: &Arms<'_>, rows: &[u32], settings: &Training, seed: u64) -> Dense {
    let step = rows.len().div_ceil(MOST_ROWS).max(1);
    let rows: Vec<u32> = rows.iter().copied().step_by(step).collect();
    let size = rows.len().max(1) as f64;
    let mean = rows.iter().map(|&row| arms.outcome[row as usize]).sum::<f64>() / size;
    let variance = rows.iter().map(|&row| (arms.outcome[row as usize] - mean).powi(2)).sum::<f64>() / size;
    let objective = arms.objective;
    let continuous = objective == Objective::Continuous;
    let (center, scale) = if continuous { (mean, variance.sqrt().max(1e-12)) } else { (objective.link(mean), 1.0) };
    let spread = if continuous { 1.0 } else { variance.max(1e-12) };
    let heads = Mix::of(&arms.space, arms.promotions[0], &[]).heads();
    let outputs = 1 + heads + arms.treatments + 1;
    let fixed: Option<Vec<Mix>> =
        (!arms.space.by_customer()).then(|| arms.promotions.iter().map(|promotion| Mix::of(&arms.space, promotion, &[])).collect());
    let treatments = arms.treatments;
    let targeted = Targeted { step: vec![0.0; treatments], sums: vec![[0.0; 2]; treatments], rows: 0, solve_after: rows.len() };
    let none = Mix { free: vec![0.0; heads], steps: vec![] };
    let mut loss = Together { arms, heads, fixed, none, center, scale, spread, targeted, batch: Vec::new(), propensity: Vec::new() };
    let (network, epochs) = train(arms.inputs.scaled(), &rows, outputs, &mut loss, settings, seed);
    Dense { network, objective, center, scale, epochs }
}

/// The loss of the outcome, of who is treated, and of the targeted step.
struct Together<'a> {
    arms: &'a Arms<'a>,
    heads: usize,
    /// The mix of each treatment, where it is the same for all customers; and of none.
    fixed: Option<Vec<Mix>>,
    none: Mix,
    center: f64,
    scale: f64,
    spread: f64,
    targeted: Targeted,
    /// Arm and outcome of the rows that come next.
    batch: Vec<(usize, f64)>,
    propensity: Vec<f64>,
}

impl Loss for Together<'_> {
    fn batch(&mut self, rows: &[u32]) {
        let (place, outcome) = (&self.arms.place, &self.arms.outcome);
        self.batch.clear();
        self.batch.extend(rows.iter().map(|&row| (place[row as usize] as usize, outcome[row as usize])));
    }

    #[allow(clippy::cast_possible_truncation, reason = "losses are kept in 32 bits")]
    fn row(&mut self, at: usize, row: u32, output: &[f32], gradient: &mut [f32]) -> f32 {
        let (arm, outcome) = self.batch[at];
        let (arms, objective) = (self.arms, self.arms.objective);
        let own;
        let mix = match (arm.checked_sub(1), &self.fixed) {
            (None, _) => &self.none,
            (Some(treatment), Some(fixed)) => &fixed[treatment],
            (Some(treatment), None) => {
                own = Mix::of(&arms.space, arms.promotions[treatment], arms.inputs.matrix.row(row as usize));
                &own
            }
        };
        let (of_outcome, of_arms) = output.split_at(1 + self.heads);
        let (to_outcome, to_arms) = gradient.split_at_mut(1 + self.heads);
        let surprise = treated(of_arms, arm, to_arms, &mut self.propensity);
        let added = f64::from(of_outcome[0]) + mix.adds(of_outcome);
        let (margin, y) = match objective {
            Objective::Continuous => (added, (outcome - self.center) / self.scale),
            _ => (self.center + added, outcome),
        };
        let expected = objective.mean(margin);
        let residual = y - expected;
        let rest = residual - self.targeted.correction(arm, &self.propensity);
        self.targeted.see(arm, &self.propensity, residual);
        let [first, _] = objective.derivative(margin, y, 1.0);
        let slope = f64::from(first) - 2.0 * TARGETED * rest * mean_slope(objective, expected) / self.spread;
        mix.back(slope, of_outcome, to_outcome);
        (objective.loss(margin, y) + TARGETED * rest * rest / self.spread) as f32 + TREATED * surprise
    }
}

/// The slope of the mean along the margin.
fn mean_slope(objective: Objective, mean: f64) -> f64 {
    match objective {
        Objective::Continuous => 1.0,
        Objective::Binary => mean * (1.0 - mean),
        Objective::Count | Objective::Spend => mean,
    }
}

/// The probability of each arm, at least [`LEAST`], into the last argument; the surprise at the one that was, with its gradient.
#[allow(clippy::cast_possible_truncation, reason = "gradients are kept in 32 bits")]
fn treated(logits: &[f32], arm: usize, gradient: &mut [f32], chances: &mut Vec<f64>) -> f32 {
    let most = logits.iter().fold(f32::NEG_INFINITY, |most, logit| most.max(*logit));
    chances.clear();
    chances.extend(logits.iter().map(|logit| f64::from(logit - most).exp()));
    let sum: f64 = chances.iter().sum();
    for (place, (chance, gradient)) in chances.iter_mut().zip(gradient).enumerate() {
        *chance /= sum;
        *gradient = TREATED * (*chance as f32 - f32::from(u8::from(place == arm)));
    }
    let surprise = -chances[arm].max(1e-12).ln() as f32;
    chances.iter_mut().for_each(|chance| *chance = chance.max(LEAST));
    surprise
}

impl Shared {
    /// The effect on every row.
    pub(crate) fn predict(&self, inputs: &Inputs) -> Vec<f64> {
        let Dense { network, objective, center, scale, .. } = self.network.as_ref();
        let fixed = (!self.space.by_customer()).then(|| Mix::of(&self.space, &self.promotion, &[]));
        let mut found = Vec::with_capacity(inputs.rows());
        for outputs in inputs.outputs(&self.network).chunks_exact(network.outputs()) {
            let own;
            let mix = match &fixed {
                Some(fixed) => fixed,
                None => {
                    own = Mix::of(&self.space, &self.promotion, inputs.matrix.row(found.len()));
                    &own
                }
            };
            let without = f64::from(outputs[0]);
            let mean = |margin: f64| objective.mean(center + scale * margin);
            found.push(mean(without + mix.adds(outputs)) - mean(without));
        }
        found
    }

    /// Whether the network has the heads that its space asks for.
    pub(crate) fn is_sound(&self) -> bool {
        self.network.network.outputs() > 1 + Mix::of(&self.space, &self.promotion, &[]).heads()
    }
}
