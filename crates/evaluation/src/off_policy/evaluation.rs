//! The value of one target policy by several estimators, from blocks of rounds.

use serde::Serialize;

use super::bootstrap::Bootstrap;
use super::diagnostics::{Diagnostics, WeightSums};
use super::error::OffPolicyError;
use super::estimator::{Estimator, Round, Term};
use super::interval::{Bounds, Interval, empirical_bernstein, hoeffding, normal};
use super::moments::{Moments, Places, Valued, valued};
use super::sums::{Sums, check_needs};
use super::warning::Warning;
use super::weighed::Weighed;
use crate::Estimate;

/// What to estimate beside values.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// 1 − level of the intervals: 0.05 for 95 %.
    pub alpha: f64,
    /// Whether to bootstrap.
    pub bootstrap: Option<Bootstrap>,
    /// For intervals of Hoeffding and Bernstein.
    pub bounds: Option<Bounds>,
    /// Unit of rewards, as it shall stand beside values.
    pub unit: String,
    /// Names of actions, for warnings; numbers where there are none.
    pub action_names: Vec<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self { alpha: 0.05, bootstrap: None, bounds: None, unit: "reward per round".to_owned(), action_names: Vec::new() }
    }
}

impl Options {
    pub(super) fn check(&self) -> Result<(), OffPolicyError> {
        if !(self.alpha > 0.0 && self.alpha < 1.0) {
            return Err(OffPolicyError::Setting { name: "alpha", value: self.alpha, rule: "between 0 and 1" });
        }
        if let Some(bootstrap) = self.bootstrap
            && bootstrap.draws < 100
        {
            let value = bootstrap.draws as f64;
            return Err(OffPolicyError::Setting { name: "the number of bootstrap draws", value, rule: "at least 100" });
        }
        self.bounds.map_or(Ok(()), |bounds| bounds.check())
    }
}

/// A policy's value by one estimator.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PolicyValue {
    /// Estimator.
    pub estimator: String,
    /// The value; `None` where the estimator is undefined on this log.
    pub value: Option<f64>,
    /// Its standard error: by customer where customers are given.
    pub std_error: Option<f64>,
    /// Asymptotic normal interval, by customer where customers are given.
    pub normal: Option<Interval>,
    /// Poisson bootstrap's percentile interval, by customer where customers are given.
    pub bootstrap: Option<Interval>,
    /// Empirical Bernstein interval.
    pub empirical_bernstein: Option<Interval>,
    /// Hoeffding's interval.
    pub hoeffding: Option<Interval>,
    /// Rounds.
    pub rounds: u64,
    /// Independent units: customers, or rounds where customers are not given.
    pub n: u64,
    /// Unit of value and intervals.
    pub unit: String,
}

impl PolicyValue {
    /// Value with its normal interval.
    pub fn estimate(&self) -> Option<Estimate> {
        let (value, interval) = (self.value?, self.normal?);
        Some(Estimate { value, low: interval.low, high: interval.high, n: usize::try_from(self.n).unwrap_or(usize::MAX) })
    }
}

/// Values of a policy, and whether to believe them.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// One for each estimator.
    pub values: Vec<PolicyValue>,
    /// Weights and overlap.
    pub diagnostics: Diagnostics,
    /// What to know.
    pub warnings: Vec<Warning>,
}

impl Report {
    /// The value by an estimator of that name.
    pub fn value(&self, estimator: &str) -> Option<&PolicyValue> {
        self.values.iter().find(|value| value.estimator == estimator)
    }
}

/// The mean of weights, in the manner of an estimator.
#[derive(Debug)]
struct MeanWeight;

impl Estimator for MeanWeight {
    fn name(&self) -> String {
        "mean weight".to_owned()
    }

    fn term(&self, round: &Round) -> Term {
        Term::mean(round.weight)
    }
}

/// Takes in blocks of rounds, gives values. Memory is that of a block, beside 8 × draws a bootstrapped sum, and where
/// customers are given some 24 bytes × estimators for each of them.
#[derive(Debug)]
pub struct Evaluation {
    /// The last is the mean weight.
    estimators: Vec<Box<dyn Estimator>>,
    options: Options,
    sums: Option<Sums<4>>,
    by_customer: bool,
    weights: WeightSums,
}

impl Evaluation {
    /// With these estimators.
    ///
    /// # Errors
    /// A setting is outside its range.
    pub fn new(mut estimators: Vec<Box<dyn Estimator>>, options: Options) -> Result<Self, OffPolicyError> {
        options.check()?;
        estimators.push(Box::new(MeanWeight));
        Ok(Self { estimators, options, sums: None, by_customer: false, weights: WeightSums::new() })
    }

    /// Takes in a block.
    ///
    /// # Errors
    /// An estimator needs what the block doesn't have, or the block differs in kind from those before or has rows of theirs.
    pub fn add(&mut self, weighed: &Weighed) -> Result<(), OffPolicyError> {
        check_needs(&self.estimators, weighed)?;
        if self.sums.is_some() && self.by_customer != weighed.has_customers {
            return Err(OffPolicyError::Mismatch { what: "units (customers given, or not)" });
        }
        self.by_customer = weighed.has_customers;
        let sums = self.sums.get_or_insert_with(|| Sums::new(&self.estimators, self.options.bootstrap, weighed.has_customers));
        sums.add(&self.estimators, &[weighed])?;
        self.weights.add(weighed)
    }

    /// Joins what another evaluation, with the same estimators and options, took in of other rounds of the log.
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
        match &mut self.sums {
            Some(sums) => sums.merge(&others)?,
            None => self.sums = Some(others),
        }
        self.by_customer = other.by_customer;
        self.weights.merge(&other.weights)
    }

    /// Values of all that was taken in.
    ///
    /// # Errors
    /// There are fewer than two independent units, sums overflow, or rewards, weights or a model's values are beyond the bounds.
    pub fn finish(&self) -> Result<Report, OffPolicyError> {
        let unit = if self.by_customer { "customer" } else { "round" };
        let sums = self.sums.as_ref().ok_or(OffPolicyError::TooFew { units: 0, unit })?;
        let moments = sums.moments();
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count")]
        let units = moments[0].count as u64;
        if units < 2 {
            return Err(OffPolicyError::TooFew { units: usize::from(units > 0), unit });
        }
        self.check_bounds()?;
        let (of_weight, of_estimators) = (valued(&moments[moments.len() - 1], Places::SINGLE), &moments[..moments.len() - 1]);
        let diagnostics = self.weights.diagnostics(of_weight, (units, unit), self.options.alpha, &self.options.action_names);
        let values: Vec<PolicyValue> = of_estimators.iter().enumerate().map(|(place, of)| self.value(sums, place, of)).collect();
        let is_finite = |value: &&PolicyValue| value.value.zip(value.std_error).is_none_or(|(value, error)| (value + error).is_finite());
        if let Some(value) = values.iter().find(|value| !is_finite(value)) {
            return Err(OffPolicyError::Overflow { estimator: value.estimator.clone() });
        }
        let mut warnings = diagnostics.warnings(self.by_customer);
        warnings.extend(
            values.iter().filter(|value| value.value.is_none()).map(|value| Warning::Undefined { estimator: value.estimator.clone() }),
        );
        if self.by_customer && self.options.bounds.is_some() {
            warnings.push(Warning::NoBoundsByCustomer);
        }
        Ok(Report { values, diagnostics, warnings })
    }

    fn value(&self, sums: &Sums<4>, place: usize, moments: &Moments<4>) -> PolicyValue {
        let (estimator, alpha) = (&self.estimators[place], self.options.alpha);
        let is_defined = !estimator.is_self_normalised() || moments.means[Places::SINGLE.denominator] != 0.0;
        let found = is_defined.then(|| valued(moments, Places::SINGLE));
        let bootstrap =
            sums.drawn().filter(|_| is_defined).and_then(|drawn| drawn.interval(alpha, |sums_of| sums.value_of(sums_of, place, 0)));
        let width = self.options.bounds.filter(|_| !self.by_customer).and_then(|bounds| bounds.width(estimator.as_ref()));
        let variance = |found: Valued| found.std_error * found.std_error * moments.count;
        PolicyValue {
            estimator: estimator.name(),
            value: found.map(|found| found.value),
            std_error: found.map(|found| found.std_error),
            normal: found.map(|found| normal(found, alpha)),
            bootstrap: bootstrap.map(|(low, high)| Interval { low, high }),
            empirical_bernstein: found
                .zip(width)
                .map(|(of, width)| empirical_bernstein(of.value, variance(of), width, moments.count, alpha)),
            hoeffding: found.zip(width).map(|(of, width)| hoeffding(of.value, width, moments.count, alpha)),
            rounds: sums.rounds,
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count")]
            n: moments.count as u64,
            unit: self.options.unit.clone(),
        }
    }

    fn check_bounds(&self) -> Result<(), OffPolicyError> {
        let Some(bounds) = self.options.bounds else {
            return Ok(());
        };
        let within = |what: &'static str, (low, high): (f64, f64)| {
            if low < bounds.least_reward {
                return Err(OffPolicyError::Bound { what, value: low, bound: bounds.least_reward });
            }
            if high > bounds.greatest_reward {
                return Err(OffPolicyError::Bound { what, value: high, bound: bounds.greatest_reward });
            }
            Ok(())
        };
        within("a reward", self.weights.rewards)?;
        within("the reward model", self.weights.expected)?;
        if self.weights.greatest() > bounds.greatest_weight {
            return Err(OffPolicyError::Bound { what: "a weight", value: self.weights.greatest(), bound: bounds.greatest_weight });
        }
        Ok(())
    }
}

/// Values of a policy from one block that is the whole log.
///
/// # Errors
/// As [`Evaluation`].
pub fn evaluate(weighed: &Weighed, estimators: Vec<Box<dyn Estimator>>, options: Options) -> Result<Report, OffPolicyError> {
    let mut evaluation = Evaluation::new(estimators, options)?;
    evaluation.add(weighed)?;
    evaluation.finish()
}
