//! Every estimator with a hyper-parameter, chosen from the log itself.

use super::error::OffPolicyError;
use super::estimator::{Estimator, WeightShrinking};
use super::estimators::{
    DoublyRobust, DoublyRobustShrinkage, InverseProbabilityWeighting, SubGaussianDoublyRobust, SubGaussianIpw, SwitchDoublyRobust,
};
use super::tuning::{Criterion, Tuned, Tuning};
use super::weighed::Weighed;

/// λ of the sub-Gaussian estimators, from none to all.
const SHARES: [f64; 8] = [0.0, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0];

/// An estimator at the λ that was chosen for it.
#[derive(Debug)]
pub struct TunedEstimator {
    /// The estimator.
    pub estimator: Box<dyn Estimator>,
    /// How λ was chosen.
    pub tuned: Tuned,
}

/// Each estimator that has a λ, at the λ that the criterion chooses: clipped and sub-Gaussian IPW, and with a reward model clipped,
/// switched, shrunk and sub-Gaussian DR.
///
/// Grids follow the log's weights: clipping and switching at powers of 2 from 1 to the greatest weight, shrinkage at powers of 4
/// from 1 to its square, and no change at all. For rounds that don't fit in memory use [`Tuning`] block by block.
///
/// # Errors
/// There are fewer than two rounds, or the criterion's δ is not between 0 and 1.
pub fn tune_all(weighed: &Weighed, criterion: Criterion) -> Result<Vec<TunedEstimator>, OffPolicyError> {
    let greatest = weighed.rounds.iter().fold(1.0_f64, |greatest, round| greatest.max(round.weight));
    let clipping = powers(2.0, greatest);
    let mut all = vec![
        tune(&clipping, InverseProbabilityWeighting::clipped, weighed, criterion)?,
        tune(&SHARES, SubGaussianIpw::new, weighed, criterion)?,
    ];
    if weighed.has_expected {
        all.push(tune(&clipping, DoublyRobust::clipped, weighed, criterion)?);
        all.push(tune(&clipping, SwitchDoublyRobust::new, weighed, criterion)?);
        all.push(tune(&powers(4.0, greatest * greatest), DoublyRobustShrinkage::new, weighed, criterion)?);
        all.push(tune(&SHARES, SubGaussianDoublyRobust::new, weighed, criterion)?);
    }
    Ok(all)
}

/// Infinity, and powers from below `greatest` down to 1.
fn powers(base: f64, greatest: f64) -> Vec<f64> {
    let mut grid: Vec<f64> = std::iter::successors(Some(1.0), |power| Some(power * base)).take_while(|power| *power < greatest).collect();
    grid.push(f64::INFINITY);
    grid.reverse();
    grid
}

fn tune<E: WeightShrinking + Copy + 'static>(
    grid: &[f64],
    make: impl Fn(f64) -> Result<E, OffPolicyError>,
    weighed: &Weighed,
    criterion: Criterion,
) -> Result<TunedEstimator, OffPolicyError> {
    let candidates: Vec<E> = grid.iter().map(|&lambda| make(lambda)).collect::<Result<_, _>>()?;
    let mut tuning = Tuning::new(candidates.clone(), criterion)?;
    tuning.add(weighed)?;
    let tuned = tuning.finish()?;
    Ok(TunedEstimator { estimator: Box::new(candidates[tuned.chosen]), tuned })
}
