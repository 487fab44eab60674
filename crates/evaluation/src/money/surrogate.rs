//! Long-term value from short-term outcomes: the surrogate index (Athey, Chetty, Imbens and Kang 2019).
//!
//! The index h(S) = E[long-term outcome | surrogates S] is fitted on historical customers, whose long-term outcome is known; the
//! effect on the long-term outcome is then the effect on h(S) in the experiment, which needs S only. It stands on [`ASSUMPTION`].
//!
//! h is a line, by ridge regression. A penalty pulls slopes, and the effect, towards 0, which no interval sees; so a larger one is
//! taken only where it predicts customers whom the fit hasn't seen better by two standard errors (cross-fitted in folds, from
//! statistics by fold alone). With slopes β, Δ the effects on surrogates: effect = βᵀΔ, of variance
//! βᵀV(Δ)β + ΔᵀV(β)Δ: the second part is the fit's uncertainty, V(β) the sandwich with residuals of the folds a customer wasn't
//! fitted on. Not in it: the
//! bias of a penalty that was taken, and of a curved h fitted by a line; add columns of squares where that matters. History and experiment are different customers.
//!
//! [`SurrogateIndex::check`] tests the assumption where long-term outcomes of an experiment are known: the effect on what the
//! index leaves over, long-term outcome − h(S), is 0 if it holds (the idea of Prentice 1989). Not rejecting doesn't prove it for
//! the next campaign.

use rayon::prelude::*;
use serde::Serialize;
use youhui_commerce::Draw;

use super::MoneyError;
use super::figure::{Causal, Figure};
use super::joint::{Joint, Weights};
use crate::experiment::solve::{dot, inverse, product, quadratic};
use crate::experiment::{Moments, Rows, accumulate};

/// What an effect on the index takes for granted.
pub const ASSUMPTION: &str = "surrogacy: given the surrogates, the campaign changes the long-term outcome no further; comparability: given the surrogates, the long-term outcome's mean is that of the historical customers. Neither can be seen in the experiment; where one fails, the effect is biased by any amount";

/// How the index is fitted.
#[derive(Debug, Clone, PartialEq)]
pub struct SurrogateFit {
    /// Parts of the history; each is predicted from the others.
    pub folds: usize,
    /// Penalties to choose from, as shares of each surrogate's variance.
    pub penalties: Vec<f64>,
    /// Seed of the folds.
    pub seed: u64,
}

impl Default for SurrogateFit {
    fn default() -> Self {
        Self { folds: 5, penalties: vec![1e-6, 1e-4, 1e-3, 1e-2, 0.1, 1.0], seed: 1 }
    }
}

/// A fitted index.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SurrogateIndex {
    /// The surrogates.
    pub surrogates: Vec<String>,
    /// The long-term outcome's unit.
    pub unit: String,
    /// Value where all surrogates are 0.
    pub intercept: f64,
    /// Slope of each surrogate.
    pub slopes: Vec<f64>,
    /// Covariance of the slopes.
    #[serde(skip)]
    covariance: Vec<Vec<f64>>,
    /// The penalty chosen.
    pub penalty: f64,
    /// Share of the long-term outcome's variance that is predicted for customers whom the fit hasn't seen; below 0 it predicts worse
    /// than the mean.
    pub r_squared: f64,
    /// Historical customers.
    pub n: u64,
}

/// The effect on the long-term outcome, through the index.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SurrogateEffect {
    /// The effect; `n` are the experiment's customers.
    pub effect: Figure,
    /// Historical customers.
    pub n_history: u64,
    /// Share of the effect's variance that comes from the fit.
    pub variance_of_fit: f64,
    /// What it takes for granted.
    pub assumption: &'static str,
}

/// What one surrogate says.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SurrogateFigures {
    /// The surrogate.
    pub surrogate: String,
    /// Historical customers, of whom the slope is.
    pub n_history: u64,
    /// Long-term outcome per unit of it, all other surrogates as they are.
    pub slope: Figure,
    /// Its mean among those held out.
    pub held_out: Figure,
    /// Its mean among those treated.
    pub treated: Figure,
}

/// The assumption beside what happened.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SurrogacyCheck {
    /// Effect on the long-term outcome as it was observed.
    pub long_term: Figure,
    /// Effect through the index.
    pub index: Figure,
    /// The first less the second, from the same customers.
    pub difference: Figure,
    /// Whether the difference is told from 0 at this level: then the index is not to be used for such campaigns.
    pub rejected: bool,
    /// The effect's standard error as observed over that of the index: above 1 the index is more precise.
    pub precision: f64,
}

impl SurrogateIndex {
    /// Fits: one column a surrogate, and the long-term outcome, a value for each historical customer. The same input gives the same
    /// bytes with any number of threads.
    ///
    /// # Errors
    /// Where lengths differ, a value isn't finite, settings mean nothing, there are fewer than 10 customers for each slope, or the
    /// outcome doesn't vary.
    pub fn fit(surrogates: &[&[f64]], names: &[&str], long_term: &[f64], unit: &str, settings: &SurrogateFit) -> Result<Self, MoneyError> {
        check(surrogates, names, long_term, settings)?;
        let width = surrogates.len();
        let mut chance = Draw::seeded(settings.seed).fork("folds");
        let fold: Vec<u32> = long_term.iter().map(|_| u32::try_from(chance.below(settings.folds)).unwrap_or(0)).collect();
        let columns: Vec<&[f64]> = surrogates.iter().copied().chain(std::iter::once(long_term)).collect();
        let folds = accumulate(Rows { columns: &columns, names: &[], group: &fold }, settings.folds)?;
        let all = merged(&folds, width + 1, None);
        if !all.varies(width) {
            let (metric, arm) = ("long-term outcome".to_owned(), "history".to_owned());
            return Err(crate::experiment::ExperimentError::Constant { metric, arm }.into());
        }
        let (penalty, error, lines) = chosen(&folds, width, &settings.penalties)?;
        let line = Line::fit(&all, width, penalty)?;
        let covariance = sandwich(&columns, &fold, &lines, &all, penalty)?;
        Ok(Self {
            surrogates: names.iter().map(|&name| name.to_owned()).collect(),
            unit: unit.to_owned(),
            intercept: line.intercept,
            slopes: line.slopes,
            covariance,
            penalty,
            r_squared: 1.0 - error / (all.variance(width) * (all.units() as f64 - 1.0)),
            n: all.units(),
        })
    }

    /// The index of one customer.
    pub fn value(&self, surrogates: &[f64]) -> f64 {
        self.intercept + dot(&self.slopes, surrogates)
    }

    /// The effect on the index: statistics of the experiment's arms, whose first columns are the surrogates.
    ///
    /// # Errors
    /// Where a surrogate is missing, an arm has fewer than 2 customers, or the level means nothing.
    pub fn effect(&self, held_out: &Moments, treated: &Moments, level: f64) -> Result<SurrogateEffect, MoneyError> {
        let (joint, index) = self.joint(held_out, treated, level)?;
        let contrast = joint.varying(&index, "surrogate index")?;
        let (value, sampling) = contrast.absolute();
        let fit = self.variance_of_fit(&joint);
        let figure =
            self.figure("effect on the surrogate index", (value, sampling, contrast.df()), fit, level, &joint, Causal::Extrapolated);
        Ok(SurrogateEffect { effect: figure, n_history: self.n, variance_of_fit: fit / (sampling + fit), assumption: ASSUMPTION })
    }

    /// The index beside the long-term outcome, which is the column after the surrogates.
    ///
    /// # Errors
    /// As [`SurrogateIndex::effect`].
    pub fn check(&self, held_out: &Moments, treated: &Moments, level: f64) -> Result<SurrogacyCheck, MoneyError> {
        let index = self.effect(held_out, treated, level)?.effect;
        let width = self.slopes.len();
        let (joint, of_index) = self.joint(held_out, treated, level)?;
        let observed = vec![(width, 1.0)];
        let long_term = Figure::of(
            "effect on the long-term outcome",
            &joint.varying(&observed, "long-term outcome")?,
            level,
            self.unit.clone(),
            Causal::Randomised,
        );
        let left: Weights = observed.into_iter().chain(of_index.into_iter().map(|(column, weight)| (column, -weight))).collect();
        let contrast = joint.effect(&left);
        let (value, sampling) = contrast.absolute();
        let name = "long-term outcome less its index";
        let difference =
            self.figure(name, (value, sampling, contrast.df()), self.variance_of_fit(&joint), level, &joint, Causal::Randomised);
        let rejected = difference.p_value < 1.0 - level;
        Ok(SurrogacyCheck { precision: long_term.std_error / index.std_error, long_term, index, difference, rejected })
    }

    /// Surrogates as they are, and the index as weights of them.
    fn joint(&self, held_out: &Moments, treated: &Moments, level: f64) -> Result<(Joint, Weights), MoneyError> {
        super::MoneySettings { level, ..Default::default() }.check()?;
        for moments in [held_out, treated] {
            moments.select(&(0..self.slopes.len()).collect::<Vec<usize>>())?;
        }
        let columns = held_out.columns().min(treated.columns());
        let outcomes: Vec<Weights> = (0..columns).map(|column| vec![(column, 1.0)]).collect();
        let index = self.slopes.iter().copied().enumerate().collect();
        Ok((Joint::new(&outcomes, &[], held_out, treated)?, index))
    }

    /// What one surrogate says: long-term outcome per unit of it in the history, and its mean in each arm.
    ///
    /// # Errors
    /// As [`SurrogateIndex::effect`].
    pub fn surrogate(&self, place: usize, held_out: &Moments, treated: &Moments, level: f64) -> Result<SurrogateFigures, MoneyError> {
        let (joint, _) = self.joint(held_out, treated, level)?;
        let name = self.surrogates.get(place).map_or("", String::as_str);
        let df = (self.n as f64 - 1.0 - self.slopes.len() as f64).max(1.0);
        let slope = (self.slopes[place], self.covariance[place][place].max(0.0).sqrt(), df);
        let unit = format!("{} for each of {name}", self.unit);
        let mean = |moments: &Moments, arm: &str, n: (u64, u64)| {
            let units = moments.units() as f64;
            let of = (moments.mean(place), (moments.variance(place) / units).sqrt(), units - 1.0);
            Figure::with(format!("{name}, {arm}"), of, level, format!("{name} per customer"), n, Causal::NotCausal)
        };
        Ok(SurrogateFigures {
            surrogate: name.to_owned(),
            n_history: self.n,
            slope: Figure::with(format!("slope of {name}"), slope, level, unit, (0, 0), Causal::Observational),
            held_out: mean(&joint.control, "held out", (joint.control.units(), 0)),
            treated: mean(&joint.treatment, "treated", (0, joint.treatment.units())),
        })
    }

    fn variance_of_fit(&self, joint: &Joint) -> f64 {
        let effects: Vec<f64> = (0..self.slopes.len()).map(|column| joint.treatment.mean(column) - joint.control.mean(column)).collect();
        quadratic(&self.covariance, &effects)
    }

    fn figure(&self, name: &str, of: (f64, f64, f64), fit: f64, level: f64, joint: &Joint, causal: Causal) -> Figure {
        let (value, sampling, df) = of;
        let df_of_fit = (self.n as f64 - 1.0 - self.slopes.len() as f64).max(1.0);
        // Satterthwaite.
        let df = (sampling + fit).powi(2) / (sampling * sampling / df + fit * fit / df_of_fit);
        let n = (joint.control.units(), joint.treatment.units());
        Figure::with(name, (value, (sampling + fit).sqrt(), df), level, self.unit.clone(), n, causal)
    }
}

fn check(surrogates: &[&[f64]], names: &[&str], long_term: &[f64], settings: &SurrogateFit) -> Result<(), MoneyError> {
    if names.len() != surrogates.len() {
        return Err(MoneyError::Length { field: "names".to_owned(), found: names.len(), expected: surrogates.len() });
    }
    let setting = |name, value, needed, consequence| Err(MoneyError::Setting { name, value, needed, consequence });
    if surrogates.is_empty() {
        return setting("surrogates", 0.0, "at least one is needed", "an index without any is the same for everybody and has no effect");
    }
    if settings.folds < 2 {
        return setting(
            "folds",
            settings.folds as f64,
            "at least 2 are needed",
            "customers would be predicted by a fit that has seen them, and its error would look too small",
        );
    }
    let wrong = settings.penalties.iter().copied().find(|penalty| !(penalty.is_finite() && *penalty >= 0.0));
    if let Some(value) = wrong.or_else(|| settings.penalties.is_empty().then_some(f64::NAN)) {
        return setting(
            "penalties",
            value,
            "at least one, each a finite number of at least 0, is needed",
            "slopes would be undefined or grow without bound",
        );
    }
    for (column, name) in surrogates.iter().zip(names) {
        if column.len() != long_term.len() {
            return Err(MoneyError::Length { field: (*name).to_owned(), found: column.len(), expected: long_term.len() });
        }
    }
    for (column, name) in surrogates.iter().zip(names).chain(std::iter::once((&long_term, &"long-term outcome"))) {
        if let Some(row) = column.iter().position(|value| !value.is_finite()) {
            return Err(MoneyError::NotFinite { row: row as u64, column: (*name).to_owned(), value: column[row] });
        }
    }
    let needed = 10 * (surrogates.len() + 1) * settings.folds / (settings.folds - 1) + settings.folds;
    if long_term.len() < needed {
        return Err(MoneyError::ShortHistory { rows: long_term.len(), surrogates: surrogates.len(), folds: settings.folds, needed });
    }
    Ok(())
}

/// A straight line.
#[derive(Debug, Clone)]
struct Line {
    intercept: f64,
    slopes: Vec<f64>,
}

impl Line {
    /// Column `width` on those before it.
    fn fit(moments: &Moments, width: usize, penalty: f64) -> Result<Self, MoneyError> {
        let bread = bread(moments, width, penalty)?;
        let with: Vec<f64> = (0..width).map(|column| moments.covariance(column, width)).collect();
        let slopes = product(&bread, &with);
        let centre: Vec<f64> = (0..width).map(|column| moments.mean(column)).collect();
        Ok(Self { intercept: moments.mean(width) - dot(&slopes, &centre), slopes })
    }

    /// Sum of squared errors on other units.
    fn error(&self, moments: &Moments, width: usize) -> f64 {
        let residual: Weights =
            std::iter::once((width, 1.0)).chain(self.slopes.iter().enumerate().map(|(column, slope)| (column, -slope))).collect();
        let n = moments.units() as f64;
        let mean = super::joint::mean(moments, &residual) - self.intercept;
        super::joint::covariance(moments, &residual, &residual) * (n - 1.0).max(0.0) + n * mean * mean
    }
}

/// Inverse of the surrogates' covariance with the penalty on its diagonal. A surrogate that doesn't vary has no slope.
fn bread(moments: &Moments, width: usize, penalty: f64) -> Result<Vec<Vec<f64>>, MoneyError> {
    let used: Vec<usize> = (0..width).filter(|&column| moments.varies(column)).collect();
    let entry = |one: usize, two: usize| moments.covariance(one, two) * if one == two { 1.0 + penalty } else { 1.0 };
    let matrix: Vec<Vec<f64>> = used.iter().map(|&one| used.iter().map(|&two| entry(one, two)).collect()).collect();
    let inverse = inverse(&matrix)?;
    let mut whole = vec![vec![0.0; width]; width];
    for (row, &one) in used.iter().enumerate() {
        for (column, &two) in used.iter().enumerate() {
            whole[one][two] = inverse[row][column];
        }
    }
    Ok(whole)
}

fn merged(folds: &[Moments], columns: usize, without: Option<usize>) -> Moments {
    let mut all = Moments::empty(columns);
    folds.iter().enumerate().filter(|(fold, _)| Some(*fold) != without).for_each(|(_, moments)| all.merge(moments));
    all
}

/// The penalty, its cross-fitted error, and the lines of each fold's others. From the least on, a larger one is taken where it is
/// credibly better: for an interval, bias is worse than variance.
fn chosen(folds: &[Moments], width: usize, penalties: &[f64]) -> Result<(f64, f64, Vec<Line>), MoneyError> {
    let others: Vec<Moments> = (0..folds.len()).map(|fold| merged(folds, width + 1, Some(fold))).collect();
    let mut ascending = penalties.to_vec();
    ascending.sort_by(f64::total_cmp);
    let mut taken: Option<(f64, Vec<f64>, Vec<Line>)> = None;
    for penalty in ascending {
        let lines = others.iter().map(|moments| Line::fit(moments, width, penalty)).collect::<Result<Vec<Line>, MoneyError>>()?;
        let errors: Vec<f64> = lines.iter().zip(folds).map(|(line, fold)| line.error(fold, width)).collect();
        if taken.as_ref().is_none_or(|(_, before, _)| credibly_less(&errors, before)) {
            taken = Some((penalty, errors, lines));
        }
    }
    let none = MoneyError::Setting { name: "penalties", value: f64::NAN, needed: "at least one is needed", consequence: "there is no fit" };
    taken.map(|(penalty, errors, lines)| (penalty, errors.iter().sum(), lines)).ok_or(none)
}

/// Whether folds' errors fell by more than two standard errors of their differences.
fn credibly_less(errors: &[f64], before: &[f64]) -> bool {
    let n = errors.len() as f64;
    let falls: Vec<f64> = before.iter().zip(errors).map(|(before, error)| before - error).collect();
    let mean = falls.iter().sum::<f64>() / n;
    let variance = falls.iter().map(|fall| (fall - mean).powi(2)).sum::<f64>() / (n - 1.0);
    mean > 2.0 * (variance / n).sqrt()
}

/// Covariance of slopes: bread · Σ e²(x − x̄)(x − x̄)ᵀ · bread, e the error of the line that hasn't seen the customer.
fn sandwich(columns: &[&[f64]], fold: &[u32], lines: &[Line], all: &Moments, penalty: f64) -> Result<Vec<Vec<f64>>, MoneyError> {
    let width = columns.len() - 1;
    let bread = bread(all, width, penalty)?;
    let size = 8192;
    let of_chunk = |(chunk, fold): (usize, &[u32])| {
        let mut sums = vec![vec![0.0; width]; width];
        let mut row = vec![0.0; width];
        for (place, &fold) in fold.iter().enumerate() {
            let at = chunk * size + place;
            row.iter_mut().zip(columns).for_each(|(cell, column)| *cell = column[at]);
            let line = &lines[fold as usize];
            let error = columns[width][at] - line.intercept - dot(&line.slopes, &row);
            row.iter_mut().enumerate().for_each(|(column, cell)| *cell = error * (*cell - all.mean(column)));
            for (sums, one) in sums.iter_mut().zip(&row) {
                sums.iter_mut().zip(&row).for_each(|(sum, two)| *sum += one * two);
            }
        }
        sums
    };
    let parts: Vec<Vec<Vec<f64>>> = fold.par_chunks(size).enumerate().map(of_chunk).collect();
    let mut meat = vec![vec![0.0; width]; width];
    for part in parts {
        meat.iter_mut().zip(part).for_each(|(sums, part)| sums.iter_mut().zip(part).for_each(|(sum, part)| *sum += part));
    }
    // Bread is of covariances, n − 1 below.
    let scale = (all.units() as f64 - 1.0).powi(2);
    let half: Vec<Vec<f64>> = bread.iter().map(|row| product(&meat, row)).collect();
    Ok(half.iter().map(|row| bread.iter().map(|other| dot(row, other) / scale).collect()).collect())
}
