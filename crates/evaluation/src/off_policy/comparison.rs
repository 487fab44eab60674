//! Two target policies on the same rounds: the interval of the difference, not the difference of intervals.

use serde::Serialize;

use super::error::OffPolicyError;
use super::estimator::Estimator;
use super::evaluation::Options;
use super::interval::{Interval, normal};
use super::moments::{Moments, Places, Valued, ratio};
use super::sums::{Sums, check_needs};
use super::weighed::Weighed;
use crate::experiment::special::normal_sf;

const FIRST: Places = Places::SINGLE;
const SECOND: Places = Places { rounds: 0, base: 4, numerator: 5, denominator: 6 };

/// What the first policy is worth more than the second, by one estimator.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ValueDifference {
    /// Estimator.
    pub estimator: String,
    /// First less second; `None` where the estimator is undefined for one of them.
    pub difference: Option<f64>,
    /// Its standard error, paired: contributions of the same unit are subtracted first.
    pub std_error: Option<f64>,
    /// Paired asymptotic normal interval.
    pub paired: Option<Interval>,
    /// Paired bootstrap: both policies in the same draws.
    pub bootstrap: Option<Interval>,
    /// What the interval would be if the two were taken for independent: wider where the policies agree on many
    /// rounds. For comparison only.
    pub unpaired: Option<Interval>,
    /// Two-sided p value of no difference, paired.
    pub p: Option<f64>,
    /// Values of both.
    pub values: Option<(f64, f64)>,
    /// Rounds.
    pub rounds: u64,
    /// Independent units: customers, or rounds where customers are not given.
    pub n: u64,
    /// Unit of differences.
    pub unit: String,
}

/// Takes in blocks of rounds weighed for two policies. Memory as [`super::Evaluation`]'s, for two.
#[derive(Debug)]
pub struct Comparison {
    estimators: Vec<Box<dyn Estimator>>,
    options: Options,
    sums: Option<Sums<7>>,
    by_customer: bool,
}

impl Comparison {
    /// With these estimators.
    ///
    /// # Errors
    /// A setting is outside its range.
    pub fn new(estimators: Vec<Box<dyn Estimator>>, options: Options) -> Result<Self, OffPolicyError> {
        options.check()?;
        Ok(Self { estimators, options, sums: None, by_customer: false })
    }

    /// Takes in a block, weighed for each policy.
    ///
    /// # Errors
    /// The two are not the same rounds, an estimator needs what they don't have, or they differ in kind from those
    /// before.
    pub fn add(&mut self, first: &Weighed, second: &Weighed) -> Result<(), OffPolicyError> {
        check_needs(&self.estimators, first)?;
        check_needs(&self.estimators, second)?;
        let same_rewards = || first.rounds.iter().zip(&second.rounds).all(|(one, other)| one.reward.to_bits() == other.reward.to_bits());
        if first.units != second.units || !same_rewards() {
            return Err(OffPolicyError::Mismatch { what: "rounds (a paired comparison needs both policies on the same ones)" });
        }
        if self.sums.is_some() && self.by_customer != first.has_customers {
            return Err(OffPolicyError::Mismatch { what: "units (customers given, or not)" });
        }
        self.by_customer = first.has_customers;
        let sums = self.sums.get_or_insert_with(|| Sums::new(&self.estimators, self.options.bootstrap, first.has_customers));
        sums.add(&self.estimators, &[first, second])
    }

    /// Joins what another comparison, with the same estimators and options, took in of other rounds of the log.
    ///
    /// # Errors
    /// The two differ in estimators, options or kind of rounds.
    pub fn merge(&mut self, other: Self) -> Result<(), OffPolicyError> {
        let names = |all: &[Box<dyn Estimator>]| all.iter().map(|estimator| estimator.name()).collect::<Vec<_>>();
        if names(&self.estimators) != names(&other.estimators) || self.options != other.options {
            return Err(OffPolicyError::Mismatch { what: "estimators or options" });
        }
        let Some(others) = other.sums else {
            return Ok(());
        };
        self.by_customer = other.by_customer;
        match &mut self.sums {
            Some(sums) => sums.merge(&others),
            None => {
                self.sums = Some(others);
                Ok(())
            }
        }
    }

    /// Differences of all that was taken in, one for each estimator.
    ///
    /// # Errors
    /// There are fewer than two independent units, or sums overflow.
    pub fn finish(&self) -> Result<Vec<ValueDifference>, OffPolicyError> {
        let unit = if self.by_customer { "customer" } else { "round" };
        let sums = self.sums.as_ref().ok_or(OffPolicyError::TooFew { units: 0, unit })?;
        let moments = sums.moments();
        if moments.iter().any(|moments| moments.count < 2.0) {
            return Err(OffPolicyError::TooFew { units: 1, unit });
        }
        let differences: Vec<ValueDifference> =
            moments.iter().enumerate().map(|(place, moments)| self.difference(sums, place, moments)).collect();
        let is_finite = |found: &&ValueDifference| found.difference.zip(found.std_error).is_none_or(|(of, error)| (of + error).is_finite());
        match differences.iter().find(|found| !is_finite(found)) {
            Some(found) => Err(OffPolicyError::Overflow { estimator: found.estimator.clone() }),
            None => Ok(differences),
        }
    }

    fn difference(&self, sums: &Sums<7>, place: usize, moments: &Moments<7>) -> ValueDifference {
        let (estimator, alpha) = (&self.estimators[place], self.options.alpha);
        let is_defined =
            !estimator.is_self_normalised() || (moments.means[FIRST.denominator] != 0.0 && moments.means[SECOND.denominator] != 0.0);
        let std_error = |gradient: &[f64; 7]| (moments.variance(gradient) / moments.count).sqrt();
        let ((one, up), (other, down)) = (ratio(moments, FIRST), ratio(moments, SECOND));
        let mut gradient = up;
        gradient.iter_mut().zip(&down).for_each(|(slope, other)| *slope -= other);
        let paired = Valued { value: one - other, std_error: std_error(&gradient) };
        let unpaired = Valued { value: one - other, std_error: std_error(&up).hypot(std_error(&down)) };
        let of_draw = |of: &[f64]| Some(sums.value_of(of, place, 0)? - sums.value_of(of, place, 1)?);
        let bootstrap = sums.drawn().filter(|_| is_defined).and_then(|drawn| drawn.interval(alpha, of_draw));
        let p = if paired.std_error > 0.0 {
            2.0 * normal_sf((paired.value / paired.std_error).abs())
        } else {
            f64::from(u8::from(paired.value == 0.0))
        };
        ValueDifference {
            estimator: estimator.name(),
            difference: is_defined.then_some(paired.value),
            std_error: is_defined.then_some(paired.std_error),
            paired: is_defined.then(|| normal(paired, alpha)),
            bootstrap: bootstrap.map(|(low, high)| Interval { low, high }),
            unpaired: is_defined.then(|| normal(unpaired, alpha)),
            p: is_defined.then_some(p),
            values: is_defined.then_some((one, other)),
            rounds: sums.rounds,
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count")]
            n: moments.count as u64,
            unit: self.options.unit.clone(),
        }
    }
}
