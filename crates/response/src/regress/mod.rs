//! Regressors, of which the learners of effects are made.

mod basis;
mod dense;
mod lasso;
mod logistic;

use crate::dense::Training;
use crate::inputs::Inputs;
use crate::objective::Objective;
use crate::trees::{Boosted, Boosting, Growth};
pub(crate) use basis::{Basis, Shape};
pub(crate) use dense::{Dense, Scaling, Settings};
pub(crate) use lasso::{Lasso, non_negative};
pub(crate) use logistic::Logistic;

/// A fitted regressor.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Regressor {
    Constant(f64),
    Linear(Lasso),
    Logistic(Logistic),
    Trees(Boosted),
    Dense(Dense),
}

/// Which regressor, before it is fitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The mean.
    Constant,
    /// Linear with the lasso's penalty; logistic for a binary target.
    Linear,
    /// Additive hinges and products of pairs, with the lasso's penalty.
    Curved,
    /// Boosted trees.
    Trees,
    /// A dense network.
    Dense,
    /// Boosted trees, otherwise set.
    TunedTrees(TreeTuning),
    /// A dense network, otherwise set.
    TunedDense(DenseTuning),
}

/// What a search sets of boosted trees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TreeTuning {
    pub(crate) leaves: u16,
    pub(crate) least_rows: u16,
    /// Thousandths.
    pub(crate) rate: u16,
    /// Percent that each tree sees.
    pub(crate) rows: u16,
}

impl TreeTuning {
    fn boosting(self, rows: usize) -> Boosting {
        let usual = Boosting::for_rows(rows);
        let growth = Growth { most_leaves: usize::from(self.leaves), least_rows: f64::from(self.least_rows), ..usual.growth };
        Boosting { growth, trees: 800, rate: f64::from(self.rate) / 1000.0, rows: f64::from(self.rows) / 100.0, ..usual }
    }
}

/// What a search sets of dense networks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct DenseTuning {
    /// Units of the hidden layers.
    pub(crate) first: u16,
    pub(crate) second: u16,
    /// Hundred-thousandths.
    pub(crate) rate: u16,
    /// Percent.
    pub(crate) sparsity: u16,
}

impl DenseTuning {
    fn settings(self) -> Settings {
        let Settings(usual) = Settings::default();
        let hidden = vec![usize::from(self.first), usize::from(self.second)];
        Settings(Training { hidden, rate: f32::from(self.rate) / 1e5, sparsity: f32::from(self.sparsity) / 100.0, ..usual })
    }
}

/// What a regressor is fitted to, by row of the inputs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Target<'a> {
    pub(crate) values: &'a [f64],
    pub(crate) weight: Option<&'a [f64]>,
    pub(crate) objective: Objective,
}

impl Regressor {
    /// Fits rows of the inputs.
    pub(crate) fn fit(kind: Kind, inputs: &Inputs, rows: &[u32], target: Target<'_>, seed: u64) -> Self {
        let Target { values, weight, objective } = target;
        match kind {
            Kind::Constant => {
                let of = |row: u32| weight.map_or(1.0, |weight| weight[row as usize]);
                let whole: f64 = rows.iter().map(|&row| of(row)).sum();
                let sum: f64 = rows.iter().map(|&row| of(row) * values[row as usize]).sum();
                Self::Constant(if whole > 0.0 { sum / whole } else { 0.0 })
            }
            Kind::Linear if objective == Objective::Binary && weight.is_none() => {
                Self::Logistic(Logistic::fit(&inputs.matrix, rows, values))
            }
            Kind::Linear => Self::Linear(Lasso::fit(Shape::Linear, &inputs.matrix, rows, values, weight)),
            Kind::Curved => Self::Linear(Lasso::fit(Shape::Curved, &inputs.matrix, rows, values, weight)),
            Kind::Trees => Self::Trees(Boosted::fit(inputs.bins(), rows, values, weight, objective, &Boosting::for_rows(rows.len()), seed)),
            Kind::TunedTrees(tuning) => {
                Self::Trees(Boosted::fit(inputs.bins(), rows, values, weight, objective, &tuning.boosting(rows.len()), seed))
            }
            Kind::Dense => Self::Dense(Dense::fit(inputs.scaled(), rows, target, 1, &|_| 0, &Settings::default(), seed)),
            Kind::TunedDense(tuning) => Self::Dense(Dense::fit(inputs.scaled(), rows, target, 1, &|_| 0, &tuning.settings(), seed)),
        }
    }

    /// The expected value of every row.
    pub(crate) fn predict(&self, inputs: &Inputs) -> Vec<f64> {
        match self {
            Self::Constant(value) => vec![*value; inputs.rows()],
            Self::Linear(model) => model.predict(&inputs.matrix),
            Self::Logistic(model) => model.predict(&inputs.matrix),
            Self::Trees(model) => model.predict(&inputs.matrix),
            Self::Dense(model) => model.predict(inputs.scaled()).swap_remove(0),
        }
    }
}
