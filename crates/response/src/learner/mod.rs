//! Learners of the effect of one treatment, one a file, behind one trait.

mod causal_forest;
mod dr;
pub(crate) mod network;
mod r;
mod reference;
mod s;
mod t;
mod tarnet;
mod x;

use std::sync::Arc;

use crate::dense::Epoch;
use crate::error::ResponseError;
use crate::forest::Forest;
use crate::inputs::Inputs;
use crate::objective::Objective;
use crate::promotions::{Promotion, Space};
use crate::regress::{Dense, Kind, Regressor, Target};
use crate::trial::{Nuisances, Trial};

pub(crate) use network::Shared;
pub use reference::ReferenceNetwork;

/// A way to learn effects: of one treatment at a time, or of all together.
pub(crate) trait Learner: Sync + Send {
    /// Learns from some rows of a trial.
    fn fit(&self, _: &Trial<'_>, _: &Nuisances, _rows: &[u32], _seed: u64) -> Effect {
        Effect::Direct(Regressor::Constant(0.0))
    }

    /// Learns from some rows of all arms, if it learns so; the effects by treatment.
    fn fit_together(&self, _: &Arms<'_>, _rows: &[u32], _seed: u64) -> Option<Vec<Effect>> {
        None
    }
}

/// All arms, for learners that share between treatments.
#[derive(Debug)]
pub(crate) struct Arms<'a> {
    pub(crate) inputs: &'a Inputs,
    pub(crate) outcome: &'a [f64],
    pub(crate) objective: Objective,
    /// By row: 0 for the control, 1 for the first treatment …
    pub(crate) place: Vec<u32>,
    pub(crate) treatments: usize,
    /// By treatment.
    pub(crate) promotions: Vec<&'a Promotion>,
    pub(crate) space: Arc<Space>,
}

/// A fitted effect.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Effect {
    /// A regressor of the effect itself.
    Direct(Regressor),
    /// Two regressors of the outcome: of the control and of the treated.
    Difference([Regressor; 2]),
    /// One regressor of the outcome, with the treatment as its last column.
    Switch(Regressor),
    /// One network with an output for each arm.
    Heads(Dense),
    /// The X-learner's two effects, by propensity.
    Blend { effects: [Regressor; 2], propensity: Regressor },
    /// A causal forest.
    Forest(Forest),
    /// A promotion in a network of all.
    Shared(Shared),
}

const KINDS: [(&str, Kind); 4] = [("linear", Kind::Linear), ("curved", Kind::Curved), ("trees", Kind::Trees), ("dense", Kind::Dense)];

/// The learners that can be asked for by name, beside `auto`.
pub const LEARNERS: [&str; 25] = [
    "constant",
    "s-linear",
    "s-curved",
    "s-trees",
    "s-dense",
    "t-linear",
    "t-curved",
    "t-trees",
    "t-dense",
    "x-linear",
    "x-curved",
    "x-trees",
    "x-dense",
    "r-linear",
    "r-curved",
    "r-trees",
    "r-dense",
    "dr-linear",
    "dr-curved",
    "dr-trees",
    "dr-dense",
    "tarnet",
    "causal-forest",
    "reference",
    "network",
];

/// The candidates of `auto` beside the constant effect, which is the first that they are held against.
pub(crate) const CANDIDATES: [&str; 12] = [
    "r-linear",
    "r-curved",
    "r-trees",
    "r-dense",
    "dr-curved",
    "t-linear",
    "t-curved",
    "t-dense",
    "x-trees",
    "x-dense",
    "tarnet",
    "causal-forest",
];

/// The learner of this name.
pub(crate) fn learner(name: &str) -> Result<Box<dyn Learner>, ResponseError> {
    Ok(match name {
        "constant" => Box::new(r::R(Kind::Constant)),
        "reference" => Box::new(reference::Reference),
        "network" => Box::new(network::SharedNetwork),
        "tarnet" => Box::new(tarnet::Tarnet),
        "causal-forest" => Box::new(causal_forest::CausalForest),
        _ => {
            let found = tunable(name).and_then(|(meta, kind)| with_kind(meta, kind));
            found.ok_or_else(|| ResponseError::Learner { name: name.to_owned() })?
        }
    })
}

/// The parts of a name like t-trees.
pub(crate) fn tunable(name: &str) -> Option<(&str, Kind)> {
    let (meta, base) = name.split_once('-')?;
    KINDS.iter().find(|(name, _)| *name == base).map(|(_, kind)| (meta, *kind))
}

/// A meta-learner on regressors of a kind.
pub(crate) fn with_kind(meta: &str, kind: Kind) -> Option<Box<dyn Learner>> {
    Some(match meta {
        "s" => Box::new(s::S(kind)),
        "t" => Box::new(t::T(kind)),
        "x" => Box::new(x::X(kind)),
        "r" => Box::new(r::R(kind)),
        "dr" => Box::new(dr::Dr(kind)),
        _ => return None,
    })
}

/// Fits a regressor of an effect, whose error is squared.
fn direct(trial: &Trial<'_>, rows: &[u32], values: &[f64], weight: Option<&[f64]>, kind: Kind, seed: u64) -> Regressor {
    Regressor::fit(kind, trial.inputs, rows, Target { values, weight, objective: Objective::Continuous }, seed)
}

impl Effect {
    /// How its networks were trained, by what they tell.
    pub(crate) fn curves(&self) -> Vec<(&'static str, &[Epoch])> {
        fn of<'a>(name: &'static str, model: &'a Regressor) -> Option<(&'static str, &'a [Epoch])> {
            match model {
                Regressor::Dense(dense) => Some((name, dense.epochs.as_slice())),
                _ => None,
            }
        }
        let found = match self {
            Self::Direct(model) => [of("effect", model), None],
            Self::Switch(model) => [of("outcome", model), None],
            Self::Difference([control, treated]) | Self::Blend { effects: [control, treated], .. } => {
                [of("control", control), of("treated", treated)]
            }
            Self::Heads(dense) => [Some(("arms", dense.epochs.as_slice())), None],
            Self::Shared(shared) => [Some(("all", shared.network.epochs.as_slice())), None],
            Self::Forest(_) => [None, None],
        };
        found.into_iter().flatten().collect()
    }

    /// The effect on every row.
    pub(crate) fn predict(&self, inputs: &Inputs) -> Vec<f64> {
        let difference = |one: Vec<f64>, other: Vec<f64>| one.into_iter().zip(other).map(|(one, other)| one - other).collect();
        match self {
            Self::Direct(model) => model.predict(inputs),
            Self::Difference([control, treated]) => difference(treated.predict(inputs), control.predict(inputs)),
            Self::Switch(model) => {
                difference(model.predict(&inputs.with_treatment(|_| 1.0)), model.predict(&inputs.with_treatment(|_| 0.0)))
            }
            Self::Heads(model) => {
                let mut arms = model.predict(inputs.scaled());
                let treated = arms.pop().unwrap_or_default();
                difference(treated, arms.pop().unwrap_or_default())
            }
            Self::Blend { effects: [control, treated], propensity } => {
                let both = control.predict(inputs).into_iter().zip(treated.predict(inputs));
                let blend = |((control, treated), p): ((f64, f64), f64)| {
                    let p = p.clamp(0.0, 1.0);
                    p * control + (1.0 - p) * treated
                };
                both.zip(propensity.predict(inputs)).map(blend).collect()
            }
            Self::Forest(forest) => forest.predict(&inputs.matrix),
            Self::Shared(shared) => shared.predict(inputs),
        }
    }
}
