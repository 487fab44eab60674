//! Passes over the log: one to fit, one to choose λ, one to value.

use youhui_evaluation::off_policy::{
    Bootstrap, Bounds, Comparison, Evaluation, Expected, Fitting, FittingWeights, OffPolicyError, Options, PolicyValue, Regression,
    RewardFit, RewardModel, Shape, Target, TuningOfAll, Weighed, estimators, weigh,
};

use super::super::super::CliError;
use super::given::Policy;
use super::loggers::{Loggers, OfLoggers};
use super::plan::Plan;
use super::rounds::{Piece, Rounds};
use super::{Args, Found, Model, Other, Printed, WeightsName};

/// Rounds that a logistic regression keeps.
const KEPT: usize = 1 << 20;

pub(super) fn judge(args: &Args, rounds: &mut Rounds) -> Result<Printed, CliError> {
    let policies = args.policies().map(|policy| Policy::read(policy, rounds)).collect::<Result<Vec<Policy>, CliError>>()?;
    let policies: Vec<&Policy> = policies.iter().collect();
    let plan = Plan::new(args, policies[0].is_of_logged())?;
    let (models, greatest) = fitted(args, rounds, &policies, &plan)?;
    let tuning = tuned(args, rounds, &policies, &plan, &models, greatest)?;
    let mut judged = Judged::new(args, rounds, &plan, tuning.as_ref(), &policies, &models)?;
    rounds.each(args, &policies, |piece, targets| judged.add(piece, targets))?;
    judged.finish(args, rounds, &plan, policies[0].is_of_logged())
}

/// The log's rounds weighed, with what the model expects.
fn weighed(shape: Shape, piece: &Piece, target: Target<'_>, model: Option<&RewardModel>) -> Result<Weighed, OffPolicyError> {
    let log = piece.log();
    match model {
        Some(model) if !matches!(target, Target::Logged(_)) => {
            let (logged, of_target) = model.summed(&log, &piece.context, target)?;
            weigh(shape, &log, target, Expected::Summed { logged: &logged, target: &of_target })
        }
        _ => weigh(shape, &log, target, Expected::None),
    }
}

/// A reward model for each policy (the same one, where rounds weigh alike), and the first policy's greatest weight.
fn fitted(args: &Args, rounds: &mut Rounds, policies: &[&Policy], plan: &Plan<'_>) -> Result<(Vec<Option<RewardModel>>, f64), CliError> {
    let (shape, mut greatest) = (rounds.shape, 0.0_f64);
    let fitting = plan.uses_model().then(|| fitting(args)).flatten();
    if fitting.is_none() && !plan.is_tuned() {
        return Ok((vec![None; policies.len()], greatest));
    }
    let is_weighted = args.fitting != WeightsName::Equal;
    let mut fits = vec![];
    if let Some(fitting) = fitting {
        let count = if is_weighted { policies.len() } else { 1 };
        (0..count).try_for_each(|_| {
            fits.push(RewardFit::new(shape, args.features.len(), fitting)?.keeping(KEPT));
            Ok::<_, CliError>(())
        })?;
    }
    rounds.each(args, policies, |piece, targets| {
        let log = piece.log();
        for (place, &target) in targets.iter().enumerate() {
            let is_needed = is_weighted || (place == 0 && plan.is_tuned());
            let weighed = is_needed.then(|| weigh(shape, &log, target, Expected::None)).transpose()?;
            if let (0, Some(weighed)) = (place, &weighed) {
                greatest = greatest.max(weighed.greatest_weight());
            }
            if let Some(fit) = fits.get_mut(place) {
                fit.add(&log, &piece.context, weighed.as_ref())?;
            }
        }
        Ok(())
    })?;
    // Each part of the log is predicted by the others: a handful of rounds leaves some of them empty.
    let without = |error| CliError::usage(format!("{error} (or in too few parts of the log); go without it: --reward-model none"));
    let models = fits.iter().map(RewardFit::finish).collect::<Result<Vec<RewardModel>, _>>().map_err(without)?;
    Ok(((0..policies.len()).map(|place| models.get(place).or(models.first()).cloned()).collect(), greatest))
}

fn fitting(args: &Args) -> Option<Fitting> {
    let regression = match args.reward_model {
        Model::None => return None,
        Model::Ridge => Regression::Ridge { penalty: 1.0 },
        Model::Logistic => Regression::Logistic { penalty: 1.0 },
    };
    let weights = match args.fitting {
        WeightsName::Equal => FittingWeights::Equal,
        WeightsName::Importance => FittingWeights::Importance,
        WeightsName::Mrdr => FittingWeights::Mrdr,
    };
    Some(Fitting { regression, weights, folds: 5, seed: args.seed })
}

/// Sums by which λ is chosen, for the first policy.
fn tuned(
    args: &Args,
    rounds: &mut Rounds,
    policies: &[&Policy],
    plan: &Plan<'_>,
    models: &[Option<RewardModel>],
    greatest: f64,
) -> Result<Option<TuningOfAll>, CliError> {
    if !plan.is_tuned() {
        return Ok(None);
    }
    let (shape, mut tuning) = (rounds.shape, plan.tuning(greatest)?);
    rounds.each(args, &policies[..1], |piece, targets| Ok(tuning.add(&weighed(shape, piece, targets[0], models[0].as_ref())?)?))?;
    Ok(Some(tuning))
}

/// What is added up in the last pass.
struct Judged<'a> {
    shape: Shape,
    models: &'a [Option<RewardModel>],
    /// Of each policy; the last estimator of the first is what the log itself earned.
    evaluations: Vec<Evaluation>,
    comparison: Option<Comparison>,
    loggers: Option<Loggers>,
}

impl<'a> Judged<'a> {
    fn new(
        args: &Args,
        rounds: &Rounds,
        plan: &Plan<'_>,
        tuning: Option<&TuningOfAll>,
        policies: &[&Policy],
        models: &'a [Option<RewardModel>],
    ) -> Result<Self, CliError> {
        let options = options(args, rounds)?;
        let chosen = |has_model: bool| {
            let tuned = tuning.map(TuningOfAll::finish).transpose()?.unwrap_or_default();
            plan.estimators(tuned, has_model)
        };
        let has_model = |policy: &Policy, model: &Option<RewardModel>| model.is_some() && !policy.is_of_logged();
        let mut of_first = chosen(has_model(policies[0], &models[0]))?;
        of_first.push(Box::new(estimators::OnPolicy));
        let mut evaluations = vec![Evaluation::new(of_first, options.clone())?];
        let mut comparison = None;
        if let (Some(other), Some(model)) = (policies.get(1), models.get(1)) {
            let both = has_model(other, model) && has_model(policies[0], &models[0]);
            evaluations.push(Evaluation::new(chosen(both)?, options.clone())?);
            comparison = Some(Comparison::new(chosen(both)?, options.clone())?);
        }
        let loggers = args.logger.is_some().then(|| Loggers::new(rounds, options, has_model(policies[0], &models[0]))).transpose()?;
        Ok(Self { shape: rounds.shape, models, evaluations, comparison, loggers })
    }

    fn add(&mut self, piece: &Piece, targets: &[Target<'_>]) -> Result<(), CliError> {
        let of = |(&target, model): (&Target<'_>, &Option<RewardModel>)| weighed(self.shape, piece, target, model.as_ref());
        let weighed = targets.iter().zip(self.models).map(of).collect::<Result<Vec<Weighed>, _>>()?;
        self.evaluations.iter_mut().zip(&weighed).try_for_each(|(evaluation, weighed)| evaluation.add(weighed))?;
        if let (Some(comparison), [first, second]) = (&mut self.comparison, weighed.as_slice()) {
            comparison.add(first, second)?;
        }
        if let Some(loggers) = &mut self.loggers {
            loggers.add(piece, &weighed[0], targets[0])?;
        }
        Ok(())
    }

    fn finish(&self, args: &Args, rounds: &Rounds, plan: &Plan<'_>, is_of_logged: bool) -> Result<Printed, CliError> {
        let mut reports = self.evaluations.iter().map(Evaluation::finish).collect::<Result<Vec<_>, _>>()?.into_iter();
        let mut first = reports.next().ok_or_else(|| CliError::usage("--policy: name one"))?;
        let logged = first.values.pop().ok_or_else(|| CliError::usage("the log has no rounds"))?;
        let mut warnings: Vec<String> = first.warnings.iter().map(ToString::to_string).collect();
        warnings.extend(cautions(args, plan, &first.values, is_of_logged));
        let kept = self.models.first().and_then(Option::as_ref).map(RewardModel::rounds);
        if let Some(kept) = kept.filter(|kept| *kept < rounds.count) {
            warnings.push(format!(
                "the logistic reward model is of {kept} of the {} rounds, drawn by lot, so that memory is bounded",
                rounds.count
            ));
        }
        let other = reports.next().zip(args.against.as_ref()).map(|(report, policy)| {
            warnings.extend(report.warnings.iter().map(|warning| format!("of {policy}: {warning}")));
            Other { policy: policy.clone(), values: report.values, diagnostics: report.diagnostics }
        });
        let loggers = match &self.loggers {
            Some(loggers) => {
                let OfLoggers { loggers, together, warnings: more } = loggers.finish(rounds)?;
                warnings.extend(more);
                Some(Found { loggers, together })
            }
            None => None,
        };
        Ok(Printed {
            log: args.log.display().to_string(),
            hash: rounds.hash.clone(),
            rounds: rounds.count,
            run: None,
            policy: args.policy.clone(),
            against: args.against.clone(),
            level: args.level,
            logged,
            values: first.values,
            other,
            differences: self.comparison.as_ref().map(Comparison::finish).transpose()?.unwrap_or_default(),
            loggers,
            diagnostics: first.diagnostics,
            warnings,
        })
    }
}

fn options(args: &Args, rounds: &Rounds) -> Result<Options, CliError> {
    let bounds = match args.bounds.as_slice() {
        [] => None,
        &[least_reward, greatest_reward] => {
            Some(Bounds { least_reward, greatest_reward, greatest_weight: 1.0 / rounds.least_propensity.min(1.0) })
        }
        _ => return Err(CliError::usage("--bounds: write the least and the greatest reward: 0,1")),
    };
    Ok(Options {
        alpha: 1.0 - args.level,
        bootstrap: (args.bootstrap > 0).then_some(Bootstrap { draws: args.bootstrap, seed: args.seed }),
        bounds,
        unit: args.unit.clone().unwrap_or_else(|| "reward per round".to_owned()),
        action_names: rounds.actions.clone(),
    })
}

/// What to know of the estimators that there are, and of those that there aren't.
fn cautions(args: &Args, plan: &Plan<'_>, values: &[PolicyValue], is_of_logged: bool) -> Vec<String> {
    let mut warnings = vec![];
    let mut warn = |text: &str| warnings.push(text.to_owned());
    if values.iter().any(|value| value.estimator == "dm") {
        warn("dm: its interval is the spread of what the model expects, and leaves out how wrong the model is: go by dr");
    }
    if args.reward_model != Model::None && is_of_logged && ["dm", "tuned"].iter().any(|name| plan.wants(name)) {
        warn(
            "estimators with a reward model are left out: they need the policy's whole distribution, and not only the probability of what was logged",
        );
    }
    if plan.is_tuned() && values.iter().any(|value| value.estimator.contains('λ')) {
        warn(
            "tuned estimators: their intervals leave out that λ was chosen from the same log: too narrow, more so the closer they are to dm",
        );
    }
    warnings
}
