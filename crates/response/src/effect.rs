//! The effect of a promotion as a function of its descriptor and the customer: a linear DR-learner
//! with a between-campaign variance.
//!
//! The doubly robust scores are regressed on the basis (Kennedy 2023; Semenova and Chernozhukov
//! 2021), with a covariance clustered by customer. What the basis leaves unexplained between
//! campaigns is estimated by the method of moments (DerSimonian and Laird 1986) and added to the
//! variance of every promotion, so that one never run before carries the campaigns' own spread.

use std::collections::BTreeMap;

use nalgebra::{DMatrix, DVector};
use youhui_commerce::SubjectId;
use youhui_profile::price_response::PriceResponse;

use crate::linear::{dot, gram, invert};
use crate::nuisance::Nuisance;
use crate::panel::Panel;

/// Ridge on the standardised basis.
const RIDGE: f64 = 50.0;

/// A predicted effect in major units per 28 days.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Effect {
    /// Incremental contribution before the promotion's own cost.
    pub mean: f64,
    /// Its standard error.
    pub std_error: f64,
}

/// A fitted model: effect = basis · weights.
#[derive(Debug, Clone)]
pub struct EffectModel {
    weights: Vec<f64>,
    covariance: DMatrix<f64>,
    center: Vec<f64>,
    scale: Vec<f64>,
    /// Variance of campaigns around the model, (major units)².
    pub between_variance: f64,
    /// What the model rests on.
    pub rests_on: RestsOn,
}

/// What a model was learnt from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum RestsOn {
    /// Campaigns that were run: how many, and how many exposures.
    Campaigns {
        /// Campaigns.
        campaigns: usize,
        /// Customer-campaign pairs that were treated.
        treated: usize,
    },
    /// No campaign: the shop's price elasticity, applied to the promotion's depth.
    Prices(PriceResponse),
}

impl EffectModel {
    /// Learns from the rows of `panel` and their nuisance values; `None` with fewer than two
    /// campaigns or no treated row.
    pub fn fit(panel: &Panel, nuisance: &[Nuisance]) -> Option<Self> {
        let treated = panel.rows.iter().filter(|row| row.treated).count();
        if panel.campaigns.len() < 2 || treated == 0 || treated == panel.rows.len() {
            return None;
        }
        let width = panel.rows[0].basis.len();
        let (center, scale) = standardisation(panel, width);
        let x: Vec<Vec<f64>> = panel.rows.iter().map(|row| standardised(&row.basis, &center, &scale)).collect();
        let bread = invert(gram(x.iter().map(|x| (x.as_slice(), 1.0)), width, RIDGE));
        let mut moment = DVector::zeros(width);
        for (x, nuisance) in x.iter().zip(nuisance) {
            moment += DVector::from_column_slice(x) * nuisance.score;
        }
        let weights = &bread * moment;
        let residual: Vec<f64> = x.iter().zip(nuisance).map(|(x, nuisance)| nuisance.score - dot(x, weights.as_slice())).collect();
        let meat = clustered(panel, &x, &residual, width);
        let covariance = &bread * meat * &bread;
        let between_variance = between_campaigns(panel, &residual);
        Some(Self {
            weights: weights.as_slice().to_vec(),
            covariance,
            center,
            scale,
            between_variance,
            rests_on: RestsOn::Campaigns { campaigns: panel.campaigns.len(), treated },
        })
    }

    /// A model for a shop without campaigns: each unit of saving moves `elasticity` units of
    /// spending, of which `margin` is contribution. Its basis is one number:
    /// [`EffectModel::price_basis`].
    pub fn from_prices(response: PriceResponse) -> Self {
        Self {
            weights: vec![response.elasticity],
            covariance: DMatrix::from_element(1, 1, response.std_error.powi(2)),
            center: vec![0.0],
            scale: vec![1.0],
            between_variance: 0.0,
            rests_on: RestsOn::Prices(response),
        }
    }

    /// The basis of [`EffectModel::from_prices`]: saving times margin.
    pub fn price_basis(saving: f64, margin: f64) -> Vec<f64> {
        vec![saving * margin]
    }

    /// The effect at one point of the basis.
    pub fn predict(&self, basis: &[f64]) -> Effect {
        let x = standardised(basis, &self.center, &self.scale);
        Effect { mean: dot(&x, &self.weights), std_error: (self.quadratic(&x) + self.between_variance).max(0.0).sqrt() }
    }

    /// The sum of effects over many points, each given with its weight and its promotion: the
    /// weights' errors are shared by all points, the between-campaign error by all points of one
    /// promotion.
    pub fn predict_sum<'a>(&self, points: impl Iterator<Item = (&'a [f64], f64, usize)>) -> Effect {
        let mut total = vec![0.0; self.weights.len()];
        let mut by_promotion: BTreeMap<usize, f64> = BTreeMap::new();
        for (basis, weight, promotion) in points {
            let x = standardised(basis, &self.center, &self.scale);
            total.iter_mut().zip(&x).for_each(|(sum, x)| *sum += weight * x);
            *by_promotion.entry(promotion).or_default() += weight;
        }
        let between: f64 = by_promotion.values().map(|weight| weight * weight * self.between_variance).sum();
        Effect { mean: dot(&total, &self.weights), std_error: (self.quadratic(&total) + between).max(0.0).sqrt() }
    }

    /// The weights on the standardised basis with their standard errors, in the basis' order.
    pub fn weights(&self) -> Vec<(f64, f64)> {
        self.weights.iter().enumerate().map(|(place, &weight)| (weight, self.covariance[(place, place)].max(0.0).sqrt())).collect()
    }

    fn quadratic(&self, x: &[f64]) -> f64 {
        let x = DVector::from_column_slice(x);
        (x.transpose() * &self.covariance * &x)[(0, 0)]
    }
}

fn standardisation(panel: &Panel, width: usize) -> (Vec<f64>, Vec<f64>) {
    let size = panel.rows.len() as f64;
    let column = |place: usize| panel.rows.iter().map(move |row| row.basis[place]);
    let mut center: Vec<f64> = (0..width).map(|place| column(place).sum::<f64>() / size).collect();
    let mut scale: Vec<f64> = (0..width)
        .map(|place| (column(place).map(|x| (x - center[place]).powi(2)).sum::<f64>() / size).sqrt())
        .map(|deviation| if deviation > 1e-9 { deviation } else { 1.0 })
        .collect();
    // The intercept stays 1.
    (center[0], scale[0]) = (0.0, 1.0);
    (center, scale)
}

fn standardised(basis: &[f64], center: &[f64], scale: &[f64]) -> Vec<f64> {
    basis.iter().zip(center).zip(scale).map(|((x, center), scale)| (x - center) / scale).collect()
}

/// Σ over customers of (Σ x r)(Σ x r)ᵀ, with the small-sample factor n/(n−1).
fn clustered(panel: &Panel, x: &[Vec<f64>], residual: &[f64], width: usize) -> DMatrix<f64> {
    let mut sums: BTreeMap<SubjectId, DVector<f64>> = BTreeMap::new();
    for ((row, x), residual) in panel.rows.iter().zip(x).zip(residual) {
        let sum = sums.entry(row.subject).or_insert_with(|| DVector::zeros(width));
        *sum += DVector::from_column_slice(x) * *residual;
    }
    let customers = sums.len() as f64;
    let mut meat = DMatrix::zeros(width, width);
    for sum in sums.values() {
        meat += sum * sum.transpose();
    }
    meat * (customers / (customers - 1.0).max(1.0))
}

/// Variance of the campaigns' mean residuals beyond what sampling explains.
fn between_campaigns(panel: &Panel, residual: &[f64]) -> f64 {
    let means: Vec<(f64, f64)> = (0..panel.campaigns.len())
        .map(|campaign| {
            let of: Vec<f64> = panel.of_campaign(campaign).map(|(place, _)| residual[place]).collect();
            let size = of.len() as f64;
            let mean = of.iter().sum::<f64>() / size;
            let variance = of.iter().map(|r| (r - mean).powi(2)).sum::<f64>() / (size - 1.0).max(1.0) / size;
            (mean, variance.max(1e-12))
        })
        .collect();
    let (w, w2, wm) = means
        .iter()
        .fold((0.0, 0.0, 0.0), |(w, w2, wm), (mean, variance)| (w + 1.0 / variance, w2 + variance.powi(-2), wm + mean / variance));
    let center = wm / w;
    let q: f64 = means.iter().map(|(mean, variance)| (mean - center).powi(2) / variance).sum();
    let degrees = means.len() as f64 - 1.0;
    ((q - degrees) / (w - w2 / w).max(1e-12)).max(0.0)
}
