//! Which estimators were asked for.

use youhui_evaluation::off_policy::{Criterion, Estimator, Family, Needs, TunedEstimator, TuningOfAll, estimators};

use super::super::super::CliError;
use super::{Args, Model, TuningName};

/// Names of estimators, beside those of [`FAMILIES`].
const NAMES: [&str; 8] = ["all", "replay", "ipw", "snipw", "dm", "dr", "sndr", "tuned"];
/// Estimators that have a λ.
const FAMILIES: [(&str, Family); 6] = [
    ("clipped-ipw", Family::ClippedIpw),
    ("sg-ipw", Family::SubGaussianIpw),
    ("clipped-dr", Family::ClippedDr),
    ("switch-dr", Family::SwitchDr),
    ("dr-os", Family::ShrunkDr),
    ("sg-dr", Family::SubGaussianDr),
];

/// What to estimate by.
pub(super) struct Plan<'a> {
    args: &'a Args,
    /// Whether the model's values can be had.
    pub(super) has_model: bool,
    families: Vec<Family>,
}

impl<'a> Plan<'a> {
    /// `is_of_logged`: of the policy only probabilities of what was logged are known.
    pub(super) fn new(args: &'a Args, is_of_logged: bool) -> Result<Self, CliError> {
        let known = || NAMES.into_iter().chain(FAMILIES.map(|(name, _)| name));
        if let Some(unknown) = args.estimator.iter().find(|name| !known().any(|one| one == name.as_str())) {
            return Err(CliError::usage(format!("--estimator {unknown}: there are {}", known().collect::<Vec<_>>().join(", "))));
        }
        let asked = |name: &str| args.estimator.iter().any(|one| one == name);
        let (is_all, is_tuned) = (asked("all"), asked("tuned"));
        if !args.lambda.is_empty() && !FAMILIES.iter().any(|(name, _)| asked(name)) {
            let names = FAMILIES.map(|(name, _)| name).join(", ");
            return Err(CliError::usage(format!("--lambda: name the estimators that it is of by --estimator: {names}")));
        }
        let needs_model = |name: &str| {
            ["dm", "dr", "sndr"].contains(&name) || FAMILIES.iter().any(|(other, family)| *other == name && family.needs_model())
        };
        let has_model = args.reward_model != Model::None && !is_of_logged;
        if !has_model && let Some(name) = args.estimator.iter().find(|name| needs_model(name)) {
            return Err(CliError::usage(if is_of_logged {
                format!(
                    "--estimator {name}: a reward model needs the policy's whole distribution: columns p_ACTION, or a table of action and \
                     probability"
                )
            } else {
                format!("--estimator {name}: it needs a reward model: name one by --reward-model")
            }));
        }
        let wanted = |name: &str, family: Family| asked(name) || ((is_all || is_tuned) && (has_model || !family.needs_model()));
        let families = FAMILIES.into_iter().filter(|(name, family)| wanted(name, *family)).map(|(_, family)| family).collect();
        let plan = Self { args, has_model, families };
        // A λ that is out of range is told before anything is read.
        plan.at_lambdas(true)?;
        Ok(plan)
    }

    pub(super) fn wants(&self, name: &str) -> bool {
        self.args.estimator.iter().any(|one| one == name || one == "all")
    }

    /// Whether any estimator uses the model.
    pub(super) fn uses_model(&self) -> bool {
        self.has_model
            && (["dm", "dr", "sndr"].iter().any(|name| self.wants(name)) || self.families.iter().any(|family| family.needs_model()))
    }

    /// Whether a λ has to be chosen.
    pub(super) fn is_tuned(&self) -> bool {
        self.args.lambda.is_empty() && !self.families.is_empty()
    }

    /// Sums by which λ is chosen.
    pub(super) fn tuning(&self, greatest_weight: f64) -> Result<TuningOfAll, CliError> {
        let criterion = match self.args.tuning {
            TuningName::Slope => Criterion::Slope { delta: 0.05 },
            TuningName::MeanSquaredError => Criterion::MeanSquaredError { upper_bound: true, delta: 0.05 },
        };
        Ok(TuningOfAll::new(&self.families, greatest_weight, criterion)?)
    }

    /// The estimators, with λ as it was chosen or given.
    pub(super) fn estimators(&self, tuned: Vec<TunedEstimator>, has_model: bool) -> Result<Vec<Box<dyn Estimator>>, CliError> {
        let mut all: Vec<Box<dyn Estimator>> = vec![];
        let modelled = ["dm", "dr", "sndr"].into_iter().filter(|_| has_model);
        for name in ["replay", "ipw", "snipw"].into_iter().chain(modelled).filter(|name| self.wants(name)) {
            all.push(match name {
                "replay" => Box::new(estimators::ReplayMethod),
                "ipw" => Box::new(estimators::InverseProbabilityWeighting::plain()),
                "snipw" => Box::new(estimators::SelfNormalisedIpw),
                "dm" => Box::new(estimators::DirectMethod),
                "dr" => Box::new(estimators::DoublyRobust::plain()),
                _ => Box::new(estimators::SelfNormalisedDoublyRobust),
            });
        }
        let usable = |one: &dyn Estimator| has_model || one.needs() != Needs::RewardModel;
        for more in tuned.into_iter().map(|tuned| tuned.estimator).chain(self.at_lambdas(has_model)?) {
            // At a λ that changes nothing it is one of those above.
            if usable(more.as_ref()) && !all.iter().any(|known| known.name() == more.name()) {
                all.push(more);
            }
        }
        Ok(all)
    }

    fn at_lambdas(&self, has_model: bool) -> Result<Vec<Box<dyn Estimator>>, CliError> {
        let of = |family: &Family| self.args.lambda.iter().map(|&lambda| family.at(lambda)).collect::<Vec<_>>();
        let made = self.families.iter().filter(|family| has_model || !family.needs_model()).flat_map(of);
        Ok(made.collect::<Result<_, _>>()?)
    }
}
