//! Outcomes → beliefs: Bayesian linear regression from sums that outcomes are added to one by one.
//!
//! Of each promotion only Σzzᵀ, Σz·r and n are kept (r: profit less the response model's prediction). The precision matrix of
//! (β, θ_1 … θ_K) has the shape of an arrowhead, every θ meeting β only, so that it is inverted promotion by promotion
//! (Schur complement): with S_a = Σzzᵀ/σ², u_a = Σz·r/σ² and P_a the prior's precision,
//!
//! ```text
//! A_a = S_a + P_a     C = P_β + Σ_a S_a + S_none − Σ_a S_a A_a⁻¹ S_a
//! C β = Σ_a u_a + u_none − Σ_a S_a A_a⁻¹ u_a     θ_a = A_a⁻¹ (u_a − S_a β)
//! Cov θ_a = A_a⁻¹ + A_a⁻¹ S_a C⁻¹ S_a A_a⁻¹
//! ```

use nalgebra::{DMatrix, DVector};
use serde::{Deserialize, Serialize};

use crate::posterior::{Belief, prior_variance};

/// One decision whose outcome is known: its window is over.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// The context that the decision was made in.
    pub context: Vec<f64>,
    /// What was shown: a promotion, or nothing.
    pub shown: Option<usize>,
    /// The response model's prediction for it.
    pub predicted: f64,
    /// Profit within the window, in minor units: margin less the promotion's cost.
    pub profit: f64,
}

/// Sums of the outcomes of one promotion, or of nothing shown.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Sums {
    /// Σ zzᵀ, row by row.
    square: Vec<f64>,
    /// Σ z·r.
    with_rest: Vec<f64>,
    /// Σ r².
    rests: f64,
    count: f64,
    /// Standard error of the response model for this promotion.
    std_error: f64,
}

impl Sums {
    fn new(width: usize, std_error: f64) -> Self {
        Self { square: vec![0.0; width * width], with_rest: vec![0.0; width], rests: 0.0, count: 0.0, std_error }
    }

    fn add(&mut self, context: &[f64], rest: f64) {
        let width = context.len();
        for (row, one) in context.iter().enumerate() {
            self.with_rest[row] += one * rest;
            for (column, other) in context.iter().enumerate() {
                self.square[row * width + column] += one * other;
            }
        }
        self.rests += rest * rest;
        self.count += 1.0;
    }

    fn fade(&mut self, share: f64) {
        self.square.iter_mut().chain(&mut self.with_rest).for_each(|sum| *sum *= share);
        self.rests *= share;
        self.count *= share;
    }
}

/// What was seen so far.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Learner {
    width: usize,
    none: Sums,
    promotions: Vec<Sums>,
}

/// What is known of everything at once.
#[derive(Debug, Clone, PartialEq)]
pub struct Posterior {
    /// One a promotion.
    pub beliefs: Vec<Belief>,
    /// β: what customers bring who are shown nothing.
    pub anyway: Vec<f64>,
}

impl Posterior {
    /// The profit that is expected of an outcome's customer, with what was shown.
    pub fn expects(&self, outcome: &Outcome) -> f64 {
        let anyway: f64 = self.anyway.iter().zip(&outcome.context).map(|(weight, number)| weight * number).sum();
        let belief = outcome.shown.and_then(|number| self.beliefs.get(number));
        anyway + belief.map_or(0.0, |belief| belief.estimate(&outcome.context, outcome.predicted).mean)
    }
}

/// Why an outcome is not learnt from.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum NotLearnt {
    /// Another context than the learner's.
    #[error("the context has {given} numbers, the learner has {width}: outcomes of another snapshot belong to its own learner")]
    Width {
        /// The outcome's.
        given: usize,
        /// The learner's.
        width: usize,
    },
    /// Not a number, or infinite.
    #[error("context, prediction and profit have to be finite numbers")]
    NotFinite,
    /// No such promotion.
    #[error("promotion {0} is none of the learner's")]
    Unknown(usize),
}

/// β of customers nobody promised anything is free to be what the data say: this times the noise.
const FREE: f64 = 1e3;

impl Learner {
    /// Nothing seen. `std_errors` are the response model's, one a promotion; `width` numbers are in a context.
    pub fn new(width: usize, std_errors: &[f64]) -> Self {
        Self { width, none: Sums::new(width, 0.0), promotions: std_errors.iter().map(|error| Sums::new(width, *error)).collect() }
    }

    /// A promotion that enters cold; its number.
    pub fn enter(&mut self, std_error: f64) -> usize {
        self.promotions.push(Sums::new(self.width, std_error));
        self.promotions.len() - 1
    }

    /// Learns one outcome.
    ///
    /// # Errors
    /// What is wrong with it; nothing is learnt then.
    pub fn see(&mut self, outcome: &Outcome) -> Result<(), NotLearnt> {
        if outcome.context.len() != self.width {
            return Err(NotLearnt::Width { given: outcome.context.len(), width: self.width });
        }
        if !outcome.context.iter().chain([&outcome.predicted, &outcome.profit]).all(|number| number.is_finite()) {
            return Err(NotLearnt::NotFinite);
        }
        match outcome.shown {
            None => self.none.add(&outcome.context, outcome.profit),
            Some(number) => {
                let sums = self.promotions.get_mut(number).ok_or(NotLearnt::Unknown(number))?;
                sums.add(&outcome.context, outcome.profit - outcome.predicted);
            }
        }
        Ok(())
    }

    /// Keeps this share of all that was seen: what happened long ago counts less than what happened now.
    pub fn fade(&mut self, share: f64) {
        let share = share.clamp(0.0, 1.0);
        self.promotions.iter_mut().chain([&mut self.none]).for_each(|sums| sums.fade(share));
    }

    /// What is known now.
    pub fn posterior(&self) -> Posterior {
        let width = self.width;
        self.solve(self.noise()).unwrap_or_else(|| Posterior {
            beliefs: self.promotions.iter().map(|sums| Belief::prior(width, sums.std_error)).collect(),
            anyway: vec![0.0; width],
        })
    }

    /// Variance of profits around what contexts explain: at first around their mean, then around the regression without
    /// promotions. Too large by what promotions change, which is little beside it and errs to the safe side.
    fn noise(&self) -> f64 {
        let all = || self.promotions.iter().chain([&self.none]);
        let count: f64 = all().map(|sums| sums.count).sum();
        let rests: f64 = all().map(|sums| sums.rests).sum();
        if count < 2.0 || rests <= 0.0 {
            return 1.0;
        }
        let mut square = DMatrix::zeros(self.width, self.width);
        let mut with_rest = DVector::zeros(self.width);
        for sums in all() {
            square += DMatrix::from_row_slice(self.width, self.width, &sums.square);
            with_rest += DVector::from_column_slice(&sums.with_rest);
        }
        let ridge = 1e-9 * square.trace().max(1e-300);
        square += DMatrix::identity(self.width, self.width) * ridge;
        let explained = square.cholesky().map_or(0.0, |root| with_rest.dot(&root.solve(&with_rest)));
        let freedom = (count - self.width as f64).max(1.0);
        ((rests - explained) / freedom).max(1e-9 * rests / count)
    }

    fn solve(&self, noise: f64) -> Option<Posterior> {
        let width = self.width;
        let square = |sums: &Sums| DMatrix::from_row_slice(width, width, &sums.square) / noise;
        let with_rest = |sums: &Sums| DVector::from_column_slice(&sums.with_rest) / noise;
        let mut corner = DMatrix::identity(width, width) / (noise * FREE) + square(&self.none);
        let mut right = with_rest(&self.none);
        let mut parts = Vec::with_capacity(self.promotions.len());
        for sums in &self.promotions {
            let (s, u) = (square(sums), with_rest(sums));
            let mut a = s.clone();
            for place in 0..width {
                // A response model that is sure of itself is still not believed for ever.
                a[(place, place)] += 1.0 / prior_variance(place, sums.std_error).max(1e-12 * noise);
            }
            let inverse = a.cholesky()?.inverse();
            let through = &s * &inverse;
            // Symmetric but for rounding, which Cholesky doesn't see: it reads one half.
            corner += &s - &through * &s;
            right += &u - &through * &u;
            parts.push((s, u, inverse));
        }
        let corner = corner.cholesky()?;
        let anyway = corner.solve(&right);
        let beliefs = parts.into_iter().zip(&self.promotions).map(|((s, u, inverse), sums)| {
            let mean = &inverse * (u - &s * &anyway);
            let side = &s * &inverse;
            let covariance = &inverse + side.transpose() * corner.solve(&side);
            Belief { mean: mean.iter().copied().collect(), covariance: covariance.transpose().iter().copied().collect(), seen: sums.count }
        });
        Some(Posterior { beliefs: beliefs.collect(), anyway: anyway.iter().copied().collect() })
    }
}

#[cfg(test)]
mod tests {
    use youhui_commerce::Draw;

    use super::*;

    const WIDTH: usize = 3;

    fn context(draw: &mut Draw) -> Vec<f64> {
        vec![1.0, draw.normal(), draw.normal()]
    }

    /// Whole regression in one matrix, the plain way.
    fn dense(outcomes: &[Outcome], errors: &[f64], noise: f64) -> (DVector<f64>, DMatrix<f64>) {
        let size = WIDTH * (1 + errors.len());
        let mut precision = DMatrix::zeros(size, size);
        let mut right = DVector::zeros(size);
        for place in 0..WIDTH {
            precision[(place, place)] = 1.0 / (noise * FREE);
            for (number, error) in errors.iter().enumerate() {
                let at = WIDTH * (1 + number) + place;
                precision[(at, at)] = 1.0 / prior_variance(place, *error);
            }
        }
        for outcome in outcomes {
            let mut row = DVector::zeros(size);
            for (place, number) in outcome.context.iter().enumerate() {
                row[place] = *number;
                if let Some(shown) = outcome.shown {
                    row[WIDTH * (1 + shown) + place] = *number;
                }
            }
            let rest = outcome.profit - if outcome.shown.is_some() { outcome.predicted } else { 0.0 };
            right += &row * (rest / noise);
            precision += &row * row.transpose() / noise;
        }
        let inverse = precision.cholesky().unwrap().inverse();
        (&inverse * right, inverse)
    }

    #[test]
    fn blocks_give_what_the_whole_matrix_gives() {
        let errors = [5.0, 20.0];
        let mut draw = Draw::seeded(1);
        let mut learner = Learner::new(WIDTH, &errors);
        let outcomes: Vec<Outcome> = (0..200)
            .map(|_| {
                let shown = [None, Some(0), Some(1)][draw.below(3)];
                Outcome { context: context(&mut draw), shown, predicted: 3.0, profit: 50.0 + 30.0 * draw.normal() }
            })
            .collect();
        outcomes.iter().for_each(|outcome| learner.see(outcome).unwrap());
        let (mean, covariance) = dense(&outcomes, &errors, learner.noise());
        for (number, belief) in learner.posterior().beliefs.iter().enumerate() {
            let from = WIDTH * (1 + number);
            for row in 0..WIDTH {
                assert!((belief.mean[row] - mean[from + row]).abs() < 1e-8);
                for column in 0..WIDTH {
                    let (got, want) = (belief.covariance[row * WIDTH + column], covariance[(from + row, from + column)]);
                    assert!((got - want).abs() < 1e-7 * (1.0 + want.abs()), "{got} {want}");
                }
            }
        }
    }

    /// 95 % intervals of the effect in a context cover the truth, which is drawn from the prior.
    #[test]
    fn intervals_cover_known_truth() {
        let (mut inside, mut all) = (0, 0);
        for seed in 0..200 {
            let mut draw = Draw::seeded(seed);
            let truth: Vec<Vec<f64>> =
                (0..3).map(|_| (0..WIDTH).map(|place| prior_variance(place, 10.0).sqrt() * draw.normal()).collect()).collect();
            let mut learner = Learner::new(WIDTH, &[10.0; 3]);
            for _ in 0..600 {
                let context = context(&mut draw);
                let shown = [None, Some(0), Some(1), Some(2)][draw.below(4)];
                let dot = |weights: &[f64]| weights.iter().zip(&context).map(|(one, two)| one * two).sum::<f64>();
                let effect = shown.map_or(0.0, |number: usize| 7.0 + dot(&truth[number]));
                let profit = dot(&[200.0, 50.0, -20.0]) + effect + 60.0 * draw.normal();
                learner.see(&Outcome { context, shown, predicted: 7.0, profit }).unwrap();
            }
            for (belief, truth) in learner.posterior().beliefs.iter().zip(&truth) {
                let context = context(&mut draw);
                let estimate = belief.estimate(&context, 7.0);
                let effect = 7.0 + truth.iter().zip(&context).map(|(one, two)| one * two).sum::<f64>();
                all += 1;
                inside += usize::from((effect - estimate.mean).abs() < 1.96 * estimate.std_error);
            }
        }
        let share = f64::from(u32::try_from(inside).unwrap()) / f64::from(all);
        assert!((0.93..=0.97).contains(&share), "{share}");
    }

    #[test]
    fn a_promotion_that_enters_cold_is_as_uncertain_as_the_model_says() {
        let mut learner = Learner::new(WIDTH, &[5.0]);
        let mut draw = Draw::seeded(2);
        for _ in 0..500 {
            let outcome = Outcome { context: context(&mut draw), shown: Some(0), predicted: 0.0, profit: draw.normal() };
            learner.see(&outcome).unwrap();
        }
        assert_eq!(learner.enter(9.0), 1);
        let estimate = learner.posterior().beliefs[1].estimate(&[1.0, 0.0, 0.0], 2.0);
        assert_eq!(estimate.mean, 2.0);
        assert!((estimate.std_error - 9.0).abs() < 1e-9, "{estimate:?}");
    }

    #[test]
    fn what_cannot_be_learnt_from_is_said_and_not_learnt() {
        let mut learner = Learner::new(2, &[1.0]);
        let before = learner.clone();
        let outcome = |context: &[f64], shown, profit| Outcome { context: context.to_vec(), shown, predicted: 0.0, profit };
        assert_eq!(learner.see(&outcome(&[1.0], None, 1.0)), Err(NotLearnt::Width { given: 1, width: 2 }));
        assert_eq!(learner.see(&outcome(&[1.0, f64::NAN], None, 1.0)), Err(NotLearnt::NotFinite));
        assert_eq!(learner.see(&outcome(&[1.0, 0.0], None, f64::INFINITY)), Err(NotLearnt::NotFinite));
        assert_eq!(learner.see(&outcome(&[1.0, 0.0], Some(1), 1.0)), Err(NotLearnt::Unknown(1)));
        assert_eq!(learner, before);
    }
}
