//! How far prices learnt on a sample may be off.
//!
//! Prices balance what a sample takes of each resource. What other customers take differs by chance,
//! with covariance V a customer; the second derivative H of the dual says by how much prices then
//! move: H⁻¹ V H⁻¹ (the sandwich of M-estimators, Huber 1967).

use nalgebra::DMatrix;

use crate::candidates::{Candidates, Settled};
use crate::program::{Pricing, Program};
use crate::smooth::Dual;
use crate::solve::scale_of;

/// A temperature, as a share of the scale of values, at which a few per cent are undecided: enough to
/// see how demand bends.
const WARM: f64 = 0.03;

/// Standard deviations of prices found on these customers, as prices of offers.
pub(crate) fn spread(program: &Program, open: &Candidates, settled: &Settled, limits: &[f64], prices: &[f64]) -> Pricing {
    let resources = limits.len();
    let new = || (vec![0.0; resources], vec![0.0; resources * resources]);
    let parts = open.fold(program, prices, new, |(sum, products): &mut (Vec<f64>, Vec<f64>), _, choices| {
        let taken = choices.taken(choices.best());
        for &(one, amount) in taken {
            sum[one as usize] += amount as f64;
            for &(two, other) in taken {
                products[one as usize * resources + two as usize] += amount as f64 * other as f64;
            }
        }
    });
    let mut sum = vec![0.0; resources];
    let mut products = DMatrix::zeros(resources, resources);
    for (part, of_products) in parts {
        sum.iter_mut().zip(&part).for_each(|(sum, one)| *sum += one);
        products += DMatrix::from_row_slice(resources, resources, &of_products);
    }
    let customers = open.len().max(1) as f64;
    let variance = DMatrix::from_fn(resources, resources, |one, two| products[(one, two)] - sum[one] * sum[two] / customers);
    // A resource that is nowhere near its limit has no price here nor among all customers.
    let is_near = |place: usize| {
        let left = limits[place] - settled.taken[place] as f64 - sum[place];
        prices[place] > 0.0 || left < 6.0 * variance[(place, place)].max(0.0).sqrt()
    };
    let near: Vec<usize> = (0..resources).filter(|&place| is_near(place)).collect();
    let most = vec![f64::INFINITY; resources];
    let dual = Dual { program, open, settled, limits, most: &most };
    let curvature = dual.curvature(prices, scale_of(open) * WARM);
    let picked = |from: &DMatrix<f64>| DMatrix::from_fn(near.len(), near.len(), |one, two| from[(near[one], near[two])]);
    let mut bend = picked(&curvature);
    for place in 0..near.len() {
        bend[(place, place)] *= 1.0 + 1e-6;
    }
    let mut covariance = DMatrix::zeros(resources, resources);
    if let Some(inverse) = bend.try_inverse() {
        let near_covariance = &inverse * picked(&variance) * &inverse;
        for (one, &row) in near.iter().enumerate() {
            for (two, &column) in near.iter().enumerate() {
                covariance[(row, column)] = near_covariance[(one, two)];
            }
        }
    }
    program.deviation(&covariance)
}
