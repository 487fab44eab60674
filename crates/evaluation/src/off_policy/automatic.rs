//! Every estimator with a hyper-parameter, chosen from the log itself.

use rayon::prelude::*;

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

/// Estimators that have a λ. Names are those that [`Estimator::name`] begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// Clipped IPW.
    ClippedIpw,
    /// Sub-Gaussian IPW.
    SubGaussianIpw,
    /// Clipped DR.
    ClippedDr,
    /// Switch-DR.
    SwitchDr,
    /// DR with optimistic shrinkage.
    ShrunkDr,
    /// Sub-Gaussian DR.
    SubGaussianDr,
}

impl Family {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::ClippedIpw, Self::SubGaussianIpw, Self::ClippedDr, Self::SwitchDr, Self::ShrunkDr, Self::SubGaussianDr];

    /// Whether it needs a reward model.
    pub const fn needs_model(self) -> bool {
        !matches!(self, Self::ClippedIpw | Self::SubGaussianIpw)
    }

    /// The estimator at a λ of one's own.
    ///
    /// # Errors
    /// λ is outside the estimator's range.
    pub fn at(self, lambda: f64) -> Result<Box<dyn Estimator>, OffPolicyError> {
        Ok(match self {
            Self::ClippedIpw => Box::new(InverseProbabilityWeighting::clipped(lambda)?),
            Self::SubGaussianIpw => Box::new(SubGaussianIpw::new(lambda)?),
            Self::ClippedDr => Box::new(DoublyRobust::clipped(lambda)?),
            Self::SwitchDr => Box::new(SwitchDoublyRobust::new(lambda)?),
            Self::ShrunkDr => Box::new(DoublyRobustShrinkage::new(lambda)?),
            Self::SubGaussianDr => Box::new(SubGaussianDoublyRobust::new(lambda)?),
        })
    }

    fn tuning(self, greatest: f64, criterion: Criterion) -> Result<Box<dyn Choice>, OffPolicyError> {
        let clipping = powers(2.0, greatest);
        match self {
            Self::ClippedIpw => choice(&clipping, InverseProbabilityWeighting::clipped, criterion),
            Self::SubGaussianIpw => choice(&SHARES, SubGaussianIpw::new, criterion),
            Self::ClippedDr => choice(&clipping, DoublyRobust::clipped, criterion),
            Self::SwitchDr => choice(&clipping, SwitchDoublyRobust::new, criterion),
            Self::ShrunkDr => choice(&powers(4.0, greatest * greatest), DoublyRobustShrinkage::new, criterion),
            Self::SubGaussianDr => choice(&SHARES, SubGaussianDoublyRobust::new, criterion),
        }
    }
}

/// λ of several estimators from the same blocks. Memory is that of sums, whatever the number of rounds.
#[derive(Debug)]
pub struct TuningOfAll(Vec<Box<dyn Choice>>);

impl TuningOfAll {
    /// Of these estimators. Grids follow the greatest weight that blocks will have: clipping and switching at powers of 2 from 1 up to
    /// it, shrinkage at powers of 4 from 1 to its square, and no change at all.
    ///
    /// # Errors
    /// The criterion's δ is not between 0 and 1.
    pub fn new(families: &[Family], greatest_weight: f64, criterion: Criterion) -> Result<Self, OffPolicyError> {
        let greatest = greatest_weight.max(1.0);
        families.iter().map(|family| family.tuning(greatest, criterion)).collect::<Result<_, _>>().map(Self)
    }

    /// Takes in a block.
    ///
    /// # Errors
    /// An estimator needs a reward model and the block has none.
    pub fn add(&mut self, weighed: &Weighed) -> Result<(), OffPolicyError> {
        self.0.par_iter_mut().try_for_each(|choice| choice.add(weighed))
    }

    /// Chooses, as often as is wanted.
    ///
    /// # Errors
    /// There are fewer than two rounds.
    pub fn finish(&self) -> Result<Vec<TunedEstimator>, OffPolicyError> {
        self.0.iter().map(|choice| choice.finish()).collect()
    }
}

/// Each estimator that has a λ, at the λ that the criterion chooses: clipped and sub-Gaussian IPW, and with a reward model clipped,
/// switched, shrunk and sub-Gaussian DR. Grids are those of [`TuningOfAll`], which takes rounds that don't fit in memory.
///
/// # Errors
/// There are fewer than two rounds, or the criterion's δ is not between 0 and 1.
pub fn tune_all(weighed: &Weighed, criterion: Criterion) -> Result<Vec<TunedEstimator>, OffPolicyError> {
    let families: Vec<Family> = Family::ALL.into_iter().filter(|family| weighed.has_expected || !family.needs_model()).collect();
    let mut tuning = TuningOfAll::new(&families, weighed.greatest_weight(), criterion)?;
    tuning.add(weighed)?;
    tuning.finish()
}

/// Infinity, and powers from below `greatest` down to 1.
fn powers(base: f64, greatest: f64) -> Vec<f64> {
    let mut grid: Vec<f64> = std::iter::successors(Some(1.0), |power| Some(power * base)).take_while(|power| *power < greatest).collect();
    grid.push(f64::INFINITY);
    grid.reverse();
    grid
}

/// A tuning, of whatever estimator.
trait Choice: std::fmt::Debug + Send + Sync {
    fn add(&mut self, weighed: &Weighed) -> Result<(), OffPolicyError>;
    fn finish(&self) -> Result<TunedEstimator, OffPolicyError>;
}

#[derive(Debug)]
struct Among<E> {
    candidates: Vec<E>,
    tuning: Tuning<E>,
}

impl<E: WeightShrinking + Copy + 'static> Choice for Among<E> {
    fn add(&mut self, weighed: &Weighed) -> Result<(), OffPolicyError> {
        self.tuning.add(weighed)
    }

    fn finish(&self) -> Result<TunedEstimator, OffPolicyError> {
        let tuned = self.tuning.finish()?;
        Ok(TunedEstimator { estimator: Box::new(self.candidates[tuned.chosen]), tuned })
    }
}

fn choice<E: WeightShrinking + Copy + 'static>(
    grid: &[f64],
    make: impl Fn(f64) -> Result<E, OffPolicyError>,
    criterion: Criterion,
) -> Result<Box<dyn Choice>, OffPolicyError> {
    let candidates: Vec<E> = grid.iter().map(|&lambda| make(lambda)).collect::<Result<_, _>>()?;
    let tuning = Tuning::new(candidates.clone(), criterion)?;
    Ok(Box::new(Among { candidates, tuning }))
}
