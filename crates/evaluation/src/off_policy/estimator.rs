//! What all estimators have in common.

/// One round as an estimator sees it: everything about actions other than the logged one is summed up.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Round {
    /// Importance weight w = π(a | x) / propensity, target over logging policy.
    pub weight: f64,
    /// π(a | x) of the logged action under the target policy.
    pub probability: f64,
    /// Reward r.
    pub reward: f64,
    /// q̂(x, a) of the logged action; NaN without a reward model.
    pub expected_logged: f64,
    /// Σₐ π(a | x) q̂(x, a); NaN without a reward model.
    pub expected_target: f64,
    /// Importance weight from a classifier; NaN where none was given.
    pub balanced_weight: f64,
}

impl Round {
    /// r − q̂(x, a).
    pub fn residual(&self) -> f64 {
        self.reward - self.expected_logged
    }
}

/// What one round adds to an estimate, which is mean(base) + Σ numerator / Σ denominator.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Term {
    /// Averaged over all rounds.
    pub base: f64,
    /// Of the self-normalised part.
    pub numerator: f64,
    /// Of the self-normalised part.
    pub denominator: f64,
}

impl Term {
    /// For an estimate that is a plain mean.
    pub const fn mean(base: f64) -> Self {
        Self { base, numerator: 0.0, denominator: 1.0 }
    }

    /// For an estimate that is a ratio of sums.
    pub const fn ratio(numerator: f64, denominator: f64) -> Self {
        Self { base: 0.0, numerator, denominator }
    }
}

/// What an estimator needs beside action, reward and propensity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Needs {
    /// Nothing.
    Nothing,
    /// A reward model ([`super::Expected`]).
    RewardModel,
    /// Importance weights from a classifier.
    BalancedWeights,
}

/// An estimator of a policy's value from rounds that another policy logged.
pub trait Estimator: std::fmt::Debug + Send + Sync {
    /// Its name, with its hyper-parameter if that matters.
    fn name(&self) -> String;

    /// What it needs.
    fn needs(&self) -> Needs {
        Needs::Nothing
    }

    /// Whether it is a ratio of sums, so that bounds for means of independent values don't apply.
    fn is_self_normalised(&self) -> bool {
        false
    }

    /// What a round adds.
    fn term(&self, round: &Round) -> Term;

    /// [`Estimator::term`] of many rounds, in their order.
    fn terms(&self, rounds: &[Round], out: &mut [Term]) {
        out.iter_mut().zip(rounds).for_each(|(term, round)| *term = self.term(round));
    }

    /// Greatest weight it gives a round when no importance weight is above `greatest`.
    fn greatest_weight(&self, greatest: f64) -> f64 {
        greatest
    }
}

/// An estimator that changes importance weights by a hyper-parameter λ: less variance, more bias.
pub trait WeightShrinking: Estimator {
    /// λ.
    fn lambda(&self) -> f64;

    /// The weight used in place of `weight`.
    fn shrunk(&self, weight: f64) -> f64;
}
