//! A log that several policies wrote: what each contributed, and the ways to put them together.

use serde::Serialize;
use youhui_evaluation::off_policy::{
    Diagnostics, Estimator, Evaluation, Expected, Interval, MultiLogger, MultiLoggerValue, OffPolicyError, Options, PolicyValue, Shape,
    Target, Weighed, estimators, weigh,
};

use super::super::super::CliError;
use super::rounds::{Piece, Rounds, of};

/// Effective rounds below which a logger's own value, and its share by precision, are little more than luck.
const FEW: f64 = 100.0;

/// One logger, by its own rounds alone.
#[derive(Debug, Serialize)]
pub(super) struct OfLogger {
    pub(super) logger: String,
    pub(super) rounds: u64,
    /// Of all rounds.
    pub(super) share_of_rounds: f64,
    /// What it earned itself; `None` with fewer than two independent units.
    pub(super) logged: Option<PolicyValue>,
    /// The policy's value by its rounds.
    pub(super) values: Vec<PolicyValue>,
    pub(super) diagnostics: Option<Diagnostics>,
}

/// All loggers together.
#[derive(Debug, Serialize)]
pub(super) struct Together {
    /// Balanced, or precision_weighted; naive is what stands among the values.
    pub(super) way: &'static str,
    pub(super) estimator: String,
    pub(super) value: Option<f64>,
    pub(super) std_error: Option<f64>,
    pub(super) normal: Option<Interval>,
    pub(super) bootstrap: Option<Interval>,
    pub(super) rounds: u64,
    pub(super) n: u64,
    pub(super) unit: String,
    /// What each logger's rounds count for; where weighted by precision.
    pub(super) shares: Vec<Share>,
}

#[derive(Debug, Serialize)]
pub(super) struct Share {
    pub(super) logger: String,
    pub(super) rounds: u64,
    pub(super) share: f64,
}

pub(super) struct OfLoggers {
    pub(super) loggers: Vec<OfLogger>,
    pub(super) together: Vec<Together>,
    pub(super) warnings: Vec<String>,
}

/// What is added up.
pub(super) struct Loggers {
    shape: Shape,
    options: Options,
    names: Vec<String>,
    rounds: Vec<u64>,
    each: Vec<Evaluation>,
    /// Rounds taken in of each.
    taken: Vec<u64>,
    ipw: MultiLogger<estimators::InverseProbabilityWeighting>,
    dr: Option<MultiLogger<estimators::DoublyRobust>>,
    balanced: Evaluation,
}

impl Loggers {
    pub(super) fn new(rounds: &Rounds, options: Options, has_model: bool) -> Result<Self, CliError> {
        let unbounded = || Options { bounds: None, ..options.clone() };
        let chosen = || {
            let mut all: Vec<Box<dyn Estimator>> =
                vec![Box::new(estimators::InverseProbabilityWeighting::plain()), Box::new(estimators::SelfNormalisedIpw)];
            has_model.then(|| all.push(Box::new(estimators::DoublyRobust::plain())));
            all
        };
        let own = || {
            let mut all = chosen();
            all.push(Box::new(estimators::OnPolicy));
            Evaluation::new(all, Options { bootstrap: None, ..unbounded() })
        };
        Ok(Self {
            shape: rounds.shape,
            names: rounds.loggers.clone(),
            rounds: rounds.of_logger.clone(),
            each: rounds.loggers.iter().map(|_| own()).collect::<Result<_, _>>()?,
            taken: vec![0; rounds.loggers.len()],
            ipw: MultiLogger::new(estimators::InverseProbabilityWeighting::plain()),
            dr: has_model.then(|| MultiLogger::new(estimators::DoublyRobust::plain())),
            balanced: Evaluation::new(chosen(), unbounded())?,
            options,
        })
    }

    pub(super) fn add(&mut self, piece: &Piece, weighed: &Weighed, target: Target<'_>) -> Result<(), CliError> {
        let Some(logger) = &piece.logger else { return Ok(()) };
        self.ipw.add(weighed, logger)?;
        self.dr.as_mut().map_or(Ok(()), |dr| dr.add(weighed, logger))?;
        let all: Vec<usize> = (0..logger.len()).collect();
        for (code, evaluation) in self.each.iter_mut().enumerate() {
            let places: Vec<usize> = all.iter().copied().filter(|&place| logger[place] as usize == code).collect();
            if !places.is_empty() {
                let own = piece.some(&places, self.taken[code]);
                self.taken[code] += places.len() as u64;
                evaluation.add(&again(self.shape, &own, weighed, &places, target)?)?;
            }
        }
        if let Some(mean) = &piece.mean_propensity {
            self.check_mean(piece, logger, mean)?;
            let mut with_mean = piece.some(&all, piece.log().first_row);
            with_mean.propensity.clone_from(mean);
            self.balanced.add(&again(self.shape, &with_mean, weighed, &all, target)?)?;
        }
        Ok(())
    }

    /// The mean of all loggers' propensities is at least the part that the round's own logger has in it.
    fn check_mean(&self, piece: &Piece, logger: &[u32], mean: &[f64]) -> Result<(), CliError> {
        let all: u64 = self.rounds.iter().sum();
        for (place, (&code, &mean)) in logger.iter().zip(mean).enumerate() {
            let least = self.rounds[code as usize] as f64 / all as f64 * piece.propensity[place];
            if !(mean >= least * (1.0 - 1e-6) && mean > 0.0 && mean <= 1.0) {
                let row = piece.log().first_row + place as u64;
                return Err(CliError::usage(format!(
                    "--mean-propensity: row {row}: it is {mean}, but has to be at least {least} and at most 1: the mean over all loggers, each by its \
                     share of the rounds, of the chance with which it would have drawn the action holds this logger's own; compute it anew"
                )));
            }
        }
        Ok(())
    }

    pub(super) fn finish(&self, rounds: &Rounds) -> Result<OfLoggers, CliError> {
        let mut warnings = vec![];
        let mut loggers = vec![];
        for (code, name) in self.names.iter().enumerate() {
            let own = self.logger(code, name, rounds)?;
            warnings.extend(cautions(&own));
            loggers.push(own);
        }
        if loggers.len() == 1 {
            warnings.push("there is only one logger: precision-weighted and balanced values are those of ipw and dr".to_owned());
        }
        let mut together = vec![];
        let weighted = [Some(self.ipw.finish(self.options.alpha)), self.dr.as_ref().map(|dr| dr.finish(self.options.alpha))];
        for found in weighted.into_iter().flatten() {
            match found {
                Ok(value) => together.push(self.by_precision(value)),
                Err(OffPolicyError::NoVariance { logger, rounds }) => {
                    let name = &self.names[logger as usize];
                    let text = format!(
                        "values weighted by precision are left out: the {rounds} round(s) of logger {name} show no variance, so that they would \
                         count for everything: pool it with another logger, or go by the values above, in which every round has its own propensity"
                    );
                    // The same for both estimators.
                    if !warnings.contains(&text) {
                        warnings.push(text);
                    }
                }
                Err(other) => return Err(other.into()),
            }
        }
        match self.balanced.finish() {
            Ok(report) => together.extend(report.values.into_iter().map(balanced)),
            // Without a mean propensity there is nothing.
            Err(OffPolicyError::TooFew { .. }) => {}
            Err(other) => return Err(other.into()),
        }
        Ok(OfLoggers { loggers, together, warnings })
    }

    fn logger(&self, code: usize, name: &str, rounds: &Rounds) -> Result<OfLogger, CliError> {
        let own = self.rounds[code];
        let empty = OfLogger {
            logger: name.to_owned(),
            rounds: own,
            share_of_rounds: own as f64 / rounds.count as f64,
            logged: None,
            values: vec![],
            diagnostics: None,
        };
        match self.each[code].finish() {
            Ok(mut report) => {
                let logged = report.values.pop();
                Ok(OfLogger { logged, values: report.values, diagnostics: Some(report.diagnostics), ..empty })
            }
            Err(OffPolicyError::TooFew { .. }) => Ok(empty),
            Err(other) => Err(other.into()),
        }
    }

    fn by_precision(&self, value: MultiLoggerValue) -> Together {
        let share = |share: &youhui_evaluation::off_policy::LoggerShare| Share {
            logger: self.names[share.logger as usize].clone(),
            rounds: share.rounds,
            share: share.share,
        };
        Together {
            way: "precision_weighted",
            shares: value.shares.iter().map(share).collect(),
            estimator: value.estimator,
            value: Some(value.value),
            std_error: Some(value.std_error),
            normal: Some(value.normal),
            bootstrap: None,
            rounds: value.rounds,
            n: value.n,
            unit: self.options.unit.clone(),
        }
    }
}

/// Rounds weighed once more, with what the model already expected of them.
fn again(shape: Shape, piece: &Piece, weighed: &Weighed, places: &[usize], target: Target<'_>) -> Result<Weighed, OffPolicyError> {
    let rounds = weighed.rounds();
    let logged: Vec<f64> = places.iter().map(|&place| rounds[place].expected_logged).collect();
    let of_target: Vec<f64> = places.iter().map(|&place| rounds[place].expected_target).collect();
    let expected = if weighed.has_expected() { Expected::Summed { logged: &logged, target: &of_target } } else { Expected::None };
    match target {
        Target::Constant(_) => weigh(shape, &piece.log(), target, expected),
        Target::Logged(values) => weigh(shape, &piece.log(), Target::Logged(&of(values, places)), expected),
        Target::Dense(values) => {
            let some: Vec<f64> = places.iter().flat_map(|place| &values[place * shape.values()..][..shape.values()]).copied().collect();
            weigh(shape, &piece.log(), Target::Dense(&some), expected)
        }
    }
}

fn balanced(value: PolicyValue) -> Together {
    Together {
        way: "balanced",
        estimator: value.estimator,
        value: value.value,
        std_error: value.std_error,
        normal: value.normal,
        bootstrap: value.bootstrap,
        rounds: value.rounds,
        n: value.n,
        unit: value.unit,
        shares: vec![],
    }
}

/// What is wrong with a logger, and what that does.
fn cautions(own: &OfLogger) -> Vec<String> {
    let name = &own.logger;
    let Some(diagnostics) = &own.diagnostics else {
        return vec![format!("logger {name}: {} round(s) are too few for an interval of its own: pool it with another logger", own.rounds)];
    };
    let mut warnings = vec![];
    if diagnostics.effective_sample_size < FEW {
        warnings.push(format!(
            "logger {name}: its {} rounds are worth {:.1} of the policy's own: its value, and its share by precision, are luck; pool it with \
             another logger",
            own.rounds, diagnostics.effective_sample_size
        ));
    }
    if let (Some(actions), Some(share)) = (&diagnostics.unsupported, diagnostics.unsupported_share)
        && !actions.is_empty()
    {
        let names: Vec<&str> = actions.iter().take(5).map(|action| action.name.as_str()).collect();
        let more = if actions.len() > 5 { format!(" and {} more", actions.len() - 5) } else { String::new() };
        warnings.push(format!(
            "logger {name} never drew {:.2} % of the policy's choices ({}{more}): if it never could, its rounds count them as worth 0, and the values \
             above and those weighted by precision are biased by that; only balanced ones are not (--mean-propensity), where another logger drew them",
            100.0 * share,
            names.join(", ")
        ));
    }
    warnings
}
