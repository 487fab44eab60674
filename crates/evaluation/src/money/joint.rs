//! Effects on several outcomes at once, each a weighted sum of columns.
//!
//! [`Moments`] are closed under linear maps: those of W·x have mean W·x̄ and covariance W S Wᵀ. So profit, a part of
//! revenue, or the difference of two figures need no pass of their own over the customers, and their covariance is
//! known, which ratios and sums need. CUPED is such a map too, and as its θ is linear in the outcome, adjusted effects on parts
//! still sum to the adjusted effect on the whole.
//!
//! θ = (Σt/nt + Σc/nc)⁻¹(σt/nt + σc/nc) makes the effect's variance least. One pooled over all customers (see
//! [`crate::experiment::cuped()`]) weighs arms by their sizes where their variances weigh the other way round: where an outcome doesn't
//! vary in the smaller arm, as spend of those who are held out, it adds that arm's covariates to an effect that had none of their noise.
//! What k coefficients take from the residuals is given back: variances times (n − 1)/(n − 1 − k), as after a regression.

use crate::experiment::solve::{inverse, product};
use crate::experiment::special::{t_two_sided, t_upper_quantile};
use crate::experiment::{ArmEstimate, Contrast, ExperimentError, Moments};

/// Weights of columns.
pub(crate) type Weights = Vec<(usize, f64)>;

/// Statistics of weighted sums of columns.
pub(crate) fn combined(moments: &Moments, outcomes: &[Weights]) -> Result<Moments, ExperimentError> {
    let means: Vec<f64> = outcomes.iter().map(|weights| mean(moments, weights)).collect();
    let pairs =
        outcomes.iter().enumerate().flat_map(|(at, one)| outcomes[..=at].iter().enumerate().map(move |(to, two)| (at == to, one, two)));
    let covariances: Vec<f64> = pairs
        .map(|(same, one, two)| {
            let covariance = covariance(moments, one, two);
            // What cancels leaves rounding, which has a sign.
            if same { covariance.max(0.0) } else { covariance }
        })
        .collect();
    Moments::from_covariances(moments.units(), &means, &covariances)
}

pub(crate) fn mean(moments: &Moments, weights: &Weights) -> f64 {
    weights.iter().map(|&(column, weight)| weight * moments.mean(column)).sum()
}

pub(crate) fn covariance(moments: &Moments, one: &Weights, two: &Weights) -> f64 {
    let pairs = one.iter().flat_map(|left| two.iter().map(move |right| (left, right)));
    pairs.map(|(left, right)| left.1 * right.1 * moments.covariance(left.0, right.0)).sum()
}

/// Customers that an arm needs for each covariate: with 10, intervals of heavy tails covered 89 % instead of 95.
const FEWEST: u64 = 30;

/// Two arms' outcomes, adjusted.
#[derive(Debug, Clone)]
pub(crate) struct Joint {
    pub(crate) control: Moments,
    pub(crate) treatment: Moments,
    /// Share of each effect's variance that the adjustment took away.
    pub(crate) reduction: Vec<f64>,
    /// Coefficients that were fitted.
    fitted: usize,
}

impl Joint {
    /// Outcomes less θ times what covariates are above their mean over both arms. Covariates that don't vary, or
    /// that follow from those before them, are left out; so are all where an arm has too few customers.
    pub(crate) fn new(
        outcomes: &[Weights],
        covariates: &[Weights],
        control: &Moments,
        treatment: &Moments,
    ) -> Result<Self, ExperimentError> {
        Self::partly(outcomes, outcomes.len(), covariates, control, treatment)
    }

    /// The same, with only the first so many outcomes adjusted.
    pub(crate) fn partly(
        outcomes: &[Weights],
        adjusted: usize,
        covariates: &[Weights],
        control: &Moments,
        treatment: &Moments,
    ) -> Result<Self, ExperimentError> {
        for (moments, arm) in [(control, "held out"), (treatment, "treated")] {
            if moments.units() < 2 {
                return Err(ExperimentError::TooFewUnits { arm: arm.to_owned(), units: moments.units() });
            }
        }
        let columns: Vec<Weights> = outcomes.iter().chain(covariates).cloned().collect();
        let (control, treatment) = (combined(control, &columns)?, combined(treatment, &columns)?);
        let total = control.merged(&treatment);
        let least = control.units().min(treatment.units());
        // A line through a handful of customers follows them, and not what they have in common with others.
        let is_enough = adjusted > 0 && least > FEWEST * covariates.len() as u64;
        let of_contrast = |one: usize, two: usize| {
            control.covariance(one, two) / control.units() as f64 + treatment.covariance(one, two) / treatment.units() as f64
        };
        let varying =
            (outcomes.len()..total.columns()).filter(|&column| is_enough && total.varies(column) && of_contrast(column, column) > 0.0);
        let (used, gram) = independent(varying.collect(), of_contrast)?;
        let theta: Vec<Vec<f64>> = (0..outcomes.len())
            .map(|outcome| match outcome < adjusted {
                true => product(&gram, &used.iter().map(|&column| of_contrast(column, outcome)).collect::<Vec<f64>>()),
                false => vec![0.0; used.len()],
            })
            .collect();
        let adjusted = |moments: &Moments| -> Result<Moments, ExperimentError> {
            let weights = |(outcome, theta): (usize, &Vec<f64>)| -> Weights {
                std::iter::once((outcome, 1.0)).chain(used.iter().zip(theta).map(|(&column, theta)| (column, -theta))).collect()
            };
            let parts = combined(moments, &theta.iter().enumerate().map(weights).collect::<Vec<Weights>>())?;
            let back = |theta: &Vec<f64>| used.iter().zip(theta).map(|(&column, theta)| theta * total.mean(column)).sum::<f64>();
            shifted(&parts, &theta.iter().map(back).collect::<Vec<f64>>())
        };
        let plain = Self { control: control.clone(), treatment: treatment.clone(), reduction: vec![], fitted: 0 };
        let mut joint = Self { control: adjusted(&control)?, treatment: adjusted(&treatment)?, reduction: vec![], fitted: used.len() };
        let variance = |joint: &Self, outcome: usize| joint.effect(&vec![(outcome, 1.0)]).absolute().1;
        joint.reduction = (0..outcomes.len())
            .map(|outcome| {
                let before = variance(&plain, outcome);
                if before > 0.0 { 1.0 - variance(&joint, outcome) / before } else { 0.0 }
            })
            .collect();
        Ok(joint)
    }

    /// Treated less held out, of a weighted sum of outcomes. No variance in one arm is taken as it is: whoever is
    /// held out costs exactly 0.
    pub(crate) fn effect(&self, weights: &Weights) -> Contrast {
        self.between(weights, weights)
    }

    /// One weighted sum of the treated less another one of the held out.
    pub(crate) fn between(&self, control: &Weights, treatment: &Weights) -> Contrast {
        let arm = |moments: &Moments, weights: &Weights| {
            let variance = self.of_mean(moments, weights, weights).max(0.0);
            ArmEstimate::plain(moments.units(), mean(moments, weights), variance, self.df(moments))
        };
        Contrast::independent(arm(&self.control, control), arm(&self.treatment, treatment))
    }

    /// The same, refused where an arm doesn't vary.
    pub(crate) fn varying(&self, weights: &Weights, metric: &str) -> Result<Contrast, ExperimentError> {
        for (moments, arm) in [(&self.control, "held out"), (&self.treatment, "treated")] {
            if !combined(moments, std::slice::from_ref(weights))?.varies(0) {
                // What the time before tells exactly varied until it was adjusted.
                let is_told = weights.iter().any(|&(outcome, _)| self.reduction[outcome] > 0.0);
                let metric = if is_told { format!("{metric}, adjusted by the time before,") } else { metric.to_owned() };
                return Err(ExperimentError::Constant { metric, arm: arm.to_owned() });
            }
        }
        Ok(self.effect(weights))
    }

    /// Covariance of two effects.
    pub(crate) fn covariance(&self, one: &Weights, two: &Weights) -> f64 {
        self.of_mean(&self.control, one, two) + self.of_mean(&self.treatment, one, two)
    }

    /// Covariance of an arm's means.
    fn of_mean(&self, moments: &Moments, one: &Weights, two: &Weights) -> f64 {
        let n = moments.units() as f64;
        covariance(moments, one, two) / n * ((n - 1.0) / self.df(moments))
    }

    fn df(&self, moments: &Moments) -> f64 {
        moments.units() as f64 - 1.0 - self.fitted as f64
    }
}

/// Covariates that don't follow from those before them, and the inverse of their covariance.
fn independent(mut used: Vec<usize>, covariance: impl Fn(usize, usize) -> f64) -> Result<(Vec<usize>, Vec<Vec<f64>>), ExperimentError> {
    loop {
        let matrix: Vec<Vec<f64>> = used.iter().map(|&one| used.iter().map(|&two| covariance(one, two)).collect()).collect();
        match inverse(&matrix) {
            Ok(inverse) => return Ok((used, inverse)),
            Err(ExperimentError::Dependent { pivot }) if pivot < used.len() => {
                used.remove(pivot);
            }
            Err(error) => return Err(error),
        }
    }
}

fn shifted(moments: &Moments, by: &[f64]) -> Result<Moments, ExperimentError> {
    let columns = moments.columns();
    let means: Vec<f64> = (0..columns).map(|column| moments.mean(column) + by[column]).collect();
    let covariances: Vec<f64> = (0..columns).flat_map(|one| (0..=one).map(move |two| moments.covariance(one, two))).collect();
    Moments::from_covariances(moments.units(), &means, &covariances)
}

/// Student's interval and two-sided p-value; without a standard error the value itself, and no test.
pub(crate) fn judged(value: f64, std_error: f64, df: f64, level: f64) -> (f64, f64, f64) {
    if std_error <= 0.0 {
        return (value, value, if value == 0.0 { 1.0 } else { 0.0 });
    }
    let half = std_error * t_upper_quantile((1.0 - level) / 2.0, df);
    (value - half, value + half, t_two_sided(value / std_error, df))
}
