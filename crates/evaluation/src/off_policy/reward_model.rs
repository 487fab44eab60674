//! A reward model from the log itself: q̂ as a ridge or logistic regression on context and action, one for each
//! position, cross-fitted. Fit and predictions go block by block: a ridge regression's sums are all it needs, a logistic
//! one keeps rounds, as many as it is allowed.

use rayon::prelude::*;
use youhui_commerce::Draw;

use super::additive::{Additive, Equations, fit_logistic, logistic};
use super::error::OffPolicyError;
use super::estimator::Round;
use super::log::{Column, Log, Shape, Target, check_length};
use super::weighed::Weighed;

/// The regression. Penalties are on all coefficients but the intercept's, and above 0, so that an action without
/// rounds gets the mean of the others.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Regression {
    /// Least Σ w (r − q̂)² + penalty × |β|² (scikit-learn's `Ridge(alpha=penalty)`).
    Ridge {
        /// Penalty.
        penalty: f64,
    },
    /// For rewards within 0 and 1; least Σ w × log loss + penalty/2 × |β|² (scikit-learn's
    /// `LogisticRegression(C=1/penalty)`).
    Logistic {
        /// Penalty.
        penalty: f64,
    },
}

/// How much a round counts in the fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FittingWeights {
    /// All alike.
    Equal,
    /// w: the model is best where the target policy goes.
    Importance,
    /// π (1 − π₀) / π₀²: least variance of DR rather than least error of q̂ (more robust doubly robust, MRDR). Depends
    /// on the target policy: fit one model for each. Heavier-tailed than w; few rounds may decide the fit.
    ///
    /// Farajtabar, Chow and Ghavamzadeh 2018, "More Robust Doubly Robust Off-policy Evaluation".
    Mrdr,
}

impl FittingWeights {
    /// The weight of each round, for a regression of one's own.
    pub fn of(self, weighed: &Weighed) -> Vec<f64> {
        weighed.rounds.iter().map(|round| self.weight(round)).collect()
    }

    fn weight(self, round: &Round) -> f64 {
        match self {
            Self::Equal => 1.0,
            Self::Importance => round.weight,
            // Without weight the propensity isn't known from the quotient, and the product is 0.
            Self::Mrdr if round.weight == 0.0 => 0.0,
            Self::Mrdr => {
                let propensity = round.probability / round.weight;
                round.weight * (1.0 - propensity) / propensity
            }
        }
    }
}

/// How to fit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Fitting {
    /// The regression.
    pub regression: Regression,
    /// Weights of rounds.
    pub weights: FittingWeights,
    /// Parts of the log; each is predicted by a fit on the others, whole customers at a time. 1: all by all, which makes
    /// doubly robust intervals too narrow, as the model has seen the very rewards.
    pub folds: usize,
    /// Which customers (or rounds) are in which part.
    pub seed: u64,
}

/// A fit that takes in a log block by block.
///
/// Memory: of a ridge regression folds × positions × (actions × (width + 1) + (width + 1)²) numbers, whatever the number of
/// rounds. A logistic one keeps its rounds, or a uniform sample of at most as many as [`RewardFit::keeping`] says, which is as
/// right a model of fewer rounds: doubly robust estimates stay what they are, and gain a little less from it.
#[derive(Debug)]
pub struct RewardFit {
    shape: Shape,
    width: usize,
    fitting: Fitting,
    /// `[fold][position]`, of a ridge regression.
    sums: Vec<Equations>,
    /// Of a logistic one.
    kept: Kept,
    rounds: u64,
}

/// Fitted regressions: q̂(x, a) at each position.
#[derive(Debug, Clone)]
pub struct RewardModel {
    shape: Shape,
    width: usize,
    fitting: Fitting,
    /// `[fold][position]`.
    models: Vec<Vec<Additive>>,
    rounds: u64,
}

impl RewardModel {
    /// Fits on a log. `context` is `[round][width]`; `weighed` is the same log weighed for the target policy, and is
    /// needed for weights other than equal ones.
    ///
    /// # Errors
    /// Lengths differ, a context is not finite, a penalty is not above 0, there are no rounds for a position, a logistic
    /// regression's rewards are outside 0 and 1, or it doesn't converge.
    pub fn fit(
        shape: Shape,
        log: &Log<'_>,
        context: &[f64],
        width: usize,
        weighed: Option<&Weighed>,
        fitting: Fitting,
    ) -> Result<Self, OffPolicyError> {
        let mut fit = RewardFit::new(shape, width, fitting)?;
        fit.add(log, context, weighed)?;
        fit.finish()
    }

    /// q̂ of every action at every position, `[round][action][position]`: for [`super::Expected::Dense`]. A round that was
    /// in the log of the fit is predicted by the regressions that haven't seen it.
    ///
    /// # Errors
    /// Lengths differ, or a context is not finite.
    pub fn expected(&self, log: &Log<'_>, context: &[f64]) -> Result<Vec<f64>, OffPolicyError> {
        check_context(log, context, self.width)?;
        let mut values = vec![0.0; log.rounds() * self.shape.values()];
        values.par_chunks_mut(self.shape.values()).enumerate().for_each(|(place, values)| {
            for position in 0..self.shape.positions {
                let (model, of_context) = self.at(log, context, place, position);
                for (value, effect) in values[position..].iter_mut().step_by(self.shape.positions).zip(&model.of_action) {
                    *value = self.linked(of_context + effect);
                }
            }
        });
        Ok(values)
    }

    /// q̂ of the logged action, and its mean over the target policy's: for [`super::Expected::Summed`], without a matrix of
    /// rounds × actions.
    ///
    /// # Errors
    /// Lengths differ, a context is not finite, or only the target's probabilities of logged actions are given.
    pub fn summed(&self, log: &Log<'_>, context: &[f64], target: Target<'_>) -> Result<(Vec<f64>, Vec<f64>), OffPolicyError> {
        check_context(log, context, self.width)?;
        match target {
            Target::Constant(values) => check_length("target (actions × positions)", values.len(), self.shape.values()),
            Target::Dense(values) => {
                check_length("target (rounds × actions × positions)", values.len(), log.rounds() * self.shape.values())
            }
            Target::Logged(_) => {
                let needed = "the target policy's whole distribution";
                Err(OffPolicyError::Needs { estimator: "the mean of a reward model".to_owned(), needed })
            }
        }?;
        let of = |place: usize| {
            let position = log.position_of(place);
            let (model, of_context) = self.at(log, context, place, position);
            let policy = match target {
                Target::Dense(values) => Column::new(&values[place * self.shape.values()..][..self.shape.values()], self.shape, position),
                Target::Constant(values) | Target::Logged(values) => Column::new(values, self.shape, position),
            };
            let (mut sum, mut all) = (0.0, 0.0);
            for (probability, effect) in policy.iter().zip(&model.of_action) {
                all += probability;
                if probability != 0.0 {
                    sum += probability * self.linked(of_context + effect);
                }
            }
            (self.linked(of_context + model.of_action[log.action[place] as usize]), sum / all)
        };
        Ok((0..log.rounds()).into_par_iter().map(of).unzip())
    }

    /// Rounds that the fit is of: all that were taken in, or those that a logistic one kept.
    pub const fn rounds(&self) -> u64 {
        self.rounds
    }

    fn at(&self, log: &Log<'_>, context: &[f64], place: usize, position: usize) -> (&Additive, f64) {
        let model = &self.models[fold(log, place, self.fitting)][position];
        (model, model.of_context(&context[place * self.width..][..self.width]))
    }

    fn linked(&self, score: f64) -> f64 {
        match self.fitting.regression {
            Regression::Ridge { .. } => score,
            Regression::Logistic { .. } => logistic(score),
        }
    }
}

fn check_context(log: &Log<'_>, context: &[f64], width: usize) -> Result<(), OffPolicyError> {
    check_length("context (rounds × width)", context.len(), log.rounds() * width)?;
    match context.iter().position(|value| !value.is_finite()) {
        Some(place) => Err(OffPolicyError::Context { row: log.row(place / width), value: context[place] }),
        None => Ok(()),
    }
}

fn check_fitting(fitting: Fitting) -> Result<(), OffPolicyError> {
    let (Regression::Ridge { penalty } | Regression::Logistic { penalty }) = fitting.regression;
    if !(penalty > 0.0 && penalty.is_finite()) {
        return Err(OffPolicyError::Setting { name: "the penalty", value: penalty, rule: "above 0 and finite" });
    }
    if fitting.folds == 0 {
        return Err(OffPolicyError::Setting { name: "the number of folds", value: 0.0, rule: "at least 1" });
    }
    Ok(())
}

fn check_shares(log: &Log<'_>, regression: Regression) -> Result<(), OffPolicyError> {
    if let Regression::Logistic { .. } = regression
        && let Some(place) = log.reward.iter().position(|reward| !(0.0..=1.0).contains(reward))
    {
        return Err(OffPolicyError::NotAShare { row: log.row(place), value: log.reward[place] });
    }
    Ok(())
}

/// The part a round is in: that of its customer.
fn fold(log: &Log<'_>, place: usize, fitting: Fitting) -> usize {
    let unit = log.customer.map_or_else(|| log.row(place), |customer| customer[place]);
    Draw::seeded(fitting.seed ^ Draw::seeded(unit).bits()).below(fitting.folds)
}

/// Rounds that one thread adds up at a time.
const PART: usize = 16_384;

impl RewardFit {
    /// Of no rounds yet.
    ///
    /// # Errors
    /// A penalty is not above 0, or there are no folds.
    pub fn new(shape: Shape, width: usize, fitting: Fitting) -> Result<Self, OffPolicyError> {
        check_fitting(fitting)?;
        let sums = match fitting.regression {
            Regression::Ridge { .. } => vec![Equations::new(width, shape.actions); fitting.folds * shape.positions],
            Regression::Logistic { .. } => Vec::new(),
        };
        Ok(Self { shape, width, fitting, sums, kept: Kept::new(usize::MAX), rounds: 0 })
    }

    /// Keeps no more than so many rounds for a logistic regression.
    #[must_use]
    pub fn keeping(mut self, rounds: usize) -> Self {
        self.kept.most = rounds.max(1);
        self
    }

    /// Takes in a block; parameters as those of [`RewardModel::fit`].
    ///
    /// # Errors
    /// As [`RewardModel::fit`].
    pub fn add(&mut self, log: &Log<'_>, context: &[f64], weighed: Option<&Weighed>) -> Result<(), OffPolicyError> {
        log.check_lengths(self.shape)?;
        (0..log.rounds()).try_for_each(|place| log.check_round(place, self.shape))?;
        check_context(log, context, self.width)?;
        check_shares(log, self.fitting.regression)?;
        let weights = match (self.fitting.weights, weighed) {
            (FittingWeights::Equal, _) => vec![1.0; log.rounds()],
            (weights, Some(weighed)) => weights.of(weighed),
            (_, None) => {
                let needed = "the log weighed for the target policy";
                return Err(OffPolicyError::Needs { estimator: "a weighted reward model".to_owned(), needed });
            }
        };
        check_length("weighed", weights.len(), log.rounds())?;
        self.rounds += log.rounds() as u64;
        match self.fitting.regression {
            Regression::Ridge { .. } => self.add_sums(log, context, &weights),
            Regression::Logistic { .. } => (0..log.rounds()).for_each(|place| {
                let context = &context[place * self.width..][..self.width];
                self.kept.add(log, place, weights[place], context, self.fitting);
            }),
        }
        Ok(())
    }

    /// The model of all that was taken in.
    ///
    /// # Errors
    /// There are no rounds for a position, or a regression has no solution.
    pub fn finish(&self) -> Result<RewardModel, OffPolicyError> {
        let (models, rounds) = match self.fitting.regression {
            Regression::Ridge { penalty } => (self.ridge(penalty)?, self.rounds),
            Regression::Logistic { penalty } => (self.logistic(penalty)?, self.kept.len() as u64),
        };
        Ok(RewardModel { shape: self.shape, width: self.width, fitting: self.fitting, models, rounds })
    }

    /// Sums by fold and position once; each fit adds up the other folds'.
    fn add_sums(&mut self, log: &Log<'_>, context: &[f64], weights: &[f64]) {
        let (width, fitting, shape) = (self.width, self.fitting, self.shape);
        let starts: Vec<usize> = (0..log.rounds()).step_by(PART).collect();
        // A few parts at once, added in order.
        for starts in starts.chunks(8) {
            let parts: Vec<Vec<Equations>> = starts
                .par_iter()
                .map(|&start| {
                    let mut sums = vec![Equations::new(width, shape.actions); fitting.folds * shape.positions];
                    for place in start..(start + PART).min(log.rounds()) {
                        let entry = fold(log, place, fitting) * shape.positions + log.position_of(place);
                        let (context, weight) = (&context[place * width..][..width], weights[place]);
                        sums[entry].add(context, log.action[place] as usize, weight, weight * log.reward[place]);
                    }
                    sums
                })
                .collect();
            parts.iter().for_each(|parts| self.sums.iter_mut().zip(parts).for_each(|(sum, part)| sum.merge(part)));
        }
    }

    fn ridge(&self, penalty: f64) -> Result<Vec<Vec<Additive>>, OffPolicyError> {
        let (folds, positions) = (self.fitting.folds, self.shape.positions);
        let fitted = |fold: usize, position: usize| {
            let mut of = Equations::new(self.width, self.shape.actions);
            (0..folds).filter(|&other| folds == 1 || other != fold).for_each(|other| of.merge(&self.sums[other * positions + position]));
            if of.rows == 0 {
                return Err(OffPolicyError::Model { position, why: "no rounds were logged there" });
            }
            of.solve(penalty).ok_or(OffPolicyError::Model { position, why: "its weights are all 0, or contexts are too large to square" })
        };
        (0..folds).map(|fold| (0..positions).map(|position| fitted(fold, position)).collect()).collect()
    }

    fn logistic(&self, penalty: f64) -> Result<Vec<Vec<Additive>>, OffPolicyError> {
        let (folds, positions, kept) = (self.fitting.folds, self.shape.positions, &self.kept);
        let mut places: Vec<Vec<usize>> = vec![Vec::new(); positions];
        kept.rows.iter().enumerate().for_each(|(place, row)| places[row.position].push(place));
        if let Some(position) = places.iter().position(Vec::is_empty) {
            return Err(OffPolicyError::Model { position, why: "no rounds were logged there" });
        }
        let fitted = |fold: usize, position: usize| {
            let others = |place: &&usize| folds == 1 || kept.rows[**place].fold != fold;
            let places: Vec<usize> = places[position].iter().filter(others).copied().collect();
            let visit = |add: &mut dyn FnMut(super::additive::Row<'_>)| {
                for &place in &places {
                    let row = &kept.rows[place];
                    add((&kept.context[place * self.width..][..self.width], row.action, row.weight, row.reward));
                }
            };
            fit_logistic(self.width, self.shape.actions, penalty, visit)
                .ok_or(OffPolicyError::Model { position, why: "Newton's method doesn't converge: scale contexts, or raise the penalty" })
        };
        let pairs: Vec<(usize, usize)> = (0..folds).flat_map(|fold| (0..positions).map(move |position| (fold, position))).collect();
        let models: Vec<Additive> = pairs.par_iter().map(|&(fold, position)| fitted(fold, position)).collect::<Result<_, _>>()?;
        Ok(models.chunks(positions).map(<[Additive]>::to_vec).collect())
    }
}

/// Rounds that were kept: those whose lot is at most the limit, which is halved when they become too many. Lots are of rows, apart
/// from those of folds, so that neither blocks nor their order show.
#[derive(Debug)]
struct Kept {
    most: usize,
    limit: u64,
    rows: Vec<KeptRow>,
    context: Vec<f64>,
}

#[derive(Debug, Clone, Copy)]
struct KeptRow {
    lot: u64,
    fold: usize,
    position: usize,
    action: usize,
    weight: f64,
    reward: f64,
}

impl Kept {
    const fn new(most: usize) -> Self {
        Self { most, limit: u64::MAX, rows: Vec::new(), context: Vec::new() }
    }

    const fn len(&self) -> usize {
        self.rows.len()
    }

    fn add(&mut self, log: &Log<'_>, place: usize, weight: f64, context: &[f64], fitting: Fitting) {
        let lot = Draw::seeded(!fitting.seed ^ Draw::seeded(log.row(place)).bits()).bits();
        if lot > self.limit {
            return;
        }
        let (fold, position) = (fold(log, place, fitting), log.position_of(place));
        self.rows.push(KeptRow { lot, fold, position, action: log.action[place] as usize, weight, reward: log.reward[place] });
        self.context.extend_from_slice(context);
        while self.len() > self.most && self.limit > 0 {
            self.halve(context.len());
        }
    }

    fn halve(&mut self, width: usize) {
        self.limit /= 2;
        let mut kept = 0;
        for place in 0..self.rows.len() {
            if self.rows[place].lot <= self.limit {
                self.rows[kept] = self.rows[place];
                self.context.copy_within(place * width..(place + 1) * width, kept * width);
                kept += 1;
            }
        }
        self.rows.truncate(kept);
        self.context.truncate(kept * width);
    }
}
