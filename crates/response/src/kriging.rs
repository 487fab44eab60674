//! What a promotion that was never run would change: a mean of those that were, by how alike they are, with an
//! interval that widens with the distance (Gaussian-process regression over promotions, "kriging"; Krige 1951,
//! Rasmussen and Williams 2006).

use nalgebra::{Cholesky, DMatrix, DVector, Dyn};
use serde::{Deserialize, Serialize};

/// How alike promotions act, learnt from their mean effects: several views of it, each as likely as it foresees what
/// was found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Likeness {
    /// The views.
    pub views: Vec<View>,
    /// How much larger errors were, squared, than said, where each promotion was left out: at least 1.
    pub inflation: f64,
}

/// One view.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct View {
    /// How likely.
    pub weight: f64,
    /// Variance of effects at distance 1 from no promotion.
    pub variance: f64,
    /// Distance over which promotions are alike.
    pub length: f64,
    /// Share of the variance that is each promotion's own.
    pub own: f64,
}

/// Prediction of one promotion from others.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Weights {
    pub(crate) of_seen: Vec<f64>,
    /// Variance that is left by the distance.
    pub(crate) variance: f64,
}

/// A promotion predicted from the others, beside what was found of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LeftOut {
    /// Its name.
    pub treatment: String,
    /// Mean effect as the others foresee it …
    pub foreseen: f64,
    /// … and its standard error.
    pub std_error: f64,
    /// Mean effect found …
    pub found: f64,
    /// … and its standard error.
    pub found_std_error: f64,
}

const LENGTHS: [f64; 3] = [0.5, 1.0, 2.0];
const OWN: [f64; 4] = [0.001, 0.02, 0.1, 0.3];
const SCALES: [f64; 9] = [0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0];

/// Factors of the covariance of those that were run, by view.
#[derive(Debug)]
pub(crate) struct Factors(Vec<Option<Cholesky<f64, Dyn>>>);

/// Views less likely than this are not kept.
const UNLIKELY: f64 = 0.01;

impl Likeness {
    /// The likely views, given places, mean effects and their variances; none with fewer than two promotions.
    pub(crate) fn learn(places: &[Vec<f64>], means: &[f64], variances: &[f64]) -> Option<Self> {
        if places.len() < 2 {
            return None;
        }
        let size = means.iter().map(|mean| mean * mean).sum::<f64>() / means.len() as f64;
        let size = size.max(variances.iter().sum::<f64>() / variances.len() as f64).max(1e-300);
        let mut views = Vec::new();
        for length in LENGTHS {
            for own in OWN {
                for scale in SCALES {
                    let view = View { weight: 1.0, variance: scale * size, length, own };
                    if let Some(likelihood) = view.likelihood(places, means, variances) {
                        views.push((likelihood, view));
                    }
                }
            }
        }
        let most = views.iter().fold(f64::NEG_INFINITY, |most, (likelihood, _)| most.max(*likelihood));
        let mut views: Vec<View> = views.into_iter().map(|(likelihood, view)| View { weight: (likelihood - most).exp(), ..view }).collect();
        for least in [0.0, UNLIKELY] {
            let whole: f64 = views.iter().map(|view| view.weight).sum();
            views.iter_mut().for_each(|view| view.weight /= whole);
            views.retain(|view| view.weight >= least);
        }
        (!views.is_empty()).then_some(Self { views, inflation: 1.0 })
    }

    /// What every view needs of the promotions that were run, for any that were not.
    pub(crate) fn factors(&self, places: &[Vec<f64>], variances: &[f64]) -> Factors {
        Factors(self.views.iter().map(|view| view.solver(places, variances)).collect())
    }

    /// Weights of the promotions that were run for one at `place`.
    pub(crate) fn weights(&self, factors: &Factors, places: &[Vec<f64>], means: &[f64], variances: &[f64], place: &[f64]) -> Weights {
        let mut mixed = Weights { of_seen: vec![0.0; places.len()], variance: 0.0 };
        let (mut sum, mut squares, mut whole) = (0.0, 0.0, 0.0);
        for (view, factor) in self.views.iter().zip(&factors.0) {
            let of_view = view.weights(factor.as_ref(), places, variances, place);
            let foreseen = of_view.of_seen.iter().zip(means).map(|(weight, mean)| weight * mean).sum::<f64>();
            mixed.of_seen.iter_mut().zip(&of_view.of_seen).for_each(|(sum, weight)| *sum += view.weight * weight);
            mixed.variance += view.weight * of_view.variance;
            (sum, squares, whole) = (sum + view.weight * foreseen, squares + view.weight * foreseen * foreseen, whole + view.weight);
        }
        let whole = if whole > 0.0 { whole } else { 1.0 };
        mixed.of_seen.iter_mut().for_each(|weight| *weight /= whole);
        let apart = (squares / whole - (sum / whole).powi(2)).max(0.0);
        mixed.variance = self.inflation * (mixed.variance / whole + apart);
        mixed
    }

    /// Foresees each promotion from the others, and is less sure of itself where that was worse than it said.
    pub(crate) fn leave_each_out(&mut self, names: &[String], places: &[Vec<f64>], means: &[f64], variances: &[f64]) -> Vec<LeftOut> {
        let without = |place: usize, values: &[f64]| {
            let rest = values.iter().enumerate().filter(|(other, _)| *other != place);
            rest.map(|(_, value)| *value).collect::<Vec<f64>>()
        };
        let mut left_out = Vec::new();
        for (place, name) in names.iter().enumerate() {
            let others: Vec<Vec<f64>> = places.iter().enumerate().filter(|(other, _)| *other != place).map(|(_, at)| at.clone()).collect();
            let (means_of, variances_of) = (without(place, means), without(place, variances));
            let Some(likeness) = Self::learn(&others, &means_of, &variances_of) else { continue };
            let weights = likeness.weights(&likeness.factors(&others, &variances_of), &others, &means_of, &variances_of, &places[place]);
            let both = || weights.of_seen.iter().zip(means_of.iter().zip(&variances_of));
            left_out.push(LeftOut {
                treatment: name.clone(),
                foreseen: both().map(|(weight, (mean, _))| weight * mean).sum(),
                std_error: (weights.variance + both().map(|(weight, (_, variance))| weight * weight * variance).sum::<f64>()).sqrt(),
                found: means[place],
                found_std_error: variances[place].sqrt(),
            });
        }
        let squares = left_out.iter().map(|of| (of.foreseen - of.found).powi(2) / (of.std_error.powi(2) + of.found_std_error.powi(2)));
        self.inflation = (squares.sum::<f64>() / left_out.len().max(1) as f64).max(1.0);
        left_out
    }
}

impl View {
    /// Covariance of the effects at two places: linear and smooth, and nothing where nothing is offered.
    fn covariance(&self, one: &[f64], other: &[f64]) -> f64 {
        let square = |values: &[f64]| values.iter().map(|value| value * value).sum::<f64>();
        let product = one.iter().zip(other).map(|(one, other)| one * other).sum::<f64>();
        let near = |square: f64| (-square / (2.0 * self.length * self.length)).exp();
        let apart = (square(one) + square(other) - 2.0 * product).max(0.0);
        // The smooth part is held at zero at the origin.
        let smooth = near(apart) - near(square(one)) * near(square(other));
        self.variance * (product + smooth)
    }

    fn solver(&self, places: &[Vec<f64>], variances: &[f64]) -> Option<Cholesky<f64, Dyn>> {
        let size = places.len();
        let cell = |one: usize, other: usize| {
            let noise = if one == other { self.own * self.variance + variances[one] } else { 0.0 };
            self.covariance(&places[one], &places[other]) + noise
        };
        let mut covariance = DMatrix::zeros(size, size);
        for one in 0..size {
            (0..=one).for_each(|other| covariance[(one, other)] = cell(one, other));
        }
        // It looks at the lower half.
        covariance.cholesky()
    }

    fn likelihood(&self, places: &[Vec<f64>], means: &[f64], variances: &[f64]) -> Option<f64> {
        let solver = self.solver(places, variances)?;
        let means = DVector::from_column_slice(means);
        let logs: f64 = solver.l().diagonal().iter().map(|diagonal| diagonal.ln()).sum();
        Some(-0.5 * means.dot(&solver.solve(&means)) - logs)
    }

    fn weights(&self, solver: Option<&Cholesky<f64, Dyn>>, places: &[Vec<f64>], variances: &[f64], place: &[f64]) -> Weights {
        let alone = self.covariance(place, place) + self.own * self.variance;
        let near = DVector::from_iterator(places.len(), places.iter().map(|other| self.covariance(other, place)));
        let Some(solver) = solver else {
            return Weights { of_seen: vec![0.0; places.len()], variance: alone };
        };
        let of_seen = solver.solve(&near);
        // The seen ones' errors are added by whoever weighs them, by customer.
        let noise: f64 = of_seen.iter().zip(variances).map(|(weight, variance)| weight * weight * variance).sum();
        let variance = (alone - near.dot(&of_seen) - noise).max(self.own * self.variance);
        Weights { of_seen: of_seen.as_slice().to_vec(), variance }
    }
}
